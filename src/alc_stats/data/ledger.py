"""The row ledger: no row leaves a table without a step, a number and a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DataError, DeclarationError, Problem
from alc_stats.records import BoolArray


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One step that could lose rows: how many came in, how many went and why, how many stay."""

    step: str
    read: int
    dropped: int
    why: str
    kept: int


class Ledger:
    """The list of steps that could lose rows, in the order they were taken.

    Within a step the numbers must chain: a table that comes back under the same step with another
    number of rows than it left with has lost rows in between, and that is an error.

    Examples
    --------
    >>> ledger = Ledger()
    >>> people = pd.DataFrame({"age": [17, 30, 41], "consent": [True, True, False]})
    >>> ledger.start("survey", len(people))
    >>> adults = ledger.keep("survey", people, people["age"] >= 18, why="under 18")
    >>> willing = ledger.keep("survey", adults, adults["consent"], why="no consent")
    >>> for row in ledger.rows():
    ...     print(row.read, row.dropped, row.why, row.kept)
    3 0  3
    3 1 under 18 2
    2 1 no consent 1
    """

    def __init__(self) -> None:
        self._rows: list[LedgerRow] = []

    def start(self, step: str, n: int) -> None:
        """Open `step` with the `n` rows that were read; a later start opens it anew."""
        self._rows.append(LedgerRow(step, n, 0, "", n))

    def keep(
        self,
        step: str,
        frame: pd.DataFrame,
        mask: pd.Series | Sequence[bool] | BoolArray,
        *,
        why: str,
    ) -> pd.DataFrame:
        """The rows of `frame` where `mask` is true; the others are entered as dropped for `why`.

        Parameters
        ----------
        step : str
            The step, such as "survey: exclusions".
        frame : DataFrame (n rows)
        mask : n booleans
            A Series must have the frame's index. Missing values are refused: a row stays or goes.
        why : str
            Why the others go, as a reader should see it.

        Raises
        ------
        DeclarationError
            If the mask does not say yes or no for every row, or no reason is given.
        DataError
            If rows came or went since the step's last entry.
        """
        keep = _yes_or_no(mask, frame=frame, step=step)
        self.note(step, read=len(frame), dropped=int((~keep).sum()), why=why)
        return frame.loc[keep]

    def note(self, step: str, *, read: int, dropped: int, why: str) -> None:
        """Enter a loss that was counted elsewhere, such as inside a query.

        Raises
        ------
        DeclarationError
            If no reason is given, or more rows are dropped than were read.
        DataError
            If rows came or went since the step's last entry.
        """
        if not why.strip():
            raise DeclarationError(
                Problem("rows were dropped without a reason", where=step, way_out="Give `why`.")
            )
        if not 0 <= dropped <= read:
            raise DeclarationError(
                Problem(
                    "the number of dropped rows is impossible",
                    where=step,
                    found=f"{dropped} dropped of {read}",
                    allowed=f"0 to {read}",
                )
            )
        self._check_chain(step, read)
        self._rows.append(LedgerRow(step, read, dropped, why, read - dropped))

    def rows(self) -> tuple[LedgerRow, ...]:
        """Every entry, in order."""
        return tuple(self._rows)

    def _check_chain(self, step: str, read: int) -> None:
        before = next((row.kept for row in reversed(self._rows) if row.step == step), read)
        if before != read:
            raise DataError(
                Problem(
                    "rows came or went without an entry in the ledger",
                    where=step,
                    found=f"{read} rows",
                    allowed=f"{before}, as the step's last entry left",
                    way_out="Enter the loss with `keep` or `note`, or open the step anew with "
                    "`start`; give every table steps of its own.",
                )
            )


def _yes_or_no(
    mask: pd.Series | Sequence[bool] | BoolArray, *, frame: pd.DataFrame, step: str
) -> BoolArray:
    if isinstance(mask, pd.Series) and not mask.index.equals(frame.index):
        raise DeclarationError(
            Problem(
                "the mask has another index than the table",
                where=step,
                found=f"{len(mask)} entries",
                allowed=f"the table's own {len(frame)}",
                way_out="Make the mask from the table that is passed.",
            )
        )
    answers = pd.Series(mask).reset_index(drop=True)
    if len(answers) != len(frame) or not answers.isin([True, False]).all():
        raise DeclarationError(
            Problem(
                "the mask does not say yes or no for every row",
                where=step,
                found=f"{len(answers)} entries, {int(answers.isna().sum())} missing",
                allowed=f"{len(frame)} booleans",
                way_out="Decide about the missing ones, for example with `.fillna(False)`.",
            )
        )
    return np.asarray(answers, dtype=bool)
