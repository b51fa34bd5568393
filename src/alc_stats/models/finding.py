"""`Finding`: what a model module says about one claim, and the guard that evidence puts on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, Decision, decide
from alc_stats.records import Phrase

Outcome = Literal["clear", "threat", "not tested"]
Family = Literal["confirmatory", "exploratory"]


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
        Adjusted within the family.
    decision : Decision
    evidence : tuple of Evidence
    rests_on : tuple of str
        Ids of the models (or, for a conjunction, hypotheses) behind it.
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
    rests_on: tuple[str, ...] = ()


def find(
    claim: Claim,
    estimate: Estimate,
    *,
    criterion: Criterion,
    p_adjusted: float | None = None,
    evidence: tuple[Evidence, ...] = (),
    rests_on: tuple[str, ...] = (),
) -> Finding:
    """The finding on `claim`: `criterion` applied to `estimate`, then guarded by the evidence."""
    decision = guarded(decide(estimate, criterion, p_adjusted=p_adjusted), evidence)
    return Finding(claim.id, claim.claim, claim.statement, claim.family, estimate,
                   criterion.smallest_effect, p_adjusted, decision, evidence, rests_on)


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
    threats = [e for e in evidence if e.outcome == "threat"]
    if not threats or decision.verdict in ("inconclusive", "not tested"):
        return decision
    template = " ".join((decision.reason.template, "But an artefact could explain it:", *(e.finding.template for e in threats)))
    numbers = {**decision.reason.numbers, **{k: n for e in threats for k, n in e.finding.numbers.items()}}
    return replace(decision, verdict="inconclusive", reason=Phrase(template, numbers))
