"""Statistics and evaluation for crossed factors, in any mixture with nested ones.

The factor with the most random effects is eliminated level by level; what it leaves between the
columns of all other factors is one dense symmetric matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.kernels.lmm_collect import by_group, triangles
from alc_stats.estimators.kernels.lmm_coupling import Coupling, couple
from alc_stats.estimators.kernels.lmm_model import Effects, Evaluation, Gram, Rows
from alc_stats.estimators.kernels.lmm_stage import cross_products, eliminate, times, transposed
from alc_stats.records import FloatArray, IntArray

LARGEST_REMAINDER = 10_000
"""Random effects beside those of the largest grouping: their matrix is dense (0.8 gigabytes)."""
LARGEST_TABLE = 50_000_000
"""Pairs of a level of the largest grouping and another random effect, where all are needed (0.4
gigabytes)."""
_INVERTIBLE = 1e-5
"""Above this least diagonal entry, lam can be divided by."""


class _Solved(NamedTuple):
    """Everything of one evaluation the results are read from.

    spread (N): conditional covariance of the outer effects; loads (U): spread @ columns'V_1^-1 W;
    own_score: Z_1j'V^-1 W; outer_score: Z_r'V^-1 W; kept: root of the eliminated factor; half:
    S^-1 lam' of the outer effects; outer: Z_r'V_1^-1 Z_r.
    """

    log_det: float
    inner: FloatArray
    spread: FloatArray
    loads: FloatArray
    own_score: FloatArray
    outer_score: FloatArray
    root: FloatArray
    half: FloatArray
    outer: FloatArray


@dataclass(frozen=True, slots=True)
class JointEffects:
    """Conditional effects of all factors together, the first factor's apart from the others'.

    Attributes
    ----------
    loads, outer_loads : arrays (q, w, J), (columns, w)
        As `Effects.loads`.
    own : array (q, q, J)
        Covariance within the levels of the first factor.
    between : array (q, columns, J)
        Between the first factor's levels and the others' columns.
    outer : array (columns, columns)
        Among the others' columns.
    """

    loads: FloatArray
    outer_loads: FloatArray
    own: FloatArray
    between: FloatArray
    outer: FloatArray


@dataclass(frozen=True, slots=True)
class Crossed:
    """Sufficient statistics of crossed factors.

    Attributes
    ----------
    RK : array (q, q + w, J)
        [R_j K_j] of the first factor's levels and [X y].
    within : array (w, w)
        Sum of S_j'S_j.
    coupling : Coupling
        Z_j'Z_r of every level of the first factor.
    outer : array (columns, columns)
        Z_r'Z_r of all other factors' columns, level by level within a factor.
    outer_fixed : array (columns, w)
        Z_r'W.
    places : tuple of int
        The first factor, then the others, among the model's factors.
    sizes, levels : tuples of int
        Of the others.
    """

    RK: FloatArray
    within: FloatArray
    coupling: Coupling
    outer: FloatArray
    outer_fixed: FloatArray
    places: tuple[int, ...]
    sizes: tuple[int, ...]
    levels: tuple[int, ...]

    def evaluate(self, factors: tuple[FloatArray, ...]) -> Evaluation:
        """See `Statistics.evaluate`."""
        lam = [factors[place] for place in self.places]
        s = self._solve(lam)
        trace = [self._own_trace(s, lam[0])]
        cross = [cross_products(s.own_score)]
        for f, (own, size) in enumerate(zip(self._parts(), self.sizes, strict=True)):
            trace.append(_outer_trace(s, own, lam[f + 1]))
            cross.append(cross_products(_planes(s.outer_score[own], size)))
        return Evaluation(s.log_det, s.inner, self._ordered(trace), self._ordered(cross))

    def effects(self, factors: tuple[FloatArray, ...]) -> tuple[Effects, ...]:
        """See `Statistics.effects`."""
        lam = [factors[place] for place in self.places]
        s = self._solve(lam)
        covariance = lam[0] @ lam[0].T
        D = _given_others(s.root, covariance)
        touched = self.coupling.quadratic(s.spread)
        loads = np.einsum("ab,bwj->awj", covariance, s.own_score)
        found = [Effects(loads, D + times(times(D, touched), D))]
        for own, size in zip(self._parts(), self.sizes, strict=True):
            blocks = s.spread[own, own].reshape(-1, size, len(s.spread[own]) // size, size)
            spread = np.einsum("jajb->abj", blocks)
            found.append(Effects(_planes(s.loads[own], size), np.array(spread)))
        return self._ordered(found)

    def joint_effects(self, factors: tuple[FloatArray, ...]) -> JointEffects:
        """Conditional effects with the covariances between factors.

        Raises
        ------
        FitError
            If those between the first factor's effects and all others' do not fit in memory.
        """
        lam = [factors[place] for place in self.places]
        q, _, J = self.RK.shape
        _refuse_table(q * J * len(self.outer))
        s = self._solve(lam)
        covariance = lam[0] @ lam[0].T
        D = _given_others(s.root, covariance)
        own = D + times(times(D, self.coupling.quadratic(s.spread)), D)
        between = -times(D, self.coupling.down(s.spread))
        return JointEffects(
            np.einsum("ab,bwj->awj", covariance, s.own_score), s.loads, own, between, s.spread
        )

    def gram(self) -> Gram:
        """See `Statistics.gram`."""
        q, _, J = self.RK.shape
        width, w = self.outer_fixed.shape
        ZZ, ZW = np.zeros((q * J + width,) * 2), np.empty((q * J + width, w))
        products = times(transposed(self.RK[:, :q]), self.RK)
        index = np.arange(J) * q + np.arange(q)[:, None]
        ZZ[index[:, None], index[None]] = products[:, :q]
        ZW[index] = products[:, q:].swapaxes(1, 2)
        between = self.coupling.down(np.eye(width))
        ZZ[index, q * J :] = between.swapaxes(1, 2)
        ZZ[q * J :, : q * J] = ZZ[: q * J, q * J :].T
        ZZ[q * J :, q * J :], ZW[q * J :] = self.outer, self.outer_fixed
        parts = [np.arange(q * J), *(np.arange(p.start, p.stop) + q * J for p in self._parts())]
        order = np.concatenate(self._ordered(parts))
        return Gram(ZZ[order[:, None], order], ZW[order])

    def _solve(self, lam: list[FloatArray]) -> _Solved:
        stage = eliminate(self.RK, lam[0])
        root, rest = stage.root, stage.rest
        covariance = lam[0] @ lam[0].T
        score = times(transposed(root), rest)
        D = _given_others(root, covariance)
        outer = self.outer - self.coupling.outer(D)
        loaded = np.einsum("ab,bwj->awj", covariance, score)
        outer_fixed = self.outer_fixed - self.coupling.up(loaded)
        S = self._right(self._right(outer, lam).T, lam)
        S[np.diag_indices_from(S)] += 1.0
        inverse, log_det = _inverse(S)
        turned = [factor.T for factor in lam]
        half = self._right(inverse, turned)
        spread = self._right(half.T, turned)
        loads = spread @ outer_fixed
        inner = self.within + sum(plane @ plane.T for plane in rest) - outer_fixed.T @ loads
        reached = self.coupling.down(loads)
        absorbed = np.einsum("ab,bwj->awj", covariance, reached)
        reached -= times(transposed(root), times(root, absorbed))
        return _Solved(
            stage.log_det + log_det,
            inner,
            spread,
            loads,
            score - reached,
            outer_fixed - outer @ loads,
            root,
            half,
            outer,
        )

    def _own_trace(self, s: _Solved, lam: FloatArray) -> FloatArray:
        """Sum of Z_1j'V^-1 Z_1j."""
        own = times(transposed(s.root), s.root)
        passing = np.eye(len(lam))[:, :, None] - np.einsum("abj,bc->acj", own, lam @ lam.T)
        touched = times(times(passing, self.coupling.quadratic(s.spread)), transposed(passing))
        return np.asarray((own - touched).sum(axis=2))

    def _parts(self) -> list[slice]:
        """Columns of every other factor."""
        ends = np.cumsum([size * J for size, J in zip(self.sizes, self.levels, strict=True)])
        starts = np.concatenate([[0], ends[:-1]])
        return [slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]

    def _right(self, M: FloatArray, lam: list[FloatArray]) -> FloatArray:
        """M (., columns) times the block diagonal of lam over all levels of the other factors."""
        product = np.empty(M.shape)
        for own, size, factor in zip(self._parts(), self.sizes, lam[1:], strict=True):
            if size == 1:
                np.multiply(M[:, own], factor[0, 0], out=product[:, own])
            else:
                product[:, own] = (M[:, own].reshape(len(M), -1, size) @ factor).reshape(len(M), -1)
        return product

    def _ordered(self, results: list) -> tuple:  # type: ignore[type-arg]
        """Results by place, in the order of the model's factors."""
        by_place = dict(zip(self.places, results, strict=True))
        return tuple(by_place[place] for place in sorted(by_place))


def collect_crossed(rows: Rows, places: tuple[int, ...]) -> Crossed:
    """Statistics of factors in any relation; the first of `places` is eliminated level by level."""
    first, others = places[0], places[1:]
    factor = rows.factors[first]
    sizes = tuple(rows.factors[f].size for f in others)
    levels = tuple(rows.factors[f].levels for f in others)
    width = sum(size * J for size, J in zip(sizes, levels, strict=True))
    _refuse_wide(width)
    place = by_group(factor.codes, factor.levels)
    root = np.zeros(factor.levels, dtype=np.intp)
    collapsed = triangles(rows, place, own=first, others=(), parents=root)
    columns = rows.rows_of(slice(0, len(rows.y)), places)
    q = factor.size
    index = _column_index(rows, others)
    outer_columns, W = columns[q : q + len(index)], columns[q + len(index) :]
    planes = tuple(
        _sparse(
            np.tile(factor.codes, len(index)),
            index.ravel(),
            (outer_columns * own).ravel(),
            (factor.levels, width),
        )
        for own in columns[:q]
    )
    outer_fixed = np.zeros((width, len(W)))
    for k, place_of in enumerate(index):
        for w, values in enumerate(W):
            outer_fixed[:, w] += np.bincount(place_of, outer_columns[k] * values, width)
    return Crossed(
        collapsed.RK,
        collapsed.within[:, :, 0],
        couple(planes),
        _outer_products(index, outer_columns, width),
        outer_fixed,
        places,
        sizes,
        levels,
    )


def _refuse_wide(width: int) -> None:
    if width > LARGEST_REMAINDER:
        raise FitError(
            Problem(
                "the crossed groupings are too large for this computer's memory",
                found=f"{width} random effects beside those of the largest grouping",
                allowed=f"{LARGEST_REMAINDER}",
                way_out="Leave out slopes of the smaller groupings, or fit a sample of the rows.",
            )
        )


def _refuse_table(size: int) -> None:
    if size > LARGEST_TABLE:
        raise FitError(
            Problem(
                "the crossed groupings are too large for a regression of the log SD",
                found=f"{size} pairs of random effects",
                allowed=f"{LARGEST_TABLE}",
                way_out="Leave the smaller groupings out, or fit a sample of the rows.",
            )
        )


def _column_index(rows: Rows, others: tuple[int, ...]) -> IntArray:
    """Column of every row's entry (k, n), for the k columns of all other factors."""
    index, first = [], 0
    for f in others:
        factor = rows.factors[f]
        index += [first + factor.codes * factor.size + b for b in range(factor.size)]
        first += factor.size * factor.levels
    return np.array(index)


def _outer_products(index: IntArray, columns: FloatArray, width: int) -> FloatArray:
    """Z_r'Z_r as a full matrix."""
    total = np.zeros((width, width))
    for a in range(len(index)):
        for b in range(a + 1):
            products = _sparse(
                index[a], index[b], columns[a] * columns[b], (width, width)
            ).toarray()
            total += products if a == b else products + products.T
    return total


def _sparse(
    row: IntArray, column: IntArray, values: FloatArray, shape: tuple[int, int]
) -> sparse.csr_array:
    """Sum of values by place, explicit zeros kept so that patterns agree."""
    table = sparse.coo_array((values, (row, column)), shape=shape).tocsr()
    table.sum_duplicates()
    return table


def _given_others(root: FloatArray, covariance: FloatArray) -> FloatArray:
    """Conditional covariance (q, q, J) of a level's effects given all other factors' effects."""
    half = np.einsum("abj,bc->acj", root, covariance)
    return np.asarray(covariance[:, :, None] - times(transposed(half), half))


def _inverse(S: FloatArray) -> tuple[FloatArray, float]:
    """Inverse and log determinant of a symmetric positive definite matrix, which is overwritten."""
    lower, _ = linalg.lapack.dpotrf(S.T, lower=1, overwrite_a=1)
    log_det = 2.0 * float(np.log(np.diag(lower)).sum())
    inverse, _ = linalg.lapack.dpotri(lower, lower=1, overwrite_c=1)
    below = np.tril(inverse)
    return below + np.tril(below, -1).T, log_det


def _outer_trace(s: _Solved, own: slice, lam: FloatArray) -> FloatArray:
    """Sum over the levels of one other factor of Z_j'V^-1 Z_j."""
    q = len(lam)
    width = s.outer.shape[1]
    rows = s.outer[own].reshape(-1, q, width)
    if np.abs(np.diag(lam)).min() > _INVERTIBLE:
        scaled = np.einsum("jak,jbk->ab", rows, s.half[own].reshape(-1, q, width), optimize=True)
        return np.asarray(np.linalg.solve(lam.T, scaled.T).T)
    blocks = s.outer[own, own].reshape(len(rows), q, len(rows), q)
    absorbed = (s.outer[own] @ s.spread).reshape(-1, q, width)
    return np.asarray(np.einsum("jajb->ab", blocks) - np.einsum("jak,jbk->ab", absorbed, rows))


def _planes(columns: FloatArray, q: int) -> FloatArray:
    """(J q, w) as (q, w, J)."""
    return np.ascontiguousarray(columns.reshape(-1, q, columns.shape[1]).transpose(1, 2, 0))
