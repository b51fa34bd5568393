"""Likelihood-ratio tests that involve a random scale effect.

A scale effect brings one variance, which cannot be negative, and with location effects one
covariance for each of them: under the model without it the statistic is half a chi-square with as
many degrees of freedom as there are covariances and half one with one more (Self and Liang 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.mels_effects import has_scale_effect
from alc_stats.estimators.mels_rows import SpreadColumns
from alc_stats.inference.comparison import Comparison, Null, ratio_sentence, refuse_robust
from alc_stats.inference.likelihood_ratio import ChiSquare, likelihood_ratio, upper_tail
from alc_stats.inference.nesting import covariance_nesting
from alc_stats.inference.ratio_bootstrap import bootstrap_p
from alc_stats.inference.spans import outside
from alc_stats.inference.spread_draws import SpreadModel, outcome_of, spread_model
from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True)
class _Nesting:
    """Parameters added, variances among them that are zero before, and what the larger lacks."""

    added: int
    zeros: int
    outside: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Ratio:
    """The likelihood ratio of one outcome drawn from the smaller model."""

    smaller: SpreadModel
    larger: SpreadModel

    def __call__(self, stream: np.random.Generator) -> float:
        y = self.smaller.draw(stream)
        return likelihood_ratio(self.smaller.refitted(y), self.larger.refitted(y), len(y))


def compare_spreads(
    first: Fit, second: Fit, *, bootstrap: int, seed: int | None, workers: int
) -> Comparison:
    """See `comparison.compare`; at least one of the fits has a random scale effect."""
    for fit in (first, second):
        require_usable(fit)
        refuse_robust(fit)
        _require_likelihood(fit)
    _refuse_other_rows(first, second)
    beside = first if has_scale_effect(first) else second
    smaller, larger, nesting = _ordered(spread_model(first, beside), spread_model(second, beside))
    statistic = likelihood_ratio(smaller.loglik, larger.loglik, len(smaller.design.y))
    null, mixture = _mixture(nesting)
    p = upper_tail(statistic, mixture)
    drawn = (
        bootstrap_p(_Ratio(smaller, larger), statistic, draws=bootstrap, seed=seed, workers=workers)
        if bootstrap and seed is not None
        else None
    )
    p_drawn, number = (None, 0) if drawn is None else (drawn.p, drawn.draws)
    return Comparison(
        smaller=_written(smaller.fit),
        larger=_written(larger.fit),
        method="ML",
        statistic=statistic,
        added=nesting.added,
        null=null,
        mixture=mixture,
        p=p,
        sentence=ratio_sentence(smaller.fit, statistic, mixture, null, p, p_drawn, number),
        p_bootstrap=p_drawn,
        monte_carlo_error=None if drawn is None else drawn.monte_carlo_error,
        draws=number,
    )


def _require_likelihood(fit: Fit) -> None:
    if fit.request.method == "REML":
        raise FitError(
            Problem(
                "a likelihood and a restricted likelihood cannot be compared",
                where=f"fit of '{fit.request.formula}'",
                found="REML beside a model with a random scale effect, which has ML only",
                way_out='Fit it with method="ML".',
            )
        )
    if fit.request.weights:
        raise FitError(
            Problem(
                "a model with prior weights lies in no model with a random scale effect here",
                where=f"fit of '{fit.request.formula}'",
                way_out="Fit it without weights.",
            )
        )


def _refuse_other_rows(first: Fit, second: Fit) -> None:
    if first.counts.used != second.counts.used or not np.array_equal(
        outcome_of(first), outcome_of(second)
    ):
        raise FitError(
            Problem(
                "the models were not fitted to the same outcome of the same rows",
                found=f"{first.counts.used} rows of {first.coding.outcome} and "
                f"{second.counts.used} of {second.coding.outcome}",
                way_out="Drop the rows that either model lacks, in the same order, and fit both.",
            )
        )


def _ordered(a: SpreadModel, b: SpreadModel) -> tuple[SpreadModel, SpreadModel, _Nesting]:
    forward, backward = _nesting(a, b), _nesting(b, a)
    if not forward.outside and not backward.outside:
        raise FitError(
            Problem(
                "the two fits are the same model", found=f"{_written(a.fit)} and {_written(b.fit)}"
            )
        )
    if not forward.outside:
        return a, b, forward
    if not backward.outside:
        return b, a, backward
    raise FitError(
        Problem(
            "neither model lies within the other",
            found=f"{_written(b.fit)} lacks {', '.join(forward.outside)} of the other; "
            f"{_written(a.fit)} lacks {', '.join(backward.outside)}",
            way_out="Compare each with a model that holds the terms of both.",
        )
    )


def _nesting(smaller: SpreadModel, larger: SpreadModel) -> _Nesting:
    n = len(smaller.design.y)
    random = covariance_nesting(smaller.random, larger.random, n)
    lacks = [
        *outside(smaller.design.X, smaller.design.names, larger.design.X),
        *_outside_spread("log_sd", smaller.data.scale, larger.data.scale, n),
        *(f"the covariances over '{group}'" for group in random.outside),
        *_effects_outside(smaller, larger),
    ]
    if smaller.random is not None and larger.random is not None:
        own, other = (
            model.data.between.columns if model.data.between is not None else None
            for model in (smaller, larger)
        )
        lacks += _outside_spread("between_log_sd", own, other, n)
    added = int(np.sum(~larger.held)) - int(np.sum(~smaller.held))
    zeros = sum(random.null) + (larger.scale_effect and not smaller.scale_effect)
    return _Nesting(added, zeros, tuple(lacks))


def _outside_spread(
    label: str, smaller: SpreadColumns | None, larger: SpreadColumns | None, n: int
) -> list[str]:
    """Columns of the smaller model's log SD that are no combination of the larger's."""
    (names, own), (_, whole) = _columns(smaller, n), _columns(larger, n)
    return [f"{label}.{name}" for name in outside(own, names, whole)]


def _columns(columns: SpreadColumns | None, n: int) -> tuple[tuple[str, ...], FloatArray]:
    """Names and columns of a log SD; a constant where it is the same for all rows."""
    if columns is None:
        return ("Intercept",), np.ones((n, 1))
    return columns.names, columns.values


def _effects_outside(smaller: SpreadModel, larger: SpreadModel) -> list[str]:
    """What the scale effect and the errors of the smaller model do that the larger's do not."""
    found = []
    if smaller.scale_effect and not larger.scale_effect:
        found.append("the random scale effect")
    elif smaller.scale_effect and smaller.data.group != larger.data.group:
        found.append(f"the scale effect of '{smaller.data.group}'")
    elif smaller.correlated and not larger.correlated:
        found.append("the correlation of the scale effect with the location effects")
    if smaller.fit.request.order not in ("", larger.fit.request.order):
        found.append(f"the autoregression over '{smaller.fit.request.order}'")
    return found


def _mixture(nesting: _Nesting) -> tuple[Null, tuple[ChiSquare, ...]]:
    """The statistic's distribution under the smaller model."""
    d = nesting.added
    if nesting.zeros == 0:
        return "chi-square", (ChiSquare(d, 1.0),)
    halves = (ChiSquare(d - 1, 0.5), ChiSquare(d, 0.5))
    return ("chi-bar-square" if nesting.zeros == 1 else "bound"), halves


def _written(fit: Fit) -> str:
    """The formulas of a fit on one line."""
    parts = {"scale": fit.request.scale, "between": fit.request.between}
    return "; ".join([fit.request.formula, *(f"{k} {v}" for k, v in parts.items() if v)])
