"""Firms under quotas: valid tables, potential outcomes, and people of three kinds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alc_stats import schemas
from alc_stats.errors import DeclarationError
from alc_stats.simulate import (
    QuotaTruth,
    parameters,
    quotas,
    read_quota_truth,
    without_mandate,
    write_tables,
)
from alc_stats.simulate.generators import drawn as drawn_by_name
from alc_stats.simulate.quota_people import GAMER, KINDS, NEVER
from alc_stats.simulate.quota_recovery import _two_way, difference_in_differences
from simulate.quota_studies import QUOTAS, SEED, drawn_of, quota_truth
from simulate.studies import ANALYSIS
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS

TABLES = ("mandate", "person", "person_week", "task")


@pytest.mark.parametrize("study", QUOTAS)
def test_every_table_satisfies_its_schema(study: str) -> None:
    tables = drawn_of(study).tables
    assert tuple(tables) == TABLES
    for name, table in tables.items():
        own = ANALYSIS / "quotas" / f"{name}.schema.json"
        report = schemas.check(schemas.read(own if own.exists() else name), table)
        assert report.ok, str(report)
        assert table["simulated"].all()


def test_files_say_that_they_are_simulated_and_the_long_one_is_parquet(tmp_path: Path) -> None:
    files = write_tables(drawn_of("quotas").tables, tmp_path)
    assert [path.name for path in files.values()] == [
        "mandate_SIMULATED.csv",
        "person_SIMULATED.csv",
        "person_week_SIMULATED.csv",
        "task_SIMULATED.parquet",
    ]


def test_the_same_seed_gives_the_same_tables_and_another_does_not() -> None:
    again, _ = drawn_by_name("quotas", ANALYSIS / "quotas" / "truth.toml", seed=SEED)
    for name, table in drawn_of("quotas").tables.items():
        pd.testing.assert_frame_equal(again[name], table)
    other = quotas(quota_truth("quotas"), seed=SEED + 1)["task"]["quality"]
    assert (other.iloc[:1000] == again["task"]["quality"].iloc[:1000]).mean() < 0.05


def test_a_generator_is_drawn_by_its_name() -> None:
    tables, values = drawn_by_name("reference", ANALYSIS / "reference" / "truth.toml", seed=1)
    assert "usage_event" in tables
    assert values["awareness.mandate"] == 0.35
    _, values = drawn_by_name("quotas", ANALYSIS / "quotas" / "truth.toml", seed=1)
    assert values["awareness.mandate"] == 5.0


def test_cohorts_have_their_firms_and_firms_their_size() -> None:
    design, p = quota_truth("quotas").design, drawn_of("quotas").population
    starts = {
        int(s): int(n) for s, n in zip(design.cohort_starts, design.cohort_firms, strict=True)
    }
    found = dict(zip(*np.unique(p.start, return_counts=True), strict=True))
    assert found == starts | {NEVER: design.never_firms}
    sizes = np.bincount(p.firm)
    assert sizes.min() >= design.persons_per_firm - design.firm_size_spread
    assert sizes.max() <= design.persons_per_firm + design.firm_size_spread


def test_a_quota_is_announced_before_it_holds() -> None:
    mandate = drawn_of("quotas").tables["mandate"].dropna(subset=["start_date"])
    notice = mandate["start_date"] - mandate["announce_date"]
    assert (notice == pd.Timedelta(weeks=quota_truth("quotas").design.notice)).all()
    assert (mandate["start_date"].dt.day_of_week == 0).all()


def test_graded_tasks_are_part_of_the_week() -> None:
    tables = drawn_of("quotas").tables
    task = tables["task"].assign(tokens=lambda t: t["tokens_in"] + t["tokens_out"])
    graded = task.groupby(["person_id", "week"])["tokens"].sum()
    week = tables["person_week"].set_index(["person_id", "week"])["tokens"]
    assert (graded.reindex(week.index) <= week).all()
    assert (tables["person_week"]["tokens_late"] <= tables["person_week"]["tokens"]).all()
    assert (tables["person_week"]["repeat_prompts"] <= tables["person_week"]["prompts"]).all()


# -- potential outcomes --------------------------------------------------------------------------


def test_the_mirror_is_the_same_world_without_a_mandate() -> None:
    assert quota_truth("quotas_mirror") == without_mandate(quota_truth("quotas"))
    assert without_mandate(quota_truth("quotas_mirror")) == quota_truth("quotas_mirror")


def test_only_mandated_weeks_and_their_notice_differ_from_potential_outcomes() -> None:
    of = drawn_of("quotas")
    p = of.population
    touched = (p.mandated | p.announced)[p.firm].ravel()
    for name in ("mandate", "person"):
        pd.testing.assert_frame_equal(of.tables[name], of.twin[name])
    here, there = of.tables["person_week"], of.twin["person_week"]
    pd.testing.assert_frame_equal(here[~touched], there[~touched])
    assert (here["tokens"] >= there["tokens"]).all()
    under = p.mandated[p.firm].ravel()
    assert (here["tokens"] > there["tokens"])[under].mean() > 0.99
    assert here["accepted"].equals(there["accepted"])


def test_log_sds_move_by_what_is_put_in_whatever_the_law() -> None:
    of = drawn_of("quotas")
    under = of.population.mandated[of.population.firm].ravel()
    sds = [
        t["person_week"][under].groupby(["firm_id", "week"])["capability"].std().map(np.log)
        for t in (of.tables, of.twin)
    ]
    ratio = quota_truth("quotas").capability.log_sd_ratio
    # scores are rounded to a tenth and clipped at 100, where 0.03 % of them lie
    assert float((sds[0] - sds[1]).mean()) == pytest.approx(ratio, abs=0.002)


# -- kinds of people -----------------------------------------------------------------------------


def test_gamers_alone_top_up_and_end_just_above_their_quota() -> None:
    of, law = drawn_of("quotas"), quota_truth("quotas").gaming
    p, lifted = of.population, of.weeks.lift > 0.0
    assert lifted.sum() > 200
    assert (p.kind[lifted.any(axis=1)] == GAMER).all()
    assert not (lifted & ~p.mandated[p.firm]).any()
    ratio = (of.weeks.tokens / p.quota[p.firm][:, None])[lifted]
    assert ratio.min() >= 1.0
    assert ratio.max() <= 1.0 + law.overshoot
    assert not (drawn_of("quotas_mirror").weeks.lift > 0.0).any()


def test_padding_shows_as_repeated_prompts_of_gamers_under_a_mandate() -> None:
    of = drawn_of("quotas")
    p = of.population
    week = of.tables["person_week"]
    repeated = (week["repeat_prompts"] / week["prompts"]).to_numpy().reshape(-1, p.weeks)
    under = p.mandated[p.firm]
    usual = quota_truth("quotas").gaming.repeat_share
    for kind, name in enumerate(KINDS):
        own = (p.kind == kind)[:, None]
        assert repeated[own & ~under].mean() == pytest.approx(usual, abs=0.01)
        assert (repeated[own & under].mean() > 3.0 * usual) == (name == "gamer")


def test_honest_heavy_users_use_more_and_do_better_work_in_both_worlds() -> None:
    for study in QUOTAS:
        tables, truth = drawn_of(study).twin, quota_truth(study)
        people = tables["person"].set_index("person_id")["kind"] == "honest"
        tokens = (
            tables["person_week"].groupby("person_id")["tokens"].apply(lambda x: np.log(x).mean())
        )
        quality = tables["task"].groupby("person_id")["quality"].mean()
        for y, effect, sd in (
            (tokens, truth.log_tokens.honest, math.hypot(0.45, 0.20)),
            (quality, truth.quality.honest, math.hypot(5.0, 2.0)),
        ):
            gap = y[people].mean() - y[~people].mean()
            error = sd / math.sqrt(people.sum() * (1.0 - people.mean()))
            assert abs(gap - effect) < MONTE_CARLO_SIGMAS * error


# -- what the truth implies ----------------------------------------------------------------------


def test_effects_grow_so_that_two_way_fixed_effects_have_the_wrong_sign() -> None:
    """The population's regression, by least squares on dummies of firms and weeks."""
    truth, p = quota_truth("quotas"), drawn_of("quotas").population
    law = truth.log_tokens
    effect = np.zeros(p.mandated.shape)
    for f, start in enumerate(p.start):
        for t in range(p.weeks):
            if t >= start:
                effect[f, t] = law.step + law.growth[p.cohort[f]] * (t - start) ** 2
            elif start != NEVER and t >= start - truth.design.notice:
                effect[f, t] = law.announced
    firms, weeks = (x.ravel() for x in np.indices(effect.shape))
    X = np.column_stack(
        [p.mandated.ravel(), np.eye(len(p.start))[firms], np.eye(p.weeks)[weeks][:, 1:]]
    )
    slope = np.linalg.lstsq(X.astype(float), effect.ravel(), rcond=None)[0][0]
    assert slope < -0.08
    assert truth.effect_on_tokens > 0.30
    assert _two_way(effect, p.mandated) == pytest.approx(slope, abs=1e-9)
    assert difference_in_differences(effect, p) == pytest.approx(
        truth.effect_on_tokens, abs=EXACT_ARITHMETIC
    )


def test_mean_waste_is_that_of_a_half_normal_variable() -> None:
    law = quota_truth("quotas").task_tokens
    assert law.mean_waste(mandate=False) == pytest.approx(0.4 * math.sqrt(2 / math.pi))
    ratio = law.mean_waste(mandate=True) / law.mean_waste(mandate=False)
    assert ratio == pytest.approx(math.exp(0.5), abs=EXACT_ARITHMETIC)


def test_the_slope_under_a_mandate_is_the_mean_over_kinds() -> None:
    # 0.15 * 4 + 0.30 * 0 + 0.55 * 0.5
    assert quota_truth("quotas").slope_under == pytest.approx(0.875, abs=EXACT_ARITHMETIC)
    assert quota_truth("quotas_mirror").slope_under == pytest.approx(4.0, abs=EXACT_ARITHMETIC)


# -- the truth file ------------------------------------------------------------------------------


@pytest.mark.parametrize("study", QUOTAS)
def test_every_parameter_of_the_file_is_in_the_record(study: str) -> None:
    truth = quota_truth(study)
    for name, parameter in parameters(ANALYSIS / study / "truth.toml", QuotaTruth).items():
        group, field = name.split(".")
        assert getattr(getattr(truth, group), field) == parameter.value


def test_all_mistakes_of_a_truth_are_reported_at_once(tmp_path: Path) -> None:
    text = (ANALYSIS / "quotas" / "truth.toml").read_text(encoding="utf-8")
    for old, new in (
        ("cohort_starts = { values = [5, 9, 13]", "cohort_starts = { values = [2, 9, 24]"),
        ("growth = { values = [0.006, 0.0, 0.0]", "growth = { values = [0.006]"),
        ("honest_share = { value = 0.15", "honest_share = { value = 0.75"),
        ("topped_up_share = { value = 0.90", "topped_up_share = { value = 1.90"),
        (
            "[log_accepted]\n",
            "[log_accepted]\nmandat = { value = 1.0, unit = 'x', meaning = 'y' }\n",
        ),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "truth.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as raised:
        read_quota_truth(path)
    told = [str(problem) for problem in raised.value.problems]
    assert len(told) == 5
    for part in (
        "cohort_starts: a cohort starts before anything was seen without the mandate",
        "growth: has not one number a cohort",
        "kinds of people are more than everybody",
        "gaming.topped_up_share: is impossible. Found: 1.9",
        "unknown parameter 'mandat'",
    ):
        assert any(part in one for one in told), (part, told)
