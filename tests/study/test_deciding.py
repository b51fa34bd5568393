"""Families and conjunctions: which p values are adjusted, and with what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alc_stats.estimators import Estimate
from alc_stats.models.finding import Finding, Line
from alc_stats.study import deciding, read_study
from alc_stats.study.declaration import HypothesisDeclared, Study

INF = float("inf")
PARTS = {"A": 2.0, "B": 3.0, "C": 2.5, "D": 2.2}
"""z values; two-sided p: A .0455, B .0027, C .0124, D .0278."""


def hypothesis(name: str, **more: object) -> HypothesisDeclared:
    plain: dict[str, object] = {"smallest_effect": 0.5, "model": "m", "of": name}
    declared = {"id": name, "claim": "gap", "statement": name, "rule": "superiority"}
    return HypothesisDeclared(**{**declared, **plain, **more})  # type: ignore[arg-type]


def joined(name: str, *parts: str, **more: object) -> HypothesisDeclared:
    return hypothesis(
        name, rule="conjunction", all_of=parts, smallest_effect=None, model="", of="", **more
    )


@pytest.fixture
def decided(small: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """A function that decides given hypotheses, whose estimates have the z values of PARTS."""
    base = read_study(small)

    def single(h: HypothesisDeclared, *_: object) -> Finding:
        if h.id not in PARTS:
            return deciding._untested(h, "no data")
        estimate = Estimate(h.id, PARTS[h.id], 1.0, INF)
        return deciding.find(deciding._claim(h), estimate, criterion=deciding.criterion_of(h))

    monkeypatch.setattr(deciding, "_single", single)

    def decide(*hypotheses: HypothesisDeclared) -> dict[str, Finding]:
        study: Study = replace(base, hypotheses=hypotheses)
        return {f.id: f for f in deciding.decide_all(study, {}, {}, {})}

    return decide


def p_of(z: float) -> float:
    return Estimate("", z, 1.0, INF).p_value


def test_a_conjunction_enters_with_the_largest_p_of_its_parts(decided) -> None:  # type: ignore[no-untyped-def]
    found = decided(hypothesis("A"), hypothesis("B"), joined("J", "A", "B"))
    assert found["J"].p == p_of(PARTS["A"])
    assert found["J"].p_adjusted == p_of(PARTS["A"])
    assert found["A"].p_adjusted is None


def test_holm_by_hand(decided) -> None:  # type: ignore[no-untyped-def]
    found = decided(*(hypothesis(name) for name in "BCD"))
    # sorted p: B, C, D; times 3, 2, 1, made monotone
    b, c, d = (p_of(PARTS[name]) for name in "BCD")
    steps = [3 * b, max(3 * b, 2 * c), max(3 * b, 2 * c, d)]
    assert [found[name].p_adjusted for name in "BCD"] == pytest.approx(steps, rel=1e-12)


def test_exploratory_hypotheses_are_in_no_family(decided) -> None:  # type: ignore[no-untyped-def]
    found = decided(hypothesis("B"), hypothesis("C", family="exploratory"))
    assert found["B"].p_adjusted == p_of(PARTS["B"])
    assert found["C"].p_adjusted is None


def test_what_could_not_be_tested_keeps_its_place_in_the_family(decided) -> None:  # type: ignore[no-untyped-def]
    found = decided(hypothesis("B"), hypothesis("lost"))
    assert found["B"].p_adjusted == pytest.approx(2 * p_of(PARTS["B"]), rel=1e-12)
    assert found["lost"].p_adjusted is None
    assert found["lost"].decision.verdict == "not tested"


def test_a_p_that_is_no_number_leaves_the_family_as_it_is(decided) -> None:  # type: ignore[no-untyped-def]
    # an estimate without degrees of freedom is not tested; its nan must not reach the others
    PARTS["N"] = float("nan")
    try:
        found = decided(hypothesis("B"), hypothesis("N"))
    finally:
        del PARTS["N"]
    assert found["N"].decision.verdict == "not tested"
    assert found["N"].p_adjusted is None
    assert found["B"].p_adjusted == pytest.approx(2 * p_of(PARTS["B"]), rel=1e-12)


def test_a_conjunction_that_adjustment_undoes_is_inconclusive(decided) -> None:  # type: ignore[no-untyped-def]
    found = decided(hypothesis("A"), hypothesis("B"), joined("J", "A", "B"), hypothesis("D"))
    assert found["A"].decision.verdict == "supported"
    assert found["J"].p_adjusted == pytest.approx(2 * p_of(PARTS["D"]), rel=1e-12)
    assert found["J"].decision.verdict == "inconclusive"
    assert "not after adjustment" in found["J"].decision.reason.template


def test_a_model_that_failed_is_the_reason(small: Path) -> None:
    study = read_study(small)
    (finding,) = deciding.decide_all(study, {}, {"effect": "it {broke}"}, {})
    assert finding.decision.verdict == "not tested"
    assert finding.decision.reason.template.format() == "it {broke}"


def test_a_finding_is_in_the_unit_that_the_study_declares(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (Line("same", "", value=1.0, unit="score"), Line("other", "", value=1.0, unit="ratio"))
    own = deciding.find(
        deciding._claim(hypothesis("A")), Estimate("A", 1.0, 0.1, INF, "score"),
        criterion=deciding.criterion_of(hypothesis("A")), triangulation=lines,
    )  # fmt: skip
    monkeypatch.setattr(deciding, "question_of", lambda _: object())
    monkeypatch.setattr(deciding, "ask", lambda *_: own)
    for unit, units in (("points", ["points", "ratio"]), ("", ["score", "ratio"])):
        study = replace(read_study(small), hypotheses=(hypothesis("A", unit=unit),))
        (found,) = deciding.decide_all(study, {}, {}, {})
        assert found.estimate is not None
        assert found.estimate.unit == units[0]
        assert [line.unit for line in found.triangulation] == units
