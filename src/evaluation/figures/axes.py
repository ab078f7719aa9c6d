"""Axes of figures: scales, ticks at round numbers, frames with values, years or named rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from evaluation.figures import svg
from evaluation.figures.labels import Flags, Label, plain, wrap
from evaluation.figures.svg import DARK, MID, PALE, QUIET, SMALL, TINY, extent

STEPS = (1, 2, 2.5, 5)
EDGE = 8.0  # paper kept free at the edges of a page
FOOT = 23.0  # height of the tick labels below an axis
SPACE = 12.0  # below a title
Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Scale:
    """From values, ``low`` to ``high``, to places on the page, ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value):
        low, high = self.low, self.high
        if self.log:
            value, low, high = np.log(value), math.log(low), math.log(high)
        share = (np.asarray(value, float) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    @property
    def length(self) -> float:
        return abs(self.end - self.start)


def even(low: float, high: float, room: Callable[[list[str]], float]) -> Ticks:
    """Ticks at round numbers between two values, as many as there is room for.

    ``room`` says for labels how many of them the axis can hold.

    >>> [label for _, label in even(-0.4, 1.3, lambda labels: 5)]
    ['0', '0.5', '1']
    """
    power = math.floor(math.log10(high - low)) - 2
    for step in (m * 10.0 ** (power + i) for i in range(5) for m in STEPS):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first > 60:
            continue
        values = [float(f"{step * k:.10g}") for k in range(first, last + 1)]
        labels = [plain(value) for value in values]
        if len(values) <= max(2, room(labels)):
            break
    return list(zip(values, labels, strict=True))


def across(scale: Scale) -> Ticks:
    """Ticks of a horizontal axis, no label near the next."""

    def room(labels: list[str]) -> float:
        widest = max(extent(label, SMALL)[0] for label in labels)
        return min(scale.length / (widest + 14), max(scale.length / 64, 3))

    return even(scale.low, scale.high, room)


def upward(scale: Scale) -> Ticks:
    """Ticks of a vertical axis."""
    return even(scale.low, scale.high, lambda _: scale.length / 38)


def years_axis(scale: Scale, years: Iterable[int]) -> Ticks:
    """Ticks at years, labelled where a label fits, the latest first."""
    shown, ticks = math.inf, []
    for year in sorted({int(year) for year in years}, reverse=True):
        fits = shown - scale(year) > extent("2020", SMALL)[0] + 7
        shown = float(scale(year)) if fits else shown
        ticks.append((year, str(year) if fits else ""))
    return ticks


def fitted(scale: Scale, ticks: Callable[[Scale], Ticks]) -> Scale:
    """A scale shortened until the label of its last tick ends where the scale ended."""
    end = scale.end
    for _ in range(3):
        ends = [float(scale(x)) + extent(text, SMALL)[0] / 2 for x, text in ticks(scale)]
        scale = replace(scale, end=scale.end - max(0.0, max(ends, default=0.0) - end))
    return scale


def padded(values: Iterable[float], margin: float = 0.05, zero: bool = False) -> tuple:
    """Ends of an axis: the finite values with a margin on both sides.

    ``zero``: from zero where no value is below.
    """
    known = np.array([value for value in values if np.isfinite(value)] or [0.0, 1.0])
    pad = margin * np.ptp(known) or 1.0
    low = known.min()
    return (0.0 if zero and low >= 0 else low - pad), known.max() + pad


@dataclass
class Frame:
    """Axes on a page. ``x`` and ``y`` are their scales; ``rows`` the places of named rows."""

    page: svg.Page
    x: Scale
    y: Scale
    rows: list[float] = field(default_factory=list)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.x.start, self.y.end, self.x.end, self.y.start

    def at(self, x, y) -> np.ndarray:
        """Places of points, shape (n, 2)."""
        return np.column_stack([np.atleast_1d(self.x(x)), np.atleast_1d(self.y(y))])

    def label(self, x: float, y: float, text: str, colour: str, room: float) -> Label:
        """A label of a point of the axes, broken to a width."""
        return Label(float(self.x(x)), float(self.y(y)), wrap(text, room, TINY), colour)

    def upright(self, value: float, colour: str, width: float = 1.2, dash="", mark="") -> None:
        """A vertical line across the axes."""
        ends = [(self.x(value), self.y.end), (self.x(value), self.y.start)]
        self.page.path(ends, colour, width, dash, mark)

    def level(self, value: float, colour: str, width: float = 1.2) -> None:
        """A horizontal line across the axes."""
        self.page.path([(x, self.y(value)) for x in (self.x.start, self.x.end)], colour, width)

    def x_axis(self, ticks: Ticks, label: str = "") -> None:
        page, foot = self.page, self.y.start
        page.path([(self.x.start, foot), (self.x.end, foot)], MID, clear=False)
        for value, text in ticks:
            x = float(self.x(value))
            page.path([(x, foot), (x, foot + (4 if text else 2.5))], MID, clear=False)
            if text:
                page.text(x, foot + 7, text, SMALL, DARK, "middle", up=0)
        if label:
            text = wrap(label, page.width - 2 * EDGE)
            half = extent(text, SMALL)[0] / 2 + 2
            middle = min(max((self.x.start + self.x.end) / 2, half), page.width - half)
            page.text(middle, foot + FOOT + 2, text, SMALL, QUIET, "middle", up=0)

    def y_axis(self, ticks: Ticks) -> None:
        for value, text in ticks:
            y = float(self.y(value))
            self.page.path([(self.x.start, y), (self.x.end, y)], PALE, clear=False)
            self.page.text(self.x.start - 7, y, text, SMALL, DARK, "end")


def foot(label: str, width: float) -> float:
    """Height of what stands below an axis."""
    return FOOT + (4 + extent(wrap(label, width - 2 * EDGE), SMALL)[1] if label else 0)


@dataclass(frozen=True)
class Cell:
    """Where on a page axes stand with all that belongs to them."""

    left: float
    top: float
    width: float
    height: float


def cells(page: svg.Page, count: int, across: int, height: float, below: float = 0) -> list[Cell]:
    """Cells of equal size, row by row, ``below`` each free paper; they begin where the page ends
    and make it higher."""
    gap, top = 26.0, page.height
    wide = (page.width - gap * (across - 1)) / across
    page.height += math.ceil(count / across) * height - below
    return [Cell((i % across) * (wide + gap), top + (i // across) * height, wide, height - below)
            for i in range(count)]  # fmt: skip


def titles(texts: Sequence[str]) -> list[str]:
    """Titles of panels beside each other, with equal numbers of lines."""
    most = max(text.count("\n") for text in texts)
    return [text + "\n" * (most - text.count("\n")) for text in texts]


@dataclass(frozen=True)
class Look:
    """What axes have beside their limits: a title above on the left, of a colour, a ``label``
    below, paper for flags between title and axes (``head``), ticks other than even ones, a left
    edge; on ``bare`` axes the labels of the x axis stand elsewhere."""

    title: str = ""
    label: str = ""
    colour: str = QUIET
    head: float = 0.0
    log: bool = False
    x: Callable[[Scale], Ticks] = across
    y: Callable[[Scale], Ticks] = upward
    left: float | None = None
    bare: bool = False


def axes(page: svg.Page, cell: Cell, x: tuple, y: tuple, look: Look) -> Frame:
    """Axes in a cell with the limits ``x`` and ``y``."""
    top, bottom = cell.top, cell.top + cell.height
    if look.title:
        page.text(cell.left, top, look.title, SMALL, look.colour, up=0)
        top += extent(look.title, SMALL)[1] + SPACE
    bottom -= 8 if look.bare else foot(look.label, page.width)
    vertical = Scale(*y, bottom, top + look.head)
    ticks = look.y(vertical)
    wide = max((extent(text, SMALL)[0] + 9 for _, text in ticks), default=2)
    left = cell.left + wide if look.left is None else look.left
    scale = fitted(Scale(*x, left, cell.left + cell.width - 4, look.log), look.x)
    frame = Frame(page, scale, vertical)
    frame.y_axis(ticks)
    frame.x_axis([] if look.bare else look.x(frame.x), look.label)
    return frame


def times(
    page: svg.Page, years: Sequence[float], values: tuple, height: float, title: str,
    breaks: Sequence[tuple[int, str]], ticks: Sequence[float], labels: Sequence[tuple[float, str]],
) -> Frame:  # fmt: skip
    """A page with years on the x axis; a dotted line stands half a year before each break.

    ``labels`` (year, text) are those that will be placed: the axis gets room for them, each at
    most half of the axis; beyond that it finds another side.
    """
    title, low, high = wrap(title, page.width), min(years) - 0.8, max(years) + 0.8
    levels = upward(Scale(*values, height, 0))
    left = max(extent(text, SMALL)[0] for _, text in levels) + 9
    for year, text in labels:
        share = min((extent(text, TINY)[0] + 16) / (page.width - left), 0.5)
        high = max(high, low + (year - low) / (1 - share))
    scale = fitted(Scale(low, high, left, page.width - 4), lambda scale: years_axis(scale, ticks))
    raised = Flags([(scale(y - 0.5), text, QUIET) for y, text in breaks], page.width, scale.end)
    page.height = height + FOOT + extent(title, SMALL)[1] + SPACE + raised.height
    look = Look(title, head=raised.height + 3, left=left, x=lambda scale: years_axis(scale, ticks),
                y=lambda _: levels)  # fmt: skip
    frame = axes(page, Cell(0, 0, page.width, page.height), (low, high), values, look)
    for year, _ in breaks:
        frame.upright(year - 0.5, MID, 1.1, "1 3")
    raised.draw(page, frame.y.end)
    return frame


@dataclass(frozen=True)
class Row:
    """What stands on a row beside its name: a note at its right; the accent, where it is meant."""

    name: str
    note: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Line:
    """A vertical line through all rows, with a text above it where it has one."""

    value: float
    colour: str
    width: float = 1.2
    dash: str = ""
    mark: str = ""
    text: str = ""


def rows(
    page: svg.Page, named: Sequence[Row], x: tuple, label: str, pitch: float, *,
    lines: Sequence[Line] = (), ticks: Callable[[Scale], Ticks] = across,
) -> Frame:  # fmt: skip
    """A frame with named rows, first on top, below what the page holds; sets its height.

    Names stand left of their rows, or above them where they would take too much of the page.
    ``x`` are the limits, ``pitch`` the least distance of two rows.
    """
    texts = [wrap(row.name, 210) for row in named]
    above = max(extent(text, SMALL)[0] for text in texts) > 0.36 * page.width
    notes = [wrap(row.note, 0.4 * page.width) for row in named]
    widest = max(extent(note, SMALL)[0] for note in notes)
    texts = [wrap(row.name, page.width - widest - 20) for row in named] if above else texts
    left = 14.0 if above else max(extent(text, SMALL)[0] for text in texts) + 16
    right = page.width - 4 - (EDGE if above or not widest else widest + 14)
    scale = fitted(Scale(*x, left, right), ticks)
    flags = [(scale(line.value), line.text, line.colour) for line in lines if line.text]
    raised = Flags(flags, page.width, right)
    y = top = page.height + raised.height + (6 if flags else 2)
    places = []
    for text, note in zip(texts, notes, strict=True):
        high = max(extent(text, SMALL)[1], extent(note, SMALL)[1])
        step = high + 24 if above else max(pitch, high + 7)
        places.append(y + step - 9 if above else y + step / 2)
        y += step
    frame = Frame(page, scale, Scale(0, 1, y + 4, top), places)
    page.segments([np.array([(left, p), (right, p)]) for p in places], PALE, clear=False)
    for line in lines:
        frame.upright(line.value, line.colour, line.width, line.dash, line.mark)
    for row, text, note, at in zip(named, texts, notes, places, strict=True):
        colour = svg.ACCENT_TEXT if row.marked else svg.INK
        if above:
            page.text(2, at - 9, text, SMALL, colour, up=1, halo=True)
            page.text(page.width - 2, at - 9, note, SMALL, svg.INK, "end", up=1, halo=True)
        else:
            page.text(left - 12, at, text, SMALL, colour, "end")
            page.text(right + 12, at, note, SMALL)
    frame.x_axis(ticks(scale), label)
    raised.draw(page, top)
    page.height = frame.y.start + foot(label, page.width) + 4
    return frame


def key(page: svg.Page, entries: Sequence[tuple[str, Callable[[float, float], None]]]) -> None:
    """Samples of marks with their texts at the top of a page; each entry draws its sample about
    a point."""
    x, y = EDGE, 10.0
    for text, sample in entries:
        wide = extent(text, SMALL)[0]
        if x > EDGE and x + 16 + wide > page.width:
            x, y = EDGE, y + 21
        sample(x + 2, y)
        page.text(x + 16, y, text, SMALL, DARK)
        x += 40 + wide
    page.height = y + 16
