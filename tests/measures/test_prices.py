"""Prices: the one that held on the day, and a sentence where there is none."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, TableError
from alc_stats.measures import priced
from tolerances import EXACT_ARITHMETIC

COLUMNS = {"model": "model", "date": "day", "tokens_in": "in", "tokens_out": "out"}


def log(**change: Any) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "model": ["b", "a", "a", "a"],
            "day": pd.to_datetime(["2026-02-01", "2026-01-31", "2026-02-01", "2026-03-09"]),
            "in": [1000, 2000, 4000, 8000],
            "out": [500, 0, 100, 10],
            "cached": [0, 10_000, 0, 0],
        },
        index=[7, 3, 5, 1],
    )
    return table.assign(**change)


def prices(**change: Any) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "model": ["a", "a", "b"],
            "since": ["2026-01-01", "2026-02-01", "2025-06-01"],
            "input": [3.0, 2.0, 1.0],
            "output": [15.0, 10.0, 5.0],
            "cached": [0.3, 0.2, 0.1],
        }
    )
    return table.assign(**change)


def test_every_row_costs_what_held_on_its_day() -> None:
    found = priced(log(), prices(), **COLUMNS)
    by_hand = [0.0035, 0.006, 0.009, 0.0161]
    assert found.tolist() == pytest.approx(by_hand, rel=EXACT_ARITHMETIC)
    assert found.index.tolist() == [7, 3, 5, 1]


def test_cached_tokens_have_a_price_of_their_own() -> None:
    found = priced(log(), prices(), **COLUMNS, tokens_cached="cached")
    assert found.loc[3] == pytest.approx(0.006 + 0.003, rel=EXACT_ARITHMETIC)


def test_hours_and_time_zones_do_not_matter() -> None:
    hours = log(day=pd.to_datetime(log()["day"]).dt.tz_localize("UTC") + pd.Timedelta(hours=9))
    assert priced(hours, prices(), **COLUMNS).equals(priced(log(), prices(), **COLUMNS))


def test_models_without_a_price_are_named_all_at_once() -> None:
    seen = log(model=["c", "a", "a", "d"])
    with pytest.raises(TableError) as error:
        priced(seen, prices(), **COLUMNS)
    assert "'c' (from 2026-02-01), 'd' (from 2026-03-09), 2 rows" in str(error.value)
    assert "Add a row for each" in str(error.value)


def test_a_model_used_before_its_first_price_has_none() -> None:
    with pytest.raises(TableError, match=r"no price on their day.*'a' \(from 2026-01-31\)"):
        priced(log(), prices(since=["2026-02-01", "2026-02-02", "2025-06-01"]), **COLUMNS)


@pytest.mark.parametrize(
    ("seen", "table", "says"),
    [
        ({"in": -1}, {}, "tokens are below zero"),
        ({"model": None}, {}, "4 rows have no model"),
        ({}, {"input": -1.0}, "a price is missing, below zero, or has no day"),
        ({}, {"output": [None, 1.0, 1.0]}, "a price is missing"),
        ({}, {"since": "2026-01-01"}, "two prices from one day on"),
    ],
)
def test_what_is_broken_is_a_sentence(
    seen: dict[str, Any], table: dict[str, Any], says: str
) -> None:
    with pytest.raises(TableError, match=says):
        priced(log(**seen), prices(**table), **COLUMNS)


def test_a_price_table_without_a_kind_is_refused() -> None:
    with pytest.raises(DeclarationError, match="no column 'cached'"):
        priced(log(), prices().drop(columns="cached"), **COLUMNS, tokens_cached="cached")
