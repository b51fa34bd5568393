"""Group-time effects: published numbers, a slow twin, known truths, the size of bands."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import FitError
from alc_stats.inference.conditional_effects import Conditional
from alc_stats.inference.group_time import (
    NEVER,
    Controls,
    GroupTimes,
    combined_values,
    early_values,
    group_times,
    overall_values,
)
from alc_stats.inference.group_time_checks import jackknifed_error, wild_overall
from alc_stats.inference.group_time_summaries import (
    _freedom,
    cell_errors,
    clustered,
    permuted_adoptions,
    pretest,
    standard_errors,
    summarised,
    uniform_half_widths,
    wald_before,
)
from alc_stats.inference.multipliers import multipliers
from alc_stats.inference.two_way_weights import two_way
from tolerances import (
    BOOTSTRAPPED_ERRORS,
    EXACT_ARITHMETIC,
    FIVE_PRINTED_DIGITS,
    FOUR_PRINTED_DIGITS,
    JACKKNIFE_ERRORS,
    SUMS_IN_SINGLE_PRECISION,
)

DRAWS = 200
RARE = int(stats.binom.ppf(0.999, DRAWS, 0.05))
"""More false rejections than this are seen once in 1,000 runs of a test of size 5 %."""
LONG_DRAWS = 400
LONG_RARE = int(stats.binom.ppf(0.999, LONG_DRAWS, 0.05))
MPDTA = Path(os.environ.get("ALC_STATS_DATA", "/nowhere")) / "did-benchmarks" / "mpdta.csv"
PUBLISHED = {
    (2004, 2004): -0.0105, (2004, 2005): -0.0704, (2004, 2006): -0.1373, (2004, 2007): -0.1008,
    (2006, 2004): 0.0065, (2006, 2005): -0.0028, (2006, 2006): -0.0046, (2006, 2007): -0.0412,
    (2007, 2004): 0.0305, (2007, 2005): -0.0027, (2007, 2006): -0.0311, (2007, 2007): -0.0261,
}  # fmt: skip
"""README of the R package did, without covariates, never-treated controls."""


def panel(
    seed: int, *, effect: float = 0.0, firms: int = 60, periods: int = 8, growth: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """A third of the firms start at 3, a third at 5; the effect grows after the start."""
    rng = np.random.default_rng(seed)
    adoption = np.array([3, 5, NEVER])[np.arange(firms) % 3]
    since = np.arange(periods)[None, :] - adoption[:, None]
    y = rng.normal(size=(firms, 1)) + 0.3 * np.arange(periods) + rng.normal(size=(firms, periods))
    return y + (since >= 0) * (effect + growth * since), adoption


@pytest.fixture(scope="module")
def counties() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not MPDTA.exists():
        pytest.skip("mpdta is not here")
    data = pd.read_csv(MPDTA).sort_values(["countyreal", "year"])
    start = data["first.treat"].to_numpy()[::5]
    return (
        data["lemp"].to_numpy().reshape(-1, 5),
        np.where(start == 0, NEVER, start - 2003),
        data["lpop"].to_numpy()[::5, None],
    )


@pytest.fixture(scope="module")
def published(counties: tuple[np.ndarray, np.ndarray, np.ndarray]) -> GroupTimes:
    return group_times(counties[0], counties[1])


def test_all_published_cells(published: GroupTimes) -> None:
    ours = {
        (int(g) + 2003, int(t) + 2003): v
        for g, t, v in zip(published.group, published.period, published.value, strict=True)
    }
    assert ours == pytest.approx(PUBLISHED, abs=FOUR_PRINTED_DIGITS)


def test_published_aggregations(published: GroupTimes) -> None:
    dynamic, group = summarised(published, "dynamic"), summarised(published, "group")
    assert dynamic.at.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    course = [0.0305, -0.0006, -0.0245, -0.0199, -0.0510, -0.1373, -0.1008]
    assert dynamic.value.tolist() == pytest.approx(course, abs=FOUR_PRINTED_DIGITS)
    assert dynamic.overall == pytest.approx(-0.0772, abs=FOUR_PRINTED_DIGITS)
    assert group.value.tolist() == pytest.approx(
        [-0.0797, -0.0229, -0.0261], abs=FOUR_PRINTED_DIGITS
    )
    assert group.overall == pytest.approx(-0.0310, abs=FOUR_PRINTED_DIGITS)


def test_published_standard_errors(published: GroupTimes) -> None:
    se = cell_errors(published)[0]
    assert [se[0], se[2]] == pytest.approx([0.0246, 0.0397], abs=BOOTSTRAPPED_ERRORS)
    overall = summarised(published, "group").overall_se
    assert overall == pytest.approx(0.0126, abs=BOOTSTRAPPED_ERRORS)


def test_published_pretest(published: GroupTimes) -> None:
    found = wald_before(published)
    assert found is not None
    assert found.p == pytest.approx(0.16812, abs=FIVE_PRINTED_DIGITS)
    assert found.df == 5


def slow_overall(y: np.ndarray, adoption: np.ndarray, *, controls: Controls) -> float:
    """Loops over rows: mean over cohorts of their mean differences in differences."""
    means, sizes = [], []
    for g in sorted(set(adoption.tolist()) - {NEVER}):
        effects = []
        for t in range(g, y.shape[1]):
            mine = [y[i, t] - y[i, g - 1] for i in range(len(y)) if adoption[i] == g]
            free = NEVER if controls == "never" else t + 1
            theirs = [y[i, t] - y[i, g - 1] for i in range(len(y)) if adoption[i] >= free]
            if theirs:
                effects.append(sum(mine) / len(mine) - sum(theirs) / len(theirs))
        means.append(sum(effects) / len(effects))
        sizes.append(int(np.sum(adoption == g)))
    return float(np.average(means, weights=sizes))


@pytest.mark.parametrize("controls", ["never", "not_yet"])
def test_overall_and_its_error_beside_a_jackknife(controls: Controls) -> None:
    y, adoption = panel(1, effect=0.5, growth=0.2, firms=90)
    found = summarised(group_times(y, adoption, controls=controls), "group")
    assert found.overall == pytest.approx(
        slow_overall(y, adoption, controls=controls), abs=EXACT_ARITHMETIC
    )
    left = [
        slow_overall(np.delete(y, i, 0), np.delete(adoption, i), controls=controls)
        for i in range(len(y))
    ]
    jackknife = np.sqrt((len(y) - 1) * np.var(left))
    assert found.overall_se == pytest.approx(jackknife, rel=JACKKNIFE_ERRORS)


@pytest.mark.parametrize("method", ["regression", "weighting", "doubly_robust"])
def test_errors_with_covariates_beside_a_jackknife(method: Conditional) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(120, 1))
    treated = rng.random(120) < 1.0 / (1.0 + np.exp(-0.7 * x[:, 0]))
    y = np.column_stack([rng.normal(size=120), 2.0 * x[:, 0] + treated + rng.normal(size=120)])
    adoption = np.where(treated, 1, NEVER)

    def value(keep: np.ndarray) -> float:
        return float(
            group_times(y[keep], adoption[keep], covariates=x[keep], method=method).value[0]
        )

    left = [value(np.arange(120) != i) for i in range(120)]
    found = group_times(y, adoption, covariates=x, method=method)
    assert cell_errors(found)[0][0] == pytest.approx(
        np.sqrt(119 * np.var(left)), rel=JACKKNIFE_ERRORS
    )


def test_regression_is_least_squares_on_controls() -> None:
    rng = np.random.default_rng(5)
    x, treated = rng.normal(size=(40, 1)), np.arange(40) < 15
    y = np.column_stack([np.zeros(40), rng.normal(size=40) + x[:, 0]])
    adoption = np.where(treated, 1, NEVER)
    slope, level = np.polyfit(x[~treated, 0], y[~treated, 1], 1)
    expected = np.mean(y[treated, 1] - level - slope * x[treated, 0])
    found = group_times(y, adoption, covariates=x, method="regression")
    assert found.value[0] == pytest.approx(expected, abs=EXACT_ARITHMETIC)


def test_doubly_robust_survives_either_model() -> None:
    """Trends bend with the square of x, on which treatment depends: regression on x is off."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=6000)
    treated = rng.random(6000) < 1.0 / (1.0 + np.exp(1.0 - x))
    y = np.column_stack([np.zeros(6000), x**2 + 1.0 * treated + rng.normal(size=6000)])
    adoption = np.where(treated, 1, NEVER)
    errors = {}
    for method in ("regression", "weighting", "doubly_robust"):
        found = group_times(y, adoption, covariates=x[:, None], method=method)  # type: ignore[arg-type]
        errors[method] = abs(found.value[0] - 1.0) / cell_errors(found)[0][0]
    assert errors["regression"] > 4.0
    assert max(errors["weighting"], errors["doubly_robust"]) < 3.0


def test_two_way_fixed_effects_have_the_wrong_sign() -> None:
    """All are treated in the end and the effect, positive everywhere, grows."""
    rng = np.random.default_rng(7)
    adoption = np.repeat([2, 6], 40)
    since = np.arange(10)[None, :] - adoption[:, None]
    y = rng.normal(size=(80, 10)) + (since >= 0) * (0.5 + 1.0 * since)
    naive = two_way(y, adoption, np.arange(80))
    found = summarised(group_times(y, adoption, controls="not_yet"), "group")
    assert naive.value + 2.0 * naive.se < 0.0
    assert naive.negative_share > 0.0 > naive.negative_weight
    truth = np.mean([0.5 + e for e in range(4)])
    assert abs(found.overall - truth) < 3.0 * found.overall_se


def test_two_way_is_least_squares_with_dummies() -> None:
    y, adoption = panel(8, effect=1.0, firms=12)
    n, T = y.shape
    unit, time = np.repeat(np.arange(n), T), np.tile(np.arange(T), n)
    d = (time >= adoption[unit]).astype(float)
    X = np.column_stack([d, np.eye(n)[unit], np.eye(T)[time][:, 1:]])
    expected = np.linalg.lstsq(X, y.ravel(), rcond=None)[0][0]
    assert two_way(y, adoption, np.arange(n)).value == pytest.approx(expected, abs=EXACT_ARITHMETIC)


def test_weights_of_two_way_are_those_of_the_cells() -> None:
    """Moving one treated cell moves the coefficient by its weight over their number's sum."""
    y, adoption = panel(9, firms=9)
    base = two_way(y, adoption, np.arange(9))
    moves = []
    for i, t in np.argwhere(np.arange(8)[None, :] >= adoption[:, None]):
        moved = y.copy()
        moved[i, t] += 1.0
        moves.append(two_way(moved, adoption, np.arange(9)).value - base.value)
    assert sum(moves) == pytest.approx(1.0, abs=EXACT_ARITHMETIC)
    negative = [m for m in moves if m < -EXACT_ARITHMETIC]
    assert base.negative_share == pytest.approx(len(negative) / len(moves))
    assert base.negative_weight == pytest.approx(sum(negative), abs=EXACT_ARITHMETIC)


def test_no_effect_is_rarely_seen_and_bands_hold_everywhere() -> None:
    """Overall test, uniform band over all times and pretest at 5 %; pointwise intervals fail."""
    overall = band = pointwise = before = 0
    for seed in range(DRAWS):
        cells = group_times(*panel(seed, firms=60, periods=7))
        group, dynamic = summarised(cells, "group"), summarised(cells, "dynamic")
        limit = stats.t.ppf(0.975, group.overall_df) * group.overall_se
        overall += abs(group.overall) > limit
        wide = uniform_half_widths(cells, dynamic, level=0.95, draws=199, seed=seed)
        band += np.any(np.abs(dynamic.value) > wide)
        pointwise += np.any(np.abs(dynamic.value) > stats.t.ppf(0.975, dynamic.df) * dynamic.se)
        before += pretest(cells).p < 0.05  # type: ignore[union-attr]
    assert overall <= RARE
    assert band <= RARE
    assert pointwise > RARE
    assert before <= RARE


def test_trends_are_rarely_seen_where_late_starters_alone_were_long_seen_before() -> None:
    """With clusters less cohorts as degrees of freedom 52 of 400 samples show trends, not 20."""
    adoption = np.repeat([5, 9, 13, NEVER], [22, 14, 14, 10])
    seen = 0
    for seed in range(LONG_DRAWS):
        y = np.random.default_rng(seed).normal(size=(len(adoption), 24))
        cells = group_times(y, adoption, anticipation=2)
        seen += pretest(cells, anticipation=2).p < 0.05  # type: ignore[union-attr]
    assert seen <= LONG_RARE


def test_bands_do_not_widen_where_cohorts_have_effects_of_their_own() -> None:
    """Sizes of cohorts are given: how far their effects are apart is no error of their mean."""
    adoption = np.repeat([5, 9, 13, NEVER], [22, 14, 14, 10])
    y = np.random.default_rng(1).normal(size=(len(adoption), 24))
    apart = y + 9.0 * (adoption == 5)[:, None] * (np.arange(24) >= 5)
    widths = []
    for outcome in (y, apart):
        cells = group_times(outcome, adoption)
        dynamic = summarised(cells, "dynamic")
        half = uniform_half_widths(cells, dynamic, level=0.95, draws=499, seed=1)
        widths.append(half / dynamic.se)
    assert widths[1] == pytest.approx(widths[0], rel=EXACT_ARITHMETIC)


def test_degrees_of_freedom_of_one_sum_are_welchs() -> None:
    """For a single estimate Krishnamoorthy and Yu's formula is that of Welch and Satterthwaite."""
    parts, sizes = np.array([[[0.3]], [[0.05]]]), np.array([8.0, 20.0])
    inverse = np.array([[1.0 / 0.35]])
    welch = 0.35**2 / (0.3**2 / 7.0 + 0.05**2 / 19.0)
    assert _freedom(parts, sizes, inverse, 1) == pytest.approx(welch, rel=EXACT_ARITHMETIC)
    alone = _freedom(parts, np.array([8.0, 1.0]), inverse, 1)
    assert alone == pytest.approx(0.35**2 * 7.0 / 0.3**2, rel=EXACT_ARITHMETIC)


def test_a_slope_that_is_said_to_be_seen_is_seen_as_often() -> None:
    """Power of 80 % is that of an F test with a covariance that is estimated."""
    slopes = [pretest(group_times(*panel(seed))).slope for seed in range(60)]  # type: ignore[union-attr]
    slope, seen = float(np.median(slopes)), 0
    for seed in range(DRAWS):
        y, adoption = panel(seed + 1000)
        y = y + slope * np.arange(y.shape[1]) * (adoption < NEVER)[:, None]
        seen += pretest(group_times(y, adoption)).p < 0.05  # type: ignore[union-attr]
    low, high = stats.binom.ppf([0.0005, 0.9995], DRAWS, 0.80)
    assert low <= seen <= high


def test_universal_base_adds_up_the_varying_one() -> None:
    y, adoption = panel(10)
    long = group_times(y, adoption, base="universal")
    short = group_times(y, adoption)
    assert not np.any(long.period == long.group - 1)
    for g in (3, 5):
        first = long.value[(long.group == g) & (long.period == 0)][0]
        steps = short.value[(short.group == g) & (short.period < g)].sum()
        assert first == pytest.approx(-steps, abs=EXACT_ARITHMETIC)


def test_anticipation_moves_the_base() -> None:
    y, adoption = panel(11)
    y[adoption == 5, 4] += 3.0  # they knew
    naive = group_times(y, adoption)
    aware = group_times(y, adoption, anticipation=1)
    at = (naive.group == 5) & (naive.period == 5)
    assert naive.value[at][0] < -2.0
    then = (aware.group == 5) & (aware.period == 5)
    assert aware.base[then].tolist() == [3]
    assert abs(aware.value[then][0]) < 1.5


def test_gap_has_joint_influence() -> None:
    y, adoption = panel(12)
    other = y + 0.1 * panel(13)[0]
    joint = group_times(y, adoption).minus(group_times(other, adoption))
    direct = group_times(y - other, adoption)
    assert joint.value == pytest.approx(direct.value, abs=EXACT_ARITHMETIC)
    assert joint.influence == pytest.approx(direct.influence, abs=EXACT_ARITHMETIC)


def test_clusters_are_added_before_they_are_squared() -> None:
    y, adoption = panel(14, firms=30)
    twice, dates = np.repeat(y, 2, axis=0), np.repeat(adoption, 2)
    codes = np.repeat(np.arange(30), 2)
    once = summarised(group_times(y, adoption), "group")
    both = summarised(group_times(twice, dates, clusters=codes), "group")
    assert both.overall_se == pytest.approx(once.overall_se, rel=EXACT_ARITHMETIC)


def test_cohorts_of_one_firm_have_no_errors_of_their_own() -> None:
    y, _ = panel(15, firms=12)
    adoption = np.array([2, 3, 4, 5, 6] + [NEVER] * 7)
    cells = group_times(y, adoption)
    assert np.isnan(cell_errors(cells)[0]).all()
    assert np.isfinite(summarised(cells, "group").overall_se)


def test_permutations_are_all_there_are() -> None:
    adoption = np.array([2, 3, 3, NEVER, NEVER])
    orders, every = permuted_adoptions(adoption, np.arange(5), draws=99, enumerated=5000, seed=1)
    assert every
    assert len(orders) == len(np.unique(orders, axis=0)) == 30
    assert orders[0].tolist() == adoption.tolist()


@pytest.mark.parametrize("controls", ["never", "not_yet"])
def test_permuted_overall_is_the_slow_one(controls: Controls) -> None:
    y, _ = panel(16, firms=8)
    adoption = np.array([2, 2, 5, 6, NEVER, NEVER, NEVER, NEVER])
    orders, _ = permuted_adoptions(adoption, np.arange(8), draws=20, enumerated=10, seed=2)
    fast = overall_values(y, orders, controls=controls, anticipation=0)
    slow = [slow_overall(y, order, controls=controls) for order in orders]
    assert fast == pytest.approx(slow, abs=EXACT_ARITHMETIC)


@pytest.mark.parametrize("controls", ["never", "not_yet"])
def test_permuted_steps_are_those_of_each_assignment(controls: Controls) -> None:
    y, _ = panel(18, firms=8)
    adoption = np.array([3, 3, 5, 6, NEVER, NEVER, NEVER, NEVER])
    orders, _ = permuted_adoptions(adoption, np.arange(8), draws=10, enumerated=10, seed=3)
    events, steps = early_values(y, orders, controls=controls, anticipation=1)
    for order, row in zip(orders, steps, strict=True):
        series = summarised(group_times(y, order, controls=controls, anticipation=1), "dynamic")
        early = series.at < -1
        assert np.array_equal(events, np.extract(early, series.at))
        assert row == pytest.approx(series.value[early], abs=EXACT_ARITHMETIC)


def test_randomisation_keeps_its_size_with_three_treated_firms() -> None:
    """Where the errors of the cells cannot be trusted."""
    adoption = np.array([2, 4, 4] + [NEVER] * 9)
    rejected = naive = 0
    for seed in range(DRAWS):
        y = panel(seed, firms=12, periods=6)[0]
        orders, _ = permuted_adoptions(adoption, np.arange(12), draws=199, enumerated=5000, seed=1)
        values = np.abs(overall_values(y, orders, controls="never", anticipation=0))
        rejected += np.mean(values >= values[0] * (1 - 1e-9)) < 0.05
        group = summarised(group_times(y, adoption), "group")
        naive += abs(group.overall) > 1.96 * np.sqrt(np.sum(group.overall_influence**2)) / 12
    assert rejected <= RARE
    assert naive > RARE, "the plug-in normal interval is what fails"


def test_nothing_to_compare_with_is_a_sentence() -> None:
    y = np.zeros((4, 3))
    with pytest.raises(FitError, match="unit to compare it with"):
        group_times(y, np.array([1, 1, 1, 1]), controls="not_yet")


def test_no_overlap_is_a_sentence() -> None:
    x = np.arange(20.0)[:, None]
    adoption = np.where(np.arange(20) < 10, 1, NEVER)
    with pytest.raises(FitError, match=r"separates|overlap|identified"):
        group_times(np.random.default_rng(1).normal(size=(20, 2)), adoption, covariates=x,
                    method="weighting")  # fmt: skip


def test_errors_of_a_sum_are_those_of_summed_clusters() -> None:
    cells = group_times(*panel(17, firms=30))
    assert clustered(cells, cells.influence).shape == (30, len(cells.value))
    assert standard_errors(cells, cells.influence)[0].shape == (len(cells.value),)


def gapped(seed: int, *, missing: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """40 units, 7 periods; starts in 3 or 5 or never; some outcomes missing."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(40, 7)).cumsum(axis=1)
    y[rng.random(y.shape) < missing] = np.nan
    return y, np.array([3, 5, NEVER, NEVER] * 10)


def test_with_gaps_a_cell_is_that_of_the_units_seen_in_both_its_periods() -> None:
    """Value, standard error and degrees of freedom as of the two periods of these units alone."""
    y, adoption = gapped(1)
    cells = group_times(y, adoption)
    se, df = standard_errors(cells, cells.influence)
    for k in range(len(cells.value)):
        g, t, b = int(cells.group[k]), int(cells.period[k]), int(cells.base[k])
        seen = np.isfinite(y[:, t] - y[:, b]) & ((adoption == g) | (adoption == NEVER))
        two = group_times(y[seen][:, [b, t]], np.where(adoption[seen] == g, 1, NEVER))
        own_se, own_df = standard_errors(two, two.influence)
        assert cells.value[k] == pytest.approx(two.value[0], abs=EXACT_ARITHMETIC)
        assert se[k] == pytest.approx(own_se[0], abs=EXACT_ARITHMETIC)
        assert df[k] == pytest.approx(own_df[0], rel=EXACT_ARITHMETIC)


def test_with_gaps_a_cell_of_one_unit_of_a_cohort_is_left_out() -> None:
    y, adoption = gapped(2, missing=0.0)
    y[np.flatnonzero(adoption == 3)[1:], 6] = np.nan
    cells = group_times(y, adoption)
    assert (3, 6) not in set(zip(cells.group.tolist(), cells.period.tolist(), strict=True))


@pytest.mark.parametrize("controls", ["never", "not_yet"])
def test_permuted_effects_with_gaps_are_those_of_each_order_alone(controls: Controls) -> None:
    """A slow twin: every order is estimated as if it were the true one."""
    y, adoption = gapped(3, missing=0.1)
    orders, _ = permuted_adoptions(adoption, np.arange(40), draws=5, enumerated=10, seed=5)
    found = overall_values(y, orders, controls=controls, anticipation=0)
    at, steps = early_values(y, orders, controls=controls, anticipation=0)
    for order, value, early in zip(orders, found, steps, strict=True):
        cells = group_times(y, order, controls=controls)
        assert value == pytest.approx(
            summarised(cells, "group").overall, abs=SUMS_IN_SINGLE_PRECISION
        )
        series = summarised(cells, "dynamic")
        before = series.at < 0
        assert at.tolist() == [e for e in series.at.tolist() if e < 0]
        assert early == pytest.approx(series.value[before], abs=SUMS_IN_SINGLE_PRECISION)


def test_two_way_fixed_effects_with_gaps_are_those_of_dummies() -> None:
    y, adoption = gapped(4)
    unit, period = np.nonzero(np.isfinite(y))
    on = (period >= adoption[unit]).astype(float)
    D = np.column_stack([on, np.eye(40)[unit], np.eye(7)[period][:, 1:]])
    expected = np.linalg.lstsq(D, y[unit, period])[0][0]
    assert two_way(y, adoption, np.arange(40)).value == pytest.approx(
        expected, abs=EXACT_ARITHMETIC
    )


@pytest.mark.parametrize("controls", ["never", "not_yet"])
def test_the_jackknife_leaves_every_firm_out(controls: Controls) -> None:
    """A firm alone in its cohort takes the cohort with it."""
    y, _ = panel(19, firms=14)
    adoption = np.array([3] * 4 + [5] * 3 + [6] + [NEVER] * 6)
    left = [
        slow_overall(np.delete(y, i, 0), np.delete(adoption, i), controls=controls)
        for i in range(len(y))
    ]
    slow = np.sqrt(13.0 / 14.0 * np.sum((np.array(left) - np.mean(left)) ** 2))
    found = jackknifed_error(group_times(y, adoption, controls=controls))
    assert found == pytest.approx(slow, rel=EXACT_ARITHMETIC)


def test_the_jackknife_needs_two_to_compare_with() -> None:
    y, _ = panel(20, firms=6)
    assert np.isnan(jackknifed_error(group_times(y, np.array([3, 3, 3, 3, 3, NEVER]))))


def test_small_sample_checks_keep_their_size_with_twelve_firms() -> None:
    wild = jackknife = 0
    for seed in range(DRAWS):
        cells = group_times(*panel(seed, firms=12, periods=6))
        group = summarised(cells, "group")
        wild += wild_overall(cells, group, draws=199, seed=seed).p < 0.05
        jackknife += abs(group.overall) > stats.t.ppf(0.975, 11) * jackknifed_error(cells)
    assert wild <= RARE
    assert jackknife <= RARE


def test_the_wild_bootstrap_sees_an_effect_and_is_the_slow_one() -> None:
    """The same signs, draw by draw, with the module's own standard error."""
    cells = group_times(*panel(21, effect=1.0, firms=30))
    group = summarised(cells, "group")
    found = wild_overall(cells, group, draws=99, seed=5)
    observed = abs(group.overall) / group.overall_se
    centred = group.overall_influence.copy()
    for g in np.unique(cells.adoption):
        centred[cells.adoption == g] -= centred[cells.adoption == g].mean()
    extreme = 0
    for v in next(multipliers("auto", 30, n=99, seed=5).chunks()):
        drawn = (v * centred)[:, None]
        t = abs(drawn.sum()) / 30 / standard_errors(cells, drawn)[0][0]
        extreme += t >= observed
    assert found.p == (1 + extreme) / 100
    assert (found.draws, found.weights) == (99, "rademacher")
    assert found.p < 0.05


@pytest.mark.parametrize("controls", ["never", "not_yet"])
def test_permuted_combinations_are_those_of_each_assignment(controls: Controls) -> None:
    y, _ = panel(22, firms=8)
    adoption = np.array([3, 3, 5, 6, NEVER, NEVER, NEVER, NEVER])
    orders, _ = permuted_adoptions(adoption, np.arange(8), draws=10, enumerated=10, seed=3)
    cells = group_times(y, adoption, controls=controls, base="universal")
    weights = np.random.default_rng(1).normal(size=(len(cells.value), 3))
    fast = combined_values(y, orders, cells, weights, controls=controls, anticipation=0)
    for order, row in zip(orders, fast, strict=True):
        own = group_times(y, order, controls=controls, base="universal")
        assert row == pytest.approx(own.value @ weights, abs=EXACT_ARITHMETIC)
