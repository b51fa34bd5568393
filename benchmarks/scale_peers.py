"""Log SD regression beside glmmTMB and nlme: `python benchmarks/scale_peers.py` prints a table.

Every engine fits every table in a process of its own (this file and scale_peers.R), after one small
fit, best processor time of some repeats. glmmTMB has the same model; lme has the columns of the
log SD that varIdent or varExp can hold, so it solves the same or an easier problem. Memory is what
the process grew by at its peak, beside the bytes of the columns the model needs.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alc_stats.estimators.fit import Fit, Request
from alc_stats.estimators.fixed_scale import fit_fixed_scale
from alc_stats.estimators.formula import parse, parse_part

HERE = Path(__file__).parent
SEED = 20261127
SLOPE, INTERCEPT = "y ~ arm * x + (1 + x | g)", "y ~ arm * x + (1 | g)"
COLUMNS = {SLOPE: 12, INTERCEPT: 11}
"""Numbers a row of the design holds: outcome, fixed, random, log SD's columns, a code."""


class Case(NamedTuple):
    """A row of the table; `lme` is lme's random part and its function of the same variance."""

    rows: int
    formula: str
    scale: str
    lme: tuple[str, str] | None
    repeats: int


CASES = (
    Case(10_000, SLOPE, "~ arm * x", None, 5),
    Case(10_000, INTERCEPT, "~ x", ("~ 1 | g", "varExp(form = ~ x)"), 5),
    Case(10_000, SLOPE, "~ arm", ("~ x | g", "varIdent(form = ~ 1 | arm)"), 5),
    Case(100_000, SLOPE, "~ arm * x", None, 2),
    Case(100_000, INTERCEPT, "~ x", ("~ 1 | g", "varExp(form = ~ x)"), 2),
    Case(100_000, SLOPE, "~ arm", ("~ x | g", "varIdent(form = ~ 1 | arm)"), 2),
)


def main() -> None:
    """Measure every case and print a row of each."""
    print("| rows | log SD | alc_stats s | MB (x data) | glmmTMB | nlme lme |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        print(row(case, measured(case)), flush=True)


def measured(case: Case) -> dict[str, dict[str, float]]:
    """Every engine's answer for one case, in the same order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        make(case.rows).to_csv(path / "table.csv", index=False)
        job = {**case._asdict(), "table": str(path / "table.csv")}
        (path / "job.json").write_text(json.dumps(job), encoding="utf-8")
        own = [sys.executable, __file__, str(path / "job.json")]
        peers = ["Rscript", str(HERE / "scale_peers.R"), str(path / "job.json")]
        return {"alc_stats": run(own)} | {
            engine: run([*peers, engine]) for engine in ("glmmTMB", "lme")[: 1 + bool(case.lme)]
        }


def run(command: list[str]) -> dict[str, float]:
    """The last line a process prints, as JSON."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def row(case: Case, found: dict[str, dict[str, float]]) -> str:
    """A line of the table: times, ratios, and how far the peer's log-likelihood is below ours."""
    own = found["alc_stats"]
    share = own["grown"] / (8 * COLUMNS[case.formula] * case.rows)
    cells = [f"{case.rows:,}", f"{case.formula}; {case.scale}", f"{own['processor']:.3f}"]
    cells.append(f"{own['grown'] / 1e6:.0f} ({share:.1f})")
    for engine in ("glmmTMB", "lme"):
        peer = found.get(engine)
        cells.append(
            f"{peer['processor']:.2f} s, {peer['processor'] / own['processor']:.0f}x, "
            f"{own['loglik'] - peer['loglik']:.1e}"
            if peer
            else "-"
        )
    return "| " + " | ".join(cells) + " |"


def make(rows: int) -> pd.DataFrame:
    """Persons of 20 rows in two arms; the arm widens, x does, random slopes."""
    rng = np.random.default_rng(SEED)
    persons = rows // 20
    g, x = np.repeat(np.arange(persons), 20), rng.normal(size=rows)
    arm = np.repeat(np.where(rng.integers(0, 2, persons), "mandate", "control"), 20)
    on = (arm == "mandate") * 1.0
    log_sd = 0.2 + 0.3 * on + 0.2 * x - 0.1 * on * x
    y = 1.0 + 0.5 * on + 0.3 * x + rng.normal(size=persons)[g]
    y += 0.4 * rng.normal(size=persons)[g] * x + np.exp(log_sd) * rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "arm": arm, "g": g})


def one(path: str) -> None:
    """Fit one job here and print what it took."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    fit(job, make(400))
    table = pd.read_csv(job["table"])
    before, best, m = peak(), np.inf, None
    grown = 0
    for _ in range(job["repeats"]):
        start = time.process_time()
        m = fit(job, table)
        best = min(best, time.process_time() - start)
        grown = grown or peak() - before
    print(json.dumps({"processor": best, "grown": grown, "loglik": m.loglik if m else None}))


def fit(job: dict[str, Any], table: pd.DataFrame) -> Fit:
    """The whole call: formula, design, search, inference, certificate."""
    request = Request(job["formula"], "alc_stats", "ML", df="satterthwaite")
    scale = parse_part(job["scale"], "scale")
    return fit_fixed_scale(parse(job["formula"]), scale, None, table, request=request)


def peak() -> int:
    """The most memory this process has held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    one(sys.argv[1]) if len(sys.argv) > 1 else main()
