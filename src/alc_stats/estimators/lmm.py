"""Linear mixed models by our own engine: any number of nested and crossed random terms.

`fit_lmm` goes from a formula and a table to a `Fit`; the `LmmState` beside it keeps what
inference after the fit needs (derivatives, random effects, small-sample corrections) and is
neither printed nor stored.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Design, Table, build_design, read_table
from alc_stats.estimators.fit import Fit, Request, VarianceComponent
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.lmm_crossed import Crossed
from alc_stats.estimators.kernels.lmm_deviance import Objective, Solution
from alc_stats.estimators.kernels.lmm_model import Evaluation
from alc_stats.estimators.kernels.lmm_optimum import optimise
from alc_stats.estimators.kernels.lmm_problem import Scales, prepare
from alc_stats.estimators.kernels.lmm_search import Optimum, reached
from alc_stats.estimators.lmm_certificate import certify
from alc_stats.estimators.lmm_terms import RandomPart, random_part
from alc_stats.estimators.memory import Memory
from alc_stats.estimators.random_components import covariance_names, random_components
from alc_stats.records import FloatArray

_NO_RESIDUAL = 1e-12
"""A residual SD below this share of the outcome's SD is rounding, not error."""
_BEYOND = 1e6
"""A random SD this many times the residual's: their variances differ by all digits of float64 but
four, and a top between them may be one of rounding."""
_VANISHING = 1e-6
"""Residual variance, relative to least squares, at which a search without end was on its way to
none."""
_REPRODUCED = 1e-13
"""Residual variance, relative to least squares, at which random effects reproduce the outcome."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LmmState:
    """A fitted mixed model as functions of its variance parameters.

    Everything inside is on standardised scales; the properties are in the units of the columns.
    The restricted or full deviance as a function of theta is `objective`; `evaluation.cross` holds
    the derivatives of W'V^-1 W, hence of the coefficients' covariance, in every covariance
    parameter.

    Attributes
    ----------
    objective : Objective
    scales : Scales
    optimum : Optimum
    evaluation : Evaluation
        At the optimum.
    solution : Solution
        At the optimum.
    random : RandomPart
    design : Design
    weights : array (n,) or None
        Prior weights.
    """

    objective: Objective
    scales: Scales
    optimum: Optimum
    evaluation: Evaluation
    solution: Solution
    random: RandomPart
    design: Design
    weights: FloatArray | None = None

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return float(self.scales.fixed.scale * np.sqrt(self.solution.sigma2))

    @property
    def coefficients(self) -> FloatArray:
        """Fixed effects (p,)."""
        return self.scales.coefficients(self.solution.beta)

    @property
    def vcov(self) -> FloatArray:
        """Covariance (p, p) of the fixed effects at the estimated variances."""
        return self.scales.covariance(self.solution.unscaled * self.solution.sigma2)

    @property
    def loglik(self) -> float:
        """Log-likelihood, or restricted log-likelihood."""
        o, s = self.objective, self.solution
        return -0.5 * self.scales.deviance(s.deviance, degrees=s.degrees, reml=o.reml)

    def relative_factor(self, factor: int) -> FloatArray:
        """Lower triangular lam (q, q) of one grouping: covariance = sigma^2 lam lam'."""
        lam = self.objective.template.unpack(self.optimum.theta)[factor]
        return self.scales.factor(factor, lam)

    def covariance(self, factor: int) -> FloatArray:
        """Covariance (q, q) of the random effects of one grouping."""
        lam = self.sigma * self.relative_factor(factor)
        return np.asarray(lam @ lam.T)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FittedLmm:
    """A fit and the state it was read from."""

    fit: Fit
    state: LmmState


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalModes:
    """Random effects of one grouping given the data, in the units of the columns.

    Attributes
    ----------
    group : str
    names : tuple of str, length q
    labels : Index (J,)
    modes : array (J, q)
    covariance : array (J, q, q)
        Of the effects given the data and the fixed effects (lme4's condVar).
    """

    group: str
    names: tuple[str, ...]
    labels: pd.Index
    modes: FloatArray
    covariance: FloatArray


def fit_lmm(
    formula: Formula, data: pd.DataFrame, *, request: Request, weights: str | None = None
) -> FittedLmm:
    """Fit a linear mixed model.

    Parameters
    ----------
    formula : Formula
        With at least one random term.
    data : DataFrame
    request : Request
        `method` "REML" or "ML"; `df` "satterthwaite", "kenward-roger", "residual" or "normal".
    weights : str, optional
        Column of positive prior weights: Var(e_i) = sigma^2 / w_i.

    Raises
    ------
    FormulaError, FitError
        As `alc_stats.estimators.fit`; FitError also where the random effects reproduce the
        outcome or the crossed part is too large.
    """
    from alc_stats.estimators.small_sample import adjusted

    table = read_table(formula, data, [weights] if weights else [])
    design = build_design(formula, table)
    random = random_part(formula, table)
    state = fit_arrays(
        design, random, reml=request.method == "REML", weights=_weights(table, weights)
    )
    with singularity_told(len(design.y)):
        inference = adjusted(state, design, request.df)
    components, boundary = variance_components(state)
    fit = Fit(
        request=request,
        names=design.names,
        estimates=state.coefficients,
        vcov=inference.vcov,
        df=inference.df,
        components=design.components,
        random=components,
        loglik=state.loglik,
        counts=table.counts(random.counts()),
        certificate=certify(
            state.optimum,
            parameter_names(state),
            boundary=boundary,
            digits=min(data_digits(design), _arithmetic_digits(state)),
        ),
        coding=design.coding,
        statistics=design.statistics() | {"residual_sd": state.sigma},
        software=_software(),
        memory=Memory(formula, table, design, state),
    )
    return FittedLmm(fit, state)


def fit_arrays(
    design: Design, random: RandomPart, *, reml: bool, weights: FloatArray | None = None
) -> LmmState:
    """Search for the optimum of a design's (restricted) likelihood.

    Raises
    ------
    FitError
        If nothing is left to vary, before or after the random effects.
    """
    prepared = functools.partial(
        prepare, design.y, design.X, factors=random.factors, reml=reml, weights=weights
    )
    problem = prepared()
    refuse_reproduced(problem.scales.fixed.scale, design)
    with singularity_told(len(design.y)):
        problem, optimum = optimise(problem, prepared)
        evaluation, solution = problem.objective.at(optimum.theta)
        problem.objective.statistics.release()
        if not np.isfinite(solution.deviance):
            raise np.linalg.LinAlgError("the deviance is not a number there")
    require_residual(optimum, solution)
    return LmmState(
        problem.objective, problem.scales, optimum, evaluation, solution, random, design, weights
    )


def refuse_reproduced(residual: float, design: Design) -> None:
    """Raise a FitError if the SD of least squares' residuals is rounding."""
    if residual <= _NO_RESIDUAL * design.y.std():
        raise FitError(
            Problem(
                "the columns reproduce the outcome exactly, so nothing is left to vary",
                way_out="Look for the outcome among the predictors.",
            )
        )


def require_residual(optimum: Optimum, solution: Solution) -> None:
    """Refuse where the likelihood has its maximum, or none, next to no residual variance."""
    if not solution.sigma2 > _REPRODUCED:
        raise FitError(
            Problem(
                "the random effects reproduce the outcome exactly, so no residual is left",
                way_out="Look for an outcome that is constant within every level of a grouping.",
            )
        )
    largest = float(np.abs(optimum.theta).max(initial=0.0))
    if solution.sigma2 < _VANISHING and (largest > _BEYOND or not reached(optimum)):
        raise FitError(
            Problem(
                "the likelihood rises to where next to no residual variance is left, and no "
                "maximum could be certified there",
                found=f"random effects that leave {solution.sigma2:.1g} of the residual variance",
                way_out="Use a simpler random part: it has nearly as many effects as there are "
                "rows.",
            )
        )


@contextmanager
def singularity_told(rows: int) -> Iterator[None]:
    """A matrix that cannot be factored is a sentence about the model, not a traceback.

    A trial step of the search may leave float64's range: its deviance is then not a number and the
    step is not taken. Where the search ends, the certificate judges.
    """
    try:
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            yield
    except np.linalg.LinAlgError as error:
        raise FitError(
            Problem(
                "the likelihood cannot be worked out where the search led",
                found=f"{rows} rows; {error}",
                way_out="Use a simpler random part, and look at columns that nearly agree.",
            )
        ) from error


def conditional_modes(state: LmmState) -> tuple[ConditionalModes, ...]:
    """Random effects of every grouping given the data: modes and conditional covariances.

    Examples
    --------
    >>> from alc_stats.estimators.formula import parse
    >>> data = pd.DataFrame({"y": [4.0, 6, 5, 9, 8, 10, 2, 3, 1], "g": list("aaabbbccc")})
    >>> request = Request("y ~ 1 + (1 | g)", "alc_stats", "REML", df="satterthwaite")
    >>> (effects,) = conditional_modes(fit_lmm(parse(request.formula), data, request=request).state)
    >>> dict(zip(effects.labels, effects.modes[:, 0].round(3).tolist(), strict=True))
    {'a': -0.324, 'b': 3.568, 'c': -3.243}
    """
    lam = state.objective.template.unpack(state.optimum.theta)
    found = []
    for f, effects in enumerate(state.objective.statistics.effects(lam)):
        back = state.scales.fixed.scale * state.scales.random[f].back
        modes = np.einsum("qwj,w,bq->jb", effects.loads, state.solution.contrast, back)
        spread = np.einsum("aq,qrj,br->jab", back, effects.spread, back)
        names = tuple(n for t in state.random.terms if t.factor == f for n in t.names)
        found.append(
            ConditionalModes(
                state.random.groups[f],
                names,
                state.random.labels[f],
                modes,
                spread * state.solution.sigma2,
            )
        )
    return tuple(found)


def data_digits(design: Design) -> float:
    """Decimal digits of the outcome's and columns' variation that float64 input can hold.

    Whole numbers are exact; any other value is off by up to half a unit in its last place, which
    beside a large origin is no small share of what varies.
    """
    columns = [design.y, *design.X.T]
    shares = [_rounding_share(column) for column in columns]
    return float(min(15.0, -np.log10(max(shares))))


def _arithmetic_digits(state: LmmState) -> float:
    """Decimal digits of the residual variance that crossed elimination leaves.

    The groupings behind the first are absorbed by a difference of large numbers: its rounding
    grows with their variances, and counts beside what is left of the outcome.
    """
    statistics = state.objective.statistics
    if not isinstance(statistics, Crossed):
        return 15.0
    lam = state.objective.template.unpack(state.optimum.theta)
    absorbed = max(float(np.sum(lam[place] ** 2)) for place in statistics.places[1:])
    condition = 1.0 + absorbed * float(statistics.outer.diagonal().max())
    left = state.solution.residual / float(state.evaluation.inner[-1, -1])
    return float(-np.log10(np.finfo(float).eps * condition / left))


def _rounding_share(column: FloatArray) -> float:
    spread = float(column.std())
    if spread == 0.0 or np.array_equal(column, np.rint(column)):
        return 1e-16
    return float(np.finfo(float).eps / 2.0 * np.abs(column).max() / spread)


def _weights(table: Table, name: str | None) -> FloatArray | None:
    if name is None:
        return None
    weights = table.frame[name].to_numpy(dtype=float)
    if not np.all(weights > 0.0):
        raise FitError(
            Problem(
                f"the weights '{name}' are not all positive",
                found=f"{int(np.sum(weights <= 0.0))} of {len(weights)} rows",
                way_out="Leave those rows out.",
            )
        )
    return weights


def variance_components(state: LmmState) -> tuple[tuple[VarianceComponent, ...], tuple[str, ...]]:
    """SDs and correlations in the units of the columns, residual last; what is at a boundary."""
    raw = tuple(state.sigma * state.relative_factor(f) for f in range(len(state.random.factors)))
    lam = state.objective.template.unpack(state.optimum.theta)
    found, boundary = random_components(state.random, lam, raw, unit=state.sigma)
    return (*found, VarianceComponent("Residual", "", state.sigma)), boundary


@functools.cache
def _software() -> str:
    return f"alc_stats {version('alc_stats')}, profiled likelihood"


def parameter_names(state: LmmState) -> tuple[str, ...]:
    """A name for every parameter of the search."""
    return covariance_names(state.objective.template, state.random)
