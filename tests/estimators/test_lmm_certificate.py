from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alc_stats.estimators.kernels.lmm_search import Optimum
from alc_stats.estimators.lmm_certificate import certify

NAMES = ("SD of Intercept | g", "SD of Intercept | h")
GOOD = Optimum(
    theta=np.array([1.0, 0.5]),
    free=np.array([True, True]),
    deviance=100.0,
    gradient=np.array([1e-9, 0.0]),
    hessian=np.array([[40.0, 2.0], [2.0, 90.0]]),
    curvature=np.array([0.97, 1.03]),
    decrement=1e-20,
    last_step=np.array([1e-13, 1e-14]),
    pull=float("inf"),
)


def test_an_optimum_says_so_and_how_sure_it_is() -> None:
    certificate = certify(GOOD, NAMES, boundary=(), digits=15.0)
    assert certificate.status == "optimum"
    assert certificate.sentence == "The likelihood is at its maximum."
    assert certificate.digits == pytest.approx(13.0)
    assert certificate.boundary_pull is None
    assert certificate.curvature == (0.97, 1.03)
    # half the gradient is the log-likelihood's; its SE is the root of twice the inverse Hessian
    inverse = 90.0 / (40.0 * 90.0 - 4.0)
    assert certificate.scaled_gradient == pytest.approx(5e-10 * np.sqrt(2.0 * inverse))


def test_the_data_cap_the_digits() -> None:
    assert certify(GOOD, NAMES, boundary=(), digits=4.2).digits == 4.2


@pytest.mark.parametrize(
    "broken",
    [
        {"gradient": np.array([1e-3, 0.0])},
        {"gradient": np.array([np.nan, 0.0])},
        {"curvature": np.array([-0.01, 2.0])},
        {"pull": -1e-3},
    ],
)
def test_a_search_that_did_not_arrive_is_failed(broken: dict) -> None:
    certificate = certify(replace(GOOD, **broken), NAMES, boundary=(), digits=15.0)
    assert certificate.status == "failed"
    assert "did not reach an optimum" in certificate.sentence
    assert not certificate.usable


def test_a_flat_direction_names_its_parameters() -> None:
    flat = replace(
        GOOD, hessian=np.array([[50.0, 50.0], [50.0, 50.0]]), curvature=np.array([0.0, 2.0])
    )
    certificate = certify(flat, NAMES, boundary=(), digits=15.0)
    assert certificate.status == "not_identified"
    assert certificate.unidentified == NAMES
    assert "(SD of Intercept | g; SD of Intercept | h)" in certificate.sentence


def test_everything_at_zero_is_a_boundary_with_nothing_left_to_search() -> None:
    none = np.zeros(0)
    zero = replace(
        GOOD,
        theta=np.zeros(2),
        free=np.array([False, False]),
        gradient=none,
        hessian=np.zeros((0, 0)),
        curvature=none,
        last_step=none,
        pull=0.4,
    )
    certificate = certify(zero, NAMES, boundary=NAMES, digits=15.0)
    assert (certificate.status, certificate.boundary_pull) == ("boundary", 0.4)
    assert certificate.scaled_gradient == 0.0
    assert "SD of Intercept | g and the SD of Intercept | h at zero" in certificate.sentence
