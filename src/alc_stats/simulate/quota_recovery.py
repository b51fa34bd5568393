"""What a truth of quotas implies, and elementary estimates of it from simulated tables.

The estimates share nothing with the models of the study: they are means, differences of means and
sums of products. What has no closed form (how much a mandate moves log tokens once weeks are topped
up, what excess costs) is counted on the same persons without the mandate or without waste.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alc_stats.records import BoolArray, FloatArray
from alc_stats.simulate.quota_people import GAMER, HONEST, KINDS, NEVER, ORDINARY, People, people
from alc_stats.simulate.quota_tasks import MODELS
from alc_stats.simulate.quota_truth import HALF_NORMAL_MEAN, QuotaTruth, without_mandate
from alc_stats.simulate.quota_weeks import Weeks, weeks
from alc_stats.simulate.quotas import quotas
from alc_stats.simulate.recovery import beside_a_line

Tables = Mapping[str, pd.DataFrame]


def implied(truth: QuotaTruth) -> dict[str, float]:
    """What `recovered` estimates, computed from the truth; the same names in the same order."""
    q, d, law = truth.quality, truth.design, truth.task_tokens
    return {
        "design.honest_share": d.honest_share,
        "design.gamer_share": d.gamer_share,
        "log_tokens.effect": truth.effect_on_tokens,
        "log_tokens.honest": truth.log_tokens.honest,
        "log_tokens.within_variance": truth.log_tokens.within_sd**2,
        "gaming.topped_up_share": truth.gaming.topped_up_share,
        "awareness.mandate": truth.awareness.mandate,
        "capability.mandate": truth.capability.mandate,
        "capability.log_sd_ratio": truth.capability.log_sd_ratio,
        "gap.mandate": truth.awareness.mandate - truth.capability.mandate,
        "quality.mandate": 0.0,
        "quality.honest": q.honest,
        "quality.slope": q.slope,
        "quality.slope_honest": q.slope_honest,
        "quality.slope_gamer": q.slope_gamer,
        "quality.slope_ordinary": q.slope_ordinary,
        "quality.slope_under": truth.slope_under,
        "quality.slope_accepted": q.slope_accepted,
        "quality.slope_accepted_under": q.slope_accepted,
        "task_tokens.quality": law.quality,
        "task_tokens.difficulty": law.difficulty,
        **{f"task_tokens.{m}": x for m, x in zip(MODELS[1:], law.models[1:], strict=True)},
        "task_tokens.mean_waste": law.mean_waste(mandate=False),
        "task_tokens.mean_waste_mandate": law.mean_waste(mandate=True),
        "task_tokens.waste_effect": law.mean_waste(mandate=True) - law.mean_waste(mandate=False),
        "task_tokens.input_share": law.input_share,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One simulated study with all that the generator knows of it.

    Attributes
    ----------
    tables : mapping
    twin : mapping
        Of the same persons without the mandate.
    spared : mapping
        Of the same persons without any waste.
    population : People
    weeks : Weeks
    """

    tables: Tables
    twin: Tables
    spared: Tables
    population: People
    weeks: Weeks


def drawn(truth: QuotaTruth, *, seed: int) -> Drawn:
    """A study, its potential outcomes, and who did what in it."""
    thrifty = replace(truth, task_tokens=replace(truth.task_tokens, waste_sd=0.0))
    population = people(truth, seed=seed)
    return Drawn(
        quotas(truth, seed=seed),
        quotas(without_mandate(truth), seed=seed),
        quotas(thrifty, seed=seed),
        population,
        weeks(truth, population, seed=seed),
    )


def recovered(of: Drawn, truth: QuotaTruth) -> dict[str, float]:
    """Estimate what `implied` names from one simulated study."""
    return {
        **_shares(of.population),
        **_tokens(of, truth),
        **_scores(of),
        **_quality(of),
        **_tasks(of),
    }


def counted(of: Drawn, truth: QuotaTruth) -> dict[str, float]:
    """What has no closed form, by counting, and what a study can see of it, by elementary means.

    `effect_on_tokens` is that of the mandate on log tokens with all that is topped up, and
    `two_way_fixed_effects` what a regression with effects of firms and weeks makes of it.
    `topped_up_share` is the share of weeks just short that were topped up, whoever's they are, and
    `excess_bins` how many those are in weeks that would have lain in two hundredths of the quota;
    `seen_` are the same from a straight line between both sides of the quota. `tokens.` and
    `accepted.` are slopes of quality within persons and periods, `moments.` the excess from the
    skewness of least-squares residuals.
    """
    p, T = of.population, of.population.weeks
    with_mandate, without = (_of_firms(t["person_week"], "tokens", p) for t in (of.tables, of.twin))
    effect = np.where(p.mandated, with_mandate - without, 0.0)
    per_firm = effect.sum(axis=1) / np.maximum(p.mandated.sum(axis=1), 1)
    quality = of.tables["task"].groupby(["person_id", "week"])["quality"].mean().to_numpy()
    slopes = {
        name: _observed_slopes(
            np.log(_square(of.tables["person_week"], name, T)), quality.reshape(-1, T), p
        )
        for name in ("tokens", "accepted")
    }
    return {
        "effect_on_tokens": float(per_firm[p.start != NEVER].mean()),
        "two_way_fixed_effects": _two_way(with_mandate, p.mandated),
        **_gathered(of, truth),
        **{f"{name}.{cell}": x for name, own in slopes.items() for cell, x in own.items()},
        **_by_moments(of),
    }


def _gathered(of: Drawn, truth: QuotaTruth) -> dict[str, float]:
    p, law = of.population, truth.gaming
    own, under = p.quota[p.firm][:, None], p.mandated[p.firm]
    before = (of.weeks.tokens - of.weeks.lift) / own - 1.0
    short = under & (before < 0.0) & (before >= -law.width)
    beyond = under & (before >= 0.0) & (before < 2.0 * law.overshoot)
    lifted = int((of.weeks.lift > 0.0).sum())
    ratio = _square(of.tables["person_week"], "tokens", p.weeks) / own - 1.0
    never = np.broadcast_to((p.start == NEVER)[p.firm][:, None], ratio.shape)
    seen = [beside_a_line(ratio[rows], law.width, law.overshoot) for rows in (under, never)]
    return {
        "topped_up_share": lifted / int(short.sum()),
        "excess_bins": lifted / (int(beyond.sum()) / 2.0),
        "seen_topped_up_share": seen[0][0] - seen[1][0],
        "seen_excess_bins": seen[0][1] - seen[1][1],
    }


def _by_moments(of: Drawn) -> dict[str, float]:
    """The SD of the excess from the third moment of residuals (Olson, Schmidt and Waldman 1980)."""
    X, y = _design(of)
    under = X[:, 1] == 1.0
    sds = []
    for rows in (~under, under):
        own = np.delete(X[rows], 1, axis=1)
        residual = y[rows] - own @ np.linalg.lstsq(own, y[rows], rcond=None)[0]
        third = float(np.mean(residual**3))
        sds.append((third / (HALF_NORMAL_MEAN * (4.0 / math.pi - 1.0))) ** (1.0 / 3.0))
    without, with_mandate = (HALF_NORMAL_MEAN * sd for sd in sds)
    return {
        "moments.mean_waste": without,
        "moments.mean_waste_mandate": with_mandate,
        "moments.log_sd_ratio": math.log(sds[1] / sds[0]),
    }


def _design(of: Drawn) -> tuple[FloatArray, FloatArray]:
    """Constant, mandate, quality, difficulty and models of each task; its log tokens."""
    task, p = of.tables["task"], of.population
    week = task["week"].to_numpy()
    under = p.mandated[np.repeat(p.firm, len(task) // p.firm.size), week].astype(float)
    others = [(task["model_version"] == m).to_numpy(dtype=float) for m in MODELS[1:]]
    X = np.column_stack([np.ones(len(task)), under, task["quality"], task["difficulty"], *others])
    return X, np.log((task["tokens_in"] + task["tokens_out"]).to_numpy(dtype=float))


def _shares(p: People) -> dict[str, float]:
    return {
        "design.honest_share": float((p.kind == HONEST).mean()),
        "design.gamer_share": float((p.kind == GAMER).mean()),
    }


def _tokens(of: Drawn, truth: QuotaTruth) -> dict[str, float]:
    p, T = of.population, of.population.weeks
    lifted = np.log(of.weeks.tokens / (of.weeks.tokens - of.weeks.lift))
    y = np.log(_square(of.tables["person_week"], "tokens", T)) - lifted
    plain = np.log(_square(of.twin["person_week"], "tokens", T))
    law, own = truth.gaming, p.quota[p.firm][:, None]
    before = of.weeks.tokens - of.weeks.lift
    short = p.mandated[p.firm] & (p.of_kind(GAMER) > 0)
    short &= (before < own) & (before >= (1.0 - law.width) * own)
    return {
        "log_tokens.effect": difference_in_differences(_means(y, p), p),
        "log_tokens.honest": _honest(plain.mean(axis=1), p),
        "log_tokens.within_variance": _within_variance(plain, p),
        "gaming.topped_up_share": float((of.weeks.lift[short] > 0.0).mean()),
    }


def _scores(of: Drawn) -> dict[str, float]:
    p, T = of.population, of.population.weeks
    awareness, capability = (
        _square(of.tables["person_week"], name, T) for name in ("awareness", "capability")
    )
    effects = [difference_in_differences(_means(y, p), p) for y in (awareness, capability)]
    return {
        "awareness.mandate": effects[0],
        "capability.mandate": effects[1],
        "capability.log_sd_ratio": difference_in_differences(_log_sds(capability, p), p),
        "gap.mandate": effects[0] - effects[1],
    }


def _quality(of: Drawn) -> dict[str, float]:
    p, T = of.population, of.population.weeks
    task, twin = (
        t["task"].groupby(["person_id", "week"])["quality"].mean().to_numpy().reshape(-1, T)
        for t in (of.tables, of.twin)
    )
    under = p.mandated[p.firm]
    use, accepted = of.weeks.use, of.weeks.accepted_use
    kinds = dict(zip(KINDS, (HONEST, GAMER, ORDINARY), strict=True))
    by_kind = {
        f"quality.slope_{name}": _slope(use, task, under & (p.of_kind(kind) > 0))
        for name, kind in kinds.items()
    }
    return {
        "quality.mandate": difference_in_differences(_means(task, p), p),
        "quality.honest": _honest(twin.mean(axis=1), p),
        "quality.slope": _slope(use, task, ~under),
        **by_kind,
        "quality.slope_under": _slope(use, task, under),
        "quality.slope_accepted": _slope(accepted, task, ~under),
        "quality.slope_accepted_under": _slope(accepted, task, under),
    }


def _tasks(of: Drawn) -> dict[str, float]:
    """Least squares with a step under the mandate; mean waste beside the same tasks without any."""
    task, spared = of.tables["task"], of.spared["task"]
    X, tokens = _design(of)
    waste = tokens - np.log((spared["tokens_in"] + spared["tokens_out"]).to_numpy(dtype=float))
    b, under = np.linalg.lstsq(X, tokens, rcond=None)[0], X[:, 1]
    share = task["tokens_in"] / (task["tokens_in"] + task["tokens_out"])
    return {
        "task_tokens.quality": float(b[2]),
        "task_tokens.difficulty": float(b[3]),
        **{f"task_tokens.{m}": float(x) for m, x in zip(MODELS[1:], b[4:], strict=True)},
        "task_tokens.mean_waste": float(waste[under == 0.0].mean()),
        "task_tokens.mean_waste_mandate": float(waste[under == 1.0].mean()),
        "task_tokens.waste_effect": float(b[1]),
        "task_tokens.input_share": float(share.mean()),
    }


# -- the elementary estimates --------------------------------------------------------------------


def difference_in_differences(y: FloatArray, p: People) -> float:
    """Mean over cohorts, by their firms, of each one's mean over its weeks; `y` is (F, T).

    The change since the last week before the announcement, less that of never-mandated firms.
    """
    values, sizes = [], []
    for start in np.unique(p.start[p.start != NEVER]):
        own, base = p.start == start, start - p.notice - 1
        change = y[:, start:] - y[:, [base]]
        values.append((change[own].mean(axis=0) - change[p.start == NEVER].mean(axis=0)).mean())
        sizes.append(int(own.sum()))
    return float(np.average(values, weights=sizes))


def _two_way(y: FloatArray, mandated: BoolArray) -> float:
    """Slope of (F, T) on being under a mandate, both about the means of firms and of weeks."""
    D = mandated.astype(float)
    away = D - D.mean(axis=1, keepdims=True) - D.mean(axis=0) + D.mean()
    return float((away * y).sum() / (away * away).sum())


def _square(table: pd.DataFrame, column: str, weeks: int) -> FloatArray:
    """Persons by weeks (P, T)."""
    return np.asarray(table[column].to_numpy(dtype=float).reshape(-1, weeks))


def _of_firms(table: pd.DataFrame, column: str, p: People) -> FloatArray:
    """Firms' means of logs (F, T)."""
    return _means(np.log(_square(table, column, p.weeks)), p)


def _means(y: FloatArray, p: People) -> FloatArray:
    members = np.eye(p.start.size)[p.firm].T
    return np.asarray(members @ y / members.sum(axis=1, keepdims=True))


def _log_sds(y: FloatArray, p: People) -> FloatArray:
    """Log SD of the persons of each firm and week (F, T)."""
    sizes = np.bincount(p.firm)[:, None]
    away = y - _means(y, p)[p.firm]
    squares = _means(away**2, p) * sizes / (sizes - 1.0)
    return np.asarray(0.5 * np.log(squares))


def _honest(y: FloatArray, p: People) -> float:
    return float(y[p.kind == HONEST].mean() - y[p.kind != HONEST].mean())


def _within_variance(y: FloatArray, p: People) -> float:
    """About the means of persons and of firms' weeks; each firm is a layout of its own."""
    away = y - _means(y, p)[p.firm]
    away = away - away.mean(axis=1, keepdims=True)
    free = (p.firm.size - p.start.size) * (p.weeks - 1)
    return float((away**2).sum() / free)


def _slope(x: FloatArray, y: FloatArray, where: BoolArray) -> float:
    """Of y on x about a person's means, over the weeks `where` (P, T)."""
    n = np.maximum(where.sum(axis=1, keepdims=True), 1)
    dx, dy = (where * (a - (where * a).sum(axis=1, keepdims=True) / n) for a in (x, y))
    return float((dx * dy).sum() / (dx * dx).sum())


def _observed_slopes(x: FloatArray, y: FloatArray, p: People) -> dict[str, float]:
    """Slopes as a study can see them, about means of a person's period and a cohort's week.

    Never-mandated firms have the middle firm's start.
    """
    middle = np.median(p.start[p.start != NEVER])
    treated = (p.start != NEVER)[p.firm][:, None]
    post = np.where(treated, p.mandated[p.firm], p.week >= middle)
    dx, dy = x.copy(), y.copy()
    for _ in range(3):
        for cohort in np.unique(p.cohort):
            own = p.cohort[p.firm] == cohort
            dx[own] -= dx[own].mean(axis=0)
            dy[own] -= dy[own].mean(axis=0)
        for period in (False, True):
            here = post == period
            n = np.maximum(here.sum(axis=1, keepdims=True), 1)
            for a in (dx, dy):
                a -= here * ((here * a).sum(axis=1, keepdims=True) / n)

    def slope(where: BoolArray) -> float:
        return float((dx * dy * where).sum() / (dx * dx * where).sum())

    cells = {
        "before": slope(treated & ~post),
        "after": slope(treated & post),
        "never_before": slope(~treated & ~post),
        "never_after": slope(~treated & post),
    }
    left = cells["before"] + cells["never_after"] - cells["never_before"]
    return cells | {"loss": 1.0 - cells["after"] / left}
