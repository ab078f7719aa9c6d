"""What the front page says of one region: each result in words, with its interval and its date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.front.words import Pair, interval, joined, pair, percent, signed
from evaluation.numerals import fixed

SIDES = {"below": 0, "near": 1, "above": 2}
# Verdicts on a target from the surest good news to the surest bad one, then the unknown.
STATUSES = (
    "met", "on_course", "undecided", "off_course", "missed", "not_surveyed", "no_survey",
)  # fmt: skip
HORIZON = 2030  # a nearer target is shown before one beyond this year


@dataclass(frozen=True)
class Cell:
    """A result in both languages: ``main`` first, ``beside`` smaller; ``order`` sorts it."""

    main: Pair
    beside: Pair | None = None
    order: float | None = None

    @property
    def text(self) -> Pair:
        """Both parts as one phrase."""
        if self.beside is None:
            return self.main
        commas = {"zh": "，", "en": ", "}
        return {name: f"{self.main[name]}{commas[name]}{self.beside[name]}" for name in self.main}


def cells(summary: Mapping[str, Any]) -> dict[str, Cell]:
    """The cells of a region by column; of an empty summary as well."""
    return {
        "latest": _latest(summary),
        "standing": _standing(summary),
        "gain": _gain(summary),
        "target": _target(summary),
        "locks": _locks(summary),
    }


def rate(row: Mapping[str, Any]) -> Pair:
    """A surveyed share with its interval, where it has one."""
    value = {"zh": percent(row["value"]), "en": percent(row["value"])}
    if row.get("low") is None or row.get("high") is None:
        return joined(value, pair("missing.interval"))
    return joined(value, interval(row["low"], row["high"], "%"))


def bounded(value: float, low: float, high: float) -> Pair:
    """A difference with its sign and interval."""
    return joined({"zh": signed(value), "en": signed(value)}, interval(low, high))


def _latest(summary: Mapping[str, Any]) -> Cell:
    row = summary.get("latest")
    if not row:
        return Cell(pair("front.standing.none"))
    return Cell(rate(row), pair("front.survey", year=row["wave"]), row["value"])


def _standing(summary: Mapping[str, Any]) -> Cell:
    found = summary.get("standing") or {"side": "none"}
    side = found["side"]
    words = pair("front.standing.alone" if side == "alone" else f"front.standing.{side}")
    if "gap" not in found:
        return Cell(words)
    return Cell(words, bounded(found["gap"], found["low"], found["high"]), SIDES[side])


def _gain(summary: Mapping[str, Any]) -> Cell:
    row = summary.get("gain")
    if not row:
        return Cell(pair("front.gain.none"))
    text = bounded(row["annual"], row["annual_low"], row["annual_high"])
    key = "front.period.break" if row["break"] else "front.period"
    return Cell(text, pair(key, first=row["from"], last=row["to"]), row["annual"])


def goal(summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The last target within sight, else the last one."""
    goals = sorted(summary.get("targets") or [], key=lambda item: item["year"])
    near = [item for item in goals if item["year"] <= HORIZON]
    return (near or goals or [None])[-1]


def _target(summary: Mapping[str, Any]) -> Cell:
    item = goal(summary)
    if item is None:
        return Cell(pair("missing.target"))
    value: Pair | str = percent(item["value"])
    keys = {">": "number.more_than", ">=": "number.at_least", "approx": "number.nearly"}
    if item["comparator"] in keys:
        value = pair(keys[item["comparator"]], value=value)
    status = item["status"]
    order = STATUSES.index(status) if status in STATUSES else len(STATUSES)
    return Cell(pair(f"status.{status}"), pair("front.by", value=value, year=item["year"]), order)


def _locks(summary: Mapping[str, Any]) -> Cell:
    found = summary.get("evidence") or {}
    if not found.get("gains") or found.get("locks") is None:
        return Cell(pair("front.locks.outside"))
    count, most = found["locks"], found["most"]
    words = pair("front.locks.brief", locks=fixed(count, 0), most=fixed(most, 0))
    return Cell(words, pair("front.locks.gains", gains=fixed(found["gains"], 0)), count)


def inputs(summary: Mapping[str, Any]) -> dict[str, tuple[Pair, Pair]]:
    """Name and percentile of each input, by dose."""
    return {
        item["dose"]: (
            dict(item["names"]),
            pair("front.percentile", value=fixed(item["percentile"], 0), year=item["year"]),
        )
        for item in summary.get("inputs") or []
        if item["percentile"] is not None
    }
