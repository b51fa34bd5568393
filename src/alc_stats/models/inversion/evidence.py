"""Whether a verdict on usage-quality slopes may stand: one piece of evidence an artefact."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.finding import Evidence, Outcome, joined, rows_left_out
from alc_stats.models.inversion.data import InversionData
from alc_stats.models.inversion.fits import UNIT, Fitted
from alc_stats.models.inversion.lines import Rivals
from alc_stats.models.widening.artefacts import NEAR_BOUND, SHARE_AT_BOUND, SHARE_EXPLAINED
from alc_stats.records import Number, Phrase

SUPPOSED_RELIABILITY = 0.8
"""Of deviations of usage without a mandate, where none is known: logs are seldom worse."""


def all_evidence(
    data: InversionData, found: Fitted, others: Rivals, level: float
) -> tuple[Evidence, ...]:
    """Every demand on the two slopes."""
    return (
        _certified(found),
        _between(found, others),
        _varying_slopes(found, others),
        _ends(data),
        _attenuated(data, found),
        _few(data, found),
        _reverse(data, found, others, level),
        _difficulty(others),
        rows_left_out(data.dropped, len(data.rows)),
    )


def _certified(found: Fitted) -> Evidence:
    if found.fit is not None:
        return Evidence("certificate", "clear", _CERTIFIED)
    return Evidence(
        "certificate", "threat", joined(_UNCERTIFIED, Phrase.verbatim(found.within.failure))
    )


_CERTIFIED = Phrase("The within-between model reached its maximum, by its certificate.")
_UNCERTIFIED = Phrase("The within-between model has no usable certificate.")


def _between(found: Fitted, others: Rivals) -> Evidence:
    """Within and between are apart in the model; says how much that mattered."""
    within, between, pooled = found.within.under, found.persons.under, others.pooled.under
    if within is None or between is None or pooled is None:
        return Evidence("between persons", "not tested", Phrase.verbatim(others.pooled.failure))
    numbers = {
        "within_under_mandate": Number(within.value, "estimate", UNIT),
        "between_under_mandate": Number(between.value, "estimate", UNIT),
        "pooled_under_mandate": Number(pooled.value, "estimate", UNIT),
    }
    return Evidence("between persons", "clear", Phrase(_APART, numbers))


_APART = (
    "The slopes are those of a person's own usage under one regime; under the mandate that is "
    "{within_under_mandate}, between persons {between_under_mandate}, and pooled "
    "{pooled_under_mandate}."
)


def _varying_slopes(found: Fitted, others: Rivals) -> Evidence:
    if not found.random_slopes:
        return Evidence("random slopes", "threat", _NO_RANDOM)
    with_them, without = found.within.change, others.no_random.change
    if with_them is None or without is None:
        return Evidence("random slopes", "clear", Phrase(_RANDOM))
    numbers = {
        "se_with": Number(with_them.se, "se", UNIT),
        "se_without": Number(without.se, "se", UNIT),
    }
    return Evidence("random slopes", "clear", Phrase(_RANDOM + _SES, numbers))


_NO_RANDOM = Phrase(
    "The rows cannot tell slopes that differ between persons; without them the interaction with "
    "the mandate has too small a standard error."
)
_RANDOM = "Slopes may differ between persons."
_SES = (
    " The standard error of their difference under the mandate is {se_with}; with the same slope "
    "for all and no robust covariance it would be {se_without}."
)


def _ends(data: InversionData) -> Evidence:
    """A ceiling (or floor) flattens the slope of those who are near it."""
    bounds = data.question.bounds
    if bounds is None:
        return Evidence("bounds", "threat", _UNBOUNDED)
    shares = {g: _near(data, g, bounds) for g in (0, 1)}
    numbers = {
        "near_without": Number(shares[0], "share"),
        "near_under": Number(shares[1], "share"),
        "margin": Number(NEAR_BOUND, "share"),
    }
    threat = max(shares.values()) >= SHARE_AT_BOUND
    outcome: Outcome = "threat" if threat else "clear"
    return Evidence("bounds", outcome, Phrase(_NEAR + (_FLATTENS if threat else ""), numbers))


def _near(data: InversionData, regime: int, bounds: tuple[float, float]) -> float:
    """Share of a regime's rows at or near an end of the scale."""
    everyone = data.rows["quality"].to_numpy(float)
    low, high = bounds
    used = [
        b if np.isfinite(b) else e
        for b, e in zip(bounds, (everyone.min(), everyone.max()), strict=True)
    ]
    margin = NEAR_BOUND * (used[1] - used[0])
    values = everyone[data.rows["mandate"] == regime]
    at_low = values <= low + margin if np.isfinite(low) else np.zeros(values.size, bool)
    at_high = values >= high - margin if np.isfinite(high) else np.zeros(values.size, bool)
    return float(np.mean(at_low | at_high))


_UNBOUNDED = Phrase(
    "The bounds of quality are not declared, so that a ceiling, which flattens slopes, cannot be "
    "ruled out: declare bounds, with inf where there is none."
)
_NEAR = (
    "{near_without} of the rows without a mandate and {near_under} under it lie within {margin} "
    "of the range of an end of the scale."
)
_FLATTENS = " Quality at an end of its scale cannot follow usage, so that slopes are flattened."


def _attenuated(data: InversionData, found: Fitted) -> Evidence:
    """Whether error in usage could have made the difference of the slopes.

    The same error takes more of a slope where usage varies less: with error variance e the slope
    is multiplied by 1 - e / V. Supposed reliability gives e from V without a mandate.
    """
    free, under = found.within.free, found.within.under
    if free is None or under is None:
        return Evidence("unequal reliability", "not tested", Phrase.verbatim(found.within.failure))
    ratio = data.within_sd[1] / data.within_sd[0]
    kept = max(1.0 - (1.0 - SUPPOSED_RELIABILITY) / ratio**2, 0.0) / SUPPOSED_RELIABILITY
    alone = free.value * kept
    numbers = {
        "sd_ratio": Number(ratio, "ratio"),
        "reliability": Number(SUPPOSED_RELIABILITY, "ratio"),
        "slope_by_error_alone": Number(alone, "estimate", UNIT),
    }
    lost, seen = free.value - alone, free.value - under.value
    threat = seen > 0.0 and lost > SHARE_EXPLAINED * seen
    text = _ERROR + (_BY_ERROR if threat else "")
    return Evidence("unequal reliability", "threat" if threat else "clear", Phrase(text, numbers))


_ERROR = (
    "A person's usage varies {sd_ratio} times as much under the mandate as without. Were it "
    "measured with reliability {reliability} without a mandate, the same error alone would make "
    "the slope {slope_by_error_alone} under it."
)
_BY_ERROR = " That is most of the difference."


def _few(data: InversionData, found: Fitted) -> Evidence:
    numbers = {
        "clusters_without": Number(data.firms[0], "count"),
        "clusters_under": Number(data.firms[1], "count"),
    }
    unit = "firms" if data.has_firms else "persons"
    template = f"{{clusters_without}} {unit} without a mandate, {{clusters_under}} under it."
    said_of = joined(Phrase(template, numbers), Phrase(found.choice.sentence))
    if min(data.firms.values()) > FEW_TREATED:
        return Evidence("few clusters", "clear", said_of)
    limit = Phrase(_TOO_FEW, {"few": Number(FEW_TREATED, "count")})
    return Evidence("few clusters", "threat", joined(said_of, limit))


_TOO_FEW = "With {few} or fewer under one regime no standard error can be trusted."


def _reverse(data: InversionData, found: Fitted, others: Rivals, level: float) -> Evidence:
    later, free = others.later, found.within.free
    if later is None or free is None:
        return Evidence("reverse causation", "not tested", _NO_TIME)
    if isinstance(later, str):
        return Evidence("reverse causation", "not tested", Phrase.verbatim(later))
    low, high = later.interval(level)
    large = abs(later.value) >= SHARE_EXPLAINED * max(abs(free.value), data.smallest)
    threat = not low <= 0.0 <= high and large
    numbers = {
        "later_slope": Number(later.value, "estimate", UNIT),
        "later_low": Number(low, "estimate", UNIT),
        "later_high": Number(high, "estimate", UNIT),
    }
    return Evidence("reverse causation", "threat" if threat else "clear", Phrase(_LATER, numbers))


_NO_TIME = Phrase("No `time` is declared, so that what came first cannot be told.")
_LATER = (
    "Usage of the next occasion goes with quality of this one by {later_slope} ({later_low} to "
    "{later_high}), that of this one held."
)


def _difficulty(others: Rivals) -> Evidence:
    if others.hard is None:
        return Evidence("task difficulty", "not tested", _NO_DIFFICULTY)
    slopes, plain = (others.hard.free, others.hard.under), (others.fixed.free, others.fixed.under)
    pairs = [
        (a, b)
        for a, b in zip(slopes, plain, strict=True)
        if isinstance(a, Estimate) and isinstance(b, Estimate)
    ]
    if len(pairs) < 2:
        return Evidence("task difficulty", "not tested", Phrase.verbatim(others.hard.failure))
    moved = max(abs(a.value - b.value) for a, b in pairs)
    numbers = {"largest_move": Number(moved, "estimate", UNIT)}
    return Evidence("task difficulty", "clear", Phrase(_HELD, numbers))


_NO_DIFFICULTY = Phrase(
    "No column of task difficulty is declared: harder tasks may take more use and come out worse."
)
_HELD = "Difficulty is held in every model of the verdict; it moves a slope by {largest_move}."
