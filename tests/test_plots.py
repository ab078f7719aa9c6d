"""Figures: what is refused, what is drawn where, legible in Chinese and English, same bytes."""

from __future__ import annotations

import io
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from evaluation.figures import charts, style
from evaluation.figures.labels import stack, wrap

NAMES = ["鄂尔多斯", "呼和浩特", "巴彦淖尔", "亳州", "儋州", "黔南", "磴口"]
STATES = {"published": "已公布", "flagged": "口径有变", "missing": "未公布"}
PARTS = {"region": "儋州", "band": "西部中位数"}


def series() -> pd.DataFrame:
    rows = [
        ("鄂尔多斯市", y, v, v - 1.2, v + 1.1, "region")
        for y, v in [
            (2015, 5.1),
            (2018, 7.9),
            (2020, 9.8),
            (2022, 12.1),
            (2023, 13.6),
            (2024, 14.9),
        ]
    ]
    rows += [("全国", y, v, np.nan, np.nan, "nation") for y, v in [(2010, 3.3), (2024, 15.4)]]
    rows += [("西部地区", y, v, np.nan, np.nan, "band") for y, v in [(2015, 4.3), (2024, 13.1)]]
    rows += [("Inner Mongolia Autonomous Region", 2023, 13.2, np.nan, np.nan, "parent")]
    return pd.DataFrame(rows, columns=["name", "year", "value", "low", "high", "role"])  # fmt: skip


def targets() -> pd.DataFrame:
    return pd.DataFrame(
        {"year": [2025, 2030], "value": [15, 25], "label": ["目标 15%", "2030: 25%"]}
    )


BREAKS = [(2020, "2020年起:面访与网络结合"), (2022, "2022: 100-point scale")]


def intervals(count: int = 7) -> pd.DataFrame:
    value = np.linspace(3, -1, count)
    names = [NAMES[i % 7] + (str(i) if i > 6 else "") for i in range(count)]
    ends = {"low": value - 0.7, "high": value + 0.9}
    return pd.DataFrame({"name": names, "value": value, **ends, "highlight": np.arange(count) == 3})


def estimates() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["场馆:每万人建筑面积", "Staff and volunteers", "活动", "经费"],
            "estimate": [0.12, -0.05, 0.3, np.nan],
            "low": [-0.2, -0.3, -np.inf, np.nan],
            "high": [0.44, np.nan, np.inf, np.nan],
            "note": ["+0.12(−0.20 至 0.44)", "−0.05 (−0.30 to –)", "∞", "不可检验"],
        }
    )


def standing() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": [
                "每万人科普专职人员",
                "Floor area of science venues per 10,000 residents (m²)",
            ],
            "percentile": [88.0, 12.5],
            "value_text": ["3.4 人", "128 m²"],
            "band_percentile": [50.0, np.nan],
        }
    )


def peers() -> pd.DataFrame:
    return pd.DataFrame({"name": NAMES, "value": [9.6, 13.9, 6.9, 9.6, 13.8, 14.9, 6.6]})


def marks() -> pd.DataFrame:
    rows = [("鄂尔多斯 14.9", 14.9, "region"), ("2025 target 15", 15.0, "target"),
            ("全国 15.0", 15.02, "nation"), ("Autonomous region 14.8", 14.8, "other")]  # fmt: skip
    return pd.DataFrame(rows, columns=["label", "value", "kind"])


def points() -> pd.DataFrame:
    x = np.array([0.5, 1, 1.1, 2, 4, 4.2, 9])
    y = np.array([0.6, 0.7, 0.72, 1.0, 0.9, 0.93, 1.3])
    ends = {"y_low": y - 0.3, "y_high": y + 0.2}
    return pd.DataFrame({"name": NAMES, "x": x, "y": y, **ends, "highlight": x == 1.1})


def waves() -> pd.DataFrame:
    rows = [("亳州", 2020, "flagged"), ("亳州", 2022, "published"), ("儋州", 2022, "missing")]
    return pd.DataFrame(rows, columns=["region", "year", "state"])


def inputs() -> pd.DataFrame:
    rows = [("经费(元/人)", 2014 + k, 3 + k, "old" if k < 4 else "new") for k in range(8)]
    rows += [("Venues (m²)", 2014 + k, np.nan if k == 3 else 1200.0 * k, "one") for k in range(8)]
    return pd.DataFrame(rows, columns=["panel", "year", "value", "series"])


def gains() -> pd.DataFrame:
    rows = [("2015–2018", 0.83, 1.0, 0.2, 1.8), ("2018–2020", -0.4, 1.1, 0.1, 2.1),
            ("2020–2022", 0.66, np.nan, np.nan, np.nan)]  # fmt: skip
    return pd.DataFrame(rows, columns=["label", "observed", "expected", "low", "high"])


def _expected(frame: pd.DataFrame):
    return charts.expected(frame, xlabel="百分点", names={"observed": "实际", "expected": "预期"})


def _profile(frame: pd.DataFrame):
    return charts.profile(frame, xlabel="百分位", names=PARTS)


# Name → (function of its first frame, that frame): every figure the reports use.
FIGURES = {
    "trend": (lambda f: charts.trend(f, targets(), BREAKS, ylabel="比例(%)"), series),
    "ranking": (lambda f: charts.ranking(f, xlabel="%", reference=(0.6, "全国 0.6")), intervals),
    "forest": (lambda f: charts.forest(f, xlabel="百分点"), estimates),
    "profile": (_profile, standing),
    "strip": (lambda f: charts.strip(f, marks(), xlabel="%", label_names=NAMES), peers),
    "scatter": (
        lambda f: charts.scatter(f, xlabel="元", ylabel="点", label_names=NAMES, log2=True),
        points,
    ),
    "coverage": (lambda f: charts.coverage(f, states=STATES), waves),
    "expected": (_expected, gains),
    "small_multiples": (lambda f: charts.small_multiples(f, ylabel="水平"), inputs),
}  # fmt: skip


def draw(name: str):
    function, frame = FIGURES[name]
    return function(frame())


def texts(fig) -> list[Text]:
    unseen = set()  # tick labels beyond the axis limits exist but are not drawn
    for axis in (axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        unseen |= {id(t.label1) for t in ticks if not low <= t.get_loc() <= high}
        unseen |= {id(t.label2) for t in ticks if not low <= t.get_loc() <= high}
    found = [t for t in fig.findobj(Text) if t.get_visible() and t.get_text().strip()]
    return [t for t in found if id(t) not in unseen]


def boxes(fig) -> list[tuple[str, object]]:
    fig.draw_without_rendering()  # legends take their place when they are drawn
    renderer = fig.canvas.get_renderer()
    return [(t.get_text(), Text.get_window_extent(t, renderer)) for t in texts(fig)]


def segments(ax, gid: str | None = None) -> list[np.ndarray]:
    found = [c for c in ax.collections if isinstance(c, LineCollection) and c.get_gid() == gid]
    return [segment for collection in found for segment in collection.get_segments()]


@pytest.mark.parametrize("name", FIGURES)
def test_missing_column_is_named(name):
    function, frame = FIGURES[name]
    column = frame().columns[-1]
    with pytest.raises(ValueError, match=rf"{name}.*{column} missing"):
        function(frame().drop(columns=column))


@pytest.mark.parametrize("name", [n for n in FIGURES if n not in ("trend", "strip")])
def test_empty_frame_is_refused(name):
    function, frame = FIGURES[name]
    with pytest.raises(ValueError, match=name):
        function(frame().iloc[:0])


def test_trend_and_strip_refuse_when_neither_values_nor_marks():
    with pytest.raises(ValueError, match="neither a value nor a target"):
        charts.trend(series().assign(value=np.nan), targets().iloc[:0], ylabel="%")
    with pytest.raises(ValueError, match="no value"):
        charts.strip(peers().iloc[:0], marks().iloc[:0], xlabel="%")


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="city unknown; allowed: parent, band, nation, region"):
        charts.trend(series().assign(role="city"), ylabel="%")
    with pytest.raises(ValueError, match="guess unknown"):
        charts.coverage(waves().assign(state="guess"), states=STATES)
    with pytest.raises(ValueError, match="goal unknown"):
        charts.strip(peers(), marks().assign(kind="goal"), xlabel="%")
    with pytest.raises(ValueError, match="between 0 and 100"):
        _profile(standing().assign(percentile=101.0))
    with pytest.raises(ValueError, match="x above zero"):
        charts.scatter(points().assign(x=0.0), xlabel="", ylabel="", log2=True)
    with pytest.raises(ValueError, match="more than one row for region, 鄂尔多斯市, 2015"):
        charts.trend(pd.concat([series(), series().head(1)]), ylabel="%")


@pytest.mark.parametrize("name", FIGURES)
def test_no_missing_glyphs(name):
    assert style.missing_glyphs(draw(name)) == set()


@pytest.mark.filterwarnings("ignore:Glyph")
def test_missing_glyphs_are_found():
    with style.figure(1) as fig:
        fig.text(0.1, 0.5, "磴口 \U000f0000 −1 \u0378")
    assert style.missing_glyphs(fig) == {"\U000f0000", "\u0378"}


@pytest.mark.parametrize("name", FIGURES)
def test_texts_neither_overlap_nor_leave_the_figure(name):
    fig = draw(name)
    found = boxes(fig)
    page = fig.bbox.padded(1)
    assert [t for t, b in found if b.x0 < page.x0 or b.x1 > page.x1 or b.y1 > page.y1] == []
    # Two lines of text may touch by the font's descent, no more.
    inner = [(t, b.padded(-1.5)) for t, b in found]
    assert [(a, b) for (a, p), (b, q) in combinations(inner, 2) if p.overlaps(q)] == []


def test_labels_of_coinciding_lines_do_not_overlap():
    rows = [(f"{name}自治区", y, v + k / 50, np.nan, np.nan, role)
            for k, (name, role) in enumerate(zip(NAMES, ["region", *["band"] * 6], strict=True))
            for y, v in [(2022, 12.9), (2025, 15.4)]]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["name", "year", "value", "low", "high", "role"])
    found = boxes(charts.trend(frame, ylabel="%"))
    labels = [(t, b) for t, b in found if "自治区" in t]
    assert len(labels) == 7
    assert [1 for (_, p), (_, q) in combinations(labels, 2) if p.overlaps(q)] == []


def test_trend_intervals_targets_and_breaks():
    ax = charts.trend(series(), targets(), BREAKS, ylabel="%").axes[0]
    region = series().query("role == 'region'")
    drawn = sorted((s[0, 0], s[0, 1], s[1, 1]) for s in segments(ax))
    np.testing.assert_allclose(drawn, region[["year", "low", "high"]].to_numpy())
    diamonds = next(line for line in ax.lines if line.get_marker() == "D")
    np.testing.assert_allclose(diamonds.get_xydata(), [[2025, 15], [2030, 25]])
    accent = [line for line in ax.lines if line.get_color() == style.ACCENT and
              len(line.get_xdata()) == 2 and line.get_linestyle() in ("-", "--")]  # fmt: skip
    dashed = {tuple(line.get_xdata()) for line in accent if line.is_dashed()}
    assert dashed == {(2018, 2020), (2020, 2022)}
    assert {tuple(line.get_xdata()) for line in accent} - dashed == {
        (2015, 2018), (2022, 2023), (2023, 2024),
    }  # fmt: skip


@pytest.mark.parametrize("rows", [slice(0, 1), slice(6, 8)])
def test_trend_of_one_point_or_without_the_region(rows):
    frame = series().iloc[rows]
    fig = charts.trend(frame, ylabel="%")
    assert frame["name"].iloc[0] in {t.get_text() for t in texts(fig)}
    assert fig.axes[0].get_ylim()[0] == 0


def test_ranking_sorts_and_draws_the_ends_given():
    frame = intervals().sample(frac=1, random_state=1)
    frame.loc[2, ["low", "high"]] = np.nan
    ax = charts.ranking(frame, xlabel="%").axes[0]
    ends = [tuple(s[:, 0]) for s in segments(ax, "interval")]
    wanted = intervals()[["low", "high"]].to_numpy(copy=True)
    wanted[2] = intervals()["value"][2]  # no interval published: a dot alone
    np.testing.assert_allclose(ends, wanted)
    assert [t.get_text() for t in ax.get_yticklabels()] == NAMES
    assert [t.get_color() for t in ax.get_yticklabels()].index(style.ACCENT_TEXT) == 3
    values = [line.get_xdata()[0] for line in ax.lines if line.get_gid() == "value"]
    np.testing.assert_allclose(values, intervals()["value"])


def test_ranking_holds_31_rows():
    fig = charts.ranking(intervals(31), xlabel="%")
    rows = [b for t, b in boxes(fig) if t.startswith(tuple(NAMES))]
    assert len(rows) == 31
    assert not any(p.padded(-1).overlaps(q) for p, q in combinations(rows, 2))


def test_forest_draws_open_ends_as_arrows():
    ax = charts.forest(estimates(), xlabel="%", limits=(-0.25, 0.5)).axes[0]
    arrows = {(a.get_ydata()[0], a.get_marker()) for a in ax.lines if a.get_gid() == "arrow"}
    # Row 1 starts left of the limits and has no upper end; row 2 is unbounded; row 3 is empty.
    assert arrows == {(1, "<"), (1, ">"), (2, "<"), (2, ">")}
    ends = {s[0, 1]: tuple(s[:, 0]) for s in segments(ax, "interval") if len(s)}
    assert ends == {0: (-0.2, 0.44), 1: (-0.25, 0.5), 2: (-0.25, 0.5)}
    zero = [line for line in ax.lines if list(line.get_xdata()) == [0, 0]]
    assert len(zero) == 1
    assert "不可检验" in {t.get_text() for t in ax.texts}


def test_profile_marks_stand_at_their_percentiles():
    ax = _profile(standing()).axes[0]
    marks_of = {line.get_gid(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(marks_of["region"], [[88, 0], [12.5, 1]])
    np.testing.assert_allclose(marks_of["band"][0], [50, 0])


def test_expected_bar_spans_its_interval_and_rows_without_one_are_left_out():
    ax = draw("expected").axes[0]
    (bars,) = [c for c in ax.collections if isinstance(c, LineCollection) and c.get_gid()]
    assert [part[:, 0].tolist() for part in bars.get_segments()] == [[0.2, 1.8], [0.1, 2.1]]
    (dots,) = [line for line in ax.lines if line.get_gid() == "observed"]
    assert dots.get_xdata().tolist() == [0.83, -0.4]
    assert ax.get_xlim()[0] < -0.4 and [t.get_text() for t in ax.get_yticklabels()] == [
        "2015–2018",
        "2018–2020",
    ]
    with pytest.raises(ValueError, match="names lacks expected"):
        charts.expected(gains(), xlabel="", names={"observed": "x"})


def test_strip_keeps_every_value_and_hides_none():
    ax = charts.strip(peers(), marks(), xlabel="%").axes[0]
    dots = max((line.get_xydata() for line in ax.lines), key=len)
    np.testing.assert_allclose(np.sort(dots[:, 0]), np.sort(peers()["value"]))
    assert len({tuple(dot) for dot in dots}) == len(dots)
    lines = {
        line.get_gid(): line.get_xdata()[0] for line in ax.lines if line.get_gid() in charts.MARKS
    }
    assert lines == dict(zip(marks()["kind"], marks()["value"], strict=True))


def test_stacked_dots_of_a_level_are_a_width_apart():
    values = np.sort(np.random.default_rng(5).normal(size=200))
    levels = stack(values, 0.1)
    for level in np.unique(levels):
        assert np.all(np.diff(values[levels == level]) >= 0.1)


def test_scatter_whiskers_and_doubling_ticks():
    fig = draw("scatter")
    drawn = np.array([[s[0, 0], s[0, 1], s[1, 1]] for s in segments(fig.axes[0])])
    wanted = points()[["x", "y_low", "y_high"]].to_numpy()
    np.testing.assert_allclose(drawn[drawn[:, 0].argsort()], wanted)
    ticks = [t.get_text() for t in fig.axes[0].get_xticklabels()]
    assert ticks == ["0.5", "1", "2", "4", "8"]


def test_coverage_counts_a_pair_without_a_row_as_missing():
    ax = draw("coverage").axes[0]
    tiles = [p for p in ax.patches if isinstance(p, Rectangle)]
    centre = {(round(p.get_x() + 0.46), round(p.get_y() + 0.38)): p.get_gid() for p in tiles}
    assert centre == {(0, 0): "flagged", (1, 0): "published", (0, 1): "missing", (1, 1): "missing"}


def test_no_line_joins_two_series_or_a_missing_year():
    first, second = draw("small_multiples").axes
    years = [set(line.get_xdata()) for line in first.lines]
    assert years == [{2014, 2015, 2016, 2017}, {2018, 2019, 2020, 2021}]
    assert np.isnan(second.lines[0].get_ydata()[3])


@pytest.mark.parametrize("name", FIGURES)
def test_png_is_small_deterministic_and_at_page_width(name):
    png = style.figure_png(draw(name))
    assert png == style.figure_png(draw(name))
    assert len(png) < 90_000
    image = Image.open(io.BytesIO(png))
    assert image.size[0] == 1080
    assert set(image.info) <= {"dpi", "transparency"}  # neither date nor software
    assert image.convert("RGB").getpixel((0, image.size[1] - 1)) == (255, 255, 255)


def test_callers_settings_neither_leak_in_nor_change():
    plain_bytes = style.figure_png(draw("trend"))
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.bbox": "tight"}):
        before = dict(mpl.rcParams)
        assert style.figure_png(draw("trend")) == plain_bytes
        assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_figure_shows_itself_with_the_same_bytes():
    fig = draw("ranking")
    assert fig._repr_png_() == style.figure_png(fig)


@pytest.mark.parametrize("name", ["trend", "ranking", "scatter"])
def test_accent_survives_the_palette_reduction(name):
    image = Image.open(io.BytesIO(style.figure_png(draw(name)))).convert("RGB")
    colours = {to_hex(np.array(c) / 255).upper() for _, c in image.getcolors(1 << 20)}
    assert style.ACCENT in colours


def test_dollar_signs_and_minus_signs_are_plain_text():
    frame = estimates().assign(note=["$5 to $9", "−1", "", ""])
    fig = charts.forest(frame, xlabel="−1")
    notes = [t for t in fig.axes[0].texts if t.get_text() == "$5 to $9"]
    assert notes and not notes[0].get_parse_math()
    assert not any("−" in t.get_text() or "-" in t.get_text() for t in texts(fig))


def test_inputs_are_not_changed():
    for function, frame in FIGURES.values():
        given = frame()
        function(given)
        pd.testing.assert_frame_equal(given, frame())


@pytest.mark.parametrize(
    "text", ["Floor area of science venues per 10,000", "每万人科普场馆面积(平方米)"]
)
def test_wrap_keeps_every_letter_within_the_width(text):
    lines = wrap(text, 16).splitlines()
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert len(lines) > 1
    assert not any(line.startswith(tuple("),。)")) for line in lines)
