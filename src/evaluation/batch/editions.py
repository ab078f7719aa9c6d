"""What changed between two editions of a batch: results, and the findings they stand in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.batch import pages
from evaluation.batch.pages import FINDINGS, Page

RUN = ("date", "data_hash", "commit", "package")
SAME = 1e-9  # relative; two runs of one seed agree to the last digits but few


@dataclass(frozen=True)
class Moved:
    """A result or a fact whose number is another: its key, old and new value, on which pages.

    A value is None where an edition has no such number.
    """

    key: str
    old: float | None
    new: float | None
    pages: tuple[str, ...]

    def __str__(self) -> str:
        old, new = ("none" if v is None else f"{v:.6g}" for v in (self.old, self.new))
        return f"{self.key}: {old} → {new} ({', '.join(self.pages)})"


@dataclass(frozen=True)
class Finding:
    """A key finding that says something else; ``because`` are its numbers that moved."""

    page: str
    old: str
    new: str
    because: tuple[str, ...]


@dataclass(frozen=True)
class Edition:
    """Changes from one edition to the next.

    ``run``: what the runs themselves were, where that differs, old and new.
    """

    run: dict[str, tuple[str, str]]
    pages_added: tuple[str, ...]
    pages_removed: tuple[str, ...]
    results: tuple[Moved, ...]
    facts: tuple[Moved, ...]
    findings: tuple[Finding, ...]

    def record(self) -> dict[str, Any]:
        """The changes as plain JSON values."""
        return asdict(self)

    def __bool__(self) -> bool:
        parts = (self.pages_added, self.pages_removed, self.results, self.facts, self.findings)
        return any(parts)


def compare(old: Path, new: Path) -> Edition:
    """Compare two folders of reports, page by page of the same name.

    Raises
    ------
    KepuError : see :func:`evaluation.batch.pages.edition`.
    """
    (run_before, before), (run_after, after) = pages.edition(old), pages.edition(new)
    first, second = ({page.file: page for page in each} for each in (before, after))
    both = [(first[name], second[name]) for name in first if name in second]
    facts = [(_shown(a), _shown(b), b.file) for a, b in both]
    results = [(a.results, b.results, b.file) for a, b in both]
    moved = _moved(results), _moved(facts)
    keys = {item.key for each in moved for item in each}
    runs = ((name, str(run_before.get(name, "")), str(run_after.get(name, ""))) for name in RUN)
    return Edition(
        {name: (a, b) for name, a, b in runs if a != b},
        tuple(name for name in second if name not in first),
        tuple(name for name in first if name not in second),
        *moved,
        tuple(finding for a, b in both for finding in _findings(a, b, keys)),
    )


def _shown(page: Page) -> dict[str, float]:
    """Facts a page shows with their values."""
    return {number.fact: float(number.value) for number in page.numbers if number.fact}


def _moved(compared: list[tuple[dict[str, float], dict[str, float], str]]) -> tuple[Moved, ...]:
    """Numbers that differ, the same change on several pages told once."""
    found: dict[tuple[str, float | None, float | None], list[str]] = {}
    for old, new, page in compared:
        for key in dict.fromkeys([*old, *new]):
            before, after = old.get(key), new.get(key)
            if before is None or after is None or not _close(before, after):
                found.setdefault((key, before, after), []).append(page)
    return tuple(Moved(*change, tuple(where)) for change, where in found.items())


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=SAME, abs_tol=1e-12)


def _findings(old: Page, new: Page, moved: set[str]) -> Iterator[Finding]:
    """Findings in the order of the page; each answers its own question, so place is identity."""
    for place in range(max(len(old.findings), len(new.findings))):
        texts = (page.findings[place : place + 1] for page in (old, new))
        before, after = ("".join(text) for text in texts)
        if before != after:
            told = _keys(old, before) | _keys(new, after)
            yield Finding(new.file, before, after, tuple(sorted(told & moved)))


def _keys(page: Page, words: str) -> set[str]:
    return {
        number.result or number.fact
        for number in page.numbers
        if number.piece.section == FINDINGS and number.piece.words == words
    }


def lines(edition: Edition) -> Iterator[str]:
    """The changes in plain lines, findings first."""
    yield from (f"{name}: {a or 'none'} → {b or 'none'}" for name, (a, b) in edition.run.items())
    yield from (f"new page {name}" for name in edition.pages_added)
    yield from (f"page {name} is gone" for name in edition.pages_removed)
    for finding in edition.findings:
        why = f" [{', '.join(finding.because)}]" if finding.because else ""
        yield f"finding on {finding.page}{why}:"
        yield f"  was: {finding.old or '(none)'}"
        yield f"  is:  {finding.new or '(none)'}"
    yield from (f"result {item}" for item in edition.results)
    yield from (f"fact {item}" for item in edition.facts)
    if not edition:
        yield "nothing a page says has changed"
