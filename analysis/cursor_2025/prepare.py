"""From the published panel to one row a repository and month.

`event`, the month of adoption, says who is treated and when: `post_event` and `cursor` go back to
0 in some repositories, and `is_treatment` varies over time. Months are numbered 1 to 20, since
202412 and 202501 are 89 apart. Names of repositories name their owners and become numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

FIRST, LAST = "2024-08", "2025-03"
"""Months of adoption that the paper follows."""
LOGGED = ("age", "contributors", "stars", "issues")
"""Covariates of each month; the origin takes logs of all but the lines of code."""


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Table `months`, one row a repository and month."""
    source = read_table(raw["panel"])
    ledger.start("months", len(source))
    event = source["event"].astype("string")
    followed = event.fillna(FIRST).between(FIRST, LAST)
    cohorts = ledger.keep("months", source, followed, why="adopted before August "
                          "2024 or after March 2025")  # fmt: skip
    twice = cohorts.duplicated(["repo_name", "time"])
    panel = ledger.keep("months", cohorts, ~twice, why="the same repository-month in both arms")
    return {"months": _months(panel.sort_values(["repo_name", "time"]).reset_index(drop=True))}


def _months(panel: pd.DataFrame) -> pd.DataFrame:
    """Logs of counts plus one, as published; and whether there are any, and how many if so."""
    warnings = panel[["bugs", "vulnerabilities", "code_smells"]].sum(axis=1, skipna=False)
    lines, active = panel["lines_added"], panel["commits"] > 0
    log_warnings, log_complexity = np.log1p(warnings), np.log1p(panel["cognitive_complexity"])
    return pd.DataFrame(
        {
            "repository": pd.factorize(panel["repo_name"])[0] + 1,
            "month": _number(panel["time"]),
            "start": _number(panel["event"]),
            "log_lines": np.log1p(lines),
            "any_lines": (lines > 0).astype(int),
            "log_lines_if_any": np.log(lines.where(lines > 0)),
            "log_commits": np.log1p(panel["commits"]),
            "log_warnings": log_warnings,
            "log_complexity": log_complexity,
            "log_warnings_if_active": log_warnings.where(active),
            "log_complexity_if_active": log_complexity.where(active),
            "log_size": np.log1p(panel["ncloc"]),
            "ncloc": panel["ncloc"],
            **{f"log_{name}": np.log1p(panel[name]) for name in LOGGED},
        }
    )


def _number(month: pd.Series) -> pd.Series:
    """1 for 2024-01; missing stays missing."""
    date = pd.to_datetime(month.astype("string"), format="%Y-%m")
    return 12 * (date.dt.year - 2024) + date.dt.month
