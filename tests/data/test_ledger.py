"""The ledger counts every row that goes, and notices rows that go without it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alc_stats.data import Ledger, LedgerRow
from alc_stats.errors import DataError, DeclarationError

PEOPLE = pd.DataFrame({"age": [17, 30, 41, 55], "wave": [1, 1, 2, 2]}, index=[7, 3, 9, 1])


def test_reasons_of_one_step_are_rows_that_chain() -> None:
    ledger = Ledger()
    ledger.start("survey", 4)
    adults = ledger.keep("survey", PEOPLE, PEOPLE["age"] >= 18, why="under 18")
    ledger.keep("survey", adults, adults["wave"] == 2, why="other wave")
    ledger.note("events", read=100, dropped=0, why="outside every wave")
    assert ledger.rows() == (
        LedgerRow("survey", 4, 0, "", 4),
        LedgerRow("survey", 4, 1, "under 18", 3),
        LedgerRow("survey", 3, 1, "other wave", 2),
        LedgerRow("events", 100, 0, "outside every wave", 100),
    )


def test_kept_rows_are_unchanged_and_in_order() -> None:
    kept = Ledger().keep("survey", PEOPLE, [True, False, True, True], why="withdrew")
    pd.testing.assert_frame_equal(kept, PEOPLE.loc[[7, 9, 1]])


def test_masks_may_be_arrays_and_nullable_booleans() -> None:
    mask = pd.array([True, True, False, True], dtype="boolean")
    by_array = Ledger().keep("s", PEOPLE, np.array([True, True, False, True]), why="x")
    by_series = Ledger().keep("s", PEOPLE, pd.Series(mask, index=PEOPLE.index), why="x")
    pd.testing.assert_frame_equal(by_array, by_series)


def test_rows_lost_between_two_entries_are_noticed() -> None:
    ledger = Ledger()
    ledger.start("survey", 5)
    with pytest.raises(DataError) as caught:
        ledger.keep("survey", PEOPLE, PEOPLE["age"] >= 18, why="under 18")
    assert str(caught.value) == (
        "survey: rows came or went without an entry in the ledger. Found: 4 rows. "
        "Allowed: 5, as the step's last entry left. Enter the loss with `keep` or `note`, or open "
        "the step anew with `start`; give every table steps of its own."
    )
    assert len(ledger.rows()) == 1


def test_a_step_can_be_opened_anew() -> None:
    ledger = Ledger()
    ledger.start("survey", 5)
    ledger.start("survey", 4)
    ledger.keep("survey", PEOPLE, PEOPLE["age"] >= 18, why="under 18")
    assert ledger.rows()[-1].kept == 3


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            pd.Series([True, None, False, True], index=PEOPLE.index, dtype="boolean"),
            "4 entries, 1 missing",
        ),
        ([True, False], "2 entries, 0 missing"),
        ([0.5, 1.0, 1.0, 1.0], "does not say yes or no"),
        (pd.Series([True] * 4), "another index than the table"),
    ],
)
def test_a_mask_that_leaves_doubt_is_refused(mask: object, message: str) -> None:
    ledger = Ledger()
    with pytest.raises(DeclarationError, match=message):
        ledger.keep("survey", PEOPLE, mask, why="doubt")  # type: ignore[arg-type]
    assert ledger.rows() == ()


def test_a_loss_needs_a_reason_and_a_possible_number() -> None:
    with pytest.raises(DeclarationError, match="without a reason"):
        Ledger().note("survey", read=3, dropped=1, why=" ")
    with pytest.raises(DeclarationError, match="Found: 4 dropped of 3"):
        Ledger().note("survey", read=3, dropped=4, why="withdrew")
