"""Predictions of a mixed model and their mean squared errors, from the variances' estimates.

For a row with fixed columns x and random columns z of levels j, relative to the residual variance,
the error of x'b + z'u has the variance

    z' Var(u | y, b) z  +  (x - A'z)' (X'V^-1 X)^-1 (x - A'z),      A = D Z'V^-1 X,

Henderson's (1975), with Var(u) for a level not seen. What the estimation of the variances adds, and
Satterthwaite's degrees of freedom of the whole, follow from the slopes of the prediction and of
its error variance in the variance parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from alc_stats.estimators.kernels.lmm_deviance import Objective, Solution
from alc_stats.estimators.kernels.lmm_model import Effects
from alc_stats.records import BoolArray, FloatArray, IntArray

_STEP = 1e-4
"""Central differences in theta, relative to theta and at least to 0.1: truncation 1e-8."""
_SMALLEST = 0.1
_LEVELS = 128
"""Levels solved for at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Rows to predict, on the standardised scale.

    Attributes
    ----------
    X : array (m, p)
    Z : tuple of arrays (m, q)
        A factor each.
    levels : tuple of int arrays (m,)
        -1 for a level not seen.
    """

    X: FloatArray
    Z: tuple[FloatArray, ...]
    levels: tuple[IntArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Values (m,), and error variances (m,) relative to the residual variance."""

    values: FloatArray
    variances: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Z'Z (N, N) of all factors, level by level within a factor, with their sizes and levels."""

    products: sparse.csc_array
    sizes: tuple[int, ...]
    levels: tuple[int, ...]

    def columns(self, factor: int, levels: IntArray) -> IntArray:
        """Columns (m, q) of some levels of a factor."""
        widths = [q * J for q, J in zip(self.sizes, self.levels, strict=True)]
        q = self.sizes[factor]
        return np.asarray(sum(widths[:factor]) + levels[:, None] * q + np.arange(q))


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A model at one theta: relative factors, solution, effects of every factor.

    `solve` is of the penalised normal equations lam'Z'Z lam + I of several factors.
    """

    factors: tuple[FloatArray, ...]
    solution: Solution
    effects: tuple[Effects, ...]
    crossed: Crossing | None = None
    solve: Callable[[FloatArray], FloatArray] | None = None


def crossing(Z: Sequence[FloatArray], codes: Sequence[IntArray], levels: Sequence[int]) -> Crossing:
    """Z'Z from standardised columns Z (n, q) and levels (n,) of every factor."""
    n = len(codes[0])
    parts = []
    for z, code, J in zip(Z, codes, levels, strict=True):
        q = z.shape[1]
        index = code[:, None] * q + np.arange(q)
        shape = (n, q * J)
        row = np.repeat(np.arange(n), q)
        parts.append(sparse.csr_array((z.ravel(), (row, index.ravel())), shape=shape))
    wide = sparse.hstack(parts, format="csc")
    return Crossing(sparse.csc_array(wide.T @ wide), tuple(z.shape[1] for z in Z), tuple(levels))


def point(objective: Objective, theta: FloatArray, crossed: Crossing | None) -> Point:
    """Evaluate a model at theta."""
    lam = objective.template.unpack(theta)
    _, solution = objective.at(theta)
    effects = objective.statistics.effects(lam)
    if crossed is None:
        return Point(lam, solution, effects)
    return Point(lam, solution, effects, crossed, _penalised(crossed, lam))


def predicted(at: Point, asked: Asked) -> Predicted:
    """Values and relative error variances of the asked rows."""
    p = asked.X.shape[1]
    reach = asked.X.copy()
    values = asked.X @ at.solution.beta
    variances = np.zeros(len(asked.X))
    for z, level, own, lam in zip(asked.Z, asked.levels, at.effects, at.factors, strict=True):
        seen = level >= 0
        loads = np.einsum("mq,qwm->mw", z[seen], own.loads[:, :, level[seen]])
        values[seen] += loads @ at.solution.contrast
        reach[seen] -= loads[:, :p]
        spread = own.spread[:, :, level[seen]]
        variances[seen] += np.einsum("ma,abm,mb->m", z[seen], spread, z[seen])
        variances[~seen] += np.sum((z[~seen] @ lam) ** 2, axis=1)
    variances += np.einsum("mi,ij,mj->m", reach, at.solution.unscaled, reach, optimize=True)
    if at.crossed is not None and at.solve is not None:
        variances += _between(at.crossed, at.solve, at.factors, asked)
    return Predicted(values, variances)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """A model at its optimum, and on both sides of it in every free variance parameter.

    `sides` holds (above, below, distance between them).
    """

    centre: Point
    sides: tuple[tuple[Point, Point, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Predictions with everything an interval needs, relative to the residual variance.

    Attributes
    ----------
    values, variances : arrays (m,)
    value_slopes, variance_slopes : arrays (m, k)
        In the free variance parameters.
    """

    values: FloatArray
    variances: FloatArray
    value_slopes: FloatArray
    variance_slopes: FloatArray


def neighbourhood(
    objective: Objective, theta: FloatArray, *, free: BoolArray, crossed: Crossing | None
) -> Neighbourhood:
    """Evaluate a model around theta."""
    sides = []
    for k in np.flatnonzero(free):
        step = np.zeros(len(theta))
        step[k] = _STEP * max(abs(float(theta[k])), _SMALLEST)
        above, below = (point(objective, theta + s * step, crossed) for s in (1.0, -1.0))
        sides.append((above, below, 2.0 * float(step[k])))
    return Neighbourhood(point(objective, theta, crossed), tuple(sides))


def errors(around: Neighbourhood, asked: Asked) -> Errors:
    """Predictions of the asked rows, their error variances, and the slopes of both."""
    centre = predicted(around.centre, asked)
    values = np.empty((len(asked.X), len(around.sides)))
    variances = np.empty_like(values)
    for k, (above, below, distance) in enumerate(around.sides):
        up, down = predicted(above, asked), predicted(below, asked)
        values[:, k] = (up.values - down.values) / distance
        variances[:, k] = (up.variances - down.variances) / distance
    return Errors(centre.values, centre.variances, values, variances)


def _penalised(crossed: Crossing, lam: Sequence[FloatArray]) -> Callable[[FloatArray], FloatArray]:
    """What solves the penalised normal equations."""
    lift = sparse.block_diag(
        [sparse.kron(sparse.eye_array(J), L) for J, L in zip(crossed.levels, lam, strict=True)],
        format="csc",
    )
    core = sparse.csc_array(lift.T @ crossed.products @ lift + sparse.eye_array(lift.shape[0]))
    factored = splu(
        core, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    return lambda columns: np.asarray(factored.solve(columns))


def _between(
    crossed: Crossing,
    solve: Callable[[FloatArray], FloatArray],
    lam: Sequence[FloatArray],
    asked: Asked,
) -> FloatArray:
    """What the conditional covariances between effects of different factors add (m,)."""
    loaded = [z @ L for z, L in zip(asked.Z, lam, strict=True)]
    order = sorted(range(len(lam)), key=lambda f: -crossed.levels[f])
    total = np.zeros(len(asked.X))
    for i, g in enumerate(order[1:], start=1):
        needed = np.unique(asked.levels[g][asked.levels[g] >= 0])
        for some in np.split(needed, range(_LEVELS, len(needed), _LEVELS)):
            solved = solve(_units(crossed, g, some))
            solved = solved.reshape(len(solved), len(some), crossed.sizes[g])
            for f in order[:i]:
                both = np.isin(asked.levels[g], some) & (asked.levels[f] >= 0)
                there = crossed.columns(f, asked.levels[f][both])
                here = np.searchsorted(some, asked.levels[g][both])
                block = solved[there, here[:, None]]
                total[both] += 2.0 * np.einsum(
                    "ma,mab,mb->m", loaded[f][both], block, loaded[g][both]
                )
    return total


def _units(crossed: Crossing, factor: int, levels: IntArray) -> FloatArray:
    """Unit columns (N, levels q) of the effects of some levels."""
    index = crossed.columns(factor, levels).ravel()
    units = np.zeros((crossed.products.shape[0], len(index)))
    units[index, np.arange(len(index))] = 1.0
    return units
