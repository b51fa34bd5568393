"""The two committed truths and one draw of each, made once for all tests of this folder."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.simulate import Truth, parameters, read_truth, reference

ANALYSIS = Path(__file__).parents[2] / "analysis"
STUDIES = ("reference", "reference_mirror")
SEED = 7


def truth_file(study: str) -> Path:
    return ANALYSIS / study / "truth.toml"


@functools.cache
def truth_of(study: str) -> Truth:
    return read_truth(truth_file(study))


@functools.cache
def tables_of(study: str) -> Mapping[str, pd.DataFrame]:
    return reference(truth_of(study), seed=SEED)


def true_values(study: str) -> dict[str, float]:
    """The parameters that are one number, by their dotted names."""
    named = parameters(truth_file(study)).items()
    return {name: p.value for name, p in named if isinstance(p.value, float)}
