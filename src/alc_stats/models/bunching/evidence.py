"""What could have made a heap at the quota other than people who fill it."""

from __future__ import annotations

import numpy as np

from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.bunching.comparison import BINS, Bunching, kinds_told
from alc_stats.models.bunching.data import FAR
from alc_stats.models.bunching.lid import lid, lid_evidence
from alc_stats.models.bunching.lines import specifications
from alc_stats.models.bunching.rounding import rounding
from alc_stats.models.finding import Evidence
from alc_stats.records import Number, Phrase

KEPT = 0.5
"""An excess that keeps less than half of itself under another curve is an excess of the curve."""


def bunching_evidence(found: Bunching, criterion: Criterion) -> tuple[Evidence, ...]:
    """One piece an artefact."""
    return (
        _heaping(found, criterion), lid_evidence(lid(found, 1.0 - criterion.alpha)), _units(found),
        _curve(found, criterion),
        _before(found, criterion), _few(found, criterion),
    )  # fmt: skip


def _heaping(found: Bunching, criterion: Criterion) -> Evidence:
    """Two ways to take round numbers out, of which the comparison alone is always there."""
    name = "round numbers"
    kinds = kinds_told(found.data, found.main)
    own, other = found.difference(), found.of(found.data.comparison)
    without = found.difference(spec=found.others[0])
    if own is None or other is None:
        return Evidence(name, "not tested", Phrase("There is no comparison to take off."))
    numbers = {
        "excess_without_mandate": Number(other.value, unit=BINS),
        "kinds_of_round_numbers": Number(kinds, "count"),
    }
    seen = (
        "At the same cutoff the excess without a mandate is {excess_without_mandate} bins; it is "
        "taken off, and effects of {kinds_of_round_numbers} kinds of round numbers with it"
    )
    if without is None:
        seen += " (without them the curve expects nothing)."
    else:
        numbers["without_effects"] = Number(without.value, unit=BINS)
        seen += " (difference without them {without_effects})."
    apart = without is None or decide(without, criterion).verdict != decide(own, criterion).verdict
    if kinds and apart and shown(found, criterion):
        seen += " The verdict hangs on these effects."
        return Evidence(name, "threat", Phrase(seen, numbers))
    more = rounding(found.data)
    if more is not None:
        numbers["elsewhere"] = Number(more, unit=BINS)
        seen += " At other round numbers {elsewhere} bins more gather under it than without."
        least = without if without is not None else own
        if more > 0.0 and least.value - more < KEPT * least.value and shown(found, criterion):
            seen += " So much of the difference is of how amounts are rounded."
            return Evidence(name, "threat", Phrase(seen, numbers))
    return Evidence(name, "clear", Phrase(seen, numbers))


def shown(found: Bunching, criterion: Criterion) -> bool:
    """Whether there is a difference that matters, either way."""
    own = found.difference()
    return own is not None and decide(own, criterion).verdict in ("supported", "contradicted")


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
    name = "order and window"
    tried = [found.difference(spec=spec) for spec, _ in specifications(found)]
    own, others = found.difference(), [e.value for e in tried if e is not None]
    if own is None or not others:
        return Evidence(name, "not tested", Phrase("Too few curves expect anything at the quota."))
    numbers = {"smallest_curve": Number(min(others), unit=BINS),
               "largest_curve": Number(max(others), unit=BINS)}  # fmt: skip
    undrawn = len(tried) - len(others)
    lost = shown(found, criterion) and (
        undrawn > 0 or any(x * np.sign(own.value) < KEPT * abs(own.value) for x in others)
    )
    seen = (
        f"By {len(others)} other orders and windows the difference is {{smallest_curve}} to "
        "{largest_curve} bins"
        + (f", and {undrawn} curves expect nothing at the quota" if undrawn else "")
        + (": it hangs on the curve." if lost else ".")
    )
    return Evidence(name, "threat" if lost else "clear", Phrase(seen, numbers))


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
    if placebo is None:
        return Evidence(name, "not tested", Phrase("The curve expects nothing at the quota."))
    apart = decide(placebo, criterion).verdict in ("supported", "contradicted")
    seen = Phrase(
        "Without the mandate firms differed by {placebo} bins"
        + (": they bunched before there was a quota." if apart else ", no excess that matters."),
        {"placebo": Number(placebo.value, unit=BINS)},
    )
    return Evidence(name, "threat" if apart and shown(found, criterion) else "clear", seen)


def _few(found: Bunching, criterion: Criterion) -> Evidence:
    own, other = found.firms("under"), found.firms(found.data.comparison)
    numbers = {"firms_under": Number(own, "count"), "firms_without": Number(other, "count")}
    few = min(own, other) <= FEW_TREATED and shown(found, criterion)
    seen = "{firms_under} firms under a quota and {firms_without} in the comparison" + (
        ", too few to draw from." if few else "."
    )
    return Evidence("few firms", "threat" if few else "clear", Phrase(seen, numbers))
