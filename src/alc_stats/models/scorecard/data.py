"""The rows behind a scorecard: read, checked, in SDs of the control arm before the start."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from alc_stats.models.gap.data import Bounds, two_valued
from alc_stats.models.picture import FEWEST_PEOPLE

Role = Literal["volume", "quality", "completion", "transfer"]
ROLES: tuple[Role, ...] = ("volume", "quality", "completion", "transfer")
COMPETENCE: tuple[Role, ...] = ROLES[1:]
NAMES: Mapping[Role, str] = {
    "volume": "Volume of use",
    "quality": "Output quality",
    "completion": "Task-completion improvement",
    "transfer": "Cross-context transfer",
}
MEASURES: Mapping[Role, str] = {
    "volume": "how much AI is used",
    "quality": "how good the work is",
    "completion": "how much more of known tasks is done than before",
    "transfer": "how much of it carries over to new tasks",
}
SMALLEST = 0.20
"""Default smallest effect of interest of every metric, baseline SDs."""
COACHED = 0.42
"""SDs by which identical tests taken before raise a score (Kulik, Kulik and Bangert 1984)."""
FEWEST_UNITS = 2
LARGEST_LOG = 50.0
"""No amount of anything has a logarithm this large."""
NAMED = 8
"""Arms that an error lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of a scorecard.

    Attributes
    ----------
    column : str
        Numeric, higher is better.
    name, unit : str
        For readers, such as "Tokens used" and "points (0-100)".
    log : bool
        Of the volume only: take the logarithm of these amounts. Without it they are logs already.
    items : tuple of str
        Items of the metric, keyed: for its reliability.
    reliability : float, optional
        As the test's manual says, where there are no items. With neither it is that of repeated
        occasions, where persons have them.
    bounds : (float, float), optional
        Smallest and largest possible value; inf where there is none. Undeclared bounds of a
        competence metric allow no verdict, since what is at a ceiling cannot get better.
    smallest : float
        Smallest effect of interest, SDs of the control arm before the start.
    """

    column: str
    name: str = ""
    unit: str = ""
    log: bool = False
    items: tuple[str, ...] = ()
    reliability: float | None = None
    bounds: Bounds | None = None
    smallest: float = SMALLEST


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorecardQuestion:
    """Which column plays which part; see `alc_stats.models.scorecard.claim.scorecard`."""

    volume: Metric
    arm: str
    control: str
    treated: str
    person: str
    post: str
    quality: Metric | None = None
    completion: Metric | None = None
    transfer: Metric | None = None
    firm: str | None = None
    wave: str | None = None
    gamers: float = 0.20
    padding: float = 2.0
    coached: float = COACHED

    @property
    def metrics(self) -> dict[Role, Metric]:
        """Those that were given, the volume first."""
        given = {"volume": self.volume, "quality": self.quality,
                 "completion": self.completion, "transfer": self.transfer}  # fmt: skip
        return {role: m for role in ROLES if (m := given[role]) is not None}

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        single = (self.arm, self.person, self.post, self.firm, self.wave)
        metrics = [c for m in self.metrics.values() for c in (m.column, *m.items)]
        return (*(c for c in single if c), *metrics)

    def name(self, role: Role) -> str:
        """What readers call the metric."""
        return self.metrics[role].name or NAMES[role]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Mean and SD of a metric in the control arm before the start."""

    mean: float
    sd: float
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class CardData:
    """Rows in columns of fixed names.

    Attributes
    ----------
    rows : DataFrame
        `arm`, `post`, `person`, `firm` (the person without firms), `wave`, the metrics under their
        roles in baseline SDs, and items under their own names.
    question : ScorecardQuestion
    arms : tuple of str
        All but the control arm; the one that the claim is about first.
    baselines : mapping of role to Baseline
    """

    rows: pd.DataFrame
    question: ScorecardQuestion
    arms: tuple[str, ...]
    baselines: Mapping[Role, Baseline]

    @property
    def roles(self) -> tuple[Role, ...]:
        """Of the metrics that were given."""
        return tuple(self.question.metrics)

    @property
    def competence(self) -> tuple[Role, ...]:
        """The same without the volume."""
        return tuple(r for r in self.roles if r != "volume")

    @property
    def unit_name(self) -> str:
        """What was assigned as a whole: "firm" or "person"."""
        return "firm" if self.question.firm else "person"

    def of(self, role: Role) -> pd.DataFrame:
        """The rows that have the metric, which is `y`."""
        rows = self.rows.loc[self.rows[role].notna()]
        return rows.assign(y=rows[role]).reset_index(drop=True)

    def units(self, arm: str) -> int:
        """Firms (persons) of an arm."""
        return int(self.rows.loc[self.rows["arm"] == arm, "firm"].nunique())

    def left_out(self, role: Role) -> float:
        """The share of rows that lack a metric."""
        return float(self.rows[role].isna().mean())


def card_data(data: pd.DataFrame, question: ScorecardQuestion) -> CardData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        For what is wrong in the call or the table.
    FitError
        For data that cannot answer.
    """
    where = "scorecard"
    raise_all(DeclarationError, _misdeclared(question))
    require(data, question.columns, where=where)
    raise_all(DeclarationError, _no_such_arm(data, question))
    rows = _read(data, question, where)
    raise_all(TableError, _broken(rows, question))
    raise_all(FitError, _unanswerable(rows, question))
    roles = tuple(question.metrics)
    baselines = {role: _baseline(rows, role, question.control) for role in roles}
    raise_all(FitError, _flat(baselines, question))
    standard = {r: (rows[r] - b.mean) / b.sd for r, b in baselines.items()}
    others = sorted(set(rows["arm"]) - {question.control, question.treated})
    return CardData(rows.assign(**standard), question, (question.treated, *others), baselines)


def no_metrics(given: Mapping[str, object]) -> Iterator[Problem]:
    """What was given as a metric and is none."""
    for role, metric in given.items():
        if metric is not None and not isinstance(metric, Metric):
            yield Problem(
                "is no metric",
                where=f"scorecard, {role}",
                found=repr(metric),
                way_out='Say alc.Metric(column="..."), with bounds for what has any.',
            )


def _misdeclared(q: ScorecardQuestion) -> Iterator[Problem]:
    where = "scorecard"
    competence = {str(r): m for r, m in q.metrics.items() if r != "volume"}
    if not competence:
        yield Problem(
            "there is no competence metric",
            where=where,
            allowed=f"at least one of {', '.join(COMPETENCE)}",
            way_out="A volume metric alone cannot be compared with anything.",
        )
    for part, metric in competence.items():
        if metric.column == q.volume.column:
            yield Problem(
                f"the volume metric is also the metric of {part}",
                where=where,
                found=f"'{metric.column}'",
                way_out="How much AI is used says nothing of what people can do: give a score of "
                "the work.",
            )
        if metric.log:
            yield Problem("only the volume is an amount whose logarithm is taken",
                          where=f"{where}, {part}", found="log = true")  # fmt: skip
    if q.treated == q.control:
        yield Problem("treated and control are the same arm", where=where, found=f"'{q.treated}'")
    for role, metric in q.metrics.items():
        yield from _misdeclared_metric(metric, f"{where}, {role}")
    yield from _misdeclared_gamers(q, where)


def _misdeclared_metric(metric: Metric, where: str) -> Iterator[Problem]:
    if metric.bounds is not None and not metric.bounds[0] < metric.bounds[1]:
        yield Problem(
            "the bounds are not in order",
            where=where,
            found=f"{metric.bounds[0]:g}, {metric.bounds[1]:g}",
            allowed="the smallest possible value, then the largest; inf where there is none",
        )
    if metric.reliability is not None and not 0.0 < metric.reliability <= 1.0:
        yield Problem("a reliability is not a share above 0", where=where,
                      found=f"{metric.reliability:g}", allowed="above 0, at most 1")  # fmt: skip
    if metric.reliability is not None and metric.items:
        yield Problem("a reliability is both stated and to be computed from items", where=where,
                      way_out="Give one of them.")  # fmt: skip
    if not metric.smallest > 0.0:
        yield Problem("the smallest effect of interest is not a positive number", where=where,
                      found=f"{metric.smallest:g}")  # fmt: skip


def _misdeclared_gamers(q: ScorecardQuestion, where: str) -> Iterator[Problem]:
    if not 0.0 < q.gamers <= 1.0:
        yield Problem("the share of gamers is not a share", where=f"{where}, gamers",
                      found=f"{q.gamers:g}", allowed="above 0, at most 1")  # fmt: skip
    if not q.padding > 1.0:
        yield Problem("padding makes amounts no larger", where=f"{where}, padding",
                      found=f"{q.padding:g}",
                      allowed="a factor above 1; 2 doubles them")  # fmt: skip
    if not q.coached > 0.0:
        yield Problem("coaching raises no score", where=f"{where}, coached",
                      found=f"{q.coached:g}", allowed="SDs, above 0")  # fmt: skip


def _no_such_arm(data: pd.DataFrame, q: ScorecardQuestion) -> Iterator[Problem]:
    known = sorted({str(v) for v in data[q.arm].dropna()})
    for part in ("control", "treated"):
        name = getattr(q, part)
        if name not in known:
            yield Problem(
                f"no row is in the {part} arm '{name}'",
                where=f"scorecard, column '{q.arm}'",
                found=", ".join(known[:NAMED]) + (", ..." if len(known) > NAMED else ""),
                way_out=did_you_mean(name, known) if len(known) <= NAMED else "",
            )


def _read(data: pd.DataFrame, q: ScorecardQuestion, where: str) -> pd.DataFrame:
    metrics = q.metrics
    items = [c for m in metrics.values() for c in m.items]
    values = numbers(data, [*(m.column for m in metrics.values()), *items], where=where)
    post = two_valued(data[q.post], None, None, where=where)
    parts = {
        "arm": data[q.arm],
        "post": post,
        "person": data[q.person],
        "firm": data[q.firm or q.person],
        "wave": data[q.wave] if q.wave else post,
    }
    parts |= {role: values[m.column] for role, m in metrics.items()}
    parts |= {c: values[c] for c in items}
    rows = pd.DataFrame(parts)
    rows = rows.loc[rows[[*metrics]].notna().any(axis=1)].reset_index(drop=True)
    raise_all(TableError, _no_logarithm(rows["volume"], q.volume))
    if q.volume.log:
        rows["volume"] = np.log(rows["volume"])
    known = {name: rows[name].astype(str).where(rows[name].notna())
             for name in ("arm", "person", "firm", "wave")}  # fmt: skip
    return rows.assign(**known)


def _no_logarithm(values: pd.Series, volume: Metric) -> Iterator[Problem]:
    wrong = int((values <= 0.0).sum())
    if volume.log and wrong:
        yield Problem(
            "amounts that are not positive have no logarithm",
            where=f"column '{volume.column}'",
            found=f"{wrong} of {len(values)} rows",
            way_out="Leave out periods without use when the data are prepared, where it is "
            "recorded, or say log = false for a column that is logged already.",
        )
    if not volume.log and values.max() > LARGEST_LOG:
        yield Problem(
            "amounts are not logarithms of amounts",
            where=f"column '{volume.column}'",
            found=f"values up to {values.max():.6g}",
            way_out="Say log = true, so that their logarithm is taken.",
        )


def _broken(rows: pd.DataFrame, q: ScorecardQuestion) -> Iterator[Problem]:
    for part in ("arm", "post", "person", "firm", "wave"):
        lost = int(rows[part].isna().sum())
        if lost and (part != "firm" or q.firm):
            yield Problem(
                f"{lost} rows with a metric have no {part}",
                where=f"column '{getattr(q, part) or q.person}'",
                allowed=f"a {part} in every row",
                way_out="Leave these rows out when the data are prepared, where it is recorded.",
            )
    yield from (p for role, m in q.metrics.items() for p in _outside(rows[role], m))
    if q.firm:
        way_out = "Give movers an id in each firm, or leave them out and record it."
        yield from _several(rows, "person", "firm", q.person, way_out)
    whole = (
        "Name as firm what was assigned as a whole (a team, a class); leave firm out where persons "
        "were assigned one by one."
    )
    yield from _several(rows, "firm" if q.firm else "person", "arm", q.firm or q.person, whole)


def _outside(values: pd.Series, metric: Metric) -> Iterator[Problem]:
    if metric.bounds is None:
        return
    known = values.dropna()
    outside = int((~known.between(*metric.bounds)).sum())
    if outside:
        yield Problem(
            "values lie outside their bounds",
            where=f"column '{metric.column}'",
            found=f"{outside} of {len(known)}",
            allowed=f"{metric.bounds[0]:g} to {metric.bounds[1]:g}",
            way_out="Correct the declared bounds or the data.",
        )


def _several(
    rows: pd.DataFrame, inner: str, outer: str, column: str, way_out: str
) -> Iterator[Problem]:
    pairs = rows[[inner, outer]].drop_duplicates()
    count = int((pairs[inner].value_counts() > 1).sum())
    if count:
        yield Problem(f"{count} {inner}s are in several {outer}s", where=f"column '{column}'",
                      allowed=f"each {inner} in one {outer}", way_out=way_out)  # fmt: skip


def _unanswerable(rows: pd.DataFrame, q: ScorecardQuestion) -> Iterator[Problem]:
    if rows.empty:
        yield Problem("no row has a metric")
        return
    arms = (q.control, *sorted(set(rows["arm"]) - {q.control}))
    people = rows.groupby("arm")["person"].nunique()
    for arm in arms:
        if people[arm] < FEWEST_PEOPLE:
            yield Problem(
                f"arm '{arm}' has {people[arm]} people",
                where=f"column '{q.arm}'",
                allowed=f"at least {FEWEST_PEOPLE}, so that nobody can be found on the page",
                way_out="Join small arms, or leave them out.",
            )
    for role in q.metrics:
        known = rows.loc[rows[role].notna()]
        for arm in arms:
            yield from _too_few(known.loc[known["arm"] == arm], arm, role, q)


def _too_few(rows: pd.DataFrame, arm: str, role: Role, q: ScorecardQuestion) -> Iterator[Problem]:
    unit, column = ("firm" if q.firm else "person"), q.metrics[role].column
    for post, when in ((0.0, "before"), (1.0, "after")):
        count = int(rows.loc[rows["post"] == post, "firm"].nunique())
        if count == 0:
            yield Problem(
                f"arm '{arm}' has no row {when} the start",
                where=f"columns '{column}' and '{q.post}'",
                allowed="rows at 0 and at 1",
                way_out="An improvement is a change: without a time before it cannot be told from "
                "arms that differed all along.",
            )
        elif count < FEWEST_UNITS:
            yield Problem(
                f"arm '{arm}' has {count} {unit} {when} the start",
                where=f"column '{q.firm or q.person}'",
                allowed=f"at least {FEWEST_UNITS}",
                way_out=f"One {unit} cannot be told from the effect of its arm.",
            )


def _baseline(rows: pd.DataFrame, role: Role, control: str) -> Baseline:
    """An SD pooled over what treatment did would be moved by it."""
    before = rows.loc[(rows["arm"] == control) & (rows["post"] == 0.0), role].dropna()
    return Baseline(float(before.mean()), float(before.std()), len(before))


def _flat(baselines: Mapping[Role, Baseline], q: ScorecardQuestion) -> Iterator[Problem]:
    for role, own in baselines.items():
        if not (own.sd > 1e-12 * max(abs(own.mean), 1.0) and math.isfinite(own.sd)):
            yield Problem(
                f"{q.name(role)} is the same in all rows of the control arm before the start",
                where=f"column '{q.metrics[role].column}'",
                found=f"{own.rows} rows",
                way_out="Effects are counted in the SD of these rows: a metric that tells nobody "
                "apart has none.",
            )
