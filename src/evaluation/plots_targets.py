"""The fan chart of a target: what was published, where the share is heading, what is aimed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation import style
from evaluation.plot_axes import flags, year_ticks
from evaluation.plot_labels import Label, make_room, place
from evaluation.plot_text import plain, require, wrap

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
        shown = [(year - 0.5, text) for year, text in breaks if min(years) < year <= max(years)]
        ax.set_xlim(min(years) - 0.8, max(years) + 0.8)
        ax.set_ylim(0, ax.get_ylim()[1])
        ax.yaxis.set_major_formatter(plain)
        end = rows.iloc[-1]
        labels = [
            Label(goal.year, goal.value, wrap(goal.label, 26), _colours(goal.own)[1])
            for goal in goals.itertuples()
        ]
        labels += [
            Label(end["year"], end[f"{side}_{level}"], names[str(level)], style.QUIET)
            for level, side in ((95, "high"), (80, "high"), (50, "low"))
        ]
        labels.append(Label(end["year"], end["median"], names["median"], style.ACCENT_TEXT))
        make_room(ax, labels, style.TINY)
        for year, _ in shown:
            ax.axvline(year, color=style.MID, lw=0.8, ls=":", zorder=1)
        year_ticks(ax, [*published["year"], *goals["year"], rows["year"].iloc[-1]])
        flags(ax, [(year, text, style.QUIET) for year, text in shown])
        style.lay_out(fig)
        place(ax, labels, style.TINY)
    return fig


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
