"""Mandates: known truths on means, gaps and spreads; what only looks like an effect; bad tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.inference import Criterion
from alc_stats.models import Claim, Evidence, Finding, mandate
from alc_stats.models.finding import Line
from alc_stats.models.mandate.data import MandateQuestion, mandate_data
from alc_stats.models.mandate.effects import estimated, trends_before
from tolerances import EXACT_ARITHMETIC

CLAIM = Claim("H11", "mandate", "Usage rises under the mandate.")
ASKED: dict[str, Any] = {"outcome": "usage", "firm": "firm", "time": "month", "start": "start"}


def firms(
    seed: int,
    *,
    number: int = 48,
    starts: tuple[float, ...] = (5, 7, np.nan),
    months: int = 10,
    effect: float = 0.0,
    growth: float = 0.0,
    trend: float = 0.0,
    eve: float = 0.0,
) -> pd.DataFrame:
    """One row a firm and month; firms take the starts in turn."""
    rng = np.random.default_rng(seed)
    table = pd.MultiIndex.from_product(
        [range(number), range(1, months + 1)], names=["firm", "month"]
    ).to_frame(index=False)
    who, t = table["firm"].to_numpy(), table["month"].to_numpy()
    table["start"] = np.array(starts)[who % len(starts)]
    since = (t - table["start"]).fillna(-99).to_numpy()
    ever = table["start"].notna().to_numpy()
    table["treated"] = (since >= 0).astype(int)
    table["usage"] = (
        rng.normal(size=number)[who]
        + 0.5 * t
        + (since >= 0) * (effect + growth * np.maximum(since, 0))
        + ever * trend * t
        + eve * (since == -1)
        + rng.normal(size=len(table))
    )
    return table


def people(
    seed: int, *, widening: float = 0.0, shift: float = 0.0, persons: int = 12, number: int = 36
) -> pd.DataFrame:
    """Persons within firms and months; awareness and capability of each."""
    rng = np.random.default_rng(seed)
    base = firms(seed, number=number, months=6, starts=(3, 5, np.nan))
    table = base.loc[base.index.repeat(persons)].reset_index(drop=True)
    table["person"] = table["firm"] * 1000 + np.tile(np.arange(persons), len(base))
    on = table["treated"].to_numpy()
    table["quality"] = 10.0 + np.exp(widening * on) * rng.normal(size=len(table))
    table["awareness"] = 5.0 + shift * on + rng.normal(size=len(table))
    table["capability"] = 5.0 + 0.3 * on + rng.normal(size=len(table))
    return table


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return mandate(data, CLAIM, **(ASKED | how))


def line(finding: Finding, method: str) -> Line:
    return next(one for one in finding.triangulation if one.method == method)


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(one for one in finding.evidence if one.artefact == artefact)


def near(finding: Finding, truth: float) -> bool:
    e = finding.estimate
    assert e is not None
    return abs(e.value - truth) < 3.0 * e.se


def test_an_effect_is_found_and_its_course_shown() -> None:
    found = asked(firms(3, effect=1.0))
    assert found.decision.verdict == "supported"
    assert near(found, 1.0)
    assert line(found, "Since the start: 0").value == pytest.approx(1.0, abs=0.8)
    assert line(found, "ATT(5, 5)").value is not None
    picture = found.pictures[0]
    assert picture.id == "event_study"
    kinds = [m.kind for m in picture.panels[0].marks]
    assert kinds.count("band") == 2, "before the start and after it"
    assert kinds.count("interval") == 3, "and imputation beside them"


def test_bands_are_wider_than_intervals() -> None:
    marks = asked(firms(1, effect=1.0)).pictures[0].panels[0].marks
    bands = [m for m in marks if m.kind == "band"]
    intervals = [m for m in marks if m.kind == "interval" and m.label != "Imputation"]
    for band, interval in zip(bands, intervals, strict=True):
        assert all(b < i for b, i in zip(band.low, interval.low, strict=True))
        assert all(b > i for b, i in zip(band.high, interval.high, strict=True))


def test_no_effect_is_not_supported() -> None:
    criterion = Criterion("superiority", 0.5)
    verdicts = {asked(firms(s, number=120), criterion=criterion).decision.verdict for s in range(6)}
    assert verdicts <= {"inconclusive", "equivalent"}
    assert "equivalent" in verdicts


def test_the_sign_flip_is_shown_and_not_followed() -> None:
    """Effects grow, all are treated in the end: two-way fixed effects say the opposite."""
    data = firms(2, number=60, starts=(3, 8), months=12, effect=0.5, growth=1.0)
    found = asked(data, controls="not_yet")
    naive = line(found, "Naive: two-way fixed effects")
    assert naive.high is not None
    assert naive.high < 0.0
    assert naive.note.numbers["negative_share"].value > 0.0
    assert found.estimate is not None
    assert found.estimate.interval()[0] > 0.0
    assert near(found, np.mean([0.5 + e for e in range(5)]))


def test_a_spread_that_widens_has_an_event_study() -> None:
    asked_for = {"outcome": "quality", "person": "person", "functional": "log_sd"}
    found = asked(people(3, widening=0.35), **asked_for)
    assert found.decision.verdict == "supported"
    assert near(found, 0.35)
    assert found.estimate is not None
    assert found.estimate.unit == "log SD"
    assert found.decision.reason.numbers["sampling_variance"].value == pytest.approx(1.0 / 22.0)
    mean = asked(people(3, widening=0.35), outcome="quality", person="person")
    assert mean.decision.verdict != "supported"


def test_a_spread_is_estimated_without_bias() -> None:
    how = {"outcome": "quality", "person": "person", "functional": "log_sd"}
    found = [asked(people(s, widening=0.35), **how).estimate for s in range(40)]
    values = np.array([e.value for e in found if e is not None])
    assert len(values) == 40
    assert abs(values.mean() - 0.35) < 3.0 * values.std(ddof=1) / 40**0.5
    covered = sum(e.interval()[0] < 0.35 < e.interval()[1] for e in found if e is not None)
    assert 40 - covered <= stats.binom.ppf(0.999, 40, 0.05)


@pytest.mark.parametrize(("number", "starts"), [(12, (5, 8, *[np.nan] * 4)), (24, (5, 7, np.nan))])
def test_directed_verdicts_without_an_effect_are_rare(
    number: int, starts: tuple[float, ...]
) -> None:
    """Four mandated firms of twelve, decided by permutation; 16 of 24, by errors of firms."""
    drawn = 100
    verdicts = [
        asked(firms(s, number=number, starts=starts),
              criterion=Criterion("superiority", 0.2)).decision.verdict
        for s in range(drawn)
    ]  # fmt: skip
    wrong = sum(v in ("supported", "contradicted") for v in verdicts)
    assert wrong <= stats.binom.ppf(0.999, drawn, 0.05)


def test_log_sd_is_corrected_for_small_firms() -> None:
    """Averaged over many firms of 5, ln S + 1 / (2 (n - 1)) is the truth to its second order."""
    data = people(4, persons=5, number=600)
    question = MandateQuestion(
        outcome="quality", firm="firm", time="month", start="start", person="person",
        functional="log_sd",
    )  # fmt: skip
    found = mandate_data(data, question).parts["outcome"]
    chi2_bias = 0.5 * (0.42278433509846713 + np.log(2.0) - np.log(4.0)) + 0.125
    assert found.mean() == pytest.approx(chi2_bias, abs=4.0 * found.std() / found.size**0.5)
    assert found.var() == pytest.approx(1.0 / 8.0, rel=0.35), "sampling variance 1 / (2 (n - 1))"
    one = data.loc[(data["firm"] == 0) & (data["month"] == 1), "quality"]
    assert found[0, 0] == pytest.approx(np.log(one.std()) + 0.125, abs=EXACT_ARITHMETIC)


def test_the_gap_is_a_contrast_with_joint_errors() -> None:
    data = people(5, shift=1.0)
    found = asked(data, outcome="awareness", minus="capability", person="person")
    assert found.decision.verdict == "supported"
    assert near(found, 0.7)
    aware, able = line(found, "Overall, awareness"), line(found, "Overall, capability")
    assert found.estimate is not None
    assert found.estimate.value == pytest.approx(
        (aware.value or 0) - (able.value or 0), abs=EXACT_ARITHMETIC
    )
    data["gap"] = data["awareness"] - data["capability"]
    alone = asked(data, outcome="gap", person="person").estimate
    assert alone is not None
    assert found.estimate.se == pytest.approx(alone.se, rel=EXACT_ARITHMETIC)


def test_trends_that_part_before_are_a_threat() -> None:
    found = asked(firms(6, trend=0.8))
    assert evidence(found, "pre-trends").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_a_pretest_without_power_is_silent() -> None:
    found = asked(firms(7, number=14, months=9), criterion=Criterion("superiority", 0.1))
    assert evidence(found, "pre-trends").outcome == "not tested"


def test_a_trend_of_all_is_unseen_where_firms_that_start_are_compared_with_each_other_alone() -> (
    None
):
    data = firms(7, starts=(4, 9))
    seen = evidence(asked(data, controls="not_yet"), "pre-trends")
    assert seen.outcome == "not tested"
    assert "cannot be seen" in seen.finding.template
    assert "trend_bias" not in seen.finding.numbers


def test_an_effect_is_in_the_outcome_it_is_about() -> None:
    data = firms(8).rename(columns={"usage": "log_tokens"})
    found = asked(data, outcome="log_tokens")
    assert found.estimate is not None
    assert found.estimate.unit == "log tokens"
    study, *others = found.pictures
    assert study.y == "Effect (log tokens)"
    assert all("log tokens" in p.title and p.y == "Overall effect (log tokens)" for p in others)
    assert len({p.title for p in found.pictures}) == len(found.pictures)


def test_anticipation_is_a_threat_until_it_is_declared() -> None:
    data = firms(8, effect=2.0, eve=3.0)
    assert evidence(asked(data), "anticipation").outcome == "threat"
    announced = data.assign(announced=data["start"] - 1)
    found = asked(announced, announced="announced")
    assert evidence(found, "anticipation").outcome == "clear"
    assert found.decision.verdict == "supported"
    assert near(found, 2.0)


def test_few_treated_firms_are_decided_by_permutation() -> None:
    data = firms(9, number=14, starts=(5, *[np.nan] * 6), effect=6.0)
    found = asked(data)
    assert found.p == line(found, "Randomisation inference").p
    assert found.p == pytest.approx(1.0 / 91.0), "the most extreme of all choices of 2 among 14"
    assert found.triangulation[0].reference == "SD over permutations, t"
    assert found.decision.verdict == "supported"


def test_trends_of_few_firms_keep_their_size() -> None:
    """Two treated firms: an F test on their one degree of freedom sees trends in noise."""
    drawn, threats, naive = 60, 0, 0
    for seed in range(drawn):
        data = mandate_data(
            firms(seed, number=14, starts=(5, *[np.nan] * 6)), MandateQuestion(**ASKED)
        )
        found = estimated(data, alpha=0.05)
        before = trends_before(found)
        assert before is not None
        assert found.pre is not None
        threats += before[0] < 0.05
        naive += found.pre.p < 0.05
    rare = int(stats.binom.ppf(0.999, drawn, 0.05))
    assert threats <= rare < naive


def test_few_firms_whose_permutation_sees_nothing_support_nothing() -> None:
    """Two of six: the smallest p there is lies above 5 %."""
    found = asked(firms(10, number=6, starts=(5, np.nan, np.nan), effect=6.0))
    assert found.p is not None
    assert found.p > 0.05
    assert found.decision.verdict == "inconclusive"


def test_persons_who_come_are_no_effect() -> None:
    """Mandated firms hire able people at the start; those who stay do not change."""
    data = people(11)
    hired = (data["treated"] == 1) & (data["person"] % 1000 >= 6)
    data.loc[hired, "person"] += 500
    data.loc[hired, "quality"] += 2.0
    found = asked(data, outcome="quality", person="person")
    assert evidence(found, "composition").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_people_in_both_kinds_of_firm_are_a_threat() -> None:
    data = people(12)
    data["person"] = data["person"] % 1000 + 1000 * (data["firm"] // 3)
    found = asked(data, outcome="quality", person="person")
    assert evidence(found, "spillover by movers").outcome == "threat"


def test_covariates_are_held() -> None:
    """Large firms grow and are mandated more often."""
    rng = np.random.default_rng(13)
    size = np.repeat(rng.normal(size=240), 4)
    data = firms(13, number=240, months=4, starts=(3,)).assign(size=size)
    chosen = np.repeat(rng.random(240) < 1.0 / (1.0 + np.exp(-size[::4])), 4)
    data["start"] = np.where(chosen, 3.0, np.nan)
    data["usage"] = data["usage"] + size * data["month"] * 1.0
    naive = asked(data)
    held = asked(data, covariates=["size"], method="doubly_robust")
    assert not near(naive, 0.0)
    assert near(held, 0.0)


def test_treated_column_gives_the_starts() -> None:
    data = firms(14, effect=1.0)
    by_start, by_state = asked(data), asked(data, start=None, treated="treated")
    assert by_start.estimate == by_state.estimate
    assert evidence(by_state, "treatment that switches off").outcome == "clear"
    assert evidence(by_start, "treatment that switches off").outcome == "not tested"


def test_gaps_can_be_left_out_and_are_counted() -> None:
    data = firms(15).drop(index=[3, 17])
    found = asked(data, gaps="leave_out")
    assert found.decision.reason.numbers["left_out_firms"].value == 2
    assert found.decision.reason.numbers["firms"].value == 46


def _swapped(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(announced=data["start"] + 1)


def _off(data: pd.DataFrame) -> pd.DataFrame:
    last = (data["firm"] == 0) & (data["month"] == 10)
    return data.assign(treated=data["treated"].where(~last, 0))


BAD: dict[str, tuple[pd.DataFrame, dict[str, Any], str]] = {
    "start before announced": (
        _swapped(firms(1)), {"announced": "announced"}, "starts before it was announced"
    ),
    "one treated": (firms(1, number=12, starts=(5, *[np.nan] * 11)), {}, "one firm alone is ever"),
    "no never": (firms(1, starts=(5, 7)), {}, "no firm is never under a mandate"),
    "no not-yet": (
        firms(1, starts=(5,)), {"controls": "not_yet"}, "no never-mandated and no not-yet"
    ),
    "none treated": (firms(1, starts=(np.nan,)), {}, "no firm is ever under a mandate"),
    "one never": (
        firms(1, number=12, starts=(*[5] * 11, np.nan)), {}, "one firm alone is never under"
    ),
    "switches off": (_off(firms(1)), {"treated": "treated", "start": None}, "switches off"),
    "state and start": (
        firms(1).assign(treated=0), {"treated": "treated"}, "say different things"
    ),
    "state not 0 and 1": (
        firms(1).assign(treated=2), {"treated": "treated", "start": None}, "not 0 and 1"
    ),
    "duplicates": (pd.concat([firms(1), firms(1).head(3)]), {}, "in a period twice"),
    "gaps": (firms(1).drop(index=[4]), {}, "the panel has gaps"),
    "months as YYYYMM": (
        firms(1).assign(month=lambda d: 202407 + d["month"] + 88 * (d["month"] > 5),
                        start=np.where(firms(1)["start"].isna(), np.nan, 202410)),
        {}, "not equally far apart",
    ),
    "zero for never": (
        firms(1).assign(start=lambda d: d["start"].fillna(0)), {}, "from the first period on"
    ),
    "several starts": (
        firms(1).assign(start=lambda d: np.where(d["month"] > 8, 9.0, d["start"])), {},
        "several dates in start",
    ),
    "one period": (firms(1).query("month == 4"), {}, "one period"),
    "too few persons": (
        people(1, persons=2), {"outcome": "quality", "person": "person", "functional": "log_sd"},
        "too few persons for a spread",
    ),
    "no spread": (
        people(1).assign(quality=1.0),
        {"outcome": "quality", "person": "person", "functional": "log_sd"}, "no spread at all",
    ),
    "no outcome": (firms(1).assign(usage=np.nan), {}, "no row has an outcome"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_sentences(name: str) -> None:
    data, how, said = BAD[name]
    with pytest.raises(TableError, match=said) as caught:
        asked(data, **how)
    assert all(p.where for p in caught.value.problems)


def test_all_problems_are_told_at_once() -> None:
    data = pd.concat([_swapped(firms(1)), _swapped(firms(1)).head(2)]).drop(index=[15])
    with pytest.raises(TableError) as caught:
        asked(data, announced="announced")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"start": None}, "nothing says when"),
        ({"functional": "variance"}, "unknown functional"),
        ({"controls": "all"}, "unknown controls"),
        ({"anticipation": -1}, "negative"),
        ({"functional": "log_sd"}, "needs the rows of persons"),
        ({"outcome": "usages"}, "Did you mean 'usage'"),
    ],
)
def test_bad_declarations_are_sentences(how: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        asked(firms(1), **how)


def test_no_period_before_is_not_tested() -> None:
    """All start in the second period, and announced in the first: nothing is before."""
    data = firms(1, starts=(2, np.nan)).assign(announced=lambda d: d["start"] - 1)
    found = asked(data, announced="announced")
    assert found.decision.verdict == "not tested"
    assert found.estimate is None
