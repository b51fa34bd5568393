"""What the kernels of the mixed model exchange: factors in, statistics kept, evaluations out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from alc_stats.estimators.kernels.lmm_basis import Basis, Residualised
from alc_stats.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Block:
    """Columns of one random term: `correlated` ones have a free covariance."""

    size: int
    correlated: bool


@dataclass(frozen=True, slots=True)
class Factor:
    """One grouping factor: level of every row, its random columns and how they covary.

    Attributes
    ----------
    codes : int array (n,)
        0 ... levels - 1, every level present.
    levels : int
    Z : array (n, q)
        Columns of all terms of this factor, side by side; quickest if each is contiguous.
    blocks : tuple of Block
        Sizes sum to q.
    """

    codes: IntArray
    levels: int
    Z: FloatArray
    blocks: tuple[Block, ...]

    @property
    def size(self) -> int:
        """Columns q."""
        return self.Z.shape[1]


@dataclass(frozen=True, slots=True)
class Rows:
    """The standardised rows of a model, made a chunk at a time.

    Attributes
    ----------
    y, X : arrays (n,), (n, p)
        Raw.
    root_weight : array (n,) or None
        Square roots of the prior weights.
    fixed : Residualised
    factors : tuple of Factor
    bases : tuple of Basis
        One a factor, block diagonal over its terms.
    """

    y: FloatArray
    X: FloatArray
    root_weight: FloatArray | None
    fixed: Residualised
    factors: tuple[Factor, ...]
    bases: tuple[Basis, ...]

    def rows_of(self, rows: IntArray | slice, factors: tuple[int, ...]) -> FloatArray:
        """Standardised columns of these rows, columns first: random ones by factor, then [X y]."""
        y = _picked(self.y, rows)
        sizes = [self.factors[f].size for f in factors]
        columns = np.empty((sum(sizes) + self.X.shape[1] + 1, len(y)))
        place = 0
        for f, size in zip(factors, sizes, strict=True):
            self.bases[f].rows(_picked(self.factors[f].Z, rows), out=columns[place : place + size])
            place += size
        self.fixed.rows(y, _picked(self.X, rows), out=columns[place:])
        if self.root_weight is not None:
            columns *= self.root_weight[rows]
        return columns


def _picked(columns: FloatArray, rows: IntArray | slice) -> FloatArray:
    """These rows of columns (n, k) or (n,): column by column, which is faster than by row."""
    return columns[rows] if isinstance(rows, slice) else columns.T.take(rows, axis=-1).T


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything a criterion and its derivatives need, at one set of covariance factors.

    With V = I + sum Z_f lam_f lam_f' Z_f' and W = [X y] (w columns):

    Attributes
    ----------
    log_det : float
        log |V|.
    inner : array (w, w)
        W'V^-1 W.
    trace : tuple of arrays (q, q)
        Sum over levels of Z_j'V^-1 Z_j, a factor each.
    cross : tuple of arrays (q, q, w, w)
        Sum over levels of (Z_j'V^-1 W)_a' (Z_j'V^-1 W)_b, a factor each.
    by_level : tuple of arrays (q, q, J), (q, w, J), or None
        Of a single nested factor, what second derivatives need: root with Z_j'V^-1 Z_j =
        root'root, and Z_j'V^-1 W.
    """

    log_det: float
    inner: FloatArray
    trace: tuple[FloatArray, ...]
    cross: tuple[FloatArray, ...]
    by_level: tuple[FloatArray, FloatArray] | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """Per level of one factor, at one set of covariance factors (all relative to sigma).

    Attributes
    ----------
    loads : array (q, w, J)
        lam lam' Z_j'V^-1 W: modes are loads @ (-coefficients, 1).
    spread : array (q, q, J)
        Conditional covariance of the level's effects given the coefficients, over sigma^2.
    """

    loads: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class Gram:
    """Z'Z (N, N) and Z'W (N, w) of all factors in the model's order, level by level."""

    ZZ: FloatArray
    ZW: FloatArray


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """Second-order products of the parameters, in the model's order.

    With G_k = Z (I x S_k) Z' for the slope S_k of a factor's covariance, and a weight B (w, w):

    Attributes
    ----------
    traces : array (k, k)
        tr(V^-1 G_k V^-1 G_l).
    weighted : array (k, k)
        <B, W'V^-1 G_k V^-1 G_l V^-1 W>.
    """

    traces: FloatArray
    weighted: FloatArray

    def in_order(self, places: tuple[int, ...], counts: list[int]) -> SecondOrder:
        """From parameters factor by factor in the order `places` to the model's order."""
        starts = np.cumsum([0, *counts])
        own = {p: np.arange(starts[i], starts[i + 1]) for i, p in enumerate(places)}
        order = np.concatenate([own[place] for place in sorted(own)])
        both = np.ix_(order, order)
        return SecondOrder(self.traces[both], self.weighted[both])


class Statistics(Protocol):
    """Sufficient statistics: an evaluation costs the groups, not the rows."""

    def evaluate(self, factors: tuple[FloatArray, ...]) -> Evaluation:
        """Evaluate at lam (q, q) of every factor, in the order of the model's factors."""
        ...

    def effects(self, factors: tuple[FloatArray, ...]) -> tuple[Effects, ...]:
        """Conditional effects of every factor's levels."""
        ...

    def has_second_order(self, factors: tuple[FloatArray, ...]) -> bool:
        """Whether `second_order` may be asked for at these lam."""
        ...

    def second_order(
        self, factors: tuple[FloatArray, ...], weight: FloatArray, slopes: tuple[FloatArray, ...]
    ) -> SecondOrder:
        """Second-order products for symmetric slopes (k_f, q, q), a factor each."""
        ...

    def release(self) -> None:
        """Give back the memory evaluations share; the next one makes it anew."""
        ...

    def gram(self) -> Gram:
        """All products at full size, for small designs."""
        ...
