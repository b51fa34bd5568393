"""Artefacts: how often popular analyses are fooled, and how often ours are.

Run as `make artefacts` (or `python benchmarks/artefacts.py [replications] [set ...]`); writes
docs/artefacts.md. In every row of the table nothing of what the claim says is true, and in its
second half the claim is true. Each replication has its own seed, spawned from one of its set; two
processes share the work. Where sets of rows are named, the others keep what was measured.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import artefacts_of_mandates
import artefacts_of_persons
import machine
import numpy as np
from artefact_row import Row
from tqdm import tqdm

from alc_stats.errors import AlcError

DOCS = Path(__file__).parent.parent / "docs"
REPLICATIONS = 150
MOST_FALSE = 0.06


class Set(NamedTuple):
    """Rows that are measured together, and the seed of their draws."""

    seed: int
    rows: tuple[Row, ...]


SETS = {
    "persons": Set(20261127, artefacts_of_persons.ROWS),
    "mandates": Set(20261128, artefacts_of_mandates.ROWS),
}


class Draw(NamedTuple):
    """One table to be judged."""

    set: str
    row: int
    true: bool
    seed: int


def replicate(draw: Draw) -> tuple[Draw, bool, str]:
    """Whether the popular analysis of a draw claims, and what ours says."""
    row = SETS[draw.set].rows[draw.row]
    table = (row.true if draw.true else row.null)(draw.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            verdict = row.verdict(table, draw.seed)
        except AlcError as error:
            verdict = f"error: {error}"
    return draw, row.fooled(table), verdict


def main(replications: int, named: list[str]) -> None:
    """Draw, judge, write the page and its numbers."""
    kept = kept_as_measured(replications, named)
    facts = machine.facts()
    draws = [draw for name in SETS if name not in kept for draw in draws_of(name, replications)]
    with ProcessPoolExecutor(2) as pool:
        done = list(tqdm(pool.map(replicate, draws, chunksize=4), total=len(draws)))
    sets = {name: kept.get(name) or measured(name, done, facts, replications) for name in SETS}
    (DOCS / "artefacts.json").write_text(json.dumps(sets, indent=1) + "\n", encoding="utf-8")
    (DOCS / "artefacts.md").write_text(page(sets, replications), encoding="utf-8")
    print(verdict_line([f for found in sets.values() for f in found["rows"]]))


def kept_as_measured(replications: int, named: list[str]) -> dict[str, dict[str, Any]]:
    """Sets that nobody asked for, as the last run with as many replications left them."""
    path = DOCS / "artefacts.json"
    if not named or not path.exists():
        return {}
    before = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: found
        for name, found in before.items()
        if name in SETS and name not in named and found["replications"] == replications
    }


def draws_of(name: str, replications: int) -> list[Draw]:
    """Every draw of a set, its rows and truths in turn."""
    kinds = [(i, true) for i in range(len(SETS[name].rows)) for true in (False, True)]
    seeds = np.random.SeedSequence(SETS[name].seed).generate_state(replications * len(kinds))
    return [Draw(name, *kinds[k % len(kinds)], int(seed)) for k, seed in enumerate(seeds)]


def measured(
    name: str, done: list[tuple[Draw, bool, str]], facts: dict[str, Any], replications: int
) -> dict[str, Any]:
    """What a set has shown."""
    own = [one for one in done if one[0].set == name]
    found = [
        summary(name, i, own, true=true)
        for i in range(len(SETS[name].rows))
        for true in (False, True)
    ]
    return {
        "machine": facts,
        "seed": SETS[name].seed,
        "replications": replications,
        "rows": found,
    }


def summary(
    name: str, number: int, done: list[tuple[Draw, bool, str]], *, true: bool
) -> dict[str, Any]:
    """How often each analysis claims, of one row."""
    runs = [(fooled, verdict) for d, fooled, verdict in done if (d.row, d.true) == (number, true)]
    said = [verdict for _, verdict in runs]
    row = SETS[name].rows[number]
    return {
        "artefact": row.name,
        "claim": row.claim,
        "true": true,
        "popular": sum(fooled for fooled, _ in runs) / len(runs),
        "ours": said.count("supported") / len(runs),
        "verdicts": {v: said.count(v) for v in sorted(set(said))},
        "replications": len(runs),
    }


def shown(share: float, n: int) -> str:
    """A rate in percent with its Monte-Carlo error."""
    return f"{100.0 * share:.1f} ({100.0 * math.sqrt(share * (1.0 - share) / n):.1f})"


def page(sets: dict[str, dict[str, Any]], replications: int) -> str:
    """The Markdown page."""
    error = 100.0 * math.sqrt(MOST_FALSE * (1.0 - MOST_FALSE) / replications)
    rows = [row for each in SETS.values() for row in each.rows]
    found = [f for each in sets.values() for f in each["rows"]]
    parts = [PAGE.format(replications=replications, error=f"{error:.1f}"), verdict_line(found), ""]
    head = ["artefact", "claim", "popular analysis", "it claims", "ours", "it claims",
            "other verdicts of ours"]  # fmt: skip
    for title, true in (("The claim is false", False), ("The claim is true", True)):
        table = [head, ["---"] * len(head)]
        table += [_cells(row, f) for row, f in zip(rows, found[int(true) :: 2], strict=True)]
        parts += [f"## {title}", "", *(f"| {' | '.join(cells)} |" for cells in table), ""]
    return "\n".join([*parts, *_machines(sets), ""])


def _machines(sets: dict[str, dict[str, Any]]) -> list[str]:
    """What was measured on what: once if all sets were measured in one run."""
    facts = [each["machine"] for each in sets.values()]
    if all(one == facts[0] for one in facts):
        return machine.lines(facts[0])
    parts: list[str] = []
    for each in sets.values():
        first, last = each["rows"][0]["artefact"], each["rows"][-1]["artefact"]
        parts += ["", f"From {first} to {last}:", "", *machine.lines(each["machine"])]
    return parts[1:]


def _cells(row: Row, f: dict[str, Any]) -> list[str]:
    n = f["replications"]
    others = [f"{v} {100 * k / n:.0f} %" for v, k in f["verdicts"].items() if v != "supported"]
    return [row.name, row.claim, row.popular, shown(f["popular"], n), row.ours,
            shown(f["ours"], n), ", ".join(others) or "none"]  # fmt: skip


def verdict_line(found: list[dict[str, Any]]) -> str:
    """How often the two kinds of analysis are fooled, at worst and at best."""
    null = [f for f in found if not f["true"]]
    worst = max(null, key=lambda f: f["ours"])
    least = min(null, key=lambda f: f["popular"])
    return (
        f"Ours makes a false claim in at most {shown(worst['ours'], worst['replications'])} % of "
        f"draws ({worst['artefact']}); the popular analyses in at least "
        f"{shown(least['popular'], least['replications'])} % ({least['artefact']})."
    )


PAGE = """# Artefacts: what fools the popular analysis

Measured by `make artefacts` (`benchmarks/artefacts.py`); written by it, not by hand.

- **Aim**: how often a popular analysis, and ours, say that a claim holds where it does not and an
  artefact is at work; and how often where it does hold.
- **Data**: `alc_stats.simulate.artefacts` and `alc_stats.simulate.mandate_artefacts`, whose
  docstrings give sizes and the closed form of what fools the popular analysis; in the second table
  the same sort of data with a true effect.
- **Performance**: share of {replications} replications in percent that claim (ours: *supported*),
  Monte-Carlo standard error in brackets; a true rate of 6 shows with an error of {error}.
"""


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(counts[0] if counts else REPLICATIONS, [w for w in sys.argv[1:] if not w.isdigit()])
