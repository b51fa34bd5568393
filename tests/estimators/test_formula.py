from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alc_stats.errors import FormulaError
from alc_stats.estimators.formula import Formula, RandomTerm, parse, variables


@pytest.mark.parametrize(
    ("text", "outcome", "fixed"),
    [
        ("y ~ x", "y", "x"),
        ("y~x*z - 1", "y", "x * z - 1"),
        ("log(y) ~ a:b + (a + b)**2", "log(y)", "a:b + (a + b) ** 2"),
        ("y ~ G.HRS + `hours worked`", "y", "`G.HRS` + `hours worked`"),
        ("y ~ I(x**2 / 3) + {x - 1}", "y", "I(x ** 2 / 3) + {x - 1}"),
        ('y ~ C(arm, Treatment("b"))', "y", 'C(arm, Treatment("b"))'),
        (
            "I(y / 60) ~ center(log(x)) + scale(z) + sqrt(w) + exp(v)",
            "I(y / 60)",
            "center(log(x)) + scale(z) + sqrt(w) + exp(v)",
        ),
        ("y ~ (1 | g)", "y", "1"),
        ("y ~ (1 | g) + x", "y", "x"),
        ("y ~ x + (1 | g) + z", "y", "x + z"),
        ("y ~ 0 + x", "y", "0 + x"),
    ],
)
def test_outcome_and_fixed_part(text: str, outcome: str, fixed: str) -> None:
    parsed = parse(text)
    assert (parsed.outcome, parsed.fixed) == (outcome, fixed)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("(1 + x | g)", [RandomTerm("1 + x", ("g",))]),
        ("(x || g)", [RandomTerm("x", ("g",), correlated=False)]),
        ("(0 + x | g)", [RandomTerm("0 + x", ("g",))]),
        ("(1 | a:b)", [RandomTerm("1", ("a", "b"))]),
        ("(1 | a/b)", [RandomTerm("1", ("a",)), RandomTerm("1", ("a", "b"))]),
        (
            "(1 | a/b/c)",
            [
                RandomTerm("1", ("a",)),
                RandomTerm("1", ("a", "b")),
                RandomTerm("1", ("a", "b", "c")),
            ],
        ),
        ("(1 | a:b/c)", [RandomTerm("1", ("a", "b")), RandomTerm("1", ("a", "b", "c"))]),
        ("(1 | `the firm`)", [RandomTerm("1", ("the firm",))]),
        ("(I(x**2) | g) + (1 | h)", [RandomTerm("I(x ** 2)", ("g",)), RandomTerm("1", ("h",))]),
    ],
)
def test_random_terms(term: str, expected: list[RandomTerm]) -> None:
    parsed = parse(f"y ~ x + {term}")
    assert list(parsed.random) == expected
    assert parsed.fixed == "x"


def test_variables_come_once_in_order_of_appearance() -> None:
    text = 'log(y) ~ x*C(arm, Treatment("a")) + x:z + (1 + x | firm/`person id`)'
    assert variables(text) == ("y", "x", "arm", "z", "firm", "person id")


def test_functions_and_levels_are_not_columns() -> None:
    assert variables("y ~ log(log) + C(C)") == ("y", "log", "C")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("y", "a formula has exactly one '~'. Found: 0."),
        ("y ~ x ~ z", "a formula has exactly one '~'. Found: 2."),
        ("~ x", "nothing stands left of '~'"),
        ("y ~ ", "nothing stands right of '~'"),
        ("y ~ x; import os", "cannot read the formula at '; import os'"),
        ("y ~ x + 1 | g", "'x + 1 | g' is not allowed in a formula; put random terms in brackets"),
        ("y ~ x - (1 | g)", "'1 | g' is not allowed in a formula; put random terms in brackets"),
        ("y ~ foo(x)", "'foo(x)' is not allowed in a formula"),
        ("y ~ os.system(1)", "'os.system(1)' is not allowed in a formula"),
        ("y ~ __import__('os')", "'__import__('os')' is not allowed in a formula"),
        ("y ~ I(open('f'))", "'open('f')' is not allowed in arithmetic"),
        ("y ~ {x:z}", "'x:z' is not allowed in arithmetic"),
        ("y ~ {x, z}", "'{x, z}' is not allowed in a formula"),
        ("y ~ I(x:z)", "'x:z' is not allowed in arithmetic"),
        ("y ~ C(x, Sum)", "'Sum' is not a coding; write Treatment(\"level\")"),
        ("y ~ C(x + 1)", "'C(x + 1)' is not allowed in a formula"),
        ("y ~ 2*x", "'2' is not allowed in a formula"),
        ("y ~ x**z", "'z' is not a power: ** takes a whole number from 1 to 9"),
        ("y ~ (x + z)**99", "'99' is not a power"),
        ("y + z ~ x", "'y + z' is not one outcome; write a column, log(y) or I(...)"),
        ("C(y) ~ x", "'C(y)' is not one outcome"),
        ("y ~ (1 | g", "the '(' is never closed"),
        ("y ~ (1 | g + h)", "cannot group by 'g + h'. Allowed: g, a:b, a/b."),
        ("y ~ (1 | 1)", "cannot group by '1'"),
        ("y ~ (1 |)", "cannot group by ''"),
        ("y ~ (| g)", "cannot read ''"),
        ("y ~ x +", "cannot read 'x +'"),
        ("y ~ (foo(x) | g)", "'foo(x)' is not allowed in a formula"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, sentence: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert sentence in str(caught.value)
    assert f"formula '{text}'" in str(caught.value)


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("y + z ~ foo(x) + bar(x) + (1 | g + h)")
    assert len(caught.value.problems) == 4


_PIECES = [
    "y",
    "x",
    "~",
    "+",
    "-",
    ":",
    "*",
    "/",
    "**",
    "(",
    ")",
    "|",
    "||",
    "{",
    "}",
    ",",
    "1",
    "0",
    "2.5",
    "`a b`",
    "'t'",
    "log",
    "C",
    "I",
    "Treatment",
    "lambda",
    "a.b",
    "[",
    "=",
    "\\",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=25).map(" ".join))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    parsed, refusal = _read(text)
    if parsed is None:
        assert refusal
        return
    again = parse(f"{parsed.outcome} ~ {parsed.fixed}")
    assert (again.outcome, again.fixed) == (parsed.outcome, parsed.fixed)


def _read(text: str) -> tuple[Formula | None, str]:
    try:
        return parse(text), ""
    except FormulaError as error:
        return None, str(error)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("y ~ Intercept + x", "Intercept"),
        ("y ~ x + (0 + Intercept | g)", "Intercept"),
        ("y ~ `1`", "1"),
        ("y ~ a * b + `a:b`", "a:b"),
        ("y ~ x + (1 | `a:b`)", "a:b"),
        ("y ~ g + `g[T.q]`", "g[T.q]"),
        ("y ~ log(x) + `log(x)`", "log(x)"),
    ],
)
def test_a_column_may_not_take_a_coefficients_name(text: str, name: str) -> None:
    with pytest.raises(FormulaError) as raised:
        parse(text)
    assert str(raised.value) == (
        f"formula '{text}': a column may not be called '{name}'. Found: the name of a coefficient, "
        "which it would silently replace. Rename the column."
    )


def test_other_quoted_names_stay_allowed() -> None:
    parsed = parse('y ~ `hours (weekly)` + C(`2nd`, Treatment("new (b)")) + (a + b):c')
    assert parsed.names == ("y", "hours (weekly)", "2nd", "a", "b", "c")
    assert parsed.fixed == '`hours (weekly)` + C(`2nd`, Treatment("new (b)")) + (a + b):c'
