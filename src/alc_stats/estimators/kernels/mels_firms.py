"""All firms of a three-level location-scale model: persons within firms, firms integrated too.

A firm shifts the location of its persons' rows by b = loc eta and their log SD by
om = lam eta + sig zeta, eta and zeta standard normal. Given (b, om) its persons are independent,
and each person's sums only move:

    A -> f A,  c -> f (c - b sum s s3/d),  E -> f (E - 2 b sum s3 e/d + b^2 sum s3^2/d),
    log_d -> log_d + 2 n om,   f = exp(-2 om),

s3 being the firm's load. The load is carried as a last column of Z, so that rows need no other
code than in a two-level model. (eta, zeta) are integrated by adaptive quadrature.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from alc_stats.estimators.kernels.mels_nodes import (
    SCALARS,
    integrate,
    locate,
    root,
    slopes,
    turn,
)
from alc_stats.estimators.kernels.mels_persons import (
    effect_scores,
    effect_sums,
    read_rows,
    score_of_rows,
)


@njit(cache=True, nogil=True)
def shifted(b, om, n, log_d, A_z, c_z, E, L, A, c, moved):
    """Write a person's sums in the unit effects under a firm's shift; return log_d and E."""
    q = L.shape[0]
    f = math.exp(-2.0 * om)
    for a in range(q):
        moved[a] = f * (c_z[a] - b * A_z[a, q])
    effect_sums(A_z, moved, L, A, c)
    for a in range(q):
        for k in range(q):
            A[a, k] *= f
    return log_d + 2.0 * n * om, f * (E - 2.0 * b * c_z[q] + b * b * A_z[q, q])


@njit(cache=True, nogil=True)
def persons_at(b, om, count, n, log_d, A_z, c_z, E, L, rho, sw, R, modes, nodes, log_weights,
               weight, dA, dc, dE, drho, dsw, b_dc, b_dE, work):  # fmt: skip
    """Log-likelihood of a firm's persons given its shift, and its slopes in b and om.

    With `weight` > 0 the persons' derivatives, times it, are added to dA, dc, dE, drho, dsw (in
    the sums without shift), b_dc and b_dE (in the sums with the firm's load); all (count, ...).
    """
    (A, c, moved, B, Q, F, values, c_t, h, h_t, u, u1, u2, w1, uu, left, moments, scalars,
     gA, gc, gr) = work  # fmt: skip
    q = L.shape[0]
    f = math.exp(-2.0 * om)
    loglik, slope_b, slope_om = 0.0, 0.0, 0.0
    for i in range(count):
        log_d_i, E_i = shifted(b, om, n[i], log_d[i], A_z[i], c_z[i], E[i], L, A, c, moved)
        turn(n[i], log_d_i, A, c, E_i, rho, sw, R, B, Q, F, values, c_t, h, h_t, scalars)
        mode, spread = locate(modes[i], scalars, values, c_t, h_t)
        modes[i] = mode
        loglik += integrate(
            mode, spread, nodes, log_weights, scalars, values, c_t, h_t,
            moments, u, u1, u2, w1, left, uu)  # fmt: skip
        gE, gs = slopes(A, c, rho, F, h, h_t, moments, u1, u2, w1, left, uu, gA, gc, gr)
        slope_om -= n[i] + 2.0 * gE * E_i
        slope_b += gE * f * (2.0 * b * A_z[i, q, q] - 2.0 * c_z[i, q])
        for a in range(q):
            slope_om -= 2.0 * gc[a] * c[a]
            for k in range(a, q):
                slope_b -= f * gc[a] * L[k, a] * A_z[i, k, q]
            for k in range(q):
                slope_om -= 2.0 * gA[a, k] * A[a, k]
        if weight > 0.0:
            dE[i] += weight * f * gE
            dsw[i] += weight * gs
            b_dE[i, 0] -= weight * f * 2.0 * b * gE
            b_dE[i, 1] += weight * f * b * b * gE
            for a in range(q):
                dc[i, a] += weight * f * gc[a]
                b_dc[i, a] -= weight * f * b * gc[a]
                drho[i, a] += weight * gr[a]
                for k in range(q):
                    dA[i, a, k] += weight * f * gA[a, k]
    return loglik, slope_b, slope_om


@njit(cache=True, nogil=True)
def scratch(q):
    """Arrays that `persons_at` works in."""
    return (
        np.empty((q, q)), np.empty(q), np.empty(q + 1), np.empty((q, q)), np.empty((q, q)),
        np.empty((q, q)), np.empty(q), np.empty(q), np.empty(q), np.empty(q), np.empty(q),
        np.empty(q), np.empty(q), np.empty(q), np.empty((q, q)), np.empty((2, q)), np.empty(6),
        np.empty(SCALARS), np.empty((q, q)), np.empty(q), np.empty(q))  # fmt: skip


@njit(cache=True, nogil=True)
def locate_firm(v, spread, loc, lam3, sig3, count, n, log_d, A_z, c_z, E, L, rho, sw, R, modes,
                nodes, log_weights, dA, dc, dE, drho, dsw, b_dc, b_dE, work):  # fmt: skip
    """Move v (2,) to the mode of (eta, zeta) given the rows; write a root of the spread (2, 2)."""
    gradient, up, H = np.empty(2), np.empty((2, 2)), np.empty((2, 2))
    step = 1e-3
    for _ in range(30):
        for k in range(-1, 4):  # where v is, then up and down along both
            eta, zeta = v[0], v[1]
            if k >= 0:
                move = step if k % 2 == 0 else -step
                eta += move if k < 2 else 0.0
                zeta += move if k >= 2 else 0.0
            om = lam3 * eta + sig3 * zeta
            _, slope_b, slope_om = persons_at(
                loc * eta, om, count, n, log_d, A_z, c_z, E, L, rho, sw, R, modes, nodes,
                log_weights, 0.0, dA, dc, dE, drho, dsw, b_dc, b_dE, work)  # fmt: skip
            first = loc * slope_b + lam3 * slope_om - eta
            second = sig3 * slope_om - zeta
            if k < 0:
                gradient[0], gradient[1] = first, second
            elif k % 2 == 0:
                up[k // 2, 0], up[k // 2, 1] = first, second
            else:
                H[k // 2, 0] = -(up[k // 2, 0] - first) / (2.0 * step)
                H[k // 2, 1] = -(up[k // 2, 1] - second) / (2.0 * step)
        cross = 0.5 * (H[0, 1] + H[1, 0])
        a, d = max(H[0, 0], 0.3), max(H[1, 1], 0.3)
        limit = 0.95 * math.sqrt(a * d)
        cross = min(max(cross, -limit), limit)
        det = a * d - cross * cross
        first = (d * gradient[0] - cross * gradient[1]) / det
        second = (a * gradient[1] - cross * gradient[0]) / det
        longest = max(abs(first), abs(second))
        share = 1.0 if longest < 1.5 else 1.5 / longest
        v[0] += share * first
        v[1] += share * second
        if first * first * a + second * second * d < 1e-6:
            break
    # lower triangular root of the inverse of ((a, cross), (cross, d))
    spread[0, 0] = math.sqrt(d / det)
    spread[0, 1] = 0.0
    spread[1, 0] = -cross / det / spread[0, 0]
    spread[1, 1] = math.sqrt(max(a / det - spread[1, 0] * spread[1, 0], 1e-12))


@njit(cache=True, nogil=True)
def firms(low, high, firm_offsets, offsets, y, X, W, U, Z, gap, log_unit, beta, tau, alpha, scaled,
          L, lam, sigma, rho, sw, phi, loc, lam3, sig3, firm_places, rows, columns, nodes,
          log_weights, firm_nodes, firm_log_weights, person_modes, modes, spreads, relocate,
          logliks, scores):  # fmt: skip
    """Log-likelihoods and scores of firms `low` to `high`; Z's last column is the firm's load.

    `firm_places` (3,) are the places of loc, lam3 and sig3 among the parameters, -1 where absent.
    Writes `logliks` (G,) and `scores` (G, P), and with `relocate` `modes` (G, 2), `spreads`
    (G, 2, 2).
    """
    q = L.shape[0]
    most, longest = 0, 0
    for g in range(low, high):
        first, last = firm_offsets[g], firm_offsets[g + 1]
        most = max(most, last - first)
        longest = max(longest, offsets[last] - offsets[first])
    e, e_bar, inverse_sd = np.empty(longest), np.empty(longest), np.empty(longest)
    s, s_bar = np.empty((longest, q + 1)), np.empty((longest, q + 1))
    n, log_d, E = np.empty(most), np.empty(most), np.empty(most)
    A_z, c_z = np.empty((most, q + 1, q + 1)), np.empty((most, q + 1))
    dA, dc, dE = np.empty((most, q, q)), np.empty((most, q)), np.empty(most)
    drho, dsw = np.empty((most, q)), np.empty(most)
    b_dc, b_dE = np.empty((most, q)), np.empty((most, 2))
    whole_dA, whole_dc = np.empty((q + 1, q + 1)), np.empty(q + 1)
    R = np.empty((q, q))
    root(rho, R)
    work = scratch(q)
    M = firm_nodes.shape[0]
    logs, weights = np.empty(M), np.empty(M)
    at = X.shape[1] + W.shape[1] + U.shape[1]
    phi_at = at + rows.shape[0] + lam.shape[0] + 1
    for g in range(low, high):
        first, last = firm_offsets[g], firm_offsets[g + 1]
        count, base = last - first, offsets[first]
        for i in range(count):
            start, end = offsets[first + i], offsets[first + i + 1]
            here = slice(start - base, end - base)
            log_d[i], E[i] = read_rows(
                start, end, y, X, W, U, Z, gap, log_unit, beta, tau, alpha, scaled, phi,
                e[here], s[here], inverse_sd[here], A_z[i], c_z[i])  # fmt: skip
            n[i] = float(end - start)
        own = person_modes[first:last]
        if relocate:
            locate_firm(
                modes[g], spreads[g], loc, lam3, sig3, count, n, log_d, A_z, c_z, E, L, rho, sw, R,
                own, nodes, log_weights, dA, dc, dE, drho, dsw, b_dc, b_dE, work)  # fmt: skip
        S, score = spreads[g], scores[g]
        score[:] = 0.0
        for turned in range(2):  # first the weights of the nodes, then what they weigh
            if turned == 1:
                dA[:count], dc[:count], dE[:count] = 0.0, 0.0, 0.0
                drho[:count], dsw[:count], b_dc[:count], b_dE[:count] = 0.0, 0.0, 0.0, 0.0
            for m in range(M):
                x0, x1 = firm_nodes[m, 0], firm_nodes[m, 1]
                eta = modes[g, 0] + S[0, 0] * x0
                zeta = modes[g, 1] + S[1, 0] * x0 + S[1, 1] * x1
                if turned == 1 and weights[m] < 1e-14:
                    continue
                loglik, slope_b, slope_om = persons_at(
                    loc * eta, lam3 * eta + sig3 * zeta, count, n, log_d, A_z, c_z, E, L, rho, sw,
                    R, own, nodes, log_weights, weights[m] if turned == 1 else 0.0,
                    dA, dc, dE, drho, dsw, b_dc, b_dE, work)  # fmt: skip
                if turned == 0:
                    inside = x0 * x0 + x1 * x1 - eta * eta - zeta * zeta
                    logs[m] = loglik + firm_log_weights[m] + 0.5 * inside
                else:
                    if firm_places[0] >= 0:
                        score[firm_places[0]] += weights[m] * eta * slope_b
                    if firm_places[1] >= 0:
                        score[firm_places[1]] += weights[m] * eta * slope_om
                    if firm_places[2] >= 0:
                        score[firm_places[2]] += weights[m] * zeta * slope_om
            if turned == 0:
                largest = logs.max()
                total = 0.0
                for m in range(M):
                    weights[m] = math.exp(logs[m] - largest)
                    total += weights[m]
                weights /= total
                logliks[g] = largest + math.log(total) + math.log(S[0, 0] * S[1, 1])
        for i in range(count):
            start, end = offsets[first + i], offsets[first + i + 1]
            here = slice(start - base, end - base)
            for k in range(rows.shape[0]):
                score[at + k] += A_z[i, rows[k], q] * b_dc[i, columns[k]]
            effect_scores(
                A_z[i], c_z[i], L, lam, sigma, rho, sw, dA[i], dc[i], drho[i], dsw[i], rows,
                columns, at, score)  # fmt: skip
            for a in range(q):
                total = 0.0
                for k in range(a + 1):
                    total += L[a, k] * b_dc[i, k]
                whole_dA[a, q] = 0.5 * total
                whole_dA[q, a] = 0.5 * total
                whole_dc[a] = dc[i, a]
                for k in range(q):
                    whole_dA[a, k] = dA[i, a, k]
            whole_dA[q, q] = b_dE[i, 1]
            whole_dc[q] = b_dE[i, 0]
            score_of_rows(
                start, end, X, W, U, gap, scaled, phi, phi_at, whole_dA, whole_dc, dE[i],
                e[here], s[here], e_bar[here], s_bar[here], inverse_sd[here], score)  # fmt: skip
