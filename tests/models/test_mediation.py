"""Mediation against data of which the effect is known, other programs, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alc_stats as alc
from alc_stats.models.finding import Finding, Line
from models.mediations import opposed, sloped

TIMES = ("day_m", "day_y")


def line(found: Finding, start: str) -> Line:
    (only,) = [made for made in found.triangulation if made.method.startswith(start)]
    return only


def between(data: pd.DataFrame) -> Finding:
    return alc.mediation(data, outcome="y", treatment="treated", mediators="m", firm="firm",
                         times=TIMES, randomised=True)  # fmt: skip


def test_the_effect_is_that_between_firms_where_firms_are_treated() -> None:
    found = between(opposed(1))
    own, naive = (line(found, name) for name in ("Indirect effect, Monte", "Indirect effect, lev"))
    assert own.low is not None and own.high is not None and own.low < 1.0 < own.high
    assert naive.value is not None and naive.high is not None and naive.high < 0.0
    assert found.decision.verdict == "supported"


def test_slopes_that_go_together_add_their_covariance() -> None:
    found = alc.mediation(sloped(1), outcome="y", treatment="x", mediators="m", person="g",
                          times=TIMES, randomised=True)  # fmt: skip
    own = line(found, "Indirect effect, Monte")
    assert own.low is not None and own.high is not None
    assert own.low < 0.6 * 0.5 + 0.1 < own.high
    assert own.low > 0.0
    assert np.isclose(
        own.value or 0.0,
        (line(found, "Path a").value or 0) * (line(found, "Path b").value or 0)
        + (line(found, "Covariance").value or 0),
    )


def test_a_mediator_after_the_outcome_is_refused() -> None:
    late = opposed(1).assign(day_m=3.0)
    with pytest.raises(alc.AlcError, match="'m' was measured after 'y'"):
        between(late)
