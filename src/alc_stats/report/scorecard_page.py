"""The scorecard: one page that a manager reads, from a finding as it is on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alc_stats.errors import DeclarationError, Problem
from alc_stats.files import write_whole
from alc_stats.inference.decision import Verdict
from alc_stats.models.card import Answer, Card, CardRow, Reliable, Weakness, Word
from alc_stats.models.finding import Finding, require_finding
from alc_stats.records import Number
from alc_stats.report import canvas, numbers
from alc_stats.report.figures import draw
from alc_stats.report.page import inline_svg
from alc_stats.report.page_parts import packaged, pill
from alc_stats.report.table import SIMULATED
from alc_stats.study.exhibits import pictured
from alc_stats.study.result import StudyResult

if TYPE_CHECKING:
    from markupsafe import Markup

_LOOKS: Mapping[Word, Verdict] = {
    "better": "supported",
    "no better": "equivalent",
    "worse": "contradicted",
    "cannot say": "inconclusive",
}


@dataclass(frozen=True, slots=True)
class AnswerShown:
    """One cell: the word, the number with its interval, and the same in plain units."""

    arm: str
    word: Markup
    value: str
    plain: str


@dataclass(frozen=True, slots=True)
class RowShown:
    """One metric as text."""

    metric: str
    measures: str
    volume: bool
    reliability: str
    how: str
    weakness: str
    fakes: str
    answers: tuple[AnswerShown, ...]


def write_scorecard(finding: Finding, path: str | Path, *, simulated: bool = False) -> Path:
    """Write the one page of a scorecard, an HTML file that needs nothing else and prints on A4.

    Parameters
    ----------
    finding : Finding
        What `alc.scorecard` returned.
    path : str or Path
        Where to; folders are made.
    simulated : bool
        Whether a program made the data up: the page then says so.

    Raises
    ------
    DeclarationError
        For a finding without a scorecard.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from alc_stats.estimators.estimate import Estimate
    >>> from alc_stats.inference import Criterion
    >>> from alc_stats.models.finding import Claim, find
    >>> found = find(Claim("H1", "gap", "Use rises."), Estimate("use", 0.4, 0.1, 20.0),
    ...              criterion=Criterion("superiority", 0.2))
    >>> try:
    ...     write_scorecard(found, tempfile.gettempdir() + "/card.html")
    ... except DeclarationError as error:
    ...     print(error)
    finding H1: has no scorecard. Give it what alc.scorecard(...) returns.
    """
    require_finding(finding, "write_scorecard")
    return write_whole(Path(path), build_scorecard(finding, simulated=simulated))


def scorecard_files(result: StudyResult) -> dict[str, bytes]:
    """The page of every scorecard of a study, by relative path."""
    cards = [f for f in result.findings if f.card is not None]
    mark = f"_{SIMULATED}" if result.simulated else ""
    return {
        f"{result.slug}/scorecard{f'_{f.id}' if len(cards) > 1 else ''}{mark}.html": (
            build_scorecard(f, study=result.title, simulated=result.simulated).encode()
        )
        for f in cards
    }


def build_scorecard(finding: Finding, *, study: str = "", simulated: bool = False) -> str:
    """The page as HTML text.

    Parameters
    ----------
    finding : Finding
    study : str
        The title of its study, if it has one; the page then leads back to the results.
    simulated : bool
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    card = _card(finding)
    drawing = draw(pictured([finding])[0], simulated=simulated)
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(packaged("scorecard.html.j2")).render(
        style=Markup(packaged("page.css") + packaged("scorecard.css")),  # noqa: S704 - our own
        study=study,
        simulated=simulated,
        headline=numbers.no_break(numbers.say(card.headline)),
        finding=finding,
        verdict=pill(finding.decision.verdict),
        doubts=tuple(_doubts(finding)),
        control=canvas.words(card.control),
        arms=[canvas.words(arm) for arm in card.arms],
        rows=[_row(row) for row in card.rows],
        svg=Markup(inline_svg(drawing.svg, prefix="card", alt=drawing.alt)),  # noqa: S704
        title=drawing.title.rstrip("."),
        caption=drawing.caption,
        reading=[numbers.no_break(numbers.say(phrase)) for phrase in card.reading],
        untested=[numbers.no_break(numbers.say(phrase)) for phrase in card.untested],
    )


def _card(finding: Finding) -> Card:
    if finding.card is None:
        raise DeclarationError(
            Problem(
                "has no scorecard",
                where=f"finding {finding.id}",
                way_out="Give it what alc.scorecard(...) returns.",
            )
        )
    return finding.card


def _doubts(finding: Finding) -> Iterator[str]:
    """What stands in the way of a verdict."""
    for e in finding.evidence:
        if e.outcome == "threat":
            yield numbers.no_break(f"{canvas.headed(e.artefact)}: {numbers.say(e.finding)}")


def _row(row: CardRow) -> RowShown:
    weakness, fakes = _gaming(row.weaknesses)
    return RowShown(
        metric=row.metric,
        measures=row.measures,
        volume=row.volume,
        reliability=_reliability(row.reliability),
        how=_how(row.reliability),
        weakness=weakness,
        fakes=fakes,
        answers=tuple(_answer(answer) for answer in row.answers),
    )


def _reliability(own: Reliable) -> str:
    if own.value is None:
        return numbers.MISSING
    if own.low is None or own.high is None:
        return numbers.show(own.value)
    interval = numbers.show_interval(own.low, own.high, beside=(own.value,))
    return f"{numbers.show(own.value)} {interval}"


def _how(own: Reliable) -> str:
    """Where it comes from, and what it is of an improvement."""
    if own.change is None:
        return own.how
    return f"{own.how}; {numbers.hundredths(own.change.value)} for a person's improvement"


def _gaming(weaknesses: Sequence[Weakness]) -> tuple[str, str]:
    """The worst way, and how many it takes."""
    if not weaknesses:
        return numbers.MISSING, "no way was tried"
    worst = weaknesses[0]
    moved = numbers.hundredths(worst.arm.value, signed=True)
    rises = f"who does it rises by {numbers.hundredths(worst.person.value)} SD among people"
    fakes = (
        "everybody doing it would fake none"
        if worst.fakes is None
        else f"{numbers.show(worst.fakes)} doing it would fake a success"
    )
    return numbers.no_break(f"{moved} SD by {worst.strategy}"), numbers.no_break(
        f"{rises}; {fakes}"
    )


def _answer(answer: Answer) -> AnswerShown:
    value, *ends = (numbers.hundredths(n.value) for n in (answer.value, answer.low, answer.high))
    return AnswerShown(
        arm=canvas.words(answer.arm),
        word=pill(_LOOKS[answer.word], answer.word),
        value=f"{value} [{', '.join(ends)}]",
        plain=numbers.no_break(_plain(answer.plain)),
    )


def _plain(own: Number) -> str:
    """A change in the metric's own unit, with its sign."""
    exact = own.kind == "percent"
    number = numbers.show(own) if exact else numbers.hundredths(own.value, signed=True)
    return f"{number} {_unbroken(own.unit)}".strip()


def _unbroken(unit: str) -> str:
    """A range within a unit stays on one line of a narrow column."""
    return canvas.words(unit).replace("\N{EN DASH}", "\N{WORD JOINER}\N{EN DASH}\N{WORD JOINER}")
