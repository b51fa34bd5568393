"""Compilation of kernels, kept on disk until any of their sources changes.

numba keeps compiled functions beside the file they stand in and looks at that file alone: a
function that calls one of another file would go on doing what that file said when it was compiled.
Here the key of what is kept holds the sources of all kernels.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache


@functools.cache
def _sources() -> str:
    """A hash of all kernels' sources."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


class _Kept(FunctionCache):
    """numba's cache of one function, with the sources in its key."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _sources())  # type: ignore[no-untyped-call]


def compiled(function: Any) -> Any:
    """Compile at the first call, once for all sessions; other threads run meanwhile."""
    dispatcher: Any = njit(nogil=True)(function)
    dispatcher._cache = _Kept(function)  # type: ignore[no-untyped-call]  # noqa: SLF001 - as numba does
    return dispatcher
