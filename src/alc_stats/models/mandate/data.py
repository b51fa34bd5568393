"""The panel behind a question of a mandate: read, checked, and made units by periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, TableError, raise_all
from alc_stats.inference.group_time import NEVER
from alc_stats.measures.columns import numbers, require
from alc_stats.models.mandate.checks import broken, misdeclared
from alc_stats.records import FloatArray, IntArray

_WHERE = "mandate"


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
    complete_only: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        single = (
            self.outcome, self.firm, self.time, self.start, self.treated, self.announced,
            self.person, self.minus,
        )  # fmt: skip
        return tuple(c for c in (*single, *self.covariates) if c)


@dataclass(frozen=True, slots=True, eq=False)
class MandateData:
    """Firms by periods.

    Attributes
    ----------
    question : MandateQuestion
    rows : DataFrame
        Rows used: `firm`, `time`, `outcome`, `minus`, `person`, `place` of the period.
    firms : array (n,)
    periods : array (T,)
    parts : dict of array (n, T)
        "outcome", with a second outcome "minus" as well: the functional of each firm and period.
    sizes : array (n, T)
        Rows behind each.
    adoption : array (n,)
        Place of the first period under the mandate; `NEVER` for none.
    covariates : array (n, k) or None
        In the firm's first period.
    anticipation : int
        Periods, declared or read from the announcements.
    before_sd : float
        Of outcomes before any start (of rows where rows are persons).
    left_out_rows, left_out_firms : int
        Rows that lack the outcome; firms that were not seen in every period.
    """

    question: MandateQuestion
    rows: pd.DataFrame
    firms: np.ndarray
    periods: np.ndarray
    parts: dict[str, FloatArray]
    sizes: IntArray
    adoption: IntArray
    covariates: FloatArray | None
    anticipation: int
    before_sd: float
    left_out_rows: int
    left_out_firms: int

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
            parts[name] = number(column).replace([np.inf], np.nan)
    rows = pd.DataFrame(parts | {f"x_{i}": number(c) for i, c in enumerate(q.covariates, 1)})
    if q.start is None:
        rows["start"] = rows["firm"].map(_first_treated(rows))
    return rows


def _first_treated(rows: pd.DataFrame) -> pd.Series:
    return rows.loc[rows["treated"] == 1.0].groupby("firm")["time"].min()


def _complete(rows: pd.DataFrame, q: MandateQuestion) -> pd.DataFrame:
    if not q.complete_only:
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
    wanted = ["outcome", "minus"] if q.minus else ["outcome"]
    sizes = _square(rows.groupby(["firm", "place"]).size()).astype(np.int64)
    xs = [c for c in rows.columns if c.startswith("x_")]
    first = rows.loc[rows["place"] == 0].groupby("firm")[xs].mean().to_numpy() if xs else None
    before = rows.loc[rows["start"].isna() | (rows["time"] < rows["start"])]
    level = before["outcome"] - (before["minus"] if q.minus else 0.0)
    parts = {name: functional(rows, name, q.functional) for name in wanted}
    return MandateData(
        q, rows, start.index.to_numpy(), periods, parts, sizes, adoption, first,
        _window(rows, q, periods), float(level.std()), left_out_rows, left_out_firms,
    )  # fmt: skip


def functional(rows: pd.DataFrame, name: str, which: str) -> FloatArray:
    """Firms by periods (n, T): the mean, or the bias-corrected log SD.

    ln S + 1 / (2 (n - 1)) has no bias to the first order under normality, and the sampling
    variance 1 / (2 (n - 1)) (Nakagawa et al. 2015, Methods in Ecology and Evolution 6, 143-152).
    """
    cells = rows.groupby(["firm", "place"])[name]
    if which == "mean":
        return _square(cells.mean())
    bias = 1.0 / (2.0 * (cells.size() - 1.0))
    return _square(cells.std().map(np.log) + bias)


def _square(cells: pd.Series) -> FloatArray:
    """Firms by periods (n, T) of one value each, which are sorted and without gaps."""
    firms = cells.index.get_level_values(0).nunique()
    return np.asarray(cells.to_numpy(float).reshape(firms, -1))


def _window(rows: pd.DataFrame, q: MandateQuestion, periods: np.ndarray) -> int:
    """Anticipation in periods: as declared, or as early as the earliest announcement."""
    if q.announced is None:
        return q.anticipation
    dates = rows.dropna(subset=["start", "announced"])
    early = np.searchsorted(periods, dates["start"]) - np.searchsorted(periods, dates["announced"])
    return max(q.anticipation, int(early.max(initial=0)))
