"""What a question of a mandate, or its table, gets wrong; each a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alc_stats.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from alc_stats.models.mandate.data import MandateQuestion

FEWEST_TREATED = 2
FEWEST_PERSONS = 3
"""In every firm and period: with fewer, a log SD is no measure of a spread."""
_CHOICES = {
    "functional": ("mean", "log_sd"),
    "method": ("regression", "weighting", "doubly_robust"),
    "controls": ("never", "not_yet"),
    "base": ("varying", "universal"),
    "gaps": ("refuse", "leave_out", "pairs"),
}
_UNEVEN = 1e-9


def misdeclared(q: MandateQuestion) -> Iterator[Problem]:
    """What no table could make right."""
    for name, allowed in _CHOICES.items():
        if (given := getattr(q, name)) not in allowed:
            yield Problem(
                f"unknown {name} '{given}'", where=f"mandate, {name}",
                allowed=", ".join(allowed), way_out=did_you_mean(given, allowed),
            )  # fmt: skip
    parts = [q.outcome, q.minus, q.firm, q.time, q.person]
    named = [name for name in parts if name]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        yield Problem("a column plays two parts", where="mandate", found=", ".join(twice),
                      way_out="Name a column of its own for each.")  # fmt: skip
    if q.start is None and q.treated is None:
        yield Problem(
            "nothing says when the mandate starts",
            where="mandate, start",
            way_out="Name start (the first period of each firm, empty for none) or treated (0 and "
            "1, row by row).",
        )
    if q.anticipation < 0:
        yield Problem("anticipation is negative", where="mandate, anticipation",
                      found=str(q.anticipation), allowed="0 or more periods")  # fmt: skip
    if q.since is not None and not 0 <= q.since[0] <= q.since[1]:
        yield Problem(
            "the periods asked about do not begin at the start or later, and end after that",
            where="mandate, since",
            found=f"{q.since[0]} to {q.since[1]}",
            allowed="first and last period since the start, such as 0 and 0, or 3 and 6",
        )
    if q.composition and (q.person is None or q.functional != "mean"):
        yield Problem(
            "composition is held for means of persons only",
            where="mandate, composition",
            way_out="Name person, with one row a person and period, and ask for the mean; for a "
            "spread, see persons who were there throughout.",
        )
    if q.functional == "log_sd" and q.person is None:
        yield Problem(
            "a log SD needs the rows of persons within firms",
            where="mandate, person",
            way_out="Name the column that tells persons apart, with one row a person and period.",
        )


def broken(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    """What the table gets wrong."""
    if rows.empty:
        yield Problem("no row has an outcome", where=f"column '{q.outcome}'")
        return
    faults = [*_duplicates(rows, q), *_timing(rows, q), *_switching(rows, q)]
    yield from faults
    yield from _gaps(rows, q)
    if not faults and q.gaps != "leave_out":
        yield from _support(rows, q)
    yield from _spreads(rows, q)
    yield from _covariates(rows, q)


def unsupported(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    """What is wrong with the firms that are left once those with gaps were left out."""
    if q.gaps != "leave_out":
        return
    if rows.empty:
        yield Problem(
            "no firm is seen in every period, so that gaps='leave_out' leaves none",
            where=f"columns '{q.firm}', '{q.time}'",
            way_out="Shorten the panel to periods that most firms have, or say gaps='pairs'.",
        )
        return
    yield from _support(rows, q)


def _duplicates(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    key = ["firm", "time", *(["person"] if q.person else [])]
    twice = rows.loc[rows.duplicated(key, keep=False)]
    if twice.empty:
        return
    first = twice.iloc[0]
    what = "a person is in a firm and period twice" if q.person else "a firm is in a period twice"
    yield Problem(
        what,
        where=f"columns '{q.firm}', '{q.time}'",
        found=f"{len(twice)} such rows; the first is {first['firm']}, {first['time']:g}",
        allowed="one row each",
        way_out="Name person if the rows are persons, or make one row of them when the data are "
        "prepared, where it is recorded.",
    )


def _timing(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    periods = np.sort(rows["time"].unique())
    steps = np.diff(periods)
    if len(periods) < 2:
        yield Problem("there is one period", where=f"column '{q.time}'", allowed="two or more")
    elif np.ptp(steps) > _UNEVEN:
        yield Problem(
            "periods are not equally far apart",
            where=f"column '{q.time}'",
            found=f"steps from {steps.min():g} to {steps.max():g}",
            way_out="Number the periods 1, 2, 3, ...; a month such as 202412 is 12 * year + "
            "month, or the step to 202501 is 89. Or add the period that nobody was seen in.",
        )
    for name in ("start", "announced"):
        dates = rows.groupby("firm")[name].nunique(dropna=False) if name in rows else None
        if dates is not None and dates.max() > 1:
            yield Problem(
                f"some firms have several dates in {name}",
                where=f"column '{getattr(q, name) or q.treated}'",
                allowed="one a firm, in all of its rows (empty for none)",
            )
    if "announced" in rows:
        early = rows.loc[rows["announced"] > rows["start"], "firm"].unique()
        if len(early):
            yield Problem(
                "a mandate starts before it was announced",
                where=f"columns '{q.start or q.treated}', '{q.announced}'",
                found=f"{len(early)} firms; the first is {early[0]}",
                allowed="an announcement in the period of the start or before",
                way_out="Correct the dates; if the two columns changed places, exchange them.",
            )
    always = rows.loc[rows["start"] <= periods[0], "firm"].unique()
    if len(always):
        yield Problem(
            "firms are under the mandate from the first period on",
            where=f"column '{q.start or q.treated}'",
            found=f"{len(always)} firms; the first is {always[0]}",
            allowed="a start after the first period, or none (empty, not 0)",
            way_out="Leave the start empty for firms that never start; leave firms that always "
            "were treated out: they have no period before.",
        )


def _switching(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    if "treated" not in rows:
        return
    where = f"column '{q.treated}'"
    if not set(rows["treated"].dropna()) <= {0.0, 1.0} or rows["treated"].isna().any():
        yield Problem("the column is not 0 and 1", where=where, allowed="0 and 1")
        return
    state = rows.groupby(["firm", "time"])["treated"].agg(["min", "max"]).reset_index()
    if (state["min"] != state["max"]).any():
        yield Problem("a firm is treated and untreated in one period", where=where,
                      allowed="one value a firm and period")  # fmt: skip
        return
    fell = state["min"].diff() < 0
    off = state.loc[fell & (state["firm"] == state["firm"].shift()), "firm"].unique()
    if len(off):
        yield Problem(
            "treatment switches off",
            where=where,
            found=f"{len(off)} firms; the first is {off[0]}",
            allowed="0 up to the start and 1 from then on",
            way_out="Leave periods after the end out, or ask for the effect of ever having had a "
            "mandate: give start instead of treated.",
        )
    elif q.start and (rows["treated"] != (rows["time"] >= rows["start"])).any():
        yield Problem("start and treated say different things",
                      where=f"columns '{q.start}', '{q.treated}'", way_out="Give one.")  # fmt: skip


def _gaps(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    total = rows["time"].nunique()
    seen = rows.groupby("firm")["time"].nunique()
    gaps = seen[seen < total]
    if len(gaps) and q.gaps == "refuse":
        yield Problem(
            "the panel has gaps",
            where=f"columns '{q.firm}', '{q.time}'",
            found=f"{len(gaps)} of {len(seen)} firms are not seen in all {total} periods; the "
            f"first is {gaps.index[0]}",
            allowed="every firm in every period, with an outcome",
            way_out="Shorten the panel to periods that all have, or say gaps='pairs', which "
            "compares firms seen in both of two periods, or gaps='leave_out', which leaves these "
            "firms out.",
        )


def _support(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    """Who is treated, and who they can be compared with."""
    start = rows.groupby("firm")["start"].first()
    start = start.where(start <= rows["time"].max())
    treated, never = int(start.notna().sum()), int(start.isna().sum())
    where = f"column '{q.start or q.treated}'"
    if not treated:
        yield Problem("no firm is ever under a mandate", where=where)
    elif treated < FEWEST_TREATED:
        yield Problem(
            "one firm alone is ever under a mandate",
            where=where,
            found=f"1 of {len(start)}",
            allowed=f"at least {FEWEST_TREATED}, or the mandate cannot be told from whatever else "
            "happened to the firm",
            way_out="Add firms, or describe the firm as a case.",
        )
    if treated and not never and start.nunique() < 2:
        yield Problem(
            "there is no never-mandated and no not-yet-mandated firm",
            where=where,
            found=f"all {treated} firms start in one period",
            way_out="Add firms without a mandate or with a later one; what changed for all at "
            "once cannot be told from time.",
        )
    elif q.controls == "never" and not never:
        yield Problem(
            "no firm is never under a mandate",
            where=where,
            way_out="Compare with firms that start later: controls='not_yet'.",
        )
    elif treated and never == 1 and q.controls == "never":
        yield Problem(
            "one firm alone is never under a mandate",
            where=where,
            way_out="Add firms, or compare with firms that start later: controls='not_yet'.",
        )


def _covariates(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    first = rows.loc[rows["time"] == rows.groupby("firm")["time"].transform("min")]
    for i, name in enumerate(q.covariates, 1):
        lost = first.groupby("firm")[f"x_{i}"].count() == 0
        if lost.any():
            yield Problem(
                "firms have no value of a covariate in the first period they are seen in",
                where=f"column '{name}'",
                found=f"{int(lost.sum())} of {len(lost)} firms; the first is {lost.idxmax()}",
                way_out="Complete it, leave these firms out where it is recorded, or do without "
                "the covariate.",
            )
    for i, name in enumerate(q.time_varying, 1):
        if rows[f"v_{i}"].isna().all():
            yield Problem("a covariate of every period is empty", where=f"column '{name}'")


def _spreads(rows: pd.DataFrame, q: MandateQuestion) -> Iterator[Problem]:
    if q.functional != "log_sd":
        return
    cells = rows.groupby(["firm", "time"])["outcome"]
    small = int((cells.size() < FEWEST_PERSONS).sum())
    if small:
        yield Problem(
            "firms and periods have too few persons for a spread",
            where=f"columns '{q.firm}', '{q.time}'",
            found=f"{small} with fewer than {FEWEST_PERSONS}",
            way_out="Leave these firms out when the data are prepared, or take longer periods.",
        )
    names = ["outcome", "minus"] if q.minus else ["outcome"]
    flat = int(sum((rows.groupby(["firm", "time"])[n].nunique() < 2).sum() for n in names))
    if flat and not small:
        yield Problem(
            "firms and periods have no spread at all",
            where=f"column '{q.outcome}'",
            found=str(flat),
            way_out="A logarithm of zero is not defined: leave these firms out, or ask for the "
            "mean.",
        )
