"""Keeping people from being recognised: keyed pseudonyms, and small cells that stay hidden."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem
from alc_stats.records import BoolArray

KEY_VARIABLE = "ALC_STATS_KEY"
KEY_BYTES = 16
"""Shortest key that cannot be guessed: 128 bits."""


def pseudonym_key() -> bytes:
    """The secret key, from the environment variable ALC_STATS_KEY (hexadecimal, 32 digits or more).

    Raises
    ------
    DeclarationError
        If the variable is not set or is not such a key.
    """
    try:
        return _long_enough(bytes.fromhex(os.environ.get(KEY_VARIABLE, "")))
    except ValueError:
        raise DeclarationError(
            Problem(
                "the key is not hexadecimal",
                where=KEY_VARIABLE,
                allowed=f"{2 * KEY_BYTES} or more of the digits 0-9 and a-f",
            )
        ) from None


def pseudonymise(ids: pd.Series, *, key: bytes) -> pd.Series:
    """The ids as 32 hexadecimal digits of HMAC-SHA256 under `key`; missing stays missing.

    The same id under the same key is always the same pseudonym, so that tables can be joined. A
    plain hash would not do: employee numbers are few enough to be hashed one by one and compared.
    Keep the key outside the repository and apart from the data (`pseudonym_key`).

    Examples
    --------
    >>> pseudonymise(pd.Series(["E-1", None]), key=b"kept somewhere else").tolist()
    ['b6d1fdaeed1d5c713a707614c30bc3d7', nan]
    """
    _long_enough(key)
    known = {i: _pseudonym(str(i), key) for i in ids.dropna().unique()}
    return ids.map(known).astype("str")


def _pseudonym(identifier: str, key: bytes) -> str:
    return hmac.new(key, identifier.encode(), hashlib.sha256).hexdigest()[:32]


def _long_enough(key: bytes) -> bytes:
    if len(key) < KEY_BYTES:
        raise DeclarationError(
            Problem(
                "the key is missing or too short",
                where=KEY_VARIABLE,
                found=f"{len(key)} bytes",
                allowed=f"at least {KEY_BYTES} bytes",
                way_out="Make one with `python -c 'import secrets; print(secrets.token_hex(32))'`, "
                "set it in the environment and keep it apart from the data.",
            )
        )
    return key


def suppress(counts: Sequence[int], *, k: int = 5) -> BoolArray:
    """Which cells must stay hidden when their total is published.

    Cells of 1 to k - 1 are hidden. If what is hidden could be found by subtracting the visible
    cells from the total (one hidden cell), or is itself fewer than `k`, the smallest visible cell
    is hidden as well.

    Parameters
    ----------
    counts : sequence of int, length m
        How many people stand behind each cell; 0 is an empty cell and hides nothing.
    k : int
        The smallest count that may be shown.

    Returns
    -------
    array of bool (m,)

    Examples
    --------
    >>> suppress([3, 12, 40]).tolist()
    [True, True, False]
    >>> suppress([12, 40, 0]).tolist()
    [False, False, False]
    """
    n = np.asarray(counts, dtype=np.int64)
    hidden = (n > 0) & (n < k)
    visible = (n >= k) & ~hidden
    while visible.any() and (hidden.sum() == 1 or 0 < n[hidden].sum() < k):
        smallest = int(np.argmin(np.where(visible, n, np.iinfo(np.int64).max)))
        hidden[smallest], visible[smallest] = True, False
    return hidden
