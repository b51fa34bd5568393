"""Everything that is measured once for a verdict on a spread: models, units, shapes, sources."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import AlcError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.meta_regression import meta_regression
from alc_stats.inference.unit_contrast import Permutation, permutation_test, unit_contrast
from alc_stats.models.widening import shape, sources
from alc_stats.models.widening.artefacts import Spreads, Values
from alc_stats.models.widening.data import SpreadData
from alc_stats.models.widening.fits import Modelled, at_bound, finite_bounds, location_scale
from alc_stats.models.widening.unit_spreads import (
    Target,
    differences,
    spreads,
    target_of,
    unit_sums,
)

FEW_UNITS = 40
"""Up to so many firms the firm is the unit wherever it and the model disagree (methods D9.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The same difference in log SD by every method.

    Where a method does not apply or fails, a sentence stands in its place.

    Attributes
    ----------
    data : SpreadData
    target : {"between", "within", "observed"}
    model : Modelled
        The location-scale model.
    bounded : Modelled or None
        The same for a censored outcome; None without bounds.
    precision : float or str
        Of the beta regression.
    units : Estimate
        With the unit (firm, person) as the unit.
    permutation : Permutation
        Of whole units, of the same contrast.
    spreads : Spreads
    log_sds, log_cvs : Estimate or str
        Random-effects meta-regressions of units' lnSD and lnCV.
    distances, distance_permutation
        Brown and Forsythe's.
    quantiles : Quantiles
    influences : mapping of statistic to Estimate or str
    explained : Explained, str or None
    stayers : Estimate, str or None
    stayer_share : float
        Of rows.
    reliabilities : tuple of CellReliability, str or None
    """

    data: SpreadData
    target: Target
    model: Modelled
    bounded: Modelled | None
    precision: float | str
    units: Estimate
    permutation: Permutation
    spreads: Spreads
    log_sds: Estimate | str
    log_cvs: Estimate | str
    distances: shape.Distances
    distance_permutation: Permutation
    quantiles: shape.Quantiles
    influences: dict[str, Estimate | str]
    explained: sources.Explained | str | None
    stayers: Estimate | str | None
    stayer_share: float
    reliabilities: tuple[sources.CellReliability, ...] | str | None

    @property
    def unit_name(self) -> str:
        """What a unit is called, in the plural."""
        return "clusters" if self.data.kind == "firms" else "persons"

    @property
    def number_of_units(self) -> int:
        """In both arms."""
        return int(self.data.rows["unit"].nunique())

    @property
    def few(self) -> bool:
        """Whether there are few units."""
        return self.number_of_units <= FEW_UNITS

    @property
    def values(self) -> Values:
        """Outcomes by arm and time."""
        by = self.data.rows.groupby(["treated", "post"])["outcome"]
        return {str(key): y.to_numpy(float) for key, y in by}


def compare(data: SpreadData, *, seed: int, draws: int, permutations: int) -> Comparison:
    """Measure everything.

    Raises
    ------
    FitError
        If an arm has too few units whose spread can be measured.
    """
    target = target_of(data)
    model = location_scale(data, target)
    streams = iter(np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
    sums = unit_sums(data, target)
    distances = shape.brown_forsythe_distances(data)
    stayer_rows = sources.stayers(data)
    return Comparison(
        data=data,
        target=target,
        model=model,
        bounded=_bounded(data, target, model) if finite_bounds(data) else None,
        precision=shape.beta_precision(data),
        units=unit_contrast(sums, name=_NAMES[target].format(data.columns.outcome)),
        permutation=permutation_test(sums, generator=next(streams), draws=permutations),
        spreads=spreads(data),
        log_sds=_meta(data, "log_sd", "variance"),
        log_cvs=_ratio_scaled(data) or _meta(data, "log_cv", "cv_variance"),
        distances=distances,
        distance_permutation=permutation_test(
            distances.sums, generator=next(streams), draws=permutations
        ),
        quantiles=shape.quantile_widths(data, generator=next(streams), draws=draws),
        influences={s: shape.rif_regression(data, s) for s in ("variance", "quartiles")},
        explained=sources.explained(data, target, generator=next(streams), draws=draws)
        if data.schemas
        else None,
        stayers=None if stayer_rows is None else _stayers(data, target, stayer_rows),
        stayer_share=math.nan if stayer_rows is None else float(stayer_rows.mean()),
        reliabilities=sources.reliabilities(data) if data.columns.items else None,
    )


def _bounded(data: SpreadData, target: Target, model: Modelled) -> Modelled:
    """The censored model; the model itself where no value lies at a bound, and nothing is."""
    return location_scale(data, target, family="censored") if at_bound(data) else model


_NAMES = {
    "between": "log SD of {} between persons",
    "within": "log SD of {} within persons",
    "observed": "log SD of {}",
}


def _stayers(data: SpreadData, target: Target, rows: np.ndarray) -> Estimate | str:
    some = data.of(rows)
    if not sources.same_target(some, target):
        return "Too few persons were seen throughout."
    try:
        return unit_contrast(unit_sums(some, target), name="log SD, stayers")
    except AlcError as error:
        return str(error)


def _meta(data: SpreadData, value: str, variance: str) -> Estimate | str:
    """LnVR or lnCVR: REML, Knapp and Hartung; with one spread an arm, their own sampling error."""
    table = differences(data)
    y, v = table[value].to_numpy(float), table[variance].to_numpy(float)
    if not (np.isfinite(y).all() and np.isfinite(v).all()):
        return "The statistic does not exist in every unit."
    name = "lnVR" if value == "log_sd" else "lnCVR"
    if data.kind == "persons":
        side = table["treated"].to_numpy(float) == 1.0
        free = float(table["n"].sum() - len(table))
        apart = float(y[side][0] - y[~side][0])
        return Estimate(name, apart, math.sqrt(float(v.sum())), free, "log SD")
    columns = [np.ones(len(y))]
    if data.kind == "firms":
        columns.append(table["treated"].to_numpy(float))
    try:
        done = meta_regression(y, v, np.column_stack(columns))
    except AlcError as error:
        return str(error)
    return done.coefficient(len(columns) - 1, name=name, unit="log SD")


def _ratio_scaled(data: SpreadData) -> str:
    """Why a coefficient of variation says nothing here; empty if it does."""
    bounds = data.columns.bounds
    if bounds is None or bounds[0] != 0.0:
        return "The outcome has no true zero as its declared lower bound."
    if not (data.rows["outcome"] > 0.0).all():
        return "Some outcomes are zero."
    return ""
