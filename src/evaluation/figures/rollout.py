"""Figures of a planned evaluation: who begins when, and what size of difference it would find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from evaluation.figures import style
from evaluation.figures.labels import plain, require, wrap
from evaluation.figures.style import slim

ROW = 0.32  # height of a group, in inches
GAP = 0.06  # between two tiles, as a share of one


def rollout(begun: np.ndarray, *, groups: Sequence[str], waves: Sequence[str]) -> Figure:
    """Tiles of groups by waves: dark with the programme, pale without it, none where not surveyed.

    Parameters
    ----------
    begun : (S, T) 1 or 0, missing where the group is not surveyed.

    Raises
    ------
    ValueError : labels that do not match the tiles.
    """
    if begun.shape != (len(groups), len(waves)):
        raise ValueError(f"rollout: {begun.shape} tiles, {len(groups)} groups, {len(waves)} waves")
    colours = {0.0: style.ACCENT_PALE, 1.0: style.ACCENT}
    with style.figure(0.6 + ROW * len(groups)) as fig:
        ax = fig.subplots()
        for (row, column), value in np.ndenumerate(begun):
            if np.isfinite(value):
                place = column - 0.5 + GAP / 2, row - 0.5 + GAP / 2
                tile = Rectangle(place, 1 - GAP, 1 - GAP, color=colours[value], lw=0, gid="tile")
                ax.add_patch(tile)
        ax.set(xlim=(-0.5, len(waves) - 0.5), ylim=(len(groups) - 0.5, -0.5))
        ax.set_xticks(range(len(waves)), [slim(wave) for wave in waves])
        ax.set_yticks(range(len(groups)), [wrap(slim(group), 36) for group in groups])
        ax.grid(visible=False)
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(axis="x", length=0)
    return fig


def chances(
    curve: pd.DataFrame, *, target: float, smallest: float, xlabel: str, ylabel: str
) -> Figure:
    """Chance that a difference is found against its size, with the band of what is not known.

    Parameters
    ----------
    curve : columns ``difference, power, low, high``, chances from 0 to 1.
    target : the chance asked for. smallest : the smallest difference worth knowing.

    Raises
    ------
    ValueError : a column is missing.
    """
    require(curve, ("difference", "power", "low", "high"), "chances")
    with style.figure(2.6) as fig:
        ax = fig.subplots()
        x = curve["difference"]
        ax.fill_between(x, curve["low"], curve["high"], color=style.ACCENT_PALE, lw=0)
        ax.plot(x, curve["power"], color=style.ACCENT, lw=1.8, gid="power")
        ax.axhline(target, color=style.DARK, lw=0.9, ls="--", gid="target")
        ax.axvline(smallest, color=style.DARK, lw=0.9, ls="--", gid="smallest")
        ax.set(xlim=(0, float(x.max())), ylim=(0, 1), xlabel=xlabel, ylabel=ylabel)
        ax.xaxis.set_major_formatter(plain)
        ax.yaxis.set_major_formatter(PercentFormatter(1))
    return fig
