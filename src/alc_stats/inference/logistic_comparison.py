"""Likelihood-ratio tests of nested logistic models."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.logistic_law import Outcomes
from alc_stats.estimators.logistic import LogisticState, fit_logistic_arrays
from alc_stats.estimators.logistic_prediction import required_logistic
from alc_stats.inference.comparison import Comparison, Null, ratio_sentence
from alc_stats.inference.likelihood_ratio import ChiSquare, likelihood_ratio, upper_tail
from alc_stats.inference.nesting import CovarianceNesting, covariance_nesting
from alc_stats.inference.ratio_bootstrap import bootstrap_p
from alc_stats.inference.spans import outside


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A fit, and its state by the approximation both sides can have."""

    fit: Fit
    state: LogisticState

    def again(self, outcomes: Outcomes, *, laplace: bool) -> LogisticState:
        """The same model fitted to other outcomes of the same rows."""
        where = f"formula '{self.fit.request.formula}'"
        return fit_logistic_arrays(
            self.state.design, outcomes, self.state.random, where=where, laplace=laplace
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Ratio:
    """The likelihood ratio of one outcome drawn from the smaller model."""

    smaller: _Model
    larger: _Model
    laplace: bool

    def __call__(self, stream: np.random.Generator) -> float:
        drawn = draw_outcomes(self.smaller.state, stream)
        inner, outer = (
            model.again(drawn, laplace=self.laplace) for model in (self.smaller, self.larger)
        )
        return likelihood_ratio(inner.loglik, outer.loglik, len(drawn.trials))


@dataclass(frozen=True, slots=True)
class _Nesting:
    """What the larger model adds; `outside` names columns of the smaller it lacks."""

    columns: int
    outside: tuple[str, ...]
    random: CovarianceNesting

    @property
    def nested(self) -> bool:
        return not (self.outside or self.random.outside) and self.random.added >= 0

    @property
    def added(self) -> int:
        return self.columns + self.random.added


def compare_logistic(
    first: Fit, second: Fit, *, bootstrap: int, seed: int | None, workers: int
) -> Comparison:
    """See `comparison.compare`; at least one of the fits is logistic.

    Where one model is integrated by quadrature and the other by Laplace's approximation, the
    first is fitted again by the second's, so that their difference is not that of two
    approximations.
    """
    _refuse_linear(first, second)
    for fit in (first, second):
        require_usable(fit)
    models = [_Model(fit, required_logistic(fit)) for fit in (first, second)]
    _refuse_other_rows(*models)
    laplace = 1 in {model.state.nodes for model in models}
    smaller, larger, nesting = _ordered(*(_approximated(m, laplace=laplace) for m in models))
    rows = len(smaller.state.outcomes.trials)
    statistic = likelihood_ratio(smaller.state.loglik, larger.state.loglik, rows)
    null, mixture = _mixture(nesting)
    p = upper_tail(statistic, mixture)
    drawn = None
    if bootstrap and seed is not None:
        ratio = _Ratio(smaller, larger, laplace)
        drawn = bootstrap_p(ratio, statistic, draws=bootstrap, seed=seed, workers=workers)
    p_drawn, number = (None, 0) if drawn is None else (drawn.p, drawn.draws)
    return Comparison(
        smaller=smaller.fit.request.formula,
        larger=larger.fit.request.formula,
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


def draw_outcomes(state: LogisticState, stream: np.random.Generator) -> Outcomes:
    """New successes of the same rows: new random effects, new answers."""
    eta = state.design.X @ state.coefficients
    if state.random is not None:
        for factor, basis, lam in zip(state.random.factors, state.bases, state.lam, strict=True):
            columns = np.empty(factor.Z.T.shape)
            basis.rows(factor.Z, out=columns)
            effects = stream.standard_normal((factor.levels, factor.size))
            eta = eta + np.einsum("qn,nq->n", lam.T @ columns, effects[factor.codes])
    trials = state.outcomes.trials
    successes = stream.binomial(trials.astype(np.int64), special.expit(eta))
    return replace(state.outcomes, successes=successes.astype(float))


def _refuse_linear(first: Fit, second: Fit) -> None:
    if first.request.family != second.request.family:
        raise FitError(
            Problem(
                "a logistic model is compared with another one",
                found=f"'{first.request.formula}' ({first.request.family}) and "
                f"'{second.request.formula}' ({second.request.family})",
                way_out='Fit both with family="binomial" in this session.',
            )
        )


def _refuse_other_rows(first: _Model, second: _Model) -> None:
    a, b = first.state.outcomes, second.state.outcomes
    if not (np.array_equal(a.successes, b.successes) and np.array_equal(a.trials, b.trials)):
        raise FitError(
            Problem(
                "the models were not fitted to the same outcomes of the same rows",
                found=f"{len(a.trials)} and {len(b.trials)} rows",
                way_out="Drop the rows that either model lacks, in the same order, and fit both.",
            )
        )


def _approximated(model: _Model, *, laplace: bool) -> _Model:
    if not laplace or model.state.nodes < 2:
        return model
    return replace(model, state=model.again(model.state.outcomes, laplace=True))


def _nesting(inner: _Model, outer: _Model) -> _Nesting:
    a, b = inner.state, outer.state
    return _Nesting(
        b.design.X.shape[1] - a.design.X.shape[1],
        outside(a.design.X, a.design.names, b.design.X),
        covariance_nesting(a.random, b.random, len(a.design.y)),
    )


def _ordered(first: _Model, second: _Model) -> tuple[_Model, _Model, _Nesting]:
    """The smaller model first.

    Raises
    ------
    FitError
        If neither model lies within the other, or both do.
    """
    forward, backward = _nesting(first, second), _nesting(second, first)
    names = f"'{first.fit.request.formula}' and '{second.fit.request.formula}'"
    if forward.nested and backward.nested:
        raise FitError(Problem("the two fits are the same model", found=names))
    if forward.nested:
        return first, second, forward
    if backward.nested:
        return second, first, backward
    raise FitError(
        Problem(
            "neither model lies within the other",
            found=names,
            way_out="Compare each with a model that holds the terms of both.",
        )
    )


def _mixture(nesting: _Nesting) -> tuple[Null, tuple[ChiSquare, ...]]:
    """The statistic's distribution under the smaller model."""
    d = nesting.added
    if not nesting.random.null:
        return "chi-square", (ChiSquare(d, 1.0),)
    halves = (ChiSquare(d - 1, 0.5), ChiSquare(d, 0.5))
    return ("chi-bar-square" if nesting.random.null == (1,) else "bound"), halves
