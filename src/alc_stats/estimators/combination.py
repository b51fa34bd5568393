"""Linear combinations of coefficients, each with its own degrees of freedom.

A combination's degrees of freedom are not those of the coefficients in it: after
`y ~ arm*week + (1 | person)`, `arm` is told by persons and `arm - arm:week` partly by rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.fit import Fit
from alc_stats.estimators.lmm import LmmState
from alc_stats.estimators.memory import Memory
from alc_stats.estimators.small_sample import (
    kenward_roger_df,
    kenward_roger_of,
    satterthwaite_df,
)
from alc_stats.records import FloatArray

_SAME = 1e-8
"""Degrees of freedom this close are one number (lmerTest's tolerance)."""


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """Combinations of coefficients: values, standard errors, degrees of freedom, all (c,)."""

    values: FloatArray
    se: FloatArray
    df: FloatArray


@dataclass(frozen=True, slots=True)
class Denominator:
    """What an F test divides by: its degrees of freedom, and the factor on the statistic."""

    df: float
    scale: float = 1.0


def combine(fit: Fit, weights: FloatArray) -> Combined:
    """The combinations whose weights are the rows of `weights` (c, k)."""
    variances = np.einsum("ck,kl,cl->c", weights, fit.vcov, weights, optimize=True)
    return Combined(
        weights @ fit.estimates,
        np.sqrt(np.maximum(variances, 0.0)),
        combination_df(fit, weights),
    )


def combination_df(fit: Fit, weights: FloatArray) -> FloatArray:
    """Degrees of freedom (c,) of the combinations whose weights are the rows of `weights` (c, k).

    Satterthwaite's or Kenward and Roger's of the very combination for mixed models that ask for
    them, those of CR2 and CR3, as long as the fit remembers its rows. Otherwise the smallest
    among the coefficients involved: exact where they agree, else conservative.
    """
    state = _state(fit)
    if state is not None and fit.request.df == "satterthwaite":
        return satterthwaite_df(state, weights)
    if state is not None and fit.request.df == "kenward-roger":
        return kenward_roger_df(state, weights, kenward_roger_of(state))
    spread = fit.memory.spread if isinstance(fit.memory, Memory) else None
    if spread is not None and fit.request.df == "satterthwaite":
        return spread.satterthwaite_df(weights)
    robust = fit.memory.robust if isinstance(fit.memory, Memory) else None
    if robust is not None and fit.request.df == "satterthwaite":
        # a coefficient that one cluster determines has no degrees of freedom, nor what holds it
        untold = ((weights != 0.0) & np.isnan(fit.df)).any(axis=1)
        return np.where(untold, np.nan, robust.df(weights))
    return np.asarray(np.where(weights != 0.0, fit.df, np.inf).min(axis=1))


def denominator(fit: Fit, weights: FloatArray) -> Denominator:
    """Of the F test that the combinations `weights` (c, k), of full rank, are all zero.

    Satterthwaite's degrees of freedom of several combinations are those of Fai and Cornelius
    (1996) as lmerTest computes them; Kenward and Roger's come with their factor on F. Otherwise
    the smallest among the coefficients involved.
    """
    state = _state(fit)
    spread = fit.memory.spread if isinstance(fit.memory, Memory) else None
    if (state or spread) is not None and fit.request.df == "satterthwaite":
        directions = np.linalg.eigh(weights @ fit.vcov @ weights.T).eigenvectors
        return Denominator(_fai_cornelius(combination_df(fit, directions.T @ weights)))
    if state is not None and fit.request.df == "kenward-roger":
        return _kenward_roger(state, weights)
    if len(weights) == 1:
        return Denominator(float(combination_df(fit, weights)[0]))
    return Denominator(float(fit.df[np.any(weights != 0.0, axis=0)].min()))


def _state(fit: Fit) -> LmmState | None:
    """The state whose variance parameters the fit's covariance rests on."""
    remembers = isinstance(fit.memory, Memory) and fit.request.covariance == "model"
    return fit.memory.state if remembers else None


def _fai_cornelius(own: FloatArray) -> float:
    """Degrees of freedom of the mean of squared t's with `own` (c,) degrees of freedom each."""
    if np.isinf(own).all():
        return float("inf")
    if np.ptp(own) < _SAME:
        return float(own.mean())
    if own.min() <= 2.0:
        return 2.0
    expected = float(np.sum(1.0 / (1.0 - 2.0 / own)))
    return 2.0 * expected / (expected - len(own))


def _kenward_roger(state: LmmState, weights: FloatArray) -> Denominator:
    """Kenward and Roger (1997), section 3: F's mean and variance match a scaled F's."""
    corrected = kenward_roger_of(state)
    L = weights @ state.scales.fixed.basis.back
    q = len(L)
    half = L @ corrected.unscaled
    inverse = np.linalg.inv(half @ L.T)
    turned = np.einsum("ab,bi,kij,cj->kac", inverse, half, corrected.P, half, optimize=True)
    traces = np.einsum("kaa->k", turned)
    A1 = float(traces @ corrected.W @ traces)
    A2 = float(np.einsum("kl,kab,lba->", corrected.W, turned, turned, optimize=True))
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c = np.array([g, q - g, q + 2 - g]) / (3.0 * q + 2.0 * (1.0 - g))
    spread = (1.0 + c[0] * B) / ((1.0 - c[1] * B) ** 2 * (1.0 - c[2] * B))
    rho = spread * (1.0 - A2 / q) ** 2 / q
    df = 4.0 + (q + 2.0) / (q * rho - 1.0)
    return Denominator(df, df * (1.0 - A2 / q) / (df - 2.0))
