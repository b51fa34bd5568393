"""The codebook: a schema as a data dictionary that people read; the validator is its source."""

from __future__ import annotations

from collections.abc import Iterator

from alc_stats.schemas.constraints import limits, listed, type_allowed
from alc_stats.schemas.schema import ConstantRule, Field, OrderRule, Rule, Schema

HEADINGS = ("Name", "Title and meaning", "Type", "Unit", "Allowed", "Values", "Missing")


def codebook(schema: Schema) -> str:
    """Write the data dictionary in Markdown: a row a field, then keys and rules.

    Examples
    --------
    >>> from alc_stats import schemas
    >>> print(schemas.codebook(schemas.read("platform_event")).splitlines()[0])
    # Platform events, one row a change of model (`platform_event`)
    """
    title = f"# {schema.title or schema.name} (`{schema.name}`)"
    rows = [
        HEADINGS,
        tuple("---" for _ in HEADINGS),
        *(_row(field, schema) for field in schema.fields),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    parts = (title, schema.description, table, _keys(schema), _rules(schema))
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(field: Field, schema: Schema) -> tuple[str, ...]:
    meaning = ". ".join(part.rstrip(".") for part in (field.title, field.description) if part)
    example = f" Example: `{field.example}`." if field.example else ""
    values = "<br>".join(_labelled(str(c.value), c.label) for c in field.categories)
    order = "<br>(in this order)" if field.categories and field.ordered else ""
    missing = "<br>".join(_labelled(code.value or "empty", code.label) for code in field.missing)
    cells = (
        f"`{field.name}`",
        f"{meaning}.{example}" if meaning else example,
        field.type,
        field.unit,
        "; ".join(_allowed(field, schema)),
        values + order,
        missing,
    )
    return tuple(_cell(cell) for cell in cells)


def _allowed(field: Field, schema: Schema) -> Iterator[str]:
    """Say what a cell may hold beyond its type, in words."""
    limit = field.constraints
    yield "required" if limit.required or field.name in schema.primary_key else "may be missing"
    if limit.unique:
        yield "unique"
    if field.type in ("boolean", "date", "datetime"):
        yield type_allowed(field)
    for _, _, bound, words in limits(limit):
        yield f"{words} {bound}"
    if limit.min_length is not None:
        yield f"at least {limit.min_length} characters"
    if limit.max_length is not None:
        yield f"at most {limit.max_length} characters"
    if limit.pattern is not None:
        yield f"pattern `{limit.pattern}`"
    if limit.enum:
        yield listed(limit.enum)


def _keys(schema: Schema) -> str:
    lines = []
    if schema.primary_key:
        lines.append(f"- Primary key: {_names(schema.primary_key)}.")
    lines.extend(f"- Unique: {_names(key)}." for key in schema.unique_keys)
    lines.extend(
        f"- {_names(key.fields)} refers to {_names(key.reference_fields)} "
        f"of `{key.resource or schema.name}`."
        for key in schema.foreign_keys
    )
    return "\n".join(("## Keys", "", *lines)) if lines else ""


def _rules(schema: Schema) -> str:
    lines = [
        f"- **{rule.name}**: {rule.message} ({_condition(rule)}). {rule.way_out}"
        for rule in schema.rules
    ]
    return "\n".join(("## Rules", "", *lines)) if lines else ""


def _condition(rule: Rule) -> str:
    if isinstance(rule, ConstantRule):
        return f"one `{rule.constant}` for each {_names(rule.within_text)}"
    if isinstance(rule, OrderRule):
        groups = _names(rule.within_text)
        return f"`{rule.increasing}` does not fall as `{rule.by}` rises, for each {groups}"
    return f"`{rule.check}`"


def _labelled(value: str, label: str) -> str:
    return f"`{value}` {label}".rstrip()


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    """Write a text as one cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
