"""Section: inputs by domain — proxies per head, the region's own published figures, norms."""

from __future__ import annotations

from evaluation.report.blocks import Heading, Paragraph, Section
from evaluation.report.context import Context
from evaluation.report.figures import figure_table
from evaluation.report.norms import norm_blocks
from evaluation.report.proxies import proxy_blocks

DOMAINS = (
    "facility", "personnel", "volunteer", "activity", "fund", "digital", "reach", "training",
)  # fmt: skip


def section(context: Context) -> Section:
    w = context.writer
    blocks = [Paragraph(w.t("inputs.intro")), *proxy_blocks(context), *_published(context)]
    return Section("inputs", w.t("inputs.title"), (*blocks, *norm_blocks(context)))


def _published(context: Context) -> list:
    """Every published figure of the region that is not a proxy, by domain."""
    w = context.writer
    indicators = context.study.dataset.indicators.set_index("indicator")
    facts = context.facts
    facts = facts[(facts["kind"] == "statistic") & (facts["group"] == "")]
    facts = facts[~facts["indicator"].map(indicators["proxy"]).astype(bool)]
    domain = facts["indicator"].map(indicators["domain"])
    blocks: list = [Heading(w.t("inputs.published", region=context.name))]
    empty = []
    for key in DOMAINS:
        rows = facts[domain == key]
        if rows.empty:
            empty.append(str(w.t(f"domain.{key}")))
        else:
            blocks.append(figure_table(context, rows, w.t(f"domain.{key}")))
    if empty:
        names = ("、" if w.language == "zh" else ", ").join(empty)
        blocks.append(context.missing("inputs.missing", domains=names))
    blocks.append(Paragraph(w.t("inputs.published.note"), "note"))
    return blocks
