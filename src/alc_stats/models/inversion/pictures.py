"""Usage slopes by regime, and the slope along the intensity of a mandate."""

from __future__ import annotations

import numpy as np
from scipy import stats

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.johnson_neyman import JohnsonNeyman
from alc_stats.models.binned import binned
from alc_stats.models.inversion.data import InversionData
from alc_stats.models.inversion.fits import Fitted, cleared
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.records import FloatArray

_NAMES = {0: "No mandate", 1: "Mandate"}
_POINTS = 41
_TAILS = (2.5, 97.5)
"""Percentiles of deviations between which lines are drawn."""


def pictures(data: InversionData, found: Fitted, level: float) -> tuple[Picture, ...]:
    """Every picture there is something to show in."""
    if found.within.free is None or found.within.under is None:
        return ()
    slopes = {0: found.within.free, 1: found.within.under}
    panels = tuple(_panel(data, g, slopes[g], level) for g in (0, 1))
    made = Picture(
        id="usage_slopes",
        title="Quality and usage within persons, by regime",
        caption=(
            "A person's quality against that person's log usage, both as deviations from the "
            "person's mean under the same regime, occasions and difficulty held. Points are means "
            "over at least five people; lines are the slopes of the within-between model with "
            "95 % bands."
        ),
        alt="Two panels, one a regime: binned means and a line with a band through zero.",
        x="Log usage, deviation",
        y="Quality, deviation",
        panels=panels,
    )
    region = found.region
    return (made, _along(region)) if isinstance(region, JohnsonNeyman) else (made,)


def _panel(data: InversionData, regime: int, slope: Estimate, level: float) -> Panel:
    rows = data.rows.loc[data.rows["mandate"] == regime]
    clear = cleared(data, rows)
    x, y = binned(clear["usage"], clear["quality"], rows["person"])
    first, last = (float(np.percentile(clear["usage"], tail)) for tail in _TAILS)
    along = np.linspace(first, last, _POINTS)
    half = float(stats.t.ppf(0.5 + level / 2.0, slope.df)) * slope.se * np.abs(along)
    line = slope.value * along
    return Panel(
        title=_NAMES[regime],
        marks=(
            Mark(kind="band", x=_t(along), low=_t(line - half), high=_t(line + half)),
            Mark(kind="line", label="Model", x=_t(along), y=_t(line)),
            Mark(kind="points", label="Binned means", x=_t(x), y=_t(y)),
        ),
    )


def _along(found: JohnsonNeyman) -> Picture:
    marks = (
        Mark(
            kind="band", label="Simultaneous band", x=_t(found.at), low=_t(found.low),
            high=_t(found.high),
        ),
        Mark(kind="line", label="Slope", x=_t(found.at), y=_t(found.value)),
        Mark(kind="line", label="Pointwise band", x=_t(found.at), y=_t(found.pointwise_low)),
        Mark(kind="line", label="Pointwise band", x=_t(found.at), y=_t(found.pointwise_high)),
        Mark(kind="across", y=(found.against,)),
    )  # fmt: skip
    ends = tuple(e for r in found.regions for e in (r.low, r.high))
    inner = tuple(e for e in ends if float(found.at[0]) < e < float(found.at[-1]))
    return Picture(
        id="johnson_neyman",
        title="Slope of quality on usage along the intensity of the mandate",
        caption=(
            "The slope within persons with a band that holds over the whole range at once; the "
            "thin lines are the band that holds at one value chosen beforehand. Dashed verticals "
            "are where the simultaneous band leaves zero."
        ),
        alt="A line of slopes over intensity with a wide and a narrow band and a line at zero.",
        x="Intensity of the mandate",
        y="Quality per unit of log usage",
        panels=(Panel(marks=(*marks, Mark(kind="down", x=inner)) if inner else marks),),
    )


def _t(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
