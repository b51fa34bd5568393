"""NIST's one-way sets as REML problems: as many digits as float64 keeps of the data."""

from __future__ import annotations

import math
from fractions import Fraction

import pandas as pd
import pytest

from alc_stats.estimators import Fit, fit
from estimators import exact
from estimators.witness import REFERENCE, answers, real_data
from tolerances import CERTIFICATE_SLACK, FEW_ROUNDINGS_DIGITS

SETS = ("SiRstv", "SmLs01", "SmLs02", "AtmWtAg", "SmLs04", "SmLs05", "SmLs07", "SmLs08")


def digits(value: float | Fraction, right: Fraction) -> float:
    error = abs(Fraction(value) / right - 1)
    return 15.0 if error < Fraction(1, 10**15) else -math.log10(error)


def one_way_answers(own: Fit) -> dict[str, float]:
    group, residual = (part.sd**2 for part in own.random)
    return {"group": group, "residual": residual, "se^2": float(own.bse["Intercept"]) ** 2}


@pytest.mark.parametrize("name", SETS)
def test_certified_sets_are_right_to_the_last_digit_of_the_data(name: str) -> None:
    rows = exact.nist_table(REFERENCE / "nist" / f"{name}.dat")
    own = fit(
        "y ~ 1 + (1 | g)",
        pd.DataFrame({"g": [g for g, _ in rows], "y": [float(y) for _, y in rows]}),
    )
    certified, of_input = exact.one_way(rows), exact.one_way(rows, exact.from_float64)
    found = one_way_answers(own)
    reached = {part: digits(found[part], certified[part]) for part in certified}
    possible = {part: digits(of_input[part], certified[part]) for part in certified}
    assert all(reached[part] > possible[part] - FEW_ROUNDINGS_DIGITS for part in certified)
    assert own.certificate.digits is not None
    assert own.certificate.digits < min(reached["group"], reached["residual"]) + CERTIFICATE_SLACK


@pytest.mark.parametrize("name", SETS)
def test_the_arithmetic_gives_nists_certified_mean_squares(name: str) -> None:
    """MSW is the residual variance, MSB = MSW + n * variance between; NIST prints 15 digits."""
    path = REFERENCE / "nist" / f"{name}.dat"
    rows = exact.nist_table(path)
    found = exact.one_way(rows)
    n = len(rows) // len({g for g, _ in rows})
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    between = next(words for words in lines if words[:1] == ["Between"])
    within = next(words for words in lines if words[:1] == ["Within"])
    assert digits(found["residual"], Fraction(within[-1])) > 14.0
    assert digits(found["residual"] + n * found["group"], Fraction(between[-2])) > 14.0


def test_the_arithmetic_gives_the_exact_sleepstudy() -> None:
    data = real_data("multilevel/lme4__sleepstudy.csv", "lme4::sleepstudy")
    rows = list(data.astype(str)[["Subject", "Days", "Reaction"]].itertuples(index=False))
    witness = answers("exact", "sleepstudy_exact")
    for name, value in exact.growth(rows).items():
        assert digits(value, Fraction(witness[name])) > 14.0
