"""Whether a verdict on a spread may stand: one piece of evidence a demand."""

from __future__ import annotations

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, decide
from alc_stats.models.finding import Evidence, Outcome, joined
from alc_stats.models.widening import artefacts
from alc_stats.models.widening.artefacts import SHARE_AT_BOUND, SHARE_EXPLAINED
from alc_stats.models.widening.comparison import Comparison
from alc_stats.models.widening.sources import reliability_effect
from alc_stats.records import Number, Phrase

LOG_SD = "log SD"
_AT_BOUND = 0.5
"""A bound that stops scores has at least this share of the values near it exactly on it; with
less, scores are drawn together before it, which no model of censoring can undo."""
_STAYED = 0.95
"""From this share of rows on, people who came or left cannot have made most of a difference."""
_SHOWN = ("supported", "contradicted", "equivalent")


def all_evidence(
    found: Comparison, estimate: Estimate, criterion: Criterion
) -> tuple[Evidence, ...]:
    """Every demand on `estimate`, the one that is decided on."""
    scale = max(abs(estimate.value), criterion.smallest_effect)
    level = 1.0 - criterion.alpha
    return (
        certified(found),
        bounded(found, estimate, criterion),
        artefacts.mean_variance(found.spreads, found.values, scale=scale, level=level),
        permuted(found, estimate, criterion),
        measured(found, estimate, scale, level),
        composed(found, estimate, scale, level),
        artefacts.left_out(found.spreads),
        artefacts.unequal_sizes(found.spreads, scale),
    )


def side_of(estimate: Estimate, level: float) -> float:
    """1 or -1 where the interval lies on one side of zero; 0 where it does not."""
    low, high = estimate.interval(level)
    return 1.0 if low > 0.0 else -1.0 if high < 0.0 else 0.0


def certified(found: Comparison) -> Evidence:
    """A fit without a usable certificate supports nothing."""
    if found.model.of(found.target) is not None:
        return Evidence("certificate", "clear", _CERTIFIED)
    return Evidence(
        "certificate", "threat", joined(_UNCERTIFIED, Phrase.verbatim(found.model.failure))
    )


_CERTIFIED = Phrase("The location-scale model reached its maximum, by its certificate.")
_UNCERTIFIED = Phrase("The location-scale model has no usable certificate.")


def bounded(found: Comparison, estimate: Estimate, criterion: Criterion) -> Evidence:
    """Whether a floor or ceiling could have made the spread.

    Where scores heap at a bound, a model of the bounded outcome must reach the same verdict by
    itself; elsewhere the signs of both such models must agree with the estimate's. Scores drawn
    together before a bound are a threat.
    """
    bounds = found.data.columns.bounds
    ends = artefacts.ends_of_scale(found.values, bounds, outcome=found.data.columns.outcome)
    if bounds is None:
        return ends
    if found.bounded is None:
        return Evidence("bounds", "clear", _NO_BOUND)
    shares = _shares_only(ends.finding)
    own = found.bounded.of(found.target)
    outcome: Outcome
    if own is None:
        failed = joined(shares, _NO_BOUNDED, Phrase.verbatim(found.bounded.failure))
        return Evidence("bounds", "threat", failed)
    heaped = ends.outcome == "threat"
    if heaped and not _stopped_at_it(ends):
        outcome, template = "threat", _DRAWN_TOGETHER
    elif not _signs_agree(found, own, side_of(estimate, 1.0 - criterion.alpha)):
        outcome, template = "threat", _NO_SIGN
    elif heaped and not _same_verdict(own, estimate, criterion):
        outcome, template = "threat", _NOT_ALONE
    else:
        outcome, template = "clear", _ALONE if heaped else _SIGN
    return Evidence("bounds", outcome, joined(shares, _bounded_phrase(own, criterion, template)))


def _signs_agree(found: Comparison, own: Estimate, side: float) -> bool:
    """Whether the bounded models have the sign of an estimate that excludes zero."""
    signs = [own.value, *([found.precision] if isinstance(found.precision, float) else [])]
    return not side or all(side * sign > 0.0 for sign in signs)


def _same_verdict(own: Estimate, estimate: Estimate, criterion: Criterion) -> bool:
    verdict = decide(estimate, criterion).verdict
    return verdict in _SHOWN and decide(own, criterion).verdict == verdict


def _stopped_at_it(ends: Evidence) -> bool:
    """Whether the scores near a bound are mostly exactly on it."""
    n = {name: number.value for name, number in ends.finding.numbers.items()}
    pairs = [
        (n["floor_share"], n["near_floor_share"]),
        (n["ceiling_share"], n["near_ceiling_share"]),
    ]
    near = [(at, close) for at, close in pairs if close >= SHARE_AT_BOUND]
    return bool(near) and all(at >= _AT_BOUND * close for at, close in near)


def _shares_only(phrase: Phrase) -> Phrase:
    """The shares without the sentence that asks for a model, which is there now."""
    return Phrase(phrase.template.split(" Scores at an end")[0], phrase.numbers)


def _bounded_phrase(own: Estimate, criterion: Criterion, template: str) -> Phrase:
    low, high = own.interval(1.0 - criterion.alpha)
    parts = {"bounded_log_sd": own.value, "bounded_low": low, "bounded_high": high}
    return Phrase(template, {k: Number(v, "estimate", LOG_SD) for k, v in parts.items()})


_NO_BOUND = Phrase("The outcome is declared to have no bounds.")
_NO_BOUNDED = Phrase("No model of the bounded outcome could be fitted:")
_OF_BOUNDED = (
    "With values at the bounds taken as censored, the difference is {bounded_log_sd} log SD "
    "({bounded_low} to {bounded_high})"
)
_ALONE = _OF_BOUNDED + ", which reaches the same verdict by itself."
_NOT_ALONE = _OF_BOUNDED + ", which does not show as much by itself."
_DRAWN_TOGETHER = _OF_BOUNDED + (
    "; but scores are drawn together before a bound, which no model of censoring undoes."
)
_SIGN = _OF_BOUNDED + "."
_NO_SIGN = _OF_BOUNDED + "; in it or in the beta regression the sign does not hold."


def permuted(found: Comparison, estimate: Estimate, criterion: Criterion) -> Evidence:
    """Whether assignments that were not made would have given as large a difference."""
    p, side = found.permutation.p, side_of(estimate, 1.0 - criterion.alpha)
    holds = p < criterion.alpha and side * found.permutation.value > 0.0
    numbers = {
        "permutation_p": Number(p, "p"),
        "assignments": Number(found.permutation.assignments, "count"),
        "naive_p": Number(found.distances.naive_p, "p"),
        "distance_p": Number(found.distance_permutation.p, "p"),
    }
    exchanged = _WITHIN if found.target == "within" else f"whole {found.unit_name} between arms"
    template = _PERMUTED.replace("{exchanged}", exchanged)
    outcome: Outcome = "clear" if holds or not side else "threat"
    return Evidence(
        "permutation",
        outcome,
        Phrase(template + ("" if outcome == "clear" else _NOT_BY_IT), numbers),
    )


_WITHIN = "the arms within persons"
_PERMUTED = (
    "Exchanging {exchanged} gives p {permutation_p} ({assignments} assignments). Brown and "
    "Forsythe's test gives p {naive_p} if every value is taken as independent and {distance_p} by "
    "this exchange."
)
_NOT_BY_IT = " The interval excludes zero, but the permutation does not."


def measured(found: Comparison, estimate: Estimate, scale: float, level: float) -> Evidence:
    """Whether a change of measurement error could pass for a change of people."""
    if found.target == "between":
        return Evidence("measurement error", "clear", joined(_IN_WITHIN, _alphas(found)))
    cells = found.reliabilities
    if cells is None or isinstance(cells, str):
        return Evidence(
            "measurement error", "threat", joined(_NO_ITEMS, Phrase.verbatim(cells or ""))
        )
    effect, se = reliability_effect(cells, did=found.data.did)
    side = side_of(estimate, level)
    left = estimate.value - effect
    # a sample of people who differ more has the larger SD and the larger alpha: errors add up
    total = Estimate("corrected", left, estimate.se + se, estimate.df, LOG_SD)
    small = abs(effect) < SHARE_EXPLAINED * scale
    kept = side_of(total, level) == side and side * left >= SHARE_EXPLAINED * abs(estimate.value)
    numbers = {
        "reliability_log_sd": Number(effect, "estimate", LOG_SD),
        "corrected_log_sd": Number(left, "estimate", LOG_SD),
    }
    outcome: Outcome = "clear" if (kept if side else small) else "threat"
    return Evidence(
        "measurement error", outcome, joined(Phrase(_RELIABILITY, numbers), _alphas(found))
    )


def _alphas(found: Comparison) -> Phrase:
    cells = found.reliabilities
    if cells is None or isinstance(cells, str):
        return Phrase("")
    words, numbers = [], {}
    for c in cells:
        name = f"alpha_{'treated' if c.treated else 'control'}_{'after' if c.post else 'before'}"
        numbers[name] = Number(c.alpha, "ratio")
        when = f" {'after' if c.post else 'before'}" if found.data.did else ""
        words.append(f"{'treated' if c.treated else 'control'}{when} {{{name}}}")
    return Phrase(f"Alpha of the items: {', '.join(words)}.", numbers)


_IN_WITHIN = Phrase(
    "Persons have several rows, so that error of measurement that changes from row to row is part "
    "of the spread within persons and not of that between them."
)
_NO_ITEMS = Phrase(
    "Persons have one row (a period) each, or their own spread is in question, and there are no "
    "items to tell measurement error from people: a change of reliability would look the same."
)
_RELIABILITY = (
    "The items' reliability alone would change the spread by {reliability_log_sd} log SD; "
    "without it the difference is {corrected_log_sd} log SD."
)


def composed(found: Comparison, estimate: Estimate, scale: float, level: float) -> Evidence:
    """Whether people who came or left could have made the spread."""
    if found.stayers is None:
        return Evidence("composition", "not tested", _NOBODY_FOLLOWED)
    share = {"stayer_share": Number(found.stayer_share, "share")}
    if found.stayer_share >= _STAYED:
        return Evidence("composition", "clear", Phrase(_ALL_STAYED, share))
    if isinstance(found.stayers, str):
        return Evidence("composition", "threat", Phrase.verbatim(found.stayers))
    side = side_of(estimate, level)
    kept = side_of(
        found.stayers, level
    ) == side and side * found.stayers.value >= SHARE_EXPLAINED * abs(estimate.value)
    small = abs(found.stayers.value - found.units.value) < SHARE_EXPLAINED * scale
    low, high = found.stayers.interval(level)
    numbers = share | {
        "stayer_log_sd": Number(found.stayers.value, "estimate", LOG_SD),
        "stayer_low": Number(low, "estimate", LOG_SD),
        "stayer_high": Number(high, "estimate", LOG_SD),
    }
    outcome: Outcome = "clear" if (kept if side else small) else "threat"
    template = _STAYERS + ("" if outcome == "clear" else _LEFT)
    return Evidence("composition", outcome, Phrase(template, numbers))


_NOBODY_FOLLOWED = Phrase("Persons cannot be followed, so that nobody can be told to have stayed.")
_ALL_STAYED = "{stayer_share} of the rows are of persons seen throughout."
_STAYERS = (
    "{stayer_share} of the rows are of persons seen throughout; among them the difference is "
    "{stayer_log_sd} log SD ({stayer_low} to {stayer_high})."
)
_LEFT = " Those who came or left could have made the rest."
