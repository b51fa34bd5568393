"""Sums of squares and products about a person's means of a period, by firm and cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd

from alc_stats.models.proxy.data import ProxyQuestion, ProxyRows
from alc_stats.records import BoolArray, FloatArray, IntArray

CELLS = ("treated_before", "treated_after", "never_before", "never_after")
MOST_ROUNDS = 200
CLOSE = 1e-9
"""Of a column's SD: nothing is left to take off."""
ROUNDING = 1e-10
"""SD of log use below which it is rounding."""
TAIL = 0.05
"""Share of a cell's rows beyond either end of the use that counts as its range."""
AT_QUOTA = (0.8, 1.04)
"""Amounts in quotas that are near it: where padding leaves a hole, and where it makes a heap."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Of one set of rows and columns.

    Attributes
    ----------
    products : array (G, 4, k, k)
        Of columns about their means, in each firm and cell.
    totals : array (G, 4, k)
        Of the columns as they are.
    rows : array (G, 4)
    freedom : array (G, 4)
        Rows less one a person and period.
    """

    products: FloatArray
    totals: FloatArray
    rows: FloatArray
    freedom: FloatArray

    @property
    def size(self) -> IntArray:
        """Rows of every cell (4,)."""
        return np.asarray(self.rows.sum(axis=0), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ProxyData:
    """What every slope and loading follows from.

    Attributes
    ----------
    question : ProxyQuestion
    treated : bool array (G,)
    sums : dict of str to Sums
        "use": log use and quality. "common": the same and squared log use, where the range of use
        is that of all four cells. "halves": both halves' logs and quality. "ratings": log use
        and both ratings. "control": log use and quality of tasks that do not count.
        "elsewhere": without weeks at the quota. "indicators": log use and the others. "ends":
        quality at either end of what was seen.
    rows, left_out : int
    low, high : float
        Log use that the four cells share.
    shared : float
        Smallest share of a cell's rows within.
    """

    question: ProxyQuestion
    treated: BoolArray
    sums: dict[str, Sums]
    rows: int
    left_out: int
    low: float
    high: float
    shared: float

    @property
    def flat(self) -> bool:
        """Whether use does not vary within persons in some cell."""
        use = self.sums["use"]
        squares, freedom = use.products[:, :, 0, 0].sum(axis=0), use.freedom.sum(axis=0)
        return bool((squares <= ROUNDING**2 * freedom).any())


def summed(found: ProxyRows) -> ProxyData:
    """Everything that was asked for."""
    q, every = found.question, found.rows
    code, names = pd.factorize(every["firm"], sort=True)
    every = every.assign(code=code, cell=_cells(every))
    own = every[every["control"] == 0.0] if q.control_tasks else every
    low, high, shared = _common(own)
    common = own[own["x"].between(low, high)]
    ends = own["y"].isin([own["y"].min(), own["y"].max()]).astype(float)
    sets = {
        "use": (own, ["x", "y"]),
        "ends": (own.assign(end=ends), ["end"]),
    }
    if len(common):
        away = common["x"] - common.groupby("cell")["x"].mean().mean()
        sets["common"] = (common.assign(square=away**2), ["x", "y", "square"])
    if q.halves:
        sets["halves"] = (own.dropna(subset=["h0", "h1"]), ["h0", "h1", "y"])
    if q.second_rating:
        sets["ratings"] = (own.dropna(subset=["again"]), ["x", "y", "again"])
    if q.control_tasks:
        sets["control"] = (every[every["control"] == 1.0], ["x", "y"])
    if q.quota:
        near = own["quotas"].between(*AT_QUOTA) & (own["cell"] == 1)
        sets["elsewhere"] = (own[~near], ["x", "y"])
    if q.indicators:
        others = [f"z{i}" for i in range(len(q.indicators))]
        sets["indicators"] = (own.dropna(subset=others), ["x", *others])
    treated = np.bincount(code[every["mandated"] == 1.0], minlength=len(names)) > 0
    sums = {
        name: _sums(rows, columns, len(names))
        for name, (rows, columns) in sets.items()
        if name == "use" or _widespread(rows, treated)
    }
    return ProxyData(q, treated, sums, len(own), found.left_out, low, high, shared)


def _cells(rows: pd.DataFrame) -> IntArray:
    return (2 * (1 - rows["mandated"]) + rows["post"]).to_numpy().astype(np.int64)


def _common(rows: pd.DataFrame) -> tuple[float, float, float]:
    """Ends of log use that every cell has, and the smallest share of a cell's rows within."""
    use = rows.groupby("cell")["x"]
    low, high = float(use.quantile(TAIL).max()), float(use.quantile(1.0 - TAIL).min())
    inside = rows["x"].between(low, high).groupby(rows["cell"]).mean()
    return low, high, float(inside.min())


def _widespread(rows: pd.DataFrame, treated: BoolArray) -> bool:
    """Whether half of an arm's firms or more are in each of its cells: hardly any draw is empty."""
    firms = rows.groupby("cell")["code"].nunique().reindex(range(4), fill_value=0).to_numpy()
    sides = np.repeat([treated.sum(), (~treated).sum()], 2)
    return bool((2 * firms >= sides).all())


def _sums(rows: pd.DataFrame, columns: Sequence[str], firms: int) -> Sums:
    """The columns' products about their means, and their totals."""
    person = _coded(rows, ["firm", "person", "post"])
    wave = _coded(rows, ["mandated", "wave"])
    values = rows[list(columns)].to_numpy(dtype=float)
    away = _about_means(values, person, wave)
    k, at = len(columns), (rows["code"] * 4 + rows["cell"]).to_numpy()

    def added(own: FloatArray) -> FloatArray:
        return np.bincount(at, own, firms * 4).astype(float).reshape(firms, 4)

    products = np.empty((firms, 4, k, k))
    for i, j in combinations_with_replacement(range(k), 2):
        products[:, :, i, j] = products[:, :, j, i] = added(away[:, i] * away[:, j])
    totals = np.stack([added(own) for own in values.T], axis=-1)
    freedom = 1.0 - 1.0 / np.bincount(person)[person]
    return Sums(products, totals, added(np.ones(len(rows))), added(freedom))


def _coded(rows: pd.DataFrame, keys: list[str]) -> IntArray:
    return np.asarray(rows.groupby(keys, observed=True).ngroup(), dtype=np.int64)


def _about_means(values: FloatArray, person: IntArray, wave: IntArray) -> FloatArray:
    """The columns about the means of a person's period and of a wave in an arm (n, k).

    Taken off in turn until nothing is left to take, which is least squares with both (a swap of
    projections; with complete data the first round is enough).
    """
    away, still = values, CLOSE * (values.std(axis=0) + 1.0)
    for _ in range(MOST_ROUNDS):
        before = away
        for code in (person, wave):
            away = away - _means(away, code)[code]
        if not (np.abs(away - before) > still).any():
            break
    return away


def _means(values: FloatArray, code: IntArray) -> FloatArray:
    size = np.bincount(code)
    return np.column_stack([np.bincount(code, column) / size for column in values.T])
