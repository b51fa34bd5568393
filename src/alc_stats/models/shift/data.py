"""The rows behind a question of a shift: read, checked, in columns of fixed names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require

FEWEST_TIMES = 2
"""Before and from the event on: a line needs two points."""
FEWEST_UNITS = 2
_WHERE = "shift"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftQuestion:
    """Which column plays which part; see `alc_stats.models.shift.claim.shift`."""

    outcome: str
    person: str
    time: str
    event: float
    exposed: str | None = None
    adaptive: str | None = None
    firm: str | None = None
    task: str | None = None
    benchmark: str | None = None
    covariates: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    anticipation: float = 1.0
    smallest: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        single = (
            self.outcome, self.person, self.time, self.exposed, self.adaptive, self.firm,
            self.task, self.benchmark,
        )  # fmt: skip
        return tuple(c for c in (*single, *self.covariates) if c)


@dataclass(frozen=True, slots=True, eq=False)
class ShiftData:
    """Rows with an outcome.

    Attributes
    ----------
    rows : DataFrame
        `outcome`, `person`, `firm`, `unit`, `task`, `t` (time less that of the event), `before`
        (t up to the event, 0 from then on), `drop` (1 from the event on), `after` (t from the event
        on, 0 before), `exposed`, `adaptive` (standardised over persons), `benchmark`, `x_1`, ...
    question : ShiftQuestion
    left_out : int
        Rows that lack an outcome, the moderator, the benchmark or a covariate.
    """

    rows: pd.DataFrame
    question: ShiftQuestion
    left_out: int

    @property
    def controlled(self) -> bool:
        """Whether there are persons whom the event did not touch."""
        return self.question.exposed is not None

    @property
    def times(self) -> np.ndarray:
        """Distinct times about the event, ascending."""
        return np.sort(self.rows["t"].unique())

    @property
    def touched(self) -> pd.DataFrame:
        """Rows of exposed persons."""
        return self.rows.loc[self.rows["exposed"] == 1.0]

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the columns of covariates."""
        return tuple(c for c in self.rows.columns if c.startswith("x_"))


def shift_data(data: pd.DataFrame, question: ShiftQuestion) -> ShiftData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, _misdeclared(question))
    raise_all(TableError, _untimed(data[question.time]))
    rows = _read(data, question)
    needed = [c for c in rows if c in ("outcome", "adaptive", "benchmark")
              or str(c).startswith("x_")]  # fmt: skip
    known = rows[needed].notna().all(axis=1)
    kept = rows.loc[known].reset_index(drop=True)
    raise_all(TableError, _broken(kept, question))
    return ShiftData(_timed(kept, question), question, int((~known).sum()))


def _misdeclared(q: ShiftQuestion) -> Iterator[Problem]:
    if not _finite(q.event):
        yield Problem("the time of the event is not a finite number", where="shift, event",
                      found=repr(q.event), allowed="a number on the scale of the column of times",
                      way_out=_COUNT)  # fmt: skip
    if q.bounds is not None and not q.bounds[0] < q.bounds[1]:
        yield Problem("the bounds are not in order", where="shift, bounds", found=f"{q.bounds}")
    if q.smallest is not None and not q.smallest > 0.0:
        yield Problem("the smallest loss is not positive", where="shift, smallest",
                      found=f"{q.smallest}", way_out="Declare its size.")  # fmt: skip
    if not q.anticipation > 0.0:
        yield Problem("the window of anticipation is not positive", where="shift, anticipation",
                      found=f"{q.anticipation}")  # fmt: skip


def _finite(value: object) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and math.isfinite(float(value))  # type: ignore[arg-type]


_COUNT = (
    "Of dates, count days (or weeks) from one fixed day when the data are prepared, for the column "
    "and for event alike: (dates - first_day).dt.days."
)


def _untimed(times: pd.Series) -> Iterator[Problem]:
    """Slopes are per unit of time, so that times have to be numbers."""
    if not pd.api.types.is_numeric_dtype(times):
        yield Problem("times are not numbers", where=f"shift, column '{times.name}'",
                      found=str(times.dtype), way_out=_COUNT)  # fmt: skip


def _read(data: pd.DataFrame, q: ShiftQuestion) -> pd.DataFrame:
    def number(name: str) -> pd.Series:
        return numbers(data, [name], where=_WHERE)[name]

    parts = {
        "outcome": number(q.outcome),
        "t": number(q.time) - q.event,
        "person": data[q.person],
        "firm": data[q.firm] if q.firm else "",
        "unit": data[q.firm or q.person],
        "task": data[q.task] if q.task else "",
        "exposed": number(q.exposed) if q.exposed else pd.Series(1.0, data.index),
    }
    if q.adaptive:
        parts["adaptive"] = number(q.adaptive)
    if q.benchmark:
        parts["benchmark"] = number(q.benchmark)
    parts |= {f"x_{i}": data[c] for i, c in enumerate(q.covariates, 1)}
    return pd.DataFrame(parts)


def _timed(rows: pd.DataFrame, q: ShiftQuestion) -> pd.DataFrame:
    # a categorical column would carry its categories into every grouping
    rows = rows.astype(dict.fromkeys(("person", "firm", "unit", "task"), str))
    rows["drop"] = (rows["t"] >= 0.0).astype(float)
    rows["before"] = rows["t"].clip(upper=0.0)
    rows["after"] = rows["t"].clip(lower=0.0)
    if q.adaptive:
        first = rows.groupby("person")["adaptive"].first()
        rows["adaptive"] = (rows["adaptive"] - first.mean()) / first.std()
    return rows


_DESIGN = (
    ("person", "person", "person"), ("firm", "firm", "firm"), ("task", "task", "task"),
    ("time", "t", "time"), ("exposed", "exposed", "exposure"),
)  # fmt: skip
"""What a row needs to be in the design at all: argument, column, name."""


def _broken(rows: pd.DataFrame, q: ShiftQuestion) -> Iterator[Problem]:
    """What the table gets wrong."""
    for part, column, name in _DESIGN:
        if lost := int(rows[column].isna().sum()):
            yield Problem(
                f"{lost} rows with an outcome have no {name}",
                where=f"column '{getattr(q, part)}'",
                way_out="Leave these rows out when the data are prepared, where it is recorded.",
            )
    if rows.empty:
        yield Problem("no row has an outcome", where=f"column '{q.outcome}'")
        return
    if rows["outcome"].nunique() < 2:
        yield Problem("the outcome is constant", where=f"column '{q.outcome}'")
    yield from _event_problems(rows, q)
    yield from _exposure_problems(rows, q)
    if q.bounds is not None and (outside := int((~rows["outcome"].between(*q.bounds)).sum())):
        yield Problem(
            "outcomes lie outside their bounds",
            where=f"column '{q.outcome}'",
            found=f"{outside} of {len(rows)}",
            allowed=f"{q.bounds[0]:g} to {q.bounds[1]:g}",
            way_out="Correct the declared bounds or the data.",
        )
    if q.adaptive:
        yield from _moderator_problems(rows, q)


def _event_problems(rows: pd.DataFrame, q: ShiftQuestion) -> Iterator[Problem]:
    before, after = (rows.loc[s, "t"].nunique() for s in (rows["t"] < 0.0, rows["t"] >= 0.0))
    if min(before, after) < FEWEST_TIMES:
        yield Problem(
            "the event leaves no line on one side",
            where=f"column '{q.time}', event {q.event:g}",
            found=f"{before} times before, {after} from then on",
            allowed=f"at least {FEWEST_TIMES} on either side",
            way_out="Correct the event's time, or add occasions.",
        )
    if rows.groupby("person")["t"].nunique().max() < 2:
        yield Problem(
            "nobody was seen twice",
            where=f"column '{q.person}'",
            way_out="A shift is what happens to people: name the column that tells them apart.",
        )


def _exposure_problems(rows: pd.DataFrame, q: ShiftQuestion) -> Iterator[Problem]:
    if q.exposed is None:
        return
    where = f"column '{q.exposed}'"
    rows = rows.loc[rows["exposed"].notna()]
    if not set(rows["exposed"]) <= {0.0, 1.0}:
        yield Problem("the column is not 0 and 1", where=where, allowed="0 and 1")
        return
    if rows[["unit", "exposed"]].drop_duplicates()["unit"].duplicated().any():
        yield Problem(
            "some are exposed at one time and not at another",
            where=where,
            allowed="1 throughout for whom the event touched, 0 for others",
            way_out="Give who is touched, not when: the time says when.",
        )
        return
    units = rows.groupby("exposed")["unit"].nunique()
    if len(units) < 2:
        yield Problem("the exposure never varies", where=where, allowed="0 and 1",
                      way_out="Leave exposed out if the event touched everybody.")  # fmt: skip
    elif units.min() < FEWEST_UNITS:
        yield Problem(
            "one cluster is on one side of the exposure",
            where=f"column '{q.firm or q.person}'",
            allowed=f"at least {FEWEST_UNITS}, or it cannot be told from the exposure",
        )


def _moderator_problems(rows: pd.DataFrame, q: ShiftQuestion) -> Iterator[Problem]:
    varies = rows.groupby("person")["adaptive"].nunique()
    if (varies > 1).any():
        yield Problem(
            "the moderator changes within persons",
            where=f"column '{q.adaptive}'",
            found=f"{int((varies > 1).sum())} of {len(varies)} persons",
            allowed="one value a person, measured before the event",
            way_out="Use what was measured before the event: what is measured later may be its "
            "consequence.",
        )
    elif rows["adaptive"].nunique() < 2:
        yield Problem("the moderator never varies", where=f"column '{q.adaptive}'")
