"""Awareness and capability in one model, so that the difference of effects has an error of its own.

Rows are stacked, one an outcome. Each outcome has fixed effects and a residual SD of its own;
persons and firms have a level in each, which go together as they do (an unstructured covariance);
a firm responds to treatment with a size of its own in each. The residuals of the two outcomes on
one occasion go together through one more effect of the occasion, which has the same sign in both
or, where they go against one another, opposite signs: with two residual SDs that is every
covariance matrix of two residuals whose covariance is below the smaller variance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import require_usable
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.unit_contrast import UnitSums, unit_contrast
from alc_stats.models.gap_data import GapData, Level
from alc_stats.records import FloatArray

_OCCASION = "(0 + joint | occasion)"
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
        With a residual SD of its own for each outcome; Satterthwaite's degrees of freedom.
    robust : Fit
        The same, CR2 clustered by what `GapData.cluster` names.
    correlation : float or None
        Of the residuals of two outcomes on one occasion.
    without : tuple of str
        Random terms that these data cannot tell and the model does without.
    """

    rows: pd.DataFrame
    model: Fit
    robust: Fit
    correlation: float | None = None
    without: tuple[str, ...] = ()


def stacked(data: GapData, outcomes: tuple[Level, ...]) -> Stacked:
    """Fit the outcomes jointly, by REML.

    The fullest random part whose search reaches an optimum is taken: without that of occasions,
    then without firms' own responses. The robust covariance holds for each of them.

    Raises
    ------
    FitError
        As `alc_stats.estimators.fit`, or if no random part has a usable certificate.
    """
    rows = long_rows(data, outcomes)
    correlation = None
    if len(outcomes) == 2:
        correlation = _residual_correlation(rows)
        side = np.where((rows["outcome"] == outcomes[1]) & (correlation < 0.0), -1.0, 1.0)
        rows = rows.assign(joint=side)
    terms = _random(data, outcomes, rows)
    fixed = f"y ~ {_fixed(data, outcomes)}"
    for without in _simpler(terms):
        formula = " + ".join([fixed, *(t for t in terms if t not in without)])
        model, robust = _both(formula, data, outcomes, rows)
        if model.certificate.usable and robust.certificate.usable:
            break
    require_usable(model)
    require_usable(robust)
    return Stacked(rows, model, robust, correlation, without)


def _both(
    formula: str, data: GapData, outcomes: tuple[Level, ...], rows: pd.DataFrame
) -> tuple[Fit, Fit]:
    """The model, and its twin with a robust covariance."""
    asked: dict[str, Any] = {"covariance": "CR2", "cluster": data.cluster}
    if len(outcomes) == 1:
        return fit(formula, rows), fit(formula, rows, **asked)
    model = fit(formula, rows, scale="~ outcome")
    # the same model: at these weights the residual SD of each outcome is its own
    ratio = model.params[f"log_sd.outcome[T.{outcomes[1]}]"]
    weight = np.where(rows["outcome"] == outcomes[1], np.exp(-2.0 * ratio), 1.0)
    return model, fit(formula, rows.assign(weight=weight), weights="weight", **asked)


def _simpler(terms: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Ever more terms to do without."""
    yield ()
    occasion = tuple(t for t in terms if t == _OCCASION)
    response = tuple(t for t in terms if t.startswith("(0 + change"))
    if occasion:
        yield occasion
    if response and len(terms) > len(occasion) + len(response):
        yield (*occasion, *response)


def long_rows(data: GapData, outcomes: tuple[Level, ...]) -> pd.DataFrame:
    """One row an outcome and occasion that has it, with columns of effects for each outcome."""
    shared = ["treated", "post", "person", "firm", "wave", "effect", "change", *data.covariates]
    wide = data.rows.assign(occasion=np.arange(len(data.rows)))
    parts = [
        wide[[*shared, "occasion"]].assign(outcome=o, y=wide[o]).loc[wide[o].notna()]
        for o in outcomes
    ]
    rows = pd.concat(parts, ignore_index=True)
    for o in outcomes:
        here = (rows["outcome"] == o).astype(float)
        rows[f"effect_{o}"] = here * rows["effect"]
        rows[f"change_{o}"] = here * rows["change"]
    return rows


def effect_names(outcomes: tuple[Level, ...]) -> tuple[str, ...]:
    """The coefficients that are the effects of treatment."""
    return tuple(f"effect_{o}" for o in outcomes)


def _fixed(data: GapData, outcomes: tuple[Level, ...]) -> str:
    terms = ["treated"] if data.did else []
    terms += ["wave"] if data.rows["wave"].nunique() > 1 else []
    terms += [c for c in data.covariates if data.rows[c].nunique() > 1]
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
    return (*terms, _OCCASION) if two else tuple(terms)


def _varies(rows: pd.DataFrame, group: str) -> bool:
    return bool((rows.groupby(group)["change"].nunique() > 1).any())


def _residual_correlation(rows: pd.DataFrame) -> float:
    """Of the two outcomes on one occasion, less means of cells and, if repeated, of persons."""
    cells = rows.groupby(["outcome", "treated", "post", "wave"])["y"].transform("mean")
    left = (rows["y"] - cells).rename("left")
    repeated = rows.groupby("outcome")["person"].transform(lambda p: p.duplicated().any()).all()
    if repeated:
        left = left - left.groupby([rows["outcome"], rows["person"]]).transform("mean")
    wide = rows.assign(left=left).pivot_table(index="occasion", columns="outcome", values="left")
    found = wide.dropna().corr().to_numpy()
    return float(found[0, 1]) if found.shape == (2, 2) and np.isfinite(found[0, 1]) else 0.0


# -- the cluster as the unit ---------------------------------------------------------------------


def units_decide(data: GapData) -> bool:
    """Whether clusters are too few for their robust covariance; by the design alone."""
    few = data.clusters <= FEW_CLUSTERS
    return few or (data.assigned_whole and data.fewest <= FEW_ON_A_SIDE)


def as_units(data: GapData, found: Stacked, weights: dict[Level, float], name: str) -> Estimate:
    """The weighted sum of effects with clusters as the units: Welch's t, or the paired t.

    What a cluster brings is its mean under treatment (after the start) less that without (before),
    of outcomes less the effects of waves and covariates. Every cluster counts once.
    """
    sums = _unit_sums(data, found, weights)
    return unit_contrast(sums, name=name, unit="SD")


def _unit_sums(data: GapData, found: Stacked, weights: dict[Level, float]) -> UnitSums:
    rows = found.rows.assign(net=_net(found))
    keys = ["outcome", data.cluster, "treated", "post"]
    means = rows.groupby(keys)["net"].mean().unstack("post")
    after = 1.0 if data.did else 0.0
    change = means[after] - (means[0.0] if data.did else 0.0)
    by_outcome = change.unstack("outcome")[list(weights)].dropna()
    total = (by_outcome * pd.Series(weights)).sum(axis=1)
    if data.assigned_whole:
        own = total.reset_index(name="value")
        arm = own["treated"].to_numpy(float) == 1.0
        return _means(own["value"].to_numpy(float)[:, None], arm, paired=False)
    both = total.unstack("treated").dropna()
    values = both[[0.0, 1.0]].to_numpy(float)[:, :, None]
    return _means(values, np.ones(len(both), bool), paired=True)


def _means(values: FloatArray, treated: np.ndarray, *, paired: bool) -> UnitSums:
    return UnitSums(values, np.ones_like(values), np.ones(1), treated, log=False, paired=paired)


def _net(found: Stacked) -> FloatArray:
    """Outcomes less what the model says of waves and covariates."""
    design = found.robust.memory.design
    other = [
        i for i, n in enumerate(found.robust.names)
        if not (n.startswith("effect_") or n in ("Intercept", "treated") or n.endswith("]:treated"))
        and (":" in n or not n.startswith("outcome["))
    ]  # fmt: skip
    fitted = design.X[:, other] @ found.robust.estimates[other]
    return np.asarray(found.rows["y"].to_numpy(float) - fitted)


def of(found: Stacked, expression: str, *, robust: bool, name: str) -> Estimate:
    """A combination of effects, in baseline SDs."""
    own = contrast(found.robust if robust else found.model, expression)
    return Estimate(name, own.value, own.se, own.df, "SD")
