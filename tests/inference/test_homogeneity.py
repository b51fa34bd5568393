from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from alc_stats.errors import FitError
from alc_stats.inference import brown_forsythe
from estimators.witness import answers, table
from tolerances import OTHER_ALGORITHM


def test_brown_forsythe_is_rs_analysis_of_variance() -> None:
    data = table("linear", "clusters.csv").dropna()
    groups = {name: column.to_numpy() for name, column in data.groupby("role")["y"]}
    obtained = dataclasses.asdict(brown_forsythe(groups))
    assert obtained == pytest.approx(answers("linear")["brown_forsythe"], rel=OTHER_ALGORITHM)


def test_missing_values_are_left_out() -> None:
    groups = {"a": [1.0, 2.0, 4.0], "b": [3.0, 7.0, 1.0]}
    with_gap = {"a": [1.0, np.nan, 2.0, 4.0], "b": [3.0, 7.0, 1.0]}
    assert brown_forsythe(with_gap) == brown_forsythe(groups)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ({"a": [1.0, 2.0, 3.0]}, "spreads can only be compared between groups. Found: 1"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}, "group 'a' is too small to show its spread"),
        ({"a": [1.0] * 4, "b": [2.0] * 4}, "no group has any spread"),
    ],
)
def test_spreads_that_cannot_be_compared(groups: dict[str, list[float]], sentence: str) -> None:
    with pytest.raises(FitError, match=sentence):
        brown_forsythe(groups)
