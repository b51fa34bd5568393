"""Coverage and type-I error of location-scale models: writes docs/coverage.md.

Run as `make coverage`, or `python benchmarks/interval_coverage.py [replications]`. Aims, data,
estimands, methods and performance as in Morris, White and Crowther (2019).
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import machine
import numpy as np
import pandas as pd
from tqdm import tqdm

import alc_stats as alc
from alc_stats.errors import AlcError

DOCS = Path(__file__).parent.parent / "docs"
REPLICATIONS = 1000
SEED = 20261127
LEVEL = 0.95
TRUTH = {
    "x": 0.3,
    "arm": 0.0,
    "log_sd.x": 0.1,
    "log_sd.arm": 0.0,
    "between_log_sd.arm": 0.0,
}
SD_PERSON, SD_SCALE, RHO = 0.8, 0.3, 0.3
FORMULA, SCALE = "y ~ x + arm + (1 | person)", "~ x + arm + (1 | person)"
HEADER = """# Coverage and type-I error of location-scale models

Measured by `make coverage` (`benchmarks/interval_coverage.py`); written by it, not by hand. \
{replications} \
replications a cell; Monte-Carlo standard errors in brackets.

- **Aims**: do 95 % intervals of location and spread cover, and are true nulls rejected at 5 %?
- **Data**: persons in two arms of equal size, y = 0.3 x + theta + e, SD of theta 0.8, log SD of e \
= 0.1 x + s, SD of s (persons' scale effects) 0.3 log SD, correlated 0.3 with theta; x standard \
normal. The arm has no effect on mean, log SD or log SD between persons.
- **Estimands**: the coefficients below. **Methods**: `fit(..., scale="~ x + arm + (1 | person)", \
between="~ arm")` by maximum likelihood, with intervals from the observed information; and the \
naive `scale="~ x + arm"`, which has no scale effect of persons.
- **Performance**: coverage; share of rejections of a true null at 5 %; ratio of the mean standard \
error to the SD of the estimates.

"""


class Cell(NamedTuple):
    """A design."""

    persons: int
    rows: int


CELLS = tuple(Cell(persons, rows) for persons in (40, 100, 300) for rows in (5, 10, 20))


def main(replications: int) -> None:
    """Simulate every cell and write table and numbers."""
    facts, found = machine.facts(), []
    with ProcessPoolExecutor(2) as pool:
        for number, cell in enumerate(CELLS):
            seeds = np.random.SeedSequence([SEED, number]).spawn(replications)
            work = pool.map(partial(replicate, cell), seeds, chunksize=20)
            label = f"{cell.persons} persons of {cell.rows} rows"
            rows = list(tqdm(work, total=replications, desc=label))
            found.append({**cell._asdict(), **summarised(rows)})
            print(json.dumps(found[-1]), flush=True)
    numbers = {"machine": facts, "replications": replications, "seed": SEED, "cells": found}
    (DOCS / "coverage.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    (DOCS / "coverage.md").write_text(page(facts, replications, found), "utf-8")


def replicate(cell: Cell, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Estimates and standard errors of one draw; what was refused or not certified is counted."""
    data = simulated(cell, np.random.default_rng(seed))
    try:
        fitted = alc.fit(FORMULA, data, scale=SCALE, between="~ arm")
        naive = alc.fit(FORMULA, data, scale="~ x + arm", method="ML")
    except AlcError as error:
        return {"refused": str(error)}
    if not (fitted.certificate.usable and naive.certificate.usable):
        return {"refused": f"{fitted.certificate.sentence} / {naive.certificate.sentence}"}
    return {
        "estimates": fitted.params[list(TRUTH)].tolist(),
        "se": fitted.bse[list(TRUTH)].tolist(),
        "status": fitted.certificate.status,
        "naive_p": float(naive.pvalues["log_sd.arm"]),
    }


def simulated(cell: Cell, rng: np.random.Generator) -> pd.DataFrame:
    """One table."""
    person = np.repeat(np.arange(cell.persons), cell.rows)
    theta, z = rng.normal(size=(2, cell.persons))
    scale = SD_SCALE * (RHO * theta + np.sqrt(1.0 - RHO**2) * z)
    x = rng.normal(size=len(person))
    log_sd = TRUTH["log_sd.x"] * x + scale[person]
    y = TRUTH["x"] * x + SD_PERSON * theta[person] + np.exp(log_sd) * rng.normal(size=len(person))
    return pd.DataFrame({"y": y, "x": x, "arm": person % 2, "person": person})


def summarised(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Performance by coefficient, and what happened to the rest."""
    kept = [row for row in rows if "estimates" in row]
    estimates = np.array([row["estimates"] for row in kept])
    se = np.array([row["se"] for row in kept])
    finite = np.isfinite(se)
    distance = np.abs(estimates - np.array(list(TRUTH.values()))) / se
    covered = [
        float(np.mean(d[f] < 1.959963984540054)) for d, f in zip(distance.T, finite.T, strict=True)
    ]
    ratio = [
        float(np.mean(s[f]) / np.std(e[f], ddof=1))
        for e, s, f in zip(estimates.T, se.T, finite.T, strict=True)
    ]
    naive = np.array([row["naive_p"] for row in kept])
    return {
        "kept": len(kept),
        "refused": len(rows) - len(kept),
        "boundary": sum(row["status"] == "boundary" for row in kept),
        "coverage": dict(zip(TRUTH, covered, strict=True)),
        "se_ratio": dict(zip(TRUTH, ratio, strict=True)),
        "naive_rejections": float(np.mean(naive < 1.0 - LEVEL)),
    }


def page(facts: dict[str, Any], replications: int, found: list[dict[str, Any]]) -> str:
    """The Markdown page."""
    names = list(TRUTH)
    head = ["persons", "rows each", *(f"coverage {n}, %" for n in names)]
    head += ["naive type-I error of log_sd.arm, %", "at a boundary, %", "refused or uncertified"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    ratios = ["", "Mean standard error over the SD of the estimates:", ""]
    ratios += [f"| persons | rows each | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
    for cell in found:
        shown = [_share(cell["coverage"][n], cell["kept"]) for n in names]
        naive = _share(cell["naive_rejections"], cell["kept"])
        at_zero = f"{100 * cell['boundary'] / cell['kept']:.0f}"
        size = [str(cell["persons"]), str(cell["rows"])]
        lines.append(f"| {' | '.join([*size, *shown, naive, at_zero, str(cell['refused'])])} |")
        ratio = [f"{cell['se_ratio'][n]:.2f}" for n in names]
        ratios.append(f"| {' | '.join([*size, *ratio])} |")
    note = (
        "\nOne less the coverage of `arm`, `log_sd.arm` and `between_log_sd.arm`, whose truth is "
        "zero, is their type-I error. Maximum likelihood has no small-sample correction: with 40 "
        "persons expect intervals of spread to be a little short, and cluster or bootstrap.\n"
    )
    head_of_page = HEADER.format(replications=f"{replications:,}")
    return "\n".join([head_of_page + "\n".join(machine.lines(facts)), "", *lines, *ratios, note])


def _share(share: float, of: int) -> str:
    return f"{100 * share:.1f} ({100 * np.sqrt(share * (1 - share) / of):.1f})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATIONS)
