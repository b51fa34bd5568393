"""Response surfaces beside R: lm with sandwich and clubSandwich, lmer, and constrained fits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alc_stats.models.response_surface.data import SurfaceData, SurfaceQuestion, surface_data
from alc_stats.models.response_surface.draws import surface_draws
from alc_stats.models.response_surface.evidence import influential
from alc_stats.models.response_surface.family import family
from alc_stats.models.response_surface.fits import (
    LINEAR,
    OF_SURFACE,
    SUMS,
    TERMS,
    Surface,
    condition,
    least_squares,
    multilevel,
    stationary_point,
)
from alc_stats.models.response_surface.lines import AXES
from tolerances import DELTA_GRADIENT, LMER_SANDWICH, OTHER_ALGORITHM, TURNED_SEARCH

FOLDER = Path(__file__).parents[1] / "reference" / "response_surface"
R = json.loads((FOLDER / "response_surface.json").read_text(encoding="utf-8"))
DATA = os.environ.get("ALC_STATS_DATA", "")
FILES = {
    "motcon": ("motcon.tab", "postVA", "ePow", "iPow"),
    "motcon2": ("motcon2.tab", "VA", "EM", "IM"),
}


def made(name: str, **how: Any) -> SurfaceData:
    if name == "people":
        asked: dict[str, Any] = {"bounds": (-np.inf, np.inf)}
        question = SurfaceQuestion(
            outcome="quality", awareness="aware", capability="able", **(asked | how)
        )
        return surface_data(pd.read_csv(FOLDER / "people.csv"), question)
    file, outcome, aware, able = FILES[name]
    path = Path(DATA) / "rsa-congruence" / file
    if not DATA or not path.exists():
        pytest.skip(f"needs {file} in the folder that ALC_STATS_DATA names")
    question = SurfaceQuestion(
        outcome=outcome, awareness=aware, capability=able, separate_scales="the authors' z scores"
    )
    return surface_data(pd.read_csv(path, sep=" "), question)


def same(own: Any, witness: Any, tolerance: float) -> None:
    np.testing.assert_allclose(own, witness, rtol=tolerance, atol=tolerance * 1e-3)


@pytest.mark.parametrize("name", ["people", *FILES])
def test_coefficients_and_hc3_are_those_of_lm(name: str) -> None:
    surface, witness = least_squares(made(name)), R[name]["surface"]
    same(surface.fit.estimates, witness["b"], OTHER_ALGORITHM)
    same(surface.fit.bse, witness["se"], OTHER_ALGORITHM)
    assert surface.fit.statistics["r_squared"] == pytest.approx(witness["r2"], rel=OTHER_ALGORITHM)
    assert surface.fit.counts.used == witness["n"]


@pytest.mark.parametrize("key", OF_SURFACE)
@pytest.mark.parametrize("name", ["people", *FILES])
def test_slopes_and_curvatures_have_the_delta_methods_intervals(name: str, key: str) -> None:
    own, witness = least_squares(made(name)).of(OF_SURFACE[key], key), R[name]["surface"]["derived"]
    found = (own.value, own.se, own.df, *own.interval())
    want = [witness[key][k] for k in ("value", "se", "df", "low", "high")]
    same(found, want, OTHER_ALGORITHM)
    b = least_squares(made(name)).coefficients()
    assert SUMS[key](b) == pytest.approx(own.value, rel=OTHER_ALGORITHM, abs=OTHER_ALGORITHM)


@pytest.mark.parametrize("key", ["x0", "y0", *AXES])
@pytest.mark.parametrize("name", ["people", *FILES])
def test_stationary_point_and_axes_have_the_delta_methods_intervals(name: str, key: str) -> None:
    surface = least_squares(made(name))
    place = {"x0": 0, "y0": 1}
    function = AXES.get(key) or (lambda b: float(stationary_point(b)[place[key]]))
    own, witness = surface.delta(function, key), R[name]["surface"]["derived"][key]
    same((own.value, own.se), (witness["value"], witness["se"]), DELTA_GRADIENT)
    assert own.df == witness["df"]


@pytest.mark.parametrize("name", ["people", *FILES])
def test_the_condition_of_opposite_signs(name: str) -> None:
    linear, witness = least_squares(made(name), LINEAR), R[name]["condition"]
    own = linear.delta(condition, "abs")
    same(linear.fit.estimates, witness["b"], OTHER_ALGORITHM)
    same((own.value, own.se), (witness["value"], witness["se"]), DELTA_GRADIENT)


@pytest.mark.parametrize("name", ["people", *FILES])
def test_the_family_of_surfaces_has_the_same_aicc(name: str) -> None:
    rows = made(name).rows
    members = family(*(rows[k].to_numpy(float) for k in ("A", "C", "quality")))
    assert {m.name for m in members} == set(R[name]["family"])
    for m in members:
        assert m.aicc == pytest.approx(R[name]["family"][m.name], rel=TURNED_SEARCH), m.name


def test_clustered_least_squares_is_clubsandwichs() -> None:
    surface, witness = least_squares(made("people", firm="firm")), R["people"]["clustered"]
    same(surface.fit.estimates, witness["b"], OTHER_ALGORITHM)
    same(surface.fit.bse, witness["se"], OTHER_ALGORITHM)
    same(surface.fit.df, witness["df"], 1e3 * OTHER_ALGORITHM)


@pytest.mark.parametrize(("terms", "key"), [(LINEAR, "linear"), (TERMS, "surface")])
def test_the_multilevel_surface_is_lmers(terms: tuple[str, ...], key: str) -> None:
    surface: Surface = multilevel(made("people", firm="firm"), terms)
    witness = R["people"][f"multilevel_{key}"]
    assert "1 + A_within + C_within | group" in surface.fit.request.formula
    assert surface.fit.loglik == pytest.approx(witness["loglik"], rel=OTHER_ALGORITHM)
    for own, name in (
        (surface.fit.estimates, "b"),
        (surface.fit.bse, "se"),
        (surface.fit.df, "df"),
    ):
        same(own, witness[name], LMER_SANDWICH)


def test_influential_rows_are_those_of_rs_influence_measures() -> None:
    found = np.flatnonzero(influential(made("people"))) + 1
    assert found.tolist() == R["people"]["influential"]


def test_slopes_without_measurement_error() -> None:
    draws = surface_draws(made("people", reliability=(0.85, 0.9)), draws=99, seed=1)
    same(draws.observed_corrected, R["people"]["errors_in_variables"], OTHER_ALGORITHM)
