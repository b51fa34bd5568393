"""Whole-file writes: all of the new file, or all of the old one."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from alc_stats.data.sources import FOLDER_VARIABLE
from alc_stats.errors import OutputError
from alc_stats.files import without_machine, write_whole


def test_text_and_bytes_arrive_unchanged(tmp_path: Path) -> None:
    text = write_whole(tmp_path / "deep" / "note.txt", "größer: 5 €\r\nline two\n")
    assert text.read_bytes() == "größer: 5 €\r\nline two\n".encode()
    assert write_whole(tmp_path / "raw.bin", b"\x00\xff").read_bytes() == b"\x00\xff"


def test_a_second_write_replaces_the_first_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_whole(path, "old and longer")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_as_readable_as_any_other_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    path = write_whole(tmp_path / "whole", "")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_keeps_the_old_file_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = write_whole(tmp_path / "result.json", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[failing], full)
    with pytest.raises(OutputError) as caught:
        write_whole(path, "new")
    assert str(caught.value) == (
        f"{path}: cannot write the file. Found: No space left on device. "
        "Choose a folder you may write to (--out)."
    )
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "result.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot write the file"):
        write_whole(tmp_path / "taken" / "result.json", "new")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose folders lie below one another, as they often do."""
    for name in ("ann/project", "ann/data", "ann/cache", "temp"):
        (tmp_path / name).mkdir(parents=True)
    home = tmp_path / "ann"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv(FOLDER_VARIABLE, str(home / "data"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.chdir(home / "project")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("{m}/ann/notes.txt:3: x", "~/notes.txt:3: x"),
        ("in '{m}/ann/project/src/fit.py'", "in './src/fit.py'"),
        ("{m}/ann/data/metr-2025/d.csv", "$ALC_STATS_DATA/metr-2025/d.csv"),
        ("(at {m}/ann/cache/alc_stats/d.csv; no)", "(at <cache>/d.csv; no)"),
        ("={m}/temp/x, {m}/temp", "=<temp>/x, <temp>"),
        ("file://{m}/ann/x", "file://~/x"),
        ("{m}/anna/x {m}/ann.old/x", "{m}/anna/x {m}/ann.old/x"),
        ("as <folder>{m}/ann/d.csv", "as <folder>{m}/ann/d.csv"),
        ("https://example.org{m}/ann/d.csv", "https://example.org{m}/ann/d.csv"),
        ("back/up{m}/ann/d.csv", "back/up{m}/ann/d.csv"),
        ("<folder>/metr-2025/d.csv, 3/4, /a/b", "<folder>/metr-2025/d.csv, 3/4, /a/b"),
    ],
)
def test_folders_of_the_machine_get_short_names_and_all_else_stays(
    machine: Path, text: str, published: str
) -> None:
    assert without_machine(text.format(m=machine)) == published.format(m=machine)


def test_a_folder_is_known_by_its_links_too(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "link").symlink_to(machine / "ann" / "data")
    monkeypatch.setenv(FOLDER_VARIABLE, str(machine / "link"))
    text = f"{machine}/link/d.csv {machine}/ann/data/d.csv"
    assert without_machine(text) == "$ALC_STATS_DATA/d.csv $ALC_STATS_DATA/d.csv"


def test_the_root_of_the_disk_is_no_name_of_a_folder(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    assert without_machine("/etc/hosts / ~") == "/etc/hosts / ~"
