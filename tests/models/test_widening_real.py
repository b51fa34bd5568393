"""The guard on public data: evidence is mixed there, and nothing widens beyond doubt.

Reference fits (nlme, R 4.2.2) are those of the data catalogue: residual log SD of AI over no AI
0.100 (METR); Catholic over Public -0.127 (HSB, null model); Female over Male -0.760 (Orthodont,
random intercept); GPT Base over control -0.156 (Bastani et al.). Models differ, so that only the
guard's interval is held against them.
"""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alc_stats.data.ledger import Ledger
from alc_stats.models import Finding, widening
from alc_stats.models.finding import Line

ROOT = Path(__file__).parents[2]


def public(file: str) -> Path:
    """A file below ALC_STATS_DATA; without it the test is skipped."""
    path = Path(os.environ.get("ALC_STATS_DATA", "")) / file
    if "ALC_STATS_DATA" not in os.environ or not path.exists():
        pytest.skip(f"needs {file} in the folder that ALC_STATS_DATA names")
    return path


def line(finding: Finding, method: str) -> Line:
    return next(x for x in finding.triangulation if x.method == method)


def holds(found: Line, value: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low < value < found.high


def test_metr_shows_no_reliable_widening() -> None:
    issues = pd.read_csv(public("metr-2025/data_complete.csv"))
    issues["log_time"] = np.log(issues["initial_implementation_time"])
    finding = widening(
        issues, outcome="log_time", treatment="ai_treatment", person="dev_id",
        bounds=(-math.inf, math.inf),
    )  # fmt: skip
    assert finding.decision.verdict == "inconclusive"
    assert holds(line(finding, "Location-scale model, within persons"), 0.100)


def test_catholic_schools_are_narrower_as_far_as_scores_show() -> None:
    pupils = pd.read_csv(public("multilevel/nlme__MathAchieve.csv"))
    schools = pd.read_csv(public("multilevel/nlme__MathAchSchool.csv"))
    finding = widening(
        pupils.merge(schools[["School", "Sector"]], on="School"),
        outcome="MathAch", treatment="Sector", treated="Catholic", control="Public",
        firm="School", bounds=(-2.832, 24.993),
    )  # fmt: skip
    # one score a pupil and no items: narrower spread and better measurement look the same
    assert finding.decision.verdict == "inconclusive"
    assert holds(line(finding, "Location-scale model, within firms"), -0.127)
    assert holds(line(finding, "lnVR, random-effects meta-regression"), -0.127)


def test_girls_grow_more_steadily_and_differ_no_more() -> None:
    children = pd.read_csv(public("multilevel/nlme__Orthodont.csv"))
    finding = widening(
        children, outcome="distance", treatment="Sex", treated="Female", control="Male",
        person="Subject", wave="age", bounds=(0.0, math.inf),
    )  # fmt: skip
    assert finding.decision.verdict == "inconclusive"
    assert holds(line(finding, "Location-scale model, within persons"), -0.760)


def test_practice_with_ai_is_never_said_to_widen_an_exam_with_a_floor() -> None:
    raw = {
        "sessions": public("bastani-genai-harm/final_data.csv"),
        "problems": public("bastani-genai-harm/problem_part3.csv"),
    }
    spec = importlib.util.spec_from_file_location(
        "bastani_prepare", ROOT / "analysis" / "bastani_2025" / "prepare.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    finding = widening(
        module.prepare(raw, Ledger())["sessions"],
        outcome="exam", treatment="arm", treated="GPT Base", control="control", person="student",
        firm="class", wave="session", bounds=(0.0, 1.0),
    )  # fmt: skip
    assert finding.decision.verdict not in ("supported", "equivalent")
    assert holds(line(finding, "Location-scale model, within persons"), -0.156)
    permuted = next(e for e in finding.evidence if e.artefact == "permutation").finding.numbers
    assert permuted["naive_p"].value < 0.05 < permuted["distance_p"].value
