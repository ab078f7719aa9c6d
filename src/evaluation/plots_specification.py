"""The specification curve: sorted estimates above, the choices that made each below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation import style
from evaluation.plot_text import plain, require, slim, wrap

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
