"""The folders of the simulated studies: declared, prepared and described as the truth says."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from alc_stats import schemas
from alc_stats.data.ledger import Ledger
from alc_stats.simulate import write_tables
from alc_stats.simulate.recovery import person_weeks
from alc_stats.study import read_study
from simulate.studies import ANALYSIS, STUDIES, tables_of, true_values, truth_of


@functools.cache
def prepared() -> tuple[dict[str, pd.DataFrame], Ledger]:
    """The reference study's prepare.py on one draw, through files."""
    spec = importlib.util.spec_from_file_location(
        "reference_prepare", ANALYSIS / "reference" / "prepare.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder:
        return module.prepare(write_tables(tables_of("reference"), Path(folder)), ledger), ledger


@pytest.mark.parametrize("study", STUDIES)
def test_the_declaration_holds_together(study: str) -> None:
    declared = read_study(ANALYSIS / study)
    assert declared.study.simulated
    known = true_values(study)
    for exhibit in declared.exhibits:
        assert set((exhibit.truths or {}).values()) <= set(known)


def test_the_mirror_asks_the_same_questions() -> None:
    reference, mirror = (read_study(ANALYSIS / study) for study in STUDIES)
    assert mirror.hypotheses == reference.hypotheses
    assert mirror.models == reference.models
    assert mirror.tables == reference.tables


def test_prepared_tables_satisfy_their_schemas() -> None:
    tables, _ = prepared()
    declared = read_study(ANALYSIS / "reference").tables
    assert set(tables) == {table.id for table in declared}
    for table in declared:
        schema = schemas.read(ANALYSIS / "reference" / table.schema)
        report = schemas.check(schema, tables[table.id])
        assert report.ok, str(report)


def test_every_person_has_usage_in_every_wave_and_no_event_is_lost() -> None:
    tables, ledger = prepared()
    raw = tables_of("reference")
    assert len(tables["usage"]) == raw["survey"]["person_id"].nunique() * 4
    assert tables["usage"]["events"].sum() == len(raw["usage_event"])
    assert len(tables["person_wave"]) == len(raw["survey"])
    assert tables["person_wave"]["log_tokens"].notna().all()
    assert {row.dropped for row in ledger.rows() if row.step == "usage events"} == {0}


def test_waves_of_the_log_are_those_of_the_generator() -> None:
    tables, _ = prepared()
    raw = tables_of("reference")
    weeks = person_weeks(raw["usage_event"], raw["survey"], truth_of("reference").design)
    events = weeks.groupby(["person_id", "wave"])["events"].sum()
    ours = tables["usage"].set_index(["person_id", "wave"])["events"].sort_index()
    pd.testing.assert_series_equal(ours, events, check_dtype=False, check_index_type=False)


def test_programmes_begin_after_the_first_wave() -> None:
    tables, _ = prepared()
    for name in ("usage", "person_wave"):
        marked = tables[name].groupby(["arm", "wave"])[["mandate_post", "training_post"]].mean()
        for (arm, wave), row in marked.iterrows():
            assert row["mandate_post"] == float(arm == "mandate" and wave > 0)
            assert row["training_post"] == float(arm == "schema_training" and wave > 0)


def test_the_table_of_the_readme_is_the_truth() -> None:
    text = (ANALYSIS / "reference" / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    shown = {row[0].strip(): tuple(map(float, row[1:3])) for row in rows[1:]}
    values = [true_values(study) for study in STUDIES]
    assert len(shown) == 15
    assert shown == {name: tuple(truth[name] for truth in values) for name in shown}
