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
    from alc_stats.inference import benjamini_hochberg as benjamini_hochberg
    from alc_stats.inference import check as check
    from alc_stats.inference import cluster_bootstrap as cluster_bootstrap
    from alc_stats.inference import compare as compare
    from alc_stats.inference import contrast as contrast
    from alc_stats.inference import decide as decide
    from alc_stats.inference import equivalence_of_means as equivalence_of_means
    from alc_stats.inference import equivalence_p as equivalence_p
    from alc_stats.inference import holm as holm
    from alc_stats.inference import icc as icc
    from alc_stats.inference import johnson_neyman as johnson_neyman
    from alc_stats.inference import joint as joint
    from alc_stats.inference import marginal_means as marginal_means
    from alc_stats.inference import marginal_probabilities as marginal_probabilities
    from alc_stats.inference import non_inferiority_p as non_inferiority_p
    from alc_stats.inference import non_superiority_p as non_superiority_p
    from alc_stats.inference import null_model as null_model
    from alc_stats.inference import pairwise as pairwise
    from alc_stats.inference import parametric_bootstrap as parametric_bootstrap
    from alc_stats.inference import plausible_values as plausible_values
    from alc_stats.inference import pool as pool
    from alc_stats.inference import pooled as pooled
    from alc_stats.inference import profile_interval as profile_interval
    from alc_stats.inference import profile_intervals as profile_intervals
    from alc_stats.inference import r2 as r2
    from alc_stats.inference import randomisation_test as randomisation_test
    from alc_stats.inference import replicate_variance as replicate_variance
    from alc_stats.inference import risk_difference as risk_difference
    from alc_stats.inference import romano_wolf as romano_wolf
    from alc_stats.inference import sd_ratio as sd_ratio
    from alc_stats.inference import small_sample_choice as small_sample_choice
    from alc_stats.inference import small_sample_test as small_sample_test
    from alc_stats.inference import tidy as tidy
    from alc_stats.inference import variance_ratio as variance_ratio
    from alc_stats.inference import weighted_cluster_bootstrap as weighted_cluster_bootstrap
    from alc_stats.inference import wild_cluster_bootstrap as wild_cluster_bootstrap
    from alc_stats.measures import Measure as Measure
    from alc_stats.measures import disattenuated as disattenuated
    from alc_stats.measures import padding as padding
    from alc_stats.measures import priced as priced
    from alc_stats.measures import reliability as reliability
    from alc_stats.measures import score as score
    from alc_stats.measures import within_between as within_between
    from alc_stats.models import Claim as Claim
    from alc_stats.models import Finding as Finding
    from alc_stats.models import Metric as Metric
    from alc_stats.models import NamedScale as NamedScale
    from alc_stats.models import bunching as bunching
    from alc_stats.models import calibration as calibration
    from alc_stats.models import decoupling as decoupling
    from alc_stats.models import distinct as distinct
    from alc_stats.models import dose_response as dose_response
    from alc_stats.models import forecast as forecast
    from alc_stats.models import frontier as frontier
    from alc_stats.models import gap as gap
    from alc_stats.models import inversion as inversion
    from alc_stats.models import mandate as mandate
    from alc_stats.models import mediation as mediation
    from alc_stats.models import moderation as moderation
    from alc_stats.models import proxy as proxy
    from alc_stats.models import response_surface as response_surface
    from alc_stats.models import scorecard as scorecard
    from alc_stats.models import shift as shift
    from alc_stats.models import transfer as transfer
    from alc_stats.models import widening as widening
    from alc_stats.report.finding_plot import plot as plot
    from alc_stats.report.finding_summary import summary as summary
    from alc_stats.report.scorecard_page import write_scorecard as write_scorecard
    from alc_stats.study import read_study as read_study
    from alc_stats.study import run_study as run_study

_ROOM = {
    "AlcError": "errors",
    "Claim": "models",
    "Criterion": "inference",
    "Estimate": "estimators",
    "Finding": "models",
    "Fit": "estimators",
    "bunching": "models",
    "frontier": "models",
    "proxy": "models",
    "calibration": "models",
    "Measure": "measures",
    "Metric": "models",
    "NamedScale": "models",
    "benjamini_hochberg": "inference",
    "check": "inference",
    "cluster_bootstrap": "inference",
    "compare": "inference",
    "contrast": "inference",
    "decide": "inference",
    "dose_response": "models",
    "decoupling": "models",
    "disattenuated": "measures",
    "priced": "measures",
    "distinct": "models",
    "equivalence_of_means": "inference",
    "equivalence_p": "inference",
    "fit": "estimators",
    "fit_panel": "estimators",
    "forecast": "models",
    "gap": "models",
    "holm": "inference",
    "icc": "inference",
    "inversion": "models",
    "johnson_neyman": "inference",
    "joint": "inference",
    "mandate": "models",
    "marginal_means": "inference",
    "marginal_probabilities": "inference",
    "non_inferiority_p": "inference",
    "non_superiority_p": "inference",
    "mediation": "models",
    "moderation": "models",
    "null_model": "inference",
    "padding": "measures",
    "pairwise": "inference",
    "parametric_bootstrap": "inference",
    "plausible_values": "inference",
    "plot": "report.finding_plot",
    "pool": "inference",
    "pooled": "inference",
    "profile_interval": "inference",
    "profile_intervals": "inference",
    "r2": "inference",
    "randomisation_test": "inference",
    "read_study": "study",
    "reliability": "measures",
    "replicate_variance": "inference",
    "risk_difference": "inference",
    "romano_wolf": "inference",
    "response_surface": "models",
    "run_study": "study",
    "score": "measures",
    "scorecard": "models",
    "sd_ratio": "inference",
    "shift": "models",
    "small_sample_choice": "inference",
    "small_sample_test": "inference",
    "summary": "report.finding_summary",
    "tidy": "inference",
    "transfer": "models",
    "variance_ratio": "inference",
    "weighted_cluster_bootstrap": "inference",
    "widening": "models",
    "wild_cluster_bootstrap": "inference",
    "within_between": "measures",
    "write_scorecard": "report.scorecard_page",
}

__all__ = [
    "AlcError",
    "Claim",
    "Criterion",
    "Estimate",
    "Finding",
    "Fit",
    "Measure",
    "Metric",
    "NamedScale",
    "benjamini_hochberg",
    "bunching",
    "calibration",
    "check",
    "cluster_bootstrap",
    "compare",
    "contrast",
    "decide",
    "decoupling",
    "disattenuated",
    "distinct",
    "dose_response",
    "equivalence_of_means",
    "equivalence_p",
    "fit",
    "fit_panel",
    "forecast",
    "frontier",
    "gap",
    "holm",
    "icc",
    "inversion",
    "johnson_neyman",
    "joint",
    "mandate",
    "marginal_means",
    "marginal_probabilities",
    "mediation",
    "moderation",
    "non_inferiority_p",
    "non_superiority_p",
    "null_model",
    "padding",
    "pairwise",
    "parametric_bootstrap",
    "plausible_values",
    "plot",
    "pool",
    "pooled",
    "priced",
    "profile_interval",
    "profile_intervals",
    "proxy",
    "r2",
    "randomisation_test",
    "read_study",
    "reliability",
    "replicate_variance",
    "response_surface",
    "risk_difference",
    "romano_wolf",
    "run_study",
    "score",
    "scorecard",
    "sd_ratio",
    "shift",
    "small_sample_choice",
    "small_sample_test",
    "summary",
    "tidy",
    "transfer",
    "variance_ratio",
    "weighted_cluster_bootstrap",
    "widening",
    "wild_cluster_bootstrap",
    "within_between",
    "write_scorecard",
]


def __getattr__(name: str) -> object:
    """Load a public name from its room on first use."""
    if name not in _ROOM:
        raise AttributeError(f"module 'alc_stats' has no attribute '{name}'")
    return getattr(import_module(f"alc_stats.{_ROOM[name]}"), name)


def __dir__() -> list[str]:
    return __all__
