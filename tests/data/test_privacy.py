"""Pseudonyms need the key; hidden cells cannot be found by subtraction."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alc_stats.data.privacy import pseudonym_key, pseudonymise, suppress
from alc_stats.errors import DeclarationError


def test_the_pseudonym_is_the_published_hmac_sha256() -> None:
    # RFC 4231, test case 6 (a 131-byte key), first 128 bits
    ids = pd.Series(["Test Using Larger Than Block-Size Key - Hash Key First"])
    assert pseudonymise(ids, key=b"\xaa" * 131).item() == "60e431591ee0b67f0d8a26aacbf5b77f"


def test_pseudonyms_join_under_one_key_and_not_under_two() -> None:
    ids = pd.Series(["E-1", "E-2", "E-1", None], index=[5, 6, 7, 8])
    one, two = pseudonymise(ids, key=b"k" * 16), pseudonymise(ids, key=b"l" * 16)
    assert one[5] == one[7] != one[6]
    assert pd.isna(one[8])
    assert not set(one.dropna()) & set(two.dropna())


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALC_STATS_KEY", "00ff" * 8)
    assert pseudonym_key() == b"\x00\xff" * 8


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "",
            "the key is missing or too short. Found: 0 bytes. Allowed: at least 16 bytes",
        ),
        ("00ff", "Found: 2 bytes"),
        ("secret", "ALC_STATS_KEY: the key is not hexadecimal"),
    ],
)
def test_a_weak_key_is_refused(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    monkeypatch.setenv("ALC_STATS_KEY", value)
    with pytest.raises(DeclarationError, match=message):
        pseudonym_key()


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ([5, 6, 7], [False, False, False]),
        ([4, 6, 7], [True, True, False]),  # 4 alone is the total less 13
        ([1, 2, 9, 8], [True, True, False, True]),  # 1 + 2 is still fewer than 5
        ([3, 4, 9], [True, True, False]),  # 7 people share two hidden cells
        ([4, 0, 0], [True, False, False]),  # nobody else can be hidden
        ([], []),
    ],
)
def test_suppression_by_hand(counts: list[int], hidden: list[bool]) -> None:
    assert suppress(counts).tolist() == hidden


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(2, 10))
def test_no_small_cell_is_shown_or_can_be_had_by_subtraction(counts: list[int], k: int) -> None:
    hidden = suppress(counts, k=k).tolist()
    shown = [n for n, hide in zip(counts, hidden, strict=True) if not hide]
    concealed = [n for n, hide in zip(counts, hidden, strict=True) if hide]
    assert all(n == 0 or n >= k for n in shown)
    if concealed and any(shown):
        # what a reader can compute is the concealed cells' sum: several cells, k people or more
        assert len(concealed) > 1
        assert sum(concealed) >= k


@given(st.lists(st.integers(5, 40), max_size=8))
def test_nothing_is_hidden_without_need(counts: list[int]) -> None:
    assert not suppress(counts).any()
