"""What the theory claims, one module a claim.

Each takes a prepared table and returns a `Finding`: estimate, decision, and the evidence against
the artefacts that could have made it. May import estimators, inference and measures; knows
nothing of studies or reports.
"""

from alc_stats.models.finding import Claim, Evidence, Finding, decided, find, guarded
from alc_stats.models.moderation import moderation
from alc_stats.models.shift import shift
from alc_stats.models.transfer import transfer
from alc_stats.models.widening import widening

__all__ = [
    "Claim",
    "Evidence",
    "Finding",
    "decided",
    "find",
    "guarded",
    "moderation",
    "shift",
    "transfer",
    "widening",
]
