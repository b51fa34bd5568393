"""Summing an event log of any size up by person and period, through DuckDB."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.errors import (
    DataError,
    DeclarationError,
    Problem,
    TableError,
    did_you_mean,
    raise_all,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Calendar = Literal["week", "month"]
Waves = Mapping[int, tuple[date, date]] | Mapping[str, tuple[date, date]]


@dataclass(frozen=True, slots=True)
class Periods:
    """How SQL finds an event's period, with which values, and what its numbers are called.

    `first_day` and `last_day` are the same for the period's ends, and take the same values.
    """

    sql: str
    first_day: str
    last_day: str
    values: tuple[date, ...] = ()
    names: tuple[int | str, ...] = ()


def summed_up(
    events: Path | pd.DataFrame, query: str, values: Sequence[object], needed: Sequence[str]
) -> pd.DataFrame:
    """What `query` makes of the log, which it calls `events`; by firm and person.

    Raises
    ------
    DeclarationError
        If the file is of another kind.
    TableError
        If the log lacks a column, cannot be read as declared or has events without a person.
    """
    import duckdb

    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        connection.execute("SET temp_directory = $folder", {"folder": spill})
        try:
            _attach(connection, events, needed)
            usage = connection.execute(query, list(values)).df()
        except duckdb.Error as error:
            raise TableError(_unreadable(error)) from error
    _refuse_nobody(usage)
    return usage


def columns_of(events: Path | pd.DataFrame) -> list[str]:
    """The log's columns."""
    import duckdb

    if isinstance(events, pd.DataFrame):
        return [str(name) for name in events.columns]
    with duckdb.connect() as connection:
        try:
            found = connection.execute(f"DESCRIBE FROM {_reader(events)}").fetchall()
        except duckdb.Error as error:
            raise TableError(_unreadable(error)) from error
    return [name for name, *_ in found]


def periods_of(period: Calendar | Waves, where: str) -> Periods:
    """Weeks, months or waves.

    Raises
    ------
    DeclarationError
        For an unknown period, or waves that overlap or end before they start.
    """
    return _calendar(period, where) if isinstance(period, str) else _waves(period, where)


def _calendar(period: str, where: str) -> Periods:
    if period not in ("week", "month"):
        raise DeclarationError(
            Problem(
                f"unknown period '{period}'",
                where=where,
                allowed="week, month, or waves with their first and last day",
                way_out=did_you_mean(period, ["week", "month"]),
            )
        )
    first = f"date_trunc('{period}', moment)::DATE"
    return Periods(first, first, _LAST_DAY[period])


def _waves(waves: Waves, where: str) -> Periods:
    _refuse_no_waves(waves, where)
    spans = [(first, last, wave) for wave, (first, last) in waves.items()]
    _refuse_impossible_waves(spans, where)
    days = tuple(day for first, last, _ in spans for day in (first, last))
    waves_of, first, last = (
        _case([made.format(i, 2 * i + 1, 2 * i + 2) for i in range(len(spans))])
        for made in ("{0}", "?{1}::DATE", "?{2}::DATE")
    )
    return Periods(waves_of, first, last, days, tuple(wave for _, _, wave in spans))


def _refuse_no_waves(waves: object, where: str) -> None:
    if isinstance(waves, Mapping) and all(map(_two_days, waves.values())):
        return
    raise DeclarationError(
        Problem(
            "the period is neither a name nor waves with two days each",
            where=where,
            found=repr(waves)[:60],
            allowed="week, month, or {wave: (first day, last day)}",
            way_out="Days are datetime.date(2026, 1, 31), or pandas.Timestamp.",
        )
    )


def _two_days(span: object) -> bool:
    return isinstance(span, Sequence) and len(span) == 2 and all(isinstance(d, date) for d in span)


def _case(then: Sequence[str]) -> str:
    """What holds where a moment lies in the first, second, ... wave."""
    when = [f"WHEN moment::DATE BETWEEN ?{2 * i + 1} AND ?{2 * i + 2} THEN {x}"
            for i, x in enumerate(then)]  # fmt: skip
    return f"CASE {' '.join(when)} END"


_LAST_DAY = {
    "week": "date_trunc('week', moment)::DATE + 6",
    "month": "last_day(moment::DATE)",
}


def _refuse_impossible_waves(spans: list[tuple[date, date, int | str]], where: str) -> None:
    backward = [wave for first, last, wave in spans if last < first]
    ordered = sorted(spans, key=lambda span: span[:2])
    overlapping = [f"{a[2]} and {b[2]}" for a, b in pairwise(ordered) if b[0] <= a[1]]
    problems = [
        Problem(what, where=where, found=", ".join(str(wave) for wave in found))
        for what, found in (
            ("waves end before they start", backward),
            ("waves overlap", overlapping),
            ("there are no waves", [] if spans else ["an empty mapping"]),
        )
        if found
    ]
    if problems:
        raise DeclarationError(*problems)


def _attach(
    connection: DuckDBPyConnection, events: Path | pd.DataFrame, needed: Sequence[str]
) -> None:
    """Make the log readable as `events`."""
    if isinstance(events, pd.DataFrame):
        connection.register("events", events)
    else:
        connection.execute(f"CREATE VIEW events AS FROM {_reader(events)}")
    names = connection.execute("SELECT column_name FROM (DESCRIBE events)").fetchall()
    _refuse_lacking([name for (name,) in names], needed)


def _reader(path: Path | str) -> str:
    path = Path(str(path))
    quoted = "'" + str(path).replace("'", "''") + "'"
    if path.suffix == ".parquet":
        return f"read_parquet({quoted})"
    if path.name.endswith((".csv", ".csv.gz")):
        text = "header = true, delim = ',', all_varchar = true, nullstr = ['', 'NA']"
        return f"read_csv({quoted}, {text})"
    raise DeclarationError(
        Problem(
            "unknown kind of file",
            where="event log",
            found=path.name,
            allowed=".parquet, .csv, .csv.gz",
        )
    )


def _refuse_lacking(names: list[str], needed: Sequence[str]) -> None:
    lacking = [name for name in needed if name not in names]
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


WRONG_TOKENS = """
    count(*) FILTER (least(tokens_in::BIGINT, tokens_out::BIGINT) < 0) AS below_zero,
    count(*) FILTER (tokens_in IS NULL OR tokens_out IS NULL) AS not_logged,"""
"""Columns of a query for events whose tokens a sum would hide."""
_OF_TOKENS = {
    "below_zero": (
        "events have tokens below zero",
        "Errors of the log are corrected, refunds left out, where it is recorded.",
    ),
    "not_logged": (
        "events have no tokens, in or out",
        "Write 0 where none were used; leave out the others, where it is recorded.",
    ),
}


def without_wrong_tokens(usage: pd.DataFrame) -> pd.DataFrame:
    """The sums, if no event behind them has negative or missing tokens.

    Raises
    ------
    TableError
        With the number of these.
    """
    wrong = {name: int(usage[name].sum()) for name in _OF_TOKENS}
    raise_all(TableError, (
        Problem(what, where="usage events, columns 'tokens_in', 'tokens_out'",
                found=f"{wrong[name]} events", allowed="0 and more", way_out=way_out)
        for name, (what, way_out) in _OF_TOKENS.items() if wrong[name]
    ))  # fmt: skip
    return usage.drop(columns=list(wrong))


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


def in_periods(usage: pd.DataFrame, periods: Periods, *, ledger: Ledger | None) -> pd.DataFrame:
    """The rows whose period is known, named; what lies outside is accounted for.

    Raises
    ------
    DataError
        If events lie outside every wave and no ledger is given.
    """
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
