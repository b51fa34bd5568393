"""Data of which the mediated effect is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

WHEN = {"day_m": 1.0, "day_y": 2.0}
"""Columns of times in which the mediator comes first."""


def opposed(seed: int, *, firms: int = 40, people: int = 20, sampled: bool = False) -> pd.DataFrame:
    """2-1-1: over firms the mediator raises the outcome by 1, among people of a firm it lowers it.

    a is 1, b between firms 1, b within firms -1, the direct effect 0. With `sampled` the people
    are a sample of their firm; otherwise all of it, so that their mean is the firm's level.
    """
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), people)
    treated = (np.arange(firms) < firms // 2).astype(float)
    level = treated + 0.7 * rng.standard_normal(firms)
    rest = rng.standard_normal(firm.size)
    if not sampled:
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


def chained(seed: int, *, firms: int = 30, people: int = 12, belief: float = 1.0) -> pd.DataFrame:
    """Firms before and after: treatment to m (`belief`) to k (2) to y (-1.5), direct effect 0.

    Stable differences between persons go the other way: who has more of k has more of y.
    """
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), people)
    treated = (np.arange(firms) < firms // 2)[firm].astype(float)
    ability, change = rng.standard_normal(firm.size), 0.6 * rng.standard_normal(firms)[firm]
    waves = []
    for wave in range(4):
        post = float(wave > 0)
        m = 0.2 * wave + belief * treated * post + change * post + 0.5 * _noise(rng, firm)
        k = 2.0 * m + ability + 0.5 * rng.standard_normal(firms)[firm] * post + _noise(rng, firm)
        y = -1.5 * (k - ability) + 3.0 * ability + 2.0 * _noise(rng, firm)
        waves.append(pd.DataFrame({"firm": firm, "person": np.arange(firm.size), "wave": wave,
                                   "post": int(post), "treated": treated, "m": m, "k": k, "y": y,
                                   "day_m": 1.0, "day_k": 2.0, "day_y": 3.0}))  # fmt: skip
    return pd.concat(waves, ignore_index=True)


def _noise(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    return rng.standard_normal(like.size)


def delayed(seed: int, *, groups: int = 60, waves: int = 10) -> pd.DataFrame:
    """Within groups: x moves m at once (1), and m moves y a wave later (1)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((groups, waves))
    m = x + rng.standard_normal((groups, waves))
    y = rng.standard_normal((groups, waves))
    y[:, 1:] += m[:, :-1]
    g, wave = np.divmod(np.arange(groups * waves), waves)
    return pd.DataFrame({"g": g, "wave": wave, "x": x.ravel(), "m": m.ravel(), "y": y.ravel()})
