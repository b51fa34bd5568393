"""Usage events: a person's tokens of a wave, laid out over weeks, sessions and tasks.

The tokens of a person and wave are drawn first and then divided, so that the sum of the events is
the outcome `log_tokens` of the truth up to whole tokens.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.records import FloatArray
from alc_stats.simulate.population import ACCESS, MANDATE, IntArray, Population, scores
from alc_stats.simulate.streams import stream
from alc_stats.simulate.truth import Design, Truth, Usage

StringArray = np.ndarray[tuple[int, ...], np.dtype[np.str_]]

NOVELTY = ("familiar", "near", "far")
TOOLS = ("assistant", "agent")
"""Persons with full access have both, persons with basic access the first."""
MODELS = ("m1", "m2")
"""The default model before and after the platform event."""
FAMILIES = 12
WORKDAYS, FIRST_HOUR, HOURS = 5, 8, 10
HALF_DAY = HOURS * 3600 // 2
"""Seconds; the events of a person within half a day are one session."""


def usage_events(truth: Truth, population: Population, *, seed: int) -> pd.DataFrame:
    """One row an event, in order of time."""
    weeks = weekly_tokens(truth, population, seed=seed)
    cell = np.repeat(np.arange(weeks.size), _counts(truth, weeks, seed))
    person, week = np.divmod(cell, weeks.shape[1])
    rng = stream(seed, "events.time")
    second = _seconds(cell.size, rng)
    order = np.lexsort((person, second + week * 7 * 86_400))
    cell, person, week, second = (x[order] for x in (cell, person, week, second))
    bank = stream(seed, "events.bank").choice(
        len(NOVELTY), truth.usage.tasks, p=_novelty_shares(truth.usage)
    )
    task = stream(seed, "events.tasks").integers(truth.usage.tasks, size=cell.size)
    tokens_in, tokens_out = _tokens(cell, weeks, truth.usage, seed)
    quality = _quality(truth, population, weeks, (person, week, bank[task]), seed)
    first = pd.Timestamp(truth.design.first_day, tz="UTC").as_unit("s")
    return pd.DataFrame(
        {
            "event_id": [f"e{i + 1:07d}" for i in range(cell.size)],
            "person_id": population.people["person_id"].to_numpy()[person],
            "firm_id": population.people["firm_id"].to_numpy()[person],
            "timestamp": first + pd.to_timedelta(week * 7 * 86_400 + second, unit="s"),
            "tool": _tools(population, person, seed),
            "model_version": np.array(MODELS)[(week >= truth.usage.platform_week).astype(int)],
            "task_id": _labels("t", truth.usage.tasks, 4)[task],
            "task_family": _labels("family_", FAMILIES, 2)[task % FAMILIES],
            "novelty": np.array(NOVELTY)[bank[task]],
            "novelty_coded_at": first - pd.Timedelta(days=28),
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "session_id": _sessions(population, person, week, second),
            "quality": quality,
        }
    )


def weekly_tokens(truth: Truth, population: Population, *, seed: int) -> FloatArray:
    """Tokens of every person and week (P, T), before they are rounded to whole events."""
    design, usage, rng = truth.design, truth.usage, stream(seed, "usage.log_tokens")
    access = population.people["access_level"].eq(ACCESS[1]).to_numpy()
    log_tokens = scores(truth.log_tokens, population, rng) + usage.access * (access - 0.5)[:, None]
    noise = usage.week_log_sd * rng.standard_normal((*log_tokens.shape, design.weeks_per_wave))
    share = np.exp(noise) / np.exp(noise).sum(axis=-1, keepdims=True)
    tokens = bunched(
        np.exp(log_tokens)[..., None] * share,
        population.mandated,
        usage,
        stream(seed, "usage.bunching"),
    )
    return tokens.reshape(len(tokens), -1)


def bunched(
    tokens: FloatArray, mandated: FloatArray, usage: Usage, rng: np.random.Generator
) -> FloatArray:
    """Top up weeks that fall just short of the quota, from the other weeks of the same wave.

    Parameters
    ----------
    tokens : array (P, W, K)
        Tokens of K weeks a wave; their sum over a wave is kept.
    mandated : array (P, W)
        One where the quota holds.
    usage : Usage
        Quota, and share and width of bunching.
    rng : Generator
    """
    short = (tokens < usage.quota) & (tokens >= (1.0 - usage.bunching_width) * usage.quota)
    short &= (mandated > 0)[..., None]
    first = short & (np.cumsum(short, axis=-1) == 1)
    target = usage.quota * (1.0 + 0.02 * rng.random(tokens.shape))
    others = tokens.sum(axis=-1, keepdims=True) - tokens
    lifted = first & (rng.random(tokens.shape) < usage.bunching_share)
    lifted &= others > 2.0 * (target - tokens)
    need = np.where(lifted, target - tokens, 0.0).sum(axis=-1, keepdims=True)
    rest = np.where(lifted, others, 0.0).sum(axis=-1, keepdims=True)
    kept = 1.0 - np.divide(need, rest, out=np.zeros_like(need), where=rest > 0)
    return np.where(lifted, target, tokens * kept)


def _counts(truth: Truth, weeks: FloatArray, seed: int) -> IntArray:
    """Events of every person and week (P * T,), at least one."""
    more = truth.usage.event_elasticity * (np.log(weeks) - truth.usual_week)
    rate = np.maximum(truth.usage.events_per_week * np.exp(more) - 1.0, 0.0)
    return 1 + stream(seed, "events.counts").poisson(rate).ravel()


def _seconds(size: int, rng: np.random.Generator) -> IntArray:
    """Seconds since Monday midnight, in working hours."""
    day = rng.integers(WORKDAYS, size=size)
    return day * 86_400 + FIRST_HOUR * 3600 + rng.integers(HOURS * 3600, size=size)


def _tokens(
    cell: IntArray, weeks: FloatArray, usage: Usage, seed: int
) -> tuple[IntArray, IntArray]:
    """Divide the tokens of each week over its events, heavy-tailed, and into input and output."""
    rng = stream(seed, "events.tokens")
    weight = np.exp(usage.event_log_sd * rng.standard_normal(cell.size))
    total = weeks.ravel()[cell] * weight / np.bincount(cell, weight, weeks.size)[cell]
    whole = np.maximum(np.rint(total), 2.0)
    concentration = 8.0
    share = rng.beta(
        concentration * usage.input_share, concentration * (1.0 - usage.input_share), cell.size
    )
    tokens_in = np.clip(np.rint(share * whole), 1.0, whole - 1.0)
    return tokens_in.astype(np.int64), (whole - tokens_in).astype(np.int64)


def _quality(
    truth: Truth,
    population: Population,
    weeks: FloatArray,
    at: tuple[IntArray, IntArray, IntArray],
    seed: int,
) -> FloatArray:
    """Quality of events `at` person, week and novelty, 0-100, rounded to a tenth."""
    law, (person, week, novelty), rng = truth.quality, at, stream(seed, "events.quality")
    firm = law.firm_sd * rng.standard_normal(population.arms.size)
    level = law.mean + firm[population.firm] + law.person_sd * rng.standard_normal(len(weeks))
    mandated = population.mandated[person, week // truth.design.weeks_per_wave]
    slope = np.where(mandated > 0, law.slope_mandate, law.slope)
    value = (
        level[person]
        + slope * (np.log(weeks[person, week]) - truth.usual_week)
        + np.array([0.0, law.near, law.far])[novelty]
        + law.platform * (week >= truth.usage.platform_week)
        + law.event_sd * rng.standard_normal(person.size)
    )
    return np.asarray(np.clip(value, 0.0, 100.0).round(1))


def _novelty_shares(usage: Usage) -> tuple[float, float, float]:
    return 1.0 - usage.near_share - usage.far_share, usage.near_share, usage.far_share


def _tools(population: Population, person: IntArray, seed: int) -> StringArray:
    full = population.people["access_level"].eq(ACCESS[1]).to_numpy()[person]
    agent = stream(seed, "events.tools").random(person.size) < 0.5
    return np.asarray(TOOLS)[np.asarray(full & agent, dtype=np.int64)]


def _labels(prefix: str, size: int, digits: int) -> StringArray:
    return np.array([f"{prefix}{i + 1:0{digits}d}" for i in range(size)])


def _sessions(
    population: Population, person: IntArray, week: IntArray, second: IntArray
) -> StringArray:
    """Person, week and half-day of that week, as text."""
    half = second // 86_400 * 2 + (second % 86_400 - FIRST_HOUR * 3600) // HALF_DAY
    halves = WORKDAYS * 2
    weeks = int(week.max()) + 1
    slots = np.array([f"-w{w + 1:02d}-{h:02d}" for w in range(weeks) for h in range(halves)])
    people = population.people["person_id"].to_numpy(dtype=str)
    return np.asarray(np.char.add(people[person], slots[week * halves + half]))


def platform_events(truth: Truth) -> pd.DataFrame:
    """The default model changes for every tool on the same day."""
    return pd.DataFrame(
        {
            "event_id": [f"x{i + 1:02d}" for i in range(len(TOOLS))],
            "event_date": day(truth.design, truth.usage.platform_week),
            "tool": TOOLS,
            "from_model": MODELS[0],
            "to_model": MODELS[1],
        }
    )


def mandates(truth: Truth, population: Population) -> pd.DataFrame:
    """One row a firm; the quota is announced a week before it holds."""
    start = truth.design.weeks_per_wave
    mandated = {
        "mandate_type": "token",
        "quota": truth.usage.quota,
        "quota_unit": "token",
        "quota_period": "week",
        "announce_date": day(truth.design, start - 1),
        "start_date": day(truth.design, start),
        "enforcement": "monitored",
    }
    without = dict.fromkeys(mandated) | {"mandate_type": "none"}
    rows = [mandated if arm == MANDATE else without for arm in population.arms]
    frame = pd.DataFrame(rows).astype({"quota": float})
    frame.insert(0, "firm_id", population.firms)
    return frame


def day(design: Design, week: int) -> pd.Timestamp:
    """The Monday of a week, counted from zero."""
    return pd.Timestamp(design.first_day) + pd.Timedelta(weeks=week)
