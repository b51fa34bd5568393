"""Forecasts: exact scores, models that R agrees with, and what is refused."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.inference import Criterion
from alc_stats.models import Finding, forecast
from alc_stats.models.forecast.scores import (
    PARTS,
    binned,
    brier,
    discrimination,
    resampled,
    weighted_brier,
)
from tolerances import EXACT_ARITHMETIC, LME4_STOPS_EARLY, LMERTEST_DIFFERENCES

REFERENCE = Path(__file__).parents[1] / "reference" / "calibration" / "witness.json"
ASKED: dict[str, Any] = {
    "forecast": "sure", "outcome": "right", "person": "person", "draws": 199,
}  # fmt: skip
WORLDS = 60
FALSE_ALARMS = int(stats.binom.ppf(0.999, WORLDS, 0.05))
"""More rejections than this are seen once in 1,000 seeds if their rate is 5 %."""


def answers(
    seed: int, *, people: int = 30, each: int = 20, over: float = 0.0, own: float = 0.1,
    slope: float = 0.0,
) -> pd.DataFrame:  # fmt: skip
    """Confidence beside right and wrong; people are over-sure each in their own way."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    use = rng.integers(0, 5, people)
    chance = rng.uniform(0.25, 0.75, person.size)
    lift = over + own * rng.standard_normal(people) + slope * use
    return pd.DataFrame({
        "person": person, "question": np.tile(np.arange(2 * each), people // 2),
        "use": use[person], "sure": (chance + lift[person]).clip(0, 1),
        "right": (rng.random(person.size) < chance) * 1,
    })  # fmt: skip


def judged(data: pd.DataFrame, **how: Any) -> Finding:
    return forecast(data, **(ASKED | how))


def line(found: Finding, method: str) -> Any:
    return next(x for x in found.triangulation if x.method == method)


# --- scores


def test_the_parts_of_briers_score_are_exact() -> None:
    """Four forecasts of 1/4 (one comes true) and six of 3/4 (five do), in fractions."""
    quarter, three = Fraction(1, 4), Fraction(3, 4)
    f = [quarter] * 4 + [three] * 6
    o = [1, 0, 0, 0, 1, 1, 1, 1, 1, 0]
    n, base = 10, Fraction(6, 10)
    score = sum((a - b) ** 2 for a, b in zip(f, o, strict=True)) / n
    reliability = (4 * (quarter - Fraction(1, 4)) ** 2 + 6 * (three - Fraction(5, 6)) ** 2) / n
    resolution = (4 * (Fraction(1, 4) - base) ** 2 + 6 * (Fraction(5, 6) - base) ** 2) / n
    uncertainty = base * (1 - base)
    assert score == reliability - resolution + uncertainty
    found = brier(np.array(f, dtype=float), np.array(o, dtype=float))
    expected = (score, reliability, resolution, uncertainty, 0, 1 - score / uncertainty)
    for part, value in zip(PARTS, expected, strict=True):
        assert getattr(found, part) == pytest.approx(float(value), abs=EXACT_ARITHMETIC)


def test_the_parts_add_up_for_any_forecasts() -> None:
    rng = np.random.default_rng(1)
    f, o = rng.random(500), (rng.random(500) < 0.3) * 1.0
    found = brier(f, o)
    whole = found.reliability - found.resolution + found.uncertainty + found.within
    assert found.score == pytest.approx(np.mean((f - o) ** 2), abs=EXACT_ARITHMETIC)
    assert whole == pytest.approx(found.score, abs=EXACT_ARITHMETIC)
    assert found.within != pytest.approx(0.0, abs=1e-4)


def test_tenths_open_their_bins() -> None:
    tenths = np.arange(11) / 10
    assert binned(tenths).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert binned(np.array([0.1 + 0.2, 0.29])).tolist() == [3, 2]


def test_weights_repeat_rows() -> None:
    rng = np.random.default_rng(2)
    f, o = rng.random(40), (rng.random(40) < 0.5) * 1.0
    times = rng.integers(0, 4, 40)
    again = np.repeat(np.arange(40), times)
    weighted = weighted_brier(f, o, binned(f), times[None].astype(float))
    repeated = brier(f[again], o[again])
    for part, value in zip(PARTS, weighted, strict=True):
        assert value[0] == pytest.approx(getattr(repeated, part), abs=EXACT_ARITHMETIC)


def test_the_area_under_the_roc_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(3)
    f, o = rng.integers(0, 6, 80) / 5, (rng.random(80) < 0.4) * 1.0
    pairs = [(a > b) + 0.5 * (a == b) for a in f[o == 1] for b in f[o == 0]]
    assert discrimination(f, o) == pytest.approx(np.mean(pairs), abs=EXACT_ARITHMETIC)


def test_the_bootstrap_knows_that_answers_of_a_person_go_together() -> None:
    """Its SD of the score is that of people's mean scores, not that of independent answers."""
    data = answers(4, people=60, own=0.3)
    f, o = data["sure"].to_numpy(), data["right"].to_numpy(dtype=float)
    drawn = resampled(f, o, [data["person"].to_numpy()], draws=2000, seed=1)
    of_people = ((data["sure"] - data["right"]) ** 2).groupby(data["person"]).mean()
    assert drawn.parts["score"].std() == pytest.approx(of_people.sem(), rel=0.1)


def test_crossed_questions_widen_the_interval() -> None:
    data = answers(5, people=40)
    low, high = (line(judged(data), "Brier score").low, line(judged(data), "Brier score").high)
    crossed = line(judged(data, item="question"), "Brier score")
    assert crossed.high - crossed.low > high - low


# --- what it finds


def test_overconfidence_is_found_at_its_size() -> None:
    found = judged(answers(6, people=60, over=0.15, own=0.05))
    assert found.decision.verdict == "supported"
    assert found.estimate is not None
    low, high = found.estimate.interval()
    assert low < 0.15 < high


def test_people_who_differ_are_no_effect_of_use() -> None:
    """Rows taken as independent find an effect of use that is none; the models do not."""
    naive, ours, clustered = 0, 0, 0
    for seed in range(WORLDS):
        data = answers(seed, people=24, each=20, own=0.25)
        found = judged(data, by="use", draws=99)
        naive += stats.linregress(data["use"], data["sure"] - data["right"]).pvalue < 0.05
        ours += line(found, "Bias by use, people random").p < 0.05
        clustered += line(found, "Bias by use, clustered by person").p < 0.05
    assert naive > FALSE_ALARMS
    assert max(ours, clustered) <= FALSE_ALARMS


def test_an_effect_of_use_is_found() -> None:
    found = judged(answers(7, people=80, slope=0.06), by="use", criterion=Criterion(
        "superiority", 0.02))  # fmt: skip
    assert found.decision.verdict == "supported"
    assert [p.id for p in found.pictures] == ["miss_by_level"]


def test_a_perfect_forecaster_of_quantities_has_slope_one_and_no_bias() -> None:
    rng = np.random.default_rng(8)
    person = np.repeat(np.arange(30), 12)
    hours = np.exp(rng.normal(2, 1, person.size))
    took = hours * np.exp(rng.normal(0, 0.3, person.size))
    data = pd.DataFrame({"person": person, "sure": hours, "right": took})
    found = judged(data, kind="quantity", log=True, about="resolution")
    low, high = found.estimate.interval()  # type: ignore[union-attr]
    assert low < 1.0 < high
    assert abs(line(found, "Bias, people random").value) < 0.05


def test_the_correlation_is_that_within_people() -> None:
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"person": np.repeat(np.arange(30), 12), "sure": rng.normal(size=360)})
    data["right"] = 0.6 * data["sure"] + 0.8 * rng.normal(size=360)
    own = data.groupby("person")[["sure", "right"]].transform(lambda c: c - c.mean())
    data["sure"] += 2.0 * (data["person"] % 5)
    found = line(judged(data, kind="quantity"), "Correlation within people")
    assert found.value == pytest.approx(own["sure"].corr(own["right"]), abs=EXACT_ARITHMETIC)
    assert found.low < 0.6 < found.high


def test_rows_left_out_are_a_threat_from_a_twentieth_on() -> None:
    data = answers(1)
    for count, outcome in ((29, "clear"), (30, "threat")):
        found = judged(data.assign(sure=data["sure"].mask(data.index < count)))
        left_out = next(e for e in found.evidence if e.artefact == "rows left out")
        assert left_out.outcome == outcome
        assert left_out.finding.numbers["left_out_share"].value == count / 600


def test_few_people_use_kenward_and_roger() -> None:
    found = judged(answers(9, people=10, each=30))
    assert line(found, "Bias, people random").reference == "t, Kenward-Roger"


# --- R


def witness(name: str) -> dict[str, Any]:
    return dict(json.loads(REFERENCE.read_text(encoding="utf-8"))[name])


def advice() -> pd.DataFrame:
    path = Path(os.environ.get("ALC_STATS_DATA", "")) / "chatgpt-advice/responses_features.csv"
    if "ALC_STATS_DATA" not in os.environ or not path.exists():
        pytest.skip(f"needs {path.name} in the folder that ALC_STATS_DATA names")
    source = pd.read_csv(path)
    return source.loc[source["advice_answer"].isin(["A", "B", "C", "D"])]


ADVICE: dict[str, Any] = {
    "forecast": "advice_confidence", "outcome": "advice_is_correct", "person": "participant_id",
    "item": "question_id", "draws": 99,
}  # fmt: skip


@pytest.mark.parametrize(
    ("how", "model", "term"),
    [
        ({}, "bias", "(Intercept)"),
        ({"about": "resolution"}, "resolution", "advice_is_correct"),
        ({"about": "score", "by": "usage_level"}, "brier_by_usage", "usage_level"),
        ({"about": "bias", "by": "usage_level"}, "bias_by_usage", "usage_level"),
    ],
)
def test_advice_agrees_with_lme4(how: dict[str, Any], model: str, term: str) -> None:
    estimate = forecast(advice(), **(ADVICE | how)).estimate
    expected = witness(model)
    assert estimate is not None
    assert estimate.value == pytest.approx(expected["estimate"][term], rel=LME4_STOPS_EARLY)
    assert estimate.se == pytest.approx(expected["se"][term], rel=LME4_STOPS_EARLY)
    assert estimate.df == pytest.approx(expected["df"][term], rel=LMERTEST_DIFFERENCES)


# --- pictures


def test_bins_of_fewer_than_five_people_are_not_shown() -> None:
    data = answers(1)
    data.loc[data["person"] < 4, "sure"] = 0.0
    data.loc[data["person"] >= 4, "sure"] = data["sure"].clip(0.2, 1.0)
    mark = judged(data).pictures[0].panels[0].marks[1]
    assert min(mark.x) >= 0.2


# --- what it refuses


@pytest.mark.parametrize(
    ("change", "how", "words"),
    [
        ({"sure": lambda t: 100 * t["sure"]}, {}, "divide by 100"),
        ({"sure": lambda t: t["sure"] - 1}, {}, "not probabilities"),
        ({"right": lambda t: 2 * t["right"]}, {}, "not 0 and 1"),
        ({"right": lambda t: 0}, {"kind": "quantity", "log": True}, "no logarithm"),
        ({"right": lambda t: 50 * t["sure"] + 9}, {"kind": "quantity"}, "different units"),
    ],
)
def test_wrong_tables_are_sentences(change: Any, how: dict[str, Any], words: str) -> None:
    with pytest.raises(TableError, match=words):
        judged(answers(1).assign(**change), **how)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"by": "right"}, "regressed on its own part"),
        ({"log": True}, "no log scale"),
        ({"forecast": "shure"}, "Did you mean 'sure'"),
        ({"draws": 5}, "too few draws"),
    ],
)
def test_wrong_arguments_are_sentences(how: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        judged(answers(1), **how)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (answers(1).head(15), "too few forecasts"),
        (answers(1, people=4), "too few forecasts"),
        (answers(1).assign(right=1), "never varies"),
    ],
)
def test_tables_that_cannot_answer_are_not_tested(data: pd.DataFrame, words: str) -> None:
    found = judged(data)
    assert found.decision.verdict == "not tested"
    assert words in found.decision.reason.template


def test_one_forecast_a_person_is_decided_on_persons() -> None:
    rng = np.random.default_rng(6)
    chance = rng.uniform(0.1, 0.7, 400)
    answers = pd.DataFrame({"person": np.arange(400), "sure": chance + 0.25})
    answers["right"] = (rng.random(400) < chance) * 1
    found = forecast(answers, forecast="sure", outcome="right", person="person")
    assert found.decision.verdict == "supported"
    miss = answers["sure"] - answers["right"]
    assert found.estimate is not None
    assert found.estimate.value == pytest.approx(miss.mean(), rel=EXACT_ARITHMETIC)
    assert found.estimate.se == pytest.approx(miss.std() / 20.0, rel=EXACT_ARITHMETIC)
    assert found.estimate.df == pytest.approx(399.0, rel=EXACT_ARITHMETIC)
    assert found.triangulation[0].note.template == "Each person made one forecast."


@pytest.mark.parametrize(("argument", "allowed"), [("kind", "quantity"), ("about", "resolution")])
def test_unknown_questions_are_refused(argument: str, allowed: str) -> None:
    table = pd.DataFrame({"person": [1], "sure": [0.5], "right": [1]})
    with pytest.raises(DeclarationError, match=allowed):
        forecast(table, forecast="sure", outcome="right", person="person", **{argument: "x"})
