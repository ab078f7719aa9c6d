"""Text in figures: line breaks, labels that do not collide, and checks of what was given."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.figures import svg

NEAR = 21  # distance beyond which a label gets a leader to its point
DISTINCT = 6  # distance of two points below which their labels may swap
GAP = 3  # paper between a label and what it keeps clear of
FLAG = 17.0  # height of a row of labels above the axes
ANCHORS = {0: "start", 0.5: "middle", 1: "end"}


def _options() -> Iterator[tuple[float, ...]]:
    """Where a label may stand: steps from its point, the share of it left of and above that, and
    what each costs."""
    for distance in (8, 12, 18, 28, 39, 51, 67, 83, 105, 130):
        slant = 0.75 * distance
        sides = (
            (distance, 0, 0, 0.5), (slant, -slant, 0, 1), (slant, slant, 0, 0),
            (0, -distance, 0.5, 1), (0, distance, 0.5, 0), (-slant, -slant, 1, 1),
            (-slant, slant, 1, 0), (-distance, 0, 1, 0.5),
        )  # fmt: skip
        for order, side in enumerate(sides):
            yield *side, 0.18 * distance + 0.4 * order


OPTIONS = np.array(list(_options()))
# Points of the leader of a displaced label, past the mark itself; a near label has none.
LEADERS = np.linspace(0.2, 0.95, 20)[:, None] * OPTIONS[:, None, :2]
LEADERS[np.hypot(OPTIONS[:, 0], OPTIONS[:, 1]) <= NEAR] = np.nan


@dataclass(frozen=True)
class Label:
    """A text and the point it names, on the page."""

    x: float
    y: float
    text: str
    colour: str = svg.INK


def place(page: svg.Page, frame: Sequence[float], labels: Sequence[Label]) -> None:
    """Write each label beside its point, clear of lines, marks and what is written already.

    Positions around the point, near ones first, are scored by what they would cover; a label
    pushed away gets a thin leader. ``frame`` is left, top, right and bottom of the axes. Call it
    last, with everything else drawn.
    """
    marks = np.vstack([np.empty((0, 2)), *page.marks])
    taken: list[tuple[Label, np.ndarray]] = []
    for label in labels:
        extents, point = np.array(svg.extent(label.text, svg.TINY)), np.array([label.x, label.y])
        corners = point + OPTIONS[:, :2] - extents * OPTIONS[:, 2:4]
        boxes = np.hstack([corners, corners + extents])
        cost = OPTIONS[:, 4] + _cost(page, frame, boxes, marks, point + LEADERS)
        for other, box in taken:
            cost += 40 * _swapped(label, boxes, other, box)
        best = int(cost.argmin())
        if np.isfinite(LEADERS[best]).all():
            leader = point + LEADERS[best]
            page.path(leader[[0, -1]], svg.QUIET, 0.8)
            marks = np.vstack([marks, leader])
        taken.append((label, boxes[best]))
        x, y = point + OPTIONS[best, :2]
        side, up = OPTIONS[best, 2:4]
        page.text(x, y, label.text, svg.TINY, label.colour, ANCHORS[side], up, halo=True)


def _cost(
    page: svg.Page, frame: Sequence[float], boxes: np.ndarray, marks: np.ndarray,
    leaders: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """What each box would cover, shape (n,)."""
    # One coordinate after the other: comparing both at once and joining them takes twice as long.
    left, top, right, bottom = (boxes + np.array([-GAP, -1, GAP, 1])).T[:, :, None]
    x, y = marks.T
    hidden = ((left < x) & (x < right) & (top < y) & (y < bottom)).sum(axis=1)
    starts_x, starts_y, ends_x, ends_y = np.array(page.boxes).reshape(-1, 4).T
    meets = (left < ends_x) & (starts_x < right) & (top < ends_y) & (starts_y < bottom)
    x, y = np.moveaxis(leaders, 2, 0)[..., None]
    crossed = (starts_x < x) & (x < ends_x) & (starts_y < y) & (y < ends_y)
    # Left of and below the axes stand the tick labels; above and right of them is free paper.
    past = np.maximum(0, np.array(frame) - boxes) * (10, 1, 0, 0)
    past += np.maximum(0, boxes - np.array(frame)) * (0, 0, 1, 10)
    off = np.maximum(0, [-boxes[:, 0], boxes[:, 2] - page.width, -boxes[:, 1]]).max(axis=0)
    cost = 1000 * meets.sum(axis=1) + 200 * crossed.any(axis=1).sum(axis=1) + 1.5 * hidden
    return cost + 2 * past.sum(axis=1) + 1000 * off


def _swapped(label: Label, boxes: np.ndarray, other: Label, box: np.ndarray) -> np.ndarray:
    """Whether two labels in one column stand in the opposite order of their distinct points."""
    column = (boxes[:, 0] < box[2]) & (box[0] < boxes[:, 2])
    fall = label.y - other.y
    return column & (abs(fall) > DISTINCT) & (fall * (boxes[:, 1] - box[1]) < 0)


class Flags:
    """Labels of vertical lines above the axes, in rows, so that none meets another or a pole.

    Parameters
    ----------
    labels : (x on the page, text, colour). A text starts at its line and runs right; one that
        would pass the ``edge`` runs left where there is room, as do those it would then meet.
    width : of the page; a text is broken to fit the wider side of its line.
    """

    def __init__(self, labels: Sequence[tuple[float, str, str]], width: float, edge: float):
        spots = []
        for x, text, colour in labels:
            text = wrap(text, min(300.0, max(x, width - x) - 6), svg.TINY)
            spots.append((float(x), svg.extent(text, svg.TINY)[0] + 10, text, colour))
        spots.sort(key=lambda spot: spot[:2])
        turned = set()
        for i, (x, wide, *_) in reversed([*enumerate(spots)]):
            if x + wide > edge and x - wide > 0:
                turned.add(i)
                edge = min(edge, x)
        # Right-running from the right, then left-running from the left: no pole is crossed.
        order = [i for i in reversed(range(len(spots))) if i not in turned] + sorted(turned)
        rows: list[tuple[float, float, int]] = []
        self.placed = []
        for i in order:
            x, wide, text, colour = spots[i]
            left, right = (x - wide, x) if i in turned else (x, x + wide)
            row = 1 + max((r for a, b, r in rows if a <= right and left <= b), default=-1)
            rows.append((left, right, row + text.count("\n")))
            self.placed.append((x, text, colour, row, i in turned))
        self.height = max((FLAG * (row + 1) for *_, row in rows), default=0.0)

    def draw(self, page: svg.Page, top: float) -> None:
        """Write the labels above ``top``, where the axes begin, each at a pole on its line."""
        for x, text, colour, row, turned in self.placed:
            end = top - 4 - FLAG * (row + text.count("\n") + 0.7)
            page.path([(x, top), (x, end)], colour, 0.9, clear=False)
            place, anchor = (x - 4, "end") if turned else (x + 4, "start")
            page.text(place, top - 3 - FLAG * row, text, svg.TINY, colour, anchor, up=1)


# Texts and numbers, and checks of what was given.
def require(frame: pd.DataFrame, columns: Sequence[str], where: str) -> pd.DataFrame:
    """Return ``frame``, or raise ``ValueError`` naming the columns it lacks."""
    if lacking := [column for column in columns if column not in frame.columns]:
        raise ValueError(
            f"{where}: column(s) {', '.join(lacking)} missing; needed: {', '.join(columns)}"
        )
    return frame


def named(names: Mapping[str, str], wanted: Sequence[str], where: str) -> None:
    """Raise ``ValueError`` for a text that ``names`` lacks."""
    if lacking := [part for part in wanted if part not in names]:
        raise ValueError(f"{where} {', '.join(lacking)}")


def one_a(frame: pd.DataFrame, columns: Sequence[str], where: str) -> pd.DataFrame:
    """Return ``frame``, or raise ``ValueError`` if two rows agree in all ``columns``."""
    double = frame[frame.duplicated(list(columns))]
    if len(double):
        first = ", ".join(str(double.iloc[0][column]) for column in columns)
        raise ValueError(f"{where}: more than one row for {first}; give one a {'/'.join(columns)}")
    return frame


def known(values: pd.Series, allowed: Mapping[str, object], where: str) -> None:
    """Raise ``ValueError`` for a value that is none of the keys of ``allowed``."""
    if strange := sorted(set(map(str, values)) - set(allowed)):
        raise ValueError(f"{where}: {', '.join(strange)} unknown; allowed: {', '.join(allowed)}")


def plain(value: float) -> str:
    """A number with thousands separators and a minus sign of the width of a digit.

    >>> plain(-1250.5)
    '–1,250.5'
    """
    return f"{float(f'{value:.10g}'):,.10g}".replace("-", svg.slim("−"))


def brief(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """A value with its interval, to three digits, for who points at its mark.

    >>> brief(10.0417, 9.21, 10.9), brief(1234.5)
    ('10 (9.21 – 10.9)', '1,230')
    """
    value, low, high = (
        plain(float(f"{number:.3g}")).replace("inf", "∞") for number in (value, low, high)
    )
    return value if "nan" in (low, high) or low == high else f"{value} ({low} – {high})"


def wrap(text: str, room: float, size: float = svg.SMALL) -> str:
    """Break a text into lines no wider than ``room``; Chinese breaks between any two characters.

    >>> wrap("per 10,000 residents", 90).split("\\n")
    ['per 10,000', 'residents']
    >>> wrap("每万人科普人员数", 60).split("\\n")
    ['每万人科', '普人员数']
    """
    lines: list[str] = []
    for paragraph in str(text).split("\n"):
        line = ""
        for piece in _pieces(paragraph, room, size):
            if line and svg.extent((line + piece).rstrip(), size)[0] > room:
                lines, line = [*lines, line.rstrip()], ""
            line += piece
        lines.append(line.rstrip())
    return "\n".join(lines)


def _pieces(text: str, room: float, size: float) -> list[str]:
    # A line may break after a space or beside a wide character, but never before closing marks;
    # anywhere in a word that no line can hold.
    pieces: list[str] = []
    for letter in text:
        last = pieces[-1][-1] if pieces else " "
        wide, before = (unicodedata.east_asian_width(sign) in "WF" for sign in (letter, last))
        opened = unicodedata.category(last) == "Ps"
        tied = opened or unicodedata.category(letter) in ("Pe", "Pf", "Po")
        if pieces and (tied or not (last == " " or wide or before)):
            pieces[-1] += letter
        else:
            pieces.append(letter)
    whole = [svg.extent(piece.rstrip(), size)[0] <= room for piece in pieces]
    return [
        x for piece, fits in zip(pieces, whole, strict=True) for x in ([piece] if fits else piece)
    ]
