"""A rule's condition as a tree of frozen nodes, and its translation to SQL; nothing is evaluated.

`grammar` reads the text of a rule into these nodes; every node knows the kind of its value.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "truth", "date", "moment"]
KIND_OF_TYPE: Mapping[str, Kind] = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "year": "number",
    "boolean": "truth",
    "date": "date",
    "datetime": "moment",
}

DATE = r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
"""A date as it must be written; that the day exists is checked by the cast."""
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
ZONE = r"(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"
MOMENT = f"{DATE}[T ]{TIME}{ZONE}"
"""A moment as it must be written, with its time zone."""


Value = float | str | bool
"""What a rule may hold: a number, a text (or a date written as one), a truth value."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text, a date or a truth value written in the rule."""

    value: Value
    kind: Kind


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field's value in the row."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Period:
    """The calendar day, ISO week or month (UTC) a date or moment lies in, as its first day."""

    unit: str
    of: FieldRef
    kind: Kind = "date"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers and what is done with them; a division by zero is missing."""

    operator: str
    left: Expression
    right: Expression
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values of one kind, compared."""

    operator: str
    left: Expression
    right: Expression
    kind: Kind = "truth"


@dataclass(frozen=True, slots=True)
class Among:
    """Whether a value is one of a list."""

    value: Expression
    options: tuple[Constant, ...]
    kind: Kind = "truth"


@dataclass(frozen=True, slots=True)
class Missing:
    """Whether a field's value is missing; itself never missing."""

    value: FieldRef
    kind: Kind = "truth"


@dataclass(frozen=True, slots=True)
class Connect:
    """Conditions joined by "and", "or" or "implies", or one turned round by "not"."""

    word: str
    parts: tuple[Expression, ...]
    kind: Kind = "truth"


Expression = Constant | FieldRef | Period | Arithmetic | Compare | Among | Missing | Connect


def fields_of(node: Expression) -> frozenset[str]:
    """Name the fields an expression reads."""
    match node:
        case FieldRef(name=name):
            return frozenset({name})
        case Period(of=part) | Among(value=part) | Missing(value=part):
            return fields_of(part)
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return fields_of(left) | fields_of(right)
        case Connect(parts=parts):
            return frozenset[str]().union(*map(fields_of, parts))
        case Constant():
            return frozenset()


def to_sql(node: Expression, columns: Mapping[str, str]) -> str:
    """Write an expression as DuckDB SQL; `columns` gives the SQL of each field's value.

    Examples
    --------
    >>> later = Compare(">=", FieldRef("end", "date"), FieldRef("start", "date"))
    >>> to_sql(later, {"end": "v1", "start": "v0"})
    '(v1 >= v0)'
    """

    def sql(part: Expression) -> str:
        return to_sql(part, columns)

    match node:
        case Constant(value=value, kind=kind):
            return _constant_sql(value, kind)
        case FieldRef(name=name):
            return columns[name]
        case Period(unit=unit, of=of):
            return f"CAST(date_trunc('{unit}', {sql(of)}) AS DATE)"
        case Arithmetic(operator=operator, left=left, right=right):
            divisor = f"nullif({sql(right)}, 0)" if operator == "/" else sql(right)
            return f"(CAST({sql(left)} AS DOUBLE) {operator} {divisor})"
        case Compare(operator=operator, left=left, right=right):
            return f"({sql(left)} {'=' if operator == '==' else operator} {sql(right)})"
        case Among(value=value, options=options):
            return f"({sql(value)} IN ({', '.join(map(sql, options))}))"
        case Missing(value=value):
            return f"({sql(value)} IS NULL)"
        case Connect(word=word, parts=parts):
            return _connect_sql(word, tuple(map(sql, parts)))


def is_written_as(text: str, kind: Kind) -> bool:
    """Whether a text is a date ("date") or a moment with a time zone ("moment") that exists.

    Examples
    --------
    >>> is_written_as("2026-02-30", "date"), is_written_as("2026-03-02T09:15:00Z", "moment")
    (False, True)
    """
    if re.fullmatch(DATE if kind == "date" else MOMENT, text) is None:
        return False
    try:
        datetime.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def quote(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _constant_sql(value: Value, kind: Kind) -> str:
    match kind:
        case "text":
            return quote(str(value))
        case "date":
            return f"DATE {quote(str(value))}"
        case "moment":
            return f"TIMESTAMPTZ {quote(str(value))}"
        case "truth":
            return str(value).upper()
        case "number":
            return repr(value)


def _connect_sql(word: str, parts: tuple[str, ...]) -> str:
    if word == "not":
        return f"(NOT {parts[0]})"
    if word == "implies":
        return f"((NOT {parts[0]}) OR {parts[1]})"
    return "(" + f" {word.upper()} ".join(parts) + ")"
