"""Four synthetic studies for the tests of `report`: made-up numbers in the shape of real ones.

`real_looking` has everything; `simulated` has a failed fit and a suppressed cell; `not_run` lacks
its source; `hostile` puts every character that some format could mistake into its labels.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from alc_stats.data.ledger import LedgerRow
from alc_stats.estimators.certificate import Certificate, Status
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Coding, Component, Counts, Fit, Request, VarianceComponent
from alc_stats.inference.decision import Decision, Rule, Verdict
from alc_stats.measures.describe import Descriptive
from alc_stats.measures.scales import Scale
from alc_stats.models.finding import Evidence, Finding, Line
from alc_stats.records import Number, Phrase
from alc_stats.study.result import Check, SourceUse, StudyResult
from report import exhibits

INF = math.inf
MACHINE = Path.home()
"""A folder that must not be named in anything written."""

HOSTILE = "50% & _x_ #1 $y$ \\ <b>|*{z}*~^\"' =cmd"
FORMULA = "=cmd('x')"


def fit(
    names: tuple[str, ...],
    estimates: tuple[float, ...],
    se: tuple[float, ...],
    *,
    df: float = INF,
    components: tuple[Component, ...] | None = None,
    random: tuple[VarianceComponent, ...] = (),
    status: Status = "exact",
    covariance: str = "model",
    cluster: str = "",
    groups: dict[str, int] | None = None,
    loglik: float | None = -246.318,
    formula: str = "y ~ x",
) -> Fit:
    """A fit with a diagonal covariance."""
    k = len(names)
    return Fit(
        request=Request(
            formula,
            "linear",
            "REML" if random else "least squares",
            covariance,
            cluster,
            "normal" if math.isinf(df) else "containment",
        ),
        names=names,
        estimates=np.array(estimates),
        vcov=np.diag(np.square(se)),
        df=np.full(k, df),
        components=components or ("mean",) * k,
        random=random,
        loglik=loglik,
        counts=Counts(246, 246, {}, groups or {}),
        certificate=Certificate(status, f"The fit is {status}."),
        coding=Coding("log_total"),
        statistics={},
        software="example 1.0",
    )


def finding(
    id_: str,
    verdict: Verdict,
    statement: str,
    *,
    estimate: Estimate | None = None,
    reason: Phrase | None = None,
    evidence: tuple[Evidence, ...] = (),
    rule: Rule = "superiority",
    p: float | None = None,
    family: str = "confirmatory",
    triangulation: tuple[Line, ...] = (),
) -> Finding:
    return Finding(
        id=id_,
        claim="gap",
        statement=statement,
        family=family,
        estimate=estimate,  # type: ignore[arg-type]
        smallest_effect=0.0513,
        p_adjusted=p,
        decision=Decision(verdict, rule, reason or Phrase("It was not tested.")),
        evidence=evidence,
        rests_on=("published",),
        triangulation=triangulation,
    )


def lines() -> tuple[Line, ...]:
    """A line that decides, one with a sign only, and one that could not be had."""
    half = {"share": Number(0.5, "share")}
    return (
        Line(
            "Location-scale model, within persons", "shifts of the mean", Phrase(""), 0.0998,
            -0.093, 0.292, 0.289, 14.0, "t, persons - 1", primary=True,
        ),
        Line(
            "Beta regression, precision part", "a floor or ceiling", Phrase("Its sign counts."),
            0.031, reference="sign only",
        ),
        Line(
            "Persons seen throughout only", "people who came or left",
            Phrase("{share} stayed.", half),
        ),
    )  # fmt: skip


_OF_THE_PROSE: dict[str, Verdict] = {
    "H16a": "supported",
    "H16b": "equivalent",
    "H16": "inconclusive",
    "H16c": "contradicted",
    "H1c": "inconclusive",
}
"""What the paper asks of this study, besides its own hypotheses."""


def real_looking() -> StudyResult:
    """Everything a study can hold; one of its findings contradicts the theory."""
    slow = Estimate("AI", 0.1726, 0.0819, INF, "log minutes")
    forecast = Estimate("forecast", -0.2853, 0.0412, 15.0, "log minutes")
    spread = Estimate("AI", 0.0998, 0.0942, INF, "log SD")
    residual = VarianceComponent("Residual", "", 0.6271)
    return StudyResult(
        id="metr_2025",
        title="Experienced open-source developers with and without AI",
        question="Do developers who believe that AI speeds them up work faster with it?",
        simulated=False,
        status="run",
        citations=("becker2025",),
        sources=(
            SourceUse(
                "issues",
                "metr-2025/data_complete.csv",
                "ab" * 32,
                "none stated; run locally only",
                "becker2025",
                "https://example.org/data_complete.csv",
            ),
        ),
        ledger=(
            LedgerRow("read issues", 246, 0, "", 246),
            LedgerRow("drop issues without a forecast", 246, 3, "no forecast was made", 243),
        ),
        scales=(Scale("belief", "Belief in speed", ("b1", "b2", "b3"), 0.874, 0.83, 0.911, 243),),
        descriptives=(
            Descriptive(
                "total", "Time to finish", "minutes", "AI", 136, 0, 113.42, 98.3, 5.0, 610.0
            ),
            Descriptive(
                "total", "Time to finish", "minutes", "no AI", 110, 0, 97.18, 88.02, 4.0, 540.0
            ),
            Descriptive(
                "belief",
                "Belief in speed",
                "points from 1 to 7",
                "AI",
                136,
                2,
                5.213,
                1.118,
                1.0,
                7.0,
            ),
            Descriptive(
                "belief",
                "Belief in speed",
                "points from 1 to 7",
                "no AI",
                110,
                1,
                4.87,
                1.204,
                1.0,
                7.0,
            ),
        ),
        models={
            "published": "OLS, HC3",
            "cluster": "OLS, clustered",
            "developer": "Random intercept",
            "scale": "Location-scale",
        },
        fits={
            "published": fit(
                ("Intercept", "ai[T.yes]", "log_forecast"),
                (0.512, 0.1726, 0.811),
                (0.182, 0.0819, 0.043),
                covariance="HC3",
                loglik=None,
            ),
            "cluster": fit(
                ("Intercept", "ai[T.yes]", "log_forecast"),
                (0.512, 0.1726, 0.811),
                (0.201, 0.0803, 0.051),
                df=15.0,
                covariance="cluster",
                cluster="developer",
                groups={"developer": 16},
                loglik=None,
            ),
            "developer": fit(
                ("Intercept", "ai[T.yes]", "log_forecast"),
                (0.634, 0.1512, 0.7893),
                (0.193, 0.0776, 0.0461),
                df=228.4,
                random=(VarianceComponent("developer", "Intercept", 0.2874), residual),
                status="optimum",
                groups={"developer": 16},
            ),
            "scale": fit(
                ("Intercept", "ai[T.yes]", "log_forecast", "Intercept", "ai[T.yes]"),
                (0.61, 0.149, 0.79, -0.51, 0.0998),
                (0.19, 0.077, 0.046, 0.063, 0.0942),
                components=("mean", "mean", "mean", "log_sd", "log_sd"),
                random=(
                    VarianceComponent("developer", "Intercept", 0.281),
                    VarianceComponent("developer", "Intercept", 0.281, "log_sd", -0.21),
                ),
                status="boundary",
                groups={"developer": 16},
            ),
        },
        findings=(
            finding(
                "H1",
                "supported",
                "Belief in speed rises while speed does not.",
                rule="conjunction",
                reason=Phrase(
                    "Every part is supported, the weakest with p = {p}.",
                    {"p": Number(0.00004, "p")},
                ),
            ),
            finding(
                "H1a",
                "supported",
                "Developers expect AI to save time.",
                estimate=forecast,
                p=0.00004,
                reason=Phrase(
                    "The forecast is {value}, 95 % interval {low} to {high}.",
                    {
                        "value": Number(-0.248, "percent"),
                        "low": Number(-0.31, "percent"),
                        "high": Number(-0.179, "percent"),
                    },
                ),
                evidence=(
                    Evidence(
                        "careless responding",
                        "clear",
                        Phrase("No developer gave one answer to all."),
                    ),
                    Evidence("demand", "threat", Phrase("Developers knew their arm.")),
                    Evidence("ceiling", "not tested", Phrase("Forecasts have no ceiling.")),
                ),
            ),
            finding(
                "H1b",
                "contradicted",
                "AI shortens the time tasks take.",
                estimate=slow,
                p=0.0352,
                reason=Phrase(
                    "Tasks took {value} more time, against the prediction.",
                    {"value": Number(0.188, "percent")},
                ),
            ),
            *(
                finding(id_, verdict, "A prediction of the prose.", estimate=slow, p=0.0352)
                for id_, verdict in _OF_THE_PROSE.items()
            ),
            finding(
                "H6",
                "inconclusive",
                "AI widens the spread of times.",
                estimate=spread,
                p=0.289,
                family="exploratory",
                reason=Phrase(
                    "The interval holds zero and the smallest effect {delta}.",
                    {"delta": Number(0.0488, unit="log SD")},
                ),
                triangulation=lines(),
            ),
        ),
        exhibits=(exhibits.forest(), exhibits.histogram()),
        numbers={
            **_quantity("slowdown_ols", 0.188, 0.013, 0.395),
            **_quantity("slowdown_hc3", 0.188, 0.0129, 0.394),
            **_quantity("slowdown_cluster", 0.188, 0.0016, 0.41),
            **_quantity("slowdown_developer", 0.163, -0.0017, 0.355),
            **_quantity("slowdown_slope", 0.159, -0.0213, 0.372),
            **_quantity("forecast", -0.248, -0.31, -0.179),
            **_quantity("gap_log", 0.458, 0.267, 0.649),
            "published_ols.n": Number(246, "count"),
            "developer.groups.developer": Number(16, "count"),
            "published_ols.ai.estimate": Number(0.1726),
            "published_ols.ai.se": Number(0.0819, "se"),
        },
        checks=(
            Check(
                "slowdown",
                0.188,
                0.18842,
                0.0005,
                "the source prints three decimals",
                "Becker et al. (2025), README",
                True,
            ),
            Check(
                "slowdown, lower limit",
                0.013,
                0.01292,
                0.0005,
                "the source prints three decimals",
                "Becker et al. (2025), README",
                True,
            ),
        ),
        seconds={"validate": 0.8, "fit": 21.43},
    )


def _quantity(id_: str, value: float, low: float, high: float) -> dict[str, Number]:
    parts = {"value": value, "low": low, "high": high}
    numbers = {f"{id_}.{part}": Number(v, "percent") for part, v in parts.items()}
    return {**numbers, f"{id_}.p": Number(0.0362, "p")}


def simulated() -> StudyResult:
    """Simulated, with a failed fit, a suppressed cell and a trajectory with a gap in it."""
    return StudyResult(
        id="reference",
        title="A simulated organisation with mandates",
        question="Does the analysis recover what was put in?",
        simulated=True,
        status="run",
        sources=(SourceUse("survey", "survey.csv", "cd" * 32, "CC0", "simulated here"),),
        ledger=(LedgerRow("careless responding", 1204, 37, "long strings of one answer", 1167),),
        descriptives=(
            Descriptive("aware", "AI awareness", "points", "mandate", 580, 4, 4.91, 0.97, 1.4, 7.0),
            Descriptive(
                "aware", "AI awareness", "points", "few people", 3, 0, None, None, None, None
            ),
        ),
        models={"widening": "Location-scale", "broken": "Random slopes"},
        fits={
            "widening": fit(
                ("Intercept", "arm[T.mandate]", "week", "arm[T.mandate]:week"),
                (3.1, 0.42, 0.03, 0.011),
                (0.08, 0.09, 0.004, 0.0049),
                df=118.0,
                random=(
                    VarianceComponent("firm", "Intercept", 0.31),
                    VarianceComponent("person", "Intercept", 0.62),
                    VarianceComponent("Residual", "", 0.88),
                ),
                status="optimum",
                groups={"firm": 40, "person": 1167},
                loglik=-10244.71,
            ),
            "broken": fit(
                ("Intercept", "arm[T.mandate]"),
                (987.654, 876.543),
                (765.432, 654.321),
                status="failed",
                groups={"firm": 39},
            ),
        },
        findings=(
            finding(
                "H1",
                "equivalent",
                "Mandates do not raise capability.",
                estimate=Estimate("arm", 0.011, 0.0049, 118.0, "SD units"),
                p=0.02,
                rule="equivalence",
                reason=Phrase("The interval lies inside ±{delta}.", {"delta": Number(0.2)}),
            ),
            finding(
                "H2",
                "not tested",
                "Mandates change the slope.",
                estimate=Estimate("arm", 876.543, 654.321, INF),
                reason=Phrase("The model did not converge."),
            ),
        ),
        exhibits=(
            exhibits.trajectory(),
            exhibits.recovery(),
            *exhibits.of_a_widening(),
            exhibits.of_a_finding(),
        ),
        numbers={"widening.n": Number(1167, "count")},
        checks=(Check("alpha", 0.9, 0.874, 0.01, "put in", "simulated here", False),),
        warnings=(f"Random slopes: the search ended at its limit (in {MACHINE}/run/fit.py)",),
        seconds={"fit": 2.2},
    )


def with_terms(names: tuple[str, ...], *, asked: str) -> StudyResult:
    """A study of one model with these terms and one hypothesis about the term `asked`."""
    values = tuple(0.5 + 0.25 * i for i in range(len(names)))
    estimate = Estimate(asked, 0.5, 0.1, INF, "points")
    return replace(
        real_looking(),
        models={"only": "Only model"},
        fits={"only": fit(names, values, (0.1,) * len(names))},
        findings=(finding("H1", "supported", "It rises.", estimate=estimate),),
    )


def unfitted() -> StudyResult:
    """A study whose only model could not be fitted."""
    return StudyResult(
        id="unfitted", title="No fit", question="", simulated=False, status="run",
        models={"m": "Never fitted"}, failures={"m": "the design has a constant column"},
    )  # fmt: skip


def not_run() -> StudyResult:
    """A study whose source is missing."""
    return StudyResult(
        id="bastani_2025",
        title="Pupils who practised with GPT-4",
        question="Does practice with AI carry over to an exam without it?",
        simulated=False,
        status="not run",
        why_not="The file final_data.csv is missing. Run alc-stats fetch bastani_2025.",
        citations=("bastani2025",),
    )


def hostile() -> StudyResult:
    """Every special character of every format, in every label."""
    return StudyResult(
        id="hostile",
        title=HOSTILE,
        question=HOSTILE,
        simulated=True,
        status="run",
        descriptives=(
            Descriptive("v", HOSTILE, "%", HOSTILE, 12, 0, 1.5, 0.5, 1.0, 2.0),
            Descriptive("w", FORMULA, "", HOSTILE, 12, 0, -1.5, 0.5, -2.0, 1.0),
        ),
        models={"m": HOSTILE},
        fits={"m": fit((HOSTILE, FORMULA), (-0.25, 0.5), (0.1, 0.1))},
        findings=(
            finding(
                "H1",
                "supported",
                HOSTILE,
                estimate=Estimate("x", 0.5, 0.1, 20.0, "%"),
                reason=Phrase(HOSTILE.replace("{", "").replace("}", "")),
            ),
        ),
        ledger=(LedgerRow(FORMULA, 12, 0, HOSTILE, 12),),
        exhibits=(exhibits.forest(HOSTILE),),
        warnings=(HOSTILE,),
    )


def studies() -> tuple[StudyResult, ...]:
    """The three an ordinary run would hold."""
    return real_looking(), not_run(), simulated()
