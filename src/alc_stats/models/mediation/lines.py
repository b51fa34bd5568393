"""The triangulation table of a mediation: every path, and the indirect effect by several ways."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, Verdict, decide
from alc_stats.inference.equivalence import equivalence_p
from alc_stats.models.finding import NOTHING, Line
from alc_stats.models.mediation.analysis import Analysis
from alc_stats.models.mediation.effects import Effect, monte_carlo
from alc_stats.models.mediation.paths import Chain
from alc_stats.records import FloatArray, Number, Phrase

DECIDING = "Indirect effect, Monte Carlo"
CONFLATED = "Indirect effect, levels conflated (naive)"
_T = "t, Satterthwaite"


def triangulation(found: Analysis, alpha: float) -> tuple[Line, ...]:
    """Paths first, then the indirect effect: deciding, resampled, at other levels, conflated."""
    level = 1.0 - alpha
    guards = "an interval that is symmetric by assumption"
    lines = [_indirect(DECIDING, guards, found, found.effect, level, primary=True)]
    lines += _bootstrap(found, level)
    lines += _paths(found, level)
    lines += [_direct(found, level, alpha), _total(found, level)]
    lines += _slopes(found, level)
    lines += _by_arm(found, level)
    lines += _others(found, level)
    lines += _sampled(found, level)
    lines += _proportion(found, level)
    return tuple(lines)


def _unit(found: Analysis) -> str:
    return found.data.question.unit or found.data.question.outcome


def _indirect(
    method: str,
    guards: str,
    found: Analysis,
    effect: Effect,
    level: float,
    *,
    reference: str = "draws of the paths",
    note: Phrase = NOTHING,
    primary: bool = False,
) -> Line:
    low, high = effect.interval(level)
    return Line(method, guards, note, effect.value, low, high, effect.p, None, reference,
                _unit(found), primary)  # fmt: skip


def _bootstrap(found: Analysis, level: float) -> list[Line]:
    units, made = found.data.unit_name, found.by_unit
    method = f"Indirect effect, bootstrap of {units}"
    guards = "a model of the rows, and the distribution of the paths"
    if made is None:
        why = Phrase("Too few units tell the paths, or there are two mediators within groups.")
        return [Line(method, guards, why, unit=_unit(found))]
    numbers = {"used": Number(made.used, "count"), "units": Number(found.data.units, "count")}
    note = f"{{used}} of {{units}} {units}, each as one row."
    if made.lost_draws:
        note += " {lost} resamples did not determine the paths."
        numbers["lost"] = Number(made.lost_draws, "count")
    return [_indirect(method, guards, found, made.effect, level,
                      reference=f"bootstrap of {units}", note=Phrase(note, numbers))]  # fmt: skip


def _paths(found: Analysis, level: float) -> list[Line]:
    q = found.data.question
    names = [q.treatment, *q.mediators, q.outcome]
    steps = zip(found.chain.links, pairwise(names), strict=True)
    return [
        _line(f"Path {link.name}", f"{cause} to {effect}", link, level, f"{effect} per {cause}")
        for link, (cause, effect) in steps
    ]


def _line(
    method: str, guards: str, e: Estimate, level: float, unit: str, note: Phrase = NOTHING
) -> Line:
    return Line.of(e, method, guards, _T, level=level, note=note, unit=unit)


def _direct(found: Analysis, level: float, alpha: float) -> Line:
    guards = "calling a path that is not significant no path"
    said = direct_said(found, alpha)
    return _line("Direct effect", guards, found.chain.direct, level, _unit(found), said)


def direct_said(found: Analysis, alpha: float) -> Phrase:
    """The direct effect by its equivalence test: not significant is not none."""
    e, margin = found.chain.direct, found.smallest_direct
    said = _DIRECT[decide(e, Criterion("equivalence", margin, alpha=alpha)).verdict]
    numbers = {
        "margin": Number(margin, "estimate", _unit(found)),
        "p_equivalence": Number(equivalence_p(e, margin), "p"),
    }
    return Phrase(said, {k: n for k, n in numbers.items() if f"{{{k}}}" in said})


_OPEN = (
    "Whether a direct effect of {margin} or more remains is open, so nothing can be said of full "
    "mediation."
)
_DIRECT: dict[Verdict, str] = {
    "supported": "No direct effect of {margin} or more remains (two one-sided tests, "
    "p = {p_equivalence}).",
    "contradicted": "A direct effect of {margin} or more remains.",
    "inconclusive": _OPEN,
    "not tested": _OPEN,
}


def _total(found: Analysis, level: float) -> Line:
    guards = "an indirect effect that the direct one cancels"
    return _line("Total effect", guards, found.chain.total, level, _unit(found))


def _slopes(found: Analysis, level: float) -> list[Line]:
    slopes = found.chain.slopes
    if slopes is None:
        return []
    e = Estimate("slopes", slopes.value, slopes.se, float(slopes.groups - 1))
    guards = "the product of mean slopes taken for the mean of products"
    return [_line("Covariance of slopes a and b", guards, e, level, _unit(found))]


def _by_arm(found: Analysis, level: float) -> list[Line]:
    """A product describes both arms only where the mediator does the same in both."""
    if found.by_arm is None:
        return []
    q = found.data.question
    guards = "a mediator whose effect differs by arm, which no single product describes"
    unit = f"{q.outcome} per {q.mediators[-1]}"
    return [_line("Path b, treated minus untreated", guards, found.by_arm, level, unit)]


def _others(found: Analysis, level: float) -> list[Line]:
    """The other level's indirect effect, and the one that mixes both."""
    within = found.data.design == "within"
    where = "between groups" if within else f"within {found.data.unit_name}"
    guards = {True: "differences between groups taken for changes within them",
              False: "differences among people taken for effects on units"}[within]  # fmt: skip
    made: list[Line] = []
    for chain, method, what in (
        (found.other, f"Indirect effect, {where}", guards),
        (found.naive, CONFLATED, "one coefficient for two levels"),
    ):
        if chain is not None:
            made.append(_of_chain(method, what, found, chain, level))
    return made


def _sampled(found: Analysis, level: float) -> list[Line]:
    """With the people seen as a sample of their unit rather than all of it."""
    if found.sampled is None:
        return []
    chain, reliability = found.sampled
    said = "The mean of a unit's people has reliability {reliability}, taken as known."
    note = Phrase(said, {"reliability": Number(reliability, "ratio")})
    effect = monte_carlo(chain, seed=found.seed)
    guards = "means of few people, which lean towards the effect among people"
    method = "Indirect effect, people as a sample of their unit"
    return [_indirect(method, guards, found, effect, level, note=note)]


def _of_chain(method: str, guards: str, found: Analysis, chain: Chain, level: float) -> Line:
    effect = monte_carlo(chain, seed=found.seed)
    return _indirect(method, guards, found, effect, level)


def _proportion(found: Analysis, level: float) -> list[Line]:
    """Indirect over total, only where the total is clearly there: it has no meaning near zero."""
    total = found.chain.total
    low, high = total.interval(level)
    if low <= 0.0 <= high:
        return []
    share = found.effect.value / total.value
    draws = found.effect.draws / (found.effect.draws + _direct_draws(found))
    effect = Effect(share, draws)
    limits = effect.interval(level)
    return [
        Line(
            "Proportion mediated", "an indirect effect read without the size of the whole",
            Phrase("Below zero or above one where direct and indirect effects oppose each other."),
            share, *limits, None, None, "draws of the paths", "share of the total effect",
        )
    ]  # fmt: skip


def _direct_draws(found: Analysis) -> FloatArray:
    e = found.chain.direct
    rng = np.random.default_rng([found.seed, 1])
    return np.asarray(e.value + e.se * rng.standard_normal(found.effect.draws.size))
