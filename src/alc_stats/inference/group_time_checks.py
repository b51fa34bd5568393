"""Small-sample checks of an overall group-time effect: jackknife and wild bootstrap of clusters.

MacKinnon, Nielsen and Webb (2023), Journal of Econometrics 232, 272-299.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.inference.group_time import GroupTimes
from alc_stats.inference.group_time_summaries import Summary, clustered, strata
from alc_stats.inference.multipliers import multipliers
from alc_stats.records import FloatArray

_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Wild:
    """P of no overall effect; how many draws of which weights."""

    p: float
    draws: int
    weights: str


def jackknifed_error(cells: GroupTimes) -> float:
    """Jackknife standard error (CV3) of the mean over cohorts of their mean effects.

    Every unit is left out in turn, from its cohort's mean, from those that it is compared with,
    and from its cohort's size; exact without covariates and with each unit a cluster. nan where
    a cell has one unit to be compared with, or one unit alone is treated.
    """
    after = cells.period >= cells.group
    if cells.controls[after].min() < 2 or np.isin(cells.adoption, cells.group[after]).sum() < 2:
        return float("nan")
    values = _left_out(cells)
    n = len(values)
    return float(np.sqrt((n - 1.0) / n * np.sum((values - values.mean()) ** 2)))


def _left_out(cells: GroupTimes) -> FloatArray:
    """Overall effects (n,), one unit left out of each."""
    n = len(cells.adoption)
    after = cells.period >= cells.group
    group, size = cells.group[after], np.round(cells.shares[after] * n)
    own = cells.adoption[:, None] == group[None, :]
    others = cells.controls[after].astype(float)
    alone = np.maximum(size - 1.0, 1.0)  # a cohort of one has no deviation, and no weight below
    share = np.where(own, size / alone, others / (others - 1.0))
    values = cells.value[after][None, :] - cells.influence[:, after] * share / n
    cohorts = np.unique(group)
    means = np.column_stack([values[:, group == g].mean(axis=1) for g in cohorts])
    member = (cells.adoption[:, None] == cohorts[None, :]).astype(float)
    weight = member.sum(axis=0)[None, :] - member
    total = np.sum(np.where(weight > 0.0, weight * means, 0.0), axis=1)
    return np.asarray(total / weight.sum(axis=1))


def wild_overall(cells: GroupTimes, summary: Summary, *, draws: int, seed: int) -> Wild:
    """Wild bootstrap-t of the overall effect: clusters' influence functions times random signs.

    Clusters of a cohort are centred, as in the standard error, which is taken anew in every draw;
    taking a constant effect out of the outcomes would not change them, so the null is imposed.
    Webb's points with up to twelve clusters.
    """
    sums = clustered(cells, summary.overall_influence[:, None])[:, 0]
    groups = [members for members in strata(cells) if len(members) > 1]
    centred = np.zeros_like(sums)
    for members in groups:
        centred[members] = sums[members] - sums[members].mean()
    observed = abs(summary.overall) / summary.overall_se
    plan = multipliers("auto", len(sums), n=draws, seed=seed)
    extreme = 0
    for v in plan.chunks():
        drawn = v * centred
        variance = np.zeros(len(v))
        for members in groups:
            part, c = drawn[:, members], len(members)
            around = part - part.mean(axis=1, keepdims=True)
            variance += np.sum(around**2, axis=1) * c / (c - 1.0)
        size = np.abs(drawn.sum(axis=1))
        extreme += int(np.sum(size >= observed * np.sqrt(variance) * (1.0 - _TIE)))
    return Wild(plan.share(extreme), plan.number, plan.kind)
