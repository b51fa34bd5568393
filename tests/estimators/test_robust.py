"""Cluster-robust covariances against clubSandwich, slow twins and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alc_stats.errors import DeclarationError, FitError, FormulaError
from alc_stats.estimators import Fit, fit, robust
from alc_stats.estimators.fit import Request
from alc_stats.estimators.formula import parse
from alc_stats.estimators.kernels.cluster_robust import Sandwich, Working, sums
from alc_stats.estimators.lmm_robust import fit_lmm_clustered, working
from alc_stats.estimators.memory import mixed_state
from alc_stats.estimators.robust import Clusters, sandwich
from estimators.witness import answers, real_data, table
from tolerances import EXACT_ARITHMETIC, FLAT_OPTIMUM, OTHER_ALGORITHM, TWELVE_PRINTED_DIGITS

R = answers("cluster_robust")
KINDS = ("CR0", "CR1", "CR2", "CR3")
CASES = [
    pytest.param(model, kind, id=f"{source} {model['call']} by {model['cluster']} {kind}")
    for source in ("models", "lme")
    for model in R[source]
    for kind in KINDS
]


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    return table("cluster_robust", "firms.csv")


@pytest.mark.parametrize(("model", "kind"), CASES)
def test_every_kind_is_clubsandwichs(firms: pd.DataFrame, model: dict, kind: str) -> None:
    tolerance = FLAT_OPTIMUM if "|" in model["call"] else OTHER_ALGORITHM
    result = fit(
        model["call"], firms, covariance=kind, cluster=model["cluster"], df="satterthwaite"
    )
    answer = model["kinds"][kind]
    names = [{"(Intercept)": "Intercept"}.get(name, name) for name in model["names"]]
    at = [result.names.index(name) for name in names]
    np.testing.assert_allclose(result.bse[names], answer["se"], rtol=tolerance)
    np.testing.assert_allclose(result.df[at], answer["df"], rtol=tolerance)
    np.testing.assert_allclose(result.pvalues[names], answer["p"], rtol=5 * tolerance)
    np.testing.assert_allclose(
        result.vcov[np.ix_(at, at)],
        answer["vcov"],
        atol=tolerance * np.max(np.abs(answer["vcov"])),
        rtol=0.0,
    )


def test_orthodont_is_clubsandwichs() -> None:
    # clubSandwich 0.5.8, lme(distance ~ Sex*age, random = ~1|Subject), REML, coef_test(vcov="CR2")
    data = real_data("multilevel/nlme__Orthodont.csv", "nlme, GPL")
    data["Sex"] = pd.Categorical(data["Sex"], ["Male", "Female"])
    result = fit("distance ~ Sex*age + (1 | Subject)", data, covariance="CR2", cluster="Subject")
    np.testing.assert_allclose(
        result.bse,
        [1.209900295048, 1.429116948638, 0.1015729161325, 0.121249143553],
        rtol=TWELVE_PRINTED_DIGITS,
    )
    np.testing.assert_allclose(
        result.df, [15.0, 21.653465346535, 15.0, 21.653465346535], rtol=TWELVE_PRINTED_DIGITS
    )
    np.testing.assert_allclose(
        result.pvalues,
        [8.457297591418e-10, 0.4779017257837, 1.326864539544e-06, 0.01988588006382],
        rtol=TWELVE_PRINTED_DIGITS,
    )


def slow(model: Working, kind: str, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance and Satterthwaite df with every n by n matrix, as clubSandwich writes them."""
    X, e = model.X, model.residuals
    p = X.shape[1]
    W = np.linalg.inv(covariance)
    M = np.linalg.inv(X.T @ W @ X)
    G, meat, g = int(model.clusters.max()) + 1, np.zeros((p, p)), []
    for c in range(G):
        rows = np.flatnonzero(model.clusters == c)
        V, x = covariance[np.ix_(rows, rows)], X[rows]
        left = np.eye(len(rows)) - x @ M @ x.T @ np.linalg.inv(V)
        A = np.eye(len(rows))
        if kind == "CR2":
            D = np.linalg.cholesky(V).T
            values, vectors = np.linalg.eigh(D @ left @ V @ D.T)
            keep = values > 1e-10 * values[-1]
            root = vectors[:, keep] @ np.diag(values[keep] ** -0.5) @ vectors[:, keep].T
            A = D.T @ root @ D
        elif kind == "CR3":
            A = np.linalg.inv(left)
        score = x.T @ np.linalg.inv(V) @ A @ e[rows]
        meat += np.outer(score, score)
        g.append((M @ x.T @ np.linalg.inv(V) @ A, rows))
    remaining = covariance - X @ M @ X.T
    df = []
    for j in range(p):
        P = np.array([[a[j] @ remaining[np.ix_(i, k)] @ b[j] for b, k in g] for a, i in g])
        df.append(np.trace(P) ** 2 / np.sum(P**2))
    return M @ meat @ M, np.array(df)


def dense_covariance(model: Working) -> np.ndarray:
    U = np.zeros((len(model.X), model.effects))
    np.put_along_axis(U, model.effect, model.load, axis=1)
    weights = np.ones(len(U)) if model.weights is None else model.weights
    return np.diag(1.0 / weights) + U @ U.T


def by_working_covariance(model: Working, kind: str) -> Sandwich:
    return sandwich(model, kind, firms_at(model.clusters), "")


def firms_at(level: np.ndarray) -> Clusters:
    return Clusters("firm", level, tuple(str(g) for g in range(int(level.max()) + 1)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["CR0", "CR2", "CR3"])
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ mandate*week + x + (1 + week | person) + (1 | firm)",
        "y ~ week + x + (1 | person) + (1 | firm:week)",
    ],
)
def test_every_kind_is_its_slow_twin(
    firms: pd.DataFrame, formula: str, kind: str, weighted: bool
) -> None:
    fitted = fit(formula, firms)
    level = pd.factorize(firms.dropna()["firm"])[0].astype(np.int64)
    weights = np.linspace(0.2, 3.0, len(level)) if weighted else None
    model = working(mixed_state(fitted), fitted.memory.design, firms_at(level), weights, "here")
    found = by_working_covariance(model, kind)
    covariance, df = slow(model, kind, dense_covariance(model))
    np.testing.assert_allclose(found.covariance, covariance, rtol=OTHER_ALGORITHM, atol=1e-14)
    mine = [found.df(direction) for direction in np.eye(len(df))]
    np.testing.assert_allclose(mine, df, rtol=OTHER_ALGORITHM)


def test_cr2_is_unbiased_where_the_model_is_right(firms: pd.DataFrame) -> None:
    # E of the sandwich under V: sum of F'(V - X M X')F over the clusters, which must be M^-1
    fitted = fit("y ~ mandate*week + x + (1 + week | person)", firms)
    level = pd.factorize(firms.dropna()["firm"])[0].astype(np.int64)
    model = working(mixed_state(fitted), fitted.memory.design, firms_at(level), None, "here")
    found = by_working_covariance(model, "CR2")
    shares = found.share.swapaxes(1, 2) @ found.bread @ found.share
    expected = (found.spread - shares).sum(axis=0)
    np.testing.assert_allclose(found.bread @ expected, np.eye(len(expected)), atol=OTHER_ALGORITHM)


def test_cr3_is_the_jackknife(firms: pd.DataFrame) -> None:
    data = firms.dropna().reset_index(drop=True)
    result = fit("y ~ mandate*week + x", data, covariance="CR3", cluster="firm")
    changes = np.array(
        [
            fit("y ~ mandate*week + x", data[data["firm"] != firm]).estimates - result.estimates
            for firm in sorted(data["firm"].unique())
        ]
    )
    np.testing.assert_allclose(result.vcov, changes.T @ changes, rtol=OTHER_ALGORITHM)


@pytest.mark.parametrize(("clustered", "single"), [("CR0", "HC0"), ("CR2", "HC2"), ("CR3", "HC3")])
def test_clusters_of_single_rows_are_heteroscedastic_rows(
    firms: pd.DataFrame, clustered: str, single: str
) -> None:
    data = firms.dropna().reset_index(drop=True)
    data["row"] = data.index
    found = fit("y ~ mandate*week + x", data, covariance=clustered, cluster="row")
    expected = fit("y ~ mandate*week + x", data, covariance=single)
    np.testing.assert_allclose(found.vcov, expected.vcov, rtol=OTHER_ALGORITHM)


def test_cr1_and_cluster_differ_by_the_rows_and_columns(firms: pd.DataFrame) -> None:
    arguments = ("y ~ mandate*week + x", firms)
    plain, cr1, stata = (
        fit(*arguments, covariance=kind, cluster="firm") for kind in ("CR0", "CR1", "cluster")
    )
    n, k, G = cr1.counts.used, 5, 9
    np.testing.assert_allclose(cr1.vcov, plain.vcov * G / (G - 1), rtol=EXACT_ARITHMETIC)
    np.testing.assert_allclose(stata.vcov, cr1.vcov * (n - 1) / (n - k), rtol=OTHER_ALGORITHM)
    assert cr1.df.tolist() == stata.df.tolist() == [8.0] * 5


def two_arms(firms: tuple[int, int], rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    number = sum(firms)
    data = pd.DataFrame({"firm": np.repeat(np.arange(number), rows)})
    data["arm"] = (data["firm"] >= firms[0]) * 1.0
    data["y"] = rng.normal(size=number)[data["firm"]] * (1.0 + data["arm"])
    data["y"] += rng.normal(size=len(data))
    return data


@pytest.mark.parametrize("formula", ["y ~ arm", "y ~ arm + (1 | firm)"])
def test_a_difference_of_two_arms_is_welchs(formula: str) -> None:
    # equal firms: t is Welch's on the firms' means, df Welch's where both arms vary alike
    from scipy import stats

    data = two_arms((5, 8), rows=4)
    result = fit(formula, data, covariance="CR2", cluster="firm")
    means = data.groupby("firm")[["arm", "y"]].mean()
    treated, control = means["y"][means["arm"] == 1], means["y"][means["arm"] == 0]
    welch = stats.ttest_ind(treated, control, equal_var=False)
    assert result.tvalues["arm"] == pytest.approx(welch.statistic, rel=OTHER_ALGORITHM)
    df = (1 / 5 + 1 / 8) ** 2 / (1 / (5**2 * 4) + 1 / (8**2 * 7))
    assert result.df[1] == pytest.approx(df, rel=OTHER_ALGORITHM)


def test_in_a_balanced_design_the_kinds_stand_in_fixed_ratios() -> None:
    # one mean, G equal firms: CR1 = CR2 = CR0 G/(G-1), CR3 = CR0 (G/(G-1))^2, df = G - 1
    data, G = two_arms((4, 4), rows=5), 8
    found = {
        kind: fit("y ~ 1 + (1 | firm)", data, covariance=kind, cluster="firm") for kind in KINDS
    }
    base = found["CR0"].vcov[0, 0]
    ratios = [float(found[kind].vcov[0, 0] / base) for kind in KINDS]
    step = G / (G - 1)
    assert ratios == pytest.approx([1.0, step, step, step**2], rel=OTHER_ALGORITHM)
    assert found["CR2"].df[0] == pytest.approx(G - 1, rel=OTHER_ALGORITHM)
    assert found["CR0"].df[0] == G - 1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_and_names_of_clusters_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 9, size=7)
    data = pd.DataFrame({"firm": np.repeat(np.arange(7), sizes)})
    data["person"] = data["firm"] * 10 + rng.integers(0, 3, len(data))
    data["x"] = rng.normal(size=len(data))
    data["y"] = data["x"] + rng.normal(size=7)[data["firm"]] + rng.normal(size=len(data))
    mixed = Working(
        np.column_stack([np.ones(len(data)), data["x"]]),
        data["y"].to_numpy(),
        data["firm"].to_numpy(dtype=np.int64),
        pd.factorize(data["person"])[0][:, None].astype(np.int64),
        np.full((len(data), 1), 0.8),
    )
    order, renamed = rng.permutation(len(data)), rng.permutation(7)
    other = Working(
        mixed.X[order],
        mixed.residuals[order],
        renamed[mixed.clusters[order]],
        mixed.effect[order],
        mixed.load[order],
    )
    for kind in ("CR0", "CR2"):
        one, two = by_working_covariance(mixed, kind), by_working_covariance(other, kind)
        np.testing.assert_allclose(one.covariance, two.covariance, rtol=OTHER_ALGORITHM)
        assert one.df(np.ones(2)) == pytest.approx(two.df(np.ones(2)), rel=OTHER_ALGORITHM)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_cr0_is_below_cr2_below_cr3_for_a_mean(seed: int) -> None:
    # one column: A >= I in CR2 and A^2 in CR3, so every cluster's share only grows
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(5), rng.integers(1, 6, size=5)).astype(np.int64)
    none = np.empty((len(clusters), 0))
    model = Working(
        np.ones((len(clusters), 1)),
        rng.normal(size=len(clusters)),
        clusters,
        none.astype(np.int64),
        none,
    )
    low, middle, high = (
        by_working_covariance(model, kind).covariance[0, 0] for kind in ("CR0", "CR2", "CR3")
    )
    assert low <= middle <= high


def weighted_fit(data: pd.DataFrame, kind: str) -> Fit:
    formula = "y ~ week + x + (1 | person)"
    request = Request(
        formula, "alc_stats", "REML", covariance=kind, cluster="firm", df="satterthwaite"
    )
    return fit_lmm_clustered(parse(formula), data, request=request, weights="w").fit


@pytest.mark.parametrize("kind", KINDS)
def test_the_scale_of_weights_does_not_matter(firms: pd.DataFrame, kind: str) -> None:
    weights = np.linspace(0.5, 2.0, len(firms))
    one = weighted_fit(firms.assign(w=weights), kind)
    two = weighted_fit(firms.assign(w=1000.0 * weights), kind)
    equal = weighted_fit(firms.assign(w=7.0), kind)
    plain = fit(
        "y ~ week + x + (1 | person)", firms, covariance=kind, cluster="firm", df="satterthwaite"
    )
    np.testing.assert_allclose(two.vcov, one.vcov, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(two.df, one.df, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(equal.vcov, plain.vcov, rtol=OTHER_ALGORITHM)
    assert abs(one.vcov[0, 0] / plain.vcov[0, 0] - 1.0) > 1e-3


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_and_origins_change_units_only(firms: pd.DataFrame, factor: float) -> None:
    formula = "y ~ week + x + (1 + week | person)"
    plain = fit(formula, firms, covariance="CR2", cluster="firm")
    other = fit(
        formula,
        firms.assign(x=firms["x"] * factor + 3.0 * factor, y=firms["y"] * 100.0),
        covariance="CR2",
        cluster="firm",
    )
    np.testing.assert_allclose(other.tvalues.iloc[1:], plain.tvalues.iloc[1:], rtol=1e-8)
    np.testing.assert_allclose(other.df[1:], plain.df[1:], rtol=1e-8)


def test_clusters_may_be_the_cells_of_two_columns(firms: pd.DataFrame) -> None:
    within = firms.assign(person=firms["person"].str[2:])
    cells = fit("y ~ week + (1 | firm:person)", within, covariance="CR2", cluster="firm:person")
    names = fit("y ~ week + (1 | person)", firms, covariance="CR2", cluster="person")
    np.testing.assert_allclose(cells.vcov, names.vcov, rtol=OTHER_ALGORITHM)
    assert cells.counts.groups == {"firm:person": 49}


def test_rows_without_a_cluster_are_dropped_and_counted(firms: pd.DataFrame) -> None:
    gone = firms.assign(firm=firms["firm"].where(firms.index > 3))
    result = fit("y ~ week + (1 | person)", gone, covariance="CR1", cluster="firm")
    kept = fit("y ~ week + (1 | person)", firms[firms.index > 3], covariance="CR1", cluster="firm")
    assert result.counts.dropped["firm"] == 4
    assert result.counts.groups == {"person": 49, "firm": 9}
    np.testing.assert_array_equal(result.vcov, kept.vcov)
    assert "covariance  CR1 on firm; degrees of freedom: clusters - 1" in result.summary()
    assert "firm" in result.memory.table.frame.columns


@pytest.mark.parametrize(("df", "expected"), [("clusters - 1", 8.0), ("normal", np.inf)])
def test_degrees_of_freedom_are_those_asked_for(
    firms: pd.DataFrame, df: str, expected: float
) -> None:
    result = fit("y ~ week + (1 | person)", firms, covariance="CR2", cluster="firm", df=df)
    assert result.df.tolist() == [expected] * 2
    assert result.request.df == df


def test_clusters_that_cut_through_levels_are_refused(firms: pd.DataFrame) -> None:
    with pytest.raises(FitError) as caught:
        fit("y ~ week + (1 | firm/person)", firms, covariance="CR2", cluster="person")
    assert str(caught.value) == (
        "formula 'y ~ week + (1 | firm/person)': the clusters of 'person' cut through levels of "
        "'firm'. Found: a level of 'firm' with rows in several clusters. Allowed: clusters that "
        "hold whole levels of 'firm'. Cluster by 'firm' or a grouping above it, or leave the "
        "covariance to the model."
    )


def test_crossed_effects_above_no_cluster_are_refused(firms: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="clusters of 'firm' cut through levels of 'week'"):
        fit("y ~ x + (1 | person) + (1 | week)", firms, covariance="CR2", cluster="firm")


def test_what_one_cluster_determines_is_refused_by_name(firms: pd.DataFrame) -> None:
    own = firms.assign(first=(firms["firm"] == "f3") * 1.0)
    for covariance in ("CR2", "CR3"):
        with pytest.raises(FitError, match="alone determines the coefficient first"):
            fit("y ~ week + first + (1 | person)", own, covariance=covariance, cluster="firm")


def test_cr3_names_the_clusters_it_cannot_leave_out(firms: pd.DataFrame) -> None:
    kinds = firms["firm"].where(firms["firm"].isin(["f3", "f4"]), "other")
    own = firms.assign(kind=kinds)  # levels of a factor are held constant, but CR3 leaves them out
    with pytest.raises(FitError, match="without some of them a coefficient cannot be estimated"):
        fit("y ~ week + C(kind) + (1 | person)", own, covariance="CR3", cluster="firm")


def test_cr2_refuses_what_it_cannot_decompose(
    firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robust, "LARGEST_DENSE", 8)
    with pytest.raises(FitError) as caught:
        fit("y ~ week + (1 | person)", firms, covariance="CR2", cluster="firm")
    assert (
        "a cluster of 'firm' is too large for CR2. Found: 11 random effects and coefficients "
        "(rows, with weights) in one. Allowed: 8. Use CR3"
    ) in str(caught.value)
    assert fit("y ~ week + (1 | person)", firms, covariance="CR3", cluster="firm").bse["week"] > 0


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"covariance": "CR2"}, DeclarationError, "cluster and covariance do not go together"),
        (
            {"covariance": "cluster", "cluster": "firm"},
            DeclarationError,
            "a mixed model has no 'cluster' covariance here",
        ),
        (
            {"covariance": "CR2", "cluster": "firm", "engine": "statsmodels"},
            DeclarationError,
            "a mixed model has no 'CR2' covariance here",
        ),
        (
            {"covariance": "CR2", "cluster": "firm", "df": "kenward-roger"},
            DeclarationError,
            "unknown df 'kenward-roger'",
        ),
        ({"covariance": "CR2", "cluster": "frim"}, FormulaError, "no column 'frim'"),
    ],
)
def test_what_does_not_go_together(
    firms: pd.DataFrame, arguments: dict[str, str], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        fit("y ~ week + (1 | person)", firms, **arguments)


def test_a_single_cluster_is_refused(firms: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="needs more than one cluster in 'firm'"):
        fit(
            "y ~ week + (1 | person)",
            firms[firms["firm"] == "f9"],
            covariance="CR2",
            cluster="firm",
        )


def test_batches_and_one_factorisation_agree(firms: pd.DataFrame) -> None:
    fitted = fit("y ~ week + x + (1 + week | person) + (1 | firm)", firms)
    level = pd.factorize(firms.dropna()["firm"])[0].astype(np.int64)
    model = working(mixed_state(fitted), fitted.memory.design, firms_at(level), None, "here")
    V = dense_covariance(model)
    expected = [
        model.X[r].T @ np.linalg.inv(V[np.ix_(r, r)]) @ model.X[r]
        for r in (np.flatnonzero(level == g) for g in range(9))
    ]
    np.testing.assert_allclose(sums(model).products, expected, rtol=OTHER_ALGORITHM, atol=1e-10)
