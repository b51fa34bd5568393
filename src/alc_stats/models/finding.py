"""`Finding`: what a model module says about one claim, and the guard that evidence puts on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from alc_stats.errors import DeclarationError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import (
    Criterion,
    Decision,
    Rule,
    conjoin,
    decide,
    not_tested,
    own_p,
)
from alc_stats.models.card import Card
from alc_stats.models.picture import Picture
from alc_stats.records import Number, Phrase

Outcome = Literal["clear", "threat", "not tested"]
Family = Literal["confirmatory", "exploratory"]
NOTHING = Phrase("")
MOST_LEFT_OUT = 0.05
"""Share of rows without a value from which on those who are missing may have made the result."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One artefact that could have produced the result, and whether it did.

    `outcome` is "clear" (tested for, not there), "threat" (it could explain the result) or
    "not tested".
    """

    artefact: str
    outcome: Outcome
    finding: Phrase


def rows_left_out(count: int, used: int) -> Evidence:
    """Whether so many rows lack a value that who is missing may have made the result.

    Examples
    --------
    >>> rows_left_out(4, 96).outcome, rows_left_out(5, 95).outcome
    ('clear', 'threat')
    """
    share = count / (count + used) if count else 0.0
    threat = share >= MOST_LEFT_OUT
    numbers = {
        "left_out": Number(count, "count"),
        "left_out_share": Number(share, "share"),
        "used": Number(used, "count"),
    }
    said = "{left_out} rows ({left_out_share}) lack a value and were left out, {used} were used" + (
        ": who is missing may have made the result." if threat else "."
    )
    return Evidence("rows left out", "threat" if threat else "clear", Phrase(said, numbers))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a triangulation table: the same question by another method.

    Attributes
    ----------
    method : str
        As a methods section would name it.
    guards_against : str
        What would show here if it had made the result.
    note : Phrase
        What the method did with these data, or why it could not be used.
    value, low, high : float or None
        The difference and its 95 % interval, in `unit`; None where there is none.
    p : float or None
        Two-sided, unless `reference` says otherwise.
    df : float or None
        Degrees of freedom of the interval; None where it is not that of a t.
    reference : str
        Where interval and p come from, such as "t, firms - 2" or "bootstrap of firms".
    unit : str
    primary : bool
        Whether this line is the one that the verdict rests on.
    """

    method: str
    guards_against: str
    note: Phrase = NOTHING
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    df: float | None = None
    reference: str = ""
    unit: str = "log SD"
    primary: bool = False

    @classmethod
    def of(
        cls, e: Estimate, method: str, guards_against: str, reference: str, *,
        level: float = 0.95, note: Phrase = NOTHING, unit: str | None = None,
        primary: bool = False,
    ) -> Line:  # fmt: skip
        """An estimate as a line, in its own unit unless another is named."""
        low, high = e.interval(level)
        df = e.df if math.isfinite(e.df) else None
        return cls(method, guards_against, note, e.value, low, high, e.p_value, df, reference,
                   e.unit if unit is None else unit, primary)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """The prediction a finding is about: its id in the study, the theory's claim, the sentence."""

    id: str
    claim: str
    statement: str
    family: Family = "confirmatory"


@dataclass(frozen=True, slots=True)
class Finding:
    """A decided claim.

    Attributes
    ----------
    id : str
        The hypothesis's id within its study, such as "H6".
    claim : str
        The claim of the theory: "gap", "transfer", "widening", ...
    statement : str
        The prediction in one sentence.
    family : {"confirmatory", "exploratory"}
    estimate : Estimate or None
        None for conjunctions and for what could not be tested.
    smallest_effect : float or None
        In the estimate's unit.
    p_adjusted : float or None
        `p` adjusted within the family; None for what is in none.
    decision : Decision
    evidence : tuple of Evidence
    observed : Phrase
        What was seen, said before the rule is; may be empty.
    rests_on : tuple of str
        Ids of the models (or, for a conjunction, hypotheses) behind it.
    p : float or None
        Of the rule's own test (one-sided for the non-superiority and equivalence rules).
    triangulation : tuple of Line
        The same question by other methods, and the parts of a joint claim; may be empty.
    pictures : tuple of Picture
        What there is to look at; may be empty.
    card : Card or None
        Of a scorecard: what a manager reads on one page.
    """

    id: str
    claim: str
    statement: str
    family: Family
    estimate: Estimate | None
    smallest_effect: float | None
    p_adjusted: float | None
    decision: Decision
    evidence: tuple[Evidence, ...] = ()
    observed: Phrase = NOTHING
    rests_on: tuple[str, ...] = ()
    p: float | None = None
    triangulation: tuple[Line, ...] = ()
    pictures: tuple[Picture, ...] = ()
    card: Card | None = None


def require_finding(given: object, where: str) -> None:
    """Raise a DeclarationError for what is no finding."""
    if not isinstance(given, Finding):
        raise DeclarationError(
            Problem(
                "is not a finding",
                where=where,
                found=type(given).__name__,
                way_out="Give it what a model such as alc.gap(...) returns; a fit has .summary().",
            )
        )


def find(
    claim: Claim,
    estimate: Estimate,
    *,
    criterion: Criterion,
    evidence: tuple[Evidence, ...] = (),
    observed: Phrase = NOTHING,
    rests_on: tuple[str, ...] = (),
    triangulation: tuple[Line, ...] = (),
    pictures: tuple[Picture, ...] = (),
) -> Finding:
    """The finding on `claim`: `criterion` applied to `estimate`, then guarded by the evidence."""
    undecided = Decision("inconclusive", criterion.rule, NOTHING)
    finding = Finding(
        claim.id, claim.claim, claim.statement, claim.family, estimate, criterion.smallest_effect,
        None, undecided, evidence, observed, rests_on, own_p(estimate, criterion), triangulation,
        pictures,
    )  # fmt: skip
    return decided(finding, criterion)


def untested(claim: Claim, why: Phrase, criterion: Criterion | None = None) -> Finding:
    """A claim that cannot be asked of these data, and why; of several parts without a criterion."""
    rule: Rule = criterion.rule if criterion else "conjunction"
    smallest = criterion.smallest_effect if criterion else None
    return Finding(
        claim.id, claim.claim, claim.statement, claim.family, None, smallest, None,
        not_tested(rule, why),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a joint claim: what it says, the number it is about and its rule.

    `estimate` is None where the data cannot speak to it; `why` says so.
    """

    statement: str
    estimate: Estimate | None
    criterion: Criterion
    why: Phrase = NOTHING


def find_jointly(
    claim: Claim,
    parts: Sequence[Part],
    *,
    evidence: tuple[Evidence, ...] = (),
    observed: Phrase = NOTHING,
    triangulation: tuple[Line, ...] = (),
    pictures: tuple[Picture, ...] = (),
) -> Finding:
    """The finding on a claim that holds only if all its parts do (intersection-union).

    The parts come first in the triangulation table, marked as what the verdict rests on; `p` is
    the largest of theirs, and needs no correction for their number (Berger 1982).

    Examples
    --------
    >>> up = Part("use rises", Estimate("use", 0.5, 0.1, 20.0), Criterion("superiority", 0.2))
    >>> flat = Part("skill does not", Estimate("skill", 0.0, 0.05, 20.0),
    ...             Criterion("non_superiority", 0.2))
    >>> found = find_jointly(Claim("H1", "gap", "Use rises, skill does not."), [up, flat])
    >>> found.decision.verdict, len(found.triangulation)
    ('supported', 2)
    """
    decisions = [_part_decision(part) for part in parts]
    said = joined(
        observed, conjoin(decisions).reason, _said_of(parts, decisions), *_whys(parts, observed)
    )
    whole = guarded(replace(conjoin(decisions), reason=said), evidence)
    tested = [own_p(p.estimate, p.criterion) for p in parts if p.estimate is not None]
    lines = tuple(_part_line(p, d) for p, d in zip(parts, decisions, strict=True))
    return Finding(
        claim.id, claim.claim, claim.statement, claim.family, None, None, None, whole, evidence,
        observed, (),
        max(tested) if len(tested) == len(parts) else None, (*lines, *triangulation), pictures,
    )  # fmt: skip


def _part_decision(part: Part) -> Decision:
    if part.estimate is None:
        return not_tested(part.criterion.rule, part.why)
    return decide(part.estimate, part.criterion)


def _said_of(parts: Sequence[Part], decisions: Sequence[Decision]) -> Phrase:
    """Which part came out how, unless all are supported."""
    if all(d.verdict == "supported" for d in decisions):
        return NOTHING
    words = [f"{p.statement}: {d.verdict}" for p, d in zip(parts, decisions, strict=True)]
    return Phrase(f"({'; '.join(words)}.)")


def _whys(parts: Sequence[Part], observed: Phrase) -> list[Phrase]:
    """Why parts could not be tested, each reason once, unless it was said already."""
    known = {p.why.template: p.why for p in parts if p.estimate is None}
    return [why for text, why in known.items() if text and text not in observed.template]


def _part_line(part: Part, decision: Decision) -> Line:
    said = Phrase(f"{decision.verdict}: {decision.reason.template}", decision.reason.numbers)
    e, rule = part.estimate, part.criterion.rule.replace("_", " ")
    if e is None:
        return Line(part.statement, f"part of the claim: {rule}", said, primary=True)
    low, high = e.interval()
    p = own_p(e, part.criterion)
    return Line(
        part.statement, f"part of the claim: {rule}", said, e.value, low, high, p, e.df,
        _test_of(part), e.unit, primary=True,
    )  # fmt: skip


def _test_of(part: Part) -> str:
    """The test behind a part's p; the interval beside it is two-sided under every rule."""
    finite = part.estimate is not None and math.isfinite(part.estimate.df)
    return _TESTS[part.criterion.rule].format("t" if finite else "normal")


_TESTS = {
    "superiority": "{}",
    "minimum_effect": "{} against the smallest effect",
    "non_superiority": "one-sided {} against the smallest effect",
    "non_inferiority": "one-sided {} against the smallest effect",
    "equivalence": "two one-sided {} against the smallest effect",
}


def decided(finding: Finding, criterion: Criterion, *, p_adjusted: float | None = None) -> Finding:
    """The finding with its verdict, after multiplicity adjustment where `p_adjusted` is given."""
    if finding.estimate is None:
        return _jointly_adjusted(finding, criterion.alpha, p_adjusted)
    decision = guarded(decide(finding.estimate, criterion, p_adjusted=p_adjusted), finding.evidence)
    reason = joined(finding.observed, decision.reason)
    return replace(finding, p_adjusted=p_adjusted, decision=replace(decision, reason=reason))


def _jointly_adjusted(finding: Finding, alpha: float, p_adjusted: float | None) -> Finding:
    """A joint claim after adjustment, which can take its support away and gives none."""
    decision, lost = finding.decision, p_adjusted is not None and p_adjusted >= alpha
    if decision.verdict == "supported" and lost:
        decision = replace(decision, verdict="inconclusive", reason=NOT_AFTER_ADJUSTMENT)
    return replace(finding, p_adjusted=p_adjusted, decision=decision)


NOT_AFTER_ADJUSTMENT = Phrase(
    "Every part is supported by itself, but not after adjustment for the family of hypotheses."
)


def guarded(decision: Decision, evidence: tuple[Evidence, ...]) -> Decision:
    """The decision, or `inconclusive` where an artefact could have made it.

    The guard works both ways: what could fake support could as well fake a contradiction.

    Examples
    --------
    >>> shown = Decision("supported", "superiority", Phrase("The effect is there."))
    >>> ceiling = Evidence("ceiling", "threat", Phrase("Half of the scores are at the bound."))
    >>> guarded(shown, (ceiling,)).verdict
    'inconclusive'
    >>> guarded(shown, ()).verdict
    'supported'
    """
    threats = [e.finding for e in evidence if e.outcome == "threat"]
    if not threats or decision.verdict == "not tested":
        return decision
    reason = joined(decision.reason, IN_THE_WAY, *threats)
    return replace(decision, verdict="inconclusive", reason=reason)


IN_THE_WAY = Phrase("No verdict can rest on it, since an artefact could have made it:")


def joined(*phrases: Phrase) -> Phrase:
    """The phrases one after another; numbers of the same name must be the same number."""
    numbers: dict[str, Number] = {}
    for phrase in phrases:
        clash = [n for n in phrase.numbers if n in numbers and numbers[n] != phrase.numbers[n]]
        if clash:
            raise ValueError(f"two numbers are called {clash[0]!r}")
        numbers |= phrase.numbers
    return Phrase(" ".join(p.template for p in phrases if p.template), numbers)
