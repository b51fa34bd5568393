"""Pairwise comparisons of estimated marginal means, adjusted for their number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.errors import DeclarationError, FitError, Problem, did_you_mean
from alc_stats.estimators.combination import Combined, combine
from alc_stats.estimators.estimate import Estimate, p_two_sided
from alc_stats.estimators.fit import Fit
from alc_stats.inference.marginal_means import MarginalMeans, level_text, marginal_means
from alc_stats.inference.multiplicity import holm
from alc_stats.records import FloatArray, Level

Adjustment = Literal["tukey", "holm", "none"]
_ADJUSTMENTS = ("tukey", "holm", "none")


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Pairwise differences of marginal means.

    Attributes
    ----------
    over, by : tuples of str
    adjust : {"tukey", "holm", "none"}
    pairs : tuple of (str, str)
        What is compared: the first minus the second.
    cells : tuple of mapping
        The level of every `by` factor, a mapping a comparison.
    estimates : tuple of Estimate
        Their `p_value` and `interval` are not adjusted.
    p, low, high : arrays (comparisons,)
        Adjusted within every cell of `by`.
    level : float
        Of the intervals.
    """

    over: tuple[str, ...]
    by: tuple[str, ...]
    adjust: Adjustment
    pairs: tuple[tuple[str, str], ...]
    cells: tuple[Mapping[str, Level], ...]
    estimates: tuple[Estimate, ...]
    p: FloatArray
    low: FloatArray
    high: FloatArray
    level: float

    @property
    def table(self) -> pd.DataFrame:
        """One row a comparison: contrast, `by`, estimate, se, df, statistic, p, low, high."""
        columns = {
            "contrast": [f"{first} - {second}" for first, second in self.pairs],
            **{name: [cell[name] for cell in self.cells] for name in self.by},
            "estimate": [e.value for e in self.estimates],
            "se": [e.se for e in self.estimates],
            "df": [e.df for e in self.estimates],
            "statistic": [e.statistic for e in self.estimates],
            "p": self.p,
            "low": self.low,
            "high": self.high,
        }
        return pd.DataFrame(columns)


def pairwise(
    source: MarginalMeans | Fit,
    over: str | Sequence[str] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Level | Sequence[Level]] | None = None,
    adjust: Adjustment = "tukey",
    level: float = 0.95,
) -> Comparisons:
    """All pairwise differences of marginal means, within every cell of `by`.

    Parameters
    ----------
    source : MarginalMeans or Fit
        With a fit, `over`, `by` and `at` are those of `marginal_means`; means bring their own,
        and `over` may name fewer of their factors, within the levels of the others.
    over : str or sequence of str, optional
    by : str or sequence of str, optional
    at : mapping, optional
    adjust : {"tukey", "holm", "none"}
        How p values and intervals account for the comparisons in a cell of `by`: Tukey's
        studentised range (as Kramer for unequal standard errors); Holm's step-down, its intervals
        Bonferroni's; or not at all.
    level : float
        Of the intervals, simultaneous if adjusted.

    Raises
    ------
    DeclarationError
        As `marginal_means`, and for an unknown adjustment or a single cell.
    FitError
        As `marginal_means`, also for means that were read from disk.

    Examples
    --------
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "arm": ["a", "a", "b", "b", "c", "c"]})
    >>> found = pairwise(fit("y ~ arm", data), "arm").table
    >>> found[["contrast", "estimate", "p"]].round(3)
      contrast  estimate      p
    0    a - b      -2.0  0.259
    1    a - c      -5.5  0.024
    2    b - c      -3.5  0.078
    """
    if adjust not in _ADJUSTMENTS:
        raise DeclarationError(
            Problem(
                f"unknown adjustment '{adjust}'",
                where="pairwise(adjust=...)",
                allowed=", ".join(_ADJUSTMENTS),
                way_out=did_you_mean(adjust, _ADJUSTMENTS),
            )
        )
    means, fit = _means(source, over, by, at)
    families = _families(means)
    pairs = [pair for family in families for pair in itertools.combinations(family, 2)]
    found = combine(fit, np.array([means.weights[i] - means.weights[j] for i, j in pairs]))
    p, half = _simultaneous(adjust, found, len(families[0]), level)
    names = tuple((_name(means, i), _name(means, j)) for i, j in pairs)
    numbers = zip(names, found.values, found.se, found.df, strict=True)
    return Comparisons(
        means.over,
        means.by,
        adjust,
        names,
        tuple({name: means.cells[i][name] for name in means.by} for i, _ in pairs),
        tuple(
            Estimate(f"{first} - {second}", float(value), float(se), float(df))
            for (first, second), value, se, df in numbers
        ),
        p,
        found.values - half,
        found.values + half,
        level,
    )


def _means(
    source: MarginalMeans | Fit,
    over: str | Sequence[str] | None,
    by: str | Sequence[str] | None,
    at: Mapping[str, Level | Sequence[Level]] | None,
) -> tuple[MarginalMeans, Fit]:
    if isinstance(source, Fit):
        if over is None:
            raise DeclarationError(Problem("no factor is named", where="pairwise(over)"))
        return marginal_means(source, over, by=by, at=at), source
    if source.fit is None:
        raise FitError(
            Problem(
                "these means do not remember their fit",
                where=f"means over {', '.join(source.over)}",
                way_out="Take them again with marginal_means in this session.",
            )
        )
    if by is not None or at is not None:
        raise DeclarationError(
            Problem(
                "means bring their own by and at",
                where="pairwise(by, at)",
                way_out="Leave them out.",
            )
        )
    if over is None:
        return source, source.fit
    named = (over,) if isinstance(over, str) else tuple(over)
    own = (*source.over, *source.by)
    others = [name for name in own if name not in named]
    if len(others) + len(named) != len(own):
        raise DeclarationError(
            Problem(
                "the means do not tell all of these apart",
                where="pairwise(over)",
                found=", ".join(named),
                allowed=", ".join(own),
            )
        )
    return marginal_means(source.fit, named, by=others, at=source.at), source.fit


def _families(means: MarginalMeans) -> list[range]:
    """Places of the means that are compared with one another: a cell of `by` each."""
    size = sum(
        [means.cells[0][b] for b in means.by] == [c[b] for b in means.by] for c in means.cells
    )
    if size < 2:
        raise DeclarationError(
            Problem(
                "a single mean has nothing to be compared with",
                where="pairwise(over)",
                found=", ".join(means.over),
            )
        )
    return [range(start, start + size) for start in range(0, len(means.cells), size)]


def _name(means: MarginalMeans, i: int) -> str:
    return ", ".join(level_text(means.cells[i][name]) for name in means.over)


def _simultaneous(
    adjust: Adjustment, found: Combined, means: int, level: float
) -> tuple[FloatArray, FloatArray]:
    """Adjusted p values and half widths for families of all pairs of some means."""
    tests = means * (means - 1) // 2
    if adjust == "tukey":
        spread = math.sqrt(2.0) * np.abs(found.values) / found.se
        p = stats.studentized_range.sf(spread, means, found.df)
        df, place = np.unique(found.df, return_inverse=True)
        critical = stats.studentized_range.ppf(level, means, df)[place] / math.sqrt(2.0)
    elif adjust == "holm":
        raw = p_two_sided(found.values, found.se, found.df).reshape(-1, tests)
        p = np.concatenate([holm(family) for family in raw])
        critical = stats.t.ppf(1.0 - (1.0 - level) / (2.0 * tests), found.df)
    else:
        p = p_two_sided(found.values, found.se, found.df)
        critical = stats.t.ppf(0.5 + level / 2.0, found.df)
    return np.asarray(p), np.asarray(critical * found.se)
