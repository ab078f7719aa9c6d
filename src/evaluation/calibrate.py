"""How often the headline is wrong: false positives and coverage under a simulated truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import Any

import joblib
import numpy as np
import pandas as pd
from scipy import stats

from evaluation import survey
from evaluation.errors import KepuError, ModelError
from evaluation.scenarios import Scenario
from evaluation.stats.bootstrap import cluster_codes, wild_cluster_bootstrap
from evaluation.stats.least_squares import Equation, jackknife, least_squares
from evaluation.stats.permutation import randomisation_inference

CHUNK = 25
HEADLINE = "wild cluster bootstrap"
RANDOMISATION = "randomisation inference"


@dataclass(frozen=True)
class Calibration:
    """False-positive rates and coverage of one design.

    Attributes
    ----------
    design : its name. regions, observations : of the first panel. panels, draws, seed, level.
    rates : records ``procedure, measure, share, low, high, panels``; the interval is the Monte
        Carlo error, 95 % Wilson. ``panels`` leaves out those the procedure refused.
    refusals : the reason and how many panels were refused for it.
    """

    design: str
    regions: int
    observations: int
    panels: int
    draws: int
    seed: int
    level: float
    rates: tuple[dict[str, Any], ...]
    refusals: dict[str, int]

    def table(self) -> pd.DataFrame:
        """The rates, one a row."""
        return pd.DataFrame(list(self.rates))

    def share(self, measure: str, procedure: str = HEADLINE) -> float:
        """One of the rates, e.g. ``false positives``; missing where every panel was refused."""
        found = [
            row["share"]
            for row in self.rates
            if (row["measure"], row["procedure"]) == (measure, procedure)
        ]
        return found[0] if found else float("nan")

    def record(self) -> dict[str, Any]:
        """What JSON takes."""
        return asdict(self)


def _answers(design: Equation, draws: int, seed: int, level: float) -> dict[str, tuple[float, Any]]:
    """P-value and interval of each procedure for the last column; raises as the headline does."""
    weights, _ = design.known_variance_weights()
    fit = least_squares(design.y, design.X, weights)
    codes, clusters = cluster_codes(design.clusters, len(design.y))
    found = wild_cluster_bootstrap(
        design.y, design.X, design.clusters, design.X.shape[1] - 1, draws,
        seed=seed, observation_weights=weights, level=level,
    )  # fmt: skip
    crv3 = jackknife(fit, codes, level=level)
    t = stats.t(df=clusters - 1)
    half = float(t.ppf((1 + level) / 2)) * found.se
    crv1 = (found.estimate - half, found.estimate + half)
    return {
        HEADLINE: (found.p, (found.low, found.high)),
        "CRV3, t": (crv3.p, (crv3.low, crv3.high)),
        "CRV1, t": (float(2 * t.sf(abs(found.t))), crv1),
    }


def _randomised(design: Equation, draws: int, seed: int) -> tuple[float, float]:
    """P-value of randomisation inference and the smallest p-value the design allows."""
    weights, _ = design.known_variance_weights()
    found = randomisation_inference(
        design.y, design.X, design.clusters, design.periods, design.X.shape[1] - 1, draws,
        seed=seed, observation_weights=weights, statistic="coefficient",
    )  # fmt: skip
    return found.p, found.smallest_p


def _panel(scenario: Scenario, number: int, draws: int, seed: int, level: float):
    """One panel without and one with an effect: records of wrong answers, or the refusal."""
    stream = np.random.SeedSequence([seed, number])
    rng = np.random.default_rng(stream)
    own = int(stream.generate_state(1)[0])
    null, truth = scenario(rng, 0.0), scenario.effect
    records: list[tuple[str, str, bool]] = []
    try:
        for name, (p, _) in _answers(null, draws, own, level).items():
            records.append((name, "false positives", p <= 1 - level))
        for name, (_, (low, high)) in _answers(scenario(rng, truth), draws, own, level).items():
            records.append((name, "coverage", low <= truth <= high))
    except ModelError as error:
        p, smallest = _randomised(null, draws, own)
        if smallest > 1 - level:
            floor = f"Randomisation inference reaches no p-value below {smallest:.3f} here either."
            return [], f"{error} {floor}"
        return [(RANDOMISATION, "false positives", p <= 1 - level)], str(error)
    return records, ""


def _chunk(scenario: Scenario, numbers: range, draws: int, seed: int, level: float) -> list:
    return [_panel(scenario, number, draws, seed, level) for number in numbers]


def _rates(records: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    rows = []
    for (procedure, measure), wrong in records.groupby(["procedure", "measure"], sort=False)["hit"]:
        share = float(wrong.mean())
        low, high = survey.wilson_interval(share, len(wrong), 1)
        row = {"procedure": procedure, "measure": measure, "share": share}
        rows.append(row | {"low": float(low), "high": float(high), "panels": len(wrong)})
    return tuple(rows)


def calibrate(
    scenario: Scenario,
    *,
    panels: int = 2000,
    draws: int = 999,
    seed: int = 1,
    level: float = 0.95,
    workers: int | None = None,
    told: Callable[[int], None] | None = None,
) -> Calibration:
    """Run the headline procedure on many simulated panels of one design.

    Every panel is estimated as a real one is, variances beyond sampling error and weights
    included. The answer does not depend on the number of workers.

    Parameters
    ----------
    scenario : draws a panel of the design. panels : how many, each without and with an effect.
    workers : processes, by default one a core. told : called with the number of panels done.
    """
    if panels < 1:
        raise KepuError(f"'panels' must be at least 1; it is {panels}.")
    chunks = [range(i, min(i + CHUNK, panels)) for i in range(0, panels, CHUNK)]
    run = joblib.Parallel(n_jobs=workers or os.cpu_count(), return_as="generator")
    found, reasons = [], []
    jobs = zip(repeat(scenario), chunks, repeat(draws), repeat(seed), repeat(level), strict=False)
    for answers in run(joblib.delayed(_chunk)(*job) for job in jobs):
        found += [record for records, _ in answers for record in records]
        reasons += [reason for _, reason in answers if reason]
        if told is not None:
            told(len(answers))
    first = scenario(np.random.default_rng(seed), 0.0)
    return Calibration(
        design=scenario.name, regions=len(np.unique(first.clusters)), observations=len(first.y),
        panels=panels, draws=draws, seed=seed, level=level,
        rates=_rates(pd.DataFrame(found, columns=["procedure", "measure", "hit"])),
        refusals={reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
    )  # fmt: skip
