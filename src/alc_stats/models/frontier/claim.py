"""Excess: tokens beyond what the same quality and task need, and what they cost (H15).

An average hides waste, because it is made of it. A frontier asks what the least was, and leaves
room for noise on both sides of it, so that luck is not taken for thrift.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators.stochastic_frontier import Frontier, Side, fit_frontier
from alc_stats.inference.decision import Criterion, check_criterion
from alc_stats.measures.columns import listed
from alc_stats.models.arguments import check_arguments
from alc_stats.models.finding import Claim, Finding, find, untested
from alc_stats.models.frontier.data import FrontierData, FrontierQuestion, frontier_data
from alc_stats.models.frontier.fits import Excesses
from alc_stats.models.frontier.lines import frontier_evidence, frontier_lines, frontier_pictures
from alc_stats.records import Number, Phrase

SMALLEST_EXCESS = 0.10
"""Default smallest excess, and smallest effect on it, in log amounts: about ten per cent."""


def frontier(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    amount: str,
    given: Sequence[str],
    categories: Sequence[str] = (),
    treatment: str | None = None,
    determinants: Sequence[str] = (),
    firm: str | None = None,
    person: str | None = None,
    money: str | None = None,
    measurable: str | None = None,
    side: Side = "cost",
    quantile: float = 0.05,
    criterion: Criterion | None = None,
) -> Finding:
    """Whether more is used than the same outcome needs, or more so under a treatment.

    Log amounts are a frontier, plus noise, plus an excess that is never negative (half-normal).
    The log SD of the excess is a regression on `treatment` and `determinants`, estimated together
    with the frontier. The estimate is the mean excess E[u]; with `treatment`, E[u] if everybody
    were treated less E[u] if nobody were.

    Parameters
    ----------
    data : DataFrame
        One row a task, or a person and period, with some use.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    amount : str
        Tokens, above zero; logs are taken.
    given : sequence of str
        What the tokens were for: quality, difficulty, size of the task; as they are, so that
        logs are columns of their own.
    categories : sequence of str
        Model, task family: the frontier has a level for each.
    treatment : str, optional
        0 and 1.
    determinants : sequence of str
        What else moves the excess.
    firm : str, optional
        Standard errors are those of whole firms.
    person : str, optional
        Whose tasks may be harder than they look: the means of what is given over a person's rows
        (over a firm's without) enter the frontier as a check.
    money, measurable : str, optional
        What a row cost (see `alc_stats.priced`), and how much measurable output came of it.
    side : {"cost", "production"}
        Whether the frontier is the least (of tokens) or the most (of output).
    quantile : float
        Of the quantile frontier that is shown beside it.
    criterion : Criterion, optional
        Superiority with 0.10 by default.

    Returns
    -------
    Finding
        "not tested" where the residuals lean to the wrong side, so that no excess can be told.

    Raises
    ------
    DeclarationError, TableError
        For unknown columns, amounts that are not above zero, a treatment that is not 0 and 1.

    References
    ----------
    Aigner, Lovell and Schmidt (1977), Journal of Econometrics 6, 21-37. Battese and Coelli (1988),
    Journal of Econometrics 38, 387-399. Kodde and Palm (1986), Econometrica 54, 1243-1248. Mundlak
    (1978), Econometrica 46, 69-85. Wang and Schmidt (2002), Journal of Productivity Analysis
    18, 129-144.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"firm": np.arange(4000) % 20, "quality": rng.normal(size=4000)})
    >>> table["mandate"] = table["firm"] % 2
    >>> waste = np.abs(rng.normal(size=4000)) * np.where(table["mandate"], 0.8, 0.4)
    >>> table["tokens"] = np.exp(7 + 0.3 * table["quality"] + 0.2 * rng.normal(size=4000) + waste)
    >>> found = frontier(table, amount="tokens", given=["quality"], treatment="mandate",
    ...                  firm="firm")
    >>> found.decision.verdict
    'supported'
    """
    question = FrontierQuestion(
        amount=amount, given=listed(given), categories=listed(categories), treatment=treatment,
        determinants=listed(determinants), firm=firm, person=person, money=money,
        measurable=measurable, side=side, quantile=quantile,
    )  # fmt: skip
    check_arguments("frontier", question, claim, criterion)
    what = f"{amount} exceeds what was needed" + (
        f", more so under {treatment}." if treatment else "."
    )
    claim = claim or Claim("frontier", "proxy", what)
    criterion = criterion or Criterion("superiority", SMALLEST_EXCESS)
    return judge(data, question, claim, criterion)


def judge(
    data: pd.DataFrame,
    question: FrontierQuestion,
    claim: Claim,
    criterion: Criterion,
) -> Finding:
    """`frontier` with its columns as one record."""
    check_criterion(criterion)
    rows = frontier_data(data, question)
    try:
        fit = fit_frontier(rows.y, rows.X, rows.Z, rows.constant, side=question.side)
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)), criterion)
    if not fit.certificate.usable:
        return untested(claim, _no_excess(fit), criterion)
    found = Excesses(rows, fit)
    level = 1.0 - criterion.alpha
    return find(
        claim,
        found.main_effect,
        criterion=criterion,
        evidence=frontier_evidence(found, criterion),
        observed=_observed(found, rows),
        triangulation=frontier_lines(found, level),
        pictures=frontier_pictures(found, level),
    )


def _observed(found: Excesses, rows: FrontierData) -> Phrase:
    everybody = found.mean_excess(found.main.theta)
    numbers = {"mean_excess": Number(everybody, unit="log amount"),
               "rows": Number(len(rows.y), "count")}  # fmt: skip
    seen = "Mean excess over the frontier is {mean_excess} log amounts ({rows} rows)."
    if found.price is not None:
        numbers["money"] = Number(found.price[0], unit="money")
        seen += " It costs {money} per 1,000 of measurable output."
    if rows.left_out:
        numbers["left_out"] = Number(rows.left_out, "count")
        seen += " {left_out} rows that lack a value were not used."
    return Phrase(seen, numbers)


def _no_excess(fit: Frontier) -> Phrase:
    seen = f"{fit.certificate.sentence} Residuals of least squares have skewness {{skewness}} " + (
        "towards the side of excess." if fit.skewness > 0.0 else
        "towards the side of excess, which is the wrong sign: either there is none, or it is not "
        "half-normal."
    )  # fmt: skip
    return Phrase(seen, {"skewness": Number(fit.skewness)})
