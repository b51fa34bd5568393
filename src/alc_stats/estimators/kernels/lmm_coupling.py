"""How the levels of the eliminated factor touch the columns of all other factors.

At every evaluation a sum over levels C'D C with a small matrix D_j each is needed, and what such
sums have in common with a given matrix. Levels that touch few columns are kept by their
non-zeros; a table that is nearly full is kept as it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import linalg, sparse

from alc_stats.records import FloatArray, IntArray

PAIR_COST = 80
"""Multiplications in a full matrix product that take as long as one in a sparse product."""
_ROWS = 1024
"""Levels handled at once where a row of every column is made."""
_STRIP = 256
"""Columns whose sparse products are made at once; what is left of them is not made again."""
_FEWEST_STRIPS, _MOST_STRIPS = 4, 16
"""Strips hold C about half as often as there are of them."""


class Coupling(Protocol):
    """C (q, J, columns): Z_j'[columns of the other factors] of every level j."""

    def outer(self, D: FloatArray, *, out: FloatArray) -> None:
        """Write the sum over levels of C_j'D_j C_j, D (q, q, J) symmetric, to `out`.

        The upper triangle of `out` (columns, columns) holds it; the lower one is finite.
        """
        ...

    def inner(self, N: FloatArray, weights: list[FloatArray]) -> list[float]:
        """Sum over levels of <D_j, C_j N C_j'> for every D (q, q, J) of `weights`, symmetric.

        Of N (columns, columns) the upper triangle is read.
        """
        ...

    def quadratic(self, N: FloatArray) -> FloatArray:
        """C_j N C_j' (q, q, J), N (columns, columns) symmetric and whole."""
        ...

    def down(self, x: FloatArray) -> FloatArray:
        """C_j x (q, w, J) of x (columns, w)."""
        ...

    def up(self, x: FloatArray) -> FloatArray:
        """Sum over levels of C_j'x_j (columns, w) of x (q, w, J)."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """C as a full table (q, J, columns)."""

    full: FloatArray

    def outer(self, D: FloatArray, *, out: FloatArray) -> None:
        """See `Coupling.outer`."""
        q = len(self.full)
        out.fill(0.0)
        for rows in self._chunks():
            for a in range(q):
                weighted = D[a, 0, rows, None] * self.full[0, rows]
                for b in range(1, q):
                    weighted += D[a, b, rows, None] * self.full[b, rows]
                out += self.full[a, rows].T @ weighted

    def inner(self, N: FloatArray, weights: list[FloatArray]) -> list[float]:
        """See `Coupling.inner`."""
        quadratic = self.quadratic(N)
        return [float(np.einsum("abj,abj->", D, quadratic)) for D in weights]

    def quadratic(self, N: FloatArray) -> FloatArray:
        """See `Coupling.quadratic`."""
        q, J, _ = self.full.shape
        found = np.empty((q, q, J))
        for rows in self._chunks():
            for a in range(q):
                turned = linalg.blas.dsymm(1.0, N.T, self.full[a, rows].T, lower=1).T
                for b in range(a + 1):
                    product = np.einsum("jk,jk->j", turned, self.full[b, rows])
                    found[a, b, rows] = found[b, a, rows] = product
        return found

    def down(self, x: FloatArray) -> FloatArray:
        """See `Coupling.down`."""
        return np.array([(plane @ x).T for plane in self.full])

    def up(self, x: FloatArray) -> FloatArray:
        """See `Coupling.up`."""
        return np.asarray(sum(plane.T @ x[a].T for a, plane in enumerate(self.full)))

    def _chunks(self) -> Iterator[slice]:
        return (slice(first, first + _ROWS) for first in range(0, self.full.shape[1], _ROWS))


@dataclass(frozen=True, slots=True)
class Strip:
    """What a range of columns needs for its part of C'DC from the diagonal on.

    Attributes
    ----------
    first : int
        Its first column.
    own : tuple of CSR arrays (columns of the range, J)
        Its part of C', one an own column.
    onward : tuple of CSR arrays (J, columns from `first` on)
        One sparsity pattern.
    """

    first: int
    own: tuple[sparse.csr_array, ...]
    onward: tuple[sparse.csr_array, ...]

    def entries(self, D: FloatArray) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """Rows, columns and values whose sum is the strip's part of C'DC."""
        pattern = self.onward[0]
        levels = np.diff(pattern.indptr)
        for a, own in enumerate(self.own):
            data = sum(
                plane.data * np.repeat(D[a, b], levels) for b, plane in enumerate(self.onward)
            )
            weighted = sparse.csr_array((data, pattern.indices, pattern.indptr), pattern.shape)
            found = own @ weighted
            rows = np.arange(self.first, self.first + found.shape[0])
            yield np.repeat(rows, np.diff(found.indptr)), found.indices + self.first, found.data


@dataclass(frozen=True, slots=True)
class Sparse:
    """C by its non-zeros.

    Attributes
    ----------
    planes : tuple of CSR arrays (J, columns)
        C of every own column, one sparsity pattern.
    strips : tuple of Strip
        All columns.
    """

    planes: tuple[sparse.csr_array, ...]
    strips: tuple[Strip, ...]

    def outer(self, D: FloatArray, *, out: FloatArray) -> None:
        """See `Coupling.outer`."""
        out.fill(0.0)
        flat = out.reshape(-1)
        for strip in self.strips:
            for rows, columns, values in strip.entries(D):
                flat[rows * len(out) + columns] += values

    def inner(self, N: FloatArray, weights: list[FloatArray]) -> list[float]:
        """See `Coupling.inner`."""
        return [sum(self._shared(N, strip, D) for strip in self.strips) for D in weights]

    def quadratic(self, N: FloatArray) -> FloatArray:
        """See `Coupling.quadratic`."""
        q, J = len(self.planes), self.planes[0].shape[0]
        found = np.empty((q, q, J))
        for first in range(0, J, _ROWS):
            rows = slice(first, first + _ROWS)
            for a in range(q):
                turned = self.planes[a][rows] @ N
                for b in range(a + 1):
                    product = self.planes[b][rows].multiply(turned).sum(axis=1)
                    found[a, b, rows] = found[b, a, rows] = product
        return found

    def down(self, x: FloatArray) -> FloatArray:
        """See `Coupling.down`."""
        return np.array([np.ascontiguousarray((plane @ x).T) for plane in self.planes])

    def up(self, x: FloatArray) -> FloatArray:
        """See `Coupling.up`."""
        return np.asarray(sum(plane.T @ x[a].T for a, plane in enumerate(self.planes)))

    @staticmethod
    def _shared(N: FloatArray, strip: Strip, D: FloatArray) -> float:
        """<N, C'DC> over one strip, what is below the diagonal by its mirror image."""
        total, flat = 0.0, N.reshape(-1)
        for rows, columns, values in strip.entries(D):
            values *= 1 + np.sign(columns - rows)
            total += float(values @ flat[rows * len(N) + columns])
        return total


def couple(planes: tuple[sparse.csr_array, ...]) -> Coupling:
    """The cheaper of the two ways to hold C, by the time an evaluation takes.

    Parameters
    ----------
    planes : tuple of CSR arrays (J, columns)
        One an own column, with the same sparsity pattern, indices sorted.
    """
    J, columns = planes[0].shape
    degree = np.diff(planes[0].indptr).astype(float)
    if J * columns * columns <= PAIR_COST * float(np.sum(degree * degree)):
        full = np.empty((len(planes), J, columns))
        for plane, out in zip(planes, full, strict=True):
            plane.toarray(out=out)
        return Table(full)
    count = min(max(columns // _STRIP, _FEWEST_STRIPS), _MOST_STRIPS)
    edges = np.linspace(0, columns, count + 1).astype(int)
    strips = tuple(_strip(planes, a, b) for a, b in itertools.pairwise(edges))
    return Sparse(planes, strips)


def _strip(planes: tuple[sparse.csr_array, ...], first: int, last: int) -> Strip:
    own = tuple(plane[:, first:last].T.tocsr() for plane in planes)
    return Strip(first, own, planes if first == 0 else tuple(plane[:, first:] for plane in planes))
