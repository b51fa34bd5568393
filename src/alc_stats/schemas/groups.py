"""The checks across rows: keys, foreign keys, and rules about groups of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alc_stats.schemas.cells import Cell
from alc_stats.schemas.constraints import View
from alc_stats.schemas.expressions import fields_of, to_sql
from alc_stats.schemas.schema import ConstantRule, ForeignKey, OrderRule, Schema
from alc_stats.schemas.tables import ROW


@dataclass(frozen=True, slots=True)
class GroupCheck:
    """A condition across rows.

    Attributes
    ----------
    rule, column, what, allowed, way_out : str
        As in `Violation`.
    rows : str
        A query over the view for the rows that break the rule: their number, and the number of the
        other row that they contradict (NULL if there is none).
    shown : tuple of str
        The fields whose cells are reported as found, in both rows.
    """

    rule: str
    column: str
    what: str
    allowed: str
    way_out: str
    rows: str
    shown: tuple[str, ...]


def group_checks_of(schema: Schema, view: View) -> Iterator[GroupCheck]:
    """Every check across the rows of one table whose columns are there."""
    here = set(view.fields)
    if schema.primary_key and here.issuperset(schema.primary_key):
        yield _unique("primaryKey", schema.primary_key, view)
    for key in schema.unique_keys:
        if here.issuperset(key):
            yield _unique("uniqueKeys", key, view)
    for field in schema.fields:
        if field.constraints.unique and field.name in here:
            yield _unique("unique", (field.name,), view)
    for rule in schema.rules:
        if isinstance(rule, ConstantRule) and here.issuperset(_reads(rule)):
            yield _constant(rule, view)
        if isinstance(rule, OrderRule) and here.issuperset(_reads(rule)):
            yield _ordered(rule, view)


def foreign_key_check(
    key: ForeignKey, view: View, there: str, cells: tuple[Cell, ...]
) -> GroupCheck:
    """Rows whose key does not occur in another relation, where `cells` read the referenced columns."""
    own = [view.value(name) for name in key.fields]
    matches = " AND ".join(f"other.k{i} = {value}" for i, value in enumerate(own))
    referenced = ", ".join(f"{cell.value} AS k{i}" for i, cell in enumerate(cells))
    rows = f"""SELECT {ROW} AS "row", NULL AS other FROM cells WHERE {_all_present(own)} AND NOT EXISTS
        (SELECT 1 FROM (SELECT DISTINCT {referenced} FROM {there}) AS other WHERE {matches})"""
    target = key.resource or "this table"
    names = ", ".join(key.fields)
    return GroupCheck("foreignKeys", names, f"not found in {target}",
                      f"a value of {target}.{', '.join(key.reference_fields)}",
                      f"Correct the value, or add the row to {target}.", rows, key.fields)  # fmt: skip


def _unique(rule: str, key: tuple[str, ...], view: View) -> GroupCheck:
    """Rows whose key occurred in an earlier row; a key with a missing part is compared with none."""
    values = [view.value(name) for name in key]
    parts = ", ".join(values)
    rows = f"""WITH repeated AS (SELECT {parts}, min({ROW}) AS other FROM cells
            WHERE {_all_present(values)} GROUP BY {parts} HAVING count(*) > 1)
        SELECT {ROW} AS "row", other FROM cells JOIN repeated USING ({parts}) WHERE {ROW} > other"""
    names = ", ".join(key)
    return GroupCheck(rule, names, "the key occurs twice", "every key once",
                      "Remove the copy, or correct the identifier.", rows, key)  # fmt: skip


def _constant(rule: ConstantRule, view: View) -> GroupCheck:
    """Rows whose value is not that of the first row of their group."""
    value, groups = view.value(rule.constant), _groups(rule, view)
    present = _all_present([value, *groups])
    named = ", ".join(f"{sql} AS g{i}" for i, sql in enumerate(groups))
    keys = ", ".join(f"g{i}" for i in range(len(groups)))
    rows = f"""WITH grouped AS (SELECT {ROW}, {value} AS v, {named} FROM cells WHERE {present}),
        mixed AS (SELECT {keys}, min({ROW}) AS other, arg_min(v, {ROW}) AS first FROM grouped
            GROUP BY {keys} HAVING min(v) <> max(v))
        SELECT {ROW} AS "row", other FROM grouped JOIN mixed USING ({keys}) WHERE v <> first"""
    allowed = f"{rule.message}: one {rule.constant} for each {', '.join(rule.within_text)}"
    return GroupCheck(rule.name, rule.constant, "the value differs within its group", allowed, rule.way_out,
                      rows, (rule.constant,))  # fmt: skip


def _ordered(rule: OrderRule, view: View) -> GroupCheck:
    """Rows whose value is under the highest value of an earlier step of their group."""
    value, by, groups = view.value(rule.increasing), view.value(rule.by), _groups(rule, view)
    named = ", ".join(f"{sql} AS g{i}" for i, sql in enumerate(groups))
    keys = ", ".join(f"g{i}" for i in range(len(groups)))
    earlier = f"(PARTITION BY {keys} ORDER BY b RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP)"
    rows = f"""WITH grouped AS (SELECT {ROW}, {value} AS v, {by} AS b, {named} FROM cells
            WHERE {_all_present([value, by, *groups])}),
        compared AS (SELECT {ROW}, v, max(v) OVER {earlier} AS highest, arg_max({ROW}, v) OVER {earlier} AS other
            FROM grouped)
        SELECT {ROW} AS "row", other FROM compared WHERE v < highest"""
    allowed = f"{rule.message}: {rule.increasing} does not fall as {rule.by} rises, for each {', '.join(rule.within_text)}"
    return GroupCheck(rule.name, rule.increasing, "the value falls", allowed, rule.way_out,
                      rows, (rule.increasing, rule.by))  # fmt: skip


def _groups(rule: ConstantRule | OrderRule, view: View) -> list[str]:
    columns = {name: view.value(name) for name in view.fields}
    return [to_sql(part, columns) for part in rule.within]


def _reads(rule: ConstantRule | OrderRule) -> set[str]:
    own = {rule.constant} if isinstance(rule, ConstantRule) else {rule.increasing, rule.by}
    return own.union(*map(fields_of, rule.within))


def _all_present(values: list[str]) -> str:
    return " AND ".join(f"({value}) IS NOT NULL" for value in values)
