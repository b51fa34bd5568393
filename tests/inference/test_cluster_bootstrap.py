"""The cluster bootstrap against R's boot, tables made by hand, and a known sampling spread."""

from __future__ import annotations

import sys
import types

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, Problem, TableError
from alc_stats.estimators import fit
from alc_stats.inference import (
    BootstrapDraws,
    Criterion,
    Resamples,
    cluster_bootstrap,
    decide,
    weighted_cluster_bootstrap,
)
from estimators.witness import answers
from inference.table_statistics import line
from tolerances import EXACT_ARITHMETIC, JSON_DIGITS, MONTE_CARLO_SIGMAS, OTHER_ALGORITHM

R = answers("cluster_bootstrap")
FIRMS = 14


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    firm = np.repeat(np.arange(FIRMS), rng.integers(3, 9, FIRMS))
    data = pd.DataFrame({"firm": [f"f{k:02d}" for k in firm], "arm": firm % 2})
    data["person"] = [f"p{i}" for i in np.arange(len(data)) // 2]
    data["x"] = rng.normal(size=len(data)) + rng.normal(size=FIRMS)[firm]
    data["y"] = 1.0 + 0.5 * data["x"] + rng.normal(size=FIRMS)[firm] + rng.normal(size=len(data))
    return data


def failing(table: pd.DataFrame) -> dict[str, float]:
    if (table["y"] == 100.0).mean() > 0.2:
        raise FitError(Problem("not today"))
    return {"mean": table["y"].mean()}


def test_intervals_are_those_of_rs_boot() -> None:
    draws = BootstrapDraws(
        ("ratio",), np.array([R["observed"]]), np.array(R["draws"])[:, None], {}, 1, 18,
        np.array(R["influence"])[:, None],
    )  # fmt: skip
    assert draws.se["ratio"] == pytest.approx(R["se"], rel=JSON_DIGITS)
    # ranks 25 and 975 of 999 draws are whole: no interpolation
    np.testing.assert_allclose(draws.conf_int().loc["ratio"], R["percent"], rtol=JSON_DIGITS)
    basic = draws.conf_int(kind="basic").loc["ratio"]
    np.testing.assert_allclose(basic, R["basic"], rtol=JSON_DIGITS)
    # boot interpolates on normal quantiles: the same two neighbouring draws
    ordered = np.sort(R["draws"])
    for mine, theirs, rank in zip(
        draws.conf_int(kind="bca").loc["ratio"], R["bca"], R["bca_ranks"], strict=True
    ):
        below, above = ordered[int(rank) - 1], ordered[int(rank)]
        assert below <= mine <= above
        assert abs(mine - theirs) <= above - below
    # and they are moved, so that the test can tell them from percentiles
    assert abs(R["bca"][1] - R["percent"][1]) > 10 * np.diff(ordered[960:]).min()


def test_influence_is_rs_jackknife() -> None:
    x, size = np.array(R["x"]), np.array(R["size"], dtype=float)
    found = weighted_cluster_bootstrap(
        np.arange(18),
        lambda drawn: {"ratio": drawn.total(x * size) / drawn.total(size)},
        draws=9,
        seed=1,
    )
    assert found.observed[0] == pytest.approx(R["observed"], rel=JSON_DIGITS)
    theirs = np.array(R["influence"])
    # boot centres at the statistic itself, we at the mean of those left out
    np.testing.assert_allclose(found.influence[:, 0], theirs - theirs.mean(), atol=JSON_DIGITS)


def test_every_draw_is_a_table_of_whole_clusters(firms: pd.DataFrame) -> None:
    seen: list[pd.DataFrame] = []

    def keep(table: pd.DataFrame) -> dict[str, float]:
        seen.append(table)
        return line(table)

    cluster_bootstrap(firms, keep, cluster="firm", nested=["person"], draws=6, seed=2)
    whole = dict(iter(firms.groupby("firm")))
    again = 0
    for table in seen[1:]:
        assert table["firm"].nunique() == FIRMS
        for label, rows in table.groupby("firm", observed=True):
            name, copy = str(label).split(" (")[0], str(label).partition(" (")[2]
            again += bool(copy)
            np.testing.assert_array_equal(rows["y"], whole[name]["y"])
            suffix = f" ({copy}" if copy else ""
            assert rows["person"].tolist() == (whole[name]["person"] + suffix).tolist()
    assert again > 0


def test_weights_and_tables_draw_the_same(firms: pd.DataFrame) -> None:
    X = np.column_stack([np.ones(len(firms)), firms["x"]])
    y = firms["y"].to_numpy()
    tables = cluster_bootstrap(
        firms, line, cluster="firm", strata="arm", draws=30, seed=4, leave_out=True
    )

    def slope(drawn: Resamples) -> dict[str, np.ndarray]:
        assert drawn.rows.shape == (len(drawn.counts), len(firms))
        return {"slope": drawn.least_squares(X, y)[:, 1]}

    weights = weighted_cluster_bootstrap(
        firms["firm"], slope, strata=firms["arm"], draws=30, seed=4
    )
    np.testing.assert_allclose(weights.draws[:, 0], tables.draws[:, 0], rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(
        weights.influence[:, 0], tables.influence[:, 0], rtol=OTHER_ALGORITHM, atol=EXACT_ARITHMETIC
    )


def test_strata_keep_their_number_of_clusters(firms: pd.DataFrame) -> None:
    def treated(table: pd.DataFrame) -> dict[str, float]:
        return {"treated": table.loc[table["arm"] == 1, "firm"].nunique()}

    within = cluster_bootstrap(firms, treated, cluster="firm", strata="arm", draws=20, seed=1)
    assert set(within.draws[:, 0]) == {FIRMS / 2}
    free = cluster_bootstrap(firms, treated, cluster="firm", draws=20, seed=1)
    assert len(set(free.draws[:, 0])) > 1


def test_workers_and_draws_do_not_change_the_draws(firms: pd.DataFrame) -> None:
    one = cluster_bootstrap(firms, line, cluster="firm", draws=12, seed=3, leave_out=True)
    two = cluster_bootstrap(
        firms, line, cluster="firm", draws=12, seed=3, leave_out=True, workers=2
    )
    np.testing.assert_array_equal(one.draws, two.draws)
    np.testing.assert_array_equal(one.influence, two.influence)
    fewer = cluster_bootstrap(firms, line, cluster="firm", draws=5, seed=3)
    np.testing.assert_array_equal(fewer.draws, one.draws[:5])
    other = cluster_bootstrap(firms, line, cluster="firm", draws=5, seed=4)
    assert not np.array_equal(other.draws, fewer.draws)


def test_the_spread_of_a_mean_of_clusters_is_known() -> None:
    # resampling G equal clusters: variance of the mean = (G - 1) / G^2 times that of cluster means
    rng = np.random.default_rng(8)
    means = rng.normal(size=30)
    y = np.repeat(means, 4)
    found = weighted_cluster_bootstrap(
        np.repeat(np.arange(30), 4), lambda drawn: {"mean": drawn.mean(y)}, draws=4000, seed=5
    )
    exact = means.std(ddof=0) / np.sqrt(30)
    assert abs(found.se["mean"] / exact - 1.0) < MONTE_CARLO_SIGMAS / np.sqrt(2 * 4000)
    # drawing rows would have said half of that
    assert found.se["mean"] > 1.5 * y.std() / np.sqrt(120)


def test_an_estimate_can_be_decided_on(firms: pd.DataFrame) -> None:
    found = cluster_bootstrap(firms, line, cluster="firm", draws=99, seed=6)
    estimate = found.estimate("slope", unit="points")
    assert (estimate.df, estimate.unit, estimate.se) == (FIRMS - 1, "points", found.se["slope"])
    assert decide(estimate, Criterion("superiority", 0.1)).verdict == "supported"
    with pytest.raises(DeclarationError, match=r"no statistic 'slop'.*Did you mean 'slope'"):
        found.estimate("slop")


def test_a_mixed_model_takes_the_table_drawn(firms: pd.DataFrame) -> None:
    def mixed(table: pd.DataFrame) -> dict[str, float]:
        m = fit("y ~ x + (1 | firm)", table)
        return {"slope": float(m.params["x"]), "levels": m.counts.groups["firm"]}

    found = cluster_bootstrap(firms, mixed, cluster="firm", draws=3, seed=1)
    assert found.draws[:, 1].tolist() == [FIRMS] * 3


def test_failed_draws_are_counted_and_told(firms: pd.DataFrame) -> None:
    data = firms.assign(y=np.where(firms["firm"] == "f03", 100.0, firms["y"].rank()))
    with pytest.warns(RuntimeWarning, match=r"of 40 refits.*not today"):
        found = cluster_bootstrap(data, failing, cluster="firm", draws=40, seed=2)
    assert found.failures == {"not today": found.failed}
    assert np.isnan(found.draws[:, 0]).sum() == found.failed > 0


def test_a_resample_without_an_arm_is_a_failure() -> None:
    arm = np.array([1.0, 0, 0, 0])
    X, y = np.column_stack([np.ones(4), arm]), np.array([1.0, 2, 4, 3])
    with pytest.warns(RuntimeWarning, match="not a finite number"):
        found = weighted_cluster_bootstrap(
            list("abcd"), lambda d: {"b": d.least_squares(X, y)[:, 1]}, draws=200, seed=1
        )
    # without the one treated cluster: (3/4)^4 = 0.316 of the draws, and all treated: 1/256
    share = (3**4 + 1) / 4**4
    assert abs(found.failed / 200 - share) < MONTE_CARLO_SIGMAS * np.sqrt(share * (1 - share) / 200)
    with pytest.raises(DeclarationError, match="left out in turn"):
        found.conf_int(kind="bca")


def test_what_cannot_be_resampled_says_why(firms: pd.DataFrame) -> None:
    with pytest.raises(DeclarationError) as caught:
        cluster_bootstrap(
            firms, lambda t: {}, cluster="frm", strata="amr", draws=0, seed=1, workers=2
        )
    said = str(caught.value)
    assert "Did you mean 'firm'" in said
    assert "Did you mean 'arm'" in said
    assert "at least one draw" in said
    assert "cannot find the statistic" in said
    with pytest.raises(TableError, match=r"without a cluster.*1 of"):
        cluster_bootstrap(
            firms.assign(firm=firms["firm"].where(firms.index > 0)), line, cluster="firm", seed=1
        )
    with pytest.raises(TableError, match=r"several strata.*'f00'"):
        cluster_bootstrap(firms.assign(arm=firms.index), line, cluster="firm", strata="arm", seed=1)
    with pytest.raises(FitError, match="single cluster"):
        cluster_bootstrap(firms.assign(firm="a"), line, cluster="firm", seed=1)
    with pytest.raises(FitError, match=r"'f00' alone in its stratum"):
        cluster_bootstrap(
            firms.assign(arm=firms["firm"] == "f00"), line, cluster="firm", strata="arm", seed=1
        )
    with pytest.raises(DeclarationError, match="seed"):
        cluster_bootstrap(firms, line, cluster="firm", seed=-1)
    with pytest.raises(FitError, match="of the data themselves is not a finite number"):
        cluster_bootstrap(firms, lambda t: {"x": np.nan}, cluster="firm", draws=9, seed=1)
    names = iter("abcdefgh")
    with pytest.raises(DeclarationError, match="same numbers every time"):
        cluster_bootstrap(firms, lambda t: {next(names): 1.0}, cluster="firm", draws=9, seed=1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_statistic_that_workers_cannot_import_says_so(
    firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = types.ModuleType("a_notebook_of_this_process")
    exec("def lost(table):\n    return {'mean': table['y'].mean()}\n", notebook.__dict__)
    monkeypatch.setitem(sys.modules, notebook.__name__, notebook)
    with pytest.raises(DeclarationError, match="define it in a module"):
        cluster_bootstrap(firms, notebook.lost, cluster="firm", draws=4, seed=3, workers=2)


def test_a_statistic_names_its_numbers(firms: pd.DataFrame) -> None:
    with pytest.raises(DeclarationError, match="does not name its numbers"):
        cluster_bootstrap(firms, lambda table: 1.0, cluster="firm", seed=1)  # type: ignore[arg-type, return-value]
