"""Each format is parsed back by a reader of its own and must give the table's own grid."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from docx import Document

from alc_stats.report import render, tables
from alc_stats.report.table import Table
from report import examples

Grid = list[list[str]]

TABLES = [
    table
    for study in (examples.real_looking(), examples.simulated(), examples.hostile())
    for table in tables.study_tables(study)
]


def expected(table: Table) -> Grid:
    return [list(cells) for cells in table.grid()]


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


class Cells(HTMLParser):
    """The cells of every body row that is no group heading, the caption, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Grid = []
        self.caption = ""
        self.tags: set[str] = set()
        self.inside: str = ""
        self.body = self.group = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tbody":
            self.body = True
        if tag == "tr" and self.body:
            self.group = ("class", "group") in attrs
            if not self.group:
                self.rows.append([])
        if tag in ("td", "th", "caption"):
            self.inside = tag
            if tag != "caption" and self.body and not self.group:
                self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "tbody":
            self.body = False
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "caption":
            self.caption += data
        elif self.inside and self.body and not self.group:
            self.rows[-1][-1] += data


def from_html(table: Table) -> Grid:
    parser = Cells()
    parser.feed(render.to_html(table))
    return [[plain(cell) for cell in row] for row in parser.rows]


def from_markdown(table: Table) -> Grid:
    lines = [line for line in render.to_markdown(table).splitlines() if line.startswith("| ")][2:]
    rows = [re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1] for line in lines]
    clean = [[plain(re.sub(r"\\(\W|_)", r"\1", cell.strip())) for cell in row] for row in rows]
    groups = {row.group for row in table.rows if row.group}
    return [row for row in clean if not (row[0].strip("*") in groups and not any(row[1:]))]


def from_typst(table: Table) -> Grid:
    body = render.to_typst(table).split("table.hline(stroke: 0.4pt),\n  ),\n")[1]
    lines = body.split("  table.hline(stroke: 0.8pt),")[0].splitlines()
    rows = [re.findall(r'"((?:[^"\\]|\\.)*)"', line) for line in lines if "colspan" not in line]
    return [[plain(re.sub(r"\\(.)", r"\1", cell)) for cell in row] for row in rows]


def from_docx(table: Table) -> Grid:
    rows = Document(io.BytesIO(render.to_docx(table))).tables[0].rows
    head = 2 if any(c.spanner for c in table.columns) else 1
    texts = [[plain(cell.text) for cell in row.cells] for row in rows][head:]
    groups = {plain(row.group) for row in table.rows if row.group}
    return [row for row in texts if not (set(row) <= groups and len(set(row)) == 1)]


LATEX = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^",
    r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", r"\textquotedbl{}": '"',
    r"\textquotesingle{}": "'", "{[}": "[", "{]}": "]", "{*}": "*",
    "$-$": "\u2212", r"$\infty$": "∞",
    r"$\times$": "\u00d7", r"$\pm$": "±", r"$\alpha$": "\u03b1", "---": "—",
    r"\&": "&", r"\%": "%", r"\_": "_", r"\#": "#", r"\$": "$", r"\{": "{", r"\}": "}",
}  # fmt: skip


def from_latex(table: Table) -> Grid:
    body = render.to_latex(table).split("\\midrule\n")[1].split("\\bottomrule")[0]
    rows = [line.removesuffix(r" \\").removeprefix(r"\quad ") for line in body.splitlines()]
    rows = [row for row in rows if not row.startswith(r"\multicolumn")]
    token = re.compile("|".join(map(re.escape, sorted(LATEX, key=len, reverse=True))))
    return [
        [plain(token.sub(lambda m: LATEX[m[0]], cell)) for cell in re.split(r"(?<!\\) ?& ", row)]
        for row in rows
    ]


READERS: dict[str, Callable[[Table], Grid]] = {
    "markdown": from_markdown, "html": from_html, "latex": from_latex, "typst": from_typst,
    "docx": from_docx,
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.file_stem)
def test_every_format_holds_the_same_values(table: Table, reader: Callable[[Table], Grid]) -> None:
    assert reader(table) == expected(table)


def hostile() -> Table:
    return tables.table_one(examples.hostile())


def test_labels_cannot_become_html() -> None:
    parser = Cells()
    parser.feed(render.to_html(hostile()))
    assert "b" not in parser.tags
    assert examples.HOSTILE in parser.caption


def test_labels_cannot_become_latex() -> None:
    text = render.to_latex(hostile())
    body = text[text.index(r"\toprule") :]
    for special in "#$%&_":
        assert not re.search(
            rf"(?<!\\)\{special}(?!-\$|\\)", body.replace(" & ", "").replace("$-$", "")
        )


def test_labels_cannot_become_typst() -> None:
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", render.to_typst(hostile()))
    assert "cmd" not in outside
    assert "$" not in outside


def test_a_label_that_looks_like_a_formula_is_no_field_in_word() -> None:
    with zipfile.ZipFile(io.BytesIO(render.to_docx(hostile()))) as archive:
        document = archive.read("word/document.xml").decode()
    assert "=cmd(" in document
    assert "fldSimple" not in document
    assert "instrText" not in document


def test_word_files_carry_no_time() -> None:
    with zipfile.ZipFile(io.BytesIO(render.to_docx(hostile()))) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_characters_that_xml_cannot_hold_are_left_out() -> None:
    from alc_stats.report.render.word import plain as word_plain

    assert word_plain("a\x00b\x0bc") == "abc"


@pytest.mark.parametrize("write", [render.to_docx, render.to_latex, render.to_typst])
def test_the_same_table_gives_the_same_bytes(write: Callable[[Table], object]) -> None:
    assert write(TABLES[0]) == write(TABLES[0])


@pytest.mark.parametrize(
    "write", [render.to_markdown, render.to_html, render.to_latex, render.to_typst]
)
def test_the_banner_is_in_every_format(write: Callable[[Table], str]) -> None:
    assert "SIMULATED DATA: " in write(tables.ledger_table(examples.simulated()))


def test_the_banner_is_in_the_word_file() -> None:
    content = render.to_docx(tables.ledger_table(examples.simulated()))
    assert Document(io.BytesIO(content)).paragraphs[0].text.startswith("SIMULATED DATA: ")


def test_word_tables_have_three_lines() -> None:
    content = render.to_docx(tables.ledger_table(examples.real_looking()))
    grid = Document(io.BytesIO(content)).tables[0]
    sides = [
        sorted(set(re.findall(r"<w:(top|bottom) w:val", row.cells[0]._tc.xml))) for row in grid.rows
    ]
    assert sides[0] == ["bottom", "top"]
    assert sides[-1] == ["bottom"]
    assert not any(sides[1:-1])
