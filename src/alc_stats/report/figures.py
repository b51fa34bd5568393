"""Figures: one function per kind of exhibit, drawn the same, byte for byte, every time.

Colours are told apart by colour-blind readers and never carry a meaning alone: groups differ in
marker and line as well. Nothing of the plotting library's global state is changed.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from alc_stats.records import BoolArray, FloatArray, Kind, Number
from alc_stats.report import canvas, numbers, picture_figures, spread_figures
from alc_stats.report.canvas import COLOURS, INK, LINES, MARKERS, MUTED
from alc_stats.report.table import SIMULATED
from alc_stats.study.result import Exhibit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ESTIMATE_HEAD = "Estimate [95 % interval]"
_EMPTY_BINS = " Bins with too few cases are left empty."
_BAND_FROM = 9  # points from which on intervals are drawn as a band


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn exhibit: its words, and the picture as SVG text and PNG bytes."""

    id: str
    kind: str
    title: str
    caption: str
    alt: str
    simulated: bool
    svg: str
    png: bytes

    @property
    def file_stem(self) -> str:
        """The name its files carry, which says if the data are simulated."""
        return f"{self.id}_{SIMULATED}" if self.simulated else self.id


def draw(exhibit: Exhibit, *, simulated: bool = False) -> Drawing:
    """The exhibit as a picture, watermarked if its data are simulated.

    Parameters
    ----------
    exhibit : Exhibit
        `axes` may name the kind of the numbers on an axis as `x_kind` or `y_kind`
        (such as "percent"); they are estimates by default.
    """
    with canvas.style():
        figure = _DRAW[exhibit.kind](exhibit)
        if simulated:
            canvas.watermark(figure)
        svg, png = canvas.save(figure, exhibit.title)
    alt = f"{SIMULATED} data. {exhibit.alt}" if simulated else exhibit.alt
    caption = f"{exhibit.caption}{_EMPTY_BINS}" if _has_empty_bins(exhibit) else exhibit.caption
    caption = f"{SIMULATED} data. {caption}" if simulated else caption
    words = exhibit.title, caption, alt
    return Drawing(exhibit.id, exhibit.kind, *words, simulated, svg.decode(), png)


def forest(exhibit: Exhibit) -> Figure:
    """Estimates with intervals, one a row, their numbers beside them."""
    columns = exhibit.columns
    lines = _forest_lines(canvas.texts(columns["label"]), canvas.texts(columns.get("group", ())))
    value, low, high = (canvas.floats(columns[name]) for name in ("value", "low", "high"))
    kind = _kind(exhibit, "x")
    heights = [0.34 if line.row is None else 0.18 + 0.15 * line.lines for line in lines]
    figure, ax = canvas.one_panel(height=0.95 + sum(heights))
    at = -np.cumsum(heights) + np.array(heights) / 2.0
    canvas.reference_line(ax, exhibit.reference)
    for y, line in zip(at, lines, strict=True):
        _row_words(ax, y, line)
        if line.row is not None:
            i = line.row
            _interval(ax, y, (value[i], low[i], high[i]), style=line.style)
            words, _ = _estimate_words(value[i], low[i], high[i], kind)
            ax.text(1.03, y, words, transform=canvas.beside(ax), va="center", fontsize=8)
    ax.set_ylim(-sum(heights) - 0.05, 0.05)
    canvas.column_head(ax, 1.03, _ESTIMATE_HEAD)
    _finish_rows(ax, exhibit, kind)
    return figure


def trajectory(exhibit: Exhibit) -> Figure:
    """Group means over time with intervals; one panel a measure."""
    columns = exhibit.columns
    panels, groups = canvas.texts(columns["panel"]), canvas.texts(columns["group"])
    x, value, low, high = (canvas.floats(columns[name]) for name in ("x", "value", "low", "high"))
    figure, axes = canvas.panels(panels, share_y=_comparable(panels, low, high))
    names = canvas.unique(groups)
    step = float(np.min(np.diff(np.unique(x)))) if len(np.unique(x)) > 1 else 1.0
    for panel, ax in axes.items():
        for i, group in enumerate(names):
            rows = canvas.rows(panels, panel) & canvas.rows(groups, group)
            rows = canvas.in_order(rows, x)
            shift = step * 0.12 * (i - (len(names) - 1) / 2.0)
            _line_with_interval(ax, x[rows] + shift, (value[rows], low[rows], high[rows]), i)
        canvas.reference_line(ax, exhibit.reference, horizontal=True)
        canvas.label_ticks(ax, x, canvas.texts(columns.get("x_label", ())))
        _finish_panel(ax, exhibit, panel)
    _axis_labels(figure, axes, exhibit)
    _legend_of_groups(figure, names)
    return figure


def distribution(exhibit: Exhibit) -> Figure:
    """Shares of values in bins; suppressed bins stay empty.

    With one measure, every group has its panel, over the first group as a shade; two outlines
    are as many as can be told apart.
    """
    columns = exhibit.columns
    measures, groups = canvas.texts(columns["panel"]), canvas.texts(columns["group"])
    left, right, share = (canvas.floats(columns[name]) for name in ("left", "right", "share"))
    names = canvas.unique(groups)
    shown = _compared(canvas.unique(measures), names)
    figure, axes = canvas.panels(list(shown), share_x=False, share_y=len(set(measures)) == 1)
    for title, ax in axes.items():
        measure, members = shown[title]
        of_measure = canvas.rows(measures, measure)
        low, high = _occupied(left, right, share, of_measure)
        for group in members:
            rows = of_measure & canvas.rows(groups, group) & (left >= low) & (right <= high)
            rows = canvas.in_order(rows, left)
            if rows.size:
                edges = np.append(left[rows], right[rows][-1])
                _steps(ax, edges, share[rows], names.index(group))
        ax.set_ylim(0.0, 1.05 * float(np.nanmax(share[of_measure])))
        canvas.numbers_on(ax.yaxis, "share")
        canvas.numbers_on(ax.xaxis, _kind(exhibit, "x"))
        canvas.reference_line(ax, exhibit.reference)
        _finish_panel(ax, exhibit, title)
    _axis_labels(figure, axes, exhibit)
    _legend_of_groups(figure, names, filled=True)
    return figure


def recovery(exhibit: Exhibit) -> Figure:
    """How far estimates lie from the values put in, in half-widths of their intervals.

    Measured so, quantities of every size fit one axis, and an interval that does not reach the
    line misses its value.
    """
    columns = exhibit.columns
    labels = [textwrap.fill(label, 42) for label in canvas.texts(columns["label"])]
    truth, value, low, high = (canvas.floats(columns[n]) for n in ("truth", "value", "low", "high"))
    inside = canvas.floats(columns["inside"]) > 0.5
    kind = _kind(exhibit, "x")
    half_width = (high - low) / 2.0
    at = -np.arange(len(labels), dtype=float)
    figure, ax = canvas.one_panel(height=1.25 + 0.27 * len(labels))
    ax.axvline(0.0, color=INK, lw=1.2, zorder=0)
    for i, y in enumerate(at):
        ends = [(limit - truth[i]) / half_width[i] for limit in (low[i], high[i])]
        _interval(
            ax, y, ((value[i] - truth[i]) / half_width[i], *ends), style=0 if inside[i] else 1
        )
        shown = _estimate_words(value[i], low[i], high[i], kind, beside=truth[i])
        ax.text(1.2, y, shown[1], transform=canvas.beside(ax), va="center", ha="right", fontsize=8)
        ax.text(1.24, y, shown[0], transform=canvas.beside(ax), va="center", fontsize=8)
    ax.set_yticks(at, labels)
    ax.set_ylim(at[-1] - 0.6, 0.6)
    canvas.column_head(ax, 1.2, "Put in", align="right")
    canvas.column_head(ax, 1.24, _ESTIMATE_HEAD)
    _finish_rows(ax, exhibit, "estimate")
    ax.set_xlabel("Estimate minus value put in, in half-widths of its interval")
    _legend_of_recovery(figure, missed=not inside.all())
    return figure


def _picture(exhibit: Exhibit) -> Figure:
    """What a finding brought along."""
    if exhibit.picture is None:
        raise TypeError(f"exhibit {exhibit.id} holds no picture")
    return picture_figures.picture_figure(exhibit.picture)


_DRAW: Mapping[str, Callable[[Exhibit], Figure]] = {
    "forest": forest,
    "trajectory": trajectory,
    "distribution": distribution,
    "recovery": recovery,
    "mean_variance": spread_figures.mean_variance,
    "fan": spread_figures.fan,
    "caterpillar": spread_figures.caterpillar,
    "picture": _picture,
}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a forest: a heading (no row) or a row with its label and a muted second line."""

    text: str
    row: int | None = None
    second: str = ""
    style: int = 0

    @property
    def lines(self) -> int:
        return self.text.count("\n") + 1 + bool(self.second)


def _forest_lines(labels: Sequence[str], groups: Sequence[str]) -> list[_Line]:
    """Headings where groups have several rows; otherwise the group under its label."""
    names = canvas.unique(groups)
    wrapped = [textwrap.fill(label, 36) for label in labels]
    if len(names) < 2:
        return [_Line(label, row) for row, label in enumerate(wrapped)]
    if len(names) == len(labels):
        return [
            _Line(label, row, "" if _told(group, labels[row]) else _short(group))
            for row, (label, group) in enumerate(zip(wrapped, groups, strict=True))
        ]
    lines = []
    for style, name in enumerate(names):
        lines.append(_Line(name))
        lines += [
            _Line(wrapped[row], row, style=style)
            for row in range(len(labels))
            if groups[row] == name
        ]
    return lines


def _has_empty_bins(exhibit: Exhibit) -> bool:
    return exhibit.kind == "distribution" and None in exhibit.columns["share"]


def _short(text: str) -> str:
    return textwrap.shorten(text, 44, placeholder="…")


def _told(group: str, label: str) -> bool:
    """Whether a label already says what its group is called."""
    said, asked = (set(re.findall(r"\w{3,}", text.lower())) for text in (label, group))
    return asked <= said


def _comparable(panels: Sequence[str], low: FloatArray, high: FloatArray) -> bool:
    """Whether panels fit one scale: none would shrink to less than a fifth of it."""
    rows = [canvas.rows(panels, panel) for panel in canvas.unique(panels)]
    ends = [(np.nanmin(low[r]), np.nanmax(high[r])) for r in rows]
    spans = [top - bottom for bottom, top in ends]
    return bool(max(e[1] for e in ends) - min(e[0] for e in ends) <= 5.0 * min(spans))


def _line_with_interval(
    ax: Axes, x: FloatArray, band: tuple[FloatArray, FloatArray, FloatArray], style: int
) -> None:
    value, low, high = band
    colour = COLOURS[style % 6]
    line: dict[str, Any] = {"color": colour, "ls": LINES[style % 6], "lw": 1.6}
    if len(x) >= _BAND_FROM:
        ax.fill_between(x, low, high, color=colour, alpha=0.16, lw=0)
        ax.plot(x, value, **line)
        return
    ax.vlines(x, low, high, color=colour, lw=1.3)
    ax.plot(x, value, marker=MARKERS[style % 6], ms=5.5, mec="white", mew=0.7, **line)


def _compared(
    measures: Sequence[str], groups: Sequence[str]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What each panel holds, by its title: a measure, and the groups that are drawn over it."""
    first, *others = groups
    if len(measures) > 1 or len(others) < 2:
        return {measure: (measure, tuple(groups)) for measure in measures}
    (measure,) = measures
    return {
        canvas.headed(f"{canvas.words(other)} and {canvas.words(first)}"): (measure, (first, other))
        for other in others
    }


def _occupied(
    left: FloatArray, right: FloatArray, share: FloatArray, rows: BoolArray
) -> tuple[float, float]:
    """The range of the bins that hold anything."""
    held = rows & (share > 0.0)
    held = held if held.any() else rows
    return float(left[held].min()), float(right[held].max())


def _steps(ax: Axes, edges: FloatArray, share: FloatArray, style: int) -> None:
    """The first group as a shade, the others as outlines over it."""
    colour = COLOURS[style % 6]
    if style == 0:
        ax.stairs(share, edges, fill=True, color=colour, alpha=0.25, lw=0)
    line: dict[str, Any] = {"lw": 1.0 if style == 0 else 1.8, "ls": LINES[style % 6]}
    ax.stairs(share, edges, color=colour, baseline=None, **line)


def _row_words(ax: Axes, y: float, line: _Line) -> None:
    """The words left of a forest's row; headings in bold."""
    where: dict[str, Any] = {"transform": canvas.beside(ax), "ha": "right"}
    if line.row is None:
        ax.text(-0.03, y, line.text, va="center", weight="bold", fontsize=8.5, color=INK, **where)
    elif line.second:
        ax.text(-0.03, y + 0.01, line.text, va="bottom", fontsize=8.5, color=INK, **where)
        ax.text(-0.03, y - 0.01, line.second, va="top", fontsize=7.5, color=MUTED, **where)
    else:
        ax.text(-0.03, y, line.text, va="center", fontsize=8.5, color=INK, **where)


def _interval(ax: Axes, y: float, ends: tuple[float, float, float], *, style: int) -> None:
    """A point (first of `ends`) on its interval (the other two)."""
    value, low, high = ends
    ax.plot([low, high], [y, y], color=COLOURS[style % 6], lw=1.8, solid_capstyle="butt")
    marker: dict[str, Any] = {
        "marker": MARKERS[style % 6],
        "ms": 6.5,
        "mec": "white",
        "mew": 0.8,
    }
    ax.plot(value, y, color=COLOURS[style % 6], **marker)


def _estimate_words(
    value: float, low: float, high: float, kind: Kind, *, beside: float = float("nan")
) -> tuple[str, str]:
    """The estimate with its interval, and the number it is compared with, in equal decimals."""
    together = (Number(v, kind) for v in (value, low, high, beside))
    point, lower, upper, other = numbers.show_together(*together)
    return (f"{point} [{lower}, {upper}]" if np.isfinite(value) else numbers.MISSING), other


def _finish_rows(ax: Axes, exhibit: Exhibit, kind: Kind) -> None:
    """What forests and recoveries share: an x axis alone, its label and its numbers."""
    import seaborn as sns

    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    if exhibit.kind == "forest":
        ax.set_yticks([])
    ax.margins(x=0.06)
    ax.set_xlabel(canvas.words(exhibit.axes.get("x", "")))
    canvas.numbers_on(ax.xaxis, kind)


def _finish_panel(ax: Axes, exhibit: Exhibit, panel: str) -> None:
    import seaborn as sns

    sns.despine(ax=ax)
    if panel:
        ax.set_title(textwrap.fill(panel, 40), loc="left", fontsize=9, weight="bold", color=INK)
    if exhibit.kind == "trajectory":
        canvas.numbers_on(ax.yaxis, _kind(exhibit, "y"))


def _axis_labels(figure: Figure, axes: Mapping[str, Axes], exhibit: Exhibit) -> None:
    """One label under all panels, one beside every panel of the left column."""
    figure.supxlabel(canvas.words(exhibit.axes.get("x", "")), fontsize=9)
    for i, ax in enumerate(axes.values()):
        if i % 2 == 0:
            ax.set_ylabel(canvas.words(exhibit.axes.get("y", "")))


def _legend_of_groups(figure: Figure, names: Sequence[str], *, filled: bool = False) -> None:
    from matplotlib.lines import Line2D

    if len(names) < 2:
        return
    handles = [
        Line2D([], [], color=COLOURS[i % 6], ls=LINES[i % 6], lw=1.8, mec="white",
               label=canvas.words(name),
               marker="" if filled else MARKERS[i % 6], ms=6)
        for i, name in enumerate(names)
    ]  # fmt: skip
    canvas.legend(figure, handles)


def _legend_of_recovery(figure: Figure, *, missed: bool) -> None:
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"lw": 1.8, "mec": "white", "ms": 6}
    handles = [
        Line2D([], [], color=INK, lw=1.2, label="value put in"),
        Line2D([], [], color=COLOURS[0], marker="o", label="interval covers it", **dot),
    ]
    if missed:
        missing = "interval misses it"
        handles.append(Line2D([], [], color=COLOURS[1], marker="s", label=missing, **dot))
    canvas.legend(figure, handles)


def _kind(exhibit: Exhibit, axis: str) -> Kind:
    return cast("Kind", exhibit.axes.get(f"{axis}_kind", "estimate"))
