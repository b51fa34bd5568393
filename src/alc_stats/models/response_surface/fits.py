"""Regressions behind a response surface, and what follows from their coefficients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit
from alc_stats.inference import contrast, small_sample_choice
from alc_stats.models.response_surface.data import RAW, TERMS, SurfaceData
from alc_stats.records import FloatArray

LINEAR = TERMS[:2]
OF_SURFACE = {
    "a1": "{0} + {1}",
    "a2": "{2} + {3} + {4}",
    "a3": "{0} - {1}",
    "a4": "{2} - {3} + {4}",
    "a5": "{2} - {4}",
}
"""Slope and curvature along the line of congruence (a1, a2) and of incongruence (a3, a4), and how
unequally both curve (a5), as combinations of b1 to b5."""
SUMS: dict[str, Callable[[FloatArray], float]] = {
    "a1": lambda b: float(b[0] + b[1]),
    "a2": lambda b: float(b[2] + b[3] + b[4]),
    "a3": lambda b: float(b[0] - b[1]),
    "a4": lambda b: float(b[2] - b[3] + b[4]),
    "a5": lambda b: float(b[2] - b[4]),
}
"""The same of an array of b1 to b5."""
RANDOM_PARTS = ("1 + {0} + {1} | group", "1 | group")
"""Random parts from the richest on; the first with a usable certificate is taken."""
_STEP = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A fitted regression of quality on awareness and capability.

    Attributes
    ----------
    fit : Fit
    names : tuple of str
        Its coefficients b1, b2, ... (two in a linear one, five in a surface).
    method : str
        As a methods section would name it.
    reference : str
        Where intervals come from.
    within : bool
        Whether its slopes are those within groups, so that its constant is no level of the surface.
    """

    fit: Fit
    names: tuple[str, ...]
    method: str
    reference: str
    within: bool = False

    def coefficients(self) -> FloatArray:
        """b1, b2, ..."""
        return self.fit.params[list(self.names)].to_numpy(dtype=float)

    def of(self, combination: str, name: str) -> Estimate:
        """A linear combination such as "{0} - {1}" of b1, b2, ..., called `name`."""
        found = contrast(self.fit, combination.format(*(f"`{n}`" for n in self.names)))
        return Estimate(name, found.value, found.se, found.df, RAW)

    def delta(self, function: Callable[[FloatArray], float], name: str) -> Estimate:
        """A smooth function of b1, b2, ... by the delta method.

        Its degrees of freedom are the smallest of the coefficients'.
        """
        b = self.coefficients()
        place = [self.fit.labels.index(n) for n in self.names]
        covariance = self.fit.vcov[np.ix_(place, place)]
        slope = gradient(function, b, np.sqrt(np.diag(covariance)))
        se = float(np.sqrt(slope @ covariance @ slope))
        return Estimate(name, function(b), se, float(self.fit.df[place].min()), RAW)


@dataclass(frozen=True, slots=True, eq=False)
class Surfaces:
    """What one call fits.

    Attributes
    ----------
    data : SurfaceData
    linear, surface : Surface
        What the verdict rests on: multilevel where there are groups, else least squares.
    pooled : Surface or None
        The least-squares surface of all rows, beside a multilevel one.
    """

    data: SurfaceData
    linear: Surface
    surface: Surface
    pooled: Surface | None

    @property
    def deciding(self) -> Surface:
        """The one that the parts of the claim rest on."""
        return self.linear if self.data.question.terms == LINEAR else self.surface


def surfaces(data: SurfaceData) -> Surfaces:
    """Every regression of the call."""
    pooled = None if data.group is None else least_squares(data)
    return Surfaces(data, regression(data, LINEAR), regression(data, TERMS), pooled)


def deciding(data: SurfaceData) -> Surface:
    """The one that the parts of the claim rest on."""
    return regression(data, data.question.terms)


def regression(data: SurfaceData, terms: Sequence[str]) -> Surface:
    """Multilevel where there are groups, least squares otherwise."""
    return least_squares(data, terms) if data.group is None else multilevel(data, terms)


def gradient(
    function: Callable[[FloatArray], float], at: FloatArray, scale: FloatArray
) -> FloatArray:
    """Central differences (k,) with a step of 1e-5 standard errors."""
    steps = np.diag(_STEP * scale)
    rise = [function(at + step) - function(at - step) for step in steps]
    return np.asarray(rise) / (2.0 * np.diag(steps))


def least_squares(data: SurfaceData, terms: Sequence[str] = TERMS) -> Surface:
    """All rows together: HC3, or CR2 clustered by the group where there is one."""
    formula = f"quality ~ {' + '.join(terms)}"
    if data.group is None:
        fitted = fit(formula, data.rows, covariance="HC3")
        return Surface(fitted, tuple(terms), "Least squares", "t, HC3")
    fitted = fit(formula, data.rows, covariance="CR2", cluster="group")
    return Surface(fitted, tuple(terms), "Least squares", "t, CR2 Satterthwaite")


def multilevel(data: SurfaceData, terms: Sequence[str] = TERMS) -> Surface:
    """Within groups: deviations from the group's means, these means, random intercept and slopes.

    Raises
    ------
    FitError
        If no random part gives a fit that can be used.
    """
    within = tuple(f"{term}_within" for term in terms)
    fixed = " + ".join([*within, *data.means])
    inner = " + (1 | cell)" if data.question.wave else ""
    inner += " + (1 | person)" if _persons_repeat(data) else ""
    why = ""
    for random in RANDOM_PARTS:
        formula = f"quality ~ {fixed} + ({random.format(*within)}){inner}"
        try:
            made = _mixed(formula, data)
            return Surface(made, within, "Multilevel", _reference(data), within=True)
        except FitError as error:
            why = str(error)
    raise FitError(Problem("no multilevel model of the surface can be used", found=why))


def _mixed(formula: str, data: SurfaceData) -> Fit:
    if _robust(data):
        fitted = fit(formula, data.rows, covariance="CR2", cluster="group")
    else:
        fitted = fit(formula, data.rows, df="kenward-roger")
    if not fitted.certificate.usable:
        raise FitError(Problem("the fit cannot be used", found=fitted.certificate.sentence))
    return fitted


def _robust(data: SurfaceData) -> bool:
    groups = int(data.rows["group"].nunique())
    return small_sample_choice(groups, mixed=True).method == "CR2"


def _reference(data: SurfaceData) -> str:
    return "t, CR2 Satterthwaite" if _robust(data) else "t, Kenward-Roger"


def _persons_repeat(data: SurfaceData) -> bool:
    """Whether persons inside firms have several rows each, and so an effect of their own."""
    both = "firm" in data.rows and "person" in data.rows
    return both and bool(data.rows["person"].duplicated().any())


def condition(b: FloatArray) -> float:
    """The condition |b1 - b2| - |b1 + b2|, positive only where the slopes have opposite signs."""
    return float(abs(b[0] - b[1]) - abs(b[0] + b[1]))


def stationary_point(b: FloatArray) -> FloatArray:
    """Where the surface is level (A, C), both from the common point; nan where nowhere."""
    curvature = np.array([[2.0 * b[2], b[3]], [b[3], 2.0 * b[4]]])
    if not np.isfinite(b).all() or np.linalg.matrix_rank(curvature) < 2:
        return np.full(2, np.nan)
    return np.asarray(np.linalg.solve(curvature, -b[:2]))


def axis_angle(b: FloatArray) -> float:
    """Direction of the first principal axis, degrees from the awareness axis; 45 is congruence.

    Along it the surface curves least downwards (most upwards).
    """
    return float(np.degrees(0.5 * np.arctan2(b[3], b[2] - b[4])))


def first_axis(b: FloatArray) -> tuple[float, float]:
    """Intercept p10 and slope p11 of the first principal axis, C = p10 + p11 A."""
    return _axis(b, axis_angle(b))


def second_axis(b: FloatArray) -> tuple[float, float]:
    """Intercept p20 and slope p21 of the second principal axis, at right angles to the first."""
    return _axis(b, axis_angle(b) + 90.0)


def _axis(b: FloatArray, degrees: float) -> tuple[float, float]:
    slope = float(np.tan(np.radians(degrees)))
    A, C = stationary_point(b)
    return float(C - slope * A), slope
