"""Delimited text: header, encoding, and a tolerant reader for files that are not well-formed."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from alc_stats.errors import Problem, SourceError

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1 << 20
BATCH = 50_000
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Header:
    """The column names of a file and how they are separated."""

    names: tuple[str, ...]
    delimiter: str
    blank_lines_before: int = 0


@dataclass(frozen=True, slots=True)
class Ragged:
    """A row whose number of cells is not the header's."""

    row: int
    cells: int


def read_header(path: Path, delimiter: str) -> Header:
    """Read the names of the columns, once the whole file is known to be UTF-8 text.

    Raises
    ------
    SourceError
        If the file is not UTF-8, holds no header, or separates its columns by something else.
    """
    _require_utf8(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        blank = 0
        try:
            for names in csv.reader(file, delimiter=delimiter, strict=True):
                if any(name.strip() for name in names):
                    _require_separated(path, names, delimiter)
                    return Header(tuple(names), delimiter, blank)
                blank += 1
        except csv.Error as error:
            raise _unreadable(path, 1, error) from error
    raise SourceError(
        Problem("the file holds no header", str(path), way_out="Export it again, with a header.")
    )


def read_tolerantly(path: Path, header: Header, ragged: list[Ragged]) -> Iterator[pa.Table]:
    """Yield the well-formed rows in batches: text columns c0, c1, ... and the row's number.

    `ragged` collects the rows with too few or too many cells: nobody knows which column such a
    cell belongs to. Blank lines are no rows.
    """
    import pyarrow as pa

    width = len(header.names)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=header.delimiter, strict=True)
        try:
            rows = enumerate(
                (row for row in islice(reader, header.blank_lines_before + 1, None) if row), start=1
            )
            while batch := list(islice(rows, BATCH)):
                ragged.extend(
                    Ragged(number, len(row)) for number, row in batch if len(row) != width
                )
                kept = [(*row, number) for number, row in batch if len(row) == width]
                columns = zip(*kept, strict=True) if kept else [()] * (width + 1)
                yield pa.table({f"c{i}": pa.array(cells) for i, cells in enumerate(columns)})
        except csv.Error as error:
            raise _unreadable(path, reader.line_num, error) from error


def _require_utf8(path: Path) -> None:
    """Raise SourceError, with the line, unless every byte of the file is UTF-8 text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    try:
        with path.open("rb") as file:
            if file.peek(2).startswith(UTF_16) or b"\0" in file.peek(100)[:100]:
                raise _encoding(path, "UTF-16", line)
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
                line += chunk.count(b"\n")
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        raise _encoding(path, "perhaps Latin-1 or Windows-1252", line) from error
    except OSError as error:
        raise SourceError(
            Problem("the file cannot be read", str(path), error.strerror or str(error))
        ) from error


def _encoding(path: Path, found: str, line: int) -> SourceError:
    return SourceError(
        Problem(
            "the file is not UTF-8 text",
            f"{path}, line {line}",
            found,
            "UTF-8, with or without a byte-order mark",
            'Save it again as UTF-8 (in spreadsheets: "CSV UTF-8").',
        )
    )


def _require_separated(path: Path, names: list[str], delimiter: str) -> None:
    """Raise SourceError if the whole header is one name that holds another separator."""
    if len(names) > 1:
        return
    for other, called in SEPARATORS.items():
        if other != delimiter and other in names[0]:
            wanted = SEPARATORS[delimiter]
            raise SourceError(
                Problem(
                    f"the columns are separated by {called}, not by {wanted}",
                    str(path),
                    f"one column named '{names[0][:40]}'",
                    f"{wanted} in a {path.suffix} file",
                    f"Export it again with {wanted}.",
                )
            )


def _unreadable(path: Path, line: int, error: csv.Error) -> SourceError:
    what = "the text cannot be split into cells"
    way_out = (
        'Look for a quotation mark that is not closed; inside a cell it is written twice ("").'
    )
    return SourceError(Problem(what, f"{path}, line {line}", str(error), "", way_out))
