"""Effects under staggered adoption by imputing what would have been without treatment.

Borusyak, Jaravel and Spiess (2024), Review of Economic Studies 91, 3253-3285. Effects of units and
periods (and slopes of covariates) are fitted to untreated rows alone; treated rows are compared
with what these predict. A panel may have gaps. Every estimate is a weighted sum of outcomes, and
its standard error that of the sum, clustered by unit, with effects about the mean of their cohort
and period: too large rather than too small where effects differ within those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from alc_stats.errors import FitError, Problem
from alc_stats.records import BoolArray, FloatArray, IntArray

_ESTIMABLE = 1e-8
"""Share of a row's regressors that the untreated rows may leave open."""
_RANK = 1e-10


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Imputation:
    """Effects by time since the start and over all treated rows.

    Attributes
    ----------
    at : array (m,)
        Periods since the start, 0 and later.
    value, se : array (m,)
        Means over treated rows; conservative, clustered by unit, leaving each unit's own effect
        out of the mean that it is compared with. nan where one unit alone is behind a cohort.
    rows : array (m,)
        Treated rows behind each.
    overall, overall_se : float
        Over all treated rows alike.
    df : float
        Treated units less one, and no more than untreated ones would give.
    lead_at : array (l,)
        Periods before the start, -l to -1.
    lead_value, lead_se : array (l,)
        Differences from all earlier untreated rows, by least squares on untreated rows alone.
    lead_p : float
        Of all of these differences at once (F test); nan where there are none.
    units, treated_units, untreated_rows, imputed_rows : int
    not_imputed : int
        Treated rows whose unit was never seen untreated, or whose period (or covariates) no
        untreated row speaks to.
    """

    at: IntArray
    value: FloatArray
    se: FloatArray
    rows: IntArray
    overall: float
    overall_se: float
    df: float
    lead_at: IntArray
    lead_value: FloatArray
    lead_se: FloatArray
    lead_p: float
    units: int
    treated_units: int
    untreated_rows: int
    imputed_rows: int
    not_imputed: int


@dataclass(frozen=True, slots=True, eq=False)
class _Untreated:
    """The fit to untreated rows: `y` and regressors `M` less their units' means in these rows."""

    y: FloatArray
    M: FloatArray
    own: FloatArray
    inverse: FloatArray
    null: FloatArray
    slopes: FloatArray
    seen: IntArray


def imputed(
    outcome: FloatArray,
    unit: IntArray,
    period: IntArray,
    adoption: IntArray,
    *,
    covariates: FloatArray | None = None,
    anticipation: int = 0,
    leads: int = 0,
    leave_out: bool = True,
) -> Imputation:
    """The imputation estimator.

    Parameters
    ----------
    outcome : array (N,)
        One row a unit and period that was seen.
    unit : array (N,)
        Codes 0 to n - 1; standard errors are clustered by them.
    period : array (N,)
        Places 0 to T - 1.
    adoption : array (n,)
        Place of each unit's first treated period; `group_time.NEVER` for none.
    covariates : array (N, k), optional
        Of each row. They must not have been changed by the treatment.
    anticipation : int
        Periods before the start that are no untreated rows; their effects are not told.
    leads : int
        Periods before the start (and anticipation) that are compared with the earlier ones.
    leave_out : bool
        Whether a row's own effect is left out of the mean of its cohort and period that it is
        compared with (the paper's refinement for small cohorts), or not (its equation 8).

    Raises
    ------
    FitError
        If no treated row can be imputed.

    Examples
    --------
    >>> from alc_stats.inference.group_time import NEVER
    >>> y = np.array([1.0, 2.0, 2.0, 4.0, 1.0, 1.0, 3.0, 4.0])
    >>> who, when = np.repeat(np.arange(4), 2), np.tile([0, 1], 4)
    >>> found = imputed(y, who, when, np.array([1, 1, NEVER, NEVER]))
    >>> round(found.overall, 12), found.at.tolist(), found.not_imputed
    (1.0, [0], 0)
    """
    since = period - adoption[unit]
    X = np.empty((len(outcome), 0)) if covariates is None else _scaled(covariates)
    M = np.column_stack([_dummies(period), X])
    fitted = _fitted(outcome, M, unit, since < -anticipation, len(adoption))
    reach = M - fitted.own[unit, 1:]
    told = (since >= 0) & (fitted.seen[unit] > 0) & _estimable(reach, fitted.null)
    if not told.any():
        raise FitError(Problem(
            "no treated row can be imputed",
            found=f"{int(np.sum(since >= 0))} treated rows, {int(np.sum(fitted.seen > 0))} units "
            "with an untreated row",
            way_out="Add units that never start or start later, or periods before the start.",
        ))  # fmt: skip
    effects = outcome - fitted.own[unit, 0] - reach @ fitted.slopes
    weights, at = _weights(since, told)
    value = weights.T @ effects[told]
    around = _around(
        effects[told], weights, unit[told], period[told] - since[told], period[told],
        leave_out=leave_out,
    )  # fmt: skip
    scores = _scores(fitted, weights, around, reach[told], unit[told], unit[since < -anticipation])
    se = np.sqrt(np.sum(scores**2, axis=0))
    lead_at, lead_value, lead_V = _leads(fitted, unit, since, anticipation, leads)
    treated_units = len(np.unique(unit[told]))
    df = max(float(treated_units - 1), 1.0)
    return Imputation(
        at, value[1:], se[1:], np.sum(weights[:, 1:] > 0.0, axis=0), float(value[0]), float(se[0]),
        df, lead_at, lead_value, np.sqrt(np.diag(lead_V)), _jointly(lead_value, lead_V, df),
        len(np.unique(unit)), treated_units, len(fitted.y), int(told.sum()),
        int(np.sum(since >= 0) - told.sum()),
    )  # fmt: skip


def _scaled(covariates: FloatArray) -> FloatArray:
    spread = covariates.std(axis=0)
    return np.asarray((covariates - covariates.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0))


def _dummies(codes: IntArray) -> FloatArray:
    return np.asarray(codes[:, None] == np.unique(codes)[None, :], dtype=float)


def _sums(values: FloatArray, codes: IntArray, number: int) -> FloatArray:
    """Sums of rows (N, m) by code: (number, m)."""
    rows = np.arange(len(codes))
    one = sparse.csr_array((np.ones(len(codes)), (codes, rows)), shape=(number, len(codes)))
    return np.asarray(one @ values)


def _fitted(
    y: FloatArray, M: FloatArray, unit: IntArray, untreated: BoolArray, units: int
) -> _Untreated:
    """Least squares on untreated rows; units are taken out by their means."""
    code, both = unit[untreated], np.column_stack([y, M])[untreated]
    seen = np.bincount(code, minlength=units)
    own = _sums(both, code, units) / np.maximum(seen, 1)[:, None]
    within = both - own[code]
    left = within[:, 1:]
    _, size, V = np.linalg.svd(np.linalg.qr(left, mode="r"))
    kept = np.zeros(M.shape[1], dtype=bool)
    kept[: len(size)] = size > _RANK * max(float(size.max(initial=0.0)), 1e-300)
    basis = V[kept]
    inverse = basis.T @ (basis / size[kept[: len(size)], None] ** 2)
    slopes = inverse @ (left.T @ within[:, 0])
    return _Untreated(within[:, 0], left, own, inverse, V[~kept].T, slopes, seen)


def _estimable(reach: FloatArray, null: FloatArray) -> BoolArray:
    """Rows (N,) for which nothing that the untreated rows leave open matters."""
    size = np.maximum(np.linalg.norm(reach, axis=1), 1e-300)
    return np.asarray(np.linalg.norm(reach @ null, axis=1) <= _ESTIMABLE * size)


def _weights(since: IntArray, told: BoolArray) -> tuple[FloatArray, IntArray]:
    """Of treated rows that are imputed (N1, 1 + m): all alike, then each time since the start."""
    at = np.unique(since[told])
    each = (since[told][:, None] == at[None, :]).astype(float)
    every = np.column_stack([np.ones(len(each)), each])
    return every / every.sum(axis=0), at


def _scores(
    fitted: _Untreated,
    weights: FloatArray,
    around: FloatArray,
    reach: FloatArray,
    treated: IntArray,
    untreated: IntArray,
) -> FloatArray:
    """Sums over each unit (n, 1 + m) of weights times residuals.

    `treated` and `untreated` are the units of these rows; weights of untreated rows are what each
    of them adds to the counterfactuals.
    """
    n = len(fitted.seen)
    own = _sums(weights, treated, n)[untreated] / fitted.seen[untreated][:, None]
    taken = own + fitted.M @ (fitted.inverse @ (reach.T @ weights))
    residual = fitted.y - fitted.M @ fitted.slopes
    below = _sums(taken * residual[:, None], untreated, n)
    return np.asarray(_sums(weights * around, treated, n) - below)


def _around(
    effects: FloatArray, weights: FloatArray, unit: IntArray, cohort: IntArray, period: IntArray,
    *, leave_out: bool,
) -> FloatArray:  # fmt: skip
    """Effects (N1, 1 + m) less the mean of their cohort and period.

    The mean is the one that makes the variance smallest. With `leave_out`, a unit that is alone in
    its cohort and period is compared with all others of the estimate.
    """
    group = np.unique(np.stack([cohort, period]), axis=1, return_inverse=True)[1].ravel()
    pairs, pair = np.unique(np.stack([unit, group]), axis=1, return_inverse=True)
    pair = pair.ravel()
    a = _sums(weights, pair, pairs.shape[1])
    b = a * _sums(weights * effects[:, None], pair, pairs.shape[1])
    mean = _mean(a * a, b, pairs[1], leave_out=leave_out)
    if leave_out:
        every = np.zeros(pairs.shape[1], dtype=np.int64)
        mean = np.where(np.isfinite(mean), mean, _mean(a * a, b, every, leave_out=True))
    return np.where(weights > 0.0, effects[:, None] - mean[pair], 0.0)


def _mean(low: FloatArray, top: FloatArray, group: IntArray, *, leave_out: bool) -> FloatArray:
    """Ratios of sums within groups (P, m); nan where nothing is in them but what is left out."""
    number = int(group.max()) + 1
    over, under = _sums(top, group, number)[group], _sums(low, group, number)[group]
    if leave_out:
        over, under = over - top, np.where(under - low > _RANK * under, under - low, np.nan)
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0.0)


def _leads(
    fitted: _Untreated, unit: IntArray, since: IntArray, anticipation: int, leads: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Untreated rows shortly before the start beside all earlier ones.

    The earliest are given up until the others can be told from effects of units and periods.
    """
    untreated = since < -anticipation
    at = np.arange(-anticipation - leads, -anticipation)
    D = (since[untreated][:, None] == at[None, :]).astype(float)
    code = unit[untreated]
    means = _sums(D, code, len(fitted.seen)) / np.maximum(fitted.seen, 1)[:, None]
    D = D - means[code]
    D = D - fitted.M @ (fitted.inverse @ (fitted.M.T @ D))
    while at.size and np.linalg.matrix_rank(D, tol=_ESTIMABLE * math.sqrt(len(D) or 1)) < at.size:
        at, D = at[1:], D[:, 1:]
    if not at.size:
        return at, np.empty(0), np.empty((0, 0))
    inverse = np.linalg.pinv(D.T @ D)
    residual = fitted.y - fitted.M @ fitted.slopes
    value = inverse @ (D.T @ residual)
    sums = _sums(D * (residual - D @ value)[:, None], code, len(fitted.seen)) @ inverse
    return at, value, sums.T @ sums


def _jointly(value: FloatArray, V: FloatArray, df: float) -> float:
    """P of Hotelling's test that all are zero; nan where clusters are too few for one."""
    number, error = len(value), df - len(value) + 1.0
    if not number or error < 1.0:
        return float("nan")
    W = float(value @ np.linalg.pinv(V) @ value)
    return float(stats.f.sf(W * error / (number * df), number, error))
