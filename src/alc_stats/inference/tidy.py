"""A fit's coefficients as one table."""

from __future__ import annotations

import pandas as pd

from alc_stats.estimators.fit import Fit, require_usable

COLUMNS = ("term", "component", "estimate", "se", "statistic", "df", "p", "low", "high")


def tidy(fit: Fit, *, level: float = 0.95) -> pd.DataFrame:
    """One row a coefficient: term, component, estimate, se, statistic, df, p, low, high.

    Rows of the components `log_sd` and `between_log_sd` are on the log SD scale.

    Raises
    ------
    FitError
        If the fit's certificate does not allow its numbers to be used.
    """
    require_usable(fit)
    limits = fit.conf_int(level)
    columns = {
        "term": list(fit.names),
        "component": list(fit.components),
        "estimate": fit.estimates,
        "se": fit.bse.to_numpy(),
        "statistic": fit.tvalues.to_numpy(),
        "df": fit.df,
        "p": fit.pvalues.to_numpy(),
        "low": limits["low"].to_numpy(),
        "high": limits["high"].to_numpy(),
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))
