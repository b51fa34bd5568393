"""The tables of the reference study: valid, marked, repeatable, and possible."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats import schemas
from alc_stats.errors import OutputError
from alc_stats.simulate import reference, write_tables
from alc_stats.simulate.population import populate, scores
from alc_stats.simulate.recovery import _chain
from alc_stats.simulate.streams import stream
from alc_stats.simulate.survey import right, survey
from simulate.studies import SEED, STUDIES, tables_of, truth_of
from tolerances import MONTE_CARLO_SIGMAS

TABLES = ("survey", "usage_event", "mandate", "platform_event")


@pytest.mark.parametrize("study", STUDIES)
def test_every_table_satisfies_its_schema(study: str) -> None:
    tables = tables_of(study)
    assert tuple(tables) == TABLES
    for name in TABLES:
        schema = schemas.read(name)
        keys = {key.resource for key in schema.foreign_keys}
        report = schemas.check(schema, tables[name], related={key: tables[key] for key in keys})
        assert report.ok, str(report)


def test_written_tables_satisfy_their_schemas_and_say_that_they_are_simulated(
    tmp_path: Path,
) -> None:
    tables = tables_of("reference")
    files = write_tables(tables, tmp_path / "derived")
    assert {name: path.name for name, path in files.items()} == {
        "survey": "survey_SIMULATED.csv",
        "usage_event": "usage_event_SIMULATED.parquet",
        "mandate": "mandate_SIMULATED.csv",
        "platform_event": "platform_event_SIMULATED.csv",
    }
    for name, path in files.items():
        report = schemas.check(schemas.read(name), path)
        assert report.ok, str(report)
        assert tables[name]["simulated"].all()
    pd.testing.assert_frame_equal(pd.read_parquet(files["usage_event"]), tables["usage_event"])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "derived").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot write the file"):
        write_tables(tables_of("reference"), tmp_path / "derived")


def test_the_same_seed_gives_the_same_tables() -> None:
    again = reference(truth_of("reference"), seed=SEED)
    for name, table in tables_of("reference").items():
        pd.testing.assert_frame_equal(again[name], table)


def test_another_seed_gives_other_numbers() -> None:
    truth = truth_of("reference")
    other = survey(truth, populate(truth.design, seed=SEED + 1), seed=SEED + 1)
    ours = tables_of("reference")["survey"]
    shared = min(len(other), len(ours))
    same = other["capability_far"].iloc[:shared] == ours["capability_far"].iloc[:shared]
    assert same.mean() < 0.05


def test_a_step_draws_from_a_stream_of_its_own() -> None:
    first = stream(1, "survey.aware").random(3)
    stream(1, "survey.folk").random(5)
    np.testing.assert_array_equal(stream(1, "survey.aware").random(3), first)
    assert not np.any(stream(1, "survey.folk").random(3) == first)
    assert not np.any(stream(2, "survey.aware").random(3) == first)


def test_both_truths_share_people_and_what_the_theory_is_not_about() -> None:
    theory, mirror = (tables_of(study)["survey"] for study in STUDIES)
    first = theory["wave"] == 0
    pd.testing.assert_frame_equal(theory[first], mirror[first])
    control = theory["arm"] == "control"
    pd.testing.assert_frame_equal(theory[control], mirror[control])


def test_arms_have_the_same_number_of_firms_and_firms_their_declared_size() -> None:
    table = tables_of("reference")["survey"]
    design = truth_of("reference").design
    firms = table.groupby("arm")["firm_id"].nunique()
    assert firms.to_dict() == dict.fromkeys(("control", "mandate", "schema_training"), 10)
    sizes = table[table["wave"] == 0].groupby("firm_id").size()
    assert sizes.min() >= design.persons_per_firm - design.firm_size_spread
    assert sizes.max() <= design.persons_per_firm + design.firm_size_spread


def test_the_first_wave_is_over_before_anything_is_announced() -> None:
    tables = tables_of("reference")
    mandate = tables["mandate"].dropna(subset=["start_date"])
    first = tables["survey"][tables["survey"]["wave"] == 0]
    assert first["date"].max() < mandate["announce_date"].min()
    assert (mandate["announce_date"] < mandate["start_date"]).all()
    later = tables["survey"][tables["survey"]["wave"] > 0]
    assert later["date"].min() > mandate["start_date"].max()


def test_who_has_the_same_access_has_the_same_tools_and_models() -> None:
    tables = tables_of("reference")
    people = tables["survey"].drop_duplicates("person_id")[["person_id", "access_level"]]
    events = tables["usage_event"].merge(people, on="person_id")
    tools = events.groupby("access_level")["tool"].unique().map(sorted)
    assert tools.to_dict() == {"basic": ["assistant"], "full": ["agent", "assistant"]}
    change = tables["platform_event"]["event_date"].iloc[0].tz_localize("UTC")
    assert ((events["timestamp"] >= change) == (events["model_version"] == "m2")).all()


def test_there_are_as_many_events_as_a_log_of_this_size_has() -> None:
    events = tables_of("reference")["usage_event"]
    assert 150_000 <= len(events) <= 300_000
    assert events["timestamp"].is_monotonic_increasing
    tokens = events["tokens_in"] + events["tokens_out"]
    assert tokens.mean() > 1.2 * tokens.median()  # exp(0.9**2 / 2) = 1.5 for one person alone


@pytest.mark.parametrize("study", STUDIES)
def test_little_lies_at_the_bounds(study: str) -> None:
    tables = tables_of(study)
    scored = tables["survey"].filter(regex="^(capability_|compliance)")
    assert ((scored <= 0) | (scored >= 100)).mean().max() < 0.005
    quality = tables["usage_event"]["quality"]
    assert ((quality <= 0) | (quality >= 100)).mean() < 0.005
    items = tables["survey"].filter(regex=r"^(aware|folk)_\d$")
    assert items.isin([1, 7]).mean().max() < 0.05


def test_knowledge_items_are_right_as_often_as_their_difficulty_says() -> None:
    knowledge = truth_of("reference").topology
    rng = stream(3, "test")
    n = 20_000
    score = knowledge.mean + 0.8 * rng.standard_normal(n)
    share = right(knowledge, score, rng).mean(axis=0)
    # y + error is normal with variance 0.8**2 + 1
    chance = stats.norm.sf((np.asarray(knowledge.difficulties) - knowledge.mean) / np.sqrt(1.64))
    error = np.sqrt(chance * (1 - chance) / n)
    assert (np.abs(share - chance) < MONTE_CARLO_SIGMAS * error).all()


def test_person_effects_correlate_as_the_abilities_say() -> None:
    truth = truth_of("reference")
    population = populate(truth.design, seed=SEED)
    before = [
        scores(outcome, population, stream(seed, "test"))[:, 0]
        for outcome, seed in ((truth.capability_familiar, 1), (truth.capability_far, 2))
    ]
    firm = pd.Series(population.firm)
    within = [y - pd.Series(y).groupby(firm).transform("mean") for y in before]
    law = truth.capability_familiar
    expected = law.ability**2 * law.person_sd**2 / (law.person_sd**2 + law.within_sd**2)
    error = (1 - expected**2) / np.sqrt(len(firm) - 30)
    assert abs(np.corrcoef(*within)[0, 1] - expected) < MONTE_CARLO_SIGMAS * error


def test_the_truth_against_a_chain_is_possible() -> None:
    truth = truth_of("reference")
    law = dataclasses.replace(truth.compliance, folk=0.0, capability=0.0)
    free = dataclasses.replace(truth, compliance=law)
    table = survey(free, populate(truth.design, seed=SEED), seed=SEED)
    found = _chain(table)
    sds = {"compliance.folk": 0.267, "compliance.capability": 0.0133}  # recovery.json
    assert all(abs(found[name]) < MONTE_CARLO_SIGMAS * sd for name, sd in sds.items())


def test_a_chain_leaves_every_other_column_as_it_was() -> None:
    truth = truth_of("reference")
    law = dataclasses.replace(truth.compliance, folk=0.0, capability=0.0)
    free = dataclasses.replace(truth, compliance=law)
    table = survey(free, populate(truth.design, seed=SEED), seed=SEED)
    ours = tables_of("reference")["survey"].drop(columns=["compliance", "simulated"])
    pd.testing.assert_frame_equal(table.drop(columns="compliance"), ours)
