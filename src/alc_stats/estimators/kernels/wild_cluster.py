"""The wild cluster bootstrap of one coefficient as sums over clusters.

The null theta = r is imposed: with M = (X'X)^-1, a = M R (R picks the coefficient),
delta = (estimate - r) / R'a, the restricted residuals are e + delta X a, and those of cluster g
have the score s_g = X_g'(e + delta X a)_g. Multiplying them by v_g and refitting moves the
coefficient by sum_g v_g a's_g, and the new cluster scores along a are
v_g a's_g - a'X_g'X_g M sum_h v_h s_h (Roodman, Nielsen, MacKinnon and Webb 2019).
Everything is linear in delta, so five numbers a draw give its t ratio under every null.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from alc_stats.records import FloatArray, IntArray

RADEMACHER = np.array([-1.0, 1.0])
WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])
"""Webb's (2014) six points: mean 0, variance 1, fourth moment 7/6."""
_TIE = 1e-10
"""Two t ratios closer than this share of their size are the same arithmetic."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterSums:
    """What the bootstrap of one coefficient needs of the clusters, on columns Q with Q'Q = I.

    Attributes
    ----------
    estimate : float
    leverage : float
        R'a.
    score : array (G, p)
        Q_g'e_g.
    slope : array (G, p)
        Q_g'Q_g a: the change of the score with delta.
    direction : array (p,)
        a.
    """

    estimate: float
    leverage: float
    score: FloatArray
    slope: FloatArray
    direction: FloatArray

    @property
    def se(self) -> float:
        """CR0 standard error."""
        return float(np.linalg.norm(self.score @ self.direction))


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Numerator n0 + delta n1 and squared denominator q0 + 2 delta q1 + delta^2 q2 of t (B,)."""

    n0: FloatArray
    n1: FloatArray
    q0: FloatArray
    q1: FloatArray
    q2: FloatArray

    def t(self, delta: float) -> FloatArray:
        """Ratios (B,) under the null of delta; a draw without spread is infinite."""
        square = np.maximum(self.q0 + delta * (2.0 * self.q1 + delta * self.q2), 0.0)
        numerator = self.n0 + delta * self.n1
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = numerator / np.sqrt(square)
        return np.where(numerator == 0.0, 0.0, ratio)


def cluster_sums(
    Q: FloatArray, residuals: FloatArray, clusters: IntArray, *, pick: FloatArray, estimate: float
) -> ClusterSums:
    """Collect Q (n, p), Q'Q = I, of the coefficient pick'(coefficients on Q)."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    score = np.add.reduceat((Q * residuals[:, None])[order], starts, axis=0)
    slope = np.add.reduceat((Q * (Q @ pick)[:, None])[order], starts, axis=0)
    return ClusterSums(estimate, float(pick @ pick), score, slope, pick)


def drawn(own: ClusterSums, v: FloatArray) -> Draws:
    """The t ratios of draws v (B, G) as functions of delta."""
    along = own.score @ own.direction, own.slope @ own.direction
    moved = v @ own.score, v @ own.slope
    c0 = v * along[0] - moved[0] @ own.slope.T
    c1 = v * along[1] - moved[1] @ own.slope.T
    return Draws(
        v @ along[0],
        v @ along[1],
        np.einsum("bg,bg->b", c0, c0),
        np.einsum("bg,bg->b", c0, c1),
        np.einsum("bg,bg->b", c1, c1),
    )


def joined(parts: list[Draws]) -> Draws:
    """All draws as one."""
    return Draws(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Draws.__slots__)
    )


def every(points: FloatArray, clusters: int, chunk: int) -> Iterator[FloatArray]:
    """All points^G draws, some at a time."""
    rows: list[tuple[float, ...]] = []
    for row in product(points.tolist(), repeat=clusters):
        rows.append(row)
        if len(rows) == chunk:
            yield np.array(rows)
            rows = []
    if rows:
        yield np.array(rows)


def extreme_share(own: ClusterSums, draws: Draws, delta: float, *, complete: bool) -> float:
    """Two-sided p of the null of delta: the share of |t| at least the observed one.

    Ties count as extreme. With `complete` the draws are all there are and hold the observed one;
    otherwise it is counted with them, (1 + extreme) / (1 + B).
    """
    observed = abs(delta) * own.leverage / own.se
    extreme = int(np.sum(np.abs(draws.t(delta)) >= observed * (1.0 - _TIE)))
    B = len(draws.n0)
    return extreme / B if complete else (1.0 + extreme) / (1.0 + B)
