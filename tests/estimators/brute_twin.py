"""Slow twins of the location-scale likelihood: whole grids over every effect, nothing imported.

A person's rows given independent unit effects eta (q,) and zeta are normal,

    y_t = mean_t + load_t'eta + e_t,   log SD(e_t) = log_sd_t + lam'eta + sigma zeta,

with standardised errors that may be autoregressive. The trapezoid rule over all effects at once
converges geometrically for such smooth integrands, whatever is correlated with what.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import linalg, special


@dataclass(frozen=True)
class Person:
    y: np.ndarray
    mean: np.ndarray
    log_sd: np.ndarray
    load: np.ndarray  # (n, q)
    lam: np.ndarray
    sigma: float
    correlation: np.ndarray  # of the standardised errors (n, n)


def grid(axes: int, reach: float, step: float) -> np.ndarray:
    line = np.arange(-reach, reach + step / 2.0, step)
    return np.array(list(product(line, repeat=axes)))


def log_density(person: Person, points: np.ndarray) -> np.ndarray:
    """Joint log density of the rows and the effects at `points` (m, q + 1), zeta last."""
    q = person.load.shape[1]
    eta, zeta = points[:, :q], points[:, q]
    scale = eta @ person.lam + person.sigma * zeta
    away = person.y - person.mean - eta @ person.load.T
    errors = away / np.exp(person.log_sd + scale[:, None])
    white = linalg.solve_triangular(np.linalg.cholesky(person.correlation), errors.T, lower=True)
    log_det = np.linalg.slogdet(person.correlation)[1]
    n = len(person.y)
    rows = -0.5 * (n * np.log(2.0 * np.pi) + log_det + (white**2).sum(axis=0))
    rows -= person.log_sd.sum() + n * scale
    return rows - 0.5 * (points**2).sum(axis=1) - 0.5 * (q + 1) * np.log(2.0 * np.pi)


def log_likelihood(person: Person, *, reach: float, step: float) -> float:
    points = grid(person.load.shape[1] + 1, reach, step)
    volume = points.shape[1] * np.log(step)
    return float(special.logsumexp(log_density(person, points)) + volume)


def posterior(person: Person, *, reach: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of eta and of the scale effect lam'eta + sigma zeta."""
    points = grid(person.load.shape[1] + 1, reach, step)
    density = log_density(person, points)
    weight = np.exp(density - special.logsumexp(density))
    q = person.load.shape[1]
    scale = points[:, :q] @ person.lam + person.sigma * points[:, q]
    effects = np.column_stack([points[:, :q], scale])
    mean = weight @ effects
    return mean, (weight * (effects - mean).T) @ (effects - mean)


def one_effect(y, mean, log_sd, load, lam, sigma, person) -> float:  # type: ignore[no-untyped-def]
    """The log-likelihood of many persons with one location effect, rows independent.

    Given both effects a person's rows enter by four sums; the two-dimensional grid is the same.
    """
    theta = np.arange(-9.0, 9.0, 0.02)[:, None]
    zeta = np.arange(-8.0, 8.0, 0.05)[None, :]
    scale = lam * theta + sigma * zeta
    prior = -0.5 * (theta**2 + zeta**2) - np.log(2.0 * np.pi) + np.log(0.02 * 0.05)
    precision = np.exp(-2.0 * scale)
    total = 0.0
    for own in np.unique(person):
        rows = person == own
        e, weight = y[rows] - mean[rows], np.exp(-2.0 * log_sd[rows])
        squares = (
            weight @ e**2
            - 2.0 * theta * (weight @ (e * load[rows]))
            + theta**2 * (weight @ load[rows] ** 2)
        )
        n = rows.sum()
        value = -0.5 * precision * squares - n * (scale + 0.5 * np.log(2.0 * np.pi))
        total += special.logsumexp(value + prior) - log_sd[rows].sum()
    return float(total)
