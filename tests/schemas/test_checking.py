# ruff: noqa: E501  (sentences stand here as they are printed)
from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from alc_stats import schemas
from alc_stats.errors import DeclarationError, TableError
from alc_stats.schemas.reading import parse
from alc_stats.schemas.violations import LISTED, PRINTED
from schemas.examples import TABLES, events, mandates, survey, write
from schemas.planted import EXPECTED, write_planted


def small(*fields: str, more: str = "") -> schemas.Schema:
    """A schema from the JSON of its fields and of further properties."""
    return parse(f'{{"fields": [{", ".join(fields)}]{more}}}', where="small.schema.json")


def frame(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def brief(report: schemas.Report) -> list[tuple[int | None, str, str]]:
    return [(v.row, v.column, v.rule) for v in report.violations]


def check_column(field: str, values: list[object]) -> list[tuple[int | None, str]]:
    report = schemas.check(small(field), frame(x=values))
    return [(v.row, v.rule) for v in report.violations]


def test_twelve_planted_violations_are_all_found(tmp_path: Path) -> None:
    report = schemas.check(schemas.read("usage_event"), write_planted(tmp_path / "log.csv"))
    assert {(v.rule, v.row, v.column, v.found) for v in report.violations} == EXPECTED
    assert len(EXPECTED) == report.total == 12
    assert len({rule for rule, *_ in EXPECTED}) == 11  # "type" of two kinds: a text, a lost zone
    assert report.rows == 20


def test_every_violation_says_what_is_allowed_and_what_to_do(tmp_path: Path) -> None:
    report = schemas.check(schemas.read("usage_event"), write_planted(tmp_path / "log.csv"))
    with pytest.raises(TableError) as raised:
        report.raise_for_violations()
    said = {str(problem) for problem in raised.value.problems}
    assert len(said) == 12
    assert (
        "log.csv, row 7, column novelty: not one of the declared values (categories). "
        "Found: 'familar'. Allowed: familiar, near, far. Did you mean 'familiar'?"
    ) in said
    assert (
        "log.csv, row 2, column tokens_in: not a whole number (type). Found: 'x'. Allowed: a whole "
        "number such as 42, with no decimal point. Correct the value, or write a missing code."
    ) in said
    assert (
        "log.csv, row 3, column timestamp: not a moment with a time zone (type). Found: "
        "'2026-03-02T14:00:00'. Allowed: 2026-03-02T09:15:00Z, or +01:00 in place of Z. Write the "
        "time zone: without it the moment is not known."
    ) in said
    assert (
        "log.csv, row 5, column tokens_out: out of bounds (minimum). Found: '-5'. "
        "Allowed: at least 0 (token). Correct the value, or write a missing code."
    ) in said
    assert (
        "log.csv, column task_famly: the schema has no such column (unknownColumn). Found: "
        "'task_famly'. Did you mean 'task_family'?"
    ) in said


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "frame"])
@pytest.mark.parametrize("name", TABLES)
def test_a_clean_table_is_clean_in_every_form(name: str, form: str, tmp_path: Path) -> None:
    table = pd.DataFrame(TABLES[name]())
    path = tmp_path / f"table.{form}"
    if form == "parquet":
        table.to_parquet(path, index=False)
    elif form != "frame":
        table.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    report = schemas.check(schemas.read(name), table if form == "frame" else path)
    assert report.ok, str(report)
    assert report.rows == len(table)
    report.raise_for_violations()


def test_stored_types_and_text_give_the_same_violations(tmp_path: Path) -> None:
    schema = schemas.read("usage_event")
    typed = schemas.typed(schema, pd.DataFrame(events(40)))
    typed["quality"] = typed["quality"].mask(typed.index == 8, 101.5)
    typed["tokens_in"] = typed["tokens_in"].astype("Int64").mask(typed.index == 3)
    typed["tokens_out"] = typed["tokens_out"].mask(typed.index == 4, -1)
    typed["novelty"] = typed["novelty"].astype(object).mask(typed.index == 5, "farther")
    typed.loc[20, "event_id"] = "e7"
    typed.loc[21, "novelty_coded_at"] = typed.loc[21, "timestamp"] + pd.Timedelta("1s")
    typed.to_parquet(tmp_path / "log.parquet", index=False)
    text = typed.assign(
        timestamp=typed["timestamp"].map(pd.Timestamp.isoformat),
        novelty_coded_at=typed["novelty_coded_at"].map(pd.Timestamp.isoformat),
    )
    text.to_csv(tmp_path / "log.csv", index=False)
    stored, written, framed = (
        brief(schemas.check(schema, table))
        for table in (tmp_path / "log.parquet", tmp_path / "log.csv", typed)
    )
    assert stored == written == framed
    assert sorted(row for row, *_ in stored if row) == [4, 5, 6, 9, 21, 22]


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ('{"name": "x", "type": "integer"}', ["1", "-2", "1.0", "1e3", " 1", "9223372036854775808"],
         [(i, "type") for i in (3, 4, 5, 6)]),
        ('{"name": "x", "type": "integer"}', [1.0, 2.5, float("nan"), float("inf")], [(2, "type"), (4, "type")]),
        ('{"name": "x", "type": "number"}', ["1e3", ".5", "1,5", "nan", "inf"], [(i, "type") for i in (3, 4, 5)]),
        ('{"name": "x", "type": "boolean"}', ["true", "0", "yes"], [(3, "type")]),
        ('{"name": "x", "type": "boolean", "trueValues": ["yes"], "falseValues": ["no"]}', ["yes", "no", "1"],
         [(3, "type")]),
        ('{"name": "x", "type": "year"}', ["2026", "26", "20260"], [(2, "type"), (3, "type")]),
        ('{"name": "x", "type": "date"}', ["2026-03-02", "02/03/2026", "2026-3-2"], [(2, "type"), (3, "type")]),
        ('{"name": "x", "type": "date", "format": "%d/%m/%Y"}', ["2026-03-02", "02/03/2026", "31/02/2026"],
         [(1, "type"), (3, "type")]),
        ('{"name": "x", "constraints": {"minLength": 2, "maxLength": 3}}', ["a", "ab", "\u00e4\u00f6\u00fc", "abcd"],
         [(1, "minLength"), (4, "maxLength")]),
        ('{"name": "x", "constraints": {"unique": true}}', ["a", "b", "", "a", "", "a"],
         [(4, "unique"), (6, "unique")]),
        ('{"name": "x", "type": "integer", "constraints": {"exclusiveMinimum": 0, "exclusiveMaximum": 2}}',
         ["0", "1", "2"], [(1, "exclusiveMinimum"), (3, "exclusiveMaximum")]),
        ('{"name": "x", "type": "integer", "constraints": {"enum": [1, 2]}}', ["1", "3"], [(2, "enum")]),
        ('{"name": "x", "type": "date", "constraints": {"minimum": "2026-01-01"}}', ["2026-01-01", "2025-12-31"],
         [(2, "minimum")]),
        ('{"name": "x", "type": "integer", "missingValues": ["-9"], "constraints": {"minimum": 0}}',
         ["-9", "-8", ""], [(3, "type"), (2, "minimum")]),
        ('{"name": "x", "type": "integer", "missingValues": ["-9"], "constraints": {"required": true}}',
         [-9, 3], [(1, "required")]),
    ],
)  # fmt: skip
def test_each_type_and_constraint(field: str, values: list, expected: list) -> None:
    assert check_column(field, values) == expected


def test_the_columns_of_the_file_are_matched_as_the_schema_says() -> None:
    fields = ('{"name": "a"}', '{"name": "b"}')
    tables = {"exact": frame(a=["1"], b=["1"]), "reordered": frame(b=["1"], a=["1"])}
    tables |= {"fewer": frame(a=["1"]), "more": frame(a=["1"], b=["1"], c=["1"])}
    refused = {
        match: {name for name, table in tables.items()
                if not schemas.check(small(*fields, more=f', "fieldsMatch": "{match}"'), table).ok}
        for match in ("exact", "equal", "subset", "superset", "partial")
    }  # fmt: skip
    assert refused == {
        "exact": {"reordered", "fewer", "more"},
        "equal": {"fewer", "more"},
        "subset": {"fewer"},
        "superset": {"more"},
        "partial": set(),
    }


def test_where_fewer_columns_are_allowed_a_required_one_is_still_missed_once() -> None:
    fields = ('{"name": "a", "constraints": {"required": true}}', '{"name": "k"}', '{"name": "b"}')
    schema = small(*fields, more=', "fieldsMatch": "superset", "primaryKey": ["k"]')
    report = schemas.check(schema, frame(x=["1", "2"]))
    lacking = [(v.column, v.rule) for v in report.violations if v.rule == "missingColumn"]
    assert lacking == [("a", "missingColumn"), ("k", "missingColumn")]
    assert report.total == 3  # and the unknown column x


def test_a_rule_is_undecided_where_a_cell_is_invalid() -> None:
    rows = mandates()
    rows[1]["start_date"] = "2026/02/02"
    rows[2]["mandate_type"] = "promt"
    report = schemas.check(schemas.read("mandate"), pd.DataFrame(rows))
    assert brief(report) == [(3, "mandate_type", "categories"), (2, "start_date", "type")]


def test_rules_across_rows_name_the_other_row() -> None:
    rows = survey()
    rows[1]["date"] = "2026-01-01"
    rows[2]["arm"] = "mandate"
    report = schemas.check(schemas.read("survey"), pd.DataFrame(rows))
    assert [(v.row, v.rule, v.found) for v in report.violations] == [
        (3, "arm_is_fixed", "'mandate' (row 1 has 'control')"),
        (2, "waves_in_order",
         "date '2026-01-01', wave '1' (row 1 has date '2026-01-05', wave '0')"),
    ]  # fmt: skip


def test_foreign_keys_are_checked_against_the_tables_that_are_given(tmp_path: Path) -> None:
    schema, log = schemas.read("usage_event"), events()
    log[3]["person_id"] = "p9"
    alone = schemas.check(schema, pd.DataFrame(log))
    assert [v.rule for v in alone.violations] == ["one_person_per_session"]
    assert alone.notes == (
        "that person_id, firm_id occurs in survey: no such table was given (--with on the command line).",
        "that firm_id occurs in mandate: no such table was given (--with on the command line).",
    )
    related = {
        "survey": write(survey(), tmp_path / "s.csv"),
        "mandate": pd.DataFrame(mandates()[1:]),
    }
    together = schemas.check(schema, pd.DataFrame(log), related=related)
    keys = [(v.row, v.column, v.found) for v in together.violations if v.rule == "foreignKeys"]
    without_mandate = [i + 1 for i, row in enumerate(log) if row["firm_id"] == "f1"]
    assert keys == [
        (4, "person_id, firm_id", "person_id 'p9', firm_id 'f1'"),
        *((row, "firm_id", "'f1'") for row in without_mandate),
    ]


def test_a_related_table_without_the_column_is_noted() -> None:
    mandate = pd.DataFrame(mandates()).rename(columns={"firm_id": "firm"})
    report = schemas.check(
        schemas.read("survey"), pd.DataFrame(survey()), related={"mandate": mandate}
    )
    assert report.notes == (
        "that firm_id occurs in mandate: mandate has no column 'firm_id' of this type.",
    )


def test_a_table_nothing_refers_to_is_refused() -> None:
    with pytest.raises(DeclarationError) as raised:
        schemas.check(
            schemas.read("survey"), pd.DataFrame(survey()), related={"mandates": Path("m.csv")}
        )
    assert str(raised.value) == (
        "survey does not refer to a table 'mandates'. Did you mean 'mandate'?"
    )


def test_the_table_itself_can_be_referred_to() -> None:
    key = ', "foreignKeys": [{"fields": "boss", "reference": {"fields": "id"}}]'
    schema = small('{"name": "id"}', '{"name": "boss"}', more=key)
    report = schemas.check(schema, frame(id=["a", "b"], boss=["", "c"]))
    assert [(v.row, v.what, v.found) for v in report.violations] == [
        (2, "not found in this table", "'c'")
    ]


def test_totals_are_exact_and_printed_rows_are_capped() -> None:
    n = LISTED + 234
    schema = small('{"name": "x", "type": "integer"}')
    report = schemas.check(schema, frame(x=["?"] * n))
    assert (report.total, len(report.violations)) == (n, LISTED)
    assert str(report).count("\n  row ") == PRINTED
    assert str(report).endswith(f"  ... and {n - PRINTED:,} more.")
    with pytest.raises(TableError) as raised:
        report.raise_for_violations()
    assert len(raised.value.problems) == PRINTED + 1
    assert str(raised.value.problems[-1]) == "small, column x: 1,214 more like these (type)."


def test_long_text_is_cut_and_control_characters_are_escaped() -> None:
    schema = small('{"name": "x", "constraints": {"maxLength": 10}}')
    report = schemas.check(schema, frame(x=["private " * 20, "\x1b[31mred\nline"]))
    assert [v.found for v in report.violations] == [
        "'private private private private private ...'",
        r"'\x1b[31mred\nline'",
    ]


def test_the_report_reads_well() -> None:
    rows = mandates()
    rows[1]["quota"] = "lots"
    clean = schemas.check(schemas.read("mandate"), pd.DataFrame(mandates()))
    assert str(clean) == "mandate satisfies mandate: 3 rows, no violations."
    report = schemas.check(schemas.read("mandate"), pd.DataFrame(rows))
    assert (
        str(report)
        == """\
mandate breaks mandate: 1 violation of 1 rule in 3 rows. Row 1 is the first row after the header.

1. quota: not a number (type)
  Allowed: a number such as 3.14, with a decimal point.
  What to do: Correct the value, or write a missing code.
  row 2: 'lots'"""
    )


def test_sql_in_cells_names_and_codes_stays_text(tmp_path: Path) -> None:
    nasty = "x'); DROP TABLE checked; --"
    schema = small(
        '{"name": "a\\"b", "missingValues": ["it\'s"], "constraints": {"pattern": "[a-z\']+", "enum": ["o\'k"]}}'
    )
    path = write(
        [{'a"b': "it's"}, {'a"b': nasty}, {'a"b': "o'k"}], tmp_path / "it's a [table]*.csv"
    )
    report = schemas.check(schema, path)
    assert [(v.row, v.rule) for v in report.violations] == [(2, "pattern"), (2, "enum")]
