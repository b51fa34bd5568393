"""The tables of the benchmark of mandates and metrics; peers need no more than NumPy and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd

SEED = 20261127
QUOTA = 60_000.0


def panel(firms: int, periods: int) -> pd.DataFrame:
    """Four cohorts and firms that never start, in equal numbers; effects grow after the start.

    `start` is empty for firms that never start.
    """
    rng = np.random.default_rng(SEED)
    cohorts = np.append(np.floor(periods * np.array([0.25, 0.42, 0.58, 0.75])), np.nan)
    start, month = cohorts[np.arange(firms) % 5][:, None], np.arange(1, periods + 1)
    since = month - start
    y = rng.normal(size=(firms, 1)) + 0.05 * month + rng.normal(size=(firms, periods))
    y += np.where(since >= 0.0, 0.3 + 0.05 * since, 0.0)
    return pd.DataFrame(
        {
            "firm": np.repeat(np.arange(firms), periods),
            "month": np.tile(month, firms),
            "start": np.repeat(start, periods),
            "score": y.ravel(),
        }
    )


def weeks(rows: int, firms: int) -> pd.DataFrame:
    """A person's tokens of a week a row; two in five of those just short fill the quota."""
    rng = np.random.default_rng(SEED)
    firm = rng.integers(0, firms, rows)
    level = 10.9 + 0.2 * rng.normal(size=firms)[firm]
    tokens = np.exp(level + 0.4 * rng.normal(size=rows))
    short = (tokens >= 0.8 * QUOTA) & (tokens < QUOTA) & (firm % 2 == 1)
    raised = short & (rng.random(rows) < 0.4)
    tokens[raised] = QUOTA * (1.0 + 0.02 * rng.random(int(raised.sum())))
    return pd.DataFrame({"firm": firm, "mandate": firm % 2, "quota": QUOTA, "tokens": tokens})


def events(rows: int, firms: int, each: int = 20) -> pd.DataFrame:
    """The same weeks as logs of `each` events, of 25 weeks a person."""
    rng = np.random.default_rng(SEED)
    week = weeks(rows // each, firms).sort_values("firm", kind="stable", ignore_index=True)
    place = week.groupby("firm").cumcount()
    week["person"], week["week"] = week["firm"] * 100_000 + place // 25, place % 25
    share = rng.gamma(1.0, size=(len(week), each))
    share /= share.sum(axis=1, keepdims=True)
    log = week.loc[week.index.repeat(each)].reset_index(drop=True)
    return log.assign(tokens=log["tokens"] * share.ravel())


def tasks(rows: int, firms: int) -> pd.DataFrame:
    """Tokens above a frontier in quality and difficulty, with more waste under a mandate."""
    rng = np.random.default_rng(SEED)
    firm = rng.integers(0, firms, rows)
    mandate = firm % 2
    quality, difficulty, noise, waste = rng.normal(size=(4, rows))
    above = 0.2 * noise + np.abs(waste) * np.where(mandate, 0.6, 0.4)
    return pd.DataFrame(
        {
            "firm": firm,
            "mandate": mandate,
            "quality": quality,
            "difficulty": difficulty,
            "tokens": np.exp(7.0 + 0.3 * quality + 0.1 * difficulty + above),
        }
    )


TABLES = {"panel": panel, "weeks": weeks, "events": events, "tasks": tasks}
