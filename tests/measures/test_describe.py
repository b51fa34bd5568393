"""Aggregates against R and by hand; small cells stay hidden whatever the table."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from alc_stats.errors import DeclarationError, TableError
from alc_stats.measures import BoundsShare, bounds_share, describe, distribution, trajectory
from tolerances import EXACT_ARITHMETIC, JSON_DIGITS


def _rows(columns: dict[str, tuple[object, ...]]) -> list[tuple[object, ...]]:
    return list(zip(*columns.values(), strict=True))


# Table 1


def test_cells_are_the_moments_of_their_rows(people: pd.DataFrame) -> None:
    cells = describe(
        people,
        ["quality"],
        by="arm",
        person="person",
        labels={"quality": "Quality"},
        units={"quality": "points"},
    )
    assert [c.group for c in cells] == ["All", "control", "mandate"]
    assert {(c.variable, c.label, c.unit) for c in cells} == {("quality", "Quality", "points")}
    control = people.loc[people["arm"] == "control", "quality"]
    found = cells[1]
    assert (found.n, found.missing) == (control.count(), control.isna().sum())
    known = control.dropna().to_list()
    mean = sum(known) / len(known)
    sd = (sum((x - mean) ** 2 for x in known) / (len(known) - 1)) ** 0.5
    assert found.mean is not None
    assert found.sd is not None
    assert_allclose([found.mean, found.sd], [mean, sd], rtol=EXACT_ARITHMETIC)
    assert found.median == statistics.median(known)
    assert (found.low, found.high) == (min(known), max(known))


def test_a_small_group_takes_another_with_it() -> None:
    frame = pd.DataFrame({"arm": ["a"] * 3 + ["b"] * 8 + ["c"] * 9, "x": np.arange(20.0)})
    cells = describe(frame, ["x"], by="arm")
    assert [(c.group, c.n) for c in cells] == [("All", 20), ("a", None), ("b", None), ("c", 9)]
    hidden = cells[1]
    assert (hidden.missing, hidden.mean, hidden.sd, hidden.low, hidden.high) == (None,) * 5


def test_people_count_not_rows() -> None:
    frame = pd.DataFrame({"person": ["p", "q"] * 50, "x": np.arange(100.0)})
    assert describe(frame, ["x"])[0].n == 100
    assert describe(frame, ["x"], person="person")[0].n is None


def test_a_rare_answer_is_a_small_cell() -> None:
    frame = pd.DataFrame({"left": [True] * 2 + [False] * 48, "kept": [0] * 50, "half": [0, 1] * 25})
    left, kept, half = describe(frame, ["left", "kept", "half"])
    assert left.mean is None
    assert (kept.mean, half.mean) == (0.0, 0.5)


def test_missing_values_and_missing_groups_are_shown() -> None:
    frame = pd.DataFrame({"g": ["b"] * 6 + [None] * 6, "x": [1.0] * 5 + [np.nan] + [2.0] * 6})
    cells = describe(frame, ["x"], by="g")
    assert [(c.group, c.n, c.missing) for c in cells] == [
        ("All", 11, 1),
        ("b", 5, 1),
        ("not stated", 6, 0),
    ]


def test_groups_keep_the_order_of_a_categorical() -> None:
    arm = pd.Categorical(["pre"] * 5 + ["post"] * 5, categories=["pre", "post", "never"])
    cells = describe(pd.DataFrame({"arm": arm, "x": 1.0}), ["x"], by="arm")
    assert [c.group for c in cells] == ["All", "pre", "post"]


def test_a_statistic_that_does_not_exist_is_none() -> None:
    (cell,) = describe(pd.DataFrame({"x": [np.nan] * 9}), ["x"])
    assert (cell.n, cell.missing, cell.mean, cell.sd) == (0, 9, None, None)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0.5, 1.5, np.nan])), max_size=60)
)
def test_no_table_shows_a_small_group_or_lets_it_be_computed(
    rows: list[tuple[str, float]],
) -> None:
    frame = pd.DataFrame(
        {"g": [r[0] for r in rows], "x": np.array([r[1] for r in rows], dtype=float)}
    )
    total, *groups = describe(frame, ["x"], by="g")
    shown = [c.n for c in groups if c.n is not None]
    assert all(n == 0 or n >= 5 for n in shown)
    if total.n is not None and len(shown) < len(groups):
        assert total.n - sum(shown) >= 5
        assert len(groups) - len(shown) > 1 or not any(shown)


def test_variables_must_be_numbers_of_the_table() -> None:
    frame = pd.DataFrame({"x": ["a"], "y": [np.inf]})
    with pytest.raises(TableError, match=r"column 'x' does not hold numbers. Found: str"):
        describe(frame, ["x"])
    with pytest.raises(TableError, match="column 'y' holds infinite values"):
        describe(frame, ["y"])
    with pytest.raises(DeclarationError, match="the table has no column 'z'"):
        describe(frame, ["z"])


# Bounds


def test_shares_lie_exactly_at_the_bounds(real: Callable[[str], pd.DataFrame]) -> None:
    # the catalogue of the advice data: 40 % of weights at 0, 20 % at 1
    weights = real("chatgpt-advice/responses_features.csv")["weight_on_advice"]
    share = bounds_share(weights, lower=0.0, upper=1.0)
    assert (round(share.floor, 1), round(share.ceiling, 1)) == (0.4, 0.2)


def test_bounds_by_hand_and_for_arrays() -> None:
    values = np.array([0.0, 1e-9, 1.0, np.nan, 1.0])
    assert bounds_share(values, lower=0.0, upper=1.0) == BoundsShare(0.25, 0.5, 4)


def test_values_outside_their_bounds_are_refused() -> None:
    with pytest.raises(TableError) as caught:
        bounds_share(pd.Series([0.5, 1.5], name="score"), lower=0.0, upper=1.0)
    assert str(caught.value) == (
        "column 'score': values lie outside their bounds. Found: 1 of 2. Allowed: 0 to 1. "
        "Correct the declared bounds or the data."
    )
    with pytest.raises(TableError, match="there are no values"):
        bounds_share(pd.Series([np.nan]), lower=0.0, upper=1.0)


# Distributions


def test_shares_are_those_of_numpys_histogram(people: pd.DataFrame) -> None:
    columns = distribution(people, "quality", by="arm", bins=3, bounds=(30.0, 120.0))
    assert list(columns) == ["panel", "group", "left", "right", "share"]
    for arm, part in people.groupby("arm"):
        counts, edges = np.histogram(part["quality"].dropna(), bins=3, range=(30.0, 120.0))
        rows = [r for r in _rows(columns) if r[1] == arm]
        assert [(r[2], r[3]) for r in rows] == list(itertools.pairwise(edges))
        shown = [
            (r[4], n / counts.sum()) for r, n in zip(rows, counts, strict=True) if r[4] is not None
        ]
        assert shown
        assert_allclose(*zip(*shown, strict=True), rtol=EXACT_ARITHMETIC)


def test_edges_without_bounds_are_round_and_hold_the_data() -> None:
    frame = pd.DataFrame({"x": np.linspace(3.17, 9.83, 200)})
    columns = distribution(frame, "x", bins=20)
    assert columns["left"][0] == 3.0
    assert columns["right"][-1] == 10.0
    assert {round(r - x, 9) for x, r in zip(columns["left"], columns["right"], strict=True)} == {
        0.5
    }
    assert sum(columns["share"]) == pytest.approx(1.0)  # type: ignore[arg-type]


def test_a_constant_column_is_one_bin() -> None:
    columns = distribution(pd.DataFrame({"x": [4.0] * 9}), "x")
    assert _rows(columns) == [("", "All", 4.0, 5.0, 1.0)]


def test_values_at_the_ceiling_are_in_the_last_bin() -> None:
    frame = pd.DataFrame({"x": [0.0] * 5 + [0.5] * 5 + [1.0] * 10})
    assert distribution(frame, "x", bins=2, bounds=(0.0, 1.0))["share"] == (0.25, 0.75)


def test_small_bins_are_hidden_and_small_groups_altogether() -> None:
    frame = pd.DataFrame({"g": ["big"] * 20 + ["few"] * 4, "x": [0.1] * 13 + [0.9] * 7 + [0.1] * 4})
    frame.loc[0, "x"] = 0.5
    columns = distribution(frame, "x", by="g", bins=4, bounds=(0.0, 1.0))
    by_group = {g: [r[4] for r in _rows(columns) if r[1] == g] for g in ("big", "few")}
    assert by_group["big"] == [0.6, 0.0, None, None]  # 0.5 alone would be the rest of 1
    assert by_group["few"] == [None] * 4


def test_panels_and_people(people: pd.DataFrame) -> None:
    columns = distribution(people, "quality", panel="wave", person="person", bins=2)
    assert list(dict.fromkeys(columns["panel"])) == ["1", "2"]
    assert set(columns["group"]) == {"All"}


def test_distributions_refuse_what_cannot_be_drawn() -> None:
    with pytest.raises(DeclarationError, match=r"bins must be 1 or more. Found: 0"):
        distribution(pd.DataFrame({"x": [1.0]}), "x", bins=0)
    with pytest.raises(TableError, match="column 'x': there are no values"):
        distribution(pd.DataFrame({"x": [np.nan]}), "x")
    with pytest.raises(TableError, match="values lie outside their bounds"):
        distribution(pd.DataFrame({"x": [2.0]}), "x", bounds=(0.0, 1.0))


# Trajectories


@pytest.mark.parametrize(("cluster", "stem"), [(None, ""), ("firm", "firms_")])
def test_points_and_intervals_are_those_of_r(
    people: pd.DataFrame, witness: dict[str, Any], cluster: str | None, stem: str
) -> None:
    columns = trajectory(
        people, ["quality"], by="arm", over="wave", cluster=cluster, labels={"quality": "Quality"}
    )
    expected = witness["trajectory"]
    assert columns["panel"] == ("Quality",) * 4
    assert columns["group"] == tuple(row["arm"] for row in expected)
    assert columns["x"] == (1.0, 2.0, 1.0, 2.0)
    assert columns["x_label"] == ("1", "2", "1", "2")
    assert columns["n"] == tuple(row["n"] for row in expected)
    for name in ("value", "low", "high"):
        assert_allclose(
            np.array(columns[name], dtype=float),
            [row[f"{stem}{name}"] for row in expected],
            rtol=JSON_DIGITS,
        )


def test_times_without_numbers_are_counted() -> None:
    wave = pd.Categorical(["before", "after"] * 6, categories=["before", "after"])
    frame = pd.DataFrame({"g": "a", "wave": wave, "x": np.arange(12.0)})
    columns = trajectory(frame, ["x"], by="g", over="wave")
    assert columns["x"] == (0.0, 1.0)
    assert columns["x_label"] == ("before", "after")


def test_one_cluster_has_no_interval() -> None:
    frame = pd.DataFrame({"g": "a", "firm": "f", "wave": 1, "x": np.arange(6.0)})
    columns = trajectory(frame, ["x"], by="g", over="wave", cluster="firm")
    assert (columns["value"], columns["low"], columns["high"]) == ((2.5,), (None,), (None,))


def test_a_small_point_takes_another_of_its_group_with_it() -> None:
    frame = pd.DataFrame({"g": "a", "wave": [1] * 3 + [2] * 6 + [3] * 7, "x": np.arange(16.0)})
    columns = trajectory(frame, ["x"], by="g", over="wave")
    assert columns["n"] == (None, None, 7)
    assert columns["value"][:2] == (None, None)
    assert columns["low"][:2] == (None, None)


def test_a_group_without_values_at_a_time_has_no_point(people: pd.DataFrame) -> None:
    gone = people[(people["arm"] == "control") | (people["wave"] == 1)]
    columns = trajectory(gone, ["quality"], by="arm", over="wave")
    assert list(zip(columns["group"], columns["x"], strict=True)) == [
        ("control", 1.0),
        ("control", 2.0),
        ("mandate", 1.0),
    ]
