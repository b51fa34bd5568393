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
    members = [(adoptions == g).astype(np.float32) for g in dates]
    for g, group in groupby(range(len(cells)), key=lambda k: cells[k][0]):
        own = list(group)
        change = np.column_stack([outcomes[:, cells[k][1]] - outcomes[:, cells[k][2]] for k in own])
        up = _means(members, change, np.repeat(dates[:, None] == g, len(own), axis=1))
        down = _means(members, change, np.column_stack([compared[k] for k in own]))
        yield from (up - down).T


def _means(members: Sequence[np.ndarray], change: FloatArray, counted: np.ndarray) -> FloatArray:
    """Means (B, P) of changes (n, P) over members (B, n) of those dates that count (D, P)."""
    seen = np.isfinite(change)
    both = np.concatenate([np.where(seen, change, 0.0), seen], axis=1).astype(np.float32)
    total = np.zeros((len(members[0]), both.shape[1]))
    for who, counts in zip(members, counted, strict=True):
        columns = np.concatenate([counts, counts])
        if counts.any():
            total[:, columns] += who @ both[:, columns]
    top, low = np.split(total, 2, axis=1)
    return np.where(low > 0.0, top / np.maximum(low, 1.0), np.nan)
