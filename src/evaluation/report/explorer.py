"""Sliders and tables for plans of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from evaluation import report
from evaluation.base.results import MOST_LOCKS
from evaluation.evidence.grade import gate
from evaluation.figures import charts
from evaluation.report.blocks import Paragraph
from evaluation.report.page import DASH, STYLE, Context, Live, View, Writer, picture, show, table
from evaluation.study import Study
from evaluation.value.costs import declared
from evaluation.value.scenario import STEP, Plan, Plans, plans

# Views of the notebook on scenarios: inputs today, common plans, and one plan in words.


def levels(page: Context, plans: Plans) -> View:
    """Each input of the region today, what the units have shown, and how far a plan may go."""
    w = page.writer
    rows = [
        (
            w.dose(item.name),
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
    data = plans.study.dataset
    bound = int(declared(data, "reallocation_bound")) // STEP * STEP
    rise = {name: min(bound, item.high) for name, item in plans.levers.items()}
    inputs = {name: rise[name] for name in data.levers if rise.get(name)}
    single = [{name: value} for name, value in inputs.items()]
    every = [inputs] if len(inputs) > 1 and plans.study.value.levers is not None else []
    return [*single, *every, *([{data.money: rise[data.money]}] if rise.get(data.money) else [])]


def named(w: Writer, plan: Plan, key: str) -> Markup:
    """The changes of a plan in a phrase."""
    rises = {name: w.number(f"{key}.{name}", value, "percent", 0, signed=True)
             for name, value in plan.changes.items()}  # fmt: skip
    return w.series(
        w.t("explore.change", dose=w.term(f"log2_{name}"), rise=rise)
        for name, rise in rises.items()
    )


def common(page: Context, plans: Plans, year: int) -> View:
    """Common plans: difference of the yearly gain, the share in ``year``, support."""
    w, rows = page.writer, []
    for i, plan in enumerate([plans.plan({}, year), *_plans(plans, year)]):
        share = spread(w, f"plan.{i}.share", plan.share)
        if not plan.changes:
            rows.append((w.t("explore.unchanged"), DASH, DASH, share, DASH))
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
    rows = [
        (named(page.writer, plan, f"plan.{i}").striptags(), *plan.gain, "")
        for i, plan in enumerate(_plans(plans, year), 1)
    ]
    frame = pd.DataFrame(rows, columns=["label", "estimate", "low", "high", "note"])
    options = {"xlabel": "axis.explore"}
    return show(page, picture(page, "explore.forest", charts.forest, frame, **options))


def judged(w: Writer, verdict: str, plans: Plans) -> Markup:
    """What interval and locks permit to be said of one plan."""
    locks = plans.study.headline.grade.locks
    return w.joined(_gated(w, w.t(f"outlook.{verdict}"), locks), strength(w, plans))


def strength(w: Writer, plans: Plans) -> Markup:
    """How strong the evidence behind every plan is."""
    locks = plans.study.headline.grade.locks
    counts = w.numbers("evidence", locks=locks, most=MOST_LOCKS)
    kind = "some" if plans.study.headline.priced else "none"
    return _gated(w, w.t(f"outlook.locks.{kind}", **counts), locks)


def _gated(w: Writer, text: Markup, locks: int) -> Markup:
    gate(str(text.striptags()), w.language, locks)
    return text


def _plans(plans: Plans, year: int) -> list[Plan]:
    return [plans.plan(changes, year) for changes in presets(plans)]


def spread(w: Writer, key: str, values: tuple[float, float, float]) -> Markup:
    """A mean with its interval: a share in per cent, a difference of gains with its sign."""
    mean, *ends = values
    if key.endswith("gain"):
        return w.estimate(key, mean, ends, digits=(3, 3))
    return w.joined(w.number(key, mean, "percent", 1), w.interval(key, *ends, "percent", 1))


# The scenario explorer: sliders for the inputs of a unit, and what a plan would go with.
LABEL = {"description_width": "27em"}
BAR = (
    '<svg viewBox="0 0 300 14" width="300" height="14" role="img" aria-hidden="true">'
    '<line x1="0" x2="300" y1="7" y2="7" stroke="#d9d9d9"/>'
    '<line x1="{low}" x2="{high}" y1="7" y2="7" stroke="{colour}" stroke-width="5"/>'
    '<circle cx="{mean}" cy="7" r="5" fill="{colour}"/></svg>'
)
COLOURS = {"unchanged": "#59636b", "planned": "#b5482a"}


class Explorer(Live):
    """Plans of a unit, shown with sliders in a notebook and as a table elsewhere.

    Attributes
    ----------
    plans : see :class:`evaluation.value.scenario.Plans`. language : ``"zh"`` or ``"en"``.
    year : the literate share is first shown for.
    """

    def __init__(self, found: Plans, language: str, year: int):
        self.plans, self.language, self.year = found, language, year
        found.plan({}, year)  # refuses a year that cannot be worked out
        self._page = report.open_overview(
            found.study, found.study.dataset.region_sets["set"].iloc[0], language, date=str(year)
        )

    def told(self, changes: Mapping[str, float], year: int) -> Markup:
        """One plan as the panel under the sliders shows it.

        Parameters
        ----------
        changes : per cent by input. year : the share is worked out for.

        Raises
        ------
        KepuError : a plan outside what the units have shown, or another year.
        """
        w, plan = Writer(self.plans.study.dataset, self.language), self.plans.plan(changes, year)
        paragraph = Markup("<p>{}</p>").format
        warning = [w.t("view.simulated")] if self.plans.study.simulated else []
        texts = map(paragraph, _sentences(w, self.plans, plan))
        return Markup("").join([*map(paragraph, warning), _table(w, self.plans, plan), *texts])

    def table(self) -> View:
        """Common plans of the unit, for where no slider can move."""
        self._page.writer = Writer(self.plans.study.dataset, self.language)
        return common(self._page, self.plans, self.year)

    def widget(self) -> Any:
        """The sliders with the panel below them, an ipywidgets box.

        Raises
        ------
        ImportError : ipywidgets is not installed.
        """
        return _Panel(self).box

    def _repr_html_(self) -> str:
        view, page = self.table(), self._page
        note = Paragraph(page.writer.t("explore.static"), "note")
        return show(page, note, *view.blocks)._repr_html_()

    def __repr__(self) -> str:
        levers = ", ".join(self.plans.levers)
        return f"Explorer({self.plans.region}, {self.year}, {self.language}: {levers})"


def explore(
    study: Study, region: str, language: str = "en", *, year: int, seed: int = 20250101
) -> Explorer:
    """Open the explorer for one unit.

    Parameters
    ----------
    study : from :func:`evaluation.study.load_study`. region : code of a region of the panel.
    language : ``"zh"`` or ``"en"``. year : the literate share is worked out for.
    seed : of the draws of the forecast.

    Raises
    ------
    KepuError : no such region or language, no estimate or forecast, a year out of reach.
    """
    return Explorer(plans(study, region, seed=seed), language, year)


def _table(w: Writer, found: Plans, plan: Plan) -> Markup:
    """The share without and with the plan as bars on one scale, and the difference of gains."""
    row = Markup('<tr><th scope="row" style="text-align:left">{}</th><td>{}</td>'
                 '<td class="num">{}</td></tr>').format  # fmt: skip
    shares = {"unchanged": plan.unchanged, "planned": plan.share}
    rows = [
        row(w.t(f"explore.{name}"), _bar(plan, at, COLOURS[name]), spread(w, f"{name}.share", at))
        for name, at in shares.items()
    ]
    gain = DASH
    if plan.changes:
        gain = w.joined(spread(w, "gain", plan.gain), w.unit("percentage_point").strip())
    rows.append(row(w.t("explore.difference"), "", gain))
    caption = w.t("explore.caption", region=w.name(found.region), year=w.year(plan.year))
    body = Markup('<table class="kepu"><caption>{}</caption>{}</table>')
    return body.format(caption, Markup("").join(rows))


def _bar(plan: Plan, values: tuple[float, float, float], colour: str) -> Markup:
    """A mean in its interval, on a scale twice as wide as the interval with nothing changed."""
    _, low, high = plan.unchanged
    left, width = low - (high - low) / 2, 2 * (high - low)
    places = (min(max(300 * (value - left) / width, 0), 300) for value in values)
    at = dict(zip(("mean", "low", "high"), (f"{place:.1f}" for place in places), strict=True))
    return Markup(BAR.format(**at, colour=colour))


def _sentences(w: Writer, found: Plans, plan: Plan) -> list[Markup]:
    if not plan.changes:
        return [w.t("explore.nothing")]
    support, rows = w.number("support", plan.support, "", 0), w.number("rows", plan.rows, "", 0)
    unseen = [w.t("explore.unseen")] if plan.support == 0 else []
    told = judged(w, plan.verdict, found)
    return [told, w.joined(w.t("explore.support", support=support, rows=rows), *unseen)]


class _Panel:
    """Sliders and the text that follows them."""

    def __init__(self, explorer: Explorer):
        import ipywidgets as widgets

        w = Writer(explorer.plans.study.dataset, explorer.language)
        self._explorer, self._moving = explorer, False
        self._money = w.dataset.money
        self.sliders = {
            name: widgets.IntSlider(
                0, item.low, item.high, STEP, disabled=item.low == item.high,
                description=str(w.t("explore.slider", dose=w.dose(name))),
                readout_format="+d", style=LABEL, layout={"width": "54em"},
            )
            for name, item in explorer.plans.levers.items()
        }  # fmt: skip
        years = explorer.plans.years
        self.year = widgets.IntSlider(
            explorer.year, years[0], years[-1], description=str(w.t("column.year")),
            readout_format="d", style=LABEL, layout={"width": "54em"},
        )  # fmt: skip
        self.panel = widgets.HTML()
        self.reset = widgets.Button(description=str(w.t("explore.reset")))
        self.reset.on_click(lambda _: self._set(dict.fromkeys(self.sliders, 0)))
        for name, slider in self.sliders.items():
            slider.observe(lambda change, name=name: self._moved(name, change["new"]), "value")
        self.year.observe(lambda _: self._show(), "value")
        apart = [w.t("explore.money")] if self._money in self.sliders else []
        note = Markup("<p class='note'>{}</p>").format(w.joined(*apart, w.t("explore.how")))
        self.box = widgets.VBox(
            [*self.sliders.values(), self.year, self.reset, self.panel, widgets.HTML(note)]
        )
        self._show()

    def _moved(self, name: str, value: int) -> None:
        """Follow a slider; funds and what they pay for are never changed together."""
        if self._moving:
            return
        others = [key for key in self.sliders if (key == self._money) != (name == self._money)]
        self._set(dict.fromkeys(others, 0) if value else {})

    def _set(self, values: Mapping[str, int]) -> None:
        self._moving = True
        try:
            for name, value in values.items():
                self.sliders[name].value = value
        finally:
            self._moving = False
        self._show()

    def _show(self) -> None:
        changes = {name: slider.value for name, slider in self.sliders.items()}
        self.panel.value = str(STYLE + self._explorer.told(changes, self.year.value))
