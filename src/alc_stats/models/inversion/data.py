"""The rows behind usage-quality slopes: checked, logged, and cut into within and between.

Usage is centred on a person's mean *under the same regime*. A mandate shifts usage, and perhaps
quality for other reasons; were both regimes centred together, that shift would be part of the
"within" slope, and the product of a deviation and a mandate that changes within persons would hold
differences between persons (Giesselmann and Schmidt-Catran 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require
from alc_stats.records import FloatArray

SMALLEST_STANDARDISED = 0.05
"""Default smallest slope: SDs of a person's own quality per SD of a person's own log usage."""
FEWEST_VARYING = 5
"""Persons whose usage varies under a regime; with fewer there is no slope within persons."""
FIRMS_FOR_BETWEEN = 4
"""Firms of each regime from which on firm means have a slope of their own."""
ROWS_PER_OCCASION = 3
"""With fewer, an effect of every occasion leaves nothing of usage."""
_WHERE = "inversion"


@dataclass(frozen=True, slots=True, kw_only=True)
class InversionQuestion:
    """Which column plays which part; see `alc_stats.models.inversion.claim.inversion`.

    Keys of `inversion = { ... }` in a study.toml are the arguments of `alc.inversion`.
    """

    quality: str
    usage: str
    mandate: str
    person: str
    firm: str | None = None
    time: str | None = None
    post: str | None = None
    intensity: str | None = None
    difficulty: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    log: bool = True
    smallest_slope: float | None = None
    strict: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        single = (
            self.quality, self.usage, self.mandate, self.person, self.firm, self.time, self.post,
            self.intensity,
        )  # fmt: skip
        return (*(c for c in single if c), *self.difficulty)


@dataclass(frozen=True, slots=True, eq=False)
class InversionData:
    """Complete rows, in columns of fixed names.

    Attributes
    ----------
    rows : DataFrame
        `quality`, `usage` (logged), `mandate` (0 or 1), `person`, `firm` (the person without
        firms), `time`, `post`, `intensity`, `hard_1`, ... (difficulty), `cell` (person and
        regime), `occasion` (time and regime), `within` (usage less the cell's mean),
        `person_mean` (the cell's mean less that of the firm and regime; without firms, of the
        regime), `firm_mean` (that, less its overall mean).
    question : InversionQuestion
    dropped : int
        Rows without usage or quality.
    within_sd, quality_sd : dict of float
        SD within persons of usage and quality, by regime (0, 1).
    smallest : float
        Smallest slope of interest, in quality per unit of log usage.
    firms : dict of int
        Clusters with rows, by regime.
    """

    rows: pd.DataFrame
    question: InversionQuestion
    dropped: int
    within_sd: dict[int, float]
    quality_sd: dict[int, float]
    smallest: float
    firms: dict[int, int]

    @property
    def clusters(self) -> int:
        """Firms; persons where no firms are named."""
        return int(self.rows["firm"].nunique())

    @property
    def has_firms(self) -> bool:
        """Whether firms hold several persons, so that both levels can be told apart."""
        return self.rows["person"].nunique() > self.clusters

    @property
    def whole_firms(self) -> bool:
        """Whether no firm (person) has rows of both regimes."""
        return bool(self.rows.groupby("firm")["mandate"].nunique().max() == 1)

    @property
    def hard(self) -> list[str]:
        """Names of the columns of difficulty."""
        return [c for c in self.rows.columns if c.startswith("hard_")]


def inversion_data(data: pd.DataFrame, question: InversionQuestion) -> InversionData:
    """Read, check and centre the rows.

    Raises
    ------
    DeclarationError, TableError
        For what is wrong in the call or the table.
    FitError
        For data that cannot answer.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, _declared_wrong(data, question))
    raise_all(TableError, _broken(data, question))
    rows, dropped = _read(data, question)
    raise_all(FitError, _without_contrast(rows, question))
    rows = _centred(rows, firms=question.firm is not None)
    raise_all(FitError, _without_variation(rows, question))
    within = {g: _within_sd(rows, "usage", g) for g in (0, 1)}
    quality = {g: _within_sd(rows, "quality", g) for g in (0, 1)}
    smallest = question.smallest_slope or SMALLEST_STANDARDISED * quality[0] / within[0]
    firms = {g: int(rows.loc[rows["mandate"] == g, "firm"].nunique()) for g in (0, 1)}
    return InversionData(rows, question, dropped, within, quality, smallest, firms)


def _declared_wrong(data: pd.DataFrame, q: InversionQuestion) -> Iterator[Problem]:
    if q.bounds is not None and not q.bounds[0] < q.bounds[1]:
        yield Problem(
            "the bounds are not in order",
            where=f"{_WHERE}, bounds",
            found=f"{q.bounds[0]:g}, {q.bounds[1]:g}",
            allowed="the smallest possible quality, then the largest; inf where there is none",
        )
    if q.smallest_slope is not None and not 0.0 < q.smallest_slope < np.inf:
        yield Problem(
            "the smallest slope is not a positive number",
            where=f"{_WHERE}, smallest_slope",
            found=f"{q.smallest_slope:g}",
            way_out="Declare its size in quality per unit of log usage, or leave it out for "
            f"{SMALLEST_STANDARDISED:g} SD within persons per SD.",
        )
    for name in (q.mandate, *([q.post] if q.post else [])):
        column = data[name].dropna()
        if not (pd.api.types.is_numeric_dtype(column) and column.isin([0, 1]).all()):
            yield Problem(
                "the column is not 0 and 1",
                where=f"{_WHERE}, column '{name}'",
                found=", ".join(sorted(str(v) for v in column.unique())[:8]),
                allowed="0 and 1 in every row",
                way_out="Code it as 0 and 1 when the data are prepared.",
            )


def _broken(data: pd.DataFrame, q: InversionQuestion) -> Iterator[Problem]:
    values = numbers(data, [q.quality, q.usage], where=_WHERE)
    if q.intensity:
        numbers(data, [q.intensity], where=_WHERE)
    used = values.notna().all(axis=1)
    not_positive = int((values.loc[used, q.usage] <= 0.0).sum())
    if q.log and not_positive:
        yield Problem(
            "usage that is not positive has no logarithm",
            where=f"{_WHERE}, column '{q.usage}'",
            found=f"{not_positive} of {int(used.sum())} rows at or below 0",
            allowed="positive amounts",
            way_out="Leave rows without usage out when the data are prepared, where it is "
            "recorded, or say log=False for a column that is logged already.",
        )
    if q.bounds is not None:
        outside = int((~values.loc[used, q.quality].between(*q.bounds)).sum())
        if outside:
            yield Problem(
                "values lie outside their bounds",
                where=f"{_WHERE}, column '{q.quality}'",
                found=f"{outside} of {int(used.sum())}",
                allowed=f"{q.bounds[0]:g} to {q.bounds[1]:g}",
                way_out="Correct the declared bounds or the data.",
            )
    for part in ("mandate", "person", "firm", "time", "post", "intensity"):
        name = getattr(q, part)
        lost = int(data.loc[used, name].isna().sum()) if name else 0
        if lost:
            yield Problem(
                f"{lost} rows with usage and quality have no {part}",
                where=f"{_WHERE}, column '{name}'",
                allowed=f"a {part} in every row",
                way_out="Leave these rows out when the data are prepared, where it is recorded.",
            )


def _read(data: pd.DataFrame, q: InversionQuestion) -> tuple[pd.DataFrame, int]:
    usage = data[q.usage].astype(float)
    firm = data[q.firm].astype(str) if q.firm else None
    person = data[q.person].astype(str)
    columns = {
        "quality": data[q.quality].astype(float),
        "usage": np.log(usage.where(usage > 0.0)) if q.log else usage,
        "mandate": data[q.mandate].astype(float),
        # ids may start anew in every firm
        "person": person if firm is None else firm + "|" + person,
        "firm": person if firm is None else firm,
    }
    columns |= {"time": data[q.time]} if q.time else {}
    columns |= {"post": data[q.post].astype(float)} if q.post else {}
    columns |= {"intensity": data[q.intensity].astype(float)} if q.intensity else {}
    columns |= {f"hard_{i}": data[c] for i, c in enumerate(q.difficulty, 1)}
    rows = pd.DataFrame(columns)
    complete = rows.notna().all(axis=1)
    return rows.loc[complete].reset_index(drop=True), int((~complete).sum())


def _centred(rows: pd.DataFrame, *, firms: bool) -> pd.DataFrame:
    cell = rows.groupby(["person", "mandate"], sort=False)
    outer = ["firm", "mandate"] if firms else ["mandate"]
    firm = rows.groupby(outer, sort=False)["usage"].transform("mean")
    mean = cell["usage"].transform("mean")
    when = rows["time"].astype(str) if "time" in rows else pd.Series("", rows.index)
    return rows.assign(
        cell=cell.ngroup(),
        occasion=rows["mandate"].map({0.0: "free ", 1.0: "mandate "}) + when,
        within=rows["usage"] - mean,
        person_mean=mean - firm,
        firm_mean=firm - firm.mean(),
    )


def _without_contrast(rows: pd.DataFrame, q: InversionQuestion) -> Iterator[Problem]:
    firms = rows.groupby("mandate")["firm"].nunique()
    unit = "firm" if q.firm else "person"
    for regime, name in ((0.0, "without a mandate"), (1.0, "under a mandate")):
        count = int(firms.get(regime, 0))
        if count < 2:
            yield Problem(
                f"the mandate never varies: no {unit} {name}"
                if count == 0
                else f"one {unit} {name} cannot tell a mandate from that {unit}",
                where=f"{_WHERE}, column '{q.mandate}'",
                found=f"{count} of {rows['firm'].nunique()}",
                allowed=f"2 {unit}s or more under each regime",
                way_out="Add the other regime, or describe the one slope without a claim.",
            )
    if q.intensity and rows.loc[rows["mandate"] == 1.0, "intensity"].nunique() < 2:
        yield Problem(
            "the moderator never varies under a mandate",
            where=f"{_WHERE}, column '{q.intensity}'",
            way_out="Leave `intensity` out: what is the same for all moderates nothing.",
        )


def _without_variation(rows: pd.DataFrame, q: InversionQuestion) -> Iterator[Problem]:
    occasions = rows["occasion"].nunique()
    if len(rows) < ROWS_PER_OCCASION * occasions:
        yield Problem(
            "nearly every row is an occasion of its own",
            where=f"{_WHERE}, column '{q.time}'",
            found=f"{occasions} occasions under the two regimes in {len(rows)} rows",
            allowed=f"{ROWS_PER_OCCASION} rows an occasion or more on average",
            way_out="Give coarser occasions, such as weeks, or leave `time` out.",
        )
    scale = float(rows["usage"].std(ddof=0)) or 1.0
    varies = rows.loc[rows["within"].abs() > 1e-9 * scale]
    for regime, name in ((0.0, "without a mandate"), (1.0, "under a mandate")):
        count = int(varies.loc[varies["mandate"] == regime, "person"].nunique())
        if count < FEWEST_VARYING:
            yield Problem(
                f"usage does not vary within persons {name}",
                where=f"{_WHERE}, column '{q.usage}'",
                found=f"it varies within {count} persons",
                allowed=f"{FEWEST_VARYING} persons or more with several values",
                way_out="Bring several occasions a person; differences between persons are not "
                "what more use does to one of them.",
            )


def _within_sd(rows: pd.DataFrame, column: str, regime: int) -> float:
    """Pooled SD about the means of persons under a regime, with their degrees of freedom."""
    part = rows.loc[rows["mandate"] == regime]
    deviations: FloatArray = (
        part[column] - part.groupby("cell")[column].transform("mean")
    ).to_numpy(float)
    degrees = len(part) - part["cell"].nunique()
    return float(np.sqrt(np.sum(deviations**2) / max(degrees, 1)))
