"""Write numbers, names and sources in one language, each number with what it comes from.

Every number on a page is a ``<data>`` element: ``data-fact`` names the row of ``facts.csv`` it
was read from, ``data-result`` the computed result. Years stand in ``<time>``, names of sources in
``<cite>``. A reader, or a test, can walk from each figure to its origin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup, escape

from evaluation.data import Dataset
from evaluation.errors import KepuError
from evaluation.numerals import fixed
from evaluation.text import t

LEVEL = 95.0
_COMPARATORS = {
    "=": "",
    ">": "number.more_than",
    ">=": "number.at_least",
    "approx": "number.nearly",
}


def plain(value: float, language: str, digits: int | None = None, signed: bool = False) -> str:
    """A number as text: Chinese 万/亿 and English million where nothing is lost, else thousands.

    Examples
    --------
    >>> plain(187000, "zh"), plain(187000, "en"), plain(118e6, "en"), plain(10.04, "zh")
    ('18.7万', '187,000', '118 million', '10.04')
    """
    sign = "+" if signed and value > 0 else ""
    if digits is not None:
        return sign + fixed(value, digits)
    scales = [(1e8, "亿"), (1e4, "万")] if language == "zh" else [(1e6, " million")]
    for scale, word in scales:
        short = f"{value / scale:,.10g}"
        if abs(value) >= scale and len(short.partition(".")[2]) <= 3:
            return sign + f"{short}{word}".replace("-", "−")
    return sign + f"{value:,.10g}".replace("-", "−")


class Writer:
    """The voice of one report: language, names, numbers, and a record of what was written.

    ``computed`` maps the key of each computed number to its value; ``cited`` collects the
    identifiers of sources in the order in which they were first named.
    """

    def __init__(self, dataset: Dataset, language: str):
        self.language = language
        self.computed: dict[str, float] = {}
        self.cited: dict[str, None] = {}
        self._regions = dataset.regions.set_index("code")
        self._units = dataset.units.set_index("unit")
        self._indicators = dataset.indicators.set_index("indicator")
        self._sources = dataset.sources.set_index("source_id")
        self._organisations = dataset.organisations.set_index("name_zh")["name_en"]

    def t(self, key: str, **values: object) -> Markup:
        """A text of the table; every text may say ``{level}``, the coverage of the intervals."""
        level = self.number("interval.level", LEVEL, "percent", 0)
        return t(key, self.language, **{"level": level, **values})

    def name(self, code: str) -> str:
        return self._regions.at[code, f"name_{self.language}"]

    def short(self, code: str) -> str:
        column = "short_zh" if self.language == "zh" else "name_en"
        return self._regions.at[code, column]

    def indicator(self, key: str) -> Markup:
        label = escape(self._indicators.at[key, f"label_{self.language}"])
        if not self._indicators.at[key, "proxy"]:
            return label
        return Markup('{} <span class="proxy">{}</span>').format(label, self.t("badge.proxy"))

    def organisations(self, names: str) -> str:
        parts = [part for part in names.split(";") if part]
        if self.language == "en":
            parts = [self._organisations[part] for part in parts]
        return ("、" if self.language == "zh" else "; ").join(parts)

    def column(self, row: Mapping[str, object], stem: str) -> str:
        """The cell ``<stem>_<language>`` of a row of a bilingual table."""
        return str(row[f"{stem}_{self.language}"])

    def year(self, year: object) -> Markup:
        return Markup("<time>{}</time>").format(str(year))

    def period(self, start: str, end: str) -> Markup:
        if not start and not end:
            return self.t("period.undated")
        if start == end or not end:
            return self.year(start)
        if not start:
            return self.t("period.until", end=self.year(end))
        return self.span(start, end)

    def span(self, start: object, end: object) -> Markup:
        """Two years or months with a dash, never broken over lines."""
        return Markup('<span class="span">{}–{}</span>').format(self.year(start), self.year(end))

    def unit(self, unit: str, value: float | None = None) -> str:
        """What follows a number of this unit, its space included."""
        column = "symbol_one_en" if self.language == "en" and value == 1 else None
        symbol = self._units.at[unit, column or f"symbol_{self.language}"]
        if not symbol:
            return ""
        tight = symbol == "%" or self.language == "zh"
        return symbol if tight else f" {symbol}"

    def fact(self, row: Mapping[str, object], unit: bool = True) -> Markup:
        """The value of a row of facts as printed, with its comparator and unit."""
        if row["unit"] == "rank":
            return self._rank(row)
        base = self._units.at[row["unit"], "base_unit"]
        value = float(row["value"]) * float(self._units.at[row["unit"], "factor"])
        text = plain(value, self.language) + (self.unit(base, value) if unit else "")
        element = Markup('<data value="{}" data-fact="{}">{}</data>').format(
            f"{row['value']:.10g}", row["fact_id"], text
        )
        key = _COMPARATORS[row["comparator"]]
        return self.t(key, value=element) if key else element

    def _rank(self, row: Mapping[str, object]) -> Markup:
        """A place in a national ranking; an approximate one is "among the first"."""
        key = "number.top" if row["comparator"] == "approx" else "number.rank"
        element = Markup('<data value="{0}" data-fact="{1}">{0}</data>').format(
            f"{row['value']:.10g}", row["fact_id"]
        )
        return self.t(key, value=element)

    def joined(self, *parts: object) -> Markup:
        """Parts of a phrase: apart in English, close together in Chinese."""
        return Markup("" if self.language == "zh" else " ").join(parts)

    def number(
        self, key: str, value: float, unit: str = "", digits: int = 2, signed: bool = False
    ) -> Markup:
        """A computed number; ``key`` names the result and always means the same value."""
        if value is None or math.isnan(value):
            return self.t("missing.value")
        value = float(value)
        if math.isinf(value):
            return self.t("number.unbounded")
        if not math.isclose(self.computed.setdefault(key, value), value, rel_tol=1e-12):
            raise KepuError(f"Result '{key}' was written with two values; give each its own key.")
        text = plain(value, self.language, digits, signed)
        return Markup('<data value="{}" data-result="{}">{}</data>').format(
            f"{value:.10g}", key, text + (self.unit(unit) if unit else "")
        )

    def interval(self, key: str, low: float, high: float, unit: str = "", digits: int = 2):
        """An interval between two computed ends, ``key.low`` and ``key.high``."""
        if pd.isna(low) or pd.isna(high):
            return self.t("missing.interval")
        parts = {
            end: self.t("number.unbounded")
            if math.isinf(value)
            else self.number(f"{key}.{end}", value, "", digits)
            for end, value in (("low", low), ("high", high))
        }
        suffix = self.unit(unit) if unit else ""
        return self.t("number.interval", unit=suffix, **parts)

    def probability(self, key: str, p: float) -> Markup:
        """A p-value, never printed as zero."""
        if p >= 0.001:
            return self.number(key, p, digits=3)
        self.computed[key] = p
        return Markup('<data value="{}" data-result="{}">&lt;0.001</data>').format(f"{p:.3g}", key)

    def cite(self, ids: str) -> Markup:
        """Identifiers of sources with their grades, linked to the list of sources."""
        marks = []
        for source in ids.split(";"):
            self.cited.setdefault(source)
            grade = self._sources.at[source, "grade"]
            marks.append(
                Markup(
                    '<span class="span"><a href="#source-{0}"><cite>{0}</cite></a>'
                    '<span class="grade grade-{1}">{1}</span></span>'
                ).format(source, grade)
            )
        return Markup(" ").join(marks)

    def recorded(self, table: str, identifier: str, text: str) -> Markup:
        """Text of a table row, marked with the row it stands in."""
        return Markup('<span data-row="{}:{}">{}</span>').format(table, identifier, text)
