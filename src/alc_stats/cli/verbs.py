"""What every verb shares: how it is added to the parser, and the exit codes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
"""argparse has no public name for what `add_subparsers` returns."""

Handler = Callable[[argparse.Namespace], int]

DONE, WRONG, MISUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all is well; the input or a result is wrong; the command line is wrong; stopped."""


def add_verb(
    verbs: Verbs, name: str, handler: Handler, *, summary: str, examples: str
) -> argparse.ArgumentParser:
    """Add a verb with its one-sentence summary and examples; return its parser for arguments."""
    verb = verbs.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(handler=handler)
    return verb
