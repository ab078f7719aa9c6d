"""What a user can act on: errors with place, rule and remedy; exit codes."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

FAILED, USAGE, INTERNAL, INTERRUPTED = 1, 2, 70, 130


def tell(text: str) -> None:
    """Write a line to standard error, where there is one that can be written."""
    with contextlib.suppress(OSError, ValueError):  # where nothing can be said the code says it
        print(text, file=sys.stderr, flush=True)


def interrupted() -> int:
    """Say that a person stopped the command."""
    tell("kepu: interrupted")
    return INTERRUPTED


# ------------------------------------------------------------------------------------------
# Errors a user can act on: each names the place, the rule broken and the remedy.


# What may become part of a file name: codes of regions, names of notebooks and of reports.
ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

# Breaches in one column that are printed; a column of the wrong kind breaks a rule in every row.
MOST_SHOWN = 20


class KepuError(Exception):
    """Bad input or usage; the command line prints it without a traceback and exits 2."""


def shown(path: str | os.PathLike[str]) -> str:
    """A path as a message tells it: on one line, whatever characters its name has.

    >>> shown("a b/报告"), shown("a\\nb")
    ('a b/报告', "'a\\\\nb'")
    """
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


@dataclass(frozen=True)
class Violation:
    """One breach of the data contract.

    ``row`` is the line number in the file (the header is line 1), or ``None`` for a breach of a
    whole file.
    """

    file: str
    row: int | None
    column: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}, row {self.row}"
        column = f", column {_plain(self.column, 60)}" if self.column else ""
        return f"{place}{column}: {_plain(self.rule)} — {_plain(self.remedy)}"


def _plain(text: str, longest: int = 600) -> str:
    """Text from a file as a terminal may show it: one line, no invisible letters, not endless.

    >>> print(_plain("a\\x1b[2J\\n\u202eb科普"))
    a\\x1b[2J\\n\\u202eb科普
    """
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class DataError(KepuError):
    """The data package breaks its contract; ``violations`` holds every breach found."""

    def __init__(self, violations: list[Violation]):
        self.violations = list(violations)
        count = len(self.violations)
        noun = "violation" if count == 1 else "violations"
        lines = [f"{count} {noun} of the data contract:", *_grouped(self.violations)]
        super().__init__("\n".join(lines))


def _grouped(violations: list[Violation]) -> Iterator[str]:
    """Each violation, of many in one column the first and how many more there are."""
    shown: Counter[tuple[str, str]] = Counter()
    for violation in violations:
        place = (violation.file, violation.column)
        shown[place] += 1
        if shown[place] <= MOST_SHOWN:
            yield str(violation)
    for (file, column), count in shown.items():
        if count > MOST_SHOWN:
            name = f", column {_plain(column, 60)}" if column else ""
            yield f"… and {count - MOST_SHOWN:,} more in {file}{name}"


class ModelError(KepuError):
    """A model cannot be estimated from the panel it was given; the message says why."""
