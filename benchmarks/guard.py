"""How often the widening guard is fooled, and how often it sees: writes docs/guard.md.

Run as `make guard` (or `python benchmarks/guard.py [replications]`). Aims, data, estimands, methods
and performance measures (ADEMP; Morris, White and Crowther, 2019) are said on the page. Every
replication has its own seed, spawned from one; two processes share the work.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pandas as pd

import alc_stats as alc
from alc_stats.inference import Criterion, decide
from alc_stats.models.finding import Finding
from alc_stats.models.widening.claim import EQUIVALENCE_BAND, SMALLEST_WIDENING

DOCS = Path(__file__).parent.parent / "docs"
REPLICATIONS = 200
SEED = 20261127
ALPHA = 0.05
MOST_FALSE = 0.06
CRITERION = Criterion("superiority", SMALLEST_WIDENING, band=EQUIVALENCE_BAND)
VERDICTS = ("supported", "inconclusive", "equivalent", "contradicted", "not tested")


@dataclass(frozen=True)
class Design:
    """Firms, half of them treated; persons a firm; waves, the first half of them before.

    Attributes
    ----------
    before : bool
        Whether there is a time before (then the effect is a difference in differences).
    person_sd, within_sd, firm_sd : float
        Of true levels, of what changes from wave to wave (error included), of firms.
    widened : float
        True difference in log SD between persons.
    noisier : float
        Factor of the SD within persons under treatment.
    means : (float, float)
        Treated and control.
    proportional : bool
        Whether the SD of true levels is proportional to the firm's level.
    firm_log_sd : float
        SD of firms' own log SDs.
    person_log_sd : float
        SD of persons' own log SDs within.
    arrivals : float
        Share of a treated firm that is new after the start and drawn twice as wide.
    bounds : (float, float)
        Scores beyond them are recorded as the bound.
    items : int
        If not 0, one wave, and the score is a mean of so many items.
    """

    firms: int = 20
    persons: int = 15
    waves: int = 4
    before: bool = True
    person_sd: float = 8.0
    within_sd: float = 6.0
    firm_sd: float = 3.0
    widened: float = 0.0
    noisier: float = 1.0
    means: tuple[float, float] = (50.0, 50.0)
    proportional: bool = False
    firm_log_sd: float = 0.0
    person_log_sd: float = 0.0
    arrivals: float = 0.0
    bounds: tuple[float, float] = (0.0, 100.0)
    items: int = 0


@dataclass(frozen=True)
class Scenario:
    """A name, a design and whether there is true widening in it."""

    label: str
    design: Design
    widens: bool = False


CEILING = Design(
    firms=40, before=False, person_sd=13.0, within_sd=math.sqrt(15.0**2 - 13.0**2), firm_sd=0.0,
    means=(70.0, 85.0), waves=3,
)  # fmt: skip
"""Latent SD 15, means 70 and 85 on a scale from 0 to 100 (methods reference, fact 4)."""

SCENARIOS = (
    Scenario("no difference", Design()),
    Scenario("no difference, persons differ in their own SD", Design(person_log_sd=0.4)),
    Scenario("ceiling only: latent SD 15, means 85 and 70", CEILING),
    Scenario("reliability only: error SD x 1.6 under treatment", Design(noisier=1.6)),
    Scenario(
        "reliability only, one score of 5 items a person",
        Design(firms=40, waves=1, before=False, noisier=2.0, items=5),
    ),
    Scenario(
        "spread follows the mean, which rises by a fifth",
        Design(before=False, waves=3, means=(60.0, 50.0), proportional=True, bounds=(0.0, 200.0)),
    ),
    Scenario("new people, twice as wide, in treated firms", Design(arrivals=0.4)),
    Scenario("6 firms with spreads of their own", Design(firms=6, firm_log_sd=0.15, before=False)),
    Scenario("10 firms with spreads of their own", Design(firms=10, firm_log_sd=0.15)),
    Scenario("true widening 0.30 log SD, 20 firms", Design(widened=0.3), widens=True),
    Scenario("true widening 0.30 log SD, 40 firms", Design(widened=0.3, firms=40), widens=True),
    Scenario(
        "true widening 0.30 log SD under a ceiling",
        Design(
            firms=40, before=False, waves=3, person_sd=13.0, within_sd=7.5, firm_sd=3.0,
            means=(80.0, 80.0), widened=0.3,
        ),
        widens=True,
    ),
)  # fmt: skip


def drawn(d: Design, rng: np.random.Generator) -> pd.DataFrame:
    """One table of a design."""
    firm = np.repeat(np.arange(d.firms), d.persons)
    treated = (firm < d.firms // 2).astype(float)
    n = firm.size
    level = np.where(treated == 1.0, *d.means) + (d.firm_sd * rng.normal(size=d.firms))[firm]
    own = (d.firm_log_sd * rng.normal(size=d.firms))[firm]
    sd = d.person_sd * np.exp(own) * (level / d.means[1] if d.proportional else 1.0)
    ability, arrived = rng.normal(size=(2, n))
    newcomer = rng.random(n) < d.arrivals * treated
    within = d.within_sd * np.exp(d.person_log_sd * rng.normal(size=n))
    parts = []
    for wave in range(d.waves):
        post = float(not d.before or wave >= d.waves // 2)
        here = treated * post
        replaced = newcomer & (post == 1.0)
        person = np.where(replaced, 2.0 * arrived, ability)
        true = level + sd * np.exp(d.widened * here) * person
        noise = within * d.noisier**here
        rows = {
            "firm": firm, "person": np.where(replaced, n + np.arange(n), np.arange(n)),
            "mandate": treated, "post": post, "wave": wave,
        }  # fmt: skip
        if d.items:
            errors = noise[:, None] * rng.normal(size=(n, d.items))
            answers = true[:, None] + errors
            rows |= {f"item_{k}": answers[:, k] for k in range(d.items)}
            rows["score"] = np.clip(answers.mean(axis=1), *d.bounds)
        else:
            rows["score"] = np.clip(true + noise * rng.normal(size=n), *d.bounds)
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def guarded(d: Design, table: pd.DataFrame, seed: int) -> Finding:
    """The guard's finding."""
    how: dict[str, Any] = {"bounds": d.bounds, "firm": "firm", "seed": seed, "draws": 99}
    if d.waves > 1:
        how |= {"person": "person", "wave": "wave"}
    if d.before:
        how["post"] = "post"
    if d.items:
        how["items"] = [f"item_{k}" for k in range(d.items)]
    return alc.widening(
        table, outcome="score", treatment="mandate", criterion=CRITERION, permutations=499, **how
    )


def naive(table: pd.DataFrame) -> bool:
    """Brown and Forsythe's test on the scores after the start, every row independent."""
    from scipy.stats import levene

    after = table.loc[table["post"] == 1.0]
    arms = [after.loc[after["mandate"] == a, "score"] for a in (1.0, 0.0)]
    return bool(levene(*arms, center="median").pvalue < ALPHA and arms[0].var() > arms[1].var())


def replicate(task: tuple[int, np.random.SeedSequence]) -> dict[str, Any]:
    """One replication: what the guard, the model alone and the naive test say."""
    number, sequence = task
    d = SCENARIOS[number].design
    rng = np.random.default_rng(sequence)
    table = drawn(d, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        finding = guarded(d, table, int(rng.integers(2**31)))
    estimate = finding.estimate
    alone = decide(estimate, CRITERION).verdict if estimate else "not tested"
    low, high = estimate.interval() if estimate else (math.nan, math.nan)
    return {
        "scenario": number,
        "verdict": finding.decision.verdict,
        "unguarded": alone == "supported",
        "naive": naive(table),
        "value": estimate.value if estimate else math.nan,
        "covers": bool(low <= d.widened <= high),
        "uncertified": any(
            e.artefact == "certificate" and e.outcome == "threat" for e in finding.evidence
        ),
        "threats": [e.artefact for e in finding.evidence if e.outcome == "threat"],
    }


def main(replications: int) -> None:
    """Draw, judge, write the page and its numbers."""
    facts, started = machine.facts(), time.perf_counter()
    children = np.random.SeedSequence(SEED).spawn(len(SCENARIOS) * replications)
    tasks = [(i % len(SCENARIOS), child) for i, child in enumerate(children)]
    done = []
    with ProcessPoolExecutor(2) as pool:
        for one in pool.map(replicate, tasks, chunksize=4):
            done.append(one)
            show_progress(len(done), len(tasks), started)
    print()
    found = [summary(i, [r for r in done if r["scenario"] == i]) for i in range(len(SCENARIOS))]
    seconds = time.perf_counter() - started
    result = {
        "machine": facts, "seed": SEED, "replications": replications, "seconds": round(seconds),
        "scenarios": found,
    }  # fmt: skip
    (DOCS / "guard.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (DOCS / "guard.md").write_text(page(facts, replications, found), encoding="utf-8")
    print(verdict_line(found))


def show_progress(done: int, total: int, started: float) -> None:
    """A bar that is drawn over itself."""
    share = done / total
    left = (time.perf_counter() - started) * (1.0 - share) / share
    bar = "#" * round(40 * share)
    print(f"\r[{bar:<40}] {done}/{total}, {left:.0f} s left ", end="", flush=True)


def summary(number: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Rates of one scenario."""
    scenario, n = SCENARIOS[number], len(runs)
    values = np.array([r["value"] for r in runs])
    threats = [t for r in runs for t in r["threats"]]
    return {
        "label": scenario.label,
        "widens": scenario.widens,
        "truth": scenario.design.widened,
        "supported": sum(r["verdict"] == "supported" for r in runs) / n,
        "unguarded": sum(r["unguarded"] for r in runs) / n,
        "naive": sum(r["naive"] for r in runs) / n,
        "verdicts": {v: sum(r["verdict"] == v for r in runs) for v in VERDICTS},
        "mean": float(np.nanmean(values)),
        "mean_error": float(np.nanstd(values, ddof=1) / math.sqrt(n)),
        "coverage": sum(r["covers"] for r in runs) / n,
        "uncertified": sum(r["uncertified"] for r in runs),
        "threats": {t: threats.count(t) / n for t in sorted(set(threats))},
        "replications": n,
    }


def shown(share: float, n: int) -> str:
    """A rate in percent with its Monte-Carlo error."""
    return f"{100.0 * share:.1f} ({100.0 * math.sqrt(share * (1.0 - share) / n):.1f})"


def page(facts: dict, replications: int, found: list[dict]) -> str:
    """The Markdown page."""
    text = PAGE.format(
        replications=replications,
        error=f"{100.0 * math.sqrt(MOST_FALSE * (1 - MOST_FALSE) / replications):.1f}",
    )
    parts = [text, verdict_line(found), "", *machine.lines(facts), ""]
    for title, widens in (("No true widening", False), ("True widening", True)):
        rows = [f for f in found if f["widens"] == widens]
        parts += [f"## {title}", "", *table(rows), ""]
    return "\n".join(parts)


def table(found: list[dict]) -> list[str]:
    """One row a scenario."""
    head = ["scenario", "guard", "model alone", "naive test", "estimate", "truth", "coverage",
            "equivalent", "contradicted", "no certificate", "threats"]  # fmt: skip
    rows = [head, ["---"] * len(head)]
    for f in found:
        n = f["replications"]
        threats = sorted(f["threats"].items(), key=lambda item: -item[1])
        rows.append(
            [
                f["label"],
                shown(f["supported"], n),
                shown(f["unguarded"], n),
                shown(f["naive"], n),
                f"{f['mean']:.3f} ({f['mean_error']:.3f})",
                f"{f['truth']:.2f}",
                shown(f["coverage"], n),
                shown(f["verdicts"]["equivalent"] / n, n),
                shown(f["verdicts"]["contradicted"] / n, n),
                str(f["uncertified"]),
                ", ".join(f"{name} {100 * share:.0f} %" for name, share in threats) or "none",
            ]
        )
    return [f"| {' | '.join(row)} |" for row in rows]


def verdict_line(found: list[dict]) -> str:
    """The worst false support, and the least power."""
    false = max((f for f in found if not f["widens"]), key=lambda f: f["supported"])
    true = min((f for f in found if f["widens"]), key=lambda f: f["supported"])
    return (
        f"Largest false support {shown(false['supported'], false['replications'])} % "
        f"({false['label']}); smallest power {shown(true['supported'], true['replications'])} % "
        f"({true['label']})."
    )


PAGE = """# How often the widening guard is fooled

Measured by `make guard` (`benchmarks/guard.py`); written by it, not by hand.

- **Aim**: how often `alc.widening` says *supported* where nothing widens, and where something does.
- **Data**: half of the firms are treated, 15 persons a firm, four waves (two before) where not said
  otherwise; normal true levels (SD 8), SD within persons 6, firms 3, scores cut at the bounds
  (0 to 100).
- **Estimand**: difference in log SD of persons' true levels within firms; where persons have one
  score, of scores.
- **Methods**: the guard; the estimate that it decides on, without the guard (interval and smallest
  effect, "model alone"); and Brown and Forsythe's test on the scores after the start with every row
  as independent, wider at p < .05 ("naive test").
- **Performance**: share of {replications} replications in percent that say *supported* (or wider),
  Monte-Carlo standard error in brackets; a true rate of 6 shows with an error of {error}.

"""

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATIONS)
