"""The Hessian of the profiled deviance: exact for one grouping factor, else by differences."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.kernels.lmm_deviance import Objective, Solution, covariance_scores
from alc_stats.estimators.kernels.lmm_model import Evaluation
from alc_stats.estimators.kernels.lmm_nested import Nested
from alc_stats.records import BoolArray, FloatArray

_DIFFERENCE = 6e-6
"""Relative step of central differences: the cube root of the rounding unit."""
_SMALL = 0.1
"""Parameters below this are stepped as if they were this."""


def is_exact(objective: Objective) -> bool:
    """Whether `hessian` costs about one evaluation and no digits."""
    return isinstance(objective.statistics, Nested) and objective.statistics.single


def hessian(objective: Objective, theta: FloatArray, free: BoolArray) -> FloatArray:
    """Second derivatives (f, f) of the deviance in the free parameters."""
    if is_exact(objective):
        evaluation, solution = objective.at(theta)
        return exact_hessian(objective, theta, evaluation, solution)[np.ix_(free, free)]
    return differenced_hessian(objective, theta, free)


def differenced_hessian(objective: Objective, theta: FloatArray, free: BoolArray) -> FloatArray:
    """Central differences of the analytic gradient."""
    rows = []
    for k in np.flatnonzero(free):
        h = _DIFFERENCE * max(abs(theta[k]), _SMALL)
        up, down = theta.copy(), theta.copy()
        up[k] += h
        down[k] -= h
        slope = objective.gradient(up)[free] - objective.gradient(down)[free]
        rows.append(slope / (up[k] - down[k]))
    return _symmetric(np.array(rows).reshape(len(rows), len(rows)))


def exact_hessian(
    objective: Objective, theta: FloatArray, evaluation: Evaluation, solution: Solution
) -> FloatArray:
    """Second derivatives (k, k) of the deviance for a single grouping factor.

    With S_k = dSigma / dtheta_k, R_k = W'V^-1 G_k V^-1 W for G_k = Z (I x S_k) Z', and the
    solution's weight B:

        - tr(V^-1 G_k V^-1 G_l) + 2 <B, W'V^-1 G_k V^-1 G_l V^-1 W>
        - tr(C R_k C R_l) [REML] - 2 d c'R_k C R_l c / r^2 - d c'R_k c c'R_l c / r^4
        + <T - <B, cross>, d^2 Sigma / dtheta_k dtheta_l>,

    where C is (X'V^-1 X)^-1 among the fixed columns, c = (-beta, 1), d the degrees of freedom. With
    a known residual variance d / r^2 is its inverse, and the term in 1 / r^4 is not there.
    """
    statistics, form = objective.statistics, objective.template
    if not isinstance(statistics, Nested):
        raise TypeError("the exact Hessian needs a single grouping factor")
    (lam,), k = form.unpack(theta), len(theta)
    q, w = len(lam), len(evaluation.inner)
    second = statistics.second_order(lam, solution.weight)
    S = np.zeros((k, q, q))
    S[np.arange(k), form.row] = lam[:, form.column].T
    slopes = (S + S.swapaxes(1, 2)).reshape(k, q * q)
    R = (slopes @ evaluation.cross[0].reshape(q * q, w * w)).reshape(k, w, w)
    pairs = 2.0 * second.weighted - second.traces
    H = _symmetric(slopes @ pairs.reshape(q * q, q * q) @ slopes.T)
    p, sigma2 = w - 1, solution.sigma2
    applied = R @ solution.contrast
    if objective.reml:
        turned = solution.unscaled @ R[:, :p, :p]
        H -= np.einsum("kij,lji->kl", turned, turned)
    fixed = applied[:, :p]
    H -= 2.0 / sigma2 * fixed @ solution.unscaled @ fixed.T
    if solution.known is None:
        drop = applied @ solution.contrast / sigma2
        H -= np.outer(drop, drop) / solution.degrees
    score = covariance_scores(evaluation, solution.weight)[0]
    same = form.column[:, None] == form.column[None]
    return np.asarray(H + np.where(same, 2.0 * score[np.ix_(form.row, form.row)], 0.0))


def _symmetric(A: FloatArray) -> FloatArray:
    return np.asarray((A + A.T) / 2.0)
