from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from alc_stats.models.finding import Evidence
from alc_stats.records import Phrase
from alc_stats.report.page import _gist, inline_svg
from report import examples


class Page(HTMLParser):
    """Every tag with its attributes, and the text outside of style."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.styled = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.styled = self.styled or tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.styled = self.styled and tag != "style"

    def handle_data(self, data: str) -> None:
        if not self.styled:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(written: Path) -> str:
    return (written / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    parsed = Page()
    parsed.feed(html)
    return parsed


def test_the_page_needs_nothing_from_outside(html: str, page: Page) -> None:
    assert not page.named("script")
    assert not page.named("link")
    assert not page.named("img")
    assert not re.findall(r"@import|url\((?!#)", html)
    assert not [a for _, a in page.tags if "src" in a]


def test_the_page_has_landmarks_headings_and_a_language(page: Page) -> None:
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.named(landmark)) == 1
    assert page.named("html")[0]["lang"] == "en-GB"
    assert len(page.named("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_every_figure_has_its_alternative_text(page: Page) -> None:
    told = [a["aria-label"] for a in page.named("svg") if a.get("role") == "img"]
    exhibits = [e for s in (*examples.studies(), examples.hostile()) for e in s.exhibits]
    assert len(told) == len(exhibits)
    assert all(told[i] and exhibits[i].alt in told[i] for i in range(len(told)))
    decorative = [a for a in page.named("svg") if a.get("role") != "img"]
    assert all(a.get("aria-hidden") == "true" for a in decorative)


def test_every_table_has_a_caption_and_scoped_headings(page: Page) -> None:
    assert len(page.named("caption")) == len(page.named("table"))
    assert all("scope" in a for a in page.named("th"))


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = Counter(a["id"] for _, a in page.tags if "id" in a)
    assert [id_ for id_, n in ids.items() if n > 1] == []
    inside = [a["href"] or "" for a in page.named("a")] + [
        a["xlink:href"] or "" for a in page.named("use")
    ]
    assert not [h for h in inside if h.startswith("#") and h[1:] not in ids]


def test_verdicts_come_first_in_words_and_shapes(html: str) -> None:
    assert html.index('id="verdicts"') < html.index('class="study')
    pills = dict(re.findall(r'class="pill ([\w-]+)"><svg[^>]*>(.*?)</svg>', html))
    assert set(pills) == {"supported", "contradicted", "equivalent", "inconclusive", "not-tested"}
    assert len(set(pills.values())) == len(pills)


def test_reasons_and_evidence_are_told(page: Page) -> None:
    assert "Tasks took +18.8\u00a0% more time, against the prediction." in page.text
    assert "Developers knew their arm." in page.text
    for outcome in ("clear", "threat", "not tested"):
        assert outcome in page.text


def test_a_study_that_did_not_run_says_how_to_get_it(page: Page) -> None:
    assert "The file final_data.csv is missing. Run alc-stats fetch bastani_2025." in page.text


def test_simulated_studies_are_banded(html: str) -> None:
    assert html.count('class="study simulated"') == 2
    assert html.count('<p class="banner">SIMULATED DATA.') == 2


def test_labels_cannot_become_markup(page: Page) -> None:
    assert not page.named("b")
    assert examples.HOSTILE in page.text


def test_a_failed_fit_leaves_no_number(page: Page) -> None:
    for digits in ("987.", "876.", "765.", "654."):
        assert digits not in page.text


def test_no_path_of_a_machine_is_printed(page: Page) -> None:
    assert str(examples.MACHINE) not in page.text
    assert "(in ~/run/fit.py)" in page.text


def test_a_link_leads_to_the_web_or_nowhere(page: Page) -> None:
    outside = [a["href"] or "" for a in page.named("a") if not (a["href"] or "").startswith("#")]
    assert set(outside) == {"https://example.org/data_complete.csv", "MANIFEST.json"}


def test_a_drawing_inside_a_page_keeps_its_ids_to_itself() -> None:
    svg = '<?xml version="1.0"?><svg width="9pt" height="9pt"><g id="a"/><use href="#a"/></svg>'
    assert inline_svg(svg, prefix="p", alt='say "x"') == (
        '<svg role="img" aria-label="say &quot;x&quot;"><g id="p-a"/><use href="#p-a"/></svg>'
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(html: str, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for every colour of text on the paper and on the banner."""
    blocks = re.findall(r":root \{(.*?)\}", html)
    values = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", blocks[0 if scheme == "light" else 1]))
    for name in ("ink", "muted", "link", "alarm", "good", "bad", "same", "open"):
        for ground in ("paper", "alarm-band"):
            assert contrast(values[name], values[ground]) >= 4.5, (name, ground)


def contrast(a: str, b: str) -> float:
    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_simulated_verdicts_stand_apart_from_real_ones(html: str) -> None:
    real, _, simulated = html.partition('<div class="apart">')
    title = examples.simulated().title
    assert title not in real.partition('<table class="verdicts">')[2]
    assert title in simulated.partition("</div>")[0]


def test_a_long_reason_is_folded_behind_what_the_rule_says_and_what_stands_in_the_way() -> None:
    seen, ruled = Phrase("800 firms were seen."), "The interval lies above zero."
    long = f"{seen.template} {ruled} " + "Notice was given. " * 12
    told = examples.finding("H", "inconclusive", "It rises.", reason=Phrase(long))
    assert _gist(replace(told, observed=seen)) == (ruled, long)
    named = tuple(
        Evidence(name, outcome, Phrase("Notice was given."))
        for name, outcome in (("notice", "threat"), ("ceiling", "clear"), ("drift", "threat"))
    )  # fmt: skip
    shown, rest = _gist(replace(told, observed=seen, evidence=named))
    assert shown == f"{ruled} An artefact could have made it: notice and drift."
    assert rest == long
    short = examples.finding("H", "supported", "It rises.", reason=Phrase("Short. And plain."))
    assert _gist(short) == ("Short. And plain.", "")


def test_folded_reasons_are_on_the_page_without_scripts(page: Page) -> None:
    assert len(page.named("details")) == len(page.named("summary"))
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
