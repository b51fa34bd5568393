"""What could make an effect of a mandate without one, each tested for."""

from __future__ import annotations

import math

import numpy as np

from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.group_time import NEVER
from alc_stats.models.finding import Evidence
from alc_stats.models.mandate.effects import (
    FEW_FIRMS,
    MandateFound,
    bias_of_trend,
    last_step,
    trends_before,
)
from alc_stats.models.mandate.gaps import firms_come_and_go
from alc_stats.models.mandate.imputation import drift_before, moved_covariates
from alc_stats.records import Number, Phrase

MOST_MOVERS = 0.05
"""Share of persons who were both in a mandated and in another firm, from which effects spill."""
_DIRECTED = ("supported", "contradicted")
_HELD = {
    "stayers_effect": "Among persons seen throughout the effect is {stayers_effect}",
    "reweighted_effect": "with groups of persons as before the effect is {reweighted_effect}",
}


def all_evidence(found: MandateFound, criterion: Criterion) -> tuple[Evidence, ...]:
    """Every demand on the overall effect."""
    return (
        _trends(found, criterion),
        _anticipation(found, criterion),
        _firms(found, criterion),
        _composition(found, criterion),
        _movers(found),
        _switching(found),
        *firms_come_and_go(found.data, found.headline, found.throughout,
                           criterion.smallest_effect, 1.0 - criterion.alpha),
        *drift_before(found.imputed, criterion.alpha, found.unit, few=found.few),
        *moved_covariates(found.imputed, criterion.alpha),
    )  # fmt: skip


def _trends(found: MandateFound, criterion: Criterion) -> Evidence:
    """A test that sees nothing is no evidence unless it would have seen what matters."""
    name = "pre-trends"
    test = trends_before(found)
    if test is None:
        return Evidence(
            name,
            "not tested",
            Phrase(
                "Too few periods before the starts, or firms, for trends before them to be seen."
            ),
        )
    p, slope = test
    if not math.isfinite(slope):
        return _unseen_trend(p)
    bias = abs(bias_of_trend(found, slope))
    numbers = {"pretest_p": Number(p, "p"), "trend_bias": Number(bias, unit=found.unit)}
    if p < criterion.alpha:
        return Evidence(
            name,
            "threat",
            Phrase(
                "Firms moved apart before the start already (p = {pretest_p}; a trend "
                "that it finds in 80 % of samples would add {trend_bias} to the effect).",
                numbers,
            ),
        )
    scale = max(abs(found.headline.value), criterion.smallest_effect)
    if bias > scale:
        return Evidence(
            name,
            "not tested",
            Phrase(
                "No difference before the start is seen (p = {pretest_p}), but the test would miss "
                "a trend that adds up to {trend_bias}, more than the effect: silent, not clear.",
                numbers,
            ),
        )
    return Evidence(
        name,
        "clear",
        Phrase(
            "No difference before the start (p = {pretest_p}); a trend that adds "
            "{trend_bias} to the effect would have been found in 80 % of samples.",
            numbers,
        ),
    )


def _unseen_trend(p: float) -> Evidence:
    """Where firms that start are compared with each other alone, all may drift unseen."""
    return Evidence(
        "pre-trends",
        "not tested",
        Phrase(
            "No difference before the start is seen (p = {pretest_p}), but firms that start are "
            "compared with each other alone: a trend of all of them cannot be seen.",
            {"pretest_p": Number(p, "p")},
        ),
    )


def _anticipation(found: MandateFound, criterion: Criterion) -> Evidence:
    name, step = "anticipation", last_step(found)
    if step is None:
        return Evidence(
            name,
            "not tested",
            Phrase("The last period before the start has none to be compared with."),
        )
    numbers = {"last_step": Number(step[0], unit=found.unit),
               "last_step_p": Number(step[1], "p")}  # fmt: skip
    if step[1] < criterion.alpha:
        return Evidence(
            name,
            "threat",
            Phrase(
                "Outcomes moved by {last_step} in the last period before the start that is "
                "compared with (p = {last_step_p}): declare announced, or anticipation in periods.",
                numbers,
            ),
        )
    return Evidence(
        name,
        "clear",
        Phrase(
            "Outcomes did not move in the last period before the start ({last_step}, "
            "p = {last_step_p}).",
            numbers,
        ),
    )


def _firms(found: MandateFound, criterion: Criterion) -> Evidence:
    """The rule on few firms: the randomisation test has to agree."""
    name, d = "few firms", found.data
    numbers = {
        "mandated_firms": Number(d.number_treated, "count"),
        "other_firms": Number(int(np.sum(d.adoption >= NEVER)), "count"),
        "few_limit": Number(FEW_FIRMS, "count"),
        "permutation_p": Number(found.permuted.p, "p"),
    }
    if not found.few:
        return Evidence(
            name,
            "clear",
            Phrase(
                "{mandated_firms} firms came under a mandate and {other_firms} never did, more "
                "than {few_limit}: errors by firm are used; permuting dates gives "
                "p = {permutation_p}.",
                numbers,
            ),
        )
    rule = (
        "{mandated_firms} firms came under a mandate and {other_firms} never did; up to "
        "{few_limit} on a side, permuting dates among firms decides (p = {permutation_p})"
    )
    directed = decide(found.headline, criterion).verdict in _DIRECTED
    if directed and found.permuted.p >= criterion.alpha:
        return Evidence(name, "threat", Phrase(f"{rule}, and it does not agree.", numbers))
    return Evidence(name, "clear", Phrase(f"{rule}.", numbers))


def _composition(found: MandateFound, criterion: Criterion) -> Evidence:
    """Persons seen throughout, and groups of persons in their shares before."""
    name = "composition"
    if found.data.question.person is None:
        return Evidence(
            name, "not tested", Phrase("Rows are not persons, so who came or left cannot be seen.")
        )
    others = {"stayers_effect": found.stayers, "reweighted_effect": found.as_before}
    known = {key: e for key, e in others.items() if e is not None}
    if not known:
        return Evidence(
            name, "not tested", Phrase("Some firms have too few persons who were seen throughout.")
        )
    numbers = {key: Number(e.value, unit=found.unit) for key, e in known.items()}
    said = " and ".join(_HELD[key] for key in known)
    said = said[0].upper() + said[1:]
    far = [abs(e.value - found.headline.value) >= criterion.smallest_effect for e in known.values()]
    if any(far):
        template = f"{said}: another one by more than the smallest effect of interest."
        return Evidence(name, "threat", Phrase(template, numbers))
    return Evidence(name, "clear", Phrase(f"{said}.", numbers))


def _movers(found: MandateFound) -> Evidence:
    """Who worked in a mandated firm and in another carries the mandate there."""
    name, q = "spillover by movers", found.data.question
    if q.person is None:
        return Evidence(name, "not tested", Phrase("Rows are not persons."))
    ever = found.data.rows["firm"].isin(found.data.firms[found.data.adoption < NEVER])
    both = ever.groupby(found.data.rows["person"]).nunique() > 1
    numbers = {"movers": Number(float(both.mean()), "share")}
    said = "{movers} of persons were seen both in a mandated firm and in one that never was."
    worse = both.mean() > MOST_MOVERS
    if worse:
        said += " Where ids start anew in every firm, give each person one that nobody else has."
    return Evidence(name, "threat" if worse else "clear", Phrase(said, numbers))


def _switching(found: MandateFound) -> Evidence:
    name = "treatment that switches off"
    if found.data.question.treated is None:
        return Evidence(
            name,
            "not tested",
            Phrase("Only starts are known; the effect is that of ever having had a mandate."),
        )
    return Evidence(name, "clear", Phrase("No firm leaves its mandate."))
