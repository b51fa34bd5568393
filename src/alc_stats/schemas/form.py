"""The form of a table: its columns and the shape of its rows, before any cell is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alc_stats.errors import did_you_mean
from alc_stats.schemas.cells import STORED
from alc_stats.schemas.constraints import type_allowed
from alc_stats.schemas.schema import Schema
from alc_stats.schemas.tables import Table
from alc_stats.schemas.violations import LISTED, BrokenRule, Violation, shown


def form_of(schema: Schema, table: Table, rows: int) -> Iterator[BrokenRule]:
    """Everything that is wrong with the form of a table."""
    if not rows:
        yield _one(table, "", "noRows", "the table has a header and no rows", "nothing", "at least one row",
                   "Was the export cut short?")  # fmt: skip
    for name in table.duplicates:
        yield _one(table, name, "duplicateColumn", "two columns have this name", shown(name), "every name once",
                   "Remove or rename one; the first was checked.")  # fmt: skip
    yield from _columns(schema, table)
    yield from _storage(schema, table)
    yield from _ragged(table)


def absent(names: Iterable[str], here: Iterable[str]) -> bool:
    """Whether any of the names is not here."""
    return not set(names) <= set(here)


def _columns(schema: Schema, table: Table) -> Iterator[BrokenRule]:
    found = [column.name for column in table.columns]
    lacking = [name for name in schema.names if name not in found]
    unknown = [name for name in found if name not in schema.names]
    if schema.fields_match not in ("subset", "partial"):
        for name in unknown:
            yield _one(table, name, "unknownColumn", "the schema has no such column", shown(name), "",
                       _meant(name, lacking) or "Remove it, or declare it in the schema.")  # fmt: skip
    if schema.fields_match not in ("superset", "partial"):
        for name in lacking:
            yield _one(table, name, "missingColumn", "the column is missing", "no such column",
                       f"a column {name}", _meant(name, unknown) or "Add the column.")  # fmt: skip
    if (
        schema.fields_match == "exact"
        and not lacking
        and not unknown
        and found != list(schema.names)
    ):
        yield _one(table, "", "columnOrder", "the columns stand in another order", ", ".join(found)[:200],
                   ", ".join(schema.names)[:200],
                   'Reorder them, or declare "fieldsMatch": "equal" in the schema.')  # fmt: skip


def _meant(name: str, others: list[str]) -> str:
    """The column that was meant, if one is close; "" otherwise."""
    close = did_you_mean(name, others)
    return close if close.startswith("Did") else ""


def _storage(schema: Schema, table: Table) -> Iterator[BrokenRule]:
    for field in schema.fields:
        column = table.column(field.name)
        if column is None or column.storage in STORED[field.type]:
            continue
        zone = field.type == "datetime" and column.storage == "timestamp"
        what = (
            "the moments have no time zone"
            if zone
            else f"the column is not stored as a {field.type}"
        )
        way_out = (
            "Localise it to UTC before writing." if zone else "Convert the column before writing."
        )
        yield _one(table, field.name, "type", what, f"a column of {column.stored_as}",
                   type_allowed(field) or field.type, way_out)  # fmt: skip


def _ragged(table: Table) -> Iterator[BrokenRule]:
    if table.ragged:
        violations = tuple(
            Violation(
                table.file,
                row.row,
                "",
                "raggedRow",
                "the row has another number of cells than the header",
                f"{row.cells} cells",
                f"{table.width} cells",
                "Put text that holds the separator in quotation marks, or add what is missing.",
            )  # fmt: skip
            for row in table.ragged[:LISTED]
        )
        yield BrokenRule(len(table.ragged), violations)


def _one(
    table: Table, column: str, rule: str, what: str, found: str, allowed: str, way_out: str
) -> BrokenRule:
    return BrokenRule(
        1, (Violation(table.file, None, column, rule, what, found, allowed, way_out),)
    )
