from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from alc_stats.estimators import Certificate, Fit, fit
from estimators.witness import table


@pytest.fixture(scope="module")
def mixed() -> Fit:
    data = table("mixed", "firms.csv")
    data.loc[:1, "tenure"] = np.nan
    return fit("y ~ tenure + week + (1 + week | firm)", data)


def test_the_certificate_comes_first(mixed: Fit) -> None:
    assert mixed.summary().splitlines()[0] == mixed.certificate.sentence


def test_every_coefficient_and_component_has_a_line(mixed: Fit) -> None:
    lines = mixed.summary().splitlines()
    for name in mixed.names:
        assert sum(line.startswith(f"{name} ") for line in lines) == 1
    assert sum(line.startswith(("firm ", "Residual")) for line in lines) == 4
    assert "388 of 390 rows used" in lines
    assert "  2 dropped: missing tenure" in lines
    assert "  12 levels of firm" in lines


@pytest.mark.parametrize("status", ["failed", "not_identified"])
def test_a_fit_that_failed_prints_no_numbers(mixed: Fit, status: str) -> None:
    certificate = Certificate(status, "It went wrong: do this.", notes=("as the engine said",))
    text = dataclasses.replace(mixed, certificate=certificate).summary()
    assert text.startswith("It went wrong: do this.\n")
    assert "note: as the engine said" in text
    for number in (*mixed.estimates, *mixed.bse, mixed.loglik):
        assert f"{number:.4g}" not in text
    assert "estimate" not in text
    assert "SD" not in text


def test_dispersion_coefficients_say_their_scale(mixed: Fit) -> None:
    components = ("mean", "mean", "log_sd")
    text = dataclasses.replace(mixed, components=components).summary()
    assert f"log_sd.{mixed.names[2]}" in text
