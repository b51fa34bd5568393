"""What the theory claims, one module a claim.

Each takes a prepared table and returns a `Finding`: estimate, decision, and the evidence against
the artefacts that could have made it. May import estimators, inference and measures; knows
nothing of studies or reports.
"""

from alc_stats.models.bunching import bunching
from alc_stats.models.calibration import calibration
from alc_stats.models.decoupling import decoupling
from alc_stats.models.distinct import NamedScale, distinct
from alc_stats.models.dose_response import dose_response
from alc_stats.models.finding import Claim, Evidence, Finding, decided, find, find_jointly, guarded
from alc_stats.models.forecast import forecast
from alc_stats.models.frontier import frontier
from alc_stats.models.gap import gap
from alc_stats.models.inversion import inversion
from alc_stats.models.mandate import mandate
from alc_stats.models.mediation import mediation
from alc_stats.models.moderation import moderation
from alc_stats.models.proxy import proxy
from alc_stats.models.response_surface import response_surface
from alc_stats.models.shift import shift
from alc_stats.models.transfer import transfer
from alc_stats.models.widening import widening

__all__ = [
    "Claim",
    "Evidence",
    "Finding",
    "NamedScale",
    "bunching",
    "calibration",
    "decided",
    "decoupling",
    "distinct",
    "dose_response",
    "find",
    "find_jointly",
    "forecast",
    "frontier",
    "gap",
    "guarded",
    "inversion",
    "mandate",
    "mediation",
    "moderation",
    "proxy",
    "response_surface",
    "shift",
    "transfer",
    "widening",
]
