"""Simulated packages in which a programme reaches regions at known dates with a known effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.data import contract, simulate
from evaluation.data.simulate import SOURCE, Simulation, Truth, observed_rates, simulate_panel
from evaluation.data.tables import DESCRIPTOR, read_descriptor, read_files

PROGRAMME = "simulated_programme"
ASSIGNMENTS = ("randomised", "phased_in", "chosen")
# No input has an effect of its own: whatever is found is the programme's.
WITHOUT = {"facility": 0.0, "personnel": 0.0, "activity": 0.0, "fund": 0.0, "opening_effect": 0.0}


@dataclass(frozen=True)
class Scheme:
    """How a simulated programme reaches regions.

    Attributes
    ----------
    assignment : ``randomised`` or ``phased_in`` (an order that the outcome has no part in), or
        ``chosen``.
    starts : years in which as many groups of regions of equal size begin; 0 for a group that never
        does. Fewer regions than groups stand in the first of them.
    effect : percentage points that every survey from the start on is higher by.
    """

    assignment: str
    starts: tuple[int, ...]
    effect: float = 0.0

    def __post_init__(self) -> None:
        if self.assignment not in ASSIGNMENTS:
            raise ValueError(f"assignment is one of {', '.join(ASSIGNMENTS)}: {self.assignment}.")
        if not any(self.starts):
            raise ValueError("starts must hold a year in which the programme begins.")


def dealt(codes: Sequence[str], starts: Sequence[int], seed: int) -> dict[str, int]:
    """Starts of the regions, dealt in equal parts at random."""
    order = np.random.default_rng(seed).permutation(len(codes))
    return {codes[place]: starts[i * len(starts) // len(codes)] for i, place in enumerate(order)}


def lifted(
    simulation: Simulation, start: Mapping[str, int], effect: float, seed: int
) -> Simulation:
    """The simulation with its rates higher by ``effect`` points from each region's start on.

    The observed rates are drawn anew from the lifted ones.
    """
    panel = simulation.panel
    since = panel["region_code"].map(start).fillna(0).to_numpy()
    on = (since > 0) & (panel["wave"].to_numpy() >= since)
    true = panel["true_rate"] + effect * on
    rng, n = np.random.default_rng(seed), int(panel["n"].iloc[0])
    rate = observed_rates(rng, true.to_numpy(), n, simulation.truth.design_effect)
    return replace(simulation, panel=panel.assign(true_rate=true, rate=rate))


def event_rows(start: Mapping[str, int], assignment: str) -> pd.DataFrame:
    """Rows of ``events.csv``, all cells text; a region that is never reached has no start."""
    rows = [
        {
            "event_id": f"E{number:03d}", "region_code": code, "programme": PROGRAMME,
            "programme_zh": "模拟项目（模拟）", "programme_en": "a made-up scheme (simulated)",
            "start": str(year or ""), "end": "", "assignment": assignment, "stratum": "",
            "source_id": SOURCE, "place_zh": "模拟", "place_en": "simulated", "note": "simulated",
        }
        for number, (code, year) in enumerate(sorted(start.items()), start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Survey:
    """The surveys of a simulated package: ``waves`` in years, respondents a region and wave."""

    waves: tuple[int, ...] = (2012, 2014, 2016, 2018, 2020, 2022)
    sample_size: int = 2000
    smallest: float = 0.5  # the smallest difference of interest it declares, points a year


def write_package(
    root: Path,
    folder: Path,
    codes: Sequence[str],
    scheme: Scheme | None,
    *,
    truth: Truth | None = None,
    survey: Survey = Survey(),
    seed: int = 0,
) -> dict[str, int]:
    """Write a simulated package into ``folder``, which must exist; returns the starts by region.

    Parameters
    ----------
    root : main package, whose labels and schemas are used, and no figure. codes : of its regions.
    scheme : the programme; ``None`` for a package that declares none. truth : of the panel; by
        default no input has an effect.
    """
    files = read_files(root)
    main, descriptor = contract.read(files).tables, read_descriptor(files)
    seeds = np.random.SeedSequence(seed).generate_state(3)
    rows = main["regions"][main["regions"]["code"].isin(codes)]
    made = simulate_panel(
        rows, survey.waves, truth or Truth(**WITHOUT), survey.sample_size, seed=int(seeds[0])
    )
    start: dict[str, int] = {}
    if scheme is not None:
        start = dealt(sorted(codes), scheme.starts, int(seeds[1]))
        made = lifted(made, start, scheme.effect, int(seeds[2]))
    tables = simulate.to_tables(made, main)
    own = tables["assumptions"]["parameter"] == "smallest_effect"
    tables["assumptions"].loc[own, "value"] = str(survey.smallest)
    if tables["region_sets"].empty:  # a part of the regions is none of the main package's sets
        tables["region_sets"] = pd.DataFrame({"set": "simulated", "code": sorted(codes)})
    if scheme is not None:
        tables["events"] = event_rows(start, scheme.assignment)
    record = simulate.truth_record(made) | ({} if scheme is None else {"programme": vars(scheme)})
    papers = {DESCRIPTOR: simulate.simulated_descriptor(descriptor), "truth.json": record}
    simulate.write(tables, papers, folder)
    return start
