from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import fit, small_sample
from alc_stats.estimators.lmm import FittedLmm
from alc_stats.estimators.small_sample import (
    adjusted,
    kenward_roger_df,
    kenward_roger_of,
    satterthwaite_df,
)
from estimators import dense_twin
from estimators.test_lmm import LME4, engine, in_our_words, multilevel
from estimators.witness import answers, table
from tolerances import LMERTEST_DIFFERENCES, OTHER_SEARCH

FOUND = [a for a in LME4 if "kenward_roger_df" in a]


@pytest.mark.parametrize("answer", LME4, ids=[f"{a['formula']} {a['method']}" for a in LME4])
def test_satterthwaite_is_lmertests(answer: dict) -> None:
    weights = "weight" if answer["weights"] else None
    data = table("lmm", "ratings.csv")
    result = engine(answer["formula"], data, method=answer["method"], weights=weights).fit
    df = dict(zip(result.names, result.df, strict=True))
    ours = [df[in_our_words(name)] for name in answer["names"]]
    np.testing.assert_allclose(ours, answer["satterthwaite_df"], rtol=LMERTEST_DIFFERENCES)


@pytest.mark.parametrize("answer", FOUND, ids=[a["formula"] for a in FOUND])
def test_kenward_roger_is_pbkrtests(answer: dict) -> None:
    result = fit(answer["formula"], table("lmm", "ratings.csv"), df="kenward-roger")
    df = dict(zip(result.names, result.df, strict=True))
    names = [in_our_words(name) for name in answer["names"]]
    ours = [df[name] for name in names]
    np.testing.assert_allclose(ours, answer["kenward_roger_df"], rtol=OTHER_SEARCH)
    np.testing.assert_allclose(result.bse[names], answer["kenward_roger_se"], rtol=OTHER_SEARCH)


@pytest.mark.parametrize(
    "answer",
    [a for a in answers("mixed")["fits"] if "kenward_roger_df" in a],
    ids=lambda a: a["formula"],
)
@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_both_are_exact_in_balanced_designs(answer: dict, df: str) -> None:
    result = fit(answer["formula"], table("mixed", answer["file"]), df=df)
    ours = dict(zip(result.names, result.df, strict=True))
    exact = dict(zip(map(in_our_words, answer["names"]), answer["kenward_roger_df"], strict=True))
    tested = [n for n in exact if df == "kenward-roger" or abs(exact[n] - round(exact[n])) < 1e-6]
    assert len(tested) > 1
    for name in tested:
        assert ours[name] == pytest.approx(exact[name], rel=1e-6)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ arm + load + (1 + load | person)",
        "y ~ arm + load + (1 + load | person) + (1 | task)",
        "y ~ arm + load + (1 | team/person)",
        "y ~ arm + load + (1 + load || person)",
    ],
)
def test_kenward_roger_is_that_of_the_whole_matrices(formula: str) -> None:
    fitted = engine(formula, table("lmm", "ratings.csv"), df="kenward-roger")
    X, V, G = whole(fitted)
    Phi, changed, P, W = dense_twin.kenward_roger(X, G, V)
    np.testing.assert_allclose(fitted.fit.vcov, changed, rtol=1e-7)
    for k in range(X.shape[1]):
        slopes = Phi[k] @ P @ Phi[:, k]
        assert fitted.fit.df[k] == pytest.approx(
            2.0 * Phi[k, k] ** 2 / (slopes @ W @ slopes), rel=1e-7
        )


def whole(fitted: FittedLmm) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """X, V and the matrices V is a sum of, in the units of the columns."""
    state, data = fitted.state, table("lmm", "ratings.csv")
    named = {"Intercept": np.ones(len(data)), "arm[T.mandate]": data["arm"] == "mandate"}
    X = np.column_stack([named.get(n, data.get(n)) for n in fitted.fit.names]).astype(float)
    V, G = state.sigma**2 * np.eye(len(data)), [np.eye(len(data))]
    for f, factor in enumerate(state.random.factors):
        Z, covariance = dense_twin.wide(factor.codes, factor.Z), state.covariance(f)
        V += Z @ np.kron(np.eye(factor.levels), covariance) @ Z.T
        starts = np.cumsum([0, *(block.size for block in factor.blocks)])
        for first, last in pairwise(starts):
            for a in range(first, last):
                for b in range(first, a + 1):
                    unit = np.zeros_like(covariance)
                    unit[a, b] = unit[b, a] = 1.0
                    G.append(Z @ np.kron(np.eye(factor.levels), unit) @ Z.T)
    return X, V, G


def test_satterthwaite_is_its_definition() -> None:
    # 2 v^2 / (g'A g), every derivative by differences in the unprofiled parameters
    state = engine("y ~ arm + load + (1 + load | person)", table("lmm", "ratings.csv")).state
    objective, at = state.objective, state.optimum.theta
    varying = np.append(at, np.log(state.solution.sigma2))

    def deviance(v: np.ndarray) -> float:
        s = objective.at(v[:-1])[1]
        log_dets = s.deviance - s.degrees * (1.0 + np.log(2.0 * np.pi * s.sigma2))
        return log_dets + s.degrees * v[-1] + s.residual / np.exp(v[-1])

    def variance(v: np.ndarray) -> float:
        return np.exp(v[-1]) * state.scales.covariance(objective.at(v[:-1])[1].unscaled)[2, 2]

    h = 1e-4 * np.eye(len(varying))
    g = np.array([(variance(varying + d) - variance(varying - d)) / 2e-4 for d in h])
    H = (
        np.array(
            [
                [
                    deviance(varying + c + d)
                    - deviance(varying + c - d)
                    - deviance(varying - c + d)
                    + deviance(varying - c - d)
                    for d in h
                ]
                for c in h
            ]
        )
        / 4e-8
    )
    expected = 2.0 * variance(varying) ** 2 / (g @ (2.0 * np.linalg.inv(H)) @ g)
    contrast = np.array([[0.0, 0.0, 1.0]])
    assert satterthwaite_df(state, contrast)[0] == pytest.approx(expected, rel=1e-4)


def test_contrasts_of_units_and_origin_do_not_change_the_df() -> None:
    data = table("lmm", "ratings.csv")
    formula = "y ~ arm * load + (1 + load | person) + (1 | task)"
    plain = engine(formula, data).state
    moved = engine(formula, data.assign(load=1e6 * (data["load"] + 40.0))).state
    # the arms' difference at a load of 3
    here, there = np.array([[0.0, 1.0, 0.0, 3.0]]), np.array([[0.0, 1.0, 0.0, 43e6]])
    order = [0, 1, 2, 3]
    assert satterthwaite_df(moved, there[:, order])[0] == pytest.approx(
        satterthwaite_df(plain, here[:, order])[0], rel=1e-6
    )
    ours = kenward_roger_df(plain, here, kenward_roger_of(plain))[0]
    theirs = kenward_roger_df(moved, there, kenward_roger_of(moved))[0]
    assert theirs == pytest.approx(ours, rel=1e-8)


def test_kenward_roger_needs_reml() -> None:
    with pytest.raises(DeclarationError, match="is derived for REML"):
        fit("y ~ load + (1 | person)", table("lmm", "ratings.csv"), method="ML", df="kenward-roger")


def test_kenward_roger_of_many_effects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_sample, "LARGEST_DENSE", 20)
    with pytest.raises(FitError, match="too many random effects") as caught:
        fit("y ~ load + (1 | person) + (1 | task)", table("lmm", "ratings.csv"), df="kenward-roger")
    assert "Found: 23 in several groupings. Allowed: 20." in str(caught.value)


def test_an_unknown_method_is_refused() -> None:
    state = engine("y ~ load + (1 | person)", table("lmm", "ratings.csv")).state
    with pytest.raises(DeclarationError, match="unknown degrees of freedom 'between-within'"):
        adjusted(state, None, "between-within")


@pytest.mark.parametrize(("df", "expected"), [("normal", np.inf), ("residual", 200.0)])
def test_plain_degrees_of_freedom(df: str, expected: float) -> None:
    data = table("lmm", "ratings.csv")
    assert len(data) == 202
    result = fit("y ~ load + (1 | person)", data, df=df)
    assert result.df.tolist() == [expected, expected]


ORTHODONT = {"Intercept": 25.0, "Sex[T.Female]": 25.0, "a11": 25.0, "Sex[T.Female]:a11": 25.0}


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_orthodont_is_sas_and_r(df: str) -> None:
    # lmerTest 3.1-3 and pbkrtest 0.5.2: 25 for every coefficient (Pinheiro and Bates's data)
    data = multilevel("nlme__Orthodont")
    data["Sex"] = pd.Categorical(data["Sex"], ["Male", "Female"])
    result = fit(
        "distance ~ Sex * a11 + (1 + a11 | Subject)", data.assign(a11=data["age"] - 11), df=df
    )
    assert dict(zip(result.names, result.df, strict=True)) == pytest.approx(ORTHODONT, rel=1e-7)
    assert result.bse["a11"] == pytest.approx(0.08599951127927, rel=OTHER_SEARCH)


def test_penicillin_and_machines_are_pbkrtests() -> None:
    # pbkrtest 0.5.2 on lme4's Penicillin and nlme's Machines
    penicillin = fit(
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
        multilevel("lme4__Penicillin"),
        df="kenward-roger",
    )
    assert penicillin.df[0] == pytest.approx(5.487092291855, rel=OTHER_SEARCH)
    machines = fit(
        "score ~ Machine + (1 | Worker/Machine)", multilevel("nlme__Machines"), df="kenward-roger"
    )
    assert machines.df.tolist() == pytest.approx([8.521697441832, 10.0, 10.0], rel=OTHER_SEARCH)
    assert machines.pvalues.tolist()[1:] == pytest.approx(
        [0.004392631542203, 7.906480297528e-05], rel=OTHER_SEARCH
    )


def test_high_school_and_beyond_is_lmertests() -> None:
    # lmerTest 3.1-3 on nlme's MathAchieve, Raudenbush and Bryk's model
    data = multilevel("nlme__MathAchieve").merge(
        multilevel("nlme__MathAchSchool")[["School", "Sector"]], on="School"
    )
    data["cses"] = data["SES"] - data.groupby("School")["SES"].transform("mean")
    data["Sector"] = pd.Categorical(data["Sector"], ["Public", "Catholic"])
    result = fit("MathAch ~ MEANSES*cses + Sector*cses + (1 + cses | School)", data)
    theirs = {
        "Intercept": 159.913455136846,
        "MEANSES": 150.982856214405,
        "cses": 139.309472304944,
        "Sector[T.Catholic]": 149.613189579925,
        "MEANSES:cses": 160.560651350001,
    }
    ours = dict(zip(result.names, result.df, strict=True))
    assert {n: ours[n] for n in theirs} == pytest.approx(theirs, rel=LMERTEST_DIFFERENCES)
    assert result.loglik == pytest.approx(-23251.8320583517, abs=1e-9 * 23251.8)


def firms(clusters: int, rng: np.random.Generator, rows: int = 10) -> pd.DataFrame:
    """Half the firms treated, nothing true, no variance between firms."""
    k = np.repeat(np.arange(clusters), rows)
    week = np.tile(np.arange(rows) % 2, clusters)
    return pd.DataFrame({"k": k, "a": k % 2, "week": week, "y": rng.normal(size=len(k))})


@pytest.mark.parametrize("clusters", [4, 5, 6])
def test_a_variance_estimated_at_zero_is_not_known_to_be_zero(clusters: int) -> None:
    rng = np.random.default_rng(clusters)
    at_zero = rejected = 0
    for _ in range(60):
        result = fit("y ~ a + week + (1 | k)", firms(clusters, rng))
        at_zero += result.certificate.status == "boundary"
        rejected += result.pvalues["a"] < 0.05
        df = dict(zip(result.names, result.df, strict=True))
        if result.certificate.status == "boundary":
            # a is tested on firms; week on rows, with or without firms' effects
            assert df["a"] == df["Intercept"] == pytest.approx(clusters - 2, rel=1e-12)
            assert df["week"] == pytest.approx(10 * clusters - 3, rel=1e-9)
    assert at_zero > 15
    # 60 trials at 5 % reject more than 8 times once in a hundred
    assert rejected <= 8


def test_the_cap_is_of_the_columns_the_zero_concerns() -> None:
    rng = np.random.default_rng(1)
    data = firms(8, rng, 40)
    data["y"] += 3.0 * rng.normal(size=8)[data["k"]]
    result = fit("y ~ a * week + (1 + week || k)", data)
    assert result.certificate.boundary == ("SD of week | k",)
    df = dict(zip(result.names, result.df, strict=True))
    # one intercept and one slope each of eight firms, two of each fixed
    assert df["a:week"] == df["week"] == pytest.approx(6.0, rel=1e-12)
    assert df["a"] == pytest.approx(6.0, rel=0.1)


def test_a_contrast_is_capped_where_a_column_in_it_is() -> None:
    data = firms(4, np.random.default_rng(0))
    data["y"] -= 0.9 * data.groupby("k")["y"].transform("mean")
    fitted = engine("y ~ a + week + (1 | k)", data)
    assert fitted.fit.certificate.status == "boundary"
    lines = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(satterthwaite_df(fitted.state, lines), [2.0, 2.0, 37.0], rtol=1e-9)


def test_crossed_groupings_at_zero_are_capped_each_by_itself() -> None:
    rng = np.random.default_rng(3)
    data = firms(6, rng, 20)
    data["task"] = np.tile(np.arange(5), 24)
    data["y"] += rng.normal(size=5)[data["task"]]
    result = fit("y ~ a + week + (1 | k) + (1 | task)", data)
    assert result.certificate.boundary == ("SD of Intercept | k",)
    assert dict(zip(result.names, result.df, strict=True))["a"] == pytest.approx(4.0, rel=1e-12)
