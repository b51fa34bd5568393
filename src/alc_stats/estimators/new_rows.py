"""New rows as arrays, coded as the rows a model was fitted on: levels, centres and scales kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from alc_stats.errors import FormulaError, Problem
from alc_stats.estimators.design import coded, read_columns, recoded
from alc_stats.estimators.formula import RandomTerm
from alc_stats.estimators.memory import Memory
from alc_stats.records import BoolArray, FloatArray, IntArray

Needs = Literal["fixed", "effects", "groups"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows a prediction is asked for.

    Attributes
    ----------
    X : array (m, p)
        Fixed columns of the complete rows.
    Z : tuple of arrays (m, q)
        Random columns, a grouping each.
    levels : tuple of int arrays (m,)
        Level of every grouping; -1 where the fit has not seen it.
    labels : Index (n,)
        Of all rows, complete or not.
    complete : bool array (n,)
    lacking : tuple of str
        The columns some row lacks.
    """

    X: FloatArray
    Z: tuple[FloatArray, ...]
    levels: tuple[IntArray, ...]
    labels: pd.Index
    complete: BoolArray
    lacking: tuple[str, ...] = ()


def fitted_rows(memory: Memory) -> Rows:
    """The rows the model was fitted on."""
    factors = () if memory.random is None else memory.random.factors
    return Rows(
        memory.design.X,
        tuple(factor.Z for factor in factors),
        tuple(factor.codes for factor in factors),
        memory.table.labels,
        np.ones(len(memory.design.X), dtype=bool),
    )


def new_rows(memory: Memory, data: pd.DataFrame, *, needs: Needs) -> Rows:
    """Code the rows of `data`.

    Parameters
    ----------
    memory : Memory
    data : DataFrame
    needs : {"fixed", "effects", "groups"}
        Only the fixed columns; those of the random effects too (their groups counted as not seen);
        the groupings too.

    Raises
    ------
    FormulaError
        For columns that are missing or of another kind, and for levels the fit has not seen.
    FitError
        For values that are infinite or become so.
    """
    formula = memory.formula
    random = formula.random if memory.random is not None and needs != "fixed" else ()
    own = effect_columns(memory) if random else []
    groupings = _groupings(random) if needs == "groups" else []
    cells = new_cells(
        memory, data, [memory.design.spec, *own], list(formula.names), set().union(*groupings)
    )
    X, *Z = cells.columns
    return Rows(
        X,
        _by_grouping(memory, Z),
        _levels(memory, cells.frame, groupings),
        data.index,
        cells.complete,
        cells.lacking,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Complete new rows.

    Attributes
    ----------
    frame : DataFrame (m, .)
        Of the needed columns.
    columns : list of arrays (m, .)
        Of every remembered coding.
    complete : bool array (n,)
        Among the rows asked for.
    lacking : tuple of str
    """

    frame: pd.DataFrame
    columns: list[FloatArray]
    complete: BoolArray
    lacking: tuple[str, ...]


def new_cells(
    memory: Memory, data: pd.DataFrame, specs: Sequence[Any], names: Sequence[str], groups: set[str]
) -> Cells:
    """Read and code what `specs` and the groupings need of `data`; `names` give the order.

    Raises
    ------
    FormulaError, FitError
        As `new_rows`.
    """
    formula, trained = memory.formula, memory.table.frame
    coded_names = {name for spec in specs for name in spec.required_variables}
    needed = [name for name in names if name in coded_names | groups]
    frame = read_columns(formula, data, needed)
    _require_same_kind(frame, trained, formula.text)
    frame = _as_trained(frame, trained, specs, coded_names, formula.text)
    missing = frame.isna().to_numpy()
    complete = np.asarray(~missing.any(axis=1))
    rows = frame.loc[complete].reset_index(drop=True)
    lacking = tuple(n for n, gone in zip(needed, missing.T, strict=True) if gone.any())
    return Cells(rows, [_columns(spec, rows, formula.text) for spec in specs], complete, lacking)


def effect_columns(memory: Memory) -> list[Any]:
    """How the columns of the formula's random terms were coded, a term each."""
    formula, trained = memory.formula, memory.table.frame
    return [coded(term.columns, trained, formula.text)[1] for term in formula.random]


def _groupings(random: Sequence[RandomTerm]) -> list[tuple[str, ...]]:
    """Every grouping once, in the order of the formula."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for term in random:
        found.setdefault(frozenset(term.grouping), term.grouping)
    return list(found.values())


def _columns(spec: Any, rows: pd.DataFrame, text: str) -> FloatArray:
    if len(rows) == 0:
        return np.zeros((0, len(spec.column_names)))
    return recoded(spec, rows, text)


def _by_grouping(memory: Memory, Z: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
    """Columns of all terms of a grouping side by side."""
    random = memory.random
    if random is None or not Z:
        return ()
    return tuple(
        np.hstack([z for z, term in zip(Z, random.terms, strict=True) if term.factor == f])
        for f in range(len(random.factors))
    )


def _levels(
    memory: Memory, rows: pd.DataFrame, groupings: Sequence[tuple[str, ...]]
) -> tuple[IntArray, ...]:
    if memory.random is None or not groupings:
        return ()
    return tuple(
        places_of(labels, rows[list(grouping)])
        for labels, grouping in zip(memory.random.labels, groupings, strict=True)
    )


def places_of(known: pd.Index, cells: pd.DataFrame) -> IntArray:
    """Place of every row's cell among the known labels; -1 where there is none."""
    wanted = [pd.Index(cells[name].astype(object)) for name in cells.columns]
    own = [pd.Index(known.get_level_values(k).astype(object)) for k in range(known.nlevels)]
    if known.nlevels == 1:
        return np.asarray(own[0].get_indexer(wanted[0]), dtype=np.int64)
    among = pd.MultiIndex.from_arrays(own)
    return np.asarray(among.get_indexer(pd.MultiIndex.from_arrays(wanted)), dtype=np.int64)


def _numeric(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.api.types.is_numeric_dtype(column.cat.categories.dtype)
    return pd.api.types.is_numeric_dtype(column.dtype)


def _require_same_kind(frame: pd.DataFrame, trained: pd.DataFrame, text: str) -> None:
    kinds = {True: "numbers", False: "text"}
    problems = [
        Problem(
            f"column '{name}' is of another kind than in the fit",
            where=f"formula '{text}'",
            found=kinds[_numeric(frame[name])],
            allowed=kinds[_numeric(trained[name])],
            way_out="Convert it before predicting.",
        )
        for name in frame.columns
        if frame[name].notna().any() and _numeric(frame[name]) != _numeric(trained[name])
    ]
    if problems:
        raise FormulaError(*problems)


def _as_trained(
    frame: pd.DataFrame, trained: pd.DataFrame, specs: Sequence[Any], names: set[str], text: str
) -> pd.DataFrame:
    """Categories and numbers as in the fit, every level of a coded column among the fit's."""
    known = _known_levels(trained, specs, names)
    problems, converted = [], {}
    for name in frame.columns:
        values = frame[name].astype(object)
        unseen = [v for v in values.dropna().unique() if v not in known.get(name, (v,))]
        if unseen:
            problems.append(
                Problem(
                    f"'{name}' has levels the fit has not seen",
                    where=f"formula '{text}'",
                    found=_listed(unseen),
                    allowed=_listed(known[name]),
                    way_out="Leave those rows out.",
                )
            )
        elif name in names and isinstance(trained[name].dtype, pd.CategoricalDtype):
            categories = trained[name].cat.categories
            converted[name] = pd.Series(pd.Categorical(values, categories), frame.index)
        elif isinstance(trained[name].dtype, pd.CategoricalDtype):
            converted[name] = values
        else:
            converted[name] = values.astype(float)
    if problems:
        raise FormulaError(*problems)
    return pd.DataFrame(converted, index=frame.index)


def _known_levels(
    trained: pd.DataFrame, specs: Sequence[Any], names: set[str]
) -> dict[str, list[Any]]:
    """Levels of every column that is coded by level: text, and numbers within C()."""
    known = {
        name: list(trained[name].cat.categories)
        for name in names
        if isinstance(trained[name].dtype, pd.CategoricalDtype)
    }
    for spec in specs:
        for factor, contrasts in spec.factor_contrasts.items():
            for name in spec.factor_variables[factor].intersection(names):
                known[name] = list(contrasts.levels)
    return known


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
