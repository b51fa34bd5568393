from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import FitError
from alc_stats.estimators import fit as fit_any
from estimators.witness import answers, table

fit = partial(fit_any, df="containment")
BALANCED = [answer for answer in answers("mixed")["fits"] if "kenward_roger_df" in answer]


@pytest.mark.parametrize("answer", BALANCED, ids=[answer["formula"] for answer in BALANCED])
def test_balanced_designs_have_the_exact_degrees_of_freedom(answer: dict) -> None:
    # Kenward and Roger's are exact in balanced designs (pbkrtest 0.5.2)
    result = fit(answer["formula"], table("mixed", answer["file"]))
    assert result.df.tolist() == pytest.approx(answer["kenward_roger_df"], abs=1e-6)
    assert result.request.df == "containment"


def design(firms: int = 8, persons: int = 3, weeks: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    index = pd.MultiIndex.from_product(
        [range(firms), range(persons), range(weeks)], names=["firm", "person", "week"]
    )
    data = index.to_frame(index=False)
    data["arm"] = np.where(data["firm"] < firms // 2, "a", "b")
    data["post"] = (data["week"] >= weeks // 2).astype(float)
    data["skill"] = rng.normal(size=firms * persons).repeat(weeks)
    data["load"] = rng.normal(size=len(data))
    effect = rng.normal(size=firms)[data["firm"]] + rng.normal(size=firms * persons).repeat(weeks)
    data["y"] = effect + rng.normal(size=len(data))
    return data


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        # Pinheiro and Bates (2000, p. 91): level i has m_i - (m_(i-1) + p_i)
        (
            "y ~ arm + skill + load + (1 | firm/person)",
            {"Intercept": 8 - 2, "arm[T.b]": 8 - 2, "skill": 24 - 8 - 1, "load": 96 - 24 - 1},
        ),
        (
            "y ~ arm*post + (1 | firm)",
            {"Intercept": 8 - 2, "arm[T.b]": 6, "post": 96 - 8 - 2, "arm[T.b]:post": 86},
        ),
        # post varies within firms, and so do its firms' slopes: tested on the firms
        (
            "y ~ arm*post + (1 + post | firm)",
            {"Intercept": 6, "arm[T.b]": 6, "post": 6, "arm[T.b]:post": 6},
        ),
        # without a random intercept the intercept is tested on the rows
        ("y ~ post + (0 + post | firm)", {"Intercept": 96 - 9, "post": 7}),
        # one random column for each arm: columns without an intercept need one each
        ("y ~ 0 + arm + load + (1 | firm)", {"arm[a]": 6, "arm[b]": 6, "load": 96 - 8 - 1}),
    ],
)
def test_the_rule(formula: str, expected: dict[str, float]) -> None:
    result = fit(formula, design())
    assert dict(zip(result.names, result.df, strict=True)) == expected


def test_the_coding_of_a_factor_does_not_matter() -> None:
    data = design().assign(pre=lambda d: 1.0 - d["post"])
    one = fit("y ~ arm*post + (1 + post | firm)", data)
    other = fit("y ~ arm*post + (0 + pre + post | firm)", data)
    assert other.loglik == pytest.approx(one.loglik, abs=1e-8)
    assert other.df.tolist() == one.df.tolist()


@pytest.mark.parametrize(("df", "expected"), [("residual", 96.0 - 2.0), ("normal", np.inf)])
def test_other_degrees_of_freedom_can_be_asked_for(df: str, expected: float) -> None:
    assert fit("y ~ load + (1 | firm)", design(), df=df).df.tolist() == [expected] * 2


def test_levels_that_are_used_up_are_an_error() -> None:
    data = design(firms=2)
    with pytest.raises(FitError) as caught:
        fit("y ~ arm + load + (1 | firm)", data)
    message = str(caught.value)
    assert "no degrees of freedom are left for arm[T.b]" in message
    assert "it is tested on the levels of 'firm'" in message
