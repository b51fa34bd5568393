"""Consequences of a gap: what counts as one, and what only looks like it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.inference import Criterion, conjoin, decide
from alc_stats.models import Claim, Evidence, Finding, response_surface
from alc_stats.models.finding import Line
from alc_stats.models.picture import FEWEST_PEOPLE
from alc_stats.models.response_surface.claim import parts_of
from alc_stats.models.response_surface.data import SurfaceData, SurfaceQuestion, surface_data
from alc_stats.models.response_surface.draws import surface_draws
from alc_stats.models.response_surface.family import family
from alc_stats.models.response_surface.fits import (
    axis_angle,
    condition,
    deciding,
    first_axis,
    least_squares,
    second_axis,
    surfaces,
)
from alc_stats.models.response_surface.pictures import heights
from alc_stats.models.response_surface.region import region_of
from alc_stats.records import dump, load
from alc_stats.report.finding_plot import plot
from tolerances import EXACT_ARITHMETIC, OTHER_ALGORITHM

CLAIM = Claim("H3", "gap", "Awareness beyond capability goes with worse work.")
OPEN = (-math.inf, math.inf)
SETS = 100
RARE = int(stats.binom.ppf(0.999, SETS, 0.025))
"""More false supports than this are seen once in 1,000 seeds if their rate is 2.5 %, one side's."""


def people(
    seed: int,
    *,
    n: int = 600,
    a: float = 0.0,
    c: float = 0.0,
    gap2: float = 0.0,
    noise: float = 8.0,
    r: float = 0.6,
) -> pd.DataFrame:
    """One row a person, awareness and capability with mean 50 and SD 10, correlated by r."""
    rng = np.random.default_rng(seed)
    able, own = 10 * rng.normal(size=(2, n))
    aware = r * able + math.sqrt(1 - r * r) * own
    quality = 50 + a * aware + c * able + gap2 * (aware - able) ** 2 + noise * rng.normal(size=n)
    return pd.DataFrame({"aware": 50 + aware, "able": 50 + able, "quality": quality})


def firms(seed: int, *, within: float, between: float, number: int = 30) -> pd.DataFrame:
    """Firms of 15 whose means of awareness go with quality by `between`, people by `within`."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(number), 15)
    level = 8 * rng.normal(size=number)[firm]
    able = 50 + 8 * rng.normal(size=firm.size)
    own = 8 * rng.normal(size=firm.size)
    quality = (
        60 + within * own + between * level + 0.4 * (able - 50) + 5 * rng.normal(size=firm.size)
    )
    return pd.DataFrame({"firm": firm, "aware": 50 + own + level, "able": able, "quality": quality})


def judged(data: pd.DataFrame, **how: Any) -> Finding:
    asked: dict[str, Any] = {"outcome": "quality", "awareness": "aware", "capability": "able"}
    return response_surface(data, CLAIM, **(asked | {"bounds": OPEN, "draws": 199} | how))


def prepared(data: pd.DataFrame, **how: Any) -> SurfaceData:
    asked: dict[str, Any] = {"outcome": "quality", "awareness": "aware", "capability": "able"}
    return surface_data(data, SurfaceQuestion(**(asked | {"bounds": OPEN} | how)))


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


def line(finding: Finding, method: str) -> Line:
    return next(x for x in finding.triangulation if x.method == method)


# -- verdicts ------------------------------------------------------------------------------------


def test_a_discrepancy_effect_is_supported() -> None:
    finding = judged(people(1, a=-0.3, c=0.4))
    assert finding.decision.verdict == "supported"
    assert not [e.artefact for e in finding.evidence if e.outcome == "threat"]
    assert (line(finding, "abs = |b1 - b2| - |b1 + b2|").low or 0.0) > 0.0


def difference_score_t(data: pd.DataFrame) -> float:
    """t of quality on awareness less capability: what Edwards warned of."""
    return float(stats.linregress(data["aware"] - data["able"], data["quality"]).slope) / float(
        stats.linregress(data["aware"] - data["able"], data["quality"]).stderr
    )


def test_a_main_effect_of_capability_is_no_gap_effect() -> None:
    data = people(2, c=0.5, n=1500)
    assert difference_score_t(data) < -5.0  # what a difference score would have "shown"
    finding = judged(data)
    assert finding.decision.verdict == "equivalent"
    assert [x.note.template.split(":")[0] for x in finding.triangulation if x.primary] == [
        "equivalent",
        "supported",
    ]
    assert judged(data, claim_form="congruence").decision.verdict != "supported"


def test_a_main_effect_passes_for_a_gap_no_more_often_than_the_level() -> None:
    """The difference score is fooled nearly every time, the conditions hardly ever."""
    naive = supported = 0
    for seed in range(SETS):
        data = people(1000 + seed, n=200, c=0.5)
        naive += difference_score_t(data) < -1.972
        supported += verdict_of_parts(data) == "supported"
    assert naive > 0.8 * SETS
    assert supported <= RARE


def test_a_positive_main_effect_of_awareness_contradicts() -> None:
    assert judged(people(4, a=0.5)).decision.verdict == "contradicted"


def test_a_congruence_effect_is_supported_as_that_alone() -> None:
    data = people(3, gap2=-0.05)
    finding = judged(data, claim_form="congruence")
    assert finding.decision.verdict == "supported"
    assert [x.primary for x in finding.triangulation].count(True) == 3
    assert judged(data).decision.verdict != "supported"
    assert min(aicc(finding), key=aicc(finding).__getitem__) == "AICc SQD"


def aicc(finding: Finding) -> dict[str, float]:
    return {x.method: x.value or 0.0 for x in finding.triangulation if x.unit == "AICc"}


def test_a_peak_off_the_line_of_congruence_is_no_congruence() -> None:
    """Quality is best where awareness exceeds capability by 12: the curvature alone would pass."""
    data = people(5, n=900)
    rng = np.random.default_rng(505)
    data["quality"] = 50 - 0.05 * (data["aware"] - data["able"] - 12) ** 2 + rng.normal(size=900)
    finding = judged(data, claim_form="congruence")
    a4 = line(finding, "Least squares a4")
    assert a4.high is not None
    assert a4.high < 0.0
    assert finding.decision.verdict == "contradicted"


def test_a_ridge_turned_away_is_no_congruence() -> None:
    """Quality curves over capability alone: a4 is negative, the axis is that of awareness."""
    data = people(6, n=900)
    rng = np.random.default_rng(506)
    data["quality"] = 50 - 0.05 * (data["able"] - 50) ** 2 + rng.normal(size=900)
    finding = judged(data, claim_form="congruence")
    assert (line(finding, "Least squares a4").high or 0.0) < 0.0
    assert finding.decision.verdict == "contradicted"


def test_a_larger_smallest_slope_needs_larger_slopes() -> None:
    data = people(1, a=-0.3, c=0.4)
    assert judged(data, smallest_slope=0.9).decision.verdict == "equivalent"


def test_alpha_is_the_criterions() -> None:
    data = people(12, n=120, a=-0.25, c=0.35)
    p = judged(data).p
    assert p is not None
    assert 0.001 < p < 0.04
    strict = Criterion("conjunction", float("nan"), alpha=p / 2)
    assert judged(data, smallest_slope=0.01).decision.verdict == "supported"
    assert judged(data, smallest_slope=0.01, criterion=strict).decision.verdict != "supported"


# -- levels --------------------------------------------------------------------------------------


def test_differences_between_firms_make_no_effect_within_them() -> None:
    data = firms(1, within=0.0, between=-0.8)
    pooled = judged(data)
    assert pooled.decision.verdict == "supported"  # what firms' levels alone make of all rows
    assert evidence(pooled, "differences between firms").outcome == "not tested"
    assert judged(data, firm="firm").decision.verdict == "equivalent"
    assert judged(firms(2, within=-0.4, between=0.8), firm="firm").decision.verdict == "supported"


def test_terms_are_centred_within_firms_after_they_are_squared() -> None:
    """Firms far apart share one line of congruence, which centring before would have moved."""
    rng = np.random.default_rng(509)
    data = firms(9, within=0.0, between=0.0)
    data["quality"] = 50 - 0.05 * (data["aware"] - data["able"]) ** 2 + rng.normal(size=len(data))
    finding = judged(data, firm="firm", claim_form="congruence")
    assert finding.decision.verdict == "supported"
    b = [line(finding, f"Multilevel b{i}") for i in (3, 4, 5)]
    for found, truth in zip(b, (-0.05, 0.10, -0.05), strict=True):
        assert found.low is not None
        assert found.high is not None
        assert found.low < truth < found.high


def test_persons_with_several_rows_are_a_level() -> None:
    data = firms(3, within=-0.4, between=0.0).rename(columns={"firm": "who"})
    finding = judged(data, person="who")
    assert finding.decision.verdict == "supported"
    assert "units of 'who'" in evidence(finding, "differences between firms").finding.template
    assert judged(data.assign(firm=data["who"] // 5), person="who", firm="firm").p is not None


def test_what_all_columns_do_over_time_makes_no_slope() -> None:
    """Awareness falls and quality rises in the second wave, for all people alike."""
    first, second = (firms(seed, within=0.0, between=0.0) for seed in (21, 22))
    second[["aware", "quality"]] += [-12.0, 12.0]
    data = pd.concat([first.assign(wave=0), second.assign(wave=1)], ignore_index=True)
    assert judged(data, firm="firm").decision.verdict == "supported"
    held = judged(data, firm="firm", wave="wave")
    assert held.decision.verdict == "equivalent"
    assert "same wave" in evidence(held, "differences between firms").finding.template
    persons = data.assign(who=np.tile(range(450), 2))
    assert judged(persons, firm="firm", wave="wave", person="who").p is not None


def test_one_row_a_firm_is_a_single_level() -> None:
    data = people(1, a=-0.3, c=0.4).assign(firm=range(600))
    finding, alone = judged(data, firm="firm"), judged(data.drop(columns="firm"))
    assert finding.triangulation == alone.triangulation


def test_few_firms_have_kenward_and_rogers_intervals() -> None:
    finding = judged(firms(4, within=-0.4, between=0.0, number=8), firm="firm")
    assert line(finding, "Multilevel a3").reference == "t, Kenward-Roger"


def test_two_firms_say_little_but_something() -> None:
    finding = judged(firms(4, within=-0.4, between=0.0, number=2), firm="firm")
    assert finding.decision.verdict in ("inconclusive", "supported")
    df = finding.triangulation[0].df
    assert df is not None
    assert df < 30


def test_whole_firms_pass_for_an_effect_within_them_no_more_often_than_the_level() -> None:
    """Firms pull slopes apart and levels down; awareness does nothing in the mean firm."""
    naive = supported = 0
    for seed in range(40):
        rng = np.random.default_rng(7000 + seed)
        data = firms(7000 + seed, within=0.0, between=-0.8, number=16)
        own = data["aware"] - data.groupby("firm")["aware"].transform("mean")
        data["quality"] += own * 0.2 * rng.normal(size=16)[data["firm"]]
        naive += verdict_of_parts(data) == "supported"
        supported += verdict_of_parts(data, firm="firm") == "supported"
    assert naive > 0.8 * 40
    assert supported <= int(stats.binom.ppf(0.999, 40, 0.025))


def verdict_of_parts(data: pd.DataFrame, **how: Any) -> str:
    """What the parts say together, without evidence, which could only take support away."""
    rows = prepared(data, **how)
    parts = parts_of(rows, deciding(rows), 0.05)
    return conjoin([decide(p.estimate, p.criterion) for p in parts if p.estimate]).verdict


def test_a_ridge_at_the_margin_passes_no_more_often_than_the_level() -> None:
    """The first principal axis has a slope of 2, the largest that still counts as congruence."""
    turn, supported = math.atan(2.0), 0
    for seed in range(SETS):
        data, rng = people(9000 + seed, n=300), np.random.default_rng(91000 + seed)
        x, y = data["aware"] - 50, data["able"] - 50
        across = math.cos(turn) * y - math.sin(turn) * x
        data["quality"] = 50 - 0.08 * across**2 + 8 * rng.normal(size=300)
        supported += verdict_of_parts(data, claim_form="congruence") == "supported"
    assert supported <= int(stats.binom.ppf(0.999, SETS, 0.05))


# -- evidence ------------------------------------------------------------------------------------


def test_separate_standardisation_is_refused() -> None:
    data = people(1, a=-0.3, c=0.4)
    scores = (data - data.mean()) / data.std()
    with pytest.raises(TableError, match="each standardised by their own mean and SD"):
        judged(scores)
    with pytest.raises(TableError, match="each standardised"):
        judged(50 + 10 * scores)  # T scores are z scores in other clothes
    finding = judged(scores, separate_scales="so the authors published them")
    assert finding.decision.verdict == "inconclusive"
    assert evidence(finding, "commensurability").outcome == "threat"
    assert "so the authors published them" in finding.decision.reason.template
    common = (data - data["able"].mean()) / data["able"].std()
    assert judged(common).decision.verdict == "supported"


def test_few_discrepant_people_allow_no_verdict() -> None:
    data = people(1, a=-0.3, c=0.4)
    data["aware"] += 25
    finding = judged(data)
    assert evidence(finding, "discrepant cases").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_shares_of_discrepant_people() -> None:
    finding = judged(people(1))
    shares = evidence(finding, "discrepant cases").finding.numbers
    theory = float(stats.norm.sf(0.5 / math.sqrt(2 - 2 * 0.6)))  # SD of the gap: sqrt(2 - 2 r)
    for side in ("share_above", "share_below"):
        assert shares[side].value == pytest.approx(theory, abs=4 * math.sqrt(theory / 600))


def test_measurement_error_can_reverse_a_slope() -> None:
    """Capability alone matters; seen with error, correlated negatively, awareness seems to."""
    rng = np.random.default_rng(511)
    data = people(11, n=2000, c=0.5, r=-0.7)
    data["able"] += 8 * rng.normal(size=2000)
    fooled = judged(data)
    assert fooled.decision.verdict == "supported"
    assert evidence(fooled, "unreliability").outcome == "not tested"
    told = judged(data, reliability=(1.0, 100 / 164), draws=499)
    assert evidence(told, "unreliability").outcome == "threat"
    assert told.decision.verdict == "inconclusive"
    corrected = line(told, "Slope of awareness, errors in variables")
    assert corrected.low is not None
    assert corrected.high is not None
    assert corrected.low < 0.0 < corrected.high


def test_a_surface_without_measurement_error() -> None:
    """Error flattens the curvature along the gap to half; the correction gives the truth back."""
    data, rng = people(31, n=4000, gap2=-0.05, c=0.2), np.random.default_rng(531)
    data["aware"] += 4 * rng.normal(size=4000)
    data["able"] += 3 * rng.normal(size=4000)
    reliable = (100 / 116, 100 / 109)
    finding = judged(data, claim_form="congruence", reliability=reliable, draws=999)
    seen, freed = line(finding, "Least squares a4"), line(finding, "a4, errors in variables")
    assert seen.low is not None
    assert freed.low is not None
    assert freed.high is not None
    assert seen.low > 0.8 * -0.2
    assert freed.low < -0.2 < freed.high
    assert freed.high < -0.15
    assert evidence(finding, "unreliability").outcome == "clear"


def test_without_error_the_correction_does_nothing() -> None:
    data = prepared(people(32, gap2=-0.02), reliability=(1.0, 1.0))
    draws = surface_draws(data, draws=9, seed=1)
    assert draws.corrected_surface is not None
    own = least_squares(data).coefficients()
    np.testing.assert_allclose(draws.corrected_surface[0], own, rtol=1e3 * OTHER_ALGORITHM)
    np.testing.assert_allclose(
        draws.corrected_surface[1:], draws.surface, rtol=1e3 * OTHER_ALGORITHM
    )


def test_error_alone_can_make_a_slope_too_small_to_matter() -> None:
    data = people(33, n=3000, a=-0.13, c=0.6, r=0.0)
    data["aware"] += 20 * np.random.default_rng(533).normal(size=3000)
    assert judged(data).decision.verdict == "equivalent"
    told = judged(data, reliability=(0.2, 1.0))
    assert evidence(told, "unreliability").outcome == "threat"
    assert told.decision.verdict == "inconclusive"


def test_reliability_of_a_product_is_the_product() -> None:
    finding = judged(people(3, gap2=-0.05), claim_form="congruence", reliability=(0.8, 0.6))
    found = evidence(finding, "unreliability")
    values = {k: v.value for k, v in found.finding.numbers.items()}
    assert values["of_product"] == pytest.approx(0.48, abs=EXACT_ARITHMETIC)
    assert values["of_squared_capability"] == pytest.approx(0.36, abs=EXACT_ARITHMETIC)
    assert found.outcome == "threat"


def test_a_surface_that_turns_over_is_not_two_slopes() -> None:
    data = people(12, n=900)
    x = data["aware"] - 50
    rng = np.random.default_rng(512)
    data["quality"] = -0.15 * x + 0.5 * (data["able"] - 50) + 0.03 * x**2 + 4 * rng.normal(size=900)
    finding = judged(data)
    assert evidence(finding, "curvature").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_a_few_rows_do_not_decide() -> None:
    data = people(13, n=120, c=0.4)
    far = pd.DataFrame({"aware": [95.0] * 4, "able": [45.0] * 4, "quality": [-60.0] * 4})
    finding = judged(pd.concat([data, far], ignore_index=True))
    assert evidence(finding, "influential rows").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


# -- numbers -------------------------------------------------------------------------------------


def test_the_condition_is_twice_the_smaller_slope_of_opposite_ones() -> None:
    assert condition(np.array([-0.3, 0.5])) == pytest.approx(0.6, abs=EXACT_ARITHMETIC)
    assert condition(np.array([0.3, 0.5])) == pytest.approx(-0.6, abs=EXACT_ARITHMETIC)
    assert condition(np.array([0.0, 0.5])) == pytest.approx(0.0, abs=EXACT_ARITHMETIC)


def test_axes_of_a_known_ridge() -> None:
    """-(C - 2 - 1.5 A)^2 has its ridge on C = 2 + 1.5 A, but level nowhere else."""
    b = np.array([-6.0, 4.0, -2.25 - 1e-6, 3.0, -1.0 - 1e-6])
    assert axis_angle(b) == pytest.approx(math.degrees(math.atan(1.5)), abs=1e-3)
    assert first_axis(b)[1] == pytest.approx(1.5, abs=1e-4)
    assert first_axis(b)[1] * second_axis(b)[1] == pytest.approx(-1.0, abs=1e-9)


def test_p_of_an_axis_is_against_the_line_it_should_follow() -> None:
    finding = judged(people(3, gap2=-0.05), claim_form="congruence")
    for key, along in (("p11", 1.0), ("p21", -1.0)):
        own = line(finding, f"Least squares {key}")
        assert own.value is not None
        assert own.high is not None
        assert own.df is not None
        se = (own.high - own.value) / stats.t.ppf(0.975, own.df)
        p = 2 * stats.t.sf(abs(own.value - along) / se, own.df)
        assert own.p == pytest.approx(p, rel=OTHER_ALGORITHM)


def test_the_bootstrap_draws_whole_groups_and_repeats() -> None:
    """Against refitting drawn rows one by one: the same coefficients for the same weights."""
    data = prepared(firms(5, within=-0.3, between=0.2, number=12), firm="firm")
    found = surface_draws(data, draws=5, seed=3)
    counts = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), size=5)
    level, labels = data.rows["group"].factorize()
    assert len(labels) == 12
    names = [*(f"{t}_within" for t in ("A", "C", "A2", "AC", "C2")), "A_between", "C_between"]
    for own, weights in zip(found.surface, counts, strict=True):
        rows = data.rows.loc[data.rows.index.repeat(weights[level])]
        X = np.column_stack([np.ones(len(rows)), rows[names].to_numpy(float)])
        twin = np.linalg.lstsq(X, rows["quality"].to_numpy(float), rcond=None)[0]
        np.testing.assert_allclose(own, twin[1:6], rtol=1e3 * OTHER_ALGORITHM)
    again = surface_draws(data, draws=5, seed=3)
    np.testing.assert_array_equal(found.surface, again.surface)


def test_bootstrap_and_delta_agree_where_errors_are_tame() -> None:
    finding = judged(people(14, n=1500, a=-0.3, c=0.4), draws=999)
    for key in ("a1", "a3", "a4"):
        delta, drawn = line(finding, f"Least squares {key}"), line(finding, f"Bootstrap {key}")
        assert delta.low is not None
        assert delta.high is not None
        width = delta.high - delta.low
        assert drawn.low == pytest.approx(delta.low, abs=0.1 * width)
        assert drawn.high == pytest.approx(delta.high, abs=0.1 * width)


def test_members_of_the_family_are_nested() -> None:
    data = prepared(people(15, gap2=-0.02, c=0.2))
    rss = {m.name: m.rss for m in family(*(data.rows[k].to_numpy(float) for k in "AC"),
                                         data.rows["quality"].to_numpy(float))}  # fmt: skip
    chain = ["cubic", "full", "SRRR", "SRR", "RR", "SQD", "null"]
    assert all(rss[a] <= rss[b] * (1 + 1e-12) for a, b in itertools.pairwise(chain))
    assert rss["SRRR"] <= rss["SRSQD"] <= rss["SSQD"] <= rss["SQD"]


def test_shifting_and_stretching_the_scale_changes_no_verdict() -> None:
    data = people(1, a=-0.3, c=0.4)
    other = data.assign(aware=3 + 0.1 * data["aware"], able=3 + 0.1 * data["able"])
    own, moved = judged(data), judged(other)
    assert moved.decision.verdict == own.decision.verdict
    assert moved.p == pytest.approx(own.p, rel=1e3 * OTHER_ALGORITHM)


def test_a_finding_is_a_record() -> None:
    finding = judged(people(1, a=-0.3, c=0.4))
    again = load(dump(finding), Finding)
    assert dump(again) == dump(finding)
    assert judged(people(1, a=-0.3, c=0.4)).triangulation == finding.triangulation


# -- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [84, 600])
def test_nobody_stands_at_a_corner_of_the_hull(n: int) -> None:
    """Every corner is the centre of a cell of one width that holds five people or more."""
    data = prepared(people(16, n=n))
    region = region_of(data)
    assert region is not None
    pair = data.rows[["A", "C"]].to_numpy(float)
    for corner in region.corners:
        inside = (np.abs(pair - corner) <= region.width / 2 + 1e-9).all(axis=1)
        assert inside.sum() >= FEWEST_PEOPLE
    assert region.holds(pair).mean() < 1.0


def test_people_are_counted_once() -> None:
    data = people(1, n=4).loc[np.repeat(range(4), 10)].reset_index(drop=True)
    data["quality"] += np.arange(40) % 7
    assert region_of(prepared(data.assign(who=np.repeat(range(4), 10)), person="who")) is None


def test_the_surface_is_drawn_inside_the_hull_only() -> None:
    finding = judged(people(3, gap2=-0.05), claim_form="congruence")
    surface = next(p for p in finding.pictures if p.id == "surface")
    contour = next(m for m in surface.panels[0].marks if m.kind == "contour")
    z = np.reshape(contour.z, (len(contour.y), len(contour.x)))
    assert 0.2 < np.isnan(z).mean() < 0.8
    labels = [m.label for m in surface.panels[0].marks]
    assert labels[1:] == ["Hull", "Agreement", "Incongruence", "First principal axis"]
    curve = next(p for p in finding.pictures if p.id == "incongruence").panels[0].marks[1]
    assert abs(curve.x[int(np.argmax(curve.y))]) < 1.5  # the top is where both agree


def test_pictures_can_be_plotted() -> None:
    finding = judged(people(1, a=-0.3, c=0.4))
    for picture in finding.pictures:
        assert plot(finding, picture.id).axes


def test_the_height_of_the_surface_is_the_fits_prediction() -> None:
    found = surfaces(prepared(people(17, gap2=-0.02, c=0.3)))
    A, C = (found.data.rows[k].to_numpy(float) for k in "AC")
    np.testing.assert_allclose(
        heights(found, A, C), least_squares(found.data).fit.predict(), rtol=OTHER_ALGORITHM
    )


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"bounds": None}, "have no declared bounds"),
        ({"bounds": (7.0, 1.0)}, "bounds are not in order"),
        ({"claim_form": "gap"}, "unknown claim_form 'gap'"),
        ({"reliability": (0.0, 0.8)}, "reliability is not above 0"),
        ({"smallest_slope": 0.0}, "smallest slope of interest is not a positive number"),
        ({"separate_scales": " "}, "separate_scales gives no reason"),
        ({"capability": "aware"}, "one column plays two parts"),
        ({"capability": "abel"}, "Did you mean 'able'"),
        ({"draws": 98}, "too few draws for limits of an interval"),
        ({"wave": "able"}, "wave goes with firm"),
        ({"criterion": Criterion("superiority", 0.1)}, "conditions that must all hold"),
    ],
)
def test_arguments_that_do_not_fit(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        judged(people(1), **how)


def test_values_outside_the_common_scale() -> None:
    with pytest.raises(TableError, match=r"'aware' has values outside the bounds"):
        judged(people(1), bounds=(30.0, 70.0))


@pytest.mark.parametrize("column", ["aware", "able", "quality"])
def test_a_column_that_never_varies(column: str) -> None:
    with pytest.raises(TableError, match=f"'{column}' never varies"):
        judged(people(1).assign(**{column: 5.0}))


def test_an_outcome_that_is_missing() -> None:
    with pytest.raises(TableError, match="'quality' never varies"):
        judged(people(1).assign(quality=np.nan))
    some = people(1, a=-0.3, c=0.4)
    some.loc[:9, "quality"] = np.nan
    finding = judged(some)
    assert finding.observed.numbers["incomplete"].value == 10
    assert "left out" in finding.decision.reason.template


def test_too_few_complete_rows_are_not_tested() -> None:
    finding = judged(people(1, n=15))
    assert finding.decision.verdict == "not tested"
    assert "15 of 15" in finding.decision.reason.template


def test_awareness_that_is_capability() -> None:
    with pytest.raises(TableError, match="hold the same numbers in every row"):
        judged(people(1).assign(able=lambda d: d["aware"]))


def test_a_single_firm() -> None:
    with pytest.raises(TableError, match="all rows are of one firm"):
        judged(people(1).assign(firm="a"), firm="firm")


def test_two_values_have_no_square() -> None:
    finding = judged(people(1).assign(aware=lambda d: (d["aware"] > 50) * 1.0))
    assert finding.decision.verdict == "not tested"
    assert "linearly dependent" in finding.decision.reason.template


def test_an_outcome_among_the_predictors() -> None:
    finding = judged(people(1).assign(quality=lambda d: d["aware"] - 2 * d["able"]))
    assert finding.decision.verdict == "not tested"


def test_rows_without_a_firm() -> None:
    data = firms(1, within=0.0, between=0.0).astype({"firm": "object"})
    data.loc[0, "firm"] = None
    with pytest.raises(TableError, match="rows have no firm"):
        judged(data, firm="firm")


def test_text_instead_of_numbers() -> None:
    with pytest.raises(TableError, match="does not hold numbers"):
        judged(people(1).astype({"aware": "str"}))
