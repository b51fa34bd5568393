"""The same effect added up in other ways and by other methods, and every cell behind it."""

from __future__ import annotations

import math

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.group_time_summaries import Summary, cell_errors
from alc_stats.models.finding import Line
from alc_stats.models.mandate.effects import MandateFound
from alc_stats.models.mandate.imputation import imputation_lines
from alc_stats.records import Number, Phrase

MOST_CELLS = 40
"""Up to so many effects of cohorts and periods each has a line."""
_WELCH = "t, Welch-Satterthwaite by cohort"


def lines(found: MandateFound, level: float, checks: tuple[Line, ...] = ()) -> tuple[Line, ...]:
    """The table, the headline first; `checks` stand where the effect is put to the test."""
    return (
        _headline(found, level),
        *_outcomes(found, level),
        *_totals(found, level),
        *_others(found, level),
        _permutation(found),
        *_pretest(found),
        *checks,
        _naive(found, level),
        *_cohorts(found, level),
        *_events(found, level),
        *imputation_lines(found.imputed, found.unit, level, few=found.few),
        *_cells(found, level),
    )


def line_of(
    method: str, guards: str, e: Estimate, level: float, *, note: Phrase | None = None,
    reference: str = _WELCH, primary: bool = False,
) -> Line:  # fmt: skip
    """A line of an estimate, without an interval where one firm alone is behind a number."""
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
    return line_of(
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
        line_of(f"Overall, {names[part]}", "a difference that comes from one outcome alone",
              _of(s, found), level)
        for part, s in found.parts.items()
    ]  # fmt: skip


def _totals(found: MandateFound, level: float) -> list[Line]:
    return [
        line_of("Overall, cells after the start", "cohorts seen for long or short",
                _of(found.simple, found), level),
        line_of("Overall, calendar", "periods that were special for all",
                _of(found.calendar, found), level),
        line_of("Overall, event study", "effects that grow or fade",
                _of(found.dynamic, found), level),
    ]  # fmt: skip


def _others(found: MandateFound, level: float) -> list[Line]:
    made = []
    if found.other_controls is not None:
        kind = "not-yet" if found.data.question.controls == "never" else "never"
        made.append(line_of(f"Overall, {kind} mandated as controls", "controls unlike the others",
                          found.other_controls, level))  # fmt: skip
    if found.stayers is not None:
        made.append(line_of("Overall, persons seen throughout", "people who came or left",
                          found.stayers, level))  # fmt: skip
    if found.throughout is not None:
        made.append(line_of("Overall, firms seen throughout", "firms that come and go",
                          found.throughout, level))  # fmt: skip
    if found.as_before is not None:
        note = Phrase("Groups that emptied had {lost_share} of the persons before.",
                      {"lost_share": Number(found.lost_share, "share")})  # fmt: skip
        made.append(line_of("Overall, composition as before", "people who came or left",
                            found.as_before, level, note=note))  # fmt: skip
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
    note = Phrase(
        "All effects before the start are zero; the number is the statistic. Its law is that of "
        "very many firms: with tens of them and many periods it sees trends in noise."
    )
    return [
        Line(
            "Wald test of periods before", "trends that differed before", note,
            found.wald.statistic, p=found.wald.p, df=float(found.wald.df), reference="chi-squared",
            unit="chi-squared",
        )
    ]  # fmt: skip


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
    return line_of("Naive: two-way fixed effects", "nothing: shown for what it gets wrong",
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
        line_of(f"Cohort {periods[g]:g}", "effects that differ by cohort",
                _unless_alone(g, e, found), level)
        for g, e in _series(found.group, found)
    ]  # fmt: skip


def _unless_alone(g: int, e: Estimate, found: MandateFound) -> Estimate:
    alone = int(np.sum(found.data.adoption == g)) < 2
    return Estimate(e.name, e.value, math.nan if alone else e.se, e.df, e.unit)


def _events(found: MandateFound, level: float) -> list[Line]:
    return [
        line_of(f"Since the start: {e}" if e >= 0 else f"Before the start: {-e}",
              "effects that grow or fade" if e >= 0 else "trends that differed before", one, level)
        for e, one in _series(found.dynamic, found)
    ]  # fmt: skip


def _cells(found: MandateFound, level: float) -> list[Line]:
    c, periods = found.cells, found.data.periods
    if len(c.value) > MOST_CELLS:
        return []
    se, df = cell_errors(c)
    return [
        line_of(f"ATT({periods[c.group[k]]:g}, {periods[c.period[k]]:g})", "one cohort, one period",
              Estimate("", float(c.value[k]), float(se[k]), float(df[k]), found.unit), level)
        for k in range(len(c.value))
    ]  # fmt: skip
