"""From prepared tables to the quantities a model or a table speaks of.

Here live scales and their reliability, the split into between and within, usage by person and
period from event logs, the bias-corrected log SD, and the aggregates that tables and figures show
instead of people. Tables come in, columns and frozen records go out; free text never comes in.
"""

from alc_stats.measures.describe import (
    BoundsShare,
    Descriptive,
    bounds_share,
    describe,
    distribution,
    trajectory,
)
from alc_stats.measures.disattenuation import Disattenuated, Measure, disattenuated
from alc_stats.measures.moments import LogSd, log_sd, log_sd_by_group
from alc_stats.measures.padding import Padding, padding
from alc_stats.measures.panel import within_between
from alc_stats.measures.prices import priced
from alc_stats.measures.scales import Scale, reliability, score
from alc_stats.measures.usage import person_period_usage

__all__ = [
    "BoundsShare",
    "Descriptive",
    "Disattenuated",
    "LogSd",
    "Measure",
    "Padding",
    "Scale",
    "bounds_share",
    "describe",
    "disattenuated",
    "distribution",
    "log_sd",
    "log_sd_by_group",
    "padding",
    "person_period_usage",
    "priced",
    "reliability",
    "score",
    "trajectory",
    "within_between",
]
