"""One row a person and trial, with the columns of discontinuous growth; no row dropped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

_CHANGE = 6
"""The first trial of the changed task."""


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Table `trials`."""
    source = read_table(raw["tank"])
    ledger.start("trials", len(source))
    since = source["TIME"] - _CHANGE
    people = source.drop_duplicates("ID")["CONSC"]
    trials = pd.DataFrame(
        {
            "person": source["ID"].astype(str),
            "trial": source["TIME"],
            "task": (since >= 0).map({True: "changed", False: "practised"}),
            "all": "everybody",
            "score": source["SCORE"],
            "conscientiousness": source["CONSC"],
            "consc_z": (source["CONSC"] - people.mean()) / people.std(),
            "before": since.clip(upper=0),
            "drop": (since >= 0).astype(int),
            "after": since.clip(lower=0),
        }
    )
    return {"trials": trials}
