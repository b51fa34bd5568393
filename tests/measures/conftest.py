"""The simulated people of tests/reference/measures, what R says of them, and real tables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from alc_stats.data import read_table

REFERENCE = Path(__file__).parents[1] / "reference" / "measures"


@pytest.fixture(scope="session")
def people() -> pd.DataFrame:
    """96 answers: 48 people of six firms in two waves, some answers missing."""
    return read_table(REFERENCE / "people.csv")


@pytest.fixture(scope="session")
def witness() -> dict[str, Any]:
    """The numbers of measures.R (R 4.2.2, metafor 3.8-1)."""
    text = (REFERENCE / "measures.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@pytest.fixture(scope="session")
def real() -> Callable[[str], pd.DataFrame]:
    """Reads a public table below ALC_STATS_DATA, or skips the test that needs it."""

    def read(file: str) -> pd.DataFrame:
        path = Path(os.environ.get("ALC_STATS_DATA", "")) / file
        if "ALC_STATS_DATA" not in os.environ or not path.exists():
            pytest.skip(f"needs {file} in the folder that ALC_STATS_DATA names")
        return read_table(path)

    return read
