"""What a manager reads on one page, as data: metrics beside each other, arm by arm.

A scorecard's finding carries a `Card`; `report` makes the page of it and adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alc_stats.records import Number, Phrase

Word = Literal["better", "no better", "worse", "cannot say"]
"""What one metric alone says about an arm, compared with the control arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one metric says about one arm.

    Attributes
    ----------
    arm : str
    value, low, high : Number
        The change beyond that of the control arm, in SDs, with its interval.
    plain : Number
        The same in the metric's own unit; a relative change for amounts.
    word : Word
    """

    arm: str
    value: Number
    low: Number
    high: Number
    plain: Number
    word: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """What one way of gaming does to one metric.

    Attributes
    ----------
    strategy, does : str
        Its name, and what gamers do.
    person : Number
        How far a gamer moves up among the people of an arm, in SDs of people.
    arm : Number
        How far the effect of an arm moves, SDs, if the declared share of its people do it.
    fakes : Number or None
        The share of an arm's people who make an effect that reaches the smallest effect of
        interest out of none; None where everybody together cannot.
    """

    strategy: str
    does: str
    person: Number
    arm: Number
    fakes: Number | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliable:
    """How much of the differences between people is no error.

    Attributes
    ----------
    value, low, high : Number or None
        In the control arm; no limits where it was stated, no value where it is not known.
    how : str
        Where it comes from.
    least, most : Number or None
        The smallest and largest of all arms.
    change : Number or None
        Of a person's improvement, where the metric is judged by it and occasions tell.
    """

    how: str
    value: Number | None = None
    low: Number | None = None
    high: Number | None = None
    least: Number | None = None
    most: Number | None = None
    change: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """One metric; `weaknesses` begin with the one that moves it most."""

    metric: str
    measures: str
    volume: bool
    reliability: Reliable
    weaknesses: tuple[Weakness, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One page.

    Attributes
    ----------
    headline : Phrase
    control : str
        The arm that all others are compared with.
    arms : tuple of str
        In the order of every row's answers.
    rows : tuple of CardRow
        The volume metric first.
    reading : tuple of Phrase
        How to read the table.
    untested : tuple of Phrase
        What nobody has looked at.
    """

    headline: Phrase
    control: str
    arms: tuple[str, ...]
    rows: tuple[CardRow, ...]
    reading: tuple[Phrase, ...]
    untested: tuple[Phrase, ...]
