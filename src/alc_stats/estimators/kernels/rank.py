"""Orthogonal bases and the linear dependencies that prevent them."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from alc_stats.estimators.kernels.lmm_basis import triangle
from alc_stats.records import FloatArray

RANK_TOLERANCE = 1e-13
"""A column whose part outside the others' span is smaller than this share of its length is
dependent: exact dependencies computed in float64 leave about 1e-16 to 1e-15."""


def orthonormal(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Q (n, p) and R (p, p) with X = Q R, Q'Q = n I, for X of full column rank.

    Every fit runs on Q, so that units and centring of the columns cannot reach the optimiser;
    R translates coefficients and covariances back.
    """
    lengths = np.linalg.norm(X, axis=0)
    Q, R = linalg.qr(X / lengths, mode="economic")
    root_n = np.sqrt(X.shape[0])
    return Q * root_n, R * lengths / root_n


def dependent_sets(X: FloatArray, tolerance: float = RANK_TOLERANCE) -> list[tuple[int, ...]]:
    """Sets of columns of X (n, p) that are linearly dependent; empty for full rank.

    Found in the triangle of X, so that no second table is made.

    Each set holds one column that the pivoted QR decomposition could not keep and the kept ones
    it is a combination of. An all-zero column is a set of its own.
    """
    R = triangle(X)
    lengths = np.linalg.norm(R, axis=0)
    zero: list[tuple[int, ...]] = [(int(j),) for j in np.flatnonzero(lengths == 0.0)]
    columns = np.flatnonzero(lengths > 0.0)
    if columns.size == 0:
        return zero
    _, R, order = linalg.qr(R[:, columns] / lengths[columns], mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(R))
    rank = int(np.sum(diagonal > tolerance * diagonal[0]))
    if rank == columns.size:
        return zero
    weights = linalg.solve_triangular(R[:rank, :rank], R[:rank, rank:])
    kept, left_over = columns[order[:rank]], columns[order[rank:]]
    shares = np.abs(weights) > np.sqrt(tolerance)
    sets = [
        tuple(sorted([int(j), *(int(i) for i in kept[share])]))
        for j, share in zip(left_over, shares.T, strict=True)
    ]
    return zero + sets
