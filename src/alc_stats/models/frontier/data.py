"""The rows behind a question of excess: read, checked, and as designs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError, raise_all
from alc_stats.estimators.stochastic_frontier import Side
from alc_stats.measures.columns import numbers, require
from alc_stats.records import FloatArray, IntArray

_WHERE = "frontier"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierQuestion:
    """Which column plays which part; see `alc_stats.models.frontier.claim.frontier`."""

    amount: str
    given: tuple[str, ...]
    categories: tuple[str, ...] = ()
    treatment: str | None = None
    determinants: tuple[str, ...] = ()
    firm: str | None = None
    person: str | None = None
    money: str | None = None
    measurable: str | None = None
    side: Side = "cost"
    quantile: float = 0.05

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        single = (self.amount, self.treatment, self.firm, self.person, self.money, self.measurable)
        every = (*single, *self.given, *self.categories, *self.determinants)
        return tuple(c for c in every if c)


@dataclass(frozen=True, slots=True, eq=False)
class FrontierData:
    """Rows with everything that is needed.

    Attributes
    ----------
    y : array (n,)
        Log amounts.
    X, Z : arrays
        Designs of the frontier and of the log SD of the excess; the treatment is Z's second.
    names, excess_names : tuples of str
        Of their columns.
    clusters : int array (n,) or None
    means : array (n, g) or None
        Of what is given, over the rows of a person, or else of a firm.
    money, measurable : array (n,) or None
    """

    question: FrontierQuestion
    y: FloatArray
    X: FloatArray
    Z: FloatArray
    names: tuple[str, ...]
    excess_names: tuple[str, ...]
    clusters: IntArray | None
    means: FloatArray | None
    money: FloatArray | None
    measurable: FloatArray | None
    left_out: int

    @property
    def treated(self) -> FloatArray | None:
        """0 and 1; None without a treatment."""
        return self.Z[:, 1] if self.question.treatment else None

    @property
    def constant(self) -> FloatArray:
        """A column of ones."""
        return np.ones((len(self.y), 1))


def frontier_data(data: pd.DataFrame, question: FrontierQuestion) -> FrontierData:
    """Read and check.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, _misdeclared(question))
    q = question
    numeric = [c for c in (q.amount, *q.given, q.treatment, *q.determinants, q.money,
                           q.measurable) if c]  # fmt: skip
    values = numbers(data, [*dict.fromkeys(numeric)], where=_WHERE)
    known = values.notna().all(axis=1) & data[list(q.categories)].notna().all(axis=1)
    values, kept = values.loc[known], data.loc[known]
    raise_all(TableError, _broken(values, kept, q))
    dummies = [pd.get_dummies(kept[c], prefix=c, drop_first=True, dtype=float)
               for c in q.categories]  # fmt: skip
    X = pd.concat([values[list(q.given)], *dummies], axis=1)
    Z = values[[c for c in (q.treatment, *q.determinants) if c]]
    ones = np.ones((len(values), 1))
    return FrontierData(
        q, np.log(values[q.amount].to_numpy()),
        np.hstack([ones, X.to_numpy()]), np.hstack([ones, Z.to_numpy()]),
        ("constant", *map(str, X.columns)), ("constant", *map(str, Z.columns)),
        pd.factorize(kept[q.firm])[0].astype(np.int64) if q.firm else None,
        _means(values[list(q.given)], kept, q),
        values[q.money].to_numpy() if q.money else None,
        values[q.measurable].to_numpy() if q.measurable else None, int((~known).sum()),
    )  # fmt: skip


def _means(given: pd.DataFrame, kept: pd.DataFrame, q: FrontierQuestion) -> FloatArray | None:
    """Over a person's rows in a firm (ids may start anew in each), or over a firm's."""
    keys = [kept[name] for name in (q.firm, q.person) if name]
    return given.groupby(keys, observed=True).transform("mean").to_numpy() if keys else None


def _misdeclared(q: FrontierQuestion) -> Iterator[Problem]:
    if not q.given:
        yield Problem("nothing is held constant", where="frontier, given",
                      way_out="Name what the tokens were for: quality, difficulty of the task.",
                      )  # fmt: skip
    if q.side not in ("cost", "production"):
        yield Problem(f"unknown side '{q.side}'", where="frontier, side",
                      allowed="cost, production")  # fmt: skip
    if not 0.0 < q.quantile < 0.5:
        yield Problem("the quantile is no edge", where="frontier, quantile",
                      found=f"{q.quantile:g}", allowed="between 0 and 0.5")  # fmt: skip
    if q.money and q.side == "production":
        yield Problem("money is priced above a cost frontier only", where="frontier, side")
    if (q.money is None) != (q.measurable is None):
        yield Problem("excess is priced by its money and what came of it",
                      where="frontier, money, measurable",
                      way_out="Name both columns; `alc.priced` makes the first.")  # fmt: skip


def _broken(values: pd.DataFrame, kept: pd.DataFrame, q: FrontierQuestion) -> Iterator[Problem]:
    if values.empty:
        yield Problem("no row has everything the frontier needs", where=_WHERE)
        return
    if low := int((values[q.amount] <= 0.0).sum()):
        yield Problem("amounts are not above zero, so that they have no logarithm",
                      where=f"column '{q.amount}'", found=f"{low} of {len(values)}",
                      way_out="Negative tokens are errors of the log: correct them. Rows without "
                      "any use have no excess: leave them out where it is recorded.")  # fmt: skip
    for name in (q.money, q.measurable):
        if name and (low := int((values[name] < 0.0).sum())):
            yield Problem("values are below zero", where=f"column '{name}'", found=f"{low} rows",
                          allowed="0 and more")  # fmt: skip
    if q.measurable and not values[q.measurable].sum() > 0.0:
        yield Problem("there is no measurable output", where=f"column '{q.measurable}'")
    for what, name in (("firm", q.firm), ("person", q.person)):
        if name and (lost := int(kept[name].isna().sum())):
            yield Problem(f"{lost} rows have no {what}", where=f"column '{name}'")
    if q.firm and kept[q.firm].notna().all() and kept[q.firm].nunique() < 2:
        yield Problem("there is a single firm", where=f"column '{q.firm}'",
                      way_out="Leave firm out, and say that rows are taken as independent.",
                      )  # fmt: skip
    if q.treatment and set(values[q.treatment].unique()) != {0.0, 1.0}:
        yield Problem("the treatment is not 0 and 1", where=f"column '{q.treatment}'",
                      allowed="0 and 1, both of them")  # fmt: skip
