"""The chain from money to target, and the key findings."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError, ModelError
from evaluation.data.package import ITEMS
from evaluation.report.blocks import Items, Paragraph, Section
from evaluation.report.designs import asked, finding, findings_locks, quoted
from evaluation.report.effect import mostly_assumed
from evaluation.report.inputs import TOLD_FIRST
from evaluation.report.logic import model
from evaluation.report.page import Context, money, side
from evaluation.report.targets import (
    SHOWN,
    Goal,
    assessments,
    chance_text,
    chance_word,
    cover_text,
    forecast,
    goals_of,
    is_met,
    is_past,
    own_errors,
    reach,
    shown,
    told,
)
from evaluation.report.value import (
    SEED,
    gained,
    judged,
    lacking_for_cost,
    lead,
    nation_funds,
    per_head,
    raised,
    step_sentence,
    unpriced,
    verdict_refused,
)
from evaluation.targets.gains import track
from evaluation.targets.outlook import AVERAGE, Outlook
from evaluation.value.scenario import Change, Projection, assess, scenario

# Section: key findings, five sentences that answer before anything is explained.
# By whether inputs are proxies and whether sample sizes are assumed.
LACKING = {
    (True, True): "inputs",
    (True, False): "proxies",
    (False, True): "samples",
    (False, False): "continue",
}
NEAR = 5  # years from the report: a target due within them is told before one beyond
ANSWERS = ("level", "change", "target", "effect", "next")


def findings_section(context: Context) -> Section:
    w = context.writer
    effect = finding(context)
    items = (level(context), _change(context), target(context), effect, next_step(context))
    answers = tuple(asked(context) if name == "effect" else name for name in ANSWERS)
    return Section(
        "findings",
        w.t("findings.title"),
        (labelled(context, answers, items), *findings_locks(context)),
    )


def labelled(context: Context, names: tuple[str, ...], items: tuple[Markup, ...]) -> Items:
    """Key findings, each under the question it answers."""
    labels = tuple(context.writer.t(f"findings.label.{name}") for name in names)
    return Items(items, key=True, labels=labels)


def level(context: Context) -> Markup:
    """The latest surveyed rate against the nation's of the same wave."""
    w, known = context.writer, context.surveyed(context.code)
    if known.empty:
        code = context.surveyed_above
        above = context.rates_of(code).iloc[-1]
        return w.t(
            "findings.level.missing",
            region=context.name,
            parent=w.name(code),
            rate=context.rate_text(above),
            year=w.year(above["wave"]),
        )
    row = known.iloc[-1]
    nation = context.rate(context.whole, row["wave"])
    values = {
        "region": context.name,
        "rate": context.rate_text(row),
        "year": w.year(row["wave"]),
    }
    if nation is None:
        return w.t("findings.level.alone", **values)
    low, high, gap = context.difference(f"gap.{context.code}.{row['wave']}", row, nation)
    where = side(low, high)
    if where != "near":  # "above" and "below" say the sign
        key, ends = f"distance.{context.code}.{row['wave']}", sorted((abs(low), abs(high)))
        gap = w.estimate(key, sum(ends) / 2, ends, "percentage_point", signed=False)
    return w.t(f"findings.level.{where}", gap=gap, nation=context.fact(nation["fact_id"]), **values)


def _change(context: Context) -> Markup:
    w, own = context.writer, context.gains_of(context.code)
    if own.empty:
        return w.t("findings.change.missing", region=context.name)
    gain = own.iloc[-1]
    way = {"above": "up", "below": "down", "near": "unclear"}[side(gain["low"], gain["high"])]
    text = w.t(f"findings.change.{way}", **_gain(context, gain, signed=way != "up"))
    return _with_break(context, gain, text)


def _gain(context: Context, gain: pd.Series, signed: bool = False) -> dict[str, Markup]:
    """A gain with its interval and period."""
    w, key = context.writer, f"gain.{context.code}.{gain['interval']}"
    return {
        "first": w.year(gain["wave_from"]),
        "last": w.year(gain["wave_to"]),
        "gain": w.number(key, gain["gain"], "percentage_point", 2, signed=signed),
        "interval": w.interval(key, gain["low"], gain["high"], "", 1),
    }


def _with_break(context: Context, gain: pd.Series, text: Markup) -> Markup:
    """A sentence on a gain, and that the instrument changed within its period."""
    w = context.writer
    return w.joined(text, w.t("findings.change.break")) if gain["crosses_break"] else text


def target(context: Context) -> Markup:
    """The nearest target of the region, or of the nation in an overview, and its verdict."""
    w, found = context.writer, assessments(context)
    if not found:
        return w.t("findings.target.missing", region=context.name)
    near = [item for item in found if item.target["year"] <= context.today + NEAR]
    item = near[-1] if near else found[0]
    values = {
        "region": context.name,
        "target": context.fact(item.target["fact_id"]),
        "year": w.year(item.target["year"]),
    }
    if item.latest is None and item.status == "flagged":
        return w.t("findings.target.flagged_alone", **values)
    if item.latest is not None:
        values["rate"] = context.rate_text(item.latest)
        values["wave"] = w.year(item.latest["wave"])
    return w.t(f"findings.target.{told(item)}", **values)


def next_step(context: Context) -> Markup:
    """Which figures are needed first."""
    if context.rates_of(context.code).empty:
        return context.writer.t("findings.next.survey")
    return lacking(context)


def lacking(context: Context) -> Markup:
    """What the comparison lacks most: inputs, sample sizes, both, or only more surveys."""
    wanted = context.study.dataset.doses_are != "input", mostly_assumed(context)
    return context.writer.t(f"findings.next.{LACKING[wanted]}")


# The links of the chain that are published figures: money, inputs, literacy.

# What a document must print for a plan: money obtained, facilities it opened, all there are.
MONEY = "central_fund_free_museum_opening"
FUNDED = "science_museums_funded_free_opening"
ALL = "science_museums_banner_level_and_above"
# Money for free opening and the museums it went to.
PAIRS = ((MONEY, FUNDED), ("free_entry_museum_central_subsidy", "free_entry_museum_count"))
# The first so many published inputs of a region are told, in their order.
SHOWN_INPUTS = 6


def last(context: Context, indicator: str) -> pd.Series | None:
    """The latest published figure of the region that carries no flag."""
    rows = context.facts[context.facts["indicator"] == indicator]
    rows = rows[(rows["kind"] == "statistic") & (rows["caveats"] == "") & (rows["group"] == "")]
    return None if rows.empty else rows.sort_values("period_end").iloc[-1]


def money_text(context: Context) -> Markup:
    """The funds the region's documents name, else the national ones to read its gap by."""
    w, funds = context.writer, context.study.value.funds
    own = funds[funds["region_code"] == context.code] if len(funds) else funds
    parts = []
    paid, funded = last(context, MONEY), last(context, FUNDED)
    if paid is not None and funded is not None:
        row = own[own["fact_id"] == paid["fact_id"]].iloc[0]
        cost = row["real"] / funded["value"]
        parts.append(
            w.t(
                "chain.money",
                money=context.fact(paid["fact_id"]),
                funded=context.fact(funded["fact_id"]),
                period=w.period(paid["period_start"], paid["period_end"]),
                a_museum=money(w, f"chain.{context.code}.a_museum", cost, 2),
                per_head=per_head(context, row),
                source=w.cite(paid["source_id"]),
            )
        )
    rows = own[own["item"] == "raised"].dropna(subset="per_head") if len(own) else own
    if len(rows):
        parts.append(raised(context, "chain.raised", rows.sort_values("end").iloc[-1]))
    parts = parts or _as_published(context)
    if parts:
        return w.joined(*parts)
    return w.joined(w.t("chain.money.none", region=context.name), nation_funds(context))


def _as_published(context: Context) -> list[Markup]:
    """The latest funds in prices of their time, where none can be put in constant prices."""
    w, names = context.writer, [name for name, (item, _) in ITEMS.items() if item == "raised"]
    rows = [row for row in (last(context, name) for name in names) if row is not None]
    return [
        w.t(
            "chain.funds",
            funds=context.fact(row["fact_id"]),
            period=w.period(row["period_start"], row["period_end"]),
            source=w.cite(row["source_id"]),
        )
        for row in rows[:1]
    ]


def inputs_text(context: Context) -> Markup:
    """Published facilities, staff and activities, each with its period, and their sources."""
    w = context.writer
    # Indicators of the doses that a programme sets itself, proxies left out.
    data = context.study.dataset
    doses = data.doses[data.doses["dose"].isin(data.levers)]
    proxies = data.indicators.loc[data.indicators["proxy"], "indicator"]
    own = doses.loc[~doses["indicator"].isin(proxies), "indicator"].drop_duplicates().tolist()
    names = [*own, *(name for name in TOLD_FIRST if name not in own)]
    rows = [row for row in (last(context, name) for name in names) if row is not None]
    rows = rows[: max(SHOWN_INPUTS, len(own))]
    if not rows:
        return w.t("chain.inputs.none", region=context.name)
    parts = [
        w.t(
            "chain.input",
            what=w.recorded("indicators", row["indicator"], w.indicator(row["indicator"])),
            value=context.fact(row["fact_id"]),
            period=w.period(row["period_start"], row["period_end"]),
        )
        for row in rows
    ]
    sources = dict.fromkeys(name for row in rows for name in row["source_id"].split(";"))
    listed = w.series(parts, "；", "; ")
    return w.t("chain.inputs", listed=listed, sources=w.cite(";".join(sources)))


def literacy_text(context: Context) -> Markup:
    """The latest gain with its ends and error; without one the latest rate, or that none is."""
    own = context.gains_of(context.code)
    if own.empty:
        return level(context)
    gain = own.iloc[-1]
    ends = {"before": context.fact(gain["fact_from"]), "after": context.fact(gain["fact_to"])}
    text = context.writer.t("chain.gain", **ends, **_gain(context, gain))
    return _with_break(context, gain, text)


# Section: from money to target on one page, on figures the region has published.
LINKS = ("money", "inputs", "literacy", "cost", "evidence", "target", "next")


@dataclass(frozen=True)
class Plan:
    """Support for every museum there is, as far as documents name what a museum costs.

    ``found`` : the projection, its budget the cost of a year for the museums ``added``.
    ``costs`` : yuan a museum and year, of each figure that documents print, ``costs[0]`` the one
    the plan is costed by.
    """

    found: Projection
    funded: pd.Series
    every: pd.Series
    costs: list[float]

    @property
    def added(self) -> float:
        return float(self.every["value"] - self.funded["value"])


def section(context: Context) -> Section:
    """Seven links from the money to what to do next; what is not published says so."""
    w = context.writer
    plan = _plan(context)
    told = (
        money_text(context),
        inputs_text(context),
        literacy_text(context),
        _cost(context, plan),
        w.joined(quoted(context), *(item.text for item in findings_locks(context))),
        _target(context),
        _next(context),
    )
    labels = tuple(w.t(f"chain.label.{name}") for name in LINKS)
    blocks: list = [Paragraph(w.t("chain.lead", region=context.name), "note")]
    blocks.append(Items(told, key=True, labels=labels))
    if plan is not None:
        lever = plan.found.changes[0].lever
        blocks.append(Paragraph(w.t("chain.note", dose=w.dose(lever)), "note"))
    blocks.append(model(context))
    return Section("chain", w.t("chain.title"), tuple(blocks))


def _plan(context: Context) -> Plan | None:
    """Support for every museum there is, costed at what a museum has cost a year."""
    if unpriced(context.study):
        return None
    funded, every = last(context, FUNDED), last(context, ALL)
    costs = unit_costs(context)
    if not costs or funded is None or every is None or every["value"] <= funded["value"]:
        return None
    factor = float(every["value"] / funded["value"])
    doses = context.study.dataset.doses
    facilities = doses.loc[doses["domain"] == "facility", "dose"]
    if facilities.empty:
        return None
    changes = [Change(facilities.iloc[0], factor)]
    try:
        added = float(every["value"] - funded["value"])
        found = scenario(context.study, context.code, changes, budget=added * costs[0])
    except KepuError:
        return None
    return Plan(found, funded, every, costs)


def unit_costs(context: Context) -> list[float]:
    """Yuan a museum and year of free opening, by each pair of figures for the same period.

    In constant prices where the period has a price index, else in prices of its time.
    """
    funds, found = context.study.value.funds, []
    for money_of, museums in PAIRS:
        paid, count = last(context, money_of), last(context, museums)
        if paid is None or count is None or paid["period_end"] != count["period_end"]:
            continue
        row = funds[funds["fact_id"] == paid["fact_id"]].iloc[0]
        yearly = row["a_year"] if pd.isna(row["real"]) else row["real"]
        if pd.notna(yearly):
            found.append(float(yearly / count["value"]))
    return found


def _cost(context: Context, plan: Plan | None) -> Markup:
    """What the plan of the documents, or else a year of more, would go with."""
    w = context.writer
    if unpriced(context.study):
        return verdict_refused(w, context.study)
    if plan is not None:
        told = judged(w, _key(context), plan.found, context.study)
        return w.joined(_planned(context, plan), *told)
    if context.code not in set(context.study.provinces["region_code"]):
        return w.t("value.provinces_only", region=context.name)
    try:
        found = assess(context.study.value, context.study.dataset, context.code, seed=SEED)
    except ModelError:
        return w.t("chain.cost.none", lacking=lacking_for_cost(context))
    return w.joined(step_sentence(context, found), lead(context, found))


def _key(context: Context) -> str:
    return f"chain.{context.code}"


def _planned(context: Context, plan: Plan) -> Markup:
    w, key = context.writer, _key(context)
    factor = plan.every["value"] / plan.funded["value"]
    ends = {"low": min(plan.costs), "high": max(plan.costs)}
    spread = {
        f"{end}_cost": money(w, f"{key}.plan.{end}", plan.added * cost, 1)
        for end, cost in ends.items()
    }
    return w.t(
        "chain.plan" if len(plan.costs) > 1 else "chain.plan.one",
        funded=context.fact(plan.funded["fact_id"]),
        every=context.fact(plan.every["fact_id"]),
        added=w.number(f"{key}.added", plan.added, "", 0),
        rise=w.number(f"{key}.rise", 100 * (factor - 1), "percent", 0),
        a_museum=money(w, f"{key}.a_museum", plan.costs[0], 2),
        cost=money(w, f"{key}.plan", plan.added * plan.costs[0], 1),
        **spread,
        **gained(w, key, plan.found.result.summary()),
    )


def _target(context: Context) -> Markup:
    """The own target that is due, the chance of each that lies ahead, other targets counted."""
    w, found = context.writer, context.study.outlook
    parts = [target(context)]
    if isinstance(found, Outlook) and context.code in found.regions:
        goals = goals_of(context, context.code)
        parts += [_goal(context, found, goal) for goal in goals]
        parts += [_tested(context, found)] if goals and found.beats_benchmarks else []
    else:
        parts.append(_no_forecast(context))
    others = track(context.study.dataset, context.code)
    if others:
        unknown, stem = sum(item.status == "unknown" for item in others), f"tracked.{context.code}"
        key = "chain.tracked.none" if unknown == len(others) else "chain.tracked"
        count = w.number(stem, len(others), "", 0)
        parts.append(w.t(key, count=count, **w.numbers(stem, unknown=unknown)))
    return w.joined(*parts)


def _no_forecast(context: Context) -> Markup:
    """Why there is none: no trend in these data, or no survey of this region to start from."""
    if isinstance(context.study.outlook, str):
        return context.writer.t("outlook.none")
    return context.writer.t("chain.target.none", region=context.name)


def _tested(context: Context, found: Outlook) -> Markup:
    """How such forecasts did on values published later."""
    w, best = context.writer, found.score()
    text = w.t(
        "chain.tested",
        rates=w.number("backtest.rates", best["rates"], "", 0),
        mae=w.number(f"backtest.{AVERAGE}.mae", best["mae"], "percentage_point", 2),
        cover=shown(context),
        held=cover_text(context, AVERAGE, SHOWN, best),
    )
    return w.joined(text, *own_errors(context, found, context.code))


def _goal(context: Context, found: Outlook, goal: Goal) -> Markup:
    w, code = context.writer, context.code
    values = {
        "whose": w.t("outlook.own") if goal.own else w.name(goal.fact["region_code"]),
        "year": w.year(goal.year),
        "target": context.fact(goal.fact["fact_id"]),
    }
    if is_met(context, code, goal):
        return w.t("needed.met", **values)
    if not found.within(code, goal.year):
        return w.t("chain.goal.beyond", years=reach(context, found), **values)
    median, interval = forecast(context, found, code, goal.year)
    return w.t(
        "chain.goal.past" if is_past(context, goal) else "chain.goal",
        median=median,
        interval=interval,
        cover=shown(context),
        chance=chance_text(context, found, code, goal),
        word=chance_word(context, found, code, goal),
        **values,
    )


def _next(context: Context) -> Markup:
    """Whether money may be moved, and which figures are needed first."""
    w, value = context.writer, context.study.value
    moves = [part for part in (value.between_levers, value.between_regions) if part is not None]
    parts = []
    if moves and not any(part.recommended for part in moves):
        parts.append(w.t("chain.next.moves"))
    return w.joined(*parts, next_step(context))
