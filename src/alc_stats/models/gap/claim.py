"""A gap between awareness and capability: use and awareness rise, capability does not (H1).

A gap is two effects, not one score. Both are estimated in one model, each is decided by a rule of
its own, and the claim holds only where every part does (intersection-union, Berger 1982). Nothing
is subtracted person by person: a difference score holds the two effects to one size with opposite
signs, and mixes them with whatever each does by itself (Edwards 1994, 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.inference.decision import Criterion, check_criterion, not_tested
from alc_stats.measures.columns import listed
from alc_stats.models.finding import Claim, Finding, find_jointly, joined
from alc_stats.models.gap.comparison import Gap, criterion_of, estimated
from alc_stats.models.gap.data import Bounds, GapQuestion, gap_data
from alc_stats.models.gap.evidence import gap_evidence
from alc_stats.models.gap.fits import FEW_CLUSTERS, FEW_ON_A_SIDE
from alc_stats.models.gap.lines import gap_lines, reference
from alc_stats.models.gap.pictures import gap_pictures
from alc_stats.records import Number, Phrase

SMALLEST = 0.20
"""Default smallest effect of interest of every part, baseline SDs."""


def gap(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    awareness: str,
    capability: str,
    treatment: str,
    person: str,
    usage: str | None = None,
    firm: str | None = None,
    post: str | None = None,
    wave: str | None = None,
    treated: str | None = None,
    control: str | None = None,
    covariates: Sequence[str] = (),
    awareness_items: Sequence[str] = (),
    capability_items: Sequence[str] = (),
    awareness_bounds: Bounds | None = None,
    capability_bounds: Bounds | None = None,
    capability_reliability: float | None = None,
    randomised: bool = False,
    smallest_usage: float = SMALLEST,
    smallest_awareness: float = SMALLEST,
    smallest_capability: float = SMALLEST,
    criterion: Criterion | None = None,
) -> Finding:
    """Whether treatment raises use and awareness, and not capability.

    Effects are differences (with `post`, differences in differences) in SDs of those never treated
    before the start: an SD pooled over what treatment did would be moved by it. Awareness and
    capability are rows of one mixed model with fixed effects, residual SDs and random effects of
    their own that go together as they do, so that the difference of the two effects has a
    standard error.

    Supported needs all parts: use and awareness by superiority (interval above zero, point at
    least the smallest effect), capability by non-superiority (one-sided upper limit below its
    smallest effect). Contradicted is any part whose opposite is shown. Evidence of an artefact
    makes it inconclusive.

    Inference by rule: with more than 12 firms, and more than 5 on the smaller side, standard
    errors are CR2 clustered by firm with Satterthwaite's degrees of freedom. With fewer the firm
    is the unit (firm means or changes, HC2 errors with Bell and McCaffrey's degrees of freedom; the
    paired t where firms have both arms).
    Kenward and Roger's degrees of freedom are no help there: where the firms' own responses are
    estimated not to vary, which happens by chance in few firms, they count persons.

    Parameters
    ----------
    data : DataFrame
        One row a person and occasion. An outcome may be missing where the others are not.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    awareness, capability, usage : str
        Numeric columns. Without usage the claim is about the other two. Log what is skewed.
    treatment : str
        0 and 1; otherwise `treated` and `control` name the two values that are compared. With
        `post` it is the arm a person is in throughout.
    person, firm : str
        Who was observed, and the firm (class, team) they belong to.
    post : str, optional
        0 before and 1 after the start.
    wave : str, optional
        Occasions, which have means of their own.
    treated, control : str, optional
        See `treatment`.
    covariates : sequence of str
        Each with effects of its own on every outcome. Rows that lack one are left out, and counted.
    awareness_items, capability_items : sequence of str
        Items, keyed, for reliabilities and effects in SDs of true scores.
    awareness_bounds, capability_bounds : (float, float), optional
        Smallest and largest possible value; inf where there is none. A ceiling keeps capability
        from rising, so its undeclared bounds allow no verdict.
    capability_reliability : float, optional
        As the test's manual says, where there are no items. A noisy test keeps a rise small, so
        the verdict must hold at a reliability of 0.7 where none is known.
    randomised : bool
        Whether treatment was assigned by chance. Without it, and without `post`, arms may have
        differed from the start, which allows no verdict.
    smallest_usage, smallest_awareness, smallest_capability : float
        Smallest effects of interest, baseline SDs.
    criterion : Criterion, optional
        Only its alpha is read, 0.05 by default: the rules are the claim's own.

    Returns
    -------
    Finding
        Without an estimate: the parts are the first lines of `triangulation`, followed by the
        difference of the two effects, and the same in other units and by other inference.

    Raises
    ------
    DeclarationError
        For unknown columns, arms or smallest effects that make no sense.
    TableError
        For outcomes that are no numbers or out of bounds, rows without a firm or person, persons
        in several firms.

    References
    ----------
    Edwards (1994), Organizational Behavior and Human Decision Processes 58, 51-100. Edwards
    (2001), Organizational Research Methods 4, 265-287. Berger (1982), Technometrics 24, 295-300.
    Pustejovsky and Tipton (2018), Journal of Business & Economic Statistics 36, 672-683.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> firm = np.repeat(np.arange(30), 20)
    >>> table = pd.DataFrame({"firm": firm, "person": np.arange(600), "mandate": (firm < 15) * 1})
    >>> table["aware"] = 0.8 * table["mandate"] + rng.normal(size=600)
    >>> table["skill"] = rng.normal(size=600)
    >>> found = gap(table, awareness="aware", capability="skill", treatment="mandate",
    ...             person="person", firm="firm", randomised=True,
    ...             capability_bounds=(-np.inf, np.inf))
    >>> found.decision.verdict, [round(line.value, 2) for line in found.triangulation[:3]]
    ('supported', [0.7, -0.02, 0.72])
    """
    question = GapQuestion(
        awareness=awareness, capability=capability, usage=usage, treatment=treatment,
        person=person, firm=firm, post=post, wave=wave, treated=treated, control=control,
        covariates=listed(covariates), awareness_items=listed(awareness_items),
        capability_items=listed(capability_items), awareness_bounds=awareness_bounds,
        capability_bounds=capability_bounds, capability_reliability=capability_reliability,
        randomised=randomised, smallest_usage=smallest_usage,
        smallest_awareness=smallest_awareness, smallest_capability=smallest_capability,
    )  # fmt: skip
    what = f"{treatment} raises {awareness}, and not {capability}."
    claim = claim or Claim("gap", "gap", what)
    return judge(data, question, claim, criterion or Criterion("superiority", SMALLEST))


def judge(data: pd.DataFrame, question: GapQuestion, claim: Claim, criterion: Criterion) -> Finding:
    """`gap` with its columns as one record."""
    try:
        read = gap_data(data, question)
        for outcome in read.outcomes:
            check_criterion(criterion_of(read, outcome, criterion.alpha))
        return _judged(claim, estimated(read, criterion.alpha))
    except FitError as error:
        return Finding(
            claim.id, claim.claim, claim.statement, claim.family, None, None, None,
            not_tested("conjunction", Phrase.verbatim(str(error))),
        )  # fmt: skip


def _judged(claim: Claim, found: Gap) -> Finding:
    return find_jointly(
        claim,
        [*found.parts.values()],
        evidence=gap_evidence(found),
        observed=_observed(found),
        triangulation=gap_lines(found),
        pictures=gap_pictures(found),
    )


def _observed(found: Gap) -> Phrase:
    """The effects, and whose inference decides."""
    effects = {f"d_{o}": Number(found.estimate(o).value, unit="SD") for o in found.parts}
    use = "use by {d_usage} SD, " if found.use is not None else ""
    seen = Phrase(
        f"Treatment changes {use}awareness by {{d_awareness}} and capability by {{d_capability}} "
        f"baseline SDs ({{clusters}} {found.data.unit_name}s; {reference(found, found.by)}).",
        effects | {"clusters": Number(found.data.clusters, "count")},
    )
    return seen if found.by == "CR2" else joined(seen, _FEW)


_FEW = Phrase(
    "With up to {few} clusters, or up to {few_side} on one side, each counts as one unit.",
    {"few": Number(FEW_CLUSTERS, "count"), "few_side": Number(FEW_ON_A_SIDE, "count")},
)
