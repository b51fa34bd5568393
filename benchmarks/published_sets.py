"""Published values of methods everybody quotes, and R's answers in tests/reference/oracle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from digits import lre, printed_digits
from exact_sets import ROOT

import alc_stats
from alc_stats import AlcError, Fit

ORACLE = ROOT / "tests" / "reference" / "oracle" / "oracle.json"
MIXEDMODELS = "MixedModels.jl test/pls.jl"
LME4 = "lme4 tests/testthat/test-lmer.R"


@dataclass(frozen=True)
class Published:
    """A number somebody printed: `read` takes it from our fit."""

    file: str
    formula: str
    method: str
    what: str
    value: str
    source: str
    read: Callable[[Fit], float]


def published() -> list[Published]:
    """The values, data set by data set."""
    dyestuff = ("lme4__Dyestuff", "Yield ~ 1 + (1 | Batch)")
    penicillin = ("lme4__Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "ML")
    pastes = ("lme4__Pastes", "strength ~ 1 + (1 | batch) + (1 | sample)", "ML")
    sleep = ("lme4__sleepstudy", "Reaction ~ Days + (1 + Days | Subject)", "ML")
    rows = [
        (*dyestuff, "ML", "-2 log-likelihood", "327.327059881135", LME4, deviance),
        (*dyestuff, "ML", "theta", ".7525806540074477", MIXEDMODELS, relative("Batch")),
        (*dyestuff, "REML", "-2 log-likelihood", "319.654276842342", LME4, deviance),
        (*dyestuff, "REML", "SD of the residual", "49.5101272946856", LME4, sd("Residual")),
        (*dyestuff, "REML", "variance of Batch", "1764.0375195", LME4, variance("Batch")),
        (*dyestuff, "REML", "variance of the mean", "375.714676744", LME4, squared_error),
        (*dyestuff, "REML", "theta", ".84832031", LME4, relative("Batch")),
        (*penicillin, "-2 log-likelihood", "332.1883486700085", MIXEDMODELS, deviance),
        (*penicillin, "SD of plate", ".845571948", MIXEDMODELS, sd("plate")),
        (*penicillin, "SD of sample", "1.770666461", MIXEDMODELS, sd("sample")),
        (*penicillin, "SD of the residual", ".549931907", MIXEDMODELS, sd("Residual")),
        (*penicillin, "standard error", ".74460378", MIXEDMODELS, error("Intercept")),
        (*pastes, "-2 log-likelihood", "247.9944658624955", MIXEDMODELS, deviance),
        (*pastes, "SD of sample", "2.904077936", MIXEDMODELS, sd("sample")),
        (*pastes, "SD of batch", "1.095060801", MIXEDMODELS, sd("batch")),
        (*pastes, "SD of the residual", ".823407389", MIXEDMODELS, sd("Residual")),
        (*sleep, "-2 log-likelihood", "1751.9393444636682", MIXEDMODELS, deviance),
        (*sleep, "standard error, Intercept", "6.6322953", MIXEDMODELS, error("Intercept")),
        (*sleep, "standard error, Days", "1.5022388", MIXEDMODELS, error("Days")),
        (*sleep, "SD of Intercept", "23.7806644", MIXEDMODELS, sd("Subject")),
        (*sleep, "SD of Days", "5.7168447", MIXEDMODELS, sd("Subject", "Days")),
        (
            "lme4__sleepstudy",
            "Reaction ~ Days + (1 + Days || Subject)",
            "ML",
            "-2 log-likelihood",
            "1752.003255140962",
            MIXEDMODELS,
            deviance,
        ),
        (
            "lme4__InstEval",
            "y ~ 1 + service + (1 | s) + (1 | d) + (1 | dept)",
            "ML",
            "-2 log-likelihood",
            "237721.76877450474",
            MIXEDMODELS,
            deviance,
        ),
        (
            "lme4__InstEval",
            "y ~ 1 + service * C(dept) + (1 | s) + (1 | d)",
            "ML",
            "-2 log-likelihood",
            "237585.5534151695",
            MIXEDMODELS,
            deviance,
        ),
    ]
    return [Published(*row) for row in rows]


def deviance(fit: Fit) -> float:
    """-2 log-likelihood."""
    return -2.0 * float(fit.loglik or np.nan)


def sd(group: str, term: str = "Intercept") -> Callable[[Fit], float]:
    """Reader of a standard deviation of the random part."""
    wanted = "" if group == "Residual" else term

    def read(fit: Fit) -> float:
        return next(
            c.sd
            for c in fit.random
            if (c.group, c.term) == (group, wanted) and c.correlation is None
        )

    return read


def variance(group: str) -> Callable[[Fit], float]:
    """Reader of a variance."""
    return lambda fit: sd(group)(fit) ** 2


def relative(group: str) -> Callable[[Fit], float]:
    """Reader of an SD relative to the residual's."""
    return lambda fit: sd(group)(fit) / sd("Residual")(fit)


def error(name: str) -> Callable[[Fit], float]:
    """Reader of a standard error."""
    return lambda fit: float(fit.bse[name])


def squared_error(fit: Fit) -> float:
    """Squared standard error of the intercept."""
    return error("Intercept")(fit) ** 2


def published_rows(data: Path) -> Iterator[list[str]]:
    """Our value beside every published one, digits that agree, digits the source prints."""
    for own in published():
        ours = own.read(fitted(data, own.file, own.formula, own.method, "satterthwaite"))
        agree = min(lre(ours, own.value), float(printed_digits(own.value)))
        yield [
            own.file.split("__")[1],
            f"`{own.formula}`".replace("|", "\\|"),
            own.method,
            own.what,
            f"{ours:.13g}",
            own.value,
            f"{agree:.1f} of {printed_digits(own.value)}",
            own.source,
        ]


@cache
def table(data: Path, name: str) -> pd.DataFrame:
    """A table as the R script that made the oracle coded it."""
    read = pd.read_csv(data / "multilevel" / f"{name}.csv")
    if name == "nlme__Orthodont":
        return read.assign(Sex=pd.Categorical(read["Sex"], ["Male", "Female"]))
    if name == "nlme__MathAchieve":
        schools = pd.read_csv(data / "multilevel" / "nlme__MathAchSchool.csv")
        read = read.merge(schools[["School", "Sector"]], on="School")
        centre = read.groupby("School")["SES"].transform("mean")
        sector = pd.Categorical(read["Sector"], ["Public", "Catholic"])
        return read.assign(cses=read["SES"] - centre, Sector=sector)
    return read


@cache
def fitted(data: Path, name: str, formula: str, method: Any, df: str) -> Fit:
    """Our fit."""
    return alc_stats.fit(formula, table(data, name), method=method, df=df)


def oracle() -> dict[str, Any]:
    """R's answers."""
    return dict(json.loads(ORACLE.read_text(encoding="utf-8")))


def oracle_rows(data: Path) -> Iterator[list[str]]:
    """Fewest agreeing digits over the coefficients, model by model and quantity by quantity."""
    for name, said in oracle().items():
        if not isinstance(said, dict) or "fixed_satterthwaite" not in said:
            continue
        file = said["file"].split(" ")[0]
        model = (data, file, said["formula"], "REML" if said["REML"] else "ML")
        row = [name, f"`{said['formula']}`".replace("|", "\\|"), model[3]]
        row.append(
            f"{lre(float(fitted(*model, 'satterthwaite').loglik or 0.0), said['loglik']):.1f}"
        )
        for df in ("satterthwaite", "kenward-roger"):
            theirs = said.get(f"fixed_{df.replace('-', '_')}")
            if theirs is None:
                row += ["", "", ""]
                continue
            row += agreement(fitted(*model, df), theirs)
        yield row


def agreement(fit: Fit, theirs: list[dict[str, Any]]) -> list[str]:
    """Fewest digits of standard errors, degrees of freedom and p values."""
    ours = {
        "Estimate": fit.params.to_numpy(),
        "Std. Error": fit.bse.to_numpy(),
        "df": fit.df,
        "Pr(>|t|)": fit.pvalues.to_numpy(),
    }
    place = [int(np.argmin(np.abs(ours["Estimate"] / row["Estimate"] - 1.0))) for row in theirs]
    scores = {
        part: [lre(float(values[k]), row[part]) for k, row in zip(place, theirs, strict=True)]
        for part, values in ours.items()
    }
    return [f"{min(scores[part]):.1f}" for part in ("Std. Error", "df", "Pr(>|t|)")]


def robust_rows(data: Path) -> Iterator[list[str]]:
    """CR2 of the random-intercept model of Orthodont beside clubSandwich."""
    theirs = oracle()["cr2_orthodont"]["table"]
    formula = "distance ~ Sex * age + (1 | Subject)"
    try:
        fit = alc_stats.fit(
            formula, table(data, "nlme__Orthodont"), covariance="CR2", cluster="Subject"
        )
    except AlcError as refusal:
        yield ["all", f"refused: {refusal}", "", "", "", "", ""]
        return
    for row in theirs:
        k = int(np.argmin(np.abs(fit.estimates / row["beta"] - 1.0)))
        pairs = [
            (float(fit.bse.iloc[k]), row["SE"]),
            (float(fit.df[k]), row["df_Satt"]),
            (float(fit.pvalues.iloc[k]), row["p_Satt"]),
        ]
        values = [f"{ours:.10g} ({lre(ours, r):.1f})" for ours, r in pairs]
        yield [fit.names[k], *values, *(f"{r:.10g}" for _, r in pairs)]
