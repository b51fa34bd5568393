"""The rows behind a question of moderation: read, checked, moderators as they were before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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

_WHERE = "moderation"
FEWEST_UNITS = 2
NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationQuestion:
    """Which column plays which part; see `alc_stats.models.moderation.claim.moderation`."""

    outcome: str
    treatment: str
    person: str
    moderators: tuple[str, ...]
    ability: str | None = None
    post: str | None = None
    wave: str | None = None
    firm: str | None = None
    measured: str | None = None
    start: str | None = None
    bounds: tuple[float, float] | None = None
    treated: str | None = None
    control: str | None = None
    smallest: float = 0.10

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        single = (
            self.outcome, self.treatment, self.person, self.ability, self.post, self.wave,
            self.firm, self.measured, self.start,
        )  # fmt: skip
        return tuple(c for c in (*single, *self.moderators) if c)

    @property
    def held(self) -> tuple[str, ...]:
        """Moderators and ability: all that the effect may depend on."""
        return (*self.moderators, *([self.ability] if self.ability else []))


@dataclass(frozen=True, slots=True, eq=False)
class ModerationData:
    """Rows of the two arms.

    Attributes
    ----------
    rows : DataFrame
        `outcome` (in SDs of untreated outcomes), `raw`, `treated`, `post`, `on` (treated and
        after the start), `wave`, `person`, `unit`, `m_1`, ... (standardised; ability last).
    question : ModerationQuestion
    left_out : int
    """

    rows: pd.DataFrame
    question: ModerationQuestion
    left_out: int

    @property
    def did(self) -> bool:
        """Whether there is a time before."""
        return self.question.post is not None

    def column(self, moderator: str) -> str:
        """The column that holds a moderator, or ability."""
        return f"m_{self.question.held.index(moderator) + 1}"


def moderation_data(data: pd.DataFrame, question: ModerationQuestion) -> ModerationData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, _misdeclared(data, question))
    rows = _read(data, question)
    unassigned = rows["outcome"].notna() & data[question.treatment].isna()
    rows = rows.loc[rows["treated"].notna()]
    raise_all(TableError, _lost(rows, question, int(unassigned.sum())))
    rows = _as_before(_with_ids(rows), question)
    held = [f"m_{i}" for i in range(1, len(question.held) + 1)]
    known = rows[["outcome", *held]].notna().all(axis=1)
    kept = rows.loc[known].reset_index(drop=True)
    raise_all(TableError, _broken(kept, question, held))
    return ModerationData(_standardised(kept, held, question), question, int((~known).sum()))


def _misdeclared(data: pd.DataFrame, q: ModerationQuestion) -> Iterator[Problem]:
    if not q.moderators or len(set(q.held)) < len(q.held):
        yield Problem("moderators are not one or more different columns", where=_WHERE,
                      found=", ".join(q.held) or "none")  # fmt: skip
    if (q.measured is None) != (q.start is None):
        yield Problem("measured and start are named together", where=_WHERE)
    if not q.smallest > 0.0:
        yield Problem(
            "the smallest moderation is not positive", where=_WHERE, found=f"{q.smallest}"
        )
    found = sorted({str(v) for v in data[q.treatment].dropna()})
    where = f"moderation, column '{q.treatment}'"
    if len(found) < 2:
        yield Problem("the treatment never varies", where=where, found=", ".join(found),
                      allowed="two arms")  # fmt: skip
    elif q.treated is None and q.control is None:
        if not data[q.treatment].dropna().isin([0, 1]).all():
            yield Problem("the column is not 0 and 1", where=where, found=", ".join(found[:NAMED]),
                          way_out="Name the two arms with treated= and control=.")  # fmt: skip
    else:
        for name in (q.treated, q.control):
            if str(name) not in found:
                yield Problem(f"no row is in arm '{name}'", where=where,
                              way_out=did_you_mean(str(name), found))  # fmt: skip


def _read(data: pd.DataFrame, q: ModerationQuestion) -> pd.DataFrame:
    arms = data[q.treatment]
    treated = (
        arms.astype(float)
        if q.treated is None
        else arms.astype(str).map({str(q.treated): 1.0, str(q.control): 0.0})
    )
    number = numbers(data, [q.outcome, *q.held], where=_WHERE)
    post = numbers(data, [q.post], where=_WHERE)[q.post] if q.post else pd.Series(1.0, data.index)
    parts = {
        "outcome": number[q.outcome],
        "raw": number[q.outcome],
        "treated": treated,
        "post": post,
        "wave": data[q.wave] if q.wave else post,
        "person": data[q.person],
        "unit": data[q.firm or q.person],
    }
    parts |= {f"m_{i}": number[c] for i, c in enumerate(q.held, 1)}
    if q.measured and q.start:
        parts["late"] = pd.to_datetime(data[q.measured]) >= pd.to_datetime(data[q.start])
    return pd.DataFrame(parts)


def _with_ids(rows: pd.DataFrame) -> pd.DataFrame:
    """Ids as text: a categorical column would carry its categories into every grouping."""
    return rows.assign(**{name: rows[name].astype(str) for name in ("person", "unit", "wave")})


def _without(part: str, column: str, rows: str) -> Problem:
    return Problem(
        f"{rows} have no {part}",
        where=f"column '{column}'",
        way_out="Leave these rows out when the data are prepared, where it is recorded.",
    )


def _as_before(rows: pd.DataFrame, q: ModerationQuestion) -> pd.DataFrame:
    """With a time before, moderators are what they were then."""
    if q.post is None:
        return rows
    held = [str(c) for c in rows if str(c).startswith("m_")]
    before = rows.loc[rows["post"] == 0.0].groupby("person")[held].mean()
    return rows.assign(**{c: rows["person"].map(before[c]) for c in held})


def _lost(rows: pd.DataFrame, q: ModerationQuestion, unassigned: int) -> Iterator[Problem]:
    if unassigned:
        yield _without("treatment", q.treatment, f"{unassigned} rows with an outcome")
    for part, name in (("person", q.person), ("unit", q.firm), ("post", q.post)):
        if name and (count := int(rows[part].isna().sum())):
            yield _without("firm" if part == "unit" else part, name, f"{count} rows")
    if q.post and set(rows["post"].dropna()) != {0.0, 1.0}:
        yield Problem("the column is not 0 before and 1 after", where=f"column '{q.post}'",
                      allowed="0 and 1, both of them")  # fmt: skip
    if "late" in rows and (late := int(rows["late"].sum())):
        yield Problem(
            "moderators were measured after the start",
            where=f"column '{q.measured}'",
            found=f"{late} of {len(rows)} rows",
            allowed="before: what is measured under a programme may be its consequence",
            way_out="Use an earlier measurement, or leave these persons out and record it.",
        )


def _broken(rows: pd.DataFrame, q: ModerationQuestion, held: list[str]) -> Iterator[Problem]:
    if rows.empty:
        yield Problem("no row has an outcome and every moderator", where=_WHERE)
        return
    for column, name in zip(held, q.held, strict=True):
        if len(rows[column].unique()) < 2:
            yield Problem("the moderator never varies", where=f"column '{name}'")
        elif _varies(rows, "person", column):
            yield Problem("the moderator changes within persons", where=f"column '{name}'",
                          way_out="Name the column post=, so that it is taken as it was before, or "
                          "give one value a person.")  # fmt: skip
    if _varies(rows, "unit", "treated"):
        yield Problem("what was assigned is in both arms", where=f"column '{q.firm or q.person}'",
                      allowed="one arm throughout; with post, the start says when")  # fmt: skip
        return
    if (rows.groupby("treated")["unit"].nunique() < FEWEST_UNITS).any():
        yield Problem("an arm has one cluster", where=f"column '{q.firm or q.person}'",
                      allowed=f"at least {FEWEST_UNITS}")  # fmt: skip
    if rows["treated"].nunique() < 2:
        yield Problem("one arm has no complete row", where=f"column '{q.treatment}'")


def _varies(rows: pd.DataFrame, within: str, column: str) -> bool:
    """Whether a column takes several values within a level."""
    return bool(rows[[within, column]].drop_duplicates()[within].duplicated().any())


def _standardised(rows: pd.DataFrame, held: list[str], q: ModerationQuestion) -> pd.DataFrame:
    """Moderators by persons' SD, outcomes by the SD of untreated ones about their occasion."""
    people = rows.drop_duplicates("person")
    scaled = {c: (rows[c] - people[c].mean()) / people[c].std() for c in held}
    free = rows.loc[(rows["treated"] == 0.0) | ((rows["post"] == 0.0) & (q.post is not None))]
    cell = free.groupby("wave")["outcome"]
    sd = np.sqrt(
        ((free["outcome"] - cell.transform("mean")) ** 2).sum() / (len(free) - cell.ngroups)
    )
    return rows.assign(outcome=rows["outcome"] / sd, on=rows["treated"] * rows["post"], **scaled)
