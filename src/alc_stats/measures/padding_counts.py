"""From an event log to counts of what could be padding, by person and period, in one pass."""

from __future__ import annotations

import zoneinfo
from pathlib import Path

import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError
from alc_stats.measures.event_log import (
    WRONG_TOKENS,
    Calendar,
    Waves,
    columns_of,
    in_periods,
    periods_of,
    summed_up,
    without_wrong_tokens,
)

NEEDED = ("person_id", "firm_id", "timestamp", "tokens_in", "tokens_out")
END_DAYS = 3
"""Last days of a period that are its end: from Friday on, or the last three of a month."""
FIRST_HOUR, LAST_HOUR = 8, 19
"""Working hours, Monday to Friday."""
LONGEST_HASH = 128
"""Characters of SHA-512 in hexadecimal; what is longer, or has a space, is text."""

_COUNT = """
SELECT
    firm_id::VARCHAR AS firm_id,
    person_id::VARCHAR AS person_id,
    {period} AS period,
    min({first_day}) AS first_day,
    max({last_day}) AS last_day,
    count(*) AS events,{wrong_tokens}
    sum(tokens)::BIGINT AS tokens,
    coalesce(sum(tokens) FILTER (moment::DATE > {last_day} - {end_days}), 0)::BIGINT AS tokens_late,
    count(*) AS prompts,
    count(*) - count(DISTINCT date_trunc('minute', moment)) AS burst_prompts,
    count(*) FILTER (hour(moment) < {first} OR hour(moment) >= {last} OR isodow(moment) > 5)
        AS after_hours_prompts{more}
FROM (
    SELECT *, (timestamp::TIMESTAMPTZ AT TIME ZONE '{zone}')::TIMESTAMP AS moment,
        tokens_in::BIGINT + tokens_out::BIGINT AS tokens
    FROM events
)
GROUP BY ALL
ORDER BY ALL
"""
_HASHED = """,
    count(*) - count(prompt_hash) AS unhashed,
    count(prompt_hash) - count(DISTINCT prompt_hash) AS repeat_prompts,
    count(*) FILTER (length(prompt_hash::VARCHAR) > {longest}
        OR regexp_matches(prompt_hash::VARCHAR, '\\s')) AS texts"""
_ACCEPTED = """,
    count(*) FILTER (accepted::BOOLEAN) AS accepted"""


def padding_counts(
    events: Path | pd.DataFrame, *, period: Calendar | Waves, zone: str = "UTC"
) -> pd.DataFrame:
    """One row a firm, person and period with events: counts, and the period's first and last day.

    Columns `tokens`, `tokens_late` (of the period's last three days), `prompts`, `burst_prompts`
    (beyond the first in a minute), `after_hours_prompts`; `repeat_prompts` (beyond the first of a
    hash in the period) and `unhashed` where the log has `prompt_hash`, and `accepted` where it has
    that.

    Raises
    ------
    DeclarationError, TableError, DataError
        As `alc_stats.measures.padding.padding`.
    """
    if zone not in zoneinfo.available_timezones():
        raise DeclarationError(
            Problem("the time zone is not known", where="padding, zone", found=zone,
                    allowed="a name such as Europe/Berlin")
        )  # fmt: skip
    periods, there = periods_of(period, "padding"), columns_of(events)
    hashed = _HASHED.format(longest=LONGEST_HASH) if "prompt_hash" in there else ""
    accepted = _ACCEPTED if "accepted" in there else ""
    query = _COUNT.format(
        period=periods.sql, first_day=periods.first_day, last_day=periods.last_day,
        end_days=END_DAYS, first=FIRST_HOUR, last=LAST_HOUR, zone=zone, more=hashed + accepted,
        wrong_tokens=WRONG_TOKENS,
    )  # fmt: skip
    counts = summed_up(events, query, periods.values, NEEDED)
    _refuse_texts(counts)
    return in_periods(without_wrong_tokens(counts), periods, ledger=None).drop(
        columns="texts", errors="ignore"
    )


def _refuse_texts(counts: pd.DataFrame) -> None:
    if "texts" in counts and (texts := int(counts["texts"].sum())):
        raise TableError(
            Problem("prompts are text, where only hashes may be", where="column 'prompt_hash'",
                    found=f"{texts} events",
                    allowed=f"up to {LONGEST_HASH} characters without a space",
                    way_out="Hash prompts where they are recorded: what people wrote stays there.")
        )  # fmt: skip
