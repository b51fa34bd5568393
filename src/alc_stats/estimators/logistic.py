"""Logistic regression and logistic mixed models by our own engine.

Yes or no, or successes out of trials, with any number of nested and crossed random terms. A single
random effect a level is integrated by adaptive quadrature, anything else by Laplace's
approximation; without random terms the likelihood is exact.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import pandas as pd
from scipy import linalg

from alc_stats.errors import FitError, Problem
from alc_stats.estimators import containment
from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.containment import containment_df
from alc_stats.estimators.design import Design, build_design, read_table
from alc_stats.estimators.fit import Fit, Request, VarianceComponent
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.lmm_basis import Basis
from alc_stats.estimators.kernels.lmm_deviance import template
from alc_stats.estimators.kernels.lmm_problem import factor_basis, lower_triangle, nested_in
from alc_stats.estimators.kernels.lmm_search import Optimum
from alc_stats.estimators.kernels.logistic_blocks import layout
from alc_stats.estimators.kernels.logistic_laplace import Arrays, LaplaceObjective
from alc_stats.estimators.kernels.logistic_law import Outcomes
from alc_stats.estimators.kernels.logistic_quadrature import QuadratureObjective
from alc_stats.estimators.kernels.logistic_regression import Regression, regress
from alc_stats.estimators.kernels.logistic_search import best, covariance
from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.estimators.lmm import (
    ConditionalModes,
    data_digits,
    singularity_told,
)
from alc_stats.estimators.lmm_certificate import certify
from alc_stats.estimators.lmm_terms import RandomPart, random_part
from alc_stats.estimators.logistic_outcomes import read_outcomes, refuse_constant
from alc_stats.estimators.memory import Memory
from alc_stats.estimators.random_components import covariance_names, random_components
from alc_stats.estimators.separation import refuse_separation
from alc_stats.records import FloatArray

NODES = (25, 51, 101, 201)
"""Nodes a level: the next number where twice as many say something else."""
_SAME = 1e-6
"""Deviances nearer than this are one."""
_FEW_TRIALS = 5.0
"""Outcomes a level below which Laplace's approximation loses digits that matter: with 4 a level it
finds SDs a twelfth smaller than quadrature does, with 2 a quarter (benchmarks/logistic.py)."""
_SEPARATING = 20.0
"""SD of a standardised random column, log odds, at which nearly every probability is 0 or 1: in
tables of some dozens of rows the likelihood then still rises towards SDs without end."""
_FEW_LEVELS = 30
"""Groupings with fewer levels get a word of warning: z values stand on many."""

ObjectiveOf = LaplaceObjective | QuadratureObjective


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LogisticState:
    """A fitted logistic model: parameters on standardised columns, and the way back.

    Attributes
    ----------
    design : Design
        Its y is the share of successes.
    outcomes : Outcomes
    random : RandomPart or None
        None without random terms.
    bases : tuple of Basis
        One a grouping.
    back : array (p, p)
        Raw coefficients are back @ standardised ones.
    optimum : Optimum
        Coefficients first, then covariance parameters.
    objective : LaplaceObjective, QuadratureObjective or None
    """

    design: Design
    outcomes: Outcomes
    random: RandomPart | None
    bases: tuple[Basis, ...]
    back: FloatArray
    optimum: Optimum
    objective: ObjectiveOf | None

    @property
    def coefficients(self) -> FloatArray:
        """Fixed effects (p,), log odds a unit."""
        return np.asarray(self.back @ self.optimum.theta[: len(self.back)])

    @property
    def covariance(self) -> FloatArray:
        """Of raw coefficients and standardised covariance parameters (p + k, p + k)."""
        whole = linalg.block_diag(self.back, np.eye(len(self.optimum.theta) - len(self.back)))
        found = whole @ covariance(self.optimum) @ whole.T
        return np.asarray((found + found.T) / 2.0)

    @property
    def vcov(self) -> FloatArray:
        """Covariance (p, p) of the fixed effects, the variances being estimated too."""
        p = len(self.back)
        return self.covariance[:p, :p]

    @property
    def loglik(self) -> float:
        """Log-likelihood, as far as its approximation goes."""
        return -0.5 * self.optimum.deviance

    @property
    def nodes(self) -> int:
        """Nodes of the quadrature; 1 is Laplace's approximation, 0 no integral at all."""
        if self.objective is None:
            return 0
        return self.objective.nodes if isinstance(self.objective, QuadratureObjective) else 1

    @property
    def lam(self) -> tuple[FloatArray, ...]:
        """Factor (q, q) of every grouping's covariance, on standardised columns."""
        if self.objective is None:
            return ()
        return self.objective.template.unpack(self.optimum.theta[len(self.back) :])

    @property
    def factors(self) -> tuple[FloatArray, ...]:
        """Lower triangular (q, q), one a grouping: covariance = factor factor', log odds."""
        pairs = zip(self.bases, self.lam, strict=True)
        return tuple(lower_triangle(basis.back @ lam) for basis, lam in pairs)


def fit_logistic(
    formula: Formula, data: pd.DataFrame, *, request: Request, trials: str | None = None
) -> Fit:
    """Fit a logistic model.

    Parameters
    ----------
    formula : Formula
        Outcome 0 or 1, or with `trials` the share of successes.
    data : DataFrame
    request : Request
    trials : str, optional
        Column of trials a row.

    Raises
    ------
    FormulaError, FitError
        As `alc_stats.estimators.fit`; FitError also for outcomes that are no successes, and
        where the columns or a grouping separate them.
    """
    table = read_table(formula, data, [trials] if trials else [])
    design = build_design(formula, table)
    outcomes = read_outcomes(design, table, trials, formula)
    total = float(outcomes.trials.sum())
    random = random_part(formula, table, observations=total) if formula.random else None
    state = fit_logistic_arrays(design, outcomes, random, where=f"formula '{formula.text}'")
    components, boundary = _components(state)
    return Fit(
        request=request,
        names=design.names,
        estimates=state.coefficients,
        vcov=state.vcov,
        df=_degrees_of_freedom(state, request.df),
        components=design.components,
        random=components,
        loglik=state.loglik,
        counts=table.counts(random.counts() if random else {}),
        certificate=_certificate(state, boundary, request.df),
        coding=design.coding,
        statistics=design.statistics() | {"trials": total},
        software=f"{_software()}, {_approximation(state.nodes)}",
        memory=Memory(formula, table, design, logistic=state),
    )


def fit_logistic_arrays(
    design: Design,
    outcomes: Outcomes,
    random: RandomPart | None,
    *,
    where: str,
    laplace: bool = False,
) -> LogisticState:
    """Search for the maximum of a design's likelihood.

    Parameters
    ----------
    design : Design
    outcomes : Outcomes
    random : RandomPart or None
    where : str
        What errors point at.
    laplace : bool
        Whether Laplace's approximation is asked for where quadrature could be had.

    Raises
    ------
    FitError
        Where there is no maximum, or none that arithmetic can reach.
    """
    Q, R = orthonormal(design.X)
    back = linalg.solve_triangular(R, np.eye(len(R)))
    start = regress(outcomes, Q)
    if not start.finite:
        refuse_separation(outcomes, design.X, design.names, where)
    if random is None:
        return LogisticState(design, outcomes, None, (), back, start.optimum, None)
    refuse_constant(outcomes, random, where)
    bases = tuple(factor_basis(factor, None) for factor in random.factors)
    scalar = len(random.factors) == 1 and random.factors[0].size == 1
    with singularity_told(len(Q)):
        arrays = _arrays(outcomes, Q, random, bases, sort=scalar)
        if scalar and not laplace:
            objective, optimum = _by_quadrature(arrays, start)
            return LogisticState(design, outcomes, random, bases, back, optimum, objective)
        approximate = LaplaceObjective(arrays)
        optimum = best(approximate, *_first(arrays, start), rows=arrays.rows)
    return LogisticState(design, outcomes, random, bases, back, optimum, approximate)


def conditional_log_odds(state: LogisticState) -> tuple[ConditionalModes, ...]:
    """Random effects of every grouping given the data: modes and conditional covariances.

    The covariances hold the coefficients and variances at their estimates (lme4's condVar).

    Raises
    ------
    FitError
        Without random terms.
    """
    if state.objective is None or state.random is None:
        raise FitError(
            Problem("the model has no random terms", way_out="Add a term such as (1 | person).")
        )
    mode = state.objective.mode(state.optimum.theta)
    blocks = mode.factored.own_inverse()
    found = []
    for f, (basis, lam) in enumerate(zip(state.bases, state.lam, strict=True)):
        half = basis.back @ lam
        found.append(
            ConditionalModes(
                state.random.groups[f],
                tuple(n for t in state.random.terms if t.factor == f for n in t.names),
                state.random.labels[f],
                (half @ mode.u[f]).T,
                np.einsum("aq,qrj,br->jab", half, blocks[f], half),
            )
        )
    return tuple(found)


def _arrays(
    outcomes: Outcomes,
    Q: FloatArray,
    random: RandomPart,
    bases: tuple[Basis, ...],
    *,
    sort: bool,
) -> Arrays:
    """The model on standardised columns; rows sorted by the levels of a single grouping."""
    columns = []
    factors = random.factors
    for factor, basis in zip(factors, bases, strict=True):
        standardised = np.empty((factor.size, len(Q)))
        basis.rows(factor.Z, out=standardised)
        columns.append(standardised)
    if sort:
        order = np.argsort(factors[0].codes, kind="stable")
        Q, columns = Q[order], [z[:, order] for z in columns]
        outcomes = Outcomes(outcomes.successes[order], outcomes.trials[order])
        factors = (replace(factors[0], codes=factors[0].codes[order]),)
    return Arrays(outcomes, Q, tuple(columns), layout(factors), template(factors))


def _first(arrays: Arrays, start: Regression) -> tuple[FloatArray, FloatArray]:
    """Where the search starts, its covariances still zero, and a guess of the curvature there."""
    form = arrays.template
    place = np.concatenate([start.optimum.theta, np.zeros(len(form.row))])
    weight = float(np.diag(start.optimum.hessian).mean())
    levels = np.array([2.0 * form.levels[f] for f in form.factor])
    return place, np.concatenate([np.full(arrays.X.shape[1], weight / 3.0), levels])


def _by_quadrature(arrays: Arrays, start: Regression) -> tuple[QuadratureObjective, Optimum]:
    """The search with as many nodes as the integral needs.

    Raises
    ------
    FitError
        If the most are too few.
    """
    place, metric = _first(arrays, start)
    for nodes in NODES:
        objective = QuadratureObjective(arrays, nodes)
        optimum = best(objective, place, metric, rows=arrays.rows)
        finer = QuadratureObjective(arrays, 2 * nodes + 1)
        deviance = finer.value_and_gradient(optimum.theta)[0]
        if abs(deviance - optimum.deviance) < _SAME:
            return objective, optimum
    raise FitError(
        Problem(
            "the random effects are too far apart to be integrated",
            found=f"an SD of {abs(float(optimum.theta[-1])):.3g} log odds",
            way_out="Look for levels whose outcomes are all alike, and for columns that nearly "
            "separate the outcomes.",
        )
    )


def _degrees_of_freedom(state: LogisticState, kind: str) -> FloatArray:
    """Of every coefficient's t: infinite, or what its grouping's levels leave (containment).

    Nested groupings are counted together; of crossed ones each by itself, the fewest counting.
    """
    df = np.full(len(state.design.names), np.inf)
    if kind != "containment" or state.random is None:
        return df
    groups = [
        containment.Factor(name, factor.Z, factor.codes)
        for name, factor in zip(state.random.groups, state.random.factors, strict=True)
    ]
    factors = sorted(state.random.factors, key=lambda factor: -factor.levels)
    nested = all(nested_in(a, b) for a, b in itertools.pairwise(factors))
    for together in [groups] if nested else [[group] for group in groups]:
        outer = min(together, key=lambda group: group.levels)
        found, tested_on = containment_df(state.design.X, state.design.names, together, outer.level)
        told = [name in tested_on for name in state.design.names]
        df = np.where(told, np.minimum(df, found), df)
    return df


def _components(state: LogisticState) -> tuple[tuple[VarianceComponent, ...], tuple[str, ...]]:
    if state.random is None:
        return (), ()
    return random_components(state.random, state.lam, state.factors, unit=1.0)


def _certificate(state: LogisticState, boundary: tuple[str, ...], df: str) -> Certificate:
    names = state.design.names
    if state.objective is not None and state.random is not None:
        names += covariance_names(state.objective.template, state.random)
    found = certify(state.optimum, names, boundary=boundary, digits=data_digits(state.design))
    apart = _separating(state)
    if found.usable and apart:
        found = replace(
            found,
            status="not_identified",
            sentence=f"The random effects all but separate the outcomes ({'; '.join(apart)}, log "
            "odds), so that the likelihood has no maximum to be trusted: simplify the random part.",
            unidentified=apart,
        )
    return replace(found, notes=_notes(state, df))


def _separating(state: LogisticState) -> tuple[str, ...]:
    """Random terms whose rows' log odds differ by more than any outcome can tell."""
    if state.random is None:
        return ()
    found = []
    for term in state.random.terms:
        sds = np.linalg.norm(state.lam[term.factor][term.columns], axis=1)
        found += [
            f"SD of {name} | {term.group} {sd:.3g}"
            for name, sd in zip(term.names, sds, strict=True)
            if sd > _SEPARATING
        ]
    return tuple(found)


def _notes(state: LogisticState, df: str) -> tuple[str, ...]:
    """What a reader should know of few levels, and of few trials a level."""
    if state.random is None:
        return ()
    found = []
    total = float(state.outcomes.trials.sum())
    for group, factor in zip(state.random.groups, state.random.factors, strict=True):
        if factor.levels < _FEW_LEVELS and df == "normal":
            found.append(
                f"'{group}' has {factor.levels} levels: z tests of what varies between them "
                "reject too often. df='containment' counts the levels, compare() with a bootstrap "
                "draws them."
            )
        if state.nodes == 1 and total < _FEW_TRIALS * factor.levels:
            found.append(
                f"{total / factor.levels:.1f} outcomes a level of '{group}' are few for Laplace's "
                "approximation, which then understates its SD."
            )
    return tuple(found)


def _approximation(nodes: int) -> str:
    if nodes == 0:
        return "exact likelihood"
    if nodes == 1:
        return "Laplace approximation"
    return f"adaptive Gauss-Hermite quadrature, {nodes} nodes"


@functools.cache
def _software() -> str:
    return f"alc_stats {version('alc_stats')}"
