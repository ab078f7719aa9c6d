"""Figures of cost and effect: plane, acceptability, response curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from evaluation import style
from evaluation.plot_text import plain, require, wrap


def plane_and_acceptability(
    draws: pd.DataFrame, curve: pd.DataFrame, *, wtp: float, labels: Mapping[str, str]
) -> Figure:
    """Draws on the cost-effectiveness plane; beside it the probability that the step pays.

    Parameters
    ----------
    draws : columns ``effect, cost``, one row a draw; effects below zero are drawn grey.
    curve : columns ``wtp`` (0 is left out: the axis is in logs), ``probability`` (0 to 1).
    wtp : the stated value, marked. labels : ``effect, cost, wtp, probability``, the axes' texts.

    Raises
    ------
    ValueError : a column or label is missing.
    """
    require(draws, ("effect", "cost"), "plane draws")
    require(curve, ("wtp", "probability"), "acceptability curve")
    if lacking := {"effect", "cost", "wtp", "probability"} - set(labels):
        raise ValueError(f"plane: labels lack {', '.join(sorted(lacking))}")
    with style.figure(2.9) as fig:
        left, right = fig.subplots(1, 2)
        _plane(left, draws, labels)
        shown = curve[curve["wtp"] > 0]
        right.plot(shown["wtp"], 100 * shown["probability"], color=style.ACCENT, lw=1.8)
        right.set(
            xscale="log", ylim=(0, 100), xlabel=wrap(labels["wtp"], 40),
            ylabel=labels["probability"],
        )  # fmt: skip
        right.axvline(wtp, color=style.DARK, lw=1, ls=(0, (4, 2)), gid="wtp")
        ticks = 10.0 ** np.arange(np.ceil(np.log10(shown["wtp"].min())), 7)
        right.set_xticks(ticks[ticks <= shown["wtp"].max()])
        right.xaxis.set_minor_locator(NullLocator())
        right.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    return fig


def _plane(ax: Axes, draws: pd.DataFrame, labels: Mapping[str, str]) -> None:
    better = draws["effect"] > 0
    for rows, colour in ((draws[~better], style.MID), (draws[better], style.ACCENT)):
        ax.plot(rows["effect"], rows["cost"], ".", ms=2.5, alpha=0.5, mew=0, color=colour)
    ax.axvline(0, color=style.DARK, lw=0.9)
    ax.set_ylim(0, float(draws["cost"].max()) * 1.1)
    ax.set(xlabel=wrap(labels["effect"], 40), ylabel=labels["cost"])
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(plain)
    ax.yaxis.set_major_formatter(plain)


def response_curves(curves: Sequence[tuple[str, pd.DataFrame]], *, ylabel: str) -> Figure:
    """Gain against the level of each lever with its band, one small panel each, one y axis.

    Parameters
    ----------
    curves : name and a frame with ``level, gain, low, high`` each.

    Raises
    ------
    ValueError : no curve, or a column is missing.
    """
    if not curves:
        raise ValueError("response curves: nothing to draw")
    with style.figure(2.7) as fig:
        axes = np.atleast_1d(fig.subplots(1, len(curves), sharey=True))
        for ax, (name, frame) in zip(axes, curves, strict=True):
            require(frame, ("level", "gain", "low", "high"), "response curve")
            ax.fill_between(frame["level"], frame["low"], frame["high"], color=style.ACCENT_PALE)
            ax.plot(frame["level"], frame["gain"], color=style.ACCENT, lw=1.8)
            ax.axhline(0, color=style.DARK, lw=0.9)
            ax.set_xlabel(wrap(name, 26))
            ax.xaxis.set_major_formatter(plain)
        axes[0].set_ylabel(ylabel)
        axes[0].yaxis.set_major_formatter(plain)
    return fig
