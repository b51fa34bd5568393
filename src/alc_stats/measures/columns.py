"""Columns a measure needs: there, numeric, or an error that names every one that is not."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError, did_you_mean


def require(frame: pd.DataFrame, columns: Sequence[str], *, where: str) -> None:
    """Raise DeclarationError naming every one of `columns` that the table lacks or has twice."""
    if not _is_table(frame):
        way_out = "Make it one: pandas.DataFrame(data), or pandas.read_csv(path)."
        found = type(frame).__name__
        raise DeclarationError(
            Problem("the data are no pandas DataFrame", where=where, found=found, way_out=way_out)
        )
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
    if problems:
        raise DeclarationError(*problems)


def _is_table(data: object) -> bool:
    return isinstance(data, pd.DataFrame)


def listed(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Several columns, or the one that was named by itself.

    Examples
    --------
    >>> listed("tenure"), listed(["tenure", "role"])
    (('tenure',), ('tenure', 'role'))
    """
    return (columns,) if isinstance(columns, str) else tuple(columns)


def numbers(frame: pd.DataFrame, columns: Sequence[str], *, where: str) -> pd.DataFrame:
    """The columns as float64, missing as NaN; booleans become 0 and 1.

    Raises
    ------
    DeclarationError
        If the table lacks a column, or one column is named twice.
    TableError
        If a column does not hold numbers, or holds an infinite one.
    """
    require(frame, columns, where=where)
    if twice := [c for c in dict.fromkeys(columns) if [*columns].count(c) > 1]:
        raise DeclarationError(
            Problem("a column plays two parts", where=where, found=", ".join(twice),
                    way_out="Name a column of its own for each.")
        )  # fmt: skip
    textual = [c for c in columns if not pd.api.types.is_numeric_dtype(frame[c])]
    if textual:
        raise TableError(*(_not_numeric(frame[c], where=where) for c in textual))
    values = frame[list(columns)].astype("float64")
    infinite = [c for c in columns if values[c].abs().eq(float("inf")).any()]
    if infinite:
        raise TableError(
            *(Problem(f"column '{c}' holds infinite values", where=where) for c in infinite)
        )
    return values


def _not_numeric(column: pd.Series, *, where: str) -> Problem:
    return Problem(
        f"column '{column.name}' does not hold numbers",
        where=where,
        found=str(column.dtype),
        way_out="Declare it as a number in the table's schema, or code it as 0 and 1.",
    )
