"""Quantities as officials write them: 18.7万人, 640多万人次, 不少于10名, 2.5—3万, 三分之二, 七成.

``parse`` reads one cell or phrase, ``find`` the quantities of a running text, ``measure`` the unit
of a column's header. Words come from tables beside this file: ``measure_words.csv`` (unit and
factor of each measure word, and what has to stand before or after it), ``qualifiers.csv``
(comparators). Periods are read in ``periods.py``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path

from evaluation.base.errors import KepuError

LONGEST = 200  # characters of one cell; a quantity is short
# One sign for each, so that places in the text stay what they are.
WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *map(ord, "．％（）＋～＞＜＝／"))}
WIDE |= {0x3000: " ", 0xA0: " ", ord("〇"): "零", ord("﹪"): "%", ord("〜"): "~"}
# Bounded, so that no text takes long: no figure has more signs.
_ARABIC = (
    r"(?:\d{1,3}(?:[,，]\d{3}){1,8}(?![\d.])|\d{1,3}(?:[,，]\d{3}){1,8}\.\d{1,20}"
    r"|\d{1,24}(?:\.\d{1,20})?)"
)
_CHINESE = r"(?:[零一二两三四五六七八九十百千万亿]{1,24}(?:点[零一二三四五六七八九]{1,12})?)"
NUMERAL = rf"(?:{_ARABIC}|{_CHINESE})"
_SIZES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_ENGLISH = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_SIZE = r"(?:[十百千]?万亿|[十百千]?[万亿]|[百千]|\s(?:thousand|million|billion)\b)"
_DIGIT = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
_CLAUSE = re.compile(r"[，。；;：:！!？?\n]|,(?!\d{3})")
_PLACE = 30  # characters before and after a figure that may tell its unit
# Between two figures: the second is of the first one's kind.
_ALIKE = re.compile(
    r"^[，,]?[^，。；,;]{0,3}[比较][^，。；,;]{0,12}[增减多少升降]"
    r"|^[^，。；,;]{0,6}[，,]?(?:其中|获奖)[^，。；,;]{0,6}$"
)
_FOREIGN = re.compile(r"[0-9A-Za-z.〔\[#+·:/\-]")  # before a number: it is part of another thing
# What is called by a number and counts nothing: slogans in quotation marks, titles of works.
_NAMES = re.compile(
    r"《[^》\n]{1,80}》|[“「\"][^”」\"\n]{1,24}[”」\"]|〔\d{4}〕\d+号|共印\d+份|(?:浏览|阅读|点击|访问)(?:次数|量|数)?[:：]\s?[\d,]+次?(?![\s万亿\d])|\d{4}年\d*月?"
)


class QuantityError(KepuError, ValueError):
    """A cell or phrase that is no quantity (or no period); the message says what and why."""


@dataclass(frozen=True)
class Quantity:
    """A quantity as it was written.

    Attributes
    ----------
    value : exact, in ``unit``; of a range the lower end.
    unit : key of ``units.csv`` (of a few things that have none there a plain word: multiple, mu);
        ``""`` where only a number is written.
    comparator : ``=``, ``>``, ``>=``, ``<=``, ``approx`` or ``nearly``, as in ``facts.csv``; ``<``
        for an upper bound below the number, for which ``facts.csv`` has no comparator.
    roundness : size of the last digit that was printed, in ``unit``: 18.7万 is rounded to 1000.
    upper : upper end of a range, else ``None``.
    """

    value: Decimal
    unit: str
    comparator: str
    roundness: Decimal
    upper: Decimal | None = None


@dataclass(frozen=True)
class Found:
    """A quantity in a running text: ``text[start:end]`` is the ``figure`` as written."""

    start: int
    end: int
    figure: str
    quantity: Quantity
    word: str  # the measure word it has


@dataclass(frozen=True)
class Measure:
    """One row of ``measure_words.csv``; patterns are searched in the clause around a figure."""

    word: str
    unit: str
    factor: Decimal
    numeral: str
    before: re.Pattern[str] | None
    after: re.Pattern[str] | None
    not_after: re.Pattern[str] | None

    def holds(self, before: str, after: str) -> bool:
        """Whether the words around a figure let this row be its unit."""
        if self.not_after and self.not_after.match(after):
            return False
        led = not self.before or self.before.search(before)
        return bool(led and (not self.after or self.after.search(after)))


@cache
def table(name: str) -> list[dict[str, str]]:
    """The rows of a table beside this file, by column."""
    with (Path(__file__).parent / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@cache
def measures() -> dict[str, list[Measure]]:
    """The rows of ``measure_words.csv`` by word, in their order: the first that holds counts."""
    found: dict[str, list[Measure]] = {}
    for row in table("measure_words"):
        before, after, no = (re.compile(row[key]) if row[key] else None
                             for key in ("before", "after", "not_after"))  # fmt: skip
        measure = Measure(row["word"], row["unit"], Decimal(row["factor"]), row["numeral"],
                          before, after, no)  # fmt: skip
        found.setdefault(row["word"].lower(), []).append(measure)
    return found


@cache
def _qualifiers(place: str) -> dict[str, str]:
    rows = [row for row in table("qualifiers") if row["place"] == place]
    return {row["word"]: row["comparator"] for row in sorted(rows, key=lambda r: -len(r["word"]))}


def _any(words: Iterator[str] | list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@cache
def _plain() -> re.Pattern[str]:
    """A number with all that may stand around it; the unit may be missing."""
    found = []
    for word in sorted(
        (word for word in measures() if word and "#" not in word), key=len, reverse=True
    ):
        never = {row.not_after.pattern if row.not_after else "" for row in measures()[word]}
        never_ = never.pop() if len(never) == 1 else ""
        found.append(re.escape(word) + (f"(?!{never_})" if never_ else ""))
    words = "|".join(found)
    return re.compile(
        rf"(?:(?<![线网附临])(?P<pre>{_any(list(_qualifiers('before')))})\s{{0,2}})?"
        + _numeral(1)
        + rf"(?:\s{{0,2}}(?P<word1>{words})?\s{{0,2}}(?:[—–~-]{{1,3}}|至|到)\s{{0,2}}"
        + rf"{_numeral(2)})?"
        + rf"\s?(?:(?P<word>{words})(?:[（(](?:{words}|[、/])+[）)])?)?"
        + rf"(?P<late>{_any(list(_qualifiers('inside')))})?\s?"
        + rf"(?P<post>{_any(list(_qualifiers('after')))})?",
        re.I,
    )


def _numeral(which: int) -> str:
    """A numeral with its sizes: 6.5万余, 200多万; ``which``: of the two ends of a range."""
    inside = _any(list(_qualifiers("inside")))
    return (
        rf"(?P<num{which}>{NUMERAL})(?P<size{which}>{_SIZE})?(?P<rough{which}>{inside})?"
        rf"(?P<more{which}>{_SIZE})?"
    )


@cache
def _shaped() -> list[tuple[Measure, re.Pattern[str]]]:
    """The rows with a place for numerals in the word itself: 第#位, #分之#, #大*人群."""
    found = []
    pre, post = (_any(list(_qualifiers(place))) for place in ("before", "after"))
    inside = _any(list(_qualifiers("inside")))
    for rows in measures().values():
        for row in rows:
            if "#" in row.word:
                word = re.escape(row.word).replace(r"\#", f"({NUMERAL})")
                word = word.replace(r"\*", r"[^，。；、,;“”\d]{0,4}?")
                shape = rf"(?:(?P<pre>{pre})\s{{0,2}})?{word}(?P<late>{inside})?(?P<post>{post})?"
                found.append((row, re.compile(shape)))
    return found


def number(text: str) -> Decimal:
    """The exact value of a numeral, Arabic or Chinese.

    Raises
    ------
    QuantityError : no numeral.

    >>> number("1,234.5"), number("一百二十"), number("两万三千"), number("三点五")
    (Decimal('1234.5'), Decimal('120'), Decimal('23000'), Decimal('3.5'))
    """
    text = text.translate(WIDE)
    if re.fullmatch(_ARABIC, text, re.ASCII):
        return Decimal(re.sub("[,，]", "", text))
    whole, _, part = text.partition("点")
    if not re.fullmatch(_CHINESE, text):
        raise QuantityError(f"{text!r:.60} is no numeral — write digits")
    decimals = "".join(str(_DIGIT[sign]) for sign in part)
    return Decimal(_chinese(whole)) + (Decimal(f"0.{decimals}") if decimals else 0)


def _chinese(text: str) -> int:
    """A whole Chinese numeral: by its largest size, or sign for sign where it has none."""
    for size in ("亿", "万", "千", "百", "十"):
        if size in text:
            head, _, tail = text.rpartition(size)
            rest = tail.removeprefix("零")
            # 三百五 is 350, 三万五 35,000: the size below the last is not said.
            short = len(rest) == 1 and rest in _DIGIT and tail == rest and size != "十"
            ones = _DIGIT[rest] * _SIZES[size] // 10 if short else _chinese(rest) if rest else 0
            return (_chinese(head) if head else 1) * _SIZES[size] + ones
    if any(sign not in _DIGIT for sign in text):
        raise QuantityError(f"{text!r:.60} is no numeral — write digits")
    return int("".join(str(_DIGIT[sign]) for sign in text) or 0)


def _scale(*sizes: str | None) -> Decimal:
    """The product of sizes: 万, 千万, million."""
    value = Decimal(1)
    for size in sizes:
        word = (size or "").strip().lower()
        value *= _ENGLISH.get(word) or 1
        if word not in _ENGLISH:
            for sign in word:
                value *= _SIZES[sign]
    return value


def _step(written: str, value: Decimal, scale: Decimal, exact: bool) -> Decimal:
    """Size of the last digit printed; of a number that is qualified, of the last that is not 0."""
    if re.fullmatch(_ARABIC, written, re.ASCII):
        digits = re.sub("[,，]", "", written)
        step = Decimal(1).scaleb(-len(digits.partition(".")[2]))
    else:
        step, exact = Decimal(1), False
    while not exact and value and step >= 1 and value % (step * 10) == 0:
        step *= 10
    return _tidy(step * scale)


def _comparator(pre: str | None, inside: bool, post: str | None) -> str:
    after = _qualifiers("after").get((post or "").lower(), "")
    before = _qualifiers("before").get((pre or "").lower(), "")
    # 超过100家以上: the stricter word counts; 约100多 stays an approximation.
    return before or (">" if inside and not after else after) or "="


def parse(text: str) -> Quantity:
    """Read a cell or phrase that holds one quantity and nothing else.

    Parameters
    ----------
    text : e.g. ``1.18亿元``, ``640多万人次``, ``≥10名``, ``三分之二``, ``2.5—3万``, ``1,234``.

    Raises
    ------
    QuantityError : empty, longer than ``LONGEST``, no quantity, or more than one.

    >>> found = parse("18.7万人")
    >>> found.value, found.unit, found.comparator, found.roundness
    (Decimal('187000'), 'person', '=', Decimal('1000'))
    """
    cell = text.translate(WIDE).strip().rstrip("。.;；")
    if not cell:
        raise QuantityError("the cell is empty — write a number, or leave the row out")
    if len(cell) > LONGEST:
        raise QuantityError(f"{cell[:30]!r}… is longer than {LONGEST} characters — write a number")
    lead = re.match(r"(?:共计|总计|合计|累计|共|计|达到|达|为|:|：)?\s*", cell).end()
    sign = re.match(r"[-−](?=\d)", cell[lead:])
    start = lead + (sign.end() if sign else 0)
    for row, shape in _shaped():
        if (found := shape.fullmatch(cell, start)) and not sign:
            return _of_shape(row, found)
    found = _plain().fullmatch(cell, start)
    if not found or not found["num1"]:
        raise QuantityError(f"{cell!r:.60} is not understood as a quantity — {_advice(cell)}")
    quantity = _of_plain(found, _unit_of(found, cell, "parse"))
    if quantity.unit == "year" and 1900 <= quantity.value <= 2100:
        raise QuantityError(f"{cell!r:.60} is a year and no quantity — write it as a period")
    if not sign:
        return quantity
    if quantity.upper is not None:
        raise QuantityError(f"{cell!r:.60} is a range below nought — write its ends in two cells")
    return Quantity(-quantity.value, quantity.unit, quantity.comparator, quantity.roundness)


def _advice(cell: str) -> str:
    found = _plain().search(cell)
    if not re.search(NUMERAL, cell) or not found:
        return "there is no number in it; write one, or leave the cell empty"
    rest = (cell[: found.start()] + "…" + cell[found.end() :]).strip("… ")
    return f"write the number and its unit alone; not understood: {rest!r:.40}"


def measure(text: str) -> tuple[str, Decimal]:
    """Unit and factor of a measure word as a header states it: 万人, 亿元, 场次, %.

    Raises
    ------
    QuantityError : no measure word that is known.

    >>> measure("万人次")
    ('person_time', Decimal('10000'))
    """
    word = text.translate(WIDE).strip().strip("()").strip()
    for whole in (word, word.lower()):
        head = re.match(_SIZE + "?", whole)
        for cut in (0, head.end() if head else 0):
            rows = measures().get(whole[cut:].strip().lower(), [])
            row = next((row for row in rows if not row.before and not row.after), None)
            if row and "#" not in row.word:
                return row.unit, row.factor * _scale(whole[:cut])
    raise QuantityError(f"{text!r:.60} is no measure word of measure_words.csv — state the unit")


def _around(found: re.Match[str], text: str) -> tuple[str, str]:
    """What stands in the same clause before and after a figure."""
    before = text[max(0, found.start() - _PLACE) : found.start()]
    return _CLAUSE.split(before)[-1], _CLAUSE.split(text[found.end() : found.end() + _PLACE])[0]


def _unit_of(found: re.Match[str], text: str, mode: str) -> Measure | None:
    """The row of the measure word, by the clause around; ``None`` where none holds."""
    if not (word := found["word"] or found["word1"]):
        return None
    before, after = _around(found, text)
    rows = measures()[word.lower()]
    if mode == "parse":
        return next((r for r in rows if r.holds(text[: found.start()], "")), rows[-1])
    # 每年 where it was said earlier in a sentence: 每年举办培训班60期，惠及老年人3000人次.
    sentence = re.split("[。；;!！\n]", text[: found.start()][-3 * _PLACE :])[-1]
    yearly = next((word for word in _qualifiers("yearly") if word in sentence), "")
    for row in rows:
        led = yearly + before if row.unit.endswith("_per_year") else before
        if row.holds(led, after) and _allowed(row, found, mode):
            return row
    return None


def _allowed(row: Measure, found: re.Match[str], mode: str) -> bool:
    """Whether a numeral may count with a word: 五年 and 三个方面 are mostly no figures.

    A Chinese numeral of one sign counts with words that count things and persons (``any``), that of
    several signs with all; 一 and a bare 百, 千, 万 (百名专家) never, unless they are qualified.
    """
    written = found["num1"]
    if row.numeral == "duration":
        return mode == "durations" and number(written) <= 100
    if re.match(r"\d", written):
        return True
    if re.fullmatch("[一十百千万亿]|[零一]+", written) and not re.fullmatch("[十]", written):
        return bool(found["rough1"] or found["pre"] in ("近", "约", "上", "超", "逾", "超过"))
    return row.numeral == "any" or (row.numeral == "digits" and len(written) > 1)


def _of_plain(found: re.Match[str], row: Measure | None) -> Quantity:
    factor = row.factor if row else Decimal(1)
    first, second = number(found["num1"]), found["num2"]
    last = _scale(found["size2"], found["more2"])
    scale = _scale(found["size1"], found["more1"])
    if second and scale == 1 and not found["word1"]:
        scale = last  # 2.5—3万: the size belongs to both ends
    rough = any(found[name] for name in ("rough1", "rough2", "late"))
    comparator = _comparator(found["pre"], rough, found["post"])
    upper = None
    if second:
        upper = number(second) * last * factor
        comparator = ">=" if comparator == "=" else comparator
        if upper <= first * scale * factor:
            raise QuantityError(f"{found[0]!r:.60} is a range from high to low — write it rising")
    step = _step(found["num1"], first, scale * factor, exact=comparator == "=")
    unit = row.unit if row else ""
    return Quantity(_tidy(first * scale * factor), unit, comparator, step, upper and _tidy(upper))


def _tidy(value: Decimal) -> Decimal:
    """A decimal without needless noughts or exponent: 187000, not 1.870E+5."""
    return value.quantize(Decimal(1)) if value == value.to_integral() else value.normalize()


def _of_shape(row: Measure, found: re.Match[str]) -> Quantity:
    numerals = [part for part in found.groups() if part and re.fullmatch(NUMERAL, part)]
    values = [number(part) for part in numerals] or [Decimal(1)]
    value = values[0]
    if "分之#" in row.word and row.word.startswith("#"):
        if not values[0]:
            raise QuantityError(f"{found[0]!r} divides by nought — correct it")
        value = (values[1] * row.factor / values[0]).quantize(Decimal("1.0000"))
    elif len(values) == 2:
        value = values[1] - values[0] + 1  # 第19届至23届: five editions
    else:
        value *= row.factor
    if value <= 0:
        raise QuantityError(f"{found[0]!r} runs from high to low — correct it")
    comparator = _comparator(found["pre"], bool(found["late"]), found["post"])
    if row.word.startswith("前"):
        comparator = "<="  # 前5位 says no more than that the rank is among the first
    whole = len(values) == 2 or not numerals
    step = Decimal("0.0001") if "分之#" in row.word and whole else Decimal(1)
    step = step if whole else _step(numerals[0], values[0], row.factor, exact=True)
    return Quantity(_tidy(value), row.unit, comparator, step)


@cache
def structures() -> frozenset[str]:
    """Words that count the parts of a plan or a system, said again and again: #大*人群."""
    return frozenset(row.word for rows in measures().values() for row in rows
                     if row.numeral in ("chinese", "duration"))  # fmt: skip


def find(text: str, durations: bool = False) -> list[Found]:
    """The quantities of a running text, in their order; dates, slogans and names are none.

    ``durations``: whether years count (五年工作综述 in a title); elsewhere they are periods.

    >>> [found.figure for found in find("2021年以来，举办活动7600多场次，“五大人群”受益，居第4位")]
    ['7600多场次', '五大人群', '第4位']
    """
    plain = text.translate(WIDE)
    names = [found.span() for found in _NAMES.finditer(plain)]
    taken: list[Found] = []
    for found in (*_find_shaped(plain), *_find_plain(plain, names, durations)):
        if not any(found.start < other.end and other.start < found.end for other in taken):
            taken.append(found)
    return sorted((Found(f.start, f.end, text[f.start : f.end], f.quantity, f.word)
                   for f in taken), key=lambda found: found.start)  # fmt: skip


def _find_shaped(text: str) -> Iterator[Found]:
    titles = [found.span() for found in re.finditer(r"《[^》\n]{1,80}》", text)]
    for row, shape in _shaped():
        for found in shape.finditer(text):
            before, after = _around(found, text)
            if any(start <= found.start() < end for start, end in titles):
                continue
            if not row.holds(before, after):
                continue
            if row.numeral == "chinese" and not re.search("[二两三四五六七八九十]", found[2]):
                continue
            if before.endswith(("第", "党的")) or _FOREIGN.search(before[-1:]):
                continue
            try:
                quantity = _of_shape(row, found)
            except QuantityError:
                continue  # numerals of a text that are no quantity: 第5届至3届
            yield Found(found.start(), found.end(), found[0], quantity, row.word)


def _find_plain(text: str, names: list[tuple[int, int]], durations: bool) -> Iterator[Found]:
    last: tuple[int, Measure] | None = None
    for found in _plain().finditer(text):
        begin = found.start("num1")
        if not found["num1"] or any(start <= begin < end for start, end in names):
            continue
        lead = text[max(0, found.start() - 1) : found.start()]
        per = lead == "每" and "." not in found["num1"]  # 每百万人 is none, 每82.6万人 is one
        if lead and (lead == "第" or per or _FOREIGN.match(lead)) and found.start() == begin:
            continue
        row = _unit_of(found, text, "durations" if durations else "find")
        if row is None and not (row := _told_before(found, text)):
            continue
        if last and row.word == last[1].word:
            between, earlier = text[last[0] : found.start()], last[1]
            per_head = earlier.unit == "yuan_per_person" and not found["size1"]
            # Of an earlier one's kind: 每万人14.6人，比上年增加0.4人.
            if _ALIKE.search(between) or (per_head and "。" not in between):
                row = earlier
        last = (found.end(), row)
        try:
            quantity = _of_plain(found, row)
        except QuantityError:
            continue  # two numbers beside a dash that are no range
        if quantity.comparator == "=" and (bound := _bound(_around(found, text)[0])):
            quantity = replace(quantity, comparator=bound)
        end = found.start() + len(found[0].rstrip())
        yield Found(found.start(), end, found[0].strip(), quantity, row.word)


def _bound(before: str) -> str:
    """The comparator a verb parts from its figure: 至少建成2个."""
    bounds = _any([word for word, sign in _qualifiers("before").items() if sign == ">="])
    found = re.search(rf"({bounds})[^\d，、]{{1,4}}$", before)
    return _qualifiers("before")[found[1]] if found else ""


def _told_before(found: re.Match[str], text: str) -> Measure | None:
    """The unit of a number of many that has no measure word: 常住人口30万以上, 人次达996.69万."""
    if found["word"] or found["word1"] or not (found["size1"] or found["more1"]):
        return None
    before, after = _around(found, text)
    return next((row for row in measures()[""] if row.holds(before[-8:], after)), None)
