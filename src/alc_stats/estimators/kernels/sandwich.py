"""Bias-reduced cluster-robust covariance and its degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.records import FloatArray, IntArray

_FULL_LEVERAGE = 1e-8
"""A direction in which a cluster leaves less than this share to the others is its own: its
residuals there are rounding, and the pseudo-inverse drops it. Rounding leaves about 1e-15."""


@dataclass(frozen=True, slots=True)
class BiasReduced:
    """CR2 on an orthonormal basis.

    Attributes
    ----------
    covariance : array (p, p)
    projected : tuple of arrays (n_g, p)
        (I - H_gg)^(-1/2) Q_g of every cluster g.
    own : tuple of arrays (n_g, p)
        Q_g of every cluster g, in the same order.
    """

    covariance: FloatArray
    projected: tuple[FloatArray, ...]
    own: tuple[FloatArray, ...]


def bias_reduced(Q: FloatArray, residuals: FloatArray, clusters: IntArray) -> BiasReduced:
    """CR2 covariance of the coefficients on Q (n, p), Q'Q = I (Bell and McCaffrey 2002).

    Residuals of cluster g are multiplied by the symmetric square root of the pseudo-inverse of
    I - Q_g Q_g', which makes the covariance unbiased under independent homoscedastic errors.
    With Q_g = U s W', that root times Q_g is U s (1 - s^2)^(-1/2) W': no n by n matrix is made.

    Parameters
    ----------
    Q : array (n, p)
    residuals : array (n,)
    clusters : array (n,)
        Level of every row.
    """
    order = np.argsort(clusters, kind="stable")
    cuts = np.flatnonzero(np.diff(clusters[order])) + 1
    rows = np.split(order, cuts)
    own = tuple(Q[r] for r in rows)
    projected = tuple(_projected(Q_g) for Q_g in own)
    scores = np.stack([P.T @ residuals[r] for P, r in zip(projected, rows, strict=True)])
    return BiasReduced(scores.T @ scores, projected, own)


def satterthwaite(fit: BiasReduced, direction: FloatArray) -> float:
    """Degrees of freedom of the variance of direction'coefficients (Pustejovsky and Tipton 2018).

    (tr P)^2 / tr(P^2), where P (G, G) holds g_i'(I - H)_ij g_j with g_i = projected_i direction.
    """
    g = [P @ direction for P in fit.projected]
    inner = np.stack([Q_g.T @ g_i for Q_g, g_i in zip(fit.own, g, strict=True)])
    P = np.diag([g_i @ g_i for g_i in g]) - inner @ inner.T
    return float(np.trace(P) ** 2 / np.sum(P**2))


def _projected(Q_g: FloatArray) -> FloatArray:
    U, s, Wt = np.linalg.svd(Q_g, full_matrices=False)
    left = 1.0 - s**2
    factor = np.where(left > _FULL_LEVERAGE, s / np.sqrt(np.maximum(left, _FULL_LEVERAGE)), 0.0)
    return np.asarray((U * factor) @ Wt, dtype=float)
