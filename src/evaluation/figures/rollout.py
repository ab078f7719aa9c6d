"""Figures of a planned evaluation: who begins when, and what size of difference it would find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evaluation.figures import svg
from evaluation.figures.axes import Cell, Look, Row, Scale, Ticks, axes, rows, upward
from evaluation.figures.labels import require, wrap
from evaluation.figures.svg import INCH, SMALL, Page, Picture, extent, figure

ROW = 30.0  # height of a group
GAP = 0.06  # between two tiles, as a share of one


def rollout(begun: np.ndarray, *, groups: Sequence[str], waves: Sequence[str]) -> Picture:
    """Tiles of groups by waves: dark with the programme, pale without it, none where not surveyed.

    Parameters
    ----------
    begun : (S, T) 1 or 0, missing where the group is not surveyed.

    Raises
    ------
    ValueError : labels that do not match the tiles.
    """
    if begun.shape != (len(groups), len(waves)):
        raise ValueError(f"rollout: {begun.shape} tiles, {len(groups)} groups, {len(waves)} waves")
    colours = {0.0: svg.ACCENT_PALE, 1.0: svg.ACCENT}

    def named(_: Scale) -> Ticks:
        return list(enumerate(waves))

    def draw(page: Page) -> None:
        limits = (-0.5, len(waves) - 0.5)
        at = rows(page, [Row(group) for group in groups], limits, "", ROW, ticks=named)
        wide = (at.x(1) - at.x(0)) * (1 - GAP) if len(waves) > 1 else at.x.length * (1 - GAP)
        for (row, column), value in np.ndenumerate(begun):
            if np.isfinite(value):
                left, high = float(at.x(column)) - wide / 2, ROW * (1 - 2 * GAP)
                page.rect(left, at.rows[row] - high / 2, wide, high, colours[value], mark="tile")

    return figure(draw)


def chances(
    curve: pd.DataFrame, *, target: float, smallest: float, xlabel: str, ylabel: str
) -> Picture:
    """Chance that a difference is found against its size, with the band of what is not known.

    Parameters
    ----------
    curve : columns ``difference, power, low, high``, chances from 0 to 1.
    target : the chance asked for. smallest : the smallest difference worth knowing.

    Raises
    ------
    ValueError : a column is missing.
    """
    require(curve, ("difference", "power", "low", "high"), "chances")
    x = curve["difference"].to_numpy(float)

    def shares(scale: Scale) -> Ticks:
        return [(value, f"{100 * value:.0f}%") for value, _ in upward(scale)]

    def draw(page: Page) -> None:
        title = wrap(ylabel, page.width)
        page.height = 2.6 * INCH + extent(title, SMALL)[1]
        look = Look(title, wrap(xlabel, page.width - 16), y=shares)
        cell = Cell(0, 0, page.width, page.height)
        at = axes(page, cell, (0.0, float(x.max())), (0.0, 1.0), look)
        low, high = (at.y(curve[name].to_numpy(float)) for name in ("low", "high"))
        page.area(at.x(x), low, high, svg.ACCENT_PALE, mark="band")
        page.path(at.at(x, curve["power"].to_numpy(float)), svg.ACCENT, 2.5, mark="power")
        ends = [(at.x.start, float(at.y(target))), (at.x.end, float(at.y(target)))]
        page.path(ends, svg.DARK, 1.2, "6 3", mark="target")
        if smallest <= x.max():
            at.upright(smallest, svg.DARK, 1.2, "6 3", mark="smallest")

    return figure(draw)
