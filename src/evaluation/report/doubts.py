"""Reasons to doubt: assumptions, contradictions, what is not known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from evaluation.base import cache
from evaluation.base.errors import KepuError
from evaluation.base.results import Result
from evaluation.data.simulate import Simulation, Truth, simulate_panel
from evaluation.models import fit
from evaluation.models.panels import roles
from evaluation.report import quality
from evaluation.report.blocks import Items, Paragraph, Table
from evaluation.report.effect import DIGITS, MAIN, estimable
from evaluation.report.page import DASH, Context, View, existing, show, table
from evaluation.study import Study
from evaluation.survey.panel import design_effect

# Where the data are in doubt: contradictions, assumptions, changes of the survey, gaps.


def _figures(page: Context, facts: pd.DataFrame) -> Markup:
    """Facts as printed, each with its period, in one phrase."""
    w = page.writer
    periods = facts[["period_start", "period_end"]].to_numpy()
    parts = [
        w.joined(w.fact(row), w.t("period.bracket", period=w.period(*period)))
        for (_, row), period in zip(facts.iterrows(), periods, strict=True)
    ]
    return w.series(parts, "；", "; ")


def contradictions(page: Context, *regions: str) -> View:
    """Every recorded contradiction, or those of ``regions``, with the figures as printed."""
    w, items = page.writer, page.study.dataset.contradictions
    codes = [existing(page, region) for region in regions]
    items = items[items["region_code"].isin(codes)] if codes else items
    rows, kept = [], 0
    for _, item in items.iterrows():
        facts = page.fact_rows.loc[item["fact_ids"].split(";")]
        used = facts[facts["fact_id"].isin(page.study.rates["fact_id"])]
        kept += used.empty
        rows.append((
            Markup('<cite id="{0}">{0}</cite>').format(item["contradiction_id"]),
            w.short(item["region_code"]),
            w.indicator(facts["indicator"].iloc[0]),
            w.t(f"contradiction.{item['kind']}"),
            _figures(page, facts),
            w.cite(";".join(facts["source_id"])),
            w.t("view.contradictions.none") if used.empty else _figures(page, used),
        ))  # fmt: skip
    key = f"contradictions.{'.'.join(regions)}"
    total = w.number(key, len(items), "", 0)
    lead = w.t("view.contradictions", total=total, **w.numbers(key, kept=kept))
    columns = ("item", "region", "indicator", "disagreement", "figures", "source", "in_estimates")
    body = table(page, w.t("view.contradictions.table"), columns, rows)
    return show(page, Paragraph(lead), body)


def assumptions(page: Context) -> View:
    """Sample sizes taken where none is published, by wave and level, and what rests on them."""
    w, data, rates = page.writer, page.study.dataset, page.study.rates
    sizes = data.assumptions[data.assumptions["parameter"] == "sample_size"]
    levels = [name for name in data.levels["level"] if name in set(sizes["level"])]
    sizes = sizes.set_index(["wave", "level"])["value"]
    rows = []
    for wave, part in rates[rates["wave"] >= page.first_year].groupby("wave"):
        known = {level: sizes.get((str(wave), level)) for level in levels}
        cells = (DASH if n is None else w.number(f"n.{level}.{wave}", n, "", 0)
                 for level, n in known.items())  # fmt: skip
        assumed = w.number(
            f"n.assumed.{wave}", (part["n_assumed"] & part["n"].notna()).sum(), "", 0
        )
        every = w.number(f"n.rates.{wave}", len(part), "", 0)
        rows.append((w.year(wave), *cells, assumed, every))
    measured = set(data.facts.loc[data.facts["standard_error"].notna(), "fact_id"])
    own = int(rates["fact_id"].isin(measured).sum())
    lead = w.t(
        "view.assumptions.measured" if own else "view.assumptions",
        deff=w.number("design_effect", design_effect(data), "", 1),
        **w.numbers("n", rates=len(rates), known=(~rates["n_assumed"]).sum(), own=own),
    )
    names = [escape(w.level(level)) for level in levels]
    ends = [w.t(f"column.{name}") for name in ("wave", "rates_assumed", "rates_all")]
    head, numeric = (ends[0], *names, *ends[1:]), frozenset(range(1, len(names) + 3))
    body = Table(w.t("view.assumptions.table"), head, tuple(rows), numeric)
    return show(page, Paragraph(lead), body)


def breaks(page: Context) -> View:
    """What changed in the survey between waves, with its source."""
    return show(page, quality.breaks(page))


ONLY_PROXIES = (("evidence", 4), ("investment", 1), ("effect", 2), ("scenarios", 2))


def unknown(page: Context, name: str, count: int) -> View:
    """The list ``view.unknown.<name>.1`` to ``count``: what the data leave open.

    What is open because every input is a proxy stands there only where that is so.
    """
    w, proxies = page.writer, page.study.dataset.doses_are == "proxy"
    shown = [i for i in range(1, count + 1) if proxies or (name, i) not in ONLY_PROXIES]
    return show(page, Items(tuple(w.t(f"view.unknown.{name}.{i}") for i in shown)))


# Two cautions: what the noisy opening level does, and what the method does with a known truth.


def without_opening(study: Study, dose: str, draws: int, seed: int) -> Result:
    """The gain regression of one dose with the opening level left out of the controls."""
    part = roles(MAIN, [f"log2_{dose}"], study.dataset.controls)
    controls = tuple(name for name in part.covariates if name != "opening")
    options = {"draws": draws, "seed": seed, "companions": False}
    return fit(MAIN, study.provinces, **{**vars(part), "covariates": controls}, **options)


def opening(page: Context, draws: int, seed: int) -> View:
    """Estimates with the opening level among the controls beside those without it."""
    w, rows, changed = page.writer, [], 0
    held = estimable(page.study.estimates)
    for item in held:
        other = without_opening(page.study, item.dose, draws, seed)
        changed += item.verdict != other.verdict
        pair = {"with": item.result, "without": other}
        cells = [_cell(page, f"{kind}.{item.dose}", each) for kind, each in pair.items()]
        level = item.result.table().set_index("term").at["opening", "estimate"]
        apart = {"shift": item.result.estimate - other.estimate, "opening": level}
        cells += [w.number(f"{name}.{item.dose}", value, "", DIGITS, signed=True)
                  for name, value in apart.items()]  # fmt: skip
        rows.append((w.dose(item.dose), *cells))
    lead = w.t("view.opening", **w.numbers("opening", doses=len(held), changed=changed))
    columns = ("dose", "with_opening", "without_opening", "shift", "opening_coefficient")
    body = table(page, w.t("view.opening.table"), columns, rows, range(1, 5))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.opening.note"), "note"))


def recovered(page: Context, truth: Mapping[str, float]) -> View:
    """Estimates beside the effects that made a simulated package."""
    w, rows, held = page.writer, [], 0
    items = estimable(page.study.estimates)
    for item in items:
        value, result = truth[item.dose], item.result
        inside = result.low <= value <= result.high
        held += inside
        rows.append((
            w.t(f"domain.{item.dose}"),
            w.number(f"truth.{item.dose}", value, "", 2, signed=True),
            _cell(page, f"simulated.{item.dose}", result),
            w.t(f"answer.{'yes' if inside else 'no'}"),
            w.t(f"view.verdict.{item.verdict}"),
            w.number(f"simulated.{item.dose}.mde", result.details["mde"], "", 2),
        ))  # fmt: skip
    counts = {"doses": len(items), "held": held,
              "told": sum(item.verdict != "unknown" for item in items),
              "real": sum(truth[item.dose] != 0 for item in items)}  # fmt: skip
    lead = w.t("view.recovered", **w.numbers("simulated", **counts))
    columns = ("domain", "truth", "estimate", "holds_truth", "reading", "mde")
    body = table(page, w.t("view.recovered.table"), columns, rows, (1, 2, 5))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.recovered.note"), "note"))


def _cell(page: Context, key: str, result: Result) -> Markup:
    ends = (result.low, result.high)
    return page.writer.estimate(key, result.estimate, ends, digits=(DIGITS, DIGITS))


# Simulated panels drawn again and again: what a noisy opening level does to an estimate.
DOSE = "facility"
CONTROLS = {"none": (), "true": ("true_opening",), "observed": ("opening",)}
DRAWS = 99  # only the estimates are kept, so the bootstrap may be short


def observed_gains(simulation: Simulation) -> pd.DataFrame:
    """Annual gains between observed rates with their variances, and both opening levels."""
    panel, deff = (
        simulation.panel.sort_values(["region_code", "wave"]),
        simulation.truth.design_effect,
    )
    panel["variance"] = deff * panel["rate"] * (100 - panel["rate"]) / panel["n"]
    before = panel.groupby("region_code").shift(1)
    years = panel["wave"] - before["wave"]
    frame = panel[["region_code"]].assign(
        wave_to=panel["wave"], annual=(panel["rate"] - before["rate"]) / years,
        variance=(panel["variance"] + before["variance"]) / years**2,
        opening=before["rate"], true_opening=before["true_rate"],
    ).dropna()  # fmt: skip
    doses = simulation.gains[["region_code", "wave_to", DOSE]]
    frame = frame.merge(doses, on=["region_code", "wave_to"], validate="one_to_one")
    return frame.assign(log2_dose=np.log2(frame[DOSE]))


def biased(page: Context, panels: int, seed: int) -> View:
    """:func:`bias` of so many panels over the regions of the page, drawn at most once.

    Raises
    ------
    KepuError : fewer than two panels, which have no spread.
    """
    if panels < 2:
        raise KepuError(f"At least 2 simulated panels are needed to show a spread; got {panels}.")
    regions = page.study.dataset.regions
    drawn = cache.kept(repeat, regions[regions["code"].isin(page.codes)], panels, seed)
    return bias(page, drawn)


def repeat(regions: pd.DataFrame, panels: int, seed: int) -> pd.DataFrame:
    """Estimates of one dose and of the opening level, one row a panel and choice of control."""
    truth, rows = Truth(personnel=0.0, activity=0.0, fund=0.0), []
    for number in range(panels):
        gains = observed_gains(simulate_panel(regions, truth=truth, seed=seed + number))
        for control, covariates in CONTROLS.items():
            result = fit(
                "gain_regression", gains, outcome="annual", variance="variance",
                doses=["log2_dose"], covariates=covariates, region="region_code", wave="wave_to",
                draws=DRAWS, seed=seed,
                companions=False,
            )  # fmt: skip
            terms = result.table().set_index("term")["estimate"]
            level = terms[covariates[0]] if covariates else np.nan
            rows.append((control, result.estimate, level, truth.facility, truth.opening_effect))
    return pd.DataFrame(rows, columns=["control", "estimate", "level", "truth", "true_level"])


def bias(page: Context, draws: pd.DataFrame) -> View:
    """Mean estimates over simulated panels, by what was controlled for, beside the truth."""
    w, rows = page.writer, []
    means = draws.groupby("control").mean()
    panels = len(draws) // len(CONTROLS)
    error = draws.groupby("control")["estimate"].std() / np.sqrt(panels)
    for control, covariates in CONTROLS.items():
        row, key = means.loc[control], f"bias.{control}"
        level = w.t("view.bias.no_level")
        if covariates:
            level = w.number(f"{key}.level", row["level"], "", 2, signed=True)
        rows.append((
            w.t(f"view.bias.{control}"),
            w.number(f"{key}.estimate", row["estimate"], "", 2, signed=True),
            w.number(f"{key}.error", error[control], "", 2),
            w.number("bias.truth", row["truth"], "", 2, signed=True),
            level,
            w.number("bias.true_level", row["true_level"], "", 2, signed=True),
        ))  # fmt: skip
    lead = w.t("view.bias", panels=w.number("bias.panels", panels, "", 0))
    columns = ("control", "mean_estimate", "mean_error", "truth", "level_estimate", "level_truth")
    body = table(page, w.t("view.bias.table"), columns, rows, range(1, 6))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.bias.note"), "note"))
