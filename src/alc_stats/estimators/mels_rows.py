"""Rows of a location-scale model: from columns to standardised arrays, and its answers back.

Columns are centred and made orthonormal, the outcome is brought to unit residual variance and the
rows to their persons, so that units, origins and order cannot reach the search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Design, Table
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.lmm_basis import (
    CHUNK,
    Basis,
    Residualised,
    joint_basis,
    residualised,
    separate_basis,
)
from alc_stats.estimators.kernels.mels_firm_model import FirmModel
from alc_stats.estimators.kernels.mels_grid import GridModel
from alc_stats.estimators.kernels.mels_model import MelsModel, PersonRows, Shape
from alc_stats.estimators.lmm_terms import RandomPart
from alc_stats.estimators.mels_levels import Levels
from alc_stats.estimators.part_columns import part_columns
from alc_stats.records import FloatArray, IntArray

_SPANNED = 1e-8
"""A residual below this share is rounding: the columns span the constant."""


@dataclass(frozen=True, slots=True, eq=False)
class SpreadColumns:
    """Columns of a log SD: raw names, and how standardised coefficients become those of them.

    Attributes
    ----------
    names : tuple of str
    values : array (n, k)
        Raw.
    basis : Basis
    spec : object
        The formula library's memory of the coding.
    """

    names: tuple[str, ...]
    values: FloatArray
    basis: Basis
    spec: object


@dataclass(frozen=True, slots=True, eq=False)
class BetweenColumns:
    """Columns u of log SD = u'a of the scaled random column, as a constant and the rest.

    Attributes
    ----------
    columns : SpreadColumns
        Raw.
    mixing : array (k, k)
        Raw columns = (1, rest) @ mixing.
    basis : Basis
        Of (1, rest).
    """

    columns: SpreadColumns
    mixing: FloatArray
    basis: Basis


@dataclass(frozen=True, slots=True, eq=False)
class MelsData:
    """A standardised model and what translates its answers.

    Attributes
    ----------
    model : MelsModel, FirmModel or GridModel
    levels : Levels
    order : int array (n,)
        Row of the table that stands at each place of the model.
    labels : Index (M,)
        Of the persons, in the order of the model.
    fixed : Residualised
    random : Basis
        Of the columns of the location effects.
    scale : SpreadColumns
    between : BetweenColumns or None
    """

    model: MelsModel | FirmModel | GridModel
    levels: Levels
    order: IntArray
    labels: pd.Index
    fixed: Residualised
    random: Basis
    scale: SpreadColumns
    between: BetweenColumns | None

    @property
    def group(self) -> str:
        """The grouping that persons are, such as "person"; empty where rows stand alone."""
        return self.levels.person.name

    @property
    def densities(self) -> int:
        """Rows whose likelihood is a density, and so depends on the outcome's unit."""
        return self.model.densities if isinstance(self.model, GridModel) else len(self.order)

    @property
    def unit(self) -> float:
        """What the outcome was divided by."""
        return self.fixed.scale


@dataclass(frozen=True, slots=True, eq=False)
class RowLaw:
    """What a model integrated over two effects is told beyond its columns.

    Attributes
    ----------
    kinds : int array (n,)
        How each row was observed; see `kernels.mels_grid`.
    quadratic : bool
        Whether the scale effect goes with the square of the location effect as well.
    heavy : bool
        Whether errors follow a t law.
    """

    kinds: IntArray
    quadratic: bool
    heavy: bool


def spread_columns(part: Formula, table: Table, argument: str) -> SpreadColumns:
    """The columns of a one-sided formula.

    Raises
    ------
    FormulaError, FitError
        For no columns, or dependent ones.
    """
    found = part_columns(part, table, argument)
    return SpreadColumns(found.names, found.values, joint_basis(found.values), found.spec)


def between_columns(part: Formula, table: Table) -> BetweenColumns:
    """The columns of `between`, which must span a constant.

    Raises
    ------
    FitError
        If they do not.
    """
    columns = spread_columns(part, table, "between")
    U = columns.values
    weights = np.linalg.lstsq(U, np.ones(len(U)), rcond=None)[0]
    if np.abs(U @ weights - 1.0).max() > _SPANNED:
        raise FitError(
            Problem(
                "the log SD between persons needs a level of its own",
                where=f"between={part.text!r}",
                found=", ".join(columns.names),
                way_out="Keep the intercept.",
            )
        )
    rest = np.delete(np.arange(U.shape[1]), int(np.abs(weights).argmax()))
    split = np.column_stack([np.ones(len(U)), U[:, rest]])
    mixing = np.asarray(np.linalg.lstsq(split, U, rcond=None)[0], dtype=float)
    return BetweenColumns(columns, mixing, joint_basis(split))


def mels_data(
    design: Design,
    levels: Levels,
    scale: SpreadColumns,
    between: BetweenColumns | None,
    *,
    time: FloatArray | None = None,
    law: RowLaw | None = None,
) -> MelsData:
    """Standardise, sort by firm and person (and `time`), and state the model.

    Parameters
    ----------
    time : array (n,), optional
        When each row was; with it errors are autoregressive within persons.
    law : RowLaw, optional
        Of models whose location does not integrate in closed form.
    """
    fixed = residualised(design.y, design.X)
    basis, scaled = _random_basis(levels, between)
    person, firm = levels.person.level, levels.firm
    keys = [person] if time is None else [time, person]
    order = np.lexsort((*keys, firm.level) if firm is not None else tuple(keys))
    starts = np.flatnonzero(np.diff(person[order], prepend=-1))
    y, X = _location(design, fixed, order)
    rows = PersonRows(
        offsets=np.append(starts, len(order)),
        y=y,
        X=X,
        W=_standardised(scale.basis, scale.values, order),
        U=_beyond_constant(between, order, len(y)),
        Z=_loads(basis, levels, order),
        gap=np.empty(0) if time is None else _gaps(time[order], person[order]),
        log_unit=float(np.log(fixed.scale)),
        scaled=scaled,
    )
    shape = _shape(rows, levels, autoregressive=time is not None, law=law)
    model: MelsModel | FirmModel | GridModel = MelsModel(rows, shape)
    if law is not None:
        model = GridModel(rows, shape, law.kinds[order])
    elif firm is not None:
        of_person = firm.level[order[starts]]
        edges = np.flatnonzero(np.diff(of_person, prepend=-1))
        model = FirmModel(rows, np.append(edges, len(starts)), shape)
    labels = levels.person.labels[person[order[starts]]]
    return MelsData(model, levels, order, labels, fixed, basis, scale, between)


def _loads(basis: Basis, levels: Levels, order: IntArray) -> FloatArray:
    """Columns of the persons' location effects, and the firms' load as the last one."""
    n = len(order)
    own = levels.random.factors[0].Z if levels.random is not None else np.empty((n, 0))
    columns = _standardised(basis, own, order)
    return columns if levels.firm is None else np.column_stack([columns, np.ones(n)])


def _random_basis(levels: Levels, between: BetweenColumns | None) -> tuple[Basis, int]:
    """A basis for the location effects, and the column that `between` is about.

    Where one column's SD varies, columns are only brought to size: a mixture of them would not
    have the SD that is modelled.
    """
    random = levels.random
    if random is None:
        return Basis(np.empty(0), np.empty((0, 0)), np.empty((0, 0)), 0.0), -1
    Z, terms = random.factors[0].Z, random.terms
    if between is not None:
        return separate_basis(Z), levels.columns.index("Intercept")
    if len(terms) == 1 and terms[0].correlated:
        return joint_basis(Z), -1
    return separate_basis(Z), -1


def _location(
    design: Design, fixed: Residualised, order: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Standardised outcome and columns in the order of the persons, a chunk at a time."""
    n, p = design.X.shape
    y, X = np.empty(n), np.empty((n, p))
    for start in range(0, n, CHUNK):
        rows = order[start : start + CHUNK]
        columns = np.empty((p + 1, len(rows)))
        fixed.rows(design.y[rows], design.X[rows], out=columns)
        X[start : start + CHUNK] = columns[:-1].T
        y[start : start + CHUNK] = columns[-1]
    return y, X


def _standardised(basis: Basis, values: FloatArray, order: IntArray) -> FloatArray:
    found = np.empty_like(values, order="C")
    for start in range(0, len(values), CHUNK):
        chunk = values[order[start : start + CHUNK]] - basis.origin
        np.matmul(chunk, basis.forward, out=found[start : start + CHUNK])
    return found


def beyond_constant(between: BetweenColumns, values: FloatArray) -> FloatArray:
    """Standardised columns (m, k - 1) of raw ones, without the constant."""
    split = np.asarray(np.linalg.solve(between.mixing.T, values.T).T, dtype=float)
    return np.asarray((split - between.basis.origin) @ between.basis.forward[:, 1:])


def _beyond_constant(between: BetweenColumns | None, order: IntArray, n: int) -> FloatArray:
    if between is None:
        return np.empty((n, 0))
    return np.ascontiguousarray(beyond_constant(between, between.columns.values[order]))


def _gaps(time: FloatArray, level: IntArray) -> FloatArray:
    """Time since the person's row before; 0 for the first."""
    gap = np.diff(time, prepend=time[:1])
    gap[np.flatnonzero(np.diff(level, prepend=-1))] = 0.0
    return gap


def _shape(rows: PersonRows, levels: Levels, *, autoregressive: bool, law: RowLaw | None) -> Shape:
    places = _free_entries(levels.random)
    q = len(levels.columns)
    sizes = (
        rows.X.shape[1],
        rows.W.shape[1],
        rows.U.shape[1],
        len(places),
        q if levels.correlated and levels.person_scale else 0,
        int(levels.person_scale),
        int(autoregressive),
        int(levels.firm_location),
        int(levels.firm_scale and levels.firm_correlated),
        int(levels.firm_scale),
        int(law is not None and law.quadratic),
        int(law is not None and law.heavy),
    )
    return Shape(
        sizes,
        np.array([a for a, _ in places], dtype=np.intp),
        np.array([b for _, b in places], dtype=np.intp),
    )


def _free_entries(random: RandomPart | None) -> list[tuple[int, int]]:
    """Places of L that are free: a triangle for every correlated term, else the diagonal."""
    places, first = [], 0
    for block in random.factors[0].blocks if random is not None else ():
        for b in range(block.size):
            last = block.size if block.correlated else b + 1
            places += [(first + a, first + b) for a in range(b, last)]
        first += block.size
    return places
