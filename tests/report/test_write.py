from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from alc_stats.errors import DeclarationError, OutputError
from alc_stats.files import write_whole
from alc_stats.report.tables import TABLE_IDS
from alc_stats.report.write import write_reports
from alc_stats.study.result import StudyResult
from report import examples
from report.conftest import copy_of_prose


def test_every_format_of_every_table_and_figure_is_written(written: Path) -> None:
    tables = {p.name for p in (written / "metr_2025" / "tables").iterdir()}
    assert tables == {f"{n}.{s}" for n in TABLE_IDS for s in ("md", "html", "tex", "typ", "docx")}
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


def test_real_and_simulated_hypotheses_are_in_files_of_their_own(written: Path) -> None:
    real = (written / "tables" / "hypotheses.md").read_text()
    simulated = (written / "tables" / "hypotheses_SIMULATED.md").read_text()
    assert examples.real_looking().title in real
    assert "SIMULATED" not in real
    assert examples.simulated().title not in real
    assert simulated.startswith("**SIMULATED DATA: ")
    assert examples.simulated().title in simulated
    assert examples.real_looking().title not in simulated


def files_below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def fewer(result: StudyResult) -> StudyResult:
    """The study with one exhibit and without scales."""
    return replace(result, exhibits=result.exhibits[:1], scales=())


def test_a_second_run_leaves_what_a_first_run_alone_would(tmp_path: Path) -> None:
    real, _, simulated = examples.studies()
    write_reports([real, simulated], out=tmp_path / "twice")
    for out in (tmp_path / "twice", tmp_path / "once"):
        write_reports([fewer(real)], out=out)
    twice = files_below(tmp_path / "twice")
    theirs = {name for name in twice if name.startswith(simulated.slug)}
    assert theirs
    assert twice - theirs == files_below(tmp_path / "once")


def test_a_study_that_no_longer_runs_leaves_no_tables_and_no_figures(tmp_path: Path) -> None:
    real = examples.real_looking()
    write_reports([real], out=tmp_path)
    write_reports([replace(examples.not_run(), id=real.id)], out=tmp_path)
    assert files_below(tmp_path) == {"index.html", "MANIFEST.json"}
    listed = json.loads((tmp_path / "MANIFEST.json").read_text())["outputs"]
    assert set(listed) == {"index.html"}


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    real = examples.real_looking()
    kept = [
        tmp_path / real.slug / "result.json",
        tmp_path / real.slug / "tables" / "notes.md",
        tmp_path / real.slug / "tables" / "ledger.txt",
        tmp_path / real.slug / "figures" / "deep" / "drawing.svg",
        tmp_path / real.slug / "figures" / "drawing.pdf",
        tmp_path / "tables" / "mine.html",
        tmp_path / "another" / "tables" / "ledger.md",
        tmp_path / "paper.pdf",
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    write_reports([replace(examples.not_run(), id=real.id)], out=tmp_path)
    assert [path for path in kept if not path.exists()] == []


def test_a_file_that_cannot_be_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write_whole(tmp_path / "tables" / "hypotheses.md", "")
    unlink = Path.unlink

    def refuse(path: Path) -> None:
        if path == old:
            raise PermissionError(13, "Permission denied")
        unlink(path)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match=r"hypotheses\.md: cannot remove .* Permission denied"):
        write_reports([examples.not_run()], out=tmp_path)


REAL = examples.real_looking()


@pytest.mark.parametrize(
    "study",
    [
        *(
            replace(REAL, id=id_)
            for id_ in ("../evil", "/evil", "a/../../evil", "..\\evil", "C:\\x")
        ),
        *(
            replace(REAL, exhibits=(replace(REAL.exhibits[0], id=id_),))
            for id_ in ("../../../evil", "..\\..\\..\\evil")
        ),
    ],
)
def test_no_id_leads_out_of_the_folder(tmp_path: Path, study: StudyResult) -> None:
    paper = copy_of_prose(tmp_path)
    before = files_below(tmp_path)
    with pytest.raises(OutputError, match="the file would lie outside its folder"):
        write_reports([study], out=tmp_path / "deep" / "out", paper=paper)
    assert files_below(tmp_path) == before


def test_a_folder_without_prose_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"nosuch: there is no paper\.typ to compile\."):
        write_reports([examples.not_run()], out=tmp_path / "out", paper=tmp_path / "nosuch")
    assert list(tmp_path.iterdir()) == []
