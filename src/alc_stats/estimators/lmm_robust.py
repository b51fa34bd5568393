"""Cluster-robust covariances for the fixed effects of a mixed model.

The model's own covariance of the rows is the working covariance: right or wrong, the coefficients'
standard errors allow for any dependence within the clusters, which may lie at a grouping of the
model or above it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.cluster_support import cluster_support
from alc_stats.estimators.design import Design, read_table
from alc_stats.estimators.fit import Request
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.cluster_robust import Working
from alc_stats.estimators.kernels.lmm_model import Factor
from alc_stats.estimators.kernels.lmm_problem import nested_in
from alc_stats.estimators.lmm import FittedLmm, LmmState, fit_lmm
from alc_stats.estimators.robust import (
    Clusters,
    Directions,
    cluster_columns,
    clusters_of,
    factor_of,
    robust_df,
    sandwich,
)
from alc_stats.estimators.small_sample import Adjusted
from alc_stats.records import FloatArray, IntArray


def fit_lmm_clustered(
    formula: Formula, data: pd.DataFrame, *, request: Request, weights: str | None = None
) -> FittedLmm:
    """Fit a mixed model and give its fixed effects a cluster-robust covariance.

    Parameters
    ----------
    formula, data, weights
        As `alc_stats.estimators.lmm.fit_lmm`.
    request : Request
        `covariance` "CR0" ... "CR3", `cluster`, `df` "satterthwaite", "clusters - 1" or "normal".

    Raises
    ------
    FormulaError, FitError
        As `fit_lmm`; FitError also for clusters that cut through levels of a grouping, a single
        cluster, and where `alc_stats.estimators.robust.sandwich` refuses.
    """
    columns = cluster_columns(request.cluster, data)
    table = read_table(formula, data, [*columns, *([weights] if weights else [])])
    plain = replace(request, covariance="model", cluster="", df="normal")
    fitted = fit_lmm(formula, table.frame, request=plain, weights=weights)
    where = f"formula '{formula.text}'"
    clusters = clusters_of(table, request.cluster, columns, where)
    design, state = fitted.fit.memory.design, fitted.state
    w = None if weights is None else table.frame[weights].to_numpy(dtype=float)
    support = cluster_support(design.X, design.names, clusters.level, request=request)
    result, directions = clustered(
        state,
        design,
        clusters=clusters,
        kind=request.covariance,
        df=request.df,
        weights=w,
        where=where,
    )
    fit = replace(
        fitted.fit,
        request=request,
        vcov=result.vcov,
        df=np.where(support.lone, np.nan, result.df),
        certificate=replace(
            fitted.fit.certificate, notes=(*fitted.fit.certificate.notes, *support.notes)
        ),
        counts=table.counts(dict(fitted.fit.counts.groups) | {request.cluster: clusters.number}),
        memory=replace(fitted.fit.memory, table=table, robust=directions),
    )
    return FittedLmm(fit, state)


def clustered(
    state: LmmState,
    design: Design,
    *,
    clusters: Clusters,
    kind: str,
    df: str,
    weights: FloatArray | None = None,
    where: str = "",
) -> tuple[Adjusted, Directions]:
    """Cluster-robust covariance and degrees of freedom of a fitted model's coefficients.

    Raises
    ------
    FitError
        For clusters that cut through levels of a grouping, or where `sandwich` refuses.
    """
    robust = sandwich(working(state, design, clusters, weights, where), kind, clusters, where)
    back = state.scales.fixed.basis.back
    covariance = robust.covariance * factor_of(kind, clusters.number)
    adjusted = Adjusted(state.scales.covariance(covariance), robust_df(robust, back, df))
    return adjusted, Directions(robust, back)


def working(
    state: LmmState, design: Design, clusters: Clusters, weights: FloatArray | None, where: str
) -> Working:
    """The regression on the standardised scales, where units and origins cannot cost digits.

    Raises
    ------
    FitError
        For clusters that cut through levels of a grouping.
    """
    _require_whole_levels(state, clusters, where)
    fixed = state.scales.fixed
    rows = np.empty((len(fixed.start) + 1, len(design.y)))
    fixed.rows(design.y, design.X, out=rows)
    X = np.ascontiguousarray(rows[:-1].T)
    effect, load = _loadings(state)
    return Working(X, rows[-1] - X @ state.solution.beta, clusters.level, effect, load, weights)


def _loadings(state: LmmState) -> tuple[IntArray, FloatArray]:
    """Which effects a row loads on and how, columns of all groupings side by side."""
    lam = state.objective.template.unpack(state.optimum.theta)
    effects, loads, first = [], [], 0
    for factor, basis, L in zip(state.random.factors, state.scales.random, lam, strict=True):
        Z = np.empty((factor.size, len(factor.codes)))
        basis.rows(factor.Z, out=Z)
        loads.append(Z.T @ L)
        effects.append(first + factor.codes[:, None] * factor.size + np.arange(factor.size))
        first += factor.levels * factor.size
    return np.hstack(effects).astype(np.int64), np.hstack(loads)


def _require_whole_levels(state: LmmState, clusters: Clusters, where: str) -> None:
    whole = Factor(clusters.level, clusters.number, np.empty((len(clusters.level), 0)), ())
    cut = [
        name
        for name, factor in zip(state.random.groups, state.random.factors, strict=True)
        if not nested_in(factor, whole)
    ]
    if cut:
        raise FitError(
            *(
                Problem(
                    f"the clusters of '{clusters.name}' cut through levels of '{name}'",
                    where=where,
                    found=f"a level of '{name}' with rows in several clusters",
                    allowed=f"clusters that hold whole levels of '{name}'",
                    way_out=f"Cluster by '{name}' or a grouping above it, or leave the covariance "
                    "to the model.",
                )
                for name in cut
            )
        )
