"""The table of a study's models, side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from alc_stats.estimators.fit import Component, Fit, VarianceComponent
from alc_stats.records import Number
from alc_stats.report import numbers
from alc_stats.report.table import Cell, Column, Estimated, Interval, Row, Table
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
_CONTROLS = "Controls"
_RESIDUAL = "SD of the residual"
_LOG_SD = "residual log SD"
"""How the scale effect of a grouping is called in the random part."""
_MOST_LEVELS = 1
"""A factor with more coefficients than this is named and its coefficients are not printed, unless
a hypothesis asks about one of them."""

_Fits = Mapping[str, Fit | None]
"""Fits by model id; None where there is none that may be used."""


def coefficient_table(result: StudyResult) -> Table:
    """The models side by side: coefficients, random part, and how each was fitted.

    The column of a model whose fit is not usable says so and holds no number.
    """
    fits = {id_: _usable(result.fits.get(id_)) for id_ in result.models}
    asked = _asked(result)
    blocks = (
        *_failure_rows(result),
        *_fixed_rows(fits, asked),
        *_control_rows(fits, asked),
        *_random_rows(fits),
        *_model_rows(fits),
    )
    return Table(
        id="coefficients",
        title=f"Models: {result.title}",
        columns=(Column("Term", "label"), *(Column(label) for label in result.models.values())),
        rows=blocks,
        notes=(
            "Standard errors in parentheses, 95 % intervals in brackets.",
            "Dispersion coefficients are differences in log SD; a REML likelihood is restricted.",
            *_controls_note(blocks),
            *_certificates(result),
        ),
        simulated=result.simulated,
    )


def term_label(name: str) -> str:
    """A coefficient's name for readers.

    Examples
    --------
    >>> term_label("arm[T.mandate]:week"), term_label("Intercept")
    ('arm: mandate × week', 'Intercept')
    """
    parts = re.split(r":(?![^\[]*\])", name)
    return f" {numbers.TIMES} ".join(re.sub(r"\[(?:T\.)?(.+)\]", r": \1", part) for part in parts)


def _usable(fit: Fit | None) -> Fit | None:
    return fit if fit is not None and fit.certificate.usable else None


def _failure_rows(result: StudyResult) -> list[Row]:
    """One row that says which columns hold no result; none if all do."""
    words = tuple(_failure(result.fits.get(id_)) for id_ in result.models)
    return [Row(("", *words))] if any(words) else []


def _failure(fit: Fit | None) -> str:
    if fit is None:
        return "could not be fitted: no result"
    return "" if fit.certificate.usable else _NO_RESULT[fit.certificate.status]


def _fixed_rows(fits: _Fits, asked: frozenset[str]) -> list[Row]:
    """Two rows a term: estimate with standard error, then the interval."""
    shown = {id_: _coefficients(fit) for id_, fit in fits.items() if fit}
    controls = {stem for fit in fits.values() if fit for stem in _controls(fit, asked)}
    terms = dict.fromkeys(
        term
        for component in _COMPONENTS
        for cells in shown.values()
        for term in cells
        if term[0] == component and _stem(term[1]) not in controls
    )
    rows = []
    for term in terms:
        pairs = [shown[id_].get(term, (None, "")) if id_ in shown else ("", "") for id_ in fits]
        group = _COMPONENTS[term[0]]
        rows.append(Row((term_label(term[1]), *(first for first, _ in pairs)), group))
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


def _control_rows(fits: _Fits, asked: frozenset[str]) -> list[Row]:
    """One row a factor of many levels, saying which models hold it."""
    held = {id_: _controls(fit, asked) for id_, fit in fits.items() if fit}
    stems = dict.fromkeys(stem for controls in held.values() for stem in controls)
    return [
        Row((term_label(stem), *(_included(held.get(id_), stem) for id_ in fits)), _CONTROLS)
        for stem in stems
    ]


def _controls_note(rows: tuple[Row, ...]) -> tuple[str, ...]:
    if not any(row.group == _CONTROLS for row in rows):
        return ()
    return ("Coefficients of controls are in result.json.",)


def _included(controls: Mapping[str, int] | None, stem: str) -> Cell:
    if controls is None:
        return ""
    return "included" if stem in controls else None


def _controls(fit: Fit, asked: frozenset[str]) -> dict[str, int]:
    """Factors whose coefficients are not printed, and how many they have in one component."""
    counts = Counter(zip(fit.components, map(_stem, fit.names), strict=True))
    return {stem: n for (_, stem), n in counts.items() if n > _MOST_LEVELS and stem not in asked}


def _asked(result: StudyResult) -> frozenset[str]:
    """Terms, without their levels, that an estimate of the study's hypotheses names."""
    names = [f.estimate.name for f in result.findings if f.estimate is not None]
    return frozenset(
        _stem(name)
        for fit in result.fits.values()
        for name in fit.names
        if any(name in asked for asked in names)
    )


def _stem(name: str) -> str:
    """A coefficient's name without its level."""
    return re.sub(r"\[[^\]]*\]", "", name)


def _random_rows(fits: _Fits) -> list[Row]:
    parts = {
        id_: {_random_label(v): _random_cell(v) for v in fit.random}
        for id_, fit in fits.items()
        if fit
    }
    labels = dict.fromkeys(label for part in parts.values() for label in part)
    last_the_residual = sorted(labels, key=lambda label: label == _RESIDUAL)
    return [
        Row(
            (label, *(parts[id_].get(label) if id_ in parts else "" for id_ in fits)),
            "Random part",
        )
        for label in last_the_residual
    ]


def _random_label(part: VarianceComponent) -> str:
    if part.group == "Residual":
        return _RESIDUAL
    names = (part.term, part.other)
    terms = ", ".join(_LOG_SD if n == "log_sd" else term_label(n) for n in names if n)
    return f"{'Correlation' if part.other else 'SD'} {terms} | {part.group}"


def _random_cell(part: VarianceComponent) -> Cell:
    if not part.other:
        return Number(part.sd)
    return None if part.correlation is None else Number(part.correlation, "ratio")


def _model_rows(fits: _Fits) -> list[Row]:
    groups = dict.fromkeys(g for fit in fits.values() if fit for g in fit.counts.groups)
    described = {id_: _described(fit, tuple(groups)) for id_, fit in fits.items() if fit}
    labels = dict.fromkeys(label for cells in described.values() for label in cells)
    return [
        Row((label, *(described[id_][label] if id_ in described else "" for id_ in fits)), "Model")
        for label in labels
    ]


def _described(fit: Fit, groups: tuple[str, ...]) -> dict[str, Cell]:
    """How one model was fitted, by row label."""
    request, levels = fit.request, fit.counts.groups
    covariance = _COVARIANCES.get(request.covariance, request.covariance)
    return {
        "Rows used": Number(fit.counts.used, "count"),
        **{f"Levels of {g}": Number(levels[g], "count") if g in levels else None for g in groups},
        "Method": "ML, log odds" if request.family == "binomial" else request.method,
        "Log-likelihood": None if fit.loglik is None else Number(fit.loglik, "statistic"),
        "Covariance": f"{covariance} by {request.cluster}" if request.cluster else covariance,
        "Degrees of freedom": request.df.replace(" - ", f" {numbers.MINUS} "),
    }


def _certificates(result: StudyResult) -> tuple[str, ...]:
    """What certificates say of boundaries and clusters, and why other fits could not be made."""
    notes = []
    for id_, label in result.models.items():
        fit = result.fits.get(id_)
        if fit is not None and fit.certificate.status == "boundary":
            notes.append(f"{label}: {fit.certificate.sentence}")
        elif id_ in result.failures:
            notes.append(f"{label}: {result.failures[id_]}")
        if fit is not None and fit.certificate.usable:
            notes.extend(f"{label}: {note}" for note in fit.notes)
    return tuple(notes)
