"""The slow, obvious twin of the checker: row by row, from the schema's JSON, in plain Python.

It imports nothing from the package. The `x-alc:rules` of the package's schemas are written out by
hand below, so that the rule language has an independent witness too.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

DEFINITIONS = Path(__file__).parents[2] / "data" / "schemas"
Row = dict[str, str]
Broken = set[tuple[int, str, str]]
MOMENT = r"[1-9]\d{3}-\d\d-\d\d[T ](\d\d):\d\d:\d\d(\.\d+)?(Z|[+-](\d\d):?\d\d)"
UNREADABLE = object()


def declared(name: str) -> dict[str, Any]:
    """A schema file as JSON."""
    return json.loads((DEFINITIONS / f"{name}.schema.json").read_text(encoding="utf-8"))


def violations(name: str, rows: list[Row], related: dict[str, list[Row]]) -> Broken:
    """Every (row, column, rule) that is broken."""
    schema = declared(name)
    codes = {code["value"] for code in schema["missingValues"]}
    values = [
        {f["name"]: _read(row[f["name"]], f, codes) for f in schema["fields"]} for row in rows
    ]
    return (
        _cells(schema, values)
        | _keys(schema, values)
        | _foreign(schema, values, related, codes)
        | _rules(name, schema, values)
    )


def _read(text: str, field: dict[str, Any], codes: set[str]) -> Any:
    """The value, None if missing, UNREADABLE if not of the type."""
    if text in codes:
        return None
    try:
        return READERS[field["type"]](text)
    except (ValueError, OverflowError):
        return UNREADABLE


def _integer(text: str) -> int:
    if not re.fullmatch("[+-]?[0-9]+", text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError(text)
    if not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)


def _date(text: str) -> datetime.date:
    if not re.fullmatch(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return datetime.date.fromisoformat(text)


def _moment(text: str) -> datetime.datetime:
    found = re.fullmatch(MOMENT, text, re.ASCII)
    if not found or (found[4] and int(found[4]) > 14):
        raise ValueError(text)
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)


def _boolean(text: str) -> bool:
    if text not in ("true", "True", "TRUE", "1", "false", "False", "FALSE", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "1")


READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "date": _date,
    "datetime": _moment,
    "boolean": _boolean,
}


def _cells(schema: dict[str, Any], values: list[dict[str, Any]]) -> Broken:
    return {
        (i, field["name"], rule)
        for i, row in enumerate(values, 1)
        for field in schema["fields"]
        for rule in _broken_in(field, row[field["name"]], field["name"] in schema["primaryKey"])
    }


def _broken_in(field: dict[str, Any], value: Any, is_key: bool) -> Iterable[str]:
    limits = field.get("constraints", {})
    if value is None:
        return ["required"] if limits.get("required") or is_key else []
    if value is UNREADABLE:
        return ["type"]
    asked = {
        "minimum": lambda limit: value >= limit,
        "maximum": lambda limit: value <= limit,
        "maxLength": lambda limit: len(value) <= limit,
        "pattern": lambda limit: re.fullmatch(limit, value) is not None,
    }
    broken = [rule for rule, holds in asked.items() if rule in limits and not holds(limits[rule])]
    return [*broken, *([] if _declared(field, value) else ["categories"])]


def _declared(field: dict[str, Any], value: Any) -> bool:
    return "categories" not in field or value in [c["value"] for c in field["categories"]]


def _known(*parts: Any) -> bool:
    return all(part is not None and part is not UNREADABLE for part in parts)


def _keys(schema: dict[str, Any], values: list[dict[str, Any]]) -> Broken:
    broken: Broken = set()
    keys = [("primaryKey", schema["primaryKey"])]
    for rule, names in keys + [("uniqueKeys", key) for key in schema.get("uniqueKeys", [])]:
        seen = set()
        for i, row in enumerate(values, 1):
            key = tuple(row[name] for name in names)
            if _known(*key) and key in seen:
                broken.add((i, ", ".join(names), rule))
            seen.add(key)
    return broken


def _foreign(
    schema: dict[str, Any],
    values: list[dict[str, Any]],
    related: dict[str, list[Row]],
    codes: set[str],
) -> Broken:
    broken: Broken = set()
    for key in schema.get("foreignKeys", []):
        there = related[key["reference"]["resource"]]
        known = {tuple(row[name] for name in key["reference"]["fields"]) for row in there}
        for i, row in enumerate(values, 1):
            own = tuple(row[name] for name in key["fields"])
            if _known(*own) and own not in known:
                broken.add((i, ", ".join(key["fields"]), "foreignKeys"))
    return broken


def _rules(name: str, schema: dict[str, Any], values: list[dict[str, Any]]) -> Broken:
    broken: Broken = set()
    fields = {field["name"]: field for field in schema["fields"]}
    for rule, names, holds in ROW_RULES.get(name, ()):
        for i, row in enumerate(values, 1):
            parts = [row[column] for column in names]
            valid = all(
                p is None or (p is not UNREADABLE and _declared(fields[n], p))
                for n, p in zip(names, parts, strict=True)
            )
            if valid and not holds(*parts):
                broken.add((i, ", ".join(names), rule))
    declared_only = [
        {
            n: v if v is None or v is UNREADABLE or _declared(fields[n], v) else UNREADABLE
            for n, v in row.items()
        }
        for row in values
    ]
    for rule, column, group in CONSTANT_RULES.get(name, ()):
        broken |= _constant(rule, column, group, declared_only)
    for rule, column, by, group in ORDER_RULES.get(name, ()):
        broken |= _ordered(rule, column, by, group, declared_only)
    return broken


def _constant(rule: str, column: str, group: Callable, values: list[dict[str, Any]]) -> Broken:
    first: dict[tuple, Any] = {}
    broken: Broken = set()
    for i, row in enumerate(values, 1):
        key = group(row)
        if _known(row[column], *key) and first.setdefault(key, row[column]) != row[column]:
            broken.add((i, column, rule))
    return broken


def _ordered(
    rule: str, column: str, by: str, group: Callable, values: list[dict[str, Any]]
) -> Broken:
    usable = [row for row in values if _known(row[column], row[by], *group(row))]
    return {
        (i, column, rule)
        for i, row in enumerate(values, 1)
        if row in usable
        and any(
            group(other) == group(row) and other[by] < row[by] and other[column] > row[column]
            for other in usable
        )
    }


def _monday(moment: Any) -> Any:
    if not _known(moment):
        return moment
    return moment.date() - datetime.timedelta(days=moment.weekday())


MANDATE_COLUMNS = (
    "mandate_type",
    "quota",
    "quota_unit",
    "quota_period",
    "announce_date",
    "start_date",
)
ROW_RULES: dict[str, tuple[tuple[str, tuple[str, ...], Callable[..., bool]], ...]] = {
    "mandate": (
        ("starts_after_announcement", ("announce_date", "start_date"),
         lambda announce, start: announce is None or start is None or start >= announce),
        ("unit_matches_type", ("mandate_type", "quota_unit"),
         lambda kind, unit: kind in (None, "none") or unit in (None, kind)),
        ("mandate_is_complete", MANDATE_COLUMNS,
         lambda kind, *rest: kind in (None, "none") or None not in rest),
        ("no_mandate_no_quota", MANDATE_COLUMNS,
         lambda kind, *rest: kind != "none" or set(rest) == {None}),
    ),
    "usage_event": (
        ("novelty_before_outcome", ("timestamp", "novelty_coded_at"),
         lambda moment, coded: moment is None or coded is None or coded <= moment),
    ),
    "platform_event": (
        ("model_changes", ("from_model", "to_model"),
         lambda before, after: before is None or after is None or before != after),
    ),
}  # fmt: skip
CONSTANT_RULES: dict[str, tuple[tuple[str, str, Callable], ...]] = {
    "survey": (
        ("one_firm_per_wave", "firm_id", lambda row: (row["person_id"], row["wave"])),
        ("team_in_one_firm", "firm_id", lambda row: (row["team_id"], row["wave"])),
        ("arm_is_fixed", "arm", lambda row: (row["person_id"],)),
    ),
    "usage_event": (
        ("one_novelty_per_task", "novelty", lambda row: (row["task_id"],)),
        ("one_family_per_task", "task_family", lambda row: (row["task_id"],)),
        ("one_person_per_session", "person_id", lambda row: (row["session_id"],)),
        ("one_firm_per_week", "firm_id", lambda row: (row["person_id"], _monday(row["timestamp"]))),
    ),
}
ORDER_RULES: dict[str, tuple[tuple[str, str, str, Callable], ...]] = {
    "survey": (("waves_in_order", "date", "wave", lambda row: (row["person_id"],)),),
}
