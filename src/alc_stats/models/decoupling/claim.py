"""Decoupling: awareness and capability go together less among the treated (H2).

A correlation falls for many reasons. Error of measurement lowers it, so both are taken free of
error, group by group. A treatment that draws people together in awareness lowers it with no change
in what awareness is worth, so the verdict rests on the slope of capability on awareness, and the
correlation stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.inference.decision import Criterion, check_criterion
from alc_stats.measures.columns import listed
from alc_stats.models.decoupling.comparison import Decoupled, DecouplingQuestion, decoupled
from alc_stats.models.decoupling.lines import (
    decoupling_evidence,
    decoupling_lines,
    decoupling_pictures,
)
from alc_stats.models.finding import Claim, Finding, find, untested
from alc_stats.records import Number, Phrase

SMALLEST = 0.10
"""Default smallest effect of interest: of a slope in SDs per SD, and of Fisher's z."""
SEED = 20261127


def decoupling(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    awareness: str,
    capability: str,
    treatment: str,
    person: str,
    firm: str | None = None,
    post: str | None = None,
    wave: str | None = None,
    treated: str | None = None,
    control: str | None = None,
    awareness_items: Sequence[str] = (),
    capability_items: Sequence[str] = (),
    awareness_reliability: float | None = None,
    capability_reliability: float | None = None,
    uncorrected: bool = False,
    criterion: Criterion | None = None,
    seed: int = SEED,
) -> Finding:
    """Whether awareness and capability go together less among the treated.

    The estimate is a difference of slopes of capability on awareness, treated minus control, among
    persons within firms (and waves), free of error of measurement, in true-score SDs of the control
    group: there the slope is the correlation. Compared are persons' levels after the start.

    Errors are taken out in one of two ways. Where both outcomes have items or a declared
    reliability, variances are multiplied by the reliability of each group (omega of persons'
    averages; its error is taken to be alpha's). Otherwise, where persons have several occasions,
    all moments are products of different occasions of one person, in which no error appears and
    nothing that both outcomes share on one occasion. With neither the claim is not tested, unless
    `uncorrected`.

    Standard errors leave out one firm after another, with Welch and Satterthwaite's degrees of
    freedom; the interval of Fisher's z is also given by a bootstrap of firms.

    Parameters
    ----------
    data : DataFrame
        One row a person and occasion, with both outcomes.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    awareness, capability, treatment, person, firm, post, wave, treated, control
        As in `alc_stats.gap`.
    awareness_items, capability_items : sequence of str
        Items, keyed.
    awareness_reliability, capability_reliability : float, optional
        Of a person's average, where known from elsewhere; in (0, 1], the same in both groups.
    uncorrected : bool
        Correlate what was measured, errors and all.
    criterion : Criterion, optional
        Superiority in the direction "less" with 0.10 SD per SD by default.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Finding
        "not tested" where a corrected correlation lies beyond 1: the model of error fails, and no
        cut-off hides it.

    Raises
    ------
    DeclarationError
        For unknown columns or a reliability outside (0, 1].
    TableError
        For outcomes that are no numbers, rows without a firm or person.

    References
    ----------
    Spearman (1904), American Journal of Psychology 15, 72-101. Fuller (1987), Measurement Error
    Models. Cronbach (1951), Psychometrika 16, 297-334.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> person = np.repeat(np.arange(600), 3)
    >>> ability = rng.normal(size=600)[person]
    >>> table = pd.DataFrame({"firm": person // 20, "person": person, "wave": np.arange(1800) % 3})
    >>> table["mandate"] = (table["firm"] < 15) * 1
    >>> other, noise = rng.normal(size=600)[person], rng.normal(size=(2, 1800))
    >>> aware = np.where(table["mandate"], other, 0.8 * ability + 0.6 * other)
    >>> table["aware"] = aware + noise[0]
    >>> table["skill"] = ability + noise[1]
    >>> found = decoupling(table, awareness="aware", capability="skill", treatment="mandate",
    ...                    person="person", firm="firm", wave="wave")
    >>> found.decision.verdict
    'supported'
    """
    question = DecouplingQuestion(
        awareness=awareness, capability=capability, treatment=treatment, person=person, firm=firm,
        post=post, wave=wave, treated=treated, control=control,
        awareness_items=listed(awareness_items), capability_items=listed(capability_items),
        awareness_reliability=awareness_reliability,
        capability_reliability=capability_reliability, uncorrected=uncorrected,
    )  # fmt: skip
    what = f"{awareness} and {capability} go together less under {treatment}."
    claim = claim or Claim("decoupling", "gap", what)
    criterion = criterion or Criterion("superiority", SMALLEST, direction="less")
    return judge(data, question, claim, criterion, seed=seed)


def judge(
    data: pd.DataFrame,
    question: DecouplingQuestion,
    claim: Claim,
    criterion: Criterion,
    *,
    seed: int = SEED,
) -> Finding:
    """`decoupling` with its columns as one record."""
    check_criterion(criterion)
    _check_reliabilities(question)
    try:
        found = decoupled(data, question, level=1.0 - criterion.alpha, seed=seed)
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)), criterion)
    return find(
        claim,
        found.slope,
        criterion=criterion,
        evidence=decoupling_evidence(found, criterion),
        observed=_observed(found),
        triangulation=decoupling_lines(found, 1.0 - criterion.alpha),
        pictures=decoupling_pictures(found, 1.0 - criterion.alpha),
    )


def _check_reliabilities(question: DecouplingQuestion) -> None:
    problems = [
        Problem("a reliability is not above 0 and at most 1", where=f"decoupling, {name}",
                found=str(value))
        for name, value in zip(
            ("awareness_reliability", "capability_reliability"), question.reliabilities, strict=True
        )
        if value is not None and not 0.0 < value <= 1.0
    ]  # fmt: skip
    if problems:
        raise DeclarationError(*problems)


def _observed(found: Decoupled) -> Phrase:
    r = found.sums.moments().r[:, 0]
    how = {
        "occasions": "by products of different occasions",
        "reliability": "corrected for the reliability of each group",
        "uncorrected": "not corrected for error of measurement",
    }[found.sums.way]
    return Phrase(
        f"Awareness and capability correlate by {{r_treated}} among the treated and {{r_control}} "
        f"in the control group, {how}.",
        {
            "r_treated": Number(float(r[1]), "estimate", "r"),
            "r_control": Number(float(r[0]), "estimate", "r"),
        },
    )
