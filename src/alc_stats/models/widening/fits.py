"""Location-scale models of the spread in question, for open and for bounded outcomes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.models.widening.data import SpreadData
from alc_stats.models.widening.unit_spreads import Target, members
from alc_stats.records import FloatArray

Family = Literal["gaussian", "censored"]


@dataclass(frozen=True, slots=True)
class Modelled:
    """What a model says of the difference in log SD, or why it says nothing.

    Attributes
    ----------
    estimates : mapping of component to Estimate
        "between_log_sd" and "log_sd", as far as the model has them.
    failure : str
        Empty for a fit with a usable certificate.
    formula : str
        Of the location.
    random_scale : bool
    """

    estimates: dict[str, Estimate]
    failure: str
    formula: str
    random_scale: bool
    fit: Fit | None = None

    def of(self, target: Target) -> Estimate | None:
        """The estimate of the spread in question."""
        return self.estimates.get("between_log_sd" if target == "between" else "log_sd")


def location_scale(data: SpreadData, target: Target, *, family: Family = "gaussian") -> Modelled:
    """Fit location and log SD together, standard errors clustered by what was assigned.

    The mean has treatment (and time, and their product) and the cells; outcomes are compared
    within firm and wave. With several rows a person, persons have random effects of location and
    of log SD, and a log SD of location of their own under treatment; with one row each, firms have
    random effects of location and of log SD.

    Parameters
    ----------
    data : SpreadData
    target : {"between", "within", "observed"}
    family : {"gaussian", "censored"}
        "censored" takes values at the bounds for values at or beyond them.
    """
    rows, location, scale, between = _parts(data, target, family)
    random_scale = "|" in scale
    asked: dict[str, Any] = {"scale": scale, "method": "ML"}
    if random_scale:  # without, every row is a unit of its own
        asked |= {"covariance": "CR1", "cluster": "cluster"}
    if between:
        asked["between"] = between
    if family == "censored":
        asked |= {"family": family, "bounds": data.columns.bounds}
    try:
        fitted = fit(location, rows, **asked)
        clusters = int(rows["cluster"].nunique())
        estimates = {
            component: _capped(contrast(fitted, f"{component}.{data.effect}"), clusters)
            for component in ("between_log_sd", "log_sd")
            if f"{component}.{data.effect}" in fitted.labels
        }
    except AlcError as error:  # TypeError: an engine without the censored family
        return Modelled({}, str(error), location, random_scale)
    return Modelled(estimates, "", location, random_scale, fitted)


def _capped(estimate: Estimate, clusters: int) -> Estimate:
    """On no more degrees of freedom than clusters less one."""
    df = min(estimate.df, clusters - 1.0)
    return replace(estimate, df=df, unit="log SD")


def _parts(data: SpreadData, target: Target, family: Family) -> tuple[pd.DataFrame, str, str, str]:
    """Table, location formula, scale formula and between formula."""
    censored = family == "censored"
    group = "unit" if target == "observed" else "person"
    rows = _table(data, target)
    y = "outcome" if censored or target != "between" else "centred"
    level = ["level"] if censored and data.kind == "firms" else []
    cells = [c for c in data.cells if y == "outcome" and len(rows[c].unique()) > 1]
    random = "" if target == "observed" and data.kind == "persons" else f"(1 | {group})"
    terms = [data.design, *level, *cells, *([random] if random else [])]
    scale = f"~ {data.design}" + (f" + {random}" if random else "")
    return rows, f"{y} ~ {' + '.join(terms)}", scale, _between(data, target)


def _between(data: SpreadData, target: Target) -> str:
    return f"~ {data.design}" if target == "between" else ""


def _table(data: SpreadData, target: Target) -> pd.DataFrame:
    if target == "observed":
        table = members(data).rename(columns={"value": "outcome"})
    else:
        table = data.rows.loc[data.rows["centred"].notna()].copy()
    firm = bool(data.columns.firm) and target != "observed"
    table["cluster"] = (table["firm"] if firm else table["unit"]).astype(str)
    table["person"], table["unit"] = table["person"].astype(str), table["unit"].astype(str)
    group = table["group"] if "group" in table else table[["unit", "post"]].apply(tuple, axis=1)
    table["level"] = _level(table, group)
    return table.reset_index(drop=True)


def _level(table: pd.DataFrame, group: pd.Series) -> FloatArray:
    """Mean of the group (firm and wave) less that of its arm and period."""
    own = table.groupby(group)["outcome"].transform("mean")
    arm = table.groupby(["treated", "post"])["outcome"].transform("mean")
    return np.asarray(own - arm, dtype=float)


def finite_bounds(data: SpreadData) -> bool:
    """Whether the outcome has a bound at all."""
    bounds = data.columns.bounds
    return bounds is not None and any(math.isfinite(b) for b in bounds)


def at_bound(data: SpreadData) -> bool:
    """Whether any value lies at a bound."""
    low, high = data.columns.bounds or (-math.inf, math.inf)
    return bool(((data.rows["outcome"] <= low) | (data.rows["outcome"] >= high)).any())
