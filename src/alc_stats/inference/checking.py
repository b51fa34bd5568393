"""Whether a model could have produced its data: residual checks by simulation.

Every check is a number computed alike from the outcome and from outcomes drawn from the fitted
model, to each of which the model is fitted again. That is what makes its p value hold: rows of a
group share their random effects, and estimates fit their own data better than others'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special, stats

from alc_stats.errors import DeclarationError, Problem
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.lmm_basis import joint_basis
from alc_stats.estimators.kernels.lmm_model import Factor
from alc_stats.inference.draws import Fitted, fitted, monte_carlo_p, progress, stream_of
from alc_stats.records import BoolArray, FloatArray, Number, Phrase

Kind = Literal[
    "uniformity", "dispersion", "outliers", "spread along fitted values", "within-group variance"
]

_FEWEST = 39
"""Simulations below which no p value, also of a check both ways, reaches .05."""
_POINTS = 200
"""Quantiles kept for a figure."""
_EQUAL = 1e-7
"""Statistics of order one that differ by less are equal: refits agree no further."""
_DISTINCT = 1e-9
"""A sum of squares within a level below this share of the rows' variance is rounding."""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """One check.

    Attributes
    ----------
    kind : {"uniformity", "dispersion", "outliers", "spread along fitted values", \
"within-group variance"}
    group : str
        The grouping; empty but for "within-group variance".
    statistic : float
        "uniformity": greatest distance of the scaled residuals' distribution from uniform.
        "dispersion": mean squared residual in units of the model's variance, as a ratio to the
        simulated ones'.
        "outliers": how far rows stand out beyond the simulation envelope, summed, in SDs.
        "spread along fitted values": rank correlation of the residuals' sizes and the fixed part.
        "within-group variance": SD of the levels' own log residual SDs, beyond chance.
    expected : float
        Mean among the simulations; 1 for "dispersion".
    p : float
        Share of simulations at least as extreme, both ways for "dispersion" and "spread along
        fitted values".
    sentence : Phrase
    """

    kind: Kind
    group: str
    statistic: float
    expected: float
    p: float
    sentence: Phrase


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """Residual checks of one fit.

    Attributes
    ----------
    checks : tuple of ModelCheck
    uniform, observed, low, high : arrays (k,)
        A QQ figure of the scaled residuals: uniform quantiles, observed ones, and the band that
        holds 95 % of the simulated ones, point by point.
    simulations, seed : int
    """

    checks: tuple[ModelCheck, ...]
    uniform: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray
    simulations: int
    seed: int

    def __getitem__(self, kind: Kind) -> ModelCheck:
        """The first check of a kind.

        Raises
        ------
        KeyError
            If there is none.
        """
        for found in self.checks:
            if found.kind == kind:
                return found
        raise KeyError(kind)


@dataclass(frozen=True, slots=True, eq=False)
class _Summary:
    """What one outcome and the model fitted to it come to."""

    uniformity: float
    dispersion: float
    excess: float
    outside: int
    along: float
    within: tuple[tuple[float, float], ...]
    quantiles: FloatArray


def check(fit: Fit, *, simulations: int = 250, seed: int) -> Check:
    """Check a model's residuals against outcomes simulated from it.

    The scaled residual of a row is its place in the distribution the model gives it, random
    effects not known: what DHARMa (Hartig 2022) reads from simulated outcomes, here exactly,
    because the model is Gaussian. For every simulated outcome random effects and residuals are
    drawn anew and the model is fitted again; a check's p value is the place of the observed
    statistic among the simulated ones, and holds its level although rows are dependent and
    parameters estimated.

    - uniformity: the Kolmogorov-Smirnov distance of the scaled residuals from uniform.
    - dispersion: the residuals' size beside the simulated. A fit that estimates its variances
      matches it nearly by construction (exactly, for least squares), so this finds only what the
      variances cannot follow.
    - outliers: rows beyond the envelope that `simulations` outcomes would leave empty on average
      by 2 / (simulations + 1), and how far beyond.
    - spread along fitted values: whether residuals grow or shrink with the fixed part, if that
      varies.
    - within-group variance, for every grouping whose levels hold more rows than effects: whether
      levels differ in their residual SD (Bartlett's statistic on the rows of a level cleared of
      its random columns). If they do, a location-scale model is asked for.

    Parameters
    ----------
    fit : Fit
        Least squares or a mixed model, of this session.
    simulations : int
        39 or more.
    seed : int
        The same seed gives the same numbers.

    Returns
    -------
    Check

    Raises
    ------
    DeclarationError
        For too few simulations or an unusable seed.
    FitError
        For a fit that is not usable or no longer remembers its rows.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> stream = np.random.default_rng(1)
    >>> person = np.repeat(np.arange(12), 5)
    >>> y = stream.normal(size=12)[person] + stream.normal(size=60)
    >>> model = fit("y ~ 1 + (1 | person)", pd.DataFrame({"y": y, "person": person}))
    >>> found = check(model, simulations=39, seed=1)
    >>> [one.kind for one in found.checks if one.p < 0.05]
    []
    """
    require_usable(fit)
    _require_simulations(simulations)
    stream = stream_of(seed, "check")
    model = fitted(fit)
    tail = 1.0 / (simulations + 1)
    observed = _summary(model, tail)
    drawn = [
        _summary(model.again(model.draw(stream)), tail) for _ in progress(simulations, "check")
    ]
    band = np.quantile([one.quantiles for one in drawn], (0.025, 0.975), axis=0)
    return Check(
        checks=(
            _uniformity(observed, drawn),
            _dispersion(observed, drawn),
            _outliers(observed, drawn, tail, len(model.design.y)),
            *_spread_along(observed, drawn),
            *_within_group(model, observed, drawn),
        ),
        uniform=_places(len(model.design.y)),
        observed=observed.quantiles,
        low=np.asarray(band[0]),
        high=np.asarray(band[1]),
        simulations=simulations,
        seed=seed,
    )


def scaled_residuals(fit: Fit) -> FloatArray:
    """Every row's place (n,) in (0, 1) in the distribution the model gives it.

    Random effects are not known: rows of a group lie together.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> model = fit("y ~ 1", pd.DataFrame({"y": [1.0, 2, 3]}))
    >>> scaled_residuals(model).round(3).tolist()
    [0.11, 0.5, 0.89]
    """
    require_usable(fit)
    return np.asarray(special.ndtr(_standardised(fitted(fit))))


def _require_simulations(simulations: int) -> None:
    if isinstance(simulations, bool) or not isinstance(simulations, int) or simulations < _FEWEST:
        raise DeclarationError(
            Problem(
                "too few simulations to reach p = .05",
                where="check(simulations=...)",
                found=repr(simulations),
                allowed=f"{_FEWEST} or more",
            )
        )


def _standardised(model: Fitted) -> FloatArray:
    return np.asarray((model.design.y - model.mean) / np.sqrt(model.variance))


def _places(rows: int) -> FloatArray:
    """Probabilities (k,) of the kept quantiles."""
    k = min(rows, _POINTS)
    return np.asarray((np.arange(k) + 0.5) / k)


def _summary(model: Fitted, tail: float) -> _Summary:
    residuals = model.design.y - model.mean
    unsorted = residuals / np.sqrt(model.variance)
    z = np.sort(unsorted)
    scaled = special.ndtr(z)
    n = len(z)
    steps = np.arange(n + 1) / n
    beyond = np.abs(z) - float(special.ndtri(1.0 - tail))
    outside = beyond[beyond > 0.0]
    return _Summary(
        uniformity=float(max((steps[1:] - scaled).max(), (scaled - steps[:-1]).max())),
        dispersion=float(np.mean(z**2)),
        excess=float(outside.sum()),
        outside=len(outside),
        along=_along(np.abs(unsorted), model.explained),
        within=_within(model, residuals),
        quantiles=np.asarray(np.quantile(scaled, _places(n), method="hazen")),
    )


def _along(size: FloatArray, fitted: FloatArray) -> float:
    """Spearman's correlation; NaN where nothing is fitted but a mean."""
    if float(np.ptp(fitted)) <= _DISTINCT * float(size.max()):
        return float("nan")
    ranks = [stats.rankdata(values) for values in (size, fitted)]
    return float(np.corrcoef(*ranks)[0, 1])


def _factors(model: Fitted) -> tuple[Factor, ...]:
    return () if model.random is None else model.random.factors


def _within(model: Fitted, residuals: FloatArray) -> tuple[tuple[float, float], ...]:
    """Bartlett's statistic of every grouping, on rows brought to one residual variance."""
    if model.weights is None:
        return tuple(_bartlett(residuals, factor) for factor in _factors(model))
    root = np.sqrt(model.weights)
    even = [replace(factor, Z=factor.Z * root[:, None]) for factor in _factors(model)]
    return tuple(_bartlett(residuals * root, factor) for factor in even)


def _bartlett(residuals: FloatArray, factor: Factor) -> tuple[float, float]:
    """Bartlett's statistic of the levels' residual variances, and the SD of their log SDs.

    A level's rows are cleared of its random columns; levels without rows to spare are left out.
    NaN with fewer than two levels.
    """
    squares, df = _cleared(residuals, factor)
    there = df > 0
    squares, df = squares[there], df[there]
    if len(df) < 2:
        return float("nan"), float("nan")
    pooled = squares.sum() / df.sum()
    squares = np.maximum(squares, _DISTINCT * pooled)
    logs = np.log(squares / df / pooled)
    statistic = -float(df @ logs)
    centred = 0.5 * (logs - special.digamma(df / 2.0) + np.log(df / 2.0))
    chance = 0.25 * special.polygamma(1, df / 2.0)
    beyond = float(np.var(centred, ddof=1) - chance.mean())
    return statistic, float(np.sqrt(max(beyond, 0.0)))


def _cleared(residuals: FloatArray, factor: Factor) -> tuple[FloatArray, FloatArray]:
    """Every level's residual sum of squares and degrees of freedom, its random columns cleared."""
    n, q = factor.Z.shape
    columns = np.empty((q, n))
    joint_basis(factor.Z).rows(factor.Z, out=columns)
    gram = np.array([[_sums(a * b, factor) for b in columns] for a in columns]).transpose(2, 0, 1)
    values, vectors = np.linalg.eigh(gram)
    there = values > _DISTINCT * np.maximum(values[:, -1:], 1.0)
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=there)
    left = residuals
    for _ in range(2):
        along = np.array([_sums(column * left, factor) for column in columns]).T
        weights = np.einsum("jab,jb,jcb,jc->ja", vectors, inverse, vectors, along, optimize=True)
        left = left - np.einsum("qn,nq->n", columns, weights[factor.codes])
    df = np.bincount(factor.codes, minlength=factor.levels) - there.sum(axis=1)
    return _sums(left**2, factor), df.astype(float)


def _sums(values: FloatArray, factor: Factor) -> FloatArray:
    return np.asarray(np.bincount(factor.codes, values, factor.levels), dtype=float)


def _p(at_least: BoolArray) -> float:
    return monte_carlo_p(int(np.sum(at_least)), len(at_least))[0]


def _uniformity(observed: _Summary, drawn: list[_Summary]) -> ModelCheck:
    found = np.array([one.uniformity for one in drawn])
    p = _p(found >= observed.uniformity)
    return ModelCheck(
        "uniformity",
        "",
        observed.uniformity,
        float(found.mean()),
        p,
        Phrase(
            "The residuals' distribution is at most {distance} away from the model's; {expected} "
            "is usual (p = {p}).",
            {
                "distance": Number(observed.uniformity, "share"),
                "expected": Number(float(found.mean()), "share"),
                "p": Number(p, "p"),
            },
        ),
    )


def _two_sided(observed: float, found: FloatArray) -> float:
    """Twice the smaller share; values that differ by rounding are equal."""
    above, below = found >= observed - _EQUAL, found <= observed + _EQUAL
    return min(1.0, 2.0 * min(_p(above), _p(below)))


def _dispersion(observed: _Summary, drawn: list[_Summary]) -> ModelCheck:
    found = np.array([one.dispersion for one in drawn])
    ratio = float(observed.dispersion / found.mean())
    p = _two_sided(observed.dispersion, found)
    return ModelCheck(
        "dispersion",
        "",
        ratio,
        1.0,
        p,
        Phrase(
            "The residuals' mean square is {ratio} times that of simulated outcomes (p = {p}).",
            {"ratio": Number(ratio, "ratio"), "p": Number(p, "p")},
        ),
    )


def _spread_along(observed: _Summary, drawn: list[_Summary]) -> list[ModelCheck]:
    if np.isnan(observed.along):
        return []
    found = np.array([one.along for one in drawn])
    p = _two_sided(observed.along, found)
    sentence = Phrase(
        "The residuals' size and the fitted values correlate {along} (p = {p}).",
        {"along": Number(observed.along), "p": Number(p, "p")},
    )
    kind: Kind = "spread along fitted values"
    return [ModelCheck(kind, "", observed.along, float(found.mean()), p, sentence)]


def _outliers(observed: _Summary, drawn: list[_Summary], tail: float, rows: int) -> ModelCheck:
    found = np.array([one.excess for one in drawn])
    p = _p(found >= observed.excess)
    return ModelCheck(
        "outliers",
        "",
        observed.excess,
        float(found.mean()),
        p,
        Phrase(
            "{outside} of {rows} rows lie beyond the simulated outcomes, where {expected} are "
            "usual; they stand out by {excess} standard deviations in all (p = {p}).",
            {
                "outside": Number(observed.outside, "count"),
                "rows": Number(rows, "count"),
                "expected": Number(2.0 * tail * rows, "statistic"),
                "excess": Number(observed.excess, "statistic"),
                "p": Number(p, "p"),
            },
        ),
    )


def _within_group(model: Fitted, observed: _Summary, drawn: list[_Summary]) -> list[ModelCheck]:
    groups = () if model.random is None else model.random.groups
    checks = []
    for g, group in enumerate(groups):
        statistic, spread = observed.within[g]
        if np.isnan(statistic):
            continue
        p = _p(np.array([one.within[g][0] for one in drawn]) >= statistic)
        expected = float(np.mean([one.within[g][1] for one in drawn]))
        checks.append(
            ModelCheck(
                "within-group variance",
                group,
                spread,
                expected,
                p,
                Phrase(
                    f"The residual SDs of the levels of {group} differ by {{spread}} (SD of log "
                    "SDs beyond chance), where {expected} is usual (p = {p}).",
                    {
                        "spread": Number(spread, unit="log SD"),
                        "expected": Number(expected, unit="log SD"),
                        "p": Number(p, "p"),
                    },
                ),
            )
        )
    return checks
