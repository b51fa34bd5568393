"""From `study.toml` to a `Study`, with every mistake of form reported at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alc_stats.errors import Problem
from alc_stats.files import read_toml
from alc_stats.study.checks import read_expected
from alc_stats.study.consistency import check_consistency
from alc_stats.study.declaration import Study
from alc_stats.study.form import structured

FILE = "study.toml"


def read_study(folder: Path) -> Study:
    """The declaration in `folder`, checked; no data file is opened.

    Raises
    ------
    DeclarationError
        With one problem for every unknown key, wrong type, unknown name and column that no
        schema has.
    """
    folder = folder.parent if folder.name == FILE else folder
    declared, folders = _merged(folder)
    plain = {**declared, "folders": [str(f) for f in folders]}
    study = structured(plain, Study, file=f"{folder.name}/{FILE}")
    check_consistency(study)
    read_expected(study)
    return study


def _merged(folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The file's own keys over those of the study it extends."""
    declared = _parsed(folder / FILE)
    base = declared.pop("extends", None)
    if base is None:
        return declared, (folder,)
    inherited, folders = _merged(folder / base)
    return {**inherited, **declared}, (folder, *folders)


def _parsed(path: Path) -> dict[str, Any]:
    absent = Problem(
        "no study is declared here",
        where=str(path),
        way_out="Name a folder that holds a study.toml, such as analysis/metr_2025.",
    )
    return read_toml(path, absent=absent)
