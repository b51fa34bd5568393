"""From the published file to one row an issue, and to the stacked table of forecast and fact.

`ai_treatment` is 1 where AI was allowed. The origin's data dictionary says the reverse, but its
own code and result (rows coded 1 took longer, and the paper reports a slowdown) do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Tables `issues` (one row an issue) and `belief_and_fact` (two rows an issue)."""
    source = read_table(raw["issues"])
    ledger.start("issues", len(source))
    issues = _issues(source)
    return {"issues": issues, "belief_and_fact": _stacked(issues)}


def _issues(source: pd.DataFrame) -> pd.DataFrame:
    """Time is implementation plus review; missing reviews get their arm's mean, as published."""
    arm_mean = source.groupby("ai_treatment")["post_review_implementation_time"].transform("mean")
    review = source["post_review_implementation_time"].fillna(arm_mean)
    total = source["initial_implementation_time"] + review
    without, with_ai = source["predicted_time_no_ai"], source["predicted_time_ai_allowed"]
    return pd.DataFrame(
        {
            "issue": source["issue_id"].astype(str),
            "developer": source["dev_id"].astype(str),
            "arm": np.where(source["ai_treatment"] == 1, "AI allowed", "AI not allowed"),
            "ai": source["ai_treatment"].astype(int),
            "review_imputed": source["post_review_implementation_time"].isna(),
            "total_minutes": total,
            "forecast_without_ai_minutes": without,
            "forecast_with_ai_minutes": with_ai,
            "forecast_applied_minutes": with_ai.where(source["ai_treatment"] == 1, without),
            "log_total": np.log(total),
            "log_forecast": np.log(without),
            "forecast_log_ratio": np.log(with_ai / without),
        }
    )


def _stacked(issues: pd.DataFrame) -> pd.DataFrame:
    """Rows of the forecast equation above rows of the fact equation, each with its own columns."""
    belief = issues.assign(
        equation="belief", outcome=issues["forecast_log_ratio"], belief=1, fact=0
    )
    fact = issues.assign(equation="fact", outcome=issues["log_total"], belief=0, fact=1)
    stacked = pd.concat([belief, fact], ignore_index=True)
    stacked["fact_ai"] = stacked["fact"] * stacked["ai"]
    stacked["fact_log_forecast"] = stacked["fact"] * stacked["log_forecast"]
    return stacked[
        [
            "issue",
            "equation",
            "developer",
            "outcome",
            "belief",
            "fact",
            "fact_ai",
            "fact_log_forecast",
        ]
    ]
