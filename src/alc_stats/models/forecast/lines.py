"""The triangulation table of forecasts, and what could have made the result."""

from __future__ import annotations

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion
from alc_stats.models.finding import NOTHING, Evidence, Line, rows_left_out
from alc_stats.models.forecast.data import ForecastAbout
from alc_stats.models.forecast.fits import ABOUT, Judged, Modelled
from alc_stats.records import Number, Phrase

_METHODS: dict[ForecastAbout, str] = {
    "bias": "Bias",
    "resolution": "Resolution",
    "score": "Size of the miss",
}
_PARTS = {
    "score": ("Brier score", "Brier score"),
    "reliability": ("Murphy: reliability (0 is calibrated)", "Brier score"),
    "resolution": ("Murphy: resolution", "Brier score"),
    "uncertainty": ("Murphy: uncertainty", "Brier score"),
    "within": ("Murphy: within bins", "Brier score"),
    "skill": ("Skill against the base rate", "share"),
}


def lines(found: Judged, *, level: float) -> tuple[Line, ...]:
    """Mixed model and rows clustered by person for each question; then the parts of the score."""
    asked = found.data.question.about
    modelled = [_pair(found, about, level, primary=about == asked) for about in ABOUT]
    return (*(line for pair in modelled for line in pair), *_scores(found, level))


def _pair(found: Judged, about: ForecastAbout, level: float, *, primary: bool) -> tuple[Line, ...]:
    model, q = found.models[about], found.data.question
    name = _METHODS[about] + (f" by {q.by}" if q.by else "")
    random = [*(["people"] if found.data.repeated else []), *(["items"] if q.item else [])]
    how = f", {' and '.join(random)} random" if random else ""
    differ = "People differ in level and effect" if model.slopes else "People differ in level"
    differ = f"{differ}." if found.data.repeated else "Each person made one forecast."
    return (
        _line(model.estimate, f"{name}{how}", "forecasts of one person, or of one "
              "item, taken as independent", Phrase(differ), _reference(model), level,
              primary=primary),
        _line(model.clustered, f"{name}, clustered by person", "wrong random effects", Phrase(""),
              "t, CR2 Satterthwaite", level),
    )  # fmt: skip


def _reference(model: Modelled) -> str:
    request = model.fit.request
    df = {"kenward-roger": "Kenward-Roger"}.get(request.df, request.df.capitalize())
    return f"t, CR2 {df}" if request.covariance == "CR2" else f"t, {df}"


def _line(
    e: Estimate, method: str, guards: str, note: Phrase, how: str, level: float,
    *, primary: bool = False,
) -> Line:  # fmt: skip
    return Line.of(e, method, guards, how, level=level, note=note, primary=primary)


def _scores(found: Judged, level: float) -> tuple[Line, ...]:
    if found.correlation is not None:
        r, low, high = found.correlation
        return (
            Line("Correlation within people", "people who differ in the size of what they forecast",
                 NOTHING, r, low, high, None, None, "bootstrap of people", "correlation"),
        )  # fmt: skip
    if found.parts is None or found.draws is None or found.area is None:
        return ()
    crossed = found.data.question.item is not None
    how = "bootstrap of people and items" if crossed else "bootstrap of people"
    made = []
    for part, (method, unit) in _PARTS.items():
        low, high = found.draws.interval(part, level)
        made.append(
            Line(method, _GUARDS.get(part, ""), Phrase(_NOTES.get(part, "")),
                 float(getattr(found.parts, part)), low, high, None, None, how, unit)
        )  # fmt: skip
    area = Line(
        "Discrimination, area under the ROC", "a bias that hides what people can tell apart",
        Phrase("0.5 is chance."), found.area, None, None, None, None, "", "probability",
    )  # fmt: skip
    return (*made, area)


_GUARDS = {
    "score": "a bias that two kinds of miss cancel out",
    "skill": "a base rate that makes the score look good",
}
_NOTES = {
    "reliability": "Zero only without sampling error: bins of few answers lie off the diagonal by "
    "chance alone.",
    "within": "What ten bins hide; the parts add up to the score with it.",
}


def all_evidence(found: Judged, estimate: Estimate, criterion: Criterion) -> tuple[Evidence, ...]:
    """Certificate, random effects, few people, items, rows left out."""
    model = found.models[found.data.question.about]
    return (
        _certificate(model),
        _agreement(model, estimate, criterion),
        _few(found),
        _items(found),
        rows_left_out(found.data.left_out, len(found.data.rows)),
    )


def _certificate(model: Modelled) -> Evidence:
    usable = model.fit.certificate.usable
    said = "reached" if usable else "did not reach"
    return Evidence(
        "certificate", "clear" if usable else "threat",
        Phrase(f"The mixed model {said} its maximum, by its certificate."),
    )  # fmt: skip


def _agreement(model: Modelled, estimate: Estimate, criterion: Criterion) -> Evidence:
    """A threat only where clustered rows see the opposite of what the mixed model sees."""
    other = model.clustered
    seen = estimate.p_value < criterion.alpha
    opposed = estimate.value * other.value < 0.0 and other.p_value < criterion.alpha
    numbers = {"clustered": Number(other.value), "clustered_p": Number(other.p_value, "p")}
    return Evidence(
        "random effects", "threat" if seen and opposed else "clear",
        Phrase("Rows clustered by person give {clustered}, p {clustered_p}.", numbers),
    )  # fmt: skip


def _few(found: Judged) -> Evidence:
    numbers = {"few_people": Number(found.data.people, "count")}
    few = found.choice.method == "randomisation"
    return Evidence(
        "few people", "threat" if few else "clear",
        Phrase(f"{{few_people}} people. {_rule(found)}", numbers),
    )  # fmt: skip


def _rule(found: Judged) -> str:
    crossed = found.data.question.item is not None and found.choice.method == "CR2"
    return _CROSSED if crossed else found.choice.sentence


_CROSSED = (
    "More than 12, crossed with items: the headline p value is from the mixed model with "
    "Satterthwaite degrees of freedom; CR2 by person, which knows no items, beside it."
)


def _items(found: Judged) -> Evidence:
    if found.data.question.item:
        return Evidence("items", "clear", Phrase("Items are drawn at random in the model."))
    return Evidence("items", "not tested", Phrase("Nothing says which forecasts were of the same."))
