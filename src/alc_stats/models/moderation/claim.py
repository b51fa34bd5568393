"""Moderation: who gains from a programme, knowledge of shape and of ways held apart.

Topology is to know the shape of a system's constraints, topography to know how to move among
them. Both go with ability and with each other, so each is asked with the others in the model, and
each as it was before the start: what is measured later may be a consequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.inference.decision import Criterion
from alc_stats.models.finding import Claim, Finding, Part, find_jointly, joined
from alc_stats.models.moderation.data import ModerationData, ModerationQuestion, moderation_data
from alc_stats.models.moderation.fits import Moderated, moderated
from alc_stats.models.moderation.lines import all_evidence, lines, pictures
from alc_stats.records import Number, Phrase

SMALLEST_MODERATION = 0.10
"""SD of the outcome by which the effect grows for an SD of the moderator."""


def moderation(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    outcome: str,
    treatment: str,
    person: str,
    moderators: Sequence[str],
    ability: str | None = None,
    post: str | None = None,
    wave: str | None = None,
    firm: str | None = None,
    measured: str | None = None,
    start: str | None = None,
    bounds: tuple[float, float] | None = None,
    treated: str | None = None,
    control: str | None = None,
    smallest: float = SMALLEST_MODERATION,
    criterion: Criterion | None = None,
) -> Finding:
    """Whether a programme does more for people who have more of each moderator.

    One model with the treatment's effect depending on all moderators, and on ability, at once;
    mixed, with CR2 and Satterthwaite's degrees of freedom over what was assigned, since a moderated
    effect of a whole firm's programme varies from firm to firm. Each moderator is a part of the
    claim (superiority); how far they differ is a line.

    Parameters
    ----------
    data : DataFrame
        One row a person, or a person and occasion.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    outcome : str
        Standardised by the SD of untreated outcomes.
    treatment : str
        0 and 1; otherwise `treated` and `control` name the two values. With `post`, the arm.
    person : str
    moderators : sequence of str
        Such as topology and topography. With `post` their mean over a person's rows before the
        start; without, one value a person. Standardised over persons.
    ability : str, optional
        Measured before as well; its own moderation is in the model.
    post, wave, firm : str, optional
        0 before and 1 after the start; occasions; what was assigned as a whole.
    measured, start : str, optional
        Without `post`: days on which the moderators were measured and the programme began.
    bounds : (float, float), optional
        Of the outcome.
    treated, control : str, optional
        See `treatment`.
    smallest : float
        SD of the outcome for an SD of the moderator.
    criterion : Criterion, optional
        Its `alpha` is used; 0.05 by default.

    Returns
    -------
    Finding

    Raises
    ------
    DeclarationError
        If a column is unknown or the treatment never varies.
    TableError
        If a moderator never varies, or was measured after the start.

    References
    ----------
    Loftus (1978), Memory & Cognition 6, 312-319, on interactions that another scale removes.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(4)
    >>> table = pd.DataFrame(rng.normal(size=(400, 2)), columns=["shape", "ways"])
    >>> table["who"], table["ai"] = range(400), [0, 1] * 200
    >>> table["score"] = table["shape"] * (1 + 0.5 * table["ai"]) + rng.normal(size=400)
    >>> found = moderation(table, outcome="score", treatment="ai", person="who",
    ...                    moderators=["shape", "ways"])
    >>> [line.note.template.split(":")[0] for line in found.triangulation[:2]]
    ['supported', 'inconclusive']
    """
    question = ModerationQuestion(
        outcome=outcome, treatment=treatment, person=person, moderators=tuple(moderators),
        ability=ability, post=post, wave=wave, firm=firm, measured=measured, start=start,
        bounds=bounds, treated=treated, control=control, smallest=smallest,
    )  # fmt: skip
    claim = claim or Claim("moderation", "moderation", f"{treatment} does more for those with more "
                           f"of {', '.join(moderators)}.")  # fmt: skip
    alpha = criterion.alpha if criterion else 0.05
    return judge(data, question, claim, Criterion("conjunction", float("nan"), alpha=alpha))


def judge(
    data: pd.DataFrame, question: ModerationQuestion, claim: Claim, criterion: Criterion
) -> Finding:
    """`moderation` with its columns as one record."""
    rows = moderation_data(data, question)
    rule = Criterion("superiority", question.smallest, alpha=criterion.alpha)
    try:
        model = moderated(rows)
    except FitError as error:
        why = Phrase(str(error).replace("{", "(").replace("}", ")"))
        return find_jointly(claim, [Part(f"More effect with more {m}", None, rule, why)
                                    for m in question.moderators])  # fmt: skip
    parts = [Part(f"More effect with more {m}", model.gamma(m), rule) for m in question.moderators]
    return find_jointly(
        claim, parts, evidence=all_evidence(rows, model, criterion.alpha),
        observed=_observed(rows, model), triangulation=lines(rows, model),
        pictures=pictures(rows, model),
    )  # fmt: skip


def _observed(rows: ModerationData, model: Moderated) -> Phrase:
    numbers = {
        "persons": Number(rows.rows["person"].nunique(), "count"),
        "average": Number(model.average.value, unit="SD"),
    }
    people = "{persons} persons, each assigned alone"
    if rows.question.firm:
        numbers["clusters"] = Number(rows.rows["unit"].nunique(), "count")
        people = "{persons} persons in {clusters} firms"
    seen = Phrase(
        f"{people}; at mean moderators the effect is {{average}} SD.",
        numbers,
    )
    if not rows.left_out:
        return seen
    lost = Phrase("{left_out} rows that lack a value, or a moderator from before, were not used.",
                  {"left_out": Number(rows.left_out, "count")})  # fmt: skip
    return joined(seen, lost)
