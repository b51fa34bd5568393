"""Speed and memory of location-scale models: writes docs/location_scale_speed.md and its figure.

Run as `make bench` (or `python benchmarks/location_scale.py`). Models without a random scale effect
stand beside glmmTMB and nlme (scale_peers.py); those with one have no peer here, since glmmTMB
below 1.1.10 has no random effects in its dispersion part. Nothing here is a test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import machine
import numpy as np
import pandas as pd
import scale_peers
from one_fit import peak

DOCS = Path(__file__).parent.parent / "docs"
SEED = 20261127
FORMULA, SCALE = "y ~ x + t + (1 + t | person)", "~ x + (1 | person)"
COLUMNS = 9
"""Numbers a row of the design holds: outcome, 3 fixed, 2 random, 2 of the log SD, a code."""


class Size(NamedTuple):
    """Rows of a table, persons they are of, and what was promised."""

    rows: int
    persons: int
    goal: str


SIZES = (
    Size(10_000, 1_000, ""),
    Size(100_000, 5_000, "about 0.5 s"),
    Size(100_000, 10_000, ""),
    Size(1_000_000, 100_000, "about 5 s"),
    Size(10_000_000, 1_000_000, "linear in rows"),
)
HEADER = """# Speed of location-scale models

Measured by `make bench` (`benchmarks/location_scale.py`); written by it, not by hand. Nothing in \
the tests is timed.

"""
READING = """
**How to read it.** Times are of the whole call from table and formula to the finished fit, with \
standard errors and certificate, in a process of its own that has made one small fit before. \
Memory is what the process grew by at its peak, as a multiple of the design's own bytes. The first \
fit of all on a machine compiles its kernels and keeps them; that once takes {compiled:.0f} s here.

![Seconds by rows](location_scale_speed.svg)
"""

_RATIOS = (
    "Ratios are the peer's processor time over ours; behind them how far the peer's "
    "log-likelihood is below ours. Goals: 30x glmmTMB, 80x nlme."
)


def main() -> None:
    """Measure everything and write page, numbers and figure."""
    facts = machine.facts()
    compiled = run("compile")["seconds"]
    own = [{**size._asdict(), **run(str(size.rows), str(size.persons))} for size in SIZES]
    for row in own:
        print(row, flush=True)
    fixed = []
    if machine.has_r():
        for case in scale_peers.CASES:
            fixed.append({**case._asdict(), "engines": scale_peers.measured(case)})
            print(fixed[-1], flush=True)
    numbers = {"machine": facts, "compile_seconds": compiled, "random": own, "fixed": fixed}
    (DOCS / "location_scale_speed.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    (DOCS / "location_scale_speed.md").write_text(page(facts, compiled, own, fixed), "utf-8")
    draw(own)


def run(*arguments: str) -> dict[str, Any]:
    """What one process of this file prints last."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def page(
    facts: dict[str, Any], compiled: float, own: list[dict[str, Any]], fixed: list[dict[str, Any]]
) -> str:
    """The Markdown page."""
    random = [
        "## With a random scale effect",
        "",
        f'`{FORMULA}`, `scale="{SCALE}"`.',
        "",
        "| rows | persons | seconds | processor seconds | memory | evaluations | status | goal |",
        "|---|---|---|---|---|---|---|---|",
        *(_random_row(row) for row in own),
        "",
    ]
    peers = [
        "## Without one, beside the peers",
        "",
        "| rows | model | alc_stats, processor s | memory | glmmTMB | nlme's lme |",
        "|---|---|---|---|---|---|",
        *(_fixed_row(row) for row in fixed),
        "",
        _RATIOS,
    ]
    reading = READING.format(compiled=compiled)
    return "\n".join([HEADER + "\n".join(machine.lines(facts)), "", *random, *peers, reading])


def _random_row(row: dict[str, Any]) -> str:
    cells = [
        f"{row['rows']:,}",
        f"{row['persons']:,}",
        f"{row['seconds']:.2f}",
        f"{row['processor']:.2f}",
        f"{row['grown'] / (8 * COLUMNS * row['rows']):.1f}x ({row['grown'] / 2**20:.0f} MB)",
        str(row["steps"]),
        row["status"],
        row["goal"],
    ]
    return f"| {' | '.join(cells)} |"


def _fixed_row(row: dict[str, Any]) -> str:
    engines = row["engines"]
    ours = engines["alc_stats"]
    size = 8 * scale_peers.COLUMNS[row["formula"]] * row["rows"]
    model = f"`{row['formula']}`, `{row['scale']}`".replace("|", "\\|")
    cells = [f"{row['rows']:,}", model, f"{ours['processor']:.3f}", f"{ours['grown'] / size:.1f}x"]
    for name in ("glmmTMB", "lme"):
        peer = engines.get(name)
        ratio = peer["processor"] / ours["processor"] if peer else 0.0
        below = ours["loglik"] - peer["loglik"] if peer else 0.0
        cells.append(f"{peer['processor']:.2f} s, {ratio:.0f}x ({below:.0e})" if peer else "")
    return f"| {' | '.join(cells)} |"


def draw(own: list[dict[str, Any]]) -> None:
    """Seconds by rows, on logarithmic axes with a line of slope one."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    import seaborn as sns

    mpl.rcParams["svg.hashsalt"] = "alc_stats"
    table = pd.DataFrame([row for row in own if row["rows"] // row["persons"] == 10])
    sns.set_theme(style="whitegrid", context="paper")
    figure, axes = plt.subplots(figsize=(5.2, 3.4))
    last = table.iloc[-1]
    linear = last["seconds"] * table["rows"] / last["rows"]
    axes.plot(table["rows"], linear, color="0.6", linestyle="--", label="proportional to rows")
    axes.plot(table["rows"], table["seconds"], marker="o", color="#0072B2", label="measured")
    axes.set(xscale="log", yscale="log", xlabel="Rows (10 a person)", ylabel="Seconds, whole call")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(DOCS / "location_scale_speed.svg", metadata={"Date": None})


def simulated(rows: int, persons: int) -> pd.DataFrame:
    """Levels and slopes of persons, and a log SD of their own that goes with the level."""
    rng = np.random.default_rng(SEED)
    each = rows // persons
    person, t = np.repeat(np.arange(persons), each), np.tile(np.arange(each) / each, persons)
    x = rng.normal(size=rows)
    theta, z = rng.normal(size=(2, persons)), rng.normal(size=persons)
    log_sd = -0.2 + 0.1 * x + 0.3 * z[person] + 0.1 * theta[0, person]
    y = 0.3 * x + 0.8 * theta[0, person] + 0.4 * theta[1, person] * t
    y += np.exp(log_sd) * rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "t": t, "person": person})


def one(rows: int, persons: int) -> None:
    """Fit one table here and print what it took."""
    import alc_stats as alc

    alc.fit(FORMULA, simulated(500, 50), scale=SCALE)
    table = simulated(rows, persons)
    before = peak()
    seconds = processor = np.inf
    for _ in range(3 if rows <= 100_000 else 1):
        start, used = time.perf_counter(), time.process_time()
        fitted = alc.fit(FORMULA, table, scale=SCALE)
        seconds = min(seconds, time.perf_counter() - start)
        processor = min(processor, time.process_time() - used)
    optimum = fitted.memory.mels.optimum
    print(json.dumps({"seconds": seconds, "processor": processor, "grown": peak() - before,
                      "steps": optimum.steps, "status": fitted.certificate.status,
                      "loglik": fitted.loglik}))  # fmt: skip


def compile_anew() -> None:
    """Time the first fit of a machine: kernels compiled into an empty folder."""
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        import alc_stats as alc

        table = simulated(500, 50)
        alc.fit("y ~ x", table)
        start = time.perf_counter()
        alc.fit(FORMULA, table, scale=SCALE)
        print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    if sys.argv[1:] == ["compile"]:
        compile_anew()
    elif sys.argv[1:]:
        one(*map(int, sys.argv[1:]))
    else:
        main()
