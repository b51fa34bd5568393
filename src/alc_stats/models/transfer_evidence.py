"""Whether a verdict on transfer may stand: one piece of evidence an artefact."""

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
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.inference.unit_contrast import (
    Permutation,
    UnitSums,
    permutation_test,
    unit_contrast,
)
from alc_stats.models.finding import Evidence, joined
from alc_stats.models.transfer_data import TransferData
from alc_stats.models.transfer_models import (
    CrossedModel,
    fixed_part,
    free_units,
    model_rows,
    with_terms,
)
from alc_stats.records import Number, Phrase

FEWEST_TASKS = 5
"""A level of novelty; with fewer, the tasks are these tasks, not a sample of such tasks."""
SHARE_AT_BOUND = 0.15
"""Of persons: from here on a floor or ceiling can hide a gain (Terwee et al. 2007)."""
PERMUTATIONS = 1999


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
    smallest : float
        Gain, in units of the score.
    alpha : float
    seed : int
    """

    rows: TransferData
    model: CrossedModel
    fixed: CrossedModel | str
    smallest: float
    alpha: float
    seed: int

    def has(self, *arms: str) -> bool:
        """Whether these arms are there."""
        return all(arm in (self.rows.reference, *self.rows.others) for arm in arms)

    def expression(self, level: str, arm: str, other: str) -> str:
        """The gain of an arm over another at a level, as a contrast."""
        less = "" if other == self.rows.reference else f" - {other}_{level}"
        return f"{arm}_{level}{less}"

    @property
    def key(self) -> tuple[str, str, str]:
        """The contrast on far tasks that other methods are asked for: level, arm, other arm."""
        arm = "schema" if self.has("schema") else "usage"
        others = [a for a in ("usage", "control") if self.has(a) and a != arm]
        return "far", arm, others[0]

    def far(self, arm: str) -> Estimate:
        """Gain over the reference on far tasks."""
        return self.model.gain(f"{arm}_far", name=f"gain of the {arm} arm on far tasks")

    def over(self, level: str, other: str) -> Estimate:
        """Gain of the schema arm over another at a level."""
        of = self.expression(level, "schema", other)
        return self.model.gain(of, name=f"gain of the schema arm over {other} on {level} tasks")

    def far_less_familiar(self, arm: str, other: str) -> Estimate:
        """Gain on far tasks less gain on familiar ones."""
        far, near = (self.expression(level, arm, other) for level in ("far", "familiar"))
        return self.model.gain(f"{far} - ({near})", name=f"{arm} over {other}, far less familiar")

    @functools.cached_property
    def untreated_means(self) -> dict[str, float]:
        """Mean untreated score at each level."""
        free = self.rows.rows.loc[self.rows.untreated]
        return {level: float(free.loc[free["level"] == level, "score"].mean())
                for level in self.rows.levels}  # fmt: skip

    def log_odds(self, level: str, arm: str, other: str) -> float:
        """The gain as a difference in log odds of the mean share of the scale; nan at its ends."""
        bounds = self.rows.bounds
        if bounds is None:
            return math.nan
        base = self.untreated_means[level]
        parts = [base + self._gain(a, level) for a in (arm, other)]
        high, low = ((p - bounds[0]) / (bounds[1] - bounds[0]) for p in parts)
        if not (0.0 < low < 1.0 and 0.0 < high < 1.0):
            return math.nan
        return math.log(high / (1.0 - high)) - math.log(low / (1.0 - low))

    def _gain(self, arm: str, level: str) -> float:
        if arm == self.rows.reference:
            return 0.0
        return float(self.model.fit.params[f"{arm}_{level}"])

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
        far, near = (self.expression(level, arm, other) for level in ("far", "familiar"))
        return at_equal_difficulty(self.rows, f"{far} - ({near})", self.model.groupings)


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
    inside = [(rows["post"] == c).to_numpy(float) for c in channels]
    numerators = np.column_stack([np.bincount(unit, y * i, len(names)) for i in inside])
    counts = np.column_stack([np.bincount(unit, i, len(names)) for i in inside])
    treated = rows.groupby(unit)["arm"].first().eq(arms[0]).to_numpy()
    return UnitSums(numerators, counts, np.array([1.0, -1.0][: len(channels)]), treated, log=False)


def all_evidence(answer: Answer) -> tuple[Evidence, ...]:
    """Every artefact that could have made the answer."""
    return (
        at_bounds(answer),
        scale(answer),
        difficulty(answer),
        sampled_tasks(answer),
        coded_before(answer),
        practised(answer),
        few_units(answer),
    )


def at_bounds(answer: Answer) -> Evidence:
    """Whether far tasks are so hard, or so easy, that a gain had nowhere to show."""
    bounds, rows = answer.rows.bounds, answer.rows.rows
    if bounds is None:
        return Evidence("floor and ceiling", "not tested", _NO_BOUNDS)
    far = rows.loc[(rows["level"] == "far").to_numpy() & answer.rows.untreated]
    means = far.groupby("person")["score"].mean()
    shares = {
        "floor": float((means == bounds[0]).mean()),
        "top": float((means == bounds[1]).mean()),
    }
    numbers = {name: Number(share, "share") for name, share in shares.items()}
    if max(shares.values()) >= SHARE_AT_BOUND:
        return Evidence("floor and ceiling", "threat", Phrase(_AT_ENDS + _SQUEEZED, numbers))
    return Evidence("floor and ceiling", "clear", Phrase(_AT_ENDS, numbers))


_NO_BOUNDS = Phrase("No bounds of the score are declared.")
_AT_ENDS = (
    "Of untreated persons {floor} have the lowest score on all their far tasks, {top} the highest."
)
_SQUEEZED = " A gain has hardly any room to show."


def scale(answer: Answer) -> Evidence:
    """Whether far less familiar has the same sign on both scales (a removable interaction?)."""
    if "familiar" not in answer.rows.levels:
        return Evidence("scale", "not tested", _NO_FAMILIAR)
    if answer.rows.bounds is None:
        return Evidence("scale", "not tested", _NO_BOUNDS)
    _, arm, other = answer.key
    raw = answer.far_less_familiar(arm, other)
    odds = answer.log_odds("far", arm, other) - answer.log_odds("familiar", arm, other)
    numbers = {"on_scores": Number(raw.value), "on_log_odds": Number(odds, unit="log odds")}
    low, high = raw.interval(1.0 - answer.alpha)
    if not (low > 0.0 or high < 0.0):
        return Evidence("scale", "clear", Phrase(_BOTH + ", and no sign is claimed.", numbers))
    if math.isfinite(odds) and odds * raw.value > 0.0:
        return Evidence("scale", "clear", Phrase(_BOTH + ": the same sign.", numbers))
    return Evidence("scale", "threat", Phrase(_BOTH + _REMOVABLE, numbers))


_NO_FAMILIAR = Phrase("There are no familiar tasks to set far ones against.")
_BOTH = "Far less familiar is {on_scores} on the scale of scores and {on_log_odds} in log odds"
_REMOVABLE = ": an interaction that another scale removes."


def difficulty(answer: Answer) -> Evidence:
    """Whether far only means hard."""
    if "familiar" not in answer.rows.levels:
        return Evidence("difficulty", "not tested", _NO_FAMILIAR)
    _, arm, other = answer.key
    raw = answer.far_less_familiar(arm, other)
    adjusted = answer.equal_difficulty
    if adjusted is None:
        return Evidence("difficulty", "not tested", _NO_TASKS)
    low, high = raw.interval(1.0 - answer.alpha)
    if isinstance(adjusted, str):
        return Evidence("difficulty", "threat", Phrase(adjusted))
    numbers = {"as_found": Number(raw.value), "equally_hard": Number(adjusted.value)}
    shown = low > 0.0 or high < 0.0
    held = adjusted.value * raw.value > 0.0 and abs(adjusted.value) >= 0.5 * abs(raw.value)
    if shown and not held:
        return Evidence("difficulty", "threat", Phrase(_AT_EQUAL + _ONLY_HARD, numbers))
    return Evidence("difficulty", "clear", Phrase(_AT_EQUAL + ".", numbers))


_NO_TASKS = Phrase("No column of tasks: novelty cannot be told from difficulty.")
_AT_EQUAL = (
    "Far less familiar is {as_found}, and {equally_hard} between tasks that untreated persons find "
    "equally hard"
)
_ONLY_HARD = ": far tasks may only be hard ones"
_NO_OVERLAP = (
    "Every far task is harder (or easier) for untreated persons than every familiar one: novelty "
    "cannot be told from difficulty."
)


def at_equal_difficulty(data: TransferData, contrast: str, kept: Sequence[str]) -> Estimate | str:
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
        return model.gain(contrast, name="far less familiar, equally hard")
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
    return CrossedModel(found, tuple(kept), most=free_units(data))


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


def sampled_tasks(answer: Answer) -> Evidence:
    """Whether the tasks are a sample that says something about other tasks."""
    rows = answer.rows
    if rows.question.task is None:
        return Evidence("tasks as fixed", "not tested", _THESE_TESTS)
    needed = [level for level in ("familiar", "far") if level in rows.levels]
    counts = {level: rows.tasks(level) for level in needed}
    numbers = {f"{level}_tasks": Number(n, "count") for level, n in counts.items()}
    said = " and ".join(f"{{{level}_tasks}} {level}" for level in needed)
    if min(counts.values()) < FEWEST_TASKS:
        few = Number(FEWEST_TASKS, "count")
        phrase = Phrase(f"There are {said} tasks; {_FEW_TASKS}", numbers | {"fewest": few})
        return Evidence("tasks as fixed", "threat", phrase)
    return Evidence(
        "tasks as fixed", "clear", Phrase(f"{said} tasks have effects. ".capitalize(), numbers)
    )


_THESE_TESTS = Phrase("No column of tasks: the verdict is about these very tests.")
_FEW_TASKS = "fewer than {fewest} of a kind say little about others like them."


def coded_before(answer: Answer) -> Evidence:
    """Whether novelty was fixed before outcomes; what was not is refused before."""
    if answer.rows.question.novelty is None:
        return Evidence("novelty coded after", "not tested", Phrase("No column of novelty."))
    if answer.rows.question.coded is None:
        return Evidence("novelty coded after", "not tested", _NO_DATES)
    return Evidence("novelty coded after", "clear", _CODED_BEFORE)


_NO_DATES = Phrase("No column says when novelty was coded.")
_CODED_BEFORE = Phrase("Every task was coded before it was scored.")


def practised(answer: Answer) -> Evidence:
    """Whether far tasks were practised, so that the test was taught."""
    rows = answer.rows.rows
    if answer.rows.question.practised is None:
        return Evidence("teaching to the test", "not tested", _NOT_KNOWN)
    far = rows.loc[(rows["level"] == "far") & (rows["post"] == 1)]
    share = float((far["practised"] > 0).mean())
    phrase = Phrase("{met} of far answers are to tasks that had been practised.",
                    {"met": Number(share, "share")})  # fmt: skip
    return Evidence("teaching to the test", "threat" if share > 0.0 else "clear", phrase)


_NOT_KNOWN = Phrase("No column says which tasks were practised under a programme.")


def few_units(answer: Answer) -> Evidence:
    """With few units in an arm, the estimate that takes each as one must agree."""
    level, arm, other = answer.key
    counts = answer.rows.rows.groupby("arm")["unit"].nunique()
    fewest = int(min(counts[arm], counts[other]))
    alone, exchange = _by_design(answer)
    numbers = {"fewest_units": Number(fewest, "count"), **exchange}
    said = Phrase("The smaller arm has {fewest_units} of what was assigned" + _HOW[len(exchange)],
                  numbers)  # fmt: skip
    if fewest > FEW_TREATED:
        return Evidence("few clusters", "clear", said)
    own = answer.model.gain(answer.expression(level, arm, other), name="")
    rule = Criterion("superiority", answer.smallest, alpha=answer.alpha)
    verdict = decide(own, rule).verdict
    agrees = alone is not None and decide(alone, rule).verdict == verdict
    if agrees and verdict != "equivalent" and "exchange_p" in exchange:
        agrees = exchange["exchange_p"].value < answer.alpha
    return Evidence("few clusters", "clear" if agrees else "threat", joined(said, _REST))


def _by_design(answer: Answer) -> tuple[Estimate | None, dict[str, Number]]:
    """The key gain by an estimate that trusts no model of the units."""
    if answer.by_units is not None:
        alone, exchanged = answer.by_units
        return alone, {
            "units_alone": Number(alone.value),
            "exchange_p": Number(exchanged.p, "p"),
        }
    if isinstance(answer.fixed, str):
        return None, {}
    robust = answer.fixed.gain(answer.expression(*answer.key), name="")
    return robust, {"robust_gain": Number(robust.value)}


_HOW = {
    0: ".",
    1: "; least squares clustered by it (CR2) give {robust_gain} for the key gain.",
    2: "; with each as one unit the key gain is {units_alone}, and exchanging whole units gives "
    "p = {exchange_p}.",
}
_REST = Phrase("So few cannot carry a verdict unless that estimate reaches it too.")
