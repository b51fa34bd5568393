from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from alc_stats.errors import FitError
from alc_stats.estimators import Certificate, fit
from alc_stats.inference import tidy
from estimators.witness import table

RESULT = fit("y ~ mandate + x", table("linear", "clusters.csv"))


def test_one_row_a_coefficient_and_every_column() -> None:
    rows = tidy(RESULT)
    assert list(rows.columns) == [
        "term",
        "component",
        "estimate",
        "se",
        "statistic",
        "df",
        "p",
        "low",
        "high",
    ]
    assert rows["term"].tolist() == list(RESULT.names)
    np.testing.assert_array_equal(rows["p"], RESULT.pvalues)
    np.testing.assert_allclose(rows["statistic"], rows["estimate"] / rows["se"])


def test_the_level_sets_the_width() -> None:
    wide, narrow = tidy(RESULT, level=0.99), tidy(RESULT, level=0.8)
    assert ((wide["high"] - wide["low"]) > (narrow["high"] - narrow["low"])).all()


def test_a_fit_that_failed_has_no_table() -> None:
    failed = dataclasses.replace(RESULT, certificate=Certificate("not_identified", "Flat."))
    with pytest.raises(FitError, match=r"this fit cannot be used\. Found: Flat"):
        tidy(failed)
