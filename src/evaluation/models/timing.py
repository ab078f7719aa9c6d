"""From a long panel to arrays: outcome by region and wave, and when each region was treated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.errors import ModelError

NEVER = -1


@dataclass(frozen=True)
class Timed:
    """A panel with the timing of a treatment that, once given, stays.

    Attributes
    ----------
    regions : (n,) labels. waves : (T,) increasing years.
    y : (n, T) outcome, missing where not observed. variance : (n, T) of y, or ``None``.
    start : (n,) position of the first treated wave; ``-1`` for regions not treated up to the last.
    dropped : rows left out for missing values. always : regions left out for being treated in the
        first wave. later : regions treated only after the last wave, counted as untreated.
    """

    regions: np.ndarray
    waves: np.ndarray
    y: np.ndarray
    variance: np.ndarray | None
    start: np.ndarray
    dropped: int
    always: int
    later: int

    @property
    def treated(self) -> np.ndarray:
        """(n,) whether the region is treated in some wave."""
        return self.start != NEVER

    @property
    def observed(self) -> np.ndarray:
        """(n, T) whether the outcome is known."""
        return np.isfinite(self.y)


def single_dose(doses: Sequence[str], covariates: Sequence[str], model: str) -> str:
    """The one treatment column; these designs take neither a second dose nor covariates."""
    if isinstance(doses, str) or len(doses) != 1:
        raise ModelError(f"{model} takes one treatment column in 'doses'; it was given {doses!r}.")
    if covariates:
        raise ModelError(f"{model} takes no covariates; it was given {', '.join(covariates)}.")
    return doses[0]


def _numeric(panel: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        if not pd.api.types.is_numeric_dtype(panel[name]):
            raise ModelError(f"Column '{name}' must be numeric; it is {panel[name].dtype}.")
        if np.isinf(panel[name].to_numpy(dtype=float, na_value=np.nan)).any():
            raise ModelError(f"Column '{name}' holds infinite values; write 0 for never treated.")


def _rows(panel: pd.DataFrame, names: dict[str, str | None]) -> tuple[pd.DataFrame, int]:
    """Complete rows under the names of their parts, and how many were left out."""
    used = {part: name for part, name in names.items() if name is not None}
    if len(set(used.values())) < len(used):
        raise ModelError(f"A column is used in two parts of one model: {', '.join(used.values())}.")
    absent = [name for name in used.values() if name not in panel.columns]
    if absent:
        known = ", ".join(map(str, panel.columns))
        raise ModelError(
            f"Columns not in the panel: {', '.join(absent)}. It has: {known}. The treatment column "
            "gives each region's first treated year (0 for never) or 0/1 in each wave."
        )
    _numeric(panel, [name for part, name in used.items() if part != "region"])
    frame = pd.DataFrame({part: panel[name] for part, name in used.items()}).dropna()
    doubled = frame[frame.duplicated(["region", "wave"])]
    if len(doubled):
        region, wave = doubled.iloc[0][["region", "wave"]]
        raise ModelError(f"{len(doubled)} rows repeat a region and wave, first {region} in {wave}.")
    if "variance" in frame and (frame["variance"] < 0).any():
        raise ModelError(f"Column '{used['variance']}' holds negative variances.")
    return frame, len(panel) - len(frame)


def _start_by_indicator(table: pd.DataFrame, name: str) -> pd.Series:
    """Year of the first wave with a 1, 0 where there is none; refuses treatments that end."""
    values = table.to_numpy()
    reached = np.fmax.accumulate(np.where(np.isnan(values), -np.inf, values), axis=1)
    ended = (values == 0) & (reached == 1)
    if ended.any():
        region = table.index[ended.any(axis=1)][0]
        raise ModelError(
            f"'{name}' returns from 1 to 0 in {region}; treatment must stay once given."
        )
    first = table.columns.to_numpy()[(values == 1).argmax(axis=1)]
    return pd.Series(np.where((values == 1).any(axis=1), first, 0), index=table.index)


def _start_by_year(table: pd.DataFrame, name: str) -> pd.Series:
    """The first treated year of each region, constant over its waves; 0 for never."""
    low, high = table.min(axis=1), table.max(axis=1)
    if (low != high).any():
        region = table.index[low != high][0]
        raise ModelError(f"'{name}' gives {region} two first treated years; it must be constant.")
    if (low < 0).any():
        raise ModelError(f"'{name}' holds negative years, first for {table.index[low < 0][0]}.")
    return low


def _first_treated(frame: pd.DataFrame, name: str) -> pd.Series:
    table = frame.pivot_table(index="region", columns="wave", values="dose")
    indicator = frame["dose"].isin([0, 1]).all()
    if (frame["dose"] % 1 != 0).any():
        raise ModelError(
            f"'{name}' holds fractions: it is neither a first treated year (0 for never) nor 0/1. "
            "This design takes the timing of a designation, not an amount."
        )
    return (_start_by_indicator if indicator else _start_by_year)(table, name)


def timed_panel(
    panel: pd.DataFrame, *, outcome: str, dose: str, region: str, wave: str, variance: str | None
) -> Timed:
    """Read a long panel whose ``dose`` is a first treated year (0 for never) or a 0/1 indicator.

    A year between two waves starts treatment at the later one. Regions treated in the first wave
    have no untreated outcome and are left out and counted.

    Raises
    ------
    ModelError : a column absent, not numeric or infinite, a region twice in a wave, a negative
        variance, a treatment that ends or has two starts, one wave, nobody or everybody treated.
    """
    parts = {"outcome": outcome, "dose": dose, "region": region, "wave": wave, "variance": variance}
    frame, dropped = _rows(panel, parts)
    y = frame.pivot_table(index="region", columns="wave", values="outcome")
    waves = y.columns.to_numpy()
    if len(waves) < 2:
        raise ModelError(f"The panel has {len(waves)} wave(s); before and after need at least 2.")
    year = _first_treated(frame, dose).reindex(y.index).to_numpy()
    start = np.where(year > 0, np.searchsorted(waves, year), NEVER)
    later, kept = start == len(waves), start != 0
    start = np.where(later, NEVER, start)[kept]
    known = None
    if variance is not None:
        known = frame.pivot_table(index="region", columns="wave", values="variance")
        known = known.reindex_like(y).to_numpy()[kept]
    always = int((~kept).sum())
    _require_contrast(start, waves, dose, always)
    return Timed(
        y.index.to_numpy()[kept],
        waves,
        y.to_numpy()[kept],
        known,
        start,
        dropped,
        always,
        int(later.sum()),
    )


def _require_contrast(start: np.ndarray, waves: np.ndarray, name: str, always: int) -> None:
    """Refuse a panel in which nobody, or everybody at once, is treated."""
    window = f"{waves[0]} to {waves[-1]}"
    if not (start != NEVER).any():
        raise ModelError(
            f"'{name}' treats no region after the first of the waves {window} ({always} were "
            "treated from the first on). This design needs regions treated during the panel."
        )
    if len(set(start.tolist())) == 1:
        raise ModelError(
            f"'{name}' treats every region in the same wave ({waves[start[0]]}); there is no "
            "untreated region to compare with."
        )
