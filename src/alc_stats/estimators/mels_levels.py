"""The levels of a location-scale model: rows within persons, and persons within firms if asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Table, codes
from alc_stats.estimators.formula import Formula, RandomTerm
from alc_stats.estimators.lmm_terms import RandomPart
from alc_stats.records import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Name, level of every row (n,), label of every level."""

    name: str
    level: IntArray
    labels: pd.Index


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Which effects vary over what.

    Attributes
    ----------
    person : Grouping
        The finest grouping.
    firm : Grouping or None
        A coarser one that holds its levels whole.
    random : RandomPart or None
        Location effects of persons.
    person_scale, firm_location, firm_scale : bool
        Which other effects there are.
    correlated, firm_correlated : bool
        Whether the scale effect of persons, of firms, may go with their location effects.
    """

    person: Grouping
    firm: Grouping | None
    random: RandomPart | None
    person_scale: bool
    firm_location: bool
    firm_scale: bool
    correlated: bool
    firm_correlated: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the location effects of persons."""
        terms = self.random.terms if self.random is not None else ()
        return tuple(name for term in terms for name in term.names)


def levels_of(formula: Formula, scale: Formula, table: Table, random: RandomPart | None) -> Levels:
    """Find persons and firms among the groupings of a model.

    Raises
    ------
    FitError
        For groupings that are crossed or more than two, a single level, or firms whose slopes
        vary.
    """
    terms = {frozenset(t.grouping): t for t in (*formula.random, *scale.random)}
    where = f"formula '{formula.text}', scale={scale.text!r}"
    groupings = [_grouping(term, table) for term in terms.values()]
    problems = [*_single(groupings, where), *_too_many(groupings, where)]
    if problems:
        raise FitError(*problems)
    person, firm = _nested(groupings, where)
    own = {g.name: list(_of(formula.random, terms, g, groupings)) for g in groupings}
    slopes = [t for t in (own[firm.name] if firm else []) if t.columns.replace(" ", "") != "1"]
    if slopes and firm is not None:
        raise FitError(
            Problem(
                f"location effects of '{firm.name}' are levels here, not slopes",
                where=where,
                found=f"({slopes[0].columns} | {firm.name})",
                way_out=f"Write (1 | {firm.name}), and the slopes on '{person.name}'.",
            )
        )
    spread = {g.name: list(_of(scale.random, terms, g, groupings)) for g in groupings}
    return Levels(
        person=person,
        firm=firm,
        random=_part_of(random, own[person.name]),
        person_scale=bool(spread[person.name]),
        firm_location=bool(firm and own[firm.name]),
        firm_scale=bool(firm and spread[firm.name]),
        correlated=bool(own[person.name]) and all(t.correlated for t in spread[person.name]),
        firm_correlated=bool(firm and own[firm.name])
        and all(t.correlated for t in (spread[firm.name] if firm else [])),
    )


def rows_alone(table: Table) -> Levels:
    """Rows without effects in common: each is a person of its own, of a grouping without name."""
    n = len(table.frame)
    rows = Grouping("", np.arange(n), pd.RangeIndex(n))
    return Levels(
        rows,
        None,
        None,
        person_scale=False,
        firm_location=False,
        firm_scale=False,
        correlated=False,
        firm_correlated=False,
    )


def _grouping(term: RandomTerm, table: Table) -> Grouping:
    level, number = codes(table.frame, term.grouping)
    example = np.empty(number, dtype=np.intp)
    example[level[::-1]] = np.arange(len(level))[::-1]
    cells = table.frame[list(term.grouping)].iloc[example]
    labels = pd.Index(cells.iloc[:, 0]) if cells.shape[1] == 1 else pd.MultiIndex.from_frame(cells)
    return Grouping(term.group, level, labels)


def _single(groupings: list[Grouping], where: str) -> Iterator[Problem]:
    for grouping in groupings:
        if len(grouping.labels) < 2:
            yield Problem(
                "the grouping has a single level",
                where=f"{where}, '{grouping.name}'",
                way_out="Leave the random term out.",
            )


def _too_many(groupings: list[Grouping], where: str) -> Iterator[Problem]:
    if len(groupings) > 2:
        yield Problem(
            "a location-scale model with a random scale effect has at most two groupings",
            where=where,
            found=", ".join(grouping.name for grouping in groupings),
            way_out="Enter the levels of one of them as fixed effects, C(g), or leave the random "
            "scale effect out.",
        )


def _nested(groupings: list[Grouping], where: str) -> tuple[Grouping, Grouping | None]:
    """The finer and the coarser grouping."""
    if len(groupings) == 1:
        return groupings[0], None
    inner, outer = sorted(groupings, key=lambda grouping: -len(grouping.labels))
    of_level = np.empty(len(inner.labels), dtype=np.intp)
    of_level[inner.level] = outer.level
    if np.array_equal(of_level[inner.level], outer.level):
        return inner, outer
    raise FitError(
        Problem(
            f"'{inner.name}' is not nested in '{outer.name}'",
            where=where,
            found=f"levels of '{inner.name}' that occur in several of '{outer.name}'",
            allowed="with a random scale effect: one grouping, or a/b",
            way_out=f"If levels of '{inner.name}' are numbered anew in every '{outer.name}', write "
            f"{outer.name}/{inner.name}; if the two are crossed, enter one as fixed effects or "
            "leave the random scale effect out.",
        )
    )


def _of(
    random: tuple[RandomTerm, ...],
    terms: dict[frozenset[str], RandomTerm],
    grouping: Grouping,
    groupings: list[Grouping],
) -> Iterator[RandomTerm]:
    """The terms that vary over this grouping."""
    place = groupings.index(grouping)
    key = list(terms)[place]
    yield from (term for term in random if frozenset(term.grouping) == key)


def _part_of(random: RandomPart | None, own: list[RandomTerm]) -> RandomPart | None:
    """The random part of one grouping only."""
    if random is None or not own:
        return None
    key = frozenset(own[0].grouping)
    factor = next(term.factor for term in random.terms if frozenset(term.group.split(":")) == key)
    terms = tuple(t for t in random.terms if t.factor == factor)
    return RandomPart(
        tuple(type(t)(t.group, t.names, t.correlated, 0, t.first) for t in terms),
        (random.factors[factor],),
        (random.groups[factor],),
        (random.labels[factor],),
    )
