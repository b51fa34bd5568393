"""The Hessian of the profiled deviance: exact for one grouping factor, else by differences."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.kernels.lmm_deviance import Objective, Solution, covariance_scores
from alc_stats.estimators.kernels.lmm_model import Evaluation
from alc_stats.estimators.kernels.lmm_nested import Nested
from alc_stats.estimators.kernels.lmm_stage import times, transposed
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
        return exact_hessian(objective, theta, evaluation, solution)[free][:, free]
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

    where C is (X'V^-1 X)^-1 among the fixed columns, c = (-beta, 1), d the degrees of freedom.
    """
    if evaluation.by_level is None:
        raise TypeError("the exact Hessian needs a single grouping factor")
    form = objective.template
    (lam,), k = form.unpack(theta), len(theta)
    q, w = len(lam), len(evaluation.inner)
    S = np.zeros((k, q, q))
    S[np.arange(k), form.row] = lam[:, form.column].T
    slopes = (S + S.swapaxes(1, 2)).reshape(k, q * q)
    R = (slopes @ evaluation.cross[0].reshape(q * q, w * w)).reshape(k, w, w)
    H = _symmetric(slopes @ _pairs(*evaluation.by_level, solution.weight) @ slopes.T)
    p, degrees, residual = w - 1, solution.degrees, solution.residual
    applied = R @ solution.contrast
    if objective.reml:
        turned = solution.unscaled @ R[:, :p, :p]
        H -= np.einsum("kij,lji->kl", turned, turned)
    fixed = applied[:, :p]
    H -= 2.0 * degrees / residual * fixed @ solution.unscaled @ fixed.T
    drop = applied @ solution.contrast / residual
    H -= degrees * np.outer(drop, drop)
    score = covariance_scores(evaluation, solution.weight)[0]
    same = form.column[:, None] == form.column
    return np.asarray(H + 2.0 * same * score[form.row][:, form.row])


def _pairs(root: FloatArray, score: FloatArray, weight: FloatArray) -> FloatArray:
    """Sum over levels of K_j[b, c] (2 G_j B G_j' - K_j)[a, d] at [ab, cd] (q q, q q).

    K_j = root'root and G_j = score of a level, B = weight (w, w).
    """
    q, _, J = score.shape
    K = times(transposed(root), root)
    own = 2.0 * times(score, transposed(np.matmul(weight, score))) - K
    products = K.reshape(q * q, J) @ own.reshape(q * q, J).T
    return products.reshape(q, q, q, q).transpose(2, 0, 1, 3).reshape(q * q, q * q)


def _symmetric(A: FloatArray) -> FloatArray:
    return np.asarray((A + A.T) / 2.0)
