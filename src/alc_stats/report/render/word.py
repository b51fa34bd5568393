"""Tables as Word files: editable, in the three-line style of APA, the same bytes every time."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from alc_stats.report import numbers
from alc_stats.report.table import Table

_FONT = "Times New Roman"
_THICK, _THIN = 8, 4  # eighths of a point
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def to_docx(table: Table) -> bytes:
    """A document with the heading, one editable table and its notes."""
    from docx import Document
    from docx.shared import Pt

    document = Document()
    document.core_properties.title = plain(table.heading)
    document.styles["Normal"].font.name = _FONT
    document.styles["Normal"].font.size = Pt(10)
    _landscape_if_wide(document, table)
    document.add_paragraph().add_run(plain(table.heading)).italic = True
    _fill(document, table)
    if table.notes:
        notes = document.add_paragraph()
        notes.add_run("Note. ").italic = True
        notes.add_run(plain(" ".join(table.notes)))
    return _same_bytes(document)


def plain(text: str) -> str:
    """Text that XML can hold, per cent signs glued to their numbers."""
    return _NOT_IN_XML.sub("", numbers.no_break(text))


def _landscape_if_wide(document: Any, table: Table) -> None:
    from docx.enum.section import WD_ORIENT

    section = document.sections[0]
    if len(table.columns) > 6:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width


def _fill(document: Any, table: Table) -> None:
    grid = document.add_table(rows=0, cols=len(table.columns))
    if any(column.spanner for column in table.columns):
        _add_spanners(grid, table)
    _add_row(grid, table, [column.label for column in table.columns])
    head = len(grid.rows)
    group = ""
    for row, cells in zip(table.rows, table.grid(), strict=True):
        if row.group and row.group != group:
            _add_group(grid, row.group)
        group = row.group
        _add_row(grid, table, list(cells))
    _rule(grid.rows[0], "top", _THICK)
    _rule(grid.rows[head - 1], "bottom", _THIN)
    _rule(grid.rows[-1], "bottom", _THICK)
    for index in range(head):
        _repeat_on_every_page(grid.rows[index])


def _add_spanners(grid: Any, table: Table) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    cells = grid.add_row().cells
    at = 0
    for name, count in table.spanners():
        if name:
            cell = cells[at].merge(cells[at + count - 1])
            cell.text = plain(name)
            cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
        at += count


def _add_group(grid: Any, name: str) -> None:
    cells = grid.add_row().cells
    merged = cells[0].merge(cells[-1])
    merged.paragraphs[0].add_run(plain(name)).italic = True


def _add_row(grid: Any, table: Table, texts: list[str]) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    for cell, column, text in zip(grid.add_row().cells, table.columns, texts, strict=True):
        cell.text = plain(text)
        if column.role == "number":
            cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _rule(row: Any, side: str, size: int) -> None:
    """Draw one border of every cell of a row; Word has no rule for a row as such."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for cell in row.cells:
        properties = cell._tc.get_or_add_tcPr()  # noqa: SLF001 - python-docx has no borders
        borders = properties.find(qn("w:tcBorders"))
        if borders is None:
            borders = OxmlElement("w:tcBorders")
            properties.append(borders)
        if borders.find(qn(f"w:{side}")) is None:
            border = OxmlElement(f"w:{side}")
            for key, value in (("val", "single"), ("sz", str(size)), ("color", "000000")):
                border.set(qn(f"w:{key}"), value)
            borders.append(border)


def _repeat_on_every_page(row: Any) -> None:
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))  # noqa: SLF001


def _same_bytes(document: Any) -> bytes:
    """The saved document with fixed times inside the archive."""
    saved, fixed = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with (
        zipfile.ZipFile(saved) as source,
        zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in sorted(source.namelist()):
            target.writestr(zipfile.ZipInfo(name, _EPOCH), source.read(name), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()
