"""The crossed model behind a question of transfer, and what it says of every arm and level.

Fixed part: a mean for each level of novelty (and occasion, and with a time before each arm's own
level), and one coefficient for the gain of each arm at each level, so that every question is a
contrast. Random part: an intercept for every grouping whose cells are replicated. A cell such as
task by arm is the by-task slope of the arm, in a form that does not depend on how arms are coded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators import Estimate, Fit, fit
from alc_stats.inference import contrast
from alc_stats.models.transfer.data import TransferData

REPLICATED = 1.2
"""Rows a cell, on average, from which a random effect of the cell can be told from the rows."""
_GROUPINGS = (
    ("unit", ("person",)), ("firm", ("firm",)), ("task", ("task",)),
    ("firm", ("firm", "level")), ("unit", ("person", "level")),
    ("task", ("task", "arm")), ("firm", ("firm", "task")),
    ("firm", ("firm", "post")), ("unit", ("person", "post")),
    ("firm", ("firm", "level", "post")), ("unit", ("person", "level", "post")),
    ("task", ("task", "arm", "post")),
)  # fmt: skip
"""In the order in which they are tried. What a person keeps from time to time (a good day, an old
acquaintance with a task) has none: left in the residual it makes contrasts less sure, not more."""


Gain = Mapping[tuple[str, str], float]
"""Weights of the cells of arm and level."""


def gain_of(level: str, arm: str, other: str) -> Gain:
    """The gain of an arm over another at a level."""
    return {(arm, level): 1.0, (other, level): -1.0}


def less(gain: Gain, other: Gain) -> Gain:
    """A gain less another."""
    return {cell: gain.get(cell, 0.0) - other.get(cell, 0.0) for cell in {**gain, **other}}


@dataclass(frozen=True, slots=True, eq=False)
class CrossedModel:
    """A fit and the groupings it has.

    Attributes
    ----------
    fit : Fit
    groupings : tuple of str
    dropped : tuple of str
        Groupings that are replicated and show no variation, or that the data cannot tell.
    most : float
        Degrees of freedom that the design leaves, which no gain has more of: with a variance
        between few classes estimated as zero, persons would count as if assigned one by one.
    """

    fit: Fit
    groupings: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    most: float = math.inf

    def gain(self, of: Gain, *, name: str = "") -> Estimate:
        """A gain, or a combination of gains; that of the reference arm is zero."""
        known = {f"{arm}_{level}": weight for (arm, level), weight in of.items()}
        terms = [f"{weight} * {name}" for name, weight in known.items() if name in self.fit.names]
        e = contrast(self.fit, " + ".join(terms))
        return Estimate(name, e.value, e.se, min(e.df, self.most))


def gain_columns(data: TransferData) -> list[str]:
    """Names of the gains, arm by arm and level by level."""
    return [f"{arm}_{level}" for arm in data.others for level in data.levels]


def model_rows(data: TransferData) -> pd.DataFrame:
    """The rows with the columns of the fixed part."""
    rows = data.rows.copy()
    rows["occasion"] = rows["level"] + " " + rows["wave"].astype(str)
    rows["seat"] = rows["occasion"] + " " + rows["task"].astype(str)
    for arm in data.others:
        for level in data.levels:
            here = ((rows["arm"] == arm) & (rows["level"] == level)).astype(float)
            rows[f"{arm}_{level}"] = here * rows["post"]
            rows[f"start_{arm}_{level}"] = here
    return rows


def fixed_part(
    data: TransferData, *, means: str = "occasion", covariates: Sequence[str] | None = None
) -> str:
    """The formula's right-hand side without random terms."""
    gains = gain_columns(data)
    starts = [f"start_{g}" for g in gains] if data.did else []
    covariates = data.covariates if covariates is None else covariates
    many = data.rows[["level", "wave"]].drop_duplicates().shape[0] > 1 or means == "seat"
    mean = f"0 + C({means})" if many else "1"
    return " + ".join([mean, *starts, *gains, *covariates])


def groupings(data: TransferData) -> list[str]:
    """Groupings whose cells are replicated and that the fixed part does not already hold."""
    there = {
        "unit": True,
        "firm": data.question.firm is not None,
        "task": data.question.task is not None and all(data.tasks(k) > 1 for k in data.levels),
    }
    rows, kept, seen = data.rows, [], set()
    for needs, columns in _GROUPINGS:
        if not there[needs] or ("task" in columns and not there["task"]):
            continue
        cell = rows.groupby(list(columns), observed=True, sort=False).ngroup().to_numpy()
        count = int(cell.max()) + 1
        partition = cell.tobytes()
        if count > 1 and len(rows) >= REPLICATED * count and partition not in seen:
            seen.add(partition)
            kept.append(":".join(columns))
    return kept


def crossed_model(data: TransferData) -> CrossedModel:
    """One grouping after another, as long as it shows variation.

    Raises
    ------
    FitError
        If no such model can be fitted.
    """
    rows, fixed = model_rows(data), f"score ~ {fixed_part(data)}"
    kept: list[str] = []
    dropped: list[str] = []
    found = fit(fixed, rows)
    for grouping in groupings(data):
        more = None
        if grouping in _ALWAYS or _promising(found, rows, grouping):
            more = _usable(with_terms(fixed, [*kept, grouping]), rows)
        if more is None or (_sd(more, grouping) == 0.0 and grouping not in _ALWAYS):
            dropped.append(grouping)
        else:
            found, kept = more, [*kept, grouping]
    if not found.certificate.usable:
        raise FitError("no model of the scores has a usable certificate")
    return CrossedModel(found, tuple(kept), tuple(dropped), free_of_design(data))


_ALWAYS = ("person", "firm", "task", "task:arm")
"""Kept also where they show no variation: what the design samples."""


def _promising(found: Fit, rows: pd.DataFrame, grouping: str) -> bool:
    """Whether the score of the grouping's variance at zero is positive.

    With residuals e = V^-1 (y - X b) in units of the error variance, the score compares the sum of
    squared cell sums with its expectation, which is about the sum of squares.
    """
    e = rows["score"] - found.predict()
    cell = rows.groupby(grouping.split(":"), observed=True, sort=False).ngroup()
    return float((e.groupby(cell).sum() ** 2).sum()) > float((e**2).sum())


def with_terms(fixed: str, kept: Sequence[str]) -> str:
    """The formula with a random intercept for every grouping."""
    return fixed + "".join(f" + (1 | {g})" for g in kept)


def without_tasks(data: TransferData, model: CrossedModel) -> CrossedModel:
    """The same model with tasks taken as if they were all there are (Clark 1973)."""
    kept = [g for g in model.groupings if "task" not in g.split(":")]
    found = fit(with_terms(f"score ~ {fixed_part(data)}", kept), model_rows(data))
    return CrossedModel(found, tuple(kept), most=model.most)


def _usable(formula: str, rows: pd.DataFrame) -> Fit | None:
    try:
        found = fit(formula, rows)
    except FitError:
        return None
    return found if found.certificate.usable else None


def _sd(found: Fit, grouping: str) -> float:
    return next(c.sd for c in found.random if c.group == grouping)


def free_of_design(data: TransferData) -> float:
    """Degrees of freedom that the design leaves for gains, whatever variances were estimated.

    Of what was assigned, units less arms; of tasks by arm, the interaction's in the balanced
    analysis of variance.
    """
    arms = 1 + len(data.others)
    units = float(data.rows["unit"].nunique() - arms)
    if "task:arm" not in groupings(data):
        return units
    tasks = sum(data.tasks(level) - 1 for level in data.levels)
    return min(units, float(tasks * (arms - 1)))


def tasks_fixed(data: TransferData) -> CrossedModel | str:
    """Least squares with a mean for each task and occasion, clustered by what was assigned.

    Covariates that are constant for a task go with its mean. The reason where it cannot be fitted.
    """
    rows = model_rows(data)
    means = "seat" if data.question.task else "occasion"
    vary = [c for c in data.covariates
            if rows[[means, c]].drop_duplicates()[means].duplicated().any()]  # fmt: skip
    formula = f"score ~ {fixed_part(data, means=means, covariates=vary)}"
    try:
        return CrossedModel(fit(formula, rows, covariance="CR2", cluster="unit"), ())
    except FitError as error:
        return str(error)


def untreated_sd(data: TransferData) -> float:
    """SD of untreated scores on far tasks about the mean of their task and occasion."""
    rows = data.rows.loc[data.untreated & (data.rows["level"] == "far").to_numpy()]
    cell = rows.groupby(["task", "wave"], observed=True)["score"]
    within = rows["score"] - cell.transform("mean")
    return float(np.sqrt((within**2).sum() / (len(rows) - cell.ngroups)))
