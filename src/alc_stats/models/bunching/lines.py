"""What is said and shown of bunching: lines, evidence, figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.bunching.comparison import BINS, Bunching, Specification, told
from alc_stats.models.bunching.data import FAR, WIDER
from alc_stats.models.finding import Evidence, Line
from alc_stats.models.gap.lines import line
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.records import Number, Phrase

KEPT = 0.5
"""An excess that keeps less than half of itself under another curve is an excess of the curve."""
CAPPED = 0.25
"""Share above the quota, relative to the comparison, below which the quota is a lid."""
WHOSE = {
    "under": "under the mandate",
    "before": "same firms without it",
    "never": "never-mandated firms",
}
_HOW = "bootstrap of firms, t"


def bunching_lines(found: Bunching, level: float) -> tuple[Line, ...]:
    """The difference, its parts, then other counterfactuals."""
    first = line(found.difference(), "Difference in excess mass at the quota",
                 "round numbers that people like with and without a quota", _HOW, level=level,
                 unit=BINS)  # fmt: skip
    return (replace(first, primary=True), *_parts(found, level), *_late(found, level),
            *_ways(found, level), *_specifications(found, level))  # fmt: skip


def _parts(found: Bunching, level: float) -> Iterator[Line]:
    low, high = found.limits(level)
    yield Line("Difference, percentiles of the draws", "draws that are not normal",
               value=found.difference().value, low=low, high=high,
               reference="bootstrap of firms, percentiles", unit=BINS)  # fmt: skip
    for group, whose in WHOSE.items():
        if found.data.has(group) and found.firms(group) > 1:
            yield line(found.of(group), f"Excess mass, {whose}", "", _HOW, level=level, unit=BINS)
    if found.data.comparison == "never" and found.data.has("before") and found.firms("before") > 1:
        yield line(found.difference(less="before"), "Difference from the same firms without it",
                   "firms that are alike in nothing but the quota", _HOW, level=level,
                   unit=BINS)  # fmt: skip
    yield line(found.difference("missing"), "Difference in what lacks below the quota",
               "tokens that came from nowhere near", _HOW, level=level, unit=BINS)  # fmt: skip
    yield line(found.difference("share"), "Share of those just short who were topped up",
               "", _HOW, level=level, unit="share")  # fmt: skip


def _late(found: Bunching, level: float) -> Iterator[Line]:
    if found.data.late:
        yield line(found.difference("late"), "Share used at the end of the period",
                   "a quota that is filled at the last moment", _HOW, level=level,
                   unit="share")  # fmt: skip


def _ways(found: Bunching, level: float) -> Iterator[Line]:
    without_rounds, free, naive = found.others[:3]
    yield line(found.difference(spec=without_rounds), "Difference without round-number effects",
               "effects of round numbers that fit noise", _HOW, level=level, unit=BINS)  # fmt: skip
    yield line(found.difference(spec=free), "Difference without the integration constraint",
               "people who came from outside the window", _HOW, level=level, unit=BINS)  # fmt: skip
    yield line(found.of("under", spec=naive), "Naive: mandated firms alone, any round number",
               "nothing; shown for what it would have said", _HOW, level=level,
               unit=BINS)  # fmt: skip


def specifications(found: Bunching) -> Iterator[tuple[Specification, str]]:
    """The other orders and windows, with their names."""
    window = found.data.question.window
    for spec in found.others[3:]:
        yield spec, f"Order {spec.order}, window {spec.scale * window:.0%}"


def _specifications(found: Bunching, level: float) -> Iterator[Line]:
    for spec, name in specifications(found):
        yield line(found.difference(spec=spec), name, "a curve that was chosen", _HOW, level=level,
                   unit=BINS)  # fmt: skip


# -- evidence ------------------------------------------------------------------------------------


def bunching_evidence(found: Bunching, criterion: Criterion) -> tuple[Evidence, ...]:
    """One piece an artefact."""
    return (
        _heaping(found, criterion), _caps(found), _units(found), _curve(found, criterion),
        _before(found, criterion), _few(found, criterion),
    )  # fmt: skip


def _heaping(found: Bunching, criterion: Criterion) -> Evidence:
    """Two ways to take round numbers out, of which the comparison alone is always there."""
    kinds = told(found.data, found.main)
    without = found.difference(spec=found.others[0])
    numbers = {
        "excess_without_mandate": Number(found.of(found.data.comparison).value, unit=BINS),
        "without_effects": Number(without.value, unit=BINS),
        "kinds_of_round_numbers": Number(kinds, "count"),
    }
    apart = decide(without, criterion).verdict != decide(found.difference(), criterion).verdict
    seen = (
        "At the same cutoff the excess without a mandate is {excess_without_mandate} bins; it is "
        "taken off, and effects of {kinds_of_round_numbers} kinds of round numbers with it "
        "(difference without them {without_effects})."
    )
    if kinds and apart and _shown(found, criterion):
        seen += " The verdict hangs on these effects."
        return Evidence("round numbers", "threat", Phrase(seen, numbers))
    return Evidence("round numbers", "clear", Phrase(seen, numbers))


def _shown(found: Bunching, criterion: Criterion) -> bool:
    return decide(found.difference(), criterion).verdict in ("supported", "contradicted")


def _caps(found: Bunching) -> Evidence:
    above = {g: _share_above(found, g) for g in ("under", found.data.comparison)}
    other = above[found.data.comparison]
    numbers = {"above": Number(above["under"], "share"), "above_without": Number(other, "share")}
    capped = above["under"] < CAPPED * other
    seen = (
        "Of amounts in the window {above} lie beyond the quota, {above_without} without a quota"
        + (": the quota is a lid as well, and a lid bunches by itself." if capped else ".")
    )
    return Evidence("a cap at the quota", "threat" if capped else "clear", Phrase(seen, numbers))


def _share_above(found: Bunching, group: str) -> float:
    zones = found.data.question.zones(WIDER)
    counts = found.data.counts[group].sum(axis=0)
    beyond = counts[zones.window + zones.reached :].sum()
    return float(beyond / counts.sum())


def _units(found: Bunching) -> Evidence:
    far = found.data.outlying
    numbers = {"typical": Number(found.data.typical, "ratio"), "far": Number(FAR, "count")}
    declared = found.data.question.unit is not None
    if far:
        seen = (f"{len(far)} firms use more than {{far}} times their quota, or less than that part "
                "of it: their quota seems to be counted in another unit than the log.")  # fmt: skip
        return Evidence("units of quota and log", "threat", Phrase(seen, numbers))
    seen = "A typical amount is {typical} quotas, within what one unit allows ({far} times)" + (
        f"; both are declared in {found.data.question.unit}." if declared else "."
    )
    return Evidence("units of quota and log", "clear", Phrase(seen, numbers))


def _curve(found: Bunching, criterion: Criterion) -> Evidence:
    own = found.difference().value
    others = [found.difference(spec=spec).value for spec, _ in specifications(found)]
    numbers = {"smallest_curve": Number(min(others), unit=BINS),
               "largest_curve": Number(max(others), unit=BINS)}  # fmt: skip
    lost = _shown(found, criterion) and any(x * np.sign(own) < KEPT * abs(own) for x in others)
    seen = (
        f"By {len(others)} other orders and windows the difference is {{smallest_curve}} to "
        "{largest_curve} bins" + (": it hangs on the curve." if lost else ".")
    )
    return Evidence("order and window", "threat" if lost else "clear", Phrase(seen, numbers))


def _before(found: Bunching, criterion: Criterion) -> Evidence:
    name = "differences before the mandate"
    if (
        found.data.comparison != "never"
        or not found.data.has("before")
        or found.firms("before") < 2
    ):
        why = "There is no second comparison: that firms were alike rests on the assignment."
        return Evidence(name, "not tested", Phrase(why))
    placebo = found.difference(of="before", less="never")
    apart = decide(placebo, criterion).verdict in ("supported", "contradicted")
    seen = Phrase(
        "Without the mandate firms differed by {placebo} bins"
        + (": they bunched before there was a quota." if apart else ", no excess that matters."),
        {"placebo": Number(placebo.value, unit=BINS)},
    )
    return Evidence(name, "threat" if apart and _shown(found, criterion) else "clear", seen)


def _few(found: Bunching, criterion: Criterion) -> Evidence:
    own, other = found.firms("under"), found.firms(found.data.comparison)
    numbers = {"firms_under": Number(own, "count"), "firms_without": Number(other, "count")}
    few = min(own, other) <= FEW_TREATED and _shown(found, criterion)
    seen = "{firms_under} firms under a quota and {firms_without} in the comparison" + (
        ", too few to draw from." if few else "."
    )
    return Evidence("few firms", "threat" if few else "clear", Phrase(seen, numbers))


# -- figures -------------------------------------------------------------------------------------


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
    rows: list[tuple[str, Estimate]] = [("As declared", found.difference())]
    rows += [(name, found.difference(spec=spec)) for spec, name in specifications(found)]
    rows += [("No round-number effects", found.difference(spec=found.others[0])),
             ("No integration constraint", found.difference(spec=found.others[1])),
             ("Naive: no comparison", found.of("under", spec=found.others[2]))]  # fmt: skip
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
