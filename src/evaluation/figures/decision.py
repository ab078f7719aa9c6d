"""Figures of decisions: specifications, cost-effectiveness, responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from evaluation.figures import style
from evaluation.figures.labels import plain, require, wrap
from evaluation.figures.style import slim

# Figure of a decision by willingness to pay: net benefit, frontier, value of information.
COLUMNS = ("wtp", "benefit", "low", "high", "frontier", "information")
LABELS = ("wtp", "benefit", "frontier", "information")


def decision_curves(
    curves: pd.DataFrame, *, wtp: float | None, labels: Mapping[str, str]
) -> Figure:
    """Three panels over the worth of one unit of effect, on one axis in logs.

    Parameters
    ----------
    curves : columns ``wtp`` (0 is left out), ``benefit, low, high`` (expected incremental benefit
        with its interval, money per head), ``frontier`` (0 to 1, the probability that the option
        best on average is the best), ``information`` (value of perfect information per head).
    wtp : the stated value, marked; ``None`` if none is.
    labels : ``wtp, benefit, frontier, information``.

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
            _stated(ax, wtp)
            ax.set_title(wrap(labels[name], 26), loc="left")
            _money_axis(ax, shown["wtp"])
        axes[1].set_ylim(0, 105)
        axes[1].set_xlabel(wrap(labels["wtp"], 60))
        for ax in (axes[0], axes[2]):
            ax.yaxis.set_major_formatter(plain)
    return fig


def _stated(ax: Axes, wtp: float | None) -> None:
    if wtp is not None:
        ax.axvline(wtp, color=style.DARK, lw=1, ls=(0, (4, 2)), gid="wtp")


def _money_axis(ax: Axes, values: pd.Series) -> None:
    """Every second power of ten, so that three axes stand side by side in both languages."""
    first, last = np.ceil(np.log10(values.min())), np.floor(np.log10(values.max()))
    ax.set_xscale("log")
    ax.set_xticks(10.0 ** np.arange(last, first - 1, -2)[::-1])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


# The specification curve: sorted estimates above, the choices that made each below.
NAME_COLUMNS = 30
# Height of the curve and of one row of choices, inches.
CURVE, CHOICE = 1.9, 0.24


def specification_curve(
    table: pd.DataFrame,
    *,
    ylabel: str,
    choices: Mapping[str, Mapping[str, str]],
    headline_sign: float,
) -> Figure:
    """Estimates of all specifications in ascending order, and their choices as ticks.

    Estimates with the sign of the headline are dark, the others in the accent colour, so that the
    share of the opposite sign is seen at once.

    Parameters
    ----------
    table : column ``estimate`` and the columns of ``choices``. A cell that joins several values by
        ``" + "`` (covariates) has a tick in the row of each.
    choices : column -> {value: its name on the page}, in the order drawn, top to bottom.
    headline_sign : sign of the estimate the curve doubts.

    Raises
    ------
    ValueError
        If a column is missing, no estimate is finite, or a value has no name.
    """
    require(table, ("estimate", *choices), "specification curve")
    rows = table[np.isfinite(table["estimate"].astype(float))]
    if rows.empty or not choices:
        raise ValueError("specification curve: needs estimates and choices")
    rows = rows.sort_values("estimate", kind="stable", ignore_index=True)
    ticks, names, gaps = _ticks(rows, choices)
    height = CHOICE * (len(names) + len(choices))
    with style.figure(CURVE + height + 0.3) as fig:
        top, bottom = fig.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": (CURVE, height), "hspace": 0.0}
        )
        _curve(top, rows["estimate"].to_numpy(float), headline_sign, ylabel)
        _choices(bottom, ticks, names, gaps)
        bottom.set_xlim(-1, len(rows))
    return fig


def _ticks(rows: pd.DataFrame, choices: Mapping[str, Mapping[str, str]]):
    """Positions (specification, row) of the ticks, and the name and height of each row."""
    ticks, names, heights, y = [], [], [], 0.0
    for column, labels in choices.items():
        held = [set(filter(None, str(cell).split(" + "))) for cell in rows[column]]
        strange = sorted(set().union(*held) - set(labels))
        if strange:
            raise ValueError(f"specification curve: no name for {', '.join(strange)} of {column}")
        for value, name in labels.items():
            ticks += [(x, y) for x, cell in enumerate(held) if value in cell]
            names.append(name)
            heights.append(y)
            y += 1
        y += 0.7  # a gap between kinds of choice
    return np.array(ticks, dtype=float).reshape(-1, 2), names, heights


def _curve(ax: Axes, values: np.ndarray, sign: float, ylabel: str) -> None:
    same = np.sign(values) == np.sign(sign)
    x = np.arange(len(values))
    size = float(np.clip(900 / len(values), 2.0, 14.0))
    for chosen, colour, gid in ((same, style.DARK, "same"), (~same, style.ACCENT, "opposite")):
        ax.scatter(x[chosen], values[chosen], s=size, color=colour, lw=0, zorder=3, gid=gid)
    ax.axhline(0, color=style.DARK, lw=0.9, zorder=2)
    ax.yaxis.set_major_formatter(plain)
    ax.set_ylabel(ylabel)
    ax.tick_params(axis="x", length=0, labelbottom=False)
    ax.spines["bottom"].set_visible(False)


def _choices(ax: Axes, ticks: np.ndarray, names: Sequence[str], heights: Sequence[float]) -> None:
    ax.vlines(
        ticks[:, 0], ticks[:, 1] - 0.34, ticks[:, 1] + 0.34, colors=style.MID, lw=0.8, gid="choice"
    )
    ax.set_yticks(heights, [slim(wrap(name, NAME_COLUMNS)) for name in names])
    ax.set_ylim(max(heights) + 0.7, -0.7)
    ax.tick_params(axis="x", length=0, labelbottom=False)
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)


# Figures of cost and effect: plane, acceptability, response curves.


def plane_and_acceptability(
    draws: pd.DataFrame, curve: pd.DataFrame, *, wtp: float | None, labels: Mapping[str, str]
) -> Figure:
    """Draws on the cost-effectiveness plane; beside it the probability that the step pays.

    Parameters
    ----------
    draws : columns ``effect, cost``, one row a draw; effects below zero are drawn grey.
    curve : columns ``wtp`` (0 is left out: the axis is in logs), ``probability`` (0 to 1).
    wtp : the stated value, marked; ``None`` if none is.
    labels : ``effect, cost, wtp, probability``, the axes' texts.

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
        _stated(right, wtp)
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
