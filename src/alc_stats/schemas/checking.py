"""A table against its schema: every violation of every rule, in one report."""

# ruff: noqa: S608  (the SQL is made of our own column names and quoted literals)
from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.schemas.cells import Cell, cell, nothing
from alc_stats.schemas.constraints import Check, View, checks_of
from alc_stats.schemas.form import form_of
from alc_stats.schemas.groups import GroupCheck, foreign_key_check, group_checks_of
from alc_stats.schemas.schema import Field, ForeignKey, Schema
from alc_stats.schemas.tables import ROW, Table, connection, open_table
from alc_stats.schemas.violations import LISTED, BrokenRule, Report, shown

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Source = Path | pd.DataFrame
Found = tuple[int, int | None, list[str | None], list[str | None]]
"""A row, the row it contradicts, and what is written in both."""
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
    with connection(schema.name) as db:
        opened = open_table(db, table, name="checked", label=schema.name)
        others = {
            name: open_table(db, other, name=f"related_{i}", label=name)
            for i, (name, other) in enumerate(related.items())
        }
        return Checking(db, schema, opened, others).report()


class Checking:
    """One run: the same connection, schema, tables and view for every step.

    Creates the view `cells`: of each usable field what is written, whether it is missing, and its
    value; and the number of the row.
    """

    def __init__(
        self, db: DuckDBPyConnection, schema: Schema, table: Table, others: Mapping[str, Table]
    ) -> None:
        self.db = db
        self.schema = schema
        self.table = table
        self.others = others
        self.notes: list[str] = []
        self.view = self._create_view()

    def report(self) -> Report:
        """Run every check."""
        checks = tuple(checks_of(self.schema, self.view))
        rows, counts = self._count(checks)
        rows += len(self.table.ragged)
        broken = (
            *form_of(self.schema, self.table, rows=rows),
            *(self._row_check(c, n) for c, n in zip(checks, counts, strict=True) if n),
            *self._across_rows(),
        )
        return Report(self.schema.name, self.table.file, rows, broken, tuple(self.notes))

    def _create_view(self) -> View:
        usable = {f.name: made for f in self.schema.fields if (made := self._cell(f))}
        view = View(tuple(usable))
        columns = [ROW]
        for name, made in usable.items():
            columns.append(f"{made.text} AS {view.text(name)}")
            columns.append(f"{made.missing} AS {view.missing(name)}")
            columns.append(f"{made.value} AS {view.value(name)}")
        select = f"SELECT {', '.join(columns)} FROM {self.table.relation}"
        self.db.execute(f"CREATE VIEW cells AS {select}")
        return view

    def _cell(self, field: Field) -> Cell | None:
        """Read a field's cell; None where its column is lacking or cannot hold it."""
        column = self.table.column(field.name)
        if column is not None:
            return cell(field, column)
        return nothing(field) if self.schema.may_lack(field.name) else None

    def _count(self, checks: tuple[Check, ...]) -> tuple[int, tuple[int, ...]]:
        """Count the rows, and the violations of every check, in one pass."""
        counts = "".join(f", count(*) FILTER (WHERE {check.broken})" for check in checks)
        rows, *found = self.db.execute(f"SELECT count(*){counts} FROM cells").fetchall()[0]
        return rows, tuple(found)

    def _row_check(self, check: Check, total: int) -> BrokenRule:
        rows = f'SELECT {ROW} AS "row", NULL AS other FROM cells WHERE {check.broken}'
        found = self._first(rows, check.shown)
        violations = (
            check.saying.violation(
                self.table.file,
                row,
                _found(check.shown, here),
                way_out=_meant(here[0], check.close_to),
            )
            for row, _, here, _ in found
        )
        return BrokenRule(total, tuple(violations))

    def _across_rows(self) -> Iterator[BrokenRule]:
        checks = (*group_checks_of(self.schema, self.view), *self._foreign_key_checks())
        for check in checks:
            self.db.execute(f"CREATE OR REPLACE TEMP TABLE found AS {check.rows}")
            (total,) = self.db.execute("SELECT count(*) FROM found").fetchall()[0]
            if total:
                yield self._group_check(check, total)

    def _group_check(self, check: GroupCheck, total: int) -> BrokenRule:
        violations = []
        for row, other, here, there in self._first("SELECT * FROM found", check.shown):
            found = _found(check.shown, here)
            if other is not None:
                found += f" (row {other} has {_found(check.shown, there)})"
            violations.append(check.saying.violation(self.table.file, row, found))
        return BrokenRule(total, tuple(violations))

    def _first(self, rows: str, shown_fields: tuple[str, ...]) -> list[Found]:
        """Fetch the first violations in the order of the rows, with what stands in their cells."""
        texts = ", ".join(self.view.text(name) for name in shown_fields)
        written = f"(SELECT {ROW}, [{texts}] AS texts FROM cells)"
        return self.db.execute(f"""
            WITH first AS (SELECT "row", other FROM ({rows}) ORDER BY "row" LIMIT {LISTED})
            SELECT first."row", first.other, here.texts, there.texts FROM first
            JOIN {written} AS here ON here.{ROW} = first."row"
            LEFT JOIN {written} AS there ON there.{ROW} = first.other
            ORDER BY first."row"
        """).fetchall()

    def _foreign_key_checks(self) -> Iterator[GroupCheck]:
        for key in self.schema.foreign_keys:
            if not set(key.fields) <= set(self.view.fields):
                continue  # the missing column has been reported
            there = self.others.get(key.resource) if key.resource else self.table
            if there is None:
                self._note(key, "no such table was given (--with on the command line)")
            elif cells := self._referenced(key, there):
                yield foreign_key_check(key, self.view, there=there.relation, cells=cells)

    def _referenced(self, key: ForeignKey, there: Table) -> tuple[Cell, ...]:
        """Read the referenced columns as this table's fields; none, and a note, if impossible."""
        if there.ragged:
            self._note(
                key, f"{len(there.ragged):,} rows of {there.file} are damaged; check it first"
            )
            return ()
        cells = []
        for own, name in zip(key.fields, key.reference_fields, strict=True):
            column = there.column(name)
            made = cell(self.schema.field(own), column) if column else None
            if made is None:
                self._note(key, f"{there.file} has no column '{name}' of this type")
                return ()
            cells.append(made)
        return tuple(cells)

    def _note(self, key: ForeignKey, why: str) -> None:
        there = key.resource or "this table"
        self.notes.append(f"that {', '.join(key.fields)} occurs in {there}: {why}.")


def _meant(written: str | None, options: tuple[str, ...]) -> str:
    """Name the option that was probably meant; "" if none is close."""
    close = did_you_mean(written, options) if written and options else ""
    return close if close.startswith("Did") else ""


def _found(names: tuple[str, ...], texts: list[str | None]) -> str:
    """Show the cells as written; several with their fields' names."""
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
