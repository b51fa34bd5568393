"""What tokens cost, from a dated price table."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real

import numpy as np
import pandas as pd

from alc_stats.errors import Problem, TableError, raise_all
from alc_stats.measures.columns import numbers, require

_KINDS = ("input", "output", "cached")
_MILLION = 1e6


def priced(
    log: pd.DataFrame,
    prices: pd.DataFrame,
    *,
    model: str,
    date: str,
    tokens_in: str,
    tokens_out: str,
    tokens_cached: str | None = None,
) -> pd.Series:
    """Money of every row of a log, at the price that held on its day.

    Parameters
    ----------
    log : DataFrame
        One row an event, or a model and period.
    prices : DataFrame
        Columns `model`, `since` (the first day of a price), `input`, `output` and, where there
        are cached tokens, `cached`: money per million tokens. Nothing is looked up elsewhere.
    model, date, tokens_in, tokens_out : str
        Columns of the log: the model, the day, and tokens of each kind.
    tokens_cached : str, optional
        Tokens read from a cache, not counted among `tokens_in`.

    Returns
    -------
    Series of float
        In the money of the table, in the order of the log.

    Raises
    ------
    DeclarationError
        For unknown columns.
    TableError
        For negative or missing tokens, rows without a model or day, what is no day, two prices of
        a model on one day, and models seen in the log that have no price then: all at once.

    Examples
    --------
    >>> log = pd.DataFrame({"model": ["m1", "m1"], "day": ["2026-01-05", "2026-03-02"],
    ...                     "tokens_in": [1e6, 1e6], "tokens_out": [5e5, 5e5]})
    >>> table = pd.DataFrame({"model": ["m1", "m1"], "since": ["2026-01-01", "2026-02-01"],
    ...                       "input": [3.0, 2.0], "output": [15.0, 10.0]})
    >>> priced(log, table, model="model", date="day", tokens_in="tokens_in",
    ...        tokens_out="tokens_out").tolist()
    [10.5, 7.0]
    """
    columns = {"input": tokens_in, "output": tokens_out}
    columns |= {"cached": tokens_cached} if tokens_cached is not None else {}
    require(log, [model, date, *columns.values()], where="priced, log")
    require(prices, ["model", "since", *columns], where="priced, prices")
    tokens = numbers(log, [*columns.values()], where="priced, log")
    rates = numbers(prices, [*columns], where="priced, prices")
    days = _days(log[date], f"log, column '{date}'")
    table = rates.assign(model=prices["model"].astype(str).astype(object),
                         since=_days(prices["since"], "prices, column 'since'"))  # fmt: skip
    raise_all(TableError, _broken(log[model], days, tokens, table))
    seen = pd.Series(log[model].astype(str).to_numpy(), dtype=object)
    rows = pd.DataFrame({"model": seen, "day": days.to_numpy(), "row": np.arange(len(log))})
    found = pd.merge_asof(rows.sort_values("day"), table.sort_values("since"), left_on="day",
                          right_on="since", by="model").sort_values("row")  # fmt: skip
    _refuse_unpriced(found, [*columns])
    money = (tokens.to_numpy() * found[[*columns]].to_numpy()).sum(axis=1) / _MILLION
    return pd.Series(money, index=log.index, name="money")


def _days(column: pd.Series, where: str) -> pd.Series:
    """Days without a time zone; missing where there is none."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    known = column.dropna()
    if not _dated(column) and len(bare := known[known.map(lambda day: isinstance(day, Real))]):
        raise TableError(
            Problem("numbers are no days", where=where, found=str(bare.iloc[0]),
                    way_out="Write days as 2026-01-31, or make them dates.")
        )  # fmt: skip
    try:
        days = pd.to_datetime(column, format=None if _dated(column) else "ISO8601")
        return days.dt.tz_localize(None).astype("datetime64[ns]")
    except (TypeError, ValueError, AttributeError) as error:
        raise TableError(
            Problem("not every value is a day", where=where, found=str(error).splitlines()[0],
                    way_out="Write days as 2026-01-31, or make them dates.")
        ) from None  # fmt: skip


def _dated(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


def _broken(
    models: pd.Series, days: pd.Series, tokens: pd.DataFrame, table: pd.DataFrame
) -> Iterator[Problem]:
    if table.empty:
        yield Problem("the table of prices is empty", where="prices",
                      way_out="Give a row for each model, with the day since which its price held.",
                      )  # fmt: skip
    for what, keys in (("model", models), ("day", days)):
        if lost := int(keys.isna().sum()):
            yield Problem(f"{lost} rows have no {what}", where=f"column '{keys.name}'",
                          way_out="A price belongs to a model and a day.")  # fmt: skip
    for column in tokens:
        if lost := int(tokens[column].isna().sum()):
            yield Problem(f"{lost} rows lack tokens, which would cost nothing",
                          where=f"column '{column}'",
                          way_out="Write 0 where none were used; leave rows out, where it is "
                          "recorded, whose tokens are not known.")  # fmt: skip
        if low := int((tokens[column] < 0.0).sum()):
            yield Problem("tokens are below zero", where=f"column '{column}'", found=f"{low} rows",
                          allowed="0 and more",
                          way_out="Leave refunds and corrections out of the log.")  # fmt: skip
    kinds = [c for c in _KINDS if c in table]
    if (table[kinds] < 0.0).any().any() or table[[*kinds, "since"]].isna().any().any():
        yield Problem("a price is missing, below zero, or has no day", where="prices",
                      way_out="Complete the row: since when, and money per million tokens.",
                      )  # fmt: skip
    if table.duplicated(["model", "since"]).any():
        twice = table.loc[table.duplicated(["model", "since"]), "model"].iloc[0]
        yield Problem("a model has two prices from one day on", where="prices", found=twice,
                      way_out="Keep the one that was paid.")  # fmt: skip


def _refuse_unpriced(found: pd.DataFrame, kinds: list[str]) -> None:
    lost = found[found[kinds].isna().any(axis=1)]
    if len(lost):
        first = lost.groupby("model")["day"].min()
        named = ", ".join(f"'{m}' (from {day:%Y-%m-%d})" for m, day in first.items())
        raise TableError(
            Problem(
                "models seen in the log have no price on their day", where="prices",
                found=f"{named}, {len(lost)} rows",
                way_out="Add a row for each, with the day since which its price held.",
            )
        )  # fmt: skip
