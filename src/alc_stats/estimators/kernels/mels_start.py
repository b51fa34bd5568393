"""Where the search for a location-scale model starts: moments of the persons' residuals."""

from __future__ import annotations

import numpy as np
from scipy import special

from alc_stats.estimators.kernels.mels_model import PersonRows, Shape
from alc_stats.records import FloatArray

_LEAST_SHARE = 0.05
"""Least share of the variance that either level starts with."""
_SLOPE = 0.5
"""SD of a slope at the start, as a share of the SD within persons."""
_AUTOCORRELATION = 0.2
_FIRM = 0.5
"""SDs of firms at the start, as a share of those of persons."""
_SCALE_SDS = (0.1, 0.8)
"""Bounds of the scale effect's SD at the start, in log SD."""
_TAIL = 0.5
"""Errors of a t law start with ten degrees of freedom."""


def start(rows: PersonRows, shape: Shape) -> FloatArray:
    """Parameters (P,): least squares for the location, moments for the spreads."""
    within, between, log_sd_spread = _moments(rows)
    psi = np.zeros(shape.length)
    constant = np.linalg.lstsq(rows.W, np.ones(len(rows.W)), rcond=None)[0]
    psi[shape.part("tau")] = (0.5 * np.log(within) + rows.log_unit) * constant
    diagonal = shape.rows == shape.columns
    sds = np.where(shape.rows == 0, np.sqrt(between), _SLOPE * np.sqrt(within))
    psi[shape.part("free")] = np.where(diagonal, sds, 0.0)
    psi[shape.part("sigma")] = log_sd_spread
    psi[shape.part("phi")] = _AUTOCORRELATION
    psi[shape.part("firm_location")] = _FIRM * np.sqrt(between)
    psi[shape.part("firm_sigma")] = _FIRM * log_sd_spread
    psi[shape.part("tail")] = _TAIL
    return psi


def _moments(rows: PersonRows) -> tuple[float, float, float]:
    """Variance within and between persons, and the SD of persons' log SDs beyond chance."""
    y, offsets = rows.y, rows.offsets
    sizes = np.diff(offsets)
    sums = np.add.reduceat(y, offsets[:-1])
    squares = np.maximum(np.add.reduceat(y * y, offsets[:-1]) - sums**2 / sizes, 0.0)
    freedom = np.maximum(sizes - 1, 0)
    whole = float(np.mean(y * y))
    if sizes.max() < 2:
        return whole, whole, _SCALE_SDS[0]
    within = float(squares.sum() / max(int(freedom.sum()), 1))
    within = max(within, _LEAST_SHARE * whole)
    between = float(np.var(sums / sizes)) - within * float(np.mean(1.0 / sizes))
    between = max(between, _LEAST_SHARE * whole)
    many = (freedom >= 2) & (squares > 0.0)
    if many.sum() < 3:
        return within, between, _SCALE_SDS[0]
    log_sds = 0.5 * np.log(squares[many] / freedom[many])
    chance = float(np.mean(special.polygamma(1, freedom[many] / 2.0))) / 4.0
    spread = np.sqrt(max(float(np.var(log_sds)) - chance, 0.0))
    return within, between, float(np.clip(spread, *_SCALE_SDS))
