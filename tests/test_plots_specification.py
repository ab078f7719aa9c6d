"""The specification curve: what is drawn where, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from evaluation.figures import style
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


def points(ax, gid):
    return next(c for c in ax.collections if c.get_gid() == gid).get_offsets().data


def test_estimates_are_sorted_and_the_other_sign_stands_out():
    top = drawn().axes[0]
    np.testing.assert_allclose(points(top, "opposite"), [[0, -0.1]])
    np.testing.assert_allclose(points(top, "same"), [[1, 0.2], [2, 0.3]])
    turned = drawn(sign=-0.5).axes[0]
    assert len(points(turned, "same")) == 1


def test_each_choice_has_a_tick_under_its_estimate():
    bottom = drawn().axes[1]
    segments = bottom.collections[0].get_segments()
    found = {(int(s[0][0]), round(float(s[:, 1].mean()), 6)) for s in segments}
    rows = [tick.get_text() for tick in bottom.get_yticklabels()]
    assert rows == ["期初水平", "人均地区生产总值", "按已知方差", "不加权"]
    y = np.round(bottom.get_yticks(), 6)
    assert found == {(2, y[0]), (1, y[1]), (2, y[1]), (0, y[2]), (1, y[3]), (2, y[3])}


def test_names_fit_the_picture_and_have_glyphs():
    long = {
        "weights": {"known_variance": "weights from the known sampling variances", "none": "无"}
    }
    fig = drawn(choices=long)
    assert style.missing_glyphs(fig) == set()
    width = fig.bbox.width
    for text in fig.findobj(Text):
        box = text.get_window_extent()
        if text.get_text() and text.get_visible() and box.width:
            assert box.x0 >= 0, text.get_text()
            assert box.x1 <= width + 1, text.get_text()


def test_the_same_table_gives_the_same_bytes():
    assert style.figure_png(drawn()) == style.figure_png(drawn())


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
