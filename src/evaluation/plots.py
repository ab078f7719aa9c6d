"""Figures of a report: they take data and texts, and return a figure.

Every function takes frames and strings already in the report's language, draws no title (the
caption is in the page), touches no file and leaves matplotlib's settings as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from evaluation import style
from evaluation.plot_axes import ROW, doubling_axis, flags, stack
from evaluation.plot_labels import Label, place
from evaluation.plot_text import key, known, one_a, plain, require, row_names
from evaluation.plots_expected import expected
from evaluation.plots_rows import forest, profile, ranking
from evaluation.plots_targets import fan
from evaluation.plots_time import small_multiples, trend

__all__ = [
    "coverage", "expected", "fan", "forest", "profile", "ranking", "scatter", "small_multiples",
    "strip", "trend",
]  # fmt: skip

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
    line: pd.DataFrame | None = None,
    label_names: Sequence[str] = (),
    log2: bool = False,
) -> Figure:
    """Gain against dose, with the interval of each gain as a light whisker.

    Parameters
    ----------
    frame : columns ``name, x, y, y_low, y_high, highlight``.
    line : columns ``x, y, low, high``: a fitted line and its interval.
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
        if line is not None:
            fit = require(line, ("x", "y", "low", "high"), "scatter line").sort_values("x")
            ax.fill_between(fit["x"], fit["low"], fit["high"], color=style.PALE, lw=0, zorder=1)
            ax.plot(fit["x"], fit["y"], color=style.DARK, lw=1.4, zorder=3)
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


def coverage(
    frame: pd.DataFrame, *, states: Mapping[str, str], highlight: str | None = None
) -> Figure:
    """Which regions have a published rate in which survey wave, as a matrix of tiles.

    Parameters
    ----------
    frame : columns ``region, year, state``; state is one of ``published, flagged, missing``.
        Regions keep their order; a pair without a row is missing.
    states : the text of each state in the report's language; its keys are the three states.
    highlight : name of the region to set off.

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
        row_names(ax, regions, 26, [name == highlight for name in regions])
        key(fig, [(states[state], Patch(lw=0.7, **TILES[state])) for state in TILES])
    return fig
