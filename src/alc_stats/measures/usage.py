"""Usage of AI tools by person and period, from an event log of any size."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.measures.event_log import (
    WRONG_TOKENS,
    Calendar,
    Waves,
    in_periods,
    periods_of,
    summed_up,
    without_wrong_tokens,
)

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
    count(*) AS events,{wrong_tokens}
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
    FROM events
)
GROUP BY ALL
ORDER BY ALL
"""
# Grades are summed as decimals: an exact sum is the same in whatever order the threads add.


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
        If the log lacks a column, cannot be read as declared, has events without a person, or
        with negative or missing tokens.
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
    periods = periods_of(period, "person_period_usage")
    query = _AGGREGATE.format(period=periods.sql, wrong_tokens=WRONG_TOKENS)
    usage = summed_up(events, query, periods.values, NEEDED)
    return in_periods(without_wrong_tokens(usage), periods, ledger=ledger)
