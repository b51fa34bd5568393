"""Graded tasks: their quality, what they needed, and what was used beyond it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.records import FloatArray
from alc_stats.simulate.population import IntArray
from alc_stats.simulate.quota_people import HONEST, KINDS, People
from alc_stats.simulate.quota_truth import QuotaTruth
from alc_stats.simulate.quota_weeks import Weeks
from alc_stats.simulate.streams import stream

MODELS = ("m1", "m2", "m3")


def tasks_table(
    truth: QuotaTruth, population: People, drawn: Weeks, *, seed: int
) -> pd.DataFrame:  # fmt: skip
    """One row a graded task; every person has the same number in every week."""
    each = truth.design.tasks_per_week
    persons, weeks = drawn.tokens.shape
    cell = np.repeat(np.arange(persons * weeks), each)
    person, week = np.divmod(cell, weeks)
    difficulty = stream(seed, "quotas.difficulty").standard_normal(cell.size).round(2)
    quality = _quality(truth, population, drawn, (person, week, difficulty), seed)
    model = _models(truth, week, seed)
    needed = _needed(truth, quality, difficulty, model, seed)
    used = needed * np.exp(_waste(truth, population, (person, week), seed))
    tokens_in, tokens_out = _split(truth, used, seed)
    first = pd.Timestamp(truth.design.first_day)
    day = week * 7 + stream(seed, "quotas.day").integers(0, 5, cell.size)
    return pd.DataFrame(
        {
            "task_id": [f"t{i + 1:06d}" for i in range(cell.size)],
            "person_id": np.array(population.person_ids)[person],
            "firm_id": np.array(population.firm_ids)[population.firm[person]],
            "week": week,
            "date": first + pd.to_timedelta(day, unit="D"),
            "model_version": np.array(MODELS)[model],
            "difficulty": difficulty,
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "kept_tokens": np.maximum(np.rint(truth.task_tokens.kept_share * needed), 1.0).astype(
                np.int64
            ),
            "quality": quality,
        }
    )


def _quality(
    truth: QuotaTruth,
    population: People,
    drawn: Weeks,
    at: tuple[IntArray, IntArray, FloatArray],
    seed: int,
) -> FloatArray:
    """Quality of tasks `at` person, week and difficulty, 0-100, rounded to a tenth."""
    law, (person, week, difficulty), rng = truth.quality, at, stream(seed, "quotas.quality")
    firm = law.firm_sd * rng.standard_normal(population.start.size)
    own = law.person_sd * rng.standard_normal(population.firm.size)
    kind = law.honest * (population.of_kind(HONEST)[:, 0] - truth.design.honest_share)
    usual = law.mean + firm[population.firm] + own + kind
    weekly = slopes(truth, population) * drawn.use + law.slope_accepted * drawn.accepted_use
    value = (
        usual[person]
        + weekly[person, week]
        + law.difficulty * difficulty
        + law.task_sd * rng.standard_normal(person.size)
    )
    return np.asarray(np.clip(value, 0.0, 100.0).round(1))


def slopes(truth: QuotaTruth, population: People) -> FloatArray:
    """Slope of quality on log tokens of each person's weeks (P, T)."""
    law = truth.quality
    under = np.array([law.slope_honest, law.slope_gamer, law.slope_ordinary])
    assert under.size == len(KINDS)
    mandated = population.mandated[population.firm]
    return np.asarray(np.where(mandated, under[population.kind][:, None], law.slope))


def _models(truth: QuotaTruth, week: IntArray, seed: int) -> IntArray:
    """Any model that there is in the week, all equally often."""
    there = np.where(week >= truth.task_tokens.new_model_week, len(MODELS), len(MODELS) - 1)
    return np.asarray(stream(seed, "quotas.model").integers(0, there), dtype=np.int64)


def _needed(
    truth: QuotaTruth, quality: FloatArray, difficulty: FloatArray, model: IntArray, seed: int
) -> FloatArray:
    law = truth.task_tokens
    log = law.constant + law.quality * quality + law.difficulty * difficulty
    noise = law.noise_sd * stream(seed, "quotas.noise").standard_normal(quality.size)
    return np.asarray(np.exp(log + np.asarray(law.models)[model] + noise))


def _waste(
    truth: QuotaTruth, population: People, at: tuple[IntArray, IntArray], seed: int
) -> FloatArray:
    """Log tokens beyond what was needed."""
    law, (person, week) = truth.task_tokens, at
    m = population.mandated[population.firm[person], week]
    sd = law.waste_sd * np.exp(law.waste_log_sd_ratio * m)
    return np.asarray(np.abs(sd * stream(seed, "quotas.waste").standard_normal(week.size)))


def _split(truth: QuotaTruth, used: FloatArray, seed: int) -> tuple[IntArray, IntArray]:
    """Whole tokens in and out, at least one each."""
    whole, concentration = np.maximum(np.rint(used), 2.0), 12.0
    share = stream(seed, "quotas.split").beta(
        concentration * truth.task_tokens.input_share,
        concentration * (1.0 - truth.task_tokens.input_share),
        used.size,
    )
    tokens_in = np.clip(np.rint(share * whole), 1.0, whole - 1.0)
    return tokens_in.astype(np.int64), (whole - tokens_in).astype(np.int64)
