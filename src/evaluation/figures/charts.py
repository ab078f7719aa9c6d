"""Figures of levels, gains, forecasts and estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from evaluation.base.text import rounded
from evaluation.figures import style
from evaluation.figures.labels import (
    ROW,
    Label,
    doubling_axis,
    flags,
    key,
    known,
    make_room,
    one_a,
    place,
    plain,
    require,
    right_texts,
    row_names,
    stack,
    wrap,
    year_ticks,
)

# Observed gains against what the other regions lead one to expect.
COLUMNS = ("label", "observed", "expected", "low", "high")
EXPECTED = {"marker": "|", "color": style.DARK, "ms": 11, "mew": 1.6, "ls": "none"}
OBSERVED = {"marker": "o", "color": style.ACCENT, "ms": 8, "mec": "white", "ls": "none"}


def expected(frame: pd.DataFrame, *, xlabel: str, names: Mapping[str, str]) -> Figure:
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
    if lacking := [part for part in ("observed", "expected") if part not in names]:
        raise ValueError(f"expected: names lacks {', '.join(lacking)}")
    rows = frame.dropna(subset=[*COLUMNS[1:]]).reset_index(drop=True)
    if rows.empty:
        raise ValueError("expected: no row with an observed and an expected gain")
    values = rows[[*COLUMNS[1:]]].to_numpy(float)
    pad = 0.06 * np.ptp(np.append(values, 0.0)) or 1.0
    with style.figure(0.95 + 0.4 * max(len(rows), 2)) as fig:
        ax = fig.add_subplot(xlabel=xlabel)
        row_names(ax, rows["label"], 26)
        ax.set_xlim(min(values.min(), 0.0) - pad, values.max() + pad)
        ax.xaxis.set_major_formatter(plain)
        ax.axvline(0, color=style.MID, lw=0.8, zorder=1)
        ax.hlines(rows.index, rows["low"], rows["high"], colors=style.LIGHT, lw=7, gid="expected")
        ax.plot(rows["expected"], rows.index, zorder=3, **EXPECTED)
        ax.plot(rows["observed"], rows.index, zorder=4, gid="observed", **OBSERVED)
        bar = Line2D([], [], color=style.LIGHT, lw=7)
        key(fig, [(names["observed"], Line2D([], [], **OBSERVED)), (names["expected"], bar)])
    return fig


# Figures with one row a region, an estimate or an input: ranking, forest, profile.
INTERVAL = ("name", "value", "low", "high", "highlight")
DOTS = {
    "band": {"marker": "o", "color": style.QUIET, "mfc": "white", "ms": 7, "mew": 1.4, "zorder": 3},
    "region": {"marker": "o", "color": style.ACCENT, "ms": 8, "mec": "white", "zorder": 4},
}


def ranking(
    frame: pd.DataFrame, *, xlabel: str, reference: tuple[float, str] | None = None
) -> Figure:
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
    rows = frame.dropna(subset="value").sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        raise ValueError("ranking: no value to draw")
    with style.figure(0.9 + 0.215 * max(len(rows), 3)) as fig:
        ax = fig.add_subplot(xlabel=xlabel)
        row_names(ax, rows["name"], 26, rows["highlight"])
        _intervals(ax, rows, [] if reference is None else [reference[0]])
        if reference is not None:
            ax.axvline(reference[0], color=style.DARK, lw=0.9, ls=(0, (4, 2)), zorder=1)
            flags(ax, [(*reference, style.DARK)])
    return fig


def forest(
    frame: pd.DataFrame,
    *,
    xlabel: str,
    zero: float = 0.0,
    limits: tuple[float, float] | None = None,
) -> Figure:
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
    rows = frame.rename(columns={"label": "name", "estimate": "value"}).astype(
        {"value": float, "low": float, "high": float}
    )
    given = rows[["value", "low", "high"]].notna().any(axis=1)
    rows["low"] = rows["low"].mask(given & rows["low"].isna(), -np.inf)
    rows["high"] = rows["high"].mask(given & rows["high"].isna(), np.inf)
    rows["highlight"] = frame.get("highlight", True)
    with style.figure(0.75 + 0.36 * max(len(rows), 2)) as fig:
        ax = fig.add_subplot(xlabel=xlabel)
        row_names(ax, rows["name"], 32)
        ax.tick_params(axis="y", pad=9)  # an arrow may stand on the axis
        ax.axvline(zero, color=style.DARK, lw=0.9, zorder=2)
        _intervals(ax, rows, [zero], limits)
        right_texts(ax, rows["note"])
    return fig


def estimates(rows: pd.DataFrame, xlabel: str) -> Figure:
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


def _intervals(
    ax: Axes, rows: pd.DataFrame, include: list[float], limits: tuple | None = None
) -> None:
    """Draw value and interval of each row; ends beyond the axis limits become arrows."""
    numbers = rows[["value", "low", "high"]].to_numpy(float)
    finite = np.append(numbers[np.isfinite(numbers)], include)
    pad = 0.05 * np.ptp(finite) or 1.0
    start, end = limits or (finite.min() - pad, finite.max() + pad)
    ax.set_xlim(start, end)
    ax.xaxis.set_major_formatter(plain)
    for y, ((value, low, high), marked) in enumerate(zip(numbers, rows["highlight"], strict=True)):
        colour = style.ACCENT if marked else style.MID
        ends = [value if np.isnan(low) else low, value if np.isnan(high) else high]
        ax.hlines(y, *np.clip(ends, start, end), colors=colour, lw=1.8, zorder=3, gid="interval")
        arrows = [(start, "<")] * int(low < start) + [(end, ">")] * int(high > end)
        for x, marker in arrows:
            ax.plot(x, y, marker, color=colour, ms=6, clip_on=False, zorder=4, gid="arrow")
        if start <= value <= end:
            ax.plot(value, y, "o", color=colour, ms=6, mec="white", mew=0.8, zorder=5, gid="value")


def profile(frame: pd.DataFrame, *, xlabel: str, names: Mapping[str, str]) -> Figure:
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
    if lacking := [part for part in DOTS if part not in names]:
        raise ValueError(f"profile: names lacks {', '.join(lacking)}")
    given = pd.concat([frame["percentile"], frame["band_percentile"]]).dropna()
    if frame["percentile"].notna().sum() == 0 or not given.between(0, 100).all():
        raise ValueError("profile: needs percentiles, all of them between 0 and 100")
    with style.figure(0.85 + 0.36 * max(len(frame), 2)) as fig:
        ax = fig.add_subplot(xlabel=xlabel, xlim=(-2, 102), xticks=range(0, 101, 25))
        row_names(ax, frame["label"], 36)
        for part, column in (("band", "band_percentile"), ("region", "percentile")):
            ax.plot(frame[column], range(len(frame)), ls="none", gid=part, **DOTS[part])
        right_texts(ax, frame["value_text"])
        marks = {part: Line2D([], [], ls="none", **look) for part, look in DOTS.items()}
        key(fig, [(names[part], marks[part]) for part in ("region", "band")])
    return fig


# The fan chart of a target: what was published, where the share is heading, what is aimed at.

# Shades of the bands, widest first: the darker, the more likely.
SHADES = {95: "#FBEFE6", 80: style.ACCENT_PALE, 50: "#E9B48F"}


def fan(
    published: pd.DataFrame,
    ahead: pd.DataFrame,
    targets: pd.DataFrame,
    breaks: Sequence[tuple[int, str]] = (),
    *,
    ylabel: str,
    names: Mapping[str, str],
) -> Figure:
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
    rows = require(ahead, ("year", "median", *bands), "fan ahead").sort_values("year")
    goals = require(targets, ("year", "value", "label", "own"), "fan targets")
    if lacking := [str(n) for n in ("median", *SHADES) if str(n) not in names]:
        raise ValueError(f"fan: names lacks {', '.join(lacking)}")
    if len(rows) < 2:
        raise ValueError("fan: a fan needs two years or more")
    with style.figure(3.9) as fig:
        ax = fig.add_subplot(ylabel=ylabel)
        _draw(ax, published, rows, goals)
        years = [*published["year"], *rows["year"], *goals["year"]]
        shown = [(year, text) for year, text in breaks if min(years) < year <= max(years)]
        ticks = [*published["year"], *goals["year"], max(rows["year"])]
        labels = _fan_labels(rows.iloc[-1], goals, names)
        _time_axes(ax, years, ticks, shown, labels, style.TINY)
    return fig


def _fan_labels(end: pd.Series, goals: pd.DataFrame, names: Mapping[str, str]) -> list[Label]:
    """Texts of the targets and, at the right end of the fan, of its median and bands."""
    labels = [
        Label(goal.year, goal.value, wrap(goal.label, 26), _colours(goal.own)[1])
        for goal in goals.itertuples()
    ]
    labels += [
        Label(end["year"], end[f"{side}_{level}"], names[str(level)], style.QUIET)
        for level, side in ((95, "high"), (80, "high"), (50, "low"))
    ]
    return [*labels, Label(end["year"], end["median"], names["median"], style.ACCENT_TEXT)]


def _colours(own: bool) -> tuple[str, str]:
    return (style.ACCENT, style.ACCENT_TEXT) if own else (style.MID, style.QUIET)


def _draw(ax: Axes, published: pd.DataFrame, rows: pd.DataFrame, goals: pd.DataFrame) -> None:
    for level, shade in SHADES.items():
        ends = (rows[f"low_{level}"], rows[f"high_{level}"])
        ax.fill_between(rows["year"], *ends, color=shade, lw=0, zorder=1.5, gid=f"band-{level}")
    ax.plot(rows["year"], rows["median"], color=style.ACCENT, lw=1.6, zorder=3, gid="median")
    ends = published.dropna(subset=["low", "high"])
    ax.vlines(ends["year"], ends["low"], ends["high"], colors=style.DARK, lw=1.1, zorder=4)
    ax.plot(published["year"], published["value"], "o", ms=4.5, color=style.DARK, zorder=5)
    for own in (False, True):
        part = goals[goals["own"] == own]
        ax.plot(part["year"], part["value"], "D", ms=6, mfc="white", mec=_colours(own)[0], mew=1.4,
                zorder=6, gid=f"target-{'own' if own else 'other'}")  # fmt: skip


# Figures with time on an axis: trend and small multiples.

# Colour of line, colour of text, marker, width; drawn in this order, the region on top.
ROLES = {
    "parent": (style.MID, style.QUIET, "s", 1.1),
    "band": ("#A3A3A3", style.QUIET, "o", 1.3),
    "nation": (style.DARK, style.DARK, "o", 1.3),
    "region": (style.ACCENT, style.ACCENT_TEXT, "o", 2.0),
}


def trend(
    series: pd.DataFrame, targets: pd.DataFrame | None = None,
    breaks: Sequence[tuple[int, str]] = (), *, ylabel: str,
) -> Figure:  # fmt: skip
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
    drawn = drawn.sort_values("year")
    if drawn.empty and goals.empty:
        raise ValueError("trend: neither a value nor a target to draw")
    with style.figure(3.7) as fig:
        ax = fig.add_subplot(ylabel=ylabel)
        labels = []
        for role in ROLES:
            for name, line in drawn[drawn["role"] == role].groupby("name", sort=False):
                labels.append(_trend_line(ax, name, line, role, [year for year, _ in breaks]))
        ax.plot(goals["year"], goals["value"], "D", ms=6, mfc="white", mec=style.ACCENT, mew=1.4)
        labels = sorted(labels, key=lambda label: (-label.x, -label.y))
        labels[:0] = [
            Label(goal.year, goal.value, wrap(goal.label, 24), style.ACCENT_TEXT)
            for goal in goals.itertuples()
        ]
        years = [*drawn["year"], *goals["year"]]
        shown = [(year, text) for year, text in breaks if min(years) <= year <= max(years)]
        ax.margins(y=0.08)
        _time_axes(ax, years, years, shown, labels, style.SMALL)
    return fig


def _trend_line(ax: Axes, name: str, line: pd.DataFrame, role: str, breaks: list[int]) -> Label:
    colour, text, marker, width = ROLES[role]
    z = 3 + list(ROLES).index(role) / 10
    ends = line.dropna(subset=["low", "high"])
    if len(ends):
        ax.vlines(ends["year"], ends["low"], ends["high"], colors=colour, lw=0.6 * width, zorder=z)
    points = list(zip(line["year"], line["value"], strict=True))
    for (x0, y0), (x1, y1) in pairwise(points):
        broken = any(x0 < year <= x1 for year in breaks)
        dashes = (0, (3, 2)) if broken else "solid"
        ax.plot([x0, x1], [y0, y1], color=colour, lw=width, ls=dashes, zorder=z)
    face = "white" if role == "parent" else colour
    ax.plot(*zip(*points, strict=True), marker, ms=2.6 + width, mfc=face, mec=colour, zorder=z)
    return Label(*points[-1], wrap(name, 24), text)


def _time_axes(
    ax: Axes, years: list, ticks: list, breaks: Sequence, labels: list[Label], fontsize: float
) -> None:
    """Years below, values from zero, a dotted line half a year before each break, the labels."""
    ax.set_xlim(min(years) - 0.8, max(years) + 0.8)
    if ax.dataLim.y0 >= 0:
        ax.set_ylim(0, ax.get_ylim()[1])
    ax.yaxis.set_major_formatter(plain)
    make_room(ax, labels, fontsize)
    for year, _ in breaks:
        ax.axvline(year - 0.5, color=style.MID, lw=0.8, ls=":", zorder=1)
    year_ticks(ax, ticks)
    flags(ax, [(year - 0.5, text, style.QUIET) for year, text in breaks])
    style.lay_out(ax.figure)
    place(ax, labels, fontsize)


def small_multiples(series: pd.DataFrame, *, ylabel: str = "", columns: int = 3) -> Figure:
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
    across = min(columns, len(panels))
    down = math.ceil(len(panels) / across)
    years = series.loc[series["value"].notna(), "year"]
    with style.figure(0.45 + 1.75 * down) as fig:
        fig.supylabel(ylabel, fontsize=style.SMALL, color=style.QUIET)
        grid = fig.subplots(down, across, sharex=True, squeeze=False).ravel()
        grid[0].set_xlim(years.min() - 0.8, years.max() + 0.8)
        labels = [
            _panel(ax, wrap(panel, 96 // across), rows)
            for ax, (panel, rows) in zip(grid, panels, strict=False)
        ]
        for position, ax in enumerate(grid[: len(panels)]):
            ax.tick_params(labelbottom=position + across >= len(panels))
        for ax in grid[len(panels) :]:
            ax.remove()
        year_ticks(grid[0], years, minor=False)  # each year has its dot
        if any(labels):
            style.lay_out(fig)
        for ax, texts in zip(grid, labels, strict=False):
            place(ax, texts, style.TINY)
    return fig


def _panel(ax: Axes, title: str, rows: pd.DataFrame) -> list[Label]:
    ax.set_title(title, fontsize=style.SMALL, color=style.INK)
    labels = []
    for order, (_, line) in enumerate(rows.groupby("series", sort=False)):
        line = line.sort_values("year")
        face = (style.ACCENT, "white", style.ACCENT_PALE)[order % 3]
        ax.plot(
            line["year"], line["value"], "o-", color=style.ACCENT, mfc=face, lw=1.5, ms=4, zorder=3
        )
        last = line.dropna(subset="value").tail(1)
        if "label" in rows and len(last):
            text = wrap(last["label"].item(), 20)
            labels.append(Label(last["year"].item(), last["value"].item(), text, style.ACCENT_TEXT))
    ax.margins(y=0.3 if "label" in rows else 0.12)
    if ax.dataLim.y0 >= 0:
        ax.set_ylim(0, max(ax.get_ylim()[1], 1e-9))
    if rows["value"].isna().all():
        ax.set_yticks([])  # an empty panel says that nothing is published
        return labels
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(plain)
    return labels


# Figures of a report: they take data and texts, and return a figure.
DOT = 7.5  # diameter of a peer's dot with its rim, points
# Line style and colours of a marked value by its kind.
MARKS = {
    "region": ("-", style.ACCENT, style.ACCENT_TEXT),
    "target": ((0, (4, 2)), style.ACCENT, style.ACCENT_TEXT),
    "nation": ("-", style.DARK, style.DARK),
    "other": ((0, (1, 1.5)), style.MID, style.QUIET),
}
TILES = {
    "published": {"facecolor": style.QUIET, "edgecolor": style.QUIET},
    "flagged": {"facecolor": "#D9D9D9", "edgecolor": style.MID, "hatch": "////"},
    "missing": {"facecolor": "white", "edgecolor": style.LIGHT},
}


def strip(
    values: pd.DataFrame, marks: pd.DataFrame, *, xlabel: str, label_names: Sequence[str] = ()
) -> Figure:
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
    everything = np.append(dots["value"], lines["value"]).astype(float)
    if not everything.size:
        raise ValueError("strip: no value to draw")
    pad = 0.05 * np.ptp(everything) or 1.0
    start, end = everything.min() - pad, everything.max() + pad
    levels = stack(dots["value"].to_numpy(float), (end - start) * DOT / (style.WIDTH * 72 - 20))
    reach = max(np.ptp([*levels, 0]) / 2 + 1, 3)
    with style.figure(0.6 + 2 * reach * DOT / 72 + ROW / 72 * len(lines)) as fig:
        ax = fig.add_subplot(xlabel=xlabel, xlim=(start, end), yticks=[])
        ax.xaxis.set_major_formatter(plain)
        for value, kind in zip(lines["value"], lines["kind"], strict=True):
            dashes, colour, _ = MARKS[kind]
            ax.axvline(value, color=colour, ls=dashes, lw=1.6, zorder=2, gid=kind)
        flags(ax, [(m.value, m.label, MARKS[m.kind][2]) for m in lines.itertuples()])
        style.lay_out(fig)
        half = ax.bbox.height * 72 / fig.dpi / DOT / 2
        ax.set_ylim(-half, half)
        ax.plot(dots["value"], levels, "o", ms=DOT - 1.5, color=style.MID, mec="white", mew=0.6)
        place(ax, _chosen(dots.assign(x=dots["value"], y=levels), label_names), style.TINY)
    return fig


def scatter(
    frame: pd.DataFrame,
    *,
    xlabel: str,
    ylabel: str,
    label_names: Sequence[str] = (),
    log2: bool = False,
) -> Figure:
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
    rows = frame.dropna(subset=["x", "y"]).sort_values("highlight", kind="stable")
    if rows.empty or (log2 and (rows["x"] <= 0).any()):
        raise ValueError("scatter: needs points, and with log2 every x above zero")
    with style.figure(4.0) as fig:
        ax = fig.add_subplot(xlabel=xlabel, ylabel=ylabel)
        colours = np.where(rows["highlight"], style.ACCENT, style.DARK)
        whiskers = np.where(rows["highlight"], style.ACCENT, style.LIGHT)
        ax.vlines(rows["x"], rows["y_low"], rows["y_high"], colors=whiskers, lw=1, zorder=2)
        ax.scatter(rows["x"], rows["y"], s=30, c=colours, edgecolors="white", lw=0.7, zorder=4)
        if log2:
            doubling_axis(ax, rows["x"])
        else:
            ax.xaxis.set_major_formatter(plain)
        ax.yaxis.set_major_formatter(plain)
        style.lay_out(fig)
        place(ax, _chosen(rows, [*rows.loc[rows["highlight"], "name"], *label_names]), style.TINY)
    return fig


def _chosen(rows: pd.DataFrame, names: Sequence[str]) -> list[Label]:
    colours = {True: style.ACCENT_TEXT, False: style.DARK}
    marked = rows.get("highlight", pd.Series(False, index=rows.index))
    return [
        Label(x, y, name, colours[bool(flag)])
        for name, x, y, flag in zip(rows["name"], rows["x"], rows["y"], marked, strict=True)
        if name in set(names)
    ]


def coverage(frame: pd.DataFrame, *, states: Mapping[str, str]) -> Figure:
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
    cells = frame.set_index(["region", "year"])["state"].to_dict()
    with style.figure(0.75 + 0.21 * len(regions)) as fig:
        ax = fig.add_subplot()
        for row, column in np.ndindex(len(regions), len(years)):
            state = cells.get((regions[row], years[column]), "missing")
            corner = (column - 0.46, row - 0.38)
            ax.add_patch(Rectangle(corner, 0.92, 0.76, lw=0.7, gid=state, **TILES[state]))
        ax.set_xlim(-0.5, len(years) - 0.5)
        ax.xaxis.tick_top()
        ax.set_xticks(range(len(years)), [str(int(year)) for year in years])
        ax.tick_params(length=0)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        row_names(ax, regions, 26)
        key(fig, [(states[state], Patch(lw=0.7, **TILES[state])) for state in TILES])
    return fig
