"""Bunching: amounts that gather at the quota (H13).

A heap at a quota proves nothing by itself: quotas are round numbers, and people like round numbers.
So the heap is compared with what gathers at the same cutoff where no quota holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.inference.decision import Criterion, check_criterion
from alc_stats.measures.columns import listed
from alc_stats.models.arguments import check_arguments
from alc_stats.models.bunching.comparison import BINS, DRAWS, Bunching, compared
from alc_stats.models.bunching.data import BunchingQuestion, bunching_data
from alc_stats.models.bunching.evidence import bunching_evidence
from alc_stats.models.bunching.lid import lid
from alc_stats.models.bunching.lines import bunching_lines
from alc_stats.models.bunching.pictures import bunching_pictures
from alc_stats.models.finding import Claim, Finding, find, untested
from alc_stats.records import Number, Phrase

SMALLEST_EXCESS = 0.5
"""Default smallest excess of interest, in bins of the counterfactual: one of two per cent of the
quota holds half as many periods again as it should."""
FEWEST_DRAWS = 99
SEED = 20261127


def bunching(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    amount: str,
    quota: str,
    firm: str,
    mandated: str,
    person: str | None = None,
    period: str | None = None,
    late: str | None = None,
    quality: str | None = None,
    quota_unit: str | None = None,
    unit: str | None = None,
    round_to: Sequence[float] = (),
    bin_width: float = 0.02,
    window: float = 0.6,
    below: float = 0.2,
    above: float = 0.04,
    order: int = 4,
    criterion: Criterion | None = None,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """Whether amounts gather at the quota beyond what gathers there without one.

    Amounts are counted in bins about each firm's own quota. A polynomial is fitted to the bins
    outside the zone from `below` short of the quota to `above` beyond it, with effects of round
    numbers, so that it holds as many periods as were observed. The excess is what lies in the zone
    beyond the quota above that curve, in heights of the curve there. The estimate is the excess
    under the mandate less that of firms that never had one, about the same quotas; where there are
    no such firms, less that of the same firms without the mandate.

    Standard errors are those of a bootstrap of whole firms, with Welch's degrees of freedom.

    Parameters
    ----------
    data : DataFrame
        One row a person and period of the quota; or, with `person` and `period`, several, whose
        amounts are added up.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    amount, quota : str
        In one unit. Rows without a mandate may lack the quota: they are counted about the quota
        their firm had later, or about every quota that other firms have, in their proportions.
    firm : str
    mandated : str
        1 where the quota holds, 0 elsewhere.
    person, period : str, optional
    late : str, optional
        How much of the amount was used at the end of the period, such as on its last day.
    quality : str, optional
        Of the period's output, where it is known. Lines say how far it lies beyond the quota from
        its curve over the amount, by difference.
    quota_unit, unit : str, optional
        Column of the quota's unit, and the unit amounts are logged in.
    round_to : sequence of float
        Amounts whose multiples are round; by default the quota's power of ten, half and a tenth
        of it.
    bin_width, window, below, above : float
        As shares of the quota.
    order : int
        Of the polynomial.
    criterion : Criterion, optional
        Superiority with 0.5 bins by default.
    seed, draws : int
        Of the bootstrap.

    Returns
    -------
    Finding

    Raises
    ------
    DeclarationError
        For unknown columns, or zones that are no whole numbers of bins.
    TableError
        For negative amounts, a mandate without a quota, a quota in another unit than the log, no
        row without a mandate, or no amount near any quota.

    References
    ----------
    Kleven (2016), Annual Review of Economics 8, 435-464. Kleven and Waseem (2013), Quarterly
    Journal of Economics 128, 669-723.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"firm": np.arange(12000) % 24, "quota": 100.0})
    >>> table["mandate"] = table["firm"] % 2
    >>> table["tokens"] = 100 * np.exp(0.4 * rng.normal(size=12000))
    >>> short = table["tokens"].between(80, 100) & (table["mandate"] == 1)
    >>> table.loc[short & (rng.random(12000) < 0.4), "tokens"] = 101.0
    >>> found = bunching(table, amount="tokens", quota="quota", firm="firm", mandated="mandate")
    >>> found.decision.verdict
    'supported'
    """
    question = BunchingQuestion(
        amount=amount, quota=quota, firm=firm, mandated=mandated, person=person, period=period,
        late=late, quality=quality, quota_unit=quota_unit, unit=unit,
        round_to=listed(round_to), bin_width=bin_width, window=window, below=below, above=above,
        order=order,
    )  # fmt: skip
    check_arguments("bunching", question, claim, criterion)
    claim = claim or Claim("bunching", "proxy", f"{amount} gathers at the quota.")
    criterion = criterion or Criterion("superiority", SMALLEST_EXCESS)
    return judge(data, question, claim, criterion, seed=seed, draws=draws)


def judge(
    data: pd.DataFrame,
    question: BunchingQuestion,
    claim: Claim,
    criterion: Criterion,
    *,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """`bunching` with its columns as one record."""
    check_criterion(criterion)
    if not isinstance(draws, int) or draws < FEWEST_DRAWS:
        raise DeclarationError(
            Problem("too few draws, or no number of them", where="bunching, draws",
                    found=f"{draws}", allowed=f"{FEWEST_DRAWS} or more")
        )  # fmt: skip
    rows = bunching_data(data, question)
    try:
        found = compared(rows, seed=seed, draws=draws)
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)), criterion)
    level = 1.0 - criterion.alpha
    evidence, observed = bunching_evidence(found, criterion), _observed(found)
    lines, pictures = bunching_lines(found, level), bunching_pictures(found, level)
    estimate = found.difference(name="difference in excess mass")
    if estimate is None:
        return replace(
            untested(claim, _no_curve(found, level), criterion),
            evidence=evidence, observed=observed, triangulation=lines, pictures=pictures,
        )  # fmt: skip
    return find(claim, estimate, criterion=criterion, evidence=evidence, observed=observed,
                triangulation=lines, pictures=pictures)  # fmt: skip


_WHERE = {
    "under": "where it holds",
    "before": "in the same firms without it",
    "never": "in firms that never had one",
}


def _observed(found: Bunching) -> Phrase:
    rows = found.data
    numbers = {"periods": Number(rows.rows, "count")}
    parts: list[str] = []
    for name, group in (("excess_under", "under"), ("excess_comparison", rows.comparison)):
        if own := found.of(group):
            numbers[name] = Number(own.value, unit=BINS)
            more = "" if parts else " bins more than expected"
            parts.append(f"{{{name}}}{more} {_WHERE[group]}")
    if not parts:
        return Phrase("")
    seen = f"At the quota lie {' and '.join(parts)} ({{periods}} periods)."
    if rows.left_out:
        numbers["left_out"] = Number(rows.left_out, "count")
        seen += " {left_out} rows without an amount or a mandate's state were not used."
    return Phrase(seen, numbers)


def _no_curve(found: Bunching, level: float) -> Phrase:
    if why := lid(found, level).why:
        return Phrase(f"The quota is a lid: {why}. A lid bunches by itself, and no curve can be "
                      "drawn over its edge.")  # fmt: skip
    return Phrase("The curve expects nothing at the quota, under it or in the comparison: too few "
                  "amounts lie near it to count an excess in.")  # fmt: skip
