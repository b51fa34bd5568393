"""Widening: outcomes of people with the same access spread apart under treatment.

The claim is easy to get wrong: a ceiling, a less reliable measure, new people or a spread that
follows the mean all look like it. One call asks ten ways and prints them side by side; a verdict is
given only where the demands of `widening_evidence` are met.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, check_criterion, decide
from alc_stats.models.finding import Claim, Finding, find, joined, untested
from alc_stats.models.widening.comparison import FEW_UNITS, Comparison, compare
from alc_stats.models.widening.data import Columns, spread_data
from alc_stats.models.widening.evidence import all_evidence
from alc_stats.models.widening.lines import triangulation
from alc_stats.records import Number, Phrase

SMALLEST_WIDENING = 0.5 * math.log(1.25)
"""Default smallest effect of interest, log SD: a variance ratio of 1.25, an SD ratio of 1.118."""
EQUIVALENCE_BAND = 0.5 * math.log(1.10)
"""Default band of no difference, log SD: variance ratios up to 1.10."""
SEED = 20261127
DRAWS = 399
PERMUTATIONS = 999


def widening(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    outcome: str,
    treatment: str,
    person: str | None = None,
    post: str | None = None,
    firm: str | None = None,
    cell: Sequence[str] = (),
    wave: str | None = None,
    schema: Sequence[str] = (),
    items: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    treated: str | None = None,
    control: str | None = None,
    criterion: Criterion | None = None,
    seed: int = SEED,
    draws: int = DRAWS,
    permutations: int = PERMUTATIONS,
) -> Finding:
    """Whether `outcome` spreads apart under `treatment` among people with the same access.

    The estimate is a difference in log SD (with `post`, a difference in differences): of persons'
    true levels within firms where persons have several rows; of persons' own outcomes where
    treatment varies within persons; of observed outcomes within firms where persons have one row.

    Supported needs all of: an interval that excludes zero and a point that reaches the smallest
    effect, from a fit with a usable certificate; a permutation of whole firms that agrees; a model
    of the bounded outcome with the same sign, and with the same verdict where scores heap at a
    bound; and no threat from the level, measurement error, people who came or left, firms without
    spread or of unequal sizes. The same demands hold for contradicted and equivalent. With up to
    40 firms, and wherever they disagree, the estimate with the firm as the unit decides.

    Parameters
    ----------
    data : DataFrame
        One row a person, or a person and occasion. Rows without an outcome are left out.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    outcome : str
        A numeric column.
    treatment : str
        0 and 1; otherwise `treated` and `control` name the two values that are compared. With
        `post` it is the arm a person is in throughout.
    person, firm : str, optional
        Who was observed, and what was assigned as a whole (firm, team, class). Without firm,
        persons were assigned, or observed under both. Without person a row is a person.
    post : str, optional
        0 before and 1 after the start.
    cell : sequence of str
        Columns of identical access; outcomes are compared within them.
    wave : str, optional
        Occasions, which have means of their own.
    schema : sequence of str
        Columns of schema accuracy, for the share of the widening that goes with them.
    items : sequence of str
        Items of the outcome, for its reliability by arm and time.
    bounds : (float, float), optional
        Smallest and largest possible outcome; inf where there is none. Undeclared bounds allow no
        verdict, since a bound alone changes the spread.
    treated, control : str, optional
        See `treatment`.
    criterion : Criterion, optional
        Superiority, 0.5 ln 1.25 = 0.1116 log SD, equivalence within 0.5 ln 1.10 by default.
    seed : int
        Of permutations and bootstraps.
    draws : int
        Of every bootstrap.
    permutations : int
        Assignments drawn where there are too many to compare all.

    Returns
    -------
    Finding
        With the triangulation table, the evidence and the verdict; "not tested" with the reason
        where the data cannot answer.

    Raises
    ------
    DeclarationError
        If a column is unknown, treatment or post are not two values, or the bounds not in order.
    TableError
        If the outcome does not hold finite numbers or lies outside its bounds, a row has no firm
        or person, or a firm is in both arms.

    References
    ----------
    Hedeker and Nordgren (2013), Journal of Statistical Software 52(12). Nakagawa et al. (2015),
    Methods in Ecology and Evolution 6, 143-152. Firpo, Fortin and Lemieux (2009), Econometrica 77,
    953-973. Smithson and Verkuilen (2006), Psychological Methods 11, 54-71.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> team = np.repeat(np.arange(20), 12)
    >>> scores = pd.DataFrame({"team": team, "ai": (team < 10) * 1,
    ...                        "score": 50 + 8 * rng.normal(size=240)})
    >>> found = widening(scores, outcome="score", treatment="ai", firm="team", bounds=(0, 100))
    >>> found.decision.verdict
    'inconclusive'
    """
    columns = Columns(
        outcome=outcome, treatment=treatment, person=person, post=post, firm=firm,
        cell=tuple(cell), wave=wave, schema=tuple(schema), items=tuple(items), bounds=bounds,
        treated=treated, control=control,
    )  # fmt: skip
    claim = claim or Claim("widening", "widening", f"{outcome} spreads apart under {treatment}.")
    criterion = criterion or Criterion("superiority", SMALLEST_WIDENING, band=EQUIVALENCE_BAND)
    return judge(data, columns, claim, criterion, seed=seed, draws=draws, permutations=permutations)


def judge(
    data: pd.DataFrame,
    columns: Columns,
    claim: Claim,
    criterion: Criterion,
    *,
    seed: int = SEED,
    draws: int = DRAWS,
    permutations: int = PERMUTATIONS,
) -> Finding:
    """`widening` with its columns as one record."""
    check_criterion(criterion)
    _check_draws(draws, permutations)
    try:
        found = compare(
            spread_data(data, columns), seed=seed, draws=draws, permutations=permutations
        )
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)), criterion)
    return _judged(claim, found, criterion)


def _check_draws(draws: int, permutations: int) -> None:
    low = [(n, k) for n, k in (("draws", draws), ("permutations", permutations)) if k < 99]
    if low:
        raise DeclarationError(
            *(
                Problem("too few draws", where=f"widening, {n}", found=str(k), allowed="99 or more")
                for n, k in low
            )
        )


def _judged(claim: Claim, found: Comparison, criterion: Criterion) -> Finding:
    decides = deciding_estimate(found, criterion)
    own = found.model.of(found.target)
    estimate = found.units if decides == "units" or own is None else own
    named = replace(estimate, name=found.units.name)
    return find(
        claim,
        named,
        criterion=criterion,
        evidence=all_evidence(found, named, criterion),
        observed=_observed(found, named, decides),
        triangulation=triangulation(found, decides=decides, level=1.0 - criterion.alpha),
    )


def deciding_estimate(found: Comparison, criterion: Criterion) -> str:
    """Which estimate the verdict rests on: that of the model, or that of the units.

    The model's, unless it has none; with up to 40 units, where the two would not reach the same
    verdict, the units' (methods reference, D9.2).
    """
    own = found.model.of(found.target)
    if own is None:
        return "units"
    if not found.few:
        return "model"
    alone = decide(found.units, criterion).verdict
    return "model" if alone == decide(own, criterion).verdict else "units"


def _observed(found: Comparison, estimate: Estimate, decides: str) -> Phrase:
    word = "wider" if estimate.value > 0 else "narrower"
    numbers = {
        "sd_ratio": Number(math.exp(estimate.value), "ratio"),
        "number_of_units": Number(found.number_of_units, "count"),
    }
    seen = Phrase(
        f"The spread {_WHOSE[found.target]} is {word} under treatment, {{sd_ratio}} times the SD "
        f"without it ({{number_of_units}} {found.unit_name}).",
        numbers,
    )
    if decides == "model" or found.model.of(found.target) is None:
        return seen
    few = {"few_units": Number(FEW_UNITS, "count")}
    return joined(seen, Phrase(_UNITS_DECIDE.replace("{units}", found.unit_name), few))


_WHOSE = {
    "between": "between persons",
    "within": "of a person's own outcomes",
    "observed": "of observed outcomes",
}
_UNITS_DECIDE = (
    "With up to {few_units} {units} the estimate that takes each as one unit decides where the "
    "model's would read otherwise."
)
