"""Location-scale models against other programs' answers, converted to log SD where they are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from exact_sets import ROOT
from published_sets import oracle

import alc_stats as alc
from alc_stats.estimators.fit import Fit

HALF = 0.5
"""From log variance to log SD."""


def spread_rows(data: Path) -> Iterator[list[str]]:
    """A row of the table for every quantity."""
    folder = data / "multilevel"
    witness = ROOT / "tests" / "reference" / "location_scale" / "location_scale.json"
    independent = json.loads(witness.read_text(encoding="utf-8"))["fits"]
    source = "independent script (tests/reference/location_scale)"
    riesby = pd.read_csv(folder / "riesby.csv")
    own = alc.fit(
        "hamdep ~ week*endog + (1 | id)", riesby, scale="~ week + endog + (1 | id)",
        between="~ endog",
    )  # fmt: skip
    yield from _with_scale_effect("riesby", own, independent["riesby"], source)
    posmood = pd.read_csv(folder / "posmood.csv")
    own = alc.fit(
        "posmood ~ alone + genderf + (1 | id)", posmood, scale="~ alone + genderf + (1 | id)",
        between="~ alone + genderf",
    )  # fmt: skip
    yield from _with_scale_effect("posmood", own, independent["posmood"], source)
    yield from _without(folder)


def _with_scale_effect(
    name: str, own: Fit, other: dict[str, object], source: str
) -> Iterator[list[str]]:
    se = own.bse
    scale = [label for label in own.labels if label.startswith("log_sd.")]
    between = [label for label in own.labels if label.startswith("between_log_sd.")]
    sd = next(c.sd for c in own.random if c.term == "log_sd" and not c.other)
    r = next(c.correlation for c in own.random if "log_sd" in (c.term, c.other) and c.other)
    mean = [label for label in own.labels if "log_sd" not in label]
    pairs = [
        ("log-likelihood", own.loglik, other["loglik"]),
        ("means, worst", own.params[mean], other["beta"]),
        ("standard errors of means, worst", se[mean], other["se_beta"]),
        ("log SD of rows, worst", own.params[scale], HALF * np.array(other["tau"])),
        ("their standard errors, worst", se[scale], HALF * np.array(other["se_tau"])),
        ("log SD between persons, worst", own.params[between], HALF * np.array(other["alpha"])),
        ("their standard errors, worst", se[between], HALF * np.array(other["se_alpha"])),
        ("SD of the scale effect, log SD", sd, HALF * float(str(other["sigma_omega"]))),
        ("its correlation with the level", r, other["r"]),
    ]
    for quantity, ours, theirs in pairs:
        yield [name, quantity, _number(ours), _number(theirs), _digits(ours, theirs), source]


def _without(folder: Path) -> Iterator[list[str]]:
    entries = oracle()
    sleep = pd.read_csv(folder / "lme4__sleepstudy.csv")
    own = alc.fit("Reaction ~ Days + (1 | Subject)", sleep, scale="~ Days", method="ML")
    yield from _glmmtmb("sleepstudy", own, entries["disp_sleep"])
    orthodont = pd.read_csv(folder / "nlme__Orthodont.csv")
    orthodont["Sex"] = pd.Categorical(orthodont["Sex"], ["Male", "Female"])
    formula = "distance ~ Sex*I(age - 11) + (1 | Subject)"
    own = alc.fit(formula, orthodont, scale="~ Sex", method="ML")
    yield from _glmmtmb("Orthodont", own, entries["disp_orthodont"])
    formula = "distance ~ Sex*I(age - 11) + (1 + I(age - 11) | Subject)"
    two = alc.fit(formula, orthodont, scale="~ Sex")
    one = alc.fit(formula, orthodont)
    published = [
        ("restricted log-likelihood", two.loglik, -205.76124),
        ("SD ratio, female over male", np.exp(two.params["log_sd.Sex[T.Female]"]), 0.40885),
        ("likelihood ratio of one SD or two", alc.compare(one, two).statistic, 21.059),
    ]
    for quantity, ours, theirs in published:
        digits = _digits(ours, theirs)
        yield ["Orthodont, slopes, REML", quantity, _number(ours), _number(theirs), digits, "nlme"]


def _glmmtmb(name: str, own: Fit, entry: dict[str, object]) -> Iterator[list[str]]:
    rows = entry["dispersion"]
    theirs = HALF * np.array([row["Estimate"] for row in rows])  # type: ignore[attr-defined]
    errors = HALF * np.array([row["Std. Error"] for row in rows])  # type: ignore[attr-defined]
    scale = [label for label in own.labels if label.startswith("log_sd.")]
    pairs = [
        ("log-likelihood", own.loglik, entry["loglik"]),
        ("log SD of rows, worst", own.params[scale], theirs),
        ("their standard errors, worst", own.bse[scale], errors),
    ]
    for quantity, ours, other in pairs:
        yield [name, quantity, _number(ours), _number(other), _digits(ours, other), "glmmTMB 1.1.5"]


def _digits(ours: object, theirs: object) -> str:
    """Agreeing digits, the worst of several."""
    a, b = np.atleast_1d(np.asarray(ours, float)), np.atleast_1d(np.asarray(theirs, float))
    share = np.abs(a - b) / np.abs(b)
    return f"{-np.log10(max(float(share.max()), 1e-15)):.1f}"


def _number(value: object) -> str:
    """A number, or several, to ten figures."""
    return ", ".join(f"{x:.10g}" for x in np.atleast_1d(np.asarray(value, float)))
