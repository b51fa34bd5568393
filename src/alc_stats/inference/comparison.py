"""Likelihood-ratio tests of nested models that know where variances end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.lmm_basis import joint_basis
from alc_stats.estimators.mels_effects import has_scale_effect
from alc_stats.inference.draws import (
    Fitted,
    fitted,
    require_draws,
)
from alc_stats.inference.likelihood_ratio import ChiSquare, likelihood_ratio, upper_tail
from alc_stats.inference.nesting import CovarianceNesting, covariance_nesting
from alc_stats.inference.ratio_bootstrap import bootstrap_p
from alc_stats.inference.spans import SpreadNesting, outside, spread_nesting, spread_state
from alc_stats.records import FloatArray, Number, Phrase

Null = Literal["chi-square", "chi-bar-square", "bound"]

_AGAINST: dict[Null, str] = {
    "chi-square": "against a chi-square, df = {added}",
    "chi-bar-square": "against equal parts of chi-squares, df = {fewer} and {added}, because a "
    "variance cannot be negative",
    "bound": "at most, against equal parts of chi-squares, df = {fewer} and {added}, because "
    "several variances are added that cannot be negative",
}
_SAME_CODING = 1e-8
"""Restricted log-likelihoods of two codings that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A likelihood-ratio test of a smaller model within a larger one.

    Attributes
    ----------
    smaller, larger : str
        The two formulas.
    method : {"ML", "REML"}
        The likelihood compared.
    statistic : float
        Twice the difference of the log-likelihoods, not below zero.
    added : int
        Parameters the larger model adds: coefficients, variances, covariances.
    null : {"chi-square", "chi-bar-square", "bound"}
        Distribution behind `p`. "bound": several variances are added at once; the true mixture
        has weights that depend on the design, and p is not larger than stated.
    mixture : tuple of ChiSquare
    p : float
        Under the mixture, for many groups.
    sentence : Phrase
    p_bootstrap : float or None
        Share of outcomes drawn from the smaller model with at least this statistic.
    monte_carlo_error : float or None
        Standard error of `p_bootstrap`.
    draws : int
        Outcomes drawn.
    """

    smaller: str
    larger: str
    method: Literal["ML", "REML"]
    statistic: float
    added: int
    null: Null
    mixture: tuple[ChiSquare, ...]
    p: float
    sentence: Phrase
    p_bootstrap: float | None = None
    monte_carlo_error: float | None = None
    draws: int = 0


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two fits in order of size, and the models behind them."""

    smaller: Fit
    larger: Fit
    inner: Fitted
    outer: Fitted

    @property
    def reml(self) -> bool:
        return self.outer.reml

    def swapped(self) -> _Pair:
        return _Pair(self.larger, self.smaller, self.outer, self.inner)


@dataclass(frozen=True, slots=True)
class _Nesting:
    """What the larger model adds; `outside` names what of the smaller it lacks."""

    columns: int
    outside: tuple[str, ...]
    random: CovarianceNesting
    spread: SpreadNesting

    @property
    def nested(self) -> bool:
        return not (self.outside or self.random.outside or self.spread.outside)

    @property
    def added(self) -> int:
        return self.columns + self.random.added + self.spread.added


def compare(
    first: Fit,
    second: Fit,
    *,
    bootstrap: int = 0,
    seed: int | None = None,
    workers: int = 1,
) -> Comparison:
    """Likelihood-ratio test of two nested models, in either order.

    A variance cannot be negative, so the statistic of an added variance is not a chi-square: with
    one variance and c other parameters added it is half a chi-square with c and half one with
    c + 1 degrees of freedom (Self and Liang 1987; Stram and Lee 1994, case 3). For several
    variances at once the mixture's weights depend on the design; 0.5 chi2_(d-1) + 0.5 chi2_d for
    d added parameters bounds p from above, because the parameters' cone lies within a half space.
    A random scale effect adds one variance and, (1 | g), a covariance with every location effect
    of the smaller model: with q of them half a chi-square with q and half one with q + 1. Columns
    of a log SD add plain chi-squares.
    All of this is for many groups and holds where the smaller model's own variances are not zero;
    the parametric bootstrap needs neither.

    Parameters
    ----------
    first, second : Fit
        Of the same rows and outcome, by the same method, neither with a robust covariance. A
        least-squares fit may be the smaller one: it is given the likelihood of the other.
        Columns of log SDs are parameters like any other. Of two logistic models both are
        integrated by Laplace's approximation where either needs it.
    bootstrap : int
        Outcomes to draw from the smaller model, both models refitted to each; 0 for none.
    seed : int, optional
        Of those draws; needed with `bootstrap`. The same seed gives the same numbers, whatever
        the number of workers.
    workers : int
        Processes for those draws; the rows are sent to each.

    Returns
    -------
    Comparison

    Raises
    ------
    DeclarationError
        For a bootstrap without a seed or a negative number of draws.
    FitError
        If the fits differ in rows or outcome, mix ML and REML, are not nested, are the same
        model, or are REML fits whose fixed columns differ: their restricted likelihoods are of
        different data.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [4.0, 6, 5, 9, 8, 10, 2, 3, 1], "g": list("aaabbbccc")})
    >>> test = compare(fit("y ~ 1", data), fit("y ~ 1 + (1 | g)", data))
    >>> [(part.df, part.weight) for part in test.mixture], round(test.p, 4)
    ([(0, 0.5), (1, 0.5)], 0.0004)
    """
    require_draws(bootstrap, seed, "compare")
    if "binomial" in (first.request.family, second.request.family):
        from alc_stats.inference.logistic_comparison import compare_logistic

        return compare_logistic(first, second, bootstrap=bootstrap, seed=seed, workers=workers)
    if has_scale_effect(first) or has_scale_effect(second):
        from alc_stats.inference.spread_comparison import compare_spreads

        return compare_spreads(first, second, bootstrap=bootstrap, seed=seed, workers=workers)
    pair = _pair(first, second)
    _refuse_other_rows(pair)
    pair, nesting = _ordered(pair)
    _refuse_other_columns(pair, nesting)
    statistic = likelihood_ratio(pair.inner.loglik, pair.outer.loglik, len(pair.inner.design.y))
    null, mixture = _mixture(nesting)
    p = upper_tail(statistic, mixture)
    p_bootstrap, error = None, None
    if bootstrap and seed is not None:
        _refuse_draws(pair)
        drawn = bootstrap_p(
            _Ratio(pair.inner, pair.outer),
            statistic,
            draws=bootstrap,
            seed=seed,
            workers=workers,
        )
        p_bootstrap, error, bootstrap = drawn.p, drawn.monte_carlo_error, drawn.draws
    return Comparison(
        smaller=pair.smaller.request.formula,
        larger=pair.larger.request.formula,
        method="REML" if pair.reml else "ML",
        statistic=statistic,
        added=nesting.added,
        null=null,
        mixture=mixture,
        p=p,
        sentence=ratio_sentence(pair.smaller, statistic, mixture, null, p, p_bootstrap, bootstrap),
        p_bootstrap=p_bootstrap,
        monte_carlo_error=error,
        draws=bootstrap,
    )


def _pair(first: Fit, second: Fit) -> _Pair:
    """Both fits with one likelihood, the one with fewer parameters first."""
    for fit in (first, second):
        require_usable(fit)
        refuse_robust(fit)
    methods = {fit.request.method for fit in (first, second) if fit.random}
    if len(methods) == 2:
        raise FitError(
            Problem(
                "a likelihood and a restricted likelihood cannot be compared",
                found=f"{first.request.method} and {second.request.method}",
                way_out='Fit both with the same method, such as method="ML".',
            )
        )
    reml = methods == {"REML"}
    return _Pair(first, second, _model(first, reml=reml), _model(second, reml=reml))


def _model(fit: Fit, *, reml: bool) -> Fitted:
    """What is compared: of a fit that models its spread, what its likelihood is of."""
    state = spread_state(fit)
    if state is None:
        return fitted(fit, reml=reml)
    mixed = state.mixed
    random = mixed.random if mixed.random.factors else None
    return Fitted(mixed.design, random, reml, mixed.coefficients, (), mixed.sigma, mixed.loglik)


def refuse_robust(fit: Fit) -> None:
    """Raise a FitError for a fit whose covariance is not its model's own."""
    if fit.request.covariance != "model":
        raise FitError(
            Problem(
                "a likelihood ratio does not see a robust covariance",
                where=f"fit of '{fit.request.formula}'",
                found=f"covariance '{fit.request.covariance}'",
                way_out="Test the coefficients with alc_stats.inference.joint, or fit without it.",
            )
        )


def _refuse_other_rows(pair: _Pair) -> None:
    a, b = pair.inner.design, pair.outer.design
    if a.coding.outcome != b.coding.outcome and not np.array_equal(a.y, b.y):
        raise FitError(
            Problem(
                "the models have different outcomes",
                found=f"{a.coding.outcome} and {b.coding.outcome}",
                way_out="Likelihoods of different outcomes cannot be compared.",
            )
        )
    if len(a.y) != len(b.y) or not np.array_equal(a.y, b.y):
        raise FitError(
            Problem(
                "the models were not fitted to the same rows",
                found=f"{len(a.y)} and {len(b.y)} rows"
                + (" with other outcomes" if len(a.y) == len(b.y) else ""),
                way_out="Drop the rows that either model lacks, in the same order, and fit both.",
            )
        )
    if not np.array_equal(_weights(pair.inner), _weights(pair.outer)):
        raise FitError(
            Problem(
                "the models give the same rows different weights",
                way_out="Fit both with the same weights=...",
            )
        )


def _weights(model: Fitted) -> FloatArray:
    return np.ones(len(model.design.y)) if model.weights is None else model.weights


def _ordered(pair: _Pair) -> tuple[_Pair, _Nesting]:
    """The pair with the smaller model first.

    Raises
    ------
    FitError
        If neither model lies within the other, or both do.
    """
    forward, backward = _nesting(pair), _nesting(pair.swapped())
    if forward.nested and backward.nested:
        raise FitError(
            Problem(
                "the two fits are the same model",
                found=f"'{pair.smaller.request.formula}' and '{pair.larger.request.formula}'",
            )
            if not _other_coding(pair)
            else _coding_problem(pair)
        )
    if forward.nested:
        return pair, forward
    if backward.nested:
        return pair.swapped(), backward
    raise FitError(_not_nested(pair, forward, backward))


def _nesting(pair: _Pair) -> _Nesting:
    a, b = pair.inner.design, pair.outer.design
    return _Nesting(
        b.X.shape[1] - a.X.shape[1],
        outside(a.X, a.names, b.X),
        covariance_nesting(pair.inner.random, pair.outer.random, len(a.y)),
        spread_nesting(pair.smaller, pair.larger),
    )


def _not_nested(pair: _Pair, forward: _Nesting, backward: _Nesting) -> Problem:
    def lacks(fit: Fit, nesting: _Nesting) -> str:
        lacked = nesting.outside + nesting.spread.outside
        parts = [f"the columns {', '.join(lacked)}"] if lacked else []
        groups = ", ".join(f"'{g}'" for g in nesting.random.outside)
        parts += [f"the covariances over {groups}"] if groups else []
        return f"'{fit.request.formula}' lacks {' and '.join(parts)} of the other"

    return Problem(
        "neither model lies within the other",
        found=f"{lacks(pair.larger, forward)}; {lacks(pair.smaller, backward)}",
        way_out="Compare each with a model that holds the terms of both.",
    )


def _refuse_other_columns(pair: _Pair, nesting: _Nesting) -> None:
    """Restricted likelihoods need one space of fixed columns, coded alike."""
    if not pair.reml:
        return
    if nesting.columns:
        raise FitError(
            Problem(
                "REML fits with different fixed parts cannot be compared: each restricted "
                "likelihood is of the outcome cleared of its own columns",
                found=f"{nesting.columns} columns more in '{pair.larger.request.formula}'",
                way_out='Fit both with method="ML".',
            )
        )
    if _other_coding(pair):
        raise FitError(_coding_problem(pair))


def _other_coding(pair: _Pair) -> bool:
    return pair.reml and abs(_coding_shift(pair)) > _SAME_CODING


def _coding_shift(pair: _Pair) -> float:
    """What the coding of the same fixed columns adds to the restricted log-likelihood."""
    return joint_basis(pair.outer.design.X).log_det - joint_basis(pair.inner.design.X).log_det


def _coding_problem(pair: _Pair) -> Problem:
    return Problem(
        "REML fits that code the same fixed columns differently cannot be compared: the coding "
        "alone moves the restricted likelihood",
        found=f"a difference of {abs(2.0 * _coding_shift(pair)):.4g} in the likelihood ratio "
        "that says nothing about the models",
        way_out='Write the fixed part alike in both, or fit both with method="ML".',
    )


def _mixture(nesting: _Nesting) -> tuple[Null, tuple[ChiSquare, ...]]:
    """The statistic's distribution under the smaller model."""
    d = nesting.added
    if not nesting.random.null:
        return "chi-square", (ChiSquare(d, 1.0),)
    halves = (ChiSquare(d - 1, 0.5), ChiSquare(d, 0.5))
    return ("chi-bar-square" if nesting.random.null == (1,) else "bound"), halves


def _refuse_draws(pair: _Pair) -> None:
    for fit in (pair.smaller, pair.larger):
        if spread_state(fit) is not None:
            raise FitError(
                Problem(
                    "a model of the spread is not fitted to drawn outcomes here",
                    where=f"fit of '{fit.request.formula}'",
                    way_out="Leave bootstrap out: p is that of the chi-square.",
                )
            )


@dataclass(frozen=True, slots=True)
class _Ratio:
    """The likelihood ratio of one outcome drawn from the smaller model."""

    inner: Fitted
    outer: Fitted

    def __call__(self, stream: np.random.Generator) -> float:
        y = self.inner.draw(stream)
        return likelihood_ratio(self.inner.again(y).loglik, self.outer.again(y).loglik, len(y))


def ratio_sentence(
    smaller: Fit,
    statistic: float,
    mixture: tuple[ChiSquare, ...],
    null: Null,
    p: float,
    p_bootstrap: float | None,
    draws: int,
) -> Phrase:
    """What was found, in a sentence."""
    numbers = {
        "statistic": Number(statistic, "statistic"),
        "added": Number(mixture[-1].df, "count"),
        "p": Number(p, "p"),
    }
    if null != "chi-square":
        numbers["fewer"] = Number(mixture[0].df, "count")
    text = "The likelihood ratio is {statistic} (p = {p} " + _AGAINST[null] + ")"
    if p_bootstrap is not None:
        numbers |= {"p_bootstrap": Number(p_bootstrap, "p"), "draws": Number(draws, "count")}
        text += "; among {draws} outcomes drawn from the smaller model, p = {p_bootstrap}."
    elif smaller.certificate.status == "boundary":
        text += "; the smaller model is itself at a boundary, where only a bootstrap's p holds."
    else:
        text += "."
    return Phrase(text, numbers)
