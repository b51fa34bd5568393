"""The reference study: every table from a truth and a seed, and the files they are written to."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.files import write_whole
from alc_stats.simulate.events import mandates, platform_events, usage_events
from alc_stats.simulate.population import populate
from alc_stats.simulate.survey import survey
from alc_stats.simulate.truth import Truth

MARK = "SIMULATED"
"""Part of every file name, so that no copy of a file can lose it."""
LONG = ("usage_event", "task")
"""Tables that are written as Parquet."""


def reference(truth: Truth, *, seed: int) -> Mapping[str, pd.DataFrame]:
    """The tables of the reference study by the name of their schema.

    Parameters
    ----------
    truth : Truth
        What is true, from `read_truth`.
    seed : int
        Every step draws from its own stream, spawned from the seed by the step's name: the same
        seed gives the same tables. The streams are the same on every platform; logarithms and
        exponentials may differ there in the last bit, which the rounding of every column hides
        in all but rare cases.

    Returns
    -------
    mapping of str to DataFrame
        "survey", "usage_event", "mandate" and "platform_event", each with a column `simulated`
        that is True throughout.
    """
    population = populate(truth.design, seed=seed)
    tables = {
        "survey": survey(truth, population, seed=seed),
        "usage_event": usage_events(truth, population, seed=seed),
        "mandate": mandates(truth, population),
        "platform_event": platform_events(truth),
    }
    return {name: table.assign(simulated=True) for name, table in tables.items()}


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> Mapping[str, Path]:
    """Write simulated tables: the long ones as Parquet, the others as csv; return the paths.

    The files are named `<table>_SIMULATED.parquet` and `<table>_SIMULATED.csv`.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """
    return {name: _write(name, table, folder) for name, table in tables.items()}


def _write(name: str, table: pd.DataFrame, folder: Path) -> Path:
    if name in LONG:
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return write_whole(folder / f"{name}_{MARK}.parquet", buffer.getvalue())
    return write_whole(folder / f"{name}_{MARK}.csv", table.to_csv(index=False))
