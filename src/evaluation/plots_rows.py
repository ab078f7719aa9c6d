"""Figures with one row a region, an estimate or an input: ranking, forest, profile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation import style
from evaluation.plot_axes import flags
from evaluation.plot_text import key, plain, require, right_texts, row_names

INTERVAL = ("name", "value", "low", "high", "highlight")
DOTS = {
    "others": {"marker": "|", "color": style.LIGHT, "ms": 9, "mew": 1.0, "zorder": 2},
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


def profile(
    frame: pd.DataFrame,
    *,
    xlabel: str,
    names: Mapping[str, str],
    others: pd.DataFrame | None = None,
) -> Figure:
    """Where a region stands among the provinces on each input, as percentiles.

    Parameters
    ----------
    frame : columns ``label, percentile, value_text, band_percentile``; percentiles 0 to 100,
        missing ones are not drawn.
    names : texts of the key: ``region``, ``band`` and, with ``others``, ``others``.
    others : columns ``label, percentile``: the other regions, drawn light.

    Raises
    ------
    ValueError
        If a column or name is missing, a percentile is outside 0 to 100, or none is given.
    """
    require(frame, ("label", "percentile", "value_text", "band_percentile"), "profile")
    rug = pd.DataFrame(columns=["label", "percentile"]) if others is None else others
    require(rug, ("label", "percentile"), "profile others")
    drawn = [("others", rug), ("band", frame), ("region", frame)][others is None :]
    if lacking := [part for part, _ in drawn if part not in names]:
        raise ValueError(f"profile: names lacks {', '.join(lacking)}")
    given = pd.concat([frame["percentile"], frame["band_percentile"], rug["percentile"]]).dropna()
    if frame["percentile"].notna().sum() == 0 or not given.between(0, 100).all():
        raise ValueError("profile: needs percentiles, all of them between 0 and 100")
    rows = {label: y for y, label in enumerate(frame["label"])}
    with style.figure(0.85 + 0.36 * max(len(frame), 2)) as fig:
        ax = fig.add_subplot(xlabel=xlabel, xlim=(-2, 102), xticks=range(0, 101, 25))
        row_names(ax, frame["label"], 36)
        for part, data in drawn:
            column = "band_percentile" if part == "band" else "percentile"
            ax.plot(data[column], data["label"].map(rows), ls="none", gid=part, **DOTS[part])
        right_texts(ax, frame["value_text"])
        key(
            fig, [(names[part], Line2D([], [], ls="none", **DOTS[part])) for part, _ in drawn[::-1]]
        )
    return fig
