"""A natural cubic spline whose roughness is chosen by generalised cross-validation.

Cubic regression splines with values at the knots as parameters and the integrated squared second
derivative as penalty (Wood 2017, section 5.3.1): R's `mgcv::gam(y ~ s(x, bs = "cr"))`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from scipy.interpolate import CubicSpline

from alc_stats.records import FloatArray

KNOTS = 10
"""Parameters of the smooth term where there are that many values of x (mgcv's default)."""
_LOG_SMOOTHING = np.linspace(-25.0, 25.0, 101)
"""Places, in log units about the penalty's own size, where the search for the minimum starts."""


@dataclass(frozen=True, slots=True, eq=False)
class Smooth:
    """A fitted curve: values and Bayesian standard errors (m,) at the places asked for.

    `edf` are the effective degrees of freedom, `gcv` n RSS / (n - edf)^2.
    """

    fitted: FloatArray
    se: FloatArray
    edf: float
    gcv: float


def penalised_spline(x: FloatArray, y: FloatArray, Z: FloatArray, at: FloatArray) -> Smooth:
    """Smooth y (n,) along x (n,), linear in the columns of Z (n, q), at `at` (m,).

    Z, without a constant, is held at its means. x needs four distinct values.

    Examples
    --------
    >>> x = np.linspace(0.0, 1.0, 50)
    >>> y = 2.0 * x + 0.1 * np.where(np.arange(50) % 2, 1.0, -1.0)
    >>> line = penalised_spline(x, y, np.empty((50, 0)), np.array([0.25, 0.75]))
    >>> line.fitted.round(1).tolist(), round(line.edf, 1)
    ([0.5, 1.5], 2.0)
    """
    distinct = np.unique(x)
    knots = np.quantile(distinct, np.linspace(0.0, 1.0, min(KNOTS, distinct.size)))
    curve = CubicSpline(knots, np.eye(knots.size), bc_type="natural")
    W = np.column_stack([curve(x), Z - Z.mean(axis=0)])
    S = np.zeros((W.shape[1], W.shape[1]))
    S[: knots.size, : knots.size] = _roughness(curve, knots)
    Q, R = linalg.qr(W, mode="economic")
    back = linalg.solve_triangular(R, np.eye(len(R)))
    d, U = linalg.eigh(back.T @ S @ back)
    d = np.maximum(d, 0.0)
    coordinates, rest = U.T @ (Q.T @ y), float(y @ y - np.sum((Q.T @ y) ** 2))
    centre = -np.log(np.median(d[d > 0.0])) if np.any(d > 0.0) else 0.0

    def parts(log_smoothing: float) -> tuple[FloatArray, float, float]:
        kept = 1.0 / (1.0 + np.exp(log_smoothing + centre) * d)
        return kept, max(rest, 0.0) + float(np.sum(((1.0 - kept) * coordinates) ** 2)), kept.sum()

    def gcv(log_smoothing: float) -> float:
        _, rss, edf = parts(log_smoothing)
        return float(x.size * rss / (x.size - edf) ** 2)

    kept, rss, edf = parts(_least(gcv))
    basis = np.column_stack([curve(at), np.zeros((at.size, Z.shape[1]))]) @ back @ U
    sigma2 = rss / (x.size - edf)
    se = np.sqrt(sigma2 * np.einsum("mi,i,mi->m", basis, kept, basis))
    return Smooth(
        basis @ (kept * coordinates), se, float(edf), float(x.size * rss / (x.size - edf) ** 2)
    )


def _least(criterion: Callable[[float], float]) -> float:
    """Where the criterion is smallest: the best place of a grid, then Brent's search about it."""
    best = int(np.argmin([criterion(v) for v in _LOG_SMOOTHING]))
    low, high = _LOG_SMOOTHING[max(best - 1, 0)], _LOG_SMOOTHING[min(best + 1, 100)]
    found = optimize.minimize_scalar(
        criterion, bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    return float(found.x)


def _roughness(curve: CubicSpline, knots: FloatArray) -> FloatArray:
    """Integral of the product of second derivatives, which are straight between knots."""
    second, h = curve(knots, 2), np.diff(knots)
    mass = np.zeros((knots.size, knots.size))
    i = np.arange(h.size)
    mass[i, i] += h / 3.0
    mass[i + 1, i + 1] += h / 3.0
    mass[i, i + 1] += h / 6.0
    mass[i + 1, i] += h / 6.0
    return np.asarray(second.T @ mass @ second)
