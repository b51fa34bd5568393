"""One engine, one table, one process: `python one_fit.py <job.json>` prints what it measured.

The process starts with a fit of fifty rows, so that imports and first calls are in neither time
nor memory; then the table is read and the model is fitted `repeats` times.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import alc_stats

KILOBYTE = 1024


def main(path: str) -> None:
    """Run a job and print its result as JSON."""
    job = json.loads(Path(path).read_text())
    run = {"alc_stats": run_alc_stats, "statsmodels": run_statsmodels}[job["engine"]]
    run(job, warm_up_table(job["columns"]))
    table = pd.DataFrame({name: np.load(file) for name, file in job["columns"].items()})
    before = peak()
    seconds, processor, answer = [], [], {}
    grown = 0
    for _ in range(job["repeats"]):
        start, used = time.perf_counter(), time.process_time()
        answer = run(job, table)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
        grown = grown or peak() - before
    measured = {"seconds": min(seconds), "processor": min(processor), "grown": grown}
    sys.stdout.write(json.dumps({**answer, **measured}))


def run_alc_stats(job: dict[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """The whole call: formula, design, search, inference, certificate."""
    fit = alc_stats.fit(job["formula"], table, method=job["method"])
    return {"loglik": fit.loglik, "note": fit.certificate.status}


def run_statsmodels(job: dict[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """MixedLM with its defaults, formula included."""
    import statsmodels.formula.api as smf

    random = "~x" if "1 + x |" in job["formula"] else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = smf.mixedlm("y ~ x", table, groups="g", re_formula=random)
        found = model.fit(reml=job["method"] == "REML")
    note = f"converged {found.converged}, {len(caught)} warnings"
    return {"loglik": float(found.llf), "note": note}


def warm_up_table(columns: dict[str, str]) -> pd.DataFrame:
    """Fifty rows of the same columns."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({name: rng.integers(0, 5, 50) for name in columns})
    return table.assign(y=rng.normal(size=50), x=rng.normal(size=50))


def peak() -> int:
    """The most memory this process has held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


if __name__ == "__main__":
    main(sys.argv[1])
