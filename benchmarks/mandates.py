"""Speed, memory and agreement of mandates and metrics beside peers: writes docs/mandate_speed.md.

Run as `make bench` (or `python benchmarks/mandates.py`). Every engine asks every table in a process
of its own, one after the other. Peers are imported by the Python that ALC_STATS_PEERS names, or by
this one; a peer that is not there is said to be not installed. Nothing here is a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import machine
import mandate_sets
import numpy as np

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
LONGEST = 600
"""Seconds after which a process is stopped."""
OURS = ("alc.mandate", "effects and bands alone", "alc.bunching", "alc.frontier", "fit alone")
SLOW = ("insurance-bunching", "pysfa")
"""Asked once."""


class Case(NamedTuple):
    """A table of `mandate_sets`, and who asks it; the first engine is the finding itself."""

    name: str
    table: str
    size: tuple[int, int]
    engines: tuple[str, ...]
    goal: str = ""


PANEL, WEEKS, EVENTS, WASTE, PLAIN = CASES = (
    Case("2,000 firms x 24 periods, bands", "panel", (2_000, 24),
         ("alc.mandate", "effects and bands alone", "diff-diff", "differences", "pyfixest"),
         goal="10 s"),
    Case("1,000,000 weeks, 1,000 bootstraps of 200 firms", "weeks", (1_000_000, 200),
         ("alc.bunching", "insurance-bunching"), goal="10 s"),
    Case("1,000,000 events of 50,000 weeks, 1,000 bootstraps of 200 firms", "events",
         (1_000_000, 200), ("alc.bunching",), goal="10 s"),
    Case("100,000 tasks, effect on excess, 200 firms", "tasks", (100_000, 200),
         ("alc.frontier",), goal="5 s"),
    Case("100,000 tasks, half-normal frontier", "tasks", (100_000, 200),
         ("fit alone", "pysfa", "stochastic-frontier-analysis")),
)  # fmt: skip

Found = dict[str, dict[str, Any]]


def main() -> None:
    """Measure every case and write the page and its numbers."""
    facts = machine.facts()
    measured = {case.name: measure(case) for case in CASES}
    cases = {
        name: {engine: single(answer) for engine, answer in found.items()}
        for name, found in measured.items()
    }
    (DOCS / "mandate_speed.json").write_text(
        json.dumps({"machine": facts, "cases": cases}, indent=1) + "\n", encoding="utf-8"
    )
    (DOCS / "mandate_speed.md").write_text(page(facts, measured), encoding="utf-8")


def measure(case: Case) -> Found:
    """One case by every engine, in turn."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        columns = Path(folder) / "columns.npz"
        table = mandate_sets.TABLES[case.table](*case.size)
        np.savez(columns, **{name: table[name].to_numpy() for name in table})
        for engine in case.engines:
            job = {"engine": engine, "table": case.table, "columns": str(columns)}
            found[engine] = run(job | {"repeats": 1 if engine in SLOW else 3}, Path(folder))
            print(f"{case.name}: {engine} {single(found[engine])}", flush=True)
    return found


def single(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without its tables of cells and times, which the page compares."""
    return {name: value for name, value in answer.items() if not isinstance(value, dict)}


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What one engine measured in a process of its own."""
    peers = os.environ.get("ALC_STATS_PEERS", sys.executable)
    python = sys.executable if job["engine"] in OURS else peers
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    try:
        done = subprocess.run(
            [python, str(HERE / "one_mandate.py"), str(path)],
            capture_output=True, text=True, check=False, timeout=LONGEST,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {LONGEST} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


# --- the page -------------------------------------------------------------------------------------


def page(facts: dict[str, Any], measured: dict[str, Found]) -> str:
    """The Markdown page."""
    parts = [HEADER + "\n".join([*machine.lines(facts), peers_line(measured)]), ""]
    parts += [
        "| task | engine | seconds | processor seconds | grew by | goal |",
        "|---|---|---|---|---|---|",
    ]
    for case in CASES:
        parts += [speed_row(case, engine, measured[case.name][engine]) for engine in case.engines]
    parts += ["", "## The same numbers?", ""]
    parts += [*panel_agreement(measured[PANEL.name]), *plain_agreement(measured[PLAIN.name])]
    parts += [bunching_agreement(measured[WEEKS.name]), READING]
    return "\n".join(parts)


def peers_line(measured: dict[str, Found]) -> str:
    """Versions of the peers that were there."""
    seen = {
        engine: answer["version"]
        for found in measured.values()
        for engine, answer in found.items()
        if engine not in OURS and "version" in answer
    }
    return "- peers: " + (", ".join(f"{n} {v}" for n, v in seen.items()) or "none installed")


def speed_row(case: Case, engine: str, answer: Mapping[str, Any]) -> str:
    """Seconds and memory of one engine."""
    first = engine == case.engines[0]
    name = f"`{engine}`" if engine.startswith("alc.") else engine
    cells = [case.name if first else "", name]
    if "failed" in answer:
        cells += [answer["failed"], "", ""]
    else:
        cells += [f"{answer['seconds']:.2f}", f"{answer['processor']:.2f}",
                  f"{answer['grown'] / 2**20:.0f} MB"]  # fmt: skip
    return f"| {' | '.join([*cells, case.goal if first else ''])} |"


def panel_agreement(found: Found) -> list[str]:
    """Cells, overall effect, standard errors and bands of the peers, less ours."""
    ours = found["effects and bands alone"]
    rows = [
        (
            "| group-time effects | cells in common | largest difference of a cell "
            "| of the overall effect | of a standard error, relative "
            "| of a band's half width, relative |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for peer in PANEL.engines[2:]:
        answer = found[peer]
        if "failed" in answer or "failed" in ours:
            rows.append(f"| {peer} | {answer.get('failed', 'nothing of ours')} | | | | |")
            continue
        common = ours["cells"].keys() & answer["cells"].keys()
        apart = max(abs(ours["cells"][k] - answer["cells"][k]) for k in common)
        whole = abs(ours["overall"] - answer["overall"]) if "overall" in answer else None
        cells = [peer, str(len(common)), f"{apart:.0e}", "" if whole is None else f"{whole:.0e}"]
        for what in ("errors", "band"):
            pairs = [(v, ours[what][k]) for k, v in answer.get(what, {}).items() if k in ours[what]]
            cells.append(f"{max(abs(a / b - 1.0) for a, b in pairs):.1e}" if pairs else "")
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""]


def plain_agreement(found: Found) -> list[str]:
    """Log-likelihoods and parameters of the peers, less ours."""
    ours = found["fit alone"]
    rows = [
        "| half-normal frontier | log-likelihood below ours | largest difference of a parameter |",
        "|---|---|---|",
    ]
    for peer in PLAIN.engines[1:]:
        answer = found[peer]
        if "failed" in answer or "failed" in ours:
            rows.append(f"| {peer} | {answer.get('failed', 'nothing of ours')} | |")
            continue
        pairs = zip(ours["parameters"], answer["parameters"], strict=True)
        apart = max(abs(a - b) for a, b in pairs)
        rows.append(f"| {peer} | {ours['loglik'] - answer['loglik']:.1e} | {apart:.0e} |")
    return [*rows, ""]


def bunching_agreement(found: Found) -> str:
    """Two estimators, one histogram."""
    ours, peer = found["alc.bunching"], found["insurance-bunching"]
    if "failed" in ours or "failed" in peer:
        return f"Excess mass beside insurance-bunching: {peer.get('failed', 'nothing of ours')}.\n"
    return (
        f"Excess mass under the mandate, in bins: {ours['under']:.2f} by ours, {peer['under']:.2f} "
        "by insurance-bunching, which is another estimand: it adds up the whole zone left out, "
        "where what lacks below the quota cancels what lies above it, and spreads the rest above "
        "the zone. It is there for its time.\n"
    )


HEADER = """# Speed of mandates and metrics

Measured by `make bench` (`benchmarks/mandates.py`); written by it, not by hand. Nothing in the \
tests is timed.

"""
READING = """\
**How to read it.** Times are of the whole call from table to answer, best of three (of one for \
insurance-bunching and pysfa), in a process of its own that has asked a small table before. The \
findings contain everything that their pages show: `alc.mandate` 999 permutations of dates, other \
controls, imputation, bounds, two-way weights, tests and pictures; `alc.bunching` never-mandated \
firms and eight other curves; `alc.frontier` four more models and a quantile frontier. The rows \
below them do what the peers do: group-time effects, event study and uniform band (1,999 \
multiplier draws; pyfixest has no band), and the half-normal frontier with one SD. Memory is what \
the process grew by at its peak beyond the table it was given; the small table may have reserved \
some before.

Where one cohort is behind a time, standard errors of the peers are ours times the root of \
(n - 1) / n, 0.13 per cent less with 400 firms a cohort; where there are several, theirs contain \
that the shares of cohorts are drawn, and ours take the cohorts as they are. Bands differ by t \
quantiles, and by the chance of the draws. pyfixest compares with the last period before the \
start, so that only cells from the start on are in common.

No peer was found in Python that lets a mandate move the SD of the excess of a half-normal \
frontier, nor one that resamples whole firms for bunching; statsmodels has neither.

Peers are looked for in the Python that `ALC_STATS_PEERS` names: `python -m venv peers`, \
`peers/bin/pip install diff-diff differences pyfixest pysfa stochastic-frontier-analysis \
insurance-bunching`, then `ALC_STATS_PEERS=peers/bin/python make bench`.
"""


if __name__ == "__main__":
    main()
