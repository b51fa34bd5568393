"""Correlations of what scales measure, corrected for how reliably they measure it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError
from alc_stats.measures.columns import require
from alc_stats.measures.one_factor import influence, one_factor
from alc_stats.measures.scales import keyed_answers
from alc_stats.records import FloatArray, Number, Phrase

_FAILED = (
    "The corrected correlation is {value} (observed {r}, reliabilities {reliability_x} and "
    "{reliability_y}), which no correlation can be: the measurement model fails for these scales, "
    "for instance because errors go together across them or a scale has more than one factor. "
    "It is not truncated, and no claim should rest on it."
)
_HOLDS = (
    "The observed correlation {r} becomes {value} where both scales, of reliability "
    "{reliability_x} and {reliability_y}, are free of error."
)


@dataclass(frozen=True, slots=True)
class Measure:
    """A scale as `score` and `reliability` know it.

    Attributes
    ----------
    items : tuple of str
        Three or more, unless `reliability` is given; the score is their mean.
    range : (lowest, highest) possible answer
    reversed_items : tuple of str
    reliability : float or None
        Of the score, where it is known from elsewhere (a test of one score): it is then taken as
        exact. By default omega of these data.
    """

    items: tuple[str, ...]
    range: tuple[float, float]
    reversed_items: tuple[str, ...] = ()
    reliability: float | None = None


@dataclass(frozen=True, slots=True)
class Disattenuated:
    """A correlation corrected for unreliability (Spearman 1904).

    Attributes
    ----------
    value, se, df : float
        Corrected correlation, never truncated; delta method; clusters (or rows) less one.
    r : float
        As observed.
    reliability_x, reliability_y : float
    n, left_out : int
        Rows with all answers, and those without.
    """

    value: float
    se: float
    df: float
    r: float
    reliability_x: float
    reliability_y: float
    n: int
    left_out: int

    @property
    def failed(self) -> bool:
        """Whether the corrected correlation lies beyond 1: a failure of the measurement model."""
        return abs(self.value) > 1.0

    @property
    def sentence(self) -> Phrase:
        """What was found, or that the model failed."""
        shown = {
            name: Number(float(getattr(self, name)), "ratio")
            for name in ("value", "r", "reliability_x", "reliability_y")
        }
        return Phrase(_FAILED if self.failed else _HOLDS, shown)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Symmetric t interval; it may reach beyond 1, where the data allow a failing model."""
        from scipy import stats

        half = float(stats.t.ppf(0.5 + level / 2.0, self.df)) * self.se
        return self.value - half, self.value + half


def disattenuated(
    frame: pd.DataFrame,
    x: Measure,
    y: Measure,
    *,
    cluster: str | None = None,
    within: str | None = None,
) -> Disattenuated:
    """Correlation of two scales divided by the root of the product of their reliabilities.

    Omega is computed from the rows given: for a comparison of groups call it for each, since a
    scale may be less reliable in one of them, and the observed correlations then differ for that
    alone. The standard error counts the uncertainty of the correlation and of both omegas
    together; it needs no normal answers.

    A mandate that narrows the spread of x changes every correlation, whatever happens to the
    coupling: compare slopes as well.

    Parameters
    ----------
    frame : DataFrame
        One row a person (or occasion: then `cluster` is the person or above).
    x, y : Measure
    cluster : str, optional
        Column of clusters whose rows may go together.
    within : str, optional
        Column of groups (firms, waves) whose means are taken out of every item first: the
        correlation of persons within groups.

    Raises
    ------
    DeclarationError
        For unknown columns, items in both scales, fewer than three items without a known
        reliability, or a reliability outside (0, 1].
    TableError
        For answers outside the range, fewer than four complete rows, or a constant score.
    FitError
        If a scale's one-factor model cannot be fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> trait = rng.normal(size=400)
    >>> people = pd.DataFrame({f"a{i}": trait + rng.normal(size=400) for i in range(3)})
    >>> people["test"] = 0.6 * trait + 0.8 * rng.normal(size=400)
    >>> found = disattenuated(people, Measure(("a0", "a1", "a2"), (-9, 9)),
    ...                       Measure(("test",), (-9, 9), reliability=0.9))
    >>> round(found.r, 2), round(found.reliability_x, 2), round(found.value, 2)
    (0.51, 0.72, 0.63)
    """
    _check(frame, x, y, cluster, within)
    items = [*x.items, *y.items]
    answers = pd.concat([_keyed(frame, x), _keyed(frame, y)], axis=1)
    groups = [name for name in (cluster, within) if name is not None]
    complete = answers.notna().all(axis=1) & frame[groups].notna().all(axis=1)
    if complete.sum() < 4:
        raise TableError(
            Problem("too few rows answer every item", where=f"scales of {', '.join(items)}",
                    found=str(int(complete.sum())), allowed="4 or more")
        )  # fmt: skip
    used = answers[complete]
    if within is not None:
        used = used - used.groupby(frame.loc[complete, within]).transform("mean")
    first, second = _part(used, x), _part(used, y)
    codes = None if cluster is None else pd.factorize(frame.loc[complete, cluster])[0]
    return _corrected(first, second, codes, len(frame))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A scale's standardised score (n,), its reliability, and what every row adds to that."""

    score: FloatArray
    reliability: float
    influence: FloatArray


def _corrected(x: _Part, y: _Part, codes: np.ndarray | None, read: int) -> Disattenuated:
    n = len(x.score)
    r = float(np.mean(x.score * y.score))
    root = math.sqrt(x.reliability * y.reliability)
    value = r / root
    own = x.score * y.score - r * (x.score**2 + y.score**2) / 2.0
    unreliable = x.influence / x.reliability + y.influence / y.reliability
    every = own / root - value * unreliable / 2.0
    sums = every if codes is None else np.bincount(codes, every)
    G = len(sums)
    se = math.sqrt(G / (G - 1.0) * float(sums @ sums)) / n
    return Disattenuated(value, se, G - 1.0, r, x.reliability, y.reliability, n, read - n)


def _part(used: pd.DataFrame, measure: Measure) -> _Part:
    values = used[list(measure.items)].to_numpy(float)
    score = values.mean(axis=1)
    if not score.std() > 0.0:
        raise TableError(
            Problem("the score is constant", where=f"scale of {', '.join(measure.items)}")
        )
    standard = (score - score.mean()) / score.std()
    if measure.reliability is not None:
        return _Part(standard, measure.reliability, np.zeros(len(score)))
    model = one_factor(values, measure.items)
    return _Part(standard, model.omega, influence(model, values))


def _keyed(frame: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    return keyed_answers(
        frame, measure.items, reversed_items=measure.reversed_items, bounds=measure.range
    )


def _check(
    frame: pd.DataFrame, x: Measure, y: Measure, cluster: str | None, within: str | None
) -> None:
    where = "disattenuated(...)"
    require(frame, [name for name in (cluster, within) if name is not None], where=where)
    problems = [problem for measure in (x, y) for problem in _wrong(measure, where)]
    shared = sorted(set(x.items) & set(y.items))
    if shared:
        problems.append(
            Problem("an item belongs to both scales, so their errors go together", where=where,
                    found=", ".join(shared))
        )  # fmt: skip
    if problems:
        raise DeclarationError(*problems)


def _wrong(measure: Measure, where: str) -> Sequence[Problem]:
    known = measure.reliability
    if known is None and len(measure.items) < 3:
        return [
            Problem("omega needs three items or more", where=where,
                    found=", ".join(measure.items),
                    way_out="Give the score's reliability: Measure(..., reliability=0.8).")
        ]  # fmt: skip
    if known is not None and not 0.0 < known <= 1.0:
        return [
            Problem("the reliability is not above 0 and up to 1", where=where, found=str(known))
        ]
    return []
