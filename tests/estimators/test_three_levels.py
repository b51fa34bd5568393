"""Location-scale models of rows in persons in firms, against a brute-force grid."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import FitError
from alc_stats.estimators import fit
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.mels_firm_model import FirmModel
from alc_stats.records import FloatArray
from tolerances import FINITE_DIFFERENCE, SUM_OF_A_GRID

STEP = 1e-5
FORMULA = "y ~ x + (1 | firm/person)"
SCALE = "~ x + (1 | firm/person)"


def simulated(firms: int, persons: int, rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), persons * rows)
    person = np.repeat(np.arange(firms * persons), rows)
    x = np.tile(np.linspace(-1, 1, rows), firms * persons)
    eta, zeta = rng.normal(size=(2, firms))
    theta, z = rng.normal(size=(2, firms * persons))
    log_sd = -0.1 + 0.2 * x + 0.1 * eta[firm] + 0.2 * zeta[firm] + 0.1 * theta[person]
    log_sd += 0.3 * z[person]
    mean = 1 + 0.5 * x + 0.7 * eta[firm] + 0.8 * theta[person]
    y = mean + rng.normal(size=len(x)) * np.exp(log_sd)
    within = person % persons
    return pd.DataFrame({"y": y, "x": x, "firm": firm, "person": within})


def normal(grid: FloatArray) -> FloatArray:
    """Weights of an even grid under the standard normal."""
    return np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])


def first_firms(model: FirmModel, count: int) -> FirmModel:
    """The same model of the first firms only."""
    rows, persons = model.rows, model.firm_offsets[count]
    last = rows.offsets[persons]
    cut = {name: getattr(rows, name)[:last] for name in ("y", "X", "W", "U", "Z")}
    offsets = rows.offsets[: persons + 1]
    return dataclasses.replace(
        model,
        rows=dataclasses.replace(rows, offsets=offsets, **cut),
        firm_offsets=model.firm_offsets[: count + 1],
    )


def brute_loglik(data: pd.DataFrame, b: FloatArray, t: FloatArray, own: dict[str, float]) -> float:
    """Sum over a grid of (eta, zeta) of firms and (theta, z) of persons; nothing clever."""
    grid, fine = np.linspace(-5.5, 5.5, 41), np.linspace(-5.5, 5.5, 121)
    theta, z = np.meshgrid(fine, grid, indexing="ij")
    firm_weight = np.outer(normal(grid), normal(grid))
    person_weight = np.outer(normal(fine), normal(grid))
    total = 0.0
    for _, firm in data.groupby("firm"):
        at_firm = np.empty((len(grid), len(grid)))
        for i, eta in enumerate(grid):
            for j, zeta in enumerate(grid):
                shift = own["firm_lam"] * eta + own["firm_sigma"] * zeta
                logs = 0.0
                for _, rows in firm.groupby("person"):
                    density = np.ones_like(theta)
                    for y, x in zip(rows["y"], rows["x"], strict=True):
                        mean = b[0] + b[1] * x + own["firm"] * eta + own["person"] * theta
                        log_sd = t[0] + t[1] * x + shift + own["lam"] * theta + own["sigma"] * z
                        density *= np.exp(-((y - mean) ** 2) / 2 * np.exp(-2 * log_sd) - log_sd)
                        density /= np.sqrt(2 * np.pi)
                    logs += np.log(np.sum(density * person_weight))
                at_firm[i, j] = logs
        top = at_firm.max()
        total += top + np.log(np.sum(np.exp(at_firm - top) * firm_weight))
    return float(total)


@pytest.fixture(scope="module")
def small() -> tuple[pd.DataFrame, Fit]:
    data = simulated(10, 4, 6, 3)
    return data, fit(FORMULA, data, scale=SCALE)


def test_the_likelihood_is_that_of_a_grid(small: tuple[pd.DataFrame, Fit]) -> None:
    data, fitted = small
    components = {(c.group, c.term, c.other): c for c in fitted.random}
    firm, person = "firm", "firm:person"

    def parts(group: str) -> tuple[float, float]:
        sd = components[group, "log_sd", ""].sd
        r = components[group, "Intercept", "log_sd"].correlation
        return sd * r, sd * np.sqrt(1 - r**2)

    own = {
        "firm": components[firm, "Intercept", ""].sd,
        "person": components[person, "Intercept", ""].sd,
        "firm_lam": parts(firm)[0],
        "firm_sigma": parts(firm)[1],
        "lam": parts(person)[0],
        "sigma": parts(person)[1],
    }
    some = data[data["firm"] < 2]
    brute = brute_loglik(some, fitted.estimates[:2], fitted.estimates[2:], own)
    state = fitted.memory.mels
    model = first_firms(state.data.model, 2)
    ours = model.evaluate(state.optimum.psi, model.first_nodes(61), relocate=True).loglik
    ours -= len(some) * np.log(state.data.unit)
    assert ours == pytest.approx(brute, abs=SUM_OF_A_GRID)


def test_scores_are_finite_differences_of_the_likelihood(small: tuple[pd.DataFrame, Fit]) -> None:
    state = small[1].memory.mels
    model, optimum = state.data.model, state.optimum
    psi = optimum.psi + 0.05
    here = model.evaluate(psi, model.first_nodes(31), relocate=True)
    for place in range(len(psi)):
        step = np.zeros(len(psi))
        step[place] = STEP
        up = model.evaluate(psi + step, here.nodes, relocate=False).loglik
        down = model.evaluate(psi - step, here.nodes, relocate=False).loglik
        slope = (up - down) / (2 * STEP)
        assert here.gradient[place] == pytest.approx(slope, rel=FINITE_DIFFERENCE, abs=1e-6)


def test_firms_without_effects_leave_a_two_level_model() -> None:
    """With firm effects of zero the three-level likelihood is the two-level one."""
    data = simulated(4, 3, 5, 8).assign(who=lambda d: d["firm"] * 10 + d["person"])
    three = fit(FORMULA, data, scale=SCALE).memory.mels.data.model
    two = fit("y ~ x + (1 | who)", data, scale="~ x + (1 | who)").memory.mels
    psi = np.append(two.optimum.psi, np.zeros(3))
    whole = three.evaluate(psi, three.first_nodes(101), relocate=True).loglik
    nodes = two.data.model.first_nodes(101)
    plain = two.data.model.evaluate(two.optimum.psi, nodes, relocate=True).loglik
    assert whole == pytest.approx(plain, rel=1e-10)


def test_what_was_simulated_is_found() -> None:
    fitted = fit(FORMULA, simulated(60, 8, 8, 5), scale=SCALE)
    assert fitted.certificate.usable
    truth = {"Intercept": 1.0, "x": 0.5, "log_sd.Intercept": -0.1, "log_sd.x": 0.2}
    apart = (fitted.params - pd.Series(truth)) / fitted.bse
    assert apart.abs().max() < 4.0
    sds = {(c.group, c.term): c.sd for c in fitted.random if not c.other}
    expected = {("firm", "Intercept"): 0.7, ("firm", "log_sd"): 5**0.5 / 10,
                ("firm:person", "Intercept"): 0.8,
                ("firm:person", "log_sd"): 10**0.5 / 10}  # fmt: skip
    for key, value in expected.items():
        assert sds[key] == pytest.approx(value, rel=0.3)


def test_order_of_rows_and_names_of_firms_do_not_matter(small: tuple[pd.DataFrame, Fit]) -> None:
    data, fitted = small
    shuffled = data.sample(frac=1.0, random_state=1).assign(
        firm=lambda d: "f" + (9 - d.firm).astype(str)
    )
    again = fit(FORMULA, shuffled, scale=SCALE)
    np.testing.assert_allclose(again.estimates, fitted.estimates, rtol=1e-6, atol=1e-7)
    assert again.loglik == pytest.approx(fitted.loglik, rel=1e-9)


def test_groupings_that_are_crossed_are_named() -> None:
    data = simulated(4, 3, 5, 8)
    data["task"] = np.arange(len(data)) % 5
    with pytest.raises(FitError, match="'firm:person' is not nested in 'task'"):
        fit("y ~ x + (1 | firm:person) + (1 | task)", data, scale="~ x + (1 | firm:person)")


def test_slopes_of_firms_are_refused() -> None:
    with pytest.raises(FitError, match="levels here, not slopes"):
        fit("y ~ x + (1 + x | firm/person)", simulated(4, 3, 5, 8), scale=SCALE)


def test_standard_errors_clustered_on_firms_come_from_the_firms_scores() -> None:
    data = simulated(12, 3, 5, 8)
    plain = fit(FORMULA, data, scale=SCALE)
    robust = fit(FORMULA, data, scale=SCALE, covariance="CR0", cluster="firm")
    state = plain.memory.mels
    scores = state.optimum.evaluated.scores
    meat = sum(np.outer(score, score) for score in scores)
    whole = state.covariance @ meat @ state.covariance
    back = state.data.fixed.scale * state.data.fixed.basis.back
    expected = back @ whole[:2, :2] @ back.T
    np.testing.assert_allclose(robust.vcov[:2, :2], expected, rtol=1e-6)
    assert dataclasses.asdict(robust)["df"][0] == 11
