"""The rule language: what it means, checked against rows in plain Python, and what it refuses."""

# ruff: noqa: E501  (long lists of words)
from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alc_stats.schemas.expressions import fields_of, to_sql
from alc_stats.schemas.grammar import DEEPEST, ExpressionError, parse_condition, parse_value

KINDS = {
    "a": "number", "b": "number", "word": "text", "yes": "truth", "day_1": "date", "at": "moment", "none": "number",
}  # fmt: skip
VALUES = {
    "a": "2", "b": "3", "word": "'it''s'", "yes": "TRUE", "day_1": "DATE '2026-03-04'",
    "at": "TIMESTAMPTZ '2026-03-04 23:30:00-05'", "none": "CAST(NULL AS INTEGER)",
}  # fmt: skip


def value_of(text: str) -> object:
    """What DuckDB makes of a condition."""
    condition = parse_condition(text, KINDS)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        return db.execute(f"SELECT {to_sql(condition, VALUES)}").fetchall()[0][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", True),
        ("a + 1 == b and a * b == 6", True),
        ("a - b - 1 == -2", True),  # left to right: (2 - 3) - 1
        ("b - a * 2 == -1", True),  # the product first
        ("(b - a) * 2 == 2", True),
        ("a / b < 1", True),  # no whole-number division
        ("a / (b - 3) > 0", None),  # by zero: missing
        ("-a == 0 - 2", True),
        ("-(a + b) == -5", True),
        ("a == 2 or a / 0 == 1", True),
        ("a == 3 implies b == 9", True),
        ("a == 2 implies b == 9", False),
        ("a == 2 implies b == 3 implies a == b", False),  # to the right
        ("a == 3 or a == 2 and b == 4", False),  # and before or
        ("not a == 3 and b == 3", True),  # not before and
        ("not (a == 3 and b == 3)", True),
        ("a in [1, 2]", True),
        ("a not in [1, 2]", False),
        ("word in ['no', 'yes']", False),
        ("none is missing", True),
        ("a is not missing", True),
        ("none > 1", None),
        ("none in [1]", None),
        ("none > 1 implies a == b", None),
        ("none == 1 and a == 3", False),
        ("yes", True),
        ("yes == false", False),
        ("not yes or a == 2", True),
        ("day_1 >= '2026-03-04'", True),
        ("day_1 == day(at)", False),  # in UTC the moment lies on the next day
        ("day(at) == '2026-03-05'", True),
        ("week(day_1) == '2026-03-02'", True),  # its Monday
        ("month(at) == '2026-03-01'", True),
        ("at < '2026-03-05T04:30:01Z'", True),
        ("day_1 in ['2026-03-03', '2026-03-04']", True),
    ],
)
def test_a_condition_means_what_it_says(text: str, expected: bool | None) -> None:
    assert value_of(text) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the rule ends too early"),
        ("a >", "the rule ends too early"),
        ("a", "a rule needs a condition, not a number"),
        ("a = b", "'= b' cannot be read"),
        ("c == 1", "unknown field 'c'. Known: a, at, b, day_1, none, word, yes."),
        ("wrod == 'x'", "unknown field 'wrod'. Did you mean 'word'?"),
        ("a == 'x'", "a number cannot be compared with a text"),
        ("day_1 == at", "a date cannot be compared with a moment"),
        ("day_1 == '2026-02-30'", "'2026-02-30' is not a date"),
        ("at > '2026-02-03T00:00:00'", "'2026-02-03T00:00:00' is not a moment"),
        ("yes > true", "truth values have no order: '>'"),
        ("word + 1 == 2", "'+' needs numbers, not a text and a number"),
        ("-word == 1", "'-' needs numbers, not a number and a text"),
        ("a and b == 1", "'and' needs a condition, not a number"),
        ("not a", "'not' needs a condition, not a number"),
        ("a in [b]", "a list holds numbers and quoted texts only"),
        ("a in ['x']", "a number cannot be compared with a text"),
        ("a in []", "a value should stand where ']' stands"),
        ("a in 1", "'[' should stand before 1"),
        ("a in [1", "']' should stand at the end"),
        ("1 is missing", "only a field can be missing"),
        ("a is b", "'missing' should stand before b"),
        ("(a == 1", "')' should stand at the end"),
        ("a == 1)", "')' cannot stand there"),
        ("a == 1 b == 2", "'b' cannot stand there"),
        ("and == 1", "a value should stand where 'and' stands"),
        ("weak(day_1) == day_1", "unknown function 'weak'. Did you mean 'week'?"),
        ("week(a) == 1", "week() needs a date or a moment, and 'a' is a number"),
        ("__import__('os') == 1", "unknown function '__import__'. Known: day, month, week."),
        ("a == 1; DROP TABLE cells", "'; DROP TAB' cannot be read"),
        ('a == "b"', "'\"b\"' cannot be read"),
        ("(" * (DEEPEST + 1) + "a", f"parts nest deeper than {DEEPEST}"),
        ("not " * (DEEPEST + 1) + "yes", f"parts nest deeper than {DEEPEST}"),
        ("yes implies " * (DEEPEST + 1) + "yes", f"parts nest deeper than {DEEPEST}"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse_condition(text, KINDS)
    assert str(raised.value) == said


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.sampled_from((*KINDS, *"()[],+-*/<>=", "==", "in", "is", "not", "missing", "and", "or", "implies", "1", "'x'"))
        | st.text(max_size=3),
        max_size=12,
    )
)  # fmt: skip
def test_any_text_is_read_or_refused_and_what_is_read_is_sql(parts: list[str]) -> None:
    text = " ".join(parts)
    try:
        value = parse_value(text, KINDS)
    except ExpressionError:
        return
    assert fields_of(value) <= set(KINDS)
    with duckdb.connect() as db:
        db.execute(f"SELECT CAST({to_sql(value, VALUES)} AS VARCHAR)").fetchall()


def test_a_long_rule_is_read_quickly() -> None:
    """Nested parentheses are read once, not twice at every level."""
    text = "(" * (DEEPEST - 1) + "a == 1" + ")" * (DEEPEST - 1)
    assert fields_of(parse_condition(text, KINDS)) == {"a"}
