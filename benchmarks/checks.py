"""How often does each check fail without an effect and with one? What a check says depends on it.

Simulated panels with surveys of known error: gains from :mod:`evaluation.data.simulate`, one
input with no effect or a declared one, an opening level and a covariate held equal; on wish a
violation that looks like an effect. A check that fails in all panels, or in none, tells nothing.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from itertools import product

import joblib
import numpy as np
import pandas as pd

from evaluation.base.results import Check
from evaluation.data.simulate import Truth, simulate_panel
from evaluation.evidence.checks import Estimated
from evaluation.evidence.grade import Design, grade
from evaluation.evidence.headline import pre_period, run_checks
from evaluation.models import named
from evaluation.models.columns import GAINS, Inference
from evaluation.models.panels import roles
from evaluation.survey import panel

YEARS = (2015, 2018, 2020, 2022, 2023)
CONTROLS = {"gain": ("opening", "log2_income")}
SMALLEST = 0.1  # points a year for a doubling
NONE = Truth(facility=0.0, personnel=0.0, activity=0.0, fund=0.0)


def rates_of(rates: pd.DataFrame, respondents: float) -> pd.DataFrame:
    """Surveyed rates with the variance that goes with the sample size."""
    share = rates["rate"] / 100
    return rates.assign(variance=2e4 * share * (1 - share) / respondents)


@dataclass(frozen=True)
class Truths:
    """What is planted: an effect, and a gain that goes before the input it is followed by."""

    regions: int
    waves: int
    respondents: int
    effect: float
    anticipated: float
    changed: bool


def anticipating(rates: pd.DataFrame, gains: pd.DataFrame, slope: float) -> pd.DataFrame:
    """Rates whose gains already went with the input of the next interval, before it came."""
    gains = gains.sort_values(["region_code", "wave_from"])
    dose = np.log2(gains["facility"])
    later = dose.groupby(gains["region_code"]).shift(-1)
    later = later - later.groupby(gains["wave_from"]).transform("mean")
    extra = (slope * gains["years"] * later).fillna(0.0).groupby(gains["region_code"]).cumsum()
    keys = ["region_code", "wave"]
    moved = gains.assign(wave=gains["wave_to"], extra=extra).set_index(keys)["extra"]
    added = moved.reindex(pd.MultiIndex.from_frame(rates[keys])).fillna(0.0).to_numpy()
    return rates.assign(rate=(rates["rate"] + added).clip(0.5, 99.5))


def context(seed: int, truth: Truths, draws: int) -> Estimated:
    """An estimate of one simulated panel with all its checks need."""
    codes = [f"{i:02d}0000" for i in range(truth.regions)]
    regions = pd.DataFrame({"code": codes, "parent_code": "000000"})
    years = YEARS[-truth.waves :]
    respondents = truth.respondents
    made = simulate_panel(
        regions, years, truth=replace(NONE, facility=truth.effect), sample_size=respondents,
        seed=seed,
    )  # fmt: skip
    waves = pd.DataFrame({"wave": list(years)})
    waves = waves.assign(break_before=(waves["wave"] == 2020) & truth.changed)
    surveyed = made.panel[["region_code", "wave", "rate"]].assign(fact_id="")
    surveyed = anticipating(surveyed, made.gains, truth.anticipated)
    own = made.gains[["region_code", "wave_from", "facility"]]
    income = made.panel[["region_code", "wave", "income"]].rename(columns={"wave": "wave_from"})

    def built(respondents: float) -> pd.DataFrame:
        frame = panel.gains(rates_of(surveyed, respondents), waves)
        frame = frame.merge(own, on=["region_code", "wave_from"])
        frame = frame.merge(income, on=["region_code", "wave_from"])
        logs = {f"log2_{name}": np.log2(frame[name]) for name in ("facility", "income")}
        return frame.assign(**logs)

    frame, run = built(respondents), Inference(draws, seed, companions=False)
    part = roles(GAINS, ["log2_facility"], CONTROLS)
    return Estimated(
        frame, named(GAINS).fit(frame, part, run), part, run,
        rates=rates_of(surveyed, respondents),
        rebuild=lambda deff, factor: built(respondents * factor * 2 / deff),
        smallest=SMALLEST,
    )  # fmt: skip


def outcome(check: Check) -> str:
    """What became of a check: passed, failed, unclear or impossible."""
    if check.key == "check.impossible":
        return "impossible"
    return {True: "passed", False: "failed", None: "unclear"}[check.passed]


def one(seed: int, truth: Truths, draws: int) -> dict[str, str]:
    """Outcomes of all checks on one panel, and the locks the design and they give."""
    made = context(seed, truth, draws)
    checks = run_checks(made)
    regions, before = truth.regions, pre_period(made.panel, made.roles)
    design = Design(
        "continuous", truth.waves, before, regions, regions, "published", 0.0, truth.changed
    )
    locks = grade(design, checks).locks
    return {c.name: outcome(c) for c in checks} | {
        "locks": str(locks),
        "verdict": made.result.verdict,
    }


def table(panels: int, truth: Truths, draws: int) -> pd.DataFrame:
    """Shares of panels by check and outcome."""
    job = joblib.delayed(one)
    rows = joblib.Parallel(n_jobs=os.cpu_count())(job(seed, truth, draws) for seed in range(panels))
    shares = pd.DataFrame(rows).apply(lambda column: column.value_counts(normalize=True))
    return shares.T.fillna(0.0)


def main() -> None:
    """Print one table a truth."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--panels", type=int, default=200)
    given.add_argument("--draws", type=int, default=199)
    given.add_argument("--regions", type=int, default=31)
    given.add_argument("--waves", type=int, default=5, choices=range(3, len(YEARS) + 1))
    given.add_argument("--respondents", type=int, nargs="+", default=[2200, 10000])
    given.add_argument("--effects", type=float, nargs="+", default=[0.0, 0.3])
    given.add_argument("--anticipated", type=float, default=0.0)
    given.add_argument("--changed", action="store_true", help="the survey changes in 2020")
    asked = given.parse_args()
    for respondents, effect in product(asked.respondents, asked.effects):
        truth = Truths(
            asked.regions, asked.waves, respondents, effect, asked.anticipated, asked.changed
        )
        print(f"{truth}, {asked.panels} panels")
        print(table(asked.panels, truth, asked.draws).round(3).to_string())


if __name__ == "__main__":
    main()
