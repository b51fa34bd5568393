"""One person's likelihood given the scale effect: location effects integrated in closed form.

The model of a person with location effects theta (q,) of unit variance and a scale effect z is

    y_t = x_t'b + s_t'theta + e_t,   log SD(e_t) = w_t'tau + sw z,
    theta | z ~ N(rho z, I - rho rho'),   z ~ N(0, 1).

Rows enter through their count n, log_d = sum 2 w'tau, A = sum s s'/d, c = sum s e/d and
E = sum e^2/d only (e = y - x'b, d = exp(2 w'tau)), so nodes of the integral over z cost no rows.
Everything is compiled; `work` arrays are scratch of at least the sizes named.
"""

from __future__ import annotations

import math

from numba import njit

LOG_2PI = math.log(2.0 * math.pi)


@njit(cache=True, nogil=True)
def invert(T, inverse, q):
    """Write the inverse of T (q, q) to `inverse`, destroy T, return log |det T| (det > 0)."""
    for a in range(q):
        for b in range(q):
            inverse[a, b] = 1.0 if a == b else 0.0
    log_det = 0.0
    for k in range(q):
        pivot = k
        for a in range(k + 1, q):
            if abs(T[a, k]) > abs(T[pivot, k]):
                pivot = a
        if pivot != k:
            for b in range(q):
                T[k, b], T[pivot, b] = T[pivot, b], T[k, b]
                inverse[k, b], inverse[pivot, b] = inverse[pivot, b], inverse[k, b]
        log_det += math.log(abs(T[k, k]))
        share = 1.0 / T[k, k]
        for b in range(q):
            T[k, b] *= share
            inverse[k, b] *= share
        for a in range(q):
            factor = T[a, k]
            if a != k and factor != 0.0:
                for b in range(q):
                    T[a, b] -= factor * T[k, b]
                    inverse[a, b] -= factor * inverse[k, b]
    return log_det


@njit(cache=True, nogil=True)
def at_node(z, n, log_d, A, c, E, rho, sw, T, G, C, theta, r, V):
    """Log-likelihood of a person's rows given z, its slope in z and E[RSS | z, rows].

    Writes the conditional mean `theta` (q,) and covariance `V` (q, q) of the location effects
    given z and the rows, G = (I + kappa A C)^-1 and r = G (c - A rho z) for the derivatives.
    """
    q = rho.shape[0]
    kappa = math.exp(-2.0 * sw * z)
    for a in range(q):
        for b in range(q):
            C[a, b] = (1.0 if a == b else 0.0) - rho[a] * rho[b]
    for a in range(q):
        for b in range(q):
            total = 1.0 if a == b else 0.0
            for k in range(q):
                total += kappa * A[a, k] * C[k, b]
            T[a, b] = total
    log_det = invert(T, G, q)
    shift = 0.0
    quadratic = 0.0
    for a in range(q):
        residual = c[a]
        for b in range(q):
            residual -= A[a, b] * rho[b] * z
        theta[a] = residual  # c_z, for the moment
        shift -= rho[a] * z * (c[a] + residual)
    for a in range(q):
        total = 0.0
        for b in range(q):
            total += G[a, b] * theta[b]
        r[a] = total
    for a in range(q):
        total = 0.0
        for b in range(q):
            total += C[a, b] * r[b]
        quadratic += theta[a] * total
        V[a, 0] = total  # C r, for the moment
    for a in range(q):
        theta[a] = rho[a] * z + kappa * V[a, 0]
    for a in range(q):
        for b in range(q):
            total = 0.0
            for k in range(q):
                total += C[a, k] * G[k, b]
            V[a, b] = total
    loglik = -0.5 * (
        n * LOG_2PI
        + 2.0 * n * sw * z
        + log_d
        + log_det
        + kappa * (E + shift)
        - kappa * kappa * quadratic
    )
    rss = E
    slope = 0.0
    for a in range(q):
        rss -= 2.0 * theta[a] * c[a]
        slope += kappa * rho[a] * r[a]
        for b in range(q):
            rss += A[a, b] * (theta[a] * theta[b] + V[a, b])
    return loglik, slope + sw * (kappa * rss - n), rss


@njit(cache=True, nogil=True)
def locate(start, n, log_d, A, c, E, rho, sw, T, G, C, theta, r, V):
    """Mode of the scale effect given the rows, and the SD of the normal that bends as it does."""
    z = start
    curvature = -1.0
    for _ in range(30):
        h = 1e-4
        _, up, _ = at_node(z + h, n, log_d, A, c, E, rho, sw, T, G, C, theta, r, V)
        _, down, _ = at_node(z - h, n, log_d, A, c, E, rho, sw, T, G, C, theta, r, V)
        curvature = min((up - down) / (2.0 * h) - 1.0, -0.2)
        step = -(0.5 * (up + down) - z) / curvature
        step = min(max(step, -1.5), 1.5)
        z += step
        if abs(step) * math.sqrt(-curvature) < 1e-2:
            break
    return z, 1.0 / math.sqrt(-curvature)


@njit(cache=True, nogil=True)
def add_slopes(p, z, A, rho, kappa, n, rss, G, theta, r, V, dA, dc, dE, drho):
    """Add p times the derivatives of a node's log-likelihood; return p times that in sw and dE.

    dA (q, q), dc (q,) and drho (q,) are accumulated in place. No 1/(1 - rho'rho) occurs, so that
    a correlation of one is no singular point.
    """
    q = rho.shape[0]
    r_rho = 0.0
    for a in range(q):
        r_rho += r[a] * rho[a]
    for a in range(q):
        dc[a] += p * kappa * theta[a]
        total = z * r[a] - kappa * r[a] * r_rho
        for b in range(q):
            dA[a, b] -= 0.5 * p * kappa * (theta[a] * theta[b] + V[a, b])
            for k in range(q):
                total += G[a, k] * A[k, b] * rho[b]
        drho[a] += p * kappa * total
    return p * z * (kappa * rss - n), dE - 0.5 * p * kappa


@njit(cache=True, nogil=True)
def integrate(z, spread, nodes, log_weights, n, log_d, A, c, E, rho, sw,
              T, G, C, theta, r, V, dA, dc, drho):  # fmt: skip
    """Log of the integral over z and its derivatives in A, c, E, rho and sw, nodes held still.

    `nodes` (K,) are ordered from the middle outwards: the first one's value keeps the others'
    exponentials in range, so that every node is visited once.

    Returns
    -------
    loglik, d_E, d_sw : float
        dA (q, q), dc (q,) and drho (q,) are overwritten.
    """
    dA[:] = 0.0
    dc[:] = 0.0
    drho[:] = 0.0
    dE = 0.0
    dsw = 0.0
    reference = 0.0
    total = 0.0
    for k in range(nodes.shape[0]):
        at = z + spread * nodes[k]
        value, _, rss = at_node(at, n, log_d, A, c, E, rho, sw, T, G, C, theta, r, V)
        value += log_weights[k] + 0.5 * (nodes[k] * nodes[k] - at * at)
        if k == 0:
            reference = value
        p = math.exp(value - reference)
        total += p
        if p < 1e-18 * total:
            continue
        kappa = math.exp(-2.0 * sw * at)
        part, dE = add_slopes(p, at, A, rho, kappa, n, rss, G, theta, r, V, dA, dc, dE, drho)
        dsw += part
    dA /= total
    dc /= total
    drho /= total
    return reference + math.log(total) + math.log(spread), dE / total, dsw / total
