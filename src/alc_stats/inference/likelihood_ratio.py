"""The likelihood-ratio statistic of nested models, and tails of mixtures of chi-squares."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from alc_stats.errors import FitError, Problem

_ROUNDING = 1e-10
"""Per row: log-likelihoods closer than this are equal."""
_WORSE = 1e-6
"""Per row: a larger model below the smaller by more than this has not been maximised."""


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """One part of a mixture: a chi-square and its weight; df 0 is always zero."""

    df: int
    weight: float


def likelihood_ratio(inner: float, outer: float, rows: int) -> float:
    """Twice the difference of the log-likelihoods; rounding is not evidence.

    Raises
    ------
    FitError
        If the larger model fits worse than the smaller within it.
    """
    difference = outer - inner
    if difference < -_WORSE * rows:
        raise FitError(
            Problem(
                "the larger model fits worse than the smaller within it",
                found=f"log-likelihoods {outer:.6f} and {inner:.6f}",
                way_out="Its search has not reached the optimum: rescale its random columns.",
            )
        )
    return 2.0 * difference if difference > _ROUNDING * rows else 0.0


def upper_tail(statistic: float, mixture: tuple[ChiSquare, ...]) -> float:
    """Probability of at least this statistic."""
    return float(
        sum(
            part.weight
            * (stats.chi2.sf(statistic, part.df) if part.df else float(statistic <= 0.0))
            for part in mixture
        )
    )
