"""How often does each check fail without an effect and with one? What a check says depends on it.

Simulated panels of 31 regions and five waves with surveys of known error: gains from
:mod:`evaluation.data.simulate`, one input with no effect or a declared one, an opening level and a
covariate held equal. A check that fails in all panels, or in none, tells nothing of this design.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd

from evaluation.base.results import Check
from evaluation.data.simulate import Truth, simulate_panel
from evaluation.evidence.checks import Estimated
from evaluation.evidence.grade import Design, grade
from evaluation.evidence.headline import run_checks
from evaluation.models import named
from evaluation.models.columns import GAINS, Inference
from evaluation.models.panels import roles
from evaluation.panel import panel

WAVES = pd.DataFrame({"wave": [2015, 2018, 2020, 2022, 2023]})
REGIONS = pd.DataFrame({"code": [f"{i:02d}0000" for i in range(31)], "parent_code": "000000"})
CONTROLS = {"gain": ("opening", "log2_income")}
SMALLEST = 0.1  # points a year for a doubling
NONE = Truth(facility=0.0, personnel=0.0, activity=0.0, fund=0.0)


def rates_of(simulation, respondents: float) -> pd.DataFrame:
    """Surveyed rates with the variance that goes with the sample size."""
    rates = simulation.panel[["region_code", "wave", "rate"]].assign(fact_id="")
    share = rates["rate"] / 100
    return rates.assign(variance=2e4 * share * (1 - share) / respondents)


def context(seed: int, effect: float, respondents: int, draws: int) -> Estimated:
    """An estimate of one simulated panel with all its checks need."""
    made = simulate_panel(
        REGIONS, truth=replace(NONE, facility=effect), sample_size=respondents, seed=seed
    )
    waves = WAVES.assign(break_before=WAVES["wave"] == 2020)
    own = made.gains[["region_code", "wave_from", "facility"]]
    income = made.panel[["region_code", "wave", "income"]].rename(columns={"wave": "wave_from"})

    def built(respondents: float) -> pd.DataFrame:
        frame = panel.gains(rates_of(made, respondents), waves)
        frame = frame.merge(own, on=["region_code", "wave_from"])
        frame = frame.merge(income, on=["region_code", "wave_from"])
        logs = {f"log2_{name}": np.log2(frame[name]) for name in ("facility", "income")}
        return frame.assign(**logs)

    frame, run = built(respondents), Inference(draws, seed, companions=False)
    part = roles(GAINS, ["log2_facility"], CONTROLS)
    return Estimated(
        frame, named(GAINS).fit(frame, part, run), part, run,
        rates=rates_of(made, respondents),
        rebuild=lambda deff, factor: built(respondents * factor * 2 / deff),
        smallest=SMALLEST,
    )  # fmt: skip


def outcome(check: Check) -> str:
    """What became of a check: passed, failed, unclear or impossible."""
    if check.key == "check.impossible":
        return "impossible"
    return {True: "passed", False: "failed", None: "unclear"}[check.passed]


def one(seed: int, effect: float, respondents: int, draws: int) -> dict[str, str]:
    """Outcomes of all checks on one panel, and the locks the design and they give."""
    made = context(seed, effect, respondents, draws)
    checks = run_checks(made)
    design = Design("continuous", 5, False, 31, 31, "published", 0.0, False)
    locks = grade(design, checks).locks
    return {c.name: outcome(c) for c in checks} | {
        "locks": str(locks),
        "verdict": made.result.verdict,
    }


def table(panels: int, effect: float, respondents: int, draws: int) -> pd.DataFrame:
    """Shares of panels by check and outcome."""
    job = joblib.delayed(one)
    rows = joblib.Parallel(n_jobs=os.cpu_count())(
        job(seed, effect, respondents, draws) for seed in range(panels)
    )
    shares = pd.DataFrame(rows).apply(lambda column: column.value_counts(normalize=True))
    return shares.T.fillna(0.0)


def main() -> None:
    """Print one table a truth."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--panels", type=int, default=200)
    given.add_argument("--draws", type=int, default=199)
    given.add_argument("--respondents", type=int, nargs="+", default=[2200, 10000])
    given.add_argument("--effects", type=float, nargs="+", default=[0.0, 0.3])
    asked = given.parse_args()
    for respondents in asked.respondents:
        for effect in asked.effects:
            print(
                f"{respondents} respondents, effect {effect} points a year, {asked.panels} panels"
            )
            print(table(asked.panels, effect, respondents, asked.draws).round(3).to_string())


if __name__ == "__main__":
    main()
