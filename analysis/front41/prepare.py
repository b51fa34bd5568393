"""One published table, with logs of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Table `firms`, one row a firm; nobody is dropped."""
    firms = read_table(raw["firms"])
    ledger.start("firms", len(firms))
    logs = {f"log_{c}": np.log(firms[c]) for c in ("output", "capital", "labour")}
    return {"firms": firms.assign(firm=firms["firm"].astype(str), **logs)}
