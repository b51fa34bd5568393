"""Numbers and sentences as data: every room writes these, only `report` turns them into text.

`Number` is a value that knows what kind of number it is; `Phrase` is a sentence with named
holes. `dump` and `load` turn frozen records into plain JSON and back, so that a result on disk
is the whole result.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from cattrs import Converter

Kind = Literal[
    "count", "estimate", "se", "p", "df", "share", "percent", "ratio", "statistic", "seconds"
]
"""What a number is; decides how `report` prints it. `share` is in [0, 1] and printed as a
percentage; `percent` is a relative change (0.188 is printed as +18.8 %)."""

Cell = str | float | None
"""One cell of an aggregated table; None is missing."""

Level = str | float
"""A level of a factor, or a value of a covariate."""

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Record = TypeVar("Record")


SESSION_ONLY = {"session": True}
"""Metadata of a record's field that is never written to disk."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value and its kind; `unit` names the scale, such as "log SD" or "log minutes"."""

    value: float
    kind: Kind = "estimate"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence whose numbers are data: `template` holds `{name}`, `numbers` the values.

    Examples
    --------
    >>> Phrase("{floor} are at the floor.", {"floor": Number(0.12, "share")}).numbers
    {'floor': Number(value=0.12, kind='share', unit='')}
    """

    template: str
    numbers: Mapping[str, Number] = field(default_factory=dict)

    @classmethod
    def verbatim(cls, text: str) -> Phrase:
        """A sentence from elsewhere, such as an error's: its braces are no holes."""
        return cls(text.replace("{", "{{").replace("}", "}}"))


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(float, _plain_float)
    converter.register_structure_hook(float, lambda value, _: float(value))
    converter.register_structure_hook(Cell, lambda value, _: value)
    converter.register_structure_hook(Level, lambda value, _: value)
    converter.register_unstructure_hook_func(
        _is_array, lambda a: [_plain(x) for x in np.asarray(a).tolist()]
    )
    converter.register_structure_hook_func(_is_array, lambda value, _: np.array(value, dtype=float))
    converter.register_unstructure_hook_factory(_has_session_fields, _without_session_fields)
    converter.register_structure_hook_factory(_has_session_fields, _before_the_session)
    return converter


def _session_fields(kind: Any) -> tuple[str, ...]:
    """Fields of a record that live as long as the session and are never written."""
    if not is_dataclass(kind):
        return ()
    return tuple(f.name for f in fields(kind) if f.metadata.get("session"))


def _has_session_fields(kind: Any) -> bool:
    return bool(_session_fields(kind))


def _without_session_fields(kind: Any, converter: Converter) -> Any:
    from cattrs.gen import make_dict_unstructure_fn, override

    left_out: dict[str, Any] = {name: override(omit=True) for name in _session_fields(kind)}
    return make_dict_unstructure_fn(kind, converter, **left_out)


def _before_the_session(kind: Any, converter: Converter) -> Any:
    from cattrs.gen import make_dict_structure_fn, override

    left_out: dict[str, Any] = {name: override(omit=True) for name in _session_fields(kind)}
    return make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, **left_out)


def _is_array(kind: Any) -> bool:
    return getattr(kind, "__origin__", kind) is np.ndarray


def _plain_float(value: float) -> float | str:
    return float(value) if math.isfinite(value) else repr(float(value))


def _plain(value: Any) -> Any:
    return [_plain(x) for x in value] if isinstance(value, list) else _plain_float(value)


def dump(record: object) -> str:
    """The record as JSON text; infinities and missing values are the strings 'inf' and 'nan'."""
    return json.dumps(
        _converter().unstructure(record), indent=1, ensure_ascii=False, allow_nan=False
    )


def load(text: str, kind: type[Record]) -> Record:
    """The record of type `kind` that `dump` wrote."""
    return _converter().structure(json.loads(text), kind)
