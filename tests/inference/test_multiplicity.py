from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alc_stats.errors import DeclarationError
from alc_stats.inference import benjamini_hochberg, holm
from estimators.witness import answers
from tolerances import EXACT_ARITHMETIC

R = answers("linear")["adjust"]
FAMILIES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)


def test_adjusted_values_are_rs() -> None:
    np.testing.assert_allclose(holm(R["p"]), R["holm"], rtol=EXACT_ARITHMETIC)
    np.testing.assert_allclose(benjamini_hochberg(R["p"]), R["BH"], rtol=EXACT_ARITHMETIC)


@given(FAMILIES)
def test_holm_is_its_definition(p: list[float]) -> None:
    # the largest (m - rank + 1) p among those not larger than one's own
    def adjusted(own: float) -> float:
        ordered = sorted(p)
        steps = [(len(p) - i) * q for i, q in enumerate(ordered) if q <= own]
        return min(1.0, max(steps))

    np.testing.assert_allclose(holm(p), [adjusted(own) for own in p], rtol=EXACT_ARITHMETIC)


@given(FAMILIES)
def test_benjamini_hochberg_is_its_definition(p: list[float]) -> None:
    # the smallest m p / rank among those not smaller than one's own
    def adjusted(own: float) -> float:
        ordered = sorted(p)
        return min(1.0, *(len(p) * q / (i + 1) for i, q in enumerate(ordered) if q >= own), 1.0)

    np.testing.assert_allclose(
        benjamini_hochberg(p), [adjusted(own) for own in p], rtol=EXACT_ARITHMETIC
    )


@given(FAMILIES)
def test_adjusting_never_helps_a_claim(p: list[float]) -> None:
    values = np.array(p)
    assert (benjamini_hochberg(p) >= values * (1 - EXACT_ARITHMETIC)).all()
    assert (holm(p) >= benjamini_hochberg(p) * (1 - EXACT_ARITHMETIC)).all()


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(DeclarationError, match="values that are not p values"):
        holm([0.01, bad])


def test_an_empty_family_stays_empty() -> None:
    assert holm([]).size == benjamini_hochberg([]).size == 0
