"""Difference scores: found wherever they stand, refused with the reason, stamped where allowed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import FormulaError
from alc_stats.estimators import fit, fit_panel
from alc_stats.estimators.formula import parse
from alc_stats.records import dump, load
from alc_stats.simulate.artefacts import difference_score_null

SAID = (
    "'self - actual' is a difference score",
    "Edwards",
    "alc_stats.gap",
    "response surface",
    "change score",
    "allow_difference_score=True",
)


def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    own, actual, arm = rng.normal(size=60), rng.normal(size=60), np.arange(60) % 2
    return pd.DataFrame({"self": own, "actual": actual, "arm": arm, "g": np.arange(60) // 6,
                         "t": np.arange(60) % 6, "y": rng.normal(size=60)})  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "pieces"),
    [
        ("I(self - actual) ~ arm", ("self - actual",)),
        ("y ~ I(self - actual)", ("self - actual",)),
        ("y ~ arm + {self - 2 * actual}", ("self - 2 * actual",)),
        ("y ~ I((self - actual)**2)", ("self - actual",)),
        ("y ~ I(-1 * actual + self)", ("-1 * actual + self",)),
        ("y ~ I(-actual + self)", ("-actual + self",)),
        ("y ~ I(log(self) - log(actual))", ("log(self) - log(actual)",)),
        ("log(self - actual) ~ arm", ("self - actual",)),
        ("y ~ arm + (1 + I(self - actual) | g)", ("self - actual",)),
        ("y ~ I(self - actual) * I(t - arm)", ("self - actual", "t - arm")),
        ("y ~ arm - self", ()),
        ("y ~ I(self - 3)", ()),
        ("y ~ I(self - self**2)", ()),
        ("y ~ I(self + actual)", ()),
        ("y ~ I(-self - actual)", ()),
        ("y ~ I(self - (-actual))", ()),
        ("y ~ I(self * actual / 2)", ()),
    ],
)
def test_one_column_taken_from_another_is_found(formula: str, pieces: tuple[str, ...]) -> None:
    assert parse(formula).differences == pieces


def test_a_difference_score_is_refused_with_edwards_objection_and_the_way_out() -> None:
    for formula in ("I(self - actual) ~ arm", "y ~ I(self - actual)", "self - actual ~ arm"):
        with pytest.raises(FormulaError) as caught:
            fit(formula, table())
        told = str(caught.value)
        assert all(word in told for word in SAID)


def test_spreads_and_panels_are_asked_as_well() -> None:
    with pytest.raises(FormulaError, match="difference score"):
        fit("y ~ arm", table(), scale="~ I(self - actual)")
    with pytest.raises(FormulaError, match="difference score"):
        fit_panel("y ~ I(self - actual)", table(), entity="g", time="t")


def test_where_it_is_allowed_the_result_says_so_also_when_read_again() -> None:
    m = fit("I(self - actual) ~ arm", table(), allow_difference_score=True)
    assert "note: DIFFERENCE SCORE 'self - actual'" in m.summary()
    assert load(dump(m), type(m)).notes == m.notes
    assert not fit("y ~ arm", table()).notes


def test_the_difference_score_null_fools_the_naive_regression_alone() -> None:
    data = difference_score_null(400, seed=3)
    naive = fit("I(self_estimate - actual) ~ actual", data, allow_difference_score=True)
    assert naive.pvalues["actual"] < 1e-9
    assert naive.notes
    apart = fit("self_estimate ~ actual", data)
    assert apart.pvalues["actual"] > 0.05
