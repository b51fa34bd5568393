"""Batched algebra of one grouping factor: small matrices as planes of vectors over its levels.

An array (a, b, J) holds J matrices (a, b), levels last, so that every operation below is one
vector operation over all levels and no loop runs over groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.records import FloatArray, IntArray

_NOTHING_LEFT = 1e-14
"""A pivot below this share of its diagonal entry is rounding."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What eliminating the random effects of one factor leaves, at one covariance factor.

    With the levels' columns Z_j = Q_j R_j and K_j = Q_j'[other columns],
    E_j = I + R_j lam lam' R_j' = L_j L_j'.

    Attributes
    ----------
    log_det : float
        Sum of log |E_j|.
    both : array (q, q + m, J)
        `root` and `rest` side by side.
    """

    log_det: float
    both: FloatArray

    @property
    def root(self) -> FloatArray:
        """L_j^-1 R_j (q, q, J), so that Z_j'V^-1 Z_j = root'root."""
        return self.both[:, : self.both.shape[0]]

    @property
    def rest(self) -> FloatArray:
        """L_j^-1 K_j (q, m, J), so that Z_j'V^-1[other columns] = root'rest."""
        return self.both[:, self.both.shape[0] :]


def eliminate(RK: FloatArray, lam: FloatArray) -> Stage:
    """Eliminate a factor with [R K] (q, q + m, J), R upper triangular, and factor lam (q, q).

    L_j comes from orthogonalising the columns of [I; (R_j lam)'], not from the product E_j: its
    pivots are sums of squares, so a variance that dwarfs the residual's costs no digits.
    """
    q = RK.shape[0]
    both = RK.copy()
    columns: list[list[FloatArray | float]] = []
    pivots: list[FloatArray] = []
    log_det = 0.0
    for a in range(q):
        column: list[FloatArray | float] = [float(a == b) for b in range(q)]
        column += [_combine(RK[a], lam[:, b], start=max(a, b)) for b in range(q)]
        for b in range(a):
            share = _inner(column, columns[b]) / pivots[b]
            column = [c - share * other for c, other in zip(column, columns[b], strict=True)]
            both[a] -= share * both[b]
        pivot = np.asarray(_inner(column, column))
        log_det += float(np.log(pivot).sum())
        columns.append(column)
        pivots.append(pivot)
    for a in range(q):
        both[a] /= np.sqrt(pivots[a])
    return Stage(log_det, both)


def _combine(row: FloatArray, weights: FloatArray, *, start: int) -> FloatArray | float:
    """Sum over c >= start of row[c] * weights[c], skipping zeros."""
    total: FloatArray | float = 0.0
    for c in range(start, len(weights)):
        if weights[c] != 0.0:
            total = total + row[c] * weights[c]
    return total


def _inner(left: list[FloatArray | float], right: list[FloatArray | float]) -> FloatArray | float:
    """Inner product, entry by entry; plain zeros cost nothing."""
    total: FloatArray | float = 0.0
    for a, b in zip(left, right, strict=True):
        if (isinstance(a, float) and a == 0.0) or (isinstance(b, float) and b == 0.0):
            continue
        total = total + a * b
    return total


def times(A: FloatArray, B: FloatArray) -> FloatArray:
    """A (a, b, J) times B (b, c, J), level by level."""
    product: FloatArray = A[:, 0, None] * B[0]
    for k in range(1, A.shape[1]):
        product += A[:, k, None] * B[k]
    return product


def transposed(A: FloatArray) -> FloatArray:
    """Every level's matrix transposed."""
    return A.swapaxes(0, 1)


def gram(A: FloatArray, starts: IntArray) -> FloatArray:
    """Sum of A_j'A_j (m, m, parents) over each parent's levels of A (q, m, J)."""
    if len(starts) == 1:
        return np.asarray(sum(plane @ plane.T for plane in A))[:, :, None]
    m = A.shape[1]
    found = np.empty((m, m, len(starts)))
    for a in range(m):
        products = np.einsum("qj,qbj->bj", A[:, a], A[:, : a + 1])
        found[a, : a + 1] = np.add.reduceat(products, starts, axis=1)
        found[:a, a] = found[a, :a]
    return found


def cross_products(G: FloatArray) -> FloatArray:
    """Sum over levels of G_ja G_jb' (q, q, w, w) of G (q, w, J)."""
    q, w, J = G.shape
    flat = G.reshape(q * w, J)
    return (flat @ flat.T).reshape(q, w, q, w).swapaxes(1, 2)


def cholesky(products: FloatArray) -> FloatArray:
    """[R K] (q, q + m, J) of every level's products (q, q + m, J): R'R, R'K.

    A pivot that is rounding beside the diagonal it came from is a column of nothing new: its row
    is zero.
    """
    RK = products.copy()
    q = RK.shape[0]
    diagonal = np.array([products[a, a] for a in range(q)])
    for a in range(q):
        for b in range(a):
            RK[a] -= RK[b, a] * RK[b]
        pivot = np.where(RK[a, a] > _NOTHING_LEFT * diagonal[a], RK[a, a], 0.0)
        root = np.sqrt(pivot)
        RK[a] *= np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        RK[a, :a] = 0.0
        RK[a, a] = root
    return RK
