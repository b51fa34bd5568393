"""Mixed models with log SDs that follow columns, every matrix at full size: slow and obvious."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize

from estimators.dense_twin import wide


class Grouping(NamedTuple):
    """Level of every row, columns (n, q), and columns of the intercept's log SD (n, l) or None."""

    codes: np.ndarray
    Z: np.ndarray
    U: np.ndarray | None = None


class Model(NamedTuple):
    """Parameters x: of the log SD, then of every grouping in turn.

    Those of a grouping with U are the intercept's log SD's; else the entries of a lower triangular
    factor of the covariance of its effects, column by column.
    """

    y: np.ndarray
    X: np.ndarray
    W: np.ndarray
    groupings: list[Grouping]
    reml: bool


def covariance(model: Model, x: np.ndarray) -> np.ndarray:
    """V (n, n)."""
    k = model.W.shape[1]
    V = np.diag(np.exp(2.0 * model.W @ x[:k]))
    for codes, Z, U in model.groupings:
        q = Z.shape[1]
        if U is not None:
            loads = np.exp(U @ x[k : k + U.shape[1]])[:, None] * Z
            k += U.shape[1]
        else:
            L = np.zeros((q, q))
            places = [(a, b) for b in range(q) for a in range(b, q)]
            for a, b in places:
                L[a, b] = x[k + places.index((a, b))]
            k += len(places)
            loads = Z @ L
        Zw = wide(codes, loads)
        V += Zw @ Zw.T
    return V


def coefficients(model: Model, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Generalised least squares, and its covariance."""
    inverse = np.linalg.inv(covariance(model, x))
    C = np.linalg.inv(model.X.T @ inverse @ model.X)
    return C @ model.X.T @ inverse @ model.y, C


def deviance(model: Model, x: np.ndarray) -> float:
    """-2 (restricted) log-likelihood, the coefficients of the mean profiled out."""
    n, p = model.X.shape
    L = np.linalg.cholesky(covariance(model, x))
    X = linalg.solve_triangular(L, model.X, lower=True)
    y = linalg.solve_triangular(L, model.y, lower=True)
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    value = 2.0 * np.log(np.diag(L)).sum() + float(np.sum((y - X @ beta) ** 2))
    value += (n - p if model.reml else n) * np.log(2.0 * np.pi)
    return value + (np.linalg.slogdet(X.T @ X)[1] if model.reml else 0.0)


def gradient(function: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """Fourth-order differences, step 0.001."""
    h, found = 1e-3, []
    for k in range(len(x)):
        e = np.zeros(len(x))
        e[k] = h
        near, far = (function(x + s * e) - function(x - s * e) for s in (1.0, 2.0))
        found.append((8.0 * near - far) / (12.0 * h))
    return np.array(found)


def hessian(function: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """Differences of those differences."""
    h, rows = 1e-3, []
    for k in range(len(x)):
        e = np.zeros(len(x))
        e[k] = h
        near, far = (gradient(function, x + s * e) - gradient(function, x - s * e) for s in (1, 2))
        rows.append((8.0 * near - far) / (12.0 * h))
    H = np.array(rows)
    return (H + H.T) / 2.0


def searched(model: Model, start: np.ndarray) -> float:
    """The least deviance scipy finds."""
    found = optimize.minimize(lambda x: deviance(model, x), start, method="BFGS")
    return float(found.fun)
