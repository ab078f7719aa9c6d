"""The regional report: an ordered list of functions, each Context -> Section."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.errors import KepuError
from evaluation.report import (
    effect,
    findings,
    governance,
    groups,
    inputs,
    level,
    method,
    quality,
    targets,
)
from evaluation.report.blocks import Section
from evaluation.report.context import Context
from evaluation.report.writer import Writer
from evaluation.study import Study
from evaluation.text import LANGUAGES

SECTIONS: dict[str, Callable[[Context], Section]] = {
    "findings": findings.section,
    "level": level.section,
    "targets": targets.section,
    "inputs": inputs.section,
    "effect": effect.section,
    "groups": groups.section,
    "governance": governance.section,
    "quality": quality.section,
    "sources": method.sources,
    "method": method.method,
}


def open_report(
    study: Study,
    region: str,
    language: str,
    *,
    date: str,
    first_year: int = 2010,
    provenance: dict[str, str] | None = None,
) -> Context:
    """Start a report on one region.

    Raises
    ------
    KepuError : the region is not in ``regions.csv``, is the nation, or the language is unknown.
    """
    codes = study.dataset.regions.set_index("code")["level"]
    if region not in codes.index:
        raise KepuError(f"Region '{region}' is not in regions.csv; 'kepu list regions' shows all.")
    if codes[region] == "nation":
        raise KepuError("The nation has no regional report; use the overview notebook.")
    if language not in LANGUAGES:
        raise KepuError(f"Unknown language '{language}'; known: {', '.join(LANGUAGES)}.")
    writer = Writer(study.dataset, language)
    return Context(study, region, writer, date, first_year, provenance or {})
