"""A finding as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alc_stats.errors import DeclarationError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import Criterion
from alc_stats.models.finding import Claim, Line, find
from alc_stats.records import Phrase
from alc_stats.report.finding_plot import plot
from alc_stats.report.finding_summary import summary


def test_a_summary_says_the_unit_once_or_in_every_line() -> None:
    lines = (
        Line("slope", "", value=0.5, low=0.1, high=0.9, p=0.02, df=9.0, unit="points"),
        Line("contrast", "", value=0.2, low=0.1, high=0.3, p=0.01, df=9.0, unit="points"),
    )
    claim = Claim("H", "gap", "Something rises.")
    estimate = Estimate("slope", 0.5, 0.2, 9.0)
    found = find(claim, estimate, criterion=Criterion("superiority", 0.1), triangulation=lines)
    head, *rows = summary(found).split("\n\n")[1].splitlines()
    assert "points" in head
    assert not any("points" in row for row in rows)
    mixed = replace(found, triangulation=(lines[0], replace(lines[1], unit="SD")))
    head, first, second, _ = summary(mixed).split("\n\n")[1].splitlines()
    assert head.split()[0] == "estimate"
    assert ("points" in first, "SD" in second) == (True, True)


def test_a_line_without_a_number_says_why() -> None:
    claim = Claim("H", "gap", "Something rises.")
    why = Phrase("No waves were named.")
    found = find(
        claim, Estimate("slope", 0.5, 0.2, 9.0), criterion=Criterion("superiority", 0.1),
        triangulation=(Line("trend", "", note=why), Line("slope", "", value=0.5, unit="points")),
    )  # fmt: skip
    assert "— trend: No waves were named." in summary(found).splitlines()


def test_a_long_series_stands_apart_from_other_methods() -> None:
    methods = ["effect", *(f"Since the start: {e}" for e in range(4)), "naive", "ATT(1, 2)"]
    found = find(
        Claim("H", "mandate", "Use rises."), Estimate("effect", 0.5, 0.2, 9.0),
        criterion=Criterion("superiority", 0.1),
        triangulation=tuple(Line(m, "", value=0.5, unit="log tokens") for m in methods),
    )  # fmt: skip
    _, first, series, last = summary(found).split("\n\n")
    assert first.splitlines()[1].startswith("effect")
    assert [row.split("  ")[0] for row in series.splitlines()] == methods[1:5]
    assert last.splitlines()[:2] == [row for row in last.splitlines() if "0.5" in row]


@pytest.mark.parametrize("shown", [summary, plot])
def test_what_is_no_finding_is_said_to_be_none(shown: Callable[[Any], object]) -> None:
    with pytest.raises(DeclarationError, match=r"is not a finding\. Found: dict"):
        shown({})
