from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any, get_args
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from alc_stats.report import canvas
from alc_stats.report.canvas import COLOURS
from alc_stats.report.figures import draw, recovery
from alc_stats.study.result import Exhibit, ExhibitKind
from report import examples, exhibits

SETTLED = 0.005
"""Share of the picture by which axes may still move: less than the width of a digit."""

EXHIBITS = [e for study in (*examples.studies(), examples.hostile()) for e in study.exhibits]


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda e: e.id)
def test_a_figure_is_the_same_bytes_every_time(exhibit: Exhibit) -> None:
    first, second = draw(exhibit, simulated=True), draw(exhibit, simulated=True)
    assert (first.svg, first.png) == (second.svg, second.png)


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda e: e.id)
def test_a_figure_is_well_formed_and_dateless(exhibit: Exhibit) -> None:
    drawing = draw(exhibit)
    assert ElementTree.fromstring(drawing.svg).tag.endswith("svg")
    assert "<dc:date>" not in drawing.svg
    assert Image.open(io.BytesIO(drawing.png)).width == 1340


def test_all_kinds_of_figure_are_among_the_examples() -> None:
    assert {e.kind for e in EXHIBITS} == set(get_args(ExhibitKind))


def test_drawing_leaves_no_state_behind() -> None:
    before = dict(mpl.rcParams)
    draw(EXHIBITS[0])
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_a_simulated_figure_is_marked_in_picture_and_words() -> None:
    plain, marked = draw(EXHIBITS[0]), draw(EXHIBITS[0], simulated=True)
    assert marked.file_stem == "belief_and_fact_SIMULATED"
    assert marked.alt.startswith("SIMULATED data. ")
    assert marked.caption.startswith("SIMULATED data. ")
    red = np.asarray(Image.open(io.BytesIO(marked.png)).convert("RGB"), dtype=int)
    grey = np.asarray(Image.open(io.BytesIO(plain.png)).convert("RGB"), dtype=int)
    assert reddish(red) > 5 * reddish(grey)


def reddish(picture: np.ndarray[Any, Any]) -> int:
    """Pixels of the watermark's faint red."""
    r, g, b = picture[..., 0], picture[..., 1], picture[..., 2]
    return int(((r > 235) & (g < 240) & (b < 240) & (r - g > 8) & (abs(g - b) < 6)).sum())


def test_words_come_through() -> None:
    exhibit = EXHIBITS[0]
    drawing = draw(exhibit)
    assert (drawing.title, drawing.caption, drawing.alt) == (
        exhibit.title, exhibit.caption, exhibit.alt,
    )  # fmt: skip


def test_percentages_are_shown_as_such() -> None:
    """Texts are drawn as paths, each after a comment that holds them."""
    exhibit = exhibits.percentages()
    texts = re.findall(r"<!-- (.*?) -->", draw(exhibit).svg)
    assert "+18.8 % [+1.3 %, +39.5 %]" in texts
    assert {"0 %", "20 %"} <= set(texts)


def test_labels_are_never_read_as_mathematics() -> None:
    texts = " ".join(re.findall(r"<!-- (.*?) -->", draw(EXHIBITS[-1]).svg))
    assert "$y$" in texts


def test_colours_stay_apart_for_readers_without_red_or_green() -> None:
    """Viénot, Brettel & Mollon (1999): linear RGB projected for deuteranopes and protanopes."""
    linear = (
        np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in COLOURS[:4]]) ** 2.2
    )
    deuteranope = np.array(
        [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]
    )
    protanope = np.array(
        [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]
    )
    for projection in (deuteranope, protanope):
        seen = np.clip(linear @ projection.T, 0.0, 1.0) ** (1 / 2.2)
        apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(apart) > 0.1


def test_every_arm_has_its_panel_over_the_first() -> None:
    texts = re.findall(r"<!-- (.*?) -->", draw(exhibits.three_arms()).svg)
    assert {"Chat only and control", "Tutor and control", "Score (0\u201310)"} <= set(texts)


def test_bins_that_hold_nothing_do_not_widen_the_axis() -> None:
    texts = re.findall(r"<!-- (.*?) -->", draw(exhibits.three_arms()).svg)
    assert "8" in texts
    assert not {"0", "10"} & set(texts)


def test_empty_bins_are_explained_where_there_are_some() -> None:
    words = " Bins with too few cases are left empty."
    assert draw(exhibits.three_arms()).caption == f"Shares.{words}"
    assert not [e.id for e in EXHIBITS if words in draw(e).caption]


def test_a_group_is_not_repeated_under_a_label_that_says_it() -> None:
    said = exhibits.percentages()
    groups = {**said.columns, "label": ("OLS, published", "Ours"), "group": ("OLS", "Random")}
    texts = re.findall(r"<!-- (.*?) -->", draw(replace(said, columns=groups)).svg)
    assert "OLS" not in texts
    assert "Random" in texts


def test_a_saved_figure_has_settled_into_its_final_layout() -> None:
    """Another pass of the layout, with the dots of the file, moves nothing."""
    exhibit = exhibits.recovery()
    labels = ("Slope of quality on use without a mandate", *exhibit.columns["label"][1:])
    with canvas.style():
        figure = recovery(replace(exhibit, columns={**exhibit.columns, "label": labels}))
        engine = figure.get_layout_engine()
        canvas.save(figure, exhibit.title)
        saved = figure.axes[0].get_position().bounds
        figure.set_layout_engine(engine)
        figure.draw_without_rendering()
    assert figure.axes[0].get_position().bounds == pytest.approx(saved, abs=SETTLED)
