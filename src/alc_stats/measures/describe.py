"""What tables and figures show instead of people: aggregates, with small cells suppressed.

Every aggregate counts people, not rows, where `person` names the column that tells them apart, and
hides the cells behind which fewer than `threshold` of them stand (see `data.privacy.suppress`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from alc_stats.data.privacy import suppress
from alc_stats.errors import DeclarationError, Problem, TableError
from alc_stats.measures.columns import numbers, require
from alc_stats.records import BoolArray, Cell, FloatArray

TOTAL = "All"
"""The group that holds every row."""
UNKNOWN = "not stated"
"""The group of rows whose group is missing."""

Columns = dict[str, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Descriptive:
    """One cell of Table 1: a variable in a group; all numbers None where it is suppressed.

    Attributes
    ----------
    variable, label, unit, group : str
    n, missing : int or None
        Rows with and without a value.
    mean, sd, low, high, median : float or None
        `sd` divides by n - 1; `low` and `high` are the smallest and largest value. A statistic
        that does not exist (the SD of one value) is None too.
    """

    variable: str
    label: str
    unit: str
    group: str
    n: int | None
    missing: int | None
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    median: float | None = None


class BoundsShare(NamedTuple):
    """Shares in [0, 1] of the `n` values that lie exactly at the lower and the upper bound."""

    floor: float
    ceiling: float
    n: int


def describe(
    frame: pd.DataFrame,
    variables: Sequence[str],
    *,
    by: str | None = None,
    person: str | None = None,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    threshold: int = 5,
) -> tuple[Descriptive, ...]:
    """Table 1: every variable over all rows, then in every group of `by`.

    A 0/1 variable is small where either of its answers is rare, since its mean tells how many
    gave it.

    Parameters
    ----------
    frame : DataFrame (n rows)
    variables : column names
        Numeric or boolean.
    by : str, optional
        The grouping column.
    person : str, optional
        The column that tells people apart; by default a row is a person.
    labels, units : mapping of column to text, optional
        By default the column's name, and no unit.
    threshold : int
        Fewest people a visible cell may hold.

    Raises
    ------
    DeclarationError
        If a column is lacking.
    TableError
        If a variable does not hold numbers.

    Examples
    --------
    >>> frame = pd.DataFrame({"arm": list("aaaaaabb"), "age": [20, 30, 40, 50, 60, 70, 30, 40]})
    >>> [(d.group, d.n, d.mean) for d in describe(frame, ["age"], by="arm")]
    [('All', 8, 42.5), ('a', None, None), ('b', None, None)]
    """
    frame = frame.reset_index(drop=True)
    values = numbers(frame, variables, where="describe")
    groups = list(_groups(frame, by, where="describe"))
    people = _people(frame, person, where="describe")
    cells: list[Descriptive] = []
    for variable in variables:
        hidden = _hidden_cells(values[variable], groups, people=people, threshold=threshold)
        text = ((labels or {}).get(variable, variable), (units or {}).get(variable, ""))
        cells.extend(
            _cell(values[variable][rows], (variable, *text, group), hidden=hide)
            for (group, rows), hide in zip(groups, hidden, strict=True)
        )
    return tuple(cells)


def _groups(frame: pd.DataFrame, by: str | None, *, where: str) -> Iterator[tuple[str, BoolArray]]:
    """All rows, then the rows of every level of `by` in its own order."""
    yield TOTAL, np.ones(len(frame), dtype=bool)
    if by:
        yield from _levels(frame, by, where=where)


def _levels(frame: pd.DataFrame, by: str, *, where: str) -> Iterator[tuple[str, BoolArray]]:
    for level, rows in _sorted_levels(frame, by, where=where):
        yield str(level), rows
    unknown = frame[by].isna().to_numpy(dtype=bool)
    if unknown.any():
        yield UNKNOWN, unknown


def _sorted_levels(
    frame: pd.DataFrame, by: str, *, where: str
) -> Iterator[tuple[str | float, BoolArray]]:
    """The levels of `by` that occur, in the order of a categorical or else sorted."""
    require(frame, [by], where=where)
    column = frame[by].astype("category").cat.remove_unused_categories()
    for code, level in enumerate(column.cat.categories):
        yield level, (column.cat.codes == code).to_numpy(dtype=bool)


def _people(frame: pd.DataFrame, person: str | None, *, where: str) -> pd.Series:
    if not person:
        return pd.Series(np.arange(len(frame)), index=frame.index)
    require(frame, [person], where=where)
    return frame[person]


def _hidden_cells(
    values: pd.Series,
    groups: Sequence[tuple[str, BoolArray]],
    *,
    people: pd.Series,
    threshold: int,
) -> list[bool]:
    """For the total and then every group, whether its cell must stay hidden."""
    total, *parts = (_people_at_risk(values[rows], people[rows]) for _, rows in groups)
    return [0 < total < threshold, *suppress(parts, k=threshold).tolist()]


def _people_at_risk(values: pd.Series, people: pd.Series) -> int:
    """The fewest people one number of the cell is about; a 0/1 mean is about either answer."""
    answered = people[values.notna()]
    if values.isin([0.0, 1.0]).sum() < len(answered):
        return answered.nunique()
    return min(
        (people[values == answer].nunique() for answer in (0.0, 1.0) if (values == answer).any()),
        default=0,
    )


def _cell(values: pd.Series, text: tuple[str, str, str, str], *, hidden: bool) -> Descriptive:
    if hidden:
        return Descriptive(*text, None, None, None, None, None, None)
    known = values.dropna()
    moments = (_known(known.mean()), _known(known.std()), _known(known.min()), _known(known.max()))
    return Descriptive(*text, len(known), len(values) - len(known), *moments,
                       _known(known.median()))  # fmt: skip


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def bounds_share(values: pd.Series | FloatArray, *, lower: float, upper: float) -> BoundsShare:
    """How much of a bounded outcome lies exactly at its floor and its ceiling.

    Raises
    ------
    TableError
        If there are no values, or some lie outside the bounds.

    Examples
    --------
    >>> bounds_share(pd.Series([0.0, 0.0, 0.4, 1.0]), lower=0.0, upper=1.0)
    BoundsShare(floor=0.5, ceiling=0.25, n=4)
    """
    known = pd.Series(values).dropna()
    _refuse_outside(known, lower=lower, upper=upper)
    if known.empty:
        raise TableError(Problem("there are no values", where="bounds_share"))
    return BoundsShare(float((known == lower).mean()), float((known == upper).mean()), len(known))


def _refuse_outside(values: pd.Series, *, lower: float, upper: float) -> None:
    outside = int(((values < lower) | (values > upper)).sum())
    if outside:
        raise TableError(
            Problem(
                "values lie outside their bounds",
                where=f"column '{values.name}'",
                found=f"{outside} of {len(values)}",
                allowed=f"{lower:g} to {upper:g}",
                way_out="Correct the declared bounds or the data.",
            )
        )


def distribution(
    frame: pd.DataFrame,
    value: str,
    *,
    by: str | None = None,
    panel: str | None = None,
    bins: int = 20,
    bounds: tuple[float, float] | None = None,
    person: str | None = None,
    threshold: int = 5,
) -> Columns:
    """Columns of an exhibit of kind "distribution": the share of every bin in every group.

    Groups and panels share the bins. A bin holds its left edge, the last bin its right edge as
    well. The shares of a group sum to 1 over all bins, hidden ones (None) included.

    Parameters
    ----------
    frame : DataFrame (n rows)
    value : str
        The numeric column.
    by : str, optional
        The grouping column; without it there is one group, "All".
    panel : str, optional
        The column whose levels get a panel each; without it there is one panel, "".
    bins : int
        Bins between the bounds; without bounds, the most bins of a round width.
    bounds : (lower, upper), optional
        What the value can be at all. Without them the edges are round numbers around the data,
        so that they do not tell the smallest and the largest value.
    person, threshold
        As for `describe`.

    Returns
    -------
    dict
        panel, group, left, right, share; columns of equal length.

    Raises
    ------
    DeclarationError
        If a column is lacking or `bins` is not positive.
    TableError
        If the column does not hold numbers, holds none, or exceeds the bounds.

    Examples
    --------
    >>> frame = pd.DataFrame({"score": [0.1] * 6 + [0.9] * 6})
    >>> distribution(frame, "score", bins=2, bounds=(0.0, 1.0))["share"]
    (0.5, 0.5)
    """
    where = f"distribution of '{value}'"
    if bins < 1:
        raise DeclarationError(Problem("bins must be 1 or more", where=where, found=str(bins)))
    frame = frame.reset_index(drop=True)
    values = numbers(frame, [value], where=where)[value]
    people = _people(frame, person, where=where)
    edges = _edges(values, bins=bins, bounds=bounds)
    panels = (
        _levels(frame, panel, where=where) if panel else [("", np.ones(len(frame), dtype=bool))]
    )
    groups = list(_levels(frame, by, where=where) if by else _groups(frame, None, where=where))
    rows: list[tuple[Cell, ...]] = []
    for (panel_name, in_panel), (group, in_group) in itertools.product(panels, groups):
        cell = in_panel & in_group
        shares = _shares(values[cell], people[cell], edges=edges, threshold=threshold)
        rows.extend(
            (panel_name, group, float(left), float(right), share)
            for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True)
        )
    return _columns(("panel", "group", "left", "right", "share"), rows)


def _edges(values: pd.Series, *, bins: int, bounds: tuple[float, float] | None) -> FloatArray:
    known = values.dropna()
    if known.empty:
        raise TableError(Problem("there are no values", where=f"column '{values.name}'"))
    if bounds is not None:
        _refuse_outside(known, lower=bounds[0], upper=bounds[1])
        return np.linspace(bounds[0], bounds[1], bins + 1)
    width = _round_width(float(known.max() - known.min()) / bins)
    first, last = np.floor(known.min() / width), np.floor(known.max() / width) + 1
    return np.arange(first, last + 1) * width


def _round_width(width: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten that is not smaller."""
    if width == 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= width))


def _shares(
    values: pd.Series, people: pd.Series, *, edges: FloatArray, threshold: int
) -> list[float | None]:
    known = values.dropna()
    last = len(edges) - 2
    index = np.clip(np.searchsorted(edges, known.to_numpy(), side="right") - 1, 0, last)
    rows = np.bincount(index, minlength=last + 1)
    heads = people[known.index].groupby(index).nunique().reindex(range(last + 1), fill_value=0)
    hidden = suppress(heads.tolist(), k=threshold)
    if people[known.index].nunique() < threshold:
        hidden[:] = True  # which bins are empty would tell where the few are
    total = max(len(known), 1)
    return [None if hide else float(n / total) for n, hide in zip(rows, hidden, strict=True)]


def trajectory(
    frame: pd.DataFrame,
    values: Sequence[str],
    *,
    by: str,
    over: str,
    cluster: str | None = None,
    person: str | None = None,
    labels: Mapping[str, str] | None = None,
    threshold: int = 5,
) -> Columns:
    """Columns of an exhibit of kind "trajectory": means over time with 95 % intervals, by group.

    The interval is that of Student's t over the values. With `cluster`, value and interval are
    those of the cluster means, on the number of clusters less one degrees of freedom: where whole
    clusters were treated, people of one cluster are not independent.

    Parameters
    ----------
    frame : DataFrame (n rows)
    values : column names
        One panel each.
    by : str
        The grouping column.
    over : str
        The column along the x axis. Numbers keep their distances, other levels are 0, 1, 2, ...
    cluster : str, optional
        The column that names clusters.
    person, labels, threshold
        As for `describe`. A point is hidden as well where it could be found by subtracting its
        group's other points from the group's mean over all of them.

    Returns
    -------
    dict
        panel, group, x, x_label, value, low, high, n; columns of equal length. `n` counts rows;
        `low` and `high` are None where there is one value or one cluster.

    Raises
    ------
    DeclarationError
        If a column is lacking.
    TableError
        If a value column does not hold numbers.
    """
    frame = frame.reset_index(drop=True)
    table = numbers(frame, values, where="trajectory")
    people = _people(frame, person, where="trajectory")
    require(frame, [cluster] if cluster else [], where="trajectory")
    clusters = frame[cluster] if cluster else pd.Series(np.arange(len(frame)), index=frame.index)
    moments = list(_moments(frame, over))
    rows: list[tuple[Cell, ...]] = []
    for value in values:
        panel = (labels or {}).get(value, value)
        for group, mask in _levels(frame, by, where="trajectory"):
            samples = [table[value][mask & at].dropna() for _, _, at in moments]
            hidden = suppress([people[s.index].nunique() for s in samples], k=threshold)
            rows.extend(
                (panel, group, x, x_label, *_point(sample, clusters, hidden=hide))
                for (x, x_label, _), sample, hide in zip(moments, samples, hidden, strict=True)
                if len(sample)
            )
    return _columns(("panel", "group", "x", "x_label", "value", "low", "high", "n"), rows)


def _moments(frame: pd.DataFrame, over: str) -> Iterator[tuple[float, str, BoolArray]]:
    """x, its label and its rows, for every level of `over`."""
    for place, (level, rows) in enumerate(_sorted_levels(frame, over, where="trajectory")):
        numeric = isinstance(level, int | float | np.number) and not isinstance(level, bool)
        yield float(level) if numeric else float(place), str(level), rows


def _point(
    sample: pd.Series, clusters: pd.Series, *, hidden: bool
) -> tuple[Cell, Cell, Cell, Cell]:
    """Value, low, high and n of one point."""
    if hidden:
        return None, None, None, None
    means = sample.groupby(clusters[sample.index], observed=True).mean().to_numpy()
    centre = float(means.mean())
    if len(means) < 2:
        return centre, None, None, len(sample)
    half = _half_width(means)
    return centre, centre - half, centre + half, len(sample)


def _half_width(values: FloatArray) -> float:
    from scipy import stats

    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))


def _columns(names: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> Columns:
    return {name: tuple(row[i] for row in rows) for i, name in enumerate(names)}
