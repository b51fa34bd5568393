"""From the published file to one row a student and session, and to two stacked outcomes.

Survey answers were typed by hand in places ("A litttle", "Very Poorly", "-"): they are matched
without regard to case, and what is no answer of the scale is missing, counted in the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

ARMS = {"control": "control", "vanilla": "GPT Base", "augmented": "GPT Tutor"}
PERFORMANCE = {
    "very poorly": 0,
    "below average": 1,
    "average": 2,
    "above average": 3,
    "excellent": 4,
}
PERSON = [
    "student",
    "class",
    "year",
    "session",
    "grader",
    "teacher",
    "arm",
    "base",
    "tutor",
    "gpa_prev",
]


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Tables `sessions` (a row a student and session), `outcomes` (two), `problems` (four)."""
    source = read_table(raw["sessions"])
    ledger.start("sessions", len(source))
    kept = ledger.keep(
        "sessions", source, source["Honors"] == 0, why="honours classes, left out by the authors"
    )
    sessions = _sessions(kept.reset_index(drop=True))
    return {
        "sessions": sessions,
        "outcomes": _stacked(sessions, ledger),
        "problems": _problems(read_table(raw["problems"]), ledger),
    }


def _problems(source: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """One row a student and exam problem, of what the session-level model could use as well."""
    ledger.start("problems", len(source))
    kept = ledger.keep(
        "problems", source, source["Honors"] == 0, why="honours classes, left out by the authors"
    )
    complete = kept["gpa_prev"].notna() & kept["Grader"].notna()
    kept = ledger.keep("problems", kept, complete, why="no previous grade or no grader")
    return pd.DataFrame(
        {
            "student": kept["Student ID"].astype(str),
            "class": kept["Class"],
            "year": kept["Year"].astype(str),
            "session": kept["Session"].astype(str),
            "grader": kept["Grader"],
            "teacher": kept["teacher"],
            "arm": kept["Treatment arm"].map(ARMS),
            "gpa_prev": kept["gpa_prev"],
            "problem": kept["Problem"],
            "score": kept["Score"],
        }
    ).reset_index(drop=True)


def _sessions(source: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "student": source["Student ID"].astype(str),
            "class": source["Class"],
            "year": source["Year"].astype(str),
            "session": source["Session"].astype(str),
            "grader": source["Grader"],
            "teacher": source["teacher"],
            "arm": source["Treatment arm"].map(ARMS),
            "base": source["GPTBase"],
            "tutor": source["GPTTutor"],
            "gpa_prev": source["gpa_prev"],
            "practice": source["Part2Tot"],
            "exam": source["Part3Tot"],
            "perceived": source["Survey Q2"].str.strip().str.lower().map(PERFORMANCE),
        }
    )
    return table.assign(
        exam_sd=_in_control_sds(table, "exam"), perceived_sd=_in_control_sds(table, "perceived")
    )


def _in_control_sds(table: pd.DataFrame, column: str) -> pd.Series:
    """Standardised by the control arm alone: a pooled SD would be moved by the treatment."""
    control = table.loc[table["arm"] == "control", column]
    return (table[column] - control.mean()) / control.std()


def _stacked(sessions: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Exam rows above perception rows, of the sessions that have both."""
    both = ledger.keep(
        "outcomes",
        sessions,
        sessions["perceived_sd"].notna(),
        why="no usable answer on perceived performance",
    )
    parts = [
        both[PERSON].assign(outcome=name, value=both[f"{name}_sd"])
        for name in ("exam", "perceived")
    ]
    return pd.concat(parts, ignore_index=True)
