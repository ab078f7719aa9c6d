"""The fan chart: bands nested and named, targets of both kinds, refusals, glyphs, same bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.figures import charts, style

NAMES = {"median": "中位数", "50": "50%", "80": "80%", "95": "95%"}
BREAKS = [(2020, "口径变化")]


def ahead() -> pd.DataFrame:
    years = np.arange(2022, 2036)
    frame = pd.DataFrame({"year": years, "median": 10 + 1.6 * (years - 2022)})
    for level, width in ((50, 0.2), (80, 0.4), (95, 0.6)):
        half = width * (1 + years - 2022)
        frame[f"low_{level}"], frame[f"high_{level}"] = (
            frame["median"] - half,
            frame["median"] + half,
        )
    return frame


def published() -> pd.DataFrame:
    value = np.array([3.0, 5.1, 10.0])
    return pd.DataFrame(
        {"year": [2010, 2015, 2022], "value": value, "low": value - 1, "high": [4, np.nan, 11]}
    )


def targets() -> pd.DataFrame:
    return pd.DataFrame(
        {"year": [2025, 2035], "value": [15.0, 25.0], "label": ["鄂尔多斯目标14%", "全国目标25%"],
         "own": [True, False]}
    )  # fmt: skip


def drawn(**changes):
    arguments = {"published": published(), "ahead": ahead(), "targets": targets()} | changes
    return charts.fan(**arguments, breaks=BREAKS, ylabel="比例（%）", names=NAMES)


def artist(fig, gid: str):
    return next(a for a in fig.axes[0].get_children() if a.get_gid() == gid)


def test_bands_are_nested_and_reach_the_last_year():
    fig = drawn()
    tops = [artist(fig, f"band-{level}").get_paths()[0].vertices for level in (50, 80, 95)]
    assert [v[:, 1].max() for v in tops] == sorted(v[:, 1].max() for v in tops)
    assert all(v[:, 0].max() == 2035 for v in tops)
    assert list(artist(fig, "median").get_xdata()) == list(range(2022, 2036))


def test_own_and_other_targets_are_told_apart():
    fig = drawn()
    own, other = (artist(fig, f"target-{kind}") for kind in ("own", "other"))
    assert (list(own.get_xdata()), list(other.get_xdata())) == ([2025], [2035])
    assert own.get_markeredgecolor() != other.get_markeredgecolor()


def test_every_mark_is_named_directly():
    texts = {text.get_text() for text in drawn().axes[0].texts}
    assert {"中位数", "50%", "80%", "95%", "鄂尔多斯目标14%", "全国目标25%", "口径变化"} <= texts
    assert drawn().axes[0].get_legend() is None


def test_no_label_covers_another():
    fig = drawn()
    renderer = fig.canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for t in fig.axes[0].texts if t.get_text()]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_glyphs_are_there_and_bytes_are_the_same():
    assert style.missing_glyphs(drawn()) == set()
    assert style.figure_png(drawn()) == style.figure_png(drawn())


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"ahead": ahead().drop(columns="low_80")}, "low_80 missing"),
     ({"ahead": ahead().iloc[:1]}, "needs two years or more"),
     ({"targets": targets().drop(columns="own")}, "own missing")],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        drawn(**changes)
    with pytest.raises(ValueError, match="names lacks 95"):
        charts.fan(
            published(), ahead(), targets(), ylabel="", names={"median": "", "50": "", "80": ""}
        )


def test_a_region_without_targets_is_drawn():
    assert drawn(targets=targets().iloc[:0]).axes
