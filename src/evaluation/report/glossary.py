"""Section: the technical terms of a report in everyday words."""

from __future__ import annotations

from evaluation.report.blocks import Paragraph, Section, Terms
from evaluation.report.context import Context

TERMS = (
    "share", "point", "error", "interval", "gain", "instrument", "percentile", "median", "band",
    "league", "proxy", "composite", "association", "told", "p", "detectable", "locks", "check",
    "regression", "effective", "grade",
)  # fmt: skip


def section(context: Context) -> Section:
    """Each term with its meaning, in the order in which a report uses them."""
    w = context.writer
    terms = tuple((w.t(f"glossary.{name}"), w.t(f"glossary.{name}.text")) for name in TERMS)
    blocks = (Paragraph(w.t("glossary.note"), "note"), Terms(terms))
    return Section("glossary", w.t("glossary.title"), blocks)
