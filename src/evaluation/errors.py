"""Errors a user can act on: each names the place, the rule broken and the remedy."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

# What may become part of a file name: codes of regions, names of notebooks and of reports.
ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


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
        column = f", column {self.column}" if self.column else ""
        return f"{place}{column}: {self.rule} — {self.remedy}"


class DataError(KepuError):
    """The data package breaks its contract; ``violations`` holds every breach found."""

    def __init__(self, violations: list[Violation]):
        self.violations = list(violations)
        count = len(self.violations)
        noun = "violation" if count == 1 else "violations"
        lines = [f"{count} {noun} of the data contract:", *map(str, self.violations)]
        super().__init__("\n".join(lines))


class ModelError(KepuError):
    """A model cannot be estimated from the panel it was given; the message says why."""
