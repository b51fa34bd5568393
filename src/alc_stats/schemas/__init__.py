"""What a table must be: schemas read, tables of any size checked, the codebook written.

A schema is a Data Package v2 Table Schema file. This room sees one table at a time and knows
nothing of studies; it imports `errors` only. `data`, `measures`, `simulate`, `study` and `cli`
come in through the names below.
"""

from alc_stats.schemas.checking import check
from alc_stats.schemas.dictionary import codebook
from alc_stats.schemas.frames import typed
from alc_stats.schemas.reading import packaged_names, read
from alc_stats.schemas.schema import Category, Code, Constraints, Field, ForeignKey, Schema
from alc_stats.schemas.violations import BrokenRule, Report, Violation

__all__ = [
    "BrokenRule",
    "Category",
    "Code",
    "Constraints",
    "Field",
    "ForeignKey",
    "Report",
    "Schema",
    "Violation",
    "check",
    "codebook",
    "packaged_names",
    "read",
    "typed",
]
