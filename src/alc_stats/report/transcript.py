"""The lines of the terminal: what ran on what, what matched, what was decided and why.

Every function turns records into lines and prints nothing; the command line prints them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from alc_stats.files import without_machine
from alc_stats.models.finding import IN_THE_WAY, Finding
from alc_stats.records import Number
from alc_stats.report import numbers
from alc_stats.report.manifest import commit, software
from alc_stats.report.table import SIMULATED
from alc_stats.study.result import Check, SourceUse, StudyResult

_WIDTH = 100
_INDENT = " " * 7


def transcript(
    results: Sequence[StudyResult], *, seconds: float, project: Path | None = None
) -> tuple[str, ...]:
    """The whole report of a run, line by line."""
    lines = [header_line(project)]
    for result in results:
        lines += ["", *study_lines(result)]
    return (*lines, "", time_line(seconds), result_line(results))


def header_line(project: Path | None = None) -> str:
    """Version, Python, platform and, in a repository (here or of the project), the commit."""
    versions = software()
    at = commit(project)
    parts = [
        f"alc_stats {versions['alc_stats']}".strip(),
        f"Python {versions['python']}",
        str(versions["platform"]),
    ]
    if at["id"]:
        parts.append(f"commit {at['id']} ({'clean' if at['clean'] else 'changed since'})")
    return " · ".join(parts)


def study_lines(result: StudyResult) -> tuple[str, ...]:
    """One study: its data, steps, checks and verdicts; or why it did not run."""
    if result.status == "not run":
        return (
            f"STUDY  {result.id}: {result.title}",
            *_wrapped("NOT RUN", without_machine(result.why_not)),
        )
    return (
        f"STUDY  {result.id}: {result.title}",
        *data_lines(result),
        *_wrapped("STEP", step_text(result.seconds)),
        *check_lines(result.checks),
        *verdict_lines(result),
        *(
            line
            for warning in result.warnings
            for line in _wrapped("WARN", without_machine(warning))
        ),
    )


def data_lines(result: StudyResult) -> tuple[str, ...]:
    """The sources with their hashes and the rows that stay; SIMULATED first where they are."""
    banner = [f"DATA   {SIMULATED}: the values below are not findings"] if result.simulated else []
    sources = _wrapped("" if banner else "DATA", " · ".join(_source(use) for use in result.sources))
    return (*banner, *sources, *_wrapped("ROWS", _ledger_text(result)))


def step_text(seconds: Mapping[str, float]) -> str:
    """The steps with their times, numbered."""
    return " · ".join(
        f"{i} {step} {numbers.show(Number(time, 'seconds'))}"
        for i, (step, time) in enumerate(seconds.items(), 1)
    )


def check_lines(checks: Sequence[Check]) -> tuple[str, ...]:
    """How many published or known numbers match, and every one that does not."""
    if not checks:
        return ("CHECK  no published number is declared",)
    failed = [check for check in checks if not check.matches]
    noun = "number" if len(checks) == 1 else "numbers"
    summary = (
        f"CHECK  {_count(len(checks))} {noun}: {_count(len(checks) - len(failed))} match"
        f" · {_count(len(failed))} differ"
    )
    return (summary, *(_failed(check) for check in failed))


def verdict_lines(result: StudyResult) -> tuple[str, ...]:
    """One verdict a hypothesis, each followed by the sentence that says why."""
    width = max((len(finding.id) for finding in result.findings), default=0)
    lines: list[str] = []
    for finding in result.findings:
        head = f"{finding.id:<{width}}  {finding.decision.verdict:<12}  "
        lines += textwrap.wrap(
            head + _why(finding),
            width=_WIDTH,
            initial_indent=_INDENT,
            subsequent_indent=" " * (len(_INDENT) + len(head)),
        )
    return (f"VERDICTS{_simulated(result)}", *lines) if lines else ("VERDICTS none declared",)


def _why(finding: Finding) -> str:
    """The reason; of artefacts that stand in the way their names, which the page explains."""
    said, way, _ = numbers.say(finding.decision.reason).partition(IN_THE_WAY.template)
    names = [e.artefact for e in finding.evidence if e.outcome == "threat"]
    return f"{said}{way} {numbers.joined(names)}." if way else said


def time_line(seconds: float) -> str:
    """Seconds from beginning to end."""
    return f"TIME   {numbers.show(Number(seconds, 'seconds'))}"


def result_line(results: Sequence[StudyResult]) -> str:
    """REPRODUCED if every check of every study that ran matches; otherwise what is missing."""
    ran = [result for result in results if result.status == "run"]
    not_run = len(results) - len(ran)
    differ = sum(not check.matches for result in ran for check in result.checks)
    checked = any(result.checks for result in ran)
    tail = f" · {_count(not_run)} of {_count(len(results))} studies not run" if not_run else ""
    if not ran:
        return "RESULT NOTHING RAN"
    if differ:
        return (
            f"RESULT {_count(differ)} {'NUMBER DIFFERS' if differ == 1 else 'NUMBERS DIFFER'}{tail}"
        )
    track = f" ({SIMULATED} data only)" if all(result.simulated for result in ran) else ""
    return f"RESULT {'REPRODUCED' if checked else 'RUN, NOTHING TO CHECK AGAINST'}{track}{tail}"


def _source(use: SourceUse) -> str:
    return f"{use.file} sha256 {use.sha256[:8]}…" if use.sha256 else use.file


def _ledger_text(result: StudyResult) -> str:
    """Every step with what it read, dropped (and why) and kept."""
    steps = []
    for row in result.ledger:
        why = f" ({row.why})" if row.dropped and row.why else ""
        read, dropped, kept = _count(row.read), _count(row.dropped), _count(row.kept)
        steps.append(f"{row.step}: {read} read, {dropped} dropped{why}, {kept} kept")
    return " · ".join(steps)


def _failed(check: Check) -> str:
    agreeing = numbers.show(Number(numbers.digits_agreeing(check.expected, check.obtained), "df"))
    parts = (
        f"{_INDENT}{check.id}",
        f"expected {numbers.precise(check.expected)}",
        f"obtained {numbers.precise(check.obtained)}",
        f"digits agreeing {agreeing}",
        f"allowed ± {numbers.precise(check.tolerance)}",
        f"source {check.source}",
    )
    return " | ".join(parts)


def _simulated(result: StudyResult) -> str:
    return f" ({SIMULATED} data)" if result.simulated else ""


def _wrapped(label: str, text: str) -> list[str]:
    """The label, then the text wrapped beside it; nothing for an empty text."""
    if not text:
        return []
    head = f"{label:<7}" if len(label) < 7 else f"{label} "
    return textwrap.wrap(
        text,
        width=_WIDTH,
        initial_indent=head,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _count(n: int) -> str:
    return numbers.show(Number(n, "count"))
