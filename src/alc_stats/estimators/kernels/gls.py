"""Generalised least squares with random effects of known variances, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alc_stats.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Effects:
    """Random effects: columns (n, q), level of every row (n,), covariance (q, q), residual 1."""

    Z: FloatArray
    codes: IntArray
    covariance: FloatArray

    def loaded(self) -> FloatArray:
        """Columns (q, n) whose effects are independent, with variance one."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.asarray((self.Z @ vectors * np.sqrt(np.maximum(values, 0.0))).T, dtype=float)


@dataclass(frozen=True, slots=True)
class Gls:
    """Coefficients (p,), (X'V^-1 X)^-1 and (y - X b)'V^-1 (y - X b)."""

    coefficients: FloatArray
    unscaled: FloatArray
    squares: float


def gls(y: FloatArray, X: FloatArray, effects: Sequence[Effects], outer: IntArray) -> Gls:
    """Solve for V = I + A A', where A holds the columns of all effects, level by level.

    Rows of different `outer` groups (n,) share no level. Variances of zero are allowed.
    """
    M, p = np.column_stack([X, y]), X.shape[1]
    W = M.T @ M
    loaded = [(column, term.codes) for term in effects for column in term.loaded()]
    for rows in independent_groups(outer):
        A = np.hstack([spread_over_levels(z[rows], codes[rows]) for z, codes in loaded])
        AM = A.T @ M[rows]
        W -= AM.T @ np.linalg.solve(np.eye(A.shape[1]) + A.T @ A, AM)
    unscaled = np.asarray(np.linalg.inv(W[:p, :p]), dtype=float)
    coefficients = unscaled @ W[:p, p]
    return Gls(coefficients, unscaled, float(W[p, p] - coefficients @ W[:p, p]))


def independent_groups(outer: IntArray) -> list[IntArray]:
    """Rows of every level, in the order of the levels."""
    order = np.argsort(outer, kind="stable")
    return list(np.split(order, np.flatnonzero(np.diff(outer[order])) + 1))


def spread_over_levels(column: FloatArray, codes: IntArray) -> FloatArray:
    """A column of its own (n, m) for each of the m levels among these rows."""
    present, index = np.unique(codes, return_inverse=True)
    return np.asarray(column[:, None] * np.eye(present.size)[index], dtype=float)
