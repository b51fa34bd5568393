"""Splitting a predictor into what differs between groups and what varies within them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import Problem, TableError
from alc_stats.measures.columns import numbers, require


def within_between(
    frame: pd.DataFrame, column: str, *, group: str | Sequence[str]
) -> tuple[pd.Series, pd.Series]:
    """The group's mean of `column`, and the deviation from it (Mundlak, 1978).

    Entered together, the coefficient of the first is the between effect, that of the second the
    within effect; they add up to the column.

    Parameters
    ----------
    frame : DataFrame (n rows)
    column : str
        Numeric. Missing values are left out of the mean and have a missing deviation.
    group : str or sequence of str
        The column, or columns, that make a group. Name the outer one as well where inner ids start
        anew in every outer group (`["firm", "person"]`).

    Returns
    -------
    between, within : Series (n,)
        Named `<column>_between` and `<column>_within`, in the column's unit.

    Raises
    ------
    DeclarationError
        If a column is lacking.
    TableError
        If the column is not numeric or a row has no group.

    Examples
    --------
    >>> frame = pd.DataFrame({"person": ["a", "a", "b"], "use": [1.0, 3.0, 5.0]})
    >>> between, within = within_between(frame, "use", group="person")
    >>> between.tolist(), within.tolist()
    ([2.0, 2.0, 5.0], [-1.0, 1.0, 0.0])
    """
    keys = [group] if isinstance(group, str) else list(group)
    where = f"within_between of '{column}'"
    require(frame, keys, where=where)
    values = numbers(frame, [column], where=where)[column]
    ungrouped = int(frame[keys].isna().any(axis=1).sum())
    if ungrouped:
        raise TableError(
            Problem(
                "rows have no group",
                where=where,
                found=f"{ungrouped} rows lack {', '.join(keys)}",
                way_out="Drop them in the ledger first.",
            )
        )
    between = values.groupby([frame[key] for key in keys], observed=True).transform("mean")
    return between.rename(f"{column}_between"), (values - between).rename(f"{column}_within")
