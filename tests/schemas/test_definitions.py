"""The package's schema files, with frictionless as an independent reader of the standard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import frictionless
import pandas as pd
import pytest

from alc_stats import schemas
from schemas.examples import TABLES, Row, events, write

FOLDER = Path(__file__).parents[2] / "data" / "schemas"
RESOURCE = "https://datapackage.org/profiles/2.0/dataresource.json"
KINDS = {"type-error": "type", "constraint-error": "constraint", "primary-key": "primaryKey"}


def frictionless_schema(name: str) -> frictionless.Schema:
    return frictionless.Schema.from_descriptor(declared(name))


def declared(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))


def test_these_are_the_schemas_of_the_package() -> None:
    assert schemas.packaged_names() == tuple(sorted(TABLES))


@pytest.mark.parametrize("name", TABLES)
def test_the_file_conforms_to_the_standard(name: str) -> None:
    assert list(frictionless.Schema.metadata_validate(declared(name))) == []
    assert frictionless_schema(name).field_names == list(schemas.read(name).names)


def test_frictionless_knows_a_wrong_schema() -> None:
    """The witness can tell: without this the test above could not fail."""
    wrong = {"fields": [{"name": "a", "type": "integr"}]}
    with pytest.raises(frictionless.FrictionlessException):
        frictionless.Schema.from_descriptor(wrong)


@pytest.mark.parametrize("name", TABLES)
def test_labels_keys_and_codes_are_read_alike(name: str) -> None:
    ours, theirs = schemas.read(name), frictionless_schema(name).to_descriptor()
    assert theirs["primaryKey"] == list(ours.primary_key)
    assert theirs["missingValues"] == [
        {"value": c.value, "label": c.label} for c in ours.fields[0].missing
    ]
    for field, other in zip(ours.fields, theirs["fields"], strict=True):
        categories = [{"value": c.value, "label": c.label} for c in field.categories]
        assert other.get("categories", []) == categories
        assert other.get("categoriesOrdered", False) == field.ordered
        assert (other["title"], other["description"]) == (field.title, field.description)


@pytest.mark.parametrize("name", TABLES)
def test_every_field_says_what_it_means(name: str) -> None:
    for field in schemas.read(name).fields:
        assert field.title
        assert field.description.endswith((".", "?"))
        assert field.unit or field.type in ("string", "boolean") or field.categories
        assert all(category.label for category in field.categories)
        assert all(code.label for code in field.missing)


def blunders(rows: list[Row]) -> list[Row]:
    """Mistakes that frictionless can find too."""
    rows[2]["tokens_in"] = "x"
    rows[4]["tokens_out"] = "-1"
    rows[5]["timestamp"] = "2 March 2026"
    rows[6]["quality"] = "100.5"
    rows[7]["session_id"] = ""
    rows[8]["event_id"] = "e 8"
    rows[9]["event_id"] = "e3"
    return rows


@pytest.mark.parametrize("rows", [events(12), blunders(events(12))], ids=["clean", "spoilt"])
def test_frictionless_finds_the_same_cells(rows: list[Row], tmp_path: Path) -> None:
    write(rows, tmp_path / "log.csv")
    ours = schemas.check(schemas.read("usage_event"), tmp_path / "log.csv")
    alone = {k: v for k, v in declared("usage_event").items() if k != "foreignKeys"}
    descriptor = {
        "$schema": RESOURCE,
        "name": "log",
        "type": "table",
        "path": "log.csv",
        "schema": alone,
    }
    resource = frictionless.Resource.from_descriptor(descriptor, basepath=str(tmp_path))
    theirs = resource.validate().flatten(["rowNumber", "fieldName", "type"])
    assert {_of_ours(v) for v in ours.violations} == {_of_theirs(*error) for error in theirs}


def _of_ours(violation: schemas.Violation) -> tuple[int | None, str, str]:
    kind = violation.rule if violation.rule in ("type", "primaryKey") else "constraint"
    return violation.row, "" if kind == "primaryKey" else violation.column, kind


def _of_theirs(row: int, column: str | None, kind: str) -> tuple[int, str, str]:
    """Their row 1 is the header."""
    return row - 1, column or "", KINDS[kind]


def test_the_examples_in_the_files_satisfy_the_files() -> None:
    for name, make in TABLES.items():
        schema = schemas.read(name)
        row = make()[-1] | {f.name: f.example for f in schema.fields if f.example}
        report = schemas.check(schema, pd.DataFrame([row]))
        assert report.ok, str(report)
