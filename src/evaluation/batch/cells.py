"""What the front page says of each report, read from its summary: cells and measures."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from statistics import median
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from evaluation.base.errors import KepuError
from evaluation.base.text import DEPTHS, FORMATS, LANGUAGES, fixed, t

# ------------------------------------------------------------------------------------------
# Take the summary of a report out of its page, and make any text fit to be shown.


LONGEST = 200  # characters of a text from outside that are shown
# Marks that turn the direction of the text around them, and controls a browser may not show.
_STRAY = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_LONE = re.compile("[\ud800-\udfff]")


class _Template(HTMLParser):
    """Gather the text of ``<template id="summary">``."""

    def __init__(self):
        super().__init__()
        self.parts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag, attrs):
        self._inside = tag == "template" and ("id", "summary") in attrs

    def handle_endtag(self, tag):
        if tag == "template":
            self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.parts.append(data)


def read(html: str) -> dict[str, Any]:
    """The summary a page carries, empty where it carries none (an overview, an older page).

    Raises
    ------
    KepuError : the element is there but holds no JSON object.

    >>> read('<p>x</p><template id="summary">{&#34;code&#34;: &#34;150000&#34;}</template>')
    {'code': '150000'}
    """
    # The element stands near the end of a page of pictures: only that part is parsed.
    start = html.rfind('<template id="summary">')
    if start < 0:
        return {}
    parser = _Template()
    parser.feed(html[start : html.find("</template>", start) + len("</template>")])
    try:
        found = json.loads("".join(parser.parts))
    except ValueError as error:
        raise KepuError(
            f"The page's summary is not JSON ({error}); make the report anew."
        ) from None
    if not isinstance(found, dict):
        raise KepuError("The page's summary is no JSON object; make the report anew.")
    return found


def clean(text: object) -> str:
    """A text from outside without controls and direction marks, at most :data:`LONGEST` long.

    >>> clean("a\\u202eb\\x00c"), clean("\\ud800x"), len(clean("y" * 10_000))
    ('abc', '\\ufffdx', 200)
    """
    shown = _STRAY.sub("", _LONE.sub("\ufffd", str(text)))
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


# ------------------------------------------------------------------------------------------
# Texts of the front page: always both languages at once, the reader's choice shows one.


Pair = dict[str, str]
TAGS = {"zh": "zh-CN", "en": "en"}
LEVEL = "95%"
SPACES, COMMAS = {"zh": "", "en": " "}, {"zh": "，", "en": ", "}
SEMICOLONS = {"zh": "；", "en": "; "}


def pair(key: str, **values: Any) -> Pair:
    """Text ``key`` in both languages as plain text; a value may itself be a pair.

    >>> pair("front.by", value="15%", year=2025)
    {'zh': '2025年15%', 'en': '15% by 2025'}
    """
    found = {}
    for language in LANGUAGES:
        own = {k: v[language] if isinstance(v, Mapping) else v for k, v in values.items()}
        # As markup, so that nothing is escaped here: every use escapes, once.
        given = {name: Markup(str(value)) for name, value in own.items()}
        found[language] = str(t(key, language, **{"level": LEVEL, **given}))
    return found


def both(text: Mapping[str, str] | str, **values: Any) -> Markup:
    """A pair, or the pair of a key, as two elements of which the page shows one."""
    found = pair(text, **values) if isinstance(text, str) else text
    return Markup("").join(
        Markup('<span lang="{}" class="t">{}</span>').format(TAGS[language], found[language])
        for language in LANGUAGES
    )


def label(text: Mapping[str, str] | str, **values: Any) -> Markup:
    """A pair as the attribute that stands for a picture or a control without words."""
    found = pair(text, **values) if isinstance(text, str) else text
    return Markup('aria-label="{} · {}" data-label-zh="{}" data-label-en="{}"').format(
        *(escape(found[language]) for language in (*LANGUAGES, *LANGUAGES))
    )


def joined(*parts: Mapping[str, str] | str, gaps: Mapping[str, str] = SPACES) -> Pair:
    """Parts of a phrase with ``gaps`` between: apart in English, close together in Chinese."""
    return {
        language: gaps[language].join(
            part if isinstance(part, str) else part[language] for part in parts
        )
        for language in LANGUAGES
    }


def interval(low: float, high: float, unit: str = "", digits: int = 1) -> Pair:
    """An interval in brackets."""
    return pair("number.interval", low=fixed(low, digits), high=fixed(high, digits), unit=unit)


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign.

    >>> signed(1.314), signed(-0.5, 1), signed(0.001)
    ('+1.31', '−0.5', '0.00')
    """
    text = fixed(value, digits)
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text


def percent(value: float) -> str:
    """A published share with its own decimals.

    >>> percent(10.04), percent(15.0)
    ('10.04%', '15%')
    """
    return f"{value:.6g}%"


# ------------------------------------------------------------------------------------------
# What the front page says of one region: each result in words, with its interval and its date.


# Verdicts on a target from the surest good news to the surest bad one, then the unknown.
# Words for a value that its source qualifies.
QUALIFIED = {
    ">": "number.more_than", ">=": "number.at_least", "<=": "number.at_most",
    "approx": "number.about", "nearly": "number.nearly",
}  # fmt: skip
STATUSES = (
    "met", "on_course", "undecided", "off_course", "missed", "not_surveyed", "no_survey",
    "flagged",
)  # fmt: skip
SIGHT = 5  # years from the report: a target due within them is shown before one beyond


@dataclass(frozen=True)
class Cell:
    """A result in both languages: ``main`` first, ``beside`` smaller; ``order`` sorts it."""

    main: Pair
    beside: Pair | None = None
    order: float | None = None

    @property
    def text(self) -> Pair:
        """Both parts as one phrase."""
        return joined(*filter(None, (self.main, self.beside)), gaps=COMMAS)


# What regions, the whole and the subject are called where summaries do not agree on it.
NEUTRAL = {
    "unit": "word.unit", "units": "word.unit.several", "whole": "word.whole",
    "share": "word.share", "topic": "word.topic", "programme": "word.programme",
}  # fmt: skip


def words_of(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Pair]:
    """The words of :data:`NEUTRAL` of the packages behind summaries, neutral if they differ."""
    found: dict[str, Pair] = {}
    given = [summary["words"] for summary in summaries if summary.get("words")]
    for name, key in NEUTRAL.items():
        # A page of an earlier version may lack a word.
        held = [words[name] for words in given if name in words]
        own = {tuple(words[language] for language in LANGUAGES) for words in held}
        same = dict(zip(LANGUAGES, map(clean, own.pop()), strict=True)) if len(own) == 1 else None
        found[name] = same or pair(key)
    return found | {
        name.capitalize(): {lang: word[:1].upper() + word[1:] for lang, word in both.items()}
        for name, both in found.items()
    }


def cells(summary: Mapping[str, Any]) -> dict[str, Cell]:
    """The cells of a region by column; of an empty summary as well."""
    return {
        "latest": _latest(summary),
        "standing": _standing(summary),
        "gain": _gain(summary),
        "target": _goal(goal(summary)),
        "locks": _locks(summary),
    }


def rate(row: Mapping[str, Any]) -> Pair:
    """A surveyed share with its interval, where it has one."""
    value = percent(row["value"])
    if row.get("low") is None or row.get("high") is None:
        return joined(value, pair("missing.interval"))
    return joined(value, interval(row["low"], row["high"], "%"))


def bounded(value: float, low: float, high: float) -> Pair:
    """A difference with its sign and interval."""
    return joined(signed(value), interval(low, high))


def _latest(summary: Mapping[str, Any]) -> Cell:
    row = summary.get("latest")
    if not row:
        return Cell(pair("front.standing.none"))
    return Cell(rate(row), pair("front.survey", year=row["wave"]), row["value"])


def _standing(summary: Mapping[str, Any]) -> Cell:
    found = summary.get("standing") or {"side": "none"}
    side = found["side"]
    words = pair(f"front.standing.{side}", **words_of([summary]))
    if "gap" not in found:
        return Cell(words)
    return Cell(words, bounded(found["gap"], found["low"], found["high"]), found["gap"])


def _gain(summary: Mapping[str, Any]) -> Cell:
    row = summary.get("gain")
    if not row:
        return Cell(pair("front.gain.none"))
    text = bounded(row["annual"], row["annual_low"], row["annual_high"])
    key = "front.period.break" if row["break"] else "front.period"
    return Cell(text, pair(key, first=row["from"], last=row["to"]), row["annual"])


def goal(summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The last target due within ``SIGHT`` years of the report, else the last one."""
    goals = sorted(summary.get("targets") or [], key=lambda item: item["year"])
    near = [item for item in goals if item["year"] <= int(summary["date"][:4]) + SIGHT]
    return (near or goals or [None])[-1]


def _goal(item: Mapping[str, Any] | None) -> Cell:
    if item is None:
        return Cell(pair("missing.target"))
    value: Pair | str = percent(item["value"])
    if item["comparator"] in QUALIFIED:
        value = pair(QUALIFIED[item["comparator"]], value=value)
    status = item["status"]
    order = STATUSES.index(status) if status in STATUSES else len(STATUSES)
    return Cell(pair(f"status.{status}"), pair("front.by", value=value, year=item["year"]), order)


def _locks(summary: Mapping[str, Any]) -> Cell:
    found = summary.get("evidence") or {}
    if not found.get("gains") or found.get("locks") is None:
        return Cell(pair("front.locks.outside", **words_of([summary])))
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


# ------------------------------------------------------------------------------------------
# From the manifest of a folder to the rows of its front page: regions, overviews, failures.


OVERVIEW = "overview"


@dataclass(frozen=True)
class Kind:
    """The level a region is listed under, what several such are called, its place in the list."""

    level: str
    plain: Pair
    order: int

    @property
    def names(self) -> Pair:
        """What several such are called, as a head."""
        return {lang: name[:1].upper() + name[1:] for lang, name in self.plain.items()}


def kinds(
    manifest: Mapping[str, Any], summaries: Mapping[str, Mapping[str, Any]]
) -> dict[str, Kind]:
    """The kind of each level of the manifest, as a summary of such a region declares it.

    A level of which there is no summary is listed last under its own key; reports of the whole
    stand among the overviews.
    """
    found: dict[str, Kind] = {}
    for entry in manifest["reports"]:
        level, summary = str(entry["level"]), summaries.get(entry["stem"]) or {}
        own = summary.get("kind")
        if level == OVERVIEW or (summary and summary.get("parent") == summary.get("code")):
            found[level] = Kind(OVERVIEW, dict.fromkeys(LANGUAGES, OVERVIEW), 0)
        elif own:
            names = {language: clean(own["names"][language]) for language in LANGUAGES}
            found[level] = Kind(clean(own["level"]), names, int(own["order"]))
        else:
            bare = clean(level)
            last = Kind(bare, dict.fromkeys(LANGUAGES, bare.replace("_", " ")), len(found) + LAST)
            found.setdefault(level, last)
    return found


LAST = 1000  # after every level a package declares


@dataclass(frozen=True)
class Link:
    """One file of a report; ``earlier`` is the date of a page that an earlier run left."""

    language: str
    format: str
    href: str
    earlier: str = ""


@dataclass(frozen=True)
class Failure:
    """A report that was not made: of what, in which language, by which notebook, and why."""

    names: Pair
    language: str
    notebook: str
    error: str


@dataclass
class Row:
    """One region, or one overview, with the files of its reports in every language."""

    key: str
    code: str
    names: Pair
    kind: Kind
    simulated: bool
    summary: Mapping[str, Any] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def level(self) -> str:
        """The level the region is listed under."""
        return self.kind.level

    @property
    def short(self) -> Pair:
        """The short name, the full one where there is none."""
        given = self.summary.get("short") or {}
        return {name: clean(given.get(name) or self.names[name]) for name in LANGUAGES}


def rows(
    manifest: Mapping[str, Any], summaries: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Row], list[Row]]:
    """Regions and overviews of a folder, each one row, regions by level and code.

    Parameters
    ----------
    manifest : as written by the batch; its ``reports`` have ``stem, region, notebook, level,
        names, language, status, file, error, simulated`` and may have ``files``
        (format -> name) and ``earlier``.
    summaries : summary by stem; any language of a region will do.
    """
    known = kinds(manifest, summaries)
    found: dict[tuple, Row] = {}
    for entry in manifest["reports"]:
        level = known[str(entry["level"])]
        code, simulated = entry["region"], bool(entry["simulated"])
        names = {language: clean(entry["names"][language]) for language in LANGUAGES}
        new = Row(f"r{len(found)}", clean(code), names, level, simulated)
        row = found.setdefault((level.level, entry["notebook"], code, simulated), new)
        row.summary = row.summary or summaries.get(entry["stem"]) or {}
        row.links += links(entry)
        if entry["status"] == "failed":
            error = clean(entry["error"])
            row.failures.append(Failure(row.names, entry["language"], entry["notebook"], error))
    listed = sorted(found.values(), key=lambda row: (row.kind.order, row.code, row.key))
    regions = [row for row in listed if row.level != OVERVIEW]
    for place, row in enumerate(regions):
        row.key = str(place)
    return regions, [row for row in listed if row.level == OVERVIEW]


# Kinds of files as the front page lists them: what is read first comes first.
ORDER = tuple(
    kind if depth == "report" else f"{depth}.{kind}" for depth in DEPTHS for kind in FORMATS
)


def links(entry: Mapping[str, Any]) -> list[Link]:
    """The files of one report, its brief first, each by its formats; then an earlier page."""
    written = entry.get("files") or {}
    files = {kind: written[kind]["name"] for kind in ORDER if kind in written}
    if entry.get("file"):
        files.setdefault("html", entry["file"])
    named = sorted(files.items(), key=lambda item: ORDER.index(item[0]))
    found = [Link(entry["language"], kind, _beside(name)) for kind, name in named]
    earlier = entry.get("earlier") or {}
    if earlier.get("file"):
        date = clean(earlier.get("date", "")) or "—"
        found.append(Link(entry["language"], "html", _beside(earlier["file"]), date))
    return found


def _beside(name: str) -> str:
    """The address of a file in the folder of the page; no name becomes an address elsewhere."""
    return quote(name.lstrip("/"))


# ------------------------------------------------------------------------------------------
# The colours of the maps: each region's class by the chosen measure, and the legend.


STEPS = 5
NONE, ABSENT, OUTSIDE, ALONE = "none", "absent", "outside", "alone"
# Sides of the difference from the whole as they are coloured; 2 is beyond the step.
GAPS = ("below2", "below1", "near", "above1", "above2")
MARKS = {
    "met": "✓", "on_course": "↗", "undecided": "?", "off_course": "↘", "missed": "✗",
    "not_surveyed": "…", "no_survey": "…", "flagged": "—",
}  # fmt: skip
TARGET = "target."  # begins the measure of the targets of one year, which ends it


def measures(listed: Sequence[Row]) -> dict[str, Pair]:
    """What the maps may be coloured by, each with its name; the page opens with the first.

    That is the difference from the whole, or the share where no region has such a difference.
    Targets of different years are different promises, so no map shows two of them at once.
    """
    words = words_of(row.summary for row in listed)
    years = sorted({item["year"] for row in listed for item in row.summary.get("targets") or []})
    first = "gap" if _known(_gap, listed) else "rate"
    due = {f"{TARGET}{year}": pair("front.measure.target", year=year) for year in years}
    return {first: pair(f"front.measure.{first}", **words), **due}


@dataclass(frozen=True)
class Paint:
    """How a region or a line of a legend is drawn: class, hatching, mark, the whole in words.

    ``count`` : regions so drawn, of a line of a legend.
    """

    kind: str
    hatched: bool
    mark: str
    words: Pair
    count: int = 0


def paints(listed: Sequence[Row], measure: str, places: Container[str]) -> dict[str, Paint]:
    """How each region that has a place on a map is drawn, by code; classes are those of all."""
    classes = zip(listed, classed(listed, measure), strict=True)
    return {
        row.code: Paint(*found, _said(row, measure)) for row, found in classes if row.code in places
    }


def classed(listed: Sequence[Row], measure: str) -> list[tuple[str, bool, str]]:
    """Class, hatching and mark of each region."""
    if measure.startswith(TARGET):
        return [_verdict(row, int(measure.removeprefix(TARGET))) for row in listed]
    edges, step = _edges(_known(_rate, listed)), _step(_known(_gap, listed))
    return [_class(row, measure, edges, step) for row in listed]


def legend(listed: Sequence[Row], measure: str) -> list[Paint]:
    """What each colour, sign and hatching of a measure means, as far as it is drawn."""
    drawn, words = classed(listed, measure), words_of(row.summary for row in listed)
    counts = Counter(kind for kind, _, _ in drawn)
    found = [
        Paint(kind, kind == "undecided", MARKS.get(kind, ""), text, counts[kind])
        for kind, text in _meanings(listed, measure, words)
        if counts[kind]
    ]
    old = max((_old(row.summary) for row in listed), default=0)
    if old and not measure.startswith(TARGET):
        text = pair("front.hatch.rate", years=f"{old:g}")
        found.append(Paint("", True, "", text, sum(hatched for _, hatched, _ in drawn)))
    if counts[NONE]:
        text = pair(f"front.none.{measure.partition('.')[0]}", **words)
        found.append(Paint(NONE, False, "", text, counts[NONE]))
    return found


def _meanings(listed: Sequence[Row], measure: str, words: dict) -> Iterator[tuple[str, Pair]]:
    """The words of each class a measure has."""
    if measure.startswith(TARGET):
        yield from ((status, pair(f"status.{status}")) for status in STATUSES)
        return
    if measure == "gap":
        step = f"{_step(_known(_gap, listed)):g}"
        yield from ((kind, pair(f"front.gap.{kind}", step=step, **words)) for kind in GAPS)
        yield ALONE, pair("front.standing.alone", **words)
        return
    values = _known(_rate, listed)
    edges = _edges(values)
    for i, (low, high) in enumerate(pairwise(edges)):
        last = i == STEPS - 1 and max(values) >= high  # open where a value lies above it
        key = "front.class.open" if last else "front.class"
        yield f"q{i}", pair(key, low=_edge(low), high=_edge(high))


def _old(summary: Mapping[str, Any]) -> float:
    """Years by which the latest survey is more than that older than the newest one, else 0."""
    return (summary.get("latest") or {}).get("older_than") or 0


def _rate(row: Row) -> float | None:
    return (row.summary.get("latest") or {}).get("value")


def _gap(row: Row) -> float | None:
    return (row.summary.get("standing") or {}).get("gap")


def _known(number: Callable[[Row], float | None], listed: Sequence[Row]) -> list[float]:
    return [value for row in listed if (value := number(row)) is not None]


def _rounded(wanted: float) -> float:
    """The first round number of at least nine tenths of one.

    >>> _rounded(3.3), _rounded(0.07)
    (5.0, 0.1)
    """
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= 0.9 * wanted)


def _step(gaps: Sequence[float]) -> float:
    """A round number that about half of the differences exceed."""
    return round(_rounded(max(median(map(abs, gaps)), 0.02)), 10) if gaps else 1.0


def _edges(values: Sequence[float]) -> list[float]:
    """Edges of five equal, round classes; values above nine in ten of all may lie above the last.

    >>> _edges([3.2, 4.0, 5.1, 7.5, 8.0, 9.0, 10.0, 12.0, 13.0, 15.9, 27.7])
    [2.5, 5.0, 7.5, 10.0, 12.5, 15.0]
    >>> _edges([]), len(_edges([2.0]))
    ([], 6)
    """
    if not values:
        return []
    ordered = sorted(values)
    low, high = ordered[0], ordered[int(0.9 * (len(ordered) - 1))]
    step = _rounded(max((high - low) / STEPS, 0.02))
    first = math.floor(low / step)
    return [round(step * (first + i), 10) for i in range(STEPS + 1)]


def _edge(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _class(row: Row, measure: str, edges: Sequence[float], step: float) -> tuple[str, bool, str]:
    latest, gap = row.summary.get("latest"), _gap(row)
    if not latest:
        return NONE, False, ""
    old, value = _old(row.summary) > 0, latest["value"]
    if measure == "rate":
        kind = f"q{sum(value >= edge for edge in edges[1:-1])}"
        return kind, old, f"{fixed(value, 1)}% {latest['wave']}"
    if gap is None:
        return ALONE, old, str(latest["wave"])
    side = row.summary["standing"]["side"]
    kind = side if side == "near" else f"{side}{1 + (abs(gap) > step)}"
    return kind, old, f"{signed(gap, 1)} {latest['wave']}"


def _due(row: Row, year: int) -> Mapping[str, Any] | None:
    found = [item for item in row.summary.get("targets") or [] if item["year"] == year]
    return found[-1] if found else None


def _verdict(row: Row, year: int) -> tuple[str, bool, str]:
    """A region by its verdict on the target of one year."""
    status = (_due(row, year) or {}).get("status")
    kind = status if status in STATUSES else NONE
    return kind, kind == "undecided", MARKS.get(kind, "")


def _said(row: Row, measure: str) -> Pair:
    """A coloured figure in words: with unit, interval, date and what bears on reading it."""
    if measure.startswith(TARGET):
        return _goal(_due(row, int(measure.removeprefix(TARGET)))).text
    standing = _standing(row.summary)
    if not row.summary.get("latest"):
        return standing.text
    if standing.beside:
        standing = Cell(standing.main, pair("front.points", value=standing.beside))
    return Cell(_latest(row.summary).text, standing.text).text
