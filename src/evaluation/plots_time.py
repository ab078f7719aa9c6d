"""Figures with time on an axis: trend and small multiples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation import style
from evaluation.plot_axes import flags, year_ticks
from evaluation.plot_labels import Label, make_room, place
from evaluation.plot_text import known, one_a, plain, require, wrap

# Colour of line, colour of text, marker, width; drawn in this order, the region on top.
ROLES = {
    "parent": (style.MID, style.QUIET, "s", 1.1),
    "band": ("#A3A3A3", style.QUIET, "o", 1.3),
    "nation": (style.DARK, style.DARK, "o", 1.3),
    "region": (style.ACCENT, style.ACCENT_TEXT, "o", 2.0),
}


def trend(
    series: pd.DataFrame,
    targets: pd.DataFrame | None = None,
    breaks: Sequence[tuple[int, str]] = (),
    *,
    ylabel: str,
) -> Figure:
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
        If a column is missing, a role is unknown, a name has two rows for one year, or there is
        nothing to draw.
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
        _trend_axes(ax, labels, [*drawn["year"], *goals["year"]], breaks)
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


def _trend_axes(ax: Axes, labels: list[Label], years: list, breaks: Sequence) -> None:
    shown = [(year - 0.5, text) for year, text in breaks if min(years) <= year <= max(years)]
    ax.set_xlim(min(years) - 0.8, max(years) + 0.8)
    ax.margins(y=0.08)
    if ax.dataLim.y0 >= 0:
        ax.set_ylim(0, ax.get_ylim()[1])
    ax.yaxis.set_major_formatter(plain)
    make_room(ax, labels)
    for year, _ in shown:
        ax.axvline(year, color=style.MID, lw=0.8, ls=":", zorder=1)
    year_ticks(ax, years)
    flags(ax, [(year, text, style.QUIET) for year, text in shown])
    style.lay_out(ax.figure)
    place(ax, labels)


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
