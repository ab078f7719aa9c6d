"""Doses and covariates of the panel: per head, read so that none is later than what it explains."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.data import Dataset
from evaluation.errors import ModelError
from evaluation.observations import by_year

COVARIATES = {
    "log2_gdp_per_capita": "gdp_per_capita_derived",
    "college_share": "college_share_6plus",
    "urban_share": "urbanisation_rate",
}
# An opening level may be read up to this many years before the opening wave (no college share was
# published for 2010 and 2020, no museum count for most provinces after 2018).
STALE = 2


def per_capita(dataset: Dataset, dose: pd.Series) -> pd.DataFrame:
    """Yearly per-capita values of one row of ``doses.csv``.

    Returns ``region_code, year, value, series, fact_id, base_fact`` (``base_fact`` is the
    population used, empty where the indicator is per head already).
    """
    table = by_year(dataset, dose["indicator"])
    if not dose["denominator"]:
        return table.assign(base_fact="")
    base = by_year(dataset, dose["denominator"])
    base = base.rename(columns={"value": "base", "fact_id": "base_fact"}).drop(columns="series")
    merged = table.merge(base, on=["region_code", "year"])
    factor = dataset.units.set_index("unit")["factor"]
    unit = dataset.indicators.set_index("indicator")["unit"]
    ratio = factor[unit[dose["indicator"]]] / factor[unit[dose["denominator"]]]
    return merged.assign(value=merged["value"] * ratio / merged["base"] * dose["scale"])


def _opening(values: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """Latest value no later than the opening wave and at most ``STALE`` years older.

    Returns ``value, series`` on the rows of ``keys``.
    """
    table = values.set_index(["region_code", "year"])[["value", "series"]]
    result = pd.DataFrame({"value": np.nan, "series": ""}, index=keys.index)
    for lag in range(STALE, -1, -1):
        year = pd.MultiIndex.from_arrays([keys["region_code"], keys["wave_from"] - lag])
        found = table.reindex(year).set_axis(keys.index)
        result = found.where(found["value"].notna(), result)
    return result


def _mean_flow(values: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """Mean of the years in (from, to] of one series, that of the last of them.

    Missing unless at least half of the years are published in that series: two definitions are
    not averaged. Returns ``value, series`` on the rows of ``keys``.
    """
    by_region = dict(list(values.groupby("region_code")))
    rows = [
        _window(by_region.get(region), start, end)
        for region, start, end in zip(
            keys["region_code"], keys["wave_from"], keys["wave_to"], strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["value", "series"], index=keys.index)


def _window(values: pd.DataFrame | None, start: int, end: int) -> tuple[float, str]:
    if values is None:
        return np.nan, ""
    inside = values[(values["year"] > start) & (values["year"] <= end)].sort_values("year")
    if inside.empty:
        return np.nan, ""
    series = inside["series"].iloc[-1]
    same = inside.loc[inside["series"] == series, "value"]
    return (same.mean() if 2 * len(same) >= end - start else np.nan), series


def attach(dataset: Dataset, keys: pd.DataFrame) -> pd.DataFrame:
    """Add doses (log2, so one unit is a doubling) and opening covariates to gain rows.

    ``keys`` needs ``region_code, wave_from, wave_to``. Returns ``keys`` with ``dose_<name>``,
    ``log2_<name>``, ``series_<name>`` (the definition counted) and the columns of ``COVARIATES``.
    """
    frame = keys.copy()
    for _, dose in dataset.doses.iterrows():
        name, read = dose["dose"], _opening if dose["timing"] == "stock" else _mean_flow
        found = read(per_capita(dataset, dose), keys)
        if (found["value"] <= 0).any():
            raise ModelError(f"Dose '{name}' has values of 0 or less: a doubling is not defined.")
        frame[f"dose_{name}"] = found["value"].astype(float)
        frame[f"log2_{name}"] = np.log2(frame[f"dose_{name}"])
        frame[f"series_{name}"] = found["series"]
    for name, indicator in COVARIATES.items():
        table = by_year(dataset, indicator)
        value = _opening(table, keys)["value"].astype(float)
        frame[name] = np.log2(value) if name.startswith("log2_") else value
    return frame


def one_series(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Keep, within each region, the dose values of one definition only; the others go missing.

    The definition kept is the one with most rows, the later of two with as many. A comparison
    within regions would otherwise take a change of definition for a change of dose.
    """
    known = frame[frame[f"log2_{name}"].notna()]
    counts = known.groupby(["region_code", f"series_{name}"])["wave"].agg(["size", "max"])
    ranked = counts.sort_values(["size", "max"]).reset_index()
    kept = ranked.groupby("region_code")[f"series_{name}"].last()
    other = frame[f"series_{name}"] != frame["region_code"].map(kept)
    columns = [f"dose_{name}", f"log2_{name}"]
    return frame.assign(**{column: frame[column].mask(other) for column in columns})


def level_panel(dataset: Dataset, rate_table: pd.DataFrame) -> pd.DataFrame:
    """Rates as levels with the doses and covariates of the year before each survey.

    A stock is read before the survey year, a flow over the three years before it, so that no
    dose is later than the level it is to explain; within a region a dose keeps one definition.
    """
    table = rate_table[rate_table["variance"].notna()]
    keys = pd.DataFrame(
        {
            "region_code": table["region_code"],
            "wave_from": table["wave"] - 1,
            "wave_to": table["wave"] - 1,
        }
    )
    stock = attach(dataset, keys.assign(wave_to=keys["wave_from"]))
    flow = attach(dataset, keys.assign(wave_from=keys["wave_to"] - 3))
    flows = dataset.doses.loc[dataset.doses["timing"] == "flow", "dose"]
    for dose in flows:
        for prefix in ("dose_", "log2_", "series_"):
            stock[prefix + dose] = flow[prefix + dose]
    doses = stock.drop(columns=["region_code", "wave_from", "wave_to"])
    frame = pd.concat([table, doses], axis=1).reset_index(drop=True)
    for name in dataset.doses["dose"]:
        frame = one_series(frame, name)
    return frame


def composite(frame: pd.DataFrame, names: list[str], coverage: float = 0.9) -> pd.Series:
    """One index of collinear doses: the mean of their standardised log2 values, standardised again.

    A unit is one standard deviation between the rows of the panel. Only doses known in at least
    ``coverage`` of the rows with any dose take part, and a row lacking one of them has no index:
    an index whose parts change from row to row would compare unlike with like.

    Returns
    -------
    Series on the index of ``frame``; ``attrs["doses"]`` lists the doses that take part.

    Raises
    ------
    ModelError : fewer than two doses are known in enough rows.
    """
    columns = [f"log2_{name}" for name in names]
    seen = frame.loc[frame[columns].notna().any(axis=1), columns]
    taken = [column for column in columns if seen[column].notna().mean() >= coverage]
    if len(taken) < 2:
        raise ModelError(
            f"A composite needs two doses known in {coverage:.0%} of the rows with any; there "
            f"{'is' if len(taken) == 1 else 'are'} {len(taken)}."
        )
    scores = (frame[taken] - frame[taken].mean()) / frame[taken].std()
    index = scores.mean(axis=1, skipna=False)
    index = (index - index.mean()) / index.std()
    index.attrs["doses"] = [column.removeprefix("log2_") for column in taken]
    return index
