"""A study from its declaration to its result.

`study.toml` is read and checked before any data are; then sources, tables, models, hypotheses,
figures' numbers and checks follow in a row and end in one `StudyResult`. May import every room to
its left; never plots and never formats a number.
"""

from alc_stats.study.declaration import Study
from alc_stats.study.reading import read_study
from alc_stats.study.result import StudyResult
from alc_stats.study.runner import run_study, write_result

__all__ = ["Study", "StudyResult", "read_study", "run_study", "write_result"]
