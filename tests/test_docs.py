"""Every example on a page under docs runs and shows what it says."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(page for page in DOCS.glob("*.md") if ">>>" in page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_on_a_page_run(page: Path) -> None:
    flags = doctest.REPORT_NDIFF | doctest.ELLIPSIS
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8", optionflags=flags)
    assert result.attempted > 0
    assert result.failed == 0


def test_there_are_examples() -> None:
    assert [page.name for page in PAGES]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_block_of_code_on_a_page_ends(page: Path) -> None:
    """An open one swallows the prose after it, and the examples still run."""
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            assert not (inside and line != "```"), line
            inside = not inside
    assert not inside
