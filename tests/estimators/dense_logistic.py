"""Logistic mixed models the slow and obvious way: none of our own code, every matrix whole."""

from __future__ import annotations

import numpy as np
from scipy import integrate, optimize, special


def log_likelihood(y: np.ndarray, m: np.ndarray, eta: np.ndarray) -> float:
    """Binomial log-likelihood of successes y of m trials at log odds eta."""
    chosen = special.gammaln(m + 1) - special.gammaln(y + 1) - special.gammaln(m - y + 1)
    return float(np.sum(chosen + y * eta - m * np.log1p(np.exp(eta))))


def laplace(
    y: np.ndarray, m: np.ndarray, fixed: np.ndarray, Z: np.ndarray, sd: np.ndarray
) -> float:
    """-2 log-likelihood by Laplace's approximation.

    Z (n, N) holds a column for every random effect, sd (N, N) a root of their covariance; the mode
    is found by scipy's search, which sees values and the plain gradient.
    """
    L = Z @ sd

    def penalised(u: np.ndarray) -> float:
        return u @ u - 2.0 * log_likelihood(y, m, fixed + L @ u)

    def slope(u: np.ndarray) -> np.ndarray:
        return 2.0 * u - 2.0 * L.T @ (y - m * special.expit(fixed + L @ u))

    found = optimize.minimize(
        penalised, np.zeros(L.shape[1]), jac=slope, method="BFGS", options={"gtol": 1e-9}
    )
    p = special.expit(fixed + L @ found.x)
    information = np.eye(L.shape[1]) + L.T @ ((m * p * (1.0 - p))[:, None] * L)
    return float(found.fun + np.linalg.slogdet(information)[1])


def integrated(
    y: np.ndarray, m: np.ndarray, fixed: np.ndarray, load: np.ndarray, codes: np.ndarray
) -> float:
    """-2 log-likelihood with one effect a level, each integral by adaptive quadrature."""
    total = 0.0
    for level in range(codes.max() + 1):
        own = codes == level

        def joint(u: float, own: np.ndarray = own) -> float:
            eta = fixed[own] + load[own] * u
            return np.exp(log_likelihood(y[own], m[own], eta) - 0.5 * u * u) / np.sqrt(2 * np.pi)

        total += np.log(integrate.quad(joint, -12.0, 12.0, epsabs=0.0, epsrel=1e-12, limit=400)[0])
    return -2.0 * total


def marginal_probability(fixed: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Probability at log odds `fixed`, averaged over a normal effect of this SD: an even grid."""
    u = np.linspace(-9.0, 9.0, 20_001)
    density = np.exp(-0.5 * u * u)
    weight = density / density.sum()
    return np.array([weight @ special.expit(f + s * u) for f, s in zip(fixed, sd, strict=True)])
