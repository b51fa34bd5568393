"""Reference values of CursorStudy (He et al., MSR 2026), where its data are at hand.

The reference counts 51 repository-months of three repositories twice, as the origin's notebook
does. Copies that are units of their own give the same estimates.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alc_stats.inference.group_time import NEVER
from alc_stats.inference.imputation import Imputation, imputed
from tolerances import ONE_PRINTED_DECIMAL

PANEL = Path(os.environ.get("ALC_STATS_DATA", "/nowhere")) / "cursor-study/panel_event_monthly.csv"
HELD = ["age", "ncloc", "contributors", "stars", "issues"]
COUNTS = ["commits", "lines_added", "warnings", "cognitive_complexity", "age", "contributors",
          "stars", "issues"]  # fmt: skip


def percent(log: float) -> float:
    return 100.0 * math.expm1(log)


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    if not PANEL.exists():
        pytest.skip("CursorStudy is not here")
    data = pd.read_csv(PANEL, low_memory=False)
    data = data.loc[data["event"].isna() | data["event"].between("2024-08", "2025-03")].copy()
    data["warnings"] = data[["bugs", "vulnerabilities", "code_smells"]].sum(axis=1, skipna=False)
    data[COUNTS] = np.log1p(data[COUNTS])
    for name in ("time", "event"):
        date = pd.to_datetime(data[name], format="%Y-%m")
        data[name] = 12 * (date.dt.year - 2024) + date.dt.month - 1
    data["unit"] = data["repo_name"] + data["dataset_source"]
    return data


def estimated(panel: pd.DataFrame, outcome: str) -> Imputation:
    rows = panel.dropna(subset=[outcome, *HELD])
    unit, names = pd.factorize(rows["unit"])
    start = rows.groupby("unit")["event"].first().reindex(names)
    return imputed(
        rows[outcome].to_numpy(), unit, rows["time"].to_numpy(),
        np.where(start.isna(), NEVER, start.fillna(0)).astype(np.int64),
        covariates=rows[HELD].to_numpy(float),
    )  # fmt: skip


def test_volume_is_that_of_the_reference(panel: pd.DataFrame) -> None:
    assert panel.duplicated(["repo_name", "time"]).sum() == 51
    lines = estimated(panel, "lines_added")
    assert percent(lines.value[0]) == pytest.approx(281.3, abs=ONE_PRINTED_DECIMAL)
    assert percent(lines.value[1]) == pytest.approx(49.3, abs=ONE_PRINTED_DECIMAL)
    assert percent(estimated(panel, "commits").value[0]) == pytest.approx(
        55.4, abs=ONE_PRINTED_DECIMAL
    )


@pytest.mark.parametrize(
    ("outcome", "expected"), [("warnings", 29.7), ("cognitive_complexity", 40.7)]
)
def test_quality_is_that_of_the_reference(
    panel: pd.DataFrame, outcome: str, expected: float
) -> None:
    assert percent(estimated(panel, outcome).overall) == pytest.approx(
        expected, abs=ONE_PRINTED_DECIMAL
    )
