"""The tables of a study and of all studies, built from records alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alc_stats.models.finding import Finding, Line
from alc_stats.records import Number
from alc_stats.report import numbers
from alc_stats.report.coefficients import coefficient_table
from alc_stats.report.table import SIMULATED, Cell, Column, Estimated, Interval, Row, Table
from alc_stats.study.result import Scale, StudyResult

TABLE_IDS = (
    "hypotheses",
    "triangulation",
    "table1",
    "scales",
    "coefficients",
    "check",
    "ledger",
)
"""Every table a study can write, by the stem of its files."""

_SUPPRESSED = (
    "A dash marks a cell that is missing or suppressed because too few cases are behind it."
)


def hypothesis_table(results: Sequence[StudyResult]) -> Table:
    """Every hypothesis of every study that ran: prediction, estimate, verdict and reason."""
    ran = [result for result in results if result.status == "run"]
    return Table(
        id="hypotheses",
        title="Hypotheses, estimates and verdicts",
        columns=(
            Column("Hypothesis", "label"),
            Column("Prediction", "text"),
            Column("Estimate (SE)"),
            Column("95 % interval"),
            Column("p"),
            Column("Verdict", "label"),
            Column("Reason", "text"),
        ),
        rows=tuple(
            Row(_hypothesis_cells(finding), _study_label(result))
            for result in ran
            for finding in result.findings
        ),
        notes=(
            "Estimates are in the unit named after the prediction.",
            "p is adjusted within the family of confirmatory hypotheses that a study declares;",
            "there is none where the rule is decided on an interval alone.",
            *_not_run_note(results),
        ),
        simulated=bool(ran) and all(result.simulated for result in ran),
    )


def triangulation_table(result: StudyResult) -> Table:
    """The same question by other methods, for every finding that asked it so."""
    return Table(
        id="triangulation",
        title=f"The same question by other methods: {result.title}",
        columns=(
            Column("Method", "label"),
            Column("Estimate"),
            Column("95 % interval"),
            Column("p"),
            Column("df"),
            Column("Reference", "text"),
            Column("Guards against", "text"),
            Column("Note", "text"),
        ),
        rows=tuple(row for finding in result.findings for row in _line_rows(finding)),
        notes=("An asterisk marks what the verdict rests on; other units stand in brackets.",),
        simulated=result.simulated,
    )


def _line_rows(finding: Finding) -> tuple[Row, ...]:
    """The lines of a finding below its statement, which names the unit of the first of them."""
    if not finding.triangulation:
        return ()
    unit = finding.triangulation[0].unit
    group = f"{finding.id}: {_with_unit(finding.statement, unit)}"
    return tuple(Row(_line_cells(line, unit), group) for line in finding.triangulation)


def _line_cells(line: Line, unit: str) -> tuple[Cell, ...]:
    value = None if line.value is None else Number(line.value, "estimate", line.unit)
    own = line.unit if value and line.unit != unit else ""
    limits = (line.low, line.high)
    interval = Interval(limits[0], limits[1]) if None not in limits else None  # type: ignore[arg-type]
    return (
        f"{_with_unit(line.method, own)}{' *' if line.primary else ''}",
        value,
        interval,
        None if line.p is None else Number(line.p, "p"),
        None if line.df is None else Number(line.df, "df"),
        line.reference or None,
        line.guards_against,
        numbers.say(line.note),
    )


def table_one(result: StudyResult) -> Table:
    """M, SD and n of every variable by group, and the reliability of scales."""
    groups = tuple(dict.fromkeys(d.group for d in result.descriptives))
    labels = {d.variable: _with_unit(d.label, d.unit) for d in result.descriptives}
    scales = {scale.id: scale for scale in result.scales}
    reliable = [id_ for id_ in labels if id_ in scales]
    columns = [Column("Variable", "label")]
    columns += [Column(name, spanner=group) for group in groups for name in ("n", "M", "SD")]
    rows = []
    for variable, label in labels.items():
        row: list[Cell] = [label]
        for group in groups:
            row += _moments(result, variable, group)
        rows.append(Row((*row, *([_alpha(result, variable)] if reliable else []))))
    return Table(
        id="table1",
        title=f"Descriptive statistics: {result.title}",
        columns=(*columns, *([Column("Cronbach's \u03b1")] if reliable else [])),
        rows=tuple(rows),
        notes=("M is the mean, SD the standard deviation.", *_suppressed_note(rows)),
        simulated=result.simulated,
    )


def scales_table(result: StudyResult) -> Table:
    """The multi-item scales and their reliability."""
    return Table(
        id="scales",
        title=f"Scales and their reliability: {result.title}",
        columns=(
            Column("Scale", "label"),
            Column("Items"),
            Column("n"),
            Column("Cronbach's \u03b1"),
            Column("95 % interval"),
            Column("McDonald's \u03c9"),
            Column("95 % interval"),
        ),
        rows=tuple(
            Row(
                (
                    scale.label,
                    Number(len(scale.items), "count"),
                    Number(scale.n, "count"),
                    Number(scale.alpha, "ratio"),
                    Interval(scale.alpha_low, scale.alpha_high, kind="ratio"),
                    *_omega(scale),
                )
            )
            for scale in result.scales
        ),
        notes=tuple(f"{scale.label}: {scale.note}" for scale in result.scales if scale.note),
        simulated=result.simulated,
    )


def _omega(scale: Scale) -> tuple[Cell, Cell]:
    """Omega and its interval, if there is one."""
    if scale.omega is None or scale.omega_low is None or scale.omega_high is None:
        return None, None
    return Number(scale.omega, "ratio"), Interval(scale.omega_low, scale.omega_high, kind="ratio")


def check_table(result: StudyResult) -> Table:
    """Published or known numbers beside ours."""
    return Table(
        id="check",
        title=f"Published numbers and ours: {result.title}",
        columns=(
            Column("Number", "label"),
            Column("Expected"),
            Column("Obtained"),
            Column("Digits agreeing"),
            Column("Allowed"),
            Column("Match", "label"),
            Column("Source", "text"),
            Column("Tolerance because", "text"),
        ),
        rows=tuple(
            Row(
                (
                    check.id,
                    numbers.precise(check.expected),
                    numbers.precise(check.obtained),
                    Number(numbers.digits_agreeing(check.expected, check.obtained), "df"),
                    f"± {numbers.precise(check.tolerance)}",
                    "match" if check.matches else "DIFFERS",
                    check.source,
                    check.reason,
                )
            )
            for check in result.checks
        ),
        simulated=result.simulated,
    )


def ledger_table(result: StudyResult) -> Table:
    """Which rows came in, which went and why."""
    return Table(
        id="ledger",
        title=f"Rows read, dropped and kept: {result.title}",
        columns=(
            Column("Step", "label"),
            Column("Read"),
            Column("Dropped"),
            Column("Kept"),
            Column("Why", "text"),
        ),
        rows=tuple(
            Row(
                (
                    row.step,
                    Number(row.read, "count"),
                    Number(row.dropped, "count"),
                    Number(row.kept, "count"),
                    row.why,
                )
            )
            for row in result.ledger
        ),
        simulated=result.simulated,
    )


def hypothesis_tables(results: Sequence[StudyResult]) -> tuple[Table, ...]:
    """The hypotheses of real studies and those of simulated ones, never in one table."""
    tables = (
        hypothesis_table([r for r in results if not r.simulated]),
        hypothesis_table([r for r in results if r.simulated]),
    )
    return tuple(table for table in tables if table.rows)


def study_tables(result: StudyResult) -> tuple[Table, ...]:
    """Every table of one study that has something to say; none of a study that did not run."""
    if result.status == "not run":
        return ()
    tables = (
        hypothesis_table([result]),
        triangulation_table(result),
        table_one(result),
        scales_table(result),
        coefficient_table(result),
        check_table(result),
        ledger_table(result),
    )
    return tuple(table for table in tables if table.rows)


def p_of(finding: Finding) -> Number | None:
    """The p a finding was decided on: of its own rule's test, adjusted if it is in a family."""
    p = finding.p if finding.p_adjusted is None else finding.p_adjusted
    return None if p is None else Number(p, "p")


def finding_cells(finding: Finding) -> tuple[Estimated | None, Interval | None, Number | None]:
    """Estimate, interval and p of a finding, if it has them; nothing if it was not tested."""
    estimate = finding.estimate
    if finding.decision.verdict == "not tested":
        return None, None, None
    if estimate is None:
        return None, None, p_of(finding)
    shown = Estimated(estimate.value, estimate.se)
    return shown, Interval(*estimate.interval(), shown), p_of(finding)


def _hypothesis_cells(finding: Finding) -> tuple[Cell, ...]:
    unit = f" ({finding.estimate.unit})" if finding.estimate and finding.estimate.unit else ""
    family = "Exploratory: " if finding.family == "exploratory" else ""
    return (
        finding.id,
        f"{family}{finding.statement}{unit}",
        *finding_cells(finding),
        finding.decision.verdict,
        numbers.say(finding.decision.reason),
    )


def _study_label(result: StudyResult) -> str:
    return f"{SIMULATED} DATA: {result.title}" if result.simulated else result.title


def _not_run_note(results: Iterable[StudyResult]) -> tuple[str, ...]:
    missing = [result.title for result in results if result.status == "not run"]
    return (f"Not run: {numbers.joined(missing)}.",) if missing else ()


def _with_unit(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label


def _moments(result: StudyResult, variable: str, group: str) -> tuple[Cell, Cell, Cell]:
    """n, M and SD; all three are withheld where the mean was."""
    for cell in result.descriptives:
        if (cell.variable, cell.group) == (variable, group) and cell.n and cell.mean is not None:
            spread = float("nan") if cell.sd is None else cell.sd
            mean, sd = numbers.show_together(Number(cell.mean), Number(spread))
            return Number(cell.n, "count"), mean, sd
    return None, None, None


def _suppressed_note(rows: Iterable[Row]) -> tuple[str, ...]:
    return (_SUPPRESSED,) if any(None in row.cells for row in rows) else ()


def _alpha(result: StudyResult, variable: str) -> Cell:
    for scale in result.scales:
        if scale.id == variable:
            return Number(scale.alpha, "ratio")
    return None
