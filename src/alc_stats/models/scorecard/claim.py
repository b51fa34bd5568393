"""The volume metric beside competence-first metrics: what each would have said (H12, H17).

The claim is that volume calls an arm a success where no competence metric does. It holds only if
volume rises and every competence metric is shown not to (intersection-union, Berger 1982), and may
as well come out the other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, raise_all
from alc_stats.inference.decision import Criterion, Rule, check_criterion
from alc_stats.models.arguments import check_arguments
from alc_stats.models.finding import Claim, Finding, Part, find_jointly, untested
from alc_stats.models.scorecard.data import (
    COACHED,
    SMALLEST,
    Metric,
    Role,
    ScorecardQuestion,
    card_data,
    no_metrics,
)
from alc_stats.models.scorecard.effects import Effects, estimated
from alc_stats.models.scorecard.evidence import card_evidence
from alc_stats.models.scorecard.gaming import gaming
from alc_stats.models.scorecard.lines import card_lines
from alc_stats.models.scorecard.page import card, headline
from alc_stats.models.scorecard.pictures import card_pictures
from alc_stats.models.scorecard.precision import precision
from alc_stats.records import Number, Phrase


def scorecard(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    volume: Metric,
    quality: Metric | None = None,
    completion: Metric | None = None,
    transfer: Metric | None = None,
    arm: str,
    control: str,
    treated: str,
    person: str,
    post: str,
    firm: str | None = None,
    wave: str | None = None,
    gamers: float = 0.20,
    padding: float = 2.0,
    coached: float = COACHED,
    criterion: Criterion | None = None,
) -> Finding:
    """Whether volume calls an arm a success where no competence metric does.

    Every metric gets the same model and the same rule. Effects are changes since the start beyond
    those of the control arm (a difference in differences of a mixed model, levels of persons and
    firms and firms' own changes random), in SDs of the control arm before the start. A metric says
    "better" by superiority (interval above zero, point at least the smallest effect), "worse" by
    the same below zero, "no better" by non-superiority (one-sided upper limit below the smallest
    effect), and "cannot say" otherwise.

    Supported needs volume better and every competence metric no better; contradicted is a
    competence metric that is better, or a volume that falls. Evidence of an artefact makes it
    inconclusive.

    Inference by rule: with more than 12 firms in the two arms, and more than 5 on each side,
    standard errors are CR2 clustered by firm with Satterthwaite's degrees of freedom. With fewer,
    the firm is the unit: Welch's t on changes of firms.

    Reliability is omega of items (before the start), the intraclass correlation of repeated
    occasions (after it; with waves that of consistency), or as stated; otherwise not known.

    Gaming applies strategies of declared size to the data: padding (volume), cherry-picking of the
    better half of a person's occasions (quality, completion, transfer), teaching to the test
    (completion, transfer) and sandbagging (all). Gamers are anybody by lot.

    Parameters
    ----------
    data : DataFrame
        One row a person and period (or occasion). A metric may be missing where others are not.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    volume : Metric
        How much AI is used: logs of amounts, or amounts with ``log=True``.
    quality, completion, transfer : Metric, optional
        Output quality; completion of known tasks, which is judged by its improvement; scores on
        new tasks. At least one.
    arm : str
        The arm a person is in throughout.
    control, treated : str
        The arm all others are compared with, and the arm the claim is about. Further arms are on
        the card.
    person : str
    post : str
        0 before and 1 after the start.
    firm : str, optional
        What was assigned as a whole (firm, team, class); without it persons were.
    wave : str, optional
        Occasions, which have means of their own.
    gamers : float
        Share of an arm's people who game.
    padding : float
        Factor by which they multiply amounts, or divide them before the start.
    coached : float
        SDs by which known tasks practised beforehand raise a score, and by which gamers hold back
        before the start.
    criterion : Criterion, optional
        Only its alpha is read, 0.05 by default: the rules are the claim's own.

    Returns
    -------
    Finding
        Without an estimate; `card` holds what the page shows, `triangulation` every number of it.

    Raises
    ------
    DeclarationError
        For unknown columns or arms, a volume that is a competence metric as well, sizes that make
        no sense.
    TableError
        For metrics that are no numbers or out of bounds, firms in several arms, persons in several
        firms.

    References
    ----------
    Berger (1982), Technometrics 24, 295-300. Kulik, Kulik and Bangert (1984), American Educational
    Research Journal 21, 435-447 (size of practice on identical tests). Pustejovsky and Tipton
    (2018), Journal of Business & Economic Statistics 36, 672-683. Shrout and Fleiss (1979),
    Psychological Bulletin 86, 420-428 (ICC).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> firm = np.tile(np.repeat(np.arange(24), 12), 3)
    >>> table = pd.DataFrame({"firm": firm, "person": np.tile(np.arange(288), 3),
    ...                       "wave": np.repeat([0, 1, 2], 288)})
    >>> table["post"] = (table["wave"] > 0) * 1
    >>> table["arm"] = np.where(firm < 12, "mandate", "control")
    >>> up = table["post"] * (firm < 12)
    >>> ability = rng.normal(size=(288, 2))[table["person"]]
    >>> table["log_tokens"] = 11 + 0.8 * up + ability[:, 0] + 0.5 * rng.normal(size=864)
    >>> table["quality"] = 60 + 8 * ability[:, 1] + 4 * rng.normal(size=864)
    >>> found = scorecard(table, volume=Metric(column="log_tokens"), arm="arm", control="control",
    ...                   quality=Metric(column="quality", bounds=(-np.inf, np.inf)),
    ...                   treated="mandate", person="person", firm="firm", post="post", wave="wave")
    >>> found.decision.verdict, [row.answers[0].word for row in found.card.rows]
    ('supported', ['better', 'no better'])
    """
    given = {"volume": volume, "quality": quality, "completion": completion, "transfer": transfer}
    raise_all(DeclarationError, no_metrics(given))
    question = ScorecardQuestion(
        volume=volume, quality=quality, completion=completion, transfer=transfer, arm=arm,
        control=str(control), treated=str(treated), person=person, post=post, firm=firm, wave=wave,
        gamers=gamers, padding=padding, coached=coached,
    )  # fmt: skip
    check_arguments("scorecard", question, claim, criterion)
    what = f"Volume calls {treated} a success where no competence metric does."
    claim = claim or Claim("scorecard", "proxy", what)
    return judge(data, question, claim, criterion or Criterion("superiority", SMALLEST))


def judge(
    data: pd.DataFrame, question: ScorecardQuestion, claim: Claim, criterion: Criterion
) -> Finding:
    """`scorecard` with its columns as one record."""
    try:
        read = card_data(data, question)
        for role in read.roles:
            check_criterion(_criterion(read.question, role, criterion.alpha))
        return _judged(claim, estimated(read, criterion.alpha))
    except FitError as error:
        return untested(claim, Phrase.verbatim(str(error)))


def _criterion(q: ScorecardQuestion, role: Role, alpha: float) -> Criterion:
    rule: Rule = "superiority" if role == "volume" else "non_superiority"
    return Criterion(rule, q.metrics[role].smallest, alpha=alpha)


def _parts(found: Effects) -> list[Part]:
    q, about = found.data.question, found.about
    does: Mapping[bool, str] = {True: "rises", False: "does not rise"}
    return [
        Part(f"{q.name(role)} {does[role == 'volume']}", found.estimates[role, about],
             _criterion(q, role, found.alpha))
        for role in found.data.roles
    ]  # fmt: skip


def _judged(claim: Claim, found: Effects) -> Finding:
    known = {role: precision(found.data, role) for role in found.data.roles}
    gamed = gaming(found)
    evidence = card_evidence(found, known, gamed)
    whole = find_jointly(
        claim,
        _parts(found),
        evidence=evidence,
        observed=_observed(found),
        triangulation=card_lines(found, known, gamed),
        pictures=card_pictures(found, gamed),
    )
    return replace(whole, card=card(found, known, gamed, evidence))


def _observed(found: Effects) -> Phrase:
    """The headline of the card, with its numbers."""
    moves = {role: found.estimates[role, found.about].value for role in found.data.roles}
    text = ", ".join(f"{role} {{moves_{role}}}" for role in moves)
    beyond = Phrase.verbatim(found.data.question.control).template
    return Phrase(
        f"{headline(found).template} (Changes beyond {beyond}, SDs: {text}.)",
        {f"moves_{role}": Number(value, unit="SD") for role, value in moves.items()},
    )
