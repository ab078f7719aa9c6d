"""The scenario explorer: sliders for the inputs of a province, and what a plan would go with.

Where widgets cannot run (a stored page, no kernel, ipywidgets not installed) the same object is a
table of common plans.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from evaluation import report
from evaluation.report.blocks import Paragraph
from evaluation.report.writer import Writer
from evaluation.study import Study
from evaluation.value.assemble import MONEY
from evaluation.value.explore import STEP, Plan, Plans, plans
from evaluation.views import STYLE, View, scenarios, show

__all__ = ["Explorer", "explore"]

LABEL = {"description_width": "27em"}
BAR = (
    '<svg viewBox="0 0 300 14" width="300" height="14" role="img" aria-hidden="true">'
    '<line x1="0" x2="300" y1="7" y2="7" stroke="#d9d9d9"/>'
    '<line x1="{low}" x2="{high}" y1="7" y2="7" stroke="{colour}" stroke-width="5"/>'
    '<circle cx="{mean}" cy="7" r="5" fill="{colour}"/></svg>'
)
COLOURS = {"unchanged": "#59636b", "planned": "#b5482a"}


class Explorer:
    """Plans of a province, shown with sliders in a notebook and as a table elsewhere.

    Attributes
    ----------
    plans : see :class:`evaluation.value.explore.Plans`. language : ``"zh"`` or ``"en"``.
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
        KepuError : a plan outside what provinces have shown, or another year.
        """
        w, plan = Writer(self.plans.study.dataset, self.language), self.plans.plan(changes, year)
        warning = [w.t("view.simulated")] if self.plans.study.simulated else []
        texts = [*warning, _table(w, self.plans, plan), *_sentences(w, self.plans, plan)]
        return Markup("").join(
            text if text.startswith("<table") else Markup("<p>{}</p>").format(text)
            for text in texts
        )

    def table(self) -> View:
        """Common plans of the province, for where no slider can move."""
        return scenarios.common(self._fresh(), self.plans, self.year)

    def widget(self) -> Any:
        """The sliders with the panel below them, an ipywidgets box.

        Raises
        ------
        ImportError : ipywidgets is not installed.
        """
        return _Panel(self).box

    def _fresh(self) -> report.Context:
        self._page.writer = Writer(self.plans.study.dataset, self.language)
        return self._page

    def _repr_html_(self) -> str:
        view, page = self.table(), self._page
        note = Paragraph(page.writer.t("explore.static"), "note")
        return show(page, note, *view.blocks)._repr_html_()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        with contextlib.suppress(ImportError):  # the table stands in, and says so
            from IPython import get_ipython

            if get_ipython() is not None:
                bundle |= self.widget()._repr_mimebundle_() | bundle
        return bundle

    def __repr__(self) -> str:
        levers = ", ".join(self.plans.levers)
        return f"Explorer({self.plans.region}, {self.year}, {self.language}: {levers})"


def explore(
    study: Study, region: str, language: str = "en", *, year: int, seed: int = 20250101
) -> Explorer:
    """Open the explorer for one province.

    Parameters
    ----------
    study : from :func:`evaluation.store.load_study`. region : code of a province of the panel.
    language : ``"zh"`` or ``"en"``. year : the literate share is worked out for.
    seed : of the draws of the forecast.

    Raises
    ------
    KepuError : no such province or language, no estimate or forecast, a year out of reach.
    """
    return Explorer(plans(study, region, seed=seed), language, year)


def _table(w: Writer, found: Plans, plan: Plan) -> Markup:
    """The share without and with the plan as bars on one scale, and the difference of gains."""
    rows = [
        _row(w.t(f"explore.{name}"), _bar(plan, values, COLOURS[name]),
             scenarios.spread(w, f"{name}.share", values))
        for name, values in (("unchanged", plan.unchanged), ("planned", plan.share))
    ]  # fmt: skip
    gain = Markup("—")
    if plan.changes:
        unit = w.unit("percentage_point").strip()
        gain = w.joined(scenarios.spread(w, "gain", plan.gain), unit)
    rows.append(_row(w.t("explore.difference"), Markup(), gain))
    caption = w.t("explore.caption", region=w.name(found.region), year=w.year(plan.year))
    return Markup('<table class="kepu"><caption>{}</caption>{}</table>').format(
        caption, Markup("").join(rows)
    )


def _row(label: Markup, bar: Markup, value: Markup) -> Markup:
    return Markup(
        '<tr><th scope="row" style="text-align:left">{}</th><td>{}</td><td class="num">{}</td></tr>'
    ).format(label, bar, value)


def _bar(plan: Plan, values: tuple[float, float, float], colour: str) -> Markup:
    """A mean in its interval, on a scale twice as wide as the interval with nothing changed."""
    _, low, high = plan.unchanged
    left, width = low - (high - low) / 2, 2 * (high - low)
    at = {
        key: f"{min(max(300 * (value - left) / width, 0), 300):.1f}"
        for key, value in zip(("mean", "low", "high"), values, strict=True)
    }
    return Markup(BAR.format(**at, colour=colour))


def _sentences(w: Writer, found: Plans, plan: Plan) -> list[Markup]:
    if not plan.changes:
        return [w.t("explore.nothing")]
    counts = {
        "support": w.number("support", plan.support, "", 0),
        "rows": w.number("rows", plan.rows, "", 0),
    }
    unseen = [w.t("explore.unseen")] if plan.support == 0 else []
    told = scenarios.judged(w, plan.verdict, found)
    return [told, w.joined(w.t("explore.support", **counts), *unseen)]


class _Panel:
    """Sliders and the text that follows them."""

    def __init__(self, explorer: Explorer):
        import ipywidgets as widgets

        w = Writer(explorer.plans.study.dataset, explorer.language)
        self._explorer, self._moving = explorer, False
        labels = {
            name: str(w.t("explore.slider", dose=w.t(f"dose.{name}")))
            for name in explorer.plans.levers
        }
        self.sliders = {
            name: widgets.IntSlider(
                0, item.low, item.high, STEP, description=labels[name],
                disabled=item.low == item.high, readout_format="+d", style=LABEL,
                layout={"width": "54em"},
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
        note = f"<p class='note'>{w.t('explore.money')} {w.t('explore.how')}</p>"
        self.box = widgets.VBox(
            [*self.sliders.values(), self.year, self.reset, self.panel, widgets.HTML(note)]
        )
        self._show()

    def _moved(self, name: str, value: int) -> None:
        """Follow a slider; funds and what they pay for are never changed together."""
        if self._moving:
            return
        others = [key for key in self.sliders if (key == MONEY) != (name == MONEY)]
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
