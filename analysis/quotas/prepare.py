"""From weeks, graded tasks and mandates to one row a person and week, and one row a task.

Nothing here knows that the files are simulated, except for the column `kind`, which no real file
has, and for the prices, which are invented as the log is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table
from alc_stats.measures.prices import priced

FIRST_MONDAY = pd.Timestamp("2026-01-05")

PRICES = pd.DataFrame(
    {
        "model": ["m1", "m1", "m2", "m3"],
        "since": ["2026-01-01", "2026-04-01", "2026-01-01", "2026-03-30"],
        "input": [3.00, 2.50, 10.00, 0.80],
        "output": [15.00, 12.50, 30.00, 4.00],
    }
)
"""INVENTED prices of invented models, money per million tokens, each from a day on."""

WEEKS = [
    "person_id",
    "firm_id",
    "kind",
    "cohort",
    "week",
    "start",
    "announced",
    "quota",
    "mandated",
    "mandate",
    "post",
    "occasion",
    "tokens",
    "log_tokens",
    "tokens_late",
    "prompts",
    "repeat_prompts",
    "repeat_share",
    "accepted",
    "awareness",
    "capability",
    "quality",
    "simulated",
]
TASKS = [
    "task_id",
    "person_id",
    "firm_id",
    "week",
    "mandated",
    "mandate",
    "model_version",
    "difficulty",
    "quality",
    "tokens",
    "tokens_in",
    "tokens_out",
    "kept_tokens",
    "money",
    "simulated",
]


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Make `weeks`, one row a person and week, and `tasks`, one row a graded task."""
    firms = _firms(read_table(raw["mandate"]))
    persons, person_week = (read_table(raw[name]) for name in ("person", "person_week"))
    task = read_table(raw["task"])
    ledger.start("weeks", len(person_week))
    ledger.start("tasks", len(task))
    return {
        "weeks": _weeks(person_week, persons, task, firms),
        "tasks": _tasks(task, firms),
    }


def _firms(mandate: pd.DataFrame) -> pd.DataFrame:
    """Start and notice of each firm in weeks from the first Monday; its quota."""
    dates = mandate[["start_date", "announce_date"]].apply(pd.to_datetime)
    weeks = (dates - FIRST_MONDAY) / pd.Timedelta(weeks=1)
    mandated = mandate["mandate_type"] != "none"
    names = weeks["start_date"].map("week {:.0f}".format).where(mandated, "never")
    return pd.DataFrame(
        {
            "firm_id": mandate["firm_id"],
            "cohort": names,
            "start": weeks["start_date"],
            "announced": weeks["announce_date"],
            "quota": mandate["quota"],
            "mandated": mandated.astype(int),
        }
    )


def _weeks(
    person_week: pd.DataFrame, persons: pd.DataFrame, task: pd.DataFrame, firms: pd.DataFrame
) -> pd.DataFrame:
    keys = ["person_id", "week"]
    graded = task.groupby(keys, as_index=False)["quality"].mean()
    joined = person_week.merge(graded, on=keys, how="left", validate="one_to_one")
    joined = joined.merge(persons[["person_id", "kind"]], on="person_id", validate="many_to_one")
    joined = joined.merge(firms, on="firm_id", validate="many_to_one")
    middle = firms["start"].median()
    # firms without a mandate have no start of their own: theirs is that of the middle one
    since = joined["week"] >= joined["start"].fillna(middle)
    joined = joined.assign(
        post=since.astype(int),
        mandate=since.astype(int) * joined["mandated"],
        occasion=joined["cohort"] + ", " + joined["week"].astype(str),
        log_tokens=np.log(joined["tokens"]),
        repeat_share=joined["repeat_prompts"] / joined["prompts"],
    )
    return joined[WEEKS]


def _tasks(task: pd.DataFrame, firms: pd.DataFrame) -> pd.DataFrame:
    joined = task.merge(firms, on="firm_id", validate="many_to_one")
    joined = joined.assign(
        mandate=(joined["week"] >= joined["start"]).astype(int),
        tokens=joined["tokens_in"] + joined["tokens_out"],
        money=priced(
            joined,
            PRICES,
            model="model_version",
            date="date",
            tokens_in="tokens_in",
            tokens_out="tokens_out",
        ),
    )
    return joined[TASKS]
