from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from alc_stats.errors import FitError, FormulaError
from alc_stats.estimators import Certificate, Fit, fit
from alc_stats.inference import contrast, joint
from alc_stats.records import dump, load
from estimators.witness import answers, table
from tolerances import EXACT_ARITHMETIC, OTHER_ALGORITHM

R = answers("linear")


@pytest.fixture(scope="module")
def result() -> Fit:
    return fit("y ~ mandate + x * role", table("linear", "clusters.csv"))


WEIGHTS = [
    ("mandate", {"mandate": 1.0}, 0.0),
    ("mandate - x", {"mandate": 1.0, "x": -1.0}, 0.0),
    ("2*mandate + x = 1", {"mandate": 2.0, "x": 1.0}, -1.0),
    ("role[T.engineer] - role[T.writer]", {"role[T.engineer]": 1.0, "role[T.writer]": -1.0}, 0.0),
    ("x + x:role[T.writer]", {"x": 1.0, "x:role[T.writer]": 1.0}, 0.0),
    ("(x + x:role[T.writer])/2", {"x": 0.5, "x:role[T.writer]": 0.5}, 0.0),
    ("-x*3 - -mandate", {"x": -3.0, "mandate": 1.0}, 0.0),
    ("1.5e-1*x = 2*mandate", {"x": 0.15, "mandate": -2.0}, 0.0),
    ("`x:role[T.writer]` + +`x`", {"x": 1.0, "x:role[T.writer]": 1.0}, 0.0),
    ("Intercept + 2 * (x - 1)", {"Intercept": 1.0, "x": 2.0}, -2.0),
]


@pytest.mark.parametrize(("expression", "weights", "constant"), WEIGHTS)
def test_a_contrast_is_its_weights(
    result: Fit, expression: str, weights: dict[str, float], constant: float
) -> None:
    w = np.array([weights.get(name, 0.0) for name in result.names])
    estimate = contrast(result, expression)
    assert estimate.value == pytest.approx(w @ result.estimates + constant, rel=EXACT_ARITHMETIC)
    assert estimate.se == pytest.approx(math.sqrt(w @ result.vcov @ w), rel=EXACT_ARITHMETIC)
    assert estimate.name == expression
    assert estimate.df == 198 - 7


def test_longer_names_win_over_their_beginnings(result: Fit) -> None:
    renamed = dataclasses.replace(
        result, names=("a", "a b", "ab", "a:b", "a[1]", "I(a ** 2)", "a.b")
    )
    for i, name in enumerate(renamed.names):
        assert contrast(renamed, name).value == result.estimates[i]
        assert contrast(renamed, f"-{name} * 2").value == -2.0 * result.estimates[i]


def test_a_fit_read_from_disk_takes_the_smallest_degrees_of_freedom() -> None:
    fresh = fit("y ~ mandate + week + (1 | firm)", table("mixed", "firms.csv"))
    mixed = load(dump(fresh), Fit)
    df = dict(zip(mixed.names, mixed.df, strict=True))
    assert df["mandate"] < df["week"]
    assert contrast(mixed, "week").df == df["week"]
    assert contrast(mixed, "mandate + week").df == df["mandate"]
    assert joint(mixed, ["week", "mandate"]).df2 == df["mandate"]
    assert contrast(fresh, "mandate + week").df > df["mandate"]


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("mandat", "the fit has no coefficient 'mandat'. Did you mean 'mandate'?"),
        ("x - role[T.wrter]", "no coefficient 'role[T.wrter]'. Did you mean 'role[T.writer]'?"),
        ("x:mandate", "no coefficient 'x:mandate'"),
        ("mandate:x", "no coefficient 'mandate:x'"),
        ("`x + mandate`", "no coefficient 'x + mandate'"),
        ("x * mandate", "the contrast is not linear in the coefficients"),
        ("1 / x", "the contrast is not linear in the coefficients"),
        ("x / 0", "the contrast divides by zero"),
        ("x = 1 = 2", "a contrast has at most one '='"),
        ("x +", "the contrast cannot be read"),
        ("x ** 2", "the contrast cannot be read"),
        ("", "the contrast cannot be read"),
        ("x - x", "no coefficient is left in the contrast"),
        ("3", "no coefficient is left in the contrast"),
    ],
)
def test_contrasts_that_cannot_be_read(result: Fit, expression: str, sentence: str) -> None:
    with pytest.raises(FormulaError) as caught:
        contrast(result, expression)
    assert sentence in str(caught.value)


def test_every_unknown_name_is_reported(result: Fit) -> None:
    with pytest.raises(FormulaError) as caught:
        contrast(result, "foo + 2*bar - x")
    assert len(caught.value.problems) == 2


def test_components_keep_their_names_apart_and_their_unit(result: Fit) -> None:
    components = ("mean",) * 4 + ("log_sd",) * 3
    names = (*result.names[:4], "Intercept", "mandate", "x")
    both = dataclasses.replace(result, names=names, components=components)
    assert contrast(both, "mandate").value == result.estimates[1]
    dispersion = contrast(both, "log_sd.mandate")
    assert (dispersion.value, dispersion.unit) == (result.estimates[5], "log SD")


def test_a_fit_that_failed_has_no_contrasts(result: Fit) -> None:
    failed = dataclasses.replace(result, certificate=Certificate("failed", "It did not arrive."))
    for question in (lambda: contrast(failed, "x"), lambda: joint(failed, ["x"])):
        with pytest.raises(FitError, match=r"this fit cannot be used\. Found: It did not arrive"):
            question()


def test_the_joint_test_is_rs_f(result: Fit) -> None:
    test = joint(result, ["x:role[T.engineer]", "x:role[T.writer]"])
    expected = R["joint"]
    assert test.statistic == pytest.approx(expected["statistic"], rel=OTHER_ALGORITHM)
    assert (test.df1, test.df2) == (2, expected["df2"])
    assert test.p == pytest.approx(expected["p"], rel=OTHER_ALGORITHM)


def test_the_joint_test_of_one_term_is_its_t_squared(result: Fit) -> None:
    single, one = joint(result, ["mandate"]), contrast(result, "mandate")
    assert single.statistic == pytest.approx(one.statistic**2, rel=OTHER_ALGORITHM)
    assert single.p == pytest.approx(one.p_value, rel=OTHER_ALGORITHM)
    normal = dataclasses.replace(result, df=np.full(7, np.inf))
    assert joint(normal, ["mandate"]).p == pytest.approx(
        contrast(normal, "mandate").p_value, rel=OTHER_ALGORITHM
    )


def test_terms_that_follow_from_one_another_cannot_be_tested_together(result: Fit) -> None:
    with pytest.raises(FitError, match="cannot be tested together"):
        joint(result, ["mandate", "x", "mandate - x"])
