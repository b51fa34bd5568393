"""The tables of a study and of all studies, built from records alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from alc_stats.estimators.fit import Component, Fit
from alc_stats.measures.describe import Descriptive
from alc_stats.models.finding import Finding
from alc_stats.records import Number
from alc_stats.report import numbers
from alc_stats.report.table import SIMULATED, Cell, Column, Estimated, Interval, Row, Table
from alc_stats.study.result import StudyResult

_COMPONENTS: Mapping[Component, str] = {
    "mean": "Mean",
    "log_sd": "Residual dispersion (log SD)",
    "between_log_sd": "Between-person dispersion (log SD)",
}
_NO_RESULT = {
    "failed": "did not converge: no result",
    "not_identified": "not identified: no result",
}
_COVARIANCES = {"model": "model-based", "cluster": "clustered"}
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
            Column("p, adjusted"),
            Column("Verdict", "label"),
            Column("Reason", "text"),
        ),
        rows=tuple(
            Row(_hypothesis_cells(finding), _study_label(result))
            for result in ran
            for finding in result.findings
        ),
        notes=(
            "Estimates are in the unit named after the prediction. Exploratory hypotheses say so.",
            *_not_run_note(results),
        ),
        simulated=bool(ran) and all(result.simulated for result in ran),
    )


def coefficient_table(result: StudyResult) -> Table:
    """The models side by side: coefficients, random part, and how each was fitted.

    The column of a model whose fit is not usable says so and holds no number.
    """
    fits = {id_: result.fits.get(id_) for id_ in result.models}
    rows = [
        *_no_result_rows(fits),
        *_fixed_rows(fits),
        *_random_rows(fits),
        *_model_rows(fits),
    ]
    return Table(
        id="coefficients",
        title=f"Models: {result.title}",
        columns=(Column("Term", "label"), *(Column(label) for label in result.models.values())),
        rows=tuple(rows),
        notes=(
            "Standard errors in parentheses, 95 % intervals in brackets.",
            "Dispersion coefficients are differences in log SD.",
            *_certificates(result),
        ),
        simulated=result.simulated,
    )


def table_one(result: StudyResult) -> Table:
    """M, SD and n of every variable by group, and the reliability of scales."""
    groups = tuple(dict.fromkeys(d.group for d in result.descriptives))
    cells = {(d.variable, d.group): d for d in result.descriptives}
    labels = {d.variable: _with_unit(d.label, d.unit) for d in result.descriptives}
    scales = {scale.id: scale for scale in result.scales}
    reliable = [id_ for id_ in labels if id_ in scales]
    columns = [Column("Variable", "label")]
    columns += [Column(name, spanner=group) for group in groups for name in ("n", "M", "SD")]
    rows = []
    for variable, label in labels.items():
        row: list[Cell] = [label]
        for group in groups:
            row += _moments(cells.get((variable, group)))
        rows.append(Row((*row, *([_alpha(result, variable)] if reliable else []))))
    return Table(
        id="table1",
        title=f"Descriptive statistics: {result.title}",
        columns=(*columns, *([Column("Cronbach's \u03b1")] if reliable else [])),
        rows=tuple(rows),
        notes=("M is the mean, SD the standard deviation.", _SUPPRESSED),
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
        ),
        rows=tuple(
            Row(
                (
                    scale.label,
                    Number(len(scale.items), "count"),
                    Number(scale.n, "count"),
                    Number(scale.alpha, "ratio"),
                    Interval(scale.alpha_low, scale.alpha_high, kind="ratio"),
                )
            )
            for scale in result.scales
        ),
        simulated=result.simulated,
    )


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


def study_tables(result: StudyResult) -> tuple[Table, ...]:
    """Every table of one study that has something to say."""
    tables = (
        hypothesis_table([result]),
        table_one(result),
        scales_table(result),
        coefficient_table(result),
        check_table(result),
        ledger_table(result),
    )
    return tuple(table for table in tables if table.rows)


def term_label(name: str) -> str:
    """A coefficient's name for readers.

    Examples
    --------
    >>> term_label("arm[T.mandate]:week"), term_label("Intercept")
    ('arm: mandate × week', 'Intercept')
    """
    return (
        re.sub(r"\[(?:T\.)?([^\]]+)\]", r"‡\1", name)
        .replace(":", f" {numbers.TIMES} ")
        .replace("‡", ": ")
    )


def p_of(finding: Finding) -> Number | None:
    """The p a finding was decided on: adjusted, or the estimate's own."""
    if finding.p_adjusted is not None:
        return Number(finding.p_adjusted, "p")
    return Number(finding.estimate.p_value, "p") if finding.estimate else None


def finding_cells(finding: Finding) -> tuple[Estimated | None, Interval | None, Number | None]:
    """Estimate, interval and p of a finding; nothing of one that was not tested."""
    estimate = finding.estimate
    if estimate is None or finding.decision.verdict == "not tested":
        return None, None, None
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


def _usable(fit: Fit | None) -> bool:
    return fit is not None and fit.certificate.usable


def _no_result(fit: Fit | None) -> str:
    if fit is None:
        return "could not be fitted: no result"
    return "" if fit.certificate.usable else _NO_RESULT[fit.certificate.status]


def _no_result_rows(fits: Mapping[str, Fit | None]) -> list[Row]:
    words = tuple(_no_result(fit) for fit in fits.values())
    return [Row(("", *words))] if any(words) else []


def _blank_if_unusable(fit: Fit | None) -> Literal[""] | None:
    return None if _usable(fit) else ""


def _fixed_rows(fits: Mapping[str, Fit | None]) -> list[Row]:
    """Two rows a term: estimate with standard error, then the interval."""
    usable = [fit for fit in fits.values() if fit is not None and _usable(fit)]
    terms = dict.fromkeys(
        (component, name)
        for component in _COMPONENTS
        for fit in usable
        for c, name in zip(fit.components, fit.names, strict=True)
        if c == component
    )
    shown = {
        id_: _coefficients(fit) for id_, fit in fits.items() if fit is not None and _usable(fit)
    }
    rows = []
    for component, name in terms:
        pairs = [
            shown[id_].get((component, name), (None, "")) if id_ in shown else ("", "")
            for id_ in fits
        ]
        group = _COMPONENTS[component]
        rows.append(Row((term_label(name), *(first for first, _ in pairs)), group))
        rows.append(Row(("", *(second for _, second in pairs)), group))
    return rows


def _coefficients(fit: Fit) -> dict[tuple[Component, str], tuple[Cell, Cell]]:
    limits = fit.conf_int().to_numpy()
    cells: dict[tuple[Component, str], tuple[Cell, Cell]] = {}
    for i, (name, se) in enumerate(zip(fit.names, fit.bse, strict=True)):
        shown = Estimated(float(fit.estimates[i]), float(se))
        low, high = (float(limit) for limit in limits[i])
        cells[fit.components[i], name] = shown, Interval(low, high, shown)
    return cells


def _random_rows(fits: Mapping[str, Fit | None]) -> list[Row]:
    parts = {
        id_: {(v.group, v.term, v.other): v for v in fit.random}
        for id_, fit in fits.items()
        if fit is not None and _usable(fit)
    }
    keys = dict.fromkeys(key for part in parts.values() for key in part)
    keys = dict.fromkeys(sorted(keys, key=lambda key: key[0] == "Residual"))
    rows = []
    for key in keys:
        cells: list[Cell] = []
        for id_, fit in fits.items():
            found = parts.get(id_, {}).get(key)
            if found is None:
                cells.append(_blank_if_unusable(fit))
            elif found.other:
                cells.append(
                    None if found.correlation is None else Number(found.correlation, "ratio")
                )
            else:
                cells.append(Number(found.sd))
        rows.append(Row((_random_label(*key), *cells), "Random part"))
    return rows


def _random_label(group: str, term: str, other: str) -> str:
    if group == "Residual":
        return "SD of the residual"
    name = term_label(term)
    return f"Correlation {name}, {term_label(other)} | {group}" if other else f"SD {name} | {group}"


def _model_rows(fits: Mapping[str, Fit | None]) -> list[Row]:
    groups = dict.fromkeys(
        group
        for fit in fits.values()
        if fit is not None and _usable(fit)
        for group in fit.counts.groups
    )
    if not any(_usable(fit) for fit in fits.values()):
        return []
    lines: dict[str, list[Cell]] = {}
    for fit in fits.values():
        for label, cell in _model_cells(fit, tuple(groups)).items():
            lines.setdefault(label, []).append(cell)
    return [Row((label, *cells), "Model") for label, cells in lines.items()]


def _model_cells(fit: Fit | None, groups: tuple[str, ...]) -> dict[str, Cell]:
    """How one model was fitted, by row label; blank for a fit that may not be used."""
    labels = (
        "Rows used",
        *(f"Levels of {group}" for group in groups),
        "Method",
        "Log-likelihood",
        "Covariance",
        "Degrees of freedom",
    )
    if fit is None or not _usable(fit):
        return dict.fromkeys(labels, "")
    levels = [
        Number(fit.counts.groups[g], "count") if g in fit.counts.groups else None for g in groups
    ]
    covariance = fit.request.covariance
    cluster = f" by {fit.request.cluster}" if fit.request.cluster else ""
    cells: tuple[Cell, ...] = (
        Number(fit.counts.used, "count"),
        *levels,
        fit.request.method,
        None if fit.loglik is None else Number(fit.loglik, "statistic"),
        f"{_COVARIANCES.get(covariance, covariance)}{cluster}",
        fit.request.df,
    )
    return dict(zip(labels, cells, strict=True))


def _certificates(result: StudyResult) -> tuple[str, ...]:
    """What the certificates of fits at a boundary say, and why other fits could not be made."""
    notes = []
    for id_, label in result.models.items():
        fit = result.fits.get(id_)
        if fit is not None and fit.certificate.status == "boundary":
            notes.append(f"{label}: {fit.certificate.sentence}")
        elif id_ in result.failures:
            notes.append(f"{label}: {result.failures[id_]}")
    return tuple(notes)


def _with_unit(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label


def _moments(cell: Descriptive | None) -> tuple[Cell, Cell, Cell]:
    """n, M and SD; all three are withheld where the mean was."""
    if cell is None or cell.mean is None or cell.n is None:
        return None, None, None
    mean, sd = numbers.show_together(
        Number(cell.mean), Number(float("nan") if cell.sd is None else cell.sd)
    )
    return Number(cell.n, "count"), mean, sd


def _alpha(result: StudyResult, variable: str) -> Cell:
    for scale in result.scales:
        if scale.id == variable:
            return Number(scale.alpha, "ratio")
    return None
