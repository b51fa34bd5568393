"""Data of which the truth is known: two studies, their mirror images, and artefacts.

`reference` turns a `Truth` (a committed TOML file) and a seed into the tables of the reference
study, `quotas` a `QuotaTruth` into those of the study of quotas; every table is marked `simulated`
and every file it is written to is named SIMULATED. `drawn` does either, by the generator's name.
`artefacts` and `mandate_artefacts` make data in which a popular conclusion is wrong by
construction. Only `study` and `cli` import this room; it imports `schemas`, `data`, `measures` and
`estimators` at most.
"""

from alc_stats.simulate.artefacts import ceiling_only, difference_score_null
from alc_stats.simulate.generators import drawn
from alc_stats.simulate.quota_truth import QuotaTruth, without_mandate
from alc_stats.simulate.quotas import quotas
from alc_stats.simulate.reference import reference, write_tables
from alc_stats.simulate.truth import Truth
from alc_stats.simulate.truth_file import Parameter, parameters, read_quota_truth, read_truth

__all__ = [
    "Parameter",
    "QuotaTruth",
    "Truth",
    "ceiling_only",
    "difference_score_null",
    "drawn",
    "parameters",
    "quotas",
    "read_quota_truth",
    "read_truth",
    "reference",
    "without_mandate",
    "write_tables",
]
