"""The parametric bootstrap of mixed models against fits by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.lmm import LmmState
from alc_stats.estimators.memory import mixed_state
from alc_stats.inference import BootstrapDraws, parametric_bootstrap, simulator
from alc_stats.records import dump, load
from estimators.witness import table
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS, OTHER_ALGORITHM

FORMULA = "y ~ mandate*week + x + (1 + week | person) + (1 | firm)"


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    return table("cluster_robust", "firms.csv").dropna().reset_index(drop=True)


@pytest.fixture(scope="module")
def result(firms: pd.DataFrame) -> Fit:
    return fit(FORMULA, firms)


@pytest.fixture(scope="module")
def draws(result: Fit) -> BootstrapDraws:
    return parametric_bootstrap(result, n=20, seed=3)


def residual_variance(state: LmmState) -> dict[str, float]:
    return {"variance": state.sigma**2}


def test_an_outcome_is_fixed_part_effects_and_residual(result: Fit) -> None:
    state, design = mixed_state(result), result.memory.design
    y = simulator(state, design).outcome(np.random.default_rng(9))
    rng = np.random.default_rng(9)
    expected = design.X @ result.estimates + rng.standard_normal(len(design.y)) * state.sigma
    for f, factor in enumerate(state.random.factors):
        root = np.linalg.cholesky(state.covariance(f) + 1e-300 * np.eye(factor.size))
        effects = rng.standard_normal((factor.levels, factor.size)) @ root.T
        for i in range(len(expected)):
            expected[i] += factor.Z[i] @ effects[factor.codes[i]]
    np.testing.assert_allclose(y, expected, rtol=OTHER_ALGORITHM)


def test_every_row_is_the_fit_to_its_outcome(
    result: Fit, draws: BootstrapDraws, firms: pd.DataFrame
) -> None:
    outcomes = simulator(mixed_state(result), result.memory.design)
    for i in (0, 19):
        seed = np.random.SeedSequence(3).spawn(20)[i]
        again = fit(FORMULA, firms.assign(y=outcomes.outcome(np.random.default_rng(seed))))
        numbers = [
            *again.estimates,
            *(part.sd if part.correlation is None else part.correlation for part in again.random),
        ]
        np.testing.assert_allclose(draws.draws[i], numbers, rtol=OTHER_ALGORITHM)
    assert draws.failed == 0


def test_names_and_observed_values_are_the_fits(result: Fit, draws: BootstrapDraws) -> None:
    assert draws.names == (
        *result.names,
        "SD of Intercept | person",
        "SD of week | person",
        "correlation of Intercept, week | person",
        "SD of Intercept | firm",
        "SD of the residual",
    )
    np.testing.assert_allclose(draws.observed[:5], result.estimates, rtol=EXACT_ARITHMETIC)
    sds = [p.sd if p.correlation is None else p.correlation for p in result.random]
    np.testing.assert_allclose(draws.observed[5:], sds, rtol=OTHER_ALGORITHM)


def test_workers_do_not_change_the_draws(result: Fit, draws: BootstrapDraws) -> None:
    two = parametric_bootstrap(result, n=20, seed=3, workers=2)
    np.testing.assert_array_equal(two.draws, draws.draws)
    fewer = parametric_bootstrap(result, n=5, seed=3)
    np.testing.assert_array_equal(fewer.draws, draws.draws[:5])


def test_a_statistic_of_ones_own(result: Fit, draws: BootstrapDraws) -> None:
    found = parametric_bootstrap(result, statistic=residual_variance, n=3, seed=3)
    assert found.names == ("variance",)
    np.testing.assert_allclose(found.draws[:, 0], draws.draws[:3, -1] ** 2, rtol=EXACT_ARITHMETIC)


def test_intervals_are_the_ranked_draws() -> None:
    # 19 draws 1 ... 19, 90 %: ranks (19 + 1) 0.05 = 1 and 19; mirrored about 8: -3 and 15
    ranked = BootstrapDraws(
        ("b",), np.array([8.0]), np.append(np.arange(19.0, 0.0, -1.0), np.nan)[:, None], {"x": 1}, 1
    )
    assert ranked.conf_int(0.9).loc["b"].tolist() == [1.0, 19.0]
    assert ranked.conf_int(0.9, kind="basic").loc["b"].tolist() == [-3.0, 15.0]
    assert ranked.bias["b"] == 2.0
    assert ranked.se["b"] == pytest.approx(np.sqrt(19 * 20 / 12), rel=EXACT_ARITHMETIC)
    assert ranked.failed == 1
    with pytest.raises(DeclarationError, match=r"too few for 0\.95 intervals.*19 usable draws"):
        ranked.conf_int(0.95)
    with pytest.raises(DeclarationError, match=r"unknown kind 'bcaa'.*Did you mean 'bca'"):
        ranked.conf_int(0.9, kind="bcaa")
    with pytest.raises(DeclarationError, match="every cluster left out in turn"):
        ranked.conf_int(0.9, kind="bca")


def test_the_spread_of_a_balanced_mean_is_known() -> None:
    # 8 groups of 5: the mean's variance is sd_g^2 / 8 + sd_e^2 / 40
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(8), 5)})
    data["y"] = 2.0 * rng.normal(size=8)[data["g"]] + rng.normal(size=40)
    fitted = fit("y ~ 1 + (1 | g)", data)
    found = parametric_bootstrap(fitted, n=400, seed=4)
    se = fitted.bse["Intercept"]
    assert abs(found.se["Intercept"] / se - 1.0) < MONTE_CARLO_SIGMAS / np.sqrt(2 * 400)
    assert abs(found.bias["Intercept"]) < MONTE_CARLO_SIGMAS * se / 20.0


def test_draws_survive_the_disk(draws: BootstrapDraws) -> None:
    again = load(dump(draws), BootstrapDraws)
    assert (again.names, again.seed) == (draws.names, draws.seed)
    np.testing.assert_array_equal(again.draws, draws.draws)


def failing(every: int):
    """A search that fails once in `every` calls."""
    from alc_stats.estimators.lmm import fit_arrays

    calls = SimpleNamespace(number=0)

    def search(*arguments: object, **named: object) -> LmmState:
        calls.number += 1
        if calls.number % every == 0:
            raise FitError(Problem("no optimum today"))
        return fit_arrays(*arguments, **named)

    return search


def test_failed_refits_are_counted_and_told(result: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alc_stats.inference.bootstrap.fit_arrays", failing(4))
    with pytest.warns(RuntimeWarning, match=r"2 of 8 refits.*\(2 times: no optimum today\)"):
        found = parametric_bootstrap(result, n=8, seed=3)
    assert found.failures == {"no optimum today": 2}
    assert np.isnan(found.draws).all(axis=1).tolist() == [False, False, False, True] * 2


def test_too_many_failures_are_an_error(result: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alc_stats.inference.bootstrap.fit_arrays", failing(1))
    with pytest.raises(FitError, match=r"most refits.*8 of 8 \(8 times: no optimum today\)"):
        parametric_bootstrap(result, n=8, seed=3)


def test_a_statistic_names_the_same_numbers_every_time(result: Fit) -> None:
    def fickle(state: LmmState) -> dict[str, float]:
        return {f"{state.sigma:.6f}": 1.0}

    with pytest.raises(DeclarationError, match="does not name the same numbers every time"):
        parametric_bootstrap(result, statistic=fickle, n=2, seed=3)
    with pytest.raises(DeclarationError, match="other processes cannot find the statistic"):
        parametric_bootstrap(result, statistic=fickle, n=2, seed=3, workers=2)


@pytest.mark.parametrize(
    ("arguments", "what"), [({"n": 0}, "replicate"), ({"workers": 0}, "worker")]
)
def test_nothing_to_do_is_refused(result: Fit, arguments: dict[str, int], what: str) -> None:
    with pytest.raises(DeclarationError, match=f"at least one {what}"):
        parametric_bootstrap(result, seed=1, **arguments)


def test_only_mixed_models(firms: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="has no random terms of our own engine"):
        parametric_bootstrap(fit("y ~ x", firms), n=2, seed=1)


def test_a_weighted_fit_is_drawn_and_refitted_with_its_weights(firms: pd.DataFrame) -> None:
    data = firms.assign(w=np.linspace(0.2, 5.0, len(firms)))
    weighted = fit("y ~ x + (1 | firm)", data, weights="w")
    state = mixed_state(weighted)
    (factor,) = state.random.factors
    draws = parametric_bootstrap(weighted, n=3, seed=3)
    for i in range(3):
        rng = np.random.default_rng(np.random.SeedSequence(3).spawn(3)[i])
        y = weighted.params["Intercept"] + weighted.params["x"] * data["x"].to_numpy()
        residual_sd = state.sigma / np.sqrt(data["w"].to_numpy())
        y = y + residual_sd * rng.standard_normal(len(y))
        y = y + weighted.random[0].sd * rng.standard_normal(factor.levels)[factor.codes]
        again = fit("y ~ x + (1 | firm)", data.assign(y=y), weights="w")
        numbers = [*again.estimates, *(part.sd for part in again.random)]
        np.testing.assert_allclose(draws.draws[i], numbers, rtol=OTHER_ALGORITHM)
