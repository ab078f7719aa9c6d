"""Figures: what is refused, what is drawn where, legible in Chinese and English, same bytes."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from drawings import NUMBER, SPACE, Drawing, faults, missing_glyphs, outline, value
from evaluation.figures import charts, rollout, svg
from evaluation.figures.labels import wrap

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


def differences() -> pd.DataFrame:
    rows = [(-4.0, 0.3, -2.0, 2.6, np.nan, np.nan), (-2, 0.1, -0.8, 1.0, np.nan, np.nan),
            (2, 3.1, 1.9, 4.3, 0.4, 6.2), (4.5, 2.8, np.nan, np.nan, -np.inf, 9.0),
            (6, 4.0, 1.8, 6.2, -6.0, 15.0)]  # fmt: skip
    return pd.DataFrame(rows, columns=["years", "estimate", "low", "high", *rollout.BANDS])


def _study(frame: pd.DataFrame):
    names = {"estimate": "差异与区间", "band": "interval with parallel trends relaxed",
             "base": "last survey before the start"}  # fmt: skip
    return rollout.event_study(
        frame, ylabel="与对照地区变化之差（百分点）", xlabel="年数", names=names
    )


def _expected(frame: pd.DataFrame):
    return charts.expected(frame, xlabel="百分点", names={"observed": "实际", "expected": "预期"})


def _profile(frame: pd.DataFrame):
    return charts.profile(frame, xlabel="百分位", names=PARTS)


def correlations() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(1).normal(size=(9, 4))).corr()


def _correlations(frame: pd.DataFrame):
    names = [
        "每百万人博物馆数（代理）",
        "S&T spending per head\n(yuan)",
        "每万人研发人员",
        "大专占比",
    ]
    return charts.correlations(frame, names)


# Name → (function of its first frame, that frame): every figure the reports use.
def ranges() -> pd.DataFrame:
    names = ["内蒙古自治区", "北京市", "Xizang"]
    return pd.DataFrame({"name": names, "low": [1, 2, 1], "high": [3, 2, 3],
                         "highlight": [True, False, False]})  # fmt: skip


FIGURES = {
    "places": (lambda f: charts.places(f, xlabel="名次"), ranges),
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
    "correlations": (_correlations, correlations),
    "event_study": (_study, differences),
    "small_multiples": (lambda f: charts.small_multiples(f, ylabel="水平"), inputs),
}  # fmt: skip


def draw(name: str) -> svg.Picture:
    function, frame = FIGURES[name]
    return function(frame())


def seen(figure: svg.Picture) -> Drawing:
    return Drawing(figure.svg)


def near(found, wanted, share: float = 0.01):
    """Equal to a share of the spread: places are told to a tenth of a pixel."""
    spread = np.ptp(np.asarray(wanted, dtype=float)) or 1.0
    np.testing.assert_allclose(found, wanted, atol=share * spread, rtol=0)


CHECKED = [name for name in FIGURES if name not in ("correlations", "event_study")]


@pytest.mark.parametrize("name", CHECKED)
def test_missing_column_is_named(name):
    function, frame = FIGURES[name]
    column = frame().columns[-1]
    with pytest.raises(ValueError, match=rf"{name}.*{column} missing"):
        function(frame().drop(columns=column))


@pytest.mark.parametrize(
    "name", [n for n in FIGURES if n not in ("trend", "strip", "correlations")]
)
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
def test_every_letter_has_a_glyph(name):
    figure = draw(name)
    assert missing_glyphs("".join([*seen(figure).words, *seen(figure).titles])) == set()


def test_missing_glyphs_are_found():
    assert missing_glyphs("磴口 \U000f0000 −1 \u0378 CO₂") == {"\U000f0000", "\u0378"}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("width", ["svg", "narrow"])
def test_texts_neither_overlap_nor_leave_the_figure(name, width):
    assert faults(getattr(draw(name), width)) == []


def test_overlaps_and_texts_outside_are_found():
    def drawn(page):
        page.height = 40
        page.text(10, 20, "one label")
        page.text(30, 22, "another")
        page.text(page.width - 10, 20, "outside")

    assert faults(svg.figure(drawn).svg) == [
        "'outside' leaves the drawing", "'one label' overlaps 'another'",
    ]  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_a_phone_shows_the_same_in_type_of_at_least_eleven_pixels(name):
    figure = draw(name)
    wide, narrow = seen(figure), Drawing(figure.narrow)
    assert (wide.width, narrow.width) == (720, 336)
    shown = 320 / narrow.width  # of a page 360 pixels wide
    assert min(text.size for text in narrow.texts) * shown >= 11
    kinds = [{e.get("data-mark") for e in d.root.iter()} for d in (wide, narrow)]
    assert kinds[0] == kinds[1] and wide.titles == narrow.titles
    # Ticks may be fewer and lines shorter; not a word may be missing.
    words = [[re.sub(r"\s", "", w) for w in d.words if not NUMBER.fullmatch(w)]
             for d in (wide, narrow)]  # fmt: skip
    assert sorted(words[0]) == sorted(words[1])


def test_labels_of_coinciding_lines_do_not_overlap():
    rows = [(f"{name}自治区", y, v + k / 50, np.nan, np.nan, role)
            for k, (name, role) in enumerate(zip(NAMES, ["region", *["band"] * 6], strict=True))
            for y, v in [(2022, 12.9), (2025, 15.4)]]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["name", "year", "value", "low", "high", "role"])
    figure = charts.trend(frame, ylabel="%")
    assert sum("自治区" in word for word in seen(figure).words) == 7
    assert faults(figure.svg) == [] and faults(figure.narrow) == []


def test_a_label_covers_no_mark_while_there_is_room():
    figure = draw("scatter")
    for drawing in (seen(figure), Drawing(figure.narrow)):
        dots = drawing.points("value")
        for text in [text for text in drawing.texts if text.text in NAMES]:
            left, top, right, bottom = text.box
            inside = (left < dots[:, 0]) & (dots[:, 0] < right)
            assert not (inside & (top < dots[:, 1]) & (dots[:, 1] < bottom)).any(), text.text


def test_trend_intervals_targets_and_breaks():
    drawing = seen(charts.trend(series(), targets(), BREAKS, ylabel="%"))
    x, y = drawing.scale("x"), drawing.scale("y")
    region = series().query("role == 'region'")
    lines = np.array([outline(mark) for mark in drawing.marks("interval")])
    near(x(lines[:, 0, 0]), region["year"])
    near(y(lines[:, :, 1]), region[["low", "high"]])
    diamonds = drawing.points("target")
    near(x(diamonds[:, 0]), [2025, 2030])
    near(y(diamonds[:, 1]), [15, 25])
    told = {}
    for mark in drawing.marks("region"):
        ends = outline(mark)
        told[tuple(np.round(x(ends[:, 0])).astype(int))] = mark.get("stroke-dasharray") is not None
    assert told == {(2015, 2018): False, (2018, 2020): True, (2020, 2022): True,
                    (2022, 2023): False, (2023, 2024): False}  # fmt: skip
    assert {"2020年起:面访与网络结合", "2022: 100-point scale"} <= set(drawing.words)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(6, 8)])
def test_trend_of_one_point_or_without_the_region(rows):
    frame = series().iloc[rows]
    drawing = seen(charts.trend(frame, ylabel="%"))
    assert frame["name"].iloc[0] in drawing.words
    assert "0" in [text.text for text in drawing.ticks("y")[0]]


def test_ranking_sorts_and_draws_the_ends_given():
    frame = intervals().sample(frac=1, random_state=1)
    frame.loc[2, ["low", "high"]] = np.nan
    drawing = seen(charts.ranking(frame, xlabel="%"))
    x = drawing.scale("x")
    wanted = intervals()[["low", "high"]].to_numpy(copy=True)
    wanted[2] = intervals()["value"][2]  # no interval published: a dot alone
    near([x(outline(mark)[:, 0]) for mark in drawing.marks("interval")], wanted)
    near(x(drawing.points("value")[:, 0]), intervals()["value"])
    named = [text for text in drawing.texts if text.text in NAMES]
    assert [text.text for text in named] == NAMES
    assert [text.colour == svg.ACCENT_TEXT for text in named] == [False] * 3 + [True] + [False] * 3
    heights = [(text.box[1] + text.box[3]) / 2 for text in named]
    np.testing.assert_allclose(heights, drawing.points("value")[:, 1], atol=2)


def test_ranking_holds_31_rows():
    figure = charts.ranking(intervals(31), xlabel="%")
    assert sum(word.startswith(tuple(NAMES)) for word in seen(figure).words) == 31
    assert faults(figure.svg) == [] and faults(figure.narrow) == []


def test_an_event_study_stands_at_its_values_about_a_ring_at_zero():
    frame, drawing = differences(), seen(draw("event_study"))
    ring, places = drawing.points("base")[0], drawing.points("value")[1:]  # the first is the key's
    across, up = (places - ring).T
    years, values = frame["years"].to_numpy(), frame["estimate"].to_numpy()
    near(across / across[-1], years / years[-1])
    near(up / up[-1], values / values[-1])
    bars = [outline(mark) for mark in drawing.marks("band")[1:]]
    assert len(bars) == 2  # an infinite end is not drawn
    near([bar[:, 1].min() - ring[1] for bar in bars], up[-1] * np.array([6.2, 15]) / values[-1])
    assert len(outline(drawing.marks("between")[0])) == 6  # ring and two bars, there and back
    plain = seen(_study(frame.drop(columns=list(rollout.BANDS))))
    assert not plain.marks("band") and not plain.marks("between")
    assert "interval with parallel trends relaxed" not in plain.words


def test_an_event_study_names_what_it_lacks():
    with pytest.raises(ValueError, match=r"event_study: column.*estimate missing"):
        _study(differences().drop(columns="estimate"))
    with pytest.raises(ValueError, match="event_study: names lacks band, base"):
        rollout.event_study(differences(), ylabel="", xlabel="", names={"estimate": "差异"})


def test_forest_draws_open_ends_as_arrows():
    figure = charts.forest(estimates(), xlabel="%", limits=(-0.25, 0.5))
    drawing = seen(figure)
    x = drawing.scale("x")
    lines = [outline(mark) for mark in drawing.marks("interval")]
    near([x(line[:, 0]) for line in lines], [[-0.2, 0.44], [-0.25, 0.5], [-0.25, 0.5]])
    # Row 1 starts left of the limits and has no upper end; row 2 is unbounded; row 3 is empty.
    rows = [line[0, 1] for line in lines]
    arrows = {(rows.index(round(y, 1)), x(at) > 0) for at, y in drawing.points("arrow")}
    assert arrows == {(1, False), (1, True), (2, False), (2, True)}
    (zero,) = drawing.points("zero")[:1]
    assert abs(x(zero[0])) < 0.005
    assert "不可检验" in drawing.words


def test_profile_marks_stand_at_their_percentiles():
    drawing = seen(_profile(standing()))
    x = drawing.scale("x")
    regions, bands = drawing.points("region")[1:], drawing.points("band")[1:]  # after the key
    near(x(regions[:, 0]), [88, 12.5])
    near(x(bands[:, 0]), [50])
    assert bands[0, 1] == regions[0, 1] != regions[1, 1]


def test_expected_bar_spans_its_interval_and_rows_without_one_are_left_out():
    drawing = seen(draw("expected"))
    x = drawing.scale("x")
    near([x(outline(bar)[:, 0]) for bar in drawing.marks("expected")], [[0.2, 1.8], [0.1, 2.1]])
    near(x(drawing.points("observed")[:, 0]), [0.83, -0.4])
    assert [word for word in drawing.words if re.match(r"20\d\d–", word)] == [
        "2015–2018", "2018–2020",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="names lacks expected"):
        charts.expected(gains(), xlabel="", names={"observed": "x"})


def test_strip_keeps_every_value_and_hides_none():
    drawing = seen(charts.strip(peers(), marks(), xlabel="%"))
    x = drawing.scale("x")
    dots = drawing.points("peer")
    near(np.sort(x(dots[:, 0])), np.sort(peers()["value"]))
    assert len({tuple(dot) for dot in dots}) == len(dots)
    lines = {kind: x(drawing.points(kind)[0, 0]) for kind in charts.MARKS}
    near([lines[kind] for kind in marks()["kind"]], marks()["value"], 0.5)


def test_stacked_dots_of_a_level_are_a_width_apart():
    values = np.sort(np.random.default_rng(5).normal(size=200))
    levels = charts.stack(values, 0.1)
    for level in np.unique(levels):
        assert np.all(np.diff(values[levels == level]) >= 0.1)


def test_scatter_whiskers_and_doubling_ticks():
    drawing = seen(draw("scatter"))
    x, y = drawing.scale("x", log=True), drawing.scale("y")
    whiskers = np.array([outline(mark) for mark in drawing.marks("whisker")])
    whiskers = whiskers[whiskers[:, 0, 0].argsort()]
    near(x(whiskers[:, 0, 0]), points()["x"])
    near(y(whiskers[:, :, 1]), points()[["y_low", "y_high"]])
    assert [text.text for text in drawing.ticks("x")[-1]] == ["0.5", "1", "2", "4", "8"]


def test_coverage_counts_a_pair_without_a_row_as_missing():
    drawing = seen(draw("coverage"))
    found = {state: drawing.points(state)[1:] for state in STATES}  # after the key
    assert {state: len(places) for state, places in found.items()} == {
        "published": 1, "flagged": 1, "missing": 2,
    }  # fmt: skip
    (flagged,), (published,), missing = found["flagged"], found["published"], found["missing"]
    assert flagged[1] == published[1] and flagged[0] < published[0]  # one row, in order of years
    assert sorted(missing[:, 0]) == [flagged[0], published[0]] and missing[0, 1] > flagged[1]
    assert "亳州 2020: 口径有变" in drawing.titles and "儋州 2020: 未公布" in drawing.titles


def test_correlations_show_each_pair_once_with_its_sign():
    frame = correlations()
    drawing = seen(_correlations(frame))
    rows, columns = np.tril_indices(4, -1)
    found = [value(word) for word in drawing.words if re.fullmatch(r"–?\d\.\d\d", word)]
    np.testing.assert_allclose(found, frame.to_numpy()[rows, columns].round(2))
    fills = [mark.get("fill") for mark in drawing.marks("pair")]
    assert fills == [
        svg.ACCENT if each > 0 else svg.DARK for each in frame.to_numpy()[rows, columns]
    ]


def test_no_line_joins_two_series_or_a_missing_year():
    drawing = seen(draw("small_multiples"))
    first, gap, second = (drawing.marks(f"line-{k}") for k in (0, 0, 1))
    starts = [re.findall(r"M[^M]*", mark.get("d")) for mark in (first[0], second[0], gap[1])]
    assert [[part.count("L") + 1 for part in parts] for parts in starts] == [[4], [4], [3, 4]]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_small_and_the_same_on_every_run(name):
    figure = draw(name)
    assert figure == draw(name)
    assert len(figure.svg) < 12_000 and "id=" not in figure.svg
    assert figure.height == Drawing(figure.svg).height > 60
    assert repr(figure) == f"Picture(720 × {figure.height:.0f})"


def test_a_figure_shows_itself_on_white_paper_with_its_words():
    figure = draw("ranking")
    root = Drawing(figure._repr_svg_()).root
    assert root.get("role") == "img" and "磴口" in root.get("aria-label")
    assert root[0].tag == f"{SPACE}rect" and root[0].get("fill") == svg.PAPER
    assert root.get("aria-label") == figure.alt


def test_every_colour_follows_the_page():
    for name in FIGURES:
        assert not re.search("#[0-9A-Fa-f]{6}", svg.themed(draw(name).svg)), name


def test_marks_tell_their_values_where_a_mouse_rests():
    titles = seen(draw("ranking")).titles
    assert titles[0] == "鄂尔多斯: 3 (2.3 – 3.9)" and len(titles) == 7
    assert (
        seen(charts.trend(series(), ylabel="%")).titles[-1] == "鄂尔多斯市 2024: 14.9 (13.7 – 16)"
    )
    assert "场馆:每万人建筑面积: 0.12 (–0.2 – 0.44)" in seen(draw("forest")).titles


def test_texts_of_callers_are_text():
    frame = estimates().assign(
        note=["<b>$5 & $9</b>", "−1", "", ""], label=['a "b"', "'", "<", "&"]
    )
    drawing = seen(charts.forest(frame, xlabel="−1"))
    assert {"<b>$5 & $9</b>", 'a "b"', "'", "<", "&", "–1"} <= set(drawing.words)
    assert not any("−" in word for word in drawing.words)


def test_inputs_are_not_changed():
    for function, frame in FIGURES.values():
        given = frame()
        function(given)
        pd.testing.assert_frame_equal(given, frame())


def test_a_batch_imports_no_matplotlib():
    modules = "evaluation.batch.worker, evaluation.report, evaluation.report.html"
    more = "evaluation.report.pdf, evaluation.report.word, evaluation.report.overview"
    code = f"import sys, {modules}, {more}; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    "text", ["Floor area of science venues per 10,000", "每万人科普场馆面积(平方米)"]
)
def test_wrap_keeps_every_letter_within_the_width(text):
    lines = wrap(text, 100).splitlines()
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert len(lines) > 1
    assert all(svg.extent(line, svg.SMALL)[0] <= 100 for line in lines)
    assert not any(line.startswith(tuple("),。)")) for line in lines)


def test_a_range_of_places_has_its_ends_and_no_middle():
    """A bar reaches over all places of its range, in the order given, and marks none of them."""
    drawing = seen(draw("places"))
    bars = [outline(mark)[:, 0] for mark in drawing.marks("places")]
    spans = [np.ptp(bar) for bar in bars]
    # One place more is one step more on the axis: 3 places, 1 place, 3 places.
    assert spans[0] == pytest.approx(spans[2]) and spans[1] < spans[0] / 3
    assert drawing.words[:3] == ranges()["name"].tolist()
    assert {e.get("data-mark") for e in drawing.root.iter()} - {None} <= {"places"}
    assert drawing.titles[1] == "北京市: 2"
