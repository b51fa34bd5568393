"""Getting a study's tables: sources found or simulated, checked, prepared, checked again."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from alc_stats import schemas
from alc_stats.data.ledger import Ledger
from alc_stats.data.sources import locate
from alc_stats.errors import AlcError, DeclarationError, Problem, SourceError
from alc_stats.measures.scales import Scale, reliability, score
from alc_stats.study.consistency import read_schema
from alc_stats.study.declaration import Simulation, Study
from alc_stats.study.result import SourceUse

Tables = dict[str, pd.DataFrame]
Prepare = Callable[[Mapping[str, Path], Ledger], Tables]
Simulator = Callable[[Simulation, Path, Path], Mapping[str, Path]]
"""Draws the tables of a simulation: declaration, truth file, folder for the files -> files by id."""


def find_sources(study: Study) -> tuple[dict[str, Path], tuple[SourceUse, ...]]:
    """Where every declared source lies, hash-checked; one SourceError names all that cannot be had."""
    files: dict[str, Path] = {}
    missing: list[Problem] = []
    for source in study.sources:
        try:
            files[source.id] = locate(source)
        except SourceError as error:
            missing.extend(error.problems)
    if missing:
        raise SourceError(*missing)
    uses = (SourceUse(s.id, s.file, s.sha256, s.licence, s.citation, s.url) for s in study.sources)
    return files, tuple(uses)


def check_sources(study: Study, files: Mapping[str, Path]) -> None:
    """Raise TableError with every violation in every raw file that declares a schema."""
    _raise_all(
        lambda source=source: schemas.check(read_schema(study, source.schema), files[source.id])
        for source in study.sources
        if source.schema
    )


def prepared_tables(study: Study, files: Mapping[str, Path], ledger: Ledger) -> Tables:
    """The declared tables, as `prepare.py` makes them, checked against their schemas and typed."""
    made = _prepare_function(study)(files, ledger)
    lacking = [table.id for table in study.tables if table.id not in made]
    if lacking:
        raise DeclarationError(
            Problem("prepare.py does not return every declared table", where=study.study.id,
                    found=", ".join(made), allowed=", ".join(table.id for table in study.tables))
        )
    by_id = {table.id: read_schema(study, table.schema) for table in study.tables}
    _raise_all(lambda name=name, schema=schema: schemas.check(schema, made[name]) for name, schema in by_id.items())
    return {name: schemas.typed(schema, made[name]) for name, schema in by_id.items()}


def _raise_all(reports: object) -> None:
    """Raise the problems of all reports together."""
    problems: list[Problem] = []
    for make in reports:  # type: ignore[attr-defined]
        try:
            make().raise_for_violations()
        except AlcError as error:
            problems.extend(error.problems)
    if problems:
        from alc_stats.errors import TableError

        raise TableError(*problems)


def _prepare_function(study: Study) -> Prepare:
    path = study.beside("prepare.py")
    if path is None:
        raise DeclarationError(Problem("the study has no prepare.py", where=study.study.id))
    spec = importlib.util.spec_from_file_location(f"{study.study.id}_prepare", path)
    if spec is None or spec.loader is None:
        raise DeclarationError(Problem("prepare.py cannot be loaded", where=str(path)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    prepare: Prepare = module.prepare
    return prepare


def score_scales(study: Study, tables: Tables) -> tuple[Tables, tuple[Scale, ...]]:
    """The tables with a column for every declared scale, and each scale's reliability."""
    scored = dict(tables)
    records = []
    for scale in study.scales:
        frame = scored[scale.table]
        column = score(frame, scale.items, reversed_items=scale.reversed, range=scale.range)
        scored[scale.table] = frame.assign(**{scale.id: column})
        records.append(reliability(frame, scale.items, reversed_items=scale.reversed, range=scale.range,
                                   id=scale.id, label=scale.label))
    return scored, tuple(records)
