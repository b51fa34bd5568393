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
    own : array (J, q, q)
        Inverse of every eliminated level's own block.
    between : list of matrices (J, width)
        Of every own column with the other factors' columns; full or sparse.
    loaded : list of matrices (J, width)
        own @ between.
    lower : array (width, width)
        Cholesky factor of what is left.
    log_det : float
    """

    layout: Layout
    own: FloatArray
    between: list[FloatArray] | list[sparse.csr_array]
    loaded: list[FloatArray] | list[sparse.csr_array]
    lower: FloatArray
    log_det: float

    def solve(self, right: Effects) -> Effects:
        """Hessian^-1 times `right`."""
        plan = self.layout
        mine = right[plan.order[0]]
        rest = _gathered(plan, right)
        if plan.width:
            for table, values in zip(self.loaded, mine, strict=True):
                rest = rest - table.T @ values
            rest = linalg.cho_solve((self.lower, True), rest, check_finite=False)
        found = np.einsum("jab,bj->aj", self.own, mine)
        if plan.width:
            found -= np.array([table @ rest for table in self.loaded])
        return _scattered(plan, found, rest)

    def touched(self, L: Effects) -> Effects:
        """Of every row, Hessian^-1 times its columns of L, at the effects it touches: (q, n)."""
        plan = self.layout
        first, others = plan.order[0], plan.order[1:]
        mine, code = L[first], plan.codes[first]
        if not plan.width:
            return (np.einsum("nab,bn->an", self.own[code], mine),)
        outer = np.concatenate([L[f] for f in others])
        inverse = linalg.cho_solve((self.lower, True), np.eye(plan.width), check_finite=False)
        across = [self._across(table, inverse) for table in self.loaded]
        own = self.own + self._added(across)
        at = [entries[plan.pair] for entries in across]
        top = np.einsum("nab,bn->an", own[code], mine)
        top -= np.array([np.einsum("kn,kn->n", a, outer) for a in at])
        bottom = -np.einsum("akn,an->kn", np.array(at), mine)
        for k, column in enumerate(plan.columns):
            for m, other in enumerate(plan.columns):
                bottom[k] += inverse[column, other] * outer[m]
        found: list[FloatArray] = [top] * len(plan.shapes)
        start = 0
        for f in others:
            found[f] = bottom[start : start + plan.shapes[f][0]]
            start += plan.shapes[f][0]
        return tuple(found)

    def own_inverse(self) -> tuple[FloatArray, ...]:
        """Blocks (q, q, levels) of Hessian^-1 on the diagonal, a factor each."""
        plan = self.layout
        found: list[FloatArray] = [np.moveaxis(self.own, 0, -1)] * len(plan.shapes)
        if not plan.width:
            return tuple(found)
        inverse = linalg.cho_solve((self.lower, True), np.eye(plan.width), check_finite=False)
        across = [self._across(table, inverse) for table in self.loaded]
        found[plan.order[0]] = np.moveaxis(self.own + self._added(across), 0, -1)
        start = 0
        for f in plan.order[1:]:
            q, levels = plan.shapes[f]
            block = inverse[start : start + q * levels, start : start + q * levels]
            places = np.arange(levels)
            found[f] = np.moveaxis(
                block.reshape(levels, q, levels, q)[places, :, places], 0, -1
            )
            start += q * levels
        return tuple(found)

    def _across(self, table: FloatArray | sparse.csr_array, inverse: FloatArray) -> FloatArray:
        """Entries of loaded @ inverse of what is left, where rows touch both."""
        if isinstance(table, np.ndarray):
            return np.asarray(table @ inverse).ravel()
        found = np.empty(table.nnz)
        for start in range(0, table.shape[0], _ROWS):
            stop = min(start + _ROWS, table.shape[0])
            begin, end = table.indptr[start], table.indptr[stop]
            row = np.repeat(np.arange(stop - start), np.diff(table.indptr[start : stop + 1]))
            found[begin:end] = (table[start:stop] @ inverse)[row, table.indices[begin:end]]
        return found

    def _added(self, across: list[FloatArray]) -> FloatArray:
        """What the other factors add to the inverse's own blocks (J, q, q)."""
        plan, q = self.layout, len(self.loaded)
        row = None
        if plan.pattern is not None:
            row = np.repeat(np.arange(plan.levels), np.diff(plan.pattern[0]))
        found = np.empty((plan.levels, q, q))
        for a in range(q):
            for b in range(q):
                table = self.loaded[b]
                if row is None:
                    product = across[a].reshape(plan.levels, plan.width) * table
                    found[:, a, b] = product.sum(axis=1)
                else:
                    found[:, a, b] = np.bincount(row, across[a] * table.data, plan.levels)
        return found


def factored(plan: Layout, L: Effects, weight: FloatArray) -> Factored:
    """Factor I + L'W L of the loads `L` (q, n) of every factor and weights (n,)."""
    first, others = plan.order[0], plan.order[1:]
    mine, code = L[first], plan.codes[first]
    q, levels = plan.shapes[first]
    A = np.empty((levels, q, q))
    for a in range(q):
        for b in range(a + 1):
            sums = np.bincount(code, weight * mine[a] * mine[b], levels)
            A[:, a, b] = A[:, b, a] = sums + (a == b)
    own = np.linalg.inv(A)
    log_det = float(np.linalg.slogdet(A)[1].sum()) if q > 1 else float(np.log(A).sum())
    if not plan.width:
        return Factored(plan, own, [], [], np.empty((0, 0)), log_det)
    outer = np.concatenate([L[f] for f in others])
    weighted = weight * outer
    entries = [
        np.bincount(plan.pair.ravel(), (weighted * one).ravel(), plan.entries) for one in mine
    ]
    loads = [
        sum(_spread(plan, own[:, a, b]) * entries[b] for b in range(q)) for a in range(q)
    ]
    between, loaded = ([_table(plan, one) for one in kind] for kind in (entries, loads))
    left = np.zeros(plan.width**2)
    products = weighted[:, None] * outer
    left[plan.inner_at] = np.bincount(plan.inner, products.ravel(), len(plan.inner_at))
    left = left.reshape(plan.width, plan.width)
    left[np.diag_indices(plan.width)] += 1.0
    for one, load in zip(between, loaded, strict=True):
        product = one.T @ load
        left -= product if isinstance(product, np.ndarray) else product.toarray()
    lower = linalg.cholesky(left, lower=True, overwrite_a=True, check_finite=False)
    return Factored(
        plan, own, between, loaded, lower, log_det + 2.0 * float(np.log(np.diag(lower)).sum())
    )


def _spread(plan: Layout, values: FloatArray) -> FloatArray:
    """A value a level (J,) at every entry between levels and columns."""
    counts = plan.width if plan.pattern is None else np.diff(plan.pattern[0])
    return np.repeat(values, counts)


def _table(plan: Layout, entries: FloatArray) -> FloatArray | sparse.csr_array:
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
