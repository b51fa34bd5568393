"""Pictures of a calibration."""

from __future__ import annotations

from alc_stats.models.calibration_models import Compared


def pictures(found: Compared) -> tuple[()]:
    """None yet."""
    return ()
