"""Leaving out one cluster after another: the interval of a function of sums over clusters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alc_stats.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Jackknifed:
    """A statistic and its limits; nan where it, or its limits, cannot be told."""

    value: float
    low: float
    high: float
    df: float

    def through(self, scale: Callable[[float], float]) -> Jackknifed:
        """Value and limits on another scale, which rises with this one."""
        return Jackknifed(scale(self.value), scale(self.low), scale(self.high), self.df)


def jackknifed(
    sums: FloatArray,
    statistic: Callable[[FloatArray], FloatArray],
    *,
    strata: IntArray | None = None,
    level: float = 0.95,
) -> Jackknifed:
    """A function of sums over clusters, with the variance from leaving out each in turn.

    Variances of strata add up; Student's t on one less than the clusters of the smallest (Efron
    and Stein 1981, Annals of Statistics 9, 586-596).

    Parameters
    ----------
    sums : array (G, m)
        What every cluster adds.
    statistic : callable
        From sums (b, m) to values (b,).
    strata : int array (G,), optional
    level : float

    Examples
    --------
    >>> own = np.array([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0], [5.0, 1.0]])
    >>> found = jackknifed(own, lambda s: s[:, 0] / s[:, 1])
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), found.df
    (3.0, 0.09, 5.91, 3.0)
    """
    from scipy import stats

    whole = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(whole[None])[0])
        without = statistic(whole - sums)
    groups = np.zeros(len(sums), dtype=np.int64) if strata is None else strata
    sizes = np.bincount(groups)
    df = float(sizes[sizes > 0].min() - 1)
    if df < 1.0 or not np.isfinite(without).all():
        return Jackknifed(value, math.nan, math.nan, df)
    own = [without[groups == g] for g in np.flatnonzero(sizes)]
    variance = sum(float((len(x) - 1) * np.var(x)) for x in own)
    half = float(stats.t.ppf(0.5 + level / 2.0, df)) * math.sqrt(variance)
    return Jackknifed(value, value - half, value + half, df)
