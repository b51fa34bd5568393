"""Calibration: what it supports, what it refuses, and that noise alone does not fool it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.inference import Criterion
from alc_stats.models import Finding, calibration
from alc_stats.models.calibration.data import CalibrationQuestion, Rated, rated
from alc_stats.models.calibration.few import cluster_sums
from alc_stats.models.calibration.fits import compare
from alc_stats.models.calibration.null import null_band, null_world, uncut
from alc_stats.models.calibration.statistics import layout, statistics
from alc_stats.simulate.artefacts import better_than_average
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS, OTHER_ALGORITHM

OPEN = (-np.inf, np.inf)
ASKED: dict[str, Any] = {"self_estimate": "self_estimate", "actual": "actual", "draws": 199}
WORLDS = 60
FALSE_ALARMS = int(stats.binom.ppf(0.999, WORLDS, 0.05))
"""More rejections than this are seen once in 1,000 seeds if their rate is 5 %."""


def judged(data: pd.DataFrame, **how: Any) -> Finding:
    return calibration(data, **(ASKED | {"bounds": OPEN, "reliability": 0.7} | how))


def people(
    seed: int,
    n: int = 300,
    *,
    curve: float = 0.0,
    spread: float = 0.0,
    reliability: float = 0.8,
    insight: float = 0.4,
) -> pd.DataFrame:
    """Self-estimates that rise with ability, along a curve, with errors that may depend on it."""
    rng = np.random.default_rng(seed)
    ability, luck, blur = rng.standard_normal((3, n))
    score = np.sqrt(reliability) * ability + np.sqrt(1.0 - reliability) * luck
    own = insight * ability + curve * ability**2 + 0.8 * np.exp(spread * ability) * blur
    return pd.DataFrame({"actual": 60 + 10 * score, "self_estimate": 68 + 10 * own})


def rows_of(data: pd.DataFrame, **how: Any) -> Rated:
    names = {"self_estimate": "self_estimate", "actual": "actual", "bounds": OPEN} | how
    return rated(data, CalibrationQuestion(**names))


def line(found: Finding, method: str) -> Any:
    return next(x for x in found.triangulation if x.method == method)


def artefact(found: Finding, name: str) -> Any:
    return next(e for e in found.evidence if e.artefact == name)


# --- noise and one overestimate for everybody


def naive(data: pd.DataFrame) -> float:
    """One-sided p of what a quartile plot is read for: the lowest quarter overrates itself more."""
    gap = data["self_estimate"] - data["actual"]
    edges = data["actual"].quantile([0.25, 0.75])
    low, high = gap[data["actual"] <= edges[0.25]], gap[data["actual"] > edges[0.75]]
    return float(stats.ttest_ind(low, high, equal_var=False, alternative="greater").pvalue)


def test_noise_fools_the_quartile_plot_and_not_the_null_band() -> None:
    fooled, curved, scattered, banded = 0, 0, 0, 0
    for seed in range(WORLDS):
        world = better_than_average(160, seed=seed)
        found = judged(world)
        fooled += naive(world) < 0.05
        curved += line(found, "Quadratic curve").p < 0.05
        scattered += line(found, "Glejser's test").p < 0.05
        banded += line(found, "Lowest minus highest quarter, null band").p < 0.05
    assert fooled == WORLDS
    assert max(curved, scattered, banded) <= FALSE_ALARMS


def test_a_curve_that_is_there_is_found() -> None:
    found = [judged(people(seed, curve=0.3), reliability=0.8) for seed in range(12)]
    supported = sum(f.decision.verdict == "supported" for f in found)
    # the curve of 0.3 x 0.8 / 0.97 SD is about seven times its standard error at 300 people
    assert supported >= int(stats.binom.ppf(0.001, 12, 0.95))
    assert all(artefact(f, "noise plus better-than-average").outcome == "clear" for f in found)


def test_scatter_that_falls_with_ability_is_found_and_is_no_curve() -> None:
    found = judged(people(3, n=600, spread=-0.35), about="spread", reliability=0.8)
    assert found.decision.verdict == "supported"
    assert line(found, "Location-scale model, log SD by score").high < 0.0
    assert line(found, "Quadratic curve").p > 0.05


def test_a_scale_that_ends_bends_the_curve_of_the_naive_and_not_ours() -> None:
    bent, ours = 0, 0
    for seed in range(30):
        data = people(seed, n=400, insight=0.9)
        # self-estimates near the end of the scale: two in five are at 100
        data["self_estimate"] = (data["self_estimate"] + 28).clip(0, 100)
        z = stats.zscore(data["actual"])
        X = sm.add_constant(np.column_stack([z, z * z]))
        bent += sm.OLS(data["self_estimate"], X).fit().pvalues.iloc[2] < 0.05
        found = judged(data, bounds=(0, 100), reliability=0.8)
        ours += line(found, "Quadratic curve").p < 0.05
    assert bent > int(stats.binom.ppf(0.999, 30, 0.05))
    assert ours <= int(stats.binom.ppf(0.999, 30, 0.05))


def test_a_score_heaped_at_its_end_allows_no_verdict() -> None:
    data = people(1, n=400, curve=0.3)
    data["actual"] = (data["actual"] + 36).clip(0, 100)
    data["self_estimate"] = data["self_estimate"].clip(0, 100)
    found = judged(data, bounds=(0, 100))
    assert artefact(found, "floor and ceiling").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_undeclared_bounds_allow_no_verdict_on_the_curve() -> None:
    found = judged(people(1, curve=0.3), bounds=None)
    assert artefact(found, "floor and ceiling").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


# --- arms


def arms(seed: int, *, lift: float = 0.0, abler: float = 0.0, n: int = 400) -> pd.DataFrame:
    """Persons in two arms; the mandate lifts self-estimates, and its arm may be abler."""
    rng = np.random.default_rng(seed)
    mandate = np.arange(n) % 2
    ability = rng.standard_normal(n) + abler * mandate
    return pd.DataFrame({
        "mandate": mandate, "actual": 60 + 10 * ability + 3 * rng.standard_normal(n),
        "self_estimate": 68 + 4 * ability + lift * mandate + 8 * rng.standard_normal(n),
    })  # fmt: skip


def test_a_mandate_that_makes_people_overrate_themselves_is_found() -> None:
    found = judged(arms(1, lift=6.0), treatment="mandate", criterion=Criterion("superiority", 2.0))
    assert found.decision.verdict == "supported"
    assert found.estimate is not None
    low, high = found.estimate.interval()
    assert low < 6.0 < high


def test_arms_of_other_ability_differ_in_bias_by_regression_to_the_mean() -> None:
    found = judged(
        arms(2, abler=-1.0), treatment="mandate", criterion=Criterion("superiority", 2.0)
    )
    assert found.estimate is not None
    assert found.estimate.p_value < 0.001
    assert artefact(found, "noise plus better-than-average").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_the_difference_of_arms_is_that_of_four_means() -> None:
    data = arms(4, lift=3.0)
    gap = (data["self_estimate"] - data["actual"]).groupby(data["mandate"]).mean()
    found = judged(data, treatment="mandate")
    assert found.estimate is not None
    assert found.estimate.value == pytest.approx(gap[1] - gap[0], rel=OTHER_ALGORITHM)
    # two rows a person, clustered by person, no other regressor: the variance of two gap means
    by_arm = (data["self_estimate"] - data["actual"]).groupby(data["mandate"])
    assert found.estimate.se**2 == pytest.approx(
        float((by_arm.var() / by_arm.size()).sum()), rel=OTHER_ALGORITHM
    )


def in_firms(firms: int, lift: float, seed: int = 1) -> pd.DataFrame:
    """Firms of thirty, every other one under the mandate."""
    firm = np.repeat(np.arange(firms), 30)
    rng = np.random.default_rng(seed)
    ability, mandate = rng.standard_normal(firm.size), firm % 2
    return pd.DataFrame({
        "firm": firm, "mandate": mandate,
        "actual": 60 + 10 * ability + 3 * rng.standard_normal(firm.size),
        "self_estimate": 66 + 4 * ability + lift * mandate + 2 * rng.standard_normal(firms)[firm]
        + 8 * rng.standard_normal(firm.size),
    })  # fmt: skip


def test_six_firms_can_show_nothing() -> None:
    """Of the 20 ways to give three of six firms the mandate, two are as extreme: p is 0.1."""
    found = judged(in_firms(6, 30.0), treatment="mandate", cluster="firm")
    assert found.estimate is not None
    assert found.estimate.p_value < 0.001
    few = artefact(found, "few clusters")
    assert few.outcome == "threat"
    assert few.finding.numbers["headline_p"].value == pytest.approx(0.1, abs=EXACT_ARITHMETIC)
    assert found.decision.verdict == "inconclusive"


@pytest.mark.parametrize("about", ["bias", "resolution"])
def test_what_firms_are_permuted_by_is_the_estimate(about: Any) -> None:
    """Slopes are about means of cells in the one and least squares in the other: the same."""
    data = in_firms(10, 4.0)
    rows = rows_of(data, treatment="mandate", cluster="firm", about=about)
    found = judged(data, treatment="mandate", cluster="firm", about=about)
    assert found.estimate is not None
    assert cluster_sums(rows).value() == pytest.approx(found.estimate.value, rel=OTHER_ALGORITHM)


def test_up_to_twelve_clusters_the_wild_bootstrap_is_headlined() -> None:
    few = artefact(judged(in_firms(12, 4.0), cluster="firm", about="curvature"), "few clusters")
    assert "Webb" in few.finding.template
    assert 0.0 < few.finding.numbers["headline_p"].value <= 1.0


def test_each_arm_has_its_own_lines() -> None:
    data = arms(4, lift=3.0)
    found = judged(data, treatment="mandate")
    for arm, name in ((0, "control"), (1, "treated")):
        rows = data[data["mandate"] == arm]
        gap = (rows["self_estimate"] - rows["actual"]).mean()
        slope = stats.linregress(rows["actual"], rows["self_estimate"]).slope
        assert line(found, f"Bias, {name}").value == pytest.approx(gap, rel=OTHER_ALGORITHM)
        assert line(found, f"Slope, {name}").value == pytest.approx(slope, rel=OTHER_ALGORITHM)


def test_the_correlation_with_ability_is_corrected_for_the_score_alone() -> None:
    data = people(5)
    found = line(judged(data, reliability=0.8), "Correlation of everybody with ability")
    r = data["self_estimate"].corr(data["actual"])
    assert found.value == pytest.approx(r / np.sqrt(0.8), rel=OTHER_ALGORITHM)


# --- statistics and the null world


def test_statistics_are_those_of_least_squares() -> None:
    data = people(5)
    rows = rows_of(data)
    found = statistics(rows.actual[None], rows.own[None], layout(rows))
    z = stats.zscore(data["actual"])
    fit = sm.OLS(data["self_estimate"], sm.add_constant(np.column_stack([z, z * z]))).fit()
    sd = data["self_estimate"].std(ddof=0)
    assert found.curvature[0] == pytest.approx(fit.params.iloc[2] / sd, rel=OTHER_ALGORITHM)
    size = fit.resid.abs()
    glejser = sm.OLS(size, sm.add_constant(z)).fit().params.iloc[1] / size.mean()
    assert found.spread[0] == pytest.approx(glejser, rel=OTHER_ALGORITHM)
    quarter = pd.qcut(data["actual"], 4, labels=False)
    means = data.groupby(quarter)[["self_estimate", "actual"]].mean()
    assert found.own[0] == pytest.approx(means["self_estimate"].to_numpy(), rel=EXACT_ARITHMETIC)
    assert found.actual[0] == pytest.approx(means["actual"].to_numpy(), rel=EXACT_ARITHMETIC)


def test_the_estimate_is_the_coefficient_less_what_the_null_shows() -> None:
    data = people(5, curve=0.1)
    found = compare(rows_of(data, reliability=0.8), data, seed=1, draws=199)
    expected = found.value("curvature") - found.band.mean("curvature")
    assert found.estimates["curvature"].value == pytest.approx(expected, rel=OTHER_ALGORITHM)


@pytest.mark.parametrize("bounds", [OPEN, (0.0, 100.0)])
def test_the_null_world_has_the_moments_of_the_data(bounds: tuple[float, float]) -> None:
    data = people(6, n=400)
    data["self_estimate"] = (data["self_estimate"] + 25.0 * np.isfinite(bounds[1])).clip(*bounds)
    data["actual"] = data["actual"].clip(*bounds)
    rows = rows_of(data, bounds=bounds)
    actual, own = null_world(rows, 0.8, seed=2).draw(np.random.default_rng(9), 4000)
    for drawn, seen in ((actual, rows.actual), (own, rows.own)):
        error = drawn.mean(axis=1).std() / np.sqrt(4000)
        # the matched moments carry the error of the draws they were matched on as well
        margin = MONTE_CARLO_SIGMAS * error * (1.0 + np.sqrt(4000 / 500))
        assert abs(drawn.mean() - seen.mean()) < margin
        assert drawn.std() == pytest.approx(seen.std(), rel=0.02)
    slopes = [stats.linregress(a, o).slope for a, o in zip(actual[:400], own[:400], strict=True)]
    assert np.mean(slopes) == pytest.approx(stats.linregress(rows.actual, rows.own).slope, abs=0.02)


def test_the_null_world_has_the_clusters_of_the_data() -> None:
    rng = np.random.default_rng(8)
    firm = np.repeat(np.arange(40), 10)
    level = 6 * rng.standard_normal(40)
    data = people(8, n=400).assign(firm=firm)
    data["self_estimate"] += level[firm]
    world = null_world(rows_of(data, cluster="firm"), 0.8, seed=1)
    # 40 firms know their own spread to about a ninth, four times over
    assert world.cluster_sd == pytest.approx(level.std(ddof=1), rel=0.45)
    assert null_world(rows_of(data), 0.8, seed=1).cluster_sd == 0.0


def test_scores_beyond_the_end_are_those_of_a_normal_law() -> None:
    latent = np.random.default_rng(1).normal(90, 15, 4000)
    back = uncut(latent.clip(0, 100), (0, 100), seed=1)
    assert (back[latent < 100] == latent[latent < 100]).all()
    assert back.mean() == pytest.approx(latent.mean(), abs=0.5)
    assert back.std() == pytest.approx(latent.std(), rel=0.03)


def test_seeds_reproduce_and_chunks_do_not_matter() -> None:
    rows = rows_of(people(7))
    first, second = (null_band(rows, 0.8, draws=150, seed=3) for _ in range(2))
    assert (first.drawn.curvature == second.drawn.curvature).all()
    assert (null_band(rows, 0.8, draws=150, seed=4).drawn.curvature != first.drawn.curvature).any()


# --- reliability


def test_reliability_comes_from_items() -> None:
    rng = np.random.default_rng(2)
    ability = rng.standard_normal(300)
    items = {f"i{k}": (ability + rng.standard_normal(300) > 0) * 1 for k in range(10)}
    data = pd.DataFrame(items)
    data["actual"] = 10.0 * data.sum(axis=1)
    data["self_estimate"] = (60 + 8 * ability + 15 * rng.standard_normal(300)).clip(0, 100)
    found = judged(data, reliability=None, items=tuple(items), item_range=(0, 1), bounds=(0, 100))
    assert artefact(found, "unreliable score").outcome == "clear"
    # alpha of ten items that correlate 1/3 (tetrachoric 1/2): 10 x 1/3 / (1 + 9 x 1/3)
    said = artefact(found, "unreliable score").finding.numbers["reliability"].value
    assert said == pytest.approx(10 / 12, abs=0.04)


def test_unknown_reliability_is_tried_and_said() -> None:
    found = judged(people(1), reliability=None)
    assert artefact(found, "unreliable score").outcome == "not tested"


def test_a_reliability_below_what_the_correlation_allows_is_refused() -> None:
    data = people(1)
    data["self_estimate"] = data["actual"] + np.random.default_rng(1).normal(0, 3, len(data))
    with pytest.raises(DeclarationError, match="too low to be true"):
        judged(data, reliability=0.3)


# --- pictures


def test_the_quartile_plot_always_holds_the_null_band() -> None:
    picture = judged(people(1)).pictures[0]
    kinds = [mark.kind for mark in picture.panels[0].marks]
    assert picture.id == "quarters"
    assert kinds.count("band") == 1
    band = picture.panels[0].marks[kinds.index("band")]
    assert all(low < high for low, high in zip(band.low, band.high, strict=True))


def test_quarters_of_fewer_than_five_people_are_not_shown() -> None:
    data = people(1, n=40)
    data["actual"] = np.where(np.arange(40) < 37, 50.0, 60.0 + np.arange(40))
    points = [m for m in judged(data, about="spread").pictures[0].panels[0].marks
              if m.kind == "points"]  # fmt: skip
    assert len(points[0].x) == 1


def test_arms_have_a_picture() -> None:
    assert [p.id for p in judged(arms(1), treatment="mandate").pictures] == ["quarters", "arms"]


# --- what it refuses


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"self_estimate": "self"}, "no column 'self'"),
        ({"bounds": (100, 0)}, "not in order"),
        ({"reliability": 1.4}, "not a share"),
        ({"items": ("actual",)}, "range is missing"),
        ({"about": "bias"}, "compares arms"),
        ({"post": "actual"}, "no treatment"),
        ({"draws": 10}, "too few draws"),
        ({"criterion": Criterion("superiority", -1.0)}, "not a positive number"),
        ({"treatment": "self_estimate"}, "not 0 and 1"),
    ],
)
def test_wrong_arguments_are_sentences(how: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        judged(people(1), **how)


def test_arms_that_are_not_there_are_named() -> None:
    data = arms(1).assign(arm=lambda t: np.where(t["mandate"] == 1, "mandate", "control"))
    with pytest.raises(DeclarationError, match="no row is in arm 'mandated'"):
        judged(data, treatment="arm", treated="mandated", control="control")


def test_values_outside_the_shared_scale_are_refused() -> None:
    with pytest.raises(TableError, match="bounds that self-estimate and score share"):
        judged(people(1), bounds=(0, 70))


def test_two_scales_are_refused_unless_declared_one() -> None:
    data = people(1)
    data["self_estimate"] = 1 + (data["self_estimate"] > 60) * 1 + (data["self_estimate"] > 70) * 4
    with pytest.raises(TableError, match="look like different scales"):
        judged(data, bounds=None)


def test_two_standardised_columns_are_refused() -> None:
    with pytest.raises(TableError, match="each standardised"):
        judged(people(1).apply(stats.zscore))


def test_a_score_that_never_varies_is_not_tested() -> None:
    found = judged(people(1).assign(actual=50.0))
    assert found.decision.verdict == "not tested"
    assert "never varies" in found.decision.reason.template


def test_nineteen_people_are_too_few() -> None:
    found = judged(people(1, n=19))
    assert found.decision.verdict == "not tested"
    assert "too few people" in found.decision.reason.template


def test_one_cluster_an_arm_is_not_tested() -> None:
    data = arms(1).assign(firm=lambda t: t["mandate"])
    found = judged(data, treatment="mandate", cluster="firm")
    assert found.decision.verdict == "not tested"
    assert "one cluster" in found.decision.reason.template


def test_rows_without_a_score_are_counted() -> None:
    data = people(1)
    data.loc[:9, "actual"] = np.nan
    few = artefact(judged(data), "rows left out")
    assert few.finding.numbers["left_out"].value == 10
    assert few.outcome == "clear"
    data.loc[:14, "actual"] = np.nan
    assert artefact(judged(data), "rows left out").outcome == "threat"


def test_abilities_that_lie_closer_together_are_no_loss_of_resolution() -> None:
    """One rule for everybody; the mandate only makes people alike, so that scores say less."""
    supported, seen = 0, 0
    for seed in range(WORLDS):
        rng = np.random.default_rng([seed, 5])
        mandate = np.repeat([0, 1], 180)
        ability = rng.normal(60.0, np.where(mandate == 1, 6.0, 12.0))
        people = pd.DataFrame({"mandate": mandate, "actual": ability + rng.normal(0, 6, 360)})
        people["self_estimate"] = 65 + 0.8 * (ability - 60) + rng.normal(0, 6, 360)
        found = calibration(
            people, **ASKED, treatment="mandate", about="resolution", bounds=OPEN, reliability=0.715
        )
        assert found.estimate is not None
        supported += found.decision.verdict == "supported"
        seen += found.estimate.interval()[1] < 0.0
    assert seen > WORLDS / 2
    assert supported <= FALSE_ALARMS


def test_rows_of_arms_that_are_not_compared_are_not_missing() -> None:
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"arm": np.repeat(["none", "use", "train"], 100), "who": np.arange(300)})
    table["score"] = rng.normal(50, 10, 300)
    table["own"] = 50 + 0.5 * (table["score"] - 50) + rng.normal(0, 8, 300)
    table.loc[table.index[:2], "own"] = np.nan
    found = calibration(
        table, self_estimate="own", actual="score", person="who", treatment="arm", treated="use",
        control="none", bounds=(0, 100), reliability=0.9, draws=99,
    )  # fmt: skip
    (left,) = [e for e in found.evidence if e.artefact == "rows left out"]
    assert left.outcome == "clear"
    assert 2 in {n.value for n in left.finding.numbers.values()}


def test_rows_without_an_arm_are_refused() -> None:
    table = pd.DataFrame({"arm": [0.0, 1.0, np.nan] * 20, "own": range(60), "score": range(60)})
    with pytest.raises(TableError, match="20 rows with self-estimate and score have no treatment"):
        calibration(table, self_estimate="own", actual="score", treatment="arm", bounds=(0, 100))
