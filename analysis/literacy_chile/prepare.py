"""From the published file to one row a student, in all and by university.

Level A of the frequency of use is the most frequent one. Eleven rows say no to the question for
consent; they are in the published file and are left out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

USE = {
    "E": "under twice a month",
    "D": "2-3 times a month",
    "C": "4-5 times a month",
    "B": "nearly daily",
    "A": "daily",
}
"""By the letter each answer begins with, from the rarest use to the most frequent."""


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Tables `students`, and `students_a`, `students_b`, `students_c` of each university."""
    source = read_table(raw["answers"])
    ledger.start("students", len(source))
    agreed = source["consentimiento"] == "SI"
    consented = ledger.keep("students", source, agreed, why="no consent")
    students = _students(consented.reset_index(drop=True))
    by = {f"students_{u.lower()}": students[students["university"] == u] for u in "ABC"}
    return {"students": students} | {k: t.reset_index(drop=True) for k, t in by.items()}


def _students(source: pd.DataFrame) -> pd.DataFrame:
    """Items as answered; use as an order, as steps to the next level, and by university."""
    letter = source["frecuencia_uso_ChatGPT"].str[0]
    rank = letter.map(list(USE).index).astype(int)
    university = source["universidad"].str[-1]
    steps = {f"step_{k}": (rank >= k).astype(int) for k in range(1, len(USE))}
    slopes = {f"use_in_{u.lower()}": rank.where(university == u, 0) for u in "ABC"}
    items = {name.lower(): source[name] for name in source.columns if _is_item(name)}
    return pd.DataFrame(
        {
            "student": [f"s{k:03d}" for k in range(1, len(source) + 1)],
            "university": university,
            "use": letter.map(USE),
            "use_rank": rank,
            **steps,
            **slopes,
            **items,
        }
    )


def _is_item(name: str) -> bool:
    return name[:2] in ("CT", "EC", "CC", "AC", "HE") and name[2:].isdigit()
