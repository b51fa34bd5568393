"""The synthetic studies of `examples`, and everything written for them once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alc_stats.report.write import write_reports
from alc_stats.study.result import StudyResult
from report import examples

PAPER = Path(__file__).parents[2] / "paper"


@pytest.fixture(scope="session")
def studies() -> tuple[StudyResult, ...]:
    return examples.studies()


@pytest.fixture(scope="session")
def prose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the paper's prose, so that tests never write into the repository."""
    return copy_of_prose(tmp_path_factory.mktemp("prose"))


def copy_of_prose(folder: Path) -> Path:
    copied = folder / "paper"
    shutil.copytree(PAPER, copied, ignore=shutil.ignore_patterns("generated", "*.pdf"))
    return copied


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory, prose: Path, studies: tuple[StudyResult, ...]
) -> Path:
    """The folder of a whole report on the studies and on hostile labels."""
    out = tmp_path_factory.mktemp("out")
    write_reports((*studies, examples.hostile()), out=out, paper=prose)
    return out
