"""Mandates put to the test: robust intervals, blurred dates, few firms, people who change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import Criterion
from alc_stats.inference.group_time import overall_values
from alc_stats.inference.group_time_summaries import summarised
from alc_stats.inference.parallel_trends import excluded, inflated
from alc_stats.inference.smooth_trends import smoothness
from alc_stats.models import Claim, Evidence, Finding, mandate
from alc_stats.models.finding import Line
from alc_stats.models.mandate import sensitivity
from alc_stats.models.mandate.data import MandateQuestion, mandate_data
from alc_stats.models.mandate.effects import cells_for, orders_of
from tolerances import EXACT_ARITHMETIC

CLAIM = Claim("H11", "mandate", "Usage rises under the mandate.")
ASKED: dict[str, Any] = {"outcome": "usage", "firm": "firm", "time": "month", "start": "start"}
DRAWS = 120
RARE = int(stats.binom.ppf(0.999, DRAWS, 0.05))


def firms(
    seed: int, *, number: int = 48, starts: tuple[float, ...] = (5, 7, np.nan), effect: float = 0.0,
    slope: float = 0.0, bend: float = 0.0, noise: float = 1.0, months: int = 10,
) -> pd.DataFrame:  # fmt: skip
    """Firms that ever start part from the others by a slope that grows by `bend` a month."""
    rng = np.random.default_rng(seed)
    table = pd.MultiIndex.from_product(
        [range(number), range(1, months + 1)], names=["firm", "month"]
    ).to_frame(index=False)
    who, t = table["firm"].to_numpy(), table["month"].to_numpy()
    table["start"] = np.array(starts)[who % len(starts)]
    ever, on = table["start"].notna().to_numpy(), (t >= table["start"]).to_numpy()
    table["usage"] = (
        rng.normal(size=number)[who] + ever * (slope * t + bend * t**2 / 2.0) + effect * on
        + noise * rng.normal(size=len(table))
    )  # fmt: skip
    return table


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return mandate(data, CLAIM, **(ASKED | how))


def line(finding: Finding, method: str) -> Line:
    return next(one for one in finding.triangulation if one.method == method)


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(one for one in finding.evidence if one.artefact == artefact)


def limits(one: Line) -> tuple[float, float]:
    assert one.low is not None
    assert one.high is not None
    return one.low, one.high


def studied(
    data: pd.DataFrame, *, few: bool = False, **how: Any
) -> tuple[Estimate, sensitivity.EventStudy, sensitivity.EventStudy | None]:
    """Headline, event study and the one of the smooth interval."""
    d = mandate_data(data, MandateQuestion(**(ASKED | how)))
    cells = cells_for(d, d.contrast, base="universal")
    g, orders = summarised(cells, "group"), None
    headline = Estimate("overall", g.overall, g.overall_se, g.overall_df)
    if few:
        orders = orders_of(d)[0]
        on = np.arange(len(d.periods))[None, :] >= d.adoption[:, None]
        others = overall_values(d.contrast - g.overall * on, orders, controls="never",
                                anticipation=0)[1:]  # fmt: skip
        headline = Estimate("overall", g.overall, float(np.sqrt(np.mean(others**2))),
                            len(d.firms) - 2.0)  # fmt: skip
    weights = sensitivity._weights(cells, d.anticipation)
    assert weights is not None
    V, freedom = sensitivity._covariance(d, cells, weights, headline, orders)
    study = sensitivity._study(cells, weights, inflated(V, headline.df, 0.95))
    smooth = sensitivity._smooth_study(cells, weights, V, min(freedom, headline.df), 0.95)
    return headline, study, smooth


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("anticipation", [0, 1])
def test_the_event_study_is_that_of_the_headline(few: bool, anticipation: int) -> None:
    starts = (5, 7, 7, *[np.nan] * 13) if few else (5, 7, np.nan)
    headline, study, _ = studied(firms(1, number=16 if few else 48, starts=starts), few=few and
                                 not anticipation, anticipation=anticipation)  # fmt: skip
    assert study.estimate == pytest.approx(headline.value, abs=EXACT_ARITHMETIC)
    wide = stats.t.ppf(0.975, headline.df) / stats.norm.ppf(0.975)
    assert study.se == pytest.approx(wide * headline.se, rel=EXACT_ARITHMETIC)


def test_a_trend_that_goes_on_is_seen_through() -> None:
    """Firms part by the same step in all months; the ordinary interval takes it for an effect."""
    found = asked(firms(2, slope=0.5, noise=0.3))
    assert limits(found.triangulation[0])[0] > 0.0
    for method in ("Relative magnitudes, M = 1", "Smoothness, M = 0"):
        low, high = limits(line(found, method))
        assert low < 0.0 < high
    assert line(found, "Relative magnitudes, breakdown").value < 1.0  # type: ignore[operator]
    assert line(found, "Smoothness, breakdown").value == 0.0
    assert found.decision.verdict == "inconclusive"


def test_a_large_effect_stands_up_to_trends_as_uneven_as_before() -> None:
    found = asked(firms(3, effect=4.0, noise=0.5))
    trends = evidence(found, "parallel trends")
    assert trends.outcome == "clear"
    assert trends.finding.numbers["breakdown"].value > 1.0
    widths = [np.ptp(limits(line(found, f"Relative magnitudes, M = {m}"))) for m in (0.5, 1, 2)]
    assert np.ptp(limits(found.triangulation[0])) < widths[0] < widths[1] < widths[2]
    assert [p.id for p in found.pictures] == [
        "event_study", "sensitivity", "sensitivity_smoothness"
    ]  # fmt: skip


def test_a_small_effect_rests_on_even_trends() -> None:
    found = asked(firms(3, effect=1.0))
    trends = evidence(found, "parallel trends")
    assert (found.decision.verdict, trends.outcome) == ("supported", "not tested")
    assert 0.0 < trends.finding.numbers["breakdown"].value < 1.0


def test_nothing_concluded_cannot_break() -> None:
    found = asked(firms(1))
    assert found.decision.verdict == "inconclusive"
    assert "Nothing is concluded" in evidence(found, "parallel trends").finding.template


def test_an_absence_breaks_at_the_smallest_effect() -> None:
    """Non-superiority: M at which the interval reaches the smallest effect, not zero."""
    data = firms(4, number=96, noise=0.2)
    near = asked(data, criterion=Criterion("non_superiority", 0.3))
    far = asked(data, criterion=Criterion("non_superiority", 3.0))
    assert near.decision.verdict == far.decision.verdict == "supported"
    first, second = (line(f, "Relative magnitudes, breakdown").value for f in (near, far))
    assert first is not None
    assert second is not None
    assert 0.0 < first < second


def test_without_periods_before_there_is_no_robust_interval() -> None:
    found = asked(firms(5, starts=(2, np.nan), effect=3.0))
    assert evidence(found, "parallel trends").outcome == "not tested"
    assert line(found, "Relative magnitudes").value is None


def test_anticipation_is_part_of_the_path() -> None:
    """The step from the period compared with to the start takes one period more."""
    _, plain, _ = studied(firms(6))
    _, early, _ = studied(firms(6), anticipation=1)
    assert len(early.after) == len(plain.after) + 1
    assert early.weights[0] == 0.0
    assert len(early.before) == len(plain.before) - 1


@pytest.mark.parametrize("slope", [0.0, 0.5])
@pytest.mark.parametrize("few", [False, True])
def test_robust_intervals_cover_with_estimated_covariances(slope: float, few: bool) -> None:
    """24 firms by cohort, or dates permuted with three mandated firms; no effect."""
    starts = (5, 7, 7, *[np.nan] * 13) if few else (5, 7, np.nan)
    magnitudes = straight = naive = 0
    for seed in range(DRAWS):
        data = firms(seed, number=16 if few else 24, starts=starts, slope=slope)
        headline, study, smooth = studied(data, few=few)
        assert smooth is not None
        found = smoothness(smooth, 0.0)
        magnitudes += excluded(study, 1.0)
        straight += not found.low <= 0.0 <= found.high
        naive += headline.p_value < 0.05
    assert magnitudes <= RARE
    assert straight <= RARE
    assert (naive > RARE) == (slope > 0.0)


@pytest.mark.parametrize("rule", ["superiority", "equivalence"])
def test_an_outcome_that_is_the_same_in_all_firms_is_not_tested(rule: Any) -> None:
    data = firms(12)
    data["usage"] = data["month"] * 1.0
    found = asked(data, criterion=Criterion(rule, 0.3))
    assert found.decision.verdict == "not tested"
    assert "the same in all firms" in found.decision.reason.template


def test_the_first_period_can_be_left_out() -> None:
    data = firms(7, effect=2.0, noise=0.2)
    on_start = data["month"] == data["start"]
    data.loc[on_start, "usage"] -= 2.0
    found = asked(data)
    later, whole = line(found, "Overall, without the first period"), found.triangulation[0]
    assert later.value == pytest.approx(2.0, abs=0.2)
    assert whole.value == pytest.approx(2.0 - 0.5 * (2.0 / 6.0 + 2.0 / 4.0), abs=0.2)


def test_firms_that_knew_a_month_before_show_in_the_earlier_comparison() -> None:
    data = firms(8, effect=2.0, noise=0.2)
    data.loc[data["month"] == data["start"] - 1, "usage"] += 2.0
    found = asked(data)
    assert abs(found.triangulation[0].value or 0.0) < 0.2
    earlier = line(found, "Overall, compared one period earlier").value
    assert earlier == pytest.approx(2.0, abs=0.2)
    assert evidence(found, "anticipation").outcome == "threat"


def test_small_sample_checks_stand_beside_the_headline() -> None:
    found = asked(firms(9, number=30, effect=1.5))
    jackknife, wild = line(found, "Jackknife of firms (CV3)"), line(found, "Wild cluster bootstrap")
    assert jackknife.value == found.triangulation[0].value
    assert jackknife.df == 29.0
    assert wild.p is not None
    assert 0.0 < wild.p < 0.05
    few = asked(firms(9, number=16, starts=(5, 7, 7, *[np.nan] * 13), effect=1.0))
    methods = [one.method for one in few.triangulation]
    assert "Wild cluster bootstrap" not in methods


def levels(seed: int, *, firms_of: int = 24, persons: int = 20) -> pd.DataFrame:
    """Seniors use more; after the start juniors leave. Nobody's own use changes."""
    base = firms(seed, number=firms_of, months=6, starts=(4, np.nan), noise=0.1)
    table = base.loc[base.index.repeat(persons)].reset_index(drop=True)
    place = np.tile(np.arange(persons), len(base))
    table["person"] = table["firm"] * 100 + place
    table["senior"] = np.where(place < persons // 2, "senior", "junior")
    rng = np.random.default_rng(seed)
    table["usage"] += 2.0 * (place < persons // 2) + 0.1 * rng.normal(size=len(table))
    gone = (table["month"] >= table["start"]) & (place >= persons // 2 + 2)
    return table.loc[~gone].reset_index(drop=True)


def test_composition_as_before_takes_a_change_of_people_away() -> None:
    found = asked(levels(1), person="person", composition=["senior"])
    held = line(found, "Overall, composition as before")
    assert found.triangulation[0].value == pytest.approx(2.0 * (10 / 12 - 0.5), abs=0.15)
    assert held.value == pytest.approx(0.0, abs=0.15)
    assert held.note.numbers["lost_share"].value == 0.0
    composition = evidence(found, "composition")
    assert composition.outcome == "threat"
    assert "reweighted_effect" in composition.finding.numbers


def test_groups_that_empty_leave_their_weight_to_the_others() -> None:
    data = levels(2)
    data = data.loc[(data["month"] < data["start"].fillna(99)) | (data["senior"] == "senior")]
    found = asked(data, person="person", composition=["senior"])
    note = line(found, "Overall, composition as before").note
    assert note.numbers["lost_share"].value == pytest.approx(0.5 * 0.5 * 0.5)


def test_composition_needs_persons_and_means() -> None:
    data = levels(3)
    with pytest.raises(DeclarationError, match="composition is held for means of persons"):
        asked(data, composition=["senior"])
    with pytest.raises(DeclarationError, match="composition is held for means of persons"):
        asked(data, person="person", functional="log_sd", composition=["senior"])


def test_firms_alone_in_their_cohorts_have_robust_intervals() -> None:
    data = firms(10, number=12, starts=(4, 5, 6, 7, 8, 9, *[np.nan] * 6), effect=3.0, noise=0.3)
    low, high = limits(line(asked(data), "Relative magnitudes, M = 0.5"))
    assert low < 3.0 < high
