"""Figure of a logic model: stages below each other, what each rests on, what each arrow assumes."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.figures import svg
from evaluation.figures.labels import wrap
from evaluation.figures.svg import BASE, SMALL, TINY, Page, Picture, extent, figure

LEFT, EDGE, PAD = 26.0, 2.0, 9.0  # of the boxes, of the page, inside a box
SHAFT = 22.0  # from the left of a box to the arrow below it


def logic_model(
    stages: Sequence[tuple[str, str]], arrows: Sequence[str], whole: str = ""
) -> Picture:
    """Boxes from the first stage to the last, an arrow from each to the next.

    Parameters
    ----------
    stages : name and what is known of each. arrows : what each assumes and rests on, one fewer.
    whole : of a comparison of the first with the last, drawn as a dashed line beside all.

    Raises
    ------
    ValueError : fewer than two stages, or arrows that do not lie between them.
    """
    if len(stages) < 2 or len(arrows) != len(stages) - 1:
        raise ValueError(f"logic model: {len(stages)} stages and {len(arrows)} arrows between them")

    def draw(page: Page) -> None:
        page.height, middles = EDGE, []
        for place, (name, told) in enumerate(stages):
            middles.append(_box(page, name, told, first=not place))
            if place < len(arrows):
                _arrow(page, arrows[place])
        if whole:
            _whole(page, middles[0], middles[-1], whole)
        page.height += EDGE

    return figure(draw)


def _box(page: Page, name: str, told: str, first: bool) -> float:
    """A box below what the page holds; its middle."""
    wide = page.width - LEFT - EDGE
    name, told = wrap(name, wide - 2 * PAD, BASE), wrap(told, wide - 2 * PAD, SMALL)
    head, body = extent(name, BASE)[1], extent(told, SMALL)[1]
    top, high = page.height, PAD + head + 3 + body + PAD
    fill = svg.ACCENT_FAINT if first else svg.PAPER
    page.rect(LEFT, top, wide, high, fill, svg.MID, mark="stage")
    page.text(LEFT + PAD, top + PAD, name, BASE, svg.INK, up=0)
    page.text(LEFT + PAD, top + PAD + head + 3, told, SMALL, svg.DARK, up=0)
    page.height = top + high
    return top + high / 2


def _arrow(page: Page, told: str) -> None:
    text = wrap(told, page.width - LEFT - SHAFT - 14 - EDGE, TINY)
    high = extent(text, TINY)[1] + 14
    x, top, end = LEFT + SHAFT, page.height, page.height + high
    page.path([(x, top), (x, end - 1)], svg.DARK, 1.4, mark="arrow")
    page.path([(x - 5, end - 7), (x, end - 1), (x + 5, end - 7)], svg.DARK, 1.4)
    page.text(x + 14, top + 7, text, TINY, svg.QUIET, up=0)
    page.height = end


def _whole(page: Page, start: float, end: float, told: str) -> None:
    x = LEFT / 2
    line = [(LEFT, start), (x, start), (x, end), (LEFT - 1, end)]
    page.path(line, svg.ACCENT, 1.6, "5 4", mark="whole")
    page.path([(LEFT - 7, end - 5), (LEFT - 1, end), (LEFT - 7, end + 5)], svg.ACCENT, 1.6)
    text = wrap(told, page.width - LEFT - EDGE, SMALL)
    page.text(LEFT, page.height + 9, text, SMALL, svg.ACCENT_TEXT, up=0)
    page.height += 9 + extent(text, SMALL)[1]
