"""What a question is asked with: text where a column is named, numbers where sizes are given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from alc_stats.errors import DeclarationError, Problem, raise_all
from alc_stats.inference.decision import Criterion
from alc_stats.models.finding import Claim

_SPOKEN = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    NoneType: "None",
}
_LONGEST = 60


def check_arguments(
    where: str, question: object, claim: Claim | None, criterion: Criterion | None
) -> None:
    """Refuse whatever is not of the kind that its argument asks for.

    Raises
    ------
    DeclarationError
        With every such argument.
    """
    problems = [*_unlike(question, where)]
    for name, value, kind in (("claim", claim, Claim), ("criterion", criterion, Criterion)):
        if not isinstance(value, kind | None):
            way_out = f"Say alc.{kind.__name__}(...)."
            problems.append(_problem(name, value, f"alc.{kind.__name__}", where, way_out))
    raise_all(DeclarationError, problems)


def _unlike(record: object, where: str) -> Iterator[Problem]:
    hints = get_type_hints(type(record))
    for f in fields(record):  # type: ignore[arg-type]
        value, kind = getattr(record, f.name), hints[f.name]
        if is_dataclass(value):
            yield from _unlike(value, f"{where}, {f.name}")
        elif isinstance(value, float) and math.isinf(value):
            yield _problem(f.name, value, "a finite number", where)
        elif not (isinstance(value, str) and value == f.default) and not _fits(value, kind):
            yield _problem(f.name, value, _spoken(kind), where)


def _problem(name: str, value: object, kind: str, where: str, way_out: str = "") -> Problem:
    shown = repr(value)
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."
    return Problem(f"the argument '{name}' is of another kind", where=where, found=shown,
                   allowed=kind, way_out=way_out)  # fmt: skip


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, k) for k in inner)
    if origin is tuple:
        return isinstance(value, list | tuple) and _fit(list(value), inner)
    if origin is Literal or kind is str:
        return isinstance(value, str) and value != ""
    if kind is float:
        return not isinstance(value, bool) and isinstance(value, Real) and not math.isnan(value)
    if kind is int:
        return not isinstance(value, bool) and isinstance(value, Integral)
    return isinstance(value, kind)


def _fit(values: list[Any], kinds: tuple[Any, ...]) -> bool:
    if kinds[-1] is Ellipsis:
        return all(_fits(value, kinds[0]) for value in values)
    return len(values) == len(kinds) and all(map(_fits, values, kinds))


def _spoken(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(_spoken(k) for k in inner)
    if origin is tuple and inner[-1] is Ellipsis:
        return f"a list, each {_spoken(inner[0])}"
    if origin is tuple:
        return f"a pair, each {_spoken(inner[0])}"
    if origin is Literal:
        return "text"
    return _SPOKEN.get(kind, getattr(kind, "__name__", str(kind)))
