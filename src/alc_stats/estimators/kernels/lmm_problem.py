"""From raw arrays to an objective on standardised scales, and back to the columns' units."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from alc_stats.estimators.kernels.lmm_basis import (
    Basis,
    Residualised,
    joint_basis,
    residualised,
    separate_basis,
)
from alc_stats.estimators.kernels.lmm_crossed import collect_crossed
from alc_stats.estimators.kernels.lmm_deviance import Objective, template
from alc_stats.estimators.kernels.lmm_model import Factor, Rows, Statistics
from alc_stats.estimators.kernels.lmm_nested import collect_nested
from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True)
class Scales:
    """What translates standardised results into the units of the columns.

    Attributes
    ----------
    fixed : Residualised
    random : tuple of Basis
        One a factor.
    log_weight : float
        Sum of log prior weights; zero without them.
    """

    fixed: Residualised
    random: tuple[Basis, ...]
    log_weight: float

    def coefficients(self, beta: FloatArray) -> FloatArray:
        """Raw coefficients (p,) of standardised ones."""
        return np.asarray(self.fixed.start + self.fixed.scale * (self.fixed.basis.back @ beta))

    def covariance(self, unscaled: FloatArray) -> FloatArray:
        """Raw covariance (p, p) of the standardised (X'V^-1 X)^-1 times sigma^2."""
        half = self.fixed.scale * self.fixed.basis.back
        product = half @ unscaled @ half.T
        return np.asarray((product + product.T) / 2.0)

    def factor(self, f: int, lam: FloatArray) -> FloatArray:
        """Lower triangular relative covariance factor (q, q) on the raw columns of factor f."""
        return lower_triangle(self.random[f].back @ lam)

    def deviance(self, standardised: float, *, degrees: int, reml: bool) -> float:
        """-2 log-likelihood of the raw data."""
        jacobian = 2.0 * degrees * np.log(self.fixed.scale) - self.log_weight
        if reml:
            jacobian -= 2.0 * self.fixed.basis.log_det
        return float(standardised + jacobian)


@dataclass(frozen=True, slots=True)
class Problem:
    """An objective and the scales that translate its answers."""

    objective: Objective
    scales: Scales


def prepare(
    y: FloatArray,
    X: FloatArray,
    *,
    factors: tuple[Factor, ...],
    reml: bool,
    weights: FloatArray | None = None,
    turns: tuple[FloatArray, ...] | None = None,
    first: int | None = None,
) -> Problem:
    """Standardise, collect the statistics, and state the objective.

    Parameters
    ----------
    y, X : arrays (n,), (n, p)
        X of full column rank.
    factors : tuple of Factor
        At least one.
    reml : bool
        Whether the restricted likelihood is meant.
    weights : array (n,), optional
        Positive prior weights: Var(e_i) = sigma^2 / w_i.
    turns : tuple of arrays (q, q), optional
        Rotations of every factor's standardised columns, block diagonal over its terms.
    first : int, optional
        The factor that crossed statistics eliminate first, by default the widest.
    """
    root = None if weights is None else np.sqrt(weights)
    bases = tuple(factor_basis(factor, root) for factor in factors)
    if turns is not None:
        bases = tuple(basis.turned(turn) for basis, turn in zip(bases, turns, strict=True))
    rows = Rows(y, X, root, residualised(y, X, root), factors, bases)
    form = template(factors)
    log_weight = 0.0 if weights is None else float(np.log(weights).sum())
    objective = Objective(collect(rows, first), form, len(y), reml)
    return Problem(objective, Scales(rows.fixed, bases, log_weight))


def lower_triangle(factor: FloatArray) -> FloatArray:
    """Lower triangular L (q, q), diagonal >= 0, with L L' = factor factor'."""
    R = np.asarray(np.linalg.qr(factor.T, mode="r"))
    signs = np.where(np.diag(R) < 0.0, -1.0, 1.0)
    return np.asarray((R * signs[:, None]).T)


def factor_basis(factor: Factor, root: FloatArray | None) -> Basis:
    """Block diagonal over the terms of a factor; rows are multiplied by `root` (n,) if given."""
    parts, first = [], 0
    for block in factor.blocks:
        columns = factor.Z[:, first : first + block.size]
        parts.append(
            joint_basis(columns, root) if block.correlated else separate_basis(columns, root)
        )
        first += block.size
    if len(parts) == 1:
        return parts[0]
    return Basis(
        np.concatenate([part.origin for part in parts]),
        linalg.block_diag(*[part.forward for part in parts]),
        linalg.block_diag(*[part.back for part in parts]),
        sum(part.log_det for part in parts),
    )


def collect(rows: Rows, first: int | None = None) -> Statistics:
    """A chain if every factor is nested in the next larger grouping, else crossed statistics."""
    order = tuple(sorted(range(len(rows.factors)), key=lambda f: -rows.factors[f].levels))
    if all(nested_in(rows.factors[a], rows.factors[b]) for a, b in itertools.pairwise(order)):
        return collect_nested(rows, order)
    widest = tuple(sorted(order, key=lambda f: (f != first, -_width(rows.factors[f]))))
    return collect_crossed(rows, widest)


def _width(factor: Factor) -> int:
    return factor.levels * factor.size


def nested_in(inner: Factor, outer: Factor) -> bool:
    """Whether every level of `inner` lies within one level of `outer`."""
    of_level = np.empty(inner.levels, dtype=np.intp)
    of_level[inner.codes] = outer.codes
    return bool(np.array_equal(of_level[inner.codes], outer.codes))
