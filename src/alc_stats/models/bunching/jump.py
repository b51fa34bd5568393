"""The jump of the density at the quota: the same question without bins and without their curve."""

from __future__ import annotations

import math

import numpy as np

from alc_stats.errors import FitError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.density_jump import DensityJump, density_jump
from alc_stats.models.bunching.data import BunchingData, Near
from alc_stats.records import Number, Phrase

LOG_DENSITY = "log density"
MASS = 0.01
"""Share of the amounts near the quota from which on one number is a mass point."""
FEWEST_AT_A_POINT = 5


def jump(data: BunchingData) -> Estimate | Phrase:
    """Log density beyond the quota less that short of it, under the quota less without it.

    Why there is none, where a log has mass points: there a density has no height.
    """
    groups = ("under", data.comparison)
    mass = max(_heaviest(data.near[g]) for g in groups)
    if mass > 0.0:
        seen = "Not tested: {heaviest} of the amounts near the quota are one number, a mass point."
        return Phrase(seen, {"heaviest": Number(mass, "share")})
    try:
        own, other = (_jump(data.near[g], data.question.below) for g in groups)
    except FitError as error:
        return Phrase.verbatim(f"Not tested: {error.problems[0].what}.")
    if min(own.clusters, other.clusters) < 2:
        return Phrase("Not tested: a single firm lies near the quota.")
    value = own.log_ratio - other.log_ratio
    if data.comparison == "never":
        return Estimate("jump", value, *_apart(own, other), LOG_DENSITY)
    apart = own.relative - other.relative
    m = int((apart != 0.0).sum())
    se = math.sqrt(float((apart**2).sum()) * m / (m - 1.0))
    return Estimate("jump", value, se, m - 1.0, LOG_DENSITY)


def _jump(near: Near, reach: float) -> DensityJump:
    return density_jump(near.place, near.firm, reach=reach, weights=near.weight)


def _apart(own: DensityJump, other: DensityJump) -> tuple[float, float]:
    """Standard error and Welch's degrees of freedom."""
    a, b = own.variance, other.variance
    df = (a + b) ** 2 / (a**2 / (own.clusters - 1) + b**2 / (other.clusters - 1))
    return math.sqrt(a + b), df


def _heaviest(near: Near) -> float:
    """Share of the amounts at the commonest number, where that is a mass point; otherwise 0."""
    if not len(near.place):
        return 0.0
    _, count = np.unique(near.place, return_counts=True)
    share = float(count.max() / len(near.place))
    return share if share > MASS and count.max() >= FEWEST_AT_A_POINT else 0.0
