"""What a finding shows, as data: aggregated numbers and the marks that stand for them.

A model module says what is to be seen; `report` decides how it looks. No mark stands for fewer than
`FEWEST_PEOPLE` people, so that nobody can be found in a figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alc_stats.records import Kind

FEWEST_PEOPLE = 5
"""Behind every point, in every bin, and beyond every quantile that is drawn."""

MarkKind = Literal[
    "points", "line", "interval", "row", "band", "outline", "contour", "across", "down"
]
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Marks of one kind and one label. Marks that share a label share colour, marker and line.

    ============ ============================================================================
    kind         what is drawn
    ============ ============================================================================
    "points"     a marker at each (x, y)
    "line"       a line through (x, y), in the order given
    "interval"   a marker at each (x, y) with a vertical interval from low to high
    "row"        a forest: one row each, named by `texts`, a marker at x, horizontal interval
    "band"       the area between low and high along x
    "outline"    a closed line around (x, y)
    "contour"    level lines of z over the grid of `x` (across) and `y` (up); z row by row
    "across"     a dashed reference line at each y
    "down"       a dashed reference line at each x
    ============ ============================================================================

    Attributes
    ----------
    kind : MarkKind
    label : str
        What the legend calls it; without a label it is muted and not in the legend.
    x, y, low, high, z : tuple of float
        As far as the kind needs them; NaN leaves a gap.
    texts : tuple of str
        Names of a forest's rows.
    """

    kind: MarkKind
    label: str = ""
    x: Numbers = ()
    y: Numbers = ()
    low: Numbers = ()
    high: Numbers = ()
    z: Numbers = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One set of axes; forests and other marks do not share one."""

    marks: tuple[Mark, ...]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure of a finding.

    Attributes
    ----------
    id : str
        Unique within the finding; letters, digits and underscores.
    title, caption, alt : str
        What is shown; how to read it and how many are behind it; the same for who cannot see it.
    x, y : str
        Axis labels with units; y is empty for a forest.
    panels : tuple of Panel
        At most two stand beside each other.
    x_kind, y_kind : Kind
        How the numbers along the axes are printed.
    x_names : tuple of (float, str)
        Words at places along the x axis instead of numbers.
    square : bool
        Whether a unit is as long up as across, and both axes show the same range.
    """

    id: str
    title: str
    caption: str
    alt: str
    x: str
    y: str = ""
    panels: tuple[Panel, ...]
    x_kind: Kind = "estimate"
    y_kind: Kind = "estimate"
    x_names: tuple[tuple[float, str], ...] = ()
    square: bool = False
