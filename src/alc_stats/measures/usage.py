"""Usage of AI tools by person and period, from an event log of any size."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.errors import DataError, DeclarationError, Problem, TableError, did_you_mean

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Calendar = Literal["week", "month"]
Waves = Mapping[int, tuple[date, date]] | Mapping[str, tuple[date, date]]

NEEDED = (
    "person_id",
    "firm_id",
    "timestamp",
    "session_id",
    "tokens_in",
    "tokens_out",
    "novelty",
    "quality",
)
"""Columns of the log that are used; see data/schemas/usage_event.schema.json."""

_AGGREGATE = """
SELECT
    firm_id::VARCHAR AS firm_id,
    person_id::VARCHAR AS person_id,
    {period} AS period,
    count(*) AS events,
    count(DISTINCT session_id) AS sessions,
    sum(tokens_in::BIGINT)::BIGINT AS tokens_in,
    sum(tokens_out::BIGINT)::BIGINT AS tokens_out,
    ln(1 + sum(tokens_in::BIGINT)::BIGINT + sum(tokens_out::BIGINT)::BIGINT) AS log_tokens,
    count(grade) AS graded,
    sum(grade::DECIMAL(18, 12))::DOUBLE / nullif(count(grade), 0) AS quality,
    count(*) FILTER (novelty = 'far') / nullif(count(novelty), 0)::DOUBLE AS far_share
FROM (
    SELECT * REPLACE (novelty::VARCHAR AS novelty),
        (timestamp::TIMESTAMPTZ AT TIME ZONE 'UTC')::TIMESTAMP AS moment,
        nullif(quality::DOUBLE, 'nan'::DOUBLE) AS grade
    FROM {source}
)
GROUP BY ALL
ORDER BY ALL
"""
# Grades are summed as decimals: an exact sum is the same in whatever order the threads add.


@dataclass(frozen=True, slots=True)
class _Periods:
    """How SQL finds an event's period, with which values, and what its numbers are called."""

    sql: str
    values: tuple[date, ...] = ()
    names: tuple[int | str, ...] = ()


def person_period_usage(
    events: Path | pd.DataFrame, *, period: Calendar | Waves, ledger: Ledger | None = None
) -> pd.DataFrame:
    """Sum up an event log by firm, person and period, in one pass.

    Parameters
    ----------
    events : Path or DataFrame
        The log with the columns of usage_event.schema.json: a .parquet or .csv file, or a pattern
        such as `logs/*.parquet`. Time stamps without a zone are taken as UTC.
    period : {"week", "month"} or mapping of wave to (first day, last day)
        ISO weeks and months are named by their first day; waves by their key. Days are UTC days,
        the last one included.
    ledger : Ledger, optional
        Where events outside every wave are entered. Without it such events are an error.

    Returns
    -------
    DataFrame
        One row a firm, person and period with events, sorted by these three: `firm_id`,
        `person_id`, `period`, `events`, `sessions`, `tokens_in`, `tokens_out` (int64),
        `log_tokens` (ln(1 + tokens in and out)), `graded` (events with a grade), `quality` (their
        mean grade; missing without any), `far_share` (share of events on tasks of far novelty).

    Raises
    ------
    DeclarationError
        If the waves overlap or end before they start, or the file is of another kind.
    TableError
        If the log lacks a column, cannot be read as declared or has events without a person.
    DataError
        If events lie outside every wave and no ledger is given.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "person_id": ["p1", "p1"], "firm_id": ["f1", "f1"], "session_id": ["s1", "s1"],
    ...     "timestamp": pd.to_datetime(["2026-03-02T09:15Z", "2026-03-08T23:59Z"]),
    ...     "tokens_in": [10, 20], "tokens_out": [30, 40], "novelty": ["far", "near"],
    ...     "quality": [None, 80.0]})
    >>> usage = person_period_usage(log, period="week")
    >>> usage[["period", "events", "sessions", "tokens_out", "quality", "far_share"]]
          period  events  sessions  tokens_out  quality  far_share
    0 2026-03-02       2         1          70     80.0        0.5
    """
    import duckdb

    periods = _calendar(period) if isinstance(period, str) else _waves(period)
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        connection.execute("SET temp_directory = $folder", {"folder": spill})
        try:
            source = _attach(connection, events)
            query = _AGGREGATE.format(period=periods.sql, source=source)
            usage = connection.execute(query, list(periods.values)).df()
        except duckdb.Error as error:
            raise TableError(_unreadable(error)) from error
    _refuse_nobody(usage)
    return _in_periods(usage, periods, ledger=ledger)


def _calendar(period: str) -> _Periods:
    if period not in ("week", "month"):
        raise DeclarationError(
            Problem(
                f"unknown period '{period}'",
                where="person_period_usage",
                allowed="week, month, or waves with their first and last day",
                way_out=did_you_mean(period, ["week", "month"]),
            )
        )
    return _Periods(f"date_trunc('{period}', moment)::DATE")


def _waves(waves: Waves) -> _Periods:
    spans = [(first, last, wave) for wave, (first, last) in waves.items()]
    _refuse_impossible_waves(spans)
    cases = " ".join(f"WHEN moment::DATE BETWEEN ? AND ? THEN {i}" for i in range(len(spans)))
    days = tuple(day for first, last, _ in spans for day in (first, last))
    return _Periods(f"CASE {cases} END", days, tuple(wave for _, _, wave in spans))


def _refuse_impossible_waves(spans: list[tuple[date, date, int | str]]) -> None:
    backward = [wave for first, last, wave in spans if last < first]
    ordered = sorted(spans, key=lambda span: span[:2])
    overlapping = [f"{a[2]} and {b[2]}" for a, b in pairwise(ordered) if b[0] <= a[1]]
    problems = [
        Problem(what, where="person_period_usage", found=", ".join(str(wave) for wave in found))
        for what, found in (
            ("waves end before they start", backward),
            ("waves overlap", overlapping),
            ("there are no waves", [] if spans else ["an empty mapping"]),
        )
        if found
    ]
    if problems:
        raise DeclarationError(*problems)


def _attach(connection: DuckDBPyConnection, events: Path | pd.DataFrame) -> str:
    """Make the log readable under a name; return the name."""
    if isinstance(events, pd.DataFrame):
        connection.register("events", events)
    else:
        connection.execute(f"CREATE VIEW events AS FROM {_reader(events)}")
    names = connection.execute("SELECT column_name FROM (DESCRIBE events)").fetchall()
    _refuse_lacking([name for (name,) in names])
    return "events"


def _reader(path: Path) -> str:
    quoted = "'" + str(path).replace("'", "''") + "'"
    if path.suffix == ".parquet":
        return f"read_parquet({quoted})"
    if path.name.endswith((".csv", ".csv.gz")):
        text = "header = true, delim = ',', all_varchar = true, nullstr = ['', 'NA']"
        return f"read_csv({quoted}, {text})"
    raise DeclarationError(
        Problem(
            "unknown kind of file",
            where="person_period_usage",
            found=path.name,
            allowed=".parquet, .csv, .csv.gz",
        )
    )


def _refuse_lacking(names: list[str]) -> None:
    lacking = [name for name in NEEDED if name not in names]
    if lacking:
        raise TableError(
            *(
                Problem(
                    f"the log has no column '{c}'",
                    where="usage events",
                    way_out=did_you_mean(c, names),
                )
                for c in lacking
            )
        )


def _unreadable(error: Exception) -> Problem:
    return Problem(
        "the event log cannot be read as declared",
        where="usage events",
        found=str(error).splitlines()[0].rstrip("."),
        way_out="Check the file against usage_event.schema.json first.",
    )


def _refuse_nobody(usage: pd.DataFrame) -> None:
    nobody = usage[["firm_id", "person_id"]].isna().any(axis=1)
    if nobody.any():
        raise TableError(
            Problem(
                "events have no person or no firm",
                where="usage events",
                found=f"{int(usage['events'][nobody].sum())} events",
            )
        )


def _in_periods(usage: pd.DataFrame, periods: _Periods, *, ledger: Ledger | None) -> pd.DataFrame:
    """The rows whose period is known, named; what lies outside is accounted for."""
    outside = usage["period"].isna()
    dropped = int(usage["events"][outside].sum())
    if ledger is not None:
        ledger.note(
            "usage events",
            read=int(usage["events"].sum()),
            dropped=dropped,
            why="outside every wave",
        )
    elif dropped:
        raise DataError(
            Problem(
                "events lie outside every wave",
                where="usage events",
                found=f"{dropped} events",
                way_out="Pass a ledger to leave them out on record, or correct the waves.",
            )
        )
    inside = usage[~outside].reset_index(drop=True)
    if periods.names:
        named = [periods.names[int(i)] for i in inside["period"]]
        inside["period"] = pd.Series(named, index=inside.index, dtype=None if named else "int64")
    return inside
