"""From facts to the panel: literacy rates and gains with their sampling variances.

Rates and gains are in percent and percentage points; variances in squared percentage points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation import survey
from evaluation.data import Dataset
from evaluation.observations import SAMPLE, by_year, surveyed_rates


@dataclass(frozen=True)
class Assumed:
    """Declared survey assumptions: the design effect and a factor on every assumed sample."""

    design_effect: float | None = None
    sample_factor: float = 1.0


def _level(regions: pd.DataFrame) -> pd.Series:
    """Survey level of each region code: nation, province or prefecture."""
    level = regions.set_index("code")["level"]
    return level.where(level.isin(["nation", "province"]), "prefecture")


def sample_sizes(dataset: Dataset, rates: pd.DataFrame, assumed: Assumed) -> pd.DataFrame:
    """Valid respondents behind each rate: published where known, else the declared assumption.

    Returns columns ``n`` (missing where no assumption covers the wave) and ``n_assumed``.
    """
    published = by_year(dataset, SAMPLE)
    published = published.set_index(["region_code", "year"])["value"]
    table = dataset.assumptions[dataset.assumptions["parameter"] == "sample_size"]
    declared = table.set_index(["level", "wave"])["value"] * assumed.sample_factor
    keys = pd.MultiIndex.from_frame(rates[["region_code", "wave"]])
    level_keys = pd.MultiIndex.from_arrays(
        [rates["region_code"].map(_level(dataset.regions)), rates["wave"].astype(str)]
    )
    known = published.reindex(keys).to_numpy(dtype=float)
    filled = np.where(np.isnan(known), declared.reindex(level_keys).to_numpy(dtype=float), known)
    return pd.DataFrame({"n": filled, "n_assumed": np.isnan(known)}, index=rates.index)


def rates(dataset: Dataset, assumed: Assumed | None = None) -> pd.DataFrame:
    """National-wave literacy rates with Wilson intervals on the effective sample.

    Returns ``region_code, wave, rate, n, n_assumed, variance, se, low, high, fact_id, grade,
    corroborated, also_printed_by``; a rate of a wave without published or assumed sample size keeps
    missing ``n, variance, se, low, high``.
    """
    assumed = assumed or Assumed()
    frame = surveyed_rates(dataset.facts, dataset.sources).rename(columns={"value": "rate"})
    frame = frame[frame["year"].isin(dataset.waves["wave"])].assign(
        wave=lambda x: x["year"].astype(int)
    )
    frame = frame.join(sample_sizes(dataset, frame, assumed))
    deff = assumed.design_effect or design_effect(dataset)
    p, known = frame["rate"].to_numpy() / 100, frame["n"].notna().to_numpy()
    for column in ("variance", "low", "high"):
        frame[column] = np.nan
    n = frame.loc[known, "n"].to_numpy()
    low, high = survey.wilson_interval(p[known], n, deff)
    frame.loc[known, "variance"] = survey.sampling_variance(p[known], n, deff) * 1e4
    frame.loc[known, "low"], frame.loc[known, "high"] = low * 100, high * 100
    frame["se"] = np.sqrt(frame["variance"])
    columns = ["region_code", "wave", "rate", "n", "n_assumed", "variance", "se", "low", "high"]
    columns += ["fact_id", "grade", "corroborated", "also_printed_by"]
    return frame[columns].sort_values(["region_code", "wave"], ignore_index=True)


def design_effect(dataset: Dataset) -> float:
    """The declared design effect of the survey."""
    table = dataset.assumptions
    return float(table.loc[table["parameter"] == "design_effect", "value"].iloc[0])


def gains(rate_table: pd.DataFrame, waves: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Gains between consecutive *observed* waves of each region, with their variances.

    Returns ``region_code, wave_from, wave_to, interval, years, opening, gain, se, low, high,
    annual, annual_variance, crosses_break, fact_from, fact_to``; gain and annual gain in
    percentage points.
    """
    table = rate_table[rate_table["variance"].notna()].sort_values(["region_code", "wave"])
    before = table.groupby("region_code").shift(1)
    rows = before["wave"].notna()
    table, before = table[rows], before[rows]
    years = table["wave"] - before["wave"].astype(int)
    change, variance = survey.gain(
        table["rate"], table["variance"], before["rate"], before["variance"]
    )
    z = survey.normal_quantile(level)
    breaks = waves.loc[waves["break_before"], "wave"].to_numpy()
    start = before["wave"].astype(int)
    spans = zip(start, table["wave"], strict=True)
    crosses = [bool(((breaks > a) & (breaks <= b)).any()) for a, b in spans]
    se = np.sqrt(variance)
    return pd.DataFrame(
        {
            "region_code": table["region_code"],
            "wave_from": start,
            "wave_to": table["wave"],
            "interval": start.astype(str) + "-" + table["wave"].astype(str),
            "years": years,
            "opening": before["rate"],
            "gain": change,
            "se": se,
            "low": change - z * se,
            "high": change + z * se,
            "annual": change / years,
            "annual_variance": variance / years**2,
            "crosses_break": crosses,
            "fact_from": before["fact_id"],
            "fact_to": table["fact_id"],
        }
    ).reset_index(drop=True)
