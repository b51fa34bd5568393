from __future__ import annotations

from dataclasses import replace

import pytest

from alc_stats.models.finding import Line
from alc_stats.records import Number
from alc_stats.report import tables
from alc_stats.report.coefficients import coefficient_table
from alc_stats.report.table import Column, Row, Table
from report import examples

BROKEN = ("987", "876", "765", "654", "39")
"""Digits that occur in the failed fit of `examples.simulated` and nowhere else in its table."""


def column(table: Table, label: str) -> list[str]:
    at = [c.label for c in table.columns].index(label)
    return [cells[at] for cells in table.grid()]


def test_a_failed_fit_prints_its_failure_and_no_number() -> None:
    cells = column(coefficient_table(examples.simulated()), "Random slopes")
    assert [cell for cell in cells if cell] == ["did not converge: no result"]


def test_no_table_of_the_study_holds_a_number_of_the_failed_fit() -> None:
    printed = " ".join(
        cell for t in tables.study_tables(examples.simulated()) for row in t.grid() for cell in row
    )
    assert not [digits for digits in BROKEN[:4] if digits in printed]


def test_a_model_that_was_never_fitted_says_so() -> None:
    study = examples.unfitted()
    table = coefficient_table(study)
    assert column(table, "Never fitted") == ["could not be fitted: no result"]
    assert "Never fitted: the design has a constant column" in table.notes


def test_models_stand_side_by_side_with_blocks_in_order() -> None:
    table = coefficient_table(examples.real_looking())
    groups = list(dict.fromkeys(row.group for row in table.rows))
    assert groups == ["Mean", "Residual dispersion (log SD)", "Random part", "Model"]
    labels = column(table, "Term")
    at = labels.index("ai: yes")
    assert column(table, "Random intercept")[at : at + 2] == [
        "0.151 (0.078)",
        "[\u22120.002, 0.304]",
    ]
    assert column(table, "OLS, clustered")[labels.index("Covariance")] == "clustered by developer"
    assert column(table, "OLS, clustered")[labels.index("Levels of developer")] == "16"


def test_suppressed_cells_stay_suppressed() -> None:
    table = tables.table_one(examples.simulated())
    (row,) = table.grid()
    assert row == ("AI awareness (points)", "580", "4.91", "0.97", "—", "—", "—")


def test_table_one_holds_moments_by_group_and_reliability() -> None:
    table = tables.table_one(examples.real_looking())
    assert table.spanners() == (("", 1), ("AI", 3), ("no AI", 3), ("", 1))
    assert table.grid()[1] == (
        "Belief in speed (points from 1 to 7)",
        "136", "5.21", "1.12", "110", "4.87", "1.20", "0.87",
    )  # fmt: skip


def test_a_hypothesis_that_was_not_tested_shows_no_estimate() -> None:
    table = tables.hypothesis_table(examples.studies())
    row = next(cells for cells in table.grid() if cells[5] == "not tested")
    assert row[2:5] == ("—", "—", "—")


def test_studies_that_did_not_run_are_named() -> None:
    table = tables.hypothesis_table(examples.studies())
    assert "Not run: Pupils who practised with GPT-4." in table.notes


def test_checks_show_expected_beside_obtained() -> None:
    table = tables.check_table(examples.simulated())
    assert table.grid()[0][:6] == ("alpha", "0.9", "0.874", "1.5", "± 0.01", "DIFFERS")


@pytest.mark.parametrize("table", tables.study_tables(examples.simulated()), ids=lambda t: t.id)
def test_every_table_of_a_simulated_study_says_so(table: Table) -> None:
    assert table.heading.startswith("SIMULATED DATA: ")
    assert table.file_stem.endswith("_SIMULATED")


def test_a_mixed_table_marks_the_simulated_rows() -> None:
    table = tables.hypothesis_table(examples.studies())
    assert not table.simulated
    assert {row.group for row in table.rows if "simulated" in row.group} == {
        "SIMULATED DATA: A simulated organisation with mandates"
    }


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="a row has 1 cells, not 2"):
        Table("t", "t", (Column("a"), Column("b")), (Row((Number(1.0),)),))


def test_a_factor_is_named_and_not_listed_unless_a_hypothesis_asks_about_it() -> None:
    names = ("base", "school[T.b]", "school[T.c]", "base:school[T.b]", "base:school[T.c]")
    study = examples.with_terms(names, asked="base")
    labels = column(coefficient_table(study), "Term")
    assert [label for label in labels if "school" in label] == ["school", "base \u00d7 school"]
    assert "Coefficients of controls are in result.json." in coefficient_table(study).notes
    asked = column(coefficient_table(examples.with_terms(names, asked="school[T.b]")), "Term")
    assert [label for label in asked if "school" in label] == [
        "school: b", "school: c", "base \u00d7 school",
    ]  # fmt: skip


def test_a_note_on_missing_cells_stands_only_where_some_are_missing() -> None:
    assert any("suppressed" in note for note in tables.table_one(examples.simulated()).notes)
    whole = replace(examples.real_looking(), scales=())
    assert not any("suppressed" in note for note in tables.table_one(whole).notes)


def test_a_study_that_did_not_run_has_no_tables_even_of_declared_models() -> None:
    declared = replace(examples.not_run(), models={"m": "Never fitted"})
    assert tables.study_tables(declared) == ()


def test_the_notes_of_a_certificate_stand_below_the_table() -> None:
    result = examples.real_looking()
    name, fit = next((k, f) for k, f in result.fits.items() if f.certificate.usable)
    warned = replace(fit.certificate, notes=("2 of 12 clusters carry 83 % of it",))
    noted = replace(result, fits={**result.fits, name: replace(fit, certificate=warned)})
    told = f"{result.models[name]}: 2 of 12 clusters carry 83 % of it"
    assert told in coefficient_table(noted).notes
    assert told not in coefficient_table(result).notes


def test_every_method_of_a_widening_has_its_row() -> None:
    table = tables.triangulation_table(examples.studies()[0])
    assert column(table, "Method") == [
        "Location-scale model, within persons *",
        "Beta regression, precision part",
        "Persons seen throughout only",
    ]
    assert column(table, "95 % interval")[0] == "[\u22120.093, 0.292]"
    assert column(table, "Note") == ["", "Its sign counts.", "50 % stayed."]
    assert all(row.group.endswith("(log SD)") for row in table.rows)


def test_a_statement_heads_its_lines_once_and_other_units_stand_beside_their_method() -> None:
    lines = (Line("effect", "", value=0.5, unit="bins"), Line("jump", "", value=2.0, unit="log"),
             Line("naive", "", value=0.7, unit="bins"), Line("none", "", unit="log"))  # fmt: skip
    finding = examples.finding("H13", "supported", "They gather.", triangulation=lines)
    table = tables.triangulation_table(replace(examples.real_looking(), findings=(finding,)))
    assert [row.group for row in table.rows] == ["H13: They gather. (bins)"] * 4
    assert column(table, "Method") == ["effect", "jump (log)", "naive", "none"]


def test_without_other_methods_there_is_no_table_of_them() -> None:
    assert "triangulation" not in [t.id for t in tables.study_tables(examples.simulated())]
