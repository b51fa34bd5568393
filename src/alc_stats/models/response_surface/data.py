"""The rows behind a response surface: read, checked, centred at one point, split into levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, raise_all
from alc_stats.measures import within_between
from alc_stats.measures.columns import numbers, require
from alc_stats.records import BoolArray, FloatArray

ClaimForm = Literal["discrepancy", "congruence"]
SMALLEST_SLOPE = 0.10
"""Default smallest slope of interest: outcome SDs per SD of awareness and capability."""
TERMS = ("A", "C", "A2", "AC", "C2")
"""Awareness, capability, their squares and product, in the order b1 to b5."""
AGREE = 0.5
"""Awareness and capability agree where they differ by less than this many pooled SDs."""
RAW = "raw units"
"""Unit of slopes, curvatures and places: those of the columns."""
FEWEST_ROWS = 20
"""Complete rows, below which six coefficients say nothing."""
FEWEST_FOR_MEANS = 6
"""Groups from which on their means enter; what varies within groups is unrelated to them."""
_STANDARDISED = 5e-3
"""Means this near 0 and SDs this near 1, in both columns, are z scores of each column."""
_SAME = 1e-6
"""Two columns whose means and SDs agree this closely were put on one mean and SD one by one."""
_WHERE = "response_surface"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceQuestion:
    """Which column plays which part; the keys are the arguments of `alc.response_surface`."""

    outcome: str
    awareness: str
    capability: str
    claim_form: ClaimForm = "discrepancy"
    firm: str | None = None
    person: str | None = None
    wave: str | None = None
    bounds: tuple[float, float] | None = None
    separate_scales: str | None = None
    reliability: tuple[float, float] | None = None
    smallest_slope: float = SMALLEST_SLOPE

    @property
    def terms(self) -> tuple[str, ...]:
        """Those of the regression that the claim rests on: two slopes, or the whole surface."""
        return TERMS[:2] if self.claim_form == "discrepancy" else TERMS

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        people = (self.firm, self.person, self.wave)
        named = (self.outcome, self.awareness, self.capability, *people)
        return tuple(c for c in named if c)


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceData:
    """Complete rows, ready to be fitted.

    Attributes
    ----------
    rows : DataFrame
        quality; A and C less `centre`; A2, AC, C2; with groups also the deviations of all five from
        their cell's mean (A_within, ...) and the cell's means of A and C (A_between, C_between);
        firm, person, wave, group and cell (the group, or the group in one wave) as text.
    question : SurfaceQuestion
    centre : float
        The common point: the mean of awareness and capability together.
    sd : float
        Root of the mean of their two variances.
    incomplete : int
        Rows left out because outcome, awareness or capability is missing.
    """

    rows: pd.DataFrame
    question: SurfaceQuestion
    centre: float
    sd: float
    incomplete: int

    @property
    def group(self) -> str | None:
        """The column of the outermost units with several rows: firm, or else person."""
        return "group" if "group" in self.rows else None

    @property
    def means(self) -> list[str]:
        """Columns of the group's means, where there are groups enough to tell what they do."""
        if self.group is None or self.rows["group"].nunique() < FEWEST_FOR_MEANS:
            return []
        return ["A_between", "C_between"]

    @property
    def group_name(self) -> str:
        """What the units are called."""
        return self.question.firm or self.question.person or "row"

    @property
    def gap(self) -> FloatArray:
        """Awareness less capability of every row."""
        return np.asarray(self.rows["A"] - self.rows["C"], dtype=float)

    def regions(self) -> dict[str, BoolArray]:
        """Rows in which awareness exceeds, agrees with, and falls short of capability."""
        band = AGREE * self.sd
        return {
            "above": self.gap >= band,
            "agree": np.abs(self.gap) < band,
            "below": self.gap <= -band,
        }

    @property
    def smallest_slope(self) -> float:
        """The smallest slope of interest in the outcome's unit per unit of awareness."""
        spread = float(self.rows["quality"].std())
        return self.question.smallest_slope * spread / self.sd

    def people(self) -> FloatArray:
        """A number for every row that is the same for rows of one person."""
        if "person" not in self.rows:
            return np.arange(len(self.rows), dtype=float)
        return np.asarray(pd.factorize(self.rows["person"])[0], dtype=float)


def surface_data(data: pd.DataFrame, question: SurfaceQuestion) -> SurfaceData:
    """The rows of `data` that can be used, checked against everything the question declares.

    Raises
    ------
    DeclarationError
        For arguments that do not fit together, or columns the table lacks.
    TableError
        For columns without numbers, values outside the bounds, columns that do not vary or were
        standardised one by one, and rows without a firm or person.
    FitError
        If too few rows are complete.
    """
    _check_question(question)
    require(data, question.columns, where=_WHERE)
    used = [question.outcome, question.awareness, question.capability]
    values = numbers(data, used, where=_WHERE).set_axis(["quality", "A", "C"], axis=1)
    raise_all(TableError, _table_problems(data, values, question))
    complete = values.notna().all(axis=1)
    if complete.sum() < FEWEST_ROWS:
        raise FitError(
            Problem(
                "too few rows have outcome, awareness and capability",
                where=_WHERE,
                found=f"{int(complete.sum())} of {len(data)}",
                allowed=f"{FEWEST_ROWS} or more",
            )
        )
    rows = values.loc[complete].copy()
    centre = float(rows[["A", "C"]].to_numpy().mean())
    sd = math.sqrt(float(rows[["A", "C"]].var().mean()))
    rows[["A", "C"]] -= centre
    rows = _with_groups(_with_squares(rows), data.loc[complete], question)
    return SurfaceData(rows.reset_index(drop=True), question, centre, sd, int((~complete).sum()))


def _with_squares(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(A2=rows["A"] ** 2, AC=rows["A"] * rows["C"], C2=rows["C"] ** 2)


def _with_groups(rows: pd.DataFrame, data: pd.DataFrame, question: SurfaceQuestion) -> pd.DataFrame:
    """Groups and deviations from their means, where some group has several rows.

    The five terms are centred within groups, not awareness and capability before they are squared:
    so their coefficients are those within groups, and the line on which both agree stays where it
    is. Centring each predictor at the firm's own mean would move it from firm to firm. With waves
    the cell is the firm in one wave, so that what all columns do over time makes no slope.
    """
    parts = {"firm": question.firm, "person": question.person, "wave": question.wave}
    rows = rows.assign(**{k: data[c].astype(str) for k, c in parts.items() if c is not None})
    if question.firm and question.person:
        rows["person"] = rows["firm"] + ":" + rows["person"]
    outer = next((k for k in ("firm", "person") if k in rows and rows[k].duplicated().any()), None)
    if outer is None:
        return rows
    if rows[outer].eq(rows[outer].iloc[0]).all():
        raise TableError(
            Problem(
                f"all rows are of one {outer}",
                where=_WHERE,
                way_out=f"Leave {outer} out: nothing is said of others then.",
            )
        )
    rows = rows.assign(group=rows[outer], cell=rows[outer])
    if "wave" in rows:
        rows["cell"] += ":" + rows["wave"]
    split = {term: within_between(rows, term, group="cell") for term in TERMS}
    within = {f"{term}_within": deviation for term, (_, deviation) in split.items()}
    between = {f"{term}_between": split[term][0] for term in ("A", "C")}
    return rows.assign(**within, **between)


def _check_question(question: SurfaceQuestion) -> None:
    raise_all(DeclarationError, _question_problems(question))


def _question_problems(q: SurfaceQuestion) -> Iterator[Problem]:
    if len(set(q.columns)) < len(q.columns):
        yield Problem("one column plays two parts", where=_WHERE, found=", ".join(q.columns))
    if q.claim_form not in get_args(ClaimForm):
        yield Problem(
            f"unknown claim_form '{q.claim_form}'", where=_WHERE, allowed="discrepancy, congruence"
        )
    if q.wave is not None and q.firm is None:
        yield Problem(
            "wave goes with firm",
            where=_WHERE,
            way_out="Name the firm, whose people of one wave are then compared.",
        )
    if q.bounds is None and q.separate_scales is None:
        yield Problem(
            "awareness and capability have no declared bounds",
            where=_WHERE,
            allowed="bounds=(smallest, largest possible value) of the one scale both are on",
            way_out="A gap between two scales means nothing: name the common scale (inf where it "
            "has no end), or say in separate_scales why there is none; then no verdict is given.",
        )
    if q.separate_scales is not None and not q.separate_scales.strip():
        yield Problem("separate_scales gives no reason", where=_WHERE, way_out="Write it down.")
    if q.bounds is not None and not q.bounds[0] < q.bounds[1]:
        yield Problem("the bounds are not in order", where=_WHERE, found=f"{q.bounds}")
    if q.reliability is not None and not all(0.0 < r <= 1.0 for r in q.reliability):
        yield Problem(
            "a reliability is not above 0 and at most 1", where=_WHERE, found=f"{q.reliability}"
        )
    if not 0.0 < q.smallest_slope < math.inf:
        yield Problem(
            "the smallest slope of interest is not a positive number",
            where=_WHERE,
            found=f"{q.smallest_slope}",
        )


def _table_problems(
    data: pd.DataFrame, values: pd.DataFrame, q: SurfaceQuestion
) -> Iterator[Problem]:
    names = {"quality": q.outcome, "A": q.awareness, "C": q.capability}
    for key, name in names.items():
        if values[key].nunique() < 2:
            yield Problem(
                f"column '{name}' never varies",
                where=_WHERE,
                found=f"{values[key].nunique()} different values",
                way_out="No surface can be seen over it.",
            )
    for part, column in (("firm", q.firm), ("person", q.person), ("wave", q.wave)):
        if column is not None and data[column].isna().any():
            yield Problem(
                f"rows have no {part}",
                where=_WHERE,
                found=f"{int(data[column].isna().sum())} rows lack {column}",
                way_out="Drop them in the ledger first.",
            )
    if values["A"].equals(values["C"]):
        yield Problem(
            f"'{q.awareness}' and '{q.capability}' hold the same numbers in every row",
            where=_WHERE,
            way_out="There is no gap whose consequences could be seen.",
        )
        return
    yield from _outside(values, q)
    if q.separate_scales is None and _separately_standardised(values[["A", "C"]].dropna()):
        yield Problem(
            f"'{q.awareness}' and '{q.capability}' were each standardised by their own mean and SD",
            where=_WHERE,
            found="equal means and equal SDs",
            way_out="Everybody's gap is then relative to the sample: use the common scale, or "
            "subtract one mean from both and divide both by one SD; or say in separate_scales why "
            "the scales are the authors'; then no verdict is given.",
        )


def _outside(values: pd.DataFrame, q: SurfaceQuestion) -> Iterator[Problem]:
    if q.bounds is None:
        return
    low, high = q.bounds
    for key, name in (("A", q.awareness), ("C", q.capability)):
        strange = values[key][(values[key] < low) | (values[key] > high)]
        if len(strange):
            yield Problem(
                f"column '{name}' has values outside the bounds of the common scale",
                where=_WHERE,
                found=f"{len(strange)} rows, such as {strange.iloc[0]:g}",
                allowed=f"{low:g} to {high:g}",
                way_out="Correct the bounds, or put both columns on one scale.",
            )


def _separately_standardised(pair: pd.DataFrame) -> bool:
    """Whether both columns have mean 0 and SD 1, or exactly the same mean and SD."""
    if len(pair) < FEWEST_ROWS or not (pair.std() > 0.0).all():
        return False
    mean, sd = pair.mean().to_numpy(), pair.std().to_numpy()
    z_scores = bool((np.abs(mean) < _STANDARDISED).all() and (abs(sd - 1.0) < _STANDARDISED).all())
    same = abs(mean[0] - mean[1]) < _SAME * sd[0] and abs(sd[0] / sd[1] - 1.0) < _SAME
    return z_scores or bool(same)
