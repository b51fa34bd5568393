"""The two committed truths of quotas and draws of them, made once for all tests of this folder."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from pathlib import Path
from types import ModuleType

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.simulate import QuotaTruth, quotas, read_quota_truth, write_tables
from alc_stats.simulate.quota_recovery import Drawn, drawn
from simulate.studies import ANALYSIS

QUOTAS = ("quotas", "quotas_mirror")
SEED = 7


@functools.cache
def quota_truth(study: str) -> QuotaTruth:
    return read_quota_truth(ANALYSIS / study / "truth.toml")


@functools.cache
def drawn_of(study: str) -> Drawn:
    return drawn(quota_truth(study), seed=SEED)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"quotas_{name}", ANALYSIS / "quotas" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def prepared(study: str, seed: int = SEED) -> dict[str, pd.DataFrame]:
    """The study's prepare.py on one draw, through files."""
    with tempfile.TemporaryDirectory() as folder:
        files = write_tables(quotas(quota_truth(study), seed=seed), Path(folder))
        return script("prepare").prepare(files, Ledger())
