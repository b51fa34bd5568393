"""A response surface as pictures: level lines where people are, and the line of incongruence."""

from __future__ import annotations

import math

import numpy as np

from alc_stats.models.picture import Mark, Numbers, Panel, Picture
from alc_stats.models.response_surface.data import TERMS
from alc_stats.models.response_surface.fits import OF_SURFACE, Surface, Surfaces, first_axis
from alc_stats.models.response_surface.region import Region
from alc_stats.records import FloatArray

STEPS = 61
"""Of the grid, each way."""


def pictures(found: Surfaces, region: Region | None) -> tuple[Picture, ...]:
    """Both pictures; none where nowhere five people stand together."""
    return () if region is None else (contours(found, region), incongruence(found, region))


def contours(found: Surfaces, region: Region) -> Picture:
    """Level lines of the surface inside the hull, with the lines of (in)congruence."""
    q, centre = found.data.question, found.data.centre
    low, high = float(region.corners.min()), float(region.corners.max())
    grid = np.linspace(low, high, STEPS)
    A, C = np.meshgrid(grid, grid)
    z = np.where(_inside(region, A, C), heights(found, A, C), np.nan)
    closed = np.vstack([region.corners, region.corners[:1]]) + centre
    ends = np.array([low, high])
    away = min(-low, high) if low < 0.0 < high else 0.0
    across = np.array([-away, away])
    lines = [
        _line("Agreement", ends + centre, ends + centre),
        _line("Incongruence", across + centre, centre - across),
    ]
    ridge = _ridge(found.surface, ends)
    if q.claim_form == "congruence" and ridge is not None:
        lines.append(_line("First principal axis", ridge[0] + centre, ridge[1] + centre))
    marks = (
        Mark(kind="contour", x=_floats(grid + centre), y=_floats(grid + centre),
             z=_floats(z)),
        Mark(kind="outline", label="Hull", x=_floats(closed[:, 0]),
             y=_floats(closed[:, 1])),
        *lines,
    )  # fmt: skip
    return Picture(
        id="surface",
        title=f"{q.outcome} over {q.awareness} and {q.capability}",
        caption=_CAPTION.format(outcome=q.outcome, method=found.surface.method.lower()),
        alt=f"Level lines of {q.outcome} over {q.awareness} (across) and {q.capability} (up), "
        "inside a polygon, with a rising diagonal where both agree and a falling one where they "
        "differ most.",
        x=q.awareness,
        y=q.capability,
        panels=(Panel(marks=marks),),
        square=True,
    )


_CAPTION = (
    "Level lines of {outcome} ({method}). The surface is drawn only inside the hull, whose corners "
    "are centres of cells with five people or more; outside it would be a guess."
)


def heights(found: Surfaces, A: FloatArray, C: FloatArray) -> FloatArray:
    """The surface at (A, C), raised so that it meets the mean quality of the rows on average."""
    b, rows = found.surface.coefficients(), found.data.rows
    terms = np.stack([A, C, A**2, A * C, C**2], axis=-1)
    middle = rows[list(TERMS)].mean().to_numpy(float)
    return np.asarray(float(rows["quality"].mean()) + (terms - middle) @ b)


def incongruence(found: Surfaces, region: Region) -> Picture:
    """How quality changes along the line of incongruence, against no gap, with 95 % limits."""
    q = found.data.question
    reach = float(np.abs(region.corners).max())
    half = np.linspace(-reach, reach, 4 * STEPS + 1)
    half = half[_inside(region, half, -half) | (half == 0.0)]
    limits = np.array([_change(found.surface, float(u)) for u in half])
    gap = _floats(2.0 * half)
    marks = (
        Mark(kind="band", label="Surface, 95 % limits", x=gap, low=_floats(limits[:, 1]),
             high=_floats(limits[:, 2])),
        Mark(kind="line", label="Surface, 95 % limits", x=gap, y=_floats(limits[:, 0])),
        Mark(kind="down", x=(0.0,)),
        Mark(kind="across", y=(0.0,)),
    )  # fmt: skip
    return Picture(
        id="incongruence",
        title=f"{q.outcome} along the line of incongruence",
        caption="Change against no gap at the common point, with pointwise 95 % limits, as far as "
        "the hull of the data reaches. A discrepancy that hurts falls throughout; congruence has "
        "its top at zero.",
        alt=f"A curve of the change in {q.outcome} over {q.awareness} less {q.capability}, with a "
        "band around it and a vertical line at no gap.",
        x=f"{q.awareness} less {q.capability}",
        y=f"Change in {q.outcome}",
        panels=(Panel(marks=marks),),
    )


def _change(surface: Surface, u: float) -> tuple[float, float, float]:
    """a3 u + a4 u^2 with its limits."""
    if u == 0.0:
        return 0.0, 0.0, 0.0
    change = surface.of(f"{u!r} * ({OF_SURFACE['a3']}) + {u * u!r} * ({OF_SURFACE['a4']})", "")
    return change.value, *change.interval()


def _inside(region: Region, A: FloatArray, C: FloatArray) -> FloatArray:
    points = np.column_stack([A.ravel(), C.ravel()])
    return np.asarray(region.holds(points).reshape(A.shape))


def _ridge(surface: Surface, ends: FloatArray) -> FloatArray | None:
    """The stretch (2, 2) of the first principal axis inside the square, if there is one."""
    intercept, slope = first_axis(surface.coefficients())
    if not (math.isfinite(intercept) and math.isfinite(slope)) or slope == 0.0:
        return None
    at = np.sort((ends - intercept) / slope)
    A = np.array([max(ends[0], at[0]), min(ends[1], at[1])])
    return np.stack([A, intercept + slope * A]) if A[0] < A[1] else None


def _line(label: str, x: FloatArray, y: FloatArray) -> Mark:
    return Mark(kind="line", label=label, x=_floats(x), y=_floats(y))


def _floats(values: FloatArray) -> Numbers:
    return tuple(float(v) for v in np.ravel(values))
