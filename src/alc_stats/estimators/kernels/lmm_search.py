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

from alc_stats.estimators.kernels.lmm_deviance import Objective, Template, covariance_scores
from alc_stats.records import BoolArray, FloatArray

START = 0.6
"""Standard deviation of every standardised random column relative to sigma at the start."""
_PERHAPS_ZERO = 0.05
"""Diagonal entries below this are tried at zero; the derivative decides."""
OUTWARD = 1e-8
"""A derivative at zero above minus this share of its largest part does not call for a variance."""
_FLAT = 1e-8
"""A curvature below this share of its diagonal cannot be told from the noise of differences."""
_DIFFERENCE = 6e-6
"""Relative step of central differences: the cube root of the rounding unit."""
_MOVED = 1e-7
"""The Hessian is taken again if Newton steps went further than this share of theta."""
_NEWTON_STEPS = 12
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
    evaluations : int
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
    evaluations: int


class _Counted:
    """The objective, counting its evaluations."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.evaluations = 0

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        self.evaluations += 1
        return self.objective.value_and_gradient(theta)


def search(objective: Objective, start: FloatArray | None = None) -> Optimum:
    """Minimise the deviance; the answer says how sure it is, not only where it ended."""
    form = objective.template
    count = _Counted(objective)
    theta = np.where(form.diagonal, START, 0.0) if start is None else start.copy()
    free: BoolArray = np.ones(len(theta), dtype=bool)
    theta = _descend(count, theta, free)
    for _ in range(_RESTARTS):
        theta = upright(form, theta)
        theta, free = _settle(count, theta)
        found = _polish(count, theta, free)
        found = replace(found, pull=pull(objective, found.theta, free))
        if found.pull >= -OUTWARD:
            break
        theta = _descend(count, _lifted(form, found.theta, free), np.ones_like(free))
    return replace(found, evaluations=count.evaluations)


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


def _descend(count: _Counted, theta: FloatArray, free: BoolArray) -> FloatArray:
    """BFGS over the free parameters until the gradient is small beside the curvature."""
    levels = max(1.0, float(np.sqrt(count.objective.rows)))

    def restricted(part: FloatArray) -> tuple[float, FloatArray]:
        whole = np.zeros_like(theta)
        whole[free] = part
        value, gradient = count(whole)
        return value, gradient[free]

    found = optimize.minimize(
        restricted,
        theta[free],
        jac=True,
        method="BFGS",
        options={"gtol": 1e-7 * levels, "hess_inv0": np.eye(int(free.sum())) / levels},
    )
    whole = np.zeros_like(theta)
    whole[free] = found.x
    return whole


def _settle(count: _Counted, theta: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Hold at zero the standard deviations that belong there."""
    form = count.objective.template
    free: BoolArray = np.ones(len(theta), dtype=bool)
    for k in np.flatnonzero(form.diagonal & (theta < _PERHAPS_ZERO)):
        trial, still_free = held(form, theta, free, int(k))
        if still_free.any():
            trial = _descend(count, trial, still_free)
        value = count(trial)[0]
        tolerance = 1e-10 * count.objective.rows
        if (
            value <= count(theta)[0] + tolerance
            and pull(count.objective, trial, still_free) >= -OUTWARD
        ):
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


def _polish(count: _Counted, theta: FloatArray, free: BoolArray) -> Optimum:
    """Newton steps on the free parameters until they are rounding."""
    if not free.any():
        value, _ = count(theta)
        none = np.zeros(0)
        return Optimum(theta, free, value, none, np.zeros((0, 0)), none, 0.0, none, 0.0, 0)
    anchor = theta.copy()
    hessian = _hessian(count, theta, free)
    value, gradient = count(theta)
    for _ in range(_NEWTON_STEPS):
        step, decrement = _newton_step(hessian, gradient[free])
        moved = theta.copy()
        moved[free] += step
        new_value, new_gradient = count(moved)
        new_decrement = _newton_step(hessian, new_gradient[free])[1]
        shrink = 1.0
        while (
            new_decrement > decrement and new_value > value and shrink > 1e-3 and decrement > 1e-12
        ):
            shrink /= 4.0
            moved[free] = theta[free] + shrink * step
            new_value, new_gradient = count(moved)
            new_decrement = _newton_step(hessian, new_gradient[free])[1]
        if new_decrement >= decrement and decrement < 1e-12:
            break
        done = new_decrement > decrement / 4.0 and new_decrement < 1e-20
        theta, value, gradient = moved, new_value, new_gradient
        if np.linalg.norm(theta - anchor) > _MOVED * np.linalg.norm(theta):
            anchor = theta.copy()
            hessian = _hessian(count, theta, free)
        if done:
            break
    step, decrement = _newton_step(hessian, gradient[free])
    return Optimum(
        theta=theta,
        free=free,
        deviance=value,
        gradient=gradient[free],
        hessian=hessian,
        curvature=_scaled(hessian)[1],
        decrement=decrement,
        last_step=step,
        pull=float("inf"),
        evaluations=0,
    )


def _hessian(count: _Counted, theta: FloatArray, free: BoolArray) -> FloatArray:
    """Central differences of the analytic gradient, over the free parameters."""
    places = np.flatnonzero(free)
    rows = []
    for k in places:
        h = _DIFFERENCE * max(abs(theta[k]), 0.1)
        up, down = theta.copy(), theta.copy()
        up[k] += h
        down[k] -= h
        rows.append((count(up)[1] - count(down)[1])[free] / (up[k] - down[k]))
    H = np.array(rows)
    return np.asarray((H + H.T) / 2.0)


def _newton_step(hessian: FloatArray, gradient: FloatArray) -> tuple[FloatArray, float]:
    """Step and decrement; flat directions stay, downward curvature is walked down."""
    scale, values, vectors = _scaled_vectors(hessian)
    along = vectors.T @ (gradient / scale)
    usable = np.abs(values) > _FLAT
    ratio = np.divide(along, np.abs(values), out=np.zeros_like(along), where=usable)
    return -(vectors @ ratio) / scale, float(along @ ratio)


def _scaled(hessian: FloatArray) -> tuple[FloatArray, FloatArray]:
    scale, values, _ = _scaled_vectors(hessian)
    return scale, values


def _scaled_vectors(hessian: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    diagonal = np.abs(np.diag(hessian))
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    return scale, values, vectors
