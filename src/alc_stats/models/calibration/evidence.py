"""What could have made the pattern without anybody misjudging themselves."""

from __future__ import annotations

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion
from alc_stats.models.calibration.data import share_at
from alc_stats.models.calibration.fits import Compared
from alc_stats.models.finding import Evidence, rows_left_out
from alc_stats.records import Number, Phrase

MANY_AT_AN_END = 0.15
"""Share of values at an end of the scale from which there is a floor or ceiling effect (McHorney
and Tarlov 1995, Quality of Life Research 4, 293-307)."""


def all_evidence(found: Compared, estimate: Estimate, criterion: Criterion) -> tuple[Evidence, ...]:
    """Null world, scale ends, reliability, few clusters, rows left out."""
    return (
        _null(found, estimate, criterion),
        _ends(found),
        _reliability(found),
        _few(found, estimate, criterion),
        rows_left_out(found.data.left_out, len(found.data.rows)),
    )


def _null(found: Compared, estimate: Estimate, criterion: Criterion) -> Evidence:
    """A threat only where the interval excludes zero and the null world makes as much."""
    asked = found.data.question.asked
    p, seen = found.p(asked), estimate.p_value < criterion.alpha
    inside = p >= criterion.alpha
    low, high = found.band.limits(asked, 1.0 - criterion.alpha)
    numbers = {
        "null_world_p": Number(p, "p"), "statistic": Number(found.value(asked)),
        "band_low": Number(low), "band_high": Number(high),
    }  # fmt: skip
    place = "inside" if inside else "outside"
    return Evidence(
        "noise plus better-than-average",
        "threat" if inside and seen else "clear",
        Phrase(
            f"{{statistic}} lies {place} the band {{band_low}} to {{band_high}} that noise and one "
            "constant overestimate make (p by simulation {null_world_p}).",
            numbers,
        ),
    )


def _ends(found: Compared) -> Evidence:
    data, asked = found.data, found.data.question.asked
    curve = asked in ("curvature", "spread")
    if data.question.bounds is None:
        return Evidence(
            "floor and ceiling",
            "threat" if curve else "not tested",
            Phrase("The ends of the scale are not declared, and a ceiling alone bends the curve."),
        )
    own, actual = (share_at(v, data.question.bounds) for v in (data.own, data.actual))
    share = max(own, actual)
    numbers = {"at_an_end": Number(share, "share")}
    if share < MANY_AT_AN_END:
        few = Phrase("At most {at_an_end} of values are at an end of the scale.", numbers)
        return Evidence("floor and ceiling", "clear", few)
    cut = curve and actual < MANY_AT_AN_END
    how = "the null world is cut in the same way" if cut else _CUT_OFF
    many = Phrase(f"{{at_an_end}} of values are at an end of the scale; {how}.", numbers)
    return Evidence("floor and ceiling", "clear" if cut else "threat", many)


_CUT_OFF = "who is there could be told apart, or rise, no further"


def _reliability(found: Compared) -> Evidence:
    if found.reliability_known:
        known = {"reliability": Number(found.band.reliability, "estimate")}
        return Evidence(
            "unreliable score", "clear",
            Phrase("The null world has scores of reliability {reliability}.", known),
        )  # fmt: skip
    return Evidence(
        "unreliable score",
        "not tested",
        Phrase(
            "The reliability of the score is not known; the null world was drawn at several "
            "reliabilities and the one that explains most was taken."
        ),
    )


def _few(found: Compared, estimate: Estimate, criterion: Criterion) -> Evidence:
    """A threat where the estimate's own test sees what the headlined one does not."""
    numbers = {"clusters": Number(found.data.count("cluster"), "count")}
    if found.data.count("cluster") == len(found.data.rows):
        return Evidence("few clusters", "clear", Phrase("{clusters} independent rows.", numbers))
    said = f"{{clusters}} clusters. {found.choice.sentence}"
    if found.few_p is None:
        return Evidence("few clusters", "clear", Phrase(said, numbers))
    numbers["headline_p"] = Number(found.few_p, "p")
    fooled = estimate.p_value < criterion.alpha <= found.few_p
    phrase = Phrase(f"{said} That p is {{headline_p}}.", numbers)
    return Evidence("few clusters", "threat" if fooled else "clear", phrase)
