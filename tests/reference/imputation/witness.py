"""Imputation estimates of diff-diff and points of pyfixest's did2s on a simulated panel with gaps.

    pip install diff-diff pyfixest
    python witness.py

writes panel.csv (simulated here) and witness.json (their numbers and versions).
"""

import json
import platform
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest
from diff_diff import ImputationDiD

HERE = Path(__file__).parent
warnings.simplefilter("ignore")


def panel():
    """45 firms, 9 periods; starts in 4, 6, 7 or never; a fifth missing; one firm comes late."""
    rng = np.random.default_rng(20261127)
    rows = pd.MultiIndex.from_product([range(45), range(1, 10)], names=["firm", "time"])
    table = rows.to_frame(index=False)
    table["start"] = table["firm"].map(lambda f: {0: 4, 1: 6, 2: 7}.get(f % 5, 0))
    table["x"] = rng.normal(size=len(table)) + 0.2 * table["time"]
    since = np.where(table["start"] > 0, table["time"] - table["start"], -1)
    table["y"] = (
        rng.normal(size=45)[table["firm"]]
        + 0.3 * table["time"]
        + 0.5 * table["x"]
        + (since >= 0) * (1.0 + 0.4 * since + 0.1 * table["firm"] / 45)
        + rng.normal(size=len(table))
    )
    late = (table["firm"] == 0) & (table["time"] < 4)
    kept = table.loc[(rng.random(len(table)) > 0.2) & ~late]
    return kept.round(6).reset_index(drop=True)


def imputation(data, covariates, leave_one_out):
    fitted = ImputationDiD(leave_one_out=leave_one_out, rank_deficient_action="silent").fit(
        data, "y", "firm", "time", "start", covariates=covariates, aggregate="event_study"
    )
    events = {
        str(h): [e["effect"], e["se"]]
        for h, e in fitted.event_study_effects.items()
        if h >= 0 and np.isfinite(e["effect"])
    }
    return {"overall": [fitted.overall_att, fitted.overall_se], "events": events}


def leads(data, covariates, number):
    untreated = data.loc[(data["start"] == 0) | (data["time"] < data["start"])].copy()
    names = []
    for k in range(number, 0, -1):
        names.append(f"lead{k}")
        untreated[names[-1]] = (untreated["time"] - untreated["start"] == -k).astype(float)
    formula = "y ~ " + " + ".join(names + covariates) + " | firm + time"
    plain = pyfixest.ssc(k_adj=False, G_adj=False)
    fitted = pyfixest.feols(formula, untreated, vcov={"CRV1": "firm"}, ssc=plain)
    return {n: [float(fitted.coef()[n]), float(fitted.se()[n])] for n in names}


def two_stage(data, covariates):
    """Points only: its standard errors are those of another estimator."""
    first = "~ " + (" + ".join(covariates) or "0") + " | firm + time"
    late = data.groupby("firm")["time"].transform("min") >= data["start"].where(
        data["start"] > 0, 99
    )
    used = data.loc[~late].copy()
    used["treat"] = ((used["start"] > 0) & (used["time"] >= used["start"])).astype(int)
    fitted = pyfixest.did2s(
        used,
        yname="y",
        first_stage=first,
        second_stage="~ treat",
        treatment="treat",
        cluster="firm",
    )
    return float(fitted.coef().iloc[-1])


def main():
    data = panel()
    data.to_csv(HERE / "panel.csv", index=False)
    made = {
        name: {
            "plain": imputation(data, held, False),
            "leave_out": imputation(data, held, True),
            "leads": leads(data, held or [], 3),
            "did2s": two_stage(data, held or []),
        }
        for name, held in (("free", None), ("held", ["x"]))
    }
    made["versions"] = {"python": platform.python_version()} | {
        name: version(name) for name in ("diff-diff", "pyfixest", "numpy", "pandas")
    }
    (HERE / "witness.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


main()
