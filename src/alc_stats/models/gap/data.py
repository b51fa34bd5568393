"""The rows behind awareness, capability and use: read, checked, in SDs of the baseline.

Three designs are told apart by the data. "firms": whole firms (classes, teams) were assigned.
"persons": persons were assigned one by one, within firms or without any. "within": persons were
observed under both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

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

Kind = Literal["firms", "persons", "within"]
Bounds = tuple[float, float]
Level = Literal["awareness", "capability", "usage"]

FEWEST_UNITS = 2
"""In an arm: one firm cannot be told from the effect of its arm."""
NAMED = 8
"""Values of a column that an error lists, so that a column of ids does not fill the screen."""
OTHER = "other"
"""What rows of arms that are not compared are called."""
OUTCOMES: tuple[Level, ...] = ("awareness", "capability", "usage")


@dataclass(frozen=True, slots=True, kw_only=True)
class GapQuestion:
    """Which column plays which part; see `alc_stats.models.gap.claim.gap`."""

    awareness: str
    capability: str
    treatment: str
    person: str
    usage: str | None = None
    firm: str | None = None
    post: str | None = None
    wave: str | None = None
    treated: str | None = None
    control: str | None = None
    covariates: tuple[str, ...] = ()
    awareness_items: tuple[str, ...] = ()
    capability_items: tuple[str, ...] = ()
    awareness_bounds: Bounds | None = None
    capability_bounds: Bounds | None = None
    capability_reliability: float | None = None
    randomised: bool = False
    smallest_usage: float = 0.20
    smallest_awareness: float = 0.20
    smallest_capability: float = 0.20

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        single = (self.awareness, self.capability, self.usage, self.treatment, self.person,
                  self.firm, self.post, self.wave)  # fmt: skip
        several = (*self.covariates, *self.awareness_items, *self.capability_items)
        return (*(c for c in single if c), *several)

    def bounds(self, outcome: Level) -> Bounds | None:
        """Smallest and largest possible value, where declared."""
        return {"awareness": self.awareness_bounds, "capability": self.capability_bounds}.get(
            outcome
        )

    def items(self, outcome: Level) -> tuple[str, ...]:
        """Items of the outcome, where declared."""
        own = {"awareness": self.awareness_items, "capability": self.capability_items}
        return own.get(outcome, ())

    def smallest(self, outcome: Level) -> float:
        """Smallest effect of interest, baseline SDs."""
        return float(getattr(self, f"smallest_{outcome}"))


@dataclass(frozen=True, slots=True)
class Baseline:
    """Mean and SD of an outcome among those never treated, before the start."""

    mean: float
    sd: float
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class GapData:
    """Rows of the two arms in columns of fixed names.

    Attributes
    ----------
    rows : DataFrame
        `arm`, `treated`, `post` (0 throughout without a time before), `person`, `firm` (empty
        without), `wave`, the outcomes in baseline SDs, `effect` (1 where treatment works), `change`
        (what a firm may respond to with a size of its own), `x_1`, ... (covariates) and the items
        under their own names.
    question : GapQuestion
    kind : {"firms", "persons", "within"}
    baselines : mapping of outcome to Baseline
    left_out : int
        Rows without a covariate.
    others : DataFrame
        The same columns for arms that are not compared, and one, `other_1`, ..., for each of them:
        they tell what covariates and occasions do.
    """

    rows: pd.DataFrame
    question: GapQuestion
    kind: Kind
    baselines: dict[Level, Baseline]
    left_out: int
    others: pd.DataFrame

    @property
    def outcomes(self) -> tuple[Level, ...]:
        """Those that were given."""
        return tuple(o for o in OUTCOMES if o in self.baselines)

    @property
    def did(self) -> bool:
        """Whether there is a time before."""
        return self.question.post is not None

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the columns of covariates."""
        return tuple(c for c in self.rows.columns if c.startswith("x_"))

    @property
    def cluster(self) -> str:
        """What errors are clustered by: the firm, or else the person."""
        return "firm" if self.question.firm else "person"

    @property
    def unit_name(self) -> str:
        """What they are called: "cluster" (firm, class, team) or "person"."""
        return "cluster" if self.question.firm else "person"

    @property
    def clusters(self) -> int:
        """How many there are."""
        return int(self.rows[self.cluster].nunique())

    @property
    def fewest(self) -> int:
        """Clusters on the smaller side, where whole clusters were assigned; else all."""
        if not self.assigned_whole:
            return self.clusters
        return int(self.rows.groupby("treated")[self.cluster].nunique().min())

    @property
    def assigned_whole(self) -> bool:
        """Whether each cluster is in one arm."""
        arms = self.rows.groupby(self.cluster)["treated"].nunique()
        return bool((arms == 1).all())

    def varying(self, rows: pd.DataFrame) -> list[str]:
        """Occasions and covariates that differ between some of `rows`."""
        return [c for c in ("wave", *self.covariates) if len(rows[c].unique()) > 1]

    @property
    def repeated(self) -> bool:
        """Whether persons have several occasions."""
        return bool(self.rows["person"].duplicated().any())


def gap_data(data: pd.DataFrame, question: GapQuestion, *, where: str = "gap") -> GapData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        For what is wrong in the call or the table.
    FitError
        For data that cannot answer.
    """
    require(data, question.columns, where=where)
    raise_all(DeclarationError, _misdeclared(question, where))
    rows = _read(data, question, where)
    raise_all(TableError, _broken(rows, question))
    compared = rows.loc[rows["arm"] != OTHER]
    raise_all(FitError, _unanswerable(compared, question))
    kind = _kind(compared, question)
    baselines = {o: _baseline(compared, o) for o in OUTCOMES if o in rows}
    raise_all(FitError, _flat(baselines, question))
    complete = rows[[c for c in rows.columns if c.startswith("x_")]].notna().all(axis=1)
    kept = rows.loc[complete].reset_index(drop=True)
    standard = {o: (kept[o] - b.mean) / b.sd for o, b in baselines.items()}
    made = _designed(kept.assign(**standard), question, kind)
    mine = made["arm"] != OTHER
    return GapData(
        made.loc[mine].reset_index(drop=True), question, kind, baselines, int((~complete).sum()),
        made.loc[~mine].reset_index(drop=True),
    )  # fmt: skip


def _is_pair(given: object) -> bool:
    """Whether it holds two things; a caller may have given anything."""
    return isinstance(given, Sequence) and len(given) == 2


def _misdeclared(q: GapQuestion, where: str) -> Iterator[Problem]:
    if q.awareness == q.capability:
        yield Problem("awareness and capability are the same column", where=where,
                      found=f"'{q.awareness}'")  # fmt: skip
    for outcome in ("awareness", "capability"):
        bounds = q.bounds(outcome)
        if bounds is not None and not _is_pair(bounds):
            yield Problem(
                "the bounds are not two numbers",
                where=f"{where}, {outcome}_bounds",
                found=repr(bounds),
                allowed="(smallest, largest); inf where there is none",
            )
        elif bounds is not None and not bounds[0] < bounds[1]:
            yield Problem(
                "the bounds are not in order",
                where=f"{where}, {outcome}_bounds",
                found=f"{bounds[0]:g}, {bounds[1]:g}",
                allowed="the smallest possible value, then the largest; inf where there is none",
            )
    known = q.capability_reliability
    if known is not None and not 0.0 < known <= 1.0:
        yield Problem(
            "a reliability is not a share above 0",
            where=f"{where}, capability_reliability",
            found=f"{known:g}",
            allowed="above 0, at most 1",
        )
    if (q.treated is None) != (q.control is None):
        yield Problem("treated and control are named together", where=where)
    elif q.treated is not None and q.treated == q.control:
        yield Problem("treated and control are the same arm", where=where, found=f"'{q.treated}'")


def _read(data: pd.DataFrame, q: GapQuestion, where: str) -> pd.DataFrame:
    """The rows with any outcome; `treated` is 0 in arms that are not compared."""
    named = {"awareness": q.awareness, "capability": q.capability, "usage": q.usage}
    outcomes = {o: c for o, c in named.items() if c}
    values = numbers(data, [*outcomes.values(), *q.awareness_items, *q.capability_items],
                     where=where)  # fmt: skip
    treated = two_valued(data[q.treatment], q.treated, q.control, where=where)
    post = two_valued(data[q.post], None, None, where=where) if q.post else 0.0
    arm = treated.map({1.0: "treated", 0.0: "control"})
    parts = {
        "arm": arm.where(arm.notna(), OTHER),
        "treated": treated.fillna(0.0),
        "post": pd.Series(post, data.index),
        "person": data[q.person],
        "firm": data[q.firm] if q.firm else pd.Series("", data.index),
        "wave": data[q.wave] if q.wave else pd.Series(post, data.index),
    }
    parts |= {o: values[c] for o, c in outcomes.items()}
    parts |= {f"x_{i}": data[c] for i, c in enumerate(q.covariates, 1)}
    parts |= {c: values[c] for c in (*q.awareness_items, *q.capability_items)}
    rows = pd.DataFrame(parts)
    there = rows[[*outcomes]].notna().any(axis=1)
    unassigned = int((there & data[q.treatment].isna()).sum())
    raise_all(TableError, _lost("treatment", q.treatment, unassigned))
    for i, name in enumerate(sorted(data.loc[treated.isna(), q.treatment].dropna().unique()), 1):
        rows[f"other_{i}"] = (data[q.treatment] == name).astype(float)
    return rows.loc[there].reset_index(drop=True)


def two_valued(
    column: pd.Series, treated: str | None, control: str | None, *, where: str
) -> pd.Series:
    """1 for treated, 0 for control, missing for what is neither."""
    known = column.dropna()
    if treated is None or control is None:
        if pd.api.types.is_numeric_dtype(column) and known.isin([0, 1]).all():
            return column.astype(float)
        raise DeclarationError(_not_two(column, where))
    values = [v for v in (treated, control) if not (known == v).any()]
    if values:
        found = sorted({str(v) for v in known})
        raise DeclarationError(
            *(
                Problem(
                    f"no row is in arm '{v}'",
                    where=f"{where}, column '{column.name}'",
                    found=_listed(found),
                    way_out=did_you_mean(v, found) if len(found) <= NAMED else "",
                )
                for v in values
            )
        )
    return column.map({treated: 1.0, control: 0.0}).astype(float)


def _not_two(column: pd.Series, where: str) -> Problem:
    return Problem(
        "the column is not 0 and 1",
        where=f"{where}, column '{column.name}'",
        found=_listed(sorted({str(v) for v in column.dropna()}))
        + ("" if pd.api.types.is_numeric_dtype(column) else " (text)"),
        allowed="0 and 1, as numbers",
        way_out="Name the two arms with treated= and control=, or code the column as 0 and 1.",
    )


def _listed(found: list[str]) -> str:
    return ", ".join(found[:NAMED]) + (", ..." if len(found) > NAMED else "")


def _broken(rows: pd.DataFrame, q: GapQuestion) -> Iterator[Problem]:
    for part in ("firm", "person", "post", "wave"):
        name = getattr(q, part)
        if name:
            yield from _lost(part, name, int(rows[part].isna().sum()))
    for outcome in ("awareness", "capability"):
        if (bounds := q.bounds(outcome)) is not None:
            known = rows[outcome].dropna()
            outside = int((~known.between(*bounds)).sum())
            if outside:
                yield Problem(
                    "values lie outside their bounds",
                    where=f"column '{getattr(q, outcome)}'",
                    found=f"{outside} of {len(known)}",
                    allowed=f"{bounds[0]:g} to {bounds[1]:g}",
                    way_out="Correct the declared bounds or the data.",
                )
    if q.firm:
        movers = _in_several(rows, "person", "firm")
        if movers:
            yield Problem(
                f"{movers} persons are in several firms",
                where=f"column '{q.person}'",
                allowed="each person in one firm",
                way_out="Give movers an id in each firm, or leave them out and record it.",
            )
    if q.wave and rows.duplicated(["person", "wave"]).any():
        yield Problem(
            f"{int(rows.duplicated(['person', 'wave']).sum())} rows repeat a person and wave",
            where=f"columns '{q.person}' and '{q.wave}'",
            allowed="one row a person and wave",
        )


def _lost(part: str, name: str, count: int) -> Iterator[Problem]:
    if count:
        yield Problem(
            f"{count} rows with an outcome have no {part}",
            where=f"column '{name}'",
            allowed=f"a {part} in every row",
            way_out="Leave these rows out when the data are prepared, where it is recorded.",
        )


def _unanswerable(rows: pd.DataFrame, q: GapQuestion) -> Iterator[Problem]:
    if rows.empty:
        yield Problem("no row has an outcome")
        return
    for part, name in (("treated", q.treatment), ("post", q.post)):
        if name and rows[part].nunique() < 2:
            yield Problem(
                f"the {'treatment' if part == 'treated' else 'time'} never varies",
                where=f"column '{name}'",
                allowed="0 and 1",
                way_out="Without a comparison there is no effect to estimate.",
            )
            return
    unit = "firm" if q.firm else "person"
    fewest = int(rows.groupby("treated")[unit].nunique().min())
    if fewest < FEWEST_UNITS:
        yield Problem(
            f"an arm has {fewest} {unit}",
            where=f"column '{q.firm or q.person}'",
            allowed=f"at least {FEWEST_UNITS}",
            way_out=f"One {unit} cannot be told from the effect of its arm.",
        )


def _kind(rows: pd.DataFrame, q: GapQuestion) -> Kind:
    if _in_several(rows, "person", "treated"):
        if q.post:
            raise DeclarationError(
                Problem(
                    "treatment changes within persons, and post says when",
                    where=f"column '{q.treatment}'",
                    allowed="the arm a person is in throughout; its product with post is the "
                    "treatment",
                    way_out="Give the arm, or leave out post.",
                )
            )
        return "within"
    return "firms" if q.firm and not _in_several(rows, "firm", "treated") else "persons"


def _in_several(rows: pd.DataFrame, inner: str, outer: str) -> int:
    """How many levels of `inner` meet several levels of `outer`."""
    pairs = rows[[inner, outer]].drop_duplicates()
    return int((pairs[inner].value_counts() > 1).sum())


def _baseline(rows: pd.DataFrame, outcome: str) -> Baseline:
    """Of those never treated, before the start: a pooled SD would be moved by the treatment."""
    never = rows.loc[(rows["treated"] == 0.0) & (rows["post"] == 0.0), outcome].dropna()
    return Baseline(float(never.mean()), float(never.std()), len(never))


def _flat(baselines: dict[Level, Baseline], q: GapQuestion) -> Iterator[Problem]:
    for outcome, own in baselines.items():
        if not own.sd > 0.0:
            yield Problem(
                "the outcome does not vary among those never treated at baseline",
                where=f"column '{getattr(q, outcome)}'",
                found=f"{own.rows} rows",
                way_out="Its effects are counted in the SD of these rows.",
            )


def _designed(rows: pd.DataFrame, q: GapQuestion, kind: Kind) -> pd.DataFrame:
    effect = rows["treated"] * rows["post"] if q.post else rows["treated"]
    own = rows["post"] if kind == "firms" and q.post else effect
    text = {name: rows[name].astype(str) for name in ("person", "firm", "wave")}
    return rows.assign(effect=effect, change=own, **text)
