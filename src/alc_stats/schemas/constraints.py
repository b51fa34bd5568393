"""The checks of single rows: what each asks, as SQL over the view, and what it says when broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alc_stats.schemas.expressions import KIND_OF_TYPE, fields_of, quote, to_sql
from alc_stats.schemas.schema import Constraints, Field, RowRule, Scalar, Schema
from alc_stats.schemas.violations import Saying

MOST_LISTED = 12
CORRECT = "Correct the value, or write a missing code."
OF_TYPE = {
    "integer": ("not a whole number", "a whole number such as 42, with no decimal point"),
    "number": ("not a number", "a number such as 3.14, with a decimal point"),
    "boolean": ("not a truth value", ""),
    "date": ("not a date", ""),
    "datetime": ("not a moment with a time zone", "2026-03-02T09:15:00Z, or +01:00 in place of Z"),
    "year": ("not a year", "four digits such as 2026"),
}  # fmt: skip
"""For each type that a text can fail to be: what is wrong, and what is allowed."""
WAY_OUT = {
    "date": "Write every date of the column in this one form.",
    "datetime": "Write the time zone: without it the moment is not known.",
}


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on single rows.

    Attributes
    ----------
    saying : Saying
        What is said where it is broken.
    broken : str
        SQL over the view: true where the rule is broken.
    shown : tuple of str
        The fields whose cells are reported as found.
    close_to : tuple of str
        Allowed values, one of which may have been meant.
    """

    saying: Saying
    broken: str
    shown: tuple[str, ...]
    close_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """The SQL names of the fields' cells in the view that all checks select from."""

    fields: tuple[str, ...]

    def text(self, name: str) -> str:
        """Name the cell as written."""
        return f"t{self.fields.index(name)}"

    def missing(self, name: str) -> str:
        """Name the truth value that is true where the cell is missing; it is never NULL."""
        return f"m{self.fields.index(name)}"

    def value(self, name: str) -> str:
        """Name the cell's value: NULL where it is missing or unreadable."""
        return f"v{self.fields.index(name)}"

    def unreadable(self, name: str) -> str:
        """Ask whether something is written that is not of the field's type."""
        return f"(NOT {self.missing(name)} AND {self.value(name)} IS NULL)"


def checks_of(schema: Schema, view: View) -> Iterator[Check]:
    """Yield every check of single rows, field by field and then the schema's rules."""
    for field in schema.fields:
        if field.name in view.fields:
            yield from _type_and_presence(field, schema, view)
            yield from _bounds(field, view.value(field.name))
            yield from _text_checks(field, view.value(field.name))
            yield from _lists(field, view.value(field.name))
    for rule in schema.rules:
        if isinstance(rule, RowRule) and fields_of(rule.condition) <= set(view.fields):
            yield _row_rule(rule, schema, view)


def type_allowed(field: Field) -> str:
    """Say in words what a cell of the field's type may hold."""
    if field.type == "boolean":
        return ", ".join((*field.true_values, *field.false_values))
    if field.type == "date":
        return "YYYY-MM-DD such as 2026-03-02" if field.format == "default" else field.format
    return OF_TYPE[field.type][1] if field.type in OF_TYPE else "a text"


def limits(constraints: Constraints) -> Iterator[tuple[str, str, Scalar, str]]:
    """Yield the bounds that are set: the standard's name, the SQL of breaking it, bound, words."""
    bounds = (
        ("minimum", "<", constraints.minimum, "at least"),
        ("maximum", ">", constraints.maximum, "at most"),
        ("exclusiveMinimum", "<=", constraints.exclusive_minimum, "more than"),
        ("exclusiveMaximum", ">=", constraints.exclusive_maximum, "less than"),
    )
    return ((name, sql, bound, words) for name, sql, bound, words in bounds if bound is not None)


def listed(values: tuple[Scalar, ...]) -> str:
    """List values in words: the first twelve, and how many more."""
    more = f" and {len(values) - MOST_LISTED} more" if len(values) > MOST_LISTED else ""
    return ", ".join(str(value) for value in values[:MOST_LISTED]) + more


def invalid_cell(field: Field, view: View) -> str:
    """Ask whether a cell is not of its type or not one of the declared values."""
    undeclared = (check.broken for check in _lists(field, view.value(field.name)))
    parts = (f"coalesce({broken}, FALSE)" for broken in undeclared)
    return " OR ".join((view.unreadable(field.name), *parts))


def _sql_of(value: Scalar, field: Field) -> str:
    """Write a value of the schema file as SQL of the field's type."""
    match KIND_OF_TYPE[field.type]:
        case "text":
            return quote(str(value))
        case "date":
            return f"DATE {quote(str(value))}"
        case "moment":
            return f"TIMESTAMPTZ {quote(str(value))}"
        case _:
            return str(value)


def _type_and_presence(field: Field, schema: Schema, view: View) -> Iterator[Check]:
    name = field.name
    if field.type in OF_TYPE:
        what, way_out = OF_TYPE[field.type][0], WAY_OUT.get(field.type, CORRECT)
        saying = Saying("type", name, what, type_allowed(field), way_out)
        yield Check(saying, view.unreadable(name), (name,))
    if field.constraints.required or name in schema.primary_key:
        codes = listed(tuple(code.value for code in field.missing if code.value))
        allowed = f"a value; no missing code ({codes})" if codes else "a value"
        way_out = "Find the value, or remove the row."
        saying = Saying("required", name, "a value must stand here", allowed, way_out)
        yield Check(saying, view.missing(name), (name,))


def _bounds(field: Field, value: str) -> Iterator[Check]:
    unit = f" ({field.unit})" if field.unit else ""
    for rule, operator, bound, words in limits(field.constraints):
        saying = Saying(rule, field.name, "out of bounds", f"{words} {bound}{unit}", CORRECT)
        yield Check(saying, f"{value} {operator} {_sql_of(bound, field)}", (field.name,))


def _text_checks(field: Field, value: str) -> Iterator[Check]:
    limit, name = field.constraints, field.name
    if limit.min_length is not None:
        allowed = f"at least {limit.min_length} characters"
        saying = Saying("minLength", name, "too short", allowed, "Correct the value.")
        yield Check(saying, f"length({value}) < {limit.min_length}", (name,))
    if limit.max_length is not None:
        allowed = f"at most {limit.max_length} characters"
        way_out = "Shorten it; free text does not belong in this column."
        saying = Saying("maxLength", name, "too long", allowed, way_out)
        yield Check(saying, f"length({value}) > {limit.max_length}", (name,))
    if limit.pattern is not None:
        allowed = f"the pattern {limit.pattern}"
        saying = Saying("pattern", name, "not of the declared form", allowed, "Correct the value.")
        matches = f"regexp_full_match({value}, {quote(limit.pattern)})"
        yield Check(saying, f"NOT {matches}", (name,))


def _lists(field: Field, value: str) -> Iterator[Check]:
    """Yield the checks against the values that the field declares."""
    categories = tuple(category.value for category in field.categories)
    for rule, values in (("categories", categories), ("enum", field.constraints.enum)):
        if values:
            options = ", ".join(_sql_of(option, field) for option in values)
            close_to = tuple(str(option) for option in values) if field.type == "string" else ()
            way_out = "Correct the value, or declare it in the schema."
            what = "not one of the declared values"
            saying = Saying(rule, field.name, what, listed(values), way_out)
            yield Check(saying, f"{value} NOT IN ({options})", (field.name,), close_to)


def _row_rule(rule: RowRule, schema: Schema, view: View) -> Check:
    """Make the check of a rule: broken where it is false, undecided where a cell is invalid."""
    names = tuple(name for name in schema.names if name in fields_of(rule.condition))
    condition = to_sql(rule.condition, {name: view.value(name) for name in names})
    invalid = " OR ".join(invalid_cell(schema.field(name), view) for name in names) or "FALSE"
    allowed = f"{rule.message}: {rule.check}"
    saying = Saying(
        rule.name, ", ".join(names), "the row breaks a rule", allowed, rule.way_out
    )  # fmt: skip
    return Check(saying, f"NOT coalesce({condition}, TRUE) AND NOT ({invalid})", names)
