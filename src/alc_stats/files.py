"""Files: declarations read, results written whole, and texts that do not name the machine.

A reader of what is written here sees the old file or the new one, never half of either.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alc_stats.errors import DeclarationError, OutputError, Problem

_FOLDER_VARIABLE = "ALC_STATS_DATA"
_ADDRESS = r"\b(?!file:)[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>(),;]*"
_BEFORE = r"(?:(?<=file://)|(?<![\w./\\~$%*>})\]-]))"
"""A folder of the machine begins a path: it is never the middle of a relative one."""
_AFTER = r"(?![\w-]|\.\w)"
"""Nor is it the beginning of a longer name, as /home/ann is of /home/anna."""


def read_toml(path: Path, *, absent: Problem) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    DeclarationError
        With `absent` if there is no such file, or with the place where it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DeclarationError(absent) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Problem("is not valid TOML", where=str(path), found=str(error))
        raise DeclarationError(problem) from None


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write `content` to `path` through a temporary file in the same folder; return `path`.

    Text is written as UTF-8 with the line ends it has. The folder is made if it is not there.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to; what was at `path` is still there.
    """
    payload = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_through(temporary, payload)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            Problem(
                "cannot write the file",
                where=str(path),
                found=error.strerror or str(error),
                way_out="Choose a folder you may write to (--out).",
            )
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path


def _write_through(path: Path, payload: bytes) -> None:
    """Write a new file and wait until the disk has it."""
    with path.open("xb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())


def without_machine(text: str) -> str:
    """The text with folders of this machine under short names, fit to be published.

    The home folder becomes `~`, the current one `.`, the data folder `$ALC_STATS_DATA`, the user's
    cache `<cache>` and the folder for temporary files `<temp>`; the longest that fits is taken.
    Web addresses, relative paths and all other text stay as they are.

    Examples
    --------
    >>> without_machine(f"{Path.home()}/run/fit.py and <folder>/metr-2025/data.csv")
    '~/run/fit.py and <folder>/metr-2025/data.csv'
    """
    words: dict[str, str] = {}
    for folder, word in _machine_folders():
        words.setdefault(folder, word)
    longest_first = sorted(words, key=len, reverse=True)
    folders = "|".join(re.escape(folder) for folder in longest_first) or r"(?!)"
    pattern = rf"(?P<address>{_ADDRESS})|{_BEFORE}(?P<folder>{folders}){_AFTER}"
    return re.sub(pattern, lambda hit: hit["address"] or words[hit["folder"]], text)


def _machine_folders() -> Iterator[tuple[str, str]]:
    """Folders as texts may spell them, with their words; the roots of drives are no secret."""
    for folder, word in _known_folders():
        for spelt in (folder, folder.resolve()):
            if spelt.is_absolute() and spelt != Path(spelt.anchor):
                yield str(spelt), word
                yield spelt.as_posix(), word


def _known_folders() -> Iterator[tuple[Path, str]]:
    import pooch

    if data := os.environ.get(_FOLDER_VARIABLE):
        yield Path(data).expanduser(), f"${_FOLDER_VARIABLE}"
    yield Path(pooch.os_cache("alc_stats")), "<cache>"
    with contextlib.suppress(OSError):  # somebody may have removed it
        yield Path.cwd(), "."
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield Path.home(), "~"
    yield Path(tempfile.gettempdir()), "<temp>"
