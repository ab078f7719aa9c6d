"""From the manifest of a folder to the rows of its front page: regions, overviews, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from evaluation.front.summary import clean
from evaluation.front.words import Pair
from evaluation.text import LANGUAGES

FORMATS = ("html", "pdf", "docx")
OVERVIEW = "overview"
LEVELS = {
    OVERVIEW: OVERVIEW,
    "nation": OVERVIEW,
    "province": "province",
    "league": "league",
    "prefecture_city": "league",
    "city": "city",
}  # any other level is a county, banner or district


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
    level: str
    simulated: bool
    summary: Mapping[str, Any] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

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
    found: dict[tuple, Row] = {}
    for entry in manifest["reports"]:
        level = LEVELS.get(entry["level"], "county")
        identity = (level, entry["notebook"], entry["region"], bool(entry["simulated"]))
        row = found.setdefault(identity, _row(entry, level, len(found)))
        row.summary = row.summary or summaries.get(entry["stem"]) or {}
        row.links += links(entry)
        if entry["status"] == "failed":
            error = clean(entry["error"])
            row.failures.append(Failure(row.names, entry["language"], entry["notebook"], error))
    order = list(dict.fromkeys([*LEVELS.values(), "county"]))
    listed = sorted(found.values(), key=lambda row: (order.index(row.level), row.code, row.key))
    regions = [row for row in listed if row.level != OVERVIEW]
    return regions, [row for row in listed if row.level == OVERVIEW]


def _row(entry: Mapping[str, Any], level: str, number: int) -> Row:
    names = {language: clean(entry["names"][language]) for language in LANGUAGES}
    return Row(f"r{number}", clean(entry["region"]), names, level, bool(entry["simulated"]))


def links(entry: Mapping[str, Any]) -> list[Link]:
    """The files of one report in the order of the formats, then an earlier page."""
    written = entry.get("files") or {}
    files = {kind: file["name"] for kind, file in written.items() if kind in FORMATS}
    if entry.get("file"):
        files.setdefault("html", entry["file"])
    named = sorted(files.items(), key=lambda item: (*FORMATS, item[0]).index(item[0]))
    found = [Link(entry["language"], kind, _beside(name)) for kind, name in named]
    earlier = entry.get("earlier") or {}
    if earlier.get("file"):
        date = clean(earlier.get("date", "")) or "—"
        found.append(Link(entry["language"], "html", _beside(earlier["file"]), date))
    return found


def _beside(name: str) -> str:
    """The address of a file in the folder of the page; no name becomes an address elsewhere."""
    return quote(name.lstrip("/"))


def failures(listed: Sequence[Row]) -> list[Failure]:
    """Every failed report of some rows."""
    return [failure for row in listed for failure in row.failures]
