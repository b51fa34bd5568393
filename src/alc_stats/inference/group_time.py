"""Effects by cohort and period under staggered adoption, each with its influence functions.

Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230; with covariates, Sant'Anna and
Zhao (2020), Journal of Econometrics 219, 101-122. No unit that is already treated is ever a
control, which is what two-way fixed effects get wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.inference.conditional_effects import Conditional, conditional_effect
from alc_stats.inference.group_time_permuted import complete_cells, gapped_cells
from alc_stats.records import FloatArray, IntArray

Controls = Literal["never", "not_yet"]
Base = Literal["varying", "universal"]
NEVER = np.iinfo(np.int64).max // 4
"""Adoption of a unit that never starts."""
Cell = tuple[int, int, int]
"""Cohort, period, and period compared with."""
_FEWEST = 2
"""Units of a cohort behind a cell where the cohort has as many."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GroupTimes:
    """ATT(g, t) of every cohort g and period t.

    Attributes
    ----------
    group, period, base : array (K,)
        Places of the cohort's first treated period, of the period, and of the period that is
        compared with.
    value : array (K,)
    influence : array (n, K)
        Of every unit; the standard error is the root of the sum of squares, over n.
    adoption : array (n,)
        Place of the first treated period of every unit; `NEVER` for none.
    clusters : array (n,)
        Codes of what was assigned as a whole.
    controls : array (K,)
        Units compared with.
    gaps : bool
        Whether units are behind some cells and not behind others.
    """

    group: IntArray
    period: IntArray
    base: IntArray
    value: FloatArray
    influence: FloatArray
    adoption: IntArray
    clusters: IntArray
    controls: IntArray
    gaps: bool = False

    @property
    def event(self) -> IntArray:
        """Periods since the start."""
        return self.period - self.group

    @property
    def shares(self) -> FloatArray:
        """Share of units (K,) that the cell's cohort has."""
        return np.array([np.mean(self.adoption == g) for g in self.group], dtype=float)

    def minus(self, other: GroupTimes) -> GroupTimes:
        """The contrast of two outcomes of the same units, with its joint influence functions."""
        return GroupTimes(
            self.group, self.period, self.base, self.value - other.value,
            self.influence - other.influence, self.adoption, self.clusters, self.controls,
            self.gaps or other.gaps,
        )  # fmt: skip


def group_times(
    outcomes: FloatArray,
    adoption: IntArray,
    *,
    clusters: IntArray | None = None,
    covariates: FloatArray | None = None,
    method: Conditional = "regression",
    controls: Controls = "never",
    base: Base = "varying",
    anticipation: int = 0,
) -> GroupTimes:
    """Every ATT(g, t) that the panel identifies.

    Parameters
    ----------
    outcomes : array (n, T)
        Units by periods. Where one is missing (nan), each cell takes the units seen in both of its
        periods, and two of the cohort at least unless it has one alone.
    adoption : array (n,)
        Place (0 to T - 1) of a unit's first treated period; `NEVER` for none. Units treated from
        the first period on have no period before and must not be among them.
    clusters : array (n,), optional
        Codes; units by default.
    covariates : array (n, k), optional
        Measured before; without an intercept.
    method : {"regression", "weighting", "doubly_robust"}
        How covariates are held; all the same without them.
    controls : {"never", "not_yet"}
        Who is compared with; not yet treated ones include the never treated.
    base : {"varying", "universal"}
        Before the start, compare with the period before, or with the last one before the start.
    anticipation : int
        Periods before the start in which units may already react; they are not compared with.

    Returns
    -------
    GroupTimes
        Cells without a control or without a period before are not among them.

    Raises
    ------
    FitError
        If no cell is left.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, 1.0], [3.0, 4.0]])
    >>> found = group_times(y, np.array([1, 1, NEVER, NEVER]))
    >>> found.value.tolist(), found.group.tolist(), found.period.tolist()
    ([1.0], [1], [1])
    """
    cells = cells_of(adoption, outcomes.shape[1], base, anticipation)
    made: list[tuple[int, int, int, float, FloatArray, int]] = []
    for g, t, b in cells:
        change = outcomes[:, t] - outcomes[:, b]
        seen, cohort = np.isfinite(change), adoption == g
        compared = controls_of(adoption, g, max(t, b), controls, anticipation) & seen
        if not compared.any() or (cohort & seen).sum() < min(cohort.sum(), _FEWEST):
            continue
        value, psi = _effect(change, cohort & seen, compared, covariates, method)
        if not seen.all():
            psi = psi * _small_samples(adoption, (cohort & seen) | compared)
        made.append((g, t, b, value, psi, int(compared.sum())))
    if not made:
        raise FitError(Problem(
            "no cohort has both a period before its start and a unit to compare it with",
            way_out="Add units that never start or start later, or periods before the first start.",
        ))  # fmt: skip
    places = np.array([m[:3] for m in made], dtype=np.int64)
    return GroupTimes(
        places[:, 0], places[:, 1], places[:, 2], np.array([m[3] for m in made]),
        np.column_stack([m[4] for m in made]), adoption,
        np.arange(len(adoption)) if clusters is None else clusters,
        np.array([m[5] for m in made]), bool(np.isnan(outcomes).any()),
    )  # fmt: skip


def _small_samples(adoption: IntArray, used: np.ndarray) -> FloatArray:
    """Makes c / (c - 1) of each cohort's part of the variance that of the units used (n,)."""
    place = np.unique(adoption, return_inverse=True)[1]
    c = np.bincount(place).astype(float)
    s = np.bincount(place[used], minlength=len(c)).astype(float)
    part = (s > 1.0) & (s < c)
    factor = np.ones_like(c)
    s, c = s[part], c[part]
    factor[part] = np.sqrt(s * (c - 1.0) / ((s - 1.0) * c))
    return np.asarray(factor[place])


def cells_of(adoption: IntArray, periods: int, base: Base, anticipation: int) -> list[Cell]:
    """Every cell, cohort by cohort."""
    cells = []
    for g in np.unique(adoption[adoption < NEVER]).tolist():
        last = g - 1 - anticipation
        if last < 0:
            continue
        for t in range(periods):
            b = t - 1 if base == "varying" and t <= last else last
            if b >= 0 and b != t:
                cells.append((g, t, b))
    return cells


def controls_of(
    adoption: IntArray, g: int, latest: int, controls: Controls, anticipation: int
) -> np.ndarray:
    """Units that are untreated up to `latest`, and do not react either."""
    if controls == "never":
        return np.asarray(adoption >= NEVER)
    return np.asarray((adoption > latest + anticipation) & (adoption != g))


def _effect(
    change: FloatArray,
    treated: np.ndarray,
    compared: np.ndarray,
    covariates: FloatArray | None,
    method: Conditional,
) -> tuple[float, FloatArray]:
    """The difference in mean changes and its influence functions (n,)."""
    n = len(change)
    if covariates is not None:
        used = treated | compared
        X = np.column_stack([np.ones(int(used.sum())), covariates[used]])
        value, own = conditional_effect(change[used], treated[used], X, method)
        psi = np.zeros(n)
        psi[used] = own * n / used.sum()
        return value, psi
    up, down = change[treated].mean(), change[compared].mean()
    psi = np.where(treated, change - up, 0.0) * (n / treated.sum())
    return float(up - down), psi - np.where(compared, change - down, 0.0) * (n / compared.sum())


def overall_values(
    outcomes: FloatArray,
    adoptions: IntArray,
    *,
    controls: Controls,
    anticipation: int,
) -> FloatArray:
    """The overall effect (mean of cohorts' mean effects) under each of many adoptions (B, n).

    Rows are the same adoption dates in another order, so that cohorts keep their sizes.
    """
    after = [c for c in cells_of(adoptions[0], outcomes.shape[1], "universal", anticipation)
             if c[1] >= c[0]]  # fmt: skip
    by_cohort: dict[int, list[FloatArray]] = {}
    for (g, _, _), effect in permuted_cells(outcomes, adoptions, after, controls, anticipation):
        by_cohort.setdefault(g, []).append(effect)
    means = [_weighted(effects, [1] * len(effects)) for effects in by_cohort.values()]
    return _weighted(means, [int(np.sum(adoptions[0] == g)) for g in by_cohort])


def early_values(
    outcomes: FloatArray,
    adoptions: IntArray,
    *,
    controls: Controls,
    anticipation: int,
) -> tuple[IntArray, FloatArray]:
    """Steps at every time before the start (m,) under each of many adoptions (B, n): (B, m)."""
    before = [c for c in cells_of(adoptions[0], outcomes.shape[1], "varying", anticipation)
              if c[1] < c[0] - anticipation]  # fmt: skip
    found: dict[int, list[tuple[int, FloatArray]]] = {}
    for (g, t, _), step in permuted_cells(outcomes, adoptions, before, controls, anticipation):
        found.setdefault(t - g, []).append((int(np.sum(adoptions[0] == g)), step))
    at = np.array(sorted(found), dtype=np.int64)
    means = [_weighted([v for _, v in found[e]], [w for w, _ in found[e]]) for e in at.tolist()]
    return at, np.column_stack(means) if means else np.empty((len(adoptions), 0))


def _weighted(values: list[FloatArray], weights: list[int]) -> FloatArray:
    """Mean of (B,) arrays; what nobody was seen for in an assignment counts nothing in it."""
    v, w = np.array(values), np.array(weights, dtype=float)[:, None]
    known = np.isfinite(v)
    size = (known * w).sum(axis=0)
    total: FloatArray = np.where(known, v * w, 0.0).sum(axis=0) / np.where(size > 0, size, np.nan)
    return total


def combined_values(
    outcomes: FloatArray,
    adoptions: IntArray,
    cells: GroupTimes,
    weights: FloatArray,
    *,
    controls: Controls,
    anticipation: int,
) -> FloatArray:
    """Weighted sums of the cells' effects (B, m), weights (K, m), under each of many adoptions."""
    used = np.any(weights != 0.0, axis=1)
    places = [cells.group[used].tolist(), cells.period[used].tolist(), cells.base[used].tolist()]
    made = np.zeros((len(adoptions), weights.shape[1]))
    each = permuted_cells(outcomes, adoptions, [*zip(*places, strict=True)], controls, anticipation)
    for (_, effect), own in zip(each, weights[used], strict=True):
        made += effect[:, None] * own
    return made


def permuted_cells(
    outcomes: FloatArray,
    adoptions: IntArray,
    cells: list[Cell],
    controls: Controls,
    anticipation: int,
) -> Iterator[tuple[Cell, FloatArray]]:
    """Effects (B,) of the cells that have controls, under each of many adoptions (B, n)."""
    dates = np.unique(adoptions[0])
    compared = [controls_of(dates, g, max(t, b), controls, anticipation) for g, t, b in cells]
    kept = [k for k, who in enumerate(compared) if who.any()]
    cells, who = [cells[k] for k in kept], [compared[k] for k in kept]
    each = gapped_cells if np.isnan(outcomes).any() else complete_cells
    return zip(cells, each(outcomes, adoptions, cells, who), strict=True)
