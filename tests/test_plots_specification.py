"""The specification curve: what is drawn where, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drawings import Drawing, faults, missing_glyphs, outline
from evaluation.figures import svg
from evaluation.figures.decision import specification_curve

CHOICES = {
    "covariates": {"opening": "期初水平", "income": "人均地区生产总值"},
    "weights": {"known_variance": "按已知方差", "none": "不加权"},
}
TABLE = pd.DataFrame(
    {
        "estimate": [0.3, -0.1, 0.2, np.nan],
        "covariates": ["opening + income", "", "income", "opening"],
        "weights": ["none", "known_variance", "none", "none"],
    }
)


def drawn(table=TABLE, choices=CHOICES, sign=1.0):
    return specification_curve(table, ylabel="百分点", choices=choices, headline_sign=sign)


def test_estimates_are_sorted_and_the_other_sign_stands_out():
    drawing = Drawing(drawn().svg)
    y = drawing.scale("y")
    (opposite,), same = drawing.points("opposite"), drawing.points("same")
    np.testing.assert_allclose(y(opposite[1]), -0.1, atol=0.005)
    np.testing.assert_allclose(y(same[:, 1]), [0.2, 0.3], atol=0.005)
    assert opposite[0] < same[0, 0] < same[1, 0]
    assert drawing.marks("opposite")[0].get("fill") == svg.ACCENT
    assert len(Drawing(drawn(sign=-0.5).svg).points("same")) == 1


def test_each_choice_has_a_tick_under_its_estimate():
    drawing = Drawing(drawn().svg)
    columns = sorted([*drawing.points("opposite")[:, 0], *drawing.points("same")[:, 0]])
    rows = [text for text in drawing.texts if text.anchor == "end"][-4:]
    assert [row.text for row in rows] == ["期初水平", "人均地区生产总值", "按已知方差", "不加权"]
    found = set()
    for mark in drawing.marks("choice"):
        for start, end in outline(mark).reshape(-1, 2, 2):
            middle = (start[1] + end[1]) / 2
            row = min(range(4), key=lambda i: abs(sum(rows[i].box[1::2]) / 2 - middle))
            found.add((int(np.abs(np.array(columns) - start[0]).argmin()), row))
    assert found == {(2, 0), (1, 1), (2, 1), (0, 2), (1, 3), (2, 3)}


def test_names_fit_the_picture_and_have_glyphs():
    long = {
        "weights": {"known_variance": "weights from the known sampling variances", "none": "无"}
    }
    figure = drawn(choices=long)
    assert missing_glyphs("".join(Drawing(figure.svg).words)) == set()
    assert faults(figure.svg) == faults(figure.narrow) == []


def test_the_same_table_gives_the_same_text():
    assert drawn() == drawn()


@pytest.mark.parametrize(
    ("table", "choices", "message"),
    [
        (TABLE.drop(columns="weights"), CHOICES, "weights missing"),
        (TABLE.assign(estimate=np.nan), CHOICES, "needs estimates"),
        (TABLE, {}, "needs estimates and choices"),
        (TABLE, {"covariates": {"opening": "x"}}, "no name for income of covariates"),
    ],
)
def test_what_cannot_be_drawn_is_refused(table, choices, message):
    with pytest.raises(ValueError, match=message):
        drawn(table, choices)
