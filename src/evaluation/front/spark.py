"""The small line of a region's rates, with intervals, on an axis common to all regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from evaluation.front.cells import rate
from evaluation.front.words import label, pair

WIDTH, HEIGHT, EDGE = 140.0, 46.0, 4.0


def bounds(summaries: Sequence[Mapping[str, Any]]) -> tuple[float, float, float]:
    """First and last year and the highest value of all lines, so that lines can be compared."""
    rows = [row for s in summaries for row in [*(s.get("rates") or []), *(s.get("nation") or [])]]
    years = [row["wave"] for row in rows] or [0, 1]
    tops = [row["high"] if row["high"] is not None else row["value"] for row in rows]
    return min(years), max(max(years), min(years) + 1), max([*tops, 1.0])


def sparkline(summary: Mapping[str, Any], names: Mapping[str, str], box: tuple) -> Markup:
    """An SVG of the region's rates with whiskers, the nation as a thin line behind.

    A line is dashed across a change of the survey instrument. The text that stands for the
    picture lists every survey; without a survey it is empty markup.

    Parameters
    ----------
    names : the region by language. box : of :func:`bounds`.
    """
    rates = summary.get("rates") or []
    if not rates:
        return Markup("")
    breaks = summary.get("breaks") or []
    parts = [_line(summary.get("nation") or [], box, breaks, "nation")]
    for row in rates:
        if row["low"] is not None:
            x, low, high = _x(row, box), _y(row["low"], box), _y(row["high"], box)
            parts.append(f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
    parts.append(_line(rates, box, breaks, "own"))
    for row in rates:
        x, y = _x(row, box), _y(row["value"], box)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2.6 if row is rates[-1] else 1.6}"/>')
    listed = [pair("front.spark.rate", year=row["wave"], rate=rate(row)) for row in rates]
    words = {
        "zh": "；".join(item["zh"] for item in listed),
        "en": "; ".join(item["en"] for item in listed),
    }
    stands_for = label(pair("front.spark", region=names, rates=words))
    return Markup(
        '<svg class="spark" role="img" viewBox="0 0 {:g} {:g}" width="{:g}" '
        'height="{:g}" {}>{}</svg>'
    ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, stands_for, Markup("".join(parts)))


def _x(row: Mapping[str, Any], box: tuple) -> float:
    first, last, _ = box
    return EDGE + (row["wave"] - first) / (last - first) * (WIDTH - 2 * EDGE)


def _y(value: float, box: tuple) -> float:
    return HEIGHT - EDGE - value / box[2] * (HEIGHT - 2 * EDGE)


def _line(rows: Sequence[Mapping[str, Any]], box: tuple, breaks: Sequence[int], kind: str) -> str:
    parts = []
    for before, after in pairwise(rows):
        broken = any(before["wave"] < year <= after["wave"] for year in breaks)
        ends = [f"{_x(row, box):.1f} {_y(row['value'], box):.1f}" for row in (before, after)]
        dashes = " broken" if broken else ""
        parts.append(f'<path class="{kind}{dashes}" d="M{ends[0]}L{ends[1]}"/>')
    return "".join(parts)
