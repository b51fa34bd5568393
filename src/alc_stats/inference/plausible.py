"""Plausible values of persons' effects, for analyses that come after a location-scale model."""

from __future__ import annotations

from itertools import islice

import pandas as pd

from alc_stats.errors import DeclarationError, Problem
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.mels_effects import effect_draws, effect_names, required_state
from alc_stats.inference.draws import stream_of


def plausible_values(fit: Fit, *, draws: int = 20, seed: int) -> pd.DataFrame:
    """Draw every person's location and scale effects from their posterior.

    Empirical-Bayes means are shrunken and their errors correlated, so that a regression on them is
    biased and too sure of itself; one run on every draw and pooled by Rubin's rules is neither
    (Mislevy 1991). The parameters of the model are held at their estimates.

    Parameters
    ----------
    fit : Fit
        With a random scale effect, made in this session.
    draws : int
        Of every person.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    DataFrame
        Indexed by "draw" (from 1) and the grouping; a column an effect: location effects in the
        outcome's unit, "log_sd" the scale effect in log SD.

    Raises
    ------
    DeclarationError
        For less than one draw, or a seed that is no whole number from 0.
    FitError
        If the fit cannot be used, has no random scale effect or does not remember its rows.

    Examples
    --------
    >>> import numpy as np
    >>> from alc_stats.estimators import fit
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"person": np.repeat(np.arange(40), 8)})
    >>> sd = np.exp(0.5 * rng.normal(size=40))[data["person"]]
    >>> data["y"] = rng.normal(size=40)[data["person"]] + sd * rng.normal(size=320)
    >>> m = fit("y ~ 1 + (1 | person)", data, scale="~ 1 + (1 | person)")
    >>> plausible_values(m, draws=5, seed=1).groupby("draw").size().tolist()
    [40, 40, 40, 40, 40]
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise DeclarationError(
            Problem(
                "the number of draws is not a whole number from 1",
                where="plausible_values(draws=...)",
                found=repr(draws),
            )
        )
    stream, state = stream_of(seed, "plausible_values"), required_state(fit)
    names, labels = list(effect_names(state)), state.data.labels
    tables = {
        k: pd.DataFrame(values, index=labels, columns=names)
        for k, values in enumerate(islice(effect_draws(state, stream), draws), start=1)
    }
    groups = state.data.group.split(":")
    return pd.concat(tables, names=["draw", *groups])
