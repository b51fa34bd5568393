"""What could make one arm's outcomes spread wider than another's, other than the people in it.

Each function weighs one artefact and returns `Evidence`. The burden of proof is on "clear": what
the data cannot rule out, because they are few or lie badly for it, is a threat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.estimators.estimate import Estimate
from alc_stats.measures.describe import bounds_share
from alc_stats.models.finding import Evidence, Outcome
from alc_stats.records import FloatArray, Number, Phrase

NEAR_BOUND = 0.05
"""A value within this share of the declared range of a bound is near it: scores are often capped
or rounded a little inside their bounds, and room runs out before the bound is reached."""

SHARE_AT_BOUND = 0.05
"""At least this share of an arm near a bound, and the bound may have made the spread. It equals
`NEAR_BOUND`: an arm spread evenly over the whole range puts just as much there, and one that no
bound holds in thins out towards it."""

SHARE_EXPLAINED = 0.5
"""What could make half of a difference could, with a little chance beside it, have made all of
what is shown; below half, most of the difference is something else."""

RELIABLE_MEANS = 0.5
"""Below half, cluster means differ more by who was sampled than by level, and a slope on them,
corrected for that, is more correction than slope."""

HEAVY_TAILS = 6.0
"""Excess kurtosis of the exponential and of t with 5 df. The correction of a log SD assumes 0 and
falls short by about a quarter of this over n; simulated t with 3 df falls short by less."""

FEWEST_MEMBERS = 3
"""The fewest values with a spread, a mean and a skewness of their own."""

Values = Mapping[str, FloatArray]
"""Outcomes by arm."""


@dataclass(frozen=True, slots=True)
class Arm:
    """The clusters of one arm whose spread can be measured, and how many cannot.

    Attributes
    ----------
    log_sds, means, sizes : array (clusters,)
    mean_noise : array (clusters,)
        Sampling variance of each mean.
    third_moments : array (clusters,)
        Third central moment of each, corrected for its bias.
    few, flat : int
        Clusters left out for fewer than `FEWEST_MEMBERS` values, or for values all equal.
    members : array (clusters,), optional
        Values in each. `sizes` by default; where differences within clusters are compared, `sizes`
        are the sizes that give their sampling variances.
    """

    log_sds: FloatArray
    means: FloatArray
    sizes: FloatArray
    mean_noise: FloatArray
    third_moments: FloatArray
    few: int
    flat: int
    members: FloatArray | None = None

    @property
    def counts(self) -> FloatArray:
        """Values in each cluster."""
        return self.sizes if self.members is None else self.members


@dataclass(frozen=True, slots=True)
class Change:
    """Differences in differences where there is a time before.

    Attributes
    ----------
    log_sd, mean : float
        Change of treated minus change of control clusters.
    variance : float
        Of `log_sd`, over clusters.
    """

    log_sd: float
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Spreads:
    """The two arms that are compared; one, if clusters are compared with themselves.

    Attributes
    ----------
    treated : Arm
    control : Arm or None
        None where `treated` holds differences within clusters.
    level : float, optional
        Mean of the treated clusters (after), where `treated` holds averages or differences.
    change : Change, optional
        What is compared where there is a time before; the arms hold averages over both times then,
        which tell how spread goes with level.
    """

    treated: Arm
    control: Arm | None
    level: float | None = None
    change: Change | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms there are."""
        return (self.treated,) if self.control is None else (self.treated, self.control)

    @property
    def shift(self) -> float:
        """Mean of the treated minus mean of the control clusters' means."""
        own = _apart([float(a.means.mean()) for a in self.arms])
        return own if self.change is None else self.change.mean

    @property
    def difference(self) -> float:
        """Mean log SD of treated minus control clusters."""
        own = _apart([float(a.log_sds.mean()) for a in self.arms])
        return own if self.change is None else self.change.log_sd

    @property
    def levels(self) -> tuple[float, float]:
        """Mean of the treated clusters, and what it would be without the shift."""
        level = float(self.treated.means.mean()) if self.level is None else self.level
        return level, level - self.shift


def _apart(of_arms: list[float]) -> float:
    """First less second; the first itself where it is a difference already."""
    return of_arms[0] - sum(of_arms[1:])


def left_out(spreads: Spreads) -> Evidence:
    """Whether clusters without spread were left out, which overstates the spread of their arm."""
    arms = dict(zip(("treated", "control"), spreads.arms, strict=False))
    flat = any(a.flat for a in arms.values())
    numbers = {"fewest_members": Number(FEWEST_MEMBERS, "count")}
    for name, a in arms.items():
        numbers[f"{name}_clusters"] = Number(a.sizes.size, "count")
        numbers[f"{name}_few"] = Number(a.few, "count")
        numbers[f"{name}_flat"] = Number(a.flat, "count")
    one = len(arms) == 1
    measured, all_equal = (_MEASURED_ONE, _FLAT_ONE) if one else (_MEASURED, _FLAT)
    phrase = Phrase(measured + (all_equal if flat else ""), numbers)
    return Evidence("clusters left out", "threat" if flat else "clear", phrase)


_MEASURED = (
    "The spread of {treated_clusters} treated and {control_clusters} control clusters is measured; "
    "{treated_few} treated and {control_few} control clusters have fewer than {fewest_members} "
    "values and are left out."
)
_FLAT = (
    " In {treated_flat} treated and {control_flat} control clusters all values are equal; no log "
    "SD can stand for that, and leaving them out overstates the spread of their arm."
)


_MEASURED_ONE = (
    "The spread of {treated_clusters} persons is measured in both arms; {treated_few} treated "
    "cells of a person have fewer than {fewest_members} values and are left out."
)
_FLAT_ONE = (
    " In {treated_flat} treated cells all values are equal; no log SD can stand for that, and "
    "leaving them out overstates the spread."
)


def unequal_sizes(spreads: Spreads, scale: float) -> Evidence:
    """Whether the arms' cluster sizes differ so that heavy tails alone could make the difference.

    A small cluster seldom meets the tail, so its log SD falls short by about kurtosis / (4 n)
    beyond the normal correction. The shortfall at `HEAVY_TAILS` is held against half of `scale`.
    """
    if spreads.control is None:
        return Evidence("unequal cluster sizes", "clear", _OWN_SIZES)
    arms = (spreads.treated, spreads.control)
    inverse = [float(np.mean(1.0 / arm.counts)) for arm in arms]
    bias = HEAVY_TAILS / 4.0 * abs(inverse[0] - inverse[1])
    threat = bias >= SHARE_EXPLAINED * scale
    numbers = {
        "treated_size": Number(_middle(spreads.treated.counts), "count"),
        "control_size": Number(_middle(spreads.control.counts), "count"),
        "size_log_sd": Number(bias, "estimate", "log SD"),
    }
    phrase = Phrase(_SIZES + (_SIZES_MATTER if threat else "."), numbers)
    return Evidence("unequal cluster sizes", "threat" if threat else "clear", phrase)


def _middle(sizes: FloatArray) -> float:
    """The median that is a size which occurs: of two in the middle, the smaller."""
    return float(np.quantile(sizes, 0.5, method="lower"))


_OWN_SIZES = Phrase("Persons are compared with themselves; there are no arms of unequal sizes.")
_SIZES = (
    "The median cluster has {treated_size} values under treatment and {control_size} in control; "
    "were the tails heavy, the sizes alone could make a difference of up to {size_log_sd} log SD"
)
_SIZES_MATTER = ", at least half of the difference or of the smallest effect, if that is larger."


def ends_of_scale(values: Values, bounds: tuple[float, float] | None, *, outcome: str) -> Evidence:
    """Whether values heap at or near a bound, declared or not, that may have made the spread."""
    if bounds is None:
        return Evidence("bounds", "threat", _UNBOUNDED)
    lower, upper = bounds
    ends = _ends(values, bounds)
    margin = NEAR_BOUND * (ends[1] - ends[0])
    columns = [pd.Series(v, name=outcome) for v in values.values()]
    exact = [bounds_share(c, lower=lower, upper=upper) for c in columns]
    floor, ceiling = (b if math.isfinite(b) else math.nan for b in bounds)  # nan is near nothing
    near_floor = max(float(np.mean(v <= floor + margin)) for v in values.values())
    near_ceiling = max(float(np.mean(v >= ceiling - margin)) for v in values.values())
    heap = max(_heap(v) for v in values.values())
    numbers = {
        "floor_share": Number(max(s.floor for s in exact), "share"),
        "ceiling_share": Number(max(s.ceiling for s in exact), "share"),
        "near_floor_share": Number(near_floor, "share"),
        "near_ceiling_share": Number(near_ceiling, "share"),
        "margin": Number(NEAR_BOUND, "share"),
        "heap_share": Number(heap, "share"),
        "range_used": Number(_range_used(values, ends), "share"),
    }
    threat = max(near_floor, near_ceiling, heap) >= SHARE_AT_BOUND
    phrase = Phrase(_ENDS + (_HELD_IN if threat else ""), numbers)
    return Evidence("bounds", "threat" if threat else "clear", phrase)


def _ends(values: Values, bounds: tuple[float, float]) -> tuple[float, float]:
    """The bounds, or the end of the data where there is none."""
    everyone = np.concatenate(list(values.values()))
    lower, upper = bounds
    return (
        lower if math.isfinite(lower) else float(everyone.min()),
        upper if math.isfinite(upper) else float(everyone.max()),
    )


def _heap(values: FloatArray) -> float:
    """Share of values that equal the smallest or the largest one, where that is more than one."""
    counts = [int(np.sum(values == end)) for end in (values.min(), values.max())]
    return max(count if count > 1 else 0 for count in counts) / values.size


def _range_used(values: Values, bounds: tuple[float, float]) -> float:
    """Share of the declared range that the middle 90 % of all values take up."""
    low, high = np.quantile(np.concatenate(list(values.values())), [0.05, 0.95])
    return float(high - low) / (bounds[1] - bounds[0])


_UNBOUNDED = Phrase(
    "The outcome's bounds are not declared, so a floor or ceiling cannot be ruled out."
)
_ENDS = (
    "Up to {floor_share} of an arm lies exactly at the floor and {ceiling_share} at the ceiling, "
    "{near_floor_share} and {near_ceiling_share} within {margin} of the range of them, and "
    "{heap_share} on one value at an end of the data; the middle 90 % of the values take up "
    "{range_used} of the declared range."
)
_HELD_IN = (
    " Scores at an end cannot spread further: a model of the bounded outcome is needed before "
    "the spread can be read as people's own."
)


@dataclass(frozen=True, slots=True)
class Coupling:
    """How cluster log SD goes with cluster mean within arms, free of the means' sampling error.

    Attributes
    ----------
    slope : Estimate
        Change of log SD per unit of the mean.
    adjusted : Estimate
        The arms' difference in log SD at equal means.
    reliability : float
        Share of the variance of cluster means within arms that is not sampling error.
    """

    slope: Estimate
    adjusted: Estimate
    reliability: float

    def keeps(self, difference: float, level: float) -> bool:
        """Whether at least half of `difference`, and more than chance, stands at equal means."""
        side = math.copysign(1.0, difference)
        nearest = min(side * limit for limit in self.adjusted.interval(level))
        return (
            self.reliability >= RELIABLE_MEANS
            and nearest > 0.0
            and side * self.adjusted.value >= SHARE_EXPLAINED * abs(difference)
        )


def coupling(spreads: Spreads) -> Coupling | None:
    """Analysis of covariance of log SD on arm and mean, corrected for sampling error in the means.

    None where the means do not vary within arms, or clusters are too few. At most half of their
    variance is taken out as sampling error.

    References
    ----------
    Fuller, W. A. (1987). Measurement error models. Wiley, section 2.2; here with one covariate,
    and degrees of freedom so that without sampling error it is least squares.
    """
    arms = spreads.arms
    x = np.concatenate([a.means - a.means.mean() for a in arms])
    y = np.concatenate([a.log_sds - a.log_sds.mean() for a in arms])
    within, free = x.size - len(arms), x.size - len(arms) - 1
    if free < 1:
        return None
    seen = float(x @ x) / within
    if seen == 0.0:
        return None
    noise = float(np.mean(np.concatenate([a.mean_noise for a in arms])))
    joint = float(np.mean(np.concatenate([_joint_noise(a) for a in arms])))
    part = min(1.0, (1.0 - RELIABLE_MEANS) * seen / noise)
    true = seen - part * noise
    slope = (float(x @ y) / within - part * joint) / true
    rest = float(np.sum((y - slope * x) ** 2)) / free
    variance = (seen * rest + part**2 * (joint - slope * noise) ** 2) / (within * true**2)
    own = rest * sum(1.0 / a.sizes.size for a in arms)
    apart = own if spreads.change is None else spreads.change.variance
    apart += spreads.shift**2 * variance
    at_equal_means = spreads.difference - slope * spreads.shift
    return Coupling(
        Estimate("slope", slope, math.sqrt(variance), free),
        Estimate("at equal means", at_equal_means, math.sqrt(apart), free, "log SD"),
        1.0 - noise / seen,
    )


def _joint_noise(arm: Arm) -> FloatArray:
    """Sampling covariance of each cluster's mean and log SD: skewness times SD over 2 n.

    The covariance of mean and variance is the third central moment over n, exactly; the variance
    becomes a log SD by its derivative. Skewness is pooled, since that of few values is biased.
    """
    sds = np.sqrt(arm.mean_noise * arm.sizes)
    skewness = arm.third_moments.sum() / np.sum(sds**3)
    return np.asarray(skewness * sds / (2.0 * arm.sizes))


def mean_variance(spreads: Spreads, values: Values, *, scale: float, level: float) -> Evidence:
    """Whether the shift of the mean could have made the difference, spread going with level.

    It is clear only if the difference at equal cluster means excludes zero on its own side and
    keeps at least half, or if the shift is so small that neither the far limit of the slope nor
    a spread proportional to the distance from either end of the data makes half of `scale`.

    Parameters
    ----------
    scale : float
        The larger of the difference's size and the smallest effect, log SD.
    level : float
        Of the intervals.
    """
    found = coupling(spreads)
    furthest = _from_the_ends(spreads, values)
    if found is not None:
        limits = found.slope.interval(level)
        furthest = max(furthest, *(abs(slope * spreads.shift) for slope in limits))
    small = furthest < SHARE_EXPLAINED * scale
    kept = found is not None and found.keeps(spreads.difference, level)
    numbers = {
        "mean_shift": Number(spreads.shift),
        "furthest_log_sd": Number(furthest, "estimate", "log SD"),
    }
    template = _UNEXAMINED
    if found is not None:
        template = _EXAMINED
        numbers |= _coupling_numbers(found, spreads.shift, level)
    template += _SMALL if small else _KEPT if kept else _EXPLAINS
    outcome: Outcome = "clear" if small or kept else "threat"
    return Evidence("mean-variance coupling", outcome, Phrase(template, numbers))


def _from_the_ends(spreads: Spreads, values: Values) -> float:
    """Difference in log SD if spread were proportional to the distance from an end of the data.

    Where the end is zero this is a constant coefficient of variation.
    """
    everyone = np.concatenate(list(values.values()))
    means = spreads.levels
    apart = [
        (abs(means[0] - end), abs(means[1] - end))
        for end in (float(everyone.min()), float(everyone.max()))
    ]
    return max(abs(math.log(a / b)) if a > 0.0 and b > 0.0 else math.inf for a, b in apart)


def _coupling_numbers(found: Coupling, shift: float, level: float) -> dict[str, Number]:
    low, high = found.adjusted.interval(level)
    log_sds = {
        "predicted_log_sd": found.slope.value * shift,
        "adjusted_log_sd": found.adjusted.value,
        "adjusted_low": low,
        "adjusted_high": high,
    }
    return {
        "coupling_slope": Number(found.slope.value),
        "coupling_p": Number(found.slope.p_value, "p"),
        "mean_reliability": Number(max(found.reliability, 0.0), "share"),
    } | {name: Number(value, "estimate", "log SD") for name, value in log_sds.items()}


_EXAMINED = (
    "Within arms the log SD of clusters changes by {coupling_slope} per unit of their mean "
    "(p {coupling_p}; {mean_reliability} of the variance of means is not sampling error), so that "
    "the shift of the mean by {mean_shift} alone predicts a difference of {predicted_log_sd} "
    "log SD; at equal means the difference is {adjusted_log_sd} ({adjusted_low} to "
    "{adjusted_high})."
)
_UNEXAMINED = (
    "Cluster means do not vary within arms, so that spread cannot be related to level; the mean "
    "shifts by {mean_shift}."
)
_SMALL = (
    " Even a coupling as strong as the data allow makes no more than {furthest_log_sd} log SD of "
    "this shift, less than half of the difference or of the smallest effect, if that is larger."
)
_KEPT = " At least half of the difference stands at equal means."
_EXPLAINS = (
    " A coupling that the data do not rule out makes up to {furthest_log_sd} log SD of this shift, "
    "at least half of the difference or of the smallest effect, if that is larger."
)
