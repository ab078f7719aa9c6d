"""Place text in a figure so that no two labels overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from evaluation.style import INK, QUIET, SMALL, settle

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
