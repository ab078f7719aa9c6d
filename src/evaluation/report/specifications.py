"""Blocks on the specification curve: every reasonable specification of the headline, drawn."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import style
from evaluation.headline import Headline
from evaluation.plots_specification import specification_curve
from evaluation.report.blocks import Figure, Heading, Paragraph
from evaluation.report.context import Context
from evaluation.results import Check

# Choices of the specification curve that are drawn, each with its values.
CHOICES = {
    "covariates": ("opening", "log2_gdp_per_capita", "college_share"),
    "weights": ("known_variance", "none"),
    "breaks": ("in", "out"),
}


def specifications(context: Context, found: Headline) -> tuple[Heading | Paragraph | Figure, ...]:
    """Heading, sentence and figure; nothing where no curve could be made."""
    check = next((c for c in found.checks if c.name == "specification_curve"), None)
    if check is None or not check.rows:
        return ()
    title = context.writer.t("specification.title")
    return (Heading(title), Paragraph(_sentence(context, check)), curve(context, found, check))


def _sentence(context: Context, check: Check) -> Markup:
    w, values = context.writer, check.values
    key = f"check.{check.name}"
    return w.t(
        "specification.text",
        low=w.number(f"{key}.low", values["low"], "", 3),
        high=w.number(f"{key}.high", values["high"], "", 3),
        **_shares(context, check),
    )


def _shares(context: Context, check: Check) -> dict[str, Markup]:
    """How many specifications there are, and what share has the other sign."""
    w, key, share = context.writer, f"check.{check.name}", 100 * check.values["opposite_share"]
    return {
        "count": w.number(f"{key}.count", check.values["count"], "", 0),
        "opposite": w.number(f"{key}.opposite_share", share, "percent", 1),
    }


def curve(context: Context, found: Headline, check: Check) -> Figure:
    """The sorted estimates with the choices behind each."""
    w = context.writer
    choices = {
        column: {value: str(w.t(f"specification.{column}.{value}")) for value in known}
        for column, known in CHOICES.items()
    }
    drawn = style.drawn(
        specification_curve,
        pd.DataFrame(list(check.rows)),
        ylabel=str(w.t("axis.specification")),
        choices=choices,
        headline_sign=1 if found.result.estimate >= 0 else -1,
    )
    says = w.t("figure.specification", **_shares(context, check))
    caption = context.captioned(says, w.t("specification.caption"))
    return Figure(drawn, caption, str(w.t("specification.alt")))
