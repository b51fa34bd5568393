"""Conditional effects row by row: what a row's random columns make of them, and how they covary.

Given the outcome and the coefficients, the random effects of a row's levels have a joint
covariance S relative to the residual variance. Every derivative in a row's variance, or in its
random columns, is made of S z and of the residuals of the columns [X y].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.kernels.lmm_crossed import Crossed
from alc_stats.estimators.kernels.lmm_model import Effects, Statistics
from alc_stats.estimators.kernels.lmm_nested import Nested
from alc_stats.estimators.kernels.lmm_stage import times
from alc_stats.estimators.kernels.lmm_symmetric import mirror
from alc_stats.records import FloatArray, IntArray

_Codes = tuple[IntArray, ...]
LARGEST_TABLE = 50_000_000
"""Pairs of a level of the largest grouping and another random effect, where all are needed (0.4
gigabytes)."""


class RowEffects(Protocol):
    """Conditional effects at one set of covariance factors, of v directions of [X y]."""

    def of_rows(self, Z: FloatArray, codes: _Codes) -> tuple[FloatArray, FloatArray]:
        """What rows' random columns make of the effects.

        Parameters
        ----------
        Z : array (Q, m)
            Random columns of all factors, in the model's order.
        codes : tuple of int arrays (m,)
            Level in every factor.

        Returns
        -------
        fitted : array (v, m)
            To be taken from the directions of [X y].
        spread : array (Q, m)
            S z.
        """
        ...

    def loads_of(self, factor: int, codes: _Codes) -> FloatArray:
        """Loads (q, v, m) of one factor's levels."""
        ...


@dataclass(frozen=True, slots=True)
class NoEffects:
    """A model without random effects."""

    directions: int

    def of_rows(self, Z: FloatArray, codes: _Codes) -> tuple[FloatArray, FloatArray]:  # noqa: ARG002
        """See `RowEffects.of_rows`."""
        return np.zeros((self.directions, Z.shape[1])), Z

    def loads_of(self, factor: int, codes: _Codes) -> FloatArray:
        """See `RowEffects.loads_of`."""
        raise IndexError(f"no factor {factor} among {codes}")


@dataclass(frozen=True, slots=True)
class Chained:
    """One factor or nested ones: the innermost level of a row tells all its levels.

    Attributes
    ----------
    loads, spread : arrays (Q, v, J), (Q, Q, J)
        Of every innermost level and the levels around it, in the model's order of columns.
    inner : int
        The innermost factor.
    own : tuple of slices
        Columns of every factor.
    """

    loads: FloatArray
    spread: FloatArray
    inner: int
    own: tuple[slice, ...]

    def of_rows(self, Z: FloatArray, codes: _Codes) -> tuple[FloatArray, FloatArray]:
        """See `RowEffects.of_rows`."""
        level = codes[self.inner]
        spread = np.zeros_like(Z)
        fitted = np.zeros((self.loads.shape[1], Z.shape[1]))
        for a, z in enumerate(Z):
            for v, load in enumerate(self.loads[a]):
                fitted[v] += z * load[level]
            for b in range(a + 1):
                shared = self.spread[a, b][level]
                spread[a] += shared * Z[b]
                if b < a:
                    spread[b] += shared * z
        return fitted, spread

    def loads_of(self, factor: int, codes: _Codes) -> FloatArray:
        """See `RowEffects.loads_of`."""
        return np.asarray(self.loads[self.own[factor]][:, :, codes[self.inner]])


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
class Crossing:
    """Factors in any relation; the first of `places` is the one eliminated level by level.

    Attributes
    ----------
    joint : JointEffects
    places : tuple of int
        The first factor, then the others.
    own : tuple of slices
        Columns of every factor in the model's order.
    firsts : tuple of int
        Of every other factor: its first column among the others'.
    """

    joint: JointEffects
    places: tuple[int, ...]
    own: tuple[slice, ...]
    firsts: tuple[int, ...]

    def of_rows(self, Z: FloatArray, codes: _Codes) -> tuple[FloatArray, FloatArray]:
        """See `RowEffects.of_rows`."""
        joint, spread = self.joint, np.zeros_like(Z)
        fitted = np.zeros((joint.loads.shape[1], Z.shape[1]))
        own, level = self.own[self.places[0]], codes[self.places[0]]
        index = self._index(codes)
        for a, z in enumerate(Z[own]):
            fitted += z * joint.loads[a][:, level]
            for b, other in enumerate(Z[own]):
                spread[own.start + a] += joint.own[a, b][level] * other
        for c, column in index.items():
            fitted += Z[c] * joint.outer_loads[column].T
            for a in range(own.stop - own.start):
                shared = joint.between[a, column, level]
                spread[own.start + a] += shared * Z[c]
                spread[c] += shared * Z[own.start + a]
            for d, other in index.items():
                spread[c] += joint.outer[column, other] * Z[d]
        return fitted, spread

    def loads_of(self, factor: int, codes: _Codes) -> FloatArray:
        """See `RowEffects.loads_of`."""
        if factor == self.places[0]:
            return np.asarray(self.joint.loads[:, :, codes[factor]])
        index, own = self._index(codes), self.own[factor]
        return np.array([self.joint.outer_loads[index[c]].T for c in range(own.start, own.stop)])

    def _index(self, codes: _Codes) -> dict[int, IntArray]:
        """For every column of the other factors in the model's order: its place among them."""
        found = {}
        for f, first in zip(self.places[1:], self.firsts, strict=True):
            q = self.own[f].stop - self.own[f].start
            for b in range(q):
                found[self.own[f].start + b] = first + codes[f] * q + b
        return found


def row_effects(
    statistics: Statistics, factors: tuple[FloatArray, ...], directions: FloatArray
) -> RowEffects:
    """Conditional effects at lam (q, q) of every factor, for directions (v, w) of [X y]."""
    ends = np.cumsum([len(lam) for lam in factors], dtype=int).tolist()
    own = tuple(slice(e - len(lam), e) for e, lam in zip(ends, factors, strict=True))
    if isinstance(statistics, Nested):
        return _chained(statistics.joint_effects(factors), statistics.chain, own, directions)
    if isinstance(statistics, Crossed):
        joint = _joint_effects(statistics, factors)
        firsts = tuple(part.own.start for part in statistics.parts)
        turned = JointEffects(
            _turned(joint.loads, directions),
            joint.outer_loads @ directions.T,
            joint.own,
            joint.between,
            joint.outer,
        )
        return Crossing(turned, statistics.places, own, firsts)
    return NoEffects(len(directions))


def _chained(
    joint: Effects, chain: tuple[int, ...], own: tuple[slice, ...], directions: FloatArray
) -> Chained:
    """From the chain's order of columns to the model's."""
    stacked = np.concatenate([np.arange(own[f].start, own[f].stop) for f in chain])
    order = np.argsort(stacked)
    spread = joint.spread[order][:, order]
    return Chained(_turned(joint.loads[order], directions), spread, chain[0], own)


def _turned(loads: FloatArray, directions: FloatArray) -> FloatArray:
    return np.asarray(np.matmul(directions, loads))


def _joint_effects(crossed: Crossed, factors: tuple[FloatArray, ...]) -> JointEffects:
    """Conditional effects with the covariances between factors.

    Raises
    ------
    FitError
        If those between the first factor's effects and all others' do not fit in memory.
    """
    first = factors[crossed.places[0]]
    q, _, J = crossed.RK.shape
    _refuse_table(q * J * len(crossed.outer_fixed))
    s, shared = crossed.solved(factors)
    mirror(shared)
    spread = shared.copy()  # the buffer is the next evaluation's
    own = s.D + times(times(s.D, crossed.coupling.quadratic(spread)), s.D)
    between = -times(s.D, crossed.coupling.down(spread))
    loads = np.einsum("ab,bwj->awj", first @ first.T, s.own_score)
    return JointEffects(loads, s.loads, own, between, spread)


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
