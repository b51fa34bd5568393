"""ATT(g, t) of mpdta by three Python packages: anticipation of a year, covariates, both bases.

Run in an environment of its own: python witnesses.py mpdta.csv > witnesses.json
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version

import pandas as pd
from csdid.att_gt import ATTgt
from diff_diff import CallawaySantAnna

warnings.filterwarnings("ignore")
CASES = {
    "plain": {},
    "plain_universal": {"base": "universal"},
    "anticipation": {"anticipation": 1},
    "anticipation_universal": {"anticipation": 1, "base": "universal"},
    "anticipation_not_yet": {"anticipation": 1, "controls": "not_yet"},
    "anticipation_covariate": {"anticipation": 1, "covariates": ["lpop"]},
    "regression": {"covariates": ["lpop"], "method": "reg"},
    "weighting": {"covariates": ["lpop"], "method": "ipw"},
    "doubly_robust": {"covariates": ["lpop"], "method": "dr"},
    "doubly_robust_not_yet": {"covariates": ["lpop"], "method": "dr", "controls": "not_yet"},
}


def by_diff_diff(
    data, base="varying", anticipation=0, controls="never", covariates=None, method="dr"
):
    names = {"never": "never_treated", "not_yet": "not_yet_treated"}
    found = CallawaySantAnna(
        control_group=names[controls],
        anticipation=anticipation,
        estimation_method=method,
        base_period=base,
    ).fit(
        data,
        outcome="lemp",
        unit="countyreal",
        time="year",
        first_treat="first.treat",
        covariates=covariates,
    )
    return {
        f"{int(g)}_{int(t)}": [float(c["effect"]), float(c["se"])]
        for (g, t), c in found.group_time_effects.items()
        if c["se"] == c["se"]
    }


def by_csdid(data, base="varying", anticipation=0, controls="never", covariates=None, method="dr"):
    names = {"never": "nevertreated", "not_yet": "notyettreated"}
    form = "lemp~" + ("+".join(covariates) if covariates else "1")
    found = ATTgt(
        yname="lemp",
        tname="year",
        idname="countyreal",
        gname="first.treat",
        data=data,
        control_group=[names[controls]],
        xformla=form,
        anticipation=anticipation,
        bstrap=False,
        cband=False,
    ).fit(est_method=method, base_period=base, bstrap=False)
    r = found.results
    return {
        f"{int(g)}_{int(t)}": [float(a), float(s)]
        for g, t, a, s in zip(r["group"], r["year"], r["att"], r["se"], strict=True)
        if s == s
    }


def main() -> None:
    data = pd.read_csv(sys.argv[1])
    out = {"versions": {p: version(p) for p in ("diff-diff", "csdid", "drdid", "numpy")}}
    for name, how in CASES.items():
        out[name] = {}
        for program, run in (("diff-diff", by_diff_diff), ("csdid", by_csdid)):
            try:
                out[name][program] = run(data.copy(), **how)
            except Exception as error:
                out[name][program] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(out, indent=1) + "\n")


main()
