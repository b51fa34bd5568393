"""Robust intervals along M: how far trends may part before the effect is gone."""

from __future__ import annotations

import numpy as np

from alc_stats.inference.parallel_trends import Robust, relative_magnitudes
from alc_stats.inference.smooth_trends import smoothness_along
from alc_stats.models.mandate.effects import MandateFound
from alc_stats.models.mandate.pictures import asked_of
from alc_stats.models.mandate.sensitivity import Sensitivity
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture

_MAGNITUDES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
_BENDS = 6


def sensitivity_pictures(
    found: MandateFound, trends: Sensitivity | None, level: float
) -> tuple[Picture, ...]:
    """One figure of relative magnitudes, one of smoothness; none where too few are behind."""
    treated = found.data.adoption < len(found.data.periods)
    if trends is None or found.data.sizes[treated].sum() < FEWEST_PEOPLE:
        return ()
    made = [_magnitudes(found, trends, level)]
    if trends.smooth_study is not None:
        made.append(_smooth(found, trends, level))
    return tuple(made)


def _magnitudes(found: MandateFound, trends: Sensitivity, level: float) -> Picture:
    robust = tuple(relative_magnitudes(trends.study, m, level=level) for m in _MAGNITUDES)
    middle = [trends.study.estimate] * len(robust)
    return Picture(
        id="sensitivity",
        title=f"Effect on {asked_of(found)} if trends were not parallel",
        caption=(
            f"{100 * level:.0f} % intervals for the overall effect that hold if steps of the "
            "difference in trends after the start are at most M times the largest before it "
            f"({len(trends.study.before)} steps; Rambachan & Roth 2023). At M = 0 trends are "
            "parallel."
        ),
        alt="Intervals that widen along M around the overall effect, a dashed line at zero.",
        x="M: largest step after the start, relative to the largest before",
        y=f"Overall effect ({asked_of(found)})",
        panels=(Panel(marks=_marks(robust, middle)),),
    )


def _smooth(found: MandateFound, trends: Sensitivity, level: float) -> Picture:
    study = trends.smooth_study
    assert study is not None
    farthest = 2.0 * trends.bend if trends.bend > 0.0 else study.se
    robust = smoothness_along(study, np.linspace(0.0, farthest, _BENDS).tolist(), level=level)
    middle = [0.5 * (one.low + one.high) for one in robust]
    return Picture(
        id="sensitivity_smoothness",
        title=f"Effect on {asked_of(found)} if a trend went on and bends",
        caption=(
            f"{100 * level:.0f} % fixed-length intervals for the overall effect that hold if the "
            "slope of the difference in trends changes by at most M from period to period "
            f"({len(study.before)} periods before; Rambachan & Roth 2023). At M = 0 the trend "
            "before the start goes on as a straight line."
        ),
        alt="Intervals that widen along M, a dashed line at zero.",
        x=f"M: change of slope from period to period ({asked_of(found)})",
        y=f"Overall effect ({asked_of(found)})",
        panels=(Panel(marks=_marks(robust, middle)),),
    )


def _marks(robust: tuple[Robust, ...], middle: list[float]) -> tuple[Mark, ...]:
    return (
        Mark(
            kind="interval", label="Robust interval", x=tuple(one.bound for one in robust),
            y=tuple(middle), low=tuple(one.low for one in robust),
            high=tuple(one.high for one in robust),
        ),
        Mark(kind="across", y=(0.0,)),
    )  # fmt: skip
