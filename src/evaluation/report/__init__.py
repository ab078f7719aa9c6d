"""The regional report: an ordered list of functions, each Context -> Section."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.base.errors import KepuError
from evaluation.data.slices import code_of
from evaluation.report import (
    brief,
    chain,
    designs,
    effect,
    governance,
    inputs,
    level,
    quality,
    targets,
    value,
)
from evaluation.report.blocks import Paragraph, Section, Title
from evaluation.report.overview import OVERVIEW
from evaluation.report.page import Context, Writer, day
from evaluation.report.quality import record
from evaluation.study import Study

__all__ = ["OVERVIEW", "SECTIONS", "Context", "open_overview", "open_report", "record", "title"]

SECTIONS: dict[str, Callable[[Context], Section]] = {
    "brief": brief.section,
    "findings": chain.findings_section,
    "chain": chain.section,
    "level": level.section,
    "targets": targets.section,
    "inputs": inputs.section,
    "effect": effect.section,
    "designs": designs.section,
    "value": value.section,
    "moves": value.moves_section,
    "groups": governance.groups_section,
    "governance": governance.section,
    "quality": quality.section,
    "sources": quality.sources,
    "method": quality.method,
    "glossary": quality.glossary_section,
}


def open_report(
    study: Study,
    region: str | int,
    language: str,
    *,
    date: str,
    first_year: int = 2010,
    provenance: dict[str, str] | None = None,
) -> Context:
    """Start a report on one region.

    Raises
    ------
    KepuError : the region is not in ``regions.csv``, is the whole, the language is unknown, or
        ``date`` is none.
    """
    region = code_of(study.dataset, region)
    if region == study.dataset.whole:
        told = f"Region '{region}' is the whole, which has no regional report"
        raise KepuError(f"{told}; use the overview notebook.")
    writer = Writer(study.dataset, language)
    return Context(study, region, writer, day(date), first_year, provenance or {})


def open_overview(
    study: Study,
    region_set: str,
    language: str,
    *,
    date: str,
    first_year: int = 2010,
    provenance: dict[str, str] | None = None,
) -> Context:
    """Start the overview of a region set.

    Raises
    ------
    KepuError : the set is not in ``region_sets.csv``, the language is unknown, or ``date`` is none.
    """
    sets = study.dataset.region_sets
    codes = sets.loc[sets["set"] == region_set, "code"].tolist()
    if not codes:
        known = ", ".join(sorted(sets["set"].unique()))
        raise KepuError(f"Region set '{region_set}' is not in region_sets.csv; known: {known}.")
    writer = Writer(study.dataset, language)
    whole = study.dataset.whole
    return Context(study, whole, writer, day(date), first_year, provenance or {}, codes)


def title(context: Context) -> Title:
    """Heading of the page, what the brackets mean, and a warning where figures are simulated."""
    w = context.writer
    styles = {"simulated": "simulated"} if context.study.simulated else {}
    styles |= {"subtitle": "subtitle", "intervals": "note"}
    blocks = tuple(Paragraph(w.t(f"report.{name}"), style) for name, style in styles.items())
    key = f"{'overview' if context.codes else 'report'}.title"
    text = w.t(f"{key}.simulated" if context.study.simulated else key, region=context.name)
    return Title(text, blocks, w.t("page.keywords").unescape())
