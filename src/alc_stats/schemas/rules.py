"""The `x-alc:rules` of a schema file: what holds across the cells of a row and across rows.

Three kinds, told apart by their first property::

    {"name": ..., "check": "start_date >= announce_date"}               every row
    {"name": ..., "constant": "firm_id", "within": ["person_id"]}       one value in a group
    {"name": ..., "increasing": "date", "by": "wave", "within": [...]}  never falls as `by` rises
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alc_stats.errors import did_you_mean
from alc_stats.schemas.expressions import KIND_OF_TYPE, Expression, Kind
from alc_stats.schemas.grammar import ExpressionError, parse_condition, parse_value
from alc_stats.schemas.notes import Expected, Notes
from alc_stats.schemas.schema import ConstantRule, Field, OrderRule, RowRule, Rule

COMMON: Mapping[str, Expected] = {"name": str, "message": str, "wayOut": str}
OF_KIND: Mapping[str, Mapping[str, type]] = {
    "check": {"check": str},
    "constant": {"constant": str, "within": list},
    "increasing": {"increasing": str, "by": str, "within": list},
}


def read_rules(
    declared: Mapping[str, Any], fields: tuple[Field, ...], notes: Notes
) -> tuple[Rule, ...]:
    """Every rule that can be read; what is wrong with the others is noted."""
    reader = _RuleReader(notes, {f.name: KIND_OF_TYPE[f.type] for f in fields if f.name})
    rules = [reader.read(i, rule) for i, rule in enumerate(notes.objects(declared, "x-alc:rules"))]
    names = [rule.name for rule in rules if rule]
    for name in sorted({name for name in names if names.count(name) > 1}):
        notes.add(f"two rules are called '{name}'", at="x-alc:rules", way_out="Rename one.")
    return tuple(rule for rule in rules if rule)


class _RuleReader:
    def __init__(self, notes: Notes, kinds: Mapping[str, Kind]) -> None:
        self.notes = notes
        self.kinds = kinds

    def read(self, position: int, declared: Mapping[str, Any]) -> Rule | None:
        name = self.notes.text(declared, "name")
        at = f"rule '{name}'" if name else f"x-alc:rules[{position}]"
        kind = next((kind for kind in OF_KIND if kind in declared), None)
        if kind is None:
            self.notes.add("a rule says what it checks", at=at, allowed=", ".join(OF_KIND))
            return None
        known = {**COMMON, **OF_KIND[kind]}
        self.notes.properties(declared, known, at=at)
        lacking = [
            needed
            for needed in (*OF_KIND[kind], "name", "message", "wayOut")
            if not declared.get(needed)
        ]
        for needed in lacking:
            self.notes.add(f"a rule needs '{needed}'", at=at)
        if lacking or not all(
            isinstance(declared[needed], known[needed]) for needed in OF_KIND[kind]
        ):
            return None
        return self._row(declared, at) if kind == "check" else self._group(declared, at)

    def _row(self, declared: Mapping[str, Any], at: str) -> RowRule | None:
        try:
            condition = parse_condition(declared["check"], self.kinds)
        except ExpressionError as error:
            self.notes.add("the rule cannot be read", at=f"{at}.check", found=str(error))
            return None
        return RowRule(
            declared["name"], declared["check"], condition, declared["message"], declared["wayOut"]
        )

    def _group(self, declared: Mapping[str, Any], at: str) -> ConstantRule | OrderRule:
        texts = tuple(str(text) for text in declared["within"])
        within = tuple(v for text in texts if (v := self._value(text, f"{at}.within")))
        said = (within, texts, declared["message"], declared["wayOut"])
        if "constant" in declared:
            return ConstantRule(
                declared["name"], self._name(declared["constant"], f"{at}.constant"), *said
            )
        increasing = self._name(declared["increasing"], f"{at}.increasing")
        return OrderRule(
            declared["name"], increasing, self._name(declared["by"], f"{at}.by"), *said
        )

    def _value(self, text: str, at: str) -> Expression | None:
        try:
            return parse_value(text, self.kinds)
        except ExpressionError as error:
            self.notes.add("the group cannot be read", at=at, found=str(error))
            return None

    def _name(self, name: str, at: str) -> str:
        if name not in self.kinds:
            self.notes.add(f"unknown field '{name}'", at=at, way_out=did_you_mean(name, self.kinds))
        return name
