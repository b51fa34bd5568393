"""Padding of groups: how reliable its signs are, what they share, and where they rose."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.measures.jackknife import Jackknifed, jackknifed
from alc_stats.records import FloatArray, IntArray

FEWEST = 5
"""Persons behind every number."""


@dataclass(frozen=True, slots=True)
class Index:
    """What could be padding, as one number a person and period."""

    name: str
    meaning: str
    of: str
    out_of: str
    unit: str = "share"


INDICES = (
    Index("repeated", "prompts sent before in the same period", "repeat_prompts", "prompts"),
    Index("late", "tokens of the period's end", "tokens_late", "tokens"),
    Index("after_hours", "prompts after hours", "after_hours_prompts", "prompts"),
    Index("bursts", "prompts beyond the first in a minute", "burst_prompts", "prompts"),
    Index("tokens_per_accepted", "tokens per accepted output, one added to these, logarithm",
          "tokens", "accepted", "log"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaddingCell:
    """One index in one arm and phase; all None where fewer than five persons are behind it.

    Attributes
    ----------
    index, arm, phase : str
    persons, firms : int or None
    mean, low, high : float or None
        Of persons' means, with a 95 % interval from leaving out firms.
    icc, icc_low, icc_high : float or None
        ICC(C,1): how far one period of a person tells another, periods' means taken off.
    reliability, reliability_low, reliability_high : float or None
        Of a person's mean over the phase: odd with even periods, by Spearman and Brown.
    """

    index: str
    arm: str
    phase: str
    persons: int | None = None
    firms: int | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    icc: float | None = None
    icc_low: float | None = None
    icc_high: float | None = None
    reliability: float | None = None
    reliability_low: float | None = None
    reliability_high: float | None = None


@dataclass(frozen=True, slots=True)
class PaddingChange:
    """How much an index rose among mandated firms, less how much it rose elsewhere."""

    index: str
    value: float
    low: float
    high: float
    df: float
    unit: str


@dataclass(frozen=True, slots=True)
class PaddingPair:
    """Correlation of two indices over persons' means, those of arm and phase taken off."""

    first: str
    second: str
    persons: int
    r: float
    low: float
    high: float


def places(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Arms and phases, in the order they are read."""
    there = set(zip(rows["arm"], rows["phase"], strict=True))
    every = itertools.product(("all", "mandated", "never"), ("all", "before", "after"))
    return [at for at in every if at in there]


def cell_of(rows: pd.DataFrame, index: Index, arm: str, phase: str) -> PaddingCell:
    """Mean and reliability of an index in an arm and phase."""
    own = rows[(rows["arm"] == arm) & (rows["phase"] == phase)].dropna(subset=[index.name])
    person = _coded(own, ["firm_id", "person_id"])
    if own.empty or person.max() + 1 < FEWEST:
        return PaddingCell(index.name, arm, phase)
    firm = pd.factorize(own["firm_id"])[0]
    firm_of = np.zeros(person.max() + 1, dtype=np.int64)
    firm_of[person] = firm
    value = own[index.name].to_numpy(dtype=float)
    mean = jackknifed(_by_firm(firm_of, _mean_of(value, person)), lambda s: s[:, 1] / s[:, 0])
    period = _coded(own, ["period"])
    away = value - _average(value, period)[period]
    icc = jackknifed(_by_firm(firm_of, _icc_parts(away, person)), _icc(int(period.max()))).through(
        math.tanh
    )
    split = _split_half(away, person, period, firm_of)
    numbers_of = (x for found in (mean, icc, split) for x in (found.value, found.low, found.high))
    shown = [None if math.isnan(x) else x for x in numbers_of]
    return PaddingCell(index.name, arm, phase, len(firm_of), int(firm.max()) + 1, *shown)


def _coded(rows: pd.DataFrame, keys: list[str]) -> IntArray:
    return np.asarray(rows.groupby(keys).ngroup(), dtype=np.int64)


def _by_firm(firm_of: IntArray, parts: Sequence[FloatArray]) -> FloatArray:
    """Sums over the persons of every firm, their number first: (G, m)."""
    columns = [np.ones(len(firm_of)), *parts]
    return np.column_stack([np.bincount(firm_of, c) for c in columns])


def _average(value: FloatArray, group: IntArray) -> FloatArray:
    return np.asarray(np.bincount(group, value) / np.bincount(group))


def _mean_of(value: FloatArray, person: IntArray) -> list[FloatArray]:
    return [_average(value, person)]


def _icc_parts(away: FloatArray, person: IntArray) -> list[FloatArray]:
    """Of every person: periods n, n^2, n times mean and mean squared, squares about the mean."""
    n, mean = np.bincount(person).astype(float), _average(away, person)
    within = np.bincount(person, (away - mean[person]) ** 2)
    return [n, n**2, n * mean, n * mean**2, within]


def _icc(more_periods: int) -> Callable[[FloatArray], FloatArray]:
    """ICC(C,1) on Fisher's scale, from sums; every period beyond the first has taken a mean off."""

    def found(s: FloatArray) -> FloatArray:
        persons, n, squares, total, between, within = s.T
        between = (between - total**2 / n) / (persons - 1.0)
        left = n - persons - more_periods
        error = np.where(left > 0.0, within / np.where(left > 0.0, left, 1.0), np.nan)
        usual = (n - squares / n) / (persons - 1.0)
        icc = (between - error) / (between + (usual - 1.0) * error)
        return np.asarray(np.arctanh(icc), dtype=float)

    return found


def _split_half(
    away: FloatArray, person: IntArray, period: IntArray, firm_of: IntArray
) -> Jackknifed:
    """Reliability of a person's mean over the phase, from its odd and its even periods."""
    halves = [period % 2 == side for side in (0, 1)]
    counts = [np.bincount(person[h], minlength=len(firm_of)) for h in halves]
    both = (counts[0] > 0) & (counts[1] > 0)
    if both.sum() < FEWEST:
        return Jackknifed(math.nan, math.nan, math.nan, math.nan)
    a, b = (
        (np.bincount(person[h], away[h], len(firm_of)) / np.maximum(n, 1))[both]
        for h, n in zip(halves, counts, strict=True)
    )
    sums = _by_firm(firm_of[both], [a, b, a * a, b * b, a * b])
    found = jackknifed(sums[sums[:, 0] > 0], _fisher)
    return found.through(_stepped_up)


def _stepped_up(z: float) -> float:
    """Spearman and Brown's reliability of both halves; none where they are exactly opposed."""
    r = math.tanh(z)
    return 2.0 * r / (1.0 + r) if r > -1.0 else math.nan


def _fisher(s: FloatArray) -> FloatArray:
    """Correlation on Fisher's scale from numbers, sums, squares and products."""
    n, a, b, aa, bb, ab = s.T
    r = (ab - a * b / n) / np.sqrt((aa - a**2 / n) * (bb - b**2 / n))
    return np.asarray(np.arctanh(r))


def changes(rows: pd.DataFrame, known: Sequence[Index]) -> Iterator[PaddingChange]:
    """Differences in differences, where five persons are in every arm and phase."""
    if "mandated" not in set(rows["arm"]):
        return
    for index in known:
        means = _means(rows, [index.name])
        people = means.groupby(["arm", "phase"]).size()
        firms = means.groupby("arm")["firm_id"].nunique()
        if len(people) < 4 or people.min() < FEWEST or firms.min() < 2:
            continue
        firm, names = pd.factorize(means["firm_id"])
        cell = (2 * (means["arm"] == "never") + (means["phase"] == "after")).to_numpy()
        at = firm * 4 + cell
        value = means[index.name].to_numpy(dtype=float)
        sums = [np.bincount(at, x, 4 * len(names)) for x in (np.ones(len(at)), value)]
        arm = np.zeros(len(names), dtype=np.int64)
        arm[firm] = cell // 2
        found = jackknifed(
            np.hstack([x.reshape(-1, 4) for x in sums]), _difference_in_differences, strata=arm
        )
        if not math.isnan(found.low):
            yield PaddingChange(index.name, found.value, found.low, found.high, found.df,
                                index.unit)  # fmt: skip


def _difference_in_differences(s: FloatArray) -> FloatArray:
    before, after, never_before, never_after = (s[:, 4:] / s[:, :4]).T
    return np.asarray(after - before - never_after + never_before)


def pairs(rows: pd.DataFrame, names: Sequence[str]) -> Iterator[PaddingPair]:
    """Correlations over persons' means."""
    for first, second in itertools.combinations(names, 2):
        means = _means(rows, [first, second])
        place = means.groupby(["arm", "phase"])
        kept = means[place["firm_id"].transform("size") >= FEWEST]
        if kept.empty:
            continue
        away = kept[[first, second]] - place[[first, second]].transform("mean").loc[kept.index]
        a, b = away.to_numpy(dtype=float).T
        firm = pd.factorize(kept["firm_id"])[0]
        found = jackknifed(_by_firm(firm, [a, b, a * a, b * b, a * b]), _fisher).through(math.tanh)
        persons = len(kept[["firm_id", "person_id"]].drop_duplicates())
        if not math.isnan(found.low):
            yield PaddingPair(first, second, persons, found.value, found.low, found.high)


def _means(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Persons' means of a phase, of periods that have every value."""
    whole = rows.dropna(subset=list(names))
    keys = ["arm", "phase", "firm_id", "person_id"]
    return whole.groupby(keys, as_index=False)[list(names)].mean()
