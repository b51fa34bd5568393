"""The linear mixed model with every matrix at full size: slow, obvious, none of our own code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Random(NamedTuple):
    """A grouping: level of every row, columns (n, q), relative covariance factor (q, q)."""

    codes: np.ndarray
    Z: np.ndarray
    factor: np.ndarray


class Twin(NamedTuple):
    deviance: float
    beta: np.ndarray
    vcov: np.ndarray
    sigma2: float
    inverse: np.ndarray
    residual: np.ndarray


def wide(codes: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Z with its own columns for every level (n, levels * q), level by level."""
    columns = [np.where((codes == level)[:, None], Z, 0.0) for level in range(codes.max() + 1)]
    return np.concatenate(columns, axis=1)


def solve(
    y: np.ndarray, X: np.ndarray, random: list[Random], *, reml: bool, weights: np.ndarray | None
) -> Twin:
    n, p = X.shape
    V = np.diag(np.ones(n) if weights is None else 1.0 / weights)
    for codes, Z, factor in random:
        Zw = wide(codes, Z)
        V += Zw @ np.kron(np.eye(codes.max() + 1), factor @ factor.T) @ Zw.T
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ y)
    residual = y - X @ beta
    degrees = n - p if reml else n
    sigma2 = residual @ inverse @ residual / degrees
    deviance = np.linalg.slogdet(V)[1] + degrees * (1.0 + np.log(2.0 * np.pi * sigma2))
    if reml:
        deviance += np.linalg.slogdet(information)[1]
    return Twin(deviance, beta, sigma2 * np.linalg.inv(information), sigma2, inverse, residual)


def modes(twin: Twin, random: list[Random], which: int) -> tuple[np.ndarray, np.ndarray]:
    """Conditional modes (J, q) and covariances (J, q, q) of one grouping."""
    codes, Z, factor = random[which]
    q, J = Z.shape[1], codes.max() + 1
    Zw, prior = wide(codes, Z), np.kron(np.eye(J), factor @ factor.T)
    found = prior @ Zw.T @ twin.inverse @ twin.residual
    spread = twin.sigma2 * (prior - prior @ Zw.T @ twin.inverse @ Zw @ prior)
    own = [spread[j * q : (j + 1) * q, j * q : (j + 1) * q] for j in range(J)]
    return found.reshape(J, q), np.array(own)


def kenward_roger(
    X: np.ndarray, G: list[np.ndarray], V: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Kenward and Roger (1997) with V = sum gamma_k G_k: Phi, adjusted Phi, P, W."""
    inverse = np.linalg.inv(V)
    Phi = np.linalg.inv(X.T @ inverse @ X)
    P = [-X.T @ inverse @ g @ inverse @ X for g in G]
    Q = [[X.T @ inverse @ g @ inverse @ h @ inverse @ X for h in G] for g in G]
    information = np.array(
        [
            [
                np.trace(inverse @ g @ inverse @ h)
                - np.trace(2.0 * Phi @ Q[i][j] - Phi @ P[i] @ Phi @ P[j])
                for j, h in enumerate(G)
            ]
            for i, g in enumerate(G)
        ]
    )
    W = 2.0 * np.linalg.inv(information)
    U = sum(W[i, j] * (Q[i][j] - P[i] @ Phi @ P[j]) for i in range(len(G)) for j in range(len(G)))
    return Phi, Phi + 2.0 * Phi @ U @ Phi, np.array(P), W
