"""Transfer: what is practised with AI by volume does not carry to new tasks; schema training does.

Persons meet tasks and tasks meet persons: both are samples, so both get random effects (Clark
1973; Judd, Westfall and Kenny 2012). "Does not carry" is a claim of no effect and needs a test of
its own, non-superiority; far less familiar is a contrast of one model, never a difference score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.inference.decision import Criterion
from alc_stats.measures.columns import listed
from alc_stats.models.finding import Claim, Finding, Part, find_jointly, joined
from alc_stats.models.transfer.answer import Answer
from alc_stats.models.transfer.data import TransferData, TransferQuestion, transfer_data
from alc_stats.models.transfer.evidence import all_evidence
from alc_stats.models.transfer.fits import crossed_model, tasks_fixed, untreated_sd
from alc_stats.models.transfer.lines import lines
from alc_stats.models.transfer.logistic import logistic_model
from alc_stats.models.transfer.pictures import pictures
from alc_stats.records import Number, Phrase

SMALLEST_GAIN = 0.20
"""Default smallest gain on far tasks, in SDs of untreated scores on one task."""
SMALLEST_RISE = 0.05
"""Default smallest gain for right and wrong answers: five percentage points."""
FAMILIAR_SHARE = 0.5
"""Of the smallest gain: how much worse schema training may be on familiar tasks."""
SEED = 20261127


def transfer(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    score: str,
    person: str,
    arm: str,
    control: str | None = None,
    usage: str | None = None,
    schema: str | None = None,
    novelty: str | None = None,
    task: str | None = None,
    post: str | None = None,
    wave: str | None = None,
    firm: str | None = None,
    covariates: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    practised: str | None = None,
    coded: str | None = None,
    scored: str | None = None,
    smallest: float | None = None,
    asks: Literal["transfer", "corrective"] = "transfer",
    criterion: Criterion | None = None,
    seed: int = SEED,
) -> Finding:
    """Whether what an arm trains carries to tasks that are far from what was practised.

    One mixed model of all scores, persons and tasks crossed. A claim of transfer joins, as far as
    the arms are there: usage arm against control, far tasks, *non-superior*; schema arm against
    usage arm, far tasks, *superior*; and far less familiar tasks, schema arm against usage arm,
    *superior*. A claim of a corrective joins the second with *non-inferiority* on familiar tasks.
    All parts must hold (intersection-union).

    The random part is maximal, then parsimonious: an intercept for every grouping with replicated
    cells (person, task, firm, person by level, task by arm, firm by task, ... and with `post` the
    same by time), the finest taken out one by one until the certificate is usable. Right and
    wrong answers are decided on the probability scale by the same model, whose gains are
    differences in probability.

    Parameters
    ----------
    data : DataFrame
        One row a person and task (and occasion).
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    score : str
        A number, or 0 and 1 for wrong and right.
    person, arm : str
        Who answered, and the arm a person is in throughout.
    control, usage, schema : str, optional
        Values of `arm`: no programme, volume of use, schema training. At least two; rows of other
        arms are not used.
    novelty : str, optional
        "familiar", "near" or "far", a property of the task. Without it every task is far.
    task : str, optional
        Without it the verdict is about the very tests that were given.
    post : str, optional
        0 before and 1 after the start; gains are then differences in differences.
    wave : str, optional
        Occasions, which have means of their own.
    firm : str, optional
        What was assigned as a whole (firm, class); without it, persons were.
    covariates : sequence of str
        Measured before the start.
    bounds : (float, float), optional
        Smallest and largest possible score.
    practised : str, optional
        1 where a person had practised that very task, 0 elsewhere.
    coded, scored : str, optional
        Days on which a task's novelty was coded and the answer was scored.
    smallest : float, optional
        Smallest gain of interest in units of the score; 0.05 for right and wrong answers, 0.20 of
        the SD of untreated scores on one far task otherwise. On familiar tasks half of it is the
        margin of non-inferiority.
    asks : {"transfer", "corrective"}
        Which of the two claims.
    criterion : Criterion, optional
        Its `alpha` is used; 0.05 by default.
    seed : int
        Of the exchange of whole units between arms.

    Returns
    -------
    Finding
        Parts first in its triangulation; then gains of each arm and level on the scale of scores
        and of log odds, and the same contrast by other methods.

    Raises
    ------
    DeclarationError
        If a column or an arm is unknown, or the treatment never varies.
    TableError
        If a task was seen by one person, novelty varies within a task or was coded after the
        outcome, an arm has one cluster, or scores lie outside their bounds.

    References
    ----------
    Clark (1973), Journal of Verbal Learning and Verbal Behavior 12, 335-359. Judd, Westfall and
    Kenny (2012), Journal of Personality and Social Psychology 103, 54-69. Barr et al. (2013),
    Journal of Memory and Language 68, 255-278. Berger (1982), Technometrics 24, 295-300.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> rows = pd.MultiIndex.from_product([range(80), range(16)], names=["who", "task"])
    >>> table = rows.to_frame(index=False)
    >>> table["arm"] = np.where(table["who"] % 2, "use", "none")
    >>> skill, ease = 6 * rng.normal(size=80), 4 * rng.normal(size=16)
    >>> table["score"] = 50 + skill[table["who"]] + ease[table["task"]] + 8 * rng.normal(size=1280)
    >>> found = transfer(table, score="score", person="who", task="task", arm="arm",
    ...                  control="none", usage="use", smallest=4.0, bounds=(0, 100))
    >>> found.triangulation[0].method, round(found.triangulation[0].value, 1)
    ('Usage arm, far tasks: no gain over control', -0.6)
    """
    question = TransferQuestion(
        score=score, person=person, arm=arm, control=control, usage=usage, schema=schema,
        novelty=novelty, task=task, post=post, wave=wave, firm=firm, covariates=listed(covariates),
        bounds=bounds, practised=practised, coded=coded, scored=scored, smallest=smallest,
        asks=asks,
    )  # fmt: skip
    claim = claim or Claim("transfer", asks, _STATEMENTS.get(asks, ""))
    alpha = criterion.alpha if criterion else 0.05
    return judge(data, question, claim, Criterion("conjunction", float("nan"), alpha=alpha), seed)


_STATEMENTS = {
    "transfer": "What use by volume trains does not carry to far tasks; what schemas train does.",
    "corrective": "Schema training beats use by volume on far tasks and loses nothing on familiar.",
}


def judge(
    data: pd.DataFrame,
    question: TransferQuestion,
    claim: Claim,
    criterion: Criterion,
    seed: int = SEED,
) -> Finding:
    """`transfer` with its columns as one record."""
    rows = transfer_data(data, question)
    try:
        model = crossed_model(rows)
    except FitError as error:
        failed = Part("Gains of the arms", None, _rule("superiority", 1.0, criterion),
                      Phrase(str(error).replace("{", "(").replace("}", ")")))  # fmt: skip
        return find_jointly(claim, [failed])
    smallest = smallest_gain(rows)
    logistic = logistic_model(rows, model) if rows.right_wrong else None
    answer = Answer(rows, model, tasks_fixed(rows), logistic, smallest, criterion.alpha, seed)
    parts = _parts(answer, criterion)
    evidence = all_evidence(answer)
    return find_jointly(
        claim, parts, evidence=evidence, observed=_observed(answer),
        triangulation=lines(answer), pictures=pictures(answer),
    )  # fmt: skip


def smallest_gain(rows: TransferData) -> float:
    """The smallest gain of interest in units of the score."""
    if rows.question.smallest is not None:
        return rows.question.smallest
    return SMALLEST_RISE if rows.right_wrong else SMALLEST_GAIN * untreated_sd(rows)


def _rule(rule: str, smallest: float, criterion: Criterion) -> Criterion:
    return Criterion(rule, smallest, alpha=criterion.alpha)  # type: ignore[arg-type]


def _parts(answer: Answer, criterion: Criterion) -> list[Part]:
    """The parts that the arms and levels of novelty allow."""
    delta, found = answer.smallest, []
    if answer.rows.question.asks == "transfer" and answer.has("usage", "control"):
        rule = _rule("non_superiority", delta, criterion)
        found.append(
            Part(
                "Usage arm, far tasks: no gain over control",
                answer.over("far", "usage", "control"),
                rule,
            )
        )
    if answer.has("schema"):
        other = "usage" if answer.has("usage") else "control"
        rule = _rule("superiority", delta, criterion)
        found.append(
            Part(
                f"Schema arm, far tasks: gain over {_OF[other]}",
                answer.over("far", "schema", other),
                rule,
            )
        )
        found += _beyond(answer, other, criterion)
    return found


_OF = {"usage": "usage arm", "control": "control"}


def _beyond(answer: Answer, other: str, criterion: Criterion) -> list[Part]:
    """What is said of familiar tasks: less gain there, or no loss."""
    if "familiar" not in answer.rows.levels:
        return []
    if answer.rows.question.asks == "transfer":
        rule = _rule("superiority", answer.smallest, criterion)
        said = f"Schema arm over {_OF[other]}: far tasks less familiar ones"
        return [Part(said, answer.far_less_familiar("schema", other), rule)]
    rule = _rule("non_inferiority", FAMILIAR_SHARE * answer.smallest, criterion)
    said = f"Schema arm, familiar tasks: no loss to {_OF[other]}"
    return [Part(said, answer.over("familiar", "schema", other), rule)]


def _observed(answer: Answer) -> Phrase:
    rows = answer.rows
    numbers = {
        "scores": Number(len(rows.rows), "count"),
        "persons": Number(rows.rows["person"].nunique(), "count"),
        "smallest_gain": Number(answer.smallest),
    }
    seen = Phrase(
        "{scores} scores of {persons} persons; the smallest gain of interest is {smallest_gain}.",
        numbers,
    )
    if rows.left_out:
        seen = joined(seen, Phrase("{left_out} rows without a score or covariate were not used.",
                                   {"left_out": Number(rows.left_out, "count")}))  # fmt: skip
    absent = [said for part, said in _ABSENT.items() if not answer.has(part)]
    if "familiar" not in rows.levels:
        absent.append("far against familiar tasks, for want of familiar ones")
    return joined(seen, Phrase(f"Not tested: {'; '.join(absent)}.")) if absent else seen


_ABSENT = {
    "control": "the usage arm's own gain, for want of a control arm",
    "usage": "use by volume, for want of a usage arm",
    "schema": "schema training, for want of a schema arm",
}
