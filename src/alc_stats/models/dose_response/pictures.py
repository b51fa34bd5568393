"""The two lines over binned means."""

from __future__ import annotations

import numpy as np

from alc_stats.models.binned import binned
from alc_stats.models.dose_response.data import DoseData
from alc_stats.models.dose_response.lines import DoseFound
from alc_stats.models.dose_response.two_lines import control_columns
from alc_stats.models.picture import Mark, Panel, Picture

_LOWEST, _HIGHEST = 0.02, 0.98
"""Quantiles of the dose between which lines are drawn, so that no single user is seen."""


def pictures(data: DoseData, found: DoseFound) -> tuple[Picture, ...]:
    """Binned means, both lines and the breakpoint."""
    first, second = found.lines.first, found.lines.second
    if first is None or second is None:
        return ()
    x, y = binned(data.rows["dose"], data.rows["outcome"], data.rows["person"])
    if not x.size:
        return ()
    at = found.lines.breakpoint
    ends = np.quantile(data.rows["dose"], (_LOWEST, _HIGHEST))
    low, high = min(float(ends[0]), at), max(float(ends[1]), at)
    before, after = _levels(data, found)
    marks = (
        Mark(kind="points", label="Means of bins", x=tuple(x.tolist()), y=tuple(y.tolist())),
        Mark(kind="line", label="Before the breakpoint", x=(low, at),
             y=(before + first.value * (low - at), before)),
        Mark(kind="line", label="After it", x=(at, high),
             y=(after, after + second.value * (high - at))),
        Mark(kind="down", x=(at,)),
    )  # fmt: skip
    q = data.question
    return (
        Picture(
            id="two_lines",
            title="Two lines about a breakpoint",
            caption=(
                "Means of bins of at least five people along the dose, and the two regression "
                "lines of the interrupted regression. The dashed line is the breakpoint, chosen "
                "by Simonsohn's Robin Hood procedure."
            ),
            alt="Points of binned means, a line up to a dashed vertical and another beyond it.",
            x=q.dose,
            y=q.outcome,
            panels=(Panel(marks=marks),),
        ),
    )


def _levels(data: DoseData, found: DoseFound) -> tuple[float, float]:
    """Heights of both lines at the breakpoint, controls at their means."""
    x = data.rows["dose"].to_numpy(float) - found.lines.breakpoint
    y = data.rows["outcome"].to_numpy(float)
    Z = control_columns(data)
    levels = []
    for side in (x <= 0.0, x >= 0.0):
        X = np.column_stack([np.ones(x.size), np.minimum(x, 0), np.maximum(x, 0), ~side, Z])
        levels.append(float(np.linalg.lstsq(X, y, rcond=None)[0][0]))
    return levels[0], levels[1]
