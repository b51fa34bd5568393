"""What there is to look at: both histograms, and the answer by other curves."""

from __future__ import annotations

import numpy as np

from alc_stats.models.bunching.comparison import Bunching
from alc_stats.models.bunching.data import WIDER
from alc_stats.models.bunching.lines import specifications
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.records import BoolArray

TITLES = {
    "under": "Under the quota",
    "before": "Same firms without it",
    "never": "Never under a quota",
}


def bunching_pictures(found: Bunching, level: float) -> tuple[Picture, ...]:
    """Both histograms with their counterfactuals, and the curve of specifications."""
    groups = [g for g in ("under", found.data.comparison) if _seen(found, g).any()]
    shown = (_histograms(found, groups),) if groups else ()
    return *shown, _forest(found, level)


def _histograms(found: Bunching, groups: list[str]) -> Picture:
    """Groups of which no bin holds enough persons have no panel."""
    sizes = [
        f"{int(found.data.counts[g].sum()):,} {TITLES[g].lower()}"
        for g in ("under", found.data.comparison)
    ]
    zone = f"\N{MINUS SIGN}{found.data.question.below:.0%} to +{found.data.question.above:.0%}"
    return Picture(
        id="histogram",
        title="Amounts about the quota, with and without it",
        caption=f"Periods of persons by amount, {' and '.join(sizes)}, each firm about its own "
        f"quota. The line is what the bins outside the zone from {zone} expect, round "
        "numbers included, as far as there are amounts. Bins with fewer than five persons are left "
        "out" + ("." if len(groups) == len(sizes) else ", and so is a group that has no others."),
        alt="Points and a line, under a quota and without; bunching is a point far "
        "above the line at zero and points below it just short of zero.",
        x="Amount relative to the quota (0 is the quota)",
        y="Share of the window's periods",
        panels=tuple(_panel(found, g) for g in groups),
        x_kind="percent",
        y_kind="share",
    )


def _inner(found: Bunching) -> slice:
    """The declared window within the widest that was counted."""
    zones = found.data.question.zones()
    w = found.data.question.zones(WIDER).window - zones.window
    return slice(w, -w)


def _seen(found: Bunching, group: str) -> BoolArray:
    return np.asarray(found.data.visible[group][_inner(found)], dtype=bool)


def _panel(found: Bunching, group: str) -> Panel:
    zones, seen = found.data.question.zones(), _seen(found, group)
    counts = found.data.counts[group].sum(axis=0)[_inner(found)]
    expected = found.excess(group).counterfactual[0] / counts.sum()
    shares = np.where(seen, counts / counts.sum(), np.nan)
    there = _reach(seen, zones.middles <= found.data.question.above)
    x = tuple(zones.middles.tolist())
    drawn = tuple(np.where(there, expected, np.nan).tolist())
    return Panel(
        title=TITLES[group],
        marks=(
            Mark(kind="points", label="Observed", x=x, y=tuple(shares.tolist())),
            Mark(kind="line", label="Expected without bunching", x=x, y=drawn),
            Mark(kind="down", x=(0.0,)),
        ),
    )


def _reach(seen: BoolArray, short: BoolArray) -> BoolArray:
    """From the first bin that is shown to the last, or to the end of the zone.

    Beyond, a polynomial says nothing and grows without limit.
    """
    at = np.flatnonzero(seen)
    last = max(int(at[-1]), int(np.flatnonzero(short)[-1]))
    within: BoolArray = (np.arange(len(seen)) >= at[0]) & (np.arange(len(seen)) <= last)
    return within


def _forest(found: Bunching, level: float) -> Picture:
    tried = [("As declared", found.difference())]
    tried += [(name, found.difference(spec=spec)) for spec, name in specifications(found)]
    tried += [("No round-number effects", found.difference(spec=found.others[0])),
              ("No integration constraint", found.difference(spec=found.others[1])),
              ("Naive: no comparison", found.of("under", spec=found.others[2]))]  # fmt: skip
    rows = [(name, own) for name, own in tried if own is not None]
    ends = [e.interval(level) for _, e in rows]
    lacking = (
        " Curves that expect nothing at the quota have no row." if len(rows) < len(tried) else ""
    )
    forest = Mark(
        kind="row", texts=tuple(name for name, _ in rows), x=tuple(e.value for _, e in rows),
        low=tuple(low for low, _ in ends), high=tuple(high for _, high in ends),
    )  # fmt: skip
    return Picture(
        id="specifications",
        title="The same excess by other curves",
        caption="Difference in excess mass at the quota, in bins of the counterfactual, by order "
        f"of the polynomial and width of the window, with {100 * level:.0f} % intervals from a "
        f"bootstrap of firms.{lacking}",
        alt="A forest of intervals, one row a specification.",
        x="Difference in excess mass (bins)",
        panels=(Panel(marks=(forest, Mark(kind="down", x=(0.0,)))),),
    )
