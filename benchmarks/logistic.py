"""What docs/logistic_mixed_models.md says was measured: speed, false rejections, Laplace's bias.

Run as `python benchmarks/logistic.py [replications]` (four minutes); prints a time and two Markdown
tables. The large table is written where `--write <file>` says, for glmer to be timed on:
glmer(right ~ arm*novelty + (1 + novelty | person) + (1 | task), read.csv(file), binomial).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy import special

from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import p_two_sided
from alc_stats.estimators.logistic import fit_logistic_arrays

REPLICATIONS = 1000
ALPHA = 0.05
ROWS = 15


def drawn(groups: int, rows: int, sd: float, stream: np.random.Generator) -> pd.DataFrame:
    """Right or wrong with no effect of an arm that every second group has."""
    group = np.repeat(np.arange(groups), rows)
    odds = 0.3 + sd * stream.standard_normal(groups)[group]
    right = (stream.uniform(size=len(group)) < special.expit(odds)).astype(float)
    return pd.DataFrame({"right": right, "arm": group % 2.0, "group": group})


def rejected(found: Fit) -> np.ndarray:
    """Whether z and t reject."""
    b, se = found.params["arm"], found.bse["arm"]
    df = np.array([np.inf, found.df[found.names.index("arm")]])
    return np.asarray(p_two_sided(b, se, df) < ALPHA)


def rejections(groups: int, replications: int) -> np.ndarray:
    """Share of false rejections by z and by t with containment degrees of freedom."""
    stream = np.random.default_rng(groups)
    tables = (drawn(groups, ROWS, 1.0, stream) for _ in range(replications))
    formula = "right ~ arm + (1 | group)"
    fits = [fit(formula, t, family="binomial", df="containment") for t in tables]
    return np.mean([rejected(f) for f in fits if f.certificate.usable], axis=0)


def understated(rows: int, sd: float) -> float:
    """Laplace's SD as a share of quadrature's, about 8,000 rows."""
    data = drawn(8000 // rows, rows, sd, np.random.default_rng(3))
    found = fit("right ~ arm + (1 | group)", data, family="binomial")
    state = found.memory.logistic
    laplace = fit_logistic_arrays(
        state.design, state.outcomes, state.random, where="", laplace=True
    )
    return float(laplace.factors[0][0, 0] / found.random[0].sd)


def crossed() -> pd.DataFrame:
    """100,000 answers of 1,000 persons to 100 each of 200 tasks."""
    stream = np.random.default_rng(1)
    person = np.repeat(np.arange(1000), 100)
    task = np.concatenate([stream.choice(200, 100, replace=False) for _ in range(1000)])
    arm, novelty = person % 2.0, task % 2.0
    person_effects = stream.standard_normal((1000, 2)) * [1.0, 0.5]
    odds = 0.3 + 0.5 * arm + 0.4 * novelty - 0.3 * arm * novelty
    odds += person_effects[person, 0] + person_effects[person, 1] * novelty
    odds += 0.7 * stream.standard_normal(200)[task]
    right = (stream.uniform(size=len(odds)) < special.expit(odds)).astype(float)
    columns = {"right": right, "arm": arm, "novelty": novelty, "person": person, "task": task}
    return pd.DataFrame(columns)


def seconds(data: pd.DataFrame) -> float:
    """Processor time of one fit of the large table."""
    start = time.process_time()
    fit("right ~ arm*novelty + (1 + novelty | person) + (1 | task)", data, family="binomial")
    return time.process_time() - start


def main() -> None:
    """Print everything."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("replications", nargs="?", type=int, default=REPLICATIONS)
    arguments.add_argument("--write")
    asked = arguments.parse_args()
    replications, large = asked.replications, crossed()
    if asked.write:
        large.to_csv(asked.write, index=False)
    print(f"100,000 rows: {seconds(large):.1f} s of one processor\n")
    print('| groups | z (`df="normal"`) | t (`df="containment"`) |\n|---|---|---|')
    for groups in (8, 12, 20, 40):
        z, t = rejections(groups, replications)
        print(f"| {groups} | {z:.1%} | {t:.1%} |")
    print("\n| outcomes a level | SD 1 | SD 2 |\n|---|---|---|")
    for rows in (2, 4, 8, 16):
        print(f"| {rows} | {understated(rows, 1.0):.2f} | {understated(rows, 2.0):.2f} |")


if __name__ == "__main__":
    main()
