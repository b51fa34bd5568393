"""The study of quotas: every table from a truth and a seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from alc_stats.simulate.quota_people import mandates_table, people, persons_table
from alc_stats.simulate.quota_tasks import tasks_table
from alc_stats.simulate.quota_truth import QuotaTruth
from alc_stats.simulate.quota_weeks import weeks, weeks_table


def quotas(truth: QuotaTruth, *, seed: int) -> Mapping[str, pd.DataFrame]:
    """Firms under quotas that start at different times, and their people of three kinds.

    Parameters
    ----------
    truth : QuotaTruth
        What is true, from `read_quota_truth`.
    seed : int
        Every step draws from its own stream, spawned from the seed by the step's name. The same
        seed under `without_mandate(truth)` gives the potential outcomes of the same persons.

    Returns
    -------
    mapping of str to DataFrame
        "mandate" (a row a firm, as in data/schemas), "person", "person_week" and "task", each
        with a column `simulated` that is True throughout.
    """
    population = people(truth, seed=seed)
    drawn = weeks(truth, population, seed=seed)
    tasks = tasks_table(truth, population, drawn, seed=seed)
    tables = {
        "mandate": mandates_table(truth, population),
        "person": persons_table(population),
        "person_week": _at_least(weeks_table(truth, population, drawn, seed=seed), tasks),
        "task": tasks,
    }
    return {name: table.assign(simulated=True) for name, table in tables.items()}


def _at_least(person_week: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Graded tasks are part of the week: it counts no fewer tokens than they took."""
    keys = ["person_id", "week"]
    graded = (tasks["tokens_in"] + tasks["tokens_out"]).groupby([tasks[k] for k in keys]).sum()
    own = graded.reindex(pd.MultiIndex.from_frame(person_week[keys])).to_numpy()
    return person_week.assign(tokens=np.maximum(person_week["tokens"], own))
