"""Statistics and evaluation for one grouping factor, or factors nested in one another.

Per level of the innermost factor the rows are replaced by the triangle of a QR decomposition,
[Z_j others_j] = Q_j [R_j K_j; 0 S_j]: R_j, K_j and the sum of S_j'S_j are all the likelihood
needs. Eliminating a level's effects leaves columns of its parent's, and so on to the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from alc_stats.estimators.kernels.lmm_collect import by_group, triangles
from alc_stats.estimators.kernels.lmm_model import Effects, Evaluation, Gram, Rows, SecondOrder
from alc_stats.estimators.kernels.lmm_stage import (
    Stage,
    cholesky,
    cross_products,
    eliminate,
    gram,
    times,
    transposed,
)
from alc_stats.records import FloatArray, IntArray


class _Above(NamedTuple):
    """Joint conditional covariance (a, a, J) and loads (a, w, J) of a level's ancestors."""

    spread: FloatArray
    loads: FloatArray


@dataclass(frozen=True, slots=True)
class Nested:
    """Sufficient statistics of a chain of nested factors, innermost first.

    Attributes
    ----------
    RK : array (q_0, q_0 + m, J_0)
        [R_j K_j] of the innermost levels; the m other columns are those of the outer factors
        and [X y].
    within : array (m, m, J_1)
        Sum of S_j'S_j over the children of every level of the next factor (of the root, J_1 = 1,
        if there is none).
    children : tuple of int arrays
        For every factor: place of each parent's first child among its levels, which are sorted
        by parent.
    chain : tuple of int
        Place of every factor of the chain among the model's factors.
    codes : tuple of int arrays (J,)
        The model's code of every level in the sorted order, a factor of the chain each.
    sizes : tuple of int
        Columns q of every factor of the chain.
    """

    RK: FloatArray
    within: FloatArray
    children: tuple[IntArray, ...]
    chain: tuple[int, ...]
    codes: tuple[IntArray, ...]
    sizes: tuple[int, ...]

    def evaluate(self, factors: tuple[FloatArray, ...]) -> Evaluation:
        """See `Statistics.evaluate`."""
        lam = [factors[place] for place in self.chain]
        stages, inner = self._upward(lam)
        trace: list[FloatArray] = []
        cross: list[FloatArray] = []
        above: _Above | None = None
        for f in reversed(range(len(stages))):
            root, shadow, score = _conditional(stages[f], above)
            sums = np.asarray(sum(plane @ plane.T for plane in root))
            if above is not None:
                sums = sums - np.einsum("abj,cbj->ac", times(shadow, above.spread), shadow)
            trace.append(sums)
            cross.append(cross_products(score))
            if f > 0:
                joint = _joint(lam[f], (root, shadow, score), above)
                above = self._expanded(f - 1, joint)
        log_det = float(sum(stage.log_det for stage in stages))
        by_level = (root, score) if self.single else None
        return Evaluation(log_det, inner, self._ordered(trace), self._ordered(cross), by_level)

    def effects(self, factors: tuple[FloatArray, ...]) -> tuple[Effects, ...]:
        """See `Statistics.effects`."""
        found: list[Effects] = []
        for f, joint in self._downward(factors):
            q = self.sizes[f]
            back = np.argsort(self.codes[f])
            found.append(Effects(joint.loads[:q][..., back], joint.spread[:q, :q][..., back]))
        return self._ordered(found)

    def joint_effects(self, factors: tuple[FloatArray, ...]) -> Effects:
        """Effects of every innermost level and of the levels around it, in the chain's order."""
        *_, (_, joint) = self._downward(factors)
        back = np.argsort(self.codes[0])
        return Effects(joint.loads[..., back], joint.spread[..., back])

    @property
    def single(self) -> bool:
        """Whether there is one factor only, so that evaluations hold what its levels say."""
        return len(self.chain) == 1

    def has_second_order(self, factors: tuple[FloatArray, ...]) -> bool:
        """See `Statistics.has_second_order`: for a single factor, wherever it stands."""
        return len(factors) == 1

    def second_order(
        self, factors: tuple[FloatArray, ...], weight: FloatArray, slopes: tuple[FloatArray, ...]
    ) -> SecondOrder:
        """See `Statistics.second_order`; of the only factor."""
        root, _, score = _conditional(eliminate(self.RK, factors[0]), None)
        return second_order_of_levels(root, score, weight, slopes[0])

    def release(self) -> None:
        """See `Statistics.release`: nothing is shared."""

    def gram(self) -> Gram:
        """See `Statistics.gram`."""
        sizes = self.sizes
        levels = [len(codes) for codes in self.codes]
        places = _places(sizes, levels, self.chain)
        total = sum(q * J for q, J in zip(sizes, levels, strict=True))
        w = self.RK.shape[1] - sum(sizes)
        ZZ, ZW = np.zeros((total, total)), np.empty((total, w))
        left = times(transposed(self.RK[:, : sizes[0]]), self.RK)
        own_K = self.RK[:, sizes[0] :]
        rest = self.within + gram(own_K, self.children[0])
        for f, q in enumerate(sizes):
            ancestor = np.arange(levels[f])
            first = 0
            for g in range(f, len(sizes)):
                where = _index(places[f], self.codes[f], q)
                there = _index(places[g], self.codes[g][ancestor], sizes[g])
                block = left[:, first : first + sizes[g]]
                ZZ[where[:, None], there[None]] = block
                ZZ[there[None], where[:, None]] = block
                first += sizes[g]
                ancestor = _parents(self.children[g], levels[g])[ancestor]
            ZW[_index(places[f], self.codes[f], q)] = left[:, first:].swapaxes(1, 2)
            if f + 1 < len(sizes):
                left = rest[: sizes[f + 1]]
                rest = np.add.reduceat(
                    rest[sizes[f + 1] :, sizes[f + 1] :], self.children[f + 1], axis=2
                )
        return Gram(ZZ, ZW)

    def _upward(self, lam: list[FloatArray]) -> tuple[list[Stage], FloatArray]:
        """Eliminate factor after factor, and what is left at the root: W'V^-1 W."""
        stages: list[Stage] = []
        RK, within = self.RK, self.within
        for f in range(len(lam)):
            stages.append(eliminate(RK, lam[f]))
            left = within + gram(stages[f].rest, self.children[f])
            if f + 1 < len(lam):
                RK, within = _triangular(left, len(lam[f + 1]), self.children[f + 1])
        return stages, left[:, :, 0]

    def _downward(self, factors: tuple[FloatArray, ...]) -> Iterator[tuple[int, _Above]]:
        """Place in the chain, outermost first, and its levels' effects with their ancestors'."""
        lam = [factors[place] for place in self.chain]
        stages, _ = self._upward(lam)
        above: _Above | None = None
        for f in reversed(range(len(stages))):
            joint = _joint(lam[f], _conditional(stages[f], above), above)
            yield f, joint
            above = self._expanded(f - 1, joint) if f > 0 else None

    def _expanded(self, f: int, joint: _Above) -> _Above:
        """The joint of every parent, repeated for its children among the levels of factor f."""
        parent = _parents(self.children[f], len(self.codes[f]))
        return _Above(joint.spread[:, :, parent], joint.loads[:, :, parent])

    def _ordered(self, top_first: list) -> tuple:  # type: ignore[type-arg]
        """Results of the chain, outermost first, in the order of the model's factors."""
        by_place = dict(zip(reversed(self.chain), top_first, strict=True))
        return tuple(by_place[place] for place in sorted(by_place))


def collect_nested(rows: Rows, chain: tuple[int, ...]) -> Nested:
    """Statistics of factors of which each is nested in the next, innermost first."""
    inner = rows.factors[chain[0]]
    example = np.empty(inner.levels, dtype=np.intp)
    example[inner.codes] = np.arange(len(inner.codes))
    ancestors = [rows.factors[f].codes[example] for f in chain]
    order = np.lexsort(ancestors)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    place = by_group(inner.codes if _is_sorted(order) else rank[inner.codes], inner.levels)
    codes, children = [order.astype(np.intp)], []
    levels = [ancestor[order] for ancestor in ancestors]
    for f in range(1, len(chain)):
        starts = np.flatnonzero(np.diff(levels[f], prepend=-1))
        children.append(starts)
        codes.append(levels[f][starts])
        levels = [level[starts] for level in levels]
    children.append(np.zeros(1, dtype=np.intp))
    parents = _parents(children[0], inner.levels)
    sizes = tuple(rows.factors[f].size for f in chain)
    collapsed = triangles(rows, place, own=chain[0], others=chain[1:], parents=parents)
    return Nested(collapsed.RK, collapsed.within, tuple(children), chain, tuple(codes), sizes)


def _parents(starts: IntArray, levels: int) -> IntArray:
    """Place of every level's parent, from the places of the parents' first children."""
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, levels)))


def _places(sizes: tuple[int, ...], levels: list[int], chain: tuple[int, ...]) -> list[int]:
    """First place of every factor of the chain when all stand in the model's order."""
    width = {place: q * J for place, q, J in zip(chain, sizes, levels, strict=True)}
    return [sum(width[other] for other in width if other < place) for place in chain]


def _index(first: int, codes: IntArray, q: int) -> IntArray:
    """Places (q, J) of the columns of every level."""
    return np.asarray(first + codes * q + np.arange(q)[:, None])


def _is_sorted(values: IntArray) -> bool:
    return bool(np.all(values[1:] >= values[:-1]))


def _conditional(stage: Stage, above: _Above | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Root, Z_j'V_f^-1[ancestors' columns] and Z_j'V^-1 W of every level."""
    turned = transposed(stage.root)
    if above is None:
        return stage.root, stage.rest[:, :0], times(turned, stage.rest)
    a = above.spread.shape[0]
    outer, W = stage.rest[:, :a], stage.rest[:, a:]
    return stage.root, times(turned, outer), times(turned, W - times(outer, above.loads))


def _joint(
    lam: FloatArray, parts: tuple[FloatArray, FloatArray, FloatArray], above: _Above | None
) -> _Above:
    """Joint conditional covariance and loads of a level's effects and its ancestors'."""
    root, shadow, score = parts
    covariance = lam @ lam.T
    half = np.einsum("abj,bc->acj", root, covariance)
    own = covariance[:, :, None] - times(transposed(half), half)
    loads = np.einsum("ab,bwj->awj", covariance, score)
    if above is None:
        return _Above(own, loads)
    reach = np.einsum("ab,bcj->acj", covariance, shadow)
    between = -times(reach, above.spread)
    own = own - times(between, transposed(reach))
    top = np.concatenate([own, between], axis=1)
    bottom = np.concatenate([transposed(between), above.spread], axis=1)
    return _Above(np.concatenate([top, bottom]), np.concatenate([loads, above.loads]))


def _triangular(left: FloatArray, q: int, starts: IntArray) -> tuple[FloatArray, FloatArray]:
    """[R K] of every level from its columns' products (q + m, q + m, J), and the rest by parent."""
    RK = cholesky(left[:q])
    K = RK[:, q:]
    rest = left[q:, q:] - times(transposed(K), K)
    return RK, np.add.reduceat(rest, starts, axis=2)


def second_order_of_levels(
    root: FloatArray, score: FloatArray, weight: FloatArray, slopes: FloatArray
) -> SecondOrder:
    """See `Statistics.second_order`; of a single factor's levels.

    Sums over levels, with K_j = root'root (q, q) and G_j = score (q, w), of K_j[b, c] K_j[a, d]
    and of K_j[b, c] (G_j B G_j')[a, d] at [a, b, c, d]; B is `weight` (w, w), `slopes` (k, q, q).
    """
    q, _, J = score.shape
    K = times(transposed(root), root).reshape(q * q, J)
    moved = times(score, transposed(np.matmul(weight, score))).reshape(q * q, J)
    flat = slopes.reshape(len(slopes), q * q)

    def by_parameter(products: FloatArray) -> FloatArray:
        table = products.reshape(q, q, q, q).transpose(2, 0, 1, 3)
        return np.asarray(flat @ table.reshape(q * q, q * q) @ flat.T)

    return SecondOrder(by_parameter(K @ K.T), by_parameter(K @ moved.T))
