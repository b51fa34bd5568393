"""The same effect added up in other ways and by other methods, and every cell behind it."""

from __future__ import annotations

import math

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.group_time_summaries import Summary, cell_errors
from alc_stats.models.finding import Line
from alc_stats.models.mandate.effects import MandateFound, worst_step
from alc_stats.records import Number, Phrase

MOST_CELLS = 40
"""Up to so many effects of cohorts and periods each has a line."""
_WELCH = "t, Welch-Satterthwaite by cohort"


def lines(found: MandateFound, level: float) -> tuple[Line, ...]:
    """The table, the headline first."""
    return (
        _headline(found, level),
        *_outcomes(found, level),
        *_totals(found, level),
        *_others(found, level),
        _permutation(found),
        *_pretest(found),
        _bounds(found, level),
        _naive(found, level),
        *_cohorts(found, level),
        *_events(found, level),
        *_cells(found, level),
    )


def _line(
    method: str, guards: str, e: Estimate, level: float, *, note: Phrase | None = None,
    reference: str = _WELCH, primary: bool = False,
) -> Line:  # fmt: skip
    """Without an interval where one firm alone is behind a number."""
    said = note or Phrase("")
    if not math.isfinite(e.se):
        alone = Phrase("One firm alone is behind it, so it has no interval.")
        return Line(method, guards, said if note else alone, e.value, unit=e.unit)
    low, high = e.interval(level)
    df = e.df if math.isfinite(e.df) else None
    return Line(method, guards, said, e.value, low, high, e.p_value, df, reference, e.unit,
                primary)  # fmt: skip


def _headline(found: MandateFound, level: float) -> Line:
    few = Phrase("Few firms: the standard error is that of other assignments of the dates.")
    return _line(
        "Group-time effects, mean of cohorts", "staggered timing: no mandated firm is a control",
        found.headline, level, note=few if found.few else None,
        reference="SD over permutations, t" if found.few else _WELCH, primary=True,
    )  # fmt: skip


def _of(s: Summary, found: MandateFound, name: str = "") -> Estimate:
    return Estimate(name, s.overall, s.overall_se, s.overall_df, found.unit)


def _outcomes(found: MandateFound, level: float) -> list[Line]:
    """Each of the two outcomes whose difference is asked about."""
    q = found.data.question
    names = {"outcome": q.outcome, "minus": q.minus}
    return [
        _line(f"Overall, {names[part]}", "a difference that comes from one outcome alone",
              _of(s, found), level)
        for part, s in found.parts.items()
    ]  # fmt: skip


def _totals(found: MandateFound, level: float) -> list[Line]:
    return [
        _line("Overall, cells after the start", "cohorts seen for long or short",
              _of(found.simple, found), level),
        _line("Overall, calendar", "periods that were special for all", _of(found.calendar, found),
              level),
        _line("Overall, event study", "effects that grow or fade",
              _of(found.dynamic, found), level),
    ]  # fmt: skip


def _others(found: MandateFound, level: float) -> list[Line]:
    made = []
    if found.other_controls is not None:
        kind = "not-yet" if found.data.question.controls == "never" else "never"
        made.append(_line(f"Overall, {kind} mandated as controls", "controls unlike the others",
                          found.other_controls, level))  # fmt: skip
    if found.stayers is not None:
        made.append(_line("Overall, persons seen throughout", "people who came or left",
                          found.stayers, level))  # fmt: skip
    return made


def _permutation(found: MandateFound) -> Line:
    p = found.permuted
    note = Phrase(
        "Dates permuted among firms, {assignments} assignments.",
        {"assignments": Number(p.number, "count")},
    )
    return Line(
        "Randomisation inference", "few firms; a standard error that is too small", note,
        found.group.overall, p=p.p, reference="permutation p of the overall effect",
        unit=found.unit,
    )  # fmt: skip


def _pretest(found: MandateFound) -> list[Line]:
    if found.wald is None:
        return []
    note = Phrase("All effects before the start are zero; the number is the statistic.")
    return [
        Line(
            "Wald test of periods before", "trends that differed before", note,
            found.wald.statistic, p=found.wald.p, df=float(found.wald.df), reference="chi-squared",
            unit="chi-squared",
        )
    ]  # fmt: skip


def _bounds(found: MandateFound, level: float) -> Line:
    """Rambachan and Roth's relative magnitudes at M = 1, with a plug-in for the largest step."""
    method = "Bounds, trends as uneven after as before"
    guards = "trends that would have parted anyway"
    step, e = worst_step(found), found.headline
    if step is None or not math.isfinite(e.se):
        return Line(method, guards, Phrase("No period before the start shows how uneven."))
    apart = _steps_after(found) * step
    low, high = e.interval(level)
    holds = max(low, -high, 0.0) / apart if apart > 0.0 else math.inf
    note = Phrase(
        "The largest step before the start is repeated in every period after it, either way; the "
        "interval excludes zero up to {breakdown} times that step.",
        {"breakdown": Number(min(holds, 99.0))},
    )
    return Line(method, guards, note, e.value, low - apart, high + apart,
                reference="interval widened by the bias", unit=e.unit)  # fmt: skip


def _steps_after(found: MandateFound) -> float:
    """Mean number of steps between the period compared with and those after the start."""
    after = found.cells.period >= found.cells.group
    group = found.cells.group[after]
    apart = (found.cells.period - found.cells.base)[after].astype(float)
    share = found.cells.shares[after]
    means = {g: (apart[group == g].mean(), share[group == g][0]) for g in np.unique(group)}
    return float(np.average([m for m, _ in means.values()], weights=[w for _, w in means.values()]))


def _naive(found: MandateFound, level: float) -> Line:
    n = found.naive
    note = Phrase(
        "Not to be trusted under staggered timing: {negative_share} of treated cells count with "
        "the wrong sign (sum of negative weights {negative_weight}).",
        {
            "negative_share": Number(n.negative_share, "share"),
            "negative_weight": Number(n.negative_weight),
        },
    )
    return _line("Two-way fixed effects", "nothing: shown for what it gets wrong",
                 Estimate("", n.value, n.se, n.df, found.unit), level, note=note,
                 reference="t, clusters - 1")  # fmt: skip


def _series(s: Summary, found: MandateFound) -> list[tuple[int, Estimate]]:
    return [
        (int(at), Estimate("", float(v), float(se), float(df), found.unit))
        for at, v, se, df in zip(s.at, s.value, s.se, s.df, strict=True)
    ]


def _cohorts(found: MandateFound, level: float) -> list[Line]:
    if len(found.group.at) < 2 or len(found.group.at) > MOST_CELLS:
        return []
    periods = found.data.periods
    return [
        _line(f"Cohort {periods[g]:g}", "effects that differ by cohort", _unless_alone(g, e, found),
              level)
        for g, e in _series(found.group, found)
    ]  # fmt: skip


def _unless_alone(g: int, e: Estimate, found: MandateFound) -> Estimate:
    alone = int(np.sum(found.data.adoption == g)) < 2
    return Estimate(e.name, e.value, math.nan if alone else e.se, e.df, e.unit)


def _events(found: MandateFound, level: float) -> list[Line]:
    return [
        _line(f"Since the start: {e}" if e >= 0 else f"Before the start: {-e}",
              "effects that grow or fade" if e >= 0 else "trends that differed before", one, level)
        for e, one in _series(found.dynamic, found)
    ]  # fmt: skip


def _cells(found: MandateFound, level: float) -> list[Line]:
    c, periods = found.cells, found.data.periods
    if len(c.value) > MOST_CELLS:
        return []
    se, df = cell_errors(c)
    return [
        _line(f"ATT({periods[c.group[k]]:g}, {periods[c.period[k]]:g})", "one cohort, one period",
              Estimate("", float(c.value[k]), float(se[k]), float(df[k]), found.unit), level)
        for k in range(len(c.value))
    ]  # fmt: skip
