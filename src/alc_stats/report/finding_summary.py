"""A finding as plain text: verdict, reason, the same question by other methods, evidence."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import groupby

from alc_stats.models.finding import Finding, Line, require_finding
from alc_stats.records import Number
from alc_stats.report import numbers

_WIDTH = 96
_NUMBERED = re.compile(r"\(?\d.*$")
_LONG_SERIES = 4
"""Lines, from which on cohorts, times or curves stand apart from other methods."""


def summary(finding: Finding) -> str:
    """What a finding says, to be printed.

    Parameters
    ----------
    finding : Finding

    Examples
    --------
    >>> from alc_stats.estimators.estimate import Estimate
    >>> from alc_stats.inference import Criterion
    >>> from alc_stats.models.finding import Claim, find
    >>> claim = Claim("H6", "widening", "Scores spread apart.")
    >>> estimate = Estimate("log SD", 0.3, 0.1, 20.0, "log SD")
    >>> print(summary(find(claim, estimate, criterion=Criterion("superiority", 0.1))))
    H6 supported: Scores spread apart.
    The 95 % interval 0.091 to 0.509 lies above zero and the estimate 0.300 reaches the smallest
    effect of interest 0.100.
    """
    require_finding(finding, "summary")
    parts = [
        f"{finding.id} {finding.decision.verdict}: {finding.statement}",
        _filled(numbers.say(finding.decision.reason)),
    ]
    if finding.triangulation:
        parts += ["", *_table(finding.triangulation)]
    if finding.evidence:
        parts += ["", *_evidence(finding)]
    return "\n".join(parts)


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=indent)


def _table(lines: tuple[Line, ...]) -> Iterator[str]:
    """The lines under each other; their unit is in the head if they share it, else in each."""
    units = [line.unit if line.value is not None else "" for line in lines]
    shared = set(units) - {""} if len(set(units) - {""}) == 1 else set()
    head = ("", *(shared or ("estimate",)), "95 % interval", "p", "df", "reference")
    rows = [head, *(_cells(line) for line in lines)]
    if not shared:
        rows = [(*row[:2], unit, *row[2:]) for row, unit in zip(rows, ["", *units], strict=True)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    words = (0, 2) if not shared else (0,)
    apart = _series_ends([line.method for line in lines])
    for i, row in enumerate(rows):
        if i - 1 in apart:
            yield ""
        cells = [c.ljust(w) if i in words else c.rjust(w)
                 for i, (c, w) in enumerate(zip(row[:-1], widths, strict=False))]  # fmt: skip
        yield "  ".join([*cells, row[-1]]).rstrip()
    yield "* the line that the verdict rests on"
    for line in lines:
        if line.value is None and line.note.template:
            yield _filled(f"{numbers.MISSING} {line.method}: {numbers.say(line.note)}", "  ")


def _series_ends(methods: list[str]) -> set[int]:
    """Where a long series of one name and running numbers begins, and the line after it."""
    ends: set[int] = set()
    for stem, run in groupby(range(len(methods)), key=lambda i: _NUMBERED.sub("", methods[i])):
        first, *rest = run
        if stem != methods[first] and len(rest) + 1 >= _LONG_SERIES:
            ends |= {first, (rest or [first])[-1] + 1}
    return ends - {0}


def _cells(line: Line) -> tuple[str, ...]:
    method = f"{line.method}{' *' if line.primary else ''}"
    if line.value is None:
        return method, numbers.MISSING, "", "", "", ""
    value = Number(line.value, "estimate", line.unit)
    ends = [None if v is None else Number(v, "estimate", line.unit) for v in (line.low, line.high)]
    low, high = ends
    interval = "" if low is None or high is None else numbers.show_interval(low, high)
    p = "" if line.p is None else numbers.show(Number(line.p, "p"))
    df = "" if line.df is None else numbers.show(Number(line.df, "df"))
    return method, numbers.show(value), interval, p, df, line.reference


def _evidence(finding: Finding) -> Iterator[str]:
    for e in finding.evidence:
        yield _filled(f"{e.outcome}: {e.artefact}. {numbers.say(e.finding)}", "  ")
