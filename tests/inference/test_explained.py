from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import FitError
from alc_stats.estimators import fit
from alc_stats.inference import R2, r2
from alc_stats.records import dump, load
from alc_stats.report.numbers import say
from estimators.witness import answers, table
from tolerances import FLAT_OPTIMUM, OTHER_ALGORITHM

R = answers("after_variance")["r2"]
FORMULAS = {
    "intercepts": "y ~ x + z + (1 | person)",
    "slopes": "y ~ x + z + (1 + x | person)",
    "nested": "y ~ x + z + (1 | firm/person)",
    "crossed": "y ~ x + z + (1 | person) + (1 | task)",
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rows = table("after_variance", "rows.csv")
    means = rows.groupby("person")["x"].transform("mean")
    return rows.assign(within=rows["x"] - means, means=means)


@pytest.mark.parametrize("name", FORMULAS)
def test_totals_are_nakagawa_and_johnson(rows: pd.DataFrame, name: str) -> None:
    found = r2(fit(FORMULAS[name], rows))
    assert found.marginal == pytest.approx(R[name]["marginal"], abs=FLAT_OPTIMUM)
    assert found.conditional == pytest.approx(R[name]["conditional"], abs=FLAT_OPTIMUM)


def test_centred_predictors_give_rights_and_sterba(rows: pd.DataFrame) -> None:
    # Their (2019) equations: f1 = b'Cov(x_w)b, f2 = b'Cov(x_b)b, v = tr(T11 Cov(x_w)), m = T00
    model = fit("y ~ within + means + z + (1 + within | person)", rows)
    found = r2(model)
    n, b = len(rows), model.params
    between = b["means"] * rows["means"] + b["z"] * rows["z"]
    sd = {part.term: part.sd for part in model.random if not part.other}
    variances = {
        "fixed within": b["within"] ** 2 * rows["within"].var(ddof=1),
        "fixed between": between.var(ddof=1),
        "slopes": sd["within"] ** 2 * rows["within"].var(ddof=1) * (n - 1) / n,
        "means": sd["Intercept"] ** 2,
        "residual": sd[""] ** 2,
    }
    by_source = {part.source: part.variance for part in found.parts}
    assert by_source == pytest.approx(variances, rel=OTHER_ALGORITHM)
    f1, f2, v, m, e = variances.values()
    assert found.within == pytest.approx(f1 / (f1 + v + e))
    assert found.between == pytest.approx(f2 / (f2 + m))
    assert found.marginal == pytest.approx((f1 + f2) / (f1 + f2 + v + m + e))


@pytest.mark.parametrize("name", FORMULAS)
def test_centring_and_units_change_nothing(rows: pd.DataFrame, name: str) -> None:
    ours = r2(fit(FORMULAS[name], rows))
    moved = rows.assign(x=1e5 * rows["x"] + 3e6, z=rows["z"] / 1e4 - 2.0, y=40.0 * rows["y"] + 9.0)
    theirs = r2(fit(FORMULAS[name], moved))
    assert [part.share for part in theirs.parts] == pytest.approx(
        [part.share for part in ours.parts], rel=OTHER_ALGORITHM
    )


@pytest.mark.parametrize(
    "formula", [*FORMULAS.values(), "y ~ 1 + (1 | person)", "y ~ x*z + (0 + x | firm)"]
)
def test_shares_are_shares(rows: pd.DataFrame, formula: str) -> None:
    found = r2(fit(formula, rows))
    shares = [part.share for part in found.parts]
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert sum(shares) == pytest.approx(1.0)
    assert 0.0 <= found.marginal <= found.conditional <= 1.0


def test_nested_groupings_split_the_fixed_part_level_by_level(rows: pd.DataFrame) -> None:
    model = fit(FORMULAS["nested"], rows)
    found, b = r2(model), model.params
    line = b["x"] * rows["x"] + b["z"] * rows["z"]
    persons, firms = (line.groupby(rows[g]).transform("mean") for g in ("person", "firm"))
    degrees = len(rows) - 1
    expected = {
        ("fixed within", "firm:person"): ((line - persons) ** 2).sum() / degrees,
        ("fixed between", "firm:person"): ((persons - firms) ** 2).sum() / degrees,
        ("fixed between", "firm"): ((firms - line.mean()) ** 2).sum() / degrees,
    }
    ours = {(p.source, p.group): p.variance for p in found.parts if p.source.startswith("fixed")}
    assert ours == pytest.approx(expected, rel=OTHER_ALGORITHM)
    assert sum(ours.values()) == pytest.approx(line.var(ddof=1))
    assert found.within is None


def test_crossed_groupings_leave_the_fixed_part_whole(rows: pd.DataFrame) -> None:
    found = r2(fit(FORMULAS["crossed"], rows))
    assert [(p.source, p.group) for p in found.parts] == [
        ("fixed", ""),
        ("means", "person"),
        ("means", "task"),
        ("residual", ""),
    ]
    assert found.share("means") == found.share("means", "person") + found.share("means", "task")
    assert found.share("slopes") == 0.0


def test_a_group_predictor_explains_nothing_within(rows: pd.DataFrame) -> None:
    found = r2(fit("y ~ z + (1 | person)", rows))
    assert found.within == pytest.approx(0.0, abs=1e-20)
    assert found.between is not None
    assert found.between > 0.0


def test_records_and_sentence(rows: pd.DataFrame) -> None:
    found = r2(fit(FORMULAS["slopes"], rows))
    assert load(dump(found), R2) == found
    assert say(found.sentence) == (
        "The fixed part accounts for 9.5 % of the variance, "
        "fixed and random parts together for 70 %."
    )


def test_least_squares_has_its_own(rows: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="no random terms"):
        r2(fit("y ~ x", rows))
    assert np.isfinite(fit("y ~ x", rows).statistics["r_squared"])


def test_rows_of_different_weights_have_no_residual_share(rows: pd.DataFrame) -> None:
    model = fit("y ~ x + (1 | person)", rows.assign(w=rows["x"] ** 2 + 1.0), weights="w")
    with pytest.raises(FitError, match="no common residual variance, hence no share explained"):
        r2(model)
