"""Where the estimators' witnesses lie: R's answers in the repository, real data outside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[1] / "reference"


def answers(topic: str, name: str = "") -> dict[str, Any]:
    """What the R script of `topic` wrote, or the file `name` there."""
    return json.loads((REFERENCE / topic / f"{name or topic}.json").read_text(encoding="utf-8"))


def table(topic: str, name: str) -> pd.DataFrame:
    """A simulated table that the R script of `topic` wrote."""
    return pd.read_csv(REFERENCE / topic / name)


def real_data(name: str, source: str) -> pd.DataFrame:
    """A real table that may not be in the repository; its tests are skipped without it."""
    folder = os.environ.get("ALC_STATS_DATA")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip(f"needs {name} ({source}) in the folder ALC_STATS_DATA names")
    return pd.read_csv(Path(folder) / name)
