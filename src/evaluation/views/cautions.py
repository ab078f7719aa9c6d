"""Two cautions: what the noisy opening level does, and what the method does with a known truth."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from evaluation.model_panels import ROLES, fit_doses
from evaluation.report.blocks import Paragraph
from evaluation.report.context import Context
from evaluation.results import Result
from evaluation.study import Study
from evaluation.views import View, show, table
from evaluation.views.association import DIGITS, MAIN, estimable


def without_opening(study: Study, dose: str, draws: int, seed: int) -> Result:
    """The gain regression of one dose with the opening level left out of the controls."""
    controls = tuple(name for name in ROLES["gain"].covariates if name != "opening")
    options = {"covariates": controls, "draws": draws, "seed": seed, "companions": False}
    return fit_doses(MAIN, study.provinces, [dose], **options)


def opening(page: Context, draws: int, seed: int) -> View:
    """Estimates with the opening level among the controls beside those without it."""
    w, rows, changed = page.writer, [], 0
    held = estimable(page.study.estimates)
    for item in held:
        other = without_opening(page.study, item.dose, draws, seed)
        level = item.result.table().set_index("term").at["opening", "estimate"]
        pair = {"with": item.result, "without": other}
        cells = [_cell(page, f"{kind}.{item.dose}", each) for kind, each in pair.items()]
        shift = item.result.estimate - other.estimate
        changed += item.verdict != other.verdict
        cells += [
            w.number(f"shift.{item.dose}", shift, "", DIGITS, signed=True),
            w.number(f"opening.{item.dose}", level, "", DIGITS, signed=True),
        ]
        rows.append((w.t(f"dose.{item.dose}"), *cells))
    lead = w.t(
        "view.opening",
        doses=w.number("opening.doses", len(held), "", 0),
        changed=w.number("opening.changed", changed, "", 0),
    )
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
        rows.append(
            (
                w.t(f"domain.{item.dose}"),
                w.number(f"truth.{item.dose}", value, "", 2, signed=True),
                _cell(page, f"simulated.{item.dose}", result),
                w.t(f"answer.{'yes' if inside else 'no'}"),
                w.t(f"view.verdict.{item.verdict}"),
                w.number(f"simulated.{item.dose}.mde", result.details["mde"], "", 2),
            )
        )
    lead = w.t(
        "view.recovered",
        doses=w.number("simulated.doses", len(items), "", 0),
        held=w.number("simulated.held", held, "", 0),
        told=w.number("simulated.told", sum(i.verdict != "unknown" for i in items), "", 0),
        real=w.number("simulated.real", sum(truth[i.dose] != 0 for i in items), "", 0),
    )
    columns = ("domain", "truth", "estimate", "holds_truth", "reading", "mde")
    body = table(page, w.t("view.recovered.table"), columns, rows, (1, 2, 5))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.recovered.note"), "note"))


def _cell(page: Context, key: str, result: Result) -> Markup:
    w = page.writer
    return w.joined(
        w.number(key, result.estimate, "", DIGITS, signed=True),
        w.interval(key, result.low, result.high, "", DIGITS),
    )
