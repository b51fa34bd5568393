"""Consequences of the gap: whether awareness beyond capability goes with worse work.

A gap as a predictor is a trap: quality that rises with capability alone falls with every difference
"awareness less capability", whatever awareness does (Edwards 1995, 2001). So nothing is subtracted.
Quality is regressed on both, and a claim about their gap is a set of conditions on the surface.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.inference.decision import Criterion
from alc_stats.models.finding import Claim, Finding, Part, find_jointly, joined, untested
from alc_stats.models.response_surface.data import (
    AGREE,
    SMALLEST_SLOPE,
    ClaimForm,
    SurfaceData,
    SurfaceQuestion,
    surface_data,
)
from alc_stats.models.response_surface.draws import surface_draws
from alc_stats.models.response_surface.evidence import all_evidence
from alc_stats.models.response_surface.fits import Surface, Surfaces, axis_angle, surfaces
from alc_stats.models.response_surface.lines import triangulation
from alc_stats.models.response_surface.pictures import pictures
from alc_stats.models.response_surface.region import region_of
from alc_stats.records import FloatArray, Number, Phrase

SEED = 20261127
DRAWS = 999
FEWEST_DRAWS = 99
"""With fewer, 95 % limits are the ends of what was drawn."""
STEEPEST_AXIS = 2.0
"""The ridge follows the line of congruence if its slope lies between 1/2 and this."""
AXIS_BAND = math.degrees(math.atan(STEEPEST_AXIS)) - 45.0
"""The same as an angle: 18.4 degrees to either side."""


def response_surface(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    outcome: str,
    awareness: str,
    capability: str,
    claim_form: ClaimForm = "discrepancy",
    firm: str | None = None,
    person: str | None = None,
    wave: str | None = None,
    bounds: tuple[float, float] | None = None,
    separate_scales: str | None = None,
    reliability: tuple[float, float] | None = None,
    smallest_slope: float = SMALLEST_SLOPE,
    criterion: Criterion | None = None,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """Whether a gap between awareness and capability has consequences for `outcome`.

    The surface is b0 + b1 A + b2 C + b3 A^2 + b4 AC + b5 C^2 with both predictors less one common
    point. `claim_form` says which shape is claimed, and so which conditions must all hold:

    "discrepancy" (awareness exceeding capability hurts; condition-based regression analysis). In
    the regression on A and C alone, quality falls with awareness at equal capability (b1 < 0) and
    rises with capability at equal awareness (b2 > 0), each by the smallest slope at least. Only
    then is abs = |b1 - b2| - |b1 + b2| positive. A main effect of capability alone does not pass.

    "congruence" (any gap hurts). Along the line of incongruence quality falls as the gap grows
    where awareness exceeds capability by half an SD, and rises as it closes where it falls short by
    as much; and the first principal axis is shown to follow the line on which both agree (slope
    between 1/2 and 2). Humberg et al.'s (2019) conditions (a4 < 0, a3 not significant, 0 within
    the interval of p10 and 1 within that of p11) are in the table. They take a missing difference
    for agreement, which a small sample always grants; here agreement must be shown.

    With `firm` (or several rows a person) the verdict rests on a multilevel model: all five terms
    less their means in the firm, the firm's means of A and C, random intercept and slopes. The
    squares are taken before the means are subtracted, so that the line of congruence is one line
    for all firms; centring A and C at each firm's means would move it from firm to firm.

    Parameters
    ----------
    data : DataFrame
        One row a person, or a person and occasion. Rows that lack outcome, awareness or capability
        are left out and counted.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    outcome : str
        Quality; from another source than awareness.
    awareness, capability : str
        On one scale with one meaning of its points.
    claim_form : {"discrepancy", "congruence"}
    firm, person : str, optional
        Who belongs together, and who was observed. With firm, persons of a firm are compared, over
        all their rows; with person alone, a person's rows. Without person a row is a person, also
        where people are counted to keep them from being found in a figure.
    wave : str, optional
        Occasions, with firm: persons of a firm are then compared within each, so that what
        awareness, capability and quality do over time makes no slope.
    bounds : (float, float)
        Smallest and largest possible value of the scale that both are on; inf where it has no end.
    separate_scales : str, optional
        Why they are not on one scale (z scores of each column, say). Then bounds may be left out,
        and no verdict is given: commensurability is a threat.
    reliability : (float, float), optional
        Of awareness and of capability.
    smallest_slope : float
        Smallest effect of interest of every slope: outcome SDs per pooled SD of awareness and
        capability (along the line of incongruence: per such SD of gap).
    criterion : Criterion, optional
        Only its alpha is used: the claim is a conjunction.
    seed : int
        Of the bootstrap.
    draws : int
        Of the bootstrap: rows, or whole groups.

    Returns
    -------
    Finding
        Its parts, the surface (b0 to b5, a1 to a5, stationary point, principal axes) by delta and
        bootstrap intervals, the model family by AICc, evidence and figures. "not tested" with the
        reason where the data cannot answer.

    Raises
    ------
    DeclarationError
        For unknown columns, missing bounds, and arguments out of range.
    TableError
        For values outside the bounds, columns that never vary, columns standardised one by one, and
        rows without a firm or person.

    References
    ----------
    Edwards (1995), Organizational Behavior and Human Decision Processes 64, 307-324. Humberg et al.
    (2018), Journal of Personality and Social Psychology 114, 303-322 (condition-based regression).
    Humberg, Nestler and Back (2019), Social Psychological and Personality Science 10, 409-419
    (congruence). Nestler, Humberg and Schönbrodt (2019), Psychological Methods 24, 291-308
    (multilevel). Cheng and Schneeweiss (1998), Journal of the Royal Statistical Society B 60,
    189-199 (errors in variables).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> able = 50 + 10 * rng.normal(size=300)
    >>> people = pd.DataFrame({"capability": able, "awareness": able + 8 * rng.normal(size=300)})
    >>> people["quality"] = 0.5 * people["capability"] + 8 * rng.normal(size=300)
    >>> found = response_surface(people, outcome="quality", awareness="awareness",
    ...                          capability="capability", bounds=(-np.inf, np.inf))
    >>> found.decision.verdict    # capability alone matters: no effect of the gap
    'inconclusive'
    """
    question = SurfaceQuestion(
        outcome=outcome, awareness=awareness, capability=capability, claim_form=claim_form,
        firm=firm, person=person, wave=wave, bounds=bounds, separate_scales=separate_scales,
        reliability=reliability, smallest_slope=smallest_slope,
    )  # fmt: skip
    claim = claim or Claim(
        "response_surface", "gap", _STATEMENT.get(claim_form, "").format(q=question)
    )
    criterion = criterion or Criterion("conjunction", float("nan"))
    return judge(data, question, claim, criterion, seed=seed, draws=draws)


_STATEMENT = {
    "discrepancy": "{q.outcome} falls where {q.awareness} exceeds {q.capability}.",
    "congruence": "{q.outcome} is highest where {q.awareness} and {q.capability} agree.",
}


def judge(
    data: pd.DataFrame,
    question: SurfaceQuestion,
    claim: Claim,
    criterion: Criterion,
    *,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Finding:
    """`response_surface` with its columns as one record."""
    _check_call(criterion, draws)
    try:
        return _judged(surfaces(surface_data(data, question)), claim, criterion, seed, draws)
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)))


def _check_call(criterion: Criterion, draws: int) -> None:
    problems = []
    if draws < FEWEST_DRAWS:
        problems.append(
            Problem(
                "too few draws for limits of an interval",
                where="response_surface(draws=...)",
                found=str(draws),
                allowed=f"{FEWEST_DRAWS} or more",
            )
        )
    if criterion.rule != "conjunction":
        problems.append(
            Problem(
                "a response surface is judged by several conditions that must all hold",
                where="response_surface(criterion=...)",
                found=f"rule '{criterion.rule}'",
                allowed="conjunction",
                way_out="Declare smallest_slope as the smallest effect of each condition.",
            )
        )
    if problems:
        raise DeclarationError(*problems)


def _judged(found: Surfaces, claim: Claim, criterion: Criterion, seed: int, draws: int) -> Finding:
    again, region = surface_draws(found.data, draws=draws, seed=seed), region_of(found.data)
    parts = parts_of(found.data, found.deciding, criterion.alpha)
    return find_jointly(
        claim,
        parts,
        evidence=all_evidence(found, parts, again, region, parts_of),
        observed=observed(found),
        triangulation=triangulation(found, again),
        pictures=pictures(found, region),
    )


def parts_of(data: SurfaceData, surface: Surface, alpha: float) -> tuple[Part, ...]:
    """The conditions that the claimed shape needs, all of them, on the surface that decides."""
    delta = data.smallest_slope
    down, up = (Criterion("superiority", delta, way, alpha) for way in ("less", "greater"))
    if data.question.claim_form == "discrepancy":
        return (
            Part(_FALLS, surface.of("{0}", _FALLS), down),
            Part(_RISES, surface.of("{1}", _RISES), up),
        )
    gap = AGREE * data.sd
    above, below = (f"({_A3} + {side * gap!r} * ({_A4})) / 2" for side in (1.0, -1.0))
    turn = replace(surface.delta(off_congruence, _AXIS), unit="degrees")
    return (
        Part(_ABOVE, surface.of(above, _ABOVE), down),
        Part(_BELOW, surface.of(below, _BELOW), up),
        Part(_AXIS, turn, Criterion("equivalence", AXIS_BAND, alpha=alpha)),
    )


_A3, _A4 = "{0} - {1}", "{2} - {3} + {4}"
_FALLS = "Slope of awareness at equal capability"
_RISES = "Slope of capability at equal awareness"
_ABOVE = "Slope of the gap where awareness exceeds capability by half an SD"
_BELOW = "Slope of the gap where awareness falls short by half an SD"
_AXIS = "Turn of the first principal axis from the line of congruence"


def off_congruence(b: FloatArray) -> float:
    """Degrees between first principal axis and line of congruence, from -90 to 90."""
    return (axis_angle(b) - 45.0 + 90.0) % 180.0 - 90.0


def observed(found: Surfaces) -> Phrase:
    """Rows, how they were fitted, and which way awareness and capability differ."""
    data = found.data
    shares = {f"share_{k}": Number(float(v.mean()), "share") for k, v in data.regions().items()}
    words = {"{awareness}": data.question.awareness, "{capability}": data.question.capability}
    seen = Phrase(_named(_SEEN, words), shares | {"rows": Number(len(data.rows), "count")})
    left = Phrase(_LEFT, {"incomplete": Number(data.incomplete, "count")})
    return joined(seen, left) if data.incomplete else seen


def _named(template: str, words: dict[str, str]) -> str:
    """The template with column names in it, whose braces are no holes."""
    for hole, word in words.items():
        template = template.replace(hole, Phrase.verbatim(word).template)
    return template


_SEEN = (
    "{awareness} exceeds {capability} by half an SD or more in {share_above} of {rows} rows, "
    "agrees in {share_agree} and falls short in {share_below}."
)
_LEFT = "{incomplete} rows without outcome, awareness or capability are left out."
