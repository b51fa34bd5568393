"""Two published tables with readable names: power motive (motcon) and intimacy motive (motcon2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger

_POWER = {"postVA": "valence_after", "ePow": "explicit_power", "iPow": "implicit_power"}
_INTIMACY = {"VA": "valence", "EM": "explicit_intimacy", "IM": "implicit_intimacy"}


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Tables `motives` and `intimacy`, one row a person; nobody is dropped."""
    made = {
        "motives": _named(raw["motcon"], _POWER),
        "intimacy": _named(raw["motcon2"], _INTIMACY),
    }
    for name, table in made.items():
        ledger.start(name, len(table))
    return made


def _named(path: Path, names: Mapping[str, str]) -> pd.DataFrame:
    """Space-separated and quoted; motcon.tab has row names, which its header does not name."""
    source = pd.read_csv(path, sep=" ")
    return source.rename(columns=dict(names))[[*names.values()]].reset_index(drop=True)
