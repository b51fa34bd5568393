"""Inversion: quality rises with usage without a mandate, and no longer does under it.

A significant interaction is not an inversion: a slope of 3 that becomes 2 has one. Both slopes
have to be shown, each by its own test, and both have to be those of a person's own usage, since
able people may use more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.inference.decision import Criterion, check_criterion
from alc_stats.measures.columns import listed
from alc_stats.models.finding import NOTHING, Claim, Finding, Part, find_jointly, joined, untested
from alc_stats.models.inversion.data import InversionData, InversionQuestion, inversion_data
from alc_stats.models.inversion.evidence import all_evidence
from alc_stats.models.inversion.fits import UNIT, Fitted, within_between_model
from alc_stats.models.inversion.lines import lines, rivals
from alc_stats.models.inversion.pictures import pictures
from alc_stats.records import Number, Phrase


def inversion(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    quality: str,
    usage: str,
    mandate: str,
    person: str,
    firm: str | None = None,
    time: str | None = None,
    post: str | None = None,
    intensity: str | None = None,
    difficulty: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    log: bool = True,
    smallest_slope: float | None = None,
    strict: bool = False,
    criterion: Criterion | None = None,
) -> Finding:
    """Whether quality rises with a person's own usage without a mandate, and not under it.

    Estimands: the slopes of quality on log usage within persons, b_W(0) without and b_W(1) under a
    mandate. Estimator: a within-between (Mundlak) mixed model with deviations from a person's mean
    under the same regime, the means of persons (and firms) beside them, random slopes of persons
    and firms, and every slope by regime; CR2 with Satterthwaite's degrees of freedom by firm, with
    12 firms or fewer Kenward and Roger's.

    Supported needs both (intersection-union): b_W(0) above zero and at least the smallest slope,
    and b_W(1) below the smallest slope (`strict`: below zero, and by as much). Contradicted: one of
    them is refuted. An interaction alone is reported as attenuation and decides nothing.

    How much is used is a person's own choice under either regime, and harder tasks may take more
    use and come out worse. Without `difficulty` the verdict says so, and stands: what hardness
    takes from both slopes works against the claim, and only hardness that usage follows more
    closely under the mandate makes the pattern. Rows without the column cannot tell that; taken
    as a threat it would be the same answer to every table without it.

    Parameters
    ----------
    data : DataFrame
        One row a person and occasion. Rows without usage or quality are left out and counted.
    claim : Claim, optional
    quality : str
        Numeric.
    usage : str
        Positive amounts; with `log=False` a column that is logged already.
    mandate : str
        0 and 1: whether the person was under a mandate on that occasion.
    person : str
    firm : str, optional
        What mandates are given to. Without firm, persons are the clusters. Ids of persons may
        start anew in every firm: who is seen in two firms counts as two persons.
    time : str, optional
        Occasions: effects of their own, and usage of the occasions before and after.
    post : str, optional
        0 before and 1 after the start, for the line of change on change.
    intensity : str, optional
        How strong the mandate is (a quota), numeric: where along it the slope differs from zero,
        with simultaneous bands.
    difficulty : sequence of str
        Columns of task difficulty, held in every model of the verdict; see above.
    bounds : (float, float), optional
        Smallest and largest possible quality; inf where there is none. Undeclared bounds allow no
        verdict, since a ceiling alone flattens a slope.
    log : bool
        Whether the logarithm of `usage` is still to be taken.
    smallest_slope : float, optional
        In quality per unit of log usage. By default 0.05 SD of a person's own quality per SD of a
        person's own log usage, SDs without a mandate, since a mandate may change them.
    strict : bool
        Whether the slope under the mandate has to be negative.
    criterion : Criterion, optional
        Its alpha is used; 0.05 by default.

    Returns
    -------
    Finding
        Both parts, other methods beside them, the evidence and the verdict; "not tested" with the
        reason where the data cannot answer.

    Raises
    ------
    DeclarationError
        If a column is unknown, mandate or post are not 0 and 1, bounds not in order, or the
        smallest slope not positive.
    TableError
        If columns do not hold numbers, usage is not positive where its log is taken, quality lies
        outside its bounds, or rows lack a regime, person, firm or time.

    References
    ----------
    Bell, Fairbrother and Jones (2019), Quality & Quantity 53, 1051-1074. Giesselmann and
    Schmidt-Catran (2022), Sociological Methods & Research 51, 1100-1127. Heisig and Schaeffer
    (2019), European Sociological Review 35, 258-279. Berger (1982), Technometrics 24, 295-300.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> person = np.repeat(np.arange(160), 5)
    >>> work = pd.DataFrame({"person": person, "firm": person // 8, "mandate": (person < 80) * 1})
    >>> work["tokens"] = np.exp(rng.normal(size=800))
    >>> work["quality"] = 50 + 2 * np.log(work["tokens"]) * (1 - work["mandate"])
    >>> work["quality"] += 3 * rng.normal(size=160)[person] + 2 * rng.normal(size=800)
    >>> found = inversion(work, quality="quality", usage="tokens", mandate="mandate",
    ...                   person="person", firm="firm", bounds=(0, 100), smallest_slope=0.5)
    >>> found.decision.verdict
    'supported'
    """
    question = InversionQuestion(
        quality=quality, usage=usage, mandate=mandate, person=person, firm=firm, time=time,
        post=post, intensity=intensity, difficulty=listed(difficulty), bounds=bounds, log=log,
        smallest_slope=smallest_slope, strict=strict,
    )  # fmt: skip
    claim = claim or Claim(
        "inversion", "inversion", f"{mandate} breaks the link between {usage} and {quality}."
    )
    return judge(data, question, claim, criterion or Criterion("conjunction", math.nan))


def judge(
    data: pd.DataFrame, question: InversionQuestion, claim: Claim, criterion: Criterion
) -> Finding:
    """`inversion` with its columns as one record; of the criterion only alpha counts."""
    check_criterion(Criterion("superiority", 1.0, alpha=criterion.alpha))
    level = 1.0 - criterion.alpha
    try:
        made = inversion_data(data, question)
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)))
    found = within_between_model(made, level)
    others = rivals(made)
    return find_jointly(
        claim,
        _parts(made, found, criterion.alpha),
        evidence=all_evidence(made, found, others, level),
        observed=_observed(made, found, level),
        triangulation=lines(found, others, level),
        pictures=pictures(made, found, level),
    )


def _parts(data: InversionData, found: Fitted, alpha: float) -> list[Part]:
    rises = Criterion("superiority", data.smallest, alpha=alpha)
    under = (
        Criterion("superiority", data.smallest, "less", alpha)
        if data.question.strict
        else Criterion("non_superiority", data.smallest, alpha=alpha)
    )
    why = Phrase.verbatim(found.within.failure)
    return [
        Part("Slope within persons, no mandate", found.within.free, rises, why),
        Part("Slope within persons, mandate", found.within.under, under, why),
    ]


def _observed(data: InversionData, found: Fitted, level: float) -> Phrase:
    free, under, change = found.within.free, found.within.under, found.within.change
    if free is None or under is None or change is None:
        return NOTHING
    numbers = {
        "slope_without": Number(free.value, "estimate", UNIT),
        "slope_under": Number(under.value, "estimate", UNIT),
        "smallest_slope": Number(data.smallest, "estimate", UNIT),
    }
    seen = Phrase(_SEEN, numbers)
    if data.dropped:
        left_out = Phrase(
            "{left_out} rows lack usage or quality.", {"left_out": Number(data.dropped, "count")}
        )
        seen = joined(seen, left_out)
    if not data.hard:
        seen = joined(seen, _NOT_HELD)
    _, high = change.interval(level)
    low_under, _ = under.interval(level)
    return joined(seen, _ATTENUATED) if high < 0.0 < low_under else seen


_SEEN = (
    "Quality changes by {slope_without} per unit of a person's own log usage without a mandate and "
    "by {slope_under} under it (smallest slope of interest {smallest_slope})."
)
_NOT_HELD = Phrase(
    "Task difficulty is not held: harder tasks that take more use under the mandate than without "
    "it would lower the slope there as well."
)
_ATTENUATED = Phrase(
    "The slope is lower under the mandate but above zero: an attenuation, not an inversion."
)
