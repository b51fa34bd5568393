"""Linear mixed models by statsmodels' MixedLM: an independent witness of the default engine.

MixedLM searches (`mixedlm`); its likelihood, score and warnings are reported, its known
faults kept out. It sees orthonormal columns and an outcome of unit size. Of its answer only the
variances as shares of the residual's are read: its fixed effects are exact zeros where a variance
reaches zero (statsmodels#10239) and its standard errors of variances are wrong
(statsmodels#2231). Fixed effects, their covariance and the residual variance are generalised
least squares at those shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.certificate import Certificate, Status
from alc_stats.estimators.containment import Factor, containment_df
from alc_stats.estimators.design import Design, build_design, read_table
from alc_stats.estimators.fit import Fit, Request, VarianceComponent
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.gls import Effects, gls
from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.estimators.lmm_terms import RandomPart, random_part
from alc_stats.estimators.mixedlm import End, Seen, search
from alc_stats.records import FloatArray, IntArray

_AT_LIMIT = 5e-3
"""A random SD, or a combination of several, below this share of the residual SD is at zero: the
search may stop that far from it."""
_LIMIT = (
    "MixedLM reports a maximum with the {} at a limit (SD 0, correlation -1 or 1): write that "
    "these data show no such variation beyond chance; the fixed effects stand."
)
_WAY_OUT = "Use the default engine: leave engine='statsmodels' out."


@dataclass(frozen=True, slots=True)
class _Scaled:
    """What MixedLM sees, and the way back.

    X = seen.X R, outcome = seen.X shift + spread seen.y; every term's columns are Z Rs[t].
    """

    seen: Seen
    R: FloatArray
    shift: FloatArray
    spread: float
    Rs: tuple[FloatArray, ...]
    dof: int


def fit_mixed(formula: Formula, data: pd.DataFrame, request: Request) -> Fit:
    """Fit a mixed model by MixedLM; see `alc_stats.estimators.fit`.

    One term, on the outermost grouping, may have correlated columns; the others are uncorrelated
    and nested within it. MixedLM's time grows with the cube of the levels in an outermost group:
    10,000 rows in 50 firms of 40 persons take a second, 25,000 rows in 20 firms of 250 persons
    half a minute.

    Raises
    ------
    FormulaError, FitError
        As the default engine, and FitError for what MixedLM cannot fit.
    """
    table = read_table(formula, data)
    design, random = build_design(formula, table), random_part(formula, table)
    outer = min(range(len(random.factors)), key=lambda f: random.factors[f].levels)
    joint = _joint(formula, random, outer)
    scaled = _scale(design, random, outer, joint=joint, reml=request.method == "REML")
    df = _degrees_of_freedom(request.df, design, random, scaled.seen.outer)
    end = _search(scaled.seen)
    seen, triples = scaled.seen, zip(scaled.seen.Z, scaled.seen.codes, end.shares, strict=True)
    fixed = gls(seen.y, seen.X, [Effects(*triple) for triple in triples], seen.outer)
    sigma = scaled.spread * float(np.sqrt(fixed.squares / scaled.dof))
    inverse = np.linalg.inv(scaled.R)
    components, boundary = _components(random, scaled.Rs, end.shares, sigma)
    return Fit(
        request=request,
        names=design.names,
        estimates=inverse @ (scaled.shift + scaled.spread * fixed.coefficients),
        vcov=sigma**2 * inverse @ fixed.unscaled @ inverse.T,
        df=df,
        components=design.components,
        random=(*components, VarianceComponent("Residual", "", sigma)),
        loglik=_in_units(scaled, end.loglik),
        counts=table.counts(random.counts()),
        certificate=_certificate(end, boundary),
        coding=design.coding,
        statistics=design.statistics() | {"residual_sd": sigma},
        software=f"statsmodels {version('statsmodels')} MixedLM",
    )


def _joint(formula: Formula, random: RandomPart, outer: int) -> int | None:
    """The term with correlations, which MixedLM can fit once and on the outermost grouping."""
    top = random.factors[outer].codes
    refused = [
        f"the crossed terms of '{name}' and '{random.groups[outer]}'"
        for name, factor in zip(random.groups, random.factors, strict=True)
        if len({*zip(factor.codes, top, strict=True)}) > factor.levels
    ]
    correlated = [i for i, term in enumerate(random.terms) if term.correlated]
    joint = next((i for i in correlated if random.terms[i].factor == outer), None)
    refused += [
        f"the correlated columns of '{random.terms[i].group}' (with || for | it might)"
        for i in correlated
        if i != joint
    ]
    if refused:
        where = f"formula '{formula.text}'"
        raise FitError(
            *(Problem(f"MixedLM cannot fit {r}", where=where, way_out=_WAY_OUT) for r in refused)
        )
    return joint


def _scale(
    design: Design, random: RandomPart, outer: int, *, joint: int | None, reml: bool
) -> _Scaled:
    Q, R = orthonormal(design.X)
    n, p = Q.shape
    shift = Q.T @ design.y / n
    residual = design.y - Q @ shift
    spread = float(np.sqrt(np.mean(residual**2)))
    if spread <= 1e-12 * design.y.std():
        way_out = "Look for the outcome among the predictors."
        raise FitError(Problem("the columns reproduce the outcome exactly", way_out=way_out))
    columns = [random.factors[term.factor].Z[:, term.columns] for term in random.terms]
    Rs = tuple(
        orthonormal(Z)[1] if term.correlated else np.diag(np.sqrt(np.mean(Z**2, axis=0)))
        for Z, term in zip(columns, random.terms, strict=True)
    )
    Zs = tuple(Z @ np.linalg.inv(own) for Z, own in zip(columns, Rs, strict=True))
    codes = tuple(random.factors[term.factor].codes for term in random.terms)
    seen = Seen(residual / spread, Q, Zs, codes, joint, random.factors[outer].codes, reml)
    return _Scaled(seen, R, shift, spread, Rs, n - p if reml else n)


def _in_units(scaled: _Scaled, loglik: float) -> float:
    """The log-likelihood in the units of the data, under REML with the columns as given."""
    columns = float(np.log(np.abs(np.diag(scaled.R))).sum()) if scaled.seen.reml else 0.0
    return loglik - scaled.dof * float(np.log(scaled.spread)) - columns


def _degrees_of_freedom(
    kind: str, design: Design, random: RandomPart, outer: IntArray
) -> FloatArray:
    n, p = design.X.shape
    if kind != "containment":
        return np.full(p, np.inf if kind == "normal" else float(n - p))
    pairs = zip(random.groups, random.factors, strict=True)
    groups = [Factor(name, factor.Z, factor.codes) for name, factor in pairs]
    return containment_df(design.X, design.names, groups, outer)[0]


def _search(seen: Seen) -> End:
    try:
        return search(seen)
    except (np.linalg.LinAlgError, ValueError) as error:
        problem = Problem("MixedLM broke off", found=str(error), way_out=_WAY_OUT)
        raise FitError(problem) from error


def _components(
    random: RandomPart, Rs: Sequence[FloatArray], shares: Sequence[FloatArray], sigma: float
) -> tuple[list[VarianceComponent], tuple[str, ...]]:
    """SDs and correlations in the units of the columns; the names of those at a limit."""
    found, limits = [], []
    for term, R, own in zip(random.terms, Rs, shares, strict=True):
        back, names, group = np.linalg.inv(R), term.names, term.group
        covariance = sigma**2 * back @ own @ back.T
        sds = np.sqrt(np.diag(covariance))
        found += [VarianceComponent(group, n, float(s)) for n, s in zip(names, sds, strict=True)]
        pairs = zip(*np.tril_indices(len(sds), -1), strict=True) if term.correlated else ()
        for i, j in pairs:
            r = float(np.clip(covariance[i, j] / max(sds[i] * sds[j], 1e-300), -1.0, 1.0))
            found.append(VarianceComponent(group, names[j], float(sds[j]), names[i], r))
        zero = sds * np.linalg.norm(R, axis=0) < _AT_LIMIT * sigma
        limits += [f"SD of {n} | {group}" for n, z in zip(names, zero, strict=True) if z]
        if not zero.any() and np.linalg.eigvalsh(own)[0] < _AT_LIMIT**2:
            limits.append(f"correlation of {', '.join(names)} | {group}")
    return found, tuple(limits)


def _certificate(end: End, boundary: tuple[str, ...]) -> Certificate:
    status: Status = "optimum"
    sentence = "MixedLM reports a maximum, and its score there is zero."
    if not end.arrived:
        status, sentence = "failed", f"The search of MixedLM did not reach a maximum. {_WAY_OUT}"
    elif boundary:
        status, sentence = "boundary", _LIMIT.format(" and the ".join(boundary))
    return Certificate(status, sentence, boundary, end.score, end.notes, end.curvature)
