"""Scores of probability forecasts: Brier's, its parts, skill, discrimination, bootstraps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from alc_stats.records import FloatArray, IntArray

BINS = 10
"""Equally wide, on 0 to 1."""
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Brier:
    """Brier's score and its parts, which add up exactly.

    score = reliability - resolution + uncertainty + within. The last is what forecasts and
    outcomes vary within bins; it is zero if every bin holds one forecast value.

    Attributes
    ----------
    score : float
        Mean of (forecast - outcome)^2; 0 is perfect, a constant 0.5 makes 0.25.
    reliability : float
        Squared distance of the bins' outcome shares from their mean forecasts; 0 is calibrated.
    resolution : float
        Squared distance of the bins' outcome shares from the base rate; large is good.
    uncertainty : float
        base rate x (1 - base rate): the score of who always says the base rate.
    within : float
    skill : float
        1 - score / uncertainty: the gain over always saying the base rate.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    skill: float


PARTS = ("score", "reliability", "resolution", "uncertainty", "within", "skill")


def brier(forecast: FloatArray, outcome: FloatArray, bin_of: IntArray | None = None) -> Brier:
    """Brier's score with Murphy's (1973) parts, exact with the terms within bins.

    Parameters
    ----------
    forecast, outcome : array (n,)
        Probabilities, and 0 or 1.
    bin_of : array of int (n,), optional
        Bins of forecasts; ten equally wide ones by default.

    References
    ----------
    Murphy (1973), Journal of Applied Meteorology 12, 595-600. Stephenson, Coelho and Jolliffe
    (2008), Weather and Forecasting 23, 752-757.

    Examples
    --------
    >>> found = brier(np.array([0.2, 0.2, 0.8, 0.8]), np.array([0.0, 1.0, 1.0, 1.0]))
    >>> round(found.score, 4), round(found.reliability - found.resolution + found.uncertainty, 4)
    (0.19, 0.19)
    """
    bins = binned(forecast) if bin_of is None else bin_of
    weights = np.ones((1, forecast.size))
    return Brier(*(float(part[0]) for part in weighted_brier(forecast, outcome, bins, weights)))


def binned(forecast: FloatArray) -> IntArray:
    """Bin 0 to 9 of every probability; 1 is in the last."""
    # a tenth such as 0.3 is stored a little above or below: it belongs to the bin it opens
    return np.minimum(np.floor(forecast * BINS + 1e-9).astype(np.int64), BINS - 1)


def weighted_brier(
    f: FloatArray, o: FloatArray, bins: IntArray, weights: FloatArray
) -> tuple[FloatArray, ...]:
    """The parts (draws,) under every row of weights (draws, n), in the order of `PARTS`."""
    member = np.eye(int(bins.max()) + 1)[bins]
    total = weights.sum(axis=1)
    n = weights @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_f = np.where(n > 0, weights @ (member * f[:, None]) / n, 0.0)
        mean_o = np.where(n > 0, weights @ (member * o[:, None]) / n, 0.0)
    base = weights @ o / total
    score = weights @ (f - o) ** 2 / total
    reliability = np.sum(n * (mean_f - mean_o) ** 2, axis=1) / total
    resolution = np.sum(n * (mean_o - base[:, None]) ** 2, axis=1) / total
    uncertainty = base * (1.0 - base)
    variance = weights @ (f * f) / total - np.sum(n * mean_f**2, axis=1) / total
    covariance = weights @ (f * o) / total - np.sum(n * mean_f * mean_o, axis=1) / total
    within = variance - 2.0 * covariance
    with np.errstate(invalid="ignore", divide="ignore"):
        skill = 1.0 - score / uncertainty
    return score, reliability, resolution, uncertainty, within, skill


def discrimination(f: FloatArray, o: FloatArray) -> float:
    """Chance that a forecast of what came is above one of what did not: the area under the ROC.

    Examples
    --------
    >>> discrimination(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0.0, 0.0, 1.0, 1.0]))
    0.875
    """
    ranks = stats.rankdata(f)
    came = o == 1.0
    n, m = int(came.sum()), int((~came).sum())
    return float((ranks[came].sum() - n * (n + 1) / 2.0) / (n * m))


def correlation(
    f: FloatArray, o: FloatArray, person: IntArray, *, draws: int, seed: int, level: float
) -> tuple[float, float, float]:
    """Of a person's own forecasts with their outcomes, and percentile limits (people drawn)."""
    x, y = (v - (np.bincount(person, v) / np.bincount(person))[person] for v in (f, o))
    generator = np.random.default_rng(seed)
    weights = np.vstack([np.ones((1, f.size)), _weights(generator, [person], draws)])
    with np.errstate(invalid="ignore", divide="ignore"):
        r = weights @ (x * y) / np.sqrt((weights @ (x * x)) * (weights @ (y * y)))
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(r[1:], [tail, 1.0 - tail])
    return float(r[0]), float(low), float(high)


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """Bootstrap draws: the parts by name (draws,), and the bins' outcome shares (draws, bins)."""

    parts: dict[str, FloatArray]
    shares: FloatArray

    def interval(self, part: str, level: float) -> tuple[float, float]:
        """Percentile limits."""
        tail = (1.0 - level) / 2.0
        low, high = np.nanquantile(self.parts[part], [tail, 1.0 - tail])
        return float(low), float(high)


def resampled(
    f: FloatArray, o: FloatArray, groupings: Sequence[IntArray], *, draws: int, seed: int
) -> Resampled:
    """Bootstrap of whole people, and of whole items where these are crossed (Owen 2007).

    A row's weight is the product of how often its person and its item were drawn.
    """
    generator, bins = np.random.default_rng(seed), binned(f)
    found = []
    for start in range(0, draws, _CHUNK):
        weights = _weights(generator, groupings, min(_CHUNK, draws - start))
        found.append((weighted_brier(f, o, bins, weights), _shares(o, bins, weights)))
    parts = {name: np.concatenate([parts[i] for parts, _ in found]) for i, name in enumerate(PARTS)}
    return Resampled(parts, np.concatenate([shares for _, shares in found]))


def _weights(
    generator: np.random.Generator, groupings: Sequence[IntArray], draws: int
) -> FloatArray:
    weights = np.ones((draws, groupings[0].size))
    for group in groupings:
        levels = int(group.max()) + 1
        drawn = generator.multinomial(levels, np.full(levels, 1.0 / levels), size=draws)
        weights *= drawn[:, group]
    return weights


def _shares(o: FloatArray, bins: IntArray, weights: FloatArray) -> FloatArray:
    member = np.eye(BINS)[bins]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weights @ (member * o[:, None]) / (weights @ member))
