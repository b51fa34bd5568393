"""Means over bins with enough people behind each: what a scatter may show of persons."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.models.picture import FEWEST_PEOPLE
from alc_stats.records import FloatArray

BINS = 12


def binned(x: pd.Series, y: pd.Series, person: pd.Series) -> tuple[FloatArray, FloatArray]:
    """Means of x and y over bins of equally many rows along x, at least five people in each.

    A bin with fewer joins the next; the last joins the one before.

    Parameters
    ----------
    x, y, person : Series (n,)

    Returns
    -------
    x, y : array (b,)
        Empty where there are fewer than five people.

    Examples
    --------
    >>> x = pd.Series(range(12))
    >>> [m.tolist() for m in binned(x, 2 * x, x)]
    [[2.0, 8.0], [4.0, 16.0]]
    """
    table = pd.DataFrame({"x": x, "y": y, "person": person}).sort_values("x", kind="stable")
    whole = [part for part in np.array_split(np.arange(len(table)), BINS) if part.size]
    groups: list[list[int]] = []
    current: list[int] = []
    for part in whole:
        current += part.tolist()
        if _people(table, current) >= FEWEST_PEOPLE:
            groups.append(current)
            current = []
    if current and groups:
        groups[-1] = groups[-1] + current
    means = [table.iloc[g][["x", "y"]].mean() for g in groups]
    return np.array([m["x"] for m in means]), np.array([m["y"] for m in means])


def _people(table: pd.DataFrame, places: list[int]) -> int:
    return int(table.iloc[places]["person"].nunique())
