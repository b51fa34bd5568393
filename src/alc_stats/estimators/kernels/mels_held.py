"""A location-scale model with one function of its parameters held at a value.

The other parameters move along the tangent of that function and are brought back to its value, so
that the search for a maximum is the one without constraint, with a coordinate less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.kernels.mels_model import PARTS, Evaluated, MelsModel, Nodes, Shape
from alc_stats.records import FloatArray

Function = Callable[[FloatArray], float]
"""Of the parameters (P,)."""
Return = Callable[[FloatArray, float], FloatArray]
"""The parameters moved to where the function has a value."""
_STEP = 1e-6
"""Step of differences of functions that are cheap and exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A function of the parameters and how to move to a value of it.

    Attributes
    ----------
    value : Function
    to : Return
    size : callable
        How large a step of every parameter (P,) is: small where a spread is.
    """

    value: Function
    to: Return
    size: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class HeldModel(MelsModel):
    """The model in P - 1 coordinates about `centre`, where `held` has the value `at`.

    `shape` is that of the coordinates, `whole` that of the parameters.
    """

    held: Held
    at: float
    centre: FloatArray
    directions: FloatArray
    whole: Shape

    def parameters(self, place: FloatArray) -> FloatArray:
        """The parameters (P,) at coordinates (P - 1,)."""
        return self.held.to(self.centre + self.directions @ place, self.at)

    def scale_sd(self, psi: FloatArray) -> float:
        """SD of the scale effect at coordinates."""
        return self.whole.unpack(self.parameters(psi)).scale_sd

    def evaluate(self, psi: FloatArray, nodes: Nodes, *, relocate: bool) -> Evaluated:
        """Log-likelihood and its derivatives in the coordinates."""
        full = MelsModel(self.rows, self.whole)
        found = full.evaluate(self.parameters(psi), nodes, relocate=relocate)
        slopes = np.empty((len(self.centre), len(psi)))
        for k in range(len(psi)):
            step = np.zeros(len(psi))
            step[k] = _STEP
            slopes[:, k] = self.parameters(psi + step) - self.parameters(psi - step)
        return Evaluated(found.loglik, found.scores @ slopes / (2.0 * _STEP), found.nodes)


def held_model(model: MelsModel, held: Held, psi: FloatArray, at: float) -> HeldModel:
    """The model about the parameters `psi`, moved to where the function has the value `at`."""
    centre = held.to(psi, at)
    size = held.size(centre)
    slope = np.empty(len(psi))
    for k in range(len(psi)):
        step = np.zeros(len(psi))
        step[k] = _STEP * size[k]
        slope[k] = (held.value(centre + step) - held.value(centre - step)) / (2.0 * _STEP)
    tangent = np.linalg.qr(slope[:, None], mode="complete")[0][:, 1:]
    none = np.empty(0, dtype=np.intp)
    flat = Shape((0, len(psi) - 1, *[0] * (len(PARTS) - 2)), none, none)
    return HeldModel(model.rows, flat, held, at, centre, size[:, None] * tangent, model.shape)
