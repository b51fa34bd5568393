"""Tables as Typst: every text is a string literal, so nothing in it can be markup."""

from __future__ import annotations

import re

from alc_stats.report import numbers
from alc_stats.report.table import Table

_LINE, _PADDING = 453.0, 8.0  # points: the width of the paper's text, the space beside a column
_PER_CHARACTER = 0.46  # of the type's size
_TEXT, _LONGEST = 30, 30  # characters: a column that wraps, and the longest cell that need not
_SMALLEST, _LARGEST = 6.0, 9.0
_MOST_ROWS = 25
_NUMBERS = re.compile(r"[^A-Za-z]+")


def to_typst(table: Table) -> str:
    """The table as a `#figure(table(...))` with three lines; its heading is the caption.

    A table that fits a page is kept whole.
    """
    whole = len(table.rows) <= _MOST_ROWS
    lines = [
        *(["#[#show figure: set block(breakable: false)"] if whole else []),
        "#figure(kind: table, caption: " + literal(table.heading) + ", [",
        f"#set text(size: {_size(table)}pt)",
        "#table(",
        f"  columns: ({_widths(table)},), align: ({_alignments(table)},),",
        "  stroke: none, inset: (x: 4pt, y: 3pt),",
        "  table.hline(stroke: 0.8pt),",
        *_header(table),
        *_body(table),
        "  table.hline(stroke: 0.8pt),",
        ")",
    ]
    if table.notes:
        note = f"#emph[Note.] #text({literal(' '.join(table.notes))})"
        lines.append(f"#block(width: 100%, above: 0.6em)[#set align(left); {note}]")
    return "\n".join([*lines, "])]" if whole else "])"]) + "\n"


def literal(text: str) -> str:
    r"""A Typst string.

    Examples
    --------
    >>> print(literal('a "b" \\ c'))
    "a \"b\" \\ c"
    """
    plain = " ".join(numbers.no_break(text).split(" ")).replace("\n", " ")
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cell(text: str) -> str:
    """A cell's literal; numbers and intervals never break across lines."""
    return literal(text.replace(" ", "\u00a0") if _NUMBERS.fullmatch(text) else text)


def _size(table: Table) -> float:
    """Points of type, in half points: as large as the columns' longest cells allow."""
    cells = zip(*([c.label for c in table.columns], *table.grid()), strict=True)
    longest = [
        _TEXT if column.role == "text" else min(max(map(len, texts)), _LONGEST)
        for column, texts in zip(table.columns, cells, strict=True)
    ]
    free = _LINE - _PADDING * len(longest)
    fitting = free / (_PER_CHARACTER * sum(longest))
    return min(max(int(2.0 * fitting) / 2.0, _SMALLEST), _LARGEST)


def _widths(table: Table) -> str:
    return ", ".join("1fr" if column.role == "text" else "auto" for column in table.columns)


def _alignments(table: Table) -> str:
    return ", ".join("right" if column.role == "number" else "left" for column in table.columns)


def _header(table: Table) -> list[str]:
    labels = ", ".join(literal(column.label) for column in table.columns)
    lines = ["  table.header("]
    if any(column.spanner for column in table.columns):
        cells = (
            f"table.cell(colspan: {count}, align: center, {literal(name)})"
            for name, count in table.spanners()
        )
        lines.append(f"    {', '.join(cells)},")
    return [*lines, f"    {labels},", "    table.hline(stroke: 0.4pt),", "  ),"]


def _body(table: Table) -> list[str]:
    lines = []
    group = ""
    for row, cells in zip(table.rows, table.grid(), strict=True):
        if row.group and row.group != group:
            span = f"colspan: {len(table.columns)}, align: left"
            lines.append(f"  table.cell({span}, emph({literal(row.group)})),")
        group = row.group
        label = f"pad(left: 0.8em, {literal(cells[0])})" if row.group else literal(cells[0])
        lines.append(f"  {', '.join([label, *(_cell(cell) for cell in cells[1:])])},")
    return lines
