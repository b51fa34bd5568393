# ruff: noqa: E501  (sentences stand here as they are printed)
from __future__ import annotations

import json
from pathlib import Path

import pytest

from alc_stats import schemas
from alc_stats.errors import DeclarationError
from alc_stats.schemas.reading import parse


def said(text: str) -> list[str]:
    """Everything that is said of a wrong schema file."""
    with pytest.raises(DeclarationError) as raised:
        parse(text, where="own.schema.json")
    return [str(problem).removeprefix("own.schema.json") for problem in raised.value.problems]


def of(field: dict, **more: object) -> str:
    return json.dumps({"fields": [{"name": "x"} | field], **more})


def test_every_mistake_is_reported_at_once() -> None:
    declared = {
        "titel": "",
        "fields": [
            {"name": "a", "type": "integr", "lable": "", "constraints": {"minimun": 0}},
            {"name": "a", "categories": ["u", "u", 3]},
            {"type": "string"},
        ],
        "fieldsMatch": "some",
        "primaryKey": ["a", "c"],
        "missingValues": [-99],
        "uniqueKeys": [["d"], 4],
        "foreignKeys": [{"fields": ["a"]}, {"fields": "a", "reference": {"fields": ["k", "l"]}}, 7],
        "x-alc:rules": [
            {"name": "r", "check": "a >", "message": "m", "wayOut": "w"},
            {"name": "s", "constant": "b", "within": ["week(a)"], "message": "m", "wayOut": "w"},
            {"name": "t", "checks": "a"},
            {"name": "u", "increasing": "a", "by": "q", "within": ["a"], "message": "m"},
        ],
        "x-alc:rule": [],
        "dcterms:source": "left alone",
    }
    assert said(json.dumps(declared)) == [
        ", titel: unknown property 'titel'. Did you mean 'title'?",
        ", x-alc:rule: unknown property 'x-alc:rule'. Did you mean 'x-alc:rules'?",
        (
            ", missingValues[0]: a missing code is a text or an object with a text as its value. "
            "Found: -99."
        ),
        (
            ", field 'a'.lable: unknown property 'lable'. Known: categories, "
            "categoriesOrdered, constraints, description, example, falseValues, format, missingValues, "
            "name, rdfType, title, trueValues, type, x-alc:unit."
        ),
        (
            ", field 'a'.type: unknown type 'integr'. Allowed: string, integer, number, boolean, date, "
            "datetime, year. Did you mean 'integer'?"
        ),
        ", field 'a'.constraints.minimun: unknown property 'minimun'. Did you mean 'minimum'?",
        ", field 'a'.categories[2]: the value is not a string. Found: 3.",
        ", field 'a'.categories: category 'u' is listed twice.",
        ", fields[2]: a field has a name.",
        ", fields: two fields are called 'a'. Rename one.",
        (
            ", fieldsMatch: unknown fieldsMatch 'some'. Allowed: exact, equal, subset, superset, "
            "partial. Known: equal, exact, partial, subset, superset."
        ),
        ", primaryKey: unknown field 'c'. Known: a.",
        ", uniqueKeys[0]: unknown field 'd'. Known: a.",
        ", uniqueKeys[1]: a key is the name of a field or a list of names. Found: 4.",
        ", foreignKeys[2]: an object should stand here. Found: 7.",
        ', foreignKeys[0]: a foreign key names what it refers to. Add "reference".',
        ", foreignKeys[1].reference.fields: unknown field 'k'. Known: a.",
        ", foreignKeys[1].reference.fields: unknown field 'l'. Known: a.",
        ", foreignKeys[1]: a foreign key has as many fields here as there. Found: 1 and 2.",
        ", rule 'r'.check: the rule cannot be read. Found: the rule ends too early.",
        (
            ", rule 's'.within: the group cannot be read. Found: week() needs a date or a moment, and "
            "'a' is a text."
        ),
        ", rule 's'.constant: unknown field 'b'. Known: a.",
        ", rule 't': a rule says what it checks. Allowed: check, constant, increasing.",
        ", rule 'u': a rule needs 'wayOut'.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", (": the schema file is not valid JSON. Found: Expecting property name enclosed in double quotes: line 1 "
         "column 2 (char 1). Correct it there.")),
        ("[]", ": a schema is a JSON object. Found: list."),
        ('{"fields": [], "fields": []}', (": the schema file is not valid JSON. Found: 'fields' is written twice in "
         "one object. Correct it there.")),
        ('{"fields": [{"name": "x", "type": "number", "constraints": {"minimum": NaN}}]}', (": the schema file is not "
         "valid JSON. Found: NaN is not a number in JSON. Correct it there.")),
        ("[" * 100_000, ": the schema file is not valid JSON. Found: maximum recursion depth exceeded"),
        ("{}", ", fields: a schema has at least one field."),
        ('{"fields": "x"}', ", fields: 'fields' is a list. Found: \"x\"."),
        (of({"constraints": {"minimum": 1}}), ", field 'x'.constraints.minimum: a string has no minimum. Found: 1."),
        (of({"type": "date", "constraints": {"maximum": "2026-02-30"}}), (", field 'x'.constraints.maximum: the value "
         'is not a date. Found: "2026-02-30".')),
        (of({"type": "datetime", "constraints": {"maximum": "2026-02-03T00:00:00"}}), (", field 'x'.constraints."
         'maximum: the value is not a datetime. Found: "2026-02-03T00:00:00".')),
        (of({"type": "integer", "constraints": {"pattern": "x"}}), (", field 'x'.constraints.pattern: only a string "
         'has a pattern. Found: "x".')),
        (of({"constraints": {"pattern": "(?=x)"}}), (", field 'x'.constraints.pattern: the pattern is no RE2 regular "
         'expression (no look-around, no back-references). Found: "(?=x)".')),
        (of({"constraints": {"required": "yes"}}), (", field 'x'.constraints.required: 'required' is true or false. "
         'Found: "yes".')),
        (of({"type": "integer", "constraints": {"enum": [1, "2"]}}), (", field 'x'.constraints.enum: the value is not "
         'a integer. Found: [1, "2"].')),
        (of({"type": "number", "categories": [1]}), (", field 'x'.categories: a number has no categories. Allowed: "
         "string, integer.")),
        (of({"type": "datetime", "format": "%d/%m/%Y"}), (", field 'x'.format: format '%d/%m/%Y' is not supported. "
         "Allowed: default; for dates a pattern of %d, %m, %Y and separators.")),
        (of({"type": "boolean", "trueValues": [1]}), ", field 'x'.trueValues: trueValues is a list of texts."),
        (of({}, **{"x-alc:rules": [{"name": "r", "check": "x == 'a'", "message": "m", "wayOut": "w"}] * 2}),
         ", x-alc:rules: two rules are called 'r'. Rename one."),
    ],
)  # fmt: skip
def test_each_mistake_has_its_sentence(text: str, expected: str) -> None:
    assert said(text)[0].startswith(expected)


def test_a_name_is_looked_up_in_the_package() -> None:
    assert schemas.read("survey").primary_key == ("person_id", "wave")
    with pytest.raises(DeclarationError) as raised:
        schemas.read("usage_events")
    assert str(raised.value) == (
        "unknown schema 'usage_events'. Allowed: mandate, platform_event, survey, usage_event, or "
        "the path of a .json file. Did you mean 'usage_event'?"
    )


def test_a_path_is_read_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.schema.json"
    with pytest.raises(DeclarationError, match=r"the schema file cannot be read\. Found: No such"):
        schemas.read(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DeclarationError, match=r"the schema file is not UTF-8 text\. Save it as"):
        schemas.read(path)
    path.write_text('{"fields": [{"name": "x"}]}', encoding="utf-8-sig")
    own = schemas.read(str(path))
    assert (own.name, own.names, own.fields_match) == ("own", ("x",), "exact")


def test_definitions_are_found_in_an_installed_package(monkeypatch, tmp_path: Path) -> None:
    """The wheel carries data/schemas as `definitions` beside the modules."""
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "tiny.schema.json").write_text('{"fields": [{"name": "x"}]}')
    monkeypatch.setattr("alc_stats.schemas.reading.__file__", str(tmp_path / "reading.py"))
    assert schemas.packaged_names() == ("tiny",)
    assert schemas.read("tiny").names == ("x",)


def test_defaults_are_those_of_the_standard() -> None:
    schema = parse('{"fields": [{"name": "x"}]}', where="x.json")
    assert schema == schemas.Schema("x", (schemas.Field("x"),))
    assert schema.field("x").missing == (schemas.Code(""),)
    own = parse(of({"missingValues": []}, missingValues=["NA"]), where="x.json")
    assert own.field("x").missing == ()
