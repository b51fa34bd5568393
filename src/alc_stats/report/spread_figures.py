"""The three figures of a widening: spread against level, quantiles over time, spreads in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alc_stats.records import FloatArray
from alc_stats.report import canvas
from alc_stats.report.canvas import COLOURS, LINES, MARKERS
from alc_stats.study.result import Exhibit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INNER, _OUTER = (0.25, 0.75), (0.1, 0.9)


def mean_variance(exhibit: Exhibit) -> Figure:
    """Log SD against mean, a point a group of people, with a straight line in every arm."""
    groups, x, y = _points(exhibit)
    figure, ax = canvas.one_panel(height=3.6)
    names = canvas.unique(groups)
    for i, name in enumerate(names):
        rows = canvas.rows(groups, name)
        ax.plot(x[rows], y[rows], ls="", alpha=0.75, mec="white", **_marked(i))
        if len(np.unique(x[rows])) > 1:
            ends = np.array([x[rows].min(), x[rows].max()])
            slope, start = np.polyfit(x[rows], y[rows], 1)
            ax.plot(ends, start + slope * ends, color=COLOURS[i % 6], ls=LINES[i % 6], lw=1.6)
    _finish(figure, ax, exhibit, names)
    return figure


def fan(exhibit: Exhibit) -> Figure:
    """The middle half and the middle four fifths of an arm's outcomes in every wave."""
    columns = exhibit.columns
    groups, x, value = _points(exhibit)
    share = canvas.floats(columns["share"])
    names = canvas.unique(groups)
    figure, axes = canvas.panels([canvas.words(n) for n in names], share_y=True)
    for i, (name, ax) in enumerate(zip(names, axes.values(), strict=True)):
        rows = canvas.rows(groups, name)
        for (low, high), alpha in ((_OUTER, 0.16), (_INNER, 0.3)):
            at, bottom, top = _band(x[rows], share[rows], value[rows], low, high)
            ax.fill_between(at, bottom, top, color=COLOURS[i % 6], alpha=alpha, lw=0)
        at, middle, _ = _band(x[rows], share[rows], value[rows], 0.5, 0.5)
        ax.plot(at, middle, **_marked(i), ls=LINES[i % 6], mec="white", lw=1.6)
        canvas.label_ticks(ax, x, canvas.texts(columns["x_label"]))
        _finish_arm(ax, name)
    _label(figure, next(iter(axes.values())), exhibit)
    return figure


def caterpillar(exhibit: Exhibit) -> Figure:
    """Log SDs from the smallest to the largest, with intervals; a panel an arm."""
    groups, x, value = _points(exhibit)
    low, high = (canvas.floats(exhibit.columns[name]) for name in ("low", "high"))
    names = canvas.unique(groups)
    figure, axes = canvas.panels([canvas.words(n) for n in names], share_y=True)
    for i, (name, ax) in enumerate(zip(names, axes.values(), strict=True)):
        rows = canvas.rows(groups, name)
        ax.vlines(x[rows], low[rows], high[rows], color=COLOURS[i % 6], lw=1.0, alpha=0.5)
        ax.plot(x[rows], value[rows], ls="", mec="white", **_marked(i))
        canvas.reference_line(ax, float(np.median(value[rows])), horizontal=True)
        ax.set_xlim(-0.02, 1.02)
        canvas.numbers_on(ax.xaxis, "share")
        _finish_arm(ax, name)
    _label(figure, next(iter(axes.values())), exhibit)
    return figure


def _points(exhibit: Exhibit) -> tuple[list[str], FloatArray, FloatArray]:
    columns = exhibit.columns
    x, value = (canvas.floats(columns[name]) for name in ("x", "value"))
    return canvas.texts(columns["group"]), x, value


def _marked(i: int) -> dict[str, Any]:
    return {"color": COLOURS[i % 6], "marker": MARKERS[i % 6], "ms": 5.5, "mew": 0.7}


def _band(
    x: FloatArray, share: FloatArray, value: FloatArray, low: float, high: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Places in order, and two quantiles there."""
    at = np.unique(x)
    ends = [np.array([value[(x == a) & (share == q)][0] for a in at]) for q in (low, high)]
    return at, ends[0], ends[1]


def _finish_arm(ax: Axes, name: str) -> None:
    """What a panel of one arm has."""
    canvas.numbers_on(ax.yaxis, "estimate")
    ax.set_title(canvas.headed(canvas.words(name)), loc="left", fontsize=9, weight="bold")
    _despine(ax)


def _label(figure: Figure, first: Axes, exhibit: Exhibit) -> None:
    """One label under all panels, one beside the first."""
    figure.supxlabel(canvas.words(exhibit.axes.get("x", "")), fontsize=9)
    first.set_ylabel(canvas.words(exhibit.axes.get("y", "")))


def _finish(figure: Figure, ax: Axes, exhibit: Exhibit, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    ax.set_xlabel(canvas.words(exhibit.axes.get("x", "")))
    ax.set_ylabel(canvas.words(exhibit.axes.get("y", "")))
    canvas.numbers_on(ax.xaxis, "estimate")
    canvas.numbers_on(ax.yaxis, "estimate")
    _despine(ax)
    handles = [
        Line2D([], [], label=canvas.words(name), ls=LINES[i % 6], mec="white", **_marked(i))
        for i, name in enumerate(names)
    ]
    if len(names) > 1:
        canvas.legend(figure, handles)


def _despine(ax: Axes) -> None:
    import seaborn as sns

    sns.despine(ax=ax)
