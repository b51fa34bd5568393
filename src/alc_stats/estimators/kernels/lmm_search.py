"""The search: quasi-Newton to the neighbourhood, Newton to the last digit.

The deviance depends on the columns of lam only up to their signs, so the search is free and the
diagonal is made non-negative afterwards. By the same symmetry its gradient vanishes wherever a
diagonal entry is zero, minimum or not; whether zero is right is therefore read from the
derivative in the covariance itself (the Karush-Kuhn-Tucker conditions of a semidefinite matrix).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, optimize

from alc_stats.estimators.kernels.lmm_curvature import exact_hessian, hessian, is_exact
from alc_stats.estimators.kernels.lmm_deviance import Objective, Template, covariance_scores
from alc_stats.records import BoolArray, FloatArray

START = 0.6
"""Standard deviation of every standardised random column relative to sigma at the start."""
OUTWARD = 1e-8
"""A derivative at zero above minus this share of its largest part does not call for a variance."""
_PERHAPS_ZERO = 0.05
"""Diagonal entries below this are tried at zero; the derivative decides."""
_FLAT = 1e-8
"""A curvature below this share of its diagonal cannot be told from the noise of differences."""
_MOVED = 1e-7
"""The Hessian is taken again if Newton steps went further than this share of theta."""
_CONVEX = 0.05
"""Least scaled curvature a descent counts with."""
_LONGEST = 0.7
"""Longest step beside the largest parameter: a step through zero only mirrors a column."""
_NEAR = 1e-6
"""Decrement at which the quadratic neighbourhood is reached and the polish takes over."""
_ARRIVED = 1e-10
"""Decrement above which another descent is tried."""
_SMALL = 0.1
"""A parameter this far from zero is taken for this far when only its size matters."""
_ROUNDING = 4.0 * float(np.finfo(float).eps)
_POLISH_STEPS = 12
_DESCENT_STEPS = 60
_RESTARTS = 4


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where the search ended, on the standardised scale.

    Attributes
    ----------
    theta : array (k,)
        Diagonal entries >= 0; exactly zero on the boundary.
    free : array (k,)
        Parameters not held at zero by the boundary.
    deviance : float
    gradient, hessian : arrays (f,), (f, f)
        Of the deviance, over the free parameters.
    curvature : array (f,)
        Eigenvalues of the Hessian with its diagonal scaled to one.
    decrement : float
        gradient' hessian^-1 gradient: twice the drop in deviance that a Newton step promises.
    last_step : array (f,)
        That Newton step: the distance to the optimum as far as arithmetic can tell.
    pull : float
        Least eigenvalue of the deviance's derivative in the covariance over the directions held
        at zero, as a share of its size; >= 0 at a minimum, inf where nothing is held.
    """

    theta: FloatArray
    free: BoolArray
    deviance: float
    gradient: FloatArray
    hessian: FloatArray
    curvature: FloatArray
    decrement: float
    last_step: FloatArray
    pull: float


def search(objective: Objective, start: FloatArray | None = None) -> Optimum:
    """Minimise the deviance; the answer says how sure it is, not only where it ended."""
    form = objective.template
    theta = np.where(form.diagonal, START, 0.0) if start is None else start.copy()
    every: BoolArray = np.ones(len(theta), dtype=bool)
    for _ in range(_RESTARTS):
        theta = upright(form, _descend(objective, theta, every))
        theta, free = _settle(objective, theta)
        found = _polish(objective, theta, free)
        found = replace(found, pull=pull(objective, found.theta, free))
        if found.pull >= -OUTWARD and found.decrement < _ARRIVED:
            break
        theta = _lifted(form, found.theta, free)
    return found


def nearby(objective: Objective, theta: FloatArray) -> FloatArray:
    """A minimum (k,) near theta, its last digits not asked for."""
    form = objective.template
    if theta.size == 0:
        return theta
    if is_exact(objective) and np.all(theta[form.diagonal] > _PERHAPS_ZERO):
        every: BoolArray = np.ones(len(theta), dtype=bool)
        found = upright(form, _newton_descent(objective, theta, every))
        if np.all(found[form.diagonal] > _PERHAPS_ZERO):
            return found
    return search(objective, theta).theta


def upright(form: Template, theta: FloatArray) -> FloatArray:
    """The same covariance with a non-negative diagonal."""
    signs = {
        (f, b): -1.0 if value < 0.0 else 1.0
        for value, f, a, b in zip(theta, form.factor, form.row, form.column, strict=True)
        if a == b
    }
    flips = [signs[f, b] for f, b in zip(form.factor, form.column, strict=True)]
    return np.asarray(theta * np.array(flips))


def pull(objective: Objective, theta: FloatArray, free: BoolArray) -> float:
    """Least relative derivative of the deviance in variances that are held at zero."""
    if free.all():
        return float("inf")
    form = objective.template
    evaluation, solution = objective.at(theta)
    scores = covariance_scores(evaluation, solution.weight)
    lam = form.unpack(theta)
    least = float("inf")
    for number, (f, first, size) in enumerate(form.blocks):
        if free[form.block == number].all():
            continue
        own = slice(first, first + size)
        null = linalg.null_space(lam[f][own, own].T, rcond=1e-10)
        size_of = float(np.abs(np.diag(evaluation.trace[f])[own]).max())
        values = np.linalg.eigvalsh(null.T @ scores[f][own, own] @ null)
        least = min(least, float(values[0]) / size_of)
    return least


def _descend(objective: Objective, theta: FloatArray, free: BoolArray) -> FloatArray:
    """From anywhere to the neighbourhood of a minimum, over the free parameters."""
    if is_exact(objective):
        return _newton_descent(objective, theta, free)
    return _quasi_newton_descent(objective, theta, free)


def _quasi_newton_descent(objective: Objective, theta: FloatArray, free: BoolArray) -> FloatArray:
    """BFGS from the expected curvature of groups that are all alike."""
    metric = _first_metric(objective, theta)[free]
    whole = np.zeros_like(theta)

    def restricted(part: FloatArray) -> tuple[float, FloatArray]:
        whole[free] = part
        value, gradient = objective.value_and_gradient(whole)
        return value, gradient[free]

    found = optimize.minimize(
        restricted,
        theta[free],
        jac=True,
        method="BFGS",
        options={"gtol": 1e-6 * float(np.sqrt(metric.max())), "hess_inv0": np.diag(1.0 / metric)},
    )
    whole[free] = found.x
    return whole


def _first_metric(objective: Objective, theta: FloatArray) -> FloatArray:
    """Expected second derivatives (k,) if all levels' Z_j'V^-1 Z_j were diagonal and equal."""
    form = objective.template
    evaluation, _ = objective.at(theta)
    found = np.empty(len(theta))
    for k, (f, a, b) in enumerate(zip(form.factor, form.row, form.column, strict=True)):
        trace = np.diag(evaluation.trace[f])
        pivot = max(
            abs(theta[(form.factor == f) & (form.row == b) & (form.column == b)][0]), _SMALL
        )
        found[k] = (4.0 if a == b else 2.0) * pivot**2 * trace[a] * trace[b] / form.levels[f]
    return np.asarray(np.maximum(found, 1e-8 * found.max()))


def _newton_descent(objective: Objective, theta: FloatArray, free: BoolArray) -> FloatArray:
    """Damped Newton with the exact Hessian, its downward curvature walked down."""
    theta = theta.copy()
    now = objective.at(theta)
    for _ in range(_DESCENT_STEPS):
        gradient = objective.gradient_of(theta, *now)[free]
        H = exact_hessian(objective, theta, *now)[np.ix_(free, free)]
        longest = _LONGEST * max(float(np.abs(theta).max()), _PERHAPS_ZERO)
        step, decrement, convex = _descent_step(H, gradient, longest)
        if decrement < _NEAR and convex:
            break
        share = 1.0
        while True:
            trial = theta.copy()
            trial[free] += share * step
            then = objective.at(trial)
            if then[1].deviance <= now[1].deviance + 1e-4 * share * float(gradient @ step):
                break
            share /= 4.0
            if share < _ROUNDING:
                return theta
        theta, now = trial, then
    return theta


def _descent_step(
    H: FloatArray, gradient: FloatArray, longest: float
) -> tuple[FloatArray, float, bool]:
    """Newton's step with every curvature counted upward; its decrement; whether all were."""
    scale, values, vectors = _scaled_vectors(H)
    along = vectors.T @ (gradient / scale)
    ratio = along / np.maximum(np.abs(values), _CONVEX)
    step = -(vectors @ ratio) / scale
    size = float(np.abs(step).max())
    return step * min(1.0, longest / max(size, 1e-300)), float(along @ ratio), values[0] > _CONVEX


def _settle(objective: Objective, theta: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Hold at zero the standard deviations that belong there."""
    form = objective.template
    free: BoolArray = np.ones(len(theta), dtype=bool)
    for k in np.flatnonzero(form.diagonal & (theta < _PERHAPS_ZERO)):
        trial, still_free = held(form, theta, free, int(k))
        if still_free.any():
            trial = _descend(objective, trial, still_free)
        worse = objective.at(trial)[1].deviance - objective.at(theta)[1].deviance
        if worse <= 1e-10 * objective.rows and pull(objective, trial, still_free) >= -OUTWARD:
            theta, free = upright(form, trial), still_free
    return theta, free


def held(
    form: Template, theta: FloatArray, free: BoolArray, k: int
) -> tuple[FloatArray, BoolArray]:
    """Parameter k, a diagonal entry, and its column held at zero, the covariance else kept.

    Rows of lam are re-expressed in an orthonormal basis that gets no new direction from held
    rows; the column below a zero pivot would only repeat later columns.
    """
    block = form.block == form.block[k]
    f, first, size = form.blocks[form.block[k]]
    still = free & ~(block & (form.column == form.column[k]))
    lam = form.unpack(theta)
    own = slice(first, first + size)
    pivots = {int(a) - first for a in form.row[still & block & form.diagonal]}
    lam[f][own, own] = _echelon(lam[f][own, own], pivots)
    return np.where(still, form.pack(lam), 0.0), still


def _echelon(lam: FloatArray, pivots: set[int]) -> FloatArray:
    """A factor (q, q) with lam lam' kept but for the own parts of rows that are no pivots."""
    basis: dict[int, FloatArray] = {}
    found = np.zeros_like(lam)
    for a in range(len(lam)):
        left = lam[a].copy()
        for b, direction in basis.items():
            found[a, b] = left @ direction
            left -= found[a, b] * direction
        length = float(np.linalg.norm(left))
        if a in pivots and length > 0.0:
            found[a, a] = length
            basis[a] = left / length
    return found


def _lifted(form: Template, theta: FloatArray, free: BoolArray) -> FloatArray:
    """A start away from a zero that is no minimum."""
    return np.where(~free & form.diagonal, START / 2.0, theta)


def _polish(objective: Objective, theta: FloatArray, free: BoolArray) -> Optimum:
    """Newton steps on the free parameters until they are rounding."""
    value, gradient = objective.value_and_gradient(theta)
    H, anchor = hessian(objective, theta, free), theta
    step, decrement = _newton_step(H, gradient[free])
    for _ in range(_POLISH_STEPS):
        if np.abs(step).max(initial=0.0) <= _ROUNDING * np.abs(theta).max():
            break
        moved = theta.copy()
        moved[free] += step
        new_value, new_gradient = objective.value_and_gradient(moved)
        new_step, new_decrement = _newton_step(H, new_gradient[free])
        if not new_decrement < decrement:
            break
        theta, value, gradient = moved, new_value, new_gradient
        step, decrement = new_step, new_decrement
        if np.linalg.norm(theta - anchor) > _MOVED * np.linalg.norm(theta):
            H, anchor = hessian(objective, theta, free), theta
            step, decrement = _newton_step(H, gradient[free])
    return Optimum(
        theta=theta,
        free=free,
        deviance=value,
        gradient=gradient[free],
        hessian=H,
        curvature=_scaled_vectors(H)[1],
        decrement=decrement,
        last_step=step,
        pull=float("inf"),
    )


def _newton_step(hessian: FloatArray, gradient: FloatArray) -> tuple[FloatArray, float]:
    """Step and decrement; flat directions stay, downward curvature is walked down."""
    scale, values, vectors = _scaled_vectors(hessian)
    along = vectors.T @ (gradient / scale)
    usable = np.abs(values) > _FLAT
    ratio = np.divide(along, np.abs(values), out=np.zeros_like(along), where=usable)
    return -(vectors @ ratio) / scale, float(along @ ratio)


def _scaled_vectors(hessian: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    diagonal = np.abs(np.diag(hessian))
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    return scale, values, vectors
