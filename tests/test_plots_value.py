"""Figures of cost and effect: what is drawn, what is refused, legible in both languages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.figures import decision, style

LABELS = {"effect": "人数之差", "cost": "费用", "wtp": "所值（元）", "probability": "可能性（%）"}
DRAWS = pd.DataFrame({"effect": [-2.0, 1.0, 3.0], "cost": [5.0, 6.0, 7.0]})
CURVE = pd.DataFrame({"wtp": [0.0, 100.0, 1e4, 1e6], "probability": [0, 0.1, 0.5, 0.6]})


def test_the_plane_parts_draws_by_the_sign_of_the_effect():
    figure = decision.plane_and_acceptability(DRAWS, CURVE, wtp=1e4, labels=LABELS)
    left, right = figure.axes
    worse, better = (line for line in left.lines[:2])
    assert (len(worse.get_xdata()), len(better.get_xdata())) == (1, 2)
    assert left.get_ylim()[0] == 0
    assert right.lines[0].get_ydata().tolist() == [10, 50, 60]
    assert next(line for line in right.lines if line.get_gid() == "wtp").get_xdata()[0] == 1e4
    assert style.missing_glyphs(figure) == set()


def test_response_curves_share_one_axis_of_gains():
    frame = pd.DataFrame({"level": [1, 2], "gain": [0, 0.1], "low": [-1, -1], "high": [1, 1]})
    figure = decision.response_curves([("每百万人博物馆数", frame)] * 3, ylabel="百分点")
    assert len(figure.axes) == 3
    assert len({axis.get_ylim() for axis in figure.axes}) == 1


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
    lines = {line.get_gid(): line for axis in figure.axes for line in axis.lines}
    assert lines["benefit"].get_ydata().tolist() == [-3, -2, 9]
    assert lines["frontier"].get_ydata().tolist() == [100, 90, 60]
    assert lines["information"].get_ydata().tolist() == [0, 0.1, 60]
    assert lines["wtp"].get_xdata()[0] == 1e4
    assert style.missing_glyphs(figure) == set()
    with pytest.raises(ValueError, match="labels lack information"):
        few = {key: "x" for key in decision.LABELS if key != "information"}
        decision.decision_curves(frame, wtp=1.0, labels=few)
