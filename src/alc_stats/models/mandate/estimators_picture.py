"""The event study by group-time effects and by imputation in one figure."""

from __future__ import annotations

import numpy as np
from scipy import stats

from alc_stats.inference.imputation import Imputation
from alc_stats.models.mandate.data import MandateData
from alc_stats.models.mandate.effects import MandateFound
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture
from alc_stats.records import BoolArray, FloatArray, IntArray

_APART = 0.16
"""Between the intervals of one time, in periods."""


def estimators_picture(found: MandateFound, level: float) -> tuple[Picture, ...]:
    """Nothing where nothing could be imputed, or no interval can be trusted (few firms)."""
    made = found.imputed
    if made.free is None or found.few:
        return ()
    s = found.dynamic
    series = [
        _mark("Group-time effects", s.at, s.value, s.se, s.df, found.data, level, -_APART),
        *_imputed("Imputation", made.free, found.data, level, 0.0),
    ]
    if made.held is not None:
        series += _imputed("Imputation, covariates held", made.held, found.data, level, _APART)
    marks = (
        *(m for m in series if m.x),
        Mark(kind="across", y=(0.0,)),
        Mark(kind="down", x=(-0.5,)),
    )
    q = found.data.question
    compared = "the period before" if q.base == "varying" else "the last period before the start"
    return (
        Picture(
            id="estimators",
            title="The same event study by two estimators",
            caption=(
                f"Pointwise {100 * level:.0f} % intervals. Before the start, group-time effects "
                f"are differences from {compared}; imputation shows differences from all periods "
                "earlier than those shown."
            ),
            alt="Two or three series of points with intervals along periods since the start, a "
            "dashed line at zero and another before the start.",
            x="Periods since the start",
            y=f"Effect ({_of(found)})",
            x_kind="count",
            panels=(Panel(marks=marks),),
        ),
    )


def _of(found: MandateFound) -> str:
    q = found.data.question
    name = f"{q.outcome} - {q.minus}" if q.minus else q.outcome
    return f"log SD of {name}" if q.functional == "log_sd" else name


def _imputed(
    label: str, i: Imputation, data: MandateData, level: float, shift: float
) -> list[Mark]:
    at = np.concatenate([i.lead_at, i.at])
    value, se = np.concatenate([i.lead_value, i.value]), np.concatenate([i.lead_se, i.se])
    return [_mark(label, at, value, se, np.full(len(at), i.df), data, level, shift)]


def _mark(
    label: str, at: IntArray, value: FloatArray, se: FloatArray, df: FloatArray,
    data: MandateData, level: float, shift: float,
) -> Mark:  # fmt: skip
    shown = np.isfinite(se) & _enough(at, data)
    half = stats.t.ppf(0.5 + level / 2.0, df) * se
    x, y, wide = at[shown] + shift, value[shown], half[shown]
    return Mark(kind="interval", label=label, x=_t(x), y=_t(y), low=_t(y - wide), high=_t(y + wide))


def _enough(at: IntArray, data: MandateData) -> BoolArray:
    """Times with rows of enough mandated firms behind them."""
    since = np.arange(len(data.periods))[None, :] - data.adoption[:, None]
    return np.array([data.sizes[since == e].sum() >= FEWEST_PEOPLE for e in at], dtype=bool)


def _t(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
