"""The rows behind a question of a dying metric: read and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require
from alc_stats.models.bunching.data import FAR

_WHERE = "proxy"
FEWEST_INDICATORS = 2
"""Beside the metric: with fewer than three indicators in all a loading is not identified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyQuestion:
    """Which column plays which part; see `alc_stats.models.proxy.claim.proxy`."""

    quality: str
    amount: str
    person: str
    firm: str
    mandated: str
    post: str
    wave: str | None = None
    indicators: tuple[str, ...] = ()
    halves: tuple[str, ...] = ()
    second_rating: str | None = None
    control_tasks: str | None = None
    quota: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        own = (self.quality, self.amount, self.person, self.firm, self.mandated, self.post)
        more = (self.wave, *self.indicators, *self.halves, self.second_rating,
                self.control_tasks, self.quota)  # fmt: skip
        return (*own, *(name for name in more if name))


@dataclass(frozen=True, slots=True, eq=False)
class ProxyRows:
    """The rows that have everything the slopes need.

    Attributes
    ----------
    question : ProxyQuestion
    rows : DataFrame (n)
        `x` (log of the amount), `y`, `firm`, `person`, `mandated`, `post`, `wave`, and as far as
        they were asked for `z0` ... (indicators), `h0`, `h1` (logs of the halves), `again`
        (the second rating), `control`, `quotas` (amount in quotas); missing as NaN.
    left_out : int
    """

    question: ProxyQuestion
    rows: pd.DataFrame
    left_out: int


def proxy_rows(data: pd.DataFrame, question: ProxyQuestion) -> ProxyRows:
    """Read and check.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    q = question
    raise_all(DeclarationError, _undeclarable(q))
    require(data, q.columns, where=_WHERE)
    rows = _read(data, q)
    needed = ["y", "amount", "mandated", "post", *(["control"] if q.control_tasks else [])]
    known = rows[needed].notna().all(axis=1)
    kept = rows.loc[known].reset_index(drop=True)
    raise_all(TableError, _broken(kept, q))
    return ProxyRows(q, _logged(kept, q), int((~known).sum()))


def _undeclarable(q: ProxyQuestion) -> Iterator[Problem]:
    if q.indicators and len(set(q.indicators)) < FEWEST_INDICATORS:
        yield Problem(
            "one indicator beside the metric identifies no loading", where="proxy, indicators",
            found=", ".join(q.indicators), allowed="two or more others of use or value",
            way_out="Add tasks done, accepted answers or sessions, or leave indicators out.",
        )  # fmt: skip
    if q.halves and len(q.halves) != 2:
        yield Problem(
            "error of measurement is told from two halves", where="proxy, halves",
            found=f"{len(q.halves)} columns", allowed="two columns",
            way_out="Add amounts up over odd and over even sessions of each row's period.",
        )  # fmt: skip
    parts = (q.quality, q.amount, *q.indicators, *q.halves, q.second_rating, q.control_tasks,
             q.quota)  # fmt: skip
    named = [name for name in parts if name]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        yield Problem("a column plays two parts", where=_WHERE, found=", ".join(twice),
                      way_out="Name a column of its own for each.")  # fmt: skip


def _read(data: pd.DataFrame, q: ProxyQuestion) -> pd.DataFrame:
    parts = {"y": q.quality, "amount": q.amount, "mandated": q.mandated, "post": q.post}
    parts |= {f"z{i}": name for i, name in enumerate(q.indicators)}
    parts |= {f"h{i}": name for i, name in enumerate(q.halves)}
    parts |= {"again": q.second_rating} if q.second_rating else {}
    parts |= {"control": q.control_tasks} if q.control_tasks else {}
    parts |= {"quotas": q.quota} if q.quota else {}
    found = numbers(data, list(parts.values()), where=_WHERE)
    rows = found.set_axis(list(parts), axis=1)
    return rows.assign(person=data[q.person], firm=data[q.firm], wave=data[q.wave] if q.wave else 0)


def _logged(rows: pd.DataFrame, q: ProxyQuestion) -> pd.DataFrame:
    logs = {f"h{i}": np.log(rows[f"h{i}"].where(rows[f"h{i}"] > 0.0)) for i in range(len(q.halves))}
    if q.quota:
        logs["quotas"] = rows["amount"] / rows["quotas"]
    return rows.assign(x=np.log(rows["amount"]), **logs).drop(columns="amount")


def _broken(rows: pd.DataFrame, q: ProxyQuestion) -> Iterator[Problem]:
    if rows.empty:
        yield Problem("no row has everything that is needed", where=_WHERE)
        return
    yield from _low_amounts(rows, q)
    for part in ("person", "firm", *(["wave"] if q.wave else [])):
        if lost := int(rows[part].isna().sum()):
            yield Problem(f"{lost} rows have no {part}", where=f"column '{getattr(q, part)}'")
    flags = ("mandated", "post", *(["control"] if q.control_tasks else []))
    for part in flags:
        if set(rows[part].unique()) != {0.0, 1.0}:
            yield Problem("the column is not 0 and 1, both of them", way_out=_BOTH[part],
                          where=f"column '{getattr(q, _FIELD.get(part, part))}'")  # fmt: skip
            return
    yield from _firm_problems(rows, q)
    if not rows.duplicated(["firm", "person", "post"]).any():
        yield Problem("no person has several rows before or after the start, so that there is no "
                      "slope within persons", where=f"column '{q.person}'",
                      way_out="Give one row a task, or a week.")  # fmt: skip
    if q.quota:
        yield from _quota_problems(rows, q.quota)


_FIELD = {"control": "control_tasks"}
_BOTH = {
    **dict.fromkeys(
        ("mandated", "post"),
        "Add firms that never had a mandate, and the time before: what happened to everybody is no "
        "effect of a mandate.",
    ),
    "control": "Code tasks that do not count for the quota as 1 and all others as 0.",
}


def _low_amounts(rows: pd.DataFrame, q: ProxyQuestion) -> Iterator[Problem]:
    if low := int((rows["amount"] <= 0.0).sum()):
        yield Problem("amounts are not above zero, so that they have no logarithm",
                      where=f"column '{q.amount}'", found=f"{low} of {len(rows)}",
                      way_out="Negative tokens are errors of the log; leave out what was not used.",
                      )  # fmt: skip
    for i, name in enumerate(q.halves):
        if low := int((rows[f"h{i}"] < 0.0).sum()):
            yield Problem("amounts of a half are below zero", where=f"column '{name}'",
                          found=f"{low} of {len(rows)}", allowed="0 and more",
                          way_out="Negative tokens are errors of the log.")  # fmt: skip


def _firm_problems(rows: pd.DataFrame, q: ProxyQuestion) -> Iterator[Problem]:
    if (rows.groupby("firm")["mandated"].nunique() > 1).any():  # noqa: PD101
        yield Problem("a firm is in both arms", where=f"column '{q.mandated}'",
                      allowed="1 throughout for firms that ever have a mandate",
                      way_out="Say when it starts by post.")  # fmt: skip
        return
    firms = rows.groupby("mandated")["firm"].nunique()
    if firms.min() < 2:
        yield Problem("one firm is on one side of the mandate", where=f"column '{q.firm}'",
                      allowed="two or more")  # fmt: skip


def _quota_problems(rows: pd.DataFrame, name: str) -> Iterator[Problem]:
    under = rows.loc[(rows["mandated"] == 1.0) & (rows["post"] == 1.0)]
    where = f"column '{name}'"
    if not (under["quotas"] > 0.0).all() or (rows["quotas"] <= 0.0).any():
        yield Problem("rows under a mandate have no quota, or a quota is not positive",
                      where=where, allowed="above 0 wherever the mandate holds")  # fmt: skip
        return
    typical = float((under["amount"] / under["quotas"]).median())
    if not 1.0 / FAR <= typical <= FAR:
        yield Problem("amounts are nowhere near the quota", where=where,
                      found=f"a typical amount of {typical:.3g} quotas",
                      way_out="See that both are in one unit and of one period.")  # fmt: skip
