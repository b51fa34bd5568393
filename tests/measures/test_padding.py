"""Padding against slow twins; reliabilities against pingouin; and nobody is named."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats

from alc_stats.errors import DataError, DeclarationError, TableError
from alc_stats.measures import padding
from alc_stats.measures.jackknife import jackknifed
from alc_stats.measures.padding import Padding
from alc_stats.measures.padding_counts import padding_counts
from alc_stats.measures.padding_groups import PaddingChange
from tolerances import EXACT_ARITHMETIC, FOUR_PRINTED_DIGITS

STARTS = {f"f{i}": dt.date(2026, 3, 2) if i % 2 else None for i in range(20)}
RUNS = 100


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """20,000 events of 200 people of 20 firms in January to April 2026."""
    rng = np.random.default_rng(3)
    n = 20_000
    person = rng.integers(0, 200, n)
    second = rng.integers(0, 112 * 86_400, n)
    return pd.DataFrame(
        {
            "person_id": [f"p{i:03d}" for i in person],
            "firm_id": [f"f{i % 20}" for i in person],
            "timestamp": pd.Timestamp("2026-01-05", tz="UTC") + pd.to_timedelta(second, unit="s"),
            "tokens_in": rng.integers(1, 4_000, n),
            "tokens_out": rng.lognormal(6, 1.5, n).astype(int),
            "prompt_hash": [f"{h:x}" for h in rng.integers(0, 8, n)],
            "accepted": rng.random(n) < 0.3,
        }
    )


def counts(
    seed: int, *, padded: float = 0.0, persons: int = 200, firms: int = 20, weeks: int = 8
) -> pd.DataFrame:
    """Weeks of persons with habits of their own; in odd firms from week 4 on `padded` is added."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), weeks)
    week, firm = np.tile(np.arange(weeks), persons), person % firms
    habit = rng.beta(2, 8, persons)[person] + 0.05 * rng.random(firms)[firm]
    share = np.minimum(habit + padded * ((firm % 2 == 1) & (week >= 4)), 1.0)
    return pd.DataFrame(
        {
            "person_id": [f"p{i}" for i in person],
            "firm_id": [f"f{i}" for i in firm],
            "period": week,
            "prompts": 40,
            "repeat_prompts": rng.binomial(40, share),
            "tokens": 1_000,
            "tokens_late": rng.binomial(1_000, share),
        }
    )


WEEKS = {f"f{i}": 4 if i % 2 else None for i in range(20)}


# -- counts --------------------------------------------------------------------------------------


SUMS = ("tokens", "tokens_late", "prompts", "after_hours_prompts", "accepted")


def twin(log: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Counts by week, event by event."""
    rows: dict[tuple[str, str, dt.date], dict[str, Any]] = {}
    for e in log.itertuples():
        moment = e.timestamp.tz_convert(zone)
        monday = (moment - pd.Timedelta(days=moment.weekday())).date()
        own = rows.setdefault((e.firm_id, e.person_id, monday), dict.fromkeys(SUMS, 0))
        own.setdefault("hash", []).append(e.prompt_hash)
        own.setdefault("minute", []).append(moment.floor("min"))
        tokens = e.tokens_in + e.tokens_out
        own["tokens"] += tokens
        own["tokens_late"] += tokens * (moment.weekday() >= 4)
        own["prompts"] += 1
        own["after_hours_prompts"] += not (8 <= moment.hour < 19 and moment.weekday() < 5)
        own["accepted"] += e.accepted
    made = [
        {"firm_id": f, "person_id": p, "period": pd.Timestamp(monday),
         "repeat_prompts": len(own["hash"]) - len(set(own["hash"])),
         "burst_prompts": len(own["minute"]) - len(set(own["minute"])), **own}
        for (f, p, monday), own in rows.items()
    ]  # fmt: skip
    return pd.DataFrame(made).sort_values(["firm_id", "person_id", "period"], ignore_index=True)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_counts_are_those_of_a_slow_twin(log: pd.DataFrame, zone: str) -> None:
    few = log.sample(3_000, random_state=1)
    near = few.assign(timestamp=few["timestamp"].dt.floor("2h"))
    found, expected = padding_counts(near, period="week", zone=zone), twin(near, zone)
    for name in (*SUMS, "repeat_prompts", "burst_prompts"):
        assert found[name].tolist() == expected[name].tolist(), name
    assert found["burst_prompts"].sum() > 0


def test_files_and_waves_give_what_tables_and_weeks_give(log: pd.DataFrame, tmp_path: Path) -> None:
    parquet, csv = tmp_path / "log.parquet", tmp_path / "log.csv"
    log.to_parquet(parquet)
    log.to_csv(csv, index=False)
    monday = dt.date(2026, 1, 5)
    waves = {i: (monday + dt.timedelta(7 * i), monday + dt.timedelta(7 * i + 6)) for i in range(16)}
    own = padding(log, period="week", starts=STARTS)
    assert padding(parquet, period="week", starts=STARTS) == own
    assert padding(csv, period="week", starts=STARTS) == own
    assert padding(log, period=waves, starts=STARTS).changes == own.changes


def test_periods_in_which_a_mandate_starts_are_left_out_and_said(log: pd.DataFrame) -> None:
    wednesday = {f: start and dt.date(2026, 3, 4) for f, start in STARTS.items()}
    found = padding(log, period="week", starts=wednesday)
    week = log["timestamp"].between("2026-03-02T00:00Z", "2026-03-08T23:59:59Z")
    assert found.left_out == (
        f"{log.loc[week, 'person_id'].nunique()} periods of persons in which a mandate starts",
    )


def test_what_the_log_lacks_is_said(log: pd.DataFrame) -> None:
    found = padding(log.drop(columns=["prompt_hash", "accepted"]), period="month")
    assert found.lacking == ("repeated", "tokens_per_accepted")
    assert {cell.arm for cell in found.cells} == {"all"}
    assert found.changes == ()
    some = log.assign(prompt_hash=log["prompt_hash"].where(log.index >= 7))
    assert "7 events without a hash" in padding(some, period="month").left_out[0]


# -- reliabilities -------------------------------------------------------------------------------


def test_the_icc_is_that_of_pingouin() -> None:
    data = counts(1)
    data["share"] = data["repeat_prompts"] / data["prompts"]
    table = pingouin.intraclass_corr(data, targets="person_id", raters="period", ratings="share")
    row = table[table["Type"].isin(["ICC3", "ICC(C,1)"])].iloc[0]
    assert padding(data).cells[0].icc == pytest.approx(row["ICC"], abs=FOUR_PRINTED_DIGITS)


def test_the_reliability_is_that_of_halves() -> None:
    data = counts(2)
    data["share"] = data["repeat_prompts"] / data["prompts"]
    wide = data.pivot_table(index="person_id", columns="period", values="share")
    wide = wide - wide.mean()
    r = np.corrcoef(wide[[0, 2, 4, 6]].mean(axis=1), wide[[1, 3, 5, 7]].mean(axis=1))[0, 1]
    expected = 2.0 * r / (1.0 + r)
    assert padding(data).cells[0].reliability == pytest.approx(expected, rel=EXACT_ARITHMETIC)


def test_a_habit_is_reliable_and_chance_is_not() -> None:
    data = counts(3)
    chance = data.assign(repeat_prompts=np.random.default_rng(1).binomial(40, 0.2, len(data)))
    habit, none = padding(data).cells[0], padding(chance).cells[0]
    assert habit.reliability_low is not None
    assert habit.reliability_low > 0.8
    assert none.icc_low is not None
    assert none.icc_high is not None
    assert none.icc_low < 0.0 < none.icc_high


def test_signs_of_one_habit_go_together() -> None:
    pair = padding(counts(4)).pairs[0]
    assert (pair.first, pair.second) == ("repeated", "late")
    assert pair.low > 0.8
    assert pair.persons == 200


# -- groups --------------------------------------------------------------------------------------


def test_limits_are_those_of_leaving_out_firms() -> None:
    data = counts(5, persons=100)
    data["share"] = data["repeat_prompts"] / data["prompts"]
    data["after"], data["odd"] = data["period"] >= 4, data["firm_id"].isin(
        [f for f, start in WEEKS.items() if start])  # fmt: skip

    def effect(own: pd.DataFrame) -> float:
        means = own.groupby(["odd", "after", "person_id"])["share"].mean()
        by = means.groupby(["odd", "after"]).mean()
        return float(by[True, True] - by[True, False] - by[False, True] + by[False, False])

    without: dict[bool, list[float]] = {True: [], False: []}
    for firm in data["firm_id"].unique():
        left = data[data["firm_id"] != firm]
        without[bool(WEEKS[firm])].append(effect(left))
    se = np.sqrt(sum((len(x) - 1) * np.var(x) for x in without.values()))
    found = padding(data, starts=WEEKS).changes[0]
    assert found.value == pytest.approx(effect(data), rel=1e3 * EXACT_ARITHMETIC)
    half = stats.t.ppf(0.975, 9) * se
    assert found.high - found.value == pytest.approx(half, rel=1e3 * EXACT_ARITHMETIC)


def test_changes_are_found_where_there_are_some_and_seldom_elsewhere() -> None:
    """Under no padding the intervals exclude zero in one table of twenty."""
    signs = ["person_id", "firm_id", "period", "prompts", "repeat_prompts"]

    def change(seed: int, padded: float) -> PaddingChange:
        data = counts(seed, padded=padded, persons=100)[signs]
        return padding(data, starts=WEEKS).changes[0]

    none = [change(seed, 0.0) for seed in range(RUNS)]
    wrong = sum(not c.low <= 0.0 <= c.high for c in none)
    assert wrong <= stats.binom.ppf(0.999, RUNS, 0.05)
    found = [change(seed, 0.1) for seed in range(20)]
    assert all(c.low > 0.0 for c in found)
    assert sum(c.low < 0.1 < c.high for c in found) >= stats.binom.ppf(0.001, 20, 0.9)


def test_fewer_than_five_persons_are_not_shown() -> None:
    data = counts(6)
    few = data[(data["firm_id"] != "f1") & data["firm_id"].isin(["f0", "f2", "f3"])]
    kept = few[(few["firm_id"] != "f3") | few["person_id"].isin(["p3", "p23", "p43", "p63"])]
    found = padding(kept, starts=WEEKS)
    hidden = [c for c in found.cells if c.arm == "mandated"]
    assert hidden
    assert all(c.mean is None and c.persons is None and c.icc is None for c in hidden)
    assert found.changes == ()


def test_nobody_is_named_and_nothing_of_a_person_returned(log: pd.DataFrame) -> None:
    found = padding(log, period="month", starts=STARTS)
    text = " ".join(t.to_string() for t in (found.table(), found.change_table(),
                                            found.pair_table()))  # fmt: skip
    assert not any(person in text for person in log["person_id"].unique())
    assert all(cell.persons is None or cell.persons >= 5 for cell in found.cells)


def test_periods_may_be_days() -> None:
    first, start = pd.Timestamp("2026-01-05"), dt.date(2026, 2, 2)
    dated = counts(8)
    dated["period"] = first + pd.to_timedelta(7 * dated["period"], unit="D")
    starts = {f: None if at is None else start for f, at in WEEKS.items()}
    assert padding(dated, starts=starts) == padding(counts(8), starts=WEEKS)


def test_one_firm_on_a_side_has_no_limits() -> None:
    data = counts(7)
    own = data[data["firm_id"].isin(["f0", "f1"])]
    found = padding(own, starts=WEEKS)
    assert found.changes == ()
    assert found.cells[0].mean is not None
    assert found.cells[0].low is None


def test_a_jackknife_of_a_mean_is_its_standard_error() -> None:
    y = np.random.default_rng(1).normal(size=30)
    found = jackknifed(np.column_stack([np.ones(30), y]), lambda s: s[:, 1] / s[:, 0])
    half = stats.t.ppf(0.975, 29) * y.std(ddof=1) / np.sqrt(30)
    assert found.high - found.value == pytest.approx(half, rel=1e3 * EXACT_ARITHMETIC)


# -- bad input -----------------------------------------------------------------------------------


def ask(data: pd.DataFrame, **more: Any) -> Padding:
    return padding(data, **more)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt_hash": "Please summarise this letter"}, "prompts are text, where only hashes"),
        ({"prompt_hash": "x" * 200}, "Hash prompts where they are recorded"),
        ({"person_id": None}, "events have no person"),
        ({"tokens_in": -9_000_000}, "50 events. Allowed: 0 and more. Errors of the log are"),
        ({"tokens_in": "many"}, "the event log cannot be read as declared"),
    ],
)
def test_bad_logs_are_refused_in_a_sentence(
    log: pd.DataFrame, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(TableError, match=says):
        ask(log.head(50).assign(**change), period="week")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"zone": "Berlin"}, "the time zone is not known"),
        ({"period": "day"}, "unknown period 'day'"),
        ({"starts": {"f1": dt.date(2026, 3, 2)}}, "firms have no start"),
        ({"starts": dict.fromkeys(STARTS)}, "What rises everywhere"),
        ({"period": {1: (dt.date(2026, 2, 1), dt.date(2026, 1, 1))}}, "end before they start"),
    ],
)
def test_bad_questions_are_refused_in_a_sentence(
    log: pd.DataFrame, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(DeclarationError, match=says):
        ask(log, **({"period": "week"} | more))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"repeat_prompts": 41}, "'repeat_prompts' are more than 'prompts'"),
        ({"period": 1}, "a person has several rows of one period"),
        ({"firm_id": None}, "rows have no firm, person or period"),
    ],
)
def test_bad_counts_are_refused_in_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TableError, match=says):
        ask(counts(1).assign(**change))


def test_counts_without_a_sign_events_outside_waves_and_files_without_periods_are_refused(
    log: pd.DataFrame,
) -> None:
    with pytest.raises(TableError, match="no sign of padding is recorded"):
        ask(counts(1)[["person_id", "firm_id", "period", "prompts"]])
    with pytest.raises(DataError, match="events lie outside every wave"):
        ask(log, period={1: (dt.date(2026, 1, 5), dt.date(2026, 1, 9))})
    with pytest.raises(DeclarationError, match="starts are of another kind than the periods"):
        ask(counts(1), starts=STARTS)
    for strange in ("nowhere.parquet", Path("nowhere.csv")):
        with pytest.raises(TableError, match="the event log cannot be read as declared"):
            padding(strange, period="week")  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="unknown kind of file"):
        padding(Path("log.xlsx"), period="week")
    with pytest.raises(DeclarationError, match="an event log needs periods"):
        padding(Path("log.parquet"))
