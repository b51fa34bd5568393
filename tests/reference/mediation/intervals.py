"""How often intervals of an indirect effect hold the truth, and how often a null chain is found.

    python tests/reference/mediation/intervals.py

writes intervals.json. Tables are those of tests/models/mediations.py, seeds 1 to the number of
replications; `found` is the share of Monte-Carlo intervals that exclude zero.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

import alc_stats as alc
from alc_stats.models.finding import Finding, Line
from models.mediations import averaged, opposed

Table = Callable[[int], pd.DataFrame]


def line(found: Finding, start: str) -> Line | None:
    """The line of the triangulation whose method begins so."""
    return next((x for x in found.triangulation if x.method.startswith(start)), None)


def between(data: pd.DataFrame) -> Finding:
    """Firms treated."""
    return alc.mediation(data, outcome="y", treatment="treated", mediators="m", firm="firm")


CASES: dict[str, tuple[Table, Callable[[pd.DataFrame], Finding], float, int]] = {
    "2-1-1, 40 firms, a 1, b 1 between and -1 within": (opposed, between, 1.0, 200),
    "2-1-1, 12 firms, a 1, b 1 between and -1 within": (
        lambda s: opposed(s, firms=12), between, 1.0, 200),
    "firm means, 16 firms, a 0, b 1": (lambda s: averaged(s, a=0.0, b=1.0), between, 0.0, 1000),
    "firm means, 16 firms, a 1.5, b 0": (lambda s: averaged(s, a=1.5, b=0.0), between, 0.0, 1000),
    "firm means, 16 firms, a 0, b 0": (lambda s: averaged(s, a=0.0, b=0.0), between, 0.0, 1000),
}  # fmt: skip


def measured(table: Table, ask: Callable[[pd.DataFrame], Finding], truth: float, n: int) -> dict:
    """Shares over `n` tables."""
    rows = []
    for seed in range(1, n + 1):
        found = ask(table(seed))
        own = line(found, "Indirect effect, Monte")
        boot = line(found, "Indirect effect, boot")
        naive = line(found, "Indirect effect, levels")
        rows.append([own.value, own.low, own.high,
                     *((boot.low, boot.high) if boot.value is not None else (np.nan, np.nan)),
                     *((naive.low, naive.high) if naive else (np.nan, np.nan))])  # fmt: skip
    value, low, high, b_low, b_high, n_low, n_high = np.array(rows, dtype=float).T
    return {
        "replications": n,
        "truth": truth,
        "mean": float(value.mean()),
        "monte_carlo_covers": float(((low <= truth) & (truth <= high)).mean()),
        "bootstrap_covers": float(((b_low <= truth) & (truth <= b_high)).mean()),
        "found": float(((low > 0) | (high < 0)).mean()),
    } | ({} if np.isnan(n_low).all() else {
        "conflated_covers": float(((n_low <= truth) & (truth <= n_high)).mean())
    })  # fmt: skip


def main() -> None:
    """Write intervals.json."""
    made = {name: measured(*case) for name, case in CASES.items()}
    text = json.dumps(made, indent=1)
    text = json.dumps(json.loads(text, parse_float=lambda x: float(f"{float(x):.4g}")), indent=1)
    (Path(__file__).parent / "intervals.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
