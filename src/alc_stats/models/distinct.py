"""X1: whether scales measure different things, or one thing under several names.

Every pair's correlation, corrected for unreliability, has to stay below a ceiling; the claim
holds only if all pairs do (Ronkko and Cho 2022: interval of the latent correlation against 0.9).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion
from alc_stats.measures.disattenuation import Disattenuated, Measure, disattenuated
from alc_stats.models.finding import Claim, Evidence, Finding, Part, find_jointly
from alc_stats.records import Number, Phrase

CEILING = 0.90
"""A latent correlation from here on leaves a fifth of the variance to tell two scales apart."""
_CLAIM = Claim("X1", "measurement", "The scales measure different things.")
_UNIT = "correlation"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedScale:
    """A scale of three items or more."""

    label: str
    items: tuple[str, ...]
    range: tuple[float, float]
    reversed_items: tuple[str, ...] = ()

    @property
    def measure(self) -> Measure:
        """Without its label."""
        return Measure(self.items, self.range, self.reversed_items)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistinctQuestion:
    """Keys of `distinct = { ... }` in a study.toml: the arguments of `alc.distinct`."""

    scales: tuple[NamedScale, ...]
    within: str | None = None
    cluster: str | None = None
    ceiling: float = CEILING

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        items = [item for scale in self.scales for item in scale.items]
        return (*items, *(c for c in (self.within, self.cluster) if c is not None))


def distinct(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    scales: Sequence[NamedScale],
    within: str | None = None,
    cluster: str | None = None,
    ceiling: float = CEILING,
    criterion: Criterion | None = None,
) -> Finding:
    """Test that no two scales measure the same thing.

    Estimand: the correlation of every pair of scales free of their errors of measurement
    (omega-corrected). Rule: non-superiority of each against the ceiling, all joined.

    Parameters
    ----------
    data : DataFrame
        One row a person.
    claim : Claim, optional
    scales : sequence of NamedScale
        Two or more.
    within : str, optional
        Column of groups (universities, firms) whose means are taken out of the items first: a
        difference between groups makes scales go together without any person's doing so.
    cluster : str, optional
        Column of clusters whose rows may go together.
    ceiling : float
        In (0, 1).
    criterion : Criterion, optional
        Its alpha counts: a pair is below the ceiling if its 1 - 2 alpha interval is.

    Returns
    -------
    Finding
        Supported only if every pair is; contradicted if one lies at the ceiling or above it. A
        pair beyond 1 is a failure of the measurement model and a threat to the whole. A pair
        whose items share no factor is not tested, and neither is the whole then, unless another
        pair contradicts it.

    Raises
    ------
    DeclarationError
        For fewer than two scales, labels used twice, or a ceiling outside (0, 1); and as
        `disattenuated`.
    TableError
        As `disattenuated`.

    References
    ----------
    Ronkko, M., & Cho, E. (2022). An updated guideline for assessing discriminant validity.
    Organizational Research Methods, 25(1), 6-47.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> traits = rng.normal(size=(300, 2)) @ np.array([[1.0, 0.5], [0.0, 0.87]])
    >>> answers = {f"{s}{i}": traits[:, j] + rng.normal(size=300)
    ...            for j, s in enumerate("ab") for i in range(3)}
    >>> scales = [NamedScale(label=s, items=(f"{s}0", f"{s}1", f"{s}2"), range=(-9, 9))
    ...           for s in "ab"]
    >>> distinct(pd.DataFrame(answers), scales=scales).decision.verdict
    'supported'
    """
    question = DistinctQuestion(
        scales=tuple(scales), within=within, cluster=cluster, ceiling=ceiling
    )
    return judge(data, question, claim or _CLAIM, criterion or Criterion("conjunction", CEILING))


def judge(
    data: pd.DataFrame, question: DistinctQuestion, claim: Claim, criterion: Criterion
) -> Finding:
    """The finding, from a declared question."""
    _check(question)
    rule = Criterion("non_superiority", question.ceiling, alpha=criterion.alpha)
    tried = {
        f"{one.label} and {other.label}": _pair(data, one, other, question)
        for one, other in combinations(question.scales, 2)
    }
    pairs = {name: found for name, found in tried.items() if isinstance(found, Disattenuated)}
    parts = [
        Part(name, None, rule, Phrase.verbatim(found))
        if isinstance(found, str)
        else Part(name, Estimate(name, found.value, found.se, found.df, _UNIT), rule)
        for name, found in tried.items()
    ]
    if not pairs:
        return find_jointly(claim, parts)
    return find_jointly(
        claim, parts, evidence=tuple(_evidence(pairs)), observed=_observed(pairs, question)
    )


def _pair(
    data: pd.DataFrame, one: NamedScale, other: NamedScale, question: DistinctQuestion
) -> Disattenuated | str:
    """The corrected correlation, or why there is none: an improper scale leaves the other pairs."""
    try:
        return disattenuated(
            data, one.measure, other.measure, cluster=question.cluster, within=question.within
        )
    except FitError as error:
        return str(error)


def _observed(pairs: dict[str, Disattenuated], question: DistinctQuestion) -> Phrase:
    values = [found.value for found in pairs.values()]
    numbers = {
        "scales": Number(len(question.scales), "count"),
        "people": Number(min(found.n for found in pairs.values()), "count"),
        "lowest": Number(min(values), "ratio"),
        "highest": Number(max(values), "ratio"),
    }
    return Phrase(
        "Corrected for unreliability, {scales} scales of {people} people correlate {lowest} to "
        "{highest}.",
        numbers,
    )


def _evidence(pairs: dict[str, Disattenuated]) -> Iterator[Evidence]:
    failed = [name for name, found in pairs.items() if found.failed]
    if failed:
        said = Phrase(
            f"{'; '.join(failed)}: corrected correlations beyond 1, which the one-factor model of "
            "a scale cannot have made."
        )
        yield Evidence("measurement model", "threat", said)
    else:
        yield Evidence("measurement model", "clear", Phrase("No corrected correlation exceeds 1."))
    left = max(found.left_out for found in pairs.values())
    yield Evidence(
        "shared method", "not tested",
        Phrase("Scales answered at one sitting share the person's way of answering, which makes "
               "them look more alike. {left} rows lack an answer and are left out.",
               {"left": Number(left, "count")}),
    )  # fmt: skip


def _check(question: DistinctQuestion) -> None:
    where, problems = "distinct({}=...)", []
    labels = [scale.label for scale in question.scales]
    if len(labels) < 2 or len(set(labels)) < len(labels):
        problems.append(
            Problem("the claim needs two scales or more, each with a label of its own",
                    where=where.format("scales"), found=", ".join(labels) or "none")
        )  # fmt: skip
    if not 0.0 < question.ceiling < 1.0:
        problems.append(
            Problem("the ceiling of a correlation is not between 0 and 1",
                    where=where.format("ceiling"), found=str(question.ceiling))
        )  # fmt: skip
    if problems:
        raise DeclarationError(*problems)
