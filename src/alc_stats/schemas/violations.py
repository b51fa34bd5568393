"""What a check found: every broken rule with its rows, as records and as a printed report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alc_stats.errors import Problem, TableError

LISTED = 1000
"""Rows kept for each broken rule; the total is always exact."""
PRINTED = 20
"""Rows printed for each broken rule."""
LONGEST = 40
"""Characters of a value that are shown: more may be somebody's free text."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One cell, row or column that breaks a rule.

    Attributes
    ----------
    file : str
    row : int or None
        1 is the first row after the header; None concerns the column or the table.
    column : str
        One name, or several for a rule across columns.
    rule : str
        The standard's name ("minimum", "primaryKey"), one of ours for the file's form
        ("unknownColumn", "raggedRow"), or the name of a rule of the schema.
    what, found, allowed, way_out : str
        What is wrong, the value as written (cut after 40 characters), what may stand there, and
        what to do.
    """

    file: str
    row: int | None
    column: str
    rule: str
    what: str
    found: str
    allowed: str
    way_out: str

    @property
    def where(self) -> str:
        """File, row and column in words."""
        row = f"row {self.row}" if self.row is not None else ""
        column = f"column {self.column}" if self.column else ""
        return ", ".join(part for part in (self.file, row, column) if part)

    @property
    def problem(self) -> Problem:
        """The violation as a problem of the package's errors."""
        return Problem(
            f"{self.what} ({self.rule})", self.where, self.found, self.allowed, self.way_out
        )


@dataclass(frozen=True, slots=True)
class Saying:
    """What is said where a rule is broken, whatever the row; the names are those of `Violation`."""

    rule: str
    column: str
    what: str
    allowed: str
    way_out: str

    def violation(self, file: str, row: int | None, found: str, *, way_out: str = "") -> Violation:
        """Say it of one row, perhaps with a better way out."""
        return Violation(
            file=file,
            row=row,
            column=self.column,
            rule=self.rule,
            what=self.what,
            found=found,
            allowed=self.allowed,
            way_out=way_out or self.way_out,
        )


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that is broken: `total` times, of which the first 1,000 are in `violations`."""

    total: int
    violations: tuple[Violation, ...]

    @property
    def problems(self) -> Iterator[Problem]:
        """A problem for each of the first 20 violations, and one that counts the rest."""
        yield from (violation.problem for violation in self.violations[:PRINTED])
        if self.total > PRINTED:
            first = self.violations[0]
            where = f"{first.file}, column {first.column}" if first.column else first.file
            yield Problem(f"{self.total - PRINTED:,} more like these ({first.rule})", where)

    @property
    def text(self) -> str:
        """The rule, what it allows, what to do, and the first 20 rows."""
        first = self.violations[0]
        lines = [f"{first.column or 'the table'}: {first.what} ({first.rule})"]
        if first.allowed:
            lines.append(f"  Allowed: {first.allowed}.")
        shared = {violation.way_out for violation in self.violations}
        if len(shared) == 1 and first.way_out:
            lines.append(f"  What to do: {first.way_out}")
        lines.extend(
            _row_text(violation, own_way_out=len(shared) > 1)
            for violation in self.violations[:PRINTED]
        )
        if self.total > PRINTED:
            lines.append(f"  ... and {self.total - PRINTED:,} more.")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of checking one table.

    Attributes
    ----------
    schema, file : str
    rows : int
        Rows of the table, the ragged ones included.
    broken : tuple of BrokenRule
        Empty for a table that satisfies its schema.
    notes : tuple of str
        What could not be checked, and why.
    """

    schema: str
    file: str
    rows: int
    broken: tuple[BrokenRule, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.broken

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Every violation, rule by rule; of a rule broken more than 1,000 times the first 1,000."""
        return tuple(violation for broken in self.broken for violation in broken.violations)

    @property
    def total(self) -> int:
        """How many violations there are."""
        return sum(broken.total for broken in self.broken)

    def raise_for_violations(self) -> None:
        """Raise TableError with one problem for each violation (the first 20 of each rule)."""
        if self.broken:
            raise TableError(*(problem for broken in self.broken for problem in broken.problems))

    def __str__(self) -> str:
        notes = "".join(f"\nNot checked: {note}" for note in self.notes)
        rows = _count(self.rows, "row")
        if self.ok:
            return f"{self.file} satisfies {self.schema}: {rows}, no violations.{notes}"
        violations, rules = _count(self.total, "violation"), _count(len(self.broken), "rule")
        head = (
            f"{self.file} breaks {self.schema}: {violations} of {rules} in {rows}. "
            "Row 1 is the first row after the header."
        )
        texts = (f"{i}. {broken.text}" for i, broken in enumerate(self.broken, 1))
        return "\n\n".join((head, *texts)) + ("\n" + notes if notes else "")


def shown(value: str | None) -> str:
    """Show a value as it is reported: quoted, without control characters, 40 of them at most.

    Examples
    --------
    >>> shown("x"), shown(""), shown("a" * 60)
    ("'x'", 'an empty cell', "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'")
    """
    if not value:
        return "an empty cell"
    return repr(value if len(value) <= LONGEST else value[:LONGEST] + "...")


def _row_text(violation: Violation, *, own_way_out: bool) -> str:
    row = f"row {violation.row}: " if violation.row is not None else ""
    way_out = f". {violation.way_out}" if own_way_out and violation.way_out else ""
    return f"  {row}{violation.found}{way_out}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
