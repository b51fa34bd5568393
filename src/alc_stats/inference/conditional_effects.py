"""The effect on the treated of two groups' changes, covariates held, with influence functions.

Sant'Anna and Zhao (2020), Journal of Econometrics 219, 101-122: outcome regression, weighting by
the odds of treatment, and both at once, which is right if either model is.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.records import FloatArray

Conditional = Literal["regression", "weighting", "doubly_robust"]
_STEPS = 50
_SMALL = 1e-10
_LARGEST_ODDS = 1e4
"""Treated units unlike any control; weighting cannot compare them."""


def conditional_effect(
    change: FloatArray, treated: np.ndarray, X: FloatArray, method: Conditional
) -> tuple[float, FloatArray]:
    """Value and influence functions (n,).

    Parameters
    ----------
    change : array (n,)
    treated : array (n,) of bool
    X : array (n, k)
        With an intercept.
    method : {"regression", "weighting", "doubly_robust"}

    Raises
    ------
    FitError
        With fewer controls than covariates, dependent covariates, or no overlap.
    """
    d = treated.astype(float)
    fitted: FloatArray = np.zeros(len(d))
    ols: FloatArray = np.zeros_like(X)
    if method != "weighting":
        fitted, ols = _outcome_model(change, d, X)
    if method == "regression":
        return _regression(change, d, X, fitted, ols)
    odds, logit = _propensity(d, X)
    return _weighted(change - fitted, d, X, odds, logit, ols)


def _outcome_model(
    change: FloatArray, d: FloatArray, X: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Changes expected without treatment, and what each unit contributes to the coefficients."""
    among = (1.0 - d)[:, None] * X
    gram = _inverse(among.T @ X / len(d), "outcome regression")
    beta = gram @ (among.T @ change) / len(d)
    fitted = X @ beta
    return fitted, (among * (change - fitted)[:, None]) @ gram


def _regression(
    change: FloatArray, d: FloatArray, X: FloatArray, fitted: FloatArray, ols: FloatArray
) -> tuple[float, FloatArray]:
    share = d.mean()
    value = float(np.mean(d * (change - fitted)) / share)
    psi = d * (change - fitted - value) - ols @ np.mean(d[:, None] * X, axis=0)
    return value, psi / share


def _weighted(
    rest: FloatArray, d: FloatArray, X: FloatArray, odds: FloatArray, logit: FloatArray,
    ols: FloatArray,
) -> tuple[float, FloatArray]:  # fmt: skip
    """Treated against controls weighted by their odds of treatment."""
    w = odds * (1.0 - d)
    up, down = np.mean(d * rest) / d.mean(), np.mean(w * rest) / w.mean()
    treat = d * (rest - up) - ols @ np.mean(d[:, None] * X, axis=0)
    away = w * (rest - down)
    cont = away + logit @ np.mean(away[:, None] * X, axis=0) - ols @ np.mean(w[:, None] * X, axis=0)
    return float(up - down), treat / d.mean() - cont / w.mean()


def _propensity(d: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Odds of treatment by logistic regression, and contributions to its coefficients."""
    beta = np.zeros(X.shape[1])
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(X @ beta, -30.0, 30.0)))
        inverse = _inverse((X * (p * (1 - p))[:, None]).T @ X / len(d), "model of treatment")
        step = inverse @ (X.T @ (d - p)) / len(d)
        beta = beta + step
        if np.max(np.abs(step)) < _SMALL:
            break
    else:
        raise FitError(Problem("the model of treatment separates the groups", way_out=_APART))
    odds = np.exp(X @ beta)
    if odds[d == 0.0].max() > _LARGEST_ODDS:
        raise FitError(Problem("treated and control units do not overlap", way_out=_APART))
    return odds, ((d - p)[:, None] * X) @ inverse


_APART = "Use fewer covariates, method='regression', or units that are comparable."


def _inverse(matrix: FloatArray, what: str) -> FloatArray:
    if np.linalg.cond(matrix) > 1.0 / _SMALL:
        raise FitError(Problem(
            f"the covariates are not identified in the {what} of a cohort",
            way_out="Use fewer covariates, centred and scaled, or cohorts with more units.",
        ))  # fmt: skip
    return np.asarray(np.linalg.inv(matrix), dtype=float)
