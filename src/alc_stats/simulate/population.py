"""Firms, persons, and the law that every outcome follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.records import FloatArray
from alc_stats.simulate.streams import stream
from alc_stats.simulate.truth import Design, Outcome

IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

ARMS = ("control", "mandate", "schema_training")
CONTROL, MANDATE, TRAINING = range(3)
ROLES = ("analyst", "engineer", "support")
ACCESS = ("basic", "full")
TEAM_SIZE = 6
"""Persons in a team; teams have no effects of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """F firms, P persons, W waves.

    Attributes
    ----------
    arms : array (F,)
        Index into ARMS.
    firm : array (P,)
        Firm of each person.
    ability : array (P,)
        General ability, standard normal.
    profile, post : array (W,)
        Relative size of effects at each wave; one after the start and zero before.
    people : DataFrame
        One row a person: person_id, firm_id, team_id, role, access_level, arm, prior_ai.
    firms : tuple of str
        Firm ids.
    """

    arms: IntArray
    firm: IntArray
    ability: FloatArray
    profile: FloatArray
    post: FloatArray
    people: pd.DataFrame
    firms: tuple[str, ...]

    @property
    def mandated(self) -> FloatArray:
        """One where a person is under a mandate at a wave, else zero; (P, W)."""
        return np.asarray(np.multiply.outer(self.arms[self.firm] == MANDATE, self.post))


def populate(design: Design, *, seed: int) -> Population:
    """Draw firms of the three arms in random order, and their persons."""
    rng = stream(seed, "population")
    arms = rng.permutation(np.repeat(np.arange(len(ARMS)), design.firms_per_arm))
    low = design.persons_per_firm - design.firm_size_spread
    sizes = rng.integers(
        low, design.persons_per_firm + design.firm_size_spread, arms.size, endpoint=True
    )
    firm = np.repeat(np.arange(arms.size), sizes)
    firms = tuple(f"f{f + 1:02d}" for f in range(arms.size))
    profile = np.asarray(design.profile)
    return Population(
        arms=arms,
        firm=firm,
        ability=rng.standard_normal(firm.size),
        profile=profile,
        post=(np.arange(profile.size) > 0).astype(float),
        people=_people(firms, firm, arms, rng),
        firms=firms,
    )


def _people(
    firms: tuple[str, ...], firm: IntArray, arms: IntArray, rng: np.random.Generator
) -> pd.DataFrame:
    within = np.arange(firm.size) - np.searchsorted(firm, firm)
    firm_id = np.array(firms)[firm]
    return pd.DataFrame(
        {
            "person_id": [f"{f}-p{i + 1:02d}" for f, i in zip(firm_id, within, strict=True)],
            "firm_id": firm_id,
            "team_id": [f"{f}-t{i // TEAM_SIZE + 1}" for f, i in zip(firm_id, within, strict=True)],
            "role": np.array(ROLES)[rng.integers(len(ROLES), size=firm.size)],
            "access_level": np.array(ACCESS)[rng.integers(len(ACCESS), size=firm.size)],
            "arm": np.array(ARMS)[arms[firm]],
            "prior_ai": rng.integers(5, size=firm.size),
        }
    )


@dataclass(frozen=True, slots=True, eq=False)
class Deviations:
    """What firms (F,), their changes (F,), persons (P,) and occasions (P, W) add to an outcome."""

    firm: FloatArray
    change: FloatArray
    person: FloatArray
    residual: FloatArray


def deviations(outcome: Outcome, population: Population, rng: np.random.Generator) -> Deviations:
    """Draw the deviations of an outcome, in its own unit, as they are without a mandate."""
    firms, (persons, waves) = population.arms.size, (population.firm.size, population.profile.size)
    firm = outcome.firm_sd * rng.standard_normal(firms)
    change = outcome.firm_change_sd * rng.standard_normal(firms)
    own = np.sqrt(1.0 - outcome.ability**2) * rng.standard_normal(persons)
    person = outcome.person_sd * (outcome.ability * population.ability + own)
    residual = outcome.within_sd * rng.standard_normal((persons, waves))
    return Deviations(firm, change, np.asarray(person), residual)


def scores(outcome: Outcome, population: Population, rng: np.random.Generator) -> FloatArray:
    """Error-free values (P, W) of an outcome, in its own unit, under the law of `Outcome`."""
    return composed(outcome, population, deviations(outcome, population, rng))


def composed(outcome: Outcome, population: Population, d: Deviations) -> FloatArray:
    """Level, drift, effects and deviations of an outcome, added up; (P, W)."""
    mandated = population.mandated
    effect = np.array([0.0, outcome.mandate, outcome.training])[population.arms]
    of_firm = (
        np.multiply.outer(effect, population.profile)
        + d.firm[:, None]
        + np.multiply.outer(d.change, population.post)
    )
    return np.asarray(
        outcome.mean
        + outcome.drift * np.arange(population.profile.size)
        + of_firm[population.firm]
        + np.exp(outcome.between_log_sd_ratio * mandated) * d.person[:, None]
        + np.exp(outcome.within_log_sd_ratio * mandated) * d.residual
    )
