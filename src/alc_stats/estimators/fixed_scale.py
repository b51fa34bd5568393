"""Mixed models whose log residual SD, and log SD of a random intercept, follow columns.

    y = X b + Z gamma + e,   log SD(e_i) = w_i't,   log SD(random intercept) = u_i'a

There is no random effect on the scale, so the likelihood and the restricted likelihood are exact:
at given t and a this is the linear mixed model of `alc_stats.estimators.lmm` with prior weights
exp(-2 w't) and one column scaled. With constants alone it is that model.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.design import Design, Table, build_design, read_table
from alc_stats.estimators.fit import Coding, Component, Fit, Request, VarianceComponent
from alc_stats.estimators.fixed_scale_state import FixedScaleState
from alc_stats.estimators.fixed_scale_terms import (
    LogSdColumns,
    between_of,
    log_sd_columns,
    refuse_untold,
    unbounded,
)
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.lmm_optimum import best
from alc_stats.estimators.kernels.lmm_search import Optimum
from alc_stats.estimators.kernels.scale_model import Between, ScaleModel, scale_model
from alc_stats.estimators.kernels.scale_search import ScaleOptimum, UnboundedError, search_scale
from alc_stats.estimators.lmm import (
    LmmState,
    data_digits,
    parameter_names,
    refuse_reproduced,
    require_residual,
    singularity_told,
    variance_components,
)
from alc_stats.estimators.lmm_certificate import certify
from alc_stats.estimators.lmm_terms import RandomPart, random_part
from alc_stats.estimators.memory import Memory
from alc_stats.records import FloatArray

ALLOWED_DF = ("satterthwaite", "residual", "normal")
"""Where the degrees of freedom of the mean's coefficients may come from."""
_NO_RANDOM = RandomPart((), (), (), ())
_UNTOLD = (
    "The random intercept whose log SD is modelled does not vary at all, so nothing tells its "
    "coefficients: leave between out."
)


def fit_fixed_scale(
    formula: Formula,
    scale: Formula,
    between: Formula | None,
    data: pd.DataFrame,
    *,
    request: Request,
) -> Fit:
    """Fit a model of the mean and of log SDs without a random effect on the scale.

    Parameters
    ----------
    formula : Formula
        Of the mean; without random terms this is heteroscedastic regression.
    scale : Formula
        One-sided: columns of the log residual SD, without random terms. Without a constant among
        them the residual SD is 1 where they are zero.
    between : Formula or None
        One-sided: columns of the log SD of the random intercept of the grouping that has one; of
        several groupings, the one with most levels. Its column is scaled row by row, so columns
        that vary within a level are allowed; beside a random slope it is the SD where the slope's
        column is zero.
    data : DataFrame
    request : Request
        `method` "ML" or "REML"; `df` "satterthwaite", "residual" or "normal".

    Returns
    -------
    Fit
        Components "mean" (in the outcome's unit), "log_sd" and "between_log_sd" (log SD). The
        covariance is that of generalised least squares for the mean, the inverse of the observed
        information for the log SDs, and zero between them (so is the expected information).
        `random` holds geometric means over the rows where an SD differs between rows.

    Raises
    ------
    DeclarationError
        For degrees of freedom this model has not, or random terms in `scale` or `between`.
    FormulaError, FitError
        As `alc_stats.estimators.fit`; FitError also for dependent columns of a log SD, an outcome
        that does not vary where a column says the SD is its own, a likelihood without a maximum,
        and a random intercept that is missing or ambiguous.

    Examples
    --------
    >>> from alc_stats.estimators.formula import parse, parse_part
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"arm": [0.0, 1.0] * 200, "person": np.arange(400) // 8})
    >>> data["y"] = rng.normal(size=50)[data["person"]] + rng.normal(size=400) * (1 + data["arm"])
    >>> request = Request("y ~ arm + (1 | person)", "alc_stats", "REML", df="satterthwaite")
    >>> m = fit_fixed_scale(
    ...     parse(request.formula), parse_part("~ arm", "scale"), None, data, request=request
    ... )
    >>> round(float(np.exp(m.params["log_sd.arm"])), 1)
    2.0
    """
    _check(scale, between, request)
    table = read_table(formula, data, [*scale.names, *(between.names if between else ())])
    design = build_design(formula, table)
    random = random_part(formula, table) if formula.random else _NO_RANDOM
    columns = log_sd_columns(scale, table, "scale")
    where = f"scale='{scale.text}'"
    refuse_untold(design, columns, where)
    own = between_of(between, table, random) if between is not None else None
    state = _state(design, random, columns, own, request, where)
    return _fit(formula, table, state, request)


def _check(scale: Formula, between: Formula | None, request: Request) -> None:
    problems = [
        Problem(
            f"this engine has no random effect in {argument}",
            where=f"{argument}='{part.text}'",
            found=f"(1 | {part.random[0].group})",
        )
        for argument, part in (("scale", scale), ("between", between))
        if part is not None and part.random
    ]
    if request.df not in ALLOWED_DF:
        problems.append(
            Problem(
                f"a model of log SDs has no '{request.df}' degrees of freedom",
                where="fit(df=...)",
                allowed=", ".join(ALLOWED_DF),
            )
        )
    if problems:
        raise DeclarationError(*problems)


def _state(
    design: Design,
    random: RandomPart,
    scale: LogSdColumns,
    own: tuple[Between, LogSdColumns] | None,
    request: Request,
    where: str,
) -> FixedScaleState:
    """Search for the optimum, and what inference needs there."""
    model = scale_model(
        design.y,
        design.X,
        factors=random.factors,
        reml=request.method == "REML",
        scale=scale.basis,
        between=own[0] if own else None,
    )
    refuse_reproduced(model.rows.fixed.scale, design)
    with singularity_told(len(design.y)), _unboundedness_told(scale, model, where):
        theta = _first(model)
        found = search_scale(model, theta)
        point = found.point
        slopes = point.place.slopes(point.theta, np.eye(len(point.evaluation.inner)))
    mixed = LmmState(
        point.place.objective,
        point.place.scales,
        found.inner,
        point.evaluation,
        point.solution,
        random,
        design,
    )
    return FixedScaleState(mixed, model, found, slopes, scale, own[1] if own else None)


def _first(model: ScaleModel) -> FloatArray:
    """Covariance factors where every row's spread is the same."""
    if not model.template.sizes:
        return np.zeros(0)
    place = model.at(np.zeros(model.size))
    optimum = best(place.objective)
    require_residual(optimum, place.objective.at(optimum.theta)[1])
    return optimum.theta


@contextmanager
def _unboundedness_told(scale: LogSdColumns, model: ScaleModel, where: str) -> Iterator[None]:
    try:
        yield
    except UnboundedError as error:
        tau = error.phi[: model.scale.size]
        raise FitError(unbounded(scale, tau, where)) from error


def _fit(formula: Formula, table: Table, state: FixedScaleState, request: Request) -> Fit:
    mixed, design = state.mixed, state.mixed.design
    between = state.between.names if state.between else ()
    parts: list[Component] = ["log_sd"] * len(state.scale.names)
    parts += ["between_log_sd"] * len(between)
    components, boundary = variance_components(mixed)
    return Fit(
        request=request,
        names=(*design.names, *state.scale.names, *between),
        estimates=np.concatenate([mixed.coefficients, state.log_sd, state.between_log_sd]),
        vcov=state.vcov,
        df=_degrees_of_freedom(state, request.df),
        components=(*design.components, *parts),
        random=(*components[:-1], VarianceComponent("Residual", "", state.residual_sd)),
        loglik=mixed.loglik,
        counts=table.counts(mixed.random.counts()),
        certificate=_certificate(state, boundary),
        coding=_coding(design, state),
        statistics=design.statistics() | {"residual_sd": state.residual_sd},
        software=_software(),
        memory=Memory(formula, table, design, spread=state),
    )


def _degrees_of_freedom(state: FixedScaleState, kind: str) -> FloatArray:
    p = len(state.mixed.solution.beta)
    rest = len(state.scale.names) + (len(state.between.names) if state.between else 0)
    df = np.full(p + rest, np.inf)
    if kind == "satterthwaite":
        df[:p] = state.satterthwaite_df(np.eye(p, p + rest))
    elif kind == "residual":
        df[:p] = state.mixed.objective.rows - p
    return df


def _certificate(state: FixedScaleState, boundary: tuple[str, ...]) -> Certificate:
    mixed = state.mixed
    names = parameter_names(mixed) + _directions(state)
    found = certify(
        joint_optimum(state.optimum), names, boundary=boundary, digits=data_digits(mixed.design)
    )
    return replace(found, status="not_identified", sentence=_UNTOLD) if state.untold else found


def _directions(state: FixedScaleState) -> tuple[str, ...]:
    """A name for every parameter of the search in the log SDs."""
    parts = [("log SD", state.scale, state.model.scale.size)]
    if state.between is not None:
        size = state.model.size - state.model.scale.size
        parts.append(("random intercept's log SD", state.between, size))
    return tuple(
        f"{what} along {', '.join(columns.names)} ({k + 1})"
        for what, columns, size in parts
        for k in range(size)
    )


def joint_optimum(found: ScaleOptimum) -> Optimum:
    """The search's end as one optimum in theta and phi."""
    point, inner = found.point, found.inner
    size = np.sqrt(np.maximum(np.abs(np.diag(found.hessian)), np.finfo(float).tiny))
    return Optimum(
        theta=np.concatenate([inner.theta, point.place.phi]),
        free=np.concatenate([inner.free, np.ones(len(point.gradient), dtype=bool)]),
        deviance=point.deviance,
        gradient=np.concatenate([inner.gradient, point.gradient]),
        hessian=found.hessian,
        curvature=np.linalg.eigvalsh(found.hessian / np.outer(size, size)),
        decrement=found.decrement,
        last_step=found.last_step,
        pull=inner.pull,
    )


def _coding(design: Design, state: FixedScaleState) -> Coding:
    """Levels of every categorical of any part."""
    levels = dict(design.coding.levels) | state.scale.levels
    return replace(design.coding, levels=levels | (state.between.levels if state.between else {}))


@functools.cache
def _software() -> str:
    return f"alc_stats {version('alc_stats')}, profiled likelihood with log SD regression"
