"""Figures of a rollout: who begins when, what differs since, what size of difference is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation.figures import svg
from evaluation.figures.axes import (
    Cell,
    Frame,
    Look,
    Row,
    Scale,
    Ticks,
    across,
    axes,
    key,
    padded,
    rows,
    upward,
)
from evaluation.figures.labels import Flags, brief, named, require, wrap
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

    def surveys(_: Scale) -> Ticks:
        return list(enumerate(waves))

    def draw(page: Page) -> None:
        limits = (-0.5, len(waves) - 0.5)
        at = rows(page, [Row(group) for group in groups], limits, "", ROW, ticks=surveys)
        wide = (at.x(1) - at.x(0)) * (1 - GAP) if len(waves) > 1 else at.x.length * (1 - GAP)
        high = min([ROW * (1 - 2 * GAP), *(2 * (at.y.start - 4 - place) for place in at.rows[-1:])])
        for (row, column), value in np.ndenumerate(begun):
            if np.isfinite(value):
                left = float(at.x(column)) - wide / 2
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


STUDY = ("years", "estimate", "low", "high")
BANDS = ("honest_low", "honest_high")
TEXTS = ("estimate", "band", "base")


def event_study(
    frame: pd.DataFrame, *, ylabel: str, xlabel: str, names: Mapping[str, str]
) -> Picture:
    """Differences by survey about a start, with intervals, about a line at zero.

    The survey before the start, at 0 years, is a ring at zero. Where ``frame`` has the ends of
    ``BANDS``, pale bars stand behind the intervals and what they would be in between is shaded.

    Parameters
    ----------
    frame : columns ``years, estimate, low, high``, negative years before the start, in any order;
        optionally ``honest_low, honest_high``, missing before the start. An end that is missing
        or infinite is not drawn.
    names : texts ``estimate, band`` of the key and ``base``, of the survey at 0 years.

    Raises
    ------
    ValueError : a column or a text is missing, or there is no estimate.
    """
    require(frame, STUDY, "event_study")
    named(names, TEXTS, "event_study: names lacks")
    shown = frame.reindex(columns=[*STUDY, *BANDS]).astype(float).sort_values("years")
    shown = shown.where(np.isfinite(shown)).dropna(subset="estimate")
    if shown.empty:
        raise ValueError("event_study: no estimate to draw")
    bands = shown.dropna(subset=list(BANDS))
    x = padded([*shown["years"], 0.0], 0.06)
    y = padded([*shown.drop(columns="years").to_numpy().ravel(), 0.0], 0.06)

    def draw(page: Page) -> None:
        marks = [(names["estimate"], lambda a, b: _dot(page, a, b - 6, b + 6, b))]
        if len(bands):
            marks.append((names["band"], lambda a, b: _bar(page, a, b - 7, b + 7)))
        key(page, marks)
        title, label = wrap(ylabel, page.width), wrap(xlabel, page.width - 16)
        top = page.height + 4
        page.height = top + 2.9 * INCH + extent(title, SMALL)[1]
        cell = Cell(0, top, page.width, page.height - top)
        at = axes(page, cell, x, y, Look(title, label, head=22.0, x=_signed))
        _studied(at, shown, bands)
        flag = Flags([(float(at.x(0.0)), names["base"], svg.QUIET)], page.width, at.x.end)
        flag.draw(page, at.y.end)

    return figure(draw)


def _signed(scale: Scale) -> Ticks:
    """Ticks whose labels say before or after."""
    return [(value, f"+{text}" if value > 0 else text) for value, text in across(scale)]


def _bar(page: Page, x: float, low: float, high: float) -> None:
    page.path([(x, low), (x, high)], svg.ACCENT_MID, 7.0, mark="band", clear=False)


def _dot(page: Page, x: float, low: float, high: float, middle: float) -> None:
    page.path([(x, low), (x, high)], svg.ACCENT, 2.2, mark="interval")
    page.dots((x, middle), 4.2, svg.ACCENT, mark="value")


def _studied(at: Frame, shown: pd.DataFrame, bands: pd.DataFrame) -> None:
    page, base = at.page, (float(at.x(0.0)), float(at.y(0.0)))
    if len(bands):
        years = np.append(0.0, bands["years"])
        low, high = (at.y(np.append(0.0, bands[name])) for name in BANDS)
        page.area(at.x(years), low, high, svg.ACCENT_FAINT, mark="between")
    at.level(0.0, svg.DARK)
    page.path([(base[0], at.y.start), (base[0], at.y.end)], svg.MID, 1.1, "1 3")
    for row in bands.itertuples():
        told = f"{row.years:+g}: {brief(row.estimate, row.honest_low, row.honest_high)}"
        with page.told(told):
            _bar(page, float(at.x(row.years)), *map(float, at.y([row.honest_low, row.honest_high])))
    for row in shown.itertuples():
        ends = [row.estimate if np.isnan(end) else end for end in (row.low, row.high)]
        with page.told(f"{row.years:+g}: {brief(row.estimate, row.low, row.high)}"):
            _dot(page, float(at.x(row.years)), *map(float, at.y([*ends, row.estimate])))
    page.dots(base, 4.2, svg.PAPER, svg.DARK, 1.6, mark="base")
