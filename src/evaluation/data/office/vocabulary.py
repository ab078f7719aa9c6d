"""What an office's words mean: indicators, units, periods and regions by all their names.

The words are tables beside this file and those of the package; a name that fits two things fits
none, and what is only similar is a suggestion and never taken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, lru_cache

import pandas as pd
from rapidfuzz import fuzz, process

from evaluation.data.office import periods, quantities
from evaluation.data.office.periods import Period
from evaluation.data.office.quantities import QuantityError, table

ALIKE = 70.0  # of 100: what is less similar is not even suggested
PUNCTUATION = re.compile(r"[\s_·•,，。、:：;；'\"“”‘’《》<>!！?？*#|]+")
BRACKETS = re.compile(r"[(\[【〔（]([^()\[\]【】〔〕（）]*)[)\]】〕）]")
UNIT_AFTER = re.compile(r"(?:计量)?(?:单位|unit)\s*[:：]\s*([^\s,，;；)）]+)", re.I)
SPAN = re.compile(r"(?<!\d)((?:19|20)\d\d)年?\s*[-—–~至到]+\s*((?:19|20)\d\d)年?(?!\d)")
DATED = re.compile(
    r"(?<!\d)((?:19|20)\d\d)(?:\s*[-/.年]\s*(1[0-2]|0?[1-9])(?!\d)(?:\s*[-/.月]\s*"
    r"(?:3[01]|[12]\d|0?[1-9])(?!\d)日?)?月?)?(?:年(?:末|底|度|初)?|末|底)?(?!\d)"
)
DIGITS = re.compile(r"\d")


@cache
def words(kind: str) -> frozenset[str]:
    """Normal forms of the words of one kind (``words.csv``)."""
    return frozenset(normal(row["word"]) for row in table("words") if row["kind"] == kind)


@lru_cache(200_000)
def normal(text: str) -> str:
    """The form in which names are compared: width, case, spaces and punctuation do not count.

    >>> normal("科普 信息员（人）"), normal("Sample-Size")
    ('科普信息员(人)', 'sample-size')
    """
    return PUNCTUATION.sub("", unicodedata.normalize("NFKC", text).casefold())


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no figure."""
    return not text or unicodedata.normalize("NFKC", text).casefold() in _missing()


@cache
def _missing() -> frozenset[str]:
    rows = [row["word"] for row in table("words") if row["kind"] == "missing"]
    return frozenset(unicodedata.normalize("NFKC", word).casefold() for word in rows)


def _bare(text: str) -> str:
    """A normal form without what says nothing: number of, annual, 数量."""
    for kind, cut in (("prefix", str.removeprefix), ("suffix", str.removesuffix)):
        for word in sorted(words(kind), key=len, reverse=True):
            if text != word and cut(text, word) != text:
                text = cut(text, word)
                break
    return text


# ------------------------------------------------------------------------------------------
# Units.


@dataclass(frozen=True)
class Unit:
    """A unit as an office writes it: ``factor`` of the unit ``base``, or of one of ``also``."""

    word: str
    base: str
    factor: Decimal
    also: frozenset[str] = frozenset()


class Units:
    """Units by their words, and those of a package."""

    def __init__(self, units: pd.DataFrame):
        self._package = {
            row["unit"]: (row["base_unit"], Decimal(str(row["factor"]).removesuffix(".0")))
            for row in units.to_dict("records")
        }
        counted = units.get("countable", pd.Series("", units.index)).astype(str).str.lower()
        self._counted = set(units.loc[counted == "true", "unit"])
        self._words: dict[str, Unit | None] = {}
        for row in units.to_dict("records"):
            base, factor = self._package[row["unit"]]
            both = f"{row['label_zh']} / {row['label_en']}"
            for word in (row["label_zh"], row["label_en"], both):
                self._words[_unit_form(word)] = Unit(word, base, factor)
        for row in table("unit_words"):
            also = frozenset(filter(None, row["also"].split(";")))
            unit = Unit(row["word"], row["unit"], Decimal(row["factor"]), also)
            self._words[_unit_form(row["word"])] = unit

    def word(self, text: str) -> Unit | None:
        """The unit a word stands for, ``None`` where it is none."""
        form = _unit_form(text)
        if form not in self._words:  # a measure word with its size, as 百万册
            try:
                unit, factor = quantities.measure(text)
            except QuantityError:
                unit, factor = "", Decimal(1)
            known = unit in self._package
            self._words[form] = self.unit(unit, text, factor) if known else None
        return self._words[form]

    def unit(self, key: str, word: str, factor: Decimal = Decimal(1)) -> Unit:
        """A unit of the package as one that was written, in ``factor`` of it."""
        base, own = self._package[key]
        same = (unit for unit in self._words.values() if unit and unit.base == base)
        also = next((unit.also for unit in same if unit.factor == 1), frozenset())
        return Unit(word, base, factor * own, also)

    def knows(self, key: str) -> bool:
        """Whether the package or the standard list has a unit of this key."""
        return key in self._package

    def factor(self, unit: Unit, target: str) -> Decimal | None:
        """What a value in ``unit`` is multiplied by to be in the package's unit ``target``.

        ``None`` where the two measure different things.
        """
        base, factor = self._package[target]
        fits = (
            base == unit.base or base in unit.also or ("*" in unit.also and base in self._counted)
        )
        return unit.factor / factor if fits else None

    def is_counted(self, target: str) -> bool:
        """Whether a unit of the package counts whole things, one by one."""
        return target in self._counted

    def is_scaled(self, target: str) -> bool:
        """Whether a unit of the package counts in thousands or more of its base."""
        return self._package[target][1] != 1


def _unit_form(text: str) -> str:
    form = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", form).strip().replace(",", "")


def split_unit(text: str, units: Units) -> tuple[str, Unit | None]:
    """A header without its unit, and the unit: in brackets, or after 单位： or unit:."""
    if (match := UNIT_AFTER.search(text)) and (unit := units.word(match[1])):
        return (text[: match.start()] + text[match.end() :]).strip("()（） "), unit
    for match in BRACKETS.finditer(text):
        inner = re.sub(r"^(?:单位|unit)\s*[:：]?\s*", "", match[1].strip(), flags=re.I)
        if unit := units.word(inner):
            return (text[: match.start()] + text[match.end() :]).strip(), unit
    for sign in ("/", ",", "，"):
        head, _, tail = text.rpartition(sign)
        if head and (unit := units.word(tail.strip())):
            return head.strip(), unit
    if text.endswith(("%", "％")) and len(text) > 1:
        return text[:-1].strip(), units.word("%")
    return text, None


# ------------------------------------------------------------------------------------------
# Periods as written.


def split_period(text: str) -> tuple[str, Period | None]:
    """A text without its year, and the period; two different periods are none.

    >>> split_period("2018年末常住人口")
    ('常住人口', Period(start='2018', end='2018'))
    """
    flat = unicodedata.normalize("NFKC", text)
    if match := SPAN.search(flat):
        return _without(flat, match), Period(match[1], match[2])
    found = list(DATED.finditer(flat))
    if len({match.group() for match in found}) != 1:
        return text, None
    match = found[0]
    month = f"-{int(match[2]):02d}" if match[2] else ""
    return _without(flat, match), Period(f"{match[1]}{month}", f"{match[1]}{month}")


def _without(text: str, match: re.Match) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}".strip(" -—_/")


def period(text: str) -> Period | None:
    """The period a cell names and nothing else, as 2018, 2018年末, “十三五”期间."""
    rest, found = split_period(text)
    if found is not None and PUNCTUATION.sub("", rest) in ("", "fy"):
        return found
    if not DIGITS.search(text) and "五" not in text:
        return None
    try:
        return periods.period(text)
    except QuantityError:
        return None


# ------------------------------------------------------------------------------------------
# Names of indicators and regions.


@dataclass
class Names:
    """Things by all their names: ``exact`` and ``bare`` map a form to the things it may mean."""

    exact: dict[str, set[str]] = field(default_factory=dict)
    bare: dict[str, set[str]] = field(default_factory=dict)

    def add(self, thing: str, names: Iterable[str]) -> None:
        for name in filter(None, names):
            form = normal(name)
            self.exact.setdefault(form, set()).add(thing)
            self.bare.setdefault(_bare(form), set()).add(thing)

    def find(self, text: str) -> str:
        """The one thing a name stands for, ``""`` where it is none or may be several."""
        form = normal(text)
        for known, wanted in ((self.exact, form), (self.bare, form), (self.bare, _bare(form))):
            if wanted and (things := known.get(wanted)):
                return next(iter(things)) if len(things) == 1 else ""
        return ""

    def like(self, text: str, most: int = 3) -> list[str]:
        """Things with a name like this one, most similar first; suggestions only."""
        found = process.extract(
            normal(text), list(self.exact), scorer=fuzz.WRatio, limit=8, score_cutoff=ALIKE
        )
        things = [thing for name, *_ in found for thing in sorted(self.exact[name])]
        return list(dict.fromkeys(things))[:most]


def indicator_names(indicators: pd.DataFrame) -> Names:
    """Indicators by key, label and synonym: those of a package, then the standard vocabulary.

    A name of the package's own goes before a standard one.
    """
    own, names = set(indicators["indicator"]), Names()
    for row in indicators.to_dict("records"):
        names.add(row["indicator"], _labels(row))
    taken, bare, standard = set(names.exact), set(names.bare), Names()
    for row in table("vocabulary"):
        standard.add(row["indicator"], _labels(row))
    for row in table("synonyms"):
        standard.add(row["indicator"], (row["name"],))
    for ours, theirs, kept in (
        (names.exact, standard.exact, taken),
        (names.bare, standard.bare, taken | bare),
    ):
        for form, things in theirs.items():
            if form not in kept:
                ours.setdefault(form, set()).update(things & own or things)
    return names


def _labels(row: Mapping[str, str]) -> tuple[str, ...]:
    """Key, label in each language, and both as a workbook in two languages has them."""
    chinese, english = row["label_zh"], row["label_en"]
    return row["indicator"], chinese, english, f"{chinese} / {english}"


def region_names(regions: pd.DataFrame) -> Names:
    """Regions by code, full and short name in both languages, with and without their suffix."""
    names = Names()
    for row in regions.to_dict("records"):
        names.add(row["code"], _variants(row))
    names.bare = {}
    return names


def _variants(row: Mapping[str, str]) -> list[str]:
    chinese, short, english = row["name_zh"], row["short_zh"], row["name_en"]
    found = [row["code"], chinese, short, english, f"{chinese} / {english}"]
    for suffix in suffixes():
        for name in (chinese, short):
            if name.endswith(suffix) and len(name) - len(suffix) >= 2:
                found.append(name.removesuffix(suffix))
    for suffix in (" city", " league", " county", " banner", " province", " state", " district"):
        found += [english + suffix]
        if english.casefold().endswith(suffix):
            found.append(english[: -len(suffix)])
    return found


@cache
def suffixes() -> tuple[str, ...]:
    found = [row["word"] for row in table("words") if row["kind"] == "region_suffix"]
    return tuple(sorted(found, key=len, reverse=True))


# ------------------------------------------------------------------------------------------
# The figure of a cell in the unit of its indicator.


PLAIN = re.compile(r"([-+−]?)\s*(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?\s*([^\d.,\s][^\d]*)?", re.A)
SIZE = re.compile("[十百千万亿]|thousand|million|billion", re.I)
COMPARATORS = ("=", ">", ">=", "<=", "approx", "nearly")
LONGEST = 30  # characters of a number


class NoFigure(Exception):
    """A cell holds no figure that can be read; ``rule`` and ``remedy`` say why."""

    def __init__(self, rule: str, remedy: str):
        super().__init__(rule)
        self.rule, self.remedy = rule, remedy


@dataclass(frozen=True)
class Reading:
    """A value in the unit of its indicator, as plain decimal text, and how it was written.

    ``as_written`` is empty where the cell holds just the value. ``bare`` says that no unit was
    stated, ``comparator`` whether the source qualifies the value.
    """

    value: str
    comparator: str
    as_written: str
    bare: bool


def figure(text: str, unit: Unit | None, target: str, units: Units) -> Reading:
    """Read one cell.

    Parameters
    ----------
    unit : what row, header or title say of the unit; a unit in the cell itself goes before it.
    target : the unit of the indicator.

    Raises
    ------
    NoFigure : no number, or a unit that measures something else.
    """
    digits, own, comparator = _split(text, units)
    stated = own or unit
    if stated is None:
        return _unstated(text, digits, comparator, target, units)
    factor = units.factor(stated, target)
    if factor is None:
        rule = f"'{text}' is in {stated.word}, and the indicator is in {target}"
        raise NoFigure(rule, "write it in a unit of the indicator")
    number = Decimal(digits) * factor
    if factor > 1 and units.is_counted(target) and number != number.to_integral_value():
        # 1.23456万 of whole things has been rounded: the whole number next to it is about as good.
        number = number.to_integral_value()
        comparator = "approx" if comparator == "=" else comparator
    value = digits if factor == 1 else format(number.normalize(), "f")
    written = "" if factor == 1 and not own else f"{text}{'' if own else stated.word}"
    return Reading(value, comparator, written or _otherwise(text, comparator), False)


def _otherwise(text: str, comparator: str) -> str:
    """The text of a cell that is no plain number, as 约五百; empty where it is one."""
    plain = PLAIN.fullmatch(unicodedata.normalize("NFKC", text).strip())
    return "" if comparator == "=" and plain else text


def _unstated(text: str, digits: str, comparator: str, target: str, units: Units) -> Reading:
    """A figure whose unit nobody stated: taken where its indicator leaves no choice."""
    if units.is_scaled(target):
        rule = f"no unit is stated, and the indicator is kept in {target}"
        remedy = "write the unit into the header, as in 经费（万元）, or into the mapping"
        raise NoFigure(rule, remedy)
    return Reading(digits, comparator, _otherwise(text, comparator), True)


def _split(text: str, units: Units) -> tuple[str, Unit | None, str]:
    """Digits, unit and comparator of a cell."""
    flat = unicodedata.normalize("NFKC", text).strip()
    match = PLAIN.fullmatch(flat)
    unit = units.word(match[4]) if match and match[4] else None
    if match is None or (match[4] and unit is None):
        return _quantity(text, units)
    sign = "-" if match[1] in ("-", "−") else ""
    digits = f"{sign}{match[2].replace(',', '')}{match[3] or ''}"
    if len(digits) > LONGEST:
        raise NoFigure(f"'{text[:40]}…' has too many digits", "round it")
    return digits.lstrip("0") if re.match(r"-?0\d", digits) else digits, unit, "="


def _quantity(text: str, units: Units) -> tuple[str, Unit | None, str]:
    """Digits, unit and comparator of a quantity in words: 18.7万人, 640多万人次, ≥10名."""
    try:
        found = quantities.parse(text)
    except quantities.QuantityError as error:
        rule, _, remedy = str(error).rpartition(" — ")
        raise NoFigure(rule, remedy) from None
    if found.upper is not None:
        raise NoFigure(f"'{text[:60]}' is a range", "write the figure itself")
    if found.comparator not in COMPARATORS:
        raise NoFigure(f"'{text[:60]}' is an upper bound", "write the figure itself")
    digits = format(found.value, "f")
    if not found.unit:
        if SIZE.search(text):
            rule = f"'{text[:60]}' has a size and no unit, so that it is unclear what it multiplies"
            raise NoFigure(rule, "write the number with its unit, as in 18.7万人")
        return digits, None, found.comparator
    if not units.knows(found.unit):
        raise NoFigure(f"'{text[:60]}' is in a unit no table here has", "write the number alone")
    return digits, units.unit(found.unit, found.unit), found.comparator
