"""The Hessian of the profiled deviance: exact for one factor or crossed ones, else differenced."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.kernels.lmm_deviance import (
    Objective,
    Solution,
    Template,
    covariance_scores,
)
from alc_stats.estimators.kernels.lmm_model import Evaluation
from alc_stats.estimators.kernels.lmm_nested import second_order_of_levels
from alc_stats.records import BoolArray, FloatArray

_DIFFERENCE = 6e-6
"""Relative step of central differences: the cube root of the rounding unit."""
_SMALL = 0.1
"""Parameters below this are stepped as if they were this."""


def is_exact(objective: Objective, theta: FloatArray) -> bool:
    """Whether `hessian` costs about one evaluation and no digits there."""
    return objective.statistics.has_second_order(objective.template.unpack(theta))


def hessian(
    objective: Objective,
    theta: FloatArray,
    free: BoolArray,
    at: tuple[Evaluation, Solution] | None = None,
) -> FloatArray:
    """Second derivatives (f, f) of the deviance in the free parameters.

    `at` is what `objective.at(theta)` returned, where it is at hand.
    """
    if is_exact(objective, theta):
        evaluation, solution = objective.at(theta) if at is None else at
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
    """Second derivatives (k, k) of the deviance, where the statistics have second-order products.

    With S_k = dSigma / dtheta_k, R_k = W'V^-1 G_k V^-1 W for G_k = Z (I x S_k) Z', and the
    solution's weight B:

        - tr(V^-1 G_k V^-1 G_l) + 2 <B, W'V^-1 G_k V^-1 G_l V^-1 W>
        - tr(C R_k C R_l) [REML] - 2 d c'R_k C R_l c / r^2 - d c'R_k c c'R_l c / r^4
        + <T - <B, cross>, d^2 Sigma / dtheta_k dtheta_l>,

    where C is (X'V^-1 X)^-1 among the fixed columns, c = (-beta, 1), d the degrees of freedom. With
    a known residual variance d / r^2 is its inverse, and the term in 1 / r^4 is not there.
    """
    form = objective.template
    lam = form.unpack(theta)
    if not objective.statistics.has_second_order(lam):
        raise ValueError("there are no second-order products at this theta")
    slopes = _slopes(form, lam)
    second = (
        objective.statistics.second_order(lam, solution.weight, slopes)
        if evaluation.by_level is None
        else second_order_of_levels(*evaluation.by_level, solution.weight, slopes[0])
    )
    R = np.concatenate(
        [np.einsum("kab,abij->kij", S, G) for S, G in zip(slopes, evaluation.cross, strict=True)]
    )
    H = _symmetric(2.0 * second.weighted - second.traces)
    p, sigma2 = R.shape[1] - 1, solution.sigma2
    applied = R @ solution.contrast
    if objective.reml:
        turned = solution.unscaled @ R[:, :p, :p]
        H -= np.einsum("kij,lji->kl", turned, turned)
    fixed = applied[:, :p]
    H -= 2.0 / sigma2 * fixed @ solution.unscaled @ fixed.T
    if solution.known is None:
        drop = applied @ solution.contrast / sigma2
        H -= np.outer(drop, drop) / solution.degrees
    return np.asarray(H + _bend(form, covariance_scores(evaluation, solution.weight)))


def _slopes(form: Template, lam: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    """Derivative of every factor's covariance in its parameters, (k_f, q, q) each."""
    found = []
    for f, L in enumerate(lam):
        own = form.factor == f
        S = np.zeros((int(own.sum()), *L.shape))
        S[np.arange(len(S)), form.row[own]] = L[:, form.column[own]].T
        found.append(S + S.swapaxes(1, 2))
    return tuple(found)


def _bend(form: Template, scores: tuple[FloatArray, ...]) -> FloatArray:
    """What the covariances' own second derivatives add: two parameters of one column each."""
    found = np.zeros((len(form.row), len(form.row)))
    for f, score in enumerate(scores):
        own = form.factor == f
        same = np.outer(own, own) & (form.column[:, None] == form.column[None])
        rows = np.where(own, form.row, 0)
        found += np.where(same, 2.0 * score[np.ix_(rows, rows)], 0.0)
    return found


def _symmetric(A: FloatArray) -> FloatArray:
    return np.asarray((A + A.T) / 2.0)
