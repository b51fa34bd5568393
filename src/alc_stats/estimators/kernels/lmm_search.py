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

from alc_stats.estimators.kernels.lmm_curvature import hessian, is_exact
from alc_stats.estimators.kernels.lmm_deviance import Objective, Template, covariance_scores
from alc_stats.records import BoolArray, FloatArray

START = 0.6
"""Standard deviation of every standardised random column relative to sigma at the start."""
_FIXED_POINT_STEPS = 2
"""Steps of the fixed point before Newton's: each brings the variances several times nearer."""
_PLAUSIBLE = (0.06, 10.0)
"""Standard deviations between which the fixed point may start the search."""
OUTWARD = 1e-8
"""A derivative at zero above minus this share of its largest part does not call for a variance."""
_PERHAPS_ZERO = 0.05
"""Diagonal entries below this are tried at zero; the derivative decides."""
_FLAT = 1e-8
"""A curvature below this share of its diagonal cannot be told from the noise of differences."""
_MOVED = 1e-8
"""A Hessian taken within this share of theta is that of theta."""
_SLOW = 1e-3
"""A decrement that falls by less than this calls for a new Hessian."""
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
_SHALLOW = 1e-6
"""Least scaled curvature of a place that is surely a minimum."""
_TOLD = 1e-8
"""Second derivative a row, in a parameter's relative change, that is more than rounding."""
_SADDLE = -1e-6
"""Scaled curvature below which a place without a slope is left downhill."""
_STRIDES = tuple(np.geomspace(1.0, 1e-4, 9))
"""Steps off a saddle, in standard errors if the curvature were upward."""
_LOST = 1e-14
"""Of a deviance, relative: what rounding takes away."""
_SAME = 1e-10
"""Deviances a row nearer than this are the same."""
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
    theta = _first(objective) if start is None else start.copy()
    every: BoolArray = np.ones(len(theta), dtype=bool)
    for _ in range(_RESTARTS):
        ended, H = _descend(objective, theta, every)
        theta, free = _settle(objective, upright(form, ended))
        stayed = free.all() and np.array_equal(theta, ended)
        found = _polish(objective, theta, free, H if stayed else None)
        found = replace(found, pull=pull(objective, found.theta, free))
        settled = found.pull >= -OUTWARD and found.decrement < _ARRIVED
        onward = _downhill(objective, found) if settled else _lifted(form, found.theta, free)
        if onward is None:
            break
        theta = onward
    return found


def _downhill(objective: Objective, found: Optimum) -> FloatArray | None:
    """A lower place along the downward curvature of a saddle; None where there is none.

    By symmetry the slope vanishes at a zero pivot of a rank that others hold, minimum or not.
    """
    scale, values, vectors = _scaled_vectors(found.hessian)
    if not values.size or values[0] > _SADDLE:
        return None
    lost = _LOST * abs(found.deviance)
    for stride in _STRIDES:
        moved = found.theta.copy()
        moved[found.free] += stride * vectors[:, 0] / scale
        if objective.at(moved)[1].deviance < found.deviance - lost:
            return moved
    return None


def _first(objective: Objective) -> FloatArray:
    """Where the search starts; of several groupings after some steps of the fixed point.

    At an optimum the trace of every variance equals its quadratic form, so variances times the
    ratio of the two come near it (Hartley and Rao's iteration) at one evaluation a step.
    """
    form = objective.template
    theta = np.where(form.diagonal, START, 0.0)
    if len(form.sizes) == 1:
        return theta
    for _ in range(_FIXED_POINT_STEPS):
        evaluation, solution = objective.at(theta)
        scores = covariance_scores(evaluation, solution.weight)
        shares = [
            1.0 - np.diag(S) / np.diag(T) for S, T in zip(scores, evaluation.trace, strict=True)
        ]
        ratio = np.array([shares[f][a] for f, a in zip(form.factor, form.row, strict=True)])
        moved = theta * np.sqrt(np.clip(ratio, 0.0, None))
        if not np.all(np.isfinite(moved)):
            break
        theta = np.where(form.diagonal, np.clip(moved, *_PLAUSIBLE), 0.0)
    return theta


def reached(optimum: Optimum) -> bool:
    """Whether a search ended at a minimum that is none of a valley it could not follow."""
    curved = float(optimum.curvature.min(initial=1.0)) > _SHALLOW
    return curved and optimum.decrement < _ARRIVED and optimum.pull >= -OUTWARD


def nearby(objective: Objective, theta: FloatArray) -> FloatArray:
    """A minimum (k,) near theta, its last digits not asked for."""
    form = objective.template
    if theta.size == 0:
        return theta
    if is_exact(objective, theta) and np.all(theta[form.diagonal] > _PERHAPS_ZERO):
        every: BoolArray = np.ones(len(theta), dtype=bool)
        found = upright(form, _newton_descent(objective, theta, every)[0])
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


def _descend(
    objective: Objective, theta: FloatArray, free: BoolArray
) -> tuple[FloatArray, FloatArray | None]:
    """From anywhere to the neighbourhood of a minimum, over the free parameters.

    Beside it the last Hessian (f, f) on the way, if there was one and it was convex.
    """
    if is_exact(objective, theta):
        return _newton_descent(objective, theta, free)
    return _quasi_newton_descent(objective, theta, free), None


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


def _newton_descent(
    objective: Objective, theta: FloatArray, free: BoolArray
) -> tuple[FloatArray, FloatArray | None]:
    """Damped Newton with the exact Hessian, its downward curvature walked down."""
    theta, H = theta.copy(), None
    now = objective.at(theta)
    for _ in range(_DESCENT_STEPS):
        gradient = objective.gradient_of(theta, *now)[free]
        longest = _LONGEST * max(float(np.abs(theta).max()), _PERHAPS_ZERO)
        cheap = now[0].by_level is not None
        if H is not None and not cheap and _is_near(H, gradient, longest):
            return theta, H
        H = hessian(objective, theta, free, now)
        step, decrement, convex = _descent_step(H, gradient, longest)
        if decrement < _NEAR and convex:
            return theta, H
        share = 1.0
        while True:
            trial = theta.copy()
            trial[free] += share * step
            then = objective.at(trial)
            if then[1].deviance <= now[1].deviance + 1e-4 * share * float(gradient @ step):
                break
            share /= 4.0
            if share < _ROUNDING:
                return theta, None
        theta, now = trial, then
    return theta, None


def _is_near(H: FloatArray, gradient: FloatArray, longest: float) -> bool:
    """Whether the quadratic neighbourhood of a minimum is reached, by this Hessian."""
    _, decrement, convex = _descent_step(H, gradient, longest)
    return decrement < _NEAR and convex


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
    """Hold at zero the directions of random effects in which nothing varies."""
    form = objective.template
    free: BoolArray = np.ones(len(theta), dtype=bool)
    for number in range(len(form.blocks)):
        while (lower := lowered(form, theta, free, number)) is not None:
            trial, still_free = lower
            if still_free.any():
                trial, _ = _descend(objective, trial, still_free)
            worse = objective.at(trial)[1].deviance - objective.at(theta)[1].deviance
            stays = pull(objective, trial, still_free) >= -OUTWARD
            if not (stays and worse <= _SAME * objective.rows):
                break
            theta, free = upright(form, trial), still_free
    return theta, free


def lowered(
    form: Template, theta: FloatArray, free: BoolArray, number: int
) -> tuple[FloatArray, BoolArray] | None:
    """A block's nearest covariance of one rank less; None unless its least direction is small.

    The factor of a covariance of rank r has r columns, which a rotation makes lower triangular at
    the top: the last pivots are zero, whichever effects do not vary. A zero pivot before them would
    leave the columns behind it free to turn.
    """
    f, first, size = form.blocks[number]
    own, block = slice(first, first + size), form.block == number
    rank = int((free & block & form.diagonal).sum())
    lam = form.unpack(theta)
    U, sizes, _ = np.linalg.svd(lam[f][own, own])
    if rank == 0 or sizes[rank - 1] >= _PERHAPS_ZERO:
        return None
    lam[f][own, own] = 0.0
    if rank > 1:
        half = U[:, : rank - 1] * sizes[: rank - 1]
        lam[f][own, first : first + rank - 1] = np.asarray(np.linalg.qr(half.T, mode="r")).T
    still = free & ~(block & (form.column >= first + rank - 1))
    return upright(form, np.where(still, form.pack(lam), 0.0)), still


def _lifted(form: Template, theta: FloatArray, free: BoolArray) -> FloatArray:
    """A start away from a zero that is no minimum."""
    return np.where(~free & form.diagonal, START / 2.0, theta)


def _polish(
    objective: Objective, theta: FloatArray, free: BoolArray, H: FloatArray | None
) -> Optimum:
    """Newton steps on the free parameters until they are rounding.

    A Hessian from further away serves as long as it brings every step much nearer; the last one is
    taken where the steps end.
    """
    now = objective.at(theta)
    gradient = objective.gradient_of(theta, *now)[free]
    anchor = np.full_like(theta, np.inf)
    if H is None:
        H, anchor = hessian(objective, theta, free, now), theta
    step, decrement = _newton_step(H, gradient)
    for _ in range(_POLISH_STEPS):
        if np.abs(step).max(initial=0.0) <= _ROUNDING * np.abs(theta).max():
            break
        moved = theta.copy()
        moved[free] += step
        then = objective.at(moved)
        new_gradient = objective.gradient_of(moved, *then)[free]
        new_step, new_decrement = _newton_step(H, new_gradient)
        better = new_decrement < decrement
        slow = not new_decrement < _SLOW * decrement
        small = np.linalg.norm(step) <= _MOVED * np.linalg.norm(theta)
        if better:
            theta, now, gradient = moved, then, new_gradient
            step, decrement = new_step, new_decrement
        if _is_beside(theta, anchor):
            if slow or small:
                break
        elif slow or np.linalg.norm(step) <= _MOVED * np.linalg.norm(theta):
            H, anchor = hessian(objective, theta, free, now), theta
            step, decrement = _newton_step(H, gradient)
    if not _is_beside(theta, anchor):
        H = hessian(objective, theta, free, now)
        step, decrement = _newton_step(H, gradient)
    H = _above_rounding(H, theta[free], objective.rows)
    return Optimum(
        theta=theta,
        free=free,
        deviance=now[1].deviance,
        gradient=gradient,
        hessian=H,
        curvature=_scaled_vectors(H)[1],
        decrement=decrement,
        last_step=step,
        pull=float("inf"),
    )


def _is_beside(theta: FloatArray, anchor: FloatArray) -> bool:
    """Whether a Hessian taken at the anchor is that of theta."""
    return bool(np.linalg.norm(theta - anchor) <= _MOVED * np.linalg.norm(theta))


def _newton_step(hessian: FloatArray, gradient: FloatArray) -> tuple[FloatArray, float]:
    """Step and decrement; flat directions stay, downward curvature is walked down."""
    scale, values, vectors = _scaled_vectors(hessian)
    along = vectors.T @ (gradient / scale)
    usable = np.abs(values) > _FLAT
    ratio = np.divide(along, np.abs(values), out=np.zeros_like(along), where=usable)
    return -(vectors @ ratio) / scale, float(along @ ratio)


def _above_rounding(hessian: FloatArray, theta: FloatArray, rows: int) -> FloatArray:
    """The Hessian with parameters in which the deviance moves by no more than rounding at zero."""
    size = np.maximum(np.abs(theta), _SMALL)
    told = np.abs(np.diag(hessian)) * size**2 > _TOLD * rows
    return np.where(np.outer(told, told), hessian, 0.0)


def _scaled_vectors(hessian: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    diagonal = np.abs(np.diag(hessian))
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    return scale, values, vectors
