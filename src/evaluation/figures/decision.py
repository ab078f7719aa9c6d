"""Figures of decisions: specifications, cost-effectiveness, responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation.figures import svg
from evaluation.figures.axes import Cell, Frame, Look, Scale, axes, cells, padded, titles
from evaluation.figures.labels import named, require, wrap
from evaluation.figures.svg import INCH, SMALL, TINY, Page, Picture, extent, figure

# Picture of a decision by willingness to pay: net benefit, frontier, value of information.
COLUMNS = ("wtp", "benefit", "low", "high", "frontier", "information")
LABELS = ("wtp", "benefit", "frontier", "information")


def decision_curves(
    curves: pd.DataFrame, *, wtp: float | None, labels: Mapping[str, str]
) -> Picture:
    """Three panels over the worth of one unit of effect, on one axis in logs.

    Parameters
    ----------
    curves : columns ``wtp`` (0 is left out), ``benefit, low, high`` (expected incremental benefit
        with its interval, money per head), ``frontier`` (0 to 1, the probability that the option
        best on average is the best), ``information`` (value of perfect information per head).
    wtp : the stated value, marked; ``None`` if none is.
    labels : ``wtp, benefit, frontier, information``.

    Raises
    ------
    ValueError : a column or label is missing.
    """
    require(curves, COLUMNS, "decision curves")
    named(labels, LABELS, "decision curves: labels lack")
    shown = curves[curves["wtp"] > 0]
    values = (shown["benefit"], 100 * shown["frontier"], shown["information"])
    ends = (
        padded(shown[["low", "high"]].to_numpy().ravel()),
        (0, 105),
        padded(values[2], zero=True),
    )

    def draw(page: Page) -> None:
        size = (1, 2.1 * INCH) if page.narrow else (3, 2.6 * INCH)
        found = cells(page, 3, *size, 14)
        heads = titles([wrap(labels[name], found[0].width) for name in LABELS[1:]])
        for place, (cell, name) in enumerate(zip(found, LABELS[1:], strict=True)):
            look = Look(heads[place], colour=svg.INK, log=True, x=_powers)
            at = axes(page, cell, _range(shown), ends[place], look)
            if place == 0:
                low, high = at.y(shown["low"]), at.y(shown["high"])
                page.area(at.x(shown["wtp"]), low, high, svg.ACCENT_PALE, mark="band")
                at.level(0, svg.DARK)
            page.path(at.at(shown["wtp"], values[place]), svg.ACCENT, 2.5, mark=name)
            _stated(at, wtp)
        text = wrap(labels["wtp"], page.width - 16)
        page.text(page.width / 2, page.height + 4, text, SMALL, svg.QUIET, "middle", up=0)
        page.height += extent(text, SMALL)[1] + 8

    return figure(draw)


def _range(shown: pd.DataFrame) -> tuple[float, float]:
    return float(shown["wtp"].min()), float(shown["wtp"].max())


def _stated(at: Frame, wtp: float | None) -> None:
    if wtp is not None and at.x.low <= wtp <= at.x.high:
        at.upright(wtp, svg.DARK, 1.4, "6 3", mark="wtp")


def _powers(scale: Scale) -> list[tuple[float, str]]:
    """Powers of ten, as many as stand beside each other."""
    first, last = np.ceil(np.log10(scale.low) - 1e-9), np.floor(np.log10(scale.high) + 1e-9)
    widest = extent(f"{10.0**last:,.0f}", SMALL)[0] + 10
    step = int(np.ceil(widest / (scale.length / max(last - first, 1))))
    powers = 10.0 ** np.arange(last, first - 1, -step)[::-1]
    return [(power, f"{power:,.0f}") for power in powers]


# The specification curve: sorted estimates above, the choices that made each below.
CURVE, CHOICE = 190.0, 24.0  # height of the curve and of one row of choices


def specification_curve(
    table: pd.DataFrame, *, ylabel: str, choices: Mapping[str, Mapping[str, str]],
    headline_sign: float,
) -> Picture:  # fmt: skip
    """Estimates of all specifications in ascending order, and their choices as ticks.

    Estimates with the sign of the headline are dark, the others in the accent colour, so that the
    share of the opposite sign is seen at once.

    Parameters
    ----------
    table : column ``estimate`` and the columns of ``choices``. A cell that joins several values by
        ``" + "`` (covariates) has a tick in the row of each.
    choices : column -> {value: its name on the page}, in the order drawn, top to bottom.
    headline_sign : sign of the estimate the curve doubts.

    Raises
    ------
    ValueError
        If a column is missing, no estimate is finite, or a value has no name.
    """
    require(table, ("estimate", *choices), "specification curve")
    rows = table[np.isfinite(table["estimate"].astype(float))]
    if rows.empty or not choices:
        raise ValueError("specification curve: needs estimates and choices")
    rows = rows.sort_values("estimate", kind="stable", ignore_index=True)
    kinds = [_held(rows[column], column, labels) for column, labels in choices.items()]
    names = [name for labels in choices.values() for name in labels.values()]
    values = rows["estimate"].to_numpy(float)

    def draw(page: Page) -> None:
        room = (0.36 if page.narrow else 0.3) * page.width
        left = 12 + max(extent(wrap(name, room, TINY), TINY)[0] for name in names)
        title = wrap(ylabel, page.width)
        cell = Cell(0, 0, page.width, CURVE + extent(title, SMALL)[1])
        look = Look(title, left=left, bare=True)
        at = axes(page, cell, (-1, len(rows)), padded([*values, 0.0]), look)
        _curve(at, values, headline_sign)
        page.height = cell.height - 0.7 * CHOICE + 8
        for kind in kinds:
            page.height += 0.7 * CHOICE  # a gap between kinds of choice
            for name, chosen in kind:
                _choice(at, wrap(name, room, TINY), at.x(chosen))

    return figure(draw)


def _choice(at: Frame, name: str, chosen: np.ndarray) -> None:
    """A row below what the page holds: a tick at the place of each specification that made it."""
    high = max(CHOICE, extent(name, TINY)[1] + 5)
    y = at.page.height + high / 2
    at.page.text(at.x.start - 10, y, name, TINY, svg.INK, "end")
    ticks = [np.array([(x, y - 8), (x, y + 8)]) for x in chosen]
    at.page.segments(ticks, svg.MID, 1.1, mark="choice", clear=False)
    at.page.height += high


def _held(cells: pd.Series, column: str, labels: Mapping[str, str]) -> list[tuple[str, list[int]]]:
    """Name of each choice, and the places of the specifications that made it."""
    held = [set(filter(None, str(cell).split(" + "))) for cell in cells]
    if strange := sorted(set().union(*held) - set(labels)):
        raise ValueError(f"specification curve: no name for {', '.join(strange)} of {column}")
    return [(name, [x for x, made in enumerate(held) if value in made])
            for value, name in labels.items()]  # fmt: skip


def _curve(at: Frame, values: np.ndarray, sign: float) -> None:
    same, x = np.sign(values) == np.sign(sign), np.arange(len(values))
    radius = float(np.clip(0.8 * np.sqrt(900 / len(values)), 1.2, 3.0))
    at.level(0, svg.DARK)
    for chosen, colour, mark in ((same, svg.DARK, "same"), (~same, svg.ACCENT, "opposite")):
        at.page.dots(at.at(x[chosen], values[chosen]), radius, colour, colour, 0, mark=mark)


# Figures of cost and effect: plane, acceptability, response curves.


def plane_and_acceptability(
    draws: pd.DataFrame, curve: pd.DataFrame, *, wtp: float | None, labels: Mapping[str, str]
) -> Picture:
    """Draws on the cost-effectiveness plane; beside it the probability that the step pays.

    Parameters
    ----------
    draws : columns ``effect, cost``, one row a draw; effects below zero are drawn grey.
    curve : columns ``wtp`` (0 is left out: the axis is in logs), ``probability`` (0 to 1).
    wtp : the stated value, marked; ``None`` if none is.
    labels : ``effect, cost, wtp, probability``, the axes' texts.

    Raises
    ------
    ValueError : a column or label is missing.
    """
    require(draws, ("effect", "cost"), "plane draws")
    require(curve, ("wtp", "probability"), "acceptability curve")
    named(labels, ("effect", "cost", "wtp", "probability"), "plane: labels lack")
    shown, better = curve[curve["wtp"] > 0], draws["effect"] > 0

    def draw(page: Page) -> None:
        left, right = cells(page, 2, 1 if page.narrow else 2, 2.9 * INCH, 14)
        texts = {name: wrap(text, left.width) for name, text in labels.items()}
        heads = titles([texts["cost"], texts["probability"]])
        costs = (0.0, float(draws["cost"].max()) * 1.1)
        look = Look(heads[0], texts["effect"])
        at = axes(page, left, padded([*draws["effect"], 0.0]), costs, look)
        for part, colour, mark in ((draws[~better], svg.MID, "worse"),
                                   (draws[better], svg.ACCENT, "better")):  # fmt: skip
            page.cloud(at.at(part["effect"], part["cost"]), 1.7, colour, mark)
        at.upright(0, svg.DARK)
        look = Look(heads[1], texts["wtp"], log=True, x=_powers)
        at = axes(page, right, _range(shown), (0, 100), look)
        points = at.at(shown["wtp"], 100 * shown["probability"])
        page.path(points, svg.ACCENT, 2.5, mark="probability")
        _stated(at, wtp)

    return figure(draw)


def response_curves(curves: Sequence[tuple[str, pd.DataFrame]], *, ylabel: str) -> Picture:
    """Gain against the level of each lever with its band, one small panel each, one y axis.

    Parameters
    ----------
    curves : name and a frame with ``level, gain, low, high`` each.

    Raises
    ------
    ValueError : no curve, or a column is missing.
    """
    if not curves:
        raise ValueError("response curves: nothing to draw")
    for _, frame in curves:
        require(frame, ("level", "gain", "low", "high"), "response curve")
    values = padded(np.concatenate([f[["low", "high"]].to_numpy().ravel() for _, f in curves]))

    def draw(page: Page) -> None:
        page.title(wrap(ylabel, page.width))
        across = 1 if page.narrow else len(curves)
        found = cells(page, len(curves), across, (2.1 if page.narrow else 2.4) * INCH, 12)
        names = titles([wrap(name, found[0].width) for name, _ in curves])
        for cell, name, (_, frame) in zip(found, names, curves, strict=True):
            ends = float(frame["level"].min()), float(frame["level"].max())
            at = axes(page, cell, ends, values, Look(label=name))
            x = at.x(frame["level"])
            page.area(x, at.y(frame["low"]), at.y(frame["high"]), svg.ACCENT_PALE, mark="band")
            page.path(at.at(frame["level"], frame["gain"]), svg.ACCENT, 2.5, mark="gain")
            at.level(0, svg.DARK)

    return figure(draw)
