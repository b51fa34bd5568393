"""Degrees of freedom and covariances of fixed effects that own up to estimated variances.

Satterthwaite (1946) as Kuznetsova, Brockhoff and Christensen (2017) define it for mixed models, and
Kenward and Roger (1997). Both are invariant to units and centring. Unlike those of lmerTest,
Satterthwaite's are capped by containment where a variance is estimated at zero: see
`satterthwaite_df`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.containment import Factor, containment_df
from alc_stats.estimators.design import Design
from alc_stats.estimators.kernels.lmm_information import (
    KenwardRoger,
    Parameter,
    Products,
    kenward_roger,
    products_by_level,
    products_dense,
)
from alc_stats.estimators.kernels.lmm_nested import Nested
from alc_stats.estimators.lmm import LmmState
from alc_stats.records import BoolArray, FloatArray

LARGEST_DENSE = 3000
"""Random effects of crossed or nested groupings up to which Kenward and Roger's products, which
pair all of them, are made."""


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """Covariance (p, p) and degrees of freedom (p,) of the coefficients."""

    vcov: FloatArray
    df: FloatArray


def adjusted(state: LmmState, design: Design, method: str) -> Adjusted:
    """Covariance and degrees of freedom of the coefficients.

    `method` is "satterthwaite", "kenward-roger", "containment", "residual" or "normal".

    Raises
    ------
    DeclarationError
        For Kenward and Roger without REML, containment of crossed terms, or an unknown method.
    FitError
        For Kenward and Roger with too many random effects in several groupings.
    """
    p = len(state.solution.beta)
    if method == "satterthwaite":
        return Adjusted(state.vcov, satterthwaite_df(state, np.eye(p)))
    if method == "kenward-roger":
        corrected = kenward_roger_of(state)
        vcov = state.scales.covariance(corrected.adjusted * state.solution.sigma2)
        return Adjusted(vcov, kenward_roger_df(state, np.eye(p), corrected))
    if method == "containment":
        return Adjusted(state.vcov, _containment(state, design))
    if method == "residual":
        return Adjusted(state.vcov, np.full(p, float(state.objective.rows - p)))
    if method == "normal":
        return Adjusted(state.vcov, np.full(p, np.inf))
    raise DeclarationError(
        Problem(
            f"unknown degrees of freedom '{method}'",
            where="fit(df=...)",
            allowed="satterthwaite, kenward-roger, containment, residual, normal",
        )
    )


def satterthwaite_df(state: LmmState, contrasts: FloatArray) -> FloatArray:
    """Degrees of freedom of contrasts (c, p) of the coefficients.

    2 v^2 / (g'A g): v the contrast's variance, g its gradient in (theta, log sigma^2), A twice the
    inverse Hessian of the deviance there. Variances held at zero by the boundary do not move in
    this formula, as if they were known: with four firms and their variance at zero it would jump
    from 2 to rows less coefficients. An estimate of zero from few levels is no knowledge, so the
    answer is never above the containment degrees of freedom of a column tested on such a term.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators.fit import Request
    >>> from alc_stats.estimators.formula import parse
    >>> from alc_stats.estimators.lmm import fit_lmm
    >>> data = pd.DataFrame({"y": [4.0, 6, 5, 9, 8, 10, 2, 3, 1], "g": list("aaabbbccc")})
    >>> request = Request("y ~ 1 + (1 | g)", "alc_stats", "REML", df="satterthwaite")
    >>> fitted = fit_lmm(parse(request.formula), data, request=request)
    >>> float(satterthwaite_df(fitted.state, np.array([[1.0]])).round(6)[0])
    2.0
    """
    directions = contrasts @ state.scales.fixed.basis.back
    weights = directions @ state.solution.unscaled
    variances = np.einsum("ci,ci->c", weights, directions)
    slopes = per_parameter(state, np.pad(weights, ((0, 0), (0, 1))))[:, state.optimum.free]
    gradients = np.column_stack([slopes, variances])
    df = satterthwaite(variances, gradients, variance_parameter_covariance(state))
    involved = np.where(contrasts != 0.0, boundary_cap(state), np.inf)
    return np.asarray(np.minimum(df, involved.min(axis=1)))


def satterthwaite(
    variances: FloatArray, gradients: FloatArray, covariance: FloatArray
) -> FloatArray:
    """Degrees of freedom (c,) of estimated variances (c,).

    `gradients` (c, m) are theirs in parameters of covariance (m, m).
    """
    moved = np.einsum("cm,cm->c", gradients @ covariance, gradients)
    unmoved = np.full(len(variances), np.inf)
    return np.asarray(np.divide(2.0 * variances**2, moved, out=unmoved, where=moved > 0.0))


def boundary_cap(state: LmmState) -> FloatArray:
    """Containment degrees of freedom (p,) of columns tested on variances held at zero, else inf.

    Nested groupings are counted together; of crossed ones, each by itself.

    Raises
    ------
    FitError
        If such columns use up all levels of their grouping.
    """
    design, random = state.design, state.random
    lam = state.objective.template.unpack(state.optimum.theta)
    held = [np.all(L == 0.0, axis=1) for L in lam]
    at_zero = {name for name, columns in zip(random.groups, held, strict=True) if columns.any()}
    cap = np.full(len(design.names), np.inf)
    if not at_zero:
        return cap
    factors = [_held_part(state, f, columns) for f, columns in enumerate(held)]
    nested = isinstance(state.objective.statistics, Nested)
    for group in [factors] if nested else [[factor] for factor in factors]:
        outer = min(group, key=lambda factor: factor.levels)
        df, tested_on = containment_df(design.X, design.names, group, outer.level)
        capped = np.array([tested_on.get(name) in at_zero for name in design.names])
        cap = np.where(capped, np.minimum(cap, df), cap)
    return cap


def _held_part(state: LmmState, f: int, columns: BoolArray) -> Factor:
    """A grouping with the columns the search held at zero, on its scales; if none, with all."""
    factor = state.random.factors[f]
    rows = np.empty((factor.size, len(factor.codes)))
    state.scales.random[f].rows(factor.Z, out=rows)
    return Factor(
        state.random.groups[f], rows[columns if columns.any() else ~columns].T, factor.codes
    )


def variance_parameter_covariance(state: LmmState) -> FloatArray:
    """Asymptotic covariance (f + 1, f + 1) of the free theta and log sigma^2."""
    free = state.optimum.free
    sigma2, degrees = state.solution.sigma2, state.solution.degrees
    contrast = state.solution.contrast
    slope = -per_parameter(state, contrast[None])[0, free] / sigma2
    f = int(free.sum())
    hessian = np.empty((f + 1, f + 1))
    hessian[:f, :f] = state.optimum.hessian + np.outer(slope, slope) / degrees
    hessian[:f, f] = hessian[f, :f] = -slope
    hessian[f, f] = degrees
    if not np.all(np.diag(state.optimum.hessian) > 0.0):  # no optimum: the certificate says so
        return np.full_like(hessian, np.nan)
    scale = np.sqrt(np.diag(hessian))
    return np.asarray(
        2.0 * np.linalg.inv(hessian / np.outer(scale, scale)) / np.outer(scale, scale)
    )


def kenward_roger_of(state: LmmState) -> KenwardRoger:
    """Kenward and Roger's covariance and information on the standardised scale."""
    if not state.objective.reml:
        raise DeclarationError(
            Problem(
                "Kenward and Roger's correction is derived for REML",
                where="fit(df='kenward-roger')",
                way_out="Use method='REML', or df='satterthwaite'.",
            )
        )
    form = state.objective.template
    parameters = tuple(
        Parameter(int(f), int(a), int(b))
        for f, a, b in zip(form.factor, form.row, form.column, strict=True)
    )
    lam = form.unpack(state.optimum.theta)
    return kenward_roger(
        state.evaluation,
        _products(state, lam, parameters),
        parameters=parameters,
        covariances=tuple(L @ L.T for L in lam),
        rows=state.objective.rows,
    )


def kenward_roger_df(state: LmmState, contrasts: FloatArray, corrected: KenwardRoger) -> FloatArray:
    """Degrees of freedom of contrasts (c, p) of the coefficients."""
    directions = contrasts @ state.scales.fixed.basis.back
    weights = directions @ corrected.unscaled
    variances = np.einsum("ci,ci->c", weights, directions)
    slopes = np.einsum("ci,kij,cj->ck", weights, corrected.P, weights, optimize=True)
    return satterthwaite(variances, slopes, corrected.W)


def _containment(state: LmmState, design: Design) -> FloatArray:
    if not isinstance(state.objective.statistics, Nested):
        raise DeclarationError(
            Problem(
                "containment needs nested random terms",
                where="fit(df='containment')",
                way_out="Use df='satterthwaite'.",
            )
        )
    random = state.random
    groups = [
        Factor(name, factor.Z, factor.codes)
        for name, factor in zip(random.groups, random.factors, strict=True)
    ]
    outer = min(random.factors, key=lambda factor: factor.levels)
    return containment_df(design.X, design.names, groups, outer.codes)[0]


def per_parameter(state: LmmState, directions: FloatArray) -> FloatArray:
    """Derivatives (c, k) of -d'(W'V^-1 W) d in theta, the directions d (c, w) of [X y] held."""
    lam = state.objective.template.unpack(state.optimum.theta)
    slopes = []
    for cross, L in zip(state.evaluation.cross, lam, strict=True):
        half = np.einsum("adij,cj->adic", cross, directions)
        along = np.einsum("adic,ci->cad", half, directions)
        slopes.append(2.0 * (along @ L).transpose(1, 2, 0))
    return np.asarray(state.objective.template.pack(tuple(slopes)).T)


def _products(
    state: LmmState, lam: tuple[FloatArray, ...], parameters: tuple[Parameter, ...]
) -> Products:
    statistics = state.objective.statistics
    p = len(state.solution.beta)
    if state.evaluation.by_level is not None:
        root, score = state.evaluation.by_level
        return products_by_level(root, score[:, :p], parameters)
    sizes = [len(L) for L in lam]
    levels = [factor.levels for factor in state.random.factors]
    ends = np.cumsum([q * J for q, J in zip(sizes, levels, strict=True)])
    if ends[-1] > LARGEST_DENSE:
        raise FitError(
            Problem(
                "too many random effects for Kenward and Roger's correction",
                found=f"{ends[-1]} in several groupings",
                allowed=f"{LARGEST_DENSE}",
                way_out="Use df='satterthwaite', which at this size says the same.",
            )
        )
    starts = [0, *ends[:-1]]
    bounds = tuple((int(a), int(b), q) for a, b, q in zip(starts, ends, sizes, strict=True))
    gram = statistics.gram()
    lift = np.zeros_like(gram.ZZ)
    for (first, end, q), L in zip(bounds, lam, strict=True):
        lift[first:end, first:end] = np.kron(np.eye((end - first) // q), L)
    return products_dense(*_reduced(gram.ZZ, gram.ZW[:, :p], lift), bounds, parameters)


def _reduced(ZZ: FloatArray, ZX: FloatArray, lift: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Z'V^-1 Z and Z'V^-1 X from Z'Z, Z'X and the block diagonal factor."""
    half = ZZ @ lift
    solved = np.linalg.solve(lift.T @ half + np.eye(len(ZZ)), half.T)
    return ZZ - half @ solved, ZX - solved.T @ (lift.T @ ZX)
