"""Widening: outcomes of people with the same access spread apart under treatment.

The cluster (class, team, firm) is the unit: each gives one bias-corrected log SD of its members'
outcomes, and arms are compared on these by Welch's t, so that few and unequal clusters are
honestly counted. The estimate is a difference of log SDs; its exponential is an SD ratio.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, did_you_mean
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import Criterion
from alc_stats.measures.columns import numbers, require
from alc_stats.measures.moments import log_sd
from alc_stats.models import spread_artefacts as artefacts
from alc_stats.models.finding import Claim, Finding, find
from alc_stats.models.spread_artefacts import FEWEST_MEMBERS, Arm, Spreads, Values
from alc_stats.records import FloatArray, Number, Phrase

FEWEST_CLUSTERS = 2
"""One cluster's spread cannot be told from the effect of its arm."""

NAMED = 8
"""Values of a column that an error lists, so that a column of ids does not fill the screen."""


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

    No verdict can rest on a spread that an artefact could have made. Scores heaped at or near an
    end of the scale, clusters without any spread, and cluster sizes so unequal that heavy tails
    would show are threats. So is a shift of the mean, unless the difference stands at equal
    cluster means (analysis of covariance), or the shift is too small for any coupling of spread
    and level that the data allow to make half of it.

    Parameters
    ----------
    data : DataFrame
        One row a person or occasion. Rows without an outcome are left out.
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
    DeclarationError
        If a column is unknown, a value of `arm` does not occur, or the bounds are not in order.
    TableError
        If the outcome does not hold finite numbers, or lies outside its bounds.
    FitError
        If an arm has fewer than two clusters of at least three values that are not all equal, a
        cluster is in both arms, or a row with an outcome has no cluster.

    References
    ----------
    Nakagawa et al. (2015), Methods in Ecology and Evolution 6, 143-152 (bias-corrected log SD).
    """
    require(data, [outcome, arm, cluster], where="widening")
    problems = [*_arm_problems(data[arm], treated, control), *_bound_problems(bounds)]
    if problems:
        raise DeclarationError(*problems)
    rows = data[[arm, cluster]].assign(
        **{outcome: numbers(data, [outcome], where="widening")[outcome]}
    )
    groups = [rows.loc[rows[arm] == name] for name in (treated, control)]
    spreads = _spreads(*groups, outcome=outcome, cluster=cluster)
    values: Values = {
        name: group[outcome].dropna().to_numpy(dtype=float)
        for name, group in zip((treated, control), groups, strict=True)
    }
    estimate = log_sd_difference(spreads, name=f"log SD of {outcome}, {treated} - {control}")
    scale = max(abs(estimate.value), criterion.smallest_effect)
    evidence = (
        artefacts.ends_of_scale(values, bounds, outcome=outcome),
        artefacts.mean_variance(spreads, values, scale=scale, level=1.0 - criterion.alpha),
        artefacts.left_out(spreads),
        artefacts.unequal_sizes(spreads, scale),
        artefacts.ignored_clustering(values, estimate),
    )
    return find(
        claim, estimate, criterion=criterion, evidence=evidence, observed=_observed(estimate)
    )


def _arm_problems(arms: pd.Series, treated: str, control: str) -> Iterator[Problem]:
    where = f"widening, column '{arms.name}'"
    if treated == control:
        yield Problem("treated and control are the same arm", where=where, found=f"'{treated}'")
    found = [str(a) for a in arms.dropna().unique()]
    for name in dict.fromkeys((treated, control)):
        if not (arms == name).any():
            yield Problem(
                f"no row is in arm '{name}'",
                where=where,
                found=", ".join(sorted(found)[:NAMED]) + (", ..." if len(found) > NAMED else ""),
                way_out=did_you_mean(str(name), found) if len(found) <= NAMED else "",
            )


def _bound_problems(bounds: tuple[float, float] | None) -> Iterator[Problem]:
    if bounds is not None and not bounds[0] < bounds[1]:
        yield Problem(
            "the bounds are not in order",
            where="widening, bounds",
            found=f"{bounds[0]:g}, {bounds[1]:g}",
            allowed="the smallest possible value, then the largest",
        )


def _observed(estimate: Estimate) -> Phrase:
    word = "wider" if estimate.value > 0 else "narrower"
    return Phrase(
        f"The observed spread is {word} under treatment, {{sd_ratio}} times the SD of control.",
        {"sd_ratio": Number(math.exp(estimate.value), "ratio")},
    )


def log_sd_difference(spreads: Spreads, *, name: str = "log SD difference") -> Estimate:
    """Mean log SD of treated minus control clusters, with Welch's standard error and df."""
    arms = (spreads.treated.log_sds, spreads.control.log_sds)
    parts = [float(np.var(x, ddof=1)) / x.size for x in arms]
    shares = sum(v**2 / (x.size - 1) for v, x in zip(parts, arms, strict=True))
    df = sum(parts) ** 2 / shares if shares > 0.0 else math.nan
    return Estimate(name, spreads.difference, math.sqrt(sum(parts)), df, "log SD")


def _spreads(
    treated: pd.DataFrame, control: pd.DataFrame, *, outcome: str, cluster: str
) -> Spreads:
    known = [part.loc[part[outcome].notna()] for part in (treated, control)]
    lost = sum(int(part[cluster].isna().sum()) for part in known)
    both = set(known[0][cluster].dropna()) & set(known[1][cluster].dropna())
    problems = [*_lost(lost, cluster), *_in_both(len(both), cluster)]
    if problems:
        raise FitError(*problems)
    return Spreads(*(_arm(part, outcome, cluster) for part in (treated, control)))


def _lost(count: int, cluster: str) -> Iterator[Problem]:
    if count:
        yield Problem(
            f"{count} rows with an outcome have no cluster",
            where=f"column '{cluster}'",
            allowed="a cluster in every row",
            way_out="Leave these rows out in the preparation of the data, where it is recorded.",
        )


def _in_both(count: int, cluster: str) -> Iterator[Problem]:
    if count:
        yield Problem(
            f"{count} clusters are in both arms",
            where=f"column '{cluster}'",
            allowed="each cluster in one arm",
            way_out="Name the level that was assigned to arms.",
        )


def _arm(rows: pd.DataFrame, outcome: str, cluster: str) -> Arm:
    """The clusters of one arm, measured or counted as left out."""
    members = [
        group.dropna().to_numpy(dtype=float)
        for _, group in rows.groupby(cluster, observed=True)[outcome]
    ]
    enough = [v for v in members if v.size >= FEWEST_MEMBERS]
    usable = [v for v in enough if np.ptp(v) > 0.0]
    if len(usable) < FEWEST_CLUSTERS:
        raise FitError(
            Problem(
                f"an arm has {len(usable)} clusters whose spread can be measured",
                where=f"column '{cluster}'",
                allowed=f"at least {FEWEST_CLUSTERS}, each of {FEWEST_MEMBERS} or more values "
                "that are not all equal",
                way_out="The spread of one cluster cannot be told from the effect of the arm.",
            )
        )
    return Arm(
        log_sds=np.array([log_sd(v).value for v in usable]),
        means=np.array([v.mean() for v in usable]),
        sizes=np.array([float(v.size) for v in usable]),
        mean_noise=np.array([v.var(ddof=1) / v.size for v in usable]),
        third_moments=np.array([_third_moment(v) for v in usable]),
        few=len(members) - len(enough),
        flat=len(enough) - len(usable),
    )


def _third_moment(values: FloatArray) -> float:
    n = values.size
    return n * float(np.sum((values - values.mean()) ** 3)) / ((n - 1) * (n - 2))
