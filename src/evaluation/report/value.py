"""Section: what was spent and what it bought."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots_value, style
from evaluation.errors import ModelError
from evaluation.funds import INDEX
from evaluation.report.blocks import Figure, Heading, Items, Paragraph, Section, Table
from evaluation.report.context import NATION, Context
from evaluation.report.sums import MILLION, chance, money, money_interval
from evaluation.value.prices import price_level
from evaluation.value.region import Assessment, assess

SEED = 20250101


def section(context: Context) -> Section:
    w = context.writer
    blocks = [Heading(w.t("value.spent", region=context.name)), *_spent(context)]
    if context.code in set(context.study.provinces["region_code"]):
        blocks += _bought(context)
    else:
        blocks.append(Paragraph(w.t("value.provinces_only", region=context.name), "missing"))
    return Section("value", w.t("value.title"), tuple(blocks))


def _spent(context: Context) -> list:
    """The region's published funds, the national ones to read them by, and their prices."""
    w, value = context.writer, context.study.value
    if value.funds.empty:
        return [Paragraph(w.t("value.spent.none"), "missing")]
    own = value.funds[value.funds["region_code"] == context.code]
    lacking = context.missing("value.spent.missing")
    blocks = [lacking if own.empty else _funds_table(context, own)]
    if told := _nation(context):
        blocks.append(Paragraph(told))
    blocks.append(Paragraph(prices(context), "note"))
    return blocks


def _funds_table(context: Context, rows: pd.DataFrame) -> Table:
    w = context.writer
    cells = tuple(
        (
            w.t(f"fund.{row['item']}"),
            context.fact(row["fact_id"]),
            w.period(*context.fact_rows.loc[row["fact_id"], ["period_start", "period_end"]]),
            per_head(context, row),
            w.cite(row["source_id"]),
        )
        for _, row in rows.iterrows()
    )
    names = ("fund", "value", "period", "per_head", "source")
    columns = tuple(w.t(f"column.{name}") for name in names)
    return Table(w.t("value.spent.table"), columns, cells, frozenset({1, 3}))


def per_head(context: Context, row: pd.Series) -> Markup:
    """Funds per head in constant prices, a dash where they cannot be told."""
    if pd.isna(row["per_head"]):
        return Markup("—")
    return context.writer.number(f"funds.{row['fact_id']}.per_head", row["per_head"], "", 2)


def nation_funds(context: Context) -> Markup:
    """The latest national funds per head, for comparison; empty where none are published."""
    funds = context.study.value.funds
    if len(funds):
        funds = funds[(funds["region_code"] == NATION) & (funds["item"] == "raised")]
    if funds.empty or funds["per_head"].isna().all():
        return Markup("")
    return raised(context, "value.spent.nation", funds.dropna(subset="per_head").iloc[-1])


def raised(context: Context, key: str, row: pd.Series) -> Markup:
    """The sentence ``key`` on funds raised in a year, in all and per head, with their source."""
    w = context.writer
    return w.t(
        key,
        year=w.year(row["end"]),
        funds=context.fact(row["fact_id"]),
        per_head=per_head(context, row),
        source=w.cite(row["source_id"]),
    )


def _nation(context: Context) -> Markup:
    """National funds, and their parts where they are printed."""
    w, value, text = context.writer, context.study.value, nation_funds(context)
    if value.shares is None or not text:
        return text
    parts = {
        name: w.number(f"value.share.{name}", 100 * share, "percent", 0)
        for name, share in value.shares.items()
    }
    return w.joined(text, w.t("value.spent.shares", year=w.year(value.share_year), **parts))


def prices(context: Context) -> Markup:
    """In which year's prices figures stand, by which deflator."""
    w, facts = context.writer, context.study.dataset.facts
    last = facts[facts["indicator"] == INDEX].sort_values("period_end").iloc[-1]
    year = int(price_level(context.study.dataset).index[-1])
    return w.t("value.prices", year=w.year(year), source=w.cite(last["source_id"]))


def _bought(context: Context) -> list:
    """Cost and gain of a year with more of everything; no ratio where the gain is not told."""
    w = context.writer
    heading = Heading(w.t("value.bought"))
    try:
        found = assess(context.study.value, context.study.dataset, context.code, seed=SEED)
    except ModelError:
        return [heading, context.missing("value.bought.missing")]
    return [
        heading,
        Paragraph(lead(context, found), "lead"),
        Paragraph(step(context, found)),
        Items(tuple(_worth(context, found))),
        figure(context, found),
        Paragraph(w.t("value.bought.note"), "note"),
    ]


def lead(context: Context, found: Assessment) -> Markup:
    """The cost of one more literate adult, or why none is given."""
    w, key = context.writer, f"value.{context.code}"
    if found.ratio is None or context.study.headline.grade.locks < 1:
        return w.t("value.ratio.none")
    return w.t(
        "value.ratio",
        ratio=w.number(f"{key}.ratio", found.ratio.value, "yuan", 0),
        interval=w.interval(f"{key}.ratio", found.ratio.low, found.ratio.high, "", 0),
    )


def step(context: Context, found: Assessment) -> Markup:
    """What a year with more of everything takes, and what it would go with."""
    w, key, told = context.writer, f"value.{context.code}", found.summary()
    basis = "own" if found.programme["own_year"] else "nation"
    own = w.year(int(found.programme["own_year"])) if basis == "own" else ""
    adults = [w.number(f"{key}.adults.{end}", told[f"adults.{end}"], "", 0)
              for end in ("low", "high")]  # fmt: skip
    return w.joined(
        w.t(
            "value.step",
            region=context.name,
            share=w.number("value.step", 100 * found.share, "percent", 0),
            cost=money(w, f"{key}.cost", told["cost"]),
            interval=money_interval(w, f"{key}.cost", told["cost.low"], told["cost.high"]),
            low=w.number(f"{key}.points.low", told["points.low"], "", 3, signed=True),
            high=w.number(f"{key}.points.high", told["points.high"], "", 3, signed=True),
            fewest=adults[0],
            most=adults[1],
        ),
        w.t(
            f"value.step.{basis}",
            region=context.name,
            year=w.year(int(found.programme["year"])),
            own=own,
            per_head=w.number(f"{key}.programme", found.programme["per_head"], "", 1),
            interval=w.interval(
                f"{key}.programme", found.programme["low"], found.programme["high"], "", 1
            ),
        ),
    )


def _worth(context: Context, found: Assessment) -> list[Markup]:
    """Acceptability, net benefit and the value of knowing more, at the stated worth."""
    w, key, told = context.writer, f"value.{context.code}", found.summary()
    wtp = w.number("value.wtp", found.wtp, "yuan", 0)
    sign = "loss" if told["benefit"] < 0 else "gain"
    return [
        w.t("value.positive", p=chance(w, f"{key}.positive", told["positive"])),
        w.t("value.probability", wtp=wtp, p=chance(w, f"{key}.probability", told["probability"])),
        w.t(
            f"value.benefit.{sign}",
            wtp=wtp,
            benefit=money(w, f"{key}.benefit", abs(told["benefit"])),
        ),
        w.t("value.information", wtp=wtp, value=money(w, f"{key}.information",
                                                      told["information"], 2)),
    ]  # fmt: skip


def figure(context: Context, found: Assessment) -> Figure:
    """The plane of cost and effect, and the acceptability curve beside it."""
    w, curves = context.writer, found.curves()
    # A quarter of the draws shows the cloud; all of them would only make the file larger.
    draws = pd.DataFrame({"effect": found.gained[::4], "cost": found.spent[::4] / MILLION})
    curve = pd.DataFrame({"wtp": curves["wtp"], "probability": curves["probability"]})
    labels = {name: str(w.t(f"axis.value.{name}"))
              for name in ("effect", "cost", "wtp", "probability")}  # fmt: skip
    drawn = style.drawn(
        plots_value.plane_and_acceptability, draws, curve, wtp=found.wtp, labels=labels
    )
    key, told = f"value.{context.code}", found.summary()
    says = w.t(
        "figure.value",
        positive=chance(w, f"{key}.positive", told["positive"]),
        p=chance(w, f"{key}.probability", told["probability"]),
    )
    caption = context.captioned(says, w.t("value.figure.caption"))
    return Figure(drawn, caption, str(w.t("value.figure.alt")))
