"""Randomisation tests against loops over all assignments, and their level with three treated."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, TableError
from alc_stats.estimators import Fit, fit
from alc_stats.inference import contrast, randomisation_test, small_sample_test
from tolerances import MONTE_CARLO_SIGMAS, OTHER_ALGORITHM


def panel(seed: int, treated: int, firms: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), 6)
    data = pd.DataFrame({"firm": [f"f{g}" for g in firm], "post": np.tile([0.0, 1.0], 3 * firms)})
    data["block"] = np.where(firm < 4, "north", "south")
    data["arm"] = np.where(firm < treated, "mandate", "control")
    data["size"] = 1.0 + firm
    data["y"] = rng.normal(size=firms)[firm] + rng.normal(size=firms)[firm] * data["post"]
    data["y"] += rng.normal(size=len(data))
    return data


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return panel(1, 3)


@pytest.fixture(scope="module")
def result(data: pd.DataFrame) -> Fit:
    return fit("y ~ arm*post", data, covariance="CR2", cluster="firm")


TERM = "arm[T.mandate]:post"


def slow_ratio(
    data: pd.DataFrame, treated: tuple[int, ...], root: np.ndarray | None = None
) -> float:
    """|b| of arm:post over its CR0 standard error with these firms treated."""
    firm = pd.factorize(data["firm"])[0]
    arm, post = np.isin(firm, treated).astype(float), data["post"].to_numpy()
    X = np.column_stack([np.ones(len(data)), arm, post, arm * post])
    y = data["y"].to_numpy()
    if root is not None:
        X, y = X * root[:, None], y * root
    bread = np.linalg.inv(X.T @ X)
    b = bread @ X.T @ y
    e = y - X @ b
    scores = np.array([X[firm == g].T @ e[firm == g] for g in range(firm.max() + 1)])
    return float(abs(b[3]) / np.sqrt((bread @ scores.T @ scores @ bread)[3, 3]))


def slow_p(data: pd.DataFrame, chosen: list[tuple[int, ...]], own: tuple[int, ...]) -> float:
    seen = slow_ratio(data, own)
    return float(np.mean([slow_ratio(data, c) >= seen * (1 - 1e-8) for c in chosen]))


def test_all_assignments_are_the_slow_loop(data: pd.DataFrame, result: Fit) -> None:
    found = randomisation_test(result, TERM, treatment="arm", seed=1)
    every = list(itertools.combinations(range(7), 3))
    assert (found.assignments, found.enumerated, found.clusters) == (35, True, 7)
    assert found.p == pytest.approx(slow_p(data, every, (0, 1, 2)), rel=OTHER_ALGORITHM)
    assert abs(found.statistic) == pytest.approx(slow_ratio(data, (0, 1, 2)), rel=OTHER_ALGORITHM)
    assert found.value == pytest.approx(result.params[TERM], rel=OTHER_ALGORITHM)
    assert found.smallest_p == 1 / 35


def test_weights_and_strata_are_kept(data: pd.DataFrame) -> None:
    data = data.assign(arm=np.where(data["firm"].isin(["f0", "f1", "f4"]), "mandate", "control"))
    m = fit("y ~ arm*post + block", data, covariance="cluster", cluster="firm", weights="size")
    found = randomisation_test(m, TERM, treatment="arm", strata="block", seed=1)
    # two of four firms in the north, one of three in the south
    assert found.assignments == 6 * 3
    plain = fit("y ~ arm*post", data, covariance="cluster", cluster="firm", weights="size")
    weighted = randomisation_test(plain, TERM, treatment="arm", seed=1)
    root = np.sqrt(data["size"].to_numpy())
    every = [slow_ratio(data, c, root) for c in itertools.combinations(range(7), 3)]
    seen = slow_ratio(data, (0, 1, 4), root)
    assert weighted.p == pytest.approx(np.mean(np.array(every) >= seen * (1 - 1e-8)))


def test_a_mixed_model_is_fitted_again_under_every_assignment(data: pd.DataFrame) -> None:
    m = fit("y ~ arm*post + (1 | firm)", data, method="ML")
    found = randomisation_test(m, TERM, treatment="arm", cluster="firm", seed=1)
    ratios = []
    for chosen in itertools.combinations(["f0", "f1", "f2", "f3", "f4", "f5", "f6"], 3):
        again = data.assign(arm=np.where(data["firm"].isin(chosen), "mandate", "control"))
        ratios.append(
            abs(contrast(fit("y ~ arm*post + (1 | firm)", again, method="ML"), TERM).statistic)
        )
    seen = abs(contrast(m, TERM).statistic)
    assert found.p == np.mean(np.array(ratios) >= seen * (1 - 1e-6))


def test_equal_arms_can_be_exchanged() -> None:
    even = panel(2, 4, firms=8)
    m = fit("y ~ arm*post", even, covariance="CR2", cluster="firm")
    found = randomisation_test(m, TERM, treatment="arm", seed=1)
    assert (found.assignments, found.smallest_p) == (70, 2 / 70)
    assert found.p >= found.smallest_p


def test_drawn_assignments_repeat_and_come_near_all_of_them(
    data: pd.DataFrame, result: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = randomisation_test(result, TERM, treatment="arm", seed=1).p
    monkeypatch.setattr("alc_stats.inference.randomisation.ENUMERATED", 10)
    drawn = randomisation_test(result, TERM, treatment="arm", n=600, seed=1)
    assert not drawn.enumerated
    assert abs(drawn.p - exact) < MONTE_CARLO_SIGMAS * np.sqrt(exact * (1 - exact) / 600)
    assert randomisation_test(result, TERM, treatment="arm", n=600, seed=1) == drawn


def test_workers_do_not_change_the_answer(result: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    one = randomisation_test(result, TERM, treatment="arm", seed=3)
    assert randomisation_test(result, TERM, treatment="arm", seed=3, workers=2) == one


def test_it_holds_its_level_where_three_treated_clusters_fool_cr1() -> None:
    # no effect, 12 firms of their own levels, 3 of them treated
    rng = np.random.default_rng(20261127)
    firm = np.repeat(np.arange(12), 4)
    arm = (firm < 3).astype(float)
    samples, false = 160, np.zeros(2)
    for _ in range(samples):
        y = rng.normal(size=12)[firm] + rng.normal(size=48)
        table = pd.DataFrame({"y": y, "arm": arm, "firm": firm})
        m = fit("y ~ arm", table, covariance="cluster", cluster="firm", df="normal")
        found = small_sample_test(m, "arm", treatment="arm", seed=1)
        assert found.choice.method == "randomisation"
        false += [found.p <= 0.05, contrast(m, "arm").p_value <= 0.05]
    band = MONTE_CARLO_SIGMAS * np.sqrt(0.05 * 0.95 / samples)
    # 220 assignments: the test can spend 11/220
    assert abs(false[0] / samples - 0.05) < band, false
    assert false[1] / samples > 0.05 + band, false


@pytest.mark.parametrize(
    ("formula", "treatment", "firms", "method"),
    [
        ("y ~ arm*post", "arm", 40, "randomisation"),
        ("y ~ arm*post", "post", 12, "wild bootstrap"),
        ("y ~ arm*post + (1 | firm)", "post", 12, "kenward-roger"),
        ("y ~ arm*post + (1 | firm)", None, 14, "CR2"),
    ],
)
def test_the_design_chooses(formula: str, treatment: str | None, firms: int, method: str) -> None:
    table = panel(3, 3, firms=firms)
    m = fit(formula, table, covariance="CR2", cluster="firm")
    found = small_sample_test(m, TERM, treatment=treatment, n=99, seed=1)
    assert found.choice.method == method
    assert found.choice.sentence.endswith(".")
    if method == "CR2":
        assert (found.p, found.detail) == (contrast(m, TERM).p_value, None)
    if method == "kenward-roger":
        kr = fit(formula, table, df="kenward-roger")
        assert found.p == pytest.approx(contrast(kr, TERM).p_value, rel=OTHER_ALGORITHM)
    if method in ("randomisation", "wild bootstrap"):
        assert found.detail is not None
        assert found.p == found.detail.p


def test_what_was_not_assigned_cannot_be_reassigned(data: pd.DataFrame, result: Fit) -> None:
    with pytest.raises(TableError, match=r"varies within clusters.*7 of 7 clusters, such as 'f0'"):
        randomisation_test(result, "post", treatment="post", seed=1)
    with pytest.raises(DeclarationError, match=r"no coefficient of 'arm'.*arm\[T.mandate\]"):
        randomisation_test(result, "post", treatment="arm", seed=1)
    with pytest.raises(DeclarationError, match="of no effect at all"):
        randomisation_test(result, f"{TERM} = 0.2", treatment="arm", seed=1)
    with pytest.raises(DeclarationError) as caught:
        randomisation_test(result, TERM, treatment="amr", strata="block", n=0, seed=1, workers=0)
    said = str(caught.value)
    assert "Did you mean 'arm'" in said
    assert "did not read the column 'block'" in said
    assert "at least one assignment" in said
    assert "at least one worker" in said
    two = data[data["firm"].isin(["f0", "f6"])]
    lone = fit("y ~ arm*post", two)
    with pytest.raises(DeclarationError, match="no cluster is named"):
        randomisation_test(lone, TERM, treatment="arm", seed=1)
    # firms as weights' column is a way to have read them without a clustered covariance
    read = fit("y ~ arm*post", two.assign(firm=two["size"]), weights="firm")
    with pytest.raises(FitError, match=r"one cluster an arm.*2 possible assignments"):
        randomisation_test(read, TERM, treatment="arm", cluster="firm", seed=1)
    with pytest.raises(DeclarationError, match="has not read its clusters"):
        small_sample_test(lone, TERM, seed=1)
