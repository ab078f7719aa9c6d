"""What was spent, what it bought, and whether money could be moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from evaluation.base import cache
from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import LEAST_LOCKS, MOST_LOCKS
from evaluation.data.package import INDEX, ITEMS, PEOPLE
from evaluation.data.slices import lineage
from evaluation.evidence.grade import gate
from evaluation.evidence.headline import Headline
from evaluation.figures import decision as plots_value
from evaluation.report.blocks import Figure, Heading, Items, Paragraph, Section, Table
from evaluation.report.effect import FEW
from evaluation.report.page import (
    DASH,
    MILLION,
    Context,
    View,
    Writer,
    chance,
    existing,
    money,
    money_interval,
    picture,
    show,
    table,
)
from evaluation.study import Study
from evaluation.value import effects as cea
from evaluation.value.costs import declared, price_level
from evaluation.value.reallocate import RULE, Reallocation, trial
from evaluation.value.scenario import Assessment, Projection, assess, parse, scenario

# Section: what was spent and what it bought.
SEED = 20250101


def section(context: Context) -> Section:
    w = context.writer
    spent = [Heading(w.t("value.spent", region=context.name)), *_spent(context)]
    if context.code in set(context.study.provinces["region_code"]):
        bought = _bought(context)
    else:
        bought = [Paragraph(w.t("value.provinces_only", region=context.name), "missing")]
    return Section.of("value", w.t("value.title"), {"spent": spent, "bought": bought})


def _spent(context: Context) -> list:
    """The region's published funds, the national ones to read them by, and their prices."""
    w, value = context.writer, context.study.value
    if value.funds.empty:
        given = context.facts["indicator"].isin(list(ITEMS)).any()
        key = "value.spent.undeflated" if given else "value.spent.none"
        return [Paragraph(w.t(key, region=context.name), "missing")]
    own = value.funds[value.funds["region_code"] == context.code]
    lacking = context.missing("value.spent.missing")
    blocks = [lacking if own.empty else _funds_table(context, own)]
    if text := _nation(context):
        blocks.append(Paragraph(text))
    return [*blocks, Paragraph(prices(context), "note")]


def _funds_table(context: Context, rows: pd.DataFrame) -> Table:
    w = context.writer
    cells = [
        (
            w.t(f"fund.{row['item']}"),
            context.fact(row["fact_id"]),
            w.period(*context.fact_rows.loc[row["fact_id"], ["period_start", "period_end"]]),
            per_head(context, row),
            w.cite(row["source_id"]),
        )
        for _, row in rows.iterrows()
    ]
    names = ("fund", "value", "period", "per_head", "source")
    return table(context, w.t("value.spent.table"), names, cells, (1, 3))


def per_head(context: Context, row: pd.Series) -> Markup:
    """Funds per head in constant prices, a dash where they cannot be told."""
    if pd.isna(row["per_head"]):
        return DASH
    return context.writer.number(f"funds.{row['fact_id']}.per_head", row["per_head"], "", 2)


def nation_funds(context: Context) -> Markup:
    """The latest national funds per head, for comparison; empty where none are published."""
    funds = context.study.value.funds
    if len(funds):
        funds = funds[(funds["region_code"] == context.whole) & (funds["item"] == "raised")]
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


def lacking_for_cost(context: Context) -> str:
    """What a comparison of cost and gain is short of, in a row."""
    w, study = context.writer, context.study
    facts, indicators = study.dataset.facts, study.dataset.facts["indicator"]
    raised = [name for name, (item, _) in ITEMS.items() if item == "raised"]
    there = {
        "people": (indicators.eq(PEOPLE) & facts["region_code"].eq(context.code)).any(),
        "index": indicators.eq(INDEX).any(),
        "funds": (indicators.isin(raised) & facts["region_code"].eq(context.whole)).any(),
        "estimate": bool(study.value.effects),
    }
    absent = [name for name, known in there.items() if not known] or ["match"]
    return context.listed(w.t(f"lacking.{name}", region=context.name) for name in absent)


def _bought(context: Context) -> list:
    """Cost and gain of a year with more of everything; no ratio where the gain is not told."""
    w = context.writer
    heading = Heading(w.t("value.bought"))
    if unpriced(context.study):
        return [heading, Paragraph(verdict_refused(w, context.study), "lead")]
    try:
        found = assess(context.study.value, context.study.dataset, context.code, seed=SEED)
    except ModelError:
        return [heading, context.missing("value.bought.missing", lacking=lacking_for_cost(context))]
    return [
        heading,
        Paragraph(lead(context, found), "lead"),
        Paragraph(step_sentence(context, found)),
        Items(tuple(_worth(context, found))),
        figure(context, found),
        Paragraph(w.t("value.bought.note"), "note"),
    ]


def unpriced(study: Study) -> bool:
    """Whether the evidence is graded and carries no verdict on money."""
    found = study.headline
    return isinstance(found, Headline) and not found.priced


def verdict_refused(w: Writer, study: Study) -> Markup:
    """That no verdict on money is given, and what would settle it: the only sentence on it."""
    rates = study.rates[study.rates["region_code"].isin(study.dataset.model_regions)]
    wanted = {
        "inputs": study.dataset.doses_are != "input",
        "samples": bool(rates["n_assumed"].mean() > FEW),
        "design": True,
    }
    lacking = [w.t(f"value.settle.{name}") for name, needed in wanted.items() if needed]
    locks = w.numbers("evidence", locks=study.headline.grade.locks, most=MOST_LOCKS)
    key = "value.refused" + untold(study)
    return w.t(key, settle=w.series(lacking, "；", "; "), **locks)


def untold(study: Study) -> str:
    """Ending of the text that refuses a verdict: whether the interval or the grade forbids it."""
    return ".unknown" if study.headline.grade.locks >= LEAST_LOCKS else ""


def lead(context: Context, found: Assessment) -> Markup:
    """The cost of one more literate adult and year, or why none is given."""
    w = context.writer
    if found.ratio is None:
        return w.t("value.ratio.none")
    return w.t("value.ratio", **_ratio(w, f"value.{context.code}.ratio", found.ratio))


def _ratio(w: Writer, key: str, ratio: Any) -> dict[str, Markup]:
    """A cost per adult with its interval."""
    interval = w.interval(key, ratio.low, ratio.high, "", 0)
    return {"ratio": w.number(key, ratio.value, w.dataset.currency, 0), "interval": interval}


def gained(w: Writer, key: str, summary: dict[str, float]) -> dict[str, Markup]:
    """Ends of the gain that would be expected, in percentage points and in adults."""
    ends = ("low", "high")
    points = {
        end: w.number(f"{key}.points.{end}", summary[f"points.{end}"], "", 3, signed=True)
        for end in ends
    }
    fewest, most = (w.number(f"{key}.adults.{e}", summary[f"adults.{e}"], "", 0) for e in ends)
    return points | {"fewest": fewest, "most": most}


def step_sentence(context: Context, found: Assessment) -> Markup:
    """What a year with more of everything takes, and what it would go with."""
    w, key, told = context.writer, f"value.{context.code}", found.summary()
    basis = "own" if found.programme["own_year"] else "nation"
    own = w.year(int(found.programme["own_year"])) if basis == "own" else ""
    return w.joined(
        w.t(
            "value.step",
            region=context.name,
            share=w.number("value.step", 100 * found.share, "percent", 0),
            cost=money(w, f"{key}.cost", told["cost"]),
            interval=money_interval(w, f"{key}.cost", told["cost.low"], told["cost.high"]),
            **gained(w, key, told),
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
    """How long a gain counts; acceptability, net benefit and the value of knowing more at the
    stated worth, or that none was stated."""
    w, key, told = context.writer, f"value.{context.code}", found.summary()
    data = context.study.dataset
    terms = w.t(
        "value.terms",
        horizon=w.number("value.horizon", declared(data, "gain_horizon"), "year", 0),
        left=w.number("value.durability", declared(data, "gain_durability"), "percent", 0),
        years=w.number("value.years", told["years"], "", 2),
    )
    positive = w.t("value.positive", p=chance(w, f"{key}.positive", told["positive"]))
    if found.wtp is None:
        return [terms, positive, w.t("value.unstated")]
    wtp = w.number("value.wtp", found.wtp, w.dataset.currency, 0)
    sign = "loss" if told["benefit"] < 0 else "gain"
    benefit = money(w, f"{key}.benefit", abs(told["benefit"]))
    information = money(w, f"{key}.information", told["information"], 2)
    return [
        terms,
        positive,
        w.t("value.probability", wtp=wtp, p=chance(w, f"{key}.probability", told["probability"])),
        w.t(f"value.benefit.{sign}", wtp=wtp, benefit=benefit),
        w.t("value.information", wtp=wtp, value=information),
    ]


def figure(context: Context, found: Assessment) -> Figure:
    """The plane of cost and effect, and the acceptability curve beside it."""
    w, curves = context.writer, found.curves()
    # A quarter of the draws shows the cloud; all of them would only make the file larger.
    draws = pd.DataFrame({"effect": found.gained[::4], "cost": found.spent[::4] / MILLION})
    curve = pd.DataFrame({"wtp": curves["wtp"], "probability": curves["probability"]})
    key, told = f"value.{context.code}", found.summary()
    says = [w.t("figure.value", positive=chance(w, f"{key}.positive", told["positive"]))]
    if found.wtp is not None:
        p = chance(w, f"{key}.probability", told["probability"])
        says.append(w.t("figure.value.worth", p=p))
    return picture(
        context,
        "value.figure",
        plots_value.plane_and_acceptability,
        draws,
        curve,
        wtp=found.wtp,
        labels=_labels(w, "effect", "cost", "wtp", "probability"),
        says=w.joined(*says),
    )


def _labels(w: Writer, *names: str) -> dict[str, str]:
    return {name: str(w.t(f"axis.value.{name}")) for name in names}


# A plan in words: what the estimates permit to say of it, and the text of ``kepu scenario``.


def judged(w: Writer, key: str, found: Projection, study: Study) -> list[Markup]:
    """The verdict with its locks; with a budget also its worth. Every sentence passes the gate."""
    told, strength = found.result.summary(), "some" if study.headline.priced else "none"
    sentences = [
        w.t(f"outlook.{found.verdict}"),
        w.t(
            f"outlook.locks.{strength}",
            **w.numbers("evidence", locks=found.locks, most=MOST_LOCKS),
        ),
    ]
    if found.budget and unpriced(study):
        sentences.append(verdict_refused(w, study))
    elif found.result.ratio is not None:
        sentences.append(w.t("outlook.ratio", **_ratio(w, f"{key}.ratio", found.result.ratio)))
    elif found.budget and found.result.wtp is None:
        sentences.append(w.t("value.unstated"))
    elif found.budget:
        wtp = w.number("value.wtp", found.result.wtp, w.dataset.currency, 0)
        p = chance(w, f"{key}.probability", told["probability"])
        sentences.append(w.t("outlook.worth", wtp=wtp, p=p))
    for sentence in sentences:
        gate(str(Markup(sentence).striptags()), w.language, found.locks)
    return [w.joined(*sentences)]


def lines(study: Any, found: Projection, language: str) -> list[str]:
    """The outlook as lines of plain text, for the command line."""
    w, told, rows = Writer(study.dataset, language), found.result.summary(), []
    for item in found.changes:
        year, level = found.levels[item.lever]
        rise = 100 * (item.factor - 1)
        change = w.t(
            "outlook.change",
            dose=w.dose(item.lever),
            year=w.year(year),
            **w.numbers(item.lever, 2, today=level, planned=level * item.factor),
            rise=w.number(f"{item.lever}.rise", rise, "percent", 0, signed=True),
        )
        rows.append(change)
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
                budget=w.number("budget", found.budget, w.dataset.currency, 0),
                per_head=w.number("per_head", found.budget / found.result.people, "", 2),
            )
        )
    if study.simulated:
        rows.insert(0, w.t("view.simulated"))
    return [str(Markup(row).striptags()) for row in (*rows, *judged(w, "outlook", found, study))]


# Section: what could be moved: reallocation, response curves.


def moves_section(context: Context) -> Section:
    """Reallocation with the sentence its rule permits, and response curves."""
    w, provinces = context.writer, set(context.study.provinces["region_code"])
    if context.code in provinces:
        blocks = [*reallocation_blocks(context), Heading(w.t("value.curves")), *curves(context)]
    else:
        # The comparison is one of units: its answer holds below them, its figures do not.
        above = lineage(context.study.dataset, context.code)
        parent = w.name(next((code for code in above if code in provinces), above[-1]))
        blocks = [_answer(context), Paragraph(w.t("moves.provinces", parent=parent))]
        blocks = blocks[:1] if unpriced(context.study) else blocks
    return Section("moves", w.t("moves.title"), tuple(blocks))


def _given(context: Context) -> list[tuple[str, Reallocation]]:
    value = context.study.value
    parts = {"levers": value.between_levers, "regions": value.between_regions}
    return [(name, part) for name, part in parts.items() if part is not None]


def _answer(context: Context) -> Paragraph:
    """Whether these data support moving money, in one sentence."""
    w, study, given = context.writer, context.study, _given(context)
    if unpriced(study):
        told = w.numbers("evidence", locks=study.headline.grade.locks, most=MOST_LOCKS)
        return Paragraph(w.t("value.moves.refused" + untold(study), **told), "lead")
    if not given:
        return context.missing("value.moves.missing")
    kind = "some" if any(part.recommended for _, part in given) else "none"
    return Paragraph(w.t(f"value.moves.{kind}"), "lead")


def reallocation_blocks(context: Context) -> list:
    """What may be recommended, mostly nothing, and the numbers that decide it."""
    w, given = context.writer, _given(context)
    if not given:
        return [_answer(context)]
    return [
        _answer(context),
        Paragraph(_rule(context)),
        _table(context, given),
        *(Paragraph(_shift(context, part)) for name, part in given if name == "levers"),
        Paragraph(w.t("value.moves.note"), "note"),
    ]


def _rule(context: Context) -> Markup:
    w, rule = context.writer, context.study.dataset.assumptions.set_index("parameter")["value"]
    return w.t(
        "value.moves.rule",
        bound=w.number("value.rule.bound", rule["reallocation_bound"], "percent", 0),
        chance=w.number("value.rule.probability", rule["recommend_probability"], "percent", 1),
        locks=w.number("value.rule.locks", rule["recommend_locks"], "", 0),
        own=w.number("evidence.locks", context.study.headline.grade.locks, "", 0),
    )


def _table(context: Context, given: list[tuple[str, Reallocation]]) -> Table:
    w, rows, data = context.writer, [], context.study.dataset
    money = w.dose(data.money) if data.money else ""
    for name, part in given:
        key, digits = f"move.{name}", 3 if name == "levers" else 0
        rows.append(
            (
                w.t(f"value.moves.{name}", dose=money),
                w.number(f"{key}.gain", part.gain, "", digits, signed=True),
                w.interval(key, part.low, part.high, "", digits),
                chance(w, f"{key}.probability", part.probability),
                w.probability(f"{key}.p", part.p),
                w.number(f"{key}.regret", part.regret, "", digits),
                w.t(f"value.moves.unit.{name}"),
                w.t("value.moves.yes" if part.recommended else "value.moves.no"),
            )
        )
    names = ("move", "gain_over", "interval95", "beats", "p_choice", "regret", "unit", "verdict")
    return table(context, w.t("value.moves.table"), names, rows, range(1, 6))


def _shift(context: Context, part: Reallocation) -> Markup:
    """Where the sums alone would move the money, said as what it is."""
    w = context.writer
    shares = {
        f"{name}_{when}": w.number(f"move.levers.{name}.{when}", 100 * share, "percent", 0)
        for name, today, times in zip(part.names, part.today, part.multiples, strict=True)
        for when, share in (("today", today), ("best", today * times))
    }
    return w.t("value.moves.shift", **shares)


def curves(context: Context) -> list:
    """One line a lever: is a straight line rejected in favour of a curve that flattens?"""
    w = context.writer
    items = []
    for found in context.study.value.responses:
        name, key = w.dose(found.lever), f"curve.{found.lever}"
        if found.reason:
            items.append(w.t("value.curve.none", dose=name))
            continue
        items.append(
            w.t(
                f"value.curve.{found.verdict}",
                dose=name,
                square=w.number(key, found.square, "", 3, signed=True),
                interval=w.interval(key, found.low, found.high, "", 3),
                p=w.t("number.p", p=w.probability(f"{key}.p", found.p)),
                used=w.number(f"{key}.observations", found.observations, "", 0),
            )
        )
    return [Items(tuple(items)), Paragraph(w.t("value.curves.note"), "note")]


# What was spent, what it is worth, what could be moved: the views of the notebook on value.
SHOWN = (1e3, 1e4, 1e5, 1e6)  # willingness to pay, yuan, of the table
TRUTHS = {"none": (0.0, 0.0, 0.0), "known": (0.02, 0.25, 0.1)}


def spending(page: Context) -> View:
    """National funds by year, as printed, per head in constant prices, and their parts."""
    w, funds = page.writer, page.study.value.funds
    # A sum over several years may end in the same year as a year's own figure.
    nation = funds[(funds["region_code"] == page.whole) & (funds["years"] == 1)]
    wide = nation.pivot(index="end", columns="item", values="fact_id")
    real = nation.set_index("fact_id")["per_head"]
    rows = []
    for year, row in wide[wide["raised"].notna()].iterrows():
        parts = [
            page.fact(row[item], unit=False) if pd.notna(row[item]) else DASH
            for item in ("venues", "exhibits", "activities")
        ]
        per_head = w.number(f"funds.{row['raised']}.per_head", real[row["raised"]], "", 2)
        rows.append((w.year(year), page.fact(row["raised"], unit=False), per_head, *parts))
    names = ("year", "raised", "per_head", "venues", "exhibits", "activities")
    body = table(page, w.t("view.spending.table"), names, rows, range(1, 6))
    return show(page, body, Paragraph(prices(page), "note"))


def _assessed(page: Context, region: str, seed: int) -> Assessment:
    code = existing(page, region)
    return assess(page.study.value, page.study.dataset, code, seed=seed)


def _refused(page: Context) -> View | None:
    """The one sentence on money that evidence without a lock permits."""
    if not unpriced(page.study):
        return None
    return show(page, Paragraph(verdict_refused(page.writer, page.study), "lead"))


def step(page: Context, region: str, seed: int) -> View:
    """A year of more of everything: the sentence, no ratio where the gain is not told."""
    if refused := _refused(page):
        return refused
    w, told = page.writer, _assessed(page, region, seed).summary()
    text = w.t(
        "view.step",
        region=w.name(existing(page, region)),
        cost=money(w, "step.cost", told["cost"]),
        **w.numbers("step.adults", low=told["adults.low"], high=told["adults.high"]),
        p=chance(w, "step.positive", told["positive"]),
    )
    return show(page, Paragraph(text))


def plane(page: Context, region: str, seed: int) -> View:
    """Cost-effectiveness plane and acceptability curve."""
    if refused := _refused(page):
        return refused
    return show(page, figure(page, _assessed(page, region, seed)))


def worth(page: Context, region: str, seed: int) -> View:
    """By willingness to pay: probability, net benefit, value of perfect and partial information."""
    if refused := _refused(page):
        return refused
    w, found = page.writer, _assessed(page, region, seed)
    decision, k = found.decided(), np.array(SHOWN)
    columns = {
        "p": cea.acceptability(decision, k)[:, 1],
        "benefit": cea.expected_incremental_benefit(decision, k) / found.people,
        "all": cea.perfect_information(decision, k) / found.people,
        "effect": cea.partial_information(decision, found.gained, k) / found.people,
        "cost": cea.partial_information(decision, found.spent, k) / found.people,
    }
    rows = [
        (
            w.number(f"worth.{i}", k[i], "", 0),
            chance(w, f"worth.{i}.p", row.p),
            w.number(f"worth.{i}.benefit", row.benefit, "", 2, signed=True),
            *w.numbers(f"worth.{i}", 3, all=row.all, effect=row.effect, cost=row.cost).values(),
        )
        for i, row in enumerate(pd.DataFrame(columns).itertuples())
    ]
    names = ("wtp", "pays", "net_benefit", "evpi", "evppi_effect", "evppi_cost")
    return show(page, table(page, w.t("view.worth.table"), names, rows, range(6)))


def decision(page: Context, region: str, seed: int) -> View:
    """Expected incremental benefit, acceptability frontier and value of perfect information."""
    if refused := _refused(page):
        return refused
    w, found = page.writer, _assessed(page, region, seed)
    curves = pd.DataFrame(found.benefits() | found.curves())
    options = {"wtp": found.wtp, "labels": _labels(w, *plots_value.LABELS)}
    draw = plots_value.decision_curves
    return show(page, picture(page, "view.decision", draw, curves, **options))


def reallocations(page: Context) -> View:
    """What may be recommended and the numbers that decide it."""
    return show(page, *reallocation_blocks(page))


def tried(page: Context, panels: int, seed: int) -> View:
    """The rule on simulated panels: without any effect, and with a known best allocation.

    Raises
    ------
    KepuError : no panel is asked for.
    """
    if panels < 1:
        raise KepuError(f"The rule is tried on at least 1 of the simulated panels; got {panels}.")
    w, rows = page.writer, []
    for name, truth in TRUTHS.items():
        found = cache.kept(trial, truth, panels=panels, seed=seed)
        shares = {
            "rule": 100 * np.mean([item.found.recommended for item in found]),
            "naive": 100 * np.mean([item.found.probability >= RULE.probability for item in found]),
        }
        losses = {
            "short": np.mean([item.shortfall for item in found]),
            "regret": np.mean([item.found.regret for item in found]),
        }
        rows.append(
            (
                w.t(f"view.tried.{name}"),
                w.number(f"tried.{name}.panels", panels, "", 0),
                *w.numbers(f"tried.{name}", 1, "percent", **shares).values(),
                *w.numbers(f"tried.{name}", 4, **losses).values(),
            )
        )
    names = ("truth", "panels", "by_rule", "by_chance", "shortfall", "stated_regret")
    lead = Paragraph(w.t("view.tried"), "simulated")
    return show(page, lead, table(page, w.t("view.tried.table"), names, rows, range(1, 6)))


def responses(page: Context) -> View:
    """Response curves with their bands, and what the test of the bend says."""
    w = page.writer
    lines = [
        (str(w.dose(item.lever)), item.curve)
        for item in page.study.value.responses
        if item.curve is not None
    ]
    draw, axis = plots_value.response_curves, "axis.value.response"
    return show(page, picture(page, "view.responses", draw, lines, ylabel=axis), *curves(page))


def plan(page: Context, region: str, changes: str, budget: float) -> View:
    """A planned increase, as ``kepu scenario`` tells it."""
    found = scenario(page.study, region, parse(changes.split()), budget=budget)
    told = lines(page.study, found, page.writer.language)
    return show(page, Items(tuple(Markup("{}").format(line) for line in told)))
