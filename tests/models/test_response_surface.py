"""Consequences of a gap: what counts as one, and what only looks like it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alc_stats.models import Claim, Evidence, Finding, response_surface

CLAIM = Claim("H3", "gap", "Awareness beyond capability goes with worse work.")
OPEN = (-math.inf, math.inf)


def people(seed: int, *, n: int = 600, a: float = 0.0, c: float = 0.0, gap2: float = 0.0,
           noise: float = 8.0, r: float = 0.6) -> pd.DataFrame:  # fmt: skip
    """One row a person, awareness and capability with mean 50 and SD 10, correlated by r."""
    rng = np.random.default_rng(seed)
    able, own = 10 * rng.normal(size=(2, n))
    aware = r * able + math.sqrt(1 - r * r) * own
    quality = 50 + a * aware + c * able + gap2 * (aware - able) ** 2 + noise * rng.normal(size=n)
    return pd.DataFrame({"aware": 50 + aware, "able": 50 + able, "quality": quality})


def judged(data: pd.DataFrame, **how: Any) -> Finding:
    asked: dict[str, Any] = {"outcome": "quality", "awareness": "aware", "capability": "able"}
    return response_surface(data, CLAIM, **(asked | {"bounds": OPEN, "draws": 199} | how))


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


def test_a_discrepancy_effect_is_supported() -> None:
    finding = judged(people(1, a=-0.3, c=0.4))
    assert finding.decision.verdict == "supported"
    assert not [e.artefact for e in finding.evidence if e.outcome == "threat"]


def test_a_main_effect_of_capability_is_no_gap_effect() -> None:
    data = people(2, c=0.5)
    gap = data["aware"] - data["able"]
    slope, intercept = np.polyfit(gap, data["quality"], 1)
    residual = data["quality"] - intercept - slope * gap
    se = residual.std(ddof=2) / (gap.std() * math.sqrt(len(gap) - 1))
    assert slope / se < -5.0  # what a difference score would have "shown"
    assert judged(data).decision.verdict == "inconclusive"
    assert judged(data, claim_form="congruence").decision.verdict != "supported"


def test_a_congruence_effect_is_supported_as_that_alone() -> None:
    data = people(3, gap2=-0.05)
    assert judged(data, claim_form="congruence").decision.verdict == "supported"
    assert judged(data).decision.verdict != "supported"
