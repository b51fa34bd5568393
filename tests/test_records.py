"""Records go to JSON and come back whole; what does not fit is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from cattrs.errors import ClassValidationError
from hypothesis import given
from hypothesis import strategies as st

from alc_stats.records import Cell, FloatArray, Number, Phrase, dump, load


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A record with the kinds of field that results have."""

    columns: Mapping[str, tuple[Cell, ...]]
    reference: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """A record of arrays."""

    vcov: FloatArray


@given(st.floats())
def test_every_float_survives(value: float) -> None:
    back = load(dump(Number(value)), Number).value
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_the_text_is_plain_json() -> None:
    text = dump(Number(math.inf, "df"))
    assert json.loads(text) == {"value": "inf", "kind": "df", "unit": ""}


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), st.lists(st.none() | st.text() | FINITE)))
def test_cells_survive(columns: dict[str, list[Cell]]) -> None:
    exhibit = Exhibit({name: tuple(cells) for name, cells in columns.items()}, None)
    assert load(dump(exhibit), Exhibit) == exhibit


def test_arrays_survive_with_their_shape_and_bits() -> None:
    vcov = np.array([[0.1, math.nan, math.inf], [1e-300, -math.inf, 1 / 3]])
    back = load(dump(Arrays(vcov)), Arrays).vcov
    assert back.dtype == np.float64
    np.testing.assert_array_equal(back, vcov)


def test_a_phrase_keeps_its_numbers() -> None:
    phrase = Phrase("{floor} at the floor.", {"floor": Number(0.12, "share")})
    assert load(dump(phrase), Phrase) == phrase


@pytest.mark.parametrize(
    "text",
    ['{"value": 1, "knd": "se"}', '{"value": 1, "kind": "guess"}', '{"value": "many"}', "{}"],
)
def test_what_is_not_the_record_is_refused(text: str) -> None:
    with pytest.raises(ClassValidationError):
        load(text, Number)
