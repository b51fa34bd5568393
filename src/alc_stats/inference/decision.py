"""From an estimate to a verdict: one pure function, declared smallest effects, five answers.

Every rule is about one number (theta) and a smallest effect of interest (delta > 0), both in the
estimate's unit, after the sign has been turned so that the predicted direction is up:

================= ============================ ===========================================
rule              the claim                    supported when
================= ============================ ===========================================
superiority       theta > 0 and matters        interval above 0, adjusted p < alpha, and point >= delta
minimum_effect    theta > delta                interval above delta and adjusted p < alpha
non_superiority   theta does not reach delta   one-sided upper limit < delta
non_inferiority   theta is not below -delta    one-sided lower limit > -delta
equivalence       abs(theta) < delta           (1 - 2 alpha) interval inside (-delta, delta)
================= ============================ ===========================================

What is not supported may be *contradicted* (the opposite is shown to the same standard),
*equivalent* (to zero, within delta), or *inconclusive*. A fit without a usable certificate is
*not tested*, whatever its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from alc_stats.estimators.estimate import Direction, Estimate
from alc_stats.records import Number, Phrase

Verdict = Literal["supported", "contradicted", "equivalent", "inconclusive", "not tested"]
Rule = Literal["superiority", "minimum_effect", "non_superiority", "non_inferiority", "equivalence", "conjunction"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and the sentence that says why."""

    verdict: Verdict
    rule: Rule
    reason: Phrase


@dataclass(frozen=True, slots=True)
class Criterion:
    """What was declared before looking.

    Attributes
    ----------
    rule : Rule
    smallest_effect : float
        delta > 0, in the estimate's unit.
    direction : {"greater", "less"}
        The predicted side (for `non_superiority`, the side that is not reached).
    alpha : float
        Two-sided level of the interval; one-sided tests and equivalence use alpha as well, so
        their interval has level 1 - 2 alpha.
    """

    rule: Rule
    smallest_effect: float
    direction: Direction = "greater"
    alpha: float = 0.05


def decide(estimate: Estimate, criterion: Criterion, *, p_adjusted: float | None = None) -> Decision:
    """The verdict on `estimate` under `criterion`; see the module's table.

    Parameters
    ----------
    estimate : Estimate
        Any contrast of any fit.
    criterion : Criterion
        Declared rule, direction, smallest effect and alpha.
    p_adjusted : float, optional
        Multiplicity-adjusted p of the rule's own test; the estimate's own p by default.

    Examples
    --------
    >>> decide(Estimate("effect", 0.30, 0.10, 50.0), Criterion("superiority", 0.2)).verdict
    'supported'
    >>> decide(Estimate("effect", 0.05, 0.20, 50.0), Criterion("superiority", 0.2)).verdict
    'inconclusive'
    """
    raise NotImplementedError
