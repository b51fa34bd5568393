from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import Fit, fit
from alc_stats.inference import ChiSquare, Comparison, compare
from alc_stats.inference.draws import fitted
from alc_stats.records import dump, load
from alc_stats.report.numbers import say
from estimators.witness import answers, real_data, table
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS, OTHER_ALGORITHM, SAME_LOGLIK

R = answers("after_variance")
LOGLIK = R["loglik"]
INTERCEPTS, SLOPES = "y ~ x + z + (1 | person)", "y ~ x + z + (1 + x | person)"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return table("after_variance", "rows.csv")


@pytest.fixture(scope="module")
def slopes(rows: pd.DataFrame) -> Fit:
    return fit(SLOPES, rows)


@pytest.fixture(scope="module")
def intercepts(rows: pd.DataFrame) -> Fit:
    return fit(INTERCEPTS, rows)


def mixture(found: Comparison) -> list[tuple[int, float]]:
    return [(part.df, part.weight) for part in found.mixture]


def test_a_slope_is_half_and_half(intercepts: Fit, slopes: Fit) -> None:
    found = compare(intercepts, slopes)
    ratio = 2.0 * (LOGLIK["slopes_reml"] - LOGLIK["intercepts_reml"])
    assert found.statistic == pytest.approx(ratio, abs=SAME_LOGLIK)
    assert mixture(found) == [(1, 0.5), (2, 0.5)]
    assert found.null == "chi-bar-square"
    by_hand = 0.5 * stats.chi2.sf(found.statistic, 1) + 0.5 * stats.chi2.sf(found.statistic, 2)
    assert found.p == pytest.approx(by_hand, rel=EXACT_ARITHMETIC)


def test_the_order_does_not_matter(intercepts: Fit, slopes: Fit) -> None:
    assert compare(slopes, intercepts) == compare(intercepts, slopes)


def test_an_uncorrelated_slope_adds_one_variance(rows: pd.DataFrame, intercepts: Fit) -> None:
    found = compare(intercepts, fit("y ~ x + z + (1 + x || person)", rows))
    ratio = 2.0 * (LOGLIK["uncorrelated_reml"] - LOGLIK["intercepts_reml"])
    assert found.statistic == pytest.approx(ratio, abs=SAME_LOGLIK)
    assert mixture(found) == [(0, 0.5), (1, 0.5)]


def test_a_covariance_alone_has_no_boundary(rows: pd.DataFrame, slopes: Fit) -> None:
    found = compare(fit("y ~ x + z + (1 + x || person)", rows), slopes)
    assert found.null == "chi-square"
    assert mixture(found) == [(1, 1.0)]


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_least_squares_may_be_the_smaller_model(rows: pd.DataFrame, method: str) -> None:
    found = compare(fit("y ~ x + z", rows), fit(INTERCEPTS, rows, method=method))
    ending = method.lower()
    ratio = 2.0 * (LOGLIK[f"intercepts_{ending}"] - LOGLIK[f"one_level_{ending}"])
    assert found.statistic == pytest.approx(ratio, abs=SAME_LOGLIK)
    assert (found.method, mixture(found)) == (method, [(0, 0.5), (1, 0.5)])


def test_fixed_columns_under_ml(rows: pd.DataFrame) -> None:
    found = compare(
        fit("y ~ x + (1 | person)", rows, method="ML"), fit(INTERCEPTS, rows, method="ML")
    )
    ratio = 2.0 * (LOGLIK["intercepts_ml"] - LOGLIK["without_z_ml"])
    assert found.statistic == pytest.approx(ratio, abs=SAME_LOGLIK)
    assert mixture(found) == [(1, 1.0)]
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 1), rel=EXACT_ARITHMETIC)


def test_fixed_columns_and_a_slope_add_up(rows: pd.DataFrame) -> None:
    found = compare(fit("y ~ x + (1 | person)", rows, method="ML"), fit(SLOPES, rows, method="ML"))
    assert mixture(found) == [(2, 0.5), (3, 0.5)]


def test_several_variances_are_bounded(rows: pd.DataFrame) -> None:
    found = compare(fit("y ~ x + z", rows), fit("y ~ x + z + (1 | person) + (1 | task)", rows))
    assert (found.null, mixture(found)) == ("bound", [(1, 0.5), (2, 0.5)])
    assert "at most" in say(found.sentence)


def test_nothing_gained_is_p_one() -> None:
    g = np.repeat(np.arange(6), 4)
    y = np.tile([1.0, -1.0, 2.0, -2.0], 6)  # every group's mean is zero: the variance is zero
    data = pd.DataFrame({"y": y, "g": g})
    found = compare(fit("y ~ 1", data), fit("y ~ 1 + (1 | g)", data))
    assert (found.statistic, found.p) == (0.0, 1.0)


def test_a_smaller_model_at_a_boundary_is_said() -> None:
    stream = np.random.default_rng(6)
    y = np.tile([1.0, -1.0, 2.0, -2.0], 6)
    data = pd.DataFrame({"y": y, "g": np.repeat(np.arange(6), 4), "x": stream.normal(size=24)})
    ours = fit("y ~ 1 + (1 | g)", data, method="ML")
    found = compare(ours, fit("y ~ x + (1 | g)", data, method="ML"))
    assert say(found.sentence).endswith(
        "the smaller model is itself at a boundary, where only a bootstrap's p holds."
    )


def test_centring_is_no_other_model(rows: pd.DataFrame, slopes: Fit, intercepts: Fit) -> None:
    shifted = fit("y ~ I(x - 3) + z + (1 + I(x - 3) | person)", rows)
    found = compare(intercepts, shifted)
    assert found.statistic == pytest.approx(compare(intercepts, slopes).statistic, abs=SAME_LOGLIK)
    with pytest.raises(FitError, match="the two fits are the same model"):
        compare(slopes, shifted)


def test_centring_is_another_model_where_effects_do_not_covary(rows: pd.DataFrame) -> None:
    ours = fit("y ~ x + z + (1 + x || person)", rows)
    with pytest.raises(FitError, match=r"neither model lies within the other.*over 'person'"):
        compare(ours, fit("y ~ x + z + (1 + I(x - 3) || person)", rows))


def test_compound_symmetry_lies_within_a_free_covariance() -> None:
    machines = real_data("multilevel/nlme__Machines.csv", "nlme's Machines")
    machines["Worker"] = machines["Worker"].astype(str)
    found = compare(
        fit("score ~ Machine + (1 | Worker/Machine)", machines),
        fit("score ~ Machine + (0 + Machine | Worker)", machines),
    )
    assert mixture(found) == [(4, 1.0)]
    assert found.statistic == pytest.approx(R["machines"]["ratio"], rel=1e-7)
    assert found.p == pytest.approx(R["machines"]["p"], rel=1e-7)


def test_other_fixed_parts_under_reml_are_refused(rows: pd.DataFrame, intercepts: Fit) -> None:
    with pytest.raises(FitError, match="different fixed parts cannot be compared") as caught:
        compare(fit("y ~ x + (1 | person)", rows), intercepts)
    assert 'Fit both with method="ML".' in str(caught.value)


def test_another_coding_under_reml_is_refused(rows: pd.DataFrame) -> None:
    # methods: nlme reports 23.8 for 21.059 because two columns are halved by sum contrasts: 2 ln 4
    rows = rows.assign(late=(rows["firm"] > "f3") * 1.0, side=(rows["firm"] > "f3") * 2.0 - 1.0)
    ours = fit("y ~ late*x + (1 | person)", rows)
    theirs = fit("y ~ side*x + (1 + x | person)", rows)
    with pytest.raises(FitError, match="code the same fixed columns differently") as caught:
        compare(ours, theirs)
    assert f"{2.0 * np.log(4.0):.4g}" in str(caught.value)
    ml = [
        fit("y ~ late*x + (1 | person)", rows, method="ML"),
        fit("y ~ side*x + (1 + x | person)", rows, method="ML"),
    ]
    assert mixture(compare(*ml)) == [(1, 0.5), (2, 0.5)]


def test_the_coding_of_orthodont_is_worth_ln_four() -> None:
    orthodont = real_data("multilevel/nlme__Orthodont.csv", "nlme's Orthodont")
    orthodont["female"] = (orthodont["Sex"] == "Female") * 1.0
    orthodont["side"] = 1.0 - 2.0 * orthodont["female"]
    logs = [
        fit(f"distance ~ {column}*age + (1 | Subject)", orthodont).loglik
        for column in ("side", "female")
    ]
    assert logs == pytest.approx(R["orthodont_coding"], abs=SAME_LOGLIK)
    assert logs[1] - logs[0] == pytest.approx(np.log(4.0), abs=SAME_LOGLIK)


def test_the_same_model_in_another_coding_is_named_as_such(rows: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="code the same fixed columns differently"):
        compare(fit(INTERCEPTS, rows), fit("y ~ I(x * 2) + z + (1 | person)", rows))


def test_other_rows_are_refused(rows: pd.DataFrame, intercepts: Fit) -> None:
    with pytest.raises(FitError, match=r"same rows.*Found: 156 and 150 rows"):
        compare(intercepts, fit(SLOPES, rows.iloc[:150]))
    with pytest.raises(FitError, match="156 and 156 rows with other outcomes"):
        compare(intercepts, fit(SLOPES, rows.iloc[::-1]))


def test_other_outcomes_are_refused(rows: pd.DataFrame, intercepts: Fit) -> None:
    with pytest.raises(FitError, match=r"different outcomes.*Found: y and exp\(y\)"):
        compare(intercepts, fit("exp(y) ~ x + z + (1 + x | person)", rows))


def test_two_methods_are_refused(rows: pd.DataFrame, slopes: Fit) -> None:
    with pytest.raises(FitError, match="a likelihood and a restricted likelihood"):
        compare(fit(INTERCEPTS, rows, method="ML"), slopes)


def test_a_robust_covariance_is_refused(rows: pd.DataFrame, slopes: Fit) -> None:
    robust = fit("y ~ x + z", rows, covariance="cluster", cluster="firm")
    with pytest.raises(FitError, match="does not see a robust covariance"):
        compare(robust, slopes)


def test_models_side_by_side_are_refused(rows: pd.DataFrame, intercepts: Fit) -> None:
    with pytest.raises(FitError, match="over 'task' of the other") as caught:
        compare(intercepts, fit("y ~ x + z + (1 | task)", rows))
    assert "over 'person'" in str(caught.value)
    with pytest.raises(FitError, match="the columns x of the other"):
        compare(fit("y ~ x", rows), fit("y ~ z", rows))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bootstrap": 10}, "a bootstrap needs a seed"),
        ({"bootstrap": -1, "seed": 1}, "not a whole number from 0"),
        ({"bootstrap": 2.5, "seed": 1}, "not a whole number from 0"),
        ({"bootstrap": 10, "seed": -1}, "the seed is not a whole number"),
    ],
)
def test_draws_need_numbers(
    intercepts: Fit, slopes: Fit, arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        compare(intercepts, slopes, **arguments)


def test_the_bootstrap_is_the_seed(rows: pd.DataFrame, intercepts: Fit) -> None:
    crossed = fit("y ~ x + z + (1 | person) + (1 | task)", rows)
    found = compare(intercepts, crossed, bootstrap=19, seed=4)
    assert found == compare(intercepts, crossed, bootstrap=19, seed=4)
    assert found.p_bootstrap in [k / 20 for k in range(1, 21)]
    p = found.p_bootstrap
    assert found.monte_carlo_error == pytest.approx(np.sqrt(p * (1 - p) / 19))
    assert "among 19 outcomes drawn from the smaller model" in say(found.sentence)
    assert load(dump(found), Comparison) == found


def test_the_mixture_holds_its_level_and_the_plain_chi_square_does_not_reach_it() -> None:
    # 20 groups of 4, no group variance: P(LR = 0) is near 1/2, P(p < .05) near .05
    stream = np.random.default_rng(11)
    g = np.repeat(np.arange(20), 4)
    data = pd.DataFrame({"y": stream.normal(size=80), "g": g})
    one, two = fitted(fit("y ~ 1", data), reml=True), fitted(fit("y ~ 1 + (1 | g)", data))
    draws, rejected, naive = 400, 0, 0
    for _ in range(draws):
        y = one.draw(stream)
        ratio = max(0.0, 2.0 * (two.again(y).loglik - one.again(y).loglik))
        rejected += 0.5 * stats.chi2.sf(ratio, 1) <= 0.05
        naive += stats.chi2.sf(ratio, 1) <= 0.05
    error = np.sqrt(0.05 * 0.95 / draws)
    assert abs(rejected / draws - 0.05) < MONTE_CARLO_SIGMAS * error
    assert naive < rejected


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        ChiSquare(1, 0.5).df = 2  # type: ignore[misc]


def test_least_squares_likelihoods(rows: pd.DataFrame) -> None:
    model = fit("y ~ x + z", rows)
    for reml, name in ((False, "one_level_ml"), (True, "one_level_reml")):
        assert fitted(model, reml=reml).loglik == pytest.approx(LOGLIK[name], rel=OTHER_ALGORITHM)


def test_weighted_likelihoods_are_those_of_normal_rows(rows: pd.DataFrame) -> None:
    data = rows.assign(w=np.linspace(0.2, 5.0, len(rows)))
    model = fit("y ~ x + z", data, weights="w")
    root = np.sqrt(data["w"].to_numpy())
    left = data["y"].to_numpy() - model.predict(data).to_numpy()
    sigma = np.sqrt(np.mean((root * left) ** 2))
    by_hand = stats.norm.logpdf(left, scale=sigma / root).sum()
    assert fitted(model).loglik == pytest.approx(by_hand, rel=OTHER_ALGORITHM)
    assert model.loglik == pytest.approx(by_hand, rel=OTHER_ALGORITHM)


def test_other_weights_are_another_likelihood(rows: pd.DataFrame, intercepts: Fit) -> None:
    data = rows.assign(w=np.linspace(0.2, 5.0, len(rows)))
    other = fit("y ~ x + z + (1 | person) + (1 | task)", data, weights="w")
    with pytest.raises(FitError, match="the same rows different weights"):
        compare(intercepts, other)
