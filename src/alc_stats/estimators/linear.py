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
from alc_stats.estimators.design import Design, Table, build_design, codes, read_table
from alc_stats.estimators.fit import Fit, Request
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.estimators.kernels.sandwich import bias_reduced, satterthwaite
from alc_stats.records import FloatArray, IntArray

Covariance = Literal["model", "HC0", "HC1", "HC2", "HC3", "cluster", "CR2"]
CLUSTERED = ("cluster", "CR2")
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
    extra = [name for name in (request.cluster, request.weights) if name]
    table = read_table(formula, data, extra)
    design = build_design(formula, table)
    groups, level = _clusters(table, request)
    root = _root_weights(table, request)
    support = Support(np.zeros(len(design.names), dtype=bool))
    if level is not None:
        support = cluster_support(design.X, design.names, level, request=request, root=root)
    Q, R = orthonormal(design.X * root[:, None])
    result = _least_squares(design.y, Q, root, request, level)
    vcov, df = _covariance(result, Q, R, request, level)
    return Fit(
        request=request,
        names=design.names,
        estimates=linalg.solve_triangular(R, result.params),
        vcov=vcov,
        df=np.where(support.lone, np.nan, df),
        components=design.components,
        random=(),
        loglik=float(result.llf),
        counts=table.counts(groups),
        certificate=replace(_certificate(design, root, result), notes=support.notes),
        coding=design.coding,
        statistics=design.statistics() | _quality(design.y, Q, root, result),
        software=_software(request),
    )


def _root_weights(table: Table, request: Request) -> FloatArray:
    """Roots (n,) of the prior weights; ones without."""
    if not request.weights:
        return np.ones(len(table.frame))
    return np.asarray(np.sqrt(table.frame[request.weights].to_numpy(dtype=float)))


def _least_squares(
    y: FloatArray, Q: FloatArray, root: FloatArray, request: Request, level: IntArray | None
) -> Any:
    import statsmodels.api as sm

    model = sm.WLS(y, Q / root[:, None], weights=root**2) if request.weights else sm.OLS(y, Q)
    if request.covariance == "cluster":
        return model.fit(cov_type="cluster", cov_kwds={"groups": level, "use_correction": True})
    if request.covariance in ("model", "CR2"):
        return model.fit()
    if request.covariance in ("HC2", "HC3"):
        _refuse_full_leverage(Q, request)
    return model.fit(cov_type=request.covariance)


def _covariance(
    result: Any, Q: FloatArray, R: FloatArray, request: Request, level: IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Covariance in the units of the columns, and every coefficient's degrees of freedom."""
    inverse = linalg.solve_triangular(R, np.eye(R.shape[0]))
    if request.covariance == "CR2" and level is not None:
        root_n = np.sqrt(Q.shape[0])
        reduced = bias_reduced(Q / root_n, result.resid, level)
        vcov = inverse @ (reduced.covariance / Q.shape[0]) @ inverse.T
        own_df = np.array([satterthwaite(reduced, row) for row in inverse])
    else:
        vcov = inverse @ np.asarray(result.cov_params()) @ inverse.T
        own_df = np.full(R.shape[0], float(result.df_resid))
    if request.df == "clusters - 1" and level is not None:
        own_df = np.full(R.shape[0], float(level.max()))
    df = np.full(R.shape[0], np.inf) if request.df == "normal" else own_df
    return (vcov + vcov.T) / 2.0, df


def _clusters(table: Table, request: Request) -> tuple[dict[str, int], IntArray | None]:
    if not request.cluster:
        return {}, None
    level, number = codes(table.frame, [request.cluster])
    if number < 2:
        raise FitError(
            Problem(
                f"a clustered covariance needs more than one cluster in '{request.cluster}'",
                found="1 cluster",
                where=f"formula '{request.formula}'",
            )
        )
    return {request.cluster: number}, level


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
