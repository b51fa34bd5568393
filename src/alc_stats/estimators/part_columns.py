"""The columns of a one-sided formula, as every model of a spread evaluates them."""

from __future__ import annotations

from typing import Any, NamedTuple

from alc_stats.errors import FormulaError, Problem
from alc_stats.estimators.design import Table, coded, require_full_rank
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.lmm_basis import triangle
from alc_stats.records import FloatArray


class PartColumns(NamedTuple):
    """Names, values (n, k), and the formula library's memory of their coding."""

    names: tuple[str, ...]
    values: FloatArray
    spec: Any


def part_columns(part: Formula, table: Table, argument: str) -> PartColumns:
    """Evaluate `scale` or `between`; `argument` names it in errors.

    Raises
    ------
    FormulaError
        For no columns.
    FitError
        For dependent columns.
    """
    where = f"{argument}={part.text!r}"
    values, spec = coded(part.fixed, table.frame, part.text)
    names = tuple(str(name) for name in spec.column_names)
    if not names:
        raise FormulaError(
            Problem("the part has no columns", where=where, way_out='Write "~ 1" for one SD.')
        )
    require_full_rank(triangle(values), names, where)
    return PartColumns(names, values, spec)
