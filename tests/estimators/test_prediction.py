from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

from alc_stats.errors import DeclarationError, FitError, FormulaError
from alc_stats.estimators import Certificate, Fit, fit
from alc_stats.estimators.kernels import prediction_error
from alc_stats.estimators.prediction import IncompleteRowsWarning
from alc_stats.records import FloatArray, dump, load
from estimators.witness import answers, table
from tolerances import (
    EXACT_ARITHMETIC,
    FINITE_DIFFERENCE,
    FLAT_OPTIMUM,
    JSON_DIGITS,
    MONTE_CARLO_SIGMAS,
    OTHER_ALGORITHM,
    TWICE_DIFFERENCED,
)

R = answers("after_fit")
TRIAL = table("after_fit", "trial.csv")
NEW = pd.DataFrame(R["new"])
FIXED = "y ~ arm * shift + x + novice"
MIXED = FIXED + " + (1 + x | person) + (1 | task)"


@pytest.fixture(scope="module")
def mixed() -> Fit:
    return fit(MIXED, TRIAL)


@pytest.fixture(scope="module")
def linear() -> Fit:
    return fit(FIXED, TRIAL)


def test_the_random_effects_are_lme4s(mixed: Fit) -> None:
    for group, theirs in R["modes"].items():
        own = mixed.random_effects[group].loc[theirs["levels"]]
        np.testing.assert_allclose(own, theirs["modes"], atol=FLAT_OPTIMUM)
    assert list(mixed.random_effects["person"].columns) == ["Intercept", "x"]


def test_predictions_are_lme4s(mixed: Fit) -> None:
    for own, theirs in (
        (mixed.predict(), R["fitted"]),
        (mixed.predict(random=False), R["fitted_fixed"]),
        (mixed.predict(NEW), R["predicted"]),
        (mixed.predict(NEW, random=False), R["predicted_fixed"]),
    ):
        np.testing.assert_allclose(own, theirs, rtol=FLAT_OPTIMUM)


@pytest.mark.parametrize(
    ("interval", "key"), [("prediction", "linear"), ("confidence", "linear_confidence")]
)
def test_intervals_of_a_linear_model_are_rs(linear: Fit, interval: str, key: str) -> None:
    own, theirs = linear.predict(NEW, interval=interval), pd.DataFrame(R[key])
    np.testing.assert_allclose(own[["prediction", "low", "high"]], theirs, rtol=JSON_DIGITS)


def test_old_rows_asked_as_new_rows_are_old_rows(mixed: Fit, linear: Fit) -> None:
    for m in (mixed, linear):
        for interval in ("confidence", "prediction"):
            for random in (True, False):
                old = m.predict(random=random, interval=interval)
                new = m.predict(TRIAL, random=random, interval=interval)
                pd.testing.assert_frame_equal(old, new, rtol=OTHER_ALGORITHM)


def test_the_fixed_part_has_the_covariance_of_the_fit() -> None:
    m = fit(MIXED, TRIAL, df="kenward-roger")
    origin = pd.DataFrame({"arm": ["choice"], "shift": ["day"], "x": [0.0], "novice": [0.0]})
    own = m.predict(origin, random=False, interval="confidence").loc[0]
    assert own["prediction"] == pytest.approx(m.params["Intercept"], rel=EXACT_ARITHMETIC)
    assert own["se"] == pytest.approx(m.bse["Intercept"], rel=EXACT_ARITHMETIC)
    assert own["df"] == pytest.approx(m.df[0], rel=OTHER_ALGORITHM)


class Dense:
    """Slow twin: everything from V as a full matrix, in the variances' own parameters."""

    def __init__(self, data: pd.DataFrame, new: pd.DataFrame) -> None:
        both = pd.concat([data, new])
        X = np.column_stack([np.ones(len(both)), both["x"]])
        self.n = len(data)
        self.y, self.X, self.x0 = data["y"].to_numpy(), X[: self.n], X[self.n :]
        blocks = [_dummies(both["person"]), _dummies(both["task"])]
        Z = [np.hstack([blocks[0], blocks[0] * X[:, [1]]]), blocks[1]]
        self.J = [block.shape[1] for block in blocks]
        wide = np.hstack(Z)
        self.Z, self.z0 = wide[: self.n], wide[self.n :]

    def covariances(self, g: FloatArray) -> tuple[FloatArray, float]:
        person = np.array([[g[0], g[1]], [g[1], g[2]]])
        D = linalg.block_diag(np.kron(person, np.eye(self.J[0])), g[3] * np.eye(self.J[1]))
        return D, float(g[4])

    def reml(self, g: FloatArray) -> float:
        D, sigma2 = self.covariances(g)
        V = self.Z @ D @ self.Z.T + sigma2 * np.eye(self.n)
        W = np.linalg.solve(V, self.X)
        M = self.X.T @ W
        beta = np.linalg.solve(M, W.T @ self.y)
        r = self.y - self.X @ beta
        return float(np.linalg.slogdet(V)[1] + np.linalg.slogdet(M)[1] + r @ np.linalg.solve(V, r))

    def predicted(self, g: FloatArray, *, random: bool) -> tuple[FloatArray, FloatArray]:
        """Values and error variances: weights on y, and what is left of the target."""
        D, sigma2 = self.covariances(g)
        V = self.Z @ D @ self.Z.T + sigma2 * np.eye(self.n)
        inverse = np.linalg.inv(V)
        M = np.linalg.inv(self.X.T @ inverse @ self.X)
        beta = M @ self.X.T @ inverse
        shared = self.z0 @ D @ self.Z.T if random else np.zeros((len(self.x0), self.n))
        weights = self.x0 @ beta + shared @ inverse @ (np.eye(self.n) - self.X @ beta)
        own = np.einsum("mi,ij,mj->m", self.z0, D, self.z0)
        variances = np.einsum("mi,ij,mj->m", weights, V, weights)
        return weights @ self.y, variances - 2.0 * np.sum(weights * shared, axis=1) + own

    def with_error(
        self, g: FloatArray, *, random: bool, observation: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        def both(at: FloatArray) -> FloatArray:
            values, variances = self.predicted(at, random=random)
            return np.concatenate([values, variances + observation * at[4]])

        coarse, fine = (_hessian(self.reml, g, step) for step in (4e-3, 2e-3))
        A = 2.0 * np.linalg.inv((4.0 * fine - coarse) / 3.0)
        values, known = np.split(both(g), 2)
        J, S = np.split(_slopes(both, g), 2)
        estimated = np.einsum("mk,kl,ml->m", J, A, J)
        df = 2.0 * known**2 / np.einsum("mk,kl,ml->m", S, A, S)
        return values, np.sqrt(known + 2.0 * estimated), df


def _dummies(column: pd.Series) -> FloatArray:
    return np.asarray(column.to_numpy()[:, None] == np.unique(column), dtype=float)


def _slopes(f: Callable[[FloatArray], FloatArray], g: FloatArray) -> FloatArray:
    steps = 1e-4 * np.abs(g)
    return np.column_stack([(f(g + h) - f(g - h)) / (2.0 * h.sum()) for h in np.diag(steps)])


def _hessian(f: Callable[[FloatArray], float], g: FloatArray, step: float) -> FloatArray:
    steps = np.diag(step * np.abs(g))
    H = np.empty((len(g), len(g)))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            mixed = f(g + a + b) - f(g + a - b) - f(g - a + b) + f(g - a - b)
            H[i, j] = mixed / (4.0 * a.sum() * b.sum())
    return H


@pytest.mark.parametrize(
    ("interval", "random"), [("confidence", True), ("prediction", True), ("prediction", False)]
)
def test_intervals_are_those_of_the_dense_twin(interval: str, random: bool) -> None:
    trial = TRIAL.assign(x=TRIAL["x"] - 5.5)
    m = fit("y ~ x + (1 + x | person) + (1 | task)", trial)
    new = pd.concat([trial.iloc[[0, 40]], NEW])[["person", "task", "x"]].reset_index(drop=True)
    sds = {(v.group, v.term, v.other): v for v in m.random}
    intercept, slope = sds["person", "Intercept", ""].sd, sds["person", "x", ""].sd
    correlation = next(v.correlation for v in m.random if v.correlation is not None)
    task, residual = sds["task", "Intercept", ""].sd, sds["Residual", "", ""].sd
    g = np.array([intercept**2, correlation * intercept * slope, slope**2, task**2, residual**2])
    observation = interval == "prediction"
    values, se, df = Dense(trial, new).with_error(g, random=random, observation=observation)
    own = m.predict(new, random=random, interval=interval)
    np.testing.assert_allclose(own["prediction"], values, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(own["se"], se, rtol=TWICE_DIFFERENCED)
    np.testing.assert_allclose(own["df"], df, rtol=TWICE_DIFFERENCED)


def test_levels_are_solved_for_in_portions(monkeypatch: pytest.MonkeyPatch, mixed: Fit) -> None:
    whole = mixed.predict(interval="confidence")
    monkeypatch.setattr(prediction_error, "_LEVELS", 2)
    monkeypatch.setattr("alc_stats.estimators.prediction._CHUNK", 17)
    pd.testing.assert_frame_equal(whole, mixed.predict(interval="confidence"))


def test_coverage_holds_in_small_designs() -> None:
    """Eight groups of five rows: the true mean and a new observation lie inside 95 times in 100."""
    groups, replications = 8, 150
    rng = np.random.default_rng(20261123)
    level = np.repeat(np.arange(groups), 5)
    inside = []
    for _ in range(replications):
        x, u = rng.normal(size=level.size), rng.normal(size=groups + 1)
        y = 1.0 + 0.5 * x + u[level] + rng.normal(size=level.size)
        m = fit("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": level}))
        new = pd.DataFrame({"x": rng.normal(size=groups + 1), "g": np.arange(groups + 1)})
        fixed = 1.0 + 0.5 * new["x"].to_numpy()
        truths = {
            ("confidence", True): fixed + u,
            ("prediction", True): fixed + u + rng.normal(size=groups + 1),
            ("confidence", False): fixed,
        }
        for (interval, random), truth in truths.items():
            limits = m.predict(new, random=random, interval=interval)
            held = (limits["low"] < truth) & (truth < limits["high"])
            inside.append((interval, random, held[:-1].mean(), float(held.iloc[-1])))
    results = pd.DataFrame(inside, columns=["interval", "random", "seen", "new"])
    for _, found in results.groupby(["interval", "random"]):
        for share in (found["seen"], found["new"]):
            # groups of one replication are not independent: at most as uncertain as one of them
            error = max(float(share.std()), math.sqrt(0.95 * 0.05 / groups)) / math.sqrt(len(share))
            assert abs(float(share.mean()) - 0.95) < MONTE_CARLO_SIGMAS * error


def test_groups_not_seen_add_nothing_but_their_variance(mixed: Fit) -> None:
    row = TRIAL.iloc[[0]].drop(columns="y")
    stranger = row.assign(person="nobody", task="nothing")
    value = mixed.predict(stranger, interval="confidence").iloc[0]
    assert value["prediction"] == pytest.approx(mixed.predict(row, random=False).iloc[0])
    assert value["se"] > mixed.predict(row, interval="confidence")["se"].iloc[0]
    without = mixed.predict(row, random=False, interval="prediction").iloc[0]
    as_stranger = mixed.predict(stranger, interval="prediction").iloc[0]
    np.testing.assert_allclose(without, as_stranger, rtol=OTHER_ALGORITHM)


def test_normal_references_stay_normal() -> None:
    for m in (fit(MIXED, TRIAL, df="normal"), fit(FIXED, TRIAL, df="normal")):
        for interval in ("confidence", "prediction"):
            assert np.isinf(m.predict(NEW, interval=interval)["df"]).all()


def test_a_robust_fit_predicts_with_its_own_covariance() -> None:
    m = fit(FIXED, TRIAL, covariance="CR2", cluster="person")
    own = m.predict(NEW, interval="confidence")
    X = np.array([[1, 0, 1, 0, 5, 0, 0, 0], [1, 1, 0, 1, 2.5, 1, 1, 0], [1, 0, 0, 1, 8, 0, 0, 0]])
    expected = np.sqrt(np.einsum("mi,ij,mj->m", X, m.vcov, X))
    np.testing.assert_allclose(own["se"], expected, rtol=OTHER_ALGORITHM)
    assert (own["df"] < 16).all()
    assert (m.predict(NEW, interval="prediction")["df"] == own["df"]).all()


def test_stored_coding_is_reused() -> None:
    formula = (
        'y ~ center(x) + scale(novice) + C(arm, Treatment("mandate")) + (1 + center(x) | person)'
    )
    m = fit(formula, TRIAL)
    whole = m.predict()
    for i in (3, 50, 77):
        alone = m.predict(TRIAL.iloc[[i]])
        assert alone.iloc[0] == pytest.approx(whole.iloc[i], rel=OTHER_ALGORITHM)
        assert alone.index.tolist() == [i]


def test_nested_groups_and_numeric_labels_are_found() -> None:
    firms = table("mixed", "firms.csv")
    numbered = firms.assign(firm=firms["firm"].str[1:].astype(int))
    m, same = (fit("y ~ week + (1 | firm/person)", data) for data in (numbered, firms))
    np.testing.assert_allclose(m.predict(numbered), m.predict(), rtol=EXACT_ARITHMETIC)
    np.testing.assert_allclose(m.predict(numbered), same.predict(firms), rtol=OTHER_ALGORITHM)
    assert m.random_effects["firm:person"].index.nlevels == 2
    stranger = numbered.iloc[[0]].assign(person="nobody")
    firm = m.random_effects["firm"].loc[numbered["firm"].iloc[0], "Intercept"]
    expected = m.predict(numbered.iloc[[0]], random=False).iloc[0] + firm
    assert m.predict(stranger).iloc[0] == pytest.approx(expected, rel=EXACT_ARITHMETIC)


def test_rows_keep_their_labels_and_incomplete_ones_are_missing(mixed: Fit) -> None:
    gappy = TRIAL.copy()
    gappy.index = pd.Index([f"r{i}" for i in range(len(gappy))])
    gappy.loc["r4", "x"], gappy.loc["r7", "person"] = np.nan, None
    refit = fit(MIXED, gappy)
    assert set(gappy.index) - set(refit.predict().index) == {"r4", "r7"}
    with pytest.warns(
        IncompleteRowsWarning, match=r"2 of 110 rows lack x or person: their"
    ) as told:
        predicted = refit.predict(gappy)
    assert told[0].filename == __file__
    assert predicted.isna().sum() == 2
    pd.testing.assert_series_equal(predicted.dropna(), refit.predict(), rtol=OTHER_ALGORITHM)
    with pytest.warns(IncompleteRowsWarning, match="1 of 110 rows lack x:"):
        limits = refit.predict(gappy.drop(columns="person"), random=False, interval="confidence")
    assert limits.loc["r4"].isna().all()
    with pytest.warns(IncompleteRowsWarning, match="3 of 3 rows"):
        nothing = mixed.predict(NEW.assign(x=np.nan), interval="prediction")
    assert nothing.isna().all(axis=None)
    assert len(mixed.predict(NEW.iloc[:0])) == 0


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        (
            {"arm": ["mandate", "force", "none"], "shift": ["noon", "day", "day"]},
            [
                "'arm' has levels the fit has not seen. Found: force, none. Allowed: choice, ",
                "'shift' has levels the fit has not seen. Found: noon.",
            ],
        ),
        ({"x": ["1", "2", "3"]}, ["column 'x' is of another kind than in the fit. Found: text."]),
        ({"person": [1, 2, 3]}, ["column 'person' is of another kind", "Found: numbers."]),
    ],
)
def test_new_rows_that_cannot_be_coded(
    mixed: Fit, change: dict[str, list[object]], sentences: list[str]
) -> None:
    with pytest.raises(FormulaError) as caught:
        mixed.predict(NEW.assign(**change))
    assert all(sentence in str(caught.value) for sentence in sentences)


def test_unknown_levels_of_numbers_are_named() -> None:
    m = fit("y ~ C(novice) + x", TRIAL)
    with pytest.raises(FormulaError, match=r"'novice' has levels .*Found: 2\. Allowed: 0, 1\."):
        m.predict(NEW.assign(novice=2))


def test_missing_columns_are_named(mixed: Fit) -> None:
    with pytest.raises(FormulaError) as caught:
        mixed.predict(NEW.drop(columns=["task", "x"]))
    assert [p.what for p in caught.value.problems] == [
        "the table has no column 'x'",
        "the table has no column 'task'",
    ]
    with pytest.raises(FitError, match="'x' is infinite in 1 of 3 rows"):
        mixed.predict(NEW.assign(x=[1.0, np.inf, 2.0]))


def test_arguments_that_mean_nothing(mixed: Fit) -> None:
    with pytest.raises(DeclarationError) as caught:
        mixed.predict(interval="credible", level=95)
    assert len(caught.value.problems) == 2


def test_fits_that_cannot_predict(mixed: Fit, linear: Fit) -> None:
    stored = load(dump(mixed), Fit)
    failed = dataclasses.replace(mixed, certificate=Certificate("failed", "No."))
    for ask in (lambda m: m.predict(NEW), lambda m: m.random_effects):
        with pytest.raises(FitError, match="this fit does not remember its rows"):
            ask(stored)
        with pytest.raises(FitError, match="this fit cannot be used"):
            ask(failed)
    with pytest.raises(FitError, match="no random terms of our own engine"):
        linear.random_effects  # noqa: B018


def test_units_and_origins_change_nothing_but_units(mixed: Fit) -> None:
    moved = TRIAL.assign(x=1e4 + 1e-3 * TRIAL["x"], y=50.0 + 1000.0 * TRIAL["y"])
    new = NEW.assign(x=1e4 + 1e-3 * NEW["x"])
    own = fit(MIXED, moved).predict(new, interval="confidence")
    same = mixed.predict(NEW, interval="confidence")
    np.testing.assert_allclose(
        (own["prediction"] - 50.0) / 1000.0, same["prediction"], rtol=FLAT_OPTIMUM
    )
    np.testing.assert_allclose(own["se"] / 1000.0, same["se"], rtol=FLAT_OPTIMUM)
    np.testing.assert_allclose(own["df"], same["df"], rtol=FINITE_DIFFERENCE * 10)


def test_models_of_an_intercept_alone_need_no_columns() -> None:
    anything = pd.DataFrame({"z": [1, 2]})
    for m in (fit("y ~ 1", TRIAL), fit("y ~ 1 + (1 | person)", TRIAL)):
        own = m.predict(anything, random=False)
        np.testing.assert_allclose(own, [m.params["Intercept"]] * 2, rtol=EXACT_ARITHMETIC)


def test_a_prediction_without_uncertainty_has_none() -> None:
    for m in (fit("y ~ 0 + x", TRIAL), fit("y ~ 0 + x + (1 | person)", TRIAL)):
        own = m.predict(pd.DataFrame({"x": [0.0]}), random=False, interval="confidence").loc[0]
        assert own[["prediction", "se", "low", "high"]].tolist() == [0.0] * 4
        assert math.isinf(own["df"])


def test_a_variance_of_zero_leaves_the_residual() -> None:
    flat = TRIAL.assign(y=TRIAL["y"] - TRIAL.groupby("person")["y"].transform("mean"))
    m = fit("y ~ 1 + (1 | person)", flat)
    assert m.certificate.status == "boundary"
    own = m.predict(NEW, interval="prediction")
    n = len(flat)
    sd = flat["y"].std(ddof=1)
    np.testing.assert_allclose(own["se"], sd * math.sqrt(1.0 + 1.0 / n), rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(own["df"], n - 1, rtol=OTHER_ALGORITHM)


def test_repeated_row_labels_do_no_harm() -> None:
    repeated = TRIAL.set_axis([0] * len(TRIAL))
    m = fit(FIXED, repeated)
    np.testing.assert_allclose(m.predict(repeated), m.predict(), rtol=EXACT_ARITHMETIC)
