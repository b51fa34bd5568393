"""Logistic regression without random effects by Newton's iteration, on orthonormal columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.kernels.lmm_search import Optimum
from alc_stats.estimators.kernels.logistic_law import Outcomes, slopes
from alc_stats.records import BoolArray, FloatArray

_ARRIVED = 1e-20
_STALLED = 1e-10
_STEPS = 60
_EXTREME = 15.0
"""Log odds beyond which rows are looked at for separation: a probability of 3 in 10 million."""


@dataclass(frozen=True, slots=True)
class Regression:
    """Where the iteration ended.

    Attributes
    ----------
    optimum : Optimum
        `theta` are the coefficients.
    finite : bool
        Whether it came to rest well within the log odds that data can tell apart.
    """

    optimum: Optimum
    finite: bool


def regress(outcomes: Outcomes, X: FloatArray) -> Regression:
    """Coefficients (p,) that maximise the likelihood of columns X (n, p), X'X = n I.

    Newton's iteration with halved steps: the log-likelihood is concave, so that it arrives
    wherever there is a maximum.
    """
    beta, eta = np.zeros(X.shape[1]), np.zeros(len(X))
    value, last = _deviance(outcomes, eta), np.inf
    for _ in range(_STEPS):
        slope = slopes(outcomes, eta)
        gradient = -2.0 * (slope.residual @ X)
        hessian = 2.0 * (X.T @ (X * slope.weight[:, None]))
        step = -_solved(hessian, gradient)
        decrement = -float(gradient @ step)
        stalled = last / 2.0 < decrement < _STALLED
        if not np.isfinite(decrement) or decrement <= _ARRIVED * len(X) or stalled:
            break
        last, share = decrement, 1.0
        while share > 1e-6:
            there = _deviance(outcomes, eta + share * (X @ step))
            if there <= value + 1e-9 * abs(value):
                break
            share /= 2.0
        beta, value = beta + share * step, there
        eta = X @ beta
    scale = np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    curvature = np.linalg.eigvalsh(hessian / np.outer(scale, scale))
    free: BoolArray = np.ones(len(beta), dtype=bool)
    deviance = value - 2.0 * outcomes.constant
    optimum = Optimum(
        beta, free, deviance, gradient, hessian, curvature, decrement, step, float("inf")
    )
    arrived = bool(decrement < _STALLED * len(X))
    return Regression(optimum, arrived and float(np.abs(eta).max()) < _EXTREME)


def _deviance(outcomes: Outcomes, eta: FloatArray) -> float:
    return -2.0 * float(outcomes.log_density(eta).sum())


def _solved(hessian: FloatArray, gradient: FloatArray) -> FloatArray:
    """A step that also serves where separated rows leave hardly any curvature."""
    return np.asarray(np.linalg.lstsq(hessian, gradient, rcond=1e-14)[0])
