"""Bunching: found where it was put, not where people merely like round numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.inference.excess_mass import Zones, excess_mass, step_of_means
from alc_stats.models import Finding, bunching
from alc_stats.models.bunching.data import BunchingQuestion, bunching_data, round_numbers
from alc_stats.simulate import read_truth
from alc_stats.simulate.events import weekly_tokens
from alc_stats.simulate.population import populate
from tolerances import EXACT_ARITHMETIC, HEAPS

TRUTH = Path(__file__).parents[2] / "analysis" / "reference" / "truth.toml"
COLUMNS: dict[str, Any] = {
    "amount": "tokens",
    "quota": "quota",
    "firm": "firm",
    "mandated": "mandate",
}
ZONES = Zones(0.02, 30, 10, 2)
RUNS = 100
CAPS = 20


def study(share: float, seed: int = 1) -> pd.DataFrame:
    """Weeks of the reference study, of which `share` of those just short are topped up."""
    truth = read_truth(TRUTH)
    truth = replace(truth, usage=replace(truth.usage, bunching_share=share))
    people = populate(truth.design, seed=seed)
    tokens = weekly_tokens(truth, people, seed=seed).round()
    weeks = tokens.shape[1]
    under = np.repeat(people.mandated > 0, truth.design.weeks_per_wave, axis=1).ravel()
    return pd.DataFrame(
        {
            "person": np.repeat(people.people["person_id"].to_numpy(), weeks),
            "firm": np.repeat(people.people["firm_id"].to_numpy(), weeks),
            "week": np.tile(np.arange(weeks), len(tokens)),
            "tokens": tokens.ravel(),
            "mandate": under.astype(int),
            "quota": np.where(under, truth.usage.quota, np.nan),
        }
    )


def heaped(seed: int, *, firms: int = 30, rows: int = 250, share: float = 0.3) -> pd.DataFrame:
    """No bunching at 60 000, but some amounts are rounded to ten thousands, everywhere alike."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), rows)
    level = 10.9 + 0.2 * rng.normal(size=firms)[firm]
    tokens = np.exp(level + 0.4 * rng.normal(size=firm.size))
    rounded = np.where(rng.random(firm.size) < share, np.round(tokens, -4), tokens)
    return pd.DataFrame(
        {"firm": firm, "mandate": (firm % 3 == 0) * 1, "quota": 60_000.0, "tokens": rounded}
    )


def ask(data: pd.DataFrame, **more: Any) -> Finding:
    return bunching(data, **{**COLUMNS, "draws": 199, **more})


def line_of(found: Finding, start: str) -> Any:
    return next(x for x in found.triangulation if x.method.startswith(start))


def outcome_of(found: Finding, artefact: str) -> str:
    return next(e.outcome for e in found.evidence if e.artefact == artefact)


# -- the counterfactual --------------------------------------------------------------------------


def test_what_was_moved_into_a_polynomial_is_found_exactly() -> None:
    x = ZONES.middles
    base = 50.0 - 20.0 * x + 15.0 * x**3
    moved = np.where(ZONES.left, 0.3 * base, 0.0)
    seen = base - moved
    seen[np.flatnonzero(ZONES.joined)[0]] += moved.sum()
    found = excess_mass(seen[None, :], ZONES, order=4)
    height = base[ZONES.joined].mean()
    assert found.mass[0] == pytest.approx(moved.sum() / height, abs=1e3 * EXACT_ARITHMETIC)
    assert found.missing[0] == pytest.approx(moved.sum() / height, abs=1e3 * EXACT_ARITHMETIC)
    assert found.share[0] == pytest.approx(0.3, abs=1e3 * EXACT_ARITHMETIC)


def test_heaps_at_round_numbers_are_no_excess() -> None:
    rounds = round_numbers(pd.Series([1.0], [60_000.0]), (10_000.0,), ZONES)
    assert rounds.sum() == 7  # 30, 40, ..., 90 thousand lie from 24 up to 96 thousand
    seen = 40.0 + 10.0 * ZONES.middles + 25.0 * rounds[:, 0]
    assert excess_mass(seen[None, :], ZONES, order=3).mass[0] > 0.3
    found = excess_mass(seen[None, :], ZONES, order=3, rounds=rounds)
    assert found.mass[0] == pytest.approx(0.0, abs=1e3 * EXACT_ARITHMETIC)


def test_constrained_least_squares_is_the_bordered_system() -> None:
    rng = np.random.default_rng(3)
    seen = rng.poisson(40.0, size=ZONES.bins).astype(float)
    X = np.vander(ZONES.middles, 4)
    out = ZONES.outside
    system = np.block([[X[out].T @ X[out], X.sum(axis=0)[:, None]], [X.sum(axis=0), np.zeros(1)]])
    beta = np.linalg.solve(system, np.append(X[out].T @ seen[out], seen.sum()))[:4]
    found = excess_mass(seen[None, :], ZONES, order=3)
    assert found.counterfactual[0] == pytest.approx(X @ beta, rel=1e3 * EXACT_ARITHMETIC)
    assert found.counterfactual.sum() == pytest.approx(seen.sum(), rel=EXACT_ARITHMETIC)


def test_an_amount_at_the_quota_has_reached_it() -> None:
    at = ZONES.bin_of(np.array([0.0, -1e-4, 59_999 / 60_000 - 1, 0.0199, 0.02]))
    assert at.tolist() == [30, 29, 29, 30, 31]


# -- known truth ---------------------------------------------------------------------------------


def test_the_reference_study_bunches_as_much_as_was_put_in() -> None:
    with_it, without = study(0.5), study(0.0)
    found = ask(with_it, person="person")
    assert found.decision.verdict == "supported"
    place = [
        t.loc[t["mandate"] == 1, "tokens"].to_numpy() / 60_000.0 - 1.0 for t in (with_it, without)
    ]
    gathered = [((p >= 0.0) & (p < 0.04)).sum() for p in place]
    height = ((place[1] >= -0.2) & (place[1] < 0.2)).sum() / 20.0
    low, high = found.estimate.interval()  # type: ignore[union-attr]
    assert low < (gathered[0] - gathered[1]) / height < high
    assert high - low < 5.0


def test_the_same_study_without_bunching_is_not_said_to_bunch() -> None:
    found = ask(study(0.0))
    assert found.decision.verdict in ("equivalent", "inconclusive")
    assert found.estimate is not None
    assert abs(found.estimate.value) < 1.0


def test_round_numbers_deceive_the_naive_and_not_the_comparison() -> None:
    found = [ask(heaped(seed)) for seed in range(RUNS)]
    naive = sum(line_of(f, "Naive").p < 0.05 for f in found)
    ours = sum(f.estimate.p_value < 0.05 for f in found if f.estimate)
    assert naive > 0.95 * RUNS
    assert ours <= stats.binom.ppf(0.999, RUNS, 0.05)
    assert sum(f.decision.verdict == "supported" for f in found) <= stats.binom.ppf(
        0.999, RUNS, 0.025
    )


def test_intervals_cover_an_excess_that_is_there() -> None:
    """Amounts are lognormal, so that the excess of the population is known exactly."""
    below, at, above = stats.norm.cdf(
        (np.log([48_000.0, 60_000.0, 62_400.0]) - 10.9) / np.hypot(0.2, 0.4)
    )
    truth = 0.3 * (at - below) / ((above - at) / 2.0)
    covered = 0
    for seed in range(RUNS):
        data = heaped(seed, share=0.0)
        short = data["tokens"].between(48_000.0, 60_000.0) & (data["mandate"] == 1)
        chosen = np.random.default_rng(1000 + seed).random(len(data)) < 0.3
        data.loc[short & chosen, "tokens"] = 60_000.0
        low, high = ask(data).estimate.interval()  # type: ignore[union-attr]
        covered += low < truth < high
    assert covered >= stats.binom.ppf(0.001, RUNS, 0.95)


# -- artefacts -----------------------------------------------------------------------------------


def capped(seed: int, *, of: str = "mandated", part: float = 1.0) -> pd.DataFrame:
    """Amounts held at the quota, of a part of those under it or of everybody; nobody games."""
    data = heaped(seed, share=0.0)
    if of == "everybody":
        data.loc[data["mandate"] == 1, "tokens"] *= 1.4
    on = (data["mandate"] == 1) | (of == "everybody")
    hit = on & (np.random.default_rng(50_000 + seed).random(len(data)) < part)
    data["tokens"] = data["tokens"].mask(hit, data["tokens"].clip(upper=60_000.0))
    return data


def gamed(seed: int, share: float, *, width: float = 0.2) -> pd.DataFrame:
    """A share of those up to `width` short of the quota fill it."""
    data, rng = heaped(seed, share=0.0), np.random.default_rng(50_000 + seed)
    near = (data["tokens"] >= (1.0 - width) * 60_000.0) & (data["tokens"] < 60_000.0)
    moved = near & (data["mandate"] == 1) & (rng.random(len(data)) < share)
    data["tokens"] = data["tokens"].mask(moved, 60_000.0 * (1.0 + 0.02 * rng.random(len(data))))
    return data


@pytest.mark.parametrize(
    ("of", "part"),
    [("mandated", 1.0), ("mandated", 0.5), ("everybody", 1.0), ("everybody", 0.6)],
)
def test_a_cap_never_passes_for_bunching(of: str, part: float) -> None:
    """It heaps far more than the smallest excess, of the naive in every sample."""
    found = [ask(capped(seed, of=of, part=part)) for seed in range(CAPS)]
    assert all(line_of(f, "Excess mass, under").low > 0.0 for f in found)
    assert not any(f.decision.verdict == "supported" for f in found)
    if (of, part) != ("everybody", 0.6):
        assert all(outcome_of(f, "a cap at the quota") == "threat" for f in found)


def test_filling_the_quota_is_not_taken_for_a_cap() -> None:
    found = [ask(gamed(seed, 0.3)) for seed in range(CAPS)]
    assert sum(f.decision.verdict == "supported" for f in found) >= stats.binom.ppf(
        0.001, CAPS, 0.95
    )


def test_who_comes_from_far_is_told_from_a_cap_by_a_wider_zone() -> None:
    found = [ask(gamed(seed, 0.3, width=0.4), below=0.4) for seed in range(CAPS)]
    assert sum(f.decision.verdict == "supported" for f in found) >= stats.binom.ppf(
        0.001, CAPS, 0.95
    )


def test_the_density_jumps_where_the_quota_is_filled() -> None:
    """And where nobody fills it no more often than chance."""
    without = [line_of(ask(heaped(s, share=0.0)), "Jump in log density") for s in range(CAPS)]
    assert sum(x.p < 0.05 for x in without) <= stats.binom.ppf(0.999, CAPS, 0.05)
    filled = [line_of(ask(gamed(s, 0.3)), "Jump in log density") for s in range(CAPS)]
    assert sum(x.low > 0.0 for x in filled) >= stats.binom.ppf(0.001, CAPS, 0.9)


def test_mass_points_have_no_density() -> None:
    line = line_of(ask(heaped(1, share=0.3)), "Jump in log density")
    assert line.value is None
    assert "mass point" in line.note.template


def test_a_quota_that_hardly_anybody_comes_near_is_no_cap() -> None:
    """Half of it is typical, in either group: little lies beyond, as little as there should."""
    data = heaped(3, share=0.0, rows=1000)
    data["tokens"] *= 0.55
    found = ask(data)
    assert outcome_of(found, "a cap at the quota") == "clear"


def test_a_heap_with_nothing_beside_it_is_a_cap() -> None:
    """Nothing short of the quota nor beyond it within reach, so that there are no odds."""
    data = heaped(4, share=0.0)
    held = (data["mandate"] == 1) & data["tokens"].between(24_000, 100_000)
    data["tokens"] = data["tokens"].mask(held, 60_000.0)
    found = ask(data)
    assert outcome_of(found, "a cap at the quota") == "threat"
    assert found.decision.verdict in ("inconclusive", "not tested")


def test_over_a_lid_no_curve_is_drawn() -> None:
    """The comparison lies far below, so that nothing says what should lie beyond."""
    data = capped(7)
    data["tokens"] = data["tokens"].where(data["mandate"] == 1, data["tokens"] / 8.0)
    found = ask(data)
    assert found.decision.verdict == "not tested"
    assert "The quota is a lid" in found.decision.reason.template
    assert line_of(found, "Excess mass, under").value > 5.0
    assert line_of(found, "Difference in excess").value is None


def test_a_firm_that_counts_in_another_unit_is_a_threat() -> None:
    data = study(0.5)
    data.loc[data["firm"] == data.loc[data["mandate"] == 1, "firm"].iloc[0], "tokens"] /= 1000.0
    found = ask(data)
    assert outcome_of(found, "units of quota and log") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_few_firms_are_a_threat() -> None:
    data = study(0.5)
    under = data.loc[data["mandate"] == 1, "firm"].unique()
    found = ask(data[~data["firm"].isin(under[4:])])
    assert outcome_of(found, "few firms") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_firms_that_bunched_before_are_a_threat() -> None:
    data = study(0.5)
    ever = data["firm"].isin(data.loc[data["mandate"] == 1, "firm"])
    short = ever & (data["mandate"] == 0) & data["tokens"].between(48_000, 59_999)
    data.loc[short, "tokens"] = 60_100.0
    found = ask(data)
    assert outcome_of(found, "differences before the mandate") == "threat"


def test_without_never_mandated_firms_the_time_before_is_compared() -> None:
    data = study(0.5)
    ever = data["firm"].isin(data.loc[data["mandate"] == 1, "firm"])
    found = ask(data[ever])
    assert found.estimate is not None
    assert found.estimate.df == data.loc[ever, "firm"].nunique() - 1
    assert outcome_of(found, "differences before the mandate") == "not tested"


def test_a_single_firm_is_not_tested() -> None:
    data = heaped(1)
    found = ask(data[(data["mandate"] == 0) | (data["firm"] == 0)])
    assert found.decision.verdict == "not tested"
    assert "two firms on either side" in found.decision.reason.template


# -- rows ----------------------------------------------------------------------------------------


def test_events_of_a_period_are_added_up() -> None:
    whole = study(0.5)
    parts = pd.concat([whole.assign(tokens=whole["tokens"] * s) for s in (0.25, 0.75)])
    more = {"person": "person", "period": "week"}
    one, other = ask(whole, **more), ask(parts, **more)
    assert one.estimate is not None
    assert other.estimate is not None
    assert one.estimate.value == pytest.approx(other.estimate.value, rel=1e3 * EXACT_ARITHMETIC)


def test_every_firm_is_counted_about_its_own_quota() -> None:
    data = pd.DataFrame(
        {
            "firm": ["a"] * 2 + ["b"] * 2 + ["c"] * 2,
            "mandate": [1, 1, 1, 1, 0, 0],
            "quota": [100.0, 100.0, 200.0, 200.0, np.nan, np.nan],
            "tokens": [100.0, 90.0, 200.0, 180.0, 100.0, 200.0],
        }
    )
    found = bunching_data(data, BunchingQuestion(**COLUMNS))
    zones = found.question.zones(1.2)
    under = found.counts["under"]
    assert under[0].tolist() == under[1].tolist()
    assert under[0, zones.window] == under[0, zones.window - 5] == 1.0
    never = found.counts["never"][2]
    assert never[zones.window] == 1.0  # half about each quota
    assert never[zones.window - 25] == 0.5  # 100 of 200; 200 of 100 lies outside


def test_the_share_used_late_is_compared() -> None:
    data = study(0.5)
    data["late"] = np.where(data["mandate"] == 1, 0.5, 0.2) * data["tokens"]
    found = line_of(ask(data, late="late"), "Share used at the end")
    assert found.value == pytest.approx(0.3, abs=EXACT_ARITHMETIC)


def rated(seed: int, worth: float) -> pd.DataFrame:
    """Quality rises with the amount; what fills the quota is `worth` of what it would be."""
    data, honest = gamed(seed, 0.4), heaped(seed, share=0.0)["tokens"]
    noise = np.random.default_rng(90_000 + seed).normal(size=len(data))
    moved = data["tokens"] != honest
    data["quality"] = np.log(data["tokens"]) + 0.5 * noise - (1.0 - worth) * moved
    return data


def test_quality_that_lacks_at_the_quota_is_found() -> None:
    """Moved amounts lose one unit; the zone holds moved and honest ones."""
    covered = 0
    for seed in range(CAPS):
        data = rated(seed, 0.0)
        zone = (data["mandate"] == 1) & data["tokens"].between(60_000, 62_399)
        moved = data["tokens"] != heaped(seed, share=0.0)["tokens"]
        line = line_of(ask(data, quality="quality"), "Difference in quality beyond the quota")
        covered += line.low < -float(moved[zone].mean()) < line.high
    assert covered >= stats.binom.ppf(0.001, CAPS, 0.95)


def test_quality_that_does_not_lack_is_not_said_to() -> None:
    lines = [line_of(ask(rated(s, 1.0), quality="quality"), "Difference in quality beyond")
             for s in range(CAPS)]  # fmt: skip
    assert sum(x.p < 0.05 for x in lines) <= stats.binom.ppf(0.999, CAPS, 0.05)
    assert {x.unit for x in lines} == {"quality"}


def test_rows_without_quality_are_counted_all_the_same() -> None:
    data = rated(1, 0.0)
    whole = ask(data, quality="quality")
    data.loc[data.index % 2 == 0, "quality"] = np.nan
    half = ask(data, quality="quality")
    assert half.estimate == whole.estimate
    assert line_of(half, "Difference in quality").value != pytest.approx(
        line_of(whole, "Difference in quality").value, abs=1e-6
    )


def test_the_step_of_means_is_weighted_least_squares_of_the_rows() -> None:
    rng = np.random.default_rng(4)
    at = rng.integers(0, ZONES.bins, 900)
    value = rng.normal(size=900) + ZONES.middles[at]
    sums = np.bincount(at, value, ZONES.bins)[None, :]
    counts = np.bincount(at, minlength=ZONES.bins).astype(float)[None, :]
    out, on = ZONES.outside[at], ZONES.joined[at]
    curve = np.polynomial.Polynomial.fit(ZONES.middles[at][out], value[out], 2)
    step = (value[on] - curve(ZONES.middles[at][on])).mean()
    assert step_of_means(sums, counts, ZONES)[0] == pytest.approx(step, abs=1e3 * EXACT_ARITHMETIC)


def test_no_bin_with_fewer_than_five_people_is_shown() -> None:
    data = heaped(2)
    data["person"] = data["firm"].astype(str) + "-" + (data.index % 4).astype(str)
    beyond = (data["mandate"] == 1) & (data["tokens"] >= data["quota"])
    data.loc[beyond, "person"] = "one"
    under, never = ask(data, person="person").pictures[0].panels
    x, seen = np.array(under.marks[0].x), ~np.isnan(under.marks[0].y)
    assert not seen[x > 0.0].any()
    assert seen[x < 0.0].any()
    assert not np.isnan(never.marks[0].y).all()
    line = ~np.isnan(under.marks[1].y)
    assert x[line].max() == x[x < 0.04].max()  # the end of the zone beyond the quota


def test_a_group_without_a_bin_of_five_people_has_no_panel_and_the_caption_says_so() -> None:
    data = heaped(2)
    data["person"] = data["firm"].astype(str) + "-" + (data.index % 4).astype(str)
    data.loc[data["mandate"] == 1, "person"] = "one"
    histogram = ask(data, person="person").pictures[0]
    assert [panel.title for panel in histogram.panels] == ["Never under a quota"]
    assert histogram.caption.endswith("and so is a group that has no others.")


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": -1.0}, "amounts are below zero"),
        ({"mandate": 2}, "the column is not 0 and 1"),
        ({"mandate": 0}, "no row is under a quota"),
        ({"mandate": 1}, "every row is under a quota"),
        ({"quota": np.nan}, "have no quota"),
        ({"quota": 6e9}, "no amount lies near its quota"),
        ({"firm": None}, "have no firm"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TableError, match=says):
        ask(heaped(1).assign(**change))


def test_quality_that_is_no_number_is_refused() -> None:
    with pytest.raises(TableError, match="quality"):
        ask(heaped(1).assign(quality="good"), quality="quality")


def test_a_quota_in_another_unit_is_refused() -> None:
    data = heaped(1).assign(quota_unit="prompt")
    with pytest.raises(TableError, match=r"another unit than the log.*prompt in .*Allowed: token"):
        ask(data, quota_unit="quota_unit", unit="token")


def test_a_period_partly_under_a_mandate_is_refused() -> None:
    data = study(0.5).assign(week=0)
    with pytest.raises(TableError, match="two quotas, or partly under one"):
        ask(data, person="person", period="week")


def test_everything_misdeclared_is_said_at_once() -> None:
    with pytest.raises(DeclarationError) as error:
        ask(heaped(1), window=0.61, order=1, unit="token", period="week", round_to=(0.0,))
    assert len(error.value.problems) == 1  # the column that is not there comes first
    with pytest.raises(DeclarationError) as error:
        ask(heaped(1), window=0.61, order=1, unit="token", round_to=(0.0,))
    assert len(error.value.problems) == 4
    with pytest.raises(DeclarationError, match="too few draws"):
        ask(heaped(1), draws=10)


def _rounded(rng: np.random.Generator) -> pd.DataFrame:
    """Nobody fills a quota; under it three amounts in ten are rounded, without it one."""
    firm = np.arange(12_000) % 24
    amount = 60_000 * np.exp(0.15 * (firm % 2) + 0.4 * rng.normal(size=12_000))
    told = rng.random(12_000) < np.where(firm % 2, 0.3, 0.1)
    amount = np.where(told, np.maximum(np.round(amount, -4), 1.0), amount)
    return pd.DataFrame({"firm": firm, "mandate": firm % 2, "quota": 60_000.0, "tokens": amount})


def test_more_rounding_under_the_quota_is_no_bunching() -> None:
    """Without a look at other round numbers 33 of 60 such samples were supported."""
    rng = np.random.default_rng(11)
    found = [
        bunching(_rounded(rng), amount="tokens", quota="quota", firm="firm",
                     mandated="mandate", draws=99)
        for _ in range(12)
    ]  # fmt: skip
    assert "supported" not in {f.decision.verdict for f in found}
    told = [e for f in found for e in f.evidence if e.artefact == "round numbers"]
    # Three in ten of the 10,000 about a round number heap in a bin of 1,200, and one in ten.
    expected = 10_000 / 1_200 * (0.3 / 0.7 - 0.1 / 0.9)
    heaps = [e.finding.numbers["elsewhere"].value for e in told if "elsewhere" in e.finding.numbers]
    assert len(heaps) == 12
    assert np.mean(heaps) == pytest.approx(expected, rel=HEAPS)
