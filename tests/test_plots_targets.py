"""The fan chart: bands nested and named, targets of both kinds, refusals, glyphs, same bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drawings import Drawing, faults, missing_glyphs, outline
from evaluation.figures import charts, svg

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


def test_bands_are_nested_and_reach_the_last_year():
    drawing = Drawing(drawn().svg)
    x, y = drawing.scale("x"), drawing.scale("y")
    bands = [outline(*drawing.marks(f"band-{level}")) for level in (50, 80, 95)]
    tops = [y(band[:, 1].min()) for band in bands]
    np.testing.assert_allclose(tops, [30.8 + 14 * half for half in (0.2, 0.4, 0.6)], atol=0.1)
    assert all(round(float(x(band[:, 0].max()))) == 2035 for band in bands)
    line = drawing.points("median")
    assert np.round(x(line[:, 0])).tolist() == list(range(2022, 2036))
    np.testing.assert_allclose(y(line[:, 1]), ahead()["median"], atol=0.1)


def test_own_and_other_targets_are_told_apart():
    drawing = Drawing(drawn().svg)
    x, y = drawing.scale("x"), drawing.scale("y")
    (own,), (other,) = (drawing.points(f"target-{kind}") for kind in ("own", "other"))
    found = [round(float(scale(at))) for at, scale in zip([*own, *other], (x, y) * 2, strict=True)]
    assert found == [2025, 15, 2035, 25]
    colours = [drawing.marks(f"target-{kind}")[0].get("stroke") for kind in ("own", "other")]
    assert colours == [svg.ACCENT, svg.MID]


def test_every_mark_is_named_directly():
    for given in (drawn().svg, drawn().narrow):
        assert {
            "中位数", "50%", "80%", "95%", "鄂尔多斯目标14%", "全国目标25%", "口径变化"
        } <= {word.replace(" ", "") for word in Drawing(given).words}  # fmt: skip


def test_no_label_covers_another():
    assert faults(drawn().svg) == faults(drawn().narrow) == []


def test_glyphs_are_there_and_the_text_is_the_same():
    assert missing_glyphs("".join(Drawing(drawn().svg).words)) == set()
    assert drawn() == drawn()


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
    drawing = Drawing(drawn(targets=targets().iloc[:0]).svg)
    assert drawing.marks("median") and not drawing.marks("target-own")
