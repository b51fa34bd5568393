"""Mixed-effects location-scale models with a random scale effect, by maximum likelihood.

    y = x'b + z'g_i + e,   log SD(e) = w't + s_i,

with location effects g_i and a scale effect s_i of every person, jointly normal; the SD of the
random intercept may itself be regressed on columns (`between`). Hedeker, Mermelstein and Demirtas
(2008) and Hedeker and Nordgren (2013), whose coefficients of spread are log variances, twice ours.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Design, Table, build_design, read_table
from alc_stats.estimators.error_laws import law_statistics, row_law
from alc_stats.estimators.fit import Component, Fit, Request
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.mels_firm_model import FirmModel
from alc_stats.estimators.kernels.mels_search import MelsOptimum, search
from alc_stats.estimators.kernels.mels_start import start
from alc_stats.estimators.lmm_terms import random_part
from alc_stats.estimators.mels_certificate import certify_mels, identification_notes
from alc_stats.estimators.mels_components import boundary_terms, random_components
from alc_stats.estimators.mels_levels import Levels, levels_of, rows_alone
from alc_stats.estimators.mels_rows import (
    MelsData,
    between_columns,
    mels_data,
    spread_columns,
)
from alc_stats.estimators.memory import Memory
from alc_stats.estimators.robust import ROBUST, cluster_columns, clusters_of, factor_of
from alc_stats.records import BoolArray, FloatArray, IntArray

_NO_RESIDUAL = 1e-12
"""A residual SD below this share of the outcome's SD is rounding, not error."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MelsState:
    """A fitted location-scale model on its standardised scales.

    Attributes
    ----------
    data : MelsData
    optimum : MelsOptimum
    covariance : array (P, P)
        Of the parameters, zero where they are held.
    """

    data: MelsData
    optimum: MelsOptimum
    covariance: FloatArray


def fit_location_scale(
    formula: Formula,
    scale: Formula,
    between: Formula | None,
    data: pd.DataFrame,
    *,
    request: Request,
) -> Fit:
    """Fit a location-scale model with a random scale effect.

    Parameters
    ----------
    formula : Formula
        Its random terms, if any, vary over the grouping of the scale effect.
    scale : Formula
        One-sided, with one random term: (1 | g), or (1 || g) for a scale effect that does not go
        with the location effects.
    between : Formula, optional
        One-sided, without random terms: columns of the log SD of the random intercept.
    data : DataFrame
    request : Request
        `covariance` "model" (observed information) or "CR0", "CR1" (sums of scores by cluster);
        with `order`, a column of times, errors are a first-order autoregression within persons.

    Raises
    ------
    FormulaError, FitError
        As `alc_stats.estimators.fit`.
    """
    order = request.order
    names = [*scale.names, *(between.names if between else ()), *([order] if order else [])]
    table = read_table(
        formula,
        data,
        [*names, *(cluster_columns(request.cluster, data) if request.cluster else [])],
    )
    design = build_design(formula, table)
    random = random_part(formula, table) if formula.random else None
    grouped = bool(formula.random or scale.random)
    levels = levels_of(formula, scale, table, random) if grouped else rows_alone(table)
    _check_between(levels, formula, between)
    stated = mels_data(
        design,
        levels,
        spread_columns(scale, table, "scale"),
        between_columns(between, table) if between is not None else None,
        time=table.frame[order].to_numpy(dtype=float) if order else None,
        law=row_law(request, design, levels),
    )
    _check_data(formula, design, stated, order)
    return _record(request, formula, table, design, stated, _searched(stated))


def _check_between(levels: Levels, formula: Formula, between: Formula | None) -> None:
    if between is not None and "Intercept" not in levels.columns:
        raise FitError(
            Problem(
                "between is about the SD of a random intercept, and there is none",
                where=f"formula '{formula.text}', between={between.text!r}",
                way_out=f"Add (1 | {levels.person.name or 'person'}) to the formula.",
            )
        )


def _check_data(formula: Formula, design: Design, stated: MelsData, order: str) -> None:
    sizes = np.diff(stated.model.rows.offsets)
    where = f"formula '{formula.text}'"
    problems = []
    if stated.unit <= _NO_RESIDUAL * float(design.y.std()):
        problems.append(
            Problem(
                "the columns reproduce the outcome exactly, so nothing is left to vary",
                where=where,
                way_out="Look for the outcome among the predictors.",
            )
        )
    if _at_most_two_values(design.y):
        problems.append(
            Problem(
                f"'{design.coding.outcome}' has fewer than 3 distinct values, whose spread is what "
                "their mean makes it",
                where=where,
                way_out="Model the probability of one of them instead.",
            )
        )
    if stated.group and sizes.max() < 2:
        problems.append(
            Problem(
                f"no level of '{stated.group}' has two rows, so its effects cannot be told",
                where=where,
                found=f"{len(sizes)} levels, {sizes.sum()} rows",
                way_out="Leave the random effects out, or let a larger grouping have them.",
            )
        )
    elif stated.group and _still(design.y, stated):
        problems.append(
            Problem(
                f"the outcome is constant within every level of '{stated.group}'",
                where=where,
                way_out="There is no spread within them to model: look at the grouping.",
            )
        )
    gap = stated.model.rows.gap
    starts = stated.model.rows.offsets[:-1]
    if order and np.delete(gap, starts).min(initial=1.0) <= 0.0:
        problems.append(
            Problem(
                f"two rows of one level of '{stated.group}' are of the same '{order}'",
                where="fit(order=...)",
                way_out="Autoregressive errors need every row at a time of its own.",
            )
        )
    if problems:
        raise FitError(*problems)


def _at_most_two_values(y: FloatArray) -> bool:
    others = y[y != y[0]]
    return others.size == 0 or bool(np.all(others == others[0]))


def _still(y: FloatArray, stated: MelsData) -> bool:
    ordered, offsets = y[stated.order], stated.model.rows.offsets[:-1]
    low, high = np.minimum.reduceat(ordered, offsets), np.maximum.reduceat(ordered, offsets)
    return bool(np.array_equal(low, high))


def _searched(stated: MelsData) -> MelsOptimum:
    try:
        return search(stated.model, start(stated.model.rows, stated.model.shape))
    except np.linalg.LinAlgError as error:
        raise FitError(
            Problem(
                "the likelihood cannot be worked out where the search led",
                found=f"{len(stated.order)} rows; {error}",
                way_out="Simplify the parts of the spread, and look at columns that nearly agree.",
            )
        ) from error


def _record(
    request: Request,
    formula: Formula,
    table: Table,
    design: Design,
    stated: MelsData,
    optimum: MelsOptimum,
) -> Fit:
    """The fit as a record, in the units of the columns."""
    information = _inverse(optimum.information, optimum.free)
    covariance, df = _covariance(request, table, stated, optimum, information)
    estimates, jacobian = raw_coefficients(stated, optimum.psi)
    boundary = boundary_terms(stated, optimum)
    certificate = certify_mels(optimum, stated, boundary=boundary)
    notes = identification_notes(optimum, stated, information)
    between = stated.between.columns.names if stated.between else ()
    return Fit(
        request=request,
        names=(*design.names, *stated.scale.names, *between),
        estimates=estimates,
        vcov=jacobian @ covariance @ jacobian.T,
        df=np.full(len(estimates), df),
        components=_components(design, stated),
        random=random_components(stated, optimum),
        loglik=optimum.evaluated.loglik - stated.densities * float(np.log(stated.unit)),
        counts=table.counts(_counts(stated.levels)),
        certificate=replace(certificate, notes=notes),
        coding=design.coding,
        statistics=design.statistics() | _statistics(request, design, stated, optimum),
        software=_software(),
        memory=Memory(formula, table, design, mels=MelsState(stated, optimum, information)),
    )


def _inverse(information: FloatArray, free: BoolArray) -> FloatArray:
    """Covariance (P, P) of the parameters, zero for those that are held."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(information)), np.finfo(float).tiny))
    inverse = np.linalg.pinv(information / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    found = np.zeros((len(free), len(free)))
    found[np.ix_(free, free)] = inverse / np.outer(scale, scale)
    return found


def _covariance(
    request: Request,
    table: Table,
    stated: MelsData,
    optimum: MelsOptimum,
    information: FloatArray,
) -> tuple[FloatArray, float]:
    """Covariance (P, P) of the parameters and the degrees of freedom of their t."""
    if request.covariance not in ROBUST:
        return information, float("inf")
    where = f"formula '{request.formula}'"
    clusters = clusters_of(
        table, request.cluster, cluster_columns(request.cluster, table.frame), where
    )
    edges = _unit_edges(stated)
    unit = (stated.levels.firm or stated.levels.person).name
    whole = clusters.level[stated.order]
    of_unit = whole[edges[:-1]]
    if np.any(np.repeat(of_unit, np.diff(edges)) != whole):
        raise FitError(
            Problem(
                f"a level of '{unit}' is in several clusters",
                where=f"fit(cluster='{request.cluster}')",
                allowed=f"clusters that hold whole levels of '{unit}'",
                way_out=f"Cluster at '{unit}' or above it.",
            )
        )
    sums = np.zeros((clusters.number, len(optimum.psi)))
    np.add.at(sums, of_unit, optimum.evaluated.scores)
    meat = sums.T @ sums * factor_of(request.covariance, clusters.number)
    df = float("inf") if request.df == "normal" else clusters.number - 1.0
    return information @ meat @ information, df


def _unit_edges(stated: MelsData) -> IntArray:
    """Where the rows of every independent unit begin, and the end."""
    offsets = stated.model.rows.offsets
    if isinstance(stated.model, FirmModel):
        return np.asarray(offsets[stated.model.firm_offsets])
    return offsets


def raw_coefficients(stated: MelsData, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients (k,) of the raw columns and their derivatives (k, P) in the parameters."""
    shape = stated.model.shape
    at = shape.unpack(psi)
    p, w = len(at.beta), len(at.tau)
    u = len(stated.between.columns.names) if stated.between else 0
    jacobian = np.zeros((p + w + u, shape.length))
    jacobian[:p, shape.part("beta")] = stated.fixed.scale * stated.fixed.basis.back
    jacobian[p : p + w, shape.part("tau")] = stated.scale.basis.back
    constant = np.concatenate([stated.fixed.start, np.zeros(w)])
    estimates = np.concatenate([constant + jacobian[: p + w] @ psi, np.zeros(u)])
    if stated.between is not None:
        estimates[p + w :], jacobian[p + w :] = _between(stated, psi)
    return estimates, jacobian


def _between(stated: MelsData, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients of the log SD between persons, and their derivatives."""
    between, shape = stated.between, stated.model.shape
    if between is None:
        raise TypeError("the model has no between part")
    at, k = shape.unpack(psi), stated.model.rows.scaled
    back = stated.unit * abs(float(stated.random.back[k, k]))
    forward = between.basis.forward[:, 1:]
    centre = between.basis.origin @ forward
    split = np.zeros((len(between.columns.names), shape.length))
    split[:, shape.part("alpha")] = forward
    split[0, shape.part("alpha")] = -centre
    values = forward @ at.alpha
    length = float(np.linalg.norm(at.L[k]))
    values[0] = (np.log(back * length) if length > 0.0 else np.nan) - centre @ at.alpha
    inside = np.flatnonzero(shape.rows == k)
    own = at.L[k, shape.columns[inside]]
    split[0, shape.part("free").start + inside] = own / length**2 if length > 0.0 else np.nan
    unmixed = np.linalg.inv(between.mixing)
    return unmixed @ values, unmixed @ split


def _components(design: Design, stated: MelsData) -> tuple[Component, ...]:
    scale: list[Component] = ["log_sd"] * len(stated.scale.names)
    between: list[Component] = ["between_log_sd"] * (
        len(stated.between.columns.names) if stated.between else 0
    )
    return (*design.components, *scale, *between)


def _counts(levels: Levels) -> dict[str, int]:
    groupings = (levels.firm, levels.person)
    return {g.name: len(g.labels) for g in groupings if g is not None and g.name}


def _statistics(
    request: Request, design: Design, stated: MelsData, optimum: MelsOptimum
) -> dict[str, float]:
    at, shape = stated.model.shape.unpack(optimum.psi), stated.model.shape
    found = {"nodes": float(optimum.evaluated.nodes.count)}
    if stated.levels.person_scale or stated.levels.firm_scale:
        found["scale_effect_log_sd"] = at.scale_sd
    if shape.has("phi"):
        found["autocorrelation"] = at.phi
    return found | dict(law_statistics(request, design.y, at))


@functools.cache
def _software() -> str:
    return f"alc_stats {version('alc_stats')}, adaptive quadrature"
