"""The survey: what persons answer and score at each wave, and the reasons they know nothing of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.records import BoolArray, FloatArray
from alc_stats.simulate.population import (
    Deviations,
    IntArray,
    Population,
    composed,
    deviations,
    scores,
)
from alc_stats.simulate.streams import stream
from alc_stats.simulate.truth import Compliance, Construct, Design, Knowledge, Outcome, Truth

LOWEST, HIGHEST = 1, 7
"""Ends of the answer scale."""
BELIEF_BEFORE, AUDIT_BEFORE = 9, 2
"""Days before the test on which folk theory items were answered and the audited work ended."""


def survey(truth: Truth, population: Population, *, seed: int) -> pd.DataFrame:
    """One row a person and wave that answered, in order of person and wave."""
    persons, waves = population.firm.size, population.profile.size
    dates, items = _dates(truth.design, persons, seed), _items(truth, population, seed)
    columns = {
        "wave": np.tile(np.arange(waves), persons),
        "date": dates,
        "belief_date": dates - pd.Timedelta(days=BELIEF_BEFORE),
        "audit_date": dates - pd.Timedelta(days=AUDIT_BEFORE),
        **items,
        "compliance": _compliance(truth, population, items, seed),
        **_tests(truth, population, seed),
    }
    people = population.people.loc[np.repeat(np.arange(persons), waves)].reset_index(drop=True)
    table = pd.concat([people, pd.DataFrame(columns)], axis=1)
    return table.loc[_answered(truth.design, persons, seed)].reset_index(drop=True)


def _items(truth: Truth, population: Population, seed: int) -> dict[str, IntArray]:
    """Every item, P * W answers in order of person and wave."""
    columns: dict[str, IntArray] = {}
    for name, construct in (("aware", truth.awareness), ("folk", truth.folk)):
        rng = stream(seed, f"survey.{name}")
        answers = answered(construct, scores(construct, population, rng), rng)
        columns |= _numbered(name, answers)
    for name, knowledge in (("topology", truth.topology), ("topography", truth.topography)):
        rng = stream(seed, f"survey.{name}")
        columns |= _numbered(name, right(knowledge, scores(knowledge, population, rng), rng))
    return columns


def _numbered(name: str, answers: IntArray) -> dict[str, IntArray]:
    return {f"{name}_{k + 1}": answers[..., k].ravel() for k in range(answers.shape[-1])}


def answered(construct: Construct, score: FloatArray, rng: np.random.Generator) -> IntArray:
    """Whole-number answers (..., K) to the K items of a construct, given its scores (...)."""
    weights = np.asarray(construct.weights)
    error = construct.item_error_sd * rng.standard_normal((*score.shape, weights.size))
    value = construct.mean + np.multiply.outer(score - construct.mean, weights) + error
    return np.asarray(np.clip(np.rint(value), LOWEST, HIGHEST), dtype=np.int64)


def right(knowledge: Knowledge, score: FloatArray, rng: np.random.Generator) -> IntArray:
    """Answers (..., K) to K items, one for right and zero for wrong, given scores (...)."""
    error = rng.standard_normal((*score.shape, len(knowledge.difficulties)))
    return np.asarray(score[..., None] + error > knowledge.difficulties, dtype=np.int64)


def _tests(truth: Truth, population: Population, seed: int) -> dict[str, FloatArray]:
    """Scores on 0-100, rounded to a tenth, and schema accuracy on 0-1, to a thousandth."""
    tests: dict[str, tuple[Outcome, float, int]] = {
        "schema_accuracy": (truth.schema_accuracy, 1.0, 3),
        "self_estimate": (truth.self_estimate, 100.0, 0),
        "capability_familiar": (truth.capability_familiar, 100.0, 1),
        "capability_near": (truth.capability_near, 100.0, 1),
        "capability_far": (truth.capability_far, 100.0, 1),
    }
    columns: dict[str, FloatArray] = {}
    for name, (outcome, highest, digits) in tests.items():
        score = scores(outcome, population, stream(seed, f"survey.{name}"))
        columns[name] = np.asarray(np.clip(score, 0.0, highest).round(digits).ravel(), dtype=float)
    return columns


def _compliance(
    truth: Truth, population: Population, items: dict[str, IntArray], seed: int
) -> FloatArray:
    """Points on 0-100, rounded to a tenth: moved by belief as professed, and moving capability."""
    law = truth.compliance
    answers = [v for name, v in items.items() if name.startswith("folk_")]
    professed = np.mean(answers, axis=0).reshape(population.firm.size, -1)
    own = deviations(law, population, stream(seed, "survey.compliance"))
    rng = stream(seed, "survey.capability_familiar")
    tied = _tied(law, own, truth.capability_familiar,
                 deviations(truth.capability_familiar, population, rng))  # fmt: skip
    score = composed(law, population, tied) + law.folk * (professed - truth.folk.mean)
    return np.asarray(np.clip(score, 0.0, 100.0).round(1).ravel(), dtype=float)


def _tied(law: Compliance, own: Deviations, after: Outcome, later: Deviations) -> Deviations:
    """Deviations drawn given those of what they bring about.

    For standard deviations s and s' and a coefficient b the correlation is r = b s / s': given
    its consequence y, a cause is r (s / s') y plus a rest of variance (1 - r^2) s^2.
    """

    def given(cause: FloatArray, sd: float, effect: FloatArray, effect_sd: float) -> FloatArray:
        if sd == 0.0 or law.capability == 0.0:
            return cause
        r = law.capability * sd / effect_sd
        return np.asarray(r * sd / effect_sd * effect + np.sqrt(1.0 - r * r) * cause)

    return Deviations(
        own.firm,
        given(own.change, law.firm_change_sd, later.change, after.firm_change_sd),
        own.person,
        given(own.residual, law.within_sd, later.residual, after.within_sd),
    )


def _dates(design: Design, persons: int, seed: int) -> pd.DatetimeIndex:
    """Days of the answers: the last Friday of each wave or up to two days later.

    The first wave is a week earlier, so that it is over before anything is announced.
    """
    waves = np.arange(len(design.effect_profile))
    friday = 7 * design.weeks_per_wave * (waves + 1) - 3 - 7 * (waves == 0)
    late = stream(seed, "survey.dates").integers(0, 2, (persons, waves.size), endpoint=True)
    days = np.datetime64(design.first_day) + (friday + late)
    return pd.DatetimeIndex(days.ravel().astype("datetime64[s]"))


def _answered(design: Design, persons: int, seed: int) -> BoolArray:
    waves = len(design.effect_profile)
    draws = stream(seed, "survey.nonresponse").random((persons, waves))
    return np.asarray((draws >= design.nonresponse_share) | (np.arange(waves) == 0)).ravel()
