"""Candidate figures of a document, for a person to accept or refuse, and those accepted.

Each is a figure as written with its value, unit, comparator, period, target group, the indicators
it may be (best first) and its place. A person decides what enters a package: ``accepted`` reads
the table that was marked.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.base.errors import DataError, KepuError, Violation
from evaluation.base.files import read_bytes
from evaluation.data import contract, rules
from evaluation.data.office import documents, periods, quantities
from evaluation.data.office.cells import Sheet, file_name
from evaluation.data.office.layout import Meaning, Raw, Read, Told
from evaluation.data.office.outline import (
    CLAUSE,
    SENTENCE,
    Outline,
    Paragraph,
    bounds,
    dated,
    outline,
    period_of,
)
from evaluation.data.office.periods import FoundPeriod, Period
from evaluation.data.office.quantities import Found, Quantity, table
from evaluation.data.office.vocabulary import normal, words
from evaluation.data.office.write import guarded, unguarded
from evaluation.data.package import Dataset
from evaluation.data.tables import read_files

COLUMNS = (
    "decision", "region", "figure_as_written", "value", "unit", "comparator", "period_start",
    "period_end", "target_group", "indicator", "score", "other_indicators", "kind", "locator",
    "sentence", "document", "source_id",
)  # fmt: skip
# Columns a marked table is known by; the others of COLUMNS that it needs are asked for.
KNOWN_BY = frozenset(["decision", "figure_as_written", "value", "indicator", "locator"])
NEEDED = frozenset(COLUMNS) - {"target_group", "score", "other_indicators", "sentence"}
TOLD = ("kind", "figure_as_written", "locator", "source_id", "document")  # see layout.Told
SIGNS = {"=": "", ">": ">", ">=": "≥", "approx": "约"}  # of comparators, before a value
MOST_FIGURES = 3_000  # of one document; no person decides on more
_PIECE = re.compile(r"[、，；;：:。！!？?\n]|,(?!\d{3})")
# Domains of indicators on an office's own staff and organisation, which are for no group.
_INWARD = frozenset(["personnel", "volunteer", "organisation", "norm"])


@dataclass(frozen=True)
class Proposal:
    """One candidate figure; ``unit`` is a key of ``units.csv``, ``sentence`` what it stands in."""

    figure_as_written: str
    value: Decimal
    unit: str
    comparator: str
    period_start: str
    period_end: str
    target_group: str
    indicators: tuple[Match, ...]
    locator: str
    sentence: str
    upper: Decimal | None = None

    def _among_all(self) -> bool:
        """Whether a rank is one in the nation: 全国 is the last whole named before it."""
        before = self.sentence.partition(self.figure_as_written)[0]
        wholes = re.findall("全[国省区市州盟县旗]|[东中西]部|东北|西[北南]|华[北东南中]", before)
        return bool(wholes) and wholes[-1] == "全国"

    def record(self) -> dict[str, Any]:
        """The proposal as JSON: units as ledgers name them (persons, CNY), ours in ``unit_key``."""
        unit = _ledger_units().get(self.unit, self.unit)
        if self.unit == "rank" and not self._among_all():
            unit = "rank"
        return {
            "figure_as_written": self.figure_as_written,
            "value": _plain(self.value),
            "unit": unit,
            "comparator": self.comparator,
            "period_start": self.period_start,
            "period_end": self.period_end,
            "target_group": self.target_group,
            "indicators": [match.indicator for match in self.indicators],
            "scores": [match.score for match in self.indicators],
            "locator": self.locator,
            "unit_key": self.unit,
            "upper": None if self.upper is None else _plain(self.upper),
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Proposals:
    """All candidates of one document, in its order; ``date`` as given or found.

    ``source``: id of the document among the sources of a package, by the bytes of its file;
    ``outcome``: the indicator of the package whose figures come from a survey.
    """

    document: str
    date: str
    found: tuple[Proposal, ...]
    source: str = ""
    outcome: str = ""

    def table(self, region: str = "") -> pd.DataFrame:
        """One row a candidate, to mark ``accept`` or ``refuse`` in the column ``decision``.

        ``region``: code or name of the one the document is about, for each row.
        """
        rows = [
            ["", region, *_row(each, self.date, self.outcome), self.document, self.source]
            for each in self.found
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def csv(self, region: str = "") -> str:
        """The table as CSV; no cell of it is a formula where a spreadsheet opens it."""
        harmless = self.table(region).map(lambda cell: cell if cell in SIGNS else guarded(cell))
        return harmless.to_csv(index=False, lineterminator="\n")

    def records(self) -> list[dict[str, Any]]:
        """The candidates as JSON objects; see :meth:`Proposal.record`."""
        return [proposal.record() for proposal in self.found]


def proposals(path: Path | str, data: Path | str | Dataset = "data", date: str = "") -> Proposals:
    """Propose the figures of a document.

    Parameters
    ----------
    path : a txt, md, docx, pdf or html file.
    data : package whose indicators and units the figures are matched to: its folder, or the
        package as it was loaded.
    date : of the document, YYYY or YYYY-MM; where empty it is looked for in the text.

    Raises
    ------
    KepuError : the document cannot be read, see
        :func:`evaluation.data.office.documents.text_of`; ``date`` is no date; the package has no
        indicators or units.
    """
    periods.checked(date)
    tables = vars(data) if isinstance(data, Dataset) else _tables(Path(data))
    matcher = Matcher(tables["indicators"], tables["units"])
    path = Path(path)
    found = of_text(documents.text_of(path), matcher, date, file_name(path))
    digest = hashlib.sha256(read_bytes(path, documents.LARGEST)).hexdigest()
    return replace(found, source=f"F{digest[:8]}", outcome=rules.subject_of(tables, "outcome"))


def _tables(folder: Path) -> Mapping[str, pd.DataFrame]:
    """Indicators and units of a package; the rest of it need not be there yet."""
    files = read_files(folder)
    tables = contract.read(files).tables
    for name, remedy in (("indicators", "describe it in the package"), ("units", "copy it"),
                         ("subject", "copy it")):  # fmt: skip
        if name not in tables:
            rule = "cannot be read, and figures are matched to it"
            raise DataError([Violation(f"{name}.csv", None, "", rule, remedy)])
    return tables


def of_text(text: str, matcher: Matcher, date: str = "", document: str = "") -> Proposals:
    """Propose the figures of a text; pages are parted by form feeds."""
    periods.checked(date)
    whole = outline(text, date)
    found = list(_distinct(list(_all(whole, matcher))))
    return Proposals(document, whole.date, tuple(found))


def _all(whole: Outline, matcher: Matcher) -> Iterator[tuple[Found, Paragraph, Proposal]]:
    figures = []
    for place, each in enumerate(whole.paragraphs):
        counted = quantities.find(each.text, durations=place < whole.title_lines)
        figures.append(sorted([*counted, *find_named(each.text)], key=lambda found: found.start))
    if sum(map(len, figures)) > MOST_FIGURES:
        raise KepuError(
            f"the document has more than {MOST_FIGURES:,} figures — import its tables instead"
        )
    before = ""
    for paragraph, here in zip(whole.paragraphs, figures, strict=True):
        near = dated(paragraph)
        for which, found in enumerate(here):
            made = _proposal(whole, paragraph, here, which, (near, before), matcher)
            yield found, paragraph, made
        before = paragraph.text


def _proposal(
    whole: Outline,
    paragraph: Paragraph,
    figures: list[Found],
    which: int,
    near: tuple[list[FoundPeriod], str],
    matcher: Matcher,
) -> Proposal:
    periods_, before = near
    found, quantity = figures[which], figures[which].quantity
    period = period_of(paragraph, found, periods_)
    wanted = paragraph.scope.plan and not (period.end and period.end < whole.date[:4])
    pieces = _pieces(paragraph, figures, which, before, whole.title)
    matches = matcher.rank(pieces, quantity.unit, wanted)
    line = paragraph.line(found.start)
    place = f"page {paragraph.page}, line {line}" if whole.paged else f"line {line}"
    under = f" ({paragraph.heading})" if paragraph.heading and not paragraph.is_heading else ""
    start, end = bounds(paragraph.text, found, SENTENCE)
    return Proposal(
        found.figure, quantity.value, quantity.unit, quantity.comparator, period.start, period.end,
        _group(paragraph, found, matches, matcher), tuple(matches), place + under,
        paragraph.text[start:end].strip(), quantity.upper,
    )  # fmt: skip


def _distinct(found: list[tuple[Found, Paragraph, Proposal]]) -> Iterator[Proposal]:
    """Each figure once: what a document says again, in a title or a summary, adds nothing."""
    seen: set[tuple[str, ...]] = set()
    for figure, paragraph, proposal in found:
        lead = paragraph.text[max(0, figure.start - 6) : figure.start]
        key = (figure.figure, lead, paragraph.text[figure.end : figure.end + 4])
        short = (figure.word, str(proposal.value))
        structure = figure.word in quantities.structures()
        again = (short in seen) if structure else (key in seen)
        seen |= {key, short} if structure else {key}
        if not again:
            yield proposal


def _pieces(
    paragraph: Paragraph, figures: list[Found], which: int, before: str, title: str
) -> tuple[tuple[str, float], ...]:
    """The words around a figure with their weights: its noun, its clause, its sentence."""
    text, found = paragraph.text, figures[which]
    start, end = bounds(text, found, CLAUSE)
    first, last = bounds(text, found, SENTENCE)
    left, right = bounds(text, found, _PIECE)
    left = max([left, *(f.end for f in figures[:which] if f.end <= found.start)])
    right = min([right, *(f.start for f in figures[which + 1 :] if f.start >= found.end)])
    behind, ahead = text[left : found.start], text[found.end : right]
    noun = [(ahead, 1.15), (behind, 0.9)] if len(ahead) > 1 else [(behind, 1.15)]
    earlier = [part for part in CLAUSE.split(text[first:start]) if part][::-1]
    later = [part for part in CLAUSE.split(text[end:last]) if part]
    figure = re.sub(r"[\d.,，]+", "", found.figure)
    pieces = [(figure, 1.15), *noun, (text[start : found.start], 0.8), (text[found.end : end], 0.8)]
    pieces += [(part, max(0.62 - 0.1 * n, 0.2)) for n, part in enumerate(earlier)]
    pieces += [
        (part, (0.6 if len(ahead) < 2 else 0.35) if not n else 0.15) for n, part in enumerate(later)
    ]
    previous = SENTENCE.split(text[:first].rstrip("。！!？?"))[-1] if first else before[-80:]
    return (*pieces, (previous, 0.25), (paragraph.heading, 0.3), (title, 0.2))


@cache
def _groups() -> list[tuple[str, re.Pattern[str]]]:
    return [(row["group"], re.compile(row["words"], re.I)) for row in table("target_groups")]


def _group(paragraph: Paragraph, found: Found, matches: list[Match], matcher: Matcher) -> str:
    """For whom: the group named nearest before a figure, in its sentence or as its topic."""
    if matches and matcher.domain_of.get(matches[0].indicator) in _INWARD:
        return ""
    text = paragraph.text
    first, last = bounds(text, found, SENTENCE)
    start, end = bounds(text, found, CLAUSE)
    near = (text[start:end], text[first:start], text[end:last], text[max(0, first - 200) : first])
    for part in (*near, paragraph.heading):
        if named := [
            (m.start(), group) for group, shape in _groups() for m in shape.finditer(part)
        ]:
            return max(named)[1]
    return "all"


@cache
def _ledger_units() -> dict[str, str]:
    return {row["unit"]: row["ledger"] for row in table("ledger_units")}


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral() else float(value)


def _row(proposal: Proposal, date: str, outcome: str) -> list[str]:
    best = proposal.indicators[:1]
    others = [f"{match.indicator} {match.score:.2f}" for match in proposal.indicators[1:]]
    kind = "survey" if best and best[0].indicator == outcome else "statistic"
    if proposal.period_end[:4] > date[:4]:
        kind = "target"
    return [
        proposal.figure_as_written, f"{proposal.value:f}", proposal.unit, proposal.comparator,
        proposal.period_start, proposal.period_end, proposal.target_group,
        *([best[0].indicator, f"{best[0].score:.2f}"] if best else ["", ""]), "; ".join(others),
        kind, proposal.locator, proposal.sentence,
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------
# What a person accepted.


def is_decided(sheet: Sheet) -> bool:
    """Whether a sheet is a table of candidates, as :meth:`Proposals.csv` writes it."""
    return bool(sheet.rows) and set(sheet.rows[0]) >= KNOWN_BY


def accepted(sheet: Sheet, meaning: Meaning) -> Read:
    """The figures a person accepted in a table of candidates; rows that name no decision are told.

    A row that was accepted and cannot be taken is refused with its column, rule and remedy.
    """
    found, undecided = Read(sheet), 0
    at = {name: column for column, name in enumerate(sheet.rows[0])}
    for name in sorted(NEEDED - set(at)):
        found.refused.append((0, 0, name, f"the column {name} is missing", "add the column"))
    if found.refused:
        return found
    for number, line in enumerate(sheet.rows[1:], 1):
        cells = [*line, *[""] * (len(at) - len(line))]
        row = {name: unguarded(cells[column]) for name, column in at.items()}
        if not any(row.values()) or normal(row["decision"]) in words("refuse"):
            continue
        undecided += not row["decision"]
        if normal(row["decision"]) in words("accept"):
            _accept(number, row, at, meaning, found)
        elif row["decision"]:
            rule, remedy = f"'{row['decision']}' is no decision", "write accept or refuse"
            found.refused.append((number, at["decision"], row["decision"], rule, remedy))
    if undecided:
        found.passed.append(f"{undecided} rows are neither accepted nor refused")
    return found


def _accept(
    number: int, row: dict[str, str], at: dict[str, int], meaning: Meaning, found: Read
) -> None:
    """Take one row as a figure, or say which of its cells cannot be understood."""
    means = {kind: meaning.find(kind, row[kind]) for kind in ("region", "indicator")}
    faults = {kind: f"write the key or name of the {kind}" for kind, key in means.items()
              if key in ("", "ignore")}  # fmt: skip
    faults |= {name: "write it" for name in TOLD if not row[name]}
    if not meaning.units.knows(row["unit"]):
        faults["unit"] = "write a key of units.csv, and the value in it"
    if row["comparator"] not in SIGNS:
        faults["comparator"] = f"write one of {' '.join(SIGNS)}"
    if not (row["period_start"] or row["period_end"]):
        faults["period_end"] = "write the year or month, as 2023 or 2023-09"
    for column, remedy in faults.items():
        rule = (
            f"'{row[column]}' is no {column} that is known"
            if row[column]
            else f"the {column} is empty"
        )
        found.refused.append((number, at[column], row[column], rule, remedy))
    if faults:
        return
    told = Told(*(row[name] for name in TOLD))
    period = Period(row["period_start"], row["period_end"])
    unit = meaning.units.unit(row["unit"], row["unit"])
    text = SIGNS[row["comparator"]] + row["value"]
    found.raws.append(
        Raw(number, at["value"], text, **means, period=period, unit=unit, header="value", told=told)
    )


# ------------------------------------------------------------------------------------------
# Things that are named and not counted: 甲旗和乙旗成功创建为示范县 is two of them. A person who
# keeps a ledger counts such names; so does this, for the words of ``designations.csv``.


_NAME = r"[^，。；：:、,;!！?？“”()（）\d\s和与及]{2,14}"
_LIST = rf"(?P<names>{_NAME}?(?:[、和与及]{_NAME}?){{0,12}}?)"
_ADVERB = "(?:成功|先后|均|相继|分别|同时|也|已|全部|顺利)*"


@cache
def _words(kind: str) -> str:
    words = [row["word"] for row in table("designations") if row["kind"] == kind]
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@cache
def _shapes() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    honour = (
        rf"被?(?:{_words('verb')})(?P<level>[^，。；,;、]{{0,24}}?)(?P<honour>{_words('honour')})"
    )
    # A clause on its own: names after other words would be cut from the middle of something.
    listed = rf"(?:^|(?<=[，。；：:,;\s])){_LIST}{_ADVERB}{honour}"
    own = rf"(?:{_words('self')}){_ADVERB}{honour}"
    only = rf"唯一的?[一-鿿]{{0,4}}?(?:{_words('only')})"
    return re.compile(own), re.compile(listed), re.compile(only)


def find_named(text: str) -> list[Found]:
    """The counts of a text that are no numerals, in their order.

    >>> [one.figure for one in find_named("红山旗和白河旗成功创建为全国科普示范县")]
    ['红山旗和白河旗', '红山旗', '白河旗']
    """
    own, listed, only = _shapes()
    taken: list[Found] = []
    for found in own.finditer(text):
        taken.append(_one(found["honour"], found.start("honour"), 1))
    for found in listed.finditer(text):
        if not any(found.start() < one.end and one.start < found.end() for one in taken):
            taken += _listed(found)
    for found in only.finditer(text):
        unit = "work" if found[0].endswith("作品") else "count"
        taken.append(_one(found[0], found.start(), 1, unit))
    return sorted(taken, key=lambda one: (one.start, -one.end))


def _listed(found: re.Match[str]) -> Iterator[Found]:
    """The list of names as one count and, where they are regions, each as one."""
    start, words = found.start("names"), found["names"]
    spans = [part.span() for part in re.finditer("[^、和与及]+", words)]
    ends = [rf"(?:{_words(kind)})$" for kind in ("region", "no_region")]
    regions = [name for a, b in spans if re.search(ends[0], name := words[a:b])
               and not re.search(ends[1], name)]  # fmt: skip
    if re.search(f"{_words('self')}|全国|其中|[各个名]|^(?:推荐|推动|支持|指导)", words):
        return
    if len(spans) > 1:
        yield _one(words, start, len(spans))
    if len(regions) == len(spans):
        for a, b in spans:
            yield _one(words[a:b], start + a, 1)
    elif len(spans) == 1 and not found["level"].startswith("了"):
        yield _one(words, start, 1)


def _one(words: str, start: int, count: int, unit: str = "count") -> Found:
    value = Decimal(count)
    return Found(start, start + len(words), words, Quantity(value, unit, "=", Decimal(1)), "")


# ------------------------------------------------------------------------------------------
# Which indicator a figure may be: by the words around it, those of the package's own names and of
# ``indicator_words.csv``, and by its unit.


MOST, LEAST = 5, 0.12  # candidates named for a figure; score below which none is named
# Units that offices use one for another: a school is counted in 所 and in 个.
_ALIKE = tuple(map(str.split, (
    "count school set vehicle team level work piece edition item session volume indicator",
    "session course edition item episode session_per_year",
    "person person_time person_time_per_year click",
    "article item episode work article_time item_time click piece",
    "ordinal edition",
    "percent percentage_point",
)))  # fmt: skip
_WANTED = frozenset(["target", "norm"])  # domains of what a plan wants
_PART = re.compile(r"[，。；、：:（）()“”\"《》/·\s]+")


@dataclass(frozen=True)
class Match:
    """An indicator a figure may be, with its score."""

    indicator: str
    score: float


def pairs(text: str) -> list[str]:
    """Signs of a text two by two, Latin words whole; nothing joins over a bracket or a comma."""
    found = []
    for part in _PART.split(text):
        for run in re.findall(r"[A-Za-z&]+|[^\x00-\x7f]+", part):
            found += (
                [run.lower()] if run.isascii() else [run[i : i + 2] for i in range(len(run) - 1)]
            )
    return found


@dataclass(frozen=True)
class Matcher:
    """Indicators of one package.

    Parameters
    ----------
    indicators : ``indicators.csv``: indicator, label_zh, label_en, unit, domain.
    units : ``units.csv``: unit, base_unit.
    """

    indicators: pd.DataFrame
    units: pd.DataFrame

    @cached_property
    def bases(self) -> dict[str, str]:
        return dict(zip(self.units["unit"], self.units["base_unit"], strict=True))

    @cached_property
    def unit_of(self) -> dict[str, str]:
        units = (self.bases.get(unit, unit) for unit in self.indicators["unit"])
        return dict(zip(self.indicators["indicator"], units, strict=True))

    @cached_property
    def domain_of(self) -> dict[str, str]:
        return dict(zip(self.indicators["indicator"], self.indicators["domain"], strict=True))

    @cached_property
    def names(self) -> dict[str, dict[str, float]]:
        """Pairs of each indicator's names with their weights; words in brackets count less."""
        found = {}
        labels = self.indicators[["indicator", "label_zh", "label_en"]].itertuples(index=False)
        for indicator, chinese, english in labels:
            outside = re.sub(r"[（(].*?[）)]", " ", f"{chinese} ")
            weights = dict.fromkeys(pairs(chinese), 0.25)
            weights |= dict.fromkeys(pairs(outside), 1.0)
            found[indicator] = weights
            found[f"{indicator}\0en"] = dict.fromkeys(pairs(english), 1.0)
        return found

    @cached_property
    def rarity(self) -> dict[str, float]:
        seen = Counter(pair for name in self.names.values() for pair in name)
        return {pair: math.log(1 + len(self.names) / count) for pair, count in seen.items()}

    @cached_property
    def holders(self) -> dict[str, list[tuple[str, float]]]:
        """The names each pair is in."""
        found: dict[str, list[tuple[str, float]]] = {}
        for key, name in self.names.items():
            for pair, own in name.items():
                found.setdefault(pair, []).append((key, own))
        return found

    @cached_property
    def length(self) -> dict[str, float]:
        """The rarity of all pairs of a name together."""
        return {key: sum(self.rarity[pair] * own for pair, own in name.items())
                for key, name in self.names.items()}  # fmt: skip

    @cached_property
    def phrases(self) -> list[dict[str, str]]:
        """The rows of ``indicator_words.csv`` that are of an indicator of this package."""
        return [row for row in table("indicator_words") if row["indicator"] in self.unit_of]

    def rank(self, pieces: Sequence[tuple[str, float]], unit: str, plan: bool) -> list[Match]:
        """Indicators of a unit that fits, the best first, at most ``MOST``.

        Parameters
        ----------
        pieces : texts near a figure, each with the weight its words have: the nearer, the more.
        plan : whether the document says what is wanted, not what is.
        """
        scores: dict[str, float] = {}
        weights: dict[str, float] = {}
        for text, weight in pieces:
            weights |= {pair: max(weight, weights.get(pair, 0.0)) for pair in pairs(text)}
        for key, near in self._near(weights).items():
            indicator = key.partition("\0")[0]
            # Long names are never said whole, short ones easily: a little of the length counts.
            covered = near / self.length[key] ** 0.8 / 4
            fit = self._fit(unit, self.unit_of[indicator])
            if fit:
                scores[indicator] = max(fit * covered, scores.get(indicator, 0.0))
        for row in self.phrases:
            if fit := self._fit(unit, self.unit_of[row["indicator"]]):
                said = fit * _said(row, pieces)
                named = scores.get(row["indicator"], 0.0)
                scores[row["indicator"]] = max(named, 0.8 * said + 0.3 * named)
        for name in scores:
            if (self.domain_of[name] in _WANTED) != plan:
                scores[name] *= 0.85
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:MOST]
        return [Match(name, round(min(score, 1.0), 3)) for name, score in best if score >= LEAST]

    def _fit(self, unit: str, other: str) -> float:
        """1 for the same unit, less for one that is used for it, 0 for any other."""
        unit = self.bases.get(unit, unit)
        if unit == other or not unit:
            return 1.0
        return 0.75 if any(unit in group and other in group for group in _ALIKE) else 0.0

    def _near(self, weights: dict[str, float]) -> dict[str, float]:
        """How much of each name is said nearby, by the rarity of its pairs."""
        near: dict[str, float] = {}
        for pair, weight in weights.items():
            for key, own in self.holders.get(pair, ()):
                near[key] = near.get(key, 0.0) + self.rarity[pair] * own * weight
        return near


def _said(row: dict[str, str], pieces: Sequence[tuple[str, float]]) -> float:
    """Weight of the nearest place where a phrase is said; all parts joined by + have to be."""
    if row["without"] and any(word in text for text, weight in pieces if weight >= 0.9
                              for word in row["without"].split("|")):  # fmt: skip
        return 0.0
    best = 0.0
    for phrase in row["words"].split("|"):
        parts = [max((w for text, w in pieces if part in text), default=0.0)
                 for part in phrase.split("+")]  # fmt: skip
        best = max(best, sum(parts) / len(parts) if all(parts) else 0.0)
    return best
