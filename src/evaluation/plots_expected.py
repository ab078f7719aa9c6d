"""Observed gains against what the other regions lead one to expect."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation import style
from evaluation.plot_text import key, plain, require, row_names

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
