"""Omega and corrected correlations against lavaan, finite differences and simulations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, TableError
from alc_stats.measures import Measure, disattenuated, reliability
from alc_stats.measures.one_factor import OneFactor, influence, one_factor, solved
from tolerances import (
    EXACT_ARITHMETIC,
    FINITE_DIFFERENCE,
    LAVAAN_STOPS_EARLY,
    MONTE_CARLO_SIGMAS,
)

FOLDER = Path(__file__).parents[1] / "reference" / "omega"
R = json.loads((FOLDER / "omega.json").read_text(encoding="utf-8"))
AWARE, ABLE = ["a1", "a2", "a3", "a4"], ["c1", "c2", "c3"]
X = Measure(("a1", "a2", "a3", "a4"), (1, 5), ("a3",))
Y = Measure(("c1", "c2", "c3"), (1, 5))


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "people.csv")


def keyed(answers: pd.DataFrame, items: list[str]) -> np.ndarray:
    return answers.assign(a3=6 - answers["a3"])[items].to_numpy(float)


@pytest.mark.parametrize(
    ("key", "items"),
    [("awareness", AWARE), ("capability", ABLE), ("mandate", AWARE), ("control", AWARE)],
)
def test_the_model_is_lavaans(answers: pd.DataFrame, key: str, items: list[str]) -> None:
    rows = answers[answers["group"] == key] if key in ("mandate", "control") else answers
    values, theirs = keyed(rows, items), R[key]
    model = one_factor(values, items)
    close = {"atol": LAVAAN_STOPS_EARLY}
    np.testing.assert_allclose(model.loadings, theirs["loadings"], **close)
    np.testing.assert_allclose(model.uniquenesses, theirs["uniquenesses"], **close)
    assert model.omega == pytest.approx(theirs["omega"], abs=LAVAAN_STOPS_EARLY)
    assert model.chi_square == pytest.approx(theirs["chisq"], abs=LAVAAN_STOPS_EARLY)
    assert (model.df, model.srmr) == (theirs["df"], pytest.approx(theirs["srmr"], abs=1e-6))
    se = np.sqrt(np.mean(influence(model, values) ** 2) / len(values))
    assert se == pytest.approx(theirs["se"], abs=LAVAAN_STOPS_EARLY)


def test_the_interval_is_symmetric_in_the_odds(answers: pd.DataFrame) -> None:
    scale = reliability(answers, AWARE, range=(1, 5), reversed_items=["a3"])
    theirs = R["awareness"]
    logit = np.log(scale.omega / (1 - scale.omega))
    half = 1.959963984540054 * theirs["se"] / (theirs["omega"] * (1 - theirs["omega"]))
    limits = [1 / (1 + np.exp(-(logit + side * half))) for side in (-1, 1)]
    assert [scale.omega_low, scale.omega_high] == pytest.approx(limits, abs=LAVAAN_STOPS_EARLY)
    assert scale.note == ""
    # congeneric items: alpha is a lower bound
    assert scale.alpha < scale.omega


def test_omega_of_three_items_is_exact_arithmetic() -> None:
    # three covariances give three loadings: l1 = sqrt(s12 s13 / s23)
    S = np.array([[2.0, 0.6, 0.5], [0.6, 1.5, 0.4], [0.5, 0.4, 1.0]])
    by_hand = np.sqrt([0.6 * 0.5 / 0.4, 0.6 * 0.4 / 0.5, 0.5 * 0.4 / 0.6])
    loadings, unique = solved(S, ["a", "b", "c"])
    np.testing.assert_allclose(loadings, by_hand, rtol=EXACT_ARITHMETIC)
    np.testing.assert_allclose(unique, np.diag(S) - by_hand**2, rtol=EXACT_ARITHMETIC)
    common = by_hand.sum() ** 2
    model = OneFactor(loadings, unique, 0.0, 0, 0.0)
    # where the model fits, the modelled variance of the sum is the observed one
    assert model.omega == pytest.approx(common / S.sum(), rel=EXACT_ARITHMETIC)


def test_omega_is_alpha_where_loadings_are_equal() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(50, 4))
    z = (z - z.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, ddof=0))).T
    values = z @ np.linalg.cholesky(0.5 * np.eye(4) + 0.5).T  # all correlations one half
    scale = reliability(pd.DataFrame(values, columns=list("abcd")), list("abcd"), range=(-99, 99))
    assert scale.omega == pytest.approx(0.8, rel=EXACT_ARITHMETIC)
    assert scale.alpha == pytest.approx(0.8, rel=EXACT_ARITHMETIC)


def corrected_at(weights: np.ndarray, a: np.ndarray, c: np.ndarray) -> float:
    """The corrected correlation of weighted rows, from weighted covariances alone."""

    def covariance(values: np.ndarray) -> np.ndarray:
        centred = values - np.average(values, axis=0, weights=weights)
        return (centred * weights[:, None]).T @ centred / weights.sum()

    omegas = []
    for values in (a, c):
        loadings, unique = solved(covariance(values), [str(j) for j in range(values.shape[1])])
        omegas.append(loadings.sum() ** 2 / (loadings.sum() ** 2 + unique.sum()))
    both = covariance(np.column_stack([a.mean(axis=1), c.mean(axis=1)]))
    r = both[0, 1] / np.sqrt(both[0, 0] * both[1, 1])
    return float(r / np.sqrt(omegas[0] * omegas[1]))


def test_the_correction_and_its_error_by_finite_differences(answers: pd.DataFrame) -> None:
    found = disattenuated(answers, X, Y)
    a, c = keyed(answers, AWARE), keyed(answers, ABLE)
    n, even = len(a), np.ones(len(a))
    r = np.corrcoef(a.mean(axis=1), c.mean(axis=1))[0, 1]
    theirs = r / np.sqrt(R["awareness"]["omega"] * R["capability"]["omega"])
    assert found.value == pytest.approx(theirs, abs=LAVAAN_STOPS_EARLY)
    # an infinitesimal jackknife: every row's weight moved by a little
    step = 1e-3
    slopes = np.empty(n)
    for i in range(n):
        more, less = even.copy(), even.copy()
        more[i], less[i] = 1 + step, 1 - step
        slopes[i] = (corrected_at(more, a, c) - corrected_at(less, a, c)) / (2 * step)
    se = np.sqrt(n / (n - 1) * np.sum(slopes**2))
    assert found.se == pytest.approx(se, rel=1e2 * FINITE_DIFFERENCE)
    firm = pd.factorize(answers["firm"])[0]
    by_firm = disattenuated(answers, X, Y, cluster="firm")
    clustered = np.sqrt(26 / 25 * np.sum(np.bincount(firm, slopes) ** 2))
    assert by_firm.se == pytest.approx(clustered, rel=1e2 * FINITE_DIFFERENCE)
    assert (by_firm.df, found.df) == (25, n - 1)
    low, high = found.interval()
    assert low < found.value < high


def test_within_groups_means_are_taken_out(answers: pd.DataFrame) -> None:
    within = disattenuated(answers, X, Y, within="firm", cluster="firm")
    centred = answers.copy()
    for item in [*AWARE, *ABLE]:
        centred[item] = answers[item] - answers.groupby("firm")[item].transform("mean")
    wide = (-9.0, 9.0)
    centred["a3"] = -centred["a3"]
    twin = disattenuated(centred, Measure(X.items, wide), Measure(Y.items, wide), cluster="firm")
    assert (within.value, within.se) == pytest.approx((twin.value, twin.se), rel=EXACT_ARITHMETIC)


def test_a_known_reliability_is_a_division(answers: pd.DataFrame) -> None:
    exact = [Measure(m.items, m.range, m.reversed_items, reliability=q)
             for m, q in ((X, 0.5), (Y, 0.8))]  # fmt: skip
    found = disattenuated(answers, *exact)
    assert found.value == pytest.approx(found.r / np.sqrt(0.4), rel=EXACT_ARITHMETIC)
    plain = disattenuated(
        answers, *[Measure(m.items, m.range, m.reversed_items, reliability=1.0) for m in exact]
    )
    assert found.se == pytest.approx(plain.se / np.sqrt(0.4), rel=EXACT_ARITHMETIC)


def test_beyond_one_is_a_failure_and_is_not_truncated() -> None:
    # the two scales share errors item by item: their correlation is that of the whole scores
    rng = np.random.default_rng(4)
    trait = rng.normal(size=300)
    errors = rng.normal(size=(300, 3))
    x = trait[:, None] + errors
    y = trait[:, None] + errors + 0.1 * rng.normal(size=(300, 3))
    data = pd.DataFrame(np.hstack([x, y]), columns=["x1", "x2", "x3", "y1", "y2", "y3"])
    found = disattenuated(
        data, Measure(("x1", "x2", "x3"), (-9, 9)), Measure(("y1", "y2", "y3"), (-9, 9))
    )
    assert found.value > 1.2
    assert found.failed
    assert "measurement model fails" in found.sentence.template
    assert not disattenuated(
        data, Measure(("x1", "x2", "x3"), (-9, 9)), Measure(("y1",), (-9, 9), reliability=1.0)
    ).failed


def test_omega_and_corrected_correlation_cover_the_truth() -> None:
    loadings, covered, plain = np.array([0.9, 0.7, 0.5, 0.8]), np.zeros(2), 0
    draws, n = 400, 160
    truth = 0.5
    omega = loadings.sum() ** 2 / (loadings.sum() ** 2 + 4.0)
    rng = np.random.default_rng(11)
    names = [f"{s}{i}" for s in "xy" for i in range(4)]
    x, y = (Measure(tuple(names[i : i + 4]), (-99, 99)) for i in (0, 4))
    for _ in range(draws):
        a = rng.normal(size=n)
        c = truth * a + np.sqrt(1 - truth**2) * rng.normal(size=n)
        traits = np.repeat(np.column_stack([a, c]), 4, axis=1)
        values = traits * np.tile(loadings, 2) + rng.normal(size=(n, 8))
        data = pd.DataFrame(values, columns=names)
        found = disattenuated(data, x, y)
        scale = reliability(data, names[:4], range=(-99, 99))
        low, high = found.interval()
        covered += [low < truth < high, scale.omega_low < omega < scale.omega_high]
        z, half = np.arctanh(found.r), 1.96 / np.sqrt(n - 3)
        plain += np.tanh(z - half) < truth < np.tanh(z + half)
    band = MONTE_CARLO_SIGMAS * np.sqrt(0.95 * 0.05 / draws)
    assert np.abs(covered / draws - 0.95).max() < band, covered / draws
    # the observed correlation's interval misses the latent one far more often
    assert plain / draws < 0.6


def test_scales_that_have_no_omega_say_why(answers: pd.DataFrame) -> None:
    two = reliability(answers, ["a1", "a2"], range=(1, 5))
    assert two.omega is None
    assert two.note == "No omega: one factor needs three items or more (2 items)."
    wrong = reliability(answers, AWARE, range=(1, 5))
    assert "Against the others: a3" in wrong.note
    few = answers.assign(a1=(answers["a1"] > 3).astype(int))
    noted = reliability(few, AWARE, range=(0, 5))
    assert "Fewer than five different answers: a1" in noted.note
    heywood = np.array([[1, 0.85, 0.85], [0.85, 1, 0.6], [0.85, 0.6, 1.0]])
    with pytest.raises(FitError, match=r"improper.*'a'"):
        solved(heywood, list("abc"))
    twins = answers.assign(a2=answers["a1"])
    assert "dependent" in reliability(twins, AWARE, range=(1, 5)).note


def test_what_cannot_be_corrected_says_why(answers: pd.DataFrame) -> None:
    with pytest.raises(DeclarationError) as caught:
        disattenuated(answers, Measure(("a1", "a2"), (1, 5)),
                      Measure(("a2",), (1, 5), reliability=1.5))  # fmt: skip
    said = str(caught.value)
    assert "three items or more" in said
    assert "reliability=0.8" in said
    assert "up to 1. Found: 1.5" in said
    assert "both scales" in said
    with pytest.raises(DeclarationError, match="no column 'frm'"):
        disattenuated(answers, X, Y, cluster="frm")
    with pytest.raises(TableError, match="too few rows answer every item"):
        disattenuated(answers.head(3), X, Y)
    some = disattenuated(answers.assign(a1=answers["a1"].where(answers.index > 9)), X, Y)
    assert (some.n, some.left_out) == (len(answers) - 10, 10)
