"""From a table and a formula to the arrays an estimator works on, every lost row counted."""

from __future__ import annotations

import decimal
import functools
import numbers
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, FormulaError, Problem, did_you_mean
from alc_stats.estimators.fit import Coding, Component, Counts
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.rank import RANK_TOLERANCE, dependent_sets
from alc_stats.records import BoolArray, FloatArray, IntArray

_LARGEST = 1e150
"""The square root of the largest float64, 1e154, less room for the sum of 1e8 squares."""


@dataclass(frozen=True, slots=True)
class Table:
    """The complete rows of the columns a model needs, as float64 and categories.

    `dropped` counts incomplete rows by the columns they lack; `labels` are those of the complete
    rows in the table they were read from (`frame` itself counts from 0).
    """

    frame: pd.DataFrame
    read: int
    dropped: dict[str, int]
    labels: pd.Index

    def counts(self, groups: dict[str, int]) -> Counts:
        """The counts of a fit that uses every row of this table."""
        return Counts(self.read, len(self.frame), self.dropped, groups)


@dataclass(frozen=True, slots=True)
class Design:
    """Outcome (n,), fixed columns (n, p) with their names, and how they were coded.

    `spec` is the formula library's own memory of that coding: levels, centres and scales that new
    rows must be coded by.
    """

    y: FloatArray
    X: FloatArray
    names: tuple[str, ...]
    coding: Coding
    spec: Any

    @property
    def components(self) -> tuple[Component, ...]:
        """Every column is about the mean."""
        return tuple("mean" for _ in self.names)

    def statistics(self) -> dict[str, float]:
        """Mean and SD of the outcome among the rows used."""
        return {"outcome_mean": float(self.y.mean()), "outcome_sd": float(self.y.std(ddof=1))}


def read_table(formula: Formula, data: pd.DataFrame, extra: Sequence[str] = ()) -> Table:
    """Columns of `formula` and `extra`, converted; incomplete rows dropped and counted.

    Raises
    ------
    FormulaError
        For columns the table lacks or that hold neither numbers nor categories.
    FitError
        For infinite values, or when no complete row is left.
    """
    names = list(dict.fromkeys([*formula.names, *extra]))
    converted = read_columns(formula, data, names)
    missing = converted.isna().to_numpy()
    complete = np.asarray(~missing.any(axis=1))
    dropped = Counter(
        ", ".join(name for name, gone in zip(names, row, strict=True) if gone)
        for row in missing[~complete]
    )
    if not complete.any():
        raise FitError(
            Problem(
                "no complete row is left",
                where=f"formula '{formula.text}'",
                found=f"{len(data)} rows, missing in: {', '.join(dropped) or 'an empty table'}",
                way_out="Leave out the columns that are missing or mend the table.",
            )
        )
    whole = bool(complete.all())
    frame = (converted if whole else converted[complete]).reset_index(drop=True)
    for name, column in list(frame.items()):
        if isinstance(column.dtype, pd.CategoricalDtype):  # unused ones would be zero columns
            frame[name] = column.cat.remove_unused_categories()
    labels = data.index if whole else data.index[complete]
    return Table(frame, len(data), dict(sorted(dropped.items())), labels)


def read_columns(formula: Formula, data: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The columns `names` as float64 or categories, every row kept; missing values are NaN.

    Raises
    ------
    FormulaError, FitError
        As `read_table`.
    """
    _require_columns(formula, data, names)
    converted = {name: _convert(data[name]) for name in names}
    _require_finite(
        {
            name: np.isinf(column.to_numpy())
            for name, column in converted.items()
            if pd.api.types.is_float_dtype(column.dtype)
        },
        "is infinite",
    )
    return pd.DataFrame(converted, index=data.index, copy=False)


def check_weights(formula: Formula, data: pd.DataFrame, name: str) -> None:
    """Raise a FitError unless the column of prior weights, where there is one, is all positive.

    A row without a weight is an error, not an incomplete row: leaving it out gives it weight zero.
    """
    column = data[name] if name in data.columns else pd.Series(dtype=float)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        problem, found = "hold no numbers", str(column.dtype)
    else:
        problem = "are not all positive numbers"
        missing, low = int(column.isna().sum()), int((column <= 0.0).sum())
        found = f"{missing} missing, {low} zero or below, of {len(column)} rows"
        if not missing and not low:
            return
    raise FitError(
        Problem(
            f"the weights '{name}' {problem}",
            where=f"formula '{formula.text}'",
            found=found,
            way_out="Correct them, or leave those rows out of the table.",
        )
    )


def build_design(formula: Formula, table: Table) -> Design:
    """Outcome and fixed columns, finite and of full rank.

    Raises
    ------
    FitError
        For a constant outcome, too few rows, or dependent columns (named).
    """
    y, outcome = _outcome(formula, table)
    X, spec = coded(formula.fixed, table.frame, formula.text)
    names = tuple(spec.column_names)
    _require_estimable(formula, y, X, names)
    return Design(y, X, names, Coding(outcome, categories(spec)), spec)


def _outcome(formula: Formula, table: Table) -> tuple[FloatArray, str]:
    """The outcome and its name; a numeric column is what it is, the rest is computed."""
    column = table.frame.get(formula.outcome)
    if column is not None and pd.api.types.is_float_dtype(column.dtype):
        return column.to_numpy(), formula.outcome
    y, spec = coded(f"0 + {formula.outcome}", table.frame, formula.text)
    if y.shape[1] != 1:
        raise FormulaError(
            Problem(
                "the outcome is not numeric",
                where=f"formula '{formula.text}'",
                found=f"{formula.outcome} with {y.shape[1]} categories",
                way_out="Code it as a number first.",
            )
        )
    return y[:, 0], spec.column_names[0]


def coded(terms: str, frame: pd.DataFrame, text: str) -> tuple[FloatArray, Any]:
    """The columns (n, k) of `terms`, and the formula library's memory of how they were coded."""
    from formulaic import ModelSpec

    with _computing(terms, text):
        spec = ModelSpec(formula=_taken_apart(terms), na_action="ignore", output="numpy")
        return _columns(spec, frame)


def recoded(spec: Any, frame: pd.DataFrame, text: str) -> FloatArray:
    """The columns (n, k) of new rows, coded as the rows `spec` remembers were."""
    with _computing(str(spec.formula), text):
        return _columns(spec, frame)[0]


@functools.lru_cache(maxsize=256)
def _taken_apart(terms: str) -> Any:
    """The formula library's terms: reading them takes longer than evaluating a few columns."""
    from formulaic import Formula

    return Formula(terms)


def _columns(spec: Any, frame: pd.DataFrame) -> tuple[FloatArray, Any]:
    """Finite columns (n, k), each contiguous, and the memory of how they were coded."""
    columns = spec.get_model_matrix(frame, context={"sqrt": np.sqrt})
    values = np.asarray(columns, dtype=float, order="F")
    names = columns.model_spec.column_names
    _require_finite(
        {name: ~np.isfinite(column) for name, column in zip(names, values.T, strict=True)},
        "is not finite",
    )
    return values, columns.model_spec


@contextmanager
def _computing(terms: str, text: str) -> Iterator[None]:
    """The formula library's errors as ours."""
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            yield
    except (FormulaicError, ValueError, TypeError) as error:
        raise FormulaError(
            Problem(
                f"cannot compute '{terms}'",
                where=f"formula '{text}'",
                found=str(error).splitlines()[0],
            )
        ) from error


def codes(frame: pd.DataFrame, grouping: Sequence[str]) -> tuple[IntArray, int]:
    """Level of every row in the cells of the `grouping` columns, and the number of levels."""
    cells, levels = _own_codes(frame[grouping[0]])
    for name in grouping[1:]:
        own, size = _own_codes(frame[name])
        cells, levels = _factorised(cells * size + own)
    return cells, levels


def _own_codes(column: pd.Series) -> tuple[IntArray, int]:
    """Level of every row in order of the levels, all of which occur, and their number."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column.cat.codes, dtype=np.int64), len(column.cat.categories)
    return _factorised(column.to_numpy())


def _factorised(values: FloatArray | IntArray) -> tuple[IntArray, int]:
    level, distinct = pd.factorize(values, sort=True)
    return np.asarray(level, dtype=np.int64), len(distinct)


def categories(spec: Any) -> dict[str, tuple[str, ...]]:
    """The levels of every categorical, its reference first."""
    found = {}
    for factor, state in spec.factor_contrasts.items():
        levels = [str(level) for level in state.levels]
        base = str(getattr(state.contrasts, "base", levels[0]))
        if base in levels:
            levels.remove(base)
            levels.insert(0, base)
        found[str(factor)] = tuple(levels)
    return found


def _require_columns(formula: Formula, data: pd.DataFrame, names: Sequence[str]) -> None:
    known = [str(column) for column in data.columns]
    where = f"formula '{formula.text}'"
    problems = [
        Problem(f"the table has no column '{name}'", where=where, way_out=did_you_mean(name, known))
        for name in names
        if name not in known
    ]
    problems += [
        Problem(
            f"the table has {known.count(name)} columns called '{name}'",
            where=where,
            way_out="Give every column its own name.",
        )
        for name in names
        if known.count(name) > 1
    ]
    if problems:
        raise FormulaError(*problems)


def _convert(column: pd.Series) -> pd.Series:
    """The column as float64 or as categories; missing values become NaN."""
    kinds = pd.api.types
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column
    if kinds.is_numeric_dtype(column.dtype) and not kinds.is_complex_dtype(column.dtype):
        return pd.Series(column.to_numpy(dtype=float, na_value=np.nan), column.index)
    present = column.dropna()
    if kinds.is_object_dtype(column.dtype) or kinds.is_string_dtype(column.dtype):
        text = kinds.infer_dtype(present) == "string"
        kind = {"text"} if text else {_kind_of(value) for value in present}
        if kind <= {"number"}:
            values = [
                float(v) if there else np.nan
                for v, there in zip(column, column.notna(), strict=True)
            ]
            return pd.Series(np.array(values, dtype=float), column.index)
        if kind == {"text"}:
            return pd.Series(
                pd.Categorical(column.astype(object).where(column.notna(), None)), column.index
            )
    raise FormulaError(
        Problem(
            f"column '{column.name}' holds neither numbers nor categories",
            found=_kinds_found(column, present),
            way_out="Convert it before fitting.",
        )
    )


def _kind_of(value: object) -> str:
    if isinstance(value, str):
        return "text"
    real = isinstance(value, numbers.Real | decimal.Decimal | np.bool_)
    return "number" if real else type(value).__name__


def _kinds_found(column: pd.Series, present: pd.Series) -> str:
    if not pd.api.types.is_object_dtype(column.dtype):
        return str(column.dtype)
    return " and ".join(sorted({_kind_of(value) for value in present}))


def _require_finite(bad: Mapping[str, BoolArray], what: str) -> None:
    """Raise a FitError that names every column with `bad` rows (n,)."""
    problems = [
        Problem(
            f"'{name}' {what} in {rows.sum()} of {len(rows)} rows",
            way_out="Correct the values or make them missing.",
        )
        for name, rows in bad.items()
        if rows.any()
    ]
    if problems:
        raise FitError(*problems)


def _require_estimable(
    formula: Formula, y: FloatArray, X: FloatArray, names: Sequence[str]
) -> None:
    where = f"formula '{formula.text}'"
    if not names:
        raise FormulaError(Problem("the fixed part has no columns", where=where))
    if np.all(y == y[0]):
        raise FitError(
            Problem(
                f"the outcome '{formula.outcome}' is constant",
                where=where,
                found=f"{y[0]:g} in all {len(y)} rows",
            )
        )
    if len(y) <= len(names):
        raise FitError(
            Problem(
                "there are not more rows than coefficients",
                where=where,
                found=f"{len(y)} complete rows, {len(names)} coefficients",
            )
        )
    _require_squares(formula, y, X, names)
    require_full_rank(X, names, where)


def _require_squares(formula: Formula, y: FloatArray, X: FloatArray, names: Sequence[str]) -> None:
    """Least squares squares: refuse what overflows or vanishes when squared."""
    sizes = {formula.outcome: np.abs(y).max()}
    sizes |= dict(zip(names, np.abs(X).max(axis=0), strict=True))
    problems = [
        Problem(
            f"the numbers of '{name}' are too {'large' if size > 1.0 else 'small'} to square in "
            "float64",
            where=f"formula '{formula.text}'",
            found=f"up to {size:.3g}",
            allowed=f"{1.0 / _LARGEST:g} to {_LARGEST:g}, and zeros",
            way_out="Use another unit.",
        )
        for name, size in sizes.items()
        if size > 0.0 and not 1.0 / _LARGEST <= size <= _LARGEST
    ]
    if problems:
        raise FitError(*problems)


def require_full_rank(
    X: FloatArray, names: Sequence[str], where: str, *, tolerance: float = RANK_TOLERANCE
) -> None:
    """Raise a FitError that names the dependent columns of X (n, p), if there are any."""
    problems = []
    for columns in dependent_sets(X, tolerance):
        involved = [names[j] for j in columns]
        if len(involved) == 1:
            problems.append(
                Problem(
                    f"the column {involved[0]} is zero in every row used",
                    where=where,
                    way_out="Leave it out: no row can tell its coefficient.",
                )
            )
        else:
            problems.append(
                Problem(
                    f"the columns {', '.join(involved)} are linearly dependent",
                    where=where,
                    way_out="Leave one of them out.",
                )
            )
    if problems:
        raise FitError(*problems)
