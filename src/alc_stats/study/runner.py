"""Running a study: declaration in, `StudyResult` out, nothing believed because it ran."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.errors import ChangedSourceError, SourceError
from alc_stats.estimators import Fit
from alc_stats.files import without_machine, write_whole
from alc_stats.measures.describe import Descriptive, describe
from alc_stats.records import dump
from alc_stats.study import numbers as registry
from alc_stats.study.checks import compare, read_expected
from alc_stats.study.consistency import read_schema
from alc_stats.study.deciding import decide_all
from alc_stats.study.declaration import Study
from alc_stats.study.exhibits import Material, make_exhibits, pictured, widenings
from alc_stats.study.fitting import fit_models, quantities
from alc_stats.study.gathering import (
    Simulated,
    Simulator,
    check_sources,
    find_sources,
    prepared_tables,
    score_scales,
)
from alc_stats.study.result import StudyResult

Announce = Callable[[str], None]


class Clock:
    """Seconds per named step, and a word to whoever watches as each begins."""

    def __init__(self, announce: Announce) -> None:
        self.seconds: dict[str, float] = {}
        self._announce = announce

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the body as `name`."""
        self._announce(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - start


def run_study(
    study: Study, *, simulate: Simulator, derived: Path, announce: Announce = lambda _: None
) -> StudyResult:
    """The whole study, step by step.

    Parameters
    ----------
    study : Study
        A checked declaration.
    simulate : callable
        Draws the data of a simulated study into a folder.
    derived : Path
        Where simulated data go.
    announce : callable
        Told the name of each step as it begins.

    Returns
    -------
    StudyResult
        With status "not run" and the reason where a source cannot be had.

    Raises
    ------
    DeclarationError, TableError
        If the declaration or the data break a rule; nothing is written.
    """
    clock = Clock(announce)
    try:
        with clock.step("sources"):
            files, uses = find_sources(study)
    except ChangedSourceError:
        raise
    except SourceError as error:
        return _result(study, "not run", why_not=without_machine(str(error)))
    drawn = Simulated({}, {})
    if study.simulation is not None:
        with clock.step("simulate"):
            drawn = simulate(study, derived)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        result = _analyse(study, Simulated({**files, **drawn.files}, drawn.truth), clock)
    return replace(result, sources=uses, warnings=_texts(caught), seconds=dict(clock.seconds))


def _analyse(study: Study, given: Simulated, clock: Clock) -> StudyResult:
    ledger = Ledger()
    with clock.step("validate"):
        check_sources(study, given.files)
    with clock.step("prepare"):
        tables = prepared_tables(study, given.files, ledger)
    with clock.step("measure"):
        tables, scales = score_scales(study, tables)
        descriptives = _table_one(study, tables)
    with clock.step("fit"):
        fits, failures = fit_models(study.models, tables)
    with clock.step("decide"):
        findings = decide_all(study, fits, failures, tables)
    numbers = {
        **registry.from_descriptives(descriptives),
        **registry.from_fits(fits),
        **registry.from_scales(scales),
        **registry.from_findings(findings),
        **registry.from_ledger(ledger.rows()),
    }
    quoted = quantities(study.contrasts, fits, numbers)
    numbers |= registry.from_quantities(quoted)
    with clock.step("exhibit"):
        material = Material(tables, quoted, _labels(study), given.truth, widenings(study))
        exhibits = (*make_exhibits(study, material), *pictured(findings))
    checks = compare(study, read_expected(study), numbers, _beyond_reach(study, fits))
    return _result(
        study,
        "run",
        ledger=ledger.rows(),
        scales=scales,
        descriptives=descriptives,
        fits=fits,
        findings=findings,
        exhibits=exhibits,
        numbers=numbers,
        checks=checks,
        failures=failures,
    )


def _result(study: Study, status: Literal["run", "not run"], **found: Any) -> StudyResult:
    header = study.study
    return StudyResult(
        header.id,
        header.title,
        header.question,
        header.simulated,
        status,
        citations=header.citations,
        models={m.id: m.label for m in study.models},
        seed=study.simulation.seed if study.simulation is not None else None,
        evidence=header.evidence,
        **found,
    )


def _texts(caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    """Each warning once, as "Category: message"."""
    texts = (without_machine(f"{w.category.__name__}: {w.message}") for w in caught)
    return tuple(dict.fromkeys(texts))


def _table_one(study: Study, tables: Mapping[str, pd.DataFrame]) -> tuple[Descriptive, ...]:
    declared = study.table1
    if declared is None:
        return ()
    labels, units = _column_words(study, declared.table)
    return describe(
        tables[declared.table],
        declared.variables,
        by=declared.by,
        labels=labels,
        units=units,
        person=declared.person or None,
    )


def _column_words(study: Study, table: str) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and units of a table's columns, from its schema and the scales added to it."""
    schema = next(read_schema(study, t.schema) for t in study.tables if t.id == table)
    labels = {f.name: f.title or f.name for f in schema.fields}
    units = {f.name: f.unit for f in schema.fields}
    scales = [s for s in study.scales if s.table == table]
    return labels | {s.id: s.label for s in scales}, units | {s.id: "" for s in scales}


def _labels(study: Study) -> dict[str, str]:
    """What figures call models and columns."""
    words = {
        name: label for t in study.tables for name, label in _column_words(study, t.id)[0].items()
    }
    return words | {m.id: m.label for m in study.models}


def _beyond_reach(study: Study, fits: Mapping[str, Fit]) -> frozenset[str]:
    """Ids of contrasts that an unusable or missing fit leaves without a number."""
    usable = {name for name, fitted in fits.items() if fitted.certificate.usable}
    lost = [c.id for c in study.contrasts if c.model not in usable]
    return frozenset(
        f"{name}.{part}" for name in lost for part in ("value", "low", "high", "se", "p")
    )


def write_result(result: StudyResult, out: Path) -> Path:
    """The result in its folder under `out`, written whole; a simulated one says so in its name."""
    name = "result_SIMULATED.json" if result.simulated else "result.json"
    return write_whole(out / result.slug / name, dump(result))
