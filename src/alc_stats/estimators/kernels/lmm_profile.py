"""The deviance with one standard deviation, correlation or sigma held, everything else optimised.

Coordinates are x = (entries of the factors A of the random effects' covariances A A', log sigma),
in units of the standardised outcome. The grouping of the held parameter is turned so that the
parameter's own effect comes first: its standard deviation is then the first entry of A, a
correlation the angle of the first two rows. Whatever is held, x is linear in what is free; the
two standard deviations beside a held correlation are free in their logarithms, because one of
opposite sign would mirror the correlation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import optimize

from alc_stats.estimators.kernels.lmm_deviance import Objective, covariance_scores, solve
from alc_stats.estimators.kernels.lmm_problem import lower_triangle
from alc_stats.records import FloatArray

_AWAY = 0.05
"""Diagonal entries below this share of sigma start here: at zero the gradient vanishes by
symmetry, minimum or not."""
_ENCLOSED = 1e-9
"""Relative width to which a limit is enclosed."""
_OUTWARD = 1.4
"""Factor of every step outward of a standard deviation."""
_STEPS = 100
"""Steps outward before a limit is called infinite."""
_STEPS_DOWN = 40
"""Steps toward zero before zero itself: the last is a millionth of the estimate."""
_ANGLE = 0.3
"""Step outward of a correlation, in Fisher's z."""
_WIDEST = 0.9995
"""Beyond this correlation the next step is the bound."""
_DIFFERENCE = 6e-6
"""Relative step of central differences: the cube root of the rounding unit."""
_CONVEX = 0.05
"""Least scaled curvature the first metric counts with."""
_LARGEST_LOG = 20.0
"""Logarithm of the largest standard deviation, relative to its estimate, a search looks at."""
_LEVEL = 1e-5
"""Gradient, relative to the square root of the rows, at which an inner search ends: the deviance
is then within about 1e-10 of its minimum."""

Kind = Literal["sigma", "sd", "correlation"]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The parameter that is held.

    Attributes
    ----------
    kind : {"sigma", "sd", "correlation"}
    factor, first : int
        Its grouping, and the first column of its block there; any for "sigma".
    turn : array (q, q)
        Standardised effects of the grouping are turn @ turned effects. The block's first turned
        effect is the held one; for a correlation its first two.
    """

    kind: Kind
    factor: int
    first: int
    turn: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The deviance as a function of one parameter.

    Attributes
    ----------
    objective : Objective
    held : Held
    start : array (k + 1,)
        x at the optimum.
    least : float
        The deviance there.
    curvature : array (k + 1, k + 1)
        About its second derivatives there: the metric of the first step of every search.
    """

    objective: Objective
    held: Held
    start: FloatArray
    least: float
    curvature: FloatArray

    @property
    def estimate(self) -> float:
        """The parameter at the optimum."""
        if self.held.kind == "sigma":
            return float(np.exp(self.start[-1]))
        first, below, beside = self._entries()
        if self.held.kind == "sd":
            return float(self.start[first])
        length = float(np.hypot(self.start[below], self.start[beside]))
        return float(self.start[below]) / length if length > 0.0 else float("nan")

    def rise(self, value: float, free: FloatArray | None = None) -> tuple[float, FloatArray]:
        """Least deviance at `value` above the optimum's, and the free coordinates there.

        The search starts at `free`, by default at the optimum.
        """
        L, constant = self._map(value)
        begin = self._away(L, constant, self._free_start() if free is None else free)

        def restricted(free: FloatArray) -> tuple[float, FloatArray]:
            level, slope = self._level(free)
            deviance, gradient = self.deviance(L @ level + constant)
            return deviance, slope * (L.T @ gradient)

        found = optimize.minimize(
            restricted,
            begin,
            jac=True,
            method="BFGS",
            options={
                "gtol": _LEVEL * float(np.sqrt(self.objective.rows)),
                "hess_inv0": _inverse(L.T @ self.curvature @ L, self._level(begin)[1]),
            },
        )
        return float(found.fun) - self.least, np.asarray(found.x)

    def limits(self, rise: float) -> tuple[float, float]:
        """Where the deviance has risen by `rise` below and above the estimate."""
        return self._limit(rise, -1.0), self._limit(rise, 1.0)

    def _limit(self, rise: float, side: float) -> float:
        """Walk from the estimate until the deviance has risen enough, then close in."""
        inner, start = self.estimate, self._free_start()
        for outer in self._outward(side):
            risen, free = self.rise(outer, start)
            if risen > rise:
                return self._root(inner, outer, start, rise)
            inner, start = outer, free
        return inner

    def _outward(self, side: float) -> Iterator[float]:
        """Values ever farther from the estimate; the last one is the parameter's bound."""
        estimate = self.estimate
        if self.held.kind == "correlation":
            z = np.arctanh(np.clip(estimate, -_WIDEST, _WIDEST))
            steps = np.arange(1, _STEPS) * _ANGLE
            values = np.tanh(z + side * steps)
            yield from (float(v) for v in values if abs(v) < _WIDEST or v * side < 0.0)
            yield side
        elif side > 0.0:
            first = max(estimate, _AWAY * float(np.exp(self.start[-1])))
            yield from (first * _OUTWARD**k for k in range(1, _STEPS))
            yield float("inf")
        elif estimate > 0.0:
            yield from (estimate / _OUTWARD**k for k in range(1, _STEPS_DOWN))
            yield 0.0

    def _root(self, inner: float, outer: float, start: FloatArray, rise: float) -> float:
        """Where the rise is met between two values."""

        def excess(value: float) -> float:
            return float(np.sqrt(max(self.rise(value, start)[0], 0.0)) - np.sqrt(rise))

        tolerance = _ENCLOSED * max(abs(inner), abs(outer))
        return float(optimize.brentq(excess, inner, outer, xtol=tolerance, rtol=1e-12))

    def deviance(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Deviance and gradient (k + 1,) at x; the coefficients are optimised."""
        o = self.objective
        form, sigma2 = o.template, float(np.exp(2.0 * x[-1]))
        A = form.unpack(x[:-1])
        turned = [T @ L for T, L in zip(self._turns(), A, strict=True)]
        lam = tuple(lower_triangle(L / np.sqrt(sigma2)) for L in turned)
        evaluation = o.statistics.evaluate(lam)
        solution = solve(evaluation, rows=o.rows, reml=o.reml)
        d, r2 = solution.degrees, solution.residual
        value = solution.deviance + d * (np.log(sigma2 * d / r2) - 1.0) + r2 / sigma2
        c = solution.contrast
        weight = solution.weight + (1.0 / sigma2 - d / r2) * np.outer(c, c)
        slopes = [S / sigma2 for S in covariance_scores(evaluation, weight)]
        pulled = [S @ L for S, L in zip(slopes, turned, strict=True)]
        entries = tuple(2.0 * T.T @ P for T, P in zip(self._turns(), pulled, strict=True))
        shrink = sum(float(np.sum(P * L)) for P, L in zip(pulled, turned, strict=True))
        along_sigma = 2.0 * d - 2.0 * r2 / sigma2 - 2.0 * shrink
        return float(value), np.append(form.pack(entries), along_sigma)

    def _turns(self) -> list[FloatArray]:
        turns: list[FloatArray] = [np.eye(size) for size in self.objective.template.sizes]
        if self.held.kind != "sigma":
            turns[self.held.factor] = self.held.turn
        return turns

    def _entries(self) -> tuple[int, int, int]:
        """Places in x of the block's entries (0, 0), (1, 0) and (1, 1); -1 if it has one row."""
        form, first = self.objective.template, self.held.first
        own = form.factor == self.held.factor

        def place(row: int, column: int) -> int:
            found = np.flatnonzero(own & (form.row == row) & (form.column == column))
            return int(found[0]) if found.size else -1

        return place(first, first), place(first + 1, first), place(first + 1, first + 1)

    def _map(self, value: float) -> tuple[FloatArray, FloatArray]:
        """X = L free + constant with the parameter at `value`."""
        size = len(self.start)
        constant, whole = np.zeros(size), np.eye(size)
        if self.held.kind == "sigma":
            constant[-1] = np.log(value)
            return whole[:, :-1], constant
        first, below, beside = self._entries()
        if self.held.kind == "sd":
            constant[first] = value
            return np.delete(whole, first, axis=1), constant
        whole[first, first] = self.start[first]
        length = float(np.hypot(self.start[below], self.start[beside]))
        whole[below, below] = value * length
        whole[beside, below] = np.sqrt(max(1.0 - value**2, 0.0)) * length
        return np.delete(whole, beside, axis=1), constant

    def _level(self, free: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What the free coordinates stand for in x, and its derivative."""
        level, slope = free.copy(), np.ones(len(free))
        if self.held.kind == "correlation":
            logs = list(self._entries()[:2])
            level[logs] = slope[logs] = np.exp(np.minimum(free[logs], _LARGEST_LOG))
        return level, slope

    def _free_start(self) -> FloatArray:
        """The free coordinates at the optimum."""
        if self.held.kind == "sigma":
            return self.start[:-1].copy()
        first, below, beside = self._entries()
        if self.held.kind == "sd":
            return np.delete(self.start, first)
        begin = self.start.copy()
        begin[first] = begin[below] = 0.0
        return np.delete(begin, beside)

    def _away(self, L: FloatArray, constant: FloatArray, free: FloatArray) -> FloatArray:
        """The start with every free diagonal entry off zero."""
        x = L @ self._level(free)[0] + constant
        least = _AWAY * float(np.exp(x[-1]))
        moved = free.copy()
        for k in np.flatnonzero(self.objective.template.diagonal):
            own = np.flatnonzero(L[k] == 1.0)
            if own.size and abs(x[k]) < least:
                moved[own[0]] = least
        return moved


def profile(objective: Objective, theta: FloatArray, held: Held) -> Profile:
    """The profile through the optimum `theta` (k,)."""
    _, solution = objective.at(theta)
    sigma = float(np.sqrt(solution.sigma2))
    factors = list(objective.template.unpack(theta))
    if held.kind != "sigma":
        factors[held.factor] = lower_triangle(
            np.asarray(np.linalg.solve(held.turn, factors[held.factor]), dtype=float)
        )
    entries = objective.template.pack(tuple(sigma * factor for factor in factors))
    start = np.append(entries, np.log(sigma))
    flat = Profile(objective, held, start, solution.deviance, np.eye(len(start)))
    return replace(flat, curvature=_curvature(flat))


def _curvature(path: Profile) -> FloatArray:
    """Central differences of the gradient at the optimum."""
    rows = []
    for k, value in enumerate(path.start):
        h = _DIFFERENCE * max(abs(value), 0.1)
        step = np.zeros(len(path.start))
        step[k] = h
        rows.append((path.deviance(path.start + step)[1] - path.deviance(path.start - step)[1]) / h)
    H = np.array(rows) / 2.0
    return np.asarray((H + H.T) / 2.0)


def _inverse(H: FloatArray, slope: FloatArray) -> FloatArray:
    """Positive definite inverse of slope H slope, every curvature counted upward."""
    scaled = H * np.outer(slope, slope)
    size = np.sqrt(np.maximum(np.abs(np.diag(scaled)), 1e-12 * np.abs(scaled).max()))
    values, vectors = np.linalg.eigh(scaled / np.outer(size, size))
    inverse = (vectors / np.maximum(np.abs(values), _CONVEX)) @ vectors.T
    inverse = inverse / np.outer(size, size)
    return np.asarray((inverse + inverse.T) / 2.0)
