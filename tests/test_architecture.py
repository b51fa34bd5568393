"""The house as ARCHITECTURE.md draws it: imports point left, tree and public list are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import alc_stats

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "alc_stats"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")

LEFT = {
    "errors": set(),
    "records": {"errors"},
    "files": {"errors", "records"},
    "schemas": {"errors", "records", "files"},
    "data": {"schemas", "errors", "records", "files"},
    "measures": {"data", "schemas", "errors", "records", "files"},
    "estimators": {"errors", "records"},
    "inference": {"estimators", "errors", "records"},
    "models": {
        "inference",
        "estimators",
        "measures",
        "data",
        "schemas",
        "errors",
        "records",
        "files",
    },
    "simulate": {"estimators", "measures", "data", "schemas", "errors", "records", "files"},
    "study": {
        "models",
        "inference",
        "estimators",
        "measures",
        "data",
        "schemas",
        "errors",
        "records",
        "files",
    },
    "report": {"study", "models", "inference", "estimators", "errors", "records", "files"},
}
KERNELS_NEVER = {"pandas", "statsmodels", "formulaic", "pathlib", "json"}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            assert node.level == 0, f"{path}: imports are absolute, so that the law can be read"
    return names


def rooms_imported(path: Path) -> set[str]:
    parts = (name.split(".") for name in imported(path))
    return {p[1] for p in parts if p[0] == "alc_stats" and len(p) > 1}


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_left(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "cli"):
        pytest.skip("the public list and the command line may see every room")
    forbidden = rooms_imported(path) - LEFT[room] - {room}
    assert not forbidden, f"{room} may not import {sorted(forbidden)}"


@pytest.mark.parametrize(
    "path", sorted((SOURCE / "estimators" / "kernels").glob("*.py")), ids=lambda p: p.name
)
def test_kernels_take_arrays_only(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    # what is compiled is kept by its source, which has to be read
    assert not tops & KERNELS_NEVER - ({"pathlib"} if path.name == "compiled.py" else set())
    assert rooms_imported(path) <= {"errors", "records", "estimators"}
    inside = {name for name in imported(path) if name.startswith("alc_stats.estimators")}
    assert all(name.startswith("alc_stats.estimators.kernels") for name in inside)


def test_the_law_here_is_the_law_on_the_page() -> None:
    table = PAGE.split("## The import law")[1].split("##")[0]
    rooms = re.findall(r"^\| (\w+) \|", table, flags=re.MULTILINE)
    assert [r for r in rooms if r != "room"] == [*LEFT, "cli"]


def test_the_tree_on_the_page_exists() -> None:
    tree = PAGE.split("## The tree")[1].split("```")[1]
    names = re.findall(r"^( *)(\S+)", tree, flags=re.MULTILINE)
    paths = [(ROOT / name) if not indent else (SOURCE / name) for indent, name in names]
    missing = [str(p) for p in paths if not p.exists()]
    assert not missing


def test_every_room_is_on_the_page() -> None:
    tree = PAGE.split("## The tree")[1].split("```")[1]
    rooms = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert all(f"{room}/" in tree for room in rooms)


def test_the_public_list_is_the_public_list() -> None:
    assert alc_stats.__all__ == sorted(alc_stats._ROOM)
    assert all(getattr(alc_stats, name) is not None for name in alc_stats.__all__)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fti'"):
        alc_stats.fti  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "scipy", "statsmodels"}
    code = f"import sys, alc_stats; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_outgrows_its_room() -> None:
    long = {
        str(p.relative_to(ROOT)): n for p in MODULES if (n := len(p.read_text().splitlines())) > 450
    }
    assert not long


def test_no_name_that_says_nothing() -> None:
    assert not [p for p in MODULES if p.stem in {"utils", "helpers", "misc", "common"}]
