"""A simulated study's tables by the name of its generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from alc_stats.simulate.quota_truth import QuotaTruth
from alc_stats.simulate.quotas import quotas
from alc_stats.simulate.reference import reference
from alc_stats.simulate.truth import Truth
from alc_stats.simulate.truth_file import Kind, parameters, read_quota_truth, read_truth

Generator = Literal["reference", "quotas"]


def drawn(
    generator: Generator, truth: Path, *, seed: int
) -> tuple[Mapping[str, pd.DataFrame], Mapping[str, float]]:
    """Tables of a study, and the parameters behind them that are one number, by dotted name.

    Raises
    ------
    DeclarationError
        As `read_truth`.
    """
    if generator == "quotas":
        return quotas(read_quota_truth(truth), seed=seed), _single(truth, QuotaTruth)
    return reference(read_truth(truth), seed=seed), _single(truth, Truth)


def _single(truth: Path, kind: Kind) -> dict[str, float]:
    named = parameters(truth, kind).items()
    return {name: p.value for name, p in named if isinstance(p.value, float)}
