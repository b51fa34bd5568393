"""The effect put to the test: trends that part, dates that blur, few firms, people who change."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion
from alc_stats.inference.group_time import GroupTimes
from alc_stats.inference.group_time_checks import Wild, jackknifed_error, wild_overall
from alc_stats.inference.group_time_summaries import summarised
from alc_stats.inference.parallel_trends import LARGEST_M, Robust
from alc_stats.models.finding import Evidence, Line
from alc_stats.models.mandate.effects import (
    SEED,
    MandateFound,
    cells_for,
    orders_of,
    overall_for,
)
from alc_stats.models.mandate.lines import line_of
from alc_stats.models.mandate.sensitivity import Sensitivity, sensitivity
from alc_stats.records import Number, Phrase

WILD_DRAWS = 999
_HOLDS = 1.0
"""M from which a conclusion stands up to trends as uneven after the start as before it."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Robustness:
    """Checks of the headline.

    Attributes
    ----------
    trends : Sensitivity or None
        None where no period before the start shows how uneven trends are.
    later : Estimate or None
        Without the first period under the mandate.
    earlier : Estimate or None
        Compared with one period earlier.
    jackknife : Estimate or None
        Every firm left out in turn; None with covariates, gaps, or one firm to compare with.
    wild : Wild or None
        None with few firms, where dates are permuted.
    """

    trends: Sensitivity | None
    later: Estimate | None
    earlier: Estimate | None
    jackknife: Estimate | None
    wild: Wild | None


def robustness(found: MandateFound, criterion: Criterion) -> Robustness:
    """Every check of the overall effect."""
    data = found.data
    universal = data.question.base == "universal"
    cells = found.cells if universal else cells_for(data, data.contrast, base="universal")
    trends = sensitivity(
        data, cells, found.headline, criterion=criterion,
        orders=orders_of(data)[0] if found.few else None,
    )  # fmt: skip
    earlier = overall_for(
        data, data.contrast, "compared earlier", anticipation=data.anticipation + 1
    )
    return Robustness(
        trends, _later(found.cells, found.unit), earlier, _jackknife(found),
        None if found.few else wild_overall(found.cells, found.group, draws=WILD_DRAWS, seed=SEED),
    )  # fmt: skip


def _later(cells: GroupTimes, unit: str) -> Estimate | None:
    """Without the period in which the mandate starts."""
    kept = cells.event != 0
    if not np.any(cells.event[kept] > 0):
        return None
    rest = replace(
        cells, group=cells.group[kept], period=cells.period[kept], base=cells.base[kept],
        value=cells.value[kept], influence=cells.influence[:, kept], controls=cells.controls[kept],
    )  # fmt: skip
    g = summarised(rest, "group")
    return Estimate("later", g.overall, g.overall_se, g.overall_df, unit)


def _jackknife(found: MandateFound) -> Estimate | None:
    if found.data.covariates is not None or found.cells.gaps:
        return None
    se = jackknifed_error(found.cells)
    if not math.isfinite(se):
        return None
    df = len(found.data.firms) - 1.0
    return Estimate("jackknife", found.group.overall, se, df, found.unit)


def robust_lines(found: MandateFound, checks: Robustness, level: float) -> tuple[Line, ...]:
    """Robust intervals, breakdown values, other periods, other errors."""
    return (*_trend_lines(found, checks), *_period_lines(checks, level),
            *_error_lines(found, checks, level))  # fmt: skip


def _trend_lines(found: MandateFound, checks: Robustness) -> list[Line]:
    guards, s = "trends that would have parted anyway", checks.trends
    if s is None:
        none = Phrase(
            "No period before the start, or too few firms, to show how uneven trends are."
        )
        return [Line("Relative magnitudes", guards, none)]
    note = Phrase(
        "No step after the start is larger than {magnitude} times the largest before, of which "
        "{steps_before} are used.",
        {"steps_before": Number(len(s.study.before), "count")},
    )
    made = [
        _robust(f"Relative magnitudes, M = {one.bound:g}", found.headline.value, one, found.unit,
                Phrase(note.template, {"magnitude": Number(one.bound), **note.numbers}))
        for one in s.magnitudes
    ]  # fmt: skip
    if s.breakdown is not None:
        made.append(Line(
            "Relative magnitudes, breakdown", guards, _breakdown_note(s.breakdown), s.breakdown,
            unit="largest steps before",
        ))  # fmt: skip
    if s.first is not None:
        first = float(s.study.after[found.data.anticipation])
        made.append(_robust("First period, relative magnitudes, M = 1", first, s.first, found.unit,
                            Phrase("The first period under the mandate alone.")))  # fmt: skip
    return [*made, *_smooth_lines(found, s)]


def _breakdown_note(value: float) -> Phrase:
    if value >= LARGEST_M:
        return Phrase("The conclusion stands up to this many of the largest steps, or more.")
    return Phrase("Up to so many times the largest step before, the conclusion stands.")


def _smooth_lines(found: MandateFound, s: Sensitivity) -> list[Line]:
    guards = "a straight trend that went on"
    if s.straight is None or s.smooth_study is None:
        few = Phrase("Too few firms for the weights of the interval.")
        return [Line("Smoothness, M = 0", guards, few)]
    used = {"periods_before": Number(len(s.smooth_study.before), "count")}
    note = Phrase("Trends part along a straight line, seen over {periods_before} periods before.",
                  used)  # fmt: skip
    middle = 0.5 * (s.straight.low + s.straight.high)
    return [
        _robust("Smoothness, M = 0", middle, s.straight, found.unit, note, guards),
        Line("Smoothness, breakdown", "a trend that bends",
             Phrase("Up to this change of slope a period, the interval leaves zero out."), s.bend,
             unit=f"{found.unit} a period"),
    ]  # fmt: skip


def _robust(
    method: str, value: float, one: Robust, unit: str, note: Phrase,
    guards: str = "trends that would have parted anyway",
) -> Line:  # fmt: skip
    return Line(method, guards, note, value, one.low, one.high,
                reference="Rambachan and Roth, t-scaled errors", unit=unit)  # fmt: skip


def _period_lines(checks: Robustness, level: float) -> list[Line]:
    made = []
    if checks.later is not None:
        made.append(line_of("Overall, without the first period", "a start that takes time",
                            checks.later, level))  # fmt: skip
    if checks.earlier is not None:
        note = Phrase("Cohorts that have no such period are left out.")
        made.append(line_of("Overall, compared one period earlier", "firms that knew before",
                            checks.earlier, level, note=note))  # fmt: skip
    return made


def _error_lines(found: MandateFound, checks: Robustness, level: float) -> list[Line]:
    made = []
    if checks.jackknife is not None:
        made.append(line_of("Jackknife of firms (CV3)", "single firms that carry the effect",
                            checks.jackknife, level, reference="t, firms - 1"))  # fmt: skip
    if checks.wild is not None:
        note = Phrase("{wild_draws} draws.", {"wild_draws": Number(checks.wild.draws, "count")})
        made.append(Line(
            "Wild cluster bootstrap", "few firms; a standard error that is too small", note,
            found.group.overall, p=checks.wild.p, reference=f"bootstrap t, {checks.wild.weights}",
            unit=found.unit,
        ))  # fmt: skip
    return made


def trends_evidence(checks: Robustness) -> Evidence:
    """Parallel trends are assumed after the start; how much of that the conclusion needs."""
    name, s = "parallel trends", checks.trends
    if s is None:
        return Evidence(name, "not tested",
                        Phrase("No period before the start, or too few firms, to show how uneven "
                               "trends are."))  # fmt: skip
    if s.breakdown is None:
        return Evidence(name, "not tested",
                        Phrase("Nothing is concluded where trends are parallel, so nothing could "
                               "break where they are not."))  # fmt: skip
    numbers = {"breakdown": Number(s.breakdown)}
    if s.breakdown >= _HOLDS:
        return Evidence(
            name,
            "clear",
            Phrase(
                "The conclusion stands where steps after the start are up to {breakdown} times the "
                "largest before it.",
                numbers,
            ),
        )
    return Evidence(
        name,
        "not tested",
        Phrase(
            "The conclusion rests on trends more even after the start than before it: it stands up "
            "to {breakdown} times the largest step before, sampling error of that step included.",
            numbers,
        ),
    )
