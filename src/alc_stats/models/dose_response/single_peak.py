"""Whether a curve with one peak describes rows better than one that never falls, of any form.

Two lines and a quadratic each have a form; isotonic regression has none. Least squares among all
curves that never fall is compared with least squares among all that rise to some dose and fall
from it (Robertson, Wright and Dykstra 1988).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from alc_stats.models.dose_response.data import DoseData
from alc_stats.models.dose_response.two_lines import control_columns
from alc_stats.records import FloatArray

PEAKS = 9
"""Places at which a peak is tried: quantiles of the doses."""
DRAWS = 199
_ROUNDING = 1e-9
"""Draws this close to the observed one tie with it."""


@dataclass(frozen=True, slots=True)
class SinglePeak:
    """What a peak adds.

    Attributes
    ----------
    share : float
        Of the outcome's variance, beyond the best curve that never falls.
    p : float
        Of as much by chance where the outcome does not go with the dose at all, which among all
        curves that never fall is where it happens most: a wild bootstrap of whole clusters.
    draws : int
    """

    share: float
    p: float
    draws: int


def single_peak(data: DoseData, seed: int) -> SinglePeak:
    """What a peak adds to a curve that never falls; controls are taken out of the outcome first.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.models.dose_response.data import DoseQuestion, dose_data
    >>> x = np.arange(40.0)
    >>> rows = pd.DataFrame({"x": x, "y": -np.abs(x - 20.0)})
    >>> asked = DoseQuestion(outcome="y", dose="x")
    >>> found = single_peak(dose_data(rows, asked), seed=1)
    >>> found.p
    0.005
    """
    y = data.rows["outcome"].to_numpy(float)
    Z = np.column_stack([np.ones(y.size), control_columns(data)])
    y = y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    _, place, weights = np.unique(data.rows["dose"], return_inverse=True, return_counts=True)
    gain = _gain(_means(y, place, weights), weights.astype(float))
    cluster = np.unique(data.rows["cluster"], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], (DRAWS, int(cluster.max()) + 1))
    drawn = [_gain(_means(y * s[cluster], place, weights), weights.astype(float)) for s in signs]
    extreme = sum(d >= gain * (1.0 - _ROUNDING) for d in drawn)
    return SinglePeak(gain / float(np.sum(y * y)), (1 + extreme) / (1 + DRAWS), DRAWS)


def _means(y: FloatArray, place: np.ndarray, weights: np.ndarray) -> FloatArray:
    return np.asarray(np.bincount(place, y) / weights)


def _gain(means: FloatArray, weights: FloatArray) -> float:
    """How much a peak lowers the sum of squares."""
    left = [_left(means, weights, increasing=True)]
    for peak in np.unique(np.linspace(1, means.size - 1, PEAKS).astype(int)):
        rise = _left(means[:peak], weights[:peak], increasing=True)
        left.append(rise + _left(means[peak:], weights[peak:], increasing=False))
    return max(left[0] - min(left), 0.0)


def _left(means: FloatArray, weights: FloatArray, *, increasing: bool) -> float:
    """Weighted squares about the best curve that only rises (or falls)."""
    curve = isotonic_regression(means, weights=weights, increasing=increasing).x
    return float(np.sum(weights * (means - curve) ** 2))
