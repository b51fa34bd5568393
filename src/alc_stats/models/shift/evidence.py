"""Whether a drop may stand: one piece of evidence an artefact."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import AlcError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.finding import Evidence, Outcome
from alc_stats.models.shift.data import ShiftData
from alc_stats.models.shift.fits import Piecewise, Placebos, piecewise
from alc_stats.records import Number, Phrase

FEWEST_DATES = 3
SHARE_AT_BOUND = 0.15
KEPT = 0.5
"""A drop that keeps less than half of itself under another model is a drop of the model."""


@dataclass(frozen=True, eq=False)
class Course:
    """Everything that is measured once for a verdict on a shift."""

    rows: ShiftData
    model: Piecewise
    placebos: Placebos
    smallest: float
    alpha: float

    @property
    def drop(self) -> Estimate:
        """At the event, among the exposed less others."""
        return self.model.piece("drop", name="drop at the event")

    @functools.cached_property
    def anticipated(self) -> Estimate | str:
        """How far outcomes just before the event lie off the line before."""
        window = self.rows.question.anticipation
        rows = self.rows.rows.copy()
        rows["eve"] = ((rows["t"] < 0.0) & (rows["t"] >= -window)).astype(float) * rows["exposed"]
        outside = rows.loc[(rows["t"] < -window), "t"].nunique()
        if outside < 2:
            return "Too few times lie before the window of anticipation."
        try:
            found = piecewise(self.rows, extra=" + eve", rows=rows)
        except AlcError as error:
            return _plain(error)
        own = found.piece("drop", name="")
        e = float(found.fit.params["eve"]), float(found.fit.bse["eve"])
        return Estimate("off the line before the event", e[0], e[1], own.df)

    @functools.cached_property
    def curved(self) -> Estimate | str:
        """The drop with a curved course before."""
        rows = self.rows.rows.copy()
        rows["bend"] = rows["before"] ** 2 * rows["exposed"]
        if (self.rows.times < 0.0).sum() < 4:
            return "Fewer than four times lie before the event: a curve cannot be told."
        extra = " + bend"
        if self.rows.controlled:
            rows["other_bend"] = rows["before"] ** 2 * (1.0 - rows["exposed"])
            extra += " + other_bend"
        try:
            return piecewise(self.rows, extra=extra, rows=rows).piece("drop", name="curved before")
        except AlcError as error:
            return _plain(error)

    @functools.cached_property
    def donut(self) -> Estimate | str:
        """The drop without the window on both sides of the event."""
        window = self.rows.question.anticipation
        t = self.rows.rows["t"]
        rows = self.rows.rows.loc[(t < -window) | (t >= window)]
        if min(rows.loc[rows["t"] < 0, "t"].nunique(), rows.loc[rows["t"] >= 0, "t"].nunique()) < 2:
            return "Too few times lie outside the window."
        try:
            return piecewise(self.rows, rows=rows).piece("drop", name="without the window")
        except AlcError as error:
            return _plain(error)


def _plain(error: AlcError) -> str:
    return str(error).replace("{", "(").replace("}", ")")


def all_evidence(course: Course) -> tuple[Evidence, ...]:
    """Every artefact that could have made the drop."""
    return (
        anticipation(course),
        trend(course),
        placebo_dates(course),
        at_bounds(course),
        benchmark(course),
        few_units(course),
    )


def shown(course: Course) -> bool:
    """Whether a drop or a rise excludes zero."""
    low, high = course.drop.interval(1.0 - course.alpha)
    return low > 0.0 or high < 0.0


def anticipation(course: Course) -> Evidence:
    """Whether outcomes left their line before the event."""
    eve = course.anticipated
    if isinstance(eve, str):
        return Evidence("anticipation", "not tested", Phrase(eve))
    low, high = eve.interval(1.0 - course.alpha)
    off = (low > 0.0 or high < 0.0) and abs(eve.value) >= 0.5 * course.smallest
    numbers = {"eve": Number(eve.value), "eve_low": Number(low), "eve_high": Number(high)}
    said = "Just before the event outcomes lie {eve} ({eve_low} to {eve_high}) off the line before"
    tail = ": people may have known." if off else "."
    return Evidence("anticipation", "threat" if off else "clear", Phrase(said + tail, numbers))


def trend(course: Course) -> Evidence:
    """Whether a course that bends made the drop from its straight line."""
    curved, own = course.curved, course.drop
    if isinstance(curved, str):
        return Evidence("trend", "not tested", Phrase(curved))
    numbers = {"curved_drop": Number(curved.value), "straight_drop": Number(own.value)}
    said = "With a curved course before, the drop is {curved_drop} in place of {straight_drop}"
    if shown(course) and not _kept(own.value, curved.value):
        return Evidence("trend", "threat", Phrase(said + ": the line's bend may be it.", numbers))
    return Evidence("trend", "clear", Phrase(said + ".", numbers))


def _kept(own: float, other: float) -> bool:
    return own * other > 0.0 and abs(other) >= KEPT * abs(own)


def placebo_dates(course: Course) -> Evidence:
    """Whether dates without an event show as large a jump."""
    found = course.placebos
    if len(found.dates) < FEWEST_DATES:
        few = {"dates": Number(len(found.dates), "count"), "needed": Number(FEWEST_DATES, "count")}
        said = Phrase("{dates} earlier dates can be compared; {needed} are needed.", few)
        return Evidence("placebo dates", "not tested", said)
    numbers = {
        "event_jump": Number(found.jump),
        "largest": Number(float(np.abs(found.jumps).max())),
        "dates": Number(len(found.dates), "count"),
        "placebo_p": Number(found.p, "p"),
    }
    said = Phrase(
        "The mean series jumps by {event_jump} at the event and by up to {largest} at {dates} "
        "earlier dates (share of dates with as large a jump, the event's counted: {placebo_p}).",
        numbers,
    )
    as_large = bool((np.abs(found.jumps) >= abs(found.jump)).any())
    outcome: Outcome = "threat" if as_large and shown(course) else "clear"
    return Evidence("placebo dates", outcome, said)


def at_bounds(course: Course) -> Evidence:
    """Whether a floor hid a loss or a ceiling hid what there was to lose."""
    bounds, rows = course.rows.question.bounds, course.rows.touched
    if bounds is None:
        return Evidence("floor and ceiling", "not tested", Phrase("No bounds are declared."))
    late, early = rows["drop"] == 1.0, rows["drop"] == 0.0
    shares = {
        "floor_after": float((rows.loc[late, "outcome"] == bounds[0]).mean()),
        "top_before": float((rows.loc[early, "outcome"] == bounds[1]).mean()),
    }
    said = Phrase(
        "{top_before} of outcomes before lie at the ceiling, {floor_after} of those after at the "
        "floor.",
        {name: Number(share, "share") for name, share in shares.items()},
    )
    squeezed = max(shares.values()) >= SHARE_AT_BOUND
    return Evidence("floor and ceiling", "threat" if squeezed else "clear", said)


def benchmark(course: Course) -> Evidence:
    """Whether the model, not the person, changed."""
    if course.rows.question.benchmark is None:
        return Evidence("quality of the model itself", "not tested", _NO_BENCHMARK)
    rows = course.rows.touched
    means = rows.groupby("drop")["benchmark"].mean()
    numbers = {"benchmark_change": Number(float(means[1.0] - means[0.0]))}
    said = "The model alone changes by {benchmark_change}, which is held constant."
    return Evidence("quality of the model itself", "clear", Phrase(said, numbers))


_NO_BENCHMARK = Phrase("No column says what the model alone scores before and after.")


def few_units(course: Course) -> Evidence:
    """With few units on a side, what is shown rests on those few."""
    if not course.rows.controlled:
        said = Phrase("Nobody was spared: whatever else happened at that date is in the drop.")
        return Evidence("other events of the day", "not tested", said)
    sides = course.rows.rows.groupby("exposed")["unit"].nunique()
    fewest = int(sides.min())
    said = Phrase("The smaller side has {fewest_units} of what was exposed.",
                  {"fewest_units": Number(fewest, "count")})  # fmt: skip
    rule = Criterion("superiority", course.smallest, "less", course.alpha)
    claimed = decide(course.drop, rule).verdict in ("supported", "contradicted")
    outcome: Outcome = "threat" if fewest <= FEW_TREATED and claimed else "clear"
    return Evidence("few clusters", outcome, said)
