"""A large symmetric matrix in one square buffer, worked on in place.

Buffers are C-ordered and only their upper triangle counts, unless `mirror` has made them whole:
LAPACK reads that, through the transpose, as the lower triangle of a Fortran matrix, so that
nothing is copied. Rows and columns stand level by level within a factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from alc_stats.records import FloatArray

_TILE = 256
"""Rows and columns handled at once: their products stay in the cache and small in memory."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `first` ... `first + size * levels - 1`: the columns of one factor, by level."""

    first: int
    size: int
    levels: int

    @property
    def own(self) -> slice:
        """Its rows."""
        return slice(self.first, self.first + self.size * self.levels)


def invert(S: FloatArray) -> float:
    """Replace a positive definite matrix by its inverse; log determinant, NaN if it is not one."""
    _, failed = linalg.lapack.dpotrf(S.T, lower=1, overwrite_a=1, clean=0)
    if failed:
        return float("nan")
    log_det = 2.0 * float(np.log(np.diag(S)).sum())
    linalg.lapack.dpotri(S.T, lower=1, overwrite_c=1)
    return log_det


def mirror(S: FloatArray) -> None:
    """Write the upper triangle into the lower one."""
    for first in range(0, len(S), _TILE):
        rows = slice(first, first + _TILE)
        tile = S[rows, rows]
        tile[:] = np.triu(tile) + np.triu(tile, 1).T
        for start in range(first + _TILE, len(S), _TILE):
            S[start : start + _TILE, rows] = S[rows, start : start + _TILE].T


def multiply(S: FloatArray, x: FloatArray) -> FloatArray:
    """S x of x (n, m)."""
    return np.ascontiguousarray(linalg.blas.dsymm(1.0, S.T, x, lower=1))


def congruence(S: FloatArray, parts: tuple[Part, ...], factors: list[FloatArray]) -> None:
    """Replace S by F'S F, F block diagonal with one matrix (q, q) on all levels of a part."""
    for part, factor in zip(parts, factors, strict=True):
        if part.size == 1:
            S[part.own] *= factor[0, 0]
            S[:, part.own] *= factor[0, 0]
            continue
        set_blocks(S, part, blocks(S, part))
        rows = S[part.own].reshape(part.levels, part.size, len(S))
        for first in range(0, part.levels, _TILE):
            rows[first : first + _TILE] = factor.T @ rows[first : first + _TILE]
        for first in range(0, len(S), _TILE):
            columns = S[first : first + _TILE, part.own]
            columns[:] = (columns.reshape(-1, part.size) @ factor).reshape(columns.shape)


def blocks(S: FloatArray, part: Part) -> FloatArray:
    """The levels' diagonal blocks (q, q, levels)."""
    q = part.size
    found = np.empty((q, q, part.levels))
    for a in range(q):
        for b in range(a, q):
            found[a, b] = found[b, a] = _along(S, part, a, b)
    return found


def set_blocks(S: FloatArray, part: Part, values: FloatArray) -> None:
    """Write the levels' diagonal blocks (q, q, levels), both triangles."""
    for a in range(part.size):
        for b in range(part.size):
            _along(S, part, a, b)[:] = values[a, b]


def block_products(A: FloatArray, B: FloatArray, part: Part) -> FloatArray:
    """Sum over levels of A_j'B_j (q, q): the level's columns of two whole matrices."""
    q = part.size
    found = np.empty((q, q))
    for a in range(q):
        for b in range(q):
            left, right = A[:, part.own][:, a::q], B[:, part.own][:, b::q]
            found[a, b] = np.einsum("ij,ij->", left, right)
    return found


def trace_of_product(A: FloatArray, B: FloatArray) -> float:
    """tr(A B) of two whole matrices."""
    total = 0.0
    for first in range(0, len(A), _TILE):
        rows = slice(first, first + _TILE)
        for start in range(0, len(A), _TILE):
            columns = slice(start, start + _TILE)
            total += float(np.einsum("ij,ji->", A[rows, columns], B[columns, rows]))
    return total


def multiply_into(A: FloatArray, B: FloatArray) -> None:
    """Replace A by A B, both whole."""
    for first in range(0, len(A), _TILE):
        A[first : first + _TILE] = A[first : first + _TILE] @ B


def _along(S: FloatArray, part: Part, a: int, b: int) -> FloatArray:
    """View (levels,) of entry (a, b) of every diagonal block."""
    n = len(S)
    start = (part.first + a) * n + part.first + b
    return S.reshape(-1)[start :: part.size * (n + 1)][: part.levels]
