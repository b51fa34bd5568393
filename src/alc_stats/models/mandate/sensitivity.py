"""What is left of an effect where trends were not parallel: robust intervals for the headline.

The event study is that of the headline: at every time since the start the cohorts have the weights
that they have in it, so that its sum is the overall effect to the last digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.group_time import GroupTimes, combined_values
from alc_stats.inference.group_time_summaries import covariance_of
from alc_stats.inference.parallel_trends import (
    EventStudy,
    Robust,
    breakdown_magnitude,
    inflated,
    relative_magnitudes,
)
from alc_stats.inference.smooth_trends import before_and_estimate, breakdown_smoothness, smoothness
from alc_stats.models.mandate.data import MandateData
from alc_stats.records import FloatArray, IntArray

MAGNITUDES = (0.5, 1.0, 2.0)
"""M of the lines: steps after are at most so many times the largest before."""
LEAST_SEEN = 0.5
"""Share of mandated firms that a period before the start must have to be used."""
_PER_PERIOD = 3
"""Degrees of freedom for every period before, for the weights of the smooth interval."""
_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sensitivity:
    """Robust intervals.

    Attributes
    ----------
    study : EventStudy
        Of the headline; its covariance is that of t intervals.
    magnitudes : tuple of Robust
        At `MAGNITUDES`.
    breakdown : float or None
        The largest M at which the decision stands; None where there is none to stand.
    first : Robust or None
        Of the first period under the mandate, at M = 1.
    straight : Robust or None
        If trends part along a straight line.
    bend : float
        The largest change of slope a period at which the smooth interval leaves zero out.
    smooth_study : EventStudy or None
        With as many periods before as there are degrees of freedom for.
    """

    study: EventStudy
    magnitudes: tuple[Robust, ...]
    breakdown: float | None
    first: Robust | None
    straight: Robust | None
    bend: float
    smooth_study: EventStudy | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Weights:
    """Of cells (K, m) at times before and after, and those of the times after in the headline."""

    before: FloatArray
    after: FloatArray
    overall: FloatArray


def sensitivity(
    data: MandateData,
    cells: GroupTimes,
    headline: Estimate,
    *,
    criterion: Criterion,
    orders: IntArray | None = None,
) -> Sensitivity | None:
    """Robust intervals for the headline; None where no period before shows how uneven trends are.

    Parameters
    ----------
    cells : GroupTimes
        All compared with the last period before the start (universal base).
    headline : Estimate
    criterion : Criterion
        Its level is that of intervals, and the decision it leads to is the one that may break.
    orders : array (B, n), optional
        Other assignments of the dates, the own one first; with few firms the covariance is taken
        from them.
    """
    weights = _weights(cells, data.anticipation)
    if weights is None or not math.isfinite(headline.se):
        return None
    level = 1.0 - criterion.alpha
    V, freedom = _covariance(data, cells, weights, headline, orders)
    study = _study(cells, weights, inflated(V, headline.df, level))
    if not study.se > 0.0:
        return None
    smooth = _smooth_study(cells, weights, V, min(float(freedom), headline.df), level)
    return Sensitivity(
        study, tuple(relative_magnitudes(study, m, level=level) for m in MAGNITUDES),
        _breakdown(study, headline, criterion), _first(study, data.anticipation, level),
        None if smooth is None else smoothness(smooth, 0.0, level=level),
        0.0 if smooth is None else breakdown_smoothness(smooth, level=level), smooth,
    )  # fmt: skip


def _weights(cells: GroupTimes, anticipation: int) -> _Weights | None:
    """Cohorts count by their size, and within the headline by the inverse of their periods."""
    event, share = cells.event, cells.shares
    under = event >= 0
    periods = np.array([np.sum(under & (cells.group == g)) for g in cells.group])
    counted = np.unique(cells.group[under])
    headline = np.where(under, share / np.maximum(periods, 1), 0.0)
    headline = headline / headline.sum()
    used = np.isin(cells.group, counted)
    after = _after(event, np.where(under, headline, share), used, -anticipation)
    before = _columns(event, share, used, -2 - anticipation, -1,
                      least=LEAST_SEEN * _whole(cells, counted))  # fmt: skip
    if before.shape[1] == 0 or np.any(under & used & ~np.any(after > 0.0, axis=1)):
        return None
    overall = np.array([headline[column > 0.0].sum() for column in after.T])
    return _Weights(before[:, ::-1], after, overall)


def _after(event: IntArray, weight: FloatArray, used: np.ndarray, first: int) -> FloatArray:
    """Means by weight (K, q) at all times from `first` to the last; 0 where none is asked about."""
    made = []
    for e in range(first, int(event[used].max()) + 1):
        own = np.where(used & (event == e), weight, 0.0)
        made.append(own / (own.sum() or 1.0))
    return np.column_stack(made)


def _whole(cells: GroupTimes, cohorts: IntArray) -> float:
    """Share of units in cohorts that are counted."""
    return float(np.mean(np.isin(cells.adoption, cohorts)))


def _columns(
    event: IntArray, weight: FloatArray, used: np.ndarray, first: int, step: int,
    least: float = 0.0,
) -> FloatArray:  # fmt: skip
    """Means by weight (K, m) at times from `first` on, until no cell is left (or too few)."""
    made, e = [], first
    while np.any(chosen := used & (event == e)) and weight[chosen].sum() >= least:
        made.append(np.where(chosen, weight, 0.0) / weight[chosen].sum())
        e += step
    return np.column_stack(made) if made else np.empty((len(event), 0))


def _covariance(
    data: MandateData, cells: GroupTimes, weights: _Weights, headline: Estimate,
    orders: IntArray | None,
) -> tuple[FloatArray, int]:  # fmt: skip
    """Of the times before and after, and its degrees of freedom.

    Scaled so that the headline has the error that it has: cohorts of one firm are taken together,
    and there their estimated shares count a little.
    """
    W = np.column_stack([weights.before, weights.after])
    if orders is None:
        V, freedom = covariance_of(cells, cells.influence @ W)
    else:
        V, freedom = _permuted_covariance(data, cells, W, headline, orders), int(headline.df)
    own = weights.overall @ V[-len(weights.overall) :, -len(weights.overall) :] @ weights.overall
    return V * (headline.se**2 / own if own > 0.0 else 1.0), freedom


def _permuted_covariance(
    data: MandateData, cells: GroupTimes, W: FloatArray, headline: Estimate, orders: IntArray
) -> FloatArray:
    """Mean products under other assignments of the dates, the effect taken out."""
    on = np.arange(len(data.periods))[None, :] >= data.adoption[:, None]
    others = combined_values(
        data.contrast - headline.value * on, orders[1:], cells, W,
        controls=data.question.controls, anticipation=data.anticipation,  # type: ignore[arg-type]
    )  # fmt: skip
    return others.T @ others / len(others)


def _study(cells: GroupTimes, weights: _Weights, V: FloatArray) -> EventStudy:
    return EventStudy(cells.value @ weights.before, cells.value @ weights.after, V, weights.overall)


def _smooth_study(
    cells: GroupTimes, weights: _Weights, V: FloatArray, df: float, level: float
) -> EventStudy | None:
    """With the last periods before the start only, where degrees of freedom are few.

    Weights on p periods are estimated with the covariance: like p - 1 covariates they make the
    variance look smaller than it is, by a known factor (Rao 1967, Proceedings of the Fifth
    Berkeley Symposium 1, 355-372).
    """
    p = weights.before.shape[1]
    kept = p if not math.isfinite(df) else min(p, int(df // _PER_PERIOD))
    if kept < 1:
        return None
    lost = df / (df - kept + 1.0) * (df - 1.0) / (df - kept) if math.isfinite(df) else 1.0
    recent = _Weights(weights.before[:, p - kept :], weights.after, weights.overall)
    V = lost * inflated(V[p - kept :, p - kept :], df, level)
    study = _study(cells, recent, V)
    sizes = np.linalg.eigvalsh(before_and_estimate(study))
    return study if sizes[0] > _SINGULAR * sizes[-1] else None


def _first(study: EventStudy, anticipation: int, level: float) -> Robust | None:
    """The first period under the mandate alone."""
    weights = np.zeros(len(study.weights))
    weights[anticipation] = 1.0
    own = EventStudy(study.before, study.after, study.covariance, weights)
    return relative_magnitudes(own, 1.0, level=level) if own.se > 0.0 else None


def _breakdown(study: EventStudy, headline: Estimate, criterion: Criterion) -> float | None:
    """The largest M up to which the interval leaves out what the decision leaves out."""
    if decide(headline, criterion).verdict not in ("supported", "contradicted", "equivalent"):
        return None
    values, level = _left_out(headline, criterion)
    return min(breakdown_magnitude(study, at=v, level=level) for v in values)


def _left_out(headline: Estimate, criterion: Criterion) -> tuple[tuple[float, ...], float]:
    """Values of the effect that the decision rules out, and the level of its interval."""
    delta, turn = criterion.smallest_effect, 1.0 if criterion.direction == "greater" else -1.0
    two, one = 1.0 - criterion.alpha, 1.0 - 2.0 * criterion.alpha
    verdict = decide(headline, criterion).verdict
    if verdict == "contradicted" or (criterion.rule == "superiority" and verdict == "supported"):
        return (0.0,), two
    if verdict == "equivalent" or criterion.rule == "equivalence":
        band = criterion.band or delta
        return (-band, band), one
    if criterion.rule == "minimum_effect":
        return (turn * delta,), two
    return (turn * delta if criterion.rule == "non_superiority" else -turn * delta,), one
