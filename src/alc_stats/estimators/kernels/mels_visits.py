# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""All persons of a location-scale model whose location does not integrate in closed form.

    y_t = x_t'b + s_t eta + e_t,   log SD(e_t) = w_t'tau + lam eta + quad eta^2 + sigma zeta,

with independent standard normal eta and zeta. Rows with normal errors enter each node of the
integral over (eta, zeta) through five sums a person; rows at a bound and rows of a t law are
visited at every node. The effects are turned so that the scale effect goes with one of them, z;
nodes of z are moved to its mode, nodes of the other, v, to their own mode at every node of z: the
less errors vary, the narrower v is, and a grid that did not follow would not converge. An effect
the model lacks has the one node zero. With quad the integral is an even sum over both effects.
Persons are cut into blocks that threads share, as in `mels_persons`.
"""

from __future__ import annotations

import math

import numpy as np

from alc_stats.estimators.kernels.compiled import compiled
from alc_stats.estimators.kernels.mels_grid import RANGE_OF_EFFECTS
from alc_stats.estimators.kernels.mels_laws import (
    LOG_2PI,
    censored_rows,
    heavy_rows,
    t_constant,
)

SUMMED, HEAVY = 0, 2
"""Kinds of rows; 1 and -1 are rows at the lower and at the upper bound."""
_FLATTEST = 0.2
"""Least curvature a mode may have: nodes reach no further than twice the prior's spread."""
_THERE = 1e-6
"""Squared distance from a mode, in its SDs, that is near enough for nodes."""
_STEPS, _LONGEST = 40, 1.5
"""Newton's steps towards a mode and the longest of them: effects are of unit variance."""
_APART, _NEAR = 0.1, 1e-2
"""Step of differences in z, and how near its mode, in its SDs, nodes of z are placed."""
_NEGLIGIBLE = 1e-18
"""Share of the integral below which a node is rounding, as are those further out."""
_UPRIGHT = (1.0, 0.0)
"""The turn that makes z the location effect and v minus zeta."""
_LOST = 45.0
"""Log of how little a node of an even sum may add: a part in 10^19."""
_RANGE = 200.0
"""Log of how far a node may exceed the first before all are brought back into range."""


@compiled
def read_rows(first, last, kinds, y, X, W, U, Z, log_unit, beta, tau, alpha, e, load, s,
              inverse_sd, L):  # fmt: skip
    """Residuals `e`, loads before L and after (`load`, `s`) over the rows' SDs.

    Returns
    -------
    sums : tuple of float
        Of rows with normal errors: count, log_d = sum of 2 log SD, A = s's, c = s'e, E = e'e.
    heavy : float
        Number of rows of a t law.
    log_sds : float
        Their sum of log SDs.
    """
    n = log_d = A = c = E = heavy = log_sds = 0.0
    for j in range(last - first):
        row = first + j
        residual = y[row]
        for k in range(X.shape[1]):
            residual -= X[row, k] * beta[k]
        log_sd = -log_unit
        for k in range(W.shape[1]):
            log_sd += W[row, k] * tau[k]
        inverse_sd[j] = math.exp(-log_sd)
        e[j] = residual * inverse_sd[j]
        load[j] = 0.0
        if Z.shape[1] > 0:
            more = 0.0
            for k in range(U.shape[1]):
                more += U[row, k] * alpha[k]
            load[j] = Z[row, 0] * inverse_sd[j] * math.exp(more)
        s[j] = L * load[j]
        if kinds[row] == SUMMED:
            n += 1.0
            log_d += 2.0 * log_sd
            A += s[j] * s[j]
            c += s[j] * e[j]
            E += e[j] * e[j]
        elif kinds[row] == HEAVY:
            heavy += 1.0
            log_sds += log_sd
    return (n, log_d, A, c, E), heavy, log_sds


@compiled
def at_point(z, v, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma, slopes):
    """Log-likelihood of a person's rows and log density of the effects, with derivatives.

    The effects are those of (z, v) turned back: eta = c z + d v, zeta = d z - c v, turn = (c, d).

    Returns
    -------
    value : float
        The effects' constant left out.
    slope : tuple of float
        Derivatives in z and v.
    bend : tuple of float
        Second ones: z twice, z and v, v twice.
    up, tail : float
        Derivatives in the scale effect g = lam eta + quad eta^2 + sigma zeta, and in w.
    """
    n, log_d, A, c, E = sums
    eta, zeta = turn[0] * z + turn[1] * v, turn[1] * z - turn[0] * v
    g = lam * eta + quad * eta * eta + sigma * zeta
    k = math.exp(-g)
    rss = (E - 2.0 * eta * c + eta * eta * A) * k * k
    value = base - 0.5 * (n * LOG_2PI + log_d + rss + z * z + v * v) - (n + heavy) * g
    along = (c - eta * A) * k * k
    up = rss - n - heavy
    bend_ee, bend_eg, bend_gg, tail = -A * k * k, -2.0 * along, -2.0 * rss, 0.0
    if visited > 0:
        if heavy > 0.0:
            rows = heavy_rows(visited, e, s, eta, k, w, slopes)
        else:
            rows = censored_rows(visited, e, s, side, eta, k, slopes)
        value += rows[0]
        along += rows[1]
        up += rows[2]
        bend_ee += rows[3]
        bend_eg += rows[4]
        bend_gg += rows[5]
        tail = rows[6]
    steep = lam + 2.0 * quad * eta
    in_eta, in_zeta = along + up * steep, up * sigma
    ee = bend_ee + 2.0 * bend_eg * steep + bend_gg * steep * steep + 2.0 * up * quad
    ez, zz = (bend_eg + bend_gg * steep) * sigma, bend_gg * sigma * sigma
    c, d = turn
    slope = (c * in_eta + d * in_zeta - z, d * in_eta - c * in_zeta - v)
    bend = (
        c * c * ee + 2.0 * c * d * ez + d * d * zz - 1.0,
        c * d * (ee - zz) + (d * d - c * c) * ez,
        d * d * ee - 2.0 * c * d * ez + c * c * zz - 1.0,
    )
    return value, slope, bend, up, tail


@compiled
def mode_of_v(z, v, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
              slopes):  # fmt: skip
    """Mode of v given z by Newton's steps, cut in three as long as the density does not rise.

    Returns
    -------
    v, spread : float
        The mode and the SD of the normal that bends as the density does there.
    slope, ridge : float
        Derivative in z of the log density, and of the mode.
    """
    value, slope, bend, _, _ = at_point(
        z, v, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
        slopes)  # fmt: skip
    if not math.isfinite(value):
        v = 0.0
        value, slope, bend, _, _ = at_point(
            z, v, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
            slopes)  # fmt: skip
    for _ in range(_STEPS):
        step = slope[1] / steepness(bend[2])
        if not step * slope[1] > _THERE:
            break
        step = min(max(step, -_LONGEST), _LONGEST)
        rose = False
        while abs(step) > 1e-6:
            new, new_slope, new_bend, _, _ = at_point(
                z, v + step, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
                slopes)  # fmt: skip
            if new > value:
                rose = True
                break
            step /= 3.0
        if not rose:
            break
        v, value, slope, bend = v + step, new, new_slope, new_bend
    c = steepness(bend[2])
    left = slope[1] / c if math.isfinite(slope[1]) else 0.0
    return v + left, 1.0 / math.sqrt(c), slope[0] + bend[1] * left, bend[1] / c


@compiled
def steepness(bend):
    """Minus a second derivative, where that is a mode's; else the prior's."""
    return -bend if -bend >= _FLATTEST else 1.0


@compiled
def place(modes, spreads, outer, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
          slopes):  # fmt: skip
    """Move a person's nodes: those of z, and those of v at every node of z.

    z is moved to the mode of its own density, v integrated by Laplace's method, whose derivatives
    are exact but for differences of the log spread of v. `modes` and `spreads` (1 + K,) hold z
    first, then v at each of the K nodes `outer`, which are ordered from the middle outwards, so
    that the node before the last is nearer on one side.
    """
    z, v, curvature, ridge = modes[0], modes[1], 1.0, 0.0
    h = _APART
    for _ in range(_STEPS if outer.shape[0] > 1 else 0):
        v, middle, _, ridge = mode_of_v(
            z, v, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
            slopes)  # fmt: skip
        _, upper, up, _ = mode_of_v(
            z + h, v + h * ridge, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
            slopes)  # fmt: skip
        _, lower, down, _ = mode_of_v(
            z - h, v - h * ridge, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
            slopes)  # fmt: skip
        slope = 0.5 * (up + down) + math.log(upper / lower) / (2.0 * h)
        bend = (up - down) / (2.0 * h) + math.log(upper * lower / (middle * middle)) / (h * h)
        curvature = max(-bend, _FLATTEST) if math.isfinite(bend) else 1.0
        step = slope / curvature if math.isfinite(slope) else -z
        step = min(max(step, -_LONGEST), _LONGEST)
        z += step
        v += step * ridge if math.isfinite(step * ridge) else 0.0
        if abs(step) * math.sqrt(curvature) < _NEAR:
            break
    modes[0], spreads[0] = z, 1.0 / math.sqrt(curvature)
    for k in range(outer.shape[0]):
        before = max(k - 2, 0)
        away = spreads[0] * (outer[k] - outer[before])
        start = v if k == 0 else modes[1 + before] + ridge * away
        modes[1 + k], spreads[1 + k], _, slant = mode_of_v(
            z + spreads[0] * outer[k], start, turn, sums, visited, heavy, base, w, e, s, side, lam,
            quad, sigma, slopes)  # fmt: skip
        ridge = slant if k == 0 else ridge


@compiled
def add_node(p, eta, zeta, k, up, tail, visited, slopes, e_bar, s_bar, found):
    """Add a node's derivatives, of which `p` is the share; see `integrate`."""
    found[0] -= 0.5 * p * k * k
    found[1] += p * k * k * eta
    found[2] -= 0.5 * p * k * k * eta * eta
    found[3] += p * up * eta
    found[4] += p * up * eta * eta
    found[5] += p * up * zeta
    found[6] += p * tail
    for row in range(visited):
        share = p * slopes[row] * k
        e_bar[row] += share
        s_bar[row] -= share * eta


@compiled
def narrowest(sums, lam, quad, sigma):
    """SDs of eta and of zeta given the other, where a person's rows vary as little as they may."""
    n, _, A, c, E = sums
    rss = E - c * c / A if A > 0.0 else E
    most = math.exp(6.0 * math.sqrt(lam * lam + 2.0 * quad * quad + sigma * sigma))
    precision = min(n / rss, most) if rss > 0.0 else most
    return 1.0 / math.sqrt(1.0 + A * precision), 1.0 / math.sqrt(1.0 + 2.0 * n * sigma * sigma)


@compiled
def sum_evenly(spreads, share, sums, lam, quad, sigma, none, found):
    """As `integrate` for normal rows, over an even grid of all of the effects' range.

    Where the square of eta is part of the scale effect a person who varies much may have either of
    two effects far apart, which no rule around a mode finds. Even sums of smooth functions converge
    faster than any power of their steps, which are `share` of the narrowest `spreads` (2,).
    """
    found[:] = 0.0
    most_eta = math.ceil(RANGE_OF_EFFECTS / (share * spreads[0]))
    most_zeta = math.ceil(RANGE_OF_EFFECTS / (share * spreads[1]))
    apart_eta, apart_zeta = RANGE_OF_EFFECTS / most_eta, RANGE_OF_EFFECTS / most_zeta
    reference, total = -math.inf, 0.0
    for i in range(-most_eta, most_eta + 1):
        eta = i * apart_eta
        for j in range(-most_zeta, most_zeta + 1):
            zeta = j * apart_zeta
            value, _, _, up, _ = at_point(
                eta, -zeta, _UPRIGHT, sums, 0, 0.0, 0.0, 0.0, none, none, none, lam, quad, sigma,
                none)  # fmt: skip
            if value < reference - _LOST:
                continue
            if value > reference:
                shrink = math.exp(reference - value)
                reference = value
                total *= shrink
                found *= shrink
            p = math.exp(value - reference)
            total += p
            k = math.exp(-(lam * eta + quad * eta * eta + sigma * zeta))
            add_node(p, eta, zeta, k, up, 0.0, 0, none, none, none, found)
    found /= total
    return reference + math.log(total * apart_eta * apart_zeta) - LOG_2PI


@compiled
def integrate(modes, spreads, outer, log_outer, inner, log_inner, turn, sums, visited, heavy, base,
              w, e, s, side, lam, quad, sigma, slopes, e_bar, s_bar, found):  # fmt: skip
    """Log of the integral over the effects and its derivatives, nodes held still.

    Writes derivatives in the visited rows' residuals and loads to `e_bar` and `s_bar`, and to
    `found` (7,) those in E, c, A (of the sums), lam, quad, sigma and w.
    """
    e_bar[:visited] = 0.0
    s_bar[:visited] = 0.0
    found[:] = 0.0
    reference, total = -math.inf, 0.0
    for i in range(outer.shape[0]):
        z = modes[0] + spreads[0] * outer[i]
        weight = log_outer[i] + 0.5 * outer[i] * outer[i] + math.log(spreads[1 + i])
        before = math.inf
        for j in range(inner.shape[0]):
            v = modes[1 + i] + spreads[1 + i] * inner[j]
            value, _, _, up, tail = at_point(
                z, v, turn, sums, visited, heavy, base, w, e, s, side, lam, quad, sigma,
                slopes)  # fmt: skip
            value += weight + log_inner[j] + 0.5 * inner[j] * inner[j]
            if value > reference + _RANGE:
                shrink = math.exp(reference - value)
                reference = value
                total *= shrink
                found *= shrink
                e_bar[:visited] *= shrink
                s_bar[:visited] *= shrink
            p = math.exp(value - reference)
            total += p
            if p < _NEGLIGIBLE * total:
                if j % 2 == 0 and before < _NEGLIGIBLE * total:
                    break  # on either side
                before = p
                continue
            before = p
            eta, zeta = turn[0] * z + turn[1] * v, turn[1] * z - turn[0] * v
            k = math.exp(-(lam * eta + quad * eta * eta + sigma * zeta))
            add_node(p, eta, zeta, k, up, tail, visited, slopes, e_bar, s_bar, found)
    found /= total
    for row in range(visited):
        e_bar[row] /= total
        s_bar[row] /= total
    return reference + math.log(total) + math.log(spreads[0])


@compiled
def back_to_rows(first, last, kinds, X, W, U, dE, dc, dA, e, load, s, inverse_sd, e_bar, s_bar,
                 score):  # fmt: skip
    """Add a person's derivatives in beta, tau, alpha and L (after them) to `score`."""
    p, w, u = X.shape[1], W.shape[1], U.shape[1]
    at = 0
    in_L = 0.0
    for j in range(last - first):
        row = first + j
        if kinds[row] == SUMMED:
            in_e = 2.0 * dE * e[j] + dc * s[j]
            in_s = dc * e[j] + 2.0 * dA * s[j]
        else:
            in_e, in_s = e_bar[at], s_bar[at]
            at += 1
        density = 1.0 if kinds[row] == SUMMED or kinds[row] == HEAVY else 0.0
        down = in_e * inverse_sd[j]
        for k in range(p):
            score[k] -= X[row, k] * down
        across = in_s * s[j]
        up = -density - in_e * e[j] - across
        for k in range(w):
            score[p + k] += W[row, k] * up
        for k in range(u):
            score[p + w + k] += U[row, k] * across
        in_L += in_s * load[j]
    return in_L


@compiled
def persons(low, high, offsets, kinds, y, X, W, U, Z, log_unit, beta, tau, alpha, L, lam, quad,
            sigma, tail, places, turn, outer, log_outer, inner, log_inner, share, modes,
            spreads, relocate, logliks, scores):  # fmt: skip
    """Log-likelihoods and scores of persons `low` to `high`.

    `places` (5,) says where the scores of L, lam, sigma, quad and tail stand; -1 for nowhere.
    Writes `logliks` (M,) and `scores` (M, P); with `relocate` also `modes` and `spreads`, both
    (M, 1 + K), which hold z and then v at every node of z. With a positive `share` the integrals
    are even sums with steps of that share of the spreads.
    """
    longest = 0
    for i in range(low, high):
        longest = max(longest, offsets[i + 1] - offsets[i])
    e, load, s, inverse_sd = (
        np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest)
    )  # fmt: skip
    e_bar, s_bar, slopes = np.empty(longest), np.empty(longest), np.empty(longest)
    own_e, own_s, side = np.empty(longest), np.empty(longest), np.empty(longest)
    found, of_parts = np.empty(7), np.empty(5)
    w = tail * tail
    constant, d_constant = t_constant(w)
    for i in range(low, high):
        first, last = offsets[i], offsets[i + 1]
        sums, heavy, log_sds = read_rows(
            first, last, kinds, y, X, W, U, Z, log_unit, beta, tau, alpha, e, load, s,
            inverse_sd, L)  # fmt: skip
        visited = 0
        for j in range(last - first):
            if kinds[first + j] != SUMMED:
                own_e[visited], own_s[visited] = e[j], s[j]
                side[visited] = kinds[first + j]
                visited += 1
        base = heavy * constant - log_sds
        if share > 0.0:
            if relocate:
                spreads[i, 0], spreads[i, 1] = narrowest(sums, lam, quad, sigma)
            logliks[i] = sum_evenly(spreads[i], share, sums, lam, quad, sigma, slopes, found)
        else:
            if relocate:
                place(
                    modes[i], spreads[i], outer, turn, sums, visited, heavy, base, w, own_e,
                    own_s, side, lam, quad, sigma, slopes)  # fmt: skip
            logliks[i] = integrate(
                modes[i], spreads[i], outer, log_outer, inner, log_inner, turn, sums, visited,
                heavy, base, w, own_e, own_s, side, lam, quad, sigma, slopes, e_bar, s_bar,
                found)  # fmt: skip
        score = scores[i]
        score[:] = 0.0
        in_L = back_to_rows(
            first, last, kinds, X, W, U, found[0], found[1], found[2], e, load, s, inverse_sd,
            e_bar, s_bar, score)  # fmt: skip
        of_parts[0], of_parts[1], of_parts[2], of_parts[3] = in_L, found[3], found[5], found[4]
        of_parts[4] = 2.0 * tail * (found[6] + heavy * d_constant)
        for k in range(5):
            if places[k] >= 0:
                score[places[k]] = of_parts[k]
