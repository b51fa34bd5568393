"""A person's weeks under a quota: tokens, prompts, accepted answers, awareness, capability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.records import FloatArray
from alc_stats.simulate.population import IntArray
from alc_stats.simulate.quota_people import GAMER, HONEST, People
from alc_stats.simulate.quota_truth import Gaming, QuotaTruth, WeekLaw
from alc_stats.simulate.streams import stream


@dataclass(frozen=True, slots=True, eq=False)
class Weeks:
    """P persons by T weeks.

    Attributes
    ----------
    tokens, lift : array (P, T)
        Tokens of the week, and how many of them filled it up to the quota.
    padding : array (P, T)
        Share of tokens that are padding.
    use, accepted_use : array (P, T)
        How far log tokens (without effects of the mandate) and log accepted answers lie from the
        person's usual ones.
    log_accepted : array (P, T)
    """

    tokens: FloatArray
    lift: FloatArray
    padding: FloatArray
    use: FloatArray
    accepted_use: FloatArray
    log_accepted: FloatArray


def weeks(truth: QuotaTruth, population: People, *, seed: int) -> Weeks:
    """Draw what persons use in a week, and what of it was accepted."""
    log_tokens, use, effect = _log_tokens(truth, population, seed)
    before = np.exp(log_tokens)
    lift = topped_up(before, population, truth.gaming, seed)
    tokens = before + lift
    gamer = population.of_kind(GAMER)
    kept = np.exp(np.where(population.mandated[population.firm], -effect, 0.0) * gamer)
    log_accepted, accepted_use = _week_law(truth.log_accepted, truth, population, "accepted", seed)
    return Weeks(tokens, lift, 1.0 - kept * before / tokens, use, accepted_use, log_accepted)


def _log_tokens(
    truth: QuotaTruth, population: People, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log tokens before topping up, the person's own part of the week, and the effect; (P, T)."""
    law, rng = truth.log_tokens, stream(seed, "quotas.log_tokens")
    firms, persons = population.start.size, population.firm.size
    firm = law.firm_sd * rng.standard_normal((firms, 1))
    firm_week = law.firm_week_sd * rng.standard_normal((firms, population.weeks))
    person = law.person_sd * rng.standard_normal((persons, 1))
    use = law.within_sd * rng.standard_normal((persons, population.weeks))
    effect = effects(truth, population)
    of_firm = law.mean + law.drift * population.week + firm + firm_week + effect
    own = law.honest * population.of_kind(HONEST) + person + use
    return of_firm[population.firm] + own, use, effect[population.firm]


def effects(truth: QuotaTruth, population: People) -> FloatArray:
    """Log tokens that the mandate adds to each firm's weeks (F, T)."""
    law = truth.log_tokens
    growth = np.array([*law.growth, 0.0])[population.cohort][:, None]
    since = np.where(population.mandated, population.week - population.start[:, None], 0)
    under = population.mandated * (law.step + growth * since**2)
    return np.asarray(under + law.announced * population.announced)


def topped_up(tokens: FloatArray, population: People, law: Gaming, seed: int) -> FloatArray:
    """Tokens (P, T) that gamers just short of the quota add, zero elsewhere."""
    rng = stream(seed, "quotas.topped_up")
    quota = population.quota[population.firm][:, None]
    short = (tokens < quota) & (tokens >= (1.0 - law.width) * quota)
    short &= population.mandated[population.firm] & (population.of_kind(GAMER) > 0)
    filled = short & (rng.random(tokens.shape) < law.topped_up_share)
    target = quota * (1.0 + law.overshoot * rng.random(tokens.shape))
    return np.where(filled, target - tokens, 0.0)


def _week_law(
    law: WeekLaw, truth: QuotaTruth, population: People, name: str, seed: int
) -> tuple[FloatArray, FloatArray]:
    """An outcome of persons and weeks, and the part that tells a person's weeks apart; (P, T)."""
    rng = stream(seed, f"quotas.{name}")
    firm = law.firm_sd * rng.standard_normal((population.start.size, 1))
    person = law.person_sd * rng.standard_normal((population.firm.size, 1))
    within = law.within_sd * rng.standard_normal((population.firm.size, population.weeks))
    kind = law.honest * (population.of_kind(HONEST) - truth.design.honest_share)
    m = population.mandated[population.firm]
    spread = np.exp(law.log_sd_ratio * m)
    y = law.mean + law.mandate * m + firm[population.firm] + spread * (kind + person + within)
    return np.asarray(y), np.asarray(within)


def weeks_table(
    truth: QuotaTruth, population: People, drawn: Weeks, *, seed: int
) -> pd.DataFrame:  # fmt: skip
    """One row a person and week."""
    persons = population.firm.size
    prompts, repeats = _prompts(truth.gaming, drawn, seed)
    scores = {
        name: _week_law(getattr(truth, name), truth, population, name, seed)[0]
        for name in ("awareness", "capability")
    }
    late = _late(truth.gaming, drawn, seed)
    tokens = np.rint(drawn.tokens)
    columns = {
        "tokens": tokens.astype(np.int64),
        "tokens_late": np.minimum(np.rint(late), tokens).astype(np.int64),
        "prompts": prompts,
        "repeat_prompts": repeats,
        "accepted": np.maximum(np.rint(np.exp(drawn.log_accepted)), 1.0).astype(np.int64),
        **{name: np.clip(y, 0.0, 100.0).round(1) for name, y in scores.items()},
    }
    return pd.DataFrame(
        {
            "person_id": np.repeat(population.person_ids, population.weeks),
            "firm_id": np.repeat(np.array(population.firm_ids)[population.firm], population.weeks),
            "week": np.tile(population.week, persons),
            **{name: values.ravel() for name, values in columns.items()},
        }
    )


def _prompts(law: Gaming, drawn: Weeks, seed: int) -> tuple[IntArray, IntArray]:
    """Prompts of each week, and how many of them repeat an earlier one; (P, T).

    Counts are quantiles of uniform draws, so that a person without the mandate draws the same.
    """
    rng, shape = stream(seed, "quotas.prompts"), drawn.tokens.shape
    prompts = 1.0 + stats.poisson.ppf(rng.random(shape), drawn.tokens / law.tokens_per_prompt)
    logit = np.log(law.repeat_share / (1.0 - law.repeat_share))
    own = logit + law.repeat_logit_sd * rng.standard_normal((shape[0], 1))
    usual = 1.0 / (1.0 + np.exp(-own))
    share = usual + (1.0 - usual) * drawn.padding
    repeats = stats.binom.ppf(rng.random(shape), prompts, share)
    return prompts.astype(np.int64), repeats.astype(np.int64)


def _late(law: Gaming, drawn: Weeks, seed: int) -> FloatArray:
    """Tokens of the week's last day: a share of the usual ones, and all that was topped up."""
    rng, concentration = stream(seed, "quotas.late"), 10.0
    share = rng.beta(
        concentration * law.late_share, concentration * (1.0 - law.late_share), drawn.tokens.shape
    )
    return np.asarray(share * (drawn.tokens - drawn.lift) + drawn.lift)
