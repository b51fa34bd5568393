"""The search for a log SD's coefficients: BFGS outside, the mixed model's own search inside.

At every phi the covariance factors are at their optimum, so the deviance's slope in phi is the
partial one. The second derivatives at the end are of theta and phi jointly, from differences of
analytic gradients; the last steps are Newton's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.kernels.lmm_deviance import Solution
from alc_stats.estimators.kernels.lmm_model import Evaluation
from alc_stats.estimators.kernels.lmm_search import Optimum, nearby, search
from alc_stats.estimators.kernels.scale_model import Place, ScaleModel
from alc_stats.records import BoolArray, FloatArray

WIDEST = 16.0
"""Log SDs of two rows farther apart, a ratio of ten millions, are on their way to infinity."""
_LONGEST = 2.0
"""Longest step, in log SDs of a typical row."""
_STEPS = 200
_NEAR = 1e-8
"""Decrement at which covariance factors that are not at their optimum would mislead the search."""
_SAME_CURVATURE = 1e-15
"""Decrement per row from where the log SDs still move by 1e-8, and their curvature by as much."""
_POLISH_STEPS = 6
_ARRIVED = 1e-24
"""Decrement whose step is rounding: a millionth of a millionth of a standard error."""
_ROUNDING = 1e-12
"""Of a deviance, relative: what says nothing about a step."""
_SHORTEST = 1e-12
_DIFFERENCE = 2e-5
"""Step of central differences in a log SD: truncation and rounding leave 1e-9."""
_CONVEX = 1e-4
"""Least scaled curvature a step counts with."""


class UnboundedError(ArithmeticError):
    """The likelihood grows without bound: some rows' variance goes to zero.

    Attributes
    ----------
    phi : array (K,)
        Where the search was.
    """

    def __init__(self, phi: FloatArray) -> None:
        super().__init__("the log SD goes to minus infinity")
        self.phi = phi


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """The model at one phi, the covariance factors at or near their optimum there.

    Attributes
    ----------
    place : Place
    theta : array (q,)
    evaluation, solution : Evaluation, Solution
    deviance : float
    gradient, expected : arrays (K,), (K, K)
        In phi, and about its second derivatives.
    """

    place: Place
    theta: FloatArray
    evaluation: Evaluation
    solution: Solution
    deviance: float
    gradient: FloatArray
    expected: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ScaleOptimum:
    """Where the search ended.

    Attributes
    ----------
    point : Point
    inner : Optimum
        Of the covariance factors at its phi.
    hessian : array (f + K, f + K)
        Of the deviance in the free theta and phi, sigma profiled.
    last_step : array (f + K,)
        Newton's step that is left.
    decrement : float
        Twice the drop in deviance that step promises.
    """

    point: Point
    inner: Optimum
    hessian: FloatArray
    last_step: FloatArray
    decrement: float


def search_scale(model: ScaleModel, theta: FloatArray) -> ScaleOptimum:
    """Minimise the deviance from phi = 0 and the covariance factors theta.

    Raises
    ------
    UnboundedError
        If the log SD of some rows goes to minus infinity.
    """
    return _polish(model, *_settled(model, *_descend(model, theta)))


def _point(
    place: Place, theta: FloatArray, known: tuple[Evaluation, Solution] | None = None
) -> Point:
    """The derivatives at theta; `known` is what the objective says there."""
    evaluation, solution = known or place.objective.at(theta)
    gradient, slopes = place.gradient(theta, solution)
    deviance = place.deviance(solution)
    return Point(place, theta, evaluation, solution, deviance, gradient, slopes.expected)


def _inner(place: Place, theta: FloatArray) -> Optimum:
    """The covariance factors' optimum from a start nearby."""
    if theta.size:
        return search(place.objective, theta)
    none = np.zeros(0)
    free: BoolArray = np.ones(0, dtype=bool)
    deviance = place.objective.at(none)[1].deviance
    return Optimum(none, free, deviance, none, np.zeros((0, 0)), none, 0.0, none, float("inf"))


def _descend(model: ScaleModel, theta: FloatArray) -> tuple[Point, FloatArray]:
    """From phi = 0 to the optimum's neighbourhood, and about the second derivatives there."""
    now = _point(model.at(np.zeros(model.size)), theta)
    H = now.expected
    for _ in range(_STEPS):
        step, decrement = _step(H, now.gradient)
        if decrement < _NEAR:
            break
        then = _searched(model, now, step * min(1.0, _LONGEST / float(np.linalg.norm(step))))
        if then is None:
            break
        H = _updated(H, then.place.phi - now.place.phi, then.gradient - now.gradient)
        now = then
    return now, H


def _searched(model: ScaleModel, now: Point, step: FloatArray) -> Point | None:
    """The first point along the step, shortened if need be, that is low enough."""
    slope, share = float(now.gradient @ step), 1.0
    slack = _ROUNDING * abs(now.deviance)
    while share > _SHORTEST:
        phi = now.place.phi + share * step
        if _range(model, phi) > WIDEST:
            if share == 1.0 and _range(model, now.place.phi) > WIDEST / 2.0:
                raise UnboundedError(phi)
        else:
            place = model.at(phi)
            theta = nearby(place.objective, now.theta)
            known = place.objective.at(theta)
            if place.deviance(known[1]) <= now.deviance + 1e-4 * share * slope + slack:
                return _point(place, theta, known)
        share /= 3.0
    return None


def _range(model: ScaleModel, phi: FloatArray) -> float:
    """How far the rows' log SDs are apart."""
    values = model.scale.values(phi[: model.scale.size])
    return float(np.ptp(values))


def _updated(H: FloatArray, moved: FloatArray, turned: FloatArray) -> FloatArray:
    """BFGS; a pair without upward curvature says nothing."""
    along = float(moved @ turned)
    if along <= 0.0:
        return H
    pushed = H @ moved
    return np.asarray(
        H + np.outer(turned, turned) / along - np.outer(pushed, pushed) / float(moved @ pushed)
    )


def _step(H: FloatArray, gradient: FloatArray) -> tuple[FloatArray, float]:
    """Newton's step with every curvature counted upward, and its decrement."""
    if gradient.size == 0:
        return gradient, 0.0
    diagonal = np.abs(np.diag(H))
    scale = np.sqrt(np.maximum(diagonal, 1e-12 * max(float(diagonal.max()), 1e-300)))
    values, vectors = np.linalg.eigh(H / np.outer(scale, scale))
    along = vectors.T @ (gradient / scale)
    ratio = along / np.maximum(np.abs(values), _CONVEX)
    return -(vectors @ ratio) / scale, float(along @ ratio)


def _settled(model: ScaleModel, now: Point, H: FloatArray) -> tuple[Point, Optimum]:
    """So near the optimum that second derivatives taken here are those there."""
    inner = _inner(now.place, now.theta)
    now = _point(now.place, inner.theta)
    for _ in range(_POLISH_STEPS):
        step, decrement = _step(H, now.gradient)
        if decrement < _SAME_CURVATURE * len(model.rows.y):
            break
        place = model.at(now.place.phi + step)
        new = _inner(place, now.theta)
        then = _point(place, new.theta)
        if not _step(H, then.gradient)[1] < decrement:
            break
        H = _updated(H, step, then.gradient - now.gradient)
        now, inner = then, new
    return now, inner


def _polish(model: ScaleModel, now: Point, inner: Optimum) -> ScaleOptimum:
    """Newton steps with the joint Hessian until they are rounding."""
    H = joint_hessian(model, now, inner)
    step, decrement = _step(H, np.concatenate([inner.gradient, now.gradient]))
    for _ in range(_POLISH_STEPS):
        own = step[len(step) - model.size :]
        if decrement < _ARRIVED or np.abs(own).max(initial=0.0) <= np.finfo(float).eps:
            break
        place = model.at(now.place.phi + own)
        new = _inner(place, now.theta)
        then = _point(place, new.theta)
        if not np.array_equal(new.free, inner.free):
            break
        new_step, new_decrement = _step(H, np.concatenate([new.gradient, then.gradient]))
        if not new_decrement < decrement:
            break
        now, inner, step, decrement = then, new, new_step, new_decrement
    return ScaleOptimum(now, inner, H, step, decrement)


def joint_hessian(model: ScaleModel, at: Point, inner: Optimum) -> FloatArray:
    """Second derivatives (f + K, f + K) of the deviance in the free theta and phi."""
    theta, free, phi = inner.theta, inner.free, at.place.phi
    f, K = int(free.sum()), model.size
    H = np.zeros((f + K, f + K))
    if f:
        H[:f, :f] = inner.hessian
    for k in range(K):
        step = np.zeros(K)
        step[k] = _DIFFERENCE
        up, down = (joint_gradient(model.at(phi + s * step), theta, free) for s in (1.0, -1.0))
        H[f + k] = (up - down) / (2.0 * _DIFFERENCE)
    H[:f, f:] = H[f:, :f].T
    H[f:, f:] = (H[f:, f:] + H[f:, f:].T) / 2.0
    return H


def joint_gradient(place: Place, theta: FloatArray, free: BoolArray) -> FloatArray:
    """Derivatives (f + K,) of the deviance in the free theta and phi, at any theta."""
    evaluation, solution = place.objective.at(theta)
    own = place.objective.gradient_of(theta, evaluation, solution)[free] if theta.size else theta
    return np.concatenate([own, place.gradient(theta, solution)[0]])
