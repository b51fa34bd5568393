"""What is wrong with a schema file, noted while it is read and raised together at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.schemas.schema import Code

Choice = TypeVar("Choice", bound=str)
Expected = type | tuple[type, ...]
"""The kinds of JSON value that may stand somewhere."""
KINDS: Mapping[Expected, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "an object",
    (str, list): "a text or a list",
    (str, int, float): "a text or a number",
}


class Notes:
    """Reads the plain values of a schema file and notes those that are wrong."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def add(
        self, what: str, *, at: str, found: str = "", allowed: str = "", way_out: str = ""
    ) -> None:
        """Note a problem at a place in the file, such as "fields[3].type"."""
        place = f"{self.where}, {at}" if at else self.where
        self.problems.append(Problem(what, place, found, allowed, way_out))

    def raise_if_any(self) -> None:
        """Raise DeclarationError with all that was noted."""
        if self.problems:
            raise DeclarationError(*self.problems)

    def properties(
        self, declared: Mapping[str, Any], known: Mapping[str, Expected], *, at: str
    ) -> None:
        """Note unknown properties and values of the wrong kind.

        A name with the prefix of another vocabulary ("dcterms:source") is left alone.
        """
        for name, value in declared.items():
            place = f"{at}.{name}" if at else name
            if name not in known:
                if ":" not in name or name.startswith("x-alc:"):
                    self.add(
                        f"unknown property '{name}'", at=place, way_out=did_you_mean(name, known)
                    )
            elif not _is(value, known[name]):
                self.add(
                    f"'{name}' is {KINDS[known[name]]}", at=place, found=json.dumps(value)[:60]
                )

    def text(self, declared: Mapping[str, Any], name: str, default: str = "") -> str:
        """Read a text; the default where there is none (a wrong kind has been noted)."""
        value = declared.get(name, default)
        return value if isinstance(value, str) else default

    def flag(self, declared: Mapping[str, Any], name: str) -> bool:
        """Read a truth value; absent is false."""
        return declared.get(name) is True

    def choice(
        self, declared: Mapping[str, Any], name: str, choices: Sequence[Choice], default: Choice
    ) -> Choice:
        """One of a list of words."""
        value = declared.get(name, default)
        if isinstance(value, str) and value not in choices:
            self.add(
                f"unknown {name} '{value}'",
                at=name,
                allowed=", ".join(choices),
                way_out=did_you_mean(value, choices),
            )
        return next((choice for choice in choices if choice == value), default)

    def objects(self, declared: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """Read a list of objects."""
        values = declared.get(name, [])
        if not isinstance(values, list):
            return []
        for i, value in enumerate(values):
            if not isinstance(value, dict):
                self.add(
                    "an object should stand here", at=f"{name}[{i}]", found=json.dumps(value)[:60]
                )
        return [value for value in values if isinstance(value, dict)]

    def codes(self, declared: object, at: str) -> tuple[Code, ...]:
        """Missing codes: texts, or objects with a value and a label."""
        if not isinstance(declared, list):
            return ()
        codes = []
        for i, code in enumerate(declared):
            whole = {"value": code} if isinstance(code, str) else code
            if not isinstance(whole, dict) or not isinstance(whole.get("value"), str):
                self.add(
                    "a missing code is a text or an object with a text as its value",
                    at=f"{at}[{i}]",
                    found=json.dumps(code)[:60],
                )
                continue
            self.properties(whole, {"value": str, "label": str}, at=f"{at}[{i}]")
            codes.append(Code(whole["value"], self.text(whole, "label")))
        return tuple(codes)


def _is(value: object, expected: Expected) -> bool:
    """Whether a JSON value is of a kind; true and false are not whole numbers."""
    if isinstance(value, bool):
        return expected is bool
    return isinstance(value, expected)
