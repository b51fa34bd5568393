"""Second-order products of crossed factors: what the exact Hessian of the deviance needs.

With the first factor eliminated, K = Z'V^-1 Z of all random effects is, between two levels of the
first factor (i, j), the first factor and the others, and among the others:

    own_i [i = j] - P_i C_i N C_j' P_j',     P_i C_i N Sigma^-1,     Sigma^-1 - Sigma^-1 N Sigma^-1,

N being the conditional covariance of the others' effects, Sigma their prior one and C_i the
coupling. A Hessian therefore costs one product of matrices a parameter of the first factor.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from alc_stats.estimators.kernels.lmm_coupling import Coupling
from alc_stats.estimators.kernels.lmm_model import SecondOrder
from alc_stats.estimators.kernels.lmm_stage import times, transposed
from alc_stats.estimators.kernels.lmm_symmetric import (
    Part,
    block_products,
    blocks,
    mirror,
    multiply,
    multiply_into,
    set_blocks,
    trace_of_product,
)
from alc_stats.records import FloatArray


class State(NamedTuple):
    """One evaluation: of the first factor own = Z_j'V_1^-1 Z_j, passing P and D (q, q, J).

    spread: N, upper triangle; covariances: Sigma (q, q) of every other factor, zero or regular.
    """

    own: FloatArray
    passing: FloatArray
    D: FloatArray
    spread: FloatArray
    covariances: list[FloatArray]


@dataclass(frozen=True, slots=True)
class Joint:
    """K = Z'V^-1 Z at one evaluation; `second_order` uses up the evaluation's spread."""

    coupling: Coupling
    outer: sparse.csr_array
    parts: tuple[Part, ...]
    state: State

    def second_order(
        self, slopes: list[FloatArray], scores: list[FloatArray], weight: FloatArray
    ) -> SecondOrder:
        """For slopes (k_f, q, q) and scores Z_j'V^-1 W (q, w, J), the first factor's first."""
        weighted = self._weighted(slopes, scores, weight)
        k, first = len(weighted), len(slopes[0])
        traces = np.empty((k, k))
        precisions = [_inverse(covariance) for covariance in self.state.covariances]
        turned = [P @ A @ P for A, P in zip(slopes[1:], precisions, strict=True)]
        mirror(self.state.spread)
        traces[:first, :first], traces[:first, first:] = self._own(slopes[0], turned)
        traces[first:, :first] = traces[:first, first:].T
        traces[first:, first:] = self._others(turned)
        return SecondOrder(traces, weighted)

    def _own(self, slopes: FloatArray, turned: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Traces of the first factor's parameters with one another and with the others'."""
        s, k = self.state, len(slopes)
        P, Pt = s.passing, transposed(s.passing)
        here, alone = np.empty((k, k)), self._alone(slopes)
        there = np.empty((k, sum(len(A) for A in turned)))
        kept: list[FloatArray] = []
        for i, A in enumerate(slopes):
            M = np.empty_like(s.spread)
            self.coupling.outer(times(times(Pt, _everywhere(A, P)), P), out=M)
            mirror(M)
            multiply_into(M, s.spread)
            kept.append(M)
            reached = [block_products(s.spread, M, part) for part in self.parts]
            there[i] = np.concatenate(
                [np.einsum("ab,kab->k", R, T) for R, T in zip(reached, turned, strict=True)]
            )
            for j in range(i + 1):
                here[i, j] = here[j, i] = alone[i, j] + trace_of_product(M, kept[j])
        return here, there

    def _alone(self, slopes: FloatArray) -> FloatArray:
        """Sum over the first factor's levels of tr((own_j - 2 P_j C_j N C_j'P_j') A own_j B)."""
        s, k = self.state, len(slopes)
        found = np.empty((k, k))
        for i, j in itertools.combinations_with_replacement(range(k), 2):
            between = times(
                times(_everywhere(slopes[i], s.own), s.own), _everywhere(slopes[j], s.own)
            )
            through = times(times(transposed(s.passing), between), s.passing)
            (absorbed,) = self.coupling.inner(s.spread, [(through + transposed(through)) / 2.0])
            found[i, j] = np.einsum("abj,baj->", s.own, between) - 2.0 * absorbed
            found[j, i] = found[i, j]
        return found

    def _others(self, turned: list[FloatArray]) -> FloatArray:
        """Traces among the other factors' parameters; the spread becomes Sigma - N."""
        Z = self.state.spread
        for part, covariance in zip(self.parts, self.state.covariances, strict=True):
            set_blocks(Z, part, blocks(Z, part) - covariance[:, :, None])
        rows = []
        for part, A in zip(self.parts, turned, strict=True):
            pairs = [
                _tables(Z, part, other, A, B) for other, B in zip(self.parts, turned, strict=True)
            ]
            rows.append(np.concatenate(pairs, axis=1))
        return np.concatenate(rows)

    def _weighted(
        self, slopes: list[FloatArray], scores: list[FloatArray], weight: FloatArray
    ) -> FloatArray:
        """<B, W'V^-1 G_k V^-1 G_l V^-1 W> from K applied to every parameter's S_l Z'V^-1 W."""
        w = len(weight)
        counts = [len(A) for A in slopes]
        columns = sum(counts) * w
        ends = np.cumsum([0, *counts]) * w
        own = np.zeros((scores[0].shape[0], columns, scores[0].shape[2]))
        outer = np.zeros((len(self.state.spread), columns))
        for f, (A, G) in enumerate(zip(slopes, scores, strict=True)):
            moved = np.einsum("kab,bwj->akwj", A, G).reshape(len(G), -1, G.shape[2])
            if f == 0:
                own[:, : ends[1]] = moved
            else:
                flat = moved.transpose(2, 0, 1).reshape(-1, moved.shape[1])
                outer[self.parts[f - 1].own, ends[f] : ends[f + 1]] = flat
        own_image, outer_image = self._applied(own, outer)
        products = np.einsum("axj,ayj->xy", own, own_image, optimize=True) + outer.T @ outer_image
        k = sum(counts)
        return np.asarray(np.einsum("kxly,xy->kl", products.reshape(k, w, k, w), weight))

    def _applied(self, own: FloatArray, outer: FloatArray) -> tuple[FloatArray, FloatArray]:
        """K times (own (q, m, J), outer (columns, m))."""
        s, down, up = self.state, self.coupling.down, self.coupling.up
        touched = down(outer)
        inner = times(s.own, own) + times(s.passing, touched)
        outward = self.outer @ outer + up(times(transposed(s.passing), own) - times(s.D, touched))
        loads = multiply(s.spread, outward)
        touched = down(loads)
        image = outward - self.outer @ loads + up(times(s.D, touched))
        return inner - times(s.passing, touched), image


def planes(columns: FloatArray, q: int) -> FloatArray:
    """(J q, w) as (q, w, J)."""
    return np.ascontiguousarray(columns.reshape(-1, q, columns.shape[1]).transpose(1, 2, 0))


def _everywhere(A: FloatArray, like: FloatArray) -> FloatArray:
    """One matrix (q, q) at every level."""
    return np.broadcast_to(A[:, :, None], like.shape)


def _inverse(covariance: FloatArray) -> FloatArray:
    """Of a regular covariance; zero stays zero: no slope leads away from it."""
    return np.asarray(np.linalg.inv(covariance)) if covariance.any() else covariance


def _tables(Z: FloatArray, left: Part, right: Part, A: FloatArray, B: FloatArray) -> FloatArray:
    """Sum over levels i, j of tr(A_k Z_ij B_l Z_ij') (k, l)."""
    block = Z[left.own, right.own]
    found = np.zeros((len(A), len(B)))
    p, q = left.size, right.size
    for a, b in itertools.product(range(p), repeat=2):
        for c, d in itertools.product(range(q), repeat=2):
            product = float(np.einsum("ij,ij->", block[a::p, c::q], block[b::p, d::q]))
            found += product * np.outer(A[:, a, b], B[:, c, d])
    return found
