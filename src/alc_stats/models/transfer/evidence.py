"""Whether a verdict on transfer may stand: one piece of evidence an artefact."""

from __future__ import annotations

import math

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.finding import Evidence, joined
from alc_stats.models.transfer.answer import Answer, farther
from alc_stats.models.transfer.fits import gain_of
from alc_stats.records import Number, Phrase

FEWEST_TASKS = 5
"""A level of novelty; with fewer, the tasks are these tasks, not a sample of such tasks."""
SHARE_AT_BOUND = 0.15
"""Of persons: from here on a floor or ceiling can hide a gain (Terwee et al. 2007)."""


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
    found = answer.log_odds(farther(arm, other))
    odds = found.value if isinstance(found, Estimate) else found
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
    own = answer.over(level, arm, other)
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
    robust = answer.fixed.gain(gain_of(*answer.key))
    return robust, {"robust_gain": Number(robust.value)}


_HOW = {
    0: ".",
    1: "; least squares clustered by it (CR2) give {robust_gain} for the key gain.",
    2: "; with each as one unit the key gain is {units_alone}, and exchanging whole units gives "
    "p = {exchange_p}.",
}
_REST = Phrase("So few cannot carry a verdict unless that estimate reaches it too.")
