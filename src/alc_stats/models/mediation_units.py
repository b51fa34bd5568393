"""The same chain with every unit as one row, resampled: no model of rows, no distribution.

Within groups each group's own two regressions give a_j and b_j, whose errors are independent, so
that the mean of a_j * b_j holds the covariance of slopes by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.models.mediation_data import MediationData
from alc_stats.models.mediation_effects import Effect
from alc_stats.records import FloatArray

DRAWS = 1999
FEWEST_UNITS = 6
"""Fewer differ in too few resamples for percentiles to mean anything."""
_CHUNK = 200_000_000


@dataclass(frozen=True, slots=True, eq=False)
class UnitChain:
    """The indirect effect over units, and how many could be used of how many there are."""

    effect: Effect
    used: int
    units: int
    lost_draws: int


def unit_bootstrap(d: MediationData, *, seed: int, draws: int = DRAWS) -> UnitChain | None:
    """Resample units, within arms where treatment is a unit's own; None with too few of them."""
    products = _products(d) if d.design == "within" else None
    table = None if d.design == "within" else _unit_rows(d)
    used = len(products) if products is not None else len(table) if table is not None else 0
    if used < FEWEST_UNITS:
        return None
    counts = _counts(None if table is None else table[:, 0], used, draws, seed)
    if products is not None:
        value, many = float(products.mean()), counts @ products / used
    else:
        assert table is not None
        value, many = float(_indirect(table, np.ones((1, used)))[0]), _indirect(table, counts)
    kept = many[np.isfinite(many)]
    return UnitChain(Effect(value, kept), used, d.units, draws - kept.size)


def _counts(treated: FloatArray | None, units: int, draws: int, seed: int) -> FloatArray:
    """How often each unit is drawn, (draws, units); as many of every arm as there are."""
    rng = np.random.default_rng(seed)
    binary = treated is not None and np.unique(treated).size == 2
    arms = treated if binary and treated is not None else np.zeros(units)
    counts = np.zeros((draws, units))
    for arm in np.unique(arms):
        here = np.flatnonzero(arms == arm)
        counts[:, here] = rng.multinomial(here.size, np.full(here.size, 1 / here.size), draws)
    return counts


def _unit_rows(d: MediationData) -> FloatArray:
    """Treatment, mediators and outcome of every unit: means, or changes of means; (U, 2 + M)."""
    columns = [*d.mediators, "y"]
    if d.design != "changes":
        return d.rows.groupby("unit")[["treated", *columns]].mean().to_numpy(dtype=float)
    cells = d.rows.groupby(["unit", "post"])[columns].mean().unstack("post")
    change = cells.xs(1.0, axis=1, level=1) - cells.xs(0.0, axis=1, level=1)
    treated = d.rows.groupby("unit")["treated"].first()
    table = np.column_stack([treated, change.loc[treated.index, columns]])
    return np.asarray(table[np.isfinite(table).all(axis=1)], dtype=float)


def _indirect(table: FloatArray, weights: FloatArray) -> FloatArray:
    """Product of the links for every row of weights (B, U); missing where it is not determined."""
    product = np.ones(len(weights))
    before = np.column_stack([np.ones(len(table)), table[:, 0]])
    for k in range(1, table.shape[1]):
        product = product * _last_slope(before, table[:, k], weights)
        before = np.column_stack([before, table[:, k]])
    return product


def _last_slope(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted least squares coefficient of the last column, (B,)."""
    p = x.shape[1]
    pairs = (x[:, :, None] * x[:, None, :]).reshape(len(x), p * p)
    gram = (weights @ pairs).reshape(-1, p, p)
    right = weights @ (x * y[:, None])
    scale = np.sqrt(np.einsum("bii->bi", gram))
    scaled = gram / np.where(scale[:, :, None] * scale[:, None, :] > 0, scale[:, :, None] * scale[:, None, :], 1.0)
    good = (scale > 0).all(axis=1)
    good &= np.linalg.eigvalsh(np.where(good[:, None, None], scaled, np.eye(p)))[:, 0] > 1e-10
    slope = np.full(len(weights), np.nan)
    slope[good] = np.linalg.solve(gram[good], right[good][:, :, None])[:, -1, 0]
    return slope


def _products(d: MediationData) -> FloatArray | None:
    """a_j * b_j of every group in which both can be told, for a chain of one mediator."""
    if len(d.mediators) != 1:
        return None
    rows = d.rows[["unit", "x_rest", "m1_rest", "y"]].sort_values("unit", kind="stable")
    cuts = np.flatnonzero(rows["unit"].ne(rows["unit"].shift()).to_numpy())[1:]
    groups = np.split(rows[["x_rest", "m1_rest", "y"]].to_numpy(dtype=float), cuts)
    return np.array([p for g in groups if (p := _product(g)) is not None])


def _product(group: FloatArray) -> float | None:
    x, m, y = group.T
    n = len(group)
    both = np.column_stack([np.ones(n), x, m])
    if n < 4 or np.linalg.matrix_rank(both) < 3:
        return None
    a = np.linalg.lstsq(both[:, :2], m, rcond=None)[0][1]
    return float(a * np.linalg.lstsq(both, y, rcond=None)[0][2])
