"""Expected texts follow from the docstrings of `numbers` and from APA 7, sections 6.36 to 6.45."""

from __future__ import annotations

import math
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alc_stats.errors import OutputError
from alc_stats.records import Kind, Number, Phrase
from alc_stats.report import numbers

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (2848, "count", "2,848"), (0, "count", "0"),
        (0.0362, "p", ".036"), (0.0004, "p", "< .001"), (0.0, "p", "< .001"), (1.0, "p", "> .999"),
        (0.5, "p", ".500"),
        (228.44, "df", "228.4"), (15.0, "df", "15"), (INF, "df", "∞"),
        (0.12, "share", "12 %"), (0.055, "share", "5.5 %"), (0.0, "share", "0 %"),
        (1.0, "share", "100 %"), (1.0 - 0.025, "share", "97.5 %"),
        (1.0 - 2.0 * 0.0125, "share", "97.5 %"), (0.1249, "share", "12 %"),
        (0.95, "share", "95 %"), (1.0 - 2.0 * 0.05, "share", "90 %"), (0.125, "share", "12.5 %"),
        (0.9999999999, "share", "> 99.9 %"), (0.5 + 1e-12, "share", "50 %"),
        (0.9996, "share", "> 99.9 %"), (0.0001, "share", "< 0.1 %"),
        (0.188, "percent", "+18.8 %"),
        (-0.048, "percent", "\u22124.8 %"), (0.0001, "percent", "0.0 %"),
        (0.856, "ratio", "0.86"), (1.105, "ratio", "1.10"),
        (-1.9512, "statistic", "\u22121.95"), (-0.001, "statistic", "0.00"),
        (0.84, "seconds", "0.8 s"), (135.2, "seconds", "135 s"),
        (0.1512, "estimate", "0.151"), (12.345, "estimate", "12.35"),
        (251.405, "estimate", "251.4"),
        (1751.94, "estimate", "1,752"), (0.0, "estimate", "0"), (0.00049, "se", "0.00049"),
        (NAN, "estimate", "—"), (-INF, "estimate", "\u2212∞"),
    ],
)  # fmt: skip
def test_a_number_is_shown_as_its_kind_asks(value: float, kind: Kind, text: str) -> None:
    assert numbers.show(Number(value, kind)) == text


def test_what_is_missing_is_a_dash() -> None:
    assert numbers.show(None) == "—"
    assert numbers.show_interval(Number(NAN), Number(NAN)) == "—"


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(get_args(Kind)))
def test_no_text_holds_nan_or_a_negative_zero(value: float, kind: Kind) -> None:
    text = numbers.show(Number(value, kind))
    assert "nan" not in text.lower()
    assert "-" not in text
    assert not re.fullmatch(r"\u22120(\.0+)?( %| s)?", text)


@given(st.floats(1e-6, 1e6), st.booleans())
def test_an_estimate_that_is_not_zero_never_looks_like_zero(size: float, negative: bool) -> None:
    text = numbers.show(Number(-size if negative else size))
    assert any(digit in text for digit in "123456789")
    assert text.startswith("\u2212") == negative


def test_a_limit_keeps_its_side_of_zero() -> None:
    assert numbers.show_interval(Number(0.0004), Number(0.304)) == "[0.0004, 0.3040]"


def test_numbers_of_different_units_do_not_share_decimals() -> None:
    minutes, logs = Number(113.42, unit="minutes"), Number(0.0513, unit="log minutes")
    assert numbers.show_together(minutes, logs) == ("113.4", "0.051")


def test_a_sentence_is_filled_and_its_p_reads_as_apa_asks() -> None:
    phrase = Phrase("It is {x} (p = {p}).", {"x": Number(0.2), "p": Number(1e-9, "p")})
    assert numbers.say(phrase) == "It is 0.200 (p < .001)."


def test_braces_that_are_no_holes_stay() -> None:
    assert numbers.say(Phrase("{x.y} and {} stay", {})) == "{x.y} and {} stay"


def test_a_hole_without_a_number_is_an_error_that_names_it() -> None:
    with pytest.raises(OutputError, match=r"no number for '\{lwo\}'.*Did you mean 'low'\?"):
        numbers.say(Phrase("from {lwo}", {"low": Number(1.0)}))


def test_the_registry_keeps_order_and_shares_decimals_within_a_family() -> None:
    shown = numbers.registry(
        {
            "m.x.estimate": Number(251.405),
            "m.n": Number(180, "count"),
            "m.x.se": Number(6.825, "se"),
        }
    )
    assert shown == {"m.x.estimate": "251.4", "m.n": "180", "m.x.se": "6.8"}


def test_typeset_text_does_not_break_inside_a_number() -> None:
    assert numbers.no_break("12 % (p < .001)") == "12\u00a0% (p\u00a0<\u00a0.001)"
