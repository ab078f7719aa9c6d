"""Section: from money to target on one page, on figures the region has published."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.errors import KepuError, ModelError
from evaluation.report import findings
from evaluation.report.blocks import Items, Paragraph, Section
from evaluation.report.chain_figures import (
    ALL,
    FUNDED,
    MONEY,
    inputs_text,
    last,
    literacy_text,
    money_text,
)
from evaluation.report.context import Context
from evaluation.report.goals import Goal, goals_of
from evaluation.report.outlook import SHOWN, chance_text, chance_word, cover_text
from evaluation.report.planned import judged
from evaluation.report.strength import quotable
from evaluation.report.value import SEED, lead, step
from evaluation.targets.outlook import Outlook
from evaluation.targets.tracker import track
from evaluation.value.region import assess
from evaluation.value.scenario import Change, Projection, scenario

LINKS = ("money", "inputs", "literacy", "cost", "evidence", "target", "next")
# A projection and the facts it rests on: money, museums funded, all museums.
Plan = tuple[Projection, pd.Series, pd.Series, pd.Series]


def section(context: Context) -> Section:
    """Seven links from the money to what to do next; what is not published says so."""
    w = context.writer
    plan = _plan(context)
    told = (
        money_text(context),
        inputs_text(context),
        literacy_text(context),
        _cost(context, plan),
        _evidence(context),
        _target(context),
        _next(context),
    )
    labels = tuple(w.t(f"chain.label.{name}") for name in LINKS)
    blocks: list = [Paragraph(w.t("chain.lead", region=context.name), "note")]
    blocks.append(Items(told, key=True, labels=labels))
    if plan is not None:
        blocks.append(Paragraph(w.t("chain.note"), "note"))
    return Section("chain", w.t("chain.title"), tuple(blocks))


def _plan(context: Context) -> Plan | None:
    """Support for every museum there is, with as much money again, where documents name both."""
    paid, funded, every = (last(context, name) for name in (MONEY, FUNDED, ALL))
    if paid is None or funded is None or every is None or every["value"] <= funded["value"]:
        return None
    factor = float(every["value"] / funded["value"])
    changes = [Change("facility", factor)]
    try:
        found = scenario(context.study, context.code, changes, budget=float(paid["value"]))
    except KepuError:
        return None
    return found, paid, funded, every


def _cost(context: Context, plan: Plan | None) -> Markup:
    """What the plan of the documents, or else a year of more, would go with."""
    w = context.writer
    if plan is not None:
        return w.joined(_planned(context, plan), *judged(w, _key(context), plan[0]))
    if context.code not in set(context.study.provinces["region_code"]):
        return w.t("value.provinces_only", region=context.name)
    try:
        found = assess(context.study.value, context.study.dataset, context.code, seed=SEED)
    except ModelError:
        return w.t("chain.cost.none", region=context.name)
    return w.joined(step(context, found), lead(context, found))


def _key(context: Context) -> str:
    return f"chain.{context.code}"


def _planned(context: Context, plan: Plan) -> Markup:
    found, paid, funded, every = plan
    w, key, told = context.writer, _key(context), found.result.summary()
    factor = every["value"] / funded["value"]
    return w.t(
        "chain.plan",
        funded=context.fact(funded["fact_id"]),
        every=context.fact(every["fact_id"]),
        rise=w.number(f"{key}.rise", 100 * (factor - 1), "percent", 0),
        money=context.fact(paid["fact_id"]),
        low=w.number(f"{key}.points.low", told["points.low"], "", 3, signed=True),
        high=w.number(f"{key}.points.high", told["points.high"], "", 3, signed=True),
        fewest=w.number(f"{key}.adults.low", told["adults.low"], "", 0),
        most=w.number(f"{key}.adults.high", told["adults.high"], "", 0),
    )


def _evidence(context: Context) -> Markup:
    """The strongest sentence the locks permit, with the locks."""
    w = context.writer
    return w.joined(quotable(context), *(item.text for item in findings.locks(context)))


def _target(context: Context) -> Markup:
    """The own target that is due, the chance of each that lies ahead, other targets counted."""
    w, found = context.writer, context.study.outlook
    parts = [findings.target(context)]
    if isinstance(found, Outlook) and context.code in found.regions:
        goals = goals_of(context, context.code)
        parts += [_goal(context, found, goal) for goal in goals]
        parts += [_tested(context, found)] if goals and found.beats_benchmarks else []
    else:
        parts.append(w.t("chain.target.none", region=context.name))
    others = track(context.study.dataset.facts, context.code)
    if others:
        unknown = sum(item.status == "unknown" for item in others)
        key = "chain.tracked.none" if unknown == len(others) else "chain.tracked"
        parts.append(
            w.t(
                key,
                count=w.number(f"tracked.{context.code}", len(others), "", 0),
                unknown=w.number(f"tracked.{context.code}.unknown", unknown, "", 0),
            )
        )
    return w.joined(*parts)


def _tested(context: Context, found: Outlook) -> Markup:
    """How such forecasts did on values published later."""
    w, name, best = context.writer, found.trend.name, found.score()
    return w.t(
        "chain.tested",
        rates=w.number("backtest.rates", best["rates"], "", 0),
        mae=w.number(f"backtest.{name}.mae", best["mae"], "percentage_point", 2),
        cover=w.number("outlook.shown", SHOWN, "percent", 0),
        held=cover_text(context, name, SHOWN, best),
    )


def _goal(context: Context, found: Outlook, goal: Goal) -> Markup:
    w, code = context.writer, context.code
    key, row = f"outlook.{code}.{goal.year}", found.fan(code, [goal.year]).iloc[0]
    latest = context.rates_of(code).dropna(subset="variance").iloc[-1]
    values = {
        "whose": w.t("outlook.own") if goal.own else w.name(goal.fact["region_code"]),
        "year": w.year(goal.year),
        "target": context.fact(goal.fact["fact_id"]),
    }
    if latest["low"] >= goal.value:
        return w.t("needed.met", **values)
    p = found.chance(code, goal.year, goal.value)
    return w.t(
        "chain.goal",
        median=w.number(key, row["median"], "percent", 1),
        interval=w.interval(key, row[f"low_{SHOWN}"], row[f"high_{SHOWN}"], "percent", 1),
        cover=w.number("outlook.shown", SHOWN, "percent", 0),
        chance=chance_text(context, found, code, goal),
        word=chance_word(context, found, p, goal, latest),
        **values,
    )


def _next(context: Context) -> Markup:
    """Whether money may be moved, and which figures are needed first."""
    w, value = context.writer, context.study.value
    moves = [part for part in (value.between_levers, value.between_regions) if part is not None]
    parts = []
    if moves and not any(part.recommended for part in moves):
        parts.append(w.t("chain.next.moves"))
    return w.joined(*parts, findings.next_step(context))
