"""Four classic tables: readable names, 0/1 columns, sector joined to students, no row dropped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

_MIDDLE_AGE = 11
"""Age in years at which growth lines are compared: the middle of 8, 10, 12 and 14."""


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Tables `depression`, `mood`, `students` and `jaws`, one row an observation."""
    source = {name: read_table(path) for name, path in raw.items()}
    made = {
        "depression": _depression(source["riesby"]),
        "mood": _mood(source["posmood"]),
        "students": _students(source["students"], source["schools"]),
        "jaws": _jaws(source["jaws"]),
    }
    for name, table in made.items():
        ledger.start(name, len(table))
    return made


def _depression(source: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient": source["id"].astype(str),
            "week": source["week"],
            "endogenous": source["endog"],
            "depression": source["hamdep"],
        }
    )


def _mood(source: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person": source["id"].astype(str),
            "alone": source["alone"],
            "female": source["genderf"],
            "mood": source["posmood"],
        }
    )


def _students(source: pd.DataFrame, schools: pd.DataFrame) -> pd.DataFrame:
    """SES is centred at the school mean that the file states, which is rounded."""
    joined = source.merge(schools[["School", "Sector"]], on="School", validate="many_to_one")
    return pd.DataFrame(
        {
            "school": joined["School"].astype(str),
            "mathematics": joined["MathAch"],
            "ses": joined["SES"],
            "ses_centred": joined["SES"] - joined["MEANSES"],
            "female": (joined["Sex"] == "Female").astype(int),
            "catholic": (joined["Sector"] == "Catholic").astype(int),
        }
    )


def _jaws(source: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "child": source["Subject"].astype(str),
            "years": source["age"] - _MIDDLE_AGE,
            "female": (source["Sex"] == "Female").astype(int),
            "distance": source["distance"],
        }
    )
