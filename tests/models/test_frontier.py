"""The frontier: known answers, known waste, and what is not taken for waste."""

from __future__ import annotations

import csv
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from statsmodels.regression.quantile_regression import QuantReg

from alc_stats.errors import DeclarationError, FitError, TableError
from alc_stats.estimators import stochastic_frontier
from alc_stats.estimators.stochastic_frontier import _likelihood, fit_frontier
from alc_stats.models import Finding, frontier
from alc_stats.models.frontier.claim import SMALLEST_EXCESS
from tolerances import BOOTSTRAP_SD_150, CENTRAL_DIFFERENCE, EXACT_ARITHMETIC

WITNESS = Path(__file__).parents[1] / "reference" / "frontier" / "front41.csv"
COLUMNS: dict[str, Any] = {
    "amount": "tokens",
    "given": ["quality"],
    "treatment": "mandate",
    "firm": "firm",
}
RUNS = 100
HALF_NORMAL = math.sqrt(2.0 / math.pi)


def tasks(
    seed: int,
    *,
    waste: tuple[float, float] = (0.4, 0.4),
    noise: tuple[float, float] = (0.2, 0.2),
    shift: float = 0.0,
    firms: int = 30,
    rows: int = 60,
) -> pd.DataFrame:
    """Tokens above a frontier in quality; SDs are (control, mandate)."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), rows)
    mandate = firm % 2
    quality = rng.normal(size=firm.size)
    u = np.abs(rng.normal(size=firm.size)) * np.array(waste)[mandate]
    v = rng.normal(size=firm.size) * np.array(noise)[mandate]
    tokens = np.exp(7.0 + 0.3 * quality + shift * mandate + u + v)
    return pd.DataFrame({"firm": firm, "mandate": mandate, "quality": quality, "tokens": tokens})


def ask(data: pd.DataFrame, **more: Any) -> Finding:
    return frontier(data, **{**COLUMNS, **more})


def line_of(found: Finding, start: str) -> Any:
    return next(x for x in found.triangulation if x.method.startswith(start))


def outcome_of(found: Finding, artefact: str) -> str:
    return next(e.outcome for e in found.evidence if e.artefact == artefact)


# -- the likelihood ------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["cost", "production"])
def test_the_likelihood_is_the_integral_over_the_inefficiency(side: Any) -> None:
    arrays = (np.array([0.7]), np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1)))
    theta = np.array([0.2, math.log(0.6), math.log(0.3)])
    sign = 1.0 if side == "cost" else -1.0

    def joint(u: float) -> float:
        return float(2.0 * stats.norm.pdf(u, scale=0.6) * stats.norm.pdf(0.5 - sign * u, scale=0.3))

    value, _ = integrate.quad(joint, 0.0, 6.0, epsabs=1e-13)
    assert _likelihood(theta, arrays, side)[0][0] == pytest.approx(math.log(value), abs=1e-10)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    data = tasks(1, rows=5)
    one = np.ones(len(data))
    arrays = (
        np.log(data["tokens"].to_numpy()),
        np.column_stack([one, data["quality"]]),
        np.column_stack([one, data["mandate"]]),
        np.column_stack([one, data["mandate"]]),
    )
    theta = np.array([7.1, 0.2, -1.0, 0.3, -1.5, 0.1])
    _, scores = _likelihood(theta, arrays, "cost")
    for j in range(len(theta)):
        ends = []
        for h in (1e-5, -1e-5):
            moved = theta.copy()
            moved[j] += h
            ends.append(float(_likelihood(moved, arrays, "cost")[0].sum()))
        slope = (ends[0] - ends[1]) / 2e-5
        assert scores[:, j].sum() == pytest.approx(slope, abs=CENTRAL_DIFFERENCE)


def test_efficiency_is_the_conditional_mean() -> None:
    data = tasks(2, rows=5)
    one = np.ones((len(data), 1))
    X = np.column_stack([one, data["quality"]])
    fit = fit_frontier(np.log(data["tokens"].to_numpy()), X, one, one)
    u2, v2 = np.exp(2.0 * fit.theta[2:])
    e = float(fit.y[0] - X[0] @ fit.theta[:2])

    def weight(u: float) -> float:
        return float(
            stats.norm.pdf(u, scale=math.sqrt(u2)) * stats.norm.pdf(e - u, scale=math.sqrt(v2))
        )

    above = integrate.quad(lambda u: math.exp(-u) * weight(u), 0.0, 8.0, epsabs=1e-13)[0]
    below = integrate.quad(weight, 0.0, 8.0, epsabs=1e-13)[0]
    assert fit.efficiency()[0] == pytest.approx(above / below, rel=1e-8)


def test_units_of_what_is_given_change_neither_the_answer_nor_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tasks(4)
    one = np.ones((len(data), 1))
    y = np.log(data["tokens"].to_numpy())
    calls: list[int] = []
    real = _likelihood

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(stochastic_frontier, "_likelihood", counted)
    thetas, searched = [], []
    for level, unit in ((0.0, 1.0), (60.0, 1000.0)):
        X = np.column_stack([one, unit * (data["quality"] + level)])
        calls.clear()
        thetas.append(fit_frontier(y, X, one, one).theta)
        searched.append(len(calls))
    turned = thetas[1] * np.array([1.0, 1000.0, 1.0, 1.0])
    turned[0] += 60.0 * turned[1]
    assert turned == pytest.approx(thetas[0], abs=CENTRAL_DIFFERENCE)
    assert searched[1] <= 1.25 * searched[0]  # the columns as they are: it does not arrive


def test_the_classic_data_by_r() -> None:
    path = Path(os.environ.get("ALC_STATS_DATA", "none")) / "frontier/front41Data.csv"
    if not path.exists():
        pytest.skip("needs frontier/front41Data.csv in ALC_STATS_DATA")
    with WITNESS.open() as file:
        known = {row["name"]: float(row["value"]) for row in csv.DictReader(file)}
    data = pd.read_csv(path)
    one = np.ones((len(data), 1))
    X = np.column_stack([one, np.log(data["capital"]), np.log(data["labour"])])
    fit = fit_frontier(np.log(data["output"].to_numpy()), X, one, one, side="production")
    u2, v2 = np.exp(2.0 * fit.theta[3:])
    se = np.sqrt(np.diag(fit.covariance()))
    efficiency = fit.efficiency()
    ours = {
        "constant": fit.theta[0], "log_capital": fit.theta[1], "log_labour": fit.theta[2],
        "se_constant": se[0], "se_log_capital": se[1], "se_log_labour": se[2],
        "sigma_squared": u2 + v2, "gamma": u2 / (u2 + v2), "log_likelihood": fit.log_likelihood,
        "mean_efficiency": efficiency.mean(), "firm_1": efficiency[0], "firm_35": efficiency[34],
    }  # fmt: skip
    for name, value in ours.items():
        assert value == pytest.approx(known[name], abs=2e-6), name
    printed = {"mean_efficiency": 0.74057, "firm_1": 0.65069, "firm_35": 0.35126}
    for name, value in printed.items():
        assert ours[name] == pytest.approx(value, abs=5.1e-6)


# -- known waste ---------------------------------------------------------------------------------


def test_waste_that_was_put_in_is_found() -> None:
    truth = HALF_NORMAL * (0.8 - 0.4)
    covered = 0
    for seed in range(RUNS):
        found = ask(tasks(seed, waste=(0.4, 0.8)))
        low, high = found.estimate.interval()  # type: ignore[union-attr]
        covered += low < truth < high
        assert found.decision.verdict == "supported"
    assert covered >= stats.binom.ppf(0.001, RUNS, 0.95)


def test_waste_that_the_mandate_does_not_move_is_not_found() -> None:
    found = [ask(tasks(seed)) for seed in range(RUNS)]
    wrong = sum(f.estimate.p_value < 0.05 for f in found if f.estimate)
    assert wrong <= stats.binom.ppf(0.999, RUNS, 0.05)
    assert sum(f.decision.verdict == "equivalent" for f in found) > 0.9 * RUNS
    distances = [line_of(f, "Distance from the 5% quantile") for f in found]
    assert sum(x.p < 0.05 for x in distances) <= stats.binom.ppf(0.999, RUNS, 0.05)


def test_noise_that_the_mandate_moves_is_not_called_waste() -> None:
    """With noise of one SD, noise under the mandate looks like excess."""
    found = ask(tasks(3, waste=(0.4, 0.4), noise=(0.15, 0.6), rows=400))
    assert line_of(found, "Effect on mean excess").value > SMALLEST_EXCESS
    assert abs(line_of(found, "With noise that moves").value) < SMALLEST_EXCESS / 2
    assert outcome_of(found, "noise that moves") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_a_frontier_that_the_mandate_moves_is_not_called_waste() -> None:
    found = ask(tasks(4, shift=0.17, rows=400))
    assert line_of(found, "Effect on mean excess").value > SMALLEST_EXCESS
    assert abs(line_of(found, "With a frontier").value) < SMALLEST_EXCESS / 2
    assert outcome_of(found, "a frontier that moves") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_a_group_that_lies_on_the_frontier_is_not_tested() -> None:
    found = ask(tasks(4, shift=0.4, rows=400))
    assert found.decision.verdict == "not tested"
    assert "belongs among what is given" in found.decision.reason.template


def test_noise_alone_has_no_excess() -> None:
    verdicts = [
        ask(tasks(seed, waste=(0.0, 0.0)), treatment=None).decision.verdict for seed in range(40)
    ]
    assert verdicts.count("supported") <= stats.binom.ppf(0.999, 40, 0.05)
    assert "not tested" in verdicts


@pytest.mark.parametrize("k", range(4))
def test_the_mixture_is_the_law_of_one_normal_on_a_boundary_and_the_rest_free(k: int) -> None:
    """The likelihood ratio of a mean >= 0 and k free ones, each seen once with unit error."""
    draws, one = 20_000, np.ones((60, 1))
    z = np.random.default_rng(k).normal(size=(draws, k + 1))
    ratios = np.maximum(z[:, 0], 0.0) ** 2 + np.sum(z[:, 1:] ** 2, axis=1)
    fit = replace(fit_frontier(np.arange(60.0) % 7, one, one, one), Z=np.ones((60, k + 1)))
    for value in np.quantile(ratios, [0.75, 0.95, 0.99]):
        p = replace(fit, log_likelihood=fit.without + value / 2.0).p_mixture
        low, high = stats.binom.ppf([0.0005, 0.9995], draws, p)
        assert low <= np.sum(ratios >= value) <= high


def test_the_mixture_with_a_determinant_keeps_its_level_without_any_excess() -> None:
    """Noise alone; treated and untreated are free to differ, which is the other degree."""
    rejected = 0
    for seed in range(RUNS):
        data = tasks(seed, waste=(0.0, 0.0), rows=20)
        one = np.ones((len(data), 1))
        X = np.column_stack([one, data["quality"]])
        Z = np.column_stack([one, data["mandate"]])
        fit = fit_frontier(np.log(data["tokens"].to_numpy()), X, Z, one)
        rejected += fit.p_mixture < 0.05
    assert rejected <= stats.binom.ppf(0.999, RUNS, 0.05)


def test_the_distance_from_the_quantile_has_the_error_of_a_bootstrap_of_firms() -> None:
    data, rng = tasks(12, waste=(0.4, 0.7), firms=40, rows=50), np.random.default_rng(5)
    line = line_of(ask(data), "Distance from the 5% quantile")
    parts = [own for _, own in data.groupby("firm")]
    drawn = []
    for _ in range(150):
        sides = [rng.choice(np.arange(side, 40, 2), 20) for side in (0, 1)]
        again = pd.concat([parts[g] for g in np.concatenate(sides)])
        X = np.column_stack([np.ones(len(again)), again["quality"]])
        y = np.log(again["tokens"].to_numpy())
        away = np.abs(y - X @ np.asarray(QuantReg(y, X).fit(q=0.05).params))
        own = again["mandate"].to_numpy() == 1
        drawn.append(away[own].mean() - away[~own].mean())
    half = (line.high - line.low) / 2.0 / stats.t.ppf(0.975, line.df)
    assert half == pytest.approx(np.std(drawn, ddof=1), rel=BOOTSTRAP_SD_150)


def test_difficulty_that_nobody_measured_is_not_called_waste() -> None:
    """Under the mandate tasks are harder: less quality for more tokens, and no waste.

    No other line notices; the persons' mean quality knows.
    """
    data, rng = tasks(13, rows=120), np.random.default_rng(13)
    data["person"] = np.arange(len(data)) // 20
    hard = np.abs(rng.normal(size=len(data) // 20))[data["person"]]
    hard *= np.where(data["mandate"] == 1, 1.0, 0.3)
    data["quality"] -= hard
    data["tokens"] *= np.exp(0.3 * hard)
    found = ask(data, person="person")
    assert line_of(found, "Effect on mean excess").value > SMALLEST_EXCESS
    assert abs(line_of(found, "With the means of").value) < SMALLEST_EXCESS / 2
    assert outcome_of(found, "tasks harder than they look") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_without_anybody_named_difficulty_is_not_tested() -> None:
    found = ask(tasks(14), firm=None)
    assert outcome_of(found, "tasks harder than they look") == "not tested"


def test_the_wrong_skew_is_named() -> None:
    data = tasks(5)
    data["tokens"] = 1e6 / data["tokens"]
    found = ask(data, treatment=None)
    assert found.decision.verdict == "not tested"
    assert "wrong sign" in found.decision.reason.template


def test_two_firms_a_side_are_few() -> None:
    found = ask(tasks(6, waste=(0.3, 1.0), firms=4, rows=400))
    assert outcome_of(found, "few firms") == "threat"


# -- money ---------------------------------------------------------------------------------------


def test_excess_is_priced_by_what_each_row_cost() -> None:
    data = tasks(7).assign(money=2.0, good=50.0)
    plain = ask(data)
    found = ask(data, money="money", measurable="good")
    line = line_of(found, "Money of excess")
    mean = line_of(plain, "Mean efficiency").value
    assert line.value == pytest.approx((1.0 - mean) * 2.0 / 50.0 * 1000.0, rel=EXACT_ARITHMETIC)
    assert line.low < line.value < line.high


@pytest.mark.parametrize("by_tokens", [False, True])
def test_the_price_of_excess_is_covered(by_tokens: bool) -> None:
    """What these rows wasted, at a price a row or a price a token."""
    covered, runs = 0, 40
    for seed in range(runs):
        data = tasks(seed, waste=(0.4, 0.8))
        rng = np.random.default_rng(seed)
        rng.normal(size=len(data))
        u = np.abs(rng.normal(size=len(data))) * np.array([0.4, 0.8])[data["mandate"]]
        data["money"] = 2e-3 * data["tokens"] if by_tokens else 2.0
        wasted = float((data["money"] * (1.0 - np.exp(-u))).sum()) / (50.0 * len(data)) * 1000.0
        line = line_of(ask(data.assign(good=50.0), money="money", measurable="good"), "Money of")
        covered += line.low < wasted < line.high
    assert covered >= stats.binom.ppf(0.001, runs, 0.95)


def test_models_have_a_frontier_each() -> None:
    data = tasks(8)
    data["model"] = np.where(np.arange(len(data)) % 3 == 0, "m2", "m1")
    data.loc[data["model"] == "m2", "tokens"] *= math.e
    found = ask(data, categories=["model"])
    assert line_of(found, "Frontier, model_m2").value == pytest.approx(1.0, abs=0.06)


def test_no_one_is_ranked() -> None:
    found = ask(tasks(9))
    assert all(len(m.x) <= 10 for p in found.pictures for panel in p.panels for m in panel.marks)


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": -5.0}, "no logarithm.*Negative tokens are errors of the log"),
        ({"tokens": 0.0}, "not above zero"),
        ({"mandate": 1}, "the treatment is not 0 and 1"),
        ({"firm": 1}, "there is a single firm"),
        ({"firm": None}, "rows have no firm"),
        ({"quality": np.nan}, "no row has everything"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TableError, match=says):
        ask(tasks(1).assign(**change))


def test_rows_of_nobody_are_refused_in_a_sentence() -> None:
    with pytest.raises(TableError, match="column 'who': 60 rows have no person"):
        ask(tasks(1).assign(who=lambda d: d["firm"].where(d["firm"] > 0)), person="who")


def test_what_is_misdeclared_is_said_at_once() -> None:
    with pytest.raises(DeclarationError) as error:
        ask(tasks(1), given=[], quantile=0.7, money="tokens", side="production")
    assert len(error.value.problems) == 4


def test_columns_that_say_the_same_are_refused() -> None:
    data = tasks(1)
    found = ask(data.assign(twice=2.0 * data["quality"]), given=["quality", "twice"])
    assert found.decision.verdict == "not tested"
    one = np.ones((3, 1))
    with pytest.raises(FitError, match="sums of others"):
        fit_frontier(np.arange(3.0), np.hstack([one, one]), one, one)
