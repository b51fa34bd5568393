"""Tables as Markdown (pipe tables, CommonMark escapes)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from alc_stats.report.table import Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~^$&])")


def to_markdown(table: Table) -> str:
    """The table under its bold heading; row groups are bold rows, notes follow in italics."""
    width = len(table.columns)
    lines = [f"**{escape(table.heading)}**", ""]
    lines.append(_line(escape(_full_label(c.spanner, c.label)) for c in table.columns))
    lines.append(
        "|" + "|".join(" ---: " if c.role == "number" else " --- " for c in table.columns) + "|"
    )
    group = ""
    for row, cells in zip(table.rows, table.grid(), strict=True):
        if row.group and row.group != group:
            lines.append(_line([f"**{escape(row.group)}**", *[""] * (width - 1)]))
        group = row.group
        lines.append(_line(escape(cell) for cell in cells))
    if table.notes:
        lines += ["", *(f"*Note.* {escape(note)}  " for note in table.notes)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is.

    Examples
    --------
    >>> print(escape("a|b *c* <d>"))
    a\|b \*c\* \<d\>
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _full_label(spanner: str, label: str) -> str:
    return f"{spanner}: {label}" if spanner else label


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
