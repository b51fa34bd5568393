"""Writing files whole: a reader sees the old file or the new one, never half of either."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from alc_stats.errors import OutputError, Problem


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write `content` to `path` through a temporary file in the same folder; return `path`.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """
    payload = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(
            Problem("cannot write the file", where=str(path), found=error.strerror or str(error),
                    way_out="Choose a folder you may write to (--out).")
        ) from error
    return path
