"""The two tables of verdicts that the paper prints: real studies, and simulated worlds in turn."""

from __future__ import annotations

from collections.abc import Sequence

from alc_stats.models.finding import Finding
from alc_stats.records import Number
from alc_stats.report import numbers
from alc_stats.report.canvas import headed
from alc_stats.report.table import Cell, Column, Row, Table, cell_text
from alc_stats.report.tables import finding_cells
from alc_stats.study.result import StudyResult

_OPEN = "Exploratory: "


def verdict_table(results: Sequence[StudyResult]) -> Table:
    """Every hypothesis decided on real data, narrow enough to be read on paper."""
    ran = [r for r in results if r.status == "run" and not r.simulated]
    return Table(
        id="verdicts",
        title="Hypotheses decided on real data",
        columns=(
            Column("", "label"),
            Column("Prediction", "text"),
            Column("Estimate [95\u00a0% interval]"),
            Column("p"),
            Column("Verdict", "label"),
        ),
        rows=tuple(Row(_verdict_cells(f), r.title) for r in ran for f in r.findings),
        notes=(
            "The unit of an estimate stands in its prediction or in brackets after it.",
            "p belongs to the test of the prediction's own rule, which need not be about zero;",
            "it is adjusted (Holm) where the prediction is a member of its study's family.",
        ),
    )


def worlds_tables(results: Sequence[StudyResult]) -> tuple[Table, ...]:
    """Every hypothesis of the simulated studies; those that ask the same stand side by side."""
    groups: list[list[StudyResult]] = []
    for r in results:
        if r.status == "run" and r.simulated and r.findings:
            alike = next((g for g in groups if _asked(g[0]) & _asked(r)), None)
            if alike is None:
                groups.append([r])
            else:
                alike.append(r)
    return tuple(_worlds_table(group) for group in groups)


def _asked(result: StudyResult) -> set[tuple[str, str]]:
    return {(f.id, f.statement) for f in result.findings}


def _worlds_table(results: Sequence[StudyResult]) -> Table:
    columns = [
        column
        for name in map(world, results)
        for column in (Column("Estimate", spanner=name), Column("Verdict", "label", name))
    ]
    first = results[0]
    statements = {f.id: _statement(f) for r in results for f in r.findings}
    return Table(
        id=f"worlds_{first.id}",
        title=f"{first.title.partition(':')[0]}: predictions and rules where the truth is known",
        columns=(Column("", "label"), Column("Prediction", "text"), *columns),
        rows=tuple(
            Row((id_, statement, *(cell for r in results for cell in _in_world(r, id_))))
            for id_, statement in statements.items()
        ),
        notes=("Units stand in brackets. A conjunction has no estimate of its own.",),
        simulated=True,
    )


def world(result: StudyResult) -> str:
    """What sets a simulated study apart: the last clause of its title."""
    return headed(result.title.rpartition(", ")[2])


def _verdict_cells(finding: Finding) -> tuple[Cell, ...]:
    estimate, interval, p = finding_cells(finding)
    value = cell_text(estimate).split(" (")[0]
    shown = f"{value} {cell_text(interval)}" if estimate else None
    return finding.id, _statement(finding), shown, p, finding.decision.verdict


def _statement(finding: Finding) -> str:
    """The prediction, with the unit of its estimate where it does not name it itself."""
    unit = finding.estimate.unit if finding.estimate else ""
    named = f" [{unit}]" if unit and unit not in finding.statement else ""
    return f"{_OPEN if finding.family == 'exploratory' else ''}{finding.statement}{named}"


def _in_world(result: StudyResult, id_: str) -> tuple[Cell, Cell]:
    """Estimate and verdict of one hypothesis in one study; dashes where it has none."""
    finding = next((f for f in result.findings if f.id == id_), None)
    if finding is None:
        return None, None
    estimate = finding.estimate
    if estimate is None or finding.decision.verdict == "not tested":
        return None, finding.decision.verdict
    value, _ = numbers.show_together(Number(estimate.value), Number(estimate.se, "se"))
    return value, finding.decision.verdict
