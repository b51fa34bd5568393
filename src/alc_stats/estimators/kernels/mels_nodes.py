"""One person's likelihood given the scale effect: location effects integrated in closed form.

The model of a person with location effects theta (q,) of unit variance and a scale effect z is

    y_t = x_t'b + s_t'theta + e_t,   log SD(e_t) = w_t'tau + sw z,
    theta | z ~ N(rho z, I - rho rho'),   z ~ N(0, 1).

Rows enter through their count n, log_d = sum 2 w'tau, A = sum s s'/d, c = sum s e/d and
E = sum e^2/d only (e = y - x'b, d = exp(2 w'tau)). Given z, with kappa = exp(-2 sw z),

    -2 log p(rows | z) = n log 2 pi + 2 n sw z + log_d + log |I + kappa R A R|
                         + kappa E_z - kappa^2 c_z'R (I + kappa R A R)^-1 R c_z,

R the root of I - rho rho', c_z = c - z A rho, E_z = E - 2 z rho'c + z^2 rho'A rho. Turned to the
eigenvectors of R A R, once a person, everything at a node is a sum over q numbers, and nodes cost
neither rows nor matrices. No 1 / (1 - rho'rho) occurs: a correlation of one is no singular point.
Everything is compiled; arrays that are written are named by each function.
"""

from __future__ import annotations

import math

from alc_stats.estimators.kernels.compiled import compiled

LOG_2PI = math.log(2.0 * math.pi)
SCALARS = 8
"""Places of `turned`: n, log_d, E, rho'c, rho'A rho, sw, and two spare ones for a firm's shift."""


@compiled
def root(rho, R):
    """Write the symmetric root R (q, q) of I - rho rho'."""
    q = rho.shape[0]
    length = 0.0
    for a in range(q):
        length += rho[a] * rho[a]
    share = 0.0
    if length > 0.0:
        share = (1.0 - math.sqrt(max(1.0 - length, 0.0))) / length
    for a in range(q):
        for b in range(q):
            R[a, b] = (1.0 if a == b else 0.0) - share * rho[a] * rho[b]


@compiled
def diagonalise(B, Q):
    """Turn the symmetric B (q, q) diagonal by Jacobi rotations and write their product to Q."""
    q = B.shape[0]
    for a in range(q):
        for b in range(q):
            Q[a, b] = 1.0 if a == b else 0.0
    for _ in range(30):
        off, size = 0.0, 0.0
        for a in range(q):
            size += abs(B[a, a])
            for b in range(a):
                off = max(off, abs(B[a, b]))
        if off <= 1e-17 * size:
            return
        for a in range(q):
            for b in range(a):
                if B[a, b] == 0.0:
                    continue
                turn = 0.5 * math.atan2(2.0 * B[a, b], B[b, b] - B[a, a])
                cosine, sine = math.cos(turn), math.sin(turn)
                for k in range(q):
                    x, y = B[k, a], B[k, b]
                    B[k, a], B[k, b] = cosine * x - sine * y, sine * x + cosine * y
                for k in range(q):
                    x, y = B[a, k], B[b, k]
                    B[a, k], B[b, k] = cosine * x - sine * y, sine * x + cosine * y
                for k in range(q):
                    x, y = Q[k, a], Q[k, b]
                    Q[k, a], Q[k, b] = cosine * x - sine * y, sine * x + cosine * y
                B[a, b] = 0.0
                B[b, a] = 0.0


@compiled
def turn(n, log_d, A, c, E, rho, sw, R, B, Q, F, values, c_turned, h, h_turned, scalars):
    """Write a person's sums in the coordinates in which R A R is diagonal.

    F (q, q) = R Q, `values` (q,) the eigenvalues, `c_turned` = F'c, `h` = A rho, `h_turned` = F'h
    and `scalars`. B (q, q) and Q (q, q) are scratch.
    """
    q = rho.shape[0]
    along, twice = 0.0, 0.0
    for a in range(q):
        h[a] = 0.0
        for b in range(q):
            h[a] += A[a, b] * rho[b]
            F[a, b] = 0.0
            for k in range(q):
                F[a, b] += A[a, k] * R[k, b]
        along += rho[a] * c[a]
        twice += rho[a] * h[a]
    for a in range(q):
        for b in range(a + 1):
            total = 0.0
            for k in range(q):
                total += R[a, k] * F[k, b]
            B[a, b] = total
            B[b, a] = total
    diagonalise(B, Q)
    for a in range(q):
        values[a] = max(B[a, a], 0.0)
        for b in range(q):
            F[a, b] = 0.0
            for k in range(q):
                F[a, b] += R[a, k] * Q[k, b]
    for a in range(q):
        c_turned[a] = 0.0
        h_turned[a] = 0.0
        for k in range(q):
            c_turned[a] += F[k, a] * c[k]
            h_turned[a] += F[k, a] * h[k]
    scalars[0], scalars[1], scalars[2] = n, log_d, E
    scalars[3], scalars[4], scalars[5] = along, twice, sw


@compiled
def at_node(z, scalars, values, c_turned, h_turned):
    """Log-likelihood of a person's rows given z, its slope in z and its curvature."""
    n, log_d, E, along, twice, sw = (
        scalars[0], scalars[1], scalars[2], scalars[3], scalars[4], scalars[5])  # fmt: skip
    kappa = math.exp(-2.0 * sw * z)
    E_z, dE_z = E - 2.0 * z * along + z * z * twice, 2.0 * (z * twice - along)
    # f = kappa E_z + sum [log(1 + kappa v) - kappa^2 g^2 / (1 + kappa v)] and its derivatives,
    # kappa' = -2 sw kappa
    k1 = -2.0 * sw
    value = kappa * E_z
    slope = kappa * (k1 * E_z + dE_z)
    curvature = kappa * (k1 * k1 * E_z + 2.0 * k1 * dE_z + 2.0 * twice)
    for a in range(values.shape[0]):
        v = values[a]
        g, dg = c_turned[a] - z * h_turned[a], -h_turned[a]
        left = 1.0 / (1.0 + kappa * v)
        t = kappa * kappa * left  # t' = k1 t (1 + left), left' = -k1 left (1 - left)
        t1 = k1 * t * (1.0 + left)
        t2 = k1 * t1 * (1.0 + left) - k1 * k1 * t * left * (1.0 - left)
        value += -math.log(left) - t * g * g
        slope += k1 * (1.0 - left) - t1 * g * g - 2.0 * t * g * dg
        curvature += (
            k1 * k1 * left * (1.0 - left) - t2 * g * g - 4.0 * t1 * g * dg - 2.0 * t * dg * dg
        )
    loglik = -0.5 * (n * (LOG_2PI + 2.0 * sw * z) + log_d + value)
    return loglik, -0.5 * slope - n * sw, -0.5 * curvature


@compiled
def locate(start, scalars, values, c_turned, h_turned):
    """Mode of the scale effect given the rows, and the SD of the normal that bends as it does."""
    z = start
    curvature = -1.0
    for _ in range(40):
        _, slope, bend = at_node(z, scalars, values, c_turned, h_turned)
        curvature = min(bend - 1.0, -0.2)
        step = min(max(-(slope - z) / curvature, -1.5), 1.5)
        z += step
        if abs(step) * math.sqrt(-curvature) < 1e-7:
            break
    return z, 1.0 / math.sqrt(-curvature)


@compiled
def integrate(z, spread, nodes, log_weights, scalars, values, c_turned, h_turned,
              moments, u, u1, u2, w1, left_sum, uu):  # fmt: skip
    """Log of the integral over z, nodes held still, and the posterior moments of the person.

    `nodes` (K,) are ordered from the middle outwards: the first one's value keeps the others'
    exponentials in range, so that every node is visited once. With u = F^-1 (theta_z - rho z),
    theta_z the mean of the location effects at z, and w = rho'(c - A theta_z), written are

    moments : E kappa, E kappa z, E kappa z^2, E z (kappa RSS - n), E kappa^2 w, E kappa^2 w z
    u1, u2, w1 : E kappa u, E kappa z u, E kappa^2 w u, all (q,)
    left_sum : E kappa / (1 + kappa v) and, in row 1, kappa times that, (2, q)
    uu : E kappa u u', (q, q)

    all but u (q,), which is scratch.
    """
    q = values.shape[0]
    n, E, along, twice, sw = scalars[0], scalars[2], scalars[3], scalars[4], scalars[5]
    for k in range(6):
        moments[k] = 0.0
    for a in range(q):
        u1[a], u2[a], w1[a], left_sum[0, a], left_sum[1, a] = 0.0, 0.0, 0.0, 0.0, 0.0
        for b in range(q):
            uu[a, b] = 0.0
    reference, total = 0.0, 0.0
    for k in range(nodes.shape[0]):
        at = z + spread * nodes[k]
        kappa = math.exp(-2.0 * sw * at)
        value = kappa * (E - 2.0 * at * along + at * at * twice)
        rss = E - 2.0 * at * along + at * at * twice
        w = along - at * twice
        product = 1.0
        for a in range(q):
            grown = 1.0 + kappa * values[a]
            product *= grown
            g = c_turned[a] - at * h_turned[a]
            u[a] = kappa * g / grown
            value -= u[a] * kappa * g
            rss += u[a] * (values[a] * u[a] - 2.0 * g) + values[a] / grown
            w -= h_turned[a] * u[a]
        logged = math.log(product)
        if product > 1e300:  # too many effects, or too well known, for a product
            logged = 0.0
            for a in range(q):
                logged += math.log(1.0 + kappa * values[a])
        value = -0.5 * (n * 2.0 * sw * at + logged + value - nodes[k] * nodes[k] + at * at)
        value += log_weights[k]
        if k == 0:
            reference = value
        p = math.exp(value - reference)
        total += p
        if p < 1e-18 * total:
            continue
        pk = p * kappa
        pkw = pk * kappa * w
        moments[0] += pk
        moments[1] += pk * at
        moments[2] += pk * at * at
        moments[3] += p * at * (kappa * rss - n)
        moments[4] += pkw
        moments[5] += pkw * at
        for a in range(q):
            share = pk / (1.0 + kappa * values[a])
            u1[a] += pk * u[a]
            u2[a] += pk * at * u[a]
            w1[a] += pkw * u[a]
            left_sum[0, a] += share
            left_sum[1, a] += share * kappa
            for b in range(a + 1):
                uu[a, b] += pk * u[a] * u[b]
    for k in range(6):
        moments[k] /= total
    for a in range(q):
        u1[a] /= total
        u2[a] /= total
        w1[a] /= total
        left_sum[0, a] /= total
        left_sum[1, a] /= total
        for b in range(a + 1):
            uu[a, b] /= total
            uu[b, a] = uu[a, b]
    return reference + math.log(total) + math.log(spread) - 0.5 * (n * LOG_2PI + scalars[1])


@compiled
def slopes(A, c, rho, F, h, h_turned, moments, u1, u2, w1, left_sum, uu, dA, dc, drho):
    """Derivatives of a person's log-likelihood in A, c and rho; return those in E and sw.

    dA (q, q), dc (q,) and drho (q,) are written.
    """
    q = rho.shape[0]
    for a in range(q):
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for b in range(q):
            first += F[a, b] * u1[b]
            second += F[a, b] * u2[b]
            third += F[a, b] * w1[b]
            fourth += F[a, b] * left_sum[1, b] * h_turned[b]
        dc[a] = moments[1] * rho[a] + first
        # for the moment: E kappa z theta - E kappa^2 w theta + F (E kappa^2 / (1 + kappa v) h)
        drho[a] = moments[2] * rho[a] + second - moments[5] * rho[a] - third + fourth
        for b in range(q):
            total = moments[2] * rho[a] * rho[b]
            for i in range(q):
                total += (rho[a] * F[b, i] + rho[b] * F[a, i]) * u2[i]
                total += F[a, i] * F[b, i] * left_sum[0, i]
                for j in range(q):
                    total += F[a, i] * uu[i, j] * F[b, j]
            dA[a, b] = -0.5 * total
    for a in range(q):
        u1[a] = (moments[1] - moments[4]) * c[a] + moments[0] * h[a]
        for b in range(q):
            u1[a] -= A[a, b] * drho[b]
    for a in range(q):
        drho[a] = u1[a]
    return -0.5 * moments[0], moments[3]
