"""A table that satisfies its schema as a typed pandas frame."""

# ruff: noqa: S608  (the SQL is made of our own column names and quoted literals)
from __future__ import annotations

from pathlib import Path

import pandas as pd

from alc_stats.schemas.checking import Checking
from alc_stats.schemas.schema import Field, Schema
from alc_stats.schemas.tables import ROW, connection, open_table


def typed(schema: Schema, table: Path | pd.DataFrame) -> pd.DataFrame:
    """Read a table into a frame whose columns have the types of the schema.

    Parameters
    ----------
    schema : Schema
    table : Path or pandas.DataFrame
        It is checked first (without its foreign keys).

    Returns
    -------
    pandas.DataFrame
        The schema's fields in the schema's order, rows in the file's order; missing codes are NaN
        or NA. Text with categories is a Categorical with the schema's values in their order; whole
        numbers are int64 (Int64 where one is missing), coded ones included: their labels are in
        the schema. Numbers are float64, truth values bool (boolean where one is missing), dates
        naive midnights, moments in UTC.

    Raises
    ------
    TableError
        With every violation, if the table breaks its schema.
    SourceError
        If the file cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats import schemas
    >>> changes = pd.DataFrame({
    ...     "event_id": ["x01"], "event_date": ["2026-03-02"], "tool": ["assistant"],
    ...     "from_model": ["a"], "to_model": ["b"], "simulated": ["true"]})
    >>> frame = schemas.typed(schemas.read("platform_event"), changes)
    >>> frame.loc[0, "event_date"], bool(frame.loc[0, "simulated"])
    (Timestamp('2026-03-02 00:00:00'), True)
    """
    with connection(schema.name) as db:
        opened = open_table(db, table, name="checked", label=schema.name)
        checking = Checking(db, schema, opened, {})
        checking.report().raise_for_violations()
        value = checking.view.value
        columns = ", ".join(f"{value(f.name)} AS f{i}" for i, f in enumerate(schema.fields))
        arrow = db.sql(f"SELECT {columns} FROM cells ORDER BY {ROW}").to_arrow_table()
    raw = arrow.to_pandas(types_mapper=_nullable)
    return pd.DataFrame(
        {field.name: _as_declared(raw[f"f{i}"], field) for i, field in enumerate(schema.fields)}
    )


def _nullable(arrow_type: object) -> pd.api.extensions.ExtensionDtype | None:
    """Types that keep whole numbers whole beside a missing one."""
    kinds: dict[str, pd.api.extensions.ExtensionDtype] = {
        "int64": pd.Int64Dtype(),
        "bool": pd.BooleanDtype(),
    }
    return kinds.get(str(arrow_type))


def _as_declared(column: pd.Series, field: Field) -> pd.Series:
    complete = not column.isna().any()
    match field.type:
        case "string" if field.categories:
            kind = pd.CategoricalDtype(
                [category.value for category in field.categories], ordered=field.ordered
            )
            return column.astype(kind)
        case "string":
            return column.astype("str")
        case "integer" | "year":
            return column.astype("int64") if complete else column
        case "boolean":
            return column.astype("bool") if complete else column
        case "date":
            return pd.to_datetime(column).astype("datetime64[us]")
        case "datetime":
            return column.astype("datetime64[us, UTC]")
        case _:
            return column.astype("float64")
