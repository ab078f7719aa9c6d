"""Drawings as SVG: palette, sizes of type, marks and texts on a page, and the figure made of them.

A figure is drawn twice, for a page and for the width of a phone. Nothing in it needs a name, so
any number of figures may stand in one page; the same figure is the same text on every run.
Lengths are in pixels of the drawing: one of 720 on a page of A4 is two thirds of a point.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape, unescape
from pathlib import Path

import numpy as np
from PIL import ImageFont

# A letter the Chinese face lacks (subscript two, say) is taken from the second.
FACES = {
    "Noto Sans CJK SC": ("mplfonts", "fonts/NotoSansCJKsc-Regular.otf"),
    "DejaVu Sans": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
}
# Vermilion of Okabe & Ito (2008); its text shade is darkened to 5:1 contrast on white.
ACCENT, ACCENT_TEXT, ACCENT_PALE = "#D55E00", "#B34F00", "#F6DCC8"
ACCENT_MID, ACCENT_FAINT = "#E9B48F", "#FBEFE6"
INK, DARK, MID, LIGHT, PALE, PAPER = (
    "#222222", "#4A4A4A", "#8A8A8A", "#BDBDBD", "#E6E6E6", "#FFFFFF",
)  # fmt: skip
QUIET = "#6B6B6B"  # the lightest grey still readable as text (5.3:1)
# Variable of a page's style sheet that stands for each colour, for light and dark paper.
VARIABLES = {
    ACCENT: "accent", ACCENT_TEXT: "accent-text", ACCENT_PALE: "accent-pale",
    ACCENT_MID: "accent-mid", ACCENT_FAINT: "accent-faint", INK: "ink", DARK: "dark", MID: "mid",
    LIGHT: "light", PALE: "pale", PAPER: "paper", QUIET: "quiet",
}  # fmt: skip

WIDE, NARROW = 720.0, 336.0  # width of a drawing on a page, and of the same on a phone
INCH = 100.0  # pixels of an inch of paper at which heights are given
BASE, SMALL, TINY = 14.0, 12.5, 12.0
PITCH = 1.25  # distance of two lines of a text, of its size
ASCENT, DESCENT, MIDDLE = 0.86, 0.2, 0.36  # of a line, about its baseline
SAFE = 1.06  # faces of readers are up to so much wider than ours


@lru_cache(maxsize=1)
def font_files() -> dict[str, Path]:
    """File of each face, found in the wheel it ships in without importing that.

    Raises
    ------
    FileNotFoundError
        If a wheel is not installed or ships without the face.
    """
    found = {}
    for face, (package, inside) in FACES.items():
        spec = importlib.util.find_spec(package)
        places = spec.submodule_search_locations or [] if spec else []
        files = [path for path in (Path(place, inside) for place in places) if path.exists()]
        if not files:
            raise FileNotFoundError(f"font {face} not found: install the package {package}")
        found[face] = files[0]
    return found


@lru_cache(maxsize=1)
def _face() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(next(iter(font_files().values()))), 100)


@lru_cache(maxsize=20_000)
def _ems(line: str) -> float:
    return _face().getlength(line) / 100


def extent(text: str, size: float) -> tuple[float, float]:
    """Width and height of a text of one or more lines."""
    lines = slim(text).split("\n")
    high = ASCENT + DESCENT + PITCH * (len(lines) - 1)
    return SAFE * size * max(map(_ems, lines)), size * high


# What no XML can hold, and marks that reorder what follows them.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)


def slim(text: str) -> str:
    """Text that can be drawn, with each minus sign as an en dash: the font's minus (U+2212) is a
    full em wide."""
    return UNPRINTABLE.sub("", str(text)).replace("−", "–")


def themed(svg: str) -> str:
    """The drawing with each colour as a variable of the page, ``var(--f-…)``, for dark paper."""
    return re.sub(
        r'"(#[0-9A-F]{6})"',
        lambda found: f'"var(--f-{VARIABLES[found[1]]})"' if found[1] in VARIABLES else found[0],
        svg,
    )


CLOSE = 3.0  # distance of points that stand for a line, where labels keep clear of it
TURN = np.linspace(0, 2 * np.pi, 12, endpoint=False)
RIM = np.column_stack([np.cos(TURN), np.sin(TURN)])


@dataclass(frozen=True, repr=False)
class Picture:
    """A drawing as SVG, ``width`` by ``height`` pixels, and ``narrow``, the same for a phone.

    ``alt`` is what is written in it, for readers who cannot see it; a report says more.
    """

    svg: str
    narrow: str

    @property
    def width(self) -> float:
        return size(self.svg)[0]

    @property
    def height(self) -> float:
        return size(self.svg)[1]

    @property
    def alt(self) -> str:
        return "; ".join(texts(self.svg))

    def _repr_svg_(self) -> str:
        """On white paper, whatever the notebook's own."""
        end = self.svg.index(">") + 1
        paper = f'<rect width="100%" height="100%" fill="{PAPER}"/>'
        label = f' role="img" aria-label="{escape(self.alt)}">'
        return f"{self.svg[: end - 1]}{label}{paper}{self.svg[end:]}"

    def __repr__(self) -> str:
        return f"Picture({self.width:.0f} × {self.height:.0f})"


def figure(draw: Callable[[Page], None]) -> Picture:
    """What ``draw`` puts on a page of either width; it sets the height of the page."""
    made = []
    for width in (WIDE, NARROW):
        page = Page(width)
        draw(page)
        made.append(page.svg())
    return Picture(*made)


def size(svg: str) -> tuple[float, float]:
    """Width and height of a drawing, from its head."""
    width, height = re.findall(r'(?:width|height)="([\d.]+)"', svg[: svg.index(">")])
    return float(width), float(height)


def texts(svg: str) -> list[str]:
    """What is written in a drawing, a text of several lines as one."""
    found = re.findall(r"<text [^>]*>(.*?)</text>", svg)
    return [unescape(re.sub("<[^>]+>", " ", text)).strip() for text in found]


def n(value: float) -> str:
    """A coordinate to a tenth of a pixel."""
    return f"{round(float(value), 1) + 0.0:.6g}"


@dataclass
class Page:
    """Paper of a ``width`` that is being drawn on; y runs down, ``height`` is set by the drawer.

    ``marks`` are points along what labels must keep clear of, ``boxes`` the corners of the texts
    written so far: left, top, right, bottom.
    """

    width: float
    height: float = 0.0
    marks: list[np.ndarray] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def narrow(self) -> bool:
        return self.width < WIDE

    def svg(self) -> str:
        wide, high = n(self.width), n(self.height)
        family = ", ".join(FACES)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
            f'viewBox="0 0 {wide} {high}" font-family="{family}, sans-serif">'
            f"{''.join(self.parts)}</svg>"
        )

    @contextmanager
    def told(self, title: str) -> Iterator[None]:
        """What is drawn inside shows ``title`` where a mouse rests on it."""
        self.parts.append(f"<g><title>{escape(slim(title))}</title>" if title else "<g>")
        yield
        self.parts.append("</g>")

    def path(
        self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.0,
        dash: str = "", mark: str = "", clear: bool = True,
    ) -> None:  # fmt: skip
        """A line through points, interrupted where one is missing; ``clear``: labels avoid it."""
        parts = _runs(np.asarray(points, dtype=float))
        self.segments(parts, colour, width, dash, mark, clear)

    def segments(
        self, parts: Sequence[np.ndarray], colour: str, width: float = 1.0, dash: str = "",
        mark: str = "", clear: bool = True,
    ) -> None:  # fmt: skip
        """Several lines of one look."""
        drawn = "".join("M" + "L".join(f"{n(x)} {n(y)}" for x, y in part) for part in parts)
        look = f' stroke-dasharray="{dash}"' if dash else ""
        self.add(f'path fill="none" stroke="{colour}" stroke-width="{n(width)}"{look}', mark,
                 f' d="{drawn}"')  # fmt: skip
        self.marks += [_dense(np.asarray(part, dtype=float)) for part in parts] if clear else []

    def area(self, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, mark="") -> None:
        """The space between two curves; labels may stand on it."""
        points = [*zip(x, low, strict=True), *zip(x[::-1], high[::-1], strict=True)]
        drawn = "L".join(f"{n(a)} {n(b)}" for a, b in points)
        self.add(f'path fill="{colour}"', mark, f' d="M{drawn}Z"')

    def rect(
        self, left: float, top: float, width: float, height: float, fill: str, stroke: str = "",
        mark: str = "", shade: float = 1.0,
    ) -> None:  # fmt: skip
        """A rectangle; ``shade`` is how much of the colour covers the paper."""
        look = f'fill="{fill}"' + (f' stroke="{stroke}"' if stroke else "")
        look += f' fill-opacity="{shade:.2f}"' if shade < 1 else ""
        place = f'x="{n(left)}" y="{n(top)}" width="{n(width)}" height="{n(height)}"'
        self.add(f"rect {place} {look}", mark)

    def dots(
        self, points: np.ndarray, radius: float, fill: str, stroke: str = PAPER,
        width: float = 0.8, mark: str = "", shape: str = "circle",
    ) -> None:  # fmt: skip
        """Marks of one look: circles, or the ``shape`` "diamond", "square", "left", "right"."""
        points = np.asarray(points, dtype=float).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        look = f'fill="{fill}" stroke="{stroke}" stroke-width="{n(width)}"'
        for x, y in points:
            if shape == "circle":
                self.add(f'circle cx="{n(x)}" cy="{n(y)}" r="{n(radius)}" {look}', mark)
            else:
                corners = SHAPES[shape] * radius + (x, y)
                drawn = "L".join(f"{n(a)} {n(b)}" for a, b in corners)
                self.add(f'path {look} d="M{drawn}Z"', mark)
        self.marks += [point + radius * RIM for point in points]

    def cloud(self, points: np.ndarray, radius: float, colour: str, mark: str = "") -> None:
        """A great many pale dots, as one path."""
        drawn = "".join(f"M{n(x)} {n(y)}h.1" for x, y in points)
        look = f'stroke="{colour}" stroke-width="{n(2 * radius)}" stroke-linecap="round"'
        self.add(f'path fill="none" {look} stroke-opacity=".5"', mark, f' d="{drawn}"')

    def text(
        self, x: float, y: float, text: str, size: float = SMALL, colour: str = INK,
        anchor: str = "start", up: float = 0.5, halo: bool = False,
    ) -> None:  # fmt: skip
        """Write a text of one or more lines at ``x``.

        ``up`` says which share of its height is above ``y``: 0 hangs from it, 1 stands on it.
        """
        if not text:
            return
        lines = slim(text).rstrip("\n").split("\n")
        wide, high = extent("\n".join(lines), size)
        left = x - wide * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        top = y - up * high
        self.boxes.append((left, top, left + wide, top + high))
        # Between above and below a text sits on a mark by the middle of its letters.
        base = top + ASCENT * size + (0 if up in (0, 1) else (MIDDLE - 0.33) * size)
        rows = [
            f'<tspan x="{n(x)}" y="{n(base + i * PITCH * size)}">{escape(line)}</tspan>'
            for i, line in enumerate(lines)
        ]
        inner = "".join(rows) if len(rows) > 1 else escape(lines[0])
        look = f'x="{n(x)}" y="{n(base)}" font-size="{n(size)}" fill="{colour}"'
        look += f' text-anchor="{anchor}"' if anchor != "start" else ""
        if halo:
            look += f' stroke="{PAPER}" stroke-width="3" paint-order="stroke"'
        self.parts.append(f"<text {look}>{inner}</text>")

    def title(self, text: str) -> None:
        """Write a line at the top of a page that holds nothing yet, where there is a text."""
        if text:
            self.text(0, 0, text, SMALL, QUIET, up=0)
            self.height = extent(text, SMALL)[1] + 12

    def add(self, element: str, mark: str = "", end: str = "") -> None:
        """An element; ``mark`` says what it stands for, to who reads the file."""
        named = f' data-mark="{mark}"' if mark else ""
        self.parts.append(f"<{element}{named}{end}/>")


SHAPES = {
    "diamond": np.array([(0, -1), (1, 0), (0, 1), (-1, 0)]),
    "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.85,
    "left": np.array([(-1, 0), (0.7, -1), (0.7, 1)]),
    "right": np.array([(1, 0), (-0.7, -1), (-0.7, 1)]),
}


def _runs(points: np.ndarray) -> list[np.ndarray]:
    """Stretches of points between missing ones."""
    known = np.isfinite(points).all(axis=1)
    cuts = np.flatnonzero(np.diff(known.astype(int))) + 1
    return [part for part in np.split(points, cuts) if len(part) and np.isfinite(part).all()]


def _dense(path: np.ndarray) -> np.ndarray:
    """Points along a line, none farther than ``CLOSE`` from the next."""
    steps = np.hypot(*np.diff(path, axis=0).T) if len(path) > 1 else np.array([])
    along = np.append(0.0, np.cumsum(steps))
    wanted = np.linspace(0, along[-1], int(along[-1] // CLOSE) + 2)
    return np.column_stack([np.interp(wanted, along, path[:, axis]) for axis in (0, 1)])
