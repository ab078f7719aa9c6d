"""A document's text as paragraphs under headings, its date, and the period it speaks of."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from evaluation.data.office import periods
from evaluation.data.office.periods import Period
from evaluation.data.office.quantities import WIDE

_ENDS = re.compile(r"[。！？!?…：:；;|】]\s*$|[。！？!?…][”」）)]\s*$")
_NUMBERED = re.compile(
    r"\s*(?:#+\s|第?[一二三四五六七八九十]+[、章节编部]|[（(][一二三四五六七八九十]+[）)]|\d{1,2}[.、．]\s?(?!\d))"
)
_LONGEST_HEADING, _LONGEST_TITLE = 40, 90
_LONGEST_LINE = 4_000  # a longer one is cut: its figures are placed by their sentences
_OPENING = 250  # characters after the title that may say what years a text is about
_WRAPPED = 18  # characters of a line that a page may have broken in the middle of a sentence
_DAY = r"((?:19|20)\d\d)\s*[年./-]\s*(\d{1,2})\s*[月./-]\s*(?:\d{1,2}\s*日?)?"
_STAMPED = re.compile(
    rf"(?:发布时间|发布日期|印发日期|日期|时间|Published|Date)\s*[:：]?\s*{_DAY}", re.I
)
_SIGNED = re.compile(r"\s*((?:19|20)\d\d)\s*年\s*(\d{1,2})\s*月\s*(?:\d{1,2}\s*日)?(?:\s*印发)?\s*")
# 举办2023年活动，将于9月16日启动; 9月25日，某州2024年活动启动: a day and the year named near it.
_DAYS = (
    re.compile(r"((?:19|20)\d\d)年.{0,80}?(?:将于|将在|定于|拟于)(\d{1,2})月\d{1,2}日"),
    re.compile(
        r"(?=(?<![\d年])\d{1,2}月\d{1,2}日[^。；]{0,30}?((?:19|20)\d\d)年[^。；]{0,30}?(?:启动|举行|开幕|召开))"
        r"(\d{1,2})月"
    ),
)
_NUMBER = re.compile(r"[〔\[（(]((?:19|20)\d\d)[〕\]）)]\s*\d+\s*号")
_REVIEW = re.compile(r"综述|总结|报告|回顾|述评|汇报|通报|情况|成效|review|report", re.I)
_WHOLE_YEAR = re.compile(r"全年|一年来|年内")
_WANTED = re.compile("力争|目标|远景|届时|将|拟|奋斗|纲要|规划|计划")
_PLAN = re.compile(r"规划|方案|计划|纲要|意见|行动|plan|programme", re.I)


@dataclass(frozen=True)
class Paragraph:
    """One paragraph, or one heading: its ``text`` without the line breaks of a page.

    ``lines``: place in ``text`` and number of the line in the file, for each line that was joined.
    """

    text: str
    heading: str
    page: int
    lines: tuple[tuple[int, int], ...]
    is_heading: bool = False

    def line(self, place: int) -> int:
        """Number of the line in the file, from 1, that a place is in."""
        return self.lines[bisect_right([start for start, _ in self.lines], place) - 1][1]


@dataclass(frozen=True)
class Outline:
    """What a document is: ``date`` it speaks from, ``scope`` of what it dates in no other way.

    ``stated``: whether the scope is the document's own (a review of five years, a plan); else it
    ends with the date and has no start.
    """

    paragraphs: list[Paragraph]
    title: str
    title_lines: int
    date: str
    scope: Period
    stated: bool
    paged: bool
    plan: bool


def outline(text: str, date: str = "") -> Outline:
    """Part a text into paragraphs and say of what time it speaks.

    Parameters
    ----------
    text : pages parted by form feeds.
    date : YYYY or YYYY-MM; where empty it is looked for in the text.
    """
    paragraphs = _paragraphs(text)
    title, title_lines = _title(paragraphs)
    opening = "\n".join(p.text for p in paragraphs[title_lines : title_lines + 6])[:_OPENING]
    plan = bool(_PLAN.search(title)) and not _REVIEW.search(title)
    date = date or _date(paragraphs) or (_first(title) if plan else "") or _latest(paragraphs)
    scope = _scope(title, opening, date, plan)
    if scope is None and _WHOLE_YEAR.search(text):
        scope = _year(paragraphs[:4], date)
    stated = scope is not None
    return Outline(
        paragraphs, title, title_lines, date, scope or Period("", date), stated, "\f" in text, plan
    )


def _title(paragraphs: list[Paragraph]) -> tuple[str, int]:
    """The lines a document opens with, up to the first that holds a sentence, and their number."""
    lines: list[str] = []
    for paragraph in paragraphs[:4]:
        if re.search("[。；;]", paragraph.text) or len(paragraph.text) > _LONGEST_TITLE:
            break
        if not (
            _SIGNED.fullmatch(paragraph.text.strip("()（） ")) or _STAMPED.search(paragraph.text)
        ):
            lines.append(paragraph.text)
    if not lines:
        return " ".join(p.text[:_LONGEST_TITLE] for p in paragraphs[:1]), 1
    return " ".join(lines), len(lines)


def _paragraphs(text: str) -> list[Paragraph]:
    lines = _lines(text)
    found: list[Paragraph] = []
    heading, place = "", 0
    while place < len(lines):
        number, page, words = lines[place]
        parts = [(0, number)]
        while (
            place + 1 < len(lines)
            and len(words) < _LONGEST_LINE
            and _goes_on(words, lines[place + 1][2])
        ):
            place += 1
            gap = (
                " "
                if re.search("[A-Za-z,]$", words) and re.match("[A-Za-z]", lines[place][2])
                else ""
            )
            parts.append((len(words) + len(gap), lines[place][0]))
            words += gap + lines[place][2]
        place += 1
        is_heading = len(parts) == 1 and _is_heading(words)
        words = re.sub(r"^#+\s*", "", words) if is_heading else words
        heading = words if is_heading else heading
        found.append(Paragraph(words, heading, page, tuple(parts), is_heading))
    return found


def _lines(text: str) -> list[tuple[int, int, str]]:
    """Number, page and words of each line that is not empty."""
    found, number = [], 0
    for page, part in enumerate(text.split("\f"), 1):
        for line in part.split("\n"):
            number += 1
            for words in re.findall(f".{{1,{_LONGEST_LINE}}}", line.strip()):
                found.append((number, page, words))
    return found


def _goes_on(words: str, following: str) -> bool:
    """Whether a line was broken in the middle of a sentence."""
    if len(words) < _WRAPPED or _ENDS.search(words) or words.startswith("#"):
        return False
    if _NUMBERED.match(following) or (_NUMBERED.match(words) and len(words) <= _LONGEST_HEADING):
        return False
    inside = re.search(r"[，,、]\s*$", words) or re.search("[，。；,;]", words)
    return bool(inside) or len(words) >= _LONGEST_HEADING


def _is_heading(words: str) -> bool:
    return words.startswith("#") or (
        len(words) <= _LONGEST_HEADING
        and not re.search("[。；;，,|]", words)
        and not _ENDS.search(words)
    )


def _date(paragraphs: list[Paragraph]) -> str:
    """The date a document states: stamped, in a byline, signed, in its number; else empty."""
    whole = [p.text.translate(WIDE) for p in paragraphs]
    for line in whole[:15]:
        if found := _STAMPED.search(line):
            return _month(found)
    for line in whole[:8]:  # a byline: 来源：某日报 2021年11月5日
        short = len(line) <= 2 * _LONGEST_HEADING and not re.search("[。；，,]", line)
        if short and (found := re.search(rf"{_DAY}(?<=日)", line)):
            return _month(found)
    for line in reversed(whole[-6:]):
        if found := _SIGNED.fullmatch(line):
            return _month(found)
    for line in whole[:6]:
        if found := _SIGNED.fullmatch(line.strip("()（） ")):
            return _month(found)
    for line in whole[:6]:
        if found := _NUMBER.search(line):
            return found[1]
    return ""


def _first(title: str) -> str:
    """The first year of the span a plan has in its title."""
    spans = [found.period.start for found in periods.find(title) if found.kind == "span"]
    return spans[0] if spans else ""


def _month(found: re.Match[str]) -> str:
    month = int(found[2])
    return f"{found[1]}-{month:02d}" if 1 <= month <= 12 else found[1]


def _latest(paragraphs: list[Paragraph]) -> str:
    """The latest year or month a text tells of; what it plans for, or names, is not counted."""
    seen: list[str] = []
    for line in (paragraph.text.translate(WIDE) for paragraph in paragraphs):
        bare = re.sub(r"《[^》]*》", "", line)
        for found in periods.find(bare):
            told = re.split("[。！!？?]", bare[found.start :])[0]
            if found.kind in ("point", "until", "part", "since") and not _WANTED.search(told):
                # A day that is told of was before the text; until when it counts is its own.
                told_until = found.kind in ("until", "part")
                seen += [end if told_until else end[:4] for end in found.period if end]
        for shape in _DAYS:
            seen += [_month(day) for day in shape.finditer(bare)]
    if not seen:
        return ""
    year = max(end[:4] for end in seen)
    months = [end for end in seen if end.startswith(year) and len(end) > 4]
    return max(months, default=year)


def _scope(title: str, opening: str, date: str, plan: bool) -> Period | None:
    """The years a document is about, by its title, else by how it opens."""
    named = periods.find(title, date)
    spans = [found.period for found in named if found.kind in ("span", "named", "last", "part")]
    if plan:
        if not spans:
            return Period(date, "") if date else None
        # What a plan wants lies between its own date and its last year.
        return Period(max(date[:4], spans[0].start[:4]) if date else spans[0].start, spans[0].end)
    if spans:  # of what is still going on, as far as it has gone
        return Period(
            spans[0].start, date if date and date[:4] <= spans[0].end[:4] else spans[0].end
        )
    if date and (
        found := re.search(
            r"(?<!\d)([二两三四五六七八九十]|\d{1,2})年(?=工作|综述|回顾|成就|来)", title
        )
    ):
        return periods.period(f"近{found[1]}年", date)
    points = [found.period for found in named if found.kind == "point"]
    if points and re.search(rf"{_REVIEW.pattern}|工作", title, re.I):
        return points[0]
    # 五年来，…… at the head of a sentence; 三年来 within one dates that sentence only.
    for found in periods.find(opening, date):
        if found.kind == "last" and re.search(r"[，。；：、,;\s]$|^$", opening[: found.start]):
            return found.period
    return None


def _year(opening: list[Paragraph], date: str) -> Period | None:
    """The year a text opens with, where it tells of a whole year: 2024年，全市各级科协……"""
    for paragraph in opening:
        for found in periods.find(paragraph.text, date):
            lead = paragraph.text[: found.start]
            if (
                found.kind == "point"
                and len(found.period.end) == 4
                and re.search("[，。,]$|^$", lead)
            ):
                return found.period
    return None
