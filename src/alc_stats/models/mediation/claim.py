"""Mediation: treatment moves a mediator, and the mediator moves the outcome.

Mandates are said to spread a folk theory (value is proportional to volume), which breeds
procedural compliance, which costs capability. The indirect effect is a product of paths; which
coefficient a path is depends on the level at which treatment varies, and no analysis tells a
mediator's effect from what moves mediator and outcome alike: both are part of the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.inference.decision import Criterion, Decision, Verdict, not_tested
from alc_stats.models.finding import Claim, Finding, guarded, joined
from alc_stats.models.mediation.analysis import Analysis, analyse
from alc_stats.models.mediation.data import MediationQuestion, mediation_data
from alc_stats.models.mediation.evidence import all_evidence
from alc_stats.models.mediation.lines import direct_said, triangulation
from alc_stats.models.mediation.pictures import pictures
from alc_stats.records import Number, Phrase

SEED = 20261127


def mediation(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    outcome: str,
    treatment: str,
    mediators: Sequence[str] | str,
    person: str | None = None,
    firm: str | None = None,
    post: str | None = None,
    wave: str | None = None,
    treated: str | None = None,
    control: str | None = None,
    times: Sequence[str] = (),
    lagged: bool = False,
    sources: Sequence[str] = (),
    randomised: bool = False,
    direction: str = "greater",
    smallest_indirect: float | None = None,
    smallest_direct: float | None = None,
    unit: str = "",
    criterion: Criterion | None = None,
    seed: int = SEED,
) -> Finding:
    """Whether `treatment` moves `outcome` through `mediators`.

    The level at which treatment varies decides which coefficient is used.

    ==============================  =============================================================
    treatment                       the indirect effect
    ==============================  =============================================================
    of a firm (or person), `post`   of changes: a, the change of treated units beyond that of the
                                    others; b, of units' mean changes, treatment held
    of a firm (or person)           between (2-1-1): a and b of unit means, never of people within
    varies within persons or firms  within (1-1-1): the mean over groups of a_j * b_j, that is
                                    a * b + cov(a_j, b_j), from a stacked model
    rows without groups             of rows, by least squares
    ==============================  =============================================================

    Supported needs all of: a Monte-Carlo interval of the indirect effect that excludes zero, a
    point that reaches `smallest_indirect` in `direction`, and no threat: treatment at random or
    changes against untreated units, mediators measured before what they bring about and (where
    declared) from another source, and an effect that a residual correlation of 0.15 does not undo.
    The direct path decides nothing: it is tested for equivalence, and "no direct effect" of the
    smallest size is said only where that holds.

    Parameters
    ----------
    data : DataFrame
        One row a person, or a person and occasion.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    outcome, treatment : str
        Columns. Treatment is 0 and 1 (or a dose, without `post`), unless `treated` and `control`
        name two of its values.
    mediators : str or sequence of str
        One or two numeric columns, in causal order.
    person, firm : str, optional
        Who was observed; what people belong to (firm, team, class).
    post : str, optional
        0 before and 1 after the start.
    wave : str, optional
        Occasions, which have means of their own.
    treated, control : str, optional
        See `treatment`.
    times : sequence of str, optional
        Columns of the time each mediator and, last, the outcome was measured.
    lagged : bool
        Take mediators from the person's wave before.
    sources : sequence of str, optional
        Where each mediator and, last, the outcome comes from, such as "survey", "log", "test".
    randomised : bool
        Whether treatment was assigned at random.
    direction : {"greater", "less"}
        Predicted sign of the indirect effect.
    smallest_indirect, smallest_direct : float, optional
        Smallest effects of interest, in the outcome's unit; 0.05 and 0.20 SDs of the outcome of
        untreated rows by default.
    unit : str
        The outcome's unit.
    criterion : Criterion, optional
        Only its alpha is used; 0.05 by default.
    seed : int
        Of Monte-Carlo draws and resamples.

    Returns
    -------
    Finding
        Without an `estimate`, since the interval of a product is not that of a t; the marked line
        of the triangulation holds it. "not tested" with the reason where the data cannot answer.

    Raises
    ------
    DeclarationError
        If a column is unknown or plays two parts, or an argument does not fit the others.
    TableError
        If a mediator was measured after what it should bring about, a row has no firm, person or
        treatment, or a unit is in both arms.

    References
    ----------
    Bauer, Preacher and Gil (2006), Psychological Methods 11, 142-163. Imai, Keele and Tingley
    (2010), Psychological Methods 15, 309-334. Kenny, Korchmaros and Bolger (2003), Psychological
    Methods 8, 115-128. Zhang, Zyphur and Preacher (2009), Organizational Research Methods 12,
    695-719.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> quota = np.repeat([0, 1], 100)
    >>> belief = 0.6 * quota + rng.normal(size=200)
    >>> people = pd.DataFrame({"quota": quota, "belief": belief,
    ...                        "score": 50 - 3 * belief + 5 * rng.normal(size=200)})
    >>> found = mediation(people, outcome="score", treatment="quota", mediators="belief",
    ...                   randomised=True, direction="less")
    >>> found.decision.verdict
    'inconclusive'
    """
    chain = (mediators,) if isinstance(mediators, str) else tuple(mediators)
    question = MediationQuestion(
        outcome=outcome, treatment=treatment, mediators=chain, person=person, firm=firm, post=post,
        wave=wave, treated=treated, control=control, times=tuple(times), lagged=lagged,
        sources=tuple(sources), randomised=randomised, direction=direction,
        smallest_indirect=smallest_indirect, smallest_direct=smallest_direct, unit=unit,
    )  # fmt: skip
    through = " and ".join(chain)
    claim = claim or Claim(
        "mediation", "mediation", f"{treatment} moves {outcome} through {through}."
    )
    return judge(data, question, claim, criterion or Criterion("superiority", 1.0), seed=seed)


def judge(
    data: pd.DataFrame,
    question: MediationQuestion,
    claim: Claim,
    criterion: Criterion,
    *,
    seed: int = SEED,
) -> Finding:
    """`mediation` with its columns as one record."""
    alpha = criterion.alpha
    if not 0.0 < alpha < 0.5:
        raise DeclarationError(Problem("alpha is not between 0 and 0.5", found=f"{alpha:g}"))
    try:
        found = analyse(mediation_data(data, question), seed=seed)
    except FitError as error:
        said = Phrase(str(error).replace("{", "(").replace("}", ")"))
        return _finding(claim, not_tested("conjunction", said))
    evidence = all_evidence(found, 1.0 - alpha)
    return Finding(
        claim.id, claim.claim, claim.statement, claim.family, None, None, None,
        guarded(_decision(found, alpha), evidence), evidence, p=found.effect.p,
        triangulation=triangulation(found, alpha), pictures=pictures(found, 1.0 - alpha),
    )  # fmt: skip


def _finding(claim: Claim, decision: Decision) -> Finding:
    return Finding(claim.id, claim.claim, claim.statement, claim.family, None, None, None, decision)


def _decision(found: Analysis, alpha: float) -> Decision:
    """By the interval of the product: supported, contradicted, equivalent or inconclusive."""
    low, high = found.effect.interval(1.0 - alpha)
    inner_low, inner_high = found.effect.interval(1.0 - 2.0 * alpha)
    delta, value = found.smallest_indirect, found.effect.value
    sign = 1.0 if found.data.question.direction == "greater" else -1.0
    verdict, said = _reading(
        low, high, sign * value, delta, inside=-delta < inner_low and inner_high < delta
    )
    unit = found.data.question.unit or found.data.question.outcome
    values = {"value": value, "low": low, "high": high, "inner_low": inner_low,
              "inner_high": inner_high, "smallest_effect": delta}  # fmt: skip
    numbers = {name: Number(x, "estimate", unit) for name, x in values.items()}
    numbers |= {"level": Number(1 - alpha, "share"), "inner_level": Number(1 - 2 * alpha, "share")}
    used = {name: n for name, n in numbers.items() if f"{{{name}}}" in said}
    return Decision(
        verdict,
        "conjunction",
        joined(
            _seen(found), Phrase(said, used), _unless(found, verdict), direct_said(found, alpha)
        ),
    )


def _unless(found: Analysis, verdict: Verdict) -> Phrase:
    """What a hidden cause would have to do to undo what was shown."""
    if verdict not in ("supported", "contradicted"):
        return Phrase("")
    said = (
        "A hidden cause that made what is left of mediator and outcome correlate by {undone_rho} "
        "would undo it."
    )
    return Phrase(said, {"undone_rho": Number(found.undone.weakest, "statistic")})


def _reading(
    low: float, high: float, turned: float, delta: float, *, inside: bool
) -> tuple[Verdict, str]:
    """The verdict and its sentence; `turned` is the effect in the predicted direction."""
    if (low > 0.0 or high < 0.0) and abs(turned) >= delta:
        return ("supported", _THERE) if turned > 0 else ("contradicted", _OPPOSITE)
    return ("equivalent", _NONE) if inside else ("inconclusive", _OPEN)


_THERE = (
    "The {level} interval {low} to {high} of the indirect effect {value} excludes zero, and it "
    "reaches the smallest effect of interest {smallest_effect}."
)
_OPPOSITE = (
    "The {level} interval {low} to {high} of the indirect effect {value} excludes zero in the "
    "other direction, and it reaches the smallest effect of interest {smallest_effect}."
)
_NONE = (
    "The {inner_level} interval {inner_low} to {inner_high} of the indirect effect lies within "
    "{smallest_effect} of zero: any indirect effect is smaller than the smallest of interest."
)
_OPEN = (
    "The {level} interval {low} to {high} around the indirect effect {value} neither shows one of "
    "at least {smallest_effect} nor rules one out."
)


def _seen(found: Analysis) -> Phrase:
    """The path in words, and over how many units it is read."""
    q, d = found.data.question, found.data
    steps = " to ".join([q.treatment, *q.mediators, q.outcome])
    where = {
        "changes": f"in changes of {d.unit_name}",
        "between": f"between {d.unit_name}",
        "within": f"within {d.unit_name}",
        "single": "over rows",
    }[d.design]
    return Phrase(
        f"From {steps}, {where} ({{units}} {d.unit_name}).", {"units": Number(d.units, "count")}
    )
