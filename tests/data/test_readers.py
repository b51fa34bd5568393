"""Reading changes nothing: what would not be written back as it was stays text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alc_stats.data import read_table
from alc_stats.errors import SourceError


def _written(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_types_are_those_that_can_be_written_back(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        "id,n,x,gap,day,yes,big,wide\r\n"
        "007,1,0.1,3,2026-01-02,True,9007199254740993,123456789012345678901\r\n"
        'None,-2,1e3,NA,"a, ""b""",False,,1\r\n',
    )
    table = read_table(path)
    assert table.dtypes.astype(str).to_dict() == {
        "id": "str", "n": "int64", "x": "float64", "gap": "float64", "day": "str", "yes": "str",
        "big": "str", "wide": "str",
    }  # fmt: skip
    assert table["id"].tolist() == ["007", "None"]
    assert table["n"].tolist() == [1, -2]
    assert table["x"].tolist() == [0.1, 1000.0]
    assert table["gap"].tolist()[0] == 3.0
    assert np.isnan(table["gap"][1])
    assert table["day"].tolist() == ["2026-01-02", 'a, "b"']


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_keep_every_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = _written(tmp_path_factory.mktemp("bits"), "x\n" + "".join(f"{v!r}\n" for v in values))
    assert read_table(path)["x"].tolist() == values


def test_an_empty_column_stays_text_and_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    table = read_table(_written(tmp_path, b"\xef\xbb\xbfa,b\n,1\nNA,2\n"))
    assert list(table) == ["a", "b"]
    assert table["a"].isna().all()
    assert str(table["a"].dtype) == "str"
    assert read_table(_written(tmp_path, "a,b\n")).empty


def test_other_encodings_and_separators_are_read_when_named(tmp_path: Path) -> None:
    path = _written(tmp_path, "größe;n\n1;2\n".encode("cp1252"))
    assert read_table(path, separator=";", encoding="cp1252").to_dict("list") == {
        "größe": [1],
        "n": [2],
    }


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["007"], "n": np.array([3], dtype="int16"), "x": [0.5]})
    frame.to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), frame)


UNEQUAL = "rows have more or fewer cells than the header. Found:"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "a;b\n1;2\n",
            (
                "the file has one column only. Found: ';' in its header. "
                "Allowed: columns separated by ','. Pass separator=';'."
            ),
        ),
        (
            "größe\n".encode("cp1252"),
            (
                "the file is not in the encoding utf-8. Found: byte 0xf6. "
                "Pass the encoding it was written in, such as encoding='cp1252'."
            ),
        ),
        ("a,b\n1,2\n3\n4\n", f"{UNEQUAL} 2 rows, the first on line 3 with 1. Allowed: 2 cells."),
        ("a,b\n1,2,3\n", f"{UNEQUAL} 1 rows, the first on line 2 with 3. Allowed: 2 cells."),
        ("a,a,\n1,2,3\n", "two columns are called 'a'.\n{path}: columns have no name: 3."),
        ('a,b\n"1,2\n', "the file cannot be read. Found: unexpected end of data."),
        ("", "the file is empty."),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = _written(tmp_path, content)
    with pytest.raises(SourceError) as caught:
        read_table(path)
    assert str(caught.value) == f"{path}: {message.format(path=path)}"


def test_files_that_are_not_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"unknown kind of file. Allowed: .csv, .parquet"):
        read_table(tmp_path / "table.xlsx")
    with pytest.raises(SourceError, match="No such file or directory"):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(SourceError, match="the file cannot be read"):
        read_table(_written(tmp_path, "not parquet", "table.parquet"))
