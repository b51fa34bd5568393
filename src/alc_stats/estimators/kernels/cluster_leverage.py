"""How much of what a table says about each coefficient comes from which cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.records import BoolArray, FloatArray, IntArray

_OWN = 1e-8
"""A direction of which the other clusters hold less than this share is one cluster's own: float64
leaves about 1e-16 per row where the share is zero, and real shares are 1 / rows or more."""
_TAKES_PART = 1e-6
"""A coefficient takes part in a direction when its cosine with it exceeds this: the directions are
known to the root of float64, about 1e-8."""
_CONSTANT = 1e-12
"""A column whose spread within clusters is below this share of its size does not vary there."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterLeverage:
    """The clusters behind every coefficient.

    Attributes
    ----------
    clusters : int
        G.
    lone : bool array (p,)
        Coefficients that cannot be estimated without some one cluster.
    shares : array (G, p)
        Partial leverage: each cluster's share of what a column holds beyond the other columns
        (MacKinnon, Nielsen and Webb 2023, section 3). Columns sum to one.
    between : bool array (p,)
        Columns that do not vary within clusters.
    """

    clusters: int
    lone: BoolArray
    shares: FloatArray
    between: BoolArray

    @property
    def effective(self) -> FloatArray:
        """Number (p,) of equally informative clusters with the same sum of squared shares.

        G when all clusters say the same about a coefficient, 1 when one says it all. Carter,
        Schnepel and Steigerwald's (2017) measure for independent rows.
        """
        return np.asarray(1.0 / np.sum(self.shares**2, axis=0))


def cluster_leverage(
    X: FloatArray, clusters: IntArray, root: FloatArray | None = None
) -> ClusterLeverage:
    """The clusters (n,) behind every coefficient of X (n, p), of full column rank.

    `root` (n,) are the roots of prior weights.

    Without cluster g the columns lose the direction d exactly when Q_g'Q_g, for Q orthonormal,
    has an eigenvalue of one whose vector is d on Q; the eigenvalues of all clusters sum to p, so
    at most p clusters can have one.
    """
    Q, R = orthonormal(X if root is None else X * root[:, None])
    Q = Q / np.sqrt(len(Q))
    inverse = linalg.solve_triangular(R, np.eye(R.shape[0]))
    inverse /= np.linalg.norm(inverse, axis=1)[:, None]
    number = int(clusters.max()) + 1
    partial = (Q @ inverse.T) ** 2
    shares = np.stack([np.bincount(clusters, column, number) for column in partial.T], axis=1)
    return ClusterLeverage(
        number,
        _lone(Q, inverse, clusters, number),
        np.asarray(shares, dtype=float),
        _between(X, clusters, number),
    )


def _lone(Q: FloatArray, inverse: FloatArray, clusters: IntArray, number: int) -> BoolArray:
    lone = np.zeros(Q.shape[1], dtype=bool)
    total = np.bincount(clusters, np.einsum("ij,ij->i", Q, Q), number)
    for g in np.flatnonzero(total > 1.0 - _OWN):
        own = Q[clusters == g]
        values, vectors = np.linalg.eigh(own.T @ own)
        lost = vectors[:, values > 1.0 - _OWN]
        lone |= np.linalg.norm(inverse @ lost, axis=1) > _TAKES_PART
    return lone


def _between(X: FloatArray, clusters: IntArray, number: int) -> BoolArray:
    first = np.zeros(number, dtype=np.intp)
    first[clusters[::-1]] = np.arange(len(clusters))[::-1]
    spread = np.abs(X - X[first][clusters]).max(axis=0)
    return np.asarray(spread <= _CONSTANT * np.abs(X).max(axis=0))
