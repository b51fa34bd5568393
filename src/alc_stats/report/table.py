"""`Table`: one frozen record from which every format is made, values identical in all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from alc_stats.records import Kind, Number
from alc_stats.report import numbers

SIMULATED = "SIMULATED"

Role = Literal["label", "number", "text"]
"""What a column holds: the row's label, numbers (aligned right), or text that may wrap."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """An estimate and its standard error in one cell."""

    value: float
    se: float


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits in one cell, with the decimals of the estimate they belong to, if there is one."""

    low: float
    high: float
    of: Estimated | None = None
    kind: Kind = "estimate"


Cell = Number | Interval | Estimated | str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, the spanner above it (if any) and what it holds."""

    label: str
    role: Role = "number"
    spanner: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; rows of one `group` follow a line with the group's name."""

    cells: tuple[Cell, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as data: cells are numbers until a format asks for text.

    Attributes
    ----------
    id : str
        The stem of its files.
    title : str
        Without the banner; `heading` has it.
    columns : tuple of Column
    rows : tuple of Row
        Each as wide as `columns`.
    notes : tuple of str
        Sentences under the table.
    simulated : bool
        True puts the banner into the heading of every format.
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    simulated: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"Table {self.id}: a row has {len(row.cells)} cells, not {len(self.columns)}"
                )

    @property
    def heading(self) -> str:
        """The title, after the banner if the data are simulated."""
        return f"{SIMULATED} DATA: {self.title}" if self.simulated else self.title

    @property
    def file_stem(self) -> str:
        """The name its files carry, which says if the data are simulated."""
        return f"{self.id}_{SIMULATED}" if self.simulated else self.id

    def grid(self) -> tuple[tuple[str, ...], ...]:
        """Every cell as text, row by row."""
        return tuple(tuple(cell_text(cell) for cell in row.cells) for row in self.rows)

    def spanners(self) -> tuple[tuple[str, int], ...]:
        """Runs of columns under one spanner: (name or "", how many columns)."""
        return runs(column.spanner for column in self.columns)


def cell_text(cell: Cell) -> str:
    """The text of one cell; an empty string stays empty, None is an em dash.

    Examples
    --------
    >>> ai = Estimated(0.151, 0.0784)
    >>> cell_text(ai), cell_text(Interval(-0.0021, 0.304, ai))
    ('0.151 (0.078)', '[−0.002, 0.304]')
    """
    if isinstance(cell, str):
        return " ".join(cell.split())
    if isinstance(cell, Interval):
        low, high = Number(cell.low, cell.kind), Number(cell.high, cell.kind)
        return numbers.show_interval(low, high, beside=_parts(cell.of) if cell.of else ())
    if isinstance(cell, Estimated):
        value, se = numbers.show_together(*_parts(cell))
        return f"{value} ({se})"
    return numbers.show(cell)


def _parts(cell: Estimated) -> tuple[Number, Number]:
    return Number(cell.value), Number(cell.se, "se")


def runs(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Consecutive equal names with their counts."""
    counted: list[tuple[str, int]] = []
    for name in names:
        if counted and counted[-1][0] == name and name:
            counted[-1] = (name, counted[-1][1] + 1)
        else:
            counted.append((name, 1))
    return tuple(counted)
