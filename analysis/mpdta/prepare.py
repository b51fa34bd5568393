"""The published panel with readable names; 0 in `first.treat` means never, and becomes empty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

_NAMES = {
    "countyreal": "county",
    "year": "year",
    "lemp": "log_employment",
    "lpop": "log_population",
    "first.treat": "first_treated",
}


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Table `counties`, one row a county and year; nothing is dropped."""
    source = read_table(raw["mpdta"])
    ledger.start("counties", len(source))
    counties = source.rename(columns=_NAMES)[[*_NAMES.values()]]
    counties["county"] = counties["county"].astype(int)
    counties["first_treated"] = counties["first_treated"].where(counties["first_treated"] > 0)
    return {"counties": counties.reset_index(drop=True)}
