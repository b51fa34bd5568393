from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import fit
from alc_stats.inference import Icc, icc, null_model
from alc_stats.inference.correlation import _containing, _delta_limits
from alc_stats.inference.draws import fitted
from alc_stats.records import dump, load
from alc_stats.report.numbers import say
from estimators.witness import answers, table
from tolerances import FLAT_OPTIMUM, MONTE_CARLO_SIGMAS, OTHER_ALGORITHM

R = answers("after_variance")
FORMULAS = {
    "intercepts": "y ~ x + z + (1 | person)",
    "nested": "y ~ x + z + (1 | firm/person)",
    "crossed": "y ~ x + z + (1 | person) + (1 | task)",
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return table("after_variance", "rows.csv")


@pytest.fixture(scope="module")
def balanced() -> pd.DataFrame:
    return table("after_variance", "balanced.csv")


@pytest.mark.parametrize("name", FORMULAS)
def test_shares_are_those_of_performance(rows: pd.DataFrame, name: str) -> None:
    found, theirs = icc(fit(FORMULAS[name], rows)), R["icc"][name]
    shares = {level.group: level.share for level in found.levels}
    named = {
        group.replace("person:firm", "firm:person"): v for group, v in theirs["by_group"].items()
    }
    assert shares == pytest.approx(named, abs=FLAT_OPTIMUM)
    total = sum(level.variance for level in found.levels) + found.residual
    assert sum(shares.values()) == pytest.approx(theirs["adjusted"], abs=FLAT_OPTIMUM)
    conditional = theirs["unadjusted"] / theirs["adjusted"]
    assert total / (total + found.fixed) == pytest.approx(conditional, abs=FLAT_OPTIMUM)


def test_nested_levels_add_up_and_crossed_ones_do_not(rows: pd.DataFrame) -> None:
    nested, crossed = icc(fit(FORMULAS["nested"], rows)), icc(fit(FORMULAS["crossed"], rows))
    assert nested["firm:person"].icc == pytest.approx(
        R["icc"]["nested"]["adjusted"], abs=FLAT_OPTIMUM
    )
    assert nested["firm"].icc == nested["firm"].share
    assert [level.icc for level in crossed.levels] == [level.share for level in crossed.levels]
    assert crossed["task"].reliability is None


def test_one_way_is_the_f_interval(balanced: pd.DataFrame) -> None:
    # Shrout and Fleiss (1979) ICC(1,1) and ICC(1,k), F = MSB/MSW, by hand and psych
    found = icc(fit("y ~ 1 + (1 | g)", balanced))
    level, theirs = found["g"], R["one_way"]
    groups = balanced.groupby("g")["y"]
    between = 4.0 * groups.mean().var(ddof=1)
    within = groups.var(ddof=1).mean()
    limits = [
        (ratio - 1.0) / (ratio + 3.0)
        for share in (0.975, 0.025)
        for ratio in [between / within / stats.f.ppf(share, 14, 45)]
    ]
    assert found.interval == "exact"
    assert [level.low, level.high] == pytest.approx(limits, rel=OTHER_ALGORITHM)
    assert [level.low, level.high] == pytest.approx(
        [theirs["low"], theirs["high"]], rel=OTHER_ALGORITHM
    )
    assert level.icc == pytest.approx(theirs["icc1"], rel=OTHER_ALGORITHM)
    assert level.reliability == pytest.approx(theirs["icck"], rel=OTHER_ALGORITHM)
    assert level.conditional == level.icc


def test_pingouin_agrees(balanced: pd.DataFrame) -> None:
    import pingouin

    with np.errstate(all="ignore"):
        theirs = pingouin.intraclass_corr(balanced, targets="g", raters="rater", ratings="y")
    first = theirs.set_index("Type").loc["ICC(1,1)"]
    level = icc(fit("y ~ 1 + (1 | g)", balanced))["g"]
    assert level.icc == pytest.approx(first["ICC"], abs=5e-7)
    assert [round(level.low, 2), round(level.high, 2)] == list(first["CI95"])


def test_the_exact_interval_covers_where_groups_are_unequal() -> None:
    stream, missed, draws = np.random.default_rng(3), 0, 200
    sizes = [2, 2, 3, 3, 4, 8, 12]
    g = np.repeat(np.arange(7), sizes)
    x = stream.normal(size=len(g))
    for _ in range(draws):
        y = stream.normal(size=7)[g] + stream.normal(size=34)
        found = icc(fit("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g}), df="residual"))[
            "g"
        ]
        missed += not found.low <= 0.5 <= found.high
    assert abs(missed / draws - 0.05) < MONTE_CARLO_SIGMAS * np.sqrt(0.05 * 0.95 / draws)


def test_the_delta_interval_is_close_to_the_exact_one_with_many_groups() -> None:
    stream = np.random.default_rng(5)
    g = np.repeat(np.arange(400), 4)
    data = pd.DataFrame({"y": stream.normal(size=400)[g] + stream.normal(size=1600), "g": g})
    model = fit("y ~ 1 + (1 | g)", data)
    state = model.memory.state
    delta = _delta_limits(fitted(model), state, _containing(state.random.factors), 0.95)[0]
    exact = icc(model)["g"]
    assert delta == pytest.approx([exact.low, exact.high], abs=0.003)


def test_the_bootstrap_is_the_seed(rows: pd.DataFrame) -> None:
    model = fit(FORMULAS["nested"], rows)
    found = icc(model, bootstrap=40, seed=8)
    assert found == icc(model, bootstrap=40, seed=8)
    assert found != icc(model, bootstrap=40, seed=9)
    level = found["firm:person"]
    assert found.interval == "bootstrap"
    assert 0.0 <= level.low < level.icc < level.high < 1.0
    assert load(dump(found), Icc) == found
    with pytest.raises(DeclarationError, match="a bootstrap needs a seed"):
        icc(model, bootstrap=40)


def test_units_and_origin_change_nothing(rows: pd.DataFrame) -> None:
    ours = icc(fit(FORMULAS["intercepts"], rows))["person"]
    moved = rows.assign(y=1e3 * rows["y"] - 50.0, x=1e-6 * rows["x"] + 7.0)
    theirs = icc(fit(FORMULAS["intercepts"], moved))["person"]
    for name in ("icc", "low", "high", "conditional", "reliability"):
        assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=OTHER_ALGORITHM)


def test_reliability_divides_what_lies_within(rows: pd.DataFrame) -> None:
    found = icc(fit(FORMULAS["nested"], rows))
    firm, person = found["firm"], found["firm:person"]
    error = person.variance * 6 / 24 + found.residual * 6 / len(rows)
    assert firm.reliability == pytest.approx(firm.variance / (firm.variance + error))
    true = firm.variance + person.variance
    assert person.reliability == pytest.approx(true / (true + found.residual * 24 / len(rows)))
    assert (firm.levels, firm.mean_size) == (6, len(rows) / 6)


def test_a_variance_of_zero_has_an_exact_interval_and_no_delta_one() -> None:
    stream = np.random.default_rng(2)
    y = stream.normal(size=60)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 5), "h": np.tile(np.arange(5), 12)})
    data["y"] = y - data.assign(y=y).groupby("g")["y"].transform("mean")
    alone = icc(fit("y ~ 1 + (1 | g)", data))["g"]
    assert (alone.icc, alone.low) == (0.0, 0.0)
    crossed = icc(fit("y ~ 1 + (1 | g) + (1 | h)", data))
    assert np.isnan(crossed["g"].low)
    assert "no interval by the delta method" in say(crossed["g"].sentence)


def test_slopes_are_refused(rows: pd.DataFrame) -> None:
    model = fit("y ~ x + z + (1 + x | person)", rows)
    with pytest.raises(FitError, match=r"depends on the rows.*Found: x \| person") as caught:
        icc(model)
    assert "icc(null_model(fit))" in str(caught.value)
    assert icc(null_model(model))["person"].icc > 0.0


def test_least_squares_has_no_groups(rows: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="no random terms"):
        icc(fit("y ~ x", rows))
    with pytest.raises(FitError, match="not a probability"):
        icc(fit(FORMULAS["nested"], rows), level=95.0)


def test_the_null_model_keeps_rows_groupings_and_method(rows: pd.DataFrame) -> None:
    gaps = rows.copy()
    gaps.loc[3, "z"] = np.nan
    model = fit("y ~ x + z + (1 + x | firm/person) + (1 | task)", gaps, method="ML")
    null = null_model(model)
    same = fit("y ~ 1 + (1 | firm/person) + (1 | task)", gaps.drop(index=3), method="ML")
    assert null.loglik == pytest.approx(same.loglik, rel=OTHER_ALGORITHM)
    assert null.request.method == "ML"


def test_rows_of_different_weights_have_no_correlation_in_common(rows: pd.DataFrame) -> None:
    model = fit(
        "y ~ x + (1 | person)", rows.assign(w=np.linspace(1.0, 2.0, len(rows))), weights="w"
    )
    with pytest.raises(FitError, match="no common residual variance, hence no intraclass corr"):
        icc(model)
