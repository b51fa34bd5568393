"""`alc-stats run`, `report` and `sources` as processes: what a user sees and the exit code."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from alc_stats.records import load
from alc_stats.study import StudyResult
from study.conftest import edit, small

__all__ = ["small"]


def alc(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "alc_stats.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_run_writes_everything_and_says_what_it_did(small: Path, tmp_path: Path) -> None:
    done = alc("run", small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "STUDY  small: A small study" in done.stdout
    assert "H1  supported" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("RESULT")
    assert done.stderr == ""
    written = {p.name for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {"result.json", "index.html", "MANIFEST.json", "effect.svg"} <= written
    assert not [name for name in written if name.startswith(".")]


def test_report_reads_results_and_refits_nothing(small: Path, tmp_path: Path) -> None:
    alc("run", small, "--out", tmp_path / "out", cwd=tmp_path)
    page = (tmp_path / "out" / "index.html").read_text()
    (small / "study.toml").unlink()
    (tmp_path / "out" / "index.html").unlink()
    done = alc("report", "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").read_text() == page


def test_report_without_results_is_a_sentence(tmp_path: Path) -> None:
    done = alc("report", "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "there are no results to report" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_number_that_differs_is_exit_code_one(small: Path, tmp_path: Path) -> None:
    (small / "expected.json").write_text(
        '{"numbers": [{"id": "effect.value", "expected": 9, "tolerance": 0.1,'
        ' "reason": "r", "source": "s"}]}'
    )
    done = alc("run", small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 NUMBER DIFFERS" in done.stdout


def test_a_missing_source_is_not_run_and_fails_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALC_STATS_DATA", str(tmp_path / "nowhere"))
    done = alc("run", small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "NOT RUN" in done.stdout
    assert (
        load((tmp_path / "out" / "small" / "result.json").read_text(), StudyResult).status
        == "not run"
    )


def test_bad_data_stop_one_study_and_not_the_other(small: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "study.toml").write_text(
        'extends = "../small"\n[study]\nid = "other"\ntitle = "O"\nquestion = "Q"\n'
    )
    (other / "people.schema.json").write_text(
        (small / "people.schema.json").read_text().replace('"maximum": 70', '"maximum": 40')
    )
    done = alc("run", other, small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "STUDY  other: STOPPED" in done.stdout
    assert "column age" in done.stderr
    assert "H1  supported" in done.stdout
    assert not (tmp_path / "out" / "other").exists()


def test_a_result_of_another_version_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out" / "old").mkdir(parents=True)
    (tmp_path / "out" / "old" / "result.json").write_text('{"id": "old"}')
    done = alc("report", "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "is not a result of this version" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_source_stops_its_study(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "data" / "small" / "people.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    done = alc("run", small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "not the declared file of source 'people'" in done.stderr


def test_a_paper_that_is_not_there_is_refused_before_the_work(small: Path, tmp_path: Path) -> None:
    done = alc("run", small, "--out", tmp_path / "out", "--paper", "nosuch", cwd=tmp_path)
    assert done.returncode == 1
    assert "nosuch" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_study_named_twice_is_refused(small: Path, tmp_path: Path) -> None:
    done = alc("run", small, small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "the study 'small' is named twice" in done.stderr


def test_a_typo_is_caught_before_any_data_are_read(small: Path, tmp_path: Path) -> None:
    edit(small, 'model = "effect"\nof = "treated"\nrule', 'model = "efect"\nof = "treated"\nrule')
    done = alc("run", small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "unknown model 'efect'. Did you mean 'effect'?" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_an_unwritable_folder_is_refused_before_the_work(small: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file in the way")
    done = alc("run", small, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot write the file" in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_refused(small: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IREAD | stat.S_IEXEC)
    done = alc("run", small, "--out", locked / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot write the file" in done.stderr


def test_sources_says_where_each_lies(small: Path, tmp_path: Path) -> None:
    done = alc("sources", small, cwd=tmp_path)
    assert done.returncode == 0
    assert "people.csv (licence: none needed)" in done.stdout


def test_sources_says_how_to_get_what_is_missing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALC_STATS_DATA", str(tmp_path / "nowhere"))
    done = alc("sources", small, cwd=tmp_path)
    assert done.returncode == 0
    assert "people" in done.stdout
    assert "nowhere" in done.stdout


def test_a_reader_who_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m alc_stats.cli codebook | head -n 1"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("#")
    assert done.stderr == ""
