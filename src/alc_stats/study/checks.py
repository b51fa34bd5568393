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
from alc_stats.study.form import structured
from alc_stats.study.result import Check


@dataclass(frozen=True, slots=True)
class Expected:
    """A number that must come out: which, how near, why so near, and who says so."""

    id: str
    expected: float
    tolerance: float
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """What `expected.json` holds."""

    numbers: tuple[Expected, ...]


def read_expected(study: Study) -> tuple[Expected, ...]:
    """The study's `expected.json`; empty where it has none. All mistakes are reported at once."""
    path = study.folders[0] / "expected.json"
    if not path.exists():
        return ()
    name = f"{path.parent.name}/{path.name}"
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # neither JSON nor UTF-8
        raise DeclarationError(Problem("is not JSON", where=name, found=str(error))) from None
    if not isinstance(plain, dict):
        raise DeclarationError(
            Problem("is not a JSON object", where=name, allowed='{"numbers": [...]}')
        )
    return structured(plain, ExpectedFile, file=name).numbers


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
