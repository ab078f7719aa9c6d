"""What a section is given: context, writer of numbers, views for notebooks."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Any

import pandas as pd
from babel.dates import format_skeleton
from markupsafe import Markup, escape

from evaluation.base.errors import KepuError
from evaluation.base.text import check_language, fixed, is_date, t
from evaluation.data import slices
from evaluation.data.package import Dataset
from evaluation.figures import charts
from evaluation.report.blocks import Block, Figure, Heading, Paragraph, Table
from evaluation.study import Study
from evaluation.survey.standing import normal_quantile

# Write numbers, names and sources in one language, each number with what it comes from.
LEVEL = 95.0
LOCALES = {"zh": "zh_CN", "en": "en_GB"}  # how months are called
DASH = Markup("—")  # a cell that has nothing to say
BLANK = ("", DASH)
_COMPARATORS = {
    "=": "",
    ">": "number.more_than",
    ">=": "number.at_least",
    "<=": "number.at_most",
    "approx": "number.about",
    "nearly": "number.nearly",
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
        check_language(language)
        self.dataset, self.language = dataset, language
        self.computed: dict[str, float] = {}
        self.cited: dict[str, None] = {}
        self._regions = dataset.regions.set_index("code")
        self._bands = dataset.bands.set_index("band")
        self._levels = dataset.levels.set_index("level")
        self._words = dataset.words(language)
        self._units = dataset.units.set_index("unit").to_dict("index")
        self._indicators = dataset.indicators.set_index("indicator")
        self._sources = dataset.sources.set_index("source_id")
        self._organisations = dataset.organisations.set_index("name_zh")["name_en"]

    def t(self, key: str, **values: object) -> Markup:
        """A text of the table.

        Every text may say ``{level}``, the coverage of the intervals, and the words of the package,
        see :meth:`evaluation.data.package.Dataset.words`.
        """
        level = self.number("interval.level", LEVEL, "percent", 0)
        return t(key, self.language, **{"level": level, **self._words, **values})

    def dose(self, name: str, short: bool = False) -> str:
        """What the package calls a dose."""
        return self.dataset.dose_label(name, self.language, short)

    def term(self, column: str) -> str:
        """Short name of a column of the panel: a dose's, else that of the table of texts."""
        name = column.removeprefix("log2_")
        if name in set(self.dataset.doses["dose"]):
            return self.dose(name, short=True)
        held = self.dataset.covariates.set_index("covariate")
        if name in held.index:
            return str(held.at[name, f"label_{self.language}"])
        return str(self.t(f"short.{column}"))

    def band(self, name: str) -> str:
        """What the package calls a band of regions; without one, all regions compared."""
        if not name:
            return str(self.t("figure.everyone"))
        return self.column(self._bands.loc[name], "name")

    def level(self, name: str, several: bool = False) -> str:
        """What a level of regions is called; the level of the whole by the name of the whole."""
        if name == "all":
            return str(self.t("survey_level.all"))
        if name == self._regions.at[self.dataset.whole, "level"]:
            return self.short(self.dataset.whole)
        column = "plural_en" if several and self.language == "en" else f"name_{self.language}"
        return str(self._levels.at[name, column])

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
        return self.series(parts, "、", "; ")

    def column(self, row: Mapping[str, object], stem: str) -> str:
        """The cell ``<stem>_<language>`` of a row of a bilingual table."""
        return str(row[f"{stem}_{self.language}"])

    def year(self, year: object) -> Markup:
        """A year, or a month of a year in the words of the language."""
        number, _, month = str(year).partition("-")
        if not month:
            return Markup("<time>{}</time>").format(number)
        first = date(int(number), int(month[:2]), 1)
        said = format_skeleton("yMMMM", first, locale=LOCALES[self.language])
        return Markup('<time datetime="{}">{}</time>').format(str(year), said)

    def period(self, start: str, end: str) -> Markup:
        if not start and not end:
            return self.t("period.undated")
        if start == end or not end:
            return self.year(start)
        if not start:
            return self.t("period.until", end=self.year(end))
        return self.span(start, end)

    def span(self, start: object, end: object) -> Markup:
        """Two years with a dash, never broken over lines; where a month is one, in words."""
        if "-" in f"{start}{end}":
            return self.t("period.range", start=self._open(start), end=self._open(end))
        return Markup('<span class="span">{}–{}</span>').format(self.year(start), self.year(end))

    def _open(self, year: object) -> Markup:
        """A year or month as it stands beside a month."""
        return self.year(year) if "-" in str(year) else self.t("period.year", year=self.year(year))

    def unit(self, unit: str, value: float | None = None) -> str:
        """What follows a number of this unit, its space included."""
        column = "symbol_one_en" if self.language == "en" and value == 1 else None
        symbol = self._units[unit][column or f"symbol_{self.language}"]
        if not symbol:
            return ""
        tight = symbol == "%" or self.language == "zh"
        return symbol if tight else f" {symbol}"

    def fact(self, row: Mapping[str, object], unit: bool = True) -> Markup:
        """The value of a row of facts as printed, with its comparator and unit."""
        if row["unit"] == "rank":
            return self._rank(row)
        base = self._units[row["unit"]]["base_unit"]
        value = float(row["value"]) * float(self._units[row["unit"]]["factor"])
        text = plain(value, self.language) + (self.unit(base, value) if unit else "")
        element = Markup('<data value="{}" data-fact="{}">{}</data>').format(
            f"{row['value']:.10g}", row["fact_id"], text
        )
        key = _COMPARATORS[row["comparator"]]
        return self.t(key, value=element) if key else element

    def _rank(self, row: Mapping[str, object]) -> Markup:
        """A place in a national ranking; at most the fifth is "among the first five"."""
        key = "number.top" if row["comparator"] == "<=" else "number.rank"
        element = Markup('<data value="{0}" data-fact="{1}">{0}</data>').format(
            f"{row['value']:.10g}", row["fact_id"]
        )
        return self.t(key, value=element)

    def series(self, parts: Iterable[object], zh: str = "、", en: str = ", ") -> Markup:
        """Parts of a list with the mark of the language between them."""
        return Markup(zh if self.language == "zh" else en).join(parts)

    def joined(self, *parts: object) -> Markup:
        """Parts of a phrase: apart in English, close together in Chinese."""
        return self.series(parts, "", " ")

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

    def numbers(self, stem: str, digits: int = 0, unit: str = "", **values: float) -> dict:
        """Computed numbers ``<stem>.<name>`` by name, counts unless ``digits`` says otherwise."""
        return {
            name: self.number(f"{stem}.{name}", value, unit, digits)
            for name, value in values.items()
        }

    def estimate(
        self,
        key: str,
        value: float,
        ends: tuple[float, float],
        unit: str = "",
        digits: tuple[int, int] = (2, 1),
        signed: bool = True,
    ) -> Markup:
        """A number and its interval; ``digits`` are those of the two."""
        return self.joined(
            self.number(key, value, unit, digits[0], signed=signed),
            self.interval(key, *ends, "", digits[1]),
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
        """Identifiers of sources, each once, with their grades, linked to the list of sources."""
        mark = Markup('<span class="span"><a href="#source-{0}"><cite>{0}</cite></a>{1}</span>')
        sources = dict.fromkeys(ids.split(";"))
        self.cited |= sources
        return Markup(" ").join(mark.format(source, self.grade(source)) for source in sources)

    def grade(self, source: str) -> Markup:
        """The grade of a source, and whether only a copy of it was read."""
        row = self._sources.loc[source]
        text = self.t("badge.copy", grade=row["grade"]) if row["mirror"] else row["grade"]
        return Markup('<span class="grade grade-{}">{}</span>').format(row["grade"], text)

    def recorded(self, table: str, identifier: str, text: str) -> Markup:
        """Text of a table row, marked with the row it stands in."""
        return Markup('<span data-row="{}:{}">{}</span>').format(table, identifier, text)


# What every section of a report is given: the study, the region and the writer.


def side(low: float, high: float) -> str:
    """On which side of zero an interval lies: ``above``, ``below`` or, with zero in it, ``near``.

    >>> side(0.2, 1.4), side(-0.2, 1.4)
    ('above', 'near')
    """
    return "above" if low > 0 else "below" if high < 0 else "near"


def ends(value: float, variance: float) -> tuple[float, float]:
    """Ends of the interval of a value with a normal error; so of a column of them."""
    half = normal_quantile(LEVEL / 100) * variance**0.5
    return value - half, value + half


def timed(date: str) -> Markup:
    """A day as pages print it."""
    return Markup("<time>{}</time>").format(date)


class Opened:
    """What a notebook has opened in a language, to look at in views."""

    dataset: Dataset
    language: str

    @property
    def writer(self) -> Writer:
        """A writer that has written nothing: each view has numbers of its own."""
        return Writer(self.dataset, self.language)


@dataclass(eq=False)
class Context:
    """One region's report in one language.

    ``date`` is the ISO date printed on the report; its year decides which targets are due.
    ``codes`` are the regions of an overview, empty in a regional report.
    """

    study: Study
    code: str
    writer: Writer
    date: str
    first_year: int
    provenance: dict[str, str]
    codes: list[str] = field(default_factory=list)
    # Found at the first question; nobody changes them.
    _of: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, repr=False)
    _surveyed: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def region(self) -> pd.Series:
        return self.study.dataset.regions.set_index("code").loc[self.code]

    @cached_property
    def is_unit(self) -> bool:
        """Whether the region is one of those that the models compare."""
        return self.code in self.units

    @cached_property
    def below(self) -> list[str]:
        """Units of a region set whose parent is among the regions of the overview."""
        dataset = self.study.dataset
        regions = dataset.regions.set_index("code")
        inside = regions.index[regions["parent_code"].isin(self.codes)]
        listed = inside[inside.isin(dataset.region_sets["code"])]
        return [code for code in listed if code not in self.codes]

    @cached_property
    def units(self) -> set[str]:
        """Regions of the level that is compared."""
        return set(self.study.dataset.model_regions)

    @cached_property
    def whole(self) -> str:
        """Code of the region that all others belong to."""
        return self.study.dataset.whole

    @cached_property
    def breaks(self) -> list[tuple[int, str]]:
        """First years of a new survey instrument, each with its short text for a figure."""
        waves = self.study.dataset.waves
        text = str(self.writer.t("figure.break"))
        return [(int(year), text) for year in waves.loc[waves["break_before"], "wave"]]

    @property
    def today(self) -> int:
        return int(self.date[:4])

    @property
    def parent(self) -> str:
        return self.region["parent_code"] or self.whole

    @property
    def surveyed_above(self) -> str:
        """The nearest unit the region belongs to that has a surveyed rate."""
        surveyed = set(self.study.rates["region_code"])
        above = slices.lineage(self.study.dataset, self.code)[1:]
        return next((code for code in above if code in surveyed), self.whole)

    @property
    def name(self) -> str:
        return self.writer.name(self.code)

    @cached_property
    def facts(self) -> pd.DataFrame:
        facts = self.study.dataset.facts
        return facts[facts["region_code"] == self.code]

    @cached_property
    def fact_rows(self) -> pd.DataFrame:
        """All facts by identifier."""
        return self.study.dataset.facts.set_index("fact_id", drop=False)

    @cached_property
    def contradicted(self) -> dict[str, list[str]]:
        """Identifiers of the recorded contradictions that name a fact, by fact."""
        found: dict[str, list[str]] = {}
        for item in self.study.dataset.contradictions.itertuples():
            for fact in item.fact_ids.split(";"):
                found.setdefault(fact, []).append(item.contradiction_id)
        return found

    @cached_property
    def _rates(self) -> tuple[pd.DataFrame, dict]:
        ordered = self.study.rates.sort_values("wave", kind="stable")
        return ordered, ordered.groupby("region_code").indices

    def rates_of(self, code: str) -> pd.DataFrame:
        ordered, places = self._rates
        if code not in self._of:
            self._of[code] = ordered.take(places.get(code, []))
        return self._of[code]

    def surveyed(self, code: str) -> pd.DataFrame:
        """Rates of a region with a sampling error, by wave."""
        if code not in self._surveyed:
            self._surveyed[code] = self.rates_of(code).dropna(subset="variance")
        return self._surveyed[code]

    def gains_of(self, code: str) -> pd.DataFrame:
        gains = self.study.gains
        return gains[gains["region_code"] == code]

    def targets_of(self, code: str) -> pd.DataFrame:
        targets = self.study.targets
        return targets[targets["region_code"] == code]

    def rate(self, code: str, wave: int) -> pd.Series | None:
        rows = self.rates_of(code)
        rows = rows[rows["wave"] == wave]
        return None if rows.empty else rows.iloc[0]

    def fact(self, fact_id: str, unit: bool = True) -> Markup:
        return self.writer.fact(self.fact_rows.loc[fact_id], unit)

    def rate_text(self, row: pd.Series | None) -> Markup:
        """A published rate with its interval, e.g. ``10.04% (95% interval 9.2–10.9%)``."""
        w = self.writer
        if row is None:
            return w.t("missing.value")
        value = self.fact(row["fact_id"])
        key = f"rate.{row['region_code']}.{row['wave']}"
        interval = w.interval(key, row["low"], row["high"], "percent", 1)
        return w.joined(value, interval)

    def difference(
        self, key: str, a: pd.Series, b: pd.Series, unit: str = "percentage_point"
    ) -> tuple[float, float, Markup]:
        """Ends and text of the difference of two surveyed rates, in percentage points."""
        value = a["rate"] - b["rate"]
        at = ends(value, a["variance"] + b["variance"])
        return *at, self.writer.estimate(key, value, at, unit)

    def listed(self, names: Iterable[object]) -> str:
        """Names in a row: with 、 in Chinese, with commas and a last "and" in English."""
        words = [str(name) for name in names]
        if self.writer.language == "zh":
            return "、".join(words)
        return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])

    def captioned(self, says: Markup | None, caption: Markup) -> Markup:
        """A caption that opens with what the figure shows, where there is anything to say."""
        if not says:
            return caption
        return self.writer.joined(Markup("<strong>{}</strong>").format(says), caption)

    def missing(self, key: str, **values: object) -> Paragraph:
        """A sentence for what is not there and the rows that would fill it."""
        code = Markup("<code>{}</code>").format(self.code)
        text = self.writer.t(key, region=self.name, code=code, **values)
        return Paragraph(text, "missing")


# A table of published figures: indicator, value, period, source with grade, flags.


def flags(context: Context, row: pd.Series) -> Markup:
    """What a reader must know of a fact: its caveats and the contradictions that name it."""
    w = context.writer
    marks = [w.t(f"caveat.{name}") for name in row["caveats"].split(";") if name]
    link = Markup('<a class="flag" href="#{0}"><cite>{0}</cite></a>')
    marks += [link.format(name) for name in context.contradicted.get(row["fact_id"], ())]
    return w.series(marks)


def figure_table(context: Context, rows: pd.DataFrame, caption: Markup) -> Table:
    """Facts as printed, one row each; two series of one indicator stand in two rows."""
    w = context.writer
    label = rows["indicator"].map(lambda key: str(w.indicator(key)))
    ordered = rows.assign(label=label).sort_values(["label", "period_end", "fact_id"])
    cells = [
        (
            w.indicator(row["indicator"]),
            w.fact(row),
            w.period(row["period_start"], row["period_end"]),
            w.cite(row["source_id"]),
            flags(context, row),
        )
        for _, row in ordered.iterrows()
    ]
    columns = ("indicator", "value", "period", "source", "flags")
    return table(context, caption, columns, cells, (1,))


# Sums of money and chances in words: in 万 or millions, and never a chance of nought.


MILLION, WAN, YI = 1e6, 1e4, 1e8
# Chances from draws are printed in whole percent; beyond these they are only said to be there.
LEAST, MOST = 0.01, 0.99


def money(w: Writer, key: str, amount: float, digits: int = 0) -> Markup:
    """A sum without its unit's name: in 万 or, from one on, 亿 in Chinese, else in millions.

    ``digits`` are those of millions; 万 are a hundredth of that and need two fewer.
    """
    w.number(key, amount)  # keeps the result, and refuses a second value under its name
    scale, word, places = MILLION, " million", digits
    if w.language == "zh":
        scale, word, places = (
            (YI, "亿", 2) if abs(amount) >= YI else (WAN, "万", max(0, digits - 2))
        )
    text = plain(amount / scale, w.language, places) + word
    return Markup('<data value="{}" data-result="{}">{}</data>').format(f"{amount:.10g}", key, text)


def money_interval(w: Writer, key: str, low: float, high: float) -> Markup:
    """The interval of a sum in the same unit."""
    ends = {"low": money(w, f"{key}.low", low), "high": money(w, f"{key}.high", high)}
    return w.t("number.interval", unit="", **ends)


def chance(w: Writer, key: str, p: float) -> Markup:
    """A chance in whole percent; next to nought or certainty as below or above a limit."""
    if p < LEAST:
        return w.t("value.below", limit=w.number("value.least", 100 * LEAST, "percent", 0))
    if p > MOST:
        return w.t("value.above", limit=w.number("value.most", 100 * MOST, "percent", 0))
    return w.number(key, 100 * p, "percent", 0)


# Views of the notebooks: tables, figures and sentences in one language, computed from a study.

# JupyterLab right-aligns and stripes every table: columns of words read better from the left.
STYLE = Markup(
    "<style>"
    "table.kepu{border-collapse:collapse;margin:.5em 0}"
    "table.kepu caption{text-align:left;font-weight:600;padding:.3em 0}"
    "div.table table.kepu th,div.table table.kepu td{text-align:left;vertical-align:baseline;"
    "padding:.25em .7em}"
    "div.table table.kepu td.num,div.table table.kepu th.num{text-align:right;white-space:nowrap}"
    "figure{margin:.5em 0}figure img{max-width:46em;width:100%}"
    "figcaption,p.note{font-size:.88em;color:#59636b;max-width:52em}"
    "cite{font-style:normal}time{white-space:nowrap}"
    "p.simulated{color:#8a4b00;font-weight:600}"
    "span.proxy,span.grade{font-size:.75em;border:1px solid;border-radius:4px;padding:0 .3em;"
    "margin-left:.2em}"
    "</style>"
)


Parts = dict[str, Sequence[Block]]  # blocks of a section by the name of what they say


@dataclass(frozen=True)
class View:
    """Blocks that show themselves in a notebook; a simulated package announces itself."""

    blocks: tuple[Block, ...]
    warning: Paragraph | None = None

    def _repr_html_(self) -> str:
        blocks = self.blocks if self.warning is None else (self.warning, *self.blocks)
        return str(Markup("\n").join([STYLE, *(block.html() for block in blocks)]))

    def __repr__(self) -> str:
        return f"View({', '.join(type(block).__name__ for block in self.blocks)})"


class Live:
    """What a live notebook shows as the ``widget()`` of a class, and a stored page as its HTML."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        with contextlib.suppress(ImportError):  # the table stands in, and says so
            from IPython import get_ipython

            if get_ipython() is not None:
                bundle |= self.widget()._repr_mimebundle_() | bundle
        return bundle


def show(page: Context, *blocks: Block) -> View:
    """Put blocks of a page on the screen, under a warning where its figures are simulated."""
    if not page.study.simulated:
        return View(blocks)
    return View(blocks, Paragraph(page.writer.t("view.simulated"), "simulated"))


def day(date: object) -> str:
    """A date as pages print it, checked: YYYY-MM-DD, or shorter.

    Raises
    ------
    KepuError : it is none, or no text: a number is what tools make of digits without quotes.
    """
    if isinstance(date, str) and is_date(date):
        return date
    raise KepuError(f"{date!r:.40} is no date; write it as text in the form '2026-01-31'.")


def existing(page: Context, region: str | int, codes: Iterable[str] | None = None) -> str:
    """The code of a region, checked: it is in ``regions.csv``, and among ``codes`` if given.

    Raises
    ------
    KepuError : an unknown region, or one that cannot be compared.
    """
    region = slices.code_of(page.study.dataset, region)
    if codes is not None and region not in set(codes):
        raise KepuError(
            f"Region {region} is not among the regions that are compared; name one of them."
        )
    return region


def named(page: Context, builder: Callable[[Context], Parts], *names: str) -> list[Block]:
    """Parts of a report section by name, made once for a page: several views show parts of one."""
    kept = vars(page).setdefault("_parts", {})
    if builder not in kept:
        kept[builder] = builder(page)
    return [block for name in names for block in kept[builder].get(name, ())]


def titled(text: Markup, blocks: Iterable[Block]) -> list[Block]:
    """Blocks under a heading of theirs; no heading where there are none."""
    blocks = list(blocks)
    return [Heading(text), *blocks] if blocks else []


def table(
    page: Context,
    caption: Markup,
    columns: Iterable[str],
    rows: Iterable[tuple[object, ...]],
    numeric: Iterable[int] = (),
    **values: object,
) -> Table:
    """A table whose head is taken from the texts ``column.<name>``, filled with ``values``.

    A column in which no row has anything to say, or no more than a dash, is left out.
    """
    rows, names = list(rows), list(columns)
    kept = [at for at in range(len(names)) if not rows or any(row[at] not in BLANK for row in rows)]
    head = tuple(page.writer.t(f"column.{names[at]}", **values) for at in kept)
    body = tuple(tuple(row[at] for at in kept) for row in rows)
    return Table(caption, head, body, frozenset(map(kept.index, {*numeric} & {*kept})))


def picture(
    page: Context,
    key: str,
    chart: Callable[..., Any],
    *data: Any,
    alt: str = "",
    says: Markup | None = None,
    values: Mapping[str, object] = MappingProxyType({}),
    **options: Any,
) -> Figure:
    """A chart with the texts ``<key>.caption`` and ``<key>.alt`` (or ``alt``), with ``values``.

    The caption opens with what the chart ``says``, and so does the text that stands for it: who
    cannot see the chart is told its finding first. ``options`` are those of the chart, ``xlabel``
    and ``ylabel`` the keys of their texts.
    """
    caption = page.writer.t(f"{key}.caption", **values)
    instead = page.writer.t(alt or f"{key}.alt", **values)
    instead = page.writer.joined(says, instead) if says else instead
    axes = {"xlabel", "ylabel"} & options.keys()
    options |= {name: page.writer.t(options[name], **values).unescape() for name in axes}
    made = chart(*data, **options)
    return Figure(made.svg, made.narrow, page.captioned(says, caption), instead.striptags())


def dots(
    page: Context,
    key: str,
    rows: pd.DataFrame,
    column: str,
    reference: float | None,
    **options: Any,
) -> Figure:
    """Values of regions with their intervals, highest first, beside the nation's value.

    ``rows`` has ``region_code``, ``low``, ``high`` and the values in ``column``; the region of a
    regional report stands out. ``options`` are those of :func:`picture`.
    """
    short = page.writer.short
    frame = pd.DataFrame(
        {
            "name": [short(code) for code in rows["region_code"]],
            "value": rows[column].to_numpy(),
            "low": rows["low"].to_numpy(),
            "high": rows["high"].to_numpy(),
            "highlight": (rows["region_code"] == page.code).to_numpy(),
        }
    )
    beside = None if reference is None else (reference, short(page.whole))
    return picture(page, key, charts.ranking, frame, reference=beside, **options)


def rate_dots(
    page: Context, alt: str, rows: pd.DataFrame, wave: int, says: Markup | None = None
) -> Figure:
    """Rates of one wave as :func:`dots`, with the text ``alt`` for who cannot see them."""
    nation, values = (
        page.rate(page.whole, wave),
        {"region": page.name, "year": page.writer.year(wave)},
    )
    reference = None if nation is None else nation["rate"]
    options = {"xlabel": "axis.rate", "alt": alt, "says": says, "values": values}
    return dots(page, "level.ranking", rows, "rate", reference, **options)
