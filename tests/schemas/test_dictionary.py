from __future__ import annotations

import pytest

from alc_stats import schemas
from alc_stats.schemas.reading import parse

SMALL = """{
 "name": "small", "title": "A small table", "description": "For the test.",
 "missingValues": [{"value": "-9", "label": "refused"}, ""],
 "primaryKey": "a",
 "uniqueKeys": [["a", "b"]],
 "foreignKeys": [{"fields": "b", "reference": {"resource": "other", "fields": "k"}}],
 "fields": [
  {"name": "a", "type": "integer", "title": "Item", "description": "Asked first.", "x-alc:unit": "scale point",
   "categories": [{"value": 1, "label": "low | lower"}, {"value": 2, "label": "high"}], "categoriesOrdered": true},
  {"name": "b", "title": "Word", "example": "w1",
   "constraints": {"minLength": 1, "maxLength": 9, "pattern": "x|y", "unique": true, "enum": ["x", "y"]}},
  {"name": "c", "type": "number", "constraints": {"minimum": 0, "exclusiveMaximum": 1}},
  {"name": "d", "type": "date", "format": "%d/%m/%Y"}],
 "x-alc:rules": [
  {"name": "r1", "check": "a > 0", "message": "a is positive", "wayOut": "Correct it."},
  {"name": "r2", "constant": "b", "within": ["a", "week(d)"], "message": "one b", "wayOut": "Keep one."},
  {"name": "r3", "increasing": "d", "by": "c", "within": ["a"], "message": "in order", "wayOut": "Sort."}]
}"""  # noqa: E501  (a table as it is written)
BOOK = """\
# A small table (`small`)

For the test.

| Name | Title and meaning | Type | Unit | Allowed | Values | Missing |
| --- | --- | --- | --- | --- | --- | --- |
| `a` | Item. Asked first. | integer | scale point | required | `1` low \\| lower<br>`2` high<br>(in this order) | `-9` refused<br>`empty` |
| `b` | Word. Example: `w1`. | string |  | may be missing; unique; at least 1 characters; at most 9 characters; pattern `x\\|y`; x, y |  | `-9` refused<br>`empty` |
| `c` |  | number |  | may be missing; at least 0; less than 1 |  | `-9` refused<br>`empty` |
| `d` |  | date |  | may be missing; %d/%m/%Y |  | `-9` refused<br>`empty` |

## Keys

- Primary key: `a`.
- Unique: `a`, `b`.
- `b` refers to `k` of `other`.

## Rules

- **r1**: a is positive (`a > 0`). Correct it.
- **r2**: one b (one `b` for each `a`, `week(d)`). Keep one.
- **r3**: in order (`d` does not fall as `c` rises, for each `a`). Sort.
"""  # noqa: E501


def test_the_codebook_says_everything_the_schema_says() -> None:
    assert schemas.codebook(parse(SMALL, where="small.schema.json")) == BOOK


@pytest.mark.parametrize("name", schemas.packaged_names())
def test_every_field_label_code_and_rule_is_in_the_codebook(name: str) -> None:
    schema = schemas.read(name)
    book = schemas.codebook(schema)
    for field in schema.fields:
        assert f"| `{field.name}` | {field.title}. {field.description}" in book
        assert all(
            f"`{c.value}` {c.label}" in book
            for c in (*field.categories, *field.missing)
            if c.value != ""
        )
    assert all(f"**{rule.name}**: {rule.message}" in book for rule in schema.rules)
