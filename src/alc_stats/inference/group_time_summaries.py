"""What group-time effects add up to, how sure one can be, and the test of the periods before.

Weights are shares of cohorts, which are estimated and so have influence functions of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import linalg, optimize, stats

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.kernels.wild_cluster import RADEMACHER
from alc_stats.inference.group_time import NEVER, GroupTimes
from alc_stats.records import FloatArray, IntArray

Over = Literal["simple", "group", "calendar", "dynamic"]
_CHUNK = 2_000_000
_SINGULAR = 1e-9
"""Cells that mirror each other (not-yet-treated controls) leave fewer directions than cells."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Summary:
    """Effects along cohorts, periods or time since the start, and over all.

    Attributes
    ----------
    over : {"simple", "group", "calendar", "dynamic"}
    at : array (m,)
        Places of cohorts or periods, or periods since the start; empty for "simple".
    value, se, df : array (m,)
        Standard errors are nan where one cluster alone is behind a value.
    influence : array (n, m)
    overall, overall_se, overall_df : float
    overall_influence : array (n,)
    """

    over: Over
    at: IntArray
    value: FloatArray
    se: FloatArray
    df: FloatArray
    influence: FloatArray
    overall: float
    overall_se: float
    overall_df: float
    overall_influence: FloatArray


def summarised(cells: GroupTimes, over: Over) -> Summary:
    """Callaway and Sant'Anna's aggregations.

    "simple" weights all cells after the start by their cohorts; "group" takes each cohort's mean
    over its periods, and cohorts by their size over all; "calendar" the cohorts treated in a
    period, and the mean of periods over all; "dynamic" the cohorts seen so long after (or before)
    their start, and the mean of all times from the start on over all.
    """
    after = cells.period >= cells.group
    if not after.any():
        raise FitError(Problem("no cohort is seen after its start with units to compare it with"))
    key = {"simple": None, "group": cells.group, "calendar": cells.period, "dynamic": cells.event}[
        over
    ]
    if key is None:
        at, parts = np.empty(0, dtype=np.int64), []
    else:
        at = np.unique(key[after] if over != "dynamic" else key)
        within = after if over != "dynamic" else np.ones_like(after)
        parts = [_part(cells, within & (key == k), estimated=over != "group") for k in at]
    value = np.array([v for v, _ in parts])
    psi = np.column_stack([p for _, p in parts]) if parts else np.empty((len(cells.adoption), 0))
    se, df = standard_errors(cells, psi)
    total, own = _total(cells, over, at, value, psi)
    total_se, total_df = standard_errors(cells, own[:, None])
    return Summary(over, at, value, se, df, psi, total, float(total_se[0]), float(total_df[0]), own)


def _part(cells: GroupTimes, chosen: np.ndarray, *, estimated: bool) -> tuple[float, FloatArray]:
    """Cells weighted by their cohorts (or alike, within one cohort)."""
    if not estimated:
        return float(cells.value[chosen].mean()), cells.influence[:, chosen].mean(axis=1)
    return _by_share(cells, cells.value[chosen], cells.influence[:, chosen], cells.group[chosen])


def _by_share(
    cells: GroupTimes, value: FloatArray, psi: FloatArray, groups: IntArray
) -> tuple[float, FloatArray]:
    """The mean by cohorts' shares; that shares are estimated adds to the influence functions."""
    member = (cells.adoption[:, None] == groups[None, :]).astype(float)
    share = member.mean(axis=0)
    mean = float(share @ value / share.sum())
    return mean, psi @ (share / share.sum()) + (member - share) @ (value - mean) / share.sum()


def _total(
    cells: GroupTimes, over: Over, at: IntArray, value: FloatArray, psi: FloatArray
) -> tuple[float, FloatArray]:
    if over == "simple":
        return _part(cells, cells.period >= cells.group, estimated=True)
    if over == "group":
        return _by_share(cells, value, psi, at)
    counted = at >= 0 if over == "dynamic" else np.ones(len(at), dtype=bool)
    return float(value[counted].mean()), psi[:, counted].mean(axis=1)


def clustered(cells: GroupTimes, psi: FloatArray) -> FloatArray:
    """Sums of influence functions (C, m) over clusters."""
    out = np.zeros((int(cells.clusters.max()) + 1, psi.shape[1]))
    np.add.at(out, cells.clusters, psi)
    return out


def standard_errors(cells: GroupTimes, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard errors (m,) and Welch-Satterthwaite degrees of freedom.

    Clusters of a cohort are one sample, so each cohort's part of the variance has the factor
    c / (c - 1) and c - 1 degrees of freedom. Cohorts of one cluster are taken together.
    """
    sums, n = clustered(cells, psi), len(cells.adoption)
    variances, freedom = [], []
    for members in strata(cells):
        c = len(members)
        around = sums[members] - sums[members].mean(axis=0)
        own = np.sum(around**2, axis=0) if c > 1 else np.full(psi.shape[1], np.nan)
        variances.append(own * (c / (c - 1) if c > 1 else 1.0) / n**2)
        behind = np.sum(sums[members] != 0.0, axis=0) if cells.gaps else np.full(psi.shape[1], c)
        freedom.append(np.maximum(behind - 1, 1))
    v, f = np.array(variances), np.array(freedom)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = v.sum(axis=0)
        df = total**2 / np.sum(v**2 / f, axis=0)
    return np.where(total > 0.0, np.sqrt(total), np.nan), df


def strata(cells: GroupTimes) -> list[IntArray]:
    """Clusters of each cohort; those of one cluster together, or with the smallest other."""
    first = np.unique(cells.clusters, return_index=True)[1]
    start = cells.adoption[first]
    parts: list[IntArray] = [np.flatnonzero(start == g) for g in np.unique(start)]
    alone = [p for p in parts if len(p) == 1]
    others = sorted((p for p in parts if len(p) > 1), key=len)
    if not alone:
        return others
    if len(alone) == 1 and others:
        return [np.concatenate([alone[0], others[0]]), *others[1:]]
    return [np.concatenate(alone), *others]


def cell_errors(cells: GroupTimes) -> tuple[FloatArray, FloatArray]:
    """Standard errors and degrees of freedom of ATT(g, t); nan for cohorts of one cluster."""
    se, df = standard_errors(cells, cells.influence)
    alone = [len(np.unique(cells.clusters[cells.adoption == g])) < 2 for g in cells.group]
    return np.where(alone, np.nan, se), df


def uniform_half_widths(
    cells: GroupTimes, s: Summary, *, level: float, draws: int, seed: int
) -> FloatArray:
    """Half widths (m,) of a band that holds at all of a summary's places at once.

    Clusters' influence functions are multiplied by random signs (Rademacher) and the quantile of
    the largest ratio is taken. It is that of normal variables, so each place takes the quantile of
    its own t with the same tail: with some tens of clusters the band is too narrow otherwise.
    """
    known = np.isfinite(s.se) & (s.se > 0.0)
    half = np.full(len(s.se), np.nan)
    if known.any():
        tail = stats.norm.sf(_largest_ratio(cells, s, known, level, draws, seed))
        half[known] = stats.t.isf(tail, s.df[known]) * s.se[known]
    return half


def _largest_ratio(
    cells: GroupTimes, s: Summary, known: np.ndarray, level: float, draws: int, seed: int
) -> float:
    """Standard errors, at least as many as for one place."""
    ratios = _about_cohorts(cells, s.influence[:, known]) / s.se[known]
    rng, largest = np.random.default_rng(seed), []
    size = max(1, _CHUNK // len(ratios))
    for first in range(0, draws, size):
        rows = min(size, draws - first)
        signs = RADEMACHER[rng.integers(2, size=(rows, len(ratios)))]
        largest.append(np.abs(signs @ ratios).max(axis=1))
    pointwise = float(stats.norm.ppf(0.5 + level / 2.0))
    return max(pointwise, float(np.quantile(np.concatenate(largest), level)))


def _about_cohorts(cells: GroupTimes, psi: FloatArray) -> FloatArray:
    """Clusters' parts (C, m) of estimates about their cohort's mean: their squares are variances.

    About zero they would also hold how cohorts differ, of which the sizes are given.
    """
    sums = clustered(cells, psi) / len(cells.adoption)
    for members in strata(cells):
        n = len(members)
        around = sums[members] - sums[members].mean(axis=0)
        sums[members] = around * math.sqrt(n / max(n - 1, 1))
    return sums


@dataclass(frozen=True, slots=True)
class Wald:
    """That every effect before the start is zero, in large samples (as the R package did)."""

    statistic: float
    df: int
    p: float


def wald_before(cells: GroupTimes, *, anticipation: int = 0) -> Wald | None:
    """Test of all cells before the start (and its anticipation); None where there are none."""
    before = cells.period < cells.group - anticipation
    if not before.any():
        return None
    scores = clustered(cells, cells.influence[:, before]) / len(cells.adoption)
    inverse, rank = linalg.pinvh(scores.T @ scores, rtol=_SINGULAR, return_rank=True)
    W = float(cells.value[before] @ inverse @ cells.value[before])
    return Wald(W, int(rank), float(stats.chi2.sf(W, rank))) if rank else None


@dataclass(frozen=True, slots=True)
class Pretest:
    """Whether cohorts moved alike before the start.

    Attributes
    ----------
    statistic, df, df_error, p : float
        F test that changes at every time before the start are zero.
    slope : float
        Difference in trends, a period, that the test finds in 80 % of samples; infinite where
        cohorts are compared with each other alone, so that a trend common to all cannot be seen.
    """

    statistic: float
    df: int
    df_error: float
    p: float
    slope: float


def pretest(cells: GroupTimes, *, anticipation: int = 0, power: float = 0.80,
            alpha: float = 0.05) -> Pretest | None:  # fmt: skip
    """Hotelling's test of effects by time before the start, with the varying base.

    Clusters of a cohort are one sample, and cohorts are samples of unlike weight, so the covariance
    has the degrees of freedom of the multivariate Behrens-Fisher problem; chi-squared would see
    trends in noise with some tens of firms. None where there are no times before, or as many as
    there are degrees of freedom.

    References
    ----------
    Krishnamoorthy and Yu (2004), Statistics & Probability Letters 66, 161-169.
    """
    series = summarised(cells, "dynamic")
    early = (series.at < -anticipation) & np.isfinite(series.se)
    if not early.any():
        return None
    parts, sizes = _covariances(cells, series.influence[:, early])
    V = parts.sum(axis=0)
    inverse, rank = linalg.pinvh(V, rtol=_SINGULAR, return_rank=True)
    freedom = _freedom(parts, sizes, inverse, rank) if rank else 0.0
    error = freedom - rank + 1.0
    if not rank or error < 1.0:
        return None
    value, trend = series.value[early], np.ones(int(early.sum()))
    F = float(value @ inverse @ value) * error / (rank * freedom)
    needed = _noncentrality(rank, error, power, alpha)
    seen = float(trend @ inverse @ trend)
    told = seen > _SINGULAR * len(trend) * float(np.trace(inverse))
    slope = math.sqrt(needed / seen) if told else math.inf
    return Pretest(F, int(rank), error, float(stats.f.sf(F, rank, error)), slope)


def covariance_of(cells: GroupTimes, psi: FloatArray) -> tuple[FloatArray, int]:
    """Of estimates (m, m), cohort by cohort, and clusters less cohorts."""
    parts, sizes = _covariances(cells, psi)
    return parts.sum(axis=0), int((sizes - 1.0).sum())


def _covariances(cells: GroupTimes, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What each cohort adds to the covariance of estimates (G, m, m), and its clusters (G,)."""
    around, members = _about_cohorts(cells, psi), strata(cells)
    parts = [around[m].T @ around[m] for m in members]
    return np.array(parts), np.array([float(len(m)) for m in members])


def _freedom(parts: FloatArray, sizes: FloatArray, inverse: FloatArray, rank: int) -> float:
    """Degrees of freedom of a sum of covariances from samples of their own.

    A cohort of one cluster shows no spread and adds none.
    """
    turned = parts @ inverse
    squares = np.einsum("gij,gji->g", turned, turned)
    traces = np.trace(turned, axis1=1, axis2=2) ** 2
    spread = sizes > 1.0
    weight = float(((squares + traces)[spread] / (sizes[spread] - 1.0)).sum())
    return rank * (rank + 1.0) / weight if weight > 0.0 else 0.0


def _noncentrality(df: int, error: float, power: float, alpha: float) -> float:
    limit = stats.f.isf(alpha, df, error)
    return float(optimize.brentq(lambda c: stats.ncf.sf(limit, df, error, c) - power, 1e-6, 1e5))


def permuted_adoptions(
    adoption: IntArray, clusters: IntArray, *, draws: int, enumerated: int, seed: int
) -> tuple[IntArray, bool]:
    """Adoption dates (B, n) in other orders of clusters; the one that was made comes first.

    All different orders where there are at most `enumerated`; then True.
    """
    first = np.unique(clusters, return_index=True)[1]
    start = adoption[first]
    counts = np.unique(start, return_counts=True)[1]
    different = _multinomial(len(start), counts.tolist())
    if different <= enumerated:
        return _every(start)[:, clusters], True
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(start, (draws, 1)), axis=1)
    return np.vstack([start, orders])[:, clusters], False


def _multinomial(n: int, counts: Sequence[int]) -> int:
    total = 1
    for c in counts:
        total *= math.comb(n, c)
        n -= c
    return total


def _every(start: IntArray) -> IntArray:
    """All different orders, the given one first."""
    rows: list[IntArray] = [np.full(len(start), NEVER)]
    for g in np.unique(start[start < NEVER]):
        k = int(np.sum(start == g))
        rows = [_placed(row, places, g) for row in rows
                for places in combinations(np.flatnonzero(row == NEVER).tolist(), k)]  # fmt: skip
    every = np.array(rows)
    same = np.all(every == start, axis=1)
    return np.vstack([every[same], every[~same]])


def _placed(row: IntArray, places: Sequence[int], g: int) -> IntArray:
    made = row.copy()
    made[list(places)] = g
    return made
