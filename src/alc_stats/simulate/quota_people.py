"""Firms with their quotas and dates, and persons of three kinds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.records import BoolArray, FloatArray
from alc_stats.simulate.population import IntArray
from alc_stats.simulate.quota_truth import QuotaTruth
from alc_stats.simulate.streams import stream

KINDS = ("honest", "gamer", "ordinary")
HONEST, GAMER, ORDINARY = range(3)
NEVER = np.iinfo(np.int64).max
"""Start of a firm that never has a mandate."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """F firms, P persons, T weeks.

    Attributes
    ----------
    cohort : array (F,)
        Index into the cohorts; their number for firms without a mandate.
    start : array (F,)
        First week under the mandate, `NEVER` for none.
    quota : array (F,)
        Tokens a week; that which never-mandated firms would have had is drawn and not shown.
    firm, kind : array (P,)
        Firm of each person, and index into `KINDS`.
    weeks : int
    notice : int
    """

    cohort: IntArray
    start: IntArray
    quota: FloatArray
    firm: IntArray
    kind: IntArray
    weeks: int
    notice: int

    @property
    def week(self) -> IntArray:
        """0, 1, ..., T - 1."""
        return np.arange(self.weeks)

    @property
    def mandated(self) -> BoolArray:
        """Firms and weeks under a mandate (F, T)."""
        return np.asarray(self.week >= self.start[:, None])

    @property
    def announced(self) -> BoolArray:
        """Firms and weeks of notice (F, T)."""
        told = self.week >= np.where(self.start == NEVER, NEVER, self.start - self.notice)[:, None]
        return np.asarray(told & ~self.mandated)

    @property
    def firm_ids(self) -> list[str]:
        """f01, f02, ..."""
        return [f"f{f + 1:02d}" for f in range(self.start.size)]

    @property
    def person_ids(self) -> list[str]:
        """f01-p01, ..., in order of firms."""
        within = np.arange(self.firm.size) - np.searchsorted(self.firm, self.firm)
        names = self.firm_ids
        return [f"{names[f]}-p{i + 1:02d}" for f, i in zip(self.firm, within, strict=True)]

    def of_kind(self, kind: int) -> FloatArray:
        """One for persons of a kind, else zero (P, 1)."""
        return np.asarray(self.kind == kind, dtype=float)[:, None]


def people(truth: QuotaTruth, *, seed: int) -> People:
    """Draw firms of all cohorts in random order, and their persons."""
    design, rng = truth.design, stream(seed, "quotas.firms")
    sizes = [*map(int, design.cohort_firms), design.never_firms]
    cohort = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    starts = np.array([*map(int, design.cohort_starts), NEVER])
    low, high = (design.persons_per_firm + s * design.firm_size_spread for s in (-1, 1))
    firm = np.repeat(np.arange(cohort.size), rng.integers(low, high, cohort.size, endpoint=True))
    return People(
        cohort=cohort,
        start=starts[cohort],
        quota=rng.choice(truth.gaming.quotas, cohort.size),
        firm=firm,
        kind=stream(seed, "quotas.kinds").choice(len(KINDS), firm.size, p=design.shares),
        weeks=design.weeks,
        notice=design.notice,
    )


def persons_table(population: People) -> pd.DataFrame:
    """One row a person, with the kind that no real file has."""
    return pd.DataFrame(
        {
            "person_id": population.person_ids,
            "firm_id": np.array(population.firm_ids)[population.firm],
            "kind": np.array(KINDS)[population.kind],
        }
    )


def mandates_table(truth: QuotaTruth, population: People) -> pd.DataFrame:
    """One row a firm, as data/schemas/mandate.schema.json has it."""
    first = pd.Timestamp(truth.design.first_day)
    has = population.start != NEVER
    weeks = pd.Series(population.start).where(has)

    def day(week: pd.Series) -> pd.Series:
        return first + pd.to_timedelta(week * 7, unit="D")

    def where_mandated(value: str) -> list[str | None]:
        return [value if one else None for one in has]

    return pd.DataFrame(
        {
            "firm_id": population.firm_ids,
            "mandate_type": np.where(has, "token", "none"),
            "quota": np.where(has, population.quota, np.nan),
            "quota_unit": where_mandated("token"),
            "quota_period": where_mandated("week"),
            "announce_date": day(weeks - population.notice),
            "start_date": day(weeks),
            "enforcement": where_mandated("monitored"),
        }
    )
