"""Proxy: the metric stops measuring value once it is the target (H12).

The share of variance that a metric explains falls whenever people become more alike in it, with no
change in what it is worth. So the slope is asked, not the share; and it is asked against firms that
never had a mandate. A slope is the same whatever range of the metric is seen; but it falls if what
the metric measures has less spread and the metric as much error as before. A loading on a factor is
the same whatever range of the factor is seen (Meredith 1993), but not of the metric. Where other
indicators are there, both have to fall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.inference.decision import Criterion
from alc_stats.measures.columns import listed
from alc_stats.models.arguments import check_arguments
from alc_stats.models.finding import Claim, Finding, Part, find_jointly
from alc_stats.models.proxy.data import ProxyQuestion, proxy_rows
from alc_stats.models.proxy.decay import AT_LEAST, HALF, SLOPE, Decay, decay
from alc_stats.models.proxy.evidence import all_evidence
from alc_stats.models.proxy.lines import all_lines, all_pictures
from alc_stats.models.proxy.sums import summed
from alc_stats.records import Number, Phrase

SEED = 20261127


def proxy(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    quality: str,
    amount: str,
    person: str,
    firm: str,
    mandated: str,
    post: str,
    wave: str | None = None,
    indicators: Sequence[str] = (),
    halves: Sequence[str] = (),
    second_rating: str | None = None,
    control_tasks: str | None = None,
    quota: str | None = None,
    criterion: Criterion | None = None,
    seed: int = SEED,
) -> Finding:
    """Whether quality goes less with use once use is mandated.

    Slopes of quality on log amounts, within persons and periods, before and after the start, among
    firms with a mandate and firms without. The slope that a mandate would have left is that of
    before plus what happened to the slope elsewhere; the loss is one less the ratio of the slope
    after to it. Supported if the loss is at least a half and its interval lies above a fifth, and,
    where other indicators are given, the metric's loading on what they share falls as well.

    Parameters
    ----------
    data : DataFrame
        One row a task, or a person and period short enough for several before and after.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    quality, amount : str
        What came out; tokens, above zero, of which logs are taken.
    person, firm : str
    mandated : str
        1 throughout for firms that ever have a mandate.
    post : str
        0 before and 1 after the start.
    wave : str, optional
        Occasions, which have means of their own in each arm: use and quality that rise together
        over time are no slope.
    indicators : sequence of str, optional
        Two or more others of use or value (tasks done, accepted answers, sessions), on scales on
        which they go straight with each other. The loading of log use on what they share, in
        loadings of theirs, then has to fall by a fifth or more as well. That theirs keep their
        proportions is assumed.
    halves : two of str, optional
        Amounts of odd and of even sessions of each row's period: slopes are then told on what both
        share as well, and the reliability of log use by cell.
    second_rating : str, optional
        Of the same rows by somebody else, or another method: slopes of it, and how far both agree.
    control_tasks : str, optional
        1 for tasks that do not count for the quota, where the slope must not fall. They are left
        out of everything else.
    quota : str, optional
        In the unit of the amounts, of every row of the treated after: slopes are then told without
        rows between 0.8 and 1.04 quotas as well, where padding up to the quota shows.
    criterion : Criterion, optional
        Its `alpha` is used; 0.05 by default.
    seed : int
        Of the bootstrap of firms.

    Returns
    -------
    Finding

    Raises
    ------
    DeclarationError, TableError
        For unknown columns, one indicator, amounts not above zero, no firm without a mandate or no
        time before, or a quota in another unit.

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185. Meredith (1993),
    Psychometrika 58, 525-543.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"person": np.arange(8000) % 400, "post": np.arange(8000) // 4000})
    >>> table["firm"] = table["person"] % 20
    >>> table["mandate"] = table["firm"] % 2
    >>> use = rng.normal(size=8000)
    >>> worth = np.where(table["mandate"] * table["post"] == 1, 0.2, 3.0)
    >>> table["tokens"], table["quality"] = np.exp(use), worth * use + 5 * rng.normal(size=8000)
    >>> found = proxy(table, quality="quality", amount="tokens", person="person", firm="firm",
    ...               mandated="mandate", post="post")
    >>> found.decision.verdict
    'supported'
    """
    question = ProxyQuestion(
        quality=quality, amount=amount, person=person, firm=firm, mandated=mandated, post=post,
        wave=wave, indicators=listed(indicators), halves=listed(halves),
        second_rating=second_rating, control_tasks=control_tasks, quota=quota,
    )  # fmt: skip
    check_arguments("proxy", question, claim, criterion)
    claim = claim or Claim("proxy", "proxy", f"{amount} stops measuring {quality}.")
    alpha = criterion.alpha if criterion else 0.05
    rule = Criterion("conjunction", float("nan"), alpha=alpha)
    return judge(data, question, claim, rule, seed=seed)


def judge(
    data: pd.DataFrame, question: ProxyQuestion, claim: Claim, criterion: Criterion,
    *, seed: int = SEED,
) -> Finding:  # fmt: skip
    """`proxy` with its columns as one record."""
    rows = summed(proxy_rows(data, question))
    alpha = criterion.alpha
    if rows.flat:
        return find_jointly(claim, [*_untested(question, alpha, _FLAT)])
    try:
        found = decay(rows, alpha=alpha, seed=seed)
    except FitError as error:
        return find_jointly(claim, [*_untested(question, alpha, Phrase.verbatim(str(error)))])
    lines, pictures = tuple(all_lines(found)), all_pictures(found)
    if found.lost("slope"):
        untested = [*_untested(question, alpha, _NEVER_THERE)]
        return find_jointly(claim, untested, triangulation=lines, pictures=pictures)
    loss, rules = found.loss(), _rules(alpha)
    parts = [Part(name, loss, rule) for name, rule in rules.items()]
    if question.indicators:
        parts.append(_loading_part(found))
    return find_jointly(
        claim, parts, evidence=all_evidence(found, rules[_HALVED]), observed=_observed(found),
        triangulation=lines, pictures=pictures,
    )  # fmt: skip


_HALVED = "The loss is at least a half"
_LOADING = "The loading falls"
_FLAT = Phrase(
    "Use does not vary within persons before or after, in one of the arms: there is no slope."
)
_NEVER_THERE = Phrase(
    "The slope that would have been left cannot be told from zero: a metric that never measured "
    "anything cannot stop."
)


def _rules(alpha: float) -> dict[str, Criterion]:
    """Of the parts about the slope."""
    return {
        "The loss is more than a fifth": Criterion("minimum_effect", AT_LEAST, alpha=alpha),
        _HALVED: Criterion("superiority", HALF, alpha=alpha),
    }


def _loading_rule(alpha: float) -> Criterion:
    return Criterion("superiority", AT_LEAST, alpha=alpha)


def _untested(question: ProxyQuestion, alpha: float, why: Phrase) -> Iterator[Part]:
    for name, rule in _rules(alpha).items():
        yield Part(name, None, rule, why)
    if question.indicators:
        yield Part(_LOADING, None, _loading_rule(alpha), why)


def _loading_part(found: Decay) -> Part:
    """Whether the metric's loading falls, if there is a factor and it had one."""
    rule = _loading_rule(found.alpha)
    if not found.knows("loading loss") or not found.share_one_thing():
        return Part(_LOADING, None, rule, _NO_FACTOR)
    if found.lost("loading"):
        return Part(_LOADING, None, rule, _NEVER_LOADED)
    return Part(_LOADING, found.loss("loading"), rule)


_NO_FACTOR = Phrase(
    "The other indicators do not all go together, so that there is no factor for use to load on: "
    "turn those round where less is more."
)
_NEVER_LOADED = Phrase(
    "The loading that would have been left cannot be told from zero: use never measured what the "
    "other indicators share."
)


def _observed(found: Decay) -> Phrase:
    """What was seen."""
    numbers = {
        "slope_after": Number(found.of("slope treated_after").value, unit=SLOPE),
        "slope_left": Number(found.of("slope kept").value, unit=SLOPE),
        "rows": Number(found.data.rows, "count"),
    }
    seen = (
        "Under the mandate quality rises by {slope_after} per log unit of use, where "
        "{slope_left} would have been left ({rows} rows)."
    )
    return Phrase(seen, numbers)
