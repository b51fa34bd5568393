"""What a schema says, as frozen records: fields, codes, keys and rules.

The files are Data Package v2 Table Schemas; the names here follow the standard's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alc_stats.schemas.expressions import Expression

FieldType = Literal["string", "integer", "number", "boolean", "date", "datetime", "year"]
FieldsMatch = Literal["exact", "equal", "subset", "superset", "partial"]
Scalar = str | float | bool
"""A value in a schema file: of an `enum`, a `minimum` or a category."""

TRUE_VALUES = ("true", "True", "TRUE", "1")
FALSE_VALUES = ("false", "False", "FALSE", "0")


@dataclass(frozen=True, slots=True)
class Code:
    """A value that stands for a missing one, and why it is missing."""

    value: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """A value of a coded field and what it stands for."""

    value: str | int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Constraints:
    """The limits a field's values keep; None is no limit."""

    required: bool = False
    unique: bool = False
    minimum: Scalar | None = None
    maximum: Scalar | None = None
    exclusive_minimum: Scalar | None = None
    exclusive_maximum: Scalar | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    enum: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its meaning, its type, and what its cells may hold.

    Attributes
    ----------
    name, title, description, unit, example : str
    type : FieldType
    format : str
        "default", or for dates a pattern such as "%d/%m/%Y".
    constraints : Constraints
    categories : tuple of Category
        The coded values in the order of the file; empty for a field without codes.
    ordered : bool
        Whether that order means something (low to high).
    missing : tuple of Code
        The field's own missing codes, or the schema's.
    true_values, false_values : tuple of str
        How a boolean is written.
    """

    name: str
    type: FieldType = "string"
    title: str = ""
    description: str = ""
    unit: str = ""
    example: str = ""
    format: str = "default"
    constraints: Constraints = Constraints()
    categories: tuple[Category, ...] = ()
    ordered: bool = False
    missing: tuple[Code, ...] = (Code(""),)
    true_values: tuple[str, ...] = TRUE_VALUES
    false_values: tuple[str, ...] = FALSE_VALUES


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`fields` of this table must occur together as `reference_fields` of another.

    `resource` is the name of the other table's schema, or "" for the table itself.
    """

    fields: tuple[str, ...]
    resource: str
    reference_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowRule:
    """A condition that every row keeps; where a missing value leaves it undecided, it is kept."""

    name: str
    check: str
    condition: Expression
    message: str
    way_out: str


@dataclass(frozen=True, slots=True)
class ConstantRule:
    """A field that has one value within a group of rows, such as one firm per person and week."""

    name: str
    constant: str
    within: tuple[Expression, ...]
    within_text: tuple[str, ...]
    message: str
    way_out: str


@dataclass(frozen=True, slots=True)
class OrderRule:
    """A field that does not fall as another rises, within a group: dates follow waves."""

    name: str
    increasing: str
    by: str
    within: tuple[Expression, ...]
    within_text: tuple[str, ...]
    message: str
    way_out: str


Rule = RowRule | ConstantRule | OrderRule


@dataclass(frozen=True, slots=True)
class Schema:
    """One table's declaration.

    Attributes
    ----------
    name, title, description : str
    fields : tuple of Field
    fields_match : {"exact", "equal", "subset", "superset", "partial"}
        How the file's columns may differ from the fields, in the standard's words: "equal" all of
        them in any order, "subset" all and perhaps more, "superset" perhaps fewer, "partial" both.
    primary_key : tuple of str
    unique_keys : tuple of tuple of str
    foreign_keys : tuple of ForeignKey
    rules : tuple of Rule
    """

    name: str
    fields: tuple[Field, ...]
    title: str = ""
    description: str = ""
    fields_match: FieldsMatch = "exact"
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The fields' names in the order of the file."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """Find the field of that name."""
        return next(field for field in self.fields if field.name == name)

    def may_lack(self, name: str) -> bool:
        """Whether a file may go without this column: fewer are allowed, and it is not required."""
        needed = name in self.primary_key or self.field(name).constraints.required
        return self.fields_match in ("superset", "partial") and not needed
