"""Tables as HTML: a caption, header cells with scopes, notes in the foot."""

from __future__ import annotations

from html import escape as _escape

from alc_stats.report import numbers
from alc_stats.report.table import Table

_MANY_COLUMNS = 6  # more are set smaller, so that they fit a screen


def to_html(table: Table) -> str:
    """The table as one `<table>` element; the styling is the page's."""
    width = len(table.columns)
    kind = "data wide" if width > _MANY_COLUMNS else "data"
    parts = [f'<table class="{kind}" id="{escape(table.file_stem)}">']
    parts.append(f"<caption>{escape(table.heading)}</caption>")
    parts += ["<thead>", *_spanner_row(table), _label_row(table), "</thead>", "<tbody>"]
    group = ""
    for row, cells in zip(table.rows, table.grid(), strict=True):
        if row.group and row.group != group:
            head = f'<th scope="rowgroup" colspan="{width}">{escape(row.group)}</th>'
            parts.append(f'<tr class="group">{head}</tr>')
        group = row.group
        parts.append(_body_row(table, cells, inside=bool(row.group)))
    parts.append("</tbody>")
    if table.notes:
        notes = " ".join(table.notes)
        parts.append(
            f'<tfoot><tr><td colspan="{width}"><i>Note.</i> {escape(notes)}</td></tr></tfoot>'
        )
    parts.append("</table>")
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that HTML shows as it is, quotes included.

    Examples
    --------
    >>> escape('a < "b" & c')
    'a &lt; &quot;b&quot; &amp; c'
    """
    return _escape(text, quote=True)


def _spanner_row(table: Table) -> list[str]:
    if not any(column.spanner for column in table.columns):
        return []
    cells = [
        f'<th scope="colgroup" colspan="{count}" class="spanner">{escape(name)}</th>'
        if name
        else "<td></td>"
        for name, count in table.spanners()
    ]
    return [f'<tr class="spanners">{"".join(cells)}</tr>']


def _label_row(table: Table) -> str:
    cells = (f'<th scope="col" class="{c.role}">{escape(c.label)}</th>' for c in table.columns)
    return f"<tr>{''.join(cells)}</tr>"


def _body_row(table: Table, cells: tuple[str, ...], *, inside: bool) -> str:
    label, *others = cells
    head = f'<th scope="row" class="{"inside" if inside else "label"}">{escape(label)}</th>'
    body = (
        f'<td class="{column.role}">{escape(numbers.no_break(cell))}</td>'
        for column, cell in zip(table.columns[1:], others, strict=True)
    )
    return f"<tr>{head}{''.join(body)}</tr>"
