"""What is measured once for a verdict on transfer, and put in several ways."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.estimators import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.unit_contrast import (
    Permutation,
    UnitSums,
    permutation_test,
    unit_contrast,
)
from alc_stats.models.transfer.data import TransferData
from alc_stats.models.transfer.fits import (
    CrossedModel,
    Gain,
    fixed_part,
    free_of_design,
    gain_of,
    less,
    model_rows,
    with_terms,
)
from alc_stats.models.transfer.logistic import LogisticModel

PERMUTATIONS = 1999


def farther(arm: str, other: str) -> Gain:
    """The gain on far tasks less the gain on familiar ones."""
    return less(gain_of("far", arm, other), gain_of("familiar", arm, other))


@dataclass(frozen=True, eq=False)
class Answer:
    """Everything that is measured once for a verdict on transfer.

    Attributes
    ----------
    rows : TransferData
    model : CrossedModel
        Persons and tasks crossed; the verdict rests on it.
    fixed : CrossedModel or str
        Tasks held, clustered by what was assigned; why not, where it cannot be fitted.
    logistic : LogisticModel, str or None
        Of right and wrong answers; why not, where it cannot be fitted; None of other scores.
    smallest : float
        Gain, in units of the score.
    alpha : float
    seed : int
    """

    rows: TransferData
    model: CrossedModel
    fixed: CrossedModel | str
    logistic: LogisticModel | str | None
    smallest: float
    alpha: float
    seed: int

    def has(self, *arms: str) -> bool:
        """Whether these arms are there."""
        return all(arm in (self.rows.reference, *self.rows.others) for arm in arms)

    @property
    def key(self) -> tuple[str, str, str]:
        """The contrast on far tasks that other methods are asked for: level, arm, other arm."""
        arm = "schema" if self.has("schema") else "usage"
        others = [a for a in ("usage", "control") if self.has(a) and a != arm]
        return "far", arm, others[0]

    def gain(self, of: Gain, *, name: str = "") -> Estimate:
        """A gain in units of the score: probabilities, where answers are right or wrong."""
        model = self.logistic if isinstance(self.logistic, LogisticModel) else self.model
        return model.gain(of, name=name)

    def over(self, level: str, arm: str, other: str) -> Estimate:
        """Gain of an arm over another at a level."""
        return self.gain(gain_of(level, arm, other), name=f"{arm} over {other}, {level} tasks")

    def far_less_familiar(self, arm: str, other: str) -> Estimate:
        """Gain on far tasks less gain on familiar ones."""
        return self.gain(farther(arm, other), name=f"{arm} over {other}, far less familiar")

    @functools.cached_property
    def untreated_means(self) -> dict[str, float]:
        """Mean untreated score at each level."""
        free = self.rows.rows.loc[self.rows.untreated]
        return {level: float(free.loc[free["level"] == level, "score"].mean())
                for level in self.rows.levels}  # fmt: skip

    def log_odds(self, of: Gain) -> Estimate | float:
        """The gain in log odds: of a logistic model, or of mean shares of the scale (no error)."""
        if isinstance(self.logistic, LogisticModel):
            return self.logistic.log_odds(of)
        return math.fsum(weight * self._mean_log_odds(*cell) for cell, weight in of.items())

    def _mean_log_odds(self, arm: str, level: str) -> float:
        """Of the mean score of an arm, had it started where untreated people are; nan at an end."""
        bounds = self.rows.bounds
        if bounds is None:
            return math.nan
        own = 0.0 if arm == self.rows.reference else self.model.fit.params[f"{arm}_{level}"]
        share = (self.untreated_means[level] + own - bounds[0]) / (bounds[1] - bounds[0])
        return math.log(share / (1.0 - share)) if 0.0 < share < 1.0 else math.nan

    @functools.cached_property
    def by_units(self) -> tuple[Estimate, Permutation] | None:
        """The key contrast with what was assigned as the unit, and its permutation.

        None with covariates: they would have to be estimated anew for every exchange.
        """
        if self.rows.covariates:
            return None
        level, arm, other = self.key
        sums = unit_sums(self.rows, level, (arm, other))
        generator = np.random.default_rng(self.seed)
        return (
            unit_contrast(sums, name=f"{arm} over {other}, {level} tasks", unit=""),
            permutation_test(sums, generator=generator, draws=PERMUTATIONS),
        )

    @functools.cached_property
    def equal_difficulty(self) -> Estimate | str | None:
        """Far less familiar between equally hard tasks; None without tasks to tell."""
        several = all(self.rows.tasks(level) > 1 for level in self.rows.levels)
        if "familiar" not in self.rows.levels or not several:
            return None
        _, arm, other = self.key
        return at_equal_difficulty(self.rows, farther(arm, other), self.model.groupings)


def unit_sums(data: TransferData, level: str, arms: tuple[str, str]) -> UnitSums:
    """What each unit's scores at a level add up to, less all that least squares lays elsewhere.

    Elsewhere are means of tasks and occasions and, with a time before, where the arms started.
    """
    rows = model_rows(data)
    rows = rows.loc[rows["level"] == level]
    beyond = [a for a in (arms[0], data.reference, *data.others) if a != arms[1]]
    apart = [rows["arm"].eq(a).to_numpy(float) for a in dict.fromkeys(beyond)]
    on = [a * rows["post"].to_numpy(float) for a in apart]
    held = [*on, *(apart if data.did else [])]
    y, *X = (c - pd.Series(c, rows.index).groupby(rows["seat"]).transform("mean").to_numpy()
             for c in (rows["score"].to_numpy(float), *held))  # fmt: skip
    b = np.linalg.lstsq(np.column_stack(X), y, rcond=None)[0]
    y = y - np.column_stack(X) @ b + b[0] * on[0]
    pair = rows["arm"].isin(arms).to_numpy()
    rows, y = rows.loc[pair], y[pair]
    channels = [1.0, 0.0] if data.did else [1.0]
    unit, names = pd.factorize(rows["unit"])
    inside = [np.asarray(rows["post"] == c, dtype=float) for c in channels]
    sums, counts = (
        np.column_stack([np.bincount(unit, w * i, len(names)).astype(float) for i in inside])
        for w in (y, np.ones(len(y)))
    )
    treated = rows.groupby(unit)["arm"].first().eq(arms[0]).to_numpy()
    return UnitSums(sums, counts, np.array([1.0, -1.0][: len(channels)]), treated, log=False)


_NO_OVERLAP = (
    "Every far task is harder (or easier) for untreated persons than every familiar one: novelty "
    "cannot be told from difficulty."
)


def at_equal_difficulty(data: TransferData, of: Gain, kept: Sequence[str]) -> Estimate | str:
    """Far less familiar with gains let depend on how hard a task is to untreated persons.

    Difficulty is measured on the other half of the persons than the one a row belongs to: a task
    that is hard by chance for those who are compared would look as if it gained by chance.
    """
    norm = cross_norms(data)
    easy, hard = (norm[(data.rows["level"] == level).to_numpy()] for level in ("familiar", "far"))
    apart = easy.min() > hard.max() or hard.min() > easy.max()
    if apart or not norm.notna().all():
        return _NO_OVERLAP
    try:
        model = _with_norm(data, norm - norm.mean(), kept)
        return model.gain(of, name="far less familiar, equally hard")
    except AlcError as error:
        return str(error).replace("{", "(").replace("}", ")")


def _with_norm(data: TransferData, norm: pd.Series, kept: Sequence[str]) -> CrossedModel:
    """The crossed model with the task's norm, and every arm's gain depending on it."""
    rows = model_rows(data).assign(norm=norm)
    gains = []
    for arm in data.others:
        here = (rows["arm"] == arm).astype(float)
        rows[f"norm_{arm}"] = here * rows["post"] * rows["norm"]
        gains += [f"norm_{arm}"]
        if data.did:
            rows[f"start_norm_{arm}"] = here * rows["norm"]
            gains += [f"start_norm_{arm}"]
    fixed = f"score ~ {fixed_part(data)} + norm + {' + '.join(gains)}"
    found = fit(with_terms(fixed, kept), rows)
    return CrossedModel(found, tuple(kept), most=free_of_design(data))


def cross_norms(data: TransferData) -> pd.Series:
    """Mean untreated score of a row's task, among the half of the persons the row is not in."""
    rows = data.rows
    half = pd.Series(pd.factorize(rows["person"])[0] % 2, rows.index)
    norms = pd.Series(np.nan, rows.index)
    for side in (0, 1):
        free = rows.loc[data.untreated & (half != side).to_numpy()]
        norms[half == side] = rows.loc[half == side, "task"].map(
            free.groupby("task")["score"].mean()
        )
    return norms
