"""A mixed model whose rows' log SDs, and whose random intercept's log SD, follow columns.

    y = X b + Z gamma + e,   SD(e_i) = sigma exp(w_i'tau),   an intercept's column = exp(u_i'a)

At phi = (tau, a) this is a mixed model with prior weights exp(-2 w'tau) and one column scaled, so
everything in sigma, b and the covariance factors is left to `Objective`. What is added is the
deviance's derivative in phi: with V relative to sigma^2, r the rows of [X y] less what the effects
make of them, h = z'S z,

    dD / dtau_k = 2 sum_i w_ik (1 - h_i) - 2 <B, sum_i w_ik r_i r_i'>,

and likewise for a, all columns times the roots of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.estimators.kernels.lmm_basis import CHUNK, Basis, residualised, triangle
from alc_stats.estimators.kernels.lmm_deviance import Objective, Solution, Template, template
from alc_stats.estimators.kernels.lmm_model import (
    Effects,
    Evaluation,
    Factor,
    Gram,
    Rows,
    SecondOrder,
)
from alc_stats.estimators.kernels.lmm_problem import Scales, collect, factor_basis
from alc_stats.estimators.kernels.scale_columns import LogSd
from alc_stats.estimators.kernels.scale_effects import RowEffects, row_effects
from alc_stats.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Between:
    """The log SD of one factor's intercept.

    Attributes
    ----------
    factor, column : int
        Place of the factor, and of the intercept among its columns.
    columns : LogSd
    """

    factor: int
    column: int
    columns: LogSd


@dataclass(frozen=True, slots=True)
class NoFactors:
    """Sufficient statistics of a model without random effects: W'W (w, w)."""

    inner: FloatArray

    def evaluate(self, factors: tuple[FloatArray, ...]) -> Evaluation:  # noqa: ARG002
        """See `Statistics.evaluate`."""
        return Evaluation(0.0, self.inner, (), ())

    def effects(self, factors: tuple[FloatArray, ...]) -> tuple[Effects, ...]:  # noqa: ARG002
        """See `Statistics.effects`."""
        return ()

    def has_second_order(self, factors: tuple[FloatArray, ...]) -> bool:  # noqa: ARG002
        """See `Statistics.has_second_order`."""
        return False

    def second_order(
        self,
        factors: tuple[FloatArray, ...],  # noqa: ARG002
        weight: FloatArray,  # noqa: ARG002
        slopes: tuple[FloatArray, ...],  # noqa: ARG002
    ) -> SecondOrder:
        """See `Statistics.second_order`: nothing has any."""
        raise ValueError("a model without random effects has no second-order products")

    def release(self) -> None:
        """See `Statistics.release`: nothing is shared."""

    def gram(self) -> Gram:
        """See `Statistics.gram`."""
        return Gram(np.zeros((0, 0)), np.zeros((0, len(self.inner))))


@dataclass(frozen=True, slots=True)
class Slopes:
    """What derivatives in phi are made of.

    Attributes
    ----------
    trace : array (K,)
    cross : array (K, v, v)
        In directions of [X y]; dD/dphi = 2 (trace - <B, cross>) with B in the same directions.
    expected : array (K, K)
        About the second derivatives of the deviance, for the search's first steps.
    """

    trace: FloatArray
    cross: FloatArray
    expected: FloatArray

    def gradient(self, weight: FloatArray) -> FloatArray:
        """Derivatives (K,) of the deviance for B (v, v)."""
        return np.asarray(2.0 * (self.trace - np.einsum("kvw,vw->k", self.cross, weight)))


@dataclass(frozen=True, slots=True, eq=False)
class ScaleModel:
    """Rows on bases that stay while phi moves.

    Attributes
    ----------
    rows : Rows
        Without weights, the scaled intercept at its own size.
    reml : bool
    scale : LogSd
    between : Between or None
    template : Template
    """

    rows: Rows
    reml: bool
    scale: LogSd
    between: Between | None
    template: Template

    @property
    def size(self) -> int:
        """Parameters in phi."""
        return self.scale.size + (self.between.columns.size if self.between else 0)

    def at(self, phi: FloatArray) -> Place:
        """The mixed model at phi (K,)."""
        K, rows, log_weight = self.scale.size, self.rows, 0.0
        if phi[:K].any():
            eta = self.scale.values(phi[:K])
            log_weight = -2.0 * float(eta.sum())
            rows = replace(rows, root_weight=np.exp(-eta))
        if self.between is not None:
            rows = replace(rows, factors=self._scaled(self.between, phi[K:]))
        known = None if self.scale.constant is not None else rows.fixed.scale**-2.0
        statistics = collect(rows) if rows.factors else _no_factors(rows)
        objective = Objective(statistics, self.template, len(rows.y), self.reml, known)
        return Place(self, phi, objective, rows, log_weight)

    def _scaled(self, between: Between, a: FloatArray) -> tuple[Factor, ...]:
        factors = list(self.rows.factors)
        factor = factors[between.factor]
        Z = factor.Z.copy()
        Z[:, between.column] *= np.exp(between.columns.values(a))
        factors[between.factor] = replace(factor, Z=Z)
        return tuple(factors)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The mixed model at one phi.

    Attributes
    ----------
    model : ScaleModel
    phi : array (K,)
    objective : Objective
        Of the rows as phi weights and scales them.
    rows : Rows
    log_weight : float
        Sum of the rows' log weights.
    """

    model: ScaleModel
    phi: FloatArray
    objective: Objective
    rows: Rows
    log_weight: float

    @property
    def scales(self) -> Scales:
        """The way back to the columns' units."""
        return Scales(self.rows.fixed, self.rows.bases, self.log_weight)

    def deviance(self, solution: Solution) -> float:
        """-2 log-likelihood on the standardised scale, the rows' own variances counted."""
        return solution.deviance - self.log_weight

    def slopes(self, theta: FloatArray, directions: FloatArray) -> Slopes:
        """One pass over the rows at theta, for directions (v, w) of [X y]."""
        factors = self.model.template.unpack(theta)
        effects = row_effects(self.objective.statistics, factors, directions)
        v, K = len(directions), self.model.size
        trace, cross, expected = np.zeros(K), np.zeros((K, v, v)), np.zeros((K, K))
        own = slice(0, self.model.scale.size)
        for chunk in self._chunks(effects, directions):
            w = self.model.scale.rows(chunk.rows)
            trace[own] += w @ chunk.unexplained
            expected[own, own] += 4.0 * (w * chunk.unexplained**2) @ w.T
            for k, column in enumerate(w):
                cross[k] += (chunk.residual * column) @ chunk.residual.T
            if self.model.between is not None:
                self._add_between(self.model.between, chunk, effects, (trace, cross, expected))
        return Slopes(trace, cross, expected)

    def gradient(self, theta: FloatArray, solution: Solution) -> tuple[FloatArray, Slopes]:
        """Derivatives (K,) of the deviance in phi."""
        w = len(solution.weight)
        full = np.eye(w) if self.model.reml else solution.contrast[None]
        weight = solution.weight if self.model.reml else np.full((1, 1), 1.0 / solution.sigma2)
        slopes = self.slopes(theta, full)
        return slopes.gradient(weight), slopes

    def _chunks(self, effects: RowEffects, directions: FloatArray) -> Iterator[_Chunk]:
        factors = self.rows.factors
        every = tuple(range(len(factors)))
        Q = sum(factor.size for factor in factors)
        for start in range(0, len(self.rows.y), CHUNK):
            rows = slice(start, start + CHUNK)
            columns = self.rows.rows_of(rows, every)
            codes = tuple(factor.codes[rows] for factor in factors)
            Z = columns[:Q]
            fitted, spread = effects.of_rows(Z, codes)
            residual = directions @ columns[Q:] - fitted
            unexplained = 1.0 - np.einsum("qm,qm->m", Z, spread)
            yield _Chunk(rows, codes, spread, residual, unexplained)

    def _add_between(
        self,
        between: Between,
        chunk: _Chunk,
        effects: RowEffects,
        sums: tuple[FloatArray, FloatArray, FloatArray],
    ) -> None:
        """A chunk's part of the derivatives in the intercept's log SD."""
        trace, cross, expected = sums
        first = self.model.scale.size
        factor, basis = self.rows.factors[between.factor], self.rows.bases[between.factor]
        direction = basis.forward[between.column]
        size = factor.Z[chunk.rows, between.column].copy()
        if self.rows.root_weight is not None:
            size *= self.rows.root_weight[chunk.rows]
        start = sum(f.size for f in self.rows.factors[: between.factor])
        own = chunk.spread[start : start + factor.size]
        shared = size * (direction @ own)
        load = np.einsum("q,qvm->vm", direction, effects.loads_of(between.factor, chunk.codes))
        u = between.columns.rows(chunk.rows)
        trace[first:] += u @ shared
        expected[first:, first:] += 4.0 * (u * shared) @ u.T
        for k, column in enumerate(u, start=first):
            half = (chunk.residual * (size * column)) @ load.T
            cross[k] += (half + half.T) / 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """Rows with S z (Q, m), residuals (v, m), and 1 - z'S z (m,)."""

    rows: slice
    codes: tuple[IntArray, ...]
    spread: FloatArray
    residual: FloatArray
    unexplained: FloatArray


def scale_model(
    y: FloatArray,
    X: FloatArray,
    *,
    factors: tuple[Factor, ...],
    reml: bool,
    scale: LogSd,
    between: Between | None,
) -> ScaleModel:
    """Standardise rows; X (n, p) of full column rank."""
    bases = [factor_basis(factor, None) for factor in factors]
    if between is not None:
        bases[between.factor] = _without_origin(factors[between.factor])
    rows = Rows(y, X, None, residualised(y, X), factors, tuple(bases))
    return ScaleModel(rows, reml, scale, between, _template(factors))


def _without_origin(factor: Factor) -> Basis:
    """A basis that stays one when the intercept is scaled row by row: nothing is centred."""
    q, first = factor.size, 0
    forward = np.zeros((q, q))
    for block in factor.blocks:
        own = slice(first, first + block.size)
        R = triangle(factor.Z[:, own])
        forward[own, own] = np.linalg.inv(R) * np.sqrt(len(factor.Z))
        first += block.size
    log_det = float(np.log(np.abs(np.diag(forward))).sum())
    return Basis(np.zeros(q), forward, forward, log_det)


def _template(factors: tuple[Factor, ...]) -> Template:
    if factors:
        return template(factors)
    none = np.zeros(0, dtype=np.intp)
    return Template((), (), none, none, none, none, ())


def _no_factors(rows: Rows) -> NoFactors:
    w = rows.X.shape[1] + 1
    inner = np.zeros((w, w))
    for start in range(0, len(rows.y), CHUNK):
        columns = rows.rows_of(slice(start, start + CHUNK), ())
        inner += columns @ columns.T
    return NoFactors(inner)
