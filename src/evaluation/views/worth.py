"""What was spent, what it is worth, what could be moved: the views of the notebook on value."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from evaluation import plots, plots_decision, plots_value, store, style
from evaluation.errors import KepuError
from evaluation.report import value as section
from evaluation.report import value_moves
from evaluation.report.blocks import Figure, Items, Paragraph
from evaluation.report.context import NATION, Context
from evaluation.report.planned import lines
from evaluation.report.sums import chance, money
from evaluation.report.writer import plain
from evaluation.value import cea
from evaluation.value.region import Assessment, assess
from evaluation.value.scenario import parse, scenario
from evaluation.value.trial import RULE, trial
from evaluation.views import View, show, table

SHOWN = (1e3, 1e4, 1e5, 1e6)  # willingness to pay, yuan, of the table
TRUTHS = {"none": (0.0, 0.0, 0.0), "known": (0.02, 0.25, 0.1)}


def spending(page: Context) -> View:
    """National funds by year, as printed, per head in constant prices, and their parts."""
    w, funds = page.writer, page.study.value.funds
    nation = funds[funds["region_code"] == NATION]
    wide = nation.pivot(index="end", columns="item", values="fact_id")
    real = nation.set_index("fact_id")["per_head"]
    rows = []
    for year, row in wide[wide["raised"].notna()].iterrows():
        parts = [
            page.fact(row[item], unit=False) if pd.notna(row[item]) else Markup("—")
            for item in ("venues", "exhibits", "activities")
        ]
        per_head = w.number(f"funds.{row['raised']}.per_head", real[row["raised"]], "", 2)
        rows.append((w.year(year), page.fact(row["raised"], unit=False), per_head, *parts))
    names = ("year", "raised", "per_head", "venues", "exhibits", "activities")
    body = table(page, w.t("view.spending.table"), names, rows, range(1, 6))
    return show(page, body, Paragraph(section.prices(page), "note"))


def _assessed(page: Context, region: str, seed: int) -> Assessment:
    return assess(page.study.value, page.study.dataset, region, seed=seed)


def step(page: Context, region: str, seed: int) -> View:
    """A year of more of everything: the sentence, no ratio where the gain is not told."""
    w, told = page.writer, _assessed(page, region, seed).summary()
    text = w.t(
        "view.step",
        region=w.name(region),
        cost=money(w, "step.cost", told["cost"]),
        low=w.number("step.adults.low", told["adults.low"], "", 0),
        high=w.number("step.adults.high", told["adults.high"], "", 0),
        p=chance(w, "step.positive", told["positive"]),
    )
    return show(page, Paragraph(text))


def plane(page: Context, region: str, seed: int) -> View:
    """Cost-effectiveness plane and acceptability curve."""
    return show(page, section.figure(page, _assessed(page, region, seed)))


def worth(page: Context, region: str, seed: int) -> View:
    """By willingness to pay: probability, net benefit, value of perfect and partial information."""
    w, found = page.writer, _assessed(page, region, seed)
    decision, k = found.decision, np.array(SHOWN)
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
            chance(w, f"worth.{i}.p", columns["p"][i]),
            w.number(f"worth.{i}.benefit", columns["benefit"][i], "", 2, signed=True),
            *(w.number(f"worth.{i}.{name}", columns[name][i], "", 3)
              for name in ("all", "effect", "cost")),
        )
        for i in range(len(k))
    ]  # fmt: skip
    names = ("wtp", "pays", "net_benefit", "evpi", "evppi_effect", "evppi_cost")
    return show(page, table(page, w.t("view.worth.table"), names, rows, range(6)))


def decision(page: Context, region: str, seed: int) -> View:
    """Expected incremental benefit, acceptability frontier and value of perfect information."""
    w, found = page.writer, _assessed(page, region, seed)
    curves = pd.DataFrame(found.benefits() | found.curves())
    labels = {name: str(w.t(f"axis.value.{name}")) for name in plots_decision.LABELS}
    drawn = plots_decision.decision_curves(curves, wtp=found.wtp, labels=labels)
    caption, alt = w.t("view.decision.caption"), str(w.t("view.decision.alt"))
    return show(page, Figure(style.figure_png(drawn), caption, alt))


def reallocations(page: Context) -> View:
    """What may be recommended and the numbers that decide it."""
    return show(page, *value_moves.reallocations(page))


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
        found = store.kept(trial, truth, panels=panels, seed=seed)
        numbers = {
            "rule": np.mean([item.found.recommended for item in found]),
            "naive": np.mean([item.found.probability >= RULE.probability for item in found]),
        }
        short = float(np.mean([item.shortfall for item in found]))
        regret = float(np.mean([item.found.regret for item in found]))
        rows.append(
            (
                w.t(f"view.tried.{name}"),
                w.number(f"tried.{name}.panels", panels, "", 0),
                *(w.number(f"tried.{name}.{key}", 100 * share, "percent", 1)
                  for key, share in numbers.items()),
                w.number(f"tried.{name}.short", short, "", 4),
                w.number(f"tried.{name}.regret", regret, "", 4),
            )
        )  # fmt: skip
    names = ("truth", "panels", "by_rule", "by_chance", "shortfall", "stated_regret")
    lead = Paragraph(w.t("view.tried"), "simulated")
    return show(page, lead, table(page, w.t("view.tried.table"), names, rows, range(1, 6)))


def responses(page: Context) -> View:
    """Response curves with their bands, and what the test of the bend says."""
    w = page.writer
    drawn = [
        (str(w.t(f"dose.{item.lever}")), item.curve)
        for item in page.study.value.responses
        if item.curve is not None
    ]
    figure = plots_value.response_curves(drawn, ylabel=str(w.t("axis.value.response")))
    picture = Figure(
        style.figure_png(figure), w.t("view.responses.caption"), str(w.t("view.responses.alt"))
    )
    return show(page, picture, *value_moves.curves(page))


def efficiency(page: Context) -> View:
    """Scores of all regions compared with their intervals, in the order of their codes."""
    w, found = page.writer, page.study.value.efficiency
    rows = found.table.sort_values("region_code")
    frame = pd.DataFrame(
        {
            "label": [w.short(code) for code in rows["region_code"]],
            "estimate": 100 * rows["corrected"],
            "low": 100 * rows["low"],
            "high": 100 * rows["high"],
            "note": [plain(100 * value, w.language, 0) for value in rows["corrected"]],
        }
    )
    drawn = plots.forest(frame, xlabel=str(w.t("axis.value.efficiency")), zero=100)
    caption = w.t("view.efficiency.caption", wave=w.year(found.wave))
    return show(page, Figure(style.figure_png(drawn), caption, str(w.t("view.efficiency.alt"))))


def plan(page: Context, region: str, changes: str, budget: float) -> View:
    """A planned increase, as ``kepu scenario`` tells it."""
    found = scenario(page.study, region, parse(changes.split()), budget=budget)
    told = lines(page.study, found, page.writer.language)
    return show(page, Items(tuple(Markup("{}").format(line) for line in told)))
