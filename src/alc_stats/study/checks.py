"""CHECK: published or known numbers, declared in `expected.json`, beside the ones obtained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.records import Number
from alc_stats.study.declaration import Study
from alc_stats.study.result import Check

_KEYS = frozenset({"id", "expected", "tolerance", "reason", "source"})


@dataclass(frozen=True, slots=True)
class Expected:
    """A number that must come out: which, how near, why so near, and who says so."""

    id: str
    expected: float
    tolerance: float
    reason: str
    source: str


def read_expected(study: Study) -> tuple[Expected, ...]:
    """The study's `expected.json`; empty where it has none. All mistakes are reported at once."""
    path = study.folders[0] / "expected.json"
    if not path.exists():
        return ()
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["numbers"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DeclarationError(
            Problem("is not a JSON object with a list 'numbers'", where=str(path), found=str(error))
        ) from None
    problems = [
        Problem(
            "a number lacks or has too many keys",
            where=f"{path.parent.name}/{path.name}, numbers[{i}]",
            found=", ".join(sorted(row)),
            allowed=", ".join(sorted(_KEYS)),
        )
        for i, row in enumerate(rows)
        if set(row) != _KEYS
    ]
    if problems:
        raise DeclarationError(*problems)
    return tuple(Expected(**row) for row in rows)


def compare(
    study: Study,
    expected: tuple[Expected, ...],
    numbers: Mapping[str, Number],
    skipped: frozenset[str],
) -> tuple[Check, ...]:
    """Expected beside obtained; ids in `skipped` could not be computed and differ.

    Raises
    ------
    DeclarationError
        If an expected id names no number of the study.
    """
    known = set(numbers) | skipped
    unknown = [
        Problem(
            f"no number is called '{e.id}'", where=_place(study), way_out=did_you_mean(e.id, known)
        )
        for e in expected
        if e.id not in known
    ]
    if unknown:
        raise DeclarationError(*unknown)
    return tuple(_check(e, numbers[e.id].value if e.id in numbers else math.nan) for e in expected)


def _place(study: Study) -> str:
    return f"{Path(study.folders[0]).name}/expected.json"


def _check(e: Expected, obtained: float) -> Check:
    matches = bool(abs(obtained - e.expected) <= e.tolerance)
    return Check(e.id, e.expected, obtained, e.tolerance, e.reason, e.source, matches)
