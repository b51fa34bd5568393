"""From the two published traces to one row a request, in blocks of five minutes.

Nobody is named in the traces, so that requests of one person cannot be told to belong together.
What is taken as independent are blocks of time. Time stamps have seven decimals and no zone: they
are a clock's, not moments, and only their order within the log is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

MINUTES = 5
CAPS = {"cap_context_code": 7435, "cap_generated_conv": 1000, "cap_context_conv": 4096}


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Table `requests`, both traces one below the other; nothing is dropped."""
    requests = pd.concat([_trace(raw[name], name) for name in ("code", "conv")], ignore_index=True)
    ledger.start("requests", len(requests))
    return {"requests": requests}


def _trace(path: Path, name: str) -> pd.DataFrame:
    source = read_table(path)
    return pd.DataFrame(
        {
            "request": [f"{name}-{i + 1:05d}" for i in range(len(source))],
            "trace": name,
            "block": name + " " + _blocks(source["TIMESTAMP"]),
            "is_code": int(name == "code"),
            "is_conv": int(name == "conv"),
            "context_tokens": source["ContextTokens"],
            "generated_tokens": source["GeneratedTokens"],
            **CAPS,
        }
    )


def _blocks(stamps: pd.Series) -> pd.Series:
    """The clock's hour and the first minute of each block, such as "18:15"."""
    minute = stamps.str.slice(14, 16).astype(int) // MINUTES * MINUTES
    return stamps.str.slice(11, 14) + minute.astype(str).str.zfill(2)
