"""Figure of a decision by willingness to pay: net benefit, frontier, value of information."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from evaluation import style
from evaluation.plot_text import plain, require, wrap

COLUMNS = ("wtp", "benefit", "low", "high", "frontier", "information")
LABELS = ("wtp", "benefit", "frontier", "information")


def decision_curves(curves: pd.DataFrame, *, wtp: float, labels: Mapping[str, str]) -> Figure:
    """Three panels over the worth of one unit of effect, on one axis in logs.

    Parameters
    ----------
    curves : columns ``wtp`` (0 is left out), ``benefit, low, high`` (expected incremental benefit
        with its interval, money per head), ``frontier`` (0 to 1, the probability that the option
        best on average is the best), ``information`` (value of perfect information per head).
    wtp : the stated value, marked. labels : ``wtp, benefit, frontier, information``.

    Raises
    ------
    ValueError : a column or label is missing.
    """
    require(curves, COLUMNS, "decision curves")
    if lacking := set(LABELS) - set(labels):
        raise ValueError(f"decision curves: labels lack {', '.join(sorted(lacking))}")
    shown = curves[curves["wtp"] > 0]
    with style.figure(2.7) as fig:
        axes = fig.subplots(1, 3)
        axes[0].fill_between(shown["wtp"], shown["low"], shown["high"], color=style.ACCENT_PALE)
        axes[0].axhline(0, color=style.DARK, lw=0.9)
        drawn = (shown["benefit"], 100 * shown["frontier"], shown["information"])
        for ax, values, name in zip(axes, drawn, LABELS[1:], strict=True):
            ax.plot(shown["wtp"], values, color=style.ACCENT, lw=1.8, gid=name)
            ax.axvline(wtp, color=style.DARK, lw=1, ls=(0, (4, 2)), gid="wtp")
            ax.set_title(wrap(labels[name], 26), loc="left")
            _money_axis(ax, shown["wtp"])
        axes[1].set_ylim(0, 105)
        axes[1].set_xlabel(wrap(labels["wtp"], 60))
        for ax in (axes[0], axes[2]):
            ax.yaxis.set_major_formatter(plain)
    return fig


def _money_axis(ax: Axes, values: pd.Series) -> None:
    """Every second power of ten, so that three axes stand side by side in both languages."""
    first, last = np.ceil(np.log10(values.min())), np.floor(np.log10(values.max()))
    ax.set_xscale("log")
    ax.set_xticks(10.0 ** np.arange(last, first - 1, -2)[::-1])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
