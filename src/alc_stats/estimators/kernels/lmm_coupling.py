"""How the levels of the eliminated factor touch the columns of all other factors.

Two congruences are needed at every evaluation: C'D C, summed over levels with a small matrix D_j
each, and C_j N C_j' of every level. Levels that touch few columns are kept as the pairs of
touched columns, sorted by where their products are added; a table that is nearly full is kept as
it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import linalg, sparse

from alc_stats.records import FloatArray, IntArray

PAIR_COST = 40
"""Multiplications in a full matrix product that take as long as adding one pair."""
_MOST_PAIRS = 50_000_000
"""Pairs beyond this would fill 600 megabytes."""
_ROWS = 2048
"""Levels of a full table handled at once."""
_PAIRS = 1 << 17
"""Pairs sorted at once."""


class Coupling(Protocol):
    """C (q, J, columns): Z_j'[columns of the other factors] of every level j."""

    def outer(self, D: FloatArray, *, out: FloatArray) -> None:
        """Write the sum over levels of C_j'D_j C_j, D (q, q, J) symmetric, to `out`.

        The upper triangle of `out` (columns, columns) holds it; the lower one is finite.
        """
        ...

    def quadratic(self, N: FloatArray) -> FloatArray:
        """C_j N C_j' (q, q, J), N (columns, columns) symmetric: its upper triangle is read."""
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
class Pairs:
    """C by its non-zeros, and every pair of them within a level.

    Attributes
    ----------
    planes : tuple of CSR arrays (J, columns)
        C of every own column, one sparsity pattern.
    place : int array (places,)
        row * columns + column of every place, row <= column, that some pair is added to.
    diagonal : int array
        Which of the places have row == column.
    sums : mapping of (a, b), a >= b, to CSR arrays (places, J)
        Coefficient of D_j[a, b] in every place of C'DC; one sparsity pattern.
    """

    planes: tuple[sparse.csr_array, ...]
    place: IntArray
    diagonal: IntArray
    sums: dict[tuple[int, int], sparse.csr_array]

    def outer(self, D: FloatArray, *, out: FloatArray) -> None:
        """See `Coupling.outer`."""
        out.fill(0.0)
        out.reshape(-1)[self.place] = sum(table @ D[a, b] for (a, b), table in self.sums.items())

    def quadratic(self, N: FloatArray) -> FloatArray:
        """See `Coupling.quadratic`."""
        q, J = len(self.planes), self.planes[0].shape[0]
        touched = N.reshape(-1)[self.place]
        touched *= 2.0
        touched[self.diagonal] *= 0.5
        found = np.empty((q, q, J))
        for (a, b), table in self.sums.items():
            share = 1.0 if a == b else 0.5
            found[a, b] = found[b, a] = share * (table.T @ touched)
        return found

    def down(self, x: FloatArray) -> FloatArray:
        """See `Coupling.down`."""
        return np.array([np.ascontiguousarray((plane @ x).T) for plane in self.planes])

    def up(self, x: FloatArray) -> FloatArray:
        """See `Coupling.up`."""
        return np.asarray(sum(plane.T @ x[a].T for a, plane in enumerate(self.planes)))


def couple(planes: tuple[sparse.csr_array, ...]) -> Coupling:
    """The cheaper of the two ways to hold C, by the time an evaluation takes.

    Parameters
    ----------
    planes : tuple of CSR arrays (J, columns)
        One an own column, with the same sparsity pattern, indices sorted.
    """
    J, columns = planes[0].shape
    degree = np.diff(planes[0].indptr).astype(np.intp)
    pairs = int(np.sum(degree * (degree + 1)) // 2)
    if pairs > _MOST_PAIRS or J * columns * columns <= PAIR_COST * pairs:
        return Table(np.array([plane.toarray() for plane in planes]))
    return _pairs(planes, degree)


def _pairs(planes: tuple[sparse.csr_array, ...], degree: IntArray) -> Pairs:
    """Every non-zero with itself and the later ones of its level, sorted by place.

    Some columns at a time, so that no more than the result is held.
    """
    J, columns = planes[0].shape
    index = planes[0].indices
    level = np.repeat(np.arange(J, dtype=np.int32), degree)
    partners = np.cumsum(degree)[level] - np.arange(len(index))
    by_column = np.argsort(index, kind="stable")
    total = int(partners.sum())
    entries = [(a, b) for a in range(len(planes)) for b in range(a + 1)]
    data = {entry: np.empty(total) for entry in entries}
    levels = np.empty(total, dtype=np.int32)
    places, counts, done = [], [], 0
    for first, last, chosen in _column_ranges(index, by_column, partners, columns):
        left = np.repeat(chosen, partners[chosen])
        starts = np.cumsum(partners[chosen]) - partners[chosen]
        right = left + np.arange(len(left)) - np.repeat(starts, partners[chosen])
        local = (index[left] - first).astype(np.int64) * columns + index[right]
        shape = ((last - first) * columns, J)
        own = slice(done, done + len(left))
        for entry in entries:
            products = _products(planes, entry, left, right)
            table = sparse.coo_array((products, (local, level[left])), shape=shape).tocsr()
            data[entry][own] = table.data
        levels[own] = table.indices
        count = np.diff(table.indptr)
        (filled,) = np.nonzero(count)
        places.append(filled + first * columns)
        counts.append(count[filled])
        done = own.stop
    place = np.concatenate(places)
    ends = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    shape = (len(place), J)
    sums = {e: sparse.csr_array((data[e], levels, ends), shape=shape) for e in entries}
    return Pairs(planes, place, np.flatnonzero(place % (columns + 1) == 0), sums)


def _column_ranges(
    index: IntArray, by_column: IntArray, partners: IntArray, columns: int
) -> Iterator[tuple[int, int, IntArray]]:
    """Ranges of columns of about _PAIRS pairs, and the non-zeros in each."""
    cost = np.bincount(index, partners, columns) + columns
    edges = np.flatnonzero(np.diff(np.cumsum(cost) // _PAIRS, prepend=-1.0, append=np.inf))
    starts = np.searchsorted(index[by_column], edges)
    for k in range(len(edges) - 1):
        yield int(edges[k]), int(edges[k + 1]), by_column[starts[k] : starts[k + 1]]


def _products(
    planes: tuple[sparse.csr_array, ...], entry: tuple[int, int], left: IntArray, right: IntArray
) -> FloatArray:
    """Coefficient of D_j[a, b] in the pairs' places."""
    a, b = entry
    product = planes[a].data[left] * planes[b].data[right]
    if a != b:
        product += planes[b].data[left] * planes[a].data[right]
    return np.asarray(product)
