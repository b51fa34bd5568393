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

from alc_stats.estimators.kernels.compiled import compiled
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


@compiled
def turned_persons(count, n, log_d, A_z, c_z, E, L, rho, sw, persons, work):
    """Write every person's sums in the unit effects and in its own coordinates, without shift.

    `persons` are A (count, q, q), c and s (count, q), the load's; F, values, c, s, h turned and h;
    and per person n, log_d, E, sum s3 e/d, sum s3^2/d, rho'c, rho's, rho'A rho (count, 8).
    """
    A, c, s, F, values, c_t, s_t, h, h_t, numbers = persons
    R, B, Q, scalars, load = work[0], work[1], work[2], work[3], work[4]
    q = L.shape[0]
    for i in range(count):
        effect_sums(A_z[i], c_z[i], L, A[i], c[i])
        for a in range(q):
            load[a] = A_z[i, a, q]
        for a in range(q):
            s[i, a] = 0.0
            for k in range(a, q):
                s[i, a] += L[k, a] * load[k]
        turn(n[i], log_d[i], A[i], c[i], E[i], rho, sw, R, B, Q, F[i], values[i], c_t[i], h[i],
             h_t[i], scalars)  # fmt: skip
        along = 0.0
        for a in range(q):
            along += rho[a] * s[i, a]
            s_t[i, a] = 0.0
            for k in range(q):
                s_t[i, a] += F[i, k, a] * s[i, k]
        own = numbers[i]
        own[0], own[1], own[2], own[3], own[4] = n[i], log_d[i], E[i], c_z[i, q], A_z[i, q, q]
        own[5], own[6], own[7] = scalars[3], along, scalars[4]


@compiled
def persons_at(b, om, count, sw, rho, persons, modes, nodes, log_weights, sums, work):
    """Log-likelihood of a firm's persons given its shift, and its slopes in b and om.

    Written are `sums`: derivatives of every person's log-likelihood in its sums without shift, dA,
    dc, dE, drho, dsw, and in those with the firm's load, b_dc and b_dE.
    """
    A, c, s, F, values, c_t, s_t, h, h_t, numbers = persons
    dA, dc, dE, drho, dsw, b_dc, b_dE = sums
    scalars, v1, c1, h1, ht1 = work[3], work[5], work[6], work[7], work[8]
    u, u1, u2, w1, uu, left, moments, A1, cc1 = work[9:]
    q = rho.shape[0]
    f = math.exp(-2.0 * om)
    loglik, slope_b, slope_om = 0.0, 0.0, 0.0
    for i in range(count):
        own = numbers[i]
        n, E_i = own[0], f * (own[2] - 2.0 * b * own[3] + b * b * own[4])
        for a in range(q):
            v1[a] = f * values[i, a]
            c1[a] = f * (c_t[i, a] - b * s_t[i, a])
            h1[a] = f * h[i, a]
            ht1[a] = f * h_t[i, a]
            cc1[a] = f * (c[i, a] - b * s[i, a])
            for k in range(q):
                A1[a, k] = f * A[i, a, k]
        scalars[0], scalars[1], scalars[2] = n, own[1] + 2.0 * n * om, E_i
        scalars[3], scalars[4], scalars[5] = f * (own[5] - b * own[6]), f * own[7], sw
        modes[i], spread = locate(modes[i], scalars, v1, c1, ht1)
        loglik += integrate(
            modes[i], spread, nodes, log_weights, scalars, v1, c1, ht1,
            moments, u, u1, u2, w1, left, uu)  # fmt: skip
        gE, dsw[i] = slopes(
            A1, cc1, rho, F[i], h1, ht1, moments, u1, u2, w1, left, uu, dA[i], dc[i], drho[i]
        )
        slope_om -= n + 2.0 * gE * E_i
        slope_b += gE * f * (2.0 * b * own[4] - 2.0 * own[3])
        for a in range(q):
            slope_om -= 2.0 * dc[i, a] * cc1[a]
            slope_b -= f * dc[i, a] * s[i, a]
            for k in range(q):
                slope_om -= 2.0 * dA[i, a, k] * A1[a, k]
        dE[i] = f * gE
        b_dE[i, 0] = -2.0 * b * f * gE
        b_dE[i, 1] = b * b * f * gE
        for a in range(q):
            dc[i, a] *= f
            b_dc[i, a] = -b * dc[i, a]
            for k in range(q):
                dA[i, a, k] *= f
    return loglik, slope_b, slope_om


@compiled
def scratch(q):
    """Arrays that turning and integrals work in; the root of I - rho rho' is the first."""
    return (
        np.empty((q, q)), np.empty((q, q)), np.empty((q, q)), np.empty(SCALARS), np.empty(q),
        np.empty(q), np.empty(q), np.empty(q), np.empty(q), np.empty(q), np.empty(q), np.empty(q),
        np.empty(q), np.empty((q, q)), np.empty((2, q)), np.empty(6), np.empty((q, q)),
        np.empty(q))  # fmt: skip


@compiled
def person_arrays(most, q):
    """Room for `turned_persons` to write to."""
    return (
        np.empty((most, q, q)), np.empty((most, q)), np.empty((most, q)), np.empty((most, q, q)),
        np.empty((most, q)), np.empty((most, q)), np.empty((most, q)), np.empty((most, q)),
        np.empty((most, q)), np.empty((most, 8)))  # fmt: skip


@compiled
def sum_arrays(most, q):
    """Room for the derivatives that `persons_at` writes."""
    return (
        np.zeros((most, q, q)), np.zeros((most, q)), np.zeros(most), np.zeros((most, q)),
        np.zeros(most), np.zeros((most, q)), np.zeros((most, 2)))  # fmt: skip


@compiled
def accumulate(share, count, sums, keep, whole):
    """Make the whole derivatives `keep` times what they are plus `share` times those of a node."""
    for i in range(count):
        whole[2][i] = keep * whole[2][i] + share * sums[2][i]
        whole[4][i] = keep * whole[4][i] + share * sums[4][i]
        for a in range(2):
            whole[6][i, a] = keep * whole[6][i, a] + share * sums[6][i, a]
        for a in range(sums[1].shape[1]):
            whole[1][i, a] = keep * whole[1][i, a] + share * sums[1][i, a]
            whole[3][i, a] = keep * whole[3][i, a] + share * sums[3][i, a]
            whole[5][i, a] = keep * whole[5][i, a] + share * sums[5][i, a]
            for k in range(sums[1].shape[1]):
                whole[0][i, a, k] = keep * whole[0][i, a, k] + share * sums[0][i, a, k]


@compiled
def locate_firm(v, spread, loc, lam3, sig3, count, sw, rho, persons, modes, nodes, log_weights,
                sums, work):  # fmt: skip
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
                loc * eta, om, count, sw, rho, persons, modes, nodes, log_weights, sums,
                work)  # fmt: skip
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


@compiled
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
    persons, sums, whole = person_arrays(most, q), sum_arrays(most, q), sum_arrays(most, q)
    dA, dc, dE, drho, dsw, b_dc, b_dE = whole
    whole_dA, whole_dc = np.empty((q + 1, q + 1)), np.empty(q + 1)
    work = scratch(q)
    root(rho, work[0])
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
        turned_persons(count, n, log_d, A_z, c_z, E, L, rho, sw, persons, work)
        own = person_modes[first:last]
        if relocate:
            locate_firm(
                modes[g], spreads[g], loc, lam3, sig3, count, sw, rho, persons, own, nodes,
                log_weights, sums, work)  # fmt: skip
        S, score = spreads[g], scores[g]
        for k in range(score.shape[0]):
            score[k] = 0.0
        accumulate(0.0, count, sums, 0.0, whole)
        reference, total = 0.0, 0.0
        for m in range(firm_nodes.shape[0]):  # from the middle outwards, as for persons
            x0, x1 = firm_nodes[m, 0], firm_nodes[m, 1]
            eta = modes[g, 0] + S[0, 0] * x0
            zeta = modes[g, 1] + S[1, 0] * x0 + S[1, 1] * x1
            loglik, slope_b, slope_om = persons_at(
                loc * eta, lam3 * eta + sig3 * zeta, count, sw, rho, persons, own, nodes,
                log_weights, sums, work)  # fmt: skip
            inside = x0 * x0 + x1 * x1 - eta * eta - zeta * zeta
            value = loglik + firm_log_weights[m] + 0.5 * inside
            if m == 0:
                reference = value
            share = math.exp(value - reference)
            total += share
            if share < 1e-16 * total:
                continue
            accumulate(share, count, sums, 1.0, whole)
            if firm_places[0] >= 0:
                score[firm_places[0]] += share * eta * slope_b
            if firm_places[1] >= 0:
                score[firm_places[1]] += share * eta * slope_om
            if firm_places[2] >= 0:
                score[firm_places[2]] += share * zeta * slope_om
        logliks[g] = reference + math.log(total) + math.log(S[0, 0] * S[1, 1])
        accumulate(0.0, count, sums, 1.0 / total, whole)
        for k in range(score.shape[0]):
            score[k] /= total
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
