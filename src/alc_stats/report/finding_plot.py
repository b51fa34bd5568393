"""`plot`: the figure of a finding, for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.models.finding import Finding, require_finding
from alc_stats.report import canvas
from alc_stats.report.picture_figures import picture_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(finding: Finding, picture: str | None = None) -> Figure:
    """Draw what a finding shows.

    Parameters
    ----------
    finding : Finding
    picture : str, optional
        Which of its pictures, by id; the first by default.

    Returns
    -------
    matplotlib Figure
        Shown by a notebook as it is; `figure.savefig("figure.pdf")` keeps it.

    Raises
    ------
    DeclarationError
        If the finding has no picture, or none of that id.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from alc_stats.estimators.estimate import Estimate
    >>> from alc_stats.inference import Criterion
    >>> from alc_stats.models.finding import Claim, find
    >>> from alc_stats.models.picture import Mark, Panel, Picture
    >>> rise = Mark(kind="line", label="mandate", x=(0.0, 1.0), y=(0.0, 0.4))
    >>> shown = Picture(id="rise", title="Use", caption="", alt="A line.", x="Wave", y="Use",
    ...                 panels=(Panel(marks=(rise,)),))
    >>> found = find(Claim("H1", "gap", "Use rises."), Estimate("use", 0.4, 0.1, 20.0),
    ...              criterion=Criterion("superiority", 0.2), pictures=(shown,))
    >>> type(plot(found)).__name__
    'Figure'
    """
    require_finding(finding, "plot")
    ids = [p.id for p in finding.pictures]
    wanted = ids[0] if picture is None and ids else picture
    if wanted not in ids:
        raise DeclarationError(
            Problem(
                f"the finding has no picture {picture!r}" if ids else "the finding has no picture",
                where=f"finding {finding.id}",
                allowed=", ".join(ids),
                way_out=did_you_mean(picture or "", ids),
            )
        )
    with canvas.style():
        return picture_figure(finding.pictures[ids.index(wanted)])
