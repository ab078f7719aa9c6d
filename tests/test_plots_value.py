"""Figures of cost and effect: what is drawn, what is refused, legible in both languages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drawings import Drawing, faults, missing_glyphs
from evaluation.figures import decision

LABELS = {"effect": "人数之差", "cost": "费用", "wtp": "所值（元）", "probability": "可能性（%）"}
DRAWS = pd.DataFrame({"effect": [-2.0, 1.0, 3.0], "cost": [5.0, 6.0, 7.0]})
CURVE = pd.DataFrame({"wtp": [0.0, 100.0, 1e4, 1e6], "probability": [0, 0.1, 0.5, 0.6]})


def checked(figure) -> Drawing:
    drawing = Drawing(figure.svg)
    assert missing_glyphs("".join(drawing.words)) == set()
    assert faults(figure.svg) == faults(figure.narrow) == []
    return drawing


def test_the_plane_parts_draws_by_the_sign_of_the_effect():
    figure = decision.plane_and_acceptability(DRAWS, CURVE, wtp=1e4, labels=LABELS)
    drawing = checked(figure)
    assert [drawing.marks(side)[0].get("d").count("M") for side in ("worse", "better")] == [1, 2]
    left, right = drawing.ticks("y")
    assert left[0].text == right[0].text == "0"
    shown = drawing.points("probability")
    np.testing.assert_allclose(drawing.scale("y", right)(shown[:, 1]), [10, 50, 60], atol=0.3)
    x = [text for text in drawing.ticks("x")[-1] if text.x > right[0].x]
    found = drawing.scale("x", x, log=True)(drawing.points("wtp")[0, 0])
    assert found == pytest.approx(1e4, rel=0.02)


def test_response_curves_share_one_axis_of_gains():
    frame = pd.DataFrame({"level": [1, 2], "gain": [0, 0.1], "low": [-1, -1], "high": [1, 1]})
    other = frame.assign(low=-0.2, high=0.3)
    drawing = checked(decision.response_curves(
        [("每百万人博物馆数", frame), ("a", other), ("b", other)], ylabel="百分点"
    ))  # fmt: skip
    axes = drawing.ticks("y")
    assert len(axes) == len(drawing.marks("gain")) == 3
    assert len({tuple((text.text, text.y) for text in axis) for axis in axes}) == 1


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="labels lack probability"):
        few = {key: LABELS[key] for key in ("effect", "cost", "wtp")}
        decision.plane_and_acceptability(DRAWS, CURVE, wtp=1.0, labels=few)
    with pytest.raises(ValueError, match="nothing to draw"):
        decision.response_curves([], ylabel="")
    with pytest.raises(ValueError, match="response curve"):
        decision.response_curves([("a", pd.DataFrame({"level": np.arange(2)}))], ylabel="")


def test_a_decision_is_drawn_by_what_a_unit_is_worth():
    frame = pd.DataFrame(
        {"wtp": [0.0, 100.0, 1e4, 1e6], "benefit": [-3, -3, -2, 9], "low": [-4, -4, -5, -300],
         "high": [-2, -2, 1, 300], "frontier": [1, 1, 0.9, 0.6], "information": [0, 0, 0.1, 60]}
    )  # fmt: skip
    labels = dict.fromkeys(decision.LABELS, "人均元")
    figure = decision.decision_curves(frame, wtp=1e4, labels=labels)
    drawing = checked(figure)
    wanted = {"benefit": [-3, -2, 9], "frontier": [100, 90, 60], "information": [0, 0.1, 60]}
    for axis, (name, values) in zip(drawing.ticks("y"), wanted.items(), strict=True):
        found = drawing.scale("y", axis)(drawing.points(name)[:, 1])
        np.testing.assert_allclose(found, values, atol=0.01 * (np.ptp(values) + 200))
    assert len(drawing.marks("wtp")) == 3
    with pytest.raises(ValueError, match="labels lack information"):
        few = {key: "x" for key in decision.LABELS if key != "information"}
        decision.decision_curves(frame, wtp=1.0, labels=few)
