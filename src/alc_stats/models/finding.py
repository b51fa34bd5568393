"""`Finding`: what a model module says about one claim, and the guard that evidence puts on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, Decision, decide, own_p
from alc_stats.records import Number, Phrase

Outcome = Literal["clear", "threat", "not tested"]
Family = Literal["confirmatory", "exploratory"]
NOTHING = Phrase("")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One artefact that could have produced the result, and whether it did.

    `outcome` is "clear" (tested for, not there), "threat" (it could explain the result) or
    "not tested".
    """

    artefact: str
    outcome: Outcome
    finding: Phrase


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
        Two-sided.
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
        The same question by other methods; empty where there is one method only.
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


def find(
    claim: Claim,
    estimate: Estimate,
    *,
    criterion: Criterion,
    evidence: tuple[Evidence, ...] = (),
    observed: Phrase = NOTHING,
    rests_on: tuple[str, ...] = (),
    triangulation: tuple[Line, ...] = (),
) -> Finding:
    """The finding on `claim`: `criterion` applied to `estimate`, then guarded by the evidence."""
    undecided = Decision("inconclusive", criterion.rule, NOTHING)
    finding = Finding(
        claim.id, claim.claim, claim.statement, claim.family, estimate, criterion.smallest_effect,
        None, undecided, evidence, observed, rests_on, own_p(estimate, criterion), triangulation,
    )  # fmt: skip
    return decided(finding, criterion)


def decided(finding: Finding, criterion: Criterion, *, p_adjusted: float | None = None) -> Finding:
    """The finding with its verdict, after multiplicity adjustment where `p_adjusted` is given."""
    if finding.estimate is None:
        return finding
    decision = guarded(decide(finding.estimate, criterion, p_adjusted=p_adjusted), finding.evidence)
    reason = joined(finding.observed, decision.reason)
    return replace(finding, p_adjusted=p_adjusted, decision=replace(decision, reason=reason))


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
    reason = joined(decision.reason, _IN_THE_WAY, *threats)
    return replace(decision, verdict="inconclusive", reason=reason)


_IN_THE_WAY = Phrase("No verdict can rest on it, since an artefact could have made it:")


def joined(*phrases: Phrase) -> Phrase:
    """The phrases one after another; numbers of the same name must be the same number."""
    numbers: dict[str, Number] = {}
    for phrase in phrases:
        clash = [n for n in phrase.numbers if n in numbers and numbers[n] != phrase.numbers[n]]
        if clash:
            raise ValueError(f"two numbers are called {clash[0]!r}")
        numbers |= phrase.numbers
    return Phrase(" ".join(p.template for p in phrases if p.template), numbers)
