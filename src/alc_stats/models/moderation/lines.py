"""Moderations by other models, what could have made them, and a figure of the effect."""

from __future__ import annotations

from itertools import pairwise

from alc_stats.errors import AlcError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.finding import Evidence, Line, Outcome
from alc_stats.models.moderation.data import ModerationData
from alc_stats.models.moderation.fits import UNIT, Moderated, moderated
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.records import Number, Phrase

SHARE_AT_BOUND = 0.15
_CR2 = "t, CR2 Satterthwaite"


def lines(data: ModerationData, model: Moderated) -> tuple[Line, ...]:
    """Differences between moderators, ability's own, and each without the others."""
    q = data.question
    found = [
        _line(f"More effect with {a} than with {b}", "one thing under two names",
              model.difference(a, b))
        for a, b in pairwise(q.moderators)
    ]  # fmt: skip
    if q.ability:
        found.append(_line(f"By {q.ability}, held in the model", "ability under another name",
                           model.gamma(q.ability)))  # fmt: skip
    for m in q.moderators:
        found.append(_alone(data, m, [m], f"By {m} alone"))
        if q.ability:
            found.append(_alone(data, m, list(q.moderators), f"By {m}, ability not held"))
    return tuple(found)


def _line(method: str, guards: str, e: Estimate) -> Line:
    return Line.of(e, method, guards, _CR2, unit=UNIT)


def _alone(data: ModerationData, moderator: str, only: list[str], method: str) -> Line:
    guards = "shows what others in the model take away"
    try:
        return _line(method, guards, moderated(data, only=only).gamma(moderator))
    except AlcError as error:
        return Line(method, guards, Phrase(str(error).replace("{", "(").replace("}", ")")))


def all_evidence(data: ModerationData, model: Moderated, alpha: float) -> tuple[Evidence, ...]:
    """Every artefact that could have made a moderation."""
    return (
        timing(data),
        ability(data),
        at_bounds(data),
        scale(data, model, alpha),
        steadiness(),
        few_units(data),
    )


def timing(data: ModerationData) -> Evidence:
    """Whether moderators are from before; what is not is refused."""
    q = data.question
    if q.post:
        said = Phrase("Moderators are persons' values before the start.")
    elif q.measured:
        said = Phrase("Every moderator was measured before the start.")
    else:
        return Evidence("moderator measured after", "not tested", _NO_DATES)
    return Evidence("moderator measured after", "clear", said)


_NO_DATES = Phrase("No column says when the moderators were measured.")


def ability(data: ModerationData) -> Evidence:
    """Whether ability is held."""
    if data.question.ability is None:
        said = Phrase("No measure of ability is in the model: knowledge may stand for it.")
        return Evidence("ability", "not tested", said)
    return Evidence("ability", "clear", Phrase("Ability and its own moderation are held."))


def at_bounds(data: ModerationData) -> Evidence:
    """A ceiling turns any gain of the able into none: a negative moderation."""
    bounds, rows = data.question.bounds, data.rows
    if bounds is None:
        return Evidence("floor and ceiling", "not tested", Phrase("No bounds are declared."))
    shares = {"floor": float((rows["raw"] == bounds[0]).mean()),
              "top": float((rows["raw"] == bounds[1]).mean())}  # fmt: skip
    said = Phrase("{floor} of outcomes lie at the floor, {top} at the ceiling.",
                  {k: Number(v, "share") for k, v in shares.items()})  # fmt: skip
    outcome: Outcome = "threat" if max(shares.values()) >= SHARE_AT_BOUND else "clear"
    return Evidence("floor and ceiling", outcome, said)


def scale(data: ModerationData, model: Moderated, alpha: float) -> Evidence:
    """Whether the moderation has the same sign in log odds (is it removable?)."""
    if data.question.bounds is None:
        return Evidence("scale", "not tested", Phrase("No bounds are declared."))
    try:
        other = moderated(data, log_odds=True)
    except AlcError as error:
        why = str(error).replace("{", "(").replace("}", ")")
        return Evidence("scale", "not tested", Phrase(why))
    numbers, removed = {}, False
    for m in data.question.moderators:
        own, odds = model.gamma(m), other.gamma(m)
        low, high = own.interval(1.0 - alpha)
        removed |= (low > 0.0 or high < 0.0) and own.value * odds.value <= 0.0
        numbers[f"odds_{data.column(m)}"] = Number(odds.value, unit=UNIT)
    said = " and ".join(f"{{odds_{data.column(m)}}} by {m}" for m in data.question.moderators)
    tail = ": an interaction that another scale removes." if removed else "."
    phrase = Phrase(f"In log odds the moderation is {said}{tail}", numbers)
    return Evidence("scale", "threat" if removed else "clear", phrase)


def steadiness() -> Evidence:
    """Error in a moderator makes its moderation too small, never too large."""
    said = Phrase("Error of measurement in a moderator makes its moderation smaller, and that of "
                  "what goes with it larger; no reliability is in the model.")  # fmt: skip
    return Evidence("reliability of moderators", "not tested", said)


def few_units(data: ModerationData) -> Evidence:
    """With few units in an arm, robust variances rest on those few."""
    fewest = int(data.rows.groupby("treated")["unit"].nunique().min())
    said = Phrase("The smaller arm has {fewest_units} of what was assigned.",
                  {"fewest_units": Number(fewest, "count")})  # fmt: skip
    return Evidence("few clusters", "threat" if fewest <= FEW_TREATED else "clear", said)


def pictures(data: ModerationData, model: Moderated) -> tuple[Picture, ...]:
    """The effect from one SD below to one above the mean of each moderator."""
    at = (-1.0, 0.0, 1.0)
    panels = []
    for m in data.question.moderators[:2]:
        estimates = [model.effect_at(m, x) for x in at]
        limits = [e.interval() for e in estimates]
        band = Mark(kind="band", label="95 % interval", x=at, low=tuple(a for a, _ in limits),
                    high=tuple(b for _, b in limits))  # fmt: skip
        line = Mark(kind="line", label="effect", x=at, y=tuple(e.value for e in estimates))
        panels.append(Panel(marks=(band, line, Mark(kind="across", y=(0.0,))), title=m))
    return (
        Picture(
            id="effects",
            title="Effect of the programme by what people knew before",
            caption="Effect in SDs of untreated outcomes with 95 % intervals, the other "
            f"moderators at their means ({data.rows['person'].nunique()} persons).",
            alt="Lines of the effect from one SD below to one above the mean of each moderator.",
            x="Moderator (SDs from its mean)",
            y="Effect (SD)",
            panels=tuple(panels),
        ),
    )
