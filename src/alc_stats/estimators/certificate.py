"""The certificate: what kind of answer a fit is, in one sentence, and whether it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["exact", "optimum", "boundary", "not_identified", "failed"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """How far a fit can be trusted.

    Attributes
    ----------
    status : {"exact", "optimum", "boundary", "not_identified", "failed"}
        `exact` is a closed-form solution; `boundary` an optimum with a variance at zero or a
        correlation at one.
    sentence : str
        The verdict a reader sees first.
    boundary : tuple of str
        The terms at the boundary.
    scaled_gradient : float or None
        Largest gradient component in standard-error units at the end of the search; None where
        there was no search.
    notes : tuple of str
        Warnings the engine raised, word for word.
    curvature : tuple of float
        Eigenvalues of the deviance's Hessian at the end, its diagonal scaled to one, ascending;
        a value near zero is a direction the data do not tell, a negative one no optimum.
    boundary_pull : float or None
        Smallest derivative of the deviance in the variances held at zero, as a share of its
        size: not negative where zero is right. None where nothing is held.
    unidentified : tuple of str
        The parameters of directions the data do not tell.
    digits : float or None
        Decimal digits of the variance parameters that arithmetic and data support; None where
        there was no search.
    """

    status: Status
    sentence: str
    boundary: tuple[str, ...] = ()
    scaled_gradient: float | None = None
    notes: tuple[str, ...] = ()
    curvature: tuple[float, ...] = ()
    boundary_pull: float | None = None
    unidentified: tuple[str, ...] = ()
    digits: float | None = None

    @property
    def usable(self) -> bool:
        """Whether numbers of this fit may be decided on or printed as results."""
        return self.status in ("exact", "optimum", "boundary")
