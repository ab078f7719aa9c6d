"""What is due when: as documents state it, and no day where none is published."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Iterator

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.base.text import is_date, t
from evaluation.data.package import Dataset
from evaluation.targets import tracker

COLUMNS = (
    "due_id", "start", "end", "date", "until", "basis", "kind", "title_zh", "title_en",
    "source_id", "place_zh", "place_en",
)  # fmt: skip
FOLD = 75  # octets of a line of an iCalendar file, RFC 5545, 3.1


def dues(dataset: Dataset, region: str, start: str, years: int = 1) -> pd.DataFrame:
    """What is due in a region, and in those it lies in, from a day on, by date.

    Parameters
    ----------
    region : code; empty for what is due in every region. start : YYYY-MM-DD. years : 1 or more.

    Returns
    -------
    DataFrame of ``COLUMNS``. ``date, until`` are as exact as published, ``start, end`` the first
    and last day they may mean; all four are empty where nothing is published, and such rows come
    last. ``basis``: ``published``; ``stated``: it comes again, says the document; ``expected``: it
    came at that time in the years known; ``undated``.

    Raises
    ------
    KepuError : ``start`` is no day, or ``years`` is below 1.
    """
    if not (is_date(start) and len(start) == 10) or years < 1:
        raise KepuError(f"'{start}' and {years} years are no span — write --from 2026-01-31.")
    table = dataset.calendar
    kept = table[table["region_code"].isin(["", *_above(dataset, region)])]
    rows = [each for row in kept.to_dict("records") for each in _times(row, start, years)]
    rows += _of_the_plan(dataset, region, start)
    last = f"{int(start[:4]) + years}{start[4:]}"
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    within = (found["end"] >= start) & (found["start"] < last)
    found = found[within | (found["start"] == "")]
    order = found["start"].replace("", "9999")
    return found.assign(order=order).sort_values(["order", "due_id"]).drop(columns="order")


def _above(dataset: Dataset, region: str) -> list[str]:
    """A region and all it lies in."""
    parents, found = dataset.regions.set_index("code")["parent_code"], []
    while region:
        found.append(region)
        region = str(parents[region])
    return found


def _times(row: dict, start: str, years: int) -> Iterator[dict]:
    """A row of the calendar each time it comes, up to the last year asked for."""
    if not row["date"]:
        yield row | {"start": "", "end": "", "basis": "undated"}
        return
    step = 0 if pd.isna(row["every"]) else int(row["every"])
    last = int(start[:4]) + years if step else int(row["date"][:4])
    for later in range(0, last - int(row["date"][:4]) + 1, step or 1):
        date, until = (_moved(row[name], later) for name in ("date", "until"))
        yield row | {
            "date": date, "until": until,
            "start": _day(date), "end": _day(until or date, last=True),
            "basis": row["again"] if later else "published",
        }  # fmt: skip


def _moved(date: str, years: int) -> str:
    return date and f"{int(date[:4]) + years}{date[4:]}"


def _day(date: str, *, last: bool = False) -> str:
    """The first or last day of a year, a month or a day."""
    year, month, day = (*map(int, date.split("-")), 0, 0)[:3]
    month = month or (12 if last else 1)
    most = calendar.monthrange(year, month)[1]
    day = min(day, most) or (most if last else 1)
    return datetime.date(year, month, day).isoformat()


def _of_the_plan(dataset: Dataset, region: str, start: str) -> list[dict]:
    """Open measures and targets by their year, and entries that are due by their day."""
    try:
        rows = tracker.board(dataset, region, start)
    except KepuError:  # the day is checked before: the region has no plan in the data
        return []
    rows, found = rows[rows["status"].isin(tracker.OPEN)], []
    for (year, source), part in rows.dropna(subset="year_due").groupby(["year_due", "source_id"]):
        titles = {f"title_{each}": str(t("calendar.plan", each, items=len(part)).unescape())
                  for each in ("zh", "en")}  # fmt: skip
        found.append(_plan(region, f"{year}", source) | titles)
    for row in rows[rows["next_date"] != ""].to_dict("records"):
        own = _plan(region, row["next_date"], row["source_id"])
        found.append(row | own | {"due_id": row["item"]})
    return found


def _plan(region: str, date: str, source: str) -> dict[str, str]:
    return {
        "due_id": f"plan-{region}-{date}-{source}", "date": date, "until": "", "start": _day(date),
        "end": _day(date, last=True), "basis": "published", "kind": "plan", "source_id": source,
        "place_zh": "", "place_en": "",
    }  # fmt: skip


def when(row: dict, language: str) -> str:
    """The date of a row in words: as exact as published, and on whose word it comes again."""
    if row["basis"] == "undated":
        return str(t("calendar.undated", language).unescape())
    date = "–".join(filter(None, (row["date"], row["until"])))
    return str(t(f"calendar.when.{row['basis']}", language, date=date).unescape())


def to_ics(rows: pd.DataFrame, language: str, stamp: str) -> bytes:
    """The dated rows as an iCalendar file (RFC 5545) of whole days; ``stamp``: YYYY-MM-DD.

    What is dated to a month or year lasts as long, and says so: no day is made up.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//kepu//calendar//EN"]
    for row in rows[rows["start"] != ""].to_dict("records"):
        after = datetime.date.fromisoformat(row["end"]) + datetime.timedelta(days=1)
        place = " ".join(filter(None, (row["source_id"], row[f"place_{language}"])))
        told = f"{when(row, language)}; {place}"
        lines += [
            "BEGIN:VEVENT", f"UID:{_escaped(row['due_id'])}-{row['start']}@kepu",
            f"DTSTAMP:{stamp.replace('-', '')}T000000Z",
            f"DTSTART;VALUE=DATE:{row['start'].replace('-', '')}",
            f"DTEND;VALUE=DATE:{after:%Y%m%d}", f"SUMMARY:{_escaped(row[f'title_{language}'])}",
            f"DESCRIPTION:{_escaped(told)}", f"CATEGORIES:{row['kind'].upper()}",
            "TRANSP:TRANSPARENT", "END:VEVENT",
        ]  # fmt: skip
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _escaped(text: str) -> str:
    for sign in ("\\", ";", ","):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", "\\n")


def _folded(line: str) -> str:
    """A line no part of which is longer than ``FOLD`` octets; no letter is cut."""
    parts, room = [""], FOLD
    for letter in line:
        size = len(letter.encode())
        if size > room:
            parts.append("")
            room = FOLD - 1  # the space before a part counts
        parts[-1] += letter
        room -= size
    return "\r\n ".join(parts)
