"""Regressions of log SDs without a random scale effect: dense twin, laws, relations, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tolerances as tol
from alc_stats.errors import DeclarationError, FitError, FormulaError
from alc_stats.estimators import fit as fit_same
from alc_stats.estimators.design import build_design, coded, read_table
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.formula import parse
from alc_stats.estimators.kernels.scale_columns import log_sd
from alc_stats.estimators.kernels.scale_model import Between, ScaleModel, scale_model
from alc_stats.estimators.kernels.scale_search import joint_gradient
from alc_stats.estimators.lmm_terms import random_part
from alc_stats.inference import compare, contrast, joint
from estimators import dense_scale as dense
from estimators.fixed_scale_fits import METHODS, dense_parameters, fitted
from estimators.witness import table

RELATED = ("y ~ arm*x + (1 + x | g)", "~ arm*x", "~ arm")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return table("fixed_scale", "rows.csv")


# --- the dense twin -------------------------------------------------------------------------------

DENSE = {
    "slopes": ("y ~ arm*x + (1 + x | g)", "~ arm*x", None),
    "crossed": ("y ~ x + (1 | g) + (1 | k)", "~ x", None),
    "nested": ("y ~ x + (1 | h/g)", "~ arm", None),
    "none": ("y ~ arm*x", "~ arm + x", None),
    "known": ("y ~ arm + (1 | g)", "~ 0 + x", None),
    "between": ("y ~ arm + (1 | g)", "~ x", "~ arm"),
    "between by row": ("y ~ arm + (1 | g) + (1 | k)", "~ arm", "~ x"),
}


def _dense_model(name: str, data: pd.DataFrame, *, reml: bool) -> dense.Model:
    formula, scale, between = DENSE[name]
    parsed = parse(formula)
    used = read_table(parsed, data, ["arm", "x"])
    design, frame = build_design(parsed, used), used.frame
    random = random_part(parsed, used) if parsed.random else None
    U = coded(between.strip("~ "), frame, "")[0] if between else None
    factors = random.factors if random else ()
    most = max((f.levels for f in factors), default=0)
    groupings = [
        dense.Grouping(f.codes, f.Z, U if f.levels == most and U is not None else None)
        for f in factors
    ]
    W = coded(scale.strip("~ "), frame, "")[0]
    return dense.Model(design.y, design.X, W, groupings, reml)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DENSE)
def test_dense_twin(rows: pd.DataFrame, name: str, method: str) -> None:
    some = rows[rows["g"] <= 24]
    formula, scale, between = DENSE[name]
    m = fitted(formula, some, scale, between, method)
    model = _dense_model(name, some, reml=method == "REML")
    x = dense_parameters(m)
    assert m.certificate.status == "optimum"
    assert dense.deviance(model, x) == pytest.approx(-2.0 * m.loglik, abs=tol.DENSE_TWIN)
    beta, vcov = dense.coefficients(model, x)
    p = len(beta)
    assert m.estimates[:p] == pytest.approx(beta, abs=tol.DENSE_TWIN)
    assert m.vcov[:p, :p] == pytest.approx(vcov, rel=tol.DENSE_TWIN, abs=tol.DENSE_TWIN)
    slope = dense.gradient(lambda at: dense.deviance(model, at), x)
    assert slope == pytest.approx(np.zeros(len(x)), abs=tol.FINITE_DIFFERENCE)
    assert dense.searched(model, 0.9 * x) > -2.0 * m.loglik - tol.DENSE_DEVIANCE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DENSE)
def test_dense_standard_errors_and_degrees_of_freedom(
    rows: pd.DataFrame, name: str, method: str
) -> None:
    some = rows[rows["g"] <= 24]
    formula, scale, between = DENSE[name]
    m = fitted(formula, some, scale, between, method)
    model = _dense_model(name, some, reml=method == "REML")
    x = dense_parameters(m)
    A = 2.0 * np.linalg.inv(dense.hessian(lambda at: dense.deviance(model, at), x))
    p, k = model.X.shape[1], model.W.shape[1]
    assert m.vcov[p : p + k, p : p + k] == pytest.approx(A[:k, :k], rel=tol.TWICE_DIFFERENCED)
    if between:
        first = 0 if model.groupings[0].U is not None else 1
        own = slice(k + first, k + first + 2)
        assert m.vcov[p + k :, p + k :] == pytest.approx(A[own, own], rel=tol.TWICE_DIFFERENCED)
    for j in range(p):
        variance = dense.coefficients(model, x)[1][j, j]
        g = dense.gradient(lambda at, j=j: dense.coefficients(model, at)[1][j, j], x)
        expected = 2.0 * variance**2 / (g @ A @ g)
        assert m.df[j] == pytest.approx(expected, rel=tol.TWICE_DIFFERENCED)


# --- the gradient ---------------------------------------------------------------------------------


def _kernel(data: pd.DataFrame, formula: str, scale: str, between: str | None) -> ScaleModel:
    parsed = parse(formula)
    used = read_table(parsed, data, ["arm", "x"])
    design, frame = build_design(parsed, used), used.frame
    columns = [
        log_sd(coded(part.strip("~ "), frame, "")[0]) if part else None for part in (scale, between)
    ]
    return scale_model(
        design.y,
        design.X,
        factors=random_part(parsed, used).factors if parsed.random else (),
        reml=True,
        scale=columns[0],
        between=Between(0, 0, columns[1]) if between else None,
    )


@pytest.mark.parametrize("between", [None, "~ x"])
@pytest.mark.parametrize("scale", ["~ arm*x", "~ 0 + x"])
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ arm + (1 + x | g)",
        "y ~ arm + (1 + x | h/g)",
        "y ~ x + (1 + x | g) + (1 | k)",
        "y ~ x + (1 + x || g) + (1 + x | k) + (1 | h)",
    ],
)
def test_gradient(rows: pd.DataFrame, formula: str, scale: str, between: str | None) -> None:
    model = _kernel(rows, formula, scale, between)
    rng = np.random.default_rng(7)
    theta = np.abs(rng.normal(size=len(model.template.factor)))
    phi = 0.3 * rng.normal(size=model.size)

    def deviance(x: np.ndarray) -> float:
        place = model.at(x[len(theta) :])
        return place.deviance(place.objective.at(x[: len(theta)])[1])

    ours = joint_gradient(model.at(phi), theta, np.ones(len(theta), dtype=bool))
    differences = dense.gradient(deviance, np.concatenate([theta, phi]))
    assert ours == pytest.approx(differences, abs=tol.FINITE_DIFFERENCE)


# --- laws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ arm*x + (1 + x | g)",
        "y ~ arm + (1 | h/g)",
        "y ~ arm + (1 | g) + (1 | k)",
        "y ~ arm + (1 | h)",
    ],
)
def test_a_constant_log_sd_is_the_mixed_model(
    rows: pd.DataFrame, formula: str, method: Any
) -> None:
    same = fit_same(formula, rows, method=method)
    for between in (None, "~ 1"):
        m = fitted(formula, rows, "~ 1", between, method)
        p = len(same.names)
        assert m.loglik == pytest.approx(same.loglik, abs=tol.TEN_DIGITS)
        assert m.estimates[:p] == pytest.approx(same.estimates, rel=tol.TEN_DIGITS)
        assert m.vcov[:p, :p] == pytest.approx(same.vcov, rel=tol.TEN_DIGITS, abs=tol.TEN_DIGITS)
        assert m.df[:p] == pytest.approx(same.df, rel=tol.FLAT_OPTIMUM)
        assert m.params["log_sd.Intercept"] == pytest.approx(
            np.log(same.statistics["residual_sd"]), abs=tol.TEN_DIGITS
        )
        ours = [(c.sd, c.correlation or 0.0) for c in m.random]
        theirs = [(c.sd, c.correlation or 0.0) for c in same.random]
        assert ours == [pytest.approx(pair, rel=tol.TEN_DIGITS) for pair in theirs]
        if between:
            most = max(same.counts.groups, key=lambda group: same.counts.groups[group])
            (sd,) = (
                c.sd
                for c in same.random
                if (c.group, c.term) == (most, "Intercept") and c.correlation is None
            )
            assert m.params["between_log_sd.Intercept"] == pytest.approx(
                np.log(sd), abs=tol.TEN_DIGITS
            )


def test_no_random_terms_and_a_constant_is_least_squares(rows: pd.DataFrame) -> None:
    same, m = fit_same("y ~ arm*x", rows), fitted("y ~ arm*x", rows)
    assert m.estimates[:4] == pytest.approx(same.estimates, rel=tol.TEN_DIGITS)
    assert m.bse.to_numpy()[:4] == pytest.approx(same.bse.to_numpy(), rel=tol.TEN_DIGITS)
    assert m.df[:4] == pytest.approx(same.df, rel=tol.TEN_DIGITS)
    n = len(rows)
    assert m.bse["log_sd.Intercept"] == pytest.approx(1.0 / np.sqrt(2.0 * (n - 4)))
    assert fitted("y ~ arm*x", rows, method="ML").loglik == pytest.approx(same.loglik)


@pytest.mark.parametrize("method", METHODS)
def test_between_of_two_arms_is_two_random_intercepts(rows: pd.DataFrame, method: Any) -> None:
    two = rows.assign(on=(rows["arm"] == "mandate") * 1.0, off=(rows["arm"] == "control") * 1.0)
    same = fit_same("y ~ arm*x + (0 + off + on || g)", two, method=method)
    m = fitted("y ~ arm*x + (1 | g)", two, "~ 1", "~ arm", method)
    assert m.loglik == pytest.approx(same.loglik, abs=tol.TEN_DIGITS * 10)
    sds = np.exp(np.cumsum(m.params.filter(like="between_log_sd.")))
    assert sds.to_numpy() == pytest.approx([c.sd for c in same.random[:2]], rel=tol.TEN_DIGITS * 10)


# --- relations ------------------------------------------------------------------------------------


def _same(a: Fit, b: Fit, names: dict[str, str] | None = None) -> None:
    assert a.loglik == pytest.approx(b.loglik, abs=tol.SAME_LOGLIK_BY_RELATION)
    assert a.params.to_dict() == pytest.approx(
        b.params.rename(names or {}).to_dict(), abs=tol.SAME_BY_RELATION
    )
    assert a.bse.to_dict() == pytest.approx(
        b.bse.rename(names or {}).to_dict(), rel=tol.SAME_BY_RELATION
    )


@pytest.mark.parametrize("method", METHODS)
def test_order_and_labels_of_rows(rows: pd.DataFrame, method: str) -> None:
    formula, scale, between = RELATED
    shuffled = rows.sample(frac=1.0, random_state=4)
    shuffled["g"] = shuffled["g"].map(lambda g: f"person {97 * g % 1009}")
    _same(
        fitted(formula, rows, scale, between, method),
        fitted(formula, shuffled, scale, between, method),
    )


@pytest.mark.parametrize("k", [1e-6, 1e5])
@pytest.mark.parametrize("method", METHODS)
def test_unit_of_the_outcome(rows: pd.DataFrame, method: str, k: float) -> None:
    """Log SD intercepts move by log k, the mean's coefficients by k, nothing else."""
    formula, scale, between = RELATED
    a = fitted(formula, rows, scale, between, method)
    b = fitted(formula, rows.assign(y=k * rows["y"] + 3.0 * k), scale, between, method)
    mean = np.array([part == "mean" for part in a.components])
    moved = a.estimates.copy()
    moved[mean] *= k
    moved[0] += 3.0 * k
    moved[[label.endswith("log_sd.Intercept") for label in a.labels]] += np.log(k)
    assert b.estimates / np.where(mean, k, 1.0) == pytest.approx(
        moved / np.where(mean, k, 1.0), abs=tol.SAME_BY_RELATION
    )
    size = np.where(mean, k, 1.0)
    assert b.bse.to_numpy() / size == pytest.approx(a.bse.to_numpy(), rel=tol.SAME_BY_RELATION)
    degrees = len(rows) - (4 if method == "REML" else 0)
    assert b.loglik == pytest.approx(
        a.loglik - degrees * np.log(k), abs=tol.SAME_LOGLIK_BY_RELATION * 10
    )


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_unit_and_origin_of_a_column(rows: pd.DataFrame, shift: float) -> None:
    """exp(t (x + c)) is another intercept: slopes of the log SD change by units only."""
    a = fitted("y ~ x + (1 | g)", rows, "~ arm + x", method="ML")
    b = fitted(
        "y ~ x + (1 | g)", rows.assign(x=1000.0 * rows["x"] + shift), "~ arm + x", method="ML"
    )
    assert b.loglik == pytest.approx(a.loglik, abs=tol.SAME_LOGLIK_BY_RELATION)
    for label in ("x", "log_sd.x"):
        assert 1000.0 * b.params[label] == pytest.approx(a.params[label], rel=tol.SAME_BY_RELATION)
        assert 1000.0 * b.bse[label] == pytest.approx(a.bse[label], rel=tol.SAME_BY_RELATION)
    slope = b.params["log_sd.x"]
    assert b.params["log_sd.Intercept"] + shift * slope == pytest.approx(
        a.params["log_sd.Intercept"], abs=tol.SAME_BY_RELATION
    )


def test_reference_level(rows: pd.DataFrame) -> None:
    turned = 'C(arm, Treatment("mandate"))'
    a = fitted("y ~ arm + (1 | g)", rows, "~ arm", "~ arm")
    b = fitted(f"y ~ {turned} + (1 | g)", rows, f"~ {turned}", f"~ {turned}")
    assert a.loglik == pytest.approx(b.loglik, abs=tol.SAME_LOGLIK_BY_RELATION)
    assert a.estimates[1::2] == pytest.approx(-b.estimates[1::2], abs=tol.SAME_BY_RELATION)
    assert a.estimates[::2] + a.estimates[1::2] == pytest.approx(
        b.estimates[::2], abs=tol.SAME_BY_RELATION
    )


# --- after the fit --------------------------------------------------------------------------------


def test_comparing_codings_under_reml_is_refused(rows: pd.DataFrame) -> None:
    """Sum coding of two factors moves twice the restricted log-likelihood by 2 log 4."""
    coded = rows.assign(on=(rows["arm"] == "mandate") * 1.0)
    coded["sign"] = 1.0 - 2.0 * coded["on"]
    smaller = fitted("y ~ sign*x + (1 | g)", coded)
    larger = fitted("y ~ on*x + (1 | g)", coded, "~ on")
    alike = fitted("y ~ on*x + (1 | g)", coded)
    assert 2.0 * (alike.loglik - smaller.loglik) == pytest.approx(2.0 * np.log(4.0))
    with pytest.raises(FitError, match=r"codes? the same fixed columns differently.*2\.773"):
        compare(smaller, larger)
    test = compare(alike, larger)
    assert (test.added, test.null) == (1, "chi-square")
    ml = [
        fitted(f, coded, s, method="ML")
        for f, s in (("y ~ sign*x + (1 | g)", "~ 1"), ("y ~ on*x + (1 | g)", "~ on"))
    ]
    assert compare(*ml).added == 1


def test_comparisons_count_columns_of_log_sds(rows: pd.DataFrame) -> None:
    formula = "y ~ arm + (1 | g)"
    plain = fit_same(formula, rows)
    one, both = fitted(formula, rows, "~ arm"), fitted(formula, rows, "~ arm*x", "~ arm")
    assert compare(plain, one).added == 1
    assert compare(one, both).added == 3
    assert compare(plain, both).statistic == pytest.approx(2.0 * (both.loglik - plain.loglik))
    with pytest.raises(FitError, match=r"lacks the columns log_sd\.x"):
        compare(fitted(formula, rows, "~ x"), one)
    with pytest.raises(FitError, match="one random part only"):
        compare(fitted("y ~ arm + (1 | h)", rows), both)
    with pytest.raises(FitError, match="not fitted to drawn outcomes"):
        compare(plain, one, bootstrap=10, seed=1)
    with pytest.raises(FitError, match="same model"):
        compare(plain, fitted(formula, rows))


def test_contrasts_have_their_unit_and_degrees_of_freedom(rows: pd.DataFrame) -> None:
    m = fitted("y ~ arm + (1 | g)", rows, "~ arm", "~ arm")
    log_ratio = contrast(m, "log_sd.arm[T.mandate]")
    assert (log_ratio.unit, log_ratio.df) == ("log SD", np.inf)
    assert contrast(m, "arm[T.mandate]").df == pytest.approx(m.df[1])
    both = joint(m, ["log_sd.arm[T.mandate]", "between_log_sd.arm[T.mandate]"])
    assert both.df2 == np.inf
    assert fitted("y ~ x + (1 | g)", rows, "~ x", df="normal").df.min() == np.inf
    assert fitted("y ~ x + (1 | g)", rows, "~ x", df="residual").df[0] == len(rows) - 2


def test_predictions_are_of_the_mean(rows: pd.DataFrame) -> None:
    m = fitted("y ~ arm*x + (1 + x | g)", rows, "~ arm")
    design = np.column_stack(
        [
            np.ones(len(rows)),
            rows["arm"] == "mandate",
            rows["x"],
            (rows["arm"] == "mandate") * rows["x"],
        ]
    )
    mean = m.predict(random=False)
    assert mean.to_numpy() == pytest.approx(design @ m.estimates[:4])
    effects = m.random_effects["g"].loc[rows["g"]].to_numpy()
    whole = mean.to_numpy() + effects[:, 0] + effects[:, 1] * rows["x"]
    assert m.predict().to_numpy() == pytest.approx(whole.to_numpy())
    limits = m.predict(rows.head(1), random=False, interval="confidence").iloc[0]
    assert limits["se"] == pytest.approx(np.sqrt(design[0] @ m.vcov[:4, :4] @ design[0]))
    with pytest.raises(FitError, match="takes every row's spread for the same"):
        m.predict(interval="prediction")
    between = fitted("y ~ x + (1 | g)", rows, "~ x", "~ arm")
    assert len(between.predict(random=False)) == len(rows)
    for ask in (between.predict, lambda: between.random_effects):
        with pytest.raises(FitError, match="the SD of its random intercept does"):
            ask()
    plain = fitted("y ~ x", rows, "~ x")
    assert plain.predict().to_numpy() == pytest.approx(
        plain.estimates[0] + plain.estimates[1] * rows["x"].to_numpy()
    )


def test_what_takes_spreads_for_the_same_refuses(rows: pd.DataFrame) -> None:
    from alc_stats.inference.draws import fitted as drawn
    from alc_stats.inference.profile import profile_interval

    m = fitted("y ~ x + (1 | g)", rows, "~ x")
    for ask in (lambda: drawn(m), lambda: profile_interval(m, "sigma")):
        with pytest.raises(FitError, match="takes every row's spread for the same"):
            ask()


# --- refusals and boundaries ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "scale", "between", "message"),
    [
        ("y ~ x + (1 | g)", "~ x + I(2*x)", None, "columns .* are linearly dependent"),
        ("y ~ x + (1 | g)", "~ one", None, "columns Intercept, one are linearly dependent"),
        ("y ~ x", "~ x", "~ arm", "no random intercept whose SD could differ"),
        ("y ~ x + (0 + x | g)", "~ x", "~ arm", "no random intercept whose SD could differ"),
        ("y ~ x + (1 | g)", "~ x", "~ 0 + x", "hold no constant"),
        ("y ~ x + (1 | g) + (1 | g2)", "~ 1", "~ arm", "48 levels of g and of g2"),
        ("flat ~ x + (1 | g)", "~ arm", None, r"constant where arm\[T.mandate\] is 1.*192 rows"),
        (
            "line ~ x + (1 | g)",
            "~ arm",
            None,
            r"along arm\[T.mandate\] the residual SD .* 192 of 384",
        ),
        ("line ~ x", "~ arm", None, r"along arm\[T.mandate\]"),
        ("same ~ x", "~ arm", None, "the outcome 'same' is constant"),
        ("x ~ I(2*x)", "~ arm", None, "reproduce the outcome exactly"),
    ],
)
def test_refusals(
    rows: pd.DataFrame, formula: str, scale: str, between: str | None, message: str
) -> None:
    on = rows["arm"] == "mandate"
    data = rows.assign(
        one=1.0,
        same=4.0,
        g2=(rows["g"] * 7) % 48 * 1.0 + (rows.index % 3 == 0) * 0.0,
        flat=rows["y"].where(~on, 5.0),
        line=rows["y"].where(~on, 5.0 + rows["x"]),
    )
    if "g2" in formula:
        data["g2"] = np.roll(data["g"], 3)
    with pytest.raises(FitError, match=message):
        fitted(formula, data, scale, between)


def test_refused_arguments(rows: pd.DataFrame) -> None:
    with pytest.raises(DeclarationError, match="'kenward-roger' degrees of freedom"):
        fitted("y ~ x + (1 | g)", rows, "~ x", df="kenward-roger")
    with pytest.raises(DeclarationError, match="no random effect in scale"):
        fitted("y ~ x + (1 | g)", rows, "~ x + (1 | g)")
    with pytest.raises(FormulaError, match="no column 'mandat'"):
        fitted("y ~ x + (1 | g)", rows, "~ mandat")
    with pytest.raises(FitError, match="not more rows than coefficients"):
        fitted("y ~ arm*x", rows.iloc[[0, 9, 1, 10, 2, 11]], "~ x")


def test_missing_values_of_a_scale_column_are_counted(rows: pd.DataFrame) -> None:
    data = rows.assign(z=rows["x"].where(rows.index > 4))
    m = fitted("y ~ arm + (1 | g)", data, "~ z")
    assert (m.counts.used, dict(m.counts.dropped)) == (len(rows) - 5, {"z": 5})


def test_an_intercept_that_does_not_vary_tells_no_log_sd(rows: pd.DataFrame) -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=len(rows))
    data = rows.assign(y=y - pd.Series(y).groupby(rows["g"]).transform("mean"))
    m = fitted("y ~ 1 + (1 | g)", data, "~ arm")
    assert m.certificate.status == "boundary"
    m = fitted("y ~ 1 + (1 | g)", data, "~ arm", "~ arm")
    assert m.certificate.status == "not_identified"
    assert "leave between out" in m.certificate.sentence
