"""Distances from the line of a quantile, with an error that knows the line was estimated."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import optimize, stats

from alc_stats.errors import FitError, Problem
from alc_stats.records import FloatArray


def distances(y: FloatArray, X: FloatArray, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Distances from the line, and what every row adds to the error of the line's coefficients.

    Returns
    -------
    away : array (n,)
        Residuals; negative below the line.
    influence : array (n, p)
        Their sum over rows is zero but for rounding; sums over clusters, squared, are the
        covariance of the coefficients (Powell 1991, with a normal kernel).

    Raises
    ------
    FitError
        Where hardly any value lies near the line, so that its error is not determined.

    References
    ----------
    Koenker (2005), Quantile Regression, sections 3.4 and 4.10.
    """
    away = y - X @ _line(y, X, quantile)
    near = stats.norm.pdf(away / (h := _bandwidth(away, quantile))) / h
    curvature = (X * near[:, None]).T @ X
    if np.linalg.cond(curvature) > 1e12:
        raise FitError(Problem("hardly any value lies near the quantile's line",
                               where="frontier, quantile", found=f"{quantile:g}"))  # fmt: skip
    pull = X * (quantile - (away < 0.0))[:, None]
    return away, np.asarray(pull @ np.linalg.inv(curvature))


def _line(y: FloatArray, X: FloatArray, quantile: float) -> FloatArray:
    """Reweighted least squares; where they go round in circles, the linear programme."""
    from statsmodels.regression.quantile_regression import QuantReg
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, IterationLimitWarning

    with warnings.catch_warnings():
        for circling in (ConvergenceWarning, IterationLimitWarning):
            warnings.simplefilter("error", circling)
        try:
            return np.asarray(QuantReg(y, X).fit(q=quantile).params, dtype=float)
        except (ConvergenceWarning, IterationLimitWarning):
            return programmed_line(y, X, quantile)


def programmed_line(y: FloatArray, X: FloatArray, quantile: float) -> FloatArray:
    """The line (p,) by the dual linear programme, exact and slower.

    References
    ----------
    Koenker (2005), Quantile Regression, section 6.2.
    """
    dual = optimize.linprog(-y, A_eq=X.T, b_eq=(1.0 - quantile) * X.sum(axis=0), bounds=(0.0, 1.0))
    return -np.asarray(dual.eqlin.marginals, dtype=float)


def _bandwidth(away: FloatArray, quantile: float) -> float:
    """Hall and Sheather (1988), in the units of the residuals."""
    n, z = len(away), stats.norm.ppf(quantile)
    share = n ** (-1 / 3) * stats.norm.ppf(0.975) ** (2 / 3) * (
        1.5 * stats.norm.pdf(z) ** 2 / (2.0 * z**2 + 1.0)
    ) ** (1 / 3)  # fmt: skip
    share = min(share, 0.9 * quantile, 0.9 * (1.0 - quantile))
    low, high = stats.norm.ppf([quantile - share, quantile + share])
    middle = np.subtract(*np.quantile(away, [0.75, 0.25])) / 1.34
    return float(min(away.std(), middle) * (high - low))
