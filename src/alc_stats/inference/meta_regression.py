"""Random-effects meta-regression of estimates that each have a known sampling variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.records import FloatArray

_STEPS = 200
_DONE = 1e-12
"""Change of the heterogeneity variance, relative to the variances, at which the search ends."""


@dataclass(frozen=True, slots=True, eq=False)
class MetaRegression:
    """Coefficients with Knapp and Hartung's covariance.

    Attributes
    ----------
    estimates : array (k,)
    vcov : array (k, k)
    df : int
        Estimates less coefficients.
    tau2 : float
        Variance of what the columns do not explain beyond sampling error, by REML.
    """

    estimates: FloatArray
    vcov: FloatArray
    df: int
    tau2: float

    def coefficient(self, i: int, *, name: str, unit: str = "") -> Estimate:
        """One coefficient with its t reference."""
        return Estimate(
            name, float(self.estimates[i]), float(np.sqrt(self.vcov[i, i])), float(self.df), unit
        )


def meta_regression(y: FloatArray, variance: FloatArray, x: FloatArray) -> MetaRegression:
    """REML meta-regression with Knapp and Hartung's (2003) standard errors.

    Parameters
    ----------
    y : array (n,)
        Estimates.
    variance : array (n,)
        Their sampling variances, positive.
    x : array (n, k)
        Columns, an intercept among them if one is wanted.

    Raises
    ------
    FitError
        If there are no more estimates than columns.

    References
    ----------
    Knapp, G., & Hartung, J. (2003). Improved tests for a random effects meta-regression with a
    single covariate. Statistics in Medicine, 22, 2693-2710.

    Examples
    --------
    >>> y, v = np.array([0.1, 0.3, 0.2, 0.6]), np.full(4, 0.01)
    >>> round(float(meta_regression(y, v, np.ones((4, 1))).estimates[0]), 6)
    0.3
    """
    n, k = x.shape
    if n <= k:
        raise FitError(
            Problem(
                "a meta-regression needs more estimates than columns",
                found=f"{n} estimates, {k} columns",
            )
        )
    tau2 = _reml(y, variance, x)
    weight = 1.0 / (variance + tau2)
    bread = np.linalg.inv(x.T @ (weight[:, None] * x))
    beta = bread @ (x.T @ (weight * y))
    scale = float(np.sum(weight * (y - x @ beta) ** 2)) / (n - k)
    return MetaRegression(beta, np.asarray(scale * bread, dtype=float), n - k, tau2)


def _reml(y: FloatArray, variance: FloatArray, x: FloatArray) -> float:
    """Fisher scoring on the restricted likelihood; a step below zero stops at zero."""
    tau2 = max(0.0, float(np.var(y, ddof=1) - variance.mean()))
    for _ in range(_STEPS):
        weight = 1.0 / (variance + tau2)
        wx = weight[:, None] * x
        p = np.diag(weight) - wx @ np.linalg.solve(x.T @ wx, wx.T)
        py = p @ y
        step = float(py @ py - np.trace(p)) / float(np.sum(p * p))
        moved = max(0.0, tau2 + step)
        if abs(moved - tau2) <= _DONE * (float(variance.mean()) + tau2):
            return moved
        tau2 = moved
    return tau2
