"""The rows behind a mediation: read, checked, and split by the level at which treatment varies.

Four designs are told apart by the data. "changes": whole units before and after a start (firm, or
person where there is no firm). "between": treatment is a unit's own throughout (2-1-1). "within":
treatment varies among the rows of a group (1-1-1). "single": rows have no groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require

Design = Literal["changes", "between", "within", "single"]
FEWEST_UNITS = 2
"""In an arm: one unit cannot be told from the effect of its arm."""
_WHERE = "mediation"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediationQuestion:
    """Which column plays which part; see `alc_stats.models.mediation.claim.mediation`.

    Keys of `mediation = { ... }` in a study.toml.
    """

    outcome: str
    treatment: str
    mediators: tuple[str, ...]
    person: str | None = None
    firm: str | None = None
    post: str | None = None
    wave: str | None = None
    treated: str | None = None
    control: str | None = None
    times: tuple[str, ...] = ()
    lagged: bool = False
    sources: tuple[str, ...] = ()
    randomised: bool = False
    direction: str = "greater"
    smallest_indirect: float | None = None
    smallest_direct: float | None = None
    unit: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        single = [self.outcome, self.treatment, self.person, self.firm, self.post, self.wave]
        return tuple(dict.fromkeys([*(c for c in single if c), *self.mediators, *self.times]))


@dataclass(frozen=True, slots=True, eq=False)
class MediationData:
    """Complete rows, in columns of fixed names.

    Attributes
    ----------
    rows : DataFrame
        `y`, `m1`, `m2`, `treated` (0 or 1, or a dose within groups), `post`, `x` (what acts on the
        row: treated, or treated after the start), `wave`, `person`, `firm`, `unit` (what treatment
        is constant in, or the group it varies in). For every mediator (and x within groups):
        `m1_own`, its mean in the unit (within "changes": in the unit and period, about the unit's
        own), and `m1_rest`, the deviation from that; within "changes" also `m1_level`, the unit's
        own mean.
    question : MediationQuestion
    design : {"changes", "between", "within", "single"}
    repeated : bool
        Whether persons have several rows.
    left_out : int
        Rows of the two arms that lack the outcome or a mediator.
    unordered : float
        Share of rows in which a mediator is not known to have been measured before what it should
        bring about.
    """

    rows: pd.DataFrame
    question: MediationQuestion
    design: Design
    repeated: bool
    left_out: int
    unordered: float

    @property
    def mediators(self) -> tuple[str, ...]:
        """Names of the mediators in `rows`, in causal order."""
        return tuple(f"m{i + 1}" for i in range(len(self.question.mediators)))

    @property
    def unit_name(self) -> str:
        """What the units are called."""
        if self.design == "single":
            return "rows"
        firm = bool(self.question.firm) and (self.rows["unit"] == self.rows["firm"]).all()
        return "firms" if firm else "persons"

    @property
    def units(self) -> int:
        """How many units there are."""
        return int(self.rows["unit"].nunique())


def mediation_data(data: pd.DataFrame, question: MediationQuestion) -> MediationData:
    """Read and check the rows.

    Raises
    ------
    DeclarationError, TableError
        For what is wrong in the call or the table.
    FitError
        For data that cannot answer.
    """
    raise_all(DeclarationError, _call_problems(question))
    require(data, list(question.columns), where=_WHERE)
    raise_all(TableError, _order_problems(data, question))
    rows = _lagged(_read(data, question), question)
    raise_all(TableError, _lost(rows, question))
    complete = rows.dropna(subset=["y", "treated", *_names(question)]).reset_index(drop=True)
    raise_all(FitError, _constant(complete, question))
    design, unit = _design(complete, question)
    complete["unit"] = complete[unit] if unit else np.arange(len(complete))
    raise_all(FitError, _few_units(complete, question, design))
    repeated = bool(question.person) and bool(complete["person"].duplicated().any())
    split = _split(complete, question, design)
    lost = len(rows) - len(complete)
    return MediationData(split, question, design, repeated, lost, _unordered(data, question))


def _unordered(data: pd.DataFrame, q: MediationQuestion) -> float:
    before = [(data[one] < data[two]).to_numpy() for one, two in pairwise(q.times)]
    return float(1.0 - np.all(before, axis=0).mean()) if before else 0.0


def _names(question: MediationQuestion) -> list[str]:
    return [f"m{i + 1}" for i in range(len(question.mediators))]


def _call_problems(q: MediationQuestion) -> Iterator[Problem]:
    if len(q.mediators) not in (1, 2):
        yield Problem(
            "a chain has one or two mediators",
            where="mediation, mediators",
            found=str(len(q.mediators)),
            way_out="Name them in causal order; test longer chains in parts.",
        )
    parts = [q.treatment, *q.mediators, q.outcome]
    if twice := sorted({p for p in parts if parts.count(p) > 1}):
        yield Problem("a column plays two parts", where="mediation", found=", ".join(twice))
    for name, given in (("times", q.times), ("sources", q.sources)):
        if given and len(given) != len(q.mediators) + 1:
            yield Problem(
                f"'{name}' does not name one for each mediator and the outcome",
                where=f"mediation, {name}",
                found=str(len(given)),
                allowed=str(len(q.mediators) + 1),
            )
    if q.direction not in ("greater", "less"):
        yield Problem("unknown direction", where="mediation, direction", found=q.direction,
                      allowed="greater, less")  # fmt: skip
    for name in ("smallest_indirect", "smallest_direct"):
        size = getattr(q, name)
        if size is not None and not 0.0 < size < float("inf"):
            yield Problem("the smallest effect is not a positive number",
                          where=f"mediation, {name}", found=f"{size:g}")  # fmt: skip
    if q.lagged and not (q.wave and q.person):
        yield Problem(
            "a lagged mediator needs persons seen in several waves",
            where="mediation, lagged",
            way_out="Name the columns of wave and person.",
        )


def _order_problems(data: pd.DataFrame, q: MediationQuestion) -> Iterator[Problem]:
    """Mediators that were measured after what they are said to bring about."""
    steps = pairwise([*q.mediators, q.outcome])
    times = () if q.lagged else q.times
    for (before, after), (cause, effect) in zip(pairwise(times), steps, strict=False):
        try:
            late = int((data[before] > data[after]).sum())
        except TypeError:
            yield Problem(
                "times of two kinds cannot be put in order",
                where=f"columns '{before}' and '{after}'",
                found=f"{data[before].dtype}, {data[after].dtype}",
                allowed="both dates, or both numbers",
            )
            continue
        if late:
            yield Problem(
                f"'{cause}' was measured after '{effect}', which it is said to bring about",
                where=f"columns '{before}' and '{after}'",
                found=f"{late} of {len(data)} rows",
                allowed="a cause that is measured before its effect",
                way_out="Use the measurement before (lagged = true takes the wave before), or "
                "leave these rows out where it is recorded.",
            )


def _read(data: pd.DataFrame, q: MediationQuestion) -> pd.DataFrame:
    """The rows of the two arms."""
    values = numbers(data, [q.outcome, *q.mediators], where=_WHERE)
    index = pd.Series(np.arange(len(data)), data.index)
    firm = data[q.firm].astype(str) if q.firm else pd.Series("", data.index)
    person = data[q.person].astype(str) if q.person else index.astype(str)
    parts = {
        "y": values[q.outcome],
        **{name: values[c] for name, c in zip(_names(q), q.mediators, strict=True)},
        "treated": _treated(data[q.treatment], q),
        "post": _zero_one(data[q.post]) if q.post else pd.Series(1.0, data.index),
        "wave": data[q.wave] if q.wave else index * 0,
        "firm": firm,
        "person": firm + ":" + person if q.firm else person,
        "no_firm": data[q.firm].isna() if q.firm else False,
        "no_person": data[q.person].isna() if q.person else False,
    }
    rows = pd.DataFrame(parts)
    if q.treated is not None:
        rows = rows.loc[rows["treated"].notna()]
    rows["x"] = rows["treated"] * rows["post"]
    return rows.reset_index(drop=True)


def _treated(column: pd.Series, q: MediationQuestion) -> pd.Series:
    if q.treated is None and q.control is None:
        if q.post:
            return _zero_one(column)
        return numbers(column.to_frame(), [str(column.name)], where=_WHERE)[str(column.name)]
    arms = [str(a) for a in column.dropna().unique()]
    missing = [a for a in (q.treated, q.control) if a is None or a not in arms]
    if missing or q.treated == q.control:
        raise DeclarationError(
            Problem(
                "treated and control are not two arms of the treatment",
                where=f"mediation, column '{column.name}'",
                found=f"treated {q.treated!r}, control {q.control!r}",
                allowed=", ".join(sorted(arms)[:8]),
            )
        )
    return column.map({q.treated: 1.0, q.control: 0.0}).astype(float)


def _zero_one(column: pd.Series) -> pd.Series:
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(column) and known.isin([0, 1]).all():
        return column.astype(float)
    raise DeclarationError(
        Problem(
            "the column is not 0 and 1",
            where=f"mediation, column '{column.name}'",
            found=", ".join(sorted(str(v) for v in known.unique())[:8]),
            way_out="Name the two arms with treated= and control=, or code the column as 0 and 1.",
        )
    )


def _lagged(rows: pd.DataFrame, q: MediationQuestion) -> pd.DataFrame:
    """Every mediator from the wave before, where that is asked for and the person was seen."""
    if not q.lagged:
        return rows
    ordered = rows.sort_values(["person", "wave"], kind="stable")
    place = pd.Series(pd.factorize(ordered["wave"], sort=True)[0], ordered.index)
    next_to = place.groupby(ordered["person"]).diff() == 1
    before = ordered.groupby("person")[_names(q)].shift(1).where(next_to)
    return ordered.assign(**before)


def _lost(rows: pd.DataFrame, q: MediationQuestion) -> Iterator[Problem]:
    here = rows["y"].notna()
    for part in ("firm", "person", "post", "wave"):
        name = getattr(q, part)
        missing = rows[f"no_{part}"] if f"no_{part}" in rows else rows[part].isna()
        count = int((missing & here).sum())
        if count:
            yield Problem(
                f"{count} rows with an outcome have no {part}",
                where=f"column '{name}'",
                way_out="Leave these rows out when the data are prepared, where it is recorded.",
            )
    count = int((rows["treated"].isna() & here).sum())
    if count and q.treated is None:
        yield Problem(
            f"{count} rows with an outcome have no treatment",
            where=f"column '{q.treatment}'",
            way_out="Leave these rows out when the data are prepared, where it is recorded.",
        )


def _constant(rows: pd.DataFrame, q: MediationQuestion) -> Iterator[Problem]:
    spoken = {"y": q.outcome, "x": q.treatment}
    spoken |= dict(zip(_names(q), q.mediators, strict=True))
    if q.post:
        spoken["post"] = q.post
    for name, column in spoken.items():
        if rows[name].nunique() < 2:
            role = {"y": "outcome", "x": "treatment", "post": "start"}.get(name, "mediator")
            yield Problem(
                f"the {role} never varies",
                where=f"mediation, column '{column}', {len(rows)} complete rows",
                found=f"{rows[name].iloc[0]:g} throughout" if len(rows) else "no complete row",
                allowed="two values or more, since nothing can be carried by what stays as it is",
            )


def _design(rows: pd.DataFrame, q: MediationQuestion) -> tuple[Design, str]:
    """The design, and the column of what treatment is constant in (or the group it varies in)."""
    if q.post:
        unit = "firm" if q.firm else "person"
        raise_all(TableError, _crossed(rows, unit, q))
        return "changes", unit
    if q.firm and not _varies(rows, "firm"):
        return "between", "firm"
    if q.person and rows["person"].duplicated().any():
        return ("within" if _varies(rows, "person") else "between"), "person"
    return ("within", "firm") if q.firm else ("single", "")


def _varies(rows: pd.DataFrame, group: str) -> bool:
    return _in_both(rows, group) > 0


def _in_both(rows: pd.DataFrame, group: str) -> int:
    """How many groups see more than one treatment."""
    seen = rows.groupby(group)["treated"].agg(["min", "max"])
    return int((seen["min"] < seen["max"]).sum())


def _crossed(rows: pd.DataFrame, unit: str, q: MediationQuestion) -> Iterator[Problem]:
    both = _in_both(rows, unit)
    if both:
        yield Problem(
            f"a {unit} is in both arms",
            where=f"mediation, column '{q.treatment}'",
            found=f"{both} {unit}s",
            allowed="with post, the arm a unit is in throughout",
            way_out="Name the column of arms as treatment, or leave post out.",
        )


def _few_units(rows: pd.DataFrame, q: MediationQuestion, design: Design) -> Iterator[Problem]:
    """Arms of a single unit, whose effect is that unit's own."""
    if design in ("changes", "between") and rows["treated"].nunique() == 2:
        seen = rows.groupby("unit")["post"].nunique()
        whole = rows.loc[rows["unit"].map(seen == rows["post"].nunique())]
        count = whole.groupby("treated")["unit"].nunique().reindex([0.0, 1.0], fill_value=0)
        if count.min() < FEWEST_UNITS:
            yield Problem(
                "an arm has a single unit or none, which cannot be told from the effect of its arm",
                where=f"mediation, column '{q.firm or q.person}'",
                found=", ".join(f"{n} where {q.treatment} is {t:g}" for t, n in count.items()),
                allowed=f"{FEWEST_UNITS} or more in every arm"
                + (", seen before and after the start" if q.post else ""),
                way_out="Add units, or compare within units what varies there.",
            )


def _split(rows: pd.DataFrame, q: MediationQuestion, design: Design) -> pd.DataFrame:
    """Add what differs between units, and what varies within them, of every mediator."""
    named = [*_names(q), "x", "y"] if design == "within" else _names(q)
    made = {}
    for name in named if design != "single" else []:
        keys = ["unit", "post"] if design == "changes" else ["unit"]
        own = rows.groupby(keys)[name].transform("mean")
        made[f"{name}_rest"] = rows[name] - own
        if design == "changes":
            cells = rows.groupby(keys)[name].mean()
            level = rows["unit"].map(cells.groupby("unit").mean())
            made[f"{name}_level"], own = level, own - level
        made[f"{name}_own"] = own
    return rows.assign(**made)
