"""The checks of single cells: what each asks, as SQL over the view, and what it says when broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alc_stats.schemas.expressions import KIND_OF_TYPE, fields_of, quote, to_sql
from alc_stats.schemas.schema import Constraints, Field, RowRule, Scalar, Schema

MOST_LISTED = 12
OF_TYPE = {
    "string": ("not a text", "a text", "Correct the value."),
    "integer": ("not a whole number", "a whole number such as 42, without a decimal point or blanks",
                "Correct the value, or write a missing code."),
    "number": ("not a number", "a number such as 3.14, with a decimal point and without blanks",
               "Correct the value, or write a missing code."),
    "boolean": ("not a truth value", "", "Correct the value, or write a missing code."),
    "date": ("not a date", "", "Write every date of the column in this one form."),
    "datetime": ("not a moment with a time zone", "such as 2026-03-02T09:15:00Z or 2026-03-02T10:15:00+01:00",
                 "Write the time zone: without it the moment is not known."),
    "year": ("not a year", "four digits such as 2026", "Correct the value, or write a missing code."),
}  # fmt: skip
"""For each type: what is wrong, what is allowed, the way out."""


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on single rows.

    Attributes
    ----------
    rule, column, what, allowed, way_out : str
        As in `Violation`.
    broken : str
        SQL over the view: true where the rule is broken.
    shown : tuple of str
        The fields whose cells are reported as found.
    close_to : tuple of str
        Allowed values, one of which may have been meant.
    """

    rule: str
    column: str
    what: str
    allowed: str
    way_out: str
    broken: str
    shown: tuple[str, ...]
    close_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """The SQL names of the fields' cells in the view that all checks select from."""

    fields: tuple[str, ...]

    def text(self, name: str) -> str:
        """The cell as written."""
        return f"t{self.fields.index(name)}"

    def missing(self, name: str) -> str:
        """Whether the cell is missing; never NULL."""
        return f"m{self.fields.index(name)}"

    def value(self, name: str) -> str:
        """The cell's value; NULL if missing or unreadable."""
        return f"v{self.fields.index(name)}"

    def unreadable(self, name: str) -> str:
        """Whether something is written that is not of the field's type."""
        return f"(NOT {self.missing(name)} AND {self.value(name)} IS NULL)"


def checks_of(schema: Schema, view: View) -> Iterator[Check]:
    """Every check of single rows, field by field and then the schema's rules."""
    for field in schema.fields:
        if field.name in view.fields:
            yield from _checks_of_field(field, field.name in schema.primary_key, view)
    for rule in schema.rules:
        if isinstance(rule, RowRule) and fields_of(rule.condition) <= set(view.fields):
            yield _row_rule(rule, schema, view)


def type_allowed(field: Field) -> str:
    """What a cell of the field's type may hold, in words."""
    if field.type == "boolean":
        return ", ".join((*field.true_values, *field.false_values))
    if field.type == "date":
        return "YYYY-MM-DD such as 2026-03-02" if field.format == "default" else field.format
    return OF_TYPE[field.type][1]


def limits(constraints: Constraints) -> Iterator[tuple[str, str, Scalar, str]]:
    """The bounds that are set: the standard's name, the SQL of breaking it, the bound, the words."""
    bounds = (
        ("minimum", "<", constraints.minimum, "at least"),
        ("maximum", ">", constraints.maximum, "at most"),
        ("exclusiveMinimum", "<=", constraints.exclusive_minimum, "more than"),
        ("exclusiveMaximum", ">=", constraints.exclusive_maximum, "less than"),
    )
    return (
        (name, operator, bound, words)
        for name, operator, bound, words in bounds
        if bound is not None
    )


def listed(values: tuple[Scalar, ...]) -> str:
    """Values in words: the first twelve, and how many more."""
    more = f" and {len(values) - MOST_LISTED} more" if len(values) > MOST_LISTED else ""
    return ", ".join(str(value) for value in values[:MOST_LISTED]) + more


def sql_of(value: Scalar, field: Field) -> str:
    """A value of the schema file as SQL of the field's type."""
    match KIND_OF_TYPE[field.type]:
        case "text":
            return quote(str(value))
        case "date":
            return f"DATE {quote(str(value))}"
        case "moment":
            return f"TIMESTAMPTZ {quote(str(value))}"
        case _:
            return str(value)


def _checks_of_field(field: Field, is_key: bool, view: View) -> Iterator[Check]:
    name, value = field.name, view.value(field.name)
    what, _, way_out = OF_TYPE[field.type]
    shown = (name,)
    if field.type != "string":
        yield Check("type", name, what, type_allowed(field), way_out, view.unreadable(name), shown)
    if field.constraints.required or is_key:
        codes = listed(tuple(code.value for code in field.missing if code.value))
        allowed = f"a value; no missing code ({codes})" if codes else "a value"
        yield Check("required", name, "a value must stand here", allowed, "Find the value, or remove the row.",
                    view.missing(name), shown)  # fmt: skip
    for rule, operator, bound, words in limits(field.constraints):
        yield Check(rule, name, "out of bounds", f"{words} {bound}{_unit(field)}",
                    "Correct the value, or write a missing code.",
                    f"{value} {operator} {sql_of(bound, field)}", shown)  # fmt: skip
    yield from _text_checks(field, value)
    yield from _lists(field, value)


def _text_checks(field: Field, value: str) -> Iterator[Check]:
    limit, name = field.constraints, field.name
    if limit.min_length is not None:
        yield Check("minLength", name, "too short", f"at least {limit.min_length} characters", "Correct the value.",
                    f"length({value}) < {limit.min_length}", (name,))  # fmt: skip
    if limit.max_length is not None:
        yield Check("maxLength", name, "too long", f"at most {limit.max_length} characters",
                    "Shorten it; free text does not belong in this column.",
                    f"length({value}) > {limit.max_length}", (name,))  # fmt: skip
    if limit.pattern is not None:
        yield Check("pattern", name, "not of the declared form", f"the pattern {limit.pattern}", "Correct the value.",
                    f"NOT regexp_full_match({value}, {quote(limit.pattern)})", (name,))  # fmt: skip


def _lists(field: Field, value: str) -> Iterator[Check]:
    lists = (
        ("categories", tuple(c.value for c in field.categories)),
        ("enum", field.constraints.enum),
    )
    for rule, values in lists:
        if values:
            options = ", ".join(sql_of(option, field) for option in values)
            close_to = tuple(str(option) for option in values) if field.type == "string" else ()
            yield Check(rule, field.name, "not one of the declared values", listed(values),
                        "Correct the value, or declare it in the schema.",
                        f"{value} NOT IN ({options})", (field.name,), close_to)  # fmt: skip


def _row_rule(rule: RowRule, schema: Schema, view: View) -> Check:
    """A rule is broken where it is false, and undecided where a cell it reads cannot be read."""
    names = tuple(name for name in schema.names if name in fields_of(rule.condition))
    condition = to_sql(rule.condition, {name: view.value(name) for name in names})
    unreadable = " OR ".join(view.unreadable(name) for name in names) or "FALSE"
    return Check(rule.name, ", ".join(names), "the row breaks a rule", f"{rule.message}: {rule.check}", rule.way_out,
                 f"NOT coalesce({condition}, TRUE) AND NOT ({unreadable})", names)  # fmt: skip


def _unit(field: Field) -> str:
    return f" ({field.unit})" if field.unit else ""
