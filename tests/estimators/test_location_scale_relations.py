"""What must not change in a location-scale fit when only the writing of the data changes.

As `test_relations` has it for mixed models: no expected number is needed. A few cases run always,
many under ALC_EXTENDED=1 (see tests/README.md).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alc_stats.estimators import Fit, fit
from alc_stats.estimators.kernels import mels_model
from tolerances import SAME_BY_RELATION, SAME_LOGLIK_BY_RELATION

EXTENDED = os.environ.get("ALC_EXTENDED") == "1"
many = settings(max_examples=100 if EXTENDED else 3, deadline=None, derandomize=True, database=None)

SPREADS: tuple[dict[str, str], ...] = (
    {"random": "(1 | p)", "scale": "~ x + arm + (1 | p)"},
    {"random": "(1 | p)", "scale": "~ x + arm + (1 || p)", "between": "~ arm"},
    {"random": "(1 | p)", "scale": "~ x + arm + (1 | p)", "between": "~ x + arm"},
    {"random": "(1 + x | p)", "scale": "~ arm + (1 | p)"},
    {"random": "(1 | p)", "scale": "~ arm + (1 | p)", "order": "time"},
)


@dataclass(frozen=True)
class Model:
    """A model of a simulated table with something to find in every part."""

    seed: int
    spread: int

    @property
    def data(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed)
        p = np.repeat(np.arange(40), rng.integers(5, 11, 40))
        effects = rng.normal(size=(40, 3))
        x, treated = rng.normal(size=len(p)), (np.arange(40) % 3 == 0)[p]
        scale = 0.35 * effects[p, 2] + 0.2 * effects[p, 0] + 0.2 * x + 0.3 * treated
        y = 2.0 + 0.5 * x + treated + 1.2 * effects[p, 0] + 0.7 * effects[p, 1] * x
        y += np.exp(scale) * rng.normal(size=len(p))
        time = pd.Series(p).groupby(p).cumcount().to_numpy(float)
        data = pd.DataFrame({"y": y, "x": x, "time": time})
        data["arm"] = np.where(treated, "mandate", "control")
        return data.assign(p=[f"p{k}" for k in p])

    def fit(self, data: pd.DataFrame | None = None, **changed: str) -> Fit:
        asked: dict[str, Any] = dict(SPREADS[self.spread]) | changed
        formula = f"y ~ x + arm + {asked.pop('random')}"
        return fit(formula, self.data if data is None else data, **asked)


models = st.builds(Model, st.integers(0, 10_000), st.integers(0, len(SPREADS) - 1))


def usable(found: Fit) -> Fit:
    """A maximum inside: at a boundary roundings decide which side."""
    assume(found.certificate.status == "optimum")
    return found


def same(a: Fit, b: Fit, *, loglik: float = 0.0) -> None:
    """Estimates, errors, SDs, correlations and log-likelihood."""
    assert b.certificate.status == a.certificate.status
    assert np.isclose(a.loglik, b.loglik + loglik, atol=SAME_LOGLIK_BY_RELATION)
    scale = a.bse.to_numpy()
    order = [b.labels.index(label) for label in a.labels]
    assert np.allclose((b.estimates[order] - a.estimates) / scale, 0.0, atol=SAME_BY_RELATION)
    assert np.allclose(b.bse.to_numpy()[order] / scale, 1.0, atol=10 * SAME_BY_RELATION)
    assert np.allclose(numbers(a), numbers(b), atol=SAME_BY_RELATION)


def numbers(found: Fit) -> list[float]:
    return [c.sd if c.correlation is None else c.correlation for c in found.random]


@many
@given(models, st.randoms(use_true_random=False))
def test_rows_in_another_order(model: Model, random: Any) -> None:
    data = model.data
    shuffled = data.sample(frac=1.0, random_state=random.randrange(2**31))
    same(usable(model.fit()), model.fit(shuffled))


@many
@given(models)
def test_persons_under_other_names(model: Model) -> None:
    data = model.data
    names = {name: f"q{(7 * k) % 41}" for k, name in enumerate(data["p"].unique())}
    same(usable(model.fit()), model.fit(data.assign(p=data["p"].map(names))))


@many
@given(models, st.sampled_from([-1e6, -3.0, 250.0]))
def test_an_outcome_with_another_origin(model: Model, by: float) -> None:
    data, here = model.data, usable(model.fit())
    there = model.fit(data.assign(y=data["y"] + by))
    estimates = there.estimates.copy()
    estimates[there.labels.index("Intercept")] -= by
    same(here, replace(there, estimates=estimates))


@many
@given(models, st.sampled_from([1e-6, 0.4, 3600.0]))
def test_an_outcome_in_another_unit(model: Model, by: float) -> None:
    """SDs of the outcome follow the unit, so every log SD's intercept moves by its logarithm."""
    data, here = model.data, usable(model.fit())
    there = model.fit(data.assign(y=data["y"] * by))
    moved = here.params
    moved[[part == "mean" for part in here.components]] *= by
    for label in ("log_sd.Intercept", "between_log_sd.Intercept"):
        if label in moved.index:
            moved[label] += np.log(by)
    assert np.allclose((there.params - moved) / there.bse, 0.0, atol=SAME_BY_RELATION)
    errors = here.bse * np.where([part == "mean" for part in here.components], by, 1.0)
    assert np.allclose(there.bse / errors, 1.0, atol=10 * SAME_BY_RELATION)
    assert np.isclose(
        there.loglik, here.loglik - len(data) * np.log(by), atol=10 * SAME_LOGLIK_BY_RELATION
    )
    assert there.statistics["scale_effect_log_sd"] == pytest.approx(
        here.statistics["scale_effect_log_sd"], abs=SAME_BY_RELATION
    )


@many
@given(models, st.sampled_from([0.01, 40.0]))
def test_a_column_in_another_unit(model: Model, by: float) -> None:
    data, here = model.data, usable(model.fit())
    there = model.fit(data.assign(x=data["x"] * by))
    factor = np.where([name == "x" for name in here.names], by, 1.0)
    assert np.isclose(there.loglik, here.loglik, atol=SAME_LOGLIK_BY_RELATION)
    away = (there.estimates * factor - here.estimates) / here.bse.to_numpy()
    assert np.allclose(away, 0.0, atol=SAME_BY_RELATION)


@many
@given(models, st.sampled_from([-5.0, 1e4]))
def test_a_column_with_another_origin(model: Model, by: float) -> None:
    """With a free covariance, or no random slope, the intercepts take it up."""
    data, here = model.data, usable(model.fit())
    there = model.fit(data.assign(x=data["x"] + by))
    assert np.isclose(there.loglik, here.loglik, atol=SAME_LOGLIK_BY_RELATION)
    own = [label for label in here.labels if not label.endswith("Intercept")]
    away = (there.params[own] - here.params[own]) / here.bse[own]
    assert np.allclose(away, 0.0, atol=10 * SAME_BY_RELATION)


@many
@given(models)
def test_another_reference_level(model: Model) -> None:
    data, here = model.data, usable(model.fit())
    names = {"control": "z_control", "mandate": "mandate"}
    there = model.fit(data.assign(arm=data["arm"].map(names)))
    assert np.isclose(there.loglik, here.loglik, atol=SAME_LOGLIK_BY_RELATION)
    for label in here.labels:
        if "arm" in label:
            other = label.replace("T.mandate", "T.z_control")
            away = (there.params[other] + here.params[label]) / here.bse[label]
            assert abs(away) < SAME_BY_RELATION


@many
@given(models)
def test_every_person_twice(model: Model) -> None:
    data, here = model.data, usable(model.fit())
    twice = pd.concat([data, data.assign(p="other " + data["p"])])
    there = model.fit(twice)
    assert np.isclose(there.loglik, 2.0 * here.loglik, atol=2 * SAME_LOGLIK_BY_RELATION)
    assert np.allclose((there.params - here.params) / here.bse, 0.0, atol=SAME_BY_RELATION)
    assert np.allclose(there.bse * np.sqrt(2.0) / here.bse, 1.0, atol=10 * SAME_BY_RELATION)


@many
@given(models)
def test_rows_and_levels_that_say_nothing(model: Model) -> None:
    data, here = model.data, usable(model.fit())
    lacking = data.head(3).assign(y=np.nan, p="nobody")
    levels = pd.CategoricalDtype([*sorted(data["p"].unique()), "nobody", "noone"])
    more = pd.concat([data, lacking], ignore_index=True)
    there = model.fit(more.assign(p=more["p"].astype(levels)))
    assert there.counts.used == here.counts.used
    assert dict(there.counts.groups) == dict(here.counts.groups)
    same(here, there)


def test_threads_do_not_matter(monkeypatch: Any) -> None:
    model = Model(1, 2)
    monkeypatch.setattr(mels_model, "FEW_ROWS", 0)
    here = model.fit()
    monkeypatch.setattr(mels_model.os, "cpu_count", lambda: 1)
    there = model.fit()
    assert np.array_equal(here.estimates, there.estimates)
    assert np.array_equal(here.vcov, there.vcov)
