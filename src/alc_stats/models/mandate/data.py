"""The panel behind a question of a mandate: read, checked, and made units by periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, TableError, raise_all
from alc_stats.inference.group_time import NEVER
from alc_stats.measures.columns import numbers, require
from alc_stats.models.mandate.checks import broken, misdeclared, unsupported
from alc_stats.records import BoolArray, FloatArray, IntArray

_WHERE = "mandate"
Shape = tuple[pd.Index, int]
"""Firms, and the number of periods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateQuestion:
    """Which column plays which part; see `alc_stats.models.mandate.claim.mandate`."""

    outcome: str
    firm: str
    time: str
    start: str | None = None
    treated: str | None = None
    announced: str | None = None
    person: str | None = None
    minus: str | None = None
    functional: str = "mean"
    covariates: tuple[str, ...] = ()
    method: str = "regression"
    controls: str = "never"
    base: str = "varying"
    anticipation: int = 0
    gaps: str = "refuse"
    since: tuple[int, int] | None = None
    time_varying: tuple[str, ...] = ()
    composition: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        single = (
            self.outcome, self.firm, self.time, self.start, self.treated, self.announced,
            self.person, self.minus,
        )  # fmt: skip
        more = (*self.covariates, *self.time_varying, *self.composition)
        return tuple(c for c in (*single, *more) if c)


@dataclass(frozen=True, slots=True, eq=False)
class MandateData:
    """Firms by periods.

    Attributes
    ----------
    question : MandateQuestion
    rows : DataFrame
        Rows used: `firm`, `time`, `outcome`, `minus`, `person`, `place` of the period, `group` of
        the person where composition is held.
    firms : array (n,)
    periods : array (T,)
    parts : dict of array (n, T)
        "outcome", with a second outcome "minus" as well: the functional of each firm and period;
        nan where the firm was not seen.
    sizes : array (n, T)
        Rows behind each.
    adoption : array (n,)
        Place of the first period under the mandate; `NEVER` for none.
    covariates : array (n, k) or None
        In the first period in which the firm is seen.
    varying : array (n, T, k)
        Covariates of every period, nan where missing.
    throughout : array (n,)
        Whether the firm is seen in every period.
    anticipation : int
        Periods, declared or read from the announcements.
    before_sd : float
        Of outcomes before any start (of rows where rows are persons).
    left_out_rows, left_out_firms, set_aside_rows : int
        Rows that lack the outcome; firms that were not seen in every period; rows after the start
        that are not asked about.
    """

    question: MandateQuestion
    rows: pd.DataFrame
    firms: np.ndarray
    periods: np.ndarray
    parts: dict[str, FloatArray]
    sizes: IntArray
    adoption: IntArray
    covariates: FloatArray | None
    varying: FloatArray
    throughout: BoolArray
    anticipation: int
    before_sd: float
    left_out_rows: int
    left_out_firms: int
    set_aside_rows: int

    @property
    def joint(self) -> bool:
        """Whether the estimand is a difference of two outcomes."""
        return "minus" in self.parts

    @property
    def clusters(self) -> IntArray:
        """Firms were assigned as wholes, and each is one row of the panel."""
        return np.arange(len(self.firms))

    @property
    def contrast(self) -> FloatArray:
        """The functional (n, T): that of the outcome, less that of the second."""
        return self.parts["outcome"] - self.parts["minus"] if self.joint else self.parts["outcome"]

    @property
    def number_treated(self) -> int:
        """Firms that ever start."""
        return int(np.sum(self.adoption < NEVER))


def mandate_data(data: pd.DataFrame, question: MandateQuestion) -> MandateData:
    """Read and check the panel.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, misdeclared(question))
    rows = _read(data, question)
    known = rows[["outcome", *(["minus"] if question.minus else [])]].notna().all(axis=1)
    kept = rows.loc[known & rows["time"].notna() & rows["firm"].notna()].reset_index(drop=True)
    raise_all(TableError, broken(kept, question))
    complete = _complete(kept, question)
    raise_all(TableError, unsupported(complete, question))
    lost = kept["firm"].nunique() - complete["firm"].nunique()
    return _panel(complete, question, len(rows) - len(kept), lost)


def _read(data: pd.DataFrame, q: MandateQuestion) -> pd.DataFrame:
    def number(name: str) -> pd.Series:
        return numbers(data, [name], where=_WHERE)[name]

    parts = {"outcome": number(q.outcome), "firm": data[q.firm], "time": number(q.time)}
    if q.minus:
        parts["minus"] = number(q.minus)
    if q.person:
        parts["person"] = data[q.person]
    for name in ("start", "treated", "announced"):
        if (column := getattr(q, name)) is not None:
            parts[name] = number(column)
    held = {f"x_{i}": number(c) for i, c in enumerate(q.covariates, 1)}
    held |= {f"v_{i}": number(c) for i, c in enumerate(q.time_varying, 1)}
    rows = pd.DataFrame(parts | held).reset_index(drop=True)
    if q.composition:
        rows["group"] = data.groupby(list(q.composition), dropna=False).ngroup().to_numpy()
    if q.start is None:
        under = rows["time"].where(rows["treated"] == 1.0)
        rows["start"] = under.groupby(rows["firm"]).transform("min")
    return rows


def _complete(rows: pd.DataFrame, q: MandateQuestion) -> pd.DataFrame:
    if q.gaps != "leave_out":
        return rows
    seen = rows.groupby("firm")["time"].transform("nunique")
    return rows.loc[seen == rows["time"].nunique()].reset_index(drop=True)


def _panel(
    rows: pd.DataFrame, q: MandateQuestion, left_out_rows: int, left_out_firms: int
) -> MandateData:
    periods = np.sort(rows["time"].unique())
    rows = rows.assign(place=np.searchsorted(periods, rows["time"]))
    by_firm = rows.groupby("firm", sort=True)
    start = by_firm["start"].first()
    adoption = np.where(
        start.isna() | (start > periods[-1]), NEVER, np.searchsorted(periods, start)
    ).astype(np.int64)
    seen = by_firm["place"].nunique() == len(periods)
    asked = rows.loc[_asked(rows, q, periods)]
    xs = [c for c in rows.columns if c.startswith("x_")]
    first = rows.loc[rows["place"] == rows.groupby("firm")["place"].transform("min")]
    before = rows.loc[rows["start"].isna() | (rows["time"] < rows["start"])]
    level = before["outcome"] - (before["minus"] if q.minus else 0.0)
    shape = (start.index, len(periods))
    wanted = ["outcome", "minus"] if q.minus else ["outcome"]
    return MandateData(
        q, asked, start.index.to_numpy(), periods,
        {name: functional(asked, name, q.functional, shape) for name in wanted},
        np.nan_to_num(_square(asked.groupby(["firm", "place"]).size(), shape)).astype(np.int64),
        adoption, first.groupby("firm")[xs].mean().to_numpy() if xs else None,
        _varying(asked, shape), seen.to_numpy(),
        _window(rows, q, periods), float(level.std()), left_out_rows, left_out_firms,
        len(rows) - len(asked),
    )  # fmt: skip


def _asked(rows: pd.DataFrame, q: MandateQuestion, periods: np.ndarray) -> BoolArray:
    """Rows before the start, and those as long after it as is asked about."""
    first, last = q.since or (0, len(periods))
    start = np.searchsorted(periods, rows["start"])
    since = np.where(rows["start"].isna(), -1, rows["place"] - start)
    return np.asarray((since < 0) | ((since >= first) & (since <= last)))


def _varying(rows: pd.DataFrame, shape: Shape) -> FloatArray:
    """Covariates of every firm and period (n, T, k)."""
    names = [c for c in rows.columns if c.startswith("v_")]
    cells = rows.groupby(["firm", "place"])
    made = [_square(cells[name].mean(), shape) for name in names]
    return np.stack(made, axis=2) if made else np.empty((len(shape[0]), shape[1], 0))


def functional(rows: pd.DataFrame, name: str, which: str, shape: Shape) -> FloatArray:
    """Firms by periods (n, T): the mean, or the bias-corrected log SD.

    ln S + 1 / (2 (n - 1)) has no bias to the first order under normality, and the sampling
    variance 1 / (2 (n - 1)) (Nakagawa et al. 2015, Methods in Ecology and Evolution 6, 143-152).
    """
    cells = rows.groupby(["firm", "place"])[name]
    if which == "mean":
        return _square(cells.mean(), shape)
    bias = 1.0 / (2.0 * (cells.size() - 1.0))
    return _square(cells.std().map(np.log) + bias, shape)


def _square(cells: pd.Series, shape: Shape) -> FloatArray:
    """Firms by periods (n, T) of one value each; nan where there is none."""
    firms, periods = shape
    made = np.full((len(firms), periods), np.nan)
    firm, place = cells.index.get_level_values(0), cells.index.get_level_values(1)
    made[firms.get_indexer(firm), place] = cells.to_numpy(float)
    return made


def _window(rows: pd.DataFrame, q: MandateQuestion, periods: np.ndarray) -> int:
    """Anticipation in periods: as declared, or as early as the earliest announcement."""
    if q.announced is None:
        return q.anticipation
    dates = rows.dropna(subset=["start", "announced"])
    early = np.searchsorted(periods, dates["start"]) - np.searchsorted(periods, dates["announced"])
    return max(q.anticipation, int(early.max(initial=0)))
