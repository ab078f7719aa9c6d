"""A plan in words: the chain on a region's own documents, and the text of ``kepu scenario``."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from evaluation.errors import KepuError
from evaluation.evidence import gate
from evaluation.report.blocks import Heading, Items, Paragraph
from evaluation.report.context import Context
from evaluation.report.sums import chance, money
from evaluation.report.writer import Writer
from evaluation.value.scenario import Change, Projection, scenario

# What a document must print for the chain: money obtained, facilities it opened, all there are.
MONEY = "central_fund_free_museum_opening"
FUNDED = "science_museums_funded_free_opening"
ALL = "science_museums_banner_level_and_above"


def _last(context: Context, indicator: str) -> pd.Series | None:
    rows = context.facts[context.facts["indicator"] == indicator]
    return None if rows.empty else rows.sort_values("period_end").iloc[-1]


def chain(context: Context) -> list:
    """From the money in the region's documents to what its plan would go with, or nothing."""
    w = context.writer
    paid, funded, every = (_last(context, name) for name in (MONEY, FUNDED, ALL))
    if paid is None or funded is None or every is None or every["value"] <= funded["value"]:
        return []
    factor = float(every["value"] / funded["value"])
    try:
        found = scenario(
            context.study, context.code, [Change("facility", factor)], budget=float(paid["value"])
        )
    except KepuError:
        return []
    return [
        Heading(w.t("chain.title")),
        Items(tuple(_documents(context, paid, funded, every))),
        Paragraph(_plan(context, found, factor, paid)),
        *[Paragraph(text, "lead") for text in _judged(w, f"chain.{context.code}", found)],
        Paragraph(w.t("chain.note"), "note"),
    ]


def _documents(
    context: Context, paid: pd.Series, funded: pd.Series, every: pd.Series
) -> list[Markup]:
    w, funds = context.writer, context.study.value.funds
    row = funds.set_index("fact_id").loc[paid["fact_id"]]
    key = f"chain.{context.code}"
    spent = w.t(
        "chain.money",
        money=context.fact(paid["fact_id"]),
        funded=context.fact(funded["fact_id"]),
        period=w.period(paid["period_start"], paid["period_end"]),
        a_museum=money(w, f"{key}.a_museum", row["real"] / funded["value"], 2),
        per_head=w.number(f"funds.{paid['fact_id']}.per_head", row["per_head"], "", 2),
        source=w.cite(paid["source_id"]),
    )
    there = w.t("chain.museums", every=context.fact(every["fact_id"]),
                source=w.cite(every["source_id"]))  # fmt: skip
    gains = context.study.gains
    own = gains[(gains["region_code"] == context.code) & (gains["wave_to"] > row["start"])]
    if own.empty:
        return [spent, there]
    gain = own.iloc[0]
    name = f"gain.{context.code}.{gain['interval']}"
    rose = w.t(
        "chain.gain",
        first=w.year(gain["wave_from"]),
        last=w.year(gain["wave_to"]),
        before=context.fact(gain["fact_from"]),
        after=context.fact(gain["fact_to"]),
        gain=w.number(name, gain["gain"], "percentage_point", 2),
        interval=w.interval(name, gain["low"], gain["high"], "", 1),
    )
    return [spent, there, rose]


def _plan(context: Context, found: Projection, factor: float, paid: pd.Series) -> Markup:
    w, key = context.writer, f"chain.{context.code}"
    told = found.result.summary()
    return w.t(
        "chain.plan",
        rise=w.number(f"{key}.rise", 100 * (factor - 1), "percent", 0),
        money=context.fact(paid["fact_id"]),
        low=w.number(f"{key}.points.low", told["points.low"], "", 3, signed=True),
        high=w.number(f"{key}.points.high", told["points.high"], "", 3, signed=True),
        fewest=w.number(f"{key}.adults.low", told["adults.low"], "", 0),
        most=w.number(f"{key}.adults.high", told["adults.high"], "", 0),
    )


def _judged(w: Writer, key: str, found: Projection) -> list[Markup]:
    """The verdict with its locks; with a budget also its worth. Every sentence passes the gate."""
    told, strength = found.result.summary(), "none" if found.locks < 1 else "some"
    sentences = [
        w.t(f"outlook.{found.verdict}"),
        w.t(
            f"outlook.locks.{strength}",
            locks=w.number("evidence.locks", found.locks, "", 0),
            most=w.number("evidence.most", 5, "", 0),
        ),
    ]
    if found.result.ratio is not None and found.budget:
        ratio = found.result.ratio
        sentences.append(
            w.t(
                "outlook.ratio",
                ratio=w.number(f"{key}.ratio", ratio.value, "yuan", 0),
                interval=w.interval(f"{key}.ratio", ratio.low, ratio.high, "", 0),
            )
        )
    elif found.budget:
        sentences.append(
            w.t(
                "outlook.worth",
                wtp=w.number("value.wtp", found.result.wtp, "yuan", 0),
                p=chance(w, f"{key}.probability", told["probability"]),
            )
        )
    for sentence in sentences:
        gate(str(Markup(sentence).striptags()), w.language, found.locks)
    return [w.joined(*sentences)]


def lines(study: Any, found: Projection, language: str) -> list[str]:
    """The outlook as lines of plain text, for the command line."""
    w, told = Writer(study.dataset, language), found.result.summary()
    rows = [
        w.t(
            "outlook.change",
            dose=w.t(f"dose.{item.lever}"),
            year=w.year(found.levels[item.lever][0]),
            today=w.number(f"{item.lever}.today", found.levels[item.lever][1], "", 2),
            planned=w.number(
                f"{item.lever}.planned", found.levels[item.lever][1] * item.factor, "", 2
            ),
            rise=w.number(f"{item.lever}.rise", 100 * (item.factor - 1), "percent", 0, signed=True),
        )
        for item in found.changes
    ]
    rows.append(
        w.t(
            "outlook.gain",
            region=w.name(found.region),
            points=w.number("points", told["points"], "percentage_point", 3, signed=True),
            interval=w.interval("points", told["points.low"], told["points.high"], "", 3),
            adults=w.number("adults", told["adults"], "", 0, signed=True),
            range=w.interval("adults", told["adults.low"], told["adults.high"], "", 0),
        )
    )
    if found.budget:
        rows.append(
            w.t(
                "outlook.budget",
                budget=w.number("budget", found.budget, "yuan", 0),
                per_head=w.number("per_head", found.budget / found.result.people, "", 2),
            )
        )
    if study.simulated:
        rows.insert(0, w.t("view.simulated"))
    return [str(Markup(row).striptags()) for row in (*rows, *_judged(w, "outlook", found))]
