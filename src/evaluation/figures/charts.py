"""Figures of levels, gains, forecasts and estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from evaluation.base.text import rounded
from evaluation.figures import svg
from evaluation.figures.axes import (
    FOOT,
    Cell,
    Frame,
    Line,
    Look,
    Row,
    Scale,
    across,
    axes,
    cells,
    even,
    foot,
    key,
    padded,
    rows,
    times,
    titles,
    years_axis,
)  # fmt: skip
from evaluation.figures.labels import (
    Flags,
    brief,
    known,
    named,
    one_a,
    place,
    plain,
    require,
    wrap,
)  # fmt: skip
from evaluation.figures.svg import INCH, SMALL, TINY, Page, Picture, extent, figure

DASHED = "6 3"

# Figures with one row a region, an estimate or an input: ranking, forest, profile, expected.
INTERVAL = ("name", "value", "low", "high", "highlight")
COLUMNS = ("label", "observed", "expected", "low", "high")
PARTS = ("region", "band")


def expected(frame: pd.DataFrame, *, xlabel: str, names: Mapping[str, str]) -> Picture:
    """One row a period: the observed gain on the bar within which it was to be expected.

    Parameters
    ----------
    frame : columns ``label, observed, expected, low, high``; the ends are those of the interval
        about the expectation, in the unit of the gains. Rows without expectation are left out.
    names : texts of the key: ``observed``, ``expected``.

    Raises
    ------
    ValueError
        If a column or a name is missing, or no row has both an observed and an expected gain.
    """
    require(frame, COLUMNS, "expected")
    named(names, ("observed", "expected"), "expected: names lacks")
    shown = frame.dropna(subset=[*COLUMNS[1:]])
    if shown.empty:
        raise ValueError("expected: no row with an observed and an expected gain")
    ends = padded([*shown[[*COLUMNS[1:]]].to_numpy(float).ravel(), 0.0], 0.06)

    def draw(page: Page) -> None:
        key(page, [(names["observed"], lambda x, y: page.dots((x, y), 5, svg.ACCENT)),
                   (names["expected"], lambda x, y: page.rect(x - 7, y - 5, 14, 10, svg.LIGHT))],
        )  # fmt: skip
        at = rows(page, [Row(name) for name in shown["label"]], ends, xlabel, 0.4 * INCH,
                  lines=[Line(0, svg.MID)])  # fmt: skip
        for y, row in zip(at.rows, shown.itertuples(), strict=True):
            low, middle, high, seen = at.x([row.low, row.expected, row.high, row.observed])
            told = f"{row.label}: {brief(row.observed)}; {brief(row.expected, row.low, row.high)}"
            with page.told(told):
                page.rect(low, y - 5, high - low, 10, svg.LIGHT, mark="expected")
                page.path([(middle, y - 8), (middle, y + 8)], svg.DARK, 2.2)
                page.dots((seen, y), 5.5, svg.ACCENT, mark="observed")

    return figure(draw)


def ranking(
    frame: pd.DataFrame, *, xlabel: str, reference: tuple[float, str] | None = None
) -> Picture:
    """Regions with their intervals, the highest value on top; for rates and for gains.

    Parameters
    ----------
    frame : columns ``name, value, low, high, highlight``; a missing interval end is not drawn.
    reference : value and label of a vertical line, e.g. the nation.

    Raises
    ------
    ValueError
        If a column is missing or no row has a value.
    """
    require(frame, INTERVAL, "ranking")
    shown = frame.dropna(subset="value").sort_values("value", ascending=False, kind="stable")
    if shown.empty:
        raise ValueError("ranking: no value to draw")
    lines = [] if reference is None else [
        Line(reference[0], svg.DARK, 1.2, DASHED, "reference", reference[1])
    ]  # fmt: skip
    numbers = shown[["value", "low", "high"]].to_numpy(float).ravel()
    ends = padded([*numbers, *(line.value for line in lines)])
    pairs = zip(shown["name"], shown["highlight"], strict=True)
    names = [Row(name, marked=bool(flag)) for name, flag in pairs]

    def draw(page: Page) -> None:
        _intervals(rows(page, names, ends, xlabel, 0.215 * INCH, lines=lines), shown)

    return figure(draw)


def places(frame: pd.DataFrame, *, xlabel: str) -> Picture:
    """Ranges of places, 1 at the left; rows in their order and without a mark inside a range.

    Parameters
    ----------
    frame : columns ``name, low, high, highlight``; ends count from 1 to the number of rows.

    Raises
    ------
    ValueError : a column is missing, or there is no row.
    """
    require(frame, ("name", "low", "high", "highlight"), "places")
    if frame.empty:
        raise ValueError("places: nothing to draw")
    names = [Row(row.name, marked=bool(row.highlight)) for row in frame.itertuples(index=False)]

    def draw(page: Page) -> None:
        at = rows(page, names, (0.5, len(frame) + 0.5), xlabel, 0.215 * INCH)
        for y, row in zip(at.rows, frame.itertuples(index=False), strict=True):
            ends = plain(row.low) if row.low == row.high else f"{row.low:g} – {row.high:g}"
            with page.told(f"{row.name}: {ends}"):
                left, right = at.x(np.array([row.low - 0.4, row.high + 0.4]))
                colour = svg.ACCENT if row.highlight else svg.MID
                page.path([(left, y), (right, y)], colour, 4, mark="places")

    return figure(draw)


def forest(
    frame: pd.DataFrame, *, xlabel: str, zero: float = 0.0,
    limits: tuple[float, float] | None = None,
) -> Picture:  # fmt: skip
    """Estimates with intervals about a zero line; each row's ``note`` is printed at the right.

    Parameters
    ----------
    frame : columns ``label, estimate, low, high, note``; optionally ``highlight``. An end that
        is infinite, missing or beyond ``limits`` is an arrow. A row without estimate and
        interval shows only its note.
    limits : of the x axis, in its units; by default the finite values.

    Raises
    ------
    ValueError
        If a column is missing or no row has an estimate.
    """
    require(frame, ("label", "estimate", "low", "high", "note"), "forest")
    if not np.isfinite(frame["estimate"].astype(float)).any():
        raise ValueError("forest: no estimate to draw")
    shown = frame.rename(columns={"label": "name", "estimate": "value"}).astype(
        {"value": float, "low": float, "high": float}
    )
    given = shown[["value", "low", "high"]].notna().any(axis=1)
    shown["low"] = shown["low"].mask(given & shown["low"].isna(), -np.inf)
    shown["high"] = shown["high"].mask(given & shown["high"].isna(), np.inf)
    shown["highlight"] = frame.get("highlight", True)
    ends = limits or padded([*shown[["value", "low", "high"]].to_numpy(float).ravel(), zero])
    names = [Row(row.name, str(row.note)) for row in shown.itertuples()]

    def draw(page: Page) -> None:
        lines = [Line(zero, svg.DARK, mark="zero")]
        _intervals(rows(page, names, ends, xlabel, 0.36 * INCH, lines=lines), shown)

    return figure(draw)


def estimates(rows: pd.DataFrame, xlabel: str) -> Picture:
    """A :func:`forest` of estimates, each printed beside its row, rounded to its error.

    Parameters
    ----------
    rows : columns ``label, estimate`` and, where known, ``low, high, se``; where no row has an
        interval, all are points.
    """
    ends = rows.reindex(columns=["label", "estimate", "low", "high"])
    error = rows["se"] if "se" in rows else (ends["high"] - ends["low"]) / 4
    if ends["low"].isna().all():
        ends = ends.assign(low=ends["estimate"], high=ends["estimate"])
    pairs = zip(ends["estimate"], error, strict=True)
    return forest(ends.assign(note=[rounded(*pair) for pair in pairs]), xlabel=xlabel)


def _intervals(at: Frame, shown: pd.DataFrame) -> None:
    """Draw value and interval of each row; ends beyond the axis limits become arrows."""
    start, end = at.x.low, at.x.high
    for y, row in zip(at.rows, shown.itertuples(), strict=True):
        colour = svg.ACCENT if row.highlight else svg.MID
        low, high = (row.value if np.isnan(edge) else edge for edge in (row.low, row.high))
        if np.isnan(low):
            continue
        with at.page.told(f"{row.name}: {brief(row.value, row.low, row.high)}"):
            edges = at.x(np.clip([low, high], start, end))
            at.page.path([(x, y) for x in edges], colour, 2.5, mark="interval")
            if low < start:
                at.page.dots((at.x.start, y), 4.5, colour, colour, mark="arrow", shape="left")
            if high > end:
                at.page.dots((at.x.end, y), 4.5, colour, colour, mark="arrow", shape="right")
            if start <= row.value <= end:
                at.page.dots((at.x(row.value), y), 4.3, colour, width=1.1, mark="value")


def profile(frame: pd.DataFrame, *, xlabel: str, names: Mapping[str, str]) -> Picture:
    """Where a region stands among the provinces on each input, as percentiles.

    Parameters
    ----------
    frame : columns ``label, percentile, value_text, band_percentile``; percentiles 0 to 100,
        missing ones are not drawn.
    names : texts of the key: ``region``, ``band``.

    Raises
    ------
    ValueError
        If a column or name is missing, a percentile is outside 0 to 100, or none is given.
    """
    require(frame, ("label", "percentile", "value_text", "band_percentile"), "profile")
    named(names, PARTS, "profile: names lacks")
    given = pd.concat([frame["percentile"], frame["band_percentile"]]).dropna()
    if frame["percentile"].notna().sum() == 0 or not given.between(0, 100).all():
        raise ValueError("profile: needs percentiles, all of them between 0 and 100")
    told = [Row(row.label, str(row.value_text)) for row in frame.itertuples()]

    def draw(page: Page) -> None:
        marks = {
            "region": lambda x, y: page.dots((x, y), 5.5, svg.ACCENT, mark="region"),
            "band": lambda x, y: page.dots((x, y), 5, svg.PAPER, svg.QUIET, 1.9, mark="band"),
        }
        key(page, [(names[part], marks[part]) for part in PARTS])
        at = rows(page, told, (-2, 102), xlabel, 0.36 * INCH,
                  ticks=lambda _: [(v, str(v)) for v in range(0, 101, 25)])  # fmt: skip
        for y, row in zip(at.rows, frame.itertuples(), strict=True):
            found = {"band": row.band_percentile, "region": row.percentile}
            found = {part: value for part, value in found.items() if not np.isnan(value)}
            texts = [f"{names[part]} {value:.0f}" for part, value in found.items()]
            with page.told(f"{row.label}: {'; '.join(texts)}"):
                for part, value in found.items():
                    marks[part](at.x(value), y)

    return figure(draw)


# The fan chart of a target: what was published, where the share is heading, what is aimed at.

# Shades of the bands, widest first: the darker, the more likely.
SHADES = {95: svg.ACCENT_FAINT, 80: svg.ACCENT_PALE, 50: svg.ACCENT_MID}


def fan(
    published: pd.DataFrame, ahead: pd.DataFrame, targets: pd.DataFrame,
    breaks: Sequence[tuple[int, str]] = (), *, ylabel: str, names: Mapping[str, str],
) -> Picture:  # fmt: skip
    """Published rates with their intervals, the fan of a forecast, and targets as diamonds.

    Parameters
    ----------
    published : columns ``year, value, low, high``. ahead : columns ``year, median, low_50, high_50,
        low_80, high_80, low_95, high_95``; the fan starts where it starts.
    targets : columns ``year, value, label, own``; those of another level (the nation's) are grey.
    breaks : (first year of a new instrument, short text).
    names : texts ``median, 50, 80, 95`` written at the right end of the fan.

    Raises
    ------
    ValueError
        If a column or a name is missing, or there is no fan to draw.
    """
    require(published, ("year", "value", "low", "high"), "fan published")
    bands = [f"{end}_{level}" for level in SHADES for end in ("low", "high")]
    shown = require(ahead, ("year", "median", *bands), "fan ahead").sort_values("year")
    goals = require(targets, ("year", "value", "label", "own"), "fan targets")
    named(names, ["median", *map(str, SHADES)], "fan: names lacks")
    if len(shown) < 2:
        raise ValueError("fan: a fan needs two years or more")
    years = [*published["year"], *shown["year"], *goals["year"]]
    inside = [(year, text) for year, text in breaks if min(years) < year <= max(years)]
    ticks = [*published["year"], *goals["year"], max(shown["year"])]
    parts = published[["value", "low", "high"]], shown[["median", *bands]], goals[["value"]]
    values = padded(np.concatenate([p.to_numpy(float).ravel() for p in parts]), zero=True)
    said = [(g.year, g.value, g.label, _colours(g.own)[1]) for g in goals.itertuples()]
    said += _fan_ends(shown.iloc[-1], names)

    def paint(at: Frame) -> None:
        _fan(at, published, shown, goals)

    return _over_time(ylabel, years, ticks, values, inside, said, paint)


def _over_time(
    ylabel: str, years: Sequence, ticks: Sequence, values: tuple, breaks: Sequence,
    said: Sequence[tuple], paint: Callable[[Frame], None],
) -> Picture:  # fmt: skip
    """What ``paint`` puts on axes of years, labelled with year, value, text and colour each."""

    def draw(page: Page) -> None:
        room = 90 if page.narrow else 160
        texts = [(year, wrap(text, room, TINY)) for year, _, text, _ in said]
        at = times(page, years, values, 3.1 * INCH, ylabel, breaks, ticks, texts)
        paint(at)
        place(page, at.box, [at.label(*item, room) for item in said])

    return figure(draw)


def _fan_ends(end: pd.Series, names: Mapping[str, str]) -> list[tuple]:
    """Year, value, text and colour of what is written at the right end of the fan."""
    sides = ((95, "high"), (80, "high"), (50, "low"))
    bands = [(end["year"], end[f"{s}_{k}"], names[str(k)], svg.QUIET) for k, s in sides]
    return [*bands, (end["year"], end["median"], names["median"], svg.ACCENT_TEXT)]


def _colours(own: bool) -> tuple[str, str]:
    return (svg.ACCENT, svg.ACCENT_TEXT) if own else (svg.MID, svg.QUIET)


def _fan(at: Frame, published: pd.DataFrame, shown: pd.DataFrame, goals: pd.DataFrame) -> None:
    for level, shade in SHADES.items():
        low, high = at.y(shown[f"low_{level}"]), at.y(shown[f"high_{level}"])
        at.page.area(at.x(shown["year"]), low, high, shade, mark=f"band-{level}")
    at.page.path(at.at(shown["year"], shown["median"]), svg.ACCENT, 2.2, mark="median")
    for row in published.itertuples():
        with at.page.told(f"{row.year:.0f}: {brief(row.value, row.low, row.high)}"):
            _point(at, row, svg.DARK, 1.5, 3.4)
    for goal in goals.itertuples():
        _diamond(at, goal, _colours(goal.own)[0], f"target-{'own' if goal.own else 'other'}")


def _point(at: Frame, row, colour: str, width: float, radius: float, **look) -> None:
    """A value with its interval, an upright line; a missing end draws none."""
    if not (np.isnan(row.low) or np.isnan(row.high)):
        ends = at.at([row.year, row.year], [row.low, row.high])
        at.page.path(ends, colour, width, mark="interval")
    look = {"fill": colour, "stroke": colour} | look
    at.page.dots(at.at(row.year, row.value), radius, width=1, mark="value", **look)


def _diamond(at: Frame, goal, colour: str, mark: str) -> None:
    with at.page.told(f"{goal.year:.0f}: {goal.label}"):
        point = at.at(goal.year, goal.value)
        at.page.dots(point, 6, svg.PAPER, colour, 1.9, mark=mark, shape="diamond")


# Figures with time on an axis: trend and small multiples.

# Colour of line, colour of text, shape, width; drawn in this order, the region on top.
ROLES = {
    "parent": (svg.MID, svg.QUIET, "square", 1.5),
    "band": (svg.MID, svg.QUIET, "circle", 1.8),
    "nation": (svg.DARK, svg.DARK, "circle", 1.8),
    "region": (svg.ACCENT, svg.ACCENT_TEXT, "circle", 2.8),
}


def trend(
    series: pd.DataFrame, targets: pd.DataFrame | None = None,
    breaks: Sequence[tuple[int, str]] = (), *, ylabel: str,
) -> Picture:  # fmt: skip
    """Rates over the survey waves with their intervals, targets and instrument breaks.

    Parameters
    ----------
    series : columns ``name, year, value, low, high, role``; role is one of ``region, nation,
        band, parent``; a missing ``low``/``high`` draws no interval.
    targets : columns ``year, value, label``.
    breaks : (first year of the new instrument, short text). A line is dashed between the waves
        on either side of a break; the dotted vertical line stands half a year before it.

    Raises
    ------
    ValueError
        If a column is missing, a role is unknown, a name has two rows for a year, or all is empty.
    """
    require(series, ("name", "year", "value", "low", "high", "role"), "trend")
    known(series["role"], ROLES, "trend, column role")
    goals = pd.DataFrame(columns=["year", "value", "label"]) if targets is None else targets
    goals = require(goals, ("year", "value", "label"), "trend targets").dropna(subset="value")
    drawn = one_a(series, ("role", "name", "year"), "trend").dropna(subset="value")
    if drawn.empty and goals.empty:
        raise ValueError("trend: neither a value nor a target to draw")
    years = [*drawn["year"], *goals["year"]]
    inside = [(year, text) for year, text in breaks if min(years) <= year <= max(years)]
    lines = list(drawn.sort_values("year").groupby(["role", "name"], sort=False))
    lines.sort(key=lambda item: list(ROLES).index(item[0][0]))
    numbers = drawn[["value", "low", "high"]].to_numpy(float).ravel()
    values = padded([*numbers, *goals["value"]], 0.08, zero=True)
    ends = [(line["year"].iloc[-1], line["value"].iloc[-1], name, ROLES[role][1])
            for (role, name), line in lines]  # fmt: skip
    said = [(goal.year, goal.value, goal.label, svg.ACCENT_TEXT) for goal in goals.itertuples()]
    said += sorted(ends, key=lambda item: (-item[0], -item[1]))

    def paint(at: Frame) -> None:
        for (role, name), line in lines:
            _trend_line(at, name, line, role, [year for year, _ in breaks])
        for goal in goals.itertuples():
            _diamond(at, goal, svg.ACCENT, "target")

    return _over_time(ylabel, years, years, values, inside, said, paint)


def _trend_line(at: Frame, name: str, line: pd.DataFrame, role: str, breaks: list[int]) -> None:
    colour, _, shape, width = ROLES[role]
    for (x0, y0), (x1, y1) in pairwise(zip(line["year"], line["value"], strict=True)):
        dash = "5 3.5" if any(x0 < year <= x1 for year in breaks) else ""
        at.page.path(at.at([x0, x1], [y0, y1]), colour, width, dash, mark=role)
    face = svg.PAPER if role == "parent" else colour
    for row in line.itertuples():
        with at.page.told(f"{name} {row.year:.0f}: {brief(row.value, row.low, row.high)}"):
            _point(at, row, colour, 0.6 * width, 2.2 + 0.6 * width, fill=face, shape=shape)


def small_multiples(series: pd.DataFrame, *, ylabel: str = "", columns: int = 3) -> Picture:
    """Inputs over time, one small chart a panel, each with its own scale from zero.

    Parameters
    ----------
    series : columns ``panel, year, value, series`` (the id of a series: a line never joins two
        ids, which count with two definitions); optionally ``label``, written at a series' end.
        A row with a missing value interrupts its line.
    ylabel : unit common to all panels; where units differ, name each in ``panel``.

    Raises
    ------
    ValueError
        If a column is missing, a series has two rows for one year, or no value can be drawn.
    """
    require(series, ("panel", "year", "value", "series"), "small_multiples")
    one_a(series, ("panel", "series", "year"), "small_multiples")
    if series["value"].notna().sum() == 0:
        raise ValueError("small_multiples: no value to draw")
    panels = list(series.groupby("panel", sort=False))
    years = series.loc[series["value"].notna(), "year"]

    def draw(page: Page) -> None:
        page.title(wrap(ylabel, page.width))
        most = 1 if "label" in series else 2  # on a phone, where a label takes half a panel
        beside = min(most if page.narrow else columns, len(panels))
        heads = titles([wrap(name, page.width / beside - 26) for name, _ in panels])
        high = (136 if page.narrow else 160) + extent(heads[0], SMALL)[1]
        for i, cell in enumerate(cells(page, len(panels), beside, high, 14)):
            lowest = i + beside >= len(panels)
            cell = Cell(cell.left, cell.top, cell.width, cell.height + FOOT * lowest)
            look = Look(heads[i], colour=svg.INK, left=cell.left + 46, bare=not lowest,
                        x=lambda scale: _labelled(years_axis(scale, years)),
                        y=lambda scale: even(scale.low, scale.high, lambda _: 4))  # fmt: skip
            _panel(page, cell, panels[i][1], (years.min() - 0.8, years.max() + 0.8), look)
        page.height += FOOT

    return figure(draw)


def _labelled(ticks):
    return [(year, text) for year, text in ticks if text]  # each year has its dot


def _panel(page: Page, cell: Cell, part: pd.DataFrame, ends: tuple, look: Look) -> None:
    if part["value"].isna().all():  # an empty panel says that nothing is published
        axes(page, cell, ends, (0, 1), replace(look, y=lambda _: []))
        return
    values = padded(part["value"].astype(float), 0.3 if "label" in part else 0.12, zero=True)
    at, labels = axes(page, cell, ends, values, look), []
    for order, (_, line) in enumerate(part.groupby("series", sort=False)):
        line = line.sort_values("year")
        face = (svg.ACCENT, svg.PAPER, svg.ACCENT_PALE)[order % 3]
        page.path(at.at(line["year"], line["value"]), svg.ACCENT, 2, mark=f"line-{order}")
        for row in line.dropna(subset="value").itertuples():
            with page.told(f"{row.year:.0f}: {brief(row.value)}"):
                page.dots(at.at(row.year, row.value), 2.9, face, svg.ACCENT, 1.2, mark="value")
        for last in line.dropna(subset="value").tail(1).itertuples() if "label" in part else ():
            labels.append(at.label(last.year, last.value, last.label, svg.ACCENT_TEXT, 120))
    place(page, at.box, labels)


# Figures of peers: dots on a line, gains against inputs, what is known of whom, correlations.
DOT = 10.4  # diameter of a peer's dot with its rim
# Dashes and colours of a marked value by its kind.
MARKS = {
    "region": ("", svg.ACCENT, svg.ACCENT_TEXT),
    "target": (DASHED, svg.ACCENT, svg.ACCENT_TEXT),
    "nation": ("", svg.DARK, svg.DARK),
    "other": ("2 3", svg.MID, svg.QUIET),
}


def stack(values: np.ndarray, width: float) -> np.ndarray:
    """Levels that keep dots of one width apart on a line: 0, 1, −1, 2, … the nearest free one.

    Parameters
    ----------
    values : ascending, shape (n,).
    width : of a dot, in units of ``values``.

    >>> stack(np.array([1.0, 1.0, 1.0, 9.0]), 0.5).tolist()
    [0, 1, -1, 0]
    """
    last: dict[int, float] = {}
    levels = []
    for value in values:
        spiral = (sign * step for step in range(len(values) + 1) for sign in (1, -1))
        level = next(k for k in spiral if value - last.get(k, -np.inf) >= width)
        last[level] = value
        levels.append(level)
    return np.array(levels, dtype=int)


def strip(
    values: pd.DataFrame, marks: pd.DataFrame, *, xlabel: str, label_names: Sequence[str] = ()
) -> Picture:
    """Peers as dots on one axis, with labelled lines for the region, its target, the nation.

    Parameters
    ----------
    values : columns ``name, value``; equal values are stacked, not jittered at random.
    marks : columns ``label, value, kind``; kind is one of ``region, target, nation, other``.
    label_names : names of dots to label.

    Raises
    ------
    ValueError
        If a column is missing, a kind is unknown or there is no value to draw.
    """
    require(values, ("name", "value"), "strip values")
    require(marks, ("label", "value", "kind"), "strip marks")
    known(marks["kind"], MARKS, "strip, column kind")
    dots, lines = (part.dropna(subset="value").sort_values("value") for part in (values, marks))
    if not (everything := [*dots["value"], *lines["value"]]):
        raise ValueError("strip: no value to draw")

    def draw(page: Page) -> None:
        x = Scale(*padded(everything), 8, page.width - 8)
        levels = stack(x(dots["value"]), DOT)
        half = DOT * max(np.ptp([*levels, 0]) / 2 + 1, 3)
        flags = [(x(m.value), m.label, MARKS[m.kind][2]) for m in lines.itertuples()]
        raised = Flags(flags, page.width, x.end)
        at = Frame(page, x, Scale(-half, half, raised.height + 6 + 2 * half, raised.height + 6))
        at.x_axis(across(x), xlabel)
        for line in lines.itertuples():
            dash, colour, _ = MARKS[line.kind]
            at.upright(line.value, colour, 2.2, dash, mark=line.kind)
        raised.draw(page, at.y.end)
        labels = []
        for peer, level in zip(dots.itertuples(), levels, strict=True):
            with page.told(f"{peer.name}: {brief(peer.value)}"):
                page.dots(at.at(peer.value, DOT * level), DOT / 2 - 0.4, svg.MID, mark="peer")
            if peer.name in label_names:
                labels.append(at.label(peer.value, DOT * level, peer.name, svg.DARK, 120))
        place(page, at.box, labels)
        page.height = at.y.start + foot(xlabel, page.width) + 4

    return figure(draw)


def scatter(
    frame: pd.DataFrame, *, xlabel: str, ylabel: str, label_names: Sequence[str] = (),
    log2: bool = False,
) -> Picture:  # fmt: skip
    """Gain against dose, with the interval of each gain as a light whisker.

    Parameters
    ----------
    frame : columns ``name, x, y, y_low, y_high, highlight``.
    label_names : names to label beside the highlighted ones.
    log2 : draw x on a scale where each doubling is one step.

    Raises
    ------
    ValueError
        If a column is missing, no point can be drawn, or ``log2`` meets x <= 0.
    """
    require(frame, ("name", "x", "y", "y_low", "y_high", "highlight"), "scatter")
    shown = frame.dropna(subset=["x", "y"]).sort_values("highlight", kind="stable")
    if shown.empty or (log2 and (shown["x"] <= 0).any()):
        raise ValueError("scatter: needs points, and with log2 every x above zero")
    ends, ticks = _doubling(shown["x"]) if log2 else (padded(shown["x"]), across)
    values = padded(shown[["y", "y_low", "y_high"]].to_numpy(float).ravel())
    wanted = {*shown.loc[shown["highlight"].astype(bool), "name"], *label_names}
    look = Look(ylabel, xlabel, log=log2, x=ticks)

    def draw(page: Page) -> None:
        page.height = 4.1 * INCH
        at = axes(page, Cell(0, 0, page.width, page.height), ends, values, look)
        for row in shown.itertuples():
            ends_of = at.at([row.x, row.x], [row.y_low, row.y_high])
            colour = svg.ACCENT if row.highlight else svg.LIGHT
            page.path(ends_of, colour, 1.4, mark="whisker")
        for row in shown.itertuples():
            colour = svg.ACCENT if row.highlight else svg.DARK
            with page.told(f"{row.name}: {brief(row.x)}; {brief(row.y, row.y_low, row.y_high)}"):
                page.dots(at.at(row.x, row.y), 3.8, colour, width=1, mark="value")
        place(page, at.box, [
            at.label(row.x, row.y, row.name, svg.ACCENT_TEXT if row.highlight else svg.DARK, 200)
            for row in shown.itertuples() if row.name in wanted
        ])  # fmt: skip

    return figure(draw)


def _doubling(values: pd.Series) -> tuple:
    """Ends and ticks of a scale where each doubling is one step."""
    low, high = float(values.min()), float(values.max())
    margin = max(high / low, 1.1) ** 0.05
    low, high = low / margin, high * margin
    powers = 2.0 ** np.arange(np.ceil(np.log2(low)), np.floor(np.log2(high)) + 1)
    ticks = [(x, plain(x)) for x in powers]
    if len(ticks) < 3:  # less than two doublings: even steps read better than one or two ticks
        ticks = even(low, high, lambda _: 6)
    return (low, high), lambda _: ticks


# What is known of each region in each survey: colours of the tiles.
TILES = {
    "published": (svg.QUIET, svg.QUIET),
    "flagged": (svg.PALE, svg.MID),
    "missing": (svg.PAPER, svg.LIGHT),
}


def coverage(frame: pd.DataFrame, *, states: Mapping[str, str]) -> Picture:
    """Which regions have a published rate in which survey wave, as a matrix of tiles.

    Parameters
    ----------
    frame : columns ``region, year, state``; state is one of ``published, flagged, missing``.
        Regions keep their order; a pair without a row is missing.
    states : the text of each state in the report's language; its keys are the three states.

    Raises
    ------
    ValueError
        If a column or the text of a state is missing, a state is unknown, a pair occurs twice,
        or the frame is empty.
    """
    require(frame, ("region", "year", "state"), "coverage")
    known(frame["state"], TILES, "coverage, column state")
    known(pd.Series(list(states)), TILES, "coverage, argument states")
    one_a(frame, ("region", "year"), "coverage")
    if frame.empty or set(states) != set(TILES):
        raise ValueError(f"coverage: needs rows and a text for each of {', '.join(TILES)}")
    years, regions = sorted(frame["year"].unique()), list(frame["region"].unique())
    found = frame.set_index(["region", "year"])["state"].to_dict()

    def draw(page: Page) -> None:
        samples = [partial(_tile, page, state, wide=18, high=12) for state in TILES]
        key(page, [*zip((states[state] for state in TILES), samples, strict=True)])
        names = [wrap(name, 0.36 * page.width) for name in regions]
        left = max(extent(name, SMALL)[0] for name in names) + 14
        wide, y = (page.width - left) / len(years), page.height + 22
        for column, year in enumerate(years):
            x = left + (column + 0.5) * wide
            page.text(x, y - 10, f"{year:.0f}", TINY, svg.DARK, "middle")
        for region, name in zip(regions, names, strict=True):
            high = max(0.21 * INCH, extent(name, SMALL)[1] + 4)
            page.text(left - 10, y + high / 2, name, SMALL, svg.INK, "end")
            for column, year in enumerate(years):
                state = found.get((region, year), "missing")
                with page.told(f"{region} {year:.0f}: {states[state]}"):
                    x = left + (column + 0.5) * wide
                    _tile(page, state, x, y + high / 2, 0.92 * wide, high - 5)
            y += high
        page.height = y + 4

    return figure(draw)


def _tile(page: Page, state: str, x: float, y: float, wide: float, high: float) -> None:
    left, top = x - wide / 2, y - high / 2
    page.rect(left, top, wide, high, *TILES[state], mark=state)
    if state == "flagged":  # hatched, so that it is told apart without colour
        starts = np.arange(left - high + 2, left + wide, 6.0)
        low, past = np.maximum(left - starts, 0), np.maximum(starts + high - left - wide, 0)
        lines = np.array([[starts + low, top + high - low], [starts + high - past, top + past]])
        page.segments(list(lines.transpose(2, 0, 1)), svg.MID, 0.9, clear=False)


def correlations(matrix: pd.DataFrame, names: Sequence[str]) -> Picture:
    """The lower triangle of a correlation matrix, each pair in a shade of its strength.

    A name stands at the end of its row and at the head of its column.

    Parameters
    ----------
    matrix : shape (k, k), from −1 to 1. names : of its rows, on their lines.
    """
    values, last = matrix.to_numpy(float), len(matrix) - 1

    def draw(page: Page) -> None:
        room = extent(wrap(names[-1], 0.28 * page.width), SMALL)[0] + 12
        wide, page.height = (page.width - room) / last, 4
        for row, name in enumerate(names):
            text = wrap(name, page.width - row * wide - 12)
            high = max(0.36 * INCH, extent(text, SMALL)[1] + 8)
            y = page.height + high / 2
            page.text(row * wide + 8, y, text, SMALL, svg.INK)
            for column, value in enumerate(values[row, :row]):
                with page.told(f"{name} – {names[column]}: {value:.2f}"):
                    _pair(page, (column * wide, page.height), (wide, high), value)
            page.height += high
        page.height += 4

    return figure(draw)


def _pair(page: Page, at: tuple[float, float], size: tuple[float, float], value: float) -> None:
    fill, shade = svg.ACCENT if value > 0 else svg.DARK, abs(value)
    page.rect(at[0] + 0.5, at[1] + 0.5, size[0] - 1, size[1] - 1, fill, mark="pair", shade=shade)
    colour, text = svg.INK if shade < 0.55 else svg.PAPER, f"{value:.2f}".replace("-", "−")
    page.text(at[0] + size[0] / 2, at[1] + size[1] / 2, text, SMALL, colour, "middle")
