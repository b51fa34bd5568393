from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.kernels.lmm_model import Block, Factor
from alc_stats.inference import Check, check, scaled_residuals
from alc_stats.inference.checking import _bartlett
from alc_stats.inference.draws import fitted
from alc_stats.records import dump, load
from alc_stats.report.numbers import say
from tolerances import MONTE_CARLO_SIGMAS, OTHER_ALGORITHM

LEVEL = 0.05


def people(stream: np.random.Generator, persons: int = 12, occasions: int = 5) -> pd.DataFrame:
    person = np.repeat(np.arange(persons), occasions)
    x = stream.normal(size=len(person))
    y = 1.0 + 0.5 * x + stream.normal(size=persons)[person] + stream.normal(size=len(person))
    return pd.DataFrame({"y": y, "x": x, "person": person})


def model_of(data: pd.DataFrame) -> Fit:
    return fit("y ~ x + (1 | person)", data, df="residual")


def rejections(models: Iterator[Fit], draws: int) -> dict[str, int]:
    """How often each check has p <= .05, for 39 simulations a model: probability 2/40 exactly."""
    rejected: dict[str, int] = {}
    for number, model in zip(range(draws), models, strict=False):
        for one in check(model, simulations=39, seed=number).checks:
            rejected[one.kind] = rejected.get(one.kind, 0) + (one.p <= LEVEL)
    return rejected


def test_true_models_are_rejected_one_time_in_twenty() -> None:
    stream, draws = np.random.default_rng(9), 40
    rejected = rejections((model_of(people(stream)) for _ in itertools.count()), draws)
    most = stats.binom.ppf(stats.norm.cdf(MONTE_CARLO_SIGMAS), draws, LEVEL)
    assert len(rejected) == 5
    assert all(number <= most for number in rejected.values()), rejected


def test_the_same_seed_is_the_same_answer() -> None:
    model = model_of(people(np.random.default_rng(1)))
    first, second = (check(model, simulations=39, seed=3) for _ in range(2))
    assert dump(first) == dump(second)
    assert dump(check(model, simulations=39, seed=4)) != dump(first)
    assert dump(load(dump(first), Check)) == dump(first)


def test_heavy_tails_are_found() -> None:
    stream = np.random.default_rng(2)
    data = people(stream, 40)
    data["y"] += 1.5 * stream.standard_t(1.5, size=len(data))
    found = check(model_of(data), simulations=99, seed=1)
    assert found["uniformity"].p == found["outliers"].p == 0.01
    assert "rows lie beyond the simulated outcomes" in say(found["outliers"].sentence)


def test_persons_of_unequal_consistency_are_found() -> None:
    stream = np.random.default_rng(3)
    data = people(stream, 30, 8)
    own = np.exp(0.9 * stream.normal(size=30))
    data["y"] += (own[data["person"]] - 1.0) * stream.normal(size=len(data))
    found = check(model_of(data), simulations=99, seed=1)["within-group variance"]
    assert (found.group, found.p) == ("person", 0.01)
    assert 0.2 < found.statistic < 1.2
    assert found.expected < 0.1


def test_spread_that_grows_with_the_mean_is_found() -> None:
    stream = np.random.default_rng(4)
    data = people(stream, 40, 6)
    data["y"] += 0.8 * np.exp(data["x"]) * stream.normal(size=len(data))
    found = check(model_of(data), simulations=99, seed=1)["spread along fitted values"]
    assert found.p <= 0.02
    assert found.statistic > 0.1


def test_least_squares_is_checked_without_groups() -> None:
    found = check(fit("y ~ x", people(np.random.default_rng(5))), simulations=39, seed=1)
    assert [one.kind for one in found.checks] == [
        "uniformity",
        "dispersion",
        "outliers",
        "spread along fitted values",
    ]
    assert found["dispersion"].p == 1.0  # its residuals' size is its estimate
    with pytest.raises(KeyError):
        found["within-group variance"]


def test_scaled_residuals_are_what_simulation_approaches() -> None:
    model = model_of(people(np.random.default_rng(6)))
    known, stream, draws = fitted(model), np.random.default_rng(7), 4000
    drawn = np.array([known.draw(stream) for _ in range(draws)])
    simulated = (drawn < known.design.y).mean(axis=0)
    exact = scaled_residuals(model)
    error = np.sqrt(exact * (1.0 - exact) / draws) + 1.0 / draws
    assert np.all(np.abs(simulated - exact) < (MONTE_CARLO_SIGMAS + 1.0) * error)


def test_draws_have_the_models_covariance() -> None:
    stream = np.random.default_rng(8)
    data = people(stream, 4, 3)
    data["y"] += data["person"] * data["x"]
    model = fit("y ~ 1 + (0 + x | person)", data)
    known, draws = fitted(model), 20_000
    drawn = np.array([known.draw(stream) for _ in range(draws)]) - known.mean
    same = data["person"].to_numpy()[:, None] == data["person"].to_numpy()[None]
    x = data["x"].to_numpy()
    V = model.random[0].sd ** 2 * same * np.outer(x, x) + known.sigma**2 * np.eye(len(x))
    assert known.variance == pytest.approx(np.diag(V), rel=OTHER_ALGORITHM)
    error = np.sqrt((np.outer(np.diag(V), np.diag(V)) + V**2) / draws)
    assert np.all(np.abs(drawn.T @ drawn / draws - V) < 5.0 * error)


def test_bartlett_is_bartletts() -> None:
    # scipy's statistic is ours over its correction factor
    stream = np.random.default_rng(10)
    sizes = [3, 5, 8, 4]
    code = np.repeat(np.arange(4), sizes)
    e = stream.normal(size=20)
    factor = Factor(code, 4, np.ones((20, 1)), (Block(1, correlated=True),))
    statistic, spread = _bartlett(e, factor)
    df = np.array(sizes) - 1.0
    correction = 1.0 + (np.sum(1.0 / df) - 1.0 / df.sum()) / 9.0
    theirs = stats.bartlett(*(e[code == k] for k in range(4))).statistic
    assert statistic / correction == pytest.approx(theirs, rel=OTHER_ALGORITHM)
    assert spread >= 0.0


def test_a_level_is_cleared_of_its_own_slope() -> None:
    stream = np.random.default_rng(11)
    code, x, e = np.repeat([0, 1], [6, 7]), stream.normal(size=13), stream.normal(size=13)
    Z = np.column_stack([np.ones(13), x])
    factor = Factor(code, 2, Z, (Block(2, correlated=True),))
    moved = e + np.where(code == 0, 4.0 - 3.0 * x, 2.0 * x)
    assert _bartlett(moved, factor)[0] == pytest.approx(
        _bartlett(e, factor)[0], rel=OTHER_ALGORITHM
    )
    squares = [np.linalg.lstsq(Z[code == k], e[code == k], rcond=None)[1][0] for k in (0, 1)]
    df = np.array([4.0, 5.0])
    by_hand = df.sum() * np.log(sum(squares) / 9.0) - df @ np.log(squares / df)
    assert _bartlett(e, factor)[0] == pytest.approx(by_hand, rel=OTHER_ALGORITHM)


def test_pairs_of_rows_leave_no_variance_to_compare() -> None:
    data = people(np.random.default_rng(12), 2, 12)
    data["pair"] = np.arange(24) // 2
    data["y"] += data["pair"]
    found = check(fit("y ~ x + (1 | pair)", data), simulations=39, seed=1)
    assert found["within-group variance"].group == "pair"
    once = Factor(np.arange(6), 6, np.ones((6, 1)), (Block(1, correlated=True),))
    assert np.isnan(_bartlett(np.arange(6.0), once)).all()


def test_the_figure_lies_between_zero_and_one() -> None:
    found = check(model_of(people(np.random.default_rng(13), 80, 5)), simulations=39, seed=1)
    assert found.uniform.shape == found.observed.shape == found.low.shape == (200,)
    assert np.all(np.diff(found.observed) >= 0.0)
    assert np.all((found.low <= found.high) & (found.low >= 0.0) & (found.high <= 1.0))


@pytest.mark.parametrize("simulations", [38, True, 50.0])
def test_too_few_simulations_are_refused(simulations: int) -> None:
    model = model_of(people(np.random.default_rng(14)))
    with pytest.raises(DeclarationError, match=r"too few simulations to reach p = \.05"):
        check(model, simulations=simulations, seed=1)
    with pytest.raises(DeclarationError, match="the seed is not a whole number"):
        check(model, simulations=39, seed=-1)


def weighted(stream: np.random.Generator, persons: int = 20) -> pd.DataFrame:
    """Weights up to 64-fold, and residuals of the variances they say."""
    data = people(stream, persons, 5)
    data["w"] = np.tile([0.125, 0.25, 1.0, 4.0, 8.0], persons)
    noise = stream.normal(size=len(data)) / np.sqrt(data["w"])
    data["y"] = 0.5 * data["x"] + 0.3 * stream.normal(size=persons)[data["person"]] + noise
    return data


def test_weights_are_in_draws_and_scaled_residuals() -> None:
    stream, draws = np.random.default_rng(12), 20_000
    data = weighted(stream)
    model = fit("y ~ x + (1 | person)", data, weights="w")
    known = fitted(model)
    by_hand = model.random[0].sd ** 2 + model.statistics["residual_sd"] ** 2 / data["w"]
    assert known.variance == pytest.approx(by_hand, rel=OTHER_ALGORITHM)
    z = (data["y"] - model.params["Intercept"] - model.params["x"] * data["x"]) / by_hand**0.5
    assert scaled_residuals(model) == pytest.approx(stats.norm.cdf(z), rel=OTHER_ALGORITHM)
    drawn = np.array([known.draw(stream) for _ in range(draws)]) - known.mean
    error = by_hand * np.sqrt(2.0 / draws)
    assert np.all(np.abs((drawn**2).mean(axis=0) - by_hand) < 5.0 * error)


def test_weighted_least_squares_is_checked_with_its_weights() -> None:
    data = weighted(np.random.default_rng(13))
    root = np.sqrt(data["w"].to_numpy())
    X = np.column_stack([np.ones(len(data)), data["x"]])
    y = data["y"].to_numpy()
    b = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]
    sigma = np.sqrt(np.mean((root * (y - X @ b)) ** 2))
    by_hand = stats.norm.cdf(root * (y - X @ b) / sigma)
    found = scaled_residuals(fit("y ~ x", data, weights="w"))
    assert found == pytest.approx(by_hand, rel=OTHER_ALGORITHM)


def test_true_weights_are_rejected_one_time_in_twenty_and_their_neglect_is_found() -> None:
    stream, draws = np.random.default_rng(14), 40
    models = (fit("y ~ x + (1 | person)", weighted(stream), weights="w") for _ in itertools.count())
    rejected = rejections(models, draws)
    most = stats.binom.ppf(stats.norm.cdf(MONTE_CARLO_SIGMAS), draws, LEVEL)
    assert all(number <= most for number in rejected.values()), rejected
    neglected = check(fit("y ~ x + (1 | person)", weighted(stream, 40)), simulations=99, seed=1)
    assert neglected["uniformity"].p == 0.01
