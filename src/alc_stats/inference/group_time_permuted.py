"""Mean changes of cohorts and controls when the same dates are given to other units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from alc_stats.records import FloatArray, IntArray

Cells = Sequence[tuple[int, int, int]]
Compared = Sequence[np.ndarray]


def complete_cells(
    outcomes: FloatArray, adoptions: IntArray, cells: Cells, compared: Compared
) -> Iterator[FloatArray]:
    """Effects (B,) of cells (g, t, b) on a panel (n, T) without gaps, by sums over cohorts.

    `compared` says of every date (D,) whether its units are controls.
    """
    dates, sizes = np.unique(adoptions[0], return_counts=True)
    sums = np.array([(adoptions == g).astype(float) @ outcomes for g in dates])
    for (g, t, b), controls in zip(cells, compared, strict=True):
        steps = sums[:, :, t] - sums[:, :, b]
        k = int(np.searchsorted(dates, g))
        down = steps[controls].sum(axis=0) / sizes[controls].sum()
        yield np.asarray(steps[k] / sizes[k] - down)


def gapped_cells(
    outcomes: FloatArray, adoptions: IntArray, cells: Cells, compared: Compared
) -> Iterator[FloatArray]:
    """The same where outcomes are missing (nan): of the units seen in both periods of a cell.

    A cell for which nobody is seen under an assignment is nan there. Single precision holds the
    sums that orders are compared by, at half the time.
    """
    dates = np.unique(adoptions[0])
    members = np.array([adoptions == g for g in dates], dtype=np.float32)
    for g, group in groupby(range(len(cells)), key=lambda k: cells[k][0]):
        own = list(group)
        change = np.column_stack([outcomes[:, cells[k][1]] - outcomes[:, cells[k][2]] for k in own])
        up = _means(members[[int(np.searchsorted(dates, g))]], change, np.ones((1, len(own))))
        down = _means(members, change, np.column_stack([compared[k] for k in own]))
        yield from (up - down).T


def _means(members: np.ndarray, change: FloatArray, counted: FloatArray) -> FloatArray:
    """Means (B, P) of changes (n, P) over members (D, B, n) of the dates counted (D, P)."""
    seen = np.isfinite(change)
    top, low = np.zeros((2, members.shape[1], change.shape[1]))
    for who, counts in zip(members, counted, strict=True):
        if np.any(columns := np.asarray(counts, dtype=bool)):
            top[:, columns] += who @ np.where(seen, change, 0.0)[:, columns].astype(np.float32)
            low[:, columns] += who @ seen[:, columns].astype(np.float32)
    return np.where(low > 0.0, top / np.maximum(low, 1.0), np.nan)
