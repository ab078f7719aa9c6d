"""Axes of the figures: flags on vertical lines, year ticks, doubling scale, stacked dots.

Flags and year ticks go by the width of the axes, which a new figure has nearly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from evaluation.plot_labels import pixels, size
from evaluation.plot_text import plain, wrap
from evaluation.style import SMALL, TINY

ROW = 13  # height of a row of labels above the axes, points


def flags(ax: Axes, labels: Sequence[tuple[float, str, str]], fontsize: float = TINY) -> list[Text]:
    """Write labels of vertical lines above the axes, in rows, without overlap.

    Parameters
    ----------
    labels : (x in data coordinates, text, colour). A text starts at its line and runs right; one
        that would leave the axes runs left, as do those it would then meet.
    """
    fig = ax.figure
    labels = [(x, wrap(text, 48), colour) for x, text, colour in labels]
    spots = [
        (ax.transData.transform((x, 0))[0], size(fig, text, fontsize)[0] + pixels(fig, 8), i)
        for i, (x, text, _) in enumerate(labels)
    ]
    edge, turned = ax.bbox.x1, set()
    for pixel, width, i in sorted(spots, reverse=True):
        if pixel + width > edge and pixel - width > 0:
            turned.add(i)
            edge = min(edge, pixel)
    # Right-running texts from the right, then left-running from the left: no leader is crossed.
    order = sorted((s for s in spots if s[2] not in turned), reverse=True)
    order += sorted(s for s in spots if s[2] in turned)
    rows: list[tuple[float, float, int]] = []
    texts = []
    for pixel, width, i in order:
        left, right = (pixel - width, pixel) if i in turned else (pixel, pixel + width)
        row = 1 + max((r for a, b, r in rows if a <= right and left <= b), default=-1)
        rows.append((left, right, row + labels[i][1].count("\n")))
        texts.append(_flag(ax, labels[i], row, -1 if i in turned else 1, fontsize))
    return texts


def _flag(ax: Axes, label: tuple[float, str, str], row: int, side: int, fontsize: float) -> Text:
    x, text, colour = label
    foot = {"xy": (x, 1), "xycoords": ax.get_xaxis_transform(), "textcoords": "offset points"}
    top = row + text.count("\n")
    pole = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0}
    ax.annotate(
        "", xytext=(0, 4 + ROW * (top + 0.75)), arrowprops=pole, annotation_clip=False, **foot
    )
    return ax.annotate(
        text, xytext=(3 * side, 4 + ROW * row), color=colour, fontsize=fontsize, linespacing=1.1,
        va="bottom", ha="left" if side > 0 else "right", annotation_clip=False, **foot,
    )  # fmt: skip


def year_ticks(ax: Axes, years: Iterable[int], minor: bool = True) -> None:
    """Ticks at the years; labels only where they fit, the latest first, else a ``minor`` tick."""
    wanted = sorted({int(year) for year in years}, reverse=True)
    gap = size(ax.figure, "2020 ", SMALL)[0]
    shown: list[int] = []
    for year in wanted:
        if (
            not shown
            or np.subtract(*ax.transData.transform([(shown[-1], 0), (year, 0)])[:, 0]) > gap
        ):
            shown.append(year)
    ax.set_xticks(shown, [str(year) for year in shown])
    ax.set_xticks([year for year in wanted if minor and year not in shown], minor=True)


def doubling_axis(ax: Axes, values: Sequence[float]) -> None:
    """Put x on a scale where each doubling is one step, with plain numbers at the ticks."""
    low, high = float(min(values)), float(max(values))
    margin = max(high / low, 1.1) ** 0.05
    ax.set_xscale("log", base=2)
    ax.set_xlim(low / margin, high * margin)
    powers = 2.0 ** np.arange(np.floor(np.log2(low)), np.ceil(np.log2(high)) + 1)
    ticks = [x for x in powers if low / margin <= x <= high * margin]
    if len(ticks) < 3:  # less than two doublings: even steps read better than one or two ticks
        steps = MaxNLocator(5).tick_values(low, high)
        ticks = [x for x in steps if 0 < low / margin <= x <= high * margin]
    ax.set_xticks(ticks, [plain(x) for x in ticks])
    ax.set_xticks([], minor=True)


def stack(values: np.ndarray, width: float) -> np.ndarray:
    """Levels that keep dots of one width apart on a line: 0, 1, −1, 2, … the nearest free one.

    Parameters
    ----------
    values : ascending, shape (n,).
    width : of a dot, in units of ``values``.

    >>> stack(np.array([1.0, 1.0, 1.0, 9.0]), 0.5).tolist()
    [0, 1, -1, 0]
    """
    last: dict[int, float] = {}
    levels = []
    for value in values:
        spiral = (sign * step for step in range(len(values) + 1) for sign in (1, -1))
        level = next(k for k in spiral if value - last.get(k, -np.inf) >= width)
        last[level] = value
        levels.append(level)
    return np.array(levels, dtype=int)
