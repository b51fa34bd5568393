"""Every number of the card as a line: arms, reliabilities, gaming, and other inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alc_stats.estimators.estimate import Estimate
from alc_stats.models.finding import Line
from alc_stats.models.scorecard.data import Role
from alc_stats.models.scorecard.effects import By, Effects, effect, reference, units_decide
from alc_stats.models.scorecard.gaming import Gamed
from alc_stats.models.scorecard.precision import Precision
from alc_stats.records import Number, Phrase


def card_lines(
    found: Effects, known: Mapping[Role, Precision], gamed: Mapping[Role, tuple[Gamed, ...]]
) -> tuple[Line, ...]:
    """What other arms show, then what speaks for and against each metric."""
    return (
        *_other_arms(found), *_other_inference(found), *_true_scores(found, known),
        *_reliabilities(found, known), *_gaming(found, gamed),
    )  # fmt: skip


def _line(found: Effects, own: Estimate, method: str, guards: str, how: str) -> Line:
    return Line.of(own, method, guards, how, level=1.0 - found.alpha)


def _other_arms(found: Effects) -> Iterator[Line]:
    guards = "an arm that nobody asked about"
    for arm in found.data.arms[1:]:
        for role in found.data.roles:
            method = f"{found.data.question.name(role)}, {arm}"
            how = reference(found.data, arm)
            yield _line(found, found.estimates[role, arm], method, guards, how)


def _other_inference(found: Effects) -> Iterator[Line]:
    data = found.data
    few = units_decide(data, found.about)
    other: By = "CR2" if few else "units"
    how = f"t, CR2 by {data.unit_name}" if few else f"Welch t, {data.unit_name} as unit"
    for role, model in found.models.items():
        own = effect(data, model, found.about, by=other)
        method = f"{data.question.name(role)}, {how.split(', ')[1]}"
        yield _line(found, own, method, f"few {data.unit_name}s", how)


def _true_scores(found: Effects, known: Mapping[Role, Precision]) -> Iterator[Line]:
    for role in found.data.roles:
        value = known[role].value
        if value is not None and value > 0.0:
            own = found.rescaled(role, found.about, value**-0.5)
            method = f"{found.data.question.name(role)}, true-score SDs"
            yield _line(found, own, method, "error in the SD, which makes every effect look small",
                        reference(found.data, found.about))  # fmt: skip


def _reliabilities(found: Effects, known: Mapping[Role, Precision]) -> Iterator[Line]:
    for role, own in known.items():
        value, low, high = own.control or (None, None, None)
        yield Line(
            f"Reliability of {found.data.question.name(role).lower()}",
            "a metric too noisy to see an improvement", Phrase(_headed(own.how)), value, low, high,
            reference=f"control arm, {own.how}", unit="ratio",
        )  # fmt: skip
        if own.change is not None:
            yield Line(
                "Reliability of a person's improvement", "people ranked by noise",
                Phrase("Variance of changes beyond the error of their occasions."), own.change,
                reference="control arm, changes of people", unit="ratio",
            )  # fmt: skip


def _gaming(found: Effects, gamed: Mapping[Role, tuple[Gamed, ...]]) -> Iterator[Line]:
    for role, ways in gamed.items():
        for own in ways:
            name = found.data.question.name(role).lower()
            note = Phrase(
                f"{own.strategy.name.capitalize()}: {own.strategy.does}. A gamer moves up by "
                "{person} SD of people; the arm by the value if {share} of its people do it.",
                {"person": Number(own.person, unit="SD"), "share": Number(own.share, "share")},
            )
            yield Line(
                f"Gaming of {name}: {own.strategy.name}", "gamers", note, own.arm(found.about),
                reference=f"{own.strategy.name} applied to the data", unit="SD",
            )  # fmt: skip


def _headed(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
