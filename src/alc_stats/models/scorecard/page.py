"""The card of a finding: the same numbers, arranged for one page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from alc_stats.models.card import Answer, Card, CardRow, Reliable, Weakness, Word
from alc_stats.models.finding import Evidence
from alc_stats.models.scorecard.data import COMPETENCE, MEASURES, NAMES, Role
from alc_stats.models.scorecard.effects import Effects
from alc_stats.models.scorecard.gaming import Gamed
from alc_stats.models.scorecard.precision import Precision
from alc_stats.records import Number, Phrase

_ORDER: tuple[Word, ...] = ("better", "no better", "worse", "cannot say")
_SAID: Mapping[Word, str] = {
    "better": "{arm} is better",
    "no better": "{arm} is no better",
    "worse": "{arm} is worse",
    "cannot say": "nobody can say whether {arm} is better",
}


def card(
    found: Effects,
    known: Mapping[Role, Precision],
    gamed: Mapping[Role, tuple[Gamed, ...]],
    evidence: Sequence[Evidence],
) -> Card:
    """Rows, how to read them, and what was not looked at."""
    return Card(
        headline=headline(found),
        control=found.data.question.control,
        arms=found.data.arms,
        rows=tuple(_row(found, role, known[role], gamed[role]) for role in found.data.roles),
        reading=tuple(_reading(found)),
        untested=(*_not_measured(found), *_not_tested(evidence), _one_by_one(found), _NOT_IMAGINED),
    )


def headline(found: Effects) -> Phrase:
    """What volume says of the claim's arm, and what competence says."""
    arm = found.about.replace("_", " ")
    q = found.data.question
    first = found.word("volume", found.about)
    volume = f"By {q.name('volume').lower()}, {_said(first, arm)}"
    by_word: dict[Word, list[str]] = {word: [] for word in _ORDER}
    for role in found.data.competence:
        by_word[found.word(role, found.about)].append(q.name(role).lower())
    parts = [
        f"by {_listed(names)}, {_said(word, 'it')}{' as well' if word == first else ''}"
        for word, names in by_word.items()
        if names
    ]
    return Phrase.verbatim("; ".join([volume, *parts]) + ".")


def _said(word: Word, arm: str) -> str:
    return _SAID[word].replace("{arm}", arm)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _row(found: Effects, role: Role, known: Precision, gamed: Sequence[Gamed]) -> CardRow:
    smallest = found.data.question.metrics[role].smallest
    return CardRow(
        metric=found.data.question.name(role),
        measures=MEASURES[role],
        volume=role == "volume",
        reliability=_reliable(known),
        weaknesses=tuple(_weakness(g, found.about, smallest) for g in gamed),
        answers=tuple(_answer(found, role, arm) for arm in found.data.arms),
    )


def _reliable(known: Precision) -> Reliable:
    if known.control is None:
        return Reliable(how=known.how)
    value, low, high = (None if v is None else Number(v, "ratio") for v in known.control)
    if not known.arms:
        return Reliable(how=known.how, value=value)
    least, most = (Number(end(known.arms.values()), "ratio") for end in (min, max))
    change = None if known.change is None else Number(known.change, "ratio")
    return Reliable(
        how=known.how, value=value, low=low, high=high, least=least, most=most, change=change
    )


def _weakness(gamed: Gamed, arm: str, smallest: float) -> Weakness:
    fakes = gamed.fakes(arm, smallest)
    return Weakness(
        strategy=gamed.strategy.name,
        does=gamed.strategy.does,
        person=Number(gamed.person, unit="SD"),
        arm=Number(gamed.arm(arm), unit="SD"),
        fakes=None if fakes is None else Number(fakes, "share"),
    )


def _answer(found: Effects, role: Role, arm: str) -> Answer:
    own = found.estimates[role, arm]
    low, high = own.interval(1.0 - found.alpha)
    plain = own.value * found.data.baselines[role].sd
    unit = found.data.question.metrics[role].unit
    return Answer(
        arm=arm,
        value=Number(own.value, unit="SD"),
        low=Number(low, unit="SD"),
        high=Number(high, unit="SD"),
        plain=Number(math.expm1(plain), "percent", unit) if role == "volume" else
        Number(plain, "estimate", unit),
        word=found.word(role, arm),
    )  # fmt: skip


def _reading(found: Effects) -> Iterator[Phrase]:
    q = found.data.question
    control = Phrase.verbatim(q.control.replace("_", " ")).template
    smallest = sorted({m.smallest for m in q.metrics.values()})
    sizes = {f"smallest_{i}": Number(s, "ratio") for i, s in enumerate(smallest)}
    at_least = " or ".join(f"{{{name}}}" for name in sizes)
    yield Phrase(
        f"Numbers are changes since the start beyond those of {control}, in standard deviations "
        "of scores there before it, with {level} intervals. Better: all of the interval above zero "
        f"and the number at least {at_least}, the smallest change that would matter. Worse: the "
        "same below zero. No better: a change of that size is ruled out. Cannot say: neither.",
        sizes | {"level": Number(1.0 - found.alpha, "share")},
    )
    yield Phrase(
        "Reliability is the share of the differences between people's scores that is no error, "
        f"from 0 to 1, in {control}. That of a person's improvement, a difference of two scores, "
        "is lower: compare arms by it, not people."
    )
    yield Phrase(
        "Gaming is what the worst way tried does to an arm if {gamers} of its people do it. "
        "Padding multiplies amounts by {padding}; practising tasks that got known, or holding back "
        "before the start, moves a score by {coached}; cherry-picking hands in the better half. "
        "These sizes are assumed: twice the size moves twice as much.",
        {
            "gamers": Number(q.gamers, "share"),
            "padding": Number(q.padding, "ratio"),
            "coached": Number(q.coached, "ratio"),
        },
    )


def _not_measured(found: Effects) -> Iterator[Phrase]:
    for role in COMPETENCE:
        if role not in found.data.roles:
            yield Phrase(f"{NAMES[role]} was not measured.")


def _not_tested(evidence: Sequence[Evidence]) -> Iterator[Phrase]:
    for e in evidence:
        if e.outcome == "not tested":
            yield Phrase(f"{e.artefact.capitalize()}: {e.finding.template}", e.finding.numbers)


def _one_by_one(found: Effects) -> Phrase:
    return Phrase(
        "Whether an answer is luck among {answers}: each is judged by itself, and only the claim "
        "above as a whole.",
        {"answers": Number(len(found.estimates), "count")},
    )


_NOT_IMAGINED = Phrase(
    "Other ways of gaming, such as work that pleases raters without being better; how many people "
    "do game; whether what is better lasts."
)
