"""Views of the robustness notebook: the composite's ladder, checks, locks and specifications."""

from __future__ import annotations

from evaluation.headline import Headline
from evaluation.report.blocks import Figure, Heading, Items, Paragraph, Table
from evaluation.report.context import Context
from evaluation.report.specifications import curve
from evaluation.report.strength import quotable, strength
from evaluation.views import View, drawn, show

# The blocks of the report's strength section by the kind of question they answer.
PARTS = {"forest": 0, "ladder": 0, "locks": 1, "checks": 2}


def part(page: Context, name: str) -> View:
    """A part of the report on strength: ``forest``, ``ladder``, ``locks`` or ``checks``."""
    groups: list[list[Paragraph | Items | Table | Figure]] = []
    for block in drawn(page, strength):
        if isinstance(block, Heading):
            groups.append([])
        else:
            groups[-1].append(block)
    if not groups:
        return show(page, Paragraph(quotable(page)))
    blocks = groups[PARTS[name]]
    figures = [block for block in blocks if isinstance(block, Figure)]
    return show(page, *(figures if name == "forest" else [b for b in blocks if b not in figures]))


def sentence(page: Context) -> View:
    """The strongest sentence the evidence permits."""
    return show(page, Paragraph(quotable(page), "lead"))


def specifications(page: Context) -> View:
    """Every reasonable specification of the headline, sorted, with the choices it made."""
    found = page.study.headline
    if not isinstance(found, Headline):
        return show(page, Paragraph(quotable(page)))
    check = next(item for item in found.checks if item.name == "specification_curve")
    return show(page, curve(page, found, check))


def expected(page: Context) -> View:
    """Latest gain of each region against what the other regions lead one to expect."""
    w, found = page.writer, page.study.headline
    if not isinstance(found, Headline):
        return show(page, Paragraph(quotable(page)))
    rows = found.expected.dropna(subset="expected").sort_values("wave_to")
    rows = rows.groupby("region_code").tail(1).sort_values("residual", ascending=False)
    cells = []
    for _, row in rows.iterrows():
        key = f"expected.{row['region_code']}.{row['interval']}"
        cells.append(
            (
                w.name(row["region_code"]),
                w.span(row["wave_from"], row["wave_to"]),
                w.number(f"{key}.observed", row["observed"], "", 2, signed=True),
                w.number(f"{key}.expected", row["expected"], "", 2, signed=True),
                w.number(f"{key}.residual", row["residual"], "", 2, signed=True),
                w.interval(key, row["low"], row["high"], "", 2),
            )
        )
    names = ("region", "interval", "observed_gain", "expected_gain", "residual", "interval95")
    columns = tuple(w.t(f"column.{name}") for name in names)
    return show(page, Table(w.t("expected.table"), columns, tuple(cells), frozenset({2, 3, 4, 5})))
