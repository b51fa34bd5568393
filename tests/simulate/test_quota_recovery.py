"""The generator of quotas gives back what its truth says."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from alc_stats.simulate.quota_recovery import (
    _log_sds,
    _observed_slopes,
    _within_variance,
    counted,
    drawn,
    implied,
    recovered,
)
from simulate.quota_studies import QUOTAS, drawn_of, quota_truth, script
from simulate.studies import ANALYSIS
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS, SIX_SIGNIFICANT_DIGITS

FRESH_SEEDS = range(9001, 9005)


def committed(study: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (ANALYSIS / study / "recovery.json").read_text(encoding="utf-8")
    )
    return found


def expected_of(study: str) -> dict[str, dict[str, float]]:
    text = (ANALYSIS / study / "expected.json").read_text(encoding="utf-8")
    return {number["id"]: number for number in json.loads(text)["numbers"]}


@pytest.mark.parametrize("study", QUOTAS)
def test_the_committed_replications_are_of_the_committed_truth(study: str) -> None:
    expected, found = implied(quota_truth(study)), committed(study)["parameters"]
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name]["truth"] == pytest.approx(
            value, rel=SIX_SIGNIFICANT_DIGITS, abs=EXACT_ARITHMETIC
        )


@pytest.mark.parametrize("study", QUOTAS)
def test_two_hundred_replications_recover_every_parameter(study: str) -> None:
    found = committed(study)
    assert found["replications"] == 200
    off = {
        name: row["bias_in_mcse"]
        for name, row in found["parameters"].items()
        if abs(row["mean"] - row["truth"]) > MONTE_CARLO_SIGMAS * row["mcse"]
    }
    assert off == {}


@pytest.mark.parametrize("study", QUOTAS)
def test_fresh_seeds_recover_every_parameter(study: str) -> None:
    truth = quota_truth(study)
    studies = [drawn(truth, seed=seed) for seed in FRESH_SEEDS]
    runs = [recovered(one, truth) for one in studies]
    counts = [counted(one, truth) for one in studies]
    found = committed(study)
    known = {name: (row["truth"], row["sd"], 0.0) for name, row in found["parameters"].items()}
    off = {
        name: (truth_, np.mean([run[name] for run in runs]))
        for name, (truth_, sd, mcse) in known.items()
        if abs(np.mean([run[name] for run in runs]) - truth_)
        > MONTE_CARLO_SIGMAS * math.hypot(sd / math.sqrt(len(runs)), mcse)
    }
    for name in counts[0]:
        row, mean = found["counted"][name], np.mean([run[name] for run in counts])
        error = row["sd"] * math.sqrt(1.0 / len(runs) + 1.0 / found["replications"])
        if abs(mean - row["mean"]) > MONTE_CARLO_SIGMAS * error:
            off[name] = (row["mean"], mean)
    assert off == {}


@pytest.mark.parametrize("study", QUOTAS)
def test_a_study_must_come_near_to_its_own_truth(study: str) -> None:
    text = (ANALYSIS / study / "expected.json").read_text(encoding="utf-8")
    assert json.loads(text) == script("recovery").expected(committed(study))


def test_what_a_study_must_come_near_to_has_the_wrong_sign_under_two_way_fixed_effects() -> None:
    numbers = expected_of("quotas")
    naive = numbers["H11a.triangulation.naive_two_way_fixed_effects.estimate"]
    ours = numbers["H11a.estimate"]
    assert naive["expected"] + naive["tolerance"] < 0.0
    assert ours["expected"] - ours["tolerance"] > 0.2
    mirrored = expected_of("quotas_mirror")
    for number in ("H11a.estimate", "H11a.triangulation.naive_two_way_fixed_effects.estimate"):
        assert abs(mirrored[number]["expected"]) < 0.005


def test_money_of_waste_is_the_same_by_counting_and_by_moments() -> None:
    for study in QUOTAS:
        found = committed(study)["counted"]
        money, seen = found["money"], found["money_by_moments"]
        assert abs(money["mean"] - seen["mean"]) < MONTE_CARLO_SIGMAS * math.hypot(
            money["mcse"], seen["mcse"]
        )


def test_what_is_topped_up_is_seen_from_both_sides_of_the_quota() -> None:
    """Counted by the generator, and by a line through what lies on both sides: within a fifth."""
    found = committed("quotas")["counted"]
    for name in ("topped_up_share", "excess_bins"):
        ratio = found[f"seen_{name}"]["mean"] / found[name]["mean"]
        assert 0.8 < ratio < 1.2


# -- elementary estimates by hand ----------------------------------------------------------------


def test_slopes_are_those_of_least_squares_on_dummies() -> None:
    of = drawn_of("quotas")
    p = of.population
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, *of.weeks.tokens.shape))
    never = p.start > p.weeks
    own = (p.start == 5)[p.firm]
    found = _observed_slopes(x, y, p)
    rows = own[:, None] & ~p.mandated[p.firm]
    person, week = np.nonzero(rows)
    _, person = np.unique(person, return_inverse=True)
    X = np.column_stack([x[rows], np.eye(person.max() + 1)[person], np.eye(5)[week][:, 1:]])
    # cohorts are layouts of their own, so that the first one alone is least squares on its dummies
    assert never.sum() == 10
    alone = np.linalg.lstsq(X, y[rows], rcond=None)[0][0]
    only = _observed_slopes(
        np.where(own[:, None] | never[p.firm][:, None], x, 0.0),
        np.where(own[:, None] | never[p.firm][:, None], y, 0.0),
        p,
    )
    assert only["before"] == pytest.approx(alone, abs=1e-9)
    assert found["before"] != pytest.approx(alone, abs=1e-3)


def test_a_log_sd_and_a_variance_within_by_hand() -> None:
    of = drawn_of("quotas")
    p = of.population
    y = np.random.default_rng(5).normal(size=of.weeks.tokens.shape)
    first = y[p.firm == 0]
    assert _log_sds(y, p)[0] == pytest.approx(np.log(first.std(axis=0, ddof=1)))
    away = [
        own - own.mean(axis=0) - own.mean(axis=1, keepdims=True) + own.mean()
        for own in (y[p.firm == f] for f in range(p.start.size))
    ]
    free = sum((len(own) - 1) * (p.weeks - 1) for own in away)
    by_hand = sum(float((own**2).sum()) for own in away) / free
    assert _within_variance(y, p) == pytest.approx(by_hand)
