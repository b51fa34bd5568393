"""All persons of a location-scale model: sums over rows, the integral, back to the rows.

Each person's rows are read once: residuals and loads become sums, the sums an integral
(`mels_nodes`), its derivatives go back to the rows while they are still in cache. Persons are cut
into blocks that threads share; blocks do not depend on the number of threads, so neither do sums.
"""

from __future__ import annotations

import math

import numpy as np

from alc_stats.estimators.kernels.compiled import compiled
from alc_stats.estimators.kernels.mels_nodes import (
    SCALARS,
    at_node,
    integrate,
    locate,
    root,
    slopes,
    turn,
)


@compiled
def read_rows(first, last, y, X, W, U, Z, gap, log_unit, beta, tau, alpha, scaled, phi,
              e, s, inverse_sd, A, c):  # fmt: skip
    """Sums of one person's rows in the columns of Z; writes whitened residuals and loads.

    `e` (n,) and `s` (n, q) become residuals and loads over the rows' SDs, whitened against the
    row before where phi is not zero: a first-order autoregression of standardised errors, over
    the `gap` (n,) in time to the row before (0 for a person's first row).

    Returns
    -------
    log_d, E : float
        A (q, q) and c (q,) are overwritten.
    """
    q = Z.shape[1]
    for a in range(q):
        c[a] = 0.0
        for b in range(q):
            A[a, b] = 0.0
    E = 0.0
    log_d = 0.0
    for j in range(last - first):
        row = first + j
        residual = y[row]
        for k in range(X.shape[1]):
            residual -= X[row, k] * beta[k]
        log_sd = -log_unit
        for k in range(W.shape[1]):
            log_sd += W[row, k] * tau[k]
        log_d += 2.0 * log_sd
        inverse_sd[j] = math.exp(-log_sd)
        e[j] = residual * inverse_sd[j]
        for a in range(q):
            s[j, a] = Z[row, a] * inverse_sd[j]
        if scaled >= 0 and U.shape[1] > 0:
            more = 0.0
            for k in range(U.shape[1]):
                more += U[row, k] * alpha[k]
            s[j, scaled] *= math.exp(more)
    if phi != 0.0:
        for j in range(last - first - 1, 0, -1):  # backwards: the row before is still as it was
            carried = phi ** gap[first + j]
            left = math.sqrt(1.0 - carried * carried)
            log_d += 2.0 * math.log(left)
            e[j] = (e[j] - carried * e[j - 1]) / left
            for a in range(q):
                s[j, a] = (s[j, a] - carried * s[j - 1, a]) / left
    for j in range(last - first):
        E += e[j] * e[j]
        for a in range(q):
            c[a] += s[j, a] * e[j]
            for b in range(a + 1):
                A[a, b] += s[j, a] * s[j, b]
    for a in range(q):
        for b in range(a):
            A[b, a] = A[a, b]
    return log_d, E


@compiled
def unwhiten(n, gap, phi, e, s, e_bar, s_bar):
    """Turn derivatives in whitened rows into those in rows over their SD; return that in phi.

    `e`, `s`, `e_bar` and `s_bar` are overwritten: rows and derivatives before whitening. The
    derivative of log |whitening| is the caller's.
    """
    q = s.shape[1]
    slope = 0.0
    for j in range(1, n):  # forwards: undoes the whitening, so that e[j - 1] is as it was
        carried = phi ** gap[j]
        left = math.sqrt(1.0 - carried * carried)
        d_carried = gap[j] * phi ** (gap[j] - 1.0)
        along = e_bar[j] * (carried * e[j] / left - e[j - 1]) / left
        for a in range(q):
            along += s_bar[j, a] * (carried * s[j, a] / left - s[j - 1, a]) / left
        slope += d_carried * along
        # e*_j = (e_j - carried e_{j-1}) / left
        e[j] = left * e[j] + carried * e[j - 1]
        for a in range(q):
            s[j, a] = left * s[j, a] + carried * s[j - 1, a]
        # the derivative in e_{j-1} gets the share that row j passes back
        e_bar[j] /= left
        e_bar[j - 1] -= carried * e_bar[j]
        for a in range(q):
            s_bar[j, a] /= left
            s_bar[j - 1, a] -= carried * s_bar[j, a]
    return slope


@compiled
def effect_sums(A_z, c_z, L, A, c):
    """Sums in the columns of Z (A_z, c_z) as sums in the unit effects: A = L'A_z L, c = L'c_z."""
    q = L.shape[0]
    for a in range(q):
        c[a] = 0.0
        for k in range(a, q):
            c[a] += L[k, a] * c_z[k]
        for b in range(a + 1):
            total = 0.0
            for i in range(a, q):
                for j in range(b, q):
                    total += L[i, a] * A_z[i, j] * L[j, b]
            A[a, b] = total
            A[b, a] = total


@compiled
def score_of_rows(first, last, X, W, U, gap, scaled, phi, phi_at, dA, dc, dE,
                  e, s, e_bar, s_bar, inverse_sd, score):  # fmt: skip
    """Add a person's derivatives in beta, tau, alpha (and phi, at place `phi_at`) to `score`.

    dA (q, q), dc (q,) and dE are those of the log-likelihood in the sums over the columns of Z.
    """
    n = last - first
    q = s.shape[1]
    p, w, u = X.shape[1], W.shape[1], U.shape[1]
    for j in range(n):
        e_bar[j] = 2.0 * dE * e[j]
        for a in range(q):
            e_bar[j] += dc[a] * s[j, a]
            s_bar[j, a] = dc[a] * e[j]
            for b in range(q):
                s_bar[j, a] += 2.0 * dA[a, b] * s[j, b]
    if phi != 0.0:
        slope = unwhiten(n, gap[first:last], phi, e, s, e_bar, s_bar)
        for j in range(1, n):
            g = gap[first + j]
            carried = phi**g
            slope += carried * g * phi ** (g - 1.0) / (1.0 - carried * carried)
        score[phi_at] += slope
    for j in range(n):
        row = first + j
        along = e_bar[j] * e[j]
        for a in range(q):
            along += s_bar[j, a] * s[j, a]
        down = e_bar[j] * inverse_sd[j]
        for k in range(p):
            score[k] -= X[row, k] * down
        up = -1.0 - along
        for k in range(w):
            score[p + k] += W[row, k] * up
        if scaled >= 0:
            across = s_bar[j, scaled] * s[j, scaled]
            for k in range(u):
                score[p + w + k] += U[row, k] * across


@compiled
def effect_scores(A_z, c_z, L, lam, sigma, rho, sw, dA, dc, drho, dsw, rows, columns, at, score):
    """Add a person's derivatives in L's free entries, lam and sigma to `score` from place `at`.

    dA and dc, in the unit effects, are then overwritten by those in the columns of Z.
    """
    q = L.shape[0]
    moved = np.zeros((q, q))  # L dA
    for a in range(q):
        for b in range(q):
            for k in range(a + 1):
                moved[a, b] += L[a, k] * dA[k, b]
    for k in range(rows.shape[0]):
        a, b = rows[k], columns[k]
        total = c_z[a] * dc[b]
        for i in range(q):
            total += 2.0 * A_z[a, i] * moved[i, b]
        score[at + k] += total
    at += rows.shape[0]
    along = 0.0
    for a in range(q):
        along += drho[a] * rho[a]
    for a in range(lam.shape[0] if sw > 0.0 else 0):
        score[at + a] += dsw * rho[a] + (drho[a] - along * rho[a]) / sw
    at += lam.shape[0]
    if sw > 0.0:
        score[at] += (dsw - along / sw) * sigma / sw
    for a in range(q):
        for b in range(q):
            total = 0.0
            for k in range(b + 1):
                total += moved[a, k] * L[b, k]
            dA[a, b] = total
    for a in range(q - 1, -1, -1):
        total = 0.0
        for k in range(a + 1):
            total += L[a, k] * dc[k]
        dc[a] = total


@compiled
def persons(low, high, offsets, y, X, W, U, Z, gap, log_unit, beta, tau, alpha, scaled, L, lam,
            sigma, rho, sw, phi, rows, columns, nodes, log_weights, floor, modes,
            spreads, relocate, logliks, scores):  # fmt: skip
    """Log-likelihoods and scores of persons `low` to `high` of a two-level model.

    Writes `logliks` (M,) and `scores` (M, P); with `relocate` also `modes` and `spreads` (M,).
    """
    q = Z.shape[1]
    longest = 0
    for i in range(low, high):
        longest = max(longest, offsets[i + 1] - offsets[i])
    e, e_bar, inverse_sd = np.empty(longest), np.empty(longest), np.empty(longest)
    s, s_bar = np.empty((longest, q)), np.empty((longest, q))
    A_z, A, dA = np.empty((q, q)), np.empty((q, q)), np.empty((q, q))
    c_z, c, dc, drho = np.empty(q), np.empty(q), np.empty(q), np.empty(q)
    R, B, Q = np.empty((q, q)), np.empty((q, q)), np.empty((q, q))
    F, uu = np.empty((q, q)), np.empty((q, q))
    values, c_turned, h, h_turned = np.empty(q), np.empty(q), np.empty(q), np.empty(q)
    u, u1, u2, w1 = np.empty(q), np.empty(q), np.empty(q), np.empty(q)
    left_sum, moments, scalars = np.empty((2, q)), np.empty(6), np.empty(SCALARS)
    root(rho, R)
    at = X.shape[1] + W.shape[1] + U.shape[1]
    phi_at = at + rows.shape[0] + lam.shape[0] + 1
    for i in range(low, high):
        first, last = offsets[i], offsets[i + 1]
        log_d, E = read_rows(
            first, last, y, X, W, U, Z, gap, log_unit, beta, tau, alpha, scaled, phi,
            e, s, inverse_sd, A_z, c_z)  # fmt: skip
        effect_sums(A_z, c_z, L, A, c)
        turn(float(last - first), log_d, A, c, E, rho, sw, R, B, Q, F, values, c_turned, h,
             h_turned, scalars)  # fmt: skip
        if relocate:
            modes[i], spreads[i] = locate(modes[i], floor, scalars, values, c_turned, h_turned)
        logliks[i] = integrate(
            modes[i], spreads[i], nodes, log_weights, scalars, values, c_turned, h_turned,
            moments, u, u1, u2, w1, left_sum, uu)  # fmt: skip
        dE, dsw = slopes(
            A, c, rho, F, h, h_turned, moments, u1, u2, w1, left_sum, uu, dA, dc, drho)  # fmt: skip
        score = scores[i]
        for k in range(score.shape[0]):
            score[k] = 0.0
        effect_scores(
            A_z, c_z, L, lam, sigma, rho, sw, dA, dc, drho, dsw, rows, columns, at,
            score)  # fmt: skip
        score_of_rows(
            first, last, X, W, U, gap, scaled, phi, phi_at, dA, dc, dE,
            e, s, e_bar, s_bar, inverse_sd, score)  # fmt: skip


@compiled
def person_nodes(low, high, offsets, y, X, W, U, Z, gap, log_unit, beta, tau, alpha, scaled, phi, L,
                 rho, sw, nodes, log_weights, modes, spreads, weights, places, means,
                 covariances):  # fmt: skip
    """Write the posteriors of persons `low` to `high`, their first at place 0 of the outputs."""
    q = Z.shape[1]
    longest = 0
    for i in range(low, high):
        longest = max(longest, offsets[i + 1] - offsets[i])
    e, inverse_sd, s = np.empty(longest), np.empty(longest), np.empty((longest, q))
    A_z, A, c_z, c = np.empty((q, q)), np.empty((q, q)), np.empty(q), np.empty(q)
    R, B, Q, F = np.empty((q, q)), np.empty((q, q)), np.empty((q, q)), np.empty((q, q))
    values, c_turned, h, h_turned = np.empty(q), np.empty(q), np.empty(q), np.empty(q)
    scalars = np.empty(SCALARS)
    root(rho, R)
    for i in range(low, high):
        first, last = offsets[i], offsets[i + 1]
        log_d, E = read_rows(
            first, last, y, X, W, U, Z, gap, log_unit, beta, tau, alpha, scaled, phi,
            e, s, inverse_sd, A_z, c_z)  # fmt: skip
        effect_sums(A_z, c_z, L, A, c)
        turn(float(last - first), log_d, A, c, E, rho, sw, R, B, Q, F, values, c_turned, h,
             h_turned, scalars)  # fmt: skip
        j = i - low
        highest = -math.inf
        for k in range(nodes.shape[0]):
            z = modes[i] + spreads[i] * nodes[k]
            value, _, _ = at_node(z, scalars, values, c_turned, h_turned)
            kappa = math.exp(-2.0 * sw * z)
            places[j, k] = z
            for a in range(q):
                means[j, k, a] = z * rho[a]
                for b in range(q):
                    covariances[j, k, a, b] = 0.0
            for m in range(q):
                left = 1.0 / (1.0 + kappa * values[m])
                along = kappa * (c_turned[m] - z * h_turned[m]) * left
                for a in range(q):
                    means[j, k, a] += F[a, m] * along
                    for b in range(q):
                        covariances[j, k, a, b] += F[a, m] * F[b, m] * left
            weights[j, k] = value + log_weights[k] + 0.5 * (nodes[k] * nodes[k] - z * z)
            highest = max(highest, weights[j, k])
        total = 0.0
        for k in range(nodes.shape[0]):
            weights[j, k] = math.exp(weights[j, k] - highest)
            total += weights[j, k]
        for k in range(nodes.shape[0]):
            weights[j, k] /= total
