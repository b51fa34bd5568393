"""What is named has to be there, once, and a number: a sentence says which is not."""

from __future__ import annotations

import pandas as pd
import pytest

from alc_stats.errors import DeclarationError
from alc_stats.measures.columns import listed, numbers, require


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"no pandas DataFrame. Found: dict"):
        require({"a": [1.0]}, ["a"], where="gap")  # type: ignore[arg-type]


def test_a_table_with_a_column_twice_is_refused_where_it_is_used() -> None:
    table = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["a", "a", "b"])
    with pytest.raises(DeclarationError, match="several columns 'a'"):
        require(table, ["a", "b"], where="gap")
    require(table, ["b"], where="gap")


def test_a_column_plays_one_part() -> None:
    with pytest.raises(DeclarationError, match=r"a column plays two parts. Found: a"):
        numbers(pd.DataFrame({"a": [1.0]}), ["a", "a"], where="dose_response")


def test_one_column_may_be_named_by_itself() -> None:
    assert listed("tenure") == ("tenure",)
    assert listed(["tenure", "role"]) == ("tenure", "role")
