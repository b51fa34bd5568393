"""Predictions of a fit, with and without random effects, and their intervals.

Fixed columns of new rows are coded as those of the fit were. Levels of a grouping the fit has seen
add their conditional modes; others add nothing, and their variance to the interval.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.combination import combine
from alc_stats.estimators.estimate import t_interval
from alc_stats.estimators.fit import Fit, Interval, Predicted, require_usable
from alc_stats.estimators.kernels.prediction_error import (
    Asked,
    Crossing,
    Errors,
    crossing,
    errors,
    neighbourhood,
)
from alc_stats.estimators.lmm import LmmState, conditional_modes
from alc_stats.estimators.location_scale import MelsState
from alc_stats.estimators.logistic import LogisticState, conditional_log_odds
from alc_stats.estimators.logistic_prediction import (
    check_asked,
    logistic_state,
    predicted,
    with_limits,
)
from alc_stats.estimators.mels_effects import effects_table, mels_state
from alc_stats.estimators.mels_prediction import fitted_spread_rows, mean_or_sd, new_spread_rows
from alc_stats.estimators.memory import Memory, memory_of, mixed_state
from alc_stats.estimators.new_rows import Needs, Rows, fitted_rows, new_rows
from alc_stats.estimators.small_sample import satterthwaite, variance_parameter_covariance
from alc_stats.records import FloatArray

_CHUNK = 16_384
"""Rows whose intervals are computed at once."""


_TWICE = 2.0
"""What the estimated variance parameters add to the error is also what the plug-in variance is
too small by (Prasad and Rao 1990), so it is added twice."""


class IncompleteRowsWarning(UserWarning):
    """Some rows lack a value that a prediction needs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Prediction:
    """Values, standard errors and degrees of freedom, all (m,)."""

    values: FloatArray
    se: FloatArray
    df: FloatArray


def random_effects(fit: Fit) -> dict[str, pd.DataFrame]:
    """Conditional modes of every grouping: a row a level, a column a random term.

    Of a location-scale model: posterior means and SDs, with the scale effect as "log_sd".
    """
    require_usable(fit)
    mels = mels_state(fit)
    if mels is not None:
        return {mels.data.group: effects_table(mels)}
    logistic = logistic_state(fit)
    if logistic is not None:
        found = conditional_log_odds(logistic)
    else:
        spread = memory_of(fit, spread=True).spread
        if spread is not None:
            _refuse_scaled(fit, "its random effects differ from row to row")
        found = conditional_modes(spread.mixed if spread else mixed_state(fit))
    return {
        modes.group: pd.DataFrame(modes.modes, index=modes.labels, columns=list(modes.names))
        for modes in found
    }


def predict(
    fit: Fit,
    new: pd.DataFrame | None = None,
    *,
    of: Predicted = "mean",
    random: bool = True,
    interval: Interval | None = None,
    level: float = 0.95,
) -> pd.Series | pd.DataFrame:
    """Predicted outcomes on the outcome's scale in the formula.

    Parameters
    ----------
    fit : Fit
        Made in this session, its certificate usable.
    new : DataFrame, optional
        Rows to predict, with every column the prediction needs (not the outcome); the rows used
        in the fit by default.
    of : {"mean", "sd", "log_odds"}
        With a random scale effect: the expected outcome, or the SD of a row's error about it. Of a
        logistic model: the probability, or its log odds.
    random : bool
        Whether levels of the groupings that the fit has seen add their conditional modes. Without
        it every group counts as not seen, and the grouping columns are not needed.
    interval : {"confidence", "prediction"}, optional
        Of the expected outcome of the row's groups (without `random`: of the fixed part), or of
        one observation there.
    level : float
        Of the interval.

    Returns
    -------
    Series or, with `interval`, DataFrame
        `prediction`, with `interval` also `se`, `df`, `low` and `high`, labelled as the rows of
        `new` (or the rows used). Rows that lack a value are NaN, and a warning counts them.

    Raises
    ------
    DeclarationError
        For an unknown interval or a level outside (0, 1).
    FitError
        If the fit cannot be used or does not remember its rows.
    FormulaError
        For columns `new` lacks or that changed kind, and for levels of a fixed column that the
        fit has not seen.

    Notes
    -----
    The fixed part alone has the covariance and the degrees of freedom of the fit
    (`combination_df`). With random effects, or for an observation of a mixed model, the variance
    is Henderson's (1975) prediction error, plus the variance of groups not seen, plus what the
    estimated variance parameters add to first order (Booth and Hobert 1998), twice (Prasad and Rao
    1990); its degrees of freedom are Satterthwaite's, unless the fit was asked for "normal". An
    observation of a model with prior weights is taken to have weight 1.

    With a random scale effect everything is normal for many persons (`df` is inf). The variance of
    a person's mean is the posterior's plus what the estimated parameters add. One observation is a
    mixture over the scale effect, of the person's posterior or of the population, so that its
    limits are quantiles and `se` is its SD. An SD without `random` is that of a person whose scale
    effect is zero; its limits are those of the log SD.

    A logistic model's probability is that of the groups' conditional modes, averaged over the
    effects of groups not seen; without `random` it is the population's average, which is nearer
    to one half than the probability at log odds of the fixed part. Its standard error is the delta
    method's, variances estimated, and its limits are normal on the scale of log odds.

    Examples
    --------
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "x": [0.0, 1, 2, 3, 4, 5]})
    >>> new = pd.DataFrame({"x": [2.0, 6.0]})
    >>> predict(fit("y ~ x", data), new, interval="prediction").round(2).loc[1].to_dict()
    {'prediction': 8.6, 'se': 1.33, 'df': 4.0, 'low': 4.92, 'high': 12.28}
    """
    require_usable(fit)
    logistic = logistic_state(fit)
    if logistic is not None:
        random = random and logistic.random is not None
        check_asked(of, random=random, interval=interval, level=level)
        return _of_logistic(
            fit, logistic, new, log_odds=of == "log_odds", random=random, interval=interval,
            level=level,
        )  # fmt: skip
    mels = mels_state(fit)
    _check(interval, level, of, scale=mels is not None)
    if mels is not None:
        return _of_spread(fit, mels, new, of=of, random=random, interval=interval, level=level)
    memory = _memory_of_mean(fit, random=random, interval=interval)
    needs: Needs = "groups" if random else "effects" if interval == "prediction" else "fixed"
    rows = fitted_rows(memory) if new is None else new_rows(memory, new, needs=needs)
    if not rows.complete.all():
        _warn(rows)
    if interval is None:
        values = rows.X @ _mean(fit) + (_modes(memory, rows) if random else 0.0)
        return pd.Series(_placed(values, rows), rows.labels, name="prediction")
    found = _with_error(fit, memory, rows, random=random, observation=interval == "prediction")
    limits = t_interval(found.values, found.se, found.df, level)
    columns = {
        "prediction": found.values,
        "se": found.se,
        "df": found.df,
        "low": limits[:, 0],
        "high": limits[:, 1],
    }
    return pd.DataFrame({k: _placed(v, rows) for k, v in columns.items()}, rows.labels)


def _memory_of_mean(fit: Fit, *, random: bool, interval: Interval | None) -> Memory:
    """The rows and the model of the mean; of one beside a model of the spread, what is known."""
    memory = memory_of(fit, spread=True)
    if memory.spread is None:
        return memory_of(fit)
    if random:
        _refuse_scaled(fit, "its random effects differ from row to row")
    if interval == "prediction" or (interval and random and memory.spread.mixed.random.factors):
        raise FitError(
            Problem(
                "this interval takes every row's spread for the same, and the fit says it is not",
                where=f"fit of '{fit.request.formula}'",
                way_out='Ask for random=False with interval="confidence", or for no interval.',
            )
        )
    state = memory.spread.mixed if memory.spread.mixed.random.factors else None
    return replace(memory, state=state, spread=None)


def _refuse_scaled(fit: Fit, why: str) -> None:
    if "between_log_sd" in fit.components:
        raise FitError(
            Problem(
                f"{why}, because the SD of its random intercept does",
                where=f"fit of '{fit.request.formula}'",
                way_out="Predict with random=False, or fit it without between.",
            )
        )


def _mean(fit: Fit) -> FloatArray:
    """Coefficients of the mean."""
    return fit.estimates[[part == "mean" for part in fit.components]]


def _of_spread(
    fit: Fit,
    state: MelsState,
    new: pd.DataFrame | None,
    *,
    of: Predicted,
    random: bool,
    interval: Interval | None,
    level: float,
) -> pd.Series | pd.DataFrame:
    """Predictions of a model with a random scale effect."""
    memory: Memory = fit.memory
    if new is None:
        asked, rows = fitted_spread_rows(memory, state), fitted_rows(memory)
    else:
        asked, rows = new_spread_rows(fit, memory, state, new, groups=random)
    if not rows.complete.all():
        _warn(rows)
    columns = mean_or_sd(
        fit, state, asked, sd=of == "sd", random=random, interval=interval, level=level
    )
    if interval is None:
        return pd.Series(_placed(columns["prediction"], rows), rows.labels, name="prediction")
    return pd.DataFrame({k: _placed(v, rows) for k, v in columns.items()}, rows.labels)


def _of_logistic(
    fit: Fit,
    state: LogisticState,
    new: pd.DataFrame | None,
    *,
    log_odds: bool,
    random: bool,
    interval: Interval | None,
    level: float,
) -> pd.Series | pd.DataFrame:
    """Predictions of a logistic model."""
    memory: Memory = fit.memory
    needs: Needs = "groups" if random else "fixed" if log_odds else "effects"
    rows = fitted_rows(memory) if new is None else new_rows(memory, new, needs=needs)
    if not rows.complete.all():
        _warn(rows)
    if interval is None:
        values = predicted(fit, state, rows, log_odds=log_odds, random=random)
        return pd.Series(_placed(values, rows), rows.labels, name="prediction")
    columns = with_limits(fit, state, rows, log_odds=log_odds, level=level)
    return pd.DataFrame({k: _placed(v, rows) for k, v in columns.items()}, rows.labels)


def _check(interval: str | None, level: float, of: str, *, scale: bool) -> None:
    problems = []
    if of not in ("mean", "sd"):
        problems.append(
            Problem(f"cannot predict '{of}'", where="predict(of=...)", allowed="mean, sd")
        )
    elif of == "sd" and not scale:
        problems.append(
            Problem(
                "SDs are predicted by models with a random scale effect",
                where='predict(of="sd")',
                way_out='Fit one with scale="~ ... + (1 | person)".',
            )
        )
    elif of == "sd" and interval == "prediction":
        problems.append(
            Problem(
                "an SD has no prediction interval: no row shows one",
                where='predict(of="sd", interval=...)',
                allowed="confidence",
            )
        )
    if interval not in (None, "confidence", "prediction"):
        problems.append(
            Problem(
                f"unknown interval '{interval}'",
                where="predict(interval=...)",
                allowed="confidence, prediction",
            )
        )
    if not 0.0 < level < 1.0:
        problems.append(
            Problem("no such level", where="predict(level=...)", found=f"{level}", allowed="0 to 1")
        )
    if problems:
        raise DeclarationError(*problems)


def _warn(rows: Rows) -> None:
    lost = int(np.sum(~rows.complete))
    warnings.warn(
        f"{lost} of {len(rows.complete)} rows lack {' or '.join(rows.lacking)}: their predictions "
        "are NaN.",
        IncompleteRowsWarning,
        stacklevel=4,
    )


def _placed(values: FloatArray, rows: Rows) -> FloatArray:
    """Values of the complete rows among all rows."""
    out = np.full(len(rows.complete), np.nan)
    out[rows.complete] = values
    return out


def _modes(memory: Memory, rows: Rows) -> FloatArray:
    """What the conditional modes add (m,)."""
    total = np.zeros(len(rows.X))
    if memory.state is None:
        return total
    for own, z, level in zip(conditional_modes(memory.state), rows.Z, rows.levels, strict=True):
        seen = level >= 0
        total[seen] += np.einsum("mq,mq->m", z[seen], own.modes[level[seen]])
    return total


def _with_error(
    fit: Fit, memory: Memory, rows: Rows, *, random: bool, observation: bool
) -> _Prediction:
    if memory.state is not None and (random or observation):
        return _mixed(fit, memory, rows, random=random, observation=observation)
    fixed = combine(fit, np.pad(rows.X, ((0, 0), (0, len(fit.names) - rows.X.shape[1]))))
    if not observation:
        return _Prediction(fixed.values, fixed.se, fixed.df)
    residual = float(fit.statistics["residual_sd"])
    n, p = memory.design.X.shape
    rest = np.inf if fit.request.df == "normal" else float(n - p)
    return _Prediction(fixed.values, np.hypot(fixed.se, residual), np.minimum(fixed.df, rest))


def _mixed(fit: Fit, memory: Memory, rows: Rows, *, random: bool, observation: bool) -> _Prediction:
    state = mixed_state(fit)
    around = neighbourhood(
        state.objective,
        state.optimum.theta,
        free=state.optimum.free,
        crossed=_crossing(state) if random else None,
    )
    covariance = variance_parameter_covariance(state)
    parts = [
        _variance(state, errors(around, asked), covariance, observation=observation)
        for asked in _asked(state, rows, random=random)
    ]
    variances, df = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    values = rows.X @ fit.estimates + (_modes(memory, rows) if random else 0.0)
    if fit.request.df == "normal":
        df = np.full(len(df), np.inf)
    return _Prediction(values, np.sqrt(variances), df)


def _variance(
    state: LmmState, found: Errors, covariance: FloatArray, *, observation: bool
) -> tuple[FloatArray, FloatArray]:
    """Variance of the prediction error in the outcome's unit, and its degrees of freedom."""
    known = found.variances + observation
    gradients = np.column_stack([found.variance_slopes, known])
    df = satterthwaite(known, gradients, covariance)
    slopes, free = found.value_slopes, covariance[:-1, :-1]
    estimated = np.einsum("mk,kl,ml->m", slopes, free, slopes, optimize=True)
    unit = state.scales.fixed.scale**2
    return unit * (state.solution.sigma2 * known + _TWICE * estimated), df


def _asked(state: LmmState, rows: Rows, *, random: bool) -> Iterator[Asked]:
    """The rows on the standardised scale, some at a time."""
    back = [basis.back for basis in state.scales.random]
    for start in range(0, max(len(rows.X), 1), _CHUNK):
        some = slice(start, start + _CHUNK)
        Z = tuple(z[some] @ b for z, b in zip(rows.Z, back, strict=True))
        levels = (
            tuple(level[some] for level in rows.levels)
            if random
            else tuple(np.full(len(z), -1) for z in Z)
        )
        yield Asked(rows.X[some] @ state.scales.fixed.basis.back, Z, levels)


def _crossing(state: LmmState) -> Crossing | None:
    """Z'Z of several groupings; a single one needs none."""
    factors = state.random.factors
    if len(factors) == 1:
        return None
    if state.scales.log_weight != 0.0:
        raise FitError(
            Problem(
                "no intervals with the random effects of several groupings and prior weights",
                way_out="Use random=False.",
            )
        )
    Z = []
    for factor, basis in zip(factors, state.scales.random, strict=True):
        columns = np.empty((factor.size, len(factor.codes)))
        basis.rows(factor.Z, out=columns)
        Z.append(columns.T)
    return crossing(Z, [f.codes for f in factors], [f.levels for f in factors])
