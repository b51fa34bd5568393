"""Location-scale models that can be drawn from and fitted again, with and without a scale effect.

Without a random scale effect a model is the one with its SD held at zero, whatever engine fitted
it: the same likelihood, so that a smaller model is refitted by the machinery of the larger one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Design
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.formula import parse_part
from alc_stats.estimators.kernels.mels_model import MelsModel
from alc_stats.estimators.kernels.mels_search import search
from alc_stats.estimators.kernels.mels_start import start
from alc_stats.estimators.lmm_terms import RandomPart, random_part
from alc_stats.estimators.mels_effects import mels_state, two_levels
from alc_stats.estimators.mels_levels import Grouping, Levels
from alc_stats.estimators.mels_rows import (
    MelsData,
    between_columns,
    mels_data,
    spread_columns,
)
from alc_stats.estimators.memory import Memory
from alc_stats.records import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SpreadModel:
    """A location-scale model at its estimates.

    Attributes
    ----------
    fit : Fit
    design : Design
    random : RandomPart or None
    data : MelsData
    psi : array (P,)
    held : bool array (P,)
        Parameters that stay at zero: the SD of the scale effect where there is none.
    """

    fit: Fit
    design: Design
    random: RandomPart | None
    data: MelsData
    psi: FloatArray
    held: BoolArray

    @property
    def loglik(self) -> float:
        """Log-likelihood of the fit's own rows."""
        if self.fit.loglik is None:
            raise TypeError("a maximum-likelihood fit has a log-likelihood")
        return self.fit.loglik

    @property
    def scale_effect(self) -> bool:
        """Whether persons have a scale effect."""
        return not bool(self.held.any())

    @property
    def correlated(self) -> bool:
        """Whether the scale effect goes with the location effects."""
        return bool(
            self.data.model.shape.part("lam").stop > self.data.model.shape.part("lam").start
        )

    def draw(self, stream: np.random.Generator) -> FloatArray:
        """One new outcome (n,) in the order of the table: new effects, new errors."""
        rows, shape = self.data.model.rows, self.data.model.shape
        at = shape.unpack(self.psi)
        q = rows.Z.shape[1]
        person = np.repeat(np.arange(rows.persons), np.diff(rows.offsets))
        unit = stream.standard_normal((rows.persons, q + 1))
        lam = at.lam if at.lam.size else np.zeros(q)
        scale = unit[:, :q] @ lam + at.sigma * unit[:, q]
        errors = _errors(stream.standard_normal(len(person)), rows.gap, person, at.phi)
        y = rows.X @ at.beta + np.exp(rows.W @ at.tau - rows.log_unit + scale[person]) * errors
        if q:
            loads = rows.Z.copy()
            if rows.scaled >= 0:
                loads[:, rows.scaled] *= np.exp(rows.U @ at.alpha)
            y += np.einsum("nq,nq->n", loads @ at.L, unit[person, :q])
        out = np.empty(len(y))
        out[self.data.order] = y
        return self.design.X @ self.data.fixed.start + self.data.unit * out

    def refitted(self, y: FloatArray) -> float:
        """Log-likelihood of the model fitted to another outcome (n,) on the same rows."""
        stated = self.data
        own = (y - self.design.X @ stated.fixed.start) / stated.unit
        rows = replace(stated.model.rows, y=own[stated.order])
        model = MelsModel(rows, stated.model.shape)
        first = start(model.rows, model.shape)
        optimum = search(model, np.where(self.held, 0.0, first), self.held)
        return optimum.evaluated.loglik - len(y) * float(np.log(stated.unit))


def _errors(white: FloatArray, gap: FloatArray, person: IntArray, phi: float) -> FloatArray:
    """Standardised errors, autoregressive within persons where phi is not zero."""
    if phi == 0.0:
        return white
    found = white.copy()
    for row in np.flatnonzero(np.diff(person, prepend=-1) == 0):
        carried = phi ** gap[row]
        found[row] = carried * found[row - 1] + np.sqrt(1.0 - carried * carried) * white[row]
    return found


def spread_model(fit: Fit, beside: Fit) -> SpreadModel:
    """A fit as a location-scale model; `beside` has a random scale effect of the same rows.

    Raises
    ------
    FitError
        If the fit does not remember its rows, or varies over other groupings than `beside`.
    """
    state = mels_state(fit)
    if state is not None:
        two_levels(state)
        held = np.zeros(len(state.optimum.psi), dtype=bool)
        design: Design = fit.memory.design
        return SpreadModel(
            fit, design, state.data.levels.random, state.data, state.optimum.psi, held
        )
    return _without_scale_effect(fit, _persons(beside))


def _persons(fit: Fit) -> Grouping:
    state = mels_state(fit)
    if state is None:
        raise TypeError("the fit has no random scale effect")
    level = np.empty(len(state.data.order), dtype=np.intp)
    sizes = np.diff(state.data.model.rows.offsets)
    level[state.data.order] = np.repeat(np.arange(len(sizes)), sizes)
    return Grouping(state.data.group, level, state.data.labels)


def outcome_of(fit: Fit) -> FloatArray:
    """The outcome (n,) of the rows a fit used.

    Raises
    ------
    FitError
        If the fit does not remember them.
    """
    return _memory(fit).design.y


def _memory(fit: Fit) -> Memory:
    """The fit's memory, whatever its spread."""
    if not isinstance(fit.memory, Memory):
        raise FitError(
            Problem(
                "this fit does not remember its rows",
                where=f"fit of '{fit.request.formula}' by {fit.request.engine}",
                way_out="Fit it again in this session with alc_stats.fit and the default engine.",
            )
        )
    return fit.memory


def _without_scale_effect(fit: Fit, persons: Grouping) -> SpreadModel:
    memory = _memory(fit)
    random = random_part(memory.formula, memory.table) if memory.formula.random else None
    if random is not None and (
        len(random.factors) > 1 or not _same_cells(random.factors[0].codes, persons.level)
    ):
        raise FitError(
            Problem(
                "the location effects of one model vary over other groupings than the scale effect "
                "of the other",
                found=f"{', '.join(random.groups)} and {persons.name}",
                way_out="Compare models with the same grouping.",
            )
        )
    scale = parse_part(fit.request.scale or "~ 1", "scale")
    between = parse_part(fit.request.between, "between") if fit.request.between else None
    data = mels_data(
        memory.design,
        Levels(
            person=persons, firm=None, random=random, person_scale=True, firm_location=False,
            firm_scale=False, correlated=False, firm_correlated=False,
        ),
        spread_columns(scale, memory.table, "scale"),
        between_columns(between, memory.table) if between is not None else None,
    )  # fmt: skip
    held = np.zeros(data.model.shape.length, dtype=bool)
    held[data.model.shape.part("sigma")] = True
    psi = search(
        data.model, np.where(held, 0.0, start(data.model.rows, data.model.shape)), held
    ).psi
    return SpreadModel(fit, memory.design, random, data, psi, held)


def _same_cells(a: IntArray, b: IntArray) -> bool:
    """Whether two groupings of the rows are one under two names."""
    pairs = len(np.unique(np.stack([a, b]), axis=1).T)
    return pairs == len(np.unique(a)) == len(np.unique(b))
