"""Plain data to frozen records, strictly, with every mistake of form reported at once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from alc_stats.errors import DeclarationError, Problem, did_you_mean

if TYPE_CHECKING:
    from cattrs import Converter

Record = TypeVar("Record")


def structured(plain: Mapping[str, Any], kind: type[Record], *, file: str) -> Record:
    """`plain` as a record of type `kind`.

    Raises
    ------
    DeclarationError
        With one problem for every unknown or missing key and wrong type; `file` says where.
    """
    from cattrs.errors import BaseValidationError

    try:
        return _converter().structure(plain, kind)
    except BaseValidationError as errors:
        raise DeclarationError(*_problems(errors, file)) from None


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True)
    for kind, accepted in ((str, str), (bool, bool), (int, int), (float, (int, float))):
        converter.register_structure_hook(kind, _strict(kind, accepted))
    converter.register_structure_hook(Path, lambda value, _: Path(value))
    converter.register_structure_hook_func(_is_literal, _one_of)
    return converter


def _is_literal(kind: object) -> bool:
    origin: object = get_origin(kind)
    return origin is Literal


def _one_of(value: Any, kind: Any) -> Any:
    """One of the words a key allows."""
    allowed = get_args(kind)
    if value not in allowed:
        words = ", ".join(f'"{word}"' for word in allowed)
        way_out = did_you_mean(value, allowed) if isinstance(value, str) else ""
        raise ValueError(f"found {value!r}. Allowed: {words}. {way_out}".strip())
    return value


def _strict(kind: type, accepted: type | tuple[type, ...]) -> Any:
    """A hook that converts nothing but an integer written where a number may be fractional."""

    def structure(value: Any, _: type) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"found {value!r}, must be {_SPOKEN[kind]}")
        return kind(value)

    return structure


_SPOKEN = {str: "text in quotes", bool: "true or false", int: "a whole number", float: "a number"}


def _problems(errors: Exception, file: str) -> list[Problem]:
    """One problem for every leaf of cattrs' exception tree, where it stands in the file."""
    from cattrs.v import transform_error

    texts = transform_error(errors, format_exception=_sentence)
    return [_problem(text, file) for text in texts]


def _problem(text: str, file: str) -> Problem:
    sentence, _, path = text.partition(" @ $")
    place = path.lstrip(".") or "top level"
    return Problem(sentence, where=f"{file}, {place}")


def _sentence(error: BaseException, _: type | None) -> str:
    from cattrs.errors import ForbiddenExtraKeysError

    if isinstance(error, ForbiddenExtraKeysError):
        known = [f.name for f in fields(error.cl)] if is_dataclass(error.cl) else []
        unknown = sorted(error.extra_fields)
        return "; ".join(
            f"unknown key '{name}'. {did_you_mean(name, known)}".strip() for name in unknown
        )
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    return str(error)
