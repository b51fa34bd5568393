"""Widening: outcomes of people with the same access spread apart under treatment.

The cluster (class, team, firm) is the unit: each gives one bias-corrected log SD of its members'
outcomes, and arms are compared on these by Welch's t, so that few and unequal clusters are
honestly counted. The estimate is a difference of log SDs; its exponential is an SD ratio.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import Criterion
from alc_stats.inference.homogeneity import brown_forsythe
from alc_stats.measures.describe import bounds_share
from alc_stats.measures.moments import log_sd
from alc_stats.models.finding import Claim, Evidence, Finding, Outcome, find
from alc_stats.records import FloatArray, Number, Phrase

SHARE_AT_BOUND = 0.05
"""More than this share of an arm exactly at a bound, and the bound may have made the spread."""

SHARE_EXPLAINED = 0.5
"""A mean shift that predicts at least this much of the log SD difference may have made it."""

COUPLING_ALPHA = 0.05
FEWEST_CLUSTERS = 2
FEWEST_MEMBERS = 3
FEWEST_FOR_A_LINE = 3

Values = Mapping[str, FloatArray]
"""Outcomes by arm."""


@dataclass(frozen=True, slots=True)
class Spreads:
    """Log SD and mean of each cluster in the two arms: arrays (clusters of that arm,)."""

    treated: FloatArray
    control: FloatArray
    treated_means: FloatArray
    control_means: FloatArray


def widening(
    data: pd.DataFrame,
    claim: Claim,
    *,
    outcome: str,
    arm: str,
    treated: str,
    control: str,
    cluster: str,
    criterion: Criterion,
    bounds: tuple[float, float] | None = None,
) -> Finding:
    """Whether `outcome` spreads wider among the members of treated clusters than of control ones.

    Parameters
    ----------
    data : DataFrame
        One row a person or occasion.
    claim : Claim
        The prediction that is tested.
    outcome, arm, cluster : str
        Columns. Arms are assigned to whole clusters.
    treated, control : str
        The two values of `arm` that are compared.
    criterion : Criterion
        Rule and smallest effect, in log SD.
    bounds : (float, float), optional
        The outcome's smallest and largest possible value. Without it no verdict but
        inconclusive or not supported can be had, since a bound alone changes the spread.

    Raises
    ------
    FitError
        If an arm has fewer than two clusters of at least three members, or a cluster is in both.

    References
    ----------
    Nakagawa et al. (2015), Methods in Ecology and Evolution 6, 143-152 (bias-corrected log SD).
    """
    rows = data.loc[data[arm].isin([treated, control]), [outcome, arm, cluster]].dropna()
    groups = {name: rows.loc[rows[arm] == name] for name in (treated, control)}
    spreads = _spreads(groups[treated], groups[control], outcome, cluster)
    estimate = log_sd_difference(spreads, name=f"log SD of {outcome}, {treated} - {control}")
    values: Values = {name: group[outcome].to_numpy(dtype=float) for name, group in groups.items()}
    evidence = (
        _bound_evidence(values, bounds),
        _coupling_evidence(spreads, estimate.value),
        _naive_evidence(values, estimate),
    )
    return find(
        claim, estimate, criterion=criterion, evidence=evidence, observed=_observed(estimate)
    )


def _observed(estimate: Estimate) -> Phrase:
    word = "wider" if estimate.value > 0 else "narrower"
    return Phrase(
        f"The observed spread is {word} under treatment, {{sd_ratio}} times the SD of control.",
        {"sd_ratio": Number(math.exp(estimate.value), "ratio")},
    )


def log_sd_difference(spreads: Spreads, *, name: str = "log SD difference") -> Estimate:
    """Mean log SD of treated minus control clusters, with Welch's standard error and df."""
    parts = [np.var(x, ddof=1) / len(x) for x in (spreads.treated, spreads.control)]
    df = sum(parts) ** 2 / sum(
        v**2 / (len(x) - 1) for v, x in zip(parts, (spreads.treated, spreads.control), strict=True)
    )
    value = float(np.mean(spreads.treated) - np.mean(spreads.control))
    return Estimate(name, value, math.sqrt(sum(parts)), float(df), "log SD")


def _spreads(treated: pd.DataFrame, control: pd.DataFrame, outcome: str, cluster: str) -> Spreads:
    both = set(treated[cluster]) & set(control[cluster])
    if both:
        raise FitError(
            Problem(
                f"{len(both)} clusters are in both arms",
                where=f"column '{cluster}'",
                allowed="each cluster in one arm",
                way_out="Name the level that was assigned to arms.",
            )
        )
    (treated_sd, treated_means), (control_sd, control_means) = (
        _by_cluster(part, outcome, cluster) for part in (treated, control)
    )
    return Spreads(treated_sd, control_sd, treated_means, control_means)


def _by_cluster(rows: pd.DataFrame, outcome: str, cluster: str) -> tuple[FloatArray, FloatArray]:
    """Log SDs and means of the clusters whose spread can be measured."""
    members = [g.to_numpy(dtype=float) for _, g in rows.groupby(cluster, observed=True)[outcome]]
    usable = [v for v in members if len(v) >= FEWEST_MEMBERS and np.ptp(v) > 0]
    if len(usable) < FEWEST_CLUSTERS:
        raise FitError(
            Problem(
                f"an arm has {len(usable)} clusters whose spread can be measured",
                where=f"column '{cluster}'",
                allowed=f"at least {FEWEST_CLUSTERS}, each of {FEWEST_MEMBERS} or more values",
                way_out="The spread of one cluster cannot be told from the effect of the arm.",
            )
        )
    return np.array([log_sd(v).value for v in usable]), np.array([v.mean() for v in usable])


_UNBOUNDED = Phrase(
    "The outcome's bounds are not declared, so a floor or ceiling cannot be ruled out."
)
_OFF_BOUNDS = (
    "At most {floor_share} of an arm lies at the floor and {ceiling_share} at the ceiling."
)
_AT_BOUNDS = (
    "Up to {floor_share} of an arm lies exactly at the floor and {ceiling_share} at the ceiling, "
    "where scores cannot spread further; a model of the bounded outcome is needed before the "
    "spread can be read as people's own."
)


def _bound_evidence(values: Values, bounds: tuple[float, float] | None) -> Evidence:
    """Whether so many values lie exactly at a bound that the bound may have made the spread."""
    if bounds is None:
        return Evidence("bounds", "threat", _UNBOUNDED)
    shares = [bounds_share(v, lower=bounds[0], upper=bounds[1]) for v in values.values()]
    floor, ceiling = max(s.floor for s in shares), max(s.ceiling for s in shares)
    threat = max(floor, ceiling) >= SHARE_AT_BOUND
    numbers = {"floor_share": Number(floor, "share"), "ceiling_share": Number(ceiling, "share")}
    phrase = Phrase(_AT_BOUNDS if threat else _OFF_BOUNDS, numbers)
    return Evidence("bounds", "threat" if threat else "clear", phrase)


_TOO_FEW = Phrase("Too few control clusters to relate spread to level.")
_COUPLING = (
    "Among control clusters log SD changes by {coupling_slope} per unit of the mean "
    "(p {coupling_p}); the shift of the mean alone predicts a difference of "
    "{predicted_log_sd} log SD."
)


def _coupling_evidence(spreads: Spreads, difference: float) -> Evidence:
    """Whether spread goes with level, and the mean shift alone would predict the difference."""
    if len(spreads.control) < FEWEST_FOR_A_LINE:
        return Evidence("mean-variance coupling", "not tested", _TOO_FEW)
    line = stats.linregress(spreads.control_means, spreads.control)
    shift = spreads.treated_means.mean() - spreads.control_means.mean()
    predicted = float(line.slope * shift)
    large = predicted * difference > 0 and abs(predicted) >= SHARE_EXPLAINED * abs(difference)
    numbers = {
        "coupling_slope": Number(float(line.slope)),
        "coupling_p": Number(float(line.pvalue), "p"),
        "predicted_log_sd": Number(predicted, "estimate", "log SD"),
    }
    outcome: Outcome = "threat" if large and line.pvalue < COUPLING_ALPHA else "clear"
    return Evidence("mean-variance coupling", outcome, Phrase(_COUPLING, numbers))


_NAIVE = (
    "A Brown-Forsythe test that takes every row as independent gives p {naive_p}; "
    "with the cluster as the unit p is {clustered_p}."
)


def _naive_evidence(values: Values, estimate: Estimate) -> Evidence:
    """What the test that ignores clusters would have said; the estimate does not ignore them."""
    numbers = {
        "naive_p": Number(brown_forsythe(values).p, "p"),
        "clustered_p": Number(estimate.p_value, "p"),
    }
    return Evidence("ignored clustering", "clear", Phrase(_NAIVE, numbers))
