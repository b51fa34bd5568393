from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from alc_stats.errors import OutputError
from alc_stats.report import tables
from alc_stats.report.figures import draw
from alc_stats.report.paper import build_paper, compile_paper, number_texts
from alc_stats.report.verdicts import verdict_table, worlds_tables
from alc_stats.study.result import StudyResult
from report import examples
from report.conftest import PAPER, copy_of_prose


def build(results: tuple[StudyResult, ...], paper: Path) -> bytes:
    drawings = {r.id: tuple(draw(e, simulated=r.simulated) for e in r.exhibits) for r in results}
    return build_paper(results, drawings=drawings, paper=paper)


def text_of(pdf: bytes) -> str:
    pages = (page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return " ".join(" ".join(pages).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def text(written: Path) -> str:
    return text_of((written / "paper.pdf").read_bytes())


def test_the_paper_prints_the_values_of_the_tables(text: str) -> None:
    for table in (
        tables.table_one(examples.real_looking()),
        verdict_table(examples.studies()),
        *worlds_tables(examples.studies()),
    ):
        cells = {cell for row in table.grid() for cell in row if re.search(r"\d", cell)}
        assert [cell for cell in cells if cell not in text] == []


def test_the_prose_quotes_numbers_by_id(text: str) -> None:
    assert "+18.8 % (95 % interval +1.3 % to +39.5 %)" in text
    assert "p = .036" in text
    assert "246 issues of 16 developers" in text


def test_verdicts_are_in_table_and_prose(text: str) -> None:
    assert re.search(r"AI shortens the time tasks take\..{0,60}\.035 contradicted", text)
    assert (
        "(H16a) is decided on the forecasts with an intercept for each developer: supported" in text
    )


def test_sentences_that_hang_on_verdicts_or_signs_are_left_out_where_those_differ(
    text: str,
) -> None:
    assert "excludes zero, that of the model with intercepts includes it, and" in text
    assert "less certain than its published intervals say" in text
    assert "firmer than that AI did harm" not in text
    assert "here it does twice" not in text


def test_the_checks_of_real_studies_are_counted(text: str) -> None:
    assert "how many digits they printed: 2 of 2 agree" in text


def test_a_study_that_did_not_run_says_so(text: str) -> None:
    assert "This study was not run. The file final_data.csv is missing." in text


def test_simulated_sections_are_marked(text: str) -> None:
    assert "SIMULATED DATA. The numbers of this section test the method" in text


def test_a_failed_fit_leaves_no_number(text: str) -> None:
    assert not [d for d in ("987.543", "876.543", "765.432", "654.321") if d in text]


def test_the_same_results_give_the_same_bytes(written: Path, prose: Path) -> None:
    assert compile_paper(prose) == (written / "paper.pdf").read_bytes()


def test_the_paper_is_accessible(written: Path) -> None:
    pdf = PdfReader(io.BytesIO((written / "paper.pdf").read_bytes()))
    assert pdf.trailer["/Root"]["/Lang"] == "en-GB"
    assert "pdfuaid:part" in pdf.trailer["/Root"]["/Metadata"].get_data().decode()


@pytest.mark.parametrize(
    "results",
    [(), (examples.not_run(),), (examples.simulated(),), (examples.real_looking(),)],
    ids=["none", "not run", "simulated only", "real only"],
)
def test_the_paper_compiles_whatever_ran(results: tuple[StudyResult, ...], tmp_path: Path) -> None:
    pdf = build(results, copy_of_prose(tmp_path))
    assert "competence-inversion" in text_of(pdf)


def test_an_unknown_id_stops_the_compiler_and_names_close_ones(tmp_path: Path) -> None:
    paper = copy_of_prose(tmp_path)
    study = replace(examples.real_looking(), numbers={
        k: v for k, v in examples.real_looking().numbers.items() if k != "slowdown_ols.low"
    })  # fmt: skip
    with pytest.raises(OutputError, match=r"slowdown_ols\.low.*close ids: .*slowdown_ols\.value"):
        build((study,), paper)


def test_numbers_of_a_model_without_a_result_are_dashes(tmp_path: Path) -> None:
    whole = examples.real_looking()
    kept = {k: v for k, v in whole.numbers.items() if not k.startswith("slowdown_slope.")}
    lacking = replace(whole, numbers=kept, failures={"slope": "the design is singular"})
    text = text_of(build((lacking,), copy_of_prose(tmp_path)))
    assert "an effect of AI for each developer as well, since both conditions occur within " in text
    assert "it is —, p —." in text
    assert "includes it, and that of the last model — it." in text
    assert "less certain than its published intervals say" not in text


def test_prose_that_does_not_compile_is_told_with_its_place(tmp_path: Path) -> None:
    paper = copy_of_prose(tmp_path)
    (paper / "paper.typ").write_text("Good.\n#let x = (\n")
    with pytest.raises(OutputError, match=r"^paper\.typ:2:9: .*Found: unclosed delimiter\."):
        build((), paper)


def test_only_the_first_lines_of_a_long_complaint_are_told(tmp_path: Path) -> None:
    paper = copy_of_prose(tmp_path)
    (paper / "paper.typ").write_text('#panic("a\\nb\\nc\\nd\\ne")')
    with pytest.raises(OutputError) as caught:
        build((), paper)
    (problem,) = caught.value.problems
    assert len(str(problem).splitlines()) == 1


def test_prose_that_is_gone_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the paper does not compile"):
        compile_paper(tmp_path / "nosuch")


def test_a_warning_is_a_failure(tmp_path: Path) -> None:
    paper = copy_of_prose(tmp_path)
    prose = paper / "paper.typ"
    prose.write_text(prose.read_text() + '\n#text(font: "No Such Font")[x]\n')
    with pytest.raises(OutputError, match=r"(?i)unknown font family: no such font"):
        build((), paper)


def test_numbers_carry_their_study_once() -> None:
    study = examples.real_looking()
    texts = number_texts([study])
    assert texts["metr_2025.slowdown_ols.value"] == "+18.8\u00a0%"
    assert not [id_ for id_ in texts if id_.startswith("metr_2025.metr_2025")]


def test_what_the_prose_reads_is_plain_json(prose: Path, written: Path) -> None:
    assert (written / "paper.pdf").exists()
    findings = json.loads((prose / "generated" / "findings.json").read_text())
    assert findings["metr_2025.H1b"]["verdict"] == "contradicted"


def test_all_three_published_covariances_are_quoted(text: str) -> None:
    for limits in ("+1.3 % to +39.5 %", "+1.3 % to +39.4 %", "+0.2 % to +41.0 %"):
        assert limits in text


DOCUMENTS = (PAPER / "paper.typ", PAPER.parent / "docs" / "verdicts.md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_rule_is_said_to_have_come_before_the_results(path: Path) -> None:
    words = " ".join(path.read_text(encoding="utf-8").split())
    assert re.findall(r"before (?:the|any) (?:data|models?|results?)[^.]*", words) == []
    assert "preregistered" in words
    assert re.search(r"H1c\)? (?:stayed )?inconclusive", words)


def test_spread_is_said_to_be_compared_as_it_is(text: str) -> None:
    assert re.search(r"bias-corrected log SDs of groups \(Nakagawa et al., 2015\)", text)
    assert re.search(r"mixed-effects location-scale model.{0,160}Hedeker et al., 2008", text)
    assert re.search(r"standard errors are clustered by what was assigned", text)
    assert "future work" not in text.split("Spread is compared")[1].split("Checks")[0]


def test_no_digit_is_typed_in_the_prose() -> None:
    """Ids in strings, citation keys and names of code may hold digits; sentences may not."""
    body = (PAPER / "paper.typ").read_text(encoding="utf-8")
    for allowed in (
        r"//.*",
        r"\([HX]\d+[a-z]?\b",
        r'"(?:[^"\\]|\\.)*"',
        r"@[\w-]+",
        r"<[\w-]+>",
        r"#(let )?[\w-]+",
    ):
        body = re.sub(allowed, "", body)
    assert re.findall(r".*\d.*", body) == []


def test_every_citation_is_in_the_bibliography_and_used() -> None:
    body = (PAPER / "paper.typ").read_text(encoding="utf-8")
    entries = re.findall(r"@\w+\{(\w+),", (PAPER / "refs.bib").read_text(encoding="utf-8"))
    assert set(re.findall(r"@(\w+\d{4})", body)) == set(entries)


def test_what_is_no_evidence_is_not_in_the_paper(tmp_path: Path) -> None:
    """A study of a method on other people's data counts neither for nor against the theory."""
    prose = tmp_path / "paper"
    prose.mkdir()
    text = '#set document(title: "T")\n#json("generated/studies.json").keys().join()'
    (prose / "paper.typ").write_text(text)
    shown = examples.real_looking()
    method = replace(shown, id="method_only", evidence=False)
    build_paper([shown, method], drawings={}, paper=prose)
    told = json.loads((prose / "generated" / "studies.json").read_text())
    assert set(told) == {shown.id}
