"""The rows behind a question of a dying metric: read, checked, and summed up firm by firm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require
from alc_stats.records import BoolArray, FloatArray

_WHERE = "proxy"
MOST_ROUNDS = 200
CLOSE = 1e-9
"""Of the SD of quality: nothing is left to take off."""
CELLS = ("treated_before", "treated_after", "never_before", "never_after")


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

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        own = (self.quality, self.amount, self.person, self.firm, self.mandated, self.post)
        return (*own, self.wave) if self.wave else own


@dataclass(frozen=True, slots=True, eq=False)
class ProxyData:
    """Sums of squares and products about a person's means of a period.

    Attributes
    ----------
    sums : dict of str to array (G, 4)
        By cell: of x x, x y and y y, and their degrees of freedom, of every firm.
    treated : bool array (G,)
    rows, left_out : int
    """

    sums: dict[str, FloatArray]
    treated: BoolArray
    rows: int
    left_out: int


def proxy_data(data: pd.DataFrame, question: ProxyQuestion) -> ProxyData:
    """Read, check and sum up.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    q = question
    require(data, q.columns, where=_WHERE)
    found = numbers(data, [q.quality, q.amount, q.mandated, q.post], where=_WHERE)
    rows = found.set_axis(["y", "amount", "mandated", "post"], axis=1)
    rows = rows.assign(person=data[q.person], firm=data[q.firm], wave=data[q.wave] if q.wave else 0)
    known = rows[["y", "amount", "mandated", "post"]].notna().all(axis=1)
    kept = rows.loc[known]
    raise_all(TableError, _broken(kept, q))
    return _summed(kept, int((~known).sum()))


def _broken(rows: pd.DataFrame, q: ProxyQuestion) -> Iterator[Problem]:
    if rows.empty:
        yield Problem("no row has everything that is needed", where=_WHERE)
        return
    if low := int((rows["amount"] <= 0.0).sum()):
        yield Problem("amounts are not above zero, so that they have no logarithm",
                      where=f"column '{q.amount}'", found=f"{low} of {len(rows)}",
                      way_out="Negative tokens are errors of the log; leave out what was not used.",
                      )  # fmt: skip
    for part in ("person", "firm", *(["wave"] if q.wave else [])):
        if lost := int(rows[part].isna().sum()):
            yield Problem(f"{lost} rows have no {part}", where=f"column '{getattr(q, part)}'")
    for part in ("mandated", "post"):
        if set(rows[part].unique()) != {0.0, 1.0}:
            yield Problem(
                "the column is not 0 and 1, both of them", where=f"column '{getattr(q, part)}'",
                way_out="Add firms that never had a mandate, and the time before: what happened "
                "to everybody is no effect of a mandate.",
            )  # fmt: skip
            return
    if (rows.groupby("firm")["mandated"].nunique() > 1).any():  # noqa: PD101
        yield Problem("a firm is in both arms", where=f"column '{q.mandated}'",
                      allowed="1 throughout for firms that ever have a mandate",
                      way_out="Say when it starts by post.")  # fmt: skip
        return
    firms = rows.groupby("mandated")["firm"].nunique()
    if firms.min() < 2:
        yield Problem("one firm is on one side of the mandate", where=f"column '{q.firm}'",
                      allowed="two or more")  # fmt: skip


def _summed(rows: pd.DataFrame, left_out: int) -> ProxyData:
    firm, names = pd.factorize(rows["firm"], sort=True)
    rows = rows.assign(x=np.log(rows["amount"]))
    away = _about_means(rows)
    size = rows.groupby(_OWN, observed=True)["x"].transform("size").to_numpy(dtype=float)
    parts = np.column_stack(
        [away[:, 0] ** 2, away[:, 0] * away[:, 1], away[:, 1] ** 2, 1.0 - 1.0 / size]
    )
    treated, post = (rows[c].to_numpy() == 1.0 for c in ("mandated", "post"))
    inside = dict(zip(CELLS, (treated & ~post, treated & post, ~treated & ~post, ~treated & post),
                      strict=True))  # fmt: skip
    sums = {
        cell: np.column_stack(
            [np.bincount(firm[own], x[own], len(names)).astype(float) for x in parts.T]
        )
        for cell, own in inside.items()
    }
    arms = np.bincount(firm[treated], minlength=len(names)) > 0
    return ProxyData(sums, arms, len(rows), left_out)


_OWN = ["firm", "person", "post"]


def _about_means(rows: pd.DataFrame) -> FloatArray:
    """Both columns about the means of a person's period and of a wave in an arm (n, 2).

    Taken off in turn until nothing is left to take, which is least squares with both (a swap of
    projections; with complete data the first round is enough).
    """
    away = rows[["x", "y"]]
    codes = [rows.groupby(keys, observed=True).ngroup() for keys in (_OWN, ["mandated", "wave"])]
    for _ in range(MOST_ROUNDS):
        before = away
        for code in codes:
            away = away - away.groupby(code).transform("mean")
        if float((away - before).abs().to_numpy().max()) < CLOSE * float(rows["y"].std() + 1.0):
            break
    return away.to_numpy()
