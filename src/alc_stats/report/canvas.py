"""What all figures share: inks, sizes, panels, ticks, legends, the watermark and saving."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from alc_stats.records import BoolArray, Cell, FloatArray, Kind
from alc_stats.report import numbers
from alc_stats.report.table import SIMULATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, ALARM = "#1b1b1f", "#5d626b", "#b3261e"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a6579a", "#7a5c2e", "#4d4d4d")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("solid", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4)), (0, (8, 2)), (0, (2, 2)))
_WIDTH = 6.7  # inches: the text width of the paper
_PASSES = 6
_STAYS = 1e-3
"""Of the figure: less than a dot."""
_DPI = 200
_MOST_TICKS = 8
_LEGEND_LETTERS = 100
"""About as many fit into a line of the legend; a handle and its space take as much as six."""
_HANDLE_LETTERS = 6


@contextmanager
def style() -> Iterator[None]:
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


def one_panel(height: float) -> tuple[Figure, Axes]:
    """A figure of this height (inches) with one set of axes."""
    figure = _empty(height)
    return figure, figure.add_subplot()


def _empty(height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    return figure


def panels(
    names: Sequence[str], *, share_x: bool = True, share_y: bool = False
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one set of axes a panel, at most two beside each other."""
    panels = unique(names)
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    figure = _empty(2.9 * down + (0.35 if across > 1 else 0.7))
    grid = figure.subplots(down, across, squeeze=False, sharex=share_x, sharey=share_y)
    for spare in grid.flat[len(panels) :]:
        spare.set_visible(False)
    return figure, dict(zip(panels, grid.flat, strict=False))


def reference_line(ax: Axes, at: float | None, *, horizontal: bool = False) -> None:
    """A dashed line at a value of the x axis (or the y axis); none for None."""
    if at is not None:
        mark = ax.axhline if horizontal else ax.axvline
        mark(at, color=MUTED, lw=0.9, ls=(0, (4, 2.5)), zorder=0)


def column_head(ax: Axes, x: float, words: str, *, align: str = "left") -> None:
    """Muted words above the axes, over a column of numbers."""
    place: dict[str, Any] = {"transform": ax.transAxes, "ha": align, "va": "bottom"}
    ax.text(x, 1.0, words, fontsize=8, color=MUTED, **place)


def numbers_on(axis: Any, kind: Kind) -> None:
    """Round numbers on an axis, as text of their kind."""
    from matplotlib.ticker import MaxNLocator

    whole = {"integer": True, "min_n_ticks": 1} if kind == "count" else {}
    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], **whole))
    axis.set_major_formatter(
        lambda value, _: numbers.tick(value, kind, among=axis.get_majorticklocs())
    )


def words(text: str) -> str:
    """A level or an axis as a reader expects it: no underscores, ranges with an en dash.

    Examples
    --------
    >>> words("schema_training"), words("Points (1-7)")
    ('schema training', 'Points (1–7)')
    """
    return re.sub(r"(?<=\d)-(?=\d)", "\u2013", text.replace("_", " "))


def headed(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def label_ticks(ax: Axes, x: FloatArray, labels: Sequence[str]) -> None:
    """The words of the x values, thinned out where there are many."""
    words = {float(at): text for at, text in zip(x, labels, strict=False) if text}
    if not words:
        return
    at = sorted(words)
    at = at[:: -(-len(at) // _MOST_TICKS)]
    ax.set_xticks(at, [words[a] for a in at])


def legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend for the whole figure above the panels, in as few lines as its words need."""
    letters = sum(len(str(h.get_label())) + _HANDLE_LETTERS for h in handles)
    columns = math.ceil(len(handles) / math.ceil(letters / _LEGEND_LETTERS))
    figure.legend(
        handles=handles, loc="outside upper left", ncols=columns, frameon=False, fontsize=8.5,
        handlelength=2.6, columnspacing=2.2,
    )  # fmt: skip


def watermark(figure: Figure) -> None:
    """The word across the picture, faint, and once more below it, plain.

    It has a strip of its own unless one label stands in the middle below all panels.
    """
    strip = 0.0 if figure.get_supxlabel() else 0.2 / figure.get_figheight()
    figure.set_layout_engine("constrained", rect=(0.0, strip, 1.0, 1.0 - strip))
    figure.text(
        0.5, 0.5, SIMULATED, ha="center", va="center", rotation=16, fontsize=52, weight="bold",
        color=ALARM, alpha=0.08, zorder=-1,
    )  # fmt: skip
    figure.text(
        0.995, 0.01, f"{SIMULATED} DATA", ha="right", va="bottom", fontsize=8, weight="bold",
        color=ALARM, in_layout=False,
    )  # fmt: skip


def save(figure: Figure, title: str) -> tuple[bytes, bytes]:
    """The figure as SVG and as PNG, without a date, laid out once."""
    _lay_out(figure)
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Title": title})
    metadata = {"Title": title, "Software": None}
    figure.savefig(png, format="png", facecolor="white", metadata=metadata)
    return svg.getvalue(), png.getvalue()


def _lay_out(figure: Figure) -> None:
    """Move the axes until they stay: texts beside them take room that moves with them.

    With the dots they are saved with, since the width of a text depends on them.
    """
    figure.set_dpi(_DPI)
    before = np.empty(0)
    for _ in range(_PASSES):
        figure.draw_without_rendering()
        now = np.ravel([ax.get_position().bounds for ax in figure.axes])
        if len(before) and np.allclose(before, now, rtol=0.0, atol=_STAYS):
            break
        before = now
    figure.set_layout_engine("none")


def beside(ax: Axes) -> Any:
    """Across in shares of the axes, up and down in data."""
    return ax.get_yaxis_transform()


def rows(names: Sequence[str], name: str) -> BoolArray:
    """Which rows carry this name."""
    return np.array([n == name for n in names])


def in_order(rows: BoolArray, by: FloatArray) -> Any:
    """The numbers of the chosen rows, sorted by a column."""
    chosen = np.flatnonzero(rows)
    return chosen[np.argsort(by[chosen], kind="stable")]


def unique(names: Sequence[str]) -> list[str]:
    """The names in order of appearance."""
    return list(dict.fromkeys(names))


def texts(cells: Sequence[Cell]) -> list[str]:
    """A column as texts; what is missing is empty."""
    return ["" if cell is None else str(cell) for cell in cells]


def floats(cells: Sequence[Cell]) -> FloatArray:
    """A column as numbers; what is missing is NaN."""
    return np.array([np.nan if cell is None else float(cell) for cell in cells])
