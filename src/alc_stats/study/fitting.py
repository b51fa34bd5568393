"""From declared models to fits, and from fits to the quantities a study quotes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, did_you_mean
from alc_stats.estimators import Fit, fit, fit_panel
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import contrast
from alc_stats.records import Kind, Number
from alc_stats.study.declaration import ContrastDeclared, ModelDeclared


@dataclass(frozen=True, slots=True)
class Quantity:
    """A declared contrast as it is quoted: value and 95 % limits on its declared scale."""

    declared: ContrastDeclared
    estimate: Estimate
    value: float
    low: float
    high: float
    kind: Kind


def fit_models(
    models: tuple[ModelDeclared, ...], tables: Mapping[str, pd.DataFrame]
) -> tuple[dict[str, Fit], dict[str, str]]:
    """Fits by model id, and for the models that cannot be fitted the reason."""
    fits: dict[str, Fit] = {}
    failures: dict[str, str] = {}
    for model in models:
        try:
            fits[model.id] = fit_model(model, tables[model.table])
        except FitError as error:
            failures[model.id] = str(error)
    return fits, failures


def fit_model(model: ModelDeclared, table: pd.DataFrame) -> Fit:
    """The declared model fitted to its table."""
    if model.entity:
        return fit_panel(
            model.formula,
            table,
            entity=model.entity,
            time=model.time,
            cluster=model.cluster or None,
            df="normal" if model.df == "normal" else None,
            allow_difference_score=model.allow_difference_score,
        )
    return fit(
        model.formula,
        table,
        scale=model.scale or None,
        between=model.between or None,
        method=model.method or None,
        covariance=model.covariance,
        cluster=model.cluster or None,
        df=model.df or None,
        family=model.family,
        bounds=model.bounds,
        allow_difference_score=model.allow_difference_score,
    )


def quantities(
    declared: tuple[ContrastDeclared, ...], fits: Mapping[str, Fit], numbers: Mapping[str, Number]
) -> dict[str, Quantity]:
    """The declared contrasts of the usable fits, on their declared scales."""
    usable = [c for c in declared if c.model in fits and fits[c.model].certificate.usable]
    return {c.id: _quantity(c, fits[c.model], numbers) for c in usable}


def _quantity(declared: ContrastDeclared, fitted: Fit, numbers: Mapping[str, Number]) -> Quantity:
    estimate = contrast(fitted, declared.of)
    low, high = estimate.interval()
    if declared.scale == "percent":
        value, low, high = (math.expm1(x) for x in (estimate.value, low, high))
        return Quantity(declared, estimate, value, low, high, "percent")
    if declared.scale == "relative":
        base = _base(declared, numbers)
        return Quantity(
            declared, estimate, estimate.value / base, low / base, high / base, "percent"
        )
    return Quantity(declared, estimate, estimate.value, low, high, "estimate")


def _base(declared: ContrastDeclared, numbers: Mapping[str, Number]) -> float:
    """The number a relative contrast is relative to; its own uncertainty is not carried."""
    if declared.relative_to not in numbers:
        raise DeclarationError(
            Problem(
                f"unknown number '{declared.relative_to}'",
                where=f"contrast '{declared.id}', relative_to",
                way_out=did_you_mean(declared.relative_to, numbers),
            )
        )
    return numbers[declared.relative_to].value
