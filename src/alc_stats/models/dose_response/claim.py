"""Dose-response: whether more use helps up to a point, and what it does beyond it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.inference.decision import Criterion, check_criterion
from alc_stats.measures.columns import listed
from alc_stats.models.dose_response.data import DoseData, DoseQuestion, Shape, dose_data
from alc_stats.models.dose_response.evidence import all_evidence
from alc_stats.models.dose_response.lines import DoseFound, shape_of, triangulation
from alc_stats.models.dose_response.pictures import pictures
from alc_stats.models.dose_response.two_lines import UNIT
from alc_stats.models.finding import Claim, Finding, Part, find_jointly, joined, untested
from alc_stats.records import Number, Phrase

SEED = 20261127


def dose_response(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    outcome: str,
    dose: str,
    person: str | None = None,
    cluster: str | None = None,
    controls: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    shape: Shape = "inverted_u",
    smallest_slope: float | None = None,
    criterion: Criterion | None = None,
    seed: int = SEED,
) -> Finding:
    """Whether `outcome` rises with `dose` up to a point and falls, or stays, beyond it.

    Estimands: the average slopes before and after a breakpoint that the rows choose (Simonsohn's
    two lines; `two_lines` has the procedure and what differs from it). Supported needs both
    (intersection-union): the first slope above zero and at least the smallest slope; the second,
    by `shape`: "inverted_u" below zero and by as much, "plateau" equivalent to zero within it,
    "either" below it. A significant quadratic is a line of the table and never enough,
    since a logarithm has one as well; nor is Lind and Mehlum's test of a quadratic's ends.

    Parameters
    ----------
    data : DataFrame
        One row a person, or a person and occasion. Incomplete rows are left out and counted.
    claim : Claim, optional
    outcome, dose : str
        Numeric. A dose with a long tail may be logged beforehand; the table has both scales.
    person : str, optional
        Who was observed; without, a row is a person.
    cluster : str, optional
        What resembles each other (firm, event); the person by default.
    controls : sequence of str
        Columns that are held in every line, numeric or levels.
    bounds : (float, float), optional
        Smallest and largest possible outcome; inf where there is none. Undeclared bounds allow no
        verdict, since a ceiling makes a plateau.
    shape : {"inverted_u", "plateau", "either"}
    smallest_slope : float, optional
        In the outcome's unit per unit of dose; by default 0.05 SD of the outcome per SD of dose.
    criterion : Criterion, optional
        Its alpha is used; 0.05 by default.
    seed : int
        Of the wild bootstrap with few clusters.

    Returns
    -------
    Finding
        Both parts, other methods beside them, the evidence and the verdict; "not tested" with the
        reason where the data cannot answer.

    Raises
    ------
    DeclarationError
        If a column or shape is unknown, bounds are not in order, or the smallest slope not
        positive.
    TableError
        If dose or outcome are not finite numbers, the outcome lies outside its bounds, or rows
        lack a person or cluster.

    References
    ----------
    Simonsohn (2018), Advances in Methods and Practices in Psychological Science 1, 538-555. Lind
    and Mehlum (2010), Oxford Bulletin of Economics and Statistics 72, 109-118. Sasabuchi (1980),
    Biometrika 67, 429-439. Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> x = rng.uniform(1, 20, 400)
    >>> bends = pd.DataFrame({"use": x, "score": 10 * np.log(x) + rng.normal(size=400)})
    >>> found = dose_response(bends, outcome="score", dose="use", bounds=(-np.inf, np.inf))
    >>> next(x for x in found.triangulation if x.method == "Quadratic term").p < 0.001
    True
    >>> found.decision.verdict
    'contradicted'
    """
    question = DoseQuestion(
        outcome=outcome, dose=dose, person=person, cluster=cluster, controls=listed(controls),
        bounds=bounds, shape=shape, smallest_slope=smallest_slope,
    )  # fmt: skip
    statement = _STATEMENTS.get(shape, "").format(outcome=outcome, dose=dose)
    claim = claim or Claim("dose_response", "dose_response", statement)
    return judge(data, question, claim, criterion or Criterion("conjunction", math.nan), seed=seed)


_STATEMENTS = {
    "inverted_u": "{outcome} rises with {dose} up to a point and falls beyond it.",
    "plateau": "{outcome} rises with {dose} up to a point and stays there.",
    "either": "{outcome} rises with {dose} up to a point and no further.",
}


def judge(
    data: pd.DataFrame,
    question: DoseQuestion,
    claim: Claim,
    criterion: Criterion,
    *,
    seed: int = SEED,
) -> Finding:
    """`dose_response` with its columns as one record; of the criterion only alpha counts."""
    check_criterion(Criterion("superiority", 1.0, alpha=criterion.alpha))
    try:
        made = dose_data(data, question)
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)))
    level = 1.0 - criterion.alpha
    found = shape_of(made, level, seed)
    return find_jointly(
        claim,
        _parts(made, found, criterion.alpha),
        evidence=all_evidence(made, found, criterion.alpha),
        observed=_observed(made, found),
        triangulation=triangulation(made, found, level),
        pictures=pictures(made, found),
    )


def _parts(data: DoseData, found: DoseFound, alpha: float) -> list[Part]:
    smallest, why = data.smallest, Phrase.verbatim(found.lines.failure)
    rises = Criterion("superiority", smallest, alpha=alpha)
    after = {
        "inverted_u": Criterion("superiority", smallest, "less", alpha),
        "plateau": Criterion("equivalence", smallest, alpha=alpha),
        "either": Criterion("non_superiority", smallest, alpha=alpha),
    }[data.question.shape]
    return [
        Part("First line, before the breakpoint", found.lines.first, rises, why),
        Part("Second line, after the breakpoint", found.lines.second, after, why),
    ]


def _observed(data: DoseData, found: DoseFound) -> Phrase:
    first, second = found.lines.first, found.lines.second
    if first is None or second is None:
        return Phrase.verbatim(found.lines.failure)
    numbers = {
        "breakpoint": Number(found.lines.breakpoint),
        "first_slope": Number(first.value, "estimate", UNIT),
        "second_slope": Number(second.value, "estimate", UNIT),
        "smallest_slope": Number(data.smallest, "estimate", UNIT),
    }
    seen = Phrase(_SEEN, numbers)
    if not data.dropped:
        return seen
    left_out = {"left_out": Number(data.dropped, "count")}
    return joined(seen, Phrase("{left_out} rows are incomplete.", left_out))


_SEEN = (
    "Up to a dose of {breakpoint} the outcome changes by {first_slope} per unit of dose and beyond "
    "it by {second_slope} (smallest slope of interest {smallest_slope})."
)
