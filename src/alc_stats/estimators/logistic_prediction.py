"""Predictions of a logistic model: log odds and probabilities, of known groups and of any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.combination import combine
from alc_stats.estimators.estimate import t_interval
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.logistic_margin import averaged
from alc_stats.estimators.logistic import LogisticState, conditional_log_odds
from alc_stats.estimators.memory import Memory, memory_of
from alc_stats.estimators.new_rows import Rows
from alc_stats.records import FloatArray

LOG_ODDS = "log odds"


def logistic_state(fit: Fit) -> LogisticState | None:
    """What a logistic fit remembers; None of another fit."""
    return fit.memory.logistic if isinstance(fit.memory, Memory) else None


def required_logistic(fit: Fit) -> LogisticState:
    """The same, or an error.

    Raises
    ------
    FitError
        If the fit is none, or no longer remembers its rows.
    """
    state = memory_of(fit, spread=True, logistic=True).logistic
    if state is None:
        raise FitError(
            Problem(
                "probabilities are those of a logistic model",
                where=f"fit of '{fit.request.formula}'",
                way_out='Fit the yes or no with family="binomial".',
            )
        )
    return state


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Rows' probabilities averaged over the random effects, and how parameters move them.

    Attributes
    ----------
    values : array (m,)
    slopes : array (m, p + k)
        In the raw coefficients and the standardised covariance parameters, in the order of
        `LogisticState.covariance`.
    """

    values: FloatArray
    slopes: FloatArray


def margins(state: LogisticState, rows: Rows) -> Margins:
    """Probabilities of rows whose groups are any."""
    loads = _loads(state, rows)
    variance = _variance(loads, len(rows.X))
    found = averaged(rows.X @ state.coefficients, variance)
    by_theta = np.empty((len(rows.X), len(state.optimum.theta) - len(state.back)))
    if state.objective is not None:
        form = state.objective.template
        for k, (f, a, b) in enumerate(zip(form.factor, form.row, form.column, strict=True)):
            columns, load = loads[f]
            by_theta[:, k] = 2.0 * found.by_variance * columns[a] * load[b]
    return Margins(found.value, np.column_stack([found.by_eta[:, None] * rows.X, by_theta]))


def predicted(
    fit: Fit, state: LogisticState, rows: Rows, *, log_odds: bool, random: bool
) -> FloatArray:
    """Predictions (m,) of the complete rows."""
    eta = rows.X @ fit.estimates
    variance = np.zeros(len(eta))
    if not random:
        return eta if log_odds else margins(state, rows).values
    modes = conditional_log_odds(state) if state.random is not None else ()
    loads = _loads(state, rows)
    for own, z, level, load in zip(modes, rows.Z, rows.levels, loads, strict=True):
        seen = level >= 0
        eta[seen] += np.einsum("mq,mq->m", z[seen], own.modes[level[seen]])
        variance[~seen] += _variance([load], len(eta))[~seen]
    return eta if log_odds else averaged(eta, variance).value


def with_limits(
    fit: Fit, state: LogisticState, rows: Rows, *, log_odds: bool, level: float
) -> dict[str, FloatArray]:
    """Predictions for any group with standard errors and limits, all (m,)."""
    if log_odds:
        found = combine(fit, rows.X)
        values, se, df = found.values, found.se, found.df
        limits = t_interval(values, se, df, level)
    else:
        margin = margins(state, rows)
        values, df = margin.values, np.full(len(rows.X), fit.df.min())
        se = np.sqrt(
            np.einsum("mk,kl,ml->m", margin.slopes, state.covariance, margin.slopes, optimize=True)
        )
        limits = probability_limits(values, se, df, level)
    return {
        "prediction": values,
        "se": se,
        "df": df,
        "low": limits[:, 0],
        "high": limits[:, 1],
    }


def probability_limits(
    values: FloatArray, se: FloatArray, df: FloatArray, level: float
) -> FloatArray:
    """Limits (m, 2) that stay between 0 and 1: those of the log odds."""
    odds = np.log(values) - np.log1p(-values)
    slope = values * (1.0 - values)
    limits = t_interval(odds, se / slope, df, level)
    return np.asarray(1.0 / (1.0 + np.exp(-limits)))


def check_asked(of: str, *, random: bool, interval: str | None, level: float) -> None:
    """Raise a DeclarationError for what a logistic model does not predict."""
    problems = []
    if of not in ("mean", "log_odds"):
        problems.append(
            Problem(
                f"a logistic model does not predict '{of}'",
                where="predict(of=...)",
                allowed="mean (the probability), log_odds",
            )
        )
    if interval == "prediction":
        problems.append(
            Problem(
                "one observation is 0 or 1, which has no interval",
                where="predict(interval=...)",
                allowed="confidence",
            )
        )
    elif interval not in (None, "confidence"):
        problems.append(
            Problem(
                f"unknown interval '{interval}'",
                where="predict(interval=...)",
                allowed="confidence",
            )
        )
    elif interval and random:
        problems.append(
            Problem(
                "no interval of a known group's probability is worked out here",
                where="predict(random=True, interval=...)",
                way_out="Ask for random=False: the average over all groups.",
            )
        )
    if not 0.0 < level < 1.0:
        problems.append(
            Problem("no such level", where="predict(level=...)", found=f"{level}", allowed="0 to 1")
        )
    if problems:
        raise DeclarationError(*problems)


def _loads(state: LogisticState, rows: Rows) -> list[tuple[FloatArray, FloatArray]]:
    """Of every grouping, the rows' standardised columns (q, m) and their loads (q, m)."""
    found: list[tuple[FloatArray, FloatArray]] = []
    for z, basis, lam in zip(rows.Z, state.bases, state.lam, strict=True):
        columns = np.empty((z.shape[1], len(z)))
        basis.rows(z, out=columns)
        found.append((columns, lam.T @ columns))
    return found


def _variance(loads: list[tuple[FloatArray, FloatArray]], m: int) -> FloatArray:
    """Variance (m,) of every row's log odds over the random effects."""
    total = np.zeros(m)
    for _, load in loads:
        total += np.einsum("qm,qm->m", load, load)
    return total
