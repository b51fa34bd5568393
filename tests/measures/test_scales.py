"""Scores by hand, alpha against R and published values, and every refusal by its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pingouin as pg
import pytest
from numpy.testing import assert_allclose

from alc_stats.errors import DeclarationError, TableError
from alc_stats.measures import reliability, score
from tolerances import EXACT_ARITHMETIC, INCOMPLETE_ROWS, JSON_DIGITS, THREE_PRINTED_DIGITS

ITEMS = ["i1", "i2", "i3", "i4"]
ANSWERS = pd.DataFrame(
    {"a": [5, 1, 3], "b": [1, 2, np.nan], "c": [4, np.nan, np.nan]}, index=[8, 2, 5]
)


def test_the_score_is_the_mean_of_keyed_answers() -> None:
    by_hand = [(5 + (6 - 1) + 4) / 3, (1 + (6 - 2)) / 2, np.nan]
    scored = score(ANSWERS, ["a", "b", "c"], range=(1, 5), reversed_items=["b"], min_answered=2)
    assert_allclose(scored, by_hand, rtol=EXACT_ARITHMETIC)
    assert scored.index.tolist() == [8, 2, 5]


def test_every_answer_is_needed_unless_declared_otherwise() -> None:
    assert score(ANSWERS, ["a", "b", "c"], range=(1, 5)).notna().tolist() == [True, False, False]


def test_turning_every_item_turns_the_score(people: pd.DataFrame) -> None:
    straight = score(people, ITEMS, range=(1, 5))
    turned = score(people, ITEMS, range=(1, 5), reversed_items=ITEMS)
    assert_allclose(
        straight + turned, np.where(straight.notna(), 6.0, np.nan), rtol=EXACT_ARITHMETIC
    )


def test_alpha_and_its_interval_are_those_of_r(
    people: pd.DataFrame, witness: dict[str, Any]
) -> None:
    scale = reliability(
        people, ITEMS, range=(1, 5), reversed_items=["i2"], id="skill", label="Skill"
    )
    expected = witness["alpha"]
    assert (scale.id, scale.label, scale.items) == ("skill", "Skill", tuple(ITEMS))
    assert scale.reversed_items == ("i2",)
    assert scale.n == expected["n"]
    assert_allclose(
        [scale.alpha, scale.alpha_low, scale.alpha_high],
        [expected["value"], expected["low"], expected["high"]],
        rtol=JSON_DIGITS,
    )


def test_alpha_with_missing_answers_is_that_of_psych() -> None:
    # pingouin documents R's psych::alpha(data, use="complete.obs") on its example data
    data = pg.read_dataset("cronbach_wide_missing")
    scale = reliability(data, list(data), range=(0, 1))
    assert_allclose(scale.alpha, 0.8016949152542373, rtol=EXACT_ARITHMETIC)
    assert scale.n == len(data.dropna())


def test_the_interval_is_the_published_one() -> None:
    # pingouin documents alpha .5917188 with the interval [.195, .840] on its example data
    data = pg.read_dataset("cronbach_alpha").pivot_table("Scores", index="Subj", columns="Items")
    scale = reliability(data, list(data), range=(1, 7))
    assert_allclose(scale.alpha, 0.5917188485995826, rtol=EXACT_ARITHMETIC)
    assert_allclose([scale.alpha_low, scale.alpha_high], [0.195, 0.840], atol=THREE_PRINTED_DIGITS)


def test_agreeableness_is_as_reliable_as_psych_says(real: Callable[[str], pd.DataFrame]) -> None:
    # psych::alpha(bfi[A1:A5], keys = "A1") is .70302 with pairwise deletion, ours leaves rows out
    bfi = real("multilevel/psych__bfi.csv")
    items = [f"A{i}" for i in range(1, 6)]
    scale = reliability(bfi, items, range=(1, 6), reversed_items=["A1"])
    keyed = bfi[items].assign(A1=7 - bfi["A1"]).dropna()
    by_definition = 5 / 4 * (1 - keyed.var().sum() / keyed.sum(axis=1).var())
    assert scale.n == len(keyed) == 2709
    assert_allclose(scale.alpha, by_definition, rtol=EXACT_ARITHMETIC)
    assert_allclose(scale.alpha, 0.7030184460573, atol=INCOMPLETE_ROWS)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pd.DataFrame({"a": [1, 2, 9], "b": [0, 2, 99]}),
            (
                "scale of a, b: item 'a' has answers outside the range. Found: 1 rows, such as 9. "
                "Allowed: 1 to 5. Correct the range, or declare the code as missing in the schema."
                "\n"
                "scale of a, b: item 'b' has answers outside the range. Found: 2 rows, such as 0. "
                "Allowed: 1 to 5. Correct the range, or declare the code as missing in the schema."
            ),
        ),
        (
            pd.DataFrame({"a": [1, 2, 3], "b": [4, 4, 4]}),
            "scale of a, b: item 'b' has one answer only. Leave it out of the scale.",
        ),
        (
            pd.DataFrame({"a": [1, 2, 3], "b": ["1", "2", "3"]}),
            (
                "scale of a, b: column 'b' does not hold numbers. Found: str. "
                "Declare it as a number in the table's schema, or code it as 0 and 1."
            ),
        ),
        (
            pd.DataFrame({"a": [1, 2, np.nan], "b": [1, 2, 3]}),
            "scale of a, b: too few rows answer every item. Found: 2. Allowed: 3 or more.",
        ),
    ],
)
def test_answers_that_make_no_scale_are_named(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableError) as caught:
        reliability(frame, ["a", "b"], range=(1, 5))
    assert str(caught.value) == message


def test_declarations_that_do_not_fit_are_named() -> None:
    with pytest.raises(DeclarationError) as caught:
        score(ANSWERS, ["a", "a"], range=(5, 1), reversed_items=["z"])
    assert str(caught.value) == (
        "scale of a, a: a scale needs items, each named once.\n"
        "scale of a, a: reversed items are not items of the scale. Found: z.\n"
        "scale of a, a: the range of answers is empty. Found: 5 to 1. "
        "Allowed: lowest below highest."
    )
    with pytest.raises(DeclarationError, match=r"the table has no column 'bb'. Did you mean 'b'"):
        score(ANSWERS, ["a", "bb"], range=(1, 5))
    with pytest.raises(DeclarationError, match=r"min_answered does not fit the scale. Found: 4"):
        score(ANSWERS, ["a", "b", "c"], range=(1, 5), min_answered=4)
    with pytest.raises(DeclarationError, match=r"reliability needs two items or more. Found: 1"):
        reliability(ANSWERS, ["a"], range=(1, 5))
