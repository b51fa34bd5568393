"""Location-scale models with a random scale effect, as a user fits them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import AlcError, DeclarationError, FitError, FormulaError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.kernels.mels_model import MelsModel
from alc_stats.estimators.kernels.mels_search import climb, search
from alc_stats.estimators.kernels.mels_start import start
from alc_stats.inference.spread_draws import spread_model
from alc_stats.records import dump, load
from estimators.brute_twin import one_effect
from estimators.witness import answers, real_data
from tolerances import (
    BRUTE_GRID,
    ELEVEN_NODES,
    FINITE_DIFFERENCE,
    LOG_VARIANCE_TWIN,
    SAME_LOGLIK,
    TEN_DIGITS,
    THREE_PRINTED_DIGITS,
)

LOG_VARIANCE = answers("location_scale")
RIESBY = {
    "formula": "hamdep ~ week*endog + (1 | id)",
    "scale": "~ week + endog + (1 | id)",
    "between": "~ endog",
}
POSMOOD = {
    "formula": "posmood ~ alone + genderf + (1 | id)",
    "scale": "~ alone + genderf + (1 | id)",
    "between": "~ alone + genderf",
}
HSB = {"formula": "MathAch ~ SES + (1 | School)", "scale": "~ SES + female + (1 | School)"}
COLUMNS = {
    "riesby": ("hamdep", ["week", "endog", "week:endog"], ["endog"], ["week", "endog"]),
    "posmood": ("posmood", ["alone", "genderf"], ["alone", "genderf"], ["alone", "genderf"]),
}


@pytest.fixture(scope="module")
def riesby() -> pd.DataFrame:
    return real_data("multilevel/riesby.csv", "MixLS")


@pytest.fixture(scope="module")
def fits() -> dict[str, Fit]:
    """Rows 6a, 6b and 7 of the methods reference."""
    hsb = real_data("multilevel/nlme__MathAchieve.csv", "nlme")
    hsb["female"] = (hsb["Sex"] == "Female").astype(float)
    return {
        "riesby": fit(data=real_data("multilevel/riesby.csv", "MixLS"), **RIESBY),
        "posmood": fit(data=real_data("multilevel/posmood.csv", "MixLS"), **POSMOOD),
        "hsb": fit(data=hsb, **HSB),
    }


def component(found: Fit, term: str, other: str = "") -> float:
    """An SD, or with `other` a correlation."""
    (own,) = [c for c in found.random if c.term == term and c.other == other]
    return own.sd if own.correlation is None else own.correlation


# --- witnesses --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["riesby", "posmood", "hsb"])
def test_an_independent_fit_in_log_variances(fits: dict[str, Fit], name: str) -> None:
    """MIXREGLS' convention: every coefficient of a spread and its error is twice ours."""
    found, other = fits[name], LOG_VARIANCE["fits"][name]
    close = {"rel": LOG_VARIANCE_TWIN, "abs": LOG_VARIANCE_TWIN}
    assert found.loglik == pytest.approx(other["loglik"], abs=SAME_LOGLIK * 10)
    by_part = {part: [p == part for p in found.components] for part in set(found.components)}
    parts = {"mean": ("beta", 1.0), "log_sd": ("tau", 0.5), "between_log_sd": ("alpha", 0.5)}
    for part, own in by_part.items():
        key, factor = parts[part]
        assert found.estimates[own] == pytest.approx(factor * np.array(other[key]), **close)
        errors = factor * np.array(other[f"se_{key}"])
        assert found.bse.to_numpy()[own] == pytest.approx(errors, **close)
    assert component(found, "log_sd") == pytest.approx(other["sigma_omega"] / 2.0, **close)
    assert component(found, "Intercept", "log_sd") == pytest.approx(other["r"], **close)


@pytest.mark.parametrize("name", ["riesby", "posmood"])
def test_the_printed_rows(fits: dict[str, Fit], name: str) -> None:
    printed = LOG_VARIANCE["printed"][name]
    own = fits[name].params
    assert own[own.index.str.startswith("log_sd")].to_numpy() == pytest.approx(
        np.array(printed["tau"]) / 2.0, abs=THREE_PRINTED_DIGITS
    )
    sd, r = component(fits[name], "log_sd"), component(fits[name], "Intercept", "log_sd")
    assert sd * r == pytest.approx(printed["tau_l"] / 2.0, abs=THREE_PRINTED_DIGITS)
    assert sd * np.sqrt(1.0 - r * r) == pytest.approx(
        printed["sigma_scale"] / 2.0, abs=THREE_PRINTED_DIGITS
    )


@pytest.mark.parametrize("name", ["riesby", "posmood", "hsb"])
def test_the_printed_likelihoods_of_smaller_models(fits: dict[str, Fit], name: str) -> None:
    """Without a scale effect, and with one that does not go with the location effect."""
    printed, model = LOG_VARIANCE["printed"][name], fits[name].memory.mels.data.model
    unit = fits[name].counts.used * np.log(fits[name].memory.mels.data.unit)
    apart = np.zeros(model.shape.length, dtype=bool)
    apart[model.shape.part("lam")] = True
    none = apart.copy()
    none[model.shape.part("sigma")] = True
    for key, held in (("loglik_no_scale_effect", none), ("loglik_uncorrelated", apart)):
        if key in printed:
            found = search(model, np.where(held, 0.0, start(model.rows, model.shape)), held)
            assert found.evaluated.loglik - unit == pytest.approx(printed[key], abs=ELEVEN_NODES)


@pytest.mark.parametrize("name", ["riesby", "posmood"])
def test_the_likelihood_is_that_of_a_grid_over_both_effects(
    fits: dict[str, Fit], name: str
) -> None:
    found = fits[name]
    outcome, mean, between, within = COLUMNS[name]
    data = real_data(f"multilevel/{name}.csv", "MixLS")
    data["week:endog"] = data["week"] * data["endog"] if name == "riesby" else 0.0
    b = found.params

    def part(label: str, columns: list[str]) -> np.ndarray:
        total = np.full(len(data), b[f"{label}Intercept"])
        return total + sum(b[f"{label}{c}"] * data[c].to_numpy(float) for c in columns)

    sd, r = component(found, "log_sd"), component(found, "Intercept", "log_sd")
    whole = one_effect(
        data[outcome].to_numpy(float),
        part("", mean),
        part("log_sd.", within),
        np.exp(part("between_log_sd.", between)),
        sd * r,
        sd * np.sqrt(1.0 - r * r),
        data["id"].to_numpy(),
    )
    assert found.loglik == pytest.approx(whole, abs=BRUTE_GRID)


@pytest.mark.parametrize("name", ["riesby", "posmood", "hsb"])
def test_the_gradient_is_that_of_differences(fits: dict[str, Fit], name: str) -> None:
    state = fits[name].memory.mels
    psi = state.optimum.psi + 0.02
    model: MelsModel = state.data.model
    nodes = state.optimum.evaluated.nodes
    here = model.evaluate(psi, nodes, relocate=True)
    slopes, h = np.empty(len(psi)), 1e-3
    for k in range(len(psi)):
        step = np.zeros(len(psi))
        step[k] = h
        at = [
            model.evaluate(psi + j * step, here.nodes, relocate=False).loglik
            for j in (-2.0, -1.0, 1.0, 2.0)
        ]
        slopes[k] = (at[0] - 8.0 * at[1] + 8.0 * at[2] - at[3]) / (12.0 * h)
    size = np.abs(here.gradient).max()
    assert here.gradient / size == pytest.approx(slopes / size, abs=FINITE_DIFFERENCE)


@pytest.mark.parametrize("name", ["riesby", "posmood", "hsb"])
def test_a_certificate_promises_digits_that_are_there(fits: dict[str, Fit], name: str) -> None:
    """Against the same search carried on with many more nodes, in standard errors."""
    state, digits = fits[name].memory.mels, fits[name].certificate.digits
    assert digits is not None
    assert digits > 6.0
    psi, model = state.optimum.psi, state.data.model
    there, _ = climb(model, psi, model.renewed(state.optimum.evaluated.nodes, 95))
    errors = np.sqrt(np.diag(state.covariance))
    assert np.abs((there - psi) / errors).max() < 10.0 ** (1.0 - digits)


@pytest.mark.parametrize(
    "formula", ["y ~ x + (1 | p)", "y ~ x + (1 + x | p)", "y ~ x + (1 + x || p)"]
)
def test_without_a_scale_effect_it_is_the_linear_mixed_model(formula: str) -> None:
    """Evaluated at an SD of zero: as the other engine has it, by another algorithm."""
    data = simulated(5, sw=0.3)
    own = fit(formula, data, scale="~ 1 + (1 | p)")
    other = fit(formula, data, method="ML")
    null = spread_model(other, own)
    at_zero = null.data.model.evaluate(null.psi, null.data.model.first_nodes(7), relocate=True)
    loglik = at_zero.loglik - len(data) * np.log(null.data.unit)
    assert loglik == pytest.approx(other.loglik, rel=TEN_DIGITS)
    same = null.data.model.shape.unpack(null.psi)
    assert same.scale_sd == 0.0
    # the correlated shape, its covariance and SD both zero, is the same model
    shape = own.memory.mels.data.model.shape
    psi = np.zeros(shape.length)
    for part in ("beta", "tau", "free"):
        psi[shape.part(part)] = null.psi[null.data.model.shape.part(part)]
    model = own.memory.mels.data.model
    again = model.evaluate(psi, model.first_nodes(7), relocate=True)
    assert again.loglik == pytest.approx(at_zero.loglik, rel=TEN_DIGITS)


# --- what the data can and cannot tell --------------------------------------------------------


def simulated(
    seed: int, *, persons: int = 40, rows: int = 6, sw: float = 0.4, r: float = 0.3,
    sd: float = 1.0,
) -> pd.DataFrame:  # fmt: skip
    rng = np.random.default_rng(seed)
    p = np.repeat(np.arange(persons), rows)
    z, own = rng.normal(size=persons), rng.normal(size=persons)
    effect = sd * (r * z + np.sqrt(1.0 - r * r) * own)
    x = rng.normal(size=len(p))
    arm = (np.arange(persons) % 2)[p].astype(float)
    y = 1.0 + 0.5 * x + effect[p] + np.exp(sw * z[p] + 0.2 * arm) * rng.normal(size=len(p))
    time = np.tile(np.arange(rows, dtype=float), persons)
    return pd.DataFrame({"y": y, "x": x, "arm": arm, "p": p, "time": time})


def test_no_differences_in_spread() -> None:
    found = fit("y ~ x + (1 | p)", simulated(1, sw=0.0, persons=60), scale="~ arm + (1 || p)")
    assert found.certificate.boundary == ("SD of log_sd | p",)
    assert found.certificate.usable
    assert component(found, "log_sd") == 0.0
    assert "no such variation beyond chance" in found.certificate.sentence
    assert "correlation" not in found.certificate.sentence
    assert np.isfinite(found.vcov).all()


def test_a_correlation_at_its_limit_is_not_called_no_variation() -> None:
    found = fit("y ~ x + (1 | p)", simulated(3, r=1.0, sw=0.3), scale="~ arm + (1 | p)")
    assert found.certificate.status == "boundary"
    assert abs(component(found, "Intercept", "log_sd")) == pytest.approx(1.0, abs=TEN_DIGITS)
    assert "do not interpret that correlation" in found.certificate.sentence
    assert "beyond chance" not in found.certificate.sentence


def test_no_location_effect_to_speak_of() -> None:
    found = fit("y ~ x + (1 | p)", simulated(3, sd=0.0), scale="~ 1 + (1 || p)")
    assert found.certificate.boundary == ("SD of Intercept | p",)
    assert component(found, "Intercept") == pytest.approx(0.0, abs=TEN_DIGITS)
    assert component(found, "log_sd") > 0.1


@pytest.mark.parametrize("seed", range(5))
def test_a_spread_between_persons_that_is_not_there_has_no_numbers(seed: int) -> None:
    found = fit("y ~ x + (1 | p)", simulated(seed, sd=0.0), scale="~ 1 + (1 || p)", between="~ arm")
    text = found.summary()
    assert "-inf" not in text
    assert not np.isinf(found.estimates).any()
    if component(found, "Intercept") < 1e-3:
        assert found.certificate.status == "not_identified"
        assert "leave between out" in found.certificate.sentence
        assert "estimate" not in text
        assert "log-likelihood" not in text


def test_some_spread_between_persons_is_not_there() -> None:
    """The test above is about something: of its seeds some have no location effect."""
    states = {
        fit("y ~ x + (1 | p)", simulated(seed, sd=0.0), scale="~ 1 + (1 || p)", between="~ arm")
        .certificate.status
        for seed in range(5)
    }  # fmt: skip
    assert "not_identified" in states


def test_a_fit_without_a_usable_certificate_prints_no_numbers() -> None:
    from dataclasses import replace

    found = fit("y ~ x + (1 | p)", simulated(2), scale="~ 1 + (1 | p)")
    failed = replace(found, certificate=replace(found.certificate, status="failed"))
    text = failed.summary()
    assert "estimate" not in text
    assert "random part" not in text
    for ask in (lambda: failed.predict(), lambda: failed.random_effects):
        with pytest.raises(FitError, match="cannot be used"):
            ask()


def test_no_location_effects_is_heteroscedastic_regression() -> None:
    """A scale effect alone: persons differ in nothing but their spread."""
    found = fit("y ~ x", simulated(4, sd=0.0), scale="~ arm + (1 | p)")
    assert found.certificate.usable
    assert [c.term for c in found.random] == ["log_sd", ""]
    assert found.random_effects["p"].columns.tolist() == ["log_sd", "posterior_sd.log_sd"]


def test_few_rows_a_person_are_noted() -> None:
    found = fit("y ~ x + (1 | p)", simulated(6, rows=3, persons=150), scale="~ 1 + (1 | p)")
    assert any("3 rows or fewer" in note for note in found.certificate.notes)


def test_persons_of_one_row_are_noted() -> None:
    data = simulated(6)
    alone = (data["p"] < 5) & (data["time"] > 0)
    found = fit("y ~ x + (1 | p)", data[~alone], scale="~ 1 + (1 | p)")
    assert any("5 levels of 'p' have one row" in note for note in found.certificate.notes)


def test_a_weak_correlation_is_noted(fits: dict[str, Fit]) -> None:
    assert any("do not interpret that correlation" in n for n in fits["hsb"].certificate.notes)


def test_the_record_survives_storage(fits: dict[str, Fit]) -> None:
    again = load(dump(fits["riesby"]), Fit)
    assert again.labels == fits["riesby"].labels
    assert again.summary() == fits["riesby"].summary()
    with pytest.raises(FitError, match="does not remember its rows"):
        again.predict()


# --- standard errors --------------------------------------------------------------------------


def test_clustered_errors_are_sums_of_scores() -> None:
    data = simulated(8)
    data["firm"] = data["p"] // 4
    asked = {"formula": "y ~ x + arm + (1 | p)", "scale": "~ arm + (1 | p)", "data": data}
    plain, firm = fit(**asked), fit(**asked, covariance="CR1", cluster="firm")
    state = plain.memory.mels
    scores = state.optimum.evaluated.scores
    sums = np.array([scores[g * 4 : g * 4 + 4].sum(axis=0) for g in range(10)])
    A = state.covariance
    clustered = A @ sums.T @ sums @ A * 10.0 / 9.0
    from alc_stats.estimators.location_scale import raw_coefficients

    _, back = raw_coefficients(state.data, state.optimum.psi)
    assert firm.vcov == pytest.approx(back @ clustered @ back.T, rel=1e-6)
    assert np.all(firm.df == 9.0)
    assert np.array_equal(firm.estimates, plain.estimates)


def test_a_person_in_two_clusters_is_refused() -> None:
    data = simulated(8)
    with pytest.raises(FitError, match="in several clusters"):
        fit("y ~ x + (1 | p)", data, scale="~ 1 + (1 | p)", covariance="CR1", cluster="time")


# --- bad input --------------------------------------------------------------------------------

BAD: list[tuple[str, dict[str, Any], type[AlcError], str]] = [
    ("two-sided scale", {"scale": "y ~ x + (1 | p)"}, FormulaError, "one-sided"),
    ("unknown scale column", {"scale": "~ nope + (1 | p)"}, FormulaError, "'nope'"),
    ("unknown between column", {"between": "~ nope"}, FormulaError, "'nope'"),
    ("unknown grouping", {"scale": "~ x + (1 | nope)"}, FormulaError, "'nope'"),
    ("unknown order", {"order": "nope"}, FormulaError, "'nope'"),
    ("scale slopes", {"scale": "~ x + (1 + x | p)"}, FormulaError, "not by slopes"),
    ("between random", {"between": "~ x + (1 | p)"}, FormulaError, "no random terms"),
    ("between without intercept", {"formula": "y ~ x"}, FitError, "there is none"),
    ("between without level", {"between": "~ 0 + x"}, FitError, "level of its own"),
    ("REML", {"method": "REML"}, DeclarationError, "no exact restricted likelihood"),
    ("weights", {"weights": "x"}, DeclarationError, "takes no weights"),
    ("small sample df", {"df": "satterthwaite"}, DeclarationError, "takes no df"),
    ("CR2", {"covariance": "CR2", "cluster": "firm"}, DeclarationError, "takes no covariance"),
    ("cluster missing", {"covariance": "CR1"}, DeclarationError, "do not go together"),
    ("ties in order", {"order": "tied"}, FitError, "same 'tied'"),
    ("collinear scale", {"scale": "~ x + twice + (1 | p)"}, FitError, "twice"),
    ("constant scale column", {"scale": "~ one + (1 | p)"}, FitError, "one"),
    ("rows alone", {"rows": "alone"}, FitError, "two rows"),
    ("constant within persons", {"outcome": "still"}, FitError, "constant within"),
    ("two values", {"outcome": "coin"}, FitError, "fewer than 3 distinct values"),
    ("reproduced", {"formula": "y ~ y2 + (1 | p)"}, FitError, "exactly"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changed", "kind", "said"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_is_a_sentence(
    name: str, changed: dict[str, Any], kind: type[AlcError], said: str
) -> None:
    data = simulated(9)
    data = data.assign(
        firm=data["p"] // 4, twice=2.0 * data["x"], one=1.0, tied=data["time"] // 2, y2=data["y"]
    )
    asked: dict[str, Any] = {
        "formula": "y ~ x + (1 | p)",
        "scale": "~ x + (1 | p)",
        "between": "~ x",
    }
    asked |= changed
    if asked.pop("rows", ""):
        data = data[data["time"] == 0.0].assign(p=lambda d: d["p"].astype(str))
        asked["formula"] = "y ~ x"
        asked.pop("between")
    outcome = asked.pop("outcome", "")
    if outcome:
        rng = np.random.default_rng(1)
        data["y"] = data["p"] % 7 if outcome == "still" else rng.integers(0, 2, len(data))
    with pytest.raises(kind, match=said) as caught:
        fit(data=data, **asked)
    for problem in caught.value.problems:
        assert str(problem).endswith((".", "?"))
