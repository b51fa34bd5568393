"""Speed, memory and log-likelihood beside lme4 and statsmodels: writes docs/benchmarks.md.

Run as `make bench` (or `python benchmarks/mixed.py`). Every engine fits every table in a process of
its own, one after the other: alc_stats, lme4, statsmodels. Nothing here is a test.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pandas as pd
from tables import Case, cases

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
LONGEST = {"alc_stats": 600, "lme4": 1800, "statsmodels": 90}
"""Seconds after which a process is stopped; statsmodels is asked only for what it can do in 60."""
HEADER = """# Speed beside the peers

Measured by `make bench` (`benchmarks/mixed.py`); written by it, not by hand. Nothing in the \
tests is timed.

"""
READING = """
**How to read it.** Times are seconds of the whole call from table and formula to the finished \
fit: for alc_stats with standard errors, degrees of freedom and certificate; for lme4 `lmer` \
alone with its model frame (no degrees of freedom); for statsmodels `MixedLM` with its formula. \
Each engine runs in a process of its own that has made one small fit before, so loading is not \
counted; best of the number of runs shown. Ratios are the peer's over ours; that of processor \
time matters where the machine was busy. "Above" is how far above our -2 log-likelihood the \
peer stopped (positive: ours is the better optimum). Memory is what the process grew by at its \
peak beyond the table it was given, as a multiple of the design's own bytes (outcome, fixed and \
random columns, a code a grouping, 8 bytes each).
"""


def main() -> None:
    """Measure every case and write the table and its numbers."""
    facts = machine.facts()
    measured = [found for case in cases() if (found := measure(case)) is not None]
    (DOCS / "benchmarks.json").write_text(
        json.dumps({"machine": facts, "cases": measured}, indent=1) + "\n", encoding="utf-8"
    )
    (DOCS / "benchmarks.md").write_text(page(facts, measured), encoding="utf-8")


def measure(case: Case) -> dict[str, Any] | None:
    """One case by every engine that is there, in the same order."""
    table = case.make()
    if table is None:
        print(f"{case.name}: not run, its data are absent (set ALC_STATS_DATA)")
        return None
    engines = ["alc_stats"] + ["lme4"] * machine.has_r() + ["statsmodels"] * case.statsmodels
    with tempfile.TemporaryDirectory() as folder:
        job = written(case, table, Path(folder))
        found = {engine: run(engine, job, Path(folder)) for engine in engines}
    for engine, answer in found.items():
        print(f"{case.name}: {engine} {answer}", flush=True)
    return {
        "name": case.name,
        "formula": case.formula,
        "method": case.method,
        "rows": len(table),
        "repeats": case.repeats,
        "goal": case.goal,
        "design_bytes": 8 * case.columns * len(table),
        "published_objective": case.objective,
        "engines": found,
    }


def written(case: Case, table: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """The job all engines are handed: the same numbers as binary columns."""
    groups = re.findall(r"\| (\w+)\)", case.formula)
    columns, raw = {}, {}
    for name in table.columns:
        values = table[name].to_numpy()
        whole = values.dtype.kind == "i"
        columns[name] = str(folder / f"{name}.npy")
        raw[name] = str(folder / f"{name}.{'i4' if whole else 'f8'}")
        values.astype("int32" if whole else "float64").tofile(raw[name])
        np.save(columns[name], values)
    return {
        "formula": case.formula,
        "method": case.method,
        "repeats": case.repeats,
        "columns": columns,
        "raw": raw,
        "groups": groups,
        "rows": len(table),
    }


def run(engine: str, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What one engine measured in a process of its own."""
    path = folder / "job.json"
    path.write_text(json.dumps({**job, "engine": engine}), encoding="utf-8")
    command = [sys.executable, str(HERE / "one_fit.py"), str(path)]
    if engine == "lme4":
        command = ["Rscript", str(HERE / "one_fit.R"), str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=LONGEST[engine]
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {LONGEST[engine]} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1]}
    return dict(json.loads(done.stdout))


def page(facts: dict[str, Any], measured: list[dict[str, Any]]) -> str:
    """The Markdown page."""
    head = [
        (
            "| model | runs | alc_stats, s | lme4, s | ratio | ratio of processor time "
            "| statsmodels, s | ratio | ratio of processor time | goal |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    accuracy = [
        (
            "| model | our -2 log-likelihood | lme4 above | statsmodels above | published above "
            "| ours grew by | of the design | lme4 grew by |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [speed_row(found) for found in measured]
    beside = [accuracy_row(found) for found in measured]
    return "\n".join(
        [
            HEADER + "\n".join(machine.lines(facts)),
            "",
            *head,
            *rows,
            "",
            *accuracy,
            *beside,
            READING,
        ]
    )


def speed_row(found: dict[str, Any]) -> str:
    """Seconds and ratios."""
    engines = found["engines"]
    ours = engines["alc_stats"]
    cells = [found["name"], str(found["repeats"]), seconds(ours)]
    for peer in ("lme4", "statsmodels"):
        theirs = engines.get(peer, {})
        both = "seconds" in theirs and "seconds" in ours
        kinds = ("seconds", "processor")
        ratios = [f"{theirs[k] / ours[k]:.1f}x" if both else "" for k in kinds]
        cells += [seconds(theirs), *ratios]
    return f"| {' | '.join([*cells, found['goal']])} |"


def seconds(answer: dict[str, Any]) -> str:
    """A time, or why there is none."""
    return f"{answer['seconds']:.3f}" if "seconds" in answer else answer.get("failed", "not run")


def accuracy_row(found: dict[str, Any]) -> str:
    """Log-likelihoods and memory."""
    engines, size = found["engines"], found["design_bytes"]
    ours = engines["alc_stats"]
    value = -2.0 * ours["loglik"] if "loglik" in ours else float("nan")
    cells = [found["name"], f"{value:.6f}"]
    for peer in ("lme4", "statsmodels"):
        theirs = engines.get(peer, {})
        cells.append(f"{-2.0 * theirs['loglik'] - value:.1e}" if "loglik" in theirs else "")
    published = found["published_objective"]
    cells.append(f"{published - value:.1e}" if published else "")
    grown = ours.get("grown", 0)
    cells += [f"{grown / 2**20:.0f} MB", f"{grown / size:.1f}x"]
    theirs = engines.get("lme4", {}).get("grown")
    cells.append(f"{theirs / 2**20:.0f} MB" if theirs else "")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
