from __future__ import annotations

import re
from dataclasses import replace

import pytest

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import Criterion
from alc_stats.models.finding import Claim, Evidence, find
from alc_stats.records import Phrase
from alc_stats.report import transcript
from alc_stats.study.result import StudyResult
from report import examples


def test_the_header_names_version_python_and_platform() -> None:
    assert re.fullmatch(
        r"alc_stats( [\d.]+)? · Python 3\.\d+\.\d+ · \w+-\w+( · commit \w{7} \([\w ]+\))?",
        transcript.header_line(),
    )


def test_a_simulated_study_says_so_before_anything_else() -> None:
    lines = transcript.study_lines(examples.simulated())
    assert lines[1] == "DATA   SIMULATED: the values below are not findings"
    assert "VERDICTS (SIMULATED data)" in lines


def test_checks_that_match_are_counted() -> None:
    assert transcript.check_lines(examples.real_looking().checks) == (
        "CHECK  2 numbers: 2 match · 0 differ",
    )


def test_a_failed_check_is_shown_in_full() -> None:
    summary, failed = transcript.check_lines(examples.simulated().checks)
    assert summary == "CHECK  1 number: 0 match · 1 differ"
    assert failed.split(" | ") == [
        "       alpha", "expected 0.9", "obtained 0.874", "digits agreeing 1.5", "allowed ± 0.01",
        "source simulated here",
    ]  # fmt: skip


def test_every_verdict_has_its_reason() -> None:
    lines = transcript.verdict_lines(examples.real_looking())
    assert (
        lines[3]
        == "       H1b   contradicted  Tasks took +18.8 % more time, against the prediction."
    )


def test_artefacts_in_the_way_of_a_verdict_are_named_and_not_told_at_length() -> None:
    threats = tuple(
        Evidence(name, "threat", Phrase("This is told at length on the page."))
        for name in ("anticipation", "ceiling")
    )
    study = examples.real_looking()
    shown = find(
        Claim("H9", "gap", "It rises."), Estimate("rise", 1.0, 0.1, 9.0),
        criterion=Criterion("superiority", 0.1), evidence=threats,
    )  # fmt: skip
    text = " ".join(" ".join(transcript.verdict_lines(replace(study, findings=(shown,)))).split())
    assert text.endswith("since an artefact could have made it: anticipation and ceiling.")
    assert "at length" not in text


def test_a_study_that_did_not_run_says_why() -> None:
    assert transcript.study_lines(examples.not_run()) == (
        "STUDY  bastani_2025: Pupils who practised with GPT-4",
        "NOT RUN The file final_data.csv is missing. Run alc-stats fetch bastani_2025.",
    )


def test_rows_say_why_they_were_dropped() -> None:
    line = next(x for x in transcript.data_lines(examples.simulated()) if x.startswith("ROWS"))
    assert "1,204 read, 37 dropped (long strings of one answer), 1,167 kept" in line


def test_warnings_are_told_without_paths() -> None:
    text = "\n".join(transcript.study_lines(examples.simulated()))
    assert "(in ~/run/fit.py)" in text
    assert str(examples.MACHINE) not in text


REAL, MISSING, SIMULATED = examples.studies()
FIXED = replace(SIMULATED, checks=())


@pytest.mark.parametrize(
    ("results", "line"),
    [
        ((REAL,), "RESULT REPRODUCED"),
        ((REAL, MISSING), "RESULT REPRODUCED · 1 of 2 studies not run"),
        ((REAL, SIMULATED), "RESULT 1 NUMBER DIFFERS"),
        ((FIXED,), "RESULT RUN, NOTHING TO CHECK AGAINST (SIMULATED data only)"),
        ((MISSING,), "RESULT NOTHING RAN"),
    ],
)
def test_the_result_line_claims_no_more_than_was_checked(
    results: tuple[StudyResult, ...], line: str
) -> None:
    assert transcript.result_line(results) == line


def test_the_transcript_begins_with_the_header_and_ends_with_the_result() -> None:
    lines = transcript.transcript(examples.studies(), seconds=12.34)
    assert lines[0] == transcript.header_line()
    assert lines[-2:] == ("TIME   12.3 s", "RESULT 1 NUMBER DIFFERS · 1 of 3 studies not run")
    assert max(len(x) for x in lines if "|" not in x) <= 100
