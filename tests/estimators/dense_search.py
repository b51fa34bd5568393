"""A slow, obvious twin of the mixed-model engine: the whole covariance matrix and many starts.

Nothing is shared with the engine but the arrays: V is written out row by row, the fixed part is
projected away (REML) or solved by least squares (ML), and scipy searches without derivatives from
the engine, from several starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from alc_stats.estimators.lmm import LmmState

START_SIZES = (0.1, 1.0, 3.0)
NO_COVARIANCE = 1e10
"""Value where V cannot be factored: finite, so that differences of it are numbers."""


@dataclass(frozen=True)
class Term:
    """Columns that vary over levels: Z (n, q), level of every row (n,), covariance free or not."""

    Z: np.ndarray
    codes: np.ndarray
    correlated: bool

    @property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the free entries of the factor, column by column."""
        q = self.Z.shape[1]
        if not self.correlated:
            return np.arange(q), np.arange(q)
        return np.tril_indices(q)

    def covariance(self, half: np.ndarray) -> np.ndarray:
        """Z (I x half half') Z' (n, n)."""
        loads = self.Z @ half
        return (loads @ loads.T) * (self.codes[:, None] == self.codes[None, :])


@dataclass(frozen=True)
class Dense:
    """A mixed model as arrays, its outcome and columns brought near one."""

    y: np.ndarray
    X: np.ndarray
    terms: tuple[Term, ...]
    reml: bool

    def value(self, V: np.ndarray) -> float:
        """-2 log-likelihood, sigma profiled out, V (n, n) relative to it.

        REML counts the error contrasts K'y, K an orthonormal basis of what X leaves.
        """
        n, p = self.X.shape
        if self.reml:
            K = np.linalg.qr(self.X, mode="complete")[0][:, p:]
            V, left, rows = K.T @ V @ K, K.T @ self.y, n - p
        else:
            rows = n
        if not np.isfinite(V).all():
            return NO_COVARIANCE
        try:
            half = linalg.cholesky(V, lower=True)
        except linalg.LinAlgError:
            return NO_COVARIANCE
        if not self.reml:
            X, y = (linalg.solve_triangular(half, a, lower=True) for a in (self.X, self.y))
            left = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
        else:
            left = linalg.solve_triangular(half, left, lower=True)
        sigma2 = left @ left / rows
        return float(
            2.0 * np.log(np.diag(half)).sum() + rows * (np.log(2.0 * np.pi * sigma2) + 1.0)
        )

    def at(self, theta: np.ndarray) -> float:
        """The same as a function of the free entries of every factor."""
        V, k = np.eye(len(self.y)), 0
        for term in self.terms:
            rows, columns = term.entries
            half = np.zeros((term.Z.shape[1],) * 2)
            half[rows, columns] = theta[k : k + len(rows)]
            V += term.covariance(half)
            k += len(rows)
        return self.value(V)

    def best(self) -> float:
        """The lowest value a search from several starts finds."""
        diagonal = np.concatenate([np.equal(*term.entries) for term in self.terms])
        return min(self._search(np.where(diagonal, size, 0.0)) for size in START_SIZES)

    def _search(self, start: np.ndarray) -> float:
        at = start
        for method in ("L-BFGS-B", "Nelder-Mead", "L-BFGS-B"):
            found = optimize.minimize(self.at, at, method=method, options={"maxiter": 400})
            at = found.x
        return float(found.fun)


def dense_model(
    state: LmmState, y: np.ndarray, X: np.ndarray, *, reml: bool
) -> tuple[Dense, float]:
    """The twin of a fitted state, and what its -2 log-likelihood lacks of the raw one.

    Columns are divided by their length; columns of correlated terms are made orthonormal, which
    changes nothing but the names of the parameters.
    """
    origin = y.mean() if _holds_constant(X) else 0.0
    scale = float(np.std(y)) or 1.0
    lengths = np.linalg.norm(X, axis=0)
    n, p = X.shape
    jacobian = 2.0 * (n - p if reml else n) * np.log(scale)
    if reml:
        R = np.linalg.qr(X / lengths, mode="r")
        jacobian += 2.0 * (np.log(np.abs(np.diag(R))).sum() + np.log(lengths).sum())
    terms = []
    for term in state.random.terms:
        factor = state.random.factors[term.factor]
        Z = factor.Z[:, term.columns]
        Z = (
            np.linalg.qr(Z)[0] * np.sqrt(n)
            if term.correlated
            else Z / np.sqrt(np.mean(Z**2, axis=0))
        )
        terms.append(Term(Z, factor.codes, term.correlated))
    return Dense((y - origin) / scale, X / lengths, tuple(terms), reml), jacobian


def relative_covariance(state: LmmState, n: int) -> np.ndarray:
    """V / sigma^2 (n, n) of a fitted state from the covariances it reports."""
    V = np.eye(n)
    for f, factor in enumerate(state.random.factors):
        V += Term(factor.Z, factor.codes, True).covariance(state.relative_factor(f))
    return V


def _holds_constant(X: np.ndarray) -> bool:
    ones, unit = np.ones(len(X)), X / np.linalg.norm(X, axis=0)
    return bool(np.allclose(unit @ np.linalg.lstsq(unit, ones, rcond=None)[0], ones))
