"""Files: declarations read, results written whole.

A reader of what is written here sees the old file or the new one, never half of either.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tomllib
from pathlib import Path
from typing import Any

from alc_stats.errors import DeclarationError, OutputError, Problem


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
