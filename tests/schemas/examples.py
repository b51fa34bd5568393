"""Small tables that satisfy the package's schemas, as texts; tests spoil copies of them."""

from __future__ import annotations

import csv
import datetime
import io
from pathlib import Path

Row = dict[str, str]
LEVELS = ("familiar", "near", "far")


def mandates() -> list[Row]:
    """Three firms: no mandate, a token mandate, a prompt mandate."""
    columns = ("firm_id", "mandate_type", "quota", "quota_unit", "quota_period", "announce_date",
               "start_date", "enforcement", "simulated")  # fmt: skip
    values = (
        ("f1", "none", "", "", "", "", "", "none", "true"),
        ("f2", "token", "500000", "token", "week", "2026-01-12", "2026-02-02", "reviewed", "true"),
        ("f3", "prompt", "40", "prompt", "day", "2026-02-02", "2026-02-02", "NA", "true"),
    )
    return [dict(zip(columns, row, strict=True)) for row in values]


def survey(people: int = 4, waves: int = 3) -> list[Row]:
    """Every person in every wave; person i works for firm i mod 3."""
    return [_answers(person, wave) for person in range(people) for wave in range(waves)]


def _answers(person: int, wave: int) -> Row:
    firm = f"f{person % 3 + 1}"
    date = datetime.date(2026, 1, 5 + person) + datetime.timedelta(weeks=8 * wave)
    return {
        "person_id": f"p{person}",
        "firm_id": firm,
        "team_id": f"{firm}-t1",
        "role": "analyst",
        "access_level": "full",
        "arm": ("control", "mandate", "schema_training")[person % 3],
        "wave": str(wave),
        "date": date.isoformat(),
        "belief_date": (date - datetime.timedelta(days=7)).isoformat(),
        "audit_date": "",
        "prior_ai": str(person % 5),
        **{f"aware_{i}": str((person + wave + i) % 7 + 1) for i in range(1, 7)},
        **{f"topology_{i}": str((person + i) % 2) for i in range(1, 5)},
        **{f"topography_{i}": "-99" if i == person else "1" for i in range(1, 5)},
        **{f"folk_{i}": str((person + i) % 7 + 1) for i in range(1, 5)},
        "compliance": "62.5",
        "schema_accuracy": f"{0.25 * person:.2f}",
        "self_estimate": str(60 + person),
        "capability_familiar": "71.5",
        "capability_near": "NA",
        "capability_far": "33",
        "simulated": "true",
    }


def events(n: int = 12) -> list[Row]:
    """Events of the people of `survey`, three hours apart; every fourth one is graded."""
    return [_event(i) for i in range(n)]


def _event(i: int) -> Row:
    person, task = i % 4, i % 6
    moment = datetime.datetime(2026, 3, 2, 8) + datetime.timedelta(hours=3 * i)
    return {
        "event_id": f"e{i}",
        "person_id": f"p{person}",
        "firm_id": f"f{person % 3 + 1}",
        "timestamp": f"{moment.isoformat()}Z",
        "tool": "assistant",
        "model_version": "m-2026-01",
        "task_id": f"t{task}",
        "task_family": "summarise" if task % 2 else "translate",
        "novelty": LEVELS[task % 3],
        "novelty_coded_at": "2026-03-01T09:00:00+01:00",
        "tokens_in": str(100 + i),
        "tokens_out": str(300 + i),
        "session_id": f"s{person}-{i // 8}",
        "quality": "64.5" if i % 4 == 0 else "",
        "simulated": "true",
    }


def platform_events() -> list[Row]:
    """Two changes of model."""
    columns = ("event_id", "event_date", "tool", "from_model", "to_model", "simulated")
    values = (
        ("x1", "2026-03-16", "assistant", "m-2026-01", "m-2026-03", "true"),
        ("x2", "2026-04-20", "assistant", "m-2026-03", "m-2026-04", "true"),
    )
    return [dict(zip(columns, row, strict=True)) for row in values]


TABLES = {
    "survey": survey,
    "usage_event": events,
    "mandate": mandates,
    "platform_event": platform_events,
}


def as_csv(rows: list[Row]) -> str:
    """The rows as a csv file's text, quoted where needed, "\\n" after every row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write(rows: list[Row], path: Path) -> Path:
    """Write the rows to a csv file; return its path."""
    path.write_text(as_csv(rows), encoding="utf-8", newline="")
    return path
