"""Which inference to lean on when clusters are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alc_stats.errors import DeclarationError, Problem

SmallSampleMethod = Literal["randomisation", "wild bootstrap", "kenward-roger", "CR2"]
FEW_TREATED = 5
"""Up to so many clusters on one side, robust variances rest on those few."""
FEW_CLUSTERS = 12
"""Up to so many clusters, CR2's own degrees of freedom vary much with the design."""

_SENTENCES: dict[SmallSampleMethod, str] = {
    "randomisation": (
        "At most 5 clusters are on one side: the headline p value is from re-assigning the "
        "treatment to clusters, because CR2 and the wild bootstrap rest on those few."
    ),
    "wild bootstrap": (
        "At most 12 clusters: the headline p value is from the wild cluster bootstrap with the "
        "null imposed and Webb's weights; CR2 with Satterthwaite degrees of freedom beside it."
    ),
    "kenward-roger": (
        "At most 12 clusters and a mixed model: the headline p value is Kenward and Roger's, which "
        "trusts the random part; CR2 with Satterthwaite degrees of freedom beside it, which does "
        "not."
    ),
    "CR2": (
        "More than 12 clusters: the headline p value is from CR2 with Satterthwaite degrees of "
        "freedom, to be read with care where these are below 4."
    ),
}


@dataclass(frozen=True, slots=True)
class SmallSampleChoice:
    """A method and the sentence that says why."""

    method: SmallSampleMethod
    sentence: str


def small_sample_choice(
    clusters: int, *, treated: int | None = None, mixed: bool = False
) -> SmallSampleChoice:
    """The inference that is headlined for a contrast, by what the design can bear.

    ============================  =====================  ==========================
    clusters                      least squares          mixed model
    ============================  =====================  ==========================
    5 or fewer on one side        randomisation          randomisation
    12 or fewer                   wild bootstrap (Webb)  Kenward-Roger, CR2 beside it
    more                          CR2, Satterthwaite     CR2, Satterthwaite
    ============================  =====================  ==========================

    The sides count only where whole clusters are treated (MacKinnon and Webb 2017, 2018;
    Pustejovsky and Tipton 2018). The choice depends on the design alone, never on a result.

    Parameters
    ----------
    clusters : int
        At least 2.
    treated : int, optional
        Clusters treated, where treatment is the whole cluster's.
    mixed : bool
        Whether the model has random terms.

    Raises
    ------
    DeclarationError
        For fewer than 2 clusters, or no cluster on one side.

    Examples
    --------
    >>> small_sample_choice(10).method
    'wild bootstrap'
    >>> small_sample_choice(40, treated=3).method
    'randomisation'
    """
    fewest = clusters if treated is None else min(treated, clusters - treated)
    if clusters < 2 or fewest < 1:
        raise DeclarationError(
            Problem(
                "no inference is possible with a single cluster, or none on one side",
                where="small_sample_choice(...)",
                found=f"{clusters} clusters" + ("" if treated is None else f", {treated} treated"),
            )
        )
    method = _method(clusters, fewest if treated is not None else None, mixed=mixed)
    return SmallSampleChoice(method, _SENTENCES[method])


def _method(clusters: int, one_side: int | None, *, mixed: bool) -> SmallSampleMethod:
    if one_side is not None and one_side <= FEW_TREATED:
        return "randomisation"
    if clusters > FEW_CLUSTERS:
        return "CR2"
    return "kenward-roger" if mixed else "wild bootstrap"
