"""A field over a stored column: the SQL of what is written, if it is missing, and its value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alc_stats.schemas.expressions import DATE, MOMENT, quote
from alc_stats.schemas.schema import Field, FieldType
from alc_stats.schemas.tables import Column, Storage

SQL_TYPE = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
    "year": "BIGINT",
}
STORED: dict[FieldType, frozenset[Storage]] = {
    "string": frozenset({"text", "integer"}),
    "integer": frozenset({"text", "integer", "float"}),
    "number": frozenset({"text", "integer", "float"}),
    "boolean": frozenset({"text", "integer", "boolean"}),
    "date": frozenset({"text", "date", "timestamp"}),
    "datetime": frozenset({"text", "moment"}),
    "year": frozenset({"text", "integer", "float"}),
}
"""How a field may be stored. A timestamp without a time zone is no moment, so it is not here."""
NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
STRPTIME = {"d": "[0-9]{2}", "m": "[0-9]{2}", "Y": "[1-9][0-9]{3}"}


@dataclass(frozen=True, slots=True)
class Cell:
    """SQL over the stored relation.

    Attributes
    ----------
    text : str
        What is written, as text.
    missing : str
        True for NULL, NaN and the missing codes; never NULL.
    value : str
        The value in the field's SQL type; NULL where it is missing or cannot be read.
    """

    text: str
    missing: str
    value: str


def cell(field: Field, column: Column) -> Cell | None:
    """Read a field from a column; None if a column stored like this cannot hold the field."""
    if column.storage not in STORED[field.type]:
        return None
    missing = _missing(field, column)
    parsed = (
        _from_text(field, column.sql) if column.storage == "text" else _from_stored(field, column)
    )
    return Cell(
        text=column.sql if column.storage == "text" else f"CAST({column.sql} AS VARCHAR)",
        missing=missing,
        value=f"CASE WHEN {missing} THEN NULL ELSE {parsed} END",
    )


def nothing(field: Field) -> Cell:
    """Make the cell of a field whose column is allowed to be absent: always missing."""
    return Cell("CAST(NULL AS VARCHAR)", "TRUE", f"CAST(NULL AS {SQL_TYPE[field.type]})")


def _missing(field: Field, column: Column) -> str:
    raw, codes = column.sql, [code.value for code in field.missing]
    if column.storage == "text":
        listed = f" OR {raw} IN ({', '.join(map(quote, codes))})" if codes else ""
        return f"({raw} IS NULL{listed})"
    numbers = (
        [code for code in codes if _is_number(code)]
        if column.storage in ("integer", "float")
        else []
    )
    listed = "".join(f" OR {raw} = {float(number)!r}" for number in numbers)
    not_a_number = f" OR isnan(CAST({raw} AS DOUBLE))" if column.storage == "float" else ""
    return f"coalesce({raw} IS NULL{not_a_number}{listed}, TRUE)"


def _from_text(field: Field, raw: str) -> str:
    match field.type:
        case "string":
            return raw
        case "integer":
            return _cast_if(raw, "[+-]?[0-9]+", "BIGINT")
        case "number":
            return _finite(_cast_if(raw, NUMBER, "DOUBLE"))
        case "boolean":
            return _boolean(field, raw)
        case "date":
            return _date(field, raw)
        case "datetime":
            return _cast_if(raw, MOMENT, "TIMESTAMPTZ")
        case "year":
            return _cast_if(raw, "[0-9]{4}", "BIGINT")


def _from_stored(field: Field, column: Column) -> str:
    raw = column.sql
    match field.type:
        case "string":
            return f"CAST({raw} AS VARCHAR)"
        case "integer" | "year":
            return f"CASE WHEN {raw} = trunc({raw}) THEN TRY_CAST({raw} AS BIGINT) END"
        case "number":
            return _finite(f"CAST({raw} AS DOUBLE)")
        case "boolean":
            return (
                raw if column.storage == "boolean" else _boolean(field, f"CAST({raw} AS VARCHAR)")
            )
        case "date":
            return f"CASE WHEN {raw} = CAST({raw} AS DATE) THEN CAST({raw} AS DATE) END"
        case "datetime":
            return f"CAST({raw} AS TIMESTAMPTZ)"


def _cast_if(raw: str, pattern: str, sql_type: str) -> str:
    """Cast what is written as the standard has it: DuckDB alone reads ' 1', and '1.5' as 2."""
    return (
        f"CASE WHEN regexp_full_match({raw}, {quote(pattern)}) "
        f"THEN TRY_CAST({raw} AS {sql_type}) END"
    )


def _finite(number: str) -> str:
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def _boolean(field: Field, raw: str) -> str:
    true, false = (
        ", ".join(map(quote, values)) or "NULL"
        for values in (field.true_values, field.false_values)
    )
    return f"CASE WHEN {raw} IN ({true}) THEN TRUE WHEN {raw} IN ({false}) THEN FALSE END"


def _date(field: Field, raw: str) -> str:
    if field.format == "default":
        return _cast_if(raw, DATE, "DATE")
    pattern = _pattern(field.format)
    parsed = f"CAST(try_strptime({raw}, {quote(field.format)}) AS DATE)"
    return f"CASE WHEN regexp_full_match({raw}, {quote(pattern)}) THEN {parsed} END"


def _pattern(form: str) -> str:
    """Write the regular expression of a date pattern: `%d/%m/%Y` is two digits, a slash, ..."""
    pieces = re.split("%(.)", form)
    return "".join(STRPTIME[piece] if i % 2 else re.escape(piece) for i, piece in enumerate(pieces))


def _is_number(code: str) -> bool:
    return re.fullmatch(NUMBER, code) is not None
