"""Laws of a location-scale model's errors: which rows they concern, and what data must offer them.

"censored" is the normal of which nothing is seen beyond the bounds but that it lies there (the
tobit model); its coefficients and log SDs are those of the latent outcome. "t" is Student's law,
scaled to unit variance, so that log SDs are log SDs under it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from alc_stats.errors import FitError, Problem, did_you_mean
from alc_stats.estimators.design import Design
from alc_stats.estimators.fit import Request
from alc_stats.estimators.kernels.mels_model import Parts
from alc_stats.estimators.mels_levels import Levels
from alc_stats.estimators.mels_rows import RowLaw
from alc_stats.records import BoolArray, FloatArray, IntArray

Family = Literal["gaussian", "censored", "t", "binomial"]
"""Laws of a normal-like outcome's errors; "binomial" is that of a yes or no, for which
`estimators.logistic` has the model."""
Association = Literal["linear", "quadratic"]
Bounds = tuple[float | None, float | None]

FAMILIES = ("gaussian", "censored", "t", "binomial")
ASSOCIATIONS = ("linear", "quadratic")
_NORMAL, _AT_LOWER, _AT_UPPER, _HEAVY = 0, 1, -1, 2
"""Kinds of rows, as `kernels.mels_grid` knows them."""
_EXAMPLES = 3


def law_problems(family: str, bounds: Bounds | None, association: str) -> list[Problem]:
    """What is wrong with how the errors are asked for."""
    found = [
        Problem(
            f"unknown {argument} '{value}'",
            where=f"fit({argument}=...)",
            allowed=", ".join(known),
            way_out=did_you_mean(value, known),
        )
        for argument, value, known in (
            ("family", family, FAMILIES),
            ("association", association, ASSOCIATIONS),
        )
        if value not in known
    ]
    if association == "quadratic" and family in ("censored", "t"):
        found.append(
            Problem(
                f"the family '{family}' comes with a linear association",
                where="fit(association=...)",
                way_out="Leave association or family out.",
            )
        )
    if family == "censored":
        return found + _bounds_problems(bounds)
    if bounds is not None:
        found.append(
            Problem(
                f"the family '{family}' has no bounds",
                where="fit(bounds=...)",
                way_out='Write family="censored", or leave the bounds out.',
            )
        )
    return found


def _bounds_problems(bounds: Bounds | None) -> list[Problem]:
    where = "fit(bounds=...)"
    try:
        low, high = limits(bounds)
    except (TypeError, ValueError):
        return [
            Problem(
                "the bounds are not a pair of numbers",
                where=where,
                found=repr(bounds),
                allowed="(low, high), None for a side without a bound",
            )
        ]
    if np.isinf(low) and np.isinf(high):
        return [
            Problem(
                "a censored outcome has a bound",
                where=where,
                found=repr(bounds),
                way_out="Give the ends of its scale, such as (0, 100), or leave the family out.",
            )
        ]
    if not low < high:
        return [
            Problem(
                "the bounds are not in order",
                where=where,
                found=f"({low:g}, {high:g})",
                allowed="(low, high) with low < high",
            )
        ]
    return []


def limits(bounds: Bounds | None) -> tuple[float, float]:
    """The bounds as numbers, infinite on a side that has none."""
    low, high = bounds if bounds is not None else (None, None)
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)


def row_law(request: Request, design: Design, levels: Levels) -> RowLaw | None:
    """What errors and association ask for beyond one integral a person; None where that is all.

    Raises
    ------
    FitError
        For effects or values that the law cannot have.
    """
    if request.family == "gaussian" and request.association == "linear":
        return None
    check_effects(request, levels)
    return RowLaw(
        row_kinds(design, request),
        quadratic=request.association == "quadratic",
        heavy=request.family == "t",
    )


def row_kinds(design: Design, request: Request) -> IntArray:
    """How each row (n,) was observed.

    Raises
    ------
    FitError
        For values beyond the bounds, or fewer than two different ones within them.
    """
    y = design.y
    if request.family == "t":
        return np.full(len(y), _HEAVY)
    low, high = limits(request.bounds)
    _check_values(request, y, low, high)
    return np.where(y <= low, _AT_LOWER, np.where(y >= high, _AT_UPPER, _NORMAL))


def _check_values(request: Request, y: FloatArray, low: float, high: float) -> None:
    where = f"formula '{request.formula}', bounds=({low:g}, {high:g})"
    beyond = (y < low) | (y > high)
    if beyond.any():
        raise FitError(
            Problem(
                f"{beyond.sum()} of {len(y)} outcomes lie beyond the bounds",
                where=where,
                found=", ".join(f"{value:g}" for value in _first(y, beyond)),
                way_out="Correct the values or the bounds.",
            )
        )
    if len(np.unique(y[(y > low) & (y < high)])) < 2:
        raise FitError(
            Problem(
                "the outcome does not have two different values within the bounds",
                where=where,
                found=f"{np.mean(y <= low):.0%} at the lower and {np.mean(y >= high):.0%} at the "
                "upper bound",
                way_out="Only shares are left to model: use a binary or ordered outcome.",
            )
        )


def _first(y: FloatArray, some: BoolArray) -> FloatArray:
    return np.asarray(y[some][:_EXAMPLES])


def check_effects(request: Request, levels: Levels) -> None:
    """Refuse effects that an integral over two cannot hold, or an association without partners.

    Raises
    ------
    FitError
        With every problem.
    """
    where = f"formula '{request.formula}', scale={request.scale!r}"
    asked = f"the family '{request.family}'"
    if request.family == "gaussian":
        asked = "a quadratic association"
    problems = []
    if len(levels.columns) > 1:
        problems.append(
            Problem(
                f"{asked} is fitted with one location effect a person",
                where=where,
                found=", ".join(levels.columns),
                way_out="Keep the random intercept; fixed effects may take the slope's place.",
            )
        )
    if levels.firm is not None:
        problems.append(
            Problem(
                f"{asked} is fitted with effects of one grouping",
                where=where,
                found=f"{levels.person.name}, {levels.firm.name}",
                way_out=f"Enter the levels of '{levels.firm.name}' as fixed effects, C(g).",
            )
        )
    linked = levels.columns and levels.person_scale and levels.correlated
    if request.association == "quadratic" and not linked:
        problems.append(
            Problem(
                "a quadratic association is one of a scale effect with a location effect",
                where=where,
                way_out="Write (1 | person) in the formula and in scale.",
            )
        )
    if problems:
        raise FitError(*problems)


def law_statistics(request: Request, y: FloatArray, at: Parts) -> Mapping[str, float]:
    """What a fit says of its errors: shares at the bounds, degrees of freedom, association."""
    found: dict[str, float] = {}
    if request.family == "censored":
        low, high = limits(request.bounds)
        found["share_at_lower"] = float(np.mean(y <= low))
        found["share_at_upper"] = float(np.mean(y >= high))
    if request.family == "t":
        found["nu"] = 2.0 + 2.0 / at.tail**2 if at.tail != 0.0 else float("inf")
    if request.association == "quadratic":
        found["log_sd_quadratic"] = at.quad
    return found


def inline(request: Request) -> str:
    """The law as a line of a summary; empty for normal errors with a linear association."""
    if request.family == "censored":
        low, high = limits(request.bounds)
        text = f"censored normal, bounds ({low:g}, {high:g})"
    elif request.family == "t":
        text = "Student's t of unit variance"
    else:
        text = "normal" if request.association == "quadratic" else ""
    return text + ("; quadratic association" if request.association == "quadratic" else "")
