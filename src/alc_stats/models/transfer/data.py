"""The rows behind a question of transfer: read, checked, in columns of fixed names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from alc_stats.errors import (
    DeclarationError,
    Problem,
    TableError,
    did_you_mean,
    raise_all,
)
from alc_stats.measures.columns import numbers, require
from alc_stats.records import BoolArray

Asks = Literal["transfer", "corrective"]
LEVELS = ("familiar", "near", "far")
"""Values of a column of novelty, from what was practised to what never was."""
ARMS = ("control", "usage", "schema")
FEWEST_UNITS = 2
"""In an arm: one class's difference cannot be told from the effect of its arm."""
NAMED = 8
"""Values of a column that an error lists, so that a column of ids does not fill the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferQuestion:
    """Which column plays which part; see `alc_stats.models.transfer.claim.transfer`."""

    score: str
    person: str
    arm: str
    control: str | None = None
    usage: str | None = None
    schema: str | None = None
    novelty: str | None = None
    task: str | None = None
    post: str | None = None
    wave: str | None = None
    firm: str | None = None
    covariates: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    practised: str | None = None
    coded: str | None = None
    scored: str | None = None
    smallest: float | None = None
    asks: Asks = "transfer"

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        single = (
            self.score, self.person, self.arm, self.novelty, self.task, self.post, self.wave,
            self.firm, self.practised, self.coded, self.scored,
        )  # fmt: skip
        return tuple(c for c in (*single, *self.covariates) if c)

    @property
    def arms(self) -> dict[str, str]:
        """The part an arm plays, by its value in the column of arms."""
        named = {getattr(self, part): part for part in ARMS if getattr(self, part) is not None}
        return {str(value): part for value, part in named.items()}


@dataclass(frozen=True, slots=True, eq=False)
class TransferData:
    """Rows with a score in one of the arms.

    Attributes
    ----------
    rows : DataFrame
        `score`, `person`, `arm` ("control", "usage", "schema"), `level` ("familiar", "near",
        "far"), `task`, `post`, `wave`, `firm`, `unit` (what was assigned: firm or person),
        covariates as `x_1`, ..., `practised`.
    question : TransferQuestion
    levels : tuple of str
        Those with scores, "far" last.
    reference : str
        The arm others are compared with: control, or usage where there is no control.
    others : tuple of str
    right_wrong : bool
        Whether scores are 0 and 1.
    left_out : int
        Rows of the arms that are compared that lack a score or a covariate.
    """

    rows: pd.DataFrame
    question: TransferQuestion
    levels: tuple[str, ...]
    reference: str
    others: tuple[str, ...]
    right_wrong: bool
    left_out: int

    @property
    def did(self) -> bool:
        """Whether there is a time before."""
        return self.question.post is not None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Of the score: as declared, 0 and 1 for right and wrong."""
        return (0.0, 1.0) if self.right_wrong else self.question.bounds

    @property
    def untreated(self) -> BoolArray:
        """Rows that no programme has touched: of the control arm, or before; else the reference."""
        free = (self.rows["arm"] == "control") | ((self.rows["post"] == 0) & self.did)
        return np.asarray(free if free.any() else self.rows["arm"] == self.reference)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the columns of covariates."""
        return tuple(c for c in self.rows.columns if c.startswith("x_"))

    def tasks(self, level: str) -> int:
        """How many tasks a level of novelty has; 0 where no column says."""
        if self.question.task is None:
            return 0
        return int(self.rows.loc[self.rows["level"] == level, "task"].nunique())


def transfer_data(data: pd.DataFrame, question: TransferQuestion) -> TransferData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    require(data, question.columns, where="transfer")
    raise_all(DeclarationError, _misdeclared(data, question))
    scores = numbers(data, [question.score], where="transfer")[question.score]
    raise_all(TableError, _unassigned(scores.notna() & data[question.arm].isna(), question))
    here = data[question.arm].astype(str).isin(question.arms)
    rows = _read(data.loc[here], scores.loc[here], question)
    needed = [c for c in rows if c == "score" or str(c).startswith("x_")]
    known = rows[needed].notna().all(axis=1)
    kept = rows.loc[known].reset_index(drop=True)
    raise_all(TableError, _broken(kept, question))
    # a categorical column would carry its categories into every grouping
    kept = kept.astype(dict.fromkeys(("person", "arm", "level", "task", "firm", "unit"), str))
    levels = tuple(level for level in LEVELS if (kept["level"] == level).any())
    present = [part for part in ARMS if part in question.arms.values()]
    return TransferData(
        kept, question, levels, present[0], tuple(present[1:]),
        bool(kept["score"].isin([0.0, 1.0]).all()), int((~known).sum()),
    )  # fmt: skip


def _read(here: pd.DataFrame, scores: pd.Series, question: TransferQuestion) -> pd.DataFrame:
    q = question
    post = _number(here, q.post) if q.post else pd.Series(1.0, here.index)
    parts = {
        "score": scores,
        "person": here[q.person],
        "arm": here[q.arm].astype(str).map(q.arms),
        "level": here[q.novelty].astype("str") if q.novelty else "far",
        "task": here[q.task] if q.task else "",
        "post": post,
        "wave": here[q.wave] if q.wave else post,
        "firm": here[q.firm] if q.firm else "",
        "unit": here[q.firm or q.person],
        "practised": _number(here, q.practised) if q.practised else np.nan,
    }
    parts |= {f"x_{i}": here[c] for i, c in enumerate(q.covariates, 1)}
    if q.coded and q.scored:
        parts["late"] = pd.to_datetime(here[q.coded], utc=True) > pd.to_datetime(
            here[q.scored], utc=True
        )
    return pd.DataFrame(parts)


def _number(here: pd.DataFrame, column: str) -> pd.Series:
    return numbers(here, [column], where="transfer")[column]


def _misdeclared(data: pd.DataFrame, q: TransferQuestion) -> Iterator[Problem]:
    """What is wrong in the call."""
    yield from _arm_problems(data[q.arm], q)
    if q.asks not in (allowed := get_args(Asks)):
        yield Problem(
            "there is no such question",
            where="transfer, asks",
            found=f"'{q.asks}'",
            allowed=", ".join(f"'{a}'" for a in allowed),
        )
    if (q.coded is None) != (q.scored is None):
        yield Problem(
            "the date of coding says something only beside the date of the score",
            where="transfer, coded and scored",
            way_out="Name both columns, or neither.",
        )
    if q.bounds is not None and not q.bounds[0] < q.bounds[1]:
        yield Problem("the bounds are not in order", where="transfer, bounds", found=f"{q.bounds}")
    if q.smallest is not None and not q.smallest > 0.0:
        yield Problem(
            "the smallest effect is not positive", where="transfer, smallest", found=f"{q.smallest}"
        )
    if q.asks == "corrective" and (q.schema is None or q.novelty is None):
        yield Problem(
            "the corrective is about schema training on far and on familiar tasks",
            where="transfer, asks",
            way_out="Name the arm with schema= and the column with novelty=.",
        )


def _arm_problems(arms: pd.Series, q: TransferQuestion) -> Iterator[Problem]:
    where = f"transfer, column '{q.arm}'"
    named = [v for v in (getattr(q, part) for part in ARMS) if v is not None]
    if len(named) < 2 or len(set(named)) < len(named):
        yield Problem(
            "there are not two arms to compare",
            where=where,
            found=", ".join(f"'{n}'" for n in named) or "none named",
            allowed="two or three different values, named by control=, usage= and schema=",
        )
    found = sorted({str(a) for a in arms.dropna()})
    if len(found) < 2:
        yield Problem(
            "the treatment never varies",
            where=where,
            found=", ".join(found) or "nothing",
            allowed="at least two arms",
            way_out="Add the rows of people who were not treated so.",
        )
    for name in named:
        if str(name) not in found:
            yield Problem(
                f"no row is in arm '{name}'",
                where=where,
                found=", ".join(found[:NAMED]) + (", ..." if len(found) > NAMED else ""),
                way_out=did_you_mean(str(name), found) if len(found) <= NAMED else "",
            )


def _unassigned(lost: pd.Series, q: TransferQuestion) -> Iterator[Problem]:
    if count := int(lost.sum()):
        yield _without("arm", q.arm, count)


def _without(part: str, column: str, count: int) -> Problem:
    return Problem(
        f"{count} rows with a score have no {part}",
        where=f"column '{column}'",
        way_out="Leave these rows out when the data are prepared, where it is recorded.",
    )


def _broken(rows: pd.DataFrame, q: TransferQuestion) -> Iterator[Problem]:
    """What the table gets wrong."""
    for part in ("person", "task", "firm", "post", "wave"):
        if lost := int(rows[part].isna().sum()):
            yield _without(part, getattr(q, part), lost)
    if rows.empty:
        yield Problem("no row has a score", where=f"column '{q.score}'")
        return
    if rows["score"].nunique() < 2:
        yield Problem("the score is constant", where=f"column '{q.score}'")
    yield from _outside(rows, q)
    yield from _novelty_problems(rows, q)
    yield from _task_problems(rows, q)
    yield from _unit_problems(rows, q)
    yield from _time_problems(rows, q)


def _outside(rows: pd.DataFrame, q: TransferQuestion) -> Iterator[Problem]:
    if q.bounds is None:
        return
    outside = int((~rows["score"].between(*q.bounds)).sum())
    if outside:
        yield Problem(
            "scores lie outside their bounds",
            where=f"column '{q.score}'",
            found=f"{outside} of {len(rows)}",
            allowed=f"{q.bounds[0]:g} to {q.bounds[1]:g}",
            way_out="Correct the declared bounds or the data.",
        )


def _novelty_problems(rows: pd.DataFrame, q: TransferQuestion) -> Iterator[Problem]:
    strange = sorted(set(rows["level"].astype(str)) - set(LEVELS))
    if strange:
        yield Problem(
            "the column of novelty holds other values",
            where=f"column '{q.novelty}'",
            found=", ".join(strange[:NAMED]),
            allowed=", ".join(LEVELS),
            way_out="Name the levels so when the data are prepared.",
        )
    elif not (rows["level"] == "far").any():
        yield Problem("no task is far", where=f"column '{q.novelty}'", allowed=", ".join(LEVELS))
    if "late" in rows and (late := int(rows["late"].sum())):
        yield Problem(
            "novelty was coded after the outcome",
            where=f"column '{q.coded}'",
            found=f"{late} of {len(rows)} rows are coded later than they were scored",
            allowed="novelty is fixed before anybody has seen how a task came out",
            way_out="Have the tasks coded by people who know no results, as a new coding with its "
            "own date, or leave out tasks that were coded late.",
        )


def _task_problems(rows: pd.DataFrame, q: TransferQuestion) -> Iterator[Problem]:
    if q.task is None:
        return
    moving = rows.groupby("task")["level"].nunique()
    if (moving > 1).any():
        yield Problem(
            "the novelty of a task varies",
            where=f"column '{q.novelty}'",
            found=f"{int((moving > 1).sum())} of {len(moving)} tasks have several levels",
            allowed="one level a task: novelty belongs to the task and is fixed before outcomes",
            way_out="Code tasks, not answers; where a task is familiar to some people only, give "
            "it another id for them.",
        )
    seen = rows.groupby("task")["person"].nunique()
    if (seen < 2).any():
        yield Problem(
            "a task was seen by one person",
            where=f"column '{q.task}'",
            found=f"{int((seen < 2).sum())} of {len(seen)} tasks",
            allowed="at least two persons a task, or what is hard about the task cannot be told "
            "from what the person cannot do",
            way_out="Leave such tasks out when the data are prepared, where it is recorded, or "
            "name a column of task families as task.",
        )


def _unit_problems(rows: pd.DataFrame, q: TransferQuestion) -> Iterator[Problem]:
    arms = rows.groupby("unit")["arm"].nunique()
    name = q.firm or q.person
    if (arms > 1).any():
        yield Problem(
            f"{int((arms > 1).sum())} of what was assigned are in several arms",
            where=f"column '{name}'",
            allowed="one arm throughout; with post, the programme starts where post turns 1",
            way_out="Name the level that was assigned to arms with firm=; leave firm out if "
            "persons were assigned.",
        )
        return
    for arm, count in rows.groupby("arm")["unit"].nunique().items():
        if count < FEWEST_UNITS:
            yield Problem(
                f"arm '{getattr(q, str(arm))}' has one cluster",
                where=f"column '{name}'",
                allowed=f"at least {FEWEST_UNITS}, or the cluster cannot be told from the arm",
                way_out="Add clusters; if persons were assigned within it, leave firm out.",
            )


def _time_problems(rows: pd.DataFrame, q: TransferQuestion) -> Iterator[Problem]:
    if q.post is None:
        return
    if set(rows["post"]) != {0.0, 1.0}:
        yield Problem(
            "the column is not 0 before and 1 after",
            where=f"column '{q.post}'",
            found=", ".join(f"{v:g}" for v in sorted(set(rows["post"]))[:NAMED]),
            allowed="0 and 1, both of them",
            way_out="Leave post out if there is no time before.",
        )
    cells = rows.groupby(["arm", "level"])["post"].nunique().reset_index()
    halves = cells.loc[cells["post"] < 2]
    if len(halves):
        missing = halves["arm"] + ", " + halves["level"]
        yield Problem(
            "an arm has no scores before or after",
            where=f"column '{q.post}'",
            found="; ".join(missing),
            allowed="scores before and after in every arm and level of novelty",
        )
