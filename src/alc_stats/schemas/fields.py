"""One field of a schema file into a `Field`: constraints and categories must make sense for it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from alc_stats.errors import did_you_mean
from alc_stats.schemas.expressions import KIND_OF_TYPE, is_written_as
from alc_stats.schemas.notes import Expected, Notes
from alc_stats.schemas.schema import (
    FALSE_VALUES,
    TRUE_VALUES,
    Category,
    Code,
    Constraints,
    Field,
    FieldType,
)

TYPES: tuple[FieldType, ...] = get_args(FieldType)
PROPERTIES: Mapping[str, Expected] = {
    "name": str,
    "type": str,
    "title": str,
    "description": str,
    "example": (str, int, float),
    "format": str,
    "constraints": dict,
    "categories": list,
    "categoriesOrdered": bool,
    "missingValues": list,
    "trueValues": list,
    "falseValues": list,
    "rdfType": str,
    "x-alc:unit": str,
}
CONSTRAINTS: Mapping[str, Expected] = {
    "required": bool,
    "unique": bool,
    "minimum": (str, int, float),
    "maximum": (str, int, float),
    "exclusiveMinimum": (str, int, float),
    "exclusiveMaximum": (str, int, float),
    "minLength": int,
    "maxLength": int,
    "pattern": str,
    "enum": list,
}
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
NO_BOUNDS = ("string", "boolean")
DATE_DIRECTIVES = "%d, %m, %Y and separators"


class FieldReader:
    """Reads fields; notes what is wrong; `codes` are the missing codes of the whole table."""

    def __init__(self, notes: Notes, codes: tuple[Code, ...]) -> None:
        self.notes = notes
        self.codes = codes

    def read(self, position: int, declared: Mapping[str, Any]) -> Field:
        """Read the field at a position of the file."""
        notes = self.notes
        name = notes.text(declared, "name")
        at = f"field '{name}'" if name else f"fields[{position}]"
        notes.properties(declared, PROPERTIES, at=at)
        if not name:
            notes.add("a field has a name", at=at)
        kind = self._type(declared, at)
        own = (
            notes.codes(declared["missingValues"], f"{at}.missingValues")
            if "missingValues" in declared
            else None
        )
        return Field(
            name=name,
            type=kind,
            title=notes.text(declared, "title"),
            description=notes.text(declared, "description"),
            unit=notes.text(declared, "x-alc:unit"),
            example=str(declared.get("example", "")),
            format=self._format(declared, kind, at),
            constraints=self._constraints(declared.get("constraints", {}), kind, at),
            categories=self._categories(declared.get("categories", []), kind, at),
            ordered=notes.flag(declared, "categoriesOrdered"),
            missing=self.codes if own is None else own,
            true_values=self._spellings(declared, "trueValues", TRUE_VALUES, at),
            false_values=self._spellings(declared, "falseValues", FALSE_VALUES, at),
        )

    def _type(self, declared: Mapping[str, Any], at: str) -> FieldType:
        value = self.notes.text(declared, "type", "string")
        if value not in TYPES:
            self.notes.add(
                f"unknown type '{value}'",
                at=f"{at}.type",
                allowed=", ".join(TYPES),
                way_out=did_you_mean(value, TYPES),
            )
        return next((kind for kind in TYPES if kind == value), "string")

    def _format(self, declared: Mapping[str, Any], kind: FieldType, at: str) -> str:
        value = self.notes.text(declared, "format", "default")
        if value == "default":
            return value
        if kind == "date" and sorted(re.findall("%(.)", value)) == ["Y", "d", "m"]:
            return value
        self.notes.add(
            f"format '{value}' is not supported",
            at=f"{at}.format",
            allowed=f"default; for dates a pattern of {DATE_DIRECTIVES}",
        )
        return "default"

    def _constraints(self, declared: object, kind: FieldType, at: str) -> Constraints:
        if not isinstance(declared, dict):
            return Constraints()
        at = f"{at}.constraints"
        self.notes.properties(declared, CONSTRAINTS, at=at)
        good = {
            name: value for name, value in declared.items() if self._fits(name, value, kind, at)
        }
        enum = good.get("enum", [])
        return Constraints(
            required=good.get("required") is True,
            unique=good.get("unique") is True,
            minimum=good.get("minimum"),
            maximum=good.get("maximum"),
            exclusive_minimum=good.get("exclusiveMinimum"),
            exclusive_maximum=good.get("exclusiveMaximum"),
            min_length=good.get("minLength"),
            max_length=good.get("maxLength"),
            pattern=good.get("pattern"),
            enum=tuple(enum) if isinstance(enum, list) else (),
        )

    def _fits(self, name: str, value: object, kind: FieldType, at: str) -> bool:
        """Whether a constraint makes sense for a type; notes it where it does not."""
        trouble = ""
        if name in BOUNDS:
            trouble = f"a {kind} has no {name}" if kind in NO_BOUNDS else _misfit(value, kind)
        elif name in ("minLength", "maxLength", "pattern") and kind != "string":
            trouble = f"only a string has a {name}"
        elif name == "pattern":
            trouble = _bad_pattern(str(value))
        elif name == "enum" and isinstance(value, list):
            trouble = next(filter(None, (_misfit(v, kind) for v in value)), "")
        if trouble:
            self.notes.add(trouble, at=f"{at}.{name}", found=json.dumps(value)[:60])
        return not trouble

    def _categories(self, declared: object, kind: FieldType, at: str) -> tuple[Category, ...]:
        if not isinstance(declared, list) or not declared:
            return ()
        if kind not in ("string", "integer"):
            self.notes.add(
                f"a {kind} has no categories", at=f"{at}.categories", allowed="string, integer"
            )
            return ()
        found = [
            c
            for i, value in enumerate(declared)
            if (c := self._category(value, kind, f"{at}.categories[{i}]"))
        ]
        values = [category.value for category in found]
        for value in sorted({str(v) for v in values if values.count(v) > 1}):
            self.notes.add(f"category '{value}' is listed twice", at=f"{at}.categories")
        return tuple(found)

    def _category(self, declared: object, kind: FieldType, at: str) -> Category | None:
        whole: dict[str, Any] = declared if isinstance(declared, dict) else {"value": declared}
        if trouble := _misfit(whole.get("value"), kind):
            self.notes.add(trouble, at=at, found=json.dumps(declared)[:60])
            return None
        self.notes.properties(whole, {"value": (str, int, float), "label": str}, at=at)
        return Category(whole["value"], self.notes.text(whole, "label"))

    def _spellings(
        self, declared: Mapping[str, Any], name: str, default: tuple[str, ...], at: str
    ) -> tuple[str, ...]:
        values = declared.get(name, list(default))
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.notes.add(f"{name} is a list of texts", at=f"{at}.{name}")
            return ()
        return tuple(values)


def _misfit(value: object, kind: FieldType) -> str:
    """Why a value in the schema file is not one of the field's type; "" if it is."""
    if kind in ("date", "datetime"):
        fits = isinstance(value, str) and is_written_as(value, KIND_OF_TYPE[kind])
    elif kind == "boolean":
        fits = isinstance(value, bool)
    elif kind == "string":
        fits = isinstance(value, str)
    else:
        allowed = (int, float) if kind == "number" else int
        fits = isinstance(value, allowed) and not isinstance(value, bool)
    return "" if fits else f"the value is not a {kind}"


@functools.cache
def _bad_pattern(pattern: str) -> str:
    """Why the engine cannot use a pattern; "" if it can."""
    import duckdb

    try:
        with duckdb.connect() as db:
            db.execute("SELECT regexp_full_match('', ?)", [pattern])
    except duckdb.Error:
        return "the pattern is no RE2 regular expression (no look-around, no back-references)"
    return ""
