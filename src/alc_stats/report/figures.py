"""Figures: one function per kind of exhibit, drawn the same, byte for byte, every time.

Colours are told apart by colour-blind readers and never carry a meaning alone: groups differ in
marker and line as well. Nothing of the plotting library's global state is changed.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from alc_stats.records import BoolArray, Cell, FloatArray, Kind, Number
from alc_stats.report import numbers
from alc_stats.report.table import SIMULATED
from alc_stats.study.result import Exhibit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, ALARM = "#1b1b1f", "#5d626b", "#c9cdd4", "#b3261e"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a6579a", "#7a5c2e", "#4d4d4d")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINES = (
    "solid",
    (0, (5, 1.6)),
    (0, (1.2, 1.4)),
    (0, (5, 1.4, 1.2, 1.4)),
    (0, (8, 2)),
    (0, (2, 2)),
)
_WIDTH = 6.7  # inches: the text width of the paper
_DPI = 200
_ESTIMATE_HEAD = "Estimate [95 % interval]"
_MOST_TICKS = 8
_BAND_FROM = 9  # points from which on intervals are drawn as a band


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn exhibit: its words, and the picture as SVG text and PNG bytes."""

    id: str
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
    with _style():
        figure = _DRAW[exhibit.kind](exhibit)
        if simulated:
            _watermark(figure)
        svg, png = _save(figure, exhibit, "svg"), _save(figure, exhibit, "png")
    alt = f"{SIMULATED} data. {exhibit.alt}" if simulated else exhibit.alt
    caption = f"{SIMULATED} data. {exhibit.caption}" if simulated else exhibit.caption
    return Drawing(exhibit.id, exhibit.title, caption, alt, simulated, svg.decode(), png)


def forest(exhibit: Exhibit) -> Figure:
    """Estimates with intervals, one a row, their numbers beside them."""
    columns = exhibit.columns
    lines = _forest_lines(_texts(columns["label"]), _texts(columns.get("group", ())))
    value, low, high = (_floats(columns[name]) for name in ("value", "low", "high"))
    kind = _kind(exhibit, "x")
    heights = [0.34 if line.row is None else 0.24 + 0.16 * line.lines for line in lines]
    figure, ax = _one_panel(height=0.95 + sum(heights))
    at = -np.cumsum(heights) + np.array(heights) / 2.0
    _reference_line(ax, exhibit.reference)
    for y, line in zip(at, lines, strict=True):
        _row_words(ax, y, line)
        if line.row is not None:
            i = line.row
            _interval(ax, y, (value[i], low[i], high[i]), style=line.style)
            words, _ = _estimate_words(value[i], low[i], high[i], kind)
            ax.text(1.03, y, words, transform=_beside(ax), va="center", fontsize=8)
    ax.set_ylim(-sum(heights) - 0.05, 0.05)
    _column_head(ax, 1.03, _ESTIMATE_HEAD)
    _finish_rows(ax, exhibit, kind)
    return figure


def trajectory(exhibit: Exhibit) -> Figure:
    """Group means over time with intervals; one panel a measure."""
    columns = exhibit.columns
    panels, groups = _texts(columns["panel"]), _texts(columns["group"])
    x, value, low, high = (_floats(columns[name]) for name in ("x", "value", "low", "high"))
    figure, axes = _panels(panels, share_y=_comparable(panels, low, high))
    names = _unique(groups)
    step = float(np.min(np.diff(np.unique(x)))) if len(np.unique(x)) > 1 else 1.0
    for panel, ax in axes.items():
        for i, group in enumerate(names):
            rows = _rows(panels, panel) & _rows(groups, group)
            rows = _in_order(rows, x)
            shift = step * 0.07 * (i - (len(names) - 1) / 2.0)
            _line_with_interval(ax, x[rows] + shift, (value[rows], low[rows], high[rows]), i)
        _reference_line(ax, exhibit.reference, horizontal=True)
        _label_ticks(ax, x, _texts(columns.get("x_label", ())))
        _finish_panel(ax, exhibit, panel)
    _axis_labels(figure, axes, exhibit)
    _legend_of_groups(figure, names)
    return figure


def distribution(exhibit: Exhibit) -> Figure:
    """Shares of values in bins, groups over each other; suppressed bins stay empty."""
    columns = exhibit.columns
    panels, groups = _texts(columns["panel"]), _texts(columns["group"])
    figure, axes = _panels(panels, share_x=False)
    left, right, share = (_floats(columns[name]) for name in ("left", "right", "share"))
    names = _unique(groups)
    for panel, ax in axes.items():
        for i, group in enumerate(names):
            rows = _rows(panels, panel) & _rows(groups, group)
            rows = _in_order(rows, left)
            if rows.size:
                edges = np.append(left[rows], right[rows][-1])
                _steps(ax, edges, share[rows], i)
        ax.set_ylim(bottom=0.0)
        _numbers_on(ax.yaxis, "share")
        _reference_line(ax, exhibit.reference)
        _finish_panel(ax, exhibit, panel)
    _axis_labels(figure, axes, exhibit)
    _legend_of_groups(figure, names, filled=True)
    return figure


def recovery(exhibit: Exhibit) -> Figure:
    """How far estimates lie from the values put in, in half-widths of their intervals.

    Measured so, quantities of every size fit one axis, and an interval that does not reach the
    line misses its value.
    """
    columns = exhibit.columns
    labels = [textwrap.fill(label, 34) for label in _texts(columns["label"])]
    truth, value, low, high = (_floats(columns[n]) for n in ("truth", "value", "low", "high"))
    inside = _floats(columns["inside"]) > 0.5
    kind = _kind(exhibit, "x")
    half_width = (high - low) / 2.0
    at = -np.arange(len(labels), dtype=float)
    figure, ax = _one_panel(height=1.35 + 0.34 * len(labels))
    ax.axvline(0.0, color=INK, lw=1.2, zorder=0)
    for i, y in enumerate(at):
        ends = [(limit - truth[i]) / half_width[i] for limit in (low[i], high[i])]
        _interval(
            ax, y, ((value[i] - truth[i]) / half_width[i], *ends), style=0 if inside[i] else 1
        )
        shown = _estimate_words(value[i], low[i], high[i], kind, beside=truth[i])
        ax.text(1.12, y, shown[1], transform=_beside(ax), va="center", ha="right", fontsize=8)
        ax.text(1.16, y, shown[0], transform=_beside(ax), va="center", fontsize=8)
    ax.set_yticks(at, labels)
    ax.set_ylim(at[-1] - 0.6, 0.6)
    _column_head(ax, 1.12, "Put in", align="right")
    _column_head(ax, 1.16, _ESTIMATE_HEAD)
    _finish_rows(ax, exhibit, "estimate")
    ax.set_xlabel("Estimate minus value put in, in half-widths of its interval")
    _legend_of_recovery(figure, missed=not inside.all())
    return figure


_DRAW: Mapping[str, Callable[[Exhibit], Figure]] = {
    "forest": forest,
    "trajectory": trajectory,
    "distribution": distribution,
    "recovery": recovery,
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
    names = _unique(groups)
    wrapped = [textwrap.fill(label, 36) for label in labels]
    if len(names) < 2:
        return [_Line(label, row) for row, label in enumerate(wrapped)]
    if len(names) == len(labels):
        return [
            _Line(label, row, "" if group == labels[row] else _short(group))
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


def _short(text: str) -> str:
    return textwrap.shorten(text, 44, placeholder="…")


@contextmanager
def _style() -> Iterator[None]:
    """The look of all figures; the library's settings come back afterwards."""
    import matplotlib as mpl
    import seaborn as sns

    settings: Any = {
        "svg.hashsalt": "alc_stats", "svg.fonttype": "path", "font.family": "DejaVu Sans",
        "font.size": 9.0, "axes.labelsize": 9.0, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
        "axes.facecolor": "none", "axes.edgecolor": MUTED, "axes.labelcolor": INK,
        "text.color": INK, "xtick.color": MUTED,
        "xtick.labelcolor": INK, "ytick.color": MUTED, "ytick.labelcolor": INK,
        "axes.linewidth": 0.8, "xtick.major.width": 0.8, "ytick.major.width": 0.8,
        "axes.unicode_minus": True, "text.parse_math": False,
        "savefig.dpi": _DPI, "path.simplify": False,
    }  # fmt: skip
    with mpl.rc_context({**sns.axes_style("ticks"), **settings}):
        yield


def _one_panel(height: float) -> tuple[Figure, Axes]:
    figure = _figure(height)
    return figure, figure.add_subplot()


def _figure(height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    return figure


def _panels(
    names: Sequence[str], *, share_x: bool = True, share_y: bool = False
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one set of axes a panel, at most two beside each other."""
    panels = _unique(names)
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    figure = _figure(2.9 * down + (0.35 if across > 1 else 0.7))
    grid = figure.subplots(down, across, squeeze=False, sharex=share_x, sharey=share_y)
    for spare in grid.flat[len(panels) :]:
        spare.set_visible(False)
    return figure, dict(zip(panels, grid.flat, strict=False))


def _comparable(panels: Sequence[str], low: FloatArray, high: FloatArray) -> bool:
    """Whether panels fit one scale: none would shrink to less than a fifth of it."""
    rows = [_rows(panels, panel) for panel in _unique(panels)]
    ends = [(np.nanmin(low[r]), np.nanmax(high[r])) for r in rows]
    spans = [top - bottom for bottom, top in ends]
    return bool(max(e[1] for e in ends) - min(e[0] for e in ends) <= 5.0 * min(spans))


def _line_with_interval(
    ax: Axes, x: FloatArray, band: tuple[FloatArray, FloatArray, FloatArray], style: int
) -> None:
    value, low, high = band
    colour = COLOURS[style % 6]
    line: dict[str, Any] = {"color": colour, "ls": _LINES[style % 6], "lw": 1.6}
    if len(x) >= _BAND_FROM:
        ax.fill_between(x, low, high, color=colour, alpha=0.16, lw=0)
        ax.plot(x, value, **line)
        return
    ax.vlines(x, low, high, color=colour, lw=1.3)
    ax.plot(x, value, marker=_MARKERS[style % 6], ms=5.5, mec="white", mew=0.7, **line)


def _steps(ax: Axes, edges: FloatArray, share: FloatArray, style: int) -> None:
    colour = COLOURS[style % 6]
    ax.stairs(share, edges, fill=True, color=colour, alpha=0.15, lw=0)
    ax.stairs(share, edges, color=colour, lw=1.7, ls=_LINES[style % 6], baseline=None)


def _reference_line(ax: Axes, at: float | None, *, horizontal: bool = False) -> None:
    if at is not None:
        mark = ax.axhline if horizontal else ax.axvline
        mark(at, color=MUTED, lw=0.9, ls=(0, (4, 2.5)), zorder=0)


def _row_words(ax: Axes, y: float, line: _Line) -> None:
    """The words left of a forest's row; headings in bold."""
    where: dict[str, Any] = {"transform": _beside(ax), "ha": "right"}
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
    marker: dict[str, Any] = {"marker": _MARKERS[style % 6], "ms": 6.5, "mec": "white", "mew": 0.8}
    ax.plot(value, y, color=COLOURS[style % 6], **marker)


def _estimate_words(
    value: float, low: float, high: float, kind: Kind, *, beside: float = float("nan")
) -> tuple[str, str]:
    """The estimate with its interval, and the number it is compared with, in equal decimals."""
    together = (Number(v, kind) for v in (value, low, high, beside))
    point, lower, upper, other = numbers.show_together(*together)
    return (f"{point} [{lower}, {upper}]" if np.isfinite(value) else numbers.MISSING), other


def _column_head(ax: Axes, x: float, words: str, *, align: str = "left") -> None:
    place: dict[str, Any] = {"transform": ax.transAxes, "ha": align, "va": "bottom"}
    ax.text(x, 1.0, words, fontsize=8, color=MUTED, **place)


def _finish_rows(ax: Axes, exhibit: Exhibit, kind: Kind) -> None:
    """What forests and recoveries share: an x axis alone, its label and its numbers."""
    import seaborn as sns

    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    if exhibit.kind == "forest":
        ax.set_yticks([])
    ax.margins(x=0.06)
    ax.set_xlabel(exhibit.axes.get("x", ""))
    _numbers_on(ax.xaxis, kind)


def _finish_panel(ax: Axes, exhibit: Exhibit, panel: str) -> None:
    import seaborn as sns

    sns.despine(ax=ax)
    if panel:
        ax.set_title(textwrap.fill(panel, 40), loc="left", fontsize=9, weight="bold", color=INK)
    if exhibit.kind == "trajectory":
        _numbers_on(ax.yaxis, _kind(exhibit, "y"))


def _numbers_on(axis: Any, kind: Kind) -> None:
    """Round numbers on an axis, as text of their kind."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda value, _: numbers.tick(value, kind))


def _axis_labels(figure: Figure, axes: Mapping[str, Axes], exhibit: Exhibit) -> None:
    """One label under all panels, one beside every panel of the left column."""
    figure.supxlabel(exhibit.axes.get("x", ""), fontsize=9)
    for i, ax in enumerate(axes.values()):
        if i % 2 == 0:
            ax.set_ylabel(exhibit.axes.get("y", ""))


def _label_ticks(ax: Axes, x: FloatArray, labels: Sequence[str]) -> None:
    """The words of the x values, thinned out where there are many."""
    words = {float(at): text for at, text in zip(x, labels, strict=False) if text}
    if not words:
        return
    at = sorted(words)
    at = at[:: -(-len(at) // _MOST_TICKS)]
    ax.set_xticks(at, [words[a] for a in at])


def _legend_of_groups(figure: Figure, names: Sequence[str], *, filled: bool = False) -> None:
    from matplotlib.lines import Line2D

    if len(names) < 2:
        return
    handles = [
        Line2D([], [], color=COLOURS[i % 6], ls=_LINES[i % 6], lw=1.8, label=name, mec="white",
               marker="" if filled else _MARKERS[i % 6], ms=6)
        for i, name in enumerate(names)
    ]  # fmt: skip
    _legend(figure, handles)


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
    _legend(figure, handles)


def _legend(figure: Figure, handles: Sequence[Any]) -> None:
    figure.legend(
        handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=8.5,
        handlelength=2.6, columnspacing=2.2,
    )  # fmt: skip


def _watermark(figure: Figure) -> None:
    """The word across the picture, faint, and once more in the corner, plain."""
    figure.text(
        0.5, 0.5, SIMULATED, ha="center", va="center", rotation=16, fontsize=52, weight="bold",
        color=ALARM, alpha=0.11, zorder=-1,
    )  # fmt: skip
    figure.text(
        0.995, 0.012, f"{SIMULATED} DATA", ha="right", va="bottom", fontsize=8, weight="bold",
        color=ALARM, in_layout=False,
    )  # fmt: skip


def _save(figure: Figure, exhibit: Exhibit, suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == "svg":
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": exhibit.title})
    else:
        metadata = {"Title": exhibit.title, "Software": None}
        figure.savefig(buffer, format="png", facecolor="white", metadata=metadata)
    return buffer.getvalue()


def _kind(exhibit: Exhibit, axis: str) -> Kind:
    return cast("Kind", exhibit.axes.get(f"{axis}_kind", "estimate"))


def _beside(ax: Axes) -> Any:
    """Across in shares of the axes, up and down in data."""
    return ax.get_yaxis_transform()


def _rows(names: Sequence[str], name: str) -> BoolArray:
    return np.array([n == name for n in names])


def _in_order(rows: BoolArray, by: FloatArray) -> Any:
    """The numbers of the chosen rows, sorted by a column."""
    chosen = np.flatnonzero(rows)
    return chosen[np.argsort(by[chosen], kind="stable")]


def _unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _texts(cells: Sequence[Cell]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in cells]


def _floats(cells: Sequence[Cell]) -> FloatArray:
    return np.array([np.nan if cell is None else float(cell) for cell in cells])
