"""Reading a table from a file without changing what it says.

Which types a study's own tables have is declared in their schemas; this reader serves the raw
files of others, that have none.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.errors import Problem, SourceError

MISSING = ("", "NA")
"""What a cell without a value says; the same in every schema of the project."""

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(?=\.?\d)(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d+)?")
_LARGEST_EXACT = 2**53
"""Largest integer up to which every integer is a float64."""


def read_table(path: Path, *, separator: str = ",", encoding: str = "utf-8") -> pd.DataFrame:
    """Read a .csv or .parquet file, one column a variable.

    A Parquet file keeps its types. In a text file a column is numeric only if every cell reads as
    a number and would be written back as one: "007" keeps its zeros as text, as do dates, "inf"
    and truth values. Empty cells and NA are missing; a column of whole numbers is int64, and
    float64 where some are missing.

    Parameters
    ----------
    path : Path
    separator : str
        Of a text file.
    encoding : str
        Of a text file; a byte-order mark is skipped.

    Raises
    ------
    SourceError
        If the file cannot be read, is of another kind, encoding or separator, has rows of unequal
        length or columns without a name of their own.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise SourceError(
            Problem("unknown kind of file", where=str(path), allowed=".csv, .parquet")
        )
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        cells = _cells(path, separator=separator, encoding=encoding)
    except (OSError, ValueError) as error:
        raise SourceError(_unreadable(path, error, encoding=encoding)) from error
    _refuse_crooked(cells, path, separator=separator)
    body = cells.iloc[1:].reset_index(drop=True).set_axis(cells.iloc[0].tolist(), axis=1)
    return body.apply(_typed)


def _cells(path: Path, *, separator: str, encoding: str) -> pd.DataFrame:
    """Every cell as text, the header as first row; only cells that are not there are missing."""
    return pd.read_csv(
        path,
        sep=separator,
        header=None,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig" if encoding == "utf-8" else encoding,
    )


def _typed(column: pd.Series) -> pd.Series:
    text = column.mask(column.isin(MISSING))
    known = text.dropna()
    if known.empty or not known.str.fullmatch(_NUMBER).all():
        return text
    whole = bool(known.str.fullmatch(_INTEGER).all())
    if whole and len(known) == len(text):
        return text.astype("int64")
    numbers = pd.Series(text.to_numpy(dtype=object, na_value=np.nan).astype("float64"))
    return text if whole and numbers.abs().max() > _LARGEST_EXACT else numbers


def _refuse_crooked(cells: pd.DataFrame, path: Path, *, separator: str) -> None:
    names = cells.iloc[0].tolist()
    problems = [
        *_one_column(names, path, separator=separator),
        *_bad_names(names, path),
        *_short_rows(cells, path),
    ]
    if problems:
        raise SourceError(*problems)


def _one_column(names: list[str], path: Path, *, separator: str) -> list[Problem]:
    others = [mark for mark in (",", ";", "\t", "|") if mark != separator and mark in names[0]]
    if len(names) > 1 or not others:
        return []
    return [
        Problem(
            "the file has one column only",
            where=str(path),
            found=f"{others[0]!r} in its header",
            allowed=f"columns separated by {separator!r}",
            way_out=f"Pass separator={others[0]!r}.",
        )
    ]


def _bad_names(names: list[str], path: Path) -> list[Problem]:
    repeated = sorted({name for name in names if names.count(name) > 1 and name})
    problems = [Problem(f"two columns are called '{name}'", where=str(path)) for name in repeated]
    unnamed = [str(i) for i, name in enumerate(names, start=1) if not name]
    if unnamed:
        problems.append(Problem(f"columns have no name: {', '.join(unnamed)}", where=str(path)))
    return problems


def _short_rows(cells: pd.DataFrame, path: Path) -> list[Problem]:
    short = cells.index[cells.isna().any(axis=1)]
    if short.empty:
        return []
    return [
        Problem(
            "rows have too few cells",
            where=str(path),
            found=f"{len(short)} rows, the first one row {int(short[0]) + 1}",
            allowed=f"{cells.shape[1]} cells, as in the header",
        )
    ]


def _unreadable(path: Path, error: Exception, *, encoding: str) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        return Problem(
            f"the file is not in the encoding {encoding}",
            where=str(path),
            found=f"byte 0x{error.object[error.start]:02x}",
            way_out="Pass the encoding it was written in, such as encoding='cp1252'.",
        )
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0].rstrip(".")
    return Problem("the file cannot be read", where=str(path), found=reason)
