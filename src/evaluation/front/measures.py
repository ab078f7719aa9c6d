"""The colours of the maps: each region's class by the chosen measure, and the legend.

A class is a name that the style sheet colours; hatching marks what the sampling error does not
let one tell, so that a colour never says more than its interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from evaluation.front.cells import STATUSES, Cell, cells, goal
from evaluation.front.rows import Row
from evaluation.front.words import Pair, pair, signed
from evaluation.numerals import fixed

MEASURES = ("rate", "gain", "target", "locks")
STEPS = 5
NONE, ABSENT, OUTSIDE = "none", "absent", "outside"
MARKS = {
    "met": "✓", "on_course": "↗", "undecided": "?", "off_course": "↘", "missed": "✗",
    "not_surveyed": "…", "no_survey": "…",
}  # fmt: skip
# Column of the table whose words describe a region on the map by each measure.
COLUMNS = {"rate": "latest", "gain": "gain", "target": "target", "locks": "locks"}


@dataclass(frozen=True)
class Paint:
    """How a region is drawn: class, hatched or not, what its tile says, the whole in words."""

    kind: str
    hatched: bool
    mark: str
    words: Pair


@dataclass(frozen=True)
class Entry:
    """One line of a legend."""

    kind: str
    hatched: bool
    mark: str
    words: Pair


def paints(listed: Sequence[Row]) -> dict[str, dict[str, Paint]]:
    """Measure -> code -> how the region is drawn."""
    edges = {name: _edges(_values(listed, name)) for name in MEASURES}
    return {
        measure: {row.code: _paint(row, measure, edges[measure]) for row in listed}
        for measure in MEASURES
    }


def legend(listed: Sequence[Row], measure: str) -> list[Entry]:
    """What each colour, sign and hatching of a measure means, as far as it is drawn."""
    edges = _edges(_values(listed, measure))
    drawn = [_paint(row, measure, edges) for row in listed]
    kinds = {paint.kind for paint in drawn}
    if measure == "target":
        found = [
            Entry(status, status == "undecided", MARKS[status], pair(f"status.{status}"))
            for status in STATUSES
            if status in kinds
        ]
    elif measure == "locks":
        found = _lock_entries(listed, kinds)
    else:
        found = _classes(edges, max(_values(listed, measure), default=0.0))
        if any(paint.hatched for paint in drawn):
            found.append(Entry("", True, "", pair(f"front.hatch.{measure}")))
    if NONE in kinds:
        found.append(Entry(NONE, False, "", pair(f"front.none.{measure}")))
    return found


def _classes(edges: Sequence[float], top: float) -> list[Entry]:
    """One entry a class; the last is open where a value lies above it."""
    found = []
    for i, (low, high) in enumerate(pairwise(edges)):
        words = pair("front.class", low=_edge(low), high=_edge(high))
        if i == STEPS - 1 and top >= high:
            words = pair("front.class.open", low=_edge(low))
        found.append(Entry(f"q{i}", False, "", words))
    return found


def _lock_entries(listed: Sequence[Row], kinds: set[str]) -> list[Entry]:
    most = max((row.summary.get("evidence") or {}).get("most", 0) for row in listed)
    return [
        Entry(f"l{n}", False, fixed(n, 0), pair("front.locks", locks=n, most=most))
        for n in range(most + 1)
        if f"l{n}" in kinds
    ]


def _number(row: Row, measure: str) -> float | None:
    field, name = {"rate": ("latest", "value"), "gain": ("gain", "annual")}[measure]
    return (row.summary.get(field) or {}).get(name)


def _values(listed: Sequence[Row], measure: str) -> list[float]:
    if measure not in ("rate", "gain"):
        return []
    return [value for row in listed if (value := _number(row, measure)) is not None]


def _edges(values: Sequence[float]) -> list[float]:
    """Edges of five equal, round classes; values above nine in ten of all may lie above the last.

    >>> _edges([3.2, 4.0, 5.1, 7.5, 8.0, 9.0, 10.0, 12.0, 13.0, 15.9, 27.7])
    [2.5, 5.0, 7.5, 10.0, 12.5, 15.0]
    >>> _edges([]), len(_edges([2.0]))
    ([], 6)
    """
    if not values:
        return []
    ordered = sorted(values)
    low, high = ordered[0], ordered[int(0.9 * (len(ordered) - 1))]
    wanted = max((high - low) / STEPS, 0.02)
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= 0.9 * wanted)
    first = math.floor(low / step)
    return [round(step * (first + i), 10) for i in range(STEPS + 1)]


def _edge(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _paint(row: Row, measure: str, edges: Sequence[float]) -> Paint:
    cell = cells(row.summary)[COLUMNS[measure]]
    if measure == "target":
        item = goal(row.summary)
        status = item["status"] if item else NONE
        return Paint(status, status == "undecided", MARKS.get(status, ""), cell.text)
    if measure == "locks":
        locks = cell.order
        kind, mark = (NONE, "") if locks is None else (f"l{locks:g}", fixed(locks, 0))
        return Paint(kind, False, mark, cell.text)
    value = _number(row, measure)
    if value is None:
        return Paint(NONE, False, "", cell.text)
    kind = f"q{sum(value >= edge for edge in edges[1:-1])}"
    mark = f"{fixed(value, 1)}%" if measure == "rate" else signed(value)
    return Paint(kind, _untold(row.summary, measure), mark, _told(row.summary, measure))


def _told(summary: Mapping[str, Any], measure: str) -> Pair:
    """A coloured figure in words: with unit, interval, date and what bears on reading it."""
    found = cells(summary)
    cell = found[COLUMNS[measure]]
    if measure == "gain":
        return Cell(pair("front.points.year", value=cell.main), cell.beside).text
    beside = found["standing"]
    if beside.beside:
        beside = Cell(beside.main, pair("front.points", value=beside.beside))
    return Cell(cell.text, beside.text).text


def _untold(summary: Mapping[str, Any], measure: str) -> bool:
    """Whether the interval leaves open what the colour seems to say."""
    if measure == "rate":
        return summary["standing"]["side"] in ("near", "alone")
    return summary["gain"]["annual_low"] <= 0 <= summary["gain"]["annual_high"]
