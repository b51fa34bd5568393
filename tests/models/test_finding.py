"""The guard: what could have made a result turns support and contradiction into inconclusive."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from scipy import stats

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, Decision, Rule, Verdict, own_p
from alc_stats.models import Evidence, guarded
from alc_stats.models.finding import Claim, Part, decided, find_jointly, joined
from alc_stats.records import Number, Phrase
from tolerances import EXACT_ARITHMETIC

THREAT = Evidence(
    "bounds", "threat", Phrase("{floor} at the floor.", {"floor": Number(0.1, "share")})
)
CLEAR = Evidence("bounds", "clear", Phrase("Nothing at the floor."))


def decision(verdict: Verdict) -> Decision:
    return Decision(
        verdict, "superiority", Phrase("The estimate is {value}.", {"value": Number(1.0)})
    )


@pytest.mark.parametrize("verdict", ["supported", "contradicted", "equivalent"])
def test_a_threat_makes_a_verdict_inconclusive_and_says_why(verdict: Verdict) -> None:
    held = guarded(decision(verdict), (CLEAR, THREAT))
    assert held.verdict == "inconclusive"
    assert "{value}" in held.reason.template
    assert "{floor} at the floor." in held.reason.template
    assert set(held.reason.numbers) == {"value", "floor"}


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_clear_evidence_changes_nothing(verdict: Verdict) -> None:
    assert guarded(decision(verdict), (CLEAR,)) == decision(verdict)


def test_an_inconclusive_result_names_the_threat_as_well() -> None:
    assert "{floor} at the floor." in guarded(decision("inconclusive"), (THREAT,)).reason.template


def test_what_was_not_tested_stays_so() -> None:
    assert guarded(decision("not tested"), (THREAT,)) == decision("not tested")


def test_numbers_of_one_name_must_be_one_number() -> None:
    with pytest.raises(ValueError, match="two numbers are called 'floor'"):
        joined(THREAT.finding, Phrase("{floor}", {"floor": Number(0.2, "share")}))


UP = Part("use rises", Estimate("use", 0.5, 0.1, 20.0), Criterion("superiority", 0.2))
FLAT = Part("skill does not", Estimate("skill", 0.0, 0.05, 20.0), Criterion("non_superiority", 0.2))
VAGUE = Part(
    "skill does not", Estimate("skill", 0.0, 0.50, 20.0), Criterion("non_superiority", 0.2)
)
ABSENT = Part("skill does not", None, FLAT.criterion, Phrase("Nobody was tested."))
JOINT = Claim("H1", "gap", "Use rises and skill does not.")


def test_a_joint_claim_needs_every_part() -> None:
    verdicts = [find_jointly(JOINT, [UP, p]).decision.verdict for p in (FLAT, VAGUE, ABSENT)]
    assert verdicts == ["supported", "inconclusive", "not tested"]


def test_its_p_is_the_largest_of_its_parts_and_none_where_one_is_missing() -> None:
    largest = max(own_p(p.estimate, p.criterion) for p in (UP, FLAT) if p.estimate)
    assert find_jointly(JOINT, [UP, FLAT]).p == largest
    assert find_jointly(JOINT, [UP, ABSENT]).p is None


def test_its_reason_names_the_part_that_failed() -> None:
    said = find_jointly(JOINT, [UP, VAGUE]).decision.reason.template
    assert "skill does not: inconclusive" in said


def test_adjustment_takes_the_support_of_a_joint_claim_and_never_gives_it() -> None:
    criterion = Criterion("conjunction", float("nan"))
    held, vague = (find_jointly(JOINT, [UP, p]) for p in (FLAT, VAGUE))
    assert decided(held, criterion, p_adjusted=0.04).decision.verdict == "supported"
    assert decided(held, criterion, p_adjusted=0.06).decision.verdict == "inconclusive"
    assert decided(vague, criterion, p_adjusted=0.01).decision.verdict == "inconclusive"


def test_a_threat_holds_a_joint_claim_back() -> None:
    assert find_jointly(JOINT, [UP, FLAT], evidence=(THREAT,)).decision.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("rule", "df", "test"),
    [
        ("superiority", 20.0, "t"),
        ("minimum_effect", 20.0, "t against the smallest effect"),
        ("non_superiority", 20.0, "one-sided t against the smallest effect"),
        ("non_inferiority", math.inf, "one-sided normal against the smallest effect"),
        ("equivalence", 20.0, "two one-sided t against the smallest effect"),
    ],
)
def test_a_part_says_by_which_test_its_p_is(rule: Rule, df: float, test: str) -> None:
    part = Part("skill stays", Estimate("skill", 0.05, 0.05, df), Criterion(rule, 0.2))
    line = find_jointly(JOINT, [part]).triangulation[0]
    assert line.reference == test
    sides = stats.norm if math.isinf(df) else stats.t(df)
    of_zero, of_delta = (float(sides.sf(abs(x))) for x in (1.0, 3.0))
    own = {"superiority": 2 * of_zero, "minimum_effect": 2 * of_delta}
    tail = float(sides.sf(5.0)) if rule == "non_inferiority" else of_delta
    assert line.p == pytest.approx(own.get(rule, tail), rel=EXACT_ARITHMETIC)
