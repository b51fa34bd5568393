"""The folders of the study of quotas and its mirror: declared, prepared, described, decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from alc_stats import schemas
from alc_stats.errors import TableError
from alc_stats.models.finding import Finding
from alc_stats.simulate import QuotaTruth, parameters, write_tables
from alc_stats.study import read_study
from alc_stats.study.gathering import check_sources
from alc_stats.study.questions import ask
from simulate.quota_studies import QUOTAS, drawn_of, prepared, quota_truth
from simulate.studies import ANALYSIS

TRUE_IN_QUOTAS = {
    "H11a": True,
    "H11b": True,
    "H11c": True,
    "H11d": True,
    "H12a": True,
    "H12b": False,
    "H13": True,
    "H15": True,
}
"""Which hypotheses hold in the truth; in the mirror H11b alone, since capability stays in both."""


def test_the_mirror_asks_the_same_questions() -> None:
    quotas, mirror = (read_study(ANALYSIS / study) for study in QUOTAS)
    assert quotas.study.simulated
    assert mirror.study.simulated
    assert mirror.hypotheses == quotas.hypotheses
    assert mirror.tables == quotas.tables
    assert {h.id for h in quotas.hypotheses} == set(TRUE_IN_QUOTAS)


@pytest.mark.parametrize("study", QUOTAS)
def test_prepared_tables_satisfy_their_schemas(study: str) -> None:
    declared = read_study(ANALYSIS / study).tables
    assert {table.id for table in declared} == set(prepared(study))
    for table in declared:
        schema = schemas.read(ANALYSIS / "quotas" / table.schema)
        report = schemas.check(schema, prepared(study)[table.id])
        assert report.ok, str(report)


def test_simulated_files_are_checked_against_the_schemas_beside_the_study(tmp_path: Path) -> None:
    study, tables = read_study(ANALYSIS / "quotas_mirror"), dict(drawn_of("quotas_mirror").tables)
    check_sources(study, write_tables(tables, tmp_path))
    tables["person"] = tables["person"].replace({"kind": {"gamer": "thief"}})
    with pytest.raises(TableError, match="thief"):
        check_sources(study, write_tables(tables, tmp_path))


def test_no_row_is_lost_and_mandates_begin_with_their_week() -> None:
    weeks, p = prepared("quotas")["weeks"], drawn_of("quotas").population
    assert len(weeks) == p.firm.size * p.weeks
    assert len(prepared("quotas")["tasks"]) == len(drawn_of("quotas").tables["task"])
    for column, expected in (
        ("mandate", p.mandated[p.firm]),
        ("mandated", (p.start < p.weeks)[p.firm][:, None].repeat(p.weeks, axis=1)),
    ):
        assert (weeks[column].to_numpy().reshape(-1, p.weeks) == expected).all()
    assert (weeks["week"] >= weeks["start"]).equals(weeks["mandate"] == 1)
    notice = (weeks["start"] - weeks["announced"]).dropna()
    assert (notice == quota_truth("quotas").design.notice).all()


def test_never_mandated_firms_have_a_time_after() -> None:
    weeks = prepared("quotas")["weeks"]
    never = weeks[weeks["mandated"] == 0]
    assert never["quota"].isna().all()
    # 22, 14 and 14 firms start in weeks 5, 9 and 13: the middle one in week 9
    assert (never["post"] == (never["week"] >= 9)).all()


def test_prices_are_those_of_the_day() -> None:
    tasks = prepared("quotas")["tasks"].merge(
        drawn_of("quotas").tables["task"][["task_id", "date"]], on="task_id"
    )
    early = tasks[(tasks["model_version"] == "m1") & (tasks["date"] < "2026-04-01")]
    late = tasks[(tasks["model_version"] == "m1") & (tasks["date"] >= "2026-04-01")]
    for rows, tokens_in, tokens_out in ((early, 3.0, 15.0), (late, 2.5, 12.5)):
        assert len(rows) > 1000
        paid = (tokens_in * rows["tokens_in"] + tokens_out * rows["tokens_out"]) / 1e6
        assert (paid - rows["money"]).abs().max() < 1e-12


@pytest.mark.parametrize("study", QUOTAS)
@pytest.mark.parametrize("hypothesis", [h for h in TRUE_IN_QUOTAS if h != "H15"])
def test_what_is_true_is_supported_and_nothing_else(study: str, hypothesis: str) -> None:
    found = _found(study, hypothesis)
    holds = TRUE_IN_QUOTAS[hypothesis] if study == "quotas" else hypothesis == "H11b"
    assert (found.decision.verdict == "supported") == holds


def test_waste_is_supported_where_there_is_more_under_a_mandate() -> None:
    assert _found("quotas", "H15").decision.verdict == "supported"
    assert _found("quotas_mirror", "H15").decision.verdict == "equivalent"


def test_two_way_fixed_effects_are_shown_with_the_wrong_sign() -> None:
    found = _found("quotas", "H11a")
    line = next(x for x in found.triangulation if x.method == "Naive: two-way fixed effects")
    assert line.value is not None
    assert line.value < 0.0
    assert "Not to be trusted" in line.note.template
    assert found.estimate is not None
    assert found.estimate.value > 0.0


def test_the_table_of_the_readme_is_the_truth() -> None:
    text = (ANALYSIS / "quotas" / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    shown = {row[0].strip(): tuple(map(float, row[1:3])) for row in rows[1:]}
    values = [parameters(ANALYSIS / study / "truth.toml", QuotaTruth) for study in QUOTAS]
    assert len(shown) == 12
    assert shown == {name: tuple(truth[name].value for truth in values) for name in shown}


def _found(study: str, hypothesis: str) -> Finding:
    """As the study itself finds it, with its own seed."""
    declared = read_study(ANALYSIS / study)
    assert declared.simulation is not None
    (h,) = (h for h in declared.hypotheses if h.id == hypothesis)
    return ask(h, prepared(study, declared.simulation.seed))
