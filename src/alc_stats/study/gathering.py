"""Getting a study's tables: sources found or simulated, checked, prepared, checked again."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from alc_stats import schemas
from alc_stats.data.ledger import Ledger
from alc_stats.data.sources import locate
from alc_stats.errors import (
    AlcError,
    ChangedSourceError,
    DataError,
    DeclarationError,
    Problem,
    SourceError,
    TableError,
)
from alc_stats.measures.scales import Scale, reliability, score
from alc_stats.study.consistency import read_schema
from alc_stats.study.declaration import Study
from alc_stats.study.result import SourceUse

Tables = dict[str, pd.DataFrame]
Prepare = Callable[[Mapping[str, Path], Ledger], Tables]


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulation drew: files by id, and its true values as "group.parameter"."""

    files: Mapping[str, Path]
    truth: Mapping[str, float]


Simulator = Callable[[Study, Path], Simulated]
"""Draws a simulated study's files into a folder; handed in, since simulation sits beside study."""


def find_sources(study: Study) -> tuple[dict[str, Path], tuple[SourceUse, ...]]:
    """Where the declared sources lie, hash-checked; one SourceError names all that are missing."""
    files: dict[str, Path] = {}
    missing: list[Problem] = []
    changed: list[Problem] = []
    for source in study.sources:
        try:
            files[source.id] = locate(source)
        except ChangedSourceError as error:
            changed.extend(error.problems)
        except SourceError as error:
            missing.extend(error.problems)
    if changed:
        raise ChangedSourceError(*changed, *missing)
    if missing:
        raise SourceError(*missing)
    uses = (SourceUse(s.id, s.file, s.sha256, s.licence, s.citation, s.url) for s in study.sources)
    return files, tuple(uses)


def check_sources(study: Study, files: Mapping[str, Path]) -> None:
    """Raise TableError with every violation in every raw file that has a schema.

    A source names its schema; a simulated file has the schema of its name, beside the study or,
    where there is none, from the package.
    """
    declared = {s.id: s.schema for s in study.sources}
    named = (
        (declared.get(name) if name in declared else _of_its_name(study, name), file)
        for name, file in files.items()
    )
    _raise_all(((schema, file) for schema, file in named if schema), study, related=files)


def _of_its_name(study: Study, name: str) -> str:
    own = f"{name}.schema.json"
    return name if study.beside(own) is None else own


def prepared_tables(study: Study, files: Mapping[str, Path], ledger: Ledger) -> Tables:
    """The declared tables, as `prepare.py` makes them, checked against their schemas and typed."""
    prepare = _prepare_function(study)
    with _its_errors_told(study):
        made = prepare(files, ledger)
    if not isinstance(made, Mapping):
        raise DeclarationError(
            Problem(
                "prepare.py returns no tables by id",
                where=study.study.id,
                found=type(made).__name__,
                allowed="a dictionary of data frames",
            )
        )
    lacking = [table.id for table in study.tables if table.id not in made]
    if lacking:
        raise DeclarationError(
            Problem(
                "prepare.py does not return every declared table",
                where=study.study.id,
                found=", ".join(made),
                allowed=", ".join(table.id for table in study.tables),
            )
        )
    _raise_all(((t.schema, made[t.id]) for t in study.tables), study, related=made)
    return {t.id: schemas.typed(read_schema(study, t.schema), made[t.id]) for t in study.tables}


def _raise_all(
    pairs: Iterable[tuple[str, Path | pd.DataFrame]],
    study: Study,
    *,
    related: Mapping[str, Path | pd.DataFrame],
) -> None:
    """Check every table against the schema named beside it; raise the problems of all together.

    `related` are the tables that foreign keys refer to, by the name the key uses.
    """
    problems: list[Problem] = []
    for name, table in pairs:
        schema = read_schema(study, name)
        referred = {key.resource for key in schema.foreign_keys} & set(related)
        try:
            report = schemas.check(schema, table, related={n: related[n] for n in referred})
            report.raise_for_violations()
        except DataError as error:
            problems.extend(error.problems)
    if problems:
        raise TableError(*problems)


def _prepare_function(study: Study) -> Prepare:
    path = study.beside("prepare.py")
    if path is None:
        raise DeclarationError(Problem("the study has no prepare.py", where=study.study.id))
    spec = importlib.util.spec_from_file_location(f"{study.study.id}_prepare", path)
    if spec is None or spec.loader is None:
        raise DeclarationError(Problem("prepare.py cannot be loaded", where=study.study.id))
    module = importlib.util.module_from_spec(spec)
    with _its_errors_told(study):
        spec.loader.exec_module(module)
    prepare: Prepare | None = getattr(module, "prepare", None)
    if prepare is None:
        raise DeclarationError(
            Problem(
                "prepare.py has no function 'prepare'",
                where=study.study.id,
                allowed="def prepare(raw, ledger), which returns tables by id",
            )
        )
    return prepare


@contextmanager
def _its_errors_told(study: Study) -> Iterator[None]:
    """Turn whatever a study's own code raises into a sentence that names file and line."""
    try:
        yield
    except AlcError:
        raise
    except Exception as error:  # a study's code may raise anything; nothing is hidden
        last = traceback.extract_tb(error.__traceback__)[-1]
        line = f" (line {last.lineno} of {Path(last.filename).name})"
        raise DeclarationError(
            Problem(
                f"prepare.py raised {type(error).__name__}{line}",
                where=study.study.id,
                found=str(error),
                way_out="Mend prepare.py, or the source it reads.",
            )
        ) from error


def score_scales(study: Study, tables: Tables) -> tuple[Tables, tuple[Scale, ...]]:
    """The tables with a column for every declared scale, and each scale's reliability."""
    scored = dict(tables)
    records = []
    for scale in study.scales:
        frame = scored[scale.table]
        column = score(frame, scale.items, reversed_items=scale.reversed, range=scale.range)
        scored[scale.table] = frame.assign(**{scale.id: column})
        records.append(
            reliability(
                frame,
                scale.items,
                reversed_items=scale.reversed,
                range=scale.range,
                id=scale.id,
                label=scale.label,
            )
        )
    return scored, tuple(records)
