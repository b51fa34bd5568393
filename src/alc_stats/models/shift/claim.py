"""Shift: what people lose when the platform, model or task changes, and how fast they relearn.

A drop is easy to fake: a learning curve that flattens falls below its own straight line, people
who know of the change slow down before it, and a worse model is not a worse person.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.inference.decision import Criterion
from alc_stats.measures.columns import listed
from alc_stats.models.finding import Claim, Finding, Part, find_jointly, joined
from alc_stats.models.shift.data import ShiftData, ShiftQuestion, shift_data
from alc_stats.models.shift.evidence import Course, all_evidence
from alc_stats.models.shift.fits import baseline_sd, piecewise, placebos
from alc_stats.models.shift.lines import lines, pictures
from alc_stats.records import Number, Phrase

SMALLEST_LOSS = 0.20
"""Default smallest loss, in SDs of outcomes before the event."""
MODERATED_SHARE = 0.5
"""Of the smallest loss: the smallest difference in loss that an SD of the moderator makes."""


def shift(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    outcome: str,
    person: str,
    time: str,
    event: float,
    exposed: str | None = None,
    adaptive: str | None = None,
    firm: str | None = None,
    task: str | None = None,
    benchmark: str | None = None,
    covariates: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    anticipation: float = 1.0,
    smallest: float | None = None,
    criterion: Criterion | None = None,
) -> Finding:
    """Whether outcomes drop at an event, among whom less, and how fast they come back.

    A piecewise mixed model: a line before, a drop at the event, a line after, each with a person's
    own deviations (maximal, then the next simpler with a usable certificate). With `exposed` all
    pieces are differences from people whom the event did not touch; with `adaptive` they depend on
    the moderator, so that its effect on the drop is a triple difference.

    The claim joins: the drop is a loss of at least the smallest effect (superiority, downwards);
    and, with `adaptive`, people with more of it lose less (superiority).

    Parameters
    ----------
    data : DataFrame
        One row a person and occasion.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    outcome, person, time : str
        `time` is a number (week, trial); the first occasion of the new is at `event`.
    event : float
    exposed : str, optional
        1 for whom the event touched, 0 for others, throughout.
    adaptive : str, optional
        A person's schema accuracy or the like, measured before; it is standardised over persons.
    firm, task : str, optional
        What the event touched as a whole; what was worked on.
    benchmark : str, optional
        What the model alone scores at that time (on that task). Held constant, since a change of
        the model is no change of the person.
    covariates : sequence of str
    bounds : (float, float), optional
        Smallest and largest possible outcome.
    anticipation : float
        How long before the event people could have known of it, in units of `time`; the same
        window is left out on both sides for the donut.
    smallest : float, optional
        Smallest loss of interest in units of the outcome; 0.20 SD of outcomes before by default.
        Half of it is the smallest difference in loss that an SD of the moderator makes.
    criterion : Criterion, optional
        Its `alpha` is used; 0.05 by default.

    Returns
    -------
    Finding
        Parts first in its triangulation, then slopes, relearning and the drop by other methods.

    Raises
    ------
    DeclarationError, TableError
        For unknown columns, fewer than two times on a side, an exposure or moderator that never
        varies or varies within a person, one cluster on a side, values outside the bounds.

    References
    ----------
    Bliese and Lang (2016), Organizational Research Methods 19, 562-592. Lang and Bliese (2009),
    Journal of Applied Psychology 94, 411-428. Bernal, Cummins and Gasparrini (2017), International
    Journal of Epidemiology 46, 348-355.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> rows = pd.MultiIndex.from_product([range(60), range(12)], names=["who", "week"])
    >>> table = rows.to_frame(index=False)
    >>> own = 5 * rng.normal(size=60)
    >>> table["score"] = 50 + own[table["who"]] - 6 * (table["week"] >= 6)
    >>> table["score"] += 4 * rng.normal(size=720)
    >>> found = shift(table, outcome="score", person="who", time="week", event=6, bounds=(0, 100))
    >>> found.triangulation[0].method, round(found.triangulation[0].value, 1)
    ('Drop at the event', -6.6)
    """
    question = ShiftQuestion(
        outcome=outcome, person=person, time=time, event=event, exposed=exposed,
        adaptive=adaptive, firm=firm, task=task, benchmark=benchmark,
        covariates=listed(covariates), bounds=bounds, anticipation=anticipation, smallest=smallest,
    )  # fmt: skip
    claim = claim or Claim("shift", "shift", f"{outcome} falls at the event.")
    alpha = criterion.alpha if criterion else 0.05
    return judge(data, question, claim, Criterion("conjunction", float("nan"), alpha=alpha))


def judge(
    data: pd.DataFrame, question: ShiftQuestion, claim: Claim, criterion: Criterion
) -> Finding:
    """`shift` with its columns as one record."""
    rows = shift_data(data, question)
    smallest = question.smallest or SMALLEST_LOSS * baseline_sd(rows)
    fall = Criterion("superiority", smallest, "less", criterion.alpha)
    try:
        model = piecewise(rows)
    except FitError as error:
        why = Phrase(str(error).replace("{", "(").replace("}", ")"))
        return find_jointly(claim, [Part("Drop at the event", None, fall, why)])
    course = Course(rows, model, placebos(rows), smallest, criterion.alpha)
    parts = [Part("Drop at the event", course.drop, fall)]
    if question.adaptive:
        less = Criterion("superiority", MODERATED_SHARE * smallest, alpha=criterion.alpha)
        e = model.moderated("drop", name="difference in the drop for an SD of the moderator")
        parts.append(Part("Less of a drop with more of the moderator", e, less))
    return find_jointly(
        claim, parts, evidence=all_evidence(course), observed=_observed(rows, smallest),
        triangulation=lines(course), pictures=pictures(course),
    )  # fmt: skip


def _observed(rows: ShiftData, smallest: float) -> Phrase:
    numbers = {
        "outcomes": Number(len(rows.rows), "count"),
        "persons": Number(rows.rows["person"].nunique(), "count"),
        "smallest_loss": Number(smallest),
    }
    seen = Phrase(
        "{outcomes} outcomes of {persons} persons; the smallest loss of interest is "
        "{smallest_loss}.",
        numbers,
    )
    if not rows.left_out:
        return seen
    lost = Phrase("{left_out} rows that lack a value were not used.",
                  {"left_out": Number(rows.left_out, "count")})  # fmt: skip
    return joined(seen, lost)
