"""The front page of a folder of reports: one file that stands alone, from summaries only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from evaluation.base.text import FORMATS, LANGUAGES, OFFICIAL, fixed, policy
from evaluation.batch.cells import (
    Cell,
    Link,
    Pair,
    Row,
    both,
    bounded,
    cells,
    classed,
    inputs,
    joined,
    label,
    legend,
    measures,
    paints,
    pair,
    percent,
    rows,
    words_of,
)
from evaluation.batch.maps import Boundaries, draw_map

if TYPE_CHECKING:
    from jinja2 import Environment

# ------------------------------------------------------------------------------------------
# The first screen: the figure of the whole, and one finding by rules over the regions.


@dataclass(frozen=True)
class Found:
    """What the rules of the finding look at, of one level of regions.

    ``regions``, ``surveyed`` : how many, and how many have a usable survey.
    ``below``, ``near``, ``above`` : of those set against the whole in the year of their survey.
    """

    regions: int
    surveyed: int
    below: int
    near: int
    above: int

    @property
    def compared(self) -> int:
        return self.below + self.near + self.above


# Read from the top; the first rule that holds is taken, and the last always holds.
FINDINGS: Sequence[tuple[str, Callable[[Found], bool]]] = (
    ("empty", lambda f: not f.regions),
    ("unsurveyed", lambda f: not f.surveyed),
    ("alone", lambda f: not f.compared),
    ("one", lambda f: f.compared == 1),
    ("level", lambda f: f.near == f.compared),
    ("below", lambda f: f.below > f.above),
    ("above", lambda f: f.above > f.below),
    ("even", lambda f: True),
)


def counted(listed: Sequence[Row]) -> Found:
    """What the rules look at."""
    sides = [(row.summary.get("standing") or {}).get("side") for row in listed]
    surveyed = sum(bool(row.summary.get("latest")) for row in listed)
    return Found(len(listed), surveyed, *(sides.count(side) for side in ("below", "near", "above")))


def finding(listed: Sequence[Row]) -> Pair:
    """One sentence on where the regions stand.

    It is on the level with most regions compared with the whole, at a tie with most surveyed, then
    on the first of the package's levels.
    """
    levels: dict[str, list[Row]] = {}
    for row in listed:
        levels.setdefault(row.level, []).append(row)
    ranked = [(counted(group), group) for group in levels.values()]
    best, group = max(
        ranked, key=lambda one: (one[0].compared, one[0].surveyed), default=(counted([]), [])
    )
    rule = next(name for name, holds in FINDINGS if holds(best))
    words = words_of(row.summary for row in group)
    counts = {name: getattr(best, name) for name in ("regions", "surveyed", "compared")}
    counts |= {side: getattr(best, side) for side in ("below", "near", "above")}
    kinds = {"kind": group[0].kind.plain} if group else {}
    return pair(f"front.finding.{rule}", **words, **counts, **kinds, **_single(rule, group))


def _single(rule: str, group: Sequence[Row]) -> dict[str, Any]:
    """What is said of the one region that is compared."""
    if rule != "one":
        return {}
    row = next(row for row in group if "gap" in row.summary["standing"])
    standing = row.summary["standing"]
    side = pair(f"front.standing.{standing['side']}", **words_of([row.summary]))
    gap = bounded(*(standing[name] for name in ("gap", "low", "high")))
    return {"region": row.short, "year": standing["wave"], "side": side, "gap": gap}


@dataclass(frozen=True)
class Figure:
    """A number to be read first: of what, how much, how surely."""

    of: Pair
    value: str
    beside: Pair


def figure(listed: Sequence[Row]) -> Figure | None:
    """The whole's latest share; how many regions are surveyed where the whole has none of its own.

    Regions of several packages have no whole in common.
    """
    if not listed:
        return None
    words = words_of(row.summary for row in listed)
    wholes = {str(row.summary.get("nation") or []): row.summary.get("nation") for row in listed}
    rates = next(iter(wholes.values())) if len(wholes) == 1 else None
    if not rates:
        surveyed = counted(listed).surveyed
        of = pair("front.surveyed", **words)
        return Figure(of, f"{surveyed}/{len(listed)}", pair("front.surveyed.none", **words))
    last = rates[-1]
    beside = pair("missing.interval")
    if last["low"] is not None:
        ends = {end: fixed(last[end], 1) for end in ("low", "high")}
        beside = pair("front.figure.range", **ends)
    of = pair("front.figure", year=last["wave"], **words)
    return Figure(of, percent(last["value"]), beside)


# ------------------------------------------------------------------------------------------
# Render the page, in both languages.


# Result -> the text that heads its column.
COLUMNS = ("latest", "standing", "gain", "target", "locks")
NAMES = {
    "pdf": {"zh": "PDF", "en": "PDF"},
    "docx": {"zh": "Word", "en": "Word"},
    OFFICIAL: {"zh": "公文版式", "en": "official layout"},
}
DEEP = {"brief": "depth.brief", "annex": "depth.annexes"}
TONGUES = {"zh": "中文", "en": "English"}
PAIRED = ("year", "a", "b", "gap", "low", "high")
# What the script says; each text has the places that the script fills.
SPOKEN = {
    "column.reports": (),
    "column.trend": (),
    "compare.chart": ("regions",),
    "compare.full": (),
    "compare.higher": PAIRED,
    "compare.near": PAIRED,
    "compare.never": ("a", "b"),
    "compare.pick": ("region",),
    "compare.remove": ("region",),
    "compare.table": (),
    "count": ("shown", "all"),
    "details": ("region",),
    "failed.short": (),
    "more": ("count",),
    "nation": (),
    "nomatch": (),
    "simulated.flag": (),
    "sort.down": ("column",),
    "sort.up": ("column",),
    "spark": ("region", "rates"),
    "spark.rate": ("year", "rate"),
    "title": (),
    "wave": ("year",),
}


def page(
    manifest: Mapping[str, Any],
    summaries: Mapping[str, Mapping[str, Any]],
    *,
    own: Boundaries | None = None,
) -> str:
    """The front page of a folder of reports.

    Parameters
    ----------
    manifest : the folder's record; see :func:`evaluation.batch.cells.rows` for what is read.
    summaries : summary of each report by its stem, as :func:`evaluation.batch.cells.read` gives
        them; a report without one is listed with its files alone.
    own : a user's own approved boundaries, drawn instead of the tiles of the same regions.

    Returns
    -------
    HTML that loads nothing. A script draws the regions a piece at a time; without they are links.
    """
    regions, overviews = rows(manifest, summaries)
    every = [*regions, *overviews]
    simulated = {row.simulated for row in every}
    words = words_of(row.summary for row in regions)
    mapped, columns = _mapped(regions), _columns(regions)
    known, told = measures(mapped), [row for row in mapped if row.summary]
    maps = draw_map(mapped, next(iter(known)), own)
    return _environment().get_template("page.html.j2").render(
        run=manifest["run"],
        made=sum(entry["status"] == "made" for entry in manifest["reports"]),
        failed=[failure for row in every for failure in row.failures],
        regions=regions,
        overviews=overviews,
        levels={row.level: row.kind.names for row in regions},
        both=partial(both, **words),  # every text may say what the package calls its regions
        title=pair("front.title", **words),
        columns=columns,
        figure=figure(told),
        finding=finding(told),
        permitted=_permitted(regions),
        maps=maps,
        measures=known,
        legends={measure: legend(mapped, measure) for measure in known},
        simulated="all" if simulated == {True} else "some" if True in simulated else "",
        data=_payload(regions, columns, maps),
    )  # fmt: skip


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # slow to import

    environment = Environment(
        loader=PackageLoader("evaluation.batch", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = files("evaluation.batch") / "templates"
    # Our own files: no data reaches them, so they stand in the page as they are.
    static = {name: Markup((folder / f"front.{name}").read_text("utf-8")) for name in ("css", "js")}
    environment.globals |= {
        "label": label,
        "pair": pair,
        "formats": FORMATS,
        "link_name": _link_name,
        "percent": percent,
        "tongues": TONGUES,
        "static": static,
        "policy": policy(script=static["js"], style=static["css"]),
    }
    return environment


def _format_name(kind: str) -> Pair:
    """What a file is called: of a brief or an annex its page by that, other formats as well."""
    depth, _, kind = kind.rpartition(".")
    name = NAMES.get(kind, {"zh": kind, "en": kind})
    if not depth:
        return pair("front.format.html") if kind == "html" else name
    said = pair(DEEP[depth])
    return said if kind == "html" else {code: f"{said[code]} {name[code]}" for code in said}


def _link_name(link: Link) -> str:
    """What a link is called, in the language of its file."""
    name = _format_name(link.format)[link.language]
    if link.earlier:
        return f"{name} ({pair('front.failed.earlier', date=link.earlier)[link.language]})"
    return name


def _columns(regions: Sequence[Row]) -> dict[str, Pair]:
    """Results with their heads, without those that are the same of every region that has one."""
    words = words_of(row.summary for row in regions)
    grades = {(row.summary.get("evidence") or {}).get("locks") for row in regions} - {None}
    heads = {name: pair(f"front.column.{name}", **words) for name in COLUMNS}
    if len(grades) <= 1:  # the grade is of the comparison, which stands above the table
        del heads["locks"]
    if not any("gap" in (row.summary.get("standing") or {}) for row in regions):
        del heads["standing"]
    if not any(row.summary.get("targets") for row in regions):
        del heads["target"]
    return heads


def _permitted(regions: Sequence[Row]) -> list[dict[str, Any]]:
    """The sentences the evidence permits, each once, with the locks of its comparison."""
    found: dict[tuple, dict[str, Any]] = {}
    for row in regions:
        evidence = row.summary.get("evidence")
        if evidence:
            key = (row.simulated, evidence["locks"], evidence["statement"]["en"])
            found.setdefault(key, {**evidence, "simulated": row.simulated})
    return list(found.values())


def _mapped(regions: Sequence[Row]) -> list[Row]:
    """Rows the maps may show: never a simulated figure beside a real one."""
    real = [row for row in regions if not row.simulated]
    return real or list(regions)


# ------------------------------------------------------------------------------------------
# What the script draws from: compact records, every text told once, with places for its numbers.


NUMBER = re.compile(r"[+−]?\d+(?:\.\d+)?")
# The places of a record; the script reads them by these names.
FIELDS = (
    "code", "names", "short", "level", "simulated", "kind", "dot", "cells", "rates", "whole",
    "inputs", "files", "failed",
)  # fmt: skip


class Once:
    """Values by their number, each kept once."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def add(self, value: Any) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    def __iter__(self):
        return iter(self.numbers)


def packed(text: Mapping[str, str], forms: Once) -> list[Any]:
    """The number of the form of a text, and the numbers that fill it.

    >>> forms = Once()
    >>> packed({"zh": "2025年15%", "en": "15% by 2025"}, forms), list(forms)
    ([0, '2025', '15'], [('{0}年{1}%', '{1}% by {0}')])
    """
    numbers = NUMBER.findall(text[LANGUAGES[0]])
    return [forms.add(tuple(_form(text[language], numbers) for language in LANGUAGES)), *numbers]


def _form(text: str, numbers: Sequence[str]) -> str:
    """A text with places for numbers; one that is not among them stays as it is."""
    left = dict(enumerate(numbers))

    def place(found: re.Match[str]) -> str:
        number = next((at for at, value in left.items() if value == found[0]), None)
        if number is None:
            return found[0]
        del left[number]
        return f"{{{number}}}"

    return NUMBER.sub(place, text)


def _payload(regions: Sequence[Row], columns: Mapping[str, Pair], maps: Sequence) -> Markup:
    """What the script needs, as JSON that no text in it can end early."""
    from jinja2.utils import htmlsafe_json_dumps

    kept = {name: Once() for name in ("forms", "files", "wholes", "levels", "kinds")}
    forms = kept["forms"]
    mapped = _mapped(regions)
    words = words_of(row.summary for row in regions)
    first, *due = measures(mapped)
    kinds = zip(mapped, classed(mapped, first), strict=True)
    known = {row.key: kept["kinds"].add(found[:2]) for row, found in kinds}
    places = {place.code for drawing in maps for place in drawing.places}
    data = {
        "first": first,
        "fields": FIELDS,
        "columns": columns,
        "rows": [_record(row, columns, first, known.get(row.key), kept) for row in regions],
        "paint": {measure: _painted(mapped, measure, places, forms) for measure in (first, *due)},
        **{name: list(values) for name, values in kept.items()},
        "words": {
            name: pair(f"front.{name}", **{**words, **{place: f"{{{place}}}" for place in places}})
            for name, places in SPOKEN.items()
        }
        | {"rate": _rate_form(True), "rate.bare": _rate_form(False)},
    }
    compact = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    return htmlsafe_json_dumps(data, **compact)


def _painted(
    mapped: Sequence[Row], measure: str, places: set[str], forms: Once
) -> dict[str, list[Any]]:
    """What the maps show of each region that they have."""
    keys = {row.code: row.key for row in mapped}
    return {
        keys[code]: [paint.kind, paint.hatched, paint.mark, packed(paint.words, forms)]
        for code, paint in paints(mapped, measure, places).items()
    }


def _rate_form(bounded: bool) -> Pair:
    """A share with places for its numbers."""
    ends = {"low": "{low}", "high": "{high}", "unit": "%"}
    return joined("{value}%", pair("number.interval" if bounded else "missing.interval", **ends))


def _record(
    row: Row, columns: Iterable[str], first: str, kind: int | None, kept: Mapping[str, Once]
) -> list[Any]:
    """A region as the script draws it, in the order of :data:`FIELDS`."""
    summary, forms, code = row.summary, kept["forms"], quote(row.code)
    found = cells(summary)
    whole = (_points(summary.get("nation")), tuple(summary.get("breaks") or ()))
    links = tuple(
        (link.language, _link_name(link), link.href.replace(code, "*") if code else link.href)
        for link in row.links
    )
    return [
        row.code,
        [*row.names.values()],
        [*_flagged(row).values()],
        kept["levels"].add(row.level),
        int(row.simulated),
        kind,
        _dot(summary, first),
        [_celled(found[name], forms) for name in columns],
        _points(summary.get("rates")),
        kept["wholes"].add(whole),
        [[packed(name, forms), packed(text, forms)] for name, text in inputs(summary).values()],
        kept["files"].add(links),
        [failure.language for failure in row.failures],
    ]


def _celled(cell: Cell, forms: Once) -> list[Any]:
    order = None if cell.order is None else round(cell.order, 4)
    return [order, *(packed(text, forms) for text in (cell.main, cell.beside) if text)]


def _points(rates: Sequence[Mapping[str, Any]] | None) -> tuple[tuple, ...]:
    """Year, share, standard error and ends of the interval of each survey, as they are shown."""
    return tuple(
        (
            one["wave"],
            float(f"{one['value']:.6g}"),
            one["se"],
            *map(_tenth, (one["low"], one["high"])),
        )
        for one in rates or ()
    )


def _tenth(value: float | None) -> float | None:
    # Through the text, so that a script which rounds ties otherwise shows the same.
    return None if value is None else float(fixed(value, 1).replace("−", "-"))


def _dot(summary: Mapping[str, Any], first: str) -> list[float] | None:
    """Difference from the whole, or the share, with its interval and its year."""
    field, value = ("standing", "gap") if first == "gap" else ("latest", "value")
    found = summary.get(field) or {}
    if found.get(value) is None:
        return None
    mid = _tenth(found[value]) if first == "gap" else round(found[value], 2)
    return [mid, *(round(found[end], 2) for end in ("low", "high")), found["wave"]]


def _flagged(row: Row) -> Pair:
    """The short name, marked where the figures are simulated."""
    if not row.simulated:
        return row.short
    flag = pair("front.simulated.flag")
    return {name: f"{row.short[name]} ({flag[name]})" for name in row.short}
