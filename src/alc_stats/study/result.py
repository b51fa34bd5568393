"""`StudyResult`: everything a study found, as one record that is written to disk whole.

`report` reads these and nothing else, so that it can never refit a model or see a participant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from alc_stats.data.ledger import LedgerRow as LedgerRow  # re-exported: report reads results only
from alc_stats.estimators.fit import Fit
from alc_stats.measures.describe import Descriptive as Descriptive
from alc_stats.measures.scales import Scale as Scale
from alc_stats.models.finding import Finding
from alc_stats.models.picture import Picture
from alc_stats.records import Cell, Number

ExhibitKind = Literal[
    "forest", "trajectory", "distribution", "recovery", "mean_variance", "fan", "caterpillar",
    "picture",
]  # fmt: skip
"""A study declares any but the last, which a finding brings along."""


@dataclass(frozen=True, slots=True)
class SourceUse:
    """A source as it was used: which file, which bytes, under which terms."""

    id: str
    file: str
    sha256: str
    licence: str
    citation: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """The aggregated numbers of one figure. Columns have equal length; never a participant's row.

    `kind` and its columns:

    - "forest": label, value, low, high, group; axis `x`; a reference line at `reference`.
    - "trajectory": panel, group, x, x_label, value, low, high, n; axes `x`, `y`.
    - "distribution": panel, group, left, right, share (sums to 1 in a group); axes `x`, `y`.
    - "recovery": label, truth, value, low, high, inside (1 or 0); axis `x`.
    - "mean_variance": group, x, value; axes `x`, `y`.
    - "fan": group, x, x_label, share (of the quantile), value; axes `x`, `y`.
    - "caterpillar": group, x (place in the order, 0 to 1), value, low, high, people; axes `x`, `y`.
    - "picture": no columns; what a finding shows, in `picture`.

    An axis may name the kind of its numbers as `x_kind` or `y_kind` ("percent", "share").
    """

    id: str
    kind: ExhibitKind
    title: str
    caption: str
    alt: str
    columns: Mapping[str, tuple[Cell, ...]]
    axes: Mapping[str, str] = field(default_factory=dict)
    reference: float | None = None
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A published or known number beside ours."""

    id: str
    expected: float
    obtained: float
    tolerance: float
    reason: str
    source: str
    matches: bool


@dataclass(frozen=True, slots=True)
class StudyResult:
    """One study's outcome.

    Attributes
    ----------
    id, title, question : str
    simulated : bool
        True marks every output of this study SIMULATED.
    status : {"run", "not run"}
    why_not : str
        For "not run": the source that is missing and how to get it.
    citations : tuple of str
        Keys into the paper's bibliography.
    sources, ledger, scales, descriptives, exhibits, findings, checks : tuple of records
    models : mapping of model id to label
        In the order the study declares them.
    fits : mapping of model id to Fit
    failures : mapping of model id to the reason it could not be fitted
    numbers : mapping of id to Number
        Every number that a text may quote, under the id it is quoted by.
    warnings : tuple of str
    seconds : mapping of step name to seconds
    seed : int or None
        Of a simulated study.
    evidence : bool
        Whether its data can speak for or against the theory.
    """

    id: str
    title: str
    question: str
    simulated: bool
    status: Literal["run", "not run"]
    why_not: str = ""
    citations: tuple[str, ...] = ()
    sources: tuple[SourceUse, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    scales: tuple[Scale, ...] = ()
    descriptives: tuple[Descriptive, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    fits: Mapping[str, Fit] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    numbers: Mapping[str, Number] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    evidence: bool = True

    @property
    def slug(self) -> str:
        """The stem of every file this study writes; simulated studies say so in it."""
        return f"{self.id}_SIMULATED" if self.simulated else self.id
