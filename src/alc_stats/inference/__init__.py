"""From a `Fit` to an answer: tables, contrasts, equivalence, multiplicity, decisions.

Everything here is a function of records the estimators return; nothing here fits a model or
knows where its numbers came from. `models`, `study` and `report` come in; this room looks only
at `estimators`' records.
"""

from alc_stats.inference.bootstrap import (
    BootstrapDraws,
    Simulator,
    parametric_bootstrap,
    simulator,
)
from alc_stats.inference.contrasts import JointTest, contrast, joint
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
from alc_stats.inference.homogeneity import EqualSpread, brown_forsythe
from alc_stats.inference.marginal_means import MarginalMeans, marginal_means
from alc_stats.inference.multiplicity import benjamini_hochberg, holm
from alc_stats.inference.pairwise import Comparisons, pairwise
from alc_stats.inference.small_samples import SmallSampleChoice, small_sample_choice
from alc_stats.inference.tidy import tidy
from alc_stats.inference.wild_bootstrap import WildBootstrap, wild_cluster_bootstrap

__all__ = [
    "BootstrapDraws",
    "Comparisons",
    "Criterion",
    "Decision",
    "EqualSpread",
    "JointTest",
    "MarginalMeans",
    "MeansEquivalence",
    "Rule",
    "Simulator",
    "SmallSampleChoice",
    "Verdict",
    "WildBootstrap",
    "benjamini_hochberg",
    "brown_forsythe",
    "check_criterion",
    "conjoin",
    "contrast",
    "decide",
    "equivalence_of_means",
    "equivalence_p",
    "holm",
    "joint",
    "marginal_means",
    "non_inferiority_p",
    "non_superiority_p",
    "not_tested",
    "own_p",
    "pairwise",
    "parametric_bootstrap",
    "simulator",
    "small_sample_choice",
    "tidy",
    "wild_cluster_bootstrap",
]
