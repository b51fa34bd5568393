"""How far a density jumps at a point, by local polynomials of the distribution function.

Nothing is binned: the distribution function of the sample is fitted on either side by a polynomial,
whose slope at the point is the density there (Cattaneo, Jansson and Ma 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class DensityJump:
    """Densities on either side of zero.

    Attributes
    ----------
    below, above : float
        Of the sample that was given.
    scores : array (G, 2)
        What every cluster adds to the error of each, but for what it adds to both alike.
    """

    below: float
    above: float
    scores: FloatArray

    @property
    def log_ratio(self) -> float:
        """Log of the density above over that below."""
        return math.log(self.above / self.below)

    @property
    def relative(self) -> FloatArray:
        """What every cluster adds to the error of `log_ratio` (G,)."""
        return np.asarray(self.scores[:, 1] / self.above - self.scores[:, 0] / self.below)

    @property
    def clusters(self) -> int:
        """How many have values near zero."""
        return int((self.relative != 0.0).sum())

    @property
    def variance(self) -> float:
        """Of `log_ratio`, over whole clusters, by clusters / (clusters - 1)."""
        m = self.clusters
        return float((self.relative**2).sum()) * m / (m - 1.0)


def density_jump(
    place: FloatArray,
    clusters: IntArray,
    *,
    reach: float,
    weights: FloatArray | None = None,
    order: int = 3,
) -> DensityJump:
    """Densities just below and from zero on.

    Parameters
    ----------
    place : array (n,)
        Without mass points; the jump is at zero, which belongs to the upper side.
    clusters : int array (n,)
        0 ... G - 1.
    reach : float
        How far from zero values are used, with triangular weights.
    weights : array (n,), optional
    order : int
        Of the polynomial of the distribution function.

    Raises
    ------
    FitError
        With too few values on a side, or a density that is not above zero.

    References
    ----------
    Cattaneo, Jansson and Ma (2020), Journal of the American Statistical Association 115, 1449-1455.

    Examples
    --------
    >>> place = np.concatenate([np.linspace(-1, 0, 500, endpoint=False), np.linspace(0, 1, 1000)])
    >>> found = density_jump(place, np.arange(1500), reach=0.5)
    >>> round(math.exp(found.log_ratio), 2)
    2.0
    """
    rank = np.argsort(place, kind="stable")
    x, group = place[rank], clusters[rank]
    w = np.ones(len(x)) if weights is None else weights[rank]
    whole = float(w.sum())
    distribution = (np.cumsum(w) - w) / whole
    sides = [np.flatnonzero((x >= -reach) & (x < 0.0)), np.flatnonzero((x >= 0.0) & (x <= reach))]
    densities, scores = [], np.zeros((int(clusters.max(initial=0)) + 1, 2))
    for side, at in enumerate(sides):
        if len(np.unique(x[at])) <= 2 * (order + 1):
            raise FitError(Problem("too few values on a side", where="density_jump",
                                   found=f"{len(at)} within {reach:g}"))  # fmt: skip
        density, error = _slope(x[at] / reach, w[at], distribution[at], whole, order)
        densities.append(density / reach)
        scores[:, side] = np.bincount(group[at], error / reach, minlength=len(scores))
    if min(densities) <= 0.0:
        raise FitError(Problem("the density is not above zero", where="density_jump"))
    return DensityJump(densities[0], densities[1], scores)


def _slope(
    u: FloatArray, w: FloatArray, distribution: FloatArray, whole: float, order: int
) -> tuple[float, FloatArray]:
    """Of the distribution function at zero, and what every value adds to its error.

    A value moves the curve by its own residual, and the distribution function of all above it.
    """
    R = np.vander(u, order + 1, increasing=True)
    pull = R * (w * (1.0 - np.abs(u)))[:, None]
    row = np.linalg.inv(pull.T @ R)[1]
    slope = pull @ row
    density = float(slope @ distribution)
    residual = distribution - R @ np.linalg.solve(pull.T @ R, pull.T @ distribution)
    beyond = np.cumsum(slope[::-1])[::-1] - slope
    return density, slope * residual + w * beyond / whole
