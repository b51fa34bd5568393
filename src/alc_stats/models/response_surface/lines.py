"""The table of a response surface: coefficients, derived parameters, bootstrap, model family."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import contrast
from alc_stats.models.finding import NOTHING, Line
from alc_stats.models.response_surface.data import RAW
from alc_stats.models.response_surface.draws import SurfaceDraws, percentile
from alc_stats.models.response_surface.family import Member, family
from alc_stats.models.response_surface.fits import (
    OF_SURFACE,
    SUMS,
    Surface,
    Surfaces,
    condition,
    first_axis,
    second_axis,
    stationary_point,
)
from alc_stats.records import FloatArray, Number, Phrase

LEVEL = 0.95
_MEANS = {
    "b0": "quality at the common point",
    "b1": "slope of awareness there",
    "b2": "slope of capability there",
    "b3": "curvature of awareness",
    "b4": "product of both",
    "b5": "curvature of capability",
    "a1": "slope along the line of congruence",
    "a2": "curvature along the line of congruence",
    "a3": "slope along the line of incongruence",
    "a4": "curvature along the line of incongruence",
    "a5": "unequal curvature of both",
    "abs": "opposite signs: a main effect alone gives none above zero",
    "stationary A": "awareness where the surface is level",
    "stationary C": "capability where the surface is level",
    "p10": "intercept of the first principal axis; 0 on the line of congruence",
    "p11": "slope of the first principal axis; 1 on the line of congruence",
    "p20": "intercept of the second principal axis",
    "p21": "slope of the second principal axis; -1 on the line of incongruence",
}
AXES: dict[str, Callable[[FloatArray], float]] = {
    "p10": lambda b: first_axis(b)[0],
    "p11": lambda b: first_axis(b)[1],
    "p20": lambda b: second_axis(b)[0],
    "p21": lambda b: second_axis(b)[1],
}
_ALONG = {"p10": 0.0, "p11": 1.0, "p20": None, "p21": -1.0}
"""Where the axis would be if it followed the line of congruence, or of incongruence."""


def triangulation(found: Surfaces, draws: SurfaceDraws) -> tuple[Line, ...]:
    """Every line below the parts."""
    lines = [*_condition(found, draws), *_corrected(draws), *_corrected_surface(draws)]
    lines += _surface(found, found.surface)
    if found.pooled is not None:
        lines += _surface(found, found.pooled)
    return (*lines, *_bootstrap(draws, found.surface), *_family(found))


def _condition(found: Surfaces, draws: SurfaceDraws) -> Iterator[Line]:
    own = found.linear.delta(condition, "abs")
    yield _line(
        "abs = |b1 - b2| - |b1 + b2|", "abs", own, f"delta method, {found.linear.reference}"
    )
    low, high = percentile(np.array([condition(b) for b in draws.linear]), LEVEL)
    yield Line(
        "abs, bootstrap", _MEANS["abs"], NOTHING, own.value, low, high,
        reference=f"bootstrap of {draws.units}", unit=RAW,
    )  # fmt: skip


def _corrected(draws: SurfaceDraws) -> Iterator[Line]:
    if draws.corrected is None or draws.observed_corrected is None:
        return
    for place, name in enumerate(("awareness", "capability")):
        low, high = percentile(draws.corrected[:, place], LEVEL)
        yield Line(
            f"Slope of {name}, errors in variables", "measurement error in both predictors",
            NOTHING, float(draws.observed_corrected[place]), low, high,
            reference=f"bootstrap of {draws.units}", unit=RAW,
        )  # fmt: skip


def _corrected_surface(draws: SurfaceDraws) -> Iterator[Line]:
    if draws.corrected_surface is None:
        return
    for key, function in SUMS.items():
        values = np.array([function(b) for b in draws.corrected_surface])
        low, high = percentile(values[1:], LEVEL)
        yield Line(
            f"{key}, errors in variables", "measurement error in both predictors", NOTHING,
            float(values[0]), low, high, reference=f"bootstrap of {draws.units}", unit=RAW,
        )  # fmt: skip


def _surface(found: Surfaces, surface: Surface) -> Iterator[Line]:
    """b0 to b5, a1 to a5, stationary point and principal axes with their delta intervals."""
    name, how = surface.method, surface.reference
    if not surface.within:
        yield _line(f"{name} b0", "b0", contrast(surface.fit, "Intercept"), how)
    for i in range(5):
        yield _line(f"{name} b{i + 1}", f"b{i + 1}", surface.of(f"{{{i}}}", f"b{i + 1}"), how)
    for key, combination in OF_SURFACE.items():
        yield _line(f"{name} {key}", key, surface.of(combination, key), how)
    if surface is found.surface:
        yield from _shape(found, surface)


def _shape(found: Surfaces, surface: Surface) -> Iterator[Line]:
    """Stationary point and principal axes; an axis has its p against the line it should follow."""
    name, delta = surface.method, f"delta method, {surface.reference}"
    for place, key in enumerate(("stationary A", "stationary C")):
        at = _stationary(place, found.data.centre)
        yield _line(f"{name} {key}", key, surface.delta(at, key), delta, against=None)
    for key, function in AXES.items():
        own = surface.delta(function, key)
        yield _line(f"{name} {key}", key, own, delta, against=_ALONG[key])


def _stationary(place: int, centre: float) -> Callable[[FloatArray], float]:
    return lambda b: float(stationary_point(b)[place]) + centre


def _bootstrap(draws: SurfaceDraws, surface: Surface) -> Iterator[Line]:
    """Percentile intervals beside those of the delta method."""
    b = surface.coefficients()
    for key, function in (SUMS | {k: AXES[k] for k in ("p10", "p11")}).items():
        low, high = draws.interval(function, LEVEL)
        yield Line(
            f"Bootstrap {key}", _MEANS[key], NOTHING, function(b), low, high,
            reference=f"bootstrap of {draws.units}", unit=RAW,
        )  # fmt: skip


def _family(found: Surfaces) -> Iterator[Line]:
    """AICc of every member, less that of the best."""
    rows, pooled = found.data.rows, found.pooled or found.surface
    fits = pooled.fit.statistics["r_squared"]
    yield Line("Least squares R squared", "all six", value=fits, unit="share of variance")
    A, C, y = (rows[k].to_numpy(float) for k in ("A", "C", "quality"))
    members = family(A, C, y)
    best = min(m.aicc for m in members)
    grouped = " (rows of one group taken as independent)" if found.data.group else ""
    for m in members:
        yield Line(
            f"AICc {m.name}", f"exploratory: {m.shape}{grouped}", _said_of(m), m.aicc - best,
            reference="AICc less the best", unit="AICc",
        )  # fmt: skip


def _said_of(m: Member) -> Phrase:
    numbers = {
        "parameters": Number(m.parameters, "count"),
        "r_squared": Number(m.r_squared, "ratio"),
        "aicc": Number(m.aicc, "statistic"),
    }
    return Phrase("{parameters} parameters, R squared {r_squared}, AICc {aicc}.", numbers)


def _line(
    method: str, key: str, e: Estimate, reference: str, *, against: float | None = 0.0
) -> Line:
    """A line of the table; p is two-sided against a value, or left out."""
    if not (math.isfinite(e.value) and math.isfinite(e.se)):
        return Line(method, _MEANS[key], Phrase("The surface has none."), unit=RAW)
    low, high = e.interval(LEVEL)
    p = None if against is None else replace(e, value=e.value - against).p_value
    return Line(method, _MEANS[key], NOTHING, e.value, low, high, p, e.df, reference, RAW)
