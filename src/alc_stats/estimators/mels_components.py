"""SDs, correlations and boundaries of a location-scale model, as a reader would name them."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.fit import VarianceComponent
from alc_stats.estimators.kernels.mels_model import Parts
from alc_stats.estimators.kernels.mels_search import MelsOptimum
from alc_stats.estimators.lmm_terms import RandomPart
from alc_stats.estimators.mels_levels import Levels
from alc_stats.estimators.mels_rows import MelsData
from alc_stats.records import FloatArray

_ZERO_SD = 1e-9
"""A random SD below this share of the residual SD is the rounding of an exact zero."""


def random_components(stated: MelsData, optimum: MelsOptimum) -> tuple[VarianceComponent, ...]:
    """SDs and correlations of location and scale effects, firms first; the residual last.

    The scale effect's term is "log_sd". With `between` the intercept's SD, and always that of the
    residual, is the geometric mean over the rows.
    """
    at, levels = stated.model.shape.unpack(optimum.psi), stated.levels
    residual = float(np.exp(np.mean(stated.model.rows.W @ at.tau)))
    return (
        *_firm_components(stated.unit, at, levels),
        *_person_components(stated, at, levels),
        VarianceComponent("Residual", "", residual),
    )


def _person_components(stated: MelsData, at: Parts, levels: Levels) -> list[VarianceComponent]:
    """Of the location effects of persons, and of their scale effect."""
    names, random = list(levels.columns), levels.random
    factor = stated.unit * stated.random.back @ at.L if names else np.zeros((0, 0))
    joint = np.column_stack([factor, np.zeros((len(names), 2))])
    if levels.person_scale:
        lam = at.lam if at.lam.size else np.zeros(len(names))
        own = np.append(lam, [at.sigma, float(np.sqrt(2.0)) * at.quad])  # Var(eta^2) is 2
        joint, names = np.vstack([joint, own]), [*names, "log_sd"]
    pairs = _correlated_pairs(random, scale=bool(at.lam.size))
    return _components_of(levels.person.name, names, joint, pairs)


def _firm_components(unit: float, at: Parts, levels: Levels) -> list[VarianceComponent]:
    location, lam, sigma = at.firm
    rows = {"Intercept": (unit * location, 0.0)} if levels.firm_location else {}
    rows |= {"log_sd": (lam, sigma)} if levels.firm_scale else {}
    pairs = [(1, 0)] if levels.firm_scale and levels.firm_correlated else []
    name = levels.firm.name if levels.firm is not None else ""
    return _components_of(name, list(rows), np.array(list(rows.values())), pairs) if rows else []


def _components_of(
    group: str, names: list[str], factor: FloatArray, pairs: list[tuple[int, int]]
) -> list[VarianceComponent]:
    """SDs, and correlations of the pairs (later, earlier), of effects with covariance F F'."""
    sds = np.linalg.norm(factor, axis=1)
    found = [VarianceComponent(group, n, float(sd)) for n, sd in zip(names, sds, strict=True)]
    for a, b in pairs:
        defined = sds[a] > 0.0 and sds[b] > 0.0
        r = float(np.clip(factor[a] @ factor[b] / (sds[a] * sds[b]), -1, 1)) if defined else np.nan
        found.append(VarianceComponent(group, names[b], float(sds[a]), names[a], r))
    return found


def _correlated_pairs(random: RandomPart | None, *, scale: bool) -> list[tuple[int, int]]:
    """Pairs (later, earlier) of effects whose correlation is free, the scale effect last."""
    pairs, q = [], 0
    for term in random.terms if random is not None else ():
        size = len(term.names)
        if term.correlated:
            pairs += [(q + a, q + b) for a in range(size) for b in range(a)]
        q += size
    return pairs + [(q, b) for b in range(q)] * scale


def boundary_terms(stated: MelsData, optimum: MelsOptimum) -> tuple[str, ...]:
    """SDs that are zero and correlations that are one, as a reader would name them."""
    at, levels = stated.model.shape.unpack(optimum.psi), stated.levels
    group, found = levels.person.name, []
    if levels.person_scale and at.scale_sd == 0.0:
        found.append(f"SD of log_sd | {group}")
    elif levels.person_scale and at.sigma == 0.0:
        found.append(f"correlation of log_sd with the location effects | {group}")
    if levels.columns:
        sds = np.linalg.norm(at.L, axis=1)
        zero = [n for n, sd in zip(levels.columns, sds, strict=True) if sd < _ZERO_SD]
        found += [f"SD of {name} | {group}" for name in zero]
        if (np.diag(at.L) == 0.0).sum() > len(zero):
            found.append(f"correlation of {', '.join(levels.columns)} | {group}")
    if stated.model.shape.has("tail") and at.tail == 0.0:
        found.append("SD of rows' own precision (normal errors)")
    return (*found, *_firm_boundary(levels, at))


def _firm_boundary(levels: Levels, at: Parts) -> list[str]:
    if levels.firm is None:
        return []
    location, lam, sigma = at.firm
    found = []
    if levels.firm_location and location == 0.0:
        found.append(f"SD of Intercept | {levels.firm.name}")
    if levels.firm_scale and sigma == 0.0:
        what = "SD of log_sd" if lam == 0.0 else "correlation of Intercept, log_sd"
        found.append(f"{what} | {levels.firm.name}")
    return found
