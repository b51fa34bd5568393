"""Any picture of a finding, drawn mark by mark."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.records import FloatArray
from alc_stats.report import canvas
from alc_stats.report.canvas import COLOURS, INK, LINES, MARKERS, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MUTED_LINE = (0, (1, 1.5))
_REFERENCES = ("across", "down")
_LABEL_WIDTH = 42
"""Characters that fit beside a panel, or below one of two."""
_CROWDED = 12
"""Places with intervals, from which on markers would run into each other."""


def picture_figure(picture: Picture) -> Figure:
    """The figure of a picture; labels keep colour, marker and line over all panels."""
    styles = _styles(picture)
    forest = any(m.kind == "row" for p in picture.panels for m in p.marks)
    figure, axes = _axes(picture, forest=forest)
    crowded = _is_crowded(picture)
    for panel, ax in zip(picture.panels, axes, strict=True):
        rows = 0
        for mark in panel.marks:
            style = styles.get(mark.label)
            if mark.kind == "row":
                rows = _rows(ax, mark, style, start=rows)
            elif mark.kind == "interval":
                _interval(ax, mark, style, crowded=crowded)
            else:
                _DRAW[mark.kind](ax, mark, style)
        _finish(ax, picture, panel, forest=forest, rows=rows)
    if len(axes) == 1:
        axes[0].set_xlabel(_words(picture.x))
    else:
        figure.supxlabel(_words(picture.x), fontsize=9)
    axes[0].set_ylabel(textwrap.fill(_words(picture.y), _LABEL_WIDTH))
    _legend(figure, picture, styles)
    return figure


def _words(text: str) -> str:
    """Of an axis or a legend."""
    return canvas.headed(canvas.words(text))


def _styles(picture: Picture) -> dict[str, int]:
    """A number for every label that has a colour, in order of appearance."""
    marks = [m for p in picture.panels for m in p.marks if m.kind not in _REFERENCES]
    labels = [m.label for m in marks if m.label]
    return {label: i for i, label in enumerate(canvas.unique(labels))}


def _is_crowded(picture: Picture) -> bool:
    """Whether intervals stand at so many places of a panel that they need smaller markers."""
    places = (
        {round(x) for m in panel.marks if m.kind == "interval" for x in m.x}
        for panel in picture.panels
    )
    return max(map(len, places), default=0) > _CROWDED


def _axes(picture: Picture, *, forest: bool) -> tuple[Figure, list[Axes]]:
    if len(picture.panels) > 1:
        names = [f"{i}" for i in range(len(picture.panels))]
        shared = not forest
        figure, grid = canvas.panels(names, share_x=shared, share_y=shared)
        return figure, list(grid.values())
    if forest:
        rows = sum(len(m.texts) for m in picture.panels[0].marks)
        figure, ax = canvas.one_panel(height=1.2 + 0.32 * rows)
    else:
        figure, ax = canvas.one_panel(height=5.2 if picture.square else 3.6)
    return figure, [ax]


def _colour(style: int | None) -> str:
    return MUTED if style is None else COLOURS[style % len(COLOURS)]


def _marker(style: int | None) -> dict[str, Any]:
    shape = "o" if style is None else MARKERS[style % len(MARKERS)]
    return {"color": _colour(style), "marker": shape, "ms": 5.5, "mec": "white", "mew": 0.7}


def _pattern(style: int | None) -> Any:
    return _MUTED_LINE if style is None else LINES[style % len(LINES)]


def _points(ax: Axes, mark: Mark, style: int | None) -> None:
    ax.plot(mark.x, mark.y, ls="", **_marker(style))


def _line(ax: Axes, mark: Mark, style: int | None) -> None:
    ax.plot(mark.x, mark.y, color=_colour(style), ls=_pattern(style), lw=1.6)


def _interval(ax: Axes, mark: Mark, style: int | None, *, crowded: bool) -> None:
    ax.vlines(mark.x, mark.low, mark.high, color=_colour(style), lw=1.0 if crowded else 1.3)
    small = {"ms": 3.8, "mew": 0.4} if crowded else {}
    ax.plot(mark.x, mark.y, ls="", **_marker(style) | small)


def _band(ax: Axes, mark: Mark, style: int | None) -> None:
    ax.fill_between(mark.x, mark.low, mark.high, color=_colour(style), alpha=0.16, lw=0)


def _outline(ax: Axes, mark: Mark, style: int | None) -> None:
    x, y = (*mark.x, *mark.x[:1]), (*mark.y, *mark.y[:1])
    ax.plot(x, y, color=INK if style is None else _colour(style), lw=1.2)


def _contour(ax: Axes, mark: Mark, _: int | None) -> None:
    z = np.reshape(mark.z, (len(mark.y), len(mark.x)))
    filled = ax.contourf(mark.x, mark.y, z, levels=12, cmap="cividis", alpha=0.85)
    levels = np.asarray(filled.levels)[::2]
    lines = ax.contour(mark.x, mark.y, z, levels=levels, colors="white", linewidths=0.7)
    ax.clabel(lines, fontsize=7.5)


def _across(ax: Axes, mark: Mark, _: int | None) -> None:
    for at in mark.y:
        canvas.reference_line(ax, at, horizontal=True)


def _down(ax: Axes, mark: Mark, _: int | None) -> None:
    for at in mark.x:
        canvas.reference_line(ax, at)


_DRAW: Mapping[str, Callable[[Axes, Mark, int | None], None]] = {
    "points": _points,
    "line": _line,
    "band": _band,
    "outline": _outline,
    "contour": _contour,
    "across": _across,
    "down": _down,
}


def _rows(ax: Axes, mark: Mark, style: int | None, *, start: int) -> int:
    """The rows of a forest below those that are there; returns how many there are then."""
    at = -np.arange(start, start + len(mark.texts), dtype=float)
    ax.hlines(at, mark.low, mark.high, color=_colour(style), lw=1.8)
    ax.plot(mark.x, at, ls="", **_marker(style) | {"ms": 6.5})
    where = canvas.beside(ax)
    for y, text in zip(at, mark.texts, strict=True):
        words = textwrap.fill(_row_words(text), 44)
        ax.text(-0.03, y, words, transform=where, ha="right", va="center", fontsize=8.5, color=INK)
    return start + len(mark.texts)


def _row_words(text: str) -> str:
    """Of a forest's row; a letter before a colon names a path and stays small."""
    words = canvas.words(text)
    return words if words[1:2] == ":" else canvas.headed(words)


def _finish(ax: Axes, picture: Picture, panel: Panel, *, forest: bool, rows: int) -> None:
    import seaborn as sns

    sns.despine(ax=ax, left=forest)
    if panel.title:
        title = textwrap.fill(_words(panel.title), 40)
        ax.set_title(title, loc="left", fontsize=9, weight="bold", color=INK)
    _ticks_across(ax, picture)
    if forest:
        ax.set_yticks([])
        ax.set_ylim(-rows + 0.4, 0.6)
    else:
        canvas.numbers_on(ax.yaxis, picture.y_kind)
    if picture.square:
        _squared(ax)


def _ticks_across(ax: Axes, picture: Picture) -> None:
    if picture.x_names:
        at = np.array([a for a, _ in picture.x_names])
        canvas.label_ticks(ax, at, [canvas.words(name) for _, name in picture.x_names])
    else:
        canvas.numbers_on(ax.xaxis, picture.x_kind)


def _squared(ax: Axes) -> None:
    ends: FloatArray = np.array([ax.get_xlim(), ax.get_ylim()])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")


def _legend(figure: Figure, picture: Picture, styles: Mapping[str, int]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    named = [m for p in picture.panels for m in p.marks if m.kind in _REFERENCES and m.label]
    references = canvas.unique([m.label for m in named])
    if len(styles) + len(references) < 2:
        return
    kinds: dict[str, set[str]] = {}
    for panel in picture.panels:
        for mark in panel.marks:
            kinds.setdefault(mark.label, set()).add(mark.kind)
    handles: list[Any] = []
    for label, style in styles.items():
        words, kind = _words(label), kinds[label]
        if kind == {"band"}:
            handles.append(Patch(color=_colour(style), alpha=0.16, lw=0, label=words))
            continue
        pointed = kind & {"points", "interval", "row"}
        look = _marker(style) if pointed else {"color": _colour(style)}
        lined = kind & {"line", "outline"} or not pointed
        handles.append(Line2D([], [], ls=_pattern(style) if lined else "", label=words, **look))
    dashed: dict[str, Any] = {"color": MUTED, "lw": 0.9, "ls": (0, (4, 2.5))}
    handles += [Line2D([], [], label=_words(r), **dashed) for r in references]
    canvas.legend(figure, handles)
