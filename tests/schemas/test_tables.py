# ruff: noqa: E501  (sentences stand here as they are printed)
"""Files as they come: every form of bad input has its sentence, and row numbers stay true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alc_stats import schemas
from alc_stats.errors import SourceError
from alc_stats.schemas.reading import parse
from schemas.examples import as_csv, mandates, survey, write

GOOD = as_csv(mandates())
MANDATE = schemas.read("mandate")
AB = parse('{"fields": [{"name": "a", "type": "integer"}, {"name": "b"}]}', where="ab.schema.json")


def refused(path: Path) -> str:
    """What is said of a file that cannot be read as a table."""
    with pytest.raises(SourceError) as raised:
        schemas.check(MANDATE, path)
    return str(raised.value).replace(str(path), path.name)


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD_FILES = [
    ("a.csv", b"", "a.csv: the file is empty. Export it again, with a header."),
    ("a.csv", b"\n\n", "a.csv: the file holds no header. Export it again, with a header."),
    ("a.xlsx", b"PK", ("a.xlsx: unknown kind of file. Found: .xlsx. Allowed: .csv, .tsv, .parquet, .pq. Save the "
     "table as one of these.")),
    ("a", b"x", ("a: unknown kind of file. Found: no suffix. Allowed: .csv, .tsv, .parquet, .pq. Save the "
     "table as one of these.")),
    ("a.csv", GOOD.replace(",", ";").encode(), ("a.csv: the columns are separated by semicolons, not by commas. Found: "
     "one column named 'firm_id;mandate_type;quota;quota_unit;qu'. Allowed: commas in a .csv file. Export it again "
     "with commas.")),
    ("a.csv", GOOD.replace(",", "\t").encode(), ("a.csv: the columns are separated by tabs, not by commas. Found: "
     "one column named 'firm_id\tmandate_type\tquota\tquota_unit\tqu'. Allowed: commas in a .csv file. Export it again "
     "with commas.")),
    ("a.csv", GOOD.replace("token,500", "t\u00f6ken,500").encode("latin-1"), ("a.csv, line 3: the file is not UTF-8 "
     "text. Found: perhaps Latin-1 or Windows-1252. Allowed: UTF-8, with or without a byte-order mark. "
     'Save it again as UTF-8 (in spreadsheets: "CSV UTF-8").')),
    ("a.csv", GOOD.encode("utf-16"), ("a.csv, line 1: the file is not UTF-8 text. Found: UTF-16. Allowed: UTF-8, with "
     'or without a byte-order mark. Save it again as UTF-8 (in spreadsheets: "CSV UTF-8").')),
    ("a.csv", GOOD.encode("utf-16-le"), ("a.csv, line 1: the file is not UTF-8 text. Found: UTF-16. Allowed: UTF-8, "
     'with or without a byte-order mark. Save it again as UTF-8 (in spreadsheets: "CSV UTF-8").')),
    ("a.csv", GOOD.replace("f3", '"f3').encode(), ("a.csv, line 4: the text cannot be split into cells. Found: "
     'unexpected end of data. Look for a quotation mark that is not closed; inside a cell it is written twice ("").')),
    ("a.parquet", b"PAR1 not really", "a.parquet: the file is not readable as Parquet."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "said"), BAD_FILES)
def test_a_file_that_is_no_table_is_refused_in_a_sentence(name, content, said, tmp_path) -> None:
    assert refused(put(tmp_path / name, content)).startswith(said)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.csv") == "no.csv: there is no such file. Check the path."
    said = "this is a folder, not a file. Name a file in it."
    assert refused(tmp_path).endswith(said)


def test_damaged_parquet_pages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pd.DataFrame({"a": np.arange(5000), "b": "x"}).to_parquet(path, index=False)
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(bytes(content))
    with pytest.raises(SourceError, match=r"the table cannot be read to its end\. Found: "):
        schemas.check(AB, path)


def test_a_byte_order_mark_is_welcome(tmp_path: Path) -> None:
    assert schemas.check(MANDATE, put(tmp_path / "a.csv", b"\xef\xbb\xbf" + GOOD.encode())).ok


@pytest.mark.parametrize(
    "ending", [b"\n", b"\r\n", b"\n\n", b"\r\n\r\n"], ids=["lf", "crlf", "blank", "crlf-blank"]
)
def test_line_endings_and_blank_lines_are_no_rows(ending: bytes, tmp_path: Path) -> None:
    lines = b"a,b\n1,x\n2,y\nz,w\n5,v\n".splitlines()
    report = schemas.check(AB, put(tmp_path / "a.csv", ending.join(lines)))
    assert [(v.row, v.found) for v in report.violations] == [(3, "'z'")]
    assert report.rows == 4


def test_mixed_line_endings_and_leading_blank_lines(tmp_path: Path) -> None:
    report = schemas.check(AB, put(tmp_path / "a.csv", b"\n\na,b\r\n1,x\nz,w\r\n5,v"))
    assert [(v.row, v.rule) for v in report.violations] == [(2, "type")]
    assert report.rows == 3


def test_cells_may_hold_separators_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = b'a,b\n1,"x,y"\n2,"say ""hi"""\n3,"two\nlines"\nz,w\n'
    report = schemas.check(AB, put(tmp_path / "a.csv", content))
    assert [(v.row, v.found) for v in report.violations] == [(4, "'z'")]
    frame = schemas.typed(AB, put(tmp_path / "b.csv", content.replace(b"z,w\n", b"")))
    assert frame["b"].tolist() == ["x,y", 'say "hi"', "two\nlines"]


def test_ragged_rows_are_named_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    content = b"a,b\n1,x\n2\nz,w\n4,5,6\n\n7,8,9,10\n?,\n"
    report = schemas.check(AB, put(tmp_path / "a.csv", content))
    assert [(v.row, v.rule, v.found) for v in report.violations] == [
        (2, "raggedRow", "1 cells"),
        (4, "raggedRow", "3 cells"),
        (5, "raggedRow", "4 cells"),
        (3, "type", "'z'"),
        (6, "type", "'?'"),
    ]
    assert report.rows == 6
    assert report.violations[0].allowed == "2 cells"


def test_a_table_of_ragged_rows_only(tmp_path: Path) -> None:
    report = schemas.check(AB, put(tmp_path / "a.csv", b"a,b\n1\n2\n"))
    assert [(v.row, v.rule) for v in report.violations] == [(1, "raggedRow"), (2, "raggedRow")]


def test_a_damaged_related_table_is_noted(tmp_path: Path) -> None:
    broken = put(tmp_path / "m.csv", GOOD.encode() + b"f9,none\n")
    table = write(survey(), tmp_path / "s.csv")
    report = schemas.check(schemas.read("survey"), table, related={"mandate": broken})
    assert report.notes == (
        "that firm_id occurs in mandate: 1 rows of m.csv are damaged; check it first.",
    )


@pytest.mark.parametrize("content", [b"a,b", b"a,b\n"])
def test_a_header_without_rows(content: bytes, tmp_path: Path) -> None:
    report = schemas.check(AB, put(tmp_path / "a.csv", content))
    assert [(v.rule, v.what) for v in report.violations] == [
        ("noRows", "the table has a header and no rows")
    ]


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    report = schemas.check(AB, put(tmp_path / "a.csv", b"a,b,a\n1,x,?\nz,x,1\n"))
    assert [(v.row, v.column, v.rule) for v in report.violations] == [
        (None, "a", "duplicateColumn"),
        (2, "a", "type"),
    ]


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    schema = parse('{"fields": [{"name": "a"}, {"name": "A", "type": "integer"}]}', where="x.json")
    table = pa.table({"a": ["x", "y"], "A": ["1", "z"]})
    pq.write_table(table, tmp_path / "t.parquet")
    write(table.to_pylist(), tmp_path / "t.csv")
    for form in (tmp_path / "t.parquet", tmp_path / "t.csv", table.to_pandas()):
        report = schemas.check(schema, form)
        assert [(v.row, v.column, v.found) for v in report.violations] == [(2, "A", "'z'")]


def test_the_path_of_a_file_is_no_pattern(tmp_path: Path) -> None:
    put(tmp_path / "ab.csv", b"a,b\nz,z\n")
    pd.DataFrame({"a": [1], "b": ["x"]}).to_parquet(tmp_path / "ab.parquet")
    folder = tmp_path / "a=5"  # DuckDB alone would make this a column
    folder.mkdir()
    for name in ("[a]b.csv", "*b.csv", "it's.csv"):
        assert schemas.check(AB, put(folder / name, b"a,b\n1,x\n")).ok
    pd.DataFrame({"a": [1], "b": ["x"]}).to_parquet(folder / "[a]b.parquet")
    assert schemas.check(AB, folder / "[a]b.parquet").ok


def test_storage_that_cannot_hold_the_field_is_one_violation_of_the_column(tmp_path: Path) -> None:
    fields = ("number", "boolean", "date", "datetime", "string", "integer")
    declared = ", ".join(f'{{"name": "{kind}", "type": "{kind}"}}' for kind in fields)
    schema = parse(f'{{"fields": [{declared}]}}', where="x.json")
    naive = pd.Timestamp("2026-03-02T09:15:00")
    table = pd.DataFrame({
        "number": [True], "boolean": [0.5], "date": [1.5], "datetime": [naive], "string": [2.5],
        "integer": [pd.Timedelta("1h")],
    })  # fmt: skip
    report = schemas.check(schema, table)
    assert [(v.row, v.column, v.what, v.found) for v in report.violations] == [
        (
            None,
            "number",
            "a column stored like this cannot be of type number",
            "a column of BOOLEAN",
        ),
        (
            None,
            "boolean",
            "a column stored like this cannot be of type boolean",
            "a column of DOUBLE",
        ),
        (None, "date", "a column stored like this cannot be of type date", "a column of DOUBLE"),
        (None, "datetime", "the moments have no time zone", "a column of TIMESTAMP"),
        (
            None,
            "string",
            "a column stored like this cannot be of type string",
            "a column of DOUBLE",
        ),
        (
            None,
            "integer",
            "a column stored like this cannot be of type integer",
            "a column of INTERVAL",
        ),
    ]
    table.drop(columns="integer").to_parquet(tmp_path / "t.parquet", index=False)
    stored = schemas.check(schema, tmp_path / "t.parquet")
    assert [(v.column, v.rule) for v in stored.violations] == [
        ("integer", "missingColumn"),
        *((kind, "type") for kind in fields[:-1]),
    ]


def test_frames_of_mixed_objects_and_categories_are_read_as_text() -> None:
    mixed = pd.DataFrame({"a": [1, "2", "x", None], "b": pd.Categorical(["u", "v", None, "u"])})
    mixed.index = pd.Index([7, 7, 7, 7])
    report = schemas.check(AB, mixed)
    assert [(v.row, v.found) for v in report.violations] == [(3, "'x'")]


def test_a_frame_without_columns_or_rows() -> None:
    empty = schemas.check(AB, pd.DataFrame())
    assert [v.rule for v in empty.violations] == ["noRows", "missingColumn", "missingColumn"]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    put(tmp_path / "a.csv", b"a,b\n1,x\n")
    schemas.check(AB, tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
