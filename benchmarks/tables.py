"""The data sets of the benchmark: three sizes of one simulated model, small groups, InstEval."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 20261123


@dataclass(frozen=True)
class Case:
    """One row of the benchmark.

    Attributes
    ----------
    name, formula, method : str
    make : callable
        Gives the table, or None where its source is absent.
    repeats : int
        Of the engines under comparison; the best counts.
    statsmodels : bool
        Whether MixedLM can do it within a minute.
    goal : str
        What issue and promise say.
    columns : int
        Numbers a row of the design holds: outcome, fixed and random columns, a code a grouping.
    objective : float or None
        A published -2 log-likelihood.
    """

    name: str
    formula: str
    method: str
    make: Callable[[], pd.DataFrame | None]
    repeats: int
    statsmodels: bool
    goal: str
    columns: int
    objective: float | None = None


def cases() -> list[Case]:
    """The rows, small to large."""
    slope = "y ~ x + (1 + x | g)"
    return [
        Case(
            "random slope, 10,000 rows, 500 persons",
            slope,
            "REML",
            partial(random_slope, 10_000, 500),
            repeats=20,
            statsmodels=True,
            goal=">= 10x lme4",
            columns=6,
        ),
        Case(
            "random slope, 100,000 rows, 5,000 persons",
            slope,
            "REML",
            partial(random_slope, 100_000, 5_000),
            repeats=3,
            statsmodels=True,
            goal=">= 20x lme4",
            columns=6,
        ),
        Case(
            "random slope, 1,000,000 rows, 50,000 persons",
            slope,
            "REML",
            partial(random_slope, 1_000_000, 50_000),
            repeats=1,
            statsmodels=False,
            goal=">= 30x lme4, about 1.5 s",
            columns=6,
        ),
        Case(
            "random intercept, 125,000 groups of 1 to 5 rows",
            "y ~ x + (1 | g)",
            "REML",
            small_groups,
            repeats=1,
            statsmodels=False,
            goal="within 2 s",
            columns=5,
        ),
        Case(
            "InstEval, 73,421 rows, three crossed factors",
            "y ~ service + (1 | s) + (1 | d) + (1 | dept)",
            "ML",
            insteval,
            repeats=1,
            statsmodels=False,
            goal=">= 10x lme4",
            columns=9,
            objective=237721.76877450474,
        ),
    ]


def random_slope(rows: int, persons: int) -> pd.DataFrame:
    """Intercepts of SD 1, slopes of SD 0.5, correlation 0.3, residual SD 2; sizes vary."""
    rng = np.random.default_rng(SEED)
    g = np.sort(np.concatenate([np.arange(persons), rng.integers(0, persons, rows - persons)]))
    x = rng.normal(size=rows)
    effects = rng.normal(size=(persons, 2))
    slope = 0.5 * (0.3 * effects[:, 0] + np.sqrt(1.0 - 0.3**2) * effects[:, 1])
    y = 1.0 + 0.2 * x + effects[g, 0] + slope[g] * x + 2.0 * rng.normal(size=rows)
    order = rng.permutation(rows)
    return pd.DataFrame({"y": y[order], "x": x[order], "g": g[order]})


def small_groups() -> pd.DataFrame:
    """125,000 groups of one to five rows, intercepts of SD 0.7, residual SD 1."""
    rng = np.random.default_rng(SEED)
    sizes = rng.integers(1, 6, 125_000)
    g = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=len(g))
    y = 0.5 + 0.1 * x + 0.7 * rng.normal(size=len(sizes))[g] + rng.normal(size=len(g))
    order = rng.permutation(len(g))
    return pd.DataFrame({"y": y[order], "x": x[order], "g": g[order]})


def insteval() -> pd.DataFrame | None:
    """ETH Zurich's lecture ratings (lme4), where the data folder holds them."""
    folder = os.environ.get("ALC_STATS_DATA")
    path = Path(folder or "") / "multilevel" / "lme4__InstEval.csv"
    if not folder or not path.exists():
        return None
    return pd.read_csv(path, usecols=["y", "service", "s", "d", "dept"])
