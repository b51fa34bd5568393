from __future__ import annotations

import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FormulaError
from alc_stats.estimators import fit

DATA = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "x": [0.0, 1, 2, 3, 4, 5], "g": list("aabbcc")})


@pytest.mark.parametrize(
    ("formula", "arguments", "sentence"),
    [
        ("y ~ x", {"covariance": "HC9"}, "unknown covariance 'HC9'"),
        ("y ~ x", {"covariance": "cluster"}, "cluster and covariance do not go together"),
        ("y ~ x", {"cluster": "g"}, "cluster and covariance do not go together"),
        ("y ~ x", {"covariance": "HC3", "cluster": "g"}, "do not go together"),
        ("y ~ x", {"df": "containment"}, "unknown df 'containment'"),
        ("y ~ x", {"df": "clusters - 1"}, "unknown df 'clusters - 1'"),
        ("y ~ x", {"engine": "lme4"}, "unknown engine 'lme4'"),
        ("y ~ x + (1 | g)", {"method": "MM"}, "unknown method 'MM'"),
        ("y ~ x + (1 | g)", {"covariance": "HC3"}, "a mixed model has no 'HC3' covariance here"),
        ("y ~ x + (1 | g)", {"df": "clusters - 1"}, "unknown df 'clusters - 1'"),
        (
            "y ~ x + (1 | g)",
            {"df": "satterthwaite", "engine": "statsmodels"},
            "unknown df 'satterthwaite'",
        ),
        ("y ~ x", {"engine": "alc_stats"}, "unknown engine 'alc_stats'"),
    ],
)
def test_arguments_that_do_not_go_together(
    formula: str, arguments: dict[str, str], sentence: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        fit(formula, DATA, **arguments)
    assert sentence in str(caught.value)


def test_all_wrong_arguments_are_named_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        fit("y ~ x", DATA, method="MM", covariance="HC9", engine="lme4")
    assert len(caught.value.problems) == 3


def test_a_missing_cluster_column_has_a_way_out() -> None:
    with pytest.raises(FormulaError, match=r"no column 'gg'\. Did you mean 'g'?"):
        fit("y ~ x", DATA, covariance="cluster", cluster="gg")


@pytest.mark.parametrize(
    ("formula", "arguments", "expected"),
    [
        ("y ~ x", {}, ("least squares", "model", "", "residual")),
        (
            "y ~ x",
            {"covariance": "cluster", "cluster": "g"},
            ("least squares", "cluster", "g", "clusters - 1"),
        ),
        (
            "y ~ x",
            {"covariance": "CR2", "cluster": "g"},
            ("least squares", "CR2", "g", "satterthwaite"),
        ),
        ("y ~ 1 + (1 | g)", {"method": "ML"}, ("ML", "model", "", "satterthwaite")),
        (
            "y ~ 1 + (1 | g)",
            {"engine": "statsmodels"},
            ("REML", "model", "", "containment"),
        ),
    ],
)
def test_the_record_says_what_was_asked(
    formula: str, arguments: dict[str, str], expected: tuple[str, ...]
) -> None:
    request = fit(formula, DATA, **arguments).request
    assert (request.method, request.covariance, request.cluster, request.df) == expected
    assert request.formula == formula
