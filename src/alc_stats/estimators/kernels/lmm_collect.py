"""One pass over the rows: every group becomes the triangle of its QR decomposition."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from alc_stats.estimators.kernels.lmm_basis import CHUNK
from alc_stats.estimators.kernels.lmm_model import Rows
from alc_stats.records import FloatArray, IntArray

_NOTHING_LEFT = 1e-13
"""A column whose part outside the earlier ones is below this share of its length has none."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows in the order of their groups.

    Attributes
    ----------
    order : int array (n,) or None
        Rows by group; None if they come that way.
    starts : int array (J,)
        First place of every group in that order.
    rows : int
    """

    order: IntArray | None
    starts: IntArray
    rows: int

    def rows_between(self, first: int, last: int) -> IntArray | slice:
        """Raw rows at the places first ... last - 1."""
        return slice(first, last) if self.order is None else self.order[first:last]


@dataclass(frozen=True, slots=True)
class Triangles:
    """[R_j K_j] (q, q + m, J) of every group, and the sum of S_j'S_j (m, m, parents)."""

    RK: FloatArray
    within: FloatArray


def by_group(codes: IntArray, levels: int) -> Sorted:
    """Counting sort of rows by their group's code; within a group rows keep their order."""
    n = len(codes)
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=levels))[:-1]])
    if np.all(codes[1:] >= codes[:-1]):
        return Sorted(None, starts, n)
    ones = np.ones(n, dtype=np.int8)
    table = sparse.csr_array((ones, (codes, np.arange(n))), shape=(levels, n))
    return Sorted(table.indices.astype(np.intp), starts, n)


def triangles(
    rows: Rows, place: Sorted, *, own: int, others: tuple[int, ...], parents: IntArray
) -> Triangles:
    """Collapse the rows of every group of factor `own`.

    Parameters
    ----------
    others : tuple of int
        Factors whose random columns stand beside [X y]: constant levels within every group.
    parents : int array (J,)
        Parent of every group, ascending, over which S_j'S_j is summed.
    """
    q = rows.factors[own].size
    m = sum(rows.factors[f].size for f in others) + rows.X.shape[1] + 1
    RK = np.zeros((q, q + m, len(place.starts)))
    within = np.zeros((m, m, int(parents[-1]) + 1))
    for first, last in _chunks(place):
        ends = place.starts[last] if last < len(place.starts) else place.rows
        picked = rows.rows_of(place.rows_between(place.starts[first], ends), (own, *others))
        local = place.starts[first:last] - place.starts[first]
        RK[:, :, first:last] = _orthogonalise(picked, local, q)
        _add_within(within, picked[q:], local, parents[first:last])
    return Triangles(RK, within)


def _chunks(place: Sorted) -> list[tuple[int, int]]:
    """Ranges of whole groups, each about CHUNK rows or one large group."""
    cuts = np.unique(np.searchsorted(place.starts, np.arange(0, place.rows, CHUNK)))
    edges = [*cuts[cuts < len(place.starts)].tolist(), len(place.starts)]
    return list(itertools.pairwise(edges))


def _orthogonalise(columns: FloatArray, starts: IntArray, q: int) -> FloatArray:
    """Modified Gram-Schmidt within every group; `columns` (q + m, rows) keeps the residuals.

    Returns [R K] (q, q + m, groups).
    """
    counts = np.diff(np.append(starts, columns.shape[1]))
    found = np.zeros((q, columns.shape[0], len(starts)))
    before = [np.sqrt(np.add.reduceat(column**2, starts)) for column in columns[:q]]
    for a in range(q):
        length = np.sqrt(np.add.reduceat(columns[a] ** 2, starts))
        length[length <= _NOTHING_LEFT * before[a]] = 0.0
        inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
        columns[a] *= np.repeat(inverse, counts)
        found[a, a] = length
        for b in range(a + 1, len(columns)):
            share = np.add.reduceat(columns[b] * columns[a], starts, out=found[a, b])
            columns[b] -= np.repeat(share, counts) * columns[a]
    return found


def _add_within(
    within: FloatArray, residuals: FloatArray, starts: IntArray, parents: IntArray
) -> None:
    """Add the residuals' products of every parent to `within` (m, m, parents)."""
    if within.shape[2] == 1:
        within[:, :, 0] += residuals @ residuals.T
        return
    first = np.flatnonzero(np.diff(parents, prepend=parents[0] - 1))
    here = parents[first]
    for a in range(len(residuals)):
        sums = np.add.reduceat(residuals[a] * residuals[: a + 1], starts[first], axis=1)
        within[a, : a + 1, here] += sums.T
        if a:
            within[:a, a, here] += sums[:a]
