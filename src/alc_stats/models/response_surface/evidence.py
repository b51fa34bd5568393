"""What else could have made a gap effect: one piece of evidence a suspicion."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from alc_stats.errors import FitError
from alc_stats.inference import conjoin, decide, joint
from alc_stats.models.finding import Evidence, Outcome, Part, joined
from alc_stats.models.response_surface.data import AGREE, TERMS, SurfaceData
from alc_stats.models.response_surface.draws import SurfaceDraws, percentile
from alc_stats.models.response_surface.fits import SUMS, Surface, Surfaces, deciding
from alc_stats.models.response_surface.region import Region
from alc_stats.records import BoolArray, FloatArray, Number, Phrase

FEWEST_IN_A_REGION = 0.10
"""Share of rows that must be above, in agreement, and below for a surface to be read there."""
LEAST_RELIABLE = 0.50
"""A squared or product term with less is more error than anything else."""
Parts = Callable[[SurfaceData, Surface, float], tuple[Part, ...]]


def all_evidence(
    found: Surfaces,
    parts: Sequence[Part],
    draws: SurfaceDraws,
    region: Region | None,
    parts_of: Parts,
) -> tuple[Evidence, ...]:
    """Every suspicion; `parts_of` asks the parts again of a sample without influential rows."""
    form = found.data.question.claim_form
    shape = curvature(found, parts) if form == "discrepancy" else extrapolation(found.data, region)
    return (
        commensurability(found.data),
        discrepant_cases(found.data),
        unreliability(found, parts, draws),
        shape,
        grouping(found.data),
        influential_rows(found, parts, parts_of),
    )


def commensurability(data: SurfaceData) -> Evidence:
    """Whether a gap between the two columns means anything."""
    q = data.question
    numbers = {
        "common_point": Number(data.centre),
        "pooled_sd": Number(data.sd),
    }
    if q.separate_scales is not None:
        why = joined(_SEPARATE, Phrase.verbatim(f"({q.separate_scales.strip().rstrip('.')}.)"))
        return Evidence("commensurability", "threat", why)
    return Evidence("commensurability", "clear", Phrase(_ONE_SCALE, numbers))


_SEPARATE = Phrase(
    "Awareness and capability are not on one scale, so that equal numbers do not mean agreement "
    "and the line of congruence lies where the sample put it."
)
_ONE_SCALE = (
    "Both are declared to be on one scale, and both are counted from one point, {common_point} "
    "(pooled SD {pooled_sd})."
)


def discrepant_cases(data: SurfaceData) -> Evidence:
    """Whether there are people on both sides of the line of congruence and near it."""
    shares = {k: float(v.mean()) for k, v in data.regions().items()}
    numbers = {f"share_{k}": Number(v, "share") for k, v in shares.items()}
    numbers["fewest"] = Number(FEWEST_IN_A_REGION, "share")
    thin = min(shares.values()) < FEWEST_IN_A_REGION
    return Evidence(
        "discrepant cases", "threat" if thin else "clear", Phrase(_THIN if thin else _FULL, numbers)
    )


_SHARES = (
    "Awareness exceeds capability by half an SD in {share_above} of the rows, agrees in "
    "{share_agree}, falls short in {share_below}"
)
_THIN = _SHARES + "; with less than {fewest} in a region nothing can be said about it."
_FULL = _SHARES + ", each of them {fewest} or more."


def unreliability(found: Surfaces, parts: Sequence[Part], draws: SurfaceDraws) -> Evidence:
    """Whether measurement error in the predictors could have made the slopes.

    Slopes must survive errors-in-variables correction: with negatively related predictors, what an
    unreliable capability leaves unexplained falls to awareness with the sign reversed. And a
    curvature is only as reliable as products are.
    """
    q = found.data.question
    if q.reliability is None:
        return Evidence("unreliability", "not tested", _NO_RELIABILITY)
    a, c = q.reliability
    numbers = {"of_squared_awareness": a * a, "of_product": a * c, "of_squared_capability": c * c}
    products = Phrase(_PRODUCTS, {k: Number(v, "ratio") for k, v in numbers.items()})
    noisy = q.claim_form == "congruence" and min(numbers.values()) < LEAST_RELIABLE
    corrected = _corrected_slopes(found.data, draws)
    if corrected is None:
        return Evidence("unreliability", "threat" if noisy else "clear", products)
    kept = _kept(parts, corrected)
    outcome: Outcome = "clear" if kept and not noisy else "threat"
    return Evidence("unreliability", outcome, joined(products, _KEPT if kept else _LOST))


def _corrected_slopes(data: SurfaceData, draws: SurfaceDraws) -> FloatArray | None:
    """Draws (draws, 2) of the slopes that the first two parts are about, without error."""
    if data.question.claim_form == "discrepancy":
        return draws.corrected
    if draws.corrected_surface is None:
        return None
    gap = AGREE * data.sd
    along = np.array([(SUMS["a3"](b), SUMS["a4"](b)) for b in draws.corrected_surface[1:]])
    return np.asarray(along @ np.array([[0.5, 0.5], [0.5 * gap, -0.5 * gap]]))


def _kept(parts: Sequence[Part], corrected: FloatArray) -> bool:
    """Whether every slope says the same when corrected."""
    return all(_same_slope(*pair) for pair in zip(parts, corrected.T, strict=False))


def _same_slope(part: Part, corrected: FloatArray) -> bool:
    """Whether a slope stays on its side of zero, or as small as error alone can make it."""
    alpha, smallest = part.criterion.alpha, part.criterion.smallest_effect
    side = _side_of(part)
    if part.estimate is not None and decide(part.estimate, part.criterion).verdict == "equivalent":
        low, high = percentile(corrected, 1.0 - 2.0 * alpha)
        return -smallest < low and high < smallest
    return not side or _side(*percentile(corrected, 1.0 - alpha)) == side


def _side_of(part: Part) -> int:
    """1 or -1 where the part's interval lies on one side of zero, else 0."""
    if part.estimate is None:
        return 0
    return _side(*part.estimate.interval(1.0 - part.criterion.alpha))


def _side(low: float, high: float) -> int:
    return 1 if low > 0.0 else -1 if high < 0.0 else 0


_NO_RELIABILITY = Phrase(
    "No reliabilities of awareness and capability are declared; error in either biases both slopes."
)
_PRODUCTS = (
    "Reliabilities of the terms, as products of the predictors': awareness squared "
    "{of_squared_awareness}, product {of_product}, capability squared {of_squared_capability}."
)
_KEPT = Phrase("Slopes corrected for measurement error say the same.")
_LOST = Phrase("Corrected for measurement error, a slope does not say the same.")


def curvature(found: Surfaces, parts: Sequence[Part]) -> Evidence:
    """Whether two slopes describe a surface that bends.

    Where the second-order terms matter together, a linear slope that excludes zero must be met by
    slopes of the full surface with its sign at the middle of every region.
    """
    surface = found.surface
    test = joint(surface.fit, [f"`{n}`" for n in surface.names[2:]])
    numbers = {"curvature_p": Number(test.p, "p")}
    if test.p >= parts[0].criterion.alpha:
        return Evidence("curvature", "clear", Phrase(_FLAT, numbers))
    local = np.sign(_slopes(surface, _middles(found.data)))
    shown = np.array([_side_of(part) for part in parts])
    same = bool(((local == shown) | (shown == 0)).all())
    return Evidence("curvature", "clear" if same else "threat", Phrase(_BENT[same], numbers))


def _middles(data: SurfaceData) -> FloatArray:
    """Means of awareness and capability (m, 2) in every region that has rows."""
    pair = data.rows[["A", "C"]].to_numpy(float)
    return np.array(
        [pair[inside].mean(axis=0) for inside in data.regions().values() if inside.any()]
    )


def _slopes(surface: Surface, points: FloatArray) -> FloatArray:
    """Slopes (m, 2) of the surface along awareness and capability."""
    b = surface.coefficients()
    hessian = np.array([[2.0 * b[2], b[3]], [b[3], 2.0 * b[4]]])
    return np.asarray(b[:2] + points @ hessian)


_FLAT = "No curvature is shown (p = {curvature_p}), so that two slopes may stand for the surface."
_BENT = {
    True: "The surface bends (p = {curvature_p}), but its slopes have the same signs where "
    "awareness exceeds, meets and falls short of capability.",
    False: "The surface bends (p = {curvature_p}) so much that its slopes change sign between "
    "where awareness exceeds, meets and falls short of capability: two slopes do not describe it.",
}


def extrapolation(data: SurfaceData, region: Region | None) -> Evidence:
    """Whether the slopes along the line of incongruence are taken where people are."""
    half = 0.5 * AGREE * data.sd
    places = np.array([[half, -half], [-half, half]])
    if region is None:
        return Evidence("extrapolation", "threat", _NO_REGION)
    inside = bool(region.holds(places).all())
    return Evidence("extrapolation", "clear" if inside else "threat", _WITHIN[inside])


_NO_REGION = Phrase("Nowhere on the plane do people stand close enough for a surface to be read.")
_WITHIN = {
    True: Phrase("The places where slopes are tested lie inside the hull of the data."),
    False: Phrase("A place where a slope is tested lies outside the hull of the data."),
}


def grouping(data: SurfaceData) -> Evidence:
    """Whether firms that differ in all three columns could have made the surface."""
    if data.group is None:
        return Evidence("differences between firms", "not tested", _NO_GROUPS)
    groups = {"groups": Number(data.rows["group"].nunique(), "count")}
    waves = _SAME_WAVE if data.question.wave else ""
    found = Phrase(_GROUPS.replace("{waves}", waves).replace("{name}", data.group_name), groups)
    return Evidence("differences between firms", "clear", found)


_NO_GROUPS = Phrase("No firm is named: firms that differ could have made a surface between them.")
_GROUPS = "Slopes are those within {groups} units of '{name}'{waves}; their means are held."
_SAME_WAVE = " in the same wave"


def influential_rows(found: Surfaces, parts: Sequence[Part], parts_of: Parts) -> Evidence:
    """Whether the answer is the same without the rows that pull most at the surface.

    Rows beyond all three of Bollen and Jackman's (1990) limits for leverage, DFFITS and Cook's
    distance in the least-squares surface.
    """
    pulled = influential(found.data)
    numbers = {"influential": Number(int(pulled.sum()), "count")}
    if not pulled.any():
        return Evidence("influential rows", "clear", _NO_PULL)
    left = replace(found.data, rows=found.data.rows.loc[~pulled].reset_index(drop=True))
    try:
        rest = parts_of(left, deciding(left), parts[0].criterion.alpha)
    except FitError as error:
        return Evidence("influential rows", "threat", joined(_NO_REST, Phrase.verbatim(str(error))))
    same = _verdict(rest) == _verdict(parts)
    outcome: Outcome = "clear" if same else "threat"
    return Evidence("influential rows", outcome, Phrase(_REST[same], numbers))


def influential(data: SurfaceData) -> BoolArray:
    """Rows beyond 3k/n leverage, 2 sqrt(k/n) DFFITS and 4/n Cook's distance, all three."""
    X = np.column_stack([np.ones(len(data.rows)), data.rows[list(TERMS)].to_numpy(float)])
    y = data.rows["quality"].to_numpy(float)
    Q = np.linalg.qr(X)[0]
    n, k = X.shape
    residual, hat = y - Q @ (Q.T @ y), np.sum(Q**2, axis=1)
    variance = residual @ residual / (n - k)
    left = np.maximum(1.0 - hat, 1e-12)
    without = (residual @ residual - residual**2 / left) / (n - k - 1.0)
    dffits = residual * np.sqrt(hat / without) / left
    cook = residual**2 * hat / (k * variance * left**2)
    limits = 3.0 * k / n, 2.0 * math.sqrt(k / n), 4.0 / n
    return np.asarray((hat > limits[0]) & (np.abs(dffits) > limits[1]) & (cook > limits[2]))


def _verdict(parts: Sequence[Part]) -> str:
    return conjoin(
        [decide(p.estimate, p.criterion) for p in parts if p.estimate is not None]
    ).verdict


_NO_PULL = Phrase("No row is beyond the usual limits of leverage, DFFITS and Cook's distance.")
_NO_REST = Phrase("Without influential rows nothing can be fitted.")
_REST = {
    True: "Without {influential} influential rows the answer is the same.",
    False: "Without {influential} influential rows the answer is another.",
}
