"""What the theory claims, one module a claim.

Each takes a prepared table and returns a `Finding`: estimate, decision, and the evidence against
the artefacts that could have made it. May import estimators, inference and measures; knows
nothing of studies or reports.
"""

from alc_stats.models.distinct import NamedScale, distinct
from alc_stats.models.finding import Claim, Evidence, Finding, decided, find, guarded
from alc_stats.models.widening import widening

__all__ = [
    "Claim",
    "Evidence",
    "Finding",
    "NamedScale",
    "decided",
    "distinct",
    "find",
    "guarded",
    "widening",
]
