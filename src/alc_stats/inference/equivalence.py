"""Tests that an effect is too small to matter: two one-sided tests and their halves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.estimate import Estimate


@dataclass(frozen=True, slots=True)
class MeansEquivalence:
    """Two means compared with a margin.

    Attributes
    ----------
    difference : Estimate
        Mean of x minus mean of y; Welch's degrees of freedom for independent samples.
    margin : float
        Differences smaller than this, either way, do not matter.
    p : float
        Larger of the two one-sided p values: small means equivalent.
    """

    difference: Estimate
    margin: float
    p: float


def non_superiority_p(estimate: Estimate, margin: float) -> float:
    """One-sided p of the null that the value is at least `margin`: small means it is below.

    Examples
    --------
    >>> round(non_superiority_p(Estimate("gain", 0.0, 0.1, float("inf")), 0.2), 4)
    0.0228
    """
    return estimate.p_against(_positive(margin), "less")


def non_inferiority_p(estimate: Estimate, margin: float) -> float:
    """One-sided p of the null that the value is at most -`margin`: small means it is above."""
    return estimate.p_against(-_positive(margin), "greater")


def equivalence_p(estimate: Estimate, margin: float) -> float:
    """Larger of the two one-sided p values (TOST; Schuirmann 1987): small means within +-margin."""
    return max(non_superiority_p(estimate, margin), non_inferiority_p(estimate, margin))


def equivalence_of_means(
    x: npt.ArrayLike, y: npt.ArrayLike, *, margin: float, paired: bool = False
) -> MeansEquivalence:
    """Whether two samples have the same mean within `margin`, in the unit of the data.

    Parameters
    ----------
    x, y : array_like (n,), (m,)
        Independent samples (variances may differ), or pairs in the same order. Independent
        samples lose their missing values one by one, pairs together.
    margin : float
        In the unit of the data.
    paired : bool
        Whether x[i] and y[i] belong together.

    Raises
    ------
    DeclarationError
        For a margin that is not positive.
    FitError
        For fewer than two values, or samples without any spread.
    """
    import pingouin

    _positive(margin)
    first, second = _complete(x, y, paired=paired)
    difference = _difference(first, second, paired=paired)
    result = pingouin.tost(first, second, bound=margin, paired=paired, correction=not paired)
    return MeansEquivalence(difference, margin, float(result["pval"].iloc[0]))


def _complete(x: npt.ArrayLike, y: npt.ArrayLike, *, paired: bool) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if paired:
        if first.shape != second.shape:
            raise FitError(
                Problem(
                    "paired samples have different lengths",
                    found=f"{first.size} and {second.size} values",
                )
            )
        there = np.isfinite(first) & np.isfinite(second)
        first, second = first[there], second[there]
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    if min(first.size, second.size) < 2:
        raise FitError(
            Problem(
                "a mean needs at least two values", found=f"{first.size} and {second.size} values"
            )
        )
    return first, second


def _difference(x: np.ndarray, y: np.ndarray, *, paired: bool) -> Estimate:
    if paired:
        d = x - y
        variance, df = d.var(ddof=1) / d.size, d.size - 1.0
    else:
        parts = np.array([x.var(ddof=1) / x.size, y.var(ddof=1) / y.size])
        variance = parts.sum()
        sizes = np.array([x.size, y.size])
        df = variance**2 / np.sum(parts**2 / (sizes - 1)) if variance > 0.0 else 0.0
    if not variance > 0.0:
        raise FitError(Problem("the samples have no spread, so their difference has no error"))
    return Estimate(
        "difference in means", float(x.mean() - y.mean()), float(np.sqrt(variance)), float(df)
    )


def _positive(margin: float) -> float:
    if not 0.0 < margin < float("inf"):
        raise DeclarationError(Problem("the margin is not a positive number", found=f"{margin}"))
    return margin
