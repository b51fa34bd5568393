"""The random part of a formula as arrays: terms with their columns, groupings with their levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, FormulaError, Problem
from alc_stats.estimators.design import Table, coded, codes, require_full_rank
from alc_stats.estimators.formula import Formula, RandomTerm
from alc_stats.estimators.kernels.lmm_basis import joint_basis
from alc_stats.estimators.kernels.lmm_model import Block, Factor
from alc_stats.records import FloatArray, IntArray

_UNDETERMINED = 1e-12
"""An eigenvalue below this share of the largest is a covariance no group's rows show."""


@dataclass(frozen=True, slots=True)
class Term:
    """One random term as written: its columns' names and where they stand.

    Attributes
    ----------
    group : str
        Such as "firm:person".
    names : tuple of str
        Columns, as the formula library names them.
    correlated : bool
    factor : int
        Place of its grouping among the groupings.
    first : int
        Place of its first column among its grouping's.
    """

    group: str
    names: tuple[str, ...]
    correlated: bool
    factor: int
    first: int

    @property
    def columns(self) -> slice:
        """Its columns among its grouping's."""
        return slice(self.first, self.first + len(self.names))


@dataclass(frozen=True, slots=True)
class RandomPart:
    """Terms, and the groupings they share.

    Attributes
    ----------
    terms : tuple of Term
        In the order of the formula.
    factors : tuple of Factor
        Every grouping once, with the columns of all its terms.
    groups : tuple of str
        Names of the groupings.
    labels : tuple of Index
        Label of every level, in the order of the codes.
    """

    terms: tuple[Term, ...]
    factors: tuple[Factor, ...]
    groups: tuple[str, ...]
    labels: tuple[pd.Index, ...]

    def counts(self) -> dict[str, int]:
        """Levels of every grouping."""
        return {g: f.levels for g, f in zip(self.groups, self.factors, strict=True)}


@dataclass(frozen=True, slots=True)
class _Grouping:
    name: str
    level: IntArray
    levels: int
    labels: pd.Index
    terms: list[tuple[tuple[str, ...], FloatArray, bool]]


def random_part(formula: Formula, table: Table, *, observations: float | None = None) -> RandomPart:
    """Evaluate the random terms of a formula.

    `observations` are what tells the random effects apart: the rows by default.

    Raises
    ------
    FitError
        For a grouping with one level, not fewer random effects than rows, dependent columns, or
        covariances no group's rows can show.
    FormulaError
        For an empty random term or a column that varies over a grouping twice.
    """
    groupings: dict[frozenset[str], _Grouping] = {}
    terms: list[Term] = []
    places: dict[frozenset[str], int] = {}
    problems: list[Problem] = []
    for random in formula.random:
        names, Z = _columns(random, formula, table)
        key = frozenset(random.grouping)
        if key not in groupings:
            groupings[key] = _grouping(random, table)
            places[key] = len(places)
        grouping = groupings[key]
        first = sum(len(own) for own, _, _ in grouping.terms)
        correlated = random.correlated and len(names) > 1
        told = len(Z) if observations is None else observations
        problems += _unidentified(names, Z, grouping, formula, told, correlated=correlated)
        terms.append(Term(grouping.name, names, correlated, places[key], first))
        grouping.terms.append((names, Z, correlated))
    if problems:
        raise FitError(*problems)
    _refuse_repeated(terms, formula)
    return RandomPart(
        tuple(terms),
        tuple(_factor(grouping) for grouping in groupings.values()),
        tuple(grouping.name for grouping in groupings.values()),
        tuple(grouping.labels for grouping in groupings.values()),
    )


def _columns(
    random: RandomTerm, formula: Formula, table: Table
) -> tuple[tuple[str, ...], FloatArray]:
    names, Z = _plain_columns(random, table) or _computed_columns(random, formula, table)
    if not names:
        raise FormulaError(
            Problem("a random term has no columns", where=_where(formula, random.group))
        )
    require_full_rank(Z, names, _where(formula, random.group))
    return names, Z


def _plain_columns(random: RandomTerm, table: Table) -> tuple[tuple[str, ...], FloatArray] | None:
    """Sums of numeric columns without the formula library: it would take longer than the fit."""
    pieces = [piece.strip() for piece in random.columns.split("+")]
    names = [piece for piece in pieces if piece not in ("0", "1")]
    frame = table.frame
    numeric = all(n in frame and pd.api.types.is_float_dtype(frame[n].dtype) for n in names)
    if not numeric or len(set(pieces)) < len(pieces):
        return None
    intercept = [] if "0" in pieces else ["Intercept"]
    Z = np.ones((len(frame), len(intercept) + len(names)), order="F")
    for place, name in enumerate(names, start=len(intercept)):
        Z[:, place] = frame[name]
    return (*intercept, *names), Z


def _computed_columns(
    random: RandomTerm, formula: Formula, table: Table
) -> tuple[tuple[str, ...], FloatArray]:
    columns, spec = coded(random.columns, table.frame, formula.text)
    return tuple(spec.column_names), columns


def _grouping(random: RandomTerm, table: Table) -> _Grouping:
    level, levels = codes(table.frame, random.grouping)
    example = np.empty(levels, dtype=np.intp)
    example[level[::-1]] = np.arange(len(level))[::-1]
    cells = [pd.Index(table.frame[name].array[example], name=name) for name in random.grouping]
    labels = cells[0] if len(cells) == 1 else pd.MultiIndex.from_arrays(cells)
    return _Grouping(random.group, level, levels, labels, [])


def _factor(grouping: _Grouping) -> Factor:
    blocks: list[Block] = []
    for names, _, correlated in grouping.terms:
        blocks += _blocks(len(names), correlated=correlated)
    Z = [Z for _, Z, _ in grouping.terms]
    return Factor(
        grouping.level, grouping.levels, Z[0] if len(Z) == 1 else np.hstack(Z), tuple(blocks)
    )


def _blocks(size: int, *, correlated: bool) -> list[Block]:
    """One block with a free covariance, or a block a column."""
    if correlated:
        return [Block(size, correlated=True)]
    return [Block(1, correlated=False)] * size


def _unidentified(
    names: tuple[str, ...],
    Z: FloatArray,
    grouping: _Grouping,
    formula: Formula,
    told: float,
    *,
    correlated: bool,
) -> list[Problem]:
    """What these rows cannot tell about one term."""
    where = _where(formula, grouping.name)
    if grouping.levels < 2:
        return [
            Problem(
                "the grouping has a single level", where=where, way_out="Leave the random term out."
            )
        ]
    if grouping.levels * len(names) >= told:
        return [
            Problem(
                "the random effects cannot be told from the residual",
                where=where,
                found=f"{grouping.levels} levels times {len(names)} columns for {told:.0f} rows",
                way_out="Leave the term or its slopes out; each level needs more rows.",
            )
        ]
    if not correlated:
        return []
    still = _constant_within(names, Z, grouping)
    if still:
        return [
            Problem(
                f"the slope of {name} cannot vary over '{grouping.name}'",
                where=where,
                found=f"{name} is constant within every level of '{grouping.name}'",
                way_out=f"Leave {name} out of the random term.",
            )
            for name in still
        ]
    return _undetermined(names, Z, grouping, where)


def _constant_within(names: tuple[str, ...], Z: FloatArray, grouping: _Grouping) -> list[str]:
    """Columns that are not constant, but within every level are."""
    example = np.empty(grouping.levels, dtype=np.intp)
    example[grouping.level] = np.arange(len(grouping.level))
    return [
        name
        for name, z in zip(names, Z.T, strict=True)
        if np.any(z != z[0]) and np.array_equal(z[example][grouping.level], z)
    ]


def _undetermined(
    names: tuple[str, ...], Z: FloatArray, grouping: _Grouping, where: str
) -> list[Problem]:
    """Covariances that change no group's distribution: sum of vech(A_j) forms must be regular."""
    q = len(names)
    scaled = np.empty((q, len(Z)))
    joint_basis(Z).rows(Z, out=scaled)
    A = np.empty((q, q, grouping.levels))
    for a in range(q):
        for b in range(a + 1):
            A[a, b] = A[b, a] = np.bincount(grouping.level, scaled[a] * scaled[b], grouping.levels)
    pairs = [(a, b) for a in range(q) for b in range(a + 1)]
    moved = np.array([_moved(A, a, b) for a, b in pairs])
    size = np.linalg.norm(moved, axis=1, keepdims=True)
    moved /= np.where(size > 0.0, size, 1.0)
    values, vectors = np.linalg.eigh(moved @ moved.T)
    if values[0] > _UNDETERMINED * values[-1]:
        return []
    weight = np.abs(vectors[:, 0]) > 1e-6
    involved = {names[k] for pair, heavy in zip(pairs, weight, strict=True) if heavy for k in pair}
    return [
        Problem(
            f"the rows within '{grouping.name}' cannot tell how "
            f"{', '.join(n for n in names if n in involved)} covary",
            where=where,
            way_out="Leave one of the columns out of the random term, or write || for |.",
        )
    ]


def _moved(A: FloatArray, a: int, b: int) -> FloatArray:
    """A_j E A_j for the unit symmetric E at (a, b), every level's matrix side by side."""
    image = A[:, a, None] * A[b, None]
    return np.asarray(((image + image.swapaxes(0, 1)) / (1.0 + (a == b))).ravel())


def _refuse_repeated(terms: Sequence[Term], formula: Formula) -> None:
    pairs = [(term.factor, name) for term in terms for name in term.names]
    repeated = sorted(
        {
            (term.group, name)
            for term in terms
            for name in term.names
            if pairs.count((term.factor, name)) > 1
        }
    )
    if repeated:
        raise FormulaError(
            *(
                Problem(
                    f"'{name}' varies over '{group}' in two random terms",
                    where=f"formula '{formula.text}'",
                    way_out=f"Write it once; (0 + x | {group}) leaves the intercept out.",
                )
                for group, name in repeated
            )
        )


def _where(formula: Formula, group: str) -> str:
    return f"formula '{formula.text}', random part of '{group}'"
