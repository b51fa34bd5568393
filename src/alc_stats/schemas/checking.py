"""A table against its schema: every violation of every rule, in one report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.schemas.cells import Cell, cell, nothing
from alc_stats.schemas.constraints import Check, View, checks_of
from alc_stats.schemas.form import absent, form_of
from alc_stats.schemas.groups import GroupCheck, foreign_key_check, group_checks_of
from alc_stats.schemas.schema import ForeignKey, Schema
from alc_stats.schemas.tables import ROW, Table, connection, open_table
from alc_stats.schemas.violations import LISTED, BrokenRule, Report, Violation, shown

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Source = Path | pd.DataFrame
NO_TABLES: Mapping[str, Source] = MappingProxyType({})


def check(schema: Schema, table: Source, *, related: Mapping[str, Source] = NO_TABLES) -> Report:
    """Check a table against its schema; nothing stops at the first violation.

    Parameters
    ----------
    schema : Schema
    table : Path or pandas.DataFrame
        A .csv, .tsv or .parquet file, or a frame (its index is ignored).
    related : mapping of schema name to table
        The tables that foreign keys refer to; keys to a table that is not given are not checked,
        and the report says so.

    Returns
    -------
    Report
        `report.ok`, `report.violations`, `report.raise_for_violations()`; `str(report)` is the
        printed report.

    Raises
    ------
    SourceError
        If a file is missing or cannot be read as a table at all.
    DeclarationError
        If `related` names a table that no foreign key refers to.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats import schemas
    >>> firms = pd.DataFrame({
    ...     "firm_id": ["f01"], "mandate_type": ["token"], "quota": [5e5], "quota_unit": ["prompt"],
    ...     "quota_period": ["week"], "announce_date": ["2026-01-05"], "start_date": ["2026-02-02"],
    ...     "enforcement": ["reviewed"], "simulated": [True]})
    >>> report = schemas.check(schemas.read("mandate"), firms)
    >>> [(v.row, v.column, v.rule) for v in report.violations]
    [(1, 'mandate_type, quota_unit', 'unit_matches_type')]
    """
    _require_known(schema, related)
    with connection() as db:
        opened = open_table(db, table, name="checked", label=schema.name)
        others = {
            name: open_table(db, other, name=f"related_{i}", label=name)
            for i, (name, other) in enumerate(related.items())
        }
        return _Checking(db, schema, opened, others).report()


def create_view(db: DuckDBPyConnection, schema: Schema, table: Table) -> View:
    """Create the view `cells`: each usable field's text, missingness and value, and the row's number."""
    usable = {
        field.name: made for field in schema.fields if (made := _cell(schema, table, field.name))
    }
    view = View(tuple(usable))
    columns = ", ".join(
        f"{c.text} AS {view.text(name)}, {c.missing} AS {view.missing(name)}, {c.value} AS {view.value(name)}"
        for name, c in usable.items()
    )
    db.execute(
        f"CREATE VIEW cells AS SELECT {', '.join(filter(None, (ROW, columns)))} FROM {table.relation}"
    )
    return view


def _cell(schema: Schema, table: Table, name: str) -> Cell | None:
    column = table.column(name)
    if column is not None:
        return cell(schema.field(name), column)
    return nothing(schema.field(name)) if schema.fields_match in ("superset", "partial") else None


class _Checking:
    """One run: the same connection, schema and tables for every step."""

    def __init__(
        self, db: DuckDBPyConnection, schema: Schema, table: Table, others: Mapping[str, Table]
    ) -> None:
        self.db = db
        self.schema = schema
        self.table = table
        self.others = others
        self.view = create_view(db, schema, table)
        self.notes: list[str] = []

    def report(self) -> Report:
        checks = tuple(checks_of(self.schema, self.view))
        rows, counts = self.count(checks)
        rows_in_all = rows + len(self.table.ragged)
        broken = (
            *form_of(self.schema, self.table, rows_in_all),
            *(
                self.broken_rule(check, n, self.rows_of(check))
                for check, n in zip(checks, counts, strict=True)
                if n
            ),
            *self.across_rows(),
        )
        return Report(self.schema.name, self.table.file, rows_in_all, broken, tuple(self.notes))

    def count(self, checks: tuple[Check, ...]) -> tuple[int, tuple[int, ...]]:
        """Rows, and the violations of every check, in one pass."""
        counts = "".join(f", count(*) FILTER (WHERE {check.broken})" for check in checks)
        rows, *found = self.db.execute(f"SELECT count(*){counts} FROM cells").fetchall()[0]
        return rows, tuple(found)

    def rows_of(self, check: Check) -> str:
        return f'SELECT {ROW} AS "row", NULL AS other FROM cells WHERE {check.broken}'

    def across_rows(self) -> Iterator[BrokenRule]:
        checks = (*group_checks_of(self.schema, self.view), *self.foreign_key_checks())
        for i, check in enumerate(checks):
            self.db.execute(f"CREATE TEMP TABLE found_{i} AS {check.rows}")
            (total,) = self.db.execute(f"SELECT count(*) FROM found_{i}").fetchall()[0]
            if total:
                yield self.broken_rule(check, total, f"SELECT * FROM found_{i}")
            self.db.execute(f"DROP TABLE found_{i}")

    def foreign_key_checks(self) -> Iterator[GroupCheck]:
        for key in self.schema.foreign_keys:
            if absent(key.fields, self.view.fields):
                continue
            there = self.others.get(key.resource) if key.resource else self.table
            if there is None:
                self.notes.append(
                    f"{', '.join(key.fields)} against {key.resource}, which was not given."
                )
                continue
            cells = self.referenced(key, there)
            if cells is not None:
                yield foreign_key_check(key, self.view, there.relation, cells)

    def referenced(self, key: ForeignKey, there: Table) -> tuple[Cell, ...] | None:
        """The referenced columns, read as this table's own fields; None (and a note) if they cannot be."""
        cells = []
        for own, name in zip(key.fields, key.reference_fields, strict=True):
            column = there.column(name)
            made = cell(self.schema.field(own), column) if column else None
            if made is None:
                self.notes.append(
                    f"{own} against {key.resource}: {there.file} has no such column '{name}'."
                )
                return None
            cells.append(made)
        return tuple(cells)

    def broken_rule(self, check: Check | GroupCheck, total: int, rows: str) -> BrokenRule:
        """The first violations of a rule, in the order of the rows, with what stands in their cells."""
        texts = ", ".join(self.view.text(name) for name in check.shown)
        found = self.db.execute(
            f"""WITH first AS (SELECT "row", other FROM ({rows}) ORDER BY "row" LIMIT {LISTED})
            SELECT first."row", first.other, here.texts, there.texts FROM first
            JOIN (SELECT {ROW}, [{texts}] AS texts FROM cells) AS here ON here.{ROW} = first."row"
            LEFT JOIN (SELECT {ROW}, [{texts}] AS texts FROM cells) AS there ON there.{ROW} = first.other
            ORDER BY first."row" """
        ).fetchall()
        return BrokenRule(total, tuple(self.violation(check, *row) for row in found))

    def violation(
        self,
        check: Check | GroupCheck,
        row: int,
        other: int | None,
        here: list[str],
        there: list[str] | None,
    ) -> Violation:
        found = _found(check.shown, here)
        if other is not None and there is not None:
            found += f" (row {other} has {_found(check.shown, there)})"
        close = (
            did_you_mean(here[0] or "", check.close_to)
            if isinstance(check, Check) and check.close_to
            else ""
        )
        way_out = close if close.startswith("Did") else check.way_out
        return Violation(
            self.table.file,
            row,
            check.column,
            check.rule,
            check.what,
            found,
            check.allowed,
            way_out,
        )


def _found(names: tuple[str, ...], texts: list[str]) -> str:
    """The cells as written; several with their fields' names."""
    if len(names) == 1:
        return shown(texts[0])
    return ", ".join(f"{name} {shown(text)}" for name, text in zip(names, texts, strict=True))


def _require_known(schema: Schema, related: Mapping[str, Source]) -> None:
    known = sorted({key.resource for key in schema.foreign_keys if key.resource})
    unknown = [
        Problem(
            f"{schema.name} does not refer to a table '{name}'", way_out=did_you_mean(name, known)
        )
        for name in related
        if name not in known
    ]
    if unknown:
        raise DeclarationError(*unknown)
