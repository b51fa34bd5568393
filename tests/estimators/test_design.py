from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from alc_stats.errors import FitError, FormulaError
from alc_stats.estimators import fit
from alc_stats.estimators.design import build_design, codes, read_table
from alc_stats.estimators.formula import parse


def design_of(formula: str, data: pd.DataFrame):
    parsed = parse(formula)
    return build_design(parsed, read_table(parsed, data))


@pytest.fixture
def small() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [1.0, 3.0, 2.0, 5.0, 4.0, 7.0],
            "x": [0.0, 1.0, 2.0, 3.0, 4.0, 6.0],
            "g": list("abcabc"),
        }
    )


def test_incomplete_rows_are_counted_by_what_they_lack(small: pd.DataFrame) -> None:
    small.loc[1, "x"] = np.nan
    small.loc[2, ["x", "g"]] = [np.nan, None]
    small["unused"] = np.nan
    table = read_table(parse("y ~ x + g"), small)
    assert table.dropped == {"x": 1, "x, g": 1}
    assert (table.read, len(table.frame)) == (6, 4)
    counts = table.counts({})
    assert counts.read - sum(counts.dropped.values()) == counts.used


def test_names_and_levels_are_the_formula_librarys(small: pd.DataFrame) -> None:
    design = design_of('y ~ C(g, Treatment("b")) + x', small)
    assert design.names == (
        "Intercept",
        "C(g, Treatment('b'))[T.a]",
        "C(g, Treatment('b'))[T.c]",
        "x",
    )
    assert design.coding.levels == {"C(g, Treatment('b'))": ("b", "a", "c")}
    assert design_of("y ~ g", small).coding.levels == {"g": ("a", "b", "c")}
    assert design.coding.outcome == "y"


def test_declared_category_order_is_kept_and_unused_levels_dropped(small: pd.DataFrame) -> None:
    small["g"] = pd.Categorical(small["g"], categories=["z", "c", "a", "b"])
    assert design_of("y ~ g", small).names == ("Intercept", "g[T.a]", "g[T.b]")


@pytest.mark.parametrize(
    "column",
    [
        pd.array([0, 1, 2, 3, 4, 6], dtype="Int64"),
        pd.array([0.0, 1.0, 2.0, 3.0, 4.0, 6.0], dtype="Float64"),
        pd.array([0, 1, 2, 3, 4, 6], dtype=pd.ArrowDtype(pa.int64())),
        pd.Series([0, 1, 2, 3, 4, 6], dtype=object),
        pd.Series([Decimal(v) for v in (0, 1, 2, 3, 4, 6)], dtype=object),
        np.array([0, 1, 2, 3, 4, 6], dtype=np.float32),
    ],
    ids=["Int64", "Float64", "arrow", "object", "decimal", "float32"],
)
def test_every_kind_of_number_becomes_the_same_float(small: pd.DataFrame, column: object) -> None:
    expected = design_of("y ~ x", small).X
    small["x"] = column
    np.testing.assert_array_equal(design_of("y ~ x", small).X, expected)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "object", "string"])
def test_missing_values_of_every_kind_are_dropped(small: pd.DataFrame, dtype: str) -> None:
    values = {"boolean": True, "string": "u"}.get(dtype, 1)
    other = {"boolean": False, "string": "v"}.get(dtype, 2)
    small["x"] = pd.Series([values, other, None, other, values, other], dtype=dtype)
    table = read_table(parse("y ~ x"), small)
    assert table.dropped == {"x": 1}


def test_arrow_text_is_a_category(small: pd.DataFrame) -> None:
    small["g"] = small["g"].astype(pd.ArrowDtype(pa.string()))
    assert design_of("y ~ g", small).names == ("Intercept", "g[T.b]", "g[T.c]")


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ([datetime.date(2026, 1, 1)] * 6, "date"),
        (pd.date_range("2026-01-01", periods=6), "datetime64"),
        ([1, "a", 2, "b", 3, "c"], "number and text"),
        (np.arange(6) * 1j, "complex128"),
    ],
)
def test_what_is_neither_number_nor_category_is_refused(
    small: pd.DataFrame, column: object, found: str
) -> None:
    small["x"] = column
    with pytest.raises(FormulaError, match="column 'x' holds neither numbers nor categories") as e:
        design_of("y ~ x", small)
    assert found in str(e.value)


def test_unknown_columns_are_all_named_with_a_way_out(small: pd.DataFrame) -> None:
    with pytest.raises(FormulaError) as caught:
        design_of("y ~ xx + (1 | gg)", small.rename(columns={"x": "xxx"}))
    first, second = (str(problem) for problem in caught.value.problems)
    assert "the table has no column 'xx'. Did you mean 'xxx'?" in first
    assert "the table has no column 'gg'. Did you mean 'g'?" in second


def test_a_name_two_columns_share_is_refused(small: pd.DataFrame) -> None:
    twice = pd.concat([small, small[["x"]]], axis=1)
    with pytest.raises(FormulaError, match="2 columns called 'x'"):
        design_of("y ~ x", twice)


def test_infinite_values_are_an_error_with_a_count(small: pd.DataFrame) -> None:
    small.loc[[0, 3], "x"] = [np.inf, -np.inf]
    with pytest.raises(FitError, match="'x' is infinite in 2 of 6 rows"):
        design_of("y ~ x", small)


def test_a_transformation_that_fails_is_an_error_not_a_lost_row(small: pd.DataFrame) -> None:
    with pytest.raises(FitError, match=r"'log\(x\)' is not finite in 1 of 6 rows"):
        design_of("y ~ log(x)", small)
    with pytest.raises(FitError, match=r"'log\(x - 2\)' is not finite in 3 of 6 rows"):
        design_of("log(x - 2) ~ y".replace("log(x - 2)", "log(x-2)"), small)


def test_a_level_that_does_not_exist_is_a_formula_error(small: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="cannot compute"):
        design_of('y ~ C(g, Treatment("zz"))', small)


def test_text_as_outcome_is_refused(small: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="the outcome is not numeric"):
        design_of("g ~ x", small)


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("y ~ x + I(2*x)", r"the columns x, I\(2 \* x\) are linearly dependent"),
        ("y ~ x + I(3 - 2*x)", r"the columns Intercept, x, I\(3 - 2 \* x\) are linearly dependent"),
        ("y ~ x + I(0*x)", r"the column I\(0 \* x\) is zero in every row used"),
        ("y ~ g*x", "there are not more rows than coefficients"),
        ("I(0*x) ~ x", "is constant"),
        ("y ~ 0", "the fixed part has no columns"),
    ],
)
def test_designs_that_cannot_be_estimated(small: pd.DataFrame, formula: str, sentence: str) -> None:
    with pytest.raises((FitError, FormulaError), match=sentence):
        design_of(formula, small)


def test_dependence_is_found_whatever_the_units(small: pd.DataFrame) -> None:
    small["big"] = small["x"] * 1e9 + 4e9
    with pytest.raises(FitError, match="Intercept, x, big are linearly dependent"):
        design_of("y ~ x + big", small)
    small["far"] = 2020.0 + small["x"] * 1e-3
    assert design_of("y ~ far + I(far**2)", small).names == ("Intercept", "far", "I(far ** 2)")


def test_no_row_left_is_an_error(small: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="no complete row is left"):
        design_of("y ~ x", small.assign(x=np.nan))


def test_codes_of_nested_groupings_count_their_cells() -> None:
    frame = pd.DataFrame({"a": ["p", "p", "q", "q"], "b": ["1", "2", "1", "1"]})
    level, levels = codes(frame, ["a", "b"])
    assert (level.tolist(), levels) == ([0, 1, 2, 2], 3)


def test_codes_of_any_kind_are_numbered_as_pandas_numbers_groups() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "number": rng.choice([2.5, -1.0, 0.0, 7.0], 60),
            "category": pd.Categorical(rng.choice(list("abc"), 60), categories=list("cab")),
            "text": rng.choice(["q", "p"], 60),
        }
    )
    for names in (["number"], ["category"], ["category", "number"], ["text", "number", "category"]):
        level, levels = codes(frame, names)
        cells = frame.groupby(names, sort=True, observed=True)
        assert (level.tolist(), levels) == (cells.ngroup().tolist(), cells.ngroups)


def test_a_table_read_keeps_its_numbers_when_the_callers_change(small: pd.DataFrame) -> None:
    parsed = parse("y ~ x")
    table = read_table(parsed, small)
    design = build_design(parsed, table)
    before = small["y"].tolist()
    small.iloc[:, :2] = -1.0
    assert design.y.tolist() == before
    assert table.frame["y"].tolist() == before


def test_the_callers_table_is_left_alone(small: pd.DataFrame) -> None:
    before = small.copy(deep=True)
    design_of("y ~ x + g", small)
    pd.testing.assert_frame_equal(small, before)


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | g)"])
@pytest.mark.parametrize(("factor", "word"), [(1e200, "large"), (1e-200, "small")])
def test_numbers_that_cannot_be_squared_are_refused(formula: str, factor: float, word: str) -> None:
    data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "x": [0.0, 1, 2, 3, 4, 5], "g": list("aabbcc")})
    with pytest.raises(FitError) as raised:
        fit(formula, data.assign(y=data["y"] * factor, x=data["x"] * factor))
    size = {"large": ("8e+200", "5e+200"), "small": ("8e-200", "5e-200")}[word]
    assert [str(problem) for problem in raised.value.problems] == [
        f"formula '{formula}': the numbers of '{name}' are too {word} to square in float64. Found: "
        f"up to {found}. Allowed: 1e-150 to 1e+150, and zeros. Use another unit."
        for name, found in zip(("y", "x"), size, strict=True)
    ]
