"""A table of any form as one DuckDB relation, with the true number of every row.

Row 1 is the first row after the header (csv) or the first row (Parquet, data frame). A csv file
is read as text, so that what is reported is what is written.
"""

# ruff: noqa: S608  (the SQL is made of our own column names and quoted literals)
from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from alc_stats.errors import Problem, SourceError, TableError
from alc_stats.schemas.delimited import Header, Ragged, read_header, read_tolerantly
from alc_stats.schemas.expressions import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Storage = Literal["text", "integer", "float", "boolean", "date", "timestamp", "moment", "other"]
ROW = "row_in_file"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
PARQUET = (".parquet", ".pq")
STORAGE: Mapping[str, Storage] = {
    "VARCHAR": "text",
    "ENUM": "text",
    "BOOLEAN": "boolean",
    "INTEGER": "integer",
    "UINTEGER": "integer",
    "FLOAT": "float",
    "DOUBLE": "float",
    "DECIMAL": "float",
    "DATE": "date",
}
"""DuckDB's types by name; the other integers end in INT."""
NOTHING = "\ue000"
"""A private-use character: what DuckDB reads as NULL, so that an empty cell stays an empty text."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is stored: its name in the file, its name in SQL, its kind of storage."""

    name: str
    sql: str
    storage: Storage
    stored_as: str


@dataclass(frozen=True, slots=True)
class Table:
    """A relation that DuckDB can select from.

    Attributes
    ----------
    relation : str
        SQL name or subquery; it has the columns' `sql` names and `ROW`.
    file : str
        How the table is called in messages.
    columns : tuple of Column
        Each name once; of columns with the same name the first.
    duplicates : tuple of str
        Names that occur more than once.
    width : int
        Columns of the file, those with a repeated name included.
    ragged : tuple of Ragged
        Rows with too few or too many cells; they are not in the relation.
    """

    relation: str
    file: str
    columns: tuple[Column, ...]
    duplicates: tuple[str, ...]
    width: int
    ragged: tuple[Ragged, ...] = ()

    def column(self, name: str) -> Column | None:
        """Find the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@contextmanager
def connection(label: str) -> Iterator[DuckDBPyConnection]:
    """Open a DuckDB of our own: UTC, no network, temporary files in a folder that is removed.

    Raises
    ------
    SourceError
        If DuckDB cannot read a table to its end: damaged Parquet pages, a full disk.
    """
    import duckdb

    config = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
    }
    with tempfile.TemporaryDirectory(prefix="alc_stats_") as folder:
        db = duckdb.connect(config={**config, "temp_directory": folder})
        try:
            db.execute("SET TimeZone = 'UTC'")
            yield db
        except duckdb.Error as error:
            way_out = "Write the file again; was the copy cut short?"
            raise SourceError(
                Problem(
                    "the table cannot be read to its end", label, _first_line(error), "", way_out
                )
            ) from error
        finally:
            db.close()


def open_table(
    db: DuckDBPyConnection, table: Path | pd.DataFrame, *, name: str, label: str
) -> Table:
    """Make a table selectable; `name` is what DuckDB calls it, `label` what messages call a frame.

    Raises
    ------
    SourceError
        If the file is missing, empty, of an unknown kind, wrongly encoded, separated by
        something else, or damaged.
    """
    if isinstance(table, pd.DataFrame):
        return _open_frame(db, table, name, label)
    path = Path(table)
    _require_file(path)
    if path.suffix.lower() in PARQUET:
        return _open_parquet(db, path)
    return _open_delimited(db, path, name)


def _require_file(path: Path) -> None:
    """Raise SourceError with a sentence unless the path is a file of a kind we read."""
    known = (*DELIMITERS, *PARQUET)
    if not path.exists():
        raise SourceError(Problem("there is no such file", str(path), way_out="Check the path."))
    if path.is_dir():
        raise SourceError(
            Problem("this is a folder, not a file", str(path), way_out="Name a file in it.")
        )
    if path.suffix.lower() not in known:
        raise SourceError(
            Problem(
                "unknown kind of file",
                str(path),
                path.suffix or "no suffix",
                ", ".join(known),
                "Save the table as one of these.",
            )
        )
    if path.stat().st_size == 0:
        raise SourceError(
            Problem("the file is empty", str(path), way_out="Export it again, with a header.")
        )


def _open_parquet(db: DuckDBPyConnection, path: Path) -> Table:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    scan = f"read_parquet({_path_sql(path)}, file_row_number = true, hive_partitioning = false)"
    try:
        names = tuple(pq.read_schema(path).names)
        stored = db.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()[: len(names)]
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        what, way_out = "the file is not readable as Parquet", "Write it again; was it cut short?"
        raise SourceError(Problem(what, str(path), _first_line(error), "", way_out)) from error
    columns = _numbered(names, (kind for _, kind, *_ in stored))
    select = ", ".join(f'"{sql}" AS c{i}' for i, (sql, *_) in enumerate(stored))
    relation = f"(SELECT file_row_number + 1 AS {ROW}, {select} FROM {scan})"
    return _table(relation, path.name, columns)


def _open_frame(db: DuckDBPyConnection, frame: pd.DataFrame, name: str, label: str) -> Table:
    import pyarrow as pa

    plain = {f"c{i}": _plain(frame.iloc[:, i]) for i in range(frame.shape[1])}
    try:
        arrow = pa.table({name: pa.Array.from_pandas(series) for name, series in plain.items()})
    except (pa.ArrowException, TypeError) as error:
        what = "a column of the frame cannot be read"
        raise TableError(Problem(what, label, _first_line(error))) from error
    numbers = pa.array(range(1, len(frame) + 1), pa.int64())
    db.register(name, arrow.append_column(ROW, numbers) if plain else pa.table({ROW: numbers}))
    stored = db.execute(f'DESCRIBE "{name}"').fetchall()[: len(plain)]
    columns = _numbered(map(str, frame.columns), (kind for _, kind, *_ in stored))
    return _table(f'"{name}"', label, columns)


def _open_delimited(db: DuckDBPyConnection, path: Path, name: str) -> Table:
    header = read_header(path, DELIMITERS[path.suffix.lower()])
    columns = _numbered(header.names, repeat("VARCHAR"))
    relation = f'"{name}"'
    if _load_fast(db, path, header, relation):
        return _table(f"(SELECT *, rowid + 1 AS {ROW} FROM {relation})", path.name, columns)
    return _table(relation, path.name, columns, _load_tolerantly(db, path, header, relation))


def _load_fast(db: DuckDBPyConnection, path: Path, header: Header, relation: str) -> bool:
    """Let DuckDB read a well-formed file; False if it finds the slightest thing wrong with it."""
    import duckdb

    if header.blank_lines_before:
        return False
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header.names)))
    options = f"""auto_detect = false, header = true, delim = {quote(header.delimiter)},
        quote = '"', escape = '"', nullstr = '{NOTHING}', hive_partitioning = false,
        columns = {{{columns}}}"""
    try:
        db.execute(
            f"CREATE TABLE {relation} AS SELECT * FROM read_csv({_path_sql(path)}, {options})"
        )
    except duckdb.Error:
        return False
    return True


def _load_tolerantly(
    db: DuckDBPyConnection, path: Path, header: Header, relation: str
) -> tuple[Ragged, ...]:
    """Read a file that is not well-formed row by row, so that every other row keeps its number."""
    ragged: list[Ragged] = []
    columns = ", ".join(f"c{i} VARCHAR" for i in range(len(header.names)))
    db.execute(f"CREATE TABLE {relation} ({columns}, {ROW} BIGINT)")
    for batch in read_tolerantly(path, header, ragged):
        db.register("batch", batch)
        db.execute(f"INSERT INTO {relation} SELECT * FROM batch")
        db.unregister("batch")
    return tuple(ragged)


def _table(
    relation: str, file: str, columns: tuple[Column, ...], ragged: tuple[Ragged, ...] = ()
) -> Table:
    first: dict[str, Column] = {}
    for column in columns:
        first.setdefault(column.name, column)
    names = [column.name for column in columns]
    duplicates = tuple(name for name in first if names.count(name) > 1)
    return Table(relation, file, tuple(first.values()), duplicates, len(columns), ragged)


def _numbered(names: Iterable[str], stored: Iterable[str]) -> tuple[Column, ...]:
    """Name columns c0, c1, ... in SQL: names in files may clash there, or differ in case only."""
    pairs = zip(names, map(str, stored), strict=False)
    return tuple(
        Column(name, f"c{i}", _storage(kind), kind) for i, (name, kind) in enumerate(pairs)
    )


def _storage(stored_as: str) -> Storage:
    """Tell the kind of storage of a DuckDB type."""
    name = stored_as.split("(")[0]
    if stored_as.endswith("]"):
        return "other"  # a list of something
    if name.startswith("TIMESTAMP"):
        return "moment" if "TZ" in name or "ZONE" in name else "timestamp"
    return STORAGE.get(name, "integer" if name.endswith("INT") else "other")


def _plain(series: pd.Series) -> pd.Series:
    """Make a column one that Arrow can take: categories and mixed objects as their text."""
    if isinstance(series.dtype, pd.CategoricalDtype) or series.dtype == object:
        return series.astype(object).map(str, na_action="ignore").astype("str")
    return series


def _path_sql(path: Path) -> str:
    """Write the path as an SQL literal in which no character is a wildcard."""
    return quote("".join(f"[{c}]" if c in "*?[" else c for c in str(path)))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
