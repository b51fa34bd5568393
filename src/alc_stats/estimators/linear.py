"""(Weighted) least squares by statsmodels, with model-based, robust or clustered covariances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import linalg

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.cluster_support import Support, cluster_support
from alc_stats.estimators.design import Design, Table, build_design, read_table
from alc_stats.estimators.fit import Fit, Request
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.cluster_robust import Working
from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.estimators.memory import Memory
from alc_stats.estimators.robust import (
    ROBUST,
    Clusters,
    Directions,
    cluster_columns,
    clusters_of,
    factor_of,
    robust_df,
    sandwich,
)
from alc_stats.records import FloatArray

Covariance = Literal["model", "HC0", "HC1", "HC2", "HC3", "cluster", "CR0", "CR1", "CR2", "CR3"]
CLUSTERED = ("cluster", *ROBUST)
_NO_RESIDUAL = 1e-12
"""A residual SD below this share of the outcome's SD is rounding, not error: sums of squares keep
about 1e-15 of what they are sums of, an SD some digits more or less."""
_SPANNED = 1e-8
"""A constant of which less than this share lies outside the columns is one of their combinations:
rounding leaves 1e-15, and no column meant to be constant differs from it by less than 1e-8."""
_OWN = 1e-10
"""A row of which the other rows hold less than this share alone determines a coefficient. HC3 would
divide its residual, of which no more than rounding is left, by this share."""


def fit_linear(formula: Formula, data: pd.DataFrame, request: Request) -> Fit:
    """Fit the fixed part by least squares; see `alc_stats.estimators.fit`.

    The columns are made orthonormal first and the results translated back, so that neither the
    units nor the centring of a column can cost digits. With prior weights these are the columns
    times the weights' roots.
    """
    columns = cluster_columns(request.cluster, data) if request.cluster else []
    table = read_table(formula, data, [*columns, *([request.weights] if request.weights else [])])
    design = build_design(formula, table)
    clusters = (
        clusters_of(table, request.cluster, columns, f"formula '{request.formula}'")
        if columns
        else None
    )
    root = _root_weights(table, request)
    support = Support(np.zeros(len(design.names), dtype=bool))
    if clusters is not None:
        support = cluster_support(
            design.X, design.names, clusters.level, request=request, root=root
        )
    Q, R = orthonormal(design.X * root[:, None])
    result = _least_squares(design.y, Q, root, request, clusters)
    vcov, df, directions = _covariance(result, Q, R, request, clusters)
    return Fit(
        request=request,
        names=design.names,
        estimates=linalg.solve_triangular(R, result.params),
        vcov=vcov,
        df=np.where(support.lone, np.nan, df),
        components=design.components,
        random=(),
        loglik=float(result.llf),
        counts=table.counts({clusters.name: clusters.number} if clusters else {}),
        certificate=replace(_certificate(design, root, result), notes=support.notes),
        coding=design.coding,
        statistics=design.statistics() | _quality(design.y, Q, root, result),
        software=_software(request),
        memory=Memory(formula, table, design, robust=directions),
    )


def _root_weights(table: Table, request: Request) -> FloatArray:
    """Roots (n,) of the prior weights; ones without."""
    if not request.weights:
        return np.ones(len(table.frame))
    return np.asarray(np.sqrt(table.frame[request.weights].to_numpy(dtype=float)))


def _least_squares(
    y: FloatArray, Q: FloatArray, root: FloatArray, request: Request, clusters: Clusters | None
) -> Any:
    import statsmodels.api as sm

    model = sm.WLS(y, Q / root[:, None], weights=root**2) if request.weights else sm.OLS(y, Q)
    if request.covariance == "cluster" and clusters is not None:
        groups = {"groups": clusters.level, "use_correction": True}
        return model.fit(cov_type="cluster", cov_kwds=groups)
    if request.covariance == "model" or request.covariance in ROBUST:
        return model.fit()
    if request.covariance in ("HC2", "HC3"):
        _refuse_full_leverage(Q, request)
    return model.fit(cov_type=request.covariance)


def _covariance(
    result: Any, Q: FloatArray, R: FloatArray, request: Request, clusters: Clusters | None
) -> tuple[FloatArray, FloatArray, Directions | None]:
    """Covariance in the units of the columns, every coefficient's df, and the sandwich if any."""
    directions = None
    inverse = linalg.solve_triangular(R, np.eye(R.shape[0]))
    if request.covariance in ROBUST and clusters is not None:
        none = np.empty((len(Q), 0))
        model = Working(Q, result.resid, clusters.level, none.astype(np.int64), none)
        robust = sandwich(model, request.covariance, clusters, f"formula '{request.formula}'")
        covariance = robust.covariance * factor_of(request.covariance, clusters.number)
        df = robust_df(robust, inverse, request.df)
        directions = Directions(robust, inverse)
    else:
        covariance = np.asarray(result.cov_params())
        df = np.full(R.shape[0], _reference(result, request, clusters))
    vcov = inverse @ covariance @ inverse.T
    return (vcov + vcov.T) / 2.0, df, directions


def _reference(result: Any, request: Request, clusters: Clusters | None) -> float:
    if request.df == "normal":
        return float("inf")
    if request.df == "clusters - 1" and clusters is not None:
        return clusters.number - 1.0
    return float(result.df_resid)


def _refuse_full_leverage(Q: FloatArray, request: Request) -> None:
    leverage = np.einsum("ij,ij->i", Q, Q) / Q.shape[0]
    alone = int(np.sum(leverage > 1.0 - _OWN))
    if alone:
        raise FitError(
            Problem(
                f"{request.covariance} divides by zero: {alone} rows alone determine a coefficient",
                where=f"formula '{request.formula}'",
                way_out="Leave out the column those rows determine, or use HC1.",
            )
        )


def _quality(y: FloatArray, Q: FloatArray, root: FloatArray, result: Any) -> dict[str, float]:
    """R squared about the (weighted) mean where the columns span a constant, else about zero."""
    n = Q.shape[0]
    spanned = np.linalg.norm(root - Q @ (Q.T @ root) / n) < _SPANNED * np.linalg.norm(root)
    origin = float(np.average(y, weights=root**2)) if spanned else 0.0
    total = float(np.sum((root * (y - origin)) ** 2))
    return {
        "r_squared": 1.0 - float(result.ssr) / total,
        "residual_sd": float(np.sqrt(result.ssr / result.df_resid)),
    }


def _certificate(design: Design, root: FloatArray, result: Any) -> Certificate:
    spread = root * (design.y - np.average(design.y, weights=root**2))
    size = np.linalg.norm(spread) / np.sqrt(len(spread))
    if np.sqrt(result.ssr / result.df_resid) > _NO_RESIDUAL * size:
        return Certificate(
            "exact", "Least squares solved exactly; no column depends on the others."
        )
    return Certificate(
        "not_identified",
        "The columns reproduce the outcome exactly, so no standard error can be estimated: look "
        "for the outcome among the predictors.",
    )


def _software(request: Request) -> str:
    import statsmodels

    return f"statsmodels {statsmodels.__version__} {'WLS' if request.weights else 'OLS'}"
