"""Where along a moderator an effect is there: Johnson and Neyman's regions, honestly banded.

A pointwise band is right at one value chosen beforehand. Reading off it *where* an effect starts
is a search along the whole moderator, and finds regions too often (Esarey and Sumner 2018). The
band here covers the whole line of slopes at once, over the range that is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import integrate, optimize, stats

from alc_stats.errors import DeclarationError, FormulaError, Problem, did_you_mean
from alc_stats.estimators.combination import combine
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.memory import memory_of
from alc_stats.records import FloatArray

POINTS = 101
"""Values of the moderator at which a band is drawn; regions do not depend on it."""


@dataclass(frozen=True, slots=True)
class Region:
    """Values of the moderator over which the whole band is on one side of the tested value."""

    low: float
    high: float
    above: bool


@dataclass(frozen=True, slots=True, eq=False)
class JohnsonNeyman:
    """An effect along its moderator.

    Attributes
    ----------
    effect, moderator : str
    at : array (m,)
        Values of the moderator.
    value, low, high : array (m,)
        The effect there, with the simultaneous band.
    pointwise_low, pointwise_high : array (m,)
        The band that is right at one value chosen beforehand.
    regions : tuple of Region
        Where the simultaneous band excludes `against`, with exact ends.
    pointwise_regions : tuple of Region
        What reading the pointwise band would claim.
    critical, pointwise_critical : float
        Half widths of the two bands, in standard errors.
    df : float
        Degrees of freedom, the fewest along the range.
    level, against : float
    """

    effect: str
    moderator: str
    at: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    pointwise_low: FloatArray
    pointwise_high: FloatArray
    regions: tuple[Region, ...]
    pointwise_regions: tuple[Region, ...]
    critical: float
    pointwise_critical: float
    df: float
    level: float
    against: float


@dataclass(frozen=True, slots=True, eq=False)
class _Slope:
    """The effect b0 + b1 w less what it is tested against, and the covariance (2, 2) of b0, b1."""

    b: FloatArray
    vcov: FloatArray

    def value(self, w: FloatArray) -> FloatArray:
        return np.asarray(self.b[0] + self.b[1] * w)

    def se(self, w: FloatArray) -> FloatArray:
        rows = np.column_stack([np.ones_like(w), w])
        return np.asarray(np.sqrt(np.einsum("mi,ij,mj->m", rows, self.vcov, rows)))


def johnson_neyman(
    fit: Fit,
    effect: str,
    moderator: str,
    *,
    over: tuple[float, float] | None = None,
    against: float = 0.0,
    level: float = 0.95,
) -> JohnsonNeyman:
    """Where along `moderator` the effect of `effect` differs from `against`.

    The band's half width is the exact one for a straight line over an interval (Wynn and
    Bloomfield 1971; Uusipaikka 1983): Student's t where the interval is a point, and Scheffe's
    (Potthoff 1964), sqrt(2 F), where it is everything. It controls the chance of any false
    exclusion, so that no further correction of the region is needed; the false discovery rate of
    Esarey and Sumner (2018) promises less. Pointwise regions (Bauer and Curran 2005) are given
    for comparison.

    Parameters
    ----------
    fit : Fit
        With the coefficients `effect` and `effect:moderator` (either order), the moderator
        numeric and in no other product with the effect. Any engine and covariance.
    effect, moderator : str
        As the fit names its coefficients; the moderator as its column.
    over : (float, float), optional
        The range that is looked at: that of the rows by default. A band says nothing outside.
    against : float
        The effect that is tested, in its unit: 0, or a smallest effect of interest.
    level : float
        Of both bands.

    Returns
    -------
    JohnsonNeyman
        With Satterthwaite's degrees of freedom where the fit has them, the fewest in the range.

    Raises
    ------
    DeclarationError
        For a range that is empty, or a level outside (0, 1).
    FormulaError
        If the fit lacks a coefficient.
    FitError
        If the fit cannot be used, or no longer knows the rows whose range is wanted.

    References
    ----------
    Bauer and Curran (2005), Multivariate Behavioral Research 40, 373-400. Esarey and Sumner (2018),
    Comparative Political Studies 51, 1144-1176. Potthoff (1964), Psychometrika 29, 241-256.
    Uusipaikka (1983), Journal of the American Statistical Association 78, 638-644. Wynn and
    Bloomfield (1971), Journal of the Royal Statistical Society B 33, 202-217.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> rng = np.random.default_rng(1)
    >>> d = pd.DataFrame({"use": rng.normal(size=400), "quota": rng.uniform(0, 2, 400)})
    >>> d["quality"] = d["use"] * (1 - d["quota"]) + rng.normal(size=400)
    >>> found = johnson_neyman(fit("quality ~ use * quota", d), "use", "quota")
    >>> [(round(r.low, 2), round(r.high, 2), r.above) for r in found.regions]
    [(0.0, 0.8, True), (1.15, 2.0, False)]
    >>> round(found.critical, 2), round(found.pointwise_critical, 2)
    (2.42, 1.97)
    """
    require_usable(fit)
    low, high = _range(fit, moderator, over, level)
    places = _places(fit, effect, moderator)
    weights = np.zeros((2, len(fit.names)))
    weights[0, places[0]] = weights[1, places[1]] = 1.0
    slope = _Slope(
        fit.estimates[places] - np.array([against, 0.0]), fit.vcov[np.ix_(places, places)]
    )
    at = np.linspace(low, high, POINTS)
    df = float(combine(fit, weights[0] + at[:, None] * weights[1]).df.min())
    wide = simultaneous_critical(slope.vcov, (low, high), df=df, level=level)
    narrow = float(stats.t.ppf(0.5 + level / 2.0, df))
    value, se = slope.value(at) + against, slope.se(at)
    return JohnsonNeyman(
        effect, moderator, at, value, value - wide * se, value + wide * se, value - narrow * se,
        value + narrow * se, _regions(slope, wide, low, high), _regions(slope, narrow, low, high),
        wide, narrow, df, level, against,
    )  # fmt: skip


def simultaneous_critical(
    vcov: FloatArray, over: tuple[float, float], *, df: float, level: float = 0.95
) -> float:
    """Half width, in standard errors, of an exact band for b0 + b1 w over an interval of w.

    Standardised, (b0, b1) points in a uniform direction, and the values of w are directions on an
    arc of angle phi. With R the length of the standardised estimate,
    P(outside somewhere) = phi/pi P(R > c) + 2/pi * integral over u from 0 to (pi - phi)/2 of
    P(R cos u > c), where P(R > r) = (1 + r^2/df)^(-df/2).

    Parameters
    ----------
    vcov : array (2, 2)
        Covariance of b0 and b1.
    over : (float, float)
        The interval; infinite ends are allowed.
    df : float
        Of the t distribution; inf is the normal.
    level : float

    Examples
    --------
    >>> round(simultaneous_critical(np.eye(2), (1.0, 1.0), df=10.0), 6)  # Student's t
    2.228139
    >>> round(simultaneous_critical(np.eye(2), (-np.inf, np.inf), df=10.0), 6)  # Scheffe
    2.864549
    """
    phi = _arc(vcov, over)
    rest = (np.pi - phi) / 2.0

    def outside(c: float) -> float:
        near = integrate.quad(lambda u: _beyond(c / np.cos(u), df), 0.0, rest)[0]
        return float((phi * _beyond(c, df) + 2.0 * near) / np.pi - (1.0 - level))

    least = float(stats.t.ppf(0.5 + level / 2.0, df))
    return float(optimize.brentq(outside, 0.999 * least, 2.0 * least + 2.0, xtol=1e-12))


def _beyond(r: float, df: float) -> float:
    """P(R > r), R the length of a standardised bivariate t."""
    if np.isinf(df):
        return float(np.exp(-0.5 * r * r))
    return float(np.exp(-0.5 * df * np.log1p(r * r / df)))


def _arc(vcov: FloatArray, over: tuple[float, float]) -> float:
    """Angle between the directions of the interval's ends in the estimates' own metric."""
    root = np.linalg.cholesky(vcov)
    ends = [np.array([0.0, 1.0]) * np.sign(w) if np.isinf(w) else np.array([1.0, w]) for w in over]
    first, second = (root.T @ end for end in ends)
    cross = first[0] * second[1] - first[1] * second[0]
    return float(np.arctan2(abs(cross), first @ second))


def _regions(slope: _Slope, critical: float, low: float, high: float) -> tuple[Region, ...]:
    """Where |value| exceeds critical * se: between the roots of a quadratic, exactly."""
    b, V = slope.b, slope.vcov
    square = np.outer(b, b) - critical**2 * V
    roots = np.roots([square[1, 1], 2.0 * square[0, 1], square[0, 0]])
    inside = sorted(float(r.real) for r in roots if abs(r.imag) == 0.0 and low < r.real < high)
    cuts = [low, *inside, high]
    found = []
    for start, end in pairwise(cuts):
        middle = np.array([0.5 * (start + end)])
        value, se = float(slope.value(middle)[0]), float(slope.se(middle)[0])
        if abs(value) > critical * se:
            found.append(Region(start, end, value > 0.0))
    return tuple(found)


def _places(fit: Fit, effect: str, moderator: str) -> list[int]:
    labels = [*fit.labels]
    pair = next(
        (n for n in (f"{effect}:{moderator}", f"{moderator}:{effect}") if n in labels), None
    )
    missing = [] if effect in labels else [effect]
    missing += [] if pair else [f"{effect}:{moderator}"]
    if missing or pair is None:
        raise FormulaError(
            *(
                Problem(
                    f"the fit has no coefficient '{name}'",
                    where="johnson_neyman",
                    way_out=did_you_mean(name, labels),
                )
                for name in missing
            )
        )
    return [labels.index(effect), labels.index(pair)]


def _range(
    fit: Fit, moderator: str, over: tuple[float, float] | None, level: float
) -> tuple[float, float]:
    problems = []
    if over is None:
        table = memory_of(fit).table.frame
        values = np.asarray(table[moderator], float) if moderator in table else np.zeros(1)
        over = (float(values.min()), float(values.max()))
    if not (np.isfinite(over).all() and over[0] < over[1]):
        problems.append(
            Problem(
                f"the moderator '{moderator}' has no range to look along",
                where="johnson_neyman",
                found=f"{over[0]:g} to {over[1]:g}",
                allowed="two finite values, the smaller first",
                way_out="A moderator that never varies moderates nothing: give a range the rows "
                "cover, or leave the moderator out.",
            )
        )
    if not 0.0 < level < 1.0:
        problems.append(
            Problem("the level is not between 0 and 1", where="johnson_neyman", found=f"{level:g}")
        )
    if problems:
        raise DeclarationError(*problems)
    return over
