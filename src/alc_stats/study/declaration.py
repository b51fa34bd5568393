"""A study as data: the frozen records a `study.toml` is read into.

`reading` turns the file into these; `consistency` finds what does not fit together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alc_stats.data.sources import Source
from alc_stats.estimators.error_laws import Family
from alc_stats.estimators.estimate import Direction
from alc_stats.inference.decision import Rule
from alc_stats.models.bunching.data import BunchingQuestion
from alc_stats.models.calibration.data import CalibrationQuestion
from alc_stats.models.decoupling.comparison import DecouplingQuestion
from alc_stats.models.distinct import DistinctQuestion
from alc_stats.models.dose_response.data import DoseQuestion
from alc_stats.models.forecast.data import ForecastQuestion
from alc_stats.models.frontier.data import FrontierQuestion
from alc_stats.models.gap.data import GapQuestion
from alc_stats.models.inversion.data import InversionQuestion
from alc_stats.models.mandate.data import MandateQuestion
from alc_stats.models.mediation.data import MediationQuestion
from alc_stats.models.moderation.data import ModerationQuestion
from alc_stats.models.proxy.data import ProxyQuestion
from alc_stats.models.response_surface.data import SurfaceQuestion
from alc_stats.models.scorecard.data import ScorecardQuestion
from alc_stats.models.shift.data import ShiftQuestion
from alc_stats.models.transfer.data import TransferQuestion
from alc_stats.models.widening.data import Columns
from alc_stats.study.result import ExhibitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the study is and asks.

    `evidence` is False for one that shows a method on data the theory says nothing about: the
    paper leaves it out.
    """

    id: str
    title: str
    question: str
    simulated: bool = False
    evidence: bool = True
    citations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Where a simulated study's data come from: a generator, a truth file and a seed."""

    generator: Literal["reference", "quotas"]
    truth: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDeclared:
    """A table that `prepare.py` returns, and the schema it must satisfy."""

    id: str
    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleDeclared:
    """Items that make one column, named `id`, in `table`."""

    id: str
    label: str
    table: str
    items: tuple[str, ...]
    reversed: tuple[str, ...] = ()
    range: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOneDeclared:
    """Which variables Table 1 describes, and by which groups.

    `person` is the column that tells people apart, so that cells of few people stay hidden; by
    default a row is a person.
    """

    table: str
    by: str
    variables: tuple[str, ...]
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDeclared:
    """One model; its keys are arguments of `alc_stats.fit`, where empty ones take the default.

    With `entity` and `time` it is a panel estimator, with bars in the formula a mixed model, with
    `scale`, `between` or a `family` of errors other than the normal a location-scale model, with
    family = "binomial" a logistic model of an outcome 0 or 1. An infinite end of `bounds` is a side
    without a bound.
    """

    id: str
    label: str
    table: str
    formula: str
    covariance: Literal[
        "model", "HC0", "HC1", "HC2", "HC3", "cluster", "CR0", "CR1", "CR2", "CR3"
    ] = "model"
    cluster: str = ""
    df: Literal[
        "", "normal", "residual", "clusters - 1", "satterthwaite", "kenward-roger", "containment"
    ] = ""
    method: Literal["", "REML", "ML"] = ""
    entity: str = ""
    time: str = ""
    scale: str = ""
    between: str = ""
    family: Family = "gaussian"
    bounds: tuple[float, float] | None = None
    allow_difference_score: bool = False

    @property
    def location_scale(self) -> bool:
        """Whether anything is asked of the spread or the law of errors."""
        laws = self.family != "gaussian" or self.bounds is not None
        return bool(self.scale or self.between) or laws


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastDeclared:
    """A named quantity that texts, figures and checks quote: a linear combination of a model."""

    id: str
    label: str
    model: str
    of: str
    scale: Literal["identity", "percent", "relative"] = "identity"
    relative_to: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisDeclared:
    """A prediction and the rule that decides it, declared before looking.

    It rests on a linear combination `of` a `model`, on a question to a model module, asked of
    `table` under the module's name, or, joining others, on `all_of` them. A module that joins
    parts of its own goes with `rule = "conjunction"`. `band` is that of no difference.
    """

    id: str
    claim: str
    statement: str
    rule: Rule
    family: Literal["confirmatory", "exploratory"] = "confirmatory"
    model: str = ""
    of: str = ""
    table: str = ""
    distinct: DistinctQuestion | None = None
    response_surface: SurfaceQuestion | None = None
    dose_response: DoseQuestion | None = None
    inversion: InversionQuestion | None = None
    mandate: MandateQuestion | None = None
    mediation: MediationQuestion | None = None
    calibration: CalibrationQuestion | None = None
    forecast: ForecastQuestion | None = None
    decoupling: DecouplingQuestion | None = None
    bunching: BunchingQuestion | None = None
    frontier: FrontierQuestion | None = None
    proxy: ProxyQuestion | None = None
    gap: GapQuestion | None = None
    moderation: ModerationQuestion | None = None
    scorecard: ScorecardQuestion | None = None
    shift: ShiftQuestion | None = None
    transfer: TransferQuestion | None = None
    widening: Columns | None = None
    all_of: tuple[str, ...] = ()
    direction: Direction = "greater"
    smallest_effect: float | None = None
    band: float | None = None
    unit: str = ""
    alpha: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhibitDeclared:
    """One figure. Which of the optional keys it needs depends on `kind`; see `_NEEDS`."""

    id: str
    kind: ExhibitKind
    title: str
    caption: str
    alt: str
    x: str
    y: str = ""
    contrasts: tuple[str, ...] = ()
    reference: float | None = None
    table: str = ""
    values: tuple[str, ...] = ()
    by: str = ""
    over: str = ""
    cluster: str = ""
    person: str = ""
    bounds: tuple[float, float] | None = None
    bins: int = 20
    truths: Mapping[str, str] | None = None
    hypothesis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The whole declaration.

    `folders` are where its files are looked for, nearest first: the study's own folder, then
    that of the study it extends.
    """

    study: Header
    folders: tuple[Path, ...]
    tables: tuple[TableDeclared, ...]
    models: tuple[ModelDeclared, ...]
    hypotheses: tuple[HypothesisDeclared, ...]
    sources: tuple[Source, ...] = ()
    simulation: Simulation | None = None
    scales: tuple[ScaleDeclared, ...] = ()
    table1: TableOneDeclared | None = None
    contrasts: tuple[ContrastDeclared, ...] = ()
    exhibits: tuple[ExhibitDeclared, ...] = ()

    def beside(self, name: str) -> Path | None:
        """The file `name` of this study, or of the study it extends; None where there is none."""
        return next((f / name for f in self.folders if (f / name).exists()), None)
