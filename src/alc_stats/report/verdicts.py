"""The two tables of verdicts that the paper prints: real studies, and simulated worlds in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def worlds_table(results: Sequence[StudyResult]) -> Table:
    """Every hypothesis of the simulated studies, one block a pair of worlds."""
    blocks = _blocks([r for r in results if r.status == "run" and r.simulated and r.findings])
    names = list(dict.fromkeys(name for block in blocks for name in block))
    columns = [
        column
        for name in names
        for column in (Column("Estimate", spanner=name), Column("Verdict", "label", name))
    ]
    return Table(
        id="worlds",
        title="The same predictions and rules where the truth is known",
        columns=(Column("", "label"), Column("Prediction", "text"), *columns),
        rows=tuple(
            row for block in blocks for row in _block_rows(block, names, titled=len(blocks) > 1)
        ),
        notes=("Units stand in brackets. A conjunction has no estimate of its own.",),
        simulated=True,
    )


def _blocks(results: Sequence[StudyResult]) -> list[dict[str, StudyResult]]:
    """Studies by the name of their world; a name that is taken begins the next block."""
    blocks: list[dict[str, StudyResult]] = []
    for result in results:
        if not blocks or world(result) in blocks[-1]:
            blocks.append({})
        blocks[-1][world(result)] = result
    return blocks


def _block_rows(
    block: Mapping[str, StudyResult], names: Sequence[str], *, titled: bool
) -> tuple[Row, ...]:
    """One row a hypothesis of any study of the block."""
    title = next(iter(block.values())).title.rpartition(", ")[0] if titled else ""
    statements = {f.id: _statement(f) for result in block.values() for f in result.findings}
    return tuple(
        Row(
            (id_, said, *(cell for name in names for cell in _in_world(block.get(name), id_))),
            title,
        )
        for id_, said in statements.items()
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


def _in_world(result: StudyResult | None, id_: str) -> tuple[Cell, Cell]:
    """Estimate and verdict of one hypothesis in one study; dashes where it has none."""
    findings = result.findings if result else ()
    finding = next((f for f in findings if f.id == id_), None)
    if finding is None:
        return None, None
    estimate = finding.estimate
    if estimate is None or finding.decision.verdict == "not tested":
        return None, finding.decision.verdict
    value, _ = numbers.show_together(Number(estimate.value), Number(estimate.se, "se"))
    return value, finding.decision.verdict
