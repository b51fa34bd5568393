"""Where a surface has data: a hull that shows nobody.

The convex hull of the rows has single people at its corners. Here the corners are centres of cells
that hold at least five people each, so the hull is a little smaller and no corner is a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.models.picture import FEWEST_PEOPLE
from alc_stats.models.response_surface.data import SurfaceData
from alc_stats.records import BoolArray, FloatArray

WIDTHS = (0.5, 0.75, 1.0, 1.5)
"""Of a cell, in pooled SDs; the narrowest that shows most people is taken."""
_MOST = 2.0 / 3.0
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A convex polygon, from the common point.

    Attributes
    ----------
    corners : array (m, 2)
        In order; each the centre of a cell.
    sides : array (m, 3)
        Inside is where a'x + b <= 0.
    width : float
        Of a cell.
    """

    corners: FloatArray
    sides: FloatArray
    width: float

    def holds(self, points: FloatArray) -> BoolArray:
        """Whether points (n, 2) lie inside or on the edge."""
        size = max(float(np.abs(self.corners).max()), 1.0)
        beyond = points @ self.sides[:, :2].T + self.sides[:, 2]
        return np.asarray((beyond <= _ROUNDING * size).all(axis=1))


def region_of(data: SurfaceData) -> Region | None:
    """The hull of well-filled cells; None where there are no three of them off one line."""
    found = None
    for width in WIDTHS:
        centres, share = _cells(data, width * data.sd)
        hull = _hull(centres, width * data.sd)
        if hull is not None and share >= _MOST:
            return hull
        found = hull or found
    return found


def _cells(data: SurfaceData, width: float) -> tuple[FloatArray, float]:
    """Centres (m, 2) of the cells with five people or more, and the share of rows in them."""
    cells = np.floor(data.rows[["A", "C"]].to_numpy(float) / width + 0.5)
    table = pd.DataFrame({"a": cells[:, 0], "c": cells[:, 1], "person": data.people()})
    by = table.groupby(["a", "c"])["person"]
    filled = by.nunique()[by.nunique() >= FEWEST_PEOPLE]
    centres = np.array([*filled.index], dtype=float).reshape(-1, 2) * width
    return centres, float((by.transform("nunique") >= FEWEST_PEOPLE).mean())


def _hull(centres: FloatArray, width: float) -> Region | None:
    from scipy.spatial import ConvexHull

    if len(centres) < 3 or np.linalg.matrix_rank(centres[1:] - centres[0]) < 2:
        return None
    hull = ConvexHull(centres)
    return Region(centres[hull.vertices], np.asarray(hull.equations), width)
