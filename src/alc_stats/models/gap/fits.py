"""Awareness and capability in one model, so that the difference of effects has an error of its own.

Rows are stacked, one an outcome. Each outcome has fixed effects and a residual SD of its own;
persons and firms have a level in each, which go together as they do (an unstructured covariance); a
firm responds to treatment with a size of its own in each. What the two residuals of one occasion
share is no part of the model. It hardly moves the effects, which both outcomes have on the same
columns (Zellner 1962), but it does their difference's error: so errors are those of whole firms (or
persons), which hold for any covariance within them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import require_usable
from alc_stats.inference.contrasts import contrast
from alc_stats.models.gap.data import OTHER, OUTCOMES, GapData, Level
from alc_stats.records import FloatArray

PAIR: tuple[Level, Level] = ("awareness", "capability")
FEW_CLUSTERS, FEW_ON_A_SIDE = 12, 5
"""Up to here the cluster is the unit; the bounds of `inference.small_sample_choice`."""


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """A model of one or two outcomes, with both kinds of standard errors.

    Attributes
    ----------
    rows : DataFrame
        One row an outcome and occasion.
    model : Fit
        By REML, with a residual SD of its own for each outcome; Satterthwaite's degrees of freedom.
    robust : Fit
        The same, CR2 clustered by what `GapData.cluster` names.
    correlation : float or None
        Of the residuals of two outcomes on one occasion.
    without : tuple of str
        Random terms that these data cannot tell, and the model does without.
    """

    rows: pd.DataFrame
    model: Fit
    robust: Fit
    correlation: float | None = None
    without: tuple[str, ...] = ()


def stacked(data: GapData, outcomes: tuple[Level, ...]) -> Stacked:
    """Fit the outcomes jointly, by REML.

    The fullest random part whose search reaches an optimum is taken; the robust errors hold for
    each. Raises a FitError as `alc_stats.estimators.fit` does, or where none has a usable
    certificate.
    """
    rows = long_rows(data, outcomes)
    terms = _random(data, outcomes, rows)
    for without in _ever_simpler(terms):
        kept = [t for t in terms if t not in without]
        formula = " + ".join([f"y ~ {_fixed(data, outcomes, rows)}", *kept])
        model, robust = _both(formula, data, outcomes, rows, weighted=bool(kept))
        if model.certificate.usable and robust.certificate.usable:
            break
    require_usable(model)
    require_usable(robust)
    return Stacked(rows, model, robust, _residual_correlation(rows, outcomes), without)


def _ever_simpler(terms: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Random terms to do without: none, firms' own responses, all of firms."""
    response = tuple(t for t in terms if t.startswith("(0 + change"))
    firms = tuple(t for t in terms if t.endswith("| firm)"))
    return list(dict.fromkeys(((), response, firms)))


def _both(
    formula: str, data: GapData, outcomes: tuple[Level, ...], rows: pd.DataFrame, *, weighted: bool
) -> tuple[Fit, Fit]:
    """The model, and its twin with robust errors."""
    asked: dict[str, Any] = {"covariance": "CR2", "cluster": data.cluster}
    if len(outcomes) == 1:
        return fit(formula, rows), fit(formula, rows, **asked)
    model = fit(formula, rows, scale="~ outcome")
    # the same model: at these weights the residual SD of each outcome is its own
    ratio = model.params[f"log_sd.outcome[T.{outcomes[1]}]"]
    weight = np.where(rows["outcome"] == outcomes[1], np.exp(-2.0 * ratio), 1.0)
    # least squares take no weights beside CR2, and need none
    own = asked | ({"weights": "weight"} if weighted else {})
    return model, fit(formula, rows.assign(weight=weight), **own)


def long_rows(data: GapData, outcomes: tuple[Level, ...]) -> pd.DataFrame:
    """One row an outcome and occasion that has it, with columns of effects for each outcome."""
    wide = pd.concat([data.rows, data.others], ignore_index=True)
    wide = wide.assign(occasion=np.arange(len(wide)))
    shared = [c for c in wide.columns if c not in OUTCOMES]
    parts = [wide[shared].assign(outcome=o, y=wide[o]).loc[wide[o].notna()] for o in outcomes]
    rows = pd.concat(parts, ignore_index=True)
    for o in outcomes:
        here = (rows["outcome"] == o).astype(float)
        rows[f"effect_{o}"] = here * rows["effect"]
        rows[f"change_{o}"] = here * rows["change"]
    return rows


def effect_names(outcomes: tuple[Level, ...]) -> tuple[str, ...]:
    """The coefficients that are the effects of treatment."""
    return tuple(f"effect_{o}" for o in outcomes)


def _fixed(data: GapData, outcomes: tuple[Level, ...], rows: pd.DataFrame) -> str:
    """Arms, occasions and covariates, each with effects of its own on every outcome."""
    terms = ["treated"] if data.did else []
    for other in (c for c in rows.columns if c.startswith("other_")):
        terms += [other, f"{other}:post"] if data.did else [other]
    terms += data.varying(rows)
    if len(outcomes) == 1:
        return " + ".join([*terms, *effect_names(outcomes)])
    own = [f"outcome:{term}" for term in terms]
    return " + ".join(["0", "outcome", *own, *effect_names(outcomes)])


def _random(data: GapData, outcomes: tuple[Level, ...], rows: pd.DataFrame) -> tuple[str, ...]:
    """Every level with replication has its effect."""
    two = len(outcomes) == 2
    level = "0 + outcome" if two else "1"
    change = " + ".join(["0", *(f"change_{o}" for o in outcomes)])
    unit = "person" if data.cluster == "person" else "firm:person"
    terms = [f"({level} | firm)"] if data.question.firm else []
    if data.kind == "within":
        terms.append(f"({change} | {unit})")
    elif data.question.firm and _varies(rows, "firm"):
        terms.append(f"({change} | firm)")
    if data.repeated:
        terms.append(f"({level} | {unit})")
    return tuple(terms)


def _varies(rows: pd.DataFrame, group: str) -> bool:
    change = rows.groupby(group)["change"]
    return bool((change.max() > change.min()).any())


def _residual_correlation(rows: pd.DataFrame, outcomes: tuple[Level, ...]) -> float | None:
    """Of the two outcomes on one occasion, less means of cells and, if repeated, of persons."""
    if len(outcomes) < 2:
        return None
    cells = rows.groupby(["outcome", "arm", "post", "wave"])["y"].transform("mean")
    left = (rows["y"] - cells).rename("left")
    if rows.duplicated(["outcome", "person"]).any():
        left = left - left.groupby([rows["outcome"], rows["person"]]).transform("mean")
    wide = rows.assign(left=left).pivot_table(index="occasion", columns="outcome", values="left")
    found = wide.dropna().corr().to_numpy()
    return float(found[0, 1]) if found.shape == (2, 2) and np.isfinite(found[0, 1]) else None


# -- the cluster as the unit ---------------------------------------------------------------------


def units_decide(data: GapData) -> bool:
    """Whether clusters are too few for their robust covariance; by the design alone."""
    few = data.clusters <= FEW_CLUSTERS
    return few or (data.assigned_whole and data.fewest <= FEW_ON_A_SIDE)


def as_units(data: GapData, found: Stacked, weights: Mapping[Level, float], name: str) -> Estimate:
    """The weighted sum of effects with clusters as the units, each counted once.

    What a cluster brings is its mean under treatment (after the start) less that without (before).
    The errors are HC2 with Bell and McCaffrey's degrees of freedom: without covariates the
    standard error is Welch's, or that of the paired t where clusters have both arms; covariates of
    clusters cost what they take.
    """
    units = _units(data, found, weights)
    covariates = _independent(units)
    right = " + ".join(["1", *covariates] if "treated" not in units else ["treated", *covariates])
    made = fit(f"value ~ {right}", units.reset_index(), covariance="CR2", cluster=data.cluster)
    own = contrast(made, "treated" if "treated" in units else "Intercept")
    return Estimate(name, own.value, own.se, own.df, "SD")


def _units(data: GapData, found: Stacked, weights: Mapping[Level, float]) -> pd.DataFrame:
    """One row a cluster: its value, its arm unless it has both, and its means of covariates."""
    rows = found.rows.assign(net=_without_waves(found))
    rows = rows.loc[(rows["arm"] != OTHER) & rows["outcome"].isin(weights)]
    values = rows[["outcome", data.cluster, "treated", "post"]].assign(
        value=rows["net"] * rows["outcome"].map(weights).astype(float)
    )
    if data.covariates:
        x = pd.get_dummies(rows[[*data.covariates]], drop_first=True, dtype=float)
        x.columns = [f"c_{i}" for i in range(x.shape[1])]
        values = pd.concat([values, x], axis=1)
    means = values.groupby(["outcome", data.cluster, "treated", "post"]).mean()
    totals = means.groupby([data.cluster, "treated", "post"]).agg(
        {c: "sum" if c == "value" else "mean" for c in means.columns}
    )
    complete = means.groupby([data.cluster, "treated", "post"]).size() == len(weights)
    totals = totals.loc[complete]
    change = _less(totals, "post") if data.did else totals.droplevel("post")
    if data.assigned_whole:
        return change.dropna().reset_index("treated")
    return _less(change, "treated").dropna()


def _less(table: pd.DataFrame, level: str) -> pd.DataFrame:
    """Rows at 1 of an index level less those at 0."""
    at = table.index.get_level_values(level)
    return table.loc[at == 1.0].droplevel(level) - table.loc[at == 0.0].droplevel(level)


def _independent(units: pd.DataFrame) -> list[str]:
    """Columns of covariates that vary over clusters and do not follow from those before."""
    kept: list[str] = []
    base = units[["treated"]] if "treated" in units else units[[]]
    for name in (c for c in units.columns if c.startswith("c_")):
        x = np.column_stack([np.ones(len(units)), base, units[[*kept, name]]])
        if np.linalg.matrix_rank(x) == x.shape[1]:
            kept.append(name)
    return kept


def _without_waves(found: Stacked) -> FloatArray:
    """Outcomes less what the model says of waves, which firms need not all have."""
    waves = [i for i, n in enumerate(found.robust.names) if "wave[" in n]
    design = found.robust.memory.design
    fitted = design.X[:, waves] @ found.robust.estimates[waves]
    return np.asarray(found.rows["y"].to_numpy(float) - fitted)


def of(found: Stacked, expression: str, *, robust: bool, name: str) -> Estimate:
    """A combination of effects, in baseline SDs."""
    own = contrast(found.robust if robust else found.model, expression)
    return Estimate(name, own.value, own.se, own.df, "SD")
