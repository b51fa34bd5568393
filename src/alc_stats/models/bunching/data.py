"""The rows behind a question of bunching: read, checked, and counted in bins about each quota."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError, raise_all
from alc_stats.inference.excess_mass import Zones
from alc_stats.measures.columns import numbers, require
from alc_stats.models.picture import FEWEST_PEOPLE
from alc_stats.records import BoolArray, FloatArray, IntArray

_WHERE = "bunching"
GROUPS = ("under", "before", "never")
"""Rows under a mandate; of the same firms without it; of firms that never had one."""
WIDER = 1.2
"""The widest window that is tried, relative to the declared one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BunchingQuestion:
    """Which column plays which part; see `alc_stats.models.bunching.claim.bunching`."""

    amount: str
    quota: str
    firm: str
    mandated: str
    person: str | None = None
    period: str | None = None
    late: str | None = None
    quality: str | None = None
    quota_unit: str | None = None
    unit: str | None = None
    round_to: tuple[float, ...] = ()
    bin_width: float = 0.02
    window: float = 0.6
    below: float = 0.2
    above: float = 0.04
    order: int = 4

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named."""
        every = (self.amount, self.quota, self.firm, self.mandated, self.person, self.period,
                 self.late, self.quality, self.quota_unit)  # fmt: skip
        return tuple(c for c in every if c)

    def zones(self, scale: float = 1.0) -> Zones:
        """The bins, in a window `scale` times as wide."""
        count = [round(x / self.bin_width) for x in (scale * self.window, self.below, self.above)]
        return Zones(self.bin_width, *count)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Amounts near their quota, as they are.

    Attributes
    ----------
    place : array (n,)
        Relative to the quota, which is zero.
    firm : int array (n,)
    weight : array (n,)
        Below one for rows that are counted about several quotas.
    """

    place: FloatArray
    firm: IntArray
    weight: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BunchingData:
    """Amounts in bins about the quota, firm by firm.

    Attributes
    ----------
    question : BunchingQuestion
    counts : dict of str to array (G, K)
        By group, in the widest window.
    rounds : array (K, r)
        How far the bins hold round numbers.
    treated : bool array (G,)
        Firms that ever had a mandate.
    visible : dict of str to bool array (K,)
        Bins with enough people to be shown.
    late : dict of str to array (G, 2)
        Amounts of the end of periods, and of whole periods; empty without `late`.
    quality : dict of str to array (2, G, K)
        Sums of quality in the bins, and of how many periods; empty without `quality`.
    near : dict of str to Near
        Amounts within `below` of the quota, not binned.
    at_one_value : float
        Share of the amounts in the zone beyond the quota, under it, that are one and the same
        multiple of it.
    typical : float
        Median of the firms' median amounts under a mandate, in quotas.
    outlying : tuple of str
        Firms whose median amount is far from the quota, beyond any use or neglect.
    rows, left_out : int
    """

    question: BunchingQuestion
    counts: dict[str, FloatArray]
    rounds: FloatArray
    treated: BoolArray
    visible: dict[str, BoolArray]
    late: dict[str, FloatArray]
    quality: dict[str, FloatArray]
    near: dict[str, Near]
    at_one_value: float
    typical: float
    outlying: tuple[str, ...]
    rows: int
    left_out: int

    def has(self, group: str) -> bool:
        """Whether there are any amounts of the group about the quota."""
        return bool(self.counts[group].sum() > 0)

    @property
    def comparison(self) -> str:
        """Never-mandated firms if there are two, otherwise the same firms without the mandate."""
        return "never" if (~self.treated).sum() > 1 and self.has("never") else "before"


FAR = 50.0
"""Times the quota, or parts of it: a firm whose median is beyond counts in another unit."""


def bunching_data(data: pd.DataFrame, question: BunchingQuestion) -> BunchingData:
    """Read, check and count.

    Raises
    ------
    DeclarationError, TableError
        With everything that is wrong.
    """
    require(data, question.columns, where=_WHERE)
    raise_all(DeclarationError, _misdeclared(question))
    rows = _read(data, question)
    known = rows["amount"].notna() & rows["mandated"].notna()
    kept = rows.loc[known]
    raise_all(TableError, _broken(kept, question))
    return _counted(_periods(kept, question), question, int((~known).sum()))


def _misdeclared(q: BunchingQuestion) -> Iterator[Problem]:
    if not 0.0 < q.bin_width <= q.above:
        yield Problem("the bins are wider than the zone above the quota, or have no width",
                      where="bunching, bin_width", found=f"{q.bin_width:g}")  # fmt: skip
        return
    for name in ("window", "below", "above"):
        bins = getattr(q, name) / q.bin_width
        if abs(bins - round(bins)) > 1e-6 or bins < 1:
            yield Problem(f"{name} is not a whole number of bins", where=f"bunching, {name}",
                          found=f"{getattr(q, name):g}",
                          way_out=f"Give a multiple of bin_width, {q.bin_width:g}.")  # fmt: skip
    if not max(q.below, q.above) < q.window * 0.75 or q.window * WIDER > 1.0:
        yield Problem(
            "the window leaves too little beside the zones, or reaches below an amount of zero",
            where="bunching, window", found=f"{q.window:g}, below {q.below:g}, above {q.above:g}",
            allowed="at most 0.8, and zones of less than three quarters of it",
        )  # fmt: skip
    if not 1 < q.order < 10:
        yield Problem("the polynomial's order is out of range", where="bunching, order",
                      found=f"{q.order}", allowed="2 to 9")  # fmt: skip
    if any(not step > 0.0 for step in q.round_to):
        yield Problem("a round number is not positive", where="bunching, round_to",
                      found=f"{q.round_to}")  # fmt: skip
    if (q.quota_unit is None) != (q.unit is None):
        yield Problem("one unit is declared without the other", where="bunching, quota_unit, unit",
                      way_out="Name the column of the quota's unit, and the unit amounts are "
                      "logged in.")  # fmt: skip
    if (q.period is None) != (q.person is None) and q.period is not None:
        yield Problem("periods are of persons", where="bunching, period",
                      way_out="Name the column of persons as well.")  # fmt: skip


def _read(data: pd.DataFrame, q: BunchingQuestion) -> pd.DataFrame:
    optional = {part: name for part in ("late", "quality") if (name := getattr(q, part))}
    named = [*dict.fromkeys([q.amount, q.quota, q.mandated, *optional.values()])]
    found = numbers(data, named, where=_WHERE)
    parts = {"amount": found[q.amount], "quota": found[q.quota], "mandated": found[q.mandated],
             "firm": data[q.firm]}  # fmt: skip
    parts |= {part: found[name] for part, name in optional.items()}
    for part in ("person", "period", "quota_unit"):
        if name := getattr(q, part):
            parts[part] = data[name]
    return pd.DataFrame(parts).reset_index(drop=True)


def _broken(rows: pd.DataFrame, q: BunchingQuestion) -> Iterator[Problem]:
    if rows.empty:
        yield Problem("no row has an amount", where=f"column '{q.amount}'")
        return
    for part in ("firm", "person", "period"):
        if part in rows and (lost := int(rows[part].isna().sum())):
            yield Problem(f"{lost} rows with an amount have no {part}",
                          where=f"column '{getattr(q, part)}'",
                          way_out="Leave them out where it is recorded.")  # fmt: skip
    for part in ("amount", "late"):
        if part in rows and (low := int((rows[part] < 0.0).sum())):
            yield Problem("amounts are below zero", where=f"column '{getattr(q, part)}'",
                          found=f"{low} of {len(rows)}", allowed="0 and more",
                          way_out="Add corrections and refunds to the period they belong to.",
                          )  # fmt: skip
    yield from _mandate_problems(rows, q)


def _mandate_problems(rows: pd.DataFrame, q: BunchingQuestion) -> Iterator[Problem]:
    where = f"column '{q.mandated}'"
    if not set(rows["mandated"].unique()) <= {0.0, 1.0}:
        yield Problem("the column is not 0 and 1", where=where, allowed="1 where the quota holds")
        return
    under = rows["mandated"] == 1.0
    if not under.any():
        yield Problem("no row is under a quota", where=where)
        return
    if not (rows.loc[under, "quota"] > 0.0).all() or (rows["quota"] <= 0.0).any():
        yield Problem("rows under a mandate have no quota, or a quota is not positive",
                      where=f"column '{q.quota}'", allowed="above 0 wherever the mandate holds",
                      way_out="Complete the quota, or set the mandate to 0.")  # fmt: skip
    if under.all():
        yield Problem(
            "every row is under a quota: people like round numbers, and nothing tells that from "
            "bunching", where=where,
            way_out="Add firms that never had a mandate, or the same firms before it.",
        )  # fmt: skip
    if "quota_unit" in rows:
        wrong = rows.loc[under & (rows["quota_unit"] != q.unit), "quota_unit"]
        if len(wrong):
            yield Problem(
                "the quota is counted in another unit than the log",
                where=f"column '{q.quota_unit}'",
                found=f"{', '.join(sorted(set(wrong.map(_unit_name))))} in {len(wrong)} rows",
                allowed=f"{q.unit}",
                way_out="Count the log in the quota's unit: a quota of prompts is compared with "
                "prompts.",
            )  # fmt: skip


def _unit_name(unit: str | float) -> str:
    return "none" if pd.isna(unit) else str(unit)


def _periods(rows: pd.DataFrame, q: BunchingQuestion) -> pd.DataFrame:
    """One row a person and period."""
    if q.period is None:
        return rows
    keys = ["firm", "person", "period"]
    how = {"amount": "sum", "quota": "first", "mandated": "max"}
    how |= ({"late": "sum"} if q.late else {}) | ({"quality": "mean"} if q.quality else {})
    whole = rows.groupby(keys, sort=False, observed=True)
    mixed = whole[["quota", "mandated"]].nunique().gt(1).any(axis=1)
    if mixed.any():
        raise TableError(
            Problem("a person's period is under two quotas, or partly under one",
                    where=f"columns '{q.quota}', '{q.mandated}'",
                    found=f"{int(mixed.sum())} of {len(mixed)} periods",
                    way_out="Leave the periods out in which a mandate begins.")
        )  # fmt: skip
    return whole.agg(how).reset_index()


def _counted(rows: pd.DataFrame, q: BunchingQuestion, left_out: int) -> BunchingData:
    firm, names = pd.factorize(rows["firm"], sort=True)
    under = rows["mandated"].to_numpy() == 1.0
    treated = np.bincount(firm[under], minlength=len(names)) > 0
    group = np.where(under, 0, np.where(treated[firm], 1, 2))
    weights = rows.loc[under, "quota"].value_counts(normalize=True)
    quota = _own_quota(rows["quota"].to_numpy(), firm, under)
    zones = q.zones(WIDER)
    amount = rows["amount"].to_numpy()
    person = pd.factorize(rows["person"])[0] if "person" in rows else np.arange(len(rows))
    counts, visible, quality, near = {}, {}, {}, {}
    for at, name in enumerate(GROUPS):
        own = group == at
        places = [*_places(amount[own], quota[own], weights, zones)]
        shape = (len(names), zones.bins)
        counts[name] = _histogram(places, firm[own], None, shape)
        near[name] = _near(places, firm[own], q.below)
        visible[name] = _enough_people(places, person[own], zones.bins)
        if q.quality:
            rated = rows["quality"].to_numpy()[own]
            known = (~np.isnan(rated)).astype(float)
            quality[name] = np.stack([_histogram(places, firm[own], x, shape)
                                      for x in (np.nan_to_num(rated), known)])  # fmt: skip
    ratio = pd.Series(amount[under] / quota[under])
    typical = ratio.groupby(firm[under]).median()
    far = typical[(typical > FAR) | (typical < 1.0 / FAR)]
    _refuse_nowhere_near(counts["under"], typical, q)
    return BunchingData(
        q, counts, round_numbers(weights, q.round_to, zones), treated, visible,
        _late(rows, firm, group, len(names)) if q.late else {}, quality, near,
        _at_one_value(ratio, q),
        float(typical.median()), tuple(str(names[i]) for i in far.index), len(rows), left_out,
    )  # fmt: skip


def _late(rows: pd.DataFrame, firm: IntArray, group: IntArray, firms: int) -> dict[str, FloatArray]:
    both = rows[["late", "amount"]].fillna({"late": 0.0}).to_numpy()
    return {
        name: np.column_stack([np.bincount(firm[group == at], x, firms).astype(float)
                               for x in both[group == at].T])
        for at, name in enumerate(GROUPS)
    }  # fmt: skip


def _at_one_value(ratio: pd.Series, q: BunchingQuestion) -> float:
    inside = ratio[(ratio >= 1.0) & (ratio < 1.0 + q.above)]
    return float(inside.value_counts().iloc[0] / len(inside)) if len(inside) else math.nan


def _refuse_nowhere_near(under: FloatArray, typical: pd.Series, q: BunchingQuestion) -> None:
    if under.sum() == 0:
        raise TableError(
            Problem("no amount lies near its quota", where=f"columns '{q.amount}', '{q.quota}'",
                    found=f"a typical amount of {typical.median():.3g} quotas",
                    allowed=f"within {q.window:.0%} of it",
                    way_out="See that both are in one unit and of one period.")
        )  # fmt: skip


def _own_quota(quota: FloatArray, firm: IntArray, under: BoolArray) -> FloatArray:
    """The quota of every row: its own, or the one that its firm had later; NaN without."""
    later = pd.Series(quota[under]).groupby(firm[under]).first().reindex(range(firm.max() + 1))
    return np.where(np.isnan(quota), later.to_numpy()[firm], quota)


Places = tuple[IntArray, FloatArray, IntArray, float]
"""Which rows lie in the window, where, in which bins, and what each counts."""


def _places(
    amount: FloatArray, quota: FloatArray, weights: pd.Series, zones: Zones
) -> Iterator[Places]:
    """Rows about their quota; without one about every quota of others, in their proportions."""
    free = np.isnan(quota)
    parts = [(np.flatnonzero(~free), quota[~free], 1.0)]
    if free.any():
        rows = np.flatnonzero(free)
        parts += [(rows, np.full(len(rows), q), w) for q, w in weights.items()]
    for rows, own, weight in parts:
        place = amount[rows] / own - 1.0
        at = zones.bin_of(place).astype(np.int64)
        inside = (at >= 0) & (at < zones.bins)
        yield rows[inside], place[inside], at[inside], weight


def _near(places: Sequence[Places], firm: IntArray, reach: float) -> Near:
    kept = [(rows[own], place[own], weight) for rows, place, _, weight in places
            for own in [np.abs(place) <= reach]]  # fmt: skip
    return Near(
        np.concatenate([place for _, place, _ in kept]),
        firm[np.concatenate([rows for rows, _, _ in kept])],
        np.concatenate([np.full(len(rows), weight) for rows, _, weight in kept]),
    )


def _histogram(
    places: Sequence[Places], firm: IntArray, values: FloatArray | None, shape: tuple[int, int]
) -> FloatArray:
    """Counts, or sums of values, by firm and bin (G, K)."""
    found = np.zeros(shape)
    for rows, _, at, weight in places:
        cell = firm[rows] * shape[1] + at
        of = None if values is None else values[rows]
        found += weight * np.bincount(cell, of, minlength=found.size).reshape(shape)
    return found


def _enough_people(places: Sequence[Places], person: IntArray, bins: int) -> BoolArray:
    """Bins that may be shown (K,)."""
    people = np.zeros(bins, dtype=np.int64)
    for rows, _, at, _ in places:
        pairs = np.unique(person[rows] * bins + at)
        people = np.maximum(people, np.bincount(pairs % bins, minlength=bins))
    return people >= FEWEST_PEOPLE


def round_numbers(weights: pd.Series, declared: tuple[float, ...], zones: Zones) -> FloatArray:
    """How far each bin holds multiples of round amounts (K, r), over the quotas that there are.

    Without a declaration an amount is round if it is a multiple of the quota's power of ten, of
    half of that, or of a tenth.
    """
    columns = []
    for level in range(len(declared) or 3):
        share = np.zeros(zones.bins)
        for quota, weight in zip(weights.index.astype(float), weights, strict=True):
            power = 10.0 ** math.floor(math.log10(quota) + 1e-12)
            step = declared[level] if declared else power * (1.0, 0.5, 0.1)[level]
            ends = np.ceil(quota * (1.0 + zones.edges) / step - 1e-9)
            share += weight * (np.diff(ends) > 0)
        columns.append(share)
    return np.column_stack(columns)
