"""Effects of the persons of a location-scale model: empirical-Bayes moments and plausible values.

Location effects are in the outcome's unit, the scale effect is a log SD. Where the SD of the
intercept varies between a person's rows, the person's intercept is the mean over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.mels_model import MelsModel
from alc_stats.estimators.kernels.mels_posterior import draw, moments
from alc_stats.estimators.location_scale import MelsState
from alc_stats.estimators.memory import Memory
from alc_stats.records import FloatArray

SCALE_EFFECT = "log_sd"


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Posterior moments of every person's effects.

    Attributes
    ----------
    group : str
    labels : Index (M,)
    names : tuple of str
        Columns of the location effects, then "log_sd".
    means : array (M, r)
    covariances : array (M, r, r)
    """

    group: str
    labels: pd.Index
    names: tuple[str, ...]
    means: FloatArray
    covariances: FloatArray


def mels_state(fit: Fit) -> MelsState | None:
    """What a location-scale fit with a random scale effect remembers; None of another fit."""
    return fit.memory.mels if isinstance(fit.memory, Memory) else None


def has_scale_effect(fit: Fit) -> bool:
    """Whether a fit has a random scale effect and remembers its rows."""
    return mels_state(fit) is not None


def required_state(fit: Fit) -> MelsState:
    """The same, or an error.

    Raises
    ------
    FitError
        If the fit cannot be used, has no random scale effect or does not remember its rows.
    """
    require_usable(fit)
    state = mels_state(fit)
    if state is None:
        raise FitError(
            Problem(
                "the fit has no random scale effect, or does not remember its rows",
                where=f"fit of '{fit.request.formula}' with scale={fit.request.scale!r}",
                way_out='Fit it in this session with scale="~ ... + (1 | person)".',
            )
        )
    return state


def two_levels(state: MelsState) -> MelsModel:
    """The model of rows in persons with normal errors: whose posteriors are worked out here.

    Raises
    ------
    FitError
        For firms above persons, and for errors that are not normal.
    """
    model = state.data.model
    if not isinstance(model, MelsModel):
        raise FitError(
            Problem(
                "effects of persons are worked out for normal errors and one grouping",
                where=f"fit with random effects of '{state.data.group}'",
                way_out="Read coefficients and SDs from this fit; fit it without the firms' "
                "effects, or with normal errors, for what single persons are like.",
            )
        )
    return model


def effects_of(state: MelsState) -> Effects:
    """Posterior means and covariances of every person's effects at the estimates."""
    at = state.optimum
    mean, covariance = moments(two_levels(state), at.psi, at.evaluated.nodes)
    turn = _in_columns(state)
    return Effects(
        state.data.group,
        state.data.labels,
        effect_names(state),
        np.einsum("mab,mb->ma", turn, mean),
        np.einsum("mab,mbc,mdc->mad", turn, covariance, turn),
    )


def effect_draws(state: MelsState, stream: np.random.Generator) -> Iterator[FloatArray]:
    """Draws (M, r) of every person's effects from their posterior, without end."""
    at = state.optimum
    turn = _in_columns(state)
    for unit in draw(two_levels(state), at.psi, at.evaluated.nodes, stream):
        yield np.einsum("mab,mb->ma", turn, unit)


def effects_table(state: MelsState) -> pd.DataFrame:
    """A row a person: means by effect, then their posterior SDs as `posterior_sd.<effect>`."""
    found = effects_of(state)
    sds = np.sqrt(np.maximum(np.einsum("maa->ma", found.covariances), 0.0))
    columns = [*found.names, *(f"posterior_sd.{name}" for name in found.names)]
    return pd.DataFrame(np.hstack([found.means, sds]), index=found.labels, columns=columns)


def effect_names(state: MelsState) -> tuple[str, ...]:
    """Columns of the location effects, then "log_sd"."""
    return (*state.data.levels.columns, SCALE_EFFECT)


def _in_columns(state: MelsState) -> FloatArray:
    """What unit effects are in the columns' units: matrices (M, r, r)."""
    stated, rows = state.data, state.data.model.rows
    at = stated.model.shape.unpack(state.optimum.psi)
    q = rows.Z.shape[1]
    turn = np.zeros((rows.persons, q + 1, q + 1))
    turn[:, :q, :q] = stated.unit * stated.random.back @ at.L if q else 0.0
    turn[:, q, q] = at.scale_sd
    if rows.scaled >= 0:
        share = np.exp(rows.U @ at.alpha)
        mean = np.add.reduceat(share, rows.offsets[:-1]) / np.diff(rows.offsets)
        turn[:, rows.scaled] *= mean[:, None]
    return turn
