"""Views of the notebook on scenarios: inputs today, common plans, and one plan in words."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.evidence import gate
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.context import Context
from evaluation.report.writer import Writer
from evaluation.value.assemble import LEVERS, MONEY
from evaluation.value.declared import declared
from evaluation.value.explore import STEP, Plan, Plans
from evaluation.value.scenario import LEAST_LOCKS
from evaluation.views import View, show, table

MOST = 5  # locks


def levels(page: Context, plans: Plans) -> View:
    """Each input of the region today, what provinces have shown, and how far a plan may go."""
    w = page.writer
    rows = [
        (
            w.t(f"dose.{item.name}"),
            w.year(item.year),
            w.number(f"{item.name}.today", item.level, "", 2),
            w.interval(f"{item.name}.seen", *item.seen, "", 2),
            w.interval(f"{item.name}.room", item.low, item.high, "percent", 0),
        )
        for item in plans.levers.values()
    ]
    names = ("dose", "year", "today", "seen", "room")
    caption = w.t("explore.levels", region=w.name(plans.region))
    body = table(page, caption, names, rows, (2, 3, 4))
    return show(page, body, Paragraph(w.t("explore.levels.note"), "note"))


def presets(plans: Plans) -> list[dict[str, int]]:
    """Each input by the declared bound, all inputs by it, the funds by it; as far as was seen."""
    bound = int(declared(plans.study.dataset, "reallocation_bound"))
    bound -= bound % STEP
    rise = {name: min(bound, item.high) for name, item in plans.levers.items()}
    inputs = {name: rise[name] for name in LEVERS if rise.get(name)}
    single = [{name: value} for name, value in inputs.items()]
    every = [inputs] if len(inputs) > 1 and plans.study.value.levers is not None else []
    return [*single, *every, *([{MONEY: rise[MONEY]}] if rise.get(MONEY) else [])]


def named(w: Writer, plan: Plan, key: str) -> Markup:
    """The changes of a plan in a phrase."""
    columns = {f"log2_{name}": name for name in plan.changes}
    return Markup("、" if w.language == "zh" else ", ").join(
        w.t(
            "explore.change",
            dose=w.t(f"short.{column}"),
            rise=w.number(f"{key}.{name}", plan.changes[name], "percent", 0, signed=True),
        )
        for column, name in columns.items()
    )


def common(page: Context, plans: Plans, year: int) -> View:
    """Common plans: difference of the yearly gain, the share in ``year``, support."""
    w, dash = page.writer, Markup("—")
    rows = []
    for i, plan in enumerate([plans.plan({}, year), *_plans(plans, year)]):
        share = spread(w, f"plan.{i}.share", plan.share)
        if not plan.changes:
            rows.append((w.t("explore.unchanged"), dash, dash, share, dash))
            continue
        gain = spread(w, f"plan.{i}.gain", plan.gain)
        told = _gated(w, w.t(f"outlook.{plan.verdict}"), plan.locks)
        far = w.number(f"plan.{i}.support", plan.support, "", 0)
        rows.append((named(w, plan, f"plan.{i}"), gain, told, share, far))
    names = ("plan", "gain_difference", "reading", "share_then", "supported")
    caption = w.t("explore.common", region=w.name(plans.region), year=w.year(year))
    body = table(page, caption, names, rows, (1, 3, 4))
    note = Paragraph(w.t("explore.common.note"), "note")
    return show(page, body, Paragraph(strength(w, plans)), note)


def forest(page: Context, plans: Plans, year: int) -> View:
    """Differences of the yearly gain by plan, with their intervals about zero."""
    w = page.writer
    found = _plans(plans, year)
    frame = pd.DataFrame(
        {
            "label": [named(w, plan, f"plan.{i}").striptags() for i, plan in enumerate(found, 1)],
            "estimate": [plan.gain[0] for plan in found],
            "low": [plan.gain[1] for plan in found],
            "high": [plan.gain[2] for plan in found],
            "note": "",
        }
    )
    drawn = plots.forest(frame, xlabel=str(w.t("axis.explore")))
    alt = str(w.t("explore.forest.alt"))
    return show(page, Figure(style.figure_png(drawn), w.t("explore.forest"), alt))


def judged(w: Writer, verdict: str, plans: Plans) -> Markup:
    """What interval and locks permit to be said of one plan."""
    told = _gated(w, w.t(f"outlook.{verdict}"), plans.study.headline.grade.locks)
    return w.joined(told, strength(w, plans))


def strength(w: Writer, plans: Plans) -> Markup:
    """How strong the evidence behind every plan is."""
    locks = plans.study.headline.grade.locks
    counts = {
        "locks": w.number("evidence.locks", locks, "", 0),
        "most": w.number("evidence.most", MOST, "", 0),
    }
    kind = "none" if locks < LEAST_LOCKS else "some"
    return _gated(w, w.t(f"outlook.locks.{kind}", **counts), locks)


def _gated(w: Writer, text: Markup, locks: int) -> Markup:
    gate(str(text.striptags()), w.language, locks)
    return text


def _plans(plans: Plans, year: int) -> list[Plan]:
    return [plans.plan(changes, year) for changes in presets(plans)]


def spread(w: Writer, key: str, values: tuple[float, float, float]) -> Markup:
    """A mean with its interval: a share in per cent, a difference of gains with its sign."""
    mean, low, high = values
    if key.endswith("gain"):
        return w.joined(w.number(key, mean, "", 3, signed=True), w.interval(key, low, high, "", 3))
    return w.joined(w.number(key, mean, "percent", 1), w.interval(key, low, high, "percent", 1))
