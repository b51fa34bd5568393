"""What the theory claims, one folder a claim; its `claim.py` has the public function.

Each takes a prepared table and returns a `Finding`: estimate, decision, and the evidence against
the artefacts that could have made it. May import estimators, inference and measures; knows
nothing of studies or reports.
"""

from alc_stats.models.bunching.claim import bunching
from alc_stats.models.calibration.claim import calibration
from alc_stats.models.decoupling.claim import decoupling
from alc_stats.models.distinct import NamedScale, distinct
from alc_stats.models.dose_response.claim import dose_response
from alc_stats.models.finding import Claim, Evidence, Finding, decided, find, find_jointly, guarded
from alc_stats.models.forecast.claim import forecast
from alc_stats.models.frontier.claim import frontier
from alc_stats.models.gap.claim import gap
from alc_stats.models.inversion.claim import inversion
from alc_stats.models.mandate.claim import mandate
from alc_stats.models.mediation.claim import mediation
from alc_stats.models.moderation.claim import moderation
from alc_stats.models.proxy.claim import proxy
from alc_stats.models.response_surface.claim import response_surface
from alc_stats.models.scorecard.claim import scorecard
from alc_stats.models.scorecard.data import Metric
from alc_stats.models.shift.claim import shift
from alc_stats.models.transfer.claim import transfer
from alc_stats.models.widening.claim import widening

__all__ = [
    "Claim",
    "Evidence",
    "Finding",
    "Metric",
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
    "scorecard",
    "shift",
    "transfer",
    "widening",
]
