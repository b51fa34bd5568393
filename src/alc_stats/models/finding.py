"""`Finding`: what a model module says about one claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Decision
from alc_stats.records import Phrase

Outcome = Literal["clear", "threat", "not tested"]


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
    family: Literal["confirmatory", "exploratory"]
    estimate: Estimate | None
    smallest_effect: float | None
    p_adjusted: float | None
    decision: Decision
    evidence: tuple[Evidence, ...] = ()
    rests_on: tuple[str, ...] = ()
