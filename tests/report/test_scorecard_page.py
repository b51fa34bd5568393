"""The scorecard's page: everything of the card is on it, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from alc_stats.errors import DeclarationError
from alc_stats.models.card import Answer, Card, CardRow, Reliable, Weakness, Word
from alc_stats.models.finding import Evidence, Finding
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.records import Number, Phrase
from alc_stats.report.numbers import MINUS
from alc_stats.report.scorecard_page import build_scorecard, write_scorecard
from alc_stats.report.write import write_reports
from alc_stats.study.result import StudyResult
from report import examples
from report.test_page import Page

ANSWERS: tuple[tuple[Word, float], ...] = (("better", 0.7962), ("no better", -0.0918))


def told(arm: str, word: Word, value: float, *, amount: bool) -> Answer:
    plain = (
        Number(0.79, "percent", "tokens") if amount else Number(value * 10, "estimate", "points")
    )
    low, high = Number(value - 0.0917), Number(value + 0.1)
    return Answer(arm=arm, value=Number(value), low=low, high=high, plain=plain, word=word)


def row(metric: str, *, volume: bool, words: tuple[tuple[Word, float], ...] = ANSWERS) -> CardRow:
    padding = Weakness(strategy="padding", does="no work", person=Number(1.04), arm=Number(0.1896),
                       fakes=Number(0.21, "share"))  # fmt: skip
    picking = replace(padding, strategy="cherry-picking", arm=Number(0.02), fakes=None)
    known = Reliable(how="ICC(1)", value=Number(0.772, "ratio"), low=Number(0.726, "ratio"),
                     high=Number(0.812, "ratio"), change=Number(0.004, "ratio"))  # fmt: skip
    return CardRow(
        metric=metric,
        measures="what it measures",
        volume=volume,
        reliability=known if volume else Reliable(how="not known: no items were given"),
        weaknesses=(padding, picking) if volume else (picking,),
        answers=tuple(
            told(arm, word, value, amount=volume)
            for arm, (word, value) in zip(("mandate", "schema_training"), words, strict=True)
        ),
    )


CARD = Card(
    headline=Phrase("By tokens, mandate is better; by quality, it is no better."),
    control="control",
    arms=("mandate", "schema_training"),
    rows=(
        row("Tokens used", volume=True),
        row("Quality <b>", volume=False, words=(("cannot say", 0.12), ("worse", -0.4))),
    ),
    reading=(Phrase("Intervals have {level}.", {"level": Number(0.95, "share")}),),
    untested=(Phrase("Transfer was not measured."),),
)
FOREST = Picture(
    id="metrics", title="What each metric says", caption="", alt="Rows.", x="Change",
    panels=(Panel(marks=(Mark(kind="row", label="mandate", texts=("Tokens used",), x=(0.8,),
                              low=(0.6,), high=(1.0,)),)),),
)  # fmt: skip


@pytest.fixture
def finding() -> Finding:
    own = next(f for s in examples.studies() for f in s.findings)
    return replace(own, card=CARD, pictures=(FOREST,), evidence=())


def shown(html: str) -> str:
    page = Page()
    page.feed(html)
    return re.sub(r"\s+", " ", page.text.replace("\u00a0", " "))


def with_card(result: StudyResult, *findings: Finding) -> StudyResult:
    return replace(result, findings=findings)


def test_everything_of_the_card_is_on_the_page(finding: Finding) -> None:
    text = shown(build_scorecard(finding))
    for words in (
        "By tokens, mandate is better; by quality, it is no better.", finding.statement,
        "better 0.80 [0.70, 0.90] +79.0 % tokens", f"no better {MINUS}0.09 [{MINUS}0.18, 0.01]",
        "cannot say 0.12 [0.03, 0.22] +1.20 points", f"worse {MINUS}0.40", "schema training",
        "0.77 [0.73, 0.81]", "ICC(1); 0.00 for a person's improvement",
        "—", "not known: no items were given", "Intervals have 95 %.",
        "+0.19 SD by padding", "rises by 1.04 SD among people; 21 % doing it would fake a success",
        "+0.02 SD by cherry-picking",
        "everybody doing it would fake none", "Transfer was not measured.", "Quality <b>",
    ):  # fmt: skip
        assert words in text


def test_every_number_on_the_page_is_of_the_card(finding: Finding) -> None:
    """Templates have no numbers of their own."""
    empty = replace(
        finding, id="H", statement="A claim.", pictures=(replace(FOREST, panels=()),),
        card=replace(CARD, rows=(), reading=(), headline=Phrase("None.")),
    )  # fmt: skip
    drawn = replace(FOREST, panels=(Panel(marks=()),))
    text = shown(build_scorecard(replace(empty, pictures=(drawn,))))
    assert not re.findall(r"\d", text)


def test_the_page_needs_nothing_from_outside_and_tells_its_parts(finding: Finding) -> None:
    html = build_scorecard(finding, study="A study")
    page = Page()
    page.feed(html)
    assert not page.named("script") + page.named("link") + page.named("img")
    assert not re.findall(r"@import|url\((?!#)", html)
    assert len(page.named("h1")) == 1
    assert len(page.named("caption")) == 1
    assert all("scope" in a for a in page.named("th"))
    assert [a["aria-label"] for a in page.named("svg") if a.get("role") == "img"] == ["Rows."]
    assert page.named("a")[-1]["href"] == "../index.html"
    assert "<b>" not in html


def test_threats_are_said_before_the_numbers(finding: Finding) -> None:
    noisy = Evidence("noise", "threat", Phrase("Quality is mostly noise."))
    fine = Evidence("assignment", "clear", Phrase("All is well."))
    text = shown(build_scorecard(replace(finding, evidence=(noisy, fine))))
    assert text.index("Noise: Quality is mostly noise.") < text.index("Tokens used")
    assert "All is well." not in text
    assert "stands in the way" not in shown(build_scorecard(finding))


def test_a_simulated_scorecard_says_so_in_its_name_and_on_the_page(
    tmp_path: Path, finding: Finding
) -> None:
    real, _, simulated = examples.studies()
    write_reports([with_card(real, finding), with_card(simulated, finding)], out=tmp_path)
    own = tmp_path / real.slug / "scorecard.html"
    marked = tmp_path / simulated.slug / "scorecard_SIMULATED.html"
    assert "SIMULATED" not in own.read_text(encoding="utf-8")
    assert "SIMULATED DATA" in shown(marked.read_text(encoding="utf-8"))
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    for path in (own, marked):
        assert f'href="{path.relative_to(tmp_path).as_posix()}"' in index


def test_several_scorecards_of_a_study_are_told_apart(tmp_path: Path, finding: Finding) -> None:
    real = examples.real_looking()
    both = (replace(finding, id="H1"), replace(finding, id="H2"))
    write_reports([with_card(real, *both)], out=tmp_path)
    names = {p.name for p in (tmp_path / real.slug).glob("scorecard*")}
    assert names == {"scorecard_H1.html", "scorecard_H2.html"}


def test_a_scorecard_of_an_earlier_run_goes(tmp_path: Path, finding: Finding) -> None:
    real = examples.real_looking()
    write_reports([with_card(real, finding)], out=tmp_path)
    write_reports([real], out=tmp_path)
    assert not list((tmp_path / real.slug).glob("scorecard*"))


def test_a_finding_by_itself_is_written_where_it_is_told(tmp_path: Path, finding: Finding) -> None:
    path = write_scorecard(finding, tmp_path / "new" / "card.html")
    assert path.read_text(encoding="utf-8") == build_scorecard(finding)
    assert "index.html" not in path.read_text(encoding="utf-8")
    marked = write_scorecard(finding, tmp_path / "card.html", simulated=True)
    assert "SIMULATED DATA" in marked.read_text(encoding="utf-8")


@pytest.mark.parametrize("given", ["a finding without a card", "no finding"])
def test_what_has_no_scorecard_is_a_sentence(tmp_path: Path, finding: Finding, given: str) -> None:
    wrong: object = replace(finding, card=None) if given != "no finding" else 1
    with pytest.raises(DeclarationError, match=r"no scorecard|not a finding"):
        write_scorecard(wrong, tmp_path / "card.html")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
