"""Reading a table from a file without changing what it says.

Which types a study's own tables have is declared in their schemas; this reader serves the raw
files of others, that have none.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.errors import Problem, SourceError

MISSING = ("", "NA")
"""What a cell without a value says; the same in every schema of the project."""

_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)")
_NUMBER = re.compile(r"-?(?=\.?\d)(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d+)?")
_MOST_DIGITS = 18
"""Whole numbers with more digits may not fit int64; they are identifiers, and stay text."""
_MOST_DIGITS_WITH_GAPS = 15
"""Whole numbers with more digits may not be a float64, which a column with gaps becomes."""

Line = tuple[int, list[str]]
"""The number of the line on which a row ends, and the row's cells."""


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
        lines = _lines(path, separator=separator, encoding=encoding)
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(_unreadable(path, error, encoding=encoding)) from error
    _refuse_crooked(lines, path, separator=separator)
    (_, names), *body = lines
    return pd.DataFrame([cells for _, cells in body], columns=names, dtype="str").apply(_typed)


def _lines(path: Path, *, separator: str, encoding: str) -> list[Line]:
    """Every line that is not empty."""
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        return [(reader.line_num, cells) for cells in reader if cells]


def _typed(column: pd.Series) -> pd.Series:
    text = column.mask(column.isin(MISSING))
    known = text.dropna()
    if known.empty or not known.str.fullmatch(_NUMBER).all():
        return text
    gaps = len(known) < len(text)
    whole = bool(known.str.fullmatch(_INTEGER).all())
    digits = known.str.lstrip("-").str.len().max() if whole else 0
    if digits > (_MOST_DIGITS_WITH_GAPS if gaps else _MOST_DIGITS):
        return text
    if whole and not gaps:
        return text.astype("int64")
    return pd.Series(text.to_numpy(dtype=object, na_value=np.nan).astype("float64"))


def _refuse_crooked(lines: list[Line], path: Path, *, separator: str) -> None:
    if not lines:
        raise SourceError(Problem("the file is empty", where=str(path)))
    names = lines[0][1]
    problems = [
        *_one_column(names, path, separator=separator),
        *_bad_names(names, path),
        *_unequal_lines(lines, path, width=len(names)),
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


def _unequal_lines(lines: list[Line], path: Path, *, width: int) -> list[Problem]:
    unequal = [(number, len(cells)) for number, cells in lines if len(cells) != width]
    if not unequal:
        return []
    number, cells = unequal[0]
    return [
        Problem(
            "rows have more or fewer cells than the header",
            where=str(path),
            found=f"{len(unequal)} rows, the first on line {number} with {cells}",
            allowed=f"{width} cells",
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
