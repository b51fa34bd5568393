from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, FormulaError
from alc_stats.estimators import fit, fit_panel
from estimators.witness import answers, table
from tolerances import OTHER_ALGORITHM

R = answers("linear")["panel"]
FIRMS, WEEKS, ROWS = 9, 6, 51


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return table("linear", "panel.csv")


def test_coefficients_and_covariance_are_those_of_rs_dummies(panel: pd.DataFrame) -> None:
    result = fit_panel("y ~ ai + hours", panel, entity="firm", time="week")
    np.testing.assert_allclose(result.estimates, R["estimates"], rtol=OTHER_ALGORITHM)
    # firms are the clusters, so k counts 2 columns, the constant and 5 further weeks
    factor = FIRMS / (FIRMS - 1) * (ROWS - 1) / (ROWS - 2 - WEEKS)
    expected = np.array(R["cr0_se"]) * np.sqrt(factor)
    np.testing.assert_allclose(result.bse, expected, rtol=OTHER_ALGORITHM)
    assert result.df.tolist() == [FIRMS - 1.0] * 2
    assert result.statistics["residual_sd"] == pytest.approx(R["residual_sd"], rel=OTHER_ALGORITHM)
    assert result.counts.groups == {"firm": FIRMS, "week": WEEKS}
    assert result.request.cluster == "firm"


def dummies(panel: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return pd.get_dummies(panel[columns].astype(str), drop_first=True).to_numpy(float)


def slow_clustered(panel: pd.DataFrame, effects: list[str], cluster: str, k: int) -> np.ndarray:
    """Standard errors with every dummy written out, k counted columns in the factor."""
    X = np.column_stack([panel["ai"], panel["hours"], np.ones(ROWS), dummies(panel, effects)])
    bread = np.linalg.inv(X.T @ X)
    e = panel["y"].to_numpy() - X @ bread @ X.T @ panel["y"].to_numpy()
    scores = np.stack([X[rows].T @ e[rows] for rows in panel.groupby(cluster).indices.values()])
    G = len(scores)
    factor = G / (G - 1) * (ROWS - 1) / (ROWS - k)
    return np.sqrt(factor * np.diag(bread @ scores.T @ scores @ bread))[:2]


@pytest.mark.parametrize(
    ("time_effects", "cluster", "counted"),
    [
        (True, "week", 2 + 1 + (FIRMS - 1)),  # weeks are nested in weeks, firms are not
        (False, "firm", 2 + 1),  # all effects nested: only the constant counts
        (False, "week", 2 + FIRMS),
        (True, "region", 2 + WEEKS),  # firms are nested in regions
        (True, "coin", 2 + 1 + (FIRMS - 1) + (WEEKS - 1)),  # nothing is nested
    ],
)
def test_effects_nested_in_clusters_are_not_counted(
    panel: pd.DataFrame, time_effects: bool, cluster: str, counted: int
) -> None:
    data = panel.assign(region=panel["firm"].str[-1].astype(int) % 3, coin=np.arange(ROWS) % 4)
    result = fit_panel(
        "y ~ ai + hours",
        data,
        entity="firm",
        time="week",
        time_effects=time_effects,
        cluster=cluster,
    )
    effects = ["firm", "week"] if time_effects else ["firm"]
    expected = slow_clustered(data, effects, cluster, counted)
    np.testing.assert_allclose(result.bse, expected, rtol=OTHER_ALGORITHM)


def test_coefficients_are_those_of_least_squares_with_dummies(panel: pd.DataFrame) -> None:
    within = fit_panel("y ~ ai*hours", panel, entity="firm", time="week")
    dummy = fit("y ~ ai*hours + C(firm) + C(week)", panel)
    np.testing.assert_allclose(within.params, dummy.params[list(within.names)], rtol=1e-8)
    assert within.names == ("ai", "hours", "ai:hours")


def test_units_change_units_only(panel: pd.DataFrame) -> None:
    plain = fit_panel("y ~ ai + hours", panel, entity="firm", time="week")
    data = panel.assign(hours=panel["hours"] * 1e6)
    scaled = fit_panel("y ~ ai + hours", data, entity="firm", time="week")
    np.testing.assert_allclose(scaled.tvalues, plain.tvalues, rtol=OTHER_ALGORITHM)


def test_what_was_absorbed_is_in_the_certificate(panel: pd.DataFrame) -> None:
    both = fit_panel("y ~ ai", panel, entity="firm", time="week")
    one = fit_panel("y ~ ai", panel, entity="firm", time="week", time_effects=False)
    assert both.certificate.sentence.startswith("Least squares within firm and week solved exactly")
    assert one.certificate.sentence.startswith("Least squares within firm solved exactly")


def test_missing_rows_are_counted_and_normal_df_can_be_asked_for(panel: pd.DataFrame) -> None:
    data = panel.copy()
    data.loc[4, "hours"] = np.nan
    result = fit_panel("y ~ ai + hours", data, entity="firm", time="week", df="normal")
    assert result.counts.dropped == {"hours": 1}
    assert np.isinf(result.df).all()


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("y ~ ai + size", "the column size is absorbed by the fixed effects"),
        ("y ~ ai + trend", "the column trend is absorbed by the fixed effects"),
        (
            "y ~ hours + shifted",
            "within entities: the columns hours, shifted are linearly dependent",
        ),
        ("y ~ 1", "nothing but the intercept is to be estimated"),
    ],
)
def test_columns_the_effects_absorb_are_named(
    panel: pd.DataFrame, formula: str, sentence: str
) -> None:
    size = panel.groupby("firm").ngroup() ** 2.0
    data = panel.assign(size=size, trend=panel["week"] ** 2, shifted=panel["hours"] + 3 * size)
    with pytest.raises(FitError, match=sentence):
        fit_panel(formula, data, entity="firm", time="week")


def test_repeated_rows_single_clusters_and_too_few_rows_are_refused(panel: pd.DataFrame) -> None:
    twice = pd.concat([panel, panel.head(2)], ignore_index=True)
    with pytest.raises(FitError, match="2 rows repeat a combination of 'firm' and 'week'"):
        fit_panel("y ~ ai", twice, entity="firm", time="week")
    with pytest.raises(FitError, match="more than one cluster in 'all'"):
        fit_panel("y ~ ai", panel.assign(all="a"), entity="firm", time="week", cluster="all")
    with pytest.raises(FitError, match="not more rows than coefficients and effects"):
        fit_panel("y ~ ai + hours", panel.iloc[[0, 1, 5, 6]], entity="firm", time="week")


def test_wrong_arguments_are_refused(panel: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="a panel regression has no random terms"):
        fit_panel("y ~ ai + (1 | firm)", panel, entity="firm", time="week")
    with pytest.raises(FormulaError, match=r"no column 'frm'\. Did you mean 'firm'?"):
        fit_panel("y ~ ai", panel, entity="frm", time="week")
    with pytest.raises(DeclarationError, match="unknown degrees of freedom 'residual'"):
        fit_panel("y ~ ai", panel, entity="firm", time="week", df="residual")


@pytest.mark.parametrize("firms", [2, 3, 12])
def test_one_treated_entity_has_no_clustered_standard_error(firms: int) -> None:
    data = pd.DataFrame({"firm": np.repeat(np.arange(firms), 6), "week": np.tile(range(6), firms)})
    data["ai"] = ((data["firm"] == 0) & (data["week"] > 2)) * 1.0
    data["y"] = np.random.default_rng(firms).normal(size=len(data))
    with pytest.raises(FitError) as raised:
        fit_panel("y ~ ai", data, entity="firm", time="week")
    assert str(raised.value) == (
        "formula 'y ~ ai': one cluster of 'firm' alone determines the coefficient ai, so it has no "
        f"clustered standard error. Found: {firms} clusters; all rows with ai = 1 lie in one "
        "cluster. Treat more clusters, or use randomisation inference over whole clusters."
    )
    by_week = fit_panel("y ~ ai", data, entity="firm", time="week", cluster="week")
    assert np.isfinite(by_week.df).all()


def test_two_treated_entities_of_many_are_noted() -> None:
    data = pd.DataFrame({"firm": np.repeat(np.arange(12), 6), "week": np.tile(range(6), 12)})
    data["ai"] = ((data["firm"] < 2) & (data["week"] > 2)) * 1.0
    data["y"] = np.random.default_rng(0).normal(size=len(data))
    (note,) = fit_panel("y ~ ai", data, entity="firm", time="week").certificate.notes
    assert note.startswith("2 of 12 clusters of 'firm' carry 83% of what the rows say about ai")
