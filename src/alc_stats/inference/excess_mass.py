"""Excess mass of a histogram at a point, over a polynomial that has not seen its neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.records import BoolArray, FloatArray

_SLACK = 1e-9
"""Of a bin: an amount at an edge belongs to the bin that begins there, whatever its rounding."""
_SINGULAR = 1e-10
"""Share of the largest eigenvalue below which bins do not determine a curve."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Bins of one width around zero, and which of them people move from and to.

    Attributes
    ----------
    width : float
        Of a bin.
    window : int
        Bins on either side of zero.
    short : int
        Bins below zero that people may leave.
    reached : int
        Bins from zero on that they may move to.
    """

    width: float
    window: int
    short: int
    reached: int

    @property
    def bins(self) -> int:
        """Number of bins K."""
        return 2 * self.window

    @property
    def edges(self) -> FloatArray:
        """Where bins begin and the last one ends (K + 1,)."""
        return np.asarray(self.width * np.arange(-self.window, self.window + 1), dtype=float)

    @property
    def middles(self) -> FloatArray:
        """Centres of the bins (K,)."""
        return self.edges[:-1] + self.width / 2.0

    @property
    def left(self) -> BoolArray:
        """Bins that people may leave (K,)."""
        at = np.arange(-self.window, self.window)
        return (at >= -self.short) & (at < 0)

    @property
    def joined(self) -> BoolArray:
        """Bins that they may move to (K,)."""
        at = np.arange(-self.window, self.window)
        return (at >= 0) & (at < self.reached)

    @property
    def outside(self) -> BoolArray:
        """Bins the counterfactual is fitted to (K,)."""
        return ~(self.left | self.joined)

    def bin_of(self, place: FloatArray) -> FloatArray:
        """Bin 0 ... K - 1 of each place; outside the window less than 0 or K and more."""
        return np.floor(place / self.width + _SLACK) + self.window


@dataclass(frozen=True, slots=True, eq=False)
class Excess:
    """What lies at the point beyond the counterfactual; b histograms.

    Attributes
    ----------
    counterfactual : array (b, K)
        With what round numbers add.
    height : array (b,)
        Of the smooth counterfactual at the point; where it is not above zero nothing is expected
        there, and no excess can be counted in it.
    more, lacking, short : array (b,)
        Counts from the point on above the counterfactual, below the point under it, and the
        counterfactual below the point.
    """

    counterfactual: FloatArray
    height: FloatArray
    more: FloatArray
    lacking: FloatArray
    short: FloatArray

    @property
    def mass(self) -> FloatArray:
        """Excess from the point on, in heights of the counterfactual there: in bins (b,)."""
        return ratio(self.more, self.height)

    @property
    def missing(self) -> FloatArray:
        """What lacks below the point, in the same heights (b,)."""
        return ratio(self.lacking, self.height)

    @property
    def share(self) -> FloatArray:
        """What lacks below the point, as a share of the counterfactual there (b,)."""
        return ratio(self.lacking, self.short)


def ratio(of: FloatArray, to: FloatArray) -> FloatArray:
    """One count in another; nan where that is not above zero."""
    return np.divide(of, to, out=np.full_like(to, np.nan), where=to > 0.0)


def excess_mass(
    counts: FloatArray,
    zones: Zones,
    *,
    order: int,
    rounds: FloatArray | None = None,
    constrained: bool = True,
) -> Excess:
    """Excess mass of histograms.

    A polynomial of the bins' middles is fitted by least squares to the bins outside the zones, with
    an effect of its own for each column of `rounds`. With `constrained` its sum over the window is
    the observed one: who is at the point came from within the window.

    Parameters
    ----------
    counts : array (b, K)
    zones : Zones
    order : int
        Of the polynomial.
    rounds : array (K, r), optional
        How far each bin holds a round number; columns that the bins outside the zones cannot tell
        from the polynomial are left out.
    constrained : bool

    References
    ----------
    Chetty, Friedman, Olsen and Pistaferri (2011), Quarterly Journal of Economics 126, 749-804.
    Kleven and Waseem (2013), Quarterly Journal of Economics 128, 669-723.

    Examples
    --------
    >>> zones = Zones(0.1, 6, 2, 1)
    >>> flat = np.array([[9.0, 9, 9, 9, 5, 4, 18, 9, 9, 9, 9, 9]])
    >>> found = excess_mass(flat, zones, order=1)
    >>> float(found.mass.round(2)[0]), float(found.share.round(2)[0])
    (1.0, 0.5)
    """
    smooth = _polynomial(zones, order)
    kept = usable(rounds, zones, order)
    X = np.column_stack([smooth, kept])
    beta = _coefficients(counts, X, zones.outside, constrained=constrained)
    height = (beta[:, : order + 1] @ smooth.T)[:, zones.joined].mean(axis=1)
    expected = beta @ X.T
    short = expected[:, zones.left].sum(axis=1)
    lacking = short - counts[:, zones.left].sum(axis=1)
    more = (counts - expected)[:, zones.joined].sum(axis=1)
    return Excess(expected, height, more, lacking, short)


def step_of_means(
    sums: FloatArray, counts: FloatArray, zones: Zones, *, order: int = 2
) -> FloatArray:
    """How far the mean from the point on lies above a curve that has not seen its neighbourhood.

    The curve is a polynomial of the bins' middles, fitted to the rows in bins outside the zones.

    Parameters
    ----------
    sums, counts : array (b, K)
        Of values in the bins, and how many there are.
    zones : Zones
    order : int

    Returns
    -------
    array (b,)
        nan where nothing lies from the point on, or the curve is not determined.

    Examples
    --------
    >>> zones = Zones(0.1, 6, 2, 1)
    >>> counts = np.full((1, 12), 5.0)
    >>> values = 3.0 + zones.middles - 0.5 * zones.joined
    >>> float(step_of_means(values * counts, counts, zones).round(6)[0])
    -0.5
    """
    X = _polynomial(zones, order)
    out = X[zones.outside]
    gram = np.einsum("bk,kp,kq->bpq", counts[:, zones.outside], out, out)
    values = np.linalg.eigvalsh(gram)
    known = (values[:, 0] > _SINGULAR * values[:, -1]) & (counts[:, zones.joined].sum(axis=1) > 0.0)
    gram[~known] = np.eye(order + 1)
    right = (sums[:, zones.outside] @ out)[:, :, None]
    curve = np.linalg.solve(gram, right)[:, :, 0] @ X[zones.joined].T
    above = sums[:, zones.joined] - counts[:, zones.joined] * curve
    step = ratio(above.sum(axis=1), counts[:, zones.joined].sum(axis=1))
    return np.where(known, step, np.nan)


def usable(rounds: FloatArray | None, zones: Zones, order: int) -> FloatArray:
    """The columns of round numbers that the bins outside the zones tell apart (K, r)."""
    X = _polynomial(zones, order)
    kept = np.empty((zones.bins, 0))
    for column in np.empty((0, zones.bins)) if rounds is None else rounds.T:
        wider = np.column_stack([X, kept, column])
        if np.linalg.matrix_rank(wider[zones.outside]) == wider.shape[1]:
            kept = np.column_stack([kept, column])
    return kept


def _polynomial(zones: Zones, order: int) -> FloatArray:
    """Legendre polynomials (K, order + 1), which stay apart where powers would not."""
    return np.polynomial.legendre.legvander(zones.middles / zones.edges[-1], order)


def _coefficients(
    counts: FloatArray, X: FloatArray, outside: BoolArray, *, constrained: bool
) -> FloatArray:
    """Coefficients (b, p); constrained by one Lagrange multiplier."""
    inverse = np.linalg.inv(X[outside].T @ X[outside])
    beta = counts[:, outside] @ X[outside] @ inverse
    if not constrained:
        return np.asarray(beta)
    total = X.sum(axis=0)
    step = inverse @ total / (total @ inverse @ total)
    return np.asarray(beta + np.outer(counts.sum(axis=1) - beta @ total, step))
