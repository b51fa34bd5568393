"""What could make a metric look dead that is not."""

from __future__ import annotations

import numpy as np

from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.calibration.evidence import MANY_AT_AN_END
from alc_stats.models.finding import Evidence, Outcome, rows_left_out
from alc_stats.models.proxy.decay import AT_LEAST, Decay
from alc_stats.records import Number, Phrase

FEWEST_SHARED = 0.2
"""Smallest share of a cell's rows within the use that all cells have."""
GOOD_ENOUGH = 0.7
"""Reliability that is held to be modest (Nunnally 1978): what needs less is no likely reason."""
MORE_AT_AN_END = 0.05
"""A change of the share at an end that is too small to bend a slope."""


def all_evidence(found: Decay, criterion: Criterion) -> tuple[Evidence, ...]:
    """Range, error of use, rating and its ends, other tasks, few firms, rows left out."""
    return (
        _range(found),
        _error_of_use(found),
        _rating(found),
        _ends(found),
        _other_tasks(found, criterion),
        *_invariance(found),
        _few(found, criterion),
        rows_left_out(found.data.left_out, found.data.rows),
    )


def _range(found: Decay) -> Evidence:
    shared = {"shared": Number(found.data.shared, "share")}
    if found.data.shared < FEWEST_SHARED or not found.knows("held loss"):
        return Evidence("range of use", "threat", Phrase(_NO_COMMON_USE, shared))
    numbers = {
        "use_change": Number(found.of("change of mean", "SD").value, unit="SD"),
        "spread_change": Number(found.of("change of log sd", "log SD").value, unit="log SD"),
        "common_loss": Number(found.loss("common").value, "ratio"),
        "held_loss": Number(found.loss("held").value, "ratio"),
    }
    tales = {found.tale("common"), found.tale("held")}
    outcome = "clear" if found.kept_range() else next(o for o in _WORST_FIRST if o in tales)
    told = _COMMON_USE + _END[outcome].format("a curve that bends")
    return Evidence("range of use", outcome, Phrase(told, numbers))


def _error_of_use(found: Decay) -> Evidence:
    artefact = "error of measurement of use"
    if not found.knows("true loss"):
        return _narrowed(found, artefact)
    numbers = {
        "reliability_before": Number(found.of("reliability treated_before").value, "ratio"),
        "reliability_after": Number(found.of("reliability treated_after").value, "ratio"),
        "true_loss": Number(found.loss("true").value, "ratio"),
    }
    outcome = found.tale("true")
    told = _RELIABLE + _END[outcome].format("error of use")
    return Evidence(artefact, outcome, Phrase(told, numbers))


def _narrowed(found: Decay, artefact: str) -> Evidence:
    """Without halves: whether the same error on a narrower range would do, and how little of it.

    With the variance of logged use at v of what would have been left, error that was 1 - r of it
    leaves (r - 1 + v) / (r v) of a slope: solved for r.
    """
    question = found.data.question
    narrower = 1.0 / np.exp(2.0 * found.of("change of log sd").value)
    left = 1.0 - found.loss().value
    enough = float((narrower - 1.0) / (narrower - left)) if narrower > 1.0 > left else 0.0
    if enough < GOOD_ENOUGH or question.indicators or not found.shows_loss():
        why = _NOTHING_SHARED if question.halves else _NO_HALVES
        return Evidence(artefact, "not tested", Phrase(why))
    numbers = {"enough": Number(enough, "ratio")}
    return Evidence(artefact, "threat", Phrase(_NARROWED, numbers))


def _rating(found: Decay) -> Evidence:
    artefact = "rating"
    if not found.knows("second loss"):
        return Evidence(artefact, "not tested", Phrase(_ONE_RATING))
    numbers = {
        "agreement_before": Number(found.of("agreement treated_before").value, unit="r"),
        "agreement_after": Number(found.of("agreement treated_after").value, unit="r"),
        "second_loss": Number(found.loss("second").value, "ratio"),
    }
    outcome = found.tale("second")
    told = _RATED_AGAIN + _END[outcome].format("what was rated otherwise")
    return Evidence(artefact, outcome, Phrase(told, numbers))


def _ends(found: Decay) -> Evidence:
    after, change = found.of("ends treated_after", "share"), found.of("change of ends", "share")
    _, high = change.interval(found.level)
    threat = after.value >= MANY_AT_AN_END and high > MORE_AT_AN_END
    numbers = {
        "at_an_end": Number(after.value, "share"),
        "end_change": Number(change.value, "share"),
    }
    told = _AT_AN_END + (": a ceiling flattens every slope." if threat else ".")
    return Evidence("ends of the rating", "threat" if threat else "clear", Phrase(told, numbers))


def _other_tasks(found: Decay, criterion: Criterion) -> Evidence:
    """Tasks that do not count for the quota, where a mandate has nothing to kill."""
    artefact = "tasks that do not count"
    if found.data.question.control_tasks is None:
        return Evidence(artefact, "not tested", Phrase(_NO_OTHER_TASKS))
    if not found.knows("control loss") or found.lost("control"):
        return Evidence(artefact, "not tested", Phrase(_NOTHING_TO_LOSE))
    loss = found.loss("control")
    numbers = {"control_loss": Number(loss.value, "ratio")}
    rule = Criterion("superiority", AT_LEAST, alpha=found.alpha)
    if decide(loss, rule).verdict == "supported":
        return Evidence(artefact, "threat", Phrase(_LOST_ELSEWHERE, numbers))
    _, high = loss.interval(1.0 - 2.0 * found.alpha)
    if high < criterion.smallest_effect:
        return Evidence(artefact, "clear", Phrase(_KEPT_ELSEWHERE, numbers))
    return Evidence(artefact, "not tested", Phrase(_TOO_FEW, numbers))


def _invariance(found: Decay) -> tuple[Evidence, ...]:
    if found.data.question.indicators:
        return ()
    return (Evidence("indicator invariance", "not tested", Phrase(_NO_INDICATORS)),)


def _few(found: Decay, criterion: Criterion) -> Evidence:
    shown = decide(found.loss(), criterion).verdict in ("supported", "contradicted")
    few = found.fewest <= FEW_TREATED and shown
    numbers = {"fewest_firms": Number(found.fewest, "count")}
    told = Phrase("{fewest_firms} firms on the smaller side.", numbers)
    return Evidence("few firms", "threat" if few else "clear", told)


_WORST_FIRST: tuple[Outcome, ...] = ("threat", "not tested", "clear")
_END: dict[Outcome, str] = {
    "clear": ".",
    "threat": ": {} is not ruled out.",
    "not tested": ": too uncertain to tell {} from a loss.",
}
_NO_COMMON_USE = (
    "Only {shared} of some cell's rows lie in the use that all four have: slopes are those of "
    "different stretches of one curve as well."
)
_COMMON_USE = (
    "Mean log use changed by {use_change} SD, its spread by {spread_change} log SD. In the use "
    "that all cells have the loss is {common_loss}, and at the same use of one curve {held_loss}"
)
_NO_HALVES = (
    "Error in logged use that grows under the mandate would look like a loss: the two halves of a "
    "period (`halves`) would tell."
)
_NARROWED = (
    "The range of use narrowed so far that the same error as before would make this loss alone, "
    "had logged use a reliability of {enough} or less: give the two halves of a period (`halves`) "
    "or other `indicators`."
)
_NOTHING_SHARED = "The halves of use share nothing that could tell error from use."
_RELIABLE = (
    "Logged use has a reliability of {reliability_before} among the treated before and "
    "{reliability_after} after; of slopes on what both halves share the loss is {true_loss}"
)
_ONE_RATING = (
    "Raters who rate otherwise than before would move slopes: a second one (`second_rating`) would "
    "tell. Their error as such does not."
)
_RATED_AGAIN = (
    "Both ratings agree by {agreement_before} among the treated before and by {agreement_after} "
    "after; of slopes of the second the loss is {second_loss}"
)
_AT_AN_END = (
    "{at_an_end} of ratings of the treated after are at an end of the scale, a change of "
    "{end_change}"
)
_NO_OTHER_TASKS = "In tasks that do not count for a quota (`control_tasks`) no slope should fall."
_NOTHING_TO_LOSE = "Use is worth nothing in tasks that do not count: nothing can be lost there."
_LOST_ELSEWHERE = (
    "The slope fell by {control_loss} where no quota counts as well: something else changed."
)
_KEPT_ELSEWHERE = "Where no quota counts the loss is {control_loss}."
_TOO_FEW = "Tasks that do not count are too few to tell (loss {control_loss})."
_NO_INDICATORS = (
    "Whether use still measures what others measure needs two of them or more (`indicators`)."
)
