"""Forecasts beside what came: read, checked and brought to one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require
from alc_stats.records import FloatArray, IntArray

ForecastKind = Literal["probability", "quantity"]
ForecastAbout = Literal["bias", "resolution", "score"]

FEWEST_FORECASTS = 20
FEWEST_PEOPLE = 5
_WHERE = "forecast"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastQuestion:
    """Which column plays which part; see `alc_stats.models.forecast.claim.forecast`."""

    forecast: str
    outcome: str
    person: str
    kind: ForecastKind = "probability"
    log: bool = False
    item: str | None = None
    by: str | None = None
    about: ForecastAbout = "bias"

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        return tuple(c for c in (self.forecast, self.outcome, self.person, self.item, self.by) if c)


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Rows with a forecast and an outcome.

    Attributes
    ----------
    rows : DataFrame
        `forecast`, `outcome` (logs, if so asked), `miss` (forecast minus outcome), `score`
        (squared miss of probabilities, absolute one of quantities), `person`, `item` (text),
        `by` (0.0 without).
    question : ForecastQuestion
    left_out : int
        Rows that lack one of the named columns.
    """

    rows: pd.DataFrame
    question: ForecastQuestion
    left_out: int

    @property
    def forecast(self) -> FloatArray:
        """Forecasts (n,)."""
        return self.rows["forecast"].to_numpy(dtype=float)

    @property
    def outcome(self) -> FloatArray:
        """Outcomes (n,)."""
        return self.rows["outcome"].to_numpy(dtype=float)

    def codes(self, name: str) -> IntArray:
        """Whole numbers (n,) of a grouping."""
        return np.asarray(pd.factorize(self.rows[name])[0], dtype=np.int64)

    @property
    def people(self) -> int:
        """How many made forecasts."""
        return int(self.rows["person"].nunique())

    @property
    def repeated(self) -> bool:
        """Whether anybody made several, so that persons can be told from their forecasts."""
        return bool(self.rows["person"].duplicated().any())

    @property
    def by_within(self) -> bool:
        """Whether `by` changes within people."""
        pairs = self.rows[["person", "by"]].drop_duplicates()
        return bool(pairs["person"].duplicated().any())


def forecasts(data: pd.DataFrame, question: ForecastQuestion) -> Forecasts:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        For what is wrong in the call or the table.
    FitError
        For data that cannot answer.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, _misdeclared(question))
    q, index = question, pd.Series(np.arange(len(data)), data.index)
    numeric = [q.forecast, q.outcome, *([q.by] if q.by else [])]
    values = numbers(data, numeric, where=_WHERE)
    rows = pd.DataFrame({
        "forecast": values[q.forecast], "outcome": values[q.outcome], "person": data[q.person],
        "item": data[q.item] if q.item else index, "by": values[q.by] if q.by else 0.0,
    })  # fmt: skip
    kept = rows.dropna().reset_index(drop=True)
    raise_all(TableError, _broken(kept, q))
    raise_all(FitError, _unanswerable(kept, q))
    return Forecasts(_measured(kept, q), q, len(rows) - len(kept))


def _measured(rows: pd.DataFrame, q: ForecastQuestion) -> pd.DataFrame:
    if q.log:
        rows = rows.assign(forecast=np.log(rows["forecast"]), outcome=np.log(rows["outcome"]))
    miss = rows["forecast"] - rows["outcome"]
    score = miss**2 if q.kind == "probability" else miss.abs()
    groups = {name: rows[name].astype(str) for name in ("person", "item")}
    return rows.assign(miss=miss, score=score, **groups)


def _misdeclared(q: ForecastQuestion) -> Iterator[Problem]:
    for name, known in (("kind", get_args(ForecastKind)), ("about", get_args(ForecastAbout))):
        if (found := getattr(q, name)) not in known:
            yield Problem(f"unknown {name} '{found}'", where=f"forecast, {name}",
                          allowed=", ".join(known))  # fmt: skip
    if q.by in (q.forecast, q.outcome):
        yield Problem(
            f"the miss is regressed on its own part '{q.by}'",
            where="forecast, by",
            way_out="Forecast minus outcome falls with the outcome and rises with the forecast by "
            "arithmetic alone. Name a column that is neither; for self-estimates and scores use "
            "`calibration`, which knows its null world.",
        )
    if q.log and q.kind == "probability":
        yield Problem(
            "probabilities have no log scale here", where="forecast, log", allowed="quantities"
        )


def _broken(rows: pd.DataFrame, q: ForecastQuestion) -> Iterator[Problem]:
    if not len(rows):
        return
    if q.kind == "probability":
        yield from _not_probabilities(rows, q)
    elif q.log:
        for name, part in ((q.forecast, "forecast"), (q.outcome, "outcome")):
            if count := int((rows[part] <= 0).sum()):
                yield Problem(
                    f"{count} values have no logarithm", where=f"column '{name}'",
                    allowed="values above 0", way_out="Leave out log, or correct them.",
                )  # fmt: skip
    elif (widths := _widths(rows)) and (
        max(widths) > 20.0 * min(widths) > 0.0 or _apart(rows["forecast"], rows["outcome"])
    ):
        yield Problem(
            "forecast and outcome look like different units", where=_WHERE,
            found=", ".join(f"'{n}' {rows[p].min():g} to {rows[p].max():g}"
                            for n, p in ((q.forecast, "forecast"), (q.outcome, "outcome"))),
            allowed="one unit for both", way_out="Convert one of them, such as hours to minutes.",
        )  # fmt: skip


def _widths(rows: pd.DataFrame) -> tuple[float, float]:
    return float(np.ptp(rows["forecast"])), float(np.ptp(rows["outcome"]))


def _apart(a: pd.Series, b: pd.Series) -> bool:
    return bool(a.min() > b.max() or b.min() > a.max())


def _not_probabilities(rows: pd.DataFrame, q: ForecastQuestion) -> Iterator[Problem]:
    p = rows["forecast"]
    if outside := int((~p.between(0.0, 1.0)).sum()):
        percent = p.min() >= 0.0 and p.max() <= 100.0
        yield Problem(
            "forecasts are not probabilities", where=f"column '{q.forecast}'",
            found=f"{outside} of {len(rows)} outside 0 to 1, largest {p.max():g}",
            allowed="0 to 1",
            way_out="They look like percentages: divide by 100." if percent else
            "For quantities say kind='quantity'.",
        )  # fmt: skip
    if not rows["outcome"].isin([0, 1]).all():
        yield Problem(
            "outcomes are not 0 and 1", where=f"column '{q.outcome}'",
            found=", ".join(f"{v:g}" for v in sorted(rows["outcome"].unique())[:5]),
            allowed="1 where it came, 0 where it did not",
        )  # fmt: skip


def _unanswerable(rows: pd.DataFrame, q: ForecastQuestion) -> Iterator[Problem]:
    people = int(rows["person"].nunique())
    if len(rows) < FEWEST_FORECASTS or people < FEWEST_PEOPLE:
        yield Problem(
            "too few forecasts or people", where=_WHERE, found=f"{len(rows)} of {people} people",
            allowed=f"{FEWEST_FORECASTS} forecasts of {FEWEST_PEOPLE} people, or more",
        )  # fmt: skip
        return
    parts = [(q.forecast, "forecast"), (q.outcome, "outcome"), (q.by, "by")]
    for name, part in parts:
        if name and rows[part].nunique() < 2:
            yield Problem("the column never varies", where=f"column '{name}'")
