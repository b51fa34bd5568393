"""What R says of the made-up data under `tests/reference/inversion`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path(__file__).parents[1] / "reference" / "inversion"
WITNESS: dict[str, Any] = json.loads((FOLDER / "inversion.json").read_text())


def dose() -> pd.DataFrame:
    """Firm, dose x, covariate z, outcome y."""
    return pd.read_csv(FOLDER / "dose.csv")


def work() -> pd.DataFrame:
    """Firms, persons and occasions with tokens and quality."""
    return pd.read_csv(FOLDER / "work.csv")
