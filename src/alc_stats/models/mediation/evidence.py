"""Artefacts that look like mediation, and whether they could have made this one."""

from __future__ import annotations

from itertools import pairwise

from alc_stats.estimators.certificate import Certificate
from alc_stats.models.finding import Evidence, Outcome
from alc_stats.models.mediation.analysis import Analysis
from alc_stats.models.mediation.effects import monte_carlo, reaching
from alc_stats.records import Number, Phrase

NEEDED_CORRELATION = 0.15
"""Residual correlation that an indirect effect has to withstand."""
MOST_INCOMPLETE = 0.05
"""Share of rows without the outcome or a mediator that is too small to matter."""


def all_evidence(found: Analysis, level: float) -> tuple[Evidence, ...]:
    """In the order in which a reviewer would ask; intervals of the level."""
    asked = (
        _certificates(found), _assignment(found), _confounding(found), _order(found),
        _method(found), _levels(found), _sampling(found, level), _slopes(found), _rows(found),
    )  # fmt: skip
    return tuple(e for e in asked if e is not None)


def _certificates(found: Analysis) -> Evidence:
    certificates: list[Certificate] = [f.certificate for f in found.chain.fits]
    bad = [c.sentence for c in certificates if not c.usable]
    if bad:
        return Evidence("certificate", "threat", Phrase(bad[0].replace("{", "").replace("}", "")))
    count = {"regressions": Number(len(certificates), "count")}
    said = "The {regressions} regressions behind the paths reached their maximum, by certificate."
    return Evidence("certificate", "clear", Phrase(said, count))


def _assignment(found: Analysis) -> Evidence:
    if found.data.question.randomised:
        return Evidence("assignment", "clear", Phrase("Treatment was assigned at random."))
    if found.data.design == "changes":
        said = "Paths are changes beyond those of untreated units, so stable differences cancel."
        return Evidence("assignment", "clear", Phrase(said))
    said = (
        "Treatment was not said to be assigned at random, and there is no time before it: what "
        "goes with treatment may have moved mediator and outcome."
    )
    return Evidence("assignment", "threat", Phrase(said))


def _confounding(found: Analysis) -> Evidence:
    """Imai, Keele and Tingley's (2010) correlation of residuals at which nothing is left."""
    if abs(found.effect.value) < found.smallest_indirect:
        return _hidden(found)
    weakest = found.undone.weakest
    values = {"rho": weakest, "needed": NEEDED_CORRELATION}
    numbers = {name: Number(x, "statistic") for name, x in values.items()}
    held = abs(weakest) >= NEEDED_CORRELATION
    said = (
        "The indirect effect would vanish if what is left unexplained of a mediator and of what "
        "follows it correlated by {rho}; " + ("at least" if held else "less than") + " the "
        "{needed} that is asked for."
    )
    outcome: Outcome = "clear" if held else "threat"
    return Evidence("unmeasured confounding", outcome, Phrase(said, numbers))


def _hidden(found: Analysis) -> Evidence:
    """Where little is seen: what it would take to have hidden an effect of size."""
    rho = reaching(found.chain, found.undone, found.smallest_indirect)
    held = abs(rho) >= NEEDED_CORRELATION
    unit = found.data.question.unit or found.data.question.outcome
    numbers = {
        "rho": Number(rho, "statistic"),
        "needed": Number(NEEDED_CORRELATION, "statistic"),
        "smallest_effect": Number(found.smallest_indirect, "estimate", unit),
    }
    said = (
        "An indirect effect of {smallest_effect} would have been hidden if what is left "
        "unexplained of a mediator and of what follows it correlated by {rho}; "
        + ("at least" if held else "less than")
        + " the {needed} that is asked for."
    )
    outcome: Outcome = "clear" if held else "threat"
    return Evidence("unmeasured confounding", outcome, Phrase(said, numbers))


def _order(found: Analysis) -> Evidence:
    q = found.data.question
    if q.lagged:
        said = "Every mediator is taken from the wave before the outcome's."
        return Evidence("simultaneity", "clear", Phrase(said))
    if not q.times:
        said = (
            "No times of measurement are declared, so the outcome may have moved the mediator as "
            "well as the other way round."
        )
        return Evidence("simultaneity", "threat", Phrase(said))
    if found.data.unordered:
        said = (
            "In {unordered} of rows a mediator was not measured before what it should bring about."
        )
        share = {"unordered": Number(found.data.unordered, "share")}
        return Evidence("simultaneity", "threat", Phrase(said, share))
    said = "Every mediator was measured before what it is said to bring about."
    return Evidence("simultaneity", "clear", Phrase(said))


def _method(found: Analysis) -> Evidence:
    q = found.data.question
    if not q.sources:
        said = "Who reported each measure is not declared."
        return Evidence("common method", "not tested", Phrase(said))
    steps = zip(pairwise(q.sources), pairwise([*q.mediators, q.outcome]), strict=True)
    shared = [f"{a} and {b} come from one source, {s}." for (s, t), (a, b) in steps if s == t]
    if shared:
        return Evidence("common method", "threat", Phrase(" ".join(shared)))
    said = "Neighbours in the chain come from different sources."
    return Evidence("common method", "clear", Phrase(said))


def _levels(found: Analysis) -> Evidence | None:
    """What one coefficient for two levels would have said."""
    if found.naive is None:
        return None
    unit = found.data.question.unit or found.data.question.outcome
    numbers = {
        "naive": Number(found.naive.indirect, "estimate", unit),
        "own": Number(found.effect.value, "estimate", unit),
    }
    said = (
        "The effect {own} is that of the level at which treatment varies; one coefficient for both "
        "levels would have made it {naive}."
    )
    return Evidence("conflated levels", "clear", Phrase(said, numbers))


def _sampling(found: Analysis, level: float) -> Evidence | None:
    """Means of few people lean towards the effect among people, which may be all there is."""
    if found.sampled is None:
        return None
    chain, reliability = found.sampled
    low, high = monte_carlo(chain, seed=found.seed).interval(level)
    own_low, own_high = found.effect.interval(level)
    lost = low <= 0.0 <= high and not own_low <= 0.0 <= own_high
    unit = found.data.question.unit or found.data.question.outcome
    numbers = {
        "sampled_low": Number(low, "estimate", unit),
        "sampled_high": Number(high, "estimate", unit),
        "mean_reliability": Number(reliability, "ratio"),
    }
    said = (
        "With the people seen as a sample of their unit (means of reliability {mean_reliability}), "
        "the interval is {sampled_low} to {sampled_high}"
        + (": what the units' means show may be the effect among people." if lost else ".")
    )
    return Evidence("means of few people", "threat" if lost else "clear", Phrase(said, numbers))


def _slopes(found: Analysis) -> Evidence | None:
    """Within groups the mean of products is more than the product of means."""
    if found.data.design != "within":
        return None
    if found.chain.slopes is not None:
        said = "The covariance of the groups' slopes, {covariance}, is part of the effect."
        unit = found.data.question.unit or found.data.question.outcome
        numbers = {"covariance": Number(found.chain.slopes.value, "estimate", unit)}
        return Evidence("slope covariance", "clear", Phrase(said, numbers))
    if len(found.data.mediators) > 1:
        said = "With two mediators the covariances of slopes are not part of the product."
        return Evidence("slope covariance", "not tested", Phrase(said))
    said = (
        "No model with slopes that differ between groups could be fitted, so how they go together "
    )
    return Evidence("slope covariance", "threat", Phrase(said + "is not part of the effect."))


def _rows(found: Analysis) -> Evidence | None:
    d = found.data
    if not d.left_out:
        return None
    share = d.left_out / (d.left_out + len(d.rows))
    numbers = {"left_out": Number(d.left_out, "count"), "share_left_out": Number(share, "share")}
    outcome: Outcome = "clear" if share <= MOST_INCOMPLETE or d.question.lagged else "threat"
    said = "{left_out} rows ({share_left_out}) lack the outcome or a mediator and were left out"
    said += " (first waves have no mediator before them)." if d.question.lagged else "."
    return Evidence("incomplete rows", outcome, Phrase(said, numbers))
