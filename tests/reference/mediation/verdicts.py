"""How often H14 of the simulated studies comes out how, over studies of the same truth.

    python tests/reference/mediation/verdicts.py

writes verdicts.json. The question and its sizes are those of analysis/reference/study.toml; only
the seed of the simulation differs.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from alc_stats.inference import Criterion
from alc_stats.models.finding import Claim
from alc_stats.models.mediation.claim import judge
from alc_stats.simulate import read_truth
from alc_stats.simulate.population import populate
from alc_stats.simulate.recovery import implied
from alc_stats.simulate.survey import survey
from alc_stats.study import read_study

ANALYSIS = Path(__file__).parents[3] / "analysis"
SEEDS = range(1, 41)


def outcomes(study: str) -> dict[str, object]:
    """Counts of verdicts, and what the intervals hold."""
    truth = read_truth(ANALYSIS / study / "truth.toml")
    chain = implied(truth)["compliance.indirect"]
    (declared,) = [h for h in read_study(ANALYSIS / study).hypotheses if h.id == "H14"]
    verdicts: Counter[str] = Counter()
    rows = []
    for seed in SEEDS:
        table = survey(truth, populate(truth.design, seed=seed), seed=seed)
        table["folk"] = table.filter(regex=r"^folk_\d$").mean(axis=1)
        table["post"] = (table["wave"] > 0).astype(int)
        found = judge(table, declared.mediation, Claim("H14", "mediation", ""),
                      Criterion("conjunction", float("nan")))  # fmt: skip
        verdicts[found.decision.verdict] += 1
        own = found.triangulation[0]
        rows.append([own.value, own.low, own.high])
    value, low, high = np.array(rows, dtype=float).T
    return {
        "studies": len(rows),
        "truth": chain,
        "mean": round(float(value.mean()), 3),
        "covers": float(((low <= chain) & (chain <= high)).mean()),
        "excludes_zero": float(((low > 0) | (high < 0)).mean()),
        "verdicts": dict(sorted(verdicts.items())),
    }


if __name__ == "__main__":
    made = {study: outcomes(study) for study in ("reference", "reference_mirror")}
    path = Path(__file__).parent / "verdicts.json"
    path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
