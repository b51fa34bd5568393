"""What can go wrong, and what each error promises to say.

::

    AlcError                    exit code 1; carries every problem found, not only the first
    ├── DeclarationError        a declaration or an argument is wrong; raised before data are read
    ├── DataError               the data break a declared rule
    │   ├── SourceError         a source is missing or unreadable
    │   │   └── ChangedSourceError  a source is there, but its bytes are not the declared ones
    │   └── TableError          a table breaks its schema
    ├── FormulaError            a model formula cannot be read or names what the table lacks
    ├── FitError                a model cannot be fitted or is not identified
    └── OutputError             a result cannot be written

A problem says what is wrong, where, what was found, what is allowed, and the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in the five parts a reader needs.

    Examples
    --------
    >>> print(Problem("unknown model 'olz'", where="study.toml, hypotheses[0].model",
    ...               allowed="ols, mixed", way_out="Correct the name."))
    study.toml, hypotheses[0].model: unknown model 'olz'. Allowed: ols, mixed. Correct the name.
    """

    what: str
    where: str = ""
    found: str = ""
    allowed: str = ""
    way_out: str = ""

    def __str__(self) -> str:
        head = _stopped(f"{self.where}: {self.what}" if self.where else self.what)
        found = _stopped(f"Found: {self.found}") if self.found else ""
        allowed = _stopped(f"Allowed: {self.allowed}") if self.allowed else ""
        return " ".join(part for part in (head, found, allowed, self.way_out) if part)


def _stopped(sentence: str) -> str:
    """With a full stop, unless one ends it already: a part may quote a whole sentence."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


class AlcError(Exception):
    """The root: `problems` holds everything that is wrong; `str` prints one line each."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            p if isinstance(p, Problem) else Problem(p.rstrip(".")) for p in problems
        )
        super().__init__("\n".join(str(p) for p in self.problems))

    def __reduce__(self) -> tuple[type[AlcError], tuple[Problem, ...]]:
        """Sent to another process with its problems, not with their text alone."""
        return type(self), self.problems


class DeclarationError(AlcError):
    """A declaration (study.toml, schema, argument) is wrong. No data have been read."""


class DataError(AlcError):
    """The data break a declared rule."""


class SourceError(DataError):
    """A source is missing or unreadable; its study is not run."""


class ChangedSourceError(SourceError):
    """A source's bytes are not the declared ones: it is refused, and the study stops."""


class TableError(DataError):
    """A table breaks its schema."""


class FormulaError(AlcError):
    """A formula cannot be read, or names columns the table lacks."""


class FitError(AlcError):
    """A model cannot be fitted to these data, or is not identified by them."""


class OutputError(AlcError):
    """A result cannot be written where it should go."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A way out for a misspelt name: the closest known one, or the whole list.

    Examples
    --------
    >>> did_you_mean("olz", ["ols", "mixed"])
    "Did you mean 'ols'?"
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known: {', '.join(known)}." if known else ""


def raise_all(kind: type[AlcError], problems: Iterable[Problem]) -> None:
    """Raise every problem that was found, in one error of this kind; nothing where all is well."""
    if found := [*problems]:
        raise kind(*found)
