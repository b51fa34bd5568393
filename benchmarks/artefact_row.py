"""One row of the table of artefacts, and what its rows have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

ALPHA = 0.05
DRAWS = 199
"""Of every bootstrap and simulated null."""

Table = pd.DataFrame


@dataclass(frozen=True)
class Row:
    """One artefact.

    Attributes
    ----------
    name, claim : str
        The artefact, and what it makes people say.
    null, true : callable
        Tables of a seed: where the claim is false and the artefact at work; where it is true.
    popular, ours : str
        The two analyses in words.
    fooled : callable
        Whether the popular analysis of a table says that the claim holds.
    verdict : callable
        What ours says of a table, given a seed.
    """

    name: str
    claim: str
    null: Callable[[int], Table]
    true: Callable[[int], Table]
    popular: str
    ours: str
    fooled: Callable[[Table], bool]
    verdict: Callable[[Table, int], str]
