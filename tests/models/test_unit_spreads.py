"""What each unit brings, against slow twins, metafor and scipy."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.inference.homogeneity import brown_forsythe
from alc_stats.inference.meta_regression import meta_regression
from alc_stats.inference.recentred_influence import rif_quantile, rif_variance
from alc_stats.inference.unit_contrast import UnitSums, permutation_test, unit_contrast
from alc_stats.models.widening import shape
from alc_stats.models.widening import unit_spreads as units
from alc_stats.models.widening.data import Columns, SpreadData, spread_data
from tolerances import EXACT_ARITHMETIC, JSON_DIGITS, META_SEARCH, MONTE_CARLO_SIGMAS

METAFOR = json.loads(
    (Path(__file__).parents[1] / "reference" / "widening" / "widening.json").read_text()
)


def panel(
    seed: int, *, firms: int = 8, persons: int = 6, waves: int = 4, widened: float = 0.0
) -> pd.DataFrame:
    """Firms, half treated; persons; waves, the second half of them after the start."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), persons)
    mandate = (firm < firms // 2).astype(int)
    ability = 8 * rng.normal(size=firm.size)
    parts = []
    for wave in range(waves):
        post = int(wave >= waves // 2)
        score = 50 + 3 * rng.normal(size=firms)[firm] + ability * np.exp(widened * mandate * post)
        parts.append(
            pd.DataFrame(
                {
                    "firm": firm,
                    "person": np.arange(firm.size),
                    "mandate": mandate,
                    "post": post,
                    "wave": wave,
                    "score": score + 6 * rng.normal(size=firm.size),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def read(data: pd.DataFrame, **columns: object) -> SpreadData:
    return spread_data(data, Columns(outcome="score", treatment="mandate", **columns))  # type: ignore[arg-type]


FULL = {"person": "person", "firm": "firm", "wave": "wave"}


def centred_by_hand(data: pd.DataFrame) -> pd.Series:
    """Score less its firm and wave's mean, times sqrt(m / (m - 1))."""
    by = data.groupby(["firm", "wave"])["score"]
    m = by.transform("size")
    return (data["score"] - by.transform("mean")) * np.sqrt(m / (m - 1))


def products_by_hand(data: pd.DataFrame, centred: pd.Series, posts: tuple[int, int]) -> float:
    """Mean product of two different rows of a person, one in each of two periods."""
    total, pairs = 0.0, 0
    for _, rows in data.assign(e=centred).groupby("person"):
        for (_, a), (_, b) in itertools.combinations(rows.iterrows(), 2):
            if sorted((a["post"], b["post"])) == sorted(posts):
                total, pairs = total + a["e"] * b["e"], pairs + 1
    return total / pairs


def test_between_persons_is_the_mean_product_of_two_rows() -> None:
    data = panel(1)
    e = centred_by_hand(data)
    for post, periods in ((None, ((1, 1), (0, 0), (0, 1))), ("post", ((1, 1), (0, 0)))):
        log_variance = []
        for arm in (1, 0):
            rows = data["mandate"] == arm
            if post is None:
                alike = data.loc[rows].assign(post=0)
                log_variance.append(np.log(products_by_hand(alike, e[rows], (0, 0))))
            else:
                v = [products_by_hand(data.loc[rows], e[rows], p) for p in periods]
                log_variance.append(np.log(v[0]) - np.log(v[1]))
        expected = 0.5 * (log_variance[0] - log_variance[1])
        found = units.between_sums(read(data, post=post, **FULL)).value()
        assert found == pytest.approx(expected, rel=EXACT_ARITHMETIC)


def test_one_wave_before_is_compared_by_products_across_times() -> None:
    data = panel(2).query("wave >= 1")
    made = read(data, post="post", **FULL)
    assert units.between_channels(made) == {"11": 1.0, "01": -1.0}
    e, expected = centred_by_hand(data), []
    for arm in (1, 0):
        rows = data["mandate"] == arm
        v = [products_by_hand(data.loc[rows], e[rows], p) for p in ((1, 1), (0, 1))]
        expected.append(np.log(v[0]) - np.log(v[1]))
    found = units.between_sums(made).value()
    assert found == pytest.approx(expected[0] - expected[1], rel=EXACT_ARITHMETIC)


def test_products_are_free_of_measurement_error() -> None:
    rng = np.random.default_rng(3)
    values = []
    for seed in range(60):
        data = panel(100 + seed, firms=10, persons=20, widened=0.3)
        data["score"] += 5 * rng.normal(size=len(data)) * data["mandate"] * data["post"]
        values.append(units.between_sums(read(data, post="post", **FULL)).value())
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - 0.3) <= MONTE_CARLO_SIGMAS * error


def test_log_sds_of_firms_are_compared_by_welchs_t() -> None:
    data = panel(4).query("wave == 3")
    spread = data.groupby(["mandate", "firm"])["score"].agg(
        lambda x: np.log(np.std(x, ddof=1)) + 1 / (2 * (len(x) - 1))
    )
    welch = stats.ttest_ind(spread[1], spread[0], equal_var=False)
    found = unit_contrast(units.log_sd_sums(read(data, firm="firm")), name="")
    np.testing.assert_allclose(
        [found.value, found.statistic, found.df],
        [spread[1].mean() - spread[0].mean(), welch.statistic, welch.df],
        rtol=1e-10,
    )


def test_changes_of_log_sds_are_differences_in_differences() -> None:
    data = panel(5).query("wave in (0, 3)")
    spread = data.groupby(["firm", "post"])["score"].agg(
        lambda x: np.log(np.std(x, ddof=1)) + 1 / (2 * (len(x) - 1))
    )
    change = spread.xs(1, level="post") - spread.xs(0, level="post")
    expected = change[:4].mean() - change[4:].mean()
    found = units.log_sd_sums(read(data, post="post", firm="firm")).value()
    assert found == pytest.approx(expected, rel=EXACT_ARITHMETIC)


def test_persons_in_both_arms_are_compared_with_themselves_by_the_paired_t() -> None:
    rng = np.random.default_rng(6)
    data = pd.DataFrame({"person": np.repeat(np.arange(9), 12), "mandate": np.tile([0, 1], 54)})
    data["score"] = rng.normal(size=108) * np.where(data["mandate"] == 1, 1.5, 1.0)
    made = read(data, person="person")
    assert (made.kind, units.target_of(made)) == ("within", "within")
    spread = data.groupby(["person", "mandate"])["score"].agg(lambda x: np.log(x.std()) + 0.1)
    t = stats.ttest_rel(spread.xs(1, level="mandate"), spread.xs(0, level="mandate"))
    found = unit_contrast(units.unit_sums(made, "within"), name="")
    np.testing.assert_allclose([found.statistic, found.df], [t.statistic, t.df], rtol=1e-10)


def test_cells_are_taken_out_of_the_outcome() -> None:
    data = panel(7)
    data["role"] = np.where(data["person"] % 2 == 0, "a", "b")
    shifted = data.assign(score=data["score"] + 30.0 * (data["role"] == "a"))
    plain, moved = (read(d, cell=("role",), post="post", **FULL) for d in (data, shifted))
    np.testing.assert_allclose(moved.rows["centred"], plain.rows["centred"], atol=1e-10)
    assert not np.allclose(plain.rows["centred"], read(data, post="post", **FULL).rows["centred"])


# -- metafor -------------------------------------------------------------------------------------


def firms_of_metafor() -> SpreadData:
    """Members whose n, mean and SD are those of the firms that metafor was given."""
    parts = []
    for k, firm in enumerate(METAFOR["firms"]):
        unit = np.linspace(-1, 1, firm["n"])
        score = firm["mean"] + firm["sd"] * unit / unit.std(ddof=1)
        parts.append(pd.DataFrame({"firm": k, "mandate": firm["treated"], "score": score}))
    return read(pd.concat(parts, ignore_index=True), firm="firm")


def test_log_sd_and_log_cv_of_firms_are_metafors() -> None:
    table = units.group_spreads(firms_of_metafor())
    for key, columns in (("sdln", ("log_sd", "variance")), ("cvln", ("log_cv", "cv_variance"))):
        for name, column in zip(("y", "v"), columns, strict=True):
            np.testing.assert_allclose(table[column], METAFOR[key][name], rtol=JSON_DIGITS)


@pytest.mark.parametrize("which", ["lnsd", "lncv", "tenth"])
def test_meta_regression_is_metafors(which: str) -> None:
    y, v = (np.array(METAFOR["cvln" if which == "lncv" else "sdln"][k]) for k in ("y", "v"))
    treated = np.array([firm["treated"] for firm in METAFOR["firms"]], dtype=float)
    found = meta_regression(
        y, v / (10 if which == "tenth" else 1), np.column_stack([np.ones(10), treated])
    )
    expected = METAFOR[which]
    np.testing.assert_allclose(found.estimates, expected["estimates"], rtol=META_SEARCH)
    np.testing.assert_allclose(np.sqrt(np.diag(found.vcov)), expected["se"], rtol=META_SEARCH)
    assert found.df == expected["df"]
    assert found.tau2 == pytest.approx(expected["tau2"], rel=META_SEARCH)
    assert found.coefficient(1, name="").p_value == pytest.approx(expected["p"][1], rel=META_SEARCH)


# -- permutations and shapes ---------------------------------------------------------------------


def test_permutation_of_all_assignments_is_scipys() -> None:
    rng = np.random.default_rng(8)
    values, treated = rng.normal(size=9), np.arange(9) < 4
    sums = UnitSums(values[:, None], np.ones((9, 1)), np.ones(1), treated, log=False)
    scipys = stats.permutation_test(
        (values[treated], values[~treated]),
        lambda a, b: abs(a.mean() - b.mean()),
        n_resamples=np.inf,
        alternative="greater",
    )
    found = permutation_test(sums, generator=rng)
    assert found.enumerated
    assert found.assignments == 126
    assert found.p == pytest.approx(scipys.pvalue, rel=EXACT_ARITHMETIC)


def test_three_firms_an_arm_never_reach_five_percent() -> None:
    values = np.array([1.0, 1.1, 1.2, 9.0, 9.1, 9.2])
    sums = UnitSums(values[:, None], np.ones((6, 1)), np.ones(1), values < 5.0, log=False)
    assert permutation_test(sums, generator=np.random.default_rng(1)).p == pytest.approx(2 / 20)


def test_the_naive_test_is_brown_and_forsythes() -> None:
    data = read(panel(9).query("wave == 3"), firm="firm")
    table = units.members(data)
    arms = {str(a): rows["residual"].to_numpy() for a, rows in table.groupby("treated")}
    found = shape.brown_forsythe_distances(data).naive_p
    assert found == pytest.approx(brown_forsythe(arms).p, rel=1e-9)


def test_quantile_widths_of_a_saturated_model_are_those_of_the_arms() -> None:
    data = read(panel(10, persons=21).query("wave == 3"), firm="firm")
    residual = units.members(data).groupby("treated")["residual"]
    # a minimum of the check function: between two order statistics every value is one
    widths = [residual.quantile(0.9, interpolation=i) - residual.quantile(0.1, interpolation=j)
              for i, j in (("lower", "higher"), ("higher", "lower"))]  # fmt: skip
    found = shape.quantile_widths(data, generator=np.random.default_rng(1), draws=199)
    bounds = [np.log(widths[0][1.0] / widths[1][0.0]), np.log(widths[1][1.0] / widths[0][0.0])]
    assert bounds[0] - 1e-3 <= found.value <= bounds[1] + 1e-3
    assert found.low < found.value < found.high


def test_rif_of_the_variance_is_the_difference_of_second_moments() -> None:
    data = read(panel(11).query("wave == 3"), firm="firm")
    table = units.members(data)
    square = (table["residual"] - table["residual"].mean()) ** 2
    second = square.groupby(table["treated"]).mean()
    found = shape.rif_regression(data, "variance")
    assert not isinstance(found, str)
    assert found.value == pytest.approx(0.5 * np.log(second[1.0] / second[0.0]), rel=1e-9)


def test_recentred_influence_has_the_statistic_as_its_mean() -> None:
    y = np.random.default_rng(12).gamma(3.0, size=4001)
    assert rif_variance(y).mean() == pytest.approx(y.var(), rel=EXACT_ARITHMETIC)
    # the share at or below a sample quantile is off by at most 1 / n
    density = stats.gaussian_kde(y, bw_method="silverman")(np.quantile(y, 0.9))[0]
    assert abs(rif_quantile(y, 0.9).mean() - np.quantile(y, 0.9)) <= 2.0 / (4001 * density)
