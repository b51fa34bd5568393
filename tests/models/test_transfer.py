"""Transfer: what it recovers, what it refuses, and what does not fool it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, TableError
from alc_stats.models import Claim, Evidence, Finding
from alc_stats.models.finding import Line
from alc_stats.models.transfer import transfer

CLAIM = Claim("H9", "transfer", "Use by volume does not carry to far tasks.")
ASKED: dict[str, Any] = {
    "score": "score", "person": "person", "arm": "arm", "control": "none", "usage": "use",
    "schema": "train", "novelty": "novelty", "task": "task", "firm": "firm", "bounds": (0, 100),
    "smallest": 2.0,
}  # fmt: skip


def crossed(
    seed: int,
    *,
    gains: dict[tuple[str, str], float] | None = None,
    firms: int = 30,
    persons: int = 10,
    tasks: int = 8,
    slope_sd: float = 0.0,
    task_sd: float = 4.0,
    firm_sd: float = 1.0,
    mean: tuple[float, float, float] = (58.0, 52.0, 46.0),
    bounds: tuple[float, float] = (0.0, 100.0),
) -> pd.DataFrame:
    """Firms in three arms; every person meets every task; tasks differ in what an arm does."""
    rng = np.random.default_rng(seed)
    arms, levels = ("none", "use", "train"), ("familiar", "near", "far")
    table = pd.MultiIndex.from_product(
        [range(firms * persons), range(3 * tasks)], names=["person", "task"]
    ).to_frame(index=False)
    table["firm"] = table["person"] // persons
    table["arm"] = np.array(arms)[table["firm"] % 3]
    table["novelty"] = np.array(levels)[table["task"] % 3]
    effect = np.array([[(gains or {}).get((a, v), 0.0) for v in levels] for a in arms])
    slopes = slope_sd * rng.normal(size=(3 * tasks, 3))
    arm, level = table["firm"].to_numpy() % 3, table["task"].to_numpy() % 3
    table["score"] = (
        np.array(mean)[level]
        + effect[arm, level]
        + (firm_sd * rng.normal(size=firms))[table["firm"]]
        + (6 * rng.normal(size=firms * persons))[table["person"]]
        + (task_sd * rng.normal(size=3 * tasks))[table["task"]]
        + slopes[table["task"], arm]
        + 8 * rng.normal(size=len(table))
    ).clip(*bounds)
    return table


TRUE = {("use", "familiar"): 2.0, ("train", "familiar"): 1.0, ("train", "far"): 6.0}


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return transfer(data, CLAIM, **(ASKED | how))


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


def line(finding: Finding, method: str) -> Line:
    return next(t for t in finding.triangulation if t.method == method)


def test_a_true_theory_is_supported() -> None:
    finding = asked(crossed(1, gains=TRUE))
    assert finding.decision.verdict == "supported"
    assert [part.primary for part in finding.triangulation[:3]] == [True] * 3


def test_use_that_carries_contradicts_the_theory() -> None:
    assert asked(crossed(1, gains={("use", "far"): 6.0})).decision.verdict == "contradicted"
