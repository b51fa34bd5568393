# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Laws of one row given the effects that are no sums of squares: censored normal, Student's t.

A row enters as u, its residual over its SD. Values v(u), slopes v' and curvatures v'' are exact to
rounding everywhere: far in the tails, and where a t law becomes the normal.
"""

from __future__ import annotations

import math

from alc_stats.estimators.kernels.compiled import compiled

LOG_2PI = math.log(2.0 * math.pi)
_HALF_LOG_2PI = 0.5 * LOG_2PI
_ROOT_HALF = math.sqrt(0.5)
_FAR = -25.0
"""Below this Phi is taken from its asymptotic series, whose eighth term is then below 1e-15."""
_MANY = 50.0
"""From this half of the degrees of freedom on, Stirling's series is exact to rounding."""
_FLAT = 1e-3
"""Below this w a t law is so near the normal that logarithms are taken row by row."""


@compiled
def log_phi(u):
    """Logarithm of Phi(u) of the standard normal and its derivative phi(u) / Phi(u)."""
    if u > _FAR:
        tail = 0.5 * math.erfc(abs(u) * _ROOT_HALF)
        density = math.exp(-0.5 * u * u - _HALF_LOG_2PI)
        if u > 0.0:
            return math.log1p(-tail), density / (1.0 - tail)
        return math.log(tail), density / tail
    x = 1.0 / (u * u)
    series = 1.0
    for k in range(8, 0, -1):  # 1 - x + 3 x^2 - 15 x^3 + ..., innermost term first
        series = 1.0 - (2.0 * k - 1.0) * x * series
    return -0.5 * u * u - _HALF_LOG_2PI - math.log(-u) + math.log(series), -u / series


@compiled
def t_constant(w):
    """Log of a unit-variance t density at zero and its slope in w, for df = 2 + 2 / w.

    The variance of a t law with df is df / (df - 2) of its scale's square; w = 2 / (df - 2) is
    zero for the normal.
    """
    if w * _MANY < 1.0 + w:
        r = w / (1.0 + w)  # 2 / df
        r2 = r * r
        series = r * (-0.125 + r2 * (1.0 / 192.0 - r2 * (1.0 / 640.0 - r2 * 17.0 / 14336.0)))
        slope = -0.125 + r2 * (1.0 / 64.0 - r2 * (1.0 / 128.0 - r2 * 17.0 / 2048.0))
        value = -_HALF_LOG_2PI + 0.5 * math.log1p(w) + series
        return value, 0.5 / (1.0 + w) + slope / ((1.0 + w) * (1.0 + w))
    half = 1.0 / w + 1.0
    value = math.lgamma(half + 0.5) - math.lgamma(half) - 0.5 * math.log(2.0 * math.pi / w)
    slope = -(digamma(half + 0.5) - digamma(half)) / (w * w) + 0.5 / w
    return value, slope


@compiled
def digamma(x):
    """Derivative of log Gamma at x > 0."""
    shift = 0.0
    while x < 12.0:
        shift -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    series = y * (
        1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y / 132.0)))
    )
    return shift + math.log(x) - 0.5 / x - series


@compiled
def censored_rows(n, e, s, side, eta, k, slopes):
    """Rows at a bound: log Phi(side u), u = (e - s eta) k with the bound in e.

    `side` (n,) is 1 where the outcome is at or below the bound, -1 where at or above. Writes v'
    to `slopes` (n,).

    Returns
    -------
    value, along, up, bend_ee, bend_eg, bend_gg, tail : float
        The sum and its derivatives in eta and in the log SD g, k = exp(-g); the last is zero.
    """
    value = along = up = bend_ee = bend_eg = bend_gg = 0.0
    for j in range(n):
        u = (e[j] - s[j] * eta) * k
        log, ratio = log_phi(side[j] * u)
        d = side[j] * ratio
        dd = -d * (d + u)
        slopes[j] = d
        value += log
        along -= d * s[j]
        up -= d * u
        bend_ee += dd * s[j] * s[j]
        bend_eg += (dd * u + d) * s[j]
        bend_gg += dd * u * u + d * u
    return value, along * k, up, bend_ee * k * k, bend_eg * k, bend_gg, 0.0


@compiled
def heavy_rows(n, e, s, eta, k, w, slopes):
    """Rows of a t law of unit variance, df = 2 + 2 / w, without constant and log SD.

    v = -(3/2 + 1/w) log(1 + u^2 w / 2). Otherwise as `censored_rows`; the last number returned is
    the derivative in w.
    """
    value = along = up = bend_ee = bend_eg = bend_gg = 0.0
    logs = shares = squares = 0.0
    factor = 1.0 + 1.5 * w
    product = 1.0
    for j in range(n):
        u = (e[j] - s[j] * eta) * k
        t = 0.5 * u * u * w
        inverse = 1.0 / (1.0 + t)
        d = -factor * u * inverse
        dd = -factor * (1.0 - t) * inverse * inverse
        slopes[j] = d
        along -= d * s[j]
        up -= d * u
        bend_ee += dd * s[j] * s[j]
        bend_eg += (dd * u + d) * s[j]
        bend_gg += dd * u * u + d * u
        squares += 0.5 * u * u * inverse
        if w >= _FLAT:  # one logarithm for many rows
            product *= 1.0 + t
            if product > 1e200:
                logs += math.log(product)
                product = 1.0
            shares += t * inverse
        elif w > 0.0:
            logs += math.log1p(t)
            shares += _curved(t)
        else:
            logs += 0.5 * u * u
            shares -= 0.125 * u * u * u * u
    if w >= _FLAT:
        logs += math.log(product)
        tail = (logs - shares) / (w * w)
    else:
        tail = -shares / (w * w) if w > 0.0 else -shares
    value = -1.5 * logs - logs / w if w > 0.0 else -logs
    return (
        value, along * k, up, bend_ee * k * k, bend_eg * k, bend_gg, tail - 1.5 * squares,
    )  # fmt: skip


@compiled
def _curved(t):
    """The difference t / (1 + t) - log(1 + t), which is -t^2 / 2 near zero."""
    if t > 0.01:
        return t / (1.0 + t) - math.log1p(t)
    series = 0.0
    for k in range(7, -1, -1):
        series = (k + 1.0) / (k + 2.0) - t * series
    return -t * t * series
