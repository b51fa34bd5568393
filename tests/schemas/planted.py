"""Twelve different mistakes planted in a usage log, each in a row of its own."""

from __future__ import annotations

from pathlib import Path

from schemas.examples import Row, as_csv, events

EXPECTED = {
    ("unknownColumn", None, "task_famly", "'task_famly'"),
    ("missingColumn", None, "task_family", "no such column"),
    ("raggedRow", 20, "", "3 cells"),
    ("type", 2, "tokens_in", "'x'"),
    ("type", 3, "timestamp", "'2026-03-02T14:00:00'"),
    ("required", 4, "session_id", "an empty cell"),
    ("minimum", 5, "tokens_out", "'-5'"),
    ("maximum", 9, "quality", "'164'"),
    ("categories", 7, "novelty", "'familar'"),
    ("pattern", 8, "event_id", "'e 7'"),
    ("primaryKey", 10, "event_id", "'e5' (row 6 has 'e5')"),
    ("novelty_before_outcome", 12, "timestamp, novelty_coded_at",
     "timestamp '2026-03-03T17:00:00Z', novelty_coded_at '2026-03-04T09:00:00Z'"),
}  # fmt: skip
"""Rule, row, column, value found."""


def planted_events() -> list[Row]:
    """Nineteen events, eleven of the twelve mistakes among them."""
    rows = events(19)
    rows[1]["tokens_in"] = "x"
    rows[2]["timestamp"] = "2026-03-02T14:00:00"
    rows[3]["session_id"] = ""
    rows[4]["tokens_out"] = "-5"
    rows[6]["novelty"] = "familar"
    rows[7]["event_id"] = "e 7"
    rows[8]["quality"] = "164"
    rows[9]["event_id"] = "e5"
    rows[11]["novelty_coded_at"] = "2026-03-04T09:00:00Z"
    return [{n.replace("task_family", "task_famly"): v for n, v in row.items()} for row in rows]


def write_planted(path: Path) -> Path:
    """Write the log; its last row, the twentieth, has three cells."""
    path.write_text(as_csv(planted_events()) + "e19,p1,f1\n", encoding="utf-8", newline="")
    return path
