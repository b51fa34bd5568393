"""The checker against `twin`, a slow one in plain Python, on tables spoilt at random."""

# ruff: noqa: E501  (long lists of words)
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alc_stats import schemas
from schemas import twin
from schemas.examples import TABLES, Row, write

MISSING = ("", "NA", "-99")
JUNK = (
    " ", "x", "1.5", " 3", "nan", "2026-02-30", "05/01/2026", "familar", "token", "none", "f9", "p1",
    "it's", "a,b", 'a "b"', "two\nlines", "\u00c5-\u00df", "a" * 41,
)  # fmt: skip
NUMBERS = (
    "0",
    "1",
    "8",
    "-1",
    "+4",
    "007",
    "1e3",
    "1.5",
    "101",
    "inf",
    "9" * 30,
    "1e999",
    ".5",
    "5.",
)
DATES = ("2025-12-24", "2026-01-20", "2026-12-31", "2026-3-2", "2026-02-29", "20260302")
MOMENTS = ("2026-03-02T09:15:00", "2026-03-02T09:15+02:00", "2026-04-02 23:59:59.123Z", "2026-03-02T25:00:00Z",
           "2025-12-31T09:15:00-0500", "2026-03-02T09:15:60Z", "2026-03-03")  # fmt: skip
OF_TYPE = {
    "string": ("f1", "f2", "p0", "t1", "far", "prompt", "control", "m-2026-03"),
    "integer": NUMBERS,
    "number": NUMBERS,
    "boolean": ("1", "FALSE", "yes"),
    "date": DATES,
    "datetime": MOMENTS,
}
SEEDS = {"survey": 10, "usage_event": 15, "mandate": 30, "platform_event": 15}
"""Tables of each kind: enough that every rule of its schema is broken in one of them."""
SPOILT_SHARE = 0.08
"""Share of the cells that are overwritten: many rules broken, enough cells left to break others."""


def spoil(name: str, seed: int) -> list[Row]:
    """A valid table with some cells overwritten, two rows repeated, and the rows shuffled."""
    rng = np.random.default_rng(seed)
    rows = TABLES[name]()
    types = {field["name"]: field["type"] for field in twin.declared(name)["fields"]}
    for _ in range(max(3, round(SPOILT_SHARE * len(rows) * len(types)))):
        column = str(rng.choice(list(types)))
        neighbours = [row[column] for row in rows]
        pool = (JUNK, MISSING, OF_TYPE[types[column]], neighbours, neighbours)[rng.integers(5)]
        rows[rng.integers(len(rows))][column] = str(rng.choice(pool))
    rows.extend(dict(rows[i]) for i in rng.integers(len(rows), size=2))
    return [rows[i] for i in rng.permutation(len(rows))]


@pytest.mark.parametrize("name", TABLES)
def test_the_checker_agrees_with_its_slow_twin(name: str, tmp_path: Path) -> None:
    schema = schemas.read(name)
    tables = {key.resource: TABLES[key.resource]() for key in schema.foreign_keys}
    related = {other: write(rows, tmp_path / f"{other}.csv") for other, rows in tables.items()}
    broken_somewhere = set()
    for seed in range(SEEDS[name]):
        rows = spoil(name, seed)
        expected = twin.violations(name, rows, tables)
        report = schemas.check(schema, write(rows, tmp_path / "checked.csv"), related=related)
        found = {(v.row, v.column, v.rule) for v in report.violations}
        assert found == expected, f"seed {seed}"
        assert (report.total, report.rows) == (len(expected), len(rows)), f"seed {seed}"
        broken_somewhere |= {rule for _, _, rule in expected}
    assert {rule.name for rule in schema.rules} <= broken_somewhere
    assert {"type", "required", "primaryKey"} <= broken_somewhere


def test_the_twin_finds_the_clean_tables_clean() -> None:
    tables = {name: make() for name, make in TABLES.items()}
    assert not any(twin.violations(name, rows, tables) for name, rows in tables.items())
