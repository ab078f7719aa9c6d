"""Simulated panels drawn again and again: what a noisy opening level does to an estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation import store
from evaluation.errors import KepuError
from evaluation.models import fit
from evaluation.report.blocks import Paragraph
from evaluation.report.context import Context
from evaluation.simulate import Simulation, Truth, simulate_panel
from evaluation.views import View, show, table

DOSE = "facility"
CONTROLS = {"none": (), "true": ("true_opening",), "observed": ("opening",)}
DRAWS = 99  # only the estimates are kept, so the bootstrap may be short


def observed_gains(simulation: Simulation) -> pd.DataFrame:
    """Annual gains between observed rates with their variances, and both opening levels."""
    panel = simulation.panel.sort_values(["region_code", "wave"])
    panel["variance"] = (
        simulation.truth.design_effect * panel["rate"] * (100 - panel["rate"]) / panel["n"]
    )
    before = panel.groupby("region_code").shift(1)
    years = panel["wave"] - before["wave"]
    frame = pd.DataFrame(
        {
            "region_code": panel["region_code"],
            "wave_to": panel["wave"],
            "annual": (panel["rate"] - before["rate"]) / years,
            "variance": (panel["variance"] + before["variance"]) / years**2,
            "opening": before["rate"],
            "true_opening": before["true_rate"],
        }
    ).dropna()
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
    drawn = store.kept(repeat, regions[regions["code"].isin(page.codes)], panels, seed)
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
    for control in CONTROLS:
        row, key = means.loc[control], f"bias.{control}"
        rows.append(
            (
                w.t(f"view.bias.{control}"),
                w.number(f"{key}.estimate", row["estimate"], "", 2, signed=True),
                w.number(f"{key}.error", error[control], "", 2),
                w.number("bias.truth", row["truth"], "", 2, signed=True),
                w.number(f"{key}.level", row["level"], "", 2, signed=True)
                if CONTROLS[control]
                else w.t("view.bias.no_level"),
                w.number("bias.true_level", row["true_level"], "", 2, signed=True),
            )
        )
    lead = w.t("view.bias", panels=w.number("bias.panels", panels, "", 0))
    columns = ("control", "mean_estimate", "mean_error", "truth", "level_estimate", "level_truth")
    body = table(page, w.t("view.bias.table"), columns, rows, range(1, 6))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.bias.note"), "note"))
