"""Transfer: what it recovers, what it refuses, and what does not fool it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import AlcError, DeclarationError, TableError
from alc_stats.estimators import fit
from alc_stats.models import Claim, Evidence, Finding
from alc_stats.models.finding import Line
from alc_stats.models.transfer.claim import transfer
from alc_stats.models.transfer.data import TransferQuestion, transfer_data
from alc_stats.models.transfer.fits import crossed_model, gain_of, model_rows, without_tasks
from tolerances import EXACT_ARITHMETIC, OTHER_SEARCH

CLAIM = Claim("H9", "transfer", "Use by volume does not carry to far tasks.")
ASKED: dict[str, Any] = {
    "score": "score", "person": "person", "arm": "arm", "control": "none", "usage": "use",
    "schema": "train", "novelty": "novelty", "task": "task", "firm": "firm", "bounds": (0, 100),
    "smallest": 2.0,
}  # fmt: skip
LEVELS = ("familiar", "near", "far")
ARMS = ("none", "use", "train")
DRAWS = 60
RARE = int(stats.binom.ppf(0.999, DRAWS, 0.05))
"""More false rejections than this are seen once in 1,000 runs of a test of size 5 %."""
USE = gain_of("far", "usage", "control")
WITNESS = Path(__file__).parents[1] / "reference" / "transfer" / "problems.json"


def crossed(
    seed: int,
    *,
    gains: dict[tuple[str, str], float] | None = None,
    firms: int = 30,
    persons: int = 10,
    tasks: int = 8,
    slope_sd: float = 0.0,
    firm_sd: float = 1.0,
    mean: tuple[float, float, float] = (54.0, 52.0, 50.0),
    noise: float = 8.0,
    per_difficulty: float = 0.0,
) -> pd.DataFrame:
    """Firms in three arms; every person meets every task; tasks differ in what an arm does."""
    rng = np.random.default_rng(seed)
    people, things = firms * persons, 3 * tasks
    table = pd.MultiIndex.from_product(
        [range(people), range(things)], names=["person", "task"]
    ).to_frame(index=False)
    table["firm"] = table["person"] // persons
    arm, level = table["firm"].to_numpy() % 3, table["task"].to_numpy() % 3
    table["arm"], table["novelty"] = np.array(ARMS)[arm], np.array(LEVELS)[level]
    effect = np.array([[(gains or {}).get((a, v), 0.0) for v in LEVELS] for a in ARMS])
    ease = np.array(mean)[np.arange(things) % 3] + 4 * rng.normal(size=things)
    task = table["task"].to_numpy()
    table["score"] = (
        ease[task]
        + effect[arm, level]
        + per_difficulty * (50.0 - ease[task]) * (arm == 2)
        + (firm_sd * rng.normal(size=firms))[table["firm"]]
        + (6 * rng.normal(size=people))[table["person"]]
        + (slope_sd * rng.normal(size=(things, 3)))[task, arm]
        + noise * rng.normal(size=len(table))
    ).clip(0.0, 100.0)
    return table


TRUE = {("use", "familiar"): 2.0, ("train", "familiar"): 1.0, ("train", "far"): 6.0}


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return transfer(data, CLAIM, **(ASKED | how))


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


def line(finding: Finding, method: str) -> Line:
    return next(t for t in finding.triangulation if t.method == method)


def value(finding: Finding, method: str) -> float:
    found = line(finding, method).value
    assert found is not None
    return found


@pytest.fixture(scope="module")
def true_theory() -> Finding:
    return asked(crossed(1, gains=TRUE))


# -- verdicts ------------------------------------------------------------------------------------


def test_a_true_theory_is_supported(true_theory: Finding) -> None:
    assert true_theory.decision.verdict == "supported"
    assert [part.primary for part in true_theory.triangulation[:4]] == [True, True, True, False]
    assert true_theory.p == max(part.p or 0.0 for part in true_theory.triangulation[:3])


def test_use_that_carries_contradicts_the_theory() -> None:
    assert asked(crossed(1, gains={("use", "far"): 6.0})).decision.verdict == "contradicted"


def test_training_without_a_loss_on_familiar_tasks_is_a_corrective() -> None:
    found = asked(crossed(2, gains={("train", "far"): 6.0}, firms=60, firm_sd=0.5),
                  asks="corrective", smallest=5.0)  # fmt: skip
    assert found.decision.verdict == "supported"
    loses = {("train", "far"): 6.0, ("train", "familiar"): -6.0}
    lost = asked(crossed(2, gains=loses, firms=60, firm_sd=0.5), asks="corrective", smallest=5.0)
    assert lost.decision.verdict == "contradicted"


def test_an_arm_that_is_not_there_is_said_to_be_untested() -> None:
    found = asked(crossed(3, firms=60), schema=None, smallest=4.0)
    assert found.decision.verdict == "supported"
    assert "schema training, for want of a schema arm" in found.decision.reason.template
    alone = asked(crossed(3, gains=TRUE), control=None)
    assert "the usage arm's own gain" in alone.decision.reason.template


def test_the_smallest_gain_is_a_fifth_of_the_untreated_sd() -> None:
    table = crossed(4, firms=12)
    free = table[(table["arm"] == "none") & (table["novelty"] == "far")]
    within = free["score"] - free.groupby("task")["score"].transform("mean")
    sd = np.sqrt((within**2).sum() / (len(free) - free["task"].nunique()))
    numbers = asked(table, smallest=None).observed.numbers
    assert numbers["smallest_gain"].value == pytest.approx(0.2 * sd, rel=EXACT_ARITHMETIC)


# -- what is estimated ---------------------------------------------------------------------------


def test_in_a_balanced_design_gains_are_differences_of_means() -> None:
    table = crossed(5, gains=TRUE, firms=12)
    means = table.groupby(["arm", "novelty"])["score"].mean()
    found = asked(table)
    for name, arm in (("Usage", "use"), ("Schema", "train")):
        for level in LEVELS:
            expected = means[arm, level] - means["none", level]
            got = value(found, f"{name} over control, {level} tasks")
            assert got == pytest.approx(expected, abs=1e-8)
    both = (means["train", "far"] - means["train", "familiar"]) - (
        means["use", "far"] - means["use", "familiar"]
    )
    assert value(found, "Schema over usage, far less familiar") == pytest.approx(both, abs=1e-8)


def test_with_a_time_before_gains_are_differences_in_differences() -> None:
    before, after = crossed(6, firms=12), crossed(6, gains=TRUE, firms=12)
    head_start = 5.0 * (before["arm"] == "use")
    table = pd.concat([before.assign(post=0, score=before["score"] + head_start),
                       after.assign(post=1, score=after["score"] + head_start)])  # fmt: skip
    found = asked(table.reset_index(drop=True), post="post", bounds=(0, 200))
    assert value(found, "Usage over control, far tasks") == pytest.approx(0.0, abs=1e-6)
    assert value(found, "Schema over control, far tasks") == pytest.approx(6.0, abs=1e-6)


def test_degrees_of_freedom_are_at_most_those_of_what_was_assigned(true_theory: Finding) -> None:
    assert max(part.df or 0.0 for part in true_theory.triangulation[:3]) <= 30 - 3


def test_the_model_is_that_of_lme4_on_real_problems() -> None:
    folder = Path(os.environ.get("ALC_STATS_DATA", "none")) / "bastani-genai-harm"
    if not (folder / "problem_part3.csv").exists():
        pytest.skip("needs bastani-genai-harm/problem_part3.csv in ALC_STATS_DATA")
    raw = pd.read_csv(folder / "problem_part3.csv")
    rows = raw[(raw["Honors"] == 0) & raw["gpa_prev"].notna() & raw["Grader"].notna()]
    rows = rows.astype({"Grader": str, "Session": str, "Year": str})
    question = TransferQuestion(
        score="Score", person="Student ID", arm="Treatment arm", control="control",
        usage="vanilla", schema="augmented", task="Problem", firm="Class", bounds=(0, 1),
        covariates=("gpa_prev", "teacher", "Grader", "Session", "Year"),
    )  # fmt: skip
    model, known = crossed_model(transfer_data(rows, question)), json.loads(WITNESS.read_text())
    pairs = (("base", "usage", "control"), ("tutor", "schema", "control"),
             ("tutor_over_base", "schema", "usage"))  # fmt: skip
    for name, arm, other in pairs:
        e = model.gain(gain_of("far", arm, other))
        assert e.value == pytest.approx(known["estimate"][name], abs=OTHER_SEARCH)
        assert e.se == pytest.approx(known["se"][name], abs=OTHER_SEARCH)
        assert e.df == pytest.approx(known["df"][name], rel=1e-3)


def answered(seed: int, gains: dict[tuple[str, str], float], **how: Any) -> pd.DataFrame:
    """Right or wrong, with a chance that is logistic in the score; gains are 6 to the log odds."""
    table = crossed(seed, gains=gains, **how)
    chance = 1.0 / (1.0 + np.exp(-(table["score"] - 50.0) / 6.0))
    draws = np.random.default_rng(seed + 1000).random(len(table))
    return table.assign(score=(draws < chance).astype(float))


def test_right_and_wrong_answers_are_decided_in_probability_and_shown_in_log_odds() -> None:
    table = answered(30, TRUE, firms=30, tasks=6, noise=0.01)
    found = asked(table, smallest=None, bounds=None)
    assert found.observed.numbers["smallest_gain"].value == 0.05
    means = table.groupby(["arm", "novelty"])["score"].mean()
    for name, arm in (("Usage", "use"), ("Schema", "train")):
        raw = means[arm, "far"] - means["none", "far"]
        part = line(found, f"{name} over control, far tasks")
        assert part.unit == "probability"
        assert part.value == pytest.approx(raw, abs=0.01)
    odds = line(found, "Schema over control, far tasks, log odds")
    assert odds.unit == "log odds"
    assert (odds.low or 9.0) < 6.0 / 6.0 < (odds.high or -9.0)


def test_right_and_wrong_answers_with_a_time_before() -> None:
    before, after = answered(31, {}, firms=18, tasks=5), answered(32, TRUE, firms=18, tasks=5)
    table = pd.concat([before.assign(post=0), after.assign(post=1)], ignore_index=True)
    found = asked(table, post="post", bounds=None)
    means = table.groupby(["arm", "post", "novelty"])["score"].mean()
    raw = sum(sign * means[arm, post, "far"] for arm, post, sign in (
        ("train", 1, 1), ("train", 0, -1), ("none", 1, -1), ("none", 0, 1)))  # fmt: skip
    assert value(found, "Schema over control, far tasks") == pytest.approx(raw, abs=0.02)


# -- artefacts -----------------------------------------------------------------------------------


def test_tasks_taken_as_fixed_reject_far_too_often_and_ours_do_not() -> None:
    ours = naive = 0
    for seed in range(DRAWS):
        table = crossed(seed, firms=150, persons=1, tasks=6, slope_sd=6.0, firm_sd=0.0)
        table = table[table["novelty"] == "far"]
        question = TransferQuestion(**(ASKED | {"firm": None, "schema": None}))
        rows = transfer_data(table, question)
        model = crossed_model(rows)
        ours += model.gain(USE).p_value < 0.05
        naive += without_tasks(rows, model).gain(USE).p_value < 0.05
    assert ours <= RARE
    assert naive > 2 * RARE


def test_no_gain_at_the_boundary_is_found_in_one_of_twenty() -> None:
    """A true gain of exactly the smallest effect must not be called none more often."""
    false = 0
    for seed in range(DRAWS):
        table = crossed(seed, gains={("use", "far"): 4.0}, firms=20, persons=4, tasks=5)
        table = table[(table["novelty"] == "far") & (table["arm"] != "train")]
        rows = transfer_data(table, TransferQuestion(**(ASKED | {"schema": None})))
        gain = crossed_model(rows).gain(USE)
        false += gain.interval(0.90)[1] < 4.0
    assert false <= RARE


def test_novelty_that_is_only_difficulty_is_seen_through() -> None:
    table = crossed(8, per_difficulty=0.6, mean=(54.0, 51.0, 48.0), tasks=16, noise=5.0)
    found = asked(table, smallest=1.0)
    assert value(found, "Schema over usage, far less familiar") > 2.0
    assert evidence(found, "difficulty").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_levels_that_do_not_overlap_in_difficulty_cannot_be_told_from_it() -> None:
    found = asked(crossed(9, gains=TRUE, mean=(80.0, 50.0, 20.0)))
    assert evidence(found, "difficulty").outcome == "threat"
    assert "cannot be told from difficulty" in evidence(found, "difficulty").finding.template


def test_a_floor_hides_gains_and_supports_nothing() -> None:
    table = crossed(10, firms=60, mean=(54.0, 30.0, -40.0))
    found = asked(table, schema=None, smallest=4.0)
    assert found.triangulation[0].note.template.startswith("supported")
    assert evidence(found, "floor and ceiling").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_an_interaction_that_log_odds_turn_round_is_a_threat() -> None:
    gains = {("train", "familiar"): 14.0, ("train", "far"): 8.0}
    found = asked(crossed(11, gains=gains, mean=(50.0, 30.0, 8.0), noise=2.0))
    assert value(found, "Schema over usage, far less familiar") < 0.0
    assert value(found, "Schema over usage, far less familiar, log odds") > 0.0
    assert evidence(found, "scale").outcome == "threat"


def test_far_tasks_that_were_practised_teach_the_test() -> None:
    table = crossed(12, gains=TRUE, firms=12)
    table["known"] = ((table["arm"] == "train") & (table["task"] == 2)).astype(int)
    assert evidence(asked(table, practised="known"), "teaching to the test").outcome == "threat"
    assert evidence(asked(table.assign(known=0), practised="known"),
                    "teaching to the test").outcome == "clear"  # fmt: skip


def test_few_tasks_say_little_about_others() -> None:
    found = asked(crossed(13, gains=TRUE, tasks=3, firms=12))
    assert evidence(found, "tasks as fixed").outcome == "threat"
    untold = asked(crossed(13, gains=TRUE, firms=12), task=None)
    assert evidence(untold, "tasks as fixed").outcome == "not tested"


def test_three_firms_an_arm_support_nothing_that_exchanging_them_does_not() -> None:
    found = asked(crossed(14, gains=TRUE, firms=9, persons=30))
    assert evidence(found, "few clusters").outcome == "threat"
    assert line(found, "Schema over usage, far tasks, units as units").p == pytest.approx(0.1)


def test_dates_before_the_score_are_clear() -> None:
    table = crossed(15, firms=12).assign(coded="2025-01-01", scored="2025-02-01")
    found = asked(table, coded="coded", scored="scored")
    assert evidence(found, "novelty coded after").outcome == "clear"


# -- bad input -----------------------------------------------------------------------------------


def refused(data: pd.DataFrame, **how: Any) -> AlcError:
    with pytest.raises((DeclarationError, TableError)) as caught:
        asked(data, **how)
    return caught.value


def test_a_task_seen_by_one_person_is_refused() -> None:
    table = crossed(20, firms=6)
    table = table[(table["task"] != 5) | (table["person"] == 3)]
    said = str(refused(table))
    assert "a task was seen by one person" in said
    assert "1 of 24 tasks" in said
    assert "task families" in said


def test_one_cluster_in_an_arm_is_refused() -> None:
    table = crossed(21, firms=6)
    said = str(refused(table[~table["firm"].isin([1])].reset_index(drop=True)))
    assert "arm 'use' has one cluster" in said
    assert "leave firm out" in said


def test_novelty_coded_after_the_outcome_is_refused() -> None:
    table = crossed(22, firms=6).assign(coded="2025-03-01", scored="2025-02-01")
    said = str(refused(table, coded="coded", scored="scored"))
    assert "novelty was coded after the outcome" in said
    assert "people who know no results" in said


def test_novelty_that_varies_within_a_task_is_refused() -> None:
    table = crossed(23, firms=6)
    table.loc[(table["task"] == 2) & (table["score"] > 50), "novelty"] = "near"
    said = str(refused(table))
    assert "the novelty of a task varies" in said
    assert "fixed before outcomes" in said


def test_a_treatment_that_never_varies_is_refused() -> None:
    table = crossed(24, firms=6)
    said = str(refused(table[table["arm"] == "use"], control=None, schema=None))
    assert "the treatment never varies" in said
    assert "there are not two arms to compare" in said


@pytest.mark.parametrize(
    ("change", "how", "said"),
    [
        ({}, {"usage": "used"}, "Did you mean 'use'?"),
        ({}, {"smallest": -1.0}, "the smallest effect is not positive"),
        ({}, {"bounds": (100, 0)}, "the bounds are not in order"),
        ({}, {"bounds": (0, 40)}, "scores lie outside their bounds"),
        ({}, {"asks": "x"}, "Allowed: 'transfer', 'corrective'"),
        ({}, {"coded": "task"}, "beside the date of the score"),
        ({}, {"asks": "corrective", "schema": None}, "on far and on familiar tasks"),
        ({}, {"task": "tusk"}, "the table has no column 'tusk'"),
        ({"novelty": "new"}, {}, "the column of novelty holds other values"),
        ({"novelty": "near"}, {}, "no task is far"),
        ({"score": 50.0}, {}, "the score is constant"),
        ({"post": 1}, {"post": "post"}, "not 0 before and 1 after"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_sentence(
    change: dict[str, Any], how: dict[str, Any], said: str
) -> None:
    assert said in str(refused(crossed(25, firms=6).assign(**change), **how))


def test_ids_may_be_categories() -> None:
    table = crossed(30, firms=12)
    kinds = table.astype(dict.fromkeys(("person", "firm", "task", "arm", "novelty"), "category"))
    assert asked(kinds) == asked(table)


def test_labels_of_rows_may_repeat() -> None:
    table = crossed(29, firms=12)
    both = pd.concat([table.assign(post=0), table.assign(post=1)])
    assert asked(both, post="post") == asked(both.reset_index(drop=True), post="post")


def test_rows_without_an_arm_are_refused() -> None:
    table = crossed(28, firms=6)
    table.loc[:3, "arm"] = None
    table.loc[:1, "score"] = np.nan
    said = str(refused(table))
    assert "2 rows with a score have no arm" in said
    assert "Leave these rows out when the data are prepared" in said


def test_firms_in_two_arms_are_refused() -> None:
    table = crossed(26, firms=6)
    table.loc[table["person"] == 0, "arm"] = "use"
    assert "are in several arms" in str(refused(table))


def test_the_random_part_says_what_was_not_found() -> None:
    rows = transfer_data(crossed(27, firms=12), TransferQuestion(**ASKED))
    model = crossed_model(rows)
    assert {"person", "firm", "task", "task:arm"} <= set(model.groupings)
    assert model.fit.certificate.usable
    full = fit(model.fit.request.formula, model_rows(rows))
    assert full.loglik == pytest.approx(model.fit.loglik, rel=EXACT_ARITHMETIC)
