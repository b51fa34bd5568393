"""The stochastic frontier with a half-normal inefficiency, by maximum likelihood in one step.

y = X b + v + s u, v ~ N(0, sd_v^2), u = |N(0, sd_u^2)|, with s = 1 above a cost frontier and s = -1
below a production frontier. Both log SDs are regressions: what moves the inefficiency is estimated
together with the frontier, since two steps are biased (Wang and Schmidt 2002).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, special, stats

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.certificate import Certificate
from alc_stats.records import FloatArray, IntArray

Side = Literal["cost", "production"]
MEAN_OF_HALF_NORMAL = math.sqrt(2.0 / math.pi)
_STEP = 1e-5
_STEPS = 8
"""Newton steps at most."""
_FLAT = 1e-3
"""Largest gradient, in standard errors, of an optimum."""
_NONE = 0.01
"""SD of the excess, relative to that of the noise, that is none."""
_ROUNDING = 1e-9
"""SD of residuals, relative to the logs, that is none."""
_GAIN = 1e-8
"""Log-likelihood per row, over least squares, that is rounding."""
_SOME_NONE = (
    "The excess of some rows is estimated to be none at all, as if the frontier were theirs: what "
    "moves the excess may move the frontier instead, and belongs among what is given."
)


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """A fitted frontier.

    Attributes
    ----------
    theta : array (p,)
        Coefficients of the frontier, of log SD of the inefficiency, of log SD of the noise.
    information : array (p, p)
        Negative Hessian of the log-likelihood at theta.
    scores : array (n, p)
        Gradients of the rows' log-likelihoods.
    log_likelihood, without : float
        With the inefficiency; of least squares, without it.
    skewness : float
        Of the residuals of least squares, turned so that inefficiency makes it positive.
    """

    y: FloatArray
    X: FloatArray
    Z: FloatArray
    W: FloatArray
    side: Side
    theta: FloatArray
    information: FloatArray
    scores: FloatArray
    log_likelihood: float
    without: float
    skewness: float
    certificate: Certificate

    @property
    def delta(self) -> FloatArray:
        """Coefficients of the log SD of the inefficiency."""
        k = self.X.shape[1]
        return self.theta[k : k + self.Z.shape[1]]

    def covariance(self, clusters: IntArray | None = None) -> FloatArray:
        """Inverse information; with clusters the sandwich, by clusters / (clusters - 1)."""
        bread = np.linalg.inv(self.information)
        if clusters is None:
            return np.asarray(bread)
        G = int(clusters.max()) + 1
        sums = np.array([np.bincount(clusters, column, G) for column in self.scores.T]).T
        return np.asarray(bread @ (sums.T @ sums) @ bread * G / (G - 1.0))

    def efficiency(self, theta: FloatArray | None = None) -> FloatArray:
        """E[exp(-u) | y] of every row (n,) (Battese and Coelli 1988)."""
        e, log_u, log_v = _parts(self.theta if theta is None else theta, *self.arrays)
        u2, v2 = np.exp(2.0 * log_u), np.exp(2.0 * log_v)
        total = u2 + v2
        middle, sd = _sign(self.side) * e * u2 / total, np.sqrt(u2 * v2 / total)
        up = special.log_ndtr(middle / sd - sd) - special.log_ndtr(middle / sd)
        return np.asarray(np.exp(np.minimum(up - middle + 0.5 * sd**2, 0.0)))

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """y, X, Z and W."""
        return self.y, self.X, self.Z, self.W

    @property
    def likelihood_ratio(self) -> float:
        """Twice the gain in log-likelihood over no inefficiency."""
        return max(0.0, 2.0 * (self.log_likelihood - self.without))

    @property
    def p_mixture(self) -> float:
        """Of the likelihood ratio, against no inefficiency and nothing that moves it.

        One SD lies on its boundary, and k determinants are free: half a chi-square with k degrees
        of freedom, half one with k + 1, of which that with none is a mass at zero (Kodde and Palm
        1986).
        """
        lr, k = self.likelihood_ratio, self.Z.shape[1] - 1
        if lr == 0.0:
            return 1.0
        free = float(stats.chi2.sf(lr, k)) if k else 0.0
        return 0.5 * free + 0.5 * float(stats.chi2.sf(lr, k + 1))


def fit_frontier(
    y: FloatArray, X: FloatArray, Z: FloatArray, W: FloatArray, *, side: Side = "cost"
) -> Frontier:
    """Maximise the likelihood.

    Parameters
    ----------
    y : array (n,)
        Logs.
    X, Z, W : arrays (n, .)
        Designs of the frontier and of both log SDs, each with a constant first.
    side : {"cost", "production"}

    Raises
    ------
    FitError
        For columns that are sums of others, or too few rows.

    References
    ----------
    Aigner, Lovell and Schmidt (1977), Journal of Econometrics 6, 21-37. Kodde and Palm (1986),
    Econometrica 54, 1243-1248.
    """
    for design, name in ((X, "the frontier"), (Z, "the inefficiency"), (W, "the noise")):
        _refuse_dependent(design, name)
    b, residual = _least_squares(y, X)
    n, sd = len(y), float(np.sqrt(np.mean(residual**2)))
    _refuse_flat(y, sd)
    own, turn = (y, X, Z, W), _turn(Z, W, X.shape[1])
    Z, W = _standardised(Z), _standardised(W)
    without = -0.5 * n * (math.log(2.0 * math.pi) + 2.0 * math.log(sd) + 1.0)
    skewness = _sign(side) * float(stats.skew(residual))
    arrays = (y, X, Z, W)

    start = _start(b, sd, skewness, arrays, side)
    best = _searched(start, arrays, side, sd, without)
    if best.certificate.status != "optimum" and Z.shape[1] + W.shape[1] > 2:
        ones = np.ones((n, 1))
        flat = (y, X, ones, ones)
        plain = _searched(_start(b, sd, skewness, flat, side), flat, side, sd, without)
        again = _searched(_widened(plain.theta, arrays), arrays, side, sd, without)
        best = max(best, again, key=lambda found: found.log_likelihood)
    back = np.linalg.inv(turn)
    return Frontier(*own, side, back @ best.theta, turn.T @ best.information @ turn,
                    best.scores @ turn, best.log_likelihood, without, skewness,
                    best.certificate)  # fmt: skip


def _standardised(design: FloatArray) -> FloatArray:
    """Columns of other than two values as z scores: a log SD moves by SDs of what moves it."""
    centre, spread = _scale(design)
    return np.asarray((design - centre) / spread)


def _scale(design: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What is taken off each column (m,), and what it is divided by."""
    many = np.array([len(np.unique(column)) > 2 for column in design.T])
    centre = np.where(many, design.mean(axis=0), 0.0)
    return centre, np.where(many, design.std(axis=0), 1.0)


def _turn(Z: FloatArray, W: FloatArray, k: int) -> FloatArray:
    """From parameters to those of standardised columns (p, p)."""
    turn = np.eye(k + Z.shape[1] + W.shape[1])
    for first, design in ((k, Z), (k + Z.shape[1], W)):
        centre, spread = _scale(design)
        for j in range(1, design.shape[1]):
            turn[first + j, first + j] = spread[j]
            turn[first, first + j] = centre[j]
    return turn


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    theta: FloatArray
    information: FloatArray
    scores: FloatArray
    log_likelihood: float
    certificate: Certificate


def _searched(
    start: FloatArray, arrays: tuple[FloatArray, ...], side: Side, sd: float, without: float
) -> _Searched:
    """Where a search from `start` ends.

    The search goes along orthonormal columns of the frontier: its steps would be as long as the
    columns' units are unlike.
    """
    n, k = arrays[1].shape
    Q, R = np.linalg.qr(arrays[1])
    Q, R = Q * math.sqrt(n), R / math.sqrt(n)
    turned = (arrays[0], Q, *arrays[2:])

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        value, scores = _likelihood(theta, turned, side)
        return -float(value.sum()) / n, -scores.sum(axis=0) / n

    found = optimize.minimize(
        loss, np.concatenate([R @ start[:k], start[k:]]), jac=True, method="L-BFGS-B",
        bounds=_bounds(sd, arrays), options={"maxiter": 2000, "ftol": 1e-14},
    )  # fmt: skip
    ended = np.concatenate([np.linalg.solve(R, found.x[:k]), found.x[k:]])
    theta, information = _newton(ended, arrays, side)
    value, scores = _likelihood(theta, arrays, side)
    gained = float(value.sum())
    certificate = _certified(theta, information, scores.sum(axis=0), arrays, gained - without)
    return _Searched(theta, information, scores, gained, certificate)


def _widened(plain: FloatArray, arrays: tuple[FloatArray, ...]) -> FloatArray:
    """The optimum with one SD each, as a start where SDs may differ."""
    _, X, Z, W = arrays
    k, m = X.shape[1], Z.shape[1]
    start = np.zeros(k + m + W.shape[1])
    start[:k], start[k], start[k + m] = plain[:k], plain[k], plain[k + 1]
    return start


def _refuse_dependent(design: FloatArray, name: str) -> None:
    if len(design) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        raise FitError(
            Problem(f"columns of {name} are sums of others, or there are too few rows",
                    where="frontier", found=f"{design.shape[1]} columns, {len(design)} rows",
                    way_out="Leave out the columns that say the same.")
        )  # fmt: skip


def _refuse_flat(y: FloatArray, sd: float) -> None:
    if not sd > _ROUNDING * max(1.0, float(np.abs(y).max())):
        raise FitError(
            Problem("amounts are the same in all rows, once what is given is held: there is no "
                    "excess and no noise", where="frontier",
                    way_out="See that what is given does not hold the amount itself.")
        )  # fmt: skip


def _least_squares(y: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    b = np.asarray(np.linalg.lstsq(X, y, rcond=None)[0], dtype=float)
    return b, y - X @ b


def _sign(side: Side) -> float:
    return 1.0 if side == "cost" else -1.0


def _start(
    b: FloatArray, sd: float, skewness: float,
    arrays: tuple[FloatArray, ...], side: Side,
) -> FloatArray:  # fmt: skip
    """Moments: the third gives the inefficiency, and the constant moves by its mean."""
    third = max(skewness, 0.05) * sd**3
    sd_u = min((third / (MEAN_OF_HALF_NORMAL * (4.0 / math.pi - 1.0))) ** (1 / 3), 1.3 * sd)
    sd_v = math.sqrt(max(sd**2 - (1.0 - 2.0 / math.pi) * sd_u**2, 0.04 * sd**2))
    first = b.copy()
    first[0] -= _sign(side) * MEAN_OF_HALF_NORMAL * sd_u
    u, v = np.zeros(arrays[2].shape[1]), np.zeros(arrays[3].shape[1])
    u[0], v[0] = math.log(sd_u), math.log(sd_v)
    return np.concatenate([first, u, v])


def _bounds(sd: float, arrays: tuple[FloatArray, ...]) -> list[tuple[float | None, float | None]]:
    """SDs of a constant stay above ten-thousandths of the residuals', so that nothing overflows."""
    free: list[tuple[float | None, float | None]] = [(None, None)] * arrays[1].shape[1]
    for design in arrays[2:]:
        free += [(math.log(1e-4 * sd), None), *[(-20.0, 20.0)] * (design.shape[1] - 1)]
    return free


def _parts(
    theta: FloatArray, y: FloatArray, X: FloatArray, Z: FloatArray, W: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    k, m = X.shape[1], Z.shape[1]
    return y - X @ theta[:k], Z @ theta[k : k + m], W @ theta[k + m :]


def _likelihood(
    theta: FloatArray, arrays: tuple[FloatArray, ...], side: Side
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihoods of rows (n,) and their gradients (n, p)."""
    y, X, Z, W = arrays
    e, log_u, log_v = _parts(theta, y, X, Z, W)
    u2, v2 = np.exp(2.0 * log_u), np.exp(2.0 * log_v)
    total = u2 + v2
    turn = _sign(side) * np.exp(log_u - log_v) / np.sqrt(total)
    q = turn * e
    below = special.log_ndtr(q)
    mills = np.exp(-0.5 * q**2 - 0.5 * math.log(2.0 * math.pi) - below)
    z2 = e**2 / total
    value = math.log(2.0) - 0.5 * (np.log(2.0 * math.pi * total) + z2) + below
    by_e = -e / total + mills * turn
    share = u2 / total
    by_u = share * (z2 - 1.0) + mills * q * (1.0 - share)
    by_v = (1.0 - share) * (z2 - 1.0) - mills * q * (2.0 - share)
    return value, np.column_stack([-by_e[:, None] * X, by_u[:, None] * Z, by_v[:, None] * W])


def _newton(
    theta: FloatArray, arrays: tuple[FloatArray, ...], side: Side
) -> tuple[FloatArray, FloatArray]:
    """A few Newton steps from where the search ended, as long as they climb.

    The search ends so near that the curvature there serves every step.
    """
    information = _information(theta, arrays, side)
    if np.linalg.eigvalsh(information)[0] <= 0.0:
        return theta, information
    value, scores = _likelihood(theta, arrays, side)
    for _ in range(_STEPS):
        step = np.linalg.solve(information, scores.sum(axis=0))
        next_value, next_scores = _likelihood(theta + step, arrays, side)
        if float(next_value.sum()) < float(value.sum()):
            break
        theta, value, scores = theta + step, next_value, next_scores
        if float(step @ information @ step) < 1e-16:
            break
    return theta, _information(theta, arrays, side)


def _information(theta: FloatArray, arrays: tuple[FloatArray, ...], side: Side) -> FloatArray:
    """By central differences of the gradient."""
    p = len(theta)
    found = np.empty((p, p))
    for j in range(p):
        h = _STEP * max(1.0, abs(theta[j]))
        up, down = theta.copy(), theta.copy()
        up[j] += h
        down[j] -= h
        ends = [_likelihood(t, arrays, side)[1].sum(axis=0) for t in (up, down)]
        found[j] = -(ends[0] - ends[1]) / (2.0 * h)
    return np.asarray((found + found.T) / 2.0)


def _certified(
    theta: FloatArray, information: FloatArray, gradient: FloatArray,
    arrays: tuple[FloatArray, ...], gain: float,
) -> Certificate:  # fmt: skip
    _, log_u, log_v = _parts(theta, arrays[0], arrays[1], arrays[2], arrays[3])
    ratio = np.exp(log_u - log_v)
    if ratio.max() < _NONE or gain <= _GAIN * len(log_u):
        return Certificate("not_identified", "The excess is estimated to be none at all.")
    if ratio.min() < _NONE:
        return Certificate("not_identified", _SOME_NONE)
    scale = np.sqrt(np.abs(np.diag(information)))
    curvature = np.linalg.eigvalsh(information / np.outer(scale, scale))
    if curvature[0] <= 1e-10:
        return Certificate("not_identified", "The data do not tell all of its parameters.",
                           curvature=tuple(curvature.tolist()))  # fmt: skip
    steep = math.sqrt(max(0.0, float(gradient @ np.linalg.solve(information, gradient))))
    if steep > _FLAT:
        return Certificate("failed", "The search did not end at an optimum.", scaled_gradient=steep)
    return Certificate("optimum", "The search ended at an optimum.", scaled_gradient=steep,
                       curvature=tuple(curvature.tolist()))  # fmt: skip
