"""The truth of a simulated study as a file: named values with units and sentences.

The file has one table a group and one inline table a parameter, which holds a number as `value`,
several as `values`, or a date as `day`::

    [awareness]
    mandate = { value = 0.5, unit = "points", meaning = "Mandates raise awareness." }
    loadings = { values = [1.1, 0.9], unit = "relative loading", meaning = "Of the items." }

A parameter that has a default in `truth` and is not in the file is zero.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.files import read_toml
from alc_stats.simulate.quota_truth import QuotaTruth
from alc_stats.simulate.truth import Truth

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")
Kind = type[Truth] | type[QuotaTruth]
"""Whose parameters a file holds."""

Value = float | tuple[float, ...] | dt.date
"""What a parameter can be: a number, several numbers, or a day."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of a truth file: the value, its unit, and a sentence that says what it is."""

    value: Value
    unit: str
    meaning: str


def read_truth(path: Path) -> Truth:
    """The truth of the reference study in a TOML file.

    Raises
    ------
    DeclarationError
        With one problem for every missing, unknown, mistyped or impossible parameter.
    """
    return _read(path, Truth)


def read_quota_truth(path: Path) -> QuotaTruth:
    """The truth of the study of quotas in a TOML file.

    Raises
    ------
    DeclarationError
        As `read_truth`.
    """
    return _read(path, QuotaTruth)


def _read(path: Path, kind: type[T]) -> T:
    from cattrs.errors import BaseValidationError

    declared = _parsed(path)
    checks = (functools.partial(_unknown, kind=kind), _impossible, _CHECKS[kind], _unnamed)
    problems = [problem for check in checks for problem in check(declared, path)]
    try:
        truth = _converter().structure(declared, kind)
    except BaseValidationError as errors:
        problems = [*_malformed(errors, path), *problems]
    if problems:
        raise DeclarationError(*problems)
    return truth


def parameters(path: Path, kind: Kind = Truth) -> Mapping[str, Parameter]:
    """Every parameter of a truth file by its dotted name, such as "awareness.mandate".

    Raises
    ------
    DeclarationError
        As `read_truth`.
    """
    _read(path, kind)
    return {
        f"{group}.{name}": Parameter(_value(leaf), leaf["unit"], leaf["meaning"])
        for group, leaves in _parsed(path).items()
        for name, leaf in leaves.items()
    }


def _value(leaf: Mapping[str, Any]) -> Value:
    if "day" in leaf:
        day: dt.date = leaf["day"]
        return day
    return tuple(map(float, leaf["values"])) if "values" in leaf else float(leaf["value"])


def _parsed(path: Path) -> dict[str, Any]:
    absent = Problem(
        "the truth file does not exist",
        where=str(path),
        way_out="Correct `truth` in the study's [simulation].",
    )
    return read_toml(path, absent=absent)


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter()
    converter.register_structure_hook(float, _reader("value", _number, "a number"))
    converter.register_structure_hook(int, _reader("value", _whole, "a whole number"))
    converter.register_structure_hook(dt.date, _reader("day", _day, "a day such as 2025-01-06"))
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[float, ...], _reader("values", _numbers, "a list of numbers")
    )
    return converter


def _reader(key: str, read: Callable[[Any], Any], spoken: str) -> Callable[[Any, type], Any]:
    """A hook that takes what stands under `key` of a parameter and refuses what is not `spoken`."""

    def structure(leaf: Any, _: type) -> Any:
        if not isinstance(leaf, Mapping) or set(leaf) != {key, "unit", "meaning"}:
            raise TypeError(f'must be {{ {key} = ..., unit = "...", meaning = "..." }}')
        value = read(leaf[key])
        if value is None:
            raise TypeError(f"{leaf[key]!r} is not {spoken}")
        return value

    return structure


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _day(value: Any) -> dt.date | None:
    return value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else None


def _numbers(value: Any) -> tuple[float, ...] | None:
    read = [_number(x) for x in value] if isinstance(value, list) and value else [None]
    return None if None in read else tuple(x for x in read if x is not None)


def _malformed(errors: Exception, path: Path) -> list[Problem]:
    """One problem for every leaf of cattrs' exception tree."""
    from cattrs.v import transform_error

    found = []
    for text in transform_error(errors, format_exception=_sentence):
        sentence, _, place = text.partition(" @ $")
        found.append(Problem(sentence, where=f"{path.name}, {place.lstrip('.') or 'top level'}"))
    return found


def _sentence(error: BaseException, _: type | None) -> str:
    return f"the parameter {error} is missing" if isinstance(error, KeyError) else str(error)


def _unknown(declared: Mapping[str, Any], path: Path, *, kind: type) -> Iterator[Problem]:
    """Groups and parameters that the truth does not have."""
    groups = get_type_hints(kind)
    for group, leaves in declared.items():
        if group not in groups:
            yield Problem(
                f"unknown group '{group}'", where=path.name, way_out=did_you_mean(group, groups)
            )
        elif isinstance(leaves, Mapping):
            known = [field.name for field in fields(groups[group])]
            yield from (
                Problem(
                    f"unknown parameter '{name}'",
                    where=f"{path.name}, {group}",
                    way_out=did_you_mean(name, known),
                )
                for name in leaves
                if name not in known
            )


_RULES: tuple[tuple[Callable[[str], bool], Callable[[float], bool], str], ...] = (
    (lambda name: name.endswith("_sd"), lambda x: x >= 0, "0 or more"),
    (
        lambda name: name.endswith("_share") or name in ("width", "overshoot"),
        lambda x: 0 <= x <= 1,
        "0 to 1",
    ),
    (lambda name: name == "ability", lambda x: -1 <= x <= 1, "-1 to 1"),
    (lambda name: name == "loadings", lambda x: x > 0, "above 0"),
    (
        lambda name: (
            name
            in (
                "firms_per_arm",
                "persons_per_firm",
                "weeks_per_wave",
                "tasks",
                "events_per_week",
                "quota",
                "quotas",
                "cohort_firms",
                "never_firms",
                "weeks",
                "tasks_per_week",
                "tokens_per_prompt",
            )
        ),
        lambda x: x > 0,
        "above 0",
    ),
)
"""Which parameters a rule is about, what must hold of every number in them, and how it is said."""


def _impossible(declared: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for group, name, leaf in _leaves(declared):
        for applies, holds, allowed in _RULES:
            if applies(name):
                yield from (
                    Problem(
                        "is impossible",
                        where=f"{path.name}, {group}.{name}",
                        found=str(x),
                        allowed=allowed,
                    )
                    for x in _numbers_in(leaf)
                    if not holds(x)
                )
        if name == "effect_profile" and _bad_profile(_numbers_in(leaf)):
            yield Problem(
                "has no first wave without an effect and later waves with one",
                where=f"{path.name}, {group}.{name}",
                found=str(leaf.get("values")),
                allowed="a list such as [0, 0.7, 1.0, 1.3]",
            )


def _bad_profile(profile: list[float]) -> bool:
    return len(profile) < 2 or profile[0] != 0 or sum(profile[1:]) <= 0


def _overdrawn(declared: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """A cause whose part in the deviations of its consequence is more than the whole."""

    def number(group: str, name: str) -> float:
        leaf = declared.get(group, {}).get(name, {})
        return next(iter(_numbers_in(leaf)), 0.0) if isinstance(leaf, Mapping) else 0.0

    for name in ("within_sd", "firm_change_sd"):
        part = abs(number("compliance", "capability")) * number("compliance", name)
        whole = number("capability_familiar", name)
        if part > whole:
            yield Problem(
                "compliance moves capability by more than capability varies",
                where=f"{path.name}, compliance.capability times compliance.{name}",
                found=f"{part:g}",
                allowed=f"capability_familiar.{name}, {whole:g}, or less",
            )


def _unobserved(declared: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Cohorts without a week before the announcement or under the mandate; uneven lists."""

    def several(group: str, name: str) -> list[float]:
        leaf = declared.get(group, {}).get(name, {})
        return _numbers_in(leaf) if isinstance(leaf, Mapping) else []

    starts = several("design", "cohort_starts")
    for group, name in (("design", "cohort_firms"), ("log_tokens", "growth")):
        if len(several(group, name)) != len(starts):
            yield Problem(
                "has not one number a cohort",
                where=f"{path.name}, {group}.{name}",
                found=f"{len(several(group, name))}",
                allowed=f"{len(starts)}, as many as design.cohort_starts",
            )
    first = sum(several("design", "notice")) + 1.0
    last = sum(several("design", "weeks")) - 1.0
    if bad := [x for x in starts if not first <= x <= last]:
        yield Problem(
            "a cohort starts before anything was seen without the mandate, or after the end",
            where=f"{path.name}, design.cohort_starts",
            found=", ".join(f"{x:g}" for x in bad),
            allowed=f"{first:g} to {last:g}",
        )
    if sum(several("design", "honest_share") + several("design", "gamer_share")) > 1.0:
        yield Problem(
            "kinds of people are more than everybody",
            where=f"{path.name}, design.honest_share and design.gamer_share",
        )


_CHECKS: Mapping[type, Callable[[Mapping[str, Any], Path], Iterator[Problem]]] = {
    Truth: _overdrawn,
    QuotaTruth: _unobserved,
}
"""What else is impossible, by the kind of truth."""


def _unnamed(declared: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for group, name, leaf in _leaves(declared):
        for key in ("unit", "meaning"):
            if key in leaf and not (isinstance(leaf[key], str) and leaf[key].strip()):
                yield Problem(
                    f"'{key}' is empty",
                    where=f"{path.name}, {group}.{name}",
                    way_out="A truth that nobody can read is not committed.",
                )


def _leaves(declared: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for group, leaves in declared.items():
        if isinstance(leaves, Mapping):
            yield from ((group, n, leaf) for n, leaf in leaves.items() if isinstance(leaf, Mapping))


def _numbers_in(leaf: Mapping[str, Any]) -> list[float]:
    several = leaf.get("values")
    values = several if isinstance(several, list) else [leaf.get("value")]
    return [x for x in map(_number, values) if x is not None]
