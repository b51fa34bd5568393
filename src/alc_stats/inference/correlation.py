"""Intraclass correlations: how alike the rows of one group are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, stats

from alc_stats.errors import FitError, Problem
from alc_stats.estimators import fit as fit_formula
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.lmm_model import Factor
from alc_stats.estimators.kernels.lmm_problem import nested_in
from alc_stats.estimators.lmm import LmmState
from alc_stats.estimators.logistic import LogisticState
from alc_stats.estimators.logistic_prediction import logistic_state
from alc_stats.estimators.memory import memory_of, mixed_state
from alc_stats.estimators.small_sample import variance_parameter_covariance
from alc_stats.inference.draws import (
    Fitted,
    fitted,
    progress,
    require_draws,
    require_unweighted,
    stream_of,
)
from alc_stats.inference.latent_correlation import (
    LATENT_VARIANCE,
    latent_limits,
    latent_variances,
)
from alc_stats.records import BoolArray, FloatArray, Number, Phrase

Interval = Literal["exact", "delta", "bootstrap"]

_LARGEST_EXACT = 2000
"""Groups up to which the exact interval's eigenvalues are taken."""


@dataclass(frozen=True, slots=True)
class IccLevel:
    """One grouping's intraclass correlation.

    Attributes
    ----------
    group : str
    levels : int
    mean_size : float
        Rows per level: n / levels.
    variance : float
        Of the grouping's random intercepts.
    share : float
        `variance` as a share of all random variances and the residual's.
    icc : float
        Correlation of two rows of the same level, given the fixed part (the adjusted ICC): the
        shares of the grouping and of those it is nested in. ICC(1) of a model without predictors.
    low, high : float
        Limits of `icc`. NaN where a variance is estimated at zero and `interval` is "delta".
    conditional : float
        As `icc`, with the variance of the fixed part in the denominator (the conditional or
        unadjusted ICC): the share of all the outcome's modelled variance.
    reliability : float or None
        Of a level's mean over `mean_size` rows, ICC(2) of a model without predictors; None for
        crossed groupings, where it depends on what is generalised over.
    sentence : Phrase
    """

    group: str
    levels: int
    mean_size: float
    variance: float
    share: float
    icc: float
    low: float
    high: float
    conditional: float
    reliability: float | None
    sentence: Phrase


@dataclass(frozen=True, slots=True)
class Icc:
    """Intraclass correlations of a random-intercept model.

    Attributes
    ----------
    levels : tuple of IccLevel
        In the order of the groupings.
    residual, fixed : float
        Variances of the residual, and of the fixed part over the rows (divisor n - 1).
    level : float
        Of the intervals.
    interval : {"exact", "delta", "bootstrap"}
        Wald's (1940) exact interval for a single grouping, the delta method on the logit scale,
        or percentiles of a parametric bootstrap.
    draws : int
    """

    levels: tuple[IccLevel, ...]
    residual: float
    fixed: float
    level: float
    interval: Interval
    draws: int = 0

    def __getitem__(self, group: str) -> IccLevel:
        """The level of a grouping.

        Raises
        ------
        KeyError
            If the model has no such grouping.
        """
        return {level.group: level for level in self.levels}[group]


def icc(fit: Fit, *, level: float = 0.95, bootstrap: int = 0, seed: int | None = None) -> Icc:
    """Intraclass correlations at every level of a model with random intercepts.

    Nested groupings add up: two rows of one class also share their school. Crossed groupings
    stand alone. The mean group size behind `reliability` is the arithmetic mean, as in Bliese
    (2000); for the mean of a level the variances of the levels within it are divided by their
    mean number.

    Parameters
    ----------
    fit : Fit
        A mixed model whose random terms are intercepts, such as (1 | firm/person) or
        (1 | person) + (1 | task). Of a logistic model the correlations are those of the latent
        log odds, with the logistic law's variance pi^2 / 3 as the residual's.
    level : float
        Confidence level.
    bootstrap : int
        Outcomes drawn from the fit and refitted for percentile intervals; 0 for none. Without
        it a single grouping of up to 2,000 levels gets an exact interval (Wald 1940), which for
        balanced groups is the F interval of analysis of variance; other models the delta method.
    seed : int, optional
        Of the draws; needed with `bootstrap`.

    Returns
    -------
    Icc

    Raises
    ------
    DeclarationError
        For a bootstrap without a seed.
    FitError
        For a fit that is not usable, has no random terms, has random slopes (its correlations
        depend on the row) or no longer remembers its rows.

    Examples
    --------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"y": [4.0, 6, 5, 9, 8, 10, 2, 3, 1], "g": list("aaabbbccc")})
    >>> found = icc(fit_formula("y ~ 1 + (1 | g)", data))["g"]
    >>> round(found.icc, 4), round(found.low, 4), round(found.high, 4), round(found.reliability, 4)
    (0.9231, 0.5773, 0.9979, 0.973)
    """
    require_usable(fit)
    require_draws(bootstrap, seed, "icc")
    _require_level(level)
    logistic = logistic_state(fit)
    if logistic is not None:
        return _latent(fit, logistic, level, bootstrap)
    state = mixed_state(fit)
    _refuse_slopes(fit, state)
    require_unweighted(fit, "intraclass correlation")
    model = fitted(fit)
    within = _containing(state.random.factors)
    interval, limits = _limits(model, state, within, level, bootstrap, seed)
    fixed = float(np.var(model.explained, ddof=1))
    return Icc(
        levels=_levels(model, state, within, fixed, limits, level),
        residual=model.sigma**2,
        fixed=fixed,
        level=level,
        interval=interval,
        draws=bootstrap,
    )


def _latent(fit: Fit, state: LogisticState, level: float, bootstrap: int) -> Icc:
    """Of a logistic model: on the scale of its log odds, the residual that of the logistic law."""
    if bootstrap:
        raise FitError(
            Problem(
                "the correlations of a logistic model are not bootstrapped here",
                where="icc(bootstrap=...)",
                way_out="Leave it out: the interval is the delta method's.",
            )
        )
    variances, within = latent_variances(fit, state)
    limits = latent_limits(state, within, level)
    total, shared = float(variances.sum()) + LATENT_VARIANCE, within @ variances
    fixed = float(np.var(state.design.X @ state.coefficients, ddof=1))
    levels = tuple(
        IccLevel(
            group=group,
            levels=number,
            mean_size=fit.counts.used / number,
            variance=float(variances[g]),
            share=float(variances[g] / total),
            icc=float(shared[g] / total),
            low=float(limits[g, 0]),
            high=float(limits[g, 1]),
            conditional=float(shared[g] / (total + fixed)),
            reliability=None,
            sentence=_sentence(group, float(shared[g] / total), limits[g], level, " in log odds"),
        )
        for g, (group, number) in enumerate(fit.counts.groups.items())
    )
    return Icc(levels, LATENT_VARIANCE, fixed, level, "delta")


def null_model(fit: Fit) -> Fit:
    """The same groupings with random intercepts alone and no predictors, on the same rows.

    What its variances lose against those of `fit` is what the predictors take up; `compare` puts
    the two side by side if both are ML fits.

    Examples
    --------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"y": [4.0, 6, 5, 9, 8, 10, 2, 3, 1], "g": list("aaabbbccc"),
    ...                      "x": [0.0, 1, 2, 1, 0, 2, 2, 1, 0]})
    >>> null_model(fit_formula("y ~ x + (1 | g)", data, method="ML")).names
    ('Intercept',)
    """
    memory = memory_of(fit, logistic=True)
    logistic = memory.logistic is not None
    state = None if logistic else mixed_state(fit)
    groupings = dict.fromkeys(term.grouping for term in memory.formula.random)
    terms = [f"(1 | {':'.join(f'`{name}`' for name in grouping)})" for grouping in groupings]
    formula = f"{memory.formula.outcome} ~ {' + '.join(['1', *terms])}"
    if state is None:
        trials = fit.request.weights or None
        return fit_formula(formula, memory.table.frame, family="binomial", weights=trials)
    method: Literal["REML", "ML"] = "REML" if state.objective.reml else "ML"
    return fit_formula(formula, memory.table.frame, method=method)


def _require_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise FitError(
            Problem("the level is not a probability", found=f"{level!r}", allowed="0 < level < 1")
        )


def _refuse_slopes(fit: Fit, state: LmmState) -> None:
    slopes = [
        f"{name} | {term.group}"
        for term in state.random.terms
        for name in term.names
        if name != "Intercept"
    ]
    if slopes:
        raise FitError(
            Problem(
                "with random slopes the correlation of two rows depends on the rows",
                where=f"fit of '{fit.request.formula}'",
                found=", ".join(slopes),
                way_out="Use alc_stats.r2 for shares of variance, or icc(null_model(fit)).",
            )
        )


def _containing(factors: tuple[Factor, ...]) -> BoolArray:
    """(g, f): whether every level of g lies within one level of f; g within itself."""
    return np.array([[nested_in(g, f) for f in factors] for g in factors])


def _variances(model: Fitted) -> FloatArray:
    """Intercept variance of every grouping (f,): all rows load alike."""
    return np.array([float(np.mean(loads**2)) for loads in model.loads])


def _iccs(variances: FloatArray, residual: float, within: BoolArray) -> FloatArray:
    return np.asarray(within @ variances / (variances.sum() + residual))


def _levels(
    model: Fitted,
    state: LmmState,
    within: BoolArray,
    fixed: float,
    limits: FloatArray,
    level: float,
) -> tuple[IccLevel, ...]:
    variances, residual = _variances(model), model.sigma**2
    total = float(variances.sum()) + residual
    shared = within @ variances
    reliability = _reliabilities(state, within, variances, residual)
    rows = len(model.design.y)
    return tuple(
        IccLevel(
            group=group,
            levels=factor.levels,
            mean_size=rows / factor.levels,
            variance=float(variances[g]),
            share=float(variances[g] / total),
            icc=float(shared[g] / total),
            low=float(limits[g, 0]),
            high=float(limits[g, 1]),
            conditional=float(shared[g] / (total + fixed)),
            reliability=reliability[g],
            sentence=_sentence(group, float(shared[g] / total), limits[g], level),
        )
        for g, (group, factor) in enumerate(
            zip(state.random.groups, state.random.factors, strict=True)
        )
    )


def _reliabilities(
    state: LmmState, within: BoolArray, variances: FloatArray, residual: float
) -> list[float | None]:
    """True over observed variance of level means, if the groupings form a chain."""
    if not np.all(within | within.T):
        return [None] * len(within)
    levels = np.array([factor.levels for factor in state.random.factors])
    found: list[float | None] = []
    for g, contained in enumerate(within):
        true = float(variances[contained].sum())
        error = float((variances[~contained] * levels[g] / levels[~contained]).sum())
        error += residual * float(levels[g]) / state.objective.rows
        found.append(float(true / (true + error)))
    return found


def _limits(
    model: Fitted,
    state: LmmState,
    within: BoolArray,
    level: float,
    bootstrap: int,
    seed: int | None,
) -> tuple[Interval, FloatArray]:
    """Limits (f, 2) of every grouping's correlation, and where they are from."""
    if bootstrap and seed is not None:
        return "bootstrap", _bootstrap_limits(model, within, level, bootstrap, seed)
    factors = state.random.factors
    if len(factors) == 1 and factors[0].levels <= _LARGEST_EXACT:
        return "exact", _exact_limits(model, state, level)
    return "delta", _delta_limits(model, state, within, level)


def _exact_limits(model: Fitted, state: LmmState, level: float) -> FloatArray:
    """Wald's (1940) interval of the variance ratio: exact for any group sizes and columns.

    With M clearing the fixed columns and Z'MZ = U diag(d) U', t = U'Z'My: for the true ratio r
    the sums t_i^2 / (d_i (1 + r d_i)) and the residual's are independent chi-squares times sigma^2.
    """
    (factor,) = state.random.factors
    d, t2, error, df2 = _strata(model, state, factor)
    if min(len(d), df2) < 1:
        return np.full((1, 2), np.nan)

    def excess(log_ratio: float, target: float) -> float:
        between = float(np.mean(t2 / (d * (1.0 + np.exp(log_ratio) * d))))
        return float(np.log(between / error / target))

    limits = []
    for share in ((1.0 + level) / 2.0, (1.0 - level) / 2.0):
        target = float(stats.f.ppf(share, len(d), df2))
        if float(np.mean(t2 / d)) / error <= target:
            limits.append(0.0)
            continue
        start, end = np.log(1e-16), 0.0
        while excess(end, target) > 0.0:
            start, end = end, end + 5.0
        ratio = np.exp(optimize.brentq(excess, start, end, args=(target,), xtol=1e-13))
        limits.append(float(ratio / (1.0 + ratio)))
    return np.array([limits])


def _strata(
    model: Fitted, state: LmmState, factor: Factor
) -> tuple[FloatArray, FloatArray, float, int]:
    """D and t^2 of the between-group contrasts; mean square within groups and its df."""
    n, p = model.design.X.shape
    rows = np.empty((p + 1, n))
    state.scales.fixed.rows(model.design.y, model.design.X, out=rows)
    left = rows[-1]
    sizes = np.bincount(factor.codes, minlength=factor.levels).astype(float)
    sums = np.array([np.bincount(factor.codes, c, factor.levels) for c in rows[:-1]])
    values, U = np.linalg.eigh(np.diag(sizes) - sums.T @ sums / n)
    there = values > 1e-9 * sizes.max()
    d = values[there]
    t2 = (U.T @ np.bincount(factor.codes, left, factor.levels))[there] ** 2
    df2 = n - p - len(d)
    error = (float(left @ left) - float(np.sum(t2 / d))) / max(df2, 1)
    return d, t2, error, df2


def _delta_limits(model: Fitted, state: LmmState, within: BoolArray, level: float) -> FloatArray:
    """Normal intervals of logit(icc), from the curvature of the (restricted) likelihood."""
    free, theta = state.optimum.free, state.optimum.theta
    ratios = _variances(model) / model.sigma**2
    icc = _iccs(ratios, 1.0, within)
    slopes = np.divide(2.0 * ratios, theta, out=np.zeros_like(theta), where=theta > 0.0)
    gradient = ((within - icc[:, None]) / (1.0 + ratios.sum()) * slopes)[:, free]
    covariance = variance_parameter_covariance(state)[:-1, :-1]
    se = np.sqrt(np.einsum("gi,ij,gj->g", gradient, covariance, gradient))
    inside = (ratios > 0.0) & (icc < 1.0)
    z = float(stats.norm.ppf((1.0 + level) / 2.0))
    limits = np.full((len(icc), 2), np.nan)
    share = icc[inside]
    reach = z * se[inside] / (share * (1.0 - share))
    logit = np.log(share) - np.log1p(-share)
    limits[inside] = np.column_stack([_expit(logit - reach), _expit(logit + reach)])
    return limits


def _expit(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _bootstrap_limits(
    model: Fitted, within: BoolArray, level: float, draws: int, seed: int
) -> FloatArray:
    """Percentiles of the correlations in outcomes drawn from the fit."""
    stream = stream_of(seed, "icc")
    found = []
    for _ in progress(draws, "bootstrap"):
        drawn = model.again(model.draw(stream))
        found.append(_iccs(_variances(drawn), drawn.sigma**2, within))
    shares = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)
    return np.asarray(np.quantile(np.array(found), shares, axis=0).T)


def _sentence(group: str, icc: float, limits: FloatArray, level: float, scale: str = "") -> Phrase:
    text = f"Two rows of the same {group} correlate {{icc}}{scale}"
    numbers = {"icc": Number(icc)}
    if np.isnan(limits).any():
        return Phrase(text + "; the data give no interval by the delta method.", numbers)
    numbers |= {
        "level": Number(level, "share"),
        "low": Number(float(limits[0])),
        "high": Number(float(limits[1])),
    }
    return Phrase(text + " ({level} interval {low} to {high}).", numbers)
