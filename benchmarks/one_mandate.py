"""One engine, one table, one process: `python one_mandate.py <job.json>` prints what it measured.

Peers are imported where they are asked for, so that this runs in a Python that has only them. The
process asks a small table first, so that imports, compilation and first calls are in neither time
nor memory; then the table is read and asked `repeats` times.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mandate_sets
import numpy as np
import pandas as pd

KILOBYTE = 1024
DRAWS = 1999
"""Of multiplier bootstraps, as many as ours."""
BOOTSTRAPS = 1000
SMALL = {"panel": (60, 12), "weeks": (4000, 20), "events": (80_000, 20), "tasks": (2000, 20)}
GIVEN = ["quality", "difficulty"]

Answer = dict[str, Any]


def main(path: str) -> None:
    """Run a job and print its result as JSON."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    package, run, full = ENGINES[job["engine"]]
    try:
        run(mandate_sets.TABLES[job["table"]](*SMALL[job["table"]]))
    except ImportError:
        print(json.dumps({"failed": "not installed"}))
        return
    table = pd.DataFrame(dict(np.load(job["columns"])))
    before, grown, answer = peak(), 0, {}
    seconds, processor = [], []
    for _ in range(job["repeats"]):
        start, used = time.perf_counter(), time.process_time()
        answer = run(table)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
        grown = grown or peak() - before
    answer |= full(table) if full else {}
    measured = {"seconds": min(seconds), "processor": min(processor), "grown": grown}
    print(json.dumps({**answer, **measured, "version": version(package)}, default=float))


def peak() -> int:
    """The most memory this process has held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


# --- group-time effects ---------------------------------------------------------------------------


def mandate(table: pd.DataFrame) -> Answer:
    """The whole finding: effects, bands, all tests, permutations, evidence, pictures."""
    import alc_stats as alc

    found = alc.mandate(table, outcome="score", firm="firm", time="month", start="start")
    return {"overall": found.estimate.value, "overall_se": found.estimate.se}


def effects(table: pd.DataFrame) -> Answer:
    """Group-time effects, their mean by cohort, the event study and its band, and no more."""
    from alc_stats.inference.group_time import NEVER, group_times
    from alc_stats.inference.group_time_summaries import summarised, uniform_half_widths

    wide = table.pivot_table(index="firm", columns="month", values="score", sort=True)
    start = table.groupby("firm")["start"].first()
    adoption = (start - wide.columns[0]).fillna(NEVER).to_numpy().astype(np.int64)
    cells = group_times(wide.to_numpy(), adoption)
    group, event = summarised(cells, "group"), summarised(cells, "dynamic")
    half = uniform_half_widths(cells, event, level=0.95, draws=DRAWS, seed=1)
    at = zip(cells.group + 1, cells.period + 1, cells.value, strict=True)
    return {
        "overall": group.overall,
        "overall_se": group.overall_se,
        "cells": {f"{g},{t}": v for g, t, v in at},
        "errors": dict(zip(map(str, event.at), event.se, strict=True)),
        "band": dict(zip(map(str, event.at), half, strict=True)),
    }


def diff_diff(table: pd.DataFrame, draws: int = DRAWS) -> Answer:
    """Callaway and Sant'Anna's effects by diff-diff, with its multiplier bootstrap."""
    from diff_diff import CallawaySantAnna

    asked = CallawaySantAnna(n_bootstrap=draws, seed=1, estimation_method="reg")
    ready = table.assign(start=table["start"].fillna(0))
    found = asked.fit(ready, "score", "firm", "month", "start", aggregate="all")
    event = found.event_study_effects
    half = {} if draws == 0 else {
        f"{e:.0f}": (x["cband_conf_int"][1] - x["cband_conf_int"][0]) / 2 for e, x in event.items()
    }  # fmt: skip
    group = found.group_effects
    size = ready.drop_duplicates("firm")["start"].value_counts()
    return {
        "overall": np.average(
            [x["effect"] for x in group.values()], weights=[size[g] for g in group]
        ),
        "cells": {
            f"{g:.0f},{t:.0f}": x["effect"] for (g, t), x in found.group_time_effects.items()
        },
        "errors": {f"{e:.0f}": x["se"] for e, x in event.items()},
        "band": half,
    }


def diff_diff_analytic(table: pd.DataFrame) -> Answer:
    """Its standard errors by formula, which it gives without the bootstrap only."""
    return {"errors": diff_diff(table, draws=0)["errors"]}


def differences(table: pd.DataFrame) -> Answer:
    """Callaway and Sant'Anna's effects by differences, with its multiplier bootstrap."""
    from differences import ATTgt

    asked = ATTgt(table.set_index(["firm", "month"]), cohort_column="start")
    found = asked.fit("score", progress_bar=False)
    event = asked.aggregate("event", boot_iterations=DRAWS, random_state=1)
    whole = asked.aggregate("cohort", overall=True)
    plain = asked.aggregate("event")
    return _of_differences(found.to_pandas(), event, whole, plain)


def _of_differences(
    cells: pd.DataFrame, event: pd.DataFrame, whole: pd.DataFrame, plain: pd.DataFrame
) -> Answer:
    def column(frame: pd.DataFrame, name: str) -> pd.Series:
        return frame[next(c for c in frame.columns if c[-1] == name)]

    value = column(cells, "ATT")
    places = value.index.to_frame(index=False)
    half = (column(event, "upper") - column(event, "lower")) / 2.0
    return {
        "overall": float(column(whole, "ATT").iloc[0]),
        "cells": {
            f"{g:.0f},{t:.0f}": v
            for g, t, v in zip(places.iloc[:, 0], places.iloc[:, -1], value, strict=True)
        },
        "errors": {f"{e:.0f}": v for e, v in column(plain, "std_error").items()},
        "band": {f"{e:.0f}": v for e, v in half.items()},
    }


def pyfixest(table: pd.DataFrame) -> Answer:
    """The saturated event study by pyfixest: one coefficient a cohort and time since its start."""
    import pyfixest as pf

    ready = table.assign(start=table["start"].fillna(0).astype(int))
    found = pf.event_study(
        ready, yname="score", idname="firm", tname="month", gname="start", estimator="saturated",
        cluster="firm",
    )  # fmt: skip
    cells = {}
    for name, value in found.coef().items():
        time_part, cohort = str(name).split(":first_treated_period::")
        since, start = float(time_part.split("::")[1]), int(float(cohort))
        if since >= 0.0:
            cells[f"{start},{start + since:.0f}"] = float(value)
    return {"cells": cells}


# --- bunching -------------------------------------------------------------------------------------


def bunching(table: pd.DataFrame) -> Answer:
    """The whole finding, its forest of other curves included."""
    import alc_stats as alc

    more = {"person": "person", "period": "week"} if "person" in table else {}
    found = alc.bunching(
        table, amount="tokens", quota="quota", firm="firm", mandated="mandate", draws=BOOTSTRAPS,
        **more,
    )  # fmt: skip
    under = next(x for x in found.triangulation if x.method == "Excess mass, under the quota")
    return {"under": under.value, "difference": found.estimate.value}


def insurance_bunching(table: pd.DataFrame) -> Answer:
    """Rows under the mandate by insurance-bunching: a bootstrap of rows, and no comparison."""
    from insurance_bunching import BunchingEstimator

    place = table.loc[table["mandate"] == 1, "tokens"].to_numpy() / mandate_sets.QUOTA - 1.0
    near = place[(place >= -0.6) & (place < 0.6)]
    found = BunchingEstimator(
        near, 0.0, binwidth=0.02, poly_degree=4, excl_left=10, excl_right=2, n_boot=BOOTSTRAPS,
        seed=1,
    ).fit()  # fmt: skip
    return {"under": found.B}


# --- frontier -------------------------------------------------------------------------------------


def frontier(table: pd.DataFrame) -> Answer:
    """The whole finding about a mandate's effect on excess, by firm."""
    import alc_stats as alc

    found = alc.frontier(table, amount="tokens", given=GIVEN, treatment="mandate", firm="firm")
    return {"effect": found.estimate.value, "effect_se": found.estimate.se}


def plain_frontier(table: pd.DataFrame) -> Answer:
    """The half-normal frontier alone, with its information matrix and certificate."""
    from alc_stats.estimators.stochastic_frontier import fit_frontier

    y, X = _design(table)
    ones = X[:, :1]
    fit = fit_frontier(y, X, ones, ones)
    return _frontier(fit.log_likelihood, fit.theta[:3], *np.exp(fit.theta[3:]))


def pysfa(table: pd.DataFrame) -> Answer:
    """The same by pysfa, as a frontier of production of the negative logs."""
    from pysfa import SFA

    y, X = _design(table)
    found = SFA.SFA(-y, X[:, 1:]).optimize()
    beta, ratio = -found.x[:-1], float(found.x[-1])
    total = float(np.mean((y - X @ beta) ** 2))
    sd_u = np.sqrt(total * ratio**2 / (1.0 + ratio**2))
    return _frontier(-found.fun, beta, sd_u, sd_u / ratio)


def stochastic_frontier_analysis(table: pd.DataFrame) -> Answer:
    """The same by stochastic-frontier-analysis."""
    from sfa import sf_model

    y, X = _design(table)
    found = sf_model.fit(X, -y, len(y), 1, 2, 0, 0)
    sd_v, sd_u = found.params_ml[3:]
    return _frontier(found.l_max, -found.params_ml[:3], sd_u, sd_v)


def _design(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    X = np.column_stack([np.ones(len(table)), table[GIVEN]])
    return np.log(table["tokens"].to_numpy()), X


def _frontier(loglik: float, beta: np.ndarray, sd_u: float, sd_v: float) -> Answer:
    return {"loglik": float(loglik), "parameters": [*map(float, beta), float(sd_u), float(sd_v)]}


ENGINES: dict[str, tuple[str, Callable[..., Answer], Callable[..., Answer] | None]] = {
    "alc.mandate": ("alc_stats", mandate, None),
    "effects and bands alone": ("alc_stats", effects, None),
    "diff-diff": ("diff-diff", diff_diff, diff_diff_analytic),
    "differences": ("differences", differences, None),
    "pyfixest": ("pyfixest", pyfixest, None),
    "alc.bunching": ("alc_stats", bunching, None),
    "insurance-bunching": ("insurance-bunching", insurance_bunching, None),
    "alc.frontier": ("alc_stats", frontier, None),
    "fit alone": ("alc_stats", plain_frontier, None),
    "pysfa": ("pysfa", pysfa, None),
    "stochastic-frontier-analysis": (
        "stochastic-frontier-analysis", stochastic_frontier_analysis, None,
    ),
}  # fmt: skip
"""The package, what is timed, and what is asked of it afterwards."""


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
