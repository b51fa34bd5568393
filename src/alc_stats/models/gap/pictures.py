"""A gap to look at: effects side by side, and how they came about from wave to wave."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from alc_stats.estimators.estimate import Estimate, t_interval
from alc_stats.models.gap.comparison import Gap
from alc_stats.models.gap.data import Level
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture

_ASIDE = 0.04
"""Arms stand this far beside a wave, so that their intervals do not hide one another."""
_NAMES: dict[Level, str] = {"usage": "Use", "awareness": "Awareness", "capability": "Capability"}


def gap_pictures(found: Gap) -> tuple[Picture, ...]:
    """Effects with their bound; with several waves, trajectories as well."""
    waves = found.data.rows["wave"].nunique()
    return (_effects(found), *([_trajectory(found)] if waves > 1 else []))


def _effects(found: Gap) -> Picture:
    own: dict[str, Estimate] = {_NAMES[o]: found.estimate(o) for o in found.parts}
    gap = found.effect({"awareness": 1.0, "capability": -1.0}, "gap")
    own |= {"Awareness minus capability": gap}
    ends = [e.interval(1.0 - found.alpha) for e in own.values()]
    rows = Mark(
        kind="row",
        texts=tuple(own),
        x=tuple(e.value for e in own.values()),
        low=tuple(low for low, _ in ends),
        high=tuple(high for _, high in ends),
    )
    bound = found.data.question.smallest_capability
    marks = (rows, Mark(kind="down", x=(0.0, bound)))
    people = found.data.rows["person"].nunique()
    return Picture(
        id="effects",
        title="Effects of treatment on use, awareness and capability",
        caption=f"Effects in SDs of those never treated, with intervals ({people} persons, "
        f"{found.data.clusters} {found.data.unit_name}s). Lines at zero and at {bound:g} SD, below "
        "which capability must stay for a gap.",
        alt="Rows of intervals for use, awareness, capability and their difference, with dashed "
        "lines at zero and at the bound of capability.",
        x="Effect (baseline SD)",
        panels=(Panel(marks=marks),),
    )


def _trajectory(found: Gap) -> Picture:
    rows = found.data.rows
    places = {wave: float(i) for i, wave in enumerate(sorted(rows["wave"].unique(), key=_order))}
    panels = []
    for outcome in found.parts:
        marks = [
            mark
            for treated, label, aside in ((0.0, "control", -_ASIDE), (1.0, "treated", _ASIDE))
            for mark in _marks(
                rows.loc[rows["treated"] == treated],
                outcome,
                label,
                {wave: at + aside for wave, at in places.items()},
                found,
            )
        ]
        panels.append(Panel(title=_NAMES[outcome], marks=tuple(marks)))
    return Picture(
        id="trajectory",
        title="Use, awareness and capability from wave to wave",
        caption=f"Means of {found.data.unit_name} means in each arm, in SDs of those never treated "
        "at baseline, with 95 % intervals.",
        alt="Panels of use, awareness and capability, each with lines of two arms over waves.",
        x="Wave",
        y="Baseline SD",
        panels=tuple(panels),
        x_names=tuple((at, wave) for wave, at in places.items()),
    )


def _order(wave: str) -> tuple[float, str]:
    try:
        return float(wave), ""
    except ValueError:
        return math.inf, wave


def _marks(
    rows: pd.DataFrame, outcome: Level, label: str, places: dict[str, float], found: Gap
) -> list[Mark]:
    points = [
        (at, *_mean(rows.loc[rows["wave"] == wave], outcome, found.data.cluster))
        for wave, at in places.items()
    ]
    kept = [p for p in points if math.isfinite(p[1])]
    if not kept:
        return []
    x, y, low, high = (tuple(column) for column in zip(*kept, strict=True))
    return [
        Mark(kind="line", label=label, x=x, y=y),
        Mark(kind="interval", label=label, x=x, y=y, low=low, high=high),
    ]


def _mean(rows: pd.DataFrame, outcome: Level, cluster: str) -> tuple[float, float, float]:
    """Mean of cluster means with its interval; nothing for fewer than five persons."""
    known = rows.loc[rows[outcome].notna()]
    means = known.groupby(cluster)[outcome].mean().to_numpy(float)
    if known["person"].nunique() < FEWEST_PEOPLE or means.size < 2:
        return math.nan, math.nan, math.nan
    se = means.std(ddof=1) / math.sqrt(means.size)
    low, high = t_interval(np.array(means.mean()), np.array(se), np.array(means.size - 1.0))
    return float(means.mean()), float(low), float(high)
