"""What there is to look at: both histograms, and the answer by other curves."""

from __future__ import annotations

import numpy as np

from alc_stats.models.bunching.comparison import Bunching
from alc_stats.models.bunching.data import WIDER
from alc_stats.models.bunching.lines import WHOSE, specifications
from alc_stats.models.picture import Mark, Panel, Picture


def bunching_pictures(found: Bunching, level: float) -> tuple[Picture, ...]:
    """Both histograms with their counterfactuals, and the curve of specifications."""
    return _histograms(found), _forest(found, level)


def _histograms(found: Bunching) -> Picture:
    panels = tuple(_panel(found, g) for g in ("under", found.data.comparison))
    sizes = [int(found.data.counts[g].sum()) for g in ("under", found.data.comparison)]
    other = WHOSE[found.data.comparison]
    return Picture(
        id="histogram",
        title="Amounts about the quota, with and without it",
        caption=f"Periods of persons by amount, {sizes[0]:,} under the mandate and {sizes[1]:,} of "
        f"{other}, each firm about its own quota. The line is what the bins outside the zone from "
        f"{-found.data.question.below:.0%} to {found.data.question.above:+.0%} expect, round "
        "numbers included. Bins with fewer than five persons are left out.",
        alt="Two panels of points and a line, under a quota and without; bunching is a point far "
        "above the line at zero and points below it just short of zero.",
        x="Amount relative to the quota (0 is the quota)",
        y="Share of the window's periods",
        panels=panels,
        x_kind="percent",
        y_kind="share",
    )


def _panel(found: Bunching, group: str) -> Panel:
    zones = found.data.question.zones()
    w = found.data.question.zones(WIDER).window - zones.window
    inner = slice(w, -w)
    counts = found.data.counts[group].sum(axis=0)[inner]
    seen = found.data.visible[group][inner]
    expected = found.excess(group).counterfactual[0] / counts.sum()
    shares = np.where(seen, counts / counts.sum(), np.nan)
    x = tuple(zones.middles.tolist())
    return Panel(
        title=WHOSE[group].capitalize(),
        marks=(
            Mark(kind="points", label="observed", x=x, y=tuple(shares.tolist())),
            Mark(kind="line", label="expected without bunching", x=x, y=tuple(expected.tolist())),
            Mark(kind="down", x=(0.0,)),
        ),
    )


def _forest(found: Bunching, level: float) -> Picture:
    tried = [("As declared", found.difference())]
    tried += [(name, found.difference(spec=spec)) for spec, name in specifications(found)]
    tried += [("No round-number effects", found.difference(spec=found.others[0])),
              ("No integration constraint", found.difference(spec=found.others[1])),
              ("Naive: no comparison", found.of("under", spec=found.others[2]))]  # fmt: skip
    rows = [(name, own) for name, own in tried if own is not None]
    ends = [e.interval(level) for _, e in rows]
    forest = Mark(
        kind="row", texts=tuple(name for name, _ in rows), x=tuple(e.value for _, e in rows),
        low=tuple(low for low, _ in ends), high=tuple(high for _, high in ends),
    )  # fmt: skip
    return Picture(
        id="specifications",
        title="The same excess by other curves",
        caption="Difference in excess mass at the quota, in bins of the counterfactual, by order "
        f"of the polynomial and width of the window, with {level:.0%} intervals from a bootstrap "
        "of firms.",
        alt="A forest of intervals, one row a specification.",
        x="Difference in excess mass (bins)",
        panels=(Panel(marks=(forest, Mark(kind="down", x=(0.0,)))),),
    )
