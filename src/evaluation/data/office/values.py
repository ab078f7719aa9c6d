"""The figure of a cell in the unit of its indicator."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from evaluation.data.office import quantities
from evaluation.data.office.vocabulary import Unit, Units

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
        return _bare(text, digits, comparator, target, units)
    factor = units.factor(stated, target)
    if factor is None:
        rule = f"'{text}' is in {stated.word}, and the indicator is in {target}"
        raise NoFigure(rule, "write it in a unit of the indicator")
    number = Decimal(digits) * factor
    if factor > 1 and units.is_counted(target) and number != number.to_integral_value():
        # 1.23456万 of whole things has been rounded: the whole number next to it is about as good.
        number, comparator = (
            number.to_integral_value(),
            "approx" if comparator == "=" else comparator,
        )
    value = digits if factor == 1 else format(number.normalize(), "f")
    written = "" if factor == 1 and not own else f"{text}{'' if own else stated.word}"
    return Reading(value, comparator, written or _otherwise(text, comparator), False)


def _otherwise(text: str, comparator: str) -> str:
    """The text of a cell that is no plain number, as 约五百; empty where it is one."""
    plain = PLAIN.fullmatch(unicodedata.normalize("NFKC", text).strip())
    return "" if comparator == "=" and plain else text


def _bare(text: str, digits: str, comparator: str, target: str, units: Units) -> Reading:
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
