from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import FitError
from alc_stats.estimators import fit
from alc_stats.estimators.kernels.cluster_leverage import cluster_leverage
from alc_stats.inference import Criterion, contrast, decide
from estimators.witness import table
from tolerances import EXACT_ARITHMETIC

CLUSTERED = ("cluster", "CR2")


def trial(clusters: int, treated: int, rows: int = 5) -> pd.DataFrame:
    """Whole clusters treated; the first `treated` of them."""
    rng = np.random.default_rng(clusters * 100 + treated)
    k = np.repeat(np.arange(clusters), rows)
    y = rng.normal(size=clusters)[k] + rng.normal(size=len(k))
    return pd.DataFrame({"k": k, "a": (k < treated) * 1.0, "x": rng.normal(size=len(k)), "y": y})


@pytest.mark.parametrize("covariance", CLUSTERED)
@pytest.mark.parametrize(
    ("clusters", "treated", "where"),
    [(2, 1, "a = 1"), (12, 1, "a = 1"), (12, 11, "a = 0")],
)
def test_one_treated_cluster_has_no_clustered_standard_error(
    covariance: str, clusters: int, treated: int, where: str
) -> None:
    with pytest.raises(FitError) as raised:
        fit("y ~ a + x", trial(clusters, treated), covariance=covariance, cluster="k")
    assert str(raised.value) == (
        "formula 'y ~ a + x': one cluster of 'k' alone determines the coefficient a, so it has no "
        f"clustered standard error. Found: {clusters} clusters; all rows with {where} lie in one "
        "cluster. Treat more clusters, or use randomisation inference over whole clusters."
    )


def test_a_treatment_within_one_cluster_is_refused_too() -> None:
    data = trial(8, 0)
    data.loc[:2, "a"] = [0.5, 1.0, 2.0]
    with pytest.raises(FitError, match="without one of them the other columns reproduce a"):
        fit("y ~ a", data, covariance="CR2", cluster="k")


def test_saturated_clusters_are_refused() -> None:
    # two by two cells, one cluster each
    data = trial(4, 2).assign(b=lambda d: d["k"] % 2)
    with pytest.raises(FitError) as raised:
        fit("y ~ a * b", data, covariance="cluster", cluster="k")
    assert len(raised.value.problems) == 3


@pytest.mark.parametrize("covariance", CLUSTERED)
def test_two_treated_clusters_are_noted(covariance: str) -> None:
    result = fit("y ~ a", trial(12, 2), covariance=covariance, cluster="k")
    (note,) = result.certificate.notes
    # 2 (10/12)^2 of 2 (10/12)^2 + 10 (2/12)^2; shares 5/12 and 1/60 each
    assert note.startswith(
        "2 of 12 clusters of 'k' carry 83% of what the rows say about a, as few as 2.9 equal "
        "clusters would: "
    )
    assert ("use CR2" in note) == (covariance == "cluster")


def test_half_the_clusters_treated_need_no_note() -> None:
    assert fit("y ~ a", trial(12, 6), covariance="cluster", cluster="k").certificate.notes == ()


def test_many_columns_between_few_clusters_are_noted() -> None:
    data = trial(9, 4)
    for j in range(4):
        data[f"z{j}"] = np.random.default_rng(j).normal(size=9)[data["k"]]
    notes = fit("y ~ a + z0 + z1 + z2 + z3 + x", data, covariance="cluster", cluster="k")
    assert any(
        note.startswith("6 coefficients vary only between the 9 clusters of 'k', which leaves 3 to")
        for note in notes.certificate.notes
    )


def test_effects_of_clusters_are_held_constant_but_not_tested() -> None:
    data = table("linear", "clusters.csv").dropna()
    result = fit("y ~ firm + x", data, covariance="CR2", cluster="firm")
    dummies = [name.startswith("firm") or name == "Intercept" for name in result.names]
    assert np.array_equal(np.isnan(result.df), dummies)
    assert result.certificate.notes[0].endswith(
        "they are held constant, but have no clustered standard error and cannot be tested."
    )
    criterion = Criterion("superiority", 0.1)
    assert decide(contrast(result, "firm[T.f02]"), criterion).verdict == "not tested"
    assert decide(contrast(result, "x"), criterion).verdict != "not tested"


def test_shares_are_exact_fractions() -> None:
    k = np.repeat(np.arange(12), 5)
    found = cluster_leverage(np.column_stack([np.ones(60), k < 2]).astype(float), k)
    treated, control = Fraction(5, 12), Fraction(1, 60)
    expected = [float(treated)] * 2 + [float(control)] * 10
    np.testing.assert_allclose(found.shares[:, 1], expected, rtol=EXACT_ARITHMETIC)
    effective = 1 / (2 * treated**2 + 10 * control**2)
    assert found.effective[1] == pytest.approx(float(effective), rel=EXACT_ARITHMETIC)
    assert found.between.tolist() == [True, True]


def test_lone_coefficients_are_those_a_rank_without_the_cluster_loses() -> None:
    rng = np.random.default_rng(5)
    k = np.repeat(np.arange(6), 4)
    X = np.column_stack([np.ones(24), k == 0, k == 1, rng.normal(size=(24, 2)), k % 2]).astype(
        float
    )
    found = cluster_leverage(X, k)
    lost = np.zeros(6, dtype=bool)
    for g in range(6):
        rest = X[k != g]
        for j in range(6):
            others = np.delete(rest, j, axis=1)
            lost[j] |= np.linalg.matrix_rank(rest) == np.linalg.matrix_rank(others)
    assert found.lone.tolist() == lost.tolist() == [False, True, True, False, False, False]
