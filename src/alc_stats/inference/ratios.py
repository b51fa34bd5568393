"""Coefficients of log SDs as ratios of SDs and of variances."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem
from alc_stats.estimators.fit import Fit, require_usable


def sd_ratio(fit: Fit, *, level: float = 0.95) -> pd.DataFrame:
    """Ratio of SDs per unit of every column of a log SD.

    Parameters
    ----------
    fit : Fit
        With components "log_sd" or "between_log_sd".
    level : float
        Of the intervals, whose limits are those of the log SD.

    Returns
    -------
    DataFrame
        Columns "ratio", "low" and "high"; a row a coefficient, such as "log_sd.mandate" (SD within
        persons) and "between_log_sd.mandate" (SD between). Intercepts are SDs and no ratios, and
        are left out.

    Raises
    ------
    DeclarationError
        If the fit models no log SD, or for a level outside (0, 1).
    FitError
        If the fit cannot be used.

    Examples
    --------
    >>> from alc_stats.estimators import fit
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"person": np.repeat(np.arange(60), 8), "arm": [0.0, 1.0] * 240})
    >>> data["y"] = rng.normal(size=60)[data["person"]] + rng.normal(size=480) * 2 ** data["arm"]
    >>> m = fit("y ~ arm + (1 | person)", data, scale="~ arm + (1 | person)")
    >>> sd_ratio(m).round(1).loc["log_sd.arm"].to_dict()
    {'ratio': 1.9, 'low': 1.7, 'high': 2.2}
    """
    return _ratios(fit, 1.0, level)


def variance_ratio(fit: Fit, *, level: float = 0.95) -> pd.DataFrame:
    """Ratio of variances per unit of every column of a log SD: the squares of `sd_ratio`."""
    return _ratios(fit, 2.0, level)


def _ratios(fit: Fit, power: float, level: float) -> pd.DataFrame:
    require_usable(fit)
    if not 0.0 < level < 1.0:
        raise DeclarationError(
            Problem("no such level", where="level=...", found=f"{level}", allowed="0 to 1")
        )
    spreads = [
        part != "mean" and name != "Intercept"
        for name, part in zip(fit.names, fit.components, strict=True)
    ]
    if not any(spreads):
        raise DeclarationError(
            Problem(
                "the fit says of no column what it does to an SD",
                where=f"fit of '{fit.request.formula}'",
                way_out='Fit a location-scale model: scale="~ mandate".',
            )
        )
    logs = pd.concat([fit.params.rename("ratio"), fit.conf_int(level)], axis=1)
    found = logs[spreads]
    return pd.DataFrame(np.exp(power * found.to_numpy()), found.index, found.columns)
