"""Linear mixed models: statsmodels MixedLM searches, our own likelihood finishes and judges.

MixedLM's coefficients, variances and flags have known faults (variances divided by the scale,
fixed effects of exactly zero when a variance reaches zero, a convergence flag that does not look
at the gradient), so nothing but its variance parameters is used, and those only as a start. The
likelihood in `kernels.mixed` is minimised from there and from two starts of its own, then
polished by Newton steps on the principal axes of the random covariances. The fixed effects are
generalised least squares at that optimum; the certificate is its gradient and curvature.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import linalg

from alc_stats.errors import FitError, FormulaError, Problem
from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.containment import Factor, containment_df
from alc_stats.estimators.design import (
    Design,
    Table,
    build_design,
    codes,
    matrix,
    read_table,
    require_full_rank,
)
from alc_stats.estimators.fit import Fit, Request, VarianceComponent
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.mixed import (
    Block,
    MixedModel,
    Optimum,
    Solution,
    assemble,
    best_scale,
    descend,
    polish,
    principal,
    solve,
)
from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.records import FloatArray, IntArray

_ZERO_SD = 1e-4
"""A random SD (or a direction of several) below this share of the residual SD is at zero."""
_STATIONARY = 1e-3
"""Largest gradient, in standard-error units, that an optimum may have."""
_SADDLE = -1e-4
"""Curvature below this share of a unit diagonal is that of a saddle, not of an optimum."""
_CONSTANT = 1e-8
"""A column of unit size that varies less within levels is constant there."""
_SAME_OPTIMUM = 1e-3
"""Two searches whose deviances differ by less have found the same optimum."""
_FLAT = 1e-8
"""Curvature below this share of a unit diagonal is flat: the data do not tell two things apart."""
_FAILED = (
    "The search for the variances did not reach an optimum: simplify the random part or centre "
    "its columns."
)
_NOT_IDENTIFIED = (
    "The data do not tell the variances apart (the likelihood is flat): simplify the random part."
)


@dataclass(frozen=True, slots=True)
class Term:
    """A random term with its data: columns Z (n, q) by name, level of every row."""

    group: str
    names: tuple[str, ...]
    Z: FloatArray
    level: IntArray
    levels: int
    correlated: bool

    def scaled(self) -> tuple[Block, FloatArray]:
        """The term with orthonormal (uncorrelated: unit) columns, and R with Z = scaled R."""
        if self.correlated:
            Q, R = orthonormal(self.Z)
        else:
            R = np.diag(np.sqrt(np.mean(self.Z**2, axis=0)))
            Q = self.Z / np.diag(R)
        return Block(Q, self.level, self.correlated), R


@dataclass(frozen=True, slots=True)
class _Scaled:
    """The problem the optimiser sees, and the way back: X = Q R, outcome = shift + spread * y."""

    y: FloatArray
    Q: FloatArray
    R: FloatArray
    shift: FloatArray
    spread: float
    blocks: tuple[Block, ...]
    Rs: tuple[FloatArray, ...]


def fit_mixed(formula: Formula, data: pd.DataFrame, request: Request) -> Fit:
    """Fit a mixed model with nested random terms; see `alc_stats.estimators.fit`."""
    table = read_table(formula, data)
    design = build_design(formula, table)
    terms = _terms(formula, table)
    outer = _outermost(terms, formula)
    df = _degrees_of_freedom(design, terms, outer, request)
    scaled = _scale(design, terms)
    model = _assemble(scaled, outer, request)
    starts, notes = _starts(request, model, scaled, terms, outer)
    place, reached = descend(model, starts)
    blocks, axes, turned = principal(model, place)
    scaled = replace(
        scaled, blocks=blocks, Rs=tuple(U.T @ R for U, R in zip(axes, scaled.Rs, strict=True))
    )
    model = _assemble(scaled, outer, request)
    optimum = polish(model, turned)
    solution = solve(model, optimum.theta)
    random, boundary = _components(model, scaled, terms, optimum, solution)
    inverse = linalg.solve_triangular(scaled.R, np.eye(len(design.names)))
    return Fit(
        request=request,
        names=design.names,
        estimates=inverse @ (scaled.shift + scaled.spread * solution.coefficients),
        vcov=scaled.spread**2 * inverse @ solution.vcov @ inverse.T,
        df=df,
        components=design.components,
        random=random,
        loglik=_loglik(model, scaled, solution),
        counts=table.counts({term.group: term.levels for term in terms}),
        certificate=_certificate(optimum, reached, boundary, notes),
        coding=design.coding,
        statistics=design.statistics() | {"residual_sd": random[-1].sd},
        software=_software(request),
    )


def _assemble(scaled: _Scaled, outer: Term, request: Request) -> MixedModel:
    reml = request.method == "REML"
    return assemble(scaled.y, scaled.Q, scaled.blocks, outer.level, reml=reml)


def _terms(formula: Formula, table: Table) -> list[Term]:
    terms = []
    for random in formula.random:
        columns, _ = matrix(random.columns, table.frame, formula.text)
        names = tuple(str(name) for name in columns.columns)
        Z = columns.to_numpy(dtype=float)
        level, levels = codes(table.frame, random.grouping)
        where = f"formula '{formula.text}', random part of '{random.group}'"
        if not names:
            raise FormulaError(Problem("a random term has no columns", where=where))
        require_full_rank(Z, names, where)
        _require_levels(level, levels, names, where)
        terms.append(
            Term(random.group, names, Z, level, levels, random.correlated and len(names) > 1)
        )
    _refuse_repeated(terms, formula)
    return terms


def _require_levels(level: IntArray, levels: int, names: tuple[str, ...], where: str) -> None:
    if levels < 2:
        raise FitError(
            Problem(
                "the grouping has a single level", where=where, way_out="Leave the random term out."
            )
        )
    if levels * len(names) >= len(level):
        raise FitError(
            Problem(
                "the random effects cannot be told from the residual",
                where=where,
                found=f"{levels} levels times {len(names)} columns for {len(level)} rows",
                way_out="Leave the term or its slopes out; each level needs more rows.",
            )
        )


def _refuse_repeated(terms: Sequence[Term], formula: Formula) -> None:
    pairs = [(term.group, name) for term in terms for name in term.names]
    repeated = sorted({pair for pair in pairs if pairs.count(pair) > 1})
    if repeated:
        raise FormulaError(
            *(
                Problem(
                    f"'{name}' varies over '{group}' in two random terms",
                    where=f"formula '{formula.text}'",
                    way_out=f"Write it once; (0 + x | {group}) leaves the intercept out.",
                )
                for group, name in repeated
            )
        )


def _outermost(terms: Sequence[Term], formula: Formula) -> Term:
    """The term within whose levels every other is nested; its groups are independent."""
    outer = min(terms, key=lambda term: term.levels)
    for term in terms:
        cells = np.unique(np.stack([term.level, outer.level]), axis=1).shape[1]
        if cells > term.levels:
            raise FitError(
                Problem(
                    f"the random terms of '{term.group}' and '{outer.group}' are crossed",
                    where=f"formula '{formula.text}'",
                    found=f"levels of '{term.group}' occur in several levels of '{outer.group}'",
                    allowed="nested terms: (1 | a/b), or (1 | a) + (1 | b) with b within a",
                    way_out=f"Give one of the two a fixed effect, such as C({outer.group}), or "
                    f"write (1 | {outer.group}/{term.group}) if equal labels are different units.",
                )
            )
    return outer


def _degrees_of_freedom(
    design: Design, terms: Sequence[Term], outer: Term, request: Request
) -> FloatArray:
    n, p = design.X.shape
    if request.df != "containment":
        return np.full(p, np.inf if request.df == "normal" else float(n - p))
    groups = dict.fromkeys(term.group for term in terms)
    factors = [
        Factor(group, np.column_stack([t.Z for t in same]), same[0].level)
        for group in groups
        if (same := [t for t in terms if t.group == group])
    ]
    return containment_df(design.X, design.names, factors, outer.level)[0]


def _scale(design: Design, terms: Sequence[Term]) -> _Scaled:
    """Orthonormal columns; the outcome as least-squares residuals of unit size."""
    Q, R = orthonormal(design.X)
    shift = Q.T @ design.y / len(design.y)
    residual = design.y - Q @ shift
    spread = float(np.sqrt(np.mean(residual**2)))
    if spread <= 1e-12 * design.y.std():
        raise FitError(
            Problem(
                "the columns reproduce the outcome exactly, so nothing is left to vary",
                way_out="Look for the outcome among the predictors.",
            )
        )
    pairs = [term.scaled() for term in terms]
    blocks, Rs = tuple(b for b, _ in pairs), tuple(r for _, r in pairs)
    return _Scaled(residual / spread, Q, R, shift, spread, blocks, Rs)


def _starts(
    request: Request, model: MixedModel, scaled: _Scaled, terms: Sequence[Term], outer: Term
) -> tuple[list[FloatArray], tuple[str, ...]]:
    """Where to search from: two starts of our own, and statsmodels' optimum if it finds one."""
    default = np.concatenate([block.default() for block in model.blocks])
    within = np.concatenate([_start_within_levels(block) for block in model.blocks])
    own = [default, best_scale(model, [default, within])]
    if request.engine != "statsmodels":
        return own, ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theirs = _statsmodels_start(model, scaled, terms, outer)
    notes = tuple(dict.fromkeys(f"statsmodels: {warning.message}" for warning in caught))
    return (own if theirs is None else [*own, theirs]), notes


def _start_within_levels(block: Block) -> FloatArray:
    """Half the residual's variance from what each column varies within levels.

    An uncorrelated slope on a column far from zero needs a much larger start than one on a
    centred column: its part within levels is small beside its mean.
    """
    if block.correlated:
        return block.default()
    means = np.stack([_level_means(column, block.level) for column in block.Z.T], axis=1)
    within = np.sqrt(np.mean((block.Z - means) ** 2, axis=0))
    return block.default() / np.where(within > _CONSTANT, within, 1.0)


def _level_means(column: FloatArray, level: IntArray) -> FloatArray:
    return np.asarray((np.bincount(level, column) / np.bincount(level))[level], dtype=float)


def _statsmodels_start(
    model: MixedModel, scaled: _Scaled, terms: Sequence[Term], outer: Term
) -> FloatArray | None:
    """MixedLM's optimum as theta; correlations for the first correlated outermost term."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    joint = next((i for i, t in enumerate(terms) if t.group == outer.group and t.correlated), None)
    if joint is None and len(terms) == 1 and terms[0].names == ("Intercept",):
        joint = 0
    components, owners = _variance_components(scaled.blocks, outer, joint)
    try:
        result = MixedLM(
            scaled.y,
            scaled.Q,
            groups=outer.level,
            exog_re=None if joint is None else scaled.blocks[joint].Z,
            exog_vc=components,
        ).fit(reml=model.reml)
    except (np.linalg.LinAlgError, ValueError) as error:
        warnings.warn(f"no start: {error}", RuntimeWarning, stacklevel=2)
        return None
    sds = np.sqrt(np.maximum(np.asarray(result.vcomp) / result.scale, 0.01))
    parts = []
    for i, block in enumerate(scaled.blocks):
        if i == joint:
            relative = np.asarray(result.cov_re) / result.scale
            parts.append(_factor_entries(relative, block))
        else:
            diagonal = np.diag([sd for owner, sd in zip(owners, sds, strict=True) if owner == i])
            parts.append(_factor_entries(diagonal**2, block))
    theta = np.concatenate(parts)
    return theta if np.isfinite(theta).all() else None


def _factor_entries(relative: FloatArray, block: Block) -> FloatArray:
    """A relative covariance as theta, kept away from zero, where the gradient vanishes."""
    kept_away = relative + 0.01 * np.eye(relative.shape[0])
    return block.entries(np.asarray(np.linalg.cholesky(kept_away), dtype=float))


def _variance_components(
    blocks: Sequence[Block], outer: Term, joint: int | None
) -> tuple[object, list[int]]:
    """Every column outside the joint term as a variance component, and the term it belongs to."""
    from statsmodels.regression.mixed_linear_model import VCSpec

    groups = [np.flatnonzero(outer.level == g) for g in range(outer.levels)]
    names, columns, mats, owners = [], [], [], []
    for i, block in enumerate(blocks):
        if i == joint:
            continue
        for j, column in enumerate(block.Z.T):
            wide = [_dummies(column[rows], block.level[rows]) for rows in groups]
            names.append(f"term {i} column {j}")
            columns.append([[str(c) for c in range(w.shape[1])] for w in wide])
            mats.append(wide)
            owners.append(i)
    return (VCSpec(names, columns, mats) if names else None), owners


def _dummies(column: FloatArray, level: IntArray) -> FloatArray:
    present, index = np.unique(level, return_inverse=True)
    wide = np.zeros((len(column), present.size))
    wide[np.arange(len(column)), index] = column
    return wide


def _components(
    model: MixedModel, scaled: _Scaled, terms: Sequence[Term], optimum: Optimum, solution: Solution
) -> tuple[tuple[VarianceComponent, ...], tuple[str, ...]]:
    """SDs and correlations in the units of the columns, residual last; what is at a boundary."""
    out: list[VarianceComponent] = []
    boundary: list[str] = []
    residual = scaled.spread * float(np.sqrt(solution.variance))
    for term, factor, R in zip(terms, model.factors(optimum.theta), scaled.Rs, strict=True):
        inverse = np.linalg.inv(R)
        covariance = residual**2 * inverse @ factor @ factor.T @ inverse.T
        out += _named(term, covariance)
        boundary += _at_boundary(term, factor, covariance, residual)
    out.append(VarianceComponent("Residual", "", residual))
    return tuple(out), tuple(boundary)


def _named(term: Term, covariance: FloatArray) -> list[VarianceComponent]:
    sds = np.sqrt(np.diag(covariance))
    out = [
        VarianceComponent(term.group, name, float(sd))
        for name, sd in zip(term.names, sds, strict=True)
    ]
    if not term.correlated:
        return out
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = covariance / np.outer(sds, sds)
    pairs = [(i, j) for i in range(len(sds)) for j in range(i)]
    return out + [
        VarianceComponent(
            term.group,
            term.names[j],
            float(sds[j]),
            term.names[i],
            float(np.clip(correlations[i, j], -1.0, 1.0)),
        )
        for i, j in pairs
    ]


def _at_boundary(
    term: Term, factor: FloatArray, covariance: FloatArray, residual: float
) -> list[str]:
    """Terms whose SD is zero; if none is but a combination is, their correlation."""
    if np.linalg.svd(factor, compute_uv=False)[-1] >= _ZERO_SD:
        return []
    size = np.sqrt(np.mean(term.Z**2, axis=0))
    zero = np.sqrt(np.diag(covariance)) * size < _ZERO_SD * residual
    if zero.any():
        return [f"SD of {n} | {term.group}" for n, z in zip(term.names, zero, strict=True) if z]
    return [f"correlation of {', '.join(term.names)} | {term.group}"]


def _loglik(model: MixedModel, scaled: _Scaled, solution: Solution) -> float:
    """In the units of the outcome and of the columns, as lme4 counts it."""
    dof = model.rows - model.columns if model.reml else model.rows
    deviance = solution.deviance + 2.0 * dof * np.log(scaled.spread)
    if model.reml:
        deviance += 2.0 * np.log(np.abs(np.diag(scaled.R))).sum()
    return float(-0.5 * deviance)


def _certificate(
    optimum: Optimum, reached: FloatArray, boundary: tuple[str, ...], notes: tuple[str, ...]
) -> Certificate:
    gradient = optimum.scaled_gradient
    if np.ptp(reached) > _SAME_OPTIMUM:
        notes = (*notes, "A second start ended at a worse optimum; the better one is reported.")
    if not gradient < _STATIONARY or optimum.curvature[0] < _SADDLE:
        return Certificate("failed", _FAILED, boundary, gradient, notes)
    if boundary:
        return Certificate("boundary", _boundary_sentence(boundary), boundary, gradient, notes)
    if optimum.curvature[0] < _FLAT:
        return Certificate("not_identified", _NOT_IDENTIFIED, (), gradient, notes)
    return Certificate("optimum", "The likelihood is at its maximum.", (), gradient, notes)


def _boundary_sentence(boundary: tuple[str, ...]) -> str:
    zero = all(term.startswith("SD") for term in boundary)
    reached = "at zero" if zero else "at a limit (SD 0, correlation -1 or 1)"
    return (
        f"The likelihood is at its maximum with the {' and the '.join(boundary)} {reached}: write "
        "that these data show no such variation beyond chance; the fixed effects stand."
    )


def _software(request: Request) -> str:
    if request.engine != "statsmodels":
        return "alc_stats profiled likelihood"
    import statsmodels

    return f"statsmodels {statsmodels.__version__} MixedLM, finished and certified by alc_stats"
