"""How far trends may bend before a conclusion falls: fixed-length intervals.

Rambachan and Roth (2023), Review of Economic Studies 90, 2555-2591, with the intervals of
Donoho (1994) and Armstrong and Kolesár (2018): the difference in trends changes its slope by at
most M from period to period. The interval is the shortest among those around an affine estimate,
whose half length is a quantile of the absolute value of a normal variable off by the largest bias.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, special

from alc_stats.inference.parallel_trends import EventStudy, Robust
from alc_stats.records import FloatArray

_SHARPEST = 1e-10
_LARGEST_RATIO = 1e6
_PRICES = 25
_NEWTON = 30
_HALVINGS = 14
_CLOSE = 1e-4
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Frontier:
    """Estimates that no straight trend moves, by what they still owe to bends before the start.

    With weights w (p - 1,) on the bends the estimate has the variance |own + moved w|^2, and the
    bias M times (fixed + sum of |w|) at most.
    """

    own: FloatArray
    moved: FloatArray
    fixed: float

    def at(self, price: float) -> FloatArray:
        """Weights of the least half variance + price * sum of |w|: bounded least squares."""
        gram = linalg.cholesky(self.moved.T @ self.moved)
        pull = self.moved.T @ self.own
        root = linalg.solve_triangular(gram, np.eye(len(gram)), trans=1)
        if price > 0.0:
            found = optimize.lsq_linear(root, -root @ pull, (-price, price), method="bvls",
                                        tol=_SHARPEST)  # fmt: skip
            pull = pull + found.x
        return np.asarray(-linalg.cho_solve((gram, False), pull))

    def sd(self, w: FloatArray) -> float:
        """Of the estimate."""
        return float(np.linalg.norm(self.own + self.moved @ w))

    def bend(self, w: FloatArray) -> float:
        """Largest bias for M = 1."""
        return self.fixed + float(np.abs(w).sum())


def smoothness(study: EventStudy, bound: float, *, level: float = 0.95) -> Robust:
    """Interval that holds if the slope of the difference in trends changes by at most `bound`.

    Parameters
    ----------
    study : EventStudy
        With at least one period before the one compared with.
    bound : float
        M, in units of the outcome; with 0 trends part along a straight line.
    level : float

    Examples
    --------
    >>> study = EventStudy(np.array([-0.1]), np.array([1.0]), 0.01 * np.eye(2), np.ones(1))
    >>> found = smoothness(study, 0.0)
    >>> round(0.5 * (found.low + found.high), 2)
    0.9
    """
    return smoothness_along(study, [bound], level=level)[0]


def smoothness_along(
    study: EventStudy, bounds: Sequence[float], *, level: float = 0.95
) -> tuple[Robust, ...]:
    """`smoothness` at several bounds, for which the frontier is computed once."""
    path = _path(study)
    return tuple(_interval(study, path, bound, level) for bound in bounds)


def breakdown_smoothness(study: EventStudy, *, level: float = 0.95) -> float:
    """The largest M up to which the interval leaves zero out; 0 where a straight trend suffices.

    Examples
    --------
    >>> study = EventStudy(np.array([-0.1]), np.array([1.0]), 0.01 * np.eye(2), np.ones(1))
    >>> 0.4 < breakdown_smoothness(study) < 0.7
    True
    """
    path, low, high = _path(study), 0.0, study.se

    def out(bound: float) -> bool:
        found = _interval(study, path, bound, level)
        return found.low > 0.0 or found.high < 0.0

    if not out(0.0):
        return 0.0
    while out(high):
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if out(middle) else (low, middle)
    return low


def folded_quantile(ratio: FloatArray, level: float) -> FloatArray:
    """Quantile of the absolute value of normal variables with means `ratio` and variance one.

    Examples
    --------
    >>> folded_quantile(np.array([0.0, 10.0]), 0.95).round(3).tolist()
    [1.96, 11.645]
    """
    ratio = np.minimum(np.abs(ratio), _LARGEST_RATIO)
    c = ratio + special.ndtri(0.5 + level / 2.0)
    for _ in range(_NEWTON):
        over = special.ndtr(c - ratio) - special.ndtr(-c - ratio) - level
        slope = (np.exp(-0.5 * (c - ratio) ** 2) + np.exp(-0.5 * (c + ratio) ** 2)) * _DENSITY
        c = c - over / slope
        if np.max(np.abs(over)) < _SHARPEST:
            break
    return np.asarray(c)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Path:
    """The frontier at several prices: root of the price (k,), standard deviation and bend there."""

    frontier: _Frontier
    roots: FloatArray
    highest: float
    sd: FloatArray
    bend: FloatArray

    def weights(self, root: float) -> FloatArray:
        """On bends before the start; the price goes with the square of `root`."""
        return self.frontier.at(self.highest * root**2)


def _path(study: EventStudy) -> _Path:
    frontier = _frontier(study)
    if not frontier.moved.shape[1]:
        none = np.empty(0)
        return _Path(frontier, np.zeros(1), 0.0, np.array([frontier.sd(none)]),
                     np.array([frontier.bend(none)]))  # fmt: skip
    highest = float(np.abs(frontier.moved.T @ frontier.own).max())
    roots = np.linspace(0.0, 1.0, _PRICES)
    weights = [frontier.at(highest * r**2) for r in roots]
    return _Path(frontier, roots, highest, np.array([frontier.sd(w) for w in weights]),
                 np.array([frontier.bend(w) for w in weights]))  # fmt: skip


def _interval(study: EventStudy, path: _Path, bound: float, level: float) -> Robust:
    """The shortest along the frontier of bias and variance, which is convex."""
    lengths = path.sd * folded_quantile(bound * path.bend / path.sd, level)
    k = int(np.argmin(lengths))
    root = float(path.roots[k])
    if bound > 0.0 and len(path.roots) > 1:
        nearby = path.roots[max(k - 1, 0)], path.roots[min(k + 1, _PRICES - 1)]
        found = optimize.minimize_scalar(
            lambda r: _half(path.frontier, path.weights(r), bound, level),
            bounds=nearby, method="bounded", options={"xatol": _CLOSE},
        )  # fmt: skip
        root = float(found.x) if found.fun < lengths[k] else root
    w = path.weights(root) if path.frontier.moved.shape[1] else np.empty(0)
    half = _half(path.frontier, w, bound, level)
    centre = float(_weights(study, w) @ np.concatenate([study.before, study.after]))
    return Robust(bound, centre - half, centre + half)


def _half(frontier: _Frontier, w: FloatArray, bound: float, level: float) -> float:
    sd = frontier.sd(w)
    return sd * float(folded_quantile(np.array([bound * frontier.bend(w) / sd]), level)[0])


def before_and_estimate(study: EventStudy) -> FloatArray:
    """Covariance (p + 1, p + 1) of the periods before and the estimate; it must have full rank."""
    take = np.vstack([np.eye(len(study.before), len(study.covariance)), study.direction])
    return np.asarray(take @ study.covariance @ take.T)


def _frontier(study: EventStudy) -> _Frontier:
    """Bends before the start are numbered from the latest, as weights on them are."""
    p, q = len(study.before), len(study.after)
    root = linalg.cholesky(before_and_estimate(study))
    basis = _bends(p)
    slope = float(study.weights @ np.arange(1.0, q + 1.0))
    start = np.append(basis[:, 0] * slope, 1.0)
    moved = root[:, :p] @ basis[:, 1:]
    later = [abs(float(study.weights[j:] @ np.arange(1.0, q - j + 1.0))) for j in range(1, q)]
    return _Frontier(root @ start, moved, abs(slope) + float(sum(later)))


def _weights(study: EventStudy, w: FloatArray) -> FloatArray:
    """Of the estimate (p + q,), from those on bends."""
    p, q = len(study.before), len(study.after)
    slope = float(study.weights @ np.arange(1.0, q + 1.0))
    return np.concatenate([_bends(p) @ np.concatenate([[slope], w]), study.weights])


def _bends(p: int) -> FloatArray:
    """Weights on periods before, oldest first (p, p), of unit weights on bends, latest first.

    A bend j periods before the one compared with moves the period s before it by s - j.
    """
    moves = np.array([[max(s - j, 0) for j in range(p)] for s in range(p, 0, -1)], dtype=float)
    return np.asarray(np.linalg.inv(moves.T))
