"""How often a true null is rejected at 5 % with few groups: writes docs/type_one_error.md.

Run as `make type-one-error` (or `python benchmarks/type_one_error.py [replications]`). Designs are
fixed, outcomes are drawn anew; every replication is fitted once by REML and judged by all methods.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import machine
import numpy as np
import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators.design import Design, build_design, read_table
from alc_stats.estimators.estimate import p_two_sided
from alc_stats.estimators.formula import parse
from alc_stats.estimators.lmm import LmmState, fit_arrays
from alc_stats.estimators.lmm_certificate import certify
from alc_stats.estimators.lmm_robust import clustered
from alc_stats.estimators.lmm_terms import RandomPart, random_part
from alc_stats.estimators.robust import Clusters
from alc_stats.estimators.small_sample import Adjusted, adjusted

DOCS = Path(__file__).parent.parent / "docs"
REPLICATIONS = 2000
ALPHA = 0.05
SEED = 20261123
GROUPS = (8, 10, 15)
METHODS = ("normal", "satterthwaite", "kenward-roger", "CR2")
SHOWN = {
    "normal": "z (no correction)",
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "CR2": "CR2, Satterthwaite df",
}


@dataclass(frozen=True)
class Cell:
    """One design and one truth.

    Attributes
    ----------
    groups : int
    formula : str
    tested : str
        The coefficient whose truth is zero.
    sds : tuple of float
        Of the random intercept and slope, beside a residual of 1.
    label : str
    """

    groups: int
    formula: str
    tested: str
    sds: tuple[float, float]
    label: str


def cells() -> Iterator[Cell]:
    """Few groups, of unequal size; a treatment between groups or a slope within them."""
    for groups in GROUPS:
        for sd, icc in ((0.23, "0.05"), (0.65, "0.3")):
            yield Cell(
                groups,
                "y ~ treated + (1 | g)",
                "treated",
                (sd, 0.0),
                f"random intercept, ICC {icc}; treatment of groups",
            )
        for slope in (0.15, 0.6):
            yield Cell(
                groups,
                "y ~ x + (1 + x | g)",
                "x",
                (0.65, slope),
                f"random slope, SD {slope}; mean slope",
            )
            yield Cell(
                groups,
                "y ~ treated * x + (1 + x | g)",
                "treated:x",
                (0.65, slope),
                f"random slope, SD {slope}; treatment of groups on the slope",
            )


@dataclass(frozen=True)
class Prepared:
    """The arrays of a cell, made once."""

    design: Design
    random: RandomPart
    codes: np.ndarray
    x: np.ndarray
    place: int


def main(replications: int) -> None:
    """Simulate every cell and write the table."""
    facts = machine.facts()
    found = []
    for cell in cells():
        found.append(simulated(cell, replications))
        print(found[-1], flush=True)
    numbers = {"machine": facts, "replications": replications, "seed": SEED, "cells": found}
    (DOCS / "type_one_error.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    (DOCS / "type_one_error.md").write_text(page(facts, replications, found), "utf-8")


def prepared(cell: Cell) -> Prepared:
    """An unbalanced design: sizes 3, 5, 8, 12, ... in turn, two groups of five treated."""
    sizes = np.resize([3, 5, 8, 12, 20], cell.groups)
    g = np.repeat(np.arange(cell.groups), sizes)
    x = np.concatenate([np.linspace(-1.0, 1.0, size) for size in sizes])
    treated = np.isin(g % 5, (0, 3)).astype(float)
    start = np.random.default_rng(SEED).normal(size=len(g))
    data = pd.DataFrame({"y": start, "x": x, "treated": treated, "g": g})
    formula = parse(cell.formula)
    table = read_table(formula, data)
    design = build_design(formula, table)
    random = random_part(formula, table)
    return Prepared(design, random, g, x, design.names.index(cell.tested))


def simulated(cell: Cell, replications: int) -> dict[str, object]:
    """Share of rejections by every method, and how often the fit was at a boundary or refused."""
    own = prepared(cell)
    rng = np.random.default_rng([SEED, zlib.crc32(repr(cell).encode())])
    rejected = dict.fromkeys(METHODS, 0)
    refused = dict.fromkeys(METHODS, 0)
    boundary = unusable = 0
    for _ in range(replications):
        state, design = drawn(cell, own, rng)
        if state is None or not usable(state):
            unusable += 1
            continue
        boundary += bool(not state.optimum.free.all())
        for name in METHODS:
            p = p_value(name, state, design, own)
            refused[name] += p is None
            rejected[name] += p is not None and p < ALPHA
    done = replications - unusable
    return {
        "groups": cell.groups,
        "label": cell.label,
        "formula": cell.formula,
        "tested": cell.tested,
        "rows": len(own.codes),
        "rejection": {name: rejected[name] / max(done - refused[name], 1) for name in METHODS},
        "refused": refused,
        "boundary": boundary / done,
        "unusable": unusable,
    }


def drawn(cell: Cell, own: Prepared, rng: np.random.Generator) -> tuple[LmmState | None, Design]:
    """A new outcome under the null, fitted; None where the fit is refused."""
    effects = rng.normal(size=(cell.groups, 2)) * cell.sds
    y = effects[own.codes, 0] + effects[own.codes, 1] * own.x + rng.normal(size=len(own.codes))
    design = replace(own.design, y=y)
    try:
        return fit_arrays(design, own.random, reml=True), design
    except FitError:
        return None, design


def usable(state: LmmState) -> bool:
    """Whether the certificate lets the numbers be used."""
    names = tuple(str(k) for k in range(len(state.optimum.theta)))
    return certify(state.optimum, names, boundary=(), digits=15.0).usable


def p_value(name: str, state: LmmState, design: Design, own: Prepared) -> float | None:
    """Two-sided p of the tested coefficient; None where the method refuses."""
    methods: dict[str, Callable[[], Adjusted]] = {
        "CR2": lambda: clustered(
            state,
            design,
            clusters=Clusters("g", own.codes, tuple(map(str, np.unique(own.codes)))),
            kind="CR2",
            df="satterthwaite",
        )[0]
    }
    try:
        found = methods.get(name, lambda: adjusted(state, design, name))()
    except FitError:
        return None
    k = own.place
    se = float(np.sqrt(found.vcov[k, k]))
    return float(p_two_sided(state.coefficients[k], se, found.df[k]))


def page(facts: dict, replications: int, found: list[dict]) -> str:
    """The Markdown page."""
    error = 100.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / replications)
    head = [
        "groups",
        "rows",
        "model and tested effect",
        *SHOWN.values(),
        "at a boundary",
        "refused",
    ]
    rows = [
        [
            str(cell["groups"]),
            str(cell["rows"]),
            cell["label"],
            *(shown(cell["rejection"][name], replications) for name in METHODS),
            f"{100.0 * cell['boundary']:.0f} %",
            refusals(cell),
        ]
        for cell in found
    ]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
    text = PAGE.format(replications=f"{replications:,}", error=f"{error:.2f}")
    return "\n".join(
        [text, *counted(replications, found), "", *machine.lines(facts), "", *lines, ""]
    )


def counted(replications: int, found: list[dict]) -> list[str]:
    """How often each method is off by more than three Monte-Carlo errors, and by how much."""
    margin = 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / replications)
    lines = []
    for name, label in SHOWN.items():
        rates = np.array([cell["rejection"][name] for cell in found])
        lines.append(
            f"- {label}: above 5 % in {int(np.sum(rates > ALPHA + margin))} of {len(rates)} cells, "
            f"below in {int(np.sum(rates < ALPHA - margin))}; from {100.0 * rates.min():.1f} % "
            f"to {100.0 * rates.max():.1f} %"
        )
    return lines


def shown(share: float, replications: int) -> str:
    """A rejection rate with its Monte-Carlo error; bold where it is off by more than three."""
    error = np.sqrt(share * (1.0 - share) / replications)
    nominal = np.sqrt(ALPHA * (1.0 - ALPHA) / replications)
    text = f"{100.0 * share:.1f} ({100.0 * error:.1f})"
    return f"**{text}**" if abs(share - ALPHA) > 3.0 * nominal else text


def refusals(cell: dict) -> str:
    """How many replications had no answer, and by which method."""
    parts = [f"{SHOWN[name]} {count}" for name, count in cell["refused"].items() if count]
    if cell["unusable"]:
        parts.insert(0, f"fit {cell['unusable']}")
    return ", ".join(parts) or "0"


PAGE = """# Type-I error with few groups

Measured by `make type-one-error` (`benchmarks/type_one_error.py`); written by it, not by hand.
Share of replications, in percent, in which a true null hypothesis is rejected at 5 %, its
Monte-Carlo standard error in brackets; {replications} replications a cell, so that an exact method
shows 5.0 with an error of {error}. Bold: more than three such errors away from 5. Group sizes 3, 5,
8, 12, 20 in turn; two groups of five treated; residual SD 1, random intercept SD 0.65 where not
said otherwise; REML; all methods judge the same fits.

A rate above 5 is too many discoveries, one below 5 a loss of power. Where the variance to be
reckoned with is small it is often estimated as zero ("at a boundary"), and then every method that
trusts the model reads the rows as independent, or nearly so; Kenward and Roger's correction then
still counts the variance as uncertain (the values are pbkrtest's) and rejects too seldom.

"""

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATIONS)
