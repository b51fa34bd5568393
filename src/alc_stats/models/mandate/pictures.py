"""The event study: effects by time since the start, with pointwise and uniform bands."""

from __future__ import annotations

import numpy as np
from scipy import stats

from alc_stats.models.mandate.effects import MandateFound, outcome_of
from alc_stats.models.mandate.imputation_marks import imputation_marks
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture


def pictures(found: MandateFound, level: float) -> tuple[Picture, ...]:
    """Nothing where no time has enough rows behind it."""
    s = found.dynamic
    shown = np.array([_rows_behind(found, int(e)) >= FEWEST_PEOPLE for e in s.at])
    shown &= np.isfinite(s.se)
    if not shown.any():
        return ()
    at, value, se, df = s.at[shown], s.value[shown], s.se[shown], s.df[shown]
    half, of = stats.t.ppf(0.5 + level / 2.0, df) * se, asked_of(found)
    wide = found.band[shown]
    marks = (
        *_bands(at, value, wide, level),
        *_intervals(at, value, half),
        *(imputed := imputation_marks(found, level)),
        Mark(kind="across", y=(0.0,)),
        Mark(kind="down", x=(-0.5,)),
    )
    return (
        Picture(
            id="event_study",
            title=f"Effect on {of} by time since the start",
            caption=_caption(found, level, imputed=bool(imputed)),
            alt="Points with intervals and a shaded band along periods since the start, a dashed "
            "line at zero and another before the start.",
            x="Periods since the start",
            y=f"Effect ({of})",
            x_kind="count",
            panels=(Panel(marks=marks),),
        ),
    )


def _caption(found: MandateFound, level: float, *, imputed: bool) -> str:
    varying = found.data.question.base == "varying"
    compared = (
        "Before the start, differences from the period before."
        if varying
        else "All differences are from the last period before the start."
    )
    beside = (
        " Imputation: before the start, differences from all periods earlier than those shown."
        if imputed
        else ""
    )
    return (
        f"Group-time effects averaged over cohorts; {found.data.number_treated:,} of "
        f"{len(found.data.firms):,} firms ({found.data.question.firm}) started. Intervals "
        "hold pointwise, the shaded band at all times at once "
        f"({100 * level:.0f} %; multiplier bootstrap of firms). {compared}{beside}"
    )


def asked_of(found: MandateFound) -> str:
    """What the effect is on, for titles and axes."""
    spread = found.data.question.functional == "log_sd"
    return f"{'log SD of ' if spread else ''}{outcome_of(found.data.question)}"


def _rows_behind(found: MandateFound, event: int) -> int:
    """Rows of mandated firms at that time."""
    chosen = found.cells.event == event
    return sum(
        int(found.data.sizes[found.data.adoption == g, t].sum())
        for g, t in zip(found.cells.group[chosen], found.cells.period[chosen], strict=True)
    )


def _bands(at: np.ndarray, value: np.ndarray, wide: np.ndarray, level: float) -> tuple[Mark, ...]:
    """One band before the start and one from it on, so that nothing is drawn between."""
    label, low, high = f"{100 * level:.0f} % uniform band", value - wide, value + wide
    return tuple(
        Mark(kind="band", x=_t(at[side]), low=_t(low[side]), high=_t(high[side]), label=label)
        for side in (at < 0, at >= 0)
        if side.any()
    )


def _intervals(at: np.ndarray, value: np.ndarray, half: np.ndarray) -> tuple[Mark, ...]:
    made = []
    for side, label in ((at < 0, "Before the start"), (at >= 0, "Since the start")):
        if side.any():
            made.append(Mark(kind="interval", x=_t(at[side]), y=_t(value[side]),
                             low=_t((value - half)[side]), high=_t((value + half)[side]),
                             label=label))  # fmt: skip
    return tuple(made)


def _t(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
