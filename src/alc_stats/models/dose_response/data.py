"""The rows behind a dose-response question, read and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require

Shape = Literal["inverted_u", "plateau", "either"]
SMALLEST_STANDARDISED = 0.05
"""Default smallest slope: SDs of the outcome per SD of the dose."""
FEWEST_DOSES = 5
"""Distinct doses below which no curve can be told from two lines."""
FEWEST_ROWS = 12
_WHERE = "dose_response"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseQuestion:
    """Which column plays which part; see `alc_stats.models.dose_response.claim.dose_response`.

    Keys of `dose_response = { ... }` in a study.toml are the arguments of `alc.dose_response`.
    """

    outcome: str
    dose: str
    person: str | None = None
    cluster: str | None = None
    controls: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    shape: Shape = "inverted_u"
    smallest_slope: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        single = (self.outcome, self.dose, self.person, self.cluster)
        return (*(c for c in single if c), *self.controls)


@dataclass(frozen=True, slots=True, eq=False)
class DoseData:
    """Complete rows, in columns of fixed names.

    Attributes
    ----------
    rows : DataFrame
        `outcome`, `dose`, `person` (the row without), `cluster` (the person without), and
        `held_1`, ... (controls).
    question : DoseQuestion
    clustered : bool
        Whether rows of one cluster may resemble each other: a cluster is declared, or persons
        have several rows.
    repeated : bool
        Whether persons have several rows.
    dropped : int
    smallest : float
        Smallest slope of interest, in the outcome's unit per unit of dose.
    """

    rows: pd.DataFrame
    question: DoseQuestion
    clustered: bool
    repeated: bool
    dropped: int
    smallest: float

    @property
    def held(self) -> list[str]:
        """Names of the columns of controls."""
        return [c for c in self.rows.columns if c.startswith("held_")]

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.rows["cluster"].nunique())

    @property
    def controls(self) -> str:
        """Controls as they stand in a formula."""
        numeric = pd.api.types.is_numeric_dtype
        return "".join(f" + {c}" if numeric(self.rows[c]) else f" + C({c})" for c in self.held)


def dose_data(data: pd.DataFrame, question: DoseQuestion) -> DoseData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        For what is wrong in the call or the table.
    FitError
        For data that cannot answer.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, _declared_wrong(question))
    raise_all(TableError, _broken(data, question))
    rows, dropped = _read(data, question)
    raise_all(FitError, _unanswerable(rows, question))
    spread = float(rows["outcome"].std() / rows["dose"].std())
    repeated = bool(rows["person"].duplicated().any())
    return DoseData(
        rows, question, question.cluster is not None or repeated, repeated, dropped,
        question.smallest_slope or SMALLEST_STANDARDISED * spread,
    )  # fmt: skip


def _declared_wrong(q: DoseQuestion) -> Iterator[Problem]:
    if q.bounds is not None and not q.bounds[0] < q.bounds[1]:
        yield Problem(
            "the bounds are not in order",
            where=f"{_WHERE}, bounds",
            found=f"{q.bounds[0]:g}, {q.bounds[1]:g}",
            allowed="the smallest possible outcome, then the largest; inf where there is none",
        )
    if q.smallest_slope is not None and not 0.0 < q.smallest_slope < np.inf:
        yield Problem(
            "the smallest slope is not a positive number",
            where=f"{_WHERE}, smallest_slope",
            found=f"{q.smallest_slope:g}",
            way_out="Declare its size in the outcome's unit per unit of dose, or leave it out for "
            f"{SMALLEST_STANDARDISED:g} SD per SD.",
        )
    if q.shape not in get_args(Shape):
        yield Problem(
            f"unknown shape '{q.shape}'",
            where=f"{_WHERE}, shape",
            allowed=", ".join(get_args(Shape)),
        )


def _broken(data: pd.DataFrame, q: DoseQuestion) -> Iterator[Problem]:
    values = numbers(data, [q.outcome, q.dose], where=_WHERE)
    used = values.notna().all(axis=1)
    if q.bounds is not None:
        outside = int((~values.loc[used, q.outcome].between(*q.bounds)).sum())
        if outside:
            yield Problem(
                "values lie outside their bounds",
                where=f"{_WHERE}, column '{q.outcome}'",
                found=f"{outside} of {int(used.sum())}",
                allowed=f"{q.bounds[0]:g} to {q.bounds[1]:g}",
                way_out="Correct the declared bounds or the data.",
            )
    for part in ("person", "cluster"):
        name = getattr(q, part)
        lost = int(data.loc[used, name].isna().sum()) if name else 0
        if lost:
            yield Problem(
                f"{lost} rows with dose and outcome have no {part}",
                where=f"{_WHERE}, column '{name}'",
                allowed=f"a {part} in every row",
                way_out="Leave these rows out when the data are prepared, where it is recorded.",
            )


def _read(data: pd.DataFrame, q: DoseQuestion) -> tuple[pd.DataFrame, int]:
    index = pd.Series(np.arange(len(data)).astype(str), data.index)
    person = data[q.person].astype(str) if q.person else index
    cluster = data[q.cluster].astype(str) if q.cluster else person
    columns = {
        "outcome": data[q.outcome].astype(float),
        "dose": data[q.dose].astype(float),
        # ids may start anew in every cluster
        "person": cluster + "|" + person if q.cluster else person,
        "cluster": cluster,
    }
    columns |= {f"held_{i}": data[c] for i, c in enumerate(q.controls, 1)}
    rows = pd.DataFrame(columns)
    complete = rows.notna().all(axis=1)
    return rows.loc[complete].reset_index(drop=True), int((~complete).sum())


def _unanswerable(rows: pd.DataFrame, q: DoseQuestion) -> Iterator[Problem]:
    if len(rows) < FEWEST_ROWS:
        yield Problem(
            "too few rows for two lines",
            where=_WHERE,
            found=str(len(rows)),
            allowed=f"{FEWEST_ROWS} or more",
        )
    if (doses := rows["dose"].nunique()) < FEWEST_DOSES:
        yield Problem(
            "the dose never varies" if doses < 2 else "too few different doses",
            where=f"{_WHERE}, column '{q.dose}'",
            found=f"{doses} different",
            allowed=f"{FEWEST_DOSES} or more",
            way_out="Compare the few doses as groups, with contrasts.",
        )
    if rows["outcome"].nunique() < 2:
        yield Problem("the outcome never varies", where=f"{_WHERE}, column '{q.outcome}'")
    if q.cluster is not None and rows["cluster"].nunique() < 2:
        yield Problem(
            "one cluster has no standard error",
            where=f"{_WHERE}, column '{q.cluster}'",
            allowed="2 clusters or more",
        )
