"""The guard: what could have made a result turns support and contradiction into inconclusive."""

from __future__ import annotations

from typing import get_args

import pytest

from alc_stats.inference.decision import Decision, Verdict
from alc_stats.models import Evidence, guarded
from alc_stats.records import Number, Phrase

THREAT = Evidence("bounds", "threat", Phrase("{floor} at the floor.", {"floor": Number(0.1, "share")}))
CLEAR = Evidence("bounds", "clear", Phrase("Nothing at the floor."))


def decision(verdict: Verdict) -> Decision:
    return Decision(verdict, "superiority", Phrase("The estimate is {value}.", {"value": Number(1.0)}))


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


@pytest.mark.parametrize("verdict", ["inconclusive", "not tested"])
def test_nothing_is_taken_from_what_says_nothing(verdict: Verdict) -> None:
    assert guarded(decision(verdict), (THREAT,)) == decision(verdict)
