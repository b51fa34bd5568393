"""Statistics and evaluation for crossed factors, in any mixture with nested ones.

The factor with the most random effects is eliminated level by level; what it leaves between the
columns of all other factors is one dense symmetric matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.kernels.lmm_collect import by_group, triangles
from alc_stats.estimators.kernels.lmm_coupling import Coupling, couple
from alc_stats.estimators.kernels.lmm_joint import Joint, State, planes
from alc_stats.estimators.kernels.lmm_model import Effects, Evaluation, Gram, Rows, SecondOrder
from alc_stats.estimators.kernels.lmm_stage import cross_products, eliminate, times, transposed
from alc_stats.estimators.kernels.lmm_symmetric import (
    Part,
    block_products,
    blocks,
    congruence,
    invert,
    mirror,
    multiply,
)
from alc_stats.records import FloatArray, IntArray

LARGEST_REMAINDER = 10_000
"""Random effects beside those of the largest grouping: their matrix is dense (0.8 gigabytes)."""
_INVERTIBLE = 1e-5
"""Above this least diagonal entry, lam can be divided by."""
_DIVISIBLE = 1e-4
"""The same for second derivatives, in which lam is divided by twice."""
_TOLD = 0.05
"""Above this share of a variance taken away, the share keeps its digits in a difference."""


class _Solved(NamedTuple):
    """Everything of one evaluation the results are read from.

    D (q, q, J): conditional covariance of a level's effects given all others'; root: of the
    eliminated factor; own_score: Z_1j'V^-1 W; outer_score: Z_r'V^-1 W; loads: conditional
    covariance of the outer effects @ columns'V_1^-1 W; told: for every other factor the sum over
    its levels of the share of its effects' variance the data take away, lam^-1 spread lam^-T
    subtracted from I.
    """

    log_det: float
    inner: FloatArray
    D: FloatArray
    root: FloatArray
    own_score: FloatArray
    outer_score: FloatArray
    loads: FloatArray
    told: list[FloatArray]


@dataclass(slots=True)
class _Workspace:
    """The one buffer of the other factors' columns that all evaluations share.

    After an evaluation at `factors` it holds the conditional covariance of the outer effects,
    unless `spent`: whoever overwrites it says so.
    """

    width: int
    array: FloatArray | None = None
    factors: tuple[FloatArray, ...] = ()
    solved: _Solved | None = None
    evaluation: Evaluation | None = None
    spent: bool = True

    @property
    def buffer(self) -> FloatArray:
        """The array (width, width), made when it is first asked for."""
        if self.array is None:
            self.array = np.empty((self.width, self.width))
        return self.array

    def forget(self) -> None:
        """Give the memory back."""
        self.array, self.solved, self.evaluation = None, None, None
        self.factors, self.spent = (), True

    def is_at(self, factors: tuple[FloatArray, ...]) -> bool:
        """Whether the last evaluation was made at these factors."""
        return len(factors) == len(self.factors) and all(
            np.array_equal(new, old) for new, old in zip(factors, self.factors, strict=True)
        )


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
    outer : CSR array (columns, columns)
        Z_r'Z_r of all other factors' columns, level by level within a factor.
    outer_fixed : array (columns, w)
        Z_r'W.
    places : tuple of int
        The first factor, then the others, among the model's factors.
    parts : tuple of Part
        Columns of the others.
    workspace : _Workspace
    """

    RK: FloatArray
    within: FloatArray
    coupling: Coupling
    outer: sparse.csr_array
    outer_fixed: FloatArray
    places: tuple[int, ...]
    parts: tuple[Part, ...]
    workspace: _Workspace

    def evaluate(self, factors: tuple[FloatArray, ...]) -> Evaluation:
        """See `Statistics.evaluate`."""
        work = self.workspace
        if work.is_at(factors) and work.evaluation is not None:
            return work.evaluation
        lam = [factors[place] for place in self.places]
        s = self._solve(factors)
        trace = [self._own_trace(s, lam[0]), *self._outer_traces(s, lam)]
        cross = [cross_products(G) for G in self._scores(s)]
        work.evaluation = Evaluation(s.log_det, s.inner, self._ordered(trace), self._ordered(cross))
        return work.evaluation

    def effects(self, factors: tuple[FloatArray, ...]) -> tuple[Effects, ...]:
        """See `Statistics.effects`."""
        lam = [factors[place] for place in self.places]
        s, spread = self.solved(factors)
        mirror(spread)
        touched = self.coupling.quadratic(spread)
        loads = np.einsum("ab,bwj->awj", lam[0] @ lam[0].T, s.own_score)
        own = Effects(loads, s.D + times(times(s.D, touched), s.D))
        others = [
            Effects(planes(s.loads[part.own], part.size), blocks(spread, part))
            for part in self.parts
        ]
        return self._ordered([own, *others])

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
        ZZ[q * J :, q * J :], ZW[q * J :] = self.outer.toarray(), self.outer_fixed
        rows = np.arange(q * J + width)
        parts = [rows[: q * J], *(rows[q * J :][part.own] for part in self.parts)]
        order = np.concatenate(self._ordered(parts))
        return Gram(ZZ[order[:, None], order], ZW[order])

    def solved(self, factors: tuple[FloatArray, ...]) -> tuple[_Solved, FloatArray]:
        """The last evaluation and the outer effects' covariance, made again if overwritten."""
        work = self.workspace
        if work.spent or work.solved is None or not work.is_at(factors):
            return self._solve(factors), work.buffer
        return work.solved, work.buffer

    def has_second_order(self, factors: tuple[FloatArray, ...]) -> bool:
        """Whether `second_order` can be asked for: other factors' lam regular, or all zero."""
        others = [factors[place] for place in self.places[1:]]
        return all(_is_regular(lam, _DIVISIBLE) or not lam.any() for lam in others)

    def second_order(
        self, factors: tuple[FloatArray, ...], weight: FloatArray, slopes: tuple[FloatArray, ...]
    ) -> SecondOrder:
        """See `Statistics.second_order`."""
        lam = [factors[place] for place in self.places]
        s, spread = self.solved(factors)
        state = State(
            own=times(transposed(s.root), s.root),
            passing=_passing(s.root, lam[0]),
            D=s.D,
            spread=spread,
            covariances=[L @ L.T for L in lam[1:]],
        )
        work = Joint(self.coupling, self.outer, self.parts, state)
        self.workspace.spent = True
        found = work.second_order([slopes[place] for place in self.places], self._scores(s), weight)
        return found.in_order(self.places, [len(slopes[place]) for place in self.places])

    def release(self) -> None:
        """See `Statistics.release`."""
        self.workspace.forget()

    def _scores(self, s: _Solved) -> list[FloatArray]:
        """Z_j'V^-1 W (q, w, J) of every factor, the first one's first."""
        return [s.own_score, *(planes(s.outer_score[part.own], part.size) for part in self.parts)]

    def _solve(self, factors: tuple[FloatArray, ...]) -> _Solved:
        lam = [factors[place] for place in self.places]
        stage = eliminate(self.RK, lam[0])
        root, rest = stage.root, stage.rest
        covariance = lam[0] @ lam[0].T
        score = times(transposed(root), rest)
        D = _given_others(root, covariance)
        loaded = np.einsum("ab,bwj->awj", covariance, score)
        outer_fixed = self.outer_fixed - self.coupling.up(loaded)
        S = self.workspace.buffer
        log_det, told = self._invert(S, D, lam)
        loads = multiply(S, outer_fixed)
        inner = self.within + sum(plane @ plane.T for plane in rest) - outer_fixed.T @ loads
        touched = self.coupling.down(loads)
        outer_score = outer_fixed - self.outer @ loads + self.coupling.up(times(D, touched))
        own_score = score - times(_passing(root, lam[0]), touched)
        solved = _Solved(
            stage.log_det + log_det, inner, D, root, own_score, outer_score, loads, told
        )
        work = self.workspace
        work.factors = tuple(np.array(factor) for factor in factors)
        work.solved, work.evaluation, work.spent = solved, None, False
        return solved

    def _invert(
        self, S: FloatArray, D: FloatArray, lam: list[FloatArray]
    ) -> tuple[float, list[FloatArray]]:
        """Make S the conditional covariance of the outer effects.

        Returns log |I + lam'Z_r'V_1^-1 Z_r lam|, and what `_Solved` calls told.
        """
        self.workspace.spent = True
        self._outer_given_own(D, out=S)
        congruence(S, self.parts, lam[1:])
        S[np.diag_indices_from(S)] += 1.0
        log_det = invert(S)
        told = [
            np.sum(np.eye(part.size)[:, :, None] - blocks(S, part), axis=2) for part in self.parts
        ]
        congruence(S, self.parts, [factor.T for factor in lam[1:]])
        return log_det, told

    def _outer_given_own(self, D: FloatArray, *, out: FloatArray) -> None:
        """Z_r'V_1^-1 Z_r: the upper triangle."""
        self.coupling.outer(-D, out=out)
        row = np.repeat(np.arange(len(out)), np.diff(self.outer.indptr))
        out[row, self.outer.indices] += self.outer.data

    def _own_trace(self, s: _Solved, lam: FloatArray) -> FloatArray:
        """Sum of Z_1j'V^-1 Z_1j."""
        q = len(lam)
        own = times(transposed(s.root), s.root).sum(axis=2)
        passing = _passing(s.root, lam)
        pairs = [(a, b) for a in range(q) for b in range(a + 1)]
        weights = [passing[a][:, None] * passing[b] for a, b in pairs]
        weights = [(weight + transposed(weight)) / 2.0 for weight in weights]
        absorbed = self.coupling.inner(self.workspace.buffer, weights)
        for (a, b), share in zip(pairs, absorbed, strict=True):
            own[a, b] -= share
            own[b, a] = own[a, b]
        return np.asarray(own)

    def _outer_traces(self, s: _Solved, lam: list[FloatArray]) -> list[FloatArray]:
        """Sum over the levels of every other factor of Z_j'V^-1 Z_j."""
        found, outer = [], None
        for part, told, factor in zip(self.parts, s.told, lam[1:], strict=True):
            if _is_regular(factor, _INVERTIBLE) and _is_told(told, part.levels):
                half = np.linalg.solve(factor.T, told)
                found.append(np.linalg.solve(factor.T, half.T))
                continue
            if outer is None:
                outer = np.empty_like(self.workspace.buffer)
                self._outer_given_own(s.D, out=outer)
                mirror(outer)
                mirror(self.workspace.buffer)
            found.append(_trace(outer, self.workspace.buffer, part, factor))
        return found

    def _ordered(self, results: list) -> tuple:  # type: ignore[type-arg]
        """Results by place, in the order of the model's factors."""
        by_place = dict(zip(self.places, results, strict=True))
        return tuple(by_place[place] for place in sorted(by_place))


def collect_crossed(rows: Rows, places: tuple[int, ...]) -> Crossed:
    """Statistics of factors in any relation; the first of `places` is eliminated level by level."""
    first, others = places[0], places[1:]
    factor = rows.factors[first]
    parts = _parts(rows, others)
    width = parts[-1].own.stop
    _refuse_wide(width)
    place = by_group(factor.codes, factor.levels)
    root = np.zeros(factor.levels, dtype=np.intp)
    collapsed = triangles(rows, place, own=first, others=(), parents=root)
    columns = rows.rows_of(slice(0, len(rows.y)), places)
    q = factor.size
    index = _column_index(rows, others)
    outer_columns, W = columns[q : q + len(index)], columns[q + len(index) :]
    touching = tuple(
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
        couple(touching),
        _outer_products(index, outer_columns, width),
        outer_fixed,
        places,
        parts,
        _Workspace(width),
    )


def _parts(rows: Rows, others: tuple[int, ...]) -> tuple[Part, ...]:
    """Columns of every factor that is not eliminated."""
    found, first = [], 0
    for f in others:
        found.append(Part(first, rows.factors[f].size, rows.factors[f].levels))
        first = found[-1].own.stop
    return tuple(found)


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


def _column_index(rows: Rows, others: tuple[int, ...]) -> IntArray:
    """Column of every row's entry (k, n), for the k columns of all other factors."""
    index, first = [], 0
    for f in others:
        factor = rows.factors[f]
        index += [first + factor.codes * factor.size + b for b in range(factor.size)]
        first += factor.size * factor.levels
    return np.array(index)


def _outer_products(index: IntArray, columns: FloatArray, width: int) -> sparse.csr_array:
    """Z_r'Z_r, both triangles."""
    k = len(index)
    return _sparse(
        np.repeat(index, k, axis=0).ravel(),
        np.tile(index, (k, 1)).ravel(),
        (columns[:, None] * columns).ravel(),
        (width, width),
    )


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


def _passing(root: FloatArray, lam: FloatArray) -> FloatArray:
    """I - Z_j'V_1^-1 Z_j lam lam' (q, q, J), so that Z_j'V_1^-1 Z_r = passing @ Z_j'Z_r."""
    own = times(transposed(root), root)
    return np.asarray(np.eye(len(lam))[:, :, None] - np.einsum("abj,bc->acj", own, lam @ lam.T))


def _is_regular(lam: FloatArray, least: float) -> bool:
    return float(np.abs(np.diag(lam)).min()) > least


def _is_told(told: FloatArray, levels: int) -> bool:
    """Whether I - lam^-1 spread lam^-T keeps its digits."""
    finite = np.isfinite(told).all()
    return bool(finite and np.linalg.eigvalsh(told)[0] > _TOLD * levels)


def _trace(outer: FloatArray, spread: FloatArray, part: Part, lam: FloatArray) -> FloatArray:
    """Sum over a part's levels of [outer - outer spread outer]_jj, of whole matrices."""
    if _is_regular(lam, _INVERTIBLE):
        product = block_products(outer, spread, part)
        return np.asarray(np.linalg.solve(lam @ lam.T, product.T).T)
    absorbed = spread @ outer[:, part.own]
    q = part.size
    found = blocks(outer, part).sum(axis=2)
    for a in range(q):
        for b in range(q):
            found[a, b] -= np.einsum("ij,ij->", outer[:, part.own][:, a::q], absorbed[:, b::q])
    return np.asarray(found)
