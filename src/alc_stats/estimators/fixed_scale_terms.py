"""The columns of a log SD from its one-sided formula, and what no likelihood can tell of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Design, Table, categories
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.scale_columns import LogSd, log_sd
from alc_stats.estimators.kernels.scale_model import Between
from alc_stats.estimators.lmm_terms import RandomPart
from alc_stats.estimators.part_columns import part_columns
from alc_stats.records import FloatArray

INTERCEPT = "Intercept"
_FAR = 4.0
"""Log SDs this far below the middle row's belong to rows whose variance goes to zero."""


@dataclass(frozen=True, slots=True, eq=False)
class LogSdColumns:
    """Columns of one log SD.

    Attributes
    ----------
    names : tuple of str, length k
    levels : mapping of str to tuple of str
        Of every categorical, its reference first.
    basis : LogSd
    """

    names: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    basis: LogSd


def log_sd_columns(part: Formula, table: Table, argument: str) -> LogSdColumns:
    """Evaluate a one-sided formula.

    Raises
    ------
    FormulaError
        Without columns.
    FitError
        For dependent columns.
    """
    found = part_columns(part, table, argument)
    return LogSdColumns(found.names, categories(found.spec), log_sd(found.values))


def between_of(part: Formula, table: Table, random: RandomPart) -> tuple[Between, LogSdColumns]:
    """The grouping whose random intercept's SD follows columns: of several, the most levels'.

    Raises
    ------
    FitError
        If no grouping has a random intercept, two have it and equally many levels, or the columns
        do not contain a constant.
    """
    where = f"between='{part.text}'"
    places = [
        (term.factor, term.first + term.names.index(INTERCEPT))
        for term in random.terms
        if INTERCEPT in term.names
    ]
    most = max((random.factors[f].levels for f, _ in places), default=0)
    widest = [place for place in places if random.factors[place[0]].levels == most]
    if len(widest) != 1:
        raise FitError(_no_intercept(where) if not widest else _ambiguous(where, random, most))
    columns = log_sd_columns(part, table, "between")
    if columns.basis.constant is None:
        raise FitError(
            Problem(
                "the columns of a random intercept's log SD hold no constant",
                where=where,
                found=", ".join(columns.names),
                way_out="Leave the 0 out: without it the SD would be 1 where the columns are 0.",
            )
        )
    return Between(*widest[0], columns.basis), columns


def _no_intercept(where: str) -> Problem:
    return Problem(
        "no random intercept whose SD could differ",
        where=where,
        way_out="Add one to the formula, such as (1 | person), or leave between out.",
    )


def _ambiguous(where: str, random: RandomPart, most: int) -> Problem:
    tied = [g for g, f in zip(random.groups, random.factors, strict=True) if f.levels == most]
    return Problem(
        "between is about the random intercept of the grouping with most levels, and there are two",
        where=where,
        found=f"{most} levels of {' and of '.join(tied)}",
        way_out="Leave one of the random intercepts out.",
    )


def refuse_untold(design: Design, scale: LogSdColumns, where: str) -> None:
    """Refuse what has no maximum: too few rows, an outcome constant where a column of two is one.

    Raises
    ------
    FitError
    """
    n, p = design.X.shape
    k = len(scale.names)
    if n <= p + k:
        raise FitError(
            Problem(
                "there are not more rows than coefficients",
                where=where,
                found=f"{n} complete rows, {p} coefficients of the mean and {k} of the log SD",
            )
        )
    problems = [
        Problem(
            f"the outcome is constant where {name} is {value:g}, so no residual varies there",
            where=where,
            found=f"{design.y[rows][0]:g} in all {int(rows.sum())} rows",
            way_out=f"Leave {name} out of scale, or those rows out of the table.",
        )
        for name, column in zip(scale.names, scale.basis.columns.T, strict=True)
        for value, rows in _halves(column)
        if np.ptp(design.y[rows]) == 0.0
    ]
    if problems:
        raise FitError(*problems)


def _halves(column: FloatArray) -> list[tuple[float, FloatArray]]:
    """The two values of a column that has two, with their rows (n,)."""
    low, high = float(column.min()), float(column.max())
    if low == high or not np.all((column == low) | (column == high)):
        return []
    return [(value, column == value) for value in (low, high)]


def unbounded(scale: LogSdColumns, tau: FloatArray, where: str) -> Problem:
    """What to say when the log SD of some rows goes to minus infinity."""
    W, values = scale.basis.columns, scale.basis.values(tau)
    least = int(np.argmin(values))
    parts = (W[least] - W.mean(axis=0)) * (scale.basis.back @ tau)
    name = scale.names[int(np.argmin(parts))]
    rows = int(np.sum(values < np.median(values) - _FAR)) or 1
    return Problem(
        f"the likelihood has no maximum: along {name} the residual SD of some rows goes to zero",
        where=where,
        found=f"{rows} of {len(W)} rows, such as complete row {least + 1}",
        way_out=f"Leave {name} out of scale: the coefficients or the random effects reproduce the "
        "outcome of those rows.",
    )
