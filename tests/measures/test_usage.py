"""Usage by person and period against a slow twin, whatever holds the log."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from alc_stats.data import Ledger, LedgerRow
from alc_stats.errors import DataError, DeclarationError, TableError
from alc_stats.measures import person_period_usage
from tolerances import EXACT_ARITHMETIC

WAVES = {1: (date(2026, 2, 1), date(2026, 2, 28)), 2: (date(2026, 3, 1), date(2026, 3, 31))}
COLUMNS = [
    "firm_id",
    "person_id",
    "period",
    "events",
    "sessions",
    "tokens_in",
    "tokens_out",
    "log_tokens",
    "graded",
    "quality",
    "far_share",
]


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """2,000 events of 25 people in February and March 2026."""
    rng = np.random.default_rng(3)
    n = 2_000
    person = rng.integers(0, 25, n)
    minute = rng.integers(0, 59 * 24 * 60, n)
    return pd.DataFrame(
        {
            "event_id": [f"e{i:05d}" for i in range(n)],
            "person_id": [f"p{i:02d}" for i in person],
            "firm_id": [f"f{i % 4}" for i in person],
            "timestamp": pd.Timestamp("2026-02-01", tz="UTC") + pd.to_timedelta(minute, unit="min"),
            "session_id": [
                f"s{i:02d}-{k}" for i, k in zip(person, rng.integers(0, 9, n), strict=True)
            ],
            "tokens_in": rng.integers(0, 4_000, n),
            "tokens_out": rng.lognormal(6, 1.5, n).astype(int),
            "novelty": rng.choice(["familiar", "near", "far"], n, p=[0.6, 0.3, 0.1]),
            "quality": np.where(rng.random(n) < 0.2, rng.normal(60, 10, n).round(1), np.nan),
        }
    )


def _twin(log: pd.DataFrame, period_of: Any) -> list[tuple[Any, ...]]:
    """The same table, event by event."""
    cells: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for event in log.itertuples():
        period = period_of(event.timestamp.date())
        if period is not None:
            cells[(event.firm_id, event.person_id, period)].append(event)
    rows = []
    for key in sorted(cells):
        events = cells[key]
        into, out = sum(e.tokens_in for e in events), sum(e.tokens_out for e in events)
        grades = [e.quality for e in events if not math.isnan(e.quality)]
        mean = math.fsum(grades) / len(grades) if grades else math.nan
        far = sum(e.novelty == "far" for e in events) / len(events)
        sessions = len({e.session_id for e in events})
        rows.append(
            (
                *key,
                len(events),
                sessions,
                into,
                out,
                math.log(1 + into + out),
                len(grades),
                mean,
                far,
            )
        )
    return rows


def _agree(usage: pd.DataFrame, twin: list[tuple[Any, ...]]) -> None:
    assert list(usage) == COLUMNS
    keys = usage[["firm_id", "person_id", "period"]].astype({"period": object})
    assert [tuple(r) for r in keys.itertuples(index=False)] == [r[:3] for r in twin]
    numbers = usage[COLUMNS[3:]].to_numpy(dtype=float)
    assert_allclose(numbers, [r[3:] for r in twin], rtol=EXACT_ARITHMETIC)


def test_weeks_begin_on_monday(log: pd.DataFrame) -> None:
    usage = person_period_usage(log, period="week")
    _agree(usage, _twin(log, lambda d: pd.Timestamp(d - timedelta(days=d.weekday()))))


def test_months_begin_on_their_first_day(log: pd.DataFrame) -> None:
    usage = person_period_usage(log, period="month")
    _agree(usage, _twin(log, lambda d: pd.Timestamp(d.replace(day=1))))


def test_waves_hold_their_last_day(log: pd.DataFrame) -> None:
    usage = person_period_usage(log, period=WAVES)
    _agree(usage, _twin(log, lambda d: 1 if d.month == 2 else 2))
    assert usage["period"].dtype == np.int64


def test_sums_are_whole_numbers_beyond_float64(log: pd.DataFrame) -> None:
    huge = log.head(3).assign(
        person_id="p", firm_id="f", timestamp=log["timestamp"][0], tokens_in=2**53 + 1
    )
    usage = person_period_usage(huge, period="month")
    assert usage["tokens_in"].tolist() == [3 * (2**53 + 1)]
    counts = usage[["events", "sessions", "tokens_in", "tokens_out", "graded"]]
    assert set(counts.dtypes.astype(str)) == {"int64"}


def test_files_and_frames_tell_the_same(log: pd.DataFrame, tmp_path: Path) -> None:
    expected = person_period_usage(log, period=WAVES)
    log.to_csv(tmp_path / "log.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    (tmp_path / "parts").mkdir()
    for i, part in enumerate((log[:700], log[700:])):
        part.to_parquet(tmp_path / "parts" / f"it's {i}.parquet")
    for path in (tmp_path / "log.csv", tmp_path / "parts" / "*.parquet"):
        pd.testing.assert_frame_equal(person_period_usage(path, period=WAVES), expected)


def test_the_order_of_events_changes_no_bit(log: pd.DataFrame) -> None:
    fine = log.assign(quality=log["quality"] / 3)
    shuffled = fine.sample(frac=1.0, random_state=1)
    first, second = (person_period_usage(frame, period="week") for frame in (fine, shuffled))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_days_are_utc_days_and_no_zone_is_utc(log: pd.DataFrame) -> None:
    late = log.head(1).assign(timestamp=pd.Timestamp("2026-03-01T00:30", tz="Europe/Berlin"))
    naive = log.head(1).assign(timestamp=pd.Timestamp("2026-02-28T23:30"))
    text = log.head(1).assign(timestamp="2026-03-01T00:30:00+01:00")
    for frame in (late, naive, text):
        assert person_period_usage(frame, period=WAVES)["period"].tolist() == [1]


def test_events_outside_every_wave_are_entered_or_refused(log: pd.DataFrame) -> None:
    february, ledger = {"before": WAVES[1]}, Ledger()
    outside = int((log["timestamp"].dt.month == 3).sum())
    usage = person_period_usage(log, period=february, ledger=ledger)
    why = "outside every wave"
    assert ledger.rows() == (LedgerRow("usage events", 2000, outside, why, 2000 - outside),)
    assert usage["events"].sum() == 2000 - outside
    assert set(usage["period"]) == {"before"}
    with pytest.raises(DataError) as caught:
        person_period_usage(log, period=february)
    assert str(caught.value) == (
        f"usage events: events lie outside every wave. Found: {outside} events. "
        "Pass a ledger to leave them out on record, or correct the waves."
    )


def test_an_empty_log_is_an_empty_table(log: pd.DataFrame) -> None:
    for period in ("week", WAVES):
        usage = person_period_usage(log.head(0), period=period)  # type: ignore[arg-type]
        assert usage.empty
        assert list(usage) == COLUMNS


def test_a_person_without_grades_has_no_quality(log: pd.DataFrame) -> None:
    usage = person_period_usage(log.assign(quality=np.nan), period="month")
    assert usage["quality"].isna().all()
    assert (usage["graded"] == 0).all()


def test_novelty_may_be_a_categorical_without_far(log: pd.DataFrame) -> None:
    near = log.assign(novelty=pd.Categorical(["near"] * len(log)))
    assert (person_period_usage(near, period="month")["far_share"] == 0.0).all()


def test_impossible_waves_are_named(log: pd.DataFrame) -> None:
    first, second = WAVES[1], WAVES[2]
    with pytest.raises(DeclarationError) as caught:
        person_period_usage(
            log, period={1: first, 2: (first[1], second[1]), 3: (second[1], first[0])}
        )
    assert str(caught.value).splitlines() == [
        "person_period_usage: waves end before they start. Found: 3.",
        "person_period_usage: waves overlap. Found: 1 and 2, 2 and 3.",
    ]
    with pytest.raises(DeclarationError, match="there are no waves"):
        person_period_usage(log, period={})
    with pytest.raises(DeclarationError, match=r"unknown period 'weeks'.* Did you mean 'week'\?"):
        person_period_usage(log, period="weeks")  # type: ignore[arg-type]


def test_a_log_that_cannot_be_used_says_why(log: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(TableError) as caught:
        person_period_usage(log.drop(columns=["novelty", "quality"]), period="week")
    assert [p.what for p in caught.value.problems] == [
        "the log has no column 'novelty'",
        "the log has no column 'quality'",
    ]
    with pytest.raises(TableError, match=r"events have no person or no firm. Found: 80 events"):
        person_period_usage(_without_person(log, 80), period="week")
    many = log.assign(tokens_in="many")
    with pytest.raises(TableError, match=r"the event log cannot be read as declared.*'many'"):
        person_period_usage(many, period="week")
    with pytest.raises(DeclarationError, match=r"unknown kind of file. Found: log.xlsx"):
        person_period_usage(tmp_path / "log.xlsx", period="week")
    with pytest.raises(TableError, match="No files found"):
        person_period_usage(tmp_path / "log.parquet", period="week")


def _without_person(log: pd.DataFrame, n: int) -> pd.DataFrame:
    return log.assign(person_id=log["person_id"].mask(log.index < n))
