"""Documents of a simulated data package and the files it is written to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.data import contract
from evaluation.data.tables import read_descriptor, read_files
from evaluation.simulate import DOSES, REFERENCE, Simulation, simulate_panel
from evaluation.simulate_tables import to_tables

NAME = "kepu-simulated"
FOLDER = "simulated"
REGION_SET = "inner_mongolia_leagues"
SEED = 20250101
FORMULA = (
    "annual gain = trend + sum over doses of effect * log2(dose / reference) "
    "+ opening_effect * (opening level - opening_mean) + region term + residual"
)


def documents(simulation: Simulation, descriptor: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """JSON documents by file name: the descriptor of the package and the truth behind it.

    ``descriptor`` is that of the main package, whose schemas the simulated tables share.
    """
    return {
        "datapackage.json": simulated_descriptor(descriptor),
        "truth.json": truth_record(simulation),
    }


def simulated_descriptor(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """The descriptor of the main package, renamed and with every title marked as simulated."""
    result = deepcopy(dict(descriptor))
    result |= {
        "name": NAME,
        "title": "Simulated panel with known effects (模拟数据)",
        "description": "Simulated/模拟: figures drawn from a known truth (truth.json) to check "
        "estimators. The regions exist; no figure describes them.",
        "simulated": True,
        "keywords": ["simulated", "模拟"],
        "licenses": [{"name": "MIT", "title": "Simulated/模拟: the licence of the project"}],
        "sources": [
            {"title": "Simulated/模拟: drawn by evaluation.simulate", "path": "truth.json"}
        ],
    }
    for resource in result["resources"]:
        resource["title"] = f"Simulated/模拟: {resource['title']}"
        resource["description"] = (
            "Simulated/模拟. Same columns as the table of this name among the observed facts."
        )
    return result


def truth_record(simulation: Simulation) -> dict[str, Any]:
    """Everything that made a simulation, as plain values."""
    truth = asdict(simulation.truth)
    return {
        "title": "Simulated/模拟: the truth behind this package",
        "effects": {dose: truth.pop(dose) for dose in DOSES},
        "effects_unit": "percentage points a year for each doubling of the dose",
        "formula": FORMULA,
        "reference": REFERENCE,
        "reference_unit": {
            "facility": "square metres per 10,000 residents, opening year",
            "personnel": "persons per 10,000 residents, opening year",
            "activity": "lectures per 10,000 residents and year, mean of the interval",
            "fund": "yuan per resident and year, mean of the interval",
        },
        "parameters": truth,
        "sample_size": int(simulation.panel["n"].iloc[0]),
        "published_share": float(simulation.panel["published"].mean()),
        "regions": int(simulation.panel["region_code"].nunique()),
        "waves": list(simulation.waves),
        "seed": simulation.seed,
        "generator": "numpy PCG64",
    }


def write(
    tables: Mapping[str, pd.DataFrame], papers: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    """Write tables as CSV and documents as JSON into ``folder``, which must exist."""
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", encoding="utf-8")
    for name, paper in papers.items():
        text = json.dumps(paper, ensure_ascii=False, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def rebuild(root: Path, folder: Path | None = None) -> Path:
    """Write the committed simulated package again from labels and schemas of the package ``root``.

    ``folder`` is ``root / "simulated"`` unless given; returns it.
    """
    folder = folder or root / FOLDER
    files = read_files(root)
    descriptor, main = read_descriptor(files), contract.read(files).tables
    sets = main["region_sets"]
    members = sets.loc[sets["set"] == REGION_SET, "code"]
    simulation = simulate_panel(main["regions"][main["regions"]["code"].isin(members)], seed=SEED)
    write(to_tables(simulation, main), documents(simulation, descriptor), folder)
    return folder
