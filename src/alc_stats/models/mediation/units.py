"""The same chain with every unit as one row, resampled: no model of rows, no distribution.

Within groups each group's own two regressions give a_j and b_j, whose errors are independent, so
that the mean of a_j * b_j holds the covariance of slopes by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError
from alc_stats.inference.bootstrap_draws import BootstrapDraws
from alc_stats.inference.cluster_bootstrap import weighted_cluster_bootstrap
from alc_stats.inference.resamples import Resamples
from alc_stats.models.mediation.data import MediationData
from alc_stats.models.mediation.effects import Effect
from alc_stats.records import FloatArray

DRAWS = 1999
FEWEST_UNITS = 6
"""Fewer differ in too few resamples for percentiles to mean anything."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitChain:
    """The indirect effect over units, how many could be used, and draws that told nothing."""

    effect: Effect
    used: int
    lost_draws: int


def unit_bootstrap(d: MediationData, *, seed: int) -> UnitChain | None:
    """Resample units, within arms where treatment is a unit's own.

    None with fewer than six units, with two mediators within groups, or where resamples do not
    determine the paths.
    """
    if d.design == "within" and len(d.mediators) > 1:
        return None
    made = _products(d) if d.design == "within" else _unit_rows(d)
    if len(made) < FEWEST_UNITS:
        return None
    try:
        drawn = _resampled(made, seed)
    except FitError:
        return None
    kept = drawn.draws[np.isfinite(drawn.draws)]
    return UnitChain(Effect(float(drawn.observed[0]), kept), len(made), drawn.failed)


def _resampled(made: FloatArray, seed: int) -> BootstrapDraws:
    units = np.arange(len(made))
    if made.ndim == 1:
        return weighted_cluster_bootstrap(
            units, lambda r: {"indirect": r.mean(made)}, draws=DRAWS, seed=seed
        )
    arms = made[:, 0] if np.unique(made[:, 0]).size == 2 else None
    return weighted_cluster_bootstrap(
        units, lambda r: {"indirect": indirect(r, made)}, strata=arms, draws=DRAWS, seed=seed
    )


def indirect(drawn: Resamples, table: FloatArray) -> FloatArray:
    """Product of the links in every resample of a table of treatment, mediators and outcome."""
    product = np.ones(len(drawn.counts))
    before = np.column_stack([np.ones(len(table)), table[:, 0]])
    for column in table[:, 1:].T:
        product = product * drawn.least_squares(before, column)[:, -1]
        before = np.column_stack([before, column])
    return product


def _unit_rows(d: MediationData) -> FloatArray:
    """Treatment, mediators and outcome of every unit: means, or changes of means; (U, 2 + M)."""
    columns = [*d.mediators, "y"]
    if d.design != "changes":
        return d.rows.groupby("unit")[["treated", *columns]].mean().to_numpy(dtype=float)
    before, after = (
        d.rows.loc[d.rows["post"] == p].groupby("unit")[columns].mean() for p in (0.0, 1.0)
    )
    change = after - before
    treated = d.rows.groupby("unit")["treated"].first()
    table = np.column_stack([treated, change.reindex(treated.index)[columns]])
    return np.asarray(table[np.isfinite(table).all(axis=1)], dtype=float)


def _products(d: MediationData) -> FloatArray:
    """a_j * b_j of every group in which both can be told."""
    rows = d.rows[["unit", "x_rest", "m1_rest", "y"]].sort_values("unit", kind="stable")
    cuts = np.flatnonzero(rows["unit"].ne(rows["unit"].shift()).to_numpy())[1:]
    groups = np.split(rows[["x_rest", "m1_rest", "y"]].to_numpy(dtype=float), cuts)
    return np.array([p for g in groups if (p := _product(g)) is not None])


def _product(group: FloatArray) -> float | None:
    x, m, y = group.T
    both = np.column_stack([np.ones(len(group)), x, m])
    if len(group) < 4 or np.linalg.matrix_rank(both) < 3:
        return None
    a = np.linalg.lstsq(both[:, :2], m, rcond=None)[0][1]
    return float(a * np.linalg.lstsq(both, y, rcond=None)[0][2])
