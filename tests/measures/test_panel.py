"""Between and within add up, are orthogonal, and are those of the published group means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from alc_stats.errors import DeclarationError, TableError
from alc_stats.measures import within_between
from tolerances import EXACT_ARITHMETIC, TEN_PRINTED_DIGITS


def test_the_parts_add_up_and_the_deviations_to_zero(people: pd.DataFrame) -> None:
    between, within = within_between(people, "quality", group="firm")
    assert (between.name, within.name) == ("quality_between", "quality_within")
    assert_allclose(between + within, people["quality"], rtol=EXACT_ARITHMETIC)
    assert_allclose(within.groupby(people["firm"]).sum(), 0.0, atol=1e3 * EXACT_ARITHMETIC)
    assert within.isna().equals(people["quality"].isna())
    assert between.notna().all()


def test_the_index_may_repeat() -> None:
    frame = pd.DataFrame({"g": ["a", "a", "b"], "x": [1, 3, 5]}, index=[0, 0, 0])
    between, within = within_between(frame, "x", group="g")
    assert between.tolist() == [2.0, 2.0, 5.0]
    assert within.tolist() == [-1.0, 1.0, 0.0]


def test_inner_ids_that_start_anew_need_the_outer_group() -> None:
    frame = pd.DataFrame({"firm": ["f", "f", "g"], "person": [1, 1, 1], "x": [1.0, 3.0, 8.0]})
    assert within_between(frame, "x", group=["firm", "person"])[0].tolist() == [2.0, 2.0, 8.0]
    assert within_between(frame, "x", group="person")[0].tolist() == [4.0, 4.0, 4.0]


def test_group_means_are_those_published_with_the_data(real: Callable[[str], pd.DataFrame]) -> None:
    # Bliese's bh1996 carries group means (G.) and deviations (W.) to ten digits
    army = real("multilevel/multilevel__bh1996.csv")
    for column in ("HRS", "LEAD", "COHES"):
        between, within = within_between(army, column, group="GRP")
        assert_allclose(between, army[f"G.{column}"], atol=TEN_PRINTED_DIGITS)
        assert_allclose(within, army[f"W.{column}"], atol=2 * TEN_PRINTED_DIGITS)


def test_rows_without_a_group_and_unknown_columns_are_refused() -> None:
    frame = pd.DataFrame({"g": ["a", None], "x": [1.0, np.nan]})
    with pytest.raises(TableError) as caught:
        within_between(frame, "x", group="g")
    assert str(caught.value) == (
        "within_between of 'x': rows have no group. Found: 1 rows lack g. "
        "Drop them in the ledger first."
    )
    with pytest.raises(DeclarationError, match="the table has no column 'gg'"):
        within_between(frame, "x", group="gg")
