"""Profile-likelihood intervals for the variances and correlations of a mixed model.

Columns of one random term are turned so that the parameter becomes an entry of the covariance
factor (or the angle of two rows); it is held, everything else is optimised again with the
engine's own statistics, and the deviance's rise is followed to the critical value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import linalg, stats

from alc_stats.errors import DeclarationError, FitError, Problem, did_you_mean
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.lmm_profile import Held, profile
from alc_stats.estimators.lmm import LmmState
from alc_stats.estimators.lmm_terms import Term
from alc_stats.estimators.mels_effects import has_scale_effect
from alc_stats.estimators.memory import mixed_state
from alc_stats.inference.spread_profile import spread_profile
from alc_stats.records import Number, Phrase

RESIDUAL = "SD of residual"


@dataclass(frozen=True, slots=True)
class ProfileInterval:
    """A profile-likelihood interval.

    Attributes
    ----------
    parameter : str
        Such as "SD of Days | Subject", "correlation of Intercept, Days | Subject".
    estimate, low, high : float
        In the units of the columns. A limit at the parameter's bound (0, -1 or 1) means that the
        data do not rule the bound out.
    level : float
    method : {"ML", "REML"}
        The likelihood profiled: the fit's own.
    sentence : Phrase
    """

    parameter: str
    estimate: float
    low: float
    high: float
    level: float
    method: Literal["ML", "REML"]
    sentence: Phrase


def profile_interval(fit: Fit, parameter: str, *, level: float = 0.95) -> ProfileInterval:
    """Interval of one SD or correlation of the random part, or of the residual SD.

    The values whose deviance, everything else optimised again, is within the chi-square quantile
    (one degree of freedom) of the least. REML fits profile the restricted likelihood. (lme4
    profiles the likelihood also of REML fits; fit by ML to compare.)

    Parameters
    ----------
    fit : Fit
        A mixed model of the session.
    parameter : str
        "SD of <column> | <grouping>", "correlation of <column>, <column> | <grouping>" or
        "SD of residual"; `profile_intervals` gives all of them. With a random scale effect it is
        the effect "log_sd", the SD of the residual is no parameter, and coefficients such as
        "log_sd.mandate" have profiles too.
    level : float

    Returns
    -------
    ProfileInterval

    Raises
    ------
    DeclarationError
        For a parameter the fit has not, or a level outside (0, 1).
    FitError
        For a fit that is not usable or no longer remembers its rows, or a correlation of an
        effect that does not vary.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [4.0, 6, 5, 9, 8, 10, 2, 3, 1], "g": list("aaabbbccc")})
    >>> found = profile_interval(fit("y ~ 1 + (1 | g)", data), "SD of Intercept | g")
    >>> round(found.estimate, 3), round(found.low, 3), round(found.high, 3)
    (3.464, 1.562, 14.691)
    """
    require_usable(fit)
    if not 0.0 < level < 1.0:
        raise DeclarationError(
            Problem(
                "the level is not a probability",
                where="profile_interval(level=...)",
                found=f"{level!r}",
                allowed="between 0 and 1",
            )
        )
    if has_scale_effect(fit):
        found = spread_profile(fit, parameter, level)
        return ProfileInterval(
            parameter=parameter,
            estimate=found.estimate,
            low=found.low,
            high=found.high,
            level=level,
            method="ML",
            sentence=_sentence(parameter, found.estimate, found.low, found.high, level),
        )
    state = mixed_state(fit)
    names = parameters_of(fit)
    if parameter not in names:
        raise DeclarationError(
            Problem(
                f"the fit has no parameter '{parameter}'",
                where="profile_interval(parameter=...)",
                allowed="; ".join(names),
                way_out=did_you_mean(parameter, names),
            )
        )
    held, unit = _held(state, parameter)
    path = profile(state.objective, state.optimum.theta, held)
    low, high = (unit * limit for limit in path.limits(float(stats.chi2.ppf(level, 1))))
    estimate = unit * path.estimate
    return ProfileInterval(
        parameter=parameter,
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        method="REML" if state.objective.reml else "ML",
        sentence=_sentence(parameter, estimate, low, high, level),
    )


def profile_intervals(fit: Fit, *, level: float = 0.95) -> tuple[ProfileInterval, ...]:
    """Intervals of every parameter of the random part, in the order of the fit's summary.

    Correlations of effects that do not vary are left out.
    """
    skipped = {RESIDUAL} if has_scale_effect(fit) else set()
    skipped |= {
        name
        for name, component in zip(parameters_of(fit), fit.random, strict=True)
        if component.correlation is not None and np.isnan(component.correlation)
    }
    return tuple(
        profile_interval(fit, name, level=level)
        for name in parameters_of(fit)
        if name not in skipped
    )


def parameters_of(fit: Fit) -> tuple[str, ...]:
    """Names of the random part's parameters, as `profile_interval` takes them."""
    found = []
    for component in fit.random:
        if component.group == "Residual":
            found.append(RESIDUAL)
        elif component.correlation is None:
            found.append(f"SD of {component.term} | {component.group}")
        else:
            found.append(f"correlation of {component.term}, {component.other} | {component.group}")
    return tuple(found)


def _held(state: LmmState, parameter: str) -> tuple[Held, float]:
    """Where the parameter of that name stands, and its unit in the outcome's standardised ones."""
    scale = float(state.scales.fixed.scale)
    if parameter == RESIDUAL:
        return Held("sigma", 0, 0, np.eye(1)), scale
    for term in state.random.terms:
        for k, name in enumerate(term.names):
            if parameter == f"SD of {name} | {term.group}":
                return _turned(state, term, (k,)), scale
            for i in range(k if term.correlated else 0):
                if parameter == f"correlation of {term.names[i]}, {name} | {term.group}":
                    _require_varying(state, term, (i, k), parameter)
                    return _turned(state, term, (i, k)), 1.0
    raise KeyError(parameter)


def _turned(state: LmmState, term: Term, columns: tuple[int, ...]) -> Held:
    """Coordinates of a term's block in which the effects of `columns` come first."""
    places = [term.first + k for k in columns]
    (block,) = {
        (first, size)
        for factor, first, size in state.objective.template.blocks
        if factor == term.factor and first <= places[0] < first + size
    }
    own = slice(block[0], sum(block))
    rows = state.scales.random[term.factor].back[places, own]
    Q, R = np.linalg.qr(rows.T, mode="complete")
    k = len(rows)
    ahead = linalg.block_diag(np.linalg.inv(R[:k].T), np.eye(block[1] - k))
    turn = np.eye(state.objective.template.sizes[term.factor])
    turn[own, own] = Q @ ahead
    return Held("sd" if k == 1 else "correlation", term.factor, own.start, turn)


def _require_varying(state: LmmState, term: Term, columns: tuple[int, ...], parameter: str) -> None:
    factor = state.relative_factor(term.factor)[[term.first + k for k in columns]]
    if not np.all(np.linalg.norm(factor, axis=1) > 0.0):
        raise FitError(
            Problem(
                "an effect that does not vary has no correlation",
                where=f"'{parameter}'",
                found="a standard deviation of zero",
                way_out="Ask for the interval of that standard deviation.",
            )
        )


def _sentence(parameter: str, estimate: float, low: float, high: float, level: float) -> Phrase:
    return Phrase(
        f"The {parameter} is {{estimate}} ({{level}} profile interval {{low}} to {{high}}).",
        {
            "estimate": Number(estimate),
            "level": Number(level, "share"),
            "low": Number(low),
            "high": Number(high),
        },
    )
