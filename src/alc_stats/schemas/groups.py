"""The checks across rows: keys, foreign keys, and rules about groups of rows."""

# ruff: noqa: S608  (the SQL is made of our own column names and quoted literals)
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alc_stats.schemas.cells import Cell
from alc_stats.schemas.constraints import View, invalid_cell
from alc_stats.schemas.expressions import fields_of, to_sql
from alc_stats.schemas.schema import ConstantRule, ForeignKey, OrderRule, Schema
from alc_stats.schemas.tables import ROW
from alc_stats.schemas.violations import Saying


@dataclass(frozen=True, slots=True)
class GroupCheck:
    """A condition across rows.

    Attributes
    ----------
    saying : Saying
        What is said where it is broken.
    rows : str
        A query over the view for the rows that break the rule: their number as "row", and as
        "other" the number of the row that they contradict (NULL if there is none).
    shown : tuple of str
        The fields whose cells are reported as found, in both rows.
    """

    saying: Saying
    rows: str
    shown: tuple[str, ...]


def group_checks_of(schema: Schema, view: View) -> Iterator[GroupCheck]:
    """Yield every check across the rows of one table whose columns are there."""
    for name, key in _keys(schema):
        if set(key) <= set(view.fields):
            yield _unique(name, key, view)
    for rule in schema.rules:
        if isinstance(rule, ConstantRule) and _reads(rule) <= set(view.fields):
            yield _constant(rule, schema, view)
        if isinstance(rule, OrderRule) and _reads(rule) <= set(view.fields):
            yield _ordered(rule, schema, view)


def foreign_key_check(
    key: ForeignKey, view: View, *, there: str, cells: tuple[Cell, ...]
) -> GroupCheck:
    """Check that a key occurs in the relation `there`, whose referenced columns `cells` read."""
    own = [view.value(name) for name in key.fields]
    matches = " AND ".join(f"other.k{i} = {value}" for i, value in enumerate(own))
    referenced = ", ".join(f"{cell.value} AS k{i}" for i, cell in enumerate(cells))
    rows = f"""
        SELECT {ROW} AS "row", NULL AS other
        FROM cells
        WHERE {_present(own)} AND NOT EXISTS (
            SELECT 1 FROM (SELECT DISTINCT {referenced} FROM {there}) AS other WHERE {matches}
        )"""
    target = key.resource or "this table"
    saying = Saying(
        "foreignKeys",
        ", ".join(key.fields),
        f"not found in {target}",
        f"a value of {', '.join(key.reference_fields)} in {target}",
        f"Correct the value, or add the row to {target}.",
    )
    return GroupCheck(saying, rows, key.fields)


def _keys(schema: Schema) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what must be unique, and the standard's name for it."""
    if schema.primary_key:
        yield "primaryKey", schema.primary_key
    for key in schema.unique_keys:
        yield "uniqueKeys", key
    for field in schema.fields:
        if field.constraints.unique:
            yield "unique", (field.name,)


def _unique(rule: str, key: tuple[str, ...], view: View) -> GroupCheck:
    """Find rows whose key occurred before; a key with a missing part is compared with none."""
    values = [view.value(name) for name in key]
    parts = ", ".join(values)
    rows = f"""
        WITH repeated AS (
            SELECT {parts}, min({ROW}) AS other
            FROM cells WHERE {_present(values)}
            GROUP BY {parts} HAVING count(*) > 1
        )
        SELECT {ROW} AS "row", other FROM cells JOIN repeated USING ({parts}) WHERE {ROW} > other"""
    saying = Saying(
        rule,
        ", ".join(key),
        "the key occurs twice",
        "every key once",
        "Remove the copy, or correct the identifier.",
    )
    return GroupCheck(saying, rows, key)


def _constant(rule: ConstantRule, schema: Schema, view: View) -> GroupCheck:
    """Find rows whose value is not that of the first row of their group."""
    groups = _Groups(rule, schema, view)
    rows = f"""
        WITH grouped AS ({groups.select(v=view.value(rule.constant))}),
        mixed AS (
            SELECT {groups.keys}, min({ROW}) AS other, arg_min(v, {ROW}) AS first
            FROM grouped GROUP BY {groups.keys} HAVING min(v) <> max(v)
        )
        SELECT {ROW} AS "row", other
        FROM grouped JOIN mixed USING ({groups.keys}) WHERE v <> first"""
    allowed = f"{rule.message}: one {rule.constant} for each {groups.text}"
    what = "the value differs within its group"
    saying = Saying(rule.name, rule.constant, what, allowed, rule.way_out)
    return GroupCheck(saying, rows, (rule.constant,))


def _ordered(rule: OrderRule, schema: Schema, view: View) -> GroupCheck:
    """Find rows whose value is under the highest value of an earlier step of their group."""
    groups = _Groups(rule, schema, view)
    rows = f"""
        WITH grouped AS ({groups.select(v=view.value(rule.increasing), b=view.value(rule.by))}),
        compared AS (
            SELECT {ROW}, v, max({{'v': v, 'r': -{ROW}}}) OVER (
                PARTITION BY {groups.keys} ORDER BY b
                RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP
            ) AS highest
            FROM grouped
        )
        SELECT {ROW} AS "row", -highest.r AS other FROM compared WHERE v < highest.v"""
    order = f"{rule.increasing} does not fall as {rule.by} rises, for each {groups.text}"
    allowed = f"{rule.message}: {order}"
    saying = Saying(rule.name, rule.increasing, "the value falls", allowed, rule.way_out)
    return GroupCheck(saying, rows, (rule.increasing, rule.by))


class _Groups:
    """The groups of a rule in SQL: g0, g1, ..."""

    def __init__(self, rule: ConstantRule | OrderRule, schema: Schema, view: View) -> None:
        columns = {name: view.value(name) for name in view.fields}
        self.parts = {f"g{i}": to_sql(part, columns) for i, part in enumerate(rule.within)}
        self.keys = ", ".join(self.parts)
        self.text = ", ".join(rule.within_text)
        self.invalid = " OR ".join(
            invalid_cell(schema.field(name), view) for name in sorted(_reads(rule))
        )

    def select(self, **values: str) -> str:
        """Select groups and values of the rows in which none is missing and no cell invalid."""
        named = {**self.parts, **values}
        columns = ", ".join(f"{sql} AS {name}" for name, sql in named.items())
        usable = f"{_present(list(named.values()))} AND NOT ({self.invalid})"
        return f"SELECT {ROW}, {columns} FROM cells WHERE {usable}"


def _reads(rule: ConstantRule | OrderRule) -> set[str]:
    own = {rule.constant} if isinstance(rule, ConstantRule) else {rule.increasing, rule.by}
    return own.union(*map(fields_of, rule.within))


def _present(values: list[str]) -> str:
    return " AND ".join(f"({value}) IS NOT NULL" for value in values)
