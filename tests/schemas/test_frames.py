from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from alc_stats import schemas
from alc_stats.errors import TableError
from alc_stats.schemas.reading import parse
from schemas.examples import TABLES, events, mandates, survey, write


@pytest.fixture
def answers(tmp_path: Path) -> pd.DataFrame:
    return schemas.typed(schemas.read("survey"), write(survey(), tmp_path / "survey.csv"))


def test_types_are_those_of_the_schema(answers: pd.DataFrame) -> None:
    log = schemas.typed(schemas.read("usage_event"), pd.DataFrame(events()))
    mandate = schemas.typed(schemas.read("mandate"), pd.DataFrame(mandates()))
    kinds = {**log.dtypes.astype(str), **mandate.dtypes.astype(str), **answers.dtypes.astype(str)}
    assert {name: kinds[name] for name in ("person_id", "tokens_in", "quality", "timestamp")} == {
        "person_id": "str",
        "tokens_in": "int64",
        "quality": "float64",
        "timestamp": "datetime64[us, UTC]",
    }
    assert {name: kinds[name] for name in ("start_date", "wave", "aware_1", "topography_1")} == {
        "start_date": "datetime64[us]",
        "wave": "int64",
        "aware_1": "int64",
        "topography_1": "Int64",
    }
    assert kinds["simulated"] == "bool"


def test_columns_and_rows_keep_their_order(tmp_path: Path) -> None:
    rows = [dict(reversed(row.items())) for row in events(30)]
    frame = schemas.typed(schemas.read("usage_event"), write(rows, tmp_path / "log.csv"))
    assert tuple(frame.columns) == schemas.read("usage_event").names
    assert frame["event_id"].tolist() == [f"e{i}" for i in range(30)]


def test_categories_have_the_order_of_the_schema(answers: pd.DataFrame) -> None:
    assert answers["access_level"].cat.categories.tolist() == ["none", "basic", "full"]
    assert answers["access_level"].cat.ordered
    assert answers["arm"].cat.categories.tolist() == ["control", "mandate", "schema_training"]
    assert not answers["arm"].cat.ordered


def test_missing_codes_are_missing(answers: pd.DataFrame) -> None:
    assert answers["capability_near"].isna().all()  # NA
    assert answers.loc[answers["person_id"] == "p2", "topography_2"].isna().all()  # -99
    assert answers["topography_2"].notna().sum() == 9
    assert answers["capability_far"].tolist() == [33.0] * 12


def test_moments_are_in_utc() -> None:
    log = schemas.typed(schemas.read("usage_event"), pd.DataFrame(events(1)))
    assert log.loc[0, "novelty_coded_at"] == pd.Timestamp("2026-03-01T08:00:00Z")  # 09:00+01:00
    assert str(log["novelty_coded_at"].dt.tz) == "UTC"


def test_large_whole_numbers_stay_whole_beside_a_missing_one() -> None:
    schema = parse('{"fields": [{"name": "x", "type": "integer"}]}', where="x.json")
    odd = 2**53 + 1  # the first whole number a float cannot hold
    frame = schemas.typed(schema, pd.DataFrame({"x": [str(odd), ""]}))
    assert frame["x"].tolist()[0] == odd
    assert frame["x"].isna().tolist() == [False, True]


def test_an_absent_column_that_may_be_absent_is_missing() -> None:
    fields = '[{"name": "x", "type": "integer"}, {"name": "y", "type": "date"}]'
    schema = parse(f'{{"fields": {fields}, "fieldsMatch": "partial"}}', where="x.json")
    frame = schemas.typed(schema, pd.DataFrame({"x": ["1"], "z": ["?"]}))
    assert list(frame.columns) == ["x", "y"]
    assert frame["y"].isna().all()


@pytest.mark.parametrize("name", TABLES)
def test_a_typed_frame_satisfies_its_schema_and_stays_the_same(name: str, tmp_path: Path) -> None:
    schema = schemas.read(name)
    once = schemas.typed(schema, write(TABLES[name](), tmp_path / "t.csv"))
    once.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(schemas.typed(schema, once), once)
    pd.testing.assert_frame_equal(schemas.typed(schema, tmp_path / "t.parquet"), once)


def test_a_table_that_breaks_its_schema_is_refused() -> None:
    rows = mandates()
    rows[1]["quota"] = "many"
    with pytest.raises(TableError, match="mandate, row 2, column quota: not a number"):
        schemas.typed(schemas.read("mandate"), pd.DataFrame(rows))
