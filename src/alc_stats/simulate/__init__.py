"""Data of which the truth is known: the reference study, its mirror image, and artefacts.

`reference` turns a `Truth` (a committed TOML file) and a seed into the tables of the reference
study; every table is marked `simulated` and every file it is written to is named SIMULATED.
`artefacts` and `mandate_artefacts` make data in which a popular conclusion is wrong by
construction. Only `study` and `cli` import this room; it imports `schemas`, `data`, `measures` and
`estimators` at most.
"""

from alc_stats.simulate.artefacts import ceiling_only, difference_score_null
from alc_stats.simulate.reference import reference, write_tables
from alc_stats.simulate.truth import Truth
from alc_stats.simulate.truth_file import Parameter, parameters, read_truth

__all__ = [
    "Parameter",
    "Truth",
    "ceiling_only",
    "difference_score_null",
    "parameters",
    "read_truth",
    "reference",
    "write_tables",
]
