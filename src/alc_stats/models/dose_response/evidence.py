"""Whether a verdict on a dose-response shape may stand: one piece of evidence an artefact."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.dose_response.data import DoseData
from alc_stats.models.dose_response.lines import HEAVIEST, DoseFound
from alc_stats.models.dose_response.two_lines import UNIT, Quadratic
from alc_stats.models.finding import Evidence, Outcome, joined, rows_left_out
from alc_stats.models.picture import FEWEST_PEOPLE
from alc_stats.models.widening.artefacts import NEAR_BOUND, SHARE_AT_BOUND, SHARE_EXPLAINED
from alc_stats.records import Number, Phrase


def all_evidence(data: DoseData, found: DoseFound, alpha: float) -> tuple[Evidence, ...]:
    """Every demand on the two lines."""
    return (
        _bend(found, alpha),
        _support(data, found),
        _heavy(found, 1.0 - alpha),
        _ends(data, found),
        _few(data, found, alpha),
        _between(found, 1.0 - alpha),
        rows_left_out(data.dropped, len(data.rows)),
    )


def _bend(found: DoseFound, alpha: float) -> Evidence:
    """The rule does not use the quadratic: says what it would have claimed."""
    q = found.quadratic
    if not isinstance(q, Quadratic):
        return Evidence("quadratic", "not tested", Phrase.verbatim(q))
    bends = q.curvature.p_value < alpha and q.curvature.value < 0.0
    numbers = {
        "quadratic_p": Number(q.curvature.p_value, "p"),
        "u_test_p": Number(q.p_inverted, "p"),
    }
    return Evidence("quadratic", "clear", Phrase(_BENDS if bends else _STRAIGHT, numbers))


_BENDS = (
    "A quadratic bends downwards (p {quadratic_p}), which every curve that levels off does; that "
    "it falls at the end has p {u_test_p}. Neither decides."
)
_STRAIGHT = (
    "A quadratic does not bend downwards beyond chance (p {quadratic_p}; U-test {u_test_p})."
)


def _support(data: DoseData, found: DoseFound) -> Evidence:
    """People on both sides of the breakpoint."""
    people = [
        int(data.rows.loc[side, "person"].nunique())
        for side in (
            data.rows["dose"] <= found.lines.breakpoint,
            data.rows["dose"] >= found.lines.breakpoint,
        )
    ]
    numbers = {
        "breakpoint": Number(found.lines.breakpoint),
        "people_before": Number(people[0], "count"),
        "people_after": Number(people[1], "count"),
    }
    threat = min(people) < 2 * FEWEST_PEOPLE
    outcome: Outcome = "threat" if threat else "clear"
    return Evidence("support", outcome, Phrase(_SIDES + (_THIN if threat else ""), numbers))


_SIDES = "{people_before} people up to the breakpoint {breakpoint}, {people_after} from it."
_THIN = " A line through so few is no evidence of a shape."


def _heavy(found: DoseFound, level: float) -> Evidence:
    """Whether the second line is the work of the heaviest users."""
    second = found.lines.second
    if second is None:
        return Evidence("heavy users", "not tested", Phrase.verbatim(found.lines.failure))
    share = {"heaviest": Number(1.0 - HEAVIEST, "share")}
    if found.trimmed is None or found.trimmed.second is None:
        return Evidence("heavy users", "threat", Phrase(_NOTHING_LEFT, share))
    left = found.trimmed.second
    rivals = [left, *([found.logged.second] if found.logged and found.logged.second else [])]
    turned = [_side(second, level) != 0.0 and _side(second, level) * r.value <= 0.0 for r in rivals]
    shrunk = _side(second, level) * left.value < SHARE_EXPLAINED * abs(second.value)
    threat = any(turned) or (_side(second, level) != 0.0 and shrunk)
    numbers = share | {
        "second_slope": Number(second.value, "estimate", UNIT),
        "without_heaviest": Number(left.value, "estimate", UNIT),
    }
    text = _TRIMMED + (_THEIRS if threat else "")
    return Evidence("heavy users", "threat" if threat else "clear", Phrase(text, numbers))


def _side(e: Estimate, level: float) -> float:
    low, high = e.interval(level)
    return 1.0 if low > 0.0 else -1.0 if high < 0.0 else 0.0


_NOTHING_LEFT = "Without the heaviest {heaviest} there is no second line."
_TRIMMED = (
    "The second slope is {second_slope}; without the heaviest {heaviest} of the rows it is "
    "{without_heaviest}."
)
_THEIRS = " The second line is the work of a few heavy users, or of the scale of the dose."


def _ends(data: DoseData, found: DoseFound) -> Evidence:
    """A ceiling makes a plateau of any curve that goes on rising."""
    bounds = data.question.bounds
    if bounds is None:
        return Evidence("bounds", "threat", _UNBOUNDED)
    y = data.rows["outcome"].to_numpy(float)
    beyond = y[data.rows["dose"].to_numpy(float) >= found.lines.breakpoint]
    used = [b if np.isfinite(b) else e for b, e in zip(bounds, (y.min(), y.max()), strict=True)]
    margin = NEAR_BOUND * (used[1] - used[0])
    at_top = beyond >= bounds[1] - margin if np.isfinite(bounds[1]) else np.zeros(1, bool)
    share = float(np.mean(at_top)) if at_top.size else 0.0
    numbers = {"at_ceiling": Number(share, "share"), "margin": Number(NEAR_BOUND, "share")}
    heaped = share >= SHARE_AT_BOUND
    threat = heaped and data.question.shape != "inverted_u"
    text = _NEAR + (_FLAT if threat else _CANNOT_FALL if heaped else "")
    return Evidence("bounds", "threat" if threat else "clear", Phrase(text, numbers))


_UNBOUNDED = Phrase(
    "The outcome's bounds are not declared, so that a ceiling, which makes a plateau of any rise, "
    "cannot be ruled out: declare bounds, with inf where there is none."
)
_NEAR = "Beyond the breakpoint {at_ceiling} of the rows lie within {margin} of the ceiling."
_FLAT = " What cannot rise further looks like a plateau."
_CANNOT_FALL = " A ceiling makes no curve fall."


def _few(data: DoseData, found: DoseFound, alpha: float) -> Evidence:
    if found.choice is None:
        return Evidence("few clusters", "clear", _INDEPENDENT)
    numbers = {"clusters": Number(data.clusters, "count")}
    base = joined(Phrase("{clusters} clusters.", numbers), Phrase(found.choice.sentence))
    if data.clusters <= FEW_TREATED:
        return Evidence("few clusters", "threat", joined(base, _TOO_FEW))
    if found.choice.method == "CR2":
        return Evidence("few clusters", "clear", base)
    pairs = zip((found.lines.first, found.lines.second), found.wild, strict=False)
    lost = [e for e, w in pairs if e is not None and e.p_value < alpha <= w.p]
    threat = bool(lost) or not found.wild
    return Evidence(
        "few clusters",
        "threat" if threat else "clear",
        joined(base, _DISAGREE if threat else _AGREE),
    )


_INDEPENDENT = Phrase("No rows are declared to belong together.")
_TOO_FEW = Phrase("So few allow no standard error.")
_AGREE = Phrase("No slope is significant by CR2 alone.")
_DISAGREE = Phrase("A slope is significant by CR2, and not by the bootstrap.")


def _between(found: DoseFound, level: float) -> Evidence:
    """Whether people who take more are other people."""
    own, inside = found.lines, found.within
    if inside is None:
        return Evidence("between persons", "not tested", _ONE_ROW)
    if inside.first is None or inside.second is None or own.first is None or own.second is None:
        return Evidence("between persons", "threat", Phrase.verbatim(inside.failure))
    pairs = ((own.first, inside.first), (own.second, inside.second))
    threat = any(_side(a, level) * b.value < 0.0 for a, b in pairs)
    numbers = {
        "first_within": Number(inside.first.value, "estimate", UNIT),
        "second_within": Number(inside.second.value, "estimate", UNIT),
    }
    text = _INSIDE + (_OTHERS if threat else "")
    return Evidence("between persons", "threat" if threat else "clear", Phrase(text, numbers))


_ONE_ROW = Phrase("Persons have one row each: who takes more may be another kind of person.")
_INSIDE = "Within persons the slopes are {first_within} and {second_within}."
_OTHERS = " A slope has the other sign there: people who take more are other people."
