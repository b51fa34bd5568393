"""Forecasts: whether what people expect comes, and whether they tell it from what does not."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.inference.decision import Criterion, check_criterion, not_tested
from alc_stats.models.finding import Claim, Finding, find
from alc_stats.models.forecast.data import (
    ForecastAbout,
    ForecastKind,
    ForecastQuestion,
    forecasts,
)
from alc_stats.models.forecast.fits import Judged, judged, level_of
from alc_stats.models.forecast.lines import all_evidence, lines
from alc_stats.models.forecast.pictures import pictures
from alc_stats.records import Kind, Number, Phrase

SMALLEST = {"probability": 0.05, "quantity": 0.05}
"""Five percentage points; 5 % of a quantity on the log scale."""
SEED = 20261127
DRAWS = 999


def forecast(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    forecast: str,
    outcome: str,
    person: str,
    kind: ForecastKind = "probability",
    log: bool = False,
    item: str | None = None,
    by: str | None = None,
    about: ForecastAbout = "bias",
    criterion: Criterion | None = None,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """Whether forecasts miss what comes, and who misses it more.

    The claim is about one of three things; all are in the triangulation table:

    - "bias": forecast minus outcome (above 0: people expect more than comes);
    - "resolution": whether forecasts tell outcomes apart. Of probabilities the mean forecast of
      what came minus that of what did not (0 is none); of quantities the slope of outcomes on a
      person's own forecasts (1 is perfect);
    - "score": the miss as a whole: Brier's score of probabilities, absolute miss of quantities;
      less is better.

    With `by` the claim is how that changes with a column: an arm, a level of use. Estimates are
    from a mixed model in which people differ (in the effect too, where the data can tell), and
    items, crossed with people. Probabilities get the exact Murphy decomposition of Brier's score,
    skill against the base rate and the area under the ROC, with a bootstrap of whole people (and
    items).

    Parameters
    ----------
    data : DataFrame
        One row a forecast. Rows that lack a named column are left out and counted.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    forecast, outcome : str
        Probability and 0 or 1; or two quantities in one unit.
    person : str
        Who made the forecast.
    kind : {"probability", "quantity"}
    log : bool
        Compare quantities by their ratio (natural logs).
    item : str, optional
        What was forecast, where several people met the same (questions, tasks).
    by : str, optional
        Numeric column that is neither forecast nor outcome.
    about : {"bias", "resolution", "score"}
    criterion : Criterion, optional
        Superiority with a smallest effect of 0.05 by default.
    seed : int
        Of the bootstrap.
    draws : int
        Bootstrap draws.

    Returns
    -------
    Finding

    Raises
    ------
    DeclarationError
        For an unknown column, or `by` that is a part of the miss itself.
    TableError
        For probabilities outside 0 to 1, outcomes that are not 0 and 1, quantities without a log
        or in different units.

    References
    ----------
    Murphy (1973), Journal of Applied Meteorology 12, 595-600. Stephenson, Coelho and Jolliffe
    (2008), Weather and Forecasting 23, 752-757. Owen (2007), Annals of Applied Statistics 1,
    386-411.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> chance = rng.uniform(0.1, 0.9, 600)
    >>> answers = pd.DataFrame({"person": np.repeat(np.arange(30), 20),
    ...                         "sure": (chance + 0.15).clip(0, 1),
    ...                         "right": (rng.random(600) < chance) * 1})
    >>> found = forecast(answers, forecast="sure", outcome="right", person="person")
    >>> found.decision.verdict
    'supported'
    """
    question = ForecastQuestion(
        forecast=forecast, outcome=outcome, person=person, kind=kind, log=log, item=item, by=by,
        about=about,
    )  # fmt: skip
    claim = claim or Claim("forecast", "calibration", _plain(question))
    criterion = criterion or Criterion("superiority", SMALLEST.get(kind, 0.05))
    return judge(data, question, claim, criterion, seed=seed, draws=draws)


def judge(
    data: pd.DataFrame,
    question: ForecastQuestion,
    claim: Claim,
    criterion: Criterion,
    *,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """`forecast` with its columns as one record."""
    check_criterion(criterion)
    if draws < 99:
        raise DeclarationError(
            Problem("too few draws", where="forecast, draws", found=str(draws), allowed="99 up")
        )
    try:
        found = judged(forecasts(data, question), draws=draws, seed=seed)
    except FitError as error:
        return Finding(
            claim.id, claim.claim, claim.statement, claim.family, None, criterion.smallest_effect,
            None, not_tested(criterion.rule, Phrase.verbatim(str(error))),
        )  # fmt: skip
    estimate = replace(found.models[question.about].estimate, name=_named(question))
    return find(
        claim,
        estimate,
        criterion=criterion,
        evidence=all_evidence(found, estimate, criterion),
        observed=_observed(found),
        triangulation=lines(found, level=1.0 - criterion.alpha),
        pictures=pictures(found),
    )


_NAMES = {
    "bias": "forecast minus outcome",
    "resolution": "resolution of forecasts",
    "score": "size of the miss",
}


def _named(q: ForecastQuestion) -> str:
    return _NAMES[q.about] + (f", per unit of {q.by}" if q.by else "")


def _plain(q: ForecastQuestion) -> str:
    name = _NAMES.get(q.about, "")  # an unknown question is refused with the rest
    if q.by:
        return f"The {name} of {q.forecast} changes with {q.by}."
    return {
        "bias": f"{q.forecast} exceeds {q.outcome}.",
        "resolution": f"{q.forecast} tells outcomes of {q.outcome} apart.",
        "score": f"{q.forecast} misses {q.outcome}.",
    }.get(q.about, "")


def _observed(found: Judged) -> Phrase:
    expected, came = level_of(found.data)
    kind: Kind = "share" if found.data.question.kind == "probability" else "estimate"
    numbers = {
        "mean_forecast": Number(expected, kind), "mean_outcome": Number(came, kind),
        "forecasts": Number(len(found.data.rows), "count"),
        "people": Number(found.data.people, "count"),
    }  # fmt: skip
    log = " (logs)" if found.data.question.log else ""
    return Phrase(
        f"The {{forecasts}} forecasts of {{people}} people average {{mean_forecast}}{log}, "
        "what came {mean_outcome}.",
        numbers,
    )
