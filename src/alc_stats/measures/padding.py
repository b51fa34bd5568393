"""Padding: whether a log can tell it at all, and where it became more. Never who."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem, TableError, did_you_mean, raise_all
from alc_stats.measures.columns import numbers, require
from alc_stats.measures.event_log import Calendar, Waves
from alc_stats.measures.padding_counts import padding_counts
from alc_stats.measures.padding_groups import (
    INDICES,
    Index,
    PaddingCell,
    PaddingChange,
    PaddingPair,
    cell_of,
    changes,
    pairs,
    places,
)

_WHERE = "padding"


@dataclass(frozen=True, slots=True)
class Padding:
    """What a log tells of padding, by arm and phase; it holds no number of a person.

    Attributes
    ----------
    cells : tuple of PaddingCell
    changes : tuple of PaddingChange
        Empty without mandates, or with fewer than two firms on a side.
    pairs : tuple of PaddingPair
    lacking : tuple of str
        Indices for which the log has no column.
    left_out : tuple of str
        What was not used, and why.
    """

    cells: tuple[PaddingCell, ...]
    changes: tuple[PaddingChange, ...]
    pairs: tuple[PaddingPair, ...]
    lacking: tuple[str, ...]
    left_out: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """Cells, one row each."""
        return _table(self.cells, PaddingCell)

    def change_table(self) -> pd.DataFrame:
        """Changes, one row each."""
        return _table(self.changes, PaddingChange)

    def pair_table(self) -> pd.DataFrame:
        """Correlations, one row each."""
        return _table(self.pairs, PaddingPair)


def padding(
    log: Path | pd.DataFrame,
    *,
    period: Calendar | Waves | None = None,
    starts: Mapping[str, date | int | None] | None = None,
    zone: str = "UTC",
) -> Padding:
    """How reliably a log tells padding, what its signs have in common, and where they rose.

    The signs are shares of prompts that repeat one of the same period, of tokens used at the
    period's end, of prompts after hours and in bursts, and tokens per accepted output. Each of
    them is what honest work does as well: templates repeat prompts, deadlines fill evenings. So
    nothing of a person is returned, in no order: not even an index of perfect reliability says
    why somebody's prompts repeat. What can be read is how far an index tells persons apart at all,
    whether several go together, and whether means of firms moved when the mandate came.

    Parameters
    ----------
    log : Path or DataFrame
        One row an event, with `person_id`, `firm_id`, `timestamp`, `tokens_in`, `tokens_out` and,
        as far as they are recorded, `prompt_hash` and `accepted` (a .parquet or .csv file, a
        pattern, or a table). Without `period`: a table of one row a person and period, with
        `person_id`, `firm_id`, `period`, and counts: `tokens`, `tokens_late`, `prompts`,
        `repeat_prompts`, `after_hours_prompts`, `burst_prompts`, `accepted`, or some of them.
    period : {"week", "month"} or mapping of wave to (first day, last day), optional
        Its end is its last three days.
    starts : mapping of firm to day, optional
        First day (or period) of its mandate, None for firms that never have one. For these "after"
        is from the first start of all on. Periods in which a mandate starts are left out.
    zone : str
        Time zone of working hours, 8 to 19 from Monday to Friday.

    Returns
    -------
    Padding

    Raises
    ------
    DeclarationError
        For firms without a start, or an unknown period or time zone.
    TableError
        For a log that lacks a column, prompts that are text and not hashed, counts below zero or
        above what they are part of.
    DataError
        For events outside every wave.

    References
    ----------
    McGraw and Wong (1996), Psychological Methods 1, 30-46.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> weeks = pd.DataFrame({"person_id": np.repeat(np.arange(200), 8).astype(str)})
    >>> weeks["period"] = np.tile(np.arange(8), 200)
    >>> weeks["firm_id"] = (weeks["person_id"].astype(int) % 20).astype(str)
    >>> habit = np.repeat(rng.beta(2, 8, 200), 8)
    >>> weeks["prompts"] = 40
    >>> weeks["repeat_prompts"] = rng.binomial(40, habit)
    >>> found = padding(weeks, starts={str(f): 4 if f % 2 else None for f in range(20)})
    >>> found.table()[["arm", "phase", "persons", "mean", "icc"]].round(2)
            arm   phase  persons  mean   icc
    0  mandated  before      100  0.18  0.77
    1  mandated   after      100  0.17  0.78
    2     never  before      100  0.18  0.80
    3     never   after      100  0.19  0.79
    """
    raise_all(DeclarationError, _misdeclared(starts, zone))
    counts = _read(log) if period is None else padding_counts(log, period=period, zone=zone)
    if counts.empty:
        raise TableError(Problem("there is no row to count in", where=_WHERE))
    raise_all(TableError, _impossible(counts))
    rows, left_out = _placed(counts, starts)
    if "unhashed" in rows and (lost := int(rows["unhashed"].sum())):
        left_out = (*left_out, f"{lost} events without a hash, counted as not repeated")
    known = [index for index in INDICES if {index.of, index.out_of} <= set(rows.columns)]
    if not known:
        raise TableError(
            Problem("no sign of padding is recorded", where=_WHERE,
                    way_out="Record prompt_hash, accepted, or counts such as repeat_prompts.")
        )  # fmt: skip
    rows = rows.assign(**{index.name: _values(rows, index) for index in known})
    cells = [cell_of(rows, index, *at) for index in known for at in places(rows)]
    return Padding(
        tuple(cells), tuple(changes(rows, known)), tuple(pairs(rows, [i.name for i in known])),
        tuple(i.name for i in INDICES if i not in known), left_out,
    )  # fmt: skip


# -- rows ----------------------------------------------------------------------------------------


def _read(log: Path | pd.DataFrame) -> pd.DataFrame:
    """A table of counts, by firm, person and period."""
    if isinstance(log, Path):
        raise DeclarationError(
            Problem("an event log needs periods", where="padding, period",
                    way_out="Say period='week', 'month', or waves with their days.")
        )  # fmt: skip
    require(log, ["person_id", "firm_id", "period"], where=_WHERE)
    counts = [c for c in dict.fromkeys(n for i in INDICES for n in (i.of, i.out_of)) if c in log]
    found = numbers(log, counts, where=_WHERE)
    named = log[["firm_id", "person_id", "period"]]
    if lost := int(named.isna().any(axis=1).sum()):
        raise TableError(Problem("rows have no firm, person or period", where=_WHERE,
                                 found=f"{lost} rows"))  # fmt: skip
    twice = int(named.duplicated().sum())
    if twice:
        raise TableError(Problem("a person has several rows of one period", where=_WHERE,
                                 found=f"{twice} rows", way_out="Add them up."))  # fmt: skip
    return pd.concat([named.astype({"firm_id": str, "person_id": str}), found], axis=1)


def _impossible(counts: pd.DataFrame) -> Iterator[Problem]:
    for index in INDICES:
        if not {index.of, index.out_of} <= set(counts.columns):
            continue
        of, out_of = counts[index.of], counts[index.out_of]
        if low := int((of < 0).sum() + (out_of < 0).sum()):
            yield Problem("counts are below zero", where=f"columns '{index.of}', '{index.out_of}'",
                          found=f"{low} rows")  # fmt: skip
        if index.unit == "share" and (more := int((of > out_of).sum())):
            yield Problem(f"'{index.of}' are more than '{index.out_of}', which they are part of",
                          where=_WHERE, found=f"{more} rows")  # fmt: skip


def _misdeclared(starts: object, zone: object) -> Iterator[Problem]:
    if starts is not None and not isinstance(starts, Mapping):
        yield Problem("starts are no mapping", where="padding, starts", found=repr(starts)[:60],
                      allowed="firm: first day or period of its mandate, or None",
                      way_out="Say dict(zip(table['firm'], table['start'])).")  # fmt: skip
    if not isinstance(zone, str):
        yield Problem("the time zone is no text", where="padding, zone", found=repr(zone)[:60],
                      allowed="a name such as Europe/Berlin")  # fmt: skip


def _placed(
    counts: pd.DataFrame, starts: Mapping[str, date | int | None] | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows with arm and phase, and what was left out."""
    if starts is None:
        return counts.assign(arm="all", phase="all"), ()
    known = {str(firm): None if pd.isna(start) else start for firm, start in starts.items()}
    raise_all(DeclarationError, _unknown(counts, known))
    first = _first([start for start in known.values() if start is not None])
    start = counts["firm_id"].map(lambda firm: first if known[firm] is None else known[firm])
    begun, over = _since(counts, start)
    inside = over & ~begun
    arm = np.where(counts["firm_id"].map(lambda firm: known[firm] is None), "never", "mandated")
    rows = counts.assign(arm=arm, phase=np.where(begun, "after", "before"))[~inside]
    said = f"{int(inside.sum())} periods of persons in which a mandate starts"
    return rows.reset_index(drop=True), (said,) if inside.any() else ()


def _first(starts: Sequence[date | int]) -> date | int:
    try:
        return min(starts)
    except TypeError:
        kinds = sorted({type(start).__name__ for start in starts})
        raise DeclarationError(
            Problem("starts are of several kinds", where="padding, starts", found=", ".join(kinds),
                    way_out="Name starts as the periods are named.")
        ) from None  # fmt: skip


def _since(counts: pd.DataFrame, start: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Whether a period begins, and whether it ends, at or after its firm's start."""
    begins, ends = (
        counts[name] if name in counts else counts["period"] for name in ("first_day", "last_day")
    )
    days = pd.api.types.is_datetime64_any_dtype(begins)
    try:
        if days and pd.api.types.is_numeric_dtype(start):
            raise TypeError
        start = pd.to_datetime(start) if days else start
        return begins >= start, ends >= start
    except (TypeError, ValueError):
        raise DeclarationError(
            Problem("starts are of another kind than the periods", where="padding, starts",
                    found=f"{type(start.iloc[0]).__name__} beside {begins.dtype}",
                    way_out="Name starts as the periods are named.")
        ) from None  # fmt: skip


def _unknown(
    counts: pd.DataFrame, known: Mapping[str, date | int | None]
) -> Iterator[Problem]:  # fmt: skip
    strange = sorted(set(counts["firm_id"]) - set(known))
    if strange:
        yield Problem("firms have no start", where="padding, starts", found=", ".join(strange[:3]),
                      allowed="a day or period, or None for firms that never have a mandate",
                      way_out=did_you_mean(strange[0], list(known)))  # fmt: skip
    if {start is None for start in known.values()} != {True, False}:
        yield Problem("not both are there: firms with a start and firms without one",
                      where="padding, starts",
                      way_out="What rises everywhere is no effect of a mandate; without starts "
                      "everything is one group.")  # fmt: skip


def _values(rows: pd.DataFrame, index: Index) -> pd.Series:
    if index.unit == "share":
        return (rows[index.of] / rows[index.out_of]).where(rows[index.out_of] > 0)
    of = rows[index.of]
    return pd.Series(np.log(of.where(of > 0)) - np.log1p(rows[index.out_of]))


def _table(
    records: Sequence[PaddingCell | PaddingChange | PaddingPair], kind: type
) -> pd.DataFrame:
    return pd.DataFrame([astuple(r) for r in records], columns=[f.name for f in fields(kind)])
