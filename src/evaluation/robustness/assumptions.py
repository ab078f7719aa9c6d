"""The estimate under other survey assumptions: sample sizes and the design effect."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd

from evaluation import panel
from evaluation.data import Dataset
from evaluation.errors import KepuError
from evaluation.results import Check
from evaluation.robustness.context import Estimated, impossible

DESIGN_EFFECTS = (1.0, 1.5, 2.0, 3.0)
SAMPLE_FACTORS = (0.5, 1.0, 2.0)


def rebuilder(dataset: Dataset, frame: pd.DataFrame) -> Callable[[float, float], pd.DataFrame]:
    """A function that gives the same panel with the variances of other assumptions.

    ``frame`` is a panel of gains or of levels made from ``dataset``; only what depends on the
    assumptions (variance, standard error, interval) is computed anew.
    """
    gains = "wave_from" in frame.columns
    keys = ["region_code", "wave_from", "wave_to"] if gains else ["region_code", "wave"]

    def rebuild(design_effect: float, sample_factor: float) -> pd.DataFrame:
        table = panel.rates(dataset, panel.Assumed(design_effect, sample_factor))
        table = panel.gains(table, dataset.waves) if gains else table
        changing = ["se", "low", "high", *(["annual_variance"] if gains else ["n", "variance"])]
        fresh = table.set_index(keys)[changing]
        wanted = pd.MultiIndex.from_frame(frame[keys])
        return frame.assign(**fresh.reindex(wanted).reset_index(drop=True).set_axis(frame.index))

    return rebuild


def assumption_sweep(context: Estimated) -> Check:
    """Refit under each pair of design effect and factor on the assumed samples.

    Fails if the sign or the reading of the interval (above, below or around zero) is not the same
    under all of them: then the finding rests on an assumption.
    """
    name = "assumption_sweep"
    if context.rebuild is None:
        return impossible(name, "No function was given that rebuilds the panel.")
    rows = []
    for deff, factor in product(DESIGN_EFFECTS, SAMPLE_FACTORS):
        try:
            result = context.refit(context.rebuild(deff, factor))
        except KepuError as error:
            return impossible(name, f"design effect {deff}, sample factor {factor}: {error}")
        row = {"design_effect": deff, "sample_factor": factor, "verdict": result.verdict}
        rows.append(row | {k: getattr(result, k) for k in ("estimate", "low", "high", "p")})
    table, first = pd.DataFrame(rows), context.result
    same = (np.sign(table["estimate"]) == np.sign(first.estimate)).all()
    same &= (table["verdict"] == first.verdict).all()
    values = {
        "count": len(table),
        "estimate_low": float(table["estimate"].min()),
        "estimate_high": float(table["estimate"].max()),
        "low": float(table["low"].min()),
        "high": float(table["high"].max()),
        "differing": int((table["verdict"] != first.verdict).sum()),
    }
    key = "check.assumption_sweep.passed" if same else "check.assumption_sweep.failed"
    return Check(name, bool(same), key, values, tuple(rows))
