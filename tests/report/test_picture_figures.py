"""Every kind of mark is drawn, in the style its label has, and labels are told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alc_stats.errors import DeclarationError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference import Criterion
from alc_stats.models.finding import Claim, Part, find_jointly
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.records import dump, load
from alc_stats.report.figures import draw
from alc_stats.report.finding_plot import plot
from alc_stats.report.picture_figures import picture_figure
from alc_stats.study.exhibits import pictured
from alc_stats.study.result import Exhibit

NAN = float("nan")
MARKS = {
    "points": Mark(kind="points", label="a", x=(0.0, 1.0), y=(1.0, NAN)),
    "line": Mark(kind="line", label="b", x=(0.0, 1.0), y=(1.0, 2.0)),
    "interval": Mark(kind="interval", label="c", x=(0.0,), y=(1.0,), low=(0.5,), high=(1.5,)),
    "band": Mark(kind="band", label="null", x=(0.0, 1.0), low=(0.0, 0.0), high=(1.0, 2.0)),
    "outline": Mark(kind="outline", x=(0.0, 1.0, 1.0), y=(0.0, 0.0, 1.0)),
    "contour": Mark(kind="contour", x=(0.0, 1.0), y=(0.0, 1.0, 2.0), z=tuple(map(float, range(6)))),
    "across": Mark(kind="across", y=(0.0,)),
    "down": Mark(kind="down", x=(0.0,)),
}  # fmt: skip


def _picture(*marks: Mark, panels: int = 1, square: bool = False) -> Picture:
    shown = tuple(Panel(marks=marks, title=f"panel {i}") for i in range(panels))
    return Picture(
        id="shown", title="Title", caption="Caption.", alt="Alt.", x="x", y="y", panels=shown,
        square=square,
    )  # fmt: skip


@pytest.mark.parametrize("kind", MARKS)
def test_a_mark_leaves_something_on_the_axes(kind: str) -> None:
    (ax,) = picture_figure(_picture(MARKS[kind])).axes
    assert len(ax.lines) + len(ax.collections) > 0


def test_a_label_has_one_colour_in_all_panels_and_one_entry_in_the_legend() -> None:
    figure = picture_figure(_picture(MARKS["points"], MARKS["line"], panels=2))
    colours = [[line.get_color() for line in ax.lines] for ax in figure.axes]
    assert colours[0] == colours[1]
    assert len(set(colours[0])) == 2
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["A", "B"]


def test_rows_of_a_forest_stand_below_each_other_under_their_names() -> None:
    row = Mark(
        kind="row", label="a", x=(1.0, 2.0), low=(0.0, 1.0), high=(2.0, 3.0), texts=("u", "v")
    )
    more = Mark(kind="row", label="b", x=(3.0,), low=(2.0,), high=(4.0,), texts=("w",))
    (ax,) = picture_figure(_picture(row, more)).axes
    places = [float(y) for line in ax.lines for y in line.get_ydata()]
    assert places == [0.0, -1.0, -2.0]
    assert [t.get_text() for t in ax.texts] == ["U", "V", "W"]


def test_words_of_axes_and_rows_begin_with_a_capital_but_for_the_letter_of_a_path() -> None:
    row = Mark(kind="row", x=(1.0, 2.0), low=(0.0,) * 2, high=(3.0,) * 2,
               texts=("no_mandate", "a: arm to folk"))  # fmt: skip
    (ax,) = picture_figure(_picture(row)).axes
    assert ax.get_xlabel() == "X"
    assert [t.get_text() for t in ax.texts] == ["No mandate", "a: arm to folk"]


def test_intervals_at_many_places_have_smaller_markers_throughout() -> None:
    def sizes(n: int) -> set[float]:
        many = tuple(map(float, range(n)))
        marks = [
            Mark(kind="interval", label=label, x=x, y=x, low=x, high=x)
            for label, x in (("before", many), ("since", (float(n),)))
        ]
        (ax,) = picture_figure(_picture(*marks)).axes
        return {float(line.get_markersize()) for line in ax.lines}

    few, crowd = sizes(5), sizes(20)
    assert len(few) == len(crowd) == 1
    assert max(crowd) < min(few)


def test_counts_have_whole_ticks() -> None:
    shown = replace(_picture(MARKS["interval"]), x_kind="count")
    (ax,) = picture_figure(shown).axes
    assert all(float(at).is_integer() for at in ax.get_xticks())


def test_a_square_picture_has_one_range() -> None:
    (ax,) = picture_figure(_picture(MARKS["outline"], square=True)).axes
    assert ax.get_xlim() == ax.get_ylim()


def test_exhibits_of_findings_survive_the_disk_and_are_drawn() -> None:
    exhibit = Exhibit(
        "H_shown", "picture", "Title", "Caption.", "Alt.", {}, picture=_picture(MARKS["band"])
    )
    again = load(dump(exhibit), Exhibit)
    assert again == exhibit
    assert draw(again, simulated=True).png.startswith(b"\x89PNG")


def test_plot_names_the_pictures_there_are() -> None:
    estimate_parts = [Part("up", Estimate("up", 1.0, 0.1, 9.0), Criterion("superiority", 0.2))]
    found = find_jointly(
        Claim("H", "gap", "s"), estimate_parts, pictures=(_picture(MARKS["line"]),)
    )
    other = replace(found, id="G")
    assert [(e.id, e.title) for e in pictured([found, other])] == [("H_shown", "Title (H, G)")]
    assert plot(found).axes
    with pytest.raises(DeclarationError, match="shown"):
        plot(found, "show")
