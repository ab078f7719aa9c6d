"""Periods as officials write them: 2021年以来, "十三五"期间, 截至2023年9月, 近五年, 到2025年.

``period`` reads one cell or phrase, ``find`` the periods of a running text. A period is two texts,
YYYY or YYYY-MM; ``""`` where only the other end is named (截至 names no start). What is said from
the day of writing (今年, 近五年) needs the date of the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from evaluation.data.office.quantities import NUMERAL, WIDE, QuantityError, number, table

FIRST, LAST = 1900, 2100
_FAR = 6  # months: a month without a year that lies so far ahead was in the year before
_SEASON = 3  # in the first months of a year, reviews are of the years before it
_AIM = re.compile(r"(?:^|[，。；：、,;:\s(（]|力争|争取|计划|确保|预计|[将要])$")
_MONTHS = "january february march april may june july august september october november december"
_MONTH_OF = {name[:3]: place for place, name in enumerate(_MONTHS.split(), 1)}
_NAMED_MONTH = rf"(?:{'|'.join(_MONTH_OF)})[a-z]*\.?"
_YEAR = r"(?<!\d)(?:19|20|21)\d\d(?!\d)"
# One point of time: a year, a month, a day of which the month is kept.
_POINT = (
    rf"(?:{_YEAR}\s*年度?(?:\s*\d{{1,2}}\s*月(?:份|\s*\d{{1,2}}\s*日)?)?"
    rf"|{_YEAR}[-/.](?:1[0-2]|0?[1-9])(?:[-/.]\d{{1,2}})?(?!\d)"
    rf"|{_NAMED_MONTH}\s+(?:\d{{1,2}},\s*)?{_YEAR}|(?:今|本|去|上|前|明)年度?"
    rf"(?:\d{{1,2}}月(?:份|\d{{1,2}}日)?)?"
    rf"|{_YEAR})"
)
_DASH = r"\s*(?:[—–~―-]+|至|到|to|and)\s*"
_END = r"(?:底|末|年底|年末)?"
_BARE, _DAYS = r"(?<![\d年个第.])(?P<m>1[0-2]|[1-9])月", r"(?:\d{1,2}日)"
_WHAT = r"[^，。；：、,;:\d]{0,18}?"  # 2021年启动创建以来
_RELATIVE = {"今": 0, "本": 0, "去": -1, "上": -1, "前": -2, "明": 1}
_QUARTER = {"一": 1, "二": 2, "三": 3, "四": 4, "1": 1, "2": 2, "3": 3, "4": 4}


class Period(NamedTuple):
    """First and last year or month, as in ``facts.csv``; ``""`` where it is not named."""

    start: str
    end: str


@dataclass(frozen=True)
class FoundPeriod:
    """A period in a running text; ``kind`` is one of those of ``SHAPES``."""

    start: int
    end: int
    period: Period
    kind: str


def period(text: str, date: str = "") -> Period:
    """Read a cell or phrase that holds one period and nothing else.

    Parameters
    ----------
    text : e.g. ``2021年以来``, ``"十三五"期间``, ``截至2023年9月``, ``近五年``, ``2021-2022年``.
    date : of the document, ``YYYY`` or ``YYYY-MM``; the end of what is still going on.

    Raises
    ------
    QuantityError : not understood, not a year from 1900 to 2100, from late to early, or said from
        the day of writing while no date is given.

    >>> tuple(period("2021年以来", "2023-09")), tuple(period("近五年", "2024-02"))
    (('2021', '2023-09'), ('2019', '2023'))
    """
    cell = text.translate(WIDE).strip().strip("()。，,")
    if not cell:
        raise QuantityError("the cell is empty — write a period, e.g. 2021—2022年")
    today = checked(date)
    if len(cell) <= 60:
        for _, shape, read in SHAPES:
            if found := shape.fullmatch(cell):
                return _ordered(read(found, today), cell)
    raise QuantityError(f"{cell!r:.60} is not understood as a period — write 2021 or 2021—2022年")


def find(text: str, date: str = "") -> list[FoundPeriod]:
    """The periods of a running text in their order; what needs a date is left out without one."""
    plain, today = text.translate(WIDE), checked(date)
    taken: list[FoundPeriod] = []
    for kind, shape, read in SHAPES:
        for found in shape.finditer(plain):
            if any(found.start() < one.end and one.start < found.end() for one in taken):
                continue
            if re.fullmatch(r"(?:[到至自从])?\d+", found[0]):
                continue  # in a running text 2000 is a number (2000多场次)
            try:
                read_ = _ordered(read(found, today), found[0])
            except QuantityError:
                continue  # in a running text, what is no period is other words
            if kind == "by" and not _AIM.search(
                plain[: found.start("a")].rstrip("到至")
            ):  # 提升至2022年的11%
                taken.append(
                    FoundPeriod(found.start(), found.end(), Period(read_.end, read_.end), "point")
                )
                continue
            taken.append(FoundPeriod(found.start(), found.end(), read_, kind))
    return sorted(taken, key=lambda one: one.start)


def checked(date: str) -> str:
    """The date of a document, refused unless it is empty, YYYY or YYYY-MM."""
    if date and not re.fullmatch(r"(19|20|21)\d\d(-(0[1-9]|1[0-2]))?", date, re.ASCII):
        raise QuantityError(f"{date!r:.30} is no date of a document — write YYYY or YYYY-MM")
    return date


def _ordered(read: Period, text: str) -> Period:
    start, end = read
    if start and end and (start[:4], start[5:] or "01") > (end[:4], end[5:] or "12"):
        raise QuantityError(f"{text!r:.60} runs from late to early — correct it")
    return read


def _needed(today: str, text: str) -> str:
    if not today:
        raise QuantityError(f"{text!r:.60} is said from the day of writing — give the date")
    return today


def _at(text: str, today: str) -> str:
    """A point of time as YYYY or YYYY-MM."""
    if found := re.match(r"([今本去上前明])年度?(?:(\d{1,2})月)?", text):
        year, month = int(_needed(today, text)[:4]) + _RELATIVE[found[1]], found[2]
    else:
        year = int(re.search(_YEAR, text)[0])
        rest = re.search(r"年\s*(\d{1,2})\s*月|^\d{4}[-/.](\d{1,2})", text)
        month = rest and (rest[1] or rest[2])
        if named := re.match(_NAMED_MONTH, text, re.I):
            month = _MONTH_OF[named[0][:3].lower()]
    if not FIRST <= year <= LAST or (month and not 1 <= int(month) <= 12):
        raise QuantityError(f"{text!r:.60} is no month of the years {FIRST} to {LAST}")
    return f"{year}-{int(month):02d}" if month else str(year)


def _read(start: str, end: str) -> Callable[[re.Match[str], str], Period]:
    """A reader of two ends: ``a`` and ``b`` are points that are named, ``now`` is the day of
    writing, ``year`` its year, ``today`` the same where it is known, ``""`` no end."""

    def one(kind: str, found: re.Match[str], today: str) -> str:
        if kind in ("a", "b"):
            return _at(found[kind], today)
        if kind in ("now", "year"):
            return _needed(today, found[0])[: 4 if kind == "year" else None]
        return today if kind == "today" else ""

    return lambda found, today: Period(one(start, found, today), one(end, found, today))


def _month(found: re.Match[str], today: str) -> Period:
    """A month without its year: that of the day of writing, or the one before if far ahead."""
    year, month = int(_needed(today, found[0])[:4]), int(found["m"])
    ahead = today[5:] and month - int(today[5:]) >= _FAR
    at = f"{year - 1 if ahead else year}-{month:02d}"
    return Period(at, at)


def _months(found: re.Match[str], today: str) -> Period:
    """2023年1—8月, 上半年, 前三季度: months of one year, the document's if none is named."""
    year = _at(found["a"], today)[:4] if found["a"] else _needed(today, found[0])[:4]
    named = found.groupdict()
    if named["m"]:
        first, last = int(named["m"]), int(named["n"] or named["m"])
    elif found["half"]:
        first, last = (1, 6) if found["half"] == "上" else (7, 12)
    else:
        last = 3 * _QUARTER[found["quarter"]]
        first = 1 if found["whole"] else last - 2
    if not 1 <= first <= last <= 12:
        raise QuantityError(f"{found[0]!r:.60} is no span of months — correct it")
    return Period(f"{year}-{first:02d}", f"{year}-{last:02d}")


def _last(found: re.Match[str], today: str) -> Period:
    """The last so many years: whole ones where a year has just begun, else this one counted too."""
    today = _needed(today, found[0])
    written = found["n"] or "一"
    years = _WORDS.get(written.lower()) or int(number(written))
    if not 1 <= years <= 100:
        raise QuantityError(f"{found[0]!r:.60} is no span of years — write its first and last")
    year = int(today[:4])
    if today[5:] and int(today[5:]) <= _SEASON:
        return Period(str(year - years), str(year - 1))
    return Period(str(year - years + 1), today)


@cache
def _plans() -> dict[str, Period]:
    return {row["name"]: Period(row["start"], row["end"]) for row in table("named_periods")}


def _named(found: re.Match[str], today: str) -> Period:
    plan = _plans()[found["a"].lower()]
    return Period(plan.end, plan.end) if found[0].endswith("末") else plan


_TEN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {word: place for place, word in enumerate(_TEN, 1)}
_COUNT = rf"(?P<n>{NUMERAL}|{'|'.join(_WORDS)})"
_Q = r"[“”\"'「」]?"


def _shapes() -> Iterator[tuple[str, str, Callable[[re.Match[str], str], Period]]]:
    a, b = rf"(?P<a>{_POINT})", rf"(?P<b>{_POINT})"
    plan = "|".join(sorted(map(re.escape, _plans()), key=len, reverse=True))
    yield (
        "named",
        rf"(?:the\s)?{_Q}(?P<a>{plan}){_Q}(?:规划|计划)?(?:期间|时期|末|period)?",
        _named,
    )
    yield "span", rf"(?:from\s|自|从)?{a}{_DASH}{b}(?:年度?)?(?:期间|间|{_END})", _read("a", "b")
    yield "since", rf"(?:自|从)?{a}{_END}(?:{_WHAT}(?:以来|至今)|起|开始)", _read("a", "today")
    yield "since", rf"(?:自|从)?(?:开馆|建馆|开放|成立|启动|实施|创建){_WHAT}以来", _read("", "now")
    yield "since", rf"(?:自|从)?(?:since|from)\s{a}", _read("a", "today")
    yield "part", (
        rf"(?P<a>{_POINT})?(?:(?P<m>\d{{1,2}})月?[—–~至到-]+(?P<n>\d{{1,2}})月份?"
        r"|(?P<half>[上下])半年|(?P<whole>前)?第?(?P<quarter>[一二三四1-4])(?:个)?季度)"
    ), _months  # fmt: skip
    yield (
        "part",
        rf"(?P<a>{_YEAR}\s*年|[今去]年)?{_BARE}{_DAYS}?{_DASH}(?:(?P<n>\d{{1,2}})月份?{_DAYS}?|{_DAYS})",
        _months,
    )
    yield "until", rf"(?:截至|截止|截止到|截至到|as of|up to)\s*{a}{_END}", _read("", "a")
    yield (
        "until",
        rf"(?:截至|截止)到?{_BARE}(?:份|{_DAYS}|底|末)?",
        lambda found, today: Period("", _month(found, today).end),
    )
    yield "now", r"截至目前|截止目前|目前|至今|迄今|现有|现已|so far|to date", _read("", "now")
    yield "by", rf"(?:力争)?(?:到|至|by(?: the end of)?)\s?{a}{_END}", _read("", "a")
    yield "last", rf"(?:最近|过去|近|the (?:last|past)\s){_COUNT}\s?(?:年来|年间|年|years)", _last
    yield "last", rf"{_COUNT}年(?:来|间)", _last
    yield "last", r"(?P<n>一)年来", _last
    yield "whole", r"全年|(?<![一二两三四五六七八九十\d])年内", _read("year", "year")
    yield "point", rf"(?:at the end of\s|in\s)?{a}{_END}", _read("a", "a")
    yield "point", rf"{_BARE}(?:份|{_DAYS}|底|末|初|[上中下]旬)?", _month


SHAPES = [(kind, re.compile(shape, re.I), read) for kind, shape, read in _shapes()]
