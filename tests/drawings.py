"""What a reader sees of a figure, read back from its SVG: texts with boxes, marks in data units."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
from fontTools.ttLib import TTFont
from PIL import ImageFont

from evaluation.figures.svg import font_files

SPACE = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"[–+]?[\d,]*\.?\d+")


@lru_cache
def face(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(next(iter(font_files().values()))), size)


@lru_cache(maxsize=1)
def charmap() -> frozenset[int]:
    faces = (TTFont(file, lazy=True) for file in font_files().values())
    return frozenset().union(*(face.getBestCmap() for face in faces))


def missing_glyphs(text: str) -> set[str]:
    """Characters of a text that the faces can't draw (they would show as boxes)."""
    return {letter for letter in text if not letter.isspace() and ord(letter) not in charmap()}


def value(text: str) -> float:
    return float(text.replace("–", "-").replace(",", ""))


class Text:
    """A text of a drawing and the box of its letters: left, top, right, bottom."""

    def __init__(self, element):
        spans = element.findall(f"{SPACE}tspan") or [element]
        self.lines = [span.text or "" for span in spans]
        self.text, self.colour = "\n".join(self.lines), element.get("fill")
        self.size, self.anchor = (
            float(element.get("font-size")),
            element.get("text-anchor", "start"),
        )
        self.x, self.y = float(element.get("x")), float(element.get("y"))
        wide = max(face(self.size).getlength(line) for line in self.lines)
        left = self.x - wide * {"start": 0, "middle": 0.5, "end": 1}[self.anchor]
        bottom = float(spans[-1].get("y")) + 0.13 * self.size
        self.box = (left, self.y - 0.8 * self.size, left + wide, bottom)


class Drawing:
    """An SVG as a reader meets it."""

    def __init__(self, svg: str):
        self.root = ElementTree.fromstring(svg)
        self.width, self.height = (float(self.root.get(side)) for side in ("width", "height"))
        self.texts = [Text(element) for element in self.root.iter(f"{SPACE}text")]
        self.titles = [element.text for element in self.root.iter(f"{SPACE}title")]

    @property
    def words(self) -> list[str]:
        return [" ".join(text.lines) for text in self.texts]

    def marks(self, name: str) -> list:
        return [element for element in self.root.iter() if element.get("data-mark") == name]

    def points(self, name: str) -> np.ndarray:
        """Middle of each mark of a name, or the points of its only line."""
        found = [outline(element) for element in self.marks(name)]
        if len(found) == 1 and found[0].shape[0] > 1 and self.marks(name)[0].get("fill") == "none":
            return found[0]
        return np.array([(path.min(axis=0) + path.max(axis=0)) / 2 for path in found])

    def ticks(self, axis: str) -> list[list[Text]]:
        """Tick labels by the axis they stand at, axes from the left or from the top."""
        anchor, along = ("middle", "y") if axis == "x" else ("end", "x")
        groups: dict[float, list[Text]] = {}
        for text in self.texts:
            if text.anchor == anchor and NUMBER.fullmatch(text.text):
                groups.setdefault(round(getattr(text, along)), []).append(text)
        return [groups[place] for place in sorted(groups) if len(groups[place]) > 1]

    def scale(self, axis: str, labels: list[Text] | None = None, log: bool = False):
        """From places on the page to what the tick labels of an axis say."""
        labels = labels or self.ticks(axis)[-1 if axis == "x" else 0]
        places = [text.x if axis == "x" else (text.box[1] + text.box[3]) / 2 for text in labels]
        told = np.array([value(text.text) for text in labels])
        line = np.polyfit(places, np.log(told) if log else told, 1)
        return lambda place: np.exp(np.polyval(line, place)) if log else np.polyval(line, place)


def outline(element) -> np.ndarray:
    """Corners of a mark, shape (n, 2)."""
    if element.tag.endswith("circle"):
        x, y, r = (float(element.get(part)) for part in ("cx", "cy", "r"))
        return np.array([(x - r, y - r), (x + r, y + r)])
    if element.tag.endswith("rect"):
        x, y, w, h = (float(element.get(part)) for part in ("x", "y", "width", "height"))
        return np.array([(x, y), (x + w, y + h)])
    return np.array(re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", element.get("d")), dtype=float)


def faults(svg: str) -> list[str]:
    """Texts that overlap or leave the drawing."""
    drawing, found = Drawing(svg), []
    for text in drawing.texts:
        left, top, right, bottom = text.box
        if (
            left < -0.5
            or top < -0.5
            or right > drawing.width + 0.5
            or bottom > drawing.height + 0.5
        ):
            found.append(f"'{text.text}' leaves the drawing")
    for one, other in combinations(drawing.texts, 2):
        (a, b, c, d), (e, f, g, h) = one.box, other.box
        if a < g and e < c and b < h and f < d:
            found.append(f"'{one.text}' overlaps '{other.text}'")
    return found
