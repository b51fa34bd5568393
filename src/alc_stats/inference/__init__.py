"""From a `Fit` to an answer: tables, contrasts, equivalence, multiplicity, decisions.

Everything here is a function of records the estimators return. What needs the rows again
(comparisons, residual checks, profiles) asks the fit's memory for them and refits with the
estimators' own engine. `models`, `study` and `report` come in; this room looks only at
`estimators`.
"""

from alc_stats.inference.bootstrap import Simulator, parametric_bootstrap, simulator
from alc_stats.inference.bootstrap_draws import BootstrapDraws
from alc_stats.inference.checking import Check, ModelCheck, check, scaled_residuals
from alc_stats.inference.cluster_bootstrap import cluster_bootstrap, weighted_cluster_bootstrap
from alc_stats.inference.comparison import Comparison, compare
from alc_stats.inference.contrasts import JointTest, contrast, joint
from alc_stats.inference.correlation import Icc, IccLevel, icc, null_model
from alc_stats.inference.decision import (
    Criterion,
    Decision,
    Rule,
    Verdict,
    check_criterion,
    conjoin,
    decide,
    not_tested,
    own_p,
)
from alc_stats.inference.equivalence import (
    MeansEquivalence,
    equivalence_of_means,
    equivalence_p,
    non_inferiority_p,
    non_superiority_p,
)
from alc_stats.inference.explained import R2, Part, r2
from alc_stats.inference.fieller import RatioInterval, fieller
from alc_stats.inference.homogeneity import EqualSpread, brown_forsythe
from alc_stats.inference.johnson_neyman import JohnsonNeyman, Region, johnson_neyman
from alc_stats.inference.likelihood_ratio import ChiSquare
from alc_stats.inference.marginal_means import MarginalMeans, marginal_means
from alc_stats.inference.marginal_probabilities import (
    MarginalProbabilities,
    marginal_probabilities,
    risk_difference,
)
from alc_stats.inference.multiplicity import benjamini_hochberg, holm
from alc_stats.inference.pairwise import Comparisons, pairwise
from alc_stats.inference.plausible import plausible_values
from alc_stats.inference.pooled_fits import PooledFits, pooled
from alc_stats.inference.pooling import Pooled, pool, replicate_variance
from alc_stats.inference.profile import (
    ProfileInterval,
    parameters_of,
    profile_interval,
    profile_intervals,
)
from alc_stats.inference.randomisation import Randomisation, randomisation_test
from alc_stats.inference.ratios import sd_ratio, variance_ratio
from alc_stats.inference.resamples import Resamples
from alc_stats.inference.romano_wolf import StepDown, romano_wolf
from alc_stats.inference.small_sample_test import SmallSampleTest, small_sample_test
from alc_stats.inference.small_samples import SmallSampleChoice, small_sample_choice
from alc_stats.inference.tidy import tidy
from alc_stats.inference.wild_bootstrap import WildBootstrap, wild_cluster_bootstrap

__all__ = [
    "R2",
    "BootstrapDraws",
    "Check",
    "ChiSquare",
    "Comparison",
    "Comparisons",
    "Criterion",
    "Decision",
    "EqualSpread",
    "Icc",
    "IccLevel",
    "JohnsonNeyman",
    "JointTest",
    "MarginalMeans",
    "MarginalProbabilities",
    "MeansEquivalence",
    "ModelCheck",
    "Part",
    "Pooled",
    "PooledFits",
    "ProfileInterval",
    "Randomisation",
    "RatioInterval",
    "Region",
    "Resamples",
    "Rule",
    "Simulator",
    "SmallSampleChoice",
    "SmallSampleTest",
    "StepDown",
    "Verdict",
    "WildBootstrap",
    "benjamini_hochberg",
    "brown_forsythe",
    "check",
    "check_criterion",
    "cluster_bootstrap",
    "compare",
    "conjoin",
    "contrast",
    "decide",
    "equivalence_of_means",
    "equivalence_p",
    "fieller",
    "holm",
    "icc",
    "johnson_neyman",
    "joint",
    "marginal_means",
    "marginal_probabilities",
    "non_inferiority_p",
    "non_superiority_p",
    "not_tested",
    "null_model",
    "own_p",
    "pairwise",
    "parameters_of",
    "parametric_bootstrap",
    "plausible_values",
    "pool",
    "pooled",
    "profile_interval",
    "profile_intervals",
    "r2",
    "randomisation_test",
    "replicate_variance",
    "risk_difference",
    "romano_wolf",
    "scaled_residuals",
    "sd_ratio",
    "simulator",
    "small_sample_choice",
    "small_sample_test",
    "tidy",
    "variance_ratio",
    "weighted_cluster_bootstrap",
    "wild_cluster_bootstrap",
]
