"""The Hessian I + L'W L of a generalised mixed model's random effects, solved and inverted.

L holds the random columns times their relative covariance factors. The factor with the most
effects is eliminated level by level; what it leaves between the columns of all other factors is one
dense matrix. Of the inverse only the blocks of effects that share a row are worked out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.kernels.lmm_coupling import PAIR_COST
from alc_stats.estimators.kernels.lmm_model import Factor
from alc_stats.records import FloatArray, IntArray

LARGEST_REMAINDER = 4_000
"""Random effects beside those of the largest grouping: their matrix is dense, and is inverted some
dozens of times."""
_ROWS = 1024
"""Levels handled at once where a row of every column is made."""

Effects = tuple[FloatArray, ...]
"""Something per random effect: (q, levels) of every factor."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the rows enter the Hessian.

    Attributes
    ----------
    order : tuple of int
        Factors, the eliminated one first.
    codes : tuple of int arrays (n,)
        In the model's order.
    shapes : tuple of (q, levels)
        In the model's order.
    columns : int array (K, n)
        Column of every row's entry among those of the factors not eliminated.
    width : int
        Number of those columns.
    pair : int array (K, n)
        Place of (level of the first factor, column) among the entries between the two.
    pattern : (indptr, indices) or None
        Of those entries as a sparse table (levels, width); None where it is kept full.
    inner, inner_at : int arrays (K * K * n,), (m,)
        Place of every pair of columns among the m that share a row, and where these stand in the
        flat matrix (width * width,).
    """

    order: tuple[int, ...]
    codes: tuple[IntArray, ...]
    shapes: tuple[tuple[int, int], ...]
    columns: IntArray
    width: int
    pair: IntArray
    pattern: tuple[IntArray, IntArray] | None
    inner: IntArray
    inner_at: IntArray

    @property
    def levels(self) -> int:
        """Levels of the eliminated factor."""
        return self.shapes[self.order[0]][1]

    @property
    def degrees(self) -> IntArray | int:
        """Entries of every eliminated level (J,), or of each."""
        return self.width if self.pattern is None else np.diff(self.pattern[0])

    @property
    def entries(self) -> int:
        """Entries between the eliminated factor's levels and the other columns."""
        return self.levels * self.width if self.pattern is None else len(self.pattern[1])


def layout(factors: tuple[Factor, ...]) -> Layout:
    """Plan the Hessian of these factors.

    Raises
    ------
    FitError
        If what is left beside the largest grouping is too large.
    """
    order = tuple(sorted(range(len(factors)), key=lambda f: -factors[f].levels * factors[f].size))
    others = order[1:]
    width = sum(factors[f].levels * factors[f].size for f in others)
    _refuse_wide(width)
    n, first = len(factors[0].codes), factors[order[0]]
    index, start = [], 0
    for f in others:
        index += [start + factors[f].codes * factors[f].size + b for b in range(factors[f].size)]
        start += factors[f].size * factors[f].levels
    columns = np.array(index, dtype=np.int64).reshape(len(index), n)
    pair, pattern = _pairs(first, columns, width)
    both = (columns[:, None] * width + columns[None]).ravel()
    inner_at, inner = np.unique(both, return_inverse=True)
    return Layout(
        order,
        tuple(factor.codes for factor in factors),
        tuple((factor.size, factor.levels) for factor in factors),
        columns,
        width,
        pair,
        pattern,
        inner.ravel(),
        inner_at,
    )


def _refuse_wide(width: int) -> None:
    if width > LARGEST_REMAINDER:
        raise FitError(
            Problem(
                "the groupings are too large for a logistic mixed model here",
                found=f"{width} random effects beside those of the largest grouping",
                allowed=f"{LARGEST_REMAINDER}",
                way_out="Leave out slopes of the smaller groupings, or fit a sample of the rows.",
            )
        )


def _pairs(
    first: Factor, columns: IntArray, width: int
) -> tuple[IntArray, tuple[IntArray, IntArray] | None]:
    """Places between levels and columns: full where that is the cheaper to multiply."""
    flat = first.codes * width + columns
    if not columns.size:
        return flat, None
    present, place = np.unique(flat, return_inverse=True)
    degree = np.bincount(present // width, minlength=first.levels)
    if first.levels * width**2 <= PAIR_COST * float(np.sum(degree.astype(float) ** 2)):
        return flat, None
    indptr = np.concatenate([[0], np.cumsum(degree)])
    return place.reshape(columns.shape), (indptr, present % width)


@dataclass(frozen=True, slots=True, eq=False)
class Factored:
    """The Hessian at one set of weights.

    Attributes
    ----------
    layout : Layout
    own : array (J, q, q)
        Inverse of every eliminated level's own block.
    loaded : tuple of arrays (entries,)
        own @ the block between every own column and the other factors' columns.
    lower : array (width, width)
        Cholesky factor of what is left.
    log_det : float
    """

    layout: Layout
    own: FloatArray
    loaded: tuple[FloatArray, ...]
    lower: FloatArray
    log_det: float

    def solve(self, right: Effects) -> Effects:
        """Hessian^-1 times `right`."""
        plan = self.layout
        mine = right[plan.order[0]]
        found = np.einsum("jab,bj->aj", self.own, mine)
        if not plan.width:
            return (found,)
        tables = [_table(plan, entries) for entries in self.loaded]
        rest = _gathered(plan, right)
        for table, values in zip(tables, mine, strict=True):
            rest = rest - table.T @ values
        rest = linalg.cho_solve((self.lower, True), rest, check_finite=False)
        found -= np.array([table @ rest for table in tables])
        return _scattered(plan, found, rest)

    def touched(self, L: Effects) -> Effects:
        """Of every row, Hessian^-1 times its columns of L, at the effects it touches: (q, n)."""
        plan = self.layout
        first, others = plan.order[0], plan.order[1:]
        mine, code = L[first], plan.codes[first]
        if not plan.width:
            return (np.einsum("nab,bn->an", self.own[code], mine),)
        outer = np.concatenate([L[f] for f in others])
        inverse, across = self._inverted()
        at = np.array([entries[plan.pair] for entries in across])
        own = self.own + self._added(across)
        top = np.einsum("nab,bn->an", own[code], mine) - np.einsum("akn,kn->an", at, outer)
        bottom = -np.einsum("akn,an->kn", at, mine)
        for k, column in enumerate(plan.columns):
            for m, other in enumerate(plan.columns):
                bottom[k] += inverse[column, other] * outer[m]
        found, start = [top] * len(plan.shapes), 0
        for f in others:
            found[f] = bottom[start : start + plan.shapes[f][0]]
            start += plan.shapes[f][0]
        return tuple(found)

    def own_inverse(self) -> tuple[FloatArray, ...]:
        """Blocks (q, q, levels) of Hessian^-1 on the diagonal, a factor each."""
        plan = self.layout
        if not plan.width:
            return (np.moveaxis(self.own, 0, -1),)
        inverse, across = self._inverted()
        own = np.moveaxis(self.own + self._added(across), 0, -1)
        found, start = [own] * len(plan.shapes), 0
        for f in plan.order[1:]:
            q, levels = plan.shapes[f]
            block = inverse[start : start + q * levels, start : start + q * levels]
            places = np.arange(levels)
            found[f] = np.moveaxis(block.reshape(levels, q, levels, q)[places, :, places], 0, -1)
            start += q * levels
        return tuple(found)

    def _inverted(self) -> tuple[FloatArray, list[FloatArray]]:
        """Inverse of what is left, and loaded @ that, where rows touch both."""
        inverse, _ = linalg.lapack.dpotri(self.lower, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        tables = [_table(self.layout, entries) for entries in self.loaded]
        return inverse, [_entries_of_product(table, inverse) for table in tables]

    def _added(self, across: list[FloatArray]) -> FloatArray:
        """What the other factors add to the inverse's own blocks (J, q, q)."""
        plan, q = self.layout, len(self.loaded)
        row = np.repeat(np.arange(plan.levels), plan.degrees)
        found = np.empty((plan.levels, q, q))
        for a in range(q):
            for b in range(q):
                found[:, a, b] = np.bincount(row, across[a] * self.loaded[b], plan.levels)
        return found


def factored(plan: Layout, L: Effects, weight: FloatArray) -> Factored:
    """Factor I + L'W L of the loads `L` (q, n) of every factor and weights (n,)."""
    first, others = plan.order[0], plan.order[1:]
    mine = L[first]
    own, log_det = _own_blocks(plan, mine, weight)
    if not plan.width:
        return Factored(plan, own, (), np.empty((0, 0)), log_det)
    outer = np.concatenate([L[f] for f in others])
    weighted = weight * outer
    between = [
        np.asarray(np.bincount(plan.pair.ravel(), (weighted * z).ravel(), plan.entries), float)
        for z in mine
    ]
    loaded = [np.zeros(plan.entries) for _ in mine]
    for a, entries in enumerate(loaded):
        for b, values in enumerate(between):
            entries += np.repeat(own[:, a, b], plan.degrees) * values
    products = (weighted[:, None] * outer).ravel()
    flat = np.zeros(plan.width**2)
    flat[plan.inner_at] = np.bincount(plan.inner, products, len(plan.inner_at))
    left = flat.reshape(plan.width, plan.width)
    left[np.diag_indices(plan.width)] += 1.0
    for values, entries in zip(between, loaded, strict=True):
        product = _table(plan, values).T @ _table(plan, entries)
        left -= product if isinstance(product, np.ndarray) else product.toarray()
    lower = np.asarray(linalg.cholesky(left, lower=True, overwrite_a=True, check_finite=False))
    log_det += 2.0 * float(np.log(np.diag(lower)).sum())
    return Factored(plan, own, tuple(loaded), lower, log_det)


def _own_blocks(plan: Layout, mine: FloatArray, weight: FloatArray) -> tuple[FloatArray, float]:
    """Inverse (J, q, q) of every eliminated level's block, and the log determinant of all."""
    first = plan.order[0]
    q, levels = plan.shapes[first]
    A = np.empty((levels, q, q))
    for a in range(q):
        for b in range(a + 1):
            sums = np.bincount(plan.codes[first], weight * mine[a] * mine[b], levels)
            A[:, a, b] = A[:, b, a] = sums + (a == b)
    if q == 1:
        return 1.0 / A, float(np.log(A).sum())
    return np.asarray(np.linalg.inv(A), dtype=float), float(np.linalg.slogdet(A)[1].sum())


def _entries_of_product(table: FloatArray | sparse.csr_array, inverse: FloatArray) -> FloatArray:
    """Entries (entries,) of table @ inverse at the places the table has."""
    if isinstance(table, np.ndarray):
        return np.asarray(table @ inverse).ravel()
    found = np.empty(table.nnz)
    for start in range(0, table.shape[0], _ROWS):
        rows = table[start : start + _ROWS]
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        begin = int(table.indptr[start])
        found[begin : begin + rows.nnz] = np.asarray(rows @ inverse)[row, rows.indices]
    return found


def _table(plan: Layout, entries: FloatArray) -> FloatArray | sparse.csr_array:
    """Entries between levels and columns as a matrix (J, width)."""
    shape = (plan.levels, plan.width)
    if plan.pattern is None:
        return entries.reshape(shape)
    indptr, indices = plan.pattern
    return sparse.csr_array((entries, indices, indptr), shape=shape)


def _gathered(plan: Layout, effects: Effects) -> FloatArray:
    """The effects of all factors but the first, level by level (width,)."""
    parts = [effects[f].T.ravel() for f in plan.order[1:]]
    return np.concatenate(parts) if parts else np.empty(0)


def _scattered(plan: Layout, mine: FloatArray, rest: FloatArray) -> Effects:
    found: list[FloatArray] = [mine] * len(plan.shapes)
    start = 0
    for f in plan.order[1:]:
        q, levels = plan.shapes[f]
        found[f] = rest[start : start + q * levels].reshape(levels, q).T
        start += q * levels
    return tuple(found)
