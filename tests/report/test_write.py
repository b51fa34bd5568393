from __future__ import annotations

from pathlib import Path

import pytest

from alc_stats.errors import OutputError
from alc_stats.report.write import write_reports
from report import examples


def test_every_format_of_every_table_and_figure_is_written(written: Path) -> None:
    tables = {p.name for p in (written / "metr_2025" / "tables").iterdir()}
    names = ("hypotheses", "table1", "scales", "coefficients", "check", "ledger")
    assert tables == {f"{n}.{s}" for n in names for s in ("md", "html", "tex", "typ", "docx")}
    figures = {p.name for p in (written / "metr_2025" / "figures").iterdir()}
    assert figures == {f"{n}.{s}" for n in ("belief_and_fact", "times") for s in ("svg", "png")}
    for name in ("index.html", "paper.pdf", "MANIFEST.json", "tables/hypotheses.md"):
        assert (written / name).stat().st_size > 0


def test_every_file_of_a_simulated_study_says_so_in_its_name(written: Path) -> None:
    files = [p for p in (written / "reference_SIMULATED").rglob("*") if p.is_file()]
    assert files
    assert all("SIMULATED" in p.name for p in files)


def test_a_study_that_did_not_run_writes_nothing_of_its_own(written: Path) -> None:
    assert not (written / "bastani_2025").exists()


def test_without_a_paper_there_is_no_paper(tmp_path: Path) -> None:
    paths = write_reports([examples.not_run()], out=tmp_path)
    names = {p.relative_to(tmp_path).as_posix() for p in paths}
    assert "paper.pdf" not in names
    assert {"index.html", "MANIFEST.json"} <= names


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot write the file"):
        write_reports([examples.not_run()], out=tmp_path / "out")
