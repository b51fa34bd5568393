from __future__ import annotations

from dataclasses import replace

from alc_stats.report.verdicts import verdict_table, world, worlds_tables
from report import examples


def test_the_verdict_table_holds_real_studies_only() -> None:
    table = verdict_table(examples.studies())
    assert {row.group for row in table.rows} == {examples.real_looking().title}
    assert not table.simulated


def test_estimate_and_interval_share_a_cell_and_decimals() -> None:
    cells = next(row for row in verdict_table(examples.studies()).grid() if row[0] == "H1b")
    estimate = "0.173 [0.012, 0.333]"  # 0.1726 - 1.95996 * 0.0819 = 0.0121
    assert cells[2:] == (estimate, ".035", "contradicted")


def test_a_unit_is_not_said_twice() -> None:
    study = examples.real_looking()
    said = replace(study.findings[2], statement="It falls by 0.2 log minutes.")
    (row,) = verdict_table([replace(study, findings=(said,))]).grid()
    assert row[1] == "It falls by 0.2 log minutes."


def test_worlds_stand_side_by_side_under_their_names() -> None:
    study = examples.simulated()
    true = replace(study, id="a", title="Firms, theory true")
    false = replace(
        study,
        id="b",
        title="Mirror, theory false",
        findings=tuple(
            replace(f, decision=replace(f.decision, verdict="contradicted"))
            for f in study.findings[:1]
        ),
    )
    (table,) = worlds_tables([true, examples.real_looking(), false])
    assert table.heading.startswith("SIMULATED DATA: ")
    assert table.spanners()[-2:] == (("Theory true", 2), ("Theory false", 2))
    first, second = table.grid()
    assert (first[3], first[5]) == (study.findings[0].decision.verdict, "contradicted")
    assert second[4:] == ("—", "—")


def test_studies_that_ask_other_things_have_a_table_of_their_own() -> None:
    study = examples.simulated()
    other = replace(
        study, id="b", findings=(replace(study.findings[0], statement="Something else."),)
    )
    tables = worlds_tables([study, other])
    assert [t.id for t in tables] == [f"worlds_{study.id}", "worlds_b"]
    assert [t.spanners()[-1][1] for t in tables] == [2, 2]


def test_a_world_is_named_by_the_last_clause_of_its_title() -> None:
    study = replace(examples.simulated(), title="Firms, mandates and schools, theory true")
    assert world(study) == "Theory true"


def test_without_simulated_studies_there_are_no_worlds() -> None:
    assert worlds_tables([examples.real_looking()]) == ()
