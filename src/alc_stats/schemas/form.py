"""The form of a table: its columns and the shape of its rows, before any cell is looked at."""

from __future__ import annotations

from collections.abc import Iterator

from alc_stats.errors import did_you_mean
from alc_stats.schemas.cells import STORED
from alc_stats.schemas.constraints import type_allowed
from alc_stats.schemas.schema import Schema
from alc_stats.schemas.tables import Table
from alc_stats.schemas.violations import LISTED, BrokenRule, Saying, shown

RAGGED = "Put text that holds the separator in quotation marks, or add what is missing."
IN_ORDER = 'Reorder them, or declare "fieldsMatch": "equal" in the schema.'


def form_of(schema: Schema, table: Table, *, rows: int) -> Iterator[BrokenRule]:
    """Yield everything that is wrong with the form of a table."""
    if not rows:
        what, way_out = "the table has a header and no rows", "Was the export cut short?"
        saying = Saying("noRows", "", what, "at least one row", way_out)
        yield _once(saying, table, "no rows")
    for name in table.duplicates:
        way_out = "Remove or rename one; the first was checked."
        saying = Saying(
            "duplicateColumn", name, "two columns have this name", "every name once", way_out
        )
        yield _once(saying, table, shown(name))
    yield from _columns(schema, table)
    yield from _storage(schema, table)
    if table.ragged:
        what = "the row has another number of cells than the header"
        saying = Saying("raggedRow", "", what, f"{table.width} cells", RAGGED)
        found = (
            saying.violation(table.file, r.row, f"{r.cells} cells") for r in table.ragged[:LISTED]
        )
        yield BrokenRule(len(table.ragged), tuple(found))


def _columns(schema: Schema, table: Table) -> Iterator[BrokenRule]:
    found = [column.name for column in table.columns]
    lacking = [name for name in schema.names if name not in found]
    unknown = [name for name in found if name not in schema.names]
    if schema.fields_match not in ("subset", "partial"):
        for name in unknown:
            way_out = _meant(name, lacking) or "Remove it, or declare it in the schema."
            saying = Saying("unknownColumn", name, "the schema has no such column", "", way_out)
            yield _once(saying, table, shown(name))
    for name in lacking:
        if not schema.may_lack(name):
            way_out = _meant(name, unknown) or "Add the column."
            what = "the column is missing"
            saying = Saying("missingColumn", name, what, f"a column {name}", way_out)
            yield _once(saying, table, "no such column")
    if schema.fields_match == "exact" and sorted(found) == sorted(schema.names):
        yield from _order(schema, table, found)


def _order(schema: Schema, table: Table, found: list[str]) -> Iterator[BrokenRule]:
    if found != list(schema.names):
        what, allowed = "the columns stand in another order", ", ".join(schema.names)
        saying = Saying("columnOrder", "", what, allowed, IN_ORDER)
        yield _once(saying, table, ", ".join(found))


def _storage(schema: Schema, table: Table) -> Iterator[BrokenRule]:
    """Yield the columns whose kind of storage cannot hold their field."""
    for field in schema.fields:
        column = table.column(field.name)
        if column is None or column.storage in STORED[field.type]:
            continue
        if field.type == "datetime" and column.storage == "timestamp":
            what, way_out = "the moments have no time zone", "Localise them to UTC before writing."
        else:
            what = f"a column stored like this cannot be of type {field.type}"
            way_out = "Convert the column before writing."
        saying = Saying("type", field.name, what, type_allowed(field), way_out)
        yield _once(saying, table, f"a column of {column.stored_as}")


def _meant(name: str, others: list[str]) -> str:
    """Name the column that was meant, if one is close; "" otherwise."""
    close = did_you_mean(name, others)
    return close if close.startswith("Did") else ""


def _once(saying: Saying, table: Table, found: str) -> BrokenRule:
    return BrokenRule(1, (saying.violation(table.file, None, found),))
