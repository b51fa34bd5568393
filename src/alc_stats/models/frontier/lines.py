"""What is said and shown of excess: lines, evidence, figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.finding import Evidence, Line
from alc_stats.models.frontier.fits import LOG_AMOUNT, Excesses
from alc_stats.models.gap.lines import line
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture
from alc_stats.records import BoolArray, FloatArray, Number, Phrase

KEPT = 0.5
"""An effect that keeps less than half of itself under another model is an effect of the model."""
GROUPS = 10


def reference(found: Excesses) -> str:
    """Where intervals and p values come from."""
    if found.data.clusters is None:
        return "normal, rows independent"
    return "t, sandwich by firm"


def frontier_lines(found: Excesses, level: float) -> tuple[Line, ...]:
    """The effect, its parts, other models, the frontier itself, the price."""
    first = line(found.main_effect, _main_name(found), "", reference(found), level=level,
                 unit=LOG_AMOUNT)  # fmt: skip
    return (replace(first, primary=True), *_parts(found, level), *_others(found, level),
            *_price(found), *_frontier(found, level), *_fit(found))  # fmt: skip


def _main_name(found: Excesses) -> str:
    return "Mean excess" if found.data.treated is None else "Effect on mean excess"


def _parts(found: Excesses, level: float) -> Iterator[Line]:
    how = reference(found)
    if found.data.treated is not None:
        for name, value in (("treated", 1.0), ("untreated", 0.0)):
            own = found.derived(lambda t, v=value: found.mean_excess(t, v), name)  # type: ignore[misc]
            yield line(own, f"Mean excess, {name}", "", how, level=level, unit=LOG_AMOUNT)
    k = found.data.X.shape[1]
    for j, name in enumerate(found.data.excess_names[1:], 1):
        own = found.derived(lambda t, at=k + j: float(t[at]), name)  # type: ignore[misc]
        yield line(own, f"Log SD of the excess, {name}", "", how, level=level, unit="log SD")


def _others(found: Excesses, level: float) -> Iterator[Line]:
    how = reference(found)
    if found.data.treated is not None:
        yield _or_why(found.shifted, "With a frontier that the treatment moves",
                      "a model or price that changed for the treated", how, level)  # fmt: skip
    if found.data.Z.shape[1] > 1:
        yield _or_why(found.noisy, "With noise that moves as well",
                      "noise that is taken for excess", how, level)  # fmt: skip
    if found.data.means is not None:
        yield _or_why(found.alike, "With the means of what is given",
                      "tasks that are harder than they look", how, level)  # fmt: skip
    tau = found.data.question.quantile
    yield _or_why(found.by_quantile, f"Distance from the {tau:.0%} quantile's line",
                  "an excess that is not half-normal; noise is in every distance",
                  how, level)  # fmt: skip


def _or_why(own: Estimate | str, method: str, guards: str, how: str, level: float) -> Line:
    if isinstance(own, str):
        return Line(method, guards, Phrase.verbatim(own), unit=LOG_AMOUNT)
    return line(own, method, guards, how, level=level, unit=LOG_AMOUNT)


def _price(found: Excesses) -> Iterator[Line]:
    if found.price is not None:
        value, low, high = found.price
        yield Line("Money of excess per 1,000 of measurable output", "",
                   Phrase("At the prices given."), value, low, high,
                   reference=reference(found), unit="money")  # fmt: skip


def _frontier(found: Excesses, level: float) -> Iterator[Line]:
    for j, name in enumerate(found.data.names):
        own = found.derived(lambda t, at=j: float(t[at]), name)  # type: ignore[misc]
        yield line(own, f"Frontier, {name}", "", reference(found), level=level, unit=LOG_AMOUNT)


def _fit(found: Excesses) -> Iterator[Line]:
    f, k = found.plain, found.data.X.shape[1]
    parts = {"Variance of excess and noise": _total, "Share of the excess in it": _share}
    for name, of in parts.items() if f.certificate.usable else ():
        own = found.derived(lambda t, of=of: of(t[k:]), name, fit=f)  # type: ignore[misc]
        low, high = own.interval()
        yield Line(name, "", value=own.value, low=low, high=high, reference=reference(found),
                   unit="")  # fmt: skip
    yield Line("Log-likelihood", "", value=f.log_likelihood, unit="")
    yield Line("Log-likelihood of least squares", "", value=f.without, unit="")
    yield Line("Likelihood ratio of no excess", "an excess that is noise", value=f.likelihood_ratio,
               p=f.p_mixture, reference="half chi-square 1, half zero", unit="")  # fmt: skip
    if (k := found.main.Z.shape[1] - 1) and found.main.certificate.usable:
        yield Line("Likelihood ratio of no excess and nothing that moves it",
                   "an excess that is noise", value=found.main.likelihood_ratio,
                   p=found.main.p_mixture, unit="",
                   reference=f"half chi-square {k}, half chi-square {k + 1}")  # fmt: skip
    yield Line("Mean efficiency", "", Phrase("Of rows, given what was observed of each."),
               float(found.main.efficiency().mean()), unit="share")  # fmt: skip


def _total(logs: FloatArray) -> float:
    """Of u before it is folded, and of v."""
    return float(np.exp(2.0 * logs[0]) + np.exp(2.0 * logs[1]))


def _share(logs: FloatArray) -> float:
    return float(np.exp(2.0 * logs[0])) / _total(logs)


# -- evidence ------------------------------------------------------------------------------------


def frontier_evidence(found: Excesses, criterion: Criterion) -> tuple[Evidence, ...]:
    """One piece an artefact."""
    return (
        _none(found, criterion), _skew(found),
        *([_other("frontier", found.shifted, found, criterion)]
          if found.data.treated is not None else []),
        *([_other("noise", found.noisy, found, criterion)] if found.data.Z.shape[1] > 1 else []),
        _harder(found, criterion),
        _few(found, criterion), _worth(),
    )  # fmt: skip


def _shown(found: Excesses, criterion: Criterion) -> bool:
    return decide(found.main_effect, criterion).verdict in ("supported", "contradicted")


def _none(found: Excesses, criterion: Criterion) -> Evidence:
    numbers = {"p_none": Number(found.plain.p_mixture, "p"),
               "ratio_none": Number(found.plain.likelihood_ratio, "statistic")}  # fmt: skip
    none = found.plain.p_mixture >= criterion.alpha
    seen = "Likelihood ratio of no excess at all {ratio_none}, p {p_none} (rows as independent)" + (
        ": what is called excess may be noise." if none else "."
    )
    threat = none and _shown(found, criterion)
    return Evidence("no excess at all", "threat" if threat else "clear", Phrase(seen, numbers))


def _skew(found: Excesses) -> Evidence:
    value = found.main.skewness
    wrong = value <= 0.0
    seen = "Residuals of least squares have skewness {skewness} towards the side of excess" + (
        ": there is no sign of any." if wrong else "."
    )
    said_ = Phrase(seen, {"skewness": Number(value)})
    return Evidence("wrong skew", "threat" if wrong else "clear", said_)


def _other(
    what: str, other: Estimate | str, found: Excesses, criterion: Criterion
) -> Evidence:  # fmt: skip
    name = f"a {what} that moves" if what == "frontier" else "noise that moves"
    if isinstance(other, str):
        return Evidence(name, "not tested", Phrase.verbatim(other))
    lost = _lost(found, other, criterion)
    seen = f"Where the {what} may move as well the answer is {{with_{what}}}" + (
        f": what was called excess may be the {what}." if lost else "."
    )
    numbers = {f"with_{what}": Number(other.value, unit=LOG_AMOUNT)}
    return Evidence(name, "threat" if lost else "clear", Phrase(seen, numbers))


def _harder(found: Excesses, criterion: Criterion) -> Evidence:
    """Who has harder tasks needs more for the same quality, and it is no waste."""
    name, other = "tasks harder than they look", found.alike
    if isinstance(other, str):
        return Evidence(name, "not tested", Phrase.verbatim(other))
    lost = _lost(found, other, criterion)
    seen = "Beside the means of what is given, of persons or firms, the answer is {with_means}" + (
        ": what was called excess may be difficulty." if lost else "."
    )
    numbers = {"with_means": Number(other.value, unit=LOG_AMOUNT)}
    return Evidence(name, "threat" if lost else "clear", Phrase(seen, numbers))


def _lost(found: Excesses, other: Estimate, criterion: Criterion) -> bool:
    own = found.main_effect.value
    kept = other.value * math.copysign(1.0, own) >= KEPT * abs(own)
    return _shown(found, criterion) and not kept


def _few(found: Excesses, criterion: Criterion) -> Evidence:
    d = found.data
    if d.clusters is None:
        why = "No firm is named: rows are taken as independent of each other."
        return Evidence("few firms", "not tested", Phrase(why))
    firms = int(d.clusters.max()) + 1
    sides = [firms] if d.treated is None else [
        len(np.unique(d.clusters[d.treated == value])) for value in (0.0, 1.0)
    ]  # fmt: skip
    few = min(sides) <= FEW_TREATED and _shown(found, criterion)
    numbers = {"firms": Number(firms, "count"), "fewest": Number(min(sides), "count")}
    seen = "{firms} firms." if d.treated is None else "{firms} firms, {fewest} on the smaller side."
    return Evidence("few firms", "threat" if few else "clear", Phrase(seen, numbers))


def _worth() -> Evidence:
    why = (
        "Tokens that taught somebody something, or served a quality or a size of the task that "
        "nobody measured, are counted as excess; these data cannot tell."
    )
    return Evidence("exploration and unmeasured quality", "not tested", Phrase(why))


# -- figures -------------------------------------------------------------------------------------


def frontier_pictures(found: Excesses, level: float) -> tuple[Picture, ...]:
    """Amounts above their frontier, and the answer by other models."""
    return _amounts(found), _forest(found, level)


def _amounts(found: Excesses) -> Picture:
    d = found.data
    edge = d.X @ found.main.theta[: d.X.shape[1]]
    groups: list[tuple[str, BoolArray]] = [("observed", np.ones(len(d.y), dtype=bool))]
    if d.treated is not None:
        groups = [("treated", d.treated == 1.0), ("untreated", d.treated == 0.0)]
    marks = [_binned(name, edge[own], d.y[own]) for name, own in groups]
    ends = tuple(float(x) for x in np.quantile(edge, [0.02, 0.98]))
    marks.append(Mark(kind="line", label="frontier", x=ends, y=ends))
    return Picture(
        id="frontier",
        title="Amounts beside what was needed",
        caption=f"Mean log amount of {len(d.y):,} rows in tenths of the frontier, which is the "
        f"{'least' if d.question.side == 'cost' else 'most'} for what was given. The distance from "
        "the line is the mean excess; a tenth of it is about ten per cent.",
        alt="Points of mean amounts by tenths of the frontier, beside the line of the frontier.",
        x="Frontier (log amount)",
        y="Mean log amount",
        panels=(Panel(marks=tuple(marks)),),
    )


def _binned(name: str, edge: FloatArray, y: FloatArray) -> Mark:
    parts = np.array_split(np.argsort(edge, kind="stable"), GROUPS)
    kept = [part for part in parts if len(part) >= FEWEST_PEOPLE]
    return Mark(
        kind="points", label=name, x=tuple(float(edge[p].mean()) for p in kept),
        y=tuple(float(y[p].mean()) for p in kept),
    )  # fmt: skip


def _forest(found: Excesses, level: float) -> Picture:
    rows: list[tuple[str, Estimate | str]] = [("As declared", found.main_effect)]
    if found.data.treated is not None:
        rows.append(("Frontier moves as well", found.shifted))
    if found.data.Z.shape[1] > 1:
        rows.append(("Noise moves as well", found.noisy))
    rows += [("Beside means of what is given", found.alike),
             ("Distance from the quantile's line", found.by_quantile)]  # fmt: skip
    kept = [(name, e) for name, e in rows if not isinstance(e, str)]
    ends = [e.interval(level) for _, e in kept]
    forest = Mark(
        kind="row", texts=tuple(name for name, _ in kept), x=tuple(e.value for _, e in kept),
        low=tuple(low for low, _ in ends), high=tuple(high for _, high in ends),
    )  # fmt: skip
    return Picture(
        id="models",
        title=f"{_main_name(found)} by other models",
        caption=f"With {100 * level:.0f} % intervals ({reference(found)}).",
        alt="A forest of intervals, one row a model.",
        x=f"{_main_name(found)} (log amount)",
        panels=(Panel(marks=(forest, Mark(kind="down", x=(0.0,)))),),
    )
