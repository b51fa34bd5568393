"""Group-time effects of mpdta beside csdid, diff-diff and the R package did."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alc_stats.inference.group_time import NEVER, GroupTimes, group_times
from tolerances import EIGHT_DIGITS, EXACT_ARITHMETIC, LOGISTIC_OF_DIFF_DIFF

HERE = Path(__file__).parent.parent / "reference" / "group_time"
WITNESSES = json.loads((HERE / "witnesses.json").read_text())
MPDTA = Path(os.environ.get("ALC_STATS_DATA", "/nowhere")) / "did-benchmarks" / "mpdta.csv"
HOW: dict[str, dict[str, Any]] = {
    "plain": {},
    "plain_universal": {"base": "universal"},
    "anticipation": {"anticipation": 1},
    "anticipation_universal": {"anticipation": 1, "base": "universal"},
    "anticipation_not_yet": {"anticipation": 1, "controls": "not_yet"},
    "anticipation_covariate": {"anticipation": 1, "method": "doubly_robust"},
    "regression": {"method": "regression"},
    "weighting": {"method": "weighting"},
    "doubly_robust": {"method": "doubly_robust"},
    "doubly_robust_not_yet": {"method": "doubly_robust", "controls": "not_yet"},
}
R_DOUBLY_ROBUST = {
    "2004_2004": (-0.0145296683111164, 0.02212915723707633),
    "2004_2005": (-0.07642188174404782, 0.02867131415197523),
    "2004_2006": (-0.1404483368202382, 0.03537815470422852),
    "2004_2007": (-0.1069038981217289, 0.03288649300095055),
    "2006_2004": (-0.0004721460884859988, 0.0222234370366584),
    "2006_2005": (-0.006202524579796536, 0.01849570190418248),
    "2006_2006": (0.0009605737466988387, 0.01940019542202314),
    "2006_2007": (-0.04129386558818052, 0.01972114414539555),
    "2007_2004": (0.02672779620370112, 0.01406566076439639),
    "2007_2005": (-0.00457657076352558, 0.01571776313026434),
    "2007_2006": (-0.02844748719756005, 0.01818088115269774),
    "2007_2007": (-0.02878136103948708, 0.01623895296618495),
}
"""Values and errors: did::att_gt(xformla = ~ lpop, est_method = "dr", control_group =
"nevertreated", bstrap = FALSE), as stored in github.com/tkragholm/did_methods
tests/did_attgt_dr_ref.json."""


@pytest.fixture(scope="module")
def counties() -> pd.DataFrame:
    if not MPDTA.exists():
        pytest.skip("mpdta is not here")
    return pd.read_csv(MPDTA).sort_values(["countyreal", "year"])


def ours(counties: pd.DataFrame, case: str) -> dict[str, tuple[float, float]]:
    start = counties["first.treat"].to_numpy()[::5]
    how = dict(HOW[case])
    if "method" in how:
        how["covariates"] = counties["lpop"].to_numpy()[::5, None]
    cells: GroupTimes = group_times(
        counties["lemp"].to_numpy().reshape(-1, 5), np.where(start == 0, NEVER, start - 2003), **how
    )
    plugged = np.sqrt(np.sum(cells.influence**2, axis=0)) / len(start)
    return {
        f"{g + 2003}_{t + 2003}": (float(v), float(s))
        for g, t, v, s in zip(cells.group, cells.period, cells.value, plugged, strict=True)
    }


@pytest.mark.parametrize("case", list(HOW))
@pytest.mark.parametrize(
    ("program", "near"), [("csdid", EIGHT_DIGITS), ("diff-diff", LOGISTIC_OF_DIFF_DIFF)]
)
def test_cells_are_those_of_other_programs(
    counties: pd.DataFrame, case: str, program: str, near: float
) -> None:
    """Values of all, errors of csdid by the same formula; anticipation moves the base in all."""
    found, theirs = ours(counties, case), WITNESSES[case][program]
    assert found.keys() == theirs.keys()
    for cell, (value, error) in theirs.items():
        assert found[cell][0] == pytest.approx(value, abs=near)
        if program == "csdid":
            assert found[cell][1] == pytest.approx(error, abs=near)


def test_doubly_robust_cells_are_those_of_the_r_package(counties: pd.DataFrame) -> None:
    found = ours(counties, "doubly_robust")
    for cell, (value, error) in R_DOUBLY_ROBUST.items():
        assert found[cell] == pytest.approx((value, error), abs=EIGHT_DIGITS)


def test_both_bases_are_the_same_from_the_start_on(counties: pd.DataFrame) -> None:
    short, long = ours(counties, "anticipation"), ours(counties, "anticipation_universal")
    for cell in ("2006_2005", "2006_2006", "2006_2007", "2007_2006", "2007_2007"):
        assert short[cell] == pytest.approx(long[cell], abs=EXACT_ARITHMETIC)
