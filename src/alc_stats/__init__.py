"""Tests the competence-inversion hypothesis, from raw survey and log files to a decided hypothesis.

Everything a user needs is importable from here, and nothing is loaded until it is used, so that
``import alc_stats`` costs next to nothing.

Examples
--------
>>> import alc_stats as alc
>>> alc.decide(alc.Estimate("effect", 0.30, 0.10, 50.0), alc.Criterion("superiority", 0.20)).verdict
'supported'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alc_stats.errors import AlcError as AlcError
    from alc_stats.estimators import Estimate as Estimate
    from alc_stats.estimators import Fit as Fit
    from alc_stats.estimators import fit as fit
    from alc_stats.estimators import fit_panel as fit_panel
    from alc_stats.inference import Criterion as Criterion
    from alc_stats.inference import check as check
    from alc_stats.inference import cluster_bootstrap as cluster_bootstrap
    from alc_stats.inference import compare as compare
    from alc_stats.inference import contrast as contrast
    from alc_stats.inference import decide as decide
    from alc_stats.inference import holm as holm
    from alc_stats.inference import icc as icc
    from alc_stats.inference import joint as joint
    from alc_stats.inference import marginal_means as marginal_means
    from alc_stats.inference import marginal_probabilities as marginal_probabilities
    from alc_stats.inference import null_model as null_model
    from alc_stats.inference import pairwise as pairwise
    from alc_stats.inference import parametric_bootstrap as parametric_bootstrap
    from alc_stats.inference import plausible_values as plausible_values
    from alc_stats.inference import profile_interval as profile_interval
    from alc_stats.inference import profile_intervals as profile_intervals
    from alc_stats.inference import r2 as r2
    from alc_stats.inference import risk_difference as risk_difference
    from alc_stats.inference import sd_ratio as sd_ratio
    from alc_stats.inference import small_sample_choice as small_sample_choice
    from alc_stats.inference import tidy as tidy
    from alc_stats.inference import variance_ratio as variance_ratio
    from alc_stats.inference import weighted_cluster_bootstrap as weighted_cluster_bootstrap
    from alc_stats.inference import wild_cluster_bootstrap as wild_cluster_bootstrap
    from alc_stats.measures import Measure as Measure
    from alc_stats.measures import disattenuated as disattenuated
    from alc_stats.measures import reliability as reliability
    from alc_stats.measures import score as score
    from alc_stats.measures import within_between as within_between
    from alc_stats.models import Claim as Claim
    from alc_stats.models import Finding as Finding
    from alc_stats.models import widening as widening
    from alc_stats.report.finding_plot import plot as plot
    from alc_stats.report.finding_summary import summary as summary
    from alc_stats.study import read_study as read_study
    from alc_stats.study import run_study as run_study

_ROOM = {
    "AlcError": "errors",
    "Claim": "models",
    "Criterion": "inference",
    "Estimate": "estimators",
    "Finding": "models",
    "Fit": "estimators",
    "Measure": "measures",
    "check": "inference",
    "cluster_bootstrap": "inference",
    "compare": "inference",
    "contrast": "inference",
    "decide": "inference",
    "disattenuated": "measures",
    "fit": "estimators",
    "fit_panel": "estimators",
    "holm": "inference",
    "icc": "inference",
    "joint": "inference",
    "marginal_means": "inference",
    "marginal_probabilities": "inference",
    "null_model": "inference",
    "pairwise": "inference",
    "parametric_bootstrap": "inference",
    "plausible_values": "inference",
    "plot": "report.finding_plot",
    "profile_interval": "inference",
    "profile_intervals": "inference",
    "r2": "inference",
    "read_study": "study",
    "reliability": "measures",
    "risk_difference": "inference",
    "run_study": "study",
    "score": "measures",
    "sd_ratio": "inference",
    "small_sample_choice": "inference",
    "summary": "report.finding_summary",
    "tidy": "inference",
    "variance_ratio": "inference",
    "weighted_cluster_bootstrap": "inference",
    "widening": "models",
    "wild_cluster_bootstrap": "inference",
    "within_between": "measures",
}

__all__ = [
    "AlcError",
    "Claim",
    "Criterion",
    "Estimate",
    "Finding",
    "Fit",
    "Measure",
    "check",
    "cluster_bootstrap",
    "compare",
    "contrast",
    "decide",
    "disattenuated",
    "fit",
    "fit_panel",
    "holm",
    "icc",
    "joint",
    "marginal_means",
    "marginal_probabilities",
    "null_model",
    "pairwise",
    "parametric_bootstrap",
    "plausible_values",
    "plot",
    "profile_interval",
    "profile_intervals",
    "r2",
    "read_study",
    "reliability",
    "risk_difference",
    "run_study",
    "score",
    "sd_ratio",
    "small_sample_choice",
    "summary",
    "tidy",
    "variance_ratio",
    "weighted_cluster_bootstrap",
    "widening",
    "wild_cluster_bootstrap",
    "within_between",
]


def __getattr__(name: str) -> object:
    """Load a public name from its room on first use."""
    if name not in _ROOM:
        raise AttributeError(f"module 'alc_stats' has no attribute '{name}'")
    return getattr(import_module(f"alc_stats.{_ROOM[name]}"), name)


def __dir__() -> list[str]:
    return __all__
