"""What pages share: packaged templates, and verdicts as words beside shapes."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from alc_stats.inference.decision import Verdict

if TYPE_CHECKING:
    from markupsafe import Markup

SHAPES: dict[Verdict, str] = {
    "supported": '<circle cx="8" cy="8" r="7"/><path d="M4.5 8.2l2.4 2.4 4.6-5" {0}/>',
    "contradicted": '<path d="M8 0l8 8-8 8-8-8z"/>'
    '<path d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2" {0}/>',
    "equivalent": '<rect x="1" y="1" width="14" height="14"/><path d="M4 6h8M4 10h8" {0}/>',
    "inconclusive": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" '
    'stroke-width="2"/><path d="M8 2a6 6 0 0 1 0 12z"/>',
    "not tested": '<path d="M2 8h12" stroke="currentColor" stroke-width="2.5"/>',
}
_STROKE = 'fill="none" stroke="var(--paper)" stroke-width="1.8"'


def pill(verdict: Verdict, words: str = "") -> Markup:
    """A verdict, or other words that look like it; shapes differ, not only colours.

    Examples
    --------
    >>> pill("supported", "better").striptags()
    'better'
    """
    from markupsafe import Markup, escape

    shape = SHAPES[verdict].replace("{0}", _STROKE)
    svg = f'<svg viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">{shape}</svg>'
    look = verdict.replace(" ", "-")
    return Markup(f'<span class="pill {look}">{svg}{escape(words or verdict)}</span>')  # noqa: S704


def packaged(name: str) -> str:
    """The text of a template or style sheet."""
    return resources.files("alc_stats.report").joinpath("templates", name).read_text("utf-8")
