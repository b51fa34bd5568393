"""Effects by cohort and period under staggered adoption, each with its influence functions.

Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230; with covariates, Sant'Anna and
Zhao (2020), Journal of Econometrics 219, 101-122. No unit that is already treated is ever a
control, which is what two-way fixed effects get wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.inference.conditional_effects import Conditional, conditional_effect
from alc_stats.records import FloatArray, IntArray

Controls = Literal["never", "not_yet"]
Base = Literal["varying", "universal"]
NEVER = np.iinfo(np.int64).max // 4
"""Adoption of a unit that never starts."""


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
    """

    group: IntArray
    period: IntArray
    base: IntArray
    value: FloatArray
    influence: FloatArray
    adoption: IntArray
    clusters: IntArray
    controls: IntArray

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
        Units by periods, without gaps.
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
        compared = controls_of(adoption, g, max(t, b), controls, anticipation)
        if not compared.any():
            continue
        change = outcomes[:, t] - outcomes[:, b]
        value, psi = _effect(change, adoption == g, compared, covariates, method)
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
        np.array([m[5] for m in made]),
    )  # fmt: skip


def cells_of(
    adoption: IntArray, periods: int, base: Base, anticipation: int
) -> list[tuple[int, int, int]]:
    """(cohort, period, compared with), cohort by cohort."""
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
    psi = treated * (change - up) * (n / treated.sum())
    return float(up - down), psi - compared * (change - down) * (n / compared.sum())


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
    dates, sizes, sums = _cohort_sums(outcomes, adoptions)
    after = [c for c in cells_of(adoptions[0], outcomes.shape[1], "universal", anticipation)
             if c[1] >= c[0]]  # fmt: skip
    total, weight = np.zeros(len(adoptions)), 0.0
    for k, g in enumerate(dates.tolist()):
        effects = [
            _permuted_cell(sums, sizes, k, compared, t, b)
            for cohort, t, b in after
            if cohort == g and (compared := controls_of(dates, g, t, controls, anticipation)).any()
        ]
        if effects:
            total += sizes[k] * np.mean(effects, axis=0)
            weight += sizes[k]
    return total / weight


def early_values(
    outcomes: FloatArray,
    adoptions: IntArray,
    *,
    controls: Controls,
    anticipation: int,
) -> tuple[IntArray, FloatArray]:
    """Steps at every time before the start (m,) under each of many adoptions (B, n): (B, m)."""
    dates, sizes, sums = _cohort_sums(outcomes, adoptions)
    place = {g: k for k, g in enumerate(dates.tolist())}
    found: dict[int, list[tuple[int, FloatArray]]] = {}
    for g, t, b in cells_of(adoptions[0], outcomes.shape[1], "varying", anticipation):
        compared = controls_of(dates, g, max(t, b), controls, anticipation)
        if t < g - anticipation and compared.any():
            step = _permuted_cell(sums, sizes, place[g], compared, t, b)
            found.setdefault(t - g, []).append((int(sizes[place[g]]), step))
    at = np.array(sorted(found), dtype=np.int64)
    means = [
        np.average([v for _, v in found[e]], axis=0, weights=[w for w, _ in found[e]])
        for e in at.tolist()
    ]
    return at, np.column_stack(means) if means else np.empty((len(adoptions), 0))


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
    dates, sizes, sums = _cohort_sums(outcomes, adoptions)
    place = {g: k for k, g in enumerate(dates.tolist())}
    made = np.zeros((len(adoptions), weights.shape[1]))
    for k, (g, t, b) in enumerate(zip(cells.group, cells.period, cells.base, strict=True)):
        if np.any(weights[k]):
            compared = controls_of(dates, int(g), max(int(t), int(b)), controls, anticipation)
            step = _permuted_cell(sums, sizes, place[int(g)], compared, int(t), int(b))
            made += step[:, None] * weights[k]
    return made


def _cohort_sums(
    outcomes: FloatArray, adoptions: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Dates (D,), their numbers of units, and sums of outcomes (D, B, T) over their units."""
    dates, sizes = np.unique(adoptions[0], return_counts=True)
    return dates, sizes, np.array([(adoptions == g).astype(float) @ outcomes for g in dates])


def _permuted_cell(
    sums: FloatArray, sizes: IntArray, k: int, compared: np.ndarray, t: int, b: int
) -> FloatArray:
    """Effect (B,) on the k-th cohort in period t, compared with b."""
    steps = sums[:, :, t] - sums[:, :, b]
    down = steps[compared].sum(axis=0) / sizes[compared].sum()
    return np.asarray(steps[k] / sizes[k] - down)
