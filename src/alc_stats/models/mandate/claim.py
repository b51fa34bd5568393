"""Mandates as treatments: what changes in firms when a mandate starts, and how one would know.

Firms start at different times, so two-way fixed effects compare newly mandated firms with long
mandated ones and can have the wrong sign. Here each cohort is compared, period by period, with
firms that are under no mandate (yet), and the answers are added up afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.inference.decision import Criterion, check_criterion, not_tested
from alc_stats.inference.group_time import NEVER
from alc_stats.measures.columns import listed
from alc_stats.models.arguments import check_arguments
from alc_stats.models.finding import Claim, Finding, find, joined
from alc_stats.models.mandate.data import MandateData, MandateQuestion, mandate_data
from alc_stats.models.mandate.effects import MandateFound, estimated
from alc_stats.models.mandate.evidence import all_evidence
from alc_stats.models.mandate.gaps import lone_cells
from alc_stats.models.mandate.lines import lines
from alc_stats.models.mandate.pictures import pictures
from alc_stats.models.mandate.robustness import robust_lines, robustness, trends_evidence
from alc_stats.models.mandate.sensitivity_pictures import sensitivity_pictures
from alc_stats.models.widening.claim import SMALLEST_WIDENING
from alc_stats.records import Number, Phrase

_FLAT = 1e-12
SMALLEST_SHIFT = 0.20
"""Default smallest effect on a mean, in SDs of rows before any start."""


def mandate(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    outcome: str,
    firm: str,
    time: str,
    start: str | None = None,
    treated: str | None = None,
    announced: str | None = None,
    person: str | None = None,
    minus: str | None = None,
    functional: str = "mean",
    covariates: Sequence[str] = (),
    method: str = "regression",
    controls: str = "never",
    base: str = "varying",
    anticipation: int = 0,
    gaps: str = "refuse",
    since: tuple[int, int] | None = None,
    time_varying: Sequence[str] = (),
    composition: Sequence[str] = (),
    criterion: Criterion | None = None,
) -> Finding:
    """What a mandate does to firms: group-time effects under staggered adoption.

    The estimate is the intention-to-treat effect on the mandated: ATT(g, t) of every cohort g in
    every period t, averaged over a cohort's periods and then over cohorts by their size. It is an
    effect on each firm's mean, on the gap of two outcomes, or on the spread of persons in it.

    With up to five firms on a side, permuting the dates among firms decides: its p is the
    finding's, and an effect it does not see supports nothing.

    Parameters
    ----------
    data : DataFrame
        One row a firm and period; with `person`, one a person and period.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    outcome : str
    firm : str
        What was mandated as a whole.
    time : str
        Equally spaced numbers, such as 1, 2, 3.
    start : str, optional
        A firm's first period under the mandate, in all its rows; empty for none.
    treated : str, optional
        0 and 1, row by row, instead of `start` or beside it.
    announced : str, optional
        When the firm's mandate was announced. Periods from the earliest announcement on are not
        compared with: the longest notice is the anticipation of all.
    person : str, optional
        Who was observed; outcomes are aggregated to firms and periods.
    minus : str, optional
        A second outcome: the claim is about `outcome` less `minus` (awareness less capability),
        with their joint influence functions.
    functional : {"mean", "log_sd"}
        Of persons in a firm and period; "log_sd" is the bias-corrected ln S + 1 / (2 (n - 1)).
    covariates : sequence of str
        Known before; a firm's mean in the first period is held.
    method : {"regression", "weighting", "doubly_robust"}
        How covariates are held.
    controls : {"never", "not_yet"}
        Firms never under a mandate, or these and those that start later.
    base : {"varying", "universal"}
        Before the start, differences from the period before, or from the last before the start.
        From the start (less anticipation) on both are the same.
    anticipation : int
        Periods before the start in which firms may react already.
    gaps : {"refuse", "pairs", "leave_out"}
        What becomes of firms that are not seen in all periods: "pairs" takes in each comparison
        the firms seen in both of its periods; "leave_out" leaves them out and says how many.
    since : (int, int), optional
        First and last period since the start that the effect is about; all by default.
    time_varying : sequence of str
        Covariates of every period. Only lines of the imputation estimator hold them, beside the
        same without, since the mandate may move them too.
    composition : sequence of str
        Groups of persons, such as their level: a line holds their shares in each firm as they were
        before the first start of all. An empty entry is a group of its own.
    criterion : Criterion, optional
        Superiority; smallest effect 0.20 SD of rows before any start, 0.1116 for a log SD.

    Returns
    -------
    Finding
        Its triangulation holds the other aggregations, cohorts, times since the start, cells, the
        tests, intervals that are robust to trends that part, and two-way fixed effects with their
        negative weights.

    Raises
    ------
    DeclarationError, TableError
        For unknown columns or choices; duplicate firm-periods, gaps, unevenly spaced periods,
        mandates that start before they are announced or switch off, one mandated firm, no firm to
        compare with, firms under a mandate from the first period on, too few persons for a spread.

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230. Sant'Anna and Zhao (2020),
    Journal of Econometrics 219, 101-122. De Chaisemartin and D'Haultfoeuille (2020), American
    Economic Review 110, 2964-2996. Roth (2022), American Economic Review: Insights 4, 305-322.
    Rambachan and Roth (2023), Review of Economic Studies 90, 2555-2591.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> rows = pd.MultiIndex.from_product([range(60), range(1, 7)], names=["firm", "month"])
    >>> panel = rows.to_frame(index=False)
    >>> panel["start"] = panel["firm"].map(lambda f: {0: 3, 1: 5}.get(f % 3))
    >>> on = panel["month"] >= panel["start"]
    >>> panel["tokens"] = panel["month"] + 2.0 * on + rng.normal(size=360)
    >>> found = mandate(panel, outcome="tokens", firm="firm", time="month", start="start")
    >>> found.decision.verdict, abs(found.estimate.value - 2.0) < 2 * found.estimate.se
    ('supported', True)
    """
    question = MandateQuestion(
        outcome=outcome, firm=firm, time=time, start=start, treated=treated, announced=announced,
        person=person, minus=minus, functional=functional, covariates=listed(covariates),
        method=method, controls=controls, base=base, anticipation=anticipation,
        gaps=gaps, since=since, time_varying=listed(time_varying),
        composition=listed(composition),
    )  # fmt: skip
    check_arguments("mandate", question, claim, criterion)
    claim = claim or Claim("mandate", "mandate", f"{outcome} rises under the mandate.")
    panel = mandate_data(data, question)
    return _judged(panel, claim, criterion or _default(panel))


def judge(
    data: pd.DataFrame, question: MandateQuestion, claim: Claim, criterion: Criterion
) -> Finding:
    """`mandate` with its columns as one record."""
    check_criterion(criterion)
    return _judged(mandate_data(data, question), claim, criterion)


def _default(panel: MandateData) -> Criterion:
    spread = panel.question.functional == "log_sd"
    return Criterion("superiority", SMALLEST_WIDENING if spread else
                     SMALLEST_SHIFT * panel.before_sd)  # fmt: skip


def _judged(panel: MandateData, claim: Claim, criterion: Criterion) -> Finding:
    check_criterion(criterion)
    try:
        found = _varied(estimated(panel, alpha=criterion.alpha))
    except FitError as error:
        return Finding(
            claim.id, claim.claim, claim.statement, claim.family, None, criterion.smallest_effect,
            None, not_tested(criterion.rule, Phrase.verbatim(str(error))),
        )  # fmt: skip
    level = 1.0 - criterion.alpha
    checks = robustness(found, criterion)
    finding = find(
        claim, found.headline, criterion=criterion,
        evidence=(*all_evidence(found, criterion), trends_evidence(checks)),
        observed=_observed(found),
        triangulation=lines(found, level, robust_lines(found, checks, level)),
        pictures=(*pictures(found, level), *sensitivity_pictures(found, checks.trends, level)),
    )  # fmt: skip
    return replace(finding, p=found.permuted.p) if _by_permutation(found, criterion) else finding


def _varied(found: MandateFound) -> MandateFound:
    """Effects without any error are those of outcomes that are the same in all firms."""
    size = max(float(np.abs(found.data.contrast).max()), 1.0)
    if np.abs(found.cells.influence).max() <= _FLAT * size * len(found.data.firms):
        raise FitError(Problem(
            "changes of the outcome are the same in all firms of a cohort",
            way_out="Ask for an outcome that varies between firms.",
        ))  # fmt: skip
    return found


def _by_permutation(found: MandateFound, criterion: Criterion) -> bool:
    """The test of no effect at all speaks to superiority only."""
    return found.few and criterion.rule == "superiority"


def _observed(found: MandateFound) -> Phrase:
    d = found.data
    numbers = {
        "firms": Number(len(d.firms), "count"),
        "periods": Number(len(d.periods), "count"),
        "cohorts": Number(len(np.unique(d.adoption[d.adoption < NEVER])), "count"),
    }
    seen = Phrase("{firms} firms over {periods} periods, {cohorts} cohorts by start.", numbers)
    return joined(seen, *_said_of(d))


def _said_of(d: MandateData) -> list[Phrase]:
    """What was left out, and what was not compared with."""
    said_of = []
    if d.question.functional == "log_sd":
        sampling = Number(float(np.mean(1.0 / (2.0 * (d.sizes - 1.0)))), unit="log SD squared")
        said_of.append(Phrase("A log SD has a sampling variance of {sampling_variance} on average, "
                              "which errors by firm contain.",
                              {"sampling_variance": sampling}))  # fmt: skip
    if d.anticipation:
        said_of.append(Phrase("Not compared with: {notice} "
                              f"period{'s' * (d.anticipation > 1)} before the start.",
                              {"notice": Number(d.anticipation, "count")}))  # fmt: skip
    if d.left_out_rows:
        said_of.append(Phrase("{left_out_rows} rows lack an outcome, firm or period.",
                              {"left_out_rows": Number(d.left_out_rows, "count")}))  # fmt: skip
    if d.left_out_firms:
        said_of.append(Phrase("{left_out_firms} firms with gaps were left out.",
                              {"left_out_firms": Number(d.left_out_firms, "count")}))  # fmt: skip
    if alone := lone_cells(d):
        said_of.append(Phrase("{lone_cells} effects of a cohort and period are left out, since one "
                              "firm alone is seen there.",
                              {"lone_cells": Number(alone, "count")}))  # fmt: skip
    if d.set_aside_rows:
        said_of.append(Phrase("{set_aside_rows} rows after the start are not asked about.",
                              {"set_aside_rows": Number(d.set_aside_rows, "count")}))  # fmt: skip
    return said_of
