"""From one table and a formula to a `Fit`: least squares, mixed models, panels.

`fit` and `fit_panel` are the doors; statsmodels and linearmodels do the searching, `kernels`
holds arithmetic on arrays, and every answer is the same frozen record with a certificate. This
room knows tables and formulas; it does not know what a model is for.
"""

from alc_stats.estimators.api import fit, fit_panel
from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.estimate import Direction, Estimate
from alc_stats.estimators.fit import Coding, Component, Counts, Fit, Request, VarianceComponent
from alc_stats.estimators.formula import variables

__all__ = [
    "Certificate",
    "Coding",
    "Component",
    "Counts",
    "Direction",
    "Estimate",
    "Fit",
    "Request",
    "VarianceComponent",
    "fit",
    "fit_panel",
    "variables",
]
