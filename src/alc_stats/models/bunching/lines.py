"""What is said of bunching: the difference, its parts, and other counterfactuals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from alc_stats.estimators.estimate import Estimate
from alc_stats.models.bunching.comparison import BINS, Bunching, Specification
from alc_stats.models.bunching.jump import LOG_DENSITY, jump
from alc_stats.models.bunching.lid import lid
from alc_stats.models.finding import Line
from alc_stats.models.gap.lines import line
from alc_stats.records import Phrase

WHOSE = {
    "under": "under the quota",
    "before": "same firms without it",
    "never": "never under a quota",
}
_HOW = "bootstrap of firms, t"
_NOTHING = Phrase("Where a curve expects nothing at the quota there is no number.")


def bunching_lines(found: Bunching, level: float) -> tuple[Line, ...]:
    """The difference, its parts, then other counterfactuals."""
    first = _line(found.difference(), "Difference in excess mass at the quota",
                  "round numbers that people like with and without a quota", level)  # fmt: skip
    first = (
        replace(first, primary=True) if first.value is not None else replace(first, note=_NOTHING)
    )
    return (first, *_parts(found, level),
            *_late(found, level), *_quality(found, level),
            *_jump(found, level), *_beyond(found, level),
            *_ways(found, level), *_specifications(found, level))  # fmt: skip


def _line(
    own: Estimate | None, method: str, guards: str, level: float, unit: str = BINS
) -> Line:  # fmt: skip
    if own is None:
        return Line(method, guards, unit=unit)
    return line(own, method, guards, _HOW, level=level, unit=unit)


def _parts(found: Bunching, level: float) -> Iterator[Line]:
    if own := found.difference():
        low, high = found.limits(level)
        yield Line("Difference, percentiles of the draws", "draws that are not normal",
                   value=own.value, low=low, high=high,
                   reference="bootstrap of firms, percentiles", unit=BINS)  # fmt: skip
    for group, whose in WHOSE.items():
        if found.data.has(group) and found.firms(group) > 1:
            yield _line(found.of(group), f"Excess mass, {whose}", "", level)
    if found.data.comparison == "never" and found.data.has("before") and found.firms("before") > 1:
        yield _line(found.difference(less="before"), "Difference from the same firms without it",
                    "firms that are alike in nothing but the quota", level)  # fmt: skip
    yield _line(found.difference("missing"), "Difference in what lacks below the quota",
                "tokens that came from nowhere near", level)  # fmt: skip
    yield _line(found.difference("share"), "Share of those just short who were topped up",
                "", level, "share")  # fmt: skip


def _late(found: Bunching, level: float) -> Iterator[Line]:
    if found.data.late:
        yield _line(found.difference("late"), "Share used at the end of the period",
                    "a quota that is filled at the last moment", level, "share")  # fmt: skip


def _quality(found: Bunching, level: float) -> Iterator[Line]:
    """Whether what fills the quota is worth less than amounts of that size otherwise are."""
    if unit := found.data.question.quality:
        yield _line(found.difference("quality"), "Difference in quality beyond the quota",
                    "tokens that fill a quota and bring nothing", level, unit)  # fmt: skip
        yield _line(found.of("under", "quality"), "Quality beyond the quota less its curve", "",
                    level, unit)  # fmt: skip


def _jump(found: Bunching, level: float) -> Iterator[Line]:
    method, guards = "Jump in log density at the quota", "bins, and the curve drawn through them"
    own = jump(found.data)
    if isinstance(own, Phrase):
        yield Line(method, guards, own, unit=LOG_DENSITY)
    else:
        yield line(own, method, guards, "local polynomials, influence of firms, t", level=level,
                   unit=LOG_DENSITY)  # fmt: skip


def _beyond(found: Bunching, level: float) -> Iterator[Line]:
    own = lid(found, level)
    if own.told and math.isfinite(own.high):
        yield Line("Amounts beyond the zone, relative to the comparison", "a cap at the quota",
                   value=own.ratio, low=own.low, high=own.high,
                   reference="bootstrap of firms, percentiles", unit="ratio")  # fmt: skip


def _ways(found: Bunching, level: float) -> Iterator[Line]:
    without_rounds, free, naive = found.others[:3]
    yield _line(found.difference(spec=without_rounds), "Difference without round-number effects",
                "effects of round numbers that fit noise", level)  # fmt: skip
    yield _line(found.difference(spec=free), "Difference without the integration constraint",
                "people who came from outside the window", level)  # fmt: skip
    yield _line(found.of("under", spec=naive), "Naive: mandated firms alone, any round number",
                "nothing; shown for what it would have said", level)  # fmt: skip


def specifications(found: Bunching) -> Iterator[tuple[Specification, str]]:
    """The other orders and windows, with their names."""
    window = found.data.question.window
    for spec in found.others[3:]:
        yield spec, f"Order {spec.order}, window {spec.scale * window:.0%}"


def _specifications(found: Bunching, level: float) -> Iterator[Line]:
    for spec, name in specifications(found):
        yield _line(found.difference(spec=spec), name, "a curve that was chosen", level)
