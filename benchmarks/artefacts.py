"""Artefacts: how often popular analyses are fooled, and how often ours are.

Run as `make artefacts` (or `python benchmarks/artefacts.py [replications]`); writes
docs/artefacts.md. In every row of the
table nothing of what the claim says is true, and in its second half the claim is true. Each
replication has its own seed, spawned from one; two processes share the work.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

import alc_stats as alc
from alc_stats.errors import AlcError
from alc_stats.simulate import artefacts

DOCS = Path(__file__).parent.parent / "docs"
REPLICATIONS = 200
SEED = 20261127
ALPHA = 0.05
MOST_FALSE = 0.06
DRAWS = 199
"""Of every bootstrap and simulated null."""

Table = pd.DataFrame


@dataclass(frozen=True)
class Row:
    """One artefact.

    Attributes
    ----------
    name, claim : str
        The artefact, and what it makes people say.
    null, true : callable
        Tables of a seed: where the claim is false and the artefact at work; where it is true.
    popular, ours : str
        The two analyses in words.
    fooled : callable
        Whether the popular analysis of a table says that the claim holds.
    verdict : callable
        What ours says of a table, given a seed.
    """

    name: str
    claim: str
    null: Callable[[int], Table]
    true: Callable[[int], Table]
    popular: str
    ours: str
    fooled: Callable[[Table], bool]
    verdict: Callable[[Table, int], str]


# --- a gap as a difference score ------------------------------------------------------------------


def _true_gap(seed: int) -> Table:
    table = artefacts.capability_alone(300, seed=seed, effect=0.0)
    effect = 0.4 * (table["capability"] - table["awareness"])
    return table.assign(quality=table["quality"] + effect)


def _gap_slope(table: Table) -> bool:
    found = stats.linregress(table["awareness"] - table["capability"], table["quality"])
    return bool(found.pvalue < ALPHA and found.slope < 0.0)


def _surface(table: Table, seed: int) -> str:
    return alc.response_surface(
        table, outcome="quality", awareness="awareness", capability="capability", seed=seed,
        bounds=(-math.inf, math.inf), draws=DRAWS,
    ).decision.verdict  # fmt: skip


# --- the less able overrate themselves ------------------------------------------------------------


def _truly_unaware(seed: int) -> Table:
    """Below the mean, self-estimates do not follow the score at all."""
    table = artefacts.better_than_average(300, seed=seed)
    noise = np.random.default_rng(seed).normal(0.0, 0.5, len(table))
    return table.assign(self_estimate=0.5 + 0.9 * table["actual"].clip(lower=0.0) + noise)


def _quartiles(table: Table) -> bool:
    overrated = table["self_estimate"] - table["actual"]
    quarter = pd.qcut(table["actual"], 4, labels=False)
    low, high = overrated[quarter == 0], overrated[quarter == 3]
    return bool(stats.ttest_ind(low, high).pvalue < ALPHA and low.mean() > high.mean())


def _calibration(table: Table, seed: int) -> str:
    return alc.calibration(
        table, self_estimate="self_estimate", actual="actual", reliability=0.7, seed=seed,
        bounds=(-math.inf, math.inf), draws=DRAWS,
    ).decision.verdict  # fmt: skip


# --- regression to the mean -----------------------------------------------------------------------


def _no_narrowing(seed: int) -> Table:
    table = artefacts.few_firms(20, 12, seed=seed, waves=4)
    return table.assign(post=(table["wave"] >= 2) * 1)


def _true_narrowing(seed: int) -> Table:
    """After the start, people of mandated firms are half as far apart."""
    table = _no_narrowing(seed)
    return _spread(table, 0.5, (table["mandate"] * table["post"]) == 1)


def _spread(table: Table, factor: float, rows: pd.Series) -> Table:
    """The table with what differs within firms multiplied in some of its rows."""
    firm = table.groupby("firm")["score"].transform("mean")
    return table.assign(score=firm + (table["score"] - firm) * np.where(rows, factor, 1.0))


def _change_on_first(table: Table) -> bool:
    mandated = table[table["mandate"] == 1]
    wide = mandated.pivot_table(index="person", columns="post", values="score")
    found = stats.linregress(wide[0], wide[1] - wide[0])
    return bool(found.pvalue < ALPHA and found.slope < 0.0)


def _narrowing(table: Table, seed: int) -> str:
    """Supported where `widening` is contradicted: people are nearer to each other than before."""
    found = alc.widening(
        table, outcome="score", treatment="mandate", post="post", person="person", firm="firm",
        wave="wave",        bounds=(-math.inf, math.inf), seed=seed, draws=99, permutations=499,
    ).decision.verdict  # fmt: skip
    return {"contradicted": "supported", "supported": "contradicted"}.get(found, found)


# --- a ceiling ------------------------------------------------------------------------------------


def _at_the_ceiling(seed: int) -> Table:
    """Latent SD 15; means 85 without and 70 with a mandate, on a scale that ends at 100."""
    table = artefacts.few_firms(30, 12, seed=seed, waves=3, firm_share=0.05)
    score = np.where(table["mandate"] == 1, 70.0, 85.0) + 15.0 * table["score"]
    return table.assign(score=score.clip(0.0, 100.0))


def _true_widening(seed: int) -> Table:
    table = artefacts.few_firms(30, 12, seed=seed, waves=3, firm_share=0.05)
    wider = _spread(table, 1.5, table["mandate"] == 1)
    return wider.assign(score=(50.0 + 8.0 * wider["score"]).clip(0.0, 100.0))


def _levene(table: Table) -> bool:
    arms = [table.loc[table["mandate"] == m, "score"] for m in (1.0, 0.0)]
    wider = arms[0].var() > arms[1].var()
    return bool(stats.levene(*arms, center="median").pvalue < ALPHA and wider)


def _widening(table: Table, seed: int) -> str:
    return alc.widening(
        table, outcome="score", treatment="mandate", person="person", firm="firm", wave="wave",
        bounds=(0.0, 100.0), seed=seed, draws=99, permutations=499,
    ).decision.verdict  # fmt: skip


# --- unreliability --------------------------------------------------------------------------------


def _unreliable(seed: int) -> Table:
    return artefacts.unequal_reliability(250, seed=seed)


def _true_decoupling(seed: int) -> Table:
    """The same reliability in both arms; under the mandate awareness goes with nothing."""
    table = artefacts.unequal_reliability(250, seed=seed, reliabilities=(0.8, 0.8))
    mandated = (table["arm"] == "mandate").to_numpy()
    mixed = np.random.default_rng(seed).permutation(np.flatnonzero(mandated))
    capable = [c for c in table if c.startswith("capable")]
    table.loc[mandated, capable] = table.loc[mixed, capable].to_numpy()
    return table


def _scaled(table: Table) -> Table:
    means = {n: table.filter(regex=rf"^{n}_\d$").mean(axis=1) for n in ("aware", "capable")}
    return table.assign(person=np.arange(len(table)), **means)


def _fisher(table: Table) -> bool:
    of_arm = {a: t["aware"].corr(t["capable"]) for a, t in _scaled(table).groupby("arm")}
    n = len(table) / 2
    z = (np.arctanh(of_arm["mandate"]) - np.arctanh(of_arm["control"])) / math.sqrt(2 / (n - 3))
    return bool(2 * stats.norm.sf(abs(z)) < ALPHA and z < 0.0)


def _decoupling(table: Table, seed: int) -> str:
    items = {n: [f"{n}_{k}" for k in range(1, 5)] for n in ("aware", "capable")}
    return alc.decoupling(
        _scaled(table), awareness="aware", capability="capable", treatment="arm", person="person",
        treated="mandate", control="control", awareness_items=items["aware"],
        capability_items=items["capable"], seed=seed,
    ).decision.verdict  # fmt: skip


# --- few clusters ---------------------------------------------------------------------------------


def _six_firms(seed: int) -> Table:
    return artefacts.few_firms(6, 30, seed=seed)


def _true_in_six_firms(seed: int) -> Table:
    table = artefacts.few_firms(6, 30, seed=seed, firm_share=0.05)
    return table.assign(score=table["score"] + 0.9 * table["mandate"])


def _rows_as_independent(table: Table) -> bool:
    arms = [table.loc[table["mandate"] == m, "score"] for m in (1.0, 0.0)]
    higher = arms[0].mean() > arms[1].mean()
    return bool(stats.ttest_ind(*arms).pvalue < ALPHA and higher)


def _firm_effects(table: Table, _: int) -> str:
    fitted = alc.fit("score ~ mandate + (1 | firm)", table)
    rule = alc.Criterion("superiority", 0.2)
    return alc.decide(alc.contrast(fitted, "mandate"), rule).verdict


# --- tasks taken for all there are ----------------------------------------------------------------


def _eight_tasks(seed: int) -> Table:
    return artefacts.tasks_differ(60, 8, seed=seed)


def _truly_harder(seed: int) -> Table:
    table = artefacts.tasks_differ(60, 16, seed=seed)
    return table.assign(score=table["score"] - 1.0 * table["far"])


def _persons_only(table: Table) -> bool:
    wide = table.pivot_table(index="person", columns="far", values="score")
    found = stats.ttest_rel(wide[1.0], wide[0.0])
    return bool(found.pvalue < ALPHA and found.statistic < 0.0)


def _crossed(table: Table, _: int) -> str:
    fitted = alc.fit("score ~ far + (1 + far | person) + (1 | task)", table)
    rule = alc.Criterion("superiority", 0.2, "less")
    return alc.decide(alc.contrast(fitted, "far"), rule).verdict


# --- a parabola through a curve that never falls --------------------------------------------------


def _saturating(seed: int) -> Table:
    return artefacts.saturating_use(400, seed=seed)


def _truly_falling(seed: int) -> Table:
    table = artefacts.saturating_use(400, seed=seed, gain=0.0)
    peak = -0.25 * (table["usage"] - 10.0).abs()
    return table.assign(quality=table["quality"] + peak)


def _quadratic(table: Table) -> bool:
    import statsmodels.api as sm

    x = table["usage"].to_numpy()
    found = sm.OLS(table["quality"], np.column_stack([np.ones_like(x), x, x**2])).fit()
    turns = -found.params.iloc[1] / (2.0 * found.params.iloc[2])
    bent = found.pvalues.iloc[2] < ALPHA and found.params.iloc[2] < 0.0
    return bool(bent and x.min() < turns < x.max())


def _two_lines(table: Table, seed: int) -> str:
    return alc.dose_response(
        table, outcome="quality", dose="usage", person="person", seed=seed,
        bounds=(-math.inf, math.inf), smallest_slope=0.02,
    ).decision.verdict  # fmt: skip


# --- two levels in one path -----------------------------------------------------------------------


def _within_only(seed: int) -> Table:
    return artefacts.mediated_within_only(40, 20, seed=seed)


def _between_as_well(seed: int) -> Table:
    """What a firm believes lowers the firm's scores as well, by one point a point."""
    table = artefacts.mediated_within_only(60, 20, seed=seed, effect=1.0)
    of_firm = table.groupby("firm")["belief"].transform("mean")
    return table.assign(score=table["score"] - 1.0 * of_firm)


def _sobel(table: Table) -> bool:
    import statsmodels.api as sm

    first = sm.OLS(table["belief"], sm.add_constant(table[["mandate"]])).fit()
    second = sm.OLS(table["score"], sm.add_constant(table[["belief", "mandate"]])).fit()
    a, b = first.params["mandate"], second.params["belief"]
    se = math.hypot(a * second.bse["belief"], b * first.bse["mandate"])
    return bool(2 * stats.norm.sf(abs(a * b) / se) < ALPHA and a * b < 0.0)


def _mediation(table: Table, seed: int) -> str:
    return alc.mediation(
        table.assign(t1=1, t2=2), outcome="score", treatment="mandate", mediators="belief",
        person="person", firm="firm", randomised=True, direction="less", times=("t1", "t2"),
        seed=seed,
    ).decision.verdict  # fmt: skip


ROWS = (
    Row(
        "difference score", "awareness beyond capability lowers quality",
        lambda seed: artefacts.capability_alone(300, seed=seed), _true_gap,
        "slope of quality on awareness minus capability", "`response_surface`", _gap_slope,
        _surface,
    ),
    Row(
        "Dunning-Kruger null", "the less able know themselves less",
        lambda seed: artefacts.better_than_average(300, seed=seed), _truly_unaware,
        "lowest against highest quarter of the score", "`calibration`", _quartiles, _calibration,
    ),
    Row(
        "regression to the mean", "people draw nearer under the mandate",
        _no_narrowing, _true_narrowing, "slope of change on the first score", "`widening`, turned",
        _change_on_first, _narrowing,
    ),
    Row(
        "ceiling", "people spread apart under the mandate", _at_the_ceiling, _true_widening,
        "Brown and Forsythe's test of the scores", "`widening`", _levene, _widening,
    ),
    Row(
        "unreliability", "awareness and capability decouple", _unreliable, _true_decoupling,
        "Fisher's z of observed correlations", "`decoupling`", _fisher, _decoupling,
    ),
    Row(
        "few clusters", "the mandate raises scores", _six_firms, _true_in_six_firms,
        "t test of rows", "`fit` with firm effects, Satterthwaite", _rows_as_independent,
        _firm_effects,
    ),
    Row(
        "tasks as fixed", "far tasks are done worse", _eight_tasks, _truly_harder,
        "paired t test over persons", "`fit`, persons and tasks crossed", _persons_only, _crossed,
    ),
    Row(
        "quadratic artefact", "more use helps and then harms", _saturating, _truly_falling,
        "significant parabola that turns among the data", "`dose_response`", _quadratic, _two_lines,
    ),
    Row(
        "conflated levels", "mandates lower a firm's scores through a belief", _within_only,
        _between_as_well, "product of paths, persons and firms as one", "`mediation`", _sobel,
        _mediation,
    ),
)  # fmt: skip


def replicate(task: tuple[int, bool, int]) -> tuple[int, bool, bool, str]:
    """One draw of a row: whether the popular analysis claims, and what ours says."""
    number, true, seed = task
    row = ROWS[number]
    table = (row.true if true else row.null)(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            verdict = row.verdict(table, seed)
        except AlcError as error:
            verdict = f"error: {error}"
    return number, true, row.fooled(table), verdict


def main(replications: int) -> None:
    """Draw, judge, write the page and its numbers."""
    facts = machine.facts()
    seeds = np.random.SeedSequence(SEED).generate_state(replications * len(ROWS) * 2)
    kinds = [(i, true) for i in range(len(ROWS)) for true in (False, True)]
    tasks = [(*kinds[k % len(kinds)], int(seed)) for k, seed in enumerate(seeds)]
    with ProcessPoolExecutor(2) as pool:
        done = list(tqdm(pool.map(replicate, tasks, chunksize=4), total=len(tasks)))
    found = [summary(i, done, true=true) for i, true in kinds]
    result = {"machine": facts, "seed": SEED, "replications": replications, "rows": found}
    (DOCS / "artefacts.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (DOCS / "artefacts.md").write_text(page(facts, replications, found), encoding="utf-8")
    print(verdict_line(found))


def summary(number: int, done: list[tuple[int, bool, bool, str]], *, true: bool) -> dict[str, Any]:
    """How often each analysis claims, of one row."""
    runs = [(fooled, verdict) for i, t, fooled, verdict in done if (i, t) == (number, true)]
    said = [verdict for _, verdict in runs]
    return {
        "artefact": ROWS[number].name,
        "claim": ROWS[number].claim,
        "true": true,
        "popular": sum(fooled for fooled, _ in runs) / len(runs),
        "ours": said.count("supported") / len(runs),
        "verdicts": {v: said.count(v) for v in sorted(set(said))},
        "replications": len(runs),
    }


def shown(share: float, n: int) -> str:
    """A rate in percent with its Monte-Carlo error."""
    return f"{100.0 * share:.1f} ({100.0 * math.sqrt(share * (1.0 - share) / n):.1f})"


def page(facts: dict, replications: int, found: list[dict]) -> str:
    """The Markdown page."""
    error = 100.0 * math.sqrt(MOST_FALSE * (1.0 - MOST_FALSE) / replications)
    parts = [PAGE.format(replications=replications, error=f"{error:.1f}"), verdict_line(found), ""]
    head = ["artefact", "claim", "popular analysis", "it claims", "ours", "it claims",
            "other verdicts of ours"]  # fmt: skip
    for title, true in (("The claim is false", False), ("The claim is true", True)):
        rows = [head, ["---"] * len(head)]
        rows += [_cells(row, f) for row, f in zip(ROWS, found[int(true) :: 2], strict=True)]
        parts += [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]
    return "\n".join([*parts, *machine.lines(facts), ""])


def _cells(row: Row, f: dict) -> list[str]:
    n = f["replications"]
    others = [f"{v} {100 * k / n:.0f} %" for v, k in f["verdicts"].items() if v != "supported"]
    return [row.name, row.claim, row.popular, shown(f["popular"], n), row.ours,
            shown(f["ours"], n), ", ".join(others) or "none"]  # fmt: skip


def verdict_line(found: list[dict]) -> str:
    """How often the two kinds of analysis are fooled, at worst and at best."""
    null = [f for f in found if not f["true"]]
    n = null[0]["replications"]
    worst = max(null, key=lambda f: f["ours"])
    least = min(null, key=lambda f: f["popular"])
    return (
        f"Ours makes a false claim in at most {shown(worst['ours'], n)} % of draws "
        f"({worst['artefact']}); the popular analyses in at least {shown(least['popular'], n)} % "
        f"({least['artefact']})."
    )


PAGE = """# Artefacts: what fools the popular analysis

Measured by `make artefacts` (`benchmarks/artefacts.py`); written by it, not by hand.

- **Aim**: how often a popular analysis, and ours, say that a claim holds where it does not and an
  artefact is at work; and how often where it does hold.
- **Data**: `alc_stats.simulate.artefacts`, whose docstrings give sizes and the closed form of what
  fools the popular analysis; in the second table the same sort of data with a true effect.
- **Performance**: share of {replications} replications in percent that claim (ours: *supported*),
  Monte-Carlo standard error in brackets; a true rate of 6 shows with an error of {error}.
"""


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATIONS)
