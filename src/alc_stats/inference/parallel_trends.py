"""How far trends may part before a conclusion falls: relative magnitudes.

Rambachan and Roth (2023), Review of Economic Studies 90, 2555-2591: steps of the difference in
trends after the start are at most M times the largest step before it. The interval inverts the
test that they recommend (conditional with a least-favourable first stage; Andrews, Roth and Pakes
2023, Review of Economic Studies 90, 2763-2791).

Their test solves a linear programme at every value of the parameter. Here steps after the start
are free but for their sum, so the programme has few vertices, known beforehand, and all depend on
two normal variables: the estimate and one step before the start. Nothing is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from alc_stats.records import BoolArray, FloatArray

FIRST_STAGE = 0.1
"""Share of alpha that the least-favourable first stage spends (Andrews, Roth and Pakes)."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_FARTHEST_NODE = 8.5
_HALVINGS = 45
_GRID = 401
_WIDENED = 6
_FINE = 65
_REFINED = 7
_BREAKDOWN_HALVINGS = 12
_TINY = 1e-12
LARGEST_M = 16.0
"""Breakdown values are not looked for beyond."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EventStudy:
    """Differences from one period before the start, along periods, and what is asked of them.

    Attributes
    ----------
    before : array (p,)
        At the periods before the one compared with, oldest first, without gaps.
    after : array (q,)
        At the periods after the one compared with.
    covariance : array (p + q, p + q)
    weights : array (q,)
        The parameter is their sum of effects after the start.
    """

    before: FloatArray
    after: FloatArray
    covariance: FloatArray
    weights: FloatArray

    @property
    def estimate(self) -> float:
        """Where trends are parallel."""
        return float(self.weights @ self.after)

    @property
    def direction(self) -> FloatArray:
        """Weights (p + q,) of the estimate."""
        return np.concatenate([np.zeros(len(self.before)), self.weights])

    @property
    def se(self) -> float:
        """Standard error of the estimate."""
        return float(np.sqrt(self.direction @ self.covariance @ self.direction))

    @property
    def steps_before(self) -> FloatArray:
        """From period to period (p, p + q) up to the one compared with, as rows of weights."""
        p = len(self.before)
        rows = np.zeros((p, p + len(self.after)))
        rows[np.arange(p), np.arange(p)] = -1.0
        rows[np.arange(p - 1), np.arange(1, p)] = 1.0
        return rows

    @property
    def steps_after(self) -> FloatArray:
        """From period to period (q, p + q) from the one compared with on."""
        p, q = len(self.before), len(self.after)
        rows = np.zeros((q, p + q))
        rows[np.arange(q), p + np.arange(q)] = 1.0
        rows[np.arange(1, q), p + np.arange(q - 1)] = -1.0
        return rows


@dataclass(frozen=True, slots=True)
class Robust:
    """What is left of an interval when trends may part.

    `bound` is M; `low` and `high` are infinite where no limit was found.
    """

    bound: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Problem:
    """The test's vertices for each step before (p,) that may be the largest, in one direction.

    Values are (estimate - theta) and the step, two normal variables, as linear forms: the ratio
    of the estimate's deviation upwards and downwards, and two of the step alone.
    """

    estimate: float
    steps: FloatArray
    variance: float
    shared: FloatArray
    spread: FloatArray
    reach: float
    up: FloatArray
    down: FloatArray
    alone: FloatArray

    @property
    def forms(self) -> tuple[FloatArray, FloatArray]:
        """Weights (p, 4) of the deviation and of the step."""
        zero = np.zeros_like(self.up)
        deviation = np.column_stack([1.0 / self.up, -1.0 / self.down, zero, zero])
        step = np.column_stack([-self.reach / self.up, -self.reach / self.down, self.alone])
        return deviation, step


def relative_magnitudes(study: EventStudy, bound: float, *, level: float = 0.95) -> Robust:
    """Interval that holds if no step after is larger than `bound` times the largest before.

    Parameters
    ----------
    study : EventStudy
        With at least one period before the one compared with.
    bound : float
        M, at least 0; with 0 trends are parallel from the period compared with on.
    level : float

    Examples
    --------
    >>> study = EventStudy(np.array([0.1]), np.array([1.0]), 0.01 * np.eye(2), np.ones(1))
    >>> found = relative_magnitudes(study, 1.0)
    >>> round(found.low, 2), round(found.high, 2)
    (0.66, 1.34)
    """
    problems = _problems(study, bound)
    limit = _least_favourable(problems[0], FIRST_STAGE * (1.0 - level))

    def kept(theta: FloatArray) -> BoolArray:
        return _kept(problems, limit, theta, 1.0 - level)

    steps = study.steps_before
    spread = np.sqrt(np.einsum("ij,jk,ik->i", steps, study.covariance, steps))
    largest = float(np.max(np.abs(steps @ _all(study)) + 4.0 * spread))
    reach = 6.0 * study.se + problems[0].reach * largest
    return Robust(bound, _end(study.estimate, -reach, kept), _end(study.estimate, reach, kept))


def breakdown_magnitude(study: EventStudy, *, at: float = 0.0, level: float = 0.95) -> float:
    """The largest M up to which the interval leaves `at` out; 0 where parallel trends do not.

    Examples
    --------
    >>> study = EventStudy(np.array([0.1]), np.array([1.0]), 0.01 * np.eye(2), np.ones(1))
    >>> round(breakdown_magnitude(study), 1)
    3.7
    """
    if not excluded(study, 0.0, at=at, level=level):
        return 0.0
    low, high = 0.0, 0.5
    while excluded(study, high, at=at, level=level):
        low, high = high, 2.0 * high
        if low >= LARGEST_M:
            return LARGEST_M
    for _ in range(_BREAKDOWN_HALVINGS):
        middle = 0.5 * (low + high)
        out = excluded(study, middle, at=at, level=level)
        low, high = (middle, high) if out else (low, middle)
    return low


def excluded(study: EventStudy, bound: float, *, at: float = 0.0, level: float = 0.95) -> bool:
    """Whether a value of the parameter is rejected, for any step before that may be the largest."""
    problems = _problems(study, bound)
    limit = _least_favourable(problems[0], FIRST_STAGE * (1.0 - level))
    return not bool(_kept(problems, limit, np.array([at]), 1.0 - level)[0])


def _all(study: EventStudy) -> FloatArray:
    return np.concatenate([study.before, study.after])


def _problems(study: EventStudy, bound: float) -> tuple[_Problem, _Problem]:
    """For the largest step before upwards and downwards.

    Each step after, up or down, less M times the step before, has a standard error; how far the
    sum of steps may go in units of these is what a vertex is divided by.
    """
    V, direction = study.covariance, study.direction
    weight = np.cumsum(study.weights[::-1])[::-1]
    made = []
    for sign in (1.0, -1.0):
        before = sign * study.steps_before
        more = _errors(study.steps_after, before, V, bound, 1.0)
        less = _errors(study.steps_after, before, V, bound, -1.0)
        size = np.abs(weight)
        up = np.where(weight >= 0.0, more, less) @ size
        down = np.where(weight >= 0.0, less, more) @ size
        both = np.maximum(more + less, _TINY)
        alone = -2.0 * bound / np.column_stack([both.min(axis=1), both.max(axis=1)])
        made.append(_Problem(
            study.estimate, before @ _all(study), float(direction @ V @ direction),
            before @ V @ direction, np.einsum("ij,jk,ik->i", before, V, before),
            bound * float(size.sum()), up, down, alone,
        ))  # fmt: skip
    return made[0], made[1]


def _errors(
    after: FloatArray, before: FloatArray, V: FloatArray, bound: float, turn: float
) -> FloatArray:
    """Standard errors (p, q) of a step after (up or down) less M times a step before."""
    own = np.einsum("ij,jk,ik->i", after, V, after)
    base = np.einsum("ij,jk,ik->i", before, V, before)
    cross = before @ V @ after.T
    variance = own[None, :] + bound**2 * base[:, None] - 2.0 * turn * bound * cross
    return np.asarray(np.sqrt(np.maximum(variance, _TINY**2)))


def _least_favourable(problem: _Problem, size: float) -> FloatArray:
    """Values (p,) that the largest vertex exceeds with probability `size` where all are zero.

    The same for steps before upwards and downwards, which mirror each other.
    """
    low, high = np.zeros_like(problem.up), np.full_like(problem.up, 1.0)
    while np.any(short := _exceeded(problem, high) > size):
        high = np.where(short, 2.0 * high, high)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = _exceeded(problem, middle) > size
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high


def _exceeded(problem: _Problem, c: FloatArray) -> FloatArray:
    """Probability (p,) that the largest vertex is above c >= 0, by quadrature over the step."""
    sd = np.sqrt(np.maximum(problem.spread, _TINY**2))
    slope = problem.shared / sd
    rest = np.sqrt(np.maximum(problem.variance - slope**2, _TINY**2))
    up, down = c * problem.up, c * problem.down
    least = -(up + down) / np.maximum(2.0 * problem.reach, _TINY)
    steepest = -problem.alone.min(axis=1)
    least = np.maximum(least, -c / np.maximum(steepest, _TINY))
    low = np.clip(least / sd, -_FARTHEST_NODE, _FARTHEST_NODE)[:, None]
    half = 0.5 * (_FARTHEST_NODE - low)
    z = low + half * (_NODES + 1.0)
    wide = problem.reach * sd[:, None] * z
    top = (up[:, None] + wide - slope[:, None] * z) / rest[:, None]
    bottom = (-down[:, None] - wide - slope[:, None] * z) / rest[:, None]
    within = np.maximum(special.ndtr(top) - special.ndtr(bottom), 0.0)
    inside = np.sum(_WEIGHTS * half * within * np.exp(-0.5 * z**2), axis=1)
    return np.asarray(1.0 - inside / math.sqrt(2.0 * math.pi))


def _kept(
    problems: tuple[_Problem, ...], limit: FloatArray, theta: FloatArray, alpha: float
) -> BoolArray:
    """Values (m,) that are not rejected for some step before, up or down."""
    found = [_accepted(p, limit, theta, alpha) for p in problems]
    return np.asarray(np.any(found, axis=(0, 1)))


def _accepted(problem: _Problem, limit: FloatArray, theta: FloatArray, alpha: float) -> BoolArray:
    """Whether each value (p, m) survives the conditional test below the first stage's limit.

    Given which vertex is largest and all that is independent of it, it is a normal variable
    between two limits; above the first stage's limit the value is rejected at once.
    """
    deviation, step = problem.forms
    value = (problem.estimate - theta)[None, :, None] * deviation[:, None, :]
    value = value + (problem.steps[:, None] * step)[:, None, :]
    best = np.argmax(value, axis=2)
    largest = np.take_along_axis(value, best[:, :, None], axis=2)[:, :, 0]
    covariance = _covariances(problem, deviation, step)
    row = np.take_along_axis(covariance, best[:, :, None], axis=1)
    own = np.take_along_axis(row, best[:, :, None], axis=2)[:, :, 0]
    sd = np.sqrt(np.maximum(own, _TINY**2))
    below, above = _truncation(value, largest, row / np.maximum(own, _TINY**2)[:, :, None])
    above = np.minimum(above, limit[:, None])
    size = (alpha - FIRST_STAGE * alpha) / (1.0 - FIRST_STAGE * alpha)
    critical = np.maximum(sd * _truncated(1.0 - size, below / sd, above / sd), 0.0)
    return np.asarray((largest <= 0.0) | ((largest <= limit[:, None]) & (largest <= critical)))


def _covariances(problem: _Problem, deviation: FloatArray, step: FloatArray) -> FloatArray:
    """Of the vertices (p, 4, 4)."""
    mixed = deviation[:, :, None] * step[:, None, :]
    return np.asarray(
        problem.variance * deviation[:, :, None] * deviation[:, None, :]
        + problem.shared[:, None, None] * (mixed + mixed.transpose(0, 2, 1))
        + problem.spread[:, None, None] * step[:, :, None] * step[:, None, :]
    )


def _truncation(
    value: FloatArray, largest: FloatArray, ratio: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Between which values (p, m) the largest vertex stays the largest, the rest held."""
    free = 1.0 - ratio
    held = value - ratio * largest[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        edge = held / free
    below = np.where(free > _TINY, edge, -np.inf).max(axis=2)
    above = np.where(free < -_TINY, edge, np.inf).min(axis=2)
    return np.minimum(below, largest), np.maximum(above, largest)


def _truncated(p: float, low: FloatArray, high: FloatArray) -> FloatArray:
    """Quantile of a standard normal variable between two limits, from the tail it lies in."""
    turned = low > 0.0
    a, b = np.where(turned, -high, low), np.where(turned, -low, high)
    lower, upper = special.log_ndtr(a), special.log_ndtr(b)
    share = np.where(turned, 1.0 - p, p)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        inner = lower + np.log1p(share * np.expm1(np.maximum(upper - lower, 0.0)))
        from_top = upper + np.log(share + (1.0 - share) * np.exp(lower - upper))
    q = special.ndtri_exp(np.where(np.isfinite(inner), inner, from_top))
    q = np.clip(q, a, b)
    return np.asarray(np.where(turned, -q, q))


def _end(centre: float, reach: float, kept: Callable[[FloatArray], BoolArray]) -> float:
    """The outermost value on one side that is not rejected."""
    for _ in range(_WIDENED):
        theta = centre + np.linspace(0.0, reach, _GRID)
        inside = np.flatnonzero(kept(theta))
        if inside.size == 0:
            return centre
        if inside[-1] < _GRID - 1:
            return _between(theta[inside[-1]], theta[inside[-1] + 1], kept)
        reach *= 2.0
    return math.copysign(math.inf, reach)


def _between(inside: float, outside: float, kept: Callable[[FloatArray], BoolArray]) -> float:
    for _ in range(_REFINED):
        theta = np.linspace(inside, outside, _FINE)
        last = max(int(np.argmin(np.append(kept(theta), False))) - 1, 0)
        inside, outside = float(theta[last]), float(theta[min(last + 1, _FINE - 1)])
    return inside


def inflated(covariance: FloatArray, df: float, level: float) -> FloatArray:
    """A covariance whose normal intervals are as wide as t intervals of `df`."""
    if not math.isfinite(df):
        return covariance
    ratio = stats.t.ppf(0.5 + level / 2.0, df) / stats.norm.ppf(0.5 + level / 2.0)
    return np.asarray(covariance * ratio**2)
