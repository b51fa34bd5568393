"""Self-estimates beside what people can do: read, checked and brought to one table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require
from alc_stats.records import FloatArray, IntArray

About = Literal["curvature", "spread", "bias", "resolution"]

FEWEST_PEOPLE = 20
"""Four quarters of five people: fewer show nobody's calibration and might show a person."""
FARTHEST_WIDTHS = 3.0
"""Undeclared ranges that differ by this factor are not taken for one scale."""
_WHERE = "calibration"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationQuestion:
    """Which column plays which part; see `alc_stats.models.calibration.claim.calibration`."""

    self_estimate: str
    actual: str
    person: str | None = None
    cluster: str | None = None
    treatment: str | None = None
    treated: str | None = None
    control: str | None = None
    post: str | None = None
    about: About | None = None
    bounds: tuple[float, float] | None = None
    reliability: float | None = None
    items: tuple[str, ...] = ()
    item_range: tuple[float, float] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        named = (
            self.self_estimate, self.actual, self.person, self.cluster, self.treatment, self.post,
        )  # fmt: skip
        return (*(c for c in named if c), *self.items)

    @property
    def asked(self) -> About:
        """What the claim is about: of arms their bias, otherwise the curve."""
        return self.about or ("bias" if self.treatment else "curvature")


@dataclass(frozen=True, slots=True, eq=False)
class Rated:
    """Rows with both a self-estimate and a score.

    Attributes
    ----------
    rows : DataFrame
        `own`, `actual` (floats on one scale), `person`, `cluster` (whole numbers; a person is
        their own cluster unless clusters are named), `treated`, `post` (0.0 and 1.0), `cell`
        (of treated and post).
    question : CalibrationQuestion
    left_out : int
        Rows that lack one of the two, or are in neither arm.
    """

    rows: pd.DataFrame
    question: CalibrationQuestion
    left_out: int

    @property
    def own(self) -> FloatArray:
        """Self-estimates (n,)."""
        return self.rows["own"].to_numpy(dtype=float)

    @property
    def actual(self) -> FloatArray:
        """Scores (n,)."""
        return self.rows["actual"].to_numpy(dtype=float)

    def codes(self, name: str) -> IntArray:
        """Whole numbers (n,) of a grouping."""
        return self.rows[name].to_numpy(dtype=np.int64)

    def count(self, name: str) -> int:
        """Levels of a grouping."""
        return int(self.rows[name].nunique())


def rated(data: pd.DataFrame, question: CalibrationQuestion) -> Rated:
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
    values = numbers(data, [question.self_estimate, question.actual], where=_WHERE)
    treated = _arms(data, question)
    post = _zero_one(data, question.post)
    index = pd.Series(np.arange(len(data)), data.index)
    person = data[question.person] if question.person else index
    cluster = data[question.cluster] if question.cluster else person
    rows = pd.DataFrame({
        "own": values[question.self_estimate], "actual": values[question.actual],
        "person": person, "cluster": cluster, "treated": treated, "post": post,
    })  # fmt: skip
    kept = rows.loc[rows[["own", "actual", "treated"]].notna().all(axis=1)]
    seen = rows[["own", "actual"]].notna().all(axis=1)
    raise_all(TableError, _unassigned(data.loc[seen], question))
    raise_all(TableError, _broken(kept, question))
    raise_all(FitError, _unanswerable(kept, question))
    aside = _other_arms(data, question, treated)
    return Rated(_coded(kept), question, len(rows) - len(kept) - aside)


def _other_arms(data: pd.DataFrame, q: CalibrationQuestion, treated: pd.Series) -> int:
    """Rows of arms that are not compared: nobody asked for them, so they are not missing."""
    if q.treatment is None:
        return 0
    return int((data[q.treatment].notna() & treated.isna()).sum())


def _coded(rows: pd.DataFrame) -> pd.DataFrame:
    codes = {name: pd.factorize(rows[name], sort=False)[0] for name in ("person", "cluster")}
    cell = (2 * rows["treated"] + rows["post"]).astype(np.int64)
    return rows.assign(
        **codes, cell=pd.factorize(cell)[0], post_code=rows["post"].astype(np.int64)
    ).reset_index(drop=True)


def _misdeclared(q: CalibrationQuestion) -> Iterator[Problem]:
    if q.bounds is not None and not q.bounds[0] < q.bounds[1]:
        yield Problem(
            "the bounds are not in order",
            where="calibration, bounds",
            found=f"{q.bounds[0]:g}, {q.bounds[1]:g}",
            allowed="the smallest possible value, then the largest; inf where there is none",
        )
    if q.reliability is not None and not 0.0 < q.reliability <= 1.0:
        yield Problem(
            "the reliability is not a share",
            where="calibration, reliability",
            found=f"{q.reliability:g}",
            allowed="above 0, up to 1",
        )
    if q.items and q.item_range is None:
        yield Problem(
            "the items' range is missing",
            where="calibration, item_range",
            way_out="Name the smallest and largest possible answer, such as (0, 1) for right and "
            "wrong.",
        )
    if q.items and q.reliability is not None:
        yield Problem(
            "the reliability is both given and to be found from items",
            where="calibration",
            way_out="Leave one of them out.",
        )
    if q.asked not in get_args(About):
        yield Problem(
            f"unknown claim '{q.asked}'", where="calibration, about",
            allowed=", ".join(get_args(About)),
        )  # fmt: skip
    if q.about in ("bias", "resolution") and q.treatment is None:
        yield Problem(
            f"a claim about {q.about} compares arms, and no treatment is named",
            where="calibration, about",
            way_out="Name the treatment; without arms ask about curvature or spread.",
        )
    if q.post and not q.treatment:
        yield Problem("post is named, but no treatment", where="calibration, post")


def _arms(data: pd.DataFrame, q: CalibrationQuestion) -> pd.Series:
    """1 for treated, 0 for control (0 without arms), missing for neither."""
    if q.treatment is None or (q.treated is None and q.control is None):
        return _zero_one(data, q.treatment)
    arms = data[q.treatment]
    raise_all(DeclarationError, _unknown_arms(arms, q))
    return arms.map({q.treated: 1.0, q.control: 0.0}).astype(float)


def _unknown_arms(arms: pd.Series, q: CalibrationQuestion) -> Iterator[Problem]:
    where, found = f"calibration, column '{q.treatment}'", sorted({str(a) for a in arms.dropna()})
    if q.treated is None or q.control is None or q.treated == q.control:
        yield Problem("treated and control are two arms, named together", where=where)
        return
    for name in (q.treated, q.control):
        if name not in found:
            yield Problem(f"no row is in arm '{name}'", where=where, found=", ".join(found[:8]))


def _zero_one(data: pd.DataFrame, name: str | None) -> pd.Series:
    if name is None:
        return pd.Series(0.0, data.index)
    column = data[name]
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(column) and known.isin([0, 1]).all():
        return column.astype(float)
    raise DeclarationError(
        Problem(
            "the column is not 0 and 1",
            where=f"calibration, column '{name}'",
            found=", ".join(sorted({str(v) for v in known})[:8]),
            allowed="0 and 1",
            way_out="Name the two arms with treated= and control=, or code it as 0 and 1.",
        )
    )


def _unassigned(seen: pd.DataFrame, q: CalibrationQuestion) -> Iterator[Problem]:
    """Rows with both values of which nobody knows the arm."""
    lost = int(seen[q.treatment].isna().sum()) if q.treatment else 0
    if lost:
        yield Problem(
            f"{lost} rows with self-estimate and score have no treatment",
            where=f"column '{q.treatment}'",
            way_out="Leave these rows out when the data are prepared, where it is recorded.",
        )


def _broken(rows: pd.DataFrame, q: CalibrationQuestion) -> Iterator[Problem]:
    for part, name in (("person", q.person), ("cluster", q.cluster), ("post", q.post)):
        if name and (lost := int(rows[part].isna().sum())):
            yield Problem(
                f"{lost} rows have no {part}", where=f"column '{name}'",
                way_out="Leave these rows out when the data are prepared, where it is recorded.",
            )  # fmt: skip
    yield from _scale_problems(rows, q)


def _scale_problems(rows: pd.DataFrame, q: CalibrationQuestion) -> Iterator[Problem]:
    """Bias is a difference: both columns are on one scale, or the claim has no meaning."""
    columns = {q.self_estimate: rows["own"], q.actual: rows["actual"]}
    if len(rows) > 1 and all(_standardised(values) for values in columns.values()):
        yield Problem(
            "self-estimate and score are each standardised", where=_WHERE,
            found="two columns of mean 0 and SD 1",
            way_out="Their bias is zero by construction, whatever people believe: give both on the "
            "scale they were measured on.",
        )  # fmt: skip
    if q.bounds is not None:
        for name, values in columns.items():
            if outside := int((~values.between(*q.bounds)).sum()):
                yield Problem(
                    "values lie outside the bounds that self-estimate and score share",
                    where=f"column '{name}'",
                    found=f"{outside} of {len(values)}",
                    allowed=f"{q.bounds[0]:g} to {q.bounds[1]:g}",
                    way_out="Bring both to one scale, such as expected and reached share correct.",
                )
        return
    if len(rows) and _looks_like_two_scales(rows):
        ranges = (f"'{n}' {v.min():g} to {v.max():g}" for n, v in columns.items())
        yield Problem(
            "self-estimate and score look like different scales",
            where=_WHERE,
            found=", ".join(ranges),
            allowed="one scale for both",
            way_out="Bring both to one scale; if they are on one, declare bounds=(low, high).",
        )


def _standardised(values: pd.Series) -> bool:
    exact = 1e-6
    spreads = (float(values.std(ddof=d)) for d in (0, 1))
    return abs(float(values.mean())) < exact and any(abs(sd - 1.0) < exact for sd in spreads)


def _looks_like_two_scales(rows: pd.DataFrame) -> bool:
    own, actual = rows["own"], rows["actual"]
    widths = float(np.ptp(own)), float(np.ptp(actual))
    apart = own.min() > actual.max() or actual.min() > own.max()
    return bool(apart) or max(widths) > FARTHEST_WIDTHS * min(widths) > 0.0


def _unanswerable(rows: pd.DataFrame, q: CalibrationQuestion) -> Iterator[Problem]:
    people = int(rows["person"].nunique())
    if people < FEWEST_PEOPLE:
        yield Problem(
            "too few people to speak of calibration", where=_WHERE, found=str(people),
            allowed=f"{FEWEST_PEOPLE} or more with both a self-estimate and a score",
        )  # fmt: skip
        return
    named = [(q.self_estimate, "own"), (q.actual, "actual"), (q.treatment, "treated")]
    for name, part in [*named, (q.post, "post")]:
        if name and rows[part].nunique() < 2:
            yield Problem("the column never varies", where=f"column '{name}'")
    if q.asked in ("curvature", "spread") and rows["actual"].nunique() == 2:
        yield Problem(
            "two different scores show no curve", where=f"column '{q.actual}'",
            allowed="three or more; for right and wrong answers use `forecast`",
        )  # fmt: skip
    if q.treatment and rows["treated"].nunique() == 2:
        fewest = int(rows.groupby("treated")["cluster"].nunique().min())
        if fewest < 2:
            yield Problem(
                "an arm has one cluster, whose own effect cannot be told from that of the arm",
                where=f"column '{q.cluster or q.person}'", allowed="two or more clusters an arm",
            )  # fmt: skip


def share_at(values: FloatArray, bounds: tuple[float, float] | None) -> float:
    """Largest share of values at one end of the scale."""
    if bounds is None:
        return math.nan
    return float(max(np.mean(values <= bounds[0]), np.mean(values >= bounds[1])))
