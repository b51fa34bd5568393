"""The guard: what could have made a result turns support and contradiction into inconclusive."""

from __future__ import annotations

from typing import get_args

import pytest

from alc_stats.inference.decision import Decision, Verdict
from alc_stats.models import Evidence, guarded
from alc_stats.models.finding import joined
from alc_stats.records import Number, Phrase

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
