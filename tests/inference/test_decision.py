from __future__ import annotations

import dataclasses
import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import Certificate, Estimate, fit
from alc_stats.inference import (
    Criterion,
    Decision,
    conjoin,
    contrast,
    decide,
    not_tested,
    own_p,
)
from alc_stats.records import Phrase
from estimators.witness import table

RULES = ("superiority", "minimum_effect", "non_superiority", "non_inferiority", "equivalence")
DELTA = 0.2


def twin(e: Estimate, c: Criterion, p_adjusted: float | None) -> str:
    """The verdict from p values alone, one sentence of the table a line; slow and obvious."""
    v = e.value if c.direction == "greater" else -e.value
    d = c.smallest_effect

    def p_above(bound: float) -> float:
        return float(stats.t.sf((v - bound) / e.se, e.df))

    def p_below(bound: float) -> float:
        return float(stats.t.cdf((v - bound) / e.se, e.df))

    half = c.alpha / 2
    shows_effect = p_above(0) < half and v >= d
    shows_opposite = p_below(0) < half and v <= -d
    is_small = p_below(d) < c.alpha and p_above(-d) < c.alpha
    claim, p = {
        "superiority": (shows_effect, 2 * min(p_above(0), p_below(0))),
        "minimum_effect": (p_above(d) < half, 2 * min(p_above(d), p_below(d))),
        "non_superiority": (p_below(d) < c.alpha, p_below(d)),
        "non_inferiority": (p_above(-d) < c.alpha, p_above(-d)),
        "equivalence": (is_small, max(p_below(d), p_above(-d))),
    }[c.rule]
    if claim and (p if p_adjusted is None else p_adjusted) < c.alpha:
        return "supported"
    if c.rule in ("superiority", "minimum_effect") and is_small:
        return "equivalent"
    opposite = {
        "superiority": shows_opposite,
        "minimum_effect": shows_opposite,
        "non_superiority": shows_effect,
        "non_inferiority": shows_opposite,
        "equivalence": shows_effect or shows_opposite,
    }[c.rule]
    return "contradicted" if opposite else "inconclusive"


GRID = [
    (Estimate("effect", value, se, df), Criterion(rule, DELTA, direction, alpha), p)
    for value, se, df, rule, direction, alpha, p in itertools.product(
        [*np.linspace(-0.613, 0.613, 15).tolist(), DELTA, -DELTA, 0.0],
        (0.011, 0.099, 0.31),
        (4.0, math.inf),
        RULES,
        ("greater", "less"),
        (0.05, 0.1),
        (None, 0.03, 0.2),
    )
]


@pytest.fixture(scope="module")
def verdicts() -> list[str]:
    return [decide(estimate, criterion, p_adjusted=p).verdict for estimate, criterion, p in GRID]


def test_every_verdict_on_the_grid_is_the_twins(verdicts: list[str]) -> None:
    different = [
        (case, verdict)
        for case, verdict in zip(GRID, verdicts, strict=True)
        if verdict != twin(*case)
    ]
    assert different == []


def test_every_rule_can_give_every_answer_it_promises(verdicts: list[str]) -> None:
    seen: dict[str, set[str]] = {rule: set() for rule in RULES}
    for (_, criterion, _), verdict in zip(GRID, verdicts, strict=True):
        seen[criterion.rule].add(verdict)
    about_size = {"supported", "equivalent", "contradicted", "inconclusive"}
    assert seen["superiority"] == about_size
    assert seen["minimum_effect"] == about_size
    for rule in ("non_superiority", "non_inferiority", "equivalence"):
        assert seen[rule] == {"supported", "contradicted", "inconclusive"}


def test_every_reason_has_exactly_the_numbers_it_names() -> None:
    for estimate, criterion, p in GRID[::17]:
        reason = decide(estimate, criterion, p_adjusted=p).reason
        assert set(re.findall(r"{(\w+)}", reason.template)) == set(reason.numbers)
        assert reason.template.endswith(".")


ESTIMATES = st.builds(
    Estimate,
    st.just("effect"),
    st.floats(-1.0, 1.0),
    st.floats(0.01, 0.5),
    st.one_of(st.just(math.inf), st.floats(2.0, 200.0)),
)
CRITERIA = st.builds(
    Criterion,
    st.sampled_from(RULES),
    st.floats(0.05, 0.5),
    st.sampled_from(["greater", "less"]),
    st.sampled_from([0.01, 0.05, 0.1]),
)
ADJUSTED = st.one_of(st.none(), st.floats(0.0, 1.0))


def turned(estimate: Estimate, criterion: Criterion) -> tuple[Estimate, Criterion]:
    other = "less" if criterion.direction == "greater" else "greater"
    return (
        dataclasses.replace(estimate, value=-estimate.value),
        dataclasses.replace(criterion, direction=other),
    )


@given(ESTIMATES, CRITERIA, ADJUSTED)
def test_turning_the_sign_and_the_prediction_changes_nothing(
    estimate: Estimate, criterion: Criterion, p: float | None
) -> None:
    there = decide(estimate, criterion, p_adjusted=p)
    back = decide(*turned(estimate, criterion), p_adjusted=p)
    assert there.verdict == back.verdict
    assert own_p(estimate, criterion) == own_p(*turned(estimate, criterion))


@given(ESTIMATES, CRITERIA, st.sampled_from([2.0**-20, 2.0**-3, 2.0**12]))
def test_the_unit_does_not_matter(estimate: Estimate, criterion: Criterion, factor: float) -> None:
    # powers of two scale floats exactly
    scaled = dataclasses.replace(estimate, value=estimate.value * factor, se=estimate.se * factor)
    wider = dataclasses.replace(criterion, smallest_effect=criterion.smallest_effect * factor)
    assert decide(scaled, wider).verdict == decide(estimate, criterion).verdict


ORDER = {"contradicted": 0, "equivalent": 1, "inconclusive": 1, "supported": 2}


@given(ESTIMATES, CRITERIA, st.floats(0.0, 1.0))
def test_moving_towards_the_claim_never_loses_it(
    estimate: Estimate, criterion: Criterion, step: float
) -> None:
    if criterion.rule == "equivalence":
        nearer = dataclasses.replace(estimate, value=estimate.value * (1.0 - step))
    else:
        up = (criterion.direction == "greater") != (criterion.rule == "non_superiority")
        nearer = dataclasses.replace(estimate, value=estimate.value + (step if up else -step))
    before, after = decide(estimate, criterion), decide(nearer, criterion)
    assert ORDER[after.verdict] >= ORDER[before.verdict]


@given(ESTIMATES, CRITERIA, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_larger_adjusted_p_never_supports(
    estimate: Estimate, criterion: Criterion, p: float, more: float
) -> None:
    larger = min(1.0, p + more)
    if decide(estimate, criterion, p_adjusted=larger).verdict == "supported":
        assert decide(estimate, criterion, p_adjusted=p).verdict == "supported"


@given(ESTIMATES, CRITERIA)
def test_an_adjusted_p_of_zero_gives_nothing_away(estimate: Estimate, criterion: Criterion) -> None:
    generous = decide(estimate, criterion, p_adjusted=0.0).verdict
    assert generous == decide(estimate, criterion).verdict


@given(ESTIMATES, CRITERIA)
def test_supported_and_contradicted_exclude_the_opposite_claim(
    estimate: Estimate, criterion: Criterion
) -> None:
    if criterion.rule in ("superiority", "minimum_effect"):
        other = turned(estimate, criterion)[1]
        verdicts = {decide(estimate, criterion).verdict, decide(estimate, other).verdict}
        assert verdicts != {"supported"}


@pytest.mark.parametrize(
    ("rule", "truth", "alpha", "most"),
    [
        ("superiority", 0.0, 0.05, 0.025),
        ("minimum_effect", DELTA, 0.05, 0.025),
        ("non_superiority", DELTA, 0.05, 0.05),
        ("non_inferiority", -DELTA, 0.05, 0.05),
        ("equivalence", DELTA, 0.05, 0.05),
        ("equivalence", -DELTA, 0.05, 0.05),
    ],
)
@pytest.mark.parametrize("se", [0.02, 0.08, 0.3])
def test_a_false_claim_is_supported_at_most_as_often_as_declared(
    rule: str, truth: float, alpha: float, most: float, se: float
) -> None:
    # every 1,000th quantile of the estimate's distribution when the claim is just false
    draws = truth + se * stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    criterion = Criterion(rule, DELTA, alpha=alpha)
    verdicts = [decide(Estimate("e", float(v), se, math.inf), criterion).verdict for v in draws]
    assert verdicts.count("supported") / 1000 <= most


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": math.nan}, "The estimate {value} is not a finite number."),
        ({"value": math.inf}, "The estimate {value} is not a finite number."),
        ({"se": math.nan}, "The standard error {se} is not a positive number."),
        ({"se": math.inf}, "The standard error {se} is not a positive number."),
        ({"se": 0.0}, "The standard error {se} is not a positive number."),
        ({"se": -0.1}, "The standard error {se} is not a positive number."),
        ({"df": math.nan}, "The degrees of freedom {df} are not positive."),
        ({"df": 0.0}, "The degrees of freedom {df} are not positive."),
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_numbers_that_are_none_are_not_tested(change: dict, reason: str, rule: str) -> None:
    broken = dataclasses.replace(Estimate("e", 5.0, 0.1, 20.0), **change)
    decision = decide(broken, Criterion(rule, DELTA), p_adjusted=0.0)
    assert (decision.verdict, decision.rule) == ("not tested", rule)
    assert decision.reason.template == reason
    assert set(decision.reason.numbers) == set(re.findall(r"{(\w+)}", reason))


@pytest.mark.parametrize(
    ("criterion", "p", "sentence"),
    [
        (
            Criterion("superiority", 0.0),
            None,
            "the smallest effect of interest is not a positive number",
        ),
        (
            Criterion("superiority", -0.2),
            None,
            "Declare its size; the direction is declared separately",
        ),
        (Criterion("superiority", math.nan), None, "is not a positive number. Found: nan"),
        (Criterion("superiority", math.inf), None, "is not a positive number. Found: inf"),
        (
            Criterion("superiority", 0.2, alpha=0.0),
            None,
            "alpha is not between 0 and 0.5. Found: 0.0",
        ),
        (Criterion("superiority", 0.2, alpha=0.5), None, "alpha is not between 0 and 0.5"),
        (
            Criterion("superiority", 0.2),
            1.2,
            "the adjusted p value is not between 0 and 1. Found: 1.2",
        ),
        (Criterion("superiority", 0.2), math.nan, "not between 0 and 1. Found: nan"),
        (Criterion("conjunction", 0.2), None, "'conjunction' is not a rule for one estimate"),
        (Criterion("superior", 0.2), None, "Did you mean 'superiority'?"),
        (
            Criterion("superiority", 0.2, "up"),
            None,
            "unknown direction 'up'. Allowed: greater, less.",
        ),
    ],
)
def test_declarations_no_decision_can_rest_on(
    criterion: Criterion, p: float | None, sentence: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        decide(Estimate("e", 0.3, 0.1, 50.0), criterion, p_adjusted=p)
    assert sentence in str(caught.value)


def test_all_faults_of_a_declaration_are_named_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        decide(Estimate("e", 0.3, 0.1, 50.0), Criterion("nothing", -1.0, "up", 2.0), p_adjusted=7.0)
    assert len(caught.value.problems) == 5


def test_reasons_are_told_in_the_estimates_own_direction() -> None:
    estimate = Estimate("effect", -0.3, 0.1, math.inf, "log minutes")
    reason = decide(estimate, Criterion("superiority", DELTA, "less")).reason
    assert reason.template == (
        "The {level} interval {low} to {high} lies below zero and the estimate {value} reaches "
        "the smallest effect of interest {smallest_effect}."
    )
    half = stats.norm.ppf(0.975) * 0.1
    values = {name: number.value for name, number in reason.numbers.items()}
    expected = {
        "level": 0.95,
        "low": -0.3 - half,
        "high": -0.3 + half,
        "value": -0.3,
        "smallest_effect": -DELTA,
    }
    assert values == pytest.approx(expected)
    assert reason.numbers["level"].kind == "share"
    assert {n.unit for name, n in reason.numbers.items() if name != "level"} == {"log minutes"}


def test_a_claim_lost_to_multiplicity_says_so() -> None:
    decision = decide(
        Estimate("e", 0.3, 0.1, math.inf), Criterion("superiority", DELTA), p_adjusted=0.08
    )
    assert decision.verdict == "inconclusive"
    assert "adjusted for the other tests of its family" in decision.reason.template
    assert decision.reason.numbers["p_adjusted"].value == 0.08


def parts(*verdicts: str) -> list[Decision]:
    return [Decision(verdict, "superiority", Phrase("Because.")) for verdict in verdicts]


@pytest.mark.parametrize(
    "verdicts",
    list(
        itertools.product(
            ("supported", "contradicted", "equivalent", "inconclusive", "not tested"), repeat=3
        )
    ),
)
def test_a_conjunction_is_as_strong_as_its_weakest_part(verdicts: tuple[str, ...]) -> None:
    if "contradicted" in verdicts:
        expected = "contradicted"
    elif "equivalent" in verdicts:
        expected = "equivalent"
    elif "not tested" in verdicts:
        expected = "not tested"
    elif set(verdicts) == {"supported"}:
        expected = "supported"
    else:
        expected = "inconclusive"
    decision = conjoin(parts(*verdicts))
    assert (decision.verdict, decision.rule) == (expected, "conjunction")
    assert set(re.findall(r"{(\w+)}", decision.reason.template)) == set(decision.reason.numbers)


def test_a_conjunction_of_nothing_is_refused() -> None:
    with pytest.raises(DeclarationError, match="needs at least one decision"):
        conjoin([])


def test_not_tested_keeps_its_reason() -> None:
    reason = Phrase("The source is missing.")
    assert not_tested("superiority", reason) == Decision("not tested", "superiority", reason)


@given(st.sampled_from(["failed", "not_identified"]), st.sampled_from(RULES))
def test_nothing_is_decided_on_a_fit_without_a_usable_certificate(status: str, rule: str) -> None:
    failed = dataclasses.replace(_STRONG, certificate=Certificate(status, "It did not work."))
    assert _decided(_STRONG, rule).verdict != "not tested"
    assert _decided(failed, rule).verdict == "not tested"


def _decided(result, rule: str) -> Decision:
    """A decision as a study takes it."""
    try:
        return decide(contrast(result, "x"), Criterion(rule, DELTA))
    except FitError as error:
        return not_tested(rule, Phrase(str(error.problems[0])))


_STRONG = fit("y ~ x", table("linear", "clusters.csv"))
