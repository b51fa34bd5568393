"""How the levels of the eliminated factor touch the columns of all other factors.

Two congruences are needed at every evaluation: C'D C, summed over levels with a small matrix D_j
each, and C_j N C_j' of every level. Levels that touch few columns are kept as pairs of touched
columns; a table that is nearly full is kept as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from alc_stats.records import FloatArray, IntArray

PAIR_COST = 100
"""Multiplications in a full matrix product that take as long as gathering and adding one pair."""
_MOST_PAIRS = 50_000_000
"""Pairs beyond this would fill a gigabyte."""


class Coupling(Protocol):
    """C (q, J, columns): Z_j'[columns of the other factors] of every level j."""

    def outer(self, D: FloatArray) -> FloatArray:
        """Sum over levels of C_j'D_j C_j (columns, columns), D (q, q, J) symmetric."""
        ...

    def quadratic(self, N: FloatArray) -> FloatArray:
        """C_j N C_j' (q, q, J), N (columns, columns) symmetric."""
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

    def outer(self, D: FloatArray) -> FloatArray:
        """See `Coupling.outer`."""
        q, _, columns = self.full.shape
        total = np.zeros((columns, columns))
        for a in range(q):
            weighted = D[a, 0, :, None] * self.full[0]
            for b in range(1, q):
                weighted += D[a, b, :, None] * self.full[b]
            total += self.full[a].T @ weighted
        return total

    def quadratic(self, N: FloatArray) -> FloatArray:
        """See `Coupling.quadratic`."""
        q, J, _ = self.full.shape
        found = np.empty((q, q, J))
        for a in range(q):
            turned = self.full[a] @ N
            for b in range(a + 1):
                found[a, b] = found[b, a] = np.einsum("jk,jk->j", turned, self.full[b])
        return found

    def down(self, x: FloatArray) -> FloatArray:
        """See `Coupling.down`."""
        return np.array([(plane @ x).T for plane in self.full])

    def up(self, x: FloatArray) -> FloatArray:
        """See `Coupling.up`."""
        return np.asarray(sum(plane.T @ x[a].T for a, plane in enumerate(self.full)))


@dataclass(frozen=True, slots=True)
class Pairs:
    """C by its non-zeros, and every pair of them within a level.

    Attributes
    ----------
    planes : tuple of CSR arrays (J, columns)
        C of every own column, one sparsity pattern.
    place : int array (pairs,)
        row * columns + column of the pair, row <= column.
    level : int array (pairs,)
        Ascending.
    twice : array (pairs,)
        2, or 1 on the diagonal.
    products : mapping of (a, b), a >= b, to arrays (pairs,)
        Coefficient of D_j[a, b] in the pair's entry of C'DC.
    """

    planes: tuple[sparse.csr_array, ...]
    place: IntArray
    level: IntArray
    twice: FloatArray
    products: dict[tuple[int, int], FloatArray]

    def outer(self, D: FloatArray) -> FloatArray:
        """See `Coupling.outer`."""
        columns = self.planes[0].shape[1]
        entries = np.zeros(len(self.place))
        for (a, b), product in self.products.items():
            entries += product * D[a, b][self.level]
        total = np.bincount(self.place, entries, columns * columns).reshape(columns, columns)
        return np.asarray(total + np.triu(total, 1).T)

    def quadratic(self, N: FloatArray) -> FloatArray:
        """See `Coupling.quadratic`."""
        q, J = len(self.planes), self.planes[0].shape[0]
        touched = N.ravel()[self.place] * self.twice
        found = np.empty((q, q, J))
        for (a, b), product in self.products.items():
            share = 1.0 if a == b else 0.5
            found[a, b] = share * np.bincount(self.level, touched * product, J)
            found[b, a] = found[a, b]
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
    """Every non-zero with itself and the later ones of its level."""
    columns = planes[0].shape[1]
    level_of = np.repeat(np.arange(len(degree)), degree)
    ends = np.cumsum(degree)[level_of]
    partners = ends - np.arange(len(level_of))
    left = np.repeat(np.arange(len(level_of)), partners)
    offset = np.arange(len(left)) - np.repeat(np.cumsum(partners) - partners, partners)
    right = left + offset
    index = planes[0].indices.astype(np.intp)
    products = {}
    for a in range(len(planes)):
        for b in range(a + 1):
            product = planes[a].data[left] * planes[b].data[right]
            if a != b:
                product += planes[b].data[left] * planes[a].data[right]
            products[a, b] = product
    return Pairs(
        planes,
        index[left] * columns + index[right],
        level_of[left],
        np.where(left == right, 1.0, 2.0),
        products,
    )
