"""The rows behind a comparison of spreads: read, checked and centred within like access.

Three designs are told apart by the data. "firms": whole firms (classes, teams) were assigned, and
people spread within firms. "persons": persons were assigned one by one, and spread within arms.
"within": persons were observed under both, and their own outcomes spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from alc_stats.errors import (
    DeclarationError,
    FitError,
    Problem,
    TableError,
    did_you_mean,
    raise_all,
)
from alc_stats.measures.columns import numbers, require
from alc_stats.records import BoolArray, FloatArray

Kind = Literal["firms", "persons", "within"]
Bounds = tuple[float, float]

FEWEST_UNITS = 2
"""In an arm: one unit's spread cannot be told from the effect of its arm."""
FEWEST_VALUES = 3
"""Distinct values of an outcome whose spread can be more than a share."""
NAMED = 8
"""Values of a column that an error lists, so that a column of ids does not fill the screen."""
_WHERE = "widening"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column of the table plays which part; see `alc_stats.widening`."""

    outcome: str
    treatment: str
    person: str | None = None
    post: str | None = None
    firm: str | None = None
    cell: tuple[str, ...] = ()
    wave: str | None = None
    schema: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    bounds: Bounds | None = None
    treated: str | None = None
    control: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        single = (self.outcome, self.treatment, self.person, self.post, self.firm, self.wave)
        return tuple(c for c in (*single, *self.cell, *self.schema, *self.items) if c)


@dataclass(frozen=True, slots=True, eq=False)
class SpreadData:
    """Rows with an outcome, in columns of fixed names.

    Attributes
    ----------
    rows : DataFrame
        `outcome`, `treated` and `post` (0 or 1; `post` is 0 throughout without), `unit` (what was
        assigned: firm or person), `person`, `firm`, `group` (where outcomes are compared: firm
        and wave, arm and wave, or person and arm), `centred` (outcome without the means of groups
        and the effects of cells, made up for the means' own error), `access_1`, ... (cells),
        `schema_1`, ..., and the items under their own names.
    columns : Columns
    kind : {"firms", "persons", "within"}
    repeated : bool
        Whether persons have several rows.
    did : bool
        Whether there is a time before.
    """

    rows: pd.DataFrame
    columns: Columns
    kind: Kind
    repeated: bool
    did: bool

    @property
    def cells(self) -> list[str]:
        """Names of the columns of cells."""
        return [c for c in self.rows.columns if c.startswith("access_")]

    @property
    def schemas(self) -> list[str]:
        """Names of the columns of schema accuracy."""
        return [c for c in self.rows.columns if c.startswith("schema_")]

    @property
    def effect(self) -> str:
        """The coefficient that is the difference (in differences)."""
        return "treated:post" if self.did else "treated"

    @property
    def design(self) -> str:
        """The right-hand side that holds it."""
        return "treated*post" if self.did else "treated"

    def of(self, rows: BoolArray) -> SpreadData:
        """Some of the rows, centred anew."""
        return replace(self, rows=_centred(self.rows.loc[rows].copy(), self.kind))

    def units(self, *, treated: bool) -> int:
        """How many units an arm has."""
        return int(self.rows.loc[self.rows["treated"] == float(treated), "unit"].nunique())


def spread_data(data: pd.DataFrame, columns: Columns) -> SpreadData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        For what is wrong in the call or the table.
    FitError
        For data that cannot answer.
    """
    require(data, columns.columns, where=_WHERE)
    raise_all(DeclarationError, _bound_problems(columns.bounds))
    rows = _read(data, columns)
    raise_all(TableError, _broken(rows, columns))
    kind = _kind(rows, columns)
    rows["unit"] = rows["firm"] if kind == "firms" else rows["person"]
    raise_all(FitError, _unanswerable(rows, columns, kind))
    repeated = bool(columns.person) and bool(rows["person"].duplicated().any())
    made = SpreadData(
        _centred(_grouped(rows, kind), kind), columns, kind, repeated, bool(columns.post)
    )
    raise_all(FitError, _spreadless(made))
    return made


def _bound_problems(bounds: Bounds | None) -> Iterator[Problem]:
    if bounds is not None and not bounds[0] < bounds[1]:
        yield Problem(
            "the bounds are not in order",
            where="widening, bounds",
            found=f"{bounds[0]:g}, {bounds[1]:g}",
            allowed="the smallest possible value, then the largest; inf where there is none",
        )


def _read(data: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """The rows of the two arms that have an outcome."""
    outcome = numbers(data, [columns.outcome], where=_WHERE)[columns.outcome]
    treated = _two_valued(data[columns.treatment], columns.treated, columns.control)
    post = _zero_one(data[columns.post]) if columns.post else pd.Series(0.0, data.index)
    index = pd.Series(np.arange(len(data)), data.index)
    parts = {
        "outcome": outcome,
        "treated": treated,
        "post": post,
        "person": data[columns.person] if columns.person else index,
        "firm": data[columns.firm] if columns.firm else pd.Series("", data.index),
        "wave": data[columns.wave] if columns.wave else post,
    }
    parts |= {f"access_{i}": data[c].astype(str) for i, c in enumerate(columns.cell, 1)}
    if columns.schema:
        schema = numbers(data, columns.schema, where=_WHERE)
        parts |= {f"schema_{i}": schema[c] for i, c in enumerate(columns.schema, 1)}
    if columns.items:
        items = numbers(data, columns.items, where=_WHERE)
        parts |= {c: items[c] for c in columns.items}
    rows = pd.DataFrame(parts)
    unassigned = int((rows["outcome"].notna() & data[columns.treatment].isna()).sum())
    raise_all(TableError, _lost("treatment", columns.treatment, unassigned))
    return rows.loc[rows["outcome"].notna() & rows["treated"].notna()].reset_index(drop=True)


def _two_valued(column: pd.Series, treated: str | None, control: str | None) -> pd.Series:
    """1 for treated, 0 for control, missing for what is neither."""
    if treated is None and control is None:
        return _zero_one(column)
    raise_all(DeclarationError, _arm_problems(column, treated, control))
    return column.map({treated: 1.0, control: 0.0}).astype(float)


def _arm_problems(arms: pd.Series, treated: str | None, control: str | None) -> Iterator[Problem]:
    where = f"widening, column '{arms.name}'"
    if treated is None or control is None:
        yield Problem("treated and control are named together", where=where)
        return
    if treated == control:
        yield Problem("treated and control are the same arm", where=where, found=f"'{treated}'")
    found = [str(a) for a in arms.dropna().unique()]
    for name in dict.fromkeys((treated, control)):
        if not (arms == name).any():
            yield Problem(
                f"no row is in arm '{name}'",
                where=where,
                found=", ".join(sorted(found)[:NAMED]) + (", ..." if len(found) > NAMED else ""),
                way_out=did_you_mean(str(name), found) if len(found) <= NAMED else "",
            )


def _zero_one(column: pd.Series) -> pd.Series:
    """The column as 0.0 and 1.0."""
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(column) and known.isin([0, 1]).all():
        return column.astype(float)
    found = sorted(str(v) for v in known.unique())
    raise DeclarationError(
        Problem(
            "the column is not 0 and 1",
            where=f"widening, column '{column.name}'",
            found=", ".join(found[:NAMED]) + (", ..." if len(found) > NAMED else ""),
            allowed="0 and 1",
            way_out="Name the two arms with treated= and control=, or code the column as 0 and 1.",
        )
    )


def _broken(rows: pd.DataFrame, columns: Columns) -> Iterator[Problem]:
    """What the table gets wrong."""
    if columns.bounds is not None:
        low, high = columns.bounds
        outside = int((~rows["outcome"].between(low, high)).sum())
        if outside:
            yield Problem(
                "values lie outside their bounds",
                where=f"column '{columns.outcome}'",
                found=f"{outside} of {len(rows)}",
                allowed=f"{low:g} to {high:g}",
                way_out="Correct the declared bounds or the data.",
            )
    for part in ("firm", "person", "post", "wave"):
        name = getattr(columns, part)
        yield from _lost(part, name, int(rows[part].isna().sum()))


def _lost(part: str, name: str, count: int) -> Iterator[Problem]:
    """Rows with an outcome that lack a column which says where they belong."""
    if name and count:
        yield Problem(
            f"{count} rows with an outcome have no {part}",
            where=f"column '{name}'",
            allowed=f"a {part} in every row",
            way_out="Leave these rows out when the data are prepared, where it is recorded.",
        )


def _kind(rows: pd.DataFrame, columns: Columns) -> Kind:
    if columns.firm:
        both = _in_several(rows, "firm", "treated")
        if not both:
            movers = _in_several(rows, "person", "firm") if columns.person else 0
            raise_all(TableError, _movers(movers, columns))
            return "firms"
        if not columns.person or not _in_several(rows, "person", "treated"):
            raise TableError(_in_both_arms(both, str(columns.firm)))
    if columns.person and _in_several(rows, "person", "treated"):
        if columns.post:
            raise DeclarationError(_not_an_arm(columns))
        return "within"
    if not columns.person and not columns.firm:
        raise DeclarationError(
            Problem(
                "nothing says what was assigned to the arms",
                where=_WHERE,
                allowed="firm, person, or both",
                way_out="Name the column of persons, and that of the firms (classes, teams) if "
                "these were assigned as wholes.",
            )
        )
    return "persons"


def _in_several(rows: pd.DataFrame, inner: str, outer: str) -> int:
    """How many levels of `inner` meet several levels of `outer`."""
    pairs = rows[[inner, outer]].drop_duplicates()
    return int((pairs[inner].value_counts() > 1).sum())


def _movers(count: int, columns: Columns) -> Iterator[Problem]:
    if count:
        yield Problem(
            f"{count} persons are in several firms",
            where=f"column '{columns.person}'",
            allowed="each person in one firm",
            way_out="Give movers an id in each firm, or leave them out and record it.",
        )


def _in_both_arms(count: int, firm: str) -> Problem:
    return Problem(
        f"{count} firms are in both arms",
        where=f"column '{firm}'",
        allowed="each firm in one arm",
        way_out="Name the level that was assigned to arms; leave out firm if persons were "
        "assigned one by one.",
    )


def _not_an_arm(columns: Columns) -> Problem:
    return Problem(
        "treatment changes within persons, and post says when",
        where=f"column '{columns.treatment}'",
        allowed="the arm a person is in throughout; its product with post is the treatment",
        way_out="Give the arm, or leave out post.",
    )


def _unanswerable(rows: pd.DataFrame, columns: Columns, kind: Kind) -> Iterator[Problem]:
    """Why these rows say nothing about spread."""
    distinct = rows["outcome"].nunique()
    if distinct < FEWEST_VALUES:
        yield Problem(
            "the outcome has too few distinct values for a spread of its own",
            where=f"column '{columns.outcome}'",
            found=str(distinct),
            allowed=f"{FEWEST_VALUES} or more",
        )
    for part, name in (("treated", columns.treatment), ("post", columns.post)):
        if name and rows[part].nunique() < 2:
            yield Problem("the column is constant", where=f"column '{name}'", allowed="0 and 1")
    if kind != "within" and rows["treated"].nunique() == 2:
        fewest = rows.groupby("treated")["unit"].nunique().min()
        if fewest < FEWEST_UNITS:
            yield Problem(
                f"an arm has {fewest} {kind}",
                where=f"column '{columns.firm or columns.person}'",
                allowed=f"at least {FEWEST_UNITS}",
                way_out="The spread of one firm cannot be told from the effect of the arm.",
            )


def _spreadless(made: SpreadData) -> Iterator[Problem]:
    rows = made.rows
    if made.repeated:
        ranges = rows.groupby("person", observed=True)["outcome"].agg(lambda y: y.max() - y.min())
        if ranges.max() == 0.0:
            yield Problem(
                "the outcome is constant within every person",
                where=f"column '{made.columns.outcome}'",
                way_out="Keep one row a person, and leave out person.",
            )
    if not rows["centred"].notna().any():
        yield Problem("no group has two persons to compare", where=_WHERE)


def _grouped(rows: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    by = {
        "firms": ["unit", "treated", "post", "wave"],
        "persons": ["treated", "post", "wave"],
        "within": ["unit", "treated"],
    }[kind]
    return rows.assign(group=rows.groupby(by, observed=True, sort=True).ngroup())


def _centred(rows: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """The outcome less group means and cell effects, times sqrt(m / (m - 1)) for m members."""
    dummies = [c for c in rows.columns if c.startswith("access_")]
    access = access_dummies(rows, dummies)
    values = within_groups(rows["outcome"].to_numpy(float)[:, None], rows["group"])[:, 0]
    if access.shape[1]:
        x = within_groups(access, rows["group"])
        values = values - x @ np.linalg.lstsq(x, values, rcond=None)[0]
    member = rows["person"] if kind != "within" else pd.Series(np.arange(len(rows)), rows.index)
    m = member.groupby(rows["group"]).transform("nunique").to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        inflated = values * np.sqrt(m / (m - 1.0))
    return rows.assign(centred=np.where(m > 1.0, inflated, np.nan))


def within_groups(values: FloatArray, group: Sequence[int] | pd.Series) -> FloatArray:
    """Columns (n, k) less their group means."""
    codes, levels = pd.factorize(np.asarray(group))
    count = np.bincount(codes, minlength=len(levels))
    means = np.stack([np.bincount(codes, v) / count for v in values.T], axis=1)
    return np.asarray(values - means[codes])


def access_dummies(rows: pd.DataFrame, cells: Sequence[str]) -> FloatArray:
    """Indicators (n, k) of the cells of identical access, a reference left out of each column."""
    if not cells:
        return np.empty((len(rows), 0))
    return pd.get_dummies(rows[list(cells)], drop_first=True, dtype=float).to_numpy()
