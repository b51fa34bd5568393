from __future__ import annotations

import getpass
import hashlib
import json
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alc_stats.report.manifest import build_manifest, commit
from alc_stats.report.transcript import header_line
from report import examples


@pytest.fixture(scope="module")
def manifest(written: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((written / "MANIFEST.json").read_text())
    return loaded


def test_every_output_is_there_under_its_hash(manifest: dict[str, Any], written: Path) -> None:
    files = {p.relative_to(written).as_posix() for p in written.rglob("*") if p.is_file()}
    assert set(manifest["outputs"]) == files - {"MANIFEST.json"}
    for name, digest in manifest["outputs"].items():
        assert hashlib.sha256((written / name).read_bytes()).hexdigest() == digest


def test_inputs_rows_fits_and_checks_are_recorded(manifest: dict[str, Any]) -> None:
    real, missing, simulated, _ = manifest["studies"]
    assert real["sources"][0]["sha256"] == "ab" * 32
    assert real["rows"][1] == {
        "step": "drop issues without a forecast", "read": 246, "dropped": 3, "kept": 243,
    }  # fmt: skip
    assert missing["status"] == "not run"
    assert simulated["fits"] == {"widening": "optimum", "broken": "failed"}
    assert simulated["checks"] == {"alpha": False}


def test_nothing_names_the_machine_or_its_user(written: Path) -> None:
    text = (written / "MANIFEST.json").read_text()
    for private in (
        str(written),
        f"{examples.MACHINE}/",
        socket.gethostname(),
        f'"{getpass.getuser()}"',
    ):
        assert private not in text


def test_seeds_are_recorded() -> None:
    seeded = replace(examples.simulated(), seed=7)
    held = json.loads(build_manifest([examples.real_looking(), seeded], outputs={}))
    assert held["seeds"] == {seeded.id: 7}


def repository(folder: Path) -> Path:
    """A folder with one commit."""

    def git(*arguments: str) -> None:
        name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(
            ["git", "-C", str(folder), *name, *arguments], check=True, capture_output=True
        )

    git("init")
    (folder / "requirements.lock").write_text("x==1\n")
    git("add", ".")
    git("commit", "-m", "x")
    return folder


def test_commit_says_whether_files_changed(tmp_path: Path) -> None:
    clean = commit(repository(tmp_path))
    assert len(str(clean["id"])) == 7
    assert clean["clean"] is True
    (tmp_path / "new").write_text("")
    assert commit(tmp_path) == {"id": clean["id"], "clean": False}
    held = json.loads(build_manifest([examples.not_run()], outputs={}, project=tmp_path))
    assert held["lock_sha256"] == hashlib.sha256(b"x==1\n").hexdigest()


def test_without_a_project_the_current_folder_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = commit(repository(tmp_path))
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert commit() == there
    assert header_line().endswith(f" · commit {there['id']} (clean)")


def test_outside_a_repository_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commit(tmp_path / "nowhere") == {"id": "", "clean": False}
    assert commit() == {"id": "", "clean": False}
    assert "commit" not in header_line()


def test_the_way_out_of_a_missing_source_arrives_whole() -> None:
    why = (
        "Not in a data folder. Download https://example.org/root/data.csv, save it unchanged as "
        "<folder>/metr-2025/data.csv and set ALC_STATS_DATA=<folder>."
    )
    held = json.loads(build_manifest([replace(examples.not_run(), why_not=why)], outputs={}))
    assert held["studies"][0]["why_not"] == why
