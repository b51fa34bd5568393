"""Calibration: whether people know what they can do, beyond what noise alone would show.

The claim is the easiest of all to get wrong. Sort people by a score that holds error, and the
lowest quarter overestimates itself and the highest does not, whoever they are. So nothing is
supported here unless it goes beyond a simulated world of noise and one constant overestimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, check_criterion, not_tested
from alc_stats.measures.columns import listed
from alc_stats.models.calibration.data import About, CalibrationQuestion, Rated, rated
from alc_stats.models.calibration.evidence import all_evidence
from alc_stats.models.calibration.fits import Compared, compare, worded
from alc_stats.models.calibration.lines import lines
from alc_stats.models.calibration.pictures import pictures
from alc_stats.models.finding import Claim, Finding, find
from alc_stats.records import Number, Phrase

SMALLEST_CURVATURE = 0.05
"""SDs of self-estimates: the slope changes by 0.2 from one SD below to one SD above the mean."""
SMALLEST_SPREAD = 0.10
"""Log SD: residuals shrink by a tenth with every SD of the score."""
SMALLEST_RESOLUTION = 0.10
"""Points of self-estimate per point of score."""
SMALLEST_BIAS = 0.20
"""SDs of the score (in the control arm, before)."""
SEED = 20261127
DRAWS = 499


def calibration(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    self_estimate: str,
    actual: str,
    person: str | None = None,
    cluster: str | None = None,
    treatment: str | None = None,
    treated: str | None = None,
    control: str | None = None,
    post: str | None = None,
    about: About | None = None,
    bounds: tuple[float, float] | None = None,
    reliability: float | None = None,
    items: Sequence[str] = (),
    item_range: tuple[float, float] | None = None,
    criterion: Criterion | None = None,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """Whether self-estimates miss what people can do, beyond noise and a constant overestimate.

    The claim is about one of four things; all of them are in the triangulation table:

    - "curvature" (the default without arms): the less able misjudge themselves in another way
      than everybody else, so that self-estimates rise more slowly with the score among the low
      than among the high (quadratic coefficient; Gignac and Zajenkowski 2020);
    - "spread": self-estimates of the less able are more scattered (Glejser's test);
    - "bias" (the default with arms): under treatment self-estimates rise beyond scores;
    - "resolution": under treatment self-estimates follow scores less (slope).

    Arms are compared by a stacked model: self-estimates above scores, one covariance for both,
    robust to any dependence within clusters. A difference score is never regressed on one of its
    parts. Every statistic is compared with its distribution in a simulated null world with the
    data's own moments, clustering, reliability and scale ends; what lies inside its 95 % band is
    no evidence (`models.calibration.null`).

    Parameters
    ----------
    data : DataFrame
        One row a person, or a person and occasion. Rows without a self-estimate or a score are
        left out and counted.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    self_estimate, actual : str
        Numeric columns on one scale.
    person, cluster : str, optional
        Who was rated, and what was assigned as a whole. Without person a row is a person; without
        cluster persons are independent.
    treatment, treated, control, post : str, optional
        As for `alc_stats.widening`: arm 0 and 1 (or two named values), 0 before and 1 after.
    about : {"curvature", "spread", "bias", "resolution"}, optional
    bounds : (float, float), optional
        Smallest and largest possible value of both columns; inf where there is none. Undeclared
        bounds allow no verdict on the curve, since a ceiling alone bends it.
    reliability : float, optional
        Of the score, 0 to 1. Undeclared and without items, the null is drawn at 1, 0.8 and 0.6
        and the least favourable one counts.
    items : sequence of str
        Items of the score, for its reliability (omega, or alpha where a one-factor model has
        none); `item_range` is their range.
    criterion : Criterion, optional
        Superiority by default: curvature above 0.05, spread below -0.10 log SD, bias above 0.20
        SD of control scores, resolution below -0.10.
    seed : int
        Of the null world and the wild bootstrap.
    draws : int
        Null worlds.

    Returns
    -------
    Finding
        Its first picture is the quartile plot, which always holds the null band.

    Raises
    ------
    DeclarationError
        For an unknown column, arms that are not two, bounds not in order, a reliability that the
        correlation of self-estimate and score rules out.
    TableError
        For values outside the bounds, or columns that look like two scales without bounds.

    References
    ----------
    Krueger and Mueller (2002), JPSP 82, 180-188. Nuhfer et al. (2016), Numeracy 9(1). Gignac and
    Zajenkowski (2020), Intelligence 80, 101449. Feld, Sauermann and de Grip (2017), Journal of
    Behavioral and Experimental Economics 68, 18-24.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> ability = rng.normal(60, 10, 200)
    >>> people = pd.DataFrame({"score": ability + rng.normal(0, 6, 200),
    ...                        "expected": 70 + 0.4 * (ability - 60) + rng.normal(0, 8, 200)})
    >>> found = calibration(people, self_estimate="expected", actual="score",
    ...                     bounds=(-np.inf, np.inf), reliability=0.7)
    >>> found.decision.verdict
    'inconclusive'
    """
    question = CalibrationQuestion(
        self_estimate=self_estimate, actual=actual, person=person, cluster=cluster,
        treatment=treatment, treated=treated, control=control, post=post, about=about,
        bounds=bounds, reliability=reliability, items=listed(items), item_range=item_range,
    )  # fmt: skip
    claim = claim or Claim("calibration", "calibration", _plain(question))
    return judge(data, question, claim, criterion, seed=seed, draws=draws)


def judge(
    data: pd.DataFrame,
    question: CalibrationQuestion,
    claim: Claim,
    criterion: Criterion | None,
    *,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """`calibration` with its columns as one record."""
    _check(criterion, draws)
    try:
        rows = rated(data, question)
        criterion = criterion or default_criterion(rows)
        found = compare(rows, data, seed=seed, draws=draws)
    except FitError as error:
        rule = criterion.rule if criterion else "superiority"
        smallest = criterion.smallest_effect if criterion else None
        return Finding(
            claim.id, claim.claim, claim.statement, claim.family, None, smallest, None,
            not_tested(rule, Phrase.verbatim(str(error))),
        )  # fmt: skip
    estimate = _named(found)
    return find(
        claim,
        estimate,
        criterion=criterion,
        evidence=all_evidence(found, estimate, criterion),
        observed=_observed(found),
        triangulation=lines(found, level=1.0 - criterion.alpha),
        pictures=pictures(found),
    )


def _check(criterion: Criterion | None, draws: int) -> None:
    if criterion is not None:
        check_criterion(criterion)
    if draws < 99:
        raise DeclarationError(
            Problem("too few draws", where="calibration, draws", found=str(draws), allowed="99 up")
        )


def default_criterion(rows: Rated) -> Criterion:
    """What is looked for unless a criterion says otherwise."""
    asked = rows.question.asked
    if asked == "curvature":
        return Criterion("superiority", SMALLEST_CURVATURE)
    if asked == "spread":
        return Criterion("superiority", SMALLEST_SPREAD, "less")
    if asked == "resolution":
        return Criterion("superiority", SMALLEST_RESOLUTION, "less")
    table = rows.rows
    control = table.loc[(table["treated"] == 0) & (table["post"] == 0), "actual"]
    return Criterion("superiority", SMALLEST_BIAS * float(np.std(control, ddof=1)))


def _plain(q: CalibrationQuestion) -> str:
    statements = {
        "curvature": f"The less able misjudge themselves more ({q.self_estimate} by {q.actual}).",
        "spread": f"{q.self_estimate} is more scattered among people of low {q.actual}.",
        "bias": f"Under {q.treatment}, {q.self_estimate} rises beyond {q.actual}.",
        "resolution": f"Under {q.treatment}, {q.self_estimate} follows {q.actual} less.",
    }
    return statements.get(q.asked, "")  # an unknown claim is refused with the rest


def _named(found: Compared) -> Estimate:
    asked = found.data.question.asked
    return replace(found.estimates[asked], name=worded(asked))


def _observed(found: Compared) -> Phrase:
    """The two outer quarters beside what the null world shows of them."""
    low, high = found.band.limits("quartile_gap")
    gap = found.observed.own[0] - found.observed.actual[0]
    numbers = {
        "lowest_quarter": Number(float(gap[0])), "highest_quarter": Number(float(gap[-1])),
        "outer_gap": Number(float(gap[0] - gap[-1])),
        "null_low": Number(low), "null_high": Number(high),
    }  # fmt: skip
    return Phrase(
        "Self-estimate minus score is {lowest_quarter} in the lowest quarter and {highest_quarter} "
        "in the highest; noise and a constant overestimate alone make the two differ by {null_low} "
        "to {null_high}, here they differ by {outer_gap}.",
        numbers,
    )
