"""A document's text as paragraphs under headings, its date, and the period of each of its figures.

A figure has the period its sentence names, before it if possible; else the one its paragraph opens
with; else that of the heading it stands under; else the document's.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from evaluation.data.office import periods, quantities
from evaluation.data.office.periods import FoundPeriod, Period
from evaluation.data.office.quantities import WIDE, Found

_ENDS = re.compile(r"[。！？!?…：:；;|】]\s*$|[。！？!?…][”」）)]\s*$")
SENTENCE = re.compile(r"[。！!？?\n]")
CLAUSE = re.compile(r"[，；;：:。！!？?\n]|,(?!\d{3})")
_HAN = "[一二三四五六七八九十]+"
_LEVELS = (
    rf"#+\s|第?{_HAN}[、章节编部]",
    rf"[（(]{_HAN}[）)]|{_HAN}是",
    r"\d{1,2}[.、．]\s?(?!\d)",
)
_NUMBERED = re.compile(rf"\s*(?:{'|'.join(_LEVELS)})")
_LONGEST_HEADING, _LONGEST_TITLE = 40, 90
_LEAD_IN = 6  # characters before a period that still opens its sentence: 据统计，今年上半年
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
_ISO = re.compile(r"((?:19|20)\d\d)[-/.](\d{1,2})[-/.]\d{1,2}(?!\d)")
_HAN_DATE = re.compile(
    rf"(?P<y>[一二][零一二三四五六七八九]{{3}})年(?:(?P<m>{_HAN})月)?(?:(?P<d>{_HAN})日)?"
)
_NUMBER = re.compile(r"[〔\[（(]((?:19|20)\d\d)[〕\]）)]\s*\d+\s*号")
_REVIEW = re.compile(
    r"综述|总结|报告|回顾|述评|汇报|通报|情况|成效|公报|年报|统计|考核|一览|清单|review|report",
    re.I,
)
_WHOLE_YEAR = re.compile(r"全年|一年来|年内")
_LEADS = frozenset(["point", "part", "span", "named", "last", "since"])
_COMPARED = re.compile(r"[较比与同]\s*$")
_TIMES = re.compile(r"的?\d[\d.]*倍")  # 是2015年的2.3倍
_COMING = re.compile(r"即将|将于|拟于|筹备")
_YEARLY = "_per_year"
_STOCK = re.compile(r"累计|共有|现有|已有|已建成|已建|拥有|目前")
_TOTAL = re.compile(r"(?:累计|总数|总量)(?:已|现)?(?:达到|达|有|为|建成|建有|增至|增加到|突破)")
_STOCKED = frozenset(
    ["count", "school", "team", "person", "vehicle", "set", "level", "piece", "sqm"]
)
_FLOW = re.compile(
    r"[，,；;][^，,；;]*(?:新增|新建|新认定|开展|举办|(?<!服务)组织(?!\d)|培训|接待|投入|争取|发放|推广)"
    r"|[，,；;][^，,；;]*(?:推送|完成|获)|[；;][^；;]*建成"
)
_CHANGED = re.compile(
    "(?:增长|增加|提高|提升|上升|扩大|下降|减少|降低|缩小|前移|多出|净增|净减)(?!到|至)|[增降]幅|增速"
)
_YEAR_BEFORE = re.compile("同比")
_FROM = re.compile(r"[由从]$")
_TO = re.compile(r"(?:增|升|提高|增长|增加|提升|扩大|上升|下降|减少|发展|降)(?:到|至)了?$")
_WANTED = re.compile("力争|目标|远景|届时|将|拟|奋斗|纲要|规划|计划")
_AHEAD = re.compile("下一?步|打算|展望|(?:工作|重点)(?:计划|安排|思路|要点|任务)|努力方向")
_BEHIND = re.compile("基础|现状|回顾|成效|背景")
_PLAN = re.compile(r"规划|方案|计划|纲要|意见|要点|plan|programme", re.I)
_BACK = re.compile("综述|回顾|巡礼|纪实|述评|成就|以来")
_EVENT = re.compile("活动|大赛|竞赛|论坛|启动|举行|举办|开幕|闭幕|落幕|开展|走进")


@dataclass(frozen=True)
class Scope:
    """Of what time a part of a document speaks where it names none.

    ``stated``: whether the document says so itself; else the period has no start and ends with the
    date. ``today``: from where 今年 and 目前 are said. ``plan``: whether it says what is wanted.
    """

    period: Period
    stated: bool
    today: str
    plan: bool

    @property
    def year(self) -> str:
        """The one year it is about, else that of the day it is said from."""
        start, end = self.period
        one = self.stated and start[:4] == end[:4]
        return end[:4] if one else self.today[:4]


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
    scope: Scope = Scope(Period("", ""), False, "", False)

    def line(self, place: int) -> int:
        """Number of the line in the file, from 1, that a place is in."""
        return self.lines[bisect_right([start for start, _ in self.lines], place) - 1][1]


@dataclass(frozen=True)
class Outline:
    """What a document is: ``date`` it speaks from, ``scope`` of what it dates in no other way.

    ``scope``: a review's years, a plan's; else it ends with the date and has no start.
    """

    paragraphs: list[Paragraph]
    title: str
    title_lines: int
    date: str
    scope: Period
    paged: bool


def outline(text: str, date: str = "") -> Outline:
    """Part a text into paragraphs and say of what time it speaks.

    Parameters
    ----------
    text : pages parted by form feeds.
    date : YYYY or YYYY-MM; where empty it is looked for in the text.
    """
    paragraphs = _paragraphs(text)
    title, title_lines = _title(paragraphs)
    plan = bool(_PLAN.search(title)) and not _REVIEW.search(title)
    date = date or _date(paragraphs) or (_first(title) if plan else "") or _latest(paragraphs)
    period = _scope(title, _opening(paragraphs[title_lines : title_lines + 6]), date, plan)
    if plan and period is None:
        period = _target(paragraphs, date)
    elif period is None and _WHOLE_YEAR.search(text):
        period = _year(paragraphs[:4], date)
    scope = _said_from(Scope(period or Period("", date), period is not None, date, plan))
    paragraphs = list(_scoped(paragraphs, title_lines, scope))
    return Outline(paragraphs, title, title_lines, date, scope.period, "\f" in text)


def _opening(paragraphs: list[Paragraph]) -> str:
    """What stands before the first heading, as far as it may say what years a text is about."""
    first = next((n for n, each in enumerate(paragraphs) if each.is_heading), len(paragraphs))
    return "\n".join(each.text for each in paragraphs[:first])[:_OPENING]


def _said_from(scope: Scope) -> Scope:
    """A scope whose 今年 is the one year it is about: a summary of 2022 may be signed in 2023."""
    other = scope.today and scope.year != scope.today[:4]
    return replace(scope, today=scope.year) if other else scope


def _scoped(paragraphs: list[Paragraph], first: int, whole: Scope) -> Iterator[Paragraph]:
    """Each paragraph with the scope of the heading it is under, or of what leads a list in."""
    levels: dict[int, Scope] = {}
    for place, paragraph in enumerate(paragraphs):
        scope = levels[max(levels)] if levels else whole
        if place >= first and paragraph.is_heading:
            level = _level(paragraph.text)
            levels = {other: scope for other, scope in levels.items() if other < level}
            if own := _of_heading(paragraph.text, whole):
                levels[level] = own
            scope = levels[max(levels)] if levels else whole
        paragraph = replace(paragraph, scope=scope)
        yield paragraph
        leads = place >= first and paragraph.text.endswith(("：", ":")) and not scope.stated
        if leads and (led := _lead(paragraph, dated(paragraph))):
            levels[len(_LEVELS)] = _said_from(replace(scope, period=led.period, stated=True))


def _level(heading: str) -> int:
    shapes = (re.match(rf"\s*(?:{shape})", heading) for shape in _LEVELS)
    return next((level for level, found in enumerate(shapes) if found), 0)


def _of_heading(heading: str, whole: Scope) -> Scope | None:
    """What time a heading names: 三、2024年工作打算, 下一步打算, a plan's 工作基础."""
    ahead, behind = _AHEAD.search(heading), _BEHIND.search(heading)
    named = [one for one in periods.find(heading, whole.today) if one.kind in _LEADS | {"whole"}]
    if named and not whole.plan:
        plan = bool(ahead) and named[0].period.end[:4] >= whole.today[:4]
        return _said_from(replace(whole, period=named[0].period, stated=True, plan=plan))
    one_year = whole.stated and whole.period.start[:4] == whole.period.end[:4]
    if ahead and one_year and not whole.plan:
        year = str(int(whole.year) + 1)
        return replace(whole, period=Period(year, year), plan=True, today=year)
    if behind and not ahead and whole.plan:
        return replace(whole, period=Period("", whole.today), stated=False, plan=False)
    return None


def bounds(text: str, found: Found, ends: re.Pattern[str]) -> tuple[int, int]:
    """Where the sentence or clause a figure is in starts and ends."""
    starts = [end.end() for end in ends.finditer(text, 0, found.start)]
    after = ends.search(text, found.end)
    return (starts[-1] if starts else 0), (after.start() if after else len(text))


def dated(paragraph: Paragraph) -> list[FoundPeriod]:
    """The periods of a paragraph without those in titles of works."""
    works = [found.span() for found in re.finditer(r"《[^》]*》", paragraph.text)]
    return [one for one in periods.find(paragraph.text, paragraph.scope.today)
            if not any(a <= one.start < b for a, b in works)]  # fmt: skip


def period_of(paragraph: Paragraph, found: Found, near: list[FoundPeriod]) -> Period:
    """The period of a figure; ``near``: those its paragraph names, see :func:`dated`."""
    text, scope, unit = paragraph.text, paragraph.scope, found.quantity.unit
    first, last = bounds(text, found, SENTENCE)
    if text[first:].lstrip().startswith("其中"):  # goes on with what was said
        first = max(text.rfind(end, 0, max(first - 1, 0)) for end in "。！？!?\n") + 1
    start, _ = bounds(text, found, CLAUSE)
    compared = [one for one in near if _COMPARED.search(text[: one.start])
                or _TIMES.match(text, one.end)]  # fmt: skip
    told = [one for one in near if one not in compared and one.start < found.start]
    before = [one for one in told if first <= one.start]
    other = [one for one in compared if one.end <= found.start]
    level = unit not in ("percentage_point", "multiple")
    if level and other and text[other[-1].end : found.start].strip() in ("", "的", "（", "("):
        return other[-1].period  # 比2018年的7.63%提高: the figure of the other year
    lead = _lead(paragraph, told)
    coming = (before or told)[-1:] and (before or told)[-1].period.end[:4] > scope.today[:4]
    if unit.endswith(_YEARLY) and not scope.plan and not coming:
        return Period(scope.year, scope.year)
    if change := _change(paragraph, found, before, compared):
        return change
    before = [one for one in before if _reaches(text, one, found)]
    if unit == "ordinal" and _COMING.search(text[first:last]):
        return Period(scope.year, scope.year)
    if unit in _STOCKED and not scope.plan and _TOTAL.search(text[start : found.start]):
        return Period("", scope.today)
    if before and not _between(text, before[-1], found):
        return _one_of(text[start : found.start], text[found.end :], before[-1].period) or _said(
            before[-1], scope, lead
        )
    if after := _named_after(text, found, near, compared):
        return after.period
    if found.word in quantities.structures() and not scope.stated:
        return Period(scope.year, scope.year)
    return _said(lead, scope, None) if lead else scope.period


def _lead(paragraph: Paragraph, near: list[FoundPeriod]) -> FoundPeriod | None:
    """The period a paragraph opens with, behind its number and inline heading.

    That of a survey's share (2023年，公民具备科学素质的比例达9.87%。) dates its own sentence only.
    """
    if not near or near[0].kind not in _LEADS:
        return None
    text, one = paragraph.text, near[0]
    opens = rf"\W*(?:(?:{'|'.join(_LEVELS)})[^。]{{0,{_LONGEST_HEADING}}}。)?\W{{0,2}}"
    sentence = SENTENCE.split(text[one.end :])[0]
    survey = one.kind == "point" and "科学素质的比例" in sentence.replace(
        "科学素质比例", "科学素质的比例"
    )
    return one if re.fullmatch(opens, text[: one.start]) and not survey else None


def _reaches(text: str, one: FoundPeriod, found: Found) -> bool:
    """Whether a period holds in later clauses: that of 获2021年示范项目；培训500人 does not."""
    between = text[one.end : found.start]
    if one.kind == "now":  # 目前有科普员1976人；举办活动55项
        return not _FLOW.search(between)
    if one.kind not in ("point", "part") or found.start - one.end <= 1:
        return True
    if between.startswith("的") or "每年" in between:
        return False  # 从2018年的640人发展到5100余人: of that year is the first figure only
    opens = len(SENTENCE.split(text[: one.start])[-1].strip()) <= _LEAD_IN
    lead = CLAUSE.split(text[: one.start])[-1]
    if re.search("[；;]", between):
        return opens
    return len(lead.strip()) <= 2 or not CLAUSE.search(text, one.end, found.start)


def _between(text: str, period: FoundPeriod, found: Found) -> bool:
    """Whether a stock in a part of its own follows what was since a year: 2021年以来…；累计…."""
    parts = re.split("[；;]", text[period.end : found.start])
    return period.kind in ("since", "point") and any(_STOCK.search(part) for part in parts[1:])


def _one_of(clause: str, after: str, span: Period) -> Period | None:
    """The year of a span that a figure has by its place: 分别为8万、9万, 由2元增至3元."""
    if not span.start or len(span.start + span.end) != 8 or span.start == span.end:
        return None
    if _FROM.search(clause) or _TO.search(clause):
        year = span.start if _FROM.search(clause) else span.end
        return Period(year, year)
    listed = clause.partition("分别")[2]
    place = len(re.findall("[、和]", listed))
    all_ = 1 + place + len(re.findall("[、和]", CLAUSE.split(after)[0]))
    if not listed or all_ != int(span.end) - int(span.start) + 1:
        return None
    year = str(int(span.start) + place)
    return Period(year, year)


def _said(one: FoundPeriod, scope: Scope, lead: FoundPeriod | None) -> Period:
    if one.kind == "whole":  # 全年: the year that is spoken of
        year = scope.year
        if lead and lead.period.start[:4] == lead.period.end[:4]:
            year = lead.period.end[:4]
        return Period(year, year)
    if one.kind == "last" and scope.stated and _years(one.period) == _years(scope.period):
        return scope.period  # 五年来 in a review of five years
    if one.kind == "by" and scope.stated and not scope.plan and one.period.end == scope.year:
        return one.period  # 至2024年末 in a review of 2024
    if one.kind == "by" and scope.today and scope.today[:4] <= one.period.end[:4]:
        return Period(scope.today[:4], one.period.end)  # a target: from now to then
    return one.period


def _years(span: Period) -> int:
    return int(span.end[:4] or 0) - int(span.start[:4] or 0)


def _change(
    paragraph: Paragraph, found: Found, before: list[FoundPeriod], compared: list[FoundPeriod]
) -> Period | None:
    """From which year to which something has changed: 2022年达到10%，较2020年提高了1个百分点."""
    text, scope = paragraph.text, paragraph.scope
    start, _ = bounds(text, found, CLAUSE)
    points = found.quantity.unit == "percentage_point"
    part = max(text.rfind(sign, 0, found.start) for sign in "。；;") + 1
    clause = text[start : found.start]
    changed = _CHANGED.search(clause) and "年均" not in clause
    if not (points or changed) or found.quantity.unit in ("rank", "ordinal"):
        return None
    since = [
        one.period.start
        for one in compared
        if (start if points else part) <= one.start < found.start
    ]
    if before and before[-1].kind in ("last", "span", "named") and before[-1].start >= start:
        return None  # 五年间提高了5个百分点
    if points and not since:
        since = [one.period.start for one in before[:-1]]
    end = before[-1].period.end if before else ""
    end = end or (scope.period.end if scope.stated else scope.today)
    yearly = _YEAR_BEFORE.search(text[part : found.start]) or (
        found.quantity.unit == "percent" and scope.stated and scope.year == end and not scope.plan
    )
    if changed and not since and len(end) == 4 and yearly:
        since = [str(int(end) - 1)]
    if not since or not since[-1] or not end:
        return None
    end = end[:4] if len(since[-1]) == 4 else end
    return Period(since[-1], end) if since[-1][:4] <= end[:4] else None


def _named_after(
    text: str, found: Found, near: list[FoundPeriod], compared: list[FoundPeriod]
) -> FoundPeriod | None:
    """A year named after a figure in its own clause: 20个部门举办2023年科普日活动."""
    ends = SENTENCE if found.quantity.unit == "ordinal" else CLAUSE
    _, last = bounds(text, found, ends)
    after = [one for one in near if found.end <= one.start < last and one not in compared]
    return next((one for one in after if one.kind in ("point", "span", "named")), None)


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
    inside = "[。；;|]|[，,].*\\d" if _NUMBERED.match(words) else "[。；;，,|]"
    return words.startswith("#") or (
        len(words) <= _LONGEST_HEADING
        and not re.search(inside, words)
        and not _SIGNED.fullmatch(words.strip("()（） "))
        and not _ENDS.search(words)
    )


def _date(paragraphs: list[Paragraph]) -> str:
    """The date a document states: stamped, in a byline, signed, in its number; else empty."""
    whole = [_HAN_DATE.sub(_digits, p.text.translate(WIDE)) for p in paragraphs]
    for line in whole[:15]:
        if found := _STAMPED.search(line):
            return _month(found)
    for line in whole[:8]:  # a byline: 来源：某日报 2021年11月5日
        short = len(line) <= 2 * _LONGEST_HEADING and not re.search("[。；，,]", line)
        if short and (found := re.search(rf"{_DAY}(?<=日)", line) or _ISO.search(line)):
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


def _digits(found: re.Match[str]) -> str:
    """二零二五年一月 as 2025年1月."""
    return "".join(f"{quantities.number(found[name])}{sign}"
                   for name, sign in zip("ymd", "年月日", strict=True) if found[name])  # fmt: skip


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
    points = [found.period for found in named if found.kind == "point"]
    if plan:
        if not spans:
            return points[0] if points else None
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
    if points and re.search(rf"{_REVIEW.pattern}|工作", title, re.I):
        return points[0]
    return _opened(title, opening, date, bool(points))


def _opened(title: str, opening: str, date: str, event: bool) -> Period | None:
    """The time a text opens with: of a review, a tour or an event it tells of.

    五年来，…… heads a sentence; 三年来 within one dates that sentence only.
    """
    for found in periods.find(opening, date):
        lead, one = opening[: found.start], found.period
        heads = re.search(r"[。：\s]$|^$", lead)
        if (found.kind == "last" and heads) or (found.kind == "part" and not lead):
            return one
        if found.kind == "since" and heads and _BACK.search(title):
            return one
        if event and _EVENT.search(title) and found.kind == "point" and one.end == date[:7]:
            return one
    return None


def _target(paragraphs: list[Paragraph], date: str) -> Period | None:
    """From the date of a plan to the first year by which it wants something: 到2025年."""
    for paragraph in paragraphs:
        for found in periods.find(paragraph.text, date):
            if found.kind == "by" and found.period.end[:4] >= date[:4]:
                return Period(date[:4], found.period.end)
    return Period(date, "") if date else None


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
