"""Axes, labels that do not collide, and text in figures."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from evaluation.figures.style import ACCENT_TEXT, DARK, INK, QUIET, SMALL, TINY, settle, slim

# Place text in a figure so that no two labels overlap.
DISTINCT = 8  # pixels between two points below which their labels may swap
NEAR = 15  # points; a label further off gets a leader
HALO = [withStroke(linewidth=2.2, foreground="white")]


@dataclass(frozen=True)
class Label:
    """A text and the point it names, in data coordinates."""

    x: float
    y: float
    text: str
    colour: str = INK


def size(fig: Figure, text: str, fontsize: float) -> np.ndarray:
    """Width and height of a text in pixels."""
    artist = Text(0, 0, text, fontsize=fontsize, figure=fig)
    box = artist.get_window_extent(fig.canvas.get_renderer())
    return np.array([box.width, box.height])


def make_room(ax: Axes, labels: Sequence[Label], fontsize: float = SMALL) -> None:
    """Widen the x axis to the right until every label fits beside its point.

    A label takes at most half of the axes; beyond that :func:`place` finds another side for it.
    """
    fig = ax.figure
    start, end = ax.get_xlim()
    for label in labels:
        width = size(fig, label.text, fontsize)[0] + pixels(fig, 12)
        share = min(width / ax.bbox.width, 0.5)
        end = max(end, start + (label.x - start) / (1 - share))
    ax.set_xlim(start, end)


def place(ax: Axes, labels: Sequence[Label], fontsize: float = SMALL) -> list[Text]:
    """Write each label beside its point, clear of lines, marks and earlier labels.

    Candidate positions around the point, near ones first, are scored by what they would cover;
    a label pushed away gets a thin leader. Call it last, with the axis limits final and the figure
    laid out; where every label lies within the figure, that layout is kept.
    """
    fig = ax.figure
    if not labels:
        return []
    marks, frame = _marks(ax), ax.get_window_extent()
    taken: list[tuple[np.ndarray, Bbox]] = []
    texts = []
    for label in labels:
        anchor = ax.transData.transform((label.x, label.y))
        extent = size(fig, label.text, fontsize)
        scored = []
        for penalty, option in _candidates():
            box, leader = _box(anchor, extent, fig, option), _leader(anchor, fig, option)
            cost = penalty + _cost(anchor, box, leader, marks, taken, frame)
            scored.append((cost, box, leader, option))
        _, box, leader, option = min(scored, key=lambda entry: entry[0])
        taken.append((anchor, box))
        marks = np.vstack([marks, leader])
        texts.append(_write(ax, label, option, fontsize))
    if all(fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1 for _, box in taken) and all(
        fig.bbox.y0 <= box.y0 and box.y1 <= fig.bbox.y1 for _, box in taken
    ):
        settle(fig)
    return texts


def _candidates() -> Iterable[tuple[float, tuple[float, float, str, str]]]:
    for distance in (6, 9, 13, 20, 28, 37, 48, 60):
        slant = 0.75 * distance
        sides = (
            (distance, 0, "left", "center"), (slant, slant, "left", "bottom"),
            (slant, -slant, "left", "top"), (0, distance, "center", "bottom"),
            (0, -distance, "center", "top"), (-slant, slant, "right", "bottom"),
            (-slant, -slant, "right", "top"), (-distance, 0, "right", "center"),
        )  # fmt: skip
        for order, side in enumerate(sides):
            yield 0.25 * distance + 0.4 * order, side


def _box(anchor: np.ndarray, extent: np.ndarray, fig: Figure, option: tuple) -> Bbox:
    dx, dy, ha, va = option
    shift = {"left": 0, "bottom": 0, "center": -0.5, "right": -1, "top": -1}
    corner = anchor + pixels(fig, np.array([dx, dy])) + extent * [shift[ha], shift[va]]
    return Bbox([corner, corner + extent])


def _leader(anchor: np.ndarray, fig: Figure, option: tuple) -> np.ndarray:
    """Points of the leader of a displaced label, past the mark itself; none for a near label."""
    step = pixels(fig, np.array(option[:2], dtype=float))
    if np.hypot(*option[:2]) <= NEAR:
        return np.empty((0, 2))
    return anchor + np.linspace(0.2, 1, 16)[:, None] * step


def _cost(
    anchor: np.ndarray, box: Bbox, leader: np.ndarray, marks: np.ndarray, taken: list, frame: Bbox
) -> float:
    roomy = box.padded(2)
    hidden = _inside(marks, roomy).sum()
    # Left of and below the axes stand the tick labels; above and right of them is free paper.
    outside = np.maximum(frame.min - box.min, 0).sum() * 10
    outside += np.maximum(box.max - frame.max, 0).sum()
    clashes = sum(roomy.overlaps(b) + 0.2 * _inside(leader, b).any() for _, b in taken)
    swapped = sum(_swapped(anchor, box, *other) for other in taken)
    return 1000 * clashes + 40 * swapped + 1.5 * hidden + 3 * outside


def _swapped(anchor: np.ndarray, box: Bbox, other_anchor: np.ndarray, other: Bbox) -> bool:
    """Whether two labels in one column stand in the opposite order of their distinct points."""
    column = box.x0 < other.x1 and other.x0 < box.x1
    rise = anchor[1] - other_anchor[1]
    return bool(column and abs(rise) > DISTINCT and rise * (box.y0 - other.y0) < 0)


def _inside(points: np.ndarray, box: Bbox) -> np.ndarray:
    return np.all((points > box.min) & (points < box.max), axis=1)


def _write(ax: Axes, label: Label, option: tuple, fontsize: float) -> Text:
    dx, dy, ha, va = option
    near = {"left": 0, "bottom": 0, "center": 0.5, "right": 1, "top": 1}
    leader = {
        "arrowstyle": "-", "color": QUIET, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 4,
        "relpos": (near[ha], near[va]),
    }  # fmt: skip
    return ax.annotate(
        label.text, (label.x, label.y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va,
        color=label.colour, fontsize=fontsize, linespacing=1.15, path_effects=HALO, zorder=8,
        annotation_clip=False, arrowprops=leader if np.hypot(dx, dy) > NEAR else None,
    )  # fmt: skip


def _marks(ax: Axes) -> np.ndarray:
    """Points along everything drawn, in pixels, at most 4 px apart; shape (n, 2).

    A dot counts as twelve points on its rim: hiding one is worse than crossing a whisker.
    """
    paths, dots = [], []
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rim = pixels(ax.figure, 3.5) * np.column_stack([np.cos(turn), np.sin(turn)])
    for line in ax.lines:
        path = line.get_transform().transform(line.get_xydata())
        paths += [path] if line.get_linestyle() != "None" else []
        dots += [path] if line.get_marker() not in ("None", "", None) else []
    for artist in ax.collections:
        if isinstance(artist, LineCollection):
            paths += [artist.get_transform().transform(part) for part in artist.get_segments()]
        elif isinstance(artist, PathCollection):
            dots.append(artist.get_offset_transform().transform(artist.get_offsets()))
    parts = [_dense(path[np.isfinite(path).all(axis=1)]) for path in paths]
    parts += [(dot[np.isfinite(dot).all(axis=1)][:, None] + rim).reshape(-1, 2) for dot in dots]
    return np.vstack([np.empty((0, 2)), *parts])


def _dense(path: np.ndarray) -> np.ndarray:
    pieces = [path]
    for start, end in pairwise(path):
        count = int(np.hypot(*(end - start)) // 4)
        pieces.append(start + np.linspace(0, 1, count + 2)[1:-1, None] * (end - start))
    return np.vstack(pieces)


def pixels(fig: Figure, points: float | np.ndarray) -> float | np.ndarray:
    """Convert points to pixels of a figure."""
    return points * fig.dpi / 72


# Texts of figures: numbers, line breaks, row names, keys; and the checks of what was given.


def require(frame: pd.DataFrame, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Return ``frame``, or raise ``ValueError`` naming the columns it lacks."""
    lacking = [column for column in columns if column not in frame.columns]
    if lacking:
        raise ValueError(
            f"{where}: column(s) {', '.join(lacking)} missing; needed: {', '.join(columns)}"
        )
    return frame


def one_a(frame: pd.DataFrame, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Return ``frame``, or raise ``ValueError`` if two rows agree in all ``columns``."""
    double = frame[frame.duplicated(list(columns))]
    if len(double):
        first = ", ".join(str(double.iloc[0][column]) for column in columns)
        raise ValueError(f"{where}: more than one row for {first}; give one a {'/'.join(columns)}")
    return frame


def known(values: pd.Series, allowed: Mapping[str, object], where: str) -> None:
    """Raise ``ValueError`` for a value that is none of the keys of ``allowed``."""
    strange = sorted(set(map(str, values)) - set(allowed))
    if strange:
        raise ValueError(f"{where}: {', '.join(strange)} unknown; allowed: {', '.join(allowed)}")


def plain(value: float, _position: int | None = None) -> str:
    """Tick label with thousands separators and a minus sign of the width of a digit.

    >>> plain(-1250.5)
    '–1,250.5'
    """
    rounded = float(f"{value:.10g}")
    return f"{rounded:,.10g}".replace("-", slim("−")) if math.isfinite(rounded) else ""


def wrap(text: str, columns: int) -> str:
    """Break a text into lines of at most ``columns``; a Chinese character takes two.

    >>> wrap("per 10,000 residents", 12).split()
    ['per', '10,000', 'residents']
    >>> wrap("每万人科普人员数", 8).splitlines()
    ['每万人科', '普人员数']
    """
    lines, line = [], ""
    for piece in _pieces(str(text)):
        if line.strip() and _columns((line + piece).rstrip()) > columns:
            lines, line = [*lines, line.rstrip()], piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line.rstrip()])


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _pieces(text: str) -> list[str]:
    # A line may break after a space or beside a wide character, but never before closing marks.
    pieces: list[str] = []
    for letter in text:
        wide = _columns(letter) == 2
        closing = unicodedata.category(letter) in ("Pe", "Pf", "Po")
        last = pieces[-1][-1] if pieces else " "
        if pieces and (closing or (last != " " and not wide and _columns(last) == 1)):
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def key(fig: Figure, entries: Sequence[tuple[str, Artist]]) -> None:
    """One line above the axes that says what each mark is: texts with a sample of the mark."""
    for text, mark in entries:
        mark.set_label(text)
    fig.legend(
        handles=[mark for _, mark in entries], loc="outside upper left", ncols=len(entries),
        handlelength=1.2, handleheight=0.9, handletextpad=0.5, columnspacing=1.8, borderpad=0.1,
        borderaxespad=0.2, labelcolor=DARK,
    )  # fmt: skip


def row_names(ax: Axes, names: Sequence[str], columns: int, highlight: Sequence[bool] = ()) -> None:
    """Name the rows of a chart, first row on top; highlighted names in the accent colour."""
    ax.set_yticks(range(len(names)), [slim(wrap(name, columns)) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    for tick in ax.get_yticklabels():
        # One line sits on the row by its baseline, two lines by their middle.
        tick.set(color=INK, linespacing=1.15, va=_middle(tick.get_text()))
    for tick, marked in zip(ax.get_yticklabels(), highlight, strict=False):
        tick.set_color(ACCENT_TEXT if marked else INK)


def _middle(text: str) -> str:
    return "center" if "\n" in text else "center_baseline"


def right_texts(ax: Axes, texts: Sequence[str]) -> None:
    """Write one text a row at the right of the axes."""
    for y, text in enumerate(map(str, texts)):
        ax.annotate(
            text, (1, y), xytext=(10, 0), xycoords=ax.get_yaxis_transform(), va=_middle(text),
            textcoords="offset points", fontsize=SMALL, annotation_clip=False,
        )  # fmt: skip


# Axes of the figures: flags on vertical lines, year ticks, doubling scale, stacked dots.
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
