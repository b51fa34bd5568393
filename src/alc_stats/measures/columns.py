"""Columns a measure needs: there, numeric, or an error that names every one that is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError, did_you_mean, raise_all

LARGEST = 1e100
"""Nothing that is measured is larger, or smaller than one part of it: squares have no digits."""
Named = TypeVar("Named")
_NO_KEYS = (list, dict, set)


def require(frame: pd.DataFrame, columns: Sequence[str], *, where: str) -> None:
    """Refuse what is no table, and name every one of `columns` that cannot be used.

    Raises
    ------
    DeclarationError
        If the table has headings of several rows, lacks a column, or has it twice.
    TableError
        If a column holds lists.
    """
    if not _is_table(frame):
        way_out = "Make it one: pandas.DataFrame(data), or pandas.read_csv(path)."
        found = type(frame).__name__
        raise DeclarationError(
            Problem("the data are no pandas DataFrame", where=where, found=found, way_out=way_out)
        )
    if frame.columns.nlevels > 1:
        way_out = "Give every column one name: data.columns = ['_'.join(c) for c in data.columns]."
        found = f"{frame.columns.nlevels} levels"
        raise DeclarationError(
            Problem("the table's headings have several rows", where=where, found=found,
                    way_out=way_out)
        )  # fmt: skip
    raise_all(DeclarationError, _no_names(columns, where))
    known = [str(c) for c in frame.columns]
    problems = [
        Problem(f"the table has no column '{c}'", where=where, way_out=did_you_mean(c, known))
        for c in columns
        if c not in frame.columns
    ]
    twice = [c for c in dict.fromkeys(columns) if known.count(c) > 1]
    problems += [
        Problem(f"the table has several columns '{c}'", where=where, found=str(known.count(c)),
                way_out="Rename or drop all but one.")
        for c in twice
    ]  # fmt: skip
    raise_all(DeclarationError, problems)
    raise_all(TableError, _nested(frame[[*dict.fromkeys(columns)]], where=where))


def _no_names(columns: Sequence[object], where: str) -> Iterator[Problem]:
    for column in columns:
        if not isinstance(column, str):
            yield Problem("a column is named by text", where=where, found=repr(column),
                          way_out="Rename the column if it has another kind of name.")  # fmt: skip


def _nested(frame: pd.DataFrame, *, where: str) -> Iterator[Problem]:
    for name, column in frame.items():
        if (
            column.dtype == object
            and (nested := column.map(lambda cell: isinstance(cell, _NO_KEYS))).any()
        ):
            yield Problem(
                f"column '{name}' holds lists", where=where, found=f"{int(nested.sum())} rows",
                allowed="one value a row", way_out="Make a row, or a column, of each of them.",
            )  # fmt: skip


def _is_table(data: object) -> bool:
    return isinstance(data, pd.DataFrame)


def listed(columns: Named | Sequence[Named]) -> tuple[Named, ...]:
    """Several columns, or the one that was named by itself.

    Examples
    --------
    >>> listed("tenure"), listed(["tenure", "role"])
    (('tenure',), ('tenure', 'role'))
    """
    several = isinstance(columns, Iterable) and not isinstance(columns, str | bytes)
    return tuple(columns) if several else (columns,)  # type: ignore[arg-type, return-value]


def numbers(frame: pd.DataFrame, columns: Sequence[str], *, where: str) -> pd.DataFrame:
    """The columns as float64, missing as NaN; booleans become 0 and 1.

    Raises
    ------
    DeclarationError
        If the table lacks a column, or one column is named twice.
    TableError
        If a column does not hold numbers, or one that is infinite or of no size that is measured.
    """
    require(frame, columns, where=where)
    if twice := [c for c in dict.fromkeys(columns) if [*columns].count(c) > 1]:
        raise DeclarationError(
            Problem("a column plays two parts", where=where, found=", ".join(twice),
                    way_out="Name a column of its own for each.")
        )  # fmt: skip
    textual = [c for c in columns if not _holds_numbers(frame[c])]
    if textual:
        raise TableError(*(_not_numeric(frame[c], where=where) for c in textual))
    values = frame[list(columns)].astype("float64")
    raise_all(TableError, _out_of_size(values, where=where))
    return values


def _holds_numbers(column: pd.Series) -> bool:
    kinds = pd.api.types
    return kinds.is_numeric_dtype(column) and not kinds.is_complex_dtype(column)


def _out_of_size(values: pd.DataFrame, *, where: str) -> Iterator[Problem]:
    for name, column in values.items():
        if infinite := int(column.abs().eq(float("inf")).sum()):
            yield Problem(
                f"column '{name}' holds infinite values", where=where, found=f"{infinite} rows",
                way_out="Leave the cell empty where a value is not known, or there is none.",
            )  # fmt: skip
        elif (largest := column.abs().max()) > LARGEST or 0.0 < largest < 1.0 / LARGEST:
            yield Problem(
                f"column '{name}' holds values of a size that nothing has", where=where,
                found=f"up to {largest:.3g}", allowed=f"{1.0 / LARGEST:g} to {LARGEST:g}",
                way_out="Correct them, or count in another unit.",
            )  # fmt: skip


def _not_numeric(column: pd.Series, *, where: str) -> Problem:
    return Problem(
        f"column '{column.name}' does not hold numbers",
        where=where,
        found=str(column.dtype),
        way_out="Declare it as a number in the table's schema, or code it as 0 and 1.",
    )
