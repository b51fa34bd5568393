"""Data of which the mediated effect is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

WHEN = {"day_m": 1.0, "day_y": 2.0}
"""Columns of times in which the mediator comes first."""


def opposed(seed: int, *, firms: int = 40, people: int = 20) -> pd.DataFrame:
    """2-1-1: over firms the mediator raises the outcome by 1, among people of a firm it lowers it.

    a is 1, b between firms 1, b within firms -1, the direct effect 0.
    """
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), people)
    treated = (np.arange(firms) < firms // 2).astype(float)
    level = treated + 0.7 * rng.standard_normal(firms)
    rest = rng.standard_normal(firm.size)
    rest -= (np.bincount(firm, rest) / people)[firm]
    y = level[firm] - rest + 0.5 * rng.standard_normal(firms)[firm] + rng.standard_normal(firm.size)
    return pd.DataFrame({"firm": firm, "treated": treated[firm], "m": level[firm] + rest, "y": y,
                         **WHEN})  # fmt: skip


def sloped(
    seed: int, *, groups: int = 100, rows: int = 12, covariance: float = 0.1
) -> pd.DataFrame:
    """1-1-1: slopes a_j of mean 0.6 and b_j of mean 0.5, SD 0.4 each, with this covariance."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), rows)
    slopes = rng.multivariate_normal([0.6, 0.5], [[0.16, covariance], [covariance, 0.16]], groups)
    x = rng.standard_normal(g.size)
    m = slopes[g, 0] * x + rng.standard_normal(groups)[g] + rng.standard_normal(g.size)
    y = slopes[g, 1] * m + 0.2 * x + 0.5 * rng.standard_normal(groups)[g]
    y += 2.0 * rng.standard_normal(g.size)
    return pd.DataFrame({"g": g, "x": x, "m": m, "y": y, **WHEN})


def averaged(seed: int, *, a: float, b: float, firms: int = 16) -> pd.DataFrame:
    """One row a firm: m moved by treatment (a), y by m (b), unit residuals."""
    rng = np.random.default_rng(seed)
    treated = (np.arange(firms) < firms // 2).astype(float)
    m = a * treated + rng.standard_normal(firms)
    y = b * m + rng.standard_normal(firms)
    return pd.DataFrame({"firm": np.arange(firms), "treated": treated, "m": m, "y": y, **WHEN})
