"""Slopes, losses told otherwise, loadings, and what shares of variance would have said."""

from __future__ import annotations

from collections.abc import Iterator

from alc_stats.models.finding import NOTHING, Line
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.models.proxy.decay import SLOPE, Decay
from alc_stats.models.proxy.sums import CELLS
from alc_stats.records import Number, Phrase

_NAMED = dict(zip(CELLS, ("treated, before", "treated, after", "never mandated, before",
                          "never mandated, after"), strict=True))  # fmt: skip
_LOSSES = {
    "common": ("Loss in the use that all cells have", "a range that moved along a curve"),
    "held": ("Loss at the same use, one curvature for all", "a range that moved along a curve"),
    "true": ("Loss of slopes on what both halves of use share", "error of use that grew"),
    "second": ("Loss of slopes of the second rating", "raters who rate otherwise than before"),
    "elsewhere": ("Loss without weeks at the quota", "padding up to the quota alone"),
    "control": ("Loss in tasks that do not count", "whatever else changed"),
}


def all_lines(found: Decay) -> Iterator[Line]:
    """In the order they are read."""
    yield _relative(found, "slope", "Slope after, relative to what would have been left",
                    "a slope near zero before")  # fmt: skip
    yield _line(found, "slope change", "Change of the slope", "a ratio that is large by chance")
    for cell, name in _NAMED.items():
        yield _line(found, f"slope {cell}", f"Slope, {name}", "")
    for name, (method, guards) in _LOSSES.items():
        if found.knows(f"{name} loss"):
            yield _line(found, f"{name} loss", method, guards, "ratio", _rows_of(found, name))
    if found.knows("loading loss"):
        yield from _loadings(found)
    yield _line(found, "change of share", "Naive: change of partial R2, cross-validated by firm",
                "nothing; it moves with the range", "share")  # fmt: skip
    yield _line(found, "change of log sd", "Change of the spread of use",
                "a range that became narrower or wider", "log SD")  # fmt: skip


def _line(
    found: Decay, name: str, method: str, guards: str, unit: str = SLOPE, note: Phrase = NOTHING
) -> Line:
    own = found.of(name, unit)
    return Line.of(own, method, guards, "bootstrap of firms, t", level=found.level, note=note)


def _rows_of(found: Decay, name: str) -> Phrase:
    """How many rows are behind a loss that not all rows are."""
    own = {"held": "common", "true": "halves", "second": "ratings"}.get(name, name)
    return Phrase("{rows} rows.", {"rows": Number(int(found.data.sums[own].size.sum()), "count")})


def _relative(found: Decay, name: str, method: str, guards: str, note: Phrase = NOTHING) -> Line:
    r = found.ratio(name)
    return Line(method, guards, note, value=r.value, low=r.low, high=r.high,
                reference=f"Fieller, {r.shape}", unit="ratio")  # fmt: skip


def _loadings(found: Decay) -> Iterator[Line]:
    yield _relative(found, "loading", "Loading after, relative to what would have been left",
                    "a slope that fell since the metric has more error",
                    _rows_of(found, "indicators"))  # fmt: skip
    yield _line(found, "inflation", "Use beyond what the indicators account for",
                "use that grew with what it is for", "log",
                Phrase("Change of its intercept, at the loading of before."))  # fmt: skip
    yield _line(found, "change of communality", "Naive: change of the metric's communality",
                "nothing; it moves with the range", "share")  # fmt: skip


def all_pictures(found: Decay) -> tuple[Picture, ...]:
    """Four slopes, and four loadings where they were asked for."""
    slopes = Picture(
        id="slopes",
        title="What use is worth, before and after",
        caption=f"Slopes of quality on log use within persons and periods, {found.data.rows:,} "
        f"rows, with {100 * found.level:.0f} % intervals from a bootstrap of firms.",
        alt="Four intervals: treated and never-mandated firms, before and after.",
        x="Slope (points of quality per log unit)",
        panels=_forest(found, "slope"),
    )
    if not found.knows("loading loss"):
        return (slopes,)
    rows = int(found.data.sums["indicators"].size.sum())
    loadings = Picture(
        id="loadings",
        title="How far use goes with what the other indicators share",
        caption=f"Loadings of log use on the factor behind it and the other indicators, in mean "
        f"loadings of these, {rows:,} rows, with {100 * found.level:.0f} % intervals from a "
        "bootstrap of firms.",
        alt="Four intervals: treated and never-mandated firms, before and after.",
        x="Loading (relative to the other indicators)",
        panels=_forest(found, "loading"),
    )
    return slopes, loadings


def _forest(found: Decay, name: str) -> tuple[Panel, ...]:
    own = [found.of(f"{name} {cell}") for cell in CELLS]
    ends = [e.interval(found.level) for e in own]
    rows = Mark(
        kind="row", texts=tuple(_NAMED.values()), x=tuple(e.value for e in own),
        low=tuple(low for low, _ in ends), high=tuple(high for _, high in ends),
    )  # fmt: skip
    return (Panel(marks=(rows, Mark(kind="down", x=(0.0,)))),)
