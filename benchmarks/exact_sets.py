"""Models whose REML solution is a rational number, and what three programs answer."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pandas as pd
from digits import lre

import alc_stats
from alc_stats import AlcError, Fit

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests"))

from estimators import exact  # noqa: E402

NIST = ROOT / "tests" / "reference" / "nist"
NIST_SETS = (
    "SiRstv",
    "SmLs01",
    "SmLs02",
    "SmLs03",
    "AtmWtAg",
    *(f"SmLs0{k}" for k in range(4, 10)),
)


@dataclass(frozen=True)
class ExactSet:
    """A table, a model and its exact answer.

    `places` says where an answer stands: ("v", group, term), ("c", group, term, other) for a
    covariance, ("b", coefficient), ("s", coefficient) for a squared standard error.
    """

    name: str
    source: str
    table: pd.DataFrame
    formula: str
    certified: dict[tuple[str, ...], Fraction]
    limit: dict[tuple[str, ...], Fraction] | None = None


def exact_sets(data: Path | None) -> list[ExactSet]:
    """The sets whose data are there."""
    found = [] if data is None else balanced_sets(data)
    return found + [nist_set(name) for name in NIST_SETS]


def nist_set(name: str) -> ExactSet:
    """A StRD one-way set as a random-intercept model."""
    rows = exact.nist_table(NIST / f"{name}.dat")
    places = one_way_places("g")
    table = pd.DataFrame({"g": [g for g, _ in rows], "y": [float(y) for _, y in rows]})
    return ExactSet(
        f"NIST {name}",
        "NIST StRD, one-way analysis of variance",
        table,
        "y ~ 1 + (1 | g)",
        named(exact.one_way(rows), places),
        named(exact.one_way(rows, exact.from_float64), places),
    )


def balanced_sets(data: Path) -> list[ExactSet]:
    """The balanced classics of lme4 and nlme."""
    sleep, dyestuff, penicillin, pastes, machines = (
        pd.read_csv(data / "multilevel" / f"{name}.csv", dtype=str)
        for name in (
            "lme4__sleepstudy",
            "lme4__Dyestuff",
            "lme4__Penicillin",
            "lme4__Pastes",
            "nlme__Machines",
        )
    )
    growth = {
        ("b", "Intercept"): "b0",
        ("b", "Days"): "b1",
        ("v", "Subject", "Intercept"): "v0",
        ("v", "Subject", "Days"): "v1",
        ("c", "Subject", "Days", "Intercept"): "c01",
        ("v", "Residual", ""): "s2",
        ("s", "Intercept"): "se0sq",
        ("s", "Days"): "se1sq",
    }
    two = {("v", "Residual", ""): "residual", ("s", "Intercept"): "se^2"}
    return [
        ExactSet(
            "sleepstudy",
            "lme4; tests/reference/exact",
            numbers(sleep, "Reaction", "Days"),
            "Reaction ~ Days + (1 + Days | Subject)",
            named(exact.growth(rows_of(sleep, "Subject", "Days", "Reaction")), growth),
        ),
        ExactSet(
            "Dyestuff",
            "lme4",
            numbers(dyestuff, "Yield"),
            "Yield ~ 1 + (1 | Batch)",
            named(exact.one_way(rows_of(dyestuff, "Batch", "Yield")), one_way_places("Batch")),
        ),
        ExactSet(
            "Penicillin",
            "lme4",
            numbers(penicillin, "diameter"),
            "diameter ~ 1 + (1 | plate) + (1 | sample)",
            named(
                exact.crossed(cells_of(penicillin, "plate", "sample", "diameter")),
                {
                    ("v", "plate", "Intercept"): "first",
                    ("v", "sample", "Intercept"): "second",
                    **two,
                },
            ),
        ),
        ExactSet(
            "Pastes",
            "lme4",
            numbers(pastes, "strength"),
            "strength ~ 1 + (1 | batch) + (1 | sample)",
            named(
                exact.nested(cells_of(pastes, "batch", "sample", "strength")),
                {
                    ("v", "batch", "Intercept"): "outer",
                    ("v", "sample", "Intercept"): "inner",
                    **two,
                },
            ),
        ),
        ExactSet(
            "Machines",
            "nlme",
            numbers(machines, "score"),
            "score ~ Machine + (1 | Worker) + (1 | Worker:Machine)",
            named(
                exact.treated(cells_of(machines, "Worker", "Machine", "score")),
                {
                    ("v", "Worker", "Intercept"): "outer",
                    ("v", "Worker:Machine", "Intercept"): "inner",
                    ("v", "Residual", ""): "residual",
                    ("s", "Machine[T.B]"): "se^2",
                },
            ),
        ),
    ]


def one_way_places(group: str) -> dict[tuple[str, ...], str]:
    """Where the three numbers of a one-way model stand."""
    return {
        ("v", group, "Intercept"): "group",
        ("v", "Residual", ""): "residual",
        ("s", "Intercept"): "se^2",
    }


def named(
    answers: dict[str, Fraction], places: dict[tuple[str, ...], str]
) -> dict[tuple[str, ...], Fraction]:
    """The exact answers by place."""
    return {place: answers[name] for place, name in places.items()}


def numbers(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The table with columns as float64."""
    return table.astype(dict.fromkeys(columns, float))


def rows_of(table: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Rows as tuples of text."""
    return list(table[list(columns)].itertuples(index=False, name=None))


def cells_of(table: pd.DataFrame, first: str, second: str, y: str) -> list[tuple[Any, str]]:
    """Rows of a two-way layout: cell, outcome."""
    return [((a, b), value) for a, b, value in rows_of(table, first, second, y)]


@dataclass(frozen=True)
class Answer:
    """What a program said: a number at every place, or why not."""

    numbers: dict[tuple[str, ...], float]
    remark: str = ""
    promised: float | None = None


def ours(own: ExactSet) -> Answer:
    """alc_stats with its defaults."""
    try:
        fit = alc_stats.fit(own.formula, own.table)
    except AlcError as error:
        return Answer({}, f"refused: {error}")
    certificate = fit.certificate
    if not certificate.usable:
        return Answer({}, f"refused: {certificate.sentence}", certificate.digits)
    return Answer(answers_of(fit, own.certified), certificate.status, certificate.digits)


def answers_of(fit: Fit, places: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """The numbers of a fit at the places asked for."""
    found: dict[tuple[str, ...], float] = {}
    sds = {(c.group, c.term): c.sd for c in fit.random if c.correlation is None}
    for place in places:
        kind, *rest = place
        if kind == "b":
            found[place] = float(fit.params[rest[0]])
        elif kind == "s":
            found[place] = float(fit.bse[rest[0]]) ** 2
        elif kind == "v":
            found[place] = sds[rest[0], rest[1]] ** 2
        else:
            group, *pair = rest
            part = next(
                c for c in fit.random if c.group == group and {c.term, c.other} == set(pair)
            )
            sizes = sds[group, pair[0]] * sds[group, pair[1]]
            found[place] = sizes * float(part.correlation or 0.0)
    return found


def lme4(sets: Sequence[ExactSet], folder: Path) -> list[Answer]:
    """`lmer` with its defaults, all sets in one process; empty without R."""
    if not machine.has_r():
        return [Answer({}, "not run") for _ in sets]
    jobs = []
    for number, own in enumerate(sets):
        file = folder / f"{number}.csv"
        own.table.to_csv(file, index=False)
        kinds = ["numeric" if kind.kind == "f" else "factor" for kind in own.table.dtypes]
        jobs.append({"file": str(file), "formula": own.formula, "classes": kinds})
    path = folder / "jobs.json"
    path.write_text(json.dumps(jobs), encoding="utf-8")
    done = subprocess.run(
        ["Rscript", str(HERE / "validation.R"), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return [lme4_answer(own, said) for own, said in zip(sets, found, strict=True)]


def lme4_answer(own: ExactSet, said: dict[str, Any]) -> Answer:
    """R's words as ours."""
    if "failed" in said:
        return Answer({}, f"error: {said['failed']}")
    found: dict[tuple[str, ...], float] = {}
    columns = [listed(said[key]) for key in ("group", "var1", "var2", "vcov")]
    for group, first, second, value in zip(*columns, strict=True):
        terms = [str(term).replace("(Intercept)", "Intercept") for term in (first, second)]
        known = [p for p in own.certified if p[0] in "vc" and same_group(p[1], group)]
        for place in known:
            wanted = set(place[2:]) - {""}
            if wanted == {term for term in terms if term != "NA"}:
                found[place] = float(value)
    for k, name in enumerate(coefficients(own)):
        found[("b", name)] = float(listed(said["beta"])[k])
        found[("s", name)] = float(listed(said["se2"])[k])
    remark = f"{said['warned']} warnings" if said["warned"] else ""
    return Answer({place: found[place] for place in own.certified}, remark)


def listed(value: Any) -> list[Any]:
    """R's vectors of length one are written without brackets."""
    return value if isinstance(value, list) else [value]


def same_group(ours_: str, theirs: str) -> bool:
    """Whether two names of a grouping are one; R turns some around."""
    return set(ours_.split(":")) == set(theirs.split(":"))


def coefficients(own: ExactSet) -> list[str]:
    """Names of the fixed effects in order."""
    return list(alc_stats.fit(own.formula.split("+ (")[0], own.table).names)


def statsmodels(own: ExactSet) -> Answer:
    """MixedLM with its defaults, where it has the model."""
    import statsmodels.formula.api as smf

    if own.formula.count("|") > 1:
        return Answer({}, "no crossed or nested terms in its formula")
    fixed, random = own.formula.rstrip(")").split(" + (")
    columns, group = (part.strip() for part in random.split("|"))
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            found = smf.mixedlm(fixed, own.table, groups=group, re_formula=f"~{columns}").fit()
        except (np.linalg.LinAlgError, ValueError) as error:
            return Answer({}, f"error: {error}")
    names = ["Intercept", *columns.split(" + ")[1:]]
    covariance = pd.DataFrame(found.cov_re.to_numpy(), names, names)
    answers = {p: statsmodels_number(p, found, covariance) for p in own.certified}
    remark = f"{len(caught)} warnings" if caught else ""
    return Answer(answers, f"{remark} converged={found.converged}".strip())


def statsmodels_number(place: tuple[str, ...], found: Any, covariance: pd.DataFrame) -> float:
    """One number of a MixedLM fit."""
    kind, *rest = place
    if kind == "b":
        return float(found.fe_params[rest[0]])
    if kind == "s":
        return float(found.bse_fe[rest[0]]) ** 2
    if rest[0] == "Residual":
        return float(found.scale)
    return float(covariance.loc[rest[1], rest[-1]])


def scored(own: ExactSet, answer: Answer, *, kinds: str) -> float | None:
    """Fewest correct digits over the places of some kinds; None where there is no answer."""
    places = [p for p in own.certified if p[0] in kinds and p in answer.numbers]
    return min((lre(answer.numbers[p], own.certified[p]) for p in places), default=None)


def input_limit(own: ExactSet, *, kinds: str) -> float | None:
    """Digits an exact calculation would keep of data read as float64."""
    if own.limit is None:
        return None
    return min(lre(own.limit[p], own.certified[p]) for p in own.certified if p[0] in kinds)
